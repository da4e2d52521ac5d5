// What this room is for: a real control plane on this machine: etcd, kube-apiserver, kube-controller-manager
// and kube-scheduler as processes, and one client for each thread that asks them. What it knows: how they are
// started, and the REST of the API server. What it may not do: play anything that one of them does itself.
#ifndef VPSIE_TESTS_MANIFESTS_CLUSTER_CLUSTER_H
#define VPSIE_TESTS_MANIFESTS_CLUSTER_CLUSTER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/text.h"
#include "tests/stage/process.h"
#include "tests/stage/stage.h"

#define CLUSTER_COORDINATOR "system:serviceaccount:kube-system:vpsie-coordinator"
#define CLUSTER_AGENT       "system:serviceaccount:kube-system:vpsie-agent"

struct cluster {
    struct stage *stage;  // its VPSie, its certificates, its folder
    char programs[200];   // $VPSIE_CLUSTER_BIN: where the four are
    char url[64];         // https://127.0.0.1:PORT
    char kubeconfig[256]; // of an administrator, for kubectl
    char audit_path[256]; // one line of JSON for each request of ours
    struct process etcd, server, controllers, scheduler;
};

// True when the programs of the control plane are there; else says on stderr what is missing.
bool cluster_is_possible(void);
// Starts everything and returns when the API server is ready and has its own namespaces. Aborts when it
// cannot.
void cluster_start(struct cluster *cluster, struct stage *stage);
void cluster_stop(struct cluster *cluster);

// An administrator's client; use from one thread.
struct cluster_client {
    const struct cluster *cluster;
    struct http *http;
};
void cluster_client_open(struct cluster_client *client, const struct cluster *cluster);
void cluster_client_close(struct cluster_client *client);
// One request. `body` is JSON or NULL; a PATCH is a merge patch. Returns the answer (the caller frees; NULL
// when there is none), and its status (0: no answer) in *status, which may be NULL.
cJSON *cluster_ask(struct cluster_client *client, const char *method, const char *path, const char *body,
                   int *status);
// A token of a ServiceAccount of kube-system, bound to a pod, as the kubelet projects it. `audience` "": the
// API server's.
// "" when it is refused; the caller frees.
char *cluster_token(struct cluster_client *client, const char *account, const char *pod, const char *uid,
                    const char *audience);
// A kubeconfig for whoever shows the token in that file.
void cluster_write_kubeconfig(const struct cluster *cluster, const char *path, const char *token_file);

// Runs `kubectl WORDS` (a shell's words) as an administrator; stdout and stderr in `out`. Returns the exit
// status.
int cluster_kubectl(const struct cluster *cluster, struct text *out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

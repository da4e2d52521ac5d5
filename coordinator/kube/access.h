// What this room is for: where the API server is, whom to trust, and who we are there: from a pod's own
// ServiceAccount or from a kubeconfig. What it knows: both formats. What it may not do: connect.
#ifndef VPSIE_COORDINATOR_KUBE_ACCESS_H
#define VPSIE_COORDINATOR_KUBE_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "coordinator/http.h"

struct access {        // all strings owned; NULL when absent
    char *server;      // "https://host:port", perhaps with a path; no slash at the end
    char *ca_file;     // NULL with ca_data NULL: the system's authorities
    char *ca_data;     // PEM
    char *client_cert; // PEM
    char *client_key;  // PEM; a secret
    char *server_name; // expected in the server's certificate
    char *token;       // a secret; used when there is no token_file, or it cannot be read
    char *token_file;  // to be read again when it changes
    char *origin;      // "service account" or "kubeconfig FILE, context NAME", for people
    bool insecure_skip_verify;
};

struct access_environment {
    const char *kubeconfig;   // $KUBECONFIG, "" when unset
    const char *service_host; // $KUBERNETES_SERVICE_HOST
    const char *service_port; // $KUBERNETES_SERVICE_PORT
    const char *account_directory;
};
#define ACCESS_ACCOUNT_DIRECTORY "/var/run/secrets/kubernetes.io/serviceaccount"

// This process's own; the strings are the environment's.
struct access_environment access_environment(void);

// `kubeconfig` "" takes the environment's, else the pod's service account; `context` "" the current one.
// Errors name the file, the context, cluster or user, and the field.
int access_load(const char *kubeconfig, const char *context, const struct access_environment *environment,
                struct access *out, struct error *error);
// The text of a kubeconfig (YAML or JSON). Relative paths are relative to the directory of `file`.
int kubeconfig_parse(const char *text, size_t length, const char *file, const char *context,
                     struct access *out, struct error *error);
void access_free(struct access *access); // wipes the secrets
struct http_trust access_trust(const struct access *access);

#endif

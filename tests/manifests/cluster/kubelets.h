// What this room is for: the kubelets of a real control plane: each machine of the played VPSie is a Node of
// it, its pods run, and the pods of our own manifests are real processes, started with the manifests' own
// arguments. What it knows: what a kubelet writes. What it may not do: schedule, evict, or delete a Node.
#ifndef VPSIE_TESTS_MANIFESTS_CLUSTER_KUBELETS_H
#define VPSIE_TESTS_MANIFESTS_CLUSTER_KUBELETS_H

#include <pthread.h>
#include <stdatomic.h>

#include "tests/manifests/cluster/cluster.h"

#define KUBELETS_SERVICE_ADDRESS "127.0.2.253" // of the Service that agents call
#define KUBELETS_NODES_MAX       32
#define KUBELETS_PROGRAMS_MAX    48

struct kubelet_node {
    char name[80];
    struct host_tree tree; // what an agent there reads
    int64_t told_ms;       // when its status was last written
    bool ready;            // what was written
};
struct kubelet_program { // of a pod of ours
    char pod[128], uid[64], node[80];
    char ip[24];      // an address of the loopback network of its own
    char socket[256]; // of a coordinator; "" for an agent
    struct process process;
};

struct service;
struct kubelets {
    struct cluster *cluster;
    struct cluster_client client; // of the thread
    pthread_t thread;
    atomic_bool stopping;
    atomic_int bad_ends;  // programs that ended by themselves, or badly when told to stop
    pthread_mutex_t lock; // guards what follows
    struct kubelet_node nodes[KUBELETS_NODES_MAX];
    struct kubelet_program programs[KUBELETS_PROGRAMS_MAX];
    int node_count, program_count, addresses;
    struct service *service;
};

void kubelets_start(struct kubelets *kubelets, struct cluster *cluster);
void kubelets_stop(struct kubelets *kubelets);
// Asks the coordinator that leads (`standby`: one that does not) as `kubectl exec` would; its words and the
// exit status in `out`. -1 when there is none.
int kubelets_ask(struct kubelets *kubelets, bool standby, const char *const *words, struct text *out);
// The same for `check`, with the flags and the ServiceAccount of the pod.
int kubelets_check(struct kubelets *kubelets, bool standby, struct text *out);
// Agents that run.
int kubelets_agents(struct kubelets *kubelets);
// The address of some coordinator that runs, in turn; false while none does.
bool kubelets_pick(struct kubelets *kubelets, char *ip, size_t bytes);
void kubelets_print_logs(struct kubelets *kubelets);

#endif

// What this room is for: the pods of our own manifests as processes: the flags, the variables, the token, and
// the files that their manifest promises them. What it knows: the manifests' words. What it may not do: be
// called without the kubelets' lock.
#ifndef VPSIE_TESTS_MANIFESTS_CLUSTER_PROGRAMS_H
#define VPSIE_TESTS_MANIFESTS_CLUSTER_PROGRAMS_H

#include "tests/manifests/cluster/kubelets.h"

// Starts what a pod is to run, if it is one of ours. Returns its address; NULL when what it mounts is not
// there yet.
const char *programs_begin(struct kubelets *kubelets, const cJSON *pod, const struct kubelet_node *node);
// Tells the pod's program to end; true when it has (or there is none).
bool programs_end(struct kubelets *kubelets, const char *uid);
void programs_end_on(struct kubelets *kubelets, const char *node);
// Counts what has ended by itself.
void programs_watch(struct kubelets *kubelets);

#endif

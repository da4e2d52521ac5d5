// What this room is for: what the parts of the world know of each other. What it knows: the order in which
// they are woken. What it may not do: be included from outside tests/world.
#ifndef VPSIE_TESTS_WORLD_PARTS_H
#define VPSIE_TESTS_WORLD_PARTS_H

#include "tests/world/world.h"

// One pass over everything each of them is responsible for. Idempotent; called when something changed.
void scheduler_run(struct world *world);
void workloads_run(struct world *world); // Deployments, ReplicaSets, DaemonSets, Jobs, orphans
void budgets_run(struct world *world);
void storage_run(struct world *world);        // claims and volumes
void node_lifecycle_run(struct world *world); // taints of nodes that are not Ready
void node_lifecycle_noticed(struct world *world, const struct api_change *change); // PodGC

// Kubelets: one per machine, known by the machine's identifier.
void kubelet_boot(void *world, const char *identifier, int64_t number);
void kubelet_noticed(struct world *world, const struct api_change *change);

// The PersistentVolumes that a pod has attached where it runs: of its bound claims, and the one that its
// annotation USE_VOLUME names.
void storage_volumes(const struct world *world, const cJSON *pod, void (*each)(void *, const char *),
                     void *context);

// ---- pods, as all of them see pods
bool pod_is_over(const cJSON *pod);    // phase Succeeded or Failed
bool pod_is_leaving(const cJSON *pod); // being deleted
bool pod_is_ready(const cJSON *pod);   // condition Ready
cJSON *owner_reference(const struct api_object *owner);
cJSON *world_time(struct world *world);
// Sets one entry of status.conditions; the transition time changes with the status only. True when anything
// did.
bool condition_set(struct world *world, cJSON *document, const char *type, const char *status,
                   const char *reason, const char *message);
const cJSON *condition_get(const cJSON *document, const char *type); // NULL when absent

// ---- taints and tolerations (arrays as in Kubernetes)
bool taints_tolerated(const cJSON *pod, const cJSON *taints, bool no_schedule, bool no_execute,
                      int64_t *seconds); // seconds (may be NULL): until a NoExecute one ends it, < 0: never
const cJSON *taint_find(const cJSON *node, const char *key, const char *effect);
bool taint_put(cJSON *node, const char *key, const char *effect); // true when it was not there
bool taint_drop(cJSON *node, const char *key, const char *effect);

// ---- quantities
int64_t quantity_millis(const char *text); // "100m" → 100, "2" → 2000
int64_t quantity_units(const char *text);  // "1Gi" → 2^30

#endif

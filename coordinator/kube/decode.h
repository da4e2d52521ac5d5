// What this room is for: one JSON object into facts in an event's arena, total: whatever arrives, something
// definite comes of it. What it knows: the fields of Kubernetes' objects and of ours, their defaults and
// bounds. What it may not do: keep the tree, decide what a fact means.
#ifndef VPSIE_COORDINATOR_KUBE_DECODE_H
#define VPSIE_COORDINATOR_KUBE_DECODE_H

#include "common/arena.h"
#include "common/error.h"
#include "coordinator/kube/json.h"
#include "coordinator/model/facts.h"

// Each returns 0, or -1 when the object is not one at all (no name, no uid): it is then dropped. Anything
// else that is wrong is kept in the facts: `invalid` of our own resources, POD_NEEDS_UNREADABLE of a pod (so
// that it is neither promised a machine nor moved), a budget without a readable selector allows nothing.
int decode_node(const cJSON *json, struct arena *arena, struct node_facts *out, struct error *error);
int decode_pod(const cJSON *json, struct arena *arena, struct pod_facts *out, struct error *error);
int decode_budget(const cJSON *json, struct arena *arena, struct budget_facts *out, struct error *error);
int decode_daemonset(const cJSON *json, struct arena *arena, struct daemonset_facts *out,
                     struct error *error);
int decode_volume_attachment(const cJSON *json, struct arena *arena, struct volume_attachment_facts *out,
                             struct error *error);
int decode_namespace(const cJSON *json, struct arena *arena, struct namespace_facts *out,
                     struct error *error);
int decode_claim(const cJSON *json, struct arena *arena, struct claim_facts *out, struct error *error);
int decode_volume(const cJSON *json, struct arena *arena, struct volume_facts *out, struct error *error);
int decode_storage_class(const cJSON *json, struct arena *arena, struct storage_class_facts *out,
                         struct error *error);
int decode_csi_node(const cJSON *json, struct arena *arena, struct csi_node_facts *out, struct error *error);
int decode_nodegroup(const cJSON *json, struct arena *arena, struct nodegroup_facts *out,
                     struct error *error);
int decode_intention(const cJSON *json, struct arena *arena, struct intention_facts *out,
                     struct error *error);
int decode_config(const cJSON *json, struct arena *arena, struct config_facts *out, struct error *error);

// Parts, shared by the above.

// Name and uid (and namespace when `space` is not NULL) of an object's metadata, copied; -1 without them.
int decode_identity(const cJSON *json, struct arena *arena, const char **space, const char **name,
                    const char **uid, struct error *error);
// A map of quantities (capacity, allocatable) as the scheduler counts it. False when one is unreadable (it
// counts 0).
bool decode_amounts(const cJSON *map, struct arena *arena, struct resources *out);
// What a pod asks for in all: the scheduler's PodRequests (k8s.io/component-helpers/resource): the sum of the
// containers and sidecars, or the largest moment of the init containers, then pod-level resources instead
// where set, then overhead. `status` may be NULL (a template). pods = 1.
bool decode_requests(const cJSON *spec, const cJSON *status, struct arena *arena, struct resources *out);
// Everything that decides where a pod of this spec in this namespace can run. The claims are the pod's, not
// the shape's.
void decode_shape(const char *space, const cJSON *metadata, const cJSON *spec, const cJSON *status,
                  struct arena *arena, struct pod_shape_facts *out);
// Of that, what is about other pods: affinity, anti-affinity, spread (of the labels in `out`), host ports.
// False when something could not be read; it is left out then.
bool decode_terms(const char *space, const cJSON *spec, struct arena *arena, struct pod_shape_facts *out);
// nodeSelectorTerms.
bool decode_node_terms(const cJSON *array, struct arena *arena, const struct node_term **out,
                       uint32_t *count);
// False when one could not be read (it is left out).
bool decode_taints(const cJSON *array, struct arena *arena, struct taints *out);
bool decode_taint_effect(const char *text, enum taint_effect *out);
// A metav1.LabelSelector; false when it could not be read.
bool decode_selector(const cJSON *selector, struct arena *arena, const struct requirement **out,
                     uint32_t *count);
// A NodeGroup's spec into the facts, its mistakes into `invalid` and `doubtful`; as the defaults of the
// AutoscalerConfig nothing is required.
void decode_group_spec(const cJSON *json, struct arena *arena, struct nodegroup_facts *out);
void decode_group_defaults(const cJSON *json, struct arena *arena, struct nodegroup_facts *out);
bool decode_phase(const char *text, enum intention_phase *out);
const char *decode_phase_name(enum intention_phase phase);
const struct condition_facts *decode_conditions(const cJSON *array, struct arena *arena, uint32_t *count);

#endif

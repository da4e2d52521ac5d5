// What this room is for: what is to be written, as text: merge patches (RFC 7386) and new objects, made from
// an object as it is and a command. What it knows: which marks are ours. What it may not do: send anything.
#ifndef VPSIE_COORDINATOR_KUBE_PATCH_H
#define VPSIE_COORDINATOR_KUBE_PATCH_H

#include <cjson/cJSON.h>

#include "common/text.h"
#include "coordinator/decide/command.h"

// Each returns the body (the caller frees), or NULL when the object already is as it should be. Patches of an
// object that was read carry its resourceVersion, so that they fail when anybody wrote in between.

// Our marks on a node that is to go: unschedulable, the draining taint, the label that takes it out of load
// balancers, and annotations that say which of these *we* set, and why. What was there before is not ours.
char *patch_cordon(const cJSON *node, const char *reason);
// Undoes exactly what the annotation says; NULL when it is not there.
char *patch_uncordon(const cJSON *node);
// Adds labels, annotations and taints. A key outside autoscaler.vpsie.com/ that holds another value is left
// alone and named in `kept`; a NULL value removes a key of ours.
char *patch_label_node(const cJSON *node, const struct labels *labels, const struct labels *annotations,
                       const struct taints *taints, struct text *kept);
// Adds or removes one finalizer.
char *patch_finalizer(const cJSON *object, const char *finalizer, bool present);

#define FINALIZER_NODEGROUP "nodegroup.autoscaler.vpsie.com/finalizer"
#define FINALIZER_INTENTION "vpsienode.autoscaler.vpsie.com/finalizer"

// A VPSieNode. `intention` is command->create_intention.
char *body_intention(const struct intention_facts *facts, const char *owner_name);
// A NodeGroup; what is not given is left to the definition's defaults.
char *body_nodegroup(const struct nodegroup_facts *facts);
// Metadata and spec of a VPSieNode (command->update_intention). `object` is needed (and its resourceVersion
// used) when the finalizer changes, else NULL. NULL when there is nothing to change.
char *patch_intention(const struct command *command, const cJSON *object);
char *patch_intention_status(const struct intention_status_facts *status, int64_t now_ms);
char *patch_group_status(const struct command *command, int64_t now_ms);
// DeleteOptions; `uid` "" for none, grace < 0 for the object's own.
char *body_delete(const char *uid, int64_t grace_seconds);
char *body_eviction(const char *space, const char *name, const char *uid, int64_t grace_seconds);

#endif

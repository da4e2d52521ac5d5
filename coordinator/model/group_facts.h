// What this room is for: a NodeGroup's facts, compared and kept in all their depth: of a NodeGroup itself,
// and as the defaults of an AutoscalerConfig. What it knows: their fields. What it may not do: know the
// cluster.
#ifndef VPSIE_COORDINATOR_MODEL_GROUP_FACTS_H
#define VPSIE_COORDINATOR_MODEL_GROUP_FACTS_H

#include "coordinator/model/fields.h"

// FIELDS_QUIET: only what we wrote ourselves differs (status, conditions).
enum fields_difference group_facts_compare(const struct nodegroup_facts *kept,
                                           const struct nodegroup_facts *told);
void group_facts_keep(struct keep *keep, struct nodegroup_facts *kept, const struct nodegroup_facts *told);
void group_facts_keep_revision(struct nodegroup_facts *kept, const struct nodegroup_facts *told);
// The resource version lies outside the keep: free it before the facts go.
void group_facts_free_revision(struct nodegroup_facts *kept);

#endif

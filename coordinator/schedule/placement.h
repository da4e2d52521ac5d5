// What this room is for: can this pod run on this node? The scheduler's filters, faithfully. What it knows:
// the model. What it may not do: choose, change the model, allocate per call.
#ifndef VPSIE_COORDINATOR_SCHEDULE_PLACEMENT_H
#define VPSIE_COORDINATOR_SCHEDULE_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "coordinator/model/cluster.h"
#include "coordinator/model/resources.h"

// A place: a real node, or a node that does not exist yet (template). Borrowed pointers only.
struct place {
    const char *name; // node name; for a template "" (a pod that wants metadata.name then never matches)
    const struct labels *labels;
    const struct taints *taints;
    const struct resources *allocatable;
    struct resources used; // what is taken so far; packing adds to it. Owned by whoever made the place
    bool unschedulable;
    bool ready;              // Ready (or expected to be)
    const struct node *node; // NULL for a template or a machine on its way
};

enum placement_verdict {
    PLACEMENT_FITS,
    PLACEMENT_NODE_NAME,
    PLACEMENT_UNSCHEDULABLE,
    PLACEMENT_NOT_READY,
    PLACEMENT_SELECTOR,
    PLACEMENT_AFFINITY,
    PLACEMENT_TAINT,
    PLACEMENT_RESOURCES,
    PLACEMENT_BEYOND // needs rules that are not known here (enum pod_needs)
};
struct placement {
    enum placement_verdict verdict;
    struct resources_lack lack; // RESOURCES
    const struct taint *taint;  // TAINT
    const char *key;            // SELECTOR, AFFINITY: the key that did not match, when one can be named
    uint32_t needs;             // BEYOND
};

// Order of checks: as above; the first that fails is the verdict. NODE_NAME: every affinity term asks for
// nodes by name (matchFields), and for none of this name. NoSchedule and NoExecute taints must be tolerated;
// PreferNoSchedule is no filter.
struct placement placement_check(const struct pod_shape *shape, const struct place *place);
// All but resources: for "could it ever run there".
struct placement placement_check_static(const struct pod_shape *shape, const struct place *place);
bool placement_tolerates(const struct pod_shape *shape, const struct taint *taint);
// "needs 9 cpu, 7.8 free" / "taint gpu=true:NoSchedule not tolerated" / ...
void placement_describe(const struct placement *placement, char *buffer, size_t bytes);
const char *placement_verdict_name(enum placement_verdict verdict);

// A place for a real node (used = node->requested, copied; free with place_free).
struct place place_of_node(const struct node *node);
void place_free(struct place *place);

#endif

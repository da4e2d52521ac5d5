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
    // Of a template: the pods that will run there before any other, and how many volumes of a driver it can
    // hold. A node's own pods and its CSINode are known without.
    const struct pod_shape *const *residents;
    uint32_t resident_count;
    const struct csi_driver_limit *attach_limits; // sorted by driver
    uint32_t attach_limit_count;
};

enum placement_verdict {
    PLACEMENT_FITS,
    PLACEMENT_NODE_NAME,
    PLACEMENT_UNSCHEDULABLE,
    PLACEMENT_NOT_READY,
    PLACEMENT_SELECTOR,
    PLACEMENT_AFFINITY,
    PLACEMENT_TAINT,
    PLACEMENT_HOST_PORT,
    PLACEMENT_RESOURCES,
    PLACEMENT_VOLUME,       // a claim that cannot be used there, or not yet
    PLACEMENT_ATTACH_LIMIT, // of a CSI driver
    PLACEMENT_SPREAD,
    PLACEMENT_POD_AFFINITY,
    PLACEMENT_ANTI_AFFINITY,        // its own
    PLACEMENT_OTHERS_ANTI_AFFINITY, // of a pod that is there
    PLACEMENT_BEYOND                // needs rules that are not known here (enum pod_needs)
};
enum placement_volume {         // why a claim cannot be used
    PLACEMENT_VOLUME_MISSING,   // no such claim
    PLACEMENT_VOLUME_GOING,     // it is being deleted
    PLACEMENT_VOLUME_LOST,      // its volume is gone
    PLACEMENT_VOLUME_UNBOUND,   // it is bound before its pod is scheduled, and has not been yet
    PLACEMENT_VOLUME_IN_USE,    // ReadWriteOncePod, and another pod has it
    PLACEMENT_VOLUME_ELSEWHERE, // its volume can only be used where `key` is another
    PLACEMENT_VOLUME_PLANNED,   // it is being made for another node
    PLACEMENT_VOLUME_TOPOLOGY,  // its class makes none there
    PLACEMENT_VOLUME_NOT_MADE   // its class makes none at all
};
struct placement {
    enum placement_verdict verdict;
    struct resources_lack lack; // RESOURCES; ATTACH_LIMIT: the driver, how many it would be, how many can be
    const struct taint *taint;  // TAINT
    const char *key; // SELECTOR, AFFINITY, VOLUME: the key that did not match, when one can be named
    uint32_t needs;  // BEYOND
    const struct host_port *port;           // HOST_PORT
    const struct pod_term *term;            // POD_AFFINITY, ANTI_AFFINITY, OTHERS_ANTI_AFFINITY
    const struct spread_constraint *spread; // SPREAD
    int64_t skew;                           // SPREAD: as it would be; < 0: the node lacks the topology key
    enum placement_volume volume;           // VOLUME
    const char *claim;                      // VOLUME
    const char *value;                      // VOLUME: what `key` must be, when it is one value
    const struct pod *other; // ANTI_AFFINITY, OTHERS_ANTI_AFFINITY, HOST_PORT: one in the way, if known
};

// What the pod asks for by itself: no other pod is looked at (packing does), nor a volume. Order of checks:
// as above; the first that fails is the verdict. NODE_NAME: every affinity term asks for nodes by name
// (matchFields), and for none of this name. NoSchedule and NoExecute taints must be tolerated;
// PreferNoSchedule is no filter.
struct placement placement_check(const struct pod_shape *shape, const struct place *place);
// All but resources: for "could it ever run there".
struct placement placement_check_static(const struct pod_shape *shape, const struct place *place);
bool placement_tolerates(const struct pod_shape *shape, const struct taint *taint);
// The first NoSchedule or NoExecute taint that is not tolerated, NULL without one.
const struct taint *placement_taint(const struct pod_shape *shape, const struct place *place);
// Node selector and required node affinity hold.
bool placement_selects(const struct pod_shape *shape, const struct place *place);
// Any of the terms; one without requirements matches nothing. `key` (may be NULL) gets what failed, when one
// can be named.
bool placement_terms_match(const struct node_term *terms, uint32_t count, const struct place *place,
                           const char **key);
// "needs 9 cpu, 7.8 free" / "taint gpu=true:NoSchedule not tolerated" / ...
void placement_describe(const struct placement *placement, char *buffer, size_t bytes);
const char *placement_verdict_name(enum placement_verdict verdict);

// A place for a real node (used = node->requested, copied; free with place_free).
struct place place_of_node(const struct node *node);
void place_free(struct place *place);

#endif

// What this room is for: many pods, many places: which fit together. What it knows: placement.
// What it may not do: decide what to buy or remove, read a clock, depend on the order its input came in.
#ifndef VPSIE_COORDINATOR_SCHEDULE_PACKING_H
#define VPSIE_COORDINATOR_SCHEDULE_PACKING_H

#include "common/arena.h"
#include "coordinator/schedule/placement.h"

// Working copy of all places of a cluster for one decision; lives in the caller's arena.
struct packing {
    struct arena *arena;
    struct place *places;
    uint32_t place_count, place_capacity;
    uint32_t node_count;           // the first places are nodes, in name order; the others were added
    struct packing_search *search; // private
};

// Every node that could take a pod (schedulable, Ready, not being deleted, without our draining taint), in
// name order.
struct packing packing_create(struct arena *arena, const struct cluster *cluster);
// A machine on its way or wished for: a template place. Returns its index. What the place points to must live
// as long as the packing; `places` may move.
uint32_t packing_add(struct packing *packing, const struct place *place);
// A packing without any place, for template places only.
struct packing packing_create_empty(struct arena *arena);
// It is to go: nothing may be put there. Nodes that are no place are fine.
void packing_remove_node(struct packing *packing, const struct node *node);
// Undo packing_remove_node.
void packing_restore_node(struct packing *packing, const struct node *node);

// Put one pod on the first place in order that fits (existing nodes first by index); UINT32_MAX when none
// does. Adds its requests to the place. `why` (may be NULL) gets FITS or the nearest miss: the place that
// failed latest in the order of checks, of those that lack resources the one that has the largest part of
// what is asked; it costs a look at every place, once for each kind of pod. What a kind of pod did not fit is
// not looked at again for it until something is taken back: ten thousand equal pods cost one pass over the
// places.
uint32_t packing_put(struct packing *packing, const struct pod_shape *shape, struct placement *why);
// Put one pod on this very place. False, and nothing changed, when it does not fit there.
bool packing_put_at(struct packing *packing, uint32_t place, const struct pod_shape *shape,
                    struct placement *why);
// Undo one put (the caller remembers the index).
void packing_take(struct packing *packing, uint32_t place, const struct pod_shape *shape);

// Order pods for packing: largest first (the larger share of a reference place), then by shape id, then by
// namespace and name: a total order that does not depend on input order. Sorts in place. A resource that the
// reference has none of counts as a whole share.
void packing_order(const struct pod **pods, uint32_t count, const struct resources *reference);

// How many template places does it take for these pods (first-fit decreasing), at most places_max? Writes for
// each pod the template index it landed on, or UINT32_MAX. Returns the number of places used; every one of
// them has at least one of the pods.
uint32_t packing_count(struct arena *arena, const struct place *template, const struct pod *const *pods,
                       uint32_t count, uint32_t places_max, uint32_t *landed);

#endif

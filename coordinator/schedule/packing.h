// What this room is for: many pods, many places: which fit together. What it knows: placement.
// What it may not do: decide what to buy or remove, read a clock, depend on the order its input came in.
#ifndef VPSIE_COORDINATOR_SCHEDULE_PACKING_H
#define VPSIE_COORDINATOR_SCHEDULE_PACKING_H

#include "common/arena.h"
#include "coordinator/schedule/placement.h"

// The picture of one decision: all places of a cluster, its pods, and what is done to them here. Lives in the
// caller's arena; copies of this struct are the same picture.
struct packing {
    struct arena *arena;
    const struct cluster *cluster;
    struct place *places;
    uint32_t place_count, place_capacity;
    uint32_t node_count;             // the first places are nodes, in name order; the others were added
    struct packing_search *search;   // private
    struct packing_journal *journal; // private
    struct picture *picture;         // private
    struct volumes *volumes;         // private
};

// Every node that could take a pod (schedulable, Ready, not being deleted, without our draining taint), in
// name order. The cluster must not change while the packing is in use.
struct packing packing_create(struct arena *arena, const struct cluster *cluster);
// A machine on its way or wished for: a template place. Returns its index. What the place points to must live
// as long as the packing; `places` may move. It has a host name of its own, whatever its labels say. A place
// that stands for a node of the cluster as it will be names that node, which was removed before: its pods are
// there, then. The node of a place that was not removed is not looked at.
uint32_t packing_add(struct packing *packing, const struct place *place);
// It is to go: nothing may be put there, and its own pods are in nobody's way any more. Nodes that are no
// place are fine: their pods go, too.
void packing_remove_node(struct packing *packing, const struct node *node);
// Undo packing_remove_node.
void packing_restore_node(struct packing *packing, const struct node *node);

// Put one pod on the first place in order that fits (existing nodes first by index); UINT32_MAX when none
// does. Adds its requests to the place. `why` (may be NULL) gets FITS or the nearest miss: the place that
// failed latest in the order of checks, of those that lack resources the one that has the largest part of
// what is asked; it costs a look at every place, once for each kind of pod. What a kind of pod did not fit is
// not looked at again for it until something is taken back: ten thousand equal pods cost one pass over the
// places.
uint32_t packing_put(struct packing *packing, const struct pod *pod, struct placement *why);
// Put one pod on this very place. False, and nothing changed, when it does not fit there.
bool packing_put_at(struct packing *packing, uint32_t place, const struct pod *pod, struct placement *why);
// Undo one put (the caller remembers the index).
void packing_take(struct packing *packing, uint32_t place, const struct pod *pod);
// Would it fit there now? Changes nothing.
struct placement packing_check(struct packing *packing, uint32_t place, const struct pod *pod);
// Would it fit on such a new place, with everything else as it is? Changes nothing.
struct placement packing_check_new(struct packing *packing, const struct place *place, const struct pod *pod);

// Try a plan: mark, put, take, add, remove and restore as you like, then go back to the mark, at the cost of
// what was done since. Marks nest: going back to one forgets the younger ones. To keep what was done, do
// nothing. Places added since a mark are gone after going back to it, their indices free again.
struct packing_mark {
    uint32_t entries;
    uint64_t era, picture_era;
};
struct packing_mark packing_mark(struct packing *packing);
void packing_rollback(struct packing *packing, struct packing_mark mark);

// Order pods for packing: largest first (the largest share of a reference place), then by namespace, owner,
// labels and name: a total order that depends neither on the order of input nor on who came first. Sorts in
// place. A resource that the reference has none of counts as a whole share.
void packing_order(const struct pod **pods, uint32_t count, const struct resources *reference);

// Put these pods in their order, adding such template places when they are needed, at most places_max of
// them. Writes for each pod the index of the place it landed on (an existing place that fits comes first), or
// UINT32_MAX. Returns the number of places added; every one of them has at least one of the pods. All of it
// stays until it is rolled back.
uint32_t packing_count_on(struct packing *packing, const struct place *template,
                          const struct pod *const *pods, uint32_t count, uint32_t places_max,
                          uint32_t *landed);

#endif

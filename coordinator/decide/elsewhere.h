// What this room is for: where the pods of nodes that may leave would go: one picture of the cluster's free
// space, in which waiting pods and the pods of leaving nodes have been put first, and sets of nodes tried on
// it. What it knows: the schedule, PodDisruptionBudgets. What it may not do: choose or remove nodes.
#ifndef VPSIE_COORDINATOR_DECIDE_ELSEWHERE_H
#define VPSIE_COORDINATOR_DECIDE_ELSEWHERE_H

#include "coordinator/decide/policy.h"

struct elsewhere { // lives in the arena given, for one look
    struct core *core;
    struct arena *arena;
    struct free_space space;
    bool *taken;                 // by place: something was promised its space
    const struct pod **headroom; // pieces that have room now
    uint32_t *headroom_places;   // where
    uint32_t headroom_count;
    int32_t *allowance; // by PodDisruptionBudget: disruptions left after what leaves already and was kept
    uint32_t *stamps, *found, stamp; // private: which budgets were met last
};
// `coming`: machines on their way are places, too.
struct elsewhere elsewhere_create(struct core *core, struct arena *arena, bool coming);

// A set of nodes taken away together. Keep it, or undo it (with all that was put after it) before the next
// one.
struct leave {
    struct node *const *nodes;
    uint32_t node_count;
    const struct pod **pods; // that count, of all nodes, largest first
    uint32_t *places;        // where each goes, UINT32_MAX: nowhere
    uint32_t pod_count, placed;
    uint32_t *headroom_places; // where the headroom goes; a piece that had room there and has none elsewhere
                               // is one of `pods` without a place
    struct packing_mark mark;  // before it
    char miss[240];            // the first pod without a place and the nearest miss; only when asked for
};
// Their pods are put on other places, one after the other, as far as they fit; `all` stops at the first that
// does not. `nodes` must last as long as the leave.
struct leave elsewhere_leave(struct elsewhere *elsewhere, struct node *const *nodes, uint32_t count, bool all,
                             bool say_miss);
void elsewhere_undo(struct elsewhere *elsewhere, const struct leave *leave);
void elsewhere_keep(struct elsewhere *elsewhere, const struct leave *leave);

// Was the node's own space promised to a waiting pod, or to pods of a node that leaves?
bool elsewhere_needs(const struct elsewhere *elsewhere, const struct node *node);
// One disruption of each PodDisruptionBudget that selects a pod of these nodes: false, and nothing spent,
// when one of them has none left.
bool elsewhere_spend(struct elsewhere *elsewhere, struct node *const *nodes, uint32_t count);
void elsewhere_refund(struct elsewhere *elsewhere, struct node *const *nodes, uint32_t count);

#endif

// What this room is for: which shapes of pods may a label selector select, without a look at every shape.
// What it knows: shapes by the value of a label, one label after the other as they are asked for. What it may
// not do: decide that a selector matches.
#ifndef VPSIE_COORDINATOR_SCHEDULE_SHAPE_INDEX_H
#define VPSIE_COORDINATOR_SCHEDULE_SHAPE_INDEX_H

#include "coordinator/model/cluster.h"
#include "coordinator/schedule/lookup.h"

struct shape_list {
    const struct pod_shape **items;
    uint32_t count, capacity;
};

struct shape_index {
    struct arena *arena;
    const struct strings *strings; // of the cluster: the labels of its shapes are compared by pointer
    struct shape_list all;         // of the cluster
    struct shape_list strangers;   // made by hand
    struct shape_label *labels;    // those that were asked for
};

struct shape_index *shape_index_create(struct arena *arena, const struct cluster *cluster);
// A shape that is not the cluster's own.
void shape_index_add(struct shape_index *index, const struct pod_shape *shape);
// Lists that together hold every shape that the selector may select, none of them twice: the shortest that a
// single requirement gives. Writes at most SHAPE_LISTS_MAX.
#define SHAPE_LISTS_MAX 64u
uint32_t shape_index_candidates(struct shape_index *index, const struct selector *selector,
                                const struct shape_list **lists);

#endif

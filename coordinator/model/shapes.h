// What this room is for: one copy of what equal pods ask for. What it knows: two levels: a kind is all that
// the pod itself asks for, its terms about other pods included; a shape is a kind with labels and a
// namespace, by which the terms of others find it; pods of a StatefulSet differ in labels only. What it may
// not do: know pods.
#ifndef VPSIE_COORDINATOR_MODEL_SHAPES_H
#define VPSIE_COORDINATOR_MODEL_SHAPES_H

#include "coordinator/model/cluster.h"
#include "coordinator/model/keep.h"
#include "coordinator/model/table.h"

struct pod_kind {
    struct pod_shape_facts facts; // without labels
    uint64_t hash;
    uint32_t references; // shapes
    uint32_t id;
    struct keep *keep;
};

struct shapes { // zero-initialise, but for the strings
    struct strings *strings;
    struct table shapes, kinds;
    uint32_t last_shape_id, last_kind_id;
};

// The one shape of these facts in this namespace, with a reference for the caller.
struct pod_shape *shapes_hold(struct shapes *shapes, const char *space, const struct pod_shape_facts *facts);
void shapes_release(struct shapes *shapes, struct pod_shape *shape);
void shapes_free(struct shapes *shapes); // every shape must have been released

#endif

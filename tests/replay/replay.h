// What this room is for: does a plan keep its promise? It is played again by the world's own scheduler, which
// shares no line with the one that planned. What it knows: the model before the plan, the machines that the
// plan brings, the nodes that it takes, the pods that it promised a place. What it may not do: change the
// model, or believe the plan.
#ifndef VPSIE_TESTS_REPLAY_REPLAY_H
#define VPSIE_TESTS_REPLAY_REPLAY_H

#include "common/text.h"
#include "coordinator/schedule/placement.h"

#define REPLAY_ANYWHERE UINT32_MAX // the scheduler chooses
struct replay_promise {
    const struct pod *pod; // waiting, or on a node that leaves
    // Where it was planned: a machine of the plan (by index), or this node of the cluster (then machine is
    // REPLAY_ANYWHERE); neither: the scheduler chooses.
    uint32_t machine;
    const struct node *node;
};
struct replay_plan {
    const struct cluster *cluster; // as it was when the plan was made; its other waiting pods stay out of it
    const struct place *const *machines; // one entry a machine: its template, before any pod of the plan
    uint32_t machine_count;
    const struct node *const *leaving; // with all their pods, promised or not
    uint32_t leaving_count;
    const struct replay_promise *promises;
    uint32_t promise_count;
    // What does not fit where it was planned, once nothing moves any more, may go anywhere, as the scheduler
    // would have it: machines join one after the other, so that the last ones are in nobody's picture before.
    bool elsewhere;
    // Machines join in their order, each when nothing moves any more, instead of all together.
    bool one_by_one;
};

// How many promised pods could not be placed, 0: the plan holds. A pod that fits nowhere yet is tried again
// after the others, as long as anything moves. `told` (may be NULL) gets one line for each that is left: who,
// where it was planned, and what the scheduler says. Documents are made of everything: meant for clusters of
// hundreds of nodes and thousands of pods.
uint32_t replay_run(const struct replay_plan *plan, struct text *told);

#endif

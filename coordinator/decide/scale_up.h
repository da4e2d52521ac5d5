// What this room is for: what the files scale_up*.c share: one look at pods that wait, at the sizes that
// groups can get, and what comes of it. What it knows: policy, choose. What it may not do: be included
// outside scale_up*.c.
#ifndef VPSIE_COORDINATOR_DECIDE_SCALE_UP_H
#define VPSIE_COORDINATOR_DECIDE_SCALE_UP_H

#include "coordinator/decide/choose.h"
#include "coordinator/decide/policy.h"

struct size { // machines of one size in one group
    uint32_t candidate;
    int64_t size_id;
    struct template_node made;
    uint32_t tier;         // 0: preferred, or nothing is preferred
    const char *set_aside; // why it is not to be had now, "" when it is
    const char *doubt;     // why others are to be had rather, "" when it is as good as they
    uint32_t ordered;      // in this look
};

struct candidate { // a group in this look
    struct group *group;
    struct growth growth;
    uint32_t first_size, size_count;
    bool one_size;
    bool asked_again; // for its growth, after this look's orders
    uint32_t ordered; // in this look
    double spent;     // what these cost an hour
    uint32_t pods;    // waiting pods dealt to its machines, or that only a limit keeps from it
    uint32_t limited; // of those: that only a limit keeps from it
    int64_t pods_since_ms;
};

struct look {
    struct core *core;
    struct arena *arena;
    bool write;
    struct free_space space;
    const struct pod **pods;
    uint32_t count;
    uint32_t *left; // indices into pods: those that have no place yet
    uint32_t left_count;
    struct candidate *candidates;
    uint32_t candidate_count;
    struct size *sizes;
    uint32_t size_count;
    bool sizes_made;                 // templates of all sizes are there
    uint32_t shared_room;            // machines of all groups together that limits leave
    uint32_t room_now;               // and of those, how many may be on their way at once
    struct policy_promise *promises; // made in this look
    uint32_t promise_count;
    struct resources free; // once all that fit were dealt out
    uint32_t events;
    uint32_t helpless;
    int64_t oldest_helpless_ms;
};

// ---- scale_up.c
// At most so many machines of the size may be ordered now.
uint32_t look_room(const struct look *look, const struct size *size);
// Order machines of a size: decided, recorded, and carried out when that is allowed. Returns the decision's
// id.
struct decision *look_order(struct look *look, struct size *size, uint32_t machines, const char *reason);
void look_due_at(struct look *look, int64_t due_ms); // look again then; 0: not by time

// ---- scale_up_sizes.c: which sizes there are
void look_list_sizes(struct look *look);
// The same with templates: only once something is to be planned.
void look_make_sizes(struct look *look);
// The size for a machine that no pod asks for; NULL when none is to be had.
struct size *look_size_in_use(struct look *look, struct candidate *candidate); // of most of its machines
struct size *look_size_for_minimum(struct look *look, struct candidate *candidate);
const char *look_size_name(struct look *look, const struct size *size);

// ---- scale_up_deal.c: pods on what is there, or on its way
void look_deal(struct look *look);
void look_say_of_pod(struct look *look, const struct pod *pod, const char *text, uint64_t decision_id);
void look_count_for(struct candidate *candidate, const struct pod *pod);

// This pod is meant for the n-th machine of the decision.
void look_promise(struct look *look, const struct pod *pod, uint64_t decision_id, uint32_t machine);
void look_keep_promises(struct look *look); // until the next look

// ---- scale_up_plan.c: machines for the pods that are left
void look_order_for_pods(struct look *look);
// And for what --headroom keeps free; after all pods.
void look_order_headroom(struct look *look);

// And for groups whose measured use stays above their thresholds.
void look_order_for_use(struct look *look);

// ---- dynamic.c
// No group can ever help this pod: makes one that could, when that is wanted and possible.
void look_make_group(struct look *look, const struct pod *pod);

// ---- scale_up_miss.c: pods that nothing helps
void look_say_helpless(struct look *look);

#endif

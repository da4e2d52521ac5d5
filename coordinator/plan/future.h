// What this room is for: a core that lives ahead of the clock: it decides in a dry run, and what it decides
// is taken as done: machines come, pods settle, nodes go. What it knows: the core, the picture it began with.
// What it may not do: wait, or reach anything outside.
#ifndef VPSIE_COORDINATOR_PLAN_FUTURE_H
#define VPSIE_COORDINATOR_PLAN_FUTURE_H

#include "coordinator/decide/core.h"
#include "coordinator/plan/cloud.h"
#include "coordinator/plan/source.h"

struct foreseen { // one decision and what came of it
    int64_t at_ms;
    uint64_t id;
    const char *kind, *group, *summary, *reason; // in the arena
    const char *creation_reason;
    bool recommended; // waits for an approval: not taken as done
    uint32_t machines;
    int64_t size_id;
    const char *const *leaving;
    uint32_t leaving_count;
    uint32_t pods_placed;    // waiting pods that found a place on what came
    double price_hour_after; // of the whole cluster
};

struct pod_facts_of { // what a pod was read as
    const char *uid;
    const struct pod_facts *facts;
};

struct future {
    struct arena *arena; // of the future itself
    struct core *core;
    struct commands *out;
    uint32_t looked_at; // commands answered so far
    int64_t now_ms, begin_ms, settled_ms;
    const struct source *source;
    struct cloud_picture picture;
    struct pod_facts_of *pods; // sorted by uid
    uint32_t pod_count;
    uint64_t decisions_seen, reports;
    uint32_t machines_made;
    struct foreseen *seen;
    uint32_t seen_count, seen_capacity;
    uint32_t refused; // objects that could not be read
    char refused_why[600];
};

// At most so many decisions are carried out: who decides more does not come to rest.
#define FUTURE_DECISIONS_MAX 10000u

// The core with everything that the source holds, leading, its first decisions still to come. `offers` may be
// NULL. The source must outlive it.
struct future *future_create(const struct source *source, const struct core_config *config,
                             const cJSON *offers);
void future_destroy(struct future *future);
// Live on until then; every decision made on the way is carried out at once and kept in `seen`.
void future_live(struct future *future, int64_t until_ms);

#endif

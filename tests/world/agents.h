// What this room is for: the agents, as the coordinator would hear them: one a node, measuring what the pods
// do, answering directives, silent or lying when told to. What it knows: facts, the world's pods. What it may
// not do: speak on the wire (real agents do that), decide.
#ifndef VPSIE_TESTS_WORLD_AGENTS_H
#define VPSIE_TESTS_WORLD_AGENTS_H

#include "common/arena.h"
#include "coordinator/model/facts.h"
#include "tests/world/world.h"

struct agent_directive { // PREPARE_DRAIN that is open; id "" when none
    char id[128];
    int64_t deadline_ms;
    char **pod_uids, **ignore_uids, **ignore_volumes;
    uint32_t pod_uid_count, ignore_uid_count, ignore_volume_count;
};
struct agent_model {
    char node_name[80];
    char start_id[37];
    uint64_t sequence;
    struct agent_directive directive;
    int64_t interval_ms;
    // What is wrong with it, for a story
    bool silent;
    bool deaf;           // reports, and never hears a directive
    uint32_t inhibitors; // files that hold a drain: BLOCKED, or BUSY when they expire
    bool inhibitors_expire;
    bool only_directives; // what is forced is the answer to a directive, not the node's own verdict
    bool forced;          // every verdict is `state`
    enum evidence_state state;
    int64_t answer_delay_ms; // a directive is answered only so long after it came
    int64_t directive_since_ms;
};
struct agents {
    struct agent_model **items; // in order of first use
    size_t count;
};

struct agents *agents_create(void);
void agents_destroy(struct agents *agents);
struct agent_model *agent_of(struct world *world, const char *node_name); // made on first use
// A new process: new start id, sequence from one, directives forgotten.
void agent_restart(struct world *world, const char *node_name);
// Does it run now and is it willing to speak?
bool agent_speaks(struct world *world, const char *node_name);
int64_t agent_interval_ms(struct world *world, const char *node_name);
// What it measures and answers now; everything in the arena.
struct agent_report_facts *agent_report(struct world *world, const char *node_name, struct arena *arena);

struct agent_orders { // the parts of a directive, borrowed
    const char *id;
    int64_t deadline_ms;
    const char *const *pod_uids, *const *ignore_uids, *const *ignore_volumes;
    uint32_t pod_uid_count, ignore_uid_count, ignore_volume_count;
};
void agent_prepare_drain(struct world *world, const char *node_name, const struct agent_orders *orders);
void agent_cancel_drain(struct world *world, const char *node_name, const char *id);

#endif

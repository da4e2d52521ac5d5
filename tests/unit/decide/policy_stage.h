// What this room is for: a core with a small cluster made by hand, for tests of policy. What it knows: facts.
// What it may not do: decide anything itself.
#ifndef VPSIE_TESTS_POLICY_STAGE_H
#define VPSIE_TESTS_POLICY_STAGE_H

#include "coordinator/decide/policy.h"

#define STAGE_MIB        ((int64_t)1 << 20)
#define STAGE_START_MS   ((int64_t)1767225600000) // 2026-01-01T00:00:00Z
#define STAGE_DATACENTER "dc-1"
#define STAGE_CLUSTER    "vpsie-cluster"
#define STAGE_LARGE      100

struct stage {
    struct core *core;
    struct commands *out; // of every step since stage_forget()
    int64_t now_ms;
    uint64_t sequence;
    uint32_t looked_at;  // commands that were answered, or need no answer
    bool status_by_hand; // writes of a NodeGroup's status are answered by the test, not at once
};

// Leading, taken over, synced, VPSie's lists answered at once; delays after changes are 0. Size 10 ("small":
// 4 cpu, 8 GiB, $0.05) and size 20
// ("large": 8 cpu, 16 GiB, $0.09) are on offer, of which 3.5 cpu and 7 GiB, 7.5 cpu and 15 GiB are
// allocatable.
struct stage *stage_create(void);
void stage_destroy(struct stage *stage);
void stage_step(struct stage *stage, struct event *event); // takes the event over
void stage_wait(struct stage *stage, int64_t ms);          // with every timer on the way
void stage_forget(struct stage *stage);

// An event with facts in which nothing is NULL; the caller changes what it wants and hands it to
// stage_step().
struct event *stage_group_event(struct stage *stage, const char *name, int32_t min, int32_t max);
struct event *stage_node_event(struct stage *stage, const char *name, int64_t cpu_millis, int64_t mib);
struct event *stage_intention_event(struct stage *stage, const char *name, const char *group);
struct event *stage_pod_event(struct stage *stage, const char *name, const char *node, int64_t cpu_millis,
                              int64_t mib);
struct event *stage_report_event(struct stage *stage, const char *node);
struct event *stage_budget_event(struct stage *stage, const char *name, const char *app, int32_t allowed);
struct event *stage_config_event(struct stage *stage);
void stage_label(struct event *event, struct labels *labels, const char *key, const char *value);
void stage_taint(struct event *event, struct taints *taints, const char *key, enum taint_effect effect);

// The usual ones at once.
struct group *stage_group(struct stage *stage, const char *name, int32_t min, int32_t max);
struct node *stage_machine(struct stage *stage, const char *node,
                           const char *group); // in service, agent heard
// The same of either size; large ones only in a group that may have both (no kubeSizeID, offerings "10",
// "20").
struct node *stage_machine_of(struct stage *stage, const char *node, const char *group, bool large);
void stage_waiting(struct stage *stage, const char *prefix, uint32_t count, int64_t cpu_millis, int64_t mib);
void stage_running(struct stage *stage, const char *name, const char *node, int64_t cpu_millis, int64_t mib);
void stage_reports(struct stage *stage); // every agent speaks

const struct pod *stage_pod(struct stage *stage, const char *name);
// Of the orders and removals that were decided.
const struct decision *stage_last(struct stage *stage); // NULL when none
uint64_t stage_decisions(struct stage *stage);
uint32_t stage_coming(struct stage *stage, const char *group);
uint32_t stage_leaving(struct stage *stage);
bool stage_leaves(struct stage *stage, const char *node);
uint32_t stage_count(struct stage *stage, enum command_kind kind);
const struct command *stage_find(struct stage *stage, enum command_kind kind); // the last one

#endif

// What this room is for: the core: one state, one step. Same events → same commands, byte for byte.
// What it knows: the model, the schedule, all policy. What it may not do: any system call, clock, thread,
// randomness that is not seeded; it never waits.
#ifndef VPSIE_COORDINATOR_DECIDE_CORE_H
#define VPSIE_COORDINATOR_DECIDE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/decide/command.h"
#include "coordinator/decide/event.h"
#include "coordinator/decide/expander.h"
#include "coordinator/decide/headroom.h"
#include "coordinator/model/cluster.h"

#define CORE_STARTUP_TAINTS_MAX 16

// Durations in milliseconds. core_config_default() is the place where each default is stated with its reason.
struct core_config {
    const char *identity;            // who we are in notes and VPSieNode names' seed
    const char *own_space, *own_pod; // the pod that it runs in; NULL or "": in none
    uint64_t seed;
    bool dry_run;
    bool wait_for_resume;            // --wait-for-resume: dry run until an operator's `resume`, once a Lease
    bool allow_predecessor;          // --adopt-predecessor: do not start in dry run beside its VPSieNodes
    int64_t burst_quiet_ms;          // 200: a burst of pending pods ends after so much quiet
    int64_t burst_max_ms;            // 700
    int64_t http_timeout_ms;         // 30 s: of one VPSie call
    int64_t appearance_bound_ms;     // 15 min
    int64_t provision_limit_ms;      // 10 min
    int64_t join_limit_ms;           // 15 min
    int64_t failed_ttl_ms;           // 30 min; 0: for ever
    int64_t drain_ready_limit_ms;    // BUSY may last so long: 5 min
    int64_t drain_progress_ms;       // no eviction succeeded for so long: 10 min
    int64_t max_graceful_ms;         // 600 s
    int64_t load_balancer_settle_ms; // 30 s after the cordon
    int64_t detach_limit_ms;         // VolumeAttachments gone: 6 min
    int64_t agent_silent_ms;         // an agent not heard for so long is silent: 60 s
    int64_t node_ready_timeout_ms;   // 10 min after it had been Ready (AutoscalerConfig may say otherwise)
    int64_t never_ready_timeout_ms;  // 20 min
    int64_t machines_every_ms;       // VPSie list upkeep when idle: 60 s
    int64_t machines_busy_ms;        // while orders or removals are open: 5 s
    int64_t delay_after_add_ms, delay_after_delete_ms,
        delay_after_failure_ms;             // voluntary removals: 10 min, 0, 3 min
    int64_t unready_agents_window_ms;       // "most agents fall silent within": 5 min
    int32_t expendable_priority_cutoff;     // pods below are no reason for a machine and no obstacle: -10
    bool skip_kube_system_pods;             // kube-system pods without a budget keep their node: true
    enum expander expander;                 // what counts when several sets of machines would do: the price
    struct headroom headroom[HEADROOM_MAX]; // kept free as if pods asked for it
    int32_t headroom_count;
    bool scale_down_enabled;
    int64_t billing_period_ms;  // 0: machines are paid by the moment
    int64_t expire_after_ms;    // nodes older than this are replaced; 0: never
    bool replace_drifted;       // nodes that no longer match their group are replaced: true
    int32_t max_empty_removals; // nodes removed at once when no AutoscalerConfig limits it: 10
    const char *startup_taints[CORE_STARTUP_TAINTS_MAX]; // besides not-ready, uninitialized; prefix match
                                                         // with trailing '*'
    int32_t startup_taint_count;
};
struct core_config core_config_default(void);

struct core;
struct core *core_create(const struct core_config *config);
void core_destroy(struct core *core);

// Feed one event (not taken over); commands are appended to `out`. event->now_ms must not go back.
void core_step(struct core *core, const struct event *event, struct commands *out);
// When the core wants an EVENT_TIMER at the latest (Unix ms); INT64_MAX: never.
int64_t core_next_wake_ms(const struct core *core);

#endif

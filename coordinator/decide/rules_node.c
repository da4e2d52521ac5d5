#include <stdio.h>
#include <string.h>

#include "coordinator/decide/disruption.h"
#include "coordinator/decide/moves.h"
#include "coordinator/decide/rules.h"

// Rules about the node itself. What its pods say is in rules_pods.c.

static const char *named(const struct labels *labels, const char *key, const char *value)
{
    const char *found = labels_get(labels, key);
    return found != NULL && strcmp(found, value) == 0 ? key : NULL;
}

static void rule_managed(struct node_case *seen, struct answer *answer)
{
    bool ours = seen->intention != NULL && seen->group != NULL && seen->group->facts.managed;
    answer->verdict = ours ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%s",
               ours                      ? seen->group->facts.name
               : seen->intention == NULL ? "no VPSieNode: not ours"
                                         : "its NodeGroup is not managed");
    ANSWER_SAY(answer, limit, "a NodeGroup");
    ANSWER_SAY(answer, change, "nothing: only machines of a managed NodeGroup are ever removed");
}

static void rule_in_service(struct node_case *seen, struct answer *answer)
{
    bool leaving = seen->intention != NULL && seen->intention->facts.deletion_ms != 0;
    bool ready = seen->life != NULL && seen->life->step == LIFE_READY && !leaving;
    answer->verdict = ready ? RULE_PASS : RULE_WAITS;
    ANSWER_SAY(answer, saw, "%s",
               leaving              ? "its VPSieNode is being deleted"
               : seen->life == NULL ? "unknown"
                                    : life_step_name(seen->life->step));
    ANSWER_SAY(answer, limit, "%s", life_step_name(LIFE_READY));
    ANSWER_SAY(answer, change, "passes when the machine is in service");
}

// What VPSie does not list, it cannot be asked to delete.
static void rule_listed(struct node_case *seen, struct answer *answer)
{
    bool listed = life_machine_listed(seen->node);
    answer->verdict = listed ? RULE_PASS : RULE_WAITS;
    ANSWER_SAY(answer, saw, "%s", listed ? "yes" : "no");
    ANSWER_SAY(answer, limit, "yes");
    ANSWER_SAY(answer, change, "passes when VPSie lists the machine");
}

// What replaces a node takes none away: it needs no scale down.
static void rule_enabled(struct node_case *seen, struct answer *answer)
{
    bool replaced = seen->reason == DISRUPTION_REPLACEMENT;
    bool group = seen->group != NULL && (replaced || seen->group->facts.scale_down.enabled);
    bool all = replaced || seen->core->config.scale_down_enabled;
    bool paused = seen->group != NULL && policy_group_paused(seen->group);
    bool valid = seen->group != NULL && seen->group->facts.invalid[0] == '\0';
    answer->verdict = group && all && valid && !paused ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%s",
               !all     ? "disabled by a flag"
               : !group ? "disabled for the group"
               : paused ? "group is paused"
               : !valid ? "the group's spec is invalid"
                        : "enabled");
    ANSWER_SAY(answer, limit, "enabled");
    ANSWER_SAY(answer, change, "%s",
               !all     ? "start without --no-scale-down"
               : paused ? "remove the annotation " KEY_PAUSED " from the NodeGroup"
               : !valid ? "correct the NodeGroup's spec"
                        : "set scaleDownPolicy.enabled to true");
}

static void rule_brakes(struct node_case *seen, struct answer *answer)
{
    const char *why = "";
    bool allowed = life_removals_allowed(seen->core, &why);
    answer->verdict = allowed ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%s", allowed ? "none" : why);
    ANSWER_SAY(answer, limit, "none");
    ANSWER_SAY(answer, change, "see `vpsie-coordinator status`");
}

static void rule_minimum(struct node_case *seen, struct answer *answer)
{
    int32_t minimum = seen->group != NULL ? policy_minimum(seen->group) : 0;
    uint32_t ready = seen->group != NULL ? life_counts(seen->core, seen->group).sound : 0;
    answer->verdict = (int64_t)ready > (int64_t)minimum ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%u", ready);
    ANSWER_SAY(answer, limit, "%d", minimum);
    ANSWER_SAY(answer, change, "lower minNodes");
}

// Nobody may touch these. Annotations and labels of the node.
static void rule_protection(struct node_case *seen, struct answer *answer)
{
    const struct node *node = seen->node;
    const char *key = named(&node->annotations, KEY_CA_SCALE_DOWN_DISABLED, "true");
    if (key == NULL)
        key = named(&node->annotations, KEY_PROTECTED, "true");
    if (key == NULL)
        key = named(&node->annotations, KEY_SCALE_DOWN, "disabled");
    if (key == NULL)
        key = named(&node->labels, KEY_SCALE_DOWN_DISABLED, "true");
    answer->verdict = key == NULL ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%s", key == NULL ? "none" : key);
    ANSWER_SAY(answer, limit, "none");
    ANSWER_SAY(answer, change, "remove %s from the node", key == NULL ? "" : key);
}

// A person's cordon is a person's business.
static void rule_cordon(struct node_case *seen, struct answer *answer)
{
    bool theirs = seen->node->unschedulable && labels_get(&seen->node->annotations, KEY_CORDONED_BY) == NULL;
    answer->verdict = theirs ? RULE_BLOCKS : RULE_PASS;
    ANSWER_SAY(answer, saw, "%s", theirs ? "cordoned by somebody else" : "no");
    ANSWER_SAY(answer, limit, "no");
    ANSWER_SAY(answer, change, "kubectl uncordon %s", seen->node->name);
}

static void rule_hours(struct node_case *seen, struct answer *answer)
{
    const char *hours = labels_get(&seen->node->annotations, KEY_SCALE_DOWN_ALLOWED_HOURS);
    int minute = (int)(seen->core->now_ms / 60000 % 1440);
    int allowed = hours == NULL ? 1 : policy_hours_allow(hours, minute);
    answer->verdict = allowed == 1 ? RULE_PASS : allowed == 0 ? RULE_WAITS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%02d:%02d UTC", minute / 60, minute % 60);
    if (allowed < 0) {
        ANSWER_SAY(answer, limit, "not readable: %.40s", hours);
        ANSWER_SAY(answer, change, "write %s as HH:MM-HH:MM[,HH:MM-HH:MM] (UTC)",
                   KEY_SCALE_DOWN_ALLOWED_HOURS);
        return;
    }
    ANSWER_SAY(answer, limit, "%.60s", hours == NULL ? "any hour" : hours);
    ANSWER_SAY(answer, change, "passes by itself; annotation %s", KEY_SCALE_DOWN_ALLOWED_HOURS);
}

// The predecessor removes only what it made for load; nodes made by consolidation are ours to move again.
static void rule_reason(struct node_case *seen, struct answer *answer)
{
    const char *reason = labels_get(&seen->node->annotations, KEY_CREATION_REASON);
    if (reason == NULL && seen->intention != NULL)
        reason = labels_get(&seen->intention->facts.annotations, KEY_CREATION_REASON);
    bool free_to_go = reason == NULL || reason[0] == '\0' || strcmp(reason, "metrics") == 0 ||
                      strcmp(reason, "rebalance") == 0;
    answer->verdict = free_to_go ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%.60s", reason == NULL ? "none" : reason);
    ANSWER_SAY(answer, limit, "none, metrics, rebalance");
    ANSWER_SAY(answer, change, "remove the annotation %s", KEY_CREATION_REASON);
}

static bool wait_until(struct node_case *seen, struct answer *answer, int64_t due_ms)
{
    if (due_ms <= seen->core->now_ms)
        return false;
    answer->verdict = RULE_WAITS;
    answer->due_ms = due_ms;
    return true;
}

static void say_since(struct node_case *seen, struct answer *answer, const char *what, int64_t at_ms,
                      int64_t limit_ms)
{
    if (answer->words == NULL)
        return;
    char since[32], limit[32];
    policy_duration(since, sizeof(since), seen->core->now_ms - at_ms);
    policy_duration(limit, sizeof(limit), limit_ms);
    ANSWER_SAY(answer, saw, "%s %s ago", what, since);
    ANSWER_SAY(answer, limit, "%s", limit);
    ANSWER_SAY(answer, change, "passes by itself");
}

// Delays after a machine was added, deleted or failed: the cluster settles first.
static void rule_settled(struct node_case *seen, struct answer *answer)
{
    const struct core *core = seen->core;
    const struct {
        const char *what;
        int64_t at_ms, delay_ms;
    } delays[] = {
        {"added", core->last_added_ms, core->config.delay_after_add_ms},
        {"deleted", core->last_deleted_ms, core->config.delay_after_delete_ms},
        {"failed", core->last_failed_ms, core->config.delay_after_failure_ms},
    };
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "quiet");
    ANSWER_SAY(answer, limit, "quiet");
    int64_t latest_ms = 0;
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        int64_t due_ms = delays[i].at_ms + delays[i].delay_ms;
        if (delays[i].at_ms == 0 || delays[i].delay_ms <= 0 || due_ms <= latest_ms)
            continue;
        if (wait_until(seen, answer, due_ms)) {
            latest_ms = due_ms;
            say_since(seen, answer, delays[i].what, delays[i].at_ms, delays[i].delay_ms);
        }
    }
}

static void rule_cooldown(struct node_case *seen, struct answer *answer)
{
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "none");
    ANSWER_SAY(answer, limit, "none");
    if (seen->group == NULL)
        return;
    const struct group_life *life = group_life(seen->core, seen->group);
    int64_t last_ms = life->last_scale_down_ms;
    if (seen->group->facts.status_last_scale_down_ms > last_ms)
        last_ms = seen->group->facts.status_last_scale_down_ms;
    int64_t cooldown_ms = seen->group->facts.scale_down.cooldown_seconds * 1000;
    int64_t due_ms = last_ms == 0 ? 0 : last_ms + cooldown_ms;
    const struct config_facts *config = seen->core->cluster->config;
    int64_t any_ms = seen->core->policy->last_removal_ms;
    if (config != NULL && any_ms > 0 && any_ms + config->scale_down_cooldown_seconds * 1000 > due_ms) {
        last_ms = any_ms;
        cooldown_ms = config->scale_down_cooldown_seconds * 1000;
        due_ms = last_ms + cooldown_ms;
    }
    if (last_ms > 0 && cooldown_ms > 0)
        say_since(seen, answer, "removed", last_ms, cooldown_ms);
    (void)wait_until(seen, answer, due_ms);
}

static void rule_given_up(struct node_case *seen, struct answer *answer)
{
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "no");
    ANSWER_SAY(answer, limit, "no");
    if (seen->life == NULL || !wait_until(seen, answer, seen->life->not_before_ms) || answer->words == NULL)
        return;
    char left[32];
    policy_duration(left, sizeof(left), seen->life->not_before_ms - seen->core->now_ms);
    ANSWER_SAY(answer, saw, "%s", seen->life->held[0] != '\0' ? seen->life->held : "given up before");
    ANSWER_SAY(answer, limit, "again in %s", left);
    ANSWER_SAY(answer, change, "remove what held it; it is tried again by itself");
}

static void rule_agent(struct node_case *seen, struct answer *answer)
{
    const struct agent *agent = seen->node->agent;
    int64_t limit_ms = seen->core->config.agent_silent_ms;
    int64_t silent_ms = agent == NULL ? INT64_MAX : seen->core->now_ms - agent->heard_ms;
    answer->verdict = silent_ms <= limit_ms ? RULE_PASS : RULE_BLOCKS;
    if (answer->words == NULL)
        return;
    char silent[32], limit[32];
    policy_duration(silent, sizeof(silent), agent == NULL ? 0 : silent_ms);
    policy_duration(limit, sizeof(limit), limit_ms);
    ANSWER_SAY(answer, saw, agent == NULL ? "never heard%.0s" : "heard %s ago", silent);
    ANSWER_SAY(answer, limit, "%s", limit);
    ANSWER_SAY(answer, change, "see that vpsie-agent runs on %s and reaches the coordinator",
               seen->node->name);
}

static const struct scale_policy_facts *policy_of(const struct node_case *seen)
{
    static const struct scale_policy_facts NONE = {0};
    return seen->group != NULL ? &seen->group->facts.scale_down : &NONE;
}

// Both under their thresholds by what pods ask for, for the whole window; the window also breaks when the
// measured use rises over a threshold (policy_node_window).
static void rule_requests(struct node_case *seen, struct answer *answer)
{
    const struct scale_policy_facts *policy = policy_of(seen);
    struct node_use use = policy_node_use(seen->node);
    bool under = use.cpu_requested >= 0 && use.memory_requested >= 0 &&
                 use.cpu_requested < policy->cpu_threshold_percent &&
                 use.memory_requested < policy->memory_threshold_percent;
    int64_t since_ms = seen->node->underused_since_ms;
    int64_t window_ms = policy->stabilization_seconds * 1000;
    answer->verdict = under ? RULE_PASS : RULE_BLOCKS;
    if (under && since_ms == 0)
        answer->verdict = RULE_WAITS; // the measured use holds the window open
    if (under && since_ms > 0)
        (void)wait_until(seen, answer, since_ms + window_ms);
    if (answer->words == NULL)
        return;
    char lasted[40] = "", window[32];
    if (since_ms > 0) {
        char duration[32];
        policy_duration(duration, sizeof(duration), seen->core->now_ms - since_ms);
        snprintf(lasted, sizeof(lasted), " for %s", duration);
    }
    policy_duration(window, sizeof(window), window_ms);
    ANSWER_SAY(answer, saw, "cpu %.0f%% mem %.0f%%%s", use.cpu_requested, use.memory_requested, lasted);
    if (policy->cpu_threshold_percent == policy->memory_threshold_percent)
        ANSWER_SAY(answer, limit, "%d%% %s", policy->cpu_threshold_percent, window);
    else
        ANSWER_SAY(answer, limit, "%d/%d%% %s", policy->cpu_threshold_percent,
                   policy->memory_threshold_percent, window);
    ANSWER_SAY(answer, change, "%s",
               under ? "passes by itself"
                     : "fewer requests on the node, or a higher scaleDownPolicy threshold");
}

static void rule_measured(struct node_case *seen, struct answer *answer)
{
    const struct scale_policy_facts *policy = policy_of(seen);
    struct node_use use = policy_node_use(seen->node);
    bool known = use.cpu_used >= 0 && use.memory_used >= 0;
    bool under = known && use.cpu_used < policy->cpu_threshold_percent &&
                 use.memory_used < policy->memory_threshold_percent;
    answer->verdict = under ? RULE_PASS : RULE_BLOCKS;
    if (known)
        ANSWER_SAY(answer, saw, "cpu %.0f%% mem %.0f%%", use.cpu_used, use.memory_used);
    else
        ANSWER_SAY(answer, saw, "not known");
    if (policy->cpu_threshold_percent == policy->memory_threshold_percent)
        ANSWER_SAY(answer, limit, "%d%%", policy->cpu_threshold_percent);
    else
        ANSWER_SAY(answer, limit, "%d/%d%%", policy->cpu_threshold_percent, policy->memory_threshold_percent);
    ANSWER_SAY(answer, change, "%s",
               known ? "less load on the node, or a higher scaleDownPolicy threshold"
                     : "an agent that can read the host's use");
}

// Averages can look idle while pods queue for the machine. Percent of time over 60 s (kernel, Documentation/
// accounting/psi.rst): some of them waited for a CPU, or all of them at once for memory or storage.
#define PRESSURE_CPU_SOME_PERCENT    40.0
#define PRESSURE_MEMORY_FULL_PERCENT 5.0
#define PRESSURE_IO_FULL_PERCENT     30.0
static void rule_pressure(struct node_case *seen, struct answer *answer)
{
    const struct agent *agent = seen->node->agent;
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "%s", "not measured");
    ANSWER_SAY(answer, limit, "cpu %.0f mem %.0f io %.0f", PRESSURE_CPU_SOME_PERCENT,
               PRESSURE_MEMORY_FULL_PERCENT, PRESSURE_IO_FULL_PERCENT);
    if (agent == NULL)
        return;
    double cpu = agent->pressure_cpu_some60, memory = agent->pressure_memory_full60,
           io = agent->pressure_io_full60;
    if (cpu > PRESSURE_CPU_SOME_PERCENT || memory > PRESSURE_MEMORY_FULL_PERCENT ||
        io > PRESSURE_IO_FULL_PERCENT)
        answer->verdict = RULE_WAITS;
    if (cpu >= 0 || memory >= 0 || io >= 0)
        ANSWER_SAY(answer, saw, "cpu %.0f mem %.0f io %.0f", cpu < 0 ? 0 : cpu, memory < 0 ? 0 : memory,
                   io < 0 ? 0 : io);
    ANSWER_SAY(answer, change, "passes when the pressure does");
}

// A machine is paid for whole periods: what is left of one that has begun would be thrown away.
static void rule_paid_period(struct node_case *seen, struct answer *answer)
{
    int64_t period_ms = seen->core->config.billing_period_ms;
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "none");
    ANSWER_SAY(answer, limit, "none");
    if (period_ms <= 0 || seen->intention == NULL)
        return;
    int64_t left_ms = policy_paid_left_ms(seen->core, seen->node);
    bool idle = seen->reason == DISRUPTION_EMPTY || seen->reason == DISRUPTION_UNDERUSED;
    int64_t lead_ms = idle || seen->begun ? 0 : MOVE_LEAD_MS; // machines come first
    (void)wait_until(seen, answer, seen->core->now_ms + left_ms - POLICY_PAID_WINDOW_MS - lead_ms);
    if (answer->words == NULL)
        return;
    char left[32], window[32];
    policy_duration(left, sizeof(left), left_ms);
    policy_duration(window, sizeof(window), POLICY_PAID_WINDOW_MS);
    ANSWER_SAY(answer, saw, "%s left", left);
    ANSWER_SAY(answer, limit, "the last %s", window);
    ANSWER_SAY(answer, change, "passes by itself near the end of the paid period; --billing-period");
}

// At most so many nodes of a group at a time; scale_down and the moves count their own plan against it, too.
static void rule_disruption(struct node_case *seen, struct answer *answer)
{
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "none");
    ANSWER_SAY(answer, limit, "none");
    if (seen->group == NULL)
        return;
    struct disruption_room room = policy_disruption_room(seen->core, seen->group, seen->reason);
    if (room.budget == NULL)
        return;
    if (room.left <= 0) {
        answer->verdict = room.disturbed > 0 || room.due_ms > 0 ? RULE_WAITS : RULE_BLOCKS;
        answer->due_ms = room.due_ms;
    }
    if (answer->words == NULL)
        return;
    char limit[200];
    disruption_describe(&room, limit, sizeof(limit));
    ANSWER_SAY(answer, saw, "%lld leave or are not Ready", (long long)room.disturbed);
    ANSWER_SAY(answer, limit, "%s", limit);
    ANSWER_SAY(answer, change, "%s",
               room.limit == 0  ? "the end of the budget's window, or another spec.disruptionBudgets"
               : room.left <= 0 ? "passes when those have left; spec.disruptionBudgets"
                                : "");
}

// What the node's own agent holds against it, apart from its pods' data (rules_pods.c knows which pods
// count).
static void rule_verdict(struct node_case *seen, struct answer *answer)
{
    const struct agent *agent = seen->node->agent;
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "%s", "nothing");
    ANSWER_SAY(answer, limit, "nothing");
    if (agent == NULL)
        return;
    if (agent->inhibitor_count > 0) {
        answer->verdict = RULE_BLOCKS;
        ANSWER_SAY(answer, saw, "%u inhibitor%s", agent->inhibitor_count,
                   policy_plural(agent->inhibitor_count));
        ANSWER_SAY(answer, change, "remove it from /run/vpsie-agent/inhibit.d/ on %s", seen->node->name);
    }
    if (agent->verdict.state == EVIDENCE_READY)
        return;
    for (uint32_t i = 0; i < agent->verdict.reason_count; i++) {
        const struct evidence_reason *reason = &agent->verdict.reasons[i];
        if (reason->pod_uid[0] != '\0')
            continue;
        answer->verdict = RULE_BLOCKS;
        ANSWER_SAY(answer, saw, "%s %s%s%s", reason->code, reason->subject,
                   reason->detail[0] != '\0' ? ": " : "", reason->detail);
        if (agent->inhibitor_count == 0)
            ANSWER_SAY(answer, change, "see %s on %s", reason->code, seen->node->name);
        return;
    }
}

#define IDLE     ((uint32_t)DISRUPTION_EMPTY | (uint32_t)DISRUPTION_UNDERUSED)
#define SHRINKS  (IDLE | (uint32_t)DISRUPTION_CONSOLIDATION)
#define ANY      (SHRINKS | (uint32_t)DISRUPTION_REPLACEMENT)
#define ALONE    true
#define TOGETHER false
#define ALWAYS   false
#define SETTLES  true
// Else the group would get a machine for its use as soon as this one is gone.
static void rule_group_use(struct node_case *seen, struct answer *answer)
{
    answer->verdict = RULE_PASS;
    if (seen->group == NULL || !seen->group->facts.scale_up.enabled) {
        ANSWER_SAY(answer, saw, "not asked");
        ANSWER_SAY(answer, limit, "none");
        return;
    }
    struct group_use use = policy_group_use(seen->core, seen->group, seen->node);
    if (policy_use_is_high(seen->group, &use))
        answer->verdict = RULE_WAITS;
    ANSWER_SAY(answer, saw, "cpu %.0f%% memory %.0f%% without it", use.cpu < 0 ? 0 : use.cpu,
               use.memory < 0 ? 0 : use.memory);
    ANSWER_SAY(answer, limit, "%d%% and %d%%, where it grows",
               seen->group->facts.scale_up.cpu_threshold_percent,
               seen->group->facts.scale_up.memory_threshold_percent);
    ANSWER_SAY(answer, change, "passes when the group's measured use falls");
}

const struct node_rule NODE_RULES[] = {
    {"managed", rule_managed, ALONE, ANY, ALWAYS},
    {"in service", rule_in_service, ALONE, ANY, ALWAYS},
    {"underused, requests", rule_requests, TOGETHER, IDLE, ALWAYS},
    {"underused, measured", rule_measured, TOGETHER, IDLE, ALWAYS},
    {"scale down", rule_enabled, TOGETHER, ANY, ALWAYS},
    {"brakes", rule_brakes, TOGETHER, ANY, ALWAYS},
    {"in VPSie's list", rule_listed, TOGETHER, ANY, ALWAYS},
    {"protection", rule_protection, TOGETHER, ANY, ALWAYS},
    {"cordon", rule_cordon, TOGETHER, ANY, ALWAYS},
    {"allowed hours", rule_hours, TOGETHER, ANY, ALWAYS},
    {"creation reason", rule_reason, TOGETHER, ANY, ALWAYS},
    {"moves", rule_move, TOGETHER, ANY, ALWAYS},
    {"rests", rule_rests, TOGETHER, (uint32_t)DISRUPTION_CONSOLIDATION, SETTLES},
    {"paid period", rule_paid_period, TOGETHER, ANY, ALWAYS},
    {"agent", rule_agent, TOGETHER, ANY, ALWAYS},
    {"pressure", rule_pressure, TOGETHER, ANY, ALWAYS},
    {"agent's verdict", rule_verdict, TOGETHER, ANY, ALWAYS},
    {"given up before", rule_given_up, TOGETHER, ANY, ALWAYS},
    {"after changes", rule_settled, TOGETHER, ANY, SETTLES},
    {"cooldown", rule_cooldown, TOGETHER, SHRINKS, SETTLES},
    {"pods have controllers", rule_controllers, TOGETHER, ANY, ALWAYS},
    {"kube-system", rule_kube_system, TOGETHER, ANY, ALWAYS},
    {"do not disrupt", rule_do_not_disrupt, TOGETHER, ANY, ALWAYS},
    {"local data", rule_local_data, TOGETHER, ANY, ALWAYS},
    {"evidence of pods", rule_pods_evidence, TOGETHER, ANY, ALWAYS},
    {"budgets", rule_budgets, TOGETHER, ANY, ALWAYS},
    {"this coordinator", rule_own_pod, TOGETHER, ANY, ALWAYS},
    {"budget for disturbance", rule_disruption, TOGETHER, ANY, ALWAYS},
    {"group minimum", rule_minimum, TOGETHER, IDLE, ALWAYS},
    {"group's use", rule_group_use, TOGETHER, IDLE, ALWAYS},
};
const uint32_t NODE_RULE_COUNT = sizeof(NODE_RULES) / sizeof(NODE_RULES[0]);

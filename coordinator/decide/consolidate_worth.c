#include <string.h>

#include "coordinator/decide/moves.h"

// When a move is worth it, in numbers that are stated and nowhere else.

#define HOUR_MS     ((int64_t)3600000)
#define MONTH_HOURS 730.0
// Old and new machines run side by side: from the order until the last old one is deleted.
#define OVERLAP_HOURS 0.5
// A workload is another one when what all pods ask for has changed by so much.
#define WORKLOAD_PERCENT 10

static const struct strategy STRATEGIES[] = {
    [COST_AUTO] = {"auto", 24 * HOUR_MS, 0.005, 10, 4, false},
    [COST_MANUAL] = {"manual", 24 * HOUR_MS, 0.005, 10, 4, true},
    [COST_AGGRESSIVE] = {"aggressive", 72 * HOUR_MS, 0.001, 5, 10, false},
    [COST_CONSERVATIVE] = {"conservative", 8 * HOUR_MS, 0.02, 25, 1, false},
};

const struct strategy *consolidate_strategy(enum cost_strategy strategy)
{
    return &STRATEGIES[strategy];
}

static bool opted_in(const struct core *core, const struct group *group)
{
    const char *value = labels_get(&group->facts.annotations, KEY_CONSOLIDATION);
    return core->cluster->config->consolidation || (value != NULL && strcmp(value, "enabled") == 0);
}

bool consolidate_enabled(const struct core *core, const struct group *group, const char **why)
{
    const struct config_facts *config = core->cluster->config;
    *why = "";
    if (config == NULL || !config->rebalancing)
        *why = "set enableRebalancing in the AutoscalerConfig";
    else if (!opted_in(core, group))
        *why = "annotate the NodeGroup or the AutoscalerConfig " KEY_CONSOLIDATION ": enabled";
    else if (!group->facts.cost.enabled)
        *why = "set costOptimization.enabled in the NodeGroup";
    else if (!group->facts.managed || group->facts.invalid[0] != '\0' || group->facts.deletion_ms != 0)
        *why = "the NodeGroup is not in order: see `explain group`";
    else
        return true;
    return false;
}

// Hours that are paid for: whole periods.
static double paid_hours(int64_t ms, int64_t period_ms)
{
    if (ms <= 0)
        return 0;
    int64_t paid_ms = period_ms > 0 ? (ms + period_ms - 1) / period_ms * period_ms : ms;
    return (double)paid_ms / (double)HOUR_MS;
}

struct worth consolidate_worth(const struct core *core, const struct move_plan *plan)
{
    const struct cost_facts *facts = &plan->group->facts.cost;
    const struct strategy *strategy = consolidate_strategy(facts->strategy);
    int64_t period_ms = core->config.billing_period_ms;
    struct worth worth = {.saving_month = (plan->price_before - plan->price_after) * MONTH_HOURS};
    if (!plan->priced || plan->unserved > 0)
        return worth;
    // what the nodes have paid for already is not saved
    double before = 0;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        int64_t left_ms = policy_paid_left_ms(core, plan->nodes[i]);
        before +=
            plan->price_before / plan->node_count * paid_hours(strategy->horizon_ms - left_ms, period_ms);
    }
    worth.saving = before - plan->price_after * paid_hours(strategy->horizon_ms, period_ms);
    worth.cost = plan->disturbance * strategy->pod_price + plan->price_after * OVERLAP_HOURS;
    worth.worth =
        worth.saving > worth.cost && worth.saving_month >= facts->monthly_savings_min &&
        (plan->price_before - plan->price_after) * 100 >= plan->price_before * strategy->saving_percent;
    return worth;
}

// ---- does it rest?

struct workload { // of pods that count: DaemonSets come and go with their nodes
    int64_t cpu_millis, memory_bytes;
};

static void add_pod(const struct core *core, const struct pod *pod, struct workload *sum)
{
    if (!life_pod_counts(core, pod))
        return;
    sum->cpu_millis += pod->shape->facts.requests.cpu_millis;
    sum->memory_bytes += pod->shape->facts.requests.memory_bytes;
}

static struct workload workload_now(const struct core *core)
{
    struct workload sum = {0};
    const struct cluster *cluster = core->cluster;
    for (uint32_t i = 0; i < cluster->node_count; i++)
        for (const struct pod *pod = cluster->nodes[i]->pods; pod != NULL; pod = pod->next)
            add_pod(core, pod, &sum);
    for (const struct pod *pod = cluster->unbound; pod != NULL; pod = pod->next)
        add_pod(core, pod, &sum);
    return sum;
}

static bool differs(int64_t now, int64_t then)
{
    int64_t change = now > then ? now - then : then - now;
    return change * 100 > then * WORKLOAD_PERCENT;
}

void consolidate_remember(struct core *core, struct group *group)
{
    struct group_moves *moves = &group_policy(core, group)->moves;
    struct workload now = workload_now(core);
    moves->moved_ms = core->now_ms;
    moves->moved_cpu_millis = now.cpu_millis;
    moves->moved_memory_bytes = now.memory_bytes;
    moves->workload_at_ms = 0;
}

static bool workload_changed(const struct core *core, struct group_moves *moves)
{
    if (moves->workload_at_ms == core->now_ms)
        return moves->workload_changed;
    struct workload now = workload_now(core);
    moves->workload_at_ms = core->now_ms;
    moves->workload_changed = differs(now.cpu_millis, moves->moved_cpu_millis) ||
                              differs(now.memory_bytes, moves->moved_memory_bytes);
    return moves->workload_changed;
}

// A machine that came with a consolidation or after one, and a group that had to grow again after one, are
// left alone for the horizon, unless the workload is another one by now. Without memory (another leader
// began) the machines that consolidation ordered rest all the same.
int64_t consolidate_rests_until(struct core *core, struct group *group, const struct node *node)
{
    const struct strategy *strategy = consolidate_strategy(group->facts.cost.strategy);
    struct group_moves *moves = &group_policy(core, group)->moves;
    const struct intention_facts *facts = &node->intention->facts;
    const char *reason = labels_get(&facts->annotations, KEY_CREATION_REASON);
    bool moved = moves->moved_ms > 0 && core->now_ms < moves->moved_ms + strategy->horizon_ms;
    bool grew = moved && group_life(core, group)->last_scale_up_ms > moves->moved_ms;
    int64_t until_ms = 0;
    if (moved && (grew || facts->created_ms >= moves->moved_ms))
        until_ms = moves->moved_ms + strategy->horizon_ms;
    if (reason != NULL && strcmp(reason, MOVE_CREATION_REASON) == 0 &&
        facts->created_ms + strategy->horizon_ms > until_ms)
        until_ms = facts->created_ms + strategy->horizon_ms;
    if (until_ms <= core->now_ms || (moved && workload_changed(core, moves)))
        return 0;
    return until_ms;
}

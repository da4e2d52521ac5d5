#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/disruption.h"
#include "coordinator/decide/moves.h"

// In rounds, one each optimizationInterval: find the move that saves most after its cost, carry it out, look
// again until nothing is worth it. Groups take turns, one a look.

// Nodes tried alone in one look, besides the sets.
#define SINGLES_MAX 24u
// What a look that found nothing but waiting waits at least.
#define WAIT_LEAST_MS ((int64_t)60000)
#define NAMES_MAX     4u

struct candidate {
    struct node *node;
    uint32_t pods;
    double waste; // dollars an hour for what nothing asks for, by disturbance
};

struct round {
    struct core *core;
    struct arena *arena;
    struct group *group;
    struct group_moves *known;
    const struct strategy *strategy;
    struct candidate *candidates;
    uint32_t count;
    uint32_t pods;  // of the whole group
    int64_t due_ms; // when a rule that waits passes by itself; 0: none waits
};

// ---- whose turn

static bool round_open(const struct core *core, const struct group *group, struct group_moves *known)
{
    int64_t interval_ms = group->facts.cost.interval_seconds * 1000;
    if (known->round_from_ms != 0 && known->round_over && core->now_ms < known->round_from_ms + interval_ms)
        return false;
    if (known->round_from_ms == 0 || known->round_over) {
        known->round_from_ms = core->now_ms;
        known->round_over = false;
        known->next_ms = 0;
    }
    return core->now_ms >= known->next_ms;
}

static struct group *whose_turn(struct core *core)
{
    struct cluster *cluster = core->cluster;
    struct group *turn = NULL;
    const char *why;
    for (uint32_t i = 0; i < cluster->group_count; i++) {
        struct group *group = cluster->groups[i];
        if (!consolidate_enabled(core, group, &why) || moves_of_group(core, group) != NULL ||
            life_counts(core, group).coming > 0)
            continue;
        struct group_moves *known = &group_policy(core, group)->moves;
        if (round_open(core, group, known) &&
            (turn == NULL || known->looked_ms < group_policy(core, turn)->moves.looked_ms))
            turn = group;
    }
    return turn;
}

// ---- who could go

static double free_share(const struct node *node)
{
    struct node_use use = policy_node_use(node);
    double share = use.cpu_requested > use.memory_requested ? use.cpu_requested : use.memory_requested;
    return share < 0 || share > 100 ? 0 : 1 - share / 100;
}

static int by_waste(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    if (a->waste < b->waste || a->waste > b->waste)
        return a->waste > b->waste ? -1 : 1;
    if (a->pods != b->pods)
        return a->pods < b->pods ? -1 : 1;
    return strcmp(a->node->name, b->node->name);
}

static void find_candidates(struct round *round)
{
    struct core *core = round->core;
    struct group *group = round->group;
    round->candidates = ARENA_ARRAY(round->arena, struct candidate, group->intention_count + 1);
    for (uint32_t i = 0; i < group->intention_count; i++) {
        struct node *node = group->intentions[i]->node;
        if (node == NULL)
            continue;
        struct candidate candidate = {.node = node};
        double disturbance = 0;
        for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next) {
            if (!life_pod_counts(core, pod))
                continue;
            candidate.pods++;
            disturbance += policy_pod_weight(pod);
        }
        round->pods += candidate.pods;
        struct node_answer answer = policy_node_may_go(core, node, DISRUPTION_CONSOLIDATION, false);
        if (answer.verdict == RULE_WAITS && answer.due_ms > 0 &&
            (round->due_ms == 0 || answer.due_ms < round->due_ms))
            round->due_ms = answer.due_ms;
        if (answer.verdict != RULE_PASS)
            continue;
        candidate.waste = policy_node_price(core, node) * (0.05 + free_share(node)) / (1 + disturbance);
        round->candidates[round->count++] = candidate;
    }
    if (round->count > 1)
        qsort(round->candidates, round->count, sizeof(struct candidate), by_waste);
}

// How many of the first candidates may go in one move.
static uint32_t set_max(const struct round *round)
{
    uint32_t most = round->strategy->nodes_max < MOVE_NODES_MAX ? round->strategy->nodes_max : MOVE_NODES_MAX;
    struct disruption_room room = policy_disruption_room(round->core, round->group, DISRUPTION_CONSOLIDATION);
    if (room.left < (int64_t)most)
        most = (uint32_t)room.left;
    // so many pods of the group move at once; one node may always
    uint32_t pods = 0, count = 0;
    int64_t pods_max = (int64_t)round->pods * round->group->facts.cost.performance_impact_max_percent / 100;
    while (count < most && count < round->count) {
        pods += round->candidates[count].pods;
        if (count > 0 && (int64_t)pods > pods_max)
            break;
        count++;
    }
    return count;
}

// ---- the best move

struct best {
    struct move_plan plan;
    struct worth worth;
};

static void consider_set(struct round *round, struct planner *planner, struct node *const *nodes,
                         uint32_t count, struct best *best)
{
    struct elsewhere *elsewhere = planner->elsewhere;
    for (uint32_t i = 0; i < count; i++)
        if (elsewhere_needs(elsewhere, nodes[i]))
            return;
    if (!elsewhere_spend(elsewhere, nodes, count))
        return;
    elsewhere_refund(elsewhere, nodes, count);
    struct move_plan plan = planner_try(planner, nodes, count, DISRUPTION_CONSOLIDATION, 0);
    if (plan.unserved > 0)
        return;
    struct worth worth = consolidate_worth(round->core, &plan);
    double net = worth.saving - worth.cost, best_net = best->worth.saving - best->worth.cost;
    if (worth.worth && (!best->worth.worth || net > best_net))
        *best = (struct best){.plan = plan, .worth = worth};
}

static struct best find_best(struct round *round)
{
    struct elsewhere elsewhere = elsewhere_create(round->core, round->arena, true);
    struct planner planner = planner_create(round->core, round->arena, &elsewhere, round->group);
    struct best best = {0};
    struct node **nodes = ARENA_ARRAY(round->arena, struct node *, round->count + 1);
    for (uint32_t i = 0; i < round->count; i++)
        nodes[i] = round->candidates[i].node;
    for (uint32_t size = set_max(round); size > 1; size--)
        consider_set(round, &planner, nodes, size, &best);
    for (uint32_t i = 0; i < round->count && i < SINGLES_MAX; i++)
        consider_set(round, &planner, &nodes[i], 1, &best);
    return best;
}

// ---- in words

static const char *size_name(const struct core *core, const struct group *group, int64_t size_id)
{
    const struct cloud_offers *offers = cluster_offers(core->cluster, group->facts.datacenter_id);
    for (uint32_t i = 0; offers != NULL && i < offers->offer_count; i++)
        if (offers->offers[i].id == size_id)
            return offers->offers[i].name;
    return "of the group's size";
}

void move_plan_describe(const struct core *core, const struct move_plan *plan, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "%s", plan->machines > 0 ? "replace" : "remove");
    for (uint32_t i = 0; i < plan->node_count && i < NAMES_MAX && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, " %.60s", plan->nodes[i]->name);
    if (plan->node_count > NAMES_MAX && used < bytes)
        used += (size_t)snprintf(text + used, bytes - used, " and %u more", plan->node_count - NAMES_MAX);
    if (plan->machines > 0 && used < bytes)
        snprintf(text + used, bytes - used, " by %u %s", plan->machines,
                 size_name(core, plan->group, plan->size_id));
}

// False when it was said before.
static bool begin(struct round *round, const struct best *best)
{
    const struct move_plan *plan = &best->plan;
    const struct worth *worth = &best->worth;
    char summary[400], reason[240], horizon[32];
    bool approval = round->strategy->recommends || round->group->facts.cost.require_approval;
    policy_duration(horizon, sizeof(horizon), round->strategy->horizon_ms);
    move_plan_describe(round->core, plan, summary, sizeof(summary));
    snprintf(reason, sizeof(reason),
             "saves $%.2f a month (%.0f%%); in %s $%.2f, of which the move costs $%.2f: %u pod%s move%s",
             worth->saving_month, 100 * (plan->price_before - plan->price_after) / plan->price_before,
             horizon, worth->saving, worth->cost, plan->pods, policy_plural(plan->pods),
             plan->pods == 1 ? "s" : "");
    return moves_begin(round->core, plan, summary, reason, approval) && !approval;
}

void consolidate_consider(struct core *core, struct arena *arena)
{
    struct group *group = core->policy->waiting > core->policy->helpless ? NULL : whose_turn(core);
    if (group == NULL)
        return; // pods are being served: nothing has settled
    struct round round = {.core = core,
                          .arena = arena,
                          .group = group,
                          .known = &group_policy(core, group)->moves,
                          .strategy = consolidate_strategy(group->facts.cost.strategy)};
    round.known->looked_ms = core->now_ms;
    find_candidates(&round);
    struct best best = {0};
    if (round.count > 0)
        best = find_best(&round);
    if (best.worth.worth) {
        round.known->round_over = !begin(&round, &best);
    } else if (round.due_ms > 0 || round.count == 0) {
        int64_t least_ms = core->now_ms + WAIT_LEAST_MS;
        round.known->next_ms = round.due_ms > least_ms ? round.due_ms : least_ms;
    } else {
        round.known->round_over = true;
    }
}

// ---- for explain

static void add_row(struct explanation *out, struct arena *arena, enum rule_verdict verdict, char *saw,
                    char *limit, char *change)
{
    struct answer answer = {.verdict = verdict, .words = arena, .saw = saw, .limit = limit, .change = change};
    explanation_add(out, arena, "consolidation", &answer);
}

void consolidate_explain(struct core *core, struct node *node, struct arena *arena, struct explanation *out)
{
    struct group *group = node->intention->group;
    if (group == NULL) // its NodeGroup is not there
        return;
    const struct strategy *strategy = consolidate_strategy(group->facts.cost.strategy);
    const char *off;
    if (!consolidate_enabled(core, group, &off)) {
        add_row(out, arena, RULE_INFO, arena_strdup(arena, "off"), arena_strdup(arena, "on"),
                arena_strdup(arena, off));
        return;
    }
    struct node_answer answer = policy_node_may_go(core, node, DISRUPTION_CONSOLIDATION, false);
    if (answer.verdict != RULE_PASS) {
        add_row(out, arena, RULE_INFO, arena_printf(arena, "kept by %s", answer.rule),
                arena_strdup(arena, "no rule against it"), arena_strdup(arena, ""));
        return;
    }
    struct elsewhere elsewhere = elsewhere_create(core, arena, true);
    struct planner planner = planner_create(core, arena, &elsewhere, group);
    struct move_plan plan = planner_try(&planner, &node, 1, DISRUPTION_CONSOLIDATION, 0);
    struct worth worth = consolidate_worth(core, &plan);
    char summary[400], horizon[32];
    policy_duration(horizon, sizeof(horizon), strategy->horizon_ms);
    move_plan_describe(core, &plan, summary, sizeof(summary));
    add_row(out, arena, RULE_INFO,
            plan.unserved > 0 ? arena_strdup(arena, plan.why)
                              : arena_printf(arena, "%s: saves $%.2f a month, $%.2f in %s for $%.2f", summary,
                                             worth.saving_month, worth.saving, horizon, worth.cost),
            arena_printf(arena, "%s: $%.2f a month, %d%%, more than it costs", strategy->name,
                         group->facts.cost.monthly_savings_min, strategy->saving_percent),
            arena_strdup(arena, worth.worth ? "goes in the next round of consolidation"
                                            : "less on the node, or a cheaper size in the group"));
}

static char *say_round(struct core *core, struct group *group, struct arena *arena)
{
    const struct move *move = moves_of_group(core, group);
    const struct group_moves *known = &group_policy(core, group)->moves;
    char duration[32];
    if (move != NULL)
        return arena_printf(arena, "D%llu is under way%s%s", (unsigned long long)move->decision_id,
                            move->held[0] != '\0' ? ", waits for " : "", move->held);
    if (known->round_from_ms == 0)
        return arena_strdup(arena, "no round yet");
    if (!known->round_over) {
        policy_duration(duration, sizeof(duration), core->now_ms - known->round_from_ms);
        return arena_printf(arena, "a round since %s", duration);
    }
    int64_t left_ms = known->round_from_ms + group->facts.cost.interval_seconds * 1000 - core->now_ms;
    policy_duration(duration, sizeof(duration), left_ms > 0 ? left_ms : 0);
    return arena_printf(arena, "nothing more to gain; the next round in %s", duration);
}

void consolidate_explain_group(struct core *core, struct group *group, struct arena *arena,
                               struct explanation *out)
{
    const struct strategy *strategy = consolidate_strategy(group->facts.cost.strategy);
    const char *off;
    bool on = consolidate_enabled(core, group, &off);
    bool approval = strategy->recommends || group->facts.cost.require_approval;
    add_row(out, arena, RULE_INFO, on ? say_round(core, group, arena) : arena_strdup(arena, "off"),
            on ? arena_printf(arena, "%s: $%.2f a month, %d%%%s", strategy->name,
                              group->facts.cost.monthly_savings_min, strategy->saving_percent,
                              approval ? ", after an approval" : "")
               : arena_strdup(arena, "on"),
            arena_strdup(arena, off));
}

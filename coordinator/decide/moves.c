#include "coordinator/decide/moves.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/decide/disruption.h"
#include "coordinator/decide/rules.h"

// A move's way: its machines are ordered; when all of them are in service, its nodes leave, each only when
// the rules, the budgets and the picture of that moment allow it. What does not work out is left as it is: a
// new machine that nobody needs goes the way of all empty nodes.

static void note(struct core *core, const struct move *move, enum note_level level, const char *format,
                 const char *text)
{
    core_note(core, level, move->decision_id, arena_printf(core->out->arena, "group %s", move->group), format,
              (unsigned long long)move->decision_id, text);
}

// ---- finding

static bool under_way(const struct move *move)
{
    return move->state != MOVE_RECOMMENDED;
}

static bool is_of(const struct move *move, const struct group *group)
{
    return strcmp(move->group, group->facts.name) == 0 && strcmp(move->space, group->facts.space) == 0;
}

const struct move *moves_of_group(const struct core *core, const struct group *group)
{
    const struct moves *moves = core->policy->moves;
    for (uint32_t i = 0; i < moves->count; i++)
        if (under_way(&moves->items[i]) && is_of(&moves->items[i], group))
            return &moves->items[i];
    return NULL;
}

const struct move *moves_of_node(const struct core *core, const struct node *node)
{
    const struct moves *moves = core->policy->moves;
    for (uint32_t i = 0; i < moves->count; i++)
        for (uint32_t n = 0; under_way(&moves->items[i]) && n < moves->items[i].node_count; n++)
            if (strcmp(moves->items[i].nodes[n], node->name) == 0)
                return &moves->items[i];
    return NULL;
}

const struct move *moves_came_for(const struct core *core, const struct node *node)
{
    const struct moves *moves = core->policy->moves;
    const struct life *life = node->intention != NULL ? node->intention->decide : NULL;
    for (uint32_t i = 0; life != NULL && i < moves->count; i++)
        if (under_way(&moves->items[i]) && moves->items[i].decision_id == life->decision_id &&
            life->removal == REMOVAL_NONE)
            return &moves->items[i];
    return NULL;
}

static void drop(struct core *core, struct move *move)
{
    struct moves *moves = core->policy->moves;
    uint32_t at = (uint32_t)(move - moves->items);
    memmove(move, move + 1, (moves->count - at - 1) * sizeof(*move));
    moves->count--;
}

static void drop_recommended(struct core *core, const struct group *group)
{
    struct moves *moves = core->policy->moves;
    for (uint32_t i = moves->count; i > 0; i--)
        if (!under_way(&moves->items[i - 1]) && is_of(&moves->items[i - 1], group))
            drop(core, &moves->items[i - 1]);
}

// ---- beginning

static void order(struct core *core, struct move *move, struct group *group)
{
    move->state = move->machines > 0 ? MOVE_COMING : MOVE_LEAVING;
    move->since_ms = core->now_ms;
    if (move->reason == DISRUPTION_CONSOLIDATION)
        consolidate_remember(core, group);
    if (move->machines == 0)
        return;
    core->policy->last_order_ms = core->now_ms;
    group_policy(core, group)->last_order_id = move->decision_id;
    life_order_size(core, group, move->size_id, move->machines, move->decision_id, MOVE_CREATION_REASON);
}

static struct move move_of(struct core *core, const struct move_plan *plan, uint64_t decision_id)
{
    struct move move = {.state = MOVE_RECOMMENDED,
                        .reason = plan->reason,
                        .decision_id = decision_id,
                        .since_ms = core->now_ms,
                        .space = plan->group->facts.space,
                        .group = plan->group->facts.name,
                        .node_count = plan->node_count,
                        .size_id = plan->size_id,
                        .machines = plan->machines};
    for (uint32_t i = 0; i < plan->node_count; i++)
        move.nodes[i] = plan->nodes[i]->name;
    return move;
}

static uint64_t hash_of(const struct move_plan *plan, const char *summary)
{
    uint64_t hash = policy_hash(0, summary);
    for (uint32_t i = 0; i < plan->node_count; i++)
        hash = policy_hash(hash, plan->nodes[i]->uid);
    return hash;
}

static struct decision *decide(struct core *core, const struct move_plan *plan, const char *summary,
                               const char *reason, bool approval)
{
    struct decision *decision = core_decide(
        core, plan->reason == DISRUPTION_CONSOLIDATION ? DECISION_CONSOLIDATE : DECISION_REPLACE,
        plan->group->facts.name, plan->node_count == 1 ? plan->nodes[0]->name : "", summary, reason);
    if (plan->machines > 0)
        core_decision_brings(decision, plan->machines, plan->size_id);
    for (uint32_t i = 0; i < plan->node_count; i++)
        core_decision_takes(decision, plan->nodes[i]);
    decision->recommended = approval;
    if (approval && decision->withheld[0] == '\0')
        decision->withheld = "waits for approval";
    return decision;
}

bool moves_begin(struct core *core, const struct move_plan *plan, const char *summary, const char *reason,
                 bool approval)
{
    struct moves *moves = core->policy->moves;
    struct group_moves *known = &group_policy(core, plan->group)->moves;
    bool write = core_may_write(core);
    uint64_t hash = hash_of(plan, summary);
    assert(plan->unserved == 0 && plan->node_count > 0);
    if (moves_of_group(core, plan->group) != NULL || ((!write || approval) && known->said_hash == hash))
        return false;
    drop_recommended(core, plan->group);
    if (moves->count == MOVES_MAX)
        return false;
    struct decision *decision = decide(core, plan, summary, reason, approval);
    known->said_hash = write && !approval ? 0 : hash;
    bool held = decision->withheld[0] != '\0';
    core_note(core, NOTE_INFO, decision->id,
              arena_printf(core->out->arena, "group %s", plan->group->facts.name), "D%llu %s   %s%s%s%s",
              (unsigned long long)decision->id, summary, reason, held ? " (not done: " : "",
              decision->withheld, held ? ")" : "");
    if (!write)
        return true;
    core_event_group(core, plan->group, decision->id, false,
                     approval                                   ? "ConsolidationRecommended"
                     : plan->reason == DISRUPTION_CONSOLIDATION ? "Consolidation"
                                                                : "Replacement",
                     "D%llu %s: %s", (unsigned long long)decision->id, summary, reason);
    moves->items[moves->count++] = move_of(core, plan, decision->id);
    if (!approval)
        order(core, &moves->items[moves->count - 1], plan->group);
    return true;
}

bool moves_approve(struct core *core, uint64_t decision_id, char *text, size_t bytes)
{
    struct moves *moves = core->policy->moves;
    struct move *move = NULL;
    for (uint32_t i = 0; i < moves->count; i++)
        if (moves->items[i].decision_id == decision_id && !under_way(&moves->items[i]))
            move = &moves->items[i];
    if (move == NULL) {
        snprintf(text, bytes, "D%llu is no recommendation that is open; see `actions`",
                 (unsigned long long)decision_id);
        return false;
    }
    struct group *group = cluster_group(core->cluster, move->space, move->group);
    if (group == NULL || moves_of_group(core, group) != NULL) {
        snprintf(text, bytes, "group %s %s", move->group,
                 group == NULL ? "is gone" : "is in the middle of another move: approve it again later");
        return false;
    }
    if (!core_may_write(core)) {
        snprintf(text, bytes, "nothing may be written now: see `status`");
        return false;
    }
    // planned anew: what was right then need not be right now
    arena_reset(core->policy->scratch);
    struct elsewhere elsewhere = elsewhere_create(core, core->policy->scratch, true);
    struct planner planner = planner_create(core, core->policy->scratch, &elsewhere, group);
    struct node *nodes[MOVE_NODES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < move->node_count; i++) {
        struct node *node = cluster_node(core->cluster, move->nodes[i]);
        struct node_answer answer = {.verdict = RULE_BLOCKS, .rule = "being there"};
        if (node != NULL)
            answer = policy_node_may_go(core, node, move->reason, true);
        if (answer.verdict != RULE_PASS) {
            snprintf(text, bytes, "%s may not go now: %s", move->nodes[i], answer.rule);
            return false;
        }
        nodes[count++] = node;
    }
    struct move_plan plan = planner_try(&planner, nodes, count, move->reason, 0);
    if (plan.unserved > 0 || !consolidate_worth(core, &plan).worth) {
        snprintf(text, bytes, "it would not be right any more: %s",
                 plan.unserved > 0 ? plan.why : "it saves too little now");
        drop(core, move);
        return false;
    }
    move->size_id = plan.size_id;
    move->machines = plan.machines;
    order(core, move, group);
    group_policy(core, group)->moves.said_hash = 0;
    snprintf(text, bytes, "D%llu is being carried out: %u machine%s to come, %u node%s to go",
             (unsigned long long)decision_id, plan.machines, policy_plural(plan.machines), count,
             policy_plural(count));
    return true;
}

// ---- carrying on

static void hold(struct move *move, const char *format, const char *first, const char *second)
{
    snprintf(move->held, sizeof(move->held), format, first, second);
}

struct arrivals {
    uint32_t ready, coming;
};

static struct arrivals arrivals(struct core *core, const struct move *move, const struct group *group)
{
    struct arrivals count = {.coming = life_unseen(core, group, move->size_id)};
    for (uint32_t i = 0; i < group->intention_count; i++) {
        const struct life *life = group->intentions[i]->decide;
        const struct node *node = group->intentions[i]->node;
        if (life == NULL || life->decision_id != move->decision_id || life->removal != REMOVAL_NONE)
            continue;
        bool ready = life->step == LIFE_READY && node != NULL && node->ready == NODE_READY_TRUE;
        count.ready += ready;
        count.coming += !ready && life->step <= LIFE_READY;
    }
    return count;
}

// False when the move is over.
static bool await_machines(struct core *core, struct move *move, const struct group *group)
{
    struct arrivals count = arrivals(core, move, group);
    if (count.ready >= move->machines) {
        move->state = MOVE_LEAVING;
        move->since_ms = core->now_ms;
        return true;
    }
    core_wake_at(core, move->since_ms + MOVE_COMING_MS);
    hold(move, "its machines to come%s%s", "", "");
    // an order is told back by the API server within moments
    bool lost = count.ready + count.coming < move->machines && core->now_ms >= move->since_ms + 60000;
    if (!lost && core->now_ms < move->since_ms + MOVE_COMING_MS)
        return true;
    note(core, move, NOTE_WARN, "D%llu is given up: %s", "its machines did not come; its nodes stay");
    return false;
}

struct leaving { // of one move, in one look
    struct core *core;
    struct move *move;
    struct group *group;
    struct elsewhere elsewhere;
    int64_t minimum_room, budget_room;
    struct removal_room room;
};

// True when the node is no longer the move's: it leaves, or can never.
static bool let_go(struct leaving *leaving, const char *name)
{
    struct core *core = leaving->core;
    struct move *move = leaving->move;
    struct node *node = cluster_node(core->cluster, name);
    const struct life *life = node != NULL && node->intention != NULL ? node->intention->decide : NULL;
    if (life == NULL || life->removal != REMOVAL_NONE)
        return true; // it goes by itself, or is gone
    struct node_answer answer = policy_node_may_go(core, node, move->reason, true);
    int64_t *room = policy_node_pods(core, node) == 0 && !leaving->room.common ? &leaving->room.empty
                                                                               : &leaving->room.any;
    if (answer.verdict != RULE_PASS || leaving->minimum_room <= 0 || leaving->budget_room <= 0 ||
        *room <= 0) {
        hold(move, "%s: %s", name,
             answer.rule != NULL          ? answer.rule
             : leaving->minimum_room <= 0 ? "group minimum"
             : leaving->budget_room <= 0  ? "budget for disturbance"
                                          : "removals at once");
        if (answer.due_ms > 0)
            core_wake_at(core, answer.due_ms);
        return false;
    }
    if (!elsewhere_spend(&leaving->elsewhere, &node, 1)) {
        hold(move, "%s: %s", name, "budgets");
        return false;
    }
    struct leave leave = elsewhere_leave(&leaving->elsewhere, &node, 1, true, false);
    if (leave.placed < leave.pod_count || elsewhere_needs(&leaving->elsewhere, node)) {
        elsewhere_undo(&leaving->elsewhere, &leave);
        elsewhere_refund(&leaving->elsewhere, &node, 1);
        hold(move, "%s: %s", name, "its pods fit nowhere else now");
        return false;
    }
    elsewhere_keep(&leaving->elsewhere, &leave);
    if (!life_remove(core, node, REMOVAL_VOLUNTARY, move->decision_id)) {
        elsewhere_undo(&leaving->elsewhere, &leave);
        hold(move, "%s: %s", name, "its removal cannot begin");
        return false;
    }
    (*room)--;
    leaving->minimum_room--;
    leaving->budget_room -= leaving->budget_room < INT64_MAX;
    group_life(core, leaving->group)->last_scale_down_ms = core->now_ms;
    core->policy->last_removal_ms = core->now_ms;
    return true;
}

static bool let_nodes_go(struct core *core, struct move *move, struct group *group)
{
    arena_reset(core->policy->scratch);
    struct leaving leaving = {.core = core,
                              .move = move,
                              .group = group,
                              .room = policy_removal_room(core),
                              .elsewhere = elsewhere_create(core, core->policy->scratch, false),
                              .minimum_room =
                                  (int64_t)life_counts(core, group).sound - (int64_t)policy_minimum(group),
                              .budget_room = policy_disruption_room(core, group, move->reason).left};
    move->held[0] = '\0';
    uint32_t kept = 0;
    for (uint32_t i = 0; i < move->node_count; i++)
        if (!let_go(&leaving, move->nodes[i]))
            move->nodes[kept++] = move->nodes[i];
    move->node_count = kept;
    if (kept == 0)
        return false;
    core_wake_at(core, move->since_ms + MOVE_LEAVING_MS);
    if (core->now_ms < move->since_ms + MOVE_LEAVING_MS)
        return true;
    note(core, move, NOTE_WARN, "D%llu ends before its nodes have gone, held by %s", move->held);
    return false;
}

// What is recommended goes stale with its nodes.
static bool still_there(struct core *core, const struct move *move, struct group *group)
{
    for (uint32_t i = 0; i < move->node_count; i++) {
        const struct node *node = cluster_node(core->cluster, move->nodes[i]);
        const struct life *life = node != NULL && node->intention != NULL ? node->intention->decide : NULL;
        if (life != NULL && life->removal == REMOVAL_NONE)
            continue;
        group_policy(core, group)->moves.said_hash = 0;
        return false;
    }
    return true;
}

static bool carry_on(struct core *core, struct move *move)
{
    struct group *group = cluster_group(core->cluster, move->space, move->group);
    if (group == NULL)
        return false;
    if (!under_way(move))
        return still_there(core, move, group);
    if (!core_may_write(core))
        return true;
    if (move->state == MOVE_COMING && !await_machines(core, move, group))
        return false;
    return move->state != MOVE_LEAVING || let_nodes_go(core, move, group);
}

void moves_consider(struct core *core)
{
    struct moves *moves = core->policy->moves;
    if (moves->term != core->term) {
        moves->term = core->term;
        moves->began_ms = core->now_ms;
        moves->count = 0;
    }
    for (uint32_t i = moves->count; i > 0; i--)
        if (!carry_on(core, &moves->items[i - 1]))
            drop(core, &moves->items[i - 1]);
    if (core->now_ms < moves->began_ms + MOVES_SETTLE_MS) {
        core_wake_at(core, moves->began_ms + MOVES_SETTLE_MS);
        return;
    }
    arena_reset(core->policy->scratch);
    replace_consider(core, core->policy->scratch);
    arena_reset(core->policy->scratch);
    consolidate_consider(core, core->policy->scratch);
}

// ---- the rules that moves bring

void rule_move(struct node_case *seen, struct answer *answer)
{
    const struct move *leaves = moves_of_node(seen->core, seen->node);
    const struct move *came = moves_came_for(seen->core, seen->node);
    bool planned = seen->reason == DISRUPTION_CONSOLIDATION || seen->reason == DISRUPTION_REPLACEMENT;
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "none");
    ANSWER_SAY(answer, limit, "none");
    if (leaves != NULL)
        ANSWER_SAY(answer, saw, "leaves with D%llu%s%s", (unsigned long long)leaves->decision_id,
                   leaves->held[0] != '\0' ? ", which waits for " : "", leaves->held);
    // the move's own question is asked of its nodes, and answered here by what it is
    if (came == NULL && !(planned && !seen->begun && leaves != NULL))
        return;
    answer->verdict = RULE_WAITS;
    if (came != NULL)
        ANSWER_SAY(answer, saw, "came for D%llu", (unsigned long long)came->decision_id);
    ANSWER_SAY(answer, change, "passes when the move is over");
}

void rule_rests(struct node_case *seen, struct answer *answer)
{
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "no");
    ANSWER_SAY(answer, limit, "no");
    if (seen->group == NULL || seen->intention == NULL)
        return;
    int64_t until_ms = consolidate_rests_until(seen->core, seen->group, seen->node);
    if (until_ms == 0)
        return;
    answer->verdict = RULE_WAITS;
    answer->due_ms = until_ms;
    if (answer->words == NULL)
        return;
    char left[32];
    policy_duration(left, sizeof(left), until_ms - seen->core->now_ms);
    ANSWER_SAY(answer, saw, "moved lately, for %s more", left);
    ANSWER_SAY(answer, change, "passes by itself, or when the workload changes by a tenth");
}

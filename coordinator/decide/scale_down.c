#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/disruption.h"
#include "coordinator/decide/elsewhere.h"
#include "coordinator/decide/moves.h"
#include "coordinator/decide/policy.h"
#include "coordinator/decide/rules.h"

// The story: every few seconds look for nodes that pass all rules; plan those that can go *together* against
// one picture of free space, in which waiting pods and the pods of leaving nodes have been put first; begin
// to remove them.

// Plans tried in one look: the rest waits for the next one.
#define PLANS_MAX 200u
// A node whose pods fitted nowhere is not tried again for so long: others get their turn.
#define UNFIT_MS 30000
// Names of nodes in a decision's line.
#define NAMES_MAX 8u

struct leaver { // a node that passes all rules
    struct node *node;
    uint32_t group;     // index into the cluster's
    uint32_t pods;      // that count
    double disturbance; // how much is disturbed, policy_pod_weight()
    double use;         // the larger requested share, percent
    double price_hour;
    int64_t paid_left_ms; // of its period, 0 without
    bool chosen;
};

struct group_room { // how many more nodes of one group may begin to leave
    int64_t minimum, empty, underused;
};

struct shrink {
    struct core *core;
    struct arena *arena;
    struct leaver *leavers;
    uint32_t count;
    struct elsewhere elsewhere;
    struct group_room *rooms; // by group
    struct removal_room room; // of all groups together
};

static bool shrink_due(struct core *core);
static void find_leavers(struct shrink *shrink);
static void measure_room(struct shrink *shrink);
static void choose(struct shrink *shrink);
static void remove_chosen(struct shrink *shrink);

void scale_down_consider(struct core *core)
{
    if (!core->synced || !core->leading || !core->taken_over || !shrink_due(core))
        return;
    policy_cost_update(core);
    arena_reset(core->policy->scratch);
    struct shrink shrink = {.core = core, .arena = core->policy->scratch};
    find_leavers(&shrink);
    if (shrink.count > 0) {
        measure_room(&shrink);
        choose(&shrink);
        remove_chosen(&shrink);
    }
    moves_consider(core);
    if (core->policy->shrink_due_ms > 0)
        core_wake_at(core, core->policy->shrink_due_ms);
}

// ---- when to look

static bool shrink_due(struct core *core)
{
    struct policy_shared *policy = core->policy;
    if (core->now_ms < policy->shrink_next_ms) {
        if (policy->shrink_due_ms > 0)
            core_wake_at(core, policy->shrink_due_ms);
        return false;
    }
    policy->shrink_next_ms = core->now_ms + POLICY_SHRINK_LOOK_MS;
    policy->shrink_due_ms = 0;
    return true;
}

// Come back when a rule passes by itself; not before the next look, and not never.
static void come_back(struct shrink *shrink, int64_t due_ms)
{
    struct policy_shared *policy = shrink->core->policy;
    if (due_ms < policy->shrink_next_ms)
        due_ms = policy->shrink_next_ms;
    if (policy->shrink_due_ms == 0 || due_ms < policy->shrink_due_ms)
        policy->shrink_due_ms = due_ms;
}

// ---- who could go

static double larger_share(const struct node *node)
{
    struct node_use use = policy_node_use(node);
    return use.cpu_requested > use.memory_requested ? use.cpu_requested : use.memory_requested;
}

// Empty ones first, the dearest of them before others; then the most money for the least disturbance; then
// the least used; the name settles the rest. What is paid for by the period goes when its period ends: the
// nearest to its end before all others.
static int by_gain(const void *left, const void *right)
{
    const struct leaver *a = left;
    const struct leaver *b = right;
    double rate_a = a->price_hour / (1 + a->disturbance), rate_b = b->price_hour / (1 + b->disturbance);
    if (a->paid_left_ms != b->paid_left_ms)
        return a->paid_left_ms < b->paid_left_ms ? -1 : 1;
    if ((a->pods == 0) != (b->pods == 0))
        return a->pods == 0 ? -1 : 1;
    if (rate_a < rate_b || rate_a > rate_b)
        return rate_a > rate_b ? -1 : 1;
    if (a->disturbance < b->disturbance || a->disturbance > b->disturbance)
        return a->disturbance < b->disturbance ? -1 : 1;
    if (a->use < b->use || a->use > b->use)
        return a->use < b->use ? -1 : 1;
    return strcmp(a->node->name, b->node->name);
}

static struct leaver leaver_of(struct core *core, struct node *node, uint32_t group)
{
    struct leaver leaver = {.node = node,
                            .group = group,
                            .use = larger_share(node),
                            .price_hour = policy_node_price(core, node),
                            .paid_left_ms = policy_paid_left_ms(core, node)};
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next) {
        if (!life_pod_counts(core, pod))
            continue;
        leaver.pods++;
        leaver.disturbance += policy_pod_weight(pod);
    }
    return leaver;
}

static bool unfit_lately(struct core *core, const struct node *node)
{
    const struct policy_unfit *slot = policy_unfit_slot(core, node);
    return slot->node_name == node->name && core->now_ms < slot->until_ms;
}

static void find_leavers(struct shrink *shrink)
{
    struct core *core = shrink->core;
    struct cluster *cluster = core->cluster;
    shrink->leavers = ARENA_ARRAY(shrink->arena, struct leaver, cluster->node_count + 1);
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        struct node *node = cluster->nodes[i];
        policy_node_window(core, node);
        if (node->underused_since_ms == 0)
            continue;
        if (unfit_lately(core, node)) {
            come_back(shrink, policy_unfit_slot(core, node)->until_ms);
            continue;
        }
        struct node_answer answer = policy_node_rules(core, node);
        if (answer.verdict == RULE_WAITS && answer.due_ms > 0)
            come_back(shrink, answer.due_ms);
        if (answer.verdict != RULE_PASS)
            continue;
        uint32_t group = policy_group_index(cluster, node->intention->group);
        shrink->leavers[shrink->count++] = leaver_of(core, node, group);
    }
    if (shrink->count > 1)
        qsort(shrink->leavers, shrink->count, sizeof(struct leaver), by_gain);
}

// ---- how many may go

static void measure_room(struct shrink *shrink)
{
    struct core *core = shrink->core;
    struct cluster *cluster = core->cluster;
    shrink->room = policy_removal_room(core);
    shrink->rooms = ARENA_ARRAY(shrink->arena, struct group_room, cluster->group_count + 1);
    for (uint32_t i = 0; i < cluster->group_count; i++) {
        struct group *group = cluster->groups[i];
        shrink->rooms[i] = (struct group_room){
            // a lost one does not stay
            .minimum = (int64_t)life_counts(core, group).sound - (int64_t)policy_minimum(group),
            .empty = policy_disruption_room(core, group, DISRUPTION_EMPTY).left,
            .underused = policy_disruption_room(core, group, DISRUPTION_UNDERUSED).left};
    }
}

static bool has_room(const struct shrink *shrink, const struct leaver *leaver)
{
    const struct group_room *room = &shrink->rooms[leaver->group];
    bool empty = leaver->pods == 0;
    return (empty ? shrink->room.empty : shrink->room.any) > 0 && room->minimum > 0 &&
           (empty ? room->empty : room->underused) > 0;
}

// Each budget counts every node of the group that goes, whatever the reason.
static void take_room(struct shrink *shrink, const struct leaver *leaver)
{
    struct group_room *room = &shrink->rooms[leaver->group];
    shrink->room.empty -= shrink->room.common || leaver->pods == 0;
    shrink->room.any -= shrink->room.common || leaver->pods > 0;
    room->minimum--;
    room->empty -= room->empty < INT64_MAX;
    room->underused -= room->underused < INT64_MAX;
}

// ---- a set that fits

static bool try_leaver(struct shrink *shrink, struct leaver *leaver)
{
    struct elsewhere *elsewhere = &shrink->elsewhere;
    if (elsewhere_needs(elsewhere, leaver->node))
        return false; // something else was promised its space
    if (leaver->pods > 0 && !elsewhere_spend(elsewhere, &leaver->node, 1))
        return false;
    struct leave leave = elsewhere_leave(elsewhere, &leaver->node, 1, true, false);
    if (leave.placed == leave.pod_count) {
        elsewhere_keep(elsewhere, &leave);
        return true;
    }
    elsewhere_undo(elsewhere, &leave);
    elsewhere_refund(elsewhere, &leaver->node, 1);
    *policy_unfit_slot(shrink->core, leaver->node) =
        (struct policy_unfit){.node_name = leaver->node->name, .until_ms = shrink->core->now_ms + UNFIT_MS};
    return false;
}

static void choose(struct shrink *shrink)
{
    uint32_t tried = 0;
    bool pictured = false;
    for (uint32_t i = 0; i < shrink->count && tried < PLANS_MAX; i++) {
        struct leaver *leaver = &shrink->leavers[i];
        if (!has_room(shrink, leaver))
            continue;
        if (!pictured)
            shrink->elsewhere = elsewhere_create(shrink->core, shrink->arena, false);
        pictured = true;
        tried += leaver->pods > 0;
        if (!try_leaver(shrink, leaver))
            continue;
        leaver->chosen = true;
        take_room(shrink, leaver);
    }
}

// ---- the decision

static void append_name(char *names, size_t bytes, uint32_t index, const char *name)
{
    size_t used = strlen(names);
    if (index < NAMES_MAX)
        snprintf(names + used, bytes - used, " %.60s", name);
}

struct removal { // of one group, in words
    uint32_t nodes;
    const char *only; // the node, when it is one
    char summary[700], reason[200];
};

static bool describe_removal(const struct shrink *shrink, const struct group *group, struct removal *removal)
{
    char names[600] = "";
    uint32_t pods = 0;
    double use = 0, price = 0;
    *removal = (struct removal){.only = ""};
    for (uint32_t i = 0; i < shrink->count; i++) {
        const struct leaver *leaver = &shrink->leavers[i];
        if (!leaver->chosen || leaver->node->intention->group != group)
            continue;
        append_name(names, sizeof(names), removal->nodes++, leaver->node->name);
        pods += leaver->pods;
        price += leaver->price_hour;
        use = leaver->use > use ? leaver->use : use;
        removal->only = leaver->node->name;
    }
    if (removal->nodes > NAMES_MAX)
        snprintf(removal->summary, sizeof(removal->summary), "remove%s and %u more", names,
                 removal->nodes - NAMES_MAX);
    else
        snprintf(removal->summary, sizeof(removal->summary), "remove%s", names);
    if (pods == 0)
        snprintf(removal->reason, sizeof(removal->reason), "empty, saves $%.2f/h", price);
    else
        snprintf(removal->reason, sizeof(removal->reason),
                 "underused, at most %.0f%% requested; %u pod%s fit%s elsewhere; saves $%.2f/h", use, pods,
                 policy_plural(pods), pods == 1 ? "s" : "", price);
    return removal->nodes > 0;
}

static void begin_removals(struct shrink *shrink, struct group *group, uint64_t decision_id)
{
    struct core *core = shrink->core;
    group_life(core, group)->last_scale_down_ms = core->now_ms;
    core->policy->last_removal_ms = core->now_ms;
    for (uint32_t i = 0; i < shrink->count; i++) {
        struct leaver *leaver = &shrink->leavers[i];
        if (!leaver->chosen || leaver->node->intention->group != group)
            continue;
        if (life_remove(core, leaver->node, REMOVAL_VOLUNTARY, decision_id))
            continue;
        // what is known of its machine forbids it: its window begins anew, so that this is not said all the
        // time
        leaver->node->underused_since_ms = core->now_ms;
        core_note(core, NOTE_WARN, decision_id, arena_printf(shrink->arena, "node %s", leaver->node->name),
                  "its removal could not begin: %s", life_of(leaver->node->intention)->held);
    }
}

// A dry decision is made once, as nothing comes of it.
static void remove_of_group(struct shrink *shrink, struct group *group)
{
    struct core *core = shrink->core;
    struct removal removal;
    if (!describe_removal(shrink, group, &removal))
        return;
    bool write = core_may_write(core);
    struct group_life_private *policy = group_policy(core, group);
    uint64_t hash = policy_hash(0, removal.summary);
    if (!write && policy->dry_removal_hash == hash)
        return;
    policy->dry_removal_hash = write ? 0 : hash;
    struct decision *decision =
        core_decide(core, DECISION_REMOVE, group->facts.name, removal.nodes == 1 ? removal.only : "",
                    removal.summary, removal.reason);
    for (uint32_t i = 0; i < shrink->count; i++)
        if (shrink->leavers[i].chosen && shrink->leavers[i].node->intention->group == group)
            core_decision_takes(decision, shrink->leavers[i].node);
    uint64_t id = decision->id;
    core_note(core, NOTE_INFO, id, arena_printf(shrink->arena, "group %s", group->facts.name),
              "D%llu %s   %s%s%s%s", (unsigned long long)id, removal.summary, removal.reason,
              write ? "" : " (not done: ", decision->withheld, write ? "" : ")");
    if (!write)
        return;
    core_event_group(core, group, id, false, "ScaleDown", "D%llu %s: %s", (unsigned long long)id,
                     removal.summary, removal.reason);
    begin_removals(shrink, group, id);
}

static void remove_chosen(struct shrink *shrink)
{
    for (uint32_t g = 0; g < shrink->core->cluster->group_count; g++)
        remove_of_group(shrink, shrink->core->cluster->groups[g]);
}

// ---- for explain

struct node_fit policy_node_fit(struct core *core, struct node *node, struct arena *arena)
{
    struct node_fit fit = {0};
    struct elsewhere elsewhere = elsewhere_create(core, arena, false);
    if (elsewhere_needs(&elsewhere, node))
        snprintf(fit.needed, sizeof(fit.needed), "waiting or moving pods count on it");
    struct leave leave = elsewhere_leave(&elsewhere, &node, 1, false, true);
    fit.pods = leave.pod_count;
    fit.placed = leave.placed;
    snprintf(fit.miss, sizeof(fit.miss), "%s", leave.miss);
    return fit;
}

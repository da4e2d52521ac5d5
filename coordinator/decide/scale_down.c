#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/policy.h"
#include "coordinator/decide/rules.h"

// The story: every few seconds look for nodes that pass all rules; plan those that can go *together* against
// one picture of free space, in which waiting pods and the pods of leaving nodes have been put first; begin
// to remove them.

// Plans tried in one look: the rest waits for the next one.
#define PLANS_MAX 200u
// Names of nodes in a decision's line.
#define NAMES_MAX 8u

struct leaver { // a node that passes all rules
    struct node *node;
    uint32_t pods; // that count
    double use;    // the larger requested share, percent
    double price_hour;
    bool chosen;
};

struct shrink {
    struct core *core;
    struct arena *arena;
    struct leaver *leavers;
    uint32_t count;
    struct free_space space;
    bool *taken;                  // by place: somebody's pods were planned onto it
    int32_t *allowance;           // by budget: disruptions left after the plan so far
    int64_t room_empty, room_any; // how many more may begin to leave
};

static bool shrink_due(struct core *core);
static void find_leavers(struct shrink *shrink);
static void picture(struct shrink *shrink);
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
        picture(&shrink);
        choose(&shrink);
        remove_chosen(&shrink);
    }
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

// Fewest pods, least used, dearest, then by name.
static int by_gain(const void *left, const void *right)
{
    const struct leaver *a = left;
    const struct leaver *b = right;
    if (a->pods != b->pods)
        return a->pods < b->pods ? -1 : 1;
    if (a->use < b->use || a->use > b->use)
        return a->use < b->use ? -1 : 1;
    if (a->price_hour < b->price_hour || a->price_hour > b->price_hour)
        return a->price_hour > b->price_hour ? -1 : 1;
    return strcmp(a->node->name, b->node->name);
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
        struct node_answer answer = policy_node_rules(core, node);
        if (answer.verdict == RULE_WAITS && answer.due_ms > 0)
            come_back(shrink, answer.due_ms);
        if (answer.verdict != RULE_PASS)
            continue;
        shrink->leavers[shrink->count++] = (struct leaver){.node = node,
                                                           .pods = policy_node_pods(core, node),
                                                           .use = larger_share(node),
                                                           .price_hour = policy_node_price(core, node)};
    }
    if (shrink->count > 1)
        qsort(shrink->leavers, shrink->count, sizeof(struct leaver), by_gain);
}

// ---- the picture

static void put_waiting(struct core *core, struct arena *arena, struct packing *packing, bool *taken)
{
    const struct pod **pods;
    uint32_t count = policy_waiting(core, arena, false, &pods, NULL);
    struct resources reference = {.cpu_millis = 1000, .memory_bytes = (int64_t)4 << 30, .pods = 110};
    if (packing->place_count > 0)
        reference = *packing->places[0].allocatable;
    packing_order(pods, count, &reference);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = packing_put(packing, pods[i]->shape, NULL);
        if (place != UINT32_MAX)
            taken[place] = true;
    }
    // preemption makes room there; the pod is about to come
    for (const struct pod *pod = core->cluster->unbound; pod != NULL; pod = pod->next)
        for (uint32_t i = 0; pod->nominated_node[0] != '\0' && i < packing->place_count; i++)
            if (strcmp(packing->places[i].name, pod->nominated_node) == 0)
                taken[i] = true;
}

static bool spend_allowance(struct shrink *shrink, const struct node *node)
{
    struct cluster *cluster = shrink->core->cluster;
    for (uint32_t i = 0; i < cluster->budget_count; i++) {
        bool concerned = false;
        for (const struct pod *pod = node->pods; pod != NULL && !concerned; pod = pod->next)
            concerned = life_pod_counts(shrink->core, pod) && budget_selects(cluster->budgets[i], pod);
        if (concerned && shrink->allowance[i]-- <= 0)
            return false;
    }
    return true;
}

static void picture(struct shrink *shrink)
{
    struct core *core = shrink->core;
    struct cluster *cluster = core->cluster;
    shrink->space = policy_free_space(core, shrink->arena, false);
    shrink->taken = shrink->space.promised;
    put_waiting(core, shrink->arena, &shrink->space.packing, shrink->taken);
    shrink->allowance = ARENA_ARRAY(shrink->arena, int32_t, cluster->budget_count + 1);
    for (uint32_t i = 0; i < cluster->budget_count; i++)
        shrink->allowance[i] = cluster->budgets[i]->disruptions_allowed;
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct intention *intention = cluster->nodes[i]->intention;
        const struct life *life = intention != NULL ? intention->decide : NULL;
        if (life != NULL && life->step >= LIFE_CORDON && life->step < LIFE_UNDO)
            (void)spend_allowance(shrink, cluster->nodes[i]); // what leaves already will need them
    }
    const struct config_facts *config = cluster->config;
    int64_t leaving = policy_leaving(core, false);
    int64_t leaving_empty = policy_leaving(core, true);
    if (config != NULL && config->max_concurrent_scale_downs > 0) {
        shrink->room_any = config->max_concurrent_scale_downs - leaving;
        shrink->room_empty = shrink->room_any;
    } else {
        shrink->room_any = 1 - (leaving - leaving_empty);
        shrink->room_empty = core->config.max_empty_removals - leaving;
    }
}

// ---- a set that fits

static uint32_t place_of(const struct packing *packing, const struct node *node)
{
    for (uint32_t i = 0; i < packing->place_count; i++)
        if (packing->places[i].node == node)
            return i;
    return UINT32_MAX;
}

// Put all of the node's pods on other nodes; nothing is left behind when it does not work out.
static bool move_pods(struct core *core, struct packing *packing, const struct node *node, bool *taken,
                      struct node_fit *fit, struct arena *arena)
{
    uint32_t count = policy_node_pods(core, node);
    const struct pod **pods = ARENA_ARRAY(arena, const struct pod *, count + 1);
    uint32_t *places = ARENA_ARRAY(arena, uint32_t, count + 1);
    uint32_t used = 0;
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next)
        if (life_pod_counts(core, pod))
            pods[used++] = pod;
    packing_order(pods, count, &node->allocatable);
    uint32_t placed = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct placement why = {0};
        places[i] = packing_put(packing, pods[i]->shape, &why);
        if (places[i] != UINT32_MAX) {
            placed++;
            continue;
        }
        if (fit == NULL)
            break;
        if (fit->miss[0] == '\0') {
            char text[120];
            placement_describe(&why, text, sizeof(text));
            snprintf(fit->miss, sizeof(fit->miss), "%.30s/%.40s: %.119s", pods[i]->space, pods[i]->name,
                     text);
        }
    }
    if (fit != NULL) {
        fit->pods = count;
        fit->placed = placed;
    }
    bool all = placed == count;
    for (uint32_t i = 0; i < count; i++) {
        if (places[i] == UINT32_MAX)
            break;
        if (all && taken != NULL)
            taken[places[i]] = true;
        if (!all)
            packing_take(packing, places[i], pods[i]->shape);
    }
    return all;
}

static bool try_leaver(struct shrink *shrink, const struct leaver *leaver)
{
    struct packing *packing = &shrink->space.packing;
    uint32_t place = place_of(packing, leaver->node);
    if (place != UINT32_MAX && shrink->taken[place])
        return false; // something else was promised its space
    if (leaver->pods > 0 && !spend_allowance(shrink, leaver->node))
        return false;
    packing_remove_node(packing, leaver->node);
    if (leaver->pods == 0 ||
        move_pods(shrink->core, packing, leaver->node, shrink->taken, NULL, shrink->arena))
        return true;
    packing_restore_node(packing, leaver->node);
    return false;
}

static void choose(struct shrink *shrink)
{
    struct core *core = shrink->core;
    uint32_t *ready = ARENA_ARRAY(shrink->arena, uint32_t, core->cluster->group_count + 1);
    for (uint32_t i = 0; i < core->cluster->group_count; i++)
        ready[i] = life_counts(core, core->cluster->groups[i]).sound; // a lost one does not stay
    uint32_t tried = 0;
    for (uint32_t i = 0; i < shrink->count; i++) {
        struct leaver *leaver = &shrink->leavers[i];
        int64_t *room = leaver->pods == 0 ? &shrink->room_empty : &shrink->room_any;
        struct group *group = leaver->node->intention->group;
        uint32_t index = 0;
        while (core->cluster->groups[index] != group)
            index++;
        if (*room <= 0 || (int64_t)ready[index] <= (int64_t)group->facts.min_nodes)
            continue;
        if (leaver->pods > 0 && ++tried > PLANS_MAX)
            continue;
        if (!try_leaver(shrink, leaver))
            continue;
        leaver->chosen = true;
        ready[index]--;
        (*room)--;
        if (core->cluster->config != NULL && core->cluster->config->max_concurrent_scale_downs > 0)
            shrink->room_empty = shrink->room_any = *room; // one limit for both
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
    struct free_space space = policy_free_space(core, arena, false);
    put_waiting(core, arena, &space.packing, space.promised);
    uint32_t place = place_of(&space.packing, node);
    if (place != UINT32_MAX && space.promised[place])
        snprintf(fit.needed, sizeof(fit.needed), "waiting or moving pods count on it");
    packing_remove_node(&space.packing, node);
    (void)move_pods(core, &space.packing, node, NULL, &fit, arena);
    return fit;
}

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/decide/scale_up.h"

// The story: when a look is due, deal the waiting pods out to free space and machines on their way
// (scale_up_deal.c); order the cheapest machines for the rest (scale_up_plan.c); say of every pod what
// becomes of it (scale_up_miss.c). The same state gives the same deal, and what was ordered counts as space:
// so a second look orders nothing twice.

static bool look_due(struct core *core);
static void meet_minimums(struct look *look);
static void remember(struct look *look);

void look_due_at(struct look *look, int64_t due_ms)
{
    struct policy_shared *policy = look->core->policy;
    if (due_ms > 0 && (policy->look_due_ms == 0 || due_ms < policy->look_due_ms))
        policy->look_due_ms = due_ms;
}

static struct look *look_begin(struct core *core)
{
    struct policy_shared *policy = core->policy;
    arena_reset(policy->scratch);
    policy->look_wanted = false;
    policy->looked_ms = core->now_ms;
    policy->look_due_ms = 0;
    struct look *look = ARENA_NEW(policy->scratch, struct look);
    look->core = core;
    look->arena = policy->scratch;
    look->write = core_may_write(core);
    look->shared_room = look->room_now = UINT32_MAX;
    look->candidate_count = core->cluster->group_count;
    look->candidates = ARENA_ARRAY(look->arena, struct candidate, look->candidate_count + 1);
    for (uint32_t i = 0; i < look->candidate_count; i++) {
        struct candidate *candidate = &look->candidates[i];
        candidate->group = core->cluster->groups[i];
        candidate->growth = policy_growth(core, candidate->group);
        look_due_at(look, candidate->growth.due_ms);
        if (candidate->growth.rule != NULL)
            continue;
        if (candidate->growth.lasting_room < look->shared_room)
            look->shared_room = candidate->growth.lasting_room;
        if (candidate->growth.shared_room < look->room_now)
            look->room_now = candidate->growth.shared_room;
    }
    look_list_sizes(look);
    return look;
}

void scale_up_consider(struct core *core)
{
    if (!core->synced || !core->leading || !core->taken_over)
        return;
    policy_follow_use(core);
    policy_dynamic_groups(core);
    if (!look_due(core))
        return;
    struct look *look = look_begin(core);
    meet_minimums(look);
    int64_t grace_due_ms = 0;
    look->count = policy_waiting(core, look->arena, true, &look->pods, &grace_due_ms);
    look_due_at(look, grace_due_ms);
    if (look->count > 0 || core->config.headroom_count > 0) {
        look_deal(look);
        look_order_for_pods(look);
        look_say_helpless(look);
        look_order_headroom(look);
    }
    look_order_for_use(look);
    look_keep_promises(look);
    remember(look);
}

// ---- when to look

static uint64_t brakes_on(const struct core *core)
{
    uint64_t on = core_may_write(core);
    for (int i = 0; i < BRAKE_COUNT; i++)
        on = on << 1 | core->brakes[i].on;
    return on;
}

// Has anything changed that could let a pod be helped, or make it wait again? Not what we ordered ourselves.
static bool anything_new(const struct core *core)
{
    const struct policy_shared *policy = core->policy;
    return policy->look_wanted || policy->look_version != core->cluster->version ||
           policy->look_brakes != brakes_on(core) || policy->look_coming != policy_coming(core);
}

static bool look_due(struct core *core)
{
    struct policy_shared *policy = core->policy;
    if (core->burst_opened_ms != 0) {
        int64_t quiet_ms = core->burst_last_ms + core->config.burst_quiet_ms;
        int64_t latest_ms = core->burst_opened_ms + core->config.burst_max_ms;
        int64_t due_ms = quiet_ms < latest_ms ? quiet_ms : latest_ms;
        if (core->now_ms < due_ms) {
            core_wake_at(core, due_ms);
            return false;
        }
        core->burst_opened_ms = core->burst_last_ms = 0;
        return true;
    }
    if (policy->look_due_ms > 0 && policy->look_due_ms <= core->now_ms)
        return true;
    if (policy->look_due_ms > 0)
        core_wake_at(core, policy->look_due_ms);
    if (!anything_new(core))
        return false;
    int64_t next_ms = policy->looked_ms + POLICY_LOOK_AGAIN_MS;
    if (policy->looked_ms == 0 || core->now_ms >= next_ms)
        return true;
    core_wake_at(core, next_ms);
    return false;
}

// ---- a decision

static void count_order(struct look *look, struct size *size, uint32_t machines)
{
    struct candidate *candidate = &look->candidates[size->candidate];
    candidate->ordered += machines;
    candidate->spent += policy_size_price(look->core, candidate->group, size->size_id) * machines;
    size->ordered += machines;
    uint32_t *rooms[] = {&look->shared_room, &look->room_now};
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
        if (*rooms[i] != UINT32_MAX)
            *rooms[i] -= machines < *rooms[i] ? machines : *rooms[i];
}

static void carry_out(struct look *look, const struct size *size, uint32_t machines,
                      const struct decision *decision)
{
    struct core *core = look->core;
    struct group *group = look->candidates[size->candidate].group;
    struct group_life_private *policy = group_policy(core, group);
    core_event_group(core, group, decision->id, false, "ScaleUp", "D%llu %s: %s",
                     (unsigned long long)decision->id, decision->summary, decision->reason);
    group_life(core, group)->last_scale_up_ms = core->now_ms;
    policy->last_order_id = policy_order_of(policy, size->size_id)->decision_id = decision->id;
    core->policy->last_order_ms = core->now_ms;
    if (life_pool(core, group, size->size_id) != NULL)
        life_order_size(core, group, size->size_id, machines, decision->id, "metrics");
    else
        life_order(core, group, machines, decision->id, "metrics"); // VPSie's lists are not read yet
}

struct decision *look_order(struct look *look, struct size *size, uint32_t machines, const char *reason)
{
    struct core *core = look->core;
    struct candidate *candidate = &look->candidates[size->candidate];
    struct policy_order *before = policy_order_of(group_policy(core, candidate->group), size->size_id);
    const char *name = candidate->group->facts.name;
    char summary[300];
    if (candidate->size_count > 1)
        snprintf(summary, sizeof(summary), "order %u machine%s of size %.40s in %s", machines,
                 policy_plural(machines), look_size_name(look, size), name);
    else
        snprintf(summary, sizeof(summary), "order %u machine%s in %s", machines, policy_plural(machines),
                 name);
    count_order(look, size, machines);
    uint64_t hash = policy_hash(0, summary);
    struct decision *said = (struct decision *)(uintptr_t)core_decision(core, before->dry_id);
    if (!look->write && before->dry_hash == hash && said != NULL)
        return said; // and nothing came of it
    struct decision *decision = core_decide(core, DECISION_ORDER, name, "", summary, reason);
    core_decision_brings(decision, machines, size->size_id);
    before->dry_hash = look->write ? 0 : hash;
    before->dry_id = decision->id;
    core_note(core, NOTE_INFO, decision->id, arena_printf(look->arena, "group %s", name),
              "D%llu %s   %s%s%s%s", (unsigned long long)decision->id, summary, reason,
              look->write ? "" : " (not done: ", decision->withheld, look->write ? "" : ")");
    if (look->write)
        carry_out(look, size, machines, decision);
    return decision;
}

static uint32_t least_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t look_room(const struct look *look, const struct size *size)
{
    const struct candidate *candidate = &look->candidates[size->candidate];
    if (candidate->growth.rule != NULL || size->set_aside[0] != '\0' ||
        candidate->growth.room <= candidate->ordered)
        return 0;
    uint32_t room = least_of(candidate->growth.room - candidate->ordered, look->shared_room);
    double price = policy_size_price(look->core, candidate->group, size->size_id);
    double money = candidate->growth.price_room_hour - candidate->spent;
    if (candidate->growth.price_room_hour >= 0 && price > 0)
        room = money < price ? 0 : least_of(room, (uint32_t)(money / price + 1e-9));
    return least_of(room, look->room_now);
}

static void meet_minimum(struct look *look, struct candidate *candidate)
{
    struct life_counts counts = life_counts(look->core, candidate->group);
    uint32_t minimum = (uint32_t)policy_minimum(candidate->group);
    uint32_t have = counts.ready + counts.coming;
    struct size *size = have < minimum ? look_size_for_minimum(look, candidate) : NULL;
    if (size == NULL)
        return;
    char reason[160];
    bool own = (int64_t)minimum <= candidate->group->facts.min_nodes;
    snprintf(reason, sizeof(reason), "%s asks for %u, there %s %u", own ? "minNodes" : "minNodesPerRegion",
             minimum, have == 1 ? "is" : "are", have);
    look_order(look, size, least_of(minimum - have, look_room(look, size)), reason);
}

// One machine at a time; what it takes off the others shows when it is in service.
void look_order_for_use(struct look *look)
{
    for (uint32_t i = 0; i < look->candidate_count && look->write; i++) {
        struct candidate *candidate = &look->candidates[i];
        int64_t due_ms = policy_use_due_ms(look->core, candidate->group);
        if (due_ms == 0 || due_ms > look->core->now_ms || candidate->ordered > 0 ||
            life_counts(look->core, candidate->group).coming > 0)
            continue;
        struct size *size = look_size_in_use(look, candidate);
        if (size == NULL)
            continue;
        struct group_life_private *policy = group_policy(look->core, candidate->group);
        struct group_use use = policy_group_use(look->core, candidate->group, NULL);
        char reason[160], words[100], since[32];
        if (!policy_use_is_high(candidate->group, &use))
            continue;
        policy_say_use(candidate->group, &use, words, sizeof(words));
        policy_duration(since, sizeof(since), look->core->now_ms - policy->busy_since_ms);
        snprintf(reason, sizeof(reason), "%s, for %s", words, since);
        policy->busy_since_ms = 0;
        look_order(look, size, 1, reason);
    }
}

static void meet_minimums(struct look *look)
{
    for (uint32_t i = 0; i < look->candidate_count; i++)
        meet_minimum(look, &look->candidates[i]);
}

// ---- afterwards

// A limit that begins to keep a group from pods that wait is told once, on the group: above all those of an
// AutoscalerConfig, which nobody may have thought of for long.
static void tell_limit(struct look *look, const struct candidate *candidate)
{
    struct group_life_private *known = group_policy(look->core, candidate->group);
    const char *limit = candidate->limited > 0 ? candidate->growth.rule : NULL;
    if (limit != NULL && limit != known->told_limit && look->write)
        core_event_group(look->core, candidate->group, 0, true, "LimitReached", "%u pod%s wait%s: %s",
                         candidate->limited, policy_plural(candidate->limited),
                         candidate->limited == 1 ? "s" : "", candidate->growth.why);
    known->told_limit = limit;
    known->limited = candidate->limited;
}

static void remember(struct look *look)
{
    struct core *core = look->core;
    struct policy_shared *policy = core->policy;
    // after our own orders: they are no news to us
    policy->look_version = core->cluster->version;
    policy->look_brakes = brakes_on(core);
    policy->look_coming = policy_coming(core);
    policy->waiting = look->count;
    policy->helpless = look->helpless;
    policy->oldest_helpless_ms = look->oldest_helpless_ms;
    policy->waiting_cpu_millis = policy->waiting_memory_bytes = 0;
    for (uint32_t i = 0; i < look->count; i++) {
        policy->waiting_cpu_millis += look->pods[i]->shape->facts.requests.cpu_millis;
        policy->waiting_memory_bytes += look->pods[i]->shape->facts.requests.memory_bytes;
    }
    for (uint32_t i = 0; i < look->candidate_count; i++) {
        struct candidate *candidate = &look->candidates[i];
        struct group_life_private *known = group_policy(core, candidate->group);
        known->pending = candidate->pods;
        known->pending_since_ms = candidate->pods_since_ms;
        tell_limit(look, candidate);
        for (uint32_t k = 0; k < candidate->size_count; k++) {
            const struct size *size = &look->sizes[candidate->first_size + k];
            if (size->ordered == 0)
                policy_order_of(known, size->size_id)->dry_hash = 0;
        }
    }
    if (policy->look_due_ms > 0)
        core_wake_at(core, policy->look_due_ms);
}

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/scale_up.h"
#include "coordinator/model/quantity.h"

// Machines for the pods that are left: all sizes that are to be had are handed to the chooser, what it chose
// is ordered size by size, and of every pod that is served so is said.

// Kubernetes events one look may cause for pods: people read some, not thousands.
#define POD_EVENTS_MAX 20u

#define BACKUP_TIER 100u // of groups that are another data center's backup

struct planning {
    struct look *look;
    struct wish wish;
    struct choice *choices;
    struct choice_group *groups;
    struct size **size_of; // by choice
    struct chosen chosen;
    bool *kept; // by machine: ordered now (the others when those have come)
};

// ---- what is wished for

static double money_left(const struct candidate *candidate)
{
    double left = candidate->growth.price_room_hour;
    return left < 0 ? -1 : left > candidate->spent ? left - candidate->spent : 0;
}

static void add_choice(struct planning *planning, struct size *size)
{
    const struct candidate *candidate = &planning->look->candidates[size->candidate];
    if (candidate->growth.rule != NULL || size->set_aside[0] != '\0' || size->made.unknown[0] != '\0')
        return;
    bool backup = policy_is_backup(planning->look->core, candidate->group);
    uint32_t index = planning->wish.choice_count++;
    planning->size_of[index] = size;
    planning->choices[index] = (struct choice){.place = &size->made.place,
                                               .price_hour = size->made.price_hour,
                                               .group = size->candidate,
                                               .tier = size->tier + (backup ? BACKUP_TIER : 0)};
}

static void make_wish(struct planning *planning, const struct pod *const *pods, uint32_t count)
{
    struct look *look = planning->look;
    planning->choices = ARENA_ARRAY(look->arena, struct choice, look->size_count + 1);
    planning->size_of = ARENA_ARRAY(look->arena, struct size *, look->size_count + 1);
    planning->groups = ARENA_ARRAY(look->arena, struct choice_group, look->candidate_count + 1);
    for (uint32_t i = 0; i < look->candidate_count; i++) {
        const struct candidate *candidate = &look->candidates[i];
        uint32_t room = candidate->growth.room;
        planning->groups[i] =
            (struct choice_group){.room = room > candidate->ordered ? room - candidate->ordered : 0,
                                  .price_room_hour = money_left(candidate),
                                  .one_size = candidate->one_size,
                                  .priority = policy_group_priority(candidate->group)};
    }
    for (uint32_t i = 0; i < look->size_count; i++)
        add_choice(planning, &look->sizes[i]);
    planning->wish.arena = look->arena;
    planning->wish.packing = &look->space.packing;
    planning->wish.pods = pods;
    planning->wish.pod_count = count;
    planning->wish.choices = planning->choices;
    planning->wish.groups = planning->groups;
    planning->wish.group_count = look->candidate_count;
    planning->wish.room = look->shared_room;
    planning->wish.expander = look->core->config.expander;
    planning->wish.seed = look->core->config.seed ^ (uint64_t)look->core->now_ms;
}

// ---- what is ordered now

struct ranked {
    uint32_t pods, index;
};

static int by_pods(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->pods != b->pods)
        return a->pods > b->pods ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

// Of more machines than may be on their way at once, those that serve most pods.
static void keep_what_may_come(struct planning *planning)
{
    const struct chosen *chosen = &planning->chosen;
    struct arena *arena = planning->look->arena;
    struct ranked *ranked = ARENA_ARRAY(arena, struct ranked, chosen->machine_count + 1);
    planning->kept = ARENA_ARRAY(arena, bool, chosen->machine_count + 1);
    for (uint32_t i = 0; i < chosen->machine_count; i++)
        ranked[i] = (struct ranked){chosen->machines[i].pods, i};
    if (chosen->machine_count > planning->look->room_now)
        qsort(ranked, chosen->machine_count, sizeof(*ranked), by_pods);
    for (uint32_t i = 0; i < chosen->machine_count && i < planning->look->room_now; i++)
        planning->kept[ranked[i].index] = true;
}

static uint32_t kept_of(const struct planning *planning, uint32_t choice)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < planning->chosen.machine_count; i++)
        count += planning->kept[i] && planning->chosen.machines[i].choice == choice;
    return count;
}

static bool served_by(const struct planning *planning, uint32_t pod, uint32_t choice)
{
    uint32_t machine = planning->chosen.machine_of[pod];
    return machine < planning->chosen.machine_count && planning->kept[machine] &&
           planning->chosen.machines[machine].choice == choice;
}

// ---- in words

static double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0.0;
}

// "22 pods need 14.2 cpu, 1.1 free": in what they need most of, measured by the machine that serves them.
static void say_need(const struct planning *planning, uint32_t choice, char *reason, size_t bytes)
{
    const struct resources *brings = planning->choices[choice].place->allocatable;
    const struct resources *left = &planning->look->free;
    struct resources need = {0};
    for (uint32_t i = 0; i < planning->wish.pod_count; i++) {
        if (!served_by(planning, i, choice))
            continue;
        const struct resources *asks = &planning->wish.pods[i]->shape->facts.requests;
        need.cpu_millis += asks->cpu_millis;
        need.memory_bytes += asks->memory_bytes;
        need.pods += 1;
    }
    double cpu = share(need.cpu_millis, brings->cpu_millis);
    double memory = share(need.memory_bytes, brings->memory_bytes);
    double pods = share(need.pods, brings->pods);
    uint32_t count = (uint32_t)need.pods;
    const char *verb = count == 1 ? "s" : "";
    char asked[32], free_now[32];
    if (pods > cpu && pods > memory) {
        snprintf(reason, bytes, "%u pod%s wait%s, room for %lld", count, policy_plural(count), verb,
                 (long long)left->pods);
    } else if (memory > cpu) {
        quantity_format_memory(asked, sizeof(asked), need.memory_bytes);
        quantity_format_memory(free_now, sizeof(free_now), left->memory_bytes);
        snprintf(reason, bytes, "%u pod%s need%s %s memory, %s free", count, policy_plural(count), verb,
                 asked, free_now);
    } else {
        snprintf(reason, bytes, "%u pod%s need%s %.1f cpu, %.1f free", count, policy_plural(count), verb,
                 (double)need.cpu_millis / 1000.0, (double)left->cpu_millis / 1000.0);
    }
}

// Which of the ordered machines of this choice each one is.
static uint32_t *number_machines(const struct planning *planning, uint32_t choice)
{
    uint32_t *nth = ARENA_ARRAY(planning->look->arena, uint32_t, planning->chosen.machine_count + 1);
    uint32_t next = 0;
    for (uint32_t i = 0; i < planning->chosen.machine_count; i++)
        if (planning->kept[i] && planning->chosen.machines[i].choice == choice)
            nth[i] = next++;
    return nth;
}

static void say_served(struct planning *planning, uint32_t choice, const struct decision *decision,
                       uint32_t machines)
{
    struct look *look = planning->look;
    struct candidate *candidate = &look->candidates[planning->size_of[choice]->candidate];
    char verdict[80];
    snprintf(verdict, sizeof(verdict),
             look->write ? "served by D%llu" : "D%llu would serve it, but nothing is done now",
             (unsigned long long)decision->id);
    uint32_t *nth = number_machines(planning, choice);
    for (uint32_t i = 0; i < planning->wish.pod_count; i++) {
        if (!served_by(planning, i, choice))
            continue;
        const struct pod *pod = planning->wish.pods[i];
        look_say_of_pod(look, pod, verdict, decision->id);
        look_count_for(candidate, pod);
        if (look->write)
            look_promise(look, pod, decision->id, nth[planning->chosen.machine_of[i]]);
        if (look->write && look->events++ < POD_EVENTS_MAX)
            core_event_pod(look->core, pod, decision->id, false, "TriggeredScaleUp",
                           "D%llu ordered %u machine%s in %s", (unsigned long long)decision->id, machines,
                           policy_plural(machines), candidate->group->facts.name);
    }
}

// ---- the options, kept with the decision

static const char *why_not(const struct planning *planning, uint32_t choice)
{
    struct look *look = planning->look;
    const struct chosen_option *option = &planning->chosen.options[choice];
    double price = planning->chosen.price_hour;
    const struct size *size = planning->size_of[choice];
    if (option->pods == 0)
        return "fits none of these pods";
    if (size->doubt[0] != '\0')
        return size->doubt;
    if (size->tier > 0 && planning->chosen.served > 0)
        return "another size is preferred";
    if (option->price_hour_least <= 0)
        return "its price is not known";
    if (option->pods < planning->wish.pod_count)
        return arena_printf(look->arena, "fits %u of %u pods, for these at least $%.3f/h", option->pods,
                            planning->wish.pod_count, option->price_hour_least);
    if (option->price_hour_least > price * (1 + 1e-9))
        return arena_printf(look->arena, "at least $%.3f/h for all of them", option->price_hour_least);
    return arena_printf(look->arena,
                        "$%.3f/h at least for all of them, more once pods are put on whole machines",
                        option->price_hour_least);
}

// The options worth showing come first: those taken, then by what they would cost.
static double rank_of(const struct planning *planning, uint32_t choice)
{
    const struct chosen_option *option = &planning->chosen.options[choice];
    if (option->machines > 0)
        return -1;
    if (option->pods == 0)
        return 1e18;
    return option->price_hour_least / option->pods;
}

static void tell_options(struct planning *planning, struct decision *decision)
{
    struct look *look = planning->look;
    bool *told = ARENA_ARRAY(look->arena, bool, planning->wish.choice_count + 1);
    for (uint32_t n = 0; n < planning->wish.choice_count && n < DECISION_OPTIONS_MAX; n++) {
        uint32_t next = UINT32_MAX;
        for (uint32_t i = 0; i < planning->wish.choice_count; i++)
            if (!told[i] && (next == UINT32_MAX || rank_of(planning, i) < rank_of(planning, next)))
                next = i;
        told[next] = true;
        struct size *size = planning->size_of[next];
        const struct chosen_option *option = &planning->chosen.options[next];
        core_decision_option(decision, &(struct decision_option){
                                           .group = look->candidates[size->candidate].group->facts.name,
                                           .size = look_size_name(look, size),
                                           .price_hour = planning->choices[next].price_hour,
                                           .machines = option->machines,
                                           .pods = option->machines > 0 ? option->served : option->pods,
                                           .why = option->machines > 0 ? "taken" : why_not(planning, next)});
    }
    for (uint32_t i = 0; i < look->size_count; i++) {
        const struct size *size = &look->sizes[i];
        const struct candidate *candidate = &look->candidates[size->candidate];
        const char *why = candidate->growth.rule != NULL ? candidate->growth.why
                          : size->set_aside[0] != '\0'   ? size->set_aside
                                                         : size->made.unknown;
        if (why[0] != '\0' && candidate->group->facts.managed)
            core_decision_option(decision, &(struct decision_option){.group = candidate->group->facts.name,
                                                                     .size = look_size_name(look, size),
                                                                     .price_hour = size->made.price_hour,
                                                                     .why = why});
    }
}

// ---- the whole

static void order_choices(struct planning *planning)
{
    for (uint32_t choice = 0; choice < planning->wish.choice_count; choice++) {
        uint32_t machines = kept_of(planning, choice);
        if (machines == 0)
            continue;
        char reason[200];
        say_need(planning, choice, reason, sizeof(reason));
        struct decision *decision = look_order(planning->look, planning->size_of[choice], machines, reason);
        if (decision->option_count == 0)
            tell_options(planning, decision);
        say_served(planning, choice, decision, machines);
    }
}

static void say_free(struct planning *planning)
{
    for (uint32_t i = 0; i < planning->wish.pod_count; i++)
        if (planning->chosen.machine_of[i] == CHOSEN_FREE)
            look_say_of_pod(planning->look, planning->wish.pods[i],
                            "fits on what is there once the pods that it must be beside run", 0);
}

static void keep_the_rest(struct planning *planning)
{
    struct look *look = planning->look;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < planning->wish.pod_count; i++) {
        uint32_t machine = planning->chosen.machine_of[i];
        bool served =
            machine == CHOSEN_FREE || (machine < planning->chosen.machine_count && planning->kept[machine]);
        if (!served)
            look->left[kept++] = look->left[i];
    }
    look->left_count = kept;
}

// ---- several data centers

static uint32_t planned_in(const struct planning *planning, uint32_t candidate)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < planning->chosen.machine_count; i++)
        count += planning->choices[planning->chosen.machines[i].choice].group == candidate;
    return count;
}

static bool begins_family(const struct look *look, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (policy_same_family(look->candidates[i].group, look->candidates[index].group))
            return false;
    const struct multi_region_facts *regions = &look->candidates[index].group->facts.multi_region;
    return regions->enabled && regions->distribution != DISTRIBUTION_PRIMARY_BACKUP;
}

// Limits the groups of one family to their shares of what was planned. False when the plan has it so.
static bool limit_family(struct planning *planning, uint32_t first)
{
    struct look *look = planning->look;
    struct region_share *shares = ARENA_ARRAY(look->arena, struct region_share, look->candidate_count);
    uint32_t *candidates = ARENA_ARRAY(look->arena, uint32_t, look->candidate_count);
    uint32_t count = 0, machines = 0;
    for (uint32_t i = first; i < look->candidate_count; i++) {
        struct group *group = look->candidates[i].group;
        if (!policy_same_family(look->candidates[first].group, group))
            continue;
        struct life_counts counts = life_counts(look->core, group);
        shares[count] = (struct region_share){.group = group,
                                              .has = counts.ready + counts.coming,
                                              .room = planning->groups[i].room,
                                              .planned = planned_in(planning, i)};
        machines += shares[count].planned;
        candidates[count++] = i;
    }
    if (count < 2 || machines == 0 || !policy_share_out(shares, count, machines))
        return false;
    for (uint32_t i = 0; i < count; i++)
        planning->groups[candidates[i]].room = shares[i].gets;
    return true;
}

// The plan by price, once more with every data center's share as its limit; kept if it serves as many pods.
static void share_out(struct planning *planning, struct packing_mark before)
{
    struct look *look = planning->look;
    struct choice_group *groups = ARENA_ARRAY(look->arena, struct choice_group, look->candidate_count + 1);
    memcpy(groups, planning->groups, look->candidate_count * sizeof(*groups));
    bool changed = false;
    for (uint32_t i = 0; i < look->candidate_count; i++)
        changed = (begins_family(look, i) && limit_family(planning, i)) || changed;
    if (!changed)
        return;
    uint32_t served = planning->chosen.served;
    packing_rollback(&look->space.packing, before);
    planning->chosen = choose_machines(&planning->wish);
    if (planning->chosen.served >= served)
        return;
    memcpy(planning->groups, groups, look->candidate_count * sizeof(*groups));
    packing_rollback(&look->space.packing, before);
    planning->chosen = choose_machines(&planning->wish);
}

// False when nothing can be had.
static bool choose(struct planning *planning, const struct pod *const *pods, uint32_t count)
{
    look_make_sizes(planning->look);
    make_wish(planning, pods, count);
    if (planning->wish.choice_count == 0)
        return false;
    struct packing_mark before = packing_mark(&planning->look->space.packing);
    planning->chosen = choose_machines(&planning->wish);
    share_out(planning, before);
    keep_what_may_come(planning);
    return true;
}

void look_order_for_pods(struct look *look)
{
    const struct pod **pods = ARENA_ARRAY(look->arena, const struct pod *, look->left_count + 1);
    for (uint32_t i = 0; i < look->left_count; i++)
        pods[i] = look->pods[look->left[i]];
    struct planning planning = {.look = look};
    if (look->left_count == 0 || !choose(&planning, pods, look->left_count))
        return;
    order_choices(&planning);
    say_free(&planning);
    keep_the_rest(&planning);
}

// ---- headroom

static void order_headroom(struct planning *planning, uint32_t wanted)
{
    struct look *look = planning->look;
    for (uint32_t choice = 0; choice < planning->wish.choice_count; choice++) {
        uint32_t machines = kept_of(planning, choice);
        struct size *size = planning->size_of[choice];
        if (machines == 0 || (!look->write && size->ordered > 0))
            continue; // (a dry run says one thing of a size)
        char reason[120];
        snprintf(reason, sizeof(reason), "headroom: %u of %u pieces have no room", planning->wish.pod_count,
                 wanted);
        struct decision *decision = look_order(look, size, machines, reason);
        if (decision->option_count == 0)
            tell_options(planning, decision);
    }
}

void look_order_headroom(struct look *look)
{
    const struct core_config *config = &look->core->config;
    struct policy_shared *policy = look->core->policy;
    const struct pod **pods;
    uint32_t wanted = headroom_pods(look->arena, look->core->cluster, config->headroom,
                                    (uint32_t)config->headroom_count, &pods);
    uint32_t left = 0;
    for (uint32_t i = 0; i < wanted; i++)
        if (packing_put(&look->space.packing, pods[i], NULL) == UINT32_MAX)
            pods[left++] = pods[i];
    policy->headroom_wanted = wanted;
    policy->headroom_lacking = left;
    struct planning planning = {.look = look};
    if (left > 0 && choose(&planning, pods, left))
        order_headroom(&planning, wanted);
}

#include "coordinator/decide/choose.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "coordinator/decide/choose_draft.h"

// The story: draft on paper (choose_draft.h) what the pods need, tier by tier and part by part; put it on the
// packing, pod by pod, with all rules; what a rule kept from its machine is drafted once more, against what
// is there now. At the end every machine that nothing landed on is gone, and what is promised was put.

#define ROUNDS_MAX 6u

struct choosing {
    const struct wish *wish;
    struct drafting *drafting;
    struct packing_mark start;
    struct draft_room room;
    struct chosen chosen;
    uint32_t machine_capacity;
    uint32_t *sequence; // pods that were put, in order
    bool *banned;       // by choice: its group has another size
    double *cost_alone; // by choice, for the pods that it can serve
    uint32_t batches;   // drafts that were put
    bool fresh;         // the kinds are those of the beginning: nothing was put since, no choice was closed
    uint64_t draws;     // of EXPANDER_RANDOM
};

// ---- machines of the answer

static uint32_t add_machine(struct choosing *choosing, uint32_t choice)
{
    struct chosen *chosen = &choosing->chosen;
    if (chosen->machine_count == choosing->machine_capacity) {
        choosing->machine_capacity = choosing->machine_capacity == 0 ? 64 : choosing->machine_capacity * 2;
        struct chosen_machine *machines =
            ARENA_ARRAY(choosing->wish->arena, struct chosen_machine, choosing->machine_capacity);
        if (chosen->machine_count > 0)
            memcpy(machines, chosen->machines, chosen->machine_count * sizeof(*machines));
        chosen->machines = machines;
    }
    chosen->machines[chosen->machine_count] = (struct chosen_machine){
        .choice = choice,
        .place = packing_add(choosing->wish->packing, choosing->wish->choices[choice].place)};
    return chosen->machine_count++;
}

static bool put_on(struct choosing *choosing, uint32_t pod, uint32_t machine)
{
    struct chosen *chosen = &choosing->chosen;
    if (!packing_put_at(choosing->wish->packing, chosen->machines[machine].place, choosing->wish->pods[pod],
                        NULL))
        return false;
    chosen->machine_of[pod] = machine;
    chosen->machines[machine].pods++;
    choosing->sequence[chosen->served++] = pod;
    return true;
}

// ---- from paper to the packing

struct intended {
    uint32_t pod, machine;
};

// In turns: a rule that looks at what others hold (an even spread, a pod to be near to) may let a pod in
// later that it kept out before.
static void put_all(struct choosing *choosing, struct intended *intended, uint32_t count)
{
    uint32_t before = UINT32_MAX;
    while (count > 0 && count < before) {
        before = count;
        uint32_t kept = 0;
        for (uint32_t i = 0; i < count; i++)
            if (!put_on(choosing, intended[i].pod, intended[i].machine))
                intended[kept++] = intended[i];
        count = kept;
    }
}

// Pods that are bound to a domain come first, in the order in which their domains took them; then those of
// which a machine holds few; then the others.
static void in_turn(struct choosing *choosing, struct intended *intended, uint32_t count, const bool *capped)
{
    const struct drafting *drafting = choosing->drafting;
    struct arena *arena = choosing->wish->arena;
    uint32_t *at = ARENA_ARRAY(arena, uint32_t, drafting->turns + 1); // by turn, its place below plus one
    struct intended *ordered = ARENA_ARRAY(arena, struct intended, count + 1);
    uint32_t next = 0;
    for (uint32_t i = 0; i < count; i++)
        at[drafting->turn[intended[i].pod]] = i + 1;
    for (uint32_t turn = 1; turn <= drafting->turns; turn++)
        if (at[turn] > 0)
            ordered[next++] = intended[at[turn] - 1];
    for (int few = 1; few >= 0; few--)
        for (uint32_t i = 0; i < count; i++)
            if (drafting->turn[intended[i].pod] == 0 && capped[i] == (few == 1))
                ordered[next++] = intended[i];
    memcpy(intended, ordered, count * sizeof(*intended));
}

// The pods of a kind go to its machines one by one in turn, so that what has to be even stays even.
static void put_draft(struct choosing *choosing, const struct draft *draft)
{
    struct drafting *drafting = choosing->drafting;
    struct arena *arena = choosing->wish->arena;
    uint32_t *machine = ARENA_ARRAY(arena, uint32_t, draft->count + 1);
    uint32_t *next = ARENA_ARRAY(arena, uint32_t, drafting->kind_count + 1);
    struct intended *intended = ARENA_ARRAY(arena, struct intended, (size_t)draft->pods + 1);
    bool *capped = ARENA_ARRAY(arena, bool, (size_t)draft->pods + 1);
    uint32_t count = 0, most = 0;
    for (uint32_t i = 0; i < draft->count; i++) {
        machine[i] = add_machine(choosing, draft->machines[i].choice);
        for (uint32_t k = 0; k < draft->machines[i].load_count; k++)
            if (draft->machines[i].loads[k].count > most)
                most = draft->machines[i].loads[k].count;
    }
    for (uint32_t turn = 0; turn < most; turn++)
        for (uint32_t i = 0; i < draft->count; i++)
            for (uint32_t k = 0; k < draft->machines[i].load_count; k++) {
                const struct draft_load *load = &draft->machines[i].loads[k];
                if (load->count <= turn)
                    continue;
                const struct draft_kind *kind = &drafting->kinds[load->kind];
                assert(next[load->kind] < kind->count);
                capped[count] = kind->cap_count > 0;
                intended[count++] = (struct intended){
                    .pod = drafting->members[kind->first + next[load->kind]++], .machine = machine[i]};
            }
    in_turn(choosing, intended, count, capped);
    put_all(choosing, intended, count);
}

// What fits now on what the plan brings, or beside the pods that it has placed.
static void put_anywhere(struct choosing *choosing)
{
    struct chosen *chosen = &choosing->chosen;
    const struct wish *wish = choosing->wish;
    if (chosen->machine_count == 0)
        return;
    uint32_t first = chosen->machines[0].place;
    for (uint32_t i = 0; i < wish->pod_count; i++) {
        if (chosen->machine_of[i] != CHOSEN_NONE)
            continue;
        uint32_t place = packing_put(wish->packing, wish->pods[i], NULL);
        if (place == UINT32_MAX)
            continue;
        chosen->machine_of[i] = place < first ? CHOSEN_FREE : place - first;
        if (place >= first)
            chosen->machines[place - first].pods++;
        choosing->sequence[chosen->served++] = i;
    }
}

// All machines are there before the first pod is put, as they will be for the scheduler: a rule that looks at
// empty machines, too, must hold then. Those that nothing lands on go.
static void put_anew(struct choosing *choosing)
{
    struct chosen *chosen = &choosing->chosen;
    const struct chosen_machine *machines = chosen->machines;
    uint32_t count = chosen->machine_count, served = chosen->served;
    packing_rollback(choosing->wish->packing, choosing->start);
    uint32_t *now = ARENA_ARRAY(choosing->wish->arena, uint32_t, count + 1);
    chosen->machine_count = choosing->machine_capacity = 0;
    for (uint32_t i = 0; i < count; i++)
        if (machines[i].pods > 0)
            now[i] = add_machine(choosing, machines[i].choice);
        else
            draft_room_give(choosing->drafting, &choosing->room, machines[i].choice);
    struct intended *intended = ARENA_ARRAY(choosing->wish->arena, struct intended, served + 1);
    uint32_t again = 0;
    for (uint32_t i = 0; i < served; i++) {
        uint32_t pod = choosing->sequence[i], machine = chosen->machine_of[pod];
        chosen->machine_of[pod] = CHOSEN_NONE;
        if (machine != CHOSEN_FREE)
            intended[again++] = (struct intended){.pod = pod, .machine = now[machine]};
    }
    chosen->served = 0;
    put_all(choosing, intended, again);
    put_anywhere(choosing);
}

static bool has_empty(const struct chosen *chosen)
{
    for (uint32_t i = 0; i < chosen->machine_count; i++)
        if (chosen->machines[i].pods == 0)
            return true;
    return false;
}

// ---- which choices are looked at together

struct opening {
    uint32_t group, choice, tier; // DRAFT_NONE: any
    const int32_t *priority;      // NULL: any
};

static bool open_choices(struct choosing *choosing, struct opening opening)
{
    const struct wish *wish = choosing->wish;
    bool any = false;
    for (uint32_t i = 0; i < wish->choice_count; i++) {
        const struct choice *choice = &wish->choices[i];
        bool open = !choosing->banned[i] && (opening.group == DRAFT_NONE || choice->group == opening.group) &&
                    (opening.choice == DRAFT_NONE || i == opening.choice) &&
                    (opening.tier == DRAFT_NONE || choice->tier == opening.tier) &&
                    (opening.priority == NULL || wish->groups[choice->group].priority == *opening.priority) &&
                    draft_room_has(choosing->drafting, &choosing->room, i);
        choosing->drafting->closed[i] = !open;
        any = any || open;
    }
    return any;
}

static uint32_t *all_left(const struct drafting *drafting)
{
    uint32_t *left = ARENA_ARRAY(drafting->arena, uint32_t, drafting->kind_count + 1);
    for (uint32_t i = 0; i < drafting->kind_count; i++)
        left[i] = drafting->kinds[i].count;
    return left;
}

// How many of a spread's pods one machine may hold depends on how many machines there will be.
static void level(struct choosing *choosing, uint32_t parts, const struct draft_room *room)
{
    struct drafting *drafting = choosing->drafting;
    bool spread = false;
    for (uint32_t cap = 0; cap < drafting->cap_count; cap++)
        spread = spread || drafting->cap_skew[cap] > 0;
    if (!spread)
        return;
    uint32_t machines = choosing->chosen.machine_count, *left = all_left(drafting);
    struct draft_room copy = draft_room_copy(drafting, room);
    for (uint32_t part = 0; part < parts; part++) {
        drafting_use_part(drafting, part);
        machines += draft_make(drafting, left, &copy, DRAFT_CAPPED, DRAFT_NONE).count;
    }
    drafting_even_out(drafting, machines);
}

static struct draft draft_open(struct choosing *choosing, struct draft_room *room)
{
    struct drafting *drafting = choosing->drafting;
    struct draft whole = {0};
    uint32_t *left = all_left(drafting);
    uint32_t parts = drafting_parts(drafting);
    level(choosing, parts, room);
    for (uint32_t part = 0; part < parts; part++) {
        drafting_use_part(drafting, part);
        struct draft draft = draft_best(drafting, left, room);
        for (uint32_t i = 0; i < draft.count; i++)
            draft_add(drafting, &whole, &draft.machines[i]);
    }
    return whole;
}

// The kinds of the pods that have no machine, as the open choices can serve them.
static void take_kinds(struct choosing *choosing, uint32_t round)
{
    const struct drafting *drafting = choosing->drafting;
    bool same = choosing->fresh && round == 0;
    for (uint32_t i = 0; i < choosing->wish->choice_count; i++)
        same = same && !drafting->closed[i];
    choosing->fresh = false;
    choosing->drafting->round = round;
    if (!same)
        drafting_take_kinds(choosing->drafting, choosing->chosen.machine_of);
}

// Serve what these choices can serve. Has it served anything?
static bool serve_with(struct choosing *choosing, struct opening opening)
{
    struct chosen *chosen = &choosing->chosen;
    uint32_t at_first = chosen->served;
    for (uint32_t round = 0; round < ROUNDS_MAX && chosen->served < choosing->wish->pod_count; round++) {
        if (!open_choices(choosing, opening))
            break;
        take_kinds(choosing, round);
        struct draft draft = draft_open(choosing, &choosing->room);
        uint32_t before = chosen->served;
        put_draft(choosing, &draft);
        bool all = chosen->served - before == draft.pods;
        if (!all)
            put_anywhere(choosing);
        if (choosing->batches++ > 0 && draft.count > 0)
            put_anew(choosing);
        while (has_empty(chosen)) // one fewer each time
            put_anew(choosing);
        if (all || chosen->served <= before)
            break;
    }
    return chosen->served > at_first;
}

static bool serve_by_tiers(struct choosing *choosing, struct opening opening)
{
    const struct wish *wish = choosing->wish;
    bool served = false;
    uint32_t tier = 0;
    while (tier != DRAFT_NONE) {
        opening.tier = tier;
        served = serve_with(choosing, opening) || served;
        uint32_t next = DRAFT_NONE;
        for (uint32_t i = 0; i < wish->choice_count; i++)
            if (wish->choices[i].tier > tier && wish->choices[i].tier < next)
                next = wish->choices[i].tier;
        tier = next;
    }
    return served;
}

// ---- expanders

static const struct opening ANY = {.group = DRAFT_NONE, .choice = DRAFT_NONE, .tier = DRAFT_NONE};

static void by_priority(struct choosing *choosing)
{
    const struct wish *wish = choosing->wish;
    int64_t below = INT64_MAX;
    for (;;) {
        int64_t highest = INT64_MIN;
        for (uint32_t i = 0; i < wish->group_count; i++)
            if (wish->groups[i].priority < below && wish->groups[i].priority > highest)
                highest = wish->groups[i].priority;
        if (highest == INT64_MIN)
            return;
        int32_t priority = (int32_t)highest;
        struct opening opening = ANY;
        opening.priority = &priority;
        serve_by_tiers(choosing, opening);
        below = highest;
    }
}

// The share of cpu and memory that the draft's machines bring and its pods leave unused.
static double waste_of(const struct drafting *drafting, const struct draft *draft)
{
    double brought[2] = {0}, used[2] = {0};
    for (uint32_t i = 0; i < draft->count; i++)
        for (uint32_t axis = 0; axis < 2; axis++) {
            brought[axis] += (double)drafting->brings[draft->machines[i].choice][axis];
            for (uint32_t k = 0; k < draft->machines[i].load_count; k++)
                used[axis] += (double)drafting->kinds[draft->machines[i].loads[k].kind].ask[axis] *
                              draft->machines[i].loads[k].count;
        }
    double waste = 0;
    for (uint32_t axis = 0; axis < 2; axis++)
        waste += brought[axis] > 0 ? (1 - used[axis] / brought[axis]) / 2 : 0;
    return waste;
}

static uint64_t draw(struct choosing *choosing)
{
    uint64_t bits = choosing->wish->seed + ++choosing->draws * 0x9e3779b97f4a7c15ull; // splitmix64
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9ull;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebull;
    return bits ^ bits >> 31;
}

// By how much one set of choices is to be preferred; no less than 0 when it serves anything, the more the
// better.
static double score(struct choosing *choosing, struct opening opening)
{
    if (!open_choices(choosing, opening))
        return -1;
    struct draft_room room = draft_room_copy(choosing->drafting, &choosing->room);
    struct draft draft = draft_open(choosing, &room);
    if (draft.count == 0)
        return -1;
    switch (choosing->wish->expander) {
    case EXPANDER_LEAST_WASTE: return 1 - waste_of(choosing->drafting, &draft) + 1e-9 / (1 + draft.price);
    case EXPANDER_MOST_PODS: return (double)draft.pods + 1 / (2 + draft.price);
    default: return (double)(draw(choosing) >> 11);
    }
}

// One set after the other: the best of what still serves anything.
static void one_by_one(struct choosing *choosing, bool by_choice)
{
    const struct wish *wish = choosing->wish;
    uint32_t sets = by_choice ? wish->choice_count : wish->group_count;
    bool *done = ARENA_ARRAY(wish->arena, bool, sets + 1);
    while (choosing->chosen.served < wish->pod_count) {
        take_kinds(choosing, 0);
        double most = -1;
        struct opening best = ANY;
        uint32_t best_set = 0;
        for (uint32_t i = 0; i < sets; i++) {
            struct opening opening = ANY;
            opening.choice = by_choice ? i : DRAFT_NONE;
            opening.group = by_choice ? DRAFT_NONE : i;
            double got = done[i] ? -1 : score(choosing, opening);
            if (got <= most)
                continue;
            most = got;
            best = opening;
            best_set = i;
        }
        if (most < 0)
            return;
        if (by_choice)
            serve_with(choosing, best);
        else
            serve_by_tiers(choosing, best);
        done[best_set] = true;
    }
}

// ---- groups that may have one size only

struct demand { // of the kinds of one rule
    double asks[DRAFT_AXES];
    int64_t most[DRAFT_AXES];
    uint64_t pods;
};

static void add_demand(struct demand *demand, const struct drafting *drafting, const struct draft_kind *kind)
{
    for (uint32_t axis = 0; axis < drafting->axis_count; axis++) {
        demand->asks[axis] += (double)kind->ask[axis] * kind->count;
        if (kind->ask[axis] > demand->most[axis])
            demand->most[axis] = kind->ask[axis];
    }
    demand->pods += kind->count;
}

static struct demand *sum_by_rule(const struct drafting *drafting)
{
    struct demand *demands = ARENA_ARRAY(drafting->arena, struct demand, drafting->rule_count + 1);
    for (uint32_t i = 0; i < drafting->kind_count; i++)
        add_demand(&demands[drafting->kinds[i].rule], drafting, &drafting->kinds[i]);
    return demands;
}

static bool holds_all(const struct drafting *drafting, uint32_t choice, const struct demand *demand)
{
    for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
        if (demand->most[axis] > drafting->brings[choice][axis])
            return false;
    return true;
}

// What a choice would be asked for by the pods that can run there.
static struct demand demand_on(const struct drafting *drafting, const struct demand *by_rule, uint32_t choice)
{
    struct demand sum = {0};
    for (uint32_t rule = 0; rule < drafting->rule_count; rule++) {
        if (!draft_allowed(drafting, rule, choice) || by_rule[rule].pods == 0)
            continue;
        if (holds_all(drafting, choice, &by_rule[rule])) {
            for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
                sum.asks[axis] += by_rule[rule].asks[axis];
            sum.pods += by_rule[rule].pods;
            continue;
        }
        for (uint32_t i = 0; i < drafting->kind_count; i++)
            if (drafting->kinds[i].rule == rule && draft_holds(drafting, choice, &drafting->kinds[i]))
                add_demand(&sum, drafting, &drafting->kinds[i]);
    }
    return sum;
}

// What the choice would cost for the pods it can serve, by amounts alone; machines in *count.
static double alone(const struct drafting *drafting, const struct demand *by_rule, uint32_t choice,
                    uint32_t *pods, uint32_t *count)
{
    struct demand demand = demand_on(drafting, by_rule, choice);
    double machines = 0;
    for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
        if (drafting->brings[choice][axis] > 0)
            machines = fmax(machines, demand.asks[axis] / (double)drafting->brings[choice][axis]);
    *pods = (uint32_t)demand.pods;
    *count = (uint32_t)ceil(machines - 1e-9);
    if (*count == 0 && *pods > 0)
        *count = 1;
    return *count * drafting->price[choice];
}

static void settle_sizes(struct choosing *choosing)
{
    const struct wish *wish = choosing->wish;
    for (uint32_t group = 0; group < wish->group_count; group++) {
        if (!wish->groups[group].one_size)
            continue;
        uint32_t best = DRAFT_NONE;
        for (uint32_t i = 0; i < wish->choice_count; i++) {
            const struct chosen_option *option = &choosing->chosen.options[i];
            if (wish->choices[i].group != group)
                continue;
            choosing->banned[i] = true;
            if (option->pods == 0)
                continue;
            const struct chosen_option *leader = best == DRAFT_NONE ? NULL : &choosing->chosen.options[best];
            if (leader == NULL || wish->choices[i].tier < wish->choices[best].tier ||
                (wish->choices[i].tier == wish->choices[best].tier &&
                 (option->pods > leader->pods ||
                  (option->pods == leader->pods && choosing->cost_alone[i] < choosing->cost_alone[best]))))
                best = i;
        }
        if (best != DRAFT_NONE)
            choosing->banned[best] = false;
    }
}

// ---- the beginning and the end

static void weigh_options(struct choosing *choosing)
{
    const struct wish *wish = choosing->wish;
    const struct demand *by_rule = sum_by_rule(choosing->drafting);
    choosing->cost_alone = ARENA_ARRAY(wish->arena, double, wish->choice_count + 1);
    for (uint32_t i = 0; i < wish->choice_count; i++) {
        struct chosen_option *option = &choosing->chosen.options[i];
        choosing->cost_alone[i] =
            alone(choosing->drafting, by_rule, i, &option->pods, &option->machines_least);
        option->price_hour_least = wish->choices[i].price_hour > 0 ? choosing->cost_alone[i] : 0;
        option->had_room = draft_room_has(choosing->drafting, &choosing->room, i);
    }
}

static void find_bound(struct choosing *choosing)
{
    struct drafting *drafting = choosing->drafting;
    for (uint32_t i = 0; i < choosing->wish->choice_count; i++) {
        drafting->closed[i] = choosing->banned[i];
        if (choosing->wish->choices[i].price_hour <= 0)
            return;
    }
    uint32_t parts = drafting_parts(drafting);
    for (uint32_t part = 0; part < parts; part++) {
        drafting_use_part(drafting, part);
        choosing->chosen.bound_hour += drafting_part_worth(drafting);
    }
}

static void begin(struct choosing *choosing)
{
    const struct wish *wish = choosing->wish;
    struct chosen *chosen = &choosing->chosen;
    choosing->start = packing_mark(wish->packing);
    choosing->drafting = drafting_create(wish);
    choosing->room = draft_room_create(choosing->drafting);
    choosing->banned = ARENA_ARRAY(wish->arena, bool, wish->choice_count + 1);
    choosing->sequence = ARENA_ARRAY(wish->arena, uint32_t, wish->pod_count + 1);
    chosen->machine_of = ARENA_ARRAY(wish->arena, uint32_t, wish->pod_count + 1);
    chosen->options = ARENA_ARRAY(wish->arena, struct chosen_option, wish->choice_count + 1);
    for (uint32_t i = 0; i < wish->pod_count; i++)
        chosen->machine_of[i] = CHOSEN_NONE;
    drafting_take_kinds(choosing->drafting, chosen->machine_of);
    choosing->fresh = true;
    weigh_options(choosing);
    settle_sizes(choosing);
    find_bound(choosing);
}

static void finish(struct choosing *choosing)
{
    const struct wish *wish = choosing->wish;
    struct chosen *chosen = &choosing->chosen;
    for (uint32_t i = 0; i < chosen->machine_count; i++) {
        const struct chosen_machine *machine = &chosen->machines[i];
        assert(machine->pods > 0);
        chosen->options[machine->choice].machines++;
        chosen->options[machine->choice].served += machine->pods;
        if (wish->choices[machine->choice].price_hour > 0)
            chosen->price_hour += wish->choices[machine->choice].price_hour;
    }
}

struct chosen choose_machines(const struct wish *wish)
{
    assert(wish->arena != NULL && wish->packing != NULL);
    struct choosing choosing = {.wish = wish};
    begin(&choosing);
    switch (wish->expander) {
    case EXPANDER_PRICE: serve_by_tiers(&choosing, ANY); break;
    case EXPANDER_PRIORITY: by_priority(&choosing); break;
    case EXPANDER_LEAST_WASTE: one_by_one(&choosing, true); break;
    case EXPANDER_MOST_PODS:
    case EXPANDER_RANDOM: one_by_one(&choosing, false); break;
    }
    finish(&choosing);
    return choosing.chosen;
}

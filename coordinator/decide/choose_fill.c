#include "coordinator/decide/choose_draft.h"

#include <assert.h>
#include <string.h>

// Machines are filled one after the other. Each time several choices are filled on trial, each is exchanged
// for the cheapest that holds the same pods, and the one whose pods are worth most for its price is kept, as
// often as there are such pods. A machine is filled evenly: of the amount that it has most left of (in parts
// of what it brings) the pod that asks for the largest part comes next.

#define TRIES_MAX      10u  // choices that are filled for one machine
#define GRADED_CHOICES 128u // more than these are sizes that differ little
#define CAPPED_LARGER  1.5  // a machine for capped pods costs at most so many times what all need on average
#define CAPPED_APART   1.1  // sizes that are tried for them are so far apart
#define SIZES_APART                                                                                          \
    0.85 // of those that are as generous, each tried one is so much cheaper than the one before

enum filter { FILTER_ALL, FILTER_PICKY, FILTER_CAPPED };

struct run {
    struct drafting *drafting;
    uint32_t *left;
    struct draft_room *room;
    struct draft *draft;
    uint32_t *next[DRAFT_LISTS_MAX]; // by place in the list: the next kind of which any is left
    uint64_t pods_left, capped_left;
    double rest[DRAFT_AXES];                             // that is asked for by the pods that are left
    uint32_t fewest_choices;                             // of the kinds that are left (FILTER_PICKY)
    uint32_t *cap_used, *cap_counted, *cap_stamp, stamp; // by cap, when the stamp is the present one
    uint32_t *cap_left; // by cap: pods that keep to it and have no machine yet
    // the machine that is being filled
    uint32_t choice;
    bool *takes; // by rule: it allows the choice
    int64_t room_left[DRAFT_AXES];
    uint32_t cursor[DRAFT_LISTS_MAX];
    // by axis: lists of which something may still fit, in their order
    uint32_t active[DRAFT_AXES][DRAFT_LISTS_MAX], active_count[DRAFT_AXES];
    struct draft_load *loads; // one for each kind
    uint32_t load_count;
    uint32_t *load_of, *load_stamp; // by kind: its load, when the stamp is the present one
    uint64_t pods;
    double value;
    // the cheapest way seen to end with one machine for all that was left then
    struct draft_machine last;
    uint32_t last_after;
    double last_price; // of the whole draft; < 0: none
};

// ---- filling one machine

static uint32_t alive(uint32_t *next, uint32_t at)
{
    while (next[at] != at) {
        next[at] = next[next[at]];
        at = next[at];
    }
    return at;
}

static bool passes(const struct run *run, const struct draft_kind *kind, enum filter filter)
{
    switch (filter) {
    case FILTER_PICKY: return run->drafting->rules[kind->rule].choices <= run->fewest_choices;
    case FILTER_CAPPED: return kind->cap_count > 0;
    case FILTER_ALL: break;
    }
    return true;
}

// How many of the kind the machine still takes.
static uint32_t fitting(const struct run *run, uint32_t kind_index, uint32_t taken)
{
    const struct drafting *drafting = run->drafting;
    const struct draft_kind *kind = &drafting->kinds[kind_index];
    uint32_t most = run->left[kind_index] - taken;
    for (uint32_t axis = 0; axis < drafting->axis_count && most > 0; axis++)
        if (kind->ask[axis] > 0 && run->room_left[axis] < kind->ask[axis] * (int64_t)most)
            most = (uint32_t)(run->room_left[axis] / kind->ask[axis]);
    for (uint32_t i = 0; i < kind->cap_total && most > 0; i++) {
        uint32_t cap = kind->caps[i];
        bool some = run->cap_stamp[cap] == run->stamp;
        if (i >= kind->cap_count && (!some || run->cap_used[cap] == 0))
            continue; // nobody there whom it would disturb
        uint32_t used = some ? run->cap_used[cap] + run->cap_counted[cap] : 0;
        uint32_t more = drafting->cap_most[cap] > used ? drafting->cap_most[cap] - used : 0;
        most = more < most ? more : most;
    }
    return most;
}

static void put(struct run *run, uint32_t kind_index, uint32_t count)
{
    const struct drafting *drafting = run->drafting;
    const struct draft_kind *kind = &drafting->kinds[kind_index];
    for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
        run->room_left[axis] -= kind->ask[axis] * (int64_t)count;
    for (uint32_t i = 0; i < kind->cap_total; i++) {
        uint32_t cap = kind->caps[i];
        if (run->cap_stamp[cap] != run->stamp)
            run->cap_used[cap] = run->cap_counted[cap] = 0;
        run->cap_stamp[cap] = run->stamp;
        *(i < kind->cap_count ? &run->cap_used[cap] : &run->cap_counted[cap]) += count;
    }
    run->pods += count;
    run->value += kind->worth * count;
    if (run->load_stamp[kind_index] != run->stamp) {
        run->load_stamp[kind_index] = run->stamp;
        run->load_of[kind_index] = run->load_count;
        run->loads[run->load_count++] = (struct draft_load){.kind = kind_index};
    }
    run->loads[run->load_of[kind_index]].count += count;
}

static uint32_t taken_of(const struct run *run, uint32_t kind_index)
{
    return run->load_stamp[kind_index] == run->stamp ? run->loads[run->load_of[kind_index]].count : 0;
}

// Has the machine used up a cap that all kinds of the list have?
static bool is_used_up(const struct run *run, const struct draft_list *list)
{
    for (uint32_t i = 0; i < list->cap_total; i++) {
        uint32_t cap = list->caps[i];
        if (run->cap_stamp[cap] == run->stamp && (i < list->cap_count || run->cap_used[cap] > 0) &&
            run->cap_used[cap] + run->cap_counted[cap] >= run->drafting->cap_most[cap])
            return true;
    }
    return false;
}

// The first place from this one on that has kinds left, in a block of which anything may fit.
static uint32_t next_place(const struct run *run, uint32_t which, uint32_t place)
{
    const struct draft_list *list = &run->drafting->lists[which];
    for (;;) {
        place = alive(run->next[which], place < list->count ? place : list->count);
        if (place >= list->count)
            return place;
        const int64_t *least = list->least[place / DRAFT_BLOCK];
        bool may = true;
        for (uint32_t axis = 0; axis < run->drafting->axis_count; axis++)
            may = may && least[axis] <= run->room_left[axis];
        if (may)
            return place;
        place = (place / DRAFT_BLOCK + 1) * DRAFT_BLOCK;
    }
}

// The first kind of the list from the cursor on that the machine takes; the cursor stays on it. DRAFT_NONE:
// none is left.
static uint32_t first_of_list(struct run *run, uint32_t which, enum filter filter, uint32_t *count)
{
    const struct drafting *drafting = run->drafting;
    const struct draft_list *list = &drafting->lists[which];
    uint32_t low = run->cursor[which], high = list->count;
    if (list->alike && is_used_up(run, list))
        low = high;
    while (low < high) { // what asks for more than is left is passed in one jump
        uint32_t middle = low + (high - low) / 2;
        if (list->asks[middle] > run->room_left[list->axis])
            low = middle + 1;
        else
            high = middle;
    }
    for (low = next_place(run, which, low); low < list->count; low = next_place(run, which, low + 1)) {
        if (!run->takes[list->rules[low]])
            continue;
        uint32_t index = list->kinds[low];
        if (!passes(run, &drafting->kinds[index], filter))
            continue;
        *count = fitting(run, index, taken_of(run, index));
        if (*count == 0)
            continue;
        run->cursor[which] = low;
        return index;
    }
    return DRAFT_NONE;
}

// Of all lists of the axis the largest that fits.
static uint32_t next_fitting(struct run *run, uint32_t axis, enum filter filter, uint32_t *count)
{
    const struct drafting *drafting = run->drafting;
    uint32_t best = DRAFT_NONE, kept = 0, *active = run->active[axis];
    for (uint32_t i = 0; i < run->active_count[axis]; i++) {
        uint32_t which = active[i], fits = 0;
        const struct draft_list *list = &drafting->lists[which];
        active[kept++] = which;
        if (best != DRAFT_NONE && list->asks[run->cursor[which]] <= drafting->kinds[best].ask[axis])
            continue; // what comes there is no larger
        uint32_t kind = first_of_list(run, which, filter, &fits);
        kept -= kind == DRAFT_NONE;
        if (kind == DRAFT_NONE ||
            (best != DRAFT_NONE && drafting->kinds[kind].ask[axis] <= drafting->kinds[best].ask[axis]))
            continue;
        best = kind;
        *count = fits;
    }
    run->active_count[axis] = kept;
    return best;
}

static double part_left(const struct run *run, uint32_t axis)
{
    int64_t brings = run->drafting->brings[run->choice][axis];
    return brings > 0 ? (double)run->room_left[axis] / (double)brings : 0.0;
}

// The axis that has most left of those with kinds to come, and how much more that is than the second's.
static uint32_t fullest_axis(const struct run *run, const bool *over, double *lead)
{
    uint32_t best = DRAFT_NONE;
    double most = -1, second = -1;
    for (uint32_t axis = 0; axis < run->drafting->axis_count; axis++) {
        if (over[axis])
            continue;
        double part = part_left(run, axis);
        if (part > most) {
            second = most;
            most = part;
            best = axis;
        } else if (part > second) {
            second = part;
        }
    }
    *lead = second < 0 ? 1 : most - second;
    return best;
}

static void fill_with(struct run *run, enum filter filter)
{
    const struct drafting *drafting = run->drafting;
    bool over[DRAFT_AXES];
    memset(run->active_count, 0, sizeof(run->active_count));
    for (uint32_t i = 0; i < drafting->list_count; i++) {
        const struct draft_list *list = &drafting->lists[i];
        bool uncapped = list->alike && list->cap_count == 0;
        run->cursor[i] = 0;
        if (list->count > 0 && !(uncapped && filter == FILTER_CAPPED))
            run->active[list->axis][run->active_count[list->axis]++] = i;
    }
    for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
        over[axis] = run->active_count[axis] == 0;
    for (;;) {
        double lead = 0;
        uint32_t axis = fullest_axis(run, over, &lead);
        if (axis == DRAFT_NONE)
            return;
        uint32_t fits = 0, kind = next_fitting(run, axis, filter, &fits);
        if (kind == DRAFT_NONE) {
            over[axis] = true;
            continue;
        }
        double brings = (double)drafting->brings[run->choice][axis];
        double ask = (double)drafting->kinds[kind].ask[axis];
        double even = ask > 0 ? lead * brings / ask + 1 : 1;
        put(run, kind, even < fits ? (uint32_t)even : fits);
    }
}

static void start_machine(struct run *run, uint32_t choice)
{
    const struct drafting *drafting = run->drafting;
    for (uint32_t rule = 0; rule < drafting->rule_count && run->choice != choice; rule++)
        run->takes[rule] = draft_allowed(drafting, rule, choice);
    run->choice = choice;
    memcpy(run->room_left, drafting->brings[choice], sizeof(run->room_left));
    run->load_count = 0;
    run->pods = 0;
    run->value = 0;
    run->stamp++;
}

// ---- which machine comes next

struct best {
    struct draft_machine machine;
    double score;
    bool found;
};

static const struct draft_load *keep_loads(struct run *run)
{
    struct draft_load *loads = ARENA_ARRAY(run->drafting->arena, struct draft_load, run->load_count + 1);
    memcpy(loads, run->loads, run->load_count * sizeof(*loads));
    return loads;
}

// The machine as filled, on the cheapest choice that holds it.
static bool settle(struct run *run, struct draft_machine *machine)
{
    uint32_t choice = draft_cheapest(run->drafting, run->loads, run->load_count, run->room);
    if (choice == DRAFT_NONE)
        return false;
    *machine = (struct draft_machine){.choice = choice, .load_count = run->load_count, .value = run->value};
    return true;
}

static void may_be_last(struct run *run, const struct draft_machine *machine)
{
    double price = run->draft->price + run->drafting->price[machine->choice];
    if (run->pods != run->pods_left || (run->last_price >= 0 && price >= run->last_price))
        return;
    run->last = *machine;
    run->last.loads = keep_loads(run);
    run->last_after = run->draft->count;
    run->last_price = price;
}

// What the rest would cost on such machines alone, by amounts.
static double cost_of_rest(const struct run *run, uint32_t choice)
{
    double machines = 0;
    for (uint32_t axis = 0; axis < run->drafting->axis_count; axis++) {
        int64_t brings = run->drafting->brings[choice][axis];
        double needed = brings > 0 ? run->rest[axis] / (double)brings : 0.0;
        machines = needed > machines ? needed : machines;
    }
    return machines * run->drafting->price[choice];
}

static double worth_of_rest(const struct run *run)
{
    double worth = 0;
    for (uint32_t axis = 0; axis < run->drafting->axis_count; axis++)
        worth += run->rest[axis] * run->drafting->worth[axis];
    return worth;
}

static void try_choice(struct run *run, uint32_t choice, enum draft_way way, struct best *best)
{
    start_machine(run, choice);
    if (way == DRAFT_PICKY) {
        fill_with(run, FILTER_PICKY);
        if (run->pods == 0)
            return;
    }
    fill_with(run, FILTER_ALL);
    struct draft_machine machine;
    if (run->pods == 0 || !settle(run, &machine))
        return;
    may_be_last(run, &machine);
    double price = run->drafting->price[machine.choice];
    // pods that are worth nothing still want a machine: the hair that counts them decides among equals only
    double score = (run->value + 1e-12 * (double)run->pods) / (way == DRAFT_MOST_ROOM ? 1.0 : price);
    if (way == DRAFT_BY_MIX)
        score *= worth_of_rest(run) / cost_of_rest(run, machine.choice);
    if (best->found && score <= best->score * (1 + 1e-9))
        return;
    best->machine = machine;
    best->machine.loads = keep_loads(run);
    best->score = score;
    best->found = true;
}

// No machine holds pods that are worth more than what it brings. What may hold all the rest is tried anyway,
// and so is everything when sizes are many: there the exchange for a cheaper one decides.
static bool cannot_lead(const struct run *run, uint32_t choice, enum draft_way way, const struct best *best)
{
    double generosity = run->drafting->generosity[choice], rest = worth_of_rest(run);
    if (!best->found || run->drafting->part_choice_count > GRADED_CHOICES ||
        rest <= generosity * run->drafting->price[choice] * (1 + 1e-6))
        return false;
    if (way == DRAFT_BY_MIX)
        return generosity * rest / cost_of_rest(run, choice) <= best->score;
    return way == DRAFT_PICKY && generosity <= best->score;
}

static struct best find_next(struct run *run, enum draft_way way)
{
    const struct drafting *drafting = run->drafting;
    struct best best = {0};
    uint32_t tries = 0;
    double last_price = 0, last_generosity = -1;
    bool few = drafting->part_choice_count <= TRIES_MAX;
    for (uint32_t i = 0; i < drafting->part_choice_count && tries < TRIES_MAX; i++) {
        uint32_t choice = drafting->part_choices[i];
        double generosity = drafting->generosity[choice], price = drafting->price[choice];
        if (best.found && way == DRAFT_BY_PRICE && generosity <= best.score)
            break;
        if (!few && last_generosity >= 0 && generosity > last_generosity - 1e-3 && best.found &&
            price > last_price * SIZES_APART && price < last_price / SIZES_APART)
            continue;
        if (!draft_room_has(drafting, run->room, choice))
            continue;
        bool found = best.found;
        if (!cannot_lead(run, choice, way, &best))
            try_choice(run, choice, way, &best);
        tries += found || best.found; // one that takes nothing costs little
        last_price = price;
        last_generosity = generosity;
    }
    return best;
}

// At least so many machines are needed for the pods of which one machine holds few.
static double machines_for_capped(const struct run *run)
{
    double most = 1;
    for (uint32_t cap = 0; cap < run->drafting->cap_count; cap++) {
        double needed = (double)run->cap_left[cap] / run->drafting->cap_most[cap];
        most = needed > most ? needed : most;
    }
    return most;
}

// The capped pods that one machine holds at most, on the dearest choice that has room and takes any.
static uint32_t cheapest_for_capped(struct run *run)
{
    const struct drafting *drafting = run->drafting;
    for (uint32_t i = drafting->part_choice_count; i-- > 0;) {
        uint32_t choice = drafting->by_price[i];
        if (!draft_room_has(drafting, run->room, choice))
            continue;
        start_machine(run, choice);
        fill_with(run, FILTER_CAPPED);
        struct draft_machine machine;
        if (run->pods > 0 && settle(run, &machine))
            return machine.choice;
    }
    return DRAFT_NONE;
}

// Pods of which a machine holds few come first, on machines of such sizes that all pods are used up when
// these are: others fill what is left there, and no machine is there for a single pod at the end.
static struct best find_capped(struct run *run, enum draft_way way)
{
    const struct drafting *drafting = run->drafting;
    struct best best = {0};
    uint32_t first = cheapest_for_capped(run), tries = 0;
    if (first == DRAFT_NONE)
        return best;
    double usual = worth_of_rest(run) / machines_for_capped(run), last = 0;
    for (uint32_t i = 0; i < drafting->part_choice_count && tries < TRIES_MAX; i++) {
        uint32_t choice = drafting->by_price[i];
        double price = drafting->price[choice];
        if (price < drafting->price[first] || !draft_room_has(drafting, run->room, choice))
            continue;
        if (best.found && price > CAPPED_LARGER * usual)
            break;
        if (best.found && price < last * CAPPED_APART)
            continue;
        start_machine(run, choice);
        fill_with(run, FILTER_CAPPED);
        if (run->pods == 0)
            continue;
        fill_with(run, FILTER_ALL);
        last = price;
        tries++;
        double score = run->value / price;
        if (way == DRAFT_CAPPED_MIX)
            score *= worth_of_rest(run) / cost_of_rest(run, choice);
        if (best.found && score <= best.score * (1 + 1e-9))
            continue;
        best.machine = (struct draft_machine){
            .choice = choice, .loads = keep_loads(run), .load_count = run->load_count, .value = run->value};
        best.score = score;
        best.found = true;
    }
    return best;
}

// ---- the whole

static void take_loads(struct run *run, const struct draft_machine *machine)
{
    struct drafting *drafting = run->drafting;
    for (uint32_t i = 0; i < machine->load_count; i++) {
        uint32_t index = machine->loads[i].kind, count = machine->loads[i].count;
        assert(run->left[index] >= count);
        run->left[index] -= count;
        run->pods_left -= count;
        for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
            run->rest[axis] -= (double)drafting->kinds[index].ask[axis] * count;
        if (drafting->kinds[index].cap_count > 0)
            run->capped_left -= count;
        for (uint32_t k = 0; k < drafting->kinds[index].cap_count; k++)
            run->cap_left[drafting->kinds[index].caps[k]] -= count;
    }
}

static void drop_used_up(struct run *run, const struct draft_machine *machine)
{
    const struct drafting *drafting = run->drafting;
    for (uint32_t i = 0; i < machine->load_count; i++) {
        uint32_t index = machine->loads[i].kind;
        if (run->left[index] == 0)
            run->next[drafting->list_of[index]][drafting->position[index]] = drafting->position[index] + 1;
    }
}

// As many of the machine as there are pods and room for, at most so many.
static void keep_some(struct run *run, const struct draft_machine *machine, uint64_t most)
{
    struct drafting *drafting = run->drafting;
    bool more = true;
    while (more && most-- > 0 && draft_room_has(drafting, run->room, machine->choice)) {
        draft_room_take(drafting, run->room, machine->choice);
        draft_add(drafting, run->draft, machine);
        take_loads(run, machine);
        for (uint32_t i = 0; i < machine->load_count && more; i++)
            more = run->left[machine->loads[i].kind] >= machine->loads[i].count;
    }
    drop_used_up(run, machine);
}

// For the mix no more than change it little.
static void keep_machine(struct run *run, const struct draft_machine *machine, enum draft_way way)
{
    uint64_t most = UINT64_MAX;
    if (way == DRAFT_BY_MIX || way == DRAFT_CAPPED_MIX)
        most = 1 + (uint64_t)(worth_of_rest(run) / run->drafting->price[machine->choice] / 8);
    keep_some(run, machine, most);
}

static void start_run(struct run *run)
{
    struct drafting *drafting = run->drafting;
    struct arena *arena = drafting->arena;
    run->loads = ARENA_ARRAY(arena, struct draft_load, drafting->part_kind_count + 1);
    run->load_of = ARENA_ARRAY(arena, uint32_t, drafting->kind_count + 1);
    run->load_stamp = ARENA_ARRAY(arena, uint32_t, drafting->kind_count + 1);
    run->cap_used = ARENA_ARRAY(arena, uint32_t, drafting->cap_count + 1);
    run->cap_counted = ARENA_ARRAY(arena, uint32_t, drafting->cap_count + 1);
    run->cap_stamp = ARENA_ARRAY(arena, uint32_t, drafting->cap_count + 1);
    run->cap_left = ARENA_ARRAY(arena, uint32_t, drafting->cap_count + 1);
    run->choice = DRAFT_NONE;
    run->takes = ARENA_ARRAY(arena, bool, drafting->rule_count + 1);
    run->last_price = -1;
    for (uint32_t list = 0; list < drafting->list_count; list++) {
        uint32_t count = drafting->lists[list].count;
        run->next[list] = ARENA_ARRAY(arena, uint32_t, count + 2);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t index = drafting->lists[list].kinds[i];
            run->next[list][i] = run->left[index] > 0 ? i : i + 1;
            run->pods_left += run->left[index];
            for (uint32_t k = 0; k < drafting->axis_count; k++)
                run->rest[k] += (double)drafting->kinds[index].ask[k] * run->left[index];
            if (drafting->kinds[index].cap_count > 0)
                run->capped_left += run->left[index];
            for (uint32_t k = 0; k < drafting->kinds[index].cap_count; k++)
                run->cap_left[drafting->kinds[index].caps[k]] += run->left[index];
        }
        run->next[list][count] = count;
        run->next[list][count + 1] = count + 1;
    }
}

static void find_pickiest(struct run *run)
{
    const struct drafting *drafting = run->drafting;
    run->fewest_choices = UINT32_MAX;
    for (uint32_t i = 0; i < drafting->part_kind_count; i++) {
        uint32_t index = drafting->part_kinds[i];
        uint32_t choices = drafting->rules[drafting->kinds[index].rule].choices;
        if (run->left[index] > 0 && choices < run->fewest_choices)
            run->fewest_choices = choices;
    }
}

// Back to the moment when one machine for all the rest would have been cheaper.
static void end_with_last(struct run *run)
{
    struct drafting *drafting = run->drafting;
    struct draft *draft = run->draft;
    if (run->last_price < 0 || (run->pods_left == 0 && draft->price <= run->last_price * (1 + 1e-9) &&
                                draft->count <= run->last_after + 1))
        return;
    if (run->pods_left == 0 && draft->price < run->last_price * (1 - 1e-9))
        return;
    while (draft->count > run->last_after) {
        const struct draft_machine *machine = &draft->machines[--draft->count];
        draft_room_give(drafting, run->room, machine->choice);
        draft->price -= drafting->price[machine->choice];
        for (uint32_t i = 0; i < machine->load_count; i++) {
            draft->pods -= machine->loads[i].count;
            run->left[machine->loads[i].kind] += machine->loads[i].count;
        }
    }
    for (uint32_t i = 0; i < run->last.load_count; i++)
        run->left[run->last.loads[i].kind] -= run->last.loads[i].count;
    draft_room_take(drafting, run->room, run->last.choice);
    draft_add(drafting, draft, &run->last);
}

// A machine of this choice, filled.
static void begin_with(struct run *run, uint32_t choice)
{
    if (choice == DRAFT_NONE || !draft_room_has(run->drafting, run->room, choice))
        return;
    start_machine(run, choice);
    fill_with(run, FILTER_ALL);
    if (run->pods == 0)
        return;
    struct draft_machine machine = {
        .choice = choice, .loads = keep_loads(run), .load_count = run->load_count, .value = run->value};
    keep_some(run, &machine, 1);
}

struct draft draft_make(struct drafting *drafting, uint32_t *left, struct draft_room *room,
                        enum draft_way way, uint32_t first)
{
    struct draft draft = {0};
    struct run run = {.drafting = drafting, .left = left, .room = room, .draft = &draft};
    start_run(&run);
    begin_with(&run, first);
    while (run.pods_left > 0) {
        if (way == DRAFT_PICKY)
            find_pickiest(&run);
        struct best best = {0};
        if ((way == DRAFT_CAPPED || way == DRAFT_CAPPED_MIX) && run.capped_left > 0)
            best = find_capped(&run, way);
        if (!best.found)
            best = find_next(&run, way == DRAFT_CAPPED       ? DRAFT_BY_PRICE
                                   : way == DRAFT_CAPPED_MIX ? DRAFT_BY_MIX
                                                             : way);
        if (!best.found && way == DRAFT_PICKY)
            best = find_next(&run, DRAFT_BY_PRICE); // nothing takes the pickiest any more
        if (!best.found)
            break;
        keep_machine(&run, &best.machine, way);
    }
    end_with_last(&run);
    return draft;
}

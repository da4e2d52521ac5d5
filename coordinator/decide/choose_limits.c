#include "coordinator/decide/choose_draft.h"

#include <assert.h>
#include <string.h>

// What limits leave, and drafts as they grow.

struct draft_room draft_room_create(const struct drafting *drafting)
{
    const struct wish *wish = drafting->wish;
    struct draft_room room = {.all = wish->room,
                              .groups = ARENA_ARRAY(drafting->arena, uint32_t, wish->group_count + 1),
                              .prices = ARENA_ARRAY(drafting->arena, double, wish->group_count + 1)};
    for (uint32_t i = 0; i < wish->group_count; i++) {
        room.groups[i] = wish->groups[i].room;
        room.prices[i] = wish->groups[i].price_room_hour;
    }
    return room;
}

struct draft_room draft_room_copy(const struct drafting *drafting, const struct draft_room *room)
{
    struct draft_room copy = draft_room_create(drafting);
    copy.all = room->all;
    memcpy(copy.groups, room->groups, drafting->wish->group_count * sizeof(*copy.groups));
    memcpy(copy.prices, room->prices, drafting->wish->group_count * sizeof(*copy.prices));
    return copy;
}

bool draft_room_has(const struct drafting *drafting, const struct draft_room *room, uint32_t choice)
{
    uint32_t group = drafting->wish->choices[choice].group;
    bool capped = drafting->wish->groups[group].price_room_hour >= 0;
    return room->all > 0 && room->groups[group] > 0 &&
           (!capped || drafting->price[choice] <= room->prices[group] + 1e-9);
}

void draft_room_take(const struct drafting *drafting, struct draft_room *room, uint32_t choice)
{
    uint32_t group = drafting->wish->choices[choice].group;
    assert(room->all > 0 && room->groups[group] > 0);
    room->all -= room->all != UINT32_MAX;
    room->groups[group] -= room->groups[group] != UINT32_MAX;
    room->prices[group] -= drafting->price[choice];
}

void draft_room_give(const struct drafting *drafting, struct draft_room *room, uint32_t choice)
{
    uint32_t group = drafting->wish->choices[choice].group;
    room->all += room->all != UINT32_MAX;
    room->groups[group] += room->groups[group] != UINT32_MAX;
    room->prices[group] += drafting->price[choice];
}

// ---- drafts

void draft_add(struct drafting *drafting, struct draft *draft, const struct draft_machine *machine)
{
    if (draft->count == draft->capacity) {
        draft->capacity = draft->capacity == 0 ? 64 : draft->capacity * 2;
        struct draft_machine *machines = ARENA_ARRAY(drafting->arena, struct draft_machine, draft->capacity);
        if (draft->count > 0)
            memcpy(machines, draft->machines, draft->count * sizeof(*machines));
        draft->machines = machines;
    }
    draft->machines[draft->count++] = *machine;
    draft->price += drafting->price[machine->choice];
    for (uint32_t i = 0; i < machine->load_count; i++)
        draft->pods += machine->loads[i].count;
}

bool draft_better(const struct draft *a, const struct draft *b)
{
    if (a->pods != b->pods)
        return a->pods > b->pods;
    double hair = 1e-9 * (a->price + b->price);
    if (a->price < b->price - hair || a->price > b->price + hair)
        return a->price < b->price;
    return a->count < b->count;
}

static bool all_allowed(const struct drafting *drafting, const struct draft_load *loads, uint32_t count,
                        uint32_t choice)
{
    uint32_t known = DRAFT_NONE;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t rule = drafting->kinds[loads[i].kind].rule;
        if (rule != known && !draft_allowed(drafting, rule, choice))
            return false;
        known = rule;
    }
    return true;
}

// No choice that holds the loads costs less than they are worth: the search begins there.
static uint32_t first_that_may(const struct drafting *drafting, double value)
{
    uint32_t low = 0, high = drafting->part_choice_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (drafting->price[drafting->by_price[middle]] < value * (1 - 1e-6))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t draft_cheapest(const struct drafting *drafting, const struct draft_load *loads, uint32_t count,
                        const struct draft_room *room)
{
    int64_t asked[DRAFT_AXES] = {0};
    double value = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct draft_kind *kind = &drafting->kinds[loads[i].kind];
        for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
            asked[axis] += kind->ask[axis] * loads[i].count;
        value += kind->worth * loads[i].count;
    }
    for (uint32_t at = first_that_may(drafting, value); at < drafting->part_choice_count; at++) {
        uint32_t choice = drafting->by_price[at];
        bool holds = true;
        for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
            holds = holds && asked[axis] <= drafting->brings[choice][axis];
        if (holds && draft_room_has(drafting, room, choice) && all_allowed(drafting, loads, count, choice))
            return choice;
    }
    return DRAFT_NONE;
}

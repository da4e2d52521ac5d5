#include "coordinator/decide/choose_draft.h"

#include <stdlib.h>
#include <string.h>

// Every way is gone, the best draft kept; then its least worthy machines are taken away, a few at a time, and
// their pods dealt out anew, as long as that saves anything.

#define ROUNDS_MAX   4
#define CAPPED_LEAST 16 // machines
#define FEW_MACHINES 12
#define FEW_CHOICES  64
#define CAPPED_TIMES 4

struct standing { // a draft and what it leaves
    struct draft draft;
    uint32_t *left;
    struct draft_room room;
};

static uint32_t *copy_left(const struct drafting *drafting, const uint32_t *left)
{
    uint32_t *copy = ARENA_ARRAY(drafting->arena, uint32_t, drafting->kind_count + 1);
    memcpy(copy, left, drafting->kind_count * sizeof(*copy));
    return copy;
}

static struct standing go(struct drafting *drafting, const uint32_t *left, const struct draft_room *room,
                          enum draft_way way, uint32_t first)
{
    struct standing standing = {.left = copy_left(drafting, left), .room = draft_room_copy(drafting, room)};
    standing.draft = draft_make(drafting, standing.left, &standing.room, way, first);
    return standing;
}

// Pods of which one machine holds few ask for many more machines than amounts do: what matters is what else
// goes onto these.
static bool is_ruled_by_caps(const struct drafting *drafting, const uint32_t *left)
{
    uint64_t *pods = ARENA_ARRAY(drafting->arena, uint64_t, drafting->cap_count + 1);
    double most = 0;
    for (uint32_t i = 0; i < drafting->part_kind_count; i++) {
        uint32_t index = drafting->part_kinds[i];
        for (uint32_t k = 0; k < drafting->kinds[index].cap_count; k++) {
            uint32_t cap = drafting->kinds[index].caps[k];
            pods[cap] += left[index];
            double needed = (double)pods[cap] / drafting->cap_most[cap];
            most = needed > most ? needed : most;
        }
    }
    double by_amounts = drafting_part_worth(drafting) / drafting->price[drafting->part_choices[0]];
    return most >= CAPPED_LEAST && most > CAPPED_TIMES * by_amounts;
}

static bool worth_going(const struct drafting *drafting, enum draft_way way, uint64_t asked,
                        const struct standing *best)
{
    uint32_t choices = drafting->rules[drafting->kinds[drafting->part_kinds[0]].rule].choices;
    for (uint32_t i = 0; i < drafting->part_kind_count; i++) {
        const struct draft_kind *kind = &drafting->kinds[drafting->part_kinds[i]];
        if (way == DRAFT_PICKY && drafting->rules[kind->rule].choices != choices)
            return true;
        if ((way == DRAFT_CAPPED || way == DRAFT_CAPPED_MIX) && kind->cap_count > 0)
            return true;
    }
    return way == DRAFT_BY_PRICE || way == DRAFT_BY_MIX ||
           (way == DRAFT_MOST_ROOM && best->draft.pods < asked);
}

struct judged {
    double worth; // of its pods, for its price
    uint32_t index;
};

static int by_worth(const void *left, const void *right)
{
    const struct judged *a = left, *b = right;
    if (a->worth != b->worth) // NOLINT: equal means the same here
        return a->worth < b->worth ? -1 : 1;
    return a->index > b->index ? -1 : a->index < b->index; // of equals the last one goes first
}

static struct judged *judge(const struct drafting *drafting, const struct draft *draft)
{
    struct judged *judged = ARENA_ARRAY(drafting->arena, struct judged, draft->count + 1);
    for (uint32_t i = 0; i < draft->count; i++)
        judged[i] = (struct judged){draft->machines[i].value / drafting->price[draft->machines[i].choice], i};
    if (draft->count > 1)
        qsort(judged, draft->count, sizeof(*judged), by_worth);
    return judged;
}

// The standing without its worst machines.
static struct standing without(struct drafting *drafting, const struct standing *from,
                               const struct judged *judged, uint32_t worst)
{
    struct standing to = {.left = copy_left(drafting, from->left),
                          .room = draft_room_copy(drafting, &from->room)};
    bool *goes = ARENA_ARRAY(drafting->arena, bool, from->draft.count + 1);
    for (uint32_t i = 0; i < worst; i++)
        goes[judged[i].index] = true;
    for (uint32_t i = 0; i < from->draft.count; i++) {
        const struct draft_machine *machine = &from->draft.machines[i];
        if (!goes[i]) {
            draft_add(drafting, &to.draft, machine);
            continue;
        }
        draft_room_give(drafting, &to.room, machine->choice);
        for (uint32_t k = 0; k < machine->load_count; k++)
            to.left[machine->loads[k].kind] += machine->loads[k].count;
    }
    return to;
}

static bool deal_anew(struct drafting *drafting, struct standing *best, const struct judged *judged,
                      uint32_t worst)
{
    static const enum draft_way WAYS[] = {DRAFT_BY_PRICE, DRAFT_BY_MIX, DRAFT_MOST_ROOM};
    bool better = false;
    struct standing base = without(drafting, best, judged, worst);
    for (size_t i = 0; i < sizeof(WAYS) / sizeof(WAYS[0]); i++) {
        struct standing rest = go(drafting, base.left, &base.room, WAYS[i], DRAFT_NONE);
        struct draft joined = {0};
        for (uint32_t k = 0; k < base.draft.count; k++)
            draft_add(drafting, &joined, &base.draft.machines[k]);
        for (uint32_t k = 0; k < rest.draft.count; k++)
            draft_add(drafting, &joined, &rest.draft.machines[k]);
        if (!draft_better(&joined, &best->draft))
            continue;
        *best = (struct standing){.draft = joined, .left = rest.left, .room = rest.room};
        better = true;
    }
    return better;
}

static void improve(struct drafting *drafting, struct standing *best)
{
    static const uint32_t WORST[] = {2, 3, 5, 8, 13};
    for (int round = 0; round < ROUNDS_MAX; round++) {
        const struct judged *judged = judge(drafting, &best->draft);
        bool better = false;
        for (size_t i = 0; i < sizeof(WORST) / sizeof(WORST[0]) && !better; i++)
            if (best->draft.count >= WORST[i])
                better = deal_anew(drafting, best, judged, WORST[i]);
        if (!better)
            return;
    }
}

// Of few machines the first decides much: each choice is tried for it.
static void try_first(struct drafting *drafting, const uint32_t *left, const struct draft_room *room,
                      struct standing *best)
{
    if (best->draft.count > FEW_MACHINES || drafting->part_choice_count > FEW_CHOICES)
        return;
    for (uint32_t i = 0; i < drafting->part_choice_count; i++) {
        struct standing found = go(drafting, left, room, DRAFT_BY_PRICE, drafting->part_choices[i]);
        if (draft_better(&found.draft, &best->draft))
            *best = found;
    }
}

struct draft draft_best(struct drafting *drafting, uint32_t *left, struct draft_room *room)
{
    uint64_t asked = 0;
    for (uint32_t i = 0; i < drafting->part_kind_count; i++)
        asked += left[drafting->part_kinds[i]];
    struct standing best = {0};
    bool by_caps = is_ruled_by_caps(drafting, left);
    for (enum draft_way way = DRAFT_BY_PRICE; way < DRAFT_WAYS; way++) {
        bool skipped = by_caps && way != DRAFT_CAPPED && way != DRAFT_MOST_ROOM;
        if (skipped || !worth_going(drafting, way, asked, &best))
            continue;
        struct standing found = go(drafting, left, room, way, DRAFT_NONE);
        if (best.left == NULL || draft_better(&found.draft, &best.draft))
            best = found;
    }
    try_first(drafting, left, room, &best);
    improve(drafting, &best);
    memcpy(left, best.left, drafting->kind_count * sizeof(*left));
    room->all = best.room.all;
    memcpy(room->groups, best.room.groups, drafting->wish->group_count * sizeof(*room->groups));
    memcpy(room->prices, best.room.prices, drafting->wish->group_count * sizeof(*room->prices));
    return best.draft;
}

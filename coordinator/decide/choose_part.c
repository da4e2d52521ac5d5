#include "coordinator/decide/choose_draft.h"

#include <stdlib.h>
#include <string.h>

// Sorting here is by a number, a size and then the index: total, and the same whatever the input's order was.
struct ranked {
    double rank; // larger first
    double size; // smaller first
    uint32_t index;
};

static int by_rank(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->rank != b->rank) // NOLINT: equal means the same here
        return a->rank > b->rank ? -1 : 1;
    if (a->size != b->size) // NOLINT: the same
        return a->size < b->size ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void sort(struct ranked *ranked, uint32_t count, uint32_t *indices)
{
    if (count > 1)
        qsort(ranked, count, sizeof(*ranked), by_rank);
    for (uint32_t i = 0; i < count; i++)
        indices[i] = ranked[i].index;
}

static void list_kinds(struct drafting *drafting, uint32_t part)
{
    drafting->part_kinds = ARENA_ARRAY(drafting->arena, uint32_t, drafting->kind_count + 1);
    drafting->part_kind_count = 0;
    for (uint32_t i = 0; i < drafting->kind_count; i++)
        if (drafting->kinds[i].part == part)
            drafting->part_kinds[drafting->part_kind_count++] = i;
}

static bool takes_some(const struct drafting *drafting, const bool *rule_used, uint32_t choice)
{
    for (uint32_t rule = 0; rule < drafting->rule_count; rule++)
        if (rule_used[rule] && draft_allowed(drafting, rule, choice))
            return true;
    return false;
}

static void list_choices(struct drafting *drafting)
{
    uint32_t choices = drafting->wish->choice_count;
    bool *rule_used = ARENA_ARRAY(drafting->arena, bool, drafting->rule_count + 1);
    for (uint32_t i = 0; i < drafting->part_kind_count; i++)
        rule_used[drafting->kinds[drafting->part_kinds[i]].rule] = true;
    drafting->part_choices = ARENA_ARRAY(drafting->arena, uint32_t, choices + 1);
    drafting->part_choice_count = 0;
    for (uint32_t i = 0; i < choices; i++)
        if (!drafting->closed[i] && takes_some(drafting, rule_used, i))
            drafting->part_choices[drafting->part_choice_count++] = i;
}

static void find_most(const struct drafting *drafting, int64_t *most)
{
    for (uint32_t i = 0; i < drafting->part_choice_count; i++)
        for (uint32_t axis = 0; axis < drafting->axis_count; axis++) {
            int64_t brings = drafting->brings[drafting->part_choices[i]][axis];
            most[axis] = brings > most[axis] ? brings : most[axis];
        }
}

// How much a choice brings of everything, each amount as a share of the most that any brings.
static double size_of(const struct drafting *drafting, uint32_t choice, const int64_t *most)
{
    double size = 0;
    for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
        size += most[axis] > 0 ? (double)drafting->brings[choice][axis] / (double)most[axis] : 0.0;
    return size;
}

// Of what costs the same the smaller comes first, where the cheapest that holds some pods is looked for: it
// wastes less. Of what is as generous the larger comes first: fewer machines.
static void rank_choices(struct drafting *drafting)
{
    uint32_t count = drafting->part_choice_count;
    struct ranked *ranked = ARENA_ARRAY(drafting->arena, struct ranked, count + 1);
    int64_t most[DRAFT_AXES] = {0};
    find_most(drafting, most);
    for (uint32_t i = 0; i < count; i++)
        ranked[i] =
            (struct ranked){-drafting->price[drafting->part_choices[i]],
                            size_of(drafting, drafting->part_choices[i], most), drafting->part_choices[i]};
    drafting->by_price = ARENA_ARRAY(drafting->arena, uint32_t, count + 1);
    sort(ranked, count, drafting->by_price);
    drafting->generosity = ARENA_ARRAY(drafting->arena, double, drafting->wish->choice_count + 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t choice = drafting->by_price[count - 1 - i];
        double brings = 0;
        for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
            brings += (double)drafting->brings[choice][axis] * drafting->worth[axis];
        drafting->generosity[choice] = brings / drafting->price[choice];
        // steps of a thousandth: what differs by less is as generous
        ranked[i] = (struct ranked){(double)(int64_t)(drafting->generosity[choice] * 1000), 0, i};
    }
    if (count > 1)
        qsort(ranked, count, sizeof(*ranked), by_rank);
    for (uint32_t i = 0; i < count; i++)
        drafting->part_choices[i] = drafting->by_price[count - 1 - ranked[i].index];
}

static void measure_kinds(struct drafting *drafting)
{
    const int64_t *typical = drafting->brings[drafting->part_choices[0]];
    for (uint32_t i = 0; i < drafting->part_kind_count; i++) {
        struct draft_kind *kind = &drafting->kinds[drafting->part_kinds[i]];
        double largest = -1;
        kind->worth = 0;
        for (uint32_t axis = 0; axis < drafting->axis_count; axis++) {
            double share = (double)kind->ask[axis] / (double)(typical[axis] > 0 ? typical[axis] : 1);
            if (share > largest) {
                largest = share;
                kind->axis = axis;
            }
            kind->worth += (double)kind->ask[axis] * drafting->worth[axis];
        }
    }
}

static bool same_caps(const struct draft_kind *a, const struct draft_kind *b)
{
    return a->cap_count == b->cap_count && a->cap_total == b->cap_total &&
           memcmp(a->caps, b->caps, a->cap_total * sizeof(*a->caps)) == 0;
}

// The list that the kind belongs to; made when there is none and room for it. The first of each axis are for
// kinds that found none.
static uint32_t find_list(struct drafting *drafting, const struct draft_kind *kind, const uint32_t *examples)
{
    for (uint32_t i = drafting->axis_count; i < drafting->list_count; i++)
        if (drafting->lists[i].axis == kind->axis && same_caps(kind, &drafting->kinds[examples[i]]))
            return i;
    if (drafting->list_count == DRAFT_LISTS_MAX)
        return kind->axis;
    struct draft_list *list = &drafting->lists[drafting->list_count];
    *list = (struct draft_list){
        .axis = kind->axis, .alike = true, .cap_count = kind->cap_count, .cap_total = kind->cap_total};
    memcpy(list->caps, kind->caps, sizeof(list->caps));
    return drafting->list_count++;
}

static void sort_list(struct drafting *drafting, uint32_t list, struct ranked *ranked)
{
    struct draft_list *sorted = &drafting->lists[list];
    uint32_t count = 0;
    for (uint32_t i = 0; i < drafting->part_kind_count; i++) {
        uint32_t kind = drafting->part_kinds[i];
        if (drafting->list_of[kind] == list)
            ranked[count++] = (struct ranked){(double)drafting->kinds[kind].ask[sorted->axis], 0, kind};
    }
    sorted->count = count;
    sorted->kinds = ARENA_ARRAY(drafting->arena, uint32_t, count + 1);
    sorted->asks = ARENA_ARRAY(drafting->arena, int64_t, count + 1);
    sorted->rules = ARENA_ARRAY(drafting->arena, uint32_t, count + 1);
    sorted->least = arena_alloc_array(drafting->arena, count / DRAFT_BLOCK + 1, sizeof(*sorted->least));
    sort(ranked, count, sorted->kinds);
    for (uint32_t i = 0; i < count; i++) {
        const struct draft_kind *kind = &drafting->kinds[sorted->kinds[i]];
        drafting->position[sorted->kinds[i]] = i;
        sorted->asks[i] = kind->ask[sorted->axis];
        sorted->rules[i] = kind->rule;
        int64_t *least = sorted->least[i / DRAFT_BLOCK];
        for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
            if (i % DRAFT_BLOCK == 0 || kind->ask[axis] < least[axis])
                least[axis] = kind->ask[axis];
    }
}

static void order_kinds(struct drafting *drafting)
{
    struct arena *arena = drafting->arena;
    struct ranked *ranked = ARENA_ARRAY(arena, struct ranked, drafting->part_kind_count + 1);
    uint32_t *examples = ARENA_ARRAY(arena, uint32_t, DRAFT_LISTS_MAX);
    drafting->lists = ARENA_ARRAY(arena, struct draft_list, DRAFT_LISTS_MAX);
    drafting->list_of = ARENA_ARRAY(arena, uint32_t, drafting->kind_count + 1);
    drafting->position = ARENA_ARRAY(arena, uint32_t, drafting->kind_count + 1);
    drafting->list_count = drafting->axis_count;
    for (uint32_t axis = 0; axis < drafting->axis_count; axis++)
        drafting->lists[axis].axis = axis;
    uint32_t last = 0;
    for (uint32_t i = 0; i < drafting->part_kind_count; i++) {
        uint32_t index = drafting->part_kinds[i];
        const struct draft_kind *kind = &drafting->kinds[index];
        bool as_before = last >= drafting->axis_count && drafting->lists[last].axis == kind->axis &&
                         same_caps(kind, &drafting->kinds[examples[last]]);
        uint32_t before = drafting->list_count;
        last = as_before ? last : find_list(drafting, kind, examples);
        if (drafting->list_count > before)
            examples[last] = index;
        drafting->list_of[index] = last;
    }
    for (uint32_t list = 0; list < drafting->list_count; list++)
        sort_list(drafting, list, ranked);
}

void drafting_use_part(struct drafting *drafting, uint32_t part)
{
    list_kinds(drafting, part);
    list_choices(drafting);
    drafting_find_worth(drafting);
    rank_choices(drafting);
    measure_kinds(drafting);
    order_kinds(drafting);
}

double drafting_part_worth(const struct drafting *drafting)
{
    double worth = 0;
    for (uint32_t i = 0; i < drafting->part_kind_count; i++) {
        const struct draft_kind *kind = &drafting->kinds[drafting->part_kinds[i]];
        worth += kind->worth * kind->count;
    }
    return worth;
}

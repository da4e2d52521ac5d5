#include "coordinator/schedule/packing_search.h"

#include <assert.h>
#include <string.h>

#include "coordinator/schedule/lookup.h"

struct room { // the most that any place below has free, each figure for itself
    int64_t cpu_millis, memory_bytes, pods;
};
static const struct room no_room = {INT64_MIN, INT64_MIN, INT64_MIN};

struct leaf_state {
    bool closed;
    uint32_t extended_room;
};

struct packing_search {
    struct arena *arena;
    uint32_t leaves;   // a power of two; place i is tree[leaves + i]
    uint32_t count;    // places
    struct room *tree; // tree[1] is the root
    struct leaf_state *states;
    uint64_t era, last_era, state;
    struct lookup kinds;
};

static void allocate(struct packing_search *search, uint32_t capacity)
{
    search->leaves = 16;
    while (search->leaves < capacity)
        search->leaves *= 2;
    search->tree = ARENA_ARRAY(search->arena, struct room, 2ull * search->leaves);
    for (uint32_t i = 0; i / 2 < search->leaves; i++)
        search->tree[i] = no_room;
    search->states = ARENA_ARRAY(search->arena, struct leaf_state, search->leaves);
}

struct packing_search *packing_search_create(struct arena *arena, uint32_t capacity)
{
    struct packing_search *search = ARENA_NEW(arena, struct packing_search);
    search->arena = search->kinds.arena = arena;
    allocate(search, capacity);
    return search;
}

static int64_t left(int64_t allocatable, int64_t used)
{
    int64_t difference;
    return __builtin_sub_overflow(allocatable, used, &difference) ? INT64_MIN : difference;
}

static struct room room_of(const struct place *place)
{
    return (struct room){
        .cpu_millis = left(place->allocatable->cpu_millis, place->used.cpu_millis),
        .memory_bytes = left(place->allocatable->memory_bytes, place->used.memory_bytes),
        .pods = left(place->allocatable->pods, place->used.pods),
    };
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void combine(struct room *tree, uint32_t node)
{
    const struct room *a = &tree[(size_t)node * 2];
    const struct room *b = &tree[(size_t)node * 2 + 1];
    tree[node] = (struct room){larger(a->cpu_millis, b->cpu_millis), larger(a->memory_bytes, b->memory_bytes),
                               larger(a->pods, b->pods)};
}

static void set_leaf(struct packing_search *search, uint32_t index, struct room room)
{
    uint32_t node = search->leaves + index;
    search->tree[node] = room;
    for (node /= 2; node > 0; node /= 2)
        combine(search->tree, node);
}

void packing_search_build(struct packing_search *search, const struct place *places, uint32_t count)
{
    assert(count <= search->leaves);
    search->count = count;
    for (uint32_t i = 0; i < count; i++)
        search->tree[search->leaves + i] = search->states[i].closed ? no_room : room_of(&places[i]);
    for (uint32_t node = search->leaves - 1; node > 0; node--)
        combine(search->tree, node);
}

void packing_search_add(struct packing_search *search, const struct place *places, uint32_t index)
{
    assert(index == search->count);
    if (index == search->leaves) {
        struct leaf_state *old = search->states;
        allocate(search, search->leaves * 2);
        memcpy(search->states, old, search->count * sizeof(*old));
        packing_search_build(search, places, search->count);
    }
    search->count++;
    search->state++;
    set_leaf(search, index, room_of(&places[index]));
}

void packing_search_drop(struct packing_search *search, uint32_t index)
{
    assert(search->count > 0 && index == search->count - 1);
    search->state++;
    set_leaf(search, index, no_room);
    search->states[index] = (struct leaf_state){0};
    search->count--;
}

void packing_search_update(struct packing_search *search, const struct place *place, uint32_t index)
{
    if (!search->states[index].closed)
        set_leaf(search, index, room_of(place));
}

void packing_search_close(struct packing_search *search, uint32_t index)
{
    search->states[index].closed = true;
    search->state++;
    set_leaf(search, index, no_room);
}

void packing_search_open(struct packing_search *search, const struct place *place, uint32_t index)
{
    if (!search->states[index].closed)
        return;
    search->states[index].closed = false;
    search->state++;
    set_leaf(search, index, room_of(place));
}

bool packing_search_is_closed(const struct packing_search *search, uint32_t index)
{
    return search->states[index].closed;
}

static bool has_room(const struct room *room, const struct room *wanted)
{
    return room->cpu_millis >= wanted->cpu_millis && room->memory_bytes >= wanted->memory_bytes &&
           room->pods >= wanted->pods;
}

// What is not asked for fits even where more is used than there is.
static int64_t wanted_amount(int64_t asked)
{
    return asked > 0 ? asked : INT64_MIN;
}

uint32_t packing_search_next(const struct packing_search *search, uint32_t from,
                             const struct resources *request)
{
    const struct room wanted = {wanted_amount(request->cpu_millis), wanted_amount(request->memory_bytes),
                                wanted_amount(request->pods)};
    if (from >= search->count)
        return UINT32_MAX;
    uint32_t node = search->leaves + from;
    for (;;) {
        if (has_room(&search->tree[node], &wanted)) {
            if (node >= search->leaves) {
                uint32_t index = node - search->leaves;
                if (index >= search->count)
                    return UINT32_MAX;
                if (!search->states[index].closed)
                    return index;
            } else {
                node *= 2;
                continue;
            }
        }
        while (node % 2 == 1) { // to the next subtree on the right
            node /= 2;
            if (node <= 1)
                return UINT32_MAX;
        }
        node++;
    }
}

struct packing_kind *packing_search_kind(struct packing_search *search, uint32_t kind_id)
{
    if (kind_id == 0)
        return NULL;
    uint64_t hash = kind_id * UINT64_C(0x9e3779b97f4a7c15) >> 20;
    struct packing_kind *kind;
    for (uint32_t cursor = 0; (kind = lookup_next(&search->kinds, hash, &cursor)) != NULL;) {
        if (kind->kind_id == kind_id)
            return kind;
    }
    kind = ARENA_NEW(search->arena, struct packing_kind);
    *kind = (struct packing_kind){.kind_id = kind_id, .cursor.era = search->era};
    lookup_add(&search->kinds, hash, kind);
    return kind;
}

void packing_search_forget(struct packing_search *search)
{
    search->era = ++search->last_era;
    search->state++;
}

uint64_t packing_search_era(const struct packing_search *search)
{
    return search->era;
}

void packing_search_return(struct packing_search *search, uint64_t era)
{
    search->era = era;
    search->state++;
}

uint64_t packing_search_state(const struct packing_search *search)
{
    return search->state;
}

uint32_t packing_search_room(const struct packing_search *search, uint32_t index)
{
    return search->states[index].extended_room;
}

void packing_search_set_room(struct packing_search *search, uint32_t index, uint32_t room)
{
    search->states[index].extended_room = room;
}

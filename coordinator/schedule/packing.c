#include "coordinator/schedule/packing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/model/labels.h"
#include "coordinator/schedule/packing_search.h"

#define PLACES_MIN 16u

// ---- places

static struct packing start(struct arena *arena, uint32_t capacity)
{
    assert(arena != NULL && capacity >= PLACES_MIN);
    struct packing packing = {.arena = arena, .place_capacity = capacity};
    packing.places = ARENA_ARRAY(arena, struct place, capacity);
    packing.search = packing_search_create(arena, capacity);
    return packing;
}

static bool may_take_pods(const struct node *node)
{
    if (node->unschedulable || node->ready != NODE_READY_TRUE || node->deletion_ms != 0)
        return false;
    for (uint32_t i = 0; i < node->taints.count; i++) {
        if (strcmp(node->taints.items[i].key, KEY_DRAINING_TAINT) == 0)
            return false;
    }
    return true;
}

struct packing packing_create(struct arena *arena, const struct cluster *cluster)
{
    assert(cluster != NULL);
    struct packing packing = start(arena, cluster->node_count + PLACES_MIN);
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct node *node = cluster->nodes[i];
        if (!may_take_pods(node))
            continue;
        packing.places[packing.place_count++] = (struct place){
            .name = node->name,
            .labels = &node->labels,
            .taints = &node->taints,
            .allocatable = &node->allocatable,
            .used = node->requested,
            .ready = true,
            .node = node,
        };
    }
    packing.node_count = packing.place_count;
    packing_search_build(packing.search, packing.places, packing.place_count);
    return packing;
}

struct packing packing_create_empty(struct arena *arena)
{
    return start(arena, PLACES_MIN);
}

uint32_t packing_add(struct packing *packing, const struct place *place)
{
    assert(packing != NULL && place != NULL && place->labels != NULL && place->taints != NULL);
    if (packing->place_count == packing->place_capacity) {
        struct place *old = packing->places;
        packing->place_capacity *= 2;
        packing->places = ARENA_ARRAY(packing->arena, struct place, packing->place_capacity);
        memcpy(packing->places, old, packing->place_count * sizeof(*old));
    }
    uint32_t index = packing->place_count++;
    packing->places[index] = *place;
    packing_search_add(packing->search, packing->places, index);
    return index;
}

// Nodes come in order of name. UINT32_MAX when this one is no place.
static uint32_t index_of(const struct packing *packing, const struct node *node)
{
    uint32_t low = 0;
    uint32_t high = packing->node_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(packing->places[middle].name, node->name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return UINT32_MAX;
}

void packing_remove_node(struct packing *packing, const struct node *node)
{
    uint32_t index = index_of(packing, node);
    if (index != UINT32_MAX)
        packing_search_close(packing->search, index);
}

void packing_restore_node(struct packing *packing, const struct node *node)
{
    uint32_t index = index_of(packing, node);
    if (index != UINT32_MAX)
        packing_search_open(packing->search, &packing->places[index], index);
}

// ---- putting and taking

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t minus(int64_t a, int64_t b)
{
    return a > b ? a - b : 0;
}

// The extended amounts of a place may be its node's own: the first change makes a copy, with room for what
// this pod asks for.
static struct extended_resource *own_extended(struct packing *packing, uint32_t index,
                                              const struct resources *request)
{
    struct resources *used = &packing->places[index].used;
    size_t room = (size_t)used->extended_count + request->extended_count;
    if (room <= packing_search_room(packing->search, index))
        return (struct extended_resource *)used->extended;
    struct extended_resource *items = ARENA_ARRAY(packing->arena, struct extended_resource, room * 2);
    if (used->extended_count > 0)
        memcpy(items, used->extended, used->extended_count * sizeof(*items));
    packing_search_set_room(packing->search, index, (uint32_t)room * 2);
    used->extended = items;
    return items;
}

static void change_extended(struct packing *packing, uint32_t index, const struct resources *request,
                            bool adding)
{
    if (request->extended_count == 0)
        return;
    struct resources *used = &packing->places[index].used;
    struct extended_resource *items = own_extended(packing, index, request);
    for (uint32_t i = 0; i < request->extended_count; i++) {
        const struct extended_resource *wanted = &request->extended[i];
        uint32_t at = 0;
        while (at < used->extended_count && strcmp(items[at].name, wanted->name) < 0)
            at++;
        if (at == used->extended_count || strcmp(items[at].name, wanted->name) != 0) {
            memmove(items + at + 1, items + at, (used->extended_count - at) * sizeof(*items));
            items[at] = (struct extended_resource){.name = wanted->name};
            used->extended_count++;
        }
        items[at].amount =
            adding ? plus(items[at].amount, wanted->amount) : minus(items[at].amount, wanted->amount);
    }
}

static void use(struct packing *packing, uint32_t index, const struct resources *request)
{
    struct resources *used = &packing->places[index].used;
    used->cpu_millis = plus(used->cpu_millis, request->cpu_millis);
    used->memory_bytes = plus(used->memory_bytes, request->memory_bytes);
    used->ephemeral_bytes = plus(used->ephemeral_bytes, request->ephemeral_bytes);
    used->pods = plus(used->pods, request->pods);
    change_extended(packing, index, request, true);
    packing_search_update(packing->search, &packing->places[index], index);
}

void packing_take(struct packing *packing, uint32_t place, const struct pod_shape *shape)
{
    assert(packing != NULL && place < packing->place_count);
    const struct resources *request = &shape->facts.requests;
    struct resources *used = &packing->places[place].used;
    used->cpu_millis = minus(used->cpu_millis, request->cpu_millis);
    used->memory_bytes = minus(used->memory_bytes, request->memory_bytes);
    used->ephemeral_bytes = minus(used->ephemeral_bytes, request->ephemeral_bytes);
    used->pods = minus(used->pods, request->pods);
    change_extended(packing, place, request, false);
    packing_search_update(packing->search, &packing->places[place], place);
    packing_search_forget(packing->search);
}

static bool is_nearer(const struct placement *a, const struct placement *b)
{
    if (a->verdict != b->verdict)
        return a->verdict > b->verdict;
    if (a->verdict != PLACEMENT_RESOURCES)
        return false;
    return (double)a->lack.free / (double)a->lack.asked > (double)b->lack.free / (double)b->lack.asked;
}

static struct placement nearest_miss(const struct packing *packing, const struct pod_shape *shape)
{
    struct placement nearest = {.verdict = PLACEMENT_FITS};
    for (uint32_t i = 0; i < packing->place_count; i++) {
        if (packing_search_is_closed(packing->search, i))
            continue;
        struct placement placement = placement_check(shape, &packing->places[i]);
        if (nearest.verdict == PLACEMENT_FITS || is_nearer(&placement, &nearest))
            nearest = placement;
    }
    if (nearest.verdict == PLACEMENT_FITS) // there was no place at all
        nearest.verdict = PLACEMENT_NOT_READY;
    return nearest;
}

static void explain(const struct packing *packing, const struct pod_shape *shape, struct packing_kind *kind,
                    struct placement *why)
{
    if (why == NULL)
        return;
    uint64_t state = packing_search_state(packing->search);
    if (kind != NULL && kind->why_state == state && kind->why.verdict != PLACEMENT_FITS) {
        *why = kind->why;
        return;
    }
    *why = nearest_miss(packing, shape);
    if (kind != NULL) {
        kind->why = *why;
        kind->why_state = state;
    }
}

uint32_t packing_put(struct packing *packing, const struct pod_shape *shape, struct placement *why)
{
    assert(packing != NULL && shape != NULL);
    if (shape->facts.needs != 0) {
        if (why != NULL)
            *why = (struct placement){.verdict = PLACEMENT_BEYOND, .needs = shape->facts.needs};
        return UINT32_MAX;
    }
    const struct resources *request = &shape->facts.requests;
    struct packing_kind *kind = packing_search_kind(packing->search, shape->kind_id);
    uint32_t index = packing_search_next(packing->search, kind == NULL ? 0 : kind->next, request);
    while (index != UINT32_MAX) {
        if (placement_check(shape, &packing->places[index]).verdict == PLACEMENT_FITS)
            break;
        index = packing_search_next(packing->search, index + 1, request);
    }
    if (kind != NULL)
        kind->next = index == UINT32_MAX ? packing->place_count : index;
    if (index == UINT32_MAX) {
        explain(packing, shape, kind, why);
        return UINT32_MAX;
    }
    use(packing, index, request);
    if (why != NULL)
        *why = (struct placement){.verdict = PLACEMENT_FITS};
    return index;
}

bool packing_put_at(struct packing *packing, uint32_t place, const struct pod_shape *shape,
                    struct placement *why)
{
    assert(packing != NULL && shape != NULL && place < packing->place_count);
    struct placement placement = placement_check(shape, &packing->places[place]);
    if (packing_search_is_closed(packing->search, place))
        placement = (struct placement){.verdict = PLACEMENT_NOT_READY};
    if (why != NULL)
        *why = placement;
    if (placement.verdict != PLACEMENT_FITS)
        return false;
    use(packing, place, &shape->facts.requests);
    return true;
}

uint32_t packing_count(struct arena *arena, const struct place *template, const struct pod *const *pods,
                       uint32_t count, uint32_t places_max, uint32_t *landed)
{
    assert(template != NULL && landed != NULL);
    struct packing packing = packing_create_empty(arena);
    for (uint32_t i = 0; i < count; i++) {
        const struct pod_shape *shape = pods[i]->shape;
        landed[i] = packing_put(&packing, shape, NULL);
        if (landed[i] != UINT32_MAX || packing.place_count >= places_max)
            continue;
        if (placement_check(shape, template).verdict != PLACEMENT_FITS)
            continue;
        packing_add(&packing, template);
        landed[i] = packing_put(&packing, shape, NULL);
        assert(landed[i] == packing.place_count - 1);
    }
    return packing.place_count;
}

#include "coordinator/schedule/packing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/model/labels.h"
#include "coordinator/schedule/packing_journal.h"
#include "coordinator/schedule/packing_search.h"

#define PLACES_MIN 16u

// ---- places

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
    assert(arena != NULL && cluster != NULL);
    struct packing packing = {
        .arena = arena, .cluster = cluster, .place_capacity = cluster->node_count + PLACES_MIN};
    packing.places = ARENA_ARRAY(arena, struct place, packing.place_capacity);
    packing.search = packing_search_create(arena, packing.place_capacity);
    packing.journal = packing_journal_create(arena);
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
    packing_journal_write(packing->journal, PACKING_ADD, index);
    return index;
}

static void drop(struct packing *packing, uint32_t index)
{
    packing_search_drop(packing->search, index);
    packing->place_count--;
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

static void remove_node(struct packing *packing, uint32_t index)
{
    packing_search_close(packing->search, index);
}

static void restore_node(struct packing *packing, uint32_t index)
{
    packing_search_open(packing->search, &packing->places[index], index);
}

void packing_remove_node(struct packing *packing, const struct node *node)
{
    uint32_t index = index_of(packing, node);
    if (index == UINT32_MAX || packing_search_is_closed(packing->search, index))
        return;
    remove_node(packing, index);
    packing_journal_write(packing->journal, PACKING_REMOVE, index);
}

void packing_restore_node(struct packing *packing, const struct node *node)
{
    uint32_t index = index_of(packing, node);
    if (index == UINT32_MAX || !packing_search_is_closed(packing->search, index))
        return;
    restore_node(packing, index);
    packing_search_forget(packing->search);
    packing_journal_write(packing->journal, PACKING_RESTORE, index);
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

static void use(struct packing *packing, uint32_t index, const struct pod *pod)
{
    const struct resources *request = &pod->shape->facts.requests;
    struct resources *used = &packing->places[index].used;
    used->cpu_millis = plus(used->cpu_millis, request->cpu_millis);
    used->memory_bytes = plus(used->memory_bytes, request->memory_bytes);
    used->ephemeral_bytes = plus(used->ephemeral_bytes, request->ephemeral_bytes);
    used->pods = plus(used->pods, request->pods);
    change_extended(packing, index, request, true);
    packing_search_update(packing->search, &packing->places[index], index);
}

static void unuse(struct packing *packing, uint32_t index, const struct pod *pod)
{
    const struct resources *request = &pod->shape->facts.requests;
    struct resources *used = &packing->places[index].used;
    used->cpu_millis = minus(used->cpu_millis, request->cpu_millis);
    used->memory_bytes = minus(used->memory_bytes, request->memory_bytes);
    used->ephemeral_bytes = minus(used->ephemeral_bytes, request->ephemeral_bytes);
    used->pods = minus(used->pods, request->pods);
    change_extended(packing, index, request, false);
    packing_search_update(packing->search, &packing->places[index], index);
}

static void write_down(struct packing *packing, enum packing_act act, uint32_t index, const struct pod *pod)
{
    struct packing_entry *entry = packing_journal_write(packing->journal, act, index);
    if (entry == NULL)
        return;
    const struct resources *used = &packing->places[index].used;
    entry->pod.pod = pod;
    entry->pod.before =
        (struct packing_amounts){used->cpu_millis, used->memory_bytes, used->ephemeral_bytes, used->pods};
}

static void put(struct packing *packing, uint32_t index, const struct pod *pod)
{
    write_down(packing, PACKING_PUT, index, pod);
    use(packing, index, pod);
}

void packing_take(struct packing *packing, uint32_t place, const struct pod *pod)
{
    assert(packing != NULL && pod != NULL && place < packing->place_count);
    write_down(packing, PACKING_TAKE, place, pod);
    unuse(packing, place, pod);
    packing_search_forget(packing->search);
}

// ---- going back

struct packing_mark packing_mark(struct packing *packing)
{
    assert(packing != NULL);
    packing->journal->kept = true;
    return (struct packing_mark){packing->journal->count, packing_search_era(packing->search)};
}

// To the very amounts of before, also where a sum has met its limit.
static void restore_amounts(struct packing *packing, const struct packing_entry *entry)
{
    struct resources *used = &packing->places[entry->place].used;
    const struct packing_amounts *before = &entry->pod.before;
    used->cpu_millis = before->cpu_millis;
    used->memory_bytes = before->memory_bytes;
    used->ephemeral_bytes = before->ephemeral_bytes;
    used->pods = before->pods;
    packing_search_update(packing->search, &packing->places[entry->place], entry->place);
}

static void undo(struct packing *packing, const struct packing_entry *entry)
{
    switch (entry->act) {
    case PACKING_PUT:
        unuse(packing, entry->place, entry->pod.pod);
        restore_amounts(packing, entry);
        break;
    case PACKING_TAKE:
        use(packing, entry->place, entry->pod.pod);
        restore_amounts(packing, entry);
        break;
    case PACKING_ADD: drop(packing, entry->place); break;
    case PACKING_REMOVE: restore_node(packing, entry->place); break;
    case PACKING_RESTORE: remove_node(packing, entry->place); break;
    case PACKING_CURSOR: *entry->cursor.cursor = entry->cursor.before; break;
    }
}

void packing_rollback(struct packing *packing, struct packing_mark mark)
{
    assert(packing != NULL && mark.entries <= packing->journal->count);
    while (packing->journal->count > mark.entries)
        undo(packing, packing_journal_pop(packing->journal));
    packing_search_return(packing->search, mark.era);
}

// ---- the first that fits

static bool is_nearer(const struct placement *a, const struct placement *b)
{
    if (a->verdict != b->verdict)
        return a->verdict > b->verdict;
    if (a->verdict != PLACEMENT_RESOURCES)
        return false;
    return (double)a->lack.free / (double)a->lack.asked > (double)b->lack.free / (double)b->lack.asked;
}

static struct placement check(const struct packing *packing, uint32_t index, const struct pod *pod)
{
    if (packing_search_is_closed(packing->search, index))
        return (struct placement){.verdict = PLACEMENT_NOT_READY};
    return placement_check(pod->shape, &packing->places[index]);
}

static struct placement nearest_miss(const struct packing *packing, const struct pod *pod)
{
    struct placement nearest = {.verdict = PLACEMENT_FITS};
    for (uint32_t i = 0; i < packing->place_count; i++) {
        if (packing_search_is_closed(packing->search, i))
            continue;
        struct placement placement = check(packing, i, pod);
        if (nearest.verdict == PLACEMENT_FITS || is_nearer(&placement, &nearest))
            nearest = placement;
    }
    if (nearest.verdict == PLACEMENT_FITS) // there was no place at all
        nearest.verdict = PLACEMENT_NOT_READY;
    return nearest;
}

static void explain(const struct packing *packing, const struct pod *pod, struct packing_kind *kind,
                    struct placement *why)
{
    if (why == NULL)
        return;
    uint64_t state = packing_search_state(packing->search);
    if (kind != NULL && kind->why_state == state && kind->why.verdict != PLACEMENT_FITS) {
        *why = kind->why;
        return;
    }
    *why = nearest_miss(packing, pod);
    if (kind != NULL) {
        kind->why = *why;
        kind->why_state = state;
    }
}

static uint32_t cursor_next(const struct packing *packing, const struct packing_cursor *cursor)
{
    return cursor->era == packing_search_era(packing->search) ? cursor->next : 0;
}

static void move_cursor(struct packing *packing, struct packing_cursor *cursor, uint32_t next)
{
    uint64_t era = packing_search_era(packing->search);
    if (cursor->next == next && cursor->era == era)
        return;
    struct packing_entry *entry = packing_journal_write(packing->journal, PACKING_CURSOR, 0);
    if (entry != NULL) {
        entry->cursor.cursor = cursor;
        entry->cursor.before = *cursor;
    }
    *cursor = (struct packing_cursor){next, era};
}

// UINT32_MAX: none.
static uint32_t find(struct packing *packing, const struct pod *pod, struct packing_kind *kind)
{
    const struct resources *request = &pod->shape->facts.requests;
    uint32_t from = kind == NULL ? 0 : cursor_next(packing, &kind->cursor);
    uint32_t index = packing_search_next(packing->search, from, request);
    while (index != UINT32_MAX && check(packing, index, pod).verdict != PLACEMENT_FITS)
        index = packing_search_next(packing->search, index + 1, request);
    if (kind != NULL)
        move_cursor(packing, &kind->cursor, index == UINT32_MAX ? packing->place_count : index);
    return index;
}

uint32_t packing_put(struct packing *packing, const struct pod *pod, struct placement *why)
{
    assert(packing != NULL && pod != NULL);
    const struct pod_shape *shape = pod->shape;
    if (shape->facts.needs != 0) {
        if (why != NULL)
            *why = (struct placement){.verdict = PLACEMENT_BEYOND, .needs = shape->facts.needs};
        return UINT32_MAX;
    }
    struct packing_kind *kind = packing_search_kind(packing->search, shape->kind_id);
    uint32_t index = find(packing, pod, kind);
    if (index == UINT32_MAX) {
        explain(packing, pod, kind, why);
        return UINT32_MAX;
    }
    put(packing, index, pod);
    if (why != NULL)
        *why = (struct placement){.verdict = PLACEMENT_FITS};
    return index;
}

bool packing_put_at(struct packing *packing, uint32_t place, const struct pod *pod, struct placement *why)
{
    struct placement placement = packing_check(packing, place, pod);
    if (why != NULL)
        *why = placement;
    if (placement.verdict != PLACEMENT_FITS)
        return false;
    put(packing, place, pod);
    return true;
}

struct placement packing_check(struct packing *packing, uint32_t place, const struct pod *pod)
{
    assert(packing != NULL && pod != NULL && place < packing->place_count);
    return check(packing, place, pod);
}

struct placement packing_check_new(struct packing *packing, const struct place *place, const struct pod *pod)
{
    struct packing_mark mark = packing_mark(packing);
    struct placement placement = packing_check(packing, packing_add(packing, place), pod);
    packing_rollback(packing, mark);
    return placement;
}

uint32_t packing_count_on(struct packing *packing, const struct place *template,
                          const struct pod *const *pods, uint32_t count, uint32_t places_max,
                          uint32_t *landed)
{
    assert(packing != NULL && template != NULL && landed != NULL);
    uint32_t added = 0;
    for (uint32_t i = 0; i < count; i++) {
        landed[i] = packing_put(packing, pods[i], NULL);
        if (landed[i] != UINT32_MAX || added >= places_max)
            continue;
        if (placement_check(pods[i]->shape, template).verdict != PLACEMENT_FITS)
            continue;
        struct packing_mark mark = packing_mark(packing);
        uint32_t place = packing_add(packing, template);
        if (!packing_put_at(packing, place, pods[i], NULL)) {
            packing_rollback(packing, mark);
            continue;
        }
        landed[i] = place;
        added++;
    }
    return added;
}

#include "coordinator/schedule/packing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/model/labels.h"
#include "coordinator/schedule/packing_journal.h"
#include "coordinator/schedule/packing_search.h"
#include "coordinator/schedule/picture.h"
#include "coordinator/schedule/ports.h"
#include "coordinator/schedule/volumes.h"

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
    packing.picture = picture_create(arena, cluster);
    packing.volumes = volumes_create(arena, cluster);
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
    if (place->node != NULL && !picture_is_gone(packing->picture, place->node))
        packing->places[index].node = NULL; // a new machine that is like it
    packing_search_add(packing->search, packing->places, index);
    picture_add(packing->picture, packing, index);
    packing_journal_write(packing->journal, PACKING_ADD, index);
    return index;
}

static void drop(struct packing *packing, uint32_t index)
{
    picture_drop(packing->picture, packing, index);
    packing_search_drop(packing->search, index);
    packing->place_count--;
}

static bool remove_node(struct packing *packing, const struct node *node)
{
    uint32_t place;
    if (!picture_remove(packing->picture, packing, node, &place))
        return false;
    volumes_change_node(packing->volumes, node, false);
    if (place != UINT32_MAX)
        packing_search_close(packing->search, place);
    return true;
}

static bool restore_node(struct packing *packing, const struct node *node)
{
    uint32_t place;
    if (!picture_restore(packing->picture, packing, node, &place))
        return false;
    volumes_change_node(packing->volumes, node, true);
    if (place != UINT32_MAX)
        packing_search_open(packing->search, &packing->places[place], place);
    return true;
}

static void write_node(struct packing *packing, enum packing_act act, const struct node *node)
{
    struct packing_entry *entry = packing_journal_write(packing->journal, act, 0);
    if (entry != NULL)
        entry->node = node;
}

void packing_remove_node(struct packing *packing, const struct node *node)
{
    assert(packing != NULL && node != NULL);
    if (remove_node(packing, node))
        write_node(packing, PACKING_REMOVE, node);
}

void packing_restore_node(struct packing *packing, const struct node *node)
{
    assert(packing != NULL && node != NULL);
    if (!restore_node(packing, node))
        return;
    packing_search_forget(packing->search);
    write_node(packing, PACKING_RESTORE, node);
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

static void come(struct packing *packing, uint32_t index, const struct pod *pod)
{
    use(packing, index, pod);
    picture_put(packing->picture, picture_profile(packing->picture, packing, pod), pod, index);
    volumes_change(packing->volumes, pod, true);
}

static void leave(struct packing *packing, uint32_t index, const struct pod *pod)
{
    unuse(packing, index, pod);
    picture_take(packing->picture, pod, index);
    volumes_change(packing->volumes, pod, false);
}

static void put(struct packing *packing, uint32_t index, const struct pod *pod)
{
    write_down(packing, PACKING_PUT, index, pod);
    come(packing, index, pod);
}

void packing_take(struct packing *packing, uint32_t place, const struct pod *pod)
{
    assert(packing != NULL && pod != NULL && place < packing->place_count);
    write_down(packing, PACKING_TAKE, place, pod);
    leave(packing, place, pod);
    packing_search_forget(packing->search);
}

// ---- going back

struct packing_mark packing_mark(struct packing *packing)
{
    assert(packing != NULL);
    packing->journal->kept = true;
    return (struct packing_mark){packing->journal->count, packing_search_era(packing->search),
                                 picture_era(packing->picture)};
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
        leave(packing, entry->place, entry->pod.pod);
        restore_amounts(packing, entry);
        break;
    case PACKING_TAKE:
        come(packing, entry->place, entry->pod.pod);
        restore_amounts(packing, entry);
        break;
    case PACKING_ADD: drop(packing, entry->place); break;
    case PACKING_REMOVE: restore_node(packing, entry->node); break;
    case PACKING_RESTORE: remove_node(packing, entry->node); break;
    case PACKING_CURSOR: *entry->cursor.cursor = entry->cursor.before; break;
    }
}

void packing_rollback(struct packing *packing, struct packing_mark mark)
{
    assert(packing != NULL && mark.entries <= packing->journal->count);
    while (packing->journal->count > mark.entries)
        undo(packing, packing_journal_pop(packing->journal));
    packing_search_return(packing->search, mark.era);
    picture_return(packing->picture, mark.picture_era);
}

// ---- the first that fits

struct asking { // a pod that looks for a place
    const struct pod *pod;
    struct profile *profile;
    bool related;
    struct packing_kind *kind; // NULL when it has none, or is related
};

static struct asking ask(struct packing *packing, const struct pod *pod)
{
    struct asking asking = {.pod = pod, .profile = picture_profile(packing->picture, packing, pod)};
    asking.related = profile_is_related(asking.profile);
    if (!asking.related)
        asking.kind = packing_search_kind(packing->search, pod->shape->kind_id);
    return asking;
}

// All but what its volumes say: the same for all pods of its shape.
static struct placement check_shape(const struct packing *packing, uint32_t index,
                                    const struct asking *asking)
{
    const struct pod_shape *shape = asking->pod->shape;
    const struct place *place = &packing->places[index];
    struct placement placement = placement_check(shape, place);
    if (placement.verdict == PLACEMENT_BEYOND)
        return placement;
    if (shape->facts.host_port_count > 0 &&
        (placement.verdict == PLACEMENT_FITS || placement.verdict == PLACEMENT_RESOURCES)) {
        struct placement ports = ports_check(shape, place, picture_puts(packing->picture, index));
        if (ports.verdict != PLACEMENT_FITS)
            return ports;
    }
    return placement;
}

// In the order of the verdicts.
static struct placement check(const struct packing *packing, uint32_t index, const struct asking *asking)
{
    if (packing_search_is_closed(packing->search, index))
        return (struct placement){.verdict = PLACEMENT_NOT_READY};
    struct placement placement = check_shape(packing, index, asking);
    if (placement.verdict == PLACEMENT_FITS && asking->pod->claim_count > 0)
        placement = volumes_check(packing->volumes, asking->pod, &packing->places[index],
                                  picture_puts(packing->picture, index));
    if (placement.verdict == PLACEMENT_FITS && asking->related)
        placement = picture_check(packing->picture, asking->profile, index);
    return placement;
}

// What no place can change.
static struct placement check_pod(const struct packing *packing, const struct pod *pod)
{
    if (pod->shape->facts.needs != 0)
        return (struct placement){.verdict = PLACEMENT_BEYOND, .needs = pod->shape->facts.needs};
    if (pod->claim_count > 0)
        return volumes_check_claims(packing->volumes, packing->picture, pod);
    return (struct placement){.verdict = PLACEMENT_FITS};
}

static bool is_nearer(const struct placement *a, const struct placement *b)
{
    if (a->verdict != b->verdict)
        return a->verdict > b->verdict;
    if (a->verdict != PLACEMENT_RESOURCES)
        return false;
    return (double)a->lack.free / (double)a->lack.asked > (double)b->lack.free / (double)b->lack.asked;
}

static struct placement nearest_miss(const struct packing *packing, const struct asking *asking)
{
    struct placement nearest = {.verdict = PLACEMENT_FITS};
    uint32_t where = 0;
    for (uint32_t i = 0; i < packing->place_count; i++) {
        if (packing_search_is_closed(packing->search, i))
            continue;
        struct placement placement = check(packing, i, asking);
        if (nearest.verdict == PLACEMENT_FITS || is_nearer(&placement, &nearest)) {
            nearest = placement;
            where = i;
        }
    }
    if (nearest.verdict == PLACEMENT_FITS) // there was no place at all
        nearest.verdict = PLACEMENT_NOT_READY;
    picture_name(packing->picture, asking->profile, where, &nearest);
    return nearest;
}

static void explain(const struct packing *packing, const struct asking *asking, struct placement *why)
{
    if (why == NULL)
        return;
    uint64_t state = packing_search_state(packing->search);
    struct packing_kind *kind = asking->pod->claim_count > 0 ? NULL : asking->kind;
    if (kind != NULL && kind->why_state == state && kind->why.verdict != PLACEMENT_FITS) {
        *why = kind->why;
        return;
    }
    *why = nearest_miss(packing, asking);
    if (kind != NULL) {
        kind->why = *why;
        kind->why_state = state;
    }
}

static struct packing_cursor cursor_at(const struct packing *packing, const struct asking *asking,
                                       uint32_t next)
{
    uint64_t stamp = 0;
    if (asking->related)
        stamp = profile_stamp(asking->profile) + picture_era(packing->picture) * UINT64_C(0x9e3779b97f4a7c15);
    return (struct packing_cursor){next, packing_search_era(packing->search), stamp};
}

static void move_cursor(struct packing *packing, struct packing_cursor *cursor,
                        const struct packing_cursor *to)
{
    if (cursor->next == to->next && cursor->era == to->era && cursor->stamp == to->stamp)
        return;
    struct packing_entry *entry = packing_journal_write(packing->journal, PACKING_CURSOR, 0);
    if (entry != NULL) {
        entry->cursor.cursor = cursor;
        entry->cursor.before = *cursor;
    }
    *cursor = *to;
}

static bool fits(const struct packing *packing, uint32_t index, const struct asking *asking, bool *shape_fits)
{
    if (asking->related && picture_check(packing->picture, asking->profile, index).verdict != PLACEMENT_FITS)
        return false;
    if (check_shape(packing, index, asking).verdict != PLACEMENT_FITS)
        return false;
    *shape_fits = true;
    return asking->pod->claim_count == 0 ||
           volumes_check(packing->volumes, asking->pod, &packing->places[index],
                         picture_puts(packing->picture, index))
                   .verdict == PLACEMENT_FITS;
}

// UINT32_MAX: none. The cursor stops at the first place that only volumes keep the pod from: they are its
// own.
static uint32_t find(struct packing *packing, const struct asking *asking)
{
    const struct resources *request = &asking->pod->shape->facts.requests;
    struct packing_cursor *cursor = asking->related        ? &asking->profile->cursor
                                    : asking->kind != NULL ? &asking->kind->cursor
                                                           : NULL;
    struct packing_cursor now = cursor_at(packing, asking, 0);
    bool holds = cursor != NULL && cursor->era == now.era && cursor->stamp == now.stamp;
    uint32_t index = packing_search_next(packing->search, holds ? cursor->next : 0, request);
    uint32_t first = UINT32_MAX;
    while (index != UINT32_MAX) {
        bool shape_fits = false;
        bool all_fits = fits(packing, index, asking, &shape_fits);
        if (shape_fits && first == UINT32_MAX)
            first = index;
        if (all_fits)
            break;
        index = packing_search_next(packing->search, index + 1, request);
    }
    now.next = first == UINT32_MAX ? packing->place_count : first;
    if (cursor != NULL)
        move_cursor(packing, cursor, &now);
    return index;
}

uint32_t packing_put(struct packing *packing, const struct pod *pod, struct placement *why)
{
    assert(packing != NULL && pod != NULL);
    struct asking asking = ask(packing, pod);
    struct placement placement = check_pod(packing, pod);
    if (placement.verdict != PLACEMENT_FITS) {
        if (why != NULL)
            *why = placement;
        return UINT32_MAX;
    }
    uint32_t index = find(packing, &asking);
    if (index == UINT32_MAX) {
        explain(packing, &asking, why);
        return UINT32_MAX;
    }
    put(packing, index, pod);
    if (why != NULL)
        *why = placement;
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
    struct asking asking = ask(packing, pod);
    struct placement placement = check_pod(packing, pod);
    if (placement.verdict != PLACEMENT_FITS)
        return placement;
    placement = check(packing, place, &asking);
    picture_name(packing->picture, asking.profile, place, &placement);
    return placement;
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

#include "coordinator/schedule/picture.h"

#include <assert.h>
#include <string.h>

#include "coordinator/schedule/picture_private.h"

struct picture *picture_create(struct arena *arena, const struct cluster *cluster)
{
    struct picture *picture = ARENA_NEW(arena, struct picture);
    *picture = (struct picture){.arena = arena,
                                .cluster = cluster,
                                .node_sites.arena = arena,
                                .profiles.arena = arena,
                                .relations.arena = arena,
                                .relations_by_word.arena = arena};
    return picture;
}

// ---- sites

const struct place *picture_place(const struct picture *picture, const struct packing *packing, uint32_t site)
{
    return site < picture->other_count ? &picture->others[site]
                                       : &packing->places[site - picture->other_count];
}

struct node_site *picture_node_site(const struct picture *picture, const struct node *node)
{
    uint64_t hash = lookup_hash_pointer(node);
    struct node_site *found;
    for (uint32_t cursor = 0; (found = lookup_next(&picture->node_sites, hash, &cursor)) != NULL;) {
        if (found->node == node)
            return found;
    }
    return NULL;
}

static void list_others(struct picture *picture, const struct packing *packing)
{
    const struct cluster *cluster = picture->cluster;
    picture->others =
        ARENA_ARRAY(picture->arena, struct place, cluster->node_count - packing->node_count + 1);
    uint32_t place = 0;
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct node *node = cluster->nodes[i];
        if (place < packing->node_count && packing->places[place].node == node) {
            place++;
            continue;
        }
        picture->others[picture->other_count++] = (struct place){.name = node->name,
                                                                 .labels = &node->labels,
                                                                 .taints = &node->taints,
                                                                 .allocatable = &node->allocatable,
                                                                 .node = node};
    }
}

static struct site *push_site(struct picture *picture, const struct node *node)
{
    if (picture->site_count == picture->site_capacity) {
        uint32_t capacity = picture->site_capacity == 0 ? 64 : picture->site_capacity * 2;
        struct site *sites = ARENA_ARRAY(picture->arena, struct site, capacity);
        if (picture->site_count > 0)
            memcpy(sites, picture->sites, picture->site_count * sizeof(*sites));
        picture->sites = sites;
        picture->site_capacity = capacity;
    }
    uint32_t index = picture->site_count++;
    struct site *site = &picture->sites[index];
    *site = (struct site){.node = node, .previous = SITE_NONE};
    if (node == NULL)
        return site;
    struct node_site *known = picture_node_site(picture, node);
    if (known == NULL) {
        known = ARENA_NEW(picture->arena, struct node_site);
        known->node = node;
        lookup_add(&picture->node_sites, lookup_hash_pointer(node), known);
    } else {
        assert(picture->sites[known->site].gone);
        site->previous = known->site;
    }
    known->site = index;
    return site;
}

static void put_residents(struct picture *picture, const struct packing *packing, uint32_t site)
{
    const struct place *place = picture_place(picture, packing, site);
    for (uint32_t i = 0; i < place->resident_count; i++) {
        const struct pod_shape *shape = place->residents[i];
        struct profile *profile = picture_count_profile(picture, packing, shape, shape->space);
        picture_add_put(picture, profile, NULL, site);
    }
}

void picture_build(struct picture *picture, const struct packing *packing)
{
    if (picture->built)
        return;
    picture->built = true;
    list_others(picture, packing);
    for (uint32_t i = 0; i < picture->other_count; i++)
        push_site(picture, picture->others[i].node);
    for (uint32_t i = 0; i < packing->place_count; i++)
        push_site(picture, packing->places[i].node);
    picture->shapes = shape_index_create(picture->arena, picture->cluster);
    picture_own_existing_anti(picture, packing);
    for (uint32_t i = packing->node_count; i < packing->place_count; i++)
        put_residents(picture, packing, picture->other_count + i);
}

static bool change_own_pods(struct picture *picture, const struct packing *packing, uint32_t site,
                            bool coming)
{
    bool changed = false;
    if (picture->relations.count == 0 || picture->sites[site].node == NULL)
        return false;
    for (const struct pod *pod = picture->sites[site].node->pods; pod != NULL; pod = pod->next) {
        if (pod->terminal)
            continue;
        const struct profile *profile = picture_count_profile(picture, packing, pod->shape, pod->space);
        changed = picture_change(picture, profile, pod, site, coming) || changed;
    }
    return changed;
}

bool picture_is_gone(const struct picture *picture, const struct node *node)
{
    const struct node_site *known = picture_node_site(picture, node);
    return known != NULL && picture->sites[known->site].gone;
}

void picture_add(struct picture *picture, const struct packing *packing, uint32_t place)
{
    if (!picture->built)
        return;
    const struct place *added = &packing->places[place];
    uint32_t index = picture->site_count;
    assert(index == picture->other_count + place);
    push_site(picture, added->node);
    for (struct topology *topology = picture->topologies; topology != NULL; topology = topology->next)
        topology_add(topology, added);
    for (struct area *area = picture->areas; area != NULL; area = area->next) {
        area_judge(picture->arena, area, index, added);
        area_open(picture->arena, area, index);
    }
    change_own_pods(picture, packing, index, true);
    put_residents(picture, packing, index);
}

void picture_drop(struct picture *picture, const struct packing *packing, uint32_t place)
{
    if (!picture->built)
        return;
    uint32_t index = picture->other_count + place;
    assert(index == picture->site_count - 1 && !picture->sites[index].gone);
    struct site *site = &picture->sites[index];
    while (site->puts != NULL) {
        assert(site->puts->pod == NULL); // all but residents were taken before
        picture_drop_put(picture, site->puts);
    }
    change_own_pods(picture, packing, index, false);
    for (struct area *area = picture->areas; area != NULL; area = area->next)
        area_close(area, index);
    for (struct topology *topology = picture->topologies; topology != NULL; topology = topology->next)
        topology_drop(topology);
    if (site->node != NULL && site->previous != SITE_NONE)
        picture_node_site(picture, site->node)->site = site->previous;
    picture->site_count--;
}

// ---- pods that are put

static void forget(struct picture *picture)
{
    picture->era = ++picture->last_era;
}

uint64_t picture_era(const struct picture *picture)
{
    return picture->era;
}

void picture_return(struct picture *picture, uint64_t era)
{
    picture->era = era;
}

bool picture_change(struct picture *picture, const struct profile *profile, const struct pod *pod,
                    uint32_t site, bool coming)
{
    bool changed = false;
    bool going = pod != NULL && pod->deletion_ms != 0;
    for (uint32_t i = 0; i < profile->counts_for.count + profile->kept_from.count; i++) {
        struct relation *relation = i < profile->counts_for.count
                                        ? profile->counts_for.items[i]
                                        : profile->kept_from.items[i - profile->counts_for.count];
        if (!relation->watched || (going && relation->kind == RELATION_SPREAD))
            continue;
        if (coming)
            relation_add(picture->arena, relation, site);
        else
            relation_subtract(picture->arena, relation, site);
        changed = true;
    }
    for (uint32_t i = 0; i < profile->anti.count; i++) {
        if (coming)
            tally_add(picture->arena, &profile->anti.items[i]->owners, site);
        else
            tally_subtract(picture->arena, &profile->anti.items[i]->owners, site);
        changed = true;
    }
    return changed;
}

void picture_add_put(struct picture *picture, struct profile *profile, const struct pod *pod, uint32_t site)
{
    struct put *put = picture->free_puts;
    if (put != NULL)
        picture->free_puts = put->site_next;
    else
        put = ARENA_NEW(picture->arena, struct put);
    *put = (struct put){.pod = pod,
                        .profile = profile,
                        .site = site,
                        .site_next = picture->sites[site].puts,
                        .profile_next = profile->puts};
    if (put->site_next != NULL)
        put->site_next->site_previous = put;
    if (put->profile_next != NULL)
        put->profile_next->profile_previous = put;
    picture->sites[site].puts = put;
    profile->puts = put;
    if (!picture->sites[site].gone)
        picture_change(picture, profile, pod, site, true);
}

void picture_drop_put(struct picture *picture, struct put *put)
{
    if (!picture->sites[put->site].gone && picture_change(picture, put->profile, put->pod, put->site, false))
        forget(picture);
    if (put->site_previous != NULL)
        put->site_previous->site_next = put->site_next;
    else
        picture->sites[put->site].puts = put->site_next;
    if (put->site_next != NULL)
        put->site_next->site_previous = put->site_previous;
    if (put->profile_previous != NULL)
        put->profile_previous->profile_next = put->profile_next;
    else
        put->profile->puts = put->profile_next;
    if (put->profile_next != NULL)
        put->profile_next->profile_previous = put->profile_previous;
    put->site_next = picture->free_puts;
    picture->free_puts = put;
}

void picture_put(struct picture *picture, struct profile *profile, const struct pod *pod, uint32_t place)
{
    picture_add_put(picture, profile, pod, picture->other_count + place);
}

void picture_take(struct picture *picture, const struct pod *pod, uint32_t place)
{
    struct put *put = picture->sites[picture->other_count + place].puts;
    while (put != NULL && put->pod != pod)
        put = put->site_next;
    assert(put != NULL);
    picture_drop_put(picture, put);
}

const struct put *picture_puts(const struct picture *picture, uint32_t place)
{
    return picture->sites[picture->other_count + place].puts;
}

void picture_visit(const struct picture *picture, void (*visit)(void *context, const struct pod *pod),
                   void *context)
{
    for (uint32_t i = 0; i < picture->site_count; i++) {
        const struct site *site = &picture->sites[i];
        if (site->gone)
            continue;
        for (const struct pod *pod = site->node == NULL ? NULL : site->node->pods; pod != NULL;
             pod = pod->next) {
            if (!pod->terminal)
                visit(context, pod);
        }
        for (const struct put *put = site->puts; put != NULL; put = put->site_next) {
            if (put->pod != NULL)
                visit(context, put->pod);
        }
    }
}

// ---- nodes that go

static void change_site(struct picture *picture, const struct packing *packing, uint32_t index, bool coming)
{
    bool changed = change_own_pods(picture, packing, index, coming);
    for (struct put *put = picture->sites[index].puts; put != NULL; put = put->site_next)
        changed = picture_change(picture, put->profile, put->pod, index, coming) || changed;
    if (changed || picture->areas != NULL)
        forget(picture);
}

static bool find_site(struct picture *picture, const struct packing *packing, const struct node *node,
                      bool gone, uint32_t *index, uint32_t *place)
{
    picture_build(picture, packing);
    const struct node_site *found = picture_node_site(picture, node);
    if (found == NULL || picture->sites[found->site].gone != gone)
        return false;
    *index = found->site;
    *place = found->site < picture->other_count ? UINT32_MAX : found->site - picture->other_count;
    return true;
}

bool picture_remove(struct picture *picture, const struct packing *packing, const struct node *node,
                    uint32_t *place)
{
    uint32_t index;
    if (!find_site(picture, packing, node, false, &index, place))
        return false;
    change_site(picture, packing, index, false);
    for (struct area *area = picture->areas; area != NULL; area = area->next)
        area_close(area, index);
    picture->sites[index].gone = true;
    return true;
}

bool picture_restore(struct picture *picture, const struct packing *packing, const struct node *node,
                     uint32_t *place)
{
    uint32_t index;
    if (!find_site(picture, packing, node, true, &index, place))
        return false;
    picture->sites[index].gone = false;
    for (struct area *area = picture->areas; area != NULL; area = area->next)
        area_open(picture->arena, area, index);
    change_site(picture, packing, index, true);
    return true;
}

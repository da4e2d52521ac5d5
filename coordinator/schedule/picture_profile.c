#include <assert.h>
#include <string.h>

#include "coordinator/model/labels.h"
#include "coordinator/model/table.h"
#include "coordinator/schedule/picture_private.h"

static void append(struct arena *arena, struct relation_list *list, struct relation *relation)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        struct relation **items = ARENA_ARRAY(arena, struct relation *, capacity);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(struct relation *));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = relation;
}

static void link_relation(struct picture *picture, struct profile *profile, struct relation *relation)
{
    append(picture->arena, relation->kind == RELATION_ANTI ? &profile->kept_from : &profile->counts_for,
           relation);
}

struct profile *picture_find_profile(const struct picture *picture, const struct pod_shape *shape)
{
    uint64_t hash = lookup_hash_pointer(shape);
    struct profile *profile;
    for (uint32_t cursor = 0; (profile = lookup_next(&picture->profiles, hash, &cursor)) != NULL;) {
        if (profile->shape == shape)
            return profile;
    }
    return NULL;
}

// ---- domains and areas

static struct topology *topology_of(struct picture *picture, const struct packing *packing, const char *key)
{
    for (struct topology *topology = picture->topologies; topology != NULL; topology = topology->next) {
        if (strcmp(topology->key, key) == 0)
            return topology;
    }
    struct topology *topology = topology_create(picture->arena, key);
    for (uint32_t i = 0; i < picture->site_count; i++)
        topology_add(topology, picture_place(picture, packing, i));
    topology->next = picture->topologies;
    picture->topologies = topology;
    return topology;
}

// What of the pod decides where one of its constraints counts.
static struct pod_shape_facts area_facts(const struct pod_shape_facts *facts,
                                         const struct spread_constraint *constraint)
{
    struct pod_shape_facts key = {0};
    if (constraint->honor_affinity) {
        key.node_selector = facts->node_selector;
        key.has_affinity = facts->has_affinity;
        key.affinity_terms = facts->affinity_terms;
        key.affinity_term_count = facts->affinity_term_count;
    }
    if (constraint->honor_taints) {
        key.tolerations = facts->tolerations;
        key.toleration_count = facts->toleration_count;
    }
    return key;
}

static bool same_keys(const struct area *area, const struct pod_shape_facts *facts)
{
    if (area->topology_count != facts->spread_count)
        return false;
    for (uint32_t i = 0; i < area->topology_count; i++) {
        if (strcmp(area->topologies[i]->key, facts->spread[i].topology_key) != 0)
            return false;
    }
    return true;
}

static struct area *area_of(struct picture *picture, const struct packing *packing,
                            const struct pod_shape_facts *facts, const struct spread_constraint *constraint)
{
    struct topology *topology = topology_of(picture, packing, constraint->topology_key);
    const struct pod_shape_facts key = area_facts(facts, constraint);
    for (struct area *area = picture->areas; area != NULL; area = area->next) {
        if (area->topology == topology && area->honor_taints == constraint->honor_taints &&
            same_keys(area, facts) && shape_facts_equal_but_labels(&area->shape.facts, &key))
            return area;
    }
    struct area *area = ARENA_NEW(picture->arena, struct area);
    *area = (struct area){.shape.facts = key,
                          .honor_taints = constraint->honor_taints,
                          .topologies = ARENA_ARRAY(picture->arena, struct topology *, facts->spread_count),
                          .topology_count = facts->spread_count,
                          .topology = topology,
                          .next = picture->areas};
    for (uint32_t i = 0; i < facts->spread_count; i++)
        area->topologies[i] = topology_of(picture, packing, facts->spread[i].topology_key);
    for (uint32_t i = 0; i < picture->site_count; i++) {
        area_judge(picture->arena, area, i, picture_place(picture, packing, i));
        if (!picture->sites[i].gone)
            area_open(picture->arena, area, i);
    }
    picture->areas = area;
    return area;
}

// ---- one copy of each relation

static uint64_t word_hash(const char *key, const char *value)
{
    return hash_text(hash_text(HASH_SEED, key), value);
}

// The requirement by which pods are found that a selector may select: the one with the fewest values.
static const struct requirement *leading(const struct selector *selector)
{
    const struct requirement *best = NULL;
    for (uint32_t i = 0; i < selector->requirement_count; i++) {
        const struct requirement *requirement = &selector->requirements[i];
        if (requirement->operator==
            SELECTOR_IN &&(best == NULL || requirement->value_count < best->value_count))
            best = requirement;
    }
    return best;
}

static void list_by_words(struct picture *picture, struct relation *relation)
{
    const struct requirement *requirement = leading(relation_selector(relation));
    if (requirement == NULL) {
        append(picture->arena, &picture->others_relations, relation);
        return;
    }
    for (uint32_t i = 0; i < requirement->value_count; i++) {
        bool repeats = false;
        for (uint32_t j = 0; j < i; j++)
            repeats = repeats || strcmp(requirement->values[i], requirement->values[j]) == 0;
        if (!repeats)
            lookup_add(&picture->relations_by_word, word_hash(requirement->key, requirement->values[i]),
                       relation);
    }
}

typedef void visit_shape(struct picture *picture, struct relation *relation, const struct pod_shape *shape,
                         struct profile *profile);

static void visit_list(struct picture *picture, struct relation *relation, const struct shape_list *list,
                       visit_shape *visit)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct pod_shape *shape = list->items[i];
        struct profile *profile = picture_find_profile(picture, shape);
        const char *space = shape->space != NULL ? shape->space : profile != NULL ? profile->space : NULL;
        if (space != NULL && relation_selects(relation, picture->cluster, space, &shape->facts.labels))
            visit(picture, relation, shape, profile);
    }
}

static void visit_selected(struct picture *picture, struct relation *relation, visit_shape *visit)
{
    const struct shape_list *lists[SHAPE_LISTS_MAX];
    uint32_t count = shape_index_candidates(picture->shapes, relation_selector(relation), lists);
    for (uint32_t i = 0; i < count; i++)
        visit_list(picture, relation, lists[i], visit);
}

static void link_profile(struct picture *picture, struct relation *relation, const struct pod_shape *shape,
                         struct profile *profile)
{
    (void)shape;
    if (profile != NULL)
        link_relation(picture, profile, relation);
}

static void count_shape(struct picture *picture, struct relation *relation, const struct pod_shape *shape,
                        struct profile *profile)
{
    for (const struct pod *pod = shape->pods; pod != NULL; pod = pod->shape_next) {
        const struct node_site *known = picture_node_site(picture, pod->node);
        if (known == NULL || picture->sites[known->site].gone ||
            (relation->kind == RELATION_SPREAD && pod->deletion_ms != 0))
            continue;
        relation_add(picture->arena, relation, known->site);
    }
    for (const struct put *put = profile == NULL ? NULL : profile->puts; put != NULL;
         put = put->profile_next) {
        bool going = put->pod != NULL && put->pod->deletion_ms != 0;
        if (!picture->sites[put->site].gone && !(going && relation->kind == RELATION_SPREAD))
            relation_add(picture->arena, relation, put->site);
    }
}

// From now on the pods that it selects are counted.
static void watch(struct picture *picture, struct relation *relation)
{
    if (relation->watched)
        return;
    relation->watched = true;
    visit_selected(picture, relation, count_shape);
}

static struct relation *find_relation(const struct picture *picture, enum relation_kind kind,
                                      const struct pod_shape_facts *key, const struct area *area,
                                      uint64_t hash)
{
    struct relation *relation;
    for (uint32_t cursor = 0; (relation = lookup_next(&picture->relations, hash, &cursor)) != NULL;) {
        if (relation->kind == kind && relation->area == area &&
            shape_facts_equal_but_labels(&relation->key, key))
            return relation;
    }
    return NULL;
}

static struct tally tally_of(struct topology *topology)
{
    return (struct tally){.topology = topology};
}

static void make_tallies(struct picture *picture, const struct packing *packing, struct relation *relation)
{
    const struct pod_shape_facts *key = &relation->key;
    uint32_t most = relation->kind == RELATION_AFFINITY ? key->pod_affinity_count : 1;
    relation->matches = ARENA_ARRAY(picture->arena, struct tally, most);
    if (relation->kind == RELATION_SPREAD) {
        relation->matches[relation->tally_count++] = tally_of(relation->area->topology);
        return;
    }
    for (uint32_t i = 0; i < most; i++) {
        const struct pod_term *term =
            relation->kind == RELATION_ANTI ? key->pod_anti_affinity : &key->pod_affinity[i];
        struct topology *topology = topology_of(picture, packing, term->topology_key);
        bool known = false;
        for (uint32_t j = 0; j < relation->tally_count; j++)
            known = known || relation->matches[j].topology == topology;
        if (!known)
            relation->matches[relation->tally_count++] = tally_of(topology);
    }
    if (relation->kind == RELATION_ANTI)
        relation->owners = tally_of(relation->matches->topology);
}

static struct relation *relation_of(struct picture *picture, const struct packing *packing,
                                    enum relation_kind kind, const struct pod_shape_facts *key,
                                    struct area *area)
{
    uint64_t hash = hash_number(shape_facts_hash_but_labels(key), kind);
    struct relation *relation = find_relation(picture, kind, key, area, hash);
    if (relation != NULL)
        return relation;
    relation = ARENA_NEW(picture->arena, struct relation);
    *relation = (struct relation){.kind = kind, .key = *key, .area = area};
    make_tallies(picture, packing, relation);
    lookup_add(&picture->relations, hash, relation);
    list_by_words(picture, relation);
    if (picture->profiles.count > 0)
        visit_selected(picture, relation, link_profile);
    return relation;
}

static struct relation *anti_of(struct picture *picture, const struct packing *packing,
                                const struct pod_term *term)
{
    const struct pod_shape_facts key = {.pod_anti_affinity = term, .pod_anti_affinity_count = 1};
    return relation_of(picture, packing, RELATION_ANTI, &key, NULL);
}

// ---- profiles

void picture_own_existing_anti(struct picture *picture, const struct packing *packing)
{
    for (uint32_t i = 0; i < picture->shapes->all.count; i++) {
        const struct pod_shape *shape = picture->shapes->all.items[i];
        if (shape->facts.pod_anti_affinity_count == 0 || shape->pods == NULL)
            continue;
        for (uint32_t j = 0; j < shape->facts.pod_anti_affinity_count; j++) {
            struct relation *relation = anti_of(picture, packing, &shape->facts.pod_anti_affinity[j]);
            for (const struct pod *pod = shape->pods; pod != NULL; pod = pod->shape_next) {
                const struct node_site *known = picture_node_site(picture, pod->node);
                if (known != NULL)
                    tally_add(picture->arena, &relation->owners, known->site);
            }
        }
    }
}

static void link_all(struct picture *picture, struct profile *profile)
{
    const struct labels *labels = &profile->shape->facts.labels;
    for (uint32_t i = 0; i < labels->count; i++) {
        uint64_t hash = word_hash(labels->items[i].key, labels->items[i].value);
        struct relation *relation;
        for (uint32_t cursor = 0;
             (relation = lookup_next(&picture->relations_by_word, hash, &cursor)) != NULL;) {
            if (relation_selects(relation, picture->cluster, profile->space, labels))
                link_relation(picture, profile, relation);
        }
    }
    for (uint32_t i = 0; i < picture->others_relations.count; i++) {
        struct relation *relation = picture->others_relations.items[i];
        if (relation_selects(relation, picture->cluster, profile->space, labels))
            link_relation(picture, profile, relation);
    }
}

struct profile *picture_count_profile(struct picture *picture, const struct packing *packing,
                                      const struct pod_shape *shape, const char *space)
{
    if (picture->last_profile != NULL && picture->last_profile->shape == shape)
        return picture->last_profile;
    struct profile *profile = picture_find_profile(picture, shape);
    if (profile == NULL) {
        profile = ARENA_NEW(picture->arena, struct profile);
        *profile = (struct profile){.shape = shape, .space = space};
        if (shape->space == NULL)
            shape_index_add(picture->shapes, shape);
        for (uint32_t i = 0; i < shape->facts.pod_anti_affinity_count; i++)
            append(picture->arena, &profile->anti,
                   anti_of(picture, packing, &shape->facts.pod_anti_affinity[i]));
        lookup_add(&picture->profiles, lookup_hash_pointer(shape), profile);
        link_all(picture, profile);
    }
    picture->last_profile = profile;
    return profile;
}

static void resolve_affinity(struct picture *picture, const struct packing *packing, struct profile *profile)
{
    const struct pod_shape_facts *facts = &profile->shape->facts;
    if (facts->pod_affinity_count == 0)
        return;
    const struct pod_shape_facts key = {.pod_affinity = facts->pod_affinity,
                                        .pod_affinity_count = facts->pod_affinity_count};
    profile->affinity = relation_of(picture, packing, RELATION_AFFINITY, &key, NULL);
    profile->selects_self =
        relation_selects(profile->affinity, picture->cluster, profile->space, &facts->labels);
    watch(picture, profile->affinity);
}

static void resolve_spread(struct picture *picture, const struct packing *packing, struct profile *profile)
{
    const struct pod_shape_facts *facts = &profile->shape->facts;
    profile->spread = ARENA_ARRAY(picture->arena, struct own_spread, facts->spread_count);
    for (uint32_t i = 0; i < facts->spread_count; i++) {
        struct spread_constraint *constraint = ARENA_NEW(picture->arena, struct spread_constraint);
        *constraint = facts->spread[i];
        struct area *area = area_of(picture, packing, facts, constraint);
        constraint->max_skew = constraint->min_domains = 0; // they limit, but what is counted is the same
        const struct pod_shape_facts key = {.spread = constraint, .spread_count = 1};
        struct own_spread *own = &profile->spread[profile->spread_count++];
        own->relation = relation_of(picture, packing, RELATION_SPREAD, &key, area);
        own->constraint = &facts->spread[i];
        own->selects_self = selector_matches(&constraint->selector, &facts->labels);
        watch(picture, own->relation);
    }
}

struct profile *picture_profile(struct picture *picture, const struct packing *packing, const struct pod *pod)
{
    picture_build(picture, packing);
    struct profile *profile = picture_count_profile(picture, packing, pod->shape, pod->space);
    if (!profile->resolved) {
        profile->resolved = true;
        resolve_affinity(picture, packing, profile);
        for (uint32_t i = 0; i < profile->anti.count; i++)
            watch(picture, profile->anti.items[i]);
        resolve_spread(picture, packing, profile);
    }
    return profile;
}

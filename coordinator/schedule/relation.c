#include "coordinator/schedule/relation.h"

#include <assert.h>
#include <string.h>

#include "coordinator/model/labels.h"

// ---- whom it selects

bool pod_term_matches(const struct pod_term *term, const struct cluster *cluster, const char *space,
                      const struct labels *labels)
{
    bool in_space = false;
    for (uint32_t i = 0; i < term->space_count && !in_space; i++)
        in_space = words_equal(term->spaces[i], space);
    if (!in_space && !term->space_selector.nothing) {
        static const struct labels none;
        const struct space *known = cluster_space(cluster, space);
        in_space = selector_matches(&term->space_selector, known == NULL ? &none : &known->facts.labels);
    }
    return in_space && selector_matches(&term->selector, labels);
}

bool relation_selects(const struct relation *relation, const struct cluster *cluster, const char *space,
                      const struct labels *labels)
{
    const struct pod_shape_facts *key = &relation->key;
    if (relation->kind == RELATION_SPREAD)
        return words_equal(key->spread->space, space) && selector_matches(&key->spread->selector, labels);
    if (relation->kind == RELATION_ANTI)
        return pod_term_matches(key->pod_anti_affinity, cluster, space, labels);
    for (uint32_t i = 0; i < key->pod_affinity_count; i++) {
        if (!pod_term_matches(&key->pod_affinity[i], cluster, space, labels))
            return false;
    }
    return true;
}

const struct selector *relation_selector(const struct relation *relation)
{
    switch (relation->kind) {
    case RELATION_AFFINITY: return &relation->key.pod_affinity->selector;
    case RELATION_ANTI: return &relation->key.pod_anti_affinity->selector;
    case RELATION_SPREAD: return &relation->key.spread->selector;
    }
    return NULL;
}

// ---- counting

void tally_add(struct arena *arena, struct tally *tally, uint32_t site)
{
    uint32_t domain = tally->topology->domain_of[site];
    if (domain != DOMAIN_NONE && (*sparse_at(arena, &tally->counts, domain))++ == 0)
        tally->nonzero++;
}

void tally_subtract(struct arena *arena, struct tally *tally, uint32_t site)
{
    uint32_t domain = tally->topology->domain_of[site];
    if (domain == DOMAIN_NONE)
        return;
    uint32_t *count = sparse_at(arena, &tally->counts, domain);
    assert(*count > 0);
    if (--*count == 0)
        tally->nonzero--;
}

// A domain's count goes from one figure to the next.
static void count_again(struct arena *arena, struct relation *relation, uint32_t from, uint32_t to)
{
    if (from > 0)
        (*counts_at(arena, &relation->by_count, from))--;
    if (to > 0)
        (*counts_at(arena, &relation->by_count, to))++;
    if (relation->matches->nonzero == 0) {
        relation->least = 0;
        return;
    }
    if (to > 0 && (relation->least == 0 || to < relation->least))
        relation->least = to;
    while (counts_get(&relation->by_count, relation->least) == 0)
        relation->least++;
}

static void spread_add(struct arena *arena, struct relation *relation, uint32_t site)
{
    if (counts_get(&relation->area->eligible, site) == 0)
        return;
    tally_add(arena, relation->matches, site);
    uint32_t count = tally_at(relation->matches, relation->matches->topology->domain_of[site]);
    count_again(arena, relation, count - 1, count);
}

static void spread_subtract(struct arena *arena, struct relation *relation, uint32_t site)
{
    if (counts_get(&relation->area->eligible, site) == 0)
        return;
    tally_subtract(arena, relation->matches, site);
    uint32_t count = tally_at(relation->matches, relation->matches->topology->domain_of[site]);
    count_again(arena, relation, count + 1, count);
}

void relation_add(struct arena *arena, struct relation *relation, uint32_t site)
{
    if (relation->kind == RELATION_SPREAD) {
        spread_add(arena, relation, site);
        return;
    }
    for (uint32_t i = 0; i < relation->tally_count; i++)
        tally_add(arena, &relation->matches[i], site);
}

void relation_subtract(struct arena *arena, struct relation *relation, uint32_t site)
{
    if (relation->kind == RELATION_SPREAD) {
        spread_subtract(arena, relation, site);
        return;
    }
    for (uint32_t i = 0; i < relation->tally_count; i++)
        tally_subtract(arena, &relation->matches[i], site);
}

uint32_t relation_minimum(const struct relation *relation, int32_t domains_min)
{
    assert(relation->kind == RELATION_SPREAD);
    uint32_t domains = relation->area->domain_count;
    if ((int64_t)domains < (int64_t)domains_min || domains > relation->matches->nonzero)
        return 0;
    return relation->least;
}

// ---- where a spread constraint counts

static bool area_has(const struct area *area, uint32_t site, const struct place *place)
{
    for (uint32_t i = 0; i < area->topology_count; i++) {
        if (area->topologies[i]->domain_of[site] == DOMAIN_NONE)
            return false;
    }
    return placement_selects(&area->shape, place) &&
           (!area->honor_taints || placement_taint(&area->shape, place) == NULL);
}

void area_judge(struct arena *arena, struct area *area, uint32_t site, const struct place *place)
{
    *counts_at(arena, &area->eligible, site) = area_has(area, site, place);
}

void area_open(struct arena *arena, struct area *area, uint32_t site)
{
    if (counts_get(&area->eligible, site) == 0)
        return;
    if ((*counts_at(arena, &area->sites, area->topology->domain_of[site]))++ == 0)
        area->domain_count++;
}

void area_close(struct area *area, uint32_t site)
{
    if (counts_get(&area->eligible, site) == 0)
        return;
    if (--area->sites.items[area->topology->domain_of[site]] == 0)
        area->domain_count--;
}

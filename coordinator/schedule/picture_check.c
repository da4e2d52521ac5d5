#include <string.h>

#include "coordinator/model/labels.h"
#include "coordinator/model/table.h"
#include "coordinator/schedule/picture_private.h"

uint64_t profile_stamp(const struct profile *profile)
{
    uint64_t stamp = HASH_SEED;
    for (uint32_t i = 0; i < profile->spread_count; i++)
        stamp = hash_number(
            stamp, relation_minimum(profile->spread[i].relation, profile->spread[i].constraint->min_domains));
    for (uint32_t i = 0; profile->affinity != NULL && i < profile->affinity->tally_count; i++)
        stamp = hash_number(stamp, profile->affinity->matches[i].nonzero);
    return stamp;
}

// ---- the checks, in the scheduler's order

static bool spread_holds(const struct own_spread *own, uint32_t site, struct placement *placement)
{
    uint32_t domain = own->relation->matches->topology->domain_of[site];
    int64_t skew = -1;
    if (domain != DOMAIN_NONE)
        skew = (int64_t)tally_at(own->relation->matches, domain) + own->selects_self -
               relation_minimum(own->relation, own->constraint->min_domains);
    if (domain != DOMAIN_NONE && skew <= own->constraint->max_skew)
        return true;
    *placement = (struct placement){
        .verdict = PLACEMENT_SPREAD, .spread = own->constraint, .skew = domain == DOMAIN_NONE ? -1 : skew};
    return false;
}

static const struct tally *tally_of_key(const struct relation *relation, const char *key)
{
    const struct tally *tally = relation->matches;
    while (strcmp(tally->topology->key, key) != 0)
        tally++;
    return tally;
}

// The first of a set of pods that keep together may be anywhere: no pod matches in any domain, but it does.
static bool may_be_first(const struct profile *profile)
{
    if (!profile->selects_self)
        return false;
    for (uint32_t i = 0; i < profile->affinity->tally_count; i++) {
        if (profile->affinity->matches[i].nonzero > 0)
            return false;
    }
    return true;
}

static bool affinity_holds(const struct profile *profile, uint32_t site, struct placement *placement)
{
    const struct relation *relation = profile->affinity;
    const struct pod_term *missing = NULL;
    for (uint32_t i = 0; relation != NULL && i < relation->key.pod_affinity_count; i++) {
        const struct pod_term *term = &relation->key.pod_affinity[i];
        const struct tally *tally =
            relation->tally_count == 1 ? relation->matches : tally_of_key(relation, term->topology_key);
        uint32_t domain = tally->topology->domain_of[site];
        if (domain == DOMAIN_NONE) {
            *placement = (struct placement){.verdict = PLACEMENT_POD_AFFINITY, .term = term};
            return false;
        }
        if (tally_at(tally, domain) == 0 && missing == NULL)
            missing = term;
    }
    if (missing == NULL || may_be_first(profile))
        return true;
    *placement = (struct placement){.verdict = PLACEMENT_POD_AFFINITY, .term = missing};
    return false;
}

static bool has_any(const struct tally *tally, uint32_t site)
{
    uint32_t domain = tally->topology->domain_of[site];
    return domain != DOMAIN_NONE && tally_at(tally, domain) > 0;
}

static bool anti_holds(const struct profile *profile, uint32_t site, struct placement *placement)
{
    for (uint32_t i = 0; i < profile->anti.count; i++) {
        const struct relation *relation = profile->anti.items[i];
        if (!has_any(relation->matches, site))
            continue;
        *placement = (struct placement){.verdict = PLACEMENT_ANTI_AFFINITY, .term = relation_term(relation)};
        return false;
    }
    for (uint32_t i = 0; i < profile->kept_from.count; i++) {
        const struct relation *relation = profile->kept_from.items[i];
        if (!has_any(&relation->owners, site))
            continue;
        *placement =
            (struct placement){.verdict = PLACEMENT_OTHERS_ANTI_AFFINITY, .term = relation_term(relation)};
        return false;
    }
    return true;
}

struct placement picture_check(const struct picture *picture, const struct profile *profile, uint32_t place)
{
    uint32_t site = picture->other_count + place;
    struct placement placement = {.verdict = PLACEMENT_FITS};
    for (uint32_t i = 0; i < profile->spread_count; i++) {
        if (!spread_holds(&profile->spread[i], site, &placement))
            return placement;
    }
    if (affinity_holds(profile, site, &placement))
        anti_holds(profile, site, &placement);
    return placement;
}

// ---- who is in the way

struct suspect {
    const struct picture *picture;
    bool own; // the term: anybody it selects; else anybody who has it
    const struct pod *found;
};

static bool has_term(const struct pod_shape_facts *facts, const struct relation *relation)
{
    for (uint32_t i = 0; i < facts->pod_anti_affinity_count; i++) {
        const struct pod_shape_facts key = {.pod_anti_affinity = &facts->pod_anti_affinity[i],
                                            .pod_anti_affinity_count = 1};
        if (shape_facts_equal_but_labels(&key, &relation->key))
            return true;
    }
    return false;
}

static void suspect_pod(struct suspect *suspect, const struct relation *relation, const struct pod *pod)
{
    if (pod == NULL || pod->terminal)
        return;
    const struct pod_shape_facts *facts = &pod->shape->facts;
    bool guilty = suspect->own
                      ? relation_selects(relation, suspect->picture->cluster, pod->space, &facts->labels)
                      : has_term(facts, relation);
    if (!guilty)
        return;
    const struct pod *found = suspect->found;
    int order = found == NULL ? -1 : strcmp(pod->space, found->space);
    if (order < 0 || (order == 0 && strcmp(pod->name, found->name) < 0))
        suspect->found = pod;
}

static const struct relation *relation_in(const struct relation_list *list, const struct pod_term *term)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (relation_term(list->items[i]) == term)
            return list->items[i];
    }
    return NULL;
}

void picture_name(const struct picture *picture, const struct profile *profile, uint32_t place,
                  struct placement *placement)
{
    struct suspect suspect = {.picture = picture, .own = placement->verdict == PLACEMENT_ANTI_AFFINITY};
    if (!suspect.own && placement->verdict != PLACEMENT_OTHERS_ANTI_AFFINITY)
        return;
    const struct relation *relation =
        relation_in(suspect.own ? &profile->anti : &profile->kept_from, placement->term);
    const uint32_t *domain_of = relation->owners.topology->domain_of;
    uint32_t domain = domain_of[picture->other_count + place];
    for (uint32_t i = 0; i < picture->site_count; i++) {
        const struct site *site = &picture->sites[i];
        if (site->gone || domain_of[i] != domain)
            continue;
        for (const struct pod *pod = site->node == NULL ? NULL : site->node->pods; pod != NULL;
             pod = pod->next)
            suspect_pod(&suspect, relation, pod);
        for (const struct put *put = site->puts; put != NULL; put = put->site_next)
            suspect_pod(&suspect, relation, put->pod);
    }
    placement->other = suspect.found;
}

#include "tests/unit/schedule/reference.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void add_pod(struct reference *reference, const struct pod *pod, const struct pod_shape *shape,
                    const char *space, uint32_t site)
{
    assert(reference->pod_count < REFERENCE_PODS_MAX);
    reference->pods[reference->pod_count++] = (struct reference_pod){pod, shape, space, site};
}

void reference_create(struct reference *reference, const struct cluster *cluster)
{
    memset(reference, 0, sizeof(*reference));
    reference->cluster = cluster;
    reference->site_count = reference->node_sites = cluster->node_count;
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct node *node = cluster->nodes[i];
        struct reference_site *site = &reference->sites[i];
        site->place = (struct place){.name = node->name,
                                     .labels = &node->labels,
                                     .taints = &node->taints,
                                     .allocatable = &node->allocatable,
                                     .used = node->requested,
                                     .ready = true,
                                     .node = node};
        site->is_place = !node->unschedulable && node->ready == NODE_READY_TRUE && node->deletion_ms == 0;
        for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next) {
            if (!pod->terminal)
                add_pod(reference, pod, pod->shape, pod->space, i);
        }
    }
}

uint32_t reference_site_of(const struct reference *reference, uint32_t place)
{
    for (uint32_t i = 0; i < reference->site_count; i++) {
        if (reference->sites[i].is_place && place-- == 0)
            return i;
    }
    assert(!"there is such a place");
    return 0;
}

uint32_t reference_add(struct reference *reference, const struct place *place)
{
    assert(reference->site_count < REFERENCE_SITES_MAX);
    reference->sites[reference->site_count] = (struct reference_site){.place = *place, .is_place = true};
    for (uint32_t i = 0; i < place->resident_count; i++)
        add_pod(reference, NULL, place->residents[i], place->residents[i]->space, reference->site_count);
    return reference->site_count++;
}

void reference_set_gone(struct reference *reference, const struct node *node, bool gone)
{
    for (uint32_t i = 0; i < reference->node_sites; i++) {
        if (reference->sites[i].place.node == node)
            reference->sites[i].gone = gone;
    }
}

void reference_put(struct reference *reference, uint32_t site, const struct pod *pod)
{
    struct resources *used = &reference->sites[site].place.used;
    used->cpu_millis += pod->shape->facts.requests.cpu_millis;
    used->memory_bytes += pod->shape->facts.requests.memory_bytes;
    used->pods += pod->shape->facts.requests.pods;
    add_pod(reference, pod, pod->shape, pod->space, site);
}

void reference_take(struct reference *reference, uint32_t site, const struct pod *pod)
{
    struct resources *used = &reference->sites[site].place.used;
    used->cpu_millis -= pod->shape->facts.requests.cpu_millis;
    used->memory_bytes -= pod->shape->facts.requests.memory_bytes;
    used->pods -= pod->shape->facts.requests.pods;
    uint32_t at = reference->pod_count;
    while (reference->pods[at - 1].pod != pod || reference->pods[at - 1].site != site)
        at--;
    reference->pods[at - 1] = reference->pods[--reference->pod_count];
}

// ---- labels

static bool counts(const struct reference *reference, const struct reference_pod *pod)
{
    return !reference->sites[pod->site].gone;
}

// The value of a topology key on a site; false when it lacks the label.
static bool domain(const struct reference *reference, uint32_t site, const char *key, char *value,
                   size_t bytes)
{
    if (strcmp(key, "kubernetes.io/hostname") == 0 && site >= reference->node_sites) {
        snprintf(value, bytes, "#%u", site);
        return true;
    }
    const char *found = labels_get(reference->sites[site].place.labels, key);
    snprintf(value, bytes, "%s", found == NULL ? "" : found);
    return found != NULL;
}

static bool same_domain(const struct reference *reference, uint32_t a, uint32_t b, const char *key)
{
    char left[80], right[80];
    return domain(reference, a, key, left, sizeof(left)) && domain(reference, b, key, right, sizeof(right)) &&
           strcmp(left, right) == 0;
}

static bool in_space(const struct reference *reference, const struct pod_term *term, const char *space)
{
    for (uint32_t i = 0; i < term->space_count; i++) {
        if (strcmp(term->spaces[i], space) == 0)
            return true;
    }
    static const struct labels none;
    const struct space *known = cluster_space(reference->cluster, space);
    return !term->space_selector.nothing &&
           selector_matches(&term->space_selector, known == NULL ? &none : &known->facts.labels);
}

static bool term_selects(const struct reference *reference, const struct pod_term *term, const char *space,
                         const struct pod_shape *shape)
{
    return in_space(reference, term, space) && selector_matches(&term->selector, &shape->facts.labels);
}

// ---- inter-pod affinity

static bool selected_by_all(const struct reference *reference, const struct pod *pod, const char *space,
                            const struct pod_shape *shape)
{
    const struct pod_shape_facts *facts = &pod->shape->facts;
    for (uint32_t i = 0; i < facts->pod_affinity_count; i++) {
        if (!term_selects(reference, &facts->pod_affinity[i], space, shape))
            return false;
    }
    return true;
}

static bool affinity_holds(const struct reference *reference, uint32_t site, const struct pod *pod)
{
    const struct pod_shape_facts *facts = &pod->shape->facts;
    bool all_there = true, any_anywhere = false;
    for (uint32_t i = 0; i < facts->pod_affinity_count; i++) {
        const char *key = facts->pod_affinity[i].topology_key;
        char value[80];
        if (!domain(reference, site, key, value, sizeof(value)))
            return false;
        bool there = false;
        for (uint32_t j = 0; j < reference->pod_count; j++) {
            const struct reference_pod *other = &reference->pods[j];
            if (!counts(reference, other) || !selected_by_all(reference, pod, other->space, other->shape))
                continue;
            any_anywhere = any_anywhere || domain(reference, other->site, key, value, sizeof(value));
            there = there || same_domain(reference, site, other->site, key);
        }
        all_there = all_there && there;
    }
    return all_there || (!any_anywhere && selected_by_all(reference, pod, pod->space, pod->shape));
}

static bool own_anti_holds(const struct reference *reference, uint32_t site, const struct pod *pod)
{
    const struct pod_shape_facts *facts = &pod->shape->facts;
    for (uint32_t i = 0; i < facts->pod_anti_affinity_count; i++) {
        const struct pod_term *term = &facts->pod_anti_affinity[i];
        for (uint32_t j = 0; j < reference->pod_count; j++) {
            const struct reference_pod *other = &reference->pods[j];
            if (counts(reference, other) && term_selects(reference, term, other->space, other->shape) &&
                same_domain(reference, site, other->site, term->topology_key))
                return false;
        }
    }
    return true;
}

static bool others_anti_holds(const struct reference *reference, uint32_t site, const struct pod *pod)
{
    for (uint32_t j = 0; j < reference->pod_count; j++) {
        const struct reference_pod *other = &reference->pods[j];
        const struct pod_shape_facts *facts = &other->shape->facts;
        for (uint32_t i = 0; i < facts->pod_anti_affinity_count && counts(reference, other); i++) {
            const struct pod_term *term = &facts->pod_anti_affinity[i];
            if (term_selects(reference, term, pod->space, pod->shape) &&
                same_domain(reference, site, other->site, term->topology_key))
                return false;
        }
    }
    return true;
}

// ---- topology spread

static bool is_eligible(const struct reference *reference, uint32_t site, const struct pod *pod,
                        const struct spread_constraint *constraint)
{
    const struct pod_shape_facts *facts = &pod->shape->facts;
    char value[80];
    if (reference->sites[site].gone)
        return false;
    for (uint32_t i = 0; i < facts->spread_count; i++) {
        if (!domain(reference, site, facts->spread[i].topology_key, value, sizeof(value)))
            return false;
    }
    const struct place *place = &reference->sites[site].place;
    if (constraint->honor_affinity && !placement_selects(pod->shape, place))
        return false;
    return !constraint->honor_taints || placement_taint(pod->shape, place) == NULL;
}

static int64_t matching_in(const struct reference *reference, uint32_t site, const struct pod *pod,
                           const struct spread_constraint *constraint)
{
    int64_t count = 0;
    for (uint32_t j = 0; j < reference->pod_count; j++) {
        const struct reference_pod *other = &reference->pods[j];
        bool going = other->pod != NULL && other->pod->deletion_ms != 0;
        count += counts(reference, other) && !going && strcmp(other->space, constraint->space) == 0 &&
                 selector_matches(&constraint->selector, &other->shape->facts.labels) &&
                 is_eligible(reference, other->site, pod, constraint) &&
                 same_domain(reference, site, other->site, constraint->topology_key);
    }
    return count;
}

static bool spread_holds(const struct reference *reference, uint32_t site, const struct pod *pod)
{
    const struct pod_shape_facts *facts = &pod->shape->facts;
    for (uint32_t i = 0; i < facts->spread_count; i++) {
        const struct spread_constraint *constraint = &facts->spread[i];
        char value[80];
        if (!domain(reference, site, constraint->topology_key, value, sizeof(value)))
            return false;
        int64_t least = INT64_MAX, domains = 0;
        for (uint32_t j = 0; j < reference->site_count; j++) {
            if (!is_eligible(reference, j, pod, constraint))
                continue;
            bool first = true;
            for (uint32_t k = 0; k < j; k++)
                first = first && !(is_eligible(reference, k, pod, constraint) &&
                                   same_domain(reference, j, k, constraint->topology_key));
            int64_t count = matching_in(reference, j, pod, constraint);
            least = count < least ? count : least;
            domains += first;
        }
        if (domains < constraint->min_domains || domains == 0)
            least = 0;
        int64_t self = selector_matches(&constraint->selector, &facts->labels);
        if (matching_in(reference, site, pod, constraint) + self - least > constraint->max_skew)
            return false;
    }
    return true;
}

// ---- host ports

static bool ports_hold(const struct reference *reference, uint32_t site, const struct pod *pod)
{
    for (uint32_t j = 0; j < reference->pod_count; j++) {
        const struct reference_pod *other = &reference->pods[j];
        if (other->site != site)
            continue;
        const struct pod_shape_facts *a = &pod->shape->facts;
        const struct pod_shape_facts *b = &other->shape->facts;
        for (uint32_t k = 0; k < a->host_port_count * b->host_port_count; k++) {
            const struct host_port *left = &a->host_ports[k / b->host_port_count];
            const struct host_port *right = &b->host_ports[k % b->host_port_count];
            bool address = strcmp(left->ip, right->ip) == 0 || strcmp(left->ip, "0.0.0.0") == 0 ||
                           strcmp(right->ip, "0.0.0.0") == 0;
            if (address && left->port == right->port && left->protocol == right->protocol)
                return false;
        }
    }
    return true;
}

enum placement_verdict reference_check(const struct reference *reference, uint32_t site,
                                       const struct pod *pod)
{
    const struct reference_site *where = &reference->sites[site];
    if (where->gone || !where->is_place)
        return PLACEMENT_NOT_READY;
    enum placement_verdict verdict = placement_check(pod->shape, &where->place).verdict;
    if (verdict != PLACEMENT_FITS && verdict != PLACEMENT_RESOURCES)
        return verdict;
    if (!ports_hold(reference, site, pod))
        return PLACEMENT_HOST_PORT;
    if (verdict != PLACEMENT_FITS)
        return verdict;
    if (!spread_holds(reference, site, pod))
        return PLACEMENT_SPREAD;
    if (!affinity_holds(reference, site, pod))
        return PLACEMENT_POD_AFFINITY;
    if (!own_anti_holds(reference, site, pod))
        return PLACEMENT_ANTI_AFFINITY;
    return others_anti_holds(reference, site, pod) ? PLACEMENT_FITS : PLACEMENT_OTHERS_ANTI_AFFINITY;
}

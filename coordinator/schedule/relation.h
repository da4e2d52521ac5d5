// What this room is for: one copy of each rule by which pods keep to or from each other (a pod's affinity,
// one term of anti-affinity, one spread constraint), and how many pods count for it in each domain. What it
// knows: labels, namespaces, domains. What it may not do: walk pods, know what is put where.
//
// As kube-scheduler's InterPodAffinity and PodTopologySpread have it:
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity
// https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
#ifndef VPSIE_COORDINATOR_SCHEDULE_RELATION_H
#define VPSIE_COORDINATOR_SCHEDULE_RELATION_H

#include "coordinator/schedule/topology.h"

enum relation_kind { RELATION_AFFINITY, RELATION_ANTI, RELATION_SPREAD };

struct tally { // pods by domain
    struct topology *topology;
    struct sparse counts;
    uint32_t nonzero; // domains that have any
};

// Where a spread constraint counts: sites that have every key of the pod's constraints and, as its policies
// say, that the pod's node selector and affinity select and whose taints it tolerates.
struct area {
    struct pod_shape shape; // node selector, affinity and tolerations, as far as they count
    bool honor_taints;
    struct topology **topologies; // of all constraints of the pod
    uint32_t topology_count;
    struct topology *topology;
    struct counts eligible; // by site
    struct counts sites;    // by domain: eligible sites that are there
    uint32_t domain_count;  // that have any
    struct area *next;
};

struct relation {
    enum relation_kind kind;
    struct pod_shape_facts key; // its terms or its constraint, and nothing else
    struct tally *matches;      // pods that its selectors select; AFFINITY: that all of them do, by each key
    uint32_t tally_count;
    struct tally owners; // ANTI: pods that have the term
    bool watched;        // matches are counted; ANTI: only once somebody asks who has the term
    struct area *area;   // SPREAD
    struct counts by_count;
    uint32_t least; // SPREAD: the fewest in a domain that has any
    struct relation *next;
};

static inline const struct pod_term *relation_term(const struct relation *relation)
{
    return relation->key.pod_anti_affinity;
}

bool pod_term_matches(const struct pod_term *term, const struct cluster *cluster, const char *space,
                      const struct labels *labels);
// Does the relation select such pods?
bool relation_selects(const struct relation *relation, const struct cluster *cluster, const char *space,
                      const struct labels *labels);
// The selector that is asked first, to find candidates with.
const struct selector *relation_selector(const struct relation *relation);

void tally_add(struct arena *arena, struct tally *tally, uint32_t site);
void tally_subtract(struct arena *arena, struct tally *tally, uint32_t site);
static inline uint32_t tally_at(const struct tally *tally, uint32_t domain)
{
    return sparse_get(&tally->counts, domain);
}

// A pod that it selects came to a site, or left it.
void relation_add(struct arena *arena, struct relation *relation, uint32_t site);
void relation_subtract(struct arena *arena, struct relation *relation, uint32_t site);

// SPREAD: the fewest matching pods in any domain of the area; 0 when there are fewer domains than asked for.
uint32_t relation_minimum(const struct relation *relation, int32_t domains_min);

// The next site, or another one in the place of one that was dropped: is it one of the area's?
void area_judge(struct arena *arena, struct area *area, uint32_t site, const struct place *place);
// A site is there, or is there no more: its pods come after it and go before it.
void area_open(struct arena *arena, struct area *area, uint32_t site);
void area_close(struct area *area, uint32_t site);

#endif

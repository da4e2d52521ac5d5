// What this room is for: where a pod may run, straight from Kubernetes' documentation, one pod and one node
// after the other, as slow and as plain as that is: what packing must agree with. What it knows: facts. What
// it may not do: share a line with coordinator/schedule but the check of a pod by itself.
#ifndef VPSIE_TESTS_UNIT_SCHEDULE_REFERENCE_H
#define VPSIE_TESTS_UNIT_SCHEDULE_REFERENCE_H

#include "coordinator/schedule/packing.h"

#define REFERENCE_SITES_MAX 128u
#define REFERENCE_PODS_MAX  512u

struct reference_site {
    struct place place; // `used` is what is used now
    bool is_place;      // may pods be put there
    bool gone;
};
struct reference_pod {
    const struct pod *pod; // NULL: a resident
    const struct pod_shape *shape;
    const char *space;
    uint32_t site;
};
struct reference { // may be copied
    const struct cluster *cluster;
    struct reference_site sites[REFERENCE_SITES_MAX];
    uint32_t site_count, node_sites;
    struct reference_pod pods[REFERENCE_PODS_MAX];
    uint32_t pod_count;
};

// Every node of the cluster and all pods on them.
void reference_create(struct reference *reference, const struct cluster *cluster);
uint32_t reference_add(struct reference *reference, const struct place *place);
void reference_set_gone(struct reference *reference, const struct node *node, bool gone);
void reference_put(struct reference *reference, uint32_t site, const struct pod *pod);
void reference_take(struct reference *reference, uint32_t site, const struct pod *pod);
enum placement_verdict reference_check(const struct reference *reference, uint32_t site,
                                       const struct pod *pod);
// The site of packing's place of this index.
uint32_t reference_site_of(const struct reference *reference, uint32_t place);

#endif

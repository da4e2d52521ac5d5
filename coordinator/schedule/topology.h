// What this room is for: which domain of a topology (zone, host name, any label) each site is in. What it
// knows: sites: all nodes of the cluster and the places added, by index. What it may not do: know pods.
#ifndef VPSIE_COORDINATOR_SCHEDULE_TOPOLOGY_H
#define VPSIE_COORDINATOR_SCHEDULE_TOPOLOGY_H

#include "coordinator/schedule/lookup.h"
#include "coordinator/schedule/placement.h"

#define DOMAIN_NONE UINT32_MAX

struct topology {
    struct arena *arena;
    const char *key;
    bool host;           // every machine that does not exist yet is a domain of its own
    uint32_t *domain_of; // by site; DOMAIN_NONE: it lacks the label
    uint32_t site_count, site_capacity;
    struct lookup domains; // of struct domain, by value
    struct domain **by_id;
    uint32_t domain_count, domain_capacity;
    struct domain *free; // nameless ones whose site is gone
    struct topology *next;
};

struct domain {
    const char *value; // NULL for a machine that does not exist yet
    uint32_t id;
    struct domain *next;
};

struct topology *topology_create(struct arena *arena, const char *key);
// The next site, in order of their indices.
void topology_add(struct topology *topology, const struct place *site);
void topology_drop(struct topology *topology); // the last one

// An array of numbers by domain or site that grows with what there is; zero beyond.
struct counts {
    uint32_t *items;
    uint32_t capacity;
};
static inline uint32_t counts_get(const struct counts *counts, uint32_t index)
{
    return index < counts->capacity ? counts->items[index] : 0;
}
uint32_t *counts_at(struct arena *arena, struct counts *counts, uint32_t index);

#endif

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

// Numbers by index that grow with what there is; zero where nothing was set.
struct counts {
    uint32_t *items;
    uint32_t capacity;
};
static inline uint32_t counts_get(const struct counts *counts, uint32_t index)
{
    return index < counts->capacity ? counts->items[index] : 0;
}
uint32_t *counts_at(struct arena *arena, struct counts *counts, uint32_t index);

// The same for few indices among many: ten pods on five thousand hosts.
struct sparse_slot {
    uint32_t key; // index + 1; 0: free
    uint32_t number;
};
struct sparse {
    struct sparse_slot *slots;
    uint32_t count, capacity; // capacity is 0 or a power of two
};
static inline uint32_t sparse_start(const struct sparse *sparse, uint32_t index)
{
    return (index * 0x9e3779b1u >> 7) & (sparse->capacity - 1);
}
static inline uint32_t sparse_get(const struct sparse *sparse, uint32_t index)
{
    if (sparse->capacity == 0)
        return 0;
    uint32_t slot = sparse_start(sparse, index);
    while (sparse->slots[slot].key != 0 && sparse->slots[slot].key != index + 1)
        slot = (slot + 1) & (sparse->capacity - 1);
    return sparse->slots[slot].number;
}
uint32_t *sparse_at(struct arena *arena, struct sparse *sparse, uint32_t index);

#endif

#include "coordinator/schedule/topology.h"

#include <assert.h>
#include <string.h>

#include "coordinator/model/table.h"

#define KEY_HOSTNAME "kubernetes.io/hostname"

uint32_t *counts_at(struct arena *arena, struct counts *counts, uint32_t index)
{
    if (index >= counts->capacity) {
        uint32_t capacity = counts->capacity == 0 ? 4 : counts->capacity;
        while (capacity <= index)
            capacity *= 2;
        uint32_t *items = ARENA_ARRAY(arena, uint32_t, capacity);
        if (counts->capacity > 0)
            memcpy(items, counts->items, counts->capacity * sizeof(*items));
        counts->items = items;
        counts->capacity = capacity;
    }
    return &counts->items[index];
}

static void sparse_grow(struct arena *arena, struct sparse *sparse)
{
    struct sparse old = *sparse;
    sparse->capacity = old.capacity == 0 ? 8 : old.capacity * 4;
    sparse->slots = ARENA_ARRAY(arena, struct sparse_slot, sparse->capacity);
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (old.slots[i].key == 0)
            continue;
        uint32_t slot = sparse_start(sparse, old.slots[i].key - 1);
        while (sparse->slots[slot].key != 0)
            slot = (slot + 1) & (sparse->capacity - 1);
        sparse->slots[slot] = old.slots[i];
    }
}

uint32_t *sparse_at(struct arena *arena, struct sparse *sparse, uint32_t index)
{
    assert(index != UINT32_MAX);
    if (sparse->count * 2 >= sparse->capacity)
        sparse_grow(arena, sparse);
    uint32_t slot = sparse_start(sparse, index);
    while (sparse->slots[slot].key != 0 && sparse->slots[slot].key != index + 1)
        slot = (slot + 1) & (sparse->capacity - 1);
    if (sparse->slots[slot].key == 0) {
        sparse->slots[slot].key = index + 1;
        sparse->count++;
    }
    return &sparse->slots[slot].number;
}

struct topology *topology_create(struct arena *arena, const char *key)
{
    struct topology *topology = ARENA_NEW(arena, struct topology);
    *topology = (struct topology){
        .arena = arena, .key = key, .host = strcmp(key, KEY_HOSTNAME) == 0, .domains.arena = arena};
    return topology;
}

static struct domain *new_domain(struct topology *topology, const char *value)
{
    if (topology->domain_count == topology->domain_capacity) {
        uint32_t capacity = topology->domain_capacity == 0 ? 16 : topology->domain_capacity * 2;
        struct domain **by_id = ARENA_ARRAY(topology->arena, struct domain *, capacity);
        if (topology->domain_count > 0)
            memcpy(by_id, topology->by_id, topology->domain_count * sizeof(struct domain *));
        topology->by_id = by_id;
        topology->domain_capacity = capacity;
    }
    struct domain *domain = ARENA_NEW(topology->arena, struct domain);
    *domain = (struct domain){.value = value, .id = topology->domain_count++};
    topology->by_id[domain->id] = domain;
    return domain;
}

static uint32_t nameless(struct topology *topology)
{
    struct domain *domain = topology->free;
    if (domain == NULL)
        return new_domain(topology, NULL)->id;
    topology->free = domain->next;
    return domain->id;
}

static uint32_t named(struct topology *topology, const char *value)
{
    uint64_t hash = hash_text(HASH_SEED, value);
    struct domain *domain;
    for (uint32_t cursor = 0; (domain = lookup_next(&topology->domains, hash, &cursor)) != NULL;) {
        if (domain->value == value || strcmp(domain->value, value) == 0)
            return domain->id;
    }
    domain = new_domain(topology, value);
    lookup_add(&topology->domains, hash, domain);
    return domain->id;
}

// A machine that has joined may stand here with the labels that it will have: its host name is its own.
static const char *host_name(const struct topology *topology, const struct place *site)
{
    const char *value = labels_get(&site->node->labels, topology->key);
    return value == NULL && site->labels != &site->node->labels ? site->name : value;
}

static uint32_t domain_for(struct topology *topology, const struct place *site)
{
    const char *value;
    if (!topology->host)
        value = labels_get(site->labels, topology->key);
    else if (site->node == NULL)
        return nameless(topology);
    else
        value = host_name(topology, site);
    return value == NULL ? DOMAIN_NONE : named(topology, value);
}

void topology_add(struct topology *topology, const struct place *site)
{
    if (topology->site_count == topology->site_capacity) {
        uint32_t capacity = topology->site_capacity == 0 ? 64 : topology->site_capacity * 2;
        uint32_t *domain_of = ARENA_ARRAY(topology->arena, uint32_t, capacity);
        if (topology->site_count > 0)
            memcpy(domain_of, topology->domain_of, topology->site_count * sizeof(*domain_of));
        topology->domain_of = domain_of;
        topology->site_capacity = capacity;
    }
    topology->domain_of[topology->site_count++] = domain_for(topology, site);
}

void topology_drop(struct topology *topology)
{
    assert(topology->site_count > 0);
    uint32_t id = topology->domain_of[--topology->site_count];
    if (id == DOMAIN_NONE || topology->by_id[id]->value != NULL)
        return;
    topology->by_id[id]->next = topology->free;
    topology->free = topology->by_id[id];
}

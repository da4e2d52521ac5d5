#include "coordinator/schedule/lookup.h"

#include <assert.h>

#define SLOTS_MIN 64u

uint64_t lookup_hash_pointer(const void *pointer)
{
    uint64_t hash = (uint64_t)(uintptr_t)pointer;
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdull;
    return hash ^ hash >> 29;
}

static void insert(struct lookup *lookup, uint64_t hash, void *item)
{
    uint32_t mask = lookup->capacity - 1;
    uint32_t slot = (uint32_t)hash & mask;
    while (lookup->slots[slot].item != NULL)
        slot = (slot + 1) & mask;
    lookup->slots[slot] = (struct lookup_slot){hash, item};
}

void lookup_add(struct lookup *lookup, uint64_t hash, void *item)
{
    assert(lookup->arena != NULL && item != NULL);
    if (lookup->count * 2 >= lookup->capacity) {
        struct lookup old = *lookup;
        lookup->capacity = old.capacity == 0 ? SLOTS_MIN : old.capacity * 4;
        assert(lookup->capacity > old.capacity);
        lookup->slots = ARENA_ARRAY(lookup->arena, struct lookup_slot, lookup->capacity);
        for (uint32_t i = 0; i < old.capacity; i++) {
            if (old.slots[i].item != NULL)
                insert(lookup, old.slots[i].hash, old.slots[i].item);
        }
    }
    insert(lookup, hash, item);
    lookup->count++;
}

void *lookup_next(const struct lookup *lookup, uint64_t hash, uint32_t *cursor)
{
    if (lookup->capacity == 0)
        return NULL;
    uint32_t mask = lookup->capacity - 1;
    for (;;) {
        const struct lookup_slot *slot = &lookup->slots[((uint32_t)hash + *cursor) & mask];
        if (slot->item == NULL)
            return NULL;
        (*cursor)++;
        if (slot->hash == hash)
            return slot->item;
    }
}

#include "coordinator/schedule/lookup.h"

#include <assert.h>

#define BUCKETS_MIN 64u

uint64_t lookup_hash_pointer(const void *pointer)
{
    uint64_t hash = (uint64_t)(uintptr_t)pointer;
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdull;
    return hash ^ hash >> 29;
}

static void grow(struct lookup *lookup)
{
    struct lookup_entry **old = lookup->buckets;
    uint32_t old_capacity = lookup->capacity;
    lookup->capacity = old_capacity == 0 ? BUCKETS_MIN : old_capacity * 4;
    assert(lookup->capacity > old_capacity);
    lookup->buckets = ARENA_ARRAY(lookup->arena, struct lookup_entry *, lookup->capacity);
    for (uint32_t i = 0; i < old_capacity; i++) {
        struct lookup_entry *reversed = NULL; // so that the youngest stays the first
        for (struct lookup_entry *entry = old[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            entry->next = reversed;
            reversed = entry;
        }
        for (struct lookup_entry *entry = reversed, *next; entry != NULL; entry = next) {
            next = entry->next;
            struct lookup_entry **bucket = &lookup->buckets[entry->hash & (lookup->capacity - 1)];
            entry->next = *bucket;
            *bucket = entry;
        }
    }
}

struct lookup_entry *lookup_add(struct lookup *lookup, uint64_t hash, void *item)
{
    assert(lookup->arena != NULL && item != NULL);
    if (lookup->count >= lookup->capacity)
        grow(lookup);
    struct lookup_entry **bucket = &lookup->buckets[hash & (lookup->capacity - 1)];
    struct lookup_entry *entry = ARENA_NEW(lookup->arena, struct lookup_entry);
    *entry = (struct lookup_entry){.hash = hash, .item = item, .next = *bucket};
    *bucket = entry;
    lookup->count++;
    return entry;
}

struct lookup_entry *lookup_next(const struct lookup *lookup, uint64_t hash, const struct lookup_entry *last)
{
    if (lookup->capacity == 0)
        return NULL;
    struct lookup_entry *entry = last != NULL ? last->next : lookup->buckets[hash & (lookup->capacity - 1)];
    while (entry != NULL && entry->hash != hash)
        entry = entry->next;
    return entry;
}

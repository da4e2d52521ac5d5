// What this room is for: finding things by hash in memory that goes with its arena. What it knows: hashes;
// the caller compares. What it may not do: take anything out, own what it points to.
#ifndef VPSIE_COORDINATOR_SCHEDULE_LOOKUP_H
#define VPSIE_COORDINATOR_SCHEDULE_LOOKUP_H

#include "common/arena.h"

struct lookup_entry {
    uint64_t hash;
    void *item; // may be replaced
    struct lookup_entry *next;
};

// Zero-initialise, but for the arena.
struct lookup {
    struct arena *arena;
    struct lookup_entry **buckets;
    uint32_t count, capacity; // capacity is 0 or a power of two
};

uint64_t lookup_hash_pointer(const void *pointer);
struct lookup_entry *lookup_add(struct lookup *lookup, uint64_t hash, void *item);
// Entries under this hash, the youngest first: start with NULL, then pass the last answer. NULL at the end.
struct lookup_entry *lookup_next(const struct lookup *lookup, uint64_t hash, const struct lookup_entry *last);

#endif

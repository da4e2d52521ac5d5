// What this room is for: finding things by hash in memory that goes with its arena. What it knows: hashes;
// the caller compares. What it may not do: take anything out, own what it points to.
#ifndef VPSIE_COORDINATOR_SCHEDULE_LOOKUP_H
#define VPSIE_COORDINATOR_SCHEDULE_LOOKUP_H

#include <stddef.h>

#include "common/arena.h"

struct lookup_slot {
    uint64_t hash;
    void *item; // NULL: free
};

// Zero-initialise, but for the arena.
struct lookup {
    struct arena *arena;
    struct lookup_slot *slots;
    uint32_t count, capacity; // capacity is 0 or a power of two
};

uint64_t lookup_hash_pointer(const void *pointer);
void lookup_add(struct lookup *lookup, uint64_t hash, void *item);
// Every item under this hash, one a call, NULL at the end; `cursor` starts at 0. Nothing may be added in
// between.
void *lookup_next(const struct lookup *lookup, uint64_t hash, uint32_t *cursor);

#endif

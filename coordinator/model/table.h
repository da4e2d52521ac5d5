// What this room is for: a hash table of pointers for the model's own look-ups. What it knows: hashes; the
// caller compares. What it may not do: be iterated as a whole (its order says nothing), own what it points
// to.
#ifndef VPSIE_COORDINATOR_MODEL_TABLE_H
#define VPSIE_COORDINATOR_MODEL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

// Zero-initialise; free with table_free().
struct table {
    void **items; // NULL: a free slot
    uint32_t *hashes;
    uint32_t count, capacity; // capacity is 0 or a power of two
};

// Hash of text or numbers; chain by passing the last result as `seed`, starting from HASH_SEED. The same on
// every machine.
#define HASH_SEED 14695981039346656037ull
uint64_t hash_text(uint64_t seed, const char *text);      // NULL counts as ""
uint64_t hash_text_fold(uint64_t seed, const char *text); // ASCII letters in lower case
uint64_t hash_number(uint64_t seed, uint64_t number);

// The same item may be put in once under each of several hashes, but never twice under one.
void table_insert(struct table *table, uint64_t hash, void *item);
// Takes out exactly this pointer; false when it was not there under this hash.
bool table_remove(struct table *table, uint64_t hash, const void *item);
// Every item under this hash, one a call, NULL at the end; `cursor` starts at 0. Other keys may share the
// hash: compare. The table must not change in between.
void *table_next(const struct table *table, uint64_t hash, uint32_t *cursor);
void table_free(struct table *table);

#endif

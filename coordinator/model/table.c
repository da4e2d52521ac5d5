#include "coordinator/model/table.h"

#include <assert.h>
#include <stdlib.h>

#include "common/arena.h"

#define TABLE_CAPACITY_MIN 16u
#define HASH_PRIME         1099511628211ull

uint64_t hash_text(uint64_t seed, const char *text)
{
    uint64_t hash = seed;
    if (text == NULL)
        text = "";
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++)
        hash = (hash ^ *at) * HASH_PRIME;
    return (hash ^ 0xffu) * HASH_PRIME; // no UTF-8 text holds this byte: "ab","c" is not "a","bc"
}

uint64_t hash_text_fold(uint64_t seed, const char *text)
{
    uint64_t hash = seed;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        unsigned byte = *at >= 'A' && *at <= 'Z' ? *at + 32u : *at;
        hash = (hash ^ byte) * HASH_PRIME;
    }
    return (hash ^ 0xffu) * HASH_PRIME;
}

uint64_t hash_number(uint64_t seed, uint64_t number)
{
    uint64_t mixed = number * 0x9e3779b97f4a7c15ull;
    return (seed ^ mixed ^ (mixed >> 29)) * HASH_PRIME;
}

static uint32_t shorten(uint64_t hash)
{
    uint64_t mixed = (hash ^ (hash >> 32)) * 0xff51afd7ed558ccdull;
    return (uint32_t)(mixed >> 32);
}

static void place(struct table *table, uint32_t hash, void *item)
{
    uint32_t mask = table->capacity - 1;
    uint32_t slot = hash & mask;
    while (table->items[slot] != NULL)
        slot = (slot + 1) & mask;
    table->items[slot] = item;
    table->hashes[slot] = hash;
}

static void resize(struct table *table, uint32_t capacity)
{
    struct table old = *table;
    table->capacity = capacity;
    table->items = xcalloc(capacity, sizeof(*table->items));
    table->hashes = xcalloc(capacity, sizeof(*table->hashes));
    for (uint32_t slot = 0; slot < old.capacity; slot++) {
        if (old.items[slot] != NULL)
            place(table, old.hashes[slot], old.items[slot]);
    }
    free(old.items);
    free(old.hashes);
}

void table_insert(struct table *table, uint64_t hash, void *item)
{
    assert(item != NULL);
    if (table->capacity == 0)
        resize(table, TABLE_CAPACITY_MIN);
    else if (table->count + 1 > table->capacity / 4 * 3)
        resize(table, table->capacity * 2);
    place(table, shorten(hash), item);
    table->count++;
}

// Close the hole, so that no probe for what lies behind it ends too early.
static void close_hole(struct table *table, uint32_t hole)
{
    uint32_t mask = table->capacity - 1;
    for (uint32_t slot = (hole + 1) & mask; table->items[slot] != NULL; slot = (slot + 1) & mask) {
        uint32_t home = table->hashes[slot] & mask;
        if (((slot - home) & mask) < ((slot - hole) & mask))
            continue;
        table->items[hole] = table->items[slot];
        table->hashes[hole] = table->hashes[slot];
        hole = slot;
    }
    table->items[hole] = NULL;
}

bool table_remove(struct table *table, uint64_t hash, const void *item)
{
    if (table->capacity == 0)
        return false;
    uint32_t mask = table->capacity - 1;
    uint32_t wanted = shorten(hash);
    for (uint32_t slot = wanted & mask; table->items[slot] != NULL; slot = (slot + 1) & mask) {
        if (table->items[slot] != item || table->hashes[slot] != wanted)
            continue;
        close_hole(table, slot);
        table->count--;
        if (table->capacity > TABLE_CAPACITY_MIN && table->count < table->capacity / 8)
            resize(table, table->capacity / 2);
        return true;
    }
    return false;
}

void *table_next(const struct table *table, uint64_t hash, uint32_t *cursor)
{
    if (table->capacity == 0)
        return NULL;
    uint32_t mask = table->capacity - 1;
    uint32_t wanted = shorten(hash);
    for (;;) {
        uint32_t slot = (wanted + *cursor) & mask;
        if (table->items[slot] == NULL)
            return NULL;
        (*cursor)++;
        if (table->hashes[slot] == wanted)
            return table->items[slot];
    }
}

void table_free(struct table *table)
{
    free(table->items);
    free(table->hashes);
    *table = (struct table){0};
}

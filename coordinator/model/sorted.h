// What this room is for: arrays of pointers in order of name. What it knows: positions. What it may not do:
// own the items.
#ifndef VPSIE_COORDINATOR_MODEL_SORTED_H
#define VPSIE_COORDINATOR_MODEL_SORTED_H

#include <stdbool.h>
#include <stdint.h>

// Compares a key with an item: < 0 when the key comes first.
typedef int (*sorted_compare)(const void *key, const void *item);

// `array` is an array of pointers of any type. True when an item equals the key; `position` is where it is,
// or where it would go.
bool sorted_find(const void *array, uint32_t count, const void *key, sorted_compare compare,
                 uint32_t *position);
// Returns the array, perhaps elsewhere.
void *sorted_insert(void *array, uint32_t *count, uint32_t *capacity, uint32_t position, void *item);
void sorted_remove(void *array, uint32_t *count, uint32_t position);

#endif

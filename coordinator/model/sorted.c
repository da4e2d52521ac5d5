#include "coordinator/model/sorted.h"

#include <assert.h>
#include <string.h>

#include "common/arena.h"

#define CAPACITY_MIN 8u

bool sorted_find(const void *array, uint32_t count, const void *key, sorted_compare compare,
                 uint32_t *position)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        void *item;
        memcpy(&item, (const char *)array + middle * sizeof(item), sizeof(item));
        int order = compare(key, item);
        if (order == 0) {
            *position = middle;
            return true;
        }
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    *position = low;
    return false;
}

void *sorted_insert(void *array, uint32_t *count, uint32_t *capacity, uint32_t position, void *item)
{
    assert(position <= *count);
    if (*count == *capacity) {
        *capacity = *capacity == 0 ? CAPACITY_MIN : *capacity * 2;
        array = xrealloc_array(array, *capacity, sizeof(item));
    }
    char *at = (char *)array + position * sizeof(item);
    memmove(at + sizeof(item), at, (*count - position) * sizeof(item));
    memcpy(at, &item, sizeof(item));
    (*count)++;
    return array;
}

void sorted_remove(void *array, uint32_t *count, uint32_t position)
{
    assert(position < *count);
    char *at = (char *)array + position * sizeof(void *);
    memmove(at, at + sizeof(void *), (*count - position - 1) * sizeof(void *));
    (*count)--;
}

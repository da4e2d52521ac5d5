// What this room is for: sums and comparisons of what pods ask for and nodes have. What it knows: amounts.
// What it may not do: overflow (sums saturate at INT64_MAX), or know what a pod is.
#ifndef VPSIE_COORDINATOR_MODEL_RESOURCES_H
#define VPSIE_COORDINATOR_MODEL_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "coordinator/model/facts.h"

// A sum that can grow: `extended` is owned. Zero-initialise; free with resources_free().
void resources_add(struct resources *sum, const struct resources *amount);
void resources_subtract(struct resources *sum, const struct resources *amount); // never below 0
void resources_free(struct resources *sum);
struct resources resources_copy(struct arena *arena, const struct resources *amount); // arena NULL: malloc
int64_t resources_extended(const struct resources *amount, const char *name);         // 0 when absent
bool resources_equal(const struct resources *a, const struct resources *b);
// Does `request` fit into allocatable - used? On false names the first thing that lacks and by how much:
// resource ("cpu", "memory", "ephemeral-storage", "pods" or the extended name), asked and free.
struct resources_lack {
    const char *name;
    int64_t asked, free;
};
bool resources_fit(const struct resources *request, const struct resources *allocatable,
                   const struct resources *used,
                   struct resources_lack *lack); // lack may be NULL

#endif

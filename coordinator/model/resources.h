// What this room is for: sums and comparisons of what pods ask for and nodes have. What it knows: amounts.
// What it may not do: overflow (sums saturate at INT64_MAX), or know what a pod is.
#ifndef VPSIE_COORDINATOR_MODEL_RESOURCES_H
#define VPSIE_COORDINATOR_MODEL_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "coordinator/model/facts.h"

// A sum that can grow: its array `extended` is owned, the names in it are borrowed and must outlive it (the
// model's are interned for ever). Zero-initialise; free with resources_free().
void resources_add(struct resources *sum, const struct resources *amount);
// Never below 0. An extended resource that comes to 0 leaves the sum.
void resources_subtract(struct resources *sum, const struct resources *amount);
// Has a sum met INT64_MAX? What was added beyond it is forgotten: count again instead of subtracting.
bool resources_saturated(const struct resources *sum);
void resources_free(struct resources *sum);
// Names are borrowed here too. arena NULL: malloc.
struct resources resources_copy(struct arena *arena, const struct resources *amount);
int64_t resources_extended(const struct resources *amount, const char *name); // 0 when absent
bool resources_equal(const struct resources *a, const struct resources *b);
// Does `request` fit into allocatable - used, as the scheduler's NodeResourcesFit has it: what is not asked
// for always fits, even where more is used than there is. On false names the first thing that lacks and by
// how much: resource ("pods", "cpu", "memory", "ephemeral-storage", then the extended names in order), asked,
// and free (never below 0).
struct resources_lack {
    const char *name;
    int64_t asked, free;
};
bool resources_fit(const struct resources *request, const struct resources *allocatable,
                   const struct resources *used,
                   struct resources_lack *lack); // lack may be NULL

#endif

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/model/resources.h"
#include "coordinator/schedule/packing.h"

struct ranked {
    double share;
    const struct pod *pod;
};

static double share_of(int64_t asked, int64_t whole)
{
    if (asked <= 0)
        return 0;
    return whole > 0 ? (double)asked / (double)whole : 1.0;
}

static double largest_share(const struct resources *request, const struct resources *reference)
{
    double largest = share_of(request->cpu_millis, reference->cpu_millis);
    double memory = share_of(request->memory_bytes, reference->memory_bytes);
    double ephemeral = share_of(request->ephemeral_bytes, reference->ephemeral_bytes);
    if (memory > largest)
        largest = memory;
    if (ephemeral > largest)
        largest = ephemeral;
    for (uint32_t i = 0; i < request->extended_count; i++) {
        const struct extended_resource *extended = &request->extended[i];
        double share = share_of(extended->amount, resources_extended(reference, extended->name));
        if (share > largest)
            largest = share;
    }
    return largest;
}

static int compare(const void *a, const void *b)
{
    const struct ranked *left = a;
    const struct ranked *right = b;
    if (left->share != right->share)
        return left->share > right->share ? -1 : 1;
    if (left->pod->shape->id != right->pod->shape->id)
        return left->pod->shape->id < right->pod->shape->id ? -1 : 1;
    int order = strcmp(left->pod->space, right->pod->space);
    return order != 0 ? order : strcmp(left->pod->name, right->pod->name);
}

void packing_order(const struct pod **pods, uint32_t count, const struct resources *reference)
{
    assert(pods != NULL || count == 0);
    if (count < 2)
        return;
    struct ranked *ranked = xcalloc(count, sizeof(*ranked));
    for (uint32_t i = 0; i < count; i++)
        ranked[i] = (struct ranked){largest_share(&pods[i]->shape->facts.requests, reference), pods[i]};
    qsort(ranked, count, sizeof(*ranked), compare);
    for (uint32_t i = 0; i < count; i++)
        pods[i] = ranked[i].pod;
    free(ranked);
}

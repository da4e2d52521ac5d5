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

static int compare_labels(const struct labels *a, const struct labels *b)
{
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        int order = strcmp(a->items[i].key, b->items[i].key);
        if (order == 0)
            order = strcmp(a->items[i].value, b->items[i].value);
        if (order != 0)
            return order;
    }
    return (a->count > b->count) - (a->count < b->count);
}

// By what the pods are, never by when they came: ids of shapes tell that. Pods of one shape stay together, as
// they mostly have one owner.
static int compare_pods(const struct pod *a, const struct pod *b)
{
    int order = strcmp(a->space, b->space);
    if (order == 0 && a->controller_name != NULL && b->controller_name != NULL)
        order = strcmp(a->controller_name, b->controller_name);
    if (order == 0 && a->shape != b->shape)
        order = compare_labels(&a->shape->facts.labels, &b->shape->facts.labels);
    return order != 0 ? order : strcmp(a->name, b->name);
}

static int compare(const void *a, const void *b)
{
    const struct ranked *left = a;
    const struct ranked *right = b;
    if (left->share != right->share)
        return left->share > right->share ? -1 : 1;
    return compare_pods(left->pod, right->pod);
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

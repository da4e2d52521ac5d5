#include "coordinator/model/resources.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

static int64_t subtract(int64_t a, int64_t b)
{
    int64_t difference;
    if (__builtin_sub_overflow(a, b, &difference))
        return a >= 0 ? INT64_MAX : INT64_MIN;
    return difference;
}

static int64_t subtract_to_zero(int64_t a, int64_t b)
{
    int64_t difference = subtract(a, b);
    return difference < 0 ? 0 : difference;
}

// Where `name` is, or where it would go.
static uint32_t extended_position(const struct resources *amount, const char *name, bool *found)
{
    uint32_t low = 0;
    uint32_t high = amount->extended_count;
    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(amount->extended[middle].name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// The array of a sum is the sum's own.
static struct extended_resource *own_extended(struct resources *sum)
{
    return (struct extended_resource *)sum->extended;
}

static void add_extended(struct resources *sum, const struct extended_resource *amount)
{
    bool found;
    uint32_t at = extended_position(sum, amount->name, &found);
    if (found) {
        own_extended(sum)[at].amount = add(sum->extended[at].amount, amount->amount);
        return;
    }
    if (amount->amount == 0)
        return;
    struct extended_resource *items =
        xrealloc_array(own_extended(sum), sum->extended_count + 1u, sizeof(*items));
    memmove(items + at + 1, items + at, (sum->extended_count - at) * sizeof(*items));
    items[at] = *amount;
    sum->extended = items;
    sum->extended_count++;
}

static void subtract_extended(struct resources *sum, const struct extended_resource *amount)
{
    bool found;
    uint32_t at = extended_position(sum, amount->name, &found);
    if (!found)
        return;
    struct extended_resource *items = own_extended(sum);
    items[at].amount = subtract_to_zero(items[at].amount, amount->amount);
    if (items[at].amount != 0)
        return;
    memmove(items + at, items + at + 1, (sum->extended_count - at - 1) * sizeof(*items));
    if (--sum->extended_count == 0) {
        free(items);
        sum->extended = NULL;
    }
}

void resources_add(struct resources *sum, const struct resources *amount)
{
    assert(sum != NULL && amount != NULL && sum != amount);
    sum->cpu_millis = add(sum->cpu_millis, amount->cpu_millis);
    sum->memory_bytes = add(sum->memory_bytes, amount->memory_bytes);
    sum->ephemeral_bytes = add(sum->ephemeral_bytes, amount->ephemeral_bytes);
    sum->pods = add(sum->pods, amount->pods);
    for (uint32_t i = 0; i < amount->extended_count; i++)
        add_extended(sum, &amount->extended[i]);
}

void resources_subtract(struct resources *sum, const struct resources *amount)
{
    assert(sum != NULL && amount != NULL && sum != amount);
    sum->cpu_millis = subtract_to_zero(sum->cpu_millis, amount->cpu_millis);
    sum->memory_bytes = subtract_to_zero(sum->memory_bytes, amount->memory_bytes);
    sum->ephemeral_bytes = subtract_to_zero(sum->ephemeral_bytes, amount->ephemeral_bytes);
    sum->pods = subtract_to_zero(sum->pods, amount->pods);
    for (uint32_t i = 0; i < amount->extended_count; i++)
        subtract_extended(sum, &amount->extended[i]);
}

bool resources_saturated(const struct resources *sum)
{
    if (sum->cpu_millis == INT64_MAX || sum->memory_bytes == INT64_MAX || sum->ephemeral_bytes == INT64_MAX ||
        sum->pods == INT64_MAX)
        return true;
    for (uint32_t i = 0; i < sum->extended_count; i++) {
        if (sum->extended[i].amount == INT64_MAX)
            return true;
    }
    return false;
}

void resources_free(struct resources *sum)
{
    if (sum == NULL)
        return;
    free(own_extended(sum));
    *sum = (struct resources){0};
}

struct resources resources_copy(struct arena *arena, const struct resources *amount)
{
    struct resources copy = *amount;
    copy.extended = NULL;
    if (amount->extended_count == 0)
        return copy;
    struct extended_resource *items =
        arena == NULL ? xcalloc(amount->extended_count, sizeof(*items))
                      : ARENA_ARRAY(arena, struct extended_resource, amount->extended_count);
    memcpy(items, amount->extended, amount->extended_count * sizeof(*items));
    copy.extended = items;
    return copy;
}

int64_t resources_extended(const struct resources *amount, const char *name)
{
    bool found;
    uint32_t at = extended_position(amount, name, &found);
    return found ? amount->extended[at].amount : 0;
}

bool resources_equal(const struct resources *a, const struct resources *b)
{
    if (a->cpu_millis != b->cpu_millis || a->memory_bytes != b->memory_bytes ||
        a->ephemeral_bytes != b->ephemeral_bytes || a->pods != b->pods ||
        a->extended_count != b->extended_count)
        return false;
    for (uint32_t i = 0; i < a->extended_count; i++) {
        if (a->extended[i].amount != b->extended[i].amount ||
            strcmp(a->extended[i].name, b->extended[i].name) != 0)
            return false;
    }
    return true;
}

static bool fits(const char *name, int64_t asked, int64_t allocatable, int64_t used,
                 struct resources_lack *lack)
{
    if (asked <= 0)
        return true;
    int64_t left = subtract(allocatable, used);
    if (asked <= left)
        return true;
    if (lack != NULL)
        *lack = (struct resources_lack){.name = name, .asked = asked, .free = left < 0 ? 0 : left};
    return false;
}

bool resources_fit(const struct resources *request, const struct resources *allocatable,
                   const struct resources *used, struct resources_lack *lack)
{
    assert(request != NULL && allocatable != NULL && used != NULL);
    if (!fits("pods", request->pods, allocatable->pods, used->pods, lack) ||
        !fits("cpu", request->cpu_millis, allocatable->cpu_millis, used->cpu_millis, lack) ||
        !fits("memory", request->memory_bytes, allocatable->memory_bytes, used->memory_bytes, lack) ||
        !fits("ephemeral-storage", request->ephemeral_bytes, allocatable->ephemeral_bytes,
              used->ephemeral_bytes, lack))
        return false;
    for (uint32_t i = 0; i < request->extended_count; i++) {
        const char *name = request->extended[i].name;
        if (!fits(name, request->extended[i].amount, resources_extended(allocatable, name),
                  resources_extended(used, name), lack))
            return false;
    }
    return true;
}

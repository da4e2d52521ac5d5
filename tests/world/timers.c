#include "tests/world/timers.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/arena.h"

static bool earlier(const struct timer *a, const struct timer *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

static void swap(struct timer *a, struct timer *b)
{
    struct timer kept = *a;
    *a = *b;
    *b = kept;
}

void timers_add(struct timers *timers, int64_t at_ms, timer_function function, void *context,
                const char *subject, int64_t number)
{
    assert(function != NULL);
    if (timers->count == timers->capacity) {
        timers->capacity = timers->capacity == 0 ? 64 : timers->capacity * 2;
        timers->items = xrealloc_array(timers->items, timers->capacity, sizeof *timers->items);
    }
    size_t at = timers->count++;
    timers->items[at] =
        (struct timer){at_ms, timers->sequence++, function, context, xstrdup(subject), number};
    while (at > 0 && earlier(&timers->items[at], &timers->items[(at - 1) / 2])) {
        swap(&timers->items[at], &timers->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

int64_t timers_next_ms(const struct timers *timers)
{
    return timers->count == 0 ? TIMERS_NEVER : timers->items[0].at_ms;
}

struct timer timers_pop(struct timers *timers)
{
    assert(timers->count > 0);
    struct timer first = timers->items[0];
    timers->items[0] = timers->items[--timers->count];
    for (size_t at = 0;;) {
        size_t least = at, left = 2 * at + 1, right = left + 1;
        if (left < timers->count && earlier(&timers->items[left], &timers->items[least]))
            least = left;
        if (right < timers->count && earlier(&timers->items[right], &timers->items[least]))
            least = right;
        if (least == at)
            return first;
        swap(&timers->items[at], &timers->items[least]);
        at = least;
    }
}

void timers_free(struct timers *timers)
{
    for (size_t i = 0; i < timers->count; i++)
        free(timers->items[i].subject);
    free(timers->items);
    *timers = (struct timers){0};
}

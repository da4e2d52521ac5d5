// What this room is for: what will happen when: a heap of things to do in virtual time. What it knows: times
// and an order among equals (first asked, first done). What it may not do: read a clock.
#ifndef VPSIE_TESTS_WORLD_TIMERS_H
#define VPSIE_TESTS_WORLD_TIMERS_H

#include <stddef.h>
#include <stdint.h>

#define TIMERS_NEVER INT64_MAX

typedef void (*timer_function)(void *context, const char *subject, int64_t number);

struct timer {
    int64_t at_ms;
    uint64_t sequence;
    timer_function function;
    void *context;
    char *subject; // owned; names what it is about, so that a thing that is gone is found to be gone
    int64_t number;
};
struct timers {
    struct timer *items; // a binary heap
    size_t count, capacity;
    uint64_t sequence;
};

void timers_add(struct timers *timers, int64_t at_ms, timer_function function, void *context,
                const char *subject, int64_t number);
int64_t timers_next_ms(const struct timers *timers); // TIMERS_NEVER when empty
// Takes the earliest out. The caller frees subject.
struct timer timers_pop(struct timers *timers);
void timers_free(struct timers *timers);

#endif

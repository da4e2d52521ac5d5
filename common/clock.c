#include "common/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <time.h>

static int64_t read_ms(clockid_t clock)
{
    struct timespec now;
    int result = clock_gettime(clock, &now);
    assert(result == 0);
    (void)result;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

int64_t clock_monotonic_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_steady_wall_ms(void)
{
    // wall minus monotonic, the largest ever seen: it only grows, and monotonic time only grows, so the sum
    // does.
    static _Atomic int64_t offset_ms = INT64_MIN;
    int64_t monotonic_ms = clock_monotonic_ms();
    int64_t seen_ms = clock_wall_ms() - monotonic_ms;
    int64_t kept_ms = atomic_load(&offset_ms);
    while (kept_ms < seen_ms && !atomic_compare_exchange_weak(&offset_ms, &kept_ms, seen_ms)) {
    }
    return monotonic_ms + (kept_ms < seen_ms ? seen_ms : kept_ms);
}

void clock_sleep_ms(int64_t ms)
{
    if (ms <= 0)
        return;
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}

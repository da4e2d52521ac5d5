#include "coordinator/vpsie/guard.h"

#include <assert.h>
#include <stdlib.h>

#include "common/arena.h"

#define WINDOW_MS 60000

void rate_init(struct rate *rate, int32_t limit_per_minute)
{
    assert(limit_per_minute >= 1);
    *rate = (struct rate){.limit = limit_per_minute};
    rate->reserve = limit_per_minute / 5;
    rate->times = xcalloc((size_t)limit_per_minute, sizeof *rate->times);
}

void rate_free(struct rate *rate)
{
    free(rate->times);
    rate->times = NULL;
}

// When the call that is `back` calls ago was made; only when there were so many.
static int64_t time_of(const struct rate *rate, int32_t back)
{
    return rate->times[(rate->count - back) % rate->limit];
}

int64_t rate_wait_ms(const struct rate *rate, int64_t now_ms, bool write)
{
    int64_t wait = rate->blocked_until_ms > now_ms ? rate->blocked_until_ms - now_ms : 0;
    int32_t allowed = write ? rate->limit : rate->limit - rate->reserve;
    if (rate->count >= allowed) {
        int64_t free_at = time_of(rate, allowed) + WINDOW_MS;
        if (free_at - now_ms > wait) {
            wait = free_at - now_ms;
        }
    }
    return wait;
}

void rate_take(struct rate *rate, int64_t now_ms)
{
    rate->times[rate->count % rate->limit] = now_ms;
    rate->count++;
}

void rate_block(struct rate *rate, int64_t until_ms)
{
    if (until_ms > rate->blocked_until_ms) {
        rate->blocked_until_ms = until_ms;
    }
}

int32_t rate_used(const struct rate *rate, int64_t now_ms)
{
    int32_t used = 0;
    while (used < rate->limit && used < rate->count && time_of(rate, used + 1) + WINDOW_MS > now_ms) {
        used++;
    }
    return used;
}

void breaker_init(struct breaker *breaker, int32_t threshold, int64_t open_ms_min, int64_t open_ms_max)
{
    assert(threshold >= 1 && open_ms_min >= 1 && open_ms_max >= open_ms_min);
    *breaker = (struct breaker){.threshold = threshold,
                                .open_ms_min = open_ms_min,
                                .open_ms_max = open_ms_max,
                                .open_ms = open_ms_min};
}

enum breaker_state breaker_state(const struct breaker *breaker, int64_t now_ms)
{
    if (!breaker->open) {
        return BREAKER_CLOSED;
    }
    return now_ms >= breaker->open_until_ms ? BREAKER_HALF_OPEN : BREAKER_OPEN;
}

bool breaker_take_probe(struct breaker *breaker, int64_t now_ms)
{
    if (breaker_state(breaker, now_ms) != BREAKER_HALF_OPEN || breaker->probing) {
        return false;
    }
    breaker->probing = true;
    return true;
}

void breaker_success(struct breaker *breaker)
{
    breaker->failures = 0;
    breaker->open = false;
    breaker->probing = false;
    breaker->open_ms = breaker->open_ms_min;
}

void breaker_failure(struct breaker *breaker, int64_t now_ms, uint64_t *random)
{
    breaker->failures++;
    if (breaker->open && !breaker->probing) {
        return; // a call that left before it opened
    }
    if (breaker->open) {
        breaker->open_ms =
            breaker->open_ms * 2 < breaker->open_ms_max ? breaker->open_ms * 2 : breaker->open_ms_max;
    } else if (breaker->failures < breaker->threshold) {
        return;
    }
    breaker->open = true;
    breaker->probing = false;
    // Up to a quarter more, so that many coordinators do not come back in step.
    breaker->open_until_ms =
        now_ms + breaker->open_ms + backoff_ms(0, breaker->open_ms / 4, breaker->open_ms, random);
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state; // xorshift64
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

int64_t backoff_ms(int32_t attempt, int64_t base_ms, int64_t cap_ms, uint64_t *random)
{
    assert(*random != 0 && attempt >= 0);
    int64_t most = base_ms;
    for (int32_t i = 0; i < attempt && most < cap_ms; i++) {
        most *= 2;
    }
    if (most > cap_ms) {
        most = cap_ms;
    }
    return most <= 0 ? 0 : (int64_t)(next_random(random) % (uint64_t)(most + 1));
}

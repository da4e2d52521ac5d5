// What this room is for: what keeps one account within its limits: how many calls a minute, when to wait
// before trying again, when to stop calling. What it knows: numbers and a time that is handed in. What it may
// not do: read a clock, lock (the caller does), know what a call means.
#ifndef VPSIE_COORDINATOR_VPSIE_GUARD_H
#define VPSIE_COORDINATOR_VPSIE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

// All times are monotonic milliseconds.

// At most `limit` calls in any 60 s: a window that slides, because a bucket lets nearly twice as many through
// in the minute after a pause. The last fifth is kept for writes, so that lists cannot starve an order.
struct rate {
    int64_t *times; // ring of the last `limit` calls
    int32_t limit;
    int32_t reserve;
    int64_t count;            // calls ever taken
    int64_t blocked_until_ms; // the server said so (429)
};
void rate_init(struct rate *rate, int32_t limit_per_minute);
void rate_free(struct rate *rate);
// 0: a call may leave now; else how long to wait before asking again.
int64_t rate_wait_ms(const struct rate *rate, int64_t now_ms, bool write);
void rate_take(struct rate *rate, int64_t now_ms);
// A 429: nothing leaves until then, reads or writes.
void rate_block(struct rate *rate, int64_t until_ms);
int32_t rate_used(const struct rate *rate, int64_t now_ms);

// Closed: calls pass. Open after a number of failures in a row (5xx, timeout, no connection): nothing passes.
// Half open after a while: one probe passes; its success closes, its failure opens for twice as long.
enum breaker_state { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN };
struct breaker {
    int32_t threshold;
    int64_t open_ms_min, open_ms_max;
    int32_t failures; // in a row
    int64_t open_ms;  // present length
    int64_t open_until_ms;
    bool open;
    bool probing; // the one probe is out
};
void breaker_init(struct breaker *breaker, int32_t threshold, int64_t open_ms_min, int64_t open_ms_max);
enum breaker_state breaker_state(const struct breaker *breaker, int64_t now_ms);
// Only in the half open state: takes the one probe; true for one caller.
bool breaker_take_probe(struct breaker *breaker, int64_t now_ms);
void breaker_success(struct breaker *breaker);
void breaker_failure(struct breaker *breaker, int64_t now_ms, uint64_t *random);

// Full jitter: anything between 0 and the smaller of cap_ms and base_ms doubled for every attempt before
// this one (attempt 0: the first wait). `random` is a generator's state, any value but 0.
int64_t backoff_ms(int32_t attempt, int64_t base_ms, int64_t cap_ms, uint64_t *random);

#endif

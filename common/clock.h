// What this room is for: the two clocks, in one unit. What it knows: the kernel's clocks.
// What it may not do: be included by coordinator/model, schedule or decide: there, time arrives in the event.
#ifndef VPSIE_COMMON_CLOCK_H
#define VPSIE_COMMON_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void);      // Unix milliseconds; may jump
int64_t clock_monotonic_ms(void); // never goes back
// Unix milliseconds that never go back within this process: the wall clock at the first call plus monotonic
// time, moved forward (never back) when the wall clock runs ahead. What the core is given as `now`.
// Thread-safe.
int64_t clock_steady_wall_ms(void);
void clock_sleep_ms(int64_t ms);

#endif

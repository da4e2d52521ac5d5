// What this room is for: a program that was told to stop is gone in time, even if something in it never comes
// to its end. What it knows: a clock and the log. What it may not do: stand in for ending well: its line in
// the log is the sign of a mistake.
#ifndef VPSIE_COMMON_ENDING_H
#define VPSIE_COMMON_ENDING_H

#include <stdint.h>

#define ENDING_STATUS 70 // EX_SOFTWARE: the exit status of a program that did not come to its end by itself

// From now on the process has `limit_ms` to end. If it is still there then, it says so in the log and leaves
// with ENDING_STATUS, without waiting for anything; not even for a log that nobody takes its lines from. Call
// it once, when stopping begins; any thread, but no signal handler.
void ending_within(int64_t limit_ms);

#endif

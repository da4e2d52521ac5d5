// What this room is for: CPU time by mode and the load averages. What it knows: /proc/stat and /proc/loadavg
// (proc(5)). What it may not do: know pods, or take a counter that ran backwards for time.
#ifndef VPSIE_AGENT_HOST_CPU_H
#define VPSIE_AGENT_HOST_CPU_H

#include "agent/host/source.h"
#include "agent/host/view.h"

struct cpu_counters {
    uint64_t ticks[CPU_MODES]; // guest time is part of user and nice, as the kernel counts it
    uint32_t cpus;             // online
    bool blocked_known;
    uint32_t processes_blocked; // in uninterruptible sleep for I/O
};

int cpu_parse(struct lines *stat, struct cpu_counters *out, struct error *error);
int cpu_read(int procfs, struct cpu_counters *out, struct error *error);

// Milli-CPUs by mode between two readings: each mode's share of the ticks that passed, times the CPUs, so
// that the modes add up to the machine whatever the window's exact length was. False when no tick passed.
bool cpu_rates(const struct cpu_counters *before, const struct cpu_counters *after,
               uint32_t millis[CPU_MODES]);

int load_parse(const char *text, double *load1, double *load5, double *load15, struct error *error);
int load_read(int procfs, double *load1, double *load5, double *load15, struct error *error);

#endif

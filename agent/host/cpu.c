#include "agent/host/cpu.h"

#include <errno.h>
#include <string.h>

// "cpu  user nice system idle iowait irq softirq steal guest guest_nice". Kernels before 2.6.11 lack the last
// ones: what is not there is zero.
static bool parse_total(const char *cursor, uint64_t ticks[CPU_MODES])
{
    int modes = 0;
    while (modes < CPU_MODES && scan_u64(&cursor, &ticks[modes]))
        modes++;
    return modes > CPU_IDLE;
}

int cpu_parse(struct lines *stat, struct cpu_counters *out, struct error *error)
{
    *out = (struct cpu_counters){0};
    bool found = false;
    for (const char *line; (line = lines_next(stat));) {
        const char *cursor = line;
        uint64_t value;
        if (strncmp(line, "cpu", 3) == 0 && line[3] >= '0' && line[3] <= '9')
            out->cpus++;
        else if (!found && scan_word(&cursor, "cpu"))
            found = parse_total(cursor, out->ticks);
        else if (scan_word(&cursor, "procs_blocked") && scan_u64(&cursor, &value) && value <= UINT32_MAX) {
            out->processes_blocked = (uint32_t)value;
            out->blocked_known = true;
            break;
        }
    }
    if (!found || out->cpus == 0)
        return error_set(error, EPROTO, "/proc/stat holds no CPU time");
    return 0;
}

int cpu_read(int procfs, struct cpu_counters *out, struct error *error)
{
    struct lines lines AUTOLINES;
    if (lines_open(&lines, procfs, "stat", error) < 0)
        return -1;
    return cpu_parse(&lines, out, error);
}

bool cpu_rates(const struct cpu_counters *before, const struct cpu_counters *after,
               uint32_t millis[CPU_MODES])
{
    uint64_t passed[CPU_MODES];
    double total = 0;
    for (int mode = 0; mode < CPU_MODES; mode++) {
        // idle and iowait do run backwards now and then (proc(5)).
        bool forward = after->ticks[mode] > before->ticks[mode];
        passed[mode] = forward ? after->ticks[mode] - before->ticks[mode] : 0;
        total += (double)passed[mode];
    }
    if (total <= 0)
        return false;
    for (int mode = 0; mode < CPU_MODES; mode++)
        millis[mode] = (uint32_t)((double)passed[mode] / total * after->cpus * 1000.0 + 0.5);
    return true;
}

int load_parse(const char *text, double *load1, double *load5, double *load15, struct error *error)
{
    if (scan_decimal(&text, load1) && scan_decimal(&text, load5) && scan_decimal(&text, load15))
        return 0;
    return error_set(error, EPROTO, "/proc/loadavg does not begin with three averages");
}

int load_read(int procfs, double *load1, double *load5, double *load15, struct error *error)
{
    char text[128];
    if (source_read(procfs, "loadavg", text, sizeof text, error) < 0)
        return -1;
    return load_parse(text, load1, load5, load15, error);
}

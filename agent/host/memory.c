#include "agent/host/memory.h"

#include <errno.h>

enum { TOTAL, FREE, AVAILABLE, INACTIVE_FILE, SWAP_TOTAL, SWAP_FREE, FIELDS };

static const char *const field_names[FIELDS] = {
    [TOTAL] = "MemTotal",         [FREE] = "MemFree",
    [AVAILABLE] = "MemAvailable", [INACTIVE_FILE] = "Inactive(file)",
    [SWAP_TOTAL] = "SwapTotal",   [SWAP_FREE] = "SwapFree",
};

static uint64_t less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

int memory_parse(struct lines *meminfo, struct memory_view *out, struct error *error)
{
    uint64_t value[FIELDS];
    bool found[FIELDS] = {false};
    int missing = FIELDS;
    for (const char *line; missing > 0 && (line = lines_next(meminfo));) {
        for (int field = 0; field < FIELDS; field++) {
            const char *cursor = line;
            if (found[field] || !scan_word(&cursor, field_names[field]))
                continue;
            uint64_t kib;
            if (!scan_u64(&cursor, &kib) || __builtin_mul_overflow(kib, 1024u, &value[field]))
                return error_set(error, EPROTO, "/proc/meminfo: %s is not a number", field_names[field]);
            found[field] = true;
            missing--;
        }
    }
    for (int field = 0; field < FIELDS; field++)
        if (!found[field])
            return error_set(error, EPROTO, "/proc/meminfo does not tell %s", field_names[field]);
    out->total_bytes = value[TOTAL];
    out->available_bytes = value[AVAILABLE];
    out->working_set_bytes = less(less(value[TOTAL], value[FREE]), value[INACTIVE_FILE]);
    out->swap_total_bytes = value[SWAP_TOTAL];
    out->swap_used_bytes = less(value[SWAP_TOTAL], value[SWAP_FREE]);
    return 0;
}

int memory_read(int procfs, struct memory_view *out, struct error *error)
{
    struct lines lines AUTOLINES;
    if (lines_open(&lines, procfs, "meminfo", error) < 0)
        return -1;
    return memory_parse(&lines, out, error);
}

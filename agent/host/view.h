// What this room is for: what a host looks like at one instant, as plain data: the readers fill it, readiness
// and the report read it. What it knows: no file and no message. What it may not do: point at anything that a
// later sample changes under its reader (a view is valid until the next host_sample()).
#ifndef VPSIE_AGENT_HOST_VIEW_H
#define VPSIE_AGENT_HOST_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

#define VIEW_WHY_BYTES_MAX      160
#define VIEW_NAME_BYTES_MAX     64
#define VIEW_VOLUMES_MAX        8
#define VIEW_INHIBITORS_MAX     WIRE_INHIBITORS_MAX
#define VIEW_PODS_MAX           WIRE_PODS_MAX
#define VIEW_POD_PATH_BYTES_MAX 320

// Whether something could be read, and if not, why. What is not known is never zero.
struct reading {
    bool known;
    char why[VIEW_WHY_BYTES_MAX]; // empty when known
};

enum cpu_mode {
    CPU_USER,
    CPU_NICE,
    CPU_SYSTEM,
    CPU_IDLE,
    CPU_IOWAIT,
    CPU_IRQ,
    CPU_SOFTIRQ,
    CPU_STEAL,
    CPU_MODES
};

struct memory_view {
    uint64_t total_bytes, available_bytes, working_set_bytes, swap_total_bytes, swap_used_bytes;
};

enum pressure_resource { PRESSURE_CPU, PRESSURE_MEMORY, PRESSURE_IO, PRESSURE_RESOURCES };

struct pressure_view { // percent of time
    double some_avg10, some_avg60, full_avg10, full_avg60;
};

struct filesystem_view {
    uint64_t total_bytes, available_bytes, total_inodes, free_inodes;
};

enum evidence {
    EVIDENCE_CPU,
    EVIDENCE_MEMORY,
    EVIDENCE_LOCAL_DATA,
    EVIDENCE_CONNECTIONS,
    EVIDENCE_PROCESSES,
    EVIDENCE_KINDS
};

struct pod_volume {
    char name[VIEW_NAME_BYTES_MAX];
    uint64_t bytes;
    bool memory; // a tmpfs: gone with the pod by design
};

struct pod {
    char uid[WIRE_UID_BYTES_MAX + 1]; // canonical
    bool has_cgroup;
    bool has_directory; // under the kubelet's pods directory
    bool host_network;  // its connections are the host's and are not counted
    struct reading evidence[EVIDENCE_KINDS];
    uint32_t cpu_millis;
    uint64_t memory_working_set_bytes;
    uint64_t local_data_bytes;
    bool local_data_at_least;                    // the walk met its limit: there may be more
    struct pod_volume volumes[VIEW_VOLUMES_MAX]; // those that hold data, largest first
    uint32_t volume_count;
    uint32_t established_connections;
    uint32_t processes, processes_uninterruptible;

    // The readers' own memory between samples.
    char cgroup[VIEW_POD_PATH_BYTES_MAX]; // below the cgroup file system's root; empty without one
    uint64_t cpu_usage_us;                // at cpu_usage_ms (monotonic); 0: never read
    int64_t cpu_usage_ms;
    int64_t inspected_ms; // monotonic time of the last look inside; 0: never
    bool seen;            // by the sample under way
};

struct inhibitor {
    char name[VIEW_NAME_BYTES_MAX];
    char reason[VIEW_WHY_BYTES_MAX];
    int64_t expires_ms; // wall clock; 0: does not expire
};

struct host_view {
    int64_t sampled_ms;                     // wall clock
    int64_t sample_begin_ms, sample_end_ms; // wall clock: the window of the rates

    struct reading cpu; // the count; the rates as well when cpu_rates.known
    uint32_t cpu_count;
    struct reading cpu_rates;
    uint32_t cpu_millis[CPU_MODES];

    struct reading memory;
    struct memory_view memory_view;

    struct reading pressure[PRESSURE_RESOURCES];
    struct pressure_view pressure_view[PRESSURE_RESOURCES];

    struct reading load;
    double load1, load5, load15;

    struct reading root_filesystem;
    struct filesystem_view root_filesystem_view;
    bool image_filesystem_separate; // else there is nothing to say about it
    struct reading image_filesystem;
    struct filesystem_view image_filesystem_view;

    struct reading network; // rates: known from the second sample on
    uint64_t receive_bytes_per_second, transmit_bytes_per_second;

    struct reading processes;
    uint32_t process_count;
    struct reading blocked;
    uint32_t processes_uninterruptible;

    struct reading pods;        // whether every pod's cgroup can be seen
    struct reading directories; // whether every pod's directory can be seen
    const struct pod *pod;      // ascending by UID
    size_t pod_count;

    struct reading inhibitors;
    struct inhibitor inhibitor[VIEW_INHIBITORS_MAX];
    size_t inhibitor_count;
};

void reading_known(struct reading *reading);
// Printable, cut to fit. Always returns -1.
int reading_unknown(struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));

// NULL when the view holds no such pod.
const struct pod *view_find_pod(const struct host_view *view, const char *uid);

const char *pressure_name(enum pressure_resource resource); // "cpu", "memory", "io"
const char *evidence_name(enum evidence kind);              // "cpu", "memory", "local-data", ...

#endif

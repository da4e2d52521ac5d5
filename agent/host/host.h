// What this room is for: one sample of the host: every reader once, rates against the sample before. What it
// knows: where the trees are and how much looking is worth. What it may not do: judge (readiness.h), talk, or
// spend more than its share of a CPU on looking into pods that nobody asked about.
#ifndef VPSIE_AGENT_HOST_HOST_H
#define VPSIE_AGENT_HOST_HOST_H

#include "agent/host/view.h"

struct host_settings {
    const char *procfs;            // "/proc"
    const char *sysfs;             // "/sys"
    const char *rootfs;            // "/"
    const char *kubelet_directory; // "/var/lib/kubelet", inside rootfs
    uint32_t walk_entries_max;     // in one pod's volumes
    // Looking into a pod (its files, processes, connections) costs what the pod makes it cost. Outside a
    // drain the pods are therefore looked into in turn, for this percentage of one CPU: all at first sight,
    // then at least one a sample, the longest unseen first. 100 or more: all of them, every time.
    double inspection_cpu_percent;
};

struct host_request {
    int64_t wall_ms, monotonic_ms; // now
    bool inspect_all;
    // Pods to look into now whatever it costs, because a verdict about them is asked for.
    const char *const *uids;
    size_t uid_count;
};

struct host;

// The settings' strings are the caller's and must outlive the host. Opens nothing.
struct host *host_create(const struct host_settings *settings);
void host_destroy(struct host *host); // NULL is fine

// Take a sample. Never fails: what cannot be read is unknown, with its reason. Rates need a window of at
// least HOST_WINDOW_MS_MIN; a sample sooner keeps those of the one before. All descriptors are closed on
// return. One thread at a time.
#define HOST_WINDOW_MS_MIN 500
void host_sample(struct host *host, const struct host_request *request);

const struct host_view *host_view(const struct host *host); // of the last sample; valid until the next
uint64_t host_inspections(const struct host *host);         // how often a pod was looked into: a metric

#endif

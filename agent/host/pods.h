// What this room is for: the pods of this host, from sample to sample: who is there, what each uses, what
// each holds. What it knows: cgroups, the kubelet's pods directory, the readers of one pod. What it may not
// do: call anything zero that it could not read, or let a pod that comes or goes meanwhile fail a sample.
#ifndef VPSIE_AGENT_HOST_PODS_H
#define VPSIE_AGENT_HOST_PODS_H

#include "agent/host/cgroups.h"
#include "agent/host/view.h"

// Descriptors of the host's trees for the time of one sample; -1 where one could not be opened.
struct pods_trees {
    int procfs;
    int cgroupfs;
    int directories; // <rootfs>/<kubelet directory>/pods
    enum cgroup_layout layout;
    const char *cgroupfs_why; // why a tree is not there; "" when it is
    const char *directories_why;
};

struct pods {
    struct pod *items; // ascending by UID once pods_list() is through
    size_t count, capacity, sorted;
    bool overflow; // more than VIEW_PODS_MAX
    struct kubepods kubepods;
    uint32_t lists_until_search;
};

void pods_free(struct pods *pods);

// Who is there: pods that have a cgroup or a directory. Each reading is known when all of its kind can be
// seen.
void pods_list(struct pods *pods, const struct pods_trees *trees, struct reading *cgroups,
               struct reading *directories);

// CPU and memory of every pod that has a cgroup: three small files a pod.
void pods_read_usage(struct pods *pods, const struct pods_trees *trees, int64_t now_monotonic_ms);

// Look inside one pod: its local data, processes, connections. Costs what the pod makes it cost.
void pods_inspect(struct pod *pod, const struct pods_trees *trees, uint32_t entries_max,
                  int64_t now_monotonic_ms);

struct pod *pods_find(const struct pods *pods, const char *uid); // NULL: no such pod
// The pod that was looked into the longest time ago (never: first). NULL when there is none.
struct pod *pods_oldest_inspection(const struct pods *pods);

#endif

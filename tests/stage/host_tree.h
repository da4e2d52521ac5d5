// What this room is for: the files of a machine that exists only in the test world: enough of /proc, /sys and
// / for a real agent to read. What it knows: the kernel's and the kubelet's layouts. What it may not do:
// touch anything outside its folder.
#ifndef VPSIE_TESTS_STAGE_HOST_TREE_H
#define VPSIE_TESTS_STAGE_HOST_TREE_H

#include <stdbool.h>
#include <stdint.h>

#define HOST_TREE_PODS_MAX 64

struct host_tree_pod {
    char uid[64];
    int64_t cpu_millis, memory_bytes;
    int64_t cpu_usage_us;
    int pid;
    int64_t local_data_bytes; // -1: no volume yet
};
struct host_tree {
    char root[256]; // proc, sys and rootfs are below
    int cpu_count;
    int64_t memory_bytes;
    int64_t busy_ms[2];   // user, idle time accounted so far, summed over all CPUs
    int64_t accounted_ms; // monotonic time up to which the counters run
    struct host_tree_pod pods[HOST_TREE_PODS_MAX];
    int pod_count;
    int next_pid;
};

// Makes the folder (or aborts: a test cannot go on without it).
void host_tree_create(struct host_tree *tree, const char *root, int cpu_count, int64_t memory_bytes);
void host_tree_put_pod(struct host_tree *tree, const char *uid, int64_t cpu_millis, int64_t memory_bytes);
void host_tree_remove_pod(struct host_tree *tree, const char *uid);
// bytes 0 leaves the volume there, empty. Nothing is written when it is so already. One volume a pod.
void host_tree_local_data(struct host_tree *tree, const char *uid, const char *volume, int64_t bytes);
void host_tree_inhibit(struct host_tree *tree, const char *name, const char *text); // text NULL lifts it
// Counters move on to now: what the pods use, and the rest idle.
void host_tree_tick(struct host_tree *tree);

#endif

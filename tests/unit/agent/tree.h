// What this room is for: a host's file trees for one test: /proc, /sys and / as files in a temporary folder.
// What it knows: where the kernel and the kubelet put things. What it may not do: outlive its test.
#ifndef VPSIE_TESTS_UNIT_AGENT_TREE_H
#define VPSIE_TESTS_UNIT_AGENT_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/host/host.h"

#define UID_A      "11111111-2222-4333-8444-555555555555"
#define UID_B      "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
#define UID_C      "cccccccc-0000-4000-8000-000000000000"
#define UID_STATIC "0123456789abcdef0123456789abcdef"

struct tree {
    char root[64];
    char procfs[80], sysfs[80], rootfs[80];
};

// Aborts when a file cannot be made: a test cannot go on without it. All paths are below the root and
// printf-like.
void tree_create(struct tree *tree); // an empty root with proc, sys/fs/cgroup and rootfs
void tree_destroy(struct tree *tree);
void tree_write(const struct tree *tree, const char *content, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
void tree_mkdir(const struct tree *tree, const char *path, ...) __attribute__((format(printf, 2, 3)));
void tree_link(const struct tree *tree, const char *target, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
void tree_remove(const struct tree *tree, const char *path, ...) __attribute__((format(printf, 2, 3)));
int tree_open(const struct tree *tree, const char *path, ...)
    __attribute__((format(printf, 2, 3))); // a directory

// Mounts a tmpfs there, for this process alone. False when this process may not: skip the test.
bool tree_mount_tmpfs(const struct tree *tree, const char *path, ...) __attribute__((format(printf, 2, 3)));
void tree_unmount(const struct tree *tree, const char *path, ...) __attribute__((format(printf, 2, 3)));

// A node with two CPUs, 8 GiB, no pressure, an empty kubepods.slice, no pods.
void tree_host(const struct tree *tree);
// CPU counters: ticks of user and idle.
void tree_cpu(const struct tree *tree, uint64_t user, uint64_t idle);

// The pod's cgroup directory below the root, as the systemd driver names it (burstable).
const char *tree_cgroup(const char *uid);
// A running pod: its cgroup with one container and one process, its directory, its network namespace.
void tree_pod(const struct tree *tree, const char *uid, int pid);
void tree_pod_usage(const struct tree *tree, const char *uid, uint64_t cpu_us, uint64_t memory,
                    uint64_t inactive);
void tree_process(const struct tree *tree, int pid, char state, const char *namespace_name);
// A file in one of its emptyDir volumes.
void tree_data(const struct tree *tree, const char *uid, const char *volume, const char *name, size_t bytes);

struct host_settings tree_settings(const struct tree *tree); // every pod is looked into, every sample
int open_descriptors(void);                                  // of this process

#endif

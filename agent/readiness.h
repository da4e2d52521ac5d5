// What this room is for: may this node be drained? From the evidence, by rules anyone can read. What it
// knows: a host's view and the limits. What it may not do: read the host, remember anything, or take what it
// does not know for good.
#ifndef VPSIE_AGENT_READINESS_H
#define VPSIE_AGENT_READINESS_H

#include "agent/host/view.h"

// A limit of 0 switches its rule off: then its evidence is not needed either. local_data_slack_bytes is the
// exception: 0 means that not one byte may be held.
struct readiness_limits {
    double pressure_percent[PRESSURE_RESOURCES]; // 10 s averages: "some" of the CPU, "full" of memory and I/O
    double filesystem_percent;                   // of bytes or inodes in use
    uint32_t connections;                        // established, a pod
    uint64_t local_data_slack_bytes;             // a pod
};

// The rules, with the state each leads to:
//
//   BLOCKED  local-data       a pod that runs holds more in emptyDir volumes than the slack, or its volumes
//   were too
//                             large to be looked through
//   BLOCKED  inhibitor        one that does not expire
//   UNKNOWN  unreadable       evidence that a rule needs could not be had
//   BUSY     inhibitor        one that expires
//   BUSY     local-data       of a pod whose cgroup is gone already: the kubelet is about to remove it
//   BUSY     pressure, filesystem, connections (above its limit), uninterruptible (a process in that sleep)
//
// The worst state wins: BLOCKED, UNKNOWN, BUSY, READY. A person is needed for both of the first two, and of
// the two BLOCKED says more.
enum readiness_state {
    READINESS_READY,
    READINESS_BUSY,
    READINESS_UNKNOWN,
    READINESS_BLOCKED,
    READINESS_STATES
};

struct readiness_reason {
    enum readiness_state state;
    const char *code; // WIRE_REASON_*
    char pod_uid[WIRE_UID_BYTES_MAX + 1];
    char subject[VIEW_NAME_BYTES_MAX];
    double observed, limit;
    char detail[VIEW_WHY_BYTES_MAX];
};

#define READINESS_REASONS_MAX WIRE_REASONS_MAX
struct verdict {
    enum readiness_state state;
    struct readiness_reason reasons[READINESS_REASONS_MAX]; // worst first
    uint32_t reason_count;
    uint32_t reasons_omitted; // that did not fit
    uint32_t pods_remaining;
    int64_t evaluated_ms;
};

// What a PREPARE_DRAIN asks about. All arrays are the caller's.
struct readiness_question {
    const char *const *uids;
    size_t uid_count;
    const char *const *ignore_uids; // pods whose local data may be lost
    size_t ignore_uid_count;
    const char *const *ignore_volumes; // "UID/volume" that may be lost
    size_t ignore_volume_count;
};

// Over all pods on the node; at most reasons_max reasons.
void readiness_of_node(const struct host_view *view, const struct readiness_limits *limits,
                       uint32_t reasons_max, struct verdict *out);

// Over the node and the named pods. pods_remaining counts those that still have a cgroup, or a directory that
// holds data or cannot be read. One that has neither is gone, unless this host's pods cannot be seen at all.
void readiness_of_pods(const struct host_view *view, const struct readiness_limits *limits,
                       const struct readiness_question *question, struct verdict *out);

const char *readiness_name(enum readiness_state state); // "READY"

#endif

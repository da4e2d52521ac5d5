// What this room is for: how many processes a pod has and how many of them sleep uninterruptibly, which no
// eviction can end. What it knows: cgroup.procs and /proc/<pid>/stat. What it may not do: read processes that
// are in no pod's cgroup: on a busy host that costs more than all the rest.
#ifndef VPSIE_AGENT_HOST_PROCESSES_H
#define VPSIE_AGENT_HOST_PROCESSES_H

#include "agent/host/source.h"
#include "agent/host/view.h"

#define PROCESSES_A_POD_MAX         8192
#define PROCESSES_CGROUPS_A_POD_MAX 512
#define PROCESSES_DEPTH_MAX         16
#define PROCESSES_WITNESSES_MAX     4

struct processes {
    uint32_t processes;
    uint32_t uninterruptible;
    // Some living processes of the pod, whose network namespace is the pod's: any may be gone a moment later.
    int32_t witness[PROCESSES_WITNESSES_MAX];
    uint32_t witness_count; // 0: it has no living process
};

// The pod's cgroup and all below it. A process that ends meanwhile does not count. Errors: the ids cannot be
// seen from this PID namespace (code ESRCH), a limit was met (E2BIG), or a file could not be read.
int processes_read(int procfs, int cgroup, struct processes *out, struct error *error);

// The state letter of /proc/<pid>/stat ("pid (name) S ..."), whatever the name holds. 0 when malformed.
char processes_parse_state(const char *stat);

// Every process on the host: the numbers in /proc. Costs about a microsecond each.
int processes_count(int procfs, uint32_t *out, struct error *error);

#endif

// What this room is for: the host's memory. What it knows: /proc/meminfo (proc(5)). What it may not do: look
// at a cgroup.
#ifndef VPSIE_AGENT_HOST_MEMORY_H
#define VPSIE_AGENT_HOST_MEMORY_H

#include "agent/host/source.h"
#include "agent/host/view.h"

// The working set is what the kubelet calls so for the node: memory in use less inactive file pages, which is
// MemTotal - MemFree - Inactive(file), because the root cgroup has no memory.current of its own.
int memory_parse(struct lines *meminfo, struct memory_view *out, struct error *error);
int memory_read(int procfs, struct memory_view *out, struct error *error);

#endif

// What this room is for: established TCP connections of a pod. What it knows: /proc/<pid>/net of one process
// of the pod, hence its network namespace. What it may not do: enter a namespace, or count loopback.
#ifndef VPSIE_AGENT_HOST_CONNECTIONS_H
#define VPSIE_AGENT_HOST_CONNECTIONS_H

#include "agent/host/source.h"
#include "agent/host/view.h"

struct connections {
    bool host_network; // the namespace of process 1: not counted
    uint32_t established;
};

// `pid`: any living process of the pod. net/snmp's CurrEstab, which is cheap, is asked first: the kernel
// walks its whole table of connections, of all namespaces, for each reading of net/tcp (4 ms on a host of 16
// GiB), so it is read only for a pod that has connections. error->code ENOENT or ESRCH: the process is gone.
int connections_read(int procfs, int32_t pid, struct connections *out, struct error *error);

// Lines of net/tcp or net/tcp6 in state established, except those from or to loopback or from an address to
// itself.
int connections_parse(struct lines *lines, uint32_t *established, struct error *error);
// False when the text does not tell.
bool connections_parse_current(struct lines *snmp, uint64_t *out);

#endif

// What this room is for: bytes through the host's own interfaces. What it knows: /proc/<pid>/net/dev and
// /sys/class/net. What it may not do: count a packet twice: pods' virtual interfaces, bridges and tunnels
// carry what a real interface carries again.
#ifndef VPSIE_AGENT_HOST_NETWORK_H
#define VPSIE_AGENT_HOST_NETWORK_H

#include "agent/host/source.h"
#include "agent/host/view.h"

struct network_counters {
    uint64_t receive_bytes, transmit_bytes;
    uint32_t interfaces;
    uint64_t names_hash; // another set of interfaces: the two readings cannot be compared
};

// Sums interfaces that have a device behind them (`classes`: a descriptor of /sys/class/net, or -1); when
// none has one, as in a container that plays a node, those whose names are not virtual ones'.
int network_parse(struct lines *dev, int classes, struct network_counters *out, struct error *error);
// The network namespace of process 1, so that the agent's own namespace does not matter; the agent's own when
// that one cannot be seen.
int network_read(int procfs, int sysfs, struct network_counters *out, struct error *error);

#endif

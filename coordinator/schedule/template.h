// What this room is for: the node that an order would bring: what a group's machine will look like once
// joined. What it knows: the group, its offer, live nodes of it, DaemonSets. What it may not do: order one.
#ifndef VPSIE_COORDINATOR_SCHEDULE_TEMPLATE_H
#define VPSIE_COORDINATOR_SCHEDULE_TEMPLATE_H

#include "common/arena.h"
#include "coordinator/schedule/placement.h"

struct template_node {
    struct place place; // used: the DaemonSet pods that would land on it
    int64_t size_id;    // KubeSizeID
    const char *size_name;
    double price_hour;        // 0 when not known
    const char *learned_from; // node name, "" when nothing was there to learn from
    const char *unknown; // "" or why no template can be made ("size 42 is not in VPSie's offers for dc X")
};

// size_id: which offer (an existing VPSie group's boxsize_id wins over spec.kubeSizeID: the caller says).
// Capacity from the offer (VPSie group's cpu/ram when the offer is not listed); allocatable = capacity less
// what live nodes of the same size reserve, learned from them; before the first: less 100m + 6 % cpu of the
// first core..., a sane default that the .c documents. Labels: kubernetes.io/os=linux, arch=amd64, instance
// type, zone (also a storage driver's, when the group's nodes agree) as learned, the group's labels, managed
// and nodegroup, hostname unique. Taints: the group's. Everything lives in the arena.
struct template_node template_create(struct arena *arena, const struct cluster *cluster,
                                     const struct group *group, int64_t size_id);

#endif

// What this room is for: which volumes hang on a node, as kube-scheduler's NodeVolumeLimits counts them
// against what a CSI driver can attach there. What it knows: pods, their claims, the volumes behind them,
// VolumeAttachments. What it may not do: decide.
#ifndef VPSIE_COORDINATOR_MODEL_VOLUMES_H
#define VPSIE_COORDINATOR_MODEL_VOLUMES_H

#include "common/arena.h"
#include "coordinator/model/cluster.h"

// Two uses are of one volume when both words are equal; it then counts once.
struct volume_use {
    const char *driver; // CSI driver; of a claim not bound yet its class's provisioner. Interned.
    const char *volume; // the volume's handle, else "NAMESPACE/NAME" of the claim that waits for one
};

// What a pod's claims use, and what hangs on a node: what the claims of all its pods (terminal ones left out)
// use and what VolumeAttachments hold to it. Sorted by driver, then volume, each use once; in the arena, and
// valid while the model does not change. A claim that is not there, or whose volume or class is not known or
// has no CSI driver, counts nothing. Returns how many.
uint32_t volumes_of_pod(const struct cluster *cluster, const struct pod *pod, struct arena *arena,
                        const struct volume_use **out);
uint32_t volumes_of_node(const struct cluster *cluster, const struct node *node, struct arena *arena,
                         const struct volume_use **out);
// What the driver can attach on this node: < 0: no limit is known (no CSINode, driver or count).
int32_t volumes_limit(const struct cluster *cluster, const char *node_name, const char *driver);

#endif

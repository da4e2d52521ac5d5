// What this room is for: room that is kept free as if pods asked for it (--headroom). What it knows: the
// flag's form, how amounts become pods that do not exist. What it may not do: order or keep anything itself.
#ifndef VPSIE_COORDINATOR_DECIDE_HEADROOM_H
#define VPSIE_COORDINATOR_DECIDE_HEADROOM_H

#include "common/arena.h"
#include "common/error.h"
#include "coordinator/model/cluster.h"

#define HEADROOM_MAX      16
#define HEADROOM_PODS_MAX 1000

struct headroom {
    char group[64]; // of this NodeGroup; "": anywhere
    int64_t cpu_millis, memory_bytes;
    int64_t pods; // 0: as many pieces as are no larger than one cpu and 4 GiB
};
// "cpu=4,memory=8Gi,pods=20", or of one group "general:cpu=2". Returns 0, or -1 and what is wrong.
int headroom_parse(const char *text, struct headroom *out, struct error *error);

// The pods that would ask for it: of lowest priority, with nothing that binds them but the group. In the
// arena; the same ones, by name and uid, each time.
uint32_t headroom_pods(struct arena *arena, const struct cluster *cluster, const struct headroom *wanted,
                       uint32_t count, const struct pod ***pods);
bool pod_is_headroom(const struct pod *pod);

#endif

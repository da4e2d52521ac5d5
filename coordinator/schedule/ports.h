// What this room is for: is a host port free? What it knows: the pods of a place. What it may not do: keep
// anything; only pods that ask for host ports pay for it.
#ifndef VPSIE_COORDINATOR_SCHEDULE_PORTS_H
#define VPSIE_COORDINATOR_SCHEDULE_PORTS_H

#include "coordinator/schedule/placement.h"

struct put;

// FITS, or HOST_PORT with the port and the pod that has it (NULL: one that will run there before any other).
// `puts`: what was put there, besides the pods of the place's own.
struct placement ports_check(const struct pod_shape *shape, const struct place *place,
                             const struct put *puts);

#endif

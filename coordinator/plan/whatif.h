// What this room is for: "what if": changes to the picture before the core sees it. What it knows: where a
// NodeGroup, the AutoscalerConfig and the pods of an owner stand in it. What it may not do: judge values; the
// decoders do.
#ifndef VPSIE_COORDINATOR_PLAN_WHATIF_H
#define VPSIE_COORDINATOR_PLAN_WHATIF_H

#include "coordinator/plan/source.h"

#define WHATIF_PODS_MAX 100000

// One of
//   GROUP.FIELD=VALUE           general.maxNodes=20, general.scaleDownPolicy.enabled=false (below spec)
//   config.FIELD=VALUE          config.globalSettings.maxClusterWorkers=0 (of the AutoscalerConfig)
//   NAMESPACE/OWNER=+N or =-N   shop/web=+30: pods like those of a Deployment, StatefulSet, ReplicaSet or Job
// VALUE is JSON, else a text. -1 with an error that names what is wrong.
int whatif_set(struct source *source, const char *assignment, struct error *error);

#endif

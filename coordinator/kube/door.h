// What this room is for: the Kubernetes door with the network left open: unit tests start it on a script.
// What it knows: kube.h. What it may not do: be used by anybody but kube.c and tests.
#ifndef VPSIE_COORDINATOR_KUBE_DOOR_H
#define VPSIE_COORDINATOR_KUBE_DOOR_H

#include "coordinator/kube/access.h"
#include "coordinator/kube/api.h"
#include "coordinator/kube/kube.h"

// kube_start() without reading any configuration; takes what `access` points to over. `transport` NULL:
// libcurl.
struct kube *kube_door_start(const struct kube_options *options, const struct access *access,
                             const struct api_transport *transport);

#endif

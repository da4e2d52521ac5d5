// What this room is for: the model's objects in the shape of Kubernetes' API, as `kubectl get -o json` would
// show what of them matters here, so that one decoder reads both. What it knows: which fields the decoders of
// the Kubernetes door read. What it may not do: tell what the model does not hold, such as a Secret.
#ifndef VPSIE_COORDINATOR_ADMIN_SNAPSHOT_OBJECTS_H
#define VPSIE_COORDINATOR_ADMIN_SNAPSHOT_OBJECTS_H

#include "coordinator/admin/json.h"
#include "coordinator/model/cluster.h"

// A new field may be added; none changes its meaning without another version.
#define SNAPSHOT_VERSION 2

// "templates": what many pods have in common is written once: {"id":, "metadata":, "spec":}.
void snapshot_templates(struct json *json, const struct cluster *cluster);
// "items": every object. A Pod names its template; what it has beside it is its own.
void snapshot_items(struct json *json, const struct cluster *cluster);

// Parts, shared with the rest of the snapshot.
void snapshot_labels(struct json *json, const char *name, const struct labels *all);

#endif

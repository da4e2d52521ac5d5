// What this room is for: what the files of the snapshot's objects share. What it knows: how Kubernetes spells
// it. What it may not do: be used outside the snapshot.
#ifndef VPSIE_COORDINATOR_ADMIN_SNAPSHOT_PARTS_H
#define VPSIE_COORDINATOR_ADMIN_SNAPSHOT_PARTS_H

#include "coordinator/admin/snapshot_objects.h"
#include "coordinator/decide/describe.h"

// An object of "items", up to the end that the caller writes; the outer members come first.
void snapshot_item_begin(struct json *json, const char *api_version, const char *kind);
void snapshot_texts(struct json *json, const char *name, const char *const *items, uint32_t count);
void snapshot_amounts(struct json *json, const char *name, const struct resources *amounts);
void snapshot_selector(struct json *json, const char *name, const struct selector *selector);
void snapshot_requirements(struct json *json, const char *name, const struct requirement *all,
                           uint32_t count);
// {"nodeSelectorTerms": [...]} under `name`.
void snapshot_node_terms(struct json *json, const char *name, const struct node_term *terms, uint32_t count);
void snapshot_taints(struct json *json, const char *name, const struct taints *all);
// "metadata" and "spec" of a pod template.
void snapshot_shape(struct json *json, const struct pod_shape *shape);
void snapshot_pods(struct json *json, const struct cluster *cluster);
// Namespace, PersistentVolumeClaim, PersistentVolume, StorageClass, CSINode.
void snapshot_storage(struct json *json, const struct cluster *cluster);
// NodeGroup, VPSieNode, AutoscalerConfig.
void snapshot_custom(struct json *json, const struct cluster *cluster);

#endif

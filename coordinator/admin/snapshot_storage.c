#include <string.h>

#include "coordinator/admin/snapshot_parts.h"

// These kinds are told by name alone; a uid is only what an object must have.
static void named(struct json *json, const char *space, const char *name, const struct labels *labels)
{
    json_put_object(json, "metadata");
    if (space != NULL)
        json_put_string(json, "namespace", space);
    json_put_string(json, "name", name);
    json_put_string(json, "uid", name);
    if (labels != NULL && labels->count > 0)
        snapshot_labels(json, "labels", labels);
}

static void space_item(struct json *json, const struct namespace_facts *facts)
{
    snapshot_item_begin(json, "v1", "Namespace");
    named(json, NULL, facts->name, &facts->labels);
    json_put_end(json);
    json_put_end(json);
}

static void claim_item(struct json *json, const struct claim_facts *facts)
{
    snapshot_item_begin(json, "v1", "PersistentVolumeClaim");
    named(json, facts->space, facts->name, NULL);
    if (facts->deletion_ms != 0)
        json_put_time(json, "deletionTimestamp", facts->deletion_ms);
    if (*facts->selected_node != '\0') {
        json_put_object(json, "annotations");
        json_put_string(json, "volume.kubernetes.io/selected-node", facts->selected_node);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_object(json, "spec");
    json_put_string(json, "volumeName", facts->volume_name);
    json_put_string(json, "storageClassName", facts->class_name);
    if (facts->one_pod_only) {
        json_put_array(json, "accessModes");
        json_put_string(json, NULL, "ReadWriteOncePod");
        json_put_end(json);
    }
    json_put_end(json);
    json_put_object(json, "status");
    json_put_string(json, "phase", facts->lost ? "Lost" : facts->bound ? "Bound" : "Pending");
    json_put_end(json);
    json_put_end(json);
}

static void volume_item(struct json *json, const struct volume_facts *facts)
{
    snapshot_item_begin(json, "v1", "PersistentVolume");
    named(json, NULL, facts->name, &facts->labels);
    json_put_end(json);
    json_put_object(json, "spec");
    if (*facts->driver != '\0') {
        json_put_object(json, "csi");
        json_put_string(json, "driver", facts->driver);
        json_put_string(json, "volumeHandle", facts->handle);
        json_put_end(json);
    }
    if (facts->has_affinity) {
        json_put_object(json, "nodeAffinity");
        snapshot_node_terms(json, "required", facts->affinity_terms, facts->affinity_term_count);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_end(json);
}

static void topologies(struct json *json, const struct storage_class_facts *facts)
{
    if (facts->allowed_topology_count == 0)
        return;
    json_put_array(json, "allowedTopologies");
    for (uint32_t i = 0; i < facts->allowed_topology_count; i++) {
        const struct node_term *term = &facts->allowed_topologies[i];
        json_put_object(json, NULL);
        snapshot_requirements(json, "matchLabelExpressions", term->expressions, term->expression_count);
        json_put_end(json);
    }
    json_put_end(json);
}

static void class_item(struct json *json, const struct storage_class_facts *facts)
{
    snapshot_item_begin(json, "storage.k8s.io/v1", "StorageClass");
    named(json, NULL, facts->name, NULL);
    json_put_end(json);
    json_put_string(json, "provisioner", facts->provisioner);
    json_put_string(json, "volumeBindingMode",
                    facts->waits_for_consumer ? "WaitForFirstConsumer" : "Immediate");
    topologies(json, facts);
    json_put_end(json);
}

static void csi_node_item(struct json *json, const struct csi_node_facts *facts)
{
    snapshot_item_begin(json, "storage.k8s.io/v1", "CSINode");
    named(json, NULL, facts->name, NULL);
    json_put_end(json);
    json_put_object(json, "spec");
    json_put_array(json, "drivers");
    for (uint32_t i = 0; i < facts->driver_count; i++) {
        json_put_object(json, NULL);
        json_put_string(json, "name", facts->drivers[i].driver);
        if (facts->drivers[i].volumes_max >= 0) {
            json_put_object(json, "allocatable");
            json_put_integer(json, "count", facts->drivers[i].volumes_max);
            json_put_end(json);
        }
        json_put_end(json);
    }
    json_put_end(json);
    json_put_end(json);
    json_put_end(json);
}

void snapshot_storage(struct json *json, const struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->space_count; i++)
        space_item(json, &cluster->spaces[i]->facts);
    for (uint32_t i = 0; i < cluster->claim_count; i++)
        claim_item(json, &cluster->claims[i]->facts);
    for (uint32_t i = 0; i < cluster->volume_count; i++)
        volume_item(json, &cluster->volumes[i]->facts);
    for (uint32_t i = 0; i < cluster->storage_class_count; i++)
        class_item(json, &cluster->storage_classes[i]->facts);
    for (uint32_t i = 0; i < cluster->csi_node_count; i++)
        csi_node_item(json, &cluster->csi_nodes[i]->facts);
}

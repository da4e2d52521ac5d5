#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/decode.h"

#define ANNOTATION_CLASS          "volume.beta.kubernetes.io/storage-class"
#define ANNOTATION_SELECTED_NODE  "volume.kubernetes.io/selected-node"
#define ANNOTATION_BIND_COMPLETED "pv.kubernetes.io/bind-completed"
#define NO_PROVISIONER            "kubernetes.io/no-provisioner"

int decode_namespace(const cJSON *json, struct arena *arena, struct namespace_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    const char *uid;
    if (decode_identity(json, arena, NULL, &out->name, &uid, error) < 0)
        return -1;
    out->labels = json_labels(arena, json_get(json_get(json, "metadata"), "labels"), NULL);
    return 0;
}

static bool has_mode(const cJSON *spec, const char *mode)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_get(spec, "accessModes"))
    {
        if (cJSON_IsString(entry) && strcmp(entry->valuestring, mode) == 0)
            return true;
    }
    return false;
}

int decode_claim(const cJSON *json, struct arena *arena, struct claim_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    if (decode_identity(json, arena, &out->space, &out->name, &out->uid, error) < 0)
        return -1;
    const cJSON *metadata = json_get(json, "metadata");
    const cJSON *annotations = json_get(metadata, "annotations");
    const cJSON *spec = json_get(json, "spec");
    const char *phase = json_text(json_get(json, "status"), "phase");
    out->volume_name = json_copy(arena, spec, "volumeName");
    // The old annotation comes before the field, where somebody still has it.
    out->class_name = json_copy(arena, annotations, ANNOTATION_CLASS);
    if (*out->class_name == '\0')
        out->class_name = json_copy(arena, spec, "storageClassName");
    out->bound = *out->volume_name != '\0' &&
                 (strcmp(phase, "Bound") == 0 || json_get(annotations, ANNOTATION_BIND_COMPLETED) != NULL);
    out->lost = strcmp(phase, "Lost") == 0;
    out->one_pod_only = has_mode(spec, "ReadWriteOncePod");
    out->selected_node = json_copy(arena, annotations, ANNOTATION_SELECTED_NODE);
    out->deletion_ms = json_time(metadata, "deletionTimestamp");
    return 0;
}

// The labels that bind a volume to a place; of the others nobody asks.
static bool is_place(const char *key)
{
    return strcmp(key, "topology.kubernetes.io/zone") == 0 ||
           strcmp(key, "topology.kubernetes.io/region") == 0 ||
           strcmp(key, "failure-domain.beta.kubernetes.io/zone") == 0 ||
           strcmp(key, "failure-domain.beta.kubernetes.io/region") == 0;
}

int decode_volume(const cJSON *json, struct arena *arena, struct volume_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    if (decode_identity(json, arena, NULL, &out->name, &out->uid, error) < 0)
        return -1;
    const cJSON *spec = json_get(json, "spec");
    const cJSON *csi = json_get(spec, "csi");
    const cJSON *required = json_path(spec, "nodeAffinity", "required", NULL);
    out->driver = json_copy(arena, csi, "driver");
    out->handle = json_copy(arena, csi, "volumeHandle");
    out->labels = json_labels(arena, json_get(json_get(json, "metadata"), "labels"), is_place);
    out->has_affinity = required != NULL;
    // Where a volume can be used that cannot be read is not known: nowhere.
    if (required != NULL && !decode_node_terms(json_get(required, "nodeSelectorTerms"), arena,
                                               &out->affinity_terms, &out->affinity_term_count))
        out->affinity_term_count = 0;
    return 0;
}

// A topology term's expressions are a key and its values: In.
static void decode_topology(const cJSON *json, struct arena *arena, struct node_term *out)
{
    const cJSON *expressions = json_get(json, "matchLabelExpressions");
    struct requirement *items = ARENA_ARRAY(arena, struct requirement, json_count(expressions));
    uint32_t count = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, expressions)
    {
        struct requirement *item = &items[count++];
        *item = (struct requirement){.key = json_copy(arena, entry, "key"), .operator= SELECTOR_IN };
        item->values = json_strings(arena, json_get(entry, "values"), &item->value_count);
    }
    *out = (struct node_term){.expressions = items, .expression_count = count};
}

int decode_storage_class(const cJSON *json, struct arena *arena, struct storage_class_facts *out,
                         struct error *error)
{
    memset(out, 0, sizeof(*out));
    const char *uid;
    if (decode_identity(json, arena, NULL, &out->name, &uid, error) < 0)
        return -1;
    const cJSON *topologies = json_get(json, "allowedTopologies");
    out->provisioner = json_copy(arena, json, "provisioner");
    out->no_provisioner = strcmp(out->provisioner, NO_PROVISIONER) == 0;
    out->waits_for_consumer = strcmp(json_text(json, "volumeBindingMode"), "WaitForFirstConsumer") == 0;
    struct node_term *terms = ARENA_ARRAY(arena, struct node_term, json_count(topologies));
    const cJSON *entry;
    cJSON_ArrayForEach(entry, topologies)
        decode_topology(entry, arena, &terms[out->allowed_topology_count++]);
    out->allowed_topologies = terms;
    return 0;
}

static int compare_drivers(const void *a, const void *b)
{
    return strcmp(((const struct csi_driver_limit *)a)->driver, ((const struct csi_driver_limit *)b)->driver);
}

int decode_csi_node(const cJSON *json, struct arena *arena, struct csi_node_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    const char *uid;
    if (decode_identity(json, arena, NULL, &out->name, &uid, error) < 0)
        return -1;
    const cJSON *drivers = json_path(json, "spec", "drivers", NULL);
    struct csi_driver_limit *items = ARENA_ARRAY(arena, struct csi_driver_limit, json_count(drivers));
    const cJSON *entry;
    cJSON_ArrayForEach(entry, drivers)
    {
        int64_t count = json_integer(json_get(entry, "allocatable"), "count", -1);
        struct csi_driver_limit limit = {.driver = json_copy(arena, entry, "name"),
                                         .volumes_max = count < 0           ? -1
                                                        : count > INT32_MAX ? INT32_MAX
                                                                            : (int32_t)count};
        if (*limit.driver != '\0')
            items[out->driver_count++] = limit;
    }
    if (out->driver_count > 1)
        qsort(items, out->driver_count, sizeof(*items), compare_drivers);
    out->drivers = items;
    return 0;
}

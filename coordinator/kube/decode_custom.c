#include <assert.h>
#include <string.h>

#include "coordinator/kube/decode.h"
#include "coordinator/model/cluster.h"

static bool has_finalizer(const cJSON *metadata, const char *name)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_get(metadata, "finalizers"))
    {
        if (cJSON_IsString(entry) && strcmp(entry->valuestring, name) == 0)
            return true;
    }
    return false;
}

static bool is_our_key(const char *key)
{
    return text_starts_with(key, KEY_PREFIX);
}

static const char *const phase_names[] = {[INTENTION_PENDING] = "Pending",
                                          [INTENTION_PROVISIONING] = "Provisioning",
                                          [INTENTION_PROVISIONED] = "Provisioned",
                                          [INTENTION_JOINING] = "Joining",
                                          [INTENTION_READY] = "Ready",
                                          [INTENTION_TERMINATING] = "Terminating",
                                          [INTENTION_DELETING] = "Deleting",
                                          [INTENTION_FAILED] = "Failed"};

bool decode_phase(const char *text, enum intention_phase *out)
{
    *out = INTENTION_PENDING;
    for (size_t i = 0; i < sizeof(phase_names) / sizeof(phase_names[0]); i++) {
        if (strcmp(phase_names[i], text) == 0) {
            *out = (enum intention_phase)i;
            return true;
        }
    }
    return *text == '\0';
}

const char *decode_phase_name(enum intention_phase phase)
{
    assert((size_t)phase < sizeof(phase_names) / sizeof(phase_names[0]));
    return phase_names[phase];
}

const struct condition_facts *decode_conditions(const cJSON *array, struct arena *arena, uint32_t *count)
{
    struct condition_facts *items = ARENA_ARRAY(arena, struct condition_facts, json_count(array));
    *count = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, array)
    {
        const char *type = json_text(entry, "type");
        const char *status = json_text(entry, "status");
        if (*type == '\0')
            continue;
        items[(*count)++] =
            (struct condition_facts){.type = arena_strdup(arena, type),
                                     .status = strcmp(status, "True") == 0    ? TRISTATE_TRUE
                                               : strcmp(status, "False") == 0 ? TRISTATE_FALSE
                                                                              : TRISTATE_UNSET,
                                     .reason = json_copy(arena, entry, "reason"),
                                     .message = json_copy(arena, entry, "message"),
                                     .transition_ms = json_time(entry, "lastTransitionTime")};
    }
    return items;
}

// The predecessor's status may hold the id as text or as a number.
static int64_t read_id(const cJSON *json, const char *key)
{
    int64_t id = json_integer(json, key, 0);
    const char *text = json_text(json, key);
    if (*text && text_parse_i64(text, strlen(text), &id, NULL) < 0)
        return 0;
    return id < 0 ? 0 : id;
}

int decode_nodegroup(const cJSON *json, struct arena *arena, struct nodegroup_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    if (decode_identity(json, arena, &out->space, &out->name, &out->uid, error) < 0)
        return -1;
    const cJSON *metadata = json_get(json, "metadata");
    const cJSON *status = json_get(json, "status");
    const cJSON *labels = json_get(metadata, "labels");
    out->resource_version = json_copy(arena, metadata, "resourceVersion");
    out->generation = json_integer(metadata, "generation", 0);
    out->created_ms = json_time(metadata, "creationTimestamp");
    out->deletion_ms = json_time(metadata, "deletionTimestamp");
    out->labels = json_labels(arena, labels, NULL);
    out->annotations = json_labels(arena, json_get(metadata, "annotations"), is_our_key);
    out->managed = strcmp(json_text(labels, KEY_MANAGED), "true") == 0;
    out->has_finalizer = has_finalizer(metadata, "nodegroup.autoscaler.vpsie.com/finalizer");
    decode_group_spec(json_get(json, "spec"), arena, out);
    out->status_vpsie_group_id = read_id(status, "vpsieGroupID");
    int64_t desired = json_integer(status, "desiredNodes", 0);
    out->status_desired_nodes = desired < 0 || desired > INT32_MAX ? 0 : (int32_t)desired;
    out->status_last_scale_up_ms = json_time(status, "lastScaleUpTime");
    out->status_last_scale_down_ms = json_time(status, "lastScaleDownTime");
    out->conditions = decode_conditions(json_get(status, "conditions"), arena, &out->condition_count);
    return 0;
}

static const char *owner_uid(const cJSON *metadata, struct arena *arena)
{
    const cJSON *owner;
    cJSON_ArrayForEach(owner, json_get(metadata, "ownerReferences"))
    {
        if (json_true(owner, "controller") && strcmp(json_text(owner, "kind"), "NodeGroup") == 0)
            return json_copy(arena, owner, "uid");
    }
    return "";
}

static void decode_intention_status(const cJSON *status, struct arena *arena, struct intention_facts *out)
{
    // A phase that nobody defined says nothing; nothing is done twice for a Pending one.
    decode_phase(json_text(status, "phase"), &out->phase);
    out->hostname = json_copy(arena, status, "hostname");
    out->status_created_ms = json_time(status, "createdAt");
    out->provisioned_ms = json_time(status, "provisionedAt");
    out->joined_ms = json_time(status, "joinedAt");
    out->ready_ms = json_time(status, "readyAt");
    out->terminating_ms = json_time(status, "terminatingAt");
    out->deleted_ms = json_time(status, "deletedAt");
    out->last_error = json_copy(arena, status, "lastError");
}

int decode_intention(const cJSON *json, struct arena *arena, struct intention_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    if (decode_identity(json, arena, &out->space, &out->name, &out->uid, error) < 0)
        return -1;
    const cJSON *metadata = json_get(json, "metadata");
    const cJSON *spec = json_get(json, "spec");
    const cJSON *status = json_get(json, "status");
    out->resource_version = json_copy(arena, metadata, "resourceVersion");
    out->created_ms = json_time(metadata, "creationTimestamp");
    out->deletion_ms = json_time(metadata, "deletionTimestamp");
    out->has_finalizer = has_finalizer(metadata, "vpsienode.autoscaler.vpsie.com/finalizer");
    out->labels = json_labels(arena, json_get(metadata, "labels"), NULL);
    out->annotations = json_labels(arena, json_get(metadata, "annotations"), is_our_key);
    out->owner_uid = owner_uid(metadata, arena);
    out->group_name = json_copy(arena, spec, "nodeGroupName");
    out->vpsie_instance_id = read_id(spec, "vpsieInstanceID");
    out->identifier = json_copy(arena, spec, "vpsieNodeIdentifier");
    out->vpsie_group_id = read_id(spec, "vpsieGroupID");
    out->instance_type = json_copy(arena, spec, "instanceType");
    out->datacenter_id = json_copy(arena, spec, "datacenterID");
    out->resource_identifier = json_copy(arena, spec, "resourceIdentifier");
    out->project = json_copy(arena, spec, "project");
    out->kubernetes_version = json_copy(arena, spec, "kubernetesVersion");
    out->ip_address = json_copy(arena, spec, "ipAddress");
    const char *node_name = json_text(spec, "nodeName");
    out->node_name = arena_strdup(arena, *node_name ? node_name : json_text(status, "nodeName"));
    decode_intention_status(status, arena, out);
    return 0;
}

#include <assert.h>
#include <string.h>

#include "coordinator/kube/decode.h"
#include "coordinator/kube/json.h"
#include "coordinator/kube/kinds.h"
#include "coordinator/kube/patch.h"

#define API_VERSION "autoscaler.vpsie.com/v1alpha1"

static char *finish(cJSON *json)
{
    struct text text = {0};
    json_print(json, &text);
    cJSON_Delete(json);
    return text_take(&text);
}

static bool is_given(const char *text)
{
    return text && *text;
}

static void add_given(cJSON *parent, const char *key, const char *value)
{
    if (is_given(value))
        json_add_text(parent, key, value);
}

static void add_time(cJSON *parent, const char *key, int64_t ms)
{
    char text[40];
    if (ms <= 0)
        return;
    text_format_time(text, sizeof(text), ms);
    json_add_text(parent, key, text);
}

static void add_map(cJSON *parent, const char *key, const struct labels *labels)
{
    if (labels->count == 0)
        return;
    cJSON *map = json_add_object(parent, key);
    for (uint32_t i = 0; i < labels->count; i++)
        json_add_text(map, labels->items[i].key, labels->items[i].value);
}

char *body_intention(const struct intention_facts *facts, const char *owner_name)
{
    cJSON *body = json_object();
    json_add_text(body, "apiVersion", API_VERSION);
    json_add_text(body, "kind", "VPSieNode");
    cJSON *metadata = json_add_object(body, "metadata");
    json_add_text(metadata, "name", facts->name);
    json_add_text(metadata, "namespace", facts->space);
    add_map(metadata, "labels", &facts->labels);
    add_map(metadata, "annotations", &facts->annotations);
    if (facts->has_finalizer)
        json_append_text(json_add_array(metadata, "finalizers"), FINALIZER_INTENTION);
    if (is_given(facts->owner_uid)) {
        cJSON *owner = json_append_object(json_add_array(metadata, "ownerReferences"));
        json_add_text(owner, "apiVersion", API_VERSION);
        json_add_text(owner, "kind", "NodeGroup");
        json_add_text(owner, "name", owner_name ? owner_name : "");
        json_add_text(owner, "uid", facts->owner_uid);
        json_add_bool(owner, "controller", true);
        json_add_bool(owner, "blockOwnerDeletion", true);
    }
    cJSON *spec = json_add_object(body, "spec");
    json_add_integer(spec, "vpsieInstanceID", facts->vpsie_instance_id);
    const struct {
        const char *key;
        const char *value;
    } required[] = {{"instanceType", facts->instance_type},
                    {"nodeGroupName", facts->group_name},
                    {"datacenterID", facts->datacenter_id},
                    {"resourceIdentifier", facts->resource_identifier},
                    {"project", facts->project},
                    {"kubernetesVersion", facts->kubernetes_version}};
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
        json_add_text(spec, required[i].key, required[i].value ? required[i].value : "");
    add_given(spec, "nodeName", facts->node_name);
    add_given(spec, "ipAddress", facts->ip_address);
    add_given(spec, "vpsieNodeIdentifier", facts->identifier);
    if (facts->vpsie_group_id > 0)
        json_add_integer(spec, "vpsieGroupID", facts->vpsie_group_id);
    return finish(body);
}

static void add_taints(cJSON *parent, const struct taints *taints)
{
    static const char *const effects[] = {
        [TAINT_NO_SCHEDULE] = "NoSchedule",
        [TAINT_PREFER_NO_SCHEDULE] = "PreferNoSchedule",
        [TAINT_NO_EXECUTE] = "NoExecute",
    };
    cJSON *list = taints->count > 0 ? json_add_array(parent, "taints") : NULL;
    for (uint32_t i = 0; i < taints->count; i++) {
        cJSON *taint = json_append_object(list);
        json_add_text(taint, "key", taints->items[i].key);
        json_add_text(taint, "value", taints->items[i].value);
        json_add_text(taint, "effect", effects[taints->items[i].effect]);
    }
}

static void add_scale_policy(cJSON *parent, const char *key, const struct scale_policy_facts *facts,
                             bool down)
{
    cJSON *policy = json_add_object(parent, key);
    json_add_bool(policy, "enabled", facts->enabled);
    json_add_integer(policy, "stabilizationWindowSeconds", facts->stabilization_seconds);
    json_add_integer(policy, "cpuThreshold", facts->cpu_threshold_percent);
    json_add_integer(policy, "memoryThreshold", facts->memory_threshold_percent);
    if (down)
        json_add_integer(policy, "cooldownSeconds", facts->cooldown_seconds);
}

char *body_nodegroup(const struct nodegroup_facts *facts)
{
    cJSON *body = json_object();
    json_add_text(body, "apiVersion", API_VERSION);
    json_add_text(body, "kind", "NodeGroup");
    cJSON *metadata = json_add_object(body, "metadata");
    json_add_text(metadata, "name", facts->name);
    json_add_text(metadata, "namespace", facts->space);
    add_map(metadata, "labels", &facts->labels);
    add_map(metadata, "annotations", &facts->annotations);
    cJSON *spec = json_add_object(body, "spec");
    json_add_integer(spec, "minNodes", facts->min_nodes);
    json_add_integer(spec, "maxNodes", facts->max_nodes);
    json_add_text(spec, "datacenterID", facts->datacenter_id);
    json_add_text(spec, "resourceIdentifier", facts->resource_identifier);
    json_add_text(spec, "project", facts->project);
    json_add_text(spec, "kubernetesVersion", facts->kubernetes_version);
    cJSON *offerings = json_add_array(spec, "offeringIDs");
    for (uint32_t i = 0; i < facts->offering_count; i++)
        json_append_text(offerings, facts->offering_ids[i]);
    if (facts->kube_size_id > 0)
        json_add_integer(spec, "kubeSizeID", facts->kube_size_id);
    add_given(spec, "osImageID", facts->os_image_id);
    add_map(spec, "labels", &facts->node_labels);
    add_taints(spec, &facts->node_taints);
    add_scale_policy(spec, "scaleUpPolicy", &facts->scale_up, false);
    add_scale_policy(spec, "scaleDownPolicy", &facts->scale_down, true);
    return finish(body);
}

// Members of a merge patch: NULL leaves as stored.
static void add_set(cJSON *parent, const char *key, const char *value)
{
    if (value)
        json_add_text(parent, key, value);
}

char *patch_intention(const struct command *command, const cJSON *object)
{
    const char *version = command->update_intention.resource_version;
    AUTOFREE char *finalizers = NULL;
    cJSON *patch = NULL;
    if (command->update_intention.finalizer != TRISTATE_UNSET) {
        assert(object);
        finalizers = patch_finalizer(object, FINALIZER_INTENTION,
                                     command->update_intention.finalizer == TRISTATE_TRUE);
        if (finalizers)
            patch = json_parse(finalizers, strlen(finalizers), NULL);
    }
    if (!patch) {
        patch = json_object();
        json_add_object(patch, "metadata");
    }
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(patch, "metadata");
    add_map(metadata, "annotations", &command->update_intention.annotations);
    add_map(metadata, "labels", &command->update_intention.labels);
    cJSON *spec = json_add_object(patch, "spec");
    add_set(spec, "vpsieNodeIdentifier", command->update_intention.identifier);
    add_set(spec, "nodeName", command->update_intention.node_name);
    add_set(spec, "ipAddress", command->update_intention.ip_address);
    add_set(spec, "instanceType", command->update_intention.instance_type);
    if (command->update_intention.vpsie_group_id > 0)
        json_add_integer(spec, "vpsieGroupID", command->update_intention.vpsie_group_id);
    if (command->update_intention.vpsie_instance_id > 0)
        json_add_integer(spec, "vpsieInstanceID", command->update_intention.vpsie_instance_id);
    if (!spec->child)
        cJSON_DeleteItemFromObjectCaseSensitive(patch, "spec");
    bool empty = !metadata->child && cJSON_GetArraySize(patch) == 1;
    if (empty) {
        cJSON_Delete(patch);
        return NULL;
    }
    if (is_given(version) && !json_get(metadata, "resourceVersion"))
        json_add_text(metadata, "resourceVersion", version);
    return finish(patch);
}

static void add_conditions(cJSON *status, const struct condition_facts *conditions, uint32_t count,
                           bool update_time, int64_t now_ms)
{
    if (count == 0)
        return;
    cJSON *list = json_add_array(status, "conditions");
    for (uint32_t i = 0; i < count; i++) {
        const struct condition_facts *condition = &conditions[i];
        cJSON *item = json_append_object(list);
        json_add_text(item, "type", condition->type);
        json_add_text(item, "status",
                      condition->status == TRISTATE_TRUE    ? "True"
                      : condition->status == TRISTATE_FALSE ? "False"
                                                            : "Unknown");
        add_time(item, "lastTransitionTime",
                 condition->transition_ms > 0 ? condition->transition_ms : now_ms);
        if (update_time)
            add_time(item, "lastUpdateTime", now_ms);
        json_add_text(item, "reason", condition->reason ? condition->reason : "");
        json_add_text(item, "message", condition->message ? condition->message : "");
    }
}

char *patch_intention_status(const struct intention_status_facts *facts, int64_t now_ms)
{
    cJSON *patch = json_object();
    cJSON *status = json_add_object(patch, "status");
    json_add_text(status, "phase", decode_phase_name(facts->phase));
    add_set(status, "nodeName", facts->node_name);
    add_set(status, "hostname", facts->hostname);
    add_set(status, "vpsieStatus", facts->vpsie_status);
    if (facts->cpu > 0 || facts->memory_mb > 0 || facts->disk_gb > 0) {
        cJSON *resources = json_add_object(status, "resources");
        if (facts->cpu > 0)
            json_add_integer(resources, "cpu", facts->cpu);
        if (facts->memory_mb > 0)
            json_add_integer(resources, "memoryMB", facts->memory_mb);
        if (facts->disk_gb > 0)
            json_add_integer(resources, "diskGB", facts->disk_gb);
    }
    add_time(status, "createdAt", facts->created_ms);
    add_time(status, "provisionedAt", facts->provisioned_ms);
    add_time(status, "joinedAt", facts->joined_ms);
    add_time(status, "readyAt", facts->ready_ms);
    add_time(status, "terminatingAt", facts->terminating_ms);
    add_time(status, "deletedAt", facts->deleted_ms);
    if (facts->last_error && *facts->last_error == '\0')
        json_add_null(status, "lastError");
    else
        add_set(status, "lastError", facts->last_error);
    add_conditions(status, facts->conditions, facts->condition_count, false, now_ms);
    return finish(patch);
}

static void add_group_nodes(cJSON *status, const struct group_node_facts *nodes, uint32_t count)
{
    cJSON *list = json_add_array(status, "nodes"); // always: an empty list empties the stored one
    for (uint32_t i = 0; i < count; i++) {
        cJSON *item = json_append_object(list);
        add_given(item, "nodeName", nodes[i].node_name);
        add_given(item, "vpsID", nodes[i].vps_id);
        add_given(item, "instanceType", nodes[i].instance_type);
        add_given(item, "status", nodes[i].status);
        add_time(item, "createdAt", nodes[i].created_ms);
        add_time(item, "readyAt", nodes[i].ready_ms);
        add_given(item, "ipAddress", nodes[i].ip_address);
    }
}

char *patch_group_status(const struct command *command, int64_t now_ms)
{
    cJSON *patch = json_object();
    cJSON *status = json_add_object(patch, "status");
    json_add_integer(status, "currentNodes", command->group_status.current);
    json_add_integer(status, "desiredNodes", command->group_status.desired);
    json_add_integer(status, "readyNodes", command->group_status.ready);
    if (command->group_status.vpsie_group_id > 0)
        json_add_integer(status, "vpsieGroupID", command->group_status.vpsie_group_id);
    add_group_nodes(status, command->group_status.nodes, command->group_status.node_count);
    add_conditions(status, command->group_status.conditions, command->group_status.condition_count, true,
                   now_ms);
    int64_t last_ms = command->group_status.last_scale_ms;
    add_time(status, "lastScaleTime", last_ms);
    add_time(status, "lastScaleUpTime", command->group_status.last_scale_up_ms);
    add_time(status, "lastScaleDownTime", command->group_status.last_scale_down_ms);
    if (command->group_status.observed_generation > 0)
        json_add_integer(status, "observedGeneration", command->group_status.observed_generation);
    return finish(patch);
}

#include "tests/sim/patches.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/model/cluster.h"

#define EXCLUDE_LABEL  "node.kubernetes.io/exclude-from-external-load-balancers"
#define NODE_FINALIZER "vpsienode.autoscaler.vpsie.com/finalizer"
#define PERSON_FIRST   "person-first " // before the reason: the node was cordoned when we came

static void put_labels(cJSON *object, const struct labels *labels)
{
    for (uint32_t i = 0; i < labels->count; i++)
        cJSON_AddItemToObject(object, labels->items[i].key,
                              labels->items[i].value == NULL ? cJSON_CreateNull()
                                                             : cJSON_CreateString(labels->items[i].value));
}

static void put_text(cJSON *object, const char *key, const char *value)
{
    if (value != NULL && value[0] != 0)
        cJSON_AddStringToObject(object, key, value);
}

static void put_number(cJSON *object, const char *key, int64_t value)
{
    if (value != 0)
        cJSON_AddNumberToObject(object, key, (double)value);
}

static void put_time(cJSON *object, const char *key, int64_t unix_ms)
{
    if (unix_ms != 0)
        json_set_time(object, key, unix_ms);
}

// ------------------------------------------------------------------------------------------ intentions

cJSON *document_of_intention(const struct command *command)
{
    const struct intention_facts *facts = command->create_intention.facts;
    cJSON *document = json_of("{'metadata':{'name':'%s'}}", facts->name);
    put_labels(json_make(document, "metadata.labels"), &facts->labels);
    put_labels(json_make(document, "metadata.annotations"), &facts->annotations);
    if (facts->has_finalizer)
        json_set(document, "metadata.finalizers", json_of("['%s']", NODE_FINALIZER));
    if (facts->owner_uid[0] != 0)
        json_set(document, "metadata.ownerReferences",
                 json_of("[{'apiVersion':'autoscaler.vpsie.com/v1alpha1','kind':'NodeGroup','name':'%s',"
                         "'uid':'%s','controller':true,'blockOwnerDeletion':true}]",
                         command->create_intention.owner_name, facts->owner_uid));
    cJSON *spec = json_make(document, "spec");
    cJSON_AddNumberToObject(spec, "vpsieInstanceID", (double)facts->vpsie_instance_id);
    cJSON_AddStringToObject(spec, "instanceType", facts->instance_type);
    cJSON_AddStringToObject(spec, "nodeGroupName", facts->group_name);
    cJSON_AddStringToObject(spec, "datacenterID", facts->datacenter_id);
    cJSON_AddStringToObject(spec, "resourceIdentifier", facts->resource_identifier);
    cJSON_AddStringToObject(spec, "project", facts->project);
    cJSON_AddStringToObject(spec, "kubernetesVersion", facts->kubernetes_version);
    put_text(spec, "vpsieNodeIdentifier", facts->identifier);
    put_text(spec, "nodeName", facts->node_name);
    put_text(spec, "ipAddress", facts->ip_address);
    put_number(spec, "vpsieGroupID", facts->vpsie_group_id);
    return document;
}

cJSON *patch_of_update(const struct command *command)
{
    cJSON *patch = cJSON_CreateObject();
    const char *version = command->update_intention.resource_version;
    if (version != NULL && version[0] != 0)
        json_set_text(patch, "metadata.resourceVersion", version);
    if (command->update_intention.labels.count > 0)
        put_labels(json_make(patch, "metadata.labels"), &command->update_intention.labels);
    if (command->update_intention.annotations.count > 0)
        put_labels(json_make(patch, "metadata.annotations"), &command->update_intention.annotations);
    cJSON *spec = json_make(patch, "spec");
    put_text(spec, "vpsieNodeIdentifier", command->update_intention.identifier);
    put_text(spec, "nodeName", command->update_intention.node_name);
    put_text(spec, "ipAddress", command->update_intention.ip_address);
    put_text(spec, "instanceType", command->update_intention.instance_type);
    put_number(spec, "vpsieGroupID", command->update_intention.vpsie_group_id);
    put_number(spec, "vpsieInstanceID", command->update_intention.vpsie_instance_id);
    return patch;
}

static cJSON *conditions_of(const struct condition_facts *conditions, uint32_t count)
{
    static const char *const statuses[] = {"Unknown", "False", "True"};
    cJSON *list = cJSON_CreateArray();
    for (uint32_t i = 0; i < count; i++) {
        cJSON *condition = cJSON_CreateObject();
        cJSON_AddStringToObject(condition, "type", conditions[i].type);
        cJSON_AddStringToObject(condition, "status", statuses[conditions[i].status]);
        put_time(condition, "lastTransitionTime", conditions[i].transition_ms);
        cJSON_AddStringToObject(condition, "reason", conditions[i].reason);
        cJSON_AddStringToObject(condition, "message", conditions[i].message);
        cJSON_AddItemToArray(list, condition);
    }
    return list;
}

cJSON *patch_of_intention_status(const struct command *command)
{
    static const char *const phases[] = {"Pending", "Provisioning", "Provisioned", "Joining",
                                         "Ready",   "Terminating",  "Deleting",    "Failed"};
    const struct intention_status_facts *facts = &command->intention_status.status;
    cJSON *patch = cJSON_CreateObject(), *status = json_make(patch, "status");
    cJSON_AddStringToObject(status, "phase", phases[facts->phase]);
    put_text(status, "nodeName", facts->node_name);
    put_text(status, "hostname", facts->hostname);
    put_text(status, "vpsieStatus", facts->vpsie_status);
    put_time(status, "createdAt", facts->created_ms);
    put_time(status, "provisionedAt", facts->provisioned_ms);
    put_time(status, "joinedAt", facts->joined_ms);
    put_time(status, "readyAt", facts->ready_ms);
    put_time(status, "terminatingAt", facts->terminating_ms);
    put_time(status, "deletedAt", facts->deleted_ms);
    if (facts->last_error != NULL)
        cJSON_AddItemToObject(status, "lastError",
                              facts->last_error[0] == 0 ? cJSON_CreateNull()
                                                        : cJSON_CreateString(facts->last_error));
    if (facts->cpu != 0) {
        put_number(json_make(status, "resources"), "cpu", facts->cpu);
        put_number(json_make(status, "resources"), "memoryMB", facts->memory_mb);
        put_number(json_make(status, "resources"), "diskGB", facts->disk_gb);
    }
    if (facts->condition_count > 0)
        cJSON_AddItemToObject(status, "conditions", conditions_of(facts->conditions, facts->condition_count));
    return patch;
}

cJSON *patch_of_group_status(const struct command *command)
{
    cJSON *patch = cJSON_CreateObject(), *status = json_make(patch, "status");
    cJSON_AddNumberToObject(status, "currentNodes", command->group_status.current);
    cJSON_AddNumberToObject(status, "desiredNodes", command->group_status.desired);
    cJSON_AddNumberToObject(status, "readyNodes", command->group_status.ready);
    cJSON_AddNumberToObject(status, "observedGeneration", (double)command->group_status.observed_generation);
    put_number(status, "vpsieGroupID", command->group_status.vpsie_group_id);
    put_time(status, "lastScaleTime", command->group_status.last_scale_ms);
    put_time(status, "lastScaleUpTime", command->group_status.last_scale_up_ms);
    put_time(status, "lastScaleDownTime", command->group_status.last_scale_down_ms);
    cJSON *nodes = cJSON_AddArrayToObject(status, "nodes");
    for (uint32_t i = 0; i < command->group_status.node_count; i++) {
        const struct group_node_facts *facts = &command->group_status.nodes[i];
        cJSON *node = cJSON_CreateObject();
        put_text(node, "nodeName", facts->node_name);
        put_text(node, "vpsID", facts->vps_id);
        put_text(node, "instanceType", facts->instance_type);
        put_text(node, "status", facts->status);
        put_text(node, "ipAddress", facts->ip_address);
        put_time(node, "createdAt", facts->created_ms);
        put_time(node, "readyAt", facts->ready_ms);
        cJSON_AddItemToArray(nodes, node);
    }
    cJSON_AddItemToObject(
        status, "conditions",
        conditions_of(command->group_status.conditions, command->group_status.condition_count));
    return patch;
}

// ----------------------------------------------------------------------------------------------- nodes

static cJSON *taints_without(const cJSON *node, const char *key)
{
    cJSON *taints = cJSON_CreateArray();
    const cJSON *taint;
    cJSON_ArrayForEach(taint, json_at(node, "spec.taints"))
    {
        if (strcmp(json_text(taint, "key"), key) != 0)
            cJSON_AddItemToArray(taints, cJSON_Duplicate(taint, true));
    }
    return taints;
}

cJSON *patch_of_cordon(const cJSON *node, const char *reason)
{
    const char *ours = json_key_text(json_at(node, "metadata.annotations"), KEY_CORDONED_BY);
    bool person = json_true(node, "spec.unschedulable") && ours[0] == 0;
    char value[400];
    snprintf(value, sizeof value, "%s%s", person || strncmp(ours, PERSON_FIRST, 13) == 0 ? PERSON_FIRST : "",
             reason);
    cJSON *patch = json_of("{'metadata':{'labels':{},'annotations':{}},'spec':{'unschedulable':true}}");
    cJSON_AddStringToObject(json_at(patch, "metadata.labels"), EXCLUDE_LABEL, "");
    cJSON_AddStringToObject(json_at(patch, "metadata.annotations"), KEY_CORDONED_BY, value);
    cJSON *taints = taints_without(node, KEY_DRAINING_TAINT);
    cJSON_AddItemToArray(taints, json_of("{'key':'%s','effect':'NoSchedule'}", KEY_DRAINING_TAINT));
    json_set(patch, "spec.taints", taints);
    json_set_text(patch, "metadata.resourceVersion", json_text(node, "metadata.resourceVersion"));
    return patch;
}

cJSON *patch_of_uncordon(const cJSON *node)
{
    const char *ours = json_key_text(json_at(node, "metadata.annotations"), KEY_CORDONED_BY);
    cJSON *patch = cJSON_CreateObject();
    if (ours[0] == 0)
        return patch;
    cJSON_AddNullToObject(json_make(patch, "metadata.labels"), EXCLUDE_LABEL);
    cJSON_AddNullToObject(json_make(patch, "metadata.annotations"), KEY_CORDONED_BY);
    json_set(patch, "spec.taints", taints_without(node, KEY_DRAINING_TAINT));
    if (strncmp(ours, PERSON_FIRST, 13) != 0)
        json_set(patch, "spec.unschedulable", cJSON_CreateNull());
    json_set_text(patch, "metadata.resourceVersion", json_text(node, "metadata.resourceVersion"));
    return patch;
}

cJSON *patch_of_labels(const cJSON *node, const struct command *command)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
    cJSON *patch = json_of("{'metadata':{'labels':{},'annotations':{}}}");
    const struct labels *labels = &command->label_node.labels;
    for (uint32_t i = 0; i < labels->count; i++) {
        const char *present = json_key_text(json_at(node, "metadata.labels"), labels->items[i].key);
        if (present[0] == 0 && labels->items[i].value != NULL)
            cJSON_AddStringToObject(json_at(patch, "metadata.labels"), labels->items[i].key,
                                    labels->items[i].value);
        else if (labels->items[i].value == NULL)
            cJSON_AddNullToObject(json_at(patch, "metadata.labels"), labels->items[i].key);
    }
    put_labels(json_at(patch, "metadata.annotations"), &command->label_node.annotations);
    cJSON *taints = taints_without(node, "");
    for (uint32_t i = 0; i < command->label_node.taints.count; i++) {
        const struct taint *taint = &command->label_node.taints.items[i];
        const cJSON *item;
        bool present = false;
        cJSON_ArrayForEach(item, taints) present =
            present || (strcmp(json_text(item, "key"), taint->key) == 0 &&
                        strcmp(json_text(item, "effect"), effects[taint->effect]) == 0);
        if (!present)
            cJSON_AddItemToArray(taints, json_of("{'key':'%s','value':'%s','effect':'%s'}", taint->key,
                                                 taint->value, effects[taint->effect]));
    }
    json_set(patch, "spec.taints", cJSON_GetArraySize(taints) > 0 ? taints : NULL);
    if (cJSON_GetArraySize(taints) == 0)
        cJSON_Delete(taints);
    json_set_text(patch, "metadata.resourceVersion", json_text(node, "metadata.resourceVersion"));
    return patch;
}

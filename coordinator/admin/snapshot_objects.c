#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/admin/snapshot_parts.h"

// ---- parts

void snapshot_item_begin(struct json *json, const char *api_version, const char *kind)
{
    json_put_object(json, NULL);
    json_put_string(json, "apiVersion", api_version);
    json_put_string(json, "kind", kind);
}

void snapshot_texts(struct json *json, const char *name, const char *const *items, uint32_t count)
{
    json_put_array(json, name);
    for (uint32_t i = 0; i < count; i++)
        json_put_string(json, NULL, items[i]);
    json_put_end(json);
}

void snapshot_labels(struct json *json, const char *name, const struct labels *all)
{
    json_put_object(json, name);
    for (uint32_t i = 0; i < all->count; i++)
        json_put_string(json, all->items[i].key, all->items[i].value);
    json_put_end(json);
}

void snapshot_taints(struct json *json, const char *name, const struct taints *all)
{
    if (all->count == 0)
        return;
    json_put_array(json, name);
    for (uint32_t i = 0; i < all->count; i++) {
        json_put_object(json, NULL);
        json_put_string(json, "key", all->items[i].key);
        json_put_string(json, "value", all->items[i].value);
        json_put_string(json, "effect", taint_effect_name(all->items[i].effect));
        json_put_end(json);
    }
    json_put_end(json);
}

static void amount(struct json *json, const char *name, int64_t value, const char *unit)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRId64 "%s", value, unit);
    json_put_string(json, name, text);
}

void snapshot_amounts(struct json *json, const char *name, const struct resources *amounts)
{
    json_put_object(json, name);
    amount(json, "cpu", amounts->cpu_millis, "m");
    amount(json, "memory", amounts->memory_bytes, "");
    if (amounts->ephemeral_bytes != 0)
        amount(json, "ephemeral-storage", amounts->ephemeral_bytes, "");
    if (amounts->pods != 0)
        amount(json, "pods", amounts->pods, "");
    for (uint32_t i = 0; i < amounts->extended_count; i++)
        amount(json, amounts->extended[i].name, amounts->extended[i].amount, "");
    json_put_end(json);
}

void snapshot_requirements(struct json *json, const char *name, const struct requirement *all, uint32_t count)
{
    static const char *const OPERATORS[] = {"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"};
    json_put_array(json, name);
    for (uint32_t i = 0; i < count; i++) {
        json_put_object(json, NULL);
        json_put_string(json, "key", all[i].key);
        json_put_string(json, "operator", OPERATORS[all[i].operator]);
        if (all[i].value_count > 0) {
            json_put_array(json, "values");
            for (uint32_t v = 0; v < all[i].value_count; v++)
                json_put_string(json, NULL, all[i].values[v]);
            json_put_end(json);
        }
        json_put_end(json);
    }
    json_put_end(json);
}

void snapshot_selector(struct json *json, const char *name, const struct selector *selector)
{
    if (selector->nothing)
        return;
    json_put_object(json, name);
    if (selector->requirement_count > 0)
        snapshot_requirements(json, "matchExpressions", selector->requirements, selector->requirement_count);
    json_put_end(json);
}

void snapshot_node_terms(struct json *json, const char *name, const struct node_term *terms, uint32_t count)
{
    json_put_object(json, name);
    json_put_array(json, "nodeSelectorTerms");
    for (uint32_t i = 0; i < count; i++) {
        json_put_object(json, NULL);
        snapshot_requirements(json, "matchExpressions", terms[i].expressions, terms[i].expression_count);
        snapshot_requirements(json, "matchFields", terms[i].fields, terms[i].field_count);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_end(json);
}

// ---- nodes

static void node_condition(struct json *json, const char *type, const char *status, int64_t since_ms)
{
    json_put_object(json, NULL);
    json_put_string(json, "type", type);
    json_put_string(json, "status", status);
    json_put_time(json, "lastTransitionTime", since_ms);
    json_put_end(json);
}

static void node_address(struct json *json, const char *type, const char *address)
{
    if (*address == '\0')
        return;
    json_put_object(json, NULL);
    json_put_string(json, "type", type);
    json_put_string(json, "address", address);
    json_put_end(json);
}

static void node_status(struct json *json, const struct node *node)
{
    static const char *const READY[] = {"Unknown", "False", "True"};
    json_put_object(json, "status");
    snapshot_amounts(json, "capacity", &node->capacity);
    snapshot_amounts(json, "allocatable", &node->allocatable);
    json_put_array(json, "conditions");
    node_condition(json, "Ready", READY[node->ready], node->ready_changed_ms);
    if (node->network_unavailable)
        node_condition(json, "NetworkUnavailable", "True", 0);
    json_put_end(json);
    json_put_array(json, "addresses");
    node_address(json, "Hostname", node->hostname);
    node_address(json, "InternalIP", node->internal_ip);
    node_address(json, "ExternalIP", node->external_ip);
    json_put_end(json);
    json_put_object(json, "nodeInfo");
    json_put_string(json, "kubeletVersion", node->kubelet_version);
    json_put_end(json);
    json_put_end(json);
}

static void node_item(struct json *json, const struct node *node)
{
    snapshot_item_begin(json, "v1", "Node");
    json_put_object(json, "metadata");
    json_put_string(json, "name", node->name);
    json_put_string(json, "uid", node->uid);
    json_put_time(json, "creationTimestamp", node->created_ms);
    if (node->deletion_ms != 0)
        json_put_time(json, "deletionTimestamp", node->deletion_ms);
    snapshot_labels(json, "labels", &node->labels);
    snapshot_labels(json, "annotations", &node->annotations);
    json_put_end(json);
    json_put_object(json, "spec");
    json_put_string(json, "providerID", node->provider_id);
    json_put_bool(json, "unschedulable", node->unschedulable);
    snapshot_taints(json, "taints", &node->taints);
    json_put_end(json);
    node_status(json, node);
    json_put_time(json, "underusedSince", node->underused_since_ms);
    json_put_bool(json, "hasBeenReady", node->has_been_ready);
    json_put_end(json);
}

// ---- what else the API server holds

static void named(struct json *json, const char *space, const char *name, const char *uid)
{
    json_put_object(json, "metadata");
    if (space != NULL)
        json_put_string(json, "namespace", space);
    json_put_string(json, "name", name);
    json_put_string(json, "uid", uid);
    json_put_end(json);
}

static void budget_item(struct json *json, const struct budget *budget)
{
    snapshot_item_begin(json, "policy/v1", "PodDisruptionBudget");
    json_put_object(json, "metadata");
    json_put_string(json, "namespace", budget->space);
    json_put_string(json, "name", budget->name);
    json_put_string(json, "uid", budget->uid);
    json_put_integer(json, "generation", 1);
    json_put_end(json);
    json_put_object(json, "spec");
    struct selector selector = {budget->selector, budget->selector_count, budget->selects_nothing};
    snapshot_selector(json, "selector", &selector);
    json_put_end(json);
    json_put_object(json, "status");
    json_put_integer(json, "observedGeneration", budget->current ? 1 : 0);
    json_put_integer(json, "disruptionsAllowed", budget->disruptions_allowed);
    json_put_end(json);
    json_put_end(json);
}

static void daemonset_item(struct json *json, const struct daemonset *daemonset)
{
    snapshot_item_begin(json, "apps/v1", "DaemonSet");
    named(json, daemonset->space, daemonset->name, daemonset->uid);
    json_put_object(json, "spec");
    json_put_object(json, "template");
    snapshot_shape(json, daemonset->shape);
    json_put_end(json);
    json_put_end(json);
    json_put_end(json);
}

static void attachment_item(struct json *json, const struct attachment *attachment)
{
    snapshot_item_begin(json, "storage.k8s.io/v1", "VolumeAttachment");
    named(json, NULL, attachment->name, attachment->name);
    json_put_object(json, "spec");
    json_put_string(json, "nodeName", attachment->node_name);
    json_put_object(json, "source");
    json_put_string(json, "persistentVolumeName", attachment->volume_name);
    json_put_end(json);
    json_put_end(json);
    json_put_object(json, "status");
    json_put_bool(json, "attached", attachment->attached);
    json_put_end(json);
    json_put_end(json);
}

void snapshot_items(struct json *json, const struct cluster *cluster)
{
    json_put_array(json, "items");
    snapshot_custom(json, cluster);
    snapshot_storage(json, cluster);
    for (uint32_t i = 0; i < cluster->node_count; i++)
        node_item(json, cluster->nodes[i]);
    for (uint32_t i = 0; i < cluster->budget_count; i++)
        budget_item(json, cluster->budgets[i]);
    for (uint32_t i = 0; i < cluster->daemonset_count; i++)
        if (!cluster->daemonsets[i]->being_deleted)
            daemonset_item(json, cluster->daemonsets[i]);
    for (uint32_t i = 0; i < cluster->attachment_count; i++)
        attachment_item(json, cluster->attachments[i]);
    snapshot_pods(json, cluster);
    json_put_end(json);
}

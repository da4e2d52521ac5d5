#include <assert.h>
#include <string.h>

#include "coordinator/kube/decode.h"

static bool is_kept_annotation(const char *key)
{
    return text_starts_with(key, "autoscaler.vpsie.com/") ||
           text_starts_with(key, "cluster-autoscaler.kubernetes.io/");
}

static void decode_addresses(const cJSON *status, struct arena *arena, struct node_facts *out)
{
    out->hostname = out->internal_ip = out->external_ip = "";
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_get(status, "addresses"))
    {
        const char *type = json_text(entry, "type");
        const char **slot = strcmp(type, "Hostname") == 0     ? &out->hostname
                            : strcmp(type, "InternalIP") == 0 ? &out->internal_ip
                            : strcmp(type, "ExternalIP") == 0 ? &out->external_ip
                                                              : NULL;
        if (slot && **slot == '\0') // of two families the first is the primary one
            *slot = json_copy(arena, entry, "address");
    }
}

static void decode_node_conditions(const cJSON *status, struct node_facts *out)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_get(status, "conditions"))
    {
        const char *type = json_text(entry, "type");
        const char *value = json_text(entry, "status");
        if (strcmp(type, "Ready") == 0) {
            out->ready = strcmp(value, "True") == 0    ? NODE_READY_TRUE
                         : strcmp(value, "False") == 0 ? NODE_READY_FALSE
                                                       : NODE_READY_UNKNOWN;
            out->ready_changed_ms = json_time(entry, "lastTransitionTime");
        } else if (strcmp(type, "NetworkUnavailable") == 0) {
            out->network_unavailable = strcmp(value, "True") == 0;
        }
    }
}

int decode_node(const cJSON *json, struct arena *arena, struct node_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    if (decode_identity(json, arena, NULL, &out->name, &out->uid, error) < 0)
        return -1;
    const cJSON *metadata = json_get(json, "metadata");
    const cJSON *spec = json_get(json, "spec");
    const cJSON *status = json_get(json, "status");
    out->resource_version = json_copy(arena, metadata, "resourceVersion");
    out->labels = json_labels(arena, json_get(metadata, "labels"), NULL);
    out->annotations = json_labels(arena, json_get(metadata, "annotations"), is_kept_annotation);
    out->created_ms = json_time(metadata, "creationTimestamp");
    out->deletion_ms = json_time(metadata, "deletionTimestamp");
    out->provider_id = json_copy(arena, spec, "providerID");
    out->unschedulable = json_true(spec, "unschedulable");
    // A taint that cannot be read might forbid anything: the node then takes no new pods in our eyes.
    if (!decode_taints(json_get(spec, "taints"), arena, &out->taints))
        out->unschedulable = true;
    // An amount that cannot be read counts as nothing, so that nothing is promised on it.
    decode_amounts(json_get(status, "capacity"), arena, &out->capacity);
    decode_amounts(json_get(status, "allocatable"), arena, &out->allocatable);
    out->kubelet_version = arena_strdup(arena, json_text(json_get(status, "nodeInfo"), "kubeletVersion"));
    decode_addresses(status, arena, out);
    decode_node_conditions(status, out);
    return 0;
}

int decode_budget(const cJSON *json, struct arena *arena, struct budget_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    if (decode_identity(json, arena, &out->space, &out->name, &out->uid, error) < 0)
        return -1;
    const cJSON *status = json_get(json, "status");
    const cJSON *selector = json_path(json, "spec", "selector", NULL);
    out->generation = json_integer(json_get(json, "metadata"), "generation", 0);
    out->observed_generation = json_integer(status, "observedGeneration", 0);
    int64_t allowed = json_integer(status, "disruptionsAllowed", 0);
    out->disruptions_allowed = allowed < 0 ? 0 : allowed > INT32_MAX ? INT32_MAX : (int32_t)allowed;
    if (!selector) {
        out->selects_nothing = true;
    } else if (!decode_selector(selector, arena, &out->selector, &out->selector_count)) {
        // Whom it protects is not known: it protects everything in its namespace.
        out->selector_count = 0;
        out->disruptions_allowed = 0;
    }
    return 0;
}

// The DaemonSet controller adds these to every pod it makes
// (kubernetes.io/docs/concepts/workloads/controllers/daemonset, "Taints and tolerations").
static void add_daemon_tolerations(const cJSON *pod_spec, struct arena *arena, struct pod_shape_facts *shape)
{
    static const struct {
        const char *key;
        enum taint_effect effect;
    } added[] = {{"node.kubernetes.io/not-ready", TAINT_NO_EXECUTE},
                 {"node.kubernetes.io/unreachable", TAINT_NO_EXECUTE},
                 {"node.kubernetes.io/disk-pressure", TAINT_NO_SCHEDULE},
                 {"node.kubernetes.io/memory-pressure", TAINT_NO_SCHEDULE},
                 {"node.kubernetes.io/pid-pressure", TAINT_NO_SCHEDULE},
                 {"node.kubernetes.io/unschedulable", TAINT_NO_SCHEDULE},
                 {"node.kubernetes.io/network-unavailable", TAINT_NO_SCHEDULE}};
    const uint32_t all = sizeof(added) / sizeof(added[0]);
    // The last one is only for pods on the host's own network.
    uint32_t count = json_true(pod_spec, "hostNetwork") ? all : all - 1;
    struct toleration *items = ARENA_ARRAY(arena, struct toleration, (size_t)shape->toleration_count + count);
    if (shape->toleration_count > 0)
        memcpy(items, shape->tolerations, shape->toleration_count * sizeof(*items));
    for (uint32_t i = 0; i < count; i++)
        items[shape->toleration_count + i] = (struct toleration){
            .key = added[i].key, .value = "", .operator= TOLERATION_EXISTS, .effect = added[i].effect};
    shape->tolerations = items;
    shape->toleration_count += count;
}

int decode_daemonset(const cJSON *json, struct arena *arena, struct daemonset_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    if (decode_identity(json, arena, &out->space, &out->name, &out->uid, error) < 0)
        return -1;
    const cJSON *template = json_path(json, "spec", "template", NULL);
    const cJSON *pod_spec = json_get(template, "spec");
    decode_shape(out->space, json_get(template, "metadata"), pod_spec, NULL, arena, &out->shape);
    add_daemon_tolerations(pod_spec, arena, &out->shape);
    out->being_deleted = json_get(json_get(json, "metadata"), "deletionTimestamp") != NULL;
    return 0;
}

int decode_volume_attachment(const cJSON *json, struct arena *arena, struct volume_attachment_facts *out,
                             struct error *error)
{
    memset(out, 0, sizeof(*out));
    const char *uid;
    if (decode_identity(json, arena, NULL, &out->name, &uid, error) < 0)
        return -1;
    const cJSON *spec = json_get(json, "spec");
    out->node_name = json_copy(arena, spec, "nodeName");
    out->volume_name = json_copy(arena, json_get(spec, "source"), "persistentVolumeName");
    out->attached = json_true(json_get(json, "status"), "attached");
    return 0;
}

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/kube/decode.h"
#include "coordinator/model/cluster.h"

#define PROBLEMS_BYTES_MAX 480

// A spec being read: the fields that are wrong are collected as text, in the order of the reading.
struct spec {
    const cJSON *json;
    const char *path; // "spec.scaleUpPolicy"
    struct text *problems;
};

// How much of a text to show: whole characters, at most `most` bytes.
static int shown_bytes(const struct text *text, size_t most)
{
    size_t length = 0;
    while (length < text->length) {
        size_t step = text_utf8_length(text->bytes + length, text->length - length);
        if (step == 0 || length + step > most)
            break;
        length += step;
    }
    return (int)length;
}

static void say_problem(const struct spec *spec, const char *key, const cJSON *value, const char *wanted)
{
    AUTOTEXT struct text shown = {0};
    if (spec->problems->length >= PROBLEMS_BYTES_MAX)
        return;
    if (spec->problems->length > 0)
        text_append(spec->problems, "; ");
    if (!value) {
        text_printf(spec->problems, "%s.%s is missing: %s is needed", spec->path, key, wanted);
        return;
    }
    json_print(value, &shown);
    text_printf(spec->problems, "%s.%s is %.*s%s: %s is needed", spec->path, key, shown_bytes(&shown, 60),
                text_get(&shown), shown.length > 60 ? "..." : "", wanted);
}

static int64_t read_integer(const struct spec *spec, const char *key, int64_t least, int64_t most,
                            int64_t fallback, bool required)
{
    const cJSON *value = json_get(spec->json, key);
    int64_t number;
    if (!value && !required)
        return fallback;
    if (value && json_is_integer(value, &number) && number >= least && number <= most)
        return number;
    char wanted[96];
    if (most >= INT32_MAX)
        snprintf(wanted, sizeof(wanted), "a whole number of at least %lld", (long long)least);
    else
        snprintf(wanted, sizeof(wanted), "a whole number between %lld and %lld", (long long)least,
                 (long long)most);
    say_problem(spec, key, value, wanted);
    return fallback;
}

static int32_t read_count(const struct spec *spec, const char *key, int32_t least, int32_t fallback,
                          bool required)
{
    return (int32_t)read_integer(spec, key, least, INT32_MAX, fallback, required);
}

static bool read_bool(const struct spec *spec, const char *key, bool fallback)
{
    const cJSON *value = json_get(spec->json, key);
    if (!value)
        return fallback;
    if (cJSON_IsBool(value))
        return cJSON_IsTrue(value);
    say_problem(spec, key, value, "true or false");
    return fallback;
}

static const char *read_text(const struct spec *spec, struct arena *arena, const char *key, bool required)
{
    const cJSON *value = json_get(spec->json, key);
    const char *text = cJSON_GetStringValue(value);
    if ((value && !text) || (required && (!text || *text == '\0')))
        say_problem(spec, key, value, "a text");
    return json_copy(arena, spec->json, key);
}

static const char *const *read_texts(const struct spec *spec, struct arena *arena, const char *key,
                                     uint32_t least, uint32_t *count)
{
    const cJSON *value = json_get(spec->json, key);
    const char *const *items = json_strings(arena, value, count);
    if ((value && (!cJSON_IsArray(value) || *count != json_count(value))) || *count < least)
        say_problem(spec, key, value, least > 0 ? "a list with at least one text" : "a list of texts");
    return items;
}

static struct spec read_part(const struct spec *spec, const char *key, const char *path)
{
    const cJSON *value = json_get(spec->json, key);
    if (value && !cJSON_IsObject(value))
        say_problem(spec, key, value, "an object");
    return (struct spec){.json = value, .path = path, .problems = spec->problems};
}

// vX.Y.Z with whatever semver allows behind it.
static bool is_version(const char *text)
{
    if (*text++ != 'v')
        return false;
    for (int part = 0; part < 3; part++) {
        if (!isdigit((unsigned char)*text))
            return false;
        while (isdigit((unsigned char)*text))
            text++;
        if (part < 2 && *text++ != '.')
            return false;
    }
    return *text == '\0' || *text == '-' || *text == '+';
}

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

static void decode_policy(const struct spec *group, const char *key, const char *path,
                          struct scale_policy_facts defaults, struct scale_policy_facts *out)
{
    struct spec spec = read_part(group, key, path);
    out->enabled = read_bool(&spec, "enabled", defaults.enabled);
    out->stabilization_seconds = read_integer(&spec, "stabilizationWindowSeconds", 0, INT32_MAX,
                                              defaults.stabilization_seconds, false);
    out->cpu_threshold_percent =
        (int32_t)read_integer(&spec, "cpuThreshold", 0, 100, defaults.cpu_threshold_percent, false);
    out->memory_threshold_percent =
        (int32_t)read_integer(&spec, "memoryThreshold", 0, 100, defaults.memory_threshold_percent, false);
    out->cooldown_seconds = defaults.cooldown_seconds;
    if (defaults.cooldown_seconds > 0)
        out->cooldown_seconds =
            read_integer(&spec, "cooldownSeconds", 0, INT32_MAX, defaults.cooldown_seconds, false);
}

static void decode_group_placement(const struct spec *spec, struct arena *arena, struct nodegroup_facts *out)
{
    out->datacenter_id = read_text(spec, arena, "datacenterID", true);
    out->resource_identifier = read_text(spec, arena, "resourceIdentifier", true);
    out->project = read_text(spec, arena, "project", true);
    out->offering_ids = read_texts(spec, arena, "offeringIDs", 1, &out->offering_count);
    out->kubernetes_version = read_text(spec, arena, "kubernetesVersion", true);
    if (*out->kubernetes_version && !is_version(out->kubernetes_version))
        say_problem(spec, "kubernetesVersion", json_get(spec->json, "kubernetesVersion"),
                    "a version such as v1.30.2");
    out->os_image_id = read_text(spec, arena, "osImageID", false);
    out->preferred_instance_type = read_text(spec, arena, "preferredInstanceType", false);
    out->notes = read_text(spec, arena, "notes", false);
    out->allow_mixed_instances = read_bool(spec, "allowMixedInstances", true);
    out->kube_size_id = read_integer(spec, "kubeSizeID", 1, INT64_MAX, 0, false);
}

static void decode_group_nodes(const struct spec *spec, struct arena *arena, struct nodegroup_facts *out)
{
    const cJSON *labels = json_get(spec->json, "labels");
    const cJSON *taints = json_get(spec->json, "taints");
    out->node_labels = json_labels(arena, labels, NULL);
    if (labels && (!cJSON_IsObject(labels) || out->node_labels.count != (uint32_t)cJSON_GetArraySize(labels)))
        say_problem(spec, "labels", labels, "a map of texts");
    if (!decode_taints(taints, arena, &out->node_taints))
        say_problem(spec, "taints", taints,
                    "a list of key, value and effect (NoSchedule, PreferNoSchedule or NoExecute)");
    uint32_t ignored;
    out->ssh_key_ids = read_texts(spec, arena, "sshKeyIDs", 0, &out->ssh_key_count);
    read_texts(spec, arena, "tags", 0, &ignored);
    out->tag_count = ignored;
}

static void decode_group_spec(const cJSON *json, struct arena *arena, struct nodegroup_facts *out)
{
    AUTOTEXT struct text problems = {0};
    struct spec spec = {.json = json_get(json, "spec"), .path = "spec", .problems = &problems};
    out->min_nodes = read_count(&spec, "minNodes", 0, 0, true);
    out->max_nodes = read_count(&spec, "maxNodes", 1, 0, true);
    if (problems.length == 0 && out->min_nodes > out->max_nodes)
        say_problem(&spec, "minNodes", json_get(spec.json, "minNodes"), "at most spec.maxNodes");
    decode_group_placement(&spec, arena, out);
    decode_group_nodes(&spec, arena, out);
    decode_policy(&spec, "scaleUpPolicy", "spec.scaleUpPolicy",
                  (struct scale_policy_facts){.enabled = true,
                                              .stabilization_seconds = 60,
                                              .cpu_threshold_percent = 80,
                                              .memory_threshold_percent = 80},
                  &out->scale_up);
    decode_policy(&spec, "scaleDownPolicy", "spec.scaleDownPolicy",
                  (struct scale_policy_facts){.enabled = true,
                                              .stabilization_seconds = 600,
                                              .cpu_threshold_percent = 50,
                                              .memory_threshold_percent = 50,
                                              .cooldown_seconds = 600},
                  &out->scale_down);
    struct spec spot = read_part(&spec, "spotConfig", "spec.spotConfig");
    out->spot_enabled = read_bool(&spot, "enabled", false);
    struct spec regions = read_part(&spec, "multiRegion", "spec.multiRegion");
    out->multi_region_enabled = read_bool(&regions, "enabled", false);
    out->invalid = arena_strdup(arena, text_get(&problems));
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
    decode_group_spec(json, arena, out);
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

int decode_config(const cJSON *json, struct arena *arena, struct config_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    AUTOTEXT struct text problems = {0};
    const char *name;
    if (decode_identity(json, arena, NULL, &name, &out->uid, error) < 0)
        return -1;
    const cJSON *metadata = json_get(json, "metadata");
    out->resource_version = json_copy(arena, metadata, "resourceVersion");
    out->generation = json_integer(metadata, "generation", 0);
    out->paused = strcmp(json_text(json_get(metadata, "annotations"), KEY_PAUSED), "true") == 0;
    struct spec whole = {.json = json_get(json, "spec"), .path = "spec", .problems = &problems};
    struct spec spec = read_part(&whole, "globalSettings", "spec.globalSettings");
    out->scale_up_cooldown_seconds = read_integer(&spec, "scaleUpCooldownSeconds", 0, INT32_MAX, 60, false);
    out->scale_down_cooldown_seconds =
        read_integer(&spec, "scaleDownCooldownSeconds", 0, INT32_MAX, 300, false);
    out->max_concurrent_scale_ups = read_count(&spec, "maxConcurrentScaleUps", 0, 1, false);
    out->max_concurrent_scale_downs = read_count(&spec, "maxConcurrentScaleDowns", 0, 1, false);
    out->max_cluster_workers = read_count(&spec, "maxClusterWorkers", 0, 10, false);
    out->unschedulable_grace_seconds =
        read_integer(&spec, "unschedulablePodGracePeriodSeconds", 0, INT32_MAX, 30, false);
    out->dynamic_groups = read_bool(&spec, "enableDynamicNodeGroupCreation", true);
    out->rebalancing = read_bool(&spec, "enableRebalancing", false);
    out->node_ready_timeout_seconds =
        read_integer(&spec, "nodeReadyTimeoutSeconds", 60, INT32_MAX, 600, false);
    out->pod_eviction_timeout_seconds =
        read_integer(&spec, "podEvictionTimeoutSeconds", 0, INT32_MAX, 120, false);
    out->invalid = arena_strdup(arena, text_get(&problems));
    return 0;
}

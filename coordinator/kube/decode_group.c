#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/decode.h"
#include "coordinator/kube/decode_spec.h"

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

static void decode_policy(const struct spec *group, const char *key, const char *path,
                          struct scale_policy_facts defaults, struct scale_policy_facts *out)
{
    struct spec spec = spec_part(group, key, path);
    out->enabled = spec_bool(&spec, "enabled", defaults.enabled);
    out->stabilization_seconds = spec_integer(&spec, "stabilizationWindowSeconds", 0, INT32_MAX,
                                              defaults.stabilization_seconds, false);
    out->cpu_threshold_percent =
        (int32_t)spec_integer(&spec, "cpuThreshold", 0, 100, defaults.cpu_threshold_percent, false);
    out->memory_threshold_percent =
        (int32_t)spec_integer(&spec, "memoryThreshold", 0, 100, defaults.memory_threshold_percent, false);
    out->cooldown_seconds = defaults.cooldown_seconds;
    if (defaults.cooldown_seconds > 0)
        out->cooldown_seconds =
            spec_integer(&spec, "cooldownSeconds", 0, INT32_MAX, defaults.cooldown_seconds, false);
}

static void decode_group_placement(const struct spec *spec, bool required, struct arena *arena,
                                   struct nodegroup_facts *out)
{
    out->datacenter_id = spec_text(spec, arena, "datacenterID", required);
    out->resource_identifier = spec_text(spec, arena, "resourceIdentifier", required);
    out->project = spec_text(spec, arena, "project", required);
    out->offering_ids = spec_texts(spec, arena, "offeringIDs", required, &out->offering_count);
    out->kubernetes_version = spec_text(spec, arena, "kubernetesVersion", required);
    if (*out->kubernetes_version && !is_version(out->kubernetes_version))
        spec_problem(spec, "kubernetesVersion", json_get(spec->json, "kubernetesVersion"),
                     "a version such as v1.30.2");
    out->os_image_id = spec_text(spec, arena, "osImageID", false);
    out->preferred_instance_type = spec_text(spec, arena, "preferredInstanceType", false);
    out->notes = spec_text(spec, arena, "notes", false);
    out->allow_mixed_instances = spec_bool(spec, "allowMixedInstances", true);
    out->kube_size_id = spec_integer(spec, "kubeSizeID", 1, INT64_MAX, 0, false);
}

static void decode_group_nodes(const struct spec *spec, struct arena *arena, struct nodegroup_facts *out)
{
    const cJSON *labels = json_get(spec->json, "labels");
    const cJSON *taints = json_get(spec->json, "taints");
    out->node_labels = json_labels(arena, labels, NULL);
    if (labels && (!cJSON_IsObject(labels) || out->node_labels.count != (uint32_t)cJSON_GetArraySize(labels)))
        spec_problem(spec, "labels", labels, "a map of texts");
    if (!decode_taints(taints, arena, &out->node_taints))
        spec_problem(spec, "taints", taints,
                     "a list of key, value and effect (NoSchedule, PreferNoSchedule or NoExecute)");
    uint32_t ignored;
    out->ssh_key_ids = spec_texts(spec, arena, "sshKeyIDs", 0, &out->ssh_key_count);
    spec_texts(spec, arena, "tags", 0, &ignored);
    out->tag_count = ignored;
}

static int compare_weights(const void *a, const void *b)
{
    return strcmp(((const struct region_weight *)a)->datacenter_id,
                  ((const struct region_weight *)b)->datacenter_id);
}

static void decode_weights(const struct spec *spec, struct arena *arena, struct multi_region_facts *out)
{
    const cJSON *map = json_get(spec->json, "weightedDistribution");
    int members = cJSON_GetArraySize(map);
    struct region_weight *items = ARENA_ARRAY(arena, struct region_weight, (size_t)members);
    bool readable = map == NULL || cJSON_IsObject(map);
    for (const cJSON *member = readable && map ? map->child : NULL; member; member = member->next) {
        int64_t weight;
        if (json_is_integer(member, &weight) && weight >= 0 && weight <= INT32_MAX)
            items[out->weight_count++] = (struct region_weight){
                .datacenter_id = arena_strdup(arena, member->string), .weight = (int32_t)weight};
        else
            readable = false;
    }
    if (!readable)
        spec_problem(spec, "weightedDistribution", map, "a map of whole numbers of at least 0");
    if (out->weight_count > 1)
        qsort(items, out->weight_count, sizeof(*items), compare_weights);
    out->weights = items;
}

static void decode_regions(const struct spec *group, struct arena *arena, struct multi_region_facts *out)
{
    static const char *const words[] = {[DISTRIBUTION_BALANCED] = "balanced",
                                        [DISTRIBUTION_WEIGHTED] = "weighted",
                                        [DISTRIBUTION_PRIMARY_BACKUP] = "primary-backup"};
    struct spec spec = spec_part(group, "multiRegion", "spec.multiRegion");
    out->enabled = spec_bool(&spec, "enabled", false);
    out->datacenter_ids = spec_texts(&spec, arena, "datacenterIDs", 0, &out->datacenter_count);
    out->distribution = (enum distribution)spec_word(&spec, "distributionStrategy", words, 3,
                                                     DISTRIBUTION_BALANCED, DISTRIBUTION_BALANCED);
    decode_weights(&spec, arena, out);
    out->primary = spec_text(&spec, arena, "primaryDatacenter", false);
    out->nodes_per_region_min = spec_count(&spec, "minNodesPerRegion", 0, 1, false);
}

// A strategy that nobody knows only recommends.
static void decode_cost(const struct spec *group, const char *path, struct cost_facts *out)
{
    static const char *const words[] = {[COST_AUTO] = "auto",
                                        [COST_MANUAL] = "manual",
                                        [COST_AGGRESSIVE] = "aggressive",
                                        [COST_CONSERVATIVE] = "conservative"};
    struct spec spec = spec_part(group, "costOptimization", path);
    out->enabled = spec_bool(&spec, "enabled", true);
    out->strategy = (enum cost_strategy)spec_word(&spec, "strategy", words, 4, COST_AUTO, COST_MANUAL);
    out->interval_seconds = spec_seconds(&spec, "optimizationInterval", 24 * 3600);
    out->monthly_savings_min = spec_real(&spec, "minMonthlySavings", 0, 10);
    out->performance_impact_max_percent =
        (int32_t)spec_integer(&spec, "maxPerformanceImpact", 0, 100, 5, false);
    out->require_approval = spec_bool(&spec, "requireApproval", false);
}

static void decode_policies(const struct spec *spec, const char *up_path, const char *down_path,
                            struct nodegroup_facts *out)
{
    decode_policy(spec, "scaleUpPolicy", up_path,
                  (struct scale_policy_facts){.enabled = true,
                                              .stabilization_seconds = 60,
                                              .cpu_threshold_percent = 80,
                                              .memory_threshold_percent = 80},
                  &out->scale_up);
    decode_policy(spec, "scaleDownPolicy", down_path,
                  (struct scale_policy_facts){.enabled = true,
                                              .stabilization_seconds = 600,
                                              .cpu_threshold_percent = 50,
                                              .memory_threshold_percent = 50,
                                              .cooldown_seconds = 600},
                  &out->scale_down);
}

void decode_group_spec(const cJSON *json, struct arena *arena, struct nodegroup_facts *out)
{
    AUTOTEXT struct text problems = {0}, doubts = {0};
    struct spec spec = {.json = json, .path = "spec", .problems = &problems};
    out->min_nodes = spec_count(&spec, "minNodes", 0, 0, true);
    out->max_nodes = spec_count(&spec, "maxNodes", 1, 0, true);
    if (problems.length == 0 && out->min_nodes > out->max_nodes)
        spec_problem(&spec, "minNodes", json_get(spec.json, "minNodes"), "at most spec.maxNodes");
    decode_group_placement(&spec, true, arena, out);
    decode_group_nodes(&spec, arena, out);
    decode_policies(&spec, "spec.scaleUpPolicy", "spec.scaleDownPolicy", out);
    struct spec spot = spec_part(&spec, "spotConfig", "spec.spotConfig");
    out->spot_enabled = spec_bool(&spot, "enabled", false);
    struct spec doubtful = {.json = json, .path = "spec", .problems = &doubts};
    decode_regions(&doubtful, arena, &out->multi_region);
    decode_cost(&doubtful, "spec.costOptimization", &out->cost);
    out->multi_region_enabled = out->multi_region.enabled;
    out->invalid = arena_strdup(arena, text_get(&problems));
    out->doubtful = arena_strdup(arena, text_get(&doubts));
}

void decode_group_defaults(const cJSON *json, struct arena *arena, struct nodegroup_facts *out)
{
    AUTOTEXT struct text problems = {0};
    struct spec spec = {.json = json, .path = "spec.nodeGroupDefaults", .problems = &problems};
    *out = (struct nodegroup_facts){.name = "", .uid = "", .resource_version = "", .doubtful = ""};
    out->space = spec_text(&spec, arena, "namespace", false);
    if (*out->space == '\0')
        out->space = "default";
    out->min_nodes = spec_count(&spec, "minNodes", 0, 1, false);
    out->max_nodes = spec_count(&spec, "maxNodes", 1, 10, false);
    if (problems.length == 0 && out->min_nodes > out->max_nodes)
        spec_problem(&spec, "minNodes", json_get(json, "minNodes"), "at most maxNodes");
    decode_group_placement(&spec, false, arena, out);
    decode_group_nodes(&spec, arena, out);
    decode_policies(&spec, "spec.nodeGroupDefaults.scaleUpPolicy", "spec.nodeGroupDefaults.scaleDownPolicy",
                    out);
    struct spec spot = spec_part(&spec, "spotConfig", "spec.nodeGroupDefaults.spotConfig");
    out->spot_enabled = spec_bool(&spot, "enabled", false);
    decode_cost(&spec, "spec.nodeGroupDefaults.costOptimization", &out->cost);
    out->multi_region = (struct multi_region_facts){.primary = "", .nodes_per_region_min = 1};
    out->invalid = arena_strdup(arena, text_get(&problems));
}

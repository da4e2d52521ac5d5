#include <string.h>

#include "coordinator/admin/snapshot_parts.h"
#include "coordinator/decide/state.h"

#define CUSTOM_VERSION "autoscaler.vpsie.com/v1alpha1"

static void text_if(struct json *json, const char *name, const char *value)
{
    if (value != NULL && *value != '\0')
        json_put_string(json, name, value);
}

static void finalizer(struct json *json, bool present, const char *name)
{
    json_put_array(json, "finalizers");
    if (present)
        json_put_string(json, NULL, name);
    json_put_end(json);
}

// ---- NodeGroup

static void policy(struct json *json, const char *name, const struct scale_policy_facts *facts)
{
    json_put_object(json, name);
    json_put_bool(json, "enabled", facts->enabled);
    json_put_integer(json, "stabilizationWindowSeconds", facts->stabilization_seconds);
    json_put_integer(json, "cpuThreshold", facts->cpu_threshold_percent);
    json_put_integer(json, "memoryThreshold", facts->memory_threshold_percent);
    json_put_integer(json, "cooldownSeconds", facts->cooldown_seconds);
    json_put_end(json);
}

static void regions(struct json *json, const struct nodegroup_facts *facts)
{
    static const char *const STRATEGIES[] = {"balanced", "weighted", "primary-backup"};
    const struct multi_region_facts *given = &facts->multi_region;
    json_put_object(json, "multiRegion");
    json_put_bool(json, "enabled", facts->multi_region_enabled);
    snapshot_texts(json, "datacenterIDs", given->datacenter_ids, given->datacenter_count);
    json_put_string(json, "distributionStrategy", STRATEGIES[given->distribution]);
    json_put_object(json, "weightedDistribution");
    for (uint32_t i = 0; i < given->weight_count; i++)
        json_put_integer(json, given->weights[i].datacenter_id, given->weights[i].weight);
    json_put_end(json);
    text_if(json, "primaryDatacenter", given->primary);
    if (given->nodes_per_region_min > 0)
        json_put_integer(json, "minNodesPerRegion", given->nodes_per_region_min);
    json_put_end(json);
}

static void seconds(struct json *json, const char *name, int64_t value)
{
    char AUTOFREE *text = xprintf("%llds", (long long)value);
    json_put_string(json, name, text);
}

static void cost(struct json *json, const struct cost_facts *facts)
{
    static const char *const STRATEGIES[] = {"auto", "manual", "aggressive", "conservative"};
    json_put_object(json, "costOptimization");
    json_put_bool(json, "enabled", facts->enabled);
    json_put_string(json, "strategy", STRATEGIES[facts->strategy]);
    seconds(json, "optimizationInterval", facts->interval_seconds);
    json_put_real(json, "minMonthlySavings", facts->monthly_savings_min, 4);
    json_put_integer(json, "maxPerformanceImpact", facts->performance_impact_max_percent);
    json_put_bool(json, "requireApproval", facts->require_approval);
    json_put_end(json);
}

static void group_spec(struct json *json, const char *name, const struct nodegroup_facts *facts)
{
    json_put_object(json, name);
    json_put_integer(json, "minNodes", facts->min_nodes);
    json_put_integer(json, "maxNodes", facts->max_nodes);
    text_if(json, "namespace", facts->space);
    json_put_string(json, "datacenterID", facts->datacenter_id);
    json_put_string(json, "resourceIdentifier", facts->resource_identifier);
    json_put_string(json, "project", facts->project);
    snapshot_texts(json, "offeringIDs", facts->offering_ids, facts->offering_count);
    json_put_string(json, "kubernetesVersion", facts->kubernetes_version);
    text_if(json, "osImageID", facts->os_image_id);
    text_if(json, "preferredInstanceType", facts->preferred_instance_type);
    json_put_bool(json, "allowMixedInstances", facts->allow_mixed_instances);
    if (facts->kube_size_id > 0)
        json_put_integer(json, "kubeSizeID", facts->kube_size_id);
    snapshot_labels(json, "labels", &facts->node_labels);
    snapshot_taints(json, "taints", &facts->node_taints);
    policy(json, "scaleUpPolicy", &facts->scale_up);
    policy(json, "scaleDownPolicy", &facts->scale_down);
    json_put_object(json, "spotConfig");
    json_put_bool(json, "enabled", facts->spot_enabled);
    json_put_end(json);
    regions(json, facts);
    cost(json, &facts->cost);
    json_put_end(json);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void group_item(struct json *json, const struct group *group)
{
    const struct nodegroup_facts *facts = &group->facts;
    const struct group_life *life = group->decide;
    snapshot_item_begin(json, CUSTOM_VERSION, "NodeGroup");
    json_put_object(json, "metadata");
    json_put_string(json, "namespace", facts->space);
    json_put_string(json, "name", facts->name);
    json_put_string(json, "uid", facts->uid);
    json_put_integer(json, "generation", facts->generation);
    json_put_time(json, "creationTimestamp", facts->created_ms);
    if (facts->deletion_ms != 0)
        json_put_time(json, "deletionTimestamp", facts->deletion_ms);
    snapshot_labels(json, "labels", &facts->labels);
    snapshot_labels(json, "annotations", &facts->annotations);
    finalizer(json, facts->has_finalizer, "nodegroup.autoscaler.vpsie.com/finalizer");
    json_put_end(json);
    group_spec(json, "spec", facts);
    json_put_object(json, "status");
    json_put_integer(json, "vpsieGroupID", facts->status_vpsie_group_id);
    json_put_integer(json, "desiredNodes", facts->status_desired_nodes);
    json_put_time(json, "lastScaleUpTime",
                  later(facts->status_last_scale_up_ms, life != NULL ? life->last_scale_up_ms : 0));
    json_put_time(json, "lastScaleDownTime",
                  later(facts->status_last_scale_down_ms, life != NULL ? life->last_scale_down_ms : 0));
    json_put_end(json);
    text_if(json, "invalid", facts->invalid);
    json_put_end(json);
}

// ---- VPSieNode

static void intention_metadata(struct json *json, const struct intention_facts *facts)
{
    json_put_object(json, "metadata");
    json_put_string(json, "namespace", facts->space);
    json_put_string(json, "name", facts->name);
    json_put_string(json, "uid", facts->uid);
    json_put_time(json, "creationTimestamp", facts->created_ms);
    if (facts->deletion_ms != 0)
        json_put_time(json, "deletionTimestamp", facts->deletion_ms);
    snapshot_labels(json, "labels", &facts->labels);
    snapshot_labels(json, "annotations", &facts->annotations);
    finalizer(json, facts->has_finalizer, "vpsienode.autoscaler.vpsie.com/finalizer");
    if (*facts->owner_uid != '\0') {
        json_put_array(json, "ownerReferences");
        json_put_object(json, NULL);
        json_put_string(json, "kind", "NodeGroup");
        json_put_string(json, "name", facts->group_name);
        json_put_string(json, "uid", facts->owner_uid);
        json_put_bool(json, "controller", true);
        json_put_end(json);
        json_put_end(json);
    }
    json_put_end(json);
}

static void intention_spec(struct json *json, const struct intention_facts *facts)
{
    json_put_object(json, "spec");
    json_put_string(json, "nodeGroupName", facts->group_name);
    json_put_integer(json, "vpsieInstanceID", facts->vpsie_instance_id);
    json_put_string(json, "vpsieNodeIdentifier", facts->identifier);
    json_put_integer(json, "vpsieGroupID", facts->vpsie_group_id);
    json_put_string(json, "instanceType", facts->instance_type);
    json_put_string(json, "datacenterID", facts->datacenter_id);
    json_put_string(json, "resourceIdentifier", facts->resource_identifier);
    json_put_string(json, "project", facts->project);
    json_put_string(json, "kubernetesVersion", facts->kubernetes_version);
    json_put_string(json, "nodeName", facts->node_name);
    text_if(json, "ipAddress", facts->ip_address);
    json_put_end(json);
}

static void intention_life(struct json *json, const struct life *life)
{
    if (life == NULL)
        return;
    json_put_object(json, "life");
    json_put_string(json, "step", life_step_name(life->step));
    json_put_time(json, "since", life->step_since_ms);
    json_put_integer(json, "removal", life->removal);
    json_put_integer(json, "decision", (int64_t)life->decision_id);
    json_put_bool(json, "outcomeUnknown", life->outcome_unknown);
    json_put_string(json, "waitsFor", life->waits_for != NULL ? life->waits_for : "");
    json_put_string(json, "held", life->held);
    json_put_time(json, "notBefore", life->not_before_ms);
    json_put_end(json);
}

static void intention_item(struct json *json, const struct intention *intention)
{
    const struct intention_facts *facts = &intention->facts;
    snapshot_item_begin(json, CUSTOM_VERSION, "VPSieNode");
    intention_metadata(json, facts);
    intention_spec(json, facts);
    json_put_object(json, "status");
    json_put_string(json, "phase", intention_phase_name(facts->phase));
    json_put_string(json, "nodeName", intention->node != NULL ? intention->node->name : facts->node_name);
    text_if(json, "hostname", facts->hostname);
    json_put_time(json, "createdAt", facts->status_created_ms);
    json_put_time(json, "provisionedAt", facts->provisioned_ms);
    json_put_time(json, "joinedAt", facts->joined_ms);
    json_put_time(json, "readyAt", facts->ready_ms);
    json_put_time(json, "terminatingAt", facts->terminating_ms);
    json_put_time(json, "deletedAt", facts->deleted_ms);
    text_if(json, "lastError", facts->last_error);
    json_put_end(json);
    intention_life(json, intention->decide);
    json_put_end(json);
}

// ---- AutoscalerConfig

static void disruption_budgets(struct json *json, const struct config_facts *config)
{
    static const char *const REASONS[] = {"Empty", "Underused", "Consolidation", "Replacement"};
    if (config->budget_count == 0)
        return;
    json_put_array(json, "disruptionBudgets");
    for (uint32_t i = 0; i < config->budget_count; i++) {
        const struct disruption_budget_facts *budget = &config->budgets[i];
        bool percent = budget->nodes_max < 0;
        char AUTOFREE *nodes =
            xprintf("%d%s", percent ? budget->percent : budget->nodes_max, percent ? "%" : "");
        json_put_object(json, NULL);
        json_put_string(json, "nodes", nodes);
        if (*budget->schedule != '\0') {
            json_put_string(json, "schedule", budget->schedule);
            seconds(json, "duration", budget->duration_seconds);
        }
        if (budget->group_count > 0)
            snapshot_texts(json, "nodeGroups", budget->groups, budget->group_count);
        if (budget->reasons != 0) {
            json_put_array(json, "reasons");
            for (uint32_t r = 0; r < sizeof(REASONS) / sizeof(REASONS[0]); r++)
                if ((budget->reasons & 1u << r) != 0)
                    json_put_string(json, NULL, REASONS[r]);
            json_put_end(json);
        }
        json_put_end(json);
    }
    json_put_end(json);
}

static void config_item(struct json *json, const struct config_facts *config)
{
    snapshot_item_begin(json, CUSTOM_VERSION, "AutoscalerConfig");
    json_put_object(json, "metadata");
    json_put_string(json, "name", "default");
    json_put_string(json, "uid", config->uid);
    json_put_integer(json, "generation", config->generation);
    json_put_object(json, "annotations");
    if (config->paused)
        json_put_string(json, KEY_PAUSED, "true");
    if (config->consolidation)
        json_put_string(json, KEY_PREFIX "consolidation", "enabled");
    json_put_end(json);
    json_put_end(json);
    json_put_object(json, "spec");
    json_put_object(json, "globalSettings");
    json_put_integer(json, "scaleUpCooldownSeconds", config->scale_up_cooldown_seconds);
    json_put_integer(json, "scaleDownCooldownSeconds", config->scale_down_cooldown_seconds);
    json_put_integer(json, "maxConcurrentScaleUps", config->max_concurrent_scale_ups);
    json_put_integer(json, "maxConcurrentScaleDowns", config->max_concurrent_scale_downs);
    json_put_integer(json, "maxClusterWorkers", config->max_cluster_workers);
    json_put_integer(json, "unschedulablePodGracePeriodSeconds", config->unschedulable_grace_seconds);
    json_put_bool(json, "enableDynamicNodeGroupCreation", config->dynamic_groups);
    json_put_bool(json, "enableRebalancing", config->rebalancing);
    json_put_integer(json, "nodeReadyTimeoutSeconds", config->node_ready_timeout_seconds);
    json_put_integer(json, "podEvictionTimeoutSeconds", config->pod_eviction_timeout_seconds);
    json_put_end(json);
    disruption_budgets(json, config);
    if (config->group_defaults != NULL)
        group_spec(json, "nodeGroupDefaults", config->group_defaults);
    json_put_end(json);
    text_if(json, "invalid", config->invalid);
    json_put_end(json);
}

void snapshot_custom(struct json *json, const struct cluster *cluster)
{
    if (cluster->config != NULL)
        config_item(json, cluster->config);
    for (uint32_t i = 0; i < cluster->group_count; i++)
        group_item(json, cluster->groups[i]);
    for (uint32_t i = 0; i < cluster->intention_count; i++)
        intention_item(json, cluster->intentions[i]);
}

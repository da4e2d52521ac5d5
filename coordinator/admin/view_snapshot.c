#include <string.h>

#include "coordinator/admin/view.h"
#include "coordinator/decide/describe.h"

// Everything the core knows, for looking at it elsewhere. A new field may be added; none changes its meaning.
#define SNAPSHOT_VERSION 1

static void labels(struct json *json, const char *name, const struct labels *all)
{
    json_put_object(json, name);
    for (uint32_t i = 0; i < all->count; i++)
        json_put_string(json, all->items[i].key, all->items[i].value);
    json_put_end(json);
}

static void taints(struct json *json, const char *name, const struct taints *all)
{
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

static void resources(struct json *json, const char *name, const struct resources *amount)
{
    json_put_object(json, name);
    json_put_integer(json, "cpuMillis", amount->cpu_millis);
    json_put_integer(json, "memoryBytes", amount->memory_bytes);
    json_put_integer(json, "ephemeralBytes", amount->ephemeral_bytes);
    json_put_integer(json, "pods", amount->pods);
    if (amount->extended_count > 0) {
        json_put_object(json, "extended");
        for (uint32_t i = 0; i < amount->extended_count; i++)
            json_put_integer(json, amount->extended[i].name, amount->extended[i].amount);
        json_put_end(json);
    }
    json_put_end(json);
}

static void requirements(struct json *json, const char *name, const struct requirement *all, uint32_t count)
{
    static const char *const OPERATORS[] = {"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"};
    json_put_array(json, name);
    for (uint32_t i = 0; i < count; i++) {
        json_put_object(json, NULL);
        json_put_string(json, "key", all[i].key);
        json_put_string(json, "operator", OPERATORS[all[i].operator]);
        json_put_array(json, "values");
        for (uint32_t v = 0; v < all[i].value_count; v++)
            json_put_string(json, NULL, all[i].values[v]);
        json_put_end(json);
        json_put_end(json);
    }
    json_put_end(json);
}

static void tolerations(struct json *json, const struct pod_shape_facts *shape)
{
    static const char *const OPERATORS[] = {"Equal", "Exists", "Lt", "Gt"};
    json_put_array(json, "tolerations");
    for (uint32_t i = 0; i < shape->toleration_count; i++) {
        const struct toleration *one = &shape->tolerations[i];
        json_put_object(json, NULL);
        json_put_string(json, "key", one->key);
        json_put_string(json, "operator", OPERATORS[one->operator]);
        json_put_string(json, "value", one->value);
        json_put_string(json, "effect", one->any_effect ? "" : taint_effect_name(one->effect));
        json_put_end(json);
    }
    json_put_end(json);
}

// Many pods, few shapes: each shape is written once, with the first pod that has it.
static void shape(struct json *json, const struct pod_shape *all)
{
    const struct pod_shape_facts *facts = &all->facts;
    json_put_object(json, "shape");
    resources(json, "requests", &facts->requests);
    labels(json, "labels", &facts->labels);
    labels(json, "nodeSelector", &facts->node_selector);
    json_put_bool(json, "hasAffinity", facts->has_affinity);
    json_put_array(json, "affinityTerms");
    for (uint32_t i = 0; i < facts->affinity_term_count; i++) {
        const struct node_term *term = &facts->affinity_terms[i];
        json_put_object(json, NULL);
        requirements(json, "matchExpressions", term->expressions, term->expression_count);
        requirements(json, "matchFields", term->fields, term->field_count);
        json_put_end(json);
    }
    json_put_end(json);
    tolerations(json, facts);
    json_put_integer(json, "needs", facts->needs);
    json_put_integer(json, "priority", facts->priority);
    json_put_string(json, "schedulerName", facts->scheduler_name);
    json_put_end(json);
}

struct shapes_told { // one bit a shape id
    uint8_t *bits;
    uint32_t bytes;
};

static bool told_before(struct shapes_told *told, uint32_t id)
{
    uint32_t byte = id / 8;
    if (byte >= told->bytes) {
        uint32_t bytes = byte * 2 + 64;
        told->bits = xrealloc_array(told->bits, bytes, 1);
        memset(told->bits + told->bytes, 0, bytes - told->bytes);
        told->bytes = bytes;
    }
    uint8_t bit = (uint8_t)(1u << (id % 8));
    bool before = (told->bits[byte] & bit) != 0;
    told->bits[byte] |= bit;
    return before;
}

static void pod(struct json *json, const struct pod *one, struct shapes_told *told)
{
    static const char *const PHASES[] = {"Pending", "Running", "Succeeded", "Failed", "Unknown"};
    static const char *const TRISTATES[] = {"", "false", "true"};
    json_put_object(json, NULL);
    json_put_string(json, "namespace", one->space);
    json_put_string(json, "name", one->name);
    json_put_string(json, "uid", one->uid);
    json_put_string(json, "node", one->node_name);
    json_put_string(json, "phase", PHASES[one->phase]);
    json_put_integer(json, "shapeID", one->shape->id);
    if (!told_before(told, one->shape->id))
        shape(json, one->shape);
    json_put_string(json, "controllerKind", one->controller_kind);
    json_put_string(json, "controllerName", one->controller_name);
    json_put_bool(json, "mirror", one->mirror);
    json_put_bool(json, "ready", one->ready);
    json_put_bool(json, "unschedulable", one->unschedulable);
    json_put_bool(json, "gated", one->gated);
    json_put_string(json, "nominatedNode", one->nominated_node);
    json_put_time(json, "unschedulableSince", one->unschedulable_since_ms);
    json_put_time(json, "createdAt", one->created_ms);
    json_put_time(json, "deletionAt", one->deletion_ms);
    json_put_integer(json, "graceSeconds", one->grace_seconds);
    json_put_string(json, "safeToEvict", TRISTATES[one->safe_to_evict]);
    json_put_bool(json, "doNotDisrupt", one->do_not_disrupt);
    json_put_string(json, "safeLocalVolumes", one->safe_local_volumes);
    json_put_array(json, "localVolumes");
    for (uint32_t i = 0; i < one->local_volume_count; i++)
        json_put_string(json, NULL, one->local_volumes[i]);
    json_put_end(json);
    json_put_string(json, "verdict", one->verdict);
    json_put_end(json);
}

static void pods(struct view *view)
{
    const struct cluster *cluster = view->core->cluster;
    struct shapes_told told = {0};
    json_put_array(&view->json, "pods");
    for (uint32_t i = 0; i < cluster->node_count; i++)
        for (const struct pod *one = cluster->nodes[i]->pods; one != NULL; one = one->next)
            pod(&view->json, one, &told);
    for (const struct pod *one = cluster->unbound; one != NULL; one = one->next)
        pod(&view->json, one, &told);
    for (const struct stray *stray = cluster->strays; stray != NULL; stray = stray->next)
        for (const struct pod *one = stray->pods; one != NULL; one = one->next)
            pod(&view->json, one, &told);
    json_put_end(&view->json);
    free_text((char **)&told.bits);
}

static void node(struct json *json, const struct node *one)
{
    static const char *const READY[] = {"Unknown", "False", "True"};
    json_put_object(json, NULL);
    json_put_string(json, "name", one->name);
    json_put_string(json, "uid", one->uid);
    labels(json, "labels", &one->labels);
    labels(json, "annotations", &one->annotations);
    taints(json, "taints", &one->taints);
    resources(json, "capacity", &one->capacity);
    resources(json, "allocatable", &one->allocatable);
    resources(json, "requested", &one->requested);
    json_put_bool(json, "unschedulable", one->unschedulable);
    json_put_string(json, "ready", READY[one->ready]);
    json_put_bool(json, "hasBeenReady", one->has_been_ready);
    json_put_time(json, "readyChangedAt", one->ready_changed_ms);
    json_put_time(json, "createdAt", one->created_ms);
    json_put_time(json, "deletionAt", one->deletion_ms);
    json_put_string(json, "hostname", one->hostname);
    json_put_string(json, "internalIP", one->internal_ip);
    json_put_string(json, "kubeletVersion", one->kubelet_version);
    json_put_string(json, "vpsieNode", one->intention != NULL ? one->intention->facts.name : "");
    json_put_time(json, "underusedSince", one->underused_since_ms);
    json_put_end(json);
}

static void policy_of(struct json *json, const char *name, const struct scale_policy_facts *facts)
{
    json_put_object(json, name);
    json_put_bool(json, "enabled", facts->enabled);
    json_put_integer(json, "stabilizationWindowSeconds", facts->stabilization_seconds);
    json_put_integer(json, "cpuThreshold", facts->cpu_threshold_percent);
    json_put_integer(json, "memoryThreshold", facts->memory_threshold_percent);
    json_put_integer(json, "cooldownSeconds", facts->cooldown_seconds);
    json_put_end(json);
}

static void group_specs(struct view *view)
{
    struct json *json = &view->json;
    json_put_array(json, "nodeGroups");
    for (uint32_t i = 0; i < view->core->cluster->group_count; i++) {
        const struct nodegroup_facts *facts = &view->core->cluster->groups[i]->facts;
        json_put_object(json, NULL);
        json_put_string(json, "namespace", facts->space);
        json_put_string(json, "name", facts->name);
        json_put_string(json, "uid", facts->uid);
        json_put_integer(json, "generation", facts->generation);
        json_put_bool(json, "managed", facts->managed);
        labels(json, "annotations", &facts->annotations);
        json_put_integer(json, "minNodes", facts->min_nodes);
        json_put_integer(json, "maxNodes", facts->max_nodes);
        json_put_string(json, "datacenterID", facts->datacenter_id);
        json_put_string(json, "resourceIdentifier", facts->resource_identifier);
        json_put_string(json, "project", facts->project);
        json_put_integer(json, "kubeSizeID", facts->kube_size_id);
        json_put_string(json, "kubernetesVersion", facts->kubernetes_version);
        labels(json, "labels", &facts->node_labels);
        taints(json, "taints", &facts->node_taints);
        policy_of(json, "scaleUpPolicy", &facts->scale_up);
        policy_of(json, "scaleDownPolicy", &facts->scale_down);
        json_put_string(json, "invalid", facts->invalid);
        json_put_time(json, "createdAt", facts->created_ms);
        json_put_time(json, "deletionAt", facts->deletion_ms);
        json_put_end(json);
    }
    json_put_end(json);
}

static void intentions(struct view *view)
{
    struct json *json = &view->json;
    json_put_array(json, "vpsieNodes");
    for (uint32_t i = 0; i < view->core->cluster->intention_count; i++) {
        const struct intention *one = view->core->cluster->intentions[i];
        const struct life *life = one->decide;
        json_put_object(json, NULL);
        json_put_string(json, "namespace", one->facts.space);
        json_put_string(json, "name", one->facts.name);
        json_put_string(json, "uid", one->facts.uid);
        json_put_string(json, "group", one->facts.group_name);
        json_put_string(json, "phase", intention_phase_name(one->facts.phase));
        labels(json, "annotations", &one->facts.annotations);
        json_put_integer(json, "vpsieInstanceID", one->facts.vpsie_instance_id);
        json_put_string(json, "identifier", one->facts.identifier);
        json_put_integer(json, "vpsieGroupID", one->facts.vpsie_group_id);
        json_put_string(json, "node", one->node != NULL ? one->node->name : one->facts.node_name);
        json_put_string(json, "hostname", one->facts.hostname);
        json_put_string(json, "ipAddress", one->facts.ip_address);
        json_put_time(json, "createdAt", one->facts.created_ms);
        json_put_time(json, "deletionAt", one->facts.deletion_ms);
        json_put_string(json, "lastError", one->facts.last_error);
        if (life != NULL) {
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
        json_put_end(json);
    }
    json_put_end(json);
}

static void clouds(struct view *view)
{
    static const char *const ROLES[] = {"", "worker", "master"};
    const struct cluster *cluster = view->core->cluster;
    struct json *json = &view->json;
    json_put_array(json, "clouds");
    for (uint32_t i = 0; i < cluster->cloud_count; i++) {
        const struct cloud_cluster *cloud = &cluster->clouds[i];
        json_put_object(json, NULL);
        json_put_string(json, "cluster", cloud->cluster);
        json_put_time(json, "machinesAt", cloud->machines_at_ms);
        json_put_array(json, "machines");
        for (uint32_t m = 0; m < cloud->machine_count; m++) {
            const struct machine_facts *machine = &cloud->machines[m];
            json_put_object(json, NULL);
            json_put_integer(json, "id", machine->id);
            json_put_string(json, "identifier", machine->identifier);
            json_put_string(json, "hostname", machine->hostname);
            json_put_string(json, "ip", machine->default_ip);
            json_put_string(json, "role", ROLES[machine->role]);
            json_put_string(json, "status", machine->status);
            json_put_time(json, "createdAt", machine->created_ms);
            json_put_end(json);
        }
        json_put_end(json);
        json_put_time(json, "groupsAt", cloud->groups_at_ms);
        json_put_array(json, "groups");
        for (uint32_t g = 0; g < cloud->group_count; g++) {
            const struct vpsie_group_facts *group = &cloud->groups[g];
            json_put_object(json, NULL);
            json_put_integer(json, "id", group->id);
            json_put_string(json, "name", group->name);
            json_put_integer(json, "sizeID", group->size_id);
            json_put_integer(json, "nodesCount", group->nodes_count);
            json_put_end(json);
        }
        json_put_end(json);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_array(json, "offers");
    for (uint32_t i = 0; i < cluster->offers_count; i++)
        for (uint32_t o = 0; o < cluster->offers[i].offer_count; o++) {
            const struct offer_facts *offer = &cluster->offers[i].offers[o];
            json_put_object(json, NULL);
            json_put_string(json, "datacenterID", cluster->offers[i].datacenter_id);
            json_put_integer(json, "id", offer->id);
            json_put_string(json, "name", offer->name);
            json_put_integer(json, "cpu", offer->cpu);
            json_put_integer(json, "memoryMB", offer->memory_mb);
            json_put_integer(json, "diskGB", offer->disk_gb);
            json_put_real(json, "pricePerHour", offer->price_hour, 5);
            json_put_end(json);
        }
    json_put_end(json);
}

static void others(struct view *view)
{
    const struct cluster *cluster = view->core->cluster;
    struct json *json = &view->json;
    json_put_array(json, "budgets");
    for (uint32_t i = 0; i < cluster->budget_count; i++) {
        const struct budget *budget = cluster->budgets[i];
        json_put_object(json, NULL);
        json_put_string(json, "namespace", budget->space);
        json_put_string(json, "name", budget->name);
        requirements(json, "selector", budget->selector, budget->selector_count);
        json_put_bool(json, "selectsNothing", budget->selects_nothing);
        json_put_integer(json, "disruptionsAllowed", budget->disruptions_allowed);
        json_put_bool(json, "current", budget->current);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_array(json, "daemonSets");
    for (uint32_t i = 0; i < cluster->daemonset_count; i++) {
        json_put_object(json, NULL);
        json_put_string(json, "namespace", cluster->daemonsets[i]->space);
        json_put_string(json, "name", cluster->daemonsets[i]->name);
        shape(json, cluster->daemonsets[i]->shape);
        json_put_end(json);
    }
    json_put_end(json);
    const struct config_facts *config = cluster->config;
    if (config == NULL) {
        json_put_string(json, "autoscalerConfig", NULL);
        return;
    }
    json_put_object(json, "autoscalerConfig");
    json_put_bool(json, "paused", config->paused);
    json_put_integer(json, "scaleUpCooldownSeconds", config->scale_up_cooldown_seconds);
    json_put_integer(json, "scaleDownCooldownSeconds", config->scale_down_cooldown_seconds);
    json_put_integer(json, "maxConcurrentScaleUps", config->max_concurrent_scale_ups);
    json_put_integer(json, "maxConcurrentScaleDowns", config->max_concurrent_scale_downs);
    json_put_integer(json, "maxClusterWorkers", config->max_cluster_workers);
    json_put_integer(json, "unschedulablePodGracePeriodSeconds", config->unschedulable_grace_seconds);
    json_put_integer(json, "nodeReadyTimeoutSeconds", config->node_ready_timeout_seconds);
    json_put_integer(json, "podEvictionTimeoutSeconds", config->pod_eviction_timeout_seconds);
    json_put_string(json, "invalid", config->invalid);
    json_put_end(json);
}

static void flags(struct view *view)
{
    const struct core_config *config = &view->core->config;
    struct json *json = &view->json;
    json_put_object(json, "flags");
    json_put_bool(json, "dryRun", config->dry_run);
    json_put_bool(json, "scaleDownEnabled", config->scale_down_enabled);
    json_put_bool(json, "skipKubeSystemPods", config->skip_kube_system_pods);
    json_put_integer(json, "burstQuietMs", config->burst_quiet_ms);
    json_put_integer(json, "burstMaxMs", config->burst_max_ms);
    json_put_integer(json, "appearanceBoundMs", config->appearance_bound_ms);
    json_put_integer(json, "agentSilentMs", config->agent_silent_ms);
    json_put_integer(json, "delayAfterAddMs", config->delay_after_add_ms);
    json_put_integer(json, "delayAfterDeleteMs", config->delay_after_delete_ms);
    json_put_integer(json, "delayAfterFailureMs", config->delay_after_failure_ms);
    json_put_integer(json, "expendablePriorityCutoff", config->expendable_priority_cutoff);
    json_put_integer(json, "maxEmptyRemovals", config->max_empty_removals);
    json_put_end(json);
}

void view_snapshot(struct view *view)
{
    json_put_integer(&view->json, "snapshotVersion", SNAPSHOT_VERSION);
    json_put_object(&view->json, "status");
    view_status(view);
    json_put_end(&view->json);
    flags(view);
    group_specs(view);
    intentions(view);
    json_put_array(&view->json, "nodes");
    for (uint32_t i = 0; i < view->core->cluster->node_count; i++)
        node(&view->json, view->core->cluster->nodes[i]);
    json_put_end(&view->json);
    pods(view);
    json_put_object(&view->json, "evidence");
    view_agents(view);
    json_put_end(&view->json);
    clouds(view);
    others(view);
    view_actions(view, DECISIONS_KEPT);
}

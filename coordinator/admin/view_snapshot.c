#include <string.h>

#include "coordinator/admin/snapshot_objects.h"
#include "coordinator/admin/view.h"
#include "coordinator/decide/describe.h"

// ---- VPSie

static void machines(struct json *json, const struct cloud_cluster *cloud)
{
    static const char *const ROLES[] = {"", "worker", "master"};
    json_put_array(json, "machines");
    for (uint32_t i = 0; i < cloud->machine_count; i++) {
        const struct machine_facts *machine = &cloud->machines[i];
        json_put_object(json, NULL);
        json_put_integer(json, "id", machine->id);
        json_put_string(json, "identifier", machine->identifier);
        json_put_string(json, "hostname", machine->hostname);
        json_put_string(json, "defaultIP", machine->default_ip);
        json_put_string(json, "privateIP", machine->private_ip);
        json_put_string(json, "role", ROLES[machine->role]);
        json_put_string(json, "datacenterID", machine->datacenter_id);
        json_put_string(json, "status", machine->status);
        json_put_time(json, "createdAt", machine->created_ms);
        json_put_integer(json, "cpu", machine->cpu);
        json_put_integer(json, "memoryMB", machine->memory_mb);
        json_put_end(json);
    }
    json_put_end(json);
}

static void vpsie_groups(struct json *json, const struct cloud_cluster *cloud)
{
    json_put_array(json, "groups");
    for (uint32_t i = 0; i < cloud->group_count; i++) {
        const struct vpsie_group_facts *group = &cloud->groups[i];
        json_put_object(json, NULL);
        json_put_integer(json, "id", group->id);
        json_put_string(json, "identifier", group->identifier);
        json_put_string(json, "name", group->name);
        json_put_integer(json, "sizeID", group->size_id);
        json_put_integer(json, "cpu", group->cpu);
        json_put_integer(json, "memoryMB", group->memory_mb);
        json_put_integer(json, "diskGB", group->disk_gb);
        json_put_integer(json, "nodesCount", group->nodes_count);
        json_put_string(json, "datacenterID", group->datacenter_id);
        json_put_bool(json, "active", group->active);
        json_put_bool(json, "deleted", group->deleted);
        json_put_end(json);
    }
    json_put_end(json);
}

static void offers(struct json *json, const struct cloud_offers *all)
{
    json_put_object(json, NULL);
    json_put_string(json, "datacenterID", all->datacenter_id);
    json_put_time(json, "at", all->at_ms);
    json_put_array(json, "offers");
    for (uint32_t i = 0; i < all->offer_count; i++) {
        const struct offer_facts *offer = &all->offers[i];
        json_put_object(json, NULL);
        json_put_integer(json, "id", offer->id);
        json_put_string(json, "name", offer->name);
        json_put_integer(json, "cpu", offer->cpu);
        json_put_integer(json, "memoryMB", offer->memory_mb);
        json_put_integer(json, "diskGB", offer->disk_gb);
        json_put_real(json, "pricePerMonth", offer->price_month, 5);
        json_put_real(json, "pricePerHour", offer->price_hour, 6);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_end(json);
}

static void vpsie(struct json *json, const struct cluster *cluster)
{
    json_put_object(json, "vpsie");
    json_put_array(json, "clusters");
    for (uint32_t i = 0; i < cluster->cloud_count; i++) {
        const struct cloud_cluster *cloud = &cluster->clouds[i];
        json_put_object(json, NULL);
        json_put_string(json, "cluster", cloud->cluster);
        json_put_time(json, "machinesAt", cloud->machines_at_ms);
        machines(json, cloud);
        json_put_time(json, "groupsAt", cloud->groups_at_ms);
        vpsie_groups(json, cloud);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_array(json, "offers");
    for (uint32_t i = 0; i < cluster->offers_count; i++)
        offers(json, &cluster->offers[i]);
    json_put_end(json);
    json_put_end(json);
}

// ---- agents

static void verdict(struct json *json, const struct verdict *given)
{
    json_put_object(json, "verdict");
    json_put_string(json, "state", evidence_state_name(given->state));
    json_put_time(json, "evaluatedAt", given->evaluated_ms);
    json_put_array(json, "reasons");
    for (uint32_t i = 0; i < given->reason_count; i++) {
        const struct evidence_reason *reason = &given->reasons[i];
        json_put_object(json, NULL);
        json_put_string(json, "code", reason->code);
        json_put_string(json, "podUID", reason->pod_uid);
        json_put_string(json, "subject", reason->subject);
        json_put_real(json, "observed", reason->observed, 3);
        json_put_real(json, "limit", reason->limit, 3);
        json_put_string(json, "detail", reason->detail);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_end(json);
}

static void agent(struct json *json, const struct agent *one)
{
    json_put_object(json, NULL);
    json_put_string(json, "node", one->node_name);
    json_put_string(json, "version", one->version);
    json_put_time(json, "heardAt", one->heard_ms);
    json_put_integer(json, "cpuUsedMillis", one->cpu_used_millis);
    json_put_integer(json, "memoryUsedBytes", one->memory_used_bytes);
    json_put_integer(json, "memoryTotalBytes", one->memory_total_bytes);
    json_put_real(json, "pressureCPUSome60", one->pressure_cpu_some60, 3);
    json_put_real(json, "pressureMemoryFull60", one->pressure_memory_full60, 3);
    json_put_real(json, "pressureIOFull60", one->pressure_io_full60, 3);
    json_put_bool(json, "complete", one->complete);
    json_put_integer(json, "inhibitors", one->inhibitor_count);
    verdict(json, &one->verdict);
    json_put_array(json, "pods");
    for (uint32_t i = 0; i < one->pod_count; i++) {
        const struct pod_evidence *pod = &one->pods[i];
        json_put_object(json, NULL);
        json_put_string(json, "uid", pod->uid);
        json_put_integer(json, "cpuMillis", pod->cpu_millis);
        json_put_integer(json, "memoryBytes", pod->memory_bytes);
        json_put_integer(json, "localDataBytes", pod->local_data_bytes);
        json_put_string(json, "largestVolume", pod->largest_volume);
        json_put_integer(json, "largestVolumeBytes", pod->largest_volume_bytes);
        json_put_integer(json, "connections", pod->connections);
        json_put_string(json, "unknown", pod->unknown);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_end(json);
}

// ---- what it was started with

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

// Everything the core knows, for looking at it elsewhere, and for `plan`.
void view_snapshot(struct view *view)
{
    const struct cluster *cluster = view->core->cluster;
    struct json *json = &view->json;
    json_put_integer(json, "snapshotVersion", SNAPSHOT_VERSION);
    json_put_time(json, "at", view->core->now_ms);
    json_put_object(json, "status");
    view_status(view);
    json_put_end(json);
    flags(view);
    vpsie(json, cluster);
    json_put_array(json, "agents");
    for (uint32_t i = 0; i < cluster->agent_count; i++)
        agent(json, cluster->agents[i]);
    json_put_end(json);
    snapshot_templates(json, cluster);
    snapshot_items(json, cluster);
    view_actions(view, DECISIONS_KEPT);
}

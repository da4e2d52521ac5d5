#include "coordinator/decide/describe.h"

#include <inttypes.h>

const char *intention_phase_name(enum intention_phase phase)
{
    static const char *const names[] = {"Pending", "Provisioning", "Provisioned", "Joining",
                                        "Ready",   "Terminating",  "Deleting",    "Failed"};
    return (unsigned)phase < sizeof names / sizeof *names ? names[phase] : "?";
}

const char *evidence_state_name(enum evidence_state state)
{
    static const char *const names[] = {"UNKNOWN", "READY", "BUSY", "BLOCKED"};
    return (unsigned)state < sizeof names / sizeof *names ? names[state] : "?";
}

const char *taint_effect_name(enum taint_effect effect)
{
    static const char *const names[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
    return (unsigned)effect < sizeof names / sizeof *names ? names[effect] : "?";
}

void describe_text(struct text *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    text_printf(out, " %s=", name);
    text_append_json_string(out, value);
}

void describe_number(struct text *out, const char *name, int64_t value)
{
    if (value)
        text_printf(out, " %s=%" PRId64, name, value);
}

void describe_real(struct text *out, const char *name, double value)
{
    if (value < 0 || value > 0)
        text_printf(out, " %s=%.6g", name, value);
}

void describe_flag(struct text *out, const char *name, bool value)
{
    if (value)
        text_printf(out, " %s", name);
}

void describe_tristate(struct text *out, const char *name, enum tristate value)
{
    if (value != TRISTATE_UNSET)
        text_printf(out, " %s=%s", name, value == TRISTATE_TRUE ? "true" : "false");
}

void describe_texts(struct text *out, const char *name, const char *const *items, uint32_t count)
{
    if (!count)
        return;
    text_printf(out, " %s=[", name);
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            text_append(out, ",");
        text_append_json_string(out, items[i] ? items[i] : "");
    }
    text_append(out, "]");
}

void describe_labels(struct text *out, const char *name, const struct labels *labels)
{
    if (!labels->count)
        return;
    text_printf(out, " %s={", name);
    for (uint32_t i = 0; i < labels->count; i++) {
        text_printf(out, "%s%s:", i ? "," : "", labels->items[i].key);
        if (labels->items[i].value)
            text_append_json_string(out, labels->items[i].value);
        else
            text_append(out, "null");
    }
    text_append(out, "}");
}

void describe_taints(struct text *out, const char *name, const struct taints *taints)
{
    if (!taints->count)
        return;
    text_printf(out, " %s=[", name);
    for (uint32_t i = 0; i < taints->count; i++) {
        const struct taint *taint = &taints->items[i];
        text_printf(out, "%s%s=%s:%s", i ? "," : "", taint->key, taint->value ? taint->value : "",
                    taint_effect_name(taint->effect));
    }
    text_append(out, "]");
}

static void resources(struct text *out, const char *name, const struct resources *amount)
{
    text_printf(out, " %s={cpu:%" PRId64 "m,memory:%" PRId64 ",ephemeral:%" PRId64 ",pods:%" PRId64, name,
                amount->cpu_millis, amount->memory_bytes, amount->ephemeral_bytes, amount->pods);
    for (uint32_t i = 0; i < amount->extended_count; i++)
        text_printf(out, ",%s:%" PRId64, amount->extended[i].name, amount->extended[i].amount);
    text_append(out, "}");
}

void describe_requirements(struct text *out, const char *name, const struct requirement *items,
                           uint32_t count)
{
    static const char *const operators[] = {"in", "notin", "exists", "absent", "gt", "lt"};
    if (!count)
        return;
    text_printf(out, " %s=(", name);
    for (uint32_t i = 0; i < count; i++) {
        const struct requirement *item = &items[i];
        text_printf(out, "%s%s %s", i ? " and " : "", item->key, operators[item->operator]);
        describe_texts(out, "values", item->values, item->value_count);
    }
    text_append(out, ")");
}

static void shape(struct text *out, const struct pod_shape_facts *facts)
{
    resources(out, "requests", &facts->requests);
    describe_labels(out, "labels", &facts->labels);
    describe_labels(out, "selector", &facts->node_selector);
    describe_flag(out, "affinity", facts->has_affinity);
    for (uint32_t i = 0; i < facts->affinity_term_count; i++) {
        describe_requirements(out, "term", facts->affinity_terms[i].expressions,
                              facts->affinity_terms[i].expression_count);
        describe_requirements(out, "fields", facts->affinity_terms[i].fields,
                              facts->affinity_terms[i].field_count);
    }
    for (uint32_t i = 0; i < facts->toleration_count; i++) {
        static const char *const operators[] = {"Equal", "Exists", "Lt", "Gt"};
        const struct toleration *item = &facts->tolerations[i];
        text_printf(out, " tolerates=%s:%s:%s:%s", item->key, operators[item->operator], item->value,
                    item->any_effect ? "any" : taint_effect_name(item->effect));
    }
    describe_terms(out, facts);
    describe_number(out, "needs", facts->needs);
    describe_number(out, "priority", facts->priority);
    describe_text(out, "scheduler", facts->scheduler_name);
}

void describe_node(struct text *out, const struct node_facts *facts)
{
    static const char *const ready[] = {"unknown", "false", "true"};
    describe_text(out, "name", facts->name);
    describe_text(out, "uid", facts->uid);
    describe_text(out, "version", facts->resource_version);
    text_printf(out, " ready=%s", ready[facts->ready]);
    describe_number(out, "since", facts->ready_changed_ms);
    describe_flag(out, "unschedulable", facts->unschedulable);
    describe_flag(out, "network_unavailable", facts->network_unavailable);
    describe_number(out, "created", facts->created_ms);
    describe_number(out, "deletion", facts->deletion_ms);
    describe_text(out, "provider", facts->provider_id);
    describe_text(out, "hostname", facts->hostname);
    describe_text(out, "internal_ip", facts->internal_ip);
    describe_text(out, "external_ip", facts->external_ip);
    describe_text(out, "kubelet", facts->kubelet_version);
    describe_labels(out, "labels", &facts->labels);
    describe_labels(out, "annotations", &facts->annotations);
    describe_taints(out, "taints", &facts->taints);
    resources(out, "capacity", &facts->capacity);
    resources(out, "allocatable", &facts->allocatable);
}

void describe_pod(struct text *out, const struct pod_facts *facts)
{
    static const char *const phases[] = {"Pending", "Running", "Succeeded", "Failed", "Unknown"};
    describe_text(out, "space", facts->space);
    describe_text(out, "name", facts->name);
    describe_text(out, "uid", facts->uid);
    text_printf(out, " phase=%s", phases[facts->phase]);
    describe_text(out, "node", facts->node_name);
    describe_text(out, "nominated", facts->nominated_node);
    shape(out, &facts->shape);
    describe_text(out, "controller_kind", facts->controller_kind);
    describe_text(out, "controller_name", facts->controller_name);
    describe_text(out, "controller_uid", facts->controller_uid);
    describe_flag(out, "mirror", facts->mirror);
    describe_flag(out, "ready", facts->ready);
    describe_flag(out, "unschedulable", facts->unschedulable);
    describe_flag(out, "gated", facts->gated);
    describe_flag(out, "terminal", facts->terminal);
    describe_flag(out, "do_not_disrupt", facts->do_not_disrupt);
    describe_tristate(out, "safe_to_evict", facts->safe_to_evict);
    describe_number(out, "unschedulable_since", facts->unschedulable_since_ms);
    describe_text(out, "unschedulable_message", facts->unschedulable_message);
    describe_number(out, "created", facts->created_ms);
    describe_number(out, "deletion", facts->deletion_ms);
    describe_number(out, "grace", facts->grace_seconds);
    describe_text(out, "safe_local_volumes", facts->safe_local_volumes);
    describe_texts(out, "local_volumes", facts->local_volumes, facts->local_volume_count);
}

void describe_budget(struct text *out, const struct budget_facts *facts)
{
    describe_text(out, "space", facts->space);
    describe_text(out, "name", facts->name);
    describe_text(out, "uid", facts->uid);
    describe_requirements(out, "selector", facts->selector, facts->selector_count);
    describe_flag(out, "selects_nothing", facts->selects_nothing);
    text_printf(out, " allowed=%" PRId32, facts->disruptions_allowed);
    describe_number(out, "observed", facts->observed_generation);
    describe_number(out, "generation", facts->generation);
}

void describe_daemonset(struct text *out, const struct daemonset_facts *facts)
{
    describe_text(out, "space", facts->space);
    describe_text(out, "name", facts->name);
    describe_text(out, "uid", facts->uid);
    describe_flag(out, "being_deleted", facts->being_deleted);
    shape(out, &facts->shape);
}

void describe_attachment(struct text *out, const struct volume_attachment_facts *facts)
{
    describe_text(out, "name", facts->name);
    describe_text(out, "node", facts->node_name);
    describe_text(out, "volume", facts->volume_name);
    describe_flag(out, "attached", facts->attached);
}

void describe_conditions(struct text *out, const struct condition_facts *conditions, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        text_printf(out, " condition={");
        describe_text(out, "type", conditions[i].type);
        describe_tristate(out, "status", conditions[i].status);
        describe_text(out, "reason", conditions[i].reason);
        describe_text(out, "message", conditions[i].message);
        describe_number(out, "at", conditions[i].transition_ms);
        text_append(out, " }");
    }
}

static void policy(struct text *out, const char *name, const struct scale_policy_facts *facts)
{
    text_printf(out, " %s={%s window:%" PRId64 " cpu:%" PRId32 " memory:%" PRId32 " cooldown:%" PRId64 "}",
                name, facts->enabled ? "on" : "off", facts->stabilization_seconds,
                facts->cpu_threshold_percent, facts->memory_threshold_percent, facts->cooldown_seconds);
}

void describe_group(struct text *out, const struct nodegroup_facts *facts)
{
    describe_text(out, "space", facts->space);
    describe_text(out, "name", facts->name);
    describe_text(out, "uid", facts->uid);
    describe_text(out, "version", facts->resource_version);
    describe_number(out, "generation", facts->generation);
    describe_number(out, "created", facts->created_ms);
    describe_number(out, "deletion", facts->deletion_ms);
    describe_labels(out, "labels", &facts->labels);
    describe_labels(out, "annotations", &facts->annotations);
    describe_flag(out, "managed", facts->managed);
    describe_flag(out, "finalizer", facts->has_finalizer);
    text_printf(out, " min=%" PRId32 " max=%" PRId32, facts->min_nodes, facts->max_nodes);
    describe_text(out, "datacenter", facts->datacenter_id);
    describe_text(out, "cluster", facts->resource_identifier);
    describe_text(out, "project", facts->project);
    describe_texts(out, "offerings", facts->offering_ids, facts->offering_count);
    describe_text(out, "kubernetes", facts->kubernetes_version);
    describe_text(out, "image", facts->os_image_id);
    describe_text(out, "preferred", facts->preferred_instance_type);
    describe_text(out, "notes", facts->notes);
    describe_flag(out, "mixed", facts->allow_mixed_instances);
    describe_number(out, "size", facts->kube_size_id);
    describe_labels(out, "node_labels", &facts->node_labels);
    describe_taints(out, "node_taints", &facts->node_taints);
    describe_texts(out, "ssh_keys", facts->ssh_key_ids, facts->ssh_key_count);
    describe_number(out, "tags", facts->tag_count);
    describe_flag(out, "spot", facts->spot_enabled);
    describe_multi_region(out, &facts->multi_region);
    describe_cost(out, &facts->cost);
    policy(out, "scale_up", &facts->scale_up);
    policy(out, "scale_down", &facts->scale_down);
    describe_number(out, "vpsie_group", facts->status_vpsie_group_id);
    describe_number(out, "desired", facts->status_desired_nodes);
    describe_number(out, "last_scale_up", facts->status_last_scale_up_ms);
    describe_number(out, "last_scale_down", facts->status_last_scale_down_ms);
    describe_conditions(out, facts->conditions, facts->condition_count);
    describe_text(out, "invalid", facts->invalid);
    describe_text(out, "doubtful", facts->doubtful);
}

void describe_intention(struct text *out, const struct intention_facts *facts)
{
    describe_text(out, "space", facts->space);
    describe_text(out, "name", facts->name);
    describe_text(out, "uid", facts->uid);
    describe_text(out, "version", facts->resource_version);
    text_printf(out, " phase=%s", intention_phase_name(facts->phase));
    describe_number(out, "created", facts->created_ms);
    describe_number(out, "deletion", facts->deletion_ms);
    describe_flag(out, "finalizer", facts->has_finalizer);
    describe_labels(out, "labels", &facts->labels);
    describe_labels(out, "annotations", &facts->annotations);
    describe_text(out, "group", facts->group_name);
    describe_text(out, "owner", facts->owner_uid);
    describe_number(out, "instance", facts->vpsie_instance_id);
    describe_text(out, "identifier", facts->identifier);
    describe_number(out, "vpsie_group", facts->vpsie_group_id);
    describe_text(out, "type", facts->instance_type);
    describe_text(out, "datacenter", facts->datacenter_id);
    describe_text(out, "cluster", facts->resource_identifier);
    describe_text(out, "project", facts->project);
    describe_text(out, "kubernetes", facts->kubernetes_version);
    describe_text(out, "node", facts->node_name);
    describe_text(out, "ip", facts->ip_address);
    describe_text(out, "hostname", facts->hostname);
    describe_number(out, "status_created", facts->status_created_ms);
    describe_number(out, "provisioned", facts->provisioned_ms);
    describe_number(out, "joined", facts->joined_ms);
    describe_number(out, "ready", facts->ready_ms);
    describe_number(out, "terminating", facts->terminating_ms);
    describe_number(out, "deleted", facts->deleted_ms);
    describe_text(out, "error", facts->last_error);
}

void describe_config(struct text *out, const struct config_facts *facts)
{
    describe_text(out, "uid", facts->uid);
    describe_text(out, "version", facts->resource_version);
    describe_number(out, "generation", facts->generation);
    describe_flag(out, "paused", facts->paused);
    describe_number(out, "scale_up_cooldown", facts->scale_up_cooldown_seconds);
    describe_number(out, "scale_down_cooldown", facts->scale_down_cooldown_seconds);
    describe_number(out, "max_scale_ups", facts->max_concurrent_scale_ups);
    describe_number(out, "max_scale_downs", facts->max_concurrent_scale_downs);
    describe_number(out, "max_workers", facts->max_cluster_workers);
    describe_number(out, "unschedulable_grace", facts->unschedulable_grace_seconds);
    describe_flag(out, "dynamic_groups", facts->dynamic_groups);
    describe_flag(out, "rebalancing", facts->rebalancing);
    describe_number(out, "node_ready_timeout", facts->node_ready_timeout_seconds);
    describe_number(out, "pod_eviction_timeout", facts->pod_eviction_timeout_seconds);
    describe_flag(out, "consolidation", facts->consolidation);
    describe_disruption_budgets(out, facts->budgets, facts->budget_count);
    if (facts->group_defaults != NULL) {
        text_append(out, " defaults={");
        describe_group(out, facts->group_defaults);
        text_append(out, " }");
    }
    describe_text(out, "invalid", facts->invalid);
}

static void verdict(struct text *out, const char *name, const struct evidence_verdict *facts)
{
    text_printf(out, " %s={%s", name, evidence_state_name(facts->state));
    describe_number(out, "at", facts->evaluated_ms);
    describe_number(out, "remaining", facts->pods_remaining);
    for (uint32_t i = 0; i < facts->reason_count; i++) {
        const struct evidence_reason *reason = &facts->reasons[i];
        describe_text(out, "code", reason->code);
        describe_text(out, "pod", reason->pod_uid);
        describe_text(out, "subject", reason->subject);
        describe_real(out, "observed", reason->observed);
        describe_real(out, "limit", reason->limit);
        describe_text(out, "detail", reason->detail);
    }
    text_append(out, "}");
}

void describe_report(struct text *out, const struct agent_report_facts *facts)
{
    describe_text(out, "node", facts->node_name);
    describe_text(out, "start", facts->start_id);
    text_printf(out, " sequence=%" PRIu64, facts->sequence);
    describe_number(out, "received", facts->received_ms);
    describe_text(out, "version", facts->version);
    text_printf(out, " cpu=%" PRId64 " memory=%" PRId64 "/%" PRId64, facts->cpu_used_millis,
                facts->memory_used_bytes, facts->memory_total_bytes);
    describe_real(out, "pressure_cpu", facts->pressure_cpu_some60);
    describe_real(out, "pressure_memory", facts->pressure_memory_full60);
    describe_real(out, "pressure_io", facts->pressure_io_full60);
    describe_flag(out, "complete", facts->pods_complete);
    for (uint32_t i = 0; i < facts->pod_count; i++) {
        const struct pod_evidence_facts *pod = &facts->pods[i];
        text_printf(out, " pod={");
        describe_text(out, "uid", pod->uid);
        text_printf(out, " cpu=%" PRId64 " memory=%" PRId64 " data=%" PRId64 " connections=%" PRId64,
                    pod->cpu_millis, pod->memory_bytes, pod->local_data_bytes, pod->connections);
        describe_text(out, "volume", pod->largest_volume);
        describe_number(out, "volume_bytes", pod->largest_volume_bytes);
        describe_text(out, "unknown", pod->unknown);
        text_append(out, " }");
    }
    describe_texts(out, "gone", facts->pods_gone, facts->pods_gone_count);
    verdict(out, "verdict", &facts->verdict);
    describe_text(out, "directive", facts->directive_id);
    if (facts->directive_id && *facts->directive_id)
        verdict(out, "directive_verdict", &facts->directive_verdict);
    describe_number(out, "inhibitors", facts->inhibitor_count);
}

void describe_machine(struct text *out, const struct machine_facts *facts)
{
    static const char *const roles[] = {"", "worker", "master"};
    text_append(out, " machine={");
    describe_number(out, "id", facts->id);
    describe_text(out, "identifier", facts->identifier);
    describe_text(out, "hostname", facts->hostname);
    describe_text(out, "ip", facts->default_ip);
    describe_text(out, "private_ip", facts->private_ip);
    describe_text(out, "role", roles[facts->role]);
    describe_text(out, "datacenter", facts->datacenter_id);
    describe_text(out, "status", facts->status);
    describe_number(out, "created", facts->created_ms);
    describe_number(out, "cpu", facts->cpu);
    describe_number(out, "memory_mb", facts->memory_mb);
    text_append(out, " }");
}

void describe_vpsie_group(struct text *out, const struct vpsie_group_facts *facts)
{
    text_append(out, " group={");
    describe_number(out, "id", facts->id);
    describe_text(out, "identifier", facts->identifier);
    describe_text(out, "name", facts->name);
    describe_number(out, "size", facts->size_id);
    describe_number(out, "cpu", facts->cpu);
    describe_number(out, "memory_mb", facts->memory_mb);
    describe_number(out, "disk_gb", facts->disk_gb);
    text_printf(out, " nodes=%" PRId32, facts->nodes_count);
    describe_text(out, "datacenter", facts->datacenter_id);
    describe_flag(out, "active", facts->active);
    describe_flag(out, "deleted", facts->deleted);
    text_append(out, " }");
}

void describe_offer(struct text *out, const struct offer_facts *facts)
{
    text_append(out, " offer={");
    describe_number(out, "id", facts->id);
    describe_text(out, "name", facts->name);
    describe_number(out, "cpu", facts->cpu);
    describe_number(out, "memory_mb", facts->memory_mb);
    describe_number(out, "disk_gb", facts->disk_gb);
    describe_real(out, "month", facts->price_month);
    describe_real(out, "hour", facts->price_hour);
    text_append(out, " }");
}

#include "coordinator/decide/command.h"

#include <inttypes.h>

#include "coordinator/decide/describe.h"

static void intention_status(const struct command *command, struct text *out)
{
    const struct intention_status_facts *status = &command->intention_status.status;
    describe_text(out, "space", command->intention_status.space);
    describe_text(out, "name", command->intention_status.name);
    text_printf(out, " phase=%s", intention_phase_name(status->phase));
    describe_text(out, "node", status->node_name);
    describe_text(out, "hostname", status->hostname);
    describe_text(out, "vpsie_status", status->vpsie_status);
    describe_number(out, "cpu", status->cpu);
    describe_number(out, "memory_mb", status->memory_mb);
    describe_number(out, "disk_gb", status->disk_gb);
    describe_number(out, "created", status->created_ms);
    describe_number(out, "provisioned", status->provisioned_ms);
    describe_number(out, "joined", status->joined_ms);
    describe_number(out, "ready", status->ready_ms);
    describe_number(out, "terminating", status->terminating_ms);
    describe_number(out, "deleted", status->deleted_ms);
    if (status->last_error) {
        text_append(out, " error=");
        text_append_json_string(out, status->last_error);
    }
    describe_conditions(out, status->conditions, status->condition_count);
}

static void update_intention(const struct command *command, struct text *out)
{
    describe_text(out, "space", command->update_intention.space);
    describe_text(out, "name", command->update_intention.name);
    describe_text(out, "version", command->update_intention.resource_version);
    describe_labels(out, "annotations", &command->update_intention.annotations);
    describe_labels(out, "labels", &command->update_intention.labels);
    describe_text(out, "identifier", command->update_intention.identifier);
    describe_text(out, "node", command->update_intention.node_name);
    describe_text(out, "ip", command->update_intention.ip_address);
    describe_text(out, "type", command->update_intention.instance_type);
    describe_number(out, "vpsie_group", command->update_intention.vpsie_group_id);
    describe_number(out, "instance", command->update_intention.vpsie_instance_id);
    describe_tristate(out, "finalizer", command->update_intention.finalizer);
}

static void group_status(const struct command *command, struct text *out)
{
    describe_text(out, "space", command->group_status.space);
    describe_text(out, "name", command->group_status.name);
    text_printf(out, " current=%" PRId32 " desired=%" PRId32 " ready=%" PRId32, command->group_status.current,
                command->group_status.desired, command->group_status.ready);
    describe_number(out, "vpsie_group", command->group_status.vpsie_group_id);
    for (uint32_t i = 0; i < command->group_status.node_count; i++) {
        const struct group_node_facts *node = &command->group_status.nodes[i];
        text_append(out, " node={");
        describe_text(out, "name", node->node_name);
        describe_text(out, "vps", node->vps_id);
        describe_text(out, "type", node->instance_type);
        describe_text(out, "status", node->status);
        describe_text(out, "ip", node->ip_address);
        describe_number(out, "created", node->created_ms);
        describe_number(out, "ready", node->ready_ms);
        text_append(out, " }");
    }
    describe_conditions(out, command->group_status.conditions, command->group_status.condition_count);
    describe_number(out, "last_scale", command->group_status.last_scale_ms);
    describe_number(out, "last_scale_up", command->group_status.last_scale_up_ms);
    describe_number(out, "last_scale_down", command->group_status.last_scale_down_ms);
    describe_number(out, "generation", command->group_status.observed_generation);
}

static void event(const struct command *command, struct text *out)
{
    static const char *const regarding[] = {"nodegroup", "vpsienode", "node", "pod"};
    text_printf(out, " regarding=%s", regarding[command->event.regarding]);
    describe_text(out, "space", command->event.space);
    describe_text(out, "name", command->event.name);
    describe_text(out, "uid", command->event.uid);
    describe_flag(out, "warning", command->event.warning);
    describe_text(out, "reason", command->event.reason);
    describe_text(out, "action", command->event.action);
    describe_text(out, "message", command->event.message);
}

static void directive(const struct command *command, struct text *out)
{
    static const char *const directives[] = {"prepare-drain", "cancel-drain", "set-interval"};
    text_printf(out, " %s", directives[command->directive.kind]);
    describe_text(out, "node", command->directive.node_name);
    describe_text(out, "directive", command->directive.directive_id);
    describe_number(out, "deadline", command->directive.deadline_ms);
    describe_number(out, "interval", command->directive.interval_ms);
    describe_texts(out, "pods", command->directive.pod_uids, command->directive.pod_uid_count);
    describe_texts(out, "ignore", command->directive.ignore_uids, command->directive.ignore_uid_count);
    describe_texts(out, "ignore_volumes", command->directive.ignore_volumes,
                   command->directive.ignore_volume_count);
}

static void describe_kube(const struct command *command, struct text *out)
{
    switch (command->kind) {
    case COMMAND_KUBE_LIST_NODE_PODS: describe_text(out, "node", command->list_node_pods.node_name); break;
    case COMMAND_KUBE_CREATE_INTENTION:
        describe_intention(out, command->create_intention.facts);
        describe_text(out, "owner_name", command->create_intention.owner_name);
        break;
    case COMMAND_KUBE_UPDATE_INTENTION: update_intention(command, out); break;
    case COMMAND_KUBE_INTENTION_STATUS: intention_status(command, out); break;
    case COMMAND_KUBE_DELETE_INTENTION:
        describe_text(out, "space", command->delete_intention.space);
        describe_text(out, "name", command->delete_intention.name);
        describe_text(out, "uid", command->delete_intention.uid);
        break;
    case COMMAND_KUBE_GROUP_STATUS: group_status(command, out); break;
    case COMMAND_KUBE_GROUP_FINALIZER:
        describe_text(out, "space", command->group_finalizer.space);
        describe_text(out, "name", command->group_finalizer.name);
        text_append(out, command->group_finalizer.present ? " add" : " remove");
        break;
    case COMMAND_KUBE_CREATE_NODEGROUP: describe_group(out, command->create_nodegroup.facts); break;
    case COMMAND_KUBE_DELETE_NODEGROUP:
        describe_text(out, "space", command->delete_nodegroup.space);
        describe_text(out, "name", command->delete_nodegroup.name);
        describe_text(out, "uid", command->delete_nodegroup.uid);
        break;
    case COMMAND_KUBE_CORDON:
    case COMMAND_KUBE_UNCORDON:
        describe_text(out, "node", command->cordon.node_name);
        describe_text(out, "reason", command->cordon.reason);
        break;
    case COMMAND_KUBE_LABEL_NODE:
        describe_text(out, "node", command->label_node.node_name);
        describe_labels(out, "labels", &command->label_node.labels);
        describe_labels(out, "annotations", &command->label_node.annotations);
        describe_taints(out, "taints", &command->label_node.taints);
        break;
    case COMMAND_KUBE_EVICT:
    case COMMAND_KUBE_DELETE_POD:
        describe_text(out, "space", command->pod.space);
        describe_text(out, "name", command->pod.name);
        describe_text(out, "uid", command->pod.uid);
        describe_number(out, "grace", command->pod.grace_seconds);
        break;
    case COMMAND_KUBE_DELETE_NODE:
        describe_text(out, "node", command->delete_node.node_name);
        describe_text(out, "uid", command->delete_node.uid);
        break;
    case COMMAND_KUBE_EVENT: event(command, out); break;
    case COMMAND_KUBE_SAVE_STATE:
        describe_flag(out, "paused", command->save_state.paused);
        describe_text(out, "reason", command->save_state.paused_reason);
        describe_flag(out, "accepted", command->save_state.accepted);
        describe_number(out, "mass_deletion", command->save_state.mass_deletion);
        break;
    default: break; // COMMAND_KUBE_LIST_FRESH carries nothing
    }
}

static void describe_other(const struct command *command, struct text *out)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    switch (command->kind) {
    case COMMAND_VPSIE_LIST_MACHINES:
    case COMMAND_VPSIE_LIST_GROUPS:
    case COMMAND_VPSIE_LIST_OFFERS:
        describe_text(out, "cluster", command->vpsie_list.cluster);
        describe_text(out, "datacenter", command->vpsie_list.datacenter_id);
        break;
    case COMMAND_VPSIE_CREATE_GROUP:
        describe_text(out, "cluster", command->create_group.cluster);
        describe_text(out, "name", command->create_group.name);
        describe_number(out, "size", command->create_group.size_id);
        break;
    case COMMAND_VPSIE_ADD_MACHINE:
        describe_text(out, "cluster", command->add_machine.cluster);
        describe_number(out, "group", command->add_machine.group_id);
        break;
    case COMMAND_VPSIE_DELETE_MACHINE:
        describe_text(out, "cluster", command->delete_machine.cluster);
        describe_text(out, "identifier", command->delete_machine.identifier);
        break;
    case COMMAND_AGENT_DIRECTIVE: directive(command, out); break;
    case COMMAND_OPERATOR_REPLY:
        text_printf(out, " request=%" PRIu64 " %s", command->operator_reply.request_id,
                    command->operator_reply.ok ? "ok" : "error");
        describe_text(out, "text", command->operator_reply.text);
        describe_text(out, "code", command->operator_reply.code);
        break;
    case COMMAND_NOTE:
        text_printf(out, " %s", levels[command->note.level]);
        describe_text(out, "subject", command->note.subject);
        describe_text(out, "text", command->note.text);
        break;
    default: describe_kube(command, out); break;
    }
}

void command_describe(const struct command *command, struct text *out)
{
    text_printf(out, "#%" PRIu64 " %s term=%" PRIu64, command->id, command_kind_name(command->kind),
                command->term);
    describe_number(out, "decision", (int64_t)command->decision_id);
    describe_text(out, "key", command->key);
    describe_other(command, out);
}

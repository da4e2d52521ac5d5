#include "coordinator/decide/command.h"

#include <assert.h>
#include <stddef.h>

#define COMMAND_BLOCK_BYTES 1024

struct owned_command { // a copied command and the arena that it (and this) lives in
    struct arena *arena;
    struct command command;
};

static void text(struct arena *arena, const char **field)
{
    *field = arena_strdup(arena, *field);
}

static void texts(struct arena *arena, const char *const **items, uint32_t count)
{
    const char **copy = ARENA_ARRAY(arena, const char *, count);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = arena_strdup(arena, (*items)[i]);
    *items = copy;
}

static void labels(struct arena *arena, struct labels *field)
{
    struct label *copy = ARENA_ARRAY(arena, struct label, field->count);
    for (uint32_t i = 0; i < field->count; i++) {
        copy[i].key = arena_strdup(arena, field->items[i].key);
        copy[i].value = arena_strdup(arena, field->items[i].value);
    }
    field->items = copy;
}

static void taints(struct arena *arena, struct taints *field)
{
    struct taint *copy = ARENA_ARRAY(arena, struct taint, field->count);
    for (uint32_t i = 0; i < field->count; i++) {
        copy[i].key = arena_strdup(arena, field->items[i].key);
        copy[i].value = arena_strdup(arena, field->items[i].value);
        copy[i].effect = field->items[i].effect;
    }
    field->items = copy;
}

static void conditions(struct arena *arena, const struct condition_facts **items, uint32_t count)
{
    struct condition_facts *copy = ARENA_ARRAY(arena, struct condition_facts, count);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = (*items)[i];
        text(arena, &copy[i].type);
        text(arena, &copy[i].reason);
        text(arena, &copy[i].message);
    }
    *items = copy;
}

static void intention(struct arena *arena, const struct intention_facts **facts)
{
    if (!*facts)
        return;
    struct intention_facts *copy = ARENA_NEW(arena, struct intention_facts);
    *copy = **facts;
    const char **fields[] = {
        &copy->space,         &copy->name,          &copy->uid,
        &copy->group_name,    &copy->owner_uid,     &copy->resource_version,
        &copy->identifier,    &copy->instance_type, &copy->kubernetes_version,
        &copy->datacenter_id, &copy->project,       &copy->resource_identifier,
        &copy->node_name,     &copy->ip_address,    &copy->hostname,
        &copy->last_error,
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        text(arena, fields[i]);
    labels(arena, &copy->labels);
    labels(arena, &copy->annotations);
    *facts = copy;
}

// What a new NodeGroup is made of; of what is stored only later there is nothing.
static void nodegroup(struct arena *arena, const struct nodegroup_facts **facts)
{
    if (!*facts)
        return;
    struct nodegroup_facts *copy = ARENA_NEW(arena, struct nodegroup_facts);
    *copy = **facts;
    const char **fields[] = {
        &copy->space,
        &copy->name,
        &copy->uid,
        &copy->datacenter_id,
        &copy->project,
        &copy->resource_version,
        &copy->os_image_id,
        &copy->notes,
        &copy->resource_identifier,
        &copy->invalid,
        &copy->doubtful,
        &copy->preferred_instance_type,
        &copy->kubernetes_version,
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        text(arena, fields[i]);
    labels(arena, &copy->labels);
    labels(arena, &copy->annotations);
    labels(arena, &copy->node_labels);
    taints(arena, &copy->node_taints);
    texts(arena, &copy->offering_ids, copy->offering_count);
    texts(arena, &copy->ssh_key_ids, copy->ssh_key_count);
    copy->multi_region = (struct multi_region_facts){.primary = ""};
    copy->conditions = NULL;
    copy->condition_count = 0;
    *facts = copy;
}

static void intention_status(struct arena *arena, struct command *copy)
{
    text(arena, &copy->intention_status.space);
    text(arena, &copy->intention_status.name);
    struct intention_status_facts *status = &copy->intention_status.status;
    text(arena, &status->node_name);
    text(arena, &status->hostname);
    text(arena, &status->vpsie_status);
    text(arena, &status->last_error);
    conditions(arena, &status->conditions, status->condition_count);
}

static void group_status(struct arena *arena, struct command *copy)
{
    text(arena, &copy->group_status.space);
    text(arena, &copy->group_status.name);
    uint32_t count = copy->group_status.node_count;
    struct group_node_facts *nodes = ARENA_ARRAY(arena, struct group_node_facts, count);
    for (uint32_t i = 0; i < count; i++) {
        nodes[i] = copy->group_status.nodes[i];
        text(arena, &nodes[i].node_name);
        text(arena, &nodes[i].vps_id);
        text(arena, &nodes[i].instance_type);
        text(arena, &nodes[i].status);
        text(arena, &nodes[i].ip_address);
    }
    copy->group_status.nodes = nodes;
    conditions(arena, &copy->group_status.conditions, copy->group_status.condition_count);
}

static void update_intention(struct arena *arena, struct command *copy)
{
    text(arena, &copy->update_intention.space);
    text(arena, &copy->update_intention.name);
    text(arena, &copy->update_intention.resource_version);
    labels(arena, &copy->update_intention.annotations);
    labels(arena, &copy->update_intention.labels);
    text(arena, &copy->update_intention.identifier);
    text(arena, &copy->update_intention.node_name);
    text(arena, &copy->update_intention.ip_address);
    text(arena, &copy->update_intention.instance_type);
}

static void event(struct arena *arena, struct command *copy)
{
    text(arena, &copy->event.space);
    text(arena, &copy->event.name);
    text(arena, &copy->event.uid);
    text(arena, &copy->event.reason);
    text(arena, &copy->event.action);
    text(arena, &copy->event.message);
}

static void directive(struct arena *arena, struct command *copy)
{
    text(arena, &copy->directive.node_name);
    text(arena, &copy->directive.directive_id);
    texts(arena, &copy->directive.pod_uids, copy->directive.pod_uid_count);
    texts(arena, &copy->directive.ignore_uids, copy->directive.ignore_uid_count);
    texts(arena, &copy->directive.ignore_volumes, copy->directive.ignore_volume_count);
}

static void copy_kube(struct arena *arena, struct command *copy)
{
    switch (copy->kind) {
    case COMMAND_KUBE_LIST_NODE_PODS: text(arena, &copy->list_node_pods.node_name); break;
    case COMMAND_KUBE_CREATE_INTENTION:
        intention(arena, &copy->create_intention.facts);
        text(arena, &copy->create_intention.owner_name);
        break;
    case COMMAND_KUBE_UPDATE_INTENTION: update_intention(arena, copy); break;
    case COMMAND_KUBE_INTENTION_STATUS: intention_status(arena, copy); break;
    case COMMAND_KUBE_DELETE_INTENTION:
        text(arena, &copy->delete_intention.space);
        text(arena, &copy->delete_intention.name);
        text(arena, &copy->delete_intention.uid);
        break;
    case COMMAND_KUBE_GROUP_STATUS: group_status(arena, copy); break;
    case COMMAND_KUBE_GROUP_FINALIZER:
        text(arena, &copy->group_finalizer.space);
        text(arena, &copy->group_finalizer.name);
        break;
    case COMMAND_KUBE_CREATE_NODEGROUP: nodegroup(arena, &copy->create_nodegroup.facts); break;
    case COMMAND_KUBE_DELETE_NODEGROUP:
        text(arena, &copy->delete_nodegroup.space);
        text(arena, &copy->delete_nodegroup.name);
        text(arena, &copy->delete_nodegroup.uid);
        break;
    case COMMAND_KUBE_CORDON:
    case COMMAND_KUBE_UNCORDON:
        text(arena, &copy->cordon.node_name);
        text(arena, &copy->cordon.reason);
        break;
    case COMMAND_KUBE_LABEL_NODE:
        text(arena, &copy->label_node.node_name);
        labels(arena, &copy->label_node.labels);
        labels(arena, &copy->label_node.annotations);
        taints(arena, &copy->label_node.taints);
        break;
    case COMMAND_KUBE_EVICT:
    case COMMAND_KUBE_DELETE_POD:
        text(arena, &copy->pod.space);
        text(arena, &copy->pod.name);
        text(arena, &copy->pod.uid);
        break;
    case COMMAND_KUBE_DELETE_NODE:
        text(arena, &copy->delete_node.node_name);
        text(arena, &copy->delete_node.uid);
        break;
    case COMMAND_KUBE_EVENT: event(arena, copy); break;
    case COMMAND_KUBE_SAVE_STATE: text(arena, &copy->save_state.paused_reason); break;
    default: break; // COMMAND_KUBE_LIST_FRESH carries nothing
    }
}

static void copy_other(struct arena *arena, struct command *copy)
{
    switch (copy->kind) {
    case COMMAND_VPSIE_LIST_MACHINES:
    case COMMAND_VPSIE_LIST_GROUPS:
    case COMMAND_VPSIE_LIST_OFFERS:
        text(arena, &copy->vpsie_list.cluster);
        text(arena, &copy->vpsie_list.datacenter_id);
        break;
    case COMMAND_VPSIE_CREATE_GROUP:
        text(arena, &copy->create_group.cluster);
        text(arena, &copy->create_group.name);
        break;
    case COMMAND_VPSIE_ADD_MACHINE: text(arena, &copy->add_machine.cluster); break;
    case COMMAND_VPSIE_DELETE_MACHINE:
        text(arena, &copy->delete_machine.cluster);
        text(arena, &copy->delete_machine.identifier);
        break;
    case COMMAND_AGENT_DIRECTIVE: directive(arena, copy); break;
    case COMMAND_OPERATOR_REPLY:
        text(arena, &copy->operator_reply.text);
        text(arena, &copy->operator_reply.code);
        break;
    case COMMAND_NOTE:
        text(arena, &copy->note.text);
        text(arena, &copy->note.subject);
        break;
    default: copy_kube(arena, copy); break;
    }
}

struct command *command_copy(const struct command *command)
{
    assert((unsigned)command->kind < COMMAND_KIND_COUNT);
    struct arena *arena = arena_create(COMMAND_BLOCK_BYTES);
    struct owned_command *owned = ARENA_NEW(arena, struct owned_command);
    owned->arena = arena;
    owned->command = *command;
    text(arena, &owned->command.key);
    copy_other(arena, &owned->command);
    return &owned->command;
}

void command_destroy(struct command *command)
{
    if (!command)
        return;
    char *start = (char *)command - offsetof(struct owned_command, command);
    arena_destroy(((struct owned_command *)(void *)start)->arena);
}

#include "coordinator/decide/command.h"

#include <assert.h>
#include <stdlib.h>

#define COMMANDS_BLOCK_BYTES 4096

static const struct kind {
    const char *name;
    bool writes;
    bool has_outcome;
} kinds[COMMAND_KIND_COUNT] = {
    [COMMAND_KUBE_LIST_FRESH] = {"kube-list-fresh", false, true},
    [COMMAND_KUBE_LIST_NODE_PODS] = {"kube-list-node-pods", false, true},
    [COMMAND_KUBE_CREATE_INTENTION] = {"kube-create-intention", true, true},
    [COMMAND_KUBE_UPDATE_INTENTION] = {"kube-update-intention", true, true},
    [COMMAND_KUBE_INTENTION_STATUS] = {"kube-intention-status", true, true},
    [COMMAND_KUBE_DELETE_INTENTION] = {"kube-delete-intention", true, true},
    [COMMAND_KUBE_GROUP_STATUS] = {"kube-group-status", true, true},
    [COMMAND_KUBE_GROUP_FINALIZER] = {"kube-group-finalizer", true, true},
    [COMMAND_KUBE_CREATE_NODEGROUP] = {"kube-create-nodegroup", true, true},
    [COMMAND_KUBE_DELETE_NODEGROUP] = {"kube-delete-nodegroup", true, true},
    [COMMAND_KUBE_CORDON] = {"kube-cordon", true, true},
    [COMMAND_KUBE_UNCORDON] = {"kube-uncordon", true, true},
    [COMMAND_KUBE_LABEL_NODE] = {"kube-label-node", true, true},
    [COMMAND_KUBE_EVICT] = {"kube-evict", true, true},
    [COMMAND_KUBE_DELETE_POD] = {"kube-delete-pod", true, true},
    [COMMAND_KUBE_DELETE_NODE] = {"kube-delete-node", true, true},
    [COMMAND_KUBE_EVENT] = {"kube-event", true, false},
    [COMMAND_KUBE_SAVE_STATE] = {"kube-save-state", true, true},
    [COMMAND_VPSIE_LIST_MACHINES] = {"vpsie-list-machines", false, true},
    [COMMAND_VPSIE_LIST_GROUPS] = {"vpsie-list-groups", false, true},
    [COMMAND_VPSIE_LIST_OFFERS] = {"vpsie-list-offers", false, true},
    [COMMAND_VPSIE_CREATE_GROUP] = {"vpsie-create-group", true, true},
    [COMMAND_VPSIE_ADD_MACHINE] = {"vpsie-add-machine", true, true},
    [COMMAND_VPSIE_DELETE_MACHINE] = {"vpsie-delete-machine", true, true},
    [COMMAND_AGENT_DIRECTIVE] = {"agent-directive", true, false},
    [COMMAND_OPERATOR_REPLY] = {"operator-reply", false, false},
    [COMMAND_NOTE] = {"note", false, false},
};

struct commands *commands_create(void)
{
    struct commands *commands = xcalloc(1, sizeof *commands);
    commands->arena = arena_create(COMMANDS_BLOCK_BYTES);
    return commands;
}

void commands_destroy(struct commands *commands)
{
    if (!commands)
        return;
    arena_destroy(commands->arena);
    free(commands->items);
    free(commands);
}

void commands_clear(struct commands *commands)
{
    arena_reset(commands->arena);
    commands->count = 0;
}

struct command *commands_add(struct commands *commands, enum command_kind kind)
{
    assert((unsigned)kind < COMMAND_KIND_COUNT);
    if (commands->count == commands->capacity) {
        commands->capacity = commands->capacity ? commands->capacity * 2 : 16;
        commands->items = xrealloc_array(commands->items, commands->capacity, sizeof *commands->items);
    }
    struct command *command = ARENA_NEW(commands->arena, struct command);
    command->kind = kind;
    commands->items[commands->count++] = command;
    return command;
}

bool command_writes(enum command_kind kind)
{
    assert((unsigned)kind < COMMAND_KIND_COUNT);
    return kinds[kind].writes;
}

bool command_has_outcome(enum command_kind kind)
{
    assert((unsigned)kind < COMMAND_KIND_COUNT);
    return kinds[kind].has_outcome;
}

const char *command_kind_name(enum command_kind kind)
{
    return (unsigned)kind < COMMAND_KIND_COUNT ? kinds[kind].name : "?";
}

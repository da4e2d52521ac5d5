// What the API server does with a command's request, and what the door makes of the answer.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "coordinator/kube/patch.h"
#include "tests/sim/private.h"

static void judge(const struct api_answer *answer, bool deletes, struct event *outcome)
{
    outcome->outcome.status = answer->code;
    outcome->outcome.detail = arena_strdup(outcome->arena, answer->message);
    if (answer->object != NULL) {
        outcome->outcome.uid = arena_strdup(outcome->arena, answer->object->uid);
        outcome->outcome.resource_version =
            arena_printf(outcome->arena, "%lld", (long long)answer->object->version);
    }
    if (API_OK(*answer) || (deletes && answer->code == 404))
        outcome->outcome.outcome = OUTCOME_OK;
    else if (answer->code == 404)
        outcome->outcome.outcome = OUTCOME_NOT_FOUND;
    else if (answer->code == 409)
        outcome->outcome.outcome = OUTCOME_CONFLICT;
    else if (answer->code == 429)
        outcome->outcome.outcome = OUTCOME_THROTTLED;
    else
        outcome->outcome.outcome = answer->code >= 500 ? OUTCOME_UNKNOWN : OUTCOME_REFUSED;
    outcome->outcome.retry_after_ms = answer->retry_after_seconds * 1000;
}

// A body of the door's own making. NULL: the object is as it should be, nothing is sent.
static struct api_answer merge(struct sim *sim, enum api_kind kind, const char *space, const char *name,
                               bool status, char *body)
{
    if (body == NULL)
        return api_get(sim->world->api, kind, space, name);
    AUTOFREE char *text = body;
    AUTOJSON cJSON *patch = cJSON_Parse(text);
    return api_patch(sim->world->api, kind, space, name, status, API_MERGE_PATCH, patch);
}

static const cJSON *present(const struct sim *sim, enum api_kind kind, const char *space, const char *name)
{
    const struct api_object *object = api_find(sim->world->api, kind, space, name);
    return object == NULL ? NULL : object->document->json;
}

static struct api_answer update_intention(struct sim *sim, const struct command *command)
{
    const char *space = command->update_intention.space, *name = command->update_intention.name;
    const cJSON *object = present(sim, API_VPSIENODE, space, name);
    if (object == NULL)
        return api_get(sim->world->api, API_VPSIENODE, space, name);
    if (command->update_intention.finalizer == TRISTATE_UNSET)
        object = NULL;
    return merge(sim, API_VPSIENODE, space, name, false, patch_intention(command, object));
}

static struct api_answer change_node(struct sim *sim, const struct command *command)
{
    const char *name =
        command->kind == COMMAND_KUBE_LABEL_NODE ? command->label_node.node_name : command->cordon.node_name;
    const cJSON *node = present(sim, API_NODE, "", name);
    AUTOTEXT struct text kept = {0};
    char *body = NULL;
    if (node == NULL)
        return api_get(sim->world->api, API_NODE, "", name);
    if (command->kind == COMMAND_KUBE_CORDON)
        body = patch_cordon(node, command->cordon.reason);
    else if (command->kind == COMMAND_KUBE_UNCORDON)
        body = patch_uncordon(node);
    else
        body = patch_label_node(node, &command->label_node.labels, &command->label_node.annotations,
                                &command->label_node.taints, &kept);
    return merge(sim, API_NODE, "", name, false, body);
}

static struct api_answer group_finalizer(struct sim *sim, const struct command *command)
{
    const char *space = command->group_finalizer.space, *name = command->group_finalizer.name;
    const cJSON *group = present(sim, API_NODEGROUP, space, name);
    if (group == NULL)
        return api_get(sim->world->api, API_NODEGROUP, space, name);
    return merge(sim, API_NODEGROUP, space, name, false,
                 patch_finalizer(group, FINALIZER_NODEGROUP, command->group_finalizer.present));
}

static struct api_answer create_intention(struct sim *sim, const struct command *command)
{
    const struct intention_facts *facts = command->create_intention.facts;
    AUTOFREE char *body = body_intention(facts, command->create_intention.owner_name);
    return api_create(sim->world->api, API_VPSIENODE, facts->space, cJSON_Parse(body));
}

static struct api_answer create_nodegroup(struct sim *sim, const struct command *command)
{
    AUTOFREE char *body = body_nodegroup(command->create_nodegroup.facts);
    return api_create(sim->world->api, API_NODEGROUP, command->create_nodegroup.facts->space,
                      cJSON_Parse(body));
}

static void list_node_pods(struct sim *sim, const char *node_name, struct event *outcome)
{
    AUTOLIST struct api_list pods = api_snapshot(sim->world->api, API_POD, NULL);
    struct pod_facts *facts = ARENA_ARRAY(outcome->arena, struct pod_facts, pods.count + 1);
    uint32_t count = 0;
    for (size_t i = 0; i < pods.count; i++) {
        if (strcmp(json_text(pods.items[i].document->json, "spec.nodeName"), node_name) == 0 &&
            facts_pod(pods.items[i].document->json, outcome->arena, &facts[count]))
            count++;
    }
    outcome->outcome.pods = facts;
    outcome->outcome.pod_count = count;
    outcome->outcome.status = 200;
}

static void save_state(struct sim *sim, const struct command *command)
{
    free((void *)(uintptr_t)sim->saved.paused_reason);
    sim->saved.paused = command->save_state.paused;
    sim->saved.accepted = command->save_state.accepted;
    sim->saved.mass_deletion = command->save_state.mass_deletion;
    sim->saved.paused_reason = xstrdup(command->save_state.paused_reason);
}

void kube_effect(struct sim *sim, const struct command *command, struct event *outcome)
{
    struct api *api = sim->world->api;
    struct api_answer answer = {.code = 200, .reason = ""};
    bool deletes = false;
    switch (command->kind) {
    case COMMAND_KUBE_LIST_FRESH: break; // told when the answer comes
    case COMMAND_KUBE_LIST_NODE_PODS: list_node_pods(sim, command->list_node_pods.node_name, outcome); return;
    case COMMAND_KUBE_CREATE_INTENTION: answer = create_intention(sim, command); break;
    case COMMAND_KUBE_UPDATE_INTENTION: answer = update_intention(sim, command); break;
    case COMMAND_KUBE_INTENTION_STATUS:
        answer = merge(sim, API_VPSIENODE, command->intention_status.space, command->intention_status.name,
                       true, patch_intention_status(&command->intention_status.status, sim->world->now_ms));
        break;
    case COMMAND_KUBE_CREATE_NODEGROUP: answer = create_nodegroup(sim, command); break;
    case COMMAND_KUBE_DELETE_NODEGROUP:
        deletes = true;
        answer =
            api_delete(api, API_NODEGROUP, command->delete_nodegroup.space, command->delete_nodegroup.name,
                       (struct api_preconditions){.uid = command->delete_nodegroup.uid}, -1);
        break;
    case COMMAND_KUBE_DELETE_INTENTION:
        deletes = true;
        answer =
            api_delete(api, API_VPSIENODE, command->delete_intention.space, command->delete_intention.name,
                       (struct api_preconditions){.uid = command->delete_intention.uid}, -1);
        break;
    case COMMAND_KUBE_GROUP_STATUS:
        answer = merge(sim, API_NODEGROUP, command->group_status.space, command->group_status.name, true,
                       patch_group_status(command, sim->world->now_ms));
        break;
    case COMMAND_KUBE_GROUP_FINALIZER:
        deletes = !command->group_finalizer.present;
        answer = group_finalizer(sim, command);
        break;
    case COMMAND_KUBE_CORDON:
    case COMMAND_KUBE_UNCORDON:
    case COMMAND_KUBE_LABEL_NODE: answer = change_node(sim, command); break;
    case COMMAND_KUBE_EVICT:
        deletes = true;
        answer = evict(sim->world, command->pod.space, command->pod.name, command->pod.uid,
                       command->pod.grace_seconds);
        break;
    case COMMAND_KUBE_DELETE_POD:
        deletes = true;
        answer = api_delete(api, API_POD, command->pod.space, command->pod.name,
                            (struct api_preconditions){.uid = command->pod.uid}, command->pod.grace_seconds);
        break;
    case COMMAND_KUBE_DELETE_NODE:
        deletes = true;
        answer = api_delete(api, API_NODE, "", command->delete_node.node_name,
                            (struct api_preconditions){.uid = command->delete_node.uid}, -1);
        break;
    case COMMAND_KUBE_SAVE_STATE: save_state(sim, command); break;
    default: sim_break(sim, "%s is no request to Kubernetes", command_kind_name(command->kind)); return;
    }
    if (answer.code == 422)
        sim_break(sim, "the API server takes %s for invalid: %s", command_kind_name(command->kind),
                  answer.message);
    judge(&answer, deletes, outcome);
}

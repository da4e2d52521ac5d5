// What the API server does with a command's request, and what the door makes of the answer.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/sim/patches.h"
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

static struct api_answer merge(struct sim *sim, enum api_kind kind, const char *space, const char *name,
                               bool status, cJSON *patch)
{
    struct api_answer answer = api_patch(sim->world->api, kind, space, name, status, API_MERGE_PATCH, patch);
    cJSON_Delete(patch);
    return answer;
}

static struct api_answer put_finalizer(struct sim *sim, enum api_kind kind, const char *space,
                                       const char *name, const char *finalizer, bool present)
{
    const struct api_object *object = api_find(sim->world->api, kind, space, name);
    if (object == NULL)
        return api_get(sim->world->api, kind, space, name);
    cJSON *finalizers = cJSON_CreateArray();
    const cJSON *item;
    cJSON_ArrayForEach(item, json_at(object->document->json, "metadata.finalizers"))
    {
        if (strcmp(item->valuestring, finalizer) != 0)
            cJSON_AddItemToArray(finalizers, cJSON_Duplicate(item, true));
    }
    if (present)
        cJSON_AddItemToArray(finalizers, cJSON_CreateString(finalizer));
    cJSON *patch = cJSON_CreateObject();
    json_set(patch, "metadata.finalizers", finalizers);
    return merge(sim, kind, space, name, false, patch);
}

#define NODE_FINALIZER  "vpsienode.autoscaler.vpsie.com/finalizer"
#define GROUP_FINALIZER "nodegroup.autoscaler.vpsie.com/finalizer"

static struct api_answer update_intention(struct sim *sim, const struct command *command)
{
    const char *space = command->update_intention.space, *name = command->update_intention.name;
    struct api_answer answer = merge(sim, API_VPSIENODE, space, name, false, patch_of_update(command));
    if (!API_OK(answer) || command->update_intention.finalizer == TRISTATE_UNSET)
        return answer;
    return put_finalizer(sim, API_VPSIENODE, space, name, NODE_FINALIZER,
                         command->update_intention.finalizer == TRISTATE_TRUE);
}

static struct api_answer mark_node(struct sim *sim, const struct command *command, bool cordon)
{
    const struct api_object *node = api_find(sim->world->api, API_NODE, "", command->cordon.node_name);
    if (node == NULL)
        return api_get(sim->world->api, API_NODE, "", command->cordon.node_name);
    cJSON *patch = cordon ? patch_of_cordon(node->document->json, command->cordon.reason)
                          : patch_of_uncordon(node->document->json);
    return merge(sim, API_NODE, "", command->cordon.node_name, false, patch);
}

static struct api_answer label_node(struct sim *sim, const struct command *command)
{
    const struct api_object *node = api_find(sim->world->api, API_NODE, "", command->label_node.node_name);
    if (node == NULL)
        return api_get(sim->world->api, API_NODE, "", command->label_node.node_name);
    return merge(sim, API_NODE, "", command->label_node.node_name, false,
                 patch_of_labels(node->document->json, command));
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
    case COMMAND_KUBE_CREATE_INTENTION:
        answer = api_create(api, API_VPSIENODE, command->create_intention.facts->space,
                            document_of_intention(command));
        break;
    case COMMAND_KUBE_UPDATE_INTENTION: answer = update_intention(sim, command); break;
    case COMMAND_KUBE_INTENTION_STATUS:
        answer = merge(sim, API_VPSIENODE, command->intention_status.space, command->intention_status.name,
                       true, patch_of_intention_status(command));
        break;
    case COMMAND_KUBE_DELETE_INTENTION:
        deletes = true;
        answer =
            api_delete(api, API_VPSIENODE, command->delete_intention.space, command->delete_intention.name,
                       (struct api_preconditions){.uid = command->delete_intention.uid}, -1);
        break;
    case COMMAND_KUBE_GROUP_STATUS:
        answer = merge(sim, API_NODEGROUP, command->group_status.space, command->group_status.name, true,
                       patch_of_group_status(command));
        break;
    case COMMAND_KUBE_GROUP_FINALIZER:
        answer =
            put_finalizer(sim, API_NODEGROUP, command->group_finalizer.space, command->group_finalizer.name,
                          GROUP_FINALIZER, command->group_finalizer.present);
        break;
    case COMMAND_KUBE_CORDON: answer = mark_node(sim, command, true); break;
    case COMMAND_KUBE_UNCORDON: answer = mark_node(sim, command, false); break;
    case COMMAND_KUBE_LABEL_NODE: answer = label_node(sim, command); break;
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

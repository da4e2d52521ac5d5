// The node lifecycle controller: taints that follow readiness, pods that do not tolerate them for ever; and
// PodGC, for the pods of nodes that are no more.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/world/kubernetes.h"
#include "tests/world/parts.h"

#define NOT_READY   "node.kubernetes.io/not-ready"
#define UNREACHABLE "node.kubernetes.io/unreachable"

static bool has_execute_taint(const cJSON *node)
{
    return taint_find(node, NOT_READY, "NoExecute") != NULL ||
           taint_find(node, UNREACHABLE, "NoExecute") != NULL;
}

static bool has_schedule_taint(const cJSON *node)
{
    return taint_find(node, NOT_READY, "NoSchedule") != NULL ||
           taint_find(node, UNREACHABLE, "NoSchedule") != NULL;
}

// A pod has borne its node's NoExecute taints for as long as it tolerates them.
static void runs_out(void *context, const char *subject, int64_t number)
{
    struct world *world = context;
    (void)number;
    AUTOFREE char *space = xstrdup(subject);
    char *name = strchr(space, '/');
    assert(name != NULL);
    *name++ = 0;
    char *uid = strchr(name, '/');
    assert(uid != NULL);
    *uid++ = 0;
    const struct api_object *pod = api_find(world->api, API_POD, space, name);
    if (pod == NULL || strcmp(pod->uid, uid) != 0 || pod_is_leaving(pod->document->json))
        return;
    const struct api_object *node = api_find(world->api, API_NODE, "", pod->node_name);
    if (node == NULL || !has_execute_taint(node->document->json))
        return;
    api_delete(world->api, API_POD, space, name, (struct api_preconditions){.uid = uid}, -1);
}

static void start_clocks(struct world *world, const char *node_name, const cJSON *taints)
{
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, NULL);
    for (size_t i = 0; i < pods.count; i++) {
        const struct api_object *pod = &pods.items[i];
        int64_t seconds = -1;
        if (strcmp(pod->node_name, node_name) != 0)
            continue;
        if (!taints_tolerated(pod->document->json, taints, false, true, &seconds))
            seconds = 0;
        if (seconds < 0)
            continue;
        char subject[600];
        snprintf(subject, sizeof subject, "%s/%s/%s", pod->space, pod->name, pod->uid);
        world_after(world, seconds * 1000, runs_out, world, subject, 0);
    }
}

static void taint_by_readiness(struct world *world, const struct api_object *object)
{
    const char *status = json_text(condition_get(object->document->json, "Ready"), "status");
    bool had = has_execute_taint(object->document->json);
    if (strcmp(status, "True") == 0 && !had && !has_schedule_taint(object->document->json))
        return;
    cJSON *node = api_copy(object);
    const char *wanted = strcmp(status, "True") == 0      ? NULL
                         : strcmp(status, "Unknown") == 0 ? UNREACHABLE
                                                          : NOT_READY;
    const char *keys[] = {NOT_READY, UNREACHABLE};
    for (size_t i = 0; i < 2; i++) {
        if (wanted != NULL && strcmp(keys[i], wanted) == 0) {
            taint_put(node, keys[i], "NoSchedule");
            taint_put(node, keys[i], "NoExecute");
        } else {
            taint_drop(node, keys[i], "NoSchedule");
            taint_drop(node, keys[i], "NoExecute");
        }
    }
    AUTOJSON cJSON *taints = cJSON_Duplicate(json_at(node, "spec.taints"), true);
    bool begins = !had && has_execute_taint(node);
    AUTOFREE char *name = xstrdup(object->name);
    api_put(world->api, object, node);
    if (begins)
        start_clocks(world, name, taints);
}

static void collect_pods(void *context, const char *node_name, int64_t number)
{
    (void)number;
    struct world *world = context;
    if (api_find(world->api, API_NODE, "", node_name) != NULL)
        return;
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, NULL);
    for (size_t i = 0; i < pods.count; i++) {
        if (strcmp(pods.items[i].node_name, node_name) == 0)
            api_delete(world->api, API_POD, pods.items[i].space, pods.items[i].name,
                       (struct api_preconditions){.uid = pods.items[i].uid}, 0);
    }
}

void node_lifecycle_run(struct world *world)
{
    AUTOLIST struct api_list nodes = api_snapshot(world->api, API_NODE, NULL);
    for (size_t i = 0; i < nodes.count; i++)
        taint_by_readiness(world, &nodes.items[i]);
}

void node_lifecycle_noticed(struct world *world, const struct api_change *change)
{
    if (change->kind == API_NODE && change->type == API_DELETED)
        world_after(world, world->settings.pod_gc_ms, collect_pods, world,
                    json_text(change->now->json, "metadata.name"), 0);
}

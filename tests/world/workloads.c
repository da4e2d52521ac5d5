// The controllers of workloads: Deployments make ReplicaSets, ReplicaSets, DaemonSets and Jobs make pods;
// what has lost its owner is collected.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/world/kubernetes.h"
#include "tests/world/parts.h"

// A pod of a controller's template. `node_name` (may be NULL): for this node only, as DaemonSets do it.
static void make_pod(struct world *world, const struct api_object *owner, const char *node_name)
{
    const cJSON *template = json_at(owner->document->json, "spec.template");
    AUTOFREE char *space = xstrdup(owner->space);
    cJSON *pod = cJSON_Duplicate(template, true);
    char prefix[280];
    snprintf(prefix, sizeof prefix, "%s-", owner->name);
    json_set_text(pod, "metadata.generateName", prefix);
    json_set(pod, "metadata.ownerReferences", owner_reference(owner));
    if (node_name != NULL) {
        json_set(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
                 json_of("{'nodeSelectorTerms':[{'matchFields':[{'key':'metadata.name','operator':'In',"
                         "'values':['%s']}]}]}",
                         node_name));
    }
    api_create(world->api, API_POD, space, pod);
}

static void run_deployments(struct world *world)
{
    AUTOLIST struct api_list deployments = api_snapshot(world->api, API_DEPLOYMENT, NULL);
    for (size_t i = 0; i < deployments.count; i++) {
        const struct api_object *deployment = &deployments.items[i];
        const cJSON *json = deployment->document->json;
        char name[280];
        snprintf(name, sizeof name, "%s-%08x", deployment->name,
                 (unsigned)strtoul(deployment->uid, NULL, 16));
        const struct api_object *set = api_find(world->api, API_REPLICASET, deployment->space, name);
        if (set == NULL) {
            cJSON *made = cJSON_CreateObject();
            json_set_text(made, "metadata.name", name);
            json_set(made, "metadata.ownerReferences", owner_reference(deployment));
            json_set(made, "spec", cJSON_Duplicate(json_key(json, "spec"), true));
            api_create(world->api, API_REPLICASET, deployment->space, made);
            continue;
        }
        if (json_equal(json_key(set->document->json, "spec"), json_key(json, "spec")))
            continue;
        cJSON *wanted = api_copy(set);
        json_set(wanted, "spec", cJSON_Duplicate(json_key(json, "spec"), true));
        api_put(world->api, set, wanted);
    }
}

// Which of two pods a ReplicaSet gives up first: the one that is not bound, the one not ready, the younger.
static int surplus_order(const void *left, const void *right)
{
    const cJSON *a = (*(const struct api_object *const *)left)->document->json;
    const cJSON *b = (*(const struct api_object *const *)right)->document->json;
    int a_rank = (json_text(a, "spec.nodeName")[0] != 0) + pod_is_ready(a);
    int b_rank = (json_text(b, "spec.nodeName")[0] != 0) + pod_is_ready(b);
    if (a_rank != b_rank)
        return a_rank - b_rank;
    int order =
        strcmp(json_text(b, "metadata.creationTimestamp"), json_text(a, "metadata.creationTimestamp"));
    return order != 0 ? order : strcmp(json_text(a, "metadata.name"), json_text(b, "metadata.name"));
}

static void run_replica_set(struct world *world, const struct api_object *set, const struct api_list *pods)
{
    const struct api_object **alive = xcalloc(pods->count + 1, sizeof *alive);
    int64_t count = 0, ready = 0, wanted = json_number(set->document->json, "spec.replicas", 0);
    for (size_t i = 0; i < pods->count; i++) {
        const cJSON *pod = pods->items[i].document->json;
        if (strcmp(pods->items[i].owner_uid, set->uid) != 0 || pod_is_over(pod) || pod_is_leaving(pod))
            continue;
        alive[count++] = &pods->items[i];
        ready += pod_is_ready(pod);
    }
    for (int64_t i = count; i < wanted; i++)
        make_pod(world, set, NULL);
    if (count > wanted) {
        qsort(alive, (size_t)count, sizeof *alive, surplus_order);
        for (int64_t i = 0; i < count - wanted; i++)
            api_delete(world->api, API_POD, alive[i]->space, alive[i]->name,
                       (struct api_preconditions){.uid = alive[i]->uid}, -1);
    }
    free(alive);
    cJSON *state = api_copy(set);
    json_set_number(state, "status.replicas", count);
    json_set_number(state, "status.readyReplicas", ready);
    json_set_number(state, "status.observedGeneration", json_number(state, "metadata.generation", 0));
    api_put(world->api, set, state);
}

static void run_job(struct world *world, const struct api_object *job, const struct api_list *pods)
{
    int64_t active = 0, succeeded = 0, wanted = json_number(job->document->json, "spec.completions", 1);
    for (size_t i = 0; i < pods->count; i++) {
        const cJSON *pod = pods->items[i].document->json;
        if (strcmp(pods->items[i].owner_uid, job->uid) != 0)
            continue;
        succeeded += strcmp(json_text(pod, "status.phase"), "Succeeded") == 0;
        active += !pod_is_over(pod) && !pod_is_leaving(pod);
    }
    for (int64_t i = active + succeeded; i < wanted; i++)
        make_pod(world, job, NULL);
    cJSON *state = api_copy(job);
    json_set_number(state, "status.active", active);
    json_set_number(state, "status.succeeded", succeeded);
    if (succeeded >= wanted)
        condition_set(world, state, "Complete", "True", "", "");
    api_put(world->api, job, state);
}

static bool daemon_wants(const struct api_object *daemonset, const cJSON *node)
{
    const cJSON *template = json_at(daemonset->document->json, "spec.template");
    const cJSON *item, *labels = json_at(node, "metadata.labels");
    cJSON_ArrayForEach(item, json_at(template, "spec.nodeSelector"))
    {
        if (strcmp(json_key_text(labels, item->string), item->valuestring) != 0)
            return false;
    }
    return taints_tolerated(template, json_at(node, "spec.taints"), true, true, NULL);
}

// The node that a DaemonSet's pod is meant for.
static const char *daemon_node(const cJSON *pod)
{
    const cJSON *terms = json_at(pod, "spec.affinity.nodeAffinity."
                                      "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
    const cJSON *field = cJSON_GetArrayItem(json_at(cJSON_GetArrayItem(terms, 0), "matchFields"), 0);
    const cJSON *value = cJSON_GetArrayItem(json_at(field, "values"), 0);
    return cJSON_IsString(value) ? value->valuestring : "";
}

static void run_daemonset(struct world *world, const struct api_object *daemonset,
                          const struct api_list *pods, const struct api_list *nodes)
{
    int64_t desired = 0;
    bool *served = xcalloc(nodes->count + 1, sizeof *served);
    for (size_t i = 0; i < pods->count; i++) {
        const struct api_object *pod = &pods->items[i];
        if (strcmp(pod->owner_uid, daemonset->uid) != 0 || pod_is_over(pod->document->json))
            continue;
        const char *node_name = daemon_node(pod->document->json);
        bool known = false;
        for (size_t n = 0; n < nodes->count; n++) {
            bool this_one = strcmp(nodes->items[n].name, node_name) == 0;
            served[n] = served[n] || this_one;
            known = known || this_one;
        }
        if (!known && !pod_is_leaving(pod->document->json))
            api_delete(world->api, API_POD, pod->space, pod->name,
                       (struct api_preconditions){.uid = pod->uid}, -1);
    }
    for (size_t n = 0; n < nodes->count; n++) {
        if (!daemon_wants(daemonset, nodes->items[n].document->json))
            continue;
        desired++;
        if (!served[n])
            make_pod(world, daemonset, nodes->items[n].name);
    }
    free(served);
    cJSON *state = api_copy(daemonset);
    json_set_number(state, "status.desiredNumberScheduled", desired);
    api_put(world->api, daemonset, state);
}

// --------------------------------------------------------------------------------- garbage collection

static bool owner_is_there(const struct world *world, const char *space, const cJSON *reference)
{
    const char *kind = json_text(reference, "kind"), *name = json_text(reference, "name");
    for (unsigned k = 0; k < API_KIND_COUNT; k++) {
        const struct api_kind_info *info = api_kind_info((enum api_kind)k);
        if (strcmp(info->kind, kind) != 0)
            continue;
        const struct api_object *owner =
            api_find(world->api, (enum api_kind)k, info->namespaced ? space : "", name);
        return owner != NULL && strcmp(owner->uid, json_text(reference, "uid")) == 0;
    }
    return true; // a kind that this world does not know
}

static void collect(struct world *world, enum api_kind kind)
{
    AUTOLIST struct api_list objects = api_snapshot(world->api, kind, NULL);
    for (size_t i = 0; i < objects.count; i++) {
        const cJSON *reference, *json = objects.items[i].document->json;
        const cJSON *references = json_at(json, "metadata.ownerReferences");
        bool orphan = cJSON_GetArraySize(references) > 0 && !pod_is_leaving(json);
        cJSON_ArrayForEach(reference, references)
        {
            orphan = orphan && !owner_is_there(world, objects.items[i].space, reference);
        }
        if (orphan)
            api_delete(world->api, kind, objects.items[i].space, objects.items[i].name,
                       (struct api_preconditions){.uid = objects.items[i].uid}, -1);
    }
}

void workloads_run(struct world *world)
{
    collect(world, API_REPLICASET);
    collect(world, API_POD);
    collect(world, API_CLAIM);
    collect(world, API_CSI_NODE);
    collect(world, API_VPSIENODE);
    run_deployments(world);
    AUTOLIST struct api_list sets = api_snapshot(world->api, API_REPLICASET, NULL);
    AUTOLIST struct api_list jobs = api_snapshot(world->api, API_JOB, NULL);
    AUTOLIST struct api_list daemonsets = api_snapshot(world->api, API_DAEMONSET, NULL);
    AUTOLIST struct api_list nodes = api_snapshot(world->api, API_NODE, NULL);
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, NULL);
    for (size_t i = 0; i < sets.count; i++)
        run_replica_set(world, &sets.items[i], &pods);
    for (size_t i = 0; i < jobs.count; i++)
        run_job(world, &jobs.items[i], &pods);
    for (size_t i = 0; i < daemonsets.count; i++)
        run_daemonset(world, &daemonsets.items[i], &pods, &nodes);
}

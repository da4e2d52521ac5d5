#include "tests/manifests/cluster/kubelets.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "tests/manifests/cluster/programs.h"
#include "tests/manifests/cluster/service.h"
#include "tests/world/json.h"

#define LOOK_EVERY_MS 250
#define BEAT_EVERY_MS 5000

static void put_time(cJSON *object, const char *key)
{
    json_set_time(object, key, clock_wall_ms());
}

// ---------------------------------------------------------------------------------------------- nodes

struct machine_seen { // copied out of the world under its lock
    char node[80];
    int64_t size_id;
    cJSON *document; // the Node as the played kubelet has it
};

static int copy_machines(struct stage *stage, struct machine_seen *out)
{
    int count = 0;
    stage_lock(stage);
    for (size_t i = 0; i < stage->world->cloud->machine_count && count < KUBELETS_NODES_MAX; i++) {
        const struct cloud_machine *machine = stage->world->cloud->machines[i];
        const struct api_object *node = api_find(stage->world->api, API_NODE, "", machine->node_name);
        if (machine->gone || !machine->registered || !machine->alive || node == NULL) {
            continue;
        }
        struct machine_seen *seen = &out[count++];
        snprintf(seen->node, sizeof seen->node, "%.79s", machine->node_name);
        seen->size_id = machine->size_id;
        seen->document = api_copy(node);
    }
    stage_unlock(stage);
    return count;
}

static struct kubelet_node *node_of(struct kubelets *kubelets, const char *name)
{
    for (int i = 0; i < kubelets->node_count; i++) {
        if (strcmp(kubelets->nodes[i].name, name) == 0) {
            return &kubelets->nodes[i];
        }
    }
    return NULL;
}

static struct kubelet_node *add_node(struct kubelets *kubelets, const struct machine_seen *machine)
{
    if (kubelets->node_count == KUBELETS_NODES_MAX) {
        return NULL;
    }
    struct kubelet_node *node = &kubelets->nodes[kubelets->node_count++];
    *node = (struct kubelet_node){0};
    snprintf(node->name, sizeof node->name, "%.79s", machine->node);
    struct stage *stage = kubelets->cluster->stage;
    stage_lock(stage);
    const struct cloud_size *size = cloud_size_by_id(stage->world, machine->size_id);
    int cpu_count = size != NULL ? size->cpu : 4;
    int64_t memory_bytes = (size != NULL ? size->memory_mb : 8192) << 20;
    stage_unlock(stage);
    AUTOFREE char *root = xprintf("%s/host-%s", stage->dir, machine->node);
    host_tree_create(&node->tree, root, cpu_count, memory_bytes);
    return node;
}

// As a kubelet registers: with its labels and a status that says not ready.
static void register_node(struct kubelets *kubelets, const struct machine_seen *machine)
{
    AUTOJSON cJSON *node =
        json_of("{'apiVersion':'v1','kind':'Node','metadata':{'name':'%s'}}", machine->node);
    json_set(node, "metadata.labels", cJSON_Duplicate(json_at(machine->document, "metadata.labels"), true));
    json_set(node, "status", cJSON_Duplicate(json_at(machine->document, "status"), true));
    const cJSON *taint;
    cJSON *taints = cJSON_CreateArray();
    cJSON_ArrayForEach(taint, json_at(machine->document, "spec.taints"))
    {
        if (strcmp(json_text(taint, "key"), "node.kubernetes.io/not-ready") != 0) { // the API server's to set
            cJSON_AddItemToArray(taints, cJSON_Duplicate(taint, true));
        }
    }
    json_set(node, "spec.taints", taints);
    AUTOFREE char *body = cJSON_PrintUnformatted(node);
    int status = 0;
    AUTOJSON cJSON *answer = cluster_ask(&kubelets->client, "POST", "/api/v1/nodes", body, &status);
    if (status != 201) {
        fprintf(stderr, "kubelets: node %s: %d %s\n", machine->node, status, json_text(answer, "message"));
    }
}

static bool is_ready(const cJSON *node)
{
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_at(node, "status.conditions"))
    {
        if (strcmp(json_text(condition, "type"), "Ready") == 0) {
            return strcmp(json_text(condition, "status"), "True") == 0;
        }
    }
    return false;
}

static void tell_status(struct kubelets *kubelets, struct kubelet_node *node, const cJSON *document)
{
    bool ready = is_ready(document);
    if (ready == node->ready && clock_monotonic_ms() < node->told_ms + BEAT_EVERY_MS) {
        return;
    }
    AUTOJSON cJSON *patch = json_of("{'status':{}}");
    cJSON *conditions = cJSON_Duplicate(json_at(document, "status.conditions"), true), *condition;
    cJSON_ArrayForEach(condition, conditions)
    {
        put_time(condition, "lastHeartbeatTime");
    }
    json_set(patch, "status.conditions", conditions);
    AUTOFREE char *body = cJSON_PrintUnformatted(patch);
    AUTOFREE char *path = xprintf("/api/v1/nodes/%s/status", node->name);
    int status = 0;
    cJSON_Delete(cluster_ask(&kubelets->client, "PATCH", path, body, &status));
    if (status == 200) {
        node->ready = ready;
        node->told_ms = clock_monotonic_ms();
    }
}

static bool is_listed(const cJSON *list, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, json_at(list, "items"))
    {
        if (strcmp(json_text(item, "metadata.name"), name) == 0) {
            return true;
        }
    }
    return false;
}

static void look_at_nodes(struct kubelets *kubelets, const struct machine_seen *machines, int count)
{
    int status = 0;
    AUTOJSON cJSON *listed = cluster_ask(&kubelets->client, "GET", "/api/v1/nodes", NULL, &status);
    for (int i = 0; i < count && status == 200; i++) {
        struct kubelet_node *node = node_of(kubelets, machines[i].node);
        if (node == NULL && (node = add_node(kubelets, &machines[i])) != NULL) {
            register_node(kubelets, &machines[i]);
        } else if (node != NULL && is_listed(listed, node->name)) {
            tell_status(kubelets, node, machines[i].document);
        }
    }
    for (int i = kubelets->node_count - 1; i >= 0; i--) { // a machine that is gone says nothing more
        bool there = false;
        for (int m = 0; m < count; m++) {
            there = there || strcmp(machines[m].node, kubelets->nodes[i].name) == 0;
        }
        if (!there) {
            programs_end_on(kubelets, kubelets->nodes[i].name);
            kubelets->nodes[i] = kubelets->nodes[--kubelets->node_count];
        }
    }
}

// ---------------------------------------------------------------------------------------------- pods

static void tell_running(struct kubelets *kubelets, const cJSON *pod, const char *path, const char *ip)
{
    static const char *const types[] = {"PodScheduled", "Initialized", "ContainersReady", "Ready"};
    AUTOJSON cJSON *patch = json_of("{'status':{'phase':'Running','podIP':'%s','podIPs':[{'ip':'%s'}],"
                                    "'conditions':[],'containerStatuses':[]}}",
                                    ip, ip);
    put_time(patch, "status.startTime");
    for (size_t i = 0; i < 4; i++) {
        cJSON *condition = json_of("{'type':'%s','status':'True'}", types[i]);
        put_time(condition, "lastTransitionTime");
        cJSON_AddItemToArray(json_at(patch, "status.conditions"), condition);
    }
    const cJSON *container;
    cJSON_ArrayForEach(container, json_at(pod, "spec.containers"))
    {
        cJSON *status = json_of("{'name':'%s','image':'%s','imageID':'sha256:0','ready':true,'started':true,"
                                "'restartCount':0,'state':{'running':{}}}",
                                json_text(container, "name"), json_text(container, "image"));
        put_time(json_at(status, "state.running"), "startedAt");
        cJSON_AddItemToArray(json_at(patch, "status.containerStatuses"), status);
    }
    AUTOFREE char *body = cJSON_PrintUnformatted(patch);
    AUTOFREE char *status_path = xprintf("%s/status", path);
    cJSON_Delete(cluster_ask(&kubelets->client, "PATCH", status_path, body, NULL));
}

static void end_pod(struct kubelets *kubelets, const cJSON *pod, const char *path)
{
    if (!programs_end(kubelets, json_text(pod, "metadata.uid"))) {
        return; // it is still busy with ending
    }
    AUTOFREE char *body = xprintf("{\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%s\"}}",
                                  json_text(pod, "metadata.uid"));
    cJSON_Delete(cluster_ask(&kubelets->client, "DELETE", path, body, NULL));
}

static void look_at_pod(struct kubelets *kubelets, const cJSON *pod)
{
    struct kubelet_node *node = node_of(kubelets, json_text(pod, "spec.nodeName"));
    if (node == NULL) {
        return;
    }
    const char *uid = json_text(pod, "metadata.uid");
    AUTOFREE char *path = xprintf("/api/v1/namespaces/%s/pods/%s", json_text(pod, "metadata.namespace"),
                                  json_text(pod, "metadata.name"));
    if (json_at(pod, "metadata.deletionTimestamp") != NULL) {
        host_tree_remove_pod(&node->tree, uid);
        end_pod(kubelets, pod, path);
    } else if (strcmp(json_text(pod, "status.phase"), "Pending") == 0) {
        const char *ip = programs_begin(kubelets, pod, node);
        if (ip != NULL) {
            host_tree_put_pod(&node->tree, uid, 50, 32 << 20);
            tell_running(kubelets, pod, path, ip);
        }
    }
}

static void look_at_pods(struct kubelets *kubelets)
{
    AUTOJSON cJSON *pods = cluster_ask(&kubelets->client, "GET", "/api/v1/pods", NULL, NULL);
    const cJSON *pod;
    cJSON_ArrayForEach(pod, json_at(pods, "items"))
    {
        look_at_pod(kubelets, pod);
    }
    for (int i = 0; i < kubelets->node_count; i++) {
        host_tree_tick(&kubelets->nodes[i].tree);
    }
}

static void *live(void *context)
{
    struct kubelets *kubelets = context;
    while (!atomic_load(&kubelets->stopping)) {
        struct machine_seen machines[KUBELETS_NODES_MAX];
        int count = copy_machines(kubelets->cluster->stage, machines);
        pthread_mutex_lock(&kubelets->lock);
        look_at_nodes(kubelets, machines, count);
        look_at_pods(kubelets);
        programs_watch(kubelets);
        pthread_mutex_unlock(&kubelets->lock);
        for (int i = 0; i < count; i++) {
            cJSON_Delete(machines[i].document);
        }
        clock_sleep_ms(LOOK_EVERY_MS);
    }
    return NULL;
}

void kubelets_start(struct kubelets *kubelets, struct cluster *cluster)
{
    memset(kubelets, 0, sizeof *kubelets);
    kubelets->cluster = cluster;
    pthread_mutex_init(&kubelets->lock, NULL);
    cluster_client_open(&kubelets->client, cluster);
    kubelets->service = service_start(kubelets);
    if (pthread_create(&kubelets->thread, NULL, live, kubelets) != 0) {
        abort();
    }
}

void kubelets_stop(struct kubelets *kubelets)
{
    atomic_store(&kubelets->stopping, true);
    pthread_join(kubelets->thread, NULL);
    for (int i = kubelets->node_count - 1; i >= 0; i--) {
        programs_end_on(kubelets, kubelets->nodes[i].name);
    }
    service_stop(kubelets->service);
    cluster_client_close(&kubelets->client);
    pthread_mutex_destroy(&kubelets->lock);
}

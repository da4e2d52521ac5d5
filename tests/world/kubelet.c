// Kubelets: register a Node when the machine has booted, make it Ready, start pods, end pods, fall silent
// when the machine stops.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"
#include "tests/world/cloud.h"
#include "tests/world/kubernetes.h"
#include "tests/world/parts.h"

static cJSON *new_node(struct world *world, const struct cloud_machine *machine)
{
    const struct cloud_size *size = cloud_size_by_id(world, machine->size_id);
    const struct cloud_site *cluster = cloud_cluster_find(world, machine->cluster);
    int32_t cpu = size == NULL ? 4 : size->cpu;
    int64_t memory_mb = size == NULL ? 8192 : size->memory_mb, disk_gb = size == NULL ? 80 : size->disk_gb;
    cJSON *node = json_of(
        "{'metadata':{'name':'%s','labels':{'kubernetes.io/hostname':'%s','kubernetes.io/arch':'amd64',"
        "'kubernetes.io/os':'linux','topology.kubernetes.io/zone':'%s'},'annotations':{}},'spec':{},"
        "'status':{'capacity':{'cpu':'%d','memory':'%lldMi','ephemeral-storage':'%lldGi','pods':'110'},"
        "'allocatable':{'cpu':'%dm','memory':'%lldMi','ephemeral-storage':'%lldGi','pods':'110'},"
        "'addresses':[{'type':'InternalIP','address':'%s'},{'type':'ExternalIP','address':'%s'},"
        "{'type':'Hostname','address':'%s'}],"
        "'nodeInfo':{'kubeletVersion':'v1.31.2','architecture':'amd64','operatingSystem':'linux'}}}",
        machine->node_name, machine->node_name, cluster == NULL ? "" : cluster->datacenter, cpu,
        (long long)memory_mb, (long long)disk_gb, cpu * 1000 - 100, (long long)(memory_mb - 512),
        (long long)(disk_gb - 10), machine->private_ip, machine->default_ip, machine->node_name);
    if (size != NULL)
        json_put(json_at(node, "metadata.labels"), "node.kubernetes.io/instance-type",
                 cJSON_CreateString(size->name));
    if (machine->master) {
        json_put(json_at(node, "metadata.labels"), "node-role.kubernetes.io/control-plane",
                 cJSON_CreateString(""));
        taint_put(node, "node-role.kubernetes.io/control-plane", "NoSchedule");
    }
    taint_put(node, "node.kubernetes.io/not-ready", "NoSchedule");
    if (world->settings.cni_taint[0] != 0)
        taint_put(node, world->settings.cni_taint, "NoSchedule");
    condition_set(world, node, "Ready", "False", "KubeletNotReady", "container runtime network not ready");
    return node;
}

static void tell_volumes_max(struct world *world, const char *node_name)
{
    const struct api_object *node = api_find(world->api, API_NODE, "", node_name);
    if (world->settings.volumes_max <= 0 || api_find(world->api, API_CSI_NODE, "", node_name) != NULL)
        return;
    cJSON *csi_node = json_of("{'metadata':{'name':'%s'},'spec':{'drivers':[{'name':'" CSI_DRIVER
                              "','nodeID':'%s','allocatable':{'count':%d}}]}}",
                              node_name, node_name, world->settings.volumes_max);
    json_set(csi_node, "metadata.ownerReferences", owner_reference(node));
    api_create(world->api, API_CSI_NODE, "", csi_node);
}

// The machine whose kubelet speaks for a node now.
static struct cloud_machine *speaker(struct world *world, const char *node_name)
{
    struct cloud_machine *machine = cloud_machine_by_node(world, node_name);
    return machine != NULL && machine->alive && machine->registered ? machine : NULL;
}

static void network_is_up(void *context, const char *node_name, int64_t number)
{
    (void)number;
    struct world *world = context;
    const struct api_object *object = api_find(world->api, API_NODE, "", node_name);
    if (object == NULL || speaker(world, node_name) == NULL)
        return;
    cJSON *node = api_copy(object);
    taint_drop(node, world->settings.cni_taint, "NoSchedule");
    api_put(world->api, object, node);
}

// After an outage the pods that still run are ready again.
static void pods_are_back(struct world *world, const char *node_name)
{
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, NULL);
    for (size_t i = 0; i < pods.count; i++) {
        const cJSON *present = pods.items[i].document->json;
        if (strcmp(json_text(present, "spec.nodeName"), node_name) != 0 ||
            strcmp(json_text(condition_get(present, "Ready"), "reason"), "NodeNotReady") != 0)
            continue;
        cJSON *pod = api_copy(&pods.items[i]);
        condition_set(world, pod, "Ready", "True", "", "");
        api_put(world->api, &pods.items[i], pod);
    }
}

static void becomes_ready(void *context, const char *node_name, int64_t number)
{
    struct world *world = context;
    const struct api_object *object = api_find(world->api, API_NODE, "", node_name);
    if (object == NULL || speaker(world, node_name) == NULL)
        return;
    cJSON *node = api_copy(object);
    condition_set(world, node, "Ready", "True", "KubeletReady", "kubelet is posting ready status");
    if (number == 1) {
        taint_drop(node, "node.kubernetes.io/not-ready", "NoSchedule");
        taint_drop(node, world->settings.cni_taint, "NoSchedule");
    }
    api_put(world->api, object, node);
    pods_are_back(world, node_name);
    if (number == 0 && world->settings.cni_taint[0] != 0)
        world_after(world, world_draw(world, world->settings.cni), network_is_up, world, node_name, 0);
}

static void heartbeat(void *context, const char *node_name, int64_t number)
{
    (void)number;
    struct world *world = context;
    const struct api_object *object = api_find(world->api, API_NODE, "", node_name);
    if (object == NULL || cloud_machine_by_node(world, node_name) == NULL)
        return;
    if (speaker(world, node_name) != NULL) {
        cJSON *node = api_copy(object);
        cJSON *condition = (cJSON *)(uintptr_t)condition_get(node, "Ready");
        json_put(condition, "lastHeartbeatTime", world_time(world));
        api_put(world->api, object, node);
    }
    world_after(world, world->settings.status_every_ms, heartbeat, world, node_name, 0);
}

void kubelet_boot(void *context, const char *identifier, int64_t number)
{
    struct world *world = context;
    struct cloud_machine *machine = cloud_machine_find(world, identifier);
    assert(machine != NULL);
    if (machine->gone || machine->leaving || machine->registered || !machine->joins)
        return;
    machine->alive = machine->registered = true;
    if (api_find(world->api, API_NODE, "", machine->node_name) != NULL)
        return;
    struct api_answer answer = api_create(world->api, API_NODE, "", new_node(world, machine));
    assert(API_OK(answer));
    (void)answer;
    tell_volumes_max(world, machine->node_name);
    if (number == 1)
        becomes_ready(world, machine->node_name, 1);
    else
        world_after(world, world_draw(world, world->settings.ready), becomes_ready, world, machine->node_name,
                    0);
    if (world->settings.status_every_ms > 0)
        world_after(world, random_between(&world->random, 1000, world->settings.status_every_ms), heartbeat,
                    world, machine->node_name, 0);
}

// ----------------------------------------------------------------------------------------------- pods

// A pod by "space/name/uid"; NULL when that very pod is no longer there.
static const struct api_object *that_pod(const struct world *world, const char *subject)
{
    char space[260], name[260];
    const char *slash = strchr(subject, '/'), *last = strrchr(subject, '/');
    snprintf(space, sizeof space, "%.*s", (int)(slash - subject), subject);
    snprintf(name, sizeof name, "%.*s", (int)(last - slash - 1), slash + 1);
    const struct api_object *pod = api_find(world->api, API_POD, space, name);
    return pod != NULL && strcmp(pod->uid, last + 1) == 0 ? pod : NULL;
}

static const char *use(const cJSON *pod, const char *key)
{
    return json_key_text(json_at(pod, "metadata.annotations"), key);
}

static void pod_finishes(void *context, const char *subject, int64_t number)
{
    (void)number;
    struct world *world = context;
    const struct api_object *object = that_pod(world, subject);
    if (object == NULL || speaker(world, object->node_name) == NULL)
        return;
    cJSON *pod = api_copy(object);
    json_set_text(pod, "status.phase", "Succeeded");
    condition_set(world, pod, "Ready", "False", "PodCompleted", "");
    api_put(world->api, object, pod);
}

struct attaching {
    struct world *world;
    const char *node_name;
};

static void attach_one(void *context, const char *volume)
{
    const struct attaching *attaching = context;
    char name[900];
    snprintf(name, sizeof name, "csi-%s-%s", volume, attaching->node_name);
    if (api_find(attaching->world->api, API_ATTACHMENT, "", name) != NULL)
        return;
    api_create(attaching->world->api, API_ATTACHMENT, "",
               json_of("{'metadata':{'name':'%s'},'spec':{'attacher':'" CSI_DRIVER "','nodeName':'%s',"
                       "'source':{'persistentVolumeName':'%s'}},'status':{'attached':true}}",
                       name, attaching->node_name, volume));
}

static void attach(struct world *world, const cJSON *pod)
{
    struct attaching attaching = {world, json_text(pod, "spec.nodeName")};
    storage_volumes(world, pod, attach_one, &attaching);
}

static void pod_starts(void *context, const char *subject, int64_t number)
{
    (void)number;
    struct world *world = context;
    const struct api_object *object = that_pod(world, subject);
    if (object == NULL || pod_is_leaving(object->document->json) ||
        strcmp(json_text(object->document->json, "status.phase"), "Pending") != 0 ||
        speaker(world, object->node_name) == NULL)
        return;
    cJSON *pod = api_copy(object);
    json_set_text(pod, "status.phase", "Running");
    json_set(pod, "status.startTime", world_time(world));
    condition_set(world, pod, "Initialized", "True", "", "");
    condition_set(world, pod, "ContainersReady", "True", "", "");
    condition_set(world, pod, "Ready", "True", "", "");
    const char *run = use(pod, USE_RUN_SECONDS);
    if (run[0] != 0)
        world_after(world, quantity_units(run) * 1000, pod_finishes, world, subject, 0);
    attach(world, pod);
    api_put(world->api, that_pod(world, subject), pod);
}

static void pod_ends(void *context, const char *subject, int64_t number)
{
    (void)number;
    struct world *world = context;
    const struct api_object *object = that_pod(world, subject);
    if (object == NULL || speaker(world, object->node_name) == NULL)
        return;
    char space[260], name[260];
    snprintf(space, sizeof space, "%s", object->space);
    snprintf(name, sizeof name, "%s", object->name);
    api_delete(world->api, API_POD, space, name, (struct api_preconditions){.uid = strrchr(subject, '/') + 1},
               0);
}

static void pod_noticed(struct world *world, const struct api_change *change)
{
    const cJSON *now = change->now->json, *before = change->before == NULL ? NULL : change->before->json;
    char subject[600];
    snprintf(subject, sizeof subject, "%s/%s/%s", json_text(now, "metadata.namespace"),
             json_text(now, "metadata.name"), json_text(now, "metadata.uid"));
    bool bound = json_text(now, "spec.nodeName")[0] != 0;
    if (bound && json_text(before, "spec.nodeName")[0] == 0 && !pod_is_over(now))
        world_after(world, world_draw(world, world->settings.pull), pod_starts, world, subject, 0);
    if (bound && pod_is_leaving(now) &&
        strcmp(json_text(now, "metadata.deletionTimestamp"),
               json_text(before, "metadata.deletionTimestamp")) != 0) {
        int64_t grace_ms = json_number(now, "metadata.deletionGracePeriodSeconds", 30) * 1000;
        const char *told = use(now, USE_STOP_MS);
        int64_t stop_ms = told[0] != 0 ? quantity_units(told) : world_draw(world, world->settings.stop);
        world_after(world, stop_ms < grace_ms ? stop_ms : grace_ms, pod_ends, world, subject, 0);
    }
}

struct use_of_volume {
    const char *volume;
    bool found;
};

static void is_it(void *context, const char *volume)
{
    struct use_of_volume *looking = context;
    looking->found = looking->found || strcmp(looking->volume, volume) == 0;
}

static bool in_use(const struct world *world, const char *node_name, const char *volume)
{
    struct use_of_volume looking = {.volume = volume};
    for (size_t i = 0; i < api_count(world->api, API_POD) && !looking.found; i++) {
        const cJSON *pod = api_at(world->api, API_POD, i)->document->json;
        if (!pod_is_over(pod) && strcmp(json_text(pod, "spec.nodeName"), node_name) == 0)
            storage_volumes(world, pod, is_it, &looking);
    }
    return looking.found;
}

// Nobody uses the volume on that node any more: it is detached. From a dead machine it takes six minutes
// more, as Kubernetes' attach-detach controller has it.
static void detach(void *context, const char *name, int64_t number)
{
    struct world *world = context;
    const struct api_object *attachment = api_find(world->api, API_ATTACHMENT, "", name);
    if (attachment == NULL)
        return;
    const cJSON *spec = json_key(attachment->document->json, "spec");
    if (in_use(world, json_text(spec, "nodeName"), json_text(spec, "source.persistentVolumeName")))
        return;
    if (number == 0 && speaker(world, json_text(spec, "nodeName")) == NULL) {
        world_after(world, 360000, detach, world, name, 1);
        return;
    }
    AUTOFREE char *kept = xstrdup(name);
    api_delete(world->api, API_ATTACHMENT, "", kept, (struct api_preconditions){0}, 0);
}

static void detach_later(void *context, const char *volume)
{
    const struct attaching *attaching = context;
    char name[900];
    snprintf(name, sizeof name, "csi-%s-%s", volume, attaching->node_name);
    world_after(attaching->world, world_draw(attaching->world, attaching->world->settings.detach), detach,
                attaching->world, name, 0);
}

void kubelet_noticed(struct world *world, const struct api_change *change)
{
    if (change->kind != API_POD)
        return;
    if (change->type != API_DELETED)
        pod_noticed(world, change);
    const cJSON *pod = change->now->json;
    struct attaching attaching = {world, json_text(pod, "spec.nodeName")};
    if (attaching.node_name[0] != 0 && (change->type == API_DELETED || pod_is_over(pod)))
        storage_volumes(world, pod, detach_later, &attaching);
}

// ----------------------------------------------------------------------------------------------- fate

// The node controller has not heard of the kubelet for its grace.
static void falls_silent(void *context, const char *node_name, int64_t number)
{
    (void)number;
    struct world *world = context;
    const struct api_object *object = api_find(world->api, API_NODE, "", node_name);
    if (object == NULL || speaker(world, node_name) != NULL)
        return;
    cJSON *node = api_copy(object);
    condition_set(world, node, "Ready", "Unknown", "NodeStatusUnknown",
                  "Kubelet stopped posting node status.");
    api_put(world->api, object, node);
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, NULL);
    for (size_t i = 0; i < pods.count; i++) {
        if (strcmp(pods.items[i].node_name, node_name) != 0 || !pod_is_ready(pods.items[i].document->json))
            continue;
        cJSON *pod = api_copy(&pods.items[i]);
        condition_set(world, pod, "Ready", "False", "NodeNotReady", "");
        api_put(world->api, &pods.items[i], pod);
    }
}

void fate_stops_machine(struct world *world, const char *identifier)
{
    struct cloud_machine *machine = cloud_machine_find(world, identifier);
    assert(machine != NULL);
    machine->joins = false;
    if (!machine->alive)
        return;
    machine->alive = false;
    machine->died_ms = world->now_ms;
    world_after(world, world->settings.node_grace_ms, falls_silent, world, machine->node_name, 0);
}

void fate_starts_machine(struct world *world, const char *identifier)
{
    struct cloud_machine *machine = cloud_machine_find(world, identifier);
    assert(machine != NULL);
    if (machine->gone || machine->alive || !machine->registered)
        return;
    machine->alive = true;
    machine->joins = true;
    world_after(world, world_draw(world, world->settings.ready), becomes_ready, world, machine->node_name, 0);
    for (size_t i = 0; i < api_count(world->api, API_POD); i++) {
        const struct api_object *pod = api_at(world->api, API_POD, i);
        char subject[600];
        snprintf(subject, sizeof subject, "%s/%s/%s", pod->space, pod->name, pod->uid);
        if (strcmp(pod->node_name, machine->node_name) != 0)
            continue;
        timer_function next = pod_is_leaving(pod->document->json) ? pod_ends : pod_starts;
        world_after(world, world_draw(world, world->settings.pull), next, world, subject, 0);
    }
}

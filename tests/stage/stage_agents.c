#include "tests/stage/stage_agents.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/support/certificates.h"
#include "tests/world/json.h"
#include "tests/world/kubernetes.h"

#define PODS_SEEN_MAX 1024
#define STOP_LIMIT_MS 30000 // so that only what hangs is killed

struct pod_seen { // copied out of the world under its lock
    char uid[64], node[80], local_data[128];
    int64_t cpu_millis, memory_bytes;
};

static int copy_pods(struct stage *stage, struct pod_seen *out)
{
    int count = 0;
    for (size_t i = 0; i < api_count(stage->world->api, API_POD) && count < PODS_SEEN_MAX; i++) {
        const cJSON *pod = api_at(stage->world->api, API_POD, i)->document->json;
        if (strcmp(json_text(pod, "status.phase"), "Running") != 0) {
            continue;
        }
        struct pod_seen *seen = &out[count++];
        const cJSON *annotations = json_at(pod, "metadata.annotations");
        snprintf(seen->uid, sizeof seen->uid, "%s", json_text(pod, "metadata.uid"));
        snprintf(seen->node, sizeof seen->node, "%s", json_text(pod, "spec.nodeName"));
        snprintf(seen->local_data, sizeof seen->local_data, "%s", json_key_text(annotations, USE_LOCAL_DATA));
        seen->cpu_millis = strtoll(json_key_text(annotations, USE_CPU), NULL, 10);
        seen->memory_bytes = strtoll(json_key_text(annotations, USE_MEMORY), NULL, 10);
    }
    return count;
}

// tree NULL: this very host.
static void start_agent(struct stage *stage, const char *node, const struct host_tree *tree,
                        struct process *process)
{
    struct arena *arena = arena_create(4096);
    char token[512];
    stage_lock(stage);
    token_of_node(stage->world, node, token, sizeof token);
    stage_unlock(stage);
    const char *token_file = arena_printf(arena, "%s/token-%s", stage->dir, node);
    certificates_write(token_file, token);
    const char *root = tree != NULL ? tree->root : "", *rootfs = tree != NULL ? "/rootfs" : "/";
    struct process_arguments arguments = {0};
    const char *const words[] = {
        arena_printf(arena, "%s/vpsie-agent", stage->bin),
        arena_printf(arena, "--coordinator=localhost:%d", stage->agent_port[0]),
        arena_printf(arena, "--node-name=%s", node),
        arena_printf(arena, "--path.procfs=%s/proc", root),
        arena_printf(arena, "--path.sysfs=%s/sys", root),
        arena_printf(arena, "--path.rootfs=%s%s", root, rootfs),
        arena_printf(arena, "--ca-file=%s/ca.pem", stage->dir),
        arena_printf(arena, "--token-file=%s", token_file),
        "--interval=1s",
        "--listen=-",
        "--log-format=text",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        process_argument(&arguments, words[i]);
    }
    struct error error = {0};
    if (process_start(process, node, arena_printf(arena, "%s/agent-%s.log", stage->dir, node), &arguments,
                      NULL, &error) < 0) {
        fprintf(stderr, "stage: %s\n", error.text);
    }
    arena_destroy(arena);
}

static struct stage_agent *slot_of(struct stage *stage, const char *node)
{
    for (int i = 0; i < STAGE_AGENTS_MAX; i++) {
        if (stage->agents[i].used && strcmp(stage->agents[i].node, node) == 0) {
            return &stage->agents[i];
        }
    }
    return NULL;
}

struct stage_agent *stage_agent(struct stage *stage, const char *node)
{
    pthread_mutex_lock(&stage->agents_lock);
    struct stage_agent *agent = slot_of(stage, node);
    pthread_mutex_unlock(&stage->agents_lock);
    return agent;
}

struct machine_seen {
    char identifier[40], node[80];
    int64_t size_id;
};

static int copy_machines(struct stage *stage, struct machine_seen *out)
{
    int count = 0;
    const struct cloud *cloud = stage->world->cloud;
    for (size_t i = 0; i < cloud->machine_count && count < STAGE_AGENTS_MAX; i++) {
        const struct cloud_machine *machine = cloud->machines[i];
        if (machine->master || machine->gone || !machine->registered || !machine->alive) {
            continue;
        }
        snprintf(out[count].identifier, sizeof out[count].identifier, "%.39s", machine->identifier);
        snprintf(out[count].node, sizeof out[count].node, "%.79s", machine->node_name);
        out[count++].size_id = machine->size_id;
    }
    return count;
}

// What ended by itself is started again by the caller, but it is never forgotten.
static bool still_runs(struct stage *stage, struct process *process)
{
    bool ran = process->pid != 0, runs = process_alive(process);
    if (ran && !runs) {
        atomic_fetch_add(&stage->bad_ends, 1);
        fprintf(stderr, "stage: %s has ended by itself\n", process->name);
        process_print_log(process);
    }
    return runs;
}

static void match_agents(struct stage *stage, const struct machine_seen *machines, int count)
{
    for (int i = 0; i < STAGE_AGENTS_MAX; i++) {
        struct stage_agent *agent = &stage->agents[i];
        bool there = false;
        for (int m = 0; agent->used && m < count; m++) {
            there = there || strcmp(machines[m].identifier, agent->machine) == 0;
        }
        if (agent->used && !there) {
            process_stop(&agent->process, SIGKILL, 1000);
            agent->used = false;
        }
    }
    for (int m = 0; m < count; m++) {
        struct stage_agent *agent = slot_of(stage, machines[m].node);
        for (int i = 0; agent == NULL && i < STAGE_AGENTS_MAX; i++) {
            if (stage->agents[i].used) {
                continue;
            }
            agent = &stage->agents[i];
            memset(agent, 0, sizeof *agent);
            agent->used = true;
            snprintf(agent->node, sizeof agent->node, "%.79s", machines[m].node);
            snprintf(agent->machine, sizeof agent->machine, "%.39s", machines[m].identifier);
            char root[256];
            snprintf(root, sizeof root, "%.150s/host-%.60s", stage->dir, agent->node);
            const struct cloud_size *size = cloud_size_by_id(stage->world, machines[m].size_id);
            host_tree_create(&agent->tree, root, size != NULL ? size->cpu : 2,
                             size != NULL ? size->memory_mb << 20 : 4LL << 30);
        }
        if (agent != NULL && !agent->stopped && stage->agent_port[0] != 0 &&
            !still_runs(stage, &agent->process)) {
            start_agent(stage, agent->node, &agent->tree, &agent->process);
        }
    }
}

// "spool=222298112" → a file of that size in the pod's emptyDir volume, written when it changes.
static void hold_local_data(struct host_tree *tree, const struct pod_seen *pod)
{
    char volume[64];
    long long bytes = 0;
    if (sscanf(pod->local_data, "%63[^=]=%lld", volume, &bytes) == 2) {
        host_tree_local_data(tree, pod->uid, volume, bytes);
    }
}

static void match_pods(struct stage_agent *agent, const struct pod_seen *pods, int count)
{
    for (int i = agent->tree.pod_count - 1; i >= 0; i--) {
        bool there = false;
        for (int p = 0; p < count; p++) {
            there = there || (strcmp(pods[p].uid, agent->tree.pods[i].uid) == 0 &&
                              strcmp(pods[p].node, agent->node) == 0);
        }
        if (!there) {
            host_tree_remove_pod(&agent->tree, agent->tree.pods[i].uid);
        }
    }
    for (int p = 0; p < count; p++) {
        if (strcmp(pods[p].node, agent->node) == 0) {
            host_tree_put_pod(&agent->tree, pods[p].uid, pods[p].cpu_millis, pods[p].memory_bytes);
            hold_local_data(&agent->tree, &pods[p]);
        }
    }
    host_tree_tick(&agent->tree);
}

void stage_agents_tick(struct stage *stage)
{
    static struct pod_seen pods[PODS_SEEN_MAX]; // one stage thread a process
    struct machine_seen machines[STAGE_AGENTS_MAX];
    stage_lock(stage);
    int pod_count = copy_pods(stage, pods), machine_count = copy_machines(stage, machines);
    stage_unlock(stage);
    pthread_mutex_lock(&stage->agents_lock);
    match_agents(stage, machines, machine_count);
    for (int i = 0; i < STAGE_AGENTS_MAX; i++) {
        if (stage->agents[i].used) {
            match_pods(&stage->agents[i], pods, pod_count);
        }
    }
    if (stage->with_host_agent && stage->agent_port[0] != 0 && !still_runs(stage, &stage->host_agent)) {
        start_agent(stage, "master-1", NULL, &stage->host_agent);
    }
    pthread_mutex_unlock(&stage->agents_lock);
}

void stage_stop_program(struct stage *stage, struct process *process)
{
    if (!still_runs(stage, process)) {
        return;
    }
    char end[40];
    int status = process_stop(process, SIGTERM, STOP_LIMIT_MS);
    if (status != 0) {
        atomic_fetch_add(&stage->bad_ends, 1);
        fprintf(stderr, "stage: %s ended with %s when told to stop\n", process->name,
                process_end_text(status, end, sizeof end));
        process_print_log(process);
    }
}

void stage_agents_stop(struct stage *stage)
{
    stage_stop_program(stage, &stage->host_agent);
    for (int i = 0; i < STAGE_AGENTS_MAX; i++) {
        if (stage->agents[i].used) {
            stage_stop_program(stage, &stage->agents[i].process);
            stage->agents[i].used = false;
        }
    }
}

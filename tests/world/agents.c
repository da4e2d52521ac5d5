#include "tests/world/agents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "tests/world/cloud.h"
#include "tests/world/kubernetes.h"
#include "tests/world/parts.h"

#define INTERVAL_MS          10000
#define DIRECTIVE_EVERY_MS   1000
#define NODE_CPU_MILLIS      60
#define NODE_MEMORY_BYTES    (300ll * 1048576)
#define DEFAULT_CPU_PERCENT  30 // of the request, when a pod's doings are not written down
#define DEFAULT_HELD_PERCENT 50

struct agents *agents_create(void)
{
    return xcalloc(1, sizeof(struct agents));
}

static void free_names(char ***names, uint32_t *count)
{
    for (uint32_t i = 0; i < *count; i++)
        free((*names)[i]);
    free(*names);
    *names = NULL;
    *count = 0;
}

static void forget(struct agent_directive *directive)
{
    free_names(&directive->pod_uids, &directive->pod_uid_count);
    free_names(&directive->ignore_uids, &directive->ignore_uid_count);
    free_names(&directive->ignore_volumes, &directive->ignore_volume_count);
    directive->id[0] = 0;
}

void agents_destroy(struct agents *agents)
{
    if (agents == NULL)
        return;
    for (size_t i = 0; i < agents->count; i++) {
        forget(&agents->items[i]->directive);
        free(agents->items[i]);
    }
    free(agents->items);
    free(agents);
}

struct agent_model *agent_of(struct world *world, const char *node_name)
{
    struct agents *agents = world->agents;
    for (size_t i = 0; i < agents->count; i++) {
        if (strcmp(agents->items[i]->node_name, node_name) == 0)
            return agents->items[i];
    }
    agents->items = xrealloc_array(agents->items, agents->count + 1, sizeof(struct agent_model *));
    struct agent_model *agent = xcalloc(1, sizeof *agent);
    agents->items[agents->count++] = agent;
    snprintf(agent->node_name, sizeof agent->node_name, "%s", node_name);
    random_uuid(&world->random, agent->start_id);
    agent->interval_ms = INTERVAL_MS;
    return agent;
}

void agent_restart(struct world *world, const char *node_name)
{
    struct agent_model *agent = agent_of(world, node_name);
    random_uuid(&world->random, agent->start_id);
    agent->sequence = 0;
    forget(&agent->directive);
}

bool agent_speaks(struct world *world, const char *node_name)
{
    const struct cloud_machine *machine = cloud_machine_by_node(world, node_name);
    return machine != NULL && machine->alive && node_is_ready(world, node_name) &&
           !agent_of(world, node_name)->silent;
}

int64_t agent_interval_ms(struct world *world, const char *node_name)
{
    const struct agent_model *agent = agent_of(world, node_name);
    return agent->directive.id[0] != 0 ? DIRECTIVE_EVERY_MS : agent->interval_ms;
}

static char **copy_names(const char *const *names, uint32_t count)
{
    char **copy = xcalloc(count + 1u, sizeof *copy);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = xstrdup(names[i]);
    return copy;
}

void agent_prepare_drain(struct world *world, const char *node_name, const struct agent_orders *orders)
{
    struct agent_model *agent = agent_of(world, node_name);
    if (agent->deaf)
        return;
    struct agent_directive *directive = &agent->directive;
    if (strcmp(directive->id, orders->id) != 0)
        agent->directive_since_ms = world->now_ms;
    forget(directive);
    snprintf(directive->id, sizeof directive->id, "%s", orders->id);
    directive->deadline_ms = orders->deadline_ms;
    directive->pod_uids = copy_names(orders->pod_uids, orders->pod_uid_count);
    directive->pod_uid_count = orders->pod_uid_count;
    directive->ignore_uids = copy_names(orders->ignore_uids, orders->ignore_uid_count);
    directive->ignore_uid_count = orders->ignore_uid_count;
    directive->ignore_volumes = copy_names(orders->ignore_volumes, orders->ignore_volume_count);
    directive->ignore_volume_count = orders->ignore_volume_count;
}

void agent_cancel_drain(struct world *world, const char *node_name, const char *id)
{
    struct agent_model *agent = agent_of(world, node_name);
    if (!agent->deaf && strcmp(agent->directive.id, id) == 0)
        forget(&agent->directive);
}

// -------------------------------------------------------------------------------------- what it measures

static int64_t used(const cJSON *pod, const char *key, const char *resource, int64_t percent)
{
    const char *told = json_key_text(json_at(pod, "metadata.annotations"), key);
    if (told[0] != 0)
        return quantity_units(told);
    const cJSON *container, *containers = json_at(pod, "spec.containers");
    int64_t asked = 0;
    cJSON_ArrayForEach(container, containers)
    {
        const char *text = json_key_text(json_at(container, "resources.requests"), resource);
        asked += strcmp(resource, "cpu") == 0 ? quantity_millis(text) : quantity_units(text);
    }
    return asked * percent / 100;
}

static struct pod_evidence_facts evidence_of(const struct api_object *object, struct arena *arena)
{
    const cJSON *pod = object->document->json, *annotations = json_at(pod, "metadata.annotations");
    struct pod_evidence_facts evidence = {.uid = arena_strdup(arena, object->uid), .unknown = ""};
    evidence.cpu_millis = used(pod, USE_CPU, "cpu", DEFAULT_CPU_PERCENT);
    evidence.memory_bytes = used(pod, USE_MEMORY, "memory", DEFAULT_HELD_PERCENT);
    evidence.connections = quantity_units(json_key_text(annotations, USE_CONNECTIONS));
    const char *held = json_key_text(annotations, USE_LOCAL_DATA), *equals = strchr(held, '=');
    evidence.largest_volume = "";
    if (equals != NULL) {
        evidence.largest_volume = arena_strndup(arena, held, (size_t)(equals - held));
        evidence.local_data_bytes = evidence.largest_volume_bytes = quantity_units(equals + 1);
    }
    return evidence;
}

static bool named(char *const *names, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

// May this pod's local data be lost, as the directive says?
static bool data_may_go(const struct agent_directive *directive, const struct pod_evidence_facts *pod)
{
    char volume[200];
    snprintf(volume, sizeof volume, "%s/%s", pod->uid, pod->largest_volume);
    return named(directive->ignore_uids, directive->ignore_uid_count, pod->uid) ||
           named(directive->ignore_volumes, directive->ignore_volume_count, volume);
}

static struct evidence_verdict judge(const struct agent_model *agent, const struct agent_report_facts *report,
                                     bool for_directive, int64_t now_ms, struct arena *arena)
{
    const struct agent_directive *directive = &agent->directive;
    struct evidence_reason *reasons = ARENA_ARRAY(arena, struct evidence_reason, report->pod_count + 2u);
    struct evidence_verdict verdict = {.state = EVIDENCE_READY, .reasons = reasons, .evaluated_ms = now_ms};
    for (uint32_t i = 0; i < report->pod_count; i++) {
        const struct pod_evidence_facts *pod = &report->pods[i];
        bool counts = !for_directive || named(directive->pod_uids, directive->pod_uid_count, pod->uid);
        verdict.pods_remaining += for_directive && counts;
        if (!counts || pod->local_data_bytes <= 0 || (for_directive && data_may_go(directive, pod)))
            continue;
        verdict.state = EVIDENCE_BLOCKED;
        reasons[verdict.reason_count++] = (struct evidence_reason){
            .code = "local-data",
            .pod_uid = pod->uid,
            .subject = pod->largest_volume,
            .observed = (double)pod->local_data_bytes,
            .detail = arena_printf(arena, "%lld bytes in %s", (long long)pod->local_data_bytes,
                                   pod->largest_volume)};
    }
    if (agent->inhibitors > 0) {
        if (!agent->inhibitors_expire)
            verdict.state = EVIDENCE_BLOCKED;
        else if (verdict.state == EVIDENCE_READY)
            verdict.state = EVIDENCE_BUSY;
        reasons[verdict.reason_count++] = (struct evidence_reason){
            .code = "inhibitor", .pod_uid = "", .subject = "backup", .detail = "held"};
    }
    if (agent->forced && (for_directive || !agent->only_directives)) {
        verdict.state = agent->state;
        verdict.reason_count = 0;
        if (agent->state != EVIDENCE_READY)
            reasons[verdict.reason_count++] = (struct evidence_reason){
                .code = "unreadable", .pod_uid = "", .subject = "host", .detail = "told to by the story"};
    }
    return verdict;
}

static void list_pods(struct world *world, const char *node_name, struct agent_report_facts *report,
                      struct arena *arena)
{
    size_t total = api_count(world->api, API_POD);
    struct pod_evidence_facts *pods = ARENA_ARRAY(arena, struct pod_evidence_facts, total + 1);
    report->pods = pods;
    report->cpu_used_millis = NODE_CPU_MILLIS;
    report->memory_used_bytes = NODE_MEMORY_BYTES;
    for (size_t i = 0; i < total; i++) {
        const struct api_object *pod = api_at(world->api, API_POD, i);
        if (strcmp(pod->node_name, node_name) != 0 ||
            strcmp(json_text(pod->document->json, "status.phase"), "Running") != 0)
            continue;
        pods[report->pod_count] = evidence_of(pod, arena);
        report->cpu_used_millis += pods[report->pod_count].cpu_millis;
        report->memory_used_bytes += pods[report->pod_count++].memory_bytes;
    }
}

struct agent_report_facts *agent_report(struct world *world, const char *node_name, struct arena *arena)
{
    struct agent_model *agent = agent_of(world, node_name);
    struct agent_report_facts *report = ARENA_NEW(arena, struct agent_report_facts);
    if (agent->directive.id[0] != 0 && world->now_ms > agent->directive.deadline_ms)
        forget(&agent->directive);
    report->node_name = arena_strdup(arena, node_name);
    report->start_id = arena_strdup(arena, agent->start_id);
    report->sequence = ++agent->sequence;
    report->received_ms = world->now_ms;
    report->version = "world";
    const struct api_object *node = api_find(world->api, API_NODE, "", node_name);
    if (node != NULL)
        report->memory_total_bytes =
            quantity_units(json_text(node->document->json, "status.capacity.memory"));
    list_pods(world, node_name, report, arena);
    report->pods_complete = true;
    report->inhibitor_count = agent->inhibitors;
    report->verdict = judge(agent, report, false, world->now_ms, arena);
    report->directive_id = "";
    if (agent->directive.id[0] != 0 && world->now_ms >= agent->directive_since_ms + agent->answer_delay_ms) {
        report->directive_id = arena_strdup(arena, agent->directive.id);
        report->directive_verdict = judge(agent, report, true, world->now_ms, arena);
    }
    return report;
}

#include <string.h>

#include "coordinator/kube/json.h"
#include "coordinator/plan/future_parts.h"

static double real_of(const cJSON *json, const char *name)
{
    const cJSON *value = json_get(json, name);
    return cJSON_IsNumber(value) ? value->valuedouble : -1.0;
}

static enum evidence_state state_of(const char *name)
{
    static const char *const NAMES[] = {"UNKNOWN", "READY", "BUSY", "BLOCKED"};
    for (int i = 0; i < 4; i++)
        if (strcmp(NAMES[i], name) == 0)
            return (enum evidence_state)i;
    return EVIDENCE_UNKNOWN;
}

static struct evidence_verdict verdict_of(struct arena *arena, const cJSON *json)
{
    const cJSON *list = json_get(json, "reasons"), *one;
    struct evidence_reason *reasons = ARENA_ARRAY(arena, struct evidence_reason, json_count(list) + 1);
    struct evidence_verdict verdict = {.state = state_of(json_text(json, "state")),
                                       .reasons = reasons,
                                       .evaluated_ms = json_time(json, "evaluatedAt")};
    cJSON_ArrayForEach(one, list) reasons[verdict.reason_count++] =
        (struct evidence_reason){.code = json_copy(arena, one, "code"),
                                 .pod_uid = json_copy(arena, one, "podUID"),
                                 .subject = json_copy(arena, one, "subject"),
                                 .observed = real_of(one, "observed"),
                                 .limit = real_of(one, "limit"),
                                 .detail = json_copy(arena, one, "detail")};
    return verdict;
}

static struct agent_report_facts *report_of_json(struct event *event, const cJSON *agent)
{
    struct arena *arena = event->arena;
    const cJSON *list = json_get(agent, "pods"), *one;
    struct pod_evidence_facts *pods = ARENA_ARRAY(arena, struct pod_evidence_facts, json_count(list) + 1);
    struct agent_report_facts *facts = ARENA_NEW(arena, struct agent_report_facts);
    *facts = (struct agent_report_facts){
        .node_name = json_copy(arena, agent, "node"),
        .version = json_copy(arena, agent, "version"),
        .cpu_used_millis = json_integer(agent, "cpuUsedMillis", -1),
        .memory_used_bytes = json_integer(agent, "memoryUsedBytes", -1),
        .memory_total_bytes = json_integer(agent, "memoryTotalBytes", -1),
        .pressure_cpu_some60 = real_of(agent, "pressureCPUSome60"),
        .pressure_memory_full60 = real_of(agent, "pressureMemoryFull60"),
        .pressure_io_full60 = real_of(agent, "pressureIOFull60"),
        .pods = pods,
        .pods_complete = json_true(agent, "complete"),
        .verdict = verdict_of(arena, json_get(agent, "verdict")),
        .inhibitor_count = (uint32_t)json_integer(agent, "inhibitors", 0),
    };
    cJSON_ArrayForEach(one, list) pods[facts->pod_count++] =
        (struct pod_evidence_facts){.uid = json_copy(arena, one, "uid"),
                                    .cpu_millis = json_integer(one, "cpuMillis", -1),
                                    .memory_bytes = json_integer(one, "memoryBytes", -1),
                                    .local_data_bytes = json_integer(one, "localDataBytes", -1),
                                    .largest_volume = json_copy(arena, one, "largestVolume"),
                                    .largest_volume_bytes = json_integer(one, "largestVolumeBytes", 0),
                                    .connections = json_integer(one, "connections", -1),
                                    .unknown = json_copy(arena, one, "unknown")};
    return facts;
}

static void tell(struct future *future, struct event *event, struct agent_report_facts *facts)
{
    facts->start_id = "plan";
    facts->sequence = ++future->reports;
    facts->received_ms = future->now_ms;
    facts->directive_id = "";
    event->report = facts;
    future_step(future, event);
}

// Nobody measures there: use counts as what was requested, of local data nothing is known, so that a pod with
// an emptyDir keeps its node.
void future_report_of(struct future *future, const char *node_name)
{
    const struct node *node = cluster_node(future->core->cluster, node_name);
    if (node == NULL)
        return;
    struct event *event = event_create(EVENT_AGENT_REPORT);
    struct agent_report_facts *facts = ARENA_NEW(event->arena, struct agent_report_facts);
    struct pod_evidence_facts *pods =
        ARENA_ARRAY(event->arena, struct pod_evidence_facts, node->pod_count + 1);
    *facts = (struct agent_report_facts){.node_name = node->name,
                                         .version = "",
                                         .cpu_used_millis = node->requested.cpu_millis,
                                         .memory_used_bytes = node->requested.memory_bytes,
                                         .memory_total_bytes = node->allocatable.memory_bytes,
                                         .pods = pods,
                                         .pods_complete = true,
                                         .verdict = {.state = EVIDENCE_READY}};
    for (const struct pod *pod = node->pods; pod != NULL && facts->pod_count < node->pod_count;
         pod = pod->next)
        pods[facts->pod_count++] =
            (struct pod_evidence_facts){.uid = pod->uid,
                                        .cpu_millis = -1,
                                        .memory_bytes = -1,
                                        .local_data_bytes = pod->local_volume_count == 0 ? 0 : -1,
                                        .largest_volume = "",
                                        .connections = -1,
                                        .unknown = pod->local_volume_count == 0 ? "" : "no agent looks"};
    tell(future, event, facts);
    event_destroy(event);
}

void future_reports(struct future *future)
{
    const cJSON *agent;
    cJSON_ArrayForEach(agent, future->source->agents)
    {
        struct event *event = event_create(EVENT_AGENT_REPORT);
        tell(future, event, report_of_json(event, agent));
        event_destroy(event);
    }
    if (future->source->has_agents)
        return;
    for (uint32_t i = 0; i < future->core->cluster->node_count; i++)
        future_report_of(future, future->core->cluster->nodes[i]->name);
}

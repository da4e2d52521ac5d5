#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/model/cluster_private.h"
#include "coordinator/model/labels.h"
#include "coordinator/model/sorted.h"

static int compare_agent(const void *key, const void *item)
{
    return strcmp(key, ((const struct agent *)item)->node_name);
}

// ---- verdicts

static void free_verdict(struct strings *strings, struct verdict *verdict)
{
    for (uint32_t i = 0; i < verdict->reason_count; i++) {
        strings_release(strings, verdict->reasons[i].code);
        free((void *)verdict->reasons[i].pod_uid);
        free((void *)verdict->reasons[i].subject);
        free((void *)verdict->reasons[i].detail);
    }
    free(verdict->reasons);
    *verdict = (struct verdict){0};
}

static char *own(const char *text)
{
    return xstrdup(text == NULL ? "" : text);
}

static struct verdict copy_verdict(struct strings *strings, const struct evidence_verdict *told,
                                   int64_t received_ms)
{
    struct verdict verdict = {
        .state = told->state,
        .reason_count = told->reason_count,
        .evaluated_ms = told->evaluated_ms,
        .received_ms = received_ms,
        .pods_remaining = told->pods_remaining,
    };
    if (told->reason_count > 0)
        verdict.reasons = xcalloc(told->reason_count, sizeof(*verdict.reasons));
    for (uint32_t i = 0; i < told->reason_count; i++) {
        verdict.reasons[i] = told->reasons[i];
        verdict.reasons[i].code = strings_hold(strings, told->reasons[i].code);
        verdict.reasons[i].pod_uid = own(told->reasons[i].pod_uid);
        verdict.reasons[i].subject = own(told->reasons[i].subject);
        verdict.reasons[i].detail = own(told->reasons[i].detail);
    }
    return verdict;
}

static void replace_verdict(struct strings *strings, struct verdict *verdict,
                            const struct evidence_verdict *told, int64_t received_ms)
{
    struct verdict copy = copy_verdict(strings, told, received_ms);
    free_verdict(strings, verdict);
    *verdict = copy;
}

// ---- evidence, pod by pod

static bool find_evidence(const struct agent *agent, const char *uid, uint32_t *position)
{
    uint32_t low = 0;
    uint32_t high = agent->pod_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(agent->pods[middle].uid, uid);
        if (order == 0) {
            *position = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *position = low;
    return false;
}

static void free_evidence(struct strings *strings, struct pod_evidence *evidence)
{
    free((void *)evidence->uid);
    strings_release(strings, evidence->largest_volume);
    strings_release(strings, evidence->unknown);
}

static void forget_evidence(struct strings *strings, struct agent *agent)
{
    for (uint32_t i = 0; i < agent->pod_count; i++)
        free_evidence(strings, &agent->pods[i]);
    agent->pod_count = 0;
}

static struct pod_evidence *add_evidence(struct strings *strings, struct agent *agent, uint32_t position,
                                         const char *uid)
{
    if (agent->pod_count == agent->pod_capacity) {
        agent->pod_capacity = agent->pod_capacity == 0 ? 8 : agent->pod_capacity * 2;
        agent->pods = xrealloc_array(agent->pods, agent->pod_capacity, sizeof(*agent->pods));
    }
    struct pod_evidence *at = &agent->pods[position];
    memmove(at + 1, at, (agent->pod_count - position) * sizeof(*at));
    *at = (struct pod_evidence){
        .uid = own(uid), .largest_volume = strings_hold(strings, ""), .unknown = strings_hold(strings, "")};
    agent->pod_count++;
    return at;
}

static bool put_evidence(struct strings *strings, struct agent *agent, const struct pod_evidence_facts *told)
{
    uint32_t position;
    struct pod_evidence *evidence;
    if (find_evidence(agent, told->uid, &position))
        evidence = &agent->pods[position];
    else if (agent->pod_count < AGENT_PODS_MAX)
        evidence = add_evidence(strings, agent, position, told->uid);
    else
        return false;
    const char *largest_volume = strings_hold(strings, told->largest_volume);
    const char *unknown = strings_hold(strings, told->unknown);
    strings_release(strings, evidence->largest_volume);
    strings_release(strings, evidence->unknown);
    *evidence = (struct pod_evidence){
        .uid = evidence->uid,
        .cpu_millis = told->cpu_millis,
        .memory_bytes = told->memory_bytes,
        .local_data_bytes = told->local_data_bytes,
        .connections = told->connections,
        .largest_volume = largest_volume,
        .unknown = unknown,
        .largest_volume_bytes = told->largest_volume_bytes,
    };
    return true;
}

static void remove_evidence(struct strings *strings, struct agent *agent, const char *uid)
{
    uint32_t position;
    if (!find_evidence(agent, uid, &position))
        return;
    struct pod_evidence *at = &agent->pods[position];
    free_evidence(strings, at);
    memmove(at, at + 1, (agent->pod_count - position - 1) * sizeof(*at));
    agent->pod_count--;
}

static void merge_evidence(struct strings *strings, struct agent *agent,
                           const struct agent_report_facts *facts)
{
    if (facts->pods_complete) {
        forget_evidence(strings, agent);
        agent->complete = true;
    }
    for (uint32_t i = 0; i < facts->pods_gone_count; i++)
        remove_evidence(strings, agent, facts->pods_gone[i]);
    for (uint32_t i = 0; i < facts->pod_count; i++) {
        if (!put_evidence(strings, agent, &facts->pods[i]))
            agent->complete = false;
    }
}

// ---- agents

static void set_text(const char **to, const char *text)
{
    char *copy = own(text);
    free((void *)*to);
    *to = copy;
}

static void free_agent(struct strings *strings, struct agent *agent)
{
    forget_evidence(strings, agent);
    free_verdict(strings, &agent->verdict);
    free_verdict(strings, &agent->directive_verdict);
    free(agent->pods);
    free(agent->previous_start_id);
    free((void *)agent->start_id);
    free((void *)agent->directive_id);
    strings_release(strings, agent->version);
    free(agent);
}

static void remove_at(struct cluster *cluster, uint32_t position)
{
    struct agent *agent = cluster->agents[position];
    struct node *node = cluster_node(cluster, agent->node_name);
    if (node != NULL)
        node->agent = NULL;
    sorted_remove(cluster->agents, &cluster->agent_count, position);
    free_agent(cluster->strings, agent);
}

// Room for one more: of the agents without a node, the one silent for longest goes. False when every agent
// has a node.
static bool make_room(struct cluster *cluster)
{
    uint32_t oldest = UINT32_MAX;
    for (uint32_t i = 0; i < cluster->agent_count; i++) {
        if (cluster_node(cluster, cluster->agents[i]->node_name) != NULL)
            continue;
        if (oldest == UINT32_MAX || cluster->agents[i]->heard_ms < cluster->agents[oldest]->heard_ms)
            oldest = i;
    }
    if (oldest == UINT32_MAX)
        return false;
    remove_at(cluster, oldest);
    return true;
}

static struct agent *add_agent(struct cluster *cluster, const struct agent_report_facts *facts)
{
    if (cluster->agent_count >= FACTS_NODES_MAX && !make_room(cluster))
        return NULL;
    struct agent *agent = xcalloc(1, sizeof(*agent));
    agent->node_name = strings_intern(cluster->strings, facts->node_name);
    agent->start_id = own(facts->start_id);
    agent->directive_id = own("");
    agent->previous_start_id = own("");
    agent->version = strings_hold(cluster->strings, facts->version);
    agent->first_heard_ms = facts->received_ms;
    uint32_t position;
    sorted_find(cluster->agents, cluster->agent_count, agent->node_name, compare_agent, &position);
    cluster->agents =
        sorted_insert(cluster->agents, &cluster->agent_count, &cluster->agent_capacity, position, agent);
    struct node *node = cluster_node(cluster, agent->node_name);
    if (node != NULL)
        node->agent = agent;
    return agent;
}

static void start_over(struct strings *strings, struct agent *agent, const struct agent_report_facts *facts)
{
    free(agent->previous_start_id);
    agent->previous_start_id = own(agent->start_id);
    set_text(&agent->start_id, facts->start_id);
    agent->first_heard_ms = facts->received_ms;
    agent->complete = false;
    forget_evidence(strings, agent);
    free_verdict(strings, &agent->directive_verdict);
    set_text(&agent->directive_id, "");
}

static bool is_stale(const struct agent *agent, const struct agent_report_facts *facts)
{
    if (words_equal(agent->start_id, facts->start_id))
        return facts->sequence <= agent->sequence;
    return is_given(agent->previous_start_id) && words_equal(agent->previous_start_id, facts->start_id);
}

static void take_figures(struct strings *strings, struct agent *agent, const struct agent_report_facts *facts)
{
    const char *version = strings_hold(strings, facts->version);
    strings_release(strings, agent->version);
    agent->version = version;
    agent->sequence = facts->sequence;
    agent->heard_ms = facts->received_ms;
    agent->cpu_used_millis = facts->cpu_used_millis;
    agent->memory_used_bytes = facts->memory_used_bytes;
    agent->memory_total_bytes = facts->memory_total_bytes;
    agent->pressure_cpu_some60 = facts->pressure_cpu_some60;
    agent->pressure_memory_full60 = facts->pressure_memory_full60;
    agent->pressure_io_full60 = facts->pressure_io_full60;
    agent->inhibitor_count = facts->inhibitor_count;
}

struct agent *cluster_put_report(struct cluster *cluster, const struct agent_report_facts *facts)
{
    assert(cluster != NULL && facts != NULL && is_given(facts->node_name));
    struct agent *agent = cluster_agent(cluster, facts->node_name);
    if (agent != NULL && is_stale(agent, facts))
        return NULL;
    if (agent == NULL)
        agent = add_agent(cluster, facts);
    else if (!words_equal(agent->start_id, facts->start_id))
        start_over(cluster->strings, agent, facts);
    if (agent == NULL)
        return NULL;
    take_figures(cluster->strings, agent, facts);
    merge_evidence(cluster->strings, agent, facts);
    replace_verdict(cluster->strings, &agent->verdict, &facts->verdict, facts->received_ms);
    if (is_given(facts->directive_id)) {
        set_text(&agent->directive_id, facts->directive_id);
        replace_verdict(cluster->strings, &agent->directive_verdict, &facts->directive_verdict,
                        facts->received_ms);
    }
    return agent;
}

void agent_forget(struct cluster *cluster, const char *node_name)
{
    uint32_t position;
    if (sorted_find(cluster->agents, cluster->agent_count, node_name, compare_agent, &position))
        remove_at(cluster, position);
}

struct agent *cluster_agent(const struct cluster *cluster, const char *node_name)
{
    uint32_t position;
    if (!is_given(node_name) ||
        !sorted_find(cluster->agents, cluster->agent_count, node_name, compare_agent, &position))
        return NULL;
    return cluster->agents[position];
}

const struct pod_evidence *agent_pod(const struct agent *agent, const char *uid)
{
    uint32_t position;
    return find_evidence(agent, uid, &position) ? &agent->pods[position] : NULL;
}

void agents_free(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->agent_count; i++)
        free_agent(cluster->strings, cluster->agents[i]);
    free(cluster->agents);
}

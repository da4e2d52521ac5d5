#include <stdio.h>
#include <string.h>

#include "coordinator/admin/view.h"
#include "coordinator/decide/describe.h"

// ---- groups

struct sums { // of a group's nodes in service
    double cpu, memory, cpu_requested, memory_requested, cpu_used, memory_used;
    double cpu_measured, memory_measured; // capacity of the nodes whose agent told the use
};

static struct sums sum_nodes(const struct group *group)
{
    struct sums sums = {0};
    for (uint32_t i = 0; i < group->intention_count; i++) {
        const struct node *node = group->intentions[i]->node;
        if (node == NULL)
            continue;
        sums.cpu += (double)node->allocatable.cpu_millis;
        sums.memory += (double)node->allocatable.memory_bytes;
        sums.cpu_requested += (double)node->requested.cpu_millis;
        sums.memory_requested += (double)node->requested.memory_bytes;
        const struct agent *agent = node->agent;
        if (agent == NULL)
            continue;
        if (agent->cpu_used_millis >= 0) {
            sums.cpu_used += (double)agent->cpu_used_millis;
            sums.cpu_measured += (double)node->capacity.cpu_millis;
        }
        if (agent->memory_used_bytes >= 0 && agent->memory_total_bytes > 0) {
            sums.memory_used += (double)agent->memory_used_bytes;
            sums.memory_measured += (double)agent->memory_total_bytes;
        }
    }
    return sums;
}

static double share(double part, double whole)
{
    return whole > 0 ? 100.0 * part / whole : -1.0;
}

// Its VPSie groups, one for each size.
static void put_pools(struct json *json, const struct core *core, const struct group_life *life)
{
    json_put_array(json, "pools");
    for (uint32_t i = 0; i < life->pool_count; i++) {
        const struct pool *pool = &life->pools[i];
        bool backs_off = pool->backoff_until_ms > core->now_ms;
        json_put_object(json, NULL);
        json_put_string(json, "name", pool->name);
        json_put_integer(json, "sizeID", pool->size_id);
        json_put_integer(json, "vpsieGroupID", pool->vpsie_group_id);
        json_put_bool(json, "orderable", pool->orderable);
        json_put_integer(json, "surplus", pool->surplus);
        json_put_time(json, "backoffUntil", backs_off ? pool->backoff_until_ms : 0);
        json_put_string(json, "backoffReason", backs_off ? pool->backoff_reason : "");
        json_put_end(json);
    }
    json_put_end(json);
}

static void one_group(struct view *view, struct group *group)
{
    struct core *core = view->core;
    struct json *json = &view->json;
    const struct nodegroup_facts *facts = &group->facts;
    const struct group_life *life = group_life(core, group);
    const struct group_life_private *policy = group_policy(core, group);
    struct life_counts counts = life_counts(core, group);
    struct sums sums = sum_nodes(group);
    double price = policy_group_price(core, group);
    json_put_object(json, NULL);
    json_put_string(json, "name", facts->name);
    json_put_string(json, "namespace", facts->space);
    json_put_bool(json, "managed", facts->managed);
    json_put_integer(json, "nodes", counts.ready + counts.leaving);
    json_put_integer(json, "ready", counts.ready);
    json_put_integer(json, "coming", counts.coming);
    json_put_integer(json, "leaving", counts.leaving);
    json_put_integer(json, "failed", counts.failed);
    json_put_integer(json, "total", counts.total);
    json_put_integer(json, "desired", life->desired);
    json_put_integer(json, "minNodes", facts->min_nodes);
    json_put_integer(json, "maxNodes", facts->max_nodes);
    json_put_integer(json, "podsWaiting", policy->pending);
    json_put_time(json, "podsWaitingSince", policy->pending > 0 ? policy->pending_since_ms : 0);
    json_put_percent(json, "cpuRequestedPercent", share(sums.cpu_requested, sums.cpu));
    json_put_percent(json, "cpuUsedPercent", share(sums.cpu_used, sums.cpu_measured));
    json_put_percent(json, "memoryRequestedPercent", share(sums.memory_requested, sums.memory));
    json_put_percent(json, "memoryUsedPercent", share(sums.memory_used, sums.memory_measured));
    json_put_real(json, "pricePerHour", price * counts.total, 4);
    json_put_real(json, "nodePricePerHour", price, 4);
    json_put_integer(json, "sizeID", policy_size_id(core, group));
    json_put_integer(json, "vpsieGroupID", life->vpsie_group_id);
    json_put_string(json, "datacenterID", facts->datacenter_id);
    json_put_integer(json, "surplus", life->surplus);
    put_pools(json, core, life);
    json_put_string(json, "doing", life->doing);
    json_put_string(json, "problem", facts->invalid[0] != '\0' ? facts->invalid : life->problem);
    json_put_time(json, "backoffUntil", life->backoff_until_ms > core->now_ms ? life->backoff_until_ms : 0);
    json_put_string(json, "backoffReason", life->backoff_until_ms > core->now_ms ? life->backoff_reason : "");
    json_put_bool(json, "paused", policy_group_paused(group));
    json_put_end(json);
}

void view_groups(struct view *view)
{
    json_put_array(&view->json, "groups");
    for (uint32_t i = 0; i < view->core->cluster->group_count; i++)
        one_group(view, view->core->cluster->groups[i]);
    json_put_end(&view->json);
}

// ---- nodes

static const char *node_state(const struct node *node, const struct life *life)
{
    if (node->deletion_ms != 0)
        return "deleting";
    if (life != NULL && life->step != LIFE_READY)
        return life_step_name(life->step);
    if (node->ready != NODE_READY_TRUE)
        return "not ready";
    return node->unschedulable ? "cordoned" : "ready";
}

static void one_node(struct view *view, struct node *node)
{
    struct core *core = view->core;
    struct json *json = &view->json;
    const struct life *life = node->intention != NULL ? node->intention->decide : NULL;
    const struct agent *agent = node->agent;
    struct node_use use = policy_node_use(node);
    struct node_answer answer = policy_node_rules(core, node);
    bool ours = node->intention != NULL && node->intention->group != NULL;
    json_put_object(json, NULL);
    json_put_string(json, "name", node->name);
    json_put_string(json, "group", ours ? node->intention->group->facts.name : "");
    json_put_string(json, "vpsieNode", node->intention != NULL ? node->intention->facts.name : "");
    json_put_string(json, "state", node_state(node, life));
    json_put_bool(json, "ready", node->ready == NODE_READY_TRUE);
    json_put_integer(json, "pods", policy_node_pods(core, node));
    json_put_integer(json, "podsWithFurniture", node->pod_count);
    json_put_percent(json, "cpuRequestedPercent", use.cpu_requested);
    json_put_percent(json, "cpuUsedPercent", use.cpu_used);
    json_put_percent(json, "memoryRequestedPercent", use.memory_requested);
    json_put_percent(json, "memoryUsedPercent", use.memory_used);
    json_put_time(json, "underusedSince", node->underused_since_ms);
    json_put_time(json, "agentHeardAt", agent != NULL ? agent->heard_ms : 0);
    json_put_bool(json, "agentSilent",
                  agent != NULL && core->now_ms - agent->heard_ms > core->config.agent_silent_ms);
    json_put_string(json, "evidence", agent != NULL ? evidence_state_name(agent->verdict.state) : NULL);
    json_put_real(json, "pricePerHour", policy_node_price(core, node), 4);
    json_put_time(json, "createdAt", node->created_ms);
    json_put_string(json, "keptBy", answer.rule != NULL ? answer.rule : "");
    json_put_string(json, "held", life != NULL ? life->held : "");
    json_put_integer(json, "decision", life != NULL ? (int64_t)life->decision_id : 0);
    json_put_end(json);
}

// Machines that have no node yet.
static void coming_machines(struct view *view)
{
    struct core *core = view->core;
    struct json *json = &view->json;
    json_put_array(json, "coming");
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        const struct intention *intention = core->cluster->intentions[i];
        const struct life *life = intention->decide;
        if (intention->node != NULL || life == NULL)
            continue;
        json_put_object(json, NULL);
        json_put_string(json, "name", intention->facts.name);
        json_put_string(json, "group", intention->facts.group_name);
        json_put_string(json, "state", life_step_name(life->step));
        json_put_time(json, "since", life->step_since_ms);
        json_put_string(json, "waitsFor", life->waits_for != NULL ? life->waits_for : "");
        json_put_bool(json, "outcomeUnknown", life->outcome_unknown);
        json_put_string(json, "lastError", intention->facts.last_error);
        json_put_integer(json, "decision", (int64_t)life->decision_id);
        json_put_end(json);
    }
    json_put_end(json);
}

static bool asked_for(const struct view *view, const struct node *node)
{
    const char *group = view->request->group;
    if (group == NULL || group[0] == '\0')
        return true;
    return node->intention != NULL && node->intention->group != NULL &&
           strcmp(node->intention->group->facts.name, group) == 0;
}

void view_nodes(struct view *view)
{
    struct cluster *cluster = view->core->cluster;
    uint32_t limit = view->request->limit > 0 ? view->request->limit : VIEW_ROWS_MAX;
    json_put_array(&view->json, "nodes");
    for (uint32_t i = 0; i < cluster->node_count && limit > 0; i++) {
        if (!asked_for(view, cluster->nodes[i]))
            continue;
        one_node(view, cluster->nodes[i]);
        limit--;
    }
    json_put_end(&view->json);
    coming_machines(view);
}

// ---- agents

static void one_agent(struct view *view, const struct agent *agent)
{
    struct json *json = &view->json;
    json_put_object(json, NULL);
    json_put_string(json, "node", agent->node_name);
    json_put_string(json, "version", agent->version);
    json_put_time(json, "heardAt", agent->heard_ms);
    json_put_bool(json, "silent", view->core->now_ms - agent->heard_ms > view->core->config.agent_silent_ms);
    json_put_integer(json, "sequence", (int64_t)agent->sequence);
    json_put_bool(json, "complete", agent->complete);
    json_put_string(json, "evidence", evidence_state_name(agent->verdict.state));
    json_put_integer(json, "pods", agent->pod_count);
    json_put_integer(json, "inhibitors", agent->inhibitor_count);
    json_put_percent(json, "pressureCpuSome60", agent->pressure_cpu_some60);
    json_put_percent(json, "pressureMemoryFull60", agent->pressure_memory_full60);
    json_put_percent(json, "pressureIoFull60", agent->pressure_io_full60);
    json_put_array(json, "reasons");
    for (uint32_t i = 0; i < agent->verdict.reason_count; i++) {
        const struct evidence_reason *reason = &agent->verdict.reasons[i];
        json_put_object(json, NULL);
        json_put_string(json, "code", reason->code);
        json_put_string(json, "podUID", reason->pod_uid);
        json_put_string(json, "subject", reason->subject);
        json_put_real(json, "observed", reason->observed, 1);
        json_put_real(json, "limit", reason->limit, 1);
        json_put_string(json, "detail", reason->detail);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_end(json);
}

void view_agents(struct view *view)
{
    const struct cluster *cluster = view->core->cluster;
    json_put_array(&view->json, "agents");
    for (uint32_t i = 0; i < cluster->agent_count && i < VIEW_ROWS_MAX; i++)
        one_agent(view, cluster->agents[i]);
    json_put_end(&view->json);
    // nodes of ours that should have an agent and were never heard of
    json_put_array(&view->json, "missing");
    for (uint32_t i = 0; i < cluster->node_count; i++)
        if (cluster->nodes[i]->agent == NULL && cluster->nodes[i]->intention != NULL)
            json_put_string(&view->json, NULL, cluster->nodes[i]->name);
    json_put_end(&view->json);
}

// ---- pods

static const char *pod_state(const struct core *core, const struct pod *pod)
{
    if (pod->gated)
        return "gated";
    if (pod->deletion_ms != 0)
        return "ending";
    if (pod->nominated_node[0] != '\0')
        return "preempting";
    if (!pod->unschedulable)
        return "new";
    return policy_pod_waits(core, pod) ? "waits" : "expendable";
}

void view_pods(struct view *view)
{
    const struct core *core = view->core;
    struct json *json = &view->json;
    uint32_t limit = view->request->limit > 0 ? view->request->limit : VIEW_PODS_MAX;
    uint32_t shown = 0, all = 0;
    json_put_array(json, "pods");
    for (const struct pod *pod = core->cluster->unbound; pod != NULL; pod = pod->next) {
        if (pod->terminal || pod_is_furniture(pod))
            continue;
        all++;
        if (shown == limit)
            continue;
        shown++;
        json_put_object(json, NULL);
        json_put_string(json, "namespace", pod->space);
        json_put_string(json, "name", pod->name);
        json_put_string(json, "state", pod_state(core, pod));
        json_put_time(json, "createdAt", pod->created_ms);
        json_put_time(json, "since", pod->unschedulable_since_ms);
        json_put_integer(json, "cpuMillis", pod->shape->facts.requests.cpu_millis);
        json_put_integer(json, "memoryBytes", pod->shape->facts.requests.memory_bytes);
        json_put_integer(json, "priority", pod->shape->facts.priority);
        json_put_string(json, "verdict", pod->verdict);
        json_put_integer(json, "decision", (int64_t)pod->verdict_decision_id);
        json_put_string(json, "schedulerSays", pod->unschedulable_message);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_integer(json, "more", all - shown);
}

// ---- decisions

// What was weighed for an order; nothing for other decisions.
static void put_options(struct json *json, const struct decision *decision)
{
    if (decision->option_count == 0)
        return;
    json_put_array(json, "options");
    for (uint32_t i = 0; i < decision->option_count; i++) {
        const struct decision_option *option = &decision->options[i];
        json_put_object(json, NULL);
        json_put_string(json, "group", option->group);
        json_put_string(json, "size", option->size);
        json_put_real(json, "price_hour", option->price_hour, 4);
        json_put_integer(json, "machines", option->machines);
        json_put_integer(json, "pods", option->pods);
        json_put_string(json, "why", option->why);
        json_put_end(json);
    }
    json_put_end(json);
}

void view_decision(struct view *view, const char *name, const struct decision *decision)
{
    struct json *json = &view->json;
    json_put_object(json, name);
    json_put_integer(json, "id", (int64_t)decision->id);
    json_put_time(json, "at", decision->at_ms);
    json_put_string(json, "kind", decision_kind_name(decision->kind));
    json_put_bool(json, "done", decision->withheld[0] == '\0');
    json_put_string(json, "withheld", decision->withheld);
    json_put_string(json, "group", decision->group);
    json_put_string(json, "node", decision->node);
    json_put_string(json, "summary", decision->summary);
    json_put_string(json, "reason", decision->reason);
    put_options(json, decision);
    json_put_end(json);
}

void view_actions(struct view *view, uint32_t limit)
{
    const struct core *core = view->core;
    if (limit > DECISIONS_KEPT)
        limit = DECISIONS_KEPT;
    uint64_t first = core->decision_count > limit ? core->decision_count - limit : 0;
    json_put_array(&view->json, "actions");
    for (uint64_t n = first; n < core->decision_count; n++) {
        const struct decision *decision = core_decision_made(core, n);
        if (decision != NULL)
            view_decision(view, NULL, decision);
    }
    json_put_end(&view->json);
}

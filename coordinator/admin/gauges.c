#include <stdio.h>

#include "common/metrics.h"
#include "coordinator/admin/admin.h"
#include "coordinator/decide/policy.h"

// Gauges of groups are made anew when the set of groups changes: one that is gone takes its series with it.
static const char GROUP_NODES[] = "vpsie_autoscaler_group_nodes";
static const char GROUP_LIMIT[] = "vpsie_autoscaler_group_nodes_limit";
static const char GROUP_PODS[] = "vpsie_autoscaler_group_pending_pods";
static const char GROUP_SURPLUS[] = "vpsie_autoscaler_group_surplus_machines";
static const char GROUP_PRICE[] = "vpsie_autoscaler_group_price_dollars_per_hour";
static const char GROUP_BACKOFF[] = "vpsie_autoscaler_group_backoff";

static void gauge(const char *name, const char *labels, const char *help, double value)
{
    metric_set(metrics_gauge(name, labels, help), value);
}

// A counter that is counted elsewhere: brought to where it is now.
static void counter(const char *name, const char *labels, const char *help, uint64_t value)
{
    struct metric *metric = metrics_counter(name, labels, help);
    double more = (double)value - metric_value(metric);
    if (more > 0)
        metric_add(metric, more);
}

static void group_gauge(const struct group *group, const char *name, const char *extra, const char *help,
                        double value)
{
    char name_escaped[600], labels[900];
    metrics_label_escape(name_escaped, sizeof(name_escaped), group->facts.name);
    snprintf(labels, sizeof(labels), "group=\"%s\"%s%s", name_escaped, extra[0] != '\0' ? "," : "", extra);
    gauge(name, labels, help, value);
}

static void set_group(struct core *core, struct group *group)
{
    struct life_counts counts = life_counts(core, group);
    const struct group_life *life = group_life(core, group);
    const struct {
        const char *phase;
        uint32_t count;
    } phases[] = {{"phase=\"coming\"", counts.coming},
                  {"phase=\"ready\"", counts.ready},
                  {"phase=\"leaving\"", counts.leaving},
                  {"phase=\"failed\"", counts.failed}};
    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++)
        group_gauge(group, GROUP_NODES, phases[i].phase, "Machines of a NodeGroup by what they are doing.",
                    phases[i].count);
    group_gauge(group, GROUP_LIMIT, "limit=\"min\"", "minNodes and maxNodes of a NodeGroup.",
                group->facts.min_nodes);
    group_gauge(group, GROUP_LIMIT, "limit=\"max\"", "minNodes and maxNodes of a NodeGroup.",
                group->facts.max_nodes);
    group_gauge(group, GROUP_PODS, "", "Pods that wait for a machine of this NodeGroup.",
                group_policy(core, group)->pending);
    group_gauge(group, GROUP_SURPLUS, "", "Machines in the VPSie group that nobody asked for.",
                life->surplus);
    group_gauge(group, GROUP_PRICE, "", "What the NodeGroup's machines cost an hour.",
                policy_group_price(core, group) * counts.total);
    group_gauge(group, GROUP_BACKOFF, "", "1 while orders of the NodeGroup are held back after a refusal.",
                life->backoff_until_ms > core->now_ms ? 1 : 0);
}

static void set_decisions(const struct core *core)
{
    static uint64_t counted; // decisions up to here are in the counters
    static const char NAME[] = "vpsie_autoscaler_decisions_total";
    if (core->decision_count < counted)
        counted = 0; // another core: in tests
    for (int kind = DECISION_ORDER; kind < DECISION_KIND_COUNT; kind++) {
        char labels[64];
        snprintf(labels, sizeof(labels), "kind=\"%s\"", decision_kind_name((enum decision_kind)kind));
        (void)metrics_counter(NAME, labels, "Decisions by kind.");
    }
    if (core->decision_count - counted > DECISIONS_KEPT)
        counted = core->decision_count - DECISIONS_KEPT;
    for (uint64_t n = counted; n < core->decision_count; n++) {
        const struct decision *decision = core_decision_made(core, n);
        if (decision == NULL)
            continue;
        char labels[64];
        snprintf(labels, sizeof(labels), "kind=\"%s\"", decision_kind_name(decision->kind));
        metric_add(metrics_counter(NAME, labels, "Decisions by kind."), 1);
    }
    counted = core->decision_count;
}

static void set_brakes(const struct core *core)
{
    for (int i = 0; i < BRAKE_COUNT; i++) {
        char labels[64];
        snprintf(labels, sizeof(labels), "brake=\"%s\"", brake_name((enum brake)i));
        gauge("vpsie_autoscaler_brake", labels, "1 while this brake is on; see `vpsie-coordinator status`.",
              core->brakes[i].on ? 1 : 0);
    }
}

static void set_nodes(const struct core *core)
{
    uint32_t ready = 0, silent = 0, underused = 0;
    for (uint32_t i = 0; i < core->cluster->node_count; i++) {
        const struct node *node = core->cluster->nodes[i];
        ready += node->ready == NODE_READY_TRUE;
        underused += node->underused_since_ms != 0;
        silent += node->agent != NULL && core->now_ms - node->agent->heard_ms > core->config.agent_silent_ms;
    }
    gauge("vpsie_autoscaler_cluster_nodes", "state=\"all\"", "Nodes of the cluster.",
          core->cluster->node_count);
    gauge("vpsie_autoscaler_cluster_nodes", "state=\"ready\"", "Nodes of the cluster.", ready);
    gauge("vpsie_autoscaler_cluster_nodes", "state=\"underused\"", "Nodes of the cluster.", underused);
    gauge("vpsie_autoscaler_agents_silent", NULL, "Agents that were heard once and are silent now.", silent);
}

static void forget_gone_groups(const struct core *core)
{
    static const char *const NAMES[] = {GROUP_NODES,   GROUP_LIMIT, GROUP_PODS,
                                        GROUP_SURPLUS, GROUP_PRICE, GROUP_BACKOFF};
    static uint64_t known;
    uint64_t groups = policy_hash(0, "");
    for (uint32_t i = 0; i < core->cluster->group_count; i++)
        if (core->cluster->groups[i]->facts.managed)
            groups = policy_hash(groups, core->cluster->groups[i]->facts.name);
    for (size_t i = 0; groups != known && i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        metrics_forget(NAMES[i]);
    known = groups;
}

void metrics_from_core(struct core *core)
{
    forget_gone_groups(core);
    for (uint32_t i = 0; i < core->cluster->group_count; i++)
        if (core->cluster->groups[i]->facts.managed)
            set_group(core, core->cluster->groups[i]);
    set_decisions(core);
    set_brakes(core);
    set_nodes(core);
    const struct policy_shared *policy = core->policy;
    gauge("vpsie_autoscaler_is_leader", NULL, "1 on the coordinator that acts.", core->leading ? 1 : 0);
    gauge("vpsie_autoscaler_may_write", NULL, "1 while nothing keeps it from acting.",
          core_may_write(core) ? 1 : 0);
    gauge("vpsie_autoscaler_pending_pods", NULL, "Pods that wait for a machine.", policy->waiting);
    gauge("vpsie_autoscaler_unhelpable_pods", NULL, "Pods that wait and that nothing ordered will help.",
          policy->helpless);
    gauge("vpsie_autoscaler_oldest_unhelpable_pod_seconds", NULL, "How long the oldest of them has waited.",
          policy->oldest_helpless_ms > 0 ? (double)(core->now_ms - policy->oldest_helpless_ms) / 1000.0 : 0);
    gauge("vpsie_autoscaler_last_decision_id", NULL,
          "Id of what was decided last, as commands, events and log lines carry it: 42 is D42.",
          (double)core->last_decision_id);
    gauge("vpsie_autoscaler_last_decision_timestamp_seconds", NULL, "When something was decided last.",
          (double)core->last_decided_ms / 1000.0);
    gauge("vpsie_autoscaler_price_dollars_per_hour", NULL, "What all machines of ours cost an hour.",
          policy_cost(core).per_hour);
    gauge("vpsie_autoscaler_model_pods", NULL, "Pods in the model.", core->cluster->pod_count);
    counter("vpsie_autoscaler_machines_ordered_total", NULL, "Machines ordered.", core->machines_ordered);
    counter("vpsie_autoscaler_machines_deleted_total", NULL, "Machines deleted.", core->machines_deleted);
    counter("vpsie_autoscaler_pods_evicted_total", NULL, "Pods evicted.", core->pods_evicted);
    counter("vpsie_autoscaler_orders_unknown_total", NULL, "Orders whose outcome was not known.",
            core->orders_unknown);
}

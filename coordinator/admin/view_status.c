#include <stdio.h>
#include <string.h>

#include "common/wire.h"
#include "coordinator/admin/view.h"
#include "coordinator/decide/moves.h"

static void copy(char *buffer, size_t bytes, const char *text)
{
    snprintf(buffer, bytes, "%s", text);
}

const char *view_state(const struct core *core, char *detail, size_t bytes)
{
    copy(detail, bytes, "");
    if (!core->leading) {
        if (core->holder[0] != '\0')
            snprintf(detail, bytes, "%s leads", core->holder);
        else
            copy(detail, bytes, "nobody leads");
        return "STANDBY";
    }
    if (!core->synced || !core->taken_over) {
        copy(detail, bytes,
             core->synced ? "taking over: reading what the last leader left"
                          : "reading the cluster for the first time");
        return "STARTING";
    }
    if (core->config.dry_run) {
        copy(detail, bytes, "decides and writes nothing");
        return "DRY RUN";
    }
    if (core->paused || core->brakes[BRAKE_PAUSED].on) {
        copy(detail, bytes,
             core->paused_reason[0] != '\0' ? core->paused_reason : core->brakes[BRAKE_PAUSED].detail);
        return "PAUSED";
    }
    static const enum brake ORDER[] = {BRAKE_PREDECESSOR,    BRAKE_GROUPS_GONE, BRAKE_KUBE_UNREACHABLE,
                                       BRAKE_CLOUD_UNUSABLE, BRAKE_CLOUD_LIST,  BRAKE_MANY_BROKEN,
                                       BRAKE_AGENTS_SILENT};
    for (size_t i = 0; i < sizeof(ORDER) / sizeof(ORDER[0]); i++)
        if (core->brakes[ORDER[i]].on) {
            copy(detail, bytes, core->brakes[ORDER[i]].detail);
            return ORDER[i] == BRAKE_PREDECESSOR ? "DRY RUN" : "HOLDING";
        }
    return "ACTING";
}

// ---- needs you

static void need(struct view *view, const char *what, const char *look)
{
    json_put_object(&view->json, NULL);
    json_put_string(&view->json, "what", what);
    json_put_string(&view->json, "look", look);
    json_put_end(&view->json);
}

static const char *brake_advice(enum brake brake)
{
    switch (brake) {
    case BRAKE_PREDECESSOR:
    case BRAKE_GROUPS_GONE:
    case BRAKE_PAUSED: return "resume";
    case BRAKE_AGENTS_SILENT: return "agents";
    case BRAKE_MANY_BROKEN: return "nodes";
    case BRAKE_CLOUD_LIST:
    case BRAKE_CLOUD_UNUSABLE: return "see the VPSie panel";
    case BRAKE_KUBE_UNREACHABLE:
    case BRAKE_COUNT: break;
    }
    return "see the coordinator's log";
}

static void need_brakes(struct view *view)
{
    char text[400];
    for (int i = 0; i < BRAKE_COUNT; i++) {
        const struct brake_state *brake = &view->core->brakes[i];
        if (!brake->on)
            continue;
        snprintf(text, sizeof(text), "%s: %s", brake_name((enum brake)i), brake->detail);
        need(view, text, brake_advice((enum brake)i));
    }
}

// Pods that only a limit keeps waiting, and not for a moment.
static void need_limit(struct view *view, struct group *group, const char *look)
{
    struct core *core = view->core;
    const struct group_life_private *policy = group_policy(core, group);
    struct growth growth = policy_growth(core, group);
    bool passes = growth.due_ms > 0;
    if (growth.rule == NULL || passes)
        return;
    char text[400], since[32];
    text_format_duration(since, sizeof(since), core->now_ms - policy->pending_since_ms);
    if (strcmp(growth.rule, "maximum") == 0)
        snprintf(text, sizeof(text), "%.100s at max: %u pod%s wait%s %s", group->facts.name, policy->limited,
                 policy_plural(policy->limited), policy->limited == 1 ? "s" : "", since);
    else
        snprintf(text, sizeof(text), "%s; %u pod%s wait%s %s", growth.why, policy->limited,
                 policy_plural(policy->limited), policy->limited == 1 ? "s" : "", since);
    need(view, text, look);
}

static void need_groups(struct view *view)
{
    struct core *core = view->core;
    char text[400], look[300];
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        struct group *group = core->cluster->groups[i];
        const struct group_life *life = group_life(core, group);
        const struct group_life_private *policy = group_policy(core, group);
        const char *name = group->facts.name;
        if (!group->facts.managed)
            continue;
        snprintf(look, sizeof(look), "explain group %s", name);
        if (group->facts.invalid[0] != '\0') {
            snprintf(text, sizeof(text), "%.100s has an invalid spec: %.250s", name, group->facts.invalid);
            need(view, text, look);
        } else if (life->problem[0] != '\0') {
            snprintf(text, sizeof(text), "%.100s: %.250s", name, life->problem);
            need(view, text, look);
        } else if (group->facts.doubtful[0] != '\0') {
            snprintf(text, sizeof(text), "%.100s, a part of its spec is left out: %.250s", name,
                     group->facts.doubtful);
            need(view, text, look);
        }
        if (life->backoff_until_ms > core->now_ms) {
            snprintf(text, sizeof(text), "%.100s: orders refused: %.200s", name, life->backoff_reason);
            need(view, text, look);
        }
        if (life->surplus > 0) {
            snprintf(text, sizeof(text), "%.100s has %d machine%s nobody asked for", name, life->surplus,
                     policy_plural((uint32_t)life->surplus));
            need(view, text, look);
        }
        if (policy->limited > 0)
            need_limit(view, group, look);
    }
}

// One pod stands for all that wait for the same reason in vain.
static void need_pods(struct view *view)
{
    const struct core *core = view->core;
    if (core->policy->helpless == 0)
        return;
    for (const struct pod *pod = core->cluster->unbound; pod != NULL; pod = pod->next) {
        if (!policy_pod_waits(core, pod) || !text_starts_with(pod->verdict, "no group can help"))
            continue;
        char text[400], look[600], since[32];
        text_format_duration(since, sizeof(since), core->now_ms - pod->unschedulable_since_ms);
        snprintf(text, sizeof(text), "%u pod%s unhelped, such as %.80s for %s: %.200s",
                 core->policy->helpless, policy_plural(core->policy->helpless), pod->name, since,
                 pod->verdict);
        snprintf(look, sizeof(look), "explain pod %s/%s", pod->space, pod->name);
        need(view, text, look);
        return;
    }
}

static void need_approvals(struct view *view)
{
    const struct moves *moves = view->core->policy->moves;
    for (uint32_t i = 0; i < moves->count; i++) {
        const struct decision *decision = core_decision(view->core, moves->items[i].decision_id);
        if (moves->items[i].state != MOVE_RECOMMENDED || decision == NULL)
            continue;
        char text[500], look[48];
        snprintf(text, sizeof(text), "D%llu waits for approval: %.150s in %.80s, %.200s",
                 (unsigned long long)decision->id, decision->summary, decision->group, decision->reason);
        snprintf(look, sizeof(look), "approve D%llu", (unsigned long long)decision->id);
        need(view, text, look);
    }
}

// What an agent may not look at it can never call harmless: such a node stays, however empty it is.
static const struct evidence_reason *not_seen(const struct core *core, const struct node *node)
{
    const struct agent *agent = node->agent;
    if (node->intention == NULL || agent == NULL ||
        core->now_ms - agent->heard_ms > core->config.agent_silent_ms)
        return NULL;
    for (uint32_t i = 0; i < agent->verdict.reason_count; i++)
        if (strcmp(agent->verdict.reasons[i].code, WIRE_REASON_UNREADABLE) == 0)
            return &agent->verdict.reasons[i];
    return NULL;
}

static void need_sight(struct view *view)
{
    const struct core *core = view->core;
    const struct evidence_reason *first = NULL;
    const char *name = "";
    uint32_t count = 0;
    for (uint32_t i = 0; i < core->cluster->node_count; i++) {
        const struct evidence_reason *reason = not_seen(core, core->cluster->nodes[i]);
        if (reason == NULL)
            continue;
        count++;
        if (first == NULL) {
            first = reason;
            name = core->cluster->nodes[i]->name;
        }
    }
    if (first == NULL)
        return;
    char text[400], look[300];
    snprintf(text, sizeof(text),
             "%u node%s cannot shrink, such as %.80s: its agent may not look at %.60s: %.150s", count,
             policy_plural(count), name, first->subject, first->detail);
    snprintf(look, sizeof(look), "explain node %s", name);
    need(view, text, look);
}

static void need_doors(struct view *view)
{
    const struct core *core = view->core;
    const struct view_extra *extra = view->extra;
    const struct config_facts *config = core->cluster->config;
    if (config != NULL && config->invalid[0] != '\0') {
        char text[400];
        snprintf(text, sizeof(text), "AutoscalerConfig default: %.300s", config->invalid);
        need(view, text, "kubectl edit asc default");
    }
    if (!core->kube_reachable && core->synced && !core->brakes[BRAKE_KUBE_UNREACHABLE].on)
        need(view, "the API server cannot be reached", "see the coordinator's log");
    if (extra->kube_detail[0] != '\0')
        need(view, extra->kube_detail, "see the coordinator's log");
    if (!core->cloud_usable && core->leading && !core->brakes[BRAKE_CLOUD_UNUSABLE].on)
        need(view, core->cloud_detail[0] != '\0' ? core->cloud_detail : "VPSie cannot be used",
             "see the coordinator's log");
    if (extra->vpsie_detail[0] != '\0')
        need(view, extra->vpsie_detail, "see the coordinator's log");
}

// ---- all of it

static void heading(struct view *view)
{
    const struct core *core = view->core;
    const struct view_extra *extra = view->extra;
    struct json *json = &view->json;
    char detail[300];
    json_put_string(json, "state", view_state(core, detail, sizeof(detail)));
    json_put_string(json, "stateDetail", detail);
    json_put_string(json, "identity", extra->identity);
    json_put_string(json, "leader", core->leading ? extra->identity : core->holder);
    json_put_integer(json, "term", (int64_t)core->term);
    json_put_string(json, "version", extra->version);
    json_put_time(json, "startedAt", extra->started_ms);
    json_put_time(json, "lastDecidedAt", core->last_decided_ms);
    json_put_object(json, "vpsie");
    json_put_bool(json, "usable", core->cloud_usable);
    json_put_string(json, "detail", core->cloud_detail);
    json_put_integer(json, "callsUsed", core->calls_used);
    json_put_integer(json, "callsLimit", core->calls_limit);
    json_put_end(json);
    json_put_object(json, "kubernetes");
    json_put_bool(json, "reachable", core->kube_reachable);
    json_put_bool(json, "synced", core->synced);
    json_put_string(json, "detail", extra->kube_detail);
    json_put_end(json);
    json_put_object(json, "queue");
    json_put_integer(json, "length", (int64_t)extra->queue_length);
    json_put_integer(json, "capacity", (int64_t)extra->queue_capacity);
    json_put_end(json);
}

// Agents that spoke lately, of the nodes that should have one.
static void agents(struct view *view)
{
    const struct core *core = view->core;
    int64_t heard = 0, expected = 0;
    for (uint32_t i = 0; i < core->cluster->node_count; i++) {
        const struct node *node = core->cluster->nodes[i];
        bool alive =
            node->agent != NULL && core->now_ms - node->agent->heard_ms <= core->config.agent_silent_ms;
        heard += alive;
        expected += alive || node->agent != NULL || node->intention != NULL;
    }
    json_put_object(&view->json, "agents");
    json_put_integer(&view->json, "heard", heard);
    json_put_integer(&view->json, "expected", expected);
    json_put_integer(&view->json, "connected", view->extra->agents_connected);
    json_put_end(&view->json);
}

static void figures(struct view *view)
{
    struct core *core = view->core;
    struct json *json = &view->json;
    json_put_object(json, "pods");
    json_put_integer(json, "waiting", core->policy->waiting);
    json_put_integer(json, "unhelped", core->policy->helpless);
    json_put_end(json);
    struct policy_cost cost = policy_cost(core);
    json_put_object(json, "cost");
    json_put_real(json, "perHour", cost.per_hour, 4);
    json_put_real(json, "today", cost.today, 2);
    json_put_real(json, "atMaxToday", cost.at_max_today, 2);
    json_put_end(json);
    json_put_object(json, "totals");
    json_put_integer(json, "machinesOrdered", (int64_t)core->machines_ordered);
    json_put_integer(json, "machinesDeleted", (int64_t)core->machines_deleted);
    json_put_integer(json, "podsEvicted", (int64_t)core->pods_evicted);
    json_put_integer(json, "ordersUnknown", (int64_t)core->orders_unknown);
    json_put_end(json);
    json_put_array(json, "brakes");
    for (int i = 0; i < BRAKE_COUNT; i++) {
        if (!core->brakes[i].on)
            continue;
        json_put_object(json, NULL);
        json_put_string(json, "brake", brake_name((enum brake)i));
        json_put_string(json, "detail", core->brakes[i].detail);
        json_put_time(json, "since", core->brakes[i].since_ms);
        json_put_end(json);
    }
    json_put_end(json);
}

void view_status(struct view *view)
{
    heading(view);
    agents(view);
    json_put_array(&view->json, "needsYou");
    need_brakes(view);
    need_doors(view);
    need_groups(view);
    need_sight(view);
    need_pods(view);
    need_approvals(view);
    json_put_end(&view->json);
    view_groups(view);
    figures(view);
    const struct core *core = view->core;
    const struct decision *last =
        core->decision_count > 0 ? core_decision_made(core, core->decision_count - 1) : NULL;
    if (last != NULL)
        view_decision(view, "last", last);
}

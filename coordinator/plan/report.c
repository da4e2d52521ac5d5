#include "coordinator/plan/report.h"

#include <string.h>

#include "coordinator/decide/foresee.h"
#include "coordinator/kube/json.h"

#define UNHELPED_MAX 20u

static void add_time(cJSON *parent, const char *name, int64_t at_ms)
{
    char text[32];
    text_format_time(text, sizeof(text), at_ms);
    json_add_text(parent, name, text);
}

static void add_real(cJSON *parent, const char *name, double value)
{
    if (cJSON_AddNumberToObject(parent, name, value) == NULL)
        json_add_null(parent, name);
}

static uint32_t waiting(struct future *future)
{
    struct arena *arena = arena_create(1 << 12);
    const struct pod **pods;
    uint32_t count = foresee_waiting(future->core, arena, &pods);
    arena_destroy(arena);
    return count;
}

static void add_totals(cJSON *parent, const char *name, struct future *future)
{
    const struct cluster *cluster = future->core->cluster;
    cJSON *totals = json_add_object(parent, name);
    json_add_integer(totals, "nodes", cluster->node_count);
    json_add_integer(totals, "pods", cluster->pod_count);
    json_add_integer(totals, "waiting", waiting(future));
    add_real(totals, "pricePerHour", foresee_price_hour(future->core));
}

cJSON *report_begin(struct future *future, int64_t horizon_ms)
{
    cJSON *report = json_object();
    json_add_bool(report, "ok", true);
    json_add_text(report, "source", future->source->origin);
    add_time(report, "at", future->begin_ms);
    json_add_integer(report, "horizonSeconds", horizon_ms / 1000);
    json_add_bool(report, "agents", future->source->has_agents);
    json_add_bool(report, "vpsie", future->source->has_vpsie || future->picture.offers != NULL);
    json_add_integer(report, "groups", future->core->cluster->group_count);
    json_add_integer(report, "unreadable", future->refused);
    json_add_text(report, "unreadableSuchAs", future->refused_why);
    json_add_integer(report, "ignored", future->source->ignored);
    json_add_text(report, "ignoredSuchAs", future->source->ignored_kind);
    add_totals(report, "begin", future);
    return report;
}

// ---- nodes and pods at the end

static const char *verdict_name(enum rule_verdict verdict)
{
    static const char *const NAMES[] = {"pass", "BLOCKS", "WAITS", "info"};
    return NAMES[verdict];
}

static void add_rules(cJSON *node, const struct explanation *why)
{
    cJSON *rules = json_add_array(node, "rules");
    for (uint32_t i = 0; i < why->rule_count; i++) {
        cJSON *rule = json_append_object(rules);
        json_add_text(rule, "name", why->rules[i].name);
        json_add_text(rule, "saw", why->rules[i].saw);
        json_add_text(rule, "limit", why->rules[i].limit);
        json_add_text(rule, "verdict", verdict_name(why->rules[i].verdict));
        json_add_text(rule, "change", why->rules[i].change);
    }
}

static const struct rule *first_obstacle(const struct explanation *why)
{
    for (uint32_t i = 0; i < why->rule_count; i++)
        if (why->rules[i].verdict == RULE_BLOCKS || why->rules[i].verdict == RULE_WAITS)
            return &why->rules[i];
    return NULL;
}

static void add_node(cJSON *nodes, struct future *future, const struct node *node)
{
    struct arena *arena = arena_create(1 << 14);
    struct explanation why;
    if (explain_node(future->core, arena, node->name, &why)) {
        const struct rule *obstacle = first_obstacle(&why);
        cJSON *one = json_append_object(nodes);
        json_add_text(one, "name", node->name);
        json_add_text(one, "group", node->group != NULL ? node->group->facts.name : "");
        json_add_integer(one, "pods", node->pod_count);
        json_add_text(one, "verdict", why.verdict);
        json_add_text(one, "saw", obstacle != NULL ? obstacle->saw : "");
        json_add_text(one, "change", obstacle != NULL && obstacle->change != NULL ? obstacle->change : "");
        add_rules(one, &why);
    }
    arena_destroy(arena);
}

static cJSON *same_verdict(cJSON *unhelped, const char *verdict)
{
    cJSON *one;
    cJSON_ArrayForEach(one, unhelped) if (strcmp(json_text(one, "verdict"), verdict) == 0) return one;
    return NULL;
}

static void add_unhelped(cJSON *report, struct future *future)
{
    struct arena *arena = arena_create(1 << 14);
    const struct pod **pods;
    uint32_t count = foresee_waiting(future->core, arena, &pods);
    cJSON *unhelped = json_add_array(report, "unhelped");
    for (uint32_t i = 0; i < count; i++) {
        const char *verdict = pods[i]->verdict[0] != '\0' ? pods[i]->verdict : "not looked at yet";
        cJSON *known = same_verdict(unhelped, verdict);
        if (known != NULL) {
            cJSON_SetNumberValue(cJSON_GetObjectItemCaseSensitive(known, "pods"),
                                 (double)json_integer(known, "pods", 0) + 1);
            continue;
        }
        if (json_count(unhelped) == UNHELPED_MAX)
            continue;
        known = json_append_object(unhelped);
        json_add_text(known, "namespace", pods[i]->space);
        json_add_text(known, "name", pods[i]->name);
        json_add_integer(known, "pods", 1);
        json_add_text(known, "verdict", verdict);
    }
    arena_destroy(arena);
}

static void add_nodes(cJSON *report, struct future *future, int64_t nodes_max)
{
    const struct cluster *cluster = future->core->cluster;
    cJSON *nodes = json_add_array(report, "nodes");
    int64_t more = 0, foreign = 0;
    const char *first_foreign = "";
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct node *node = cluster->nodes[i];
        if (node->group == NULL && foreign++ == 0)
            first_foreign = node->name;
        bool shown = node->group != NULL && (int64_t)json_count(nodes) < nodes_max;
        if (shown)
            add_node(nodes, future, node);
        else
            more += node->group != NULL;
    }
    json_add_integer(report, "nodesNotShown", more);
    json_add_integer(report, "nodesNotOurs", foreign);
    json_add_text(report, "nodesNotOursSuchAs", first_foreign);
}

// ---- the end

static void add_decision(cJSON *list, const struct future *future, const struct foreseen *seen)
{
    cJSON *one = json_append_object(list);
    json_add_integer(one, "id", (int64_t)seen->id);
    add_time(one, "at", seen->at_ms);
    json_add_integer(one, "afterSeconds", (seen->at_ms - future->begin_ms) / 1000);
    json_add_text(one, "kind", seen->kind);
    json_add_text(one, "group", seen->group);
    json_add_text(one, "summary", seen->summary);
    json_add_text(one, "reason", seen->reason);
    json_add_bool(one, "recommended", seen->recommended);
    json_add_integer(one, "machines", seen->machines);
    json_add_integer(one, "sizeID", seen->size_id);
    cJSON *leaving = json_add_array(one, "leaving");
    for (uint32_t i = 0; i < seen->leaving_count; i++)
        json_append_text(leaving, seen->leaving[i]);
    json_add_integer(one, "podsPlaced", seen->pods_placed);
    add_real(one, "pricePerHourAfter", seen->price_hour_after);
}

void report_end(cJSON *report, struct future *future, int64_t nodes_max)
{
    cJSON *decisions = json_add_array(report, "decisions");
    for (uint32_t i = 0; i < future->seen_count; i++)
        add_decision(decisions, future, &future->seen[i]);
    json_add_bool(report, "comesToRest", future->decisions_seen < FUTURE_DECISIONS_MAX);
    add_unhelped(report, future);
    add_nodes(report, future, nodes_max);
    add_totals(report, "end", future);
}

#include "coordinator/admin/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const VERDICTS[] = {
    [RULE_PASS] = "pass", [RULE_BLOCKS] = "BLOCKS", [RULE_WAITS] = "WAITS", [RULE_INFO] = "info"};

static char *explain_reply(struct view *view)
{
    const struct admin_request *request = view->request;
    struct core *core = view->core;
    struct arena *arena = arena_create(32u * 1024u);
    struct explanation found = {0};
    bool known;
    if (request->node[0] != '\0')
        known = explain_node(core, arena, request->node, &found);
    else if (request->pod[0] != '\0')
        known = explain_pod(core, arena, request->space, request->pod, &found);
    else
        known = explain_group(core, arena, request->group, &found);
    if (!known) {
        arena_destroy(arena);
        if (request->pod[0] != '\0')
            return admin_error_reply("not-found", "there is no pod %s/%s", request->space, request->pod);
        return request->node[0] != '\0'
                   ? admin_error_reply("not-found", "there is no node %s", request->node)
                   : admin_error_reply("not-found", "there is no NodeGroup %s", request->group);
    }
    struct json *json = &view->json;
    json_put_string(json, "subject", found.subject);
    json_put_string(json, "verdict", found.verdict);
    const struct node *node = request->node[0] != '\0' ? cluster_node(core->cluster, request->node) : NULL;
    if (node != NULL && node->intention != NULL && node->intention->group != NULL) {
        json_put_string(json, "group", node->intention->group->facts.name);
        json_put_real(json, "pricePerHour", policy_node_price(core, node), 4);
    }
    json_put_integer(json, "decision", (int64_t)found.decision_id);
    json_put_time(json, "at", found.at_ms);
    json_put_array(json, "rules");
    for (uint32_t i = 0; i < found.rule_count; i++) {
        const struct rule *rule = &found.rules[i];
        json_put_object(json, NULL);
        json_put_string(json, "rule", rule->name);
        json_put_string(json, "saw", rule->saw);
        json_put_string(json, "limit", rule->limit);
        json_put_string(json, "verdict", VERDICTS[rule->verdict]);
        json_put_string(json, "change", rule->change);
        json_put_end(json);
    }
    json_put_end(json);
    json_put_string(json, "then", found.then);
    arena_destroy(arena);
    return NULL;
}

static char *nodes_reply(struct view *view)
{
    const char *group = view->request->group;
    if (group[0] != '\0' && cluster_group(view->core->cluster, NULL, group) == NULL)
        return admin_error_reply("not-found", "there is no NodeGroup %s", group);
    view_nodes(view);
    return NULL;
}

// NULL: the reply was written; else an error reply in its place.
static char *render(struct view *view)
{
    uint32_t limit = view->request->limit;
    switch (view->request->command) {
    case ADMIN_STATUS: view_status(view); return NULL;
    case ADMIN_GROUPS: view_groups(view); return NULL;
    case ADMIN_NODES: return nodes_reply(view);
    case ADMIN_AGENTS: view_agents(view); return NULL;
    case ADMIN_PODS: view_pods(view); return NULL;
    case ADMIN_ACTIONS: view_actions(view, limit > 0 ? limit : VIEW_DECISIONS_DEFAULT); return NULL;
    case ADMIN_EXPLAIN: return explain_reply(view);
    case ADMIN_SNAPSHOT: view_snapshot(view); return NULL;
    default: break;
    }
    return admin_error_reply("invalid", "%s is not a command that reads",
                             admin_command_name(view->request->command));
}

char *view_render(struct core *core, const struct view_extra *extra, const struct admin_request *request)
{
    struct text out = {0};
    struct view view = {.core = core, .extra = extra, .request = request, .json = json_put_begin(&out)};
    json_put_bool(&view.json, "ok", true);
    json_put_string(&view.json, "command", admin_command_name(request->command));
    json_put_time(&view.json, "now", core->now_ms);
    char *instead = render(&view);
    if (instead != NULL) {
        text_free(&out);
        return instead;
    }
    json_put_finish(&view.json);
    return text_take(&out);
}

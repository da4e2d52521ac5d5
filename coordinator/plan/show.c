#include <stdio.h>
#include <string.h>

#include "coordinator/kube/json.h"
#include "coordinator/plan/report.h"

#define DECISIONS_SHOWN_MAX 60

struct show {
    struct screen *screen;
    struct arena *arena;
    const cJSON *report;
};

static double real(const cJSON *json, const char *name)
{
    const cJSON *value = json_get(json, name);
    return cJSON_IsNumber(value) ? value->valuedouble : 0;
}

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

// "   $0.250/h"; "" when no price is known.
static const char *price(const struct show *show, const cJSON *totals)
{
    double hour = real(totals, "pricePerHour");
    return hour > 0 ? arena_printf(show->arena, "   $%.3f/h", hour) : "";
}

static void heading(struct show *show, const char *text)
{
    screen_put(show->screen, PAINT_BOLD, "%s", text);
    screen_line(show->screen);
}

static void hint(struct show *show, const char *text)
{
    screen_put(show->screen, PAINT_DIM, "      %s", text);
    screen_line(show->screen);
}

static void show_begin(struct show *show)
{
    const cJSON *begin = json_get(show->report, "begin");
    int64_t nodes = json_integer(begin, "nodes", 0), pods = json_integer(begin, "pods", 0);
    int64_t groups = json_integer(show->report, "groups", 0);
    screen_put(show->screen, PAINT_BOLD, "PLAN  ");
    screen_put(show->screen, PAINT_PLAIN, "%s   %.19sZ", json_text(show->report, "source"),
               json_text(show->report, "at"));
    screen_line(show->screen);
    screen_put(show->screen, PAINT_PLAIN, "      %lld node%s, %lld pod%s (%lld wait%s), %lld NodeGroup%s%s",
               (long long)nodes, plural(nodes), (long long)pods, plural(pods),
               (long long)json_integer(begin, "waiting", 0),
               json_integer(begin, "waiting", 0) == 1 ? "s" : "", (long long)groups, plural(groups),
               price(show, begin));
    screen_line(show->screen);
    if (groups == 0)
        hint(show, "no NodeGroup: nothing can be ordered; add a manifest: plan ... group.yaml");
    if (!json_true(show->report, "agents"))
        hint(show, "no agents: use is taken from requests, and local volumes keep their node");
    if (!json_true(show->report, "vpsie"))
        hint(show,
             "no VPSie account: sizes are those of the nodes there are, prices are not known; --offers");
    if (json_integer(show->report, "unreadable", 0) > 0)
        hint(show, arena_printf(show->arena, "%lld objects could not be read, such as %s",
                                (long long)json_integer(show->report, "unreadable", 0),
                                json_text(show->report, "unreadableSuchAs")));
}

static void show_decision(struct show *show, const cJSON *decision)
{
    char after[32] = "now";
    int64_t seconds = json_integer(decision, "afterSeconds", 0);
    if (seconds * 1000 > REPORT_NOW_MS) {
        after[0] = '+';
        text_format_duration(after + 1, sizeof(after) - 1, seconds * 1000);
    }
    bool orders = json_integer(decision, "machines", 0) > 0;
    bool removes = json_count(json_get(decision, "leaving")) > 0;
    int64_t placed = json_integer(decision, "podsPlaced", 0);
    screen_put_columns(show->screen, PAINT_DIM, 8, after);
    screen_put(show->screen, PAINT_DIM, "D%lld ", (long long)json_integer(decision, "id", 0));
    screen_put(show->screen,
               orders    ? PAINT_GREEN
               : removes ? PAINT_YELLOW
                         : PAINT_PLAIN,
               "%s", json_text(decision, "summary"));
    screen_put(show->screen, PAINT_PLAIN, "   %s", json_text(decision, "reason"));
    if (placed > 0)
        screen_put(show->screen, PAINT_PLAIN, "; %lld then run", (long long)placed);
    if (json_true(decision, "recommended"))
        screen_put(show->screen, PAINT_YELLOW, "   waits for approval");
    screen_line(show->screen);
}

static void show_decisions(struct show *show)
{
    const cJSON *decisions = json_get(show->report, "decisions"), *decision;
    char horizon[32];
    text_format_duration(horizon, sizeof(horizon), json_integer(show->report, "horizonSeconds", 0) * 1000);
    heading(show, arena_printf(show->arena, "WOULD DO, NOW AND WITHIN %s", horizon));
    int shown = 0;
    cJSON_ArrayForEach(decision, decisions)
    {
        if (shown++ < DECISIONS_SHOWN_MAX)
            show_decision(show, decision);
    }
    if (shown == 0 && json_count(json_get(show->report, "unhelped")) == 0)
        hint(show, "nothing: every pod has its place and no node is to spare");
    else if (shown == 0)
        hint(show, "nothing");
    if (shown > DECISIONS_SHOWN_MAX)
        hint(show, arena_printf(show->arena, "and %d more; -o json shows all", shown - DECISIONS_SHOWN_MAX));
    if (!json_true(show->report, "comesToRest"))
        hint(show, "it does not come to rest: this is a mistake of ours, please report it with a snapshot");
}

static void show_unhelped(struct show *show)
{
    const cJSON *unhelped = json_get(show->report, "unhelped"), *one;
    if (json_count(unhelped) == 0)
        return;
    heading(show, "STILL WAITING");
    cJSON_ArrayForEach(one, unhelped)
    {
        int64_t others = json_integer(one, "pods", 1) - 1;
        screen_put(show->screen, PAINT_YELLOW, "  %s/%s", json_text(one, "namespace"),
                   json_text(one, "name"));
        if (others > 0)
            screen_put(show->screen, PAINT_PLAIN, " and %lld more", (long long)others);
        screen_put(show->screen, PAINT_PLAIN, "   %s", json_text(one, "verdict"));
        screen_line(show->screen);
    }
}

// Nodes that no NodeGroup of ours manages are never touched: one line says how many.
static void show_foreign(struct show *show)
{
    int64_t count = json_integer(show->report, "nodesNotOurs", 0);
    if (count == 0)
        return;
    screen_put(show->screen, PAINT_PLAIN, "%lld node%s stay%s: no NodeGroup manages %s, such as %s",
               (long long)count, plural(count), count == 1 ? "s" : "", count == 1 ? "it" : "them",
               json_text(show->report, "nodesNotOursSuchAs"));
    screen_line(show->screen);
}

static void show_nodes(struct show *show)
{
    const cJSON *nodes = json_get(show->report, "nodes"), *node;
    show_foreign(show);
    if (json_count(nodes) == 0)
        return;
    heading(show, "NODES THAT STAY, AND WHY");
    struct table table = table_create(show->arena, "NODE|GROUP|PODS|VERDICT|~SAW|~TO CHANGE IT");
    cJSON_ArrayForEach(node, nodes)
    {
        const char *verdict = json_text(node, "verdict");
        table_row(&table);
        table_cell(&table, PAINT_PLAIN, "%s", json_text(node, "name"));
        table_cell(&table, PAINT_PLAIN, "%s", json_text(node, "group"));
        table_cell(&table, PAINT_PLAIN, "%lld", (long long)json_integer(node, "pods", 0));
        table_cell(&table, text_starts_with(verdict, "KEPT") ? PAINT_PLAIN : PAINT_GREEN, "%s", verdict);
        table_cell(&table, PAINT_PLAIN, "%s", json_text(node, "saw"));
        table_cell(&table, PAINT_DIM, "%s", json_text(node, "change"));
    }
    table_print(&table, show->screen);
    int64_t more = json_integer(show->report, "nodesNotShown", 0);
    if (more > 0)
        hint(show, arena_printf(show->arena, "and %lld more; --limit shows more", (long long)more));
}

static void show_end(struct show *show)
{
    const cJSON *end = json_get(show->report, "end");
    int64_t nodes = json_integer(end, "nodes", 0), waits = json_integer(end, "waiting", 0);
    screen_put(show->screen, PAINT_BOLD, "THEN  ");
    screen_put(show->screen, PAINT_PLAIN, "%lld node%s, %lld pod%s wait%s%s", (long long)nodes, plural(nodes),
               (long long)waits, plural(waits), waits == 1 ? "s" : "", price(show, end));
    screen_line(show->screen);
}

void report_show(struct screen *screen, const cJSON *report)
{
    struct show show = {.screen = screen, .arena = arena_create(1 << 14), .report = report};
    show_begin(&show);
    show_decisions(&show);
    show_unhelped(&show);
    show_nodes(&show);
    show_end(&show);
    arena_destroy(show.arena);
}

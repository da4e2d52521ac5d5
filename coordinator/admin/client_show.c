#include <stdio.h>
#include <string.h>

#include "coordinator/admin/client.h"

#define NEED_COLUMNS_MIN 30

struct show {
    struct screen *screen;
    struct arena *arena;
    const cJSON *reply;
    int64_t now_ms;
    bool all;
};

// ---- reading

static const char *string_of(const cJSON *json, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, name);
    return cJSON_IsString(member) && member->valuestring != NULL ? member->valuestring : "";
}

static double number_of(const cJSON *json, const char *name, double otherwise)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, name);
    return cJSON_IsNumber(member) ? member->valuedouble : otherwise;
}

static int count_of(const cJSON *json, const char *name)
{
    double value = number_of(json, name, 0);
    return value > 2e9 || value < -2e9 ? 0 : (int)value;
}

static bool true_of(const cJSON *json, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, name));
}

static const cJSON *member_of(const cJSON *json, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(json, name);
}

static int64_t time_of(const cJSON *json, const char *name)
{
    const char *text = string_of(json, name);
    int64_t at_ms = 0;
    return text_parse_time_ms(text, strlen(text), &at_ms, NULL) == 0 ? at_ms : 0;
}

// "4m", "" when the time is not given.
static const char *age(const struct show *show, const cJSON *json, const char *name)
{
    int64_t at_ms = time_of(json, name);
    if (at_ms == 0)
        return "";
    char text[32];
    text_format_duration(text, sizeof(text), show->now_ms > at_ms ? show->now_ms - at_ms : 0);
    return arena_strdup(show->arena, text);
}

static const char *clock_time(const struct show *show, const cJSON *json, const char *name, int length)
{
    const char *text = string_of(json, name); // 2024-01-02T03:04:05Z
    return strlen(text) >= 19 ? arena_strndup(show->arena, text + 11, (size_t)length) : "";
}

// "61/22%"
static const char *pair(const struct show *show, const cJSON *json, const char *asked, const char *used)
{
    double first = number_of(json, asked, -1);
    double second = number_of(json, used, -1);
    if (first < 0 && second < 0)
        return "-";
    if (second < 0)
        return arena_printf(show->arena, "%.0f/?%%", first);
    return first < 0 ? arena_printf(show->arena, "?/%.0f%%", second)
                     : arena_printf(show->arena, "%.0f/%.0f%%", first, second);
}

static const char *decision_of(const struct show *show, const cJSON *json, const char *name)
{
    double id = number_of(json, name, 0);
    return id > 0 ? arena_printf(show->arena, "D%.0f", id) : "";
}

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

// ---- status

static enum paint state_paint(const char *state)
{
    if (strcmp(state, "ACTING") == 0)
        return PAINT_GREEN;
    if (strcmp(state, "HOLDING") == 0 || strcmp(state, "PAUSED") == 0)
        return PAINT_RED;
    return PAINT_YELLOW;
}

// Is it among what needs a person, and so told there?
static bool told_below(const struct show *show, const char *detail)
{
    const cJSON *need;
    cJSON_ArrayForEach(need, member_of(show->reply, "needsYou")) if (strstr(string_of(need, "what"),
                                                                            detail) != NULL) return true;
    return false;
}

static void show_heading(struct show *show)
{
    struct screen *screen = show->screen;
    const cJSON *reply = show->reply;
    const char *state = string_of(reply, "state"), *detail = string_of(reply, "stateDetail");
    const cJSON *vpsie = member_of(reply, "vpsie"), *agents = member_of(reply, "agents");
    screen_put(screen, state_paint(state), "%s", state);
    const char *leader = or_dash(string_of(reply, "leader")); // NAME, or NAME@HOST:PORT
    int name = (int)strcspn(leader, "@");
    bool told = told_below(show, detail) || (strcmp(state, "STANDBY") == 0 && strcmp(leader, "-") != 0);
    if (detail[0] != '\0' && !told)
        screen_put(screen, PAINT_PLAIN, "  %s", detail);
    screen_put(screen, PAINT_PLAIN, "  leader %.*s", name, leader);
    const char *decided = age(show, reply, "lastDecidedAt");
    if (decided[0] != '\0')
        screen_put(screen, PAINT_PLAIN, "   decided %s ago", decided);
    if (true_of(vpsie, "usable") && count_of(vpsie, "callsLimit") == 0)
        screen_put(screen, PAINT_PLAIN, "   VPSie ok");
    else if (true_of(vpsie, "usable"))
        screen_put(screen, PAINT_PLAIN, "   VPSie ok, %d/%d calls", count_of(vpsie, "callsUsed"),
                   count_of(vpsie, "callsLimit"));
    else
        screen_put(screen, PAINT_RED, "   VPSie not usable");
    int heard = count_of(agents, "heard"), expected = count_of(agents, "expected");
    screen_put(screen, heard < expected ? PAINT_YELLOW : PAINT_PLAIN, "   agents %d/%d", heard, expected);
    screen_line(screen);
}

static void show_needs(struct show *show)
{
    const cJSON *needs = member_of(show->reply, "needsYou"), *need;
    int widest = 0, longest_look = 0;
    cJSON_ArrayForEach(need, needs)
    {
        int what = text_columns(string_of(need, "what")), look = text_columns(string_of(need, "look"));
        widest = what > widest ? what : widest;
        longest_look = look > longest_look ? look : longest_look;
    }
    // the command to look further is shown whole: what is wrong can be read there
    int room = show->screen->width - text_columns("NEEDS YOU") - 5 - longest_look;
    if (room < widest)
        widest = room > NEED_COLUMNS_MIN ? room : NEED_COLUMNS_MIN;
    cJSON_ArrayForEach(need, needs)
    {
        screen_put(show->screen, PAINT_YELLOW, "NEEDS YOU");
        screen_put(show->screen, PAINT_PLAIN, "  ");
        screen_put_columns(show->screen, PAINT_PLAIN, widest, string_of(need, "what"));
        screen_put(show->screen, PAINT_DIM, "   %s", string_of(need, "look"));
        screen_line(show->screen);
    }
}

static void show_groups(struct show *show)
{
    const cJSON *groups = member_of(show->reply, "groups"), *group;
    if (cJSON_GetArraySize(groups) == 0) {
        screen_put(show->screen, PAINT_PLAIN, "no NodeGroups");
        screen_line(show->screen);
        return;
    }
    struct table table =
        table_create(show->arena, "!GROUP|NODES|MIN-MAX|PENDING|CPU REQ/USE|MEM REQ/USE|$/H|~DOING");
    cJSON_ArrayForEach(group, groups)
    {
        int pending = count_of(group, "podsWaiting");
        int coming = count_of(group, "coming"), leaving = count_of(group, "leaving");
        bool trouble = string_of(group, "problem")[0] != '\0' || string_of(group, "backoffReason")[0] != '\0';
        table_row(&table);
        table_cell(&table, PAINT_BOLD, "%s", string_of(group, "name"));
        int nodes = count_of(group, "ready") + leaving;
        if (coming > 0)
            table_cell(&table, PAINT_PLAIN, "%d+%d", nodes, coming);
        else
            table_cell(&table, PAINT_PLAIN, "%d", nodes);
        table_cell(&table, PAINT_PLAIN, "%d-%d", count_of(group, "minNodes"), count_of(group, "maxNodes"));
        table_cell(&table, pending > 0 ? PAINT_YELLOW : PAINT_PLAIN, "%d", pending);
        table_cell(&table, PAINT_PLAIN, "%s", pair(show, group, "cpuRequestedPercent", "cpuUsedPercent"));
        table_cell(&table, PAINT_PLAIN, "%s",
                   pair(show, group, "memoryRequestedPercent", "memoryUsedPercent"));
        table_cell(&table, PAINT_PLAIN, "%.2f", number_of(group, "pricePerHour", 0));
        table_cell(&table, trouble ? PAINT_YELLOW : PAINT_PLAIN, "%s", string_of(group, "doing"));
    }
    table_print(&table, show->screen);
}

static void show_status(struct show *show)
{
    const cJSON *reply = show->reply, *last = member_of(reply, "last"), *cost = member_of(reply, "cost");
    show_heading(show);
    show_needs(show);
    show_groups(show);
    if (last != NULL) {
        const char *withheld = string_of(last, "withheld");
        screen_put(show->screen, PAINT_DIM, "LAST     ");
        screen_put(show->screen, PAINT_PLAIN, "%s %s %s, %s%s", clock_time(show, last, "at", 5),
                   decision_of(show, last, "id"), string_of(last, "summary"), string_of(last, "reason"),
                   withheld[0] != '\0' ? arena_printf(show->arena, " (not done: %s)", withheld) : "");
        screen_line(show->screen);
    }
    screen_put(show->screen, PAINT_DIM, "TODAY    ");
    screen_put(show->screen, PAINT_PLAIN, "$%.2f (at max: $%.2f)", number_of(cost, "today", 0),
               number_of(cost, "atMaxToday", 0));
    screen_line(show->screen);
}

// ---- lists

static void show_empty(struct show *show, const char *text)
{
    screen_put(show->screen, PAINT_PLAIN, "%s", text);
    screen_line(show->screen);
}

static enum paint evidence_paint(const char *evidence)
{
    if (strcmp(evidence, "READY") == 0 || evidence[0] == '\0')
        return PAINT_PLAIN;
    return PAINT_YELLOW;
}

// What its agent last answered, or how long it has said nothing.
static void agent_cell(const struct show *show, struct table *table, const cJSON *node, bool ours)
{
    const char *heard = age(show, node, "agentHeardAt"), *evidence = string_of(node, "evidence");
    if (heard[0] == '\0')
        table_cell(table, ours ? PAINT_YELLOW : PAINT_DIM, "never heard");
    else if (true_of(node, "agentSilent"))
        table_cell(table, PAINT_RED, "silent %s", heard);
    else
        table_cell(table, ours ? evidence_paint(evidence) : PAINT_DIM, "%s", or_dash(evidence));
}

static void add_node(const struct show *show, struct table *table, const cJSON *node)
{
    const char *state = string_of(node, "state"), *held = string_of(node, "held");
    const char *kept = string_of(node, "keptBy");
    bool ours = strcmp(kept, "managed") != 0;
    table_row(table);
    table_cell(table, PAINT_BOLD, "%s", string_of(node, "name"));
    table_cell(table, PAINT_PLAIN, "%s", or_dash(string_of(node, "group")));
    table_cell(table, strcmp(state, "ready") == 0 ? PAINT_GREEN : PAINT_YELLOW, "%s", state);
    table_cell(table, PAINT_PLAIN, "%d", count_of(node, "pods"));
    table_cell(table, PAINT_PLAIN, "%s", pair(show, node, "cpuRequestedPercent", "cpuUsedPercent"));
    table_cell(table, PAINT_PLAIN, "%s", pair(show, node, "memoryRequestedPercent", "memoryUsedPercent"));
    agent_cell(show, table, node, ours);
    if (held[0] == '\0' && ours)
        held = or_dash(kept);
    table_cell(table, ours ? PAINT_PLAIN : PAINT_DIM, "%s", held[0] != '\0' ? held : "not ours");
}

static void add_machine(const struct show *show, struct table *table, const cJSON *machine)
{
    const char *waits_for = string_of(machine, "waitsFor");
    table_row(table);
    table_cell(table, PAINT_BOLD, "%s", string_of(machine, "name"));
    table_cell(table, PAINT_PLAIN, "%s", or_dash(string_of(machine, "group")));
    table_cell(table, PAINT_YELLOW, "%s", string_of(machine, "state"));
    for (int i = 0; i < 4; i++)
        table_cell(table, PAINT_DIM, "-");
    table_cell(table, PAINT_PLAIN, "%s%s%s%s", age(show, machine, "since"), waits_for[0] != '\0' ? ": " : "",
               waits_for, true_of(machine, "outcomeUnknown") ? ", VPSie's answer was lost" : "");
}

static void show_nodes(struct show *show)
{
    const cJSON *nodes = member_of(show->reply, "nodes"), *node;
    const cJSON *coming = member_of(show->reply, "coming"), *machine;
    if (cJSON_GetArraySize(nodes) + cJSON_GetArraySize(coming) == 0) {
        show_empty(show, "no nodes");
        return;
    }
    struct table table =
        table_create(show->arena, "!NODE|~GROUP|STATE|PODS|CPU REQ/USE|MEM REQ/USE|AGENT|~KEPT BY");
    cJSON_ArrayForEach(node, nodes) add_node(show, &table, node);
    cJSON_ArrayForEach(machine, coming) add_machine(show, &table, machine);
    table_print(&table, show->screen);
}

// A roll-out is under way or got stuck: only then are versions worth their room.
static bool versions_differ(const cJSON *agents)
{
    const cJSON *agent, *first = cJSON_GetArrayItem(agents, 0);
    cJSON_ArrayForEach(agent, agents) if (strcmp(string_of(agent, "version"), string_of(first, "version")) !=
                                          0) return true;
    return false;
}

static void show_agents(struct show *show)
{
    const cJSON *agents = member_of(show->reply, "agents"), *agent, *missing;
    if (cJSON_GetArraySize(agents) == 0)
        show_empty(show, "no agent has spoken yet");
    bool versions = versions_differ(agents);
    struct table table =
        table_create(show->arena, versions ? "!NODE|HEARD|EVIDENCE|PODS|PSI CPU/MEM/IO|VERSION|~WHY"
                                           : "!NODE|HEARD|EVIDENCE|PODS|PSI CPU/MEM/IO|~WHY");
    cJSON_ArrayForEach(agent, agents)
    {
        const cJSON *reason = cJSON_GetArrayItem(member_of(agent, "reasons"), 0);
        const char *evidence = string_of(agent, "evidence"), *detail = string_of(reason, "detail");
        table_row(&table);
        table_cell(&table, PAINT_BOLD, "%s", string_of(agent, "node"));
        table_cell(&table, true_of(agent, "silent") ? PAINT_RED : PAINT_PLAIN, "%s%s",
                   age(show, agent, "heardAt"), true_of(agent, "silent") ? " SILENT" : "");
        table_cell(&table, evidence_paint(evidence), "%s", evidence);
        table_cell(&table, PAINT_PLAIN, "%d", count_of(agent, "pods"));
        table_cell(&table, PAINT_PLAIN, "%.0f/%.0f/%.0f%%", number_of(agent, "pressureCpuSome60", 0),
                   number_of(agent, "pressureMemoryFull60", 0), number_of(agent, "pressureIoFull60", 0));
        if (versions)
            table_cell(&table, PAINT_PLAIN, "%s", string_of(agent, "version"));
        table_cell(&table, PAINT_PLAIN, "%s%s%s", string_of(reason, "code"), detail[0] != '\0' ? ": " : "",
                   detail);
    }
    if (cJSON_GetArraySize(agents) > 0)
        table_print(&table, show->screen);
    cJSON_ArrayForEach(missing, member_of(show->reply, "missing"))
    {
        if (!cJSON_IsString(missing))
            continue;
        screen_put(show->screen, PAINT_YELLOW, "%s", missing->valuestring);
        screen_put(show->screen, PAINT_PLAIN, "  never heard");
        screen_line(show->screen);
    }
}

static void show_pods(struct show *show)
{
    const cJSON *pods = member_of(show->reply, "pods"), *pod;
    if (cJSON_GetArraySize(pods) == 0) {
        show_empty(show, "no pod waits");
        return;
    }
    struct table table = table_create(show->arena, "!POD|STATE|WAITS|CPU|MEMORY|~VERDICT");
    cJSON_ArrayForEach(pod, pods)
    {
        char memory[32];
        double bytes = number_of(pod, "memoryBytes", 0);
        text_format_bytes(memory, sizeof(memory), bytes > 0 ? (uint64_t)bytes : 0);
        const char *waits = age(show, pod, "since"), *verdict = string_of(pod, "verdict");
        table_row(&table);
        table_cell(&table, PAINT_BOLD, "%s/%s", string_of(pod, "namespace"), string_of(pod, "name"));
        table_cell(&table, PAINT_PLAIN, "%s", string_of(pod, "state"));
        table_cell(&table, PAINT_PLAIN, "%s", waits[0] != '\0' ? waits : age(show, pod, "createdAt"));
        table_cell(&table, PAINT_PLAIN, "%.2f", number_of(pod, "cpuMillis", 0) / 1000);
        table_cell(&table, PAINT_PLAIN, "%s", memory);
        table_cell(&table, strncmp(verdict, "no group", 8) == 0 ? PAINT_YELLOW : PAINT_PLAIN, "%s",
                   or_dash(verdict));
    }
    table_print(&table, show->screen);
    int more = count_of(show->reply, "more");
    if (more > 0) {
        screen_put(show->screen, PAINT_DIM, "and %d more (--limit)", more);
        screen_line(show->screen);
    }
}

// What went as planned is plain; so is a brake that opens.
static enum paint action_paint(const cJSON *action)
{
    const char *kind = string_of(action, "kind"), *summary = string_of(action, "summary");
    bool trouble = strcmp(kind, "hold") == 0 ? strncmp(summary, "hold", 4) == 0
                                             : strcmp(kind, "give-up") == 0 || strcmp(kind, "replace") == 0;
    return trouble ? PAINT_YELLOW : PAINT_PLAIN;
}

static void show_actions(struct show *show)
{
    const cJSON *actions = member_of(show->reply, "actions"), *action;
    if (cJSON_GetArraySize(actions) == 0) {
        show_empty(show, "nothing decided yet");
        return;
    }
    struct table table = table_create(show->arena, "TIME|ID|DECISION|~REASON");
    cJSON_ArrayForEach(action, actions)
    {
        const char *withheld = string_of(action, "withheld");
        table_row(&table);
        table_cell(&table, PAINT_DIM, "%s", clock_time(show, action, "at", 8));
        table_cell(&table, PAINT_BOLD, "%s", decision_of(show, action, "id"));
        if (withheld[0] != '\0')
            table_cell(&table, PAINT_DIM, "%s (not done: %s)", string_of(action, "summary"), withheld);
        else
            table_cell(&table, action_paint(action), "%s", string_of(action, "summary"));
        table_cell(&table, PAINT_PLAIN, "%s", string_of(action, "reason"));
    }
    table_print(&table, show->screen);
}

// ---- explain

// A rule that passes as it nearly always does: shown only when all are asked for. Of a node, the rules that
// weigh it are always shown.
static bool tells_nothing(const cJSON *rule, bool node)
{
    static const char *const WEIGHING[] = {"underused, requests", "underused, measured",
                                           "pods fit elsewhere",  "budgets",
                                           "local data",          "group minimum"};
    if (strcmp(string_of(rule, "verdict"), "pass") != 0)
        return false;
    for (size_t i = 0; i < sizeof(WEIGHING) / sizeof(WEIGHING[0]) && node; i++)
        if (strcmp(string_of(rule, "rule"), WEIGHING[i]) == 0)
            return false;
    if (strcmp(string_of(rule, "rule"), "managed") == 0)
        return true;
    const char *limit = string_of(rule, "limit");
    return node || limit[0] == '\0' || strcmp(string_of(rule, "saw"), limit) == 0;
}

static enum paint rule_paint(const char *verdict)
{
    if (strcmp(verdict, "BLOCKS") == 0)
        return PAINT_RED;
    if (strcmp(verdict, "WAITS") == 0)
        return PAINT_YELLOW;
    return strcmp(verdict, "pass") == 0 ? PAINT_GREEN : PAINT_PLAIN;
}

static void show_rules(struct show *show, const cJSON *rules)
{
    const cJSON *rule;
    struct table table = table_create(show->arena, "RULE|~SAW|~LIMIT|VERDICT");
    int folded = 0;
    bool node = strncmp(string_of(show->reply, "subject"), "node ", 5) == 0;
    cJSON_ArrayForEach(rule, rules)
    {
        if (!show->all && tells_nothing(rule, node)) {
            folded++;
            continue;
        }
        table_row(&table);
        table_cell(&table, PAINT_PLAIN, "%s", string_of(rule, "rule"));
        table_cell(&table, PAINT_PLAIN, "%s", string_of(rule, "saw"));
        table_cell(&table, PAINT_PLAIN, "%s", string_of(rule, "limit"));
        table_cell(&table, rule_paint(string_of(rule, "verdict")), "%s", string_of(rule, "verdict"));
    }
    table_print(&table, show->screen);
    if (folded > 0) {
        screen_put(show->screen, PAINT_DIM, "and %d more that pass%s (--all)", folded,
                   folded == 1 ? "es" : "");
        screen_line(show->screen);
    }
}

// Long advice goes over several lines: an annotation's key must stay whole.
static void show_advice(struct show *show, const char *label, const char *text)
{
    int indent = 11;
    screen_put(show->screen, PAINT_DIM, "%-*s", indent, label);
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        const char *part = arena_strndup(show->arena, text, word);
        if (show->screen->column > indent &&
            show->screen->column + 1 + text_columns(part) > show->screen->width) {
            screen_line(show->screen);
            screen_put(show->screen, PAINT_PLAIN, "%*s", indent, "");
        }
        screen_put(show->screen, PAINT_PLAIN, show->screen->column > indent ? " %s" : "%s", part);
        text += word + strspn(text + word, " ");
    }
    screen_line(show->screen);
}

static void show_explain(struct show *show)
{
    const cJSON *reply = show->reply, *rules = member_of(reply, "rules"), *rule;
    const char *verdict = string_of(reply, "verdict");
    double price = number_of(reply, "pricePerHour", 0);
    bool held = strncmp(verdict, "KEPT", 4) == 0 || strncmp(verdict, "CANNOT", 6) == 0;
    screen_put(show->screen, PAINT_BOLD, "%s", string_of(reply, "subject"));
    if (string_of(reply, "group")[0] != '\0')
        screen_put(show->screen, PAINT_PLAIN, "  %s", string_of(reply, "group"));
    if (price > 0)
        screen_put(show->screen, PAINT_PLAIN, "  $%.2f/h", price);
    screen_put(show->screen, held ? PAINT_YELLOW : PAINT_GREEN, "   %s", verdict);
    screen_put(show->screen, PAINT_DIM, "   %s%s%s", decision_of(show, reply, "decision"),
               number_of(reply, "decision", 0) > 0 ? " " : "", clock_time(show, reply, "at", 8));
    screen_line(show->screen);
    show_rules(show, rules);
    const char *label = "TO CHANGE";
    cJSON_ArrayForEach(rule, rules)
    {
        if (string_of(rule, "change")[0] == '\0')
            continue;
        show_advice(show, label, string_of(rule, "change"));
        label = "";
    }
    if (string_of(reply, "then")[0] != '\0')
        show_advice(show, "THEN", string_of(reply, "then"));
}

// ---- any reply

void client_show(struct screen *screen, enum admin_command command, const cJSON *reply, bool all)
{
    struct show show = {.screen = screen, .arena = arena_create(64u * 1024u), .reply = reply, .all = all};
    show.now_ms = time_of(reply, "now");
    switch (command) {
    case ADMIN_STATUS: show_status(&show); break;
    case ADMIN_GROUPS: show_groups(&show); break;
    case ADMIN_NODES: show_nodes(&show); break;
    case ADMIN_AGENTS: show_agents(&show); break;
    case ADMIN_PODS: show_pods(&show); break;
    case ADMIN_ACTIONS: show_actions(&show); break;
    case ADMIN_EXPLAIN: show_explain(&show); break;
    case ADMIN_LOG_LEVEL: show_empty(&show, string_of(reply, "level")); break;
    default: show_empty(&show, or_dash(string_of(reply, "text"))); break;
    }
    arena_destroy(show.arena);
}

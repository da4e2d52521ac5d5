#include "coordinator/decide/rules.h"

#include <string.h>

void explanation_add(struct explanation *out, struct arena *arena, const char *name,
                     const struct answer *answer)
{
    if (out->rule_count == out->rule_capacity) {
        uint32_t capacity = out->rule_capacity == 0 ? 32 : out->rule_capacity * 2;
        struct rule *rules = ARENA_ARRAY(arena, struct rule, capacity);
        if (out->rule_count > 0)
            memcpy(rules, out->rules, out->rule_count * sizeof(*rules));
        out->rules = rules;
        out->rule_capacity = capacity;
    }
    bool change = answer->verdict == RULE_BLOCKS || answer->verdict == RULE_WAITS;
    out->rules[out->rule_count++] =
        (struct rule){.name = name,
                      .saw = answer->saw != NULL ? answer->saw : arena_strdup(arena, ""),
                      .limit = answer->limit != NULL ? answer->limit : arena_strdup(arena, ""),
                      .verdict = answer->verdict,
                      .change = change && answer->change != NULL ? answer->change : arena_strdup(arena, "")};
}

static struct node_case node_case(struct core *core, struct node *node, enum disruption_reason reason)
{
    struct intention *intention = node->intention;
    return (struct node_case){.core = core,
                              .node = node,
                              .intention = intention,
                              .group = intention != NULL ? intention->group : NULL,
                              .life = intention != NULL ? intention->decide : NULL,
                              .reason = reason};
}

static enum disruption_reason idle_reason(const struct core *core, const struct node *node)
{
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next)
        if (life_pod_counts(core, pod))
            return DISRUPTION_UNDERUSED;
    return DISRUPTION_EMPTY;
}

struct node_answer policy_node_rules(struct core *core, struct node *node)
{
    return policy_node_may_go(core, node, idle_reason(core, node), false);
}

struct node_answer policy_node_may_go(struct core *core, struct node *node, enum disruption_reason reason,
                                      bool begun)
{
    struct node_case seen = node_case(core, node, reason);
    seen.begun = begun;
    for (uint32_t i = 0; i < NODE_RULE_COUNT; i++) {
        struct answer answer = {0};
        if ((NODE_RULES[i].reasons & (uint32_t)reason) == 0 || (begun && NODE_RULES[i].settles))
            continue;
        NODE_RULES[i].check(&seen, &answer);
        if (answer.verdict == RULE_BLOCKS || answer.verdict == RULE_WAITS)
            return (struct node_answer){
                .verdict = answer.verdict, .rule = NODE_RULES[i].name, .due_ms = answer.due_ms};
    }
    return (struct node_answer){.verdict = RULE_PASS};
}

struct node_answer policy_node_explain(struct core *core, struct node *node, struct arena *arena,
                                       struct explanation *out)
{
    struct node_case seen = node_case(core, node, idle_reason(core, node));
    struct node_answer first = {.verdict = RULE_PASS};
    for (uint32_t i = 0; i < NODE_RULE_COUNT; i++) {
        struct answer answer = {.words = arena};
        if ((NODE_RULES[i].reasons & (uint32_t)seen.reason) == 0)
            continue;
        NODE_RULES[i].check(&seen, &answer);
        explanation_add(out, arena, NODE_RULES[i].name, &answer);
        bool passes = answer.verdict != RULE_BLOCKS && answer.verdict != RULE_WAITS;
        if (!passes && first.rule == NULL)
            first = (struct node_answer){
                .verdict = answer.verdict, .rule = NODE_RULES[i].name, .due_ms = answer.due_ms};
        if (!passes && NODE_RULES[i].alone)
            break;
    }
    return first;
}

static double percent(int64_t part, int64_t whole)
{
    return part < 0 || whole <= 0 ? -1.0 : 100.0 * (double)part / (double)whole;
}

struct node_use policy_node_use(const struct node *node)
{
    const struct agent *agent = node->agent;
    int64_t cores = node->capacity.cpu_millis > 0 ? node->capacity.cpu_millis : node->allocatable.cpu_millis;
    return (struct node_use){
        .cpu_requested = percent(node->requested.cpu_millis, node->allocatable.cpu_millis),
        .memory_requested = percent(node->requested.memory_bytes, node->allocatable.memory_bytes),
        // the host's own use is part of what the agent measures: against the whole machine
        .cpu_used = agent != NULL ? percent(agent->cpu_used_millis, cores) : -1.0,
        .memory_used = agent != NULL ? percent(agent->memory_used_bytes, agent->memory_total_bytes) : -1.0,
    };
}

void policy_node_window(struct core *core, struct node *node)
{
    const struct group *group = node->intention != NULL ? node->intention->group : NULL;
    if (group == NULL) {
        node->underused_since_ms = 0;
        return;
    }
    const struct scale_policy_facts *policy = &group->facts.scale_down;
    struct node_use use = policy_node_use(node);
    bool under = use.cpu_requested >= 0 && use.cpu_requested < policy->cpu_threshold_percent &&
                 use.memory_requested >= 0 && use.memory_requested < policy->memory_threshold_percent &&
                 use.cpu_used >= 0 && use.cpu_used < policy->cpu_threshold_percent && use.memory_used >= 0 &&
                 use.memory_used < policy->memory_threshold_percent;
    if (!under)
        node->underused_since_ms = 0;
    else if (node->underused_since_ms == 0)
        node->underused_since_ms = core->now_ms;
}

// "09:30" at *at; -1 when it is not that. "24:00" is the day's end.
static int clock_minute(const char **at)
{
    const char *text = *at;
    for (int i = 0; i < 5; i++)
        if (i == 2 ? text[i] != ':' : text[i] < '0' || text[i] > '9')
            return -1;
    int hour = (text[0] - '0') * 10 + text[1] - '0';
    int minute = (text[3] - '0') * 10 + text[4] - '0';
    *at = text + 5;
    if (hour > 24 || minute > 59 || (hour == 24 && minute > 0))
        return -1;
    return hour * 60 + minute;
}

static void skip_spaces(const char **at)
{
    *at += strspn(*at, " ");
}

int policy_hours_allow(const char *hours, int minute)
{
    int allowed = 0;
    const char *at = hours;
    for (;;) {
        skip_spaces(&at);
        int begin = clock_minute(&at);
        skip_spaces(&at);
        if (begin < 0 || *at++ != '-')
            return -1;
        skip_spaces(&at);
        int end = clock_minute(&at);
        skip_spaces(&at);
        if (end < 0)
            return -1;
        if (begin <= end ? minute >= begin && minute < end : minute >= begin || minute < end)
            allowed = 1;
        if (*at == '\0')
            return allowed;
        if (*at++ != ',')
            return -1;
    }
}

int64_t policy_paid_left_ms(const struct core *core, const struct node *node)
{
    int64_t period_ms = core->config.billing_period_ms;
    if (period_ms <= 0 || node->intention == NULL)
        return 0;
    const struct intention_facts *facts = &node->intention->facts;
    int64_t from_ms = facts->status_created_ms > 0 ? facts->status_created_ms : facts->created_ms;
    int64_t age_ms = core->now_ms > from_ms ? core->now_ms - from_ms : 0;
    return period_ms - age_ms % period_ms;
}

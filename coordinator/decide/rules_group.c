#include "coordinator/decide/policy.h"

#include <stdio.h>
#include <string.h>

// What the rules of growth see. Counted once for all of them.
struct group_case {
    struct core *core;
    struct group *group;
    const struct group_life *life;
    const struct config_facts *config; // NULL: no AutoscalerConfig
    struct life_counts counts;
    uint32_t room, shared_room, lasting_room;
    double price_room_hour;
};

static void take_room(uint32_t *room, int64_t left)
{
    if (left < 0)
        left = 0;
    if (left < *room)
        *room = (uint32_t)left;
}

static void rule_managed(struct group_case *seen, struct answer *answer)
{
    answer->verdict = seen->group->facts.managed ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%s", seen->group->facts.managed ? "ours" : "not labelled");
    ANSWER_SAY(answer, limit, "%s=true", KEY_MANAGED);
    ANSWER_SAY(answer, change, "label the NodeGroup %s=true", KEY_MANAGED);
}

static void rule_spec(struct group_case *seen, struct answer *answer)
{
    bool valid = seen->group->facts.invalid[0] == '\0';
    answer->verdict = valid ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%s", valid ? "valid" : seen->group->facts.invalid);
    ANSWER_SAY(answer, limit, "valid");
    ANSWER_SAY(answer, change, "correct the NodeGroup's spec");
}

static void rule_alive(struct group_case *seen, struct answer *answer)
{
    bool alive = seen->group->facts.deletion_ms == 0;
    answer->verdict = alive ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%s", alive ? "no" : "being deleted");
    ANSWER_SAY(answer, limit, "no");
    ANSWER_SAY(answer, change, "make a new NodeGroup");
}

static void rule_paused(struct group_case *seen, struct answer *answer)
{
    bool paused = policy_group_paused(seen->group);
    answer->verdict = paused ? RULE_BLOCKS : RULE_PASS;
    ANSWER_SAY(answer, saw, "%s", paused ? "paused" : "no");
    ANSWER_SAY(answer, limit, "no");
    ANSWER_SAY(answer, change, "remove the annotation %s", KEY_PAUSED);
}

static void rule_enabled(struct group_case *seen, struct answer *answer)
{
    bool enabled = seen->group->facts.scale_up.enabled;
    answer->verdict = enabled ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%s", enabled ? "enabled" : "disabled");
    ANSWER_SAY(answer, limit, "enabled");
    ANSWER_SAY(answer, change, "set scaleUpPolicy.enabled to true");
}

// Brakes under which an order could not be carried out, or may not be.
static void rule_brakes(struct group_case *seen, struct answer *answer)
{
    static const enum brake STOPPING[] = {BRAKE_CLOUD_UNUSABLE, BRAKE_KUBE_UNREACHABLE, BRAKE_GROUPS_GONE};
    answer->verdict = RULE_PASS;
    ANSWER_SAY(answer, saw, "none");
    ANSWER_SAY(answer, limit, "none");
    for (size_t i = 0; i < sizeof(STOPPING) / sizeof(STOPPING[0]); i++) {
        const struct brake_state *brake = &seen->core->brakes[STOPPING[i]];
        if (!brake->on)
            continue;
        answer->verdict = RULE_BLOCKS;
        ANSWER_SAY(answer, saw, "%s: %s", brake_name(STOPPING[i]), brake->detail);
        ANSWER_SAY(answer, change, "%s",
                   STOPPING[i] == BRAKE_GROUPS_GONE ? "vpsie-coordinator resume"
                                                    : "see the coordinator's log");
        return;
    }
}

static void rule_backoff(struct group_case *seen, struct answer *answer)
{
    const struct group_life *life = seen->life;
    bool over = life->backoff_until_ms <= seen->core->now_ms;
    answer->verdict = over ? RULE_PASS : RULE_WAITS;
    answer->due_ms = over ? 0 : life->backoff_until_ms;
    if (answer->words == NULL)
        return;
    char left[32];
    policy_duration(left, sizeof(left), over ? 0 : life->backoff_until_ms - seen->core->now_ms);
    ANSWER_SAY(answer, limit, "none");
    if (over) {
        ANSWER_SAY(answer, saw, "none");
        return;
    }
    ANSWER_SAY(answer, saw, "%s more: %s", left, life->backoff_reason);
    ANSWER_SAY(answer, brief, "%s", life->backoff_reason);
    ANSWER_SAY(answer, change, "passes by itself in %s", left);
}

static void rule_maximum(struct group_case *seen, struct answer *answer)
{
    int64_t left = (int64_t)seen->group->facts.max_nodes - (int64_t)seen->counts.total;
    take_room(&seen->room, left);
    answer->verdict = left > 0 ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%u", seen->counts.total);
    ANSWER_SAY(answer, limit, "%d", seen->group->facts.max_nodes);
    ANSWER_SAY(answer, change, "raise maxNodes");
}

static void rule_workers(struct group_case *seen, struct answer *answer)
{
    answer->verdict = RULE_PASS;
    if (seen->config == NULL || seen->config->max_cluster_workers <= 0) {
        ANSWER_SAY(answer, saw, "%u", policy_workers(seen->core));
        ANSWER_SAY(answer, limit, "none");
        return;
    }
    uint32_t workers = policy_workers(seen->core);
    int64_t left = (int64_t)seen->config->max_cluster_workers - (int64_t)workers;
    take_room(&seen->shared_room, left);
    take_room(&seen->lasting_room, left);
    answer->verdict = left > 0 ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, saw, "%u", workers);
    ANSWER_SAY(answer, limit, "%d", seen->config->max_cluster_workers);
    ANSWER_SAY(answer, change, "raise maxClusterWorkers in the AutoscalerConfig");
}

// The cheapest machine that the group could get; 0 when no price is known.
static double cheapest(struct core *core, struct group *group, const struct group_life *life)
{
    double least = life->pool_count == 0 ? policy_group_price(core, group) : 0;
    for (uint32_t i = 0; i < life->pool_count; i++) {
        double price = life->pools[i].orderable ? policy_size_price(core, group, life->pools[i].size_id) : 0;
        if (price > 0 && (least <= 0 || price < least))
            least = price;
    }
    return least;
}

// The annotation max-hourly-price. One that cannot be read is no leave to spend anything.
static void rule_price(struct group_case *seen, struct answer *answer)
{
    const char *text = labels_get(&seen->group->facts.annotations, KEY_MAX_HOURLY_PRICE);
    answer->verdict = RULE_PASS;
    if (text == NULL && answer->words == NULL)
        return; // nobody asks for the sum
    double most = 0, now = policy_group_cost(seen->core, seen->group);
    ANSWER_SAY(answer, saw, "$%.3f/h", now);
    if (text == NULL) {
        ANSWER_SAY(answer, limit, "none");
        return;
    }
    if (text_parse_double(text, strlen(text), &most, NULL) != 0 || most < 0) {
        answer->verdict = RULE_BLOCKS;
        seen->price_room_hour = 0;
        ANSWER_SAY(answer, limit, "\"%.40s\", which is no price", text);
        ANSWER_SAY(answer, change, "a number of dollars in the annotation %s", KEY_MAX_HOURLY_PRICE);
        return;
    }
    double left = most > now ? most - now : 0, least = cheapest(seen->core, seen->group, seen->life);
    seen->price_room_hour = left;
    bool enough = left > 0 && least <= left + 1e-9;
    answer->verdict = enough ? RULE_PASS : RULE_BLOCKS;
    ANSWER_SAY(answer, limit, "$%.3f/h", most);
    ANSWER_SAY(answer, change, "raise the annotation %s: the cheapest machine costs $%.3f/h",
               KEY_MAX_HOURLY_PRICE, least);
}

static void rule_coming(struct group_case *seen, struct answer *answer)
{
    answer->verdict = RULE_PASS;
    uint32_t coming = policy_coming(seen->core);
    ANSWER_SAY(answer, saw, "%u", coming);
    if (seen->config == NULL || seen->config->max_concurrent_scale_ups <= 0) {
        ANSWER_SAY(answer, limit, "none");
        return;
    }
    int64_t left = (int64_t)seen->config->max_concurrent_scale_ups - (int64_t)coming;
    take_room(&seen->shared_room, left);
    answer->verdict = left > 0 ? RULE_PASS : RULE_WAITS;
    ANSWER_SAY(answer, limit, "%d", seen->config->max_concurrent_scale_ups);
    ANSWER_SAY(answer, change, "wait for those, or raise maxConcurrentScaleUps in the AutoscalerConfig");
}

static void rule_cooldown(struct group_case *seen, struct answer *answer)
{
    answer->verdict = RULE_PASS;
    int64_t last_ms = seen->core->policy->last_order_ms;
    for (uint32_t i = 0; i < seen->core->cluster->group_count; i++) {
        const struct group *group = seen->core->cluster->groups[i];
        if (group->facts.managed && group->facts.status_last_scale_up_ms > last_ms)
            last_ms = group->facts.status_last_scale_up_ms;
    }
    int64_t needed_ms = seen->config == NULL ? 0 : seen->config->scale_up_cooldown_seconds * 1000;
    int64_t due_ms = last_ms + needed_ms;
    bool over = last_ms == 0 || needed_ms <= 0 || due_ms <= seen->core->now_ms;
    if (!over) {
        answer->verdict = RULE_WAITS;
        answer->due_ms = due_ms;
    }
    if (answer->words == NULL)
        return;
    char since[32] = "never", needed[32] = "none";
    if (last_ms > 0)
        policy_duration(since, sizeof(since), seen->core->now_ms - last_ms);
    if (needed_ms > 0)
        policy_duration(needed, sizeof(needed), needed_ms);
    ANSWER_SAY(answer, saw, "%s%s", since, last_ms > 0 ? " ago" : "");
    ANSWER_SAY(answer, limit, "%s", needed);
    ANSWER_SAY(answer, change, "passes by itself; scaleUpCooldownSeconds in the AutoscalerConfig");
}

static const struct {
    const char *name;
    const char *short_why; // printf with what was seen and the limit
    void (*check)(struct group_case *seen, struct answer *answer);
} GROUP_RULES[] = {
    {"managed", "is not managed (%s; needs %s)", rule_managed},
    {"spec", "has an invalid spec: %s", rule_spec},
    {"being deleted", "is %s", rule_alive},
    {"paused", "is %s", rule_paused},
    {"scale up", "has scale up %s", rule_enabled},
    {"brakes", "cannot order: %s", rule_brakes},
    {"backoff", "backs off: %s", rule_backoff},
    {"maximum", "is at its maximum: %s of %s nodes", rule_maximum},
    {"price", "may not cost more: %s of at most %s", rule_price},
    {"cluster workers", "cannot grow: the cluster has %s of at most %s workers", rule_workers},
    {"machines on their way", "must wait: %s of at most %s machines are on their way", rule_coming},
    {"cooldown", "is cooling down after an order", rule_cooldown},
};
#define GROUP_RULE_COUNT (sizeof(GROUP_RULES) / sizeof(GROUP_RULES[0]))

static struct group_case group_case(struct core *core, struct group *group)
{
    return (struct group_case){.core = core,
                               .group = group,
                               .life = group_life(core, group),
                               .config = core->cluster->config,
                               .counts = life_counts(core, group),
                               .room = UINT32_MAX,
                               .shared_room = UINT32_MAX,
                               .lasting_room = UINT32_MAX,
                               .price_room_hour = -1};
}

// "general is at its maximum: 8 of 8 nodes". The format is one of the table's, with at most two strings.
static void say_why(struct growth *growth, const struct group *group, size_t rule,
                    const struct answer *answer)
{
    const char *rest = GROUP_RULES[rule].short_why;
    struct text line = {0};
    text_printf(&line, "%s ", group->facts.name);
    const char *values[] = {answer->brief != NULL ? answer->brief : answer->saw, answer->limit};
    size_t next = 0;
    for (const char *at = rest; *at != '\0'; at++) {
        if (at[0] == '%' && at[1] == 's' && next < 2) {
            text_append(&line, values[next++]);
            at++;
        } else {
            text_append_bytes(&line, at, 1);
        }
    }
    snprintf(growth->why, sizeof(growth->why), "%s", text_get(&line));
    text_free(&line);
}

static void block(struct growth *growth, const struct group_case *seen, size_t rule, struct answer *answer)
{
    growth->rule = GROUP_RULES[rule].name;
    growth->due_ms = answer->due_ms;
    say_why(growth, seen->group, rule, answer);
}

static void take_rooms(struct growth *growth, const struct group_case *seen)
{
    growth->room = seen->room;
    growth->shared_room = seen->shared_room;
    growth->lasting_room = seen->lasting_room;
    growth->price_room_hour = seen->price_room_hour;
}

struct growth policy_growth(struct core *core, struct group *group)
{
    struct group_case seen = group_case(core, group);
    struct growth growth = {0};
    for (size_t i = 0; i < GROUP_RULE_COUNT; i++) {
        struct answer answer = {0};
        GROUP_RULES[i].check(&seen, &answer);
        if (answer.verdict == RULE_PASS)
            continue;
        answer.words = core->policy->scratch;
        GROUP_RULES[i].check(&seen, &answer);
        block(&growth, &seen, i, &answer);
        return growth;
    }
    take_rooms(&growth, &seen);
    return growth;
}

struct growth policy_growth_explain(struct core *core, struct group *group, struct arena *arena,
                                    struct explanation *out)
{
    struct group_case seen = group_case(core, group);
    struct growth growth = {0};
    for (size_t i = 0; i < GROUP_RULE_COUNT; i++) {
        struct answer answer = {.words = arena};
        GROUP_RULES[i].check(&seen, &answer);
        explanation_add(out, arena, GROUP_RULES[i].name, &answer);
        if (answer.verdict != RULE_PASS && growth.rule == NULL)
            block(&growth, &seen, i, &answer);
    }
    if (growth.rule == NULL)
        take_rooms(&growth, &seen);
    return growth;
}

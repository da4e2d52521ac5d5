#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/disruption.h"
#include "coordinator/decide/moves.h"

// Nodes that are no longer what their group asks for, or too old, are replaced, the new one first, one
// group's after the other. A difference that a new machine would have as well is reported, never chased.

// A difference must have lasted so long: specs are changed in several steps, labels are written late.
#define DRIFT_SETTLES_MS ((int64_t)10 * 60000)
// A group is looked at so often, and again after this when what was found could not be planned.
#define LOOK_MS      ((int64_t)30000)
#define TRY_AGAIN_MS ((int64_t)5 * 60000)

// ---- why

static bool ours(const struct node *node)
{
    const char *maker = labels_get(&node->intention->facts.annotations, KEY_CREATED_BY);
    return maker != NULL && strcmp(maker, CREATED_BY_US) == 0;
}

static bool size_drifts(struct core *core, struct group *group, const struct node *node)
{
    int64_t size_id = life_size(core, node->intention);
    const struct group_life *life = group_life(core, group);
    bool any = false;
    for (uint32_t i = 0; i < life->pool_count; i++) {
        if (life->pools[i].orderable && life->pools[i].size_id == size_id)
            return false;
        any = any || life->pools[i].orderable;
    }
    return size_id != 0 && any; // while none can be had there is nothing to change to
}

static const char *missing_label(const struct group *group, const struct node *node)
{
    for (uint32_t i = 0; i < group->facts.node_labels.count; i++) {
        const struct label *wanted = &group->facts.node_labels.items[i];
        if (strncmp(wanted->key, KEY_PREFIX, strlen(KEY_PREFIX)) == 0)
            continue; // those are ours to write
        const char *value = labels_get(&node->labels, wanted->key);
        if (value == NULL || strcmp(value, wanted->value) != 0)
            return wanted->key;
    }
    return NULL;
}

static bool is_version(const char *kubelet, const char *version)
{
    size_t length = strlen(version); // a kubelet may add "+build"
    return strncmp(kubelet, version, length) == 0 &&
           (kubelet[length] == '\0' || kubelet[length] == '+' || kubelet[length] == '-');
}

// Once for each state of the cluster, not for each of its nodes.
static void find_youngest(const struct core *core)
{
    struct moves *moves = core->policy->moves;
    const struct node *youngest = NULL;
    if (moves->youngest_at_version == core->cluster->version + 1)
        return;
    for (uint32_t i = 0; i < core->cluster->node_count; i++) {
        const struct node *other = core->cluster->nodes[i];
        if (other->intention != NULL && other->kubelet_version[0] != '\0' &&
            (youngest == NULL || other->created_ms > youngest->created_ms))
            youngest = other;
    }
    moves->youngest_at_version = core->cluster->version + 1;
    moves->youngest_created_ms = youngest != NULL ? youngest->created_ms : 0;
    snprintf(moves->youngest_kubelet, sizeof(moves->youngest_kubelet), "%s",
             youngest != NULL ? youngest->kubelet_version : "");
}

// VPSie decides which version a new machine has: it has the group's when the youngest node of the cluster
// does.
static bool version_drifts(const struct core *core, const struct group *group, const struct node *node)
{
    const char *wanted = group->facts.kubernetes_version;
    if (wanted[0] == '\0' || node->kubelet_version[0] == '\0' || is_version(node->kubelet_version, wanted))
        return false;
    const struct moves *moves = core->policy->moves;
    find_youngest(core);
    return moves->youngest_created_ms > node->created_ms && is_version(moves->youngest_kubelet, wanted);
}

static bool has_expired(const struct core *core, const struct node *node)
{
    return core->config.expire_after_ms > 0 &&
           core->now_ms - node->intention->facts.created_ms >= core->config.expire_after_ms;
}

const char *replace_why(struct core *core, const struct node *node, char *text, size_t bytes)
{
    struct group *group = node->intention != NULL ? node->intention->group : NULL;
    if (group == NULL || !group->facts.managed || !ours(node))
        return "";
    if (has_expired(core, node)) {
        char age[32], limit[32];
        policy_duration(age, sizeof(age), core->now_ms - node->intention->facts.created_ms);
        policy_duration(limit, sizeof(limit), core->config.expire_after_ms);
        snprintf(text, bytes, "is %s old, expires after %s", age, limit);
        return text;
    }
    if (!core->config.replace_drifted)
        return "";
    if (size_drifts(core, group, node))
        return "has a size that its group no longer orders";
    const char *label = missing_label(group, node);
    if (label != NULL) {
        snprintf(text, bytes, "lacks the group's label %.60s", label);
        return text;
    }
    if (version_drifts(core, group, node)) {
        snprintf(text, bytes, "runs %.30s, its group asks for %.30s", node->kubelet_version,
                 group->facts.kubernetes_version);
        return text;
    }
    return "";
}

// ---- which

struct candidate {
    struct node *node;
    int64_t paid_left_ms;
    const char *why;
};

// The nearest to the end of its paid period, then the oldest.
static int by_age(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    if (a->paid_left_ms != b->paid_left_ms)
        return a->paid_left_ms < b->paid_left_ms ? -1 : 1;
    int64_t made_a = a->node->intention->facts.created_ms, made_b = b->node->intention->facts.created_ms;
    if (made_a != made_b)
        return made_a < made_b ? -1 : 1;
    return strcmp(a->node->name, b->node->name);
}

struct survey {
    struct core *core;
    struct arena *arena;
    struct group *group;
    struct candidate *candidates;
    uint32_t count;
    bool in_vain; // a machine that a replacement brought has differed from its first minutes on
};

// Since when it differs; a new machine that does, too, shows that replacing the others would not help.
static void note_drift(struct survey *survey, struct node *node, bool drifts)
{
    const struct intention_facts *facts = &node->intention->facts;
    const char *reason = labels_get(&facts->annotations, KEY_CREATION_REASON);
    if (!drifts) {
        node->drifts_since_ms = 0;
        return;
    }
    if (node->drifts_since_ms == 0)
        node->drifts_since_ms = survey->core->now_ms;
    bool came_for_it = reason != NULL && strcmp(reason, MOVE_CREATION_REASON) == 0;
    int64_t from_ms = facts->ready_ms > 0 ? facts->ready_ms : facts->created_ms;
    if (came_for_it && node->drifts_since_ms < from_ms + DRIFT_SETTLES_MS && !has_expired(survey->core, node))
        survey->in_vain = true;
}

static void find_candidates(struct survey *survey)
{
    struct core *core = survey->core;
    struct group *group = survey->group;
    survey->candidates = ARENA_ARRAY(survey->arena, struct candidate, group->intention_count + 1);
    for (uint32_t i = 0; i < group->intention_count; i++) {
        struct node *node = group->intentions[i]->node;
        char text[160];
        const char *why = node != NULL ? replace_why(core, node, text, sizeof(text)) : "";
        if (node == NULL)
            continue;
        note_drift(survey, node, why[0] != '\0');
        if (why[0] == '\0')
            continue;
        if (core->now_ms < node->drifts_since_ms + DRIFT_SETTLES_MS ||
            policy_node_may_go(core, node, DISRUPTION_REPLACEMENT, false).verdict != RULE_PASS)
            continue;
        survey->candidates[survey->count++] =
            (struct candidate){.node = node,
                               .paid_left_ms = policy_paid_left_ms(core, node),
                               .why = arena_strdup(survey->arena, why)};
    }
    if (survey->count > 1)
        qsort(survey->candidates, survey->count, sizeof(struct candidate), by_age);
}

static void leave_in_vain(struct survey *survey)
{
    struct core *core = survey->core;
    bool *said = &group_policy(core, survey->group)->moves.said_in_vain;
    uint32_t kept = 0;
    for (uint32_t i = 0; survey->in_vain && i < survey->count; i++)
        if (has_expired(core, survey->candidates[i].node))
            survey->candidates[kept++] = survey->candidates[i];
    if (survey->in_vain && kept < survey->count && !*said)
        core_note(core, NOTE_WARN, 0, arena_printf(survey->arena, "group %s", survey->group->facts.name),
                  "new machines %s, too: the others are not replaced for that", survey->candidates[kept].why);
    *said = survey->in_vain;
    if (survey->in_vain)
        survey->count = kept;
}

// ---- the move

static void begin(struct survey *survey, const struct move_plan *plan, const char *why)
{
    char summary[400], reason[300];
    move_plan_describe(survey->core, plan, summary, sizeof(summary));
    snprintf(reason, sizeof(reason), "%s; %u pod%s move%s", why, plan->pods, policy_plural(plan->pods),
             plan->pods == 1 ? "s" : "");
    (void)moves_begin(survey->core, plan, summary, reason, false);
}

// One node at a time: the next one follows when this move is over.
static void replace_one(struct survey *survey)
{
    struct elsewhere elsewhere = elsewhere_create(survey->core, survey->arena, true);
    struct planner planner = planner_create(survey->core, survey->arena, &elsewhere, survey->group);
    for (uint32_t i = 0; i < survey->count && i < MOVE_NODES_MAX; i++) {
        struct candidate *candidate = &survey->candidates[i];
        if (elsewhere_needs(&elsewhere, candidate->node))
            continue;
        struct move_plan plan = planner_try(&planner, &candidate->node, 1, DISRUPTION_REPLACEMENT,
                                            candidate->node->pod_count > 0 ? 1 : 0);
        if (plan.unserved > 0)
            continue;
        begin(survey, &plan, candidate->why);
        return;
    }
    group_policy(survey->core, survey->group)->moves.replace_next_ms = survey->core->now_ms + TRY_AGAIN_MS;
}

void replace_consider(struct core *core, struct arena *arena)
{
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        struct group *group = core->cluster->groups[i];
        if (!group->facts.managed || group->facts.invalid[0] != '\0' || group->facts.deletion_ms != 0 ||
            moves_of_group(core, group) != NULL ||
            core->now_ms < group_policy(core, group)->moves.replace_next_ms)
            continue;
        struct survey survey = {.core = core, .arena = arena, .group = group};
        group_policy(core, group)->moves.replace_next_ms = core->now_ms + LOOK_MS;
        find_candidates(&survey);
        leave_in_vain(&survey);
        if (survey.count > 0)
            replace_one(&survey);
    }
}

void replace_explain(struct core *core, struct node *node, struct arena *arena, struct explanation *out)
{
    char text[160];
    const char *why = replace_why(core, node, text, sizeof(text));
    struct answer answer = {.verdict = RULE_INFO, .words = arena};
    if (why[0] == '\0') {
        answer.saw = arena_strdup(arena, "matches its group");
        answer.change = arena_strdup(arena, "");
    } else {
        struct node_answer first = policy_node_may_go(core, node, DISRUPTION_REPLACEMENT, false);
        answer.saw = arena_strdup(arena, why);
        answer.change = first.rule != NULL
                            ? arena_printf(arena, "is replaced when nothing keeps it: %s", first.rule)
                            : arena_strdup(arena, "is replaced next");
    }
    answer.limit = arena_strdup(arena, "");
    explanation_add(out, arena, "replacement", &answer);
}

#include "coordinator/decide/life.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/own.h"
#include "coordinator/decide/rules.h"

// Moving pods: the least important first, a few at a time, one at a time of one budget. A refusal waits; a
// pod that two budgets guard, or that does not end in time, ends the drain.

#define EVICTIONS_AT_ONCE     10u
#define REFUSED_LEAST_MS      (5 * LIFE_SECOND_MS)
#define REFUSED_MOST_MS       (30 * LIFE_SECOND_MS)
#define ENDING_SLACK_MS       (10 * LIFE_SECOND_MS) // a kubelet takes a moment to say so
#define STANDBY_LOOK_AGAIN_MS (10 * LIFE_SECOND_MS)
#define FORCED_GRACE_S        1 // a kubelet ends the pod and says so; zero would not wait for it

void evictions_free(struct drain *drain)
{
    for (uint32_t i = 0; i < drain->eviction_count; i++) {
        free(drain->evictions[i].space);
        free(drain->evictions[i].name);
        free(drain->evictions[i].uid);
    }
    free(drain->evictions);
    drain->evictions = NULL;
    drain->eviction_count = 0;
}

static struct eviction *eviction_of(struct drain *drain, const struct pod *pod)
{
    for (uint32_t i = 0; i < drain->eviction_count; i++)
        if (strcmp(drain->evictions[i].uid, pod->uid) == 0)
            return &drain->evictions[i];
    drain->evictions = xrealloc_array(drain->evictions, drain->eviction_count + 1, sizeof(*drain->evictions));
    struct eviction *eviction = &drain->evictions[drain->eviction_count++];
    *eviction =
        (struct eviction){.space = xstrdup(pod->space), .name = xstrdup(pod->name), .uid = xstrdup(pod->uid)};
    return eviction;
}

// ---- who is next

static int compare_importance(const void *a, const void *b)
{
    const struct pod *x = *(const struct pod *const *)a, *y = *(const struct pod *const *)b;
    if (x->shape->facts.priority != y->shape->facts.priority)
        return x->shape->facts.priority < y->shape->facts.priority ? -1 : 1;
    bool x_alone = x->controller_kind[0] == '\0', y_alone = y->controller_kind[0] == '\0';
    if (x_alone != y_alone)
        return x_alone ? 1 : -1;
    int order = strcmp(x->space, y->space);
    return order != 0 ? order : strcmp(x->name, y->name);
}

static void put_last(const struct pod **pods, uint32_t count, const struct pod *last)
{
    for (uint32_t i = 0; i + 1 < count; i++) {
        if (pods[i] != last)
            continue;
        pods[i] = pods[i + 1];
        pods[i + 1] = last;
    }
}

static const struct pod **leaving_pods(const struct life_private *p, uint32_t *count)
{
    const struct node *node = p->intention->node;
    uint32_t all = 0;
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next)
        all++;
    const struct pod **pods = ARENA_ARRAY(p->core->out->arena, const struct pod *, all);
    *count = 0;
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next)
        if (drain_pod_goes(pod))
            pods[(*count)++] = pod;
    if (*count > 1)
        qsort(pods, *count, sizeof(*pods), compare_importance);
    put_last(pods, *count, own_pod(p->core));
    return pods;
}

// ---- asking

static int64_t own_grace_or_less(const struct core *core, const struct pod *pod)
{
    int64_t most_seconds = core->config.max_graceful_ms / 1000;
    return pod->grace_seconds > most_seconds ? most_seconds : -1;
}

static void ask(struct life_private *p, struct eviction *eviction, const struct pod *pod, bool force)
{
    struct arena *arena = p->core->out->arena;
    struct command *command =
        core_emit(p->core, force ? COMMAND_KUBE_DELETE_POD : COMMAND_KUBE_EVICT, p->life->decision_id);
    command->key = arena_printf(arena, "pod/%s/%s", pod->space, pod->name);
    command->pod.space = arena_strdup(arena, pod->space);
    command->pod.name = arena_strdup(arena, pod->name);
    command->pod.uid = arena_strdup(arena, pod->uid);
    command->pod.grace_seconds = force ? FORCED_GRACE_S : own_grace_or_less(p->core, pod);
    eviction->command = command->id;
    eviction->deleting = force;
}

// Is a pod of this budget just being asked for?
static bool budget_in_use(const struct life_private *p, const struct budget *budget)
{
    const struct drain *drain = p->drain;
    for (uint32_t i = 0; i < drain->eviction_count; i++) {
        const struct eviction *eviction = &drain->evictions[i];
        if (eviction->command == 0)
            continue;
        const struct pod *pod = cluster_pod_by_uid(p->core->cluster, eviction->uid);
        if (pod != NULL && budget_selects(budget, pod))
            return true;
    }
    return false;
}

static uint32_t in_flight(const struct drain *drain)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < drain->eviction_count; i++)
        count += drain->evictions[i].command != 0;
    return count;
}

// The pod has been asked to end and has not ended in time. True: given up.
static bool overdue(struct life_private *p, struct eviction *eviction, const struct pod *pod)
{
    int64_t limit_ms = eviction->asked_ms + p->core->config.max_graceful_ms + ENDING_SLACK_MS;
    if (eviction->forced || eviction->command != 0)
        return false;
    if (p->core->now_ms < limit_ms) {
        life_due(p, limit_ms);
        p->drain->ending = true;
        return false;
    }
    const struct budget *budget = NULL;
    uint32_t budgets = rules_budgets_of(p->core->cluster, pod, &budget);
    if (budgets > 1 || (budgets == 1 && (!budget->current || budget->disruptions_allowed < 1))) {
        remove_give_up(p, "%s/%s did not end in time, and budget %s does not allow to delete it", pod->space,
                       pod->name, budget->name);
        return true;
    }
    eviction->forced = true;
    ask(p, eviction, pod, true);
    return false;
}

// This coordinator goes last, and only when another one is ready to go on.
static bool goes_too_early(struct life_private *p, const struct pod *pod)
{
    if (pod != own_pod(p->core) || (p->drain->left <= 1 && own_may_leave(p->core, p->intention->node)))
        return false;
    if (p->drain->left <= 1) {
        life_wait(p, "a standby of this coordinator that is ready elsewhere");
        life_due(p, p->core->now_ms + STANDBY_LOOK_AGAIN_MS);
    }
    return true;
}

// True: given up.
static bool evict(struct life_private *p, struct eviction *eviction, const struct pod *pod)
{
    if (goes_too_early(p, pod))
        return false;
    const struct budget *budget = NULL;
    uint32_t budgets = rules_budgets_of(p->core->cluster, pod, &budget);
    if (budgets > 1) {
        remove_give_up(p, "%s/%s has %u budgets, such as %s: evicting it is impossible", pod->space,
                       pod->name, budgets, budget->name);
        return true;
    }
    if (budget != NULL && budget_in_use(p, budget))
        return false;
    ask(p, eviction, pod, false);
    return false;
}

// ---- moving

// The agent must be READY *now*: it looks again every second.
static bool evidence_holds(struct life_private *p)
{
    const struct drain *drain = p->drain;
    int64_t silent_ms = drain->answered_ms + p->core->config.agent_silent_ms;
    if (!drain->answered || drain->answer != EVIDENCE_READY) {
        life_wait(p, "its agent: %s", drain->words[0] != '\0' ? drain->words : "not READY any more");
        return false;
    }
    if (p->core->now_ms >= silent_ms) {
        life_wait(p, "its agent, which has fallen silent");
        return false;
    }
    life_due(p, silent_ms);
    return true;
}

static const struct eviction *stuck(const struct drain *drain)
{
    const struct eviction *one = NULL;
    for (uint32_t i = 0; i < drain->eviction_count; i++)
        if (!drain->evictions[i].gone && (one == NULL || drain->evictions[i].said[0] != '\0'))
            one = &drain->evictions[i];
    return one;
}

static void no_progress(struct life_private *p)
{
    char limit[32];
    const struct eviction *one = stuck(p->drain);
    text_format_duration(limit, sizeof(limit), p->core->config.drain_progress_ms);
    if (one == NULL) {
        remove_give_up(p, "no pod has moved for %s", limit);
        return;
    }
    const struct pod *pod = cluster_pod_by_uid(p->core->cluster, one->uid);
    const struct budget *budget = NULL;
    if (pod != NULL)
        (void)rules_budgets_of(p->core->cluster, pod, &budget);
    remove_give_up(p, "no progress for %s: %s/%s%s%s%s%s", limit, one->space, one->name,
                   budget != NULL ? ", budget " : "", budget != NULL ? budget->name : "",
                   one->said[0] != '\0' ? ": " : "", one->said);
}

static void mark_gone(struct drain *drain, const struct pod **pods, uint32_t count)
{
    for (uint32_t i = 0; i < drain->eviction_count; i++) {
        bool there = false;
        for (uint32_t j = 0; j < count && !there; j++)
            there = strcmp(drain->evictions[i].uid, pods[j]->uid) == 0;
        drain->evictions[i].gone = !there;
    }
}

void evictions_move(struct life_private *p)
{
    struct core *core = p->core;
    struct drain *drain = p->drain;
    uint32_t count;
    const struct pod **pods = leaving_pods(p, &count);
    if (count < drain->left || drain->left == 0)
        drain->progress_ms = core->now_ms;
    drain->left = count;
    mark_gone(drain, pods, count);
    if (count == 0) {
        life_step_to(p, LIFE_DETACH, "its volumes");
        return;
    }
    life_wait(p, "%u pod%s to leave, such as %s/%s", count, count == 1 ? "" : "s", pods[0]->space,
              pods[0]->name);
    bool ready = evidence_holds(p);
    drain->ending = false;
    for (uint32_t i = 0; i < count; i++) {
        struct eviction *eviction = eviction_of(drain, pods[i]);
        if (eviction->command != 0)
            continue;
        if (eviction->asked || pods[i]->deletion_ms != 0) {
            if (!eviction->asked) { // somebody else ended it
                eviction->asked = true;
                eviction->asked_ms = core->now_ms;
            }
            if (overdue(p, eviction, pods[i]))
                return;
            continue;
        }
        if (core->now_ms < eviction->retry_ms) {
            life_due(p, eviction->retry_ms);
            continue;
        }
        if (ready && in_flight(drain) < EVICTIONS_AT_ONCE && evict(p, eviction, pods[i]))
            return;
    }
    // A pod that ends within the time it was given is progress enough.
    if (core->now_ms >= drain->progress_ms + core->config.drain_progress_ms && !drain->ending)
        no_progress(p);
    else if (core->now_ms < drain->progress_ms + core->config.drain_progress_ms)
        life_due(p, drain->progress_ms + core->config.drain_progress_ms);
}

// ---- answers

static void refused(struct life_private *p, struct eviction *eviction, const struct event *event)
{
    int64_t wait_ms = REFUSED_LEAST_MS;
    for (uint32_t i = 0; i < eviction->refusals && wait_ms < REFUSED_MOST_MS; i++)
        wait_ms *= 2;
    eviction->refusals++;
    if (wait_ms > REFUSED_MOST_MS)
        wait_ms = REFUSED_MOST_MS;
    if (event->outcome.retry_after_ms > wait_ms)
        wait_ms = event->outcome.retry_after_ms;
    eviction->retry_ms = p->core->now_ms + wait_ms;
}

static void accepted(struct life_private *p, struct eviction *eviction)
{
    if (!eviction->deleting && !eviction->asked)
        p->core->pods_evicted++;
    if (!eviction->asked)
        eviction->asked_ms = p->core->now_ms;
    eviction->asked = true;
    p->drain->progress_ms = p->core->now_ms;
}

bool drain_outcome(struct life_private *p, const struct event *event)
{
    struct drain *drain = p->drain;
    struct eviction *eviction = NULL;
    for (uint32_t i = 0; drain != NULL && i < drain->eviction_count && eviction == NULL; i++)
        if (drain->evictions[i].command == event->outcome.command_id)
            eviction = &drain->evictions[i];
    if (eviction == NULL)
        return false;
    const char *detail = event->outcome.detail != NULL ? event->outcome.detail : "";
    eviction->command = 0;
    snprintf(eviction->said, sizeof(eviction->said), "%s", detail);
    bool evicting = p->life->step == LIFE_EVICT;
    if (evicting && text_contains_fold(detail, "more than one PodDisruptionBudget")) {
        remove_give_up(p, "%s/%s has more than one budget: evicting it is impossible", eviction->space,
                       eviction->name);
        return true;
    }
    switch (event->outcome.outcome) {
    case OUTCOME_OK:
        eviction->said[0] = '\0';
        accepted(p, eviction);
        break;
    case OUTCOME_NOT_FOUND:
    case OUTCOME_CONFLICT: // gone, or another pod has its name now: the watch will show
        refused(p, eviction, event);
        break;
    case OUTCOME_REFUSED:
    case OUTCOME_LIMITED:
        if (evicting)
            remove_give_up(p, "the API server refuses to evict %s/%s: %s", eviction->space, eviction->name,
                           detail);
        break;
    default:
        eviction->forced = eviction->forced && !eviction->deleting; // a lost delete is asked for again
        refused(p, eviction, event);
        break;
    }
    return true;
}

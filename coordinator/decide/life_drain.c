#include "coordinator/decide/life.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The evidence: PREPARE_DRAIN names the pods that will be moved; nothing is moved before the agent has
// answered READY with the directive's id, and whatever was not named is asked for anew.

// The agent goes on looking for so long; then it is asked again.
#define DIRECTIVE_SPARE_MS (30 * LIFE_SECOND_MS)
#define REDIRECT_GAP_MS    (2 * LIFE_SECOND_MS)

// ---- memory

static void free_uids(struct drain *drain)
{
    for (uint32_t i = 0; i < drain->uid_count; i++)
        free(drain->uids[i]);
    free(drain->uids);
    drain->uids = NULL;
    drain->uid_count = 0;
}

void drain_begin(struct life_private *p)
{
    drain_free(p);
    p->drain = xcalloc(1, sizeof(*p->drain));
    p->drain->start_id = "";
    p->drain->progress_ms = p->core->now_ms;
}

void drain_free(struct life_private *p)
{
    if (p->drain == NULL)
        return;
    free_uids(p->drain);
    evictions_free(p->drain);
    free(p->drain);
    p->drain = NULL;
}

bool drain_pod_goes(const struct pod *pod)
{
    return !pod_is_furniture(pod) && !pod->terminal;
}

// ---- asking

static int compare_uids(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool named(const struct drain *drain, const char *uid)
{
    return drain->uid_count > 0 &&
           bsearch(&uid, drain->uids, drain->uid_count, sizeof(*drain->uids), compare_uids) != NULL;
}

static void name_pods(struct drain *drain, const struct node *node)
{
    uint32_t count = 0;
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next)
        count += drain_pod_goes(pod);
    drain->uids = xcalloc(count + 1, sizeof(*drain->uids));
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next)
        if (drain_pod_goes(pod))
            drain->uids[drain->uid_count++] = xstrdup(pod->uid);
    qsort(drain->uids, drain->uid_count, sizeof(*drain->uids), compare_uids);
}

// Data that its owner said may be lost: whole pods, and single volumes ("UID/volume").
static void fill_ignored(struct core *core, const struct node *node, struct command *command)
{
    struct arena *arena = core->out->arena;
    uint32_t pods = 0, volume_count = 0;
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next)
        pods++;
    const char **uids = ARENA_ARRAY(arena, const char *, pods);
    const char **ignored = NULL;
    uint32_t uid_count = 0, capacity = 0;
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next) {
        if (!drain_pod_goes(pod))
            continue;
        if (pod->safe_to_evict == TRISTATE_TRUE || !life_pod_counts(core, pod))
            uids[uid_count++] = arena_strdup(arena, pod->uid);
        for (const char *at = pod->safe_local_volumes; *at != '\0';) {
            size_t length = strcspn(at, ",");
            if (length > 0) {
                if (volume_count == capacity) {
                    const char **more = ARENA_ARRAY(arena, const char *, capacity * 2 + 8);
                    if (volume_count > 0)
                        memcpy(more, ignored, volume_count * sizeof(*more));
                    ignored = more;
                    capacity = capacity * 2 + 8;
                }
                ignored[volume_count++] = arena_printf(arena, "%s/%.*s", pod->uid, (int)length, at);
            }
            at += length + (at[length] == ',');
        }
    }
    command->directive.ignore_uids = uids;
    command->directive.ignore_uid_count = uid_count;
    command->directive.ignore_volumes = ignored;
    command->directive.ignore_volume_count = volume_count;
}

static int64_t directive_limit_ms(const struct core *core)
{
    return core->config.drain_ready_limit_ms + core->config.drain_progress_ms + core->config.max_graceful_ms;
}

void drain_direct(struct life_private *p, bool with_pods)
{
    struct core *core = p->core;
    struct drain *drain = p->drain;
    struct arena *arena = core->out->arena;
    const struct node *node = p->intention->node;
    assert(drain->cordoned_ms != 0); // an answer from before the cordon proves nothing
    free_uids(drain);
    drain->last = !with_pods;
    if (with_pods)
        name_pods(drain, node);
    snprintf(drain->directive, sizeof(drain->directive), "T%" PRIu64 "-%" PRIx64 "-%" PRIu64, core->term,
             (uint64_t)core->life->taken_ms, ++core->life->directives);
    drain->directive_sent = true;
    drain->answered = false;
    drain->words[0] = '\0';
    drain->asked_ms = core->now_ms;
    drain->start_id = node->agent != NULL ? life_intern(core, node->agent->start_id) : "";
    drain->floor_ms = node->agent != NULL ? node->agent->verdict.evaluated_ms : 0;
    struct command *command = core_emit(core, COMMAND_AGENT_DIRECTIVE, p->life->decision_id);
    command->key = arena_printf(arena, "agent/%s", node->name);
    command->directive.node_name = arena_strdup(arena, node->name);
    command->directive.kind = DIRECTIVE_PREPARE_DRAIN;
    command->directive.directive_id = arena_strdup(arena, drain->directive);
    command->directive.deadline_ms = core->now_ms + directive_limit_ms(core);
    const char **uids = ARENA_ARRAY(arena, const char *, drain->uid_count);
    for (uint32_t i = 0; i < drain->uid_count; i++)
        uids[i] = arena_strdup(arena, drain->uids[i]);
    command->directive.pod_uids = uids;
    command->directive.pod_uid_count = drain->uid_count;
    if (with_pods)
        fill_ignored(core, node, command);
}

void drain_cancel(struct life_private *p)
{
    struct drain *drain = p->drain;
    if (drain == NULL || !drain->directive_sent || p->intention->node == NULL)
        return;
    struct arena *arena = p->core->out->arena;
    struct command *command = core_emit(p->core, COMMAND_AGENT_DIRECTIVE, p->life->decision_id);
    command->key = arena_printf(arena, "agent/%s", p->intention->node->name);
    command->directive.node_name = arena_strdup(arena, p->intention->node->name);
    command->directive.kind = DIRECTIVE_CANCEL_DRAIN;
    command->directive.directive_id = arena_strdup(arena, drain->directive);
    drain->directive_sent = false;
    drain->directive[0] = '\0';
}

// ---- hearing

static const char *pod_of(const struct life_private *p, const char *uid)
{
    const struct pod *pod = uid[0] != '\0' ? cluster_pod_by_uid(p->core->cluster, uid) : NULL;
    return pod != NULL ? arena_printf(p->core->out->arena, "%s/%s ", pod->space, pod->name) : "";
}

static void take_words(struct life_private *p, const struct evidence_verdict *verdict)
{
    struct drain *drain = p->drain;
    drain->words[0] = '\0';
    if (verdict->reason_count == 0)
        return;
    const struct evidence_reason *reason = &verdict->reasons[0];
    snprintf(drain->words, sizeof(drain->words), "%s%s%s%s", pod_of(p, reason->pod_uid),
             reason->detail[0] != '\0' ? reason->detail : reason->code,
             reason->detail[0] == '\0' && reason->subject[0] != '\0' ? " " : "",
             reason->detail[0] == '\0' ? reason->subject : "");
}

void drain_report(struct life_private *p, const struct agent_report_facts *report)
{
    struct drain *drain = p->drain;
    if (drain->directive[0] == '\0' || strcmp(report->directive_id, drain->directive) != 0)
        return; // about something else: it proves nothing
    const struct evidence_verdict *verdict = &report->directive_verdict;
    bool same_agent = strcmp(report->start_id, drain->start_id) == 0;
    if (same_agent && verdict->evaluated_ms < drain->floor_ms)
        return; // looked at before it was asked, on its own clock
    bool was_silent = p->core->now_ms >= drain->answered_ms + p->core->config.agent_silent_ms;
    bool changed = !drain->answered || was_silent || drain->answer != verdict->state ||
                   drain->remaining != (int64_t)verdict->pods_remaining;
    drain->answered = true;
    drain->answered_ms = p->core->now_ms;
    drain->answer = verdict->state;
    drain->remaining = verdict->pods_remaining;
    take_words(p, verdict);
    if (changed)
        life_touch(p);
}

// What an answer that is not READY means, in words for a person.
static void give_up_for_agent(struct life_private *p)
{
    const struct drain *drain = p->drain;
    const char *words = drain->words[0] != '\0' ? drain->words : "no reason given";
    if (!drain->answered)
        remove_give_up(p, "its agent has not answered");
    else if (drain->answer == EVIDENCE_BUSY)
        remove_give_up(p, "its agent stays BUSY: %s", words);
    else if (drain->answer == EVIDENCE_BLOCKED)
        remove_give_up(p, "BLOCKED by its agent: %s", words);
    else
        remove_give_up(p, "its agent cannot tell: %s", words);
}

// True when the agent has answered READY to the open directive.
static bool ready_or_wait(struct life_private *p)
{
    struct drain *drain = p->drain;
    struct core *core = p->core;
    int64_t limit_ms = p->life->step_since_ms + core->config.drain_ready_limit_ms, lands_ms;
    if (drain->answered && drain->answer == EVIDENCE_READY)
        return true;
    bool refuses = drain->answered && drain->answer != EVIDENCE_BUSY;
    if (remove_may_still_land(p, &lands_ms)) {
        limit_ms = lands_ms;
        refuses = false;
    }
    if (refuses || core->now_ms >= limit_ms) {
        give_up_for_agent(p);
        return false;
    }
    life_wait(p, drain->answered ? "its agent, which is %s: %s" : "its agent",
              drain->answer == EVIDENCE_BUSY ? "BUSY" : "not READY any more", drain->words);
    life_due(p, limit_ms);
    return false;
}

bool drain_done(const struct life_private *p)
{
    const struct drain *drain = p->drain;
    return drain != NULL && drain->last && drain->answered && drain->answer == EVIDENCE_READY &&
           drain->remaining == 0 && p->core->now_ms < drain->answered_ms + p->core->config.agent_silent_ms;
}

// ---- the steps

// Has a pod come that the open directive does not name? One that is ending anyway needs no evidence.
static const struct pod *newcomer(const struct life_private *p)
{
    for (const struct pod *pod = p->intention->node->pods; pod != NULL; pod = pod->next)
        if (drain_pod_goes(pod) && pod->deletion_ms == 0 && !named(p->drain, pod->uid))
            return pod;
    return NULL;
}

// What a person has forbidden, or could not be undone: a pod without a controller never comes back.
static bool kept_pod(struct life_private *p)
{
    for (const struct pod *pod = p->intention->node->pods; pod != NULL; pod = pod->next) {
        if (!life_pod_counts(p->core, pod) || pod->deletion_ms != 0 || pod->safe_to_evict == TRISTATE_TRUE)
            continue;
        const char *why = NULL;
        if (pod->do_not_disrupt)
            why = "is not to be disrupted";
        else if (pod->safe_to_evict == TRISTATE_FALSE)
            why = "is not safe to evict";
        else if (pod->controller_kind[0] == '\0')
            why = "has no controller and would not come back";
        if (why == NULL)
            continue;
        remove_give_up(p, "%s/%s %s", pod->space, pod->name, why);
        return true;
    }
    return false;
}

static bool leave_if_not_graceful(struct life_private *p)
{
    if (remove_graceful(p))
        return false;
    life_step_to(p, LIFE_LAST_LIST, "a last look"); // broken meanwhile, or its Node is gone
    return true;
}

void drain_prepare(struct life_private *p)
{
    if (!remove_goes_on(p) || leave_if_not_graceful(p) || kept_pod(p))
        return;
    if (!p->done[0]) {
        drain_direct(p, true);
        p->done[0] = true;
    }
    if (!ready_or_wait(p))
        return;
    if (newcomer(p) != NULL) {
        int64_t again_ms = p->drain->asked_ms + REDIRECT_GAP_MS;
        if (p->core->now_ms >= again_ms)
            drain_direct(p, true); // asked anew, about all of them
        else
            life_due(p, again_ms);
        return;
    }
    life_step_to(p, LIFE_EVICT, "its pods to be moved");
}

void drain_evict(struct life_private *p)
{
    struct core *core = p->core;
    struct drain *drain = p->drain;
    if (!remove_goes_on(p) || leave_if_not_graceful(p) || kept_pod(p))
        return;
    const struct pod *pod = newcomer(p);
    int64_t renew_ms = drain->asked_ms + directive_limit_ms(core) - DIRECTIVE_SPARE_MS;
    if (pod != NULL || core->now_ms >= renew_ms) {
        if (core->now_ms < drain->asked_ms + REDIRECT_GAP_MS) {
            life_due(p, drain->asked_ms + REDIRECT_GAP_MS);
            return;
        }
        life_step_to(p, LIFE_PREPARE, "its agent, about a pod that came meanwhile");
        return;
    }
    life_due(p, renew_ms);
    if (drain->answer == EVIDENCE_BLOCKED || drain->answer == EVIDENCE_UNKNOWN) {
        give_up_for_agent(p);
        return;
    }
    evictions_move(p);
}

void drain_last(struct life_private *p)
{
    if (!remove_goes_on(p) || leave_if_not_graceful(p) || !life_persist(p))
        return;
    for (const struct pod *pod = p->intention->node->pods; pod != NULL; pod = pod->next) {
        if (!drain_pod_goes(pod))
            continue;
        life_step_to(p, LIFE_PREPARE, "its agent, about a pod that came meanwhile");
        return;
    }
    if (!p->done[0]) {
        drain_direct(p, false);
        p->done[0] = true;
    }
    if (!ready_or_wait(p))
        return;
    if (p->drain->remaining > 0) {
        life_wait(p, "%lld pods that its agent still sees", (long long)p->drain->remaining);
        int64_t limit_ms = p->life->step_since_ms + p->core->config.drain_ready_limit_ms;
        life_due(p, limit_ms);
        if (p->core->now_ms >= limit_ms)
            remove_give_up(p, "its agent still sees %lld pods", (long long)p->drain->remaining);
        return;
    }
    life_step_to(p, LIFE_LAST_LIST, "the API server's list of its pods");
}

#include "coordinator/decide/life.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The story of one event: what it says about machines is taken in (life_event), then every life that it
// touched, or whose time has come, is moved on as far as it goes (life_advance).

#define MOVES_MAX 32 // steps that one life takes in one event: a loop that never ends is a bug

static void free_life(void *decide);
static void attach(struct core *core, struct intention *intention);
static void take_object(struct core *core, const struct event *event);
static void take_outcome(struct core *core, const struct event *event);
static void take_report(struct core *core, const struct event *event);
static void touch_all(struct core *core);
static void move_all(struct core *core);

void life_init(struct core *core)
{
    core->life = xcalloc(1, sizeof(*core->life));
    core->cluster->free_intention_decide = free_life;
}

void life_free(struct core *core)
{
    struct life_shared *shared = core->life;
    order_forget(core);
    lists_forget(core);
    free(shared->births);
    free(shared->clouds);
    free(shared->offers);
    free(shared->open);
    free(shared);
    core->life = NULL;
}

void life_event(struct core *core, const struct event *event)
{
    switch (event->kind) {
    case EVENT_OBJECT:
    case EVENT_OBJECT_GONE: take_object(core, event); break;
    case EVENT_LEADER:
        if (core->life->term != core->term)
            takeover_begin(core);
        break;
    case EVENT_OUTCOME: take_outcome(core, event); break;
    case EVENT_AGENT_REPORT: take_report(core, event); break;
    case EVENT_OPERATOR:
        life_operator(core, event);
        touch_all(core);
        break;
    case EVENT_KUBE_STATE:
    case EVENT_VPSIE_STATE:
    case EVENT_KUBE_SYNCED: touch_all(core); break;
    default: break;
    }
}

void life_advance(struct core *core)
{
    takeover_advance(core);
    lists_advance(core);
    if (!core->taken_over)
        return;
    operator_advance(core);
    if (!core_may_write(core) || !core->kube_reachable)
        return;
    groups_advance(core);
    order_births(core);
    operator_uncordon_strays(core);
    move_all(core);
}

// ---- the lives

struct life_private *life_private_of(const struct intention *intention)
{
    const struct life *life = intention->decide;
    return life != NULL ? life->private_state : NULL;
}

static void attach(struct core *core, struct intention *intention)
{
    if (intention->decide != NULL)
        return;
    struct life *life = xcalloc(1, sizeof(*life));
    struct life_private *p = xcalloc(1, sizeof(*p));
    life->private_state = p;
    life->waits_for = "";
    p->core = core;
    p->intention = intention;
    p->life = life;
    p->due_ms = INT64_MAX;
    intention->decide = life;
    core->life->version++;
    life_derive(p);
    life_touch(p);
}

static void leave_open(struct life_private *p)
{
    struct life_shared *shared = p->core->life;
    for (uint32_t i = 0; i < shared->open_count; i++) {
        if (shared->open[i] != p)
            continue;
        memmove(&shared->open[i], &shared->open[i + 1],
                (shared->open_count - i - 1) * sizeof(struct life_private *));
        shared->open_count--;
        break;
    }
    p->open = false;
}

static void free_life(void *decide)
{
    struct life *life = decide;
    struct life_private *p = life->private_state;
    if (p->open)
        leave_open(p);
    owners_drop(p->core, p);
    p->core->life->version++;
    drain_free(p);
    baseline_free(p->baseline);
    free(p);
    free(life);
}

// Older first; the name settles the rest: the order in which orders are served.
static int compare_age(const struct life_private *a, const struct life_private *b)
{
    const struct intention_facts *x = &a->intention->facts, *y = &b->intention->facts;
    if (x->created_ms != y->created_ms)
        return x->created_ms < y->created_ms ? -1 : 1;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : strcmp(x->space, y->space);
}

void life_open(struct life_private *p)
{
    if (p->open)
        return;
    struct life_shared *shared = p->core->life;
    if (shared->open_count == shared->open_capacity) {
        shared->open_capacity = shared->open_capacity != 0 ? shared->open_capacity * 2 : 64;
        shared->open = xrealloc_array(shared->open, shared->open_capacity, sizeof(*shared->open));
    }
    uint32_t at = shared->open_count;
    while (at > 0 && compare_age(shared->open[at - 1], p) > 0)
        at--;
    memmove(&shared->open[at + 1], &shared->open[at], (shared->open_count - at) * sizeof(*shared->open));
    shared->open[at] = p;
    shared->open_count++;
    p->open = true;
}

void life_touch(struct life_private *p)
{
    p->touched = true;
    life_open(p);
}

void life_due(struct life_private *p, int64_t at_ms)
{
    if (at_ms > p->core->now_ms && at_ms < p->due_ms) // what has passed was acted on just now
        p->due_ms = at_ms;
}

static void touch_all(struct core *core)
{
    core->life->all_touched = true;
}

const char *life_intern(const struct core *core, const char *text)
{
    return strings_intern(core->cluster->strings, text);
}

const char *life_intern_fold(const struct core *core, const char *text)
{
    char folded[256];
    size_t length = 0;
    for (; text[length] != '\0' && length < sizeof(folded) - 1; length++)
        folded[length] = (char)tolower((unsigned char)text[length]);
    folded[length] = '\0';
    return life_intern(core, folded);
}

// ---- moving

static void move(struct life_private *p)
{
    switch (p->life->step) {
    case LIFE_NEW:
    case LIFE_WAIT_TURN:
    case LIFE_BASELINE_LIST:
    case LIFE_BASELINE_WRITE:
    case LIFE_CALL:
    case LIFE_APPEAR: order_move(p); break;
    case LIFE_JOIN: join_move(p); break;
    case LIFE_READY: ready_move(p); break;
    case LIFE_CORDON:
    case LIFE_DETACH:
    case LIFE_UNDO: remove_move(p); break;
    case LIFE_PREPARE: drain_prepare(p); break;
    case LIFE_EVICT: drain_evict(p); break;
    case LIFE_LAST_READY: drain_last(p); break;
    case LIFE_LAST_LIST:
    case LIFE_MARK_DELETING:
    case LIFE_DELETE_CALL:
    case LIFE_GONE:
    case LIFE_NODE_DELETE:
    case LIFE_FINALIZER:
    case LIFE_FAILED: delete_move(p); break;
    }
}

// Group by group: what a paused group's lives were doing, they do when it is resumed.
static bool held_back(const struct life_private *p)
{
    const struct group *group = p->intention->group;
    return group != NULL && core_paused(p->core, group);
}

static void move_on(struct life_private *p)
{
    enum life_step before;
    uint32_t moves = 0;
    p->touched = false;
    p->due_ms = INT64_MAX;
    if (held_back(p)) {
        life_wait(p, "its NodeGroup is paused");
        return;
    }
    do {
        before = p->life->step;
        move(p);
        assert(++moves < MOVES_MAX);
    } while (p->life->step != before);
    p->touched = false; // by its own steps
    (void)moves;
}

static bool quiet(const struct life_private *p)
{
    return (p->life->step == LIFE_READY || p->life->step == LIFE_FAILED) && p->due_ms == INT64_MAX &&
           p->command == 0 && p->metadata_command == 0 && p->status_command == 0 && p->label_command == 0 &&
           !p->touched;
}

static void move_all(struct core *core)
{
    struct life_shared *shared = core->life;
    if (shared->all_touched)
        for (uint32_t i = 0; i < core->cluster->intention_count; i++)
            life_touch(life_private_of(core->cluster->intentions[i]));
    shared->all_touched = false;
    // Moving one life opens others, but frees none.
    uint32_t count = shared->open_count;
    struct life_private **lives = ARENA_ARRAY(core->out->arena, struct life_private *, count);
    if (count > 0)
        memcpy(lives, shared->open, count * sizeof(*lives));
    bool closed = false;
    for (uint32_t i = 0; i < count; i++) {
        struct life_private *p = lives[i];
        if (p->touched || p->due_ms <= core->now_ms)
            move_on(p);
        closed = closed || quiet(p);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < shared->open_count; i++) {
        struct life_private *p = shared->open[i];
        if (closed && quiet(p)) {
            p->open = false;
            continue;
        }
        shared->open[kept++] = p;
        core_wake_at(core, p->touched ? core->now_ms : p->due_ms);
    }
    shared->open_count = kept;
}

void life_step_to(struct life_private *p, enum life_step step, const char *waits_for)
{
    struct life *life = p->life;
    life->step = step;
    life->step_since_ms = p->core->now_ms;
    life->waits_for = waits_for != NULL ? waits_for : "";
    p->command = 0;
    p->answered = false;
    p->retry_ms = 0;
    p->attempts = 0;
    p->round_needed = 0;
    p->fresh_needed = 0;
    memset(p->done, 0, sizeof(p->done));
    p->core->life->version++;
    life_touch(p);
}

void life_wait(struct life_private *p, const char *format, ...)
{
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&text, format, arguments);
    va_end(arguments);
    if (strcmp(p->life->waits_for, text_get(&text)) != 0)
        p->life->waits_for = life_intern(p->core, text_get(&text));
    text_free(&text);
}

const char *life_key(const struct life_private *p)
{
    const struct intention_facts *facts = &p->intention->facts;
    return arena_printf(p->core->out->arena, "vpsienode/%s/%s", facts->space, facts->name);
}

const char *life_subject(const struct life_private *p)
{
    if (p->intention->node != NULL)
        return arena_printf(p->core->out->arena, "node %s", p->intention->node->name);
    return arena_printf(p->core->out->arena, "vpsienode %s", p->intention->facts.name);
}

struct command *life_command(struct life_private *p, enum command_kind kind)
{
    assert(p->command == 0);
    struct command *command = core_emit(p->core, kind, p->life->decision_id);
    command->key = life_key(p);
    p->command = command->id;
    p->command_kind = kind;
    p->answered = false;
    return command;
}

bool life_can_ask(struct life_private *p)
{
    if (p->command != 0)
        return false;
    if (p->core->now_ms < p->retry_ms) {
        life_due(p, p->retry_ms);
        return false;
    }
    return true;
}

bool life_answer(struct life_private *p, enum outcome *outcome)
{
    if (!p->answered)
        return false;
    p->answered = false;
    *outcome = p->answer;
    return true;
}

void life_retry(struct life_private *p, int64_t least_ms, int64_t most_ms)
{
    int64_t wait_ms = least_ms;
    for (uint32_t i = 0; i < p->attempts && wait_ms < most_ms; i++)
        wait_ms *= 2;
    p->attempts++;
    p->retry_ms = p->core->now_ms + (wait_ms < most_ms ? wait_ms : most_ms);
    life_due(p, p->retry_ms);
}

void life_fail(struct life_private *p, enum order_mark mark, const char *format, ...)
{
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&text, format, arguments);
    va_end(arguments);
    p->want_error = life_intern(p->core, text_get(&text));
    text_free(&text);
    if (mark != ORDER_NONE)
        p->mark = mark;
    p->failed_ms = p->core->now_ms / 1000 * 1000;
    if (p->ours)
        life_phase(p, INTENTION_FAILED);
    core_note(p->core, NOTE_WARN, p->life->decision_id, life_subject(p), "failed: %s", p->want_error);
    if (p->intention->group != NULL)
        core_event_group(p->core, p->intention->group, p->life->decision_id, true, "OrderFailed", "%s: %s",
                         p->intention->facts.name, p->want_error);
    life_step_to(p, LIFE_FAILED, "its time to be shown to pass");
}

bool life_is_order(const struct life_private *p)
{
    return p->life->step == LIFE_BASELINE_WRITE || p->life->step == LIFE_CALL || p->life->step == LIFE_APPEAR;
}

bool life_is_removal(const struct life_private *p)
{
    return p->life->removal != REMOVAL_NONE && p->life->step >= LIFE_CORDON && p->life->step < LIFE_FAILED;
}

bool life_is_gone(const struct life_private *p)
{
    return p->life->step == LIFE_NODE_DELETE || p->life->step == LIFE_FINALIZER ||
           p->life->step == LIFE_FAILED;
}

// ---- taking in

static void touch_group(struct core *core, const char *space, const char *name)
{
    struct group *group = cluster_group(core->cluster, space, name);
    for (uint32_t i = 0; group != NULL && i < group->intention_count; i++)
        life_touch(life_private_of(group->intentions[i]));
}

static void touch_steps(struct core *core, enum life_step first, enum life_step last)
{
    for (uint32_t i = 0; i < core->life->open_count; i++) {
        struct life_private *p = core->life->open[i];
        if (p->life->step >= first && p->life->step <= last)
            p->touched = true;
    }
}

static void touch_node(const struct node *node)
{
    if (node != NULL && node->intention != NULL)
        life_touch(life_private_of(node->intention));
}

void life_before(struct core *core, const struct event *event)
{
    if (event->kind == EVENT_OBJECT_GONE && event->gone.kind == OBJECT_NODE) {
        touch_node(cluster_node(core->cluster, event->gone.name));
        core->life->nodes_changed = true;
        core->life->version++;
    }
    if (event->kind == EVENT_OBJECT_GONE && event->gone.kind == OBJECT_NODEGROUP)
        touch_group(core, event->gone.space, event->gone.name);
    if (event->kind == EVENT_KUBE_STATE && event->kube_state.reachable && !core->kube_reachable)
        core->life->kube_ms = core->now_ms;
    brakes_groups_event(core, event);
    if (event->kind != EVENT_OBJECT || event->object.kind != OBJECT_NODE)
        return;
    const struct node_facts *facts = event->object.node;
    const struct node *node = cluster_node(core->cluster, facts->name);
    if (node == NULL || node->ready != facts->ready || node->ready_changed_ms != facts->ready_changed_ms) {
        core->life->nodes_changed = true;
        core->life->version++;                            // who counts as sound
        touch_steps(core, LIFE_CORDON, LIFE_DELETE_CALL); // and whether those that leave can be spared
    }
}

static void take_changed(struct core *core, const struct event *event)
{
    struct intention *intention;
    struct node *node;
    switch (event->object.kind) {
    case OBJECT_INTENTION:
        intention =
            cluster_intention(core->cluster, event->object.intention->space, event->object.intention->name);
        if (intention == NULL)
            break;
        attach(core, intention);
        order_birth_seen(core, intention);
        life_touch(life_private_of(intention));
        core->life->version++; // it may have changed its group
        break;
    case OBJECT_NODE:
        node = cluster_node(core->cluster, event->object.node->name);
        touch_node(node);
        if (node != NULL && node->intention == NULL)
            touch_steps(core, LIFE_APPEAR, LIFE_READY);
        break;
    case OBJECT_NODEGROUP:
        touch_group(core, event->object.group->space, event->object.group->name);
        core->life->version++;
        break;
    case OBJECT_BUDGET: touch_steps(core, LIFE_EVICT, LIFE_EVICT); break;
    case OBJECT_VOLUME_ATTACHMENT: touch_steps(core, LIFE_DETACH, LIFE_DETACH); break;
    case OBJECT_CONFIG: touch_all(core); break;
    default: break;
    }
}

static void take_object(struct core *core, const struct event *event)
{
    enum object_kind kind = event->kind == EVENT_OBJECT ? event->object.kind : event->gone.kind;
    if (kind == OBJECT_NODEGROUP || kind == OBJECT_INTENTION)
        core->life->users_changed = true;
    if (kind == OBJECT_POD) {
        const struct node *node = core->touched_node;
        if (node != NULL && node->intention != NULL && life_private_of(node->intention)->drain != NULL)
            life_touch(life_private_of(node->intention));
        return;
    }
    if (event->kind == EVENT_OBJECT) {
        take_changed(core, event);
        return;
    }
    core->life->version++;
    if (kind == OBJECT_BUDGET)
        touch_steps(core, LIFE_EVICT, LIFE_EVICT);
    else if (kind == OBJECT_VOLUME_ATTACHMENT)
        touch_steps(core, LIFE_DETACH, LIFE_DETACH);
    else if (kind == OBJECT_CONFIG)
        touch_all(core);
}

static bool take_step_outcome(struct life_private *p, const struct event *event)
{
    uint64_t id = event->outcome.command_id;
    if (p->label_command == id) {
        p->label_command = 0;
        p->labelled = event->outcome.outcome == OUTCOME_OK;
        p->label_retry_ms = p->labelled ? 0 : p->core->now_ms + 2 * LIFE_SECOND_MS;
        return true;
    }
    if (p->command != id)
        return life_persist_outcome(p, event) || drain_outcome(p, event);
    p->command = 0;
    p->answered = true;
    p->answer = event->outcome.outcome;
    snprintf(p->answer_words, sizeof(p->answer_words), "%s",
             event->outcome.detail != NULL ? event->outcome.detail : "");
    if (p->life->step == LIFE_CALL)
        order_take_answer(p, event);
    if (p->life->step == LIFE_LAST_LIST)
        delete_take_list(p, event);
    return true;
}

static void take_outcome(struct core *core, const struct event *event)
{
    uint64_t id = event->outcome.command_id;
    if (id == 0 || lists_outcome(core, event) || takeover_outcome(core, event) ||
        group_outcome(core, event) || order_birth_outcome(core, event) || operator_outcome(core, event))
        return;
    for (uint32_t i = 0; i < core->life->open_count; i++) {
        struct life_private *p = core->life->open[i];
        if (!take_step_outcome(p, event))
            continue;
        p->touched = true;
        return;
    }
}

static void take_report(struct core *core, const struct event *event)
{
    struct agent *agent = cluster_put_report(core->cluster, event->report);
    if (agent == NULL)
        return; // late: it says nothing new
    struct node *node = cluster_node(core->cluster, event->report->node_name);
    if (node == NULL || node->intention == NULL)
        return;
    struct life_private *p = life_private_of(node->intention);
    if (p->drain != NULL && p->drain->directive[0] != '\0')
        drain_report(p, event->report);
}

// ---- counts

static void count_life(struct life_counts *counts, const struct life_private *p)
{
    enum life_step step = p->life->step;
    bool failing = p->life->removal == REMOVAL_FAILED;
    if (step == LIFE_FAILED) {
        counts->failed++;
        counts->total += p->machine != NULL; // it is still there, and is looked after
        return;
    }
    counts->total++;
    if (step == LIFE_READY || step == LIFE_UNDO) {
        const struct node *node = p->intention->node;
        counts->ready++;
        counts->sound += node != NULL && node->ready == NODE_READY_TRUE && p->missing_ms == 0;
    } else if (step <= LIFE_JOIN)
        counts->coming++;
    else if (failing)
        counts->failed++;
    else
        counts->leaving++;
}

struct life_counts life_counts(const struct core *core, const struct group *group)
{
    struct group_life_keep *keep =
        group_keep((struct core *)(uintptr_t)core, (struct group *)(uintptr_t)group);
    if (keep->counts_version == core->life->version + 1)
        return keep->counts;
    struct life_counts counts = {0};
    for (uint32_t i = 0; i < group->intention_count; i++)
        if (group->intentions[i]->decide != NULL)
            count_life(&counts, life_private_of(group->intentions[i]));
    for (uint32_t i = 0; i < core->life->birth_count; i++) {
        const struct birth *birth = &core->life->births[i];
        if (strcmp(birth->group, group->facts.name) != 0 || strcmp(birth->space, group->facts.space) != 0)
            continue;
        counts.coming++;
        counts.total++;
    }
    keep->counts = counts;
    keep->counts_version = core->life->version + 1;
    return counts;
}

bool life_pod_counts(const struct core *core, const struct pod *pod)
{
    return drain_pod_goes(pod) && pod->shape->facts.priority >= core->config.expendable_priority_cutoff;
}

const char *life_step_name(enum life_step step)
{
    static const char *const names[] = {
        [LIFE_NEW] = "ordered",
        [LIFE_WAIT_TURN] = "waits its turn",
        [LIFE_BASELINE_LIST] = "reads VPSie's lists",
        [LIFE_BASELINE_WRITE] = "stores the baseline",
        [LIFE_CALL] = "calls VPSie",
        [LIFE_APPEAR] = "waits for its machine",
        [LIFE_JOIN] = "joining",
        [LIFE_READY] = "in service",
        [LIFE_CORDON] = "cordoning",
        [LIFE_PREPARE] = "asks its agent",
        [LIFE_EVICT] = "moving pods",
        [LIFE_DETACH] = "detaching",
        [LIFE_LAST_READY] = "asks its agent again",
        [LIFE_LAST_LIST] = "lists its pods",
        [LIFE_MARK_DELETING] = "marked for deletion",
        [LIFE_DELETE_CALL] = "deleting",
        [LIFE_GONE] = "waits for its machine to go",
        [LIFE_NODE_DELETE] = "deleting its Node",
        [LIFE_FINALIZER] = "finishing",
        [LIFE_UNDO] = "undoing the cordon",
        [LIFE_FAILED] = "failed",
    };
    return (unsigned)step < sizeof(names) / sizeof(names[0]) ? names[step] : "?";
}

#include "coordinator/decide/life.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// An order: the intention is created and seen; VPSie's lists are read; what they show is written on the
// intention, with the resourceVersion that was read, and confirmed; then VPSie is called, once. What is not
// known stays unknown until the lists tell or the time is over.

#define WRITE_LEAST_MS  500
#define WRITE_MOST_MS   (15 * LIFE_SECOND_MS)
#define REPEAT_LEAST_MS (5 * LIFE_SECOND_MS) // of a call that was never sent, or refused with 429
#define REPEAT_MOST_MS  (80 * LIFE_SECOND_MS)
#define OUTCOME_LATE_MS (60 * LIFE_SECOND_MS)

static struct cloud_watch *watch_of(const struct life_private *p)
{
    return cloud_watch_of(p->core, p->intention->facts.resource_identifier);
}

static void cancel(struct life_private *p, const char *why)
{
    assert(p->calls == 0);
    core_note(p->core, NOTE_INFO, p->life->decision_id, life_subject(p),
              "order cancelled before the call: %s", why);
    life_step_to(p, LIFE_FINALIZER, "its VPSieNode to be deleted");
}

// A reason not to go on with an order that has not been called; NULL: none.
static const char *no_longer_wanted(const struct life_private *p)
{
    const struct group *group = p->intention->group;
    if (p->intention->facts.deletion_ms != 0)
        return "its VPSieNode is being deleted";
    if (group == NULL)
        return "its NodeGroup is gone";
    if (group->facts.deletion_ms != 0)
        return "its NodeGroup is being deleted";
    if (p->core->now_ms > p->intention->facts.created_ms + p->core->config.appearance_bound_ms)
        return "it has waited for too long: what is needed is decided anew";
    const struct pool *pool = pool_of(p->core, p);
    if (pool == NULL && group_life(p->core, p->intention->group)->pool_count > 0)
        return "machines of its size can no longer be had in its NodeGroup";
    if (pool != NULL && pool->backoff_until_ms > p->core->now_ms)
        return "VPSie refuses orders of its NodeGroup for now";
    if (life_counts(p->core, group).total > (uint32_t)group->facts.max_nodes)
        return "its NodeGroup has maxNodes";
    return NULL;
}

// ---- whose turn

// May what these two VPSie groups bring be mixed up?
static bool alike(const struct life_private *p, int64_t group_id, int64_t other_id)
{
    const char *cluster = p->intention->facts.resource_identifier;
    const struct vpsie_group_facts *one = vpsie_group_by_id(p->core, cluster, group_id);
    const struct vpsie_group_facts *other = vpsie_group_by_id(p->core, cluster, other_id);
    return one == NULL || other == NULL || attribution_same_shape(p->core, one, other);
}

static bool my_turn(struct life_private *p, int64_t group_id)
{
    const struct life_shared *shared = p->core->life;
    bool older = true;
    for (uint32_t i = 0; i < shared->open_count; i++) {
        const struct life_private *other = shared->open[i];
        enum life_step step = other->life->step;
        if (other == p)
            older = false;
        if (other == p || step < LIFE_WAIT_TURN || step > LIFE_APPEAR || other->intention->group == NULL ||
            (step == LIFE_APPEAR && other->baseline == NULL) ||
            strcmp(other->intention->facts.resource_identifier, p->intention->facts.resource_identifier) != 0)
            continue;
        // Who only waits is let by when older, and nothing keeps it from going on.
        if (step == LIFE_WAIT_TURN && (!older || core_paused(p->core, other->intention->group)))
            continue;
        int64_t other_id = owners_group_of(p->core, other);
        if (other_id == 0 || other_id == group_id || !alike(p, group_id, other_id))
            continue;
        life_wait(p, "an order of %s, whose machines look the same", other->intention->facts.group_name);
        return false;
    }
    return true;
}

// After a refusal one order tries, and the others of its pool wait for what becomes of it.
static bool another_tries(struct life_private *p, const struct pool *pool)
{
    const struct group *group = p->intention->group;
    if (pool->backoff_count == 0)
        return false;
    for (uint32_t i = 0; i < group->intention_count; i++) {
        const struct life_private *other = life_private_of(group->intentions[i]);
        if (other != p && other->life->step >= LIFE_BASELINE_LIST && other->life->step <= LIFE_CALL &&
            pool_of(p->core, other) == pool)
            return true;
    }
    return false;
}

static void wait_turn(struct life_private *p)
{
    struct core *core = p->core;
    const char *why = no_longer_wanted(p);
    if (why != NULL) {
        cancel(p, why);
        return;
    }
    if (!life_can_ask(p)) // the wait after a call that was never sent
        return;
    struct group *group = p->intention->group;
    if (group->facts.invalid[0] != '\0' || !group->facts.managed) {
        life_wait(p, "its NodeGroup to be valid");
        return;
    }
    if (core->brakes[BRAKE_CLOUD_LIST].on || core->brakes[BRAKE_CLOUD_UNUSABLE].on) {
        life_wait(p, "VPSie");
        return;
    }
    struct pool *pool = pool_of(core, p);
    if (pool == NULL || !group_is_there(core, group, pool)) {
        life_wait(p, "its VPSie group");
        life_due(p, pool != NULL ? pool->keep.create_retry_ms : INT64_MAX);
        return;
    }
    if (another_tries(p, pool)) {
        life_wait(p, "another order of its NodeGroup, which tries after a refusal");
        life_due(p, core->now_ms + REPEAT_LEAST_MS);
        return;
    }
    if (!my_turn(p, pool->vpsie_group_id))
        return;
    life_step_to(p, LIFE_BASELINE_LIST, "VPSie's lists");
    p->round_needed = cloud_watch_ask(watch_of(p));
}

// ---- baseline

static void baseline_list(struct life_private *p)
{
    struct cloud_watch *watch = watch_of(p);
    const char *why = no_longer_wanted(p);
    if (why != NULL) {
        cancel(p, why);
        return;
    }
    if (watch->suspect || watch->trusted < p->round_needed)
        return;
    const struct pool *pool = pool_of(p->core, p);
    if (pool == NULL || pool->vpsie_group_id == 0) {
        life_step_to(p, LIFE_WAIT_TURN, "its VPSie group");
        return;
    }
    struct baseline *taken = baseline_take(p, watch, pool->vpsie_group_id, &why);
    if (taken == NULL) {
        life_wait(p, "%s", why);
        return;
    }
    baseline_free(p->baseline);
    p->baseline = taken;
    life_step_to(p, LIFE_BASELINE_WRITE, "the baseline to be stored");
}

static void write_baseline(struct life_private *p)
{
    struct arena *arena = p->core->out->arena;
    const struct intention_facts *facts = &p->intention->facts;
    char *requested = arena_alloc(arena, 32);
    text_format_time(requested, 32, p->core->now_ms);
    struct command *command = life_command(p, COMMAND_KUBE_UPDATE_INTENTION);
    command->update_intention.space = arena_strdup(arena, facts->space);
    command->update_intention.name = arena_strdup(arena, facts->name);
    command->update_intention.resource_version = arena_strdup(arena, facts->resource_version);
    struct label *annotations = ARENA_ARRAY(arena, struct label, 3); // in the order of their keys
    annotations[0] = (struct label){KEY_BASELINE, arena_strdup(arena, p->baseline->text)};
    annotations[1] = (struct label){KEY_CREATION_REQUESTED, requested};
    annotations[2] = (struct label){KEY_ORDER, order_mark_name(ORDER_REQUESTED)};
    command->update_intention.annotations = (struct labels){annotations, 3};
    command->update_intention.vpsie_group_id = p->baseline->group_id;
    p->done[0] = true; // it was sent at least once
}

static void baseline_write(struct life_private *p)
{
    enum outcome outcome;
    const char *stored = labels_get(&p->intention->facts.annotations, KEY_BASELINE);
    bool confirmed = life_answer(p, &outcome) && outcome == OUTCOME_OK;
    // The answer may be lost; the object itself tells as well.
    confirmed = confirmed ||
                (p->done[0] && p->command == 0 && stored != NULL && strcmp(stored, p->baseline->text) == 0);
    if (confirmed) {
        const char *why = no_longer_wanted(p);
        if (why != NULL) {
            cancel(p, why);
            return;
        }
        p->mark = ORDER_REQUESTED;
        p->own_baseline = true;
        life_step_to(p, LIFE_CALL, "VPSie's answer");
        return;
    }
    if (p->answered || p->command != 0)
        return;
    if (p->done[0] && !p->done[1]) { // failed just now
        p->done[1] = true;
        life_retry(p, WRITE_LEAST_MS, WRITE_MOST_MS);
    }
    if (!life_can_ask(p))
        return;
    p->done[1] = false;
    write_baseline(p);
}

// ---- the call

static void call(struct life_private *p)
{
    struct core *core = p->core;
    if (p->command != 0) {
        int64_t late_ms = p->life->called_ms + core->config.http_timeout_ms + OUTCOME_LATE_MS;
        life_due(p, late_ms);
        if (core->now_ms < late_ms)
            return;
        p->life->outcome_unknown = true; // no answer at all is no answer
        core->orders_unknown++;
        life_step_to(p, LIFE_APPEAR, "VPSie's list");
        return;
    }
    int32_t most = p->intention->group->facts.max_nodes, there = attribution_total(p);
    if (there >= most) {
        p->mark = ORDER_NONE;
        group_back_off(core, p->intention->group, NULL, false,
                       arena_printf(core->out->arena, "VPSie has %d machines for the group, maxNodes is %d",
                                    there, most));
        cancel(p, "its VPSie group has maxNodes");
        return;
    }
    assert(p->own_baseline && p->mark == ORDER_REQUESTED && p->calls == 0);
    assert(p->baseline->term == core->term);
    struct cloud_watch *watch = watch_of(p);
    struct command *command = life_command(p, COMMAND_VPSIE_ADD_MACHINE);
    command->key =
        arena_printf(core->out->arena, "order/%s/%s", p->intention->facts.space, p->intention->facts.name);
    command->add_machine.cluster = arena_strdup(core->out->arena, watch->cluster);
    command->add_machine.group_id = p->baseline->group_id;
    p->calls++;
    p->own_baseline = false; // used up
    p->call_round = watch->started;
    p->life->called_ms = core->now_ms;
    core->machines_ordered++;
    life_phase(p, INTENTION_PROVISIONING);
    (void)life_phase_stored(p);
}

static void not_called(struct life_private *p, const struct event *event)
{
    assert(p->calls == 1);
    p->calls = 0;
    p->core->machines_ordered--;
    p->mark = ORDER_NONE;
    p->life->called_ms = 0;
    life_step_to(p, LIFE_WAIT_TURN, "VPSie to take calls");
    int64_t wait_ms = REPEAT_LEAST_MS;
    for (uint32_t i = 0; i < p->not_called && wait_ms < REPEAT_MOST_MS; i++)
        wait_ms *= 2;
    p->not_called++;
    if (event->outcome.retry_after_ms > wait_ms)
        wait_ms = event->outcome.retry_after_ms;
    p->retry_ms = p->core->now_ms + wait_ms;
}

// Is the machine that the answer names a new one, and nobody else's?
static bool is_news(const struct life_private *p, const struct machine_facts *machine)
{
    struct machine_name name = machine_name_of(p->core, machine);
    if (!machine_known(&name) || baseline_has(p->baseline, machine))
        return false;
    for (uint32_t i = 0; i < p->core->cluster->intention_count; i++) {
        const struct life_private *other = life_private_of(p->core->cluster->intentions[i]);
        if (other != p && machine_known(&other->name) && machine_is(&other->name, machine))
            return false;
    }
    return true;
}

static void placed(struct life_private *p, const struct event *event)
{
    struct pool *pool = pool_of(p->core, p);
    if (pool != NULL)
        group_order_taken(p->core, p->intention->group, pool);
    if (event->outcome.machine_count == 1 && is_news(p, &event->outcome.machines[0])) {
        p->name = machine_name_of(p->core, &event->outcome.machines[0]);
        p->mark = ORDER_PLACED;
        p->known = true;
        life_step_to(p, LIFE_JOIN, "its machine to appear");
        return;
    }
    p->mark = ORDER_ACCEPTED;
    life_step_to(p, LIFE_APPEAR, "its machine to appear");
}

void order_take_answer(struct life_private *p, const struct event *event)
{
    const char *detail = event->outcome.detail != NULL ? event->outcome.detail : "";
    struct group *group = p->intention->group;
    bool limited = event->outcome.outcome == OUTCOME_LIMITED;
    cloud_watch_ask(watch_of(p));
    switch (event->outcome.outcome) {
    case OUTCOME_OK: placed(p, event); break;
    case OUTCOME_NOT_SENT:
    case OUTCOME_THROTTLED: not_called(p, event); break;
    case OUTCOME_UNKNOWN:
        p->life->outcome_unknown = true;
        p->core->orders_unknown++;
        core_note(p->core, NOTE_WARN, p->life->decision_id, life_subject(p),
                  "VPSie's answer is lost (%s): not repeated, its list is asked", detail);
        life_step_to(p, LIFE_APPEAR, "VPSie's list");
        break;
    default:
        life_fail(p, ORDER_REFUSED, "VPSie refused the order: %s", detail);
        if (group != NULL)
            group_back_off(p->core, group, pool_of(p->core, p), limited,
                           arena_printf(p->core->out->arena, "VPSie refused an order: %s", detail));
        break;
    }
}

// ---- appearing

// Somebody else has written down whose it is: a coordinator before us, whose write came late, or a person.
static bool told_by_object(struct life_private *p)
{
    const struct intention_facts *facts = &p->intention->facts;
    if (facts->identifier[0] == '\0' || machine_known(&p->name) || p->claimed_twice ||
        (p->rejected != NULL && strcmp(p->rejected, facts->identifier) == 0))
        return false;
    p->name.identifier = life_intern(p->core, facts->identifier);
    p->name.id = facts->vpsie_instance_id;
    p->mark = p->ours ? ORDER_PLACED : ORDER_NONE;
    core_note(p->core, NOTE_INFO, p->life->decision_id, life_subject(p), "its machine is %s (it says so)",
              facts->identifier);
    struct cloud_watch *watch = watch_of(p);
    if (watch->trusted > 0 && !watch->suspect)
        owners_find(p->core, watch);
    life_step_to(p, LIFE_JOIN, "its Node to join");
    return true;
}

// It may wait so for as long as VPSie's answers contradict each other: somebody should know.
static void say_hope(struct life_private *p, const char *hope)
{
    int64_t bound_ms = p->core->config.http_timeout_ms + 2 * p->core->config.appearance_bound_ms;
    if (p->hope_said || p->intention->group == NULL)
        return;
    if (p->core->now_ms < p->life->called_ms + bound_ms) {
        life_due(p, p->life->called_ms + bound_ms);
        return;
    }
    p->hope_said = true;
    core_event_group(p->core, p->intention->group, p->life->decision_id, true, "OrderUnclear",
                     "%s was ordered long ago and still waits for %s", p->intention->facts.name, hope);
}

static void appear(struct life_private *p)
{
    struct core *core = p->core;
    if (told_by_object(p))
        return;
    if (p->ours)
        (void)life_persist(p);
    int64_t limit_ms = p->life->called_ms + core->config.http_timeout_ms + core->config.appearance_bound_ms;
    life_due(p, limit_ms);
    if (core->now_ms < limit_ms)
        return;
    struct cloud_watch *watch = watch_of(p);
    if (p->round_needed == 0)
        p->round_needed = cloud_watch_ask(watch);
    if (watch->suspect || watch->trusted < p->round_needed) {
        life_wait(p, "VPSie's list, to be sure that nothing appeared");
        return;
    }
    if (!lists_watched(p)) {
        life_wait(p, "VPSie's lists, until they have been watched for a while");
        return;
    }
    const char *hope = attribution_hope(p);
    if (hope != NULL) {
        life_wait(p, "%s", hope);
        say_hope(p, hope);
        return;
    }
    char bound[32];
    text_format_duration(bound, sizeof(bound), core->now_ms - p->life->called_ms);
    struct group *group = p->intention->group;
    life_fail(p, p->ours ? ORDER_NOT_PLACED : ORDER_NONE, "no machine appeared within %s%s", bound,
              p->ambiguous_said ? " that could be told apart from others" : "");
    if (group != NULL && p->ours)
        group_back_off(core, group, pool_of(core, p), false, "an order was accepted and no machine appeared");
}

// Another coordinator has written its baseline here: it may have called.
static bool taken_by_another(struct life_private *p)
{
    const char *text = labels_get(&p->intention->facts.annotations, KEY_BASELINE);
    if (text == NULL || p->life->step >= LIFE_CALL)
        return false;
    struct baseline *stored = baseline_parse(text);
    bool own = stored != NULL && stored->term == p->core->term && stored->at_ms >= p->core->life->taken_ms;
    if (own) {
        baseline_free(stored);
        return false;
    }
    core_note(p->core, NOTE_WARN, p->life->decision_id, life_subject(p),
              "another coordinator has stored a baseline: its call is taken for made");
    baseline_free(p->baseline);
    p->baseline = stored;
    p->life->outcome_unknown = true;
    p->life->called_ms = p->core->now_ms;
    p->call_round = watch_of(p)->started;
    p->mark = ORDER_REQUESTED;
    life_step_to(p, LIFE_APPEAR, "VPSie's list");
    return true;
}

void order_move(struct life_private *p)
{
    if (!p->ours && p->life->step < LIFE_APPEAR) {
        life_wait(p, "whoever made it"); // not our order
        return;
    }
    if (taken_by_another(p))
        return;
    switch (p->life->step) {
    case LIFE_NEW: life_step_to(p, LIFE_WAIT_TURN, "its turn"); break;
    case LIFE_WAIT_TURN: wait_turn(p); break;
    case LIFE_BASELINE_LIST: baseline_list(p); break;
    case LIFE_BASELINE_WRITE: baseline_write(p); break;
    case LIFE_CALL: call(p); break;
    case LIFE_APPEAR: appear(p); break;
    default: assert(false); break;
    }
}

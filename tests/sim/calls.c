// Commands on their way: they wait for their key, leave a door (if the term still holds), arrive, take
// effect, and are answered; or something goes wrong at one of these points.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/sim/private.h"

#define RESET_MS 200 // a connection that breaks is noticed sooner than one that says nothing

static void pump(struct sim *sim, struct process *process);

static bool of_vpsie(enum command_kind kind)
{
    return kind >= COMMAND_VPSIE_LIST_MACHINES && kind <= COMMAND_VPSIE_DELETE_MACHINE;
}

void call_free(struct call *call)
{
    event_destroy(call->outcome);
    command_destroy(call->command);
    free(call);
}

static struct call *find(struct call *list, uint64_t number)
{
    while (list != NULL && list->number != number)
        list = list->next;
    return list;
}

static struct call *find_call(struct sim *sim, uint64_t number, struct process **process)
{
    for (unsigned i = 0; i < sim->process_count; i++) {
        struct call *call = find(sim->processes[i].calls, number);
        if (call != NULL) {
            *process = &sim->processes[i];
            return call;
        }
    }
    *process = NULL;
    return find(sim->orphans, number);
}

static void unlink_call(struct call **list, struct call *call)
{
    while (*list != call)
        list = &(*list)->next;
    *list = call->next;
    call->next = NULL;
}

// ---------------------------------------------------------------------------------------------- submit

void calls_submit(struct sim *sim, struct process *process, const struct command *command)
{
    struct call *call = xcalloc(1, sizeof *call);
    call->command = command_copy(command);
    call->number = ++sim->call_number;
    call->index = sim->command_index++;
    call->process = process->number;
    struct call **end = &process->calls;
    while (*end != NULL)
        end = &(*end)->next;
    *end = call;
    pump(sim, process);
}

static bool key_is_busy(const struct process *process, const struct call *call)
{
    const char *key = call->command->key;
    if (key == NULL || key[0] == 0)
        return false;
    for (const struct call *earlier = process->calls; earlier != call; earlier = earlier->next) {
        if (earlier->command->key != NULL && strcmp(earlier->command->key, key) == 0)
            return true;
    }
    return false;
}

static void leaves(void *context, const char *subject, int64_t number);

static void pump(struct sim *sim, struct process *process)
{
    for (struct call *call = process->calls; call != NULL; call = call->next) {
        if (call->stage != CALL_WAITS || key_is_busy(process, call))
            continue;
        call->stage = CALL_SENT;
        world_after(sim->world, random_between(&sim->random, 0, 5), leaves, sim, "", (int64_t)call->number);
    }
}

// What was sent goes on its way; what was not is forgotten with its process.
void calls_orphan(struct sim *sim, struct process *process)
{
    while (process->calls != NULL) {
        struct call *call = process->calls;
        unlink_call(&process->calls, call);
        if (call->stage != CALL_DONE) {
            call_free(call);
            continue;
        }
        call->orphan = true;
        call->next = sim->orphans;
        sim->orphans = call;
    }
}

// ------------------------------------------------------------------------------------------ on its way

static enum sim_fault choose_fault(struct sim *sim, enum command_kind kind)
{
    if (sim->scripted[kind].count > 0) {
        sim->scripted[kind].count--;
        return sim->scripted[kind].fault;
    }
    struct sim_chances chances = sim_chances_now(sim);
    const uint32_t *percents = of_vpsie(kind) ? chances.vpsie : chances.kube;
    for (unsigned fault = SIM_FAULT_NONE + 1; fault < SIM_FAULT_COUNT; fault++) {
        if (random_chance(&sim->random, percents[fault]))
            return (enum sim_fault)fault;
    }
    return SIM_FAULT_NONE;
}

static bool has_effect(enum sim_fault fault)
{
    return fault == SIM_FAULT_NONE || fault == SIM_FAULT_LOST_AFTER || fault == SIM_FAULT_LATE ||
           fault == SIM_FAULT_ERROR_AFTER;
}

// What the door says without having heard anything better.
static struct event *outcome_of_fault(struct sim *sim, enum sim_fault fault)
{
    struct event *event = event_create(EVENT_OUTCOME);
    event->outcome.detail = event->outcome.uid = event->outcome.resource_version = "";
    event->outcome.outcome = OUTCOME_UNKNOWN;
    event->outcome.fresh.predecessor_webhook_names = event->outcome.fresh.saved.paused_reason = "";
    switch (fault) {
    case SIM_FAULT_NONE: event->outcome.outcome = OUTCOME_OK; break;
    case SIM_FAULT_NOT_SENT:
        event->outcome.outcome = OUTCOME_NOT_SENT;
        event->outcome.detail = "no connection";
        break;
    case SIM_FAULT_THROTTLED:
        event->outcome.outcome = OUTCOME_THROTTLED;
        event->outcome.status = 429;
        event->outcome.retry_after_ms = random_between(&sim->random, 1, 20) * 1000;
        break;
    case SIM_FAULT_ERROR_BEFORE:
    case SIM_FAULT_ERROR_AFTER:
        event->outcome.status = 502;
        event->outcome.detail = "bad gateway";
        break;
    case SIM_FAULT_CONFLICT:
        event->outcome.outcome = OUTCOME_CONFLICT;
        event->outcome.status = 409;
        break;
    case SIM_FAULT_REFUSED:
        event->outcome.outcome = OUTCOME_REFUSED;
        event->outcome.status = 400;
        event->outcome.detail = "bad request";
        break;
    case SIM_FAULT_LOST_BEFORE:
    case SIM_FAULT_LOST_AFTER:
    case SIM_FAULT_LATE: event->outcome.detail = "no answer"; break;
    case SIM_FAULT_COUNT: assert(false);
    }
    return event;
}

static bool may_leave(const struct sim *sim, const struct process *process, const struct command *command)
{
    if (of_vpsie(command->kind) ? sim->vpsie_cut : sim->kube_cut)
        return false;
    if (!command_writes(command->kind))
        return true;
    return process->leading && command->term == process->term && sim->world->now_ms < process->fence_ms &&
           !sim->settings.core.dry_run;
}

static void arrives(void *context, const char *subject, int64_t number);
static void is_answered(void *context, const char *subject, int64_t number);

static void leaves(void *context, const char *subject, int64_t number)
{
    struct sim *sim = context;
    struct process *process;
    struct call *call = find_call(sim, (uint64_t)number, &process);
    if (call == NULL || process == NULL || process_sleeps(sim, process, leaves, subject, number))
        return;
    enum command_kind kind = call->command->kind;
    struct span way = of_vpsie(kind) ? sim->settings.vpsie : sim->settings.kube;
    int64_t there_ms = sim_draw(sim, way), back_ms = sim_draw(sim, way);
    int64_t patience_ms = sim->settings.core.http_timeout_ms;
    call->fault = choose_fault(sim, kind);
    if (!may_leave(sim, process, call->command))
        call->fault = SIM_FAULT_NOT_SENT;
    if (call->fault == SIM_FAULT_NOT_SENT) {
        world_after(sim->world, 1, is_answered, sim, "", number);
        return;
    }
    call->stage = CALL_DONE; // from here on nothing stops it
    sim->sent[kind]++;
    check_sent(sim, call);
    if (call->fault != SIM_FAULT_NONE)
        sim_trace(sim, "P%u   fault %d for %s", process->number, (int)call->fault, command_kind_name(kind));
    bool quiet = random_chance(&sim->random, 50);
    if (call->fault == SIM_FAULT_LATE)
        there_ms = patience_ms + random_between(&sim->random, 1000, 60000);
    if (has_effect(call->fault))
        world_after(sim->world, there_ms, arrives, sim, "", number);
    if (call->fault == SIM_FAULT_LATE ||
        ((call->fault == SIM_FAULT_LOST_BEFORE || call->fault == SIM_FAULT_LOST_AFTER) && quiet))
        back_ms = patience_ms;
    else if (call->fault == SIM_FAULT_LOST_BEFORE || call->fault == SIM_FAULT_LOST_AFTER)
        back_ms = there_ms + RESET_MS;
    else
        back_ms += there_ms;
    world_after(sim->world, back_ms, is_answered, sim, "", number);
}

static bool dies(struct sim *sim, const struct call *call, enum sim_death death)
{
    if (!sim->kill_planned || call->index != sim->kill_index || sim->kill_death != death || call->orphan)
        return false;
    sim->kill_planned = false;
    sim_kill(sim, call->process);
    return true;
}

static void arrives(void *context, const char *subject, int64_t number)
{
    (void)subject;
    struct sim *sim = context;
    struct process *process;
    struct call *call = find_call(sim, (uint64_t)number, &process);
    if (call == NULL || sim->broken[0] != 0)
        return;
    const struct command *command = call->command;
    struct event *outcome = outcome_of_fault(sim, SIM_FAULT_NONE);
    call->effect_ms = sim->world->now_ms;
    check_before_effect(sim, call);
    if (of_vpsie(command->kind))
        vpsie_effect(sim, command, outcome);
    else
        kube_effect(sim, command, outcome);
    sim->effects[command->kind] += outcome->outcome.outcome == OUTCOME_OK;
    check_after_effect(sim, command);
    event_destroy(call->outcome);
    call->outcome = outcome;
    dies(sim, call, SIM_DEATH_AFTER_EFFECT);
}

// A late call has been answered for by its timeout; its effect is still to come.
static void keep_for_effect(struct sim *sim, struct call *call)
{
    call->orphan = true;
    call->next = sim->orphans;
    sim->orphans = call;
}

static void is_answered(void *context, const char *subject, int64_t number)
{
    struct sim *sim = context;
    struct process *process;
    struct call *call = find_call(sim, (uint64_t)number, &process);
    if (call == NULL || process_sleeps(sim, process, is_answered, subject, number))
        return;
    if (process == NULL) { // its process died; after a late effect nothing is left to do
        if (call->fault != SIM_FAULT_LATE) {
            unlink_call(&sim->orphans, call);
            call_free(call);
        }
        return;
    }
    if (dies(sim, call, SIM_DEATH_AFTER_EFFECT))
        return;
    struct event *outcome = call->fault == SIM_FAULT_NONE ? call->outcome : NULL;
    if (outcome != NULL)
        call->outcome = NULL;
    else
        outcome = outcome_of_fault(sim, call->fault);
    outcome->outcome.command_id = call->command->id;
    enum command_kind kind = call->command->kind;
    bool deadly =
        sim->kill_planned && call->index == sim->kill_index && sim->kill_death == SIM_DEATH_AFTER_OUTCOME;
    unlink_call(&process->calls, call);
    if (kind == COMMAND_VPSIE_LIST_MACHINES && outcome->outcome.outcome == OUTCOME_OK)
        process->told_list_ms = call->effect_ms;
    check_told(sim, process, call, outcome->outcome.outcome);
    if (call->fault == SIM_FAULT_LATE)
        keep_for_effect(sim, call);
    else
        call_free(call);
    pump(sim, process);
    if (kind == COMMAND_KUBE_LIST_FRESH && outcome->outcome.outcome == OUTCOME_OK)
        watches_list_fresh(sim, process, outcome);
    if (deadly) {
        sim->kill_planned = false;
        process->dies_after_step = true;
    }
    process_feed(sim, process, outcome);
}

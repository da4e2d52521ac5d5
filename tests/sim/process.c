// One coordinator: its core, its life and death, and the Lease by which one of them leads.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/sim/private.h"

#define STEPS_AT_ONCE_MAX 20000u

struct process *process_by_number(struct sim *sim, unsigned number)
{
    return number >= 1 && number <= sim->process_count ? &sim->processes[number - 1] : NULL;
}

bool process_sleeps(struct sim *sim, const struct process *process, timer_function function,
                    const char *subject, int64_t number)
{
    if (process == NULL || !process->alive || sim->world->now_ms >= process->frozen_ms)
        return false;
    world_after(sim->world, process->frozen_ms - sim->world->now_ms, function, sim, subject, number);
    return true;
}

// ------------------------------------------------------------------------------------------ start, end

static void tell_vpsie(struct sim *sim, struct process *process)
{
    struct event *event = event_create(EVENT_VPSIE_STATE);
    event->vpsie_state.usable = !sim->vpsie_cut;
    event->vpsie_state.detail = sim->vpsie_cut ? "credentials are refused" : "";
    event->vpsie_state.calls_limit = 100;
    process_feed(sim, process, event);
}

unsigned sim_start(struct sim *sim)
{
    assert(sim->process_count < SIM_PROCESSES_MAX);
    struct process *process = &sim->processes[sim->process_count++];
    *process = (struct process){.number = sim->process_count, .alive = true, .armed_ms = INT64_MAX};
    snprintf(process->identity, sizeof process->identity, "coordinator-%u", process->number);
    struct core_config config = sim->settings.core;
    config.identity = process->identity;
    config.seed = sim->settings.seed * 1000 + process->number;
    process->core = core_create(&config);
    process->out = commands_create();
    for (unsigned kind = 0; kind < OBJECT_KIND_COUNT; kind++)
        process->cursors[kind] = -1;
    sim_trace(sim, "P%u starts", process->number);
    struct event *state = event_create(EVENT_KUBE_STATE);
    state->kube_state.reachable = true;
    state->kube_state.detail = "";
    process_feed(sim, process, state);
    tell_vpsie(sim, process);
    watches_start(sim, process);
    sim_agents_start(sim);
    process_lease(sim);
    return process->number;
}

void process_end(struct sim *sim, struct process *process)
{
    if (!process->alive)
        return;
    process->alive = false;
    process->leading = false;
    calls_orphan(sim, process);
    core_destroy(process->core);
    commands_destroy(process->out);
    directives_free(&process->directives);
    process->core = NULL;
    process->out = NULL;
    check_death(sim, process);
}

static void successor_starts(void *context, const char *subject, int64_t number)
{
    (void)subject;
    (void)number;
    sim_start(context);
}

void sim_kill(struct sim *sim, unsigned number)
{
    struct process *process = process_by_number(sim, number);
    assert(process != NULL);
    if (!process->alive)
        return;
    sim_trace(sim, "P%u is KILLED", number);
    process_end(sim, process);
    world_after(sim->world, sim_draw(sim, sim->settings.restart), successor_starts, sim, "", 0);
}

void sim_stop(struct sim *sim, unsigned number)
{
    struct process *process = process_by_number(sim, number);
    assert(process != NULL && process->alive);
    sim_trace(sim, "P%u stops", number);
    process_end(sim, process);
    if (sim->holder == number)
        sim->holder = 0;
}

void sim_freeze(struct sim *sim, unsigned number, int64_t ms)
{
    struct process *process = process_by_number(sim, number);
    assert(process != NULL && process->alive);
    sim_trace(sim, "P%u is stopped for %lld s", number, (long long)(ms / 1000));
    process->frozen_ms = sim->world->now_ms + ms;
}

unsigned sim_leader(const struct sim *sim)
{
    for (unsigned i = 0; i < sim->process_count; i++) {
        const struct process *process = &sim->processes[i];
        if (process->alive && process->leading &&
            (process->number == sim->holder || sim->settings.core.dry_run))
            return process->number;
    }
    return 0;
}

struct core *sim_core(const struct sim *sim)
{
    unsigned leader = sim_leader(sim);
    return leader == 0 ? NULL : sim->processes[leader - 1].core;
}

// ------------------------------------------------------------------------------------------- the steps

static void wakes(void *context, const char *subject, int64_t number);

static void arm(struct sim *sim, struct process *process)
{
    int64_t next_ms = core_next_wake_ms(process->core);
    if (next_ms == INT64_MAX || next_ms >= process->armed_ms)
        return;
    int64_t now_ms = sim->world->now_ms;
    process->armed_ms = next_ms > now_ms ? next_ms : now_ms;
    world_after(sim->world, process->armed_ms - now_ms, wakes, sim, "", process->number);
}

static void wakes(void *context, const char *subject, int64_t number)
{
    struct sim *sim = context;
    struct process *process = process_by_number(sim, (unsigned)number);
    if (!process->alive || process_sleeps(sim, process, wakes, subject, number))
        return;
    if (process->armed_ms <= sim->world->now_ms)
        process->armed_ms = INT64_MAX;
    if (core_next_wake_ms(process->core) <= sim->world->now_ms)
        process_feed(sim, process, event_create(EVENT_TIMER));
    else
        arm(sim, process);
}

static void count_steps(struct sim *sim, struct process *process)
{
    if (process->steps_ms != sim->world->now_ms) {
        process->steps_ms = sim->world->now_ms;
        process->steps_now = 0;
    }
    if (++process->steps_now > STEPS_AT_ONCE_MAX)
        sim_break(sim, "P%u does not come to rest: %u steps at one instant", process->number,
                  STEPS_AT_ONCE_MAX);
}

static void hear(struct sim *sim, const struct process *process, const struct event *event)
{
    AUTOTEXT struct text line = {0};
    event_describe(event, &line);
    sim_trace(sim, "P%u < %s", process->number, text_get(&line));
}

static void remember(struct sim *sim, const struct process *process, const struct command *command)
{
    AUTOTEXT struct text line = {0};
    command_describe(command, &line);
    sim_trace(sim, "P%u > %s", process->number, text_get(&line));
    for (const char *byte = text_get(&line); *byte != 0; byte++)
        sim->hash = (sim->hash ^ (unsigned char)*byte) * 1099511628211u;
}

// What people would read: notes, events, conditions, errors.
static void read_aloud(struct sim *sim, const struct command *command)
{
    switch (command->kind) {
    case COMMAND_NOTE: sim_say(sim, command->note.text); break;
    case COMMAND_KUBE_EVENT:
        sim_say(sim, command->event.reason);
        sim_say(sim, command->event.message);
        break;
    case COMMAND_OPERATOR_REPLY: sim_say(sim, command->operator_reply.text); break;
    case COMMAND_KUBE_GROUP_STATUS:
        for (uint32_t i = 0; i < command->group_status.condition_count; i++)
            sim_say(sim, command->group_status.conditions[i].message);
        break;
    case COMMAND_KUBE_INTENTION_STATUS:
        if (command->intention_status.status.last_error != NULL)
            sim_say(sim, command->intention_status.status.last_error);
        break;
    default: break;
    }
}

// Takes one command to its door. False: the coordinator died over it.
static bool take(struct sim *sim, struct process *process, const struct command *command)
{
    remember(sim, process, command);
    read_aloud(sim, command);
    check_command(sim, process, command);
    if (command_has_outcome(command->kind)) {
        if (sim->kill_planned && sim->command_index == sim->kill_index &&
            sim->kill_death == SIM_DEATH_BEFORE_SENDING) {
            sim->kill_planned = false;
            sim->command_index++;
            sim_kill(sim, process->number);
            return false;
        }
        calls_submit(sim, process, command);
    } else if (command->kind == COMMAND_AGENT_DIRECTIVE) {
        sim_agents_direct(sim, process, command);
    } else if (command->kind == COMMAND_OPERATOR_REPLY) {
        free(sim->reply);
        sim->reply = xstrdup(command->operator_reply.text);
    }
    return true;
}

void process_feed(struct sim *sim, struct process *process, struct event *event)
{
    if (!process->alive || sim->broken[0] != 0) {
        event_destroy(event);
        return;
    }
    event->now_ms = sim->world->now_ms;
    hear(sim, process, event);
    count_steps(sim, process);
    commands_clear(process->out);
    core_step(process->core, event, process->out);
    event_destroy(event);
    if (process->dies_after_step) {
        sim_kill(sim, process->number);
        return;
    }
    for (uint32_t i = 0; i < process->out->count; i++) {
        if (!take(sim, process, process->out->items[i]))
            return;
    }
    arm(sim, process);
}

// ------------------------------------------------------------------------------------------- the Lease

static void tell_leadership(struct sim *sim, struct process *process)
{
    struct event *event = event_create(EVENT_LEADER);
    const struct process *holder = process_by_number(sim, sim->holder);
    event->leader.leading = process->leading;
    event->leader.term = process->leading ? process->term : 0;
    event->leader.identity = arena_strdup(event->arena, process->identity);
    event->leader.holder = arena_strdup(event->arena, holder == NULL ? "" : holder->identity);
    event->leader.saved = sim->saved;
    event->leader.saved.paused_reason = arena_strdup(event->arena, sim->saved.paused_reason);
    process_feed(sim, process, event);
}

static void lose(struct sim *sim, struct process *process)
{
    process->leading = false;
    directives_free(&process->directives);
    sim_trace(sim, "P%u lost the lease", process->number);
    tell_leadership(sim, process);
}

static void acquire(struct sim *sim, struct process *process)
{
    sim->holder = process->number;
    sim->lease_until_ms = sim->world->now_ms + sim->settings.lease_ms;
    process->term = ++sim->term;
    process->leading = true;
    process->fence_ms = sim->world->now_ms + sim->settings.renew_ms;
    sim_trace(sim, "P%u leads, term %llu", process->number, (unsigned long long)process->term);
    for (unsigned i = 0; i < sim->process_count; i++) {
        if (sim->processes[i].alive && sim->world->now_ms >= sim->processes[i].frozen_ms &&
            !(sim->processes[i].leading && &sim->processes[i] != process))
            tell_leadership(sim, &sim->processes[i]);
    }
}

static void renew(struct sim *sim, struct process *process)
{
    int64_t now_ms = sim->world->now_ms;
    bool mine = sim->holder == process->number;
    if (process->leading && (!mine || now_ms >= process->fence_ms)) {
        if (mine)
            sim->holder = 0; // its own deadline has passed: it stands back and may win again
        lose(sim, process);
    } else if (process->leading && !sim->kube_cut) {
        process->fence_ms = now_ms + sim->settings.renew_ms;
        sim->lease_until_ms = now_ms + sim->settings.lease_ms;
    } else if (!process->leading && !sim->kube_cut && (sim->holder == 0 || now_ms >= sim->lease_until_ms)) {
        acquire(sim, process);
    }
}

static void tries_lease(void *context, const char *subject, int64_t number)
{
    struct sim *sim = context;
    struct process *process = process_by_number(sim, (unsigned)number);
    if (!process->alive || process_sleeps(sim, process, tries_lease, subject, number))
        return;
    renew(sim, process);
    world_after(sim->world, sim->settings.retry_ms, tries_lease, sim, "", number);
}

// The process that started last begins to try for the Lease. A dry run takes none: it leads and only reads.
void process_lease(struct sim *sim)
{
    struct process *process = &sim->processes[sim->process_count - 1];
    if (!sim->settings.core.dry_run) {
        tries_lease(sim, "", process->number);
        return;
    }
    process->leading = true;
    process->term = 1;
    process->fence_ms = INT64_MAX;
    tell_leadership(sim, process);
}

void sim_operator(struct sim *sim, enum operator_verb verb, const char *argument)
{
    struct process *process = process_by_number(sim, sim_leader(sim));
    assert(process != NULL);
    struct event *event = event_create(EVENT_OPERATOR);
    event->operator_request.verb = verb;
    event->operator_request.request_id = 1;
    event->operator_request.argument = arena_strdup(event->arena, argument);
    process_feed(sim, process, event);
}

void sim_cut_kube(struct sim *sim, bool cut)
{
    sim->kube_cut = cut;
    for (unsigned i = 0; i < sim->process_count; i++) {
        struct process *process = &sim->processes[i];
        if (!process->alive)
            continue;
        struct event *event = event_create(EVENT_KUBE_STATE);
        event->kube_state.reachable = !cut;
        event->kube_state.detail = cut ? "connection refused" : "";
        process_feed(sim, process, event);
    }
}

void sim_cut_vpsie(struct sim *sim, bool cut)
{
    sim->vpsie_cut = cut;
    for (unsigned i = 0; i < sim->process_count; i++) {
        if (sim->processes[i].alive)
            tell_vpsie(sim, &sim->processes[i]);
    }
}

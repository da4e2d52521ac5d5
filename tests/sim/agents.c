// The agents' door: reports to whoever leads, directives back in the answers.
#include <string.h>

#include "common/arena.h"
#include "tests/sim/private.h"

#define NOBODY_LEADS_MS 5000

static void reports(void *context, const char *node_name, int64_t number);

static void answer(struct sim *sim, struct process *process, const char *node_name, const char *answered)
{
    bool open = false;
    const struct command *command =
        directives_next(&process->directives, node_name, answered, sim->world->now_ms, &open);
    if (command == NULL)
        return;
    struct agent_orders orders = {
        .id = command->directive.directive_id,
        .deadline_ms = command->directive.deadline_ms,
        .pod_uids = command->directive.pod_uids,
        .pod_uid_count = command->directive.pod_uid_count,
        .ignore_uids = command->directive.ignore_uids,
        .ignore_uid_count = command->directive.ignore_uid_count,
        .ignore_volumes = command->directive.ignore_volumes,
        .ignore_volume_count = command->directive.ignore_volume_count,
    };
    switch (command->directive.kind) {
    case DIRECTIVE_PREPARE_DRAIN: agent_prepare_drain(sim->world, node_name, &orders); break;
    case DIRECTIVE_CANCEL_DRAIN: agent_cancel_drain(sim->world, node_name, orders.id); break;
    case DIRECTIVE_SET_INTERVAL:
        agent_of(sim->world, node_name)->interval_ms = command->directive.interval_ms;
        break;
    }
}

// A report reaches whoever leads now, and is answered.
static void is_heard(void *context, const char *node_name, int64_t number)
{
    (void)number;
    struct sim *sim = context;
    struct process *process = process_by_number(sim, sim_leader(sim));
    if (process == NULL || sim->world->now_ms < process->frozen_ms || !agent_speaks(sim->world, node_name))
        return;
    struct event *event = event_create(EVENT_AGENT_REPORT);
    event->report = agent_report(sim->world, node_name, event->arena);
    char answered[128];
    strncpy(answered, event->report->directive_id, sizeof answered - 1);
    answered[sizeof answered - 1] = 0;
    check_report(sim, process, event->report);
    process_feed(sim, process, event);
    if (process->alive)
        answer(sim, process, node_name, answered);
}

static void reports(void *context, const char *node_name, int64_t number)
{
    (void)number;
    struct sim *sim = context;
    if (api_find(sim->world->api, API_NODE, "", node_name) == NULL)
        return;
    int64_t delay_ms = sim_draw(sim, sim->settings.agent);
    if (agent_speaks(sim->world, node_name) && !random_chance(&sim->random, sim_chances_now(sim).report_lost))
        world_after(sim->world, delay_ms, is_heard, sim, node_name, 0);
    int64_t next_ms = sim_leader(sim) == 0 ? NOBODY_LEADS_MS : agent_interval_ms(sim->world, node_name);
    world_after(sim->world, next_ms + delay_ms, reports, sim, node_name, 0);
}

void sim_agents_start(struct sim *sim)
{
    if (sim->agents_started)
        return;
    sim->agents_started = true;
    for (size_t i = 0; i < api_count(sim->world->api, API_NODE); i++)
        world_after(sim->world, random_between(&sim->random, 500, 5000), reports, sim,
                    api_at(sim->world->api, API_NODE, i)->name, 0);
}

void sim_agents_noticed(struct sim *sim, const struct api_change *change)
{
    if (sim->agents_started && change->kind == API_NODE && change->type == API_ADDED)
        world_after(sim->world, random_between(&sim->random, 500, 5000), reports, sim,
                    json_text(change->now->json, "metadata.name"), 0);
}

void sim_agents_direct(struct sim *sim, struct process *process, const struct command *command)
{
    if (!process->leading || command->term != process->term || sim->world->now_ms >= process->fence_ms)
        return;
    sim->sent[COMMAND_AGENT_DIRECTIVE]++;
    directives_put(&process->directives, command_copy(command));
}

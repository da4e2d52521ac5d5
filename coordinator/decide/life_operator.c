#include "coordinator/decide/life.h"
#include "coordinator/decide/moves.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// What an operator may say: pause, resume, release, approve. The first two are kept on the Lease.

#define SAVE_RETRY_MS    (2 * LIFE_SECOND_MS)
#define RELEASE_RETRY_MS (2 * LIFE_SECOND_MS)
#define SWEEP_EVERY_MS   (60 * LIFE_SECOND_MS)

static void reply(struct core *core, uint64_t request_id, bool ok, const char *code, const char *text)
{
    struct command *command = core_emit(core, COMMAND_OPERATOR_REPLY, 0);
    command->operator_reply.request_id = request_id;
    command->operator_reply.ok = ok;
    command->operator_reply.text = arena_strdup(core->out->arena, text);
    command->operator_reply.code = arena_strdup(core->out->arena, code);
}

static uint64_t decide(struct core *core, const char *summary, const char *reason)
{
    uint64_t id = core_decide(core, DECISION_OPERATOR, "", "", summary, reason)->id;
    core_note(core, NOTE_INFO, id, "operator", "%s%s%s", summary, reason[0] != '\0' ? ": " : "", reason);
    return id;
}

// ---- saying it

static void pause(struct core *core, const char *reason)
{
    core->paused = true;
    snprintf(core->paused_reason, sizeof(core->paused_reason), "%s",
             reason[0] != '\0' ? reason : "by an operator");
    core->life->save_wanted = true;
    decide(core, "pause", core->paused_reason);
}

static void resume(struct core *core, uint64_t request_id)
{
    struct life_shared *shared = core->life;
    const struct config_facts *config = core->cluster->config;
    core->paused = false;
    core->paused_reason[0] = '\0';
    if (core->brakes[BRAKE_PREDECESSOR].on)
        core->accepted = true;
    shared->save_wanted = true;
    shared->release.on = false;
    brakes_resume(core);
    decide(core, "resume", "");
    if (config != NULL && config->paused)
        reply(core, request_id, true, "",
              "resumed; the AutoscalerConfig's annotation " KEY_PAUSED " still holds everything");
    else if (core->config.dry_run)
        reply(core, request_id, true, "", "resumed; --dry-run still keeps it from writing");
    else
        reply(core, request_id, true, "", "resumed");
}

static void begin_release(struct core *core, uint64_t request_id)
{
    struct release *release = &core->life->release;
    pause(core, "released: finalizers, taints and cordons of ours are lifted, machines stay");
    *release = (struct release){.on = true, .request_id = request_id};
    // Drains that were under way leave nothing behind.
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        struct life_private *p = life_private_of(core->cluster->intentions[i]);
        drain_cancel(p);
        if (life_is_removal(p) && p->life->step < LIFE_DELETE_CALL)
            life_step_to(p, p->life->removal == REMOVAL_VOLUNTARY ? LIFE_UNDO : LIFE_CORDON, "`resume`");
    }
}

// What was recommended under this decision: "D42".
static void approve(struct core *core, uint64_t request_id, const char *argument)
{
    uint64_t id = 0;
    const char *digits = argument[0] == 'D' || argument[0] == 'd' ? argument + 1 : argument;
    if (text_parse_u64(digits, strlen(digits), &id, NULL) < 0) {
        reply(core, request_id, false, "not-found",
              "which recommendation? its id is in `actions`, such as D42");
        return;
    }
    char text[400];
    if (!moves_approve(core, id, text, sizeof(text))) {
        reply(core, request_id, false, "not-approved", text);
        return;
    }
    char summary[64];
    snprintf(summary, sizeof(summary), "approve D%" PRIu64, id);
    decide(core, summary, text);
    reply(core, request_id, true, "", text);
}

void life_operator(struct core *core, const struct event *event)
{
    uint64_t request_id = event->operator_request.request_id;
    const char *argument = event->operator_request.argument != NULL ? event->operator_request.argument : "";
    if (!core->leading) {
        char text[320];
        snprintf(text, sizeof(text), "this coordinator does not lead%s%s",
                 core->holder[0] != '\0' ? "; ask " : "", core->holder);
        reply(core, request_id, false, "not-leader", text);
        return;
    }
    switch (event->operator_request.verb) {
    case OPERATOR_PAUSE:
        pause(core, argument);
        reply(core, request_id, true, "",
              core->config.dry_run ? "paused until this coordinator ends (dry run: nothing is written)"
                                   : "paused; it survives restarts, `resume` ends it");
        break;
    case OPERATOR_RESUME: resume(core, request_id); break;
    case OPERATOR_RELEASE:
        if (core->config.dry_run || !core->taken_over)
            reply(core, request_id, false, core->config.dry_run ? "dry-run" : "not-ready",
                  core->config.dry_run ? "it may not write: --dry-run"
                                       : "it is still taking over: try again");
        else
            begin_release(core, request_id);
        break;
    case OPERATOR_APPROVE: approve(core, request_id, argument); break;
    }
}

// ---- keeping it

static void save(struct core *core)
{
    struct life_shared *shared = core->life;
    if (!shared->save_wanted || shared->save_command != 0 || core->config.dry_run)
        return;
    if (core->now_ms < shared->save_retry_ms) {
        core_wake_at(core, shared->save_retry_ms);
        return;
    }
    struct command *command = core_emit(core, COMMAND_KUBE_SAVE_STATE, 0);
    command->key = "state";
    command->save_state.paused = core->paused;
    command->save_state.paused_reason = arena_strdup(core->out->arena, core->paused_reason);
    command->save_state.accepted = core->accepted;
    command->save_state.mass_deletion = shared->mass_deletion;
    shared->save_command = command->id;
    shared->save_wanted = false;
}

// ---- releasing

static void remember(struct release *release, const struct command *command)
{
    if (release->command_count < RELEASE_AT_ONCE)
        release->commands[release->command_count++] = command->id;
}

static bool full(const struct release *release)
{
    return release->command_count >= RELEASE_AT_ONCE;
}

static uint32_t release_intentions(struct core *core, struct release *release)
{
    struct arena *arena = core->out->arena;
    uint32_t left = 0;
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        const struct intention_facts *facts = &core->cluster->intentions[i]->facts;
        if (!facts->has_finalizer)
            continue;
        left++;
        if (full(release))
            continue;
        struct command *command = core_emit(core, COMMAND_KUBE_UPDATE_INTENTION, 0);
        command->key = arena_printf(arena, "vpsienode/%s/%s", facts->space, facts->name);
        command->update_intention.space = arena_strdup(arena, facts->space);
        command->update_intention.name = arena_strdup(arena, facts->name);
        command->update_intention.resource_version = "";
        command->update_intention.finalizer = TRISTATE_FALSE;
        remember(release, command);
    }
    return left;
}

static uint32_t release_groups(struct core *core, struct release *release)
{
    struct arena *arena = core->out->arena;
    uint32_t left = 0;
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        const struct nodegroup_facts *facts = &core->cluster->groups[i]->facts;
        if (!facts->has_finalizer)
            continue;
        left++;
        if (full(release))
            continue;
        struct command *command = core_emit(core, COMMAND_KUBE_GROUP_FINALIZER, 0);
        command->key = arena_printf(arena, "nodegroup/%s/%s", facts->space, facts->name);
        command->group_finalizer.space = arena_strdup(arena, facts->space);
        command->group_finalizer.name = arena_strdup(arena, facts->name);
        command->group_finalizer.present = false;
        remember(release, command);
    }
    return left;
}

static const struct command *uncordon(struct core *core, const struct node *node)
{
    struct arena *arena = core->out->arena;
    struct command *command = core_emit(core, COMMAND_KUBE_UNCORDON, 0);
    command->key = arena_printf(arena, "node/%s", node->name);
    command->cordon.node_name = arena_strdup(arena, node->name);
    command->cordon.reason = "";
    return command;
}

static bool is_ours(const struct node *node)
{
    return labels_get(&node->annotations, KEY_CORDONED_BY) != NULL;
}

static uint32_t release_nodes(struct core *core, struct release *release)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < core->cluster->node_count; i++) {
        const struct node *node = core->cluster->nodes[i];
        if (!is_ours(node))
            continue;
        left++;
        if (!full(release))
            remember(release, uncordon(core, node));
    }
    return left;
}

static void advance_release(struct core *core)
{
    struct release *release = &core->life->release;
    if (!release->on || release->command_count > 0)
        return;
    if (core->now_ms < release->next_ms) {
        core_wake_at(core, release->next_ms);
        return;
    }
    uint32_t left =
        release_intentions(core, release) + release_groups(core, release) + release_nodes(core, release);
    release->next_ms = core->now_ms + RELEASE_RETRY_MS; // for the watch to show it
    core_wake_at(core, release->next_ms);
    if (left > 0)
        return;
    release->on = false;
    char text[120];
    snprintf(text, sizeof(text), "released: %" PRIu32 " marks lifted; machines stay; paused until `resume`",
             release->released);
    reply(core, release->request_id, true, "", text);
}

void operator_advance(struct core *core)
{
    save(core);
    advance_release(core);
}

bool operator_outcome(struct core *core, const struct event *event)
{
    struct life_shared *shared = core->life;
    struct release *release = &shared->release;
    bool well = event->outcome.outcome == OUTCOME_OK || event->outcome.outcome == OUTCOME_NOT_FOUND;
    if (shared->save_command == event->outcome.command_id) {
        shared->save_command = 0;
        if (well)
            return true;
        shared->save_wanted = true;
        shared->save_retry_ms = core->now_ms + SAVE_RETRY_MS;
        return true;
    }
    for (uint32_t i = 0; i < release->command_count; i++) {
        if (release->commands[i] != event->outcome.command_id)
            continue;
        release->commands[i] = release->commands[--release->command_count];
        release->released += well;
        return true;
    }
    for (uint32_t i = 0; i < shared->sweep_count; i++) {
        if (shared->sweeps[i] != event->outcome.command_id)
            continue;
        shared->sweeps[i] = shared->sweeps[--shared->sweep_count];
        return true;
    }
    return false;
}

// ---- cordons without a reason

// Ours, and nothing of ours is going on there: its VPSieNode was taken away in the middle of a drain.
static bool stray(const struct node *node)
{
    if (!is_ours(node))
        return false;
    const struct life *life = node->intention != NULL ? node->intention->decide : NULL;
    return life == NULL || life->step == LIFE_READY || life->step == LIFE_JOIN;
}

void operator_uncordon_strays(struct core *core)
{
    struct life_shared *shared = core->life;
    if (core->now_ms < shared->sweep_next_ms)
        return;
    shared->sweep_next_ms = core->now_ms + SWEEP_EVERY_MS;
    bool found = false;
    for (uint32_t i = 0; i < core->cluster->node_count; i++) {
        const struct node *node = core->cluster->nodes[i];
        if (!stray(node) || shared->sweep_count == SWEEPS_AT_ONCE)
            continue;
        found = true;
        if (node->intention != NULL && node->intention->decide != NULL &&
            core->now_ms < ((const struct life *)node->intention->decide)->step_since_ms + SWEEP_EVERY_MS)
            continue; // the watch may be behind our own uncordon
        shared->sweeps[shared->sweep_count++] = uncordon(core, node)->id;
        core_note(core, NOTE_WARN, 0, arena_printf(core->out->arena, "node %s", node->name),
                  "a cordon of ours without a removal: lifted");
    }
    if (found)
        core_wake_at(core, shared->sweep_next_ms);
}

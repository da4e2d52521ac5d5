#include "coordinator/decide/state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// What the core says of itself: decisions, notes, Kubernetes events.

#define SUBJECT_BYTES_MAX 320

static void decision_free(struct decision *decision)
{
    if (decision == NULL)
        return;
    free((char *)(uintptr_t)decision->group);
    free((char *)(uintptr_t)decision->node);
    free(decision->summary);
    free(decision->reason);
    for (uint32_t i = 0; i < decision->leaving_count; i++)
        free(decision->leaving[i]);
    free(decision->leaving);
    for (uint32_t i = 0; i < decision->option_count; i++) {
        free((char *)(uintptr_t)decision->options[i].group);
        free((char *)(uintptr_t)decision->options[i].size);
        free((char *)(uintptr_t)decision->options[i].why);
    }
    free(decision->options);
    free(decision);
}

void record_free(struct core *core)
{
    for (uint32_t i = 0; i < DECISIONS_KEPT; i++) {
        decision_free(core->decisions[i]);
        core->decisions[i] = NULL;
    }
}

void record_begin_term(struct core *core)
{
    uint64_t before = core->term > 0 ? (core->term - 1) * DECISIONS_PER_TERM : 0;
    if (core->last_decision_id < before)
        core->last_decision_id = before;
}

// What keeps a decision of this kind from being done now. A pause and a brake are themselves never withheld.
static const char *withheld_by(const struct core *core, enum decision_kind kind)
{
    if (kind == DECISION_HOLD || kind == DECISION_OPERATOR || core_may_write(core))
        return "";
    if (core->config.dry_run)
        return "dry run";
    if (!core->leading || !core->taken_over || !core->synced)
        return "not leading yet";
    return core_paused(core, NULL) ? "paused" : "waits for resume";
}

struct decision *core_decide(struct core *core, enum decision_kind kind, const char *group, const char *node,
                             const char *summary, const char *reason)
{
    struct decision *decision = xcalloc(1, sizeof(*decision));
    decision->id = ++core->last_decision_id;
    decision->at_ms = core->now_ms;
    decision->kind = kind;
    decision->withheld = withheld_by(core, kind);
    decision->group = xstrdup(group != NULL ? group : "");
    decision->node = xstrdup(node != NULL ? node : "");
    decision->summary = xstrdup(summary);
    decision->reason = xstrdup(reason);
    struct decision **place = &core->decisions[core->decision_count++ % DECISIONS_KEPT];
    decision_free(*place);
    *place = decision;
    core->last_decided_ms = core->now_ms;
    return decision;
}

void core_decision_brings(struct decision *decision, uint32_t machines, int64_t size_id)
{
    decision->machines += machines;
    decision->size_id = size_id;
}

void core_decision_option(struct decision *decision, const struct decision_option *option)
{
    if (decision->option_count == DECISION_OPTIONS_MAX)
        return;
    if (decision->options == NULL)
        decision->options = xcalloc(DECISION_OPTIONS_MAX, sizeof(*decision->options));
    struct decision_option *kept = &decision->options[decision->option_count++];
    *kept = *option;
    kept->group = xstrdup(option->group);
    kept->size = xstrdup(option->size);
    kept->why = xstrdup(option->why);
}

void core_decision_takes(struct decision *decision, const struct node *node)
{
    uint32_t count = decision->leaving_count;
    if ((count & (count - 1)) == 0) // room for a power of two
        decision->leaving =
            xrealloc_array(decision->leaving, count == 0 ? 1 : (size_t)count * 2, sizeof(char *));
    decision->leaving[decision->leaving_count++] = xstrdup(node->name);
}

const struct decision *core_decision(const struct core *core, uint64_t id)
{
    for (uint32_t i = 0; i < DECISIONS_KEPT; i++)
        if (core->decisions[i] != NULL && core->decisions[i]->id == id)
            return core->decisions[i];
    return NULL;
}

const struct decision *core_decision_made(const struct core *core, uint64_t n)
{
    bool kept = n < core->decision_count && core->decision_count - n <= DECISIONS_KEPT;
    return kept ? core->decisions[n % DECISIONS_KEPT] : NULL;
}

void core_note(struct core *core, enum note_level level, uint64_t decision_id, const char *subject,
               const char *format, ...)
{
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&text, format, arguments);
    va_end(arguments);
    struct command *command = core_emit(core, COMMAND_NOTE, decision_id);
    command->note.level = level;
    command->note.subject = arena_strdup(core->out->arena, subject);
    command->note.text = arena_strdup(core->out->arena, text_get(&text));
    text_free(&text);
}

// May something be said on objects? Not in a dry run; a brake on everything else is itself worth saying.
static bool may_tell(const struct core *core)
{
    return core->leading && core->taken_over && !core->config.dry_run && !core->brakes[BRAKE_PREDECESSOR].on;
}

struct about {
    enum object_kind_for_event regarding;
    const char *space, *name, *uid;
    uint64_t decision_id;
    bool warning;
    const char *reason;
};

static void tell(struct core *core, const struct about *about, const char *format, va_list arguments)
{
    if (!may_tell(core))
        return;
    struct text text = {0};
    text_vprintf(&text, format, arguments);
    struct arena *arena = core->out->arena;
    struct command *command = core_emit(core, COMMAND_KUBE_EVENT, about->decision_id);
    command->key = "events";
    command->event.regarding = about->regarding;
    command->event.space = arena_strdup(arena, about->space);
    command->event.name = arena_strdup(arena, about->name);
    command->event.uid = arena_strdup(arena, about->uid);
    command->event.warning = about->warning;
    command->event.reason = arena_strdup(arena, about->reason);
    command->event.action = command->event.reason;
    command->event.message = arena_strdup(arena, text_get(&text));
    text_free(&text);
}

void core_event_group(struct core *core, const struct group *group, uint64_t decision_id, bool warning,
                      const char *reason, const char *format, ...)
{
    const struct nodegroup_facts *facts = &group->facts;
    struct about about = {REGARDING_NODEGROUP, facts->space, facts->name, facts->uid,
                          decision_id,         warning,      reason};
    va_list arguments;
    va_start(arguments, format);
    tell(core, &about, format, arguments);
    va_end(arguments);
}

void core_event_node(struct core *core, const struct node *node, uint64_t decision_id, bool warning,
                     const char *reason, const char *format, ...)
{
    struct about about = {REGARDING_NODE, "", node->name, node->uid, decision_id, warning, reason};
    va_list arguments;
    va_start(arguments, format);
    tell(core, &about, format, arguments);
    va_end(arguments);
}

void core_event_pod(struct core *core, const struct pod *pod, uint64_t decision_id, bool warning,
                    const char *reason, const char *format, ...)
{
    struct about about = {REGARDING_POD, pod->space, pod->name, pod->uid, decision_id, warning, reason};
    va_list arguments;
    va_start(arguments, format);
    tell(core, &about, format, arguments);
    va_end(arguments);
}

void core_event_intention(struct core *core, const struct intention *intention, uint64_t decision_id,
                          bool warning, const char *reason, const char *format, ...)
{
    const struct intention_facts *facts = &intention->facts;
    struct about about = {REGARDING_INTENTION, facts->space, facts->name, facts->uid,
                          decision_id,         warning,      reason};
    va_list arguments;
    va_start(arguments, format);
    tell(core, &about, format, arguments);
    va_end(arguments);
}

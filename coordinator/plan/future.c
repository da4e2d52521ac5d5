#include "coordinator/plan/future.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/foresee.h"
#include "coordinator/kube/json.h"
#include "coordinator/kube/kinds.h"
#include "coordinator/plan/future_parts.h"

// The scheduler's own time: pods that would fit somewhere do not wait for ever.
#define SETTLE_EVERY_MS 60000
#define FOREVER_MS      ((int64_t)400 * 24 * 3600 * 1000)

// ---- steps

static bool is_read(enum command_kind kind)
{
    return kind == COMMAND_VPSIE_LIST_MACHINES || kind == COMMAND_VPSIE_LIST_GROUPS ||
           kind == COMMAND_VPSIE_LIST_OFFERS || kind == COMMAND_KUBE_LIST_FRESH;
}

static void one_step(struct future *future, struct event *event)
{
    event->now_ms = future->now_ms;
    core_step(future->core, event, future->out);
}

static void answer(struct future *future, const struct command *command)
{
    struct event *event = event_create(EVENT_OUTCOME);
    event->outcome.command_id = command->id;
    event->outcome.outcome = OUTCOME_OK;
    event->outcome.detail = event->outcome.uid = event->outcome.resource_version = "";
    event->outcome.fresh.predecessor_webhook_names = "";
    event->outcome.fresh.saved = (struct saved_state){.paused = future->core->paused, .paused_reason = ""};
    if (command->kind != COMMAND_KUBE_LIST_FRESH)
        cloud_answer(&future->picture, command, event);
    one_step(future, event);
    event_destroy(event);
}

void future_step(struct future *future, struct event *event)
{
    one_step(future, event);
    while (future->looked_at < future->out->count) {
        const struct command *command = future->out->items[future->looked_at++];
        if (is_read(command->kind))
            answer(future, command);
    }
    commands_clear(future->out);
    future->looked_at = 0;
}

static void timer(struct future *future)
{
    struct event *event = event_create(EVENT_TIMER);
    future_step(future, event);
    event_destroy(event);
}

// ---- the beginning

static int by_uid(const void *left, const void *right)
{
    return strcmp(((const struct pod_facts_of *)left)->uid, ((const struct pod_facts_of *)right)->uid);
}

static const struct kind *kind_of(const cJSON *object)
{
    for (int i = 0; i < OBJECT_KIND_COUNT; i++)
        if (strcmp(kinds[i].name, json_text(object, "kind")) == 0)
            return &kinds[i];
    return NULL;
}

// All facts stay in one arena: pods are told again when they move.
static void take_object(struct future *future, struct event *event, const cJSON *object)
{
    const struct kind *kind = kind_of(object);
    struct error error = {0};
    assert(kind != NULL);
    event->object.kind = kind->object;
    if (kind->fill(object, event, &error) < 0) {
        if (future->refused++ == 0)
            snprintf(future->refused_why, sizeof(future->refused_why), "%s: %s", kind->name, error.text);
        return;
    }
    if (kind->object == OBJECT_NODEGROUP && *json_text(object, "invalid") != '\0')
        event->object.group->invalid = json_copy(future->arena, object, "invalid");
    if (kind->object == OBJECT_POD)
        future->pods[future->pod_count++] =
            (struct pod_facts_of){.uid = event->object.pod->uid, .facts = event->object.pod};
    future_step(future, event);
}

static void take_objects(struct future *future)
{
    const struct source *source = future->source;
    future->pods = xcalloc((size_t)source->object_count + 1, sizeof(*future->pods));
    struct event event = {.kind = EVENT_OBJECT, .arena = future->arena};
    for (uint32_t i = 0; i < source->object_count; i++)
        take_object(future, &event, source->objects[i]);
    qsort(future->pods, future->pod_count, sizeof(*future->pods), by_uid);
}

static void lead(struct future *future)
{
    struct event *synced = event_create(EVENT_KUBE_SYNCED);
    future_step(future, synced);
    event_destroy(synced);
    struct event *usable = event_create(EVENT_VPSIE_STATE);
    usable->vpsie_state.usable = true;
    usable->vpsie_state.detail = "";
    future_step(future, usable);
    event_destroy(usable);
    struct event *event = event_create(EVENT_LEADER);
    event->leader.leading = true;
    event->leader.term = 1;
    event->leader.identity = event->leader.holder = "plan";
    event->leader.saved.paused_reason = "";
    future_step(future, event);
    event_destroy(event);
}

struct future *future_create(const struct source *source, const struct core_config *config,
                             const cJSON *offers)
{
    struct future *future = xcalloc(1, sizeof(*future));
    struct core_config own = *config;
    own.dry_run = true;
    own.wait_for_resume = false;
    own.allow_predecessor = true;     // what would be done once it is taken over
    own.agent_silent_ms = FOREVER_MS; // what an agent said last holds for the whole plan
    future->arena = arena_create(1 << 20);
    future->core = core_create(&own);
    future->out = commands_create();
    future->source = source;
    future->now_ms = future->begin_ms = future->settled_ms = source->at_ms;
    future->picture =
        (struct cloud_picture){.vpsie = source->vpsie, .offers = offers, .cluster = future->core->cluster};
    take_objects(future);
    future_reports(future);
    lead(future);
    for (uint32_t i = 0; i < source->window_count; i++)
        foresee_window(future->core, source->windows[i].node, source->windows[i].underused_since_ms);
    return future;
}

void future_destroy(struct future *future)
{
    if (future == NULL)
        return;
    core_destroy(future->core);
    commands_destroy(future->out);
    free(future->pods);
    free(future->seen);
    arena_destroy(future->arena);
    free(future);
}

// ---- going on

static struct foreseen *remember(struct future *future, const struct decision *decision)
{
    if (future->seen_count == future->seen_capacity) {
        future->seen_capacity = future->seen_capacity * 2 + 16;
        future->seen = xrealloc_array(future->seen, future->seen_capacity, sizeof(*future->seen));
    }
    struct foreseen *seen = &future->seen[future->seen_count++];
    const char **leaving = ARENA_ARRAY(future->arena, const char *, decision->leaving_count + 1);
    for (uint32_t i = 0; i < decision->leaving_count; i++)
        leaving[i] = arena_strdup(future->arena, decision->leaving[i]);
    *seen = (struct foreseen){.at_ms = decision->at_ms,
                              .id = decision->id,
                              .kind = foresee_kind(decision),
                              .group = arena_strdup(future->arena, decision->group),
                              .summary = arena_strdup(future->arena, decision->summary),
                              .reason = arena_strdup(future->arena, decision->reason),
                              .creation_reason = foresee_creation_reason(decision),
                              .recommended = decision->recommended,
                              .machines = decision->machines,
                              .size_id = decision->size_id,
                              .leaving = leaving,
                              .leaving_count = decision->leaving_count};
    return seen;
}

// A decision can cause the next: until nothing new is decided at this moment.
static void carry_out_all(struct future *future)
{
    while (future->decisions_seen < future->core->decision_count &&
           future->decisions_seen < FUTURE_DECISIONS_MAX) {
        const struct decision *decision = core_decision_made(future->core, future->decisions_seen++);
        if (decision == NULL)
            continue;
        struct foreseen *seen = remember(future, decision);
        uint32_t index = (uint32_t)(seen - future->seen);
        if (!seen->recommended && (decision->machines > 0 || decision->leaving_count > 0)) {
            foresee_done(future->core, decision);
            uint32_t placed = future_carry_out(future, &future->seen[index]);
            future->seen[index].pods_placed = placed;
        }
        future->seen[index].price_hour_after = foresee_price_hour(future->core);
    }
}

void future_live(struct future *future, int64_t until_ms)
{
    timer(future);
    carry_out_all(future);
    while (future->now_ms < until_ms && future->decisions_seen < FUTURE_DECISIONS_MAX) {
        int64_t wake_ms = core_next_wake_ms(future->core);
        if (wake_ms > until_ms)
            wake_ms = until_ms;
        future->now_ms = wake_ms > future->now_ms ? wake_ms : future->now_ms + 1;
        timer(future);
        carry_out_all(future);
        if (future->now_ms - future->settled_ms >= SETTLE_EVERY_MS) {
            future->settled_ms = future->now_ms;
            future_settle(future);
        }
    }
}

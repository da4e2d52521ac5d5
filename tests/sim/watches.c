// What the Kubernetes door would hear: a list of every kind at the start, then the changes, kind by kind in
// order, each kind at its own pace.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/sim/private.h"

#define STALL_MS_MAX 30000

enum api_kind facts_kind(enum object_kind kind)
{
    static const enum api_kind kinds[OBJECT_KIND_COUNT] = {
        [OBJECT_NODE] = API_NODE,
        [OBJECT_POD] = API_POD,
        [OBJECT_BUDGET] = API_BUDGET,
        [OBJECT_DAEMONSET] = API_DAEMONSET,
        [OBJECT_VOLUME_ATTACHMENT] = API_ATTACHMENT,
        [OBJECT_NAMESPACE] = API_NAMESPACE,
        [OBJECT_CLAIM] = API_CLAIM,
        [OBJECT_VOLUME] = API_VOLUME,
        [OBJECT_STORAGE_CLASS] = API_STORAGE_CLASS,
        [OBJECT_CSI_NODE] = API_CSI_NODE,
        [OBJECT_NODEGROUP] = API_NODEGROUP,
        [OBJECT_INTENTION] = API_VPSIENODE,
        [OBJECT_CONFIG] = API_CONFIG,
    };
    return kinds[kind];
}

static void tell_object(struct sim *sim, struct process *process, enum object_kind kind, const cJSON *json)
{
    struct event *event = event_create(EVENT_OBJECT);
    if (kind == OBJECT_CONFIG && strcmp(json_text(json, "metadata.name"), "default") != 0) {
        event_destroy(event);
        return;
    }
    if (!facts_object(kind, json, event)) {
        sim_break(sim, "the door cannot read %s %s", object_kind_name(kind),
                  json_text(json, "metadata.name"));
        event_destroy(event);
        return;
    }
    process_feed(sim, process, event);
}

static void tell_gone(struct sim *sim, struct process *process, enum object_kind kind, const cJSON *json)
{
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = kind;
    event->gone.space = arena_strdup(event->arena, json_text(json, "metadata.namespace"));
    event->gone.name = arena_strdup(event->arena, json_text(json, "metadata.name"));
    event->gone.uid = arena_strdup(event->arena, json_text(json, "metadata.uid"));
    process_feed(sim, process, event);
}

// Is there a later change of the same object up to `version`?
static bool overtaken(struct sim *sim, const struct api_change *change, int64_t version)
{
    const char *uid = json_text(change->now->json, "metadata.uid");
    const struct api_change *later = api_change_after(sim->world->api, change->version);
    for (; later != NULL && later->version <= version;
         later = api_change_after(sim->world->api, later->version)) {
        if (later->kind == change->kind && strcmp(json_text(later->now->json, "metadata.uid"), uid) == 0)
            return true;
    }
    return false;
}

// Tells what has happened to a kind up to a version. `collapse`: as a door does it that had to list again:
// only what came of it.
static void tell_changes(struct sim *sim, struct process *process, enum object_kind kind, int64_t version,
                         bool collapse)
{
    int64_t from = process->cursors[kind];
    assert(from >= api_compacted_version(sim->world->api));
    for (const struct api_change *change = api_change_after(sim->world->api, from);
         change != NULL && change->version <= version;
         change = api_change_after(sim->world->api, change->version)) {
        if (change->kind != facts_kind(kind) || (collapse && overtaken(sim, change, version)))
            continue;
        struct document *document = change->now;
        enum api_change_type type = change->type;
        int64_t at = change->version;
        document_hold(document);
        process->cursors[kind] = at;
        if (type == API_DELETED)
            tell_gone(sim, process, kind, document->json);
        else
            tell_object(sim, process, kind, document->json);
        document_release(document);
        if (!process->alive || sim->broken[0] != 0)
            return;
    }
    if (process->cursors[kind] < version)
        process->cursors[kind] = version;
}

// ------------------------------------------------------------------------------------------- the watch

static void hears(void *context, const char *subject, int64_t number)
{
    struct sim *sim = context;
    struct process *process = process_by_number(sim, (unsigned)(number / OBJECT_KIND_COUNT));
    enum object_kind kind = (enum object_kind)(number % OBJECT_KIND_COUNT);
    int64_t version = strtoll(subject, NULL, 10);
    if (!process->alive || process->cursors[kind] >= version ||
        process_sleeps(sim, process, hears, subject, number))
        return;
    if (sim->kube_cut || sim->world->now_ms < sim->held_until_ms[kind]) {
        world_after(sim->world, 1000, hears, sim, subject, number);
        return;
    }
    bool collapse = random_chance(&sim->random, sim_chances_now(sim).watch_collapses);
    tell_changes(sim, process, kind, version, collapse);
}

void watches_noticed(void *context, const struct api_change *change)
{
    struct sim *sim = context;
    char version[24];
    snprintf(version, sizeof version, "%lld", (long long)change->version);
    for (unsigned kind = 0; kind < OBJECT_KIND_COUNT; kind++) {
        if (facts_kind((enum object_kind)kind) != change->kind)
            continue;
        for (unsigned i = 0; i < sim->process_count; i++) {
            const struct process *process = &sim->processes[i];
            if (!process->alive || process->cursors[kind] < 0)
                continue;
            int64_t delay_ms = sim_draw(sim, sim->settings.watch);
            if (random_chance(&sim->random, sim_chances_now(sim).watch_stalls))
                delay_ms = random_between(&sim->random, 1000, STALL_MS_MAX);
            world_after(sim->world, delay_ms, hears, sim, version,
                        (int64_t)(process->number * OBJECT_KIND_COUNT + kind));
        }
    }
}

void sim_hold_watch(struct sim *sim, enum object_kind kind, int64_t ms)
{
    sim->held_until_ms[kind] = sim->world->now_ms + ms;
}

// ------------------------------------------------------------------------------------ lists at the start

static void lists(void *context, const char *subject, int64_t number)
{
    struct sim *sim = context;
    struct process *process = process_by_number(sim, (unsigned)(number / OBJECT_KIND_COUNT));
    enum object_kind kind = (enum object_kind)(number % OBJECT_KIND_COUNT);
    if (!process->alive || process_sleeps(sim, process, lists, subject, number))
        return;
    if (sim->kube_cut) {
        world_after(sim->world, 1000, lists, sim, subject, number);
        return;
    }
    AUTOLIST struct api_list objects = api_snapshot(sim->world->api, facts_kind(kind), NULL);
    process->cursors[kind] = api_version(sim->world->api);
    for (size_t i = 0; i < objects.count && process->alive; i++)
        tell_object(sim, process, kind, objects.items[i].document->json);
    for (unsigned k = 0; k < OBJECT_KIND_COUNT; k++) {
        if (process->cursors[k] < 0)
            return;
    }
    process->synced = true;
    process_feed(sim, process, event_create(EVENT_KUBE_SYNCED));
}

void watches_start(struct sim *sim, struct process *process)
{
    for (unsigned kind = 0; kind < OBJECT_KIND_COUNT; kind++)
        world_after(sim->world, random_between(&sim->random, 10, 400), lists, sim, "",
                    (int64_t)(process->number * OBJECT_KIND_COUNT + kind));
}

// ----------------------------------------------------------------------------------- the consistent list

void watches_list_fresh(struct sim *sim, struct process *process, struct event *outcome)
{
    static const enum object_kind kinds[] = {OBJECT_INTENTION, OBJECT_NODEGROUP, OBJECT_NODE};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0] && process->alive; k++) {
        int64_t seen = process->cursors[kinds[k]], version = api_version(sim->world->api);
        if (seen >= 0) {
            tell_changes(sim, process, kinds[k], version, true);
        }
        AUTOLIST struct api_list objects = api_snapshot(sim->world->api, facts_kind(kinds[k]), NULL);
        for (size_t i = 0; i < objects.count && process->alive; i++)
            tell_object(sim, process, kinds[k], objects.items[i].document->json);
    }
    outcome->outcome.fresh.saved = sim->saved;
    outcome->outcome.fresh.saved.paused_reason = arena_strdup(outcome->arena, sim->saved.paused_reason);
    AUTOTEXT struct text names = {0};
    for (size_t i = 0; i < api_count(sim->world->api, API_VALIDATING_WEBHOOK); i++)
        text_printf(&names, "%s%s", names.length > 0 ? ", " : "",
                    api_at(sim->world->api, API_VALIDATING_WEBHOOK, i)->name);
    outcome->outcome.fresh.predecessor_webhooks = names.length > 0;
    outcome->outcome.fresh.predecessor_webhook_names = arena_strdup(outcome->arena, text_get(&names));
}

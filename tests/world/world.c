#include "tests/world/world.h"

#include <assert.h>
#include <stdlib.h>

#include "common/arena.h"
#include "tests/world/agents.h"
#include "tests/world/cloud_private.h"
#include "tests/world/parts.h"

struct world_settings world_settings_default(uint64_t seed)
{
    return (struct world_settings){
        .seed = seed,
        .start_ms = WORLD_START_MS,
        .appear = {5000, 40000},
        .count = {1000, 30000},
        .boot = {45000, 120000},
        .vanish = {3000, 30000},
        .uncount = {1000, 40000},
        .add_answer = ADD_ANSWERS_TRUE,
        .other_case_percent = 30,
        .lifetime = {300000, 3600000},
        .quota_text = "Your request exceeds the allowed limit of nodes",
        .pull = {1000, 8000},
        .stop = {500, 5000},
        .ready = {3000, 15000},
        .cni_taint = "",
        .cni = {1000, 5000},
        .detach = {2000, 15000},
        .scheduler = {5, 60},
        .controllers = {20, 300},
        .node_grace_ms = 40000,
        .pod_gc_ms = 20000,
        .status_every_ms = 300000,
    };
}

static void scheduler_wakes(void *context, const char *subject, int64_t number)
{
    (void)subject;
    (void)number;
    struct world *world = context;
    world->scheduler_due = false;
    scheduler_run(world);
}

static void controllers_wake(void *context, const char *subject, int64_t number)
{
    (void)subject;
    (void)number;
    struct world *world = context;
    world->controllers_due = false;
    node_lifecycle_run(world);
    workloads_run(world);
    storage_run(world);
    budgets_run(world);
}

static bool matters(enum api_kind kind)
{
    return kind != API_LEASE && kind != API_EVENT && kind != API_SECRET && kind != API_CONFIG &&
           kind != API_CONFIGMAP;
}

// Everything that changes wakes those who may have to do something about it, a little later.
static void noticed(void *context, const struct api_change *change)
{
    struct world *world = context;
    kubelet_noticed(world, change);
    node_lifecycle_noticed(world, change);
    if (!matters(change->kind))
        return;
    bool scheduling = change->kind == API_POD || change->kind == API_NODE || change->kind == API_CLAIM ||
                      change->kind == API_VOLUME || change->kind == API_CSI_NODE ||
                      change->kind == API_STORAGE_CLASS;
    if (scheduling && !world->scheduler_due) {
        world->scheduler_due = true;
        world_after(world, world_draw(world, world->settings.scheduler), scheduler_wakes, world, "", 0);
    }
    if (!world->controllers_due) {
        world->controllers_due = true;
        world_after(world, world_draw(world, world->settings.controllers), controllers_wake, world, "", 0);
    }
}

struct world *world_create(const struct world_settings *settings)
{
    struct world *world = xcalloc(1, sizeof *world);
    world->settings = *settings;
    world->now_ms = settings->start_ms;
    random_seed(&world->random, settings->seed);
    world->api = api_create_store(&world->now_ms, &world->random);
    world->cloud = cloud_create();
    world->agents = agents_create();
    api_listen(world->api, noticed, world);
    return world;
}

void world_destroy(struct world *world)
{
    if (world == NULL)
        return;
    timers_free(&world->timers);
    api_destroy(world->api);
    cloud_destroy(world->cloud);
    agents_destroy(world->agents);
    free(world);
}

int64_t world_next_ms(const struct world *world)
{
    return timers_next_ms(&world->timers);
}

bool world_step(struct world *world)
{
    if (world_next_ms(world) == TIMERS_NEVER)
        return false;
    struct timer timer = timers_pop(&world->timers);
    assert(timer.at_ms >= world->now_ms);
    world->now_ms = timer.at_ms;
    timer.function(timer.context, timer.subject, timer.number);
    free(timer.subject);
    return true;
}

void world_advance(struct world *world, int64_t to_ms)
{
    while (world_next_ms(world) <= to_ms)
        world_step(world);
    if (to_ms > world->now_ms)
        world->now_ms = to_ms;
}

void world_after(struct world *world, int64_t delay_ms, timer_function function, void *context,
                 const char *subject, int64_t number)
{
    assert(delay_ms >= 0);
    timers_add(&world->timers, world->now_ms + delay_ms, function, context, subject, number);
}

int64_t world_draw(struct world *world, struct span span)
{
    return random_between(&world->random, span.low_ms, span.high_ms);
}

void world_schedule(struct world *world)
{
    scheduler_run(world);
}

#include "tests/sim/sim.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/sim/private.h"

struct sim_settings sim_settings_default(uint64_t seed)
{
    struct sim_settings settings = {
        .seed = seed,
        .world = world_settings_default(seed),
        .core = core_config_default(),
        .watch = {5, 80},
        .kube = {2, 20},
        .vpsie = {40, 600},
        .agent = {2, 30},
        .restart = {2000, 8000},
        .lease_ms = 15000,
        .renew_ms = 10000,
        .retry_ms = 2000,
    };
    settings.core.seed = seed;
    return settings;
}

static void noticed(void *context, const struct api_change *change)
{
    watches_noticed(context, change);
    sim_agents_noticed(context, change);
    check_noticed(context, change);
}

struct sim *sim_create(const struct sim_settings *settings)
{
    struct sim *sim = xcalloc(1, sizeof *sim);
    sim->settings = *settings;
    sim->settings.world.seed = settings->seed;
    random_seed(&sim->random, settings->seed * 31 + 7);
    sim->trace_all = getenv("SIM_TRACE") != NULL;
    sim->hash = 14695981039346656037u;
    sim->world = world_create(&sim->settings.world);
    api_listen(sim->world->api, noticed, sim);
    cloud_add_cluster(sim->world, SIM_CLUSTER, "one", SIM_DATACENTER);
    cloud_add_size(sim->world, SIM_SIZE, "medium", SIM_DATACENTER, 4, 8192, 80, 20.0);
    cloud_add_size(sim->world, SIM_SIZE_LARGE, "large", SIM_DATACENTER, 8, 16384, 160, 40.0);
    cloud_add_present(sim->world, SIM_CLUSTER, "master-1", 0, 0, true);
    return sim;
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

void sim_destroy(struct sim *sim)
{
    if (sim == NULL)
        return;
    for (unsigned i = 0; i < sim->process_count; i++)
        process_end(sim, &sim->processes[i]);
    while (sim->orphans != NULL) {
        struct call *next = sim->orphans->next;
        call_free(sim->orphans);
        sim->orphans = next;
    }
    world_destroy(sim->world);
    for (size_t i = 0; i < sim->order_count; i++)
        free(sim->orders[i].intention);
    for (size_t i = 0; i < sim->recovery_count; i++)
        free(sim->recoveries[i].node_name);
    free(sim->recoveries);
    free(sim->orders);
    free(sim->drains);
    free_texts(sim->cordons, sim->cordon_count);
    free_texts(sim->said, sim->said_count);
    for (size_t i = 0; i < SIM_TRACE_LINES; i++)
        free(sim->trace[i]);
    free((void *)(uintptr_t)sim->saved.paused_reason);
    free(sim->reply);
    free(sim);
}

struct world *sim_world(struct sim *sim)
{
    return sim->world;
}

// ----------------------------------------------------------------------------------------------- time

void sim_run(struct sim *sim, int64_t ms)
{
    int64_t to_ms = sim->world->now_ms + ms;
    while (sim->broken[0] == 0 && world_next_ms(sim->world) <= to_ms) {
        world_step(sim->world);
        check_world(sim);
    }
    if (sim->broken[0] == 0)
        world_advance(sim->world, to_ms);
}

bool sim_run_until(struct sim *sim, sim_condition condition, void *context, int64_t limit_ms)
{
    int64_t to_ms = sim->world->now_ms + limit_ms;
    while (sim->broken[0] == 0 && !condition(sim, context)) {
        if (world_next_ms(sim->world) > to_ms)
            return false;
        world_step(sim->world);
        check_world(sim);
    }
    return sim->broken[0] == 0;
}

int64_t sim_draw(struct sim *sim, struct span span)
{
    return random_between(&sim->random, span.low_ms, span.high_ms);
}

// ------------------------------------------------------------------------------------------- the trace

void sim_trace(struct sim *sim, const char *format, ...)
{
    AUTOTEXT struct text line = {0};
    int64_t since_ms = sim->world->now_ms - sim->settings.world.start_ms;
    text_printf(&line, "%5lld.%03lld ", (long long)(since_ms / 1000), (long long)(since_ms % 1000));
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&line, format, arguments);
    va_end(arguments);
    if (sim->trace_all)
        fprintf(stderr, "%s\n", text_get(&line));
    size_t place = sim->trace_count++ % SIM_TRACE_LINES;
    free(sim->trace[place]);
    sim->trace[place] = text_take(&line);
}

void sim_break(struct sim *sim, const char *format, ...)
{
    if (sim->broken[0] != 0)
        return;
    int64_t since_ms = sim->world->now_ms - sim->settings.world.start_ms;
    int length = snprintf(sim->broken, sizeof sim->broken, "at %lld.%03lld s: ", (long long)(since_ms / 1000),
                          (long long)(since_ms % 1000));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sim->broken + length, sizeof sim->broken - (size_t)length, format, arguments);
    va_end(arguments);
    sim_trace(sim, "BROKEN %s", sim->broken);
}

const char *sim_broken(const struct sim *sim)
{
    return sim->broken;
}

void sim_print(const struct sim *sim)
{
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)sim->settings.seed,
            sim->broken[0] != 0 ? sim->broken : "no rule broken");
    uint64_t first = sim->trace_count > SIM_TRACE_LINES ? sim->trace_count - SIM_TRACE_LINES : 0;
    const char *tail = getenv("SIM_TAIL");
    uint64_t wanted = tail != NULL ? strtoull(tail, NULL, 10) : 120;
    if (sim->trace_count - first > wanted)
        first = sim->trace_count - wanted;
    for (uint64_t i = first; i < sim->trace_count; i++)
        fprintf(stderr, "  %.600s\n", sim->trace[i % SIM_TRACE_LINES]);
}

// Words for people, each kept once.
void sim_say(struct sim *sim, const char *words)
{
    if (text_contains_fold(words, "surplus"))
        sim->surplus_said_ms = sim->world->now_ms;
    for (size_t i = sim->said_count; i-- > 0;) {
        if (strcmp(sim->said[i], words) == 0)
            return;
    }
    sim->said = xrealloc_array(sim->said, sim->said_count + 1, sizeof(char *));
    sim->said[sim->said_count++] = xstrdup(words);
}

bool sim_said(const struct sim *sim, const char *words)
{
    for (size_t i = 0; i < sim->said_count; i++) {
        if (text_contains_fold(sim->said[i], words))
            return true;
    }
    return false;
}

const char *sim_reply(const struct sim *sim)
{
    return sim->reply == NULL ? "" : sim->reply;
}

uint64_t sim_effects(const struct sim *sim, enum command_kind kind)
{
    return sim->effects[kind];
}

uint64_t sim_sent(const struct sim *sim, enum command_kind kind)
{
    return sim->sent[kind];
}

uint64_t sim_hash(const struct sim *sim)
{
    return sim->hash;
}

uint64_t sim_commands(const struct sim *sim)
{
    return sim->command_index;
}

// --------------------------------------------------------------------------------------------- trouble

struct sim_chances sim_chances_now(const struct sim *sim)
{
    return sim->world->now_ms < sim->trouble_until_ms ? sim->chances : sim->settings.chances;
}

void sim_trouble(struct sim *sim, const struct sim_chances *chances, int64_t until_ms)
{
    sim->chances = *chances;
    sim->trouble_until_ms = until_ms;
}

void sim_fault_next(struct sim *sim, enum command_kind kind, enum sim_fault fault, unsigned count)
{
    sim->scripted[kind].fault = fault;
    sim->scripted[kind].count = count;
}

void sim_kill_at(struct sim *sim, uint64_t index, enum sim_death death)
{
    sim->kill_planned = true;
    sim->kill_index = index;
    sim->kill_death = death;
}

void sim_person_cordons(struct sim *sim, const char *node_name, bool cordoned)
{
    person_cordons(sim->world, node_name, cordoned);
    for (size_t i = 0; i < sim->cordon_count; i++) {
        if (strcmp(sim->cordons[i], node_name) != 0)
            continue;
        free(sim->cordons[i]);
        sim->cordons[i] = sim->cordons[--sim->cordon_count];
        break;
    }
    if (!cordoned)
        return;
    sim->cordons = xrealloc_array(sim->cordons, sim->cordon_count + 1, sizeof(char *));
    sim->cordons[sim->cordon_count++] = xstrdup(node_name);
}

void sim_lets_go(struct sim *sim)
{
    sim->let_go = true;
}

#include "tests/unit/sim/tale.h"

#include <stdio.h>

#include "coordinator/model/cluster.h"

static struct sim *prepare(const struct sim_settings *settings, int32_t min, int32_t max, bool two_sizes)
{
    struct sim *sim = sim_create(settings);
    cloud_add_present(sim_world(sim), SIM_CLUSTER, "pet-1", 0, 0, false);
    add_node_group(sim_world(sim), &(struct group_plan){.name = "general",
                                                        .min = min,
                                                        .max = max,
                                                        .cluster = SIM_CLUSTER,
                                                        .datacenter = SIM_DATACENTER,
                                                        .size_id = two_sizes ? 0 : SIM_SIZE,
                                                        .offering = two_sizes ? "21" : NULL,
                                                        .offering_too = two_sizes ? "22" : NULL,
                                                        .label_key = "pool",
                                                        .label_value = "general",
                                                        .down_stabilization_seconds = 60});
    return sim;
}

struct sim *tale_prepare(const struct sim_settings *settings, int32_t min, int32_t max)
{
    return prepare(settings, min, max, false);
}

struct sim *tale_prepare_two_sizes(const struct sim_settings *settings, int32_t min, int32_t max)
{
    return prepare(settings, min, max, true);
}

struct sim *tale_begin_with(const struct sim_settings *settings, int32_t min, int32_t max)
{
    struct sim *sim = tale_prepare(settings, min, max);
    sim_start(sim);
    return sim;
}

struct sim *tale_begin(uint64_t seed, int32_t min, int32_t max)
{
    struct sim_settings settings = sim_settings_default(seed);
    return tale_begin_with(&settings, min, max);
}

void tale_deploy(struct sim *sim, const char *name, int32_t replicas)
{
    add_deployment(sim_world(sim), &(struct workload){.name = name,
                                                      .replicas = replicas,
                                                      .cpu_millis = 1000,
                                                      .memory_mb = 1024,
                                                      .selector_key = "pool",
                                                      .selector_value = "general"});
}

void tale_grow(struct sim *sim, int32_t machines)
{
    tale_deploy(sim, "web", machines * 3);
    tale_until_ready(sim, "web", (size_t)machines * 3, MINUTES(20));
    tale_until_machines(sim, (size_t)machines, MINUTES(1));
    tale_run(sim, MINUTES(2));
}

// -------------------------------------------------------------------------------------------- waiting

void (*tale_autopsy)(struct sim *sim);

void tale_check(struct sim *sim, bool holds, const char *what, const char *file, int line)
{
    if (holds && sim_broken(sim)[0] == 0)
        return;
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    sim_print(sim);
    if (tale_autopsy != NULL)
        tale_autopsy(sim);
    _fail(file, line);
}

void tale_until(struct sim *sim, sim_condition condition, void *context, int64_t limit_ms, const char *what)
{
    bool came = sim_run_until(sim, condition, context, limit_ms);
    tale_check(sim, came, what, __FILE__, __LINE__);
}

void tale_run(struct sim *sim, int64_t ms)
{
    sim_run(sim, ms);
    tale_assert(sim, sim_broken(sim)[0] == 0);
}

struct wanted {
    const char *text;
    size_t count;
    enum command_kind kind;
};

static bool pods_are_ready(struct sim *sim, void *context)
{
    const struct wanted *wanted = context;
    return count_pods(sim_world(sim), "default", wanted->text, PODS_READY) == wanted->count &&
           count_pods(sim_world(sim), "default", wanted->text, PODS_WAITING) == 0;
}

void tale_until_ready(struct sim *sim, const char *app, size_t pods, int64_t limit_ms)
{
    struct wanted wanted = {.text = app, .count = pods};
    tale_until(sim, pods_are_ready, &wanted, limit_ms, "the pods are Ready");
}

static bool machines_are(struct sim *sim, void *context)
{
    return tale_machines(sim) == ((const struct wanted *)context)->count;
}

void tale_until_machines(struct sim *sim, size_t machines, int64_t limit_ms)
{
    struct wanted wanted = {.count = machines};
    tale_until(sim, machines_are, &wanted, limit_ms, "so many machines are there");
}

static bool is_said(struct sim *sim, void *context)
{
    return sim_said(sim, ((const struct wanted *)context)->text);
}

void tale_until_said(struct sim *sim, const char *words, int64_t limit_ms)
{
    struct wanted wanted = {.text = words};
    tale_until(sim, is_said, &wanted, limit_ms, words);
}

static bool is_done(struct sim *sim, void *context)
{
    const struct wanted *wanted = context;
    return sim_effects(sim, wanted->kind) >= wanted->count;
}

void tale_until_effect(struct sim *sim, enum command_kind kind, uint64_t count, int64_t limit_ms)
{
    struct wanted wanted = {.count = count, .kind = kind};
    tale_until(sim, is_done, &wanted, limit_ms, command_kind_name(kind));
}

static bool intentions_are(struct sim *sim, void *context)
{
    return tale_intentions(sim) == ((const struct wanted *)context)->count;
}

void tale_until_intentions(struct sim *sim, size_t count, int64_t limit_ms)
{
    struct wanted wanted = {.count = count};
    tale_until(sim, intentions_are, &wanted, limit_ms, "so many VPSieNodes are there");
}

// ------------------------------------------------------------------------------------------- counting

size_t tale_machines(struct sim *sim)
{
    return cloud_workers(sim_world(sim), SIM_CLUSTER);
}

size_t tale_intentions(struct sim *sim)
{
    return api_count(sim_world(sim)->api, API_VPSIENODE);
}

size_t tale_alive(struct sim *sim)
{
    size_t count = 0;
    const struct api *api = sim_world(sim)->api;
    for (size_t i = 0; i < api_count(api, API_VPSIENODE); i++)
        count +=
            strcmp(json_text(api_at(api, API_VPSIENODE, i)->document->json, "status.phase"), "Failed") != 0;
    return count;
}

size_t tale_marked(struct sim *sim)
{
    size_t count = 0;
    const struct api *api = sim_world(sim)->api;
    for (size_t i = 0; i < api_count(api, API_NODE); i++) {
        const cJSON *annotations = json_at(api_at(api, API_NODE, i)->document->json, "metadata.annotations");
        count += json_key(annotations, KEY_CORDONED_BY) != NULL;
    }
    return count;
}

struct cloud_machine *tale_machine(struct sim *sim, size_t index)
{
    struct cloud *cloud = sim_world(sim)->cloud;
    for (size_t i = 0; i < cloud->machine_count; i++) {
        struct cloud_machine *machine = cloud->machines[i];
        if (!machine->gone && !machine->master && machine->group_id != 0 && index-- == 0)
            return machine;
    }
    return NULL;
}

void tale_end(struct sim *sim)
{
    tale_assert(sim, sim_broken(sim)[0] == 0);
    sim_destroy(sim);
}

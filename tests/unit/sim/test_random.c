// Hours of a cluster's life under every fault at once, seed by seed: no rule is broken, the same seed gives
// the same commands, and once the faults end every pod that can be served is served and what is idle goes
// away.
//   SIM_SEEDS=200 unit_sim_random     more seeds
//   SIM_FIRST=17 SIM_SEEDS=1          one of them (its trace is printed when it fails; SIM_TRACE=1: always)
#include "tests/unit/sim/tale.h"

#include <stdio.h>
#include <stdlib.h>

#include "coordinator/decide/state.h"

static void print_rules(const struct explanation *explanation)
{
    fprintf(stderr, "%s: %s\n", explanation->subject, explanation->verdict);
    for (uint32_t i = 0; i < explanation->rule_count; i++) {
        const struct rule *rule = &explanation->rules[i];
        fprintf(stderr, "    %s: saw %s, limit %s, %s\n", rule->name, rule->saw, rule->limit,
                rule->verdict == RULE_PASS     ? "pass"
                : rule->verdict == RULE_BLOCKS ? "BLOCKS"
                : rule->verdict == RULE_WAITS  ? "waits"
                                               : "info");
    }
}

// Why is everything as it is? In the core's own words.
static void explain(struct sim *sim)
{
    struct core *core = sim_core(sim);
    struct arena *arena = arena_create(4096);
    struct explanation explanation;
    if (core != NULL && explain_group(core, arena, "general", &explanation))
        print_rules(&explanation);
    const struct api *api = sim_world(sim)->api;
    for (size_t i = 0; core != NULL && i < api_count(api, API_NODE); i++) {
        if (explain_node(core, arena, api_at(api, API_NODE, i)->name, &explanation))
            print_rules(&explanation);
    }
    for (size_t i = 0; core != NULL && i < api_count(api, API_POD); i++) {
        const struct api_object *pod = api_at(api, API_POD, i);
        if (pod->node_name[0] == 0 && explain_pod(core, arena, pod->space, pod->name, &explanation))
            print_rules(&explanation);
    }
    arena_destroy(arena);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL || text[0] == 0 ? otherwise : strtoull(text, NULL, 10);
}

static struct sim_settings drawn_settings(uint64_t seed, struct random *random)
{
    struct sim_settings settings = sim_settings_default(seed);
    struct world_settings *world = &settings.world;
    world->add_answer = (enum add_answer)random_between(random, ADD_ANSWERS_TRUE, ADD_ANSWERS_MIXED);
    world->groups_answer_id = random_chance(random, 50);
    world->never_joins_percent = random_chance(random, 30) ? 10 : 0;
    world->dies_percent = random_chance(random, 30) ? 10 : 0;
    world->other_case_percent = (uint32_t)random_between(random, 0, 100);
    world->machines_max = random_chance(random, 20) ? (int32_t)random_between(random, 3, 8) : 0;
    if (random_chance(random, 30)) {
        world->cni_taint = "node.kubernetes.io/network-unavailable";
        world->cni = (struct span){1000, 60000};
    }
    world->detach = (struct span){1000, random_between(random, 2000, 120000)};
    return settings;
}

static struct sim_chances drawn_chances(struct random *random)
{
    struct sim_chances chances = {0};
    for (unsigned fault = SIM_FAULT_NOT_SENT; fault < SIM_FAULT_COUNT; fault++) {
        if (fault != SIM_FAULT_REFUSED && random_chance(random, 60))
            chances.kube[fault] = (uint32_t)random_between(random, 0, 4);
        if (fault != SIM_FAULT_CONFLICT && random_chance(random, 60))
            chances.vpsie[fault] = (uint32_t)random_between(random, 0, 6);
    }
    chances.watch_stalls = (uint32_t)random_between(random, 0, 5);
    chances.watch_collapses = (uint32_t)random_between(random, 0, 30);
    chances.report_lost = (uint32_t)random_between(random, 0, 20);
    return chances;
}

static const char *const apps[] = {"web", "api", "cart"};

static void deploy(struct sim *sim, struct random *random)
{
    for (size_t i = 0; i < sizeof apps / sizeof apps[0]; i++) {
        add_deployment(sim_world(sim), &(struct workload){.name = apps[i],
                                                          .replicas = (int32_t)random_between(random, 0, 4),
                                                          .cpu_millis = random_between(random, 2, 12) * 100,
                                                          .memory_mb = random_between(random, 1, 8) * 256,
                                                          .selector_key = "pool",
                                                          .selector_value = "general",
                                                          .local_data = i == 2 ? "spool=0" : NULL});
    }
    add_budget(sim_world(sim), "default", "web", "web", -1, 1);
    add_daemonset(sim_world(sim), &(struct workload){.name = "log", .cpu_millis = 50, .memory_mb = 64});
}

// The list lies for minutes; of every tenth seed for as long as it likes.
static bool lies_for_long(uint64_t seed)
{
    return seed % 10 == 0;
}

// Every eleventh seed a second NodeGroup; of every other of those its machines look like the first one's.
static bool has_another_group(uint64_t seed)
{
    return seed % 11 == 4;
}

static void add_another_group(struct sim *sim, uint64_t seed)
{
    add_node_group(sim_world(sim), &(struct group_plan){.name = "other",
                                                        .max = lies_for_long(seed) ? 10 : 4,
                                                        .cluster = SIM_CLUSTER,
                                                        .datacenter = SIM_DATACENTER,
                                                        .size_id = seed % 2 == 0 ? SIM_SIZE : SIM_SIZE_LARGE,
                                                        .label_key = "pool",
                                                        .label_value = "other",
                                                        .down_stabilization_seconds = 60});
    add_deployment(sim_world(sim), &(struct workload){.name = "etl",
                                                      .cpu_millis = 2500,
                                                      .memory_mb = 2048,
                                                      .selector_key = "pool",
                                                      .selector_value = "other"});
}

// Something that people, programs or fate do.
static void happening(struct sim *sim, struct random *random)
{
    struct world *world = sim_world(sim);
    const char *app = apps[random_between(random, 0, 2)];
    struct cloud_machine *machine = tale_machine(sim, (size_t)random_between(random, 0, 5));
    struct agent_model *agent = machine == NULL ? NULL : agent_of(world, machine->node_name);
    unsigned leader = sim_leader(sim);
    switch (random_between(random, 0, 15)) {
    case 0:
    case 1:
    case 2:
    case 3: scale_deployment(world, "default", app, (int32_t)random_between(random, 0, 12)); break;
    case 4: scale_deployment(world, "default", app, 0); break;
    case 5:
        if (leader != 0)
            sim_kill(sim, leader);
        break;
    case 6:
        if (leader != 0)
            sim_freeze(sim, leader, random_between(random, 1000, 60000));
        break;
    case 7:
        sim_kill_at(sim, sim_commands(sim) + (uint64_t)random_between(random, 0, 20),
                    (enum sim_death)random_between(random, 0, SIM_DEATH_COUNT - 1));
        break;
    case 8:
        if (agent != NULL)
            agent->silent = !agent->silent;
        break;
    case 9:
        if (agent != NULL)
            agent->inhibitors = agent->inhibitors == 0;
        break;
    case 10:
        if (agent != NULL)
            agent_restart(world, machine->node_name);
        break;
    case 11:
        change_use(world, "default", "cart", -1, 0, random_chance(random, 50) ? "spool=4096" : "spool=0");
        break;
    case 12:
        if (machine != NULL && random_chance(random, 30))
            fate_stops_machine(world, machine->identifier);
        break;
    case 13:
        if (machine != NULL && random_chance(random, 20))
            person_deletes_machine(world, machine->identifier);
        break;
    case 14:
        world->cloud->list_mode = random_chance(random, 50) ? CLOUD_LIST_RIGHT : CLOUD_LIST_PARTIAL;
        world->cloud->list_keeps_percent = (uint32_t)random_between(random, 0, 90);
        break;
    default: sim_cut_kube(sim, random_chance(random, 30)); break;
    }
}

static bool adds_machines(uint64_t seed)
{
    return seed % 7 == 2;
}

// At the panel, to our own VPSie group.
static void somebody_adds_a_machine(struct sim *sim)
{
    const struct cloud_group *group = cloud_group_by_name(sim_world(sim), SIM_CLUSTER, "general");
    if (group != NULL)
        person_adds_machine(sim_world(sim), SIM_CLUSTER, group->id);
}

static void calm(struct sim *sim)
{
    struct world *world = sim_world(sim);
    world->cloud->list_mode = CLOUD_LIST_RIGHT;
    world->settings.machines_max = 0;
    world->settings.never_joins_percent = 0;
    world->settings.dies_percent = 0;
    sim_cut_kube(sim, false);
    for (size_t i = 0; i < world->agents->count; i++) {
        world->agents->items[i]->silent = false;
        world->agents->items[i]->inhibitors = 0;
    }
    // Many dead nodes stop all removals until somebody looks after them: somebody does.
    for (size_t i = 0; i < world->cloud->machine_count; i++) {
        const struct cloud_machine *machine = world->cloud->machines[i];
        if (!machine->gone && !machine->leaving && machine->registered && !machine->alive)
            fate_starts_machine(world, machine->identifier);
    }
    change_use(world, "default", "cart", -1, 0, "spool=0");
    sim_kill_at(sim, UINT64_MAX, SIM_DEATH_BEFORE_SENDING);
}

static bool served(struct sim *sim, void *context)
{
    (void)context;
    size_t waiting = 0; // a DaemonSet's pod that finds its own node full is nobody's to serve
    for (size_t i = 0; i < sizeof apps / sizeof apps[0]; i++)
        waiting += count_pods(sim_world(sim), "default", apps[i], PODS_WAITING);
    waiting += count_pods(sim_world(sim), "default", "etl", PODS_WAITING);
    return waiting == 0;
}

static bool at_minimum(struct sim *sim, void *context)
{
    (void)context;
    // Machines that lying lists hid until nobody waited for them any more are never deleted by us.
    return tale_machines(sim) - sim_surplus(sim) == 1 && tale_intentions(sim) == 1 && tale_marked(sim) == 0;
}

static void live(struct sim *sim, uint64_t seed)
{
    struct random random;
    random_seed(&random, seed * 977 + 5);
    deploy(sim, &random);
    sim_start(sim);
    if (random_chance(&random, 40))
        sim_start(sim);
    struct sim_chances chances = drawn_chances(&random);
    sim_trouble(sim, &chances, sim_world(sim)->now_ms + MINUTES(120));
    for (int64_t lived_ms = 0; lived_ms < MINUTES(120) && sim_broken(sim)[0] == 0;) {
        int64_t pause_ms = random_between(&random, 5000, 400000);
        sim_run(sim, pause_ms);
        lived_ms += pause_ms;
        if (!lies_for_long(seed))
            sim_world(sim)->cloud->list_mode = CLOUD_LIST_RIGHT;
        happening(sim, &random);
        if (adds_machines(seed) && random_chance(&random, 8))
            somebody_adds_a_machine(sim);
        if (has_another_group(seed) && random_chance(&random, 40))
            scale_deployment(sim_world(sim), "default", "etl", (int32_t)random_between(&random, 0, 4));
    }
}

// In every sixth life nodes expire after 50 minutes, and consolidation looks every ten.
static bool moves(uint64_t seed)
{
    return seed % 6 == 1;
}

static void allow_moves(struct sim *sim)
{
    struct world *world = sim_world(sim);
    AUTOJSON cJSON *patch = json_of("{'spec':{'costOptimization':{'enabled':true,'strategy':'aggressive',"
                                    "'optimizationInterval':'10m','minMonthlySavings':0,"
                                    "'maxPerformanceImpact':100}}}");
    api_patch(world->api, API_NODEGROUP, "default", "general", false, API_MERGE_PATCH, patch);
    add_config(world, "{'enableRebalancing':true,'maxConcurrentScaleUps':10,'maxClusterWorkers':0,"
                      "'maxConcurrentScaleDowns':3,'scaleUpCooldownSeconds':1,'scaleDownCooldownSeconds':1,"
                      "'enableDynamicNodeGroupCreation':false}");
    annotate(world, API_CONFIG, "", "default", KEY_CONSOLIDATION, "enabled");
}

static uint64_t run_seed(uint64_t seed, bool to_the_end)
{
    struct random random;
    random_seed(&random, seed);
    struct sim_settings settings = drawn_settings(seed, &random);
    if (moves(seed))
        settings.core.expire_after_ms = MINUTES(50);
    // every fifth seed a NodeGroup of two sizes
    // What people add, and what a long lie hid, is counted, and cannot always be told from others and
    // adopted.
    int32_t max = adds_machines(seed) || lies_for_long(seed) ? 14 : 8;
    struct sim *sim =
        seed % 5 == 3 ? tale_prepare_two_sizes(&settings, 1, max) : tale_prepare(&settings, 1, max);
    if (has_another_group(seed))
        add_another_group(sim, seed);
    if (moves(seed))
        allow_moves(sim);
    live(sim, seed);
    tale_assert(sim, sim_broken(sim)[0] == 0);
    if (to_the_end) {
        calm(sim);
        for (size_t i = 0; i < sizeof apps / sizeof apps[0]; i++) // what eight machines surely hold
            scale_deployment(sim_world(sim), "default", apps[i], (int32_t)random_between(&random, 2, 6));
        if (has_another_group(seed))
            scale_deployment(sim_world(sim), "default", "etl", 3);
        tale_until(sim, served, NULL, MINUTES(240), "every pod is served once the faults are over");
        if (has_another_group(seed))
            scale_deployment(sim_world(sim), "default", "etl", 0);
        for (size_t i = 0; i < sizeof apps / sizeof apps[0]; i++)
            scale_deployment(sim_world(sim), "default", apps[i], 0);
        tale_until(sim, at_minimum, NULL, MINUTES(600), "the idle cluster is back at its minimum");
    }
    uint64_t hash = sim_hash(sim);
    tale_end(sim);
    return hash;
}

static void no_rule_is_broken_under_any_faults_and_all_is_well_after_them(void **state)
{
    (void)state;
    uint64_t first = setting("SIM_FIRST", 1), count = setting("SIM_SEEDS", 30);
    for (uint64_t seed = first; seed < first + count; seed++)
        run_seed(seed, true);
}

static void the_same_seed_gives_the_same_commands(void **state)
{
    (void)state;
    uint64_t first = setting("SIM_FIRST", 1);
    if (getenv("SIM_SEEDS") != NULL)
        skip(); // somebody is after one seed, or after many
    for (uint64_t seed = first; seed < first + 2; seed++)
        assert_true(run_seed(seed, false) == run_seed(seed, false));
    assert_true(run_seed(first, false) != run_seed(first + 1, false));
}

int main(void)
{
    tale_autopsy = explain;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_rule_is_broken_under_any_faults_and_all_is_well_after_them),
        cmocka_unit_test(the_same_seed_gives_the_same_commands),
    };
    return cmocka_run_group_tests_name("life under faults", tests, NULL, NULL);
}

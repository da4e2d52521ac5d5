// Consolidation and replacement, the new machine first, and no machine's life is broken by them.
#include "tests/unit/sim/tale.h"

#include <stdio.h>
#include <stdlib.h>

#include "coordinator/decide/state.h"

#define HOURS(n) ((int64_t)(n)*3600000)

// Both sizes, "large" first; nothing counts as underused: what goes, goes by a move.
static struct sim *prepare(const struct sim_settings *settings, const char *cost)
{
    struct sim *sim = sim_create(settings);
    cloud_add_present(sim_world(sim), SIM_CLUSTER, "pet-1", 0, 0, false);
    add_node_group(sim_world(sim), &(struct group_plan){.name = "general",
                                                        .max = 10,
                                                        .cluster = SIM_CLUSTER,
                                                        .datacenter = SIM_DATACENTER,
                                                        .offering = "22','21",
                                                        .label_key = "pool",
                                                        .label_value = "general",
                                                        .down_stabilization_seconds = 60,
                                                        .cpu_threshold = 1,
                                                        .memory_threshold = 1});
    AUTOJSON cJSON *patch = json_of("{'spec':{'costOptimization':%s}}", cost);
    api_patch(sim_world(sim)->api, API_NODEGROUP, "default", "general", false, API_MERGE_PATCH, patch);
    add_config(sim_world(sim), "{'enableRebalancing':true,'maxConcurrentScaleUps':10,'maxClusterWorkers':0,"
                               "'maxConcurrentScaleDowns':3,'scaleUpCooldownSeconds':1,"
                               "'scaleDownCooldownSeconds':1,'enableDynamicNodeGroupCreation':false}");
    annotate(sim_world(sim), API_CONFIG, "", "default", "autoscaler.vpsie.com/consolidation", "enabled");
    return sim;
}

static struct sim *begin(uint64_t seed, const char *cost)
{
    struct sim_settings settings = sim_settings_default(seed);
    struct sim *sim = prepare(&settings, cost);
    sim_start(sim);
    return sim;
}

static void deploy(struct sim *sim, const char *name, int32_t replicas, int64_t cpu_millis)
{
    add_deployment(sim_world(sim), &(struct workload){.name = name,
                                                      .replicas = replicas,
                                                      .cpu_millis = cpu_millis,
                                                      .memory_mb = 512,
                                                      .selector_key = "pool",
                                                      .selector_value = "general"});
}

static size_t of_size(struct sim *sim, int64_t size_id)
{
    const struct cloud *cloud = sim_world(sim)->cloud;
    size_t count = 0;
    for (size_t i = 0; i < cloud->machine_count; i++)
        count += cloud->machines[i]->group_id != 0 && !cloud->machines[i]->gone &&
                 cloud->machines[i]->size_id == size_id;
    return count;
}

static uint32_t decided(struct sim *sim, enum decision_kind kind)
{
    uint32_t count = 0;
    const struct core *core = sim_core(sim);
    for (uint64_t n = 0; core != NULL && n < core->decision_count; n++) {
        const struct decision *decision = core_decision_made(core, n);
        count += decision != NULL && decision->kind == kind;
    }
    return count;
}

// A pod of 6 cores brings a large machine; when it has gone, one of 1 core is left on it.
static void leave_one_on_a_large_machine(struct sim *sim)
{
    deploy(sim, "big", 1, 6000);
    deploy(sim, "web", 1, 1000);
    tale_until_ready(sim, "big", 1, MINUTES(20));
    tale_until_ready(sim, "web", 1, MINUTES(20));
    tale_assert(sim, of_size(sim, SIM_SIZE_LARGE) >= 1);
    scale_deployment(sim_world(sim), "default", "big", 0);
}

static bool one_medium_is_left(struct sim *sim, void *context)
{
    (void)context;
    return of_size(sim, SIM_SIZE) == 1 && of_size(sim, SIM_SIZE_LARGE) == 0;
}

static void a_large_machine_with_little_on_it_gives_way_to_a_smaller_one(void **state)
{
    (void)state;
    struct sim *sim = begin(1, "{'enabled':true,'strategy':'auto','optimizationInterval':'1h'}");
    leave_one_on_a_large_machine(sim);
    tale_until_effect(sim, COMMAND_KUBE_EVICT, 1, HOURS(3));
    tale_assert(sim, of_size(sim, SIM_SIZE) == 1);            // it was there before the pod had to go
    tale_assert(sim, count_ready_nodes(sim_world(sim)) == 3); // and pet-1
    tale_until(sim, one_medium_is_left, NULL, HOURS(3), "one medium machine is left");
    tale_until_ready(sim, "web", 1, MINUTES(10));
    tale_assert(sim, decided(sim, DECISION_CONSOLIDATE) == 1);
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 1);
    tale_run(sim, HOURS(12)); // and there it rests
    tale_assert(sim, decided(sim, DECISION_CONSOLIDATE) == 1);
    tale_assert(sim, one_medium_is_left(sim, NULL));
    tale_end(sim);
}

static void a_coordinator_that_dies_in_the_middle_of_a_move_leaves_nothing_behind(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < 12; at++) {
        struct sim *sim = begin(100 + at, "{'enabled':true,'strategy':'auto','optimizationInterval':'1h'}");
        leave_one_on_a_large_machine(sim);
        tale_run(sim, MINUTES(5));
        sim_kill_at(sim, sim_commands(sim) + 3 + at * 7, (enum sim_death)(at % SIM_DEATH_COUNT));
        tale_until(sim, one_medium_is_left, NULL, HOURS(30), "one medium machine is left");
        tale_until_ready(sim, "web", 1, MINUTES(10));
        tale_run(sim, MINUTES(10)); // for the Node to go
        tale_assert(sim, tale_marked(sim) == 0);
        tale_assert(sim, sim_surplus(sim) == 0);
        tale_end(sim);
    }
}

static void a_recommendation_waits_for_its_approval(void **state)
{
    (void)state;
    struct sim *sim =
        begin(2, "{'enabled':true,'strategy':'auto','optimizationInterval':'1h','requireApproval':true}");
    leave_one_on_a_large_machine(sim);
    tale_run(sim, HOURS(3));
    tale_assert(sim, decided(sim, DECISION_CONSOLIDATE) == 1);
    tale_assert(sim, of_size(sim, SIM_SIZE) == 0);
    const struct core *core = sim_core(sim);
    uint64_t id = 0;
    for (uint64_t n = 0; n < core->decision_count; n++)
        if (core_decision_made(core, n)->kind == DECISION_CONSOLIDATE)
            id = core_decision_made(core, n)->id;
    char name[32];
    snprintf(name, sizeof(name), "D%llu", (unsigned long long)id);
    sim_operator(sim, OPERATOR_APPROVE, name);
    tale_run(sim, SECONDS(5));
    tale_assert(sim, strstr(sim_reply(sim), "is being carried out") != NULL);
    tale_until(sim, one_medium_is_left, NULL, HOURS(2), "one medium machine is left");
    tale_end(sim);
}

static void machines_that_never_come_leave_the_old_ones_alone(void **state)
{
    (void)state;
    struct sim *sim = begin(3, "{'enabled':true,'strategy':'auto','optimizationInterval':'1h'}");
    leave_one_on_a_large_machine(sim);
    sim_world(sim)->settings.never_joins_percent = 100;
    tale_run(sim, HOURS(2));
    tale_assert(sim, decided(sim, DECISION_CONSOLIDATE) >= 1);
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 0);
    tale_assert(sim, count_pods(sim_world(sim), "default", "web", PODS_READY) == 1);
    tale_end(sim);
}

// ---- replacement

static void old_machines_are_replaced_one_after_the_other(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(4);
    settings.core.expire_after_ms = HOURS(6);
    struct sim *sim = tale_begin_with(&settings, 1, 5);
    tale_grow(sim, 2);
    add_budget(sim_world(sim), "default", "web", "web", -1, 1);
    size_t most = 0, evicted_before = sim_effects(sim, COMMAND_KUBE_EVICT);
    for (int i = 0; i < 8 * 12; i++) {
        tale_run(sim, MINUTES(5));
        most = tale_machines(sim) > most ? tale_machines(sim) : most;
        tale_assert(sim, count_pods(sim_world(sim), "default", "web", PODS_READY) >= 4);
    }
    tale_assert(sim, most == 3); // one more at a time
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, decided(sim, DECISION_REPLACE) == 2);
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == evicted_before + 6);
    tale_until_ready(sim, "web", 6, MINUTES(10));
    tale_end(sim);
}

static void a_new_label_of_the_group_reaches_all_its_machines(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(5, 1, 5);
    tale_grow(sim, 2);
    AUTOJSON cJSON *patch = json_of("{'spec':{'labels':{'colour':'green'}}}");
    api_patch(sim_world(sim)->api, API_NODEGROUP, "default", "general", false, API_MERGE_PATCH, patch);
    tale_run(sim, HOURS(3));
    tale_assert(sim, decided(sim, DECISION_REPLACE) == 2);
    tale_assert(sim, tale_machines(sim) == 2);
    const struct api *api = sim_world(sim)->api;
    size_t green = 0;
    for (size_t i = 0; i < api_count(api, API_NODE); i++) {
        const cJSON *labels = json_at(api_at(api, API_NODE, i)->document->json, "metadata.labels");
        green += json_key(labels, "colour") != NULL;
    }
    tale_assert(sim, green == 2);
    tale_run(sim, HOURS(12));
    tale_assert(sim, decided(sim, DECISION_REPLACE) == 2);
    tale_end(sim);
}

// ---- no swinging

#define BROUGHT_MAX 64u
struct memory { // of one life
    struct {
        char node[64];
        int64_t at_ms;
    } brought[BROUGHT_MAX]; // by moves
    uint32_t brought_count;
    uint64_t looked_at; // decisions
    int64_t changed_ms; // the workload
    int64_t moved_ms;   // the last consolidation since then, 0: none
    uint32_t moves;     // since then
    size_t machines_then;
};

static void remember_brought(struct sim *sim, struct memory *memory)
{
    const struct core *core = sim_core(sim);
    for (uint32_t i = 0; core != NULL && i < core->cluster->intention_count; i++) {
        const struct intention *intention = core->cluster->intentions[i];
        const char *reason = labels_get(&intention->facts.annotations, KEY_CREATION_REASON);
        const char *node = intention->node != NULL ? intention->node->name : "";
        bool known = reason == NULL || strcmp(reason, "rebalance") != 0 || node[0] == '\0';
        for (uint32_t n = 0; n < memory->brought_count; n++)
            known = known || strcmp(memory->brought[n].node, node) == 0;
        if (known || memory->brought_count == BROUGHT_MAX)
            continue;
        memory->brought[memory->brought_count].at_ms = intention->facts.created_ms;
        snprintf(memory->brought[memory->brought_count++].node, sizeof(memory->brought[0].node), "%s", node);
    }
}

// What a decision may not do while the workload is as it was: NULL when it is right.
static const char *swings(const struct memory *memory, const struct decision *decision, int64_t horizon_ms)
{
    if (decision->kind == DECISION_ORDER && memory->moved_ms > 0)
        return "a machine is bought back after a consolidation";
    for (uint32_t i = 0; decision->kind == DECISION_CONSOLIDATE && i < decision->leaving_count; i++)
        for (uint32_t n = 0; n < memory->brought_count; n++)
            if (strcmp(memory->brought[n].node, decision->leaving[i]) == 0 &&
                memory->brought[n].at_ms > memory->changed_ms &&
                decision->at_ms < memory->brought[n].at_ms + horizon_ms)
                return "a machine that a move brought is moved again";
    return memory->moves > memory->machines_then ? "more moves than there were machines" : NULL;
}

static void look(struct sim *sim, struct memory *memory, int64_t horizon_ms, uint64_t seed)
{
    const struct core *core = sim_core(sim);
    for (; core != NULL && memory->looked_at < core->decision_count; memory->looked_at++) {
        const struct decision *decision = core_decision_made(core, memory->looked_at);
        bool move = decision->kind == DECISION_CONSOLIDATE;
        memory->moves += move;
        const char *wrong = swings(memory, decision, horizon_ms);
        if (wrong != NULL) {
            fprintf(stderr, "seed %llu: D%llu %s (%s): %s\n", (unsigned long long)seed,
                    (unsigned long long)decision->id, decision->summary, decision->reason, wrong);
            tale_assert(sim, wrong == NULL);
        }
        if (move)
            memory->moved_ms = decision->at_ms;
    }
    remember_brought(sim, memory);
}

// A workload drawn by chance and changed every 30 hours: between two changes nothing that a move brought is
// moved again within the horizon, nothing is bought back, and moves come to an end.
static uint32_t live(uint64_t seed, const char *cost, int64_t horizon_ms)
{
    struct sim *sim = begin(1000 + seed, cost);
    struct random random;
    random_seed(&random, seed);
    struct memory memory = {0};
    char name[8];
    for (int app = 0; app < 4; app++) {
        snprintf(name, sizeof(name), "app-%d", app);
        deploy(sim, name, (int32_t)random_between(&random, 1, 5), random_between(&random, 2, 30) * 100);
    }
    for (int hour = 0; hour < 60; hour++) {
        if (hour % 30 == 0) {
            snprintf(name, sizeof(name), "app-%d", (int)random_between(&random, 0, 3));
            if (hour > 0)
                scale_deployment(sim_world(sim), "default", name, (int32_t)random_between(&random, 0, 6));
            tale_run(sim, MINUTES(30)); // what the change needs is bought at once
            memory.looked_at = sim_core(sim)->decision_count;
            memory.changed_ms = sim_world(sim)->now_ms;
            memory.moved_ms = 0;
            memory.moves = 0;
            memory.machines_then = tale_machines(sim);
        }
        tale_run(sim, HOURS(1));
        look(sim, &memory, horizon_ms, seed);
    }
    tale_assert(sim, count_pods(sim_world(sim), "default", "", PODS_WAITING) == 0);
    uint32_t moves = decided(sim, DECISION_CONSOLIDATE);
    tale_end(sim);
    return moves;
}

static void no_move_is_undone_while_the_workload_stays(void **state)
{
    (void)state;
    uint32_t moves = 0;
    const char *given = getenv("SIM_SEEDS"); // more of them
    uint64_t seeds = given != NULL ? strtoull(given, NULL, 10) : 1;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        moves += live(seed,
                      "{'enabled':true,'strategy':'aggressive','optimizationInterval':'1h',"
                      "'minMonthlySavings':1,'maxPerformanceImpact':100}",
                      HOURS(72));
        moves += live(10 + seed,
                      "{'enabled':true,'strategy':'auto','optimizationInterval':'2h','minMonthlySavings':1}",
                      HOURS(24));
    }
    assert_true(moves > 0); // there was something to undo
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_machine_with_little_on_it_gives_way_to_a_smaller_one),
        cmocka_unit_test(a_coordinator_that_dies_in_the_middle_of_a_move_leaves_nothing_behind),
        cmocka_unit_test(a_recommendation_waits_for_its_approval),
        cmocka_unit_test(machines_that_never_come_leave_the_old_ones_alone),
        cmocka_unit_test(old_machines_are_replaced_one_after_the_other),
        cmocka_unit_test(a_new_label_of_the_group_reaches_all_its_machines),
        cmocka_unit_test(no_move_is_undone_while_the_workload_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Sets of nodes that leave, on random clusters with ports, affinity, anti-affinity and spread: when the plan
// has a place for every moved pod, the world's own scheduler puts each of them exactly there.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/decide/elsewhere.h"
#include "tests/replay/replay.h"
#include "tests/support/make_facts.h"
#include "tests/world/random.h"

#define SEEDS     600u
#define NODES_MAX 9u
#define PODS_MAX  24u
#define SET_MAX   3u

static struct random source;

static int64_t draw(int64_t low, int64_t high)
{
    return random_between(&source, low, high);
}

static bool chance(uint32_t percent)
{
    return random_chance(&source, percent);
}

static const char *const apps[] = {"api", "db", "web"};
static const char *const zones[] = {"a", "b", "c"};
static const char *const keys[] = {"kubernetes.io/hostname", "zone"};

static void put_node(struct cluster *cluster, uint32_t number)
{
    char name[16];
    snprintf(name, sizeof name, "node-%02u", number);
    struct label labels[] = {{"kubernetes.io/hostname", name}, {"zone", zones[draw(0, 2)]}};
    struct node_facts facts = make_node(name);
    facts.labels = (struct labels){labels, 2};
    facts.allocatable.cpu_millis = 1000 * draw(2, 5);
    cluster_put_node(cluster, &facts);
}

// Replicas of an app have the app's rules, as pods of one controller have.
static void put_pod(struct cluster *cluster, uint32_t number, uint32_t node)
{
    static const struct host_port port = {.ip = "0.0.0.0", .port = 80, .protocol = PORT_TCP};
    char name[16], node_name[16];
    snprintf(name, sizeof name, "pod-%02u", number);
    snprintf(node_name, sizeof node_name, "node-%02u", node);
    struct pod_facts facts = make_pod(name, node_name, 100 * draw(1, 8), GIB / 4);
    const char *app = apps[draw(0, 2)], *space = "default";
    struct label label = {"app", app};
    facts.shape.labels = (struct labels){&label, 1};
    struct requirement same = {.key = "app", .operator= SELECTOR_IN, .values = &app, .value_count = 1};
    struct selector selector = {.requirements = &same, .requirement_count = 1};
    struct pod_term term = {.topology_key = keys[draw(0, 1)],
                            .selector = selector,
                            .spaces = &space,
                            .space_count = 1,
                            .space_selector = {.nothing = true}};
    struct spread_constraint spread = {.topology_key = keys[draw(0, 1)],
                                       .selector = selector,
                                       .space = space,
                                       .max_skew = (int32_t)draw(1, 2),
                                       .min_domains = 1,
                                       .honor_affinity = true};
    facts.shape.pod_affinity = &term;
    facts.shape.pod_affinity_count = chance(12);
    facts.shape.pod_anti_affinity = &term;
    facts.shape.pod_anti_affinity_count = facts.shape.pod_affinity_count == 0 && chance(20);
    facts.shape.spread = &spread;
    facts.shape.spread_count = chance(25);
    facts.shape.host_ports = &port;
    facts.shape.host_port_count = chance(10);
    cluster_put_pod(cluster, &facts);
}

// One set; true when every pod had a place in the plan.
static bool play(struct core *core, struct arena *arena, struct node *const *nodes, uint32_t count,
                 uint64_t seed)
{
    struct elsewhere elsewhere = elsewhere_create(core, arena, false);
    struct leave leave = elsewhere_leave(&elsewhere, nodes, count, true, false);
    if (leave.placed < leave.pod_count)
        return false;
    struct replay_promise promises[PODS_MAX];
    for (uint32_t i = 0; i < leave.pod_count; i++)
        promises[i] = (struct replay_promise){.pod = leave.pods[i],
                                              .machine = REPLAY_ANYWHERE,
                                              .node = elsewhere.space.packing.places[leave.places[i]].node};
    AUTOTEXT struct text told = {0};
    uint32_t left = replay_run(&(struct replay_plan){.cluster = core->cluster,
                                                     .leaving = (const struct node *const *)nodes,
                                                     .leaving_count = count,
                                                     .promises = promises,
                                                     .promise_count = leave.pod_count},
                               &told);
    if (left > 0)
        fail_msg("seed %llu: %u pods have no place\n%s", (unsigned long long)seed, left, text_get(&told));
    return leave.pod_count > 0;
}

static void what_leaves_together_finds_its_places_in_the_eyes_of_another_scheduler(void **state)
{
    (void)state;
    uint32_t played = 0, refused = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        random_seed(&source, seed);
        struct core_config config = core_config_default();
        struct core *core = core_create(&config);
        struct arena *arena = arena_create(65536);
        struct namespace_facts space = {.name = "default"};
        cluster_put_space(core->cluster, &space);
        uint32_t nodes = (uint32_t)draw(2, NODES_MAX), pods = (uint32_t)draw(1, PODS_MAX);
        for (uint32_t i = 0; i < nodes; i++)
            put_node(core->cluster, i);
        for (uint32_t i = 0; i < pods; i++)
            put_pod(core->cluster, i, (uint32_t)draw(0, nodes - 1));
        uint32_t count = (uint32_t)draw(1, nodes > SET_MAX ? SET_MAX : nodes - 1);
        uint32_t first = (uint32_t)draw(0, nodes - count);
        bool all = play(core, arena, &core->cluster->nodes[first], count, seed);
        played += all;
        refused += !all;
        arena_destroy(arena);
        core_destroy(core);
    }
    assert_true(played > SEEDS / 4); // both happen
    assert_true(refused > SEEDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_leaves_together_finds_its_places_in_the_eyes_of_another_scheduler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

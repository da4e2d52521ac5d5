// Random clusters of pods that keep to and from each other: packing must agree, at every step of any history
// of puts, takes, new places, removed nodes and plans rolled back, with a plain reading of Kubernetes'
// documents (reference.c).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/make_facts.h"
#include "tests/unit/schedule/reference.h"

#define SEEDS 60u
#define STEPS 150u
#define NODES 10u
#define BOUND 25u
#define PODS  30u
#define MARKS 4u

static uint32_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % limit;
}

static bool one_in(uint32_t count)
{
    return below(count) == 0;
}

static const char *const zones[] = {"a", "b", "c"};
static const char *const apps[] = {"web", "api", "db"};
static const char *const spaces[] = {"blue", "green"};
static const char *const keys[] = {"kubernetes.io/hostname", "topology.kubernetes.io/zone", "rack"};

struct scratch { // what one pod's facts point to
    struct label labels[2];
    struct requirement requirements[8];
    const char *values[8][2];
    const char *names[2];
    struct pod_term affinity[2], anti[2];
    struct spread_constraint spread[2];
    struct host_port port;
    struct label selector;
    struct toleration toleration;
};

static struct selector random_selector(struct scratch *scratch, uint32_t at)
{
    if (one_in(12))
        return (struct selector){.nothing = true};
    if (one_in(12))
        return (struct selector){0};
    scratch->values[at][0] = apps[below(3)];
    scratch->values[at][1] = apps[below(3)];
    static const enum selector_operator operators[] = {SELECTOR_IN, SELECTOR_IN, SELECTOR_IN, SELECTOR_NOT_IN,
                                                       SELECTOR_EXISTS};
    scratch->requirements[at] = (struct requirement){.key = one_in(6) ? "tier" : "app",
                                                     .operator= operators[below(5)],
                                                     .values = scratch->values[at],
                                                     .value_count = 1 + below(2)};
    if (scratch->requirements[at].operator== SELECTOR_EXISTS)
        scratch->requirements[at].value_count = 0;
    return (struct selector){.requirements = &scratch->requirements[at], .requirement_count = 1};
}

static struct pod_term random_term(struct scratch *scratch, uint32_t at, const char *const *own)
{
    struct pod_term term = {.topology_key = keys[below(3)],
                            .selector = random_selector(scratch, at),
                            .spaces = own,
                            .space_count = 1,
                            .space_selector = {.nothing = true}};
    if (one_in(4)) { // namespaces by label
        static const char *const teams[] = {"one"};
        static const struct requirement team = {
            .key = "team", .operator= SELECTOR_IN, .values = teams, .value_count = 1};
        term.space_selector = (struct selector){.requirements = &team, .requirement_count = below(2)};
        term.space_count = below(2);
    }
    return term;
}

static struct spread_constraint random_spread(struct scratch *scratch, uint32_t at, const char *space)
{
    return (struct spread_constraint){.topology_key = keys[below(3)],
                                      .selector = random_selector(scratch, at),
                                      .space = space,
                                      .max_skew = 1 + (int32_t)below(2),
                                      .min_domains = 1 + (int32_t)(one_in(3) ? below(5) : 0),
                                      .honor_affinity = one_in(2),
                                      .honor_taints = one_in(2)};
}

static const struct pod *random_pod(struct cluster *cluster, const char *name, const char *node)
{
    struct scratch scratch = {0};
    struct pod_facts facts = make_pod(name, node, 100 * below(8), MIB * 100);
    facts.space = spaces[below(2)];
    facts.deletion_ms = one_in(15) ? 5 : 0;
    scratch.names[0] = facts.space;
    scratch.labels[0] = (struct label){"app", apps[below(3)]};
    scratch.labels[1] = (struct label){"tier", apps[below(3)]};
    facts.shape.labels = (struct labels){scratch.labels, below(3)};
    facts.shape.pod_affinity = scratch.affinity;
    facts.shape.pod_affinity_count = one_in(4) ? 1 + below(2) : 0;
    facts.shape.pod_anti_affinity = scratch.anti;
    facts.shape.pod_anti_affinity_count = one_in(4) ? 1 + below(2) : 0;
    facts.shape.spread = scratch.spread;
    facts.shape.spread_count = one_in(4) ? 1 + below(2) : 0;
    for (uint32_t i = 0; i < 2; i++) {
        scratch.affinity[i] = random_term(&scratch, i, scratch.names);
        scratch.anti[i] = random_term(&scratch, 2 + i, scratch.names);
        scratch.spread[i] = random_spread(&scratch, 4 + i, facts.space);
    }
    scratch.port = (struct host_port){one_in(2) ? "0.0.0.0" : "10.0.0.1", 80 + (int32_t)below(2),
                                      one_in(4) ? PORT_UDP : PORT_TCP};
    facts.shape.host_ports = &scratch.port;
    facts.shape.host_port_count = one_in(6);
    scratch.selector = (struct label){"topology.kubernetes.io/zone", zones[below(3)]};
    facts.shape.node_selector = (struct labels){&scratch.selector, one_in(6)};
    scratch.toleration =
        (struct toleration){.key = "gpu", .value = "", .operator= TOLERATION_EXISTS, .any_effect = true};
    facts.shape.tolerations = &scratch.toleration;
    facts.shape.toleration_count = one_in(2);
    return cluster_put_pod(cluster, &facts);
}

static void random_node(struct cluster *cluster, uint32_t i)
{
    char name[16];
    snprintf(name, sizeof(name), "node-%u", i);
    struct label labels[3];
    uint32_t count = 0;
    if (!one_in(10))
        labels[count++] = (struct label){"kubernetes.io/hostname", name};
    if (one_in(2))
        labels[count++] = (struct label){"rack", zones[below(2)]};
    if (!one_in(6))
        labels[count++] = (struct label){"topology.kubernetes.io/zone", zones[below(3)]};
    struct taint taint = {"gpu", "", TAINT_NO_SCHEDULE};
    struct node_facts facts = make_node(name);
    facts.labels = (struct labels){labels, count};
    facts.taints = (struct taints){&taint, one_in(5)};
    facts.allocatable.cpu_millis = 1000 + 1000 * below(3);
    facts.allocatable.pods = 4 + below(8);
    facts.ready = one_in(8) ? NODE_READY_FALSE : NODE_READY_TRUE;
    cluster_put_node(cluster, &facts);
}

struct life { // packing and reference, side by side
    uint32_t seed, step;
    struct cluster *cluster;
    struct arena *arena;
    struct packing packing;
    struct reference now, marked[MARKS];
    struct packing_mark marks[MARKS];
    uint32_t put_marked[MARKS][PODS];
    uint32_t mark_count;
    const struct pod *pods[PODS];
    uint32_t put[PODS]; // place, UINT32_MAX: nowhere
    struct place new_machine;
    const struct pod_shape *residents[1];
};

static void live(struct life *life, uint32_t seed)
{
    static const char *const team_one[] = {"one"};
    (void)team_one;
    static const struct resources allocatable = {.cpu_millis = 1500, .memory_bytes = GIB, .pods = 6};
    static const struct label labels[] = {{"kubernetes.io/hostname", "the-same-for-all"},
                                          {"topology.kubernetes.io/zone", "c"}};
    static const struct labels template_labels = {labels, 2};
    static const struct taints no_taints;
    random_state = seed * 7919 + 1;
    memset(life, 0, sizeof(*life));
    life->seed = seed;
    life->cluster = cluster_create();
    struct label team = {"team", "one"};
    struct namespace_facts space = {.name = "green", .labels = {&team, 1}};
    cluster_put_space(life->cluster, &space);
    for (uint32_t i = 0; i < NODES; i++)
        random_node(life->cluster, i);
    char name[16], node[16];
    for (uint32_t i = 0; i < BOUND; i++) {
        snprintf(name, sizeof(name), "bound-%u", i);
        snprintf(node, sizeof(node), "node-%u", below(NODES));
        random_pod(life->cluster, name, node);
    }
    for (uint32_t i = 0; i < PODS; i++) {
        snprintf(name, sizeof(name), "pod-%u", i);
        life->pods[i] = random_pod(life->cluster, name, "");
    }
    memset(life->put, 0xff, sizeof(life->put));
    life->arena = arena_create(1 << 16);
    life->packing = packing_create(life->arena, life->cluster);
    reference_create(&life->now, life->cluster);
    life->residents[0] = life->pods[0]->shape;
    life->new_machine = (struct place){.name = "",
                                       .labels = &template_labels,
                                       .taints = &no_taints,
                                       .allocatable = &allocatable,
                                       .ready = true,
                                       .residents = life->residents,
                                       .resident_count = one_in(2)};
}

static void end(struct life *life)
{
    arena_destroy(life->arena);
    cluster_destroy(life->cluster);
}

static void compare_one(struct life *life, uint32_t pod, uint32_t place)
{
    enum placement_verdict expected =
        reference_check(&life->now, reference_site_of(&life->now, place), life->pods[pod]);
    struct placement placement = packing_check(&life->packing, place, life->pods[pod]);
    if (placement.verdict != expected)
        fail_msg("seed %u step %u: pod %u on place %u: %s instead of %s", life->seed, life->step, pod, place,
                 placement_verdict_name(placement.verdict), placement_verdict_name(expected));
    char words[200];
    placement_describe(&placement, words, sizeof(words));
    assert_true(strlen(words) > 3);
}

static void compare_all(struct life *life)
{
    for (uint32_t pod = 0; pod < PODS; pod++) {
        for (uint32_t place = 0; place < life->packing.place_count; place++)
            compare_one(life, pod, place);
    }
}

static void put_or_take(struct life *life)
{
    uint32_t pod = below(PODS);
    uint32_t site;
    if (life->put[pod] != UINT32_MAX) {
        packing_take(&life->packing, life->put[pod], life->pods[pod]);
        reference_take(&life->now, reference_site_of(&life->now, life->put[pod]), life->pods[pod]);
        life->put[pod] = UINT32_MAX;
        return;
    }
    uint32_t expected = UINT32_MAX;
    for (uint32_t i = 0; i < life->packing.place_count && expected == UINT32_MAX; i++) {
        if (reference_check(&life->now, reference_site_of(&life->now, i), life->pods[pod]) == PLACEMENT_FITS)
            expected = i;
    }
    struct placement why;
    life->put[pod] = packing_put(&life->packing, life->pods[pod], one_in(2) ? &why : NULL);
    if (life->put[pod] != expected)
        fail_msg("seed %u step %u: pod %u went to %d instead of %d", life->seed, life->step, pod,
                 (int)life->put[pod], (int)expected);
    if (expected == UINT32_MAX)
        return;
    site = reference_site_of(&life->now, expected);
    reference_put(&life->now, site, life->pods[pod]);
}

static void remove_or_restore(struct life *life)
{
    const struct node *node = life->cluster->nodes[below(life->cluster->node_count)];
    if (one_in(2)) {
        packing_remove_node(&life->packing, node);
        reference_set_gone(&life->now, node, true);
    } else {
        packing_restore_node(&life->packing, node);
        reference_set_gone(&life->now, node, false);
    }
}

static void mark_or_roll_back(struct life *life)
{
    if (life->mark_count < MARKS && one_in(2)) {
        uint32_t at = life->mark_count++;
        life->marks[at] = packing_mark(&life->packing);
        life->marked[at] = life->now;
        memcpy(life->put_marked[at], life->put, sizeof(life->put));
    } else if (life->mark_count > 0) {
        uint32_t at = below(life->mark_count);
        packing_rollback(&life->packing, life->marks[at]);
        life->now = life->marked[at];
        memcpy(life->put, life->put_marked[at], sizeof(life->put));
        life->mark_count = at;
        compare_all(life);
    }
}

static void any_history_agrees_with_the_documents(void **state)
{
    (void)state;
    struct life *life = malloc(sizeof(*life));
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        live(life, seed);
        for (life->step = 0; life->step < STEPS; life->step++) {
            uint32_t choice = below(20);
            if (choice == 0 && life->packing.place_count < NODES + 6) {
                packing_add(&life->packing, &life->new_machine);
                reference_add(&life->now, &life->new_machine);
            } else if (choice <= 2) {
                remove_or_restore(life);
            } else if (choice == 3) {
                mark_or_roll_back(life);
            } else if (choice <= 6 && life->packing.place_count > 0) {
                compare_one(life, below(PODS), below(life->packing.place_count));
            } else {
                put_or_take(life);
            }
        }
        compare_all(life);
        end(life);
    }
    free(life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_history_agrees_with_the_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

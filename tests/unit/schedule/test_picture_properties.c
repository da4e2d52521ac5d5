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
#include "tests/unit/schedule/random_pods.h"
#include "tests/unit/schedule/reference.h"

#define SEEDS 60u
#define STEPS 150u
#define NODES 10u
#define BOUND 25u
#define PODS  30u
#define MARKS 4u

static const char *const spaces[] = {"blue", "green"};

static void random_node(struct cluster *cluster, uint32_t i)
{
    char name[16];
    snprintf(name, sizeof(name), "node-%u", i);
    struct label labels[3];
    uint32_t count = 0;
    if (!one_in(10))
        labels[count++] = (struct label){"kubernetes.io/hostname", name};
    if (one_in(2))
        labels[count++] = (struct label){"rack", random_zone()};
    if (!one_in(6))
        labels[count++] = (struct label){"topology.kubernetes.io/zone", random_zone()};
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
    static const struct resources allocatable = {.cpu_millis = 1500, .memory_bytes = GIB, .pods = 6};
    static const struct label labels[] = {{"kubernetes.io/hostname", "the-same-for-all"},
                                          {"topology.kubernetes.io/zone", "c"}};
    static const struct labels template_labels = {labels, 2};
    static const struct taints no_taints;
    random_begin(seed);
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
        random_pod(life->cluster, spaces[below(2)], name, node, NULL, false);
    }
    for (uint32_t i = 0; i < PODS; i++) {
        snprintf(name, sizeof(name), "pod-%u", i);
        life->pods[i] = random_pod(life->cluster, spaces[below(2)], name, "", NULL, false);
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

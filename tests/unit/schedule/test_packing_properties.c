// Random clusters: packing must give what a plain first fit over all places gives, whatever was put and taken
// before, and never depend on the order in which pods are handed in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/schedule/packing.h"
#include "tests/support/make_facts.h"

#define SEEDS 80u
#define NODES 20u
#define PODS  60u

static uint32_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % limit;
}

static const char *const zones[] = {"a", "b", "c"};

static struct cluster *random_cluster(const struct pod **pods)
{
    struct cluster *cluster = cluster_create();
    char name[16];
    for (uint32_t i = 0; i < NODES; i++) {
        snprintf(name, sizeof(name), "node-%u", i);
        struct label label = {"zone", zones[below(3)]};
        struct taint taint = {"gpu", "", TAINT_NO_SCHEDULE};
        struct extended_resource gpu = {"nvidia.com/gpu", 3};
        struct node_facts facts = make_node(name);
        facts.labels = (struct labels){.items = &label, .count = 1};
        facts.taints = (struct taints){.items = &taint, .count = below(4) == 0};
        facts.allocatable.cpu_millis = 1000 * (1 + below(4));
        facts.allocatable.memory_bytes = GIB * (1 + below(4));
        facts.allocatable.pods = 3 + below(5);
        facts.allocatable.extended = &gpu;
        facts.allocatable.extended_count = below(2);
        facts.unschedulable = below(8) == 0;
        cluster_put_node(cluster, &facts);
    }
    for (uint32_t i = 0; i < PODS; i++) {
        snprintf(name, sizeof(name), "pod-%u", i);
        struct pod_facts facts = make_pod(name, "", 250 * below(6), MIB * 512 * below(4));
        struct label label = {"zone", zones[below(3)]};
        struct toleration toleration = {
            .key = "gpu", .value = "", .operator= TOLERATION_EXISTS, .any_effect = true};
        struct extended_resource gpu = {"nvidia.com/gpu", 1 + below(2)};
        facts.shape.node_selector = (struct labels){.items = &label, .count = below(3) == 0};
        facts.shape.tolerations = &toleration;
        facts.shape.toleration_count = below(2);
        facts.shape.requests.extended = &gpu;
        facts.shape.requests.extended_count = below(5) == 0;
        pods[i] = cluster_put_pod(cluster, &facts);
    }
    return cluster;
}

static uint32_t plain_first_fit(const struct pod_shape *shape, const struct place *places, const bool *closed,
                                uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!closed[i] && placement_check(shape, &places[i]).verdict == PLACEMENT_FITS)
            return i;
    }
    return UINT32_MAX;
}

static void any_history_of_putting_and_taking_gives_first_fit(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        random_state = seed;
        const struct pod *pods[PODS];
        uint32_t put[PODS];
        bool closed[2 * NODES] = {false};
        struct cluster *cluster = random_cluster(pods);
        struct arena *arena = arena_create(4096);
        struct packing packing = packing_create(arena, cluster);
        static const struct resources allocatable = {.cpu_millis = 2000, .memory_bytes = 2 * GIB, .pods = 5};
        struct place place = packing.places[0];
        place.name = "";
        place.node = NULL;
        place.allocatable = &allocatable;
        place.used = (struct resources){0};
        memset(put, 0xff, sizeof(put));
        for (uint32_t i = 0; i < 600; i++) {
            uint32_t pod = below(PODS);
            uint32_t choice = below(20);
            if (choice == 0 && packing.place_count < 2 * NODES) {
                packing_add(&packing, &place);
            } else if (choice == 1) {
                uint32_t index = below(packing.node_count);
                if (closed[index])
                    packing_restore_node(&packing, packing.places[index].node);
                else
                    packing_remove_node(&packing, packing.places[index].node);
                closed[index] = !closed[index];
            } else if (put[pod] != UINT32_MAX) {
                packing_take(&packing, put[pod], pods[pod]);
                put[pod] = UINT32_MAX;
            } else {
                uint32_t expected =
                    plain_first_fit(pods[pod]->shape, packing.places, closed, packing.place_count);
                struct placement why;
                put[pod] = packing_put(&packing, pods[pod], below(2) == 0 ? &why : NULL);
                if (put[pod] != expected)
                    fail_msg("seed %u step %u: %u instead of %u", seed, i, put[pod], expected);
            }
        }
        for (uint32_t i = 0; i < PODS; i++) {
            if (put[i] != UINT32_MAX)
                packing_take(&packing, put[i], pods[i]);
        }
        for (uint32_t i = 0; i < packing.place_count; i++) {
            assert_int_equal(packing.places[i].used.cpu_millis, 0);
            assert_int_equal(packing.places[i].used.pods, 0);
            assert_int_equal(resources_extended(&packing.places[i].used, "nvidia.com/gpu"), 0);
        }
        arena_destroy(arena);
        cluster_destroy(cluster);
    }
}

static void no_place_is_ever_filled_beyond_what_it_has(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        random_state = seed;
        const struct pod *pods[PODS];
        struct cluster *cluster = random_cluster(pods);
        struct arena *arena = arena_create(4096);
        struct packing packing = packing_create(arena, cluster);
        packing_order(pods, PODS, packing.places[0].allocatable);
        for (uint32_t i = 0; i < PODS; i++) {
            uint32_t index = packing_put(&packing, pods[i], NULL);
            if (index != UINT32_MAX)
                assert_int_equal(placement_check_static(pods[i]->shape, &packing.places[index]).verdict,
                                 PLACEMENT_FITS);
        }
        for (uint32_t i = 0; i < packing.place_count; i++) {
            const struct place *place = &packing.places[i];
            assert_true(place->used.cpu_millis <= place->allocatable->cpu_millis);
            assert_true(place->used.memory_bytes <= place->allocatable->memory_bytes);
            assert_true(place->used.pods <= place->allocatable->pods);
            assert_true(resources_extended(&place->used, "nvidia.com/gpu") <=
                        resources_extended(place->allocatable, "nvidia.com/gpu"));
        }
        arena_destroy(arena);
        cluster_destroy(cluster);
    }
}

static void the_order_of_input_does_not_matter(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        random_state = seed;
        const struct pod *pods[PODS];
        struct cluster *cluster = random_cluster(pods);
        struct arena *arena = arena_create(4096);
        struct packing one = packing_create(arena, cluster);
        struct place template = one.places[0];
        const struct pod *shuffled[PODS];
        for (uint32_t i = 0; i < PODS; i++) {
            uint32_t j = below(i + 1);
            shuffled[i] = shuffled[j];
            shuffled[j] = pods[i];
        }
        packing_order(pods, PODS, template.allocatable);
        packing_order(shuffled, PODS, template.allocatable);
        assert_memory_equal(pods, shuffled, sizeof(pods));
        uint32_t landed[PODS];
        uint32_t again[PODS];
        struct packing_mark mark = packing_mark(&one);
        uint32_t used = packing_count_on(&one, &template, pods, PODS, PODS, landed);
        packing_rollback(&one, mark);
        assert_int_equal(packing_count_on(&one, &template, shuffled, PODS, PODS, again), used);
        assert_memory_equal(landed, again, sizeof(landed));
        bool taken[NODES + PODS] = {false};
        for (uint32_t i = 0; i < PODS; i++) {
            if (landed[i] != UINT32_MAX)
                taken[landed[i]] = true;
        }
        for (uint32_t i = one.node_count; i < one.place_count; i++)
            assert_true(taken[i]); // no machine without a pod
        arena_destroy(arena);
        cluster_destroy(cluster);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_history_of_putting_and_taking_gives_first_fit),
        cmocka_unit_test(no_place_is_ever_filled_beyond_what_it_has),
        cmocka_unit_test(the_order_of_input_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// What may not matter to a plan: who came first, and what else there is that has nothing to do with it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/schedule/packing.h"
#include "tests/unit/schedule/random_pods.h"

#define SEEDS 40u
#define NODES 8u
#define BOUND 16u
#define PODS  40u

static const struct taints no_taints;
static const struct resources allocatable = {.cpu_millis = 2000, .memory_bytes = 2 * GIB, .pods = 9};

// ---- who came first

static void put_again(struct cluster *cluster, const struct pod *pod)
{
    struct pod_facts facts = make_pod(pod->name, pod->node_name, 0, 0);
    facts.space = pod->space;
    facts.deletion_ms = pod->deletion_ms;
    facts.shape = pod->shape->facts;
    cluster_put_pod(cluster, &facts);
}

static void make_nodes(struct cluster *cluster, const char *half)
{
    for (uint32_t i = 0; i < NODES; i++) {
        char name[32], zone[16];
        snprintf(name, sizeof(name), "%s-node-%u", half, i);
        snprintf(zone, sizeof(zone), "%s-%u", half, i % RANDOM_ZONES);
        struct label labels[] = {
            {"half", half}, {"kubernetes.io/hostname", name}, {"topology.kubernetes.io/zone", zone}};
        struct node_facts facts = make_node(name);
        facts.labels = (struct labels){labels, 3};
        facts.allocatable.cpu_millis = 1500;
        facts.allocatable.pods = 6;
        cluster_put_node(cluster, &facts);
    }
}

// The same seed gives the same half, whatever it is called.
static void make_half(struct cluster *cluster, const char *half, uint32_t seed)
{
    random_begin(seed);
    make_nodes(cluster, half);
    const struct label selector = {"half", half};
    for (uint32_t i = 0; i < BOUND + PODS; i++) {
        char name[32], node[32] = "";
        snprintf(name, sizeof(name), "pod-%u", i);
        if (i < BOUND)
            snprintf(node, sizeof(node), "%s-node-%u", half, below(NODES));
        random_pod(cluster, half, name, node, &selector, true);
    }
}

struct plan {
    struct arena *arena;
    struct packing packing;
    const struct pod **pods;
    uint32_t *landed;
    uint32_t count, machines;
};

static struct plan make_plan(const struct cluster *cluster, const char *const *halves, uint32_t half_count)
{
    struct plan plan = {.arena = arena_create(1 << 16)};
    plan.packing = packing_create(plan.arena, cluster);
    plan.pods = ARENA_ARRAY(plan.arena, const struct pod *, cluster->unbound_count);
    plan.landed = ARENA_ARRAY(plan.arena, uint32_t, cluster->unbound_count);
    for (const struct pod *pod = cluster->unbound; pod != NULL; pod = pod->next)
        plan.pods[plan.count++] = pod;
    packing_order(plan.pods, plan.count, &allocatable);
    for (uint32_t i = 0; i < plan.count; i++)
        plan.landed[i] = packing_put(&plan.packing, plan.pods[i], NULL);
    for (uint32_t h = 0; h < half_count; h++) {
        const char *zone = arena_printf(plan.arena, "%s-0", halves[h]);
        struct label *items = ARENA_ARRAY(plan.arena, struct label, 2);
        items[0] = (struct label){"half", halves[h]};
        items[1] = (struct label){"topology.kubernetes.io/zone", zone};
        struct labels *labels = ARENA_NEW(plan.arena, struct labels);
        *labels = (struct labels){items, 2};
        struct place place = {
            .name = "", .labels = labels, .taints = &no_taints, .allocatable = &allocatable, .ready = true};
        const struct pod **left = ARENA_ARRAY(plan.arena, const struct pod *, plan.count);
        uint32_t *index = ARENA_ARRAY(plan.arena, uint32_t, plan.count);
        uint32_t *where = ARENA_ARRAY(plan.arena, uint32_t, plan.count);
        uint32_t count = 0;
        for (uint32_t i = 0; i < plan.count; i++) {
            if (plan.landed[i] != UINT32_MAX || strcmp(plan.pods[i]->space, halves[h]) != 0)
                continue;
            index[count] = i;
            left[count++] = plan.pods[i];
        }
        plan.machines += packing_count_on(&plan.packing, &place, left, count, 100, where);
        for (uint32_t i = 0; i < count; i++)
            plan.landed[index[i]] = where[i];
    }
    return plan;
}

static uint32_t landed_of(const struct plan *plan, const char *space, const char *name)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if (strcmp(plan->pods[i]->space, space) == 0 && strcmp(plan->pods[i]->name, name) == 0)
            return plan->landed[i];
    }
    return UINT32_MAX - 1;
}

static void the_order_in_which_pods_came_does_not_matter(void **state)
{
    (void)state;
    static const char *const halves[] = {"one"};
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        struct cluster *first = cluster_create(), *second = cluster_create();
        make_half(first, "one", seed);
        make_nodes(second, "one");
        char name[16];
        for (uint32_t i = BOUND + PODS; i-- > 0;) {
            snprintf(name, sizeof(name), "pod-%u", i);
            put_again(second, cluster_pod(first, "one", name));
        }
        struct plan one = make_plan(first, halves, 1), other = make_plan(second, halves, 1);
        assert_int_equal(one.machines, other.machines);
        for (uint32_t i = 0; i < one.count; i++) {
            if (one.landed[i] != landed_of(&other, "one", one.pods[i]->name))
                fail_msg("seed %u: %s", seed, one.pods[i]->name);
        }
        arena_destroy(one.arena);
        arena_destroy(other.arena);
        cluster_destroy(first);
        cluster_destroy(second);
    }
}

static void twice_the_cluster_needs_twice_the_machines(void **state)
{
    (void)state;
    static const char *const halves[] = {"one", "two"};
    uint32_t machines = 0;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        struct cluster *single = cluster_create(), *twice = cluster_create();
        make_half(single, "one", seed);
        make_half(twice, "one", seed);
        make_half(twice, "two", seed);
        struct plan plan = make_plan(single, halves, 1), both = make_plan(twice, halves, 2);
        if (both.machines != 2 * plan.machines)
            fail_msg("seed %u: %u machines instead of 2 * %u", seed, both.machines, plan.machines);
        for (uint32_t i = 0; i < plan.count; i++) {
            uint32_t one = landed_of(&both, "one", plan.pods[i]->name);
            uint32_t two = landed_of(&both, "two", plan.pods[i]->name);
            if ((plan.landed[i] == UINT32_MAX) != (one == UINT32_MAX) ||
                (one == UINT32_MAX) != (two == UINT32_MAX))
                fail_msg("seed %u: %s is placed in one cluster and not in the other", seed,
                         plan.pods[i]->name);
            if (one < NODES && (one != plan.landed[i] || two != one + NODES))
                fail_msg("seed %u: %s is elsewhere", seed, plan.pods[i]->name);
        }
        machines += plan.machines;
        arena_destroy(plan.arena);
        arena_destroy(both.arena);
        cluster_destroy(single);
        cluster_destroy(twice);
    }
    assert_true(machines > SEEDS); // or nothing was asked
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_in_which_pods_came_does_not_matter),
        cmocka_unit_test(twice_the_cluster_needs_twice_the_machines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

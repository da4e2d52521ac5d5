// Random clusters: what packing says must be what the world's scheduler does, in both directions: a pod that
// it places passes every filter there, and one that it turns away fits nowhere.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/schedule/packing.h"
#include "tests/replay/replay.h"
#include "tests/support/make_facts.h"
#include "tests/unit/replay/random_cluster.h"

#define SEEDS        400u
#define MACHINES_MAX 6u

// ---- the comparison

struct found {
    struct replay_promise promises[WAITING_MAX];
    uint32_t count;
    const struct pod *left[WAITING_MAX];
    uint32_t left_count;
};

static void put_all(struct packing *packing, const struct pod **waiting, uint32_t count, struct found *found)
{
    const struct pod *again[WAITING_MAX];
    memcpy(again, waiting, count * sizeof(const struct pod *));
    for (uint32_t before = count + 1; count > 0 && count < before;) {
        before = count;
        found->left_count = 0;
        for (uint32_t i = 0; i < before; i++) {
            uint32_t place = packing_put(packing, again[i], NULL);
            if (place == UINT32_MAX)
                found->left[found->left_count++] = again[i];
            else
                found->promises[found->count++] = (struct replay_promise){
                    .pod = again[i], .machine = REPLAY_ANYWHERE, .node = packing->places[place].node};
        }
        count = found->left_count;
        memcpy(again, found->left, count * sizeof(const struct pod *));
    }
}

// Each pod that packing turned away, alone against the picture in which all the others have their places.
static void check_turned_away(uint32_t seed, const struct cluster *cluster, struct found *found)
{
    for (uint32_t i = 0; i < found->left_count; i++) {
        found->promises[found->count] =
            (struct replay_promise){.pod = found->left[i], .machine = REPLAY_ANYWHERE};
        struct replay_plan plan = {
            .cluster = cluster, .promises = found->promises, .promise_count = found->count + 1};
        if (only_seed() != 0)
            tell_pod("turned away:", found->left[i]);
        if (replay_run(&plan, NULL) == 0)
            fail_seed(seed, "packing turns away a pod that the scheduler places", found->left[i]->name);
    }
}

static void compare_on_nodes(uint32_t seed)
{
    const struct pod *waiting[WAITING_MAX];
    uint32_t count;
    struct arena *arena = arena_create(1 << 16);
    draw_begin(seed);
    struct cluster *cluster = draw_cluster(arena, RULES_OF_EACH_POD, waiting, &count);
    struct packing packing = packing_create(arena, cluster);
    struct found found = {.count = 0};
    put_all(&packing, waiting, count, &found);
    struct replay_plan plan = {.cluster = cluster, .promises = found.promises, .promise_count = found.count};
    AUTOTEXT struct text told = {0};
    tell_plan(cluster, plan.promises, plan.promise_count);
    if (replay_run(&plan, &told) > 0)
        fail_seed(seed, "packing places a pod where the scheduler does not", text_get(&told));
    check_turned_away(seed, cluster, &found);
    arena_destroy(arena);
    cluster_destroy(cluster);
}

static void packing_and_the_scheduler_agree_on_nodes_that_are_there(void **state)
{
    (void)state;
    if (only_seed() != 0) {
        compare_on_nodes(only_seed());
        return;
    }
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        compare_on_nodes(seed);
}

// ---- machines that are planned

static void compare_on_machines(uint32_t seed)
{
    static const struct resources four_cores = {
        .cpu_millis = 4000, .memory_bytes = 8 * GIB, .ephemeral_bytes = GIB, .pods = 110};
    static const struct taints none = {0};
    const struct pod *waiting[WAITING_MAX];
    uint32_t count, landed[WAITING_MAX];
    struct arena *arena = arena_create(1 << 16);
    draw_begin(seed);
    struct cluster *cluster = draw_cluster(arena, RULES_OF_EACH_APP, waiting, &count);
    struct label zone = {"zone", draw_zone()};
    struct labels labels = {&zone, chance(90) ? 1 : 0};
    struct place template = {
        .name = "", .labels = &labels, .taints = &none, .allocatable = &four_cores, .ready = true};
    struct packing packing = packing_create(arena, cluster);
    struct found found = {.count = 0};
    put_all(&packing, waiting, count, &found); // whoever fits on what is there waits for no machine
    uint32_t before = packing.place_count;
    uint32_t added =
        packing_count_on(&packing, &template, found.left, found.left_count, MACHINES_MAX, landed);
    const struct place *machines[MACHINES_MAX];
    for (uint32_t i = 0; i < added; i++)
        machines[i] = &template;
    for (uint32_t i = 0; i < found.left_count; i++) {
        bool planned = landed[i] >= before;
        if (landed[i] != UINT32_MAX)
            found.promises[found.count++] =
                (struct replay_promise){.pod = found.left[i],
                                        .machine = planned ? landed[i] - before : REPLAY_ANYWHERE,
                                        .node = planned ? NULL : packing.places[landed[i]].node};
    }
    struct replay_plan plan = {.cluster = cluster,
                               .machines = machines,
                               .machine_count = added,
                               .promises = found.promises,
                               .promise_count = found.count};
    check_plan(seed, &plan);
    arena_destroy(arena);
    cluster_destroy(cluster);
}

static void what_is_promised_on_new_machines_is_placed(void **state)
{
    (void)state;
    if (only_seed() != 0) {
        compare_on_machines(only_seed());
        return;
    }
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        compare_on_machines(seed);
}

// ---- nodes that leave

static void compare_leaving(uint32_t seed)
{
    const struct pod *waiting[WAITING_MAX], *moving[BOUND_MAX];
    const struct node *leaving[2];
    uint32_t count, leaving_count = 0, moving_count = 0;
    struct arena *arena = arena_create(1 << 16);
    draw_begin(seed);
    struct cluster *cluster = draw_cluster(arena, RULES_OF_EACH_POD, waiting, &count);
    struct packing packing = packing_create(arena, cluster);
    for (uint32_t i = 0; i < cluster->node_count && leaving_count < 2; i++) {
        if (cluster->nodes[i]->pods != NULL && chance(50))
            leaving[leaving_count++] = cluster->nodes[i];
    }
    for (uint32_t i = 0; i < leaving_count; i++) {
        packing_remove_node(&packing, leaving[i]);
        for (const struct pod *pod = leaving[i]->pods; pod != NULL; pod = pod->next) {
            if (pod->deletion_ms == 0) // who is ending anyway moves nowhere
                moving[moving_count++] = pod;
        }
    }
    struct found found = {.count = 0};
    if (moving_count <= WAITING_MAX)
        put_all(&packing, moving, moving_count, &found);
    struct replay_plan plan = {.cluster = cluster,
                               .leaving = leaving,
                               .leaving_count = leaving_count,
                               .promises = found.promises,
                               .promise_count = found.count};
    AUTOTEXT struct text told = {0};
    tell_plan(cluster, plan.promises, plan.promise_count);
    if (replay_run(&plan, &told) > 0)
        fail_seed(seed, "a pod of a leaving node fits where the scheduler does not put it", text_get(&told));
    arena_destroy(arena);
    cluster_destroy(cluster);
}

static void pods_of_leaving_nodes_find_their_places_together(void **state)
{
    (void)state;
    if (only_seed() != 0) {
        compare_leaving(only_seed());
        return;
    }
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        compare_leaving(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_and_the_scheduler_agree_on_nodes_that_are_there),
        cmocka_unit_test(what_is_promised_on_new_machines_is_placed),
        cmocka_unit_test(pods_of_leaving_nodes_find_their_places_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

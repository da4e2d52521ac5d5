// Random clusters, sizes and limits: what the chooser buys, the world's scheduler fills as was promised, and
// no machine stays empty.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/decide/choose.h"
#include "tests/replay/replay.h"
#include "tests/support/make_facts.h"
#include "tests/unit/replay/random_cluster.h"

#define SEEDS       400u
#define CHOICES_MAX 4u
#define GROUPS      2u

struct market { // what can be had
    struct label zones[CHOICES_MAX];
    struct labels labels[CHOICES_MAX];
    struct taints none;
    struct resources amounts[CHOICES_MAX];
    struct place places[CHOICES_MAX];
    struct choice choices[CHOICES_MAX];
    struct choice_group groups[GROUPS];
    uint32_t count;
};

static void draw_market(struct market *market)
{
    memset(market, 0, sizeof *market);
    market->count = (uint32_t)draw(1, CHOICES_MAX);
    for (uint32_t i = 0; i < market->count; i++) {
        int64_t cores = draw(1, 6);
        market->zones[i] = (struct label){"zone", draw_zone()};
        market->labels[i] = (struct labels){&market->zones[i], chance(90) ? 1 : 0};
        market->amounts[i] = (struct resources){.cpu_millis = 1000 * cores,
                                                .memory_bytes = 2 * cores * GIB,
                                                .ephemeral_bytes = 10 * GIB,
                                                .pods = chance(80) ? 110 : 3};
        market->places[i] = (struct place){.name = "",
                                           .labels = &market->labels[i],
                                           .taints = &market->none,
                                           .allocatable = &market->amounts[i],
                                           .ready = true};
        market->choices[i] =
            (struct choice){.place = &market->places[i],
                            .price_hour = chance(90) ? 0.01 * (double)(cores + draw(0, 2)) : 0,
                            .group = (uint32_t)draw(0, GROUPS - 1),
                            .tier = chance(85) ? 0 : 1};
    }
    for (uint32_t i = 0; i < GROUPS; i++)
        market->groups[i] = (struct choice_group){
            .room = (uint32_t)draw(0, 6), .price_room_hour = -1, .one_size = chance(20)};
}

struct story {
    struct replay_promise promises[2 * WAITING_MAX];
    uint32_t promised;
    const struct pod *left[WAITING_MAX];
    uint32_t left_count;
};

// Who fits on what is there has a place before anything is bought.
static void fill_nodes(struct packing *packing, const struct pod **waiting, uint32_t count,
                       struct story *story)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = packing_put(packing, waiting[i], NULL);
        if (place == UINT32_MAX)
            story->left[story->left_count++] = waiting[i];
        else
            story->promises[story->promised++] = (struct replay_promise){
                .pod = waiting[i], .machine = REPLAY_ANYWHERE, .node = packing->places[place].node};
    }
}

static void check_limits(uint32_t seed, const struct market *market, const struct chosen *chosen,
                         uint32_t room)
{
    uint32_t of_group[GROUPS] = {0}, size_of_group[GROUPS];
    if (chosen->machine_count > room)
        fail_seed(seed, "more machines than there is room for", "");
    for (uint32_t i = 0; i < chosen->machine_count; i++) {
        uint32_t choice = chosen->machines[i].choice, group = market->choices[choice].group;
        if (chosen->machines[i].pods == 0)
            fail_seed(seed, "a machine without a pod", "");
        if (market->groups[group].one_size && of_group[group] > 0 && size_of_group[group] != choice)
            fail_seed(seed, "two sizes in a group of one", "");
        size_of_group[group] = choice;
        if (++of_group[group] > market->groups[group].room)
            fail_seed(seed, "more machines than their group has room for", "");
    }
}

static void buy_and_replay(uint32_t seed)
{
    const struct pod *waiting[WAITING_MAX];
    uint32_t count;
    struct market market;
    struct story story = {.promised = 0};
    struct arena *arena = arena_create(1 << 16);
    draw_begin(seed);
    struct cluster *cluster = draw_cluster(arena, RULES_OF_EACH_APP, waiting, &count);
    draw_market(&market);
    struct packing packing = packing_create(arena, cluster);
    packing_order(waiting, count, &market.amounts[0]);
    fill_nodes(&packing, waiting, count, &story);
    struct wish wish = {.arena = arena,
                        .packing = &packing,
                        .pods = story.left,
                        .pod_count = story.left_count,
                        .choices = market.choices,
                        .choice_count = market.count,
                        .groups = market.groups,
                        .group_count = GROUPS,
                        .room = chance(70) ? UINT32_MAX : (uint32_t)draw(0, 4),
                        .expander = EXPANDER_PRICE};
    struct chosen chosen = choose_machines(&wish);
    check_limits(seed, &market, &chosen, wish.room);
    const struct place **machines = ARENA_ARRAY(arena, const struct place *, chosen.machine_count + 1u);
    for (uint32_t i = 0; i < chosen.machine_count; i++)
        machines[i] = market.choices[chosen.machines[i].choice].place;
    for (uint32_t i = 0; i < story.left_count; i++) {
        if (chosen.machine_of[i] == CHOSEN_NONE)
            continue;
        bool bought = chosen.machine_of[i] != CHOSEN_FREE;
        story.promises[story.promised++] = (struct replay_promise){
            .pod = story.left[i], .machine = bought ? chosen.machine_of[i] : REPLAY_ANYWHERE};
    }
    struct replay_plan plan = {.cluster = cluster,
                               .machines = machines,
                               .machine_count = chosen.machine_count,
                               .promises = story.promises,
                               .promise_count = story.promised};
    check_plan(seed, &plan);
    arena_destroy(arena);
    cluster_destroy(cluster);
}

static void what_is_bought_serves_what_was_promised(void **state)
{
    (void)state;
    if (only_seed() != 0) {
        buy_and_replay(only_seed());
        return;
    }
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        buy_and_replay(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_bought_serves_what_was_promised)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

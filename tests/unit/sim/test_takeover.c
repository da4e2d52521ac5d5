// Death at any step: a coordinator is killed at every command, before it leaves, after its effect and after
// its outcome, and its successor finishes what was begun; two leaders overlap.
#include "tests/unit/sim/tale.h"

#include <stdio.h>
#include <stdlib.h>

// ------------------------------------------------------------------------------------ the two stories

static struct sim *grow_begin(void)
{
    struct sim *sim = tale_begin(71, 0, 5);
    tale_deploy(sim, "web", 6);
    return sim;
}

static bool grown(struct sim *sim, void *context)
{
    (void)context;
    return count_pods(sim_world(sim), "default", "web", PODS_READY) == 6 && tale_machines(sim) == 2;
}

// Half an hour later everything is as it was: two machines, two intentions, nothing marked.
static void grow_end(struct sim *sim)
{
    tale_until(sim, grown, NULL, MINUTES(60), "six pods are Ready on two machines");
    tale_run(sim, MINUTES(5));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, tale_alive(sim) == 2);
    tale_end(sim);
}

static struct sim *shrink_begin(uint64_t *first)
{
    struct sim *sim = tale_begin(72, 1, 5);
    tale_grow(sim, 2);
    scale_deployment(sim_world(sim), "default", "web", 0);
    tale_run(sim, SECONDS(40));
    tale_deploy(sim, "app", 2);
    tale_until_ready(sim, "app", 2, MINUTES(1));
    tale_run(sim, SECONDS(30));
    *first = sim_commands(sim);
    return sim;
}

static bool shrunk(struct sim *sim, void *context)
{
    (void)context;
    return count_pods(sim_world(sim), "default", "app", PODS_READY) == 2 && tale_machines(sim) == 1 &&
           tale_alive(sim) == 1 && tale_marked(sim) == 0;
}

static void shrink_end(struct sim *sim)
{
    tale_until(sim, shrunk, NULL, MINUTES(180), "two pods are Ready on the one machine that is left");
    tale_run(sim, MINUTES(5));
    tale_assert(sim, tale_machines(sim) == 1);
    tale_assert(sim, tale_alive(sim) == 1);
    tale_end(sim);
}

// How many commands a story takes undisturbed, from its interesting point on.
static uint64_t length_of(struct sim *sim, sim_condition done, uint64_t first)
{
    tale_until(sim, done, NULL, MINUTES(180), "the story ends");
    uint64_t length = sim_commands(sim) - first;
    sim_destroy(sim);
    return length;
}

// SIM_STEP=n: every n'th command only.
static uint64_t stride(void)
{
    const char *text = getenv("SIM_STEP");
    uint64_t step = text == NULL ? 1 : strtoull(text, NULL, 10);
    return step == 0 ? 1 : step;
}

static void scale_up_survives_death_at_every_command(void **state)
{
    (void)state;
    uint64_t length = length_of(grow_begin(), grown, 0);
    assert_true(length > 10);
    for (uint64_t index = 0; index < length; index += stride()) {
        for (unsigned death = 0; death < SIM_DEATH_COUNT; death++) {
            struct sim *sim = grow_begin();
            sim_kill_at(sim, index, (enum sim_death)death);
            grow_end(sim);
        }
    }
}

static void scale_down_survives_death_at_every_command(void **state)
{
    (void)state;
    uint64_t first = 0, ignored = 0;
    struct sim *undisturbed = shrink_begin(&first);
    uint64_t length = length_of(undisturbed, shrunk, first);
    assert_true(length > 10);
    for (uint64_t index = 0; index < length; index += stride()) {
        for (unsigned death = 0; death < SIM_DEATH_COUNT; death++) {
            struct sim *sim = shrink_begin(&ignored);
            sim_kill_at(sim, first + index, (enum sim_death)death);
            shrink_end(sim);
        }
    }
}

static void killed_again_and_again_it_still_gets_there(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(73, 0, 8);
    tale_deploy(sim, "web", 12);
    for (unsigned i = 0; i < 12; i++) {
        tale_run(sim, SECONDS(35));
        if (sim_leader(sim) != 0)
            sim_kill(sim, sim_leader(sim));
    }
    tale_until_ready(sim, "web", 12, MINUTES(60));
    tale_run(sim, MINUTES(40));
    tale_assert(sim, tale_machines(sim) == 4);
    tale_assert(sim, tale_alive(sim) == 4);
    tale_end(sim);
}

// ------------------------------------------------------------------------------------------ two leaders

static void of_two_coordinators_one_acts(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(74, 0, 8);
    sim_start(sim);
    sim_start(sim);
    tale_grow(sim, 3);
    tale_assert(sim, sim_leader(sim) == 1);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 3);
    tale_end(sim);
}

static void a_leader_that_was_stopped_past_its_lease_does_nothing_when_it_wakes(void **state)
{
    (void)state;
    for (int64_t after_ms = 0; after_ms < 12000; after_ms += 400) {
        struct sim *sim = tale_begin(75, 0, 8);
        sim_start(sim);
        tale_run(sim, SECONDS(20));
        tale_deploy(sim, "web", 6);
        tale_run(sim, after_ms);
        sim_freeze(sim, sim_leader(sim), SECONDS(40));
        tale_run(sim, SECONDS(30));
        tale_assert(sim, sim_leader(sim) == 2);
        tale_until_ready(sim, "web", 6, MINUTES(40));
        tale_run(sim, MINUTES(5));
        tale_assert(sim, tale_machines(sim) == 2);
        tale_assert(sim, tale_alive(sim) == 2);
        tale_end(sim);
    }
}

static void a_predecessor_s_last_call_may_land_after_its_successor_has_begun(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(76, 0, 8);
    tale_run(sim, SECONDS(20));
    sim_fault_next(sim, COMMAND_VPSIE_ADD_MACHINE, SIM_FAULT_LATE, 1);
    tale_deploy(sim, "web", 3);
    while (sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 0)
        tale_run(sim, 20);
    sim_kill(sim, sim_leader(sim));
    tale_until_ready(sim, "web", 3, MINUTES(40));
    tale_run(sim, MINUTES(40));
    tale_assert(sim, tale_machines(sim) == 1);
    tale_assert(sim, tale_alive(sim) == 1);
    tale_end(sim);
}

static void a_clean_stop_hands_over_at_once(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(77, 0, 8);
    sim_start(sim);
    tale_run(sim, SECONDS(20));
    sim_stop(sim, 1);
    tale_run(sim, SECONDS(5));
    tale_assert(sim, sim_leader(sim) == 2);
    tale_end(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scale_up_survives_death_at_every_command),
        cmocka_unit_test(scale_down_survives_death_at_every_command),
        cmocka_unit_test(killed_again_and_again_it_still_gets_there),
        cmocka_unit_test(of_two_coordinators_one_acts),
        cmocka_unit_test(a_leader_that_was_stopped_past_its_lease_does_nothing_when_it_wakes),
        cmocka_unit_test(a_predecessor_s_last_call_may_land_after_its_successor_has_begun),
        cmocka_unit_test(a_clean_stop_hands_over_at_once),
    };
    return cmocka_run_group_tests_name("taking over", tests, NULL, NULL);
}

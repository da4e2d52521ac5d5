#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/life_stage.h"

#define SECOND_MS 1000
#define MINUTE_MS (60 * SECOND_MS)

static struct life_stage *life;
static struct stage *stage;

static int setup(void **state)
{
    (void)state;
    life = life_stage_create();
    stage = life->stage;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    life_stage_destroy(life);
    return 0;
}

static void anew(void)
{
    teardown(NULL);
    setup(NULL);
}

static bool held(void)
{
    return stage->core->brakes[BRAKE_MANY_BROKEN].on;
}

// ---- nodes

static void strangers(uint32_t count) // Ready nodes that are nobody's
{
    for (uint32_t i = 1; i <= count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "f-%u", i);
        stage_step(stage, stage_node_event(stage, name, 3500, 7168));
    }
}

static void stranger_is(uint32_t number, enum node_ready ready)
{
    char name[16];
    snprintf(name, sizeof(name), "f-%u", number);
    struct event *event = stage_node_event(stage, name, 3500, 7168);
    event->object.node->ready = ready;
    event->object.node->ready_changed_ms = stage->now_ms;
    life_stage_step(life, event);
}

static void machines(const char *group, const char *prefix, uint32_t count)
{
    stage_group(stage, group, 0, 40);
    for (uint32_t i = 1; i <= count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%s-%u", prefix, i);
        stage_machine(stage, name, group);
    }
    stage_group(stage, group, (int32_t)count, 40); // none of them is too many
}

static void machine_is(const char *group, const char *prefix, uint32_t number, enum node_ready ready)
{
    char name[16];
    snprintf(name, sizeof(name), "%s-%u", prefix, number);
    struct event *event = life_stage_node(life, name, group);
    event->object.node->ready = ready;
    event->object.node->ready_changed_ms = stage->now_ms;
    life_stage_step(life, event);
}

// ---- of all nodes

static void more_than_three_and_more_than_45_percent_of_all_nodes_hold(void **state)
{
    (void)state;
    static const struct {
        uint32_t nodes, most; // so many may be broken
    } cases[] = {{3, 3}, {4, 3}, {6, 3}, {8, 3}, {9, 4}, {10, 4}, {11, 4}, {20, 9}, {40, 18}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        strangers(cases[i].nodes);
        for (uint32_t number = 1; number <= cases[i].most; number++)
            stranger_is(number, NODE_READY_UNKNOWN);
        life_stage_wait(life, 30 * MINUTE_MS);
        assert_false(held());
        if (cases[i].nodes > cases[i].most) {
            stranger_is(cases[i].most + 1, NODE_READY_FALSE);
            life_stage_wait(life, 6 * MINUTE_MS);
            assert_true(held());
        }
        anew();
    }
}

static void a_node_counts_after_half_its_time_and_no_longer_when_it_is_ready(void **state)
{
    (void)state;
    strangers(6);
    for (uint32_t number = 1; number <= 4; number++)
        stranger_is(number, NODE_READY_UNKNOWN);
    life_stage_wait(life, 5 * MINUTE_MS - 20 * SECOND_MS);
    assert_false(held());
    life_stage_wait(life, 40 * SECOND_MS);
    assert_true(held());
    stranger_is(4, NODE_READY_TRUE);
    life_stage_wait(life, 20 * SECOND_MS);
    assert_false(held());
}

static void the_words_say_how_many(void **state)
{
    (void)state;
    strangers(6);
    for (uint32_t number = 1; number <= 4; number++)
        stranger_is(number, NODE_READY_UNKNOWN);
    life_stage_wait(life, 6 * MINUTE_MS);
    assert_string_equal(stage->core->brakes[BRAKE_MANY_BROKEN].detail,
                        "4 of 6 nodes are not Ready, more than 3");
}

// ---- of a group

static void more_than_one_and_more_than_20_percent_of_a_group_hold(void **state)
{
    (void)state;
    static const struct {
        uint32_t nodes, most;
    } cases[] = {{2, 1}, {4, 1}, {5, 1}, {9, 1}, {10, 2}, {14, 2}, {15, 3}, {24, 4}};
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        bool one_more = i % 2 == 1;
        machines("general", "w", cases[i / 2].nodes);
        strangers(20); // so that it is few of all nodes
        for (uint32_t number = 1; number <= cases[i / 2].most + one_more; number++)
            machine_is("general", "w", number, NODE_READY_UNKNOWN);
        life_stage_wait(life, 6 * MINUTE_MS); // not yet long enough to be replaced
        assert_int_equal(held(), one_more);
        anew();
    }
}

static void broken_nodes_of_two_groups_are_not_added_up(void **state)
{
    (void)state;
    machines("general", "w", 4);
    machines("batch", "b", 4);
    machine_is("general", "w", 1, NODE_READY_UNKNOWN);
    machine_is("batch", "b", 1, NODE_READY_UNKNOWN);
    life_stage_wait(life, 6 * MINUTE_MS);
    assert_false(held());
}

// ---- what a brake holds

static void one_broken_machine_of_a_group_is_replaced(void **state)
{
    (void)state;
    machines("general", "w", 4);
    machine_is("general", "w", 2, NODE_READY_UNKNOWN);
    assert_true(life_stage_wait_for(life, COMMAND_VPSIE_DELETE_MACHINE, 15 * MINUTE_MS));
    assert_string_equal(stage_find(stage, COMMAND_VPSIE_DELETE_MACHINE)->delete_machine.identifier, "id-w-2");
    assert_int_equal(stage_count(stage, COMMAND_KUBE_EVICT), 0);
}

static void a_broken_machine_that_is_being_deleted_does_not_count_any_more(void **state)
{
    (void)state;
    machines("general", "w", 4);
    machine_is("general", "w", 2, NODE_READY_UNKNOWN);
    life->by_hand[COMMAND_VPSIE_DELETE_MACHINE] = true; // VPSie takes its time
    assert_true(life_stage_wait_for(life, COMMAND_VPSIE_DELETE_MACHINE, 15 * MINUTE_MS));
    machine_is("general", "w", 3, NODE_READY_UNKNOWN);
    life_stage_wait(life, 7 * MINUTE_MS);
    assert_false(held());
}

static void two_broken_machines_of_a_group_wait_for_a_person(void **state)
{
    (void)state;
    machines("general", "w", 4);
    machine_is("general", "w", 2, NODE_READY_UNKNOWN);
    machine_is("general", "w", 3, NODE_READY_UNKNOWN);
    life_stage_wait(life, 60 * MINUTE_MS);
    assert_true(held());
    assert_int_equal(stage_count(stage, COMMAND_KUBE_CORDON), 0);
    assert_int_equal(stage_count(stage, COMMAND_VPSIE_DELETE_MACHINE), 0);
    struct event *event = event_create(EVENT_OPERATOR);
    event->operator_request.verb = OPERATOR_RESUME;
    event->operator_request.request_id = 1;
    event->operator_request.argument = "";
    life_stage_step(life, event);
    life_stage_wait(life, 2 * MINUTE_MS);
    assert_false(held());
    assert_int_equal(stage_count(stage, COMMAND_VPSIE_DELETE_MACHINE), 1); // one at a time
}

static void what_a_person_accepted_does_not_cover_one_more(void **state)
{
    (void)state;
    strangers(8);
    for (uint32_t number = 1; number <= 4; number++)
        stranger_is(number, NODE_READY_UNKNOWN);
    life_stage_wait(life, 6 * MINUTE_MS);
    struct event *event = event_create(EVENT_OPERATOR);
    event->operator_request.verb = OPERATOR_RESUME;
    event->operator_request.request_id = 1;
    event->operator_request.argument = "";
    life_stage_step(life, event);
    life_stage_wait(life, MINUTE_MS);
    assert_false(held());
    stranger_is(5, NODE_READY_UNKNOWN);
    life_stage_wait(life, 6 * MINUTE_MS);
    assert_true(held());
}

// w-2 holds one small pod that fits on w-1.
static void one_too_many(void)
{
    machines("general", "w", 2);
    stage_group(stage, "general", 1, 10);
    stage_running(stage, "big", "w-1", 2800, 2048);
    stage_running(stage, "small", "w-2", 100, 64);
}

static void a_node_that_is_not_needed_waits_as_well(void **state)
{
    (void)state;
    one_too_many();
    strangers(4);
    for (uint32_t number = 1; number <= 4; number++)
        stranger_is(number, NODE_READY_UNKNOWN);
    assert_false(life_stage_wait_for(life, COMMAND_KUBE_CORDON, 40 * MINUTE_MS));
    for (uint32_t number = 1; number <= 4; number++)
        stranger_is(number, NODE_READY_TRUE);
    assert_true(life_stage_wait_for(life, COMMAND_KUBE_CORDON, 20 * MINUTE_MS));
}

static void a_machine_that_is_being_removed_is_not_deleted_once_many_nodes_break(void **state)
{
    (void)state;
    one_too_many();
    strangers(4);
    life->agent_says = EVIDENCE_BUSY;
    assert_true(life_stage_wait_for(life, COMMAND_KUBE_CORDON, 20 * MINUTE_MS));
    for (uint32_t number = 1; number <= 4; number++) {
        struct event *event =
            stage_node_event(stage, (const char *[]){"f-1", "f-2", "f-3", "f-4"}[number - 1], 3500, 7168);
        event->object.node->ready = NODE_READY_UNKNOWN;
        event->object.node->ready_changed_ms = stage->now_ms - 6 * MINUTE_MS;
        life_stage_step(life, event);
    }
    life->agent_says = EVIDENCE_READY;
    life_stage_wait(life, 10 * MINUTE_MS);
    assert_true(held());
    assert_int_equal(stage_count(stage, COMMAND_KUBE_EVICT), 0);
    assert_int_equal(stage_count(stage, COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_UNCORDON), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(more_than_three_and_more_than_45_percent_of_all_nodes_hold),
        TEST(a_node_counts_after_half_its_time_and_no_longer_when_it_is_ready),
        TEST(the_words_say_how_many),
        TEST(more_than_one_and_more_than_20_percent_of_a_group_hold),
        TEST(broken_nodes_of_two_groups_are_not_added_up),
        TEST(one_broken_machine_of_a_group_is_replaced),
        TEST(a_broken_machine_that_is_being_deleted_does_not_count_any_more),
        TEST(two_broken_machines_of_a_group_wait_for_a_person),
        TEST(what_a_person_accepted_does_not_cover_one_more),
        TEST(a_node_that_is_not_needed_waits_as_well),
        TEST(a_machine_that_is_being_removed_is_not_deleted_once_many_nodes_break),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

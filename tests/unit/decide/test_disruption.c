// Budgets for disturbance: how many nodes of a group may leave at once, and when.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/decide/disruption.h"
#include "tests/unit/decide/policy_stage.h"

#define MINUTE_MS 60000
#define HOUR_MS   3600000

static struct stage *stage;

static int setup(void **state)
{
    (void)state;
    stage = stage_create(); // it is midnight, a Thursday
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stage_destroy(stage);
    return 0;
}

static const struct disruption_budget_facts ANY = {.nodes_max = -1, .percent = 100, .schedule = ""};

static void configure(const struct disruption_budget_facts *budgets, uint32_t count)
{
    struct event *event = stage_config_event(stage);
    event->object.config->max_concurrent_scale_downs = 100;
    event->object.config->budgets = budgets;
    event->object.config->budget_count = count;
    stage_step(stage, event);
}

static void configure_one(struct disruption_budget_facts budget)
{
    configure(&budget, 1);
}

static void idle_machines(const char *group, int count)
{
    struct event *event = stage_group_event(stage, group, 0, 100);
    event->object.group->status_vpsie_group_id = 7 + (int64_t)stage->core->cluster->group_count;
    stage_step(stage, event);
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%s-%02d", group, i);
        stage_machine(stage, name, group);
    }
}

static void live(int64_t ms)
{
    for (int64_t left = ms; left > 0; left -= 20000) {
        stage_wait(stage, left < 20000 ? left : 20000);
        stage_reports(stage);
    }
    stage_wait(stage, 5000);
}

static int64_t left(const char *group, enum disruption_reason reason)
{
    return policy_disruption_room(stage->core, cluster_group(stage->core->cluster, NULL, group), reason).left;
}

static void without_a_budget_nothing_is_limited(void **state)
{
    (void)state;
    idle_machines("general", 3);
    assert_true(left("general", DISRUPTION_EMPTY) == INT64_MAX);
    configure(NULL, 0);
    assert_true(left("general", DISRUPTION_EMPTY) == INT64_MAX);
}

static void at_most_so_many_nodes_leave_at_once(void **state)
{
    (void)state;
    struct disruption_budget_facts budget = ANY;
    budget.nodes_max = 2;
    configure_one(budget);
    idle_machines("general", 6);
    live(15 * MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 2);
    assert_int_equal(left("general", DISRUPTION_EMPTY), 0);
    struct node_answer answer =
        policy_node_rules(stage->core, cluster_node(stage->core->cluster, "general-05"));
    assert_string_equal(answer.rule, "budget for disturbance");
    assert_int_equal(answer.verdict, RULE_WAITS);
}

static void a_share_of_the_group_is_rounded_up_and_each_group_has_its_own(void **state)
{
    (void)state;
    struct disruption_budget_facts budget = ANY;
    budget.percent = 30;
    configure_one(budget);
    idle_machines("general", 4);
    idle_machines("other", 10);
    assert_int_equal(left("general", DISRUPTION_EMPTY), 2); // 1.2
    assert_int_equal(left("other", DISRUPTION_EMPTY), 3);
    live(15 * MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 2 + 3);
}

static void none_at_all_is_a_budget_too(void **state)
{
    (void)state;
    struct disruption_budget_facts budget = ANY;
    budget.nodes_max = 0;
    configure_one(budget);
    idle_machines("general", 3);
    live(15 * MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 0);
    struct node_answer answer =
        policy_node_rules(stage->core, cluster_node(stage->core->cluster, "general-01"));
    assert_string_equal(answer.rule, "budget for disturbance");
    assert_int_equal(answer.verdict, RULE_BLOCKS);
}

static void a_budget_holds_only_in_its_window(void **state)
{
    (void)state;
    struct disruption_budget_facts budget = ANY;
    budget.nodes_max = 0;
    budget.schedule = "0 23,0 * * *";
    budget.duration_seconds = 1800;
    configure_one(budget);
    idle_machines("general", 3);
    live(25 * MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 0);
    live(6 * MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 3);
}

static void the_end_of_a_window_wakes_the_core(void **state)
{
    (void)state;
    struct disruption_budget_facts budget = ANY;
    budget.nodes_max = 0;
    budget.schedule = "@daily";
    budget.duration_seconds = 1200;
    configure_one(budget);
    idle_machines("general", 2);
    live(19 * MINUTE_MS);
    assert_true(core_next_wake_ms(stage->core) <= STAGE_START_MS + 20 * MINUTE_MS);
}

static void the_narrowest_budget_in_force_counts(void **state)
{
    (void)state;
    struct disruption_budget_facts budgets[] = {ANY, ANY, ANY};
    budgets[0].nodes_max = 5;
    budgets[1].nodes_max = 2;
    budgets[2].nodes_max = 0;
    budgets[2].schedule = "0 12 * * *"; // not now
    budgets[2].duration_seconds = 3600;
    configure(budgets, 3);
    idle_machines("general", 8);
    assert_int_equal(left("general", DISRUPTION_EMPTY), 2);
    stage->now_ms = STAGE_START_MS + 12 * HOUR_MS;
    stage_wait(stage, 1);
    assert_int_equal(left("general", DISRUPTION_EMPTY), 0);
}

static void a_budget_names_its_groups_and_reasons(void **state)
{
    (void)state;
    static const char *const OTHER[] = {"other"};
    struct disruption_budget_facts budgets[] = {ANY, ANY};
    budgets[0].nodes_max = 1;
    budgets[0].groups = OTHER;
    budgets[0].group_count = 1;
    budgets[1].nodes_max = 0;
    budgets[1].reasons = DISRUPTION_REPLACEMENT | DISRUPTION_CONSOLIDATION;
    configure(budgets, 2);
    idle_machines("general", 2);
    idle_machines("other", 3);
    assert_true(left("general", DISRUPTION_EMPTY) == INT64_MAX);
    assert_int_equal(left("general", DISRUPTION_REPLACEMENT), 0);
    assert_int_equal(left("other", DISRUPTION_UNDERUSED), 1);
    assert_int_equal(left("other", DISRUPTION_CONSOLIDATION), 0);
}

static void a_node_that_is_not_ready_is_disturbed_already(void **state)
{
    (void)state;
    struct disruption_budget_facts budget = ANY;
    budget.nodes_max = 2;
    configure_one(budget);
    idle_machines("general", 5);
    struct event *event = stage_node_event(stage, "general-00", 3500, 7168);
    event->object.node->ready = NODE_READY_FALSE;
    event->object.node->ready_changed_ms = stage->now_ms;
    stage_step(stage, event);
    assert_int_equal(left("general", DISRUPTION_EMPTY), 1);
}

static void what_cannot_be_read_holds_always(void **state)
{
    (void)state;
    struct disruption_budget_facts budget = ANY;
    budget.nodes_max = 1;
    budget.schedule = "at night";
    budget.duration_seconds = 3600;
    int64_t until_ms = 0;
    assert_true(disruption_in_force(&budget, STAGE_START_MS, &until_ms));
    assert_true(until_ms == INT64_MAX);
    budget.schedule = "0 12 * * *";
    budget.duration_seconds = 0;
    assert_true(disruption_in_force(&budget, STAGE_START_MS, NULL));
    budget.duration_seconds = 60;
    assert_false(disruption_in_force(&budget, STAGE_START_MS, NULL));
}

static void it_is_said_in_words(void **state)
{
    (void)state;
    struct disruption_budget_facts budget = ANY;
    budget.percent = 10;
    budget.schedule = "0 0 * * *";
    budget.duration_seconds = 8 * 3600;
    configure_one(budget);
    idle_machines("general", 10);
    struct disruption_room room = policy_disruption_room(
        stage->core, cluster_group(stage->core->cluster, NULL, "general"), DISRUPTION_EMPTY);
    char text[200];
    disruption_describe(&room, text, sizeof(text));
    assert_string_equal(text, "1 (10%), \"0 0 * * *\" UTC for 8h");
    assert_int_equal(room.due_ms, STAGE_START_MS + 8 * HOUR_MS);
}

static void a_wider_budget_does_not_widen_a_narrower_one(void **state)
{
    (void)state;
    struct disruption_budget_facts budgets[] = {ANY, ANY};
    budgets[0].nodes_max = 2;
    budgets[1].nodes_max = 5;
    configure(budgets, 2);
    idle_machines("general", 8);
    assert_int_equal(left("general", DISRUPTION_EMPTY), 2);
}

static void a_machine_that_has_no_node_yet_is_not_one_of_the_share(void **state)
{
    (void)state;
    struct disruption_budget_facts budget = ANY;
    budget.percent = 50;
    configure_one(budget);
    idle_machines("general", 2);
    stage_step(stage, stage_intention_event(stage, "general-late", "general"));
    assert_int_equal(cluster_group(stage->core->cluster, NULL, "general")->intention_count, 3);
    assert_int_equal(left("general", DISRUPTION_EMPTY), 1); // of three it would be 1.5: two
}

static void a_budget_that_always_holds_says_why(void **state)
{
    (void)state;
    struct disruption_budget_facts budget = ANY;
    budget.nodes_max = 3;
    struct disruption_room room = {.limit = 3, .left = 3};
    char text[200];
    disruption_describe(&room, text, sizeof(text));
    assert_string_equal(text, "none");
    room.budget = &budget;
    disruption_describe(&room, text, sizeof(text));
    assert_string_equal(text, "3");
    budget.schedule = "at night";
    disruption_describe(&room, text, sizeof(text));
    assert_string_equal(text, "3, always: schedule \"at night\" has no duration");
    budget.duration_seconds = 3600;
    disruption_describe(&room, text, sizeof(text));
    assert_string_equal(text, "3, always: schedule \"at night\" cannot be read");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_budget_nothing_is_limited),
        TEST(at_most_so_many_nodes_leave_at_once),
        TEST(a_share_of_the_group_is_rounded_up_and_each_group_has_its_own),
        TEST(none_at_all_is_a_budget_too),
        TEST(a_budget_holds_only_in_its_window),
        TEST(the_end_of_a_window_wakes_the_core),
        TEST(the_narrowest_budget_in_force_counts),
        TEST(a_budget_names_its_groups_and_reasons),
        TEST(a_node_that_is_not_ready_is_disturbed_already),
        TEST(what_cannot_be_read_holds_always),
        TEST(it_is_said_in_words),
        TEST(a_wider_budget_does_not_widen_a_narrower_one),
        TEST(a_machine_that_has_no_node_yet_is_not_one_of_the_share),
        TEST(a_budget_that_always_holds_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

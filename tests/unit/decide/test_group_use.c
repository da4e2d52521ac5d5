// Measured use makes a group grow before pods wait.
#include <stdio.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/unit/decide/policy_stage.h"

static struct stage *stage;

static int setup(void **state)
{
    (void)state;
    stage = stage_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stage_destroy(stage);
    return 0;
}

static struct event *group(int32_t cpu, int32_t memory)
{
    struct event *event = stage_group_event(stage, "general", 0, 4);
    event->object.group->scale_up.stabilization_seconds = 60;
    event->object.group->scale_up.cpu_threshold_percent = cpu;
    event->object.group->scale_up.memory_threshold_percent = memory;
    return event;
}

// The agent of a node of 4 cpu says so.
static void uses(const char *node, int64_t cpu_percent, int64_t memory_percent)
{
    struct event *event = stage_report_event(stage, node);
    struct agent_report_facts *report = (struct agent_report_facts *)(uintptr_t)event->report;
    report->cpu_used_millis = 40 * cpu_percent;
    report->memory_total_bytes = (int64_t)8 << 30;
    report->memory_used_bytes = report->memory_total_bytes / 100 * memory_percent;
    stage_step(stage, event);
}

static void for_seconds(int seconds, const char *const *nodes, int count, int64_t cpu, int64_t memory)
{
    for (int i = 0; i < seconds; i += 5) {
        for (int k = 0; k < count; k++)
            uses(nodes[k], cpu, memory);
        stage_wait(stage, 5000);
    }
}

static const char *const TWO[] = {"w-1", "w-2"};

static void machines(void)
{
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_wait(stage, 3000);
    stage_forget(stage);
}

static void use_above_the_threshold_for_the_window_brings_one_machine(void **state)
{
    (void)state;
    stage_step(stage, group(80, 80));
    machines();
    for_seconds(50, TWO, 2, 90, 20);
    assert_int_equal(stage_coming(stage, "general"), 0);
    for_seconds(20, TWO, 2, 90, 20);
    assert_int_equal(stage_coming(stage, "general"), 1);
    assert_non_null(strstr(stage_last(stage)->reason, "cpu use is 90%, the threshold 80%, for 1m"));
    for_seconds(200, TWO, 2, 95, 20); // one at a time
    assert_int_equal(stage_coming(stage, "general"), 1);
}

static void memory_counts_as_cpu_does(void **state)
{
    (void)state;
    stage_step(stage, group(80, 70));
    machines();
    for_seconds(75, TWO, 2, 10, 75);
    assert_int_equal(stage_coming(stage, "general"), 1);
    assert_non_null(strstr(stage_last(stage)->reason, "memory use is 75%, the threshold 70%"));
}

static void a_moment_below_begins_the_window_anew(void **state)
{
    (void)state;
    stage_step(stage, group(80, 80));
    machines();
    for_seconds(50, TWO, 2, 90, 20);
    for_seconds(10, TWO, 2, 70, 20);
    for_seconds(45, TWO, 2, 90, 20);
    assert_int_equal(stage_coming(stage, "general"), 0);
}

static void the_group_as_a_whole_is_measured(void **state)
{
    (void)state;
    stage_step(stage, group(80, 80));
    machines();
    for (int i = 0; i < 30; i++) {
        uses("w-1", 100, 20);
        uses("w-2", 20, 20);
        stage_wait(stage, 5000);
    }
    assert_int_equal(stage_coming(stage, "general"), 0);
}

static void a_silent_agent_keeps_it_from_being_concluded(void **state)
{
    (void)state;
    stage_step(stage, group(80, 80));
    machines();
    stage_wait(stage, 120000); // w-2 falls silent
    for_seconds(120, TWO, 1, 99, 99);
    assert_int_equal(stage_coming(stage, "general"), 0);
}

static void nothing_of_it_without_scale_up_at_the_maximum_or_in_a_dry_run(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        struct event *event = group(80, 80);
        if (which == 0)
            event->object.group->scale_up.enabled = false;
        if (which == 1)
            event->object.group->max_nodes = 2;
        stage->core->config.dry_run = which == 2;
        stage_step(stage, event);
        machines();
        for_seconds(120, TWO, 2, 95, 20);
        assert_int_equal(stage_coming(stage, "general"), 0);
        assert_int_equal(stage_decisions(stage), 0);
        stage_destroy(stage);
        stage = stage_create();
    }
}

static void a_threshold_of_nothing_is_none(void **state)
{
    (void)state;
    stage_step(stage, group(0, 0));
    machines();
    for_seconds(120, TWO, 2, 99, 99);
    assert_int_equal(stage_coming(stage, "general"), 0);
}

static void no_node_goes_that_would_bring_the_others_there(void **state)
{
    (void)state;
    struct event *event = group(80, 80);
    event->object.group->scale_down.cpu_threshold_percent = 60;
    event->object.group->scale_down.memory_threshold_percent = 60;
    event->object.group->min_nodes = 1;
    stage_step(stage, event);
    machines();
    for_seconds(1500, TWO, 2, 45, 10); // together 90 % of one
    assert_int_equal(stage_leaving(stage), 0);
    for_seconds(1500, TWO, 2, 30, 10);
    assert_int_equal(stage_leaving(stage), 1);
}

static void explain_tells_the_use_and_the_threshold(void **state)
{
    (void)state;
    stage_step(stage, group(80, 80));
    machines();
    for_seconds(30, TWO, 2, 90, 20);
    struct arena *arena = arena_create(4096);
    struct explanation found;
    assert_true(explain_group(stage->core, arena, "general", &found));
    bool told = false;
    for (uint32_t i = 0; i < found.rule_count; i++)
        told = told || (strcmp(found.rules[i].name, "measured use") == 0 &&
                        strstr(found.rules[i].saw, "cpu 90% memory 20%, above for") != NULL);
    assert_true(told);
    arena_destroy(arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(use_above_the_threshold_for_the_window_brings_one_machine),
        TEST(memory_counts_as_cpu_does),
        TEST(a_moment_below_begins_the_window_anew),
        TEST(the_group_as_a_whole_is_measured),
        TEST(a_silent_agent_keeps_it_from_being_concluded),
        TEST(nothing_of_it_without_scale_up_at_the_maximum_or_in_a_dry_run),
        TEST(a_threshold_of_nothing_is_none),
        TEST(no_node_goes_that_would_bring_the_others_there),
        TEST(explain_tells_the_use_and_the_threshold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

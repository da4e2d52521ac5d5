#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void answer(const struct command *command, enum outcome outcome)
{
    struct event *event = event_create(EVENT_OUTCOME);
    event->outcome.command_id = command->id;
    event->outcome.outcome = outcome;
    event->outcome.detail = event->outcome.uid = event->outcome.resource_version = "";
    event->outcome.fresh.predecessor_webhook_names = "";
    stage_step(stage, event);
}

// The last write.
static const struct command *written(void)
{
    const struct command *command = stage_find(stage, COMMAND_KUBE_GROUP_STATUS);
    assert_non_null(command);
    return command;
}

static const struct condition_facts *condition(const struct command *command, const char *type)
{
    for (uint32_t i = 0; i < command->group_status.condition_count; i++)
        if (strcmp(command->group_status.conditions[i].type, type) == 0)
            return &command->group_status.conditions[i];
    fail_msg("there is no condition %s", type);
    return NULL;
}

static void the_status_counts_nodes_and_names_them(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 3);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_wait(stage, 4000);
    const struct command *status = written();
    assert_string_equal(status->group_status.name, "general");
    assert_int_equal(status->group_status.current, 2);
    assert_int_equal(status->group_status.ready, 2);
    assert_int_equal(status->group_status.desired, 2);
    assert_int_equal(status->group_status.observed_generation, 1);
    assert_int_equal(status->group_status.node_count, 2);
    assert_string_equal(status->group_status.nodes[0].node_name, "w-1");
    assert_string_equal(status->group_status.nodes[0].vps_id, "id-w-1");
    assert_string_equal(status->group_status.nodes[0].status, "Ready");
    assert_int_equal(condition(status, "Ready")->status, TRISTATE_TRUE);
    assert_int_equal(condition(status, "Scaling")->status, TRISTATE_FALSE);
    assert_int_equal(condition(status, "Error")->status, TRISTATE_FALSE);
    assert_int_equal(condition(status, "AtMinCapacity")->status, TRISTATE_FALSE);
    assert_int_equal(condition(status, "AtMaxCapacity")->status, TRISTATE_FALSE);
}

static void nothing_is_written_when_nothing_changed(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 3);
    stage_machine(stage, "w-1", "general");
    stage_wait(stage, 4000);
    (void)written();
    stage_forget(stage);
    for (int i = 0; i < 20; i++) {
        stage_wait(stage, 5000);
        stage_reports(stage);
    }
    assert_int_equal(stage_count(stage, COMMAND_KUBE_GROUP_STATUS), 0);
}

static void what_changes_quickly_is_written_together(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 30);
    stage_wait(stage, 4000);
    stage_forget(stage);
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "w-%02d", i);
        stage_machine(stage, name, "general");
        stage_wait(stage, 50);
    }
    assert_true(stage_count(stage, COMMAND_KUBE_GROUP_STATUS) <= 1);
    stage_wait(stage, 3000);
    assert_int_equal(written()->group_status.ready, 20);
}

static void a_write_that_failed_is_tried_again_later(void **state)
{
    (void)state;
    stage->status_by_hand = true;
    stage_group(stage, "general", 0, 3);
    stage_wait(stage, 2000);
    answer(stage_find(stage, COMMAND_KUBE_GROUP_STATUS), OUTCOME_CONFLICT);
    stage_forget(stage);
    stage_wait(stage, 3000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_GROUP_STATUS), 0);
    stage_wait(stage, 4000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_GROUP_STATUS), 1);
}

static void one_write_is_under_way_at_a_time(void **state)
{
    (void)state;
    stage->status_by_hand = true;
    stage_group(stage, "general", 0, 3);
    stage_wait(stage, 2000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_GROUP_STATUS), 1);
    stage_machine(stage, "w-1", "general");
    stage_wait(stage, 10000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_GROUP_STATUS), 1); // the first has no outcome yet
    answer(written(), OUTCOME_OK);
    stage_wait(stage, 1000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_GROUP_STATUS), 2);
}

static void a_condition_keeps_the_time_of_its_last_change(void **state)
{
    (void)state;
    const struct condition_facts stored[] = {{.type = "Ready",
                                              .status = TRISTATE_TRUE,
                                              .reason = "EnoughNodes",
                                              .message = "",
                                              .transition_ms = 12345000},
                                             {.type = "AtMinCapacity",
                                              .status = TRISTATE_FALSE,
                                              .reason = "",
                                              .message = "",
                                              .transition_ms = 23456000}};
    struct event *event = stage_group_event(stage, "general", 0, 3);
    event->object.group->conditions = stored;
    event->object.group->condition_count = 2;
    stage_step(stage, event);
    stage_wait(stage, 2000);
    const struct command *status = written();
    assert_int_equal(condition(status, "Ready")->transition_ms, 12345000); // still true
    assert_int_equal(condition(status, "AtMinCapacity")->status, TRISTATE_TRUE);
    assert_true(condition(status, "AtMinCapacity")->transition_ms >= STAGE_START_MS); // changed
    stage_step(stage, stage_group_event(stage, "general", 0, 4));
    stage_machine(stage, "w-1", "general");
    stage_wait(stage, 4000);
    status = written();
    assert_int_equal(condition(status, "Ready")->transition_ms, 12345000);
    assert_int_equal(condition(status, "AtMinCapacity")->status, TRISTATE_FALSE);
}

static void an_invalid_spec_is_an_error_and_not_ready(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 3);
    event->object.group->invalid = "minNodes 4 is above maxNodes 3";
    stage_step(stage, event);
    stage_wait(stage, 2000);
    const struct command *status = written();
    assert_int_equal(condition(status, "Ready")->status, TRISTATE_FALSE);
    assert_int_equal(condition(status, "Error")->status, TRISTATE_TRUE);
    assert_string_equal(condition(status, "Error")->message, "minNodes 4 is above maxNodes 3");
}

static void a_part_of_the_spec_that_is_left_out_is_said_and_harms_nothing_else(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 3);
    event->object.group->doubtful = "spec.costOptimization.strategy is greedy";
    stage_step(stage, event);
    stage_wait(stage, 2000);
    const struct command *status = written();
    assert_int_equal(condition(status, "Ready")->status, TRISTATE_TRUE);
    assert_int_equal(condition(status, "Error")->status, TRISTATE_TRUE);
    assert_string_equal(condition(status, "Error")->reason, "PartlyInvalidSpec");
    assert_string_equal(condition(status, "Error")->message, "spec.costOptimization.strategy is greedy");
    stage_waiting(stage, "web", 1, 3000, 64); // and machines are ordered as ever
    stage_wait(stage, 4400);
    assert_int_equal(condition(written(), "Scaling")->status, TRISTATE_TRUE);
}

static void orders_make_the_group_scale(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 2);
    stage_waiting(stage, "web", 2, 3000, 64);
    stage_wait(stage, 400);
    stage_wait(stage, 4000);
    const struct command *status = written();
    assert_int_equal(condition(status, "Scaling")->status, TRISTATE_TRUE);
    assert_string_equal(condition(status, "Scaling")->reason, "ScalingUp");
    assert_int_equal(condition(status, "AtMaxCapacity")->status, TRISTATE_TRUE);
    assert_int_equal(status->group_status.desired, 2);
    assert_int_equal(status->group_status.current, 0);
    assert_true(status->group_status.last_scale_up_ms > STAGE_START_MS);
    assert_string_equal(group_life(stage->core, cluster_group(stage->core->cluster, NULL, "general"))->doing,
                        "orders 2");
}

static void fields_that_do_not_apply_are_told_once(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 3);
    event->object.group->os_image_id = "ubuntu";
    event->object.group->tag_count = 2;
    stage_step(stage, event);
    stage_wait(stage, 10000);
    const struct command *status = written();
    assert_non_null(
        strstr(condition(status, "Ready")->message, "not applicable in managed clusters: osImageID, tags"));
    uint32_t told = 0;
    for (uint32_t i = 0; i < stage->out->count; i++)
        told += stage->out->items[i]->kind == COMMAND_KUBE_EVENT &&
                strcmp(stage->out->items[i]->event.reason, "NotApplicable") == 0;
    assert_int_equal(told, 1);
}

static void another_kubernetes_version_than_the_nodes_run_is_told(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 3);
    event->object.group->kubernetes_version = "v1.31.2";
    stage_step(stage, event);
    stage_machine(stage, "w-1", "general");
    stage_wait(stage, 4000);
    assert_non_null(strstr(condition(written(), "Ready")->message, "kubernetesVersion (nodes run v1.30.0)"));
}

static void a_group_that_is_not_managed_is_not_written_to(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 3);
    event->object.group->managed = false;
    stage_step(stage, event);
    stage_wait(stage, 10000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_GROUP_STATUS), 0);
}

static void a_dry_run_writes_no_status(void **state)
{
    (void)state;
    stage->core->config.dry_run = true;
    stage_group(stage, "general", 0, 3);
    stage_wait(stage, 10000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_GROUP_STATUS), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_status_counts_nodes_and_names_them),
        TEST(nothing_is_written_when_nothing_changed),
        TEST(what_changes_quickly_is_written_together),
        TEST(a_write_that_failed_is_tried_again_later),
        TEST(one_write_is_under_way_at_a_time),
        TEST(a_condition_keeps_the_time_of_its_last_change),
        TEST(an_invalid_spec_is_an_error_and_not_ready),
        TEST(a_part_of_the_spec_that_is_left_out_is_said_and_harms_nothing_else),
        TEST(orders_make_the_group_scale),
        TEST(fields_that_do_not_apply_are_told_once),
        TEST(another_kubernetes_version_than_the_nodes_run_is_told),
        TEST(a_group_that_is_not_managed_is_not_written_to),
        TEST(a_dry_run_writes_no_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

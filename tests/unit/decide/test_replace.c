// Replacement: who is replaced and who is not, the new one first, one after the other; and paid periods.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/decide/moves.h"
#include "tests/unit/decide/policy_stage.h"

#define MINUTE_MS 60000
#define HOUR_MS   ((int64_t)3600000)

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

static void live(int64_t ms)
{
    for (int64_t left = ms; left > 0; left -= 20000) {
        stage_wait(stage, left < 20000 ? left : 20000);
        stage_reports(stage);
    }
    stage_wait(stage, 5000);
}

static void busy_machines(int count) // machines are two hours old at the beginning
{
    stage_group(stage, "general", 1, 10);
    for (int i = 1; i <= count; i++) {
        char name[16], pod[16];
        snprintf(name, sizeof(name), "w-%d", i);
        snprintf(pod, sizeof(pod), "pod-%d", i);
        stage_machine(stage, name, "general");
        stage_running(stage, pod, name, 2800, 2048);
    }
}

static const struct decision *replaced(void)
{
    for (uint64_t n = stage->core->decision_count; n > 0; n--) {
        const struct decision *decision = core_decision_made(stage->core, n - 1);
        if (decision->kind == DECISION_REPLACE)
            return decision;
    }
    return NULL;
}

static uint32_t replacements(void)
{
    uint32_t count = 0;
    for (uint64_t n = 0; n < stage->core->decision_count; n++)
        count += core_decision_made(stage->core, n)->kind == DECISION_REPLACE;
    return count;
}

static void an_expired_node_is_replaced_and_the_new_one_comes_first(void **state)
{
    (void)state;
    stage->core->config.expire_after_ms = 3 * HOUR_MS;
    busy_machines(2);
    live(55 * MINUTE_MS);
    assert_int_equal(replacements(), 0);
    live(20 * MINUTE_MS);                // once the difference has lasted
    assert_int_equal(replacements(), 1); // one at a time
    assert_string_equal(replaced()->summary, "replace w-1 by 1 small");
    assert_non_null(strstr(replaced()->reason, "expires after 3h"));
    assert_int_equal(replaced()->machines, 1);
    assert_int_equal(replaced()->leaving_count, 1);
    assert_int_equal(stage_coming(stage, "general"), 1);
    assert_int_equal(stage_leaving(stage), 0);
}

static void without_the_flag_no_node_is_too_old(void **state)
{
    (void)state;
    busy_machines(1);
    live(5 * HOUR_MS);
    assert_int_equal(replacements(), 0);
}

static void a_protected_node_is_not_replaced(void **state)
{
    (void)state;
    stage->core->config.expire_after_ms = HOUR_MS;
    busy_machines(1);
    struct event *event = stage_node_event(stage, "w-1", 3500, 7168);
    stage_label(event, &event->object.node->labels, KEY_MANAGED, "true");
    stage_label(event, &event->object.node->labels, KEY_NODEGROUP, "general");
    stage_label(event, &event->object.node->labels, "pool", "general");
    stage_label(event, &event->object.node->annotations, KEY_PROTECTED, "true");
    stage_step(stage, event);
    live(HOUR_MS);
    assert_int_equal(replacements(), 0);
}

static void a_group_at_its_maximum_has_no_room_for_the_new_one(void **state)
{
    (void)state;
    stage->core->config.expire_after_ms = HOUR_MS;
    busy_machines(2);
    stage_group(stage, "general", 1, 2);
    live(HOUR_MS);
    assert_int_equal(replacements(), 0);
    stage_group(stage, "general", 1, 3);
    live(10 * MINUTE_MS);
    assert_int_equal(replacements(), 1);
}

static void a_budget_for_disturbance_holds_replacement(void **state)
{
    (void)state;
    static const struct disruption_budget_facts NONE = {.nodes_max = 0, .schedule = ""};
    stage->core->config.expire_after_ms = HOUR_MS;
    struct event *event = stage_config_event(stage);
    event->object.config->budgets = &NONE;
    event->object.config->budget_count = 1;
    stage_step(stage, event);
    busy_machines(2);
    live(HOUR_MS);
    assert_int_equal(replacements(), 0);
}

// ---- what no longer matches

static void a_label_that_the_group_has_got_meanwhile_replaces_its_nodes(void **state)
{
    (void)state;
    busy_machines(2);
    live(5 * MINUTE_MS);
    struct event *event = stage_group_event(stage, "general", 1, 10);
    stage_label(event, &event->object.group->node_labels, "zone", "green");
    stage_step(stage, event);
    live(9 * MINUTE_MS);
    assert_int_equal(replacements(), 0);
    live(3 * MINUTE_MS);
    assert_int_equal(replacements(), 1);
    assert_non_null(strstr(replaced()->reason, "lacks the group's label zone"));
}

static void the_flag_keeps_what_does_not_match(void **state)
{
    (void)state;
    stage->core->config.replace_drifted = false;
    busy_machines(1);
    struct event *event = stage_group_event(stage, "general", 1, 10);
    stage_label(event, &event->object.group->node_labels, "zone", "green");
    stage_step(stage, event);
    live(HOUR_MS);
    assert_int_equal(replacements(), 0);
}

static void a_node_that_we_did_not_order_is_left_as_it_is(void **state)
{
    (void)state;
    busy_machines(1);
    struct event *event = stage_intention_event(stage, "w-1", "general");
    event->object.intention->node_name = "w-1";
    event->object.intention->annotations = (struct labels){0};
    stage_step(stage, event);
    event = stage_group_event(stage, "general", 1, 10);
    stage_label(event, &event->object.group->node_labels, "zone", "green");
    stage_step(stage, event);
    live(HOUR_MS);
    assert_int_equal(replacements(), 0);
}

static const char *const BOTH[] = {"10", "20"};
static const char *const SMALL[] = {"10"};

static void of_sizes(const char *const *sizes, uint32_t count)
{
    struct event *event = stage_group_event(stage, "general", 0, 10);
    event->object.group->kube_size_id = 0;
    event->object.group->offering_ids = sizes;
    event->object.group->offering_count = count;
    stage_step(stage, event);
}

static void a_size_that_the_group_no_longer_orders_is_replaced(void **state)
{
    (void)state;
    of_sizes(BOTH, 2);
    stage_machine_of(stage, "w-1", "general", true);
    stage_running(stage, "one", "w-1", 2800, 2048);
    live(30 * MINUTE_MS);
    assert_int_equal(replacements(), 0);
    of_sizes(SMALL, 1);
    live(15 * MINUTE_MS);
    assert_int_equal(replacements(), 1);
    assert_string_equal(replaced()->summary, "replace w-1 by 1 small");
    assert_non_null(strstr(replaced()->reason, "a size that its group no longer orders"));
}

static void set_version(const char *name, const char *version, int64_t created_ms)
{
    struct event *event = stage_node_event(stage, name, 3500, 7168);
    stage_label(event, &event->object.node->labels, KEY_MANAGED, "true");
    stage_label(event, &event->object.node->labels, KEY_NODEGROUP, "general");
    stage_label(event, &event->object.node->labels, "pool", "general");
    event->object.node->kubelet_version = version;
    event->object.node->created_ms = created_ms;
    stage_step(stage, event);
}

static void another_version_is_replaced_only_when_new_machines_have_the_wanted_one(void **state)
{
    (void)state;
    busy_machines(2);
    struct event *event = stage_group_event(stage, "general", 1, 10);
    event->object.group->kubernetes_version = "v1.31.2";
    stage_step(stage, event);
    live(HOUR_MS);
    assert_int_equal(replacements(), 0); // a new machine would have v1.30.0, too
    set_version("w-2", "v1.31.2", stage->now_ms);
    live(15 * MINUTE_MS);
    assert_int_equal(replacements(), 1);
    assert_string_equal(replaced()->node, "w-1");
    assert_non_null(strstr(replaced()->reason, "runs v1.30.0, its group asks for v1.31.2"));
}

static void a_build_suffix_is_no_other_version(void **state)
{
    (void)state;
    busy_machines(2);
    struct event *event = stage_group_event(stage, "general", 1, 10);
    event->object.group->kubernetes_version = "v1.31.2";
    stage_step(stage, event);
    set_version("w-1", "v1.31.2+vpsie1", stage->now_ms - HOUR_MS);
    set_version("w-2", "v1.31.2", stage->now_ms);
    live(HOUR_MS);
    assert_int_equal(replacements(), 0);
}

static void what_a_new_machine_would_lack_as_well_is_not_chased(void **state)
{
    (void)state;
    busy_machines(2);
    struct event *event = stage_intention_event(stage, "w-3", "general"); // came with a replacement just now
    event->object.intention->node_name = "w-3";
    event->object.intention->created_ms = event->object.intention->ready_ms = stage->now_ms;
    event->object.intention->annotations = (struct labels){0};
    stage_label(event, &event->object.intention->annotations, KEY_CREATED_BY, CREATED_BY_US);
    stage_label(event, &event->object.intention->annotations, KEY_CREATION_REASON, MOVE_CREATION_REASON);
    struct event *node = stage_node_event(stage, "w-3", 3500, 7168);
    stage_label(node, &node->object.node->labels, KEY_MANAGED, "true");
    stage_label(node, &node->object.node->labels, KEY_NODEGROUP, "general");
    stage_label(node, &node->object.node->labels, "pool", "general");
    stage_step(stage, node);
    stage_step(stage, event);
    stage_step(stage, stage_report_event(stage, "w-3"));
    event = stage_group_event(stage, "general", 1, 10);
    stage_label(event, &event->object.group->node_labels, "zone", "green");
    stage_step(stage, event);
    live(HOUR_MS);
    assert_int_equal(replacements(), 0);
}

static void our_own_keys_are_no_difference(void **state)
{
    (void)state;
    busy_machines(1);
    struct event *event = stage_group_event(stage, "general", 1, 10);
    stage_label(event, &event->object.group->node_labels, KEY_NODEGROUP, "another");
    stage_step(stage, event);
    live(HOUR_MS);
    assert_int_equal(replacements(), 0);
}

static void it_is_explained(void **state)
{
    (void)state;
    stage->core->config.expire_after_ms = HOUR_MS;
    busy_machines(1);
    stage_group(stage, "general", 1, 1);
    struct arena *arena = arena_create(4096);
    struct explanation out;
    assert_true(explain_node(stage->core, arena, "w-1", &out));
    const struct rule *found = NULL;
    for (uint32_t i = 0; i < out.rule_count; i++)
        if (strcmp(out.rules[i].name, "replacement") == 0)
            found = &out.rules[i];
    assert_non_null(found);
    assert_non_null(strstr(found->saw, " old, expires after 1h"));
    arena_destroy(arena);
}

// ---- paid periods

static void idle_machine(const char *name)
{
    stage_machine(stage, name, "general");
}

static void a_node_leaves_in_the_last_minutes_of_what_is_paid(void **state)
{
    (void)state;
    stage->core->config.billing_period_ms = HOUR_MS;
    stage_group(stage, "general", 0, 10);
    idle_machine("w-1"); // made two hours before the beginning: its period began with the story
    live(45 * MINUTE_MS);
    assert_false(stage_leaves(stage, "w-1"));
    struct node_answer answer = policy_node_rules(stage->core, cluster_node(stage->core->cluster, "w-1"));
    assert_string_equal(answer.rule, "paid period");
    assert_int_equal(answer.verdict, RULE_WAITS);
    assert_in_range(answer.due_ms, STAGE_START_MS + 50 * MINUTE_MS, STAGE_START_MS + 50 * MINUTE_MS + 1000);
    live(6 * MINUTE_MS);
    assert_true(stage_leaves(stage, "w-1"));
}

static void the_nearest_to_the_end_of_its_period_goes_first(void **state)
{
    (void)state;
    stage->core->config.billing_period_ms = HOUR_MS;
    stage->core->config.max_empty_removals = 1;
    stage_group(stage, "general", 0, 10);
    idle_machine("w-1");
    idle_machine("w-2");
    struct event *event = stage_intention_event(stage, "w-2", "general");
    event->object.intention->node_name = "w-2";
    event->object.intention->created_ms = STAGE_START_MS - 2 * HOUR_MS - 5 * MINUTE_MS;
    stage_step(stage, event);
    live(44 * MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 0);
    live(MINUTE_MS + 30000);
    assert_true(stage_leaves(stage, "w-2"));
    assert_false(stage_leaves(stage, "w-1"));
}

static void a_replacement_begins_early_enough_for_the_new_one_to_come(void **state)
{
    (void)state;
    stage->core->config.billing_period_ms = HOUR_MS;
    stage->core->config.expire_after_ms = 2 * HOUR_MS;
    busy_machines(1);
    live(38 * MINUTE_MS);
    assert_int_equal(replacements(), 0);
    live(3 * MINUTE_MS);
    assert_int_equal(replacements(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_expired_node_is_replaced_and_the_new_one_comes_first),
        TEST(without_the_flag_no_node_is_too_old),
        TEST(a_protected_node_is_not_replaced),
        TEST(a_group_at_its_maximum_has_no_room_for_the_new_one),
        TEST(a_budget_for_disturbance_holds_replacement),
        TEST(a_label_that_the_group_has_got_meanwhile_replaces_its_nodes),
        TEST(the_flag_keeps_what_does_not_match),
        TEST(a_node_that_we_did_not_order_is_left_as_it_is),
        TEST(a_size_that_the_group_no_longer_orders_is_replaced),
        TEST(another_version_is_replaced_only_when_new_machines_have_the_wanted_one),
        TEST(a_build_suffix_is_no_other_version),
        TEST(what_a_new_machine_would_lack_as_well_is_not_chased),
        TEST(our_own_keys_are_no_difference),
        TEST(it_is_explained),
        TEST(a_node_leaves_in_the_last_minutes_of_what_is_paid),
        TEST(the_nearest_to_the_end_of_its_period_goes_first),
        TEST(a_replacement_begins_early_enough_for_the_new_one_to_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

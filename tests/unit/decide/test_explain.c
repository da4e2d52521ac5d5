#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/policy_stage.h"

#define MINUTE_MS 60000

static struct stage *stage;
static struct arena *arena;
static struct explanation found;

static int setup(void **state)
{
    (void)state;
    stage = stage_create();
    arena = arena_create(16384);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(arena);
    stage_destroy(stage);
    return 0;
}

static const struct rule *rule(const char *name)
{
    for (uint32_t i = 0; i < found.rule_count; i++)
        if (strcmp(found.rules[i].name, name) == 0)
            return &found.rules[i];
    fail_msg("there is no rule \"%s\"", name);
    return NULL;
}

static void contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

static void live(int64_t ms)
{
    for (int64_t left = ms; left > 0; left -= 20000) {
        stage_wait(stage, left < 20000 ? left : 20000);
        stage_reports(stage);
    }
}

static void usual_cluster(void)
{
    stage_group(stage, "general", 0, 3);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_group(stage, "general", 1, 3);
    stage_running(stage, "big", "w-1", 2800, 2048);
    stage_running(stage, "small", "w-2", 200, 64);
}

// ---- nodes

static void a_kept_node_names_the_rule_what_it_saw_and_what_to_change(void **state)
{
    (void)state;
    usual_cluster();
    stage_step(stage, stage_budget_event(stage, "web", "web", 0));
    live(11 * MINUTE_MS);
    assert_true(explain_node(stage->core, arena, "w-2", &found));
    assert_string_equal(found.subject, "node w-2");
    assert_string_equal(found.verdict, "KEPT by budgets");
    assert_string_equal(found.then, "drains, saves $0.05/h");
    assert_int_equal(rule("budgets")->verdict, RULE_BLOCKS);
    assert_string_equal(rule("budgets")->saw, "shop/web allows 0");
    contains(rule("budgets")->change, "wider budget shop/web");
    const struct rule *requests = rule("underused, requests");
    assert_int_equal(requests->verdict, RULE_PASS);
    contains(requests->saw, "cpu 6% mem 1% for 11m");
    assert_string_equal(requests->limit, "50% 10m");
    assert_string_equal(requests->change, "");
    assert_string_equal(rule("pods fit elsewhere")->saw, "1 of 1");
    assert_string_equal(rule("group minimum")->saw, "2");
    assert_string_equal(rule("group minimum")->limit, "1");
}

static void every_rule_is_shown_even_behind_one_that_blocks(void **state)
{
    (void)state;
    usual_cluster();
    assert_true(explain_node(stage->core, arena, "w-1", &found));
    assert_string_equal(found.verdict, "KEPT, in use");
    assert_true(found.rule_count >= 20);
    assert_int_equal(rule("underused, requests")->verdict, RULE_BLOCKS);
    assert_int_equal(rule("agent")->verdict, RULE_PASS);
}

static void a_node_in_its_window_waits(void **state)
{
    (void)state;
    usual_cluster();
    live(4 * MINUTE_MS);
    assert_true(explain_node(stage->core, arena, "w-2", &found));
    assert_string_equal(found.verdict, "WAITS for underused, requests");
}

static void a_leaving_node_says_how_far_it_is(void **state)
{
    (void)state;
    usual_cluster();
    live(11 * MINUTE_MS);
    assert_true(stage_leaves(stage, "w-2"));
    assert_true(explain_node(stage->core, arena, "w-2", &found));
    contains(found.verdict, "LEAVING: ");
    assert_int_equal(found.decision_id, stage_last(stage)->id);
}

static void a_foreign_node_is_told_to_be_left_alone(void **state)
{
    (void)state;
    usual_cluster();
    stage_step(stage, stage_node_event(stage, "foreign", 3500, 7168));
    assert_true(explain_node(stage->core, arena, "foreign", &found));
    assert_string_equal(found.verdict, "NOT OURS: never removed");
    assert_int_equal(found.rule_count, 1);
}

static void what_is_not_there_is_not_explained(void **state)
{
    (void)state;
    usual_cluster();
    assert_false(explain_node(stage->core, arena, "w-9", &found));
    assert_false(explain_pod(stage->core, arena, "shop", "nobody", &found));
    assert_false(explain_group(stage->core, arena, "nothing", &found));
}

// The table that scale_down obeys is the table that explain shows: whatever is wrong with a node, both name
// the same first rule, and a node that explain says leaves next does leave.
static void explain_and_scale_down_never_disagree(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 256; seed++) {
        struct stage *own = stage_create();
        stage_group(own, "general", 0, 3);
        stage_machine(own, "w-1", "general");
        stage_machine(own, "w-2", "general");
        struct event *event = stage_group_event(own, "general", seed & 1 ? 2 : 1, 3);
        event->object.group->scale_down.enabled = !(seed & 2);
        stage_step(own, event);
        stage_running(own, "big", "w-1", 3000, 64);
        event = stage_pod_event(own, "small", "w-2", seed & 4 ? 800 : 200, 64); // 800 fit nowhere
        event->object.pod->do_not_disrupt = seed & 8;
        if (seed & 16)
            event->object.pod->controller_kind = "";
        stage_step(own, event);
        if (seed & 32)
            stage_step(own, stage_budget_event(own, "web", "web", 0));
        for (int i = 0; i < 33; i++) {
            stage_wait(own, 20000);
            for (int n = 1; n <= 2; n++) {
                if (n == 2 && (seed & 64) && i > 20)
                    continue; // falls silent
                event = stage_report_event(own, n == 1 ? "w-1" : "w-2");
                event->report->inhibitor_count = seed & 128 ? 1 : 0;
                stage_step(own, event);
            }
        }
        struct node *node = cluster_node(own->core->cluster, "w-2");
        bool left = life_of(node->intention)->removal == REMOVAL_VOLUNTARY;
        struct node_answer answer = policy_node_rules(own->core, node);
        struct arena *own_arena = arena_create(16384);
        struct explanation out;
        assert_true(explain_node(own->core, own_arena, "w-2", &out));
        if (seed == 0)
            assert_true(left);
        if (left)
            assert_int_equal(seed & ~1u & ~64u, seed & 1 ? 1000 : 0); // nothing was in the way
        else if (answer.rule != NULL)
            assert_true(strstr(out.verdict, answer.rule) != NULL || strstr(out.verdict, "in use") != NULL);
        else
            assert_string_equal(out.verdict, "KEPT by pods fit elsewhere");
        arena_destroy(own_arena);
        stage_destroy(own);
    }
}

// ---- pods

static void a_pod_that_nobody_can_help_gets_a_reason_from_every_group(void **state)
{
    (void)state;
    usual_cluster();
    struct event *event = stage_group_event(stage, "gpu", 0, 3);
    stage_taint(event, &event->object.group->node_taints, "gpu", TAINT_NO_SCHEDULE);
    stage_step(stage, event);
    stage_waiting(stage, "huge", 1, 9000, 64);
    stage_wait(stage, 300);
    assert_true(explain_pod(stage->core, arena, "shop", "huge-0", &found));
    contains(found.verdict, "WAITS: no group can help: general: needs 9 cpu");
    assert_int_equal(rule("nodes there are")->verdict, RULE_BLOCKS);
    contains(rule("group general")->saw, "needs 9 cpu");
    contains(rule("group general")->change, "larger size");
    contains(rule("group gpu")->saw, "gpu");
    contains(rule("group gpu")->change, "tolerations");
}

static void a_served_pod_names_its_decision(void **state)
{
    (void)state;
    usual_cluster();
    stage_waiting(stage, "web", 1, 3400, 64);
    stage_wait(stage, 300);
    // w-2 has 3.3 cpu left, w-1 0.7
    assert_true(explain_pod(stage->core, arena, "shop", "web-0", &found));
    assert_string_equal(found.verdict, "WAITS: served by D1");
    assert_int_equal(found.decision_id, 1);
    contains(rule("nodes there are")->change, "its node is on its way");
}

static void a_pod_that_waits_for_no_machine_says_so(void **state)
{
    (void)state;
    usual_cluster();
    struct event *event = stage_pod_event(stage, "gated", "", 100, 64);
    event->object.pod->gated = true;
    event->object.pod->unschedulable = false;
    stage_step(stage, event);
    assert_true(explain_pod(stage->core, arena, "shop", "gated", &found));
    assert_string_equal(found.verdict, "NOT WAITING for a machine: gated");
    assert_int_equal(rule("scheduling gates")->verdict, RULE_BLOCKS);
}

static void a_running_pod_says_where_and_what_holds_it(void **state)
{
    (void)state;
    usual_cluster();
    struct event *event = stage_pod_event(stage, "precious", "w-2", 100, 64);
    event->object.pod->do_not_disrupt = true;
    stage_step(stage, event);
    assert_true(explain_pod(stage->core, arena, "shop", "precious", &found));
    assert_string_equal(found.verdict, "RUNS on w-2");
    assert_int_equal(rule("may be moved")->verdict, RULE_BLOCKS);
}

// ---- groups

static void a_group_tells_its_limits_and_how_far_it_may_grow(void **state)
{
    (void)state;
    usual_cluster();
    assert_true(explain_group(stage->core, arena, "general", &found));
    assert_string_equal(found.verdict, "MAY GROW by 1");
    assert_string_equal(rule("maximum")->saw, "2");
    assert_string_equal(rule("maximum")->limit, "3");
    contains(rule("size")->saw, "small: 3.5 cpu");
    contains(rule("nodes")->saw, "2 ready");
}

static void a_group_that_backs_off_tells_for_how_long_and_why(void **state)
{
    (void)state;
    usual_cluster();
    struct group_life *life = group_life(stage->core, cluster_group(stage->core->cluster, NULL, "general"));
    life->backoff_until_ms = stage->now_ms + 90000;
    snprintf(life->backoff_reason, sizeof(life->backoff_reason), "quota exceeded");
    assert_true(explain_group(stage->core, arena, "general", &found));
    assert_string_equal(found.verdict, "WAITS for backoff");
    contains(rule("backoff")->saw, "1m30s more: quota exceeded");
}

static void a_full_group_cannot_grow(void **state)
{
    (void)state;
    usual_cluster();
    stage_step(stage, stage_group_event(stage, "general", 1, 2));
    assert_true(explain_group(stage->core, arena, "general", &found));
    assert_string_equal(found.verdict, "CANNOT GROW: maximum");
    contains(rule("maximum")->change, "maxNodes");
}

// ---- money

static void what_was_spent_since_midnight_is_counted(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 4);
    stage_machine(stage, "w-1", "general"); // both are older than the day
    stage_machine(stage, "w-2", "general");
    stage_group(stage, "general", 2, 4);
    live(600 * MINUTE_MS); // ten hours
    struct policy_cost cost = policy_cost(stage->core);
    assert_true(cost.per_hour > 0.099 && cost.per_hour < 0.101);
    assert_true(cost.today > 0.99 && cost.today < 1.01);
    assert_true(cost.at_max_today > 1.99 && cost.at_max_today < 2.01);
    live(15 * 60 * MINUTE_MS); // one hour into the next day
    cost = policy_cost(stage->core);
    assert_true(cost.today > 0.09 && cost.today < 0.11);
}

static void row_says(const char *part)
{
    for (uint32_t i = 0; i < found.rule_count; i++)
        if (strstr(found.rules[i].saw, part) != NULL)
            return;
    fail_msg("no row says \"%s\"", part);
}

// Small underused nodes beside w-1, which nothing takes away in a dry run.
static void ready_to_leave(uint32_t nodes)
{
    stage->core->config.dry_run = true;
    stage_group(stage, "general", 0, 5);
    stage_machine(stage, "w-1", "general");
    stage_running(stage, "big", "w-1", 2000, 2048);
    for (uint32_t i = 0; i < nodes; i++) {
        char name[16], pod[16];
        snprintf(name, sizeof(name), "w-%u", i + 2);
        snprintf(pod, sizeof(pod), "small-%u", i + 2);
        stage_machine(stage, name, "general");
        stage_running(stage, pod, name, 200, 64);
    }
    live(11 * MINUTE_MS);
}

static void a_node_that_nothing_holds_leaves_next_unless_a_pod_is_about_to_use_it(void **state)
{
    (void)state;
    ready_to_leave(1);
    assert_true(explain_node(stage->core, arena, "w-2", &found));
    assert_string_equal(found.verdict, "LEAVES next");
    stage_waiting(stage, "late", 1, 3000, 64); // fits there only
    assert_true(explain_node(stage->core, arena, "w-2", &found));
    assert_string_equal(found.verdict, "WAITS for nothing waits for it");
    assert_string_equal(rule("nothing waits for it")->saw, "waiting or moving pods count on it");
}

static void a_node_waits_for_those_that_leave_already(void **state)
{
    (void)state;
    ready_to_leave(2);
    stage->core->config.dry_run = false;
    live(MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 1); // with pods one at a time
    assert_true(explain_node(stage->core, arena, stage_leaves(stage, "w-2") ? "w-3" : "w-2", &found));
    assert_string_equal(found.verdict, "WAITS for removals at once");
    assert_string_equal(rule("removals at once")->saw, "1");
    assert_string_equal(rule("removals at once")->limit, "1");
}

static void a_machine_that_failed_says_so(void **state)
{
    (void)state;
    usual_cluster();
    life_of(cluster_node(stage->core->cluster, "w-2")->intention)->step = LIFE_FAILED;
    assert_true(explain_node(stage->core, arena, "w-2", &found));
    assert_string_equal(found.verdict, "FAILED");
    assert_string_equal(found.then, "");
}

static void a_running_pod_names_its_budget_and_a_daemon_does_not_count(void **state)
{
    (void)state;
    usual_cluster();
    stage_step(stage, stage_budget_event(stage, "web", "web", 2));
    assert_true(explain_pod(stage->core, arena, "shop", "small", &found));
    assert_string_equal(rule("budgets")->saw, "web allows 2");
    assert_int_equal(rule("budgets")->verdict, RULE_PASS);
    struct event *event = stage_pod_event(stage, "log", "w-2", 100, 64);
    event->object.pod->controller_kind = "DaemonSet";
    stage_step(stage, event);
    assert_true(explain_pod(stage->core, arena, "shop", "log", &found));
    assert_string_equal(rule("counts for its node")->saw, "no");
    assert_int_equal(found.rule_count, 2); // nothing else about it matters
}

static void a_size_that_backs_off_or_is_not_offered_is_told_to_group_and_pod(void **state)
{
    (void)state;
    usual_cluster();
    live(70000);
    stage_group(stage, "general", 0, 3);
    stage->core->config.dry_run = true;
    stage_waiting(stage, "late", 1, 3400, 64);
    struct group *group = cluster_group(stage->core->cluster, NULL, "general");
    struct pool *pool = life_pool(stage->core, group, 10);
    pool->backoff_until_ms = stage->core->now_ms + 90000;
    snprintf(pool->backoff_reason, sizeof(pool->backoff_reason), "quota exceeded");
    assert_true(explain_pod(stage->core, arena, "shop", "late-0", &found));
    row_says("backs off for 1m30s more: quota exceeded");
    assert_true(explain_group(stage->core, arena, "general", &found));
    assert_string_equal(rule("backs off")->saw, "small: quota exceeded");
    assert_int_equal(rule("backs off")->verdict, RULE_WAITS);
    pool->backoff_until_ms = 0;
    pool->orderable = false; // none is: the group's own size is told
    assert_true(explain_group(stage->core, arena, "general", &found));
    assert_int_equal(rule("size")->verdict, RULE_PASS);
    pool->orderable = true;
    pool->size_id = 77;
    assert_true(explain_group(stage->core, arena, "general", &found));
    assert_string_equal(found.verdict, "CANNOT GROW: size");
    assert_int_equal(rule("size")->verdict, RULE_BLOCKS);
}

static void a_group_tells_its_headroom_its_surplus_and_its_problem(void **state)
{
    (void)state;
    usual_cluster();
    struct group_life *life = group_life(stage->core, cluster_group(stage->core->cluster, NULL, "general"));
    assert_true(explain_group(stage->core, arena, "general", &found));
    uint32_t rules = found.rule_count;
    stage->core->config.headroom_count = 1;
    stage->core->policy->headroom_wanted = 4;
    stage->core->policy->headroom_lacking = 1;
    life->surplus = 2;
    snprintf(life->problem, sizeof(life->problem), "its VPSie group is gone");
    assert_true(explain_group(stage->core, arena, "general", &found));
    assert_int_equal(found.rule_count, rules + 3);
    contains(rule("headroom")->saw, "3 of 4 pieces");
    assert_string_equal(rule("surplus")->saw, "2 machines nobody asked for");
    assert_string_equal(rule("problem")->saw, "its VPSie group is gone");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kept_node_names_the_rule_what_it_saw_and_what_to_change),
        TEST(every_rule_is_shown_even_behind_one_that_blocks),
        TEST(a_node_in_its_window_waits),
        TEST(a_leaving_node_says_how_far_it_is),
        TEST(a_foreign_node_is_told_to_be_left_alone),
        TEST(what_is_not_there_is_not_explained),
        TEST(explain_and_scale_down_never_disagree),
        TEST(a_pod_that_nobody_can_help_gets_a_reason_from_every_group),
        TEST(a_served_pod_names_its_decision),
        TEST(a_pod_that_waits_for_no_machine_says_so),
        TEST(a_running_pod_says_where_and_what_holds_it),
        TEST(a_group_tells_its_limits_and_how_far_it_may_grow),
        TEST(a_group_that_backs_off_tells_for_how_long_and_why),
        TEST(a_full_group_cannot_grow),
        TEST(what_was_spent_since_midnight_is_counted),
        TEST(a_node_that_nothing_holds_leaves_next_unless_a_pod_is_about_to_use_it),
        TEST(a_node_waits_for_those_that_leave_already),
        TEST(a_machine_that_failed_says_so),
        TEST(a_running_pod_names_its_budget_and_a_daemon_does_not_count),
        TEST(a_size_that_backs_off_or_is_not_offered_is_told_to_group_and_pod),
        TEST(a_group_tells_its_headroom_its_surplus_and_its_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

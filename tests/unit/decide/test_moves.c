// How a move is carried through once it has begun: what its nodes wait for, when it is given up, and which
// machines rest after it.
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

static void live(int64_t ms)
{
    for (int64_t left = ms; left > 0; left -= 20000) {
        stage_wait(stage, left < 20000 ? left : 20000);
        stage_reports(stage);
    }
    stage_wait(stage, 5000);
}

// w-1 holds a pod that fits on w-2; w-3 is empty. Nothing counts as underused.
static int setup(void **state)
{
    (void)state;
    stage = stage_create();
    struct event *event = stage_group_event(stage, "general", 0, 10);
    event->object.group->scale_down.cpu_threshold_percent = 0;
    stage_step(stage, event);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_machine(stage, "w-3", "general");
    stage_running(stage, "one", "w-1", 1000, 512);
    stage_running(stage, "two", "w-2", 1000, 512);
    live(70000); // VPSie has been asked, and the term has begun
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stage_destroy(stage);
    return 0;
}

static struct move *moves(void)
{
    return stage->core->policy->moves->items;
}

static uint32_t count(void)
{
    return stage->core->policy->moves->count;
}

static void begin(enum move_state state, uint32_t machines, const char *node, const char *second)
{
    struct cluster *cluster = stage->core->cluster;
    struct group *group = cluster_group(cluster, NULL, "general");
    uint64_t id = core_decide(stage->core, DECISION_CONSOLIDATE, "general", node, "a move", "for less")->id;
    stage->core->policy->moves->count = 1;
    moves()[0] = (struct move){.state = state,
                               .reason = DISRUPTION_CONSOLIDATION,
                               .decision_id = id,
                               .since_ms = stage->now_ms,
                               .space = group->facts.space,
                               .group = group->facts.name,
                               .nodes = {cluster_node(cluster, node)->name},
                               .node_count = 1,
                               .size_id = 10,
                               .machines = machines};
    if (second != NULL)
        moves()[0].nodes[moves()[0].node_count++] = cluster_node(cluster, second)->name;
}

// ---- its nodes leave

static void a_node_leaves_once_everything_allows_it(void **state)
{
    (void)state;
    begin(MOVE_LEAVING, 0, "w-1", NULL);
    live(10000);
    assert_true(stage_leaves(stage, "w-1"));
    assert_int_equal(count(), 0);
}

static void protect(void)
{
    struct event *event = stage_node_event(stage, "w-1", 3500, 7168);
    stage_label(event, &event->object.node->labels, KEY_MANAGED, "true");
    stage_label(event, &event->object.node->labels, KEY_NODEGROUP, "general");
    stage_label(event, &event->object.node->labels, "pool", "general");
    stage_label(event, &event->object.node->annotations, KEY_PROTECTED, "true");
    stage_step(stage, event);
}

static void raise_minimum(void)
{
    stage_group(stage, "general", 3, 10);
}

static void allow_no_disturbance(void)
{
    static const struct disruption_budget_facts NONE = {.nodes_max = 0, .schedule = ""};
    struct event *event = stage_config_event(stage);
    event->object.config->budgets = &NONE;
    event->object.config->budget_count = 1;
    stage_step(stage, event);
}

static void fill_the_others(void)
{
    stage_running(stage, "big-2", "w-2", 2400, 512);
    stage_running(stage, "big-3", "w-3", 3400, 512);
}

static void spend_the_budget(void)
{
    stage_step(stage, stage_budget_event(stage, "web", "web", 0));
}

static void count_on_it(void) // fits on w-1 only
{
    fill_the_others();
    stage_waiting(stage, "late", 1, 2000, 64);
}

static void what_holds_a_node_is_said_and_held_for_two_hours_at_most(void **state)
{
    (void)state;
    static const struct {
        void (*hold)(void);
        const char *says;
    } CASES[] = {{protect, "w-1: protection"},
                 {raise_minimum, "w-1: group minimum"},
                 {allow_no_disturbance, "w-1: budget for disturbance"},
                 {fill_the_others, "w-1: its pods fit nowhere else now"},
                 {count_on_it, "w-1: its pods fit nowhere else now"},
                 {spend_the_budget, "w-1: budgets"}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        CASES[i].hold();
        begin(MOVE_LEAVING, 0, "w-1", NULL);
        live(MINUTE_MS);
        assert_false(stage_leaves(stage, "w-1"));
        assert_int_equal(count(), 1);
        assert_string_equal(moves()[0].held, CASES[i].says);
        struct arena *arena = arena_create(4096);
        struct explanation out;
        assert_true(explain_node(stage->core, arena, "w-1", &out));
        bool told = false;
        for (uint32_t r = 0; r < out.rule_count; r++)
            told = told || (strcmp(out.rules[r].name, "moves") == 0 &&
                            strstr(out.rules[r].saw, CASES[i].says) != NULL);
        assert_true(told);
        arena_destroy(arena);
        live(2 * HOUR_MS);
        assert_int_equal(count(), 0);
        assert_false(stage_leaves(stage, "w-1"));
        teardown(NULL);
        setup(NULL);
    }
}

static void nodes_leave_one_after_the_other(void **state)
{
    (void)state;
    stage_running(stage, "three", "w-3", 200, 64);
    begin(MOVE_LEAVING, 0, "w-1", "w-3"); // without an AutoscalerConfig one with pods at a time
    live(10000);
    assert_true(stage_leaves(stage, "w-1"));
    assert_false(stage_leaves(stage, "w-3"));
    assert_int_equal(moves()[0].node_count, 1);
    assert_string_equal(moves()[0].held, "w-3: removals at once");
}

static void a_node_that_is_gone_is_no_longer_waited_for(void **state)
{
    (void)state;
    begin(MOVE_LEAVING, 0, "w-1", NULL);
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = OBJECT_NODE;
    event->gone.space = event->gone.uid = "";
    event->gone.name = "w-1";
    stage_step(stage, event);
    live(10000);
    assert_int_equal(count(), 0);
}

// ---- its machines come

static void the_nodes_wait_for_the_machines_and_the_machines_for_the_nodes(void **state)
{
    (void)state;
    begin(MOVE_COMING, 1, "w-1", NULL);
    stage_group(stage, "general", 0, 10); // thresholds of 50 % again: w-3 is idle
    live(30000);
    assert_false(stage_leaves(stage, "w-1"));
    assert_string_equal(moves()[0].held, "its machines to come");
    struct node *came = cluster_node(stage->core->cluster, "w-3");
    life_of(came->intention)->decision_id = moves()[0].decision_id; // it is here
    assert_ptr_equal(moves_came_for(stage->core, came), &moves()[0]);
    struct node_answer answer = policy_node_may_go(stage->core, came, DISRUPTION_CONSOLIDATION, true);
    assert_string_equal(answer.rule, "moves");
    live(10000);
    assert_true(stage_leaves(stage, "w-1"));
    assert_false(stage_leaves(stage, "w-3"));
}

static void a_move_whose_order_came_to_nothing_is_given_up(void **state)
{
    (void)state;
    begin(MOVE_COMING, 1, "w-1", NULL);
    live(40000);
    assert_int_equal(count(), 1);
    live(40000);
    assert_int_equal(count(), 0);
    assert_false(stage_leaves(stage, "w-1"));
}

static void a_group_that_is_gone_has_no_moves(void **state)
{
    (void)state;
    begin(MOVE_COMING, 1, "w-1", NULL);
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = OBJECT_NODEGROUP;
    event->gone.space = "kube-system";
    event->gone.name = "general";
    event->gone.uid = "";
    stage_step(stage, event);
    live(20000);
    assert_int_equal(count(), 0);
}

// ---- and rest

static int64_t rests_until(const char *name)
{
    struct node *node = cluster_node(stage->core->cluster, name);
    return consolidate_rests_until(stage->core, node->intention->group, node);
}

static void what_a_move_brought_rests_for_the_horizon(void **state)
{
    (void)state;
    assert_int_equal(rests_until("w-1"), 0);
    struct event *event = stage_intention_event(stage, "w-1", "general");
    event->object.intention->node_name = "w-1";
    event->object.intention->created_ms = STAGE_START_MS;
    event->object.intention->annotations = (struct labels){0};
    stage_label(event, &event->object.intention->annotations, KEY_CREATION_REASON, MOVE_CREATION_REASON);
    stage_step(stage, event);
    assert_int_equal(rests_until("w-1"), STAGE_START_MS + 24 * HOUR_MS); // of "auto"
    assert_int_equal(rests_until("w-2"), 0);
    struct node_answer answer = policy_node_may_go(stage->core, cluster_node(stage->core->cluster, "w-1"),
                                                   DISRUPTION_CONSOLIDATION, false);
    assert_string_equal(answer.rule, "rests");
    stage->now_ms = STAGE_START_MS + 24 * HOUR_MS;
    stage_wait(stage, 1000);
    assert_int_equal(rests_until("w-1"), 0);
}

static void a_group_that_grew_after_a_move_rests_unless_the_workload_changed(void **state)
{
    (void)state;
    struct group *group = cluster_group(stage->core->cluster, NULL, "general");
    consolidate_remember(stage->core, group);
    int64_t moved_ms = stage->core->now_ms;
    stage_wait(stage, 10000);
    assert_int_equal(rests_until("w-1"), 0);
    group_life(stage->core, group)->last_scale_up_ms = stage->core->now_ms;
    assert_int_equal(rests_until("w-1"), moved_ms + 24 * HOUR_MS);
    stage_running(stage, "more", "w-2", 100, 16); // 5 % of cpu, 2 % of memory
    stage_wait(stage, 10000);
    assert_int_equal(rests_until("w-1"), moved_ms + 24 * HOUR_MS);
    stage_running(stage, "most", "w-2", 200, 16); // 15 %
    stage_wait(stage, 10000);
    assert_int_equal(rests_until("w-1"), 0);
}

// ---- approvals

static void an_approval_is_refused_in_words(void **state)
{
    (void)state;
    char text[400];
    begin(MOVE_RECOMMENDED, 0, "w-1", NULL);
    protect();
    assert_false(moves_approve(stage->core, moves()[0].decision_id, text, sizeof(text)));
    assert_string_equal(text, "w-1 may not go now: protection");
    stage->core->config.dry_run = true;
    assert_false(moves_approve(stage->core, moves()[0].decision_id, text, sizeof(text)));
    assert_string_equal(text, "nothing may be written now: see `status`");
    stage->core->config.dry_run = false;
    moves()[1] = moves()[0];
    moves()[1].state = MOVE_COMING;
    stage->core->policy->moves->count = 2;
    assert_false(moves_approve(stage->core, moves()[0].decision_id, text, sizeof(text)));
    assert_non_null(strstr(text, "is in the middle of another move"));
}

// ---- planning

static void machines_come_for_the_minimum_too(void **state)
{
    (void)state;
    stage_group(stage, "general", 3, 10);
    struct arena *arena = arena_create(65536);
    struct elsewhere elsewhere = elsewhere_create(stage->core, arena, true);
    struct group *group = cluster_group(stage->core->cluster, NULL, "general");
    struct planner planner = planner_create(stage->core, arena, &elsewhere, group);
    struct node *node = cluster_node(stage->core->cluster, "w-1");
    struct move_plan plan = planner_try(&planner, &node, 1, DISRUPTION_REPLACEMENT, 0);
    assert_int_equal(plan.unserved, 0);
    assert_int_equal(plan.machines, 1); // its pod fits elsewhere, but three are to stay
    assert_int_equal(plan.size_id, 10);
    stage_group(stage, "general", 3, 3);
    planner = planner_create(stage->core, arena, &elsewhere, group);
    plan = planner_try(&planner, &node, 1, DISRUPTION_REPLACEMENT, 0);
    assert_true(plan.unserved > 0);
    assert_non_null(strstr(plan.why, "no room for a new machine first"));
    arena_destroy(arena);
}

static void what_comes_unasked_is_of_the_cheapest_size_and_within_what_the_group_may_cost(void **state)
{
    (void)state;
    static const char *const BOTH[] = {"20", "10"};
    struct event *event = stage_group_event(stage, "general", 0, 10);
    event->object.group->kube_size_id = 0;
    event->object.group->offering_ids = BOTH;
    event->object.group->offering_count = 2;
    stage_step(stage, event);
    live(70000);
    struct arena *arena = arena_create(65536);
    struct elsewhere elsewhere = elsewhere_create(stage->core, arena, true);
    struct planner planner =
        planner_create(stage->core, arena, &elsewhere, cluster_group(stage->core->cluster, NULL, "general"));
    assert_int_equal(planner.choice_count, 2);
    struct node *node = cluster_node(stage->core->cluster, "w-3");
    struct move_plan plan = planner_try(&planner, &node, 1, DISRUPTION_REPLACEMENT, 2);
    assert_int_equal(plan.machines, 2);
    assert_int_equal(plan.size_id, 10); // $0.05 and not $0.09
    for (uint32_t i = 0; i < 2; i++)
        planner.choices[i].price_hour = planner.made[i].size_id == 10 ? 0.05 : 0.04;
    assert_int_equal(planner_try(&planner, &node, 1, DISRUPTION_REPLACEMENT, 1).size_id, 20);
    for (uint32_t i = 0; i < 2; i++)
        planner.choices[i].price_hour = planner.made[i].size_id == 10 ? 0.05 : 0; // not known
    plan = planner_try(&planner, &node, 1, DISRUPTION_REPLACEMENT, 1);
    assert_int_equal(plan.size_id, 10);
    assert_int_equal(plan.unserved, 0);
    planner.price_room_hour = 0.05;
    assert_int_equal(planner_try(&planner, &node, 1, DISRUPTION_REPLACEMENT, 1).unserved, 0);
    plan = planner_try(&planner, &node, 1, DISRUPTION_REPLACEMENT, 2);
    assert_int_equal(plan.unserved, 1);
    assert_non_null(strstr(plan.why, "allows $0.050/h more"));
    arena_destroy(arena);
}

static void a_size_that_nobody_offers_any_more_is_no_choice(void **state)
{
    (void)state;
    struct group *group = cluster_group(stage->core->cluster, NULL, "general");
    struct arena *arena = arena_create(65536);
    struct elsewhere elsewhere = elsewhere_create(stage->core, arena, true);
    struct planner planner = planner_create(stage->core, arena, &elsewhere, group);
    assert_int_equal(planner.choice_count, 1);
    struct group_life *life = group_life(stage->core, group);
    life->pools[0].size_id = 77;
    planner = planner_create(stage->core, arena, &elsewhere, group);
    assert_int_equal(planner.choice_count, 0);
    struct node *node = cluster_node(stage->core->cluster, "w-3");
    assert_int_equal(planner_try(&planner, &node, 1, DISRUPTION_REPLACEMENT, 1).unserved, 1);
    arena_destroy(arena);
}

static void daemons_are_no_workload_and_waiting_pods_are(void **state)
{
    (void)state;
    struct group *group = cluster_group(stage->core->cluster, NULL, "general");
    consolidate_remember(stage->core, group);
    group_life(stage->core, group)->last_scale_up_ms = stage->core->now_ms + 1;
    struct event *event = stage_pod_event(stage, "log", "w-2", 1500, 64);
    event->object.pod->controller_kind = "DaemonSet";
    stage_step(stage, event);
    stage_wait(stage, 10000);
    assert_int_not_equal(rests_until("w-1"), 0);
    assert_int_not_equal(rests_until("w-2"), 0); // of the same moment
    stage_waiting(stage, "late", 1, 1500, 64);
    stage_wait(stage, 10000);
    assert_int_equal(rests_until("w-1"), 0);
}

static void a_recommendation_of_a_group_in_the_middle_of_a_move_or_gone_is_not_carried_out(void **state)
{
    (void)state;
    char text[400];
    begin(MOVE_RECOMMENDED, 0, "w-1", NULL);
    moves()[0].group = "another";
    assert_false(moves_approve(stage->core, moves()[0].decision_id, text, sizeof(text)));
    assert_string_equal(text, "group another is gone");
    assert_int_equal(moves()[0].state, MOVE_RECOMMENDED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_node_leaves_once_everything_allows_it),
        TEST(what_holds_a_node_is_said_and_held_for_two_hours_at_most),
        TEST(nodes_leave_one_after_the_other),
        TEST(a_node_that_is_gone_is_no_longer_waited_for),
        TEST(the_nodes_wait_for_the_machines_and_the_machines_for_the_nodes),
        TEST(a_move_whose_order_came_to_nothing_is_given_up),
        TEST(a_group_that_is_gone_has_no_moves),
        TEST(what_a_move_brought_rests_for_the_horizon),
        TEST(a_group_that_grew_after_a_move_rests_unless_the_workload_changed),
        TEST(an_approval_is_refused_in_words),
        TEST(machines_come_for_the_minimum_too),
        TEST(what_comes_unasked_is_of_the_cheapest_size_and_within_what_the_group_may_cost),
        TEST(a_size_that_nobody_offers_any_more_is_no_choice),
        TEST(daemons_are_no_workload_and_waiting_pods_are),
        TEST(a_recommendation_of_a_group_in_the_middle_of_a_move_or_gone_is_not_carried_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

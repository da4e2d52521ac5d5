// Consolidation: what is worth a move, which move is made, and that no move undoes another.
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
#define HOUR_MS   3600000
// $0.05 and $0.09 an hour are $36.50 and $65.70 a month.

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

static const char *const BOTH[] = {"10", "20"};

struct wish_of {
    enum cost_strategy strategy;
    double monthly_savings_min;
    bool approval, off, no_opt_in;
    int32_t min, max, impact_percent;
    int32_t concurrent;
    const char *price_max; // annotation
};

// A group of both sizes that never calls a node underused: what goes, goes by consolidation.
static void begin(struct wish_of wish)
{
    struct event *event = stage_config_event(stage);
    event->object.config->rebalancing = !wish.off;
    event->object.config->consolidation = !wish.no_opt_in;
    event->object.config->max_concurrent_scale_downs = wish.concurrent > 0 ? wish.concurrent : 10;
    stage_step(stage, event);
    event = stage_group_event(stage, "general", wish.min, wish.max > 0 ? wish.max : 20);
    struct nodegroup_facts *facts = event->object.group;
    facts->kube_size_id = 0;
    facts->offering_ids = BOTH;
    facts->offering_count = 2;
    facts->scale_down.cpu_threshold_percent = facts->scale_down.memory_threshold_percent = 0;
    facts->cost = (struct cost_facts){.enabled = true,
                                      .strategy = wish.strategy,
                                      .interval_seconds = 86400,
                                      .monthly_savings_min = wish.monthly_savings_min,
                                      .performance_impact_max_percent =
                                          wish.impact_percent > 0 ? wish.impact_percent : 100,
                                      .require_approval = wish.approval};
    if (wish.price_max != NULL)
        stage_label(event, &facts->annotations, KEY_MAX_HOURLY_PRICE, wish.price_max);
    stage_step(stage, event);
    stage_wait(stage, 61000); // VPSie's lists
}

// Of consolidation or replacement.
static const struct decision *last_move(void)
{
    for (uint64_t n = stage->core->decision_count; n > 0; n--) {
        const struct decision *decision = core_decision_made(stage->core, n - 1);
        if (decision->kind == DECISION_CONSOLIDATE)
            return decision;
    }
    return NULL;
}

static uint32_t moves(void)
{
    uint32_t count = 0;
    for (uint64_t n = 0; n < stage->core->decision_count; n++)
        count += core_decision_made(stage->core, n)->kind == DECISION_CONSOLIDATE;
    return count;
}

// Two small machines with a small pod each, and no room for either on the other.
static void two_half_empty(void)
{
    stage_machine_of(stage, "w-1", "general", false);
    stage_machine_of(stage, "w-2", "general", false);
    stage_running(stage, "one", "w-1", 2000, 1024);
    stage_running(stage, "two", "w-2", 1900, 1024);
}

// ---- what is done

static void a_node_whose_pods_fit_elsewhere_is_removed_though_it_is_not_underused(void **state)
{
    (void)state;
    begin((struct wish_of){0});
    stage_machine_of(stage, "w-1", "general", false);
    stage_machine_of(stage, "w-2", "general", false);
    stage_running(stage, "one", "w-1", 1700, 1024);
    stage_running(stage, "two", "w-2", 1600, 1024);
    live(2 * MINUTE_MS);
    assert_int_equal(moves(), 1);
    assert_string_equal(last_move()->summary, "remove w-2"); // the emptier one
    assert_int_equal(last_move()->machines, 0);
    assert_true(stage_leaves(stage, "w-2"));
    assert_false(stage_leaves(stage, "w-1"));
}

static void two_dear_nodes_give_way_to_one_cheaper_and_the_new_one_comes_first(void **state)
{
    (void)state;
    begin((struct wish_of){0});
    stage_machine_of(stage, "w-1", "general", true);
    stage_machine_of(stage, "w-2", "general", true);
    stage_running(stage, "one", "w-1", 1700, 1024);
    stage_running(stage, "two", "w-2", 6800, 1024); // nothing else fits beside it
    live(2 * MINUTE_MS);
    assert_int_equal(moves(), 1);
    assert_string_equal(last_move()->summary, "replace w-1 by 1 small");
    assert_int_equal(last_move()->machines, 1);
    assert_int_equal(last_move()->size_id, 10);
    assert_int_equal(last_move()->leaving_count, 1);
    assert_non_null(strstr(last_move()->reason, "saves $29.20 a month (44%)"));
    assert_int_equal(stage_coming(stage, "general"), 1);
    assert_int_equal(stage_leaving(stage), 0); // nothing leaves before it is there
    live(50 * MINUTE_MS);                      // it never comes: the move is given up, the node stays
    assert_int_equal(stage_leaving(stage), 0);
}

static void several_small_nodes_give_way_to_fewer(void **state)
{
    (void)state;
    begin((struct wish_of){.strategy = COST_AGGRESSIVE, .monthly_savings_min = 5});
    two_half_empty();
    live(2 * MINUTE_MS);
    assert_int_equal(moves(), 1); // $0.10 for $0.09
    assert_string_equal(last_move()->summary, "replace w-2 w-1 by 1 large");
    assert_int_equal(last_move()->leaving_count, 2);
}

// ---- what is not

static void a_saving_below_the_least_is_not_made(void **state)
{
    (void)state;
    begin((struct wish_of){.strategy = COST_AGGRESSIVE, .monthly_savings_min = 10}); // it would save $7.30
    two_half_empty();
    live(30 * MINUTE_MS);
    assert_int_equal(moves(), 0);
}

static void a_saving_of_too_small_a_share_is_not_made(void **state)
{
    (void)state;
    begin((struct wish_of){.strategy = COST_CONSERVATIVE}); // one node at a time, a quarter at least
    two_half_empty();
    live(30 * MINUTE_MS);
    assert_int_equal(moves(), 0);
}

static void a_node_is_never_replaced_by_its_like(void **state)
{
    (void)state;
    begin((struct wish_of){.strategy = COST_AGGRESSIVE});
    stage_machine_of(stage, "w-1", "general", false);
    stage_running(stage, "one", "w-1", 400, 128);
    live(60 * MINUTE_MS);
    assert_int_equal(moves(), 0);
}

static void without_the_setting_or_the_opt_in_nothing_is_moved(void **state)
{
    (void)state;
    static const struct wish_of OFF[] = {{.off = true}, {.no_opt_in = true}};
    for (size_t i = 0; i < 2; i++) {
        begin(OFF[i]);
        stage_machine_of(stage, "w-1", "general", true);
        stage_running(stage, "one", "w-1", 400, 128);
        live(30 * MINUTE_MS);
        assert_int_equal(moves(), 0);
        stage_destroy(stage);
        stage = stage_create();
    }
}

static void the_opt_in_of_one_group_is_enough(void **state)
{
    (void)state;
    begin((struct wish_of){.no_opt_in = true});
    const char *why;
    struct group *group = cluster_group(stage->core->cluster, NULL, "general");
    assert_false(consolidate_enabled(stage->core, group, &why));
    assert_non_null(strstr(why, "autoscaler.vpsie.com/consolidation"));
    struct event *event = stage_group_event(stage, "general", 0, 20);
    event->object.group->cost.enabled = true;
    stage_label(event, &event->object.group->annotations, "autoscaler.vpsie.com/consolidation", "enabled");
    stage_step(stage, event);
    assert_true(consolidate_enabled(stage->core, group, &why));
}

static void the_minimum_of_the_group_holds(void **state)
{
    (void)state;
    begin((struct wish_of){.min = 2});
    stage_machine_of(stage, "w-1", "general", false);
    stage_machine_of(stage, "w-2", "general", false);
    stage_running(stage, "one", "w-1", 1700, 1024);
    stage_running(stage, "two", "w-2", 1600, 1024);
    live(30 * MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 0);
}

static void a_full_group_has_no_room_for_the_new_one_first(void **state)
{
    (void)state;
    begin((struct wish_of){.max = 1});
    stage_machine_of(stage, "w-1", "general", true);
    stage_running(stage, "one", "w-1", 400, 128);
    live(30 * MINUTE_MS);
    assert_int_equal(moves(), 0);
}

// While both are paid the group costs $0.18 and the new machine's $0.05.
static void the_most_that_a_group_may_cost_holds_while_old_and_new_are_paid(void **state)
{
    (void)state;
    static const struct {
        const char *most;
        uint32_t moves;
    } CASES[] = {{"0.22", 0}, {"0.23", 1}};
    for (size_t i = 0; i < 2; i++) {
        begin((struct wish_of){.price_max = CASES[i].most});
        stage_machine_of(stage, "w-1", "general", true);
        stage_machine_of(stage, "w-2", "general", true);
        stage_running(stage, "one", "w-1", 1700, 1024);
        stage_running(stage, "two", "w-2", 6800, 1024);
        live(2 * MINUTE_MS);
        assert_int_equal(moves(), CASES[i].moves);
        stage_destroy(stage);
        setup(NULL);
    }
}

static void a_budget_for_disturbance_holds_consolidation(void **state)
{
    (void)state;
    static const struct disruption_budget_facts NONE = {
        .nodes_max = 0, .schedule = "", .reasons = DISRUPTION_CONSOLIDATION};
    begin((struct wish_of){0});
    struct event *event = stage_config_event(stage);
    event->object.config->rebalancing = event->object.config->consolidation = true;
    event->object.config->budgets = &NONE;
    event->object.config->budget_count = 1;
    stage_step(stage, event);
    stage_machine_of(stage, "w-1", "general", true);
    stage_running(stage, "one", "w-1", 400, 128);
    live(30 * MINUTE_MS);
    assert_int_equal(moves(), 0);
}

static void waiting_pods_come_first(void **state)
{
    (void)state;
    begin((struct wish_of){0});
    stage_machine_of(stage, "w-1", "general", true);
    stage_running(stage, "one", "w-1", 400, 128);
    stage->core->policy->waiting = 1;
    stage_waiting(stage, "web", 1, 7000, 64); // fits on w-1: the scheduler has yet to place it
    live(2 * MINUTE_MS);
    assert_int_equal(moves(), 0);
}

static void moves_go_on_until_nothing_is_worth_it_and_begin_anew_after_the_interval(void **state)
{
    (void)state;
    begin((struct wish_of){0});
    stage_machine_of(stage, "w-1", "general", false);
    stage_running(stage, "one", "w-1", 3000, 1024);
    live(5 * MINUTE_MS); // the round ends
    stage_machine_of(stage, "w-2", "general", false);
    stage_running(stage, "two", "w-2", 300, 64);
    live(60 * MINUTE_MS);
    assert_int_equal(moves(), 0);
    live(23 * HOUR_MS + 5 * MINUTE_MS);
    assert_int_equal(moves(), 1);
    assert_string_equal(last_move()->summary, "remove w-2");
}

// ---- in numbers

static struct move_plan plan_of(double before, double after, double disturbance)
{
    static struct node node;
    node.intention = NULL;
    return (struct move_plan){.group = cluster_group(stage->core->cluster, NULL, "general"),
                              .nodes = {&node},
                              .node_count = 1,
                              .price_before = before,
                              .price_after = after,
                              .disturbance = disturbance,
                              .priced = true};
}

static void the_worth_of_a_move_is_what_it_saves_in_its_horizon_less_what_it_costs(void **state)
{
    (void)state;
    begin((struct wish_of){.monthly_savings_min = 10});
    struct move_plan plan = plan_of(0.10, 0.05, 4);
    struct worth worth = consolidate_worth(stage->core, &plan);
    assert_true(worth.saving > 1.1999 && worth.saving < 1.2001); // 24 h of $0.05
    assert_true(worth.cost > 0.0449 && worth.cost < 0.0451);     // 4 pods, half an hour of the new one
    assert_true(worth.saving_month > 36.49 && worth.saving_month < 36.51);
    assert_true(worth.worth);
    plan = plan_of(0.10, 0.05, 240); // so many pods cost more than is saved
    assert_false(consolidate_worth(stage->core, &plan).worth);
    plan = plan_of(0.10, 0.087, 0); // $9.49 a month
    assert_false(consolidate_worth(stage->core, &plan).worth);
    plan = plan_of(0.20, 0.185, 0); // 7.5 %
    assert_false(consolidate_worth(stage->core, &plan).worth);
    plan = plan_of(0.10, 0.05, 4);
    plan.priced = false;
    assert_false(consolidate_worth(stage->core, &plan).worth);
}

static void strategies_differ_by_their_numbers(void **state)
{
    (void)state;
    static const struct {
        enum cost_strategy strategy;
        const char *name;
        int64_t hours;
        double pod;
        int32_t percent;
        uint32_t nodes;
        bool recommends;
    } STATED[] = {{COST_AUTO, "auto", 24, 0.005, 10, 4, false},
                  {COST_MANUAL, "manual", 24, 0.005, 10, 4, true},
                  {COST_AGGRESSIVE, "aggressive", 72, 0.001, 5, 10, false},
                  {COST_CONSERVATIVE, "conservative", 8, 0.02, 25, 1, false}};
    for (size_t i = 0; i < 4; i++) {
        const struct strategy *strategy = consolidate_strategy(STATED[i].strategy);
        assert_string_equal(strategy->name, STATED[i].name);
        assert_int_equal(strategy->horizon_ms, STATED[i].hours * HOUR_MS);
        assert_true(strategy->pod_price >= STATED[i].pod && strategy->pod_price <= STATED[i].pod);
        assert_int_equal(strategy->saving_percent, STATED[i].percent);
        assert_int_equal(strategy->nodes_max, STATED[i].nodes);
        assert_int_equal(strategy->recommends, STATED[i].recommends);
    }
}

static void paid_periods_are_priced_whole(void **state)
{
    (void)state;
    begin((struct wish_of){0});
    stage->core->config.billing_period_ms = 30 * 24 * (int64_t)HOUR_MS;
    struct move_plan plan = plan_of(0.10, 0.09, 0);
    // a new machine is paid for a month at once, and the old one's next month is saved
    struct worth worth = consolidate_worth(stage->core, &plan);
    assert_true(worth.saving > 7.19 && worth.saving < 7.21); // 720 h of $0.01
}

// ---- recommendations

static void manual_and_require_approval_only_recommend(void **state)
{
    (void)state;
    static const struct wish_of ASKS[] = {{.strategy = COST_MANUAL}, {.approval = true}};
    for (size_t i = 0; i < 2; i++) {
        begin(ASKS[i]);
        stage_machine_of(stage, "w-1", "general", true);
        stage_running(stage, "one", "w-1", 400, 128);
        live(60 * MINUTE_MS);
        assert_int_equal(moves(), 1); // said once
        assert_string_equal(last_move()->withheld, "waits for approval");
        assert_int_equal(stage_coming(stage, "general"), 0);
        char text[200];
        assert_false(moves_approve(stage->core, last_move()->id + 7, text, sizeof(text)));
        assert_non_null(strstr(text, "no recommendation"));
        stage_destroy(stage);
        stage = stage_create();
    }
}

static void approve(uint64_t id)
{
    struct event *event = event_create(EVENT_OPERATOR);
    event->operator_request.verb = OPERATOR_APPROVE;
    event->operator_request.request_id = 5;
    event->operator_request.argument = arena_printf(event->arena, "D%llu", (unsigned long long)id);
    stage_step(stage, event);
}

static void an_approval_carries_the_recommendation_out(void **state)
{
    (void)state;
    begin((struct wish_of){.strategy = COST_MANUAL});
    stage_machine_of(stage, "w-1", "general", true);
    stage_running(stage, "one", "w-1", 400, 128);
    live(2 * MINUTE_MS);
    approve(last_move()->id);
    const struct command *reply = stage_find(stage, COMMAND_OPERATOR_REPLY);
    assert_true(reply->operator_reply.ok);
    assert_non_null(strstr(reply->operator_reply.text, "1 machine to come, 1 node to go"));
    assert_int_equal(stage_coming(stage, "general"), 1);
    approve(last_move()->id); // twice is once
    reply = stage_find(stage, COMMAND_OPERATOR_REPLY);
    assert_false(reply->operator_reply.ok);
    assert_int_equal(stage_coming(stage, "general"), 1);
}

static void an_approval_that_comes_too_late_is_refused_with_the_reason(void **state)
{
    (void)state;
    begin((struct wish_of){.strategy = COST_MANUAL});
    stage_machine_of(stage, "w-1", "general", true);
    stage_running(stage, "one", "w-1", 400, 128);
    live(2 * MINUTE_MS);
    stage_running(stage, "more", "w-1", 6000, 128); // the small one would not do any more
    approve(last_move()->id);
    const struct command *reply = stage_find(stage, COMMAND_OPERATOR_REPLY);
    assert_false(reply->operator_reply.ok);
    assert_non_null(strstr(reply->operator_reply.text, "not be right any more"));
    assert_int_equal(stage_coming(stage, "general"), 0);
}

static void a_recommendation_goes_with_its_node(void **state)
{
    (void)state;
    begin((struct wish_of){.strategy = COST_MANUAL});
    stage_machine_of(stage, "w-1", "general", true);
    stage_running(stage, "one", "w-1", 400, 128);
    live(2 * MINUTE_MS);
    assert_int_equal(stage->core->policy->moves->count, 1);
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = OBJECT_NODE;
    event->gone.space = event->gone.uid = "";
    event->gone.name = "w-1";
    stage_step(stage, event);
    live(MINUTE_MS);
    assert_int_equal(stage->core->policy->moves->count, 0);
}

static void another_term_does_not_go_on_with_the_moves_of_the_one_before(void **state)
{
    (void)state;
    begin((struct wish_of){0});
    stage_machine_of(stage, "w-1", "general", true);
    stage_running(stage, "one", "w-1", 400, 128);
    live(2 * MINUTE_MS);
    assert_int_equal(stage->core->policy->moves->count, 1);
    stage->core->term++;
    live(30000);
    assert_int_equal(stage->core->policy->moves->count, 0);
}

static void a_dry_run_says_it_once(void **state)
{
    (void)state;
    begin((struct wish_of){0});
    stage->core->config.dry_run = true;
    stage_machine_of(stage, "w-1", "general", true);
    stage_running(stage, "one", "w-1", 400, 128);
    live(49 * (int64_t)HOUR_MS);
    assert_int_equal(moves(), 1);
    assert_string_equal(last_move()->withheld, "dry run");
    assert_int_equal(last_move()->machines, 1);
    assert_int_equal(stage_coming(stage, "general"), 0);
}

static const struct rule *group_row(struct arena *arena)
{
    struct explanation out;
    assert_true(explain_group(stage->core, arena, "general", &out));
    for (uint32_t i = 0; i < out.rule_count; i++)
        if (strcmp(out.rules[i].name, "consolidation") == 0)
            return &out.rules[i];
    fail();
    return NULL;
}

static void a_group_says_where_its_round_stands(void **state)
{
    (void)state;
    struct arena *arena = arena_create(4096);
    begin((struct wish_of){.off = true});
    assert_string_equal(group_row(arena)->saw, "off");
    begin((struct wish_of){.monthly_savings_min = 10});
    stage_machine_of(stage, "w-1", "general", true);
    stage_running(stage, "one", "w-1", 7200, 128);
    live(5 * MINUTE_MS);
    assert_non_null(strstr(group_row(arena)->saw, "nothing more to gain; the next round in 23h"));
    assert_string_equal(group_row(arena)->limit, "auto: $10.00 a month, 10%");
    live(24 * (int64_t)HOUR_MS);
    stage_machine_of(stage, "w-2", "general", true);
    stage_running(stage, "two", "w-2", 400, 128);
    live(24 * (int64_t)HOUR_MS);
    char wanted[80];
    snprintf(wanted, sizeof(wanted), "D%llu is under way, waits for its machines to come",
             (unsigned long long)last_move()->id);
    assert_string_equal(group_row(arena)->saw, wanted);
    arena_destroy(arena);
}

static void it_is_explained(void **state)
{
    (void)state;
    begin((struct wish_of){.monthly_savings_min = 1000});
    stage_machine_of(stage, "w-1", "general", true);
    stage_running(stage, "one", "w-1", 400, 128);
    live(2 * MINUTE_MS);
    struct arena *arena = arena_create(4096);
    struct explanation out;
    assert_true(explain_node(stage->core, arena, "w-1", &out));
    const struct rule *found = NULL;
    for (uint32_t i = 0; i < out.rule_count; i++)
        if (strcmp(out.rules[i].name, "consolidation") == 0)
            found = &out.rules[i];
    assert_non_null(found);
    assert_non_null(
        strstr(found->saw, "replace w-1 by 1 small: saves $29.20 a month, $0.96 in 1d for $0.03"));
    assert_non_null(strstr(found->limit, "auto: $1000.00 a month, 10%"));
    arena_destroy(arena);
}

static void what_would_have_to_change_is_said(void **state)
{
    (void)state;
    static const struct {
        bool cost;
        const char *invalid, *says;
    } CASES[] = {{true, "", ""},
                 {false, "", "set costOptimization.enabled in the NodeGroup"},
                 {true, "no size", "the NodeGroup is not in order: see `explain group`"}};
    begin((struct wish_of){0});
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct event *event = stage_group_event(stage, "general", 0, 20);
        event->object.group->cost.enabled = CASES[i].cost;
        event->object.group->invalid = CASES[i].invalid;
        stage_step(stage, event);
        const char *why;
        assert_int_equal(
            consolidate_enabled(stage->core, cluster_group(stage->core->cluster, NULL, "general"), &why),
            i == 0);
        assert_string_equal(why, CASES[i].says);
    }
}

static void what_is_paid_for_already_is_not_saved(void **state)
{
    (void)state;
    begin((struct wish_of){0});
    struct move_plan plan = plan_of(0.10, 0, 1);
    plan.nodes[0] = stage_machine_of(stage, "w-1", "general", true);
    struct worth worth = consolidate_worth(stage->core, &plan);
    assert_true(worth.saving > 2.39 && worth.worth);
    stage->core->config.billing_period_ms = 30 * 24 * (int64_t)HOUR_MS; // two hours of it are over
    worth = consolidate_worth(stage->core, &plan);
    assert_true(worth.saving > -1e-9 && worth.saving < 1e-9);
    assert_false(worth.worth);
}

static void a_budget_for_one_node_allows_no_set(void **state)
{
    (void)state;
    static const struct disruption_budget_facts ONE = {.nodes_max = 1, .schedule = ""};
    begin((struct wish_of){.strategy = COST_AGGRESSIVE, .monthly_savings_min = 5});
    struct event *event = stage_config_event(stage);
    event->object.config->rebalancing = event->object.config->consolidation = true;
    event->object.config->budgets = &ONE;
    event->object.config->budget_count = 1;
    stage_step(stage, event);
    two_half_empty(); // both together would be worth it
    live(30 * MINUTE_MS);
    assert_int_equal(moves(), 0);
}

static void groups_take_turns(void **state)
{
    (void)state;
    begin((struct wish_of){0});
    struct event *event = stage_group_event(stage, "other", 0, 20);
    struct nodegroup_facts *facts = event->object.group;
    const struct nodegroup_facts *general = &cluster_group(stage->core->cluster, NULL, "general")->facts;
    facts->kube_size_id = 0;
    facts->offering_ids = BOTH;
    facts->offering_count = 2;
    facts->scale_down = general->scale_down;
    facts->cost = general->cost;
    facts->status_vpsie_group_id = 8;
    stage_step(stage, event);
    stage_wait(stage, 61000);
    stage_machine_of(stage, "w-1", "general", false);
    stage_machine_of(stage, "x-1", "other", false);
    stage_running(stage, "one", "w-1", 3000, 1024);
    stage_running(stage, "two", "x-1", 3000, 1024);
    live(MINUTE_MS);
    struct group_moves *first = &group_policy(stage->core, stage->core->cluster->groups[0])->moves;
    struct group_moves *second = &group_policy(stage->core, stage->core->cluster->groups[1])->moves;
    int64_t now_ms = stage->core->now_ms;
    first->round_from_ms = second->round_from_ms = now_ms - 3000; // both are in the middle of a round
    first->round_over = second->round_over = false;
    first->next_ms = second->next_ms = 0;
    first->looked_ms = now_ms - 1000;
    second->looked_ms = now_ms - 2000;
    struct arena *arena = arena_create(65536);
    consolidate_consider(stage->core, arena); // the one that was looked at longer ago
    assert_int_equal(first->looked_ms, now_ms - 1000);
    assert_int_equal(second->looked_ms, now_ms);
    consolidate_consider(stage->core, arena);
    assert_int_equal(first->looked_ms, now_ms);
    arena_destroy(arena);
}

static void a_long_move_is_named_in_short(void **state)
{
    (void)state;
    begin((struct wish_of){0});
    static struct node nodes[6];
    static const char *const NAMES[] = {"a", "b", "c", "d", "e", "f"};
    struct move_plan plan = plan_of(0.10, 0.05, 4);
    for (plan.node_count = 0; plan.node_count < 6; plan.node_count++) {
        nodes[plan.node_count].name = NAMES[plan.node_count];
        plan.nodes[plan.node_count] = &nodes[plan.node_count];
    }
    char text[200];
    move_plan_describe(stage->core, &plan, text, sizeof(text));
    assert_string_equal(text, "remove a b c d and 2 more");
    plan.machines = 2;
    plan.size_id = 99; // no longer on offer
    move_plan_describe(stage->core, &plan, text, sizeof(text));
    assert_string_equal(text, "replace a b c d and 2 more by 2 of the group's size");
}

static void a_round_that_has_not_begun_or_not_ended_is_told(void **state)
{
    (void)state;
    struct arena *arena = arena_create(4096);
    begin((struct wish_of){0});
    struct group_moves *known =
        &group_policy(stage->core, cluster_group(stage->core->cluster, NULL, "general"))->moves;
    known->round_from_ms = 0;
    assert_string_equal(group_row(arena)->saw, "no round yet");
    known->round_from_ms = stage->core->now_ms - 7 * MINUTE_MS;
    known->round_over = false;
    assert_string_equal(group_row(arena)->saw, "a round since 7m");
    arena_destroy(arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_node_whose_pods_fit_elsewhere_is_removed_though_it_is_not_underused),
        TEST(two_dear_nodes_give_way_to_one_cheaper_and_the_new_one_comes_first),
        TEST(several_small_nodes_give_way_to_fewer),
        TEST(a_saving_below_the_least_is_not_made),
        TEST(a_saving_of_too_small_a_share_is_not_made),
        TEST(a_node_is_never_replaced_by_its_like),
        TEST(without_the_setting_or_the_opt_in_nothing_is_moved),
        TEST(the_opt_in_of_one_group_is_enough),
        TEST(the_minimum_of_the_group_holds),
        TEST(a_full_group_has_no_room_for_the_new_one_first),
        TEST(the_most_that_a_group_may_cost_holds_while_old_and_new_are_paid),
        TEST(a_budget_for_disturbance_holds_consolidation),
        TEST(waiting_pods_come_first),
        TEST(moves_go_on_until_nothing_is_worth_it_and_begin_anew_after_the_interval),
        TEST(the_worth_of_a_move_is_what_it_saves_in_its_horizon_less_what_it_costs),
        TEST(strategies_differ_by_their_numbers),
        TEST(paid_periods_are_priced_whole),
        TEST(manual_and_require_approval_only_recommend),
        TEST(an_approval_carries_the_recommendation_out),
        TEST(an_approval_that_comes_too_late_is_refused_with_the_reason),
        TEST(a_recommendation_goes_with_its_node),
        TEST(another_term_does_not_go_on_with_the_moves_of_the_one_before),
        TEST(a_dry_run_says_it_once),
        TEST(a_group_says_where_its_round_stands),
        TEST(it_is_explained),
        TEST(what_would_have_to_change_is_said),
        TEST(what_is_paid_for_already_is_not_saved),
        TEST(a_budget_for_one_node_allows_no_set),
        TEST(groups_take_turns),
        TEST(a_long_move_is_named_in_short),
        TEST(a_round_that_has_not_begun_or_not_ended_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

// Time passes with agents that speak.
static void live(int64_t ms)
{
    for (int64_t left = ms; left > 0; left -= 20000) {
        stage_wait(stage, left < 20000 ? left : 20000);
        stage_reports(stage);
    }
    stage_wait(stage, 5000); // one more look
}

// Three machines: w-1 is full, w-2 and w-3 hold one small pod each.
static void usual_cluster(void)
{
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_machine(stage, "w-3", "general");
    stage_group(stage, "general", 1, 10);
    stage_running(stage, "big", "w-1", 2800, 2048);
    stage_running(stage, "small-2", "w-2", 200, 64);
    stage_running(stage, "small-3", "w-3", 300, 64);
}

static void kept_by(const char *node, const char *rule)
{
    struct node_answer answer = policy_node_rules(stage->core, cluster_node(stage->core->cluster, node));
    assert_non_null(answer.rule);
    assert_string_equal(answer.rule, rule);
}

// Everything about the node is as it should be, but for one thing: it stays, and that one thing is named.
static void stays_because_of(const char *node, const char *rule)
{
    live(15 * MINUTE_MS);
    assert_false(stage_leaves(stage, node));
    kept_by(node, rule);
}

static uint64_t decisions(void)
{
    return stage_decisions(stage);
}

// ---- the way it goes

static void an_underused_node_goes_after_its_window(void **state)
{
    (void)state;
    usual_cluster();
    live(9 * MINUTE_MS);
    assert_int_equal(decisions(), 0);
    kept_by("w-2", "underused, requests");
    live(2 * MINUTE_MS);
    assert_int_equal(decisions(), 1);
    const struct decision *decision = stage_last(stage);
    assert_int_equal(decision->kind, DECISION_REMOVE);
    assert_string_equal(decision->summary, "remove w-2"); // the least used of those with fewest pods
    assert_string_equal(decision->node, "w-2");
    assert_string_equal(decision->reason,
                        "underused, at most 6% requested; 1 pod fits elsewhere; saves $0.05/h");
    assert_true(stage_leaves(stage, "w-2"));
    assert_false(stage_leaves(stage, "w-3")); // one drain at a time
    assert_false(stage_leaves(stage, "w-1"));
}

static void the_window_begins_anew_when_requests_rise_in_between(void **state)
{
    (void)state;
    usual_cluster();
    live(8 * MINUTE_MS);
    stage_running(stage, "guest-2", "w-2", 2000, 64); // 63 %
    stage_running(stage, "guest-3", "w-3", 2000, 64);
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = OBJECT_POD;
    event->gone.space = "shop";
    event->gone.name = "guest-2";
    event->gone.uid = "";
    stage_step(stage, event);
    live(5 * MINUTE_MS);
    assert_int_equal(decisions(), 0);
    live(6 * MINUTE_MS);
    assert_true(stage_leaves(stage, "w-2"));
}

static void the_window_begins_anew_when_the_measured_use_rises_in_between(void **state)
{
    (void)state;
    usual_cluster();
    live(8 * MINUTE_MS);
    for (int i = 2; i <= 3; i++) {
        struct event *event = stage_report_event(stage, i == 2 ? "w-2" : "w-3");
        event->report->cpu_used_millis = 3000;
        stage_step(stage, event);
    }
    live(5 * MINUTE_MS);
    assert_int_equal(decisions(), 0);
    live(6 * MINUTE_MS);
    assert_true(stage_leaves(stage, "w-2"));
}

static void empty_nodes_go_together(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    for (int i = 1; i <= 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "w-%d", i);
        stage_machine(stage, name, "general");
    }
    stage_running(stage, "big", "w-1", 2800, 2048);
    live(11 * MINUTE_MS);
    assert_int_equal(decisions(), 1);
    assert_string_equal(stage_last(stage)->summary, "remove w-2 w-3 w-4 w-5");
    assert_string_equal(stage_last(stage)->reason, "empty, saves $0.20/h");
    assert_int_equal(stage_leaving(stage), 4);
}

static void furniture_and_finished_pods_do_not_count(void **state)
{
    (void)state;
    usual_cluster();
    struct event *event = stage_pod_event(stage, "proxy-2", "w-2", 10, 64);
    event->object.pod->controller_kind = "DaemonSet";
    stage_step(stage, event);
    event = stage_pod_event(stage, "static-2", "w-2", 10, 64);
    event->object.pod->mirror = true;
    event->object.pod->controller_kind = "";
    stage_step(stage, event);
    event = stage_pod_event(stage, "done-2", "w-2", 10, 64);
    event->object.pod->terminal = true;
    event->object.pod->phase = POD_SUCCEEDED;
    event->object.pod->controller_kind = "";
    stage_step(stage, event);
    live(11 * MINUTE_MS);
    assert_true(stage_leaves(stage, "w-2"));
}

// ---- limits

static void a_group_never_falls_below_its_minimum(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    for (int i = 1; i <= 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "w-%d", i);
        stage_machine(stage, name, "general");
    }
    stage_group(stage, "general", 3, 10);
    live(15 * MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 2);
}

static void at_most_so_many_leave_at_once_when_that_is_configured(void **state)
{
    (void)state;
    struct event *event = stage_config_event(stage);
    event->object.config->max_concurrent_scale_downs = 2;
    stage_step(stage, event);
    stage_group(stage, "general", 0, 10);
    for (int i = 1; i <= 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "w-%d", i);
        stage_machine(stage, name, "general");
    }
    live(15 * MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 2);
}

static void the_set_must_fit_together_and_not_each_alone(void **state)
{
    (void)state;
    struct event *event = stage_config_event(stage);
    event->object.config->max_concurrent_scale_downs = 10;
    stage_step(stage, event);
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_machine(stage, "w-3", "general");
    stage_running(stage, "one", "w-1", 1700, 64); // 48 %
    stage_running(stage, "two", "w-2", 1650, 64);
    stage_running(stage, "three", "w-3", 1600, 64);
    live(11 * MINUTE_MS);
    // any one of them fits on another, two of them on the third do not
    assert_int_equal(stage_leaving(stage), 1);
    assert_true(stage_leaves(stage, "w-3"));
}

static void pods_that_fit_nowhere_else_keep_their_node(void **state)
{
    (void)state;
    usual_cluster();
    struct event *event = stage_pod_event(stage, "picky-2", "w-2", 100, 64);
    stage_label(event, &event->object.pod->shape.node_selector, "kubernetes.io/hostname", "w-2");
    stage_step(stage, event);
    event = stage_pod_event(stage, "picky-3", "w-3", 100, 64);
    stage_label(event, &event->object.pod->shape.node_selector, "kubernetes.io/hostname", "w-3");
    stage_step(stage, event);
    live(15 * MINUTE_MS);
    assert_int_equal(decisions(), 0);
    struct arena *arena = arena_create(4096);
    struct node_fit fit = policy_node_fit(stage->core, cluster_node(stage->core->cluster, "w-2"), arena);
    assert_int_equal(fit.pods, 2);
    assert_int_equal(fit.placed, 1);
    assert_non_null(strstr(fit.miss, "shop/picky-2: "));
    arena_destroy(arena);
}

static void a_node_that_a_waiting_pod_counts_on_stays(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 2);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_running(stage, "big", "w-1", 2800, 2048);
    live(9 * MINUTE_MS);
    stage_waiting(stage, "web", 1, 2000, 64); // fits on w-2 only; the scheduler has yet to place it
    live(4 * MINUTE_MS);
    assert_false(stage_leaves(stage, "w-2"));
}

static void a_node_that_preemption_clears_for_a_pod_stays(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 2);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_running(stage, "big", "w-1", 2800, 2048);
    struct event *event = stage_pod_event(stage, "vip", "", 100, 64);
    event->object.pod->nominated_node = "w-2";
    stage_step(stage, event);
    live(15 * MINUTE_MS);
    assert_false(stage_leaves(stage, "w-2"));
}

static void the_cooldown_of_the_group_passes_first(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 10);
    event->object.group->scale_down.cooldown_seconds = 1800;
    event->object.group->status_last_scale_down_ms = STAGE_START_MS;
    stage_step(stage, event);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    live(20 * MINUTE_MS);
    assert_int_equal(decisions(), 0);
    kept_by("w-1", "cooldown");
    live(11 * MINUTE_MS);
    assert_int_equal(decisions(), 1);
}

static void the_cluster_settles_after_an_addition(void **state)
{
    (void)state;
    usual_cluster();
    stage->core->config.delay_after_add_ms = 30 * MINUTE_MS;
    stage->core->last_added_ms = stage->now_ms;
    live(20 * MINUTE_MS);
    assert_int_equal(decisions(), 0);
    kept_by("w-2", "after changes");
    live(11 * MINUTE_MS);
    assert_int_equal(decisions(), 1);
}

static void the_cluster_settles_after_a_failure(void **state)
{
    (void)state;
    usual_cluster();
    stage->core->config.delay_after_failure_ms = 30 * MINUTE_MS;
    stage->core->last_failed_ms = stage->now_ms;
    stays_because_of("w-2", "after changes");
}

// ---- in which order

static void of_both_sizes(void)
{
    static const char *const BOTH[] = {"10", "20"};
    struct event *event = stage_group_event(stage, "general", 0, 10);
    event->object.group->kube_size_id = 0;
    event->object.group->offering_ids = BOTH;
    event->object.group->offering_count = 2;
    stage_step(stage, event);
    stage_wait(stage, 61000); // VPSie's lists
}

static void the_dearest_of_empty_nodes_goes_first(void **state)
{
    (void)state;
    stage->core->config.max_empty_removals = 1;
    of_both_sizes();
    stage_machine_of(stage, "w-1", "general", false);
    stage_machine_of(stage, "w-2", "general", true);
    live(11 * MINUTE_MS);
    assert_true(stage_leaves(stage, "w-2"));
    assert_false(stage_leaves(stage, "w-1"));
    assert_string_equal(stage_last(stage)->reason, "empty, saves $0.09/h");
}

static void the_least_important_pods_are_disturbed_for_the_same_money(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    for (int i = 0; i < 2; i++) { // two that do not matter much are less than one that matters a lot
        char name[16];
        snprintf(name, sizeof(name), "vip-%d", i);
        struct event *event = i == 0 ? stage_pod_event(stage, name, "w-1", 100, 64)
                                     : stage_pod_event(stage, name, "w-2", 100, 64);
        event->object.pod->shape.priority = i == 0 ? 1000000000 : 0;
        stage_step(stage, event);
    }
    stage_running(stage, "other", "w-2", 100, 64);
    live(11 * MINUTE_MS);
    assert_true(stage_leaves(stage, "w-2"));
    assert_false(stage_leaves(stage, "w-1"));
}

static void more_money_is_worth_more_disturbance(void **state)
{
    (void)state;
    of_both_sizes();
    stage_machine_of(stage, "w-1", "general", false);
    stage_machine_of(stage, "w-2", "general", true);
    stage_machine_of(stage, "w-3", "general", true);
    for (int i = 0; i < 5; i++) { // $0.05 for two pods, $0.09 for three
        char name[16];
        snprintf(name, sizeof(name), "pod-%d", i);
        stage_running(stage, name, i < 2 ? "w-1" : "w-2", 1, 64);
    }
    stage_running(stage, "big", "w-3", 6000, 9000);
    live(11 * MINUTE_MS);
    assert_true(stage_leaves(stage, "w-2"));
}

static void a_node_whose_pods_fit_nowhere_lets_others_try(void **state)
{
    (void)state;
    usual_cluster();
    struct event *event = stage_pod_event(stage, "picky-2", "w-2", 100, 64);
    stage_label(event, &event->object.pod->shape.node_selector, "kubernetes.io/hostname", "w-2");
    stage_step(stage, event);
    live(11 * MINUTE_MS);
    assert_false(stage_leaves(stage, "w-2"));
    assert_true(stage_leaves(stage, "w-3"));
}

// ---- what keeps a node

static void resend_node(const char *name, void (*change)(struct event *event))
{
    struct event *event = stage_node_event(stage, name, 3500, 7168);
    stage_label(event, &event->object.node->labels, KEY_MANAGED, "true");
    stage_label(event, &event->object.node->labels, KEY_NODEGROUP, "general");
    stage_label(event, &event->object.node->labels, "pool", "general");
    change(event);
    stage_step(stage, event);
}

static const char *key, *value;

static void annotate(struct event *event)
{
    stage_label(event, &event->object.node->annotations, key, value);
}

static void mark(struct event *event)
{
    stage_label(event, &event->object.node->labels, KEY_SCALE_DOWN_DISABLED, "true");
}

static void cordon(struct event *event)
{
    event->object.node->unschedulable = true;
}

static void every_protection_keeps_a_node(void **state)
{
    (void)state;
    static const char *const PROTECTIONS[][2] = {
        {KEY_CA_SCALE_DOWN_DISABLED, "true"}, {KEY_PROTECTED, "true"}, {KEY_SCALE_DOWN, "disabled"}};
    usual_cluster();
    for (size_t i = 0; i < 3; i++) {
        key = PROTECTIONS[i][0];
        value = PROTECTIONS[i][1];
        resend_node("w-2", annotate);
        resend_node("w-3", annotate);
        stays_because_of("w-2", "protection");
    }
    resend_node("w-2", mark);
    resend_node("w-3", mark);
    stays_because_of("w-2", "protection");
    value = "false"; // protects nothing
    key = KEY_PROTECTED;
    resend_node("w-2", annotate);
    live(11 * MINUTE_MS);
    assert_true(stage_leaves(stage, "w-2"));
}

static void a_persons_cordon_is_not_ours_to_use(void **state)
{
    (void)state;
    usual_cluster();
    resend_node("w-2", cordon);
    resend_node("w-3", cordon);
    stays_because_of("w-2", "cordon");
}

static void a_node_goes_only_in_its_allowed_hours(void **state)
{
    (void)state;
    usual_cluster(); // it is midnight
    key = KEY_SCALE_DOWN_ALLOWED_HOURS;
    value = "02:00-04:00";
    resend_node("w-2", annotate);
    resend_node("w-3", annotate);
    live(119 * MINUTE_MS);
    assert_int_equal(decisions(), 0);
    kept_by("w-2", "allowed hours");
    live(2 * MINUTE_MS);
    assert_true(stage_leaves(stage, "w-2"));
}

static void hours_that_cannot_be_read_keep_the_node(void **state)
{
    (void)state;
    usual_cluster();
    key = KEY_SCALE_DOWN_ALLOWED_HOURS;
    value = "at night";
    resend_node("w-2", annotate);
    resend_node("w-3", annotate);
    stays_because_of("w-2", "allowed hours");
}

static void hours_are_read_as_the_predecessor_wrote_them(void **state)
{
    (void)state;
    assert_int_equal(policy_hours_allow("09:00-17:00", 9 * 60), 1);
    assert_int_equal(policy_hours_allow("09:00-17:00", 17 * 60 - 1), 1);
    assert_int_equal(policy_hours_allow("09:00-17:00", 17 * 60), 0);
    assert_int_equal(policy_hours_allow("09:00-17:00", 9 * 60 - 1), 0);
    assert_int_equal(policy_hours_allow("22:00-02:00", 23 * 60), 1);
    assert_int_equal(policy_hours_allow("22:00-02:00", 60), 1);
    assert_int_equal(policy_hours_allow("22:00-02:00", 2 * 60), 0);
    assert_int_equal(policy_hours_allow("22:00-02:00", 12 * 60), 0);
    assert_int_equal(policy_hours_allow(" 01:00 - 02:00 , 05:00-06:00", 5 * 60 + 30), 1);
    assert_int_equal(policy_hours_allow("00:00-24:00", 1439), 1);
    assert_int_equal(policy_hours_allow("05:00-05:00", 5 * 60), 0);
    const char *const WRONG[] = {
        "",      "9-17",        "09:00",       "09:00-",       "09:00-25:00", "09:60-10:00",
        "night", "09:00-17:0x", "24:30-25:00", "09:00-17:00,", "09:00-17:00;"};
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
        assert_int_equal(policy_hours_allow(WRONG[i], 600), -1);
}

static void a_node_made_by_hand_stays(void **state)
{
    (void)state;
    usual_cluster();
    key = KEY_CREATION_REASON;
    value = "manual";
    resend_node("w-2", annotate);
    resend_node("w-3", annotate);
    stays_because_of("w-2", "creation reason");
}

static void a_silent_agent_forbids_removal(void **state)
{
    (void)state;
    usual_cluster();
    for (int i = 0; i < 45; i++) { // all speak but that of w-2
        stage_wait(stage, 20000);
        stage_step(stage, stage_report_event(stage, "w-1"));
        stage_step(stage, stage_report_event(stage, "w-3"));
    }
    assert_false(stage_leaves(stage, "w-2"));
    kept_by("w-2", "agent");
    assert_true(stage_leaves(stage, "w-3"));
}

static void measured_use_above_the_threshold_keeps_a_node(void **state)
{
    (void)state;
    usual_cluster();
    for (int i = 0; i < 40; i++) {
        stage_wait(stage, 20000);
        struct event *event = stage_report_event(stage, "w-2");
        event->report->memory_used_bytes = 5000 * STAGE_MIB;
        stage_step(stage, event);
    }
    assert_false(stage_leaves(stage, "w-2"));
    struct node_answer answer = policy_node_rules(stage->core, cluster_node(stage->core->cluster, "w-2"));
    assert_int_equal(strncmp(answer.rule, "underused", 9), 0);
}

static void requests_above_the_threshold_keep_a_node(void **state)
{
    (void)state;
    usual_cluster();
    live(15 * MINUTE_MS);
    assert_false(stage_leaves(stage, "w-1"));
    kept_by("w-1", "underused, requests");
}

static void pressed(struct agent_report_facts *report)
{
    report->pressure_cpu_some60 = 70;
}

static void inhibited(struct agent_report_facts *report)
{
    report->inhibitor_count = 1;
    report->verdict.state = EVIDENCE_BLOCKED;
}

static struct evidence_reason node_reason = {
    .code = "filesystem", .pod_uid = "", .subject = "/", .observed = 97, .limit = 95, .detail = "97 % full"};

static void unwell(struct agent_report_facts *report)
{
    report->verdict.state = EVIDENCE_BLOCKED;
    report->verdict.reasons = &node_reason;
    report->verdict.reason_count = 1;
}

static struct pod_evidence_facts held[2];

static void holding(struct agent_report_facts *report)
{
    report->pods = held;
    report->pod_count = 2;
}

static void live_with(int64_t ms, void (*change)(struct agent_report_facts *report))
{
    for (int64_t left = ms; left > 0; left -= 20000) {
        stage_wait(stage, 20000);
        for (int i = 1; i <= 3; i++) {
            char name[16];
            snprintf(name, sizeof(name), "w-%d", i);
            struct event *event = stage_report_event(stage, name);
            change(event->report);
            stage_step(stage, event);
        }
    }
    stage_wait(stage, 5000);
}

static void pressure_vetoes_a_removal_that_averages_would_allow(void **state)
{
    (void)state;
    usual_cluster();
    live_with(15 * MINUTE_MS, pressed);
    assert_int_equal(decisions(), 0);
    kept_by("w-2", "pressure");
}

static void an_inhibitor_keeps_its_node(void **state)
{
    (void)state;
    usual_cluster();
    live_with(15 * MINUTE_MS, inhibited);
    assert_int_equal(decisions(), 0);
    kept_by("w-2", "agent's verdict");
}

static void what_the_agent_holds_against_the_node_itself_keeps_it(void **state)
{
    (void)state;
    usual_cluster();
    live_with(15 * MINUTE_MS, unwell);
    assert_int_equal(decisions(), 0);
    kept_by("w-2", "agent's verdict");
}

static void hold(int64_t bytes_2, int64_t bytes_3)
{
    held[0] = (struct pod_evidence_facts){.uid = "uid-pod-spool-2",
                                          .cpu_millis = 1,
                                          .memory_bytes = 1,
                                          .local_data_bytes = bytes_2,
                                          .largest_volume = "spool",
                                          .largest_volume_bytes = bytes_2,
                                          .connections = 0,
                                          .unknown = ""};
    held[1] = held[0];
    held[1].uid = "uid-pod-spool-3";
    held[1].local_data_bytes = held[1].largest_volume_bytes = bytes_3;
}

static const char *const SPOOL[] = {"spool"};

static void spooling_pods(const char *safe)
{
    for (int i = 2; i <= 3; i++) {
        char name[16], node[16];
        snprintf(name, sizeof(name), "spool-%d", i);
        snprintf(node, sizeof(node), "w-%d", i);
        struct event *event = stage_pod_event(stage, name, node, 100, 64);
        event->object.pod->local_volumes = SPOOL;
        event->object.pod->local_volume_count = 1;
        event->object.pod->safe_local_volumes = safe;
        stage_step(stage, event);
    }
}

static void local_data_that_is_really_held_keeps_its_node(void **state)
{
    (void)state;
    usual_cluster();
    spooling_pods("");
    hold(212 * STAGE_MIB, 1);
    live_with(15 * MINUTE_MS, holding);
    assert_int_equal(decisions(), 0);
    kept_by("w-2", "local data");
    hold(0, 1); // an empty volume blocks nothing
    live_with(MINUTE_MS, holding);
    assert_true(stage_leaves(stage, "w-2"));
    assert_false(stage_leaves(stage, "w-3"));
}

static void without_evidence_the_manifest_counts(void **state)
{
    (void)state;
    usual_cluster();
    spooling_pods("");
    stays_because_of("w-2", "local data");
}

static void data_that_may_be_lost_keeps_nothing(void **state)
{
    (void)state;
    usual_cluster();
    spooling_pods("cache, spool");
    hold(212 * STAGE_MIB, 212 * STAGE_MIB);
    live_with(11 * MINUTE_MS, holding);
    assert_true(stage_leaves(stage, "w-2"));
}

static void add_pod(const char *name, const char *node, void (*change)(struct pod_facts *facts))
{
    struct event *event = stage_pod_event(stage, name, node, 100, 64);
    change(event->object.pod);
    stage_step(stage, event);
}

static void orphan(struct pod_facts *facts)
{
    facts->controller_kind = facts->controller_name = facts->controller_uid = "";
}

static void orphan_that_may_go(struct pod_facts *facts)
{
    orphan(facts);
    facts->safe_to_evict = TRISTATE_TRUE;
}

static void system_pod(struct pod_facts *facts)
{
    facts->space = "kube-system";
}

static void precious(struct pod_facts *facts)
{
    facts->do_not_disrupt = true;
}

static void unsafe(struct pod_facts *facts)
{
    facts->safe_to_evict = TRISTATE_FALSE;
}

static void expendable(struct pod_facts *facts)
{
    orphan(facts);
    facts->shape.priority = -50;
}

static void beyond(struct pod_facts *facts)
{
    facts->shape.needs = POD_NEEDS_POD_AFFINITY;
}

static void what_a_pod_says_keeps_its_node(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct pod_facts *facts);
        const char *rule;
    } CASES[] = {{orphan, "pods have controllers"},
                 {system_pod, "kube-system"},
                 {precious, "do not disrupt"},
                 {unsafe, "do not disrupt"}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        usual_cluster();
        add_pod("guest-2", "w-2", CASES[i].change);
        add_pod("guest-3", "w-3", CASES[i].change);
        stays_because_of("w-2", CASES[i].rule);
        stage_destroy(stage);
        stage = stage_create();
    }
}

static void a_pod_with_rules_that_are_not_known_here_is_not_moved(void **state)
{
    (void)state;
    usual_cluster();
    add_pod("guest-2", "w-2", beyond);
    add_pod("guest-3", "w-3", beyond);
    live(15 * MINUTE_MS);
    assert_int_equal(decisions(), 0);
}

static void what_does_not_matter_keeps_no_node(void **state)
{
    (void)state;
    static void (*const CASES[])(struct pod_facts * facts) = {orphan_that_may_go, expendable};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        usual_cluster();
        add_pod("guest-2", "w-2", CASES[i]);
        live(11 * MINUTE_MS);
        assert_true(stage_leaves(stage, i == 0 ? "w-3" : "w-2"));
        stage_destroy(stage);
        stage = stage_create();
    }
}

static void a_kube_system_pod_with_a_budget_may_be_moved(void **state)
{
    (void)state;
    usual_cluster();
    add_pod("dns-2", "w-2", system_pod);
    add_pod("dns-3", "w-3", system_pod);
    struct event *event = stage_budget_event(stage, "dns", "web", 1);
    event->object.budget->space = "kube-system";
    stage_step(stage, event);
    live(11 * MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 1);
}

static void a_budget_without_a_disruption_left_keeps_a_node(void **state)
{
    (void)state;
    usual_cluster();
    stage_step(stage, stage_budget_event(stage, "web", "web", 0));
    stays_because_of("w-2", "budgets");
    stage_step(stage, stage_budget_event(stage, "web", "web", 1));
    live(MINUTE_MS);
    assert_true(stage_leaves(stage, "w-2"));
}

static void a_budget_whose_status_is_old_proves_nothing(void **state)
{
    (void)state;
    usual_cluster();
    struct event *event = stage_budget_event(stage, "web", "web", 1);
    event->object.budget->generation = 2;
    stage_step(stage, event);
    stays_because_of("w-2", "budgets");
}

static void two_budgets_on_a_pod_keep_its_node(void **state)
{
    (void)state;
    usual_cluster();
    stage_step(stage, stage_budget_event(stage, "one", "web", 5));
    stage_step(stage, stage_budget_event(stage, "two", "web", 5));
    stays_because_of("w-2", "budgets");
}

static void one_disruption_is_not_spent_on_two_nodes_at_once(void **state)
{
    (void)state;
    struct event *event = stage_config_event(stage);
    event->object.config->max_concurrent_scale_downs = 10;
    stage_step(stage, event);
    usual_cluster();
    stage_step(stage, stage_budget_event(stage, "web", "web", 1));
    live(11 * MINUTE_MS);
    assert_int_equal(stage_leaving(stage), 1);
}

static void a_disabled_group_keeps_its_nodes(void **state)
{
    (void)state;
    usual_cluster();
    struct event *event = stage_group_event(stage, "general", 1, 10);
    event->object.group->scale_down.enabled = false;
    stage_step(stage, event);
    stays_because_of("w-2", "scale down");
}

static void a_removal_that_was_given_up_waits_its_time(void **state)
{
    (void)state;
    usual_cluster();
    life_of(cluster_node(stage->core->cluster, "w-2")->intention)->not_before_ms =
        stage->now_ms + 60 * MINUTE_MS;
    life_of(cluster_node(stage->core->cluster, "w-3")->intention)->not_before_ms =
        stage->now_ms + 60 * MINUTE_MS;
    stays_because_of("w-2", "given up before");
}

static void a_node_that_is_not_ours_is_never_touched(void **state)
{
    (void)state;
    usual_cluster();
    stage_step(stage, stage_node_event(stage, "foreign", 3500, 7168));
    struct event *event = stage_node_event(stage, "labelled", 3500, 7168);
    stage_label(event, &event->object.node->labels, KEY_MANAGED, "true");
    stage_label(event, &event->object.node->labels, KEY_NODEGROUP, "general");
    stage_step(stage, event);
    live(15 * MINUTE_MS);
    kept_by("foreign", "managed");
    for (uint32_t i = 0; i < stage->out->count; i++)
        if (stage->out->items[i]->kind == COMMAND_KUBE_CORDON)
            assert_int_equal(strncmp(stage->out->items[i]->cordon.node_name, "w-", 2), 0);
}

static void a_dry_run_says_what_would_go_once_and_touches_nothing(void **state)
{
    (void)state;
    usual_cluster();
    stage->core->config.dry_run = true;
    live(30 * MINUTE_MS);
    assert_int_equal(decisions(), 1);
    assert_string_equal(stage_last(stage)->withheld, "dry run");
    assert_int_equal(stage_leaving(stage), 0);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_CORDON), 0);
}

static void looking_costs_little_between_two_looks(void **state)
{
    (void)state;
    usual_cluster();
    live(MINUTE_MS);
    int64_t next_ms = stage->core->policy->shrink_next_ms;
    for (int i = 0; i < 100; i++) // events in the same moment cause no further look
        stage_step(stage, stage_report_event(stage, "w-1"));
    assert_int_equal(stage->core->policy->shrink_next_ms, next_ms);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_underused_node_goes_after_its_window),
        TEST(the_window_begins_anew_when_requests_rise_in_between),
        TEST(the_window_begins_anew_when_the_measured_use_rises_in_between),
        TEST(empty_nodes_go_together),
        TEST(furniture_and_finished_pods_do_not_count),
        TEST(a_group_never_falls_below_its_minimum),
        TEST(at_most_so_many_leave_at_once_when_that_is_configured),
        TEST(the_set_must_fit_together_and_not_each_alone),
        TEST(pods_that_fit_nowhere_else_keep_their_node),
        TEST(a_node_that_a_waiting_pod_counts_on_stays),
        TEST(a_node_that_preemption_clears_for_a_pod_stays),
        TEST(the_cooldown_of_the_group_passes_first),
        TEST(the_cluster_settles_after_an_addition),
        TEST(the_cluster_settles_after_a_failure),
        TEST(the_dearest_of_empty_nodes_goes_first),
        TEST(the_least_important_pods_are_disturbed_for_the_same_money),
        TEST(more_money_is_worth_more_disturbance),
        TEST(a_node_whose_pods_fit_nowhere_lets_others_try),
        TEST(every_protection_keeps_a_node),
        TEST(a_persons_cordon_is_not_ours_to_use),
        TEST(a_node_goes_only_in_its_allowed_hours),
        TEST(hours_that_cannot_be_read_keep_the_node),
        TEST(hours_are_read_as_the_predecessor_wrote_them),
        TEST(a_node_made_by_hand_stays),
        TEST(a_silent_agent_forbids_removal),
        TEST(measured_use_above_the_threshold_keeps_a_node),
        TEST(requests_above_the_threshold_keep_a_node),
        TEST(pressure_vetoes_a_removal_that_averages_would_allow),
        TEST(an_inhibitor_keeps_its_node),
        TEST(what_the_agent_holds_against_the_node_itself_keeps_it),
        TEST(local_data_that_is_really_held_keeps_its_node),
        TEST(without_evidence_the_manifest_counts),
        TEST(data_that_may_be_lost_keeps_nothing),
        TEST(what_a_pod_says_keeps_its_node),
        TEST(a_pod_with_rules_that_are_not_known_here_is_not_moved),
        TEST(what_does_not_matter_keeps_no_node),
        TEST(a_kube_system_pod_with_a_budget_may_be_moved),
        TEST(a_budget_without_a_disruption_left_keeps_a_node),
        TEST(a_budget_whose_status_is_old_proves_nothing),
        TEST(two_budgets_on_a_pod_keep_its_node),
        TEST(one_disruption_is_not_spent_on_two_nodes_at_once),
        TEST(a_disabled_group_keeps_its_nodes),
        TEST(a_removal_that_was_given_up_waits_its_time),
        TEST(a_node_that_is_not_ours_is_never_touched),
        TEST(a_dry_run_says_what_would_go_once_and_touches_nothing),
        TEST(looking_costs_little_between_two_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

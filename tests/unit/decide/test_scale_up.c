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

static void verdict_says(const char *pod, const char *text)
{
    const struct pod *found = stage_pod(stage, pod);
    assert_non_null(found);
    if (strstr(found->verdict, text) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", pod, found->verdict, text);
}

// A pod that only runs on nodes labelled pool=GROUP.
static void waiting_for(const char *name, const char *group, int64_t cpu_millis)
{
    struct event *event = stage_pod_event(stage, name, "", cpu_millis, 64);
    stage_label(event, &event->object.pod->shape.node_selector, "pool", group);
    stage_step(stage, event);
}

static uint64_t decisions(void)
{
    return stage_decisions(stage);
}

// ---- the burst

static void a_burst_of_pods_is_one_decision(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "w-1", "general");
    stage_waiting(stage, "web", 22, 1000, 64);
    assert_int_equal(decisions(), 0);
    stage_wait(stage, 199);
    assert_int_equal(decisions(), 0);
    stage_wait(stage, 1);
    assert_int_equal(decisions(), 1);
    const struct decision *decision = stage_last(stage);
    assert_int_equal(decision->kind, DECISION_ORDER);
    assert_string_equal(decision->group, "general");
    assert_string_equal(decision->summary, "order 7 machines in general");
    assert_string_equal(decision->reason, "19 pods need 19.0 cpu, 0.5 free");
    assert_int_equal(stage_coming(stage, "general"), 7);
}

static void a_trickle_does_not_hold_the_window_open(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    for (int i = 0; i < 7; i++) {
        char name[32];
        snprintf(name, sizeof(name), "web-%d", i);
        stage_step(stage, stage_pod_event(stage, name, "", 2000, 64));
        assert_int_equal(decisions(), 0);
        stage_wait(stage, 100);
    }
    assert_int_equal(decisions(), 1); // 700 ms after the first
}

// ---- never twice

static void nothing_is_ordered_twice_for_the_same_pods(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 20);
    stage_waiting(stage, "web", 10, 2000, 64);
    stage_wait(stage, 300);
    uint32_t coming = stage_coming(stage, "general");
    assert_true(coming >= 5);
    verdict_says("web-0", "served by D1");
    for (int i = 0; i < 10; i++) {
        // the scheduler tries again and says the same: each pod changes, and is looked at again
        for (int p = 0; p < 10; p++) {
            char name[32];
            snprintf(name, sizeof(name), "web-%d", p);
            struct event *event = stage_pod_event(stage, name, "", 2000, 64);
            event->object.pod->unschedulable_message = "0/1 nodes are available";
            stage_step(stage, event);
        }
        stage_wait(stage, 5000);
        assert_int_equal(stage_coming(stage, "general"), coming);
    }
    assert_int_equal(decisions(), 1);
    verdict_says("web-0", "served by");
}

static void pods_that_fit_on_free_space_buy_nothing(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "w-1", "general");
    stage_waiting(stage, "web", 3, 1000, 64);
    stage_wait(stage, 300);
    assert_int_equal(decisions(), 0);
    verdict_says("web-0", "fits on w-1 already");
}

static void machines_on_their_way_are_filled_before_more_are_ordered(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "w-1", "general");
    stage_running(stage, "full", "w-1", 3500, 64);
    stage_waiting(stage, "first", 1, 1000, 64);
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "general"), 1);
    stage_waiting(stage, "second", 2, 1000, 64); // 3 of 3.5 cpu
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "general"), 1);
    verdict_says("second-0", "served by");
    stage_waiting(stage, "third", 2, 1000, 64);
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "general"), 2);
}

// A VPSieNode whose machine boots: `joined`, its Node is there and has startup taints still.
static void booting_machine(const char *name, const char *group, bool joined)
{
    if (joined) {
        struct event *event = stage_node_event(stage, name, 3500, 7168);
        event->object.node->ready = NODE_READY_FALSE;
        stage_taint(event, &event->object.node->taints, "node.kubernetes.io/not-ready", TAINT_NO_SCHEDULE);
        stage_taint(event, &event->object.node->taints, "node.cloudprovider.kubernetes.io/uninitialized",
                    TAINT_NO_SCHEDULE);
        stage_label(event, &event->object.node->labels, "pool", group);
        stage_step(stage, event);
    }
    struct event *event = stage_intention_event(stage, name, group);
    event->object.intention->phase = joined ? INTENTION_JOINING : INTENTION_PROVISIONING;
    event->object.intention->ready_ms = 0;
    event->object.intention->created_ms = stage->now_ms - 60000;
    event->object.intention->provisioned_ms = stage->now_ms - 30000;
    if (joined)
        event->object.intention->node_name = arena_strdup(event->arena, name);
    stage_step(stage, event);
}

static void a_machine_that_boots_counts_whether_it_has_joined_or_not(void **state)
{
    (void)state;
    for (int joined = 0; joined <= 1; joined++) {
        stage_group(stage, "general", 0, 10);
        stage_machine(stage, "w-1", "general");
        stage_running(stage, "full", "w-1", 3500, 64);
        booting_machine("w-2", "general", joined == 1);
        assert_int_equal(stage_coming(stage, "general"), 1);
        stage_waiting(stage, "web", 3, 1000, 64);
        waiting_for("picky", "general", 400); // its labels count, too
        stage_wait(stage, 300);
        assert_int_equal(decisions(), 0);
        verdict_says("web-0", "served by a machine on its way in general");
        verdict_says("picky", "served by a machine on its way in general");
        stage_waiting(stage, "more", 1, 1000, 64);
        stage_wait(stage, 300);
        assert_int_equal(decisions(), 1);
        assert_int_equal(stage_coming(stage, "general"), 2);
        stage_destroy(stage);
        stage = stage_create();
    }
}

static void pods_of_a_leaving_node_need_their_room_first(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    struct node *leaving = stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_running(stage, "moving", "w-1", 2800, 64);
    for (int i = 0; i < 4; i++) { // until VPSie's list was read
        stage_wait(stage, 20000);
        stage_reports(stage);
    }
    stage->core->out = stage->out;
    assert_true(life_remove(stage->core, leaving, REMOVAL_VOLUNTARY, 0));
    stage->core->out = NULL;
    stage_waiting(stage, "web", 1, 600, 64); // fits w-2 alone, not beside what will come there
    stage_wait(stage, 300);
    assert_int_equal(decisions(), 0); // and not on w-1, which leaves
    verdict_says("web-0", "fits on w-2 already");
    stage_waiting(stage, "second", 1, 200, 64);
    stage_wait(stage, 3000);
    assert_int_equal(stage_coming(stage, "general"), 1);
}

// The cheap group's order comes first; then pods that only the other takes. When new pods arrive, nothing
// that was promised wanders.
static void a_promise_stays_with_the_machine_that_was_ordered_for_it(void **state)
{
    (void)state;
    stage_group(stage, "aaa", 0, 10);
    stage_group(stage, "bbb", 0, 10);
    stage_waiting(stage, "any", 6, 1600, 64);
    waiting_for("picky-0", "bbb", 1600);
    waiting_for("picky-1", "bbb", 1600);
    stage_wait(stage, 300);
    uint32_t first = stage_coming(stage, "aaa"), second = stage_coming(stage, "bbb");
    assert_true(first + second >= 4);
    for (int i = 0; i < 5; i++) {
        struct event *event = stage_pod_event(stage, "any-3", "", 1600, 64);
        event->object.pod->unschedulable_message = "still";
        stage_step(stage, event);
        stage_wait(stage, 4000);
        assert_int_equal(stage_coming(stage, "aaa"), first);
        assert_int_equal(stage_coming(stage, "bbb"), second);
    }
}

// ---- who counts

static void pods_that_wait_for_something_else_buy_nothing(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    struct event *events[6];
    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof(name), "pod-%d", i);
        events[i] = stage_pod_event(stage, name, "", 1000, 64);
    }
    events[0]->object.pod->gated = true;
    events[1]->object.pod->deletion_ms = stage->now_ms + 30000;
    events[2]->object.pod->shape.priority = -11;
    events[3]->object.pod->nominated_node = "w-1";
    events[4]->object.pod->unschedulable = false;
    events[5]->object.pod->controller_kind = "DaemonSet";
    for (int i = 0; i < 6; i++)
        stage_step(stage, events[i]);
    stage_wait(stage, 10000);
    assert_int_equal(decisions(), 0);
    assert_int_equal(stage->core->policy->waiting, 0);
    struct event *event = stage_pod_event(stage, "pod-2", "", 1000, 64);
    event->object.pod->shape.priority = -10; // at the cut-off: counts
    stage_step(stage, event);
    stage_wait(stage, 300);
    assert_int_equal(decisions(), 1);
}

static void a_pod_with_rules_that_are_not_known_here_is_not_promised_a_machine(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    struct event *event = stage_pod_event(stage, "pod", "", 1000, 64);
    event->object.pod->shape.needs = POD_NEEDS_RESOURCE_CLAIM;
    stage_step(stage, event);
    stage_wait(stage, 5000);
    assert_int_equal(decisions(), 0);
    verdict_says("pod", "no group can help: general: ");
}

// ---- which group

static void the_group_that_serves_most_pods_goes_first(void **state)
{
    (void)state;
    stage_group(stage, "aaa", 0, 10);
    stage_group(stage, "bbb", 0, 10);
    stage_waiting(stage, "any", 2, 1000, 64);
    waiting_for("picky", "bbb", 1000);
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "aaa"), 0);
    assert_int_equal(stage_coming(stage, "bbb"), 1);
}

static void equal_service_goes_to_the_lower_price(void **state)
{
    (void)state;
    stage_group(stage, "aaa", 0, 10); // size 10: two machines at $0.05
    struct event *event = stage_group_event(stage, "bbb", 0, 10);
    event->object.group->kube_size_id = 20; // one machine at $0.09
    stage_step(stage, event);
    stage_waiting(stage, "web", 2, 3000, 64);
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "aaa"), 0);
    assert_int_equal(stage_coming(stage, "bbb"), 1);
    assert_int_equal(decisions(), 1);
}

static void a_tie_is_settled_by_name(void **state)
{
    (void)state;
    stage_group(stage, "bbb", 0, 10);
    stage_group(stage, "aaa", 0, 10);
    stage_waiting(stage, "web", 1, 1000, 64);
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "aaa"), 1);
    assert_int_equal(stage_coming(stage, "bbb"), 0);
}

static void what_one_group_cannot_serve_another_does_in_a_decision_of_its_own(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "tainted", 0, 10);
    stage_taint(event, &event->object.group->node_taints, "gpu", TAINT_NO_SCHEDULE);
    stage_step(stage, event);
    stage_group(stage, "plain", 0, 1);
    stage_waiting(stage, "web", 2, 3000, 64); // one each: the group may have one machine
    waiting_for("picky", "tainted", 1000);    // does not tolerate the taint
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "plain"), 1);
    assert_int_equal(stage_coming(stage, "tainted"), 0);
    assert_int_equal(decisions(), 1);
    verdict_says("picky", "no group can help: tainted: ");
    verdict_says("picky", "gpu");
}

// ---- limits

static void a_group_never_passes_its_maximum(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 3);
    stage_waiting(stage, "web", 10, 3000, 64);
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "general"), 3);
    uint32_t served = 0;
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof(name), "web-%d", i);
        served += strncmp(stage_pod(stage, name)->verdict, "served by", 9) == 0;
    }
    assert_int_equal(served, 3);
    assert_int_equal(stage->core->policy->helpless, 7);
    stage_wait(stage, 60000);
    assert_int_equal(stage_coming(stage, "general"), 3);
    verdict_says("web-9", "waits: general is at its maximum: 3 of 3 nodes");
    stage_step(stage, stage_group_event(stage, "general", 0, 5));
    stage_wait(stage, 3000);
    assert_int_equal(stage_coming(stage, "general"), 5); // looked at again when the group changed
}

static void blocked(struct event *event, const char *why)
{
    stage_step(stage, event);
    stage_waiting(stage, "web", 1, 1000, 64);
    stage_wait(stage, 10000);
    assert_int_equal(decisions(), 0);
    verdict_says("web-0", why);
}

static void a_disabled_group_orders_nothing(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 3);
    event->object.group->scale_up.enabled = false;
    blocked(event, "waits: general has scale up disabled");
}

static void a_paused_group_orders_nothing(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 3);
    stage_label(event, &event->object.group->annotations, KEY_PAUSED, "true");
    blocked(event, "waits: general is paused");
}

static void a_group_with_an_invalid_spec_orders_nothing(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 3);
    event->object.group->invalid = "minNodes 4 is above maxNodes 3";
    blocked(event, "waits: general has an invalid spec: minNodes 4");
}

static void a_group_that_is_being_deleted_orders_nothing(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 3);
    event->object.group->deletion_ms = stage->now_ms;
    blocked(event, "waits: general is being deleted");
}

static void a_group_that_is_not_managed_is_not_ours(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 2, 3);
    event->object.group->managed = false;
    blocked(event, "no group can help: there is no NodeGroup of ours");
}

static void a_size_that_is_not_on_offer_is_said(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 3);
    event->object.group->kube_size_id = 99;
    event->object.group->status_vpsie_group_id = 0;
    blocked(event, "no group can help: general: ");
}

static void a_group_that_backs_off_is_asked_again_when_that_is_over(void **state)
{
    (void)state;
    struct group *group = stage_group(stage, "general", 0, 3);
    struct group_life *life = group_life(stage->core, group);
    life->backoff_until_ms = stage->now_ms + 60000;
    snprintf(life->backoff_reason, sizeof(life->backoff_reason), "quota exceeded");
    stage_waiting(stage, "web", 1, 1000, 64);
    stage_wait(stage, 59000);
    assert_int_equal(decisions(), 0);
    verdict_says("web-0", "waits: general backs off: quota exceeded");
    stage_wait(stage, 1000);
    assert_int_equal(decisions(), 1);
}

static void an_unusable_cloud_stops_orders_until_it_is_back(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 3);
    struct event *event = event_create(EVENT_VPSIE_STATE);
    event->vpsie_state.detail = "credentials refused";
    stage_step(stage, event);
    stage_waiting(stage, "web", 1, 1000, 64);
    stage_wait(stage, 5000);
    assert_int_equal(decisions(), 0);
    event = event_create(EVENT_VPSIE_STATE);
    event->vpsie_state.usable = true;
    event->vpsie_state.detail = "";
    stage_step(stage, event);
    stage_wait(stage, 3000);
    assert_int_equal(stage_coming(stage, "general"), 1);
}

static void the_configuration_limits_the_whole_cluster(void **state)
{
    (void)state;
    struct event *event = stage_config_event(stage);
    event->object.config->max_cluster_workers = 3;
    stage_step(stage, event);
    stage_group(stage, "aaa", 0, 10);
    stage_group(stage, "bbb", 0, 10);
    stage_machine(stage, "w-1", "aaa");
    stage_waiting(stage, "web", 6, 3000, 64);
    waiting_for("picky", "bbb", 3000);
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "aaa") + stage_coming(stage, "bbb"), 2);
    stage_wait(stage, 30000);
    assert_int_equal(stage_coming(stage, "aaa") + stage_coming(stage, "bbb"), 2);
    uint32_t told = 0; // and people are told, once a group
    for (uint32_t i = 0; i < stage->out->count; i++) {
        const struct command *command = stage->out->items[i];
        if (command->kind != COMMAND_KUBE_EVENT || strcmp(command->event.reason, "LimitReached") != 0)
            continue;
        told++;
        assert_non_null(strstr(command->event.message, "the cluster has 3 of at most 3 workers"));
    }
    assert_true(told == 1 || told == 2);
}

static void at_most_so_many_machines_are_on_their_way_when_that_is_configured(void **state)
{
    (void)state;
    struct event *event = stage_config_event(stage);
    event->object.config->max_concurrent_scale_ups = 2;
    stage_step(stage, event);
    stage_group(stage, "general", 0, 10);
    stage_waiting(stage, "web", 6, 3000, 64);
    stage_wait(stage, 30000);
    assert_int_equal(stage_coming(stage, "general"), 2);
}

static void the_cooldown_is_waited_for_when_it_is_configured(void **state)
{
    (void)state;
    struct event *event = stage_config_event(stage);
    event->object.config->scale_up_cooldown_seconds = 60;
    stage_step(stage, event);
    stage_group(stage, "general", 0, 10);
    stage_waiting(stage, "first", 1, 3000, 64);
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "general"), 1);
    stage_waiting(stage, "second", 1, 3000, 64);
    stage_wait(stage, 50000);
    assert_int_equal(stage_coming(stage, "general"), 1);
    verdict_says("second-0", "waits: general is cooling down");
    stage_wait(stage, 10000);
    assert_int_equal(stage_coming(stage, "general"), 2);
}

static void the_grace_period_is_waited_for_when_it_is_configured(void **state)
{
    (void)state;
    struct event *event = stage_config_event(stage);
    event->object.config->unschedulable_grace_seconds = 30;
    stage_step(stage, event);
    stage_group(stage, "general", 0, 10);
    stage_waiting(stage, "web", 1, 3000, 64);
    stage_wait(stage, 29000);
    assert_int_equal(decisions(), 0);
    stage_wait(stage, 1000);
    assert_int_equal(decisions(), 1);
}

// ---- minimum

static void a_minimum_is_met_without_any_pod(void **state)
{
    (void)state;
    stage_group(stage, "general", 3, 10);
    stage_wait(stage, 10000);
    assert_int_equal(stage_coming(stage, "general"), 3);
    assert_int_equal(decisions(), 1);
    assert_string_equal(stage_last(stage)->reason, "minNodes asks for 3, there are 0");
    stage_waiting(stage, "web", 3, 3000, 64); // they will find room there
    stage_wait(stage, 10000);
    assert_int_equal(stage_coming(stage, "general"), 3);
    assert_int_equal(decisions(), 1);
}

static void a_minimum_above_the_maximum_orders_no_more_than_the_maximum(void **state)
{
    (void)state;
    stage_group(stage, "general", 5, 2);
    stage_wait(stage, 10000);
    assert_int_equal(stage_coming(stage, "general"), 2);
}

// ---- helpless

static void a_pod_that_nobody_can_help_is_said_once_with_the_nearest_miss(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    stage_waiting(stage, "huge", 1, 9000, 64);
    stage_wait(stage, 300);
    assert_int_equal(decisions(), 0);
    verdict_says("huge-0", "no group can help: general: needs 9 cpu");
    assert_int_equal(stage->core->policy->helpless, 1);
    const struct command *event = stage_find(stage, COMMAND_KUBE_EVENT);
    assert_non_null(event);
    assert_string_equal(event->event.reason, "NotTriggerScaleUp");
    uint32_t notes = stage_count(stage, COMMAND_NOTE), events = stage_count(stage, COMMAND_KUBE_EVENT);
    for (int i = 0; i < 20; i++) {
        struct event *again = stage_pod_event(stage, "huge-0", "", 9000, 64);
        again->object.pod->unschedulable_message = i % 2 == 0 ? "no" : "never";
        again->object.pod->unschedulable_since_ms = STAGE_START_MS;
        stage_step(stage, again);
        stage_wait(stage, 5000);
    }
    assert_int_equal(stage_count(stage, COMMAND_NOTE), notes);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_EVENT), events);
}

static void a_verdict_holds_no_figure_that_changes_by_the_second(void **state)
{
    (void)state;
    struct group *group = stage_group(stage, "general", 0, 3);
    struct group_life *life = group_life(stage->core, group);
    life->backoff_until_ms = stage->now_ms + 600000;
    snprintf(life->backoff_reason, sizeof(life->backoff_reason), "quota exceeded");
    stage_waiting(stage, "web", 1, 1000, 64);
    stage_wait(stage, 1000);
    const char *verdict = stage_pod(stage, "web-0")->verdict;
    uint32_t events = stage_count(stage, COMMAND_KUBE_EVENT);
    for (int i = 0; i < 20; i++) {
        struct event *event = stage_pod_event(stage, "web-0", "", 1000, 64 + i);
        event->object.pod->unschedulable_since_ms = STAGE_START_MS;
        stage_step(stage, event);
        stage_wait(stage, 7000);
        assert_ptr_equal(stage_pod(stage, "web-0")->verdict, verdict);
    }
    assert_int_equal(stage_count(stage, COMMAND_KUBE_EVENT), events);
}

static void a_helpless_pod_causes_no_loop(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    stage_waiting(stage, "huge", 1, 9000, 64);
    stage_wait(stage, 10000);
    int64_t looked_ms = stage->core->policy->looked_ms;
    for (int i = 0; i < 50; i++) { // time alone changes nothing
        stage->now_ms += 1000;
        stage_step(stage, event_create(EVENT_TIMER));
    }
    assert_int_equal(stage->core->policy->looked_ms, looked_ms);
}

static void thousands_of_pods_make_no_flood_of_events(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 1000);
    stage_waiting(stage, "web", 300, 1000, 64);
    stage_wait(stage, 1000);
    assert_int_equal(decisions(), 1);
    assert_true(stage_count(stage, COMMAND_KUBE_EVENT) <= 40);
}

// ---- dry

static void a_dry_run_decides_explains_and_orders_nothing(void **state)
{
    (void)state;
    stage->core->config.dry_run = true;
    stage_group(stage, "general", 0, 10);
    stage_waiting(stage, "web", 4, 3000, 64);
    stage_wait(stage, 60000);
    assert_int_equal(decisions(), 1); // and not one every few seconds
    assert_string_equal(stage_last(stage)->withheld, "dry run");
    assert_int_equal(stage_coming(stage, "general"), 0);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_CREATE_INTENTION), 0);
    verdict_says("web-0", "D1 would serve it");
}

static void a_paused_coordinator_says_what_it_would_do(void **state)
{
    (void)state;
    stage->core->paused = true;
    stage_group(stage, "general", 0, 10);
    stage_waiting(stage, "web", 4, 3000, 64);
    stage_wait(stage, 10000);
    assert_int_equal(decisions(), 1);
    assert_string_equal(stage_last(stage)->withheld, "paused");
    assert_int_equal(stage_coming(stage, "general"), 0);
    stage->core->paused = false;
    struct event *event = event_create(EVENT_KUBE_SYNCED); // anything that asks for another look
    stage_step(stage, event);
    stage_wait(stage, 5000);
    assert_int_equal(stage_coming(stage, "general"), 4);
}

static void a_standby_decides_nothing(void **state)
{
    (void)state;
    stage->core->leading = false;
    stage_group(stage, "general", 2, 10);
    stage_waiting(stage, "web", 4, 3000, 64);
    stage_wait(stage, 10000);
    assert_int_equal(decisions(), 0);
}

// ---- the order of input

struct made {
    uint32_t coming[3];
    uint64_t decisions;
    char text[2000];
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void play(uint32_t seed, bool reversed, struct made *made)
{
    struct stage *own = stage_create();
    stage_group(own, "aaa", 0, 4);
    struct event *event = stage_group_event(own, "bbb", 0, 4);
    event->object.group->kube_size_id = 20;
    stage_step(own, event);
    stage_group(own, "ccc", 1, 3);
    stage_machine(own, "w-1", "aaa");
    enum { PODS = 30 };
    for (int i = 0; i < PODS; i++) {
        int index = reversed ? PODS - 1 - i : i;
        uint32_t random = seed * 977u + (uint32_t)index * 131u;
        char name[32];
        snprintf(name, sizeof(name), "pod-%02d", index);
        uint32_t memory_mb = 64 + next_random(&random) % 4096;
        uint32_t cpu_millis =
            100 + next_random(&random) % 3000; // drawn in turn, so on every machine the same
        event = stage_pod_event(own, name, "", cpu_millis, memory_mb);
        if (next_random(&random) % 3 == 0)
            stage_label(event, &event->object.pod->shape.node_selector, "pool",
                        next_random(&random) % 2 == 0 ? "bbb" : "ccc");
        stage_step(own, event);
    }
    stage_wait(own, 1000);
    *made = (struct made){.decisions = own->core->decision_count};
    const char *names[] = {"aaa", "bbb", "ccc"};
    for (int g = 0; g < 3; g++)
        made->coming[g] = stage_coming(own, names[g]);
    for (uint64_t n = 0; n < made->decisions; n++) {
        const struct decision *decision = core_decision_made(own->core, n);
        size_t used = strlen(made->text);
        snprintf(made->text + used, sizeof(made->text) - used, "%s: %s\n", decision->summary,
                 decision->reason);
    }
    // and nothing more comes of looking again
    stage_step(own, event_create(EVENT_KUBE_SYNCED));
    stage_wait(own, 10000);
    assert_int_equal(own->core->decision_count, made->decisions);
    for (int g = 0; g < 3; g++) {
        struct group *group = cluster_group(own->core->cluster, NULL, names[g]);
        assert_int_equal(stage_coming(own, names[g]), made->coming[g]);
        assert_true(life_counts(own->core, group).total <= (uint32_t)group->facts.max_nodes);
    }
    stage_destroy(own);
}

static void the_order_of_arrival_changes_no_decision_and_a_second_look_orders_nothing(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        struct made forward, backward;
        play(seed, false, &forward);
        play(seed, true, &backward);
        if (memcmp(forward.coming, backward.coming, sizeof(forward.coming)) != 0 ||
            strcmp(forward.text, backward.text) != 0)
            fail_msg("seed %u:\n%s--\n%s", seed, forward.text, backward.text);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_burst_of_pods_is_one_decision),
        TEST(a_trickle_does_not_hold_the_window_open),
        TEST(nothing_is_ordered_twice_for_the_same_pods),
        TEST(pods_that_fit_on_free_space_buy_nothing),
        TEST(machines_on_their_way_are_filled_before_more_are_ordered),
        TEST(a_machine_that_boots_counts_whether_it_has_joined_or_not),
        TEST(pods_of_a_leaving_node_need_their_room_first),
        TEST(a_promise_stays_with_the_machine_that_was_ordered_for_it),
        TEST(pods_that_wait_for_something_else_buy_nothing),
        TEST(a_pod_with_rules_that_are_not_known_here_is_not_promised_a_machine),
        TEST(the_group_that_serves_most_pods_goes_first),
        TEST(equal_service_goes_to_the_lower_price),
        TEST(a_tie_is_settled_by_name),
        TEST(what_one_group_cannot_serve_another_does_in_a_decision_of_its_own),
        TEST(a_group_never_passes_its_maximum),
        TEST(a_disabled_group_orders_nothing),
        TEST(a_paused_group_orders_nothing),
        TEST(a_group_with_an_invalid_spec_orders_nothing),
        TEST(a_group_that_is_being_deleted_orders_nothing),
        TEST(a_group_that_is_not_managed_is_not_ours),
        TEST(a_size_that_is_not_on_offer_is_said),
        TEST(a_group_that_backs_off_is_asked_again_when_that_is_over),
        TEST(an_unusable_cloud_stops_orders_until_it_is_back),
        TEST(the_configuration_limits_the_whole_cluster),
        TEST(at_most_so_many_machines_are_on_their_way_when_that_is_configured),
        TEST(the_cooldown_is_waited_for_when_it_is_configured),
        TEST(the_grace_period_is_waited_for_when_it_is_configured),
        TEST(a_minimum_is_met_without_any_pod),
        TEST(a_minimum_above_the_maximum_orders_no_more_than_the_maximum),
        TEST(a_pod_that_nobody_can_help_is_said_once_with_the_nearest_miss),
        TEST(a_verdict_holds_no_figure_that_changes_by_the_second),
        TEST(a_helpless_pod_causes_no_loop),
        TEST(thousands_of_pods_make_no_flood_of_events),
        TEST(a_dry_run_decides_explains_and_orders_nothing),
        TEST(a_paused_coordinator_says_what_it_would_do),
        TEST(a_standby_decides_nothing),
        cmocka_unit_test(the_order_of_arrival_changes_no_decision_and_a_second_look_orders_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

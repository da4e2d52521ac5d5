// Removing: the order of the steps, giving up, and what people ask for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/removing.h"

// ---- the whole way

static void every_step_comes_in_its_order(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    begin_removal();
    answer(EVIDENCE_READY);
    assert_int_equal(evictions(), 1);
    puppet_pod_gone(puppet, "web-1");
    puppet_run(puppet, 31 * SECOND);
    answer(EVIDENCE_READY);
    puppet_machine_gone(puppet, "vps-w1");
    puppet->cloud_groups[0].nodes--;
    puppet_run(puppet, 20 * SECOND);
    static const enum command_kind kinds[] = {COMMAND_KUBE_CORDON,          COMMAND_AGENT_DIRECTIVE,
                                              COMMAND_KUBE_EVICT,           COMMAND_KUBE_LIST_NODE_PODS,
                                              COMMAND_VPSIE_DELETE_MACHINE, COMMAND_KUBE_DELETE_NODE,
                                              COMMAND_KUBE_DELETE_INTENTION};
    for (size_t i = 1; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        assert_true(puppet_at(puppet, puppet_nth(puppet, kinds[i - 1], 0)) <
                    puppet_at(puppet, puppet_nth(puppet, kinds[i], 0)));
    assert_int_equal(puppet_count(puppet, COMMAND_AGENT_DIRECTIVE), 2);
    assert_string_equal(puppet_nth(puppet, COMMAND_VPSIE_DELETE_MACHINE, 0)->delete_machine.identifier,
                        "vps-w1");
    assert_string_equal(puppet_nth(puppet, COMMAND_KUBE_DELETE_NODE, 0)->delete_node.uid,
                        puppet->kube_nodes[0].uid);
    assert_null(puppet_life(puppet, "w1"));
    assert_true(puppet->nodes[0].gone);
    assert_int_equal(puppet->core->machines_deleted, 1);
    assert_int_equal(puppet->core->pods_evicted, 1);
}

static void what_must_survive_is_stored_before_the_cordon(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = true;
    puppet_remove(puppet, NODE, REMOVAL_VOLUNTARY);
    puppet_run(puppet, 5 * SECOND);
    assert_null(puppet_last(puppet, COMMAND_KUBE_CORDON));
    puppet_answer_all(puppet, COMMAND_KUBE_UPDATE_INTENTION);
    assert_non_null(puppet_last(puppet, COMMAND_KUBE_CORDON));
    assert_string_equal(puppet_note_of(&puppet->nodes[0], KEY_REMOVAL), "voluntary");
    assert_int_equal(puppet->nodes[0].phase, INTENTION_TERMINATING);
}

static void the_directive_waits_for_the_cordon_and_names_the_pods(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    puppet->held[COMMAND_KUBE_CORDON] = true;
    puppet_remove(puppet, NODE, REMOVAL_VOLUNTARY);
    puppet_run(puppet, 5 * SECOND);
    assert_null(directive());
    puppet_answer_all(puppet, COMMAND_KUBE_CORDON);
    assert_int_equal(directive()->directive.kind, DIRECTIVE_PREPARE_DRAIN);
    assert_int_equal(directive()->directive.pod_uid_count, 1);
    assert_string_equal(directive()->directive.pod_uids[0], "pod-web-1");
    assert_true(text_starts_with(directive()->directive.directive_id, "T1-"));
}

static void volumes_and_pods_whose_data_may_be_lost_are_told_to_the_agent(void **state)
{
    (void)state;
    struct event *event = puppet_pod_event(puppet, "a", NODE, "web");
    event->object.pod->safe_to_evict = TRISTATE_TRUE;
    puppet_step(puppet, event);
    event = puppet_pod_event(puppet, "b", NODE, "web");
    event->object.pod->safe_local_volumes = "spool,cache";
    puppet_step(puppet, event);
    begin_removal();
    assert_int_equal(directive()->directive.ignore_uid_count, 1);
    assert_string_equal(directive()->directive.ignore_uids[0], "pod-a");
    assert_int_equal(directive()->directive.ignore_volume_count, 2);
    assert_string_equal(directive()->directive.ignore_volumes[0], "pod-b/spool");
    assert_string_equal(directive()->directive.ignore_volumes[1], "pod-b/cache");
}

static void daemonset_and_mirror_and_ended_pods_are_left_alone(void **state)
{
    (void)state;
    struct event *event = puppet_pod_event(puppet, "log", NODE, "log");
    event->object.pod->controller_kind = "DaemonSet";
    puppet_step(puppet, event);
    event = puppet_pod_event(puppet, "static", NODE, "");
    event->object.pod->mirror = true;
    puppet_step(puppet, event);
    event = puppet_pod_event(puppet, "job", NODE, "job");
    event->object.pod->terminal = true;
    event->object.pod->phase = POD_SUCCEEDED;
    puppet_step(puppet, event);
    to_the_last_ready();
    assert_int_equal(evictions(), 0);
}

// ---- giving up

static void what_was_given_up_is_tried_again_after_a_growing_time(void **state)
{
    (void)state;
    int64_t waits[3];
    for (int i = 0; i < 3; i++) {
        puppet_report(puppet, NODE, "", EVIDENCE_READY, 0);
        assert_true(puppet_remove(puppet, NODE, REMOVAL_VOLUNTARY));
        answer(EVIDENCE_BLOCKED);
        assert_int_equal(w1()->step, LIFE_READY);
        assert_false(puppet_remove(puppet, NODE, REMOVAL_VOLUNTARY));
        waits[i] = w1()->not_before_ms - puppet->now_ms;
        puppet_run(puppet, waits[i] + SECOND);
    }
    assert_true(waits[1] == 2 * waits[0] && waits[2] == 2 * waits[1]);
}

static void a_cordon_that_cannot_be_lifted_is_tried_until_it_is(void **state)
{
    (void)state;
    begin_removal();
    puppet->held[COMMAND_KUBE_UNCORDON] = true;
    answer(EVIDENCE_BLOCKED);
    puppet_answer(puppet, puppet_last(puppet, COMMAND_KUBE_UNCORDON), OUTCOME_UNKNOWN);
    assert_int_equal(w1()->step, LIFE_UNDO);
    puppet_run(puppet, 3 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_UNCORDON), 2);
    puppet_answer_all(puppet, COMMAND_KUBE_UNCORDON);
    kept("a backup runs");
}

static void a_person_who_uncordons_wins(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    begin_removal();
    puppet->kube_nodes[0].unschedulable = false;
    puppet->kube_nodes[0].ours = false;
    puppet_show_kube_node(puppet, &puppet->kube_nodes[0]);
    kept("uncordoned");
}

static void a_node_that_is_no_longer_ready_is_kept(void **state)
{
    (void)state;
    begin_removal();
    puppet_kube_node(puppet, NODE, false);
    kept("no longer Ready");
}

static void with_minimum(int32_t minimum)
{
    puppet->groups[0].min = minimum;
    puppet_show_group(puppet, &puppet->groups[0]);
}

static void a_machine_that_its_group_needs_by_now_is_kept(void **state)
{
    (void)state;
    with_minimum(2);
    to_the_last_ready();
    puppet_kube_node(puppet, "host-w2", false); // one of the two that were to stay
    kept("its group has 1 machines without it, fewer than its minimum");
    assert_int_equal(puppet_life(puppet, "w3")->step, LIFE_READY);
}

static void of_two_that_leave_only_as_many_stay_as_are_needed(void **state)
{
    (void)state;
    with_minimum(1);
    begin_removal();
    puppet_report(puppet, "host-w2", "", EVIDENCE_READY, 0);
    assert_true(puppet_remove(puppet, "host-w2", REMOVAL_VOLUNTARY));
    puppet_kube_node(puppet, "host-w3", false);
    puppet_run(puppet, SECOND);
    int kept_ones = (w1()->step == LIFE_READY) + (puppet_life(puppet, "w2")->step == LIFE_READY);
    assert_int_equal(kept_ones, 1);
}

static void a_minimum_that_is_raised_keeps_the_machine(void **state)
{
    (void)state;
    begin_removal();
    with_minimum(3);
    kept("fewer than its minimum");
}

static void a_failing_cordon_is_given_up(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_CORDON] = true;
    puppet_remove(puppet, NODE, REMOVAL_VOLUNTARY);
    for (int i = 0; i < 8; i++) {
        const struct command *last = puppet_last(puppet, COMMAND_KUBE_CORDON);
        if (!puppet->answered[puppet_at(puppet, last)])
            puppet_answer_words(puppet, last, OUTCOME_REFUSED, 0, "forbidden");
        puppet_run(puppet, 30 * SECOND);
    }
    kept("forbidden");
}

static void a_machine_that_is_another_node_s_is_not_removed(void **state)
{
    (void)state;
    snprintf(puppet->machines[0].hostname, sizeof(puppet->machines[0].hostname), "host-w2");
    puppet->machines[0].id = 1;
    puppet_run(puppet, 2 * MINUTE);
    assert_false(puppet_remove(puppet, NODE, REMOVAL_VOLUNTARY));
    assert_non_null(strstr(w1()->held, "is not this Node"));
}

// ---- asked for by people

static void deleting_a_vpsienode_removes_its_machine_as_gracefully(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    puppet->nodes[0].deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, &puppet->nodes[0]);
    assert_int_equal(w1()->removal, REMOVAL_REQUESTED);
    assert_int_equal(evictions(), 0);
    answer(EVIDENCE_READY);
    assert_int_equal(evictions(), 1);
}

static void a_requested_removal_that_is_blocked_is_tried_again(void **state)
{
    (void)state;
    puppet->nodes[0].deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, &puppet->nodes[0]);
    answer(EVIDENCE_BLOCKED);
    assert_int_equal(w1()->step, LIFE_READY);
    puppet_run(puppet, 3 * MINUTE);
    assert_int_equal(w1()->step, LIFE_PREPARE);
}

static void a_voluntary_removal_becomes_a_requested_one(void **state)
{
    (void)state;
    begin_removal();
    puppet->nodes[0].deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, &puppet->nodes[0]);
    puppet_run(puppet, SECOND);
    assert_int_equal(w1()->removal, REMOVAL_REQUESTED);
}

static void deleting_a_nodegroup_waits_a_minute_and_then_removes_its_machines(void **state)
{
    (void)state;
    puppet_group(puppet, "other", PUPPET_SIZE_TOO, 0, 2);
    puppet->groups[0].deletion_ms = puppet->now_ms;
    puppet_show_group(puppet, &puppet->groups[0]);
    puppet_run(puppet, 59 * SECOND);
    assert_int_equal(w1()->removal, REMOVAL_NONE);
    puppet_run(puppet, 2 * SECOND);
    assert_int_equal(w1()->removal, REMOVAL_REQUESTED);
    assert_true(puppet->groups[0].finalizer);
}

static void a_nodegroup_with_retain_lets_its_machines_go_untouched(void **state)
{
    (void)state;
    puppet_group(puppet, "other", PUPPET_SIZE_TOO, 0, 2);
    struct puppet_group *group = &puppet->groups[0];
    snprintf(group->annotation_key, sizeof(group->annotation_key), "%s", KEY_DELETION_POLICY);
    snprintf(group->annotation_value, sizeof(group->annotation_value), "retain");
    group->deletion_ms = puppet->now_ms;
    puppet_show_group(puppet, group);
    puppet_run(puppet, 5 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_false(puppet->nodes[i].finalizer);
    assert_false(group->finalizer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, removing_begin, removing_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_step_comes_in_its_order),
        TEST(what_must_survive_is_stored_before_the_cordon),
        TEST(the_directive_waits_for_the_cordon_and_names_the_pods),
        TEST(volumes_and_pods_whose_data_may_be_lost_are_told_to_the_agent),
        TEST(daemonset_and_mirror_and_ended_pods_are_left_alone),
        TEST(what_was_given_up_is_tried_again_after_a_growing_time),
        TEST(a_cordon_that_cannot_be_lifted_is_tried_until_it_is),
        TEST(a_person_who_uncordons_wins),
        TEST(a_node_that_is_no_longer_ready_is_kept),
        TEST(a_machine_that_its_group_needs_by_now_is_kept),
        TEST(of_two_that_leave_only_as_many_stay_as_are_needed),
        TEST(a_minimum_that_is_raised_keeps_the_machine),
        TEST(a_failing_cordon_is_given_up),
        TEST(a_machine_that_is_another_node_s_is_not_removed),
        TEST(deleting_a_vpsienode_removes_its_machine_as_gracefully),
        TEST(a_requested_removal_that_is_blocked_is_tried_again),
        TEST(a_voluntary_removal_becomes_a_requested_one),
        TEST(deleting_a_nodegroup_waits_a_minute_and_then_removes_its_machines),
        TEST(a_nodegroup_with_retain_lets_its_machines_go_untouched),
    };
    return cmocka_run_group_tests_name("removing", tests, NULL, NULL);
}

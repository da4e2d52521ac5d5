// Between the last look and the call: what the agent says by then, and Nodes that run after all.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/removing.h"

// ---- what speaks against it at the last moment

// The last looks were taken and phase Deleting is stored; VPSie's answer to the call is the test's.
static const struct command *the_call(void)
{
    to_the_last_ready();
    puppet->held[COMMAND_VPSIE_DELETE_MACHINE] = true;
    answer(EVIDENCE_READY);
    assert_int_equal(deletes(), 1);
    return puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE);
}

static void an_agent_that_blocks_before_the_call_keeps_the_machine(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_KUBE_INTENTION_STATUS] = true;
    answer(EVIDENCE_READY);
    assert_int_equal(w1()->step, LIFE_MARK_DELETING);
    answer(EVIDENCE_BLOCKED);
    puppet_answer_all(puppet, COMMAND_KUBE_INTENTION_STATUS);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(puppet->nodes[0].phase, INTENTION_TERMINATING); // the mark is taken back first
    answer(EVIDENCE_BLOCKED);                                        // when asked anew
    kept("a backup runs");
}

static void vpsie_is_asked_after_the_last_ready_and_before_the_call(void **state)
{
    (void)state;
    puppet->groups[0].min = 2;
    puppet_show_group(puppet, &puppet->groups[0]);
    to_the_last_ready();
    puppet->held[COMMAND_VPSIE_LIST_MACHINES] = true;
    answer(EVIDENCE_READY);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_NODE_PODS), 0);
    puppet_machine_gone(puppet, "vps-w3"); // deleted by a person; its Node looks well yet
    puppet->cloud_groups[0].nodes--;
    puppet_answer_all(puppet, COMMAND_VPSIE_LIST_MACHINES);
    kept("its group has 1 machines without it, fewer than its minimum");
}

static void a_pod_that_comes_before_the_call_is_moved_first(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_KUBE_INTENTION_STATUS] = true;
    answer(EVIDENCE_READY);
    puppet_pod(puppet, "late", NODE, "web");
    puppet_answer_all(puppet, COMMAND_KUBE_INTENTION_STATUS);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(deletes(), 0);
    assert_int_equal(w1()->step, LIFE_PREPARE);
    assert_string_equal(directive()->directive.pod_uids[0], "pod-late");
    answer(EVIDENCE_READY);
    puppet_pod_gone(puppet, "late");
    puppet_run(puppet, SECOND);
    answer(EVIDENCE_READY);
    assert_int_equal(deletes(), 1);
}

static void a_delete_that_never_left_is_not_repeated_once_the_agent_says_otherwise(void **state)
{
    (void)state;
    static const enum outcome nothing_happened[] = {OUTCOME_NOT_SENT, OUTCOME_THROTTLED, OUTCOME_CONFLICT};
    for (size_t i = 0; i < 3; i++) {
        puppet_answer(puppet, the_call(), nothing_happened[i]);
        answer(EVIDENCE_BLOCKED);
        puppet_run(puppet, 20 * SECOND);
        assert_int_equal(deletes(), 1);
        answer(EVIDENCE_BLOCKED);
        kept_after_all("a backup runs");
        assert_int_equal(deletes(), 1);
        removing_end(NULL);
        removing_begin(NULL);
    }
}

static void a_delete_that_never_left_is_repeated_when_the_agent_is_ready_again(void **state)
{
    (void)state;
    puppet_answer(puppet, the_call(), OUTCOME_NOT_SENT);
    answer(EVIDENCE_BUSY);
    puppet_run(puppet, 30 * SECOND);
    assert_int_equal(deletes(), 1);
    assert_int_equal(w1()->step, LIFE_LAST_READY);
    answer(EVIDENCE_READY);
    assert_int_equal(deletes(), 2);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_NODE_PODS), 2);
}

static void a_delete_is_not_repeated_while_the_agent_is_silent(void **state)
{
    (void)state;
    const struct command *call = the_call();
    puppet_run(puppet, 70 * SECOND);
    puppet_answer(puppet, call, OUTCOME_NOT_SENT);
    puppet_run(puppet, 20 * SECOND);
    assert_int_equal(deletes(), 1);
    assert_int_equal(w1()->step, LIFE_LAST_READY);
    answer(EVIDENCE_READY);
    assert_int_equal(deletes(), 2);
}

static void an_agent_that_sees_a_pod_again_before_the_call_is_asked_again(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_KUBE_INTENTION_STATUS] = true;
    answer(EVIDENCE_READY);
    puppet_report(puppet, NODE, directive()->directive.directive_id, EVIDENCE_READY, 1);
    puppet_answer_all(puppet, COMMAND_KUBE_INTENTION_STATUS);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(deletes(), 0);
    answer(EVIDENCE_READY);
    assert_int_equal(deletes(), 1);
}

static void what_is_given_up_after_the_mark_loses_the_mark_before_the_cordon(void **state)
{
    (void)state;
    puppet_answer(puppet, the_call(), OUTCOME_NOT_SENT);
    puppet->held[COMMAND_KUBE_INTENTION_STATUS] = true;
    puppet_kube_node(puppet, NODE, false);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(w1()->step, LIFE_UNDO);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_UNCORDON), 0);
    puppet_answer_all(puppet, COMMAND_KUBE_INTENTION_STATUS);
    kept_after_all("no longer Ready");
}

// VPSie may have taken it: then the node is not given back to the scheduler.
static void an_unknown_delete_is_repeated_only_when_the_agent_is_ready_again(void **state)
{
    (void)state;
    puppet_answer(puppet, the_call(), OUTCOME_UNKNOWN);
    for (int i = 0; i < 60; i++) {
        answer(EVIDENCE_BLOCKED);
        puppet_run(puppet, 10 * SECOND);
    }
    assert_int_equal(deletes(), 1);
    assert_true(puppet->kube_nodes[0].unschedulable);
    assert_int_equal(w1()->removal, REMOVAL_VOLUNTARY);
    answer(EVIDENCE_READY);
    assert_int_equal(deletes(), 2);
}

static void an_unknown_delete_is_given_up_when_it_can_no_longer_have_an_effect(void **state)
{
    (void)state;
    puppet_answer(puppet, the_call(), OUTCOME_UNKNOWN);
    for (int i = 0; i < 95 && w1()->step != LIFE_READY; i++) {
        if (directive()->directive.kind == DIRECTIVE_PREPARE_DRAIN)
            answer(EVIDENCE_BLOCKED);
        puppet_run(puppet, 10 * SECOND);
    }
    kept_after_all("a backup runs");
    assert_int_equal(deletes(), 1);
}

// The brake closes at the end of this very step; the call must not leave in the middle of it.
static void a_list_that_turns_wrong_at_the_very_moment_of_the_call_stops_it(void **state)
{
    (void)state;
    const struct command *call = the_call();
    puppet->held[COMMAND_VPSIE_LIST_MACHINES] = true;
    puppet_answer(puppet, call, OUTCOME_NOT_SENT);
    puppet->now_ms += 6 * SECOND; // time to call again, and no timer has said so yet
    uint32_t machines = puppet->machine_count;
    puppet->machine_count = 0;
    puppet_answer_all(puppet, COMMAND_VPSIE_LIST_MACHINES);
    assert_true(puppet->core->brakes[BRAKE_CLOUD_LIST].on);
    puppet_run(puppet, SECOND);
    assert_int_equal(deletes(), 1);
    puppet->machine_count = machines;
}

static void an_unknown_delete_keeps_its_cordon_whoever_lifts_it(void **state)
{
    (void)state;
    puppet_answer(puppet, the_call(), OUTCOME_UNKNOWN);
    answer(EVIDENCE_BLOCKED);
    puppet_run(puppet, 10 * SECOND);
    puppet->kube_nodes[0].unschedulable = false;
    puppet_show_kube_node(puppet, &puppet->kube_nodes[0]);
    puppet_run(puppet, SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 2);
    assert_int_equal(w1()->removal, REMOVAL_VOLUNTARY);
}

static void an_unknown_delete_is_not_repeated_because_a_list_lacks_what_runs(void **state)
{
    (void)state;
    const struct command *call = the_call();
    puppet_machine_gone(puppet, "vps-w1");
    puppet->cloud_groups[0].nodes--;
    puppet_run(puppet, 6 * SECOND); // the list is read
    answer(EVIDENCE_BLOCKED);
    puppet_answer(puppet, call, OUTCOME_UNKNOWN);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(deletes(), 1);
    puppet_kube_node(puppet, NODE, false);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(deletes(), 2);
}

static void an_accepted_delete_that_the_list_does_not_follow_is_repeated_whatever_the_agent_says(void **state)
{
    (void)state;
    puppet_answer(puppet, the_call(), OUTCOME_OK);
    answer(EVIDENCE_BLOCKED);
    puppet_run(puppet, 6 * MINUTE);
    assert_int_equal(deletes(), 2);
}

// ---- a Node that runs after all

static void useless_goes(enum removal_kind kind)
{
    puppet_kube_node(puppet, NODE, false);
    assert_true(puppet_remove(puppet, NODE, kind));
}

static void comes_back(void)
{
    puppet->kube_nodes[0].ready = true;
    puppet->kube_nodes[0].ready_changed_ms = puppet->now_ms;
    puppet_show_kube_node(puppet, &puppet->kube_nodes[0]);
}

static void a_node_that_runs_after_all_is_kept_at_any_step_before_the_call(void **state)
{
    (void)state;
    static const enum command_kind steps[] = {COMMAND_KUBE_LIST_FRESH, COMMAND_VPSIE_LIST_MACHINES,
                                              COMMAND_KUBE_INTENTION_STATUS};
    static const enum removal_kind kinds[] = {REMOVAL_BROKEN, REMOVAL_FAILED};
    for (size_t i = 0; i < 6; i++) {
        puppet->held[steps[i / 2]] = true;
        useless_goes(kinds[i % 2]);
        puppet_run(puppet, 5 * SECOND);
        assert_int_equal(deletes(), 0);
        comes_back();
        puppet_answer_all(puppet, steps[i / 2]);
        kept(kinds[i % 2] == REMOVAL_BROKEN ? "the node has recovered" : "the node has joined after all");
        removing_end(NULL);
        removing_begin(NULL);
    }
}

static void a_node_that_runs_after_all_is_kept_when_the_call_never_left(void **state)
{
    (void)state;
    static const enum removal_kind kinds[] = {REMOVAL_BROKEN, REMOVAL_FAILED};
    for (size_t i = 0; i < 2; i++) {
        puppet->held[COMMAND_VPSIE_DELETE_MACHINE] = true;
        useless_goes(kinds[i]);
        puppet_run(puppet, 5 * SECOND);
        comes_back();
        puppet_answer(puppet, puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE), OUTCOME_NOT_SENT);
        puppet_run(puppet, MINUTE);
        assert_int_equal(deletes(), 1);
        kept_after_all(kinds[i] == REMOVAL_BROKEN ? "recovered" : "joined after all");
        removing_end(NULL);
        removing_begin(NULL);
    }
}

static void a_node_that_runs_after_all_is_asked_first_when_the_call_may_have_left(void **state)
{
    (void)state;
    static const enum removal_kind kinds[] = {REMOVAL_BROKEN, REMOVAL_FAILED};
    for (size_t i = 0; i < 2; i++) {
        puppet->held[COMMAND_VPSIE_DELETE_MACHINE] = true;
        useless_goes(kinds[i]);
        puppet_run(puppet, 5 * SECOND);
        comes_back();
        puppet_answer(puppet, puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE), OUTCOME_UNKNOWN);
        puppet_run(puppet, MINUTE);
        assert_int_equal(deletes(), 1);
        assert_int_equal(w1()->step, LIFE_LAST_READY);
        removing_end(NULL);
        removing_begin(NULL);
    }
}

// Its kubelet has died and comes back, while its agent goes on saying that nothing is left: others may have
// come.
static void a_node_that_is_broken_for_a_while_is_looked_at_again(void **state)
{
    (void)state;
    puppet->nodes[0].deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, &puppet->nodes[0]);
    answer(EVIDENCE_READY);
    puppet_run(puppet, 31 * SECOND);
    assert_int_equal(w1()->step, LIFE_LAST_READY);
    puppet->held[COMMAND_KUBE_LIST_NODE_PODS] = puppet->held[COMMAND_KUBE_LIST_FRESH] = true;
    answer(EVIDENCE_READY);
    puppet_kube_node(puppet, NODE, false);
    for (int i = 0; i < 61; i++) {
        puppet_run(puppet, 10 * SECOND);
        answer(EVIDENCE_READY);
    }
    puppet->held[COMMAND_KUBE_INTENTION_STATUS] = true;
    puppet_answer_all(puppet, COMMAND_KUBE_LIST_FRESH);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(w1()->step, LIFE_MARK_DELETING);
    answer(EVIDENCE_READY);
    comes_back();
    puppet_answer_all(puppet, COMMAND_KUBE_INTENTION_STATUS);
    assert_int_equal(w1()->step, LIFE_LAST_LIST);
    assert_int_equal(deletes(), 0);
    puppet_answer_all(puppet, COMMAND_KUBE_LIST_NODE_PODS);
    puppet_run(puppet, SECOND);
    assert_int_equal(deletes(), 1);
}

// It joins at last, and another VPSieNode says that it is its own.
static void a_machine_whose_node_turns_out_to_be_another_s_is_not_deleted(void **state)
{
    (void)state;
    puppet_kube_node_gone(puppet, NODE);
    puppet->nodes[0].node_name[0] = '\0';
    puppet_show_intention(puppet, &puppet->nodes[0]);
    puppet->held[COMMAND_KUBE_LIST_FRESH] = true;
    puppet_run(puppet, 11 * MINUTE); // its Node has been gone for too long
    assert_int_equal(w1()->removal, REMOVAL_BROKEN);
    struct puppet_node *other = puppet_intention(puppet, "w9", "general");
    snprintf(other->node_name, sizeof(other->node_name), NODE);
    other->phase = INTENTION_READY;
    puppet_show_intention(puppet, other);
    puppet_kube_node(puppet, NODE, true);
    puppet_answer_all(puppet, COMMAND_KUBE_LIST_FRESH);
    puppet_run(puppet, 30 * MINUTE);
    assert_int_equal(deletes(), 0);
}

// Ready, but with a startup taint for longer than anybody waits: it has failed, and pods may run on it.
static void a_failed_machine_whose_node_is_ready_with_a_startup_taint_is_drained(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    puppet->kube_nodes[0].startup = true;
    puppet_show_kube_node(puppet, &puppet->kube_nodes[0]);
    assert_true(puppet_remove(puppet, NODE, REMOVAL_FAILED));
    puppet_run(puppet, MINUTE);
    assert_int_equal(w1()->step, LIFE_PREPARE);
    assert_int_equal(deletes(), 0);
    answer(EVIDENCE_READY);
    assert_int_equal(evictions(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, removing_begin, removing_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_agent_that_blocks_before_the_call_keeps_the_machine),
        TEST(vpsie_is_asked_after_the_last_ready_and_before_the_call),
        TEST(a_pod_that_comes_before_the_call_is_moved_first),
        TEST(a_delete_that_never_left_is_not_repeated_once_the_agent_says_otherwise),
        TEST(a_delete_that_never_left_is_repeated_when_the_agent_is_ready_again),
        TEST(a_delete_is_not_repeated_while_the_agent_is_silent),
        TEST(an_agent_that_sees_a_pod_again_before_the_call_is_asked_again),
        TEST(what_is_given_up_after_the_mark_loses_the_mark_before_the_cordon),
        TEST(an_unknown_delete_is_repeated_only_when_the_agent_is_ready_again),
        TEST(an_unknown_delete_is_given_up_when_it_can_no_longer_have_an_effect),
        TEST(a_list_that_turns_wrong_at_the_very_moment_of_the_call_stops_it),
        TEST(an_unknown_delete_keeps_its_cordon_whoever_lifts_it),
        TEST(an_unknown_delete_is_not_repeated_because_a_list_lacks_what_runs),
        TEST(an_accepted_delete_that_the_list_does_not_follow_is_repeated_whatever_the_agent_says),
        TEST(a_node_that_runs_after_all_is_kept_at_any_step_before_the_call),
        TEST(a_node_that_runs_after_all_is_kept_when_the_call_never_left),
        TEST(a_node_that_runs_after_all_is_asked_first_when_the_call_may_have_left),
        TEST(a_node_that_is_broken_for_a_while_is_looked_at_again),
        TEST(a_machine_whose_node_turns_out_to_be_another_s_is_not_deleted),
        TEST(a_failed_machine_whose_node_is_ready_with_a_startup_taint_is_drained),
    };
    return cmocka_run_group_tests_name("the last moment", tests, NULL, NULL);
}

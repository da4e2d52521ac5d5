// The end of a machine: volumes, the last look, VPSie's delete, the Node, the finalizer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/removing.h"

// ---- volumes, load balancers, the last look

static void attachment(const char *name, bool there)
{
    struct event *event = event_create(there ? EVENT_OBJECT : EVENT_OBJECT_GONE);
    if (there) {
        event->object.kind = OBJECT_VOLUME_ATTACHMENT;
        event->object.attachment = ARENA_NEW(event->arena, struct volume_attachment_facts);
        *event->object.attachment = (struct volume_attachment_facts){name, NODE, "pv-1", true};
    } else {
        event->gone.kind = OBJECT_VOLUME_ATTACHMENT;
        event->gone.name = name;
        event->gone.space = event->gone.uid = "";
    }
    puppet_step(puppet, event);
}

static void volumes_are_waited_for(void **state)
{
    (void)state;
    attachment("att-1", true);
    begin_removal();
    answer(EVIDENCE_READY);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(w1()->step, LIFE_DETACH);
    assert_non_null(strstr(w1()->waits_for, "pv-1"));
    attachment("att-1", false);
    assert_int_equal(w1()->step, LIFE_LAST_READY);
}

static void volumes_are_not_waited_for_for_ever(void **state)
{
    (void)state;
    attachment("att-1", true);
    begin_removal();
    answer(EVIDENCE_READY);
    puppet_run(puppet, 6 * MINUTE + SECOND);
    assert_int_equal(w1()->step, LIFE_LAST_READY);
    assert_true(puppet_said(puppet, "still attached"));
}

static void the_load_balancers_get_their_time_from_the_cordon_on(void **state)
{
    (void)state;
    begin_removal();
    puppet_run(puppet, 20 * SECOND);
    answer(EVIDENCE_READY);
    puppet_run(puppet, 9 * SECOND);
    assert_int_equal(w1()->step, LIFE_DETACH);
    puppet_run(puppet, 2 * SECOND);
    assert_int_equal(w1()->step, LIFE_LAST_READY);
}

static void the_machine_is_not_deleted_before_the_second_ready(void **state)
{
    (void)state;
    to_the_last_ready();
    assert_int_equal(directive()->directive.pod_uid_count, 0);
    puppet_report(puppet, NODE, puppet_nth(puppet, COMMAND_AGENT_DIRECTIVE, 0)->directive.directive_id,
                  EVIDENCE_READY, 0);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_NODE_PODS), 0);
    answer(EVIDENCE_READY);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_NODE_PODS), 1);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1);
}

static void pods_that_the_agent_still_sees_are_waited_for(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet_report(puppet, NODE, directive()->directive.directive_id, EVIDENCE_READY, 1);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_NODE_PODS), 0);
    answer(EVIDENCE_READY);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_NODE_PODS), 1);
}

static void blocked_at_the_end_keeps_the_machine(void **state)
{
    (void)state;
    to_the_last_ready();
    answer(EVIDENCE_BLOCKED);
    kept("a backup runs");
}

static void a_pod_in_the_api_server_s_own_list_is_drained_first(void **state)
{
    (void)state;
    struct event *stray = puppet_pod_event(puppet, "late", NODE, "web");
    puppet->listed_pods = stray->object.pod;
    puppet->listed_pod_count = 1;
    to_the_last_ready();
    answer(EVIDENCE_READY);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_NODE_PODS), 1);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_int_equal(w1()->step, LIFE_PREPARE); // from the evidence on
    puppet->listed_pod_count = 0;
    event_destroy(stray);
    answer(EVIDENCE_READY);
    puppet_run(puppet, SECOND);
    answer(EVIDENCE_READY);
    puppet_run(puppet, 3 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1);
}

static void furniture_in_that_list_is_no_obstacle(void **state)
{
    (void)state;
    struct event *one = puppet_pod_event(puppet, "log", NODE, "log");
    one->object.pod->controller_kind = "DaemonSet";
    puppet->listed_pods = one->object.pod;
    puppet->listed_pod_count = 1;
    to_the_last_ready();
    answer(EVIDENCE_READY);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1);
    event_destroy(one);
}

static void deleting_is_stored_before_vpsie_is_called(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_KUBE_INTENTION_STATUS] = true;
    answer(EVIDENCE_READY);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    puppet_answer_all(puppet, COMMAND_KUBE_INTENTION_STATUS);
    assert_int_equal(puppet->nodes[0].phase, INTENTION_DELETING);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1);
}

static void a_look_that_is_too_old_is_taken_again(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_KUBE_INTENTION_STATUS] = true;
    answer(EVIDENCE_READY);
    puppet_run(puppet, 30 * SECOND);
    puppet_answer_all(puppet, COMMAND_KUBE_INTENTION_STATUS);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_NODE_PODS), 2);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1);
}

// ---- VPSie's delete

static void an_unknown_delete_is_asked_for_again(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_VPSIE_DELETE_MACHINE] = true;
    answer(EVIDENCE_READY);
    puppet_answer(puppet, puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE), OUTCOME_UNKNOWN);
    puppet_run(puppet, 30 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 2);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE), 0);
}

static void a_conflict_waits_longer_and_longer(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_VPSIE_DELETE_MACHINE] = true;
    answer(EVIDENCE_READY);
    for (int i = 0; i < 40; i++) {
        const struct command *last = puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE);
        if (!puppet->answered[puppet_at(puppet, last)])
            puppet_answer(puppet, last, OUTCOME_CONFLICT);
        puppet_run(puppet, 10 * SECOND);
    }
    uint32_t asked = puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE);
    assert_true(asked >= 4 && asked <= 8);
}

// VPSie has no 404 for everything: an error in words may say the same. The list decides.
static void a_machine_that_vpsie_does_not_know_is_gone_when_the_list_agrees(void **state)
{
    (void)state;
    static const char *const said[] = {"HTTP 200 with an error inside: Node not found",
                                       "HTTP 400: this node does not exist", "HTTP 400: VM already deleted"};
    for (size_t i = 0; i < 3; i++) {
        to_the_last_ready();
        puppet->held[COMMAND_VPSIE_DELETE_MACHINE] = true;
        answer(EVIDENCE_READY);
        puppet_answer_words(puppet, puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE), OUTCOME_REFUSED, 0,
                            said[i]);
        puppet_run(puppet, 4 * SECOND);
        assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE), 0); // it stands in the list
        puppet_machine_gone(puppet, "vps-w1");
        puppet->cloud_groups[0].nodes--;
        puppet_run(puppet, 20 * SECOND);
        assert_int_equal(deletes(), 1);
        assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE), 1);
        assert_true(puppet->nodes[0].gone);
        assert_int_equal(puppet->core->machines_deleted, 0); // not by us
        removing_end(NULL);
        removing_begin(NULL);
    }
}

static void a_delete_that_is_refused_for_another_reason_is_tried_on_and_said(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_VPSIE_DELETE_MACHINE] = true;
    answer(EVIDENCE_READY);
    puppet_answer_words(puppet, puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE), OUTCOME_REFUSED, 0,
                        "HTTP 403: not allowed");
    assert_true(puppet_said(puppet, "VPSie refuses to delete the machine of w1: HTTP 403: not allowed"));
    puppet_machine_gone(puppet, "vps-w1"); // or the list lacks it
    puppet_run(puppet, 20 * SECOND);
    assert_true(deletes() > 1);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE), 0);
}

static void gone_means_that_vpsie_said_so_and_shows_so(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_VPSIE_DELETE_MACHINE] = true;
    answer(EVIDENCE_READY);
    puppet_machine_gone(puppet, "vps-w1"); // the list lacks it, the call has no answer
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE), 0);
    puppet_answer(puppet, puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE), OUTCOME_OK);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE), 1);
}

static void the_node_object_waits_until_the_machine_has_left_the_list(void **state)
{
    (void)state;
    to_the_last_ready();
    answer(EVIDENCE_READY);
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE), 0);
    assert_int_equal(w1()->step, LIFE_GONE);
    puppet_machine_gone(puppet, "vps-w1");
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE), 1);
}

static void a_node_of_the_same_name_with_another_uid_is_left_alone(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_KUBE_DELETE_NODE] = true;
    answer(EVIDENCE_READY);
    puppet_machine_gone(puppet, "vps-w1");
    puppet_run(puppet, 10 * SECOND);
    const struct command *first = puppet_last(puppet, COMMAND_KUBE_DELETE_NODE);
    assert_non_null(first);
    puppet_kube_node_gone(puppet, NODE);
    puppet_kube_node(puppet, NODE, true); // a new machine with the old name
    puppet_answer(puppet, first, OUTCOME_CONFLICT);
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE), 1);
    assert_null(puppet_life(puppet, "w1"));
}

static void the_finalizer_goes_last(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_KUBE_DELETE_NODE] = true;
    answer(EVIDENCE_READY);
    puppet_machine_gone(puppet, "vps-w1");
    puppet_run(puppet, MINUTE);
    assert_true(puppet->nodes[0].finalizer);
    puppet_answer_all(puppet, COMMAND_KUBE_DELETE_NODE);
    puppet_run(puppet, 10 * SECOND);
    assert_false(puppet->nodes[0].finalizer);
    const struct command *last = puppet_last(puppet, COMMAND_KUBE_UPDATE_INTENTION);
    assert_int_equal(last->update_intention.finalizer, TRISTATE_FALSE);
    assert_true(puppet_at(puppet, puppet_last(puppet, COMMAND_KUBE_DELETE_INTENTION)) <
                puppet_at(puppet, last));
}

static void a_node_is_kept_when_vpsie_cannot_be_used_at_the_moment_of_the_call(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_KUBE_INTENTION_STATUS] = true;
    answer(EVIDENCE_READY);
    assert_int_equal(w1()->step, LIFE_MARK_DELETING);
    struct event *event = event_create(EVENT_VPSIE_STATE);
    event->vpsie_state.detail = "breaker open";
    puppet_step(puppet, event);
    puppet_answer_all(puppet, COMMAND_KUBE_INTENTION_STATUS);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(deletes(), 0);
    assert_int_equal(w1()->step, LIFE_READY);
    assert_int_equal(w1()->removal, REMOVAL_NONE);
    assert_false(puppet->kube_nodes[0].unschedulable); // the cordon is lifted
}

static void a_vpsienode_that_could_not_be_deleted_is_tried_again(void **state)
{
    (void)state;
    to_the_last_ready();
    puppet->held[COMMAND_KUBE_DELETE_INTENTION] = true;
    answer(EVIDENCE_READY);
    puppet_machine_gone(puppet, "vps-w1");
    puppet_run(puppet, MINUTE);
    assert_int_equal(w1()->step, LIFE_FINALIZER);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_INTENTION), 1);
    puppet_answer(puppet, puppet_last(puppet, COMMAND_KUBE_DELETE_INTENTION), OUTCOME_CONFLICT);
    assert_true(puppet->nodes[0].finalizer); // it goes once the API server has taken the deletion
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_INTENTION), 2);
    puppet_answer_all(puppet, COMMAND_KUBE_DELETE_INTENTION);
    puppet_run(puppet, MINUTE);
    assert_null(puppet_life(puppet, "w1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, removing_begin, removing_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(volumes_are_waited_for),
        TEST(volumes_are_not_waited_for_for_ever),
        TEST(the_load_balancers_get_their_time_from_the_cordon_on),
        TEST(the_machine_is_not_deleted_before_the_second_ready),
        TEST(pods_that_the_agent_still_sees_are_waited_for),
        TEST(blocked_at_the_end_keeps_the_machine),
        TEST(a_pod_in_the_api_server_s_own_list_is_drained_first),
        TEST(furniture_in_that_list_is_no_obstacle),
        TEST(deleting_is_stored_before_vpsie_is_called),
        TEST(a_look_that_is_too_old_is_taken_again),
        TEST(an_unknown_delete_is_asked_for_again),
        TEST(a_conflict_waits_longer_and_longer),
        TEST(a_machine_that_vpsie_does_not_know_is_gone_when_the_list_agrees),
        TEST(a_delete_that_is_refused_for_another_reason_is_tried_on_and_said),
        TEST(gone_means_that_vpsie_said_so_and_shows_so),
        TEST(the_node_object_waits_until_the_machine_has_left_the_list),
        TEST(a_node_of_the_same_name_with_another_uid_is_left_alone),
        TEST(the_finalizer_goes_last),
        TEST(a_node_is_kept_when_vpsie_cannot_be_used_at_the_moment_of_the_call),
        TEST(a_vpsienode_that_could_not_be_deleted_is_tried_again),
    };
    return cmocka_run_group_tests_name("deleting", tests, NULL, NULL);
}

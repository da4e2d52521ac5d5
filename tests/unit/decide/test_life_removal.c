#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/make_facts.h"
#include "tests/unit/decide/leaving.h"

static bool finalizer_dropped(void)
{
    for (uint32_t i = 0; i < stage->out->count; i++)
        if (stage->out->items[i]->kind == COMMAND_KUBE_UPDATE_INTENTION &&
            stage->out->items[i]->update_intention.finalizer == TRISTATE_FALSE)
            return true;
    return false;
}

// ---- the way it goes

static void a_machine_leaves_step_by_step(void **state)
{
    (void)state;
    until(COMMAND_KUBE_DELETE_INTENTION);
    static const enum command_kind order[] = {COMMAND_KUBE_CORDON,          COMMAND_AGENT_DIRECTIVE,
                                              COMMAND_KUBE_EVICT,           COMMAND_KUBE_LIST_NODE_PODS,
                                              COMMAND_VPSIE_DELETE_MACHINE, COMMAND_KUBE_DELETE_NODE,
                                              COMMAND_KUBE_DELETE_INTENTION};
    uint32_t at = 0;
    for (uint32_t i = 0; i < stage->out->count && at < 7; i++)
        at += stage->out->items[i]->kind == order[at];
    assert_int_equal(at, 7);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 2);
    assert_string_equal(stage_find(stage, COMMAND_VPSIE_DELETE_MACHINE)->delete_machine.identifier, "id-w-2");
}

// ---- the cordon

static void nothing_is_touched_before_the_removal_is_stored(void **state)
{
    (void)state;
    static const enum command_kind kinds[] = {COMMAND_KUBE_UPDATE_INTENTION, COMMAND_KUBE_INTENTION_STATUS};
    for (int i = 0; i < 2; i++) {
        life_stage_wait(life, 9 * MINUTE_MS);
        life->becomes[kinds[i]] = OUTCOME_UNKNOWN;
        life_stage_wait(life, 10 * MINUTE_MS);
        assert_int_equal(life_of_w2()->step, LIFE_CORDON);
        assert_int_equal(count(COMMAND_KUBE_CORDON), 0);
        life->becomes[kinds[i]] = OUTCOME_OK;
        life_stage_wait(life, MINUTE_MS);
        assert_int_equal(count(COMMAND_KUBE_CORDON), 1);
        teardown(NULL);
        setup(NULL);
    }
}

static void nothing_is_asked_before_the_cordon_is_confirmed(void **state)
{
    (void)state;
    life->becomes[COMMAND_KUBE_CORDON] = OUTCOME_UNKNOWN;
    until(COMMAND_KUBE_CORDON);
    life_stage_wait(life, 2 * MINUTE_MS);
    assert_int_equal(count(COMMAND_KUBE_CORDON), 6);
    assert_int_equal(count(COMMAND_AGENT_DIRECTIVE), 0);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 0);
    assert_int_equal(count(COMMAND_KUBE_UNCORDON), 1); // it may have been carried out
    assert_non_null(strstr(life_of_w2()->held, "the cordon failed"));
}

// ---- whatever speaks against it

static void cordoned_again(void (*change)(struct event *event))
{
    struct event *event = life_stage_node(life, "w-2", "general");
    event->object.node->unschedulable = true;
    change(event);
    life_stage_step(life, event);
}

static void uncordon(struct event *event)
{
    event->object.node->unschedulable = false;
}

static void protect(struct event *event)
{
    stage_label(event, &event->object.node->annotations, KEY_PROTECTED, "true");
}

static void disable(struct event *event)
{
    stage_label(event, &event->object.node->annotations, KEY_CA_SCALE_DOWN_DISABLED, "true");
}

static void not_ready(struct event *event)
{
    event->object.node->ready = NODE_READY_FALSE;
}

static void what_happens_to_the_node_meanwhile_ends_the_drain(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct event *event);
        const char *words;
    } cases[] = {{uncordon, "somebody has uncordoned it"},
                 {protect, "protected meanwhile"},
                 {disable, "protected meanwhile"},
                 {not_ready, "the node is no longer Ready"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        one_is_leaving();
        cordoned_again(cases[i].change);
        assert_int_equal(life_of_w2()->step, LIFE_READY);
        assert_non_null(strstr(life_of_w2()->held, cases[i].words));
        assert_int_equal(count(COMMAND_KUBE_UNCORDON), 1);
        assert_false(evicts("two"));
        teardown(NULL);
        setup(NULL);
    }
}

static void a_removal_that_was_given_up_waits_before_it_begins_again(void **state)
{
    (void)state;
    life->agent_says = EVIDENCE_BLOCKED;
    until(COMMAND_KUBE_CORDON);
    life_stage_wait(life, 115 * SECOND_MS);
    assert_int_equal(count(COMMAND_KUBE_CORDON), 1);
    life_stage_wait(life, 60 * MINUTE_MS); // 2, 4, 8, 16, 32 minutes and the looks between
    assert_in_range(count(COMMAND_KUBE_CORDON), 3, 6);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 0);
}

// ---- volumes and load balancers

static void attached(enum event_kind kind)
{
    struct event *event = event_create(kind);
    if (kind == EVENT_OBJECT_GONE) {
        event->gone.kind = OBJECT_VOLUME_ATTACHMENT;
        event->gone.space = event->gone.uid = "";
        event->gone.name = "csi-1";
    } else {
        event->object.kind = OBJECT_VOLUME_ATTACHMENT;
        event->object.attachment = ARENA_NEW(event->arena, struct volume_attachment_facts);
        *event->object.attachment =
            (struct volume_attachment_facts){.name = "csi-1", .node_name = "w-2", .volume_name = "pv-1"};
    }
    life_stage_step(life, event);
}

static void a_machine_waits_for_its_volumes_to_be_detached(void **state)
{
    (void)state;
    attached(EVENT_OBJECT);
    until(COMMAND_KUBE_EVICT);
    life_stage_wait(life, 5 * MINUTE_MS);
    assert_int_equal(life_of_w2()->step, LIFE_DETACH);
    attached(EVENT_OBJECT_GONE);
    life_stage_wait(life, 10 * SECOND_MS);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 1);
}

static void it_waits_no_longer_than_six_minutes(void **state)
{
    (void)state;
    attached(EVENT_OBJECT);
    until(COMMAND_KUBE_EVICT);
    life_stage_wait(life, 6 * MINUTE_MS + 10 * SECOND_MS);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 1);
}

static void load_balancers_have_half_a_minute_after_the_cordon(void **state)
{
    (void)state;
    until(COMMAND_KUBE_CORDON);
    life_stage_wait(life, 28 * SECOND_MS);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 2);
    assert_int_equal(count(COMMAND_KUBE_LIST_NODE_PODS), 0);
    life_stage_wait(life, 10 * SECOND_MS);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 1);
}

// ---- the last look

static struct pod_facts on_w2(const char *name, const char *controller)
{
    struct pod_facts facts = make_pod(name, "w-2", 100, 64 * MIB);
    facts.controller_kind = controller;
    return facts;
}

static void a_pod_that_only_the_api_server_shows_keeps_the_machine(void **state)
{
    (void)state;
    static const char *const controllers[] = {"ReplicaSet", "StatefulSet", "Job", ""};
    for (size_t i = 0; i < 4; i++) {
        life->listed[0] = on_w2("unseen", controllers[i]);
        life->listed_count = 1;
        until(COMMAND_KUBE_LIST_NODE_PODS);
        life_stage_wait(life, MINUTE_MS);
        assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
        assert_true(count(COMMAND_KUBE_LIST_NODE_PODS) > 1);
        life->listed_count = 0;
        life_stage_wait(life, MINUTE_MS);
        assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 1);
        teardown(NULL);
        setup(NULL);
    }
}

static void furniture_and_finished_pods_in_that_list_keep_nothing(void **state)
{
    (void)state;
    life->listed[0] = on_w2("proxy", "DaemonSet");
    life->listed[1] = on_w2("static", "Node");
    life->listed[1].mirror = true;
    life->listed[2] = on_w2("done", "Job");
    life->listed[2].terminal = true;
    life->listed_count = 3;
    until(COMMAND_KUBE_LIST_NODE_PODS);
    life_stage_wait(life, 10 * SECOND_MS);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 1);
}

static void a_list_that_failed_permits_nothing(void **state)
{
    (void)state;
    static const enum outcome failures[] = {OUTCOME_UNKNOWN, OUTCOME_NOT_SENT, OUTCOME_REFUSED,
                                            OUTCOME_NOT_FOUND};
    for (size_t i = 0; i < 4; i++) {
        life->becomes[COMMAND_KUBE_LIST_NODE_PODS] = failures[i];
        until(COMMAND_KUBE_LIST_NODE_PODS);
        life_stage_wait(life, MINUTE_MS);
        assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
        teardown(NULL);
        setup(NULL);
    }
}

static void a_look_that_is_too_old_is_taken_again(void **state)
{
    (void)state;
    life->by_hand[COMMAND_KUBE_LIST_NODE_PODS] = true;
    until(COMMAND_KUBE_LIST_NODE_PODS);
    life->by_hand[COMMAND_KUBE_INTENTION_STATUS] = true; // the mark takes long to be stored
    life_stage_answer(life, stage_find(stage, COMMAND_KUBE_LIST_NODE_PODS), OUTCOME_OK, "");
    life_stage_wait(life, 25 * SECOND_MS);
    assert_int_equal(count(COMMAND_KUBE_LIST_NODE_PODS), 1);
    life_stage_answer(life, stage_find(stage, COMMAND_KUBE_INTENTION_STATUS), OUTCOME_OK, "");
    assert_int_equal(count(COMMAND_KUBE_LIST_NODE_PODS), 2);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
}

static void the_machine_is_deleted_only_after_that_was_stored(void **state)
{
    (void)state;
    life->by_hand[COMMAND_KUBE_LIST_NODE_PODS] = true;
    until(COMMAND_KUBE_LIST_NODE_PODS);
    life->by_hand[COMMAND_KUBE_INTENTION_STATUS] = true;
    life_stage_answer(life, stage_find(stage, COMMAND_KUBE_LIST_NODE_PODS), OUTCOME_OK, "");
    const struct command *command = stage_find(stage, COMMAND_KUBE_INTENTION_STATUS);
    assert_int_equal(command->intention_status.status.phase, INTENTION_DELETING);
    life_stage_wait(life, 5 * SECOND_MS);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
    life_stage_answer(life, command, OUTCOME_OK, "");
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 1);
}

// ---- the end

static void the_node_object_stays_while_the_machine_is_listed(void **state)
{
    (void)state;
    life->machines_linger = true;
    until(COMMAND_VPSIE_DELETE_MACHINE);
    life_stage_wait(life, 4 * MINUTE_MS);
    assert_true(count(COMMAND_VPSIE_LIST_MACHINES) > 10);
    assert_int_equal(count(COMMAND_KUBE_DELETE_NODE), 0);
    assert_int_equal(count(COMMAND_KUBE_DELETE_INTENTION), 0);
    assert_false(finalizer_dropped());
    life->machines_linger = false;
    snprintf(life->gone[life->gone_count++], sizeof(life->gone[0]), "id-w-2");
    life_stage_wait(life, 30 * SECOND_MS);
    assert_int_equal(count(COMMAND_KUBE_DELETE_NODE), 1);
    assert_int_equal(count(COMMAND_KUBE_DELETE_INTENTION), 1);
    assert_true(finalizer_dropped());
}

static void the_node_object_stays_while_vpsie_has_not_taken_the_delete(void **state)
{
    (void)state;
    life->becomes[COMMAND_VPSIE_DELETE_MACHINE] = OUTCOME_THROTTLED;
    until(COMMAND_VPSIE_DELETE_MACHINE);
    life_stage_wait(life, 2 * MINUTE_MS);
    assert_true(count(COMMAND_VPSIE_DELETE_MACHINE) > 1);
    assert_int_equal(count(COMMAND_KUBE_DELETE_NODE), 0);
    assert_false(finalizer_dropped());
}

static void a_list_without_the_machine_is_not_enough_when_vpsie_has_not_taken_the_delete(void **state)
{
    (void)state;
    static const enum outcome outcomes[] = {OUTCOME_UNKNOWN, OUTCOME_NOT_SENT};
    for (int i = 0; i < 2; i++) {
        life->becomes[COMMAND_VPSIE_DELETE_MACHINE] = outcomes[i];
        until(COMMAND_VPSIE_DELETE_MACHINE);
        snprintf(life->gone[life->gone_count++], sizeof(life->gone[0]), "id-w-2");
        life_stage_wait(life, 30 * SECOND_MS);
        assert_true(count(COMMAND_VPSIE_DELETE_MACHINE) > 1);
        assert_int_equal(count(COMMAND_KUBE_DELETE_NODE), 0);
        assert_false(finalizer_dropped());
        teardown(NULL);
        setup(NULL);
    }
}

static void a_list_that_was_asked_for_before_the_delete_does_not_tell_that_the_machine_is_gone(void **state)
{
    (void)state;
    life->by_hand[COMMAND_KUBE_LIST_NODE_PODS] = true;
    until(COMMAND_KUBE_LIST_NODE_PODS);
    const struct command look = *stage_find(stage, COMMAND_KUBE_LIST_NODE_PODS);
    stage_forget(stage);
    life->by_hand[COMMAND_VPSIE_LIST_MACHINES] = true;
    until(COMMAND_VPSIE_LIST_MACHINES);
    life_stage_answer(life, &look, OUTCOME_OK, "");
    until(COMMAND_VPSIE_DELETE_MACHINE);
    const struct command *before = stage_find(stage, COMMAND_VPSIE_LIST_MACHINES);
    assert_true(before->id < stage_find(stage, COMMAND_VPSIE_DELETE_MACHINE)->id);
    life_stage_answer(life, before, OUTCOME_OK, ""); // without the machine
    life_stage_wait(life, SECOND_MS);
    assert_int_equal(count(COMMAND_KUBE_DELETE_NODE), 0);
    const struct command *after = stage_find(stage, COMMAND_VPSIE_LIST_MACHINES);
    assert_true(after->id > stage_find(stage, COMMAND_VPSIE_DELETE_MACHINE)->id);
    life_stage_answer(life, after, OUTCOME_OK, "");
    assert_int_equal(count(COMMAND_KUBE_DELETE_NODE), 1);
}

static void a_new_node_of_the_same_name_is_left_alone(void **state)
{
    (void)state;
    life->by_hand[COMMAND_KUBE_DELETE_NODE] = true;
    until(COMMAND_KUBE_DELETE_NODE);
    struct event *event = life_stage_node(life, "w-2", "general");
    event->object.node->uid = "uid-another";
    life_stage_step(life, event);
    life_stage_answer(life, stage_find(stage, COMMAND_KUBE_DELETE_NODE), OUTCOME_CONFLICT, "");
    life_stage_wait(life, 5 * MINUTE_MS);
    for (uint32_t i = 0; i < stage->out->count; i++)
        if (stage->out->items[i]->kind == COMMAND_KUBE_DELETE_NODE)
            assert_string_equal(stage->out->items[i]->delete_node.uid, "uid-node-w-2");
    assert_true(finalizer_dropped());
}

static void the_node_is_deleted_by_its_uid(void **state)
{
    (void)state;
    until(COMMAND_KUBE_DELETE_NODE);
    const struct command *command = stage_find(stage, COMMAND_KUBE_DELETE_NODE);
    assert_string_equal(command->delete_node.node_name, "w-2");
    assert_string_equal(command->delete_node.uid, "uid-node-w-2");
}

static void the_vpsienode_is_deleted_by_its_uid(void **state)
{
    (void)state;
    until(COMMAND_KUBE_DELETE_INTENTION);
    const struct command *command = stage_find(stage, COMMAND_KUBE_DELETE_INTENTION);
    assert_string_equal(command->delete_intention.name, "w-2");
    assert_string_equal(command->delete_intention.uid, "uid-intention-w-2");
}

// ---- what is never removed

static void a_person_deletes(const char *name)
{
    struct event *event = stage_intention_event(stage, name, "general");
    const struct intention *intention = cluster_intention(stage->core->cluster, NULL, name);
    event->object.intention->node_name = arena_strdup(event->arena, name);
    event->object.intention->created_ms = intention->facts.created_ms;
    event->object.intention->vpsie_instance_id = intention->facts.vpsie_instance_id;
    event->object.intention->deletion_ms = stage->now_ms;
    life_stage_step(life, event);
}

static void master_again(bool cordoned)
{
    struct event *event = life_stage_node(life, "w-2", "general");
    stage_label(event, &event->object.node->labels, "node-role.kubernetes.io/control-plane", "");
    event->object.node->unschedulable = cordoned;
    life_stage_step(life, event);
}

static void what_a_person_deletes_is_drained_and_goes(void **state)
{
    (void)state;
    a_person_deletes("w-2");
    life_stage_wait(life, 3 * MINUTE_MS);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 2);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 1);
}

static void a_control_plane_node_that_a_vpsienode_names_is_never_removed(void **state)
{
    (void)state;
    master_again(false);
    a_person_deletes("w-2");
    life_stage_wait(life, 30 * MINUTE_MS);
    assert_int_equal(count(COMMAND_KUBE_CORDON), 0);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 0);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_int_equal(count(COMMAND_KUBE_DELETE_NODE), 0);
}

// Its Node is not bound to the VPSieNode, as that of a master never is.
static void a_master_without_a_node_of_its_own_is_not_deleted_either(void **state)
{
    (void)state;
    life->master = "id-w-2";
    life_stage_wait(life, 2 * MINUTE_MS); // it is read
    a_person_deletes("w-2");
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = OBJECT_NODE;
    event->gone.space = "";
    event->gone.name = "w-2";
    event->gone.uid = "uid-node-w-2";
    life_stage_step(life, event);
    life_stage_wait(life, 30 * MINUTE_MS);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_false(finalizer_dropped());
}

static void a_machine_that_turns_out_to_be_a_master_is_given_back(void **state)
{
    (void)state;
    life->agent_says = EVIDENCE_BUSY;
    a_person_deletes("w-2");
    until(COMMAND_KUBE_CORDON);
    life->master = "id-w-2";
    life_stage_wait(life, 4 * MINUTE_MS); // it is read
    assert_int_equal(count(COMMAND_KUBE_UNCORDON), 1);
    assert_false(cluster_node(stage->core->cluster, "w-2")->unschedulable);
    life->agent_says = EVIDENCE_READY;
    life_stage_wait(life, 30 * MINUTE_MS);
    assert_int_equal(count(COMMAND_KUBE_CORDON), 1);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 0);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
}

// Marked as a master at the very last moment, between the look at its pods and the call.
static void a_node_that_turns_out_to_be_of_the_control_plane_is_not_deleted(void **state)
{
    (void)state;
    life->by_hand[COMMAND_KUBE_LIST_NODE_PODS] = true;
    a_person_deletes("w-2");
    until(COMMAND_KUBE_LIST_NODE_PODS);
    life->by_hand[COMMAND_KUBE_UNCORDON] = true;
    master_again(true);
    life->by_hand[COMMAND_KUBE_LIST_NODE_PODS] = false;
    life_stage_answer(life, stage_find(stage, COMMAND_KUBE_LIST_NODE_PODS), OUTCOME_OK, "");
    life_stage_wait(life, 10 * MINUTE_MS);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_int_equal(count(COMMAND_KUBE_DELETE_NODE), 0);
    assert_int_equal(count(COMMAND_KUBE_UNCORDON), 1); // given back
}

static void a_machine_that_vpsie_lists_as_a_master_is_not_deleted(void **state)
{
    (void)state;
    life->master = "id-w-2";
    life_stage_wait(life, 2 * MINUTE_MS); // it is read
    a_person_deletes("w-2");
    life_stage_wait(life, 30 * MINUTE_MS);
    assert_true(count(COMMAND_VPSIE_LIST_MACHINES) > 1);
    assert_int_equal(count(COMMAND_KUBE_CORDON), 0);
    assert_int_equal(count(COMMAND_AGENT_DIRECTIVE), 0);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_int_equal(count(COMMAND_KUBE_DELETE_NODE), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_machine_leaves_step_by_step),
        TEST(nothing_is_touched_before_the_removal_is_stored),
        TEST(nothing_is_asked_before_the_cordon_is_confirmed),
        TEST(what_happens_to_the_node_meanwhile_ends_the_drain),
        TEST(a_removal_that_was_given_up_waits_before_it_begins_again),
        TEST(a_machine_waits_for_its_volumes_to_be_detached),
        TEST(it_waits_no_longer_than_six_minutes),
        TEST(load_balancers_have_half_a_minute_after_the_cordon),
        TEST(a_pod_that_only_the_api_server_shows_keeps_the_machine),
        TEST(furniture_and_finished_pods_in_that_list_keep_nothing),
        TEST(a_list_that_failed_permits_nothing),
        TEST(a_look_that_is_too_old_is_taken_again),
        TEST(the_machine_is_deleted_only_after_that_was_stored),
        TEST(the_node_object_stays_while_the_machine_is_listed),
        TEST(the_node_object_stays_while_vpsie_has_not_taken_the_delete),
        TEST(a_list_without_the_machine_is_not_enough_when_vpsie_has_not_taken_the_delete),
        TEST(a_list_that_was_asked_for_before_the_delete_does_not_tell_that_the_machine_is_gone),
        TEST(a_new_node_of_the_same_name_is_left_alone),
        TEST(the_node_is_deleted_by_its_uid),
        TEST(the_vpsienode_is_deleted_by_its_uid),
        TEST(what_a_person_deletes_is_drained_and_goes),
        TEST(a_control_plane_node_that_a_vpsienode_names_is_never_removed),
        TEST(a_machine_that_vpsie_lists_as_a_master_is_not_deleted),
        TEST(a_master_without_a_node_of_its_own_is_not_deleted_either),
        TEST(a_machine_that_turns_out_to_be_a_master_is_given_back),
        TEST(a_node_that_turns_out_to_be_of_the_control_plane_is_not_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

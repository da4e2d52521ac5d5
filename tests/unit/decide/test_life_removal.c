#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/make_facts.h"
#include "tests/unit/decide/life_stage.h"

#define SECOND_MS 1000
#define MINUTE_MS (60 * SECOND_MS)

static struct life_stage *life;
static struct stage *stage;

// w-1 is full; w-2 holds two small pods of one budget, so that they leave one after the other.
static int setup(void **state)
{
    (void)state;
    life = life_stage_create();
    stage = life->stage;
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_group(stage, "general", 1, 10);
    stage_running(stage, "big", "w-1", 2800, 2048);
    stage_running(stage, "one", "w-2", 100, 64);
    stage_running(stage, "two", "w-2", 100, 64);
    stage_step(stage, stage_budget_event(stage, "web", "web", 2));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    life_stage_destroy(life);
    return 0;
}

// ---- what happened

static uint32_t count(enum command_kind kind)
{
    return stage_count(stage, kind);
}

static const struct life *life_of_w2(void)
{
    const struct node *node = cluster_node(stage->core->cluster, "w-2");
    assert_non_null(node);
    return life_of(node->intention);
}

// Policy finds that w-2 is not needed; until the first command of this kind.
static void until(enum command_kind kind)
{
    assert_true(life_stage_wait_for(life, kind, 20 * MINUTE_MS));
}

static bool evicts(const char *pod)
{
    for (uint32_t i = 0; i < stage->out->count; i++)
        if (stage->out->items[i]->kind == COMMAND_KUBE_EVICT &&
            strcmp(stage->out->items[i]->pod.name, pod) == 0)
            return true;
    return false;
}

static bool finalizer_dropped(void)
{
    for (uint32_t i = 0; i < stage->out->count; i++)
        if (stage->out->items[i]->kind == COMMAND_KUBE_UPDATE_INTENTION &&
            stage->out->items[i]->update_intention.finalizer == TRISTATE_FALSE)
            return true;
    return false;
}

static void assert_given_up(const char *words)
{
    assert_int_equal(life_of_w2()->step, LIFE_READY);
    assert_non_null(strstr(life_of_w2()->held, words));
    assert_int_equal(count(COMMAND_KUBE_UNCORDON), 1);
    assert_string_equal(stage_find(stage, COMMAND_KUBE_UNCORDON)->cordon.node_name, "w-2");
    const struct command *last = stage_find(stage, COMMAND_AGENT_DIRECTIVE);
    assert_int_equal(last->directive.kind, DIRECTIVE_CANCEL_DRAIN);
    assert_false(cluster_node(stage->core->cluster, "w-2")->unschedulable);
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

// ---- the agent's word

static void an_agent_that_is_busy_keeps_every_pod_where_it_is(void **state)
{
    (void)state;
    life->agent_says = EVIDENCE_BUSY;
    until(COMMAND_KUBE_CORDON);
    life_stage_wait(life, 2 * MINUTE_MS);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 0);
    assert_int_equal(life_of_w2()->step, LIFE_PREPARE);
    life->agent_says = EVIDENCE_READY;
    life_stage_wait(life, 6 * SECOND_MS);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 2);
}

static void an_agent_that_cannot_tell_or_blocks_ends_the_drain_at_once(void **state)
{
    (void)state;
    static const enum evidence_state says[] = {EVIDENCE_UNKNOWN, EVIDENCE_BLOCKED};
    static const char *const words[] = {"its agent cannot tell", "BLOCKED by its agent"};
    for (int i = 0; i < 2; i++) {
        life->agent_says = says[i];
        until(COMMAND_KUBE_CORDON);
        life_stage_wait(life, SECOND_MS);
        assert_given_up(words[i]);
        assert_int_equal(count(COMMAND_KUBE_EVICT), 0);
        assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
        teardown(NULL);
        setup(NULL);
    }
}

// The first of two pods is being evicted; its answer is on its way.
static void one_is_leaving(void)
{
    life->by_hand[COMMAND_KUBE_EVICT] = true;
    until(COMMAND_KUBE_EVICT);
    assert_true(evicts("one"));
    assert_int_equal(count(COMMAND_KUBE_EVICT), 1);
}

static void one_has_left(void)
{
    const struct command *command = stage_find(stage, COMMAND_KUBE_EVICT);
    life_stage_answer(life, command, OUTCOME_OK, "");
    life_stage_pod_gone(life, "shop", "one", "uid-pod-one");
}

static void the_next_pod_stays_once_the_agent_is_no_longer_ready(void **state)
{
    (void)state;
    static const enum evidence_state says[] = {EVIDENCE_BUSY, EVIDENCE_UNKNOWN};
    for (int i = 0; i < 2; i++) {
        one_is_leaving();
        life_stage_step(life, life_stage_verdict(life, life->directive, says[i]));
        life->agent_says = says[i];
        one_has_left();
        life_stage_wait(life, 2 * MINUTE_MS);
        assert_false(evicts("two"));
        assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
        teardown(NULL);
        setup(NULL);
    }
}

static void the_next_pod_follows_when_the_agent_is_ready_again(void **state)
{
    (void)state;
    one_is_leaving();
    life->agent_says = EVIDENCE_BUSY;
    life_stage_wait(life, 6 * SECOND_MS);
    one_has_left();
    life_stage_wait(life, 20 * SECOND_MS);
    assert_false(evicts("two"));
    life->agent_says = EVIDENCE_READY;
    life_stage_wait(life, 6 * SECOND_MS);
    assert_true(evicts("two"));
}

static void the_next_pod_stays_once_the_agent_blocks(void **state)
{
    (void)state;
    one_is_leaving();
    life_stage_step(life, life_stage_verdict(life, life->directive, EVIDENCE_BLOCKED));
    life->agent_says = EVIDENCE_BLOCKED;
    life_stage_wait(life, SECOND_MS);
    assert_given_up("BLOCKED by its agent");
    assert_false(evicts("two"));
}

static void the_next_pod_stays_once_the_agent_has_fallen_silent(void **state)
{
    (void)state;
    one_is_leaving();
    life->agent_silent = true;
    life_stage_wait(life, 65 * SECOND_MS);
    one_has_left();
    life_stage_wait(life, MINUTE_MS);
    assert_false(evicts("two"));
    life->agent_silent = false;
    life_stage_wait(life, 6 * SECOND_MS);
    assert_true(evicts("two"));
}

static void an_answer_to_another_directive_proves_nothing(void **state)
{
    (void)state;
    life->agent_deaf = true;
    until(COMMAND_KUBE_CORDON);
    static const char *const others[] = {"T1-0-0", "", "nonsense"};
    for (int i = 0; i < 3; i++)
        life_stage_step(life, life_stage_verdict(life, others[i], EVIDENCE_READY));
    life_stage_wait(life, MINUTE_MS);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 0);
    life_stage_step(life, life_stage_verdict(life, life->directive, EVIDENCE_READY));
    assert_int_equal(count(COMMAND_KUBE_EVICT), 2);
}

static void what_the_agent_looked_at_before_it_was_asked_proves_nothing(void **state)
{
    (void)state;
    life->agent_deaf = true;
    until(COMMAND_KUBE_CORDON);
    struct event *event = life_stage_verdict(life, life->directive, EVIDENCE_READY);
    event->report->directive_verdict.evaluated_ms -= 11 * SECOND_MS; // it had spoken since
    life_stage_step(life, event);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 0);
    life_stage_step(life, life_stage_verdict(life, life->directive, EVIDENCE_READY));
    assert_int_equal(count(COMMAND_KUBE_EVICT), 2);
}

static void the_first_answer_does_not_serve_for_the_last_question(void **state)
{
    (void)state;
    until(COMMAND_KUBE_EVICT);
    char first[64];
    snprintf(first, sizeof(first), "%s", life->directive);
    life->agent_deaf = true;
    life_stage_wait(life, MINUTE_MS); // load balancers settle
    assert_int_equal(life_of_w2()->step, LIFE_LAST_READY);
    assert_string_not_equal(life->directive, first);
    for (int i = 0; i < 10; i++) {
        life_stage_step(life, life_stage_verdict(life, first, EVIDENCE_READY));
        life_stage_wait(life, SECOND_MS);
    }
    assert_int_equal(count(COMMAND_KUBE_LIST_NODE_PODS), 0);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
}

static void pods_that_the_agent_still_sees_keep_the_machine(void **state)
{
    (void)state;
    until(COMMAND_KUBE_EVICT);
    life->agent_deaf = true;
    life_stage_wait(life, MINUTE_MS);
    struct event *event = life_stage_verdict(life, life->directive, EVIDENCE_READY);
    event->report->directive_verdict.pods_remaining = 1;
    life_stage_step(life, event);
    life_stage_wait(life, 10 * SECOND_MS);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
    life_stage_step(life, life_stage_verdict(life, life->directive, EVIDENCE_READY));
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 1);
}

// ---- pods that come

static bool names(const struct command *command, const char *uid)
{
    for (uint32_t i = 0; i < command->directive.pod_uid_count; i++)
        if (strcmp(command->directive.pod_uids[i], uid) == 0)
            return true;
    return false;
}

static void a_pod_that_came_after_the_question_is_asked_about_first(void **state)
{
    (void)state;
    one_is_leaving();
    life->agent_deaf = true; // the answer to what follows is a long time coming
    life_stage_step(life, stage_pod_event(stage, "late", "w-2", 100, 64));
    one_has_left();
    life_stage_wait(life, MINUTE_MS);
    assert_false(evicts("late"));
    assert_true(names(stage_find(stage, COMMAND_AGENT_DIRECTIVE), "uid-pod-late"));
    life->by_hand[COMMAND_KUBE_EVICT] = false;
    life->agent_deaf = false;
    life_stage_wait(life, 10 * SECOND_MS);
    assert_true(evicts("late"));
    assert_true(evicts("two"));
}

static void a_pod_that_came_while_the_agent_was_busy_is_asked_about_first(void **state)
{
    (void)state;
    life->agent_says = EVIDENCE_BUSY;
    until(COMMAND_KUBE_CORDON);
    life_stage_step(life, stage_pod_event(stage, "late", "w-2", 100, 64));
    life->agent_deaf = true;
    life_stage_wait(life, 10 * SECOND_MS);
    assert_false(names(stage_find(stage, COMMAND_AGENT_DIRECTIVE), "uid-pod-late"));
    life_stage_step(life, life_stage_verdict(life, life->directive, EVIDENCE_READY));
    life_stage_wait(life, 10 * SECOND_MS);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 0);
    assert_true(names(stage_find(stage, COMMAND_AGENT_DIRECTIVE), "uid-pod-late"));
}

// ---- budgets

static void a_pod_of_two_budgets_ends_the_drain(void **state)
{
    (void)state;
    life->agent_says = EVIDENCE_BUSY;
    until(COMMAND_KUBE_CORDON);
    stage_step(stage, stage_budget_event(stage, "second", "web", 2));
    life->agent_says = EVIDENCE_READY;
    life_stage_wait(life, 6 * SECOND_MS);
    assert_int_equal(count(COMMAND_KUBE_EVICT), 0);
    assert_given_up("has 2 budgets");
}

static void two_budgets_that_only_the_api_server_knows_end_the_drain(void **state)
{
    (void)state;
    one_is_leaving();
    life_stage_answer(life, stage_find(stage, COMMAND_KUBE_EVICT), OUTCOME_UNKNOWN,
                      "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
                      "not support.");
    assert_given_up("more than one budget");
    assert_false(evicts("two"));
}

static void pods_of_one_budget_leave_one_after_the_other(void **state)
{
    (void)state;
    one_is_leaving();
    life_stage_wait(life, 20 * SECOND_MS);
    assert_false(evicts("two"));
    one_has_left();
    assert_true(evicts("two"));
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

// Marked as a master at the very last moment, between the look at its pods and the call.
static void a_node_that_turns_out_to_be_of_the_control_plane_is_not_deleted(void **state)
{
    (void)state;
    life->by_hand[COMMAND_KUBE_LIST_NODE_PODS] = true;
    a_person_deletes("w-2");
    until(COMMAND_KUBE_LIST_NODE_PODS);
    master_again(true);
    life->by_hand[COMMAND_KUBE_LIST_NODE_PODS] = false;
    life_stage_answer(life, stage_find(stage, COMMAND_KUBE_LIST_NODE_PODS), OUTCOME_OK, "");
    life_stage_wait(life, 10 * MINUTE_MS);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_int_equal(count(COMMAND_KUBE_DELETE_NODE), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_machine_leaves_step_by_step),
        TEST(an_agent_that_is_busy_keeps_every_pod_where_it_is),
        TEST(an_agent_that_cannot_tell_or_blocks_ends_the_drain_at_once),
        TEST(the_next_pod_stays_once_the_agent_is_no_longer_ready),
        TEST(the_next_pod_follows_when_the_agent_is_ready_again),
        TEST(the_next_pod_stays_once_the_agent_blocks),
        TEST(the_next_pod_stays_once_the_agent_has_fallen_silent),
        TEST(an_answer_to_another_directive_proves_nothing),
        TEST(what_the_agent_looked_at_before_it_was_asked_proves_nothing),
        TEST(the_first_answer_does_not_serve_for_the_last_question),
        TEST(pods_that_the_agent_still_sees_keep_the_machine),
        TEST(a_pod_that_came_after_the_question_is_asked_about_first),
        TEST(a_pod_that_came_while_the_agent_was_busy_is_asked_about_first),
        TEST(a_pod_of_two_budgets_ends_the_drain),
        TEST(two_budgets_that_only_the_api_server_knows_end_the_drain),
        TEST(pods_of_one_budget_leave_one_after_the_other),
        TEST(a_pod_that_only_the_api_server_shows_keeps_the_machine),
        TEST(furniture_and_finished_pods_in_that_list_keep_nothing),
        TEST(a_list_that_failed_permits_nothing),
        TEST(the_node_object_stays_while_the_machine_is_listed),
        TEST(the_node_object_stays_while_vpsie_has_not_taken_the_delete),
        TEST(the_node_is_deleted_by_its_uid),
        TEST(the_vpsienode_is_deleted_by_its_uid),
        TEST(what_a_person_deletes_is_drained_and_goes),
        TEST(a_control_plane_node_that_a_vpsienode_names_is_never_removed),
        TEST(a_node_that_turns_out_to_be_of_the_control_plane_is_not_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

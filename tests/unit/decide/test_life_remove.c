// Removing: cordon, evidence, evictions, the last look, VPSie's delete, the Node, the finalizer; and giving
// up.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/puppet.h"

#define MINUTE LIFE_MINUTE_MS
#define SECOND LIFE_SECOND_MS
#define NODE   "host-w1"

static struct puppet *puppet;

static int begin(void **state)
{
    (void)state;
    puppet = puppet_create(NULL);
    puppet_cloud_group(puppet, "general", 12, PUPPET_SIZE, 0);
    puppet_group(puppet, "general", PUPPET_SIZE, 0, 10);
    puppet_in_service(puppet, "w1", "general");
    puppet_in_service(puppet, "w2", "general");
    puppet_in_service(puppet, "w3", "general");
    puppet_start(puppet);
    puppet_run(puppet, 5 * SECOND);
    return 0;
}

static int end(void **state)
{
    (void)state;
    puppet_destroy(puppet);
    return 0;
}

static struct life *w1(void)
{
    return puppet_life(puppet, "w1");
}

static const struct command *directive(void)
{
    return puppet_last(puppet, COMMAND_AGENT_DIRECTIVE);
}

static void answer(enum evidence_state state)
{
    puppet_report(puppet, NODE, directive()->directive.directive_id, state, 0);
}

static uint32_t evictions(void)
{
    return puppet_count(puppet, COMMAND_KUBE_EVICT);
}

// Up to the directive.
static void begin_removal(void)
{
    puppet_report(puppet, NODE, "", EVIDENCE_READY, 0);
    assert_true(puppet_remove(puppet, NODE, REMOVAL_VOLUNTARY));
    assert_int_equal(w1()->step, LIFE_PREPARE);
}

// Up to the second directive: pods gone, settled.
static void to_the_last_ready(void)
{
    begin_removal();
    answer(EVIDENCE_READY);
    puppet_run(puppet, 31 * SECOND);
    assert_int_equal(w1()->step, LIFE_LAST_READY);
}

static void kept(const char *words)
{
    puppet_run(puppet, SECOND);
    assert_int_equal(w1()->step, LIFE_READY);
    assert_int_equal(w1()->removal, REMOVAL_NONE);
    if (strstr(w1()->held, words) == NULL)
        print_message("held: %s\n", w1()->held);
    assert_non_null(strstr(w1()->held, words));
    assert_true(puppet_said(puppet, words));
    assert_false(puppet->kube_nodes[0].unschedulable);
    assert_int_equal(puppet->nodes[0].phase, INTENTION_READY);
    assert_string_equal(puppet_note_of(&puppet->nodes[0], KEY_REMOVAL), "");
    assert_true(w1()->not_before_ms > puppet->now_ms);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
}

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

// ---- evidence

static void an_answer_to_another_directive_proves_nothing(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    begin_removal();
    puppet_report(puppet, NODE, "", EVIDENCE_READY, 0);
    puppet_report(puppet, NODE, "T1-0-1", EVIDENCE_READY, 0);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(evictions(), 0);
    answer(EVIDENCE_READY);
    assert_int_equal(evictions(), 1);
}

static void an_evaluation_from_before_the_directive_proves_nothing(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    begin_removal();
    int64_t now_ms = puppet->now_ms;
    puppet->now_ms -= 1; // on the agent's clock
    struct event *event = event_create(EVENT_AGENT_REPORT);
    struct agent_report_facts *facts = event->report = ARENA_NEW(event->arena, struct agent_report_facts);
    *facts = (struct agent_report_facts){
        .node_name = NODE,
        .start_id = "start-1",
        .sequence = 9000,
        .received_ms = now_ms,
        .version = "1",
        .verdict = {.state = EVIDENCE_READY, .evaluated_ms = now_ms - 5000},
        .directive_id = directive()->directive.directive_id,
        .directive_verdict = {.state = EVIDENCE_READY, .evaluated_ms = now_ms - 5000}};
    puppet->now_ms = now_ms;
    puppet_step(puppet, event);
    assert_int_equal(evictions(), 0);
}

static void busy_has_a_deadline(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    begin_removal();
    for (int i = 0; i < 29; i++) {
        answer(EVIDENCE_BUSY);
        puppet_run(puppet, 10 * SECOND);
    }
    assert_int_equal(w1()->step, LIFE_PREPARE);
    answer(EVIDENCE_BUSY);
    puppet_run(puppet, 11 * SECOND);
    kept("stays BUSY");
    assert_int_equal(directive()->directive.kind, DIRECTIVE_CANCEL_DRAIN);
    assert_int_equal(evictions(), 0);
}

static void busy_passes_by_itself(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    begin_removal();
    answer(EVIDENCE_BUSY);
    puppet_run(puppet, MINUTE);
    assert_int_equal(evictions(), 0);
    answer(EVIDENCE_READY);
    assert_int_equal(evictions(), 1);
}

static void blocked_gives_up_at_once_and_says_why(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    begin_removal();
    answer(EVIDENCE_BLOCKED);
    kept("a backup runs");
}

static void unknown_gives_up_at_once(void **state)
{
    (void)state;
    begin_removal();
    answer(EVIDENCE_UNKNOWN);
    kept("cannot tell");
}

static void a_silent_agent_gives_up_in_the_end(void **state)
{
    (void)state;
    begin_removal();
    puppet_run(puppet, 5 * MINUTE + SECOND);
    kept("not answered");
}

static void evictions_stop_while_the_agent_is_silent_or_not_ready(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        char name[16];
        snprintf(name, sizeof(name), "web-%02d", i);
        puppet_pod(puppet, name, NODE, "web");
    }
    puppet->held[COMMAND_KUBE_EVICT] = true;
    begin_removal();
    answer(EVIDENCE_READY);
    assert_int_equal(evictions(), 10); // at once
    answer(EVIDENCE_BUSY);
    puppet_answer(puppet, puppet_nth(puppet, COMMAND_KUBE_EVICT, 0), OUTCOME_OK);
    assert_int_equal(evictions(), 10);
    answer(EVIDENCE_READY);
    assert_int_equal(evictions(), 11);
    puppet_run(puppet, 61 * SECOND);
    puppet_answer(puppet, puppet_nth(puppet, COMMAND_KUBE_EVICT, 1), OUTCOME_OK);
    assert_int_equal(evictions(), 11); // silent
}

static void blocked_in_the_middle_ends_the_drain(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    puppet_pod(puppet, "web-2", NODE, "web");
    begin_removal();
    answer(EVIDENCE_READY);
    answer(EVIDENCE_BLOCKED);
    kept("a backup runs");
}

static void a_pod_that_came_meanwhile_is_asked_for_before_it_is_moved(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    begin_removal();
    answer(EVIDENCE_READY);
    puppet_run(puppet, 3 * SECOND);
    puppet_pod(puppet, "web-2", NODE, "web"); // bound in a race with the cordon
    puppet_run(puppet, SECOND);
    assert_int_equal(evictions(), 1);
    assert_int_equal(puppet_count(puppet, COMMAND_AGENT_DIRECTIVE), 2);
    assert_int_equal(directive()->directive.pod_uid_count, 2);
    answer(EVIDENCE_READY);
    assert_int_equal(evictions(), 2);
    assert_string_equal(puppet_last(puppet, COMMAND_KUBE_EVICT)->pod.name, "web-2");
}

// ---- evictions

static void the_least_important_go_first(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        char name[16];
        snprintf(name, sizeof(name), "p-%02d", i);
        struct event *event = puppet_pod_event(puppet, name, NODE, "web");
        event->object.pod->shape.priority = i < 2 ? 1000 : i;
        puppet_step(puppet, event);
    }
    puppet->held[COMMAND_KUBE_EVICT] = true;
    begin_removal();
    answer(EVIDENCE_READY);
    assert_string_equal(puppet_nth(puppet, COMMAND_KUBE_EVICT, 0)->pod.name, "p-02");
    for (uint32_t i = 0; i < evictions(); i++) {
        assert_string_not_equal(puppet_nth(puppet, COMMAND_KUBE_EVICT, i)->pod.name, "p-00");
        assert_string_not_equal(puppet_nth(puppet, COMMAND_KUBE_EVICT, i)->pod.name, "p-01");
    }
}

static void pods_of_one_budget_go_one_at_a_time(void **state)
{
    (void)state;
    puppet_budget(puppet, "web", "web", 1);
    puppet_pod(puppet, "web-1", NODE, "web");
    puppet_pod(puppet, "web-2", NODE, "web");
    puppet_pod(puppet, "api-1", NODE, "api");
    puppet->held[COMMAND_KUBE_EVICT] = true;
    begin_removal();
    answer(EVIDENCE_READY);
    assert_int_equal(evictions(), 2); // api-1, web-1
    puppet_answer(puppet, puppet_nth(puppet, COMMAND_KUBE_EVICT, 1), OUTCOME_OK);
    assert_int_equal(evictions(), 3);
}

static void a_refused_eviction_waits_as_long_as_it_is_told(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    puppet->held[COMMAND_KUBE_EVICT] = true;
    begin_removal();
    answer(EVIDENCE_READY);
    puppet_answer_words(puppet, puppet_last(puppet, COMMAND_KUBE_EVICT), OUTCOME_THROTTLED, 20 * SECOND,
                        "budget web");
    for (int i = 0; i < 19; i++) {
        puppet_run(puppet, SECOND);
        answer(EVIDENCE_READY);
    }
    assert_int_equal(evictions(), 1);
    puppet_run(puppet, 2 * SECOND);
    assert_int_equal(evictions(), 2);
}

static void a_drain_without_progress_is_given_up_and_names_the_pod_and_its_budget(void **state)
{
    (void)state;
    puppet_budget(puppet, "web-budget", "web", 0);
    puppet_pod(puppet, "web-1", NODE, "web");
    puppet->held[COMMAND_KUBE_EVICT] = true;
    begin_removal();
    answer(EVIDENCE_READY);
    for (int i = 0; i < 66 && w1()->step != LIFE_READY; i++) {
        const struct command *last = puppet_last(puppet, COMMAND_KUBE_EVICT);
        if (!puppet->answered[puppet_at(puppet, last)])
            puppet_answer_words(puppet, last, OUTCOME_THROTTLED, 0, "cannot evict pod as it would violate");
        puppet_run(puppet, 10 * SECOND);
        if (directive()->directive.kind == DIRECTIVE_PREPARE_DRAIN)
            answer(EVIDENCE_READY);
    }
    kept("shop/web-1, budget web-budget");
}

static void two_budgets_on_one_pod_block_it(void **state)
{
    (void)state;
    puppet_budget(puppet, "one", "web", 1);
    puppet_budget(puppet, "two", "web", 1);
    puppet_pod(puppet, "web-1", NODE, "web");
    begin_removal();
    answer(EVIDENCE_READY);
    assert_int_equal(evictions(), 0);
    kept("2 budgets");
}

static void two_budgets_that_only_the_api_server_knows_block_it_too(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    puppet->held[COMMAND_KUBE_EVICT] = true;
    begin_removal();
    answer(EVIDENCE_READY);
    puppet_answer_words(puppet, puppet_last(puppet, COMMAND_KUBE_EVICT), OUTCOME_UNKNOWN, 0,
                        "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
                        "not support.");
    kept("more than one budget");
}

static void a_pod_with_another_uid_or_none_is_gone(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    puppet_pod(puppet, "web-2", NODE, "web");
    puppet->held[COMMAND_KUBE_EVICT] = true;
    begin_removal();
    answer(EVIDENCE_READY);
    puppet_answer(puppet, puppet_nth(puppet, COMMAND_KUBE_EVICT, 0), OUTCOME_NOT_FOUND);
    puppet_answer(puppet, puppet_nth(puppet, COMMAND_KUBE_EVICT, 1), OUTCOME_CONFLICT);
    puppet_pod_gone(puppet, "web-1");
    puppet_pod_gone(puppet, "web-2");
    assert_int_equal(w1()->step, LIFE_DETACH);
}

static void what_does_not_end_in_its_time_is_deleted_if_its_budget_allows(void **state)
{
    (void)state;
    puppet_pod(puppet, "web-1", NODE, "web");
    begin_removal();
    answer(EVIDENCE_READY);
    puppet_run(puppet, 10 * MINUTE + 5 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_POD), 0);
    puppet_run(puppet, 10 * SECOND);
    const struct command *forced = puppet_last(puppet, COMMAND_KUBE_DELETE_POD);
    assert_non_null(forced);
    assert_string_equal(forced->pod.uid, "pod-web-1");
    assert_true(forced->pod.grace_seconds > 0); // the kubelet must end it and say so
}

static void what_does_not_end_and_has_a_budget_that_says_no_ends_the_drain(void **state)
{
    (void)state;
    puppet_budget(puppet, "web-budget", "web", 1);
    puppet_pod(puppet, "web-1", NODE, "web");
    begin_removal();
    answer(EVIDENCE_READY);
    puppet_budget(puppet, "web-budget", "web", 0);
    puppet_run(puppet, 11 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_POD), 0);
    kept("budget web-budget does not allow");
}

static void a_long_grace_is_cut(void **state)
{
    (void)state;
    struct event *event = puppet_pod_event(puppet, "slow", NODE, "web");
    event->object.pod->grace_seconds = 3600;
    puppet_step(puppet, event);
    puppet_pod(puppet, "usual", NODE, "web");
    begin_removal();
    answer(EVIDENCE_READY);
    assert_int_equal(puppet_nth(puppet, COMMAND_KUBE_EVICT, 0)->pod.grace_seconds, 600);
    assert_int_equal(puppet_nth(puppet, COMMAND_KUBE_EVICT, 1)->pod.grace_seconds, -1);
}

static void a_pod_that_must_not_be_moved_keeps_its_node(void **state)
{
    (void)state;
    struct event *event = puppet_pod_event(puppet, "alone", NODE, "");
    puppet_step(puppet, event);
    assert_true(puppet_remove(puppet, NODE, REMOVAL_VOLUNTARY));
    kept("shop/alone has no controller");
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_step_comes_in_its_order),
        TEST(what_must_survive_is_stored_before_the_cordon),
        TEST(the_directive_waits_for_the_cordon_and_names_the_pods),
        TEST(volumes_and_pods_whose_data_may_be_lost_are_told_to_the_agent),
        TEST(daemonset_and_mirror_and_ended_pods_are_left_alone),
        TEST(an_answer_to_another_directive_proves_nothing),
        TEST(an_evaluation_from_before_the_directive_proves_nothing),
        TEST(busy_has_a_deadline),
        TEST(busy_passes_by_itself),
        TEST(blocked_gives_up_at_once_and_says_why),
        TEST(unknown_gives_up_at_once),
        TEST(a_silent_agent_gives_up_in_the_end),
        TEST(evictions_stop_while_the_agent_is_silent_or_not_ready),
        TEST(blocked_in_the_middle_ends_the_drain),
        TEST(a_pod_that_came_meanwhile_is_asked_for_before_it_is_moved),
        TEST(the_least_important_go_first),
        TEST(pods_of_one_budget_go_one_at_a_time),
        TEST(a_refused_eviction_waits_as_long_as_it_is_told),
        TEST(a_drain_without_progress_is_given_up_and_names_the_pod_and_its_budget),
        TEST(two_budgets_on_one_pod_block_it),
        TEST(two_budgets_that_only_the_api_server_knows_block_it_too),
        TEST(a_pod_with_another_uid_or_none_is_gone),
        TEST(what_does_not_end_in_its_time_is_deleted_if_its_budget_allows),
        TEST(what_does_not_end_and_has_a_budget_that_says_no_ends_the_drain),
        TEST(a_long_grace_is_cut),
        TEST(a_pod_that_must_not_be_moved_keeps_its_node),
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
        TEST(gone_means_that_vpsie_said_so_and_shows_so),
        TEST(the_node_object_waits_until_the_machine_has_left_the_list),
        TEST(a_node_of_the_same_name_with_another_uid_is_left_alone),
        TEST(the_finalizer_goes_last),
        TEST(what_was_given_up_is_tried_again_after_a_growing_time),
        TEST(a_cordon_that_cannot_be_lifted_is_tried_until_it_is),
        TEST(a_person_who_uncordons_wins),
        TEST(a_node_that_is_no_longer_ready_is_kept),
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

// Moving pods: what the agent has to say first, and what evictions do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/removing.h"

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

static void blocked_or_unknown_in_the_middle_ends_the_drain_at_once(void **state)
{
    (void)state;
    static const enum evidence_state says[] = {EVIDENCE_BLOCKED, EVIDENCE_UNKNOWN};
    static const char *const words[] = {"BLOCKED by its agent: a backup runs", "cannot tell: a backup runs"};
    for (size_t i = 0; i < 2; i++) {
        puppet_pod(puppet, "web-1", NODE, "web");
        puppet_pod(puppet, "web-2", NODE, "web");
        begin_removal();
        answer(EVIDENCE_READY);
        assert_int_equal(evictions(), 2);
        answer(says[i]);
        kept(words[i]);
        assert_int_equal(directive()->directive.kind, DIRECTIVE_CANCEL_DRAIN);
        removing_end(NULL);
        removing_begin(NULL);
    }
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, removing_begin, removing_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_to_another_directive_proves_nothing),
        TEST(an_evaluation_from_before_the_directive_proves_nothing),
        TEST(busy_has_a_deadline),
        TEST(busy_passes_by_itself),
        TEST(blocked_gives_up_at_once_and_says_why),
        TEST(unknown_gives_up_at_once),
        TEST(a_silent_agent_gives_up_in_the_end),
        TEST(evictions_stop_while_the_agent_is_silent_or_not_ready),
        TEST(blocked_or_unknown_in_the_middle_ends_the_drain_at_once),
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
    };
    return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}

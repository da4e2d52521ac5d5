#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/leaving.h"

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

static void the_next_pod_stays_once_the_agent_is_no_longer_ready(void **state)
{
    (void)state;
    one_is_leaving();
    life_stage_step(life, life_stage_verdict(life, life->directive, EVIDENCE_BUSY));
    life->agent_says = EVIDENCE_BUSY;
    one_has_left();
    life_stage_wait(life, 2 * MINUTE_MS);
    assert_false(evicts("two"));
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
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

static void the_next_pod_stays_once_the_agent_blocks_or_cannot_tell(void **state)
{
    (void)state;
    static const enum evidence_state says[] = {EVIDENCE_BLOCKED, EVIDENCE_UNKNOWN};
    static const char *const words[] = {"BLOCKED by its agent", "its agent cannot tell"};
    for (int i = 0; i < 2; i++) {
        one_is_leaving();
        life_stage_step(life, life_stage_verdict(life, life->directive, says[i]));
        life->agent_says = says[i];
        life_stage_wait(life, SECOND_MS);
        assert_given_up(words[i]);
        assert_false(evicts("two"));
        teardown(NULL);
        setup(NULL);
    }
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

// ---- evictions and their answers

static void a_pod_is_evicted_by_its_uid(void **state)
{
    (void)state;
    one_is_leaving();
    const struct command *command = stage_find(stage, COMMAND_KUBE_EVICT);
    assert_string_equal(command->pod.space, "shop");
    assert_string_equal(command->pod.uid, "uid-pod-one");
    assert_int_equal(command->pod.grace_seconds, -1); // its own
}

static void an_eviction_that_a_budget_puts_off_is_asked_for_again(void **state)
{
    (void)state;
    static const int64_t asked_ms[] = {0, 61 * SECOND_MS}; // what the answer asks for
    for (int i = 0; i < 2; i++) {
        one_is_leaving();
        life_stage_pod_gone(life, "shop", "two", "uid-pod-two");
        struct event *event = event_create(EVENT_OUTCOME);
        event->outcome.command_id = stage_find(stage, COMMAND_KUBE_EVICT)->id;
        event->outcome.outcome = OUTCOME_THROTTLED;
        event->outcome.retry_after_ms = asked_ms[i];
        event->outcome.detail = "it would violate the budget";
        event->outcome.uid = event->outcome.resource_version = "";
        stage_forget(stage);
        life_stage_step(life, event);
        life_stage_wait(life, asked_ms[i] == 0 ? 4 * SECOND_MS : 60 * SECOND_MS);
        assert_false(evicts("one"));
        life_stage_wait(life, 6 * SECOND_MS);
        assert_true(evicts("one"));
        teardown(NULL);
        setup(NULL);
    }
}

static void an_eviction_that_is_refused_for_good_ends_the_drain(void **state)
{
    (void)state;
    one_is_leaving();
    life_stage_answer(life, stage_find(stage, COMMAND_KUBE_EVICT), OUTCOME_REFUSED, "forbidden");
    assert_given_up("the API server refuses to evict shop/one: forbidden");
}

static void a_drain_without_progress_is_given_up_with_its_reason(void **state)
{
    (void)state;
    life->becomes[COMMAND_KUBE_EVICT] = OUTCOME_THROTTLED;
    until(COMMAND_KUBE_EVICT);
    life_stage_wait(life, 9 * MINUTE_MS);
    assert_int_equal(life_of_w2()->step, LIFE_EVICT);
    life_stage_wait(life, 2 * MINUTE_MS);
    assert_given_up("no progress for 10m00s: shop/one, budget web");
}

// The API server has taken the eviction, and the pod goes on.
static void one_does_not_end(int32_t disruptions_allowed)
{
    one_is_leaving();
    life_stage_answer(life, stage_find(stage, COMMAND_KUBE_EVICT), OUTCOME_OK, "");
    life_stage_wait(life, 6 * MINUTE_MS);
    life_stage_step(life, stage_budget_event(stage, "web", "web", disruptions_allowed));
    life_stage_wait(life, 4 * MINUTE_MS);
    assert_int_equal(count(COMMAND_KUBE_DELETE_POD), 0);
    life->by_hand[COMMAND_KUBE_DELETE_POD] = true;
    life_stage_wait(life, 30 * SECOND_MS);
}

static void a_pod_that_does_not_end_is_deleted_when_its_budget_allows(void **state)
{
    (void)state;
    one_does_not_end(2);
    assert_int_equal(count(COMMAND_KUBE_DELETE_POD), 1);
    assert_string_equal(stage_find(stage, COMMAND_KUBE_DELETE_POD)->pod.uid, "uid-pod-one");
    assert_int_equal(stage_find(stage, COMMAND_KUBE_DELETE_POD)->pod.grace_seconds, 1);
    assert_int_equal(count(COMMAND_VPSIE_DELETE_MACHINE), 0);
}

static void a_pod_that_does_not_end_stays_when_its_budget_forbids(void **state)
{
    (void)state;
    one_does_not_end(0);
    assert_int_equal(count(COMMAND_KUBE_DELETE_POD), 0);
    assert_given_up("shop/one did not end in time, and budget web does not allow to delete it");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_agent_that_is_busy_keeps_every_pod_where_it_is),
        TEST(an_agent_that_cannot_tell_or_blocks_ends_the_drain_at_once),
        TEST(the_next_pod_stays_once_the_agent_is_no_longer_ready),
        TEST(the_next_pod_follows_when_the_agent_is_ready_again),
        TEST(the_next_pod_stays_once_the_agent_blocks_or_cannot_tell),
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
        TEST(a_pod_is_evicted_by_its_uid),
        TEST(an_eviction_that_a_budget_puts_off_is_asked_for_again),
        TEST(an_eviction_that_is_refused_for_good_ends_the_drain),
        TEST(a_drain_without_progress_is_given_up_with_its_reason),
        TEST(a_pod_that_does_not_end_is_deleted_when_its_budget_allows),
        TEST(a_pod_that_does_not_end_stays_when_its_budget_forbids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

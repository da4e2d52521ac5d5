#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/life_stage.h"

#define SECOND_MS 1000
#define MINUTE_MS (60 * SECOND_MS)

static struct life_stage *life;
static struct stage *stage;

static int setup(void **state)
{
    (void)state;
    life = life_stage_create();
    stage = life->stage;
    life->by_hand[COMMAND_VPSIE_ADD_MACHINE] = true;
    stage_group(stage, "general", 0, 10);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    life_stage_destroy(life);
    return 0;
}

static void anew(void)
{
    teardown(NULL);
    setup(NULL);
}

// One pod waits for a machine.
static void a_pod_waits(void)
{
    life_stage_step(life, stage_pod_event(stage, "web", "", 2000, 64));
}

// VPSie has been called for the first time; the answer is the test's to give.
static const struct command *first_call(void)
{
    a_pod_waits();
    assert_true(life_stage_wait_for(life, COMMAND_VPSIE_ADD_MACHINE, MINUTE_MS));
    assert_int_equal(stage_count(stage, COMMAND_VPSIE_ADD_MACHINE), 1);
    return stage_find(stage, COMMAND_VPSIE_ADD_MACHINE);
}

// Calls for the same VPSieNode.
static uint32_t calls(const struct command *first)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stage->out->count; i++)
        count += stage->out->items[i]->kind == COMMAND_VPSIE_ADD_MACHINE &&
                 strcmp(stage->out->items[i]->key, first->key) == 0;
    return count;
}

// What was last written about the VPSieNode that a call is about.
static const struct command *failed_status(const struct command *call)
{
    const struct command *last = NULL;
    for (uint32_t i = 0; i < stage->out->count; i++) {
        const struct command *command = stage->out->items[i];
        const char *name = strrchr(call->key, '/') + 1;
        if (command->kind == COMMAND_KUBE_INTENTION_STATUS &&
            command->intention_status.status.phase == INTENTION_FAILED &&
            strcmp(command->intention_status.name, name) == 0)
            last = command;
    }
    return last;
}

// ---- before the call

static const struct command *baseline_written(void)
{
    for (uint32_t i = stage->out->count; i > 0; i--) {
        const struct command *command = stage->out->items[i - 1];
        if (command->kind == COMMAND_KUBE_UPDATE_INTENTION &&
            labels_get(&command->update_intention.annotations, KEY_PREFIX "baseline") != NULL)
            return command;
    }
    return NULL;
}

static void nothing_is_ordered_before_the_order_is_stored(void **state)
{
    (void)state;
    life->by_hand[COMMAND_KUBE_UPDATE_INTENTION] = true;
    a_pod_waits();
    assert_true(life_stage_wait_for(life, COMMAND_KUBE_UPDATE_INTENTION, MINUTE_MS));
    life_stage_wait(life, 5 * MINUTE_MS);
    assert_int_equal(stage_count(stage, COMMAND_VPSIE_ADD_MACHINE), 0);
    const struct command *command = baseline_written();
    assert_non_null(command);
    assert_string_equal(command->update_intention.resource_version, "1");
    assert_string_equal(labels_get(&command->update_intention.annotations, KEY_PREFIX "order"), "requested");
    life_stage_answer(life, command, OUTCOME_OK, "");
    assert_int_equal(stage_count(stage, COMMAND_VPSIE_ADD_MACHINE), 1);
}

static void nothing_is_ordered_when_the_order_could_not_be_stored(void **state)
{
    (void)state;
    static const enum outcome failures[] = {OUTCOME_CONFLICT, OUTCOME_UNKNOWN, OUTCOME_NOT_SENT,
                                            OUTCOME_REFUSED};
    for (size_t i = 0; i < 4; i++) {
        life->becomes[COMMAND_KUBE_UPDATE_INTENTION] = failures[i];
        a_pod_waits();
        life_stage_wait(life, 5 * MINUTE_MS);
        assert_true(stage_count(stage, COMMAND_KUBE_UPDATE_INTENTION) > 1);
        assert_int_equal(stage_count(stage, COMMAND_VPSIE_ADD_MACHINE), 0);
        anew();
    }
}

// ---- the call

static void an_order_without_an_answer_is_never_repeated(void **state)
{
    (void)state;
    const struct command *call = first_call();
    life_stage_answer(life, call, OUTCOME_UNKNOWN, "timeout");
    assert_null(failed_status(call));
    life_stage_wait(life, 14 * MINUTE_MS);
    assert_int_equal(stage_count(stage, COMMAND_VPSIE_ADD_MACHINE), 1); // nor is another made in its stead
    assert_null(failed_status(call));
    assert_true(stage_count(stage, COMMAND_VPSIE_LIST_MACHINES) > 20);
    life_stage_wait(life, 3 * MINUTE_MS);
    assert_non_null(failed_status(call));
    life_stage_wait(life, 60 * MINUTE_MS);
    assert_int_equal(calls(call), 1);
}

static void an_order_whose_answer_never_comes_is_never_repeated(void **state)
{
    (void)state;
    const struct command *call = first_call();
    life_stage_wait(life, 14 * MINUTE_MS);
    assert_int_equal(stage_count(stage, COMMAND_VPSIE_ADD_MACHINE), 1);
    life_stage_wait(life, 60 * MINUTE_MS);
    assert_int_equal(calls(call), 1);
}

static void an_order_that_was_accepted_is_never_repeated(void **state)
{
    (void)state;
    const struct command *call = first_call();
    life_stage_answer(life, call, OUTCOME_OK, "");
    life_stage_wait(life, 14 * MINUTE_MS);
    assert_int_equal(stage_count(stage, COMMAND_VPSIE_ADD_MACHINE), 1);
    life_stage_wait(life, 60 * MINUTE_MS);
    assert_int_equal(calls(call), 1);
}

static void an_order_that_never_left_is_made_again_for_the_same_vpsienode(void **state)
{
    (void)state;
    static const enum outcome outcomes[] = {OUTCOME_NOT_SENT, OUTCOME_THROTTLED};
    for (int i = 0; i < 2; i++) {
        const struct command *call = first_call();
        uint64_t first_id = call->id;
        life_stage_answer(life, call, outcomes[i], "");
        life_stage_wait(life, 4 * SECOND_MS);
        assert_int_equal(calls(call), 1);
        life_stage_wait(life, 20 * SECOND_MS);
        assert_int_equal(calls(call), 2);
        assert_int_equal(stage_count(stage, COMMAND_KUBE_CREATE_INTENTION), 1);
        assert_true(stage_find(stage, COMMAND_VPSIE_ADD_MACHINE)->id > first_id);
        // What became of the second is what counts.
        life_stage_answer(life, stage_find(stage, COMMAND_VPSIE_ADD_MACHINE), OUTCOME_UNKNOWN, "timeout");
        life_stage_wait(life, 14 * MINUTE_MS);
        assert_int_equal(stage_count(stage, COMMAND_VPSIE_ADD_MACHINE), 2);
        anew();
    }
}

static void a_repetition_waits_as_long_as_vpsie_asks(void **state)
{
    (void)state;
    const struct command *call = first_call();
    struct event *event = event_create(EVENT_OUTCOME);
    event->outcome.command_id = call->id;
    event->outcome.outcome = OUTCOME_THROTTLED;
    event->outcome.retry_after_ms = 50 * SECOND_MS;
    event->outcome.detail = event->outcome.uid = event->outcome.resource_version = "";
    life_stage_step(life, event);
    life_stage_wait(life, 49 * SECOND_MS);
    assert_int_equal(calls(call), 1);
    life_stage_wait(life, 20 * SECOND_MS);
    assert_int_equal(calls(call), 2);
}

static void an_order_that_was_refused_fails_and_says_why(void **state)
{
    (void)state;
    static const enum outcome outcomes[] = {OUTCOME_REFUSED, OUTCOME_LIMITED, OUTCOME_NOT_FOUND,
                                            OUTCOME_CONFLICT};
    for (int i = 0; i < 4; i++) {
        const struct command *call = first_call();
        life_stage_answer(life, call, outcomes[i], "no such plan");
        life_stage_wait(life, SECOND_MS);
        const struct command *status = failed_status(call);
        assert_non_null(status);
        assert_string_equal(status->intention_status.status.last_error,
                            "VPSie refused the order: no such plan");
        assert_int_equal(stage_count(stage, COMMAND_VPSIE_ADD_MACHINE), 1); // not at once another
        life_stage_wait(life, 60 * MINUTE_MS);
        assert_int_equal(calls(call), 1);
        anew();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_ordered_before_the_order_is_stored),
        TEST(nothing_is_ordered_when_the_order_could_not_be_stored),
        TEST(an_order_without_an_answer_is_never_repeated),
        TEST(an_order_whose_answer_never_comes_is_never_repeated),
        TEST(an_order_that_was_accepted_is_never_repeated),
        TEST(an_order_that_never_left_is_made_again_for_the_same_vpsienode),
        TEST(a_repetition_waits_as_long_as_vpsie_asks),
        TEST(an_order_that_was_refused_fails_and_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

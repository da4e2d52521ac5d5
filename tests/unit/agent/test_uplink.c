#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include "agent/uplink.h"
#include "common/clock.h"
#include "tests/unit/agent/fake_coordinator.h"
#include "tests/unit/agent/tree.h"

#define PATIENCE_MS 20000

struct stage {
    struct tree tree;
    struct fake_coordinator coordinator;
    struct uplink *uplink;
};

static struct stage *make_stage(int answer_timeout_ms)
{
    struct stage *stage = calloc(1, sizeof *stage);
    struct error error = {0};
    tree_create(&stage->tree);
    snprintf(stage->coordinator.url, sizeof stage->coordinator.url, "ipc://%s/c", stage->tree.root);
    struct uplink_settings settings = {.answer_timeout_ms = answer_timeout_ms,
                                       .reconnect_min_ms = 50,
                                       .reconnect_max_ms = 100,
                                       .message_bytes_max = WIRE_TRANSPORT_BYTES_MAX};
    stage->uplink = uplink_create(&settings, &error);
    assert_non_null(stage->uplink);
    return stage;
}

static void free_stage(struct stage *stage)
{
    uplink_destroy(stage->uplink);
    tree_destroy(&stage->tree);
    free(stage);
}

static void until_connected(struct stage *stage, bool connected)
{
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (uplink_connected(stage->uplink) != connected) {
        assert_true(clock_monotonic_ms() < end_ms);
        clock_sleep_ms(5);
    }
}

static struct uplink_event next(struct stage *stage)
{
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    for (;;) {
        struct pollfd descriptor = {.fd = uplink_descriptor(stage->uplink), .events = POLLIN};
        struct uplink_event event = uplink_take(stage->uplink);
        if (event.kind != UPLINK_NOTHING)
            return event;
        assert_true(clock_monotonic_ms() < end_ms);
        poll(&descriptor, 1, 100);
    }
}

static bool has_something(const struct stage *stage)
{
    struct pollfd descriptor = {.fd = uplink_descriptor(stage->uplink), .events = POLLIN};
    return poll(&descriptor, 1, 0) > 0;
}

static void a_connection_that_came_and_went_unseen_leaves_nothing_to_do(void **state)
{
    (void)state;
    struct stage *stage = make_stage(PATIENCE_MS);
    fake_start(&stage->coordinator);
    assert_int_equal(uplink_dial(stage->uplink, stage->coordinator.url, NULL), 0);
    until_connected(stage, true);
    fake_stop(&stage->coordinator);
    until_connected(stage, false);
    assert_int_equal(next(stage).kind, UPLINK_DISCONNECTED);
    assert_int_equal(uplink_take(stage->uplink).kind, UPLINK_NOTHING);
    assert_false(has_something(stage)); // else whoever polls it would spin
    free_stage(stage);
}

static void a_request_ends_in_one_answer(void **state)
{
    (void)state;
    struct stage *stage = make_stage(PATIENCE_MS);
    fake_start(&stage->coordinator);
    fake_set(&stage->coordinator, FAKE_GARBAGE); // whatever it says, it is bytes here
    assert_int_equal(uplink_dial(stage->uplink, stage->coordinator.url, NULL), 0);
    assert_int_equal(next(stage).kind, UPLINK_CONNECTED);
    for (int i = 0; i < 3; i++) {
        assert_false(uplink_busy(stage->uplink));
        assert_int_equal(uplink_send(stage->uplink, (const uint8_t *)"hello", 5, NULL), 0);
        assert_true(uplink_busy(stage->uplink));
        struct uplink_event event = next(stage);
        assert_int_equal(event.kind, UPLINK_ANSWER);
        assert_int_equal(event.length, 5);
        free(event.bytes);
        assert_false(uplink_busy(stage->uplink));
    }
    fake_stop(&stage->coordinator);
    free_stage(stage);
}

static void a_request_without_an_answer_ends_in_its_time(void **state)
{
    (void)state;
    struct stage *stage = make_stage(200);
    fake_start(&stage->coordinator);
    fake_set(&stage->coordinator, FAKE_SILENCE);
    assert_int_equal(uplink_dial(stage->uplink, stage->coordinator.url, NULL), 0);
    assert_int_equal(next(stage).kind, UPLINK_CONNECTED);
    assert_int_equal(uplink_send(stage->uplink, (const uint8_t *)"hello", 5, NULL), 0);
    struct uplink_event event = next(stage);
    assert_int_equal(event.kind, UPLINK_FAILED);
    assert_int_equal(event.code, NNG_ETIMEDOUT);
    fake_stop(&stage->coordinator);
    free_stage(stage);
}

static void a_request_ends_with_its_connection_and_is_not_repeated_on_the_next(void **state)
{
    (void)state;
    struct stage *stage = make_stage(PATIENCE_MS);
    fake_start(&stage->coordinator);
    fake_set(&stage->coordinator, FAKE_SILENCE);
    assert_int_equal(uplink_dial(stage->uplink, stage->coordinator.url, NULL), 0);
    assert_int_equal(next(stage).kind, UPLINK_CONNECTED);
    assert_int_equal(uplink_send(stage->uplink, (const uint8_t *)"hello", 5, NULL), 0);
    fake_stop(&stage->coordinator);
    enum uplink_event_kind one = next(stage).kind, other = next(stage).kind; // in either order
    assert_true((one == UPLINK_DISCONNECTED && other == UPLINK_FAILED) ||
                (one == UPLINK_FAILED && other == UPLINK_DISCONNECTED));
    assert_false(uplink_busy(stage->uplink));
    size_t before = stage->coordinator.malformed; // "hello" is no report
    fake_start(&stage->coordinator);
    assert_int_equal(next(stage).kind, UPLINK_CONNECTED);
    clock_sleep_ms(200);
    assert_int_equal(stage->coordinator.malformed, before);
    fake_stop(&stage->coordinator);
    free_stage(stage);
}

static void an_answer_over_the_limit_never_arrives(void **state)
{
    (void)state;
    struct stage *stage = make_stage(PATIENCE_MS);
    nng_socket other;
    nng_listener listener;
    nng_msg *message;
    // A peer that answers with more than the transport lets in: the library ends the connection.
    assert_int_equal(nng_rep0_open(&other), 0);
    assert_int_equal(link_limits(other, 0, 1000, PATIENCE_MS, NULL), 0);
    assert_int_equal(link_listen(other, stage->coordinator.url, NULL, 0600, &listener, NULL, NULL), 0);
    assert_int_equal(uplink_dial(stage->uplink, stage->coordinator.url, NULL), 0);
    assert_int_equal(next(stage).kind, UPLINK_CONNECTED);
    assert_int_equal(uplink_send(stage->uplink, (const uint8_t *)"hello", 5, NULL), 0);
    assert_int_equal(nng_recvmsg(other, &message, 0), 0);
    nng_msg_free(message);
    assert_int_equal(nng_msg_alloc(&message, WIRE_TRANSPORT_BYTES_MAX + 1), 0);
    assert_int_equal(nng_sendmsg(other, message, 0), 0);
    enum uplink_event_kind kind = next(stage).kind;
    assert_true(kind == UPLINK_DISCONNECTED || kind == UPLINK_FAILED);
    nng_close(other);
    free_stage(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_came_and_went_unseen_leaves_nothing_to_do),
        cmocka_unit_test(a_request_ends_in_one_answer),
        cmocka_unit_test(a_request_without_an_answer_ends_in_its_time),
        cmocka_unit_test(a_request_ends_with_its_connection_and_is_not_repeated_on_the_next),
        cmocka_unit_test(an_answer_over_the_limit_never_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

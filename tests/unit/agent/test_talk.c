// The conversation with a coordinator that is slow, dead, someone else or mad. Time is the test's own where
// it can be: talk_turn() is told what time it is; only the network runs in real time.
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include "agent/talk.h"
#include "common/clock.h"
#include "tests/support/certificates.h"
#include "tests/unit/agent/fake_coordinator.h"
#include "tests/unit/agent/tree.h"

#define PATIENCE_MS 20000 // for what must happen
#define A_WHILE_MS  300   // for what must not

struct stage {
    struct tree tree;
    struct agent_settings settings;
    struct meters meters;
    struct fake_coordinator home, other;
    char home_address[256], other_address[256], token_file[128];
    struct host_view view;
    struct pod pod;
    struct verdict verdict;
    struct report_content content;
    struct talk *talk;
    int64_t now_ms;
    bool sample_now;
};

static struct stage *make_stage(void)
{
    struct stage *stage = calloc(1, sizeof *stage);
    tree_create(&stage->tree);
    snprintf(stage->home_address, sizeof stage->home_address, "ipc://%s/home", stage->tree.root);
    snprintf(stage->other_address, sizeof stage->other_address, "ipc://%s/other", stage->tree.root);
    snprintf(stage->token_file, sizeof stage->token_file, "%s/token", stage->tree.root);
    strcpy(stage->home.url, stage->home_address);
    strcpy(stage->other.url, stage->other_address);
    tree_write(&stage->tree, "good-token\n", "token");
    stage->settings = (struct agent_settings){.coordinator = stage->home_address,
                                              .node_name = "node",
                                              .interval_ms = 1000,
                                              .answer_timeout_ms = 300,
                                              .reconnect_max_ms = 600,
                                              .ca_file = "",
                                              .tls_server_name = "",
                                              .token_file = stage->token_file};
    meters_open(&stage->meters);
    strcpy(stage->pod.uid, UID_A);
    stage->view =
        (struct host_view){.sample_begin_ms = 1, .sample_end_ms = 2, .pod = &stage->pod, .pod_count = 1};
    stage->content = (struct report_content){.view = &stage->view, .node = &stage->verdict};
    struct report_identity identity = {.node_name = "node", .start_id = "start"};
    struct error error;
    stage->talk = talk_create(&stage->settings, &identity, &stage->meters, &error);
    assert_non_null(stage->talk);
    stage->now_ms = 1000000;
    return stage;
}

static void free_stage(struct stage *stage)
{
    talk_destroy(stage->talk);
    tree_destroy(&stage->tree);
    free(stage);
}

static void turn(struct stage *stage)
{
    struct pollfd descriptor = {.fd = talk_descriptor(stage->talk), .events = POLLIN};
    stage->sample_now |= talk_turn(stage->talk, stage->now_ms);
    poll(&descriptor, 1, 10);
}

static void offer(struct stage *stage)
{
    talk_offer(stage->talk, &stage->content);
}

// Turn until the coordinator heard `count` reports; the test's clock stands still.
static void until_reports(struct stage *stage, struct fake_coordinator *fake, size_t count)
{
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (fake_count(fake) < count) {
        assert_true(clock_monotonic_ms() < end_ms);
        turn(stage);
    }
    for (int i = 0; i < 5; i++) // and its answer came
        turn(stage);
}

static void until_accepted(struct stage *stage)
{
    int64_t before_ms = talk_accepted_ms(stage->talk), end_ms = clock_monotonic_ms() + PATIENCE_MS;
    stage->now_ms++;
    offer(stage);
    while (talk_accepted_ms(stage->talk) == before_ms) {
        assert_true(clock_monotonic_ms() < end_ms);
        stage->now_ms += 10; // whatever waits, waits no longer than the network does
        turn(stage);
    }
}

static void for_a_while(struct stage *stage)
{
    int64_t end_ms = clock_monotonic_ms() + A_WHILE_MS;
    while (clock_monotonic_ms() < end_ms)
        turn(stage);
}

static void the_first_message_of_a_connection_is_complete_and_carries_the_token(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    fake_set(&stage->home, FAKE_TOKEN);
    offer(stage);
    until_reports(stage, &stage->home, 1);
    assert_true(fake_last(&stage->home).complete);
    assert_true(fake_last(&stage->home).has_credential);
    assert_int_equal(fake_last(&stage->home).sequence, 1);
    assert_int_equal(talk_accepted_ms(stage->talk), stage->now_ms);
    offer(stage);
    until_reports(stage, &stage->home, 2);
    assert_false(fake_last(&stage->home).complete);
    assert_false(fake_last(&stage->home).has_credential);
    assert_int_equal(fake_last(&stage->home).sequence, 2);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void nothing_is_sent_twice_and_nothing_without_a_sample(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    for_a_while(stage);
    assert_int_equal(fake_count(&stage->home), 0);
    offer(stage);
    until_reports(stage, &stage->home, 1);
    for_a_while(stage);
    assert_int_equal(fake_count(&stage->home), 1);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void a_coordinator_that_comes_later_is_found(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    for (int i = 0; i < 5; i++) {
        offer(stage); // nobody is there: samples come and go
        turn(stage);
    }
    fake_start(&stage->home);
    until_reports(stage, &stage->home, 1);
    assert_int_equal(fake_last(&stage->home).sequence, 5); // the newest only
    assert_int_equal(fake_count(&stage->home), 1);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void a_restarted_coordinator_is_told_everything_again_with_the_token(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    fake_set(&stage->home, FAKE_TOKEN);
    until_accepted(stage);
    until_accepted(stage);
    for (int round = 0; round < 3; round++) {
        fake_stop(&stage->home);
        for_a_while(stage);
        size_t before = fake_count(&stage->home);
        fake_start(&stage->home);
        until_accepted(stage);
        assert_true(fake_count(&stage->home) > before);
        assert_true(fake_last(&stage->home).complete);
        assert_true(fake_last(&stage->home).has_credential);
    }
    fake_stop(&stage->home);
    free_stage(stage);
}

static void a_coordinator_that_forgot_gets_the_token_at_once_with_the_same_report(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    fake_set(&stage->home, FAKE_TOKEN);
    offer(stage);
    until_reports(stage, &stage->home, 1);
    pthread_mutex_lock(&stage->home.lock);
    stage->home.authenticated_pipe = 0;
    pthread_mutex_unlock(&stage->home.lock);
    offer(stage);
    until_reports(stage, &stage->home, 3); // refused, then again; the clock stood still
    assert_false(fake_at(&stage->home, 1).has_credential);
    assert_true(fake_at(&stage->home, 2).has_credential);
    assert_int_equal(fake_at(&stage->home, 2).sequence, fake_at(&stage->home, 1).sequence);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void a_token_that_is_refused_is_tried_again_later_and_read_anew(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    tree_write(&stage->tree, "bad-token\n", "token");
    fake_start(&stage->home);
    fake_set(&stage->home, FAKE_TOKEN);
    offer(stage);
    until_reports(stage, &stage->home, 1);
    offer(stage);
    for_a_while(stage);
    assert_int_equal(fake_count(&stage->home), 1); // not in a loop
    tree_write(&stage->tree, "good-token\n", "token");
    stage->now_ms += stage->settings.interval_ms;
    until_reports(stage, &stage->home, 2);
    assert_int_equal(talk_accepted_ms(stage->talk), stage->now_ms);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void without_a_readable_token_nothing_is_sent(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    tree_remove(&stage->tree, "token");
    fake_start(&stage->home);
    offer(stage);
    for_a_while(stage);
    assert_int_equal(fake_count(&stage->home), 0);
    tree_write(&stage->tree, "good-token\n", "token");
    stage->now_ms += 10000;
    until_reports(stage, &stage->home, 1);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void a_silent_coordinator_gets_the_newest_report_later_and_later(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    fake_set(&stage->home, FAKE_SILENCE);
    offer(stage);
    until_reports(stage, &stage->home, 1);
    for (int i = 0; i < 10; i++) {
        offer(stage); // sampling goes on
        turn(stage);
    }
    assert_int_equal(fake_count(&stage->home), 1); // one request at a time
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (talk_due_ms(stage->talk) <= stage->now_ms || talk_due_ms(stage->talk) == INT64_MAX) {
        assert_true(clock_monotonic_ms() < end_ms); // its time passes, and a wait follows
        turn(stage);
    }
    for_a_while(stage);
    assert_int_equal(fake_count(&stage->home), 1);
    fake_set(&stage->home, FAKE_ACCEPT);
    stage->now_ms += 1000;
    until_reports(stage, &stage->home, 2);
    assert_int_equal(fake_last(&stage->home).sequence, 11);
    assert_int_equal(talk_accepted_ms(stage->talk), stage->now_ms);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void a_coordinator_that_stays_silent_is_called_anew(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    fake_set(&stage->home, FAKE_SILENCE);
    double connections = metric_value(stage->meters.connections);
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (metric_value(stage->meters.connections) < connections + 2) {
        assert_true(clock_monotonic_ms() < end_ms);
        stage->now_ms += 1000;
        offer(stage);
        turn(stage);
    }
    fake_stop(&stage->home);
    free_stage(stage);
}

static void garbage_is_counted_and_the_next_report_is_complete(void **state)
{
    (void)state;
    static const enum fake_answer nonsense[] = {FAKE_GARBAGE, FAKE_EMPTY, FAKE_TOO_LARGE};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        struct stage *stage = make_stage();
        double broken = metric_value(stage->meters.broken_answers);
        fake_start(&stage->home);
        until_accepted(stage);
        fake_set(&stage->home, nonsense[i]);
        offer(stage);
        until_reports(stage, &stage->home, 2);
        assert_true(metric_value(stage->meters.broken_answers) == broken + 1);
        offer(stage);
        for_a_while(stage);
        assert_int_equal(fake_count(&stage->home), 2); // not in a loop
        fake_set(&stage->home, FAKE_ACCEPT);
        until_accepted(stage);
        assert_true(fake_last(&stage->home).complete);
        fake_stop(&stage->home);
        free_stage(stage);
    }
}

static void refuse_with(struct stage *stage, Vpsie__Autoscaler__V1__AckStatus status)
{
    fake_set(&stage->home, FAKE_STATUS);
    pthread_mutex_lock(&stage->home.lock);
    stage->home.status = status;
    pthread_mutex_unlock(&stage->home.lock);
}

static void a_refused_version_an_invalid_report_and_too_many_are_waited_out(void **state)
{
    (void)state;
    static const struct {
        Vpsie__Autoscaler__V1__AckStatus status;
        int64_t wait_ms;
    } cases[] = {{VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_UNSUPPORTED_VERSION, TALK_VERSION_WAIT_MS},
                 {VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_INVALID, 1000},
                 {VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_TOO_FAST, 1000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stage *stage = make_stage();
        fake_start(&stage->home);
        refuse_with(stage, cases[i].status);
        offer(stage);
        until_reports(stage, &stage->home, 1);
        offer(stage);
        for_a_while(stage);
        assert_int_equal(fake_count(&stage->home), 1);
        stage->now_ms += cases[i].wait_ms;
        until_reports(stage, &stage->home, 2);
        assert_int_equal(talk_accepted_ms(stage->talk), 0);
        fake_stop(&stage->home);
        free_stage(stage);
    }
}

static void a_token_that_was_not_yet_looked_at_goes_again(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    refuse_with(stage, VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_TOO_FAST);
    stage->home.next_interval_ms = 5000;
    offer(stage);
    until_reports(stage, &stage->home, 1);
    offer(stage);
    stage->now_ms += 4999;
    for_a_while(stage);
    assert_int_equal(fake_count(&stage->home), 1);
    stage->now_ms += 1;
    until_reports(stage, &stage->home, 2);
    assert_true(fake_last(&stage->home).has_credential);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void want_complete_is_obeyed(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    until_accepted(stage);
    pthread_mutex_lock(&stage->home.lock);
    stage->home.want_complete = true;
    pthread_mutex_unlock(&stage->home.lock);
    until_accepted(stage);
    assert_false(fake_last(&stage->home).complete);
    until_accepted(stage);
    assert_true(fake_last(&stage->home).complete);
    until_accepted(stage);
    assert_false(fake_last(&stage->home).complete);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void the_leader_is_called_where_the_other_says(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    fake_start(&stage->other);
    refuse_with(stage, VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_NOT_LEADER);
    strcpy(stage->home.leader, stage->other_address);
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (fake_count(&stage->other) == 0) {
        assert_true(clock_monotonic_ms() < end_ms);
        stage->now_ms += 200;
        offer(stage);
        turn(stage);
    }
    assert_true(fake_last(&stage->other).complete);
    assert_true(fake_last(&stage->other).has_credential);
    size_t at_home = fake_count(&stage->home);
    until_accepted(stage);
    assert_int_equal(fake_count(&stage->home), at_home);
    fake_stop(&stage->home);
    fake_stop(&stage->other);
    free_stage(stage);
}

static void a_leader_that_does_not_take_the_call_is_given_up(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    refuse_with(stage, VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_NOT_LEADER);
    strcpy(stage->home.leader, stage->other_address); // nobody listens there
    double connections = metric_value(stage->meters.connections);
    offer(stage);
    until_reports(stage, &stage->home, 1);
    stage->now_ms += TALK_SWITCH_MS_MIN;
    until_reports(stage, &stage->home, 2);
    for_a_while(stage);
    assert_int_equal(fake_count(&stage->home), 2); // it left
    fake_set(&stage->home, FAKE_ACCEPT);
    stage->now_ms += TALK_LEADER_PATIENCE_MS;
    until_accepted(stage);
    assert_true(metric_value(stage->meters.connections) >= connections + 2);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void two_that_send_us_to_each_other_are_not_called_in_a_loop(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    fake_start(&stage->other);
    refuse_with(stage, VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_NOT_LEADER);
    strcpy(stage->home.leader, stage->other_address);
    stage->other.answer = FAKE_STATUS;
    stage->other.status = VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_NOT_LEADER;
    strcpy(stage->other.leader, stage->home_address);
    double connections = metric_value(stage->meters.connections);
    offer(stage);
    for_a_while(stage);
    for_a_while(stage);
    assert_true(metric_value(stage->meters.connections) <= connections + 1); // the clock stood still
    fake_stop(&stage->home);
    fake_stop(&stage->other);
    free_stage(stage);
}

static void without_a_leaders_address_it_calls_anew_now_and_then(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    refuse_with(stage, VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_NOT_LEADER);
    double connections = metric_value(stage->meters.connections);
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (metric_value(stage->meters.connections) < connections + 2) {
        assert_true(clock_monotonic_ms() < end_ms);
        stage->now_ms += 200;
        offer(stage);
        turn(stage);
    }
    assert_true(fake_count(&stage->home) >= TALK_LEADERLESS_MAX);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void a_drain_is_asked_for_answered_by_its_id_and_cancelled(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    until_accepted(stage);
    pthread_mutex_lock(&stage->home.lock);
    strcpy(stage->home.drain_id, "term3-7");
    strcpy(stage->home.drain_uid, UID_A);
    stage->home.drain_deadline_ms = 1;
    pthread_mutex_unlock(&stage->home.lock);
    until_accepted(stage);
    assert_true(stage->sample_now);
    struct orders *orders = talk_orders(stage->talk);
    assert_string_equal(orders_drain_id(orders), "term3-7");
    assert_false(orders->answered);
    struct verdict *answer = calloc(1, sizeof *answer);
    answer->state = READINESS_BUSY;
    answer->pods_remaining = 1;
    answer->reason_count = 1;
    answer->reasons[0].code = WIRE_REASON_PRESSURE;
    stage->content.directive_id = "term3-7";
    stage->content.directive = answer;
    stage->sample_now = false;
    until_accepted(stage);
    assert_false(stage->sample_now); // the same directive came again
    assert_true(orders->answered);
    assert_string_equal(fake_last(&stage->home).directive_id, "term3-7");
    assert_int_equal(fake_last(&stage->home).directive_state,
                     VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BUSY);
    assert_int_equal(fake_last(&stage->home).pods_remaining, 1);
    pthread_mutex_lock(&stage->home.lock);
    stage->home.drain_id[0] = '\0';
    strcpy(stage->home.cancel_id, "term3-7");
    pthread_mutex_unlock(&stage->home.lock);
    until_accepted(stage);
    assert_null(orders_drain_id(orders));
    free(answer);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void another_pace_is_taken_over(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->home);
    stage->home.next_interval_ms = 30000;
    until_accepted(stage);
    assert_int_equal(orders_interval_ms(talk_orders(stage->talk)), 30000);
    fake_stop(&stage->home);
    free_stage(stage);
}

static void a_wrong_address_is_an_error_at_the_start(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    struct error error;
    struct report_identity identity = {.node_name = "node", .start_id = "start"};
    stage->settings.coordinator = "tcp://plain:1";
    assert_null(talk_create(&stage->settings, &identity, &stage->meters, &error));
    assert_non_null(strstr(error.text, "--coordinator"));
    free_stage(stage);
}

static void tls_is_spoken_with_whom_the_authority_names_and_nobody_else(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    struct certificates ours = certificates_make(), others = certificates_make();
    char ca[128], cert[128], key[128], port_text[64];
    snprintf(ca, sizeof ca, "%s/ca", stage->tree.root);
    snprintf(cert, sizeof cert, "%s/cert", stage->tree.root);
    snprintf(key, sizeof key, "%s/key", stage->tree.root);
    certificates_write(ca, others.ca_cert);
    certificates_write(cert, ours.server_cert);
    certificates_write(key, ours.server_key);
    // A port that was free a moment ago.
    nng_socket probe;
    nng_listener listener;
    int port = 0;
    strcpy(stage->home.url, "tcp://127.0.0.1:0");
    assert_int_equal(nng_rep0_open(&probe), 0);
    assert_int_equal(link_listen(probe, stage->home.url, NULL, 0, &listener, &port, NULL), 0);
    nng_close(probe);
    snprintf(stage->home.url, sizeof stage->home.url, "tls+tcp://127.0.0.1:%d", port);
    stage->home.tls = (struct link_tls){.cert_file = cert, .key_file = key};
    fake_start(&stage->home);
    talk_destroy(stage->talk);
    struct report_identity identity = {.node_name = "node", .start_id = "start"};
    snprintf(port_text, sizeof port_text, "127.0.0.1:%d", port);
    stage->settings.coordinator = port_text;
    stage->settings.ca_file = ca;
    stage->settings.tls_server_name = "localhost";
    stage->talk = talk_create(&stage->settings, &identity, &stage->meters, NULL);
    assert_non_null(stage->talk);
    offer(stage);
    for_a_while(stage);
    assert_int_equal(fake_count(&stage->home), 0);
    certificates_write(ca, ours.ca_cert); // the right one arrives; it is read anew at the next call
    stage->now_ms += TALK_REDIAL_MS;
    until_reports(stage, &stage->home, 1);
    certificates_free(&ours);
    certificates_free(&others);
    fake_stop(&stage->home);
    free_stage(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_message_of_a_connection_is_complete_and_carries_the_token),
        cmocka_unit_test(nothing_is_sent_twice_and_nothing_without_a_sample),
        cmocka_unit_test(a_coordinator_that_comes_later_is_found),
        cmocka_unit_test(a_restarted_coordinator_is_told_everything_again_with_the_token),
        cmocka_unit_test(a_coordinator_that_forgot_gets_the_token_at_once_with_the_same_report),
        cmocka_unit_test(a_token_that_is_refused_is_tried_again_later_and_read_anew),
        cmocka_unit_test(without_a_readable_token_nothing_is_sent),
        cmocka_unit_test(a_silent_coordinator_gets_the_newest_report_later_and_later),
        cmocka_unit_test(a_coordinator_that_stays_silent_is_called_anew),
        cmocka_unit_test(garbage_is_counted_and_the_next_report_is_complete),
        cmocka_unit_test(a_refused_version_an_invalid_report_and_too_many_are_waited_out),
        cmocka_unit_test(a_token_that_was_not_yet_looked_at_goes_again),
        cmocka_unit_test(want_complete_is_obeyed),
        cmocka_unit_test(the_leader_is_called_where_the_other_says),
        cmocka_unit_test(a_leader_that_does_not_take_the_call_is_given_up),
        cmocka_unit_test(two_that_send_us_to_each_other_are_not_called_in_a_loop),
        cmocka_unit_test(without_a_leaders_address_it_calls_anew_now_and_then),
        cmocka_unit_test(a_drain_is_asked_for_answered_by_its_id_and_cancelled),
        cmocka_unit_test(another_pace_is_taken_over),
        cmocka_unit_test(a_wrong_address_is_an_error_at_the_start),
        cmocka_unit_test(tls_is_spoken_with_whom_the_authority_names_and_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

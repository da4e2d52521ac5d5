#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "tests/unit/fleet/agents.h"

static void begin(struct yard *yard)
{
    yard_open(yard);
    yard_start(yard);
}

static void expect(struct agent *agent, const WireReport *report, int status)
{
    WireAck *ack = agent_send(agent, report);
    assert_int_equal(ack->status, status);
    wire_ack_free(ack);
}

static double counted(const char *result)
{
    char labels[64];
    snprintf(labels, sizeof labels, "result=\"%s\"", result);
    return metric_value(metrics_counter("vpsie_autoscaler_agent_reports_total", labels,
                                        "Reports of agents by what became of them."));
}

static void a_report_without_a_credential_is_asked_for_one(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    WireReport report = agent_report(&agent);
    expect(&agent, &report, ACK(UNAUTHENTICATED));
    assert_int_equal(yard_events(&yard), 0);
    assert_int_equal(atomic_load(&yard.reviews), 0);
    report.credential = (char *)"node:w-1"; // resent with it
    expect(&agent, &report, ACK(ACCEPTED));
    struct event *event = yard_event(&yard);
    assert_string_equal(event->report->node_name, "w-1");
    assert_int_equal(event->report->sequence, 1);
    event_destroy(event);
    agent_close(&agent);
    yard_close(&yard);
}

static void a_token_is_reviewed_once_a_connection(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    agent_introduce(&agent);
    for (int i = 0; i < 3; i++) {
        usleep(300000);
        WireReport report = agent_report(&agent);
        report.credential = i == 2 ? (char *)"node:w-1" : (char *)""; // sent again: not reviewed again
        expect(&agent, &report, ACK(ACCEPTED));
    }
    assert_int_equal(atomic_load(&yard.reviews), 1);
    assert_int_equal(yard_events(&yard), 4);
    agent_close(&agent);
    agent_open(&agent, &yard, "w-1", NULL); // a new connection proves itself anew
    WireReport report = agent_report(&agent);
    expect(&agent, &report, ACK(UNAUTHENTICATED));
    agent_close(&agent);
    yard_close(&yard);
}

static void an_agent_cannot_speak_about_another_node(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    double before = counted("other-node");
    agent_open(&agent, &yard, "w-2", NULL);
    WireReport report = agent_report(&agent);
    report.credential = (char *)"node:w-1";
    WireAck *ack = agent_send(&agent, &report);
    assert_int_equal(ack->status, ACK(INVALID));
    assert_non_null(strstr(ack->detail, "another node"));
    wire_ack_free(ack);
    report.sequence++; // nor later, once it is known
    expect(&agent, &report, ACK(INVALID));
    assert_int_equal(yard_events(&yard), 0);
    assert_int_equal((int)(counted("other-node") - before), 2);
    agent_close(&agent);
    yard_close(&yard);
}

static void a_bad_token_is_refused_and_the_next_one_waits(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    WireReport report = agent_report(&agent);
    report.credential = (char *)"stolen";
    expect(&agent, &report, ACK(UNAUTHENTICATED));
    for (int i = 0; i < 20; i++) { // the API server is not made to work for it
        expect(&agent, &report, ACK(UNAUTHENTICATED));
    }
    assert_int_equal(atomic_load(&yard.reviews), 1);
    report.credential = (char *)"node:w-1"; // after a while another token of the connection counts
    WireAck *ack = agent_send(&agent, &report);
    while (ack->status != ACK(ACCEPTED)) {
        assert_int_equal(ack->status, ACK(UNAUTHENTICATED));
        wire_ack_free(ack);
        usleep(20000);
        ack = agent_send(&agent, &report);
    }
    wire_ack_free(ack);
    agent_close(&agent);
    yard_close(&yard);
}

static void when_nobody_can_review_the_agent_is_to_come_again(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    WireReport report = agent_report(&agent);
    report.credential = (char *)"down";
    WireAck *ack = agent_send(&agent, &report);
    assert_int_equal(ack->status, ACK(TOO_FAST));
    assert_true(ack->next_interval_ms > 0);
    wire_ack_free(ack);
    report.credential = (char *)"node:w-1"; // at once, as soon as it can be
    expect(&agent, &report, ACK(ACCEPTED));
    agent_close(&agent);
    yard_close(&yard);
}

static void a_token_past_its_end_is_asked_for_again(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    WireReport report = agent_report(&agent);
    // {"exp":1}: long over by our clock, yet the API server took it: clocks differ, so it counts for a while
    report.credential = (char *)"e30.eyJleHAiOjF9.c2ln";
    expect(&agent, &report, ACK(ACCEPTED));
    usleep(300000);
    report = agent_report(&agent);
    expect(&agent, &report, ACK(ACCEPTED));
    assert_int_equal(atomic_load(&yard.reviews), 1);
    agent_close(&agent);
    yard_close(&yard);
}

struct asker {
    struct agent agent;
    WireReport report;
    pthread_t thread;
};

static void *ask(void *context)
{
    struct asker *asker = context;
    wire_ack_free(agent_send(&asker->agent, &asker->report));
    return NULL;
}

static void a_slow_api_server_does_not_hold_up_agents_that_are_known(void **state)
{
    (void)state;
    struct yard yard;
    struct agent known;
    static struct asker strangers[24]; // more than there are contexts
    begin(&yard);
    agent_open(&known, &yard, "w-known", NULL);
    agent_introduce(&known);
    pthread_mutex_lock(&yard.gate);
    for (int i = 0; i < 24; i++) {
        char node[16];
        snprintf(node, sizeof node, "s-%d", i);
        agent_open(&strangers[i].agent, &yard, node, NULL);
        strangers[i].report = agent_report(&strangers[i].agent);
        strangers[i].report.credential = (char *)"slow:x";
        assert_int_equal(pthread_create(&strangers[i].thread, NULL, ask, &strangers[i]), 0);
    }
    yard_until_connections(&yard, 25);
    while (atomic_load(&yard.reviews) < 5) { // every review thread is stuck
        usleep(1000);
    }
    for (int i = 0; i < 5; i++) {
        usleep(260000);
        WireReport report = agent_report(&known);
        expect(&known, &report, ACK(ACCEPTED));
    }
    pthread_mutex_unlock(&yard.gate);
    for (int i = 0; i < 24; i++) {
        pthread_join(strangers[i].thread, NULL);
        agent_close(&strangers[i].agent);
    }
    agent_close(&known);
    yard_close(&yard);
}

static void a_standby_takes_nothing_and_says_who_leads(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    agent_introduce(&agent);
    yard_events(&yard);
    snprintf(yard.leader_address, sizeof yard.leader_address, "10.0.0.2:7946");
    atomic_store(&yard.leading, false);
    WireReport report = agent_report(&agent);
    WireAck *ack = agent_send(&agent, &report);
    assert_int_equal(ack->status, ACK(NOT_LEADER));
    assert_string_equal(ack->leader_address, "10.0.0.2:7946");
    wire_ack_free(ack);
    assert_int_equal(yard_events(&yard), 0);
    agent_close(&agent);
    yard_close(&yard);
}

static void a_report_sent_twice_is_taken_once_and_answered_twice(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    agent_introduce(&agent);
    usleep(300000);
    WireReport second = agent_report(&agent);
    expect(&agent, &second, ACK(ACCEPTED));
    expect(&agent, &second, ACK(ACCEPTED)); // resent
    WireReport old = second;
    old.sequence = 1;
    expect(&agent, &old, ACK(ACCEPTED)); // older than what was taken
    assert_int_equal(yard_events(&yard), 2);
    agent_close(&agent);
    yard_close(&yard);
}

static void a_restarted_agent_begins_to_count_anew(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    agent.sequence = 500;
    agent_introduce(&agent);
    usleep(300000);
    snprintf(agent.start, sizeof agent.start, "another-start");
    agent.sequence = 0;
    WireReport report = agent_report(&agent);
    expect(&agent, &report, ACK(ACCEPTED));
    assert_int_equal(yard_events(&yard), 2);
    agent_close(&agent);
    yard_close(&yard);
}

static void reports_that_come_too_fast_are_told_the_pace(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    yard_open(&yard);
    yard.options.interval_ms = 20000;
    yard_start(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    agent_introduce(&agent);
    WireReport report = agent_report(&agent);
    WireAck *ack = agent_send(&agent, &report);
    assert_int_equal(ack->status, ACK(TOO_FAST));
    assert_int_equal(ack->next_interval_ms, 20000);
    wire_ack_free(ack);
    assert_int_equal(yard_events(&yard), 1);
    agent_close(&agent);
    yard_close(&yard);
}

static void an_agent_is_asked_for_everything_until_it_has_sent_it(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    yard_open(&yard);
    yard.options.interval_ms = 20000;
    yard_start(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    WireReport report = agent_report(&agent);
    report.credential = (char *)"node:w-1";
    WireAck *ack = agent_send(&agent, &report);
    assert_int_equal(ack->status, ACK(ACCEPTED));
    assert_true(ack->want_complete);
    wire_ack_free(ack);
    report = agent_report(&agent);
    report.pods_complete = true; // what was asked for may come at once
    ack = agent_send(&agent, &report);
    assert_int_equal(ack->status, ACK(ACCEPTED));
    assert_false(ack->want_complete);
    wire_ack_free(ack);
    fleet_forget_directives(yard.fleet); // leadership was lost and won: the core starts from nothing
    yard_submit(&yard, DIRECTIVE_PREPARE_DRAIN, "w-1", "d", 0);
    report = agent_report(&agent);
    ack = agent_send(&agent, &report);
    assert_true(ack->want_complete);
    wire_ack_free(ack);
    agent_close(&agent);
    yard_close(&yard);
}

static void a_core_with_no_room_loses_nothing(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    agent_introduce(&agent);
    usleep(300000);
    atomic_store(&yard.full, true);
    WireReport report = agent_report(&agent);
    expect(&agent, &report, ACK(TOO_FAST));
    atomic_store(&yard.full, false);
    expect(&agent, &report, ACK(ACCEPTED)); // the same report, not held for a resend
    assert_int_equal(yard_events(&yard), 2);
    agent_close(&agent);
    yard_close(&yard);
}

static void a_directive_is_delivered_until_a_report_names_it(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent, other;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    agent_open(&other, &yard, "w-2", NULL);
    agent_introduce(&agent);
    agent_introduce(&other);
    yard_submit(&yard, DIRECTIVE_PREPARE_DRAIN, "w-1", "drain-1", clock_wall_ms() + 60000);
    for (int i = 0; i < 2; i++) {
        WireReport report = agent_report(&agent); // no pause: a drain is open, so it may hurry
        WireAck *ack = agent_send(&agent, &report);
        assert_int_equal(ack->status, ACK(ACCEPTED));
        assert_non_null(ack->directive);
        assert_string_equal(ack->directive->prepare_drain->id, "drain-1");
        assert_int_equal(ack->directive->prepare_drain->n_pod_uids, 1);
        assert_int_equal(ack->next_interval_ms, 1000);
        wire_ack_free(ack);
    }
    WireReport report = agent_report(&agent);
    report.directive_id = (char *)"drain-1";
    WireAck *ack = agent_send(&agent, &report);
    assert_null(ack->directive);
    assert_int_equal(ack->next_interval_ms, 1000); // still preparing
    wire_ack_free(ack);
    usleep(300000);
    report = agent_report(&other);
    ack = agent_send(&other, &report);
    assert_null(ack->directive); // it is another node's
    assert_int_equal(ack->next_interval_ms, 500);
    wire_ack_free(ack);
    agent_close(&agent);
    agent_close(&other);
    yard_close(&yard);
}

static void a_cancelled_directive_is_called_back_until_the_agent_has_let_go(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    agent_introduce(&agent);
    yard_submit(&yard, DIRECTIVE_PREPARE_DRAIN, "w-1", "drain-1", 0);
    yard_submit(&yard, DIRECTIVE_CANCEL_DRAIN, "w-1", "drain-1", 0); // replaces it
    const char *const named[] = {"drain-1", "drain-1", ""};
    for (int i = 0; i < 3; i++) {
        usleep(i == 2 ? 600000 : 510000);
        WireReport report = agent_report(&agent);
        report.directive_id = (char *)named[i];
        WireAck *ack = agent_send(&agent, &report);
        assert_int_equal(ack->status, ACK(ACCEPTED));
        assert_int_equal(ack->directive != NULL, i < 2);
        if (i < 2) {
            assert_string_equal(ack->directive->cancel_drain->id, "drain-1");
        }
        wire_ack_free(ack);
    }
    agent_close(&agent);
    yard_close(&yard);
}

static void a_directive_past_its_deadline_is_not_delivered(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    agent_introduce(&agent);
    yard_submit(&yard, DIRECTIVE_PREPARE_DRAIN, "w-1", "drain-1", clock_wall_ms() - 1000);
    usleep(300000);
    WireReport report = agent_report(&agent);
    WireAck *ack = agent_send(&agent, &report);
    assert_null(ack->directive);
    wire_ack_free(ack);
    agent_close(&agent);
    yard_close(&yard);
}

static void a_new_leaders_fleet_forgets_what_an_old_term_asked(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    agent_introduce(&agent);
    yard_submit(&yard, DIRECTIVE_PREPARE_DRAIN, "w-1", "drain-1", 0);
    fleet_forget_directives(yard.fleet);
    usleep(300000);
    WireReport report = agent_report(&agent);
    WireAck *ack = agent_send(&agent, &report);
    assert_null(ack->directive);
    wire_ack_free(ack);
    agent_close(&agent);
    yard_close(&yard);
}

static void a_directive_that_cannot_be_said_does_not_silence_the_answer(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    agent_introduce(&agent);
    yard_submit(&yard, DIRECTIVE_PREPARE_DRAIN, "w-1", "a name with a line\nbreak", 0);
    usleep(300000);
    WireReport report = agent_report(&agent);
    WireAck *ack = agent_send(&agent, &report);
    assert_int_equal(ack->status, ACK(ACCEPTED));
    assert_null(ack->directive);
    wire_ack_free(ack);
    agent_close(&agent);
    yard_close(&yard);
}

int main(void)
{
    log_init("test", LOG_FORMAT_JSON, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_without_a_credential_is_asked_for_one),
        cmocka_unit_test(a_token_is_reviewed_once_a_connection),
        cmocka_unit_test(an_agent_cannot_speak_about_another_node),
        cmocka_unit_test(a_bad_token_is_refused_and_the_next_one_waits),
        cmocka_unit_test(when_nobody_can_review_the_agent_is_to_come_again),
        cmocka_unit_test(a_token_past_its_end_is_asked_for_again),
        cmocka_unit_test(a_slow_api_server_does_not_hold_up_agents_that_are_known),
        cmocka_unit_test(a_standby_takes_nothing_and_says_who_leads),
        cmocka_unit_test(a_report_sent_twice_is_taken_once_and_answered_twice),
        cmocka_unit_test(a_restarted_agent_begins_to_count_anew),
        cmocka_unit_test(reports_that_come_too_fast_are_told_the_pace),
        cmocka_unit_test(an_agent_is_asked_for_everything_until_it_has_sent_it),
        cmocka_unit_test(a_core_with_no_room_loses_nothing),
        cmocka_unit_test(a_directive_is_delivered_until_a_report_names_it),
        cmocka_unit_test(a_cancelled_directive_is_called_back_until_the_agent_has_let_go),
        cmocka_unit_test(a_directive_past_its_deadline_is_not_delivered),
        cmocka_unit_test(a_new_leaders_fleet_forgets_what_an_old_term_asked),
        cmocka_unit_test(a_directive_that_cannot_be_said_does_not_silence_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

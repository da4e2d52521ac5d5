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

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "tests/support/certificates.h"
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

// ------------------------------------------------------------------------------------------------ who speaks

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

// ---------------------------------------------------------------------------------------- what is taken

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

// --------------------------------------------------------------------------------------------- directives

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

// ---------------------------------------------------------------------------------------- rude and many
// peers

static void nonsense_is_refused_with_a_reason_and_counted(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    double malformed = counted("malformed"), invalid = counted("invalid"), version = counted("version");
    WireAck *ack = agent_send_bytes(&agent, "\xff\xff\xff\xff garbage", 12, 30000);
    assert_int_equal(ack->status, ACK(INVALID));
    assert_true(ack->detail[0] != '\0');
    wire_ack_free(ack);
    ack = agent_send_bytes(&agent, "", 0, 30000); // an empty message is a report of version 0
    assert_int_not_equal(ack->status, ACK(ACCEPTED));
    wire_ack_free(ack);
    WireReport report = agent_report(&agent);
    report.protocol_version = WIRE_PROTOCOL_VERSION + 1;
    uint8_t bytes[512];
    size_t length = vpsie__autoscaler__v1__agent_report__pack(&report, bytes);
    ack = agent_send_bytes(&agent, bytes, length, 30000);
    assert_int_equal(ack->status, ACK(UNSUPPORTED_VERSION));
    assert_int_equal(ack->protocol_version, WIRE_PROTOCOL_VERSION);
    wire_ack_free(ack);
    report = agent_report(&agent);
    report.node_name = (char *)"NOT a node";
    length = vpsie__autoscaler__v1__agent_report__pack(&report, bytes);
    ack = agent_send_bytes(&agent, bytes, length, 30000);
    assert_int_equal(ack->status, ACK(INVALID));
    assert_non_null(strstr(ack->detail, "node_name"));
    wire_ack_free(ack);
    assert_true(counted("malformed") > malformed && counted("invalid") > invalid &&
                counted("version") > version);
    agent_introduce(&agent); // and it may still behave
    agent_close(&agent);
    yard_close(&yard);
}

static void a_message_over_the_limit_ends_its_connection_only(void **state)
{
    (void)state;
    struct yard yard;
    struct agent rude, kind;
    begin(&yard);
    agent_open(&kind, &yard, "w-1", NULL);
    agent_introduce(&kind);
    agent_open(&rude, &yard, "w-2", NULL);
    size_t length = WIRE_MESSAGE_BYTES_MAX + 1000;
    char *bytes = calloc(1, length);
    assert_null(agent_send_bytes(&rude, bytes, length, 300));
    free(bytes);
    usleep(300000);
    WireReport report = agent_report(&kind);
    expect(&kind, &report, ACK(ACCEPTED));
    agent_close(&rude);
    agent_close(&kind);
    yard_close(&yard);
}

static int dial_plain(struct yard *yard)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)fleet_port(yard->fleet)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int plain = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(plain >= 0);
    assert_int_equal(connect(plain, (struct sockaddr *)&address, sizeof address), 0);
    return plain;
}

// SP over TCP: a header of 8 bytes each way, then a length of 8 bytes before each message; a request begins
// with an id of 4 bytes whose highest bit is set.
static void shake_hands(int plain)
{
    unsigned char hello[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0}, theirs[8];
    assert_int_equal(write(plain, hello, 8), 8);
    assert_int_equal(recv(plain, theirs, 8, MSG_WAITALL), 8);
}

static void a_peer_that_asks_without_reading_is_cut_off(void **state)
{
    (void)state;
    struct yard yard;
    struct agent kind;
    begin(&yard);
    agent_open(&kind, &yard, "w-1", NULL);
    agent_introduce(&kind);
    int plain = dial_plain(&yard);
    shake_hands(plain);
    int small = 1024;
    setsockopt(plain, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    unsigned char request[8 + 4 + 4] = {0, 0, 0, 0, 0, 0, 0, 8, 0x80, 0, 0, 1, 0xff, 0xff, 0xff, 0xff};
    bool cut = false;
    for (int i = 0; i < 2000000 && !cut; i++) {
        cut = send(plain, request, sizeof request, MSG_NOSIGNAL) < 0;
    }
    assert_true(cut);
    close(plain);
    usleep(300000);
    WireReport report = agent_report(&kind);
    expect(&kind, &report, ACK(ACCEPTED));
    agent_close(&kind);
    yard_close(&yard);
}

static void connections_beyond_the_limit_are_refused(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agents[3];
    yard_open(&yard);
    yard.options.connections_max = 2;
    yard_start(&yard);
    agent_open(&agents[0], &yard, "w-0", NULL);
    agent_introduce(&agents[0]);
    agent_open(&agents[1], &yard, "w-1", NULL);
    agent_introduce(&agents[1]);
    agent_open(&agents[2], &yard, "w-2", NULL);
    WireReport report = agent_report(&agents[2]);
    report.credential = (char *)"node:w-2";
    assert_null(agent_ask(&agents[2], &report, 300));
    agent_close(&agents[0]); // room again
    WireAck *ack = agent_send(&agents[2], &report);
    assert_int_equal(ack->status, ACK(ACCEPTED));
    wire_ack_free(ack);
    agent_close(&agents[1]);
    agent_close(&agents[2]);
    yard_close(&yard);
}

static void hundreds_of_agents_are_served_side_by_side(void **state)
{
    (void)state;
    struct yard yard;
    static struct agent agents[300];
    begin(&yard);
    for (int i = 0; i < 300; i++) {
        char node[16];
        snprintf(node, sizeof node, "w-%d", i);
        agent_open(&agents[i], &yard, node, NULL);
    }
    for (int i = 0; i < 300; i++) {
        agent_introduce(&agents[i]);
    }
    struct fleet_health health;
    fleet_health(yard.fleet, &health);
    assert_int_equal(health.connections, 300);
    assert_int_equal(health.identified, 300);
    usleep(1100000);
    for (int i = 0; i < 300; i++) {
        WireReport report = agent_report(&agents[i]);
        WireAck *ack = agent_send(&agents[i], &report);
        assert_int_equal(ack->status, ACK(ACCEPTED));
        assert_int_equal(ack->next_interval_ms, 1800); // 300 agents: the pace is stretched
        wire_ack_free(ack);
    }
    assert_int_equal(yard_events(&yard), 600);
    for (int i = 0; i < 300; i++) {
        agent_close(&agents[i]);
    }
    yard_until_connections(&yard, 0);
    yard_close(&yard);
}

static void stopping_with_everything_in_work_loses_no_memory(void **state)
{
    (void)state;
    struct yard yard;
    static struct asker askers[10];
    begin(&yard);
    pthread_mutex_lock(&yard.gate);
    for (int i = 0; i < 10; i++) {
        agent_open(&askers[i].agent, &yard, "w-1", NULL);
        askers[i].report = agent_report(&askers[i].agent);
        askers[i].report.credential = (char *)"slow:w-1";
        wire_ack_free(
            agent_ask(&askers[i].agent, &askers[i].report, 1)); // the last ones find no room: "busy"
    }
    while (atomic_load(&yard.reviews) < 4) {
        usleep(1000);
    }
    pthread_mutex_unlock(&yard.gate);
    yard_close(&yard);
    for (int i = 0; i < 10; i++) {
        agent_close(&askers[i].agent);
    }
}

// ----------------------------------------------------------------------------------------------------- TLS

struct files {
    char ca[64], cert[64], key[64];
};

static void write_files(struct files *files, const struct certificates *certificates)
{
    snprintf(files->ca, sizeof files->ca, "/tmp/fleet-%d-ca.pem", (int)getpid());
    snprintf(files->cert, sizeof files->cert, "/tmp/fleet-%d-cert.pem", (int)getpid());
    snprintf(files->key, sizeof files->key, "/tmp/fleet-%d-key.pem", (int)getpid());
    certificates_write(files->ca, certificates->ca_cert);
    certificates_write(files->cert, certificates->server_cert);
    certificates_write(files->key, certificates->server_key);
}

static void remove_files(const struct files *files)
{
    unlink(files->ca);
    unlink(files->cert);
    unlink(files->key);
}

static void begin_tls(struct yard *yard, const struct files *files)
{
    yard_open(yard);
    yard->options.insecure_transport = false;
    yard->options.cert_file = files->cert;
    yard->options.key_file = files->key;
    yard_start(yard);
}

static void agents_speak_over_tls(void **state)
{
    (void)state;
    struct certificates certificates = certificates_make();
    struct files files;
    struct yard yard;
    struct agent agent;
    write_files(&files, &certificates);
    begin_tls(&yard, &files);
    agent_open(&agent, &yard, "w-1", files.ca);
    agent_introduce(&agent);
    assert_int_equal(yard_events(&yard), 1);
    agent_close(&agent);
    yard_close(&yard);
    remove_files(&files);
    certificates_free(&certificates);
}

static double renewals(void)
{
    return metric_value(metrics_counter("vpsie_autoscaler_agent_certificate_renewals_total", NULL,
                                        "Certificates taken into use for agents since the start."));
}

// An agent that trusts only the new authority gets through once the new certificate is in use.
static void a_new_certificate_is_used_without_dropping_anybody(void **state)
{
    (void)state;
    struct certificates old = certificates_make(), new = certificates_make();
    struct files files;
    struct yard yard;
    struct agent before, after[2];
    write_files(&files, &old);
    begin_tls(&yard, &files);
    agent_open(&before, &yard, "w-1", files.ca);
    agent_introduce(&before);
    double renewed = renewals();
    certificates_write(files.key, new.server_key); // the pair does not match for a moment
    usleep(10000);
    certificates_write(files.cert, new.server_cert);
    certificates_write(files.ca, new.ca_cert);
    while (renewals() - renewed < 0.5) {
        usleep(10000);
    }
    for (int i = 0; i < 2; i++) { // the connection that was waited for still shows the old one
        char node[16];
        snprintf(node, sizeof node, "n-%d", i);
        agent_open(&after[i], &yard, node, files.ca);
    }
    agent_introduce(&after[0]);
    agent_introduce(&after[1]);
    WireReport report = agent_report(&before);
    expect(&before, &report, ACK(ACCEPTED)); // over the connection that it has had all the time
    assert_int_equal(atomic_load(&yard.reviews), 3);
    agent_close(&before);
    agent_close(&after[0]);
    agent_close(&after[1]);
    yard_close(&yard);
    remove_files(&files);
    certificates_free(&old);
    certificates_free(&new);
}

static void without_a_certificate_or_the_word_insecure_it_does_not_start(void **state)
{
    (void)state;
    struct yard yard;
    struct error error = {0};
    yard_open(&yard);
    yard.options.insecure_transport = false;
    assert_null(fleet_start(&yard.options, &error));
    assert_non_null(strstr(error.text, "certificate"));
    yard.options.cert_file = yard.options.key_file = "/nonexistent/file.pem";
    assert_null(fleet_start(&yard.options, &error));
    assert_non_null(strstr(error.text, "/nonexistent/file.pem"));
    yard.options.listen = "tcp://127.0.0.1:0";
    assert_null(fleet_start(&yard.options, &error));
    assert_non_null(strstr(error.text, "insecure"));
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
        cmocka_unit_test(nonsense_is_refused_with_a_reason_and_counted),
        cmocka_unit_test(a_message_over_the_limit_ends_its_connection_only),
        cmocka_unit_test(a_peer_that_asks_without_reading_is_cut_off),
        cmocka_unit_test(connections_beyond_the_limit_are_refused),
        cmocka_unit_test(hundreds_of_agents_are_served_side_by_side),
        cmocka_unit_test(stopping_with_everything_in_work_loses_no_memory),
        cmocka_unit_test(agents_speak_over_tls),
        cmocka_unit_test(a_new_certificate_is_used_without_dropping_anybody),
        cmocka_unit_test(without_a_certificate_or_the_word_insecure_it_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

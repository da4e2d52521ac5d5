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

static void a_message_over_the_limit_is_refused_with_a_reason_and_counted(void **state)
{
    (void)state;
    struct yard yard;
    struct agent agent;
    begin(&yard);
    agent_open(&agent, &yard, "w-1", NULL);
    double too_large = counted("too-large"), malformed = counted("malformed");
    size_t length = WIRE_MESSAGE_BYTES_MAX + 1000;
    AUTOFREE char *bytes = xcalloc(length, 1);
    WireAck *ack = agent_send_bytes(&agent, bytes, length, 30000);
    assert_non_null(ack);
    assert_int_equal(ack->status, ACK(INVALID));
    assert_non_null(strstr(ack->detail, "over the limit"));
    wire_ack_free(ack);
    assert_true(counted("too-large") == too_large + 1 && counted("malformed") == malformed);
    ack = agent_send_bytes(&agent, bytes, WIRE_MESSAGE_BYTES_MAX, 30000); // at the limit it is read, in vain
    assert_non_null(ack);
    wire_ack_free(ack);
    assert_true(counted("too-large") == too_large + 1 && counted("malformed") == malformed + 1);
    agent_introduce(&agent); // and it may still behave
    agent_close(&agent);
    yard_close(&yard);
}

static void a_message_far_over_the_limit_ends_its_connection_only(void **state)
{
    (void)state;
    struct yard yard;
    struct agent rude, kind;
    begin(&yard);
    agent_open(&kind, &yard, "w-1", NULL);
    agent_introduce(&kind);
    agent_open(&rude, &yard, "w-2", NULL);
    double too_large = counted("too-large");
    size_t length = 2 * WIRE_MESSAGE_BYTES_MAX;
    char *bytes = calloc(1, length);
    assert_null(agent_send_bytes(&rude, bytes, length, 300));
    free(bytes);
    usleep(300000);
    assert_true(counted("too-large") == too_large); // nothing of it was taken in
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

// Asks again and again until the door has taken the connection down. Its end tells the peer nothing: what the
// kernel still has to deliver stands before the end, and a peer that does not read is given minutes for it.
static bool ask_until_cut_off(struct yard *yard, int plain)
{
    static const unsigned char request[8 + 4 + 4] = {0,    0, 0, 0, 0,    0,    0,    8,
                                                     0x80, 0, 0, 1, 0xff, 0xff, 0xff, 0xff};
    struct fleet_health health = {.connections = 2};
    size_t done = 0; // bytes of the present request
    for (int waits = 0; waits < 30000 && health.connections == 2;) {
        ssize_t sent = send(plain, request + done, sizeof request - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            done = (done + (size_t)sent) % sizeof request;
            continue;
        }
        usleep(1000);
        waits++;
        fleet_health(yard->fleet, &health);
    }
    return health.connections == 1;
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
    yard_until_connections(&yard, 2);
    assert_true(ask_until_cut_off(&yard, plain));
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
    static struct agent agents[10];
    begin(&yard);
    pthread_mutex_lock(&yard.gate);
    for (int i = 0; i < 10; i++) {
        agent_open(&agents[i], &yard, "w-1", NULL);
        WireReport report = agent_report(&agents[i]);
        report.credential = (char *)"slow:w-1";
        wire_ack_free(agent_ask(&agents[i], &report, 1)); // the last ones find no room: "busy"
    }
    while (atomic_load(&yard.reviews) < 4) {
        usleep(1000);
    }
    pthread_mutex_unlock(&yard.gate);
    yard_close(&yard);
    for (int i = 0; i < 10; i++) {
        agent_close(&agents[i]);
    }
}

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
        cmocka_unit_test(nonsense_is_refused_with_a_reason_and_counted),
        cmocka_unit_test(a_message_over_the_limit_is_refused_with_a_reason_and_counted),
        cmocka_unit_test(a_message_far_over_the_limit_ends_its_connection_only),
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

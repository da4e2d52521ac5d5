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

#include "common/log.h"
#include "tests/support/certificates.h"
#include "tests/unit/vpsie/script.h"
#include "tests/unit/vpsie/tls_server.h"

// The whole door, libcurl and TLS included, against a server that does what it should not.

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CLUSTERS     "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{\"error\":false,\"data\":[]}"
#define ACCEPTED     "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{\"error\":false,\"data\":true}"

struct bench {
    struct tls_server *server;
    struct vpsie *vpsie;
    struct queue *outcomes;
    char ca_file[64];
};

static void take(void *context, struct event *event)
{
    struct bench *bench = context;
    if (event->kind != EVENT_OUTCOME || !queue_push(bench->outcomes, event)) {
        event_destroy(event);
    }
}

static void begin(struct bench *bench, const struct tls_step *steps, size_t count, int64_t timeout_ms)
{
    struct error error = {0};
    bench->server = tls_server_start(steps, count);
    bench->outcomes = queue_create(100);
    snprintf(bench->ca_file, sizeof bench->ca_file, "/tmp/vpsie-https-test-%d.pem", (int)getpid());
    certificates_write(bench->ca_file, tls_server_certificate(bench->server));
    AUTOFREE char *url = xprintf("https://127.0.0.1:%d/v2", tls_server_port(bench->server));
    struct vpsie_options options = {
        .url = url, .ca_file = bench->ca_file, .timeout_ms = timeout_ms, .sink = take, .context = bench};
    bench->vpsie = vpsie_start(&options, &error);
    assert_non_null(bench->vpsie);
    vpsie_set_credentials(bench->vpsie, &(struct vpsie_credentials){.token = "token-0123456789"});
    while (tls_server_requests(bench->server) == 0) {
        usleep(1000);
    }
}

static void end(struct bench *bench)
{
    vpsie_stop(bench->vpsie);
    tls_server_stop(bench->server);
    queue_close(bench->outcomes);
    queue_destroy(bench->outcomes);
    unlink(bench->ca_file);
}

// Until the trial's answer has been taken in, commands come back as not sent.
static struct event *perform_kind(struct bench *bench, enum command_kind kind)
{
    for (;;) {
        vpsie_submit(bench->vpsie, script_command(kind));
        struct event *event = queue_pop(bench->outcomes, 60000);
        assert_non_null(event);
        if (strstr(event->outcome.detail, "credentials") == NULL) {
            return event;
        }
        event_destroy(event);
        usleep(1000);
    }
}

static void an_order_whose_answer_is_lost_is_unknown_and_was_sent_once(void **state)
{
    (void)state;
    static const struct tls_step lost[][2] = {
        {{CLUSTERS, TLS_THEN_NEXT}, {NULL, TLS_THEN_RESET}},
        {{CLUSTERS, TLS_THEN_NEXT}, {NULL, TLS_THEN_CLOSE}},
        {{CLUSTERS, TLS_THEN_NEXT}, {NULL, TLS_THEN_HOLD}},
        {{CLUSTERS, TLS_THEN_NEXT},
         {"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{\"error\":f", TLS_THEN_CLOSE}},
        {{CLUSTERS, TLS_THEN_NEXT}, {"HTTP/1.1 200 OK\r\nContent-Le", TLS_THEN_CLOSE}},
    };
    for (size_t i = 0; i < COUNT(lost); i++) {
        struct bench bench;
        begin(&bench, lost[i], 2, 5000); // enough for a handshake on a machine that is busy, or emulated
        struct event *event = perform_kind(&bench, COMMAND_VPSIE_ADD_MACHINE);
        assert_int_equal(event->outcome.outcome, OUTCOME_UNKNOWN);
        event_destroy(event);
        usleep(20000);
        assert_int_equal(tls_server_requests(bench.server), 2);
        AUTOFREE char *order = tls_server_request(bench.server, 1);
        assert_non_null(strstr(order, "POST /v2/k8s/cluster/byId/c1/add/slave/group/42 HTTP/1.1\r\n"));
        assert_non_null(strstr(order, "Vpsie-Auth: token-0123456789\r\n"));
        assert_non_null(strstr(order, "Content-Length: 0\r\n"));
        end(&bench);
    }
}

static void an_order_that_finds_no_server_was_not_sent(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{CLUSTERS, TLS_THEN_NEXT}};
    struct bench bench;
    begin(&bench, steps, 1, 5000);
    event_destroy(perform_kind(&bench, COMMAND_VPSIE_LIST_GROUPS));
    tls_server_refuse(bench.server, true, false); // from now on connections are reset in the handshake
    struct event *event = perform_kind(&bench, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_NOT_SENT);
    event_destroy(event);
    assert_int_equal(tls_server_requests(bench.server), 2);
    end(&bench);
}

static void an_order_that_is_answered_is_done(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{CLUSTERS, TLS_THEN_NEXT}, {ACCEPTED, TLS_THEN_NEXT}};
    struct bench bench;
    begin(&bench, steps, 2, 5000);
    struct event *event = perform_kind(&bench, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    assert_int_equal(event->outcome.status, 200);
    event_destroy(event);
    end(&bench);
}

static void stopping_gives_up_a_call_that_waits_and_says_what_is_known(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{CLUSTERS, TLS_THEN_NEXT}, {NULL, TLS_THEN_HOLD}};
    const enum command_kind kinds[] = {COMMAND_VPSIE_ADD_MACHINE, COMMAND_VPSIE_LIST_GROUPS};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct bench bench;
        begin(&bench, steps, 2, 3600000);
        while (tls_server_requests(bench.server) <
               2) { // until one is out; those before came back as not sent
            vpsie_submit(bench.vpsie, script_command(kinds[i]));
            usleep(5000);
        }
        vpsie_stop(bench.vpsie);
        bench.vpsie = NULL;
        int unknown = 0;
        for (struct event *event; (event = queue_pop(bench.outcomes, 0)) != NULL; event_destroy(event)) {
            assert_true(event->outcome.outcome == OUTCOME_UNKNOWN ||
                        event->outcome.outcome == OUTCOME_NOT_SENT);
            unknown += event->outcome.outcome == OUTCOME_UNKNOWN ? 1 : 0;
        }
        assert_int_equal(unknown, 1);
        end(&bench);
    }
}

int main(void)
{
    unsetenv("https_proxy");
    unsetenv("HTTPS_PROXY");
    log_init("test", LOG_FORMAT_JSON, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_whose_answer_is_lost_is_unknown_and_was_sent_once),
        cmocka_unit_test(an_order_that_finds_no_server_was_not_sent),
        cmocka_unit_test(an_order_that_is_answered_is_done),
        cmocka_unit_test(stopping_gives_up_a_call_that_waits_and_says_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "common/web.h"

#define WAIT_MS        20000
#define SILENCE_MS_MAX 10000 // of a connection, before the server closes it

struct probes {
    bool healthy, ready;
    const char *why;
    int refreshed;
};

static struct probes probes;
static struct web *web;

static bool health(void *context, struct text *why)
{
    const struct probes *p = context;
    if (p->why != NULL)
        text_append(why, p->why);
    return p->healthy;
}

static bool ready(void *context, struct text *why)
{
    const struct probes *p = context;
    if (!p->ready)
        text_append(why, "no leader\nno nodes\n");
    return p->ready;
}

static void refresh(void *context)
{
    struct probes *p = context;
    p->refreshed++;
    metric_set(metrics_gauge("test_refreshed", NULL, "Refreshed."), p->refreshed);
}

static int start(void **state)
{
    (void)state;
    struct error error = {0};
    probes = (struct probes){.healthy = true, .ready = true};
    struct web_options options = {
        .listen = "127.0.0.1:0", .health = health, .ready = ready, .refresh = refresh, .context = &probes};
    web = web_start(&options, &error);
    if (web == NULL)
        fail_msg("%s", error.text);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    web_stop(web);
    return 0;
}

static int connect_from(uint32_t address, int port)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&own, sizeof(own)), 0);
    assert_int_equal(connect(descriptor, (struct sockaddr *)&name, sizeof(name)), 0);
    return descriptor;
}

static int connect_to(int port)
{
    return connect_from(INADDR_LOOPBACK, port);
}

// Everything until the server closes.
static void receive(int descriptor, struct text *reply)
{
    for (;;) {
        struct pollfd readable = {.fd = descriptor, .events = POLLIN};
        if (poll(&readable, 1, WAIT_MS) != 1)
            fail_msg("no reply in time");
        char chunk[4096];
        ssize_t got = recv(descriptor, chunk, sizeof(chunk), 0);
        if (got <= 0)
            return;
        text_append_bytes(reply, chunk, (size_t)got);
    }
}

static void ask(int port, const char *request, struct text *reply)
{
    text_clear(reply);
    int descriptor = connect_to(port);
    (void)!send(descriptor, request, strlen(request), MSG_NOSIGNAL);
    receive(descriptor, reply);
    close(descriptor);
}

static void get(const char *method, const char *path, struct text *reply)
{
    char request[256];
    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method,
             path);
    ask(web_port(web), request, reply);
}

static void expect(const char *path, const char *status, const char *body)
{
    struct text AUTOTEXT reply = {0};
    get("GET", path, &reply);
    assert_true(text_starts_with(text_get(&reply), "HTTP/1.1 "));
    assert_true(text_starts_with(text_get(&reply) + 9, status));
    const char *end = strstr(text_get(&reply), "\r\n\r\n");
    assert_non_null(end);
    assert_string_equal(end + 4, body);
}

static void a_healthy_program_says_ok(void **state)
{
    (void)state;
    expect("/healthz", "200", "ok\n");
    expect("/readyz", "200", "ok\n");
    expect("/healthz?verbose", "200", "ok\n");
}

static void an_ill_program_says_why(void **state)
{
    (void)state;
    probes.healthy = false;
    expect("/healthz", "503", "not ok\n");
    probes.why = "the core does not move";
    expect("/healthz", "503", "the core does not move\n");
    probes.ready = false;
    expect("/readyz", "503", "no leader\nno nodes\n");
    probes.healthy = true;
    expect("/healthz", "200", "the core does not move\n");
}

static void metrics_are_refreshed_before_they_are_rendered(void **state)
{
    (void)state;
    struct text AUTOTEXT reply = {0};
    get("GET", "/metrics", &reply);
    assert_non_null(strstr(text_get(&reply), "Content-Type: text/plain; version=0.0.4"));
    assert_non_null(strstr(text_get(&reply), "\ntest_refreshed 1\n"));
    get("GET", "/metrics", &reply);
    assert_non_null(strstr(text_get(&reply), "\ntest_refreshed 2\n"));
    expect("/healthz", "200", "ok\n");
    assert_int_equal(probes.refreshed, 2);
}

static void other_paths_are_told_what_there_is(void **state)
{
    (void)state;
    expect("/", "404", "not here; there are /healthz, /readyz and /metrics\n");
    expect("/healthz/x", "404", "not here; there are /healthz, /readyz and /metrics\n");
    expect("/../etc/passwd", "404", "not here; there are /healthz, /readyz and /metrics\n");
}

static void head_has_no_body_and_other_methods_are_refused(void **state)
{
    (void)state;
    struct text AUTOTEXT reply = {0};
    get("HEAD", "/healthz", &reply);
    assert_true(text_starts_with(text_get(&reply), "HTTP/1.1 200"));
    assert_string_equal(strstr(text_get(&reply), "\r\n\r\n"), "\r\n\r\n");
    const char *methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        get(methods[i], "/healthz", &reply);
        assert_true(text_starts_with(text_get(&reply), "HTTP/1.1 405"));
        assert_non_null(strstr(text_get(&reply), "Allow: GET, HEAD"));
    }
    ask(web_port(web), "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nxxx", &reply);
    assert_true(text_starts_with(text_get(&reply), "HTTP/1.1 405"));
}

static void nonsense_and_floods_leave_it_working(void **state)
{
    (void)state;
    struct text AUTOTEXT reply = {0};
    struct text AUTOTEXT big = {0};
    ask(web_port(web), "\x16\x03\x01\x02 nonsense\r\n\r\n", &reply);
    ask(web_port(web), "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", &reply);
    text_append(&big, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: ");
    for (int i = 0; i < 40000; i++)
        text_append(&big, "x");
    text_append(&big, "\r\n\r\n");
    ask(web_port(web), text_get(&big), &reply);
    assert_false(text_starts_with(text_get(&reply), "HTTP/1.1 200"));
    expect("/healthz", "200", "ok\n");
}

// More silent connections than one address may have: those beyond are closed, and once the silent go it
// answers.
static void silent_connections_are_bounded(void **state)
{
    (void)state;
    enum { SILENT = 40, ALLOWED_MAX = 16 };
    int silent[SILENT];
    for (int i = 0; i < SILENT; i++)
        silent[i] = connect_to(web_port(web));
    int closed = 0;
    for (int i = ALLOWED_MAX; i < SILENT; i++) {
        struct pollfd gone = {.fd = silent[i], .events = POLLIN};
        char byte;
        closed += poll(&gone, 1, WAIT_MS) == 1 && recv(silent[i], &byte, 1, 0) <= 0;
    }
    assert_int_equal(closed, SILENT - ALLOWED_MAX);
    for (int i = 0; i < SILENT; i++)
        close(silent[i]);
    struct text AUTOTEXT reply = {0};
    for (int tries = 0; tries < 1000 && !text_starts_with(text_get(&reply), "HTTP/1.1 200"); tries++) {
        get("GET", "/healthz", &reply);
        usleep(1000);
    }
    assert_true(text_starts_with(text_get(&reply), "HTTP/1.1 200"));
}

// Whoever can reach the port can take every connection: that must not keep the program from ending. Without a
// wake-up of its own the library notices the stop only when the first of them is closed for its silence.
static void it_stops_at_once_though_every_connection_is_taken(void **state)
{
    (void)state;
    enum { ADDRESSES = 4, OF_EACH = 16 };
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    struct error error = {0};
    struct web_options options = {.listen = "0.0.0.0:0"};
    struct web *full = web_start(&options, &error);
    assert_non_null(full);
    int taken[ADDRESSES * OF_EACH];
    for (uint32_t i = 0; i < ADDRESSES * OF_EACH; i++) {
        char reply[16];
        taken[i] = connect_from(INADDR_LOOPBACK + i / OF_EACH, web_port(full));
        assert_int_equal(send(taken[i], request, sizeof(request) - 1, 0), sizeof(request) - 1);
        assert_true(recv(taken[i], reply, sizeof(reply), 0) > 0); // it stays open: HTTP/1.1
    }
    int64_t began_ms = clock_monotonic_ms();
    web_stop(full);
    int64_t took_ms = clock_monotonic_ms() - began_ms;
    for (int i = 0; i < ADDRESSES * OF_EACH; i++)
        close(taken[i]);
    assert_true(took_ms < SILENCE_MS_MAX / 2);
}

static void expect_no_start(const char *listen_text, const char *part)
{
    struct error error = {0};
    struct web_options options = {.listen = listen_text};
    assert_null(web_start(&options, &error));
    if (strstr(error.text, part) == NULL)
        fail_msg("\"%s\": \"%s\" does not say \"%s\"", listen_text, error.text, part);
}

static void an_address_that_cannot_be_had_is_named(void **state)
{
    (void)state;
    char taken[32];
    snprintf(taken, sizeof(taken), "127.0.0.1:%d", web_port(web));
    expect_no_start(taken, taken);
    expect_no_start("192.0.2.1:80", "192.0.2.1:80"); // TEST-NET-1, no machine's
    const char *bad[] = {"9090",     "localhost", "localhost:", "localhost:x", "localhost:65536",
                         "::1:9090", ":-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_no_start(bad[i], bad[i]);
}

static void an_empty_address_is_off_and_no_error(void **state)
{
    (void)state;
    struct error error = {.code = 1, .text = "old"};
    struct web_options options = {.listen = ""};
    assert_null(web_start(&options, &error));
    assert_string_equal(error.text, "");
    web_stop(NULL);
}

static void without_probes_it_is_always_well(void **state)
{
    (void)state;
    struct error error = {0};
    const char *places[] = {"localhost:0", ":0", "0.0.0.0:0", "[::]:0"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct web_options options = {.listen = places[i]};
        struct web *bare = web_start(&options, &error);
        if (bare == NULL && strstr(error.text, "family not supported") != NULL)
            continue; // a machine without IPv6
        assert_non_null(bare);
        struct text AUTOTEXT reply = {0};
        if (strcmp(places[i], "localhost:0") != 0) { // which may be ::1
            ask(web_port(bare), "GET /readyz HTTP/1.0\r\n\r\n", &reply);
            assert_non_null(strstr(text_get(&reply), "200 OK"));
        }
        web_stop(bare);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_healthy_program_says_ok),
        TEST(an_ill_program_says_why),
        TEST(metrics_are_refreshed_before_they_are_rendered),
        TEST(other_paths_are_told_what_there_is),
        TEST(head_has_no_body_and_other_methods_are_refused),
        TEST(nonsense_and_floods_leave_it_working),
        TEST(silent_connections_are_bounded),
        TEST(it_stops_at_once_though_every_connection_is_taken),
        TEST(an_address_that_cannot_be_had_is_named),
        TEST(an_empty_address_is_off_and_no_error),
        TEST(without_probes_it_is_always_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

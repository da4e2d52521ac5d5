#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include <pthread.h>

#include "common/arena.h"
#include "coordinator/http.h"
#include "tests/unit/vpsie/tls_server.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define OK_BODY      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

struct bench { // a server, a client that trusts it, and one request
    struct tls_server *server;
    struct http *http;
    char *url;
    struct http_request request;
    struct http_response response;
};

static struct bench begin_with(const struct tls_step *steps, size_t count, const char *method)
{
    struct bench bench = {.server = tls_server_start(steps, count)};
    struct http_trust trust = {.ca_data = tls_server_certificate(bench.server)};
    struct error error;
    bench.http = http_create(&trust, "test-agent", &error);
    assert_non_null(bench.http);
    bench.url = xprintf("https://127.0.0.1:%d/path?x=1", tls_server_port(bench.server));
    bench.request = (struct http_request){.method = method, .url = bench.url, .timeout_ms = 20000};
    return bench;
}
#define BEGIN(steps, method) begin_with((steps), COUNT(steps), (method))

static void end(struct bench *bench)
{
    http_response_free(&bench->response);
    http_destroy(bench->http);
    tls_server_stop(bench->server);
    free(bench->url);
}

static void call(struct bench *bench)
{
    http_response_free(&bench->response);
    http_call(bench->http, &bench->request, &bench->response);
}

static void an_answer_brings_status_body_date_and_retry_after(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {
        {"HTTP/1.1 429 Slow\r\nDate: Tue, 02 Jan 2024 03:04:05 GMT\r\nRetry-After: 7\r\nContent-Length: "
         "4\r\n\r\nwait",
         TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "GET");
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_ANSWERED);
    assert_int_equal(bench.response.status, 429);
    assert_string_equal(text_get(&bench.response.body), "wait");
    assert_string_equal(bench.response.date, "Tue, 02 Jan 2024 03:04:05 GMT");
    assert_int_equal(bench.response.retry_after_ms, 7000);
    assert_true(bench.response.sent);
    end(&bench);
}

static void retry_after_is_at_most_one_hour(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {
        {"HTTP/1.1 503 No\r\nRetry-After: 999999999\r\nContent-Length: 0\r\n\r\n", TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "GET");
    call(&bench);
    assert_int_equal(bench.response.retry_after_ms, 3600000);
    end(&bench);
}

static void a_body_and_headers_are_sent_as_given(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "PATCH");
    const char *headers[] = {"X-One: 1", "Authorization: Bearer secret"};
    bench.request.headers = headers;
    bench.request.header_count = 2;
    bench.request.content_type = "application/merge-patch+json";
    bench.request.body = "{\"a\":1}";
    bench.request.body_bytes = 7;
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_ANSWERED);
    AUTOFREE char *sent = tls_server_request(bench.server, 0);
    assert_non_null(strstr(sent, "PATCH /path?x=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(sent, "X-One: 1\r\n"));
    assert_non_null(strstr(sent, "Authorization: Bearer secret\r\n"));
    assert_non_null(strstr(sent, "Content-Type: application/merge-patch+json\r\n"));
    assert_non_null(strstr(sent, "User-Agent: test-agent\r\n"));
    assert_non_null(strstr(sent, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(sent, "Expect:"));
    end(&bench);
}

static void a_post_and_a_delete_without_a_body_claim_no_form(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "POST");
    call(&bench);
    bench.request.method = "DELETE";
    call(&bench);
    bench.request.body = "{}";
    bench.request.body_bytes = 2;
    bench.request.content_type = "application/json";
    call(&bench);
    AUTOFREE char *post = tls_server_request(bench.server, 0);
    AUTOFREE char *delete_empty = tls_server_request(bench.server, 1);
    AUTOFREE char *delete_body = tls_server_request(bench.server, 2);
    assert_non_null(strstr(post, "POST /path"));
    assert_non_null(strstr(post, "Content-Length: 0\r\n"));
    assert_null(strstr(post, "Content-Type"));
    assert_non_null(strstr(delete_empty, "DELETE /path"));
    assert_null(strstr(delete_empty, "Content-Type"));
    assert_non_null(strstr(delete_body, "DELETE /path"));
    assert_non_null(strstr(delete_body, "\r\n\r\n{}"));
    end(&bench);
}

static void one_connection_serves_many_calls(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "GET");
    for (int i = 0; i < 5; i++) {
        call(&bench);
        assert_int_equal(bench.response.status, 200);
    }
    assert_int_equal(tls_server_requests(bench.server), 5);
    assert_int_equal(tls_server_connections(bench.server), 1);
    end(&bench);
}

static void a_call_once_uses_a_fresh_connection(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "POST");
    for (size_t i = 1; i <= 3; i++) {
        http_response_free(&bench.response);
        http_call_once(bench.http, &bench.request, &bench.response);
        assert_int_equal(bench.response.result, HTTP_ANSWERED);
        assert_int_equal(tls_server_connections(bench.server), i);
    }
    end(&bench);
}

// The kept connection dies just as the second request is on its way: the worst moment for a write.
static const struct tls_step dies_on_second[] = {
    {OK_BODY, TLS_THEN_NEXT}, {NULL, TLS_THEN_RESET}, {OK_BODY, TLS_THEN_NEXT}};

static void a_write_on_a_connection_that_dies_is_broken_and_never_repeated(void **state)
{
    (void)state;
    const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < COUNT(methods); i++) {
        struct bench bench = BEGIN(dies_on_second, methods[i]);
        call(&bench);
        assert_int_equal(bench.response.result, HTTP_ANSWERED);
        call(&bench);
        assert_int_equal(bench.response.result, HTTP_BROKEN);
        assert_true(bench.response.sent);
        usleep(50000);
        assert_int_equal(tls_server_requests(bench.server), 2);
        end(&bench);
    }
}

static void a_read_on_a_connection_that_dies_is_sent_again(void **state)
{
    (void)state;
    struct bench bench = BEGIN(dies_on_second, "GET");
    call(&bench);
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_ANSWERED);
    assert_int_equal(tls_server_requests(bench.server), 3);
    end(&bench);
}

static void nothing_is_repeated_on_a_fresh_connection_that_is_reset(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{NULL, TLS_THEN_RESET}, {OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "POST");
    http_call_once(bench.http, &bench.request, &bench.response);
    assert_int_equal(bench.response.result, HTTP_BROKEN);
    assert_true(bench.response.sent);
    assert_int_equal(tls_server_requests(bench.server), 1);
    end(&bench);
}

static void a_cut_body_is_broken(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"data\":", TLS_THEN_CLOSE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", TLS_THEN_CLOSE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", TLS_THEN_RESET},
        {"HTTP/1.1 200 OK\r\nContent-Le", TLS_THEN_CLOSE},
        {"no HTTP at all", TLS_THEN_CLOSE}};
    struct bench bench = BEGIN(steps, "POST");
    for (size_t i = 0; i < COUNT(steps); i++) {
        call(&bench);
        assert_int_equal(bench.response.result, HTTP_BROKEN);
        assert_true(bench.response.sent);
        assert_non_null(strstr(bench.response.error.text, "127.0.0.1"));
    }
    end(&bench);
}

static void a_peer_that_is_not_there_means_not_sent(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "POST");
    tls_server_refuse(bench.server, true, false);
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_NOT_SENT);
    assert_false(bench.response.sent);
    assert_true(bench.response.error.text[0] != '\0');
    http_response_free(&bench.response);
    http_call_once(bench.http, &bench.request, &bench.response);
    assert_int_equal(bench.response.result, HTTP_NOT_SENT);
    assert_int_equal(tls_server_requests(bench.server), 0);
    end(&bench);
}

static void silence_in_the_handshake_means_not_sent(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "POST");
    tls_server_refuse(bench.server, false, true);
    bench.request.connect_timeout_ms = 300;
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_NOT_SENT);
    assert_false(bench.response.sent);
    end(&bench);
}

static void a_certificate_nobody_vouches_for_means_not_sent(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "GET");
    struct http *stranger = http_create(NULL, "test", NULL);
    http_call(stranger, &bench.request, &bench.response);
    assert_int_equal(bench.response.result, HTTP_NOT_SENT);
    assert_int_equal(tls_server_requests(bench.server), 0);
    http_destroy(stranger);
    end(&bench);
}

static void the_wrong_name_in_a_certificate_means_not_sent_and_a_given_name_is_checked(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "GET");
    const char *names[] = {"script.test", "other.test"};
    for (size_t i = 0; i < 2; i++) {
        struct http_trust trust = {.ca_data = tls_server_certificate(bench.server), .server_name = names[i]};
        struct http *named = http_create(&trust, "test", NULL);
        http_response_free(&bench.response);
        http_call(named, &bench.request, &bench.response);
        assert_int_equal(bench.response.result, i == 0 ? HTTP_ANSWERED : HTTP_NOT_SENT);
        http_destroy(named);
    }
    AUTOFREE char *sent = tls_server_request(bench.server, 0);
    AUTOFREE char *host = xprintf("\r\nHost: 127.0.0.1:%d\r\n", tls_server_port(bench.server));
    assert_non_null(strstr(sent, host));
    assert_int_equal(tls_server_requests(bench.server), 1);
    end(&bench);
}

static void a_client_told_to_skip_verification_does(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "GET");
    struct http_trust trust = {.insecure_skip_verify = true};
    struct http *trusting = http_create(&trust, "test", NULL);
    http_call(trusting, &bench.request, &bench.response);
    assert_int_equal(bench.response.result, HTTP_ANSWERED);
    http_destroy(trusting);
    end(&bench);
}

static void silence_after_the_request_is_a_timeout(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{NULL, TLS_THEN_HOLD}};
    struct bench bench = BEGIN(steps, "POST");
    bench.request.timeout_ms = 400;
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_TIMEOUT);
    assert_true(bench.response.sent);
    end(&bench);
}

static void silence_in_mid_answer_is_a_timeout_by_idleness(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", TLS_THEN_HOLD}};
    struct bench bench = BEGIN(steps, "GET");
    bench.request.timeout_ms = 0;
    bench.request.idle_timeout_ms = 200;
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_TIMEOUT);
    end(&bench);
}

static void a_body_over_the_limit_is_too_large(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "GET");
    bench.request.response_bytes_max = 4;
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_TOO_LARGE);
    bench.request.response_bytes_max = 5;
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_ANSWERED);
    end(&bench);
}

static void endless_headers_are_too_large(void **state)
{
    (void)state;
    struct text raw = {0};
    text_append(&raw, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 2000; i++) {
        text_printf(&raw, "X-Header-%d: %050d\r\n", i, i);
    }
    text_append(&raw, "Content-Length: 0\r\n\r\n");
    struct tls_step steps[] = {{text_get(&raw), TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "GET");
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_TOO_LARGE);
    end(&bench);
    text_free(&raw);
}

static bool collect(void *context, const char *bytes, size_t length)
{
    text_append_bytes(context, bytes, length);
    return strstr(text_get(context), "stop") == NULL;
}

static void a_stream_is_handed_on_piece_by_piece_and_can_be_stopped(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
         TLS_THEN_NEXT},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nstop\r\n", TLS_THEN_HOLD},
        {"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone", TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "GET");
    AUTOTEXT struct text got = {0};
    bench.request.on_chunk = collect;
    bench.request.context = &got;
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_ANSWERED);
    assert_string_equal(text_get(&got), "onetwo");
    assert_int_equal(bench.response.body.length, 0);
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_STOPPED);
    text_clear(&got);
    call(&bench); // what is not 2xx is an answer, not part of the stream
    assert_int_equal(bench.response.status, 410);
    assert_string_equal(text_get(&bench.response.body), "gone");
    assert_int_equal(got.length, 0);
    end(&bench);
}

static volatile bool stop_flag;
static void *raise_stop(void *context)
{
    struct tls_server *server = context;
    while (tls_server_requests(server) == 0) {
        usleep(1000);
    }
    stop_flag = true;
    return NULL;
}

static void a_raised_stop_flag_ends_a_waiting_call(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{NULL, TLS_THEN_HOLD}};
    struct bench bench = BEGIN(steps, "GET");
    stop_flag = false;
    bench.request.stop = &stop_flag;
    bench.request.timeout_ms = 0;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, raise_stop, bench.server), 0);
    call(&bench);
    pthread_join(thread, NULL);
    assert_int_equal(bench.response.result, HTTP_STOPPED);
    call(&bench); // already raised: nothing is sent
    assert_int_equal(bench.response.result, HTTP_STOPPED);
    assert_false(bench.response.sent);
    assert_int_equal(tls_server_requests(bench.server), 1);
    end(&bench);
}

static void what_is_not_https_is_refused_before_anything_is_sent(void **state)
{
    (void)state;
    const char *urls[] = {"http://127.0.0.1/",
                          "ftp://127.0.0.1/",
                          "127.0.0.1/",
                          "https://user:pw@127.0.0.1/",
                          "https://",
                          "https://127.0.0.1/a b",
                          "https://127.0.0.1/a\r\nX: y",
                          "",
                          "file:///etc/passwd"};
    struct http *http = http_create(NULL, NULL, NULL);
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct http_request request = {.method = "GET", .url = urls[i]};
        struct http_response response;
        http_call(http, &request, &response);
        assert_int_equal(response.result, HTTP_NOT_SENT);
        assert_true(response.error.text[0] != '\0');
        assert_null(strstr(response.error.text, "pw"));
        http_response_free(&response);
    }
    http_destroy(http);
}

static void a_header_with_a_line_break_is_refused_and_not_shown(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "GET");
    const char *headers[] = {"Vpsie-Auth: secret\r\nX-Evil: 1"};
    bench.request.headers = headers;
    bench.request.header_count = 1;
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_NOT_SENT);
    assert_null(strstr(bench.response.error.text, "secret"));
    assert_int_equal(tls_server_requests(bench.server), 0);
    end(&bench);
}

static bool never(void *context)
{
    ++*(int *)context;
    return false;
}

static void a_request_withdrawn_at_the_last_moment_is_not_sent(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {{OK_BODY, TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "POST");
    int asked = 0;
    bench.request.may_send = never;
    bench.request.may_send_context = &asked;
    call(&bench);
    assert_int_equal(bench.response.result, HTTP_NOT_SENT);
    assert_false(bench.response.sent);
    assert_int_equal(asked, 1);
    assert_int_equal(tls_server_requests(bench.server), 0);
    assert_int_equal(tls_server_connections(bench.server), 1);
    end(&bench);
}

static void a_redirect_is_an_answer_and_not_followed(void **state)
{
    (void)state;
    static const struct tls_step steps[] = {
        {"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", TLS_THEN_NEXT}};
    struct bench bench = BEGIN(steps, "POST");
    call(&bench);
    assert_int_equal(bench.response.status, 302);
    assert_int_equal(tls_server_requests(bench.server), 1);
    end(&bench);
}

static void a_half_given_client_identity_is_an_error(void **state)
{
    (void)state;
    struct http_trust trust = {.client_cert_data = "x"};
    struct error error;
    assert_null(http_create(&trust, "t", &error));
    assert_non_null(strstr(error.text, "key"));
}

static void escaping_leaves_only_unreserved_characters(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    http_escape(&out, "aZ09-._~ /?#%&+\xc3\xa9");
    assert_string_equal(text_get(&out), "aZ09-._~%20%2F%3F%23%25%26%2B%C3%A9");
}

int main(void)
{
    unsetenv("https_proxy");
    unsetenv("HTTPS_PROXY");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_brings_status_body_date_and_retry_after),
        cmocka_unit_test(retry_after_is_at_most_one_hour),
        cmocka_unit_test(a_body_and_headers_are_sent_as_given),
        cmocka_unit_test(a_post_and_a_delete_without_a_body_claim_no_form),
        cmocka_unit_test(one_connection_serves_many_calls),
        cmocka_unit_test(a_call_once_uses_a_fresh_connection),
        cmocka_unit_test(a_write_on_a_connection_that_dies_is_broken_and_never_repeated),
        cmocka_unit_test(a_read_on_a_connection_that_dies_is_sent_again),
        cmocka_unit_test(nothing_is_repeated_on_a_fresh_connection_that_is_reset),
        cmocka_unit_test(a_cut_body_is_broken),
        cmocka_unit_test(a_peer_that_is_not_there_means_not_sent),
        cmocka_unit_test(silence_in_the_handshake_means_not_sent),
        cmocka_unit_test(a_certificate_nobody_vouches_for_means_not_sent),
        cmocka_unit_test(the_wrong_name_in_a_certificate_means_not_sent_and_a_given_name_is_checked),
        cmocka_unit_test(a_client_told_to_skip_verification_does),
        cmocka_unit_test(silence_after_the_request_is_a_timeout),
        cmocka_unit_test(silence_in_mid_answer_is_a_timeout_by_idleness),
        cmocka_unit_test(a_body_over_the_limit_is_too_large),
        cmocka_unit_test(endless_headers_are_too_large),
        cmocka_unit_test(a_stream_is_handed_on_piece_by_piece_and_can_be_stopped),
        cmocka_unit_test(a_raised_stop_flag_ends_a_waiting_call),
        cmocka_unit_test(what_is_not_https_is_refused_before_anything_is_sent),
        cmocka_unit_test(a_header_with_a_line_break_is_refused_and_not_shown),
        cmocka_unit_test(a_request_withdrawn_at_the_last_moment_is_not_sent),
        cmocka_unit_test(a_redirect_is_an_answer_and_not_followed),
        cmocka_unit_test(a_half_given_client_identity_is_an_error),
        cmocka_unit_test(escaping_leaves_only_unreserved_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

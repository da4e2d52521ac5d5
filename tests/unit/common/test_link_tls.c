#include <arpa/inet.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
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

#include "common/arena.h"
#include "tests/support/certificates.h"
#include "tests/unit/common/link_bench.h"

#define REFUSED_AFTER_MS 600 // a handshake takes some milliseconds, so a good one would be seen in this time

static struct bench_files files;
static struct bench_server server;
static char url[BENCH_URL_BYTES_MAX];

static int start(void **state)
{
    (void)state;
    bench_files_make(&files);
    struct link_tls tls = bench_server_tls(&files);
    bench_server_start(&server, "tls+tcp://127.0.0.1:0", &tls);
    snprintf(url, sizeof(url), "tls+tcp://localhost:%d", server.port);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bench_server_stop(&server);
    bench_files_remove(&files);
    return 0;
}

static void a_server_of_our_authority_is_talked_to(void **state)
{
    (void)state;
    struct link_tls tls = bench_client_tls(&files);
    assert_true(server.port > 0);
    assert_true(bench_exchange(url, &tls, BENCH_TIMEOUT_MS));
}

static void a_server_of_another_authority_is_not_talked_to(void **state)
{
    (void)state;
    struct link_tls tls = {.ca_file = files.other_ca};
    assert_false(bench_exchange(url, &tls, REFUSED_AFTER_MS));
}

static void a_server_of_another_name_is_not_talked_to(void **state)
{
    (void)state;
    struct link_tls tls = {.ca_file = files.ca, .server_name = "coordinator.example"};
    assert_false(bench_exchange(url, &tls, REFUSED_AFTER_MS));
}

static void the_name_in_the_certificate_can_differ_from_the_address(void **state)
{
    (void)state;
    char address[BENCH_URL_BYTES_MAX];
    struct link_tls tls = {.ca_file = files.ca, .server_name = "localhost"};
    snprintf(address, sizeof(address), "tls+tcp://127.0.0.1:%d", server.port);
    assert_true(bench_exchange(address, &tls, BENCH_TIMEOUT_MS));
}

static void an_expired_certificate_is_not_talked_to(void **state)
{
    (void)state;
    struct bench_server expired;
    char address[BENCH_URL_BYTES_MAX];
    struct link_tls server_tls = {.cert_file = files.expired_certificate, .key_file = files.expired_key};
    struct link_tls client_tls = bench_client_tls(&files);
    bench_server_start(&expired, "tls+tcp://127.0.0.1:0", &server_tls);
    snprintf(address, sizeof(address), "tls+tcp://localhost:%d", expired.port);
    assert_false(bench_exchange(address, &client_tls, REFUSED_AFTER_MS));
    bench_server_stop(&expired);
}

// Connects as any TLS client would; NULL when the server refuses the version. The certificate is the
// caller's.
static X509 *certificate_seen(int port, int version)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(descriptor, (struct sockaddr *)&name, sizeof(name)), 0);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context, 0);
    SSL *client = SSL_new(context);
    SSL_set_min_proto_version(client, version);
    SSL_set_max_proto_version(client, version);
    SSL_set_fd(client, descriptor);
    X509 *certificate = SSL_connect(client) == 1 ? SSL_get1_peer_certificate(client) : NULL;
    ERR_clear_error();
    SSL_free(client);
    SSL_CTX_free(context);
    close(descriptor);
    return certificate;
}

static void versions_before_1_2_are_refused(void **state)
{
    (void)state;
    X509 *modern = certificate_seen(server.port, TLS1_2_VERSION);
    assert_non_null(modern);
    X509_free(modern);
    assert_null(certificate_seen(server.port, TLS1_1_VERSION));
    assert_null(certificate_seen(server.port, TLS1_VERSION));
}

static void a_new_listener_reads_the_certificate_again(void **state)
{
    (void)state;
    struct bench_server renewed;
    struct link_tls tls = bench_server_tls(&files);
    struct error error = {0};
    bench_server_start(&renewed, "tls+tcp://127.0.0.1:0", &tls);
    X509 *before = certificate_seen(renewed.port, TLS1_2_VERSION);
    struct certificates other = certificates_make();
    certificates_write(files.certificate, other.server_cert);
    certificates_write(files.key, other.server_key);
    X509 *meanwhile = certificate_seen(renewed.port, TLS1_2_VERSION);
    assert_int_equal(X509_cmp(before, meanwhile), 0);

    char address[BENCH_URL_BYTES_MAX];
    snprintf(address, sizeof(address), "tls+tcp://127.0.0.1:%d", renewed.port);
    assert_int_equal(nng_listener_close(renewed.listener), 0);
    int port;
    if (link_listen(renewed.socket, address, &tls, 0, &renewed.listener, &port, &error) < 0)
        fail_msg("%s", error.text);
    assert_int_equal(port, renewed.port);
    X509 *after = certificate_seen(port, TLS1_2_VERSION);
    assert_int_not_equal(X509_cmp(before, after), 0);
    X509_free(before);
    X509_free(meanwhile);
    X509_free(after);
    certificates_free(&other);
    bench_server_stop(&renewed);
}

static void expect_no_listener(struct link_tls tls, const char *part_of_reason)
{
    nng_socket socket;
    nng_listener listener;
    struct error error = {0};
    assert_int_equal(nng_rep0_open(&socket), 0);
    assert_int_equal(link_listen(socket, "tls+tcp://127.0.0.1:0", &tls, 0, &listener, NULL, &error), -1);
    if (strstr(error.text, part_of_reason) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, part_of_reason);
    nng_close(socket);
}

static void files_that_make_no_listener_are_named(void **state)
{
    (void)state;
    expect_no_listener((struct link_tls){.key_file = files.key}, "needs a certificate file");
    expect_no_listener((struct link_tls){.cert_file = files.certificate}, "needs a key file");
    expect_no_listener((struct link_tls){.cert_file = "/nowhere.pem", .key_file = files.key}, "/nowhere.pem");
    expect_no_listener((struct link_tls){.cert_file = files.certificate, .key_file = "/nowhere.key"},
                       "/nowhere.key");
    expect_no_listener((struct link_tls){.cert_file = files.key, .key_file = files.key}, files.key);
    expect_no_listener((struct link_tls){.cert_file = files.certificate, .key_file = files.ca}, files.ca);
}

static void files_that_make_no_dialer_are_named(void **state)
{
    (void)state;
    nng_dialer dialer;
    struct error error = {0};
    struct link_tls tls = {0};
    assert_int_equal(link_dial(server.socket, url, &tls, 10, 10, &dialer, &error), -1);
    assert_non_null(strstr(error.text, "certificate authority"));
    assert_int_equal(link_dial(server.socket, url, NULL, 10, 10, &dialer, &error), -1);
    tls.ca_file = "/nowhere.pem";
    assert_int_equal(link_dial(server.socket, url, &tls, 10, 10, &dialer, &error), -1);
    assert_non_null(strstr(error.text, "/nowhere.pem"));
    tls.ca_file = files.key;
    assert_int_equal(link_dial(server.socket, url, &tls, 10, 10, &dialer, &error), -1);
    assert_non_null(strstr(error.text, files.key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_of_our_authority_is_talked_to),
        cmocka_unit_test(a_server_of_another_authority_is_not_talked_to),
        cmocka_unit_test(a_server_of_another_name_is_not_talked_to),
        cmocka_unit_test(the_name_in_the_certificate_can_differ_from_the_address),
        cmocka_unit_test(an_expired_certificate_is_not_talked_to),
        cmocka_unit_test(versions_before_1_2_are_refused),
        cmocka_unit_test(files_that_make_no_listener_are_named),
        cmocka_unit_test(files_that_make_no_dialer_are_named),
        cmocka_unit_test(a_new_listener_reads_the_certificate_again),
    };
    return cmocka_run_group_tests(tests, start, stop);
}

// The door closes on whoever stands in it: peers that say nothing, half of something, or do not listen.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"
#include "tests/support/certificates.h"
#include "tests/unit/fleet/agents.h"

#define NEGOTIATION_MS 10000 // the library's own limit: who waits for a peer, waits for that
#define PEERS          30

struct files {
    char cert[64], key[64];
};

static void start(struct yard *yard, bool tls, struct files *files)
{
    yard_open(yard);
    if (tls) {
        struct certificates certificates = certificates_make();
        snprintf(files->cert, sizeof files->cert, "/tmp/fleet-end-%d-cert.pem", (int)getpid());
        snprintf(files->key, sizeof files->key, "/tmp/fleet-end-%d-key.pem", (int)getpid());
        certificates_write(files->cert, certificates.server_cert);
        certificates_write(files->key, certificates.server_key);
        certificates_free(&certificates);
        yard->options.insecure_transport = false;
        yard->options.cert_file = files->cert;
        yard->options.key_file = files->key;
    }
    yard_start(yard);
}

static int dial(struct yard *yard)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)fleet_port(yard->fleet)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer >= 0);
    assert_int_equal(connect(peer, (struct sockaddr *)&address, sizeof address), 0);
    return peer;
}

// Each peer says the first so many bytes of what it should, and no more.
static void end_with_peers(bool tls, const unsigned char *bytes, size_t length)
{
    struct yard yard;
    struct files files;
    int peers[PEERS];
    start(&yard, tls, &files);
    for (size_t i = 0; i < PEERS; i++) {
        size_t said = i % (length + 1);
        peers[i] = dial(&yard);
        assert_int_equal(send(peers[i], bytes, said, MSG_NOSIGNAL), said);
    }
    clock_sleep_ms(50);
    int64_t began_ms = clock_monotonic_ms();
    yard_close(&yard);
    assert_true(clock_monotonic_ms() - began_ms < NEGOTIATION_MS / 2);
    for (size_t i = 0; i < PEERS; i++) {
        close(peers[i]);
    }
    if (tls) {
        unlink(files.cert);
        unlink(files.key);
    }
}

static void it_closes_on_peers_that_stopped_at_any_byte(void **state)
{
    (void)state;
    static const unsigned char request[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0, 0,    0, 0, 0,
                                            0, 0,   0,   8, 0, 0,    0, 1, 0xff, 1, 2};
    end_with_peers(false, request, sizeof request);
}

static void it_closes_on_peers_that_stopped_in_their_handshake(void **state)
{
    (void)state;
    static const unsigned char hello[] = {22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3, 1, 2, 3, 4, 5, 6, 7};
    end_with_peers(true, hello, sizeof hello);
}

int main(void)
{
    log_init("test", LOG_FORMAT_JSON, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_closes_on_peers_that_stopped_at_any_byte),
        cmocka_unit_test(it_closes_on_peers_that_stopped_in_their_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Whoever hangs up waits for nobody: not for a name that is being looked up, nor for a peer that says
// nothing.
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/uplink.h"
#include "common/clock.h"
#include "common/wire.h"
#include "tests/support/certificates.h"

#define SLOW_NAME      "slow.example"
#define NEGOTIATION_MS 10000 // the library's own limit: who waits for the peer, waits for that

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; // held by the test: the slow name is not known yet
static _Atomic int lookups;

int __real_getaddrinfo(const char *, const char *, const struct addrinfo *, struct addrinfo **);
int __wrap_getaddrinfo(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    if (name == NULL || strcmp(name, SLOW_NAME) != 0)
        return __real_getaddrinfo(name, service, hints, out);
    lookups++;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return EAI_AGAIN;
}

static struct uplink *make_uplink(bool insecure)
{
    static char ca_file[64];
    snprintf(ca_file, sizeof ca_file, "/tmp/uplink-end-%d.pem", (int)getpid());
    struct certificates certificates = certificates_make();
    certificates_write(ca_file, certificates.ca_cert);
    certificates_free(&certificates);
    struct uplink_settings settings = {.insecure = insecure,
                                       .tls = {.ca_file = ca_file, .server_name = "localhost"},
                                       .answer_timeout_ms = 60000,
                                       .reconnect_min_ms = 10,
                                       .reconnect_max_ms = 20,
                                       .message_bytes_max = WIRE_TRANSPORT_BYTES_MAX};
    struct error error = {0};
    struct uplink *uplink = uplink_create(&settings, &error);
    assert_non_null(uplink);
    return uplink;
}

static void end_at_once(struct uplink *uplink)
{
    char ca_file[64];
    int64_t began_ms = clock_monotonic_ms();
    uplink_destroy(uplink);
    assert_true(clock_monotonic_ms() - began_ms < NEGOTIATION_MS / 2);
    snprintf(ca_file, sizeof ca_file, "/tmp/uplink-end-%d.pem", (int)getpid());
    unlink(ca_file);
}

static int listen_somewhere(char *address, size_t bytes)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &length), 0);
    snprintf(address, bytes, "127.0.0.1:%d", ntohs(name.sin_port));
    return listener;
}

static void a_name_that_is_being_looked_up_does_not_keep_it(void **state)
{
    (void)state;
    struct uplink *uplink = make_uplink(true);
    pthread_mutex_lock(&gate);
    assert_int_equal(uplink_dial(uplink, SLOW_NAME ":7946", NULL), 0);
    while (lookups == 0)
        clock_sleep_ms(1);
    assert_int_equal(uplink_dial(uplink, SLOW_NAME ":7947", NULL),
                     0); // nor does it keep us from calling anew
    while (lookups == 1)
        clock_sleep_ms(1);
    end_at_once(uplink);
    pthread_mutex_unlock(&gate);
}

// `bytes`: what the peer says before it falls silent.
static void end_before(bool insecure, const void *bytes, size_t length)
{
    char address[32], heard[64];
    int listener = listen_somewhere(address, sizeof address);
    struct uplink *uplink = make_uplink(insecure);
    assert_int_equal(uplink_dial(uplink, address, NULL), 0);
    int peer = accept(listener, NULL, NULL);
    assert_true(recv(peer, heard, sizeof heard, 0) > 0); // it has begun to negotiate
    if (length > 0) {
        assert_int_equal(send(peer, bytes, length, MSG_NOSIGNAL), length);
        clock_sleep_ms(20);
    }
    assert_false(uplink_connected(uplink));
    end_at_once(uplink);
    close(peer);
    close(listener);
}

static void a_peer_that_says_nothing_does_not_keep_it(void **state)
{
    (void)state;
    end_before(true, NULL, 0);
    end_before(false, NULL, 0);
}

static void a_peer_that_falls_silent_in_mid_handshake_does_not_keep_it(void **state)
{
    (void)state;
    static const unsigned char half_a_header[] = {0, 'S', 'P', 0};
    static const unsigned char half_a_record[] = {22, 3, 3, 0, 80, 2, 0, 0}; // of a ServerHello
    end_before(true, half_a_header, sizeof half_a_header);
    end_before(false, half_a_record, sizeof half_a_record);
}

static void a_port_that_nobody_listens_on_does_not_keep_it(void **state)
{
    (void)state;
    char address[32];
    int listener = listen_somewhere(address, sizeof address);
    close(listener);
    for (int i = 0; i < 50; i++) { // at another moment of its calling each time
        struct uplink *uplink = make_uplink(i % 2 == 0);
        assert_int_equal(uplink_dial(uplink, address, NULL), 0);
        usleep((useconds_t)(i * 700));
        end_at_once(uplink);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_is_being_looked_up_does_not_keep_it),
        cmocka_unit_test(a_peer_that_says_nothing_does_not_keep_it),
        cmocka_unit_test(a_peer_that_falls_silent_in_mid_handshake_does_not_keep_it),
        cmocka_unit_test(a_port_that_nobody_listens_on_does_not_keep_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// What this room is for: what the tests of links share: a REP server that echoes, a REQ client, and peers
// that go away in the ways that stop a stock NNG listener or dialer. What it knows: sockets. What it may not
// do: wait without a bound.
#ifndef VPSIE_TESTS_UNIT_COMMON_LINK_BENCH_H
#define VPSIE_TESTS_UNIT_COMMON_LINK_BENCH_H

#include <pthread.h>
#include <stdbool.h>

#include "common/link.h"

#define BENCH_TIMEOUT_MS     20000 // generous: a machine may be busy
#define BENCH_PATH_BYTES_MAX 100
#define BENCH_MESSAGE_MAX    (64u * 1024u)
#define BENCH_RECONNECT_MS   5
#define BENCH_URL_BYTES_MAX  160
#define BENCH_RUDE_PEERS     200 // some tens are enough on every transport

// Files of one test run: certificates, sockets.
struct bench_files {
    char directory[64];
    char ca[BENCH_PATH_BYTES_MAX], certificate[BENCH_PATH_BYTES_MAX], key[BENCH_PATH_BYTES_MAX];
    char other_ca[BENCH_PATH_BYTES_MAX];
    char expired_certificate[BENCH_PATH_BYTES_MAX], expired_key[BENCH_PATH_BYTES_MAX];
    char socket[BENCH_PATH_BYTES_MAX];
};
void bench_files_make(struct bench_files *files);
void bench_files_remove(struct bench_files *files);
struct link_tls bench_server_tls(const struct bench_files *files);
struct link_tls bench_client_tls(const struct bench_files *files);

struct bench_server {
    nng_socket socket;
    nng_listener listener;
    int port;
    pthread_t thread;
};
// Listens on `url` (port 0: any) and sends every request back.
void bench_server_start(struct bench_server *server, const char *url, const struct link_tls *tls);
void bench_server_stop(struct bench_server *server);

// A new client: one request, one reply. False when it did not come within timeout_ms.
bool bench_exchange(const char *url, const struct link_tls *tls, int timeout_ms);
// The same with a socket that is there already.
bool bench_ask(nng_socket socket);

// Connects and goes away at once.
void bench_rude_ipc(const char *path);
// Connects, sends `hello`, ends its side after pause_us, and resets the connection.
void bench_rude_tcp(int port, const void *hello, size_t hello_bytes, unsigned pause_us);
// The first bytes of a TLS client. Returns their length.
size_t bench_client_hello(unsigned char *bytes, size_t bytes_max);

// A listening socket that greets nobody: -1 when it could not be had.
int bench_rude_listener_ipc(const char *path);
int bench_rude_listener_tcp(int *port);
// Takes `count` connections and resets each. False when one did not come in time.
bool bench_rude_listener_serve(int listener, int count);

#endif

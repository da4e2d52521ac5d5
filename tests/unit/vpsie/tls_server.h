// What this room is for: a TLS server on loopback that does exactly what a test's script says: answers, half
// answers, resets, silence. What it knows: sockets, OpenSSL, where an HTTP request ends. What it may not do:
// be polite.
#ifndef VPSIE_TESTS_UNIT_VPSIE_TLS_SERVER_H
#define VPSIE_TESTS_UNIT_VPSIE_TLS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

enum tls_then {
    TLS_THEN_NEXT,  // keep the connection, wait for the next request
    TLS_THEN_CLOSE, // close it in order
    TLS_THEN_RESET, // RST
    TLS_THEN_HOLD   // say nothing more until the server stops
};
struct tls_step {
    const char *raw; // bytes of the answer, as they are; NULL: none
    enum tls_then then;
};

struct tls_server;
// The n-th request that arrives (over all connections) gets the n-th step, later ones the last.
struct tls_server *tls_server_start(const struct tls_step *steps, size_t step_count);
void tls_server_stop(struct tls_server *server);
int tls_server_port(const struct tls_server *server);
const char *tls_server_certificate(const struct tls_server *server); // PEM, self-signed: its own authority
size_t tls_server_requests(struct tls_server *server);
size_t tls_server_connections(struct tls_server *server);
// A copy of the i-th request, head and body. The caller frees.
char *tls_server_request(struct tls_server *server, size_t index);
// Reset connections before the handshake, or leave them in it without a word.
void tls_server_refuse(struct tls_server *server, bool reset, bool silent);

#endif

// What this room is for: NNG sockets set up the one right way: TLS, limits, timeouts, permissions, and the
// link-time wraps (link_wraps.c, link_wraps_closing.c) without which one stray connection stops a listener
// for ever, one rude peer keeps connections from ever being freed, and every CPU costs five threads. What it
// knows: NNG and its TLS engine. What it may not do: know what is in a message.
#ifndef VPSIE_COMMON_LINK_H
#define VPSIE_COMMON_LINK_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct link_tls {
    const char *ca_file;   // PEM; dialer: who may have signed the server. Listener: unused.
    const char *cert_file; // PEM chain; listener
    const char *key_file;  // PEM; listener
    // Dialer: name in the certificate; NULL or "": the host of the address. Needed when the address is an IP
    // address: mbedTLS before 3 compares with the names of a certificate only, never with its IP addresses.
    const char *server_name;
};

// Addresses: "host:port", "[v6]:port", "tls+tcp://host:port", "tcp://host:port", "ipc:///path",
// "inproc://name". A bare host:port becomes tls+tcp, or tcp when `insecure`. "tcp://" without `insecure` is
// an error that says so. Writes the NNG URL. An address without a port gets `default_port`.
int link_url(const char *address, bool insecure, int default_port, char *url, size_t url_bytes,
             struct error *error);

// Listen with `socket` on `url`. TLS files are read now (again at each call). `mode` is for ipc only (set
// before the listener starts; a stale socket file is removed first, a living listener's is an error). Writes
// the bound port to *port when not NULL.
int link_listen(nng_socket socket, const char *url, const struct link_tls *tls, int mode,
                nng_listener *listener, int *port, struct error *error);

// For a TLS listener that runs: connections accepted from now on (but for the one that is being waited for)
// get the certificate that the files hold now; those that stand are left alone. -1 leaves everything as it
// was; error->code NNG_EBUSY: this NNG cannot (newer ones do not): close the listener and listen anew.
// *retired is NULL at first; afterwards it holds what went out of use, since the library may be about to take
// a last look at it: hand it in with the next renewal, and to link_free_retired() after the listener is
// closed.
int link_renew_certificate(nng_listener listener, const char *url, const struct link_tls *tls, void **retired,
                           struct error *error);
void link_free_retired(void *retired); // NULL is fine

// Dial in the background (NNG_FLAG_NONBLOCK) with reconnect between min_ms and max_ms.
int link_dial(nng_socket socket, const char *url, const struct link_tls *tls, int reconnect_min_ms,
              int reconnect_max_ms, nng_dialer *dialer, struct error *error);

// Limits every socket of ours has: receive size, no send that blocks for ever. Call it before link_listen()
// and link_dial(), which take the size over. A connection that sends more is closed.
int link_limits(nng_socket socket, size_t message_bytes_max, int send_timeout_ms, int receive_timeout_ms,
                struct error *error);

#endif

// What this room is for: one HTTPS server on loopback with faults that can be switched on, by libmicrohttpd.
// What it knows: HTTP. What it may not do: know Kubernetes or VPSie; those are its handlers.
#ifndef VPSIE_TESTS_SERVERS_HTTPS_H
#define VPSIE_TESTS_SERVERS_HTTPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct MHD_Connection;

struct https_request {
    const char *method;
    const char *path; // percent-decoded
    const char *body; // terminated; "" without
    size_t body_bytes;
    struct MHD_Connection *connection;
};
const char *https_query(const struct https_request *request, const char *name);  // NULL when absent
const char *https_header(const struct https_request *request, const char *name); // NULL when absent

// A stream (a watch): called again and again on the connection's thread. Writes at most `room` bytes and
// returns how many; 0: nothing yet (the callee has waited a little); -1: the stream is over.
typedef int64_t (*https_stream)(void *state, char *bytes, size_t room);

struct https_response {
    int status;
    char *body;               // malloc'ed, taken over; NULL: empty
    const char *content_type; // NULL: application/json
    int64_t retry_after_seconds;
    https_stream stream; // instead of a body
    void *stream_state;
    void (*stream_free)(void *state);
};
// Called on the connection's own thread.
typedef void (*https_handler)(void *context, const struct https_request *request,
                              struct https_response *response);

// Percentages are of requests, drawn from a seeded generator. All zero: a server that behaves.
struct https_faults {
    int64_t latency_ms;          // before the handler
    int32_t error_percent;       // 500 without doing anything
    int32_t error_after_percent; // 500 after it was done
    int32_t throttle_percent;    // 429 with Retry-After: 1, nothing done
    int32_t drop_percent;        // connection closed, nothing done
    int32_t drop_after_percent;  // done, then the connection is closed without an answer
    int32_t half_body_percent;   // done, then half an answer
    int32_t hang_percent;        // accepted, then silence for hang_ms, then closed
    int64_t hang_ms;
    bool down;     // every request is cut off
    int32_t times; // so many requests meet a fault, then all are well again; 0: no end
    // Only for paths that contain this text; NULL or "": all.
    char path[128];
    char method[16]; // "": all
};

struct https;
// Listens on 127.0.0.1:port (0: any). PEM texts are copied.
struct https *https_start(int port, const char *cert_pem, const char *key_pem, https_handler handler,
                          void *context, uint64_t seed, struct error *error);
int https_port(const struct https *https);
void https_stop(struct https *https);
void https_set_faults(struct https *https, const struct https_faults *faults); // NULL: none. Any thread.
uint64_t https_requests(const struct https *https);                            // taken in so far
uint64_t https_faulted(const struct https *https);                             // of them, answered by a fault

#endif

// What this room is for: one HTTPS call the right way, by libcurl: verified TLS, limits, timeouts, and an
// honest account of what is known when it fails. What it knows: HTTP. What it may not do: retry, know
// Kubernetes or VPSie, log bodies.
#ifndef VPSIE_COORDINATOR_HTTP_H
#define VPSIE_COORDINATOR_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/text.h"

// Trust and identity of one server. Strings are copied by http_create().
struct http_trust {
    const char *ca_file;          // PEM file; NULL: the system's
    const char *ca_data;          // PEM text; wins over ca_file
    const char *client_cert_data; // PEM text or NULL
    const char *client_key_data;
    const char
        *server_name; // expected name in the certificate when it differs from the URL's host; NULL: the host
    bool insecure_skip_verify; // only a kubeconfig may say so
};

// A client keeps connections alive between calls. Use from one thread at a time.
struct http;
struct http *http_create(const struct http_trust *trust, const char *user_agent, struct error *error);
void http_destroy(struct http *http);
void http_global_init(void); // once, before threads; SIGPIPE is ignored from here on

// Called with each piece of a 2xx body as it comes; return false to stop the transfer (HTTP_STOPPED).
typedef bool (*http_chunk)(void *context, const char *bytes, size_t length);

struct http_request {
    const char *method;       // "GET", "POST", "PUT", "PATCH", "DELETE"
    const char *url;          // https:// only, else refused before anything is sent
    const char *content_type; // with a body
    const char *body;         // NULL: none
    size_t body_bytes;
    const char *const *headers; // "Name: value"; may hold secrets: never logged
    size_t header_count;
    int64_t connect_timeout_ms; // 0: 10 s
    int64_t timeout_ms;         // whole call; 0: none (watches)
    int64_t idle_timeout_ms;    // no byte for so long: HTTP_TIMEOUT; 0: none
    size_t response_bytes_max;  // of a collected body; more is HTTP_TOO_LARGE; 0: 1 MiB
    http_chunk on_chunk;        // NULL: collect into response->body
    void *context;
    const volatile bool
        *stop; // polled about twice a second; true ends the call with HTTP_STOPPED; may be NULL
    // Asked once the connection stands, right before the first byte of the request leaves
    // (CURLOPT_PREREQFUNCTION); false: HTTP_NOT_SENT. NULL: not asked. For the last look at a fence.
    bool (*may_send)(void *may_send_context);
    void *may_send_context;
};

enum http_result {
    HTTP_ANSWERED,  // a complete answer with `status`, whatever it is
    HTTP_NOT_SENT,  // nothing of the request reached the peer: name, connect, TLS failure
    HTTP_BROKEN,    // request sent at least in part; connection lost or answer cut short
    HTTP_TIMEOUT,   // as BROKEN, by time
    HTTP_TOO_LARGE, // as BROKEN: the answer was over the limit
    HTTP_STOPPED
};

struct http_response {
    enum http_result result;
    int status;             // when a status line came, else 0
    bool sent;              // a byte of the request may have left; false is certain, whatever the result
    struct text body;       // collected (also of non-2xx when streaming)
    int64_t retry_after_ms; // header Retry-After, seconds or a date; 0 without; at most one hour
    char date[64];          // header Date, "" without
    struct error error;     // why not HTTP_ANSWERED; names host and cause, never headers
};

// Redirects are not followed. HTTP/1.1: a client makes one call at a time, so there is nothing to multiplex,
// and what became of a request is certain. Blocks for the call. Free with http_response_free(). A kept
// connection that turns out dead before anything was sent is replaced by libcurl itself; when a byte may have
// been sent on it, only a GET is sent again, everything else is HTTP_BROKEN, never silently repeated.
// A URL that is not https://, or a header with a line break, is HTTP_NOT_SENT.
void http_call(struct http *http, const struct http_request *request, struct http_response *response);
// The same on a fresh connection, so that "not sent" is certain: for the one call that must never happen
// twice.
void http_call_once(struct http *http, const struct http_request *request, struct http_response *response);
void http_response_free(struct http_response *response);

// Percent-encode one path segment or query value into `out`.
void http_escape(struct text *out, const char *value);

#endif

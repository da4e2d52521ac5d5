// What this room is for: one request to the API server: its address, our token, the fence, the metrics, and
// what the answer means. What it knows: Kubernetes' Status and HTTP. What it may not do: know any kind of
// object, decide to repeat a write.
#ifndef VPSIE_COORDINATOR_KUBE_API_H
#define VPSIE_COORDINATOR_KUBE_API_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "coordinator/decide/event.h"
#include "coordinator/http.h"
#include "coordinator/kube/access.h"

// How requests travel: libcurl, or a script in unit tests. Any thread.
struct api_transport {
    void *context;
    void (*call)(void *context, const struct http_request *request, struct http_response *response);
};

struct api_options {
    const struct access *access;           // copied as far as needed; must outlive api
    const struct api_transport *transport; // NULL: libcurl
    bool read_only;                        // dry run: every write is refused before anything is sent
    // Asked before a write of a term leaves, twice: at once, and when the connection stands.
    bool (*may_act)(void *context, uint64_t term);
    // The API server has not answered for API_UNREACHABLE_MS, or answers again. One call at a time.
    void (*on_state)(void *context, bool reachable, const char *detail);
    void *context;
    int64_t (*now_ms)(void *context); // NULL: the monotonic clock
    void *now_context;
};
#define API_UNREACHABLE_MS 10000
#define API_TIMEOUT_MS     30000

struct api;
struct api *api_create(const struct api_options *options);
void api_destroy(struct api *api); // no call may be running
// Ends all running calls (HTTP_STOPPED) and waits; later calls answer HTTP_STOPPED, except those that ignore
// it.
void api_stop(struct api *api);
bool api_stopping(struct api *api);
// Waits; false at once when stopping.
bool api_wait(struct api *api, int64_t ms);
bool api_reachable(struct api *api);

enum api_guard {
    API_READ,   // reads, reviews, and the certificate for agents: always
    API_WRITE,  // writes that no term guards (the Lease itself): not in dry run
    API_FENCED, // writes of a leader: not in dry run, and only while `term` leads
};

struct api_request {
    const char *verb, *kind; // for metrics: "patch", "Node"
    const char *method;
    const char *path;         // "/api/v1/nodes/w-1?fieldManager=..."; escaped
    const char *body;         // NULL: none
    const char *content_type; // NULL: application/json
    int64_t timeout_ms;       // 0: API_TIMEOUT_MS; < 0: none
    int64_t idle_timeout_ms;
    size_t response_bytes_max; // 0: 16 MiB
    http_chunk on_chunk;       // as in http.h
    void *context;
    enum api_guard guard;
    uint64_t term;    // with API_FENCED
    bool ignore_stop; // the Lease is released while everything else has stopped
    bool secret_body; // the answer is wiped when freed
};

// What came of it. Zero-initialised by api_call(); free with api_reply_free().
struct api_reply {
    enum http_result result; // HTTP_NOT_SENT also when a guard refused it
    int status;              // HTTP status when HTTP_ANSWERED, else 0
    bool sent;               // false is certain: not one byte left
    bool wipe;
    int64_t retry_after_ms;
    cJSON *json;       // the body of an answer that was not streamed, when it was JSON
    char reason[64];   // Status.reason of a failure ("AlreadyExists")
    char message[480]; // why it is not a success, for people; "" on success
};
#define AUTOREPLY __attribute__((cleanup(api_reply_free)))
void api_call(struct api *api, const struct api_request *request, struct api_reply *reply);
void api_reply_free(struct api_reply *reply);
bool api_succeeded(const struct api_reply *reply); // answered with 2xx
// A read that is repeated (three times in all, with short waits) when nothing definite came.
void api_read(struct api *api, const struct api_request *request, struct api_reply *reply);

// The outcome of a write that did not succeed, or OUTCOME_OK.
enum outcome api_outcome(const struct api_reply *reply);

#endif

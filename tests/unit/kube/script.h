// What this room is for: an API server that is a function: tests answer each request as they like.
// What it knows: the transport of api.h. What it may not do: open a socket.
#ifndef VPSIE_TESTS_UNIT_KUBE_SCRIPT_H
#define VPSIE_TESTS_UNIT_KUBE_SCRIPT_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/arena.h"
#include "coordinator/kube/api.h"
#include "coordinator/kube/json.h"

struct script;
// Fills the response; called under the script's lock, from any thread.
typedef void (*script_answer)(struct script *script, const struct http_request *request,
                              struct http_response *response);
#define SCRIPT_CALLS_MAX 512
struct script {
    script_answer answer;
    void *context;
    pthread_mutex_t lock;
    // What was asked so far, "PATCH /api/v1/nodes/a?... {body}"
    char *calls[SCRIPT_CALLS_MAX];
    unsigned call_count;
    char *authorization; // of the last call
    struct access access;
    struct api *api;
    int64_t now_ms; // a clock that tests turn
};

void script_start(struct script *script, script_answer answer, void *context);
// The same with the guard of writes.
void script_start_with(struct script *script, script_answer answer, void *context,
                       const struct api_options *options);
void script_stop(struct script *script);
struct api_transport script_transport(struct script *script);
int64_t script_now(void *script); // for now_ms hooks

// Answers with JSON in which ' stands for ".
void script_json(struct http_response *response, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// A body of 200 that is delivered piece by piece where the request streams.
void script_stream(const struct http_request *request, struct http_response *response, const char *format,
                   ...) __attribute__((format(printf, 3, 4)));
void script_fail(struct http_response *response, enum http_result result);
bool script_is(const struct http_request *request, const char *method, const char *path_prefix);
const char *script_path(const struct http_request *request); // without the server
// How many calls began with `text`.
unsigned script_count(struct script *script, const char *text);
// The last call that begins with `text`, "" when none.
const char *script_last(struct script *script, const char *text);

// JSON with ' for "; the caller frees.
cJSON *script_parse(const char *text);
char *script_quotes(const char *text); // ' becomes "

#endif

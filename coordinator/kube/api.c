#include "coordinator/kube/api.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/version.h"
#include "coordinator/kube/json.h"

#define TOKEN_BYTES_MAX    (64u << 10)
#define RESPONSE_BYTES_MAX ((size_t)16 << 20)
#define CLIENTS_KEPT       32u
#define READ_ATTEMPTS      3
#define READ_PAUSE_MS      INT64_C(200)

struct api {
    struct api_options options;
    struct api_transport transport;
    volatile bool stop; // read by running calls
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    // under lock: connections not in use, and the token as last read
    struct http *clients[CLIENTS_KEPT];
    uint32_t client_count;
    char *token;
    struct timespec token_changed;
    ino_t token_inode;
    off_t token_bytes;
    bool token_missing; // said once
    pthread_mutex_t state_lock;
    int64_t failing_since_ms; // 0: answering
    int64_t answered_ms;      // when it answered last
    bool known;
    bool reachable; // atomic: asked by threads that must not wait for a telling
};

// ---------------------------------------------------------------------------------------------- transport

static struct http *take_client(struct api *api, struct error *error)
{
    struct http *client = NULL;
    pthread_mutex_lock(&api->lock);
    if (api->client_count > 0)
        client = api->clients[--api->client_count];
    pthread_mutex_unlock(&api->lock);
    if (client)
        return client;
    struct http_trust trust = access_trust(api->options.access);
    AUTOFREE char *agent = xprintf("vpsie-coordinator/%s", version_text());
    return http_create(&trust, agent, error);
}

static void give_client(struct api *api, struct http *client)
{
    pthread_mutex_lock(&api->lock);
    if (api->client_count < CLIENTS_KEPT) {
        api->clients[api->client_count++] = client;
        client = NULL;
    }
    pthread_mutex_unlock(&api->lock);
    http_destroy(client);
}

static void call_by_libcurl(void *context, const struct http_request *request, struct http_response *response)
{
    struct api *api = context;
    struct error error = {0};
    struct http *client = take_client(api, &error);
    if (!client) {
        *response = (struct http_response){.result = HTTP_NOT_SENT, .error = error};
        return;
    }
    http_call(client, request, response);
    give_client(api, client);
}

static int64_t monotonic_ms(void *context)
{
    (void)context;
    return clock_monotonic_ms();
}

static int64_t now_ms(const struct api *api)
{
    return api->options.now_ms(api->options.now_context);
}

struct api *api_create(const struct api_options *options)
{
    assert(options->access && options->access->server);
    struct api *api = xcalloc(1, sizeof(*api));
    api->options = *options;
    if (!api->options.now_ms)
        api->options.now_ms = monotonic_ms;
    api->transport = options->transport ? *options->transport
                                        : (struct api_transport){.context = api, .call = call_by_libcurl};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&api->stopped, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&api->lock, NULL);
    pthread_mutex_init(&api->state_lock, NULL);
    return api;
}

static void free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void api_destroy(struct api *api)
{
    if (!api)
        return;
    for (uint32_t i = 0; i < api->client_count; i++)
        http_destroy(api->clients[i]);
    free_secret(api->token);
    pthread_cond_destroy(&api->stopped);
    pthread_mutex_destroy(&api->lock);
    pthread_mutex_destroy(&api->state_lock);
    free(api);
}

void api_stop(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    __atomic_store_n(&api->stop, true, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&api->stopped);
    pthread_mutex_unlock(&api->lock);
}

bool api_stopping(struct api *api)
{
    return __atomic_load_n(&api->stop, __ATOMIC_SEQ_CST);
}

bool api_wait(struct api *api, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&api->lock);
    while (!api_stopping(api) && pthread_cond_timedwait(&api->stopped, &api->lock, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&api->lock);
    return !api_stopping(api);
}

// ------------------------------------------------------------------------------------------------ identity

static bool token_is_current(const struct api *api, const struct stat *file)
{
    return api->token && file->st_ino == api->token_inode && file->st_size == api->token_bytes &&
           file->st_mtim.tv_sec == api->token_changed.tv_sec &&
           file->st_mtim.tv_nsec == api->token_changed.tv_nsec;
}

// Kubelets renew the token file; it is read again whenever it changed. Under lock.
static void refresh_token(struct api *api)
{
    const char *path = api->options.access->token_file;
    struct stat file;
    struct error error = {0};
    AUTOTEXT struct text text = {0};
    if (stat(path, &file) == 0 && token_is_current(api, &file))
        return;
    if (text_read_file(path, TOKEN_BYTES_MAX, &text, &error) < 0) {
        if (!api->token_missing)
            log_event(LOG_WARN, "the token cannot be read; the last one is used", LOG_S("error", error.text),
                      LOG_END);
        api->token_missing = true;
        return;
    }
    api->token_missing = false;
    size_t length = text.length;
    while (length > 0 && strchr(" \t\r\n", text.bytes[length - 1]))
        length--;
    free_secret(api->token);
    api->token = xstrndup(text_get(&text), length);
    api->token_inode = file.st_ino;
    api->token_bytes = file.st_size;
    api->token_changed = file.st_mtim;
    if (text.bytes)
        explicit_bzero(text.bytes, text.length);
}

// "Authorization: Bearer ...", or NULL without a token. The caller frees (and wipes).
static char *authorization(struct api *api)
{
    char *header = NULL;
    pthread_mutex_lock(&api->lock);
    if (api->options.access->token_file)
        refresh_token(api);
    const char *token = api->token && *api->token ? api->token : api->options.access->token;
    if (token)
        header = xprintf("Authorization: Bearer %s", token);
    pthread_mutex_unlock(&api->lock);
    return header;
}

// ------------------------------------------------------------------------------------------- reachability

// Callers that see a change tell it one after the other, in the order in which it happened.
static void note_answer(struct api *api, bool answered, int64_t started_ms, const char *detail)
{
    pthread_mutex_lock(&api->state_lock);
    bool reachable = __atomic_load_n(&api->reachable, __ATOMIC_SEQ_CST);
    bool changed;
    if (answered) {
        api->failing_since_ms = 0;
        api->answered_ms = now_ms(api);
        changed = !api->known || !reachable;
    } else {
        if (api->failing_since_ms == 0)
            api->failing_since_ms = started_ms > api->answered_ms ? started_ms : api->answered_ms;
        bool long_enough = now_ms(api) - api->failing_since_ms >= API_UNREACHABLE_MS;
        changed = long_enough && (!api->known || reachable);
    }
    if (changed) {
        api->known = true;
        __atomic_store_n(&api->reachable, answered, __ATOMIC_SEQ_CST);
        metric_set(metrics_gauge("vpsie_autoscaler_kube_reachable", NULL, "1 while the API server answers."),
                   answered ? 1 : 0);
        if (api->options.on_state)
            api->options.on_state(api->options.context, answered, answered ? "" : detail);
    }
    pthread_mutex_unlock(&api->state_lock);
}

bool api_reachable(struct api *api)
{
    return __atomic_load_n(&api->reachable, __ATOMIC_SEQ_CST);
}

static void count_call(const struct api_request *request, const struct http_response *response,
                       int64_t duration_ms)
{
    static const double bounds[] = {0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
    char labels[160];
    char code[16] = "none";
    if (response->result == HTTP_ANSWERED)
        snprintf(code, sizeof(code), "%d", response->status);
    snprintf(labels, sizeof(labels), "verb=\"%s\",kind=\"%s\",code=\"%s\"", request->verb, request->kind,
             code);
    metric_add(metrics_counter("vpsie_autoscaler_kube_requests_total", labels,
                               "Requests to the API server by verb, kind and HTTP status."),
               1);
    if (strcmp(request->verb, "watch") == 0)
        return; // its duration says nothing
    snprintf(labels, sizeof(labels), "verb=\"%s\"", request->verb);
    metric_observe(metrics_histogram("vpsie_autoscaler_kube_request_duration_seconds", labels,
                                     "Duration of requests to the API server.", bounds,
                                     sizeof(bounds) / sizeof(bounds[0])),
                   (double)duration_ms / 1000);
}

// ------------------------------------------------------------------------------------------------ one call

struct fence {
    struct api *api;
    const struct api_request *request;
};

static const char *why_not(struct api *api, const struct api_request *request)
{
    if (request->guard == API_READ)
        return NULL;
    if (api->options.read_only)
        return "dry run: nothing is written";
    if (request->guard == API_FENCED && api->options.may_act &&
        !api->options.may_act(api->options.context, request->term))
        return "this coordinator does not lead any more";
    return NULL;
}

static bool may_send(void *context)
{
    const struct fence *fence = context;
    return why_not(fence->api, fence->request) == NULL;
}

static void keep_message(struct api_reply *reply, const char *message)
{
    size_t length = 0;
    size_t whole = strlen(message);
    while (length < whole) {
        size_t step = text_utf8_length(message + length, whole - length);
        if (step == 0 || length + step >= sizeof(reply->message))
            break;
        length += step;
    }
    memcpy(reply->message, message, length);
    reply->message[length] = '\0';
}

// A failure's text: Status.message with the causes behind it (a budget names itself only there).
static void read_status(struct api_reply *reply, const struct text *body)
{
    AUTOTEXT struct text message = {0};
    const cJSON *details = json_get(reply->json, "details");
    text_append(&message, json_text(reply->json, "message"));
    snprintf(reply->reason, sizeof(reply->reason), "%s", json_text(reply->json, "reason"));
    const cJSON *cause;
    cJSON_ArrayForEach(cause, json_get(details, "causes"))
    {
        const char *text = json_text(cause, "message");
        if (*text && !strstr(text_get(&message), text))
            text_printf(&message, "%s%s", message.length > 0 ? ": " : "", text);
    }
    if (reply->retry_after_ms == 0) {
        int64_t seconds = json_integer(details, "retryAfterSeconds", 0);
        reply->retry_after_ms = seconds > 0 && seconds <= 3600 ? seconds * 1000 : 0;
    }
    if (message.length == 0 && body->length > 0 && body->length < 200)
        text_append(&message, text_get(body));
    AUTOFREE char *whole = message.length > 0 ? xprintf("HTTP %d: %s", reply->status, text_get(&message))
                                              : xprintf("HTTP %d", reply->status);
    keep_message(reply, whole);
}

static void read_response(const struct api_request *request, struct http_response *response,
                          struct api_reply *reply)
{
    reply->result = response->result;
    reply->status = response->result == HTTP_ANSWERED ? response->status : 0;
    reply->sent = response->sent || response->result == HTTP_ANSWERED;
    reply->retry_after_ms = response->retry_after_ms;
    reply->wipe = request->secret_body;
    if (response->result != HTTP_ANSWERED) {
        keep_message(reply, response->error.text);
        return;
    }
    struct error error = {0};
    if (response->body.length > 0)
        reply->json = json_parse(response->body.bytes, response->body.length, &error);
    if (!api_succeeded(reply)) {
        read_status(reply, &response->body);
    } else if (!request->on_chunk && !reply->json) {
        // A success that cannot be read is an answer cut short: what was asked may have happened.
        reply->result = HTTP_BROKEN;
        reply->status = 0;
        keep_message(reply, error.text[0] ? error.text : "an empty answer");
    }
}

// An overloaded or failing server (5xx) is there; but it is of no use, so it counts as silence. A stream that
// breaks after minutes does not say that the server was silent all that time.
static void note_response(struct api *api, const struct api_request *request,
                          const struct http_response *response, int64_t started_ms, const char *detail)
{
    bool answered = response->result == HTTP_ANSWERED && response->status < 500;
    if (response->result == HTTP_STOPPED || (request->on_chunk && !answered && response->status == 200))
        return;
    note_answer(api, answered, request->on_chunk ? now_ms(api) : started_ms, detail);
}

void api_call(struct api *api, const struct api_request *request, struct api_reply *reply)
{
    *reply = (struct api_reply){.result = HTTP_NOT_SENT};
    if (api_stopping(api) && !request->ignore_stop) {
        reply->result = HTTP_STOPPED;
        keep_message(reply, "stopping");
        return;
    }
    const char *refusal = why_not(api, request);
    if (refusal) {
        keep_message(reply, refusal);
        return;
    }
    AUTOFREE char *url = xprintf("%s%s", api->options.access->server, request->path);
    char *bearer = authorization(api);
    const char *headers[2] = {"Accept: application/json", bearer};
    struct fence fence = {.api = api, .request = request};
    struct http_request http = {
        .method = request->method,
        .url = url,
        .content_type = request->content_type ? request->content_type : "application/json",
        .body = request->body,
        .body_bytes = request->body ? strlen(request->body) : 0,
        .headers = headers,
        .header_count = bearer ? 2 : 1,
        .connect_timeout_ms = 5000,
        .timeout_ms = request->timeout_ms < 0    ? 0
                      : request->timeout_ms == 0 ? API_TIMEOUT_MS
                                                 : request->timeout_ms,
        .idle_timeout_ms = request->idle_timeout_ms,
        .response_bytes_max = request->response_bytes_max ? request->response_bytes_max : RESPONSE_BYTES_MAX,
        .on_chunk = request->on_chunk,
        .context = request->context,
        .stop = request->ignore_stop ? NULL : &api->stop,
        .may_send = may_send,
        .may_send_context = &fence};
    struct http_response response = {0};
    int64_t started_ms = now_ms(api);
    api->transport.call(api->transport.context, &http, &response);
    free_secret(bearer);
    count_call(request, &response, now_ms(api) - started_ms);
    refusal = response.sent || response.result == HTTP_ANSWERED ? NULL : why_not(api, request);
    read_response(request, &response, reply);
    if (refusal)
        keep_message(reply, refusal);
    else
        note_response(api, request, &response, started_ms, reply->message);
    if (request->secret_body && response.body.bytes)
        explicit_bzero(response.body.bytes, response.body.length);
    http_response_free(&response);
}

static void wipe_texts(cJSON *json)
{
    for (cJSON *member = json; member; member = member->next) {
        if (member->valuestring)
            explicit_bzero(member->valuestring, strlen(member->valuestring));
        if (member->child)
            wipe_texts(member->child); // the parser bounded the depth
    }
}

void api_reply_free(struct api_reply *reply)
{
    if (reply->wipe)
        wipe_texts(reply->json);
    cJSON_Delete(reply->json);
    reply->json = NULL;
}

bool api_succeeded(const struct api_reply *reply)
{
    return reply->result == HTTP_ANSWERED && reply->status >= 200 && reply->status <= 299;
}

static bool is_passing(const struct api_reply *reply)
{
    if (reply->result == HTTP_STOPPED)
        return false;
    return reply->result != HTTP_ANSWERED || reply->status >= 500 || reply->status == 429;
}

void api_read(struct api *api, const struct api_request *request, struct api_reply *reply)
{
    assert(request->guard == API_READ);
    for (int attempt = 1;; attempt++) {
        api_call(api, request, reply);
        if (!is_passing(reply) || attempt == READ_ATTEMPTS)
            return;
        int64_t pause_ms = reply->retry_after_ms > 0 && reply->retry_after_ms < 5000
                               ? reply->retry_after_ms
                               : READ_PAUSE_MS * attempt;
        if (!api_wait(api, pause_ms))
            return;
        api_reply_free(reply);
    }
}

enum outcome api_outcome(const struct api_reply *reply)
{
    if (api_succeeded(reply))
        return OUTCOME_OK;
    if (reply->result != HTTP_ANSWERED)
        return reply->sent ? OUTCOME_UNKNOWN : OUTCOME_NOT_SENT;
    switch (reply->status) {
    case 404: return OUTCOME_NOT_FOUND;
    case 409:
    case 412: return OUTCOME_CONFLICT;
    case 429: return OUTCOME_THROTTLED;
    default: return reply->status >= 500 || reply->status < 400 ? OUTCOME_UNKNOWN : OUTCOME_REFUSED;
    }
}

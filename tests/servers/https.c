#include "tests/servers/https.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/text.h"

#define BODY_BYTES_MAX     (8u * 1024u * 1024u)
#define STREAM_BLOCK_BYTES (64u * 1024u)

struct https {
    struct MHD_Daemon *daemon;
    char *cert_pem, *key_pem;
    https_handler handler;
    void *context;
    int port;
    pthread_mutex_t lock; // guards faults and random
    struct https_faults faults;
    uint64_t random;
    atomic_bool stopping;
    atomic_uint_fast64_t requests, faulted;
};

struct upload { // one request being read
    struct text body;
    bool too_large;
};

enum fault {
    FAULT_NONE,
    FAULT_ERROR,
    FAULT_ERROR_AFTER,
    FAULT_THROTTLE,
    FAULT_DROP,
    FAULT_DROP_AFTER,
    FAULT_HALF,
    FAULT_HANG
};

const char *https_query(const struct https_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *https_header(const struct https_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static uint64_t random_next(uint64_t *state) // splitmix64
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// The last of a limited number of faults was drawn: all are well again.
static void count_down(struct https *https, const struct https_faults *drawn)
{
    if (drawn->times == 0) {
        return;
    }
    pthread_mutex_lock(&https->lock);
    if (https->faults.times > 0 && --https->faults.times == 0) {
        https->faults = (struct https_faults){0};
    }
    pthread_mutex_unlock(&https->lock);
}

// Which fault does this request meet? Copies the settings out, so that sleeping needs no lock.
static enum fault draw_fault(struct https *https, const char *method, const char *path,
                             struct https_faults *out)
{
    pthread_mutex_lock(&https->lock);
    *out = https->faults;
    int32_t dice = (int32_t)(random_next(&https->random) % 100u);
    pthread_mutex_unlock(&https->lock);
    if ((out->path[0] != '\0' && strstr(path, out->path) == NULL) ||
        (out->method[0] != '\0' && strcmp(method, out->method) != 0)) {
        memset(out, 0, sizeof *out);
        return FAULT_NONE;
    }
    if (out->down) {
        return FAULT_DROP;
    }
    const struct {
        int32_t percent;
        enum fault fault;
    } table[] = {{out->error_percent, FAULT_ERROR},
                 {out->error_after_percent, FAULT_ERROR_AFTER},
                 {out->throttle_percent, FAULT_THROTTLE},
                 {out->drop_percent, FAULT_DROP},
                 {out->drop_after_percent, FAULT_DROP_AFTER},
                 {out->half_body_percent, FAULT_HALF},
                 {out->hang_percent, FAULT_HANG}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (dice < table[i].percent) {
            count_down(https, out);
            return table[i].fault;
        }
        dice -= table[i].percent;
    }
    return FAULT_NONE;
}

static void wait_ms(struct https *https, int64_t ms)
{
    int64_t until = clock_monotonic_ms() + ms;
    while (!atomic_load(&https->stopping) && clock_monotonic_ms() < until) {
        clock_sleep_ms(5);
    }
}

// ---------------------------------------------------------------------------------------------- answers

struct half { // half an answer, then the connection breaks
    char *body;
    size_t length;
};

static ssize_t half_read(void *state, uint64_t position, char *bytes, size_t room)
{
    struct half *half = state;
    size_t end = half->length / 2;
    if (position >= end) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t count = end - (size_t)position;
    count = count < room ? count : room;
    memcpy(bytes, half->body + position, count);
    return (ssize_t)count;
}

static void half_free(void *state)
{
    struct half *half = state;
    free(half->body);
    free(half);
}

struct streaming {
    struct https *https;
    https_stream stream;
    void *state;
    void (*free_state)(void *state);
};

static ssize_t stream_read(void *context, uint64_t position, char *bytes, size_t room)
{
    (void)position;
    struct streaming *streaming = context;
    for (;;) {
        if (atomic_load(&streaming->https->stopping)) {
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        pthread_mutex_lock(&streaming->https->lock);
        bool down = streaming->https->faults.down;
        pthread_mutex_unlock(&streaming->https->lock);
        if (down) {
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        int64_t count = streaming->stream(streaming->state, bytes, room);
        if (count < 0) {
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        if (count > 0) {
            return (ssize_t)count;
        }
    }
}

static void stream_free(void *context)
{
    struct streaming *streaming = context;
    if (streaming->free_state != NULL) {
        streaming->free_state(streaming->state);
    }
    free(streaming);
}

static enum MHD_Result send_answer(struct https *https, struct MHD_Connection *connection,
                                   struct https_response *response, bool half)
{
    struct MHD_Response *answer;
    size_t length = response->body != NULL ? strlen(response->body) : 0;
    if (response->stream != NULL) {
        struct streaming *streaming = xcalloc(1, sizeof *streaming);
        *streaming =
            (struct streaming){https, response->stream, response->stream_state, response->stream_free};
        answer = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read,
                                                   streaming, stream_free);
    } else if (half && length > 1) {
        struct half *state = xcalloc(1, sizeof *state);
        *state = (struct half){response->body, length};
        answer = MHD_create_response_from_callback(length, 1024, half_read, state, half_free);
    } else {
        answer = MHD_create_response_from_buffer(length, response->body, MHD_RESPMEM_MUST_FREE);
    }
    MHD_add_response_header(answer, "Content-Type",
                            response->content_type != NULL ? response->content_type : "application/json");
    if (response->retry_after_seconds > 0) {
        char seconds[32];
        snprintf(seconds, sizeof seconds, "%lld", (long long)response->retry_after_seconds);
        MHD_add_response_header(answer, "Retry-After", seconds);
    }
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)response->status, answer);
    MHD_destroy_response(answer);
    return result;
}

static enum MHD_Result send_text(struct https *https, struct MHD_Connection *connection, int status,
                                 const char *body, int64_t retry_after_seconds)
{
    struct https_response response = {
        .status = status, .body = xstrdup(body), .retry_after_seconds = retry_after_seconds};
    return send_answer(https, connection, &response, false);
}

static void discard(struct https_response *response)
{
    free(response->body);
    if (response->stream != NULL && response->stream_free != NULL) {
        response->stream_free(response->stream_state);
    }
}

// MHD_NO closes the connection without a word: what a client sees when a server dies.
static enum MHD_Result answer(struct https *https, struct MHD_Connection *connection,
                              const struct https_request *request)
{
    struct https_faults faults;
    enum fault fault = draw_fault(https, request->method, request->path, &faults);
    atomic_fetch_add(&https->requests, 1);
    if (fault != FAULT_NONE) {
        atomic_fetch_add(&https->faulted, 1);
    }
    if (faults.latency_ms > 0) {
        wait_ms(https, faults.latency_ms);
    }
    switch (fault) {
    case FAULT_ERROR:
        return send_text(https, connection, 500,
                         "{\"error\":true,\"code\":500,\"message\":\"internal error\"}", 0);
    case FAULT_THROTTLE:
        return send_text(https, connection, 429,
                         "{\"error\":true,\"code\":429,\"message\":\"too many requests\"}", 1);
    case FAULT_DROP: return MHD_NO;
    case FAULT_HANG: wait_ms(https, faults.hang_ms); return MHD_NO;
    default: break;
    }
    struct https_response response = {.status = 200};
    https->handler(https->context, request, &response);
    if (fault == FAULT_DROP_AFTER || fault == FAULT_ERROR_AFTER) {
        discard(&response);
        return fault == FAULT_DROP_AFTER ? MHD_NO
                                         : send_text(https, connection, 502, "<html>bad gateway</html>", 0);
    }
    return send_answer(https, connection, &response, fault == FAULT_HALF);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_bytes, void **slot)
{
    (void)version;
    struct https *https = context;
    struct upload *upload = *slot;
    if (upload == NULL) {
        *slot = xcalloc(1, sizeof *upload);
        return MHD_YES;
    }
    if (*upload_bytes > 0) {
        upload->too_large = upload->too_large || upload->body.length + *upload_bytes > BODY_BYTES_MAX;
        if (!upload->too_large) {
            text_append_bytes(&upload->body, upload_data, *upload_bytes);
        }
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (upload->too_large) {
        return send_text(https, connection, 413, "{\"message\":\"request entity too large\"}", 0);
    }
    struct https_request request = {.method = method,
                                    .path = url,
                                    .body = text_get(&upload->body),
                                    .body_bytes = upload->body.length,
                                    .connection = connection};
    return answer(https, connection, &request);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    struct upload *upload = *slot;
    if (upload != NULL) {
        text_free(&upload->body);
        free(upload);
        *slot = NULL;
    }
}

struct https *https_start(int port, const char *cert_pem, const char *key_pem, https_handler handler,
                          void *context, uint64_t seed, struct error *error)
{
    struct https *https = xcalloc(1, sizeof *https);
    https->cert_pem = xstrdup(cert_pem);
    https->key_pem = xstrdup(key_pem);
    https->handler = handler;
    https->context = context;
    https->random = seed;
    pthread_mutex_init(&https->lock, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    https->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_TLS, (uint16_t)port, NULL,
        NULL, on_request, https, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_HTTPS_MEM_CERT,
        https->cert_pem, MHD_OPTION_HTTPS_MEM_KEY, https->key_pem, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        NULL, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_CONNECTION_LIMIT, 512u, MHD_OPTION_END);
    if (https->daemon == NULL) {
        error_set(error, 0, "cannot serve HTTPS on 127.0.0.1:%d (is libmicrohttpd built with TLS?)", port);
        https_stop(https);
        return NULL;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(https->daemon, MHD_DAEMON_INFO_BIND_PORT);
    https->port = info != NULL ? info->port : port;
    return https;
}

int https_port(const struct https *https)
{
    return https->port;
}

void https_stop(struct https *https)
{
    if (https == NULL) {
        return;
    }
    atomic_store(&https->stopping, true);
    if (https->daemon != NULL) {
        MHD_stop_daemon(https->daemon);
    }
    pthread_mutex_destroy(&https->lock);
    free(https->cert_pem);
    free(https->key_pem);
    free(https);
}

void https_set_faults(struct https *https, const struct https_faults *faults)
{
    pthread_mutex_lock(&https->lock);
    https->faults = faults != NULL ? *faults : (struct https_faults){0};
    pthread_mutex_unlock(&https->lock);
}

uint64_t https_requests(const struct https *https)
{
    return atomic_load(&https->requests);
}

uint64_t https_faulted(const struct https *https)
{
    return atomic_load(&https->faulted);
}

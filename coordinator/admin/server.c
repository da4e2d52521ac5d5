#include <assert.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "coordinator/admin/admin.h"

// Each worker is one REP context: one request at a time, from receiving to sending. Nobody waits in a
// callback: a request goes to the sink, and the answer comes back by admin_reply() or from the keeper, the
// one thread here, when nobody answers. The keeper also makes the socket, again and again while it cannot.

#define WORKERS           8
#define SEND_TIMEOUT_MS   5000
#define LISTEN_AGAIN_MS   1000 // after a failure, and how often the socket file is looked for
#define SOCKET_MODE       0600
#define DIRECTORY_MODE    0700
#define KEEPER_STEP_MS    20
#define PROBLEM_BYTES_MAX 600

#ifdef NNG_OPT_PEER_UID
#define PEER_UID NNG_OPT_PEER_UID
#else // up to NNG 1.5
#define PEER_UID NNG_OPT_IPC_PEER_UID
#endif

enum worker_state { WORKER_RECEIVES, WORKER_WAITS, WORKER_SENDS, WORKER_STOPPED };

struct worker {
    struct admin *admin;
    nng_ctx context;
    nng_aio *aio;
    enum worker_state state; // under admin->lock, as are the next two
    uint64_t request_id;
    int64_t deadline_ms; // monotonic
};

struct admin {
    char path[256], url[300];
    admin_sink sink;
    void *sink_context;
    nng_socket socket;
    struct worker workers[WORKERS];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t keeper;
    bool stopping;
    uint64_t next_round;
    // the keeper's own, but for the text
    bool listening;
    nng_listener listener;
    int64_t look_again_ms;
    char problem[PROBLEM_BYTES_MAX]; // under lock
};

// ---- who may speak

static void refuse_strangers(nng_pipe pipe, nng_pipe_ev event, void *argument)
{
    (void)event;
    (void)argument;
    uint64_t uid = UINT64_MAX;
    int result = nng_pipe_get_uint64(pipe, PEER_UID, &uid);
    if (result == 0 && (uid == 0 || uid == (uint64_t)geteuid()))
        return;
    log_event(LOG_WARN, "a stranger on the admin socket was refused",
              LOG_I("uid", result == 0 ? (int64_t)uid : -1), LOG_END);
    nng_pipe_close(pipe);
}

// ---- one exchange

static void receive_next(struct worker *worker)
{
    worker->state = WORKER_RECEIVES;
    nng_aio_set_timeout(worker->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(worker->context, worker->aio);
}

// With the lock held. Takes `json` over.
static void send_reply(struct worker *worker, char *json)
{
    nng_msg *message = NULL;
    size_t length = strlen(json);
    if (nng_msg_alloc(&message, length) != 0) {
        free(json);
        receive_next(worker); // the asker's own timeout tells
        return;
    }
    memcpy(nng_msg_body(message), json, length);
    free(json);
    worker->state = WORKER_SENDS;
    nng_aio_set_msg(worker->aio, message);
    nng_aio_set_timeout(worker->aio, SEND_TIMEOUT_MS);
    nng_ctx_send(worker->context, worker->aio);
}

static char *answer_log_level(const struct admin_request *request)
{
    struct error error = {0};
    enum log_level level;
    if (request->level[0] != '\0') {
        if (log_parse_level(request->level, &level, &error) < 0)
            return admin_error_reply("invalid", "%s", error.text);
        log_set_level(level);
        log_event(LOG_INFO, "log level changed", LOG_S("level", log_level_name(level)), LOG_END);
    }
    return xprintf("{\"ok\":true,\"level\":\"%s\"}", log_level_name(log_get_level()));
}

// NULL: the answer comes later.
static char *answer_now(struct worker *worker, const char *bytes, size_t length, struct admin_request **later)
{
    struct error error = {0};
    struct admin_request *request = admin_request_parse(bytes, length, &error);
    if (request == NULL)
        return admin_error_reply("invalid", "%s", error.text);
    if (request->command == ADMIN_LOG_LEVEL) {
        char *reply = answer_log_level(request);
        admin_request_free(request);
        return reply;
    }
    request->id = worker->request_id;
    *later = request;
    return NULL;
}

static void received(struct worker *worker, nng_msg *message)
{
    struct admin *admin = worker->admin;
    struct admin_request *request = NULL;
    pthread_mutex_lock(&admin->lock);
    uint64_t index = (uint64_t)(worker - admin->workers);
    worker->request_id = ++admin->next_round * WORKERS + index;
    pthread_mutex_unlock(&admin->lock);
    char *reply = answer_now(worker, nng_msg_body(message), nng_msg_len(message), &request);
    nng_msg_free(message);
    pthread_mutex_lock(&admin->lock);
    if (reply != NULL) {
        send_reply(worker, reply);
        pthread_mutex_unlock(&admin->lock);
        return;
    }
    worker->state = WORKER_WAITS;
    worker->deadline_ms = clock_monotonic_ms() + ADMIN_ANSWER_LIMIT_MS;
    uint64_t id = worker->request_id;
    pthread_cond_signal(&admin->changed);
    pthread_mutex_unlock(&admin->lock);
    if (admin->sink(admin->sink_context, request))
        return;
    admin_request_free(request);
    admin_reply(admin, id, admin_error_reply("busy", "the coordinator is busy; try again"));
}

static void aio_done(void *argument)
{
    struct worker *worker = argument;
    struct admin *admin = worker->admin;
    int result = nng_aio_result(worker->aio);
    pthread_mutex_lock(&admin->lock);
    bool sent = worker->state == WORKER_SENDS;
    if (sent && result != 0) { // the asker is gone or does not read: its reply is dropped
        nng_msg *message = nng_aio_get_msg(worker->aio);
        if (message != NULL)
            nng_msg_free(message);
        nng_aio_set_msg(worker->aio, NULL);
    }
    bool over = admin->stopping || result == NNG_ECLOSED || result == NNG_ECANCELED;
    if (over)
        worker->state = WORKER_STOPPED;
    else if (sent || result != 0)
        receive_next(worker);
    pthread_mutex_unlock(&admin->lock);
    if (over || sent || result != 0)
        return;
    nng_msg *message = nng_aio_get_msg(worker->aio);
    nng_aio_set_msg(worker->aio, NULL);
    received(worker, message);
}

void admin_reply(struct admin *admin, uint64_t request_id, char *json)
{
    assert(admin != NULL && json != NULL);
    struct worker *worker = &admin->workers[request_id % WORKERS];
    pthread_mutex_lock(&admin->lock);
    bool open = worker->state == WORKER_WAITS && worker->request_id == request_id && !admin->stopping;
    if (open)
        send_reply(worker, json);
    pthread_mutex_unlock(&admin->lock);
    if (!open)
        free(json);
}

// ---- the socket

static void set_problem(struct admin *admin, const char *text)
{
    pthread_mutex_lock(&admin->lock);
    bool news = strcmp(admin->problem, text) != 0;
    snprintf(admin->problem, sizeof(admin->problem), "%s", text);
    pthread_mutex_unlock(&admin->lock);
    if (!news)
        return;
    if (text[0] != '\0')
        log_event(LOG_ERROR, "no admin socket: status and the other commands cannot be answered; tried again",
                  LOG_S("path", admin->path), LOG_S("error", text), LOG_END);
    else
        log_event(LOG_INFO, "admin socket ready", LOG_S("path", admin->path), LOG_END);
}

// The socket's directory; one level, ours alone. One that is there stays as it is.
static int make_directory(const char *path, struct error *error)
{
    char directory[256];
    snprintf(directory, sizeof(directory), "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash == NULL || slash == directory)
        return 0;
    *slash = '\0';
    if (mkdir(directory, DIRECTORY_MODE) == 0 || errno == EEXIST)
        return 0;
    return error_set(error, errno, "cannot make the directory %s: %s", directory, strerror(errno));
}

static void try_listen(struct admin *admin)
{
    struct error error = {0};
    if (make_directory(admin->path, &error) == 0 &&
        link_listen(admin->socket, admin->url, NULL, SOCKET_MODE, &admin->listener, NULL, &error) == 0) {
        admin->listening = true;
        error_clear(&error);
    }
    set_problem(admin, error.text);
}

// Somebody may have cleaned the directory: then nobody finds us any more.
static void look_after_socket(struct admin *admin)
{
    if (admin->listening && access(admin->path, F_OK) != 0 && errno == ENOENT) {
        nng_listener_close(admin->listener);
        admin->listening = false;
        log_event(LOG_WARN, "the admin socket was removed by somebody; made again",
                  LOG_S("path", admin->path), LOG_END);
    }
    if (!admin->listening)
        try_listen(admin);
}

// With the lock held. Answers what nobody answered; returns the next deadline, monotonic.
static int64_t answer_overdue(struct admin *admin, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < WORKERS; i++) {
        struct worker *worker = &admin->workers[i];
        if (worker->state != WORKER_WAITS)
            continue;
        if (worker->deadline_ms <= now_ms)
            send_reply(worker, admin_error_reply("timeout",
                                                 "the coordinator did not answer within %d s; is it "
                                                 "very busy? see its log",
                                                 ADMIN_ANSWER_LIMIT_MS / 1000));
        else if (worker->deadline_ms < next_ms)
            next_ms = worker->deadline_ms;
    }
    return next_ms;
}

static void wait_until(struct admin *admin, int64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000L};
    (void)pthread_cond_timedwait(&admin->changed, &admin->lock, &until);
}

static void *keep(void *argument)
{
    struct admin *admin = argument;
    pthread_mutex_lock(&admin->lock);
    while (!admin->stopping) {
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= admin->look_again_ms) {
            admin->look_again_ms = now_ms + LISTEN_AGAIN_MS;
            pthread_mutex_unlock(&admin->lock);
            look_after_socket(admin);
            pthread_mutex_lock(&admin->lock);
        }
        int64_t next_ms = answer_overdue(admin, now_ms);
        if (next_ms > admin->look_again_ms)
            next_ms = admin->look_again_ms;
        if (next_ms < now_ms + KEEPER_STEP_MS)
            next_ms = now_ms + KEEPER_STEP_MS;
        if (!admin->stopping)
            wait_until(admin, next_ms);
    }
    pthread_mutex_unlock(&admin->lock);
    return NULL;
}

// ---- start, stop

static int open_socket(struct admin *admin, struct error *error)
{
    int result = nng_rep0_open(&admin->socket);
    if (result != 0)
        return error_set(error, result, "cannot open the admin socket: %s", nng_strerror(result));
    if (link_limits(admin->socket, ADMIN_REQUEST_BYTES_MAX, SEND_TIMEOUT_MS, -1, error) < 0)
        return -1;
    result = nng_pipe_notify(admin->socket, NNG_PIPE_EV_ADD_PRE, refuse_strangers, admin);
    for (size_t i = 0; result == 0 && i < WORKERS; i++) {
        struct worker *worker = &admin->workers[i];
        worker->admin = admin;
        result = nng_aio_alloc(&worker->aio, aio_done, worker);
        if (result == 0)
            result = nng_ctx_open(&worker->context, admin->socket);
    }
    return result == 0
               ? 0
               : error_set(error, result, "cannot prepare the admin socket: %s", nng_strerror(result));
}

static void free_admin(struct admin *admin)
{
    for (size_t i = 0; i < WORKERS; i++)
        if (admin->workers[i].aio != NULL)
            nng_aio_free(admin->workers[i].aio);
    pthread_cond_destroy(&admin->changed);
    pthread_mutex_destroy(&admin->lock);
    free(admin);
}

struct admin *admin_start(const struct admin_options *options, struct error *error)
{
    assert(options->path != NULL && options->sink != NULL);
    struct admin *admin = xcalloc(1, sizeof(*admin));
    admin->sink = options->sink;
    admin->sink_context = options->context;
    snprintf(admin->path, sizeof(admin->path), "%s", options->path);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&admin->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&admin->lock, NULL);
    char address[300];
    snprintf(address, sizeof(address), "ipc://%s", options->path);
    if (link_url(address, false, 0, admin->url, sizeof(admin->url), error) < 0 ||
        open_socket(admin, error) < 0) {
        if (nng_socket_id(admin->socket) > 0)
            nng_close(admin->socket);
        free_admin(admin);
        return NULL;
    }
    for (size_t i = 0; i < WORKERS; i++)
        receive_next(&admin->workers[i]);
    look_after_socket(admin);
    admin->look_again_ms = clock_monotonic_ms() + LISTEN_AGAIN_MS;
    int result = pthread_create(&admin->keeper, NULL, keep, admin);
    if (result != 0) {
        error_set(error, result, "cannot start the admin thread: %s", strerror(result));
        admin->stopping = true;
        nng_close(admin->socket);
        free_admin(admin);
        return NULL;
    }
    return admin;
}

void admin_problem(struct admin *admin, char *buffer, size_t bytes)
{
    pthread_mutex_lock(&admin->lock);
    snprintf(buffer, bytes, "%s", admin->problem);
    pthread_mutex_unlock(&admin->lock);
}

void admin_stop(struct admin *admin)
{
    if (admin == NULL)
        return;
    pthread_mutex_lock(&admin->lock);
    admin->stopping = true;
    pthread_cond_signal(&admin->changed);
    pthread_mutex_unlock(&admin->lock);
    pthread_join(admin->keeper, NULL);
    for (size_t i = 0; i < WORKERS; i++)
        nng_aio_stop(admin->workers[i].aio);
    nng_close(admin->socket); // also removes the socket file
    free_admin(admin);
}

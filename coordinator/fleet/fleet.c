#include "coordinator/fleet/fleet.h"

#include <assert.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/wire.h"
#include "coordinator/fleet/private.h"

#define CONTEXTS_DEFAULT    64u
#define CONNECTIONS_DEFAULT 16000u
#define INTERVAL_MS_DEFAULT 10000
#define SEND_TIMEOUT_MS     10000
#define CERTIFICATE_LOOK_MS 2000
#define STRANGER_MS_MAX                                                                                      \
    60000 // a connection that neither says who it is nor anything else for so long is closed
#define STRANGERS_AT_ONCE 64u

static void on_pipe(nng_pipe pipe, nng_pipe_ev happening, void *context)
{
    struct fleet *fleet = context;
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    pthread_mutex_lock(&fleet->lock);
    bool full = fleet->members.count >= fleet->options.connections_max;
    if (happening == NNG_PIPE_EV_ADD_PRE && !full) {
        members_add(&fleet->members, id)->heard_ms = clock_monotonic_ms();
    } else if (happening == NNG_PIPE_EV_REM_POST) {
        members_remove(&fleet->members, id);
    }
    metric_set(fleet->connections_metric, fleet->members.count);
    metric_set(fleet->identified_metric, fleet->members.identified);
    pthread_mutex_unlock(&fleet->lock);
    if (happening == NNG_PIPE_EV_ADD_PRE && full) {
        nng_pipe_close(pipe);
    }
}

// Connections that were opened and say nothing must not use up the number there may be.
static void close_strangers(struct fleet *fleet)
{
    uint32_t pipes[STRANGERS_AT_ONCE];
    int64_t before_ms = clock_monotonic_ms() - STRANGER_MS_MAX;
    pthread_mutex_lock(&fleet->lock);
    uint32_t count = members_strangers(&fleet->members, before_ms, pipes, STRANGERS_AT_ONCE);
    pthread_mutex_unlock(&fleet->lock);
    for (uint32_t i = 0; i < count; i++) {
        nng_pipe_close((nng_pipe){.id = pipes[i]});
    }
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

// Notes the times of both files. True when one of them is another than before.
static bool certificate_changed(struct fleet *fleet)
{
    struct stat certificate, key;
    if (stat(fleet->options.cert_file, &certificate) != 0 || stat(fleet->options.key_file, &key) != 0) {
        return false;
    }
    bool changed = !same_time(&certificate.st_mtim, &fleet->certificate_time) ||
                   !same_time(&key.st_mtim, &fleet->key_time);
    fleet->certificate_time = certificate.st_mtim;
    fleet->key_time = key.st_mtim;
    return changed;
}

static int listen_now(struct fleet *fleet, struct error *error)
{
    struct link_tls tls = {.cert_file = fleet->options.cert_file, .key_file = fleet->options.key_file};
    int result = link_listen(fleet->socket, fleet->url, fleet->options.insecure_transport ? NULL : &tls, 0,
                             &fleet->listener, &fleet->port, error);
    fleet->has_listener = result == 0;
    char *colon = strrchr(fleet->url, ':');
    if (fleet->has_listener && fleet->port != 0 &&
        colon != NULL) { // the port that was free then, if listening anew
        size_t room = sizeof fleet->url - (size_t)(colon + 1 - fleet->url);
        snprintf(colon + 1, room, "%d", fleet->port);
    }
    return result;
}

// For connections from now on; those that stand are left alone. A newer NNG does not change a listener that
// runs: then it listens anew, and agents reconnect, each after a little while of its own.
static int take_certificate(struct fleet *fleet, struct error *error)
{
    struct link_tls tls = {.cert_file = fleet->options.cert_file, .key_file = fleet->options.key_file};
    if (fleet->has_listener) {
        int result =
            link_renew_certificate(fleet->listener, fleet->url, &tls, &fleet->retired_certificate, error);
        if (result == 0 || error->code != NNG_EBUSY) {
            return result;
        }
        nng_listener_close(fleet->listener);
        fleet->has_listener = false;
    }
    return listen_now(fleet, error);
}

static void keep_certificate(struct fleet *fleet)
{
    if (certificate_changed(fleet)) {
        fleet->certificate_pending = true;
    }
    if (!fleet->certificate_pending && fleet->has_listener) {
        return;
    }
    struct error error = {0};
    if (take_certificate(fleet, &error) == 0) {
        fleet->certificate_pending = false;
        metric_add(fleet->certificates_metric, 1);
        log_event(LOG_INFO, "new connections of agents get the new certificate",
                  LOG_S("file", fleet->options.cert_file), LOG_END);
    } else {
        log_event(LOG_ERROR, "the new certificate cannot be used; the one before stays",
                  LOG_S("error", error.text), LOG_END);
    }
}

static void *upkeep_loop(void *context)
{
    struct fleet *fleet = context;
    pthread_mutex_lock(&fleet->lock);
    while (!atomic_load(&fleet->stopping)) {
        int64_t until_ms = clock_monotonic_ms() + CERTIFICATE_LOOK_MS;
        struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = (until_ms % 1000) * 1000000};
        if (pthread_cond_timedwait(&fleet->stop, &fleet->lock, &until) != ETIMEDOUT) {
            continue;
        }
        pthread_mutex_unlock(&fleet->lock);
        if (!fleet->options.insecure_transport) {
            keep_certificate(fleet);
        }
        close_strangers(fleet);
        pthread_mutex_lock(&fleet->lock);
    }
    pthread_mutex_unlock(&fleet->lock);
    return NULL;
}

static int start_workers(struct fleet *fleet, struct error *error)
{
    fleet->workers = xcalloc(fleet->options.contexts, sizeof *fleet->workers);
    for (uint32_t i = 0; i < fleet->options.contexts; i++) {
        struct worker *worker = &fleet->workers[i];
        worker->fleet = fleet;
        int failed = nng_aio_alloc(&worker->aio, intake_on_aio, worker);
        if (failed == 0 && (failed = nng_ctx_open(&worker->context, fleet->socket)) != 0) {
            nng_aio_free(worker->aio);
        }
        if (failed != 0) {
            return error_set(error, failed, "cannot prepare to receive reports: %s", nng_strerror(failed));
        }
        fleet->worker_count++;
    }
    return 0;
}

static int start_threads(struct fleet *fleet, struct error *error)
{
    for (int i = 0; i < FLEET_REVIEW_THREADS; i++) {
        if (pthread_create(&fleet->review_threads[i], NULL, intake_review_loop, fleet) != 0) {
            return error_set(error, 0, "cannot start a thread to review tokens");
        }
        fleet->review_thread_count++;
    }
    fleet->upkeep_runs = pthread_create(&fleet->upkeep_thread, NULL, upkeep_loop, fleet) == 0;
    return fleet->upkeep_runs ? 0 : error_set(error, 0, "cannot start a thread to look after certificates");
}

static int start(struct fleet *fleet, struct error *error)
{
    if (link_url(fleet->options.listen, fleet->options.insecure_transport, WIRE_DEFAULT_PORT, fleet->url,
                 sizeof fleet->url, error) < 0) {
        return -1;
    }
    int failed = nng_rep0_open(&fleet->socket);
    if (failed != 0) {
        return error_set(error, failed, "cannot open a socket for agents: %s", nng_strerror(failed));
    }
    fleet->has_socket = true;
    nng_pipe_notify(fleet->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, fleet);
    nng_pipe_notify(fleet->socket, NNG_PIPE_EV_REM_POST, on_pipe, fleet);
    if (link_limits(fleet->socket, WIRE_TRANSPORT_BYTES_MAX, SEND_TIMEOUT_MS, -1, error) < 0 ||
        start_workers(fleet, error) < 0) {
        return -1;
    }
    if (!fleet->options.insecure_transport) {
        certificate_changed(fleet);
    }
    if (listen_now(fleet, error) < 0) {
        return error_wrap(error, "agents cannot be served");
    }
    for (uint32_t i = 0; i < fleet->worker_count; i++) {
        intake_receive(&fleet->workers[i]);
    }
    return start_threads(fleet, error);
}

static struct fleet *make(const struct fleet_options *options)
{
    struct fleet *fleet = xcalloc(1, sizeof *fleet);
    fleet->options = *options;
    fleet->options.listen = xstrdup(options->listen);
    fleet->options.cert_file = xstrdup(options->cert_file != NULL ? options->cert_file : "");
    fleet->options.key_file = xstrdup(options->key_file != NULL ? options->key_file : "");
    fleet->options.contexts = options->contexts != 0 ? options->contexts : CONTEXTS_DEFAULT;
    fleet->options.connections_max =
        options->connections_max != 0 ? options->connections_max : CONNECTIONS_DEFAULT;
    fleet->options.interval_ms = options->interval_ms > 0 ? options->interval_ms : INTERVAL_MS_DEFAULT;
    if (fleet->options.interval_ms < WIRE_INTERVAL_MS_MIN) {
        fleet->options.interval_ms = WIRE_INTERVAL_MS_MIN;
    }
    pthread_mutex_init(&fleet->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&fleet->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    // At most half of the contexts wait for a review: a slow API server never stops the agents that are
    // known.
    uint32_t half = fleet->options.contexts / 2;
    fleet->reviews = queue_create(half > FLEET_REVIEW_THREADS ? half - FLEET_REVIEW_THREADS : 1);
    intake_make_metrics(fleet);
    return fleet;
}

struct fleet *fleet_start(const struct fleet_options *options, struct error *error)
{
    assert(options->sink != NULL && options->review != NULL && options->leading != NULL);
    struct fleet *fleet = make(options);
    if (options->insecure_transport) {
        log_event(LOG_WARN,
                  "agents speak plain TCP (--insecure-transport): their tokens can be read on the way",
                  LOG_END);
    }
    if (start(fleet, error) < 0) {
        fleet_stop(fleet);
        return NULL;
    }
    return fleet;
}

static void stop_threads(struct fleet *fleet)
{
    pthread_mutex_lock(&fleet->lock);
    atomic_store(&fleet->stopping, true);
    pthread_cond_broadcast(&fleet->stop);
    pthread_mutex_unlock(&fleet->lock);
    if (fleet->upkeep_runs) {
        pthread_join(fleet->upkeep_thread, NULL);
    }
    queue_close(fleet->reviews);
    for (int i = 0; i < fleet->review_thread_count; i++) {
        pthread_join(fleet->review_threads[i], NULL);
    }
}

void fleet_stop(struct fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    stop_threads(fleet);
    if (fleet->has_socket) {
        nng_close(fleet->socket);
    }
    for (uint32_t i = 0; i < fleet->worker_count; i++) {
        nng_aio_stop(fleet->workers[i].aio);
        nng_aio_free(fleet->workers[i].aio);
    }
    link_free_retired(fleet->retired_certificate);
    free(fleet->workers);
    queue_destroy(fleet->reviews);
    members_free(&fleet->members);
    directives_free(&fleet->directives);
    pthread_mutex_destroy(&fleet->lock);
    pthread_cond_destroy(&fleet->stop);
    free((char *)fleet->options.listen);
    free((char *)fleet->options.cert_file);
    free((char *)fleet->options.key_file);
    free(fleet);
}

int fleet_port(const struct fleet *fleet)
{
    return fleet->port;
}

void fleet_submit(struct fleet *fleet, struct command *command)
{
    assert(command->kind == COMMAND_AGENT_DIRECTIVE);
    pthread_mutex_lock(&fleet->lock);
    directives_put(&fleet->directives, command);
    pthread_mutex_unlock(&fleet->lock);
}

void fleet_forget_directives(struct fleet *fleet)
{
    pthread_mutex_lock(&fleet->lock);
    directives_free(&fleet->directives);
    members_want_complete(&fleet->members);
    pthread_mutex_unlock(&fleet->lock);
}

void fleet_health(struct fleet *fleet, struct fleet_health *out)
{
    pthread_mutex_lock(&fleet->lock);
    *out = (struct fleet_health){.connections = fleet->members.count,
                                 .identified = fleet->members.identified,
                                 .reports = atomic_load(&fleet->reports),
                                 .refused = atomic_load(&fleet->refused)};
    pthread_mutex_unlock(&fleet->lock);
}

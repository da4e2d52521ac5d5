#include "coordinator/fleet/fleet.h"

#include <assert.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/queue.h"
#include "coordinator/fleet/directives.h"
#include "coordinator/fleet/members.h"
#include "coordinator/fleet/report.h"

#define CONTEXTS_DEFAULT           64u
#define CONNECTIONS_DEFAULT        16000u
#define REVIEW_THREADS             4
#define SEND_TIMEOUT_MS            10000
#define DRAIN_INTERVAL_MS          1000
#define INTERVAL_MS_MAX            30000
#define INTERVAL_MS_PER_CONNECTION 6 // 5,000 agents: every 30 s
#define CERTIFICATE_LOOK_MS        2000
#define COMPLAINT_EVERY_MS         10000

enum refusal {
    REFUSAL_MALFORMED,
    REFUSAL_VERSION,
    REFUSAL_INVALID,
    REFUSAL_TOO_LARGE,
    REFUSAL_NO_CREDENTIAL,
    REFUSAL_CREDENTIAL,
    REFUSAL_OTHER_NODE,
    REFUSAL_NOT_LEADER,
    REFUSAL_TOO_FAST,
    REFUSAL_STALE,
    REFUSAL_BUSY,
    REFUSAL_COUNT
};
static const char *const refusal_names[REFUSAL_COUNT] = {
    "malformed",  "version",    "invalid",  "too-large", "no-credential", "credential",
    "other-node", "not-leader", "too-fast", "stale",     "busy"};

struct worker { // one request in work: receive, answer, receive, ...
    struct fleet *fleet;
    nng_ctx context;
    nng_aio *aio;
    bool sending;
    WireReport *report; // waits for a review
    uint32_t pipe;
};

struct fleet {
    struct fleet_options options;
    char url[320];
    nng_socket socket;
    nng_listener listener;
    bool has_socket, has_listener;
    int port;
    struct worker *workers;
    uint32_t worker_count;
    pthread_mutex_t lock; // members, directives, complaint
    struct members members;
    struct directives directives;
    int64_t complained_ms[REFUSAL_COUNT];
    struct queue *reviews;
    pthread_t review_threads[REVIEW_THREADS];
    int review_thread_count;
    pthread_t certificate_thread;
    bool certificate_thread_runs;
    struct timespec certificate_changed;
    atomic_bool stopping;
    atomic_uint_fast64_t reports, refused;
    struct metric *accepted_metric, *refused_metric[REFUSAL_COUNT], *connections_metric, *identified_metric;
};

static void receive(struct worker *worker)
{
    worker->sending = false;
    nng_ctx_recv(worker->context, worker->aio);
}

// ---------------------------------------------------------------------------------------------- answers

static void send_ack(struct worker *worker, const WireAck *ack)
{
    struct error error = {0};
    size_t length = 0;
    uint8_t *bytes = wire_ack_encode(ack, &length, &error);
    nng_msg *message = NULL;
    if (bytes == NULL || nng_msg_alloc(&message, 0) != 0 || nng_msg_append(message, bytes, length) != 0) {
        log_event(LOG_ERROR, "an answer to an agent could not be made", LOG_S("error", error.text), LOG_END);
        free(bytes);
        nng_msg_free(message);
        receive(worker); // drops the request: the agent asks again
        return;
    }
    free(bytes);
    worker->sending = true;
    nng_aio_set_msg(worker->aio, message);
    nng_ctx_send(worker->context, worker->aio);
}

static Vpsie__Autoscaler__V1__AckStatus status_of(enum refusal refusal)
{
    switch (refusal) {
    case REFUSAL_VERSION: return VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_UNSUPPORTED_VERSION;
    case REFUSAL_NO_CREDENTIAL:
    case REFUSAL_CREDENTIAL: return VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_UNAUTHENTICATED;
    case REFUSAL_NOT_LEADER: return VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_NOT_LEADER;
    case REFUSAL_TOO_FAST:
    case REFUSAL_BUSY: return VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_TOO_FAST;
    default: return VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_INVALID;
    }
}

// Everyday refusals are counted only; the rest is logged too, each kind at most every ten seconds.
static void complain(struct fleet *fleet, enum refusal refusal, const char *node, const char *detail)
{
    atomic_fetch_add(&fleet->refused, 1);
    metric_add(fleet->refused_metric[refusal], 1);
    if (refusal == REFUSAL_NO_CREDENTIAL || refusal == REFUSAL_NOT_LEADER || refusal == REFUSAL_TOO_FAST ||
        refusal == REFUSAL_STALE) {
        return;
    }
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&fleet->lock);
    bool due =
        fleet->complained_ms[refusal] == 0 || now_ms - fleet->complained_ms[refusal] >= COMPLAINT_EVERY_MS;
    if (due) {
        fleet->complained_ms[refusal] = now_ms;
    }
    pthread_mutex_unlock(&fleet->lock);
    if (due) {
        log_event(LOG_WARN, "an agent's report was refused", LOG_S("reason", refusal_names[refusal]),
                  LOG_S("node", node), LOG_S("detail", detail), LOG_END);
    }
}

static void refuse(struct worker *worker, enum refusal refusal, const WireReport *report, const char *detail,
                   const char *leader_address)
{
    complain(worker->fleet, refusal, report != NULL ? report->node_name : "", detail);
    WireAck ack = VPSIE__AUTOSCALER__V1__REPORT_ACK__INIT;
    char cut[WIRE_TEXT_BYTES_MAX];
    snprintf(cut, sizeof cut, "%s", detail);
    ack.status = status_of(refusal);
    ack.sequence = report != NULL ? report->sequence : 0;
    ack.protocol_version = WIRE_PROTOCOL_VERSION;
    ack.detail = cut;
    ack.leader_address = (char *)leader_address;
    ack.next_interval_ms = refusal == REFUSAL_BUSY ? (uint32_t)worker->fleet->options.interval_ms : 0;
    send_ack(worker, &ack);
}

// Stretched with the size of the fleet, so that the rate of reports stays bounded.
static uint32_t interval_ms(const struct fleet *fleet, bool draining)
{
    if (draining) {
        return DRAIN_INTERVAL_MS;
    }
    int64_t stretched = (int64_t)fleet->members.count * INTERVAL_MS_PER_CONNECTION;
    stretched = stretched < INTERVAL_MS_MAX ? stretched : INTERVAL_MS_MAX;
    return (uint32_t)(stretched > fleet->options.interval_ms ? stretched : fleet->options.interval_ms);
}

// ---------------------------------------------------------------------------------------------- a report of
// a known agent

// Under the lock. What is wrong with this report of this member, if anything.
static bool check_member(const struct fleet *fleet, const struct member *member, const WireReport *report,
                         enum refusal *refusal, const char **detail)
{
    (void)fleet;
    if (strcmp(member->node_name, report->node_name) != 0) {
        *refusal = REFUSAL_OTHER_NODE;
        *detail = "the token is bound to another node than the one reported; an agent speaks about its own "
                  "node only";
        return false;
    }
    bool same_start = strcmp(member->start_id, report->agent_start_id) == 0;
    if (same_start && report->sequence < member->sequence) {
        *refusal = REFUSAL_STALE;
        *detail = "an older report than one already taken";
        return false;
    }
    return true;
}

static bool comes_too_fast(const struct fleet *fleet, const struct member *member, bool draining,
                           int64_t now_ms)
{
    int64_t least_ms = (int64_t)interval_ms(fleet, draining) / 4;
    bool answers_ours = draining;
    return !answers_ours && member->complete && member->reported_ms != 0 &&
           now_ms - member->reported_ms < least_ms;
}

static void accept_report(struct worker *worker, const WireReport *report)
{
    struct fleet *fleet = worker->fleet;
    enum refusal refusal = REFUSAL_COUNT;
    const char *detail = "";
    int64_t now_ms = clock_monotonic_ms(), wall_ms = clock_steady_wall_ms();
    struct report_directive directive;
    WireAck ack = VPSIE__AUTOSCALER__V1__REPORT_ACK__INIT;
    pthread_mutex_lock(&fleet->lock);
    struct member *member = members_find(&fleet->members, worker->pipe);
    if (member == NULL || !member->identified) {
        refusal = REFUSAL_NO_CREDENTIAL; // the connection ended meanwhile
    } else if (check_member(fleet, member, report, &refusal, &detail)) {
        bool draining = false;
        const struct command *command =
            directives_next(&fleet->directives, report->node_name, report->directive_id, wall_ms, &draining);
        bool resent =
            member->sequence == report->sequence && strcmp(member->start_id, report->agent_start_id) == 0;
        if (!resent && comes_too_fast(fleet, member, draining, now_ms)) {
            refusal = REFUSAL_TOO_FAST;
        } else if (!resent) {
            struct event *event = report_event(report, wall_ms);
            if (!fleet->options.sink(fleet->options.context, event)) {
                event_destroy(event);
                refusal = REFUSAL_BUSY;
                detail = "the coordinator has more to do than it can take in; come again";
            }
        }
        if (refusal == REFUSAL_COUNT) {
            snprintf(member->start_id, sizeof member->start_id, "%s", report->agent_start_id);
            member->sequence = report->sequence;
            member->reported_ms = now_ms;
            member->complete = member->complete || report->pods_complete;
            ack.want_complete = !member->complete;
            if (command != NULL) {
                report_directive(&directive, command);
                ack.directive = &directive.directive;
            }
        }
        ack.next_interval_ms = interval_ms(fleet, draining || command != NULL);
    }
    if (refusal == REFUSAL_COUNT) {
        atomic_fetch_add(&fleet->reports, 1);
        metric_add(fleet->accepted_metric, 1);
        ack.status = VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_ACCEPTED;
        ack.sequence = report->sequence;
        ack.protocol_version = WIRE_PROTOCOL_VERSION;
        send_ack(worker, &ack); // encodes now: the directive is only valid under the lock
        pthread_mutex_unlock(&fleet->lock);
        return;
    }
    pthread_mutex_unlock(&fleet->lock);
    refuse(worker, refusal, report, detail, "");
}

// ---------------------------------------------------------------------------------------------- who is it?

static void review(struct worker *worker)
{
    struct fleet *fleet = worker->fleet;
    WireReport *report = worker->report;
    worker->report = NULL;
    char node[WIRE_NODE_NAME_BYTES_MAX + 1] = "";
    struct error error = {0};
    int result = fleet->options.review(fleet->options.context, report->credential, node, sizeof node, &error);
    int64_t until_ms = members_token_end_ms(report->credential);
    OPENSSL_cleanse(report->credential, strlen(report->credential));
    if (result < 0) {
        refuse(worker, REFUSAL_CREDENTIAL, report, error.text, "");
    } else {
        pthread_mutex_lock(&fleet->lock);
        struct member *member = members_find(&fleet->members, worker->pipe);
        if (member != NULL) {
            members_identify(&fleet->members, member, node, until_ms);
            metric_set(fleet->identified_metric, fleet->members.identified);
        }
        pthread_mutex_unlock(&fleet->lock);
        accept_report(worker, report);
    }
    wire_report_free(report);
}

static void *review_loop(void *context)
{
    struct fleet *fleet = context;
    for (struct worker *worker; (worker = queue_pop(fleet->reviews, -1)) != NULL;) {
        review(worker);
    }
    return NULL;
}

static bool is_identified(struct fleet *fleet, uint32_t pipe)
{
    pthread_mutex_lock(&fleet->lock);
    struct member *member = members_find(&fleet->members, pipe); // NULL: the connection has ended meanwhile
    if (member != NULL && member->identified && member->until_ms != 0 && clock_wall_ms() > member->until_ms) {
        members_forget_identity(&fleet->members, member);
    }
    bool identified = member != NULL && member->identified;
    pthread_mutex_unlock(&fleet->lock);
    return identified;
}

// ---------------------------------------------------------------------------------------------- receiving

static enum refusal refusal_of(int fault)
{
    switch (fault) {
    case WIRE_FAULT_TOO_LARGE: return REFUSAL_TOO_LARGE;
    case WIRE_FAULT_VERSION: return REFUSAL_VERSION;
    case WIRE_FAULT_INVALID: return REFUSAL_INVALID;
    default: return REFUSAL_MALFORMED;
    }
}

static void take_in(struct worker *worker, nng_msg *message)
{
    struct fleet *fleet = worker->fleet;
    struct error error = {0};
    worker->pipe = (uint32_t)nng_pipe_id(nng_msg_get_pipe(message));
    WireReport *report = wire_report_decode(nng_msg_body(message), nng_msg_len(message), NULL, &error);
    OPENSSL_cleanse(nng_msg_body(message), nng_msg_len(message)); // it may hold a credential
    nng_msg_free(message);
    if (report == NULL) {
        refuse(worker, refusal_of(error.code), NULL, error.text, "");
        return;
    }
    char leader[WIRE_NODE_NAME_BYTES_MAX + 8] = "";
    if (!fleet->options.leading(fleet->options.context, leader, sizeof leader)) {
        refuse(worker, REFUSAL_NOT_LEADER, report, "this coordinator is not the leader", leader);
    } else if (is_identified(fleet, worker->pipe)) {
        accept_report(worker, report);
    } else if (report->credential[0] == '\0') {
        refuse(worker, REFUSAL_NO_CREDENTIAL, report, "send the credential with the next report", "");
    } else {
        worker->report = report;
        if (queue_try_push(fleet->reviews, worker)) {
            return; // a review thread goes on with this worker
        }
        worker->report = NULL;
        refuse(worker, REFUSAL_BUSY, report, "too many agents are introducing themselves at once; come again",
               "");
    }
    wire_report_free(report);
}

static void on_aio(void *context)
{
    struct worker *worker = context;
    int result = nng_aio_result(worker->aio);
    if (result == NNG_ECLOSED || result == NNG_ECANCELED || atomic_load(&worker->fleet->stopping)) {
        if (worker->sending && result != 0) {
            nng_msg_free(nng_aio_get_msg(worker->aio));
        } else if (!worker->sending && result == 0) {
            nng_msg_free(nng_aio_get_msg(worker->aio));
        }
        return;
    }
    if (worker->sending) {
        if (result != 0) {
            nng_msg_free(nng_aio_get_msg(worker->aio));
        }
        receive(worker);
    } else if (result != 0) {
        receive(worker);
    } else {
        nng_msg *message = nng_aio_get_msg(worker->aio);
        nng_aio_set_msg(worker->aio, NULL);
        take_in(worker, message);
    }
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev happening, void *context)
{
    struct fleet *fleet = context;
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    pthread_mutex_lock(&fleet->lock);
    bool full = fleet->members.count >= fleet->options.connections_max;
    if (happening == NNG_PIPE_EV_ADD_PRE && !full) {
        members_add(&fleet->members, id);
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

// ---------------------------------------------------------------------------------------------- start,
// certificates, stop

static bool certificate_changed(struct fleet *fleet)
{
    struct stat status;
    if (fleet->options.insecure_transport || stat(fleet->options.cert_file, &status) != 0) {
        return false;
    }
    bool changed = status.st_mtim.tv_sec != fleet->certificate_changed.tv_sec ||
                   status.st_mtim.tv_nsec != fleet->certificate_changed.tv_nsec;
    fleet->certificate_changed = status.st_mtim;
    return changed;
}

static int listen_now(struct fleet *fleet, struct error *error)
{
    struct link_tls tls = {.cert_file = fleet->options.cert_file, .key_file = fleet->options.key_file};
    int result = link_listen(fleet->socket, fleet->url, fleet->options.insecure_transport ? NULL : &tls, 0,
                             &fleet->listener, &fleet->port, error);
    fleet->has_listener = result == 0;
    return result;
}

// A new certificate: listen anew. Agents reconnect, each after a little while of its own.
static void *certificate_loop(void *context)
{
    struct fleet *fleet = context;
    int64_t look_ms = clock_monotonic_ms() + CERTIFICATE_LOOK_MS;
    while (!atomic_load(&fleet->stopping)) {
        clock_sleep_ms(100);
        if (clock_monotonic_ms() < look_ms) {
            continue;
        }
        look_ms = clock_monotonic_ms() + CERTIFICATE_LOOK_MS;
        if (!certificate_changed(fleet) && fleet->has_listener) {
            continue;
        }
        struct error error = {0};
        if (fleet->has_listener) {
            nng_listener_close(fleet->listener);
            fleet->has_listener = false;
        }
        if (listen_now(fleet, &error) == 0) {
            log_event(LOG_INFO, "listening with the new certificate", LOG_S("file", fleet->options.cert_file),
                      LOG_END);
        } else {
            log_event(LOG_ERROR, "the new certificate cannot be used; trying again",
                      LOG_S("error", error.text), LOG_END);
        }
    }
    return NULL;
}

static void make_metrics(struct fleet *fleet)
{
    static const char name[] = "vpsie_autoscaler_agent_reports_total";
    static const char help[] = "Reports of agents by what became of them.";
    fleet->accepted_metric = metrics_counter(name, "result=\"accepted\"", help);
    for (int i = 0; i < REFUSAL_COUNT; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "result=\"%s\"", refusal_names[i]);
        fleet->refused_metric[i] = metrics_counter(name, labels, help);
    }
    fleet->connections_metric =
        metrics_gauge("vpsie_autoscaler_agent_connections", NULL, "Open connections of agents.");
    fleet->identified_metric = metrics_gauge("vpsie_autoscaler_agent_connections_identified", NULL,
                                             "Open connections whose token was reviewed.");
}

static int start_workers(struct fleet *fleet, struct error *error)
{
    fleet->workers = xcalloc(fleet->options.contexts, sizeof *fleet->workers);
    for (uint32_t i = 0; i < fleet->options.contexts; i++) {
        struct worker *worker = &fleet->workers[i];
        worker->fleet = fleet;
        int failed = nng_aio_alloc(&worker->aio, on_aio, worker);
        if (failed == 0 && (failed = nng_ctx_open(&worker->context, fleet->socket)) != 0) {
            nng_aio_free(worker->aio);
        }
        if (failed != 0) {
            return error_set(error, failed, "cannot prepare to receive reports: %s", nng_strerror(failed));
        }
        nng_aio_set_timeout(worker->aio, NNG_DURATION_INFINITE);
        fleet->worker_count++;
    }
    for (int i = 0; i < REVIEW_THREADS; i++) {
        if (pthread_create(&fleet->review_threads[i], NULL, review_loop, fleet) != 0) {
            return error_set(error, 0, "cannot start a thread to review tokens");
        }
        fleet->review_thread_count++;
    }
    return 0;
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
    if (link_limits(fleet->socket, WIRE_MESSAGE_BYTES_MAX, SEND_TIMEOUT_MS, -1, error) < 0 ||
        start_workers(fleet, error) < 0) {
        return -1;
    }
    certificate_changed(fleet);
    if (listen_now(fleet, error) < 0) {
        return error_wrap(error, "agents cannot be served");
    }
    for (uint32_t i = 0; i < fleet->worker_count; i++) {
        receive(&fleet->workers[i]);
    }
    if (!fleet->options.insecure_transport) {
        fleet->certificate_thread_runs =
            pthread_create(&fleet->certificate_thread, NULL, certificate_loop, fleet) == 0;
    }
    return 0;
}

struct fleet *fleet_start(const struct fleet_options *options, struct error *error)
{
    assert(options->sink != NULL && options->review != NULL && options->leading != NULL);
    struct fleet *fleet = xcalloc(1, sizeof *fleet);
    fleet->options = *options;
    fleet->options.contexts = options->contexts != 0 ? options->contexts : CONTEXTS_DEFAULT;
    fleet->options.connections_max =
        options->connections_max != 0 ? options->connections_max : CONNECTIONS_DEFAULT;
    pthread_mutex_init(&fleet->lock, NULL);
    fleet->reviews = queue_create(fleet->options.contexts);
    make_metrics(fleet);
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

void fleet_stop(struct fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    atomic_store(&fleet->stopping, true);
    if (fleet->certificate_thread_runs) {
        pthread_join(fleet->certificate_thread, NULL);
    }
    queue_close(fleet->reviews);
    for (int i = 0; i < fleet->review_thread_count; i++) {
        pthread_join(fleet->review_threads[i], NULL);
    }
    if (fleet->has_socket) {
        nng_close(fleet->socket);
    }
    for (uint32_t i = 0; i < fleet->worker_count; i++) {
        nng_aio_stop(fleet->workers[i].aio);
        nng_aio_free(fleet->workers[i].aio);
    }
    free(fleet->workers);
    queue_destroy(fleet->reviews);
    members_free(&fleet->members);
    directives_free(&fleet->directives);
    pthread_mutex_destroy(&fleet->lock);
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

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "coordinator/fleet/private.h"
#include "coordinator/fleet/report.h"

#define SEND_TIMEOUT_MS            5000
#define DRAIN_INTERVAL_MS          1000
#define INTERVAL_MS_MAX            30000
#define INTERVAL_MS_PER_CONNECTION 6 // 1,000 agents: the usual 10 s will do; 5,000: every 30 s
#define COMPLAINT_EVERY_MS         10000
#define IN_WORK_MAX                4u // requests of one connection: an agent has one, or two after a resend
#define REVIEW_PAUSE_MS            1000
#define REVIEW_PAUSE_MS_MAX        30000
#define IDENTITY_MS_LEAST          600000 // a token whose end is already past by our clock was valid to the API server

static const char *const refusal_names[REFUSAL_COUNT] = {
    "malformed", "version",    "invalid",    "too-large", "no-credential", "credential",
    "review",    "other-node", "not-leader", "too-fast",  "busy",          "flood"};

void intake_make_metrics(struct fleet *fleet)
{
    static const char name[] = "vpsie_autoscaler_agent_reports_total";
    static const char help[] = "Reports of agents by what became of them.";
    fleet->accepted_metric = metrics_counter(name, "result=\"accepted\"", help);
    fleet->stale_metric = metrics_counter(name, "result=\"stale\"", help);
    for (int i = 0; i < REFUSAL_COUNT; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "result=\"%s\"", refusal_names[i]);
        fleet->refused_metric[i] = metrics_counter(name, labels, help);
    }
    fleet->connections_metric =
        metrics_gauge("vpsie_autoscaler_agent_connections", NULL, "Open connections of agents.");
    fleet->identified_metric = metrics_gauge("vpsie_autoscaler_agent_connections_identified", NULL,
                                             "Open connections whose token was reviewed.");
    fleet->certificates_metric = metrics_counter("vpsie_autoscaler_agent_certificate_renewals_total", NULL,
                                                 "Certificates taken into use for agents since the start.");
}

static uint32_t pipe_id(const struct worker *worker)
{
    return (uint32_t)nng_pipe_id(worker->pipe);
}

static void free_report(WireReport *report)
{
    if (report != NULL) {
        OPENSSL_cleanse(report->credential, strlen(report->credential));
        wire_report_free(report);
    }
}

// The request is done with: counts it off its connection and waits for the next one.
void intake_receive(struct worker *worker)
{
    if (worker->counted) {
        pthread_mutex_lock(&worker->fleet->lock);
        struct member *member = members_find(&worker->fleet->members, pipe_id(worker));
        if (member != NULL && member->in_work > 0) {
            member->in_work--;
        }
        pthread_mutex_unlock(&worker->fleet->lock);
        worker->counted = false;
    }
    worker->sending = false;
    nng_aio_set_timeout(worker->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(worker->context, worker->aio);
}

// Takes the bytes over. A peer that does not read its answers must not keep the worker: the send has a limit.
static void send_bytes(struct worker *worker, uint8_t *bytes, size_t length, const struct error *error)
{
    nng_msg *message = NULL;
    if (bytes == NULL || nng_msg_alloc(&message, 0) != 0 || nng_msg_append(message, bytes, length) != 0) {
        log_event(LOG_ERROR, "an answer to an agent could not be made", LOG_S("error", error->text), LOG_END);
        free(bytes);
        nng_msg_free(message);
        intake_receive(worker); // drops the request: the agent asks again
        return;
    }
    free(bytes);
    worker->sending = true;
    nng_aio_set_msg(worker->aio, message);
    nng_aio_set_timeout(worker->aio, SEND_TIMEOUT_MS);
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
    case REFUSAL_REVIEW: // "come again": the agent keeps what it has and does not give its token up
    case REFUSAL_BUSY: return VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_TOO_FAST;
    default: return VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_INVALID;
    }
}

// Everyday refusals are counted only; the rest is logged too, each kind at most every ten seconds.
static void complain(struct fleet *fleet, enum refusal refusal, const char *node, const char *detail)
{
    atomic_fetch_add(&fleet->refused, 1);
    metric_add(fleet->refused_metric[refusal], 1);
    if (refusal == REFUSAL_NO_CREDENTIAL || refusal == REFUSAL_NOT_LEADER || refusal == REFUSAL_TOO_FAST) {
        return;
    }
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&fleet->lock);
    int64_t last_ms = fleet->complained_ms[refusal];
    bool due = last_ms == 0 || now_ms - last_ms >= COMPLAINT_EVERY_MS;
    if (due) {
        fleet->complained_ms[refusal] = now_ms;
    }
    pthread_mutex_unlock(&fleet->lock);
    if (due) {
        log_event(LOG_WARN, "an agent's report was refused", LOG_S("reason", refusal_names[refusal]),
                  LOG_S("node", node), LOG_S("detail", detail), LOG_END);
    }
}

struct refused { // what the answer to a refused report says
    enum refusal refusal;
    const char *detail;
    const char *leader_address;
    uint32_t next_interval_ms;
};

static void refuse(struct worker *worker, const WireReport *report, const struct refused *refused)
{
    complain(worker->fleet, refused->refusal, report != NULL ? report->node_name : "", refused->detail);
    struct error error = {0};
    size_t length = 0;
    char detail[WIRE_TEXT_BYTES_MAX];
    snprintf(detail, sizeof detail, "%s", refused->detail);
    WireAck ack = VPSIE__AUTOSCALER__V1__REPORT_ACK__INIT;
    ack.status = status_of(refused->refusal);
    ack.sequence = report != NULL ? report->sequence : 0;
    ack.protocol_version = WIRE_PROTOCOL_VERSION;
    ack.detail = detail;
    ack.leader_address = (char *)(refused->leader_address != NULL ? refused->leader_address : "");
    ack.next_interval_ms = refused->next_interval_ms;
    uint8_t *bytes = wire_ack_encode(&ack, &length, &error);
    send_bytes(worker, bytes, length, &error);
}

// Stretched with the size of the fleet, so that the rate of reports stays bounded. Under the lock.
static uint32_t interval_ms(const struct fleet *fleet)
{
    int64_t stretched = (int64_t)fleet->members.count * INTERVAL_MS_PER_CONNECTION;
    stretched = stretched < INTERVAL_MS_MAX ? stretched : INTERVAL_MS_MAX;
    return (uint32_t)(stretched > fleet->options.interval_ms ? stretched : fleet->options.interval_ms);
}

static uint32_t come_again_ms(struct fleet *fleet)
{
    pthread_mutex_lock(&fleet->lock);
    uint32_t interval = interval_ms(fleet);
    pthread_mutex_unlock(&fleet->lock);
    return interval;
}

// What the core is to see of a report, and what the agent is to hear.
struct judgement {
    struct event *event; // made beforehand; NULL once the core has it
    struct refused refused;
    bool stale; // answered as accepted, but the core has seen it, or something newer
    const struct command *directive;
    uint32_t next_interval_ms;
    bool want_complete;
};

static bool comes_too_fast(const struct member *member, const WireReport *report, bool draining,
                           int64_t now_ms)
{
    bool completes = !member->complete && report->pods_complete; // what was asked for comes at once
    return !draining && !completes && member->told_ms != 0 &&
           now_ms - member->reported_ms < (int64_t)member->told_ms / 2;
}

// Takes a report in. False with judgement->refused when it is not taken. Under the lock.
static bool judge(struct fleet *fleet, struct member *member, const WireReport *report,
                  struct judgement *judgement)
{
    int64_t now_ms = clock_monotonic_ms();
    if (member == NULL || !member->identified) { // the connection ended meanwhile
        judgement->refused.refusal = REFUSAL_NO_CREDENTIAL;
        return false;
    }
    if (strcmp(member->node_name, report->node_name) != 0) {
        judgement->refused.refusal = REFUSAL_OTHER_NODE;
        judgement->refused.detail =
            "the token is bound to another node than the one reported; an agent speaks "
            "about its own node only";
        return false;
    }
    bool same_start = strcmp(member->start_id, report->agent_start_id) == 0;
    bool older = same_start && report->sequence < member->sequence;
    judgement->stale = same_start && report->sequence <= member->sequence;
    bool draining = false;
    judgement->directive =
        directives_next(&fleet->directives, report->node_name, older ? "" : report->directive_id,
                        clock_steady_wall_ms(), &draining);
    bool hurry = draining || judgement->directive != NULL;
    judgement->next_interval_ms = hurry ? DRAIN_INTERVAL_MS : interval_ms(fleet);
    if (!judgement->stale && comes_too_fast(member, report, draining, now_ms)) {
        judgement->refused.refusal = REFUSAL_TOO_FAST;
        judgement->refused.next_interval_ms = judgement->next_interval_ms;
        return false;
    }
    if (!judgement->stale) {
        if (!fleet->options.sink(fleet->options.context, judgement->event)) {
            judgement->refused.refusal = REFUSAL_BUSY;
            judgement->refused.detail = "the coordinator has more to do than it can take in; come again";
            judgement->refused.next_interval_ms = interval_ms(fleet);
            return false;
        }
        judgement->event = NULL;
        snprintf(member->start_id, sizeof member->start_id, "%s", report->agent_start_id);
        member->sequence = report->sequence;
        member->reported_ms = now_ms;
        member->complete = member->complete || report->pods_complete;
        member->told_ms = judgement->next_interval_ms;
    }
    judgement->want_complete = !member->complete;
    return true;
}

static uint8_t *encode_accepted(const struct judgement *judgement, const WireReport *report, size_t *length,
                                struct error *error)
{
    struct report_directive directive;
    WireAck ack = VPSIE__AUTOSCALER__V1__REPORT_ACK__INIT;
    ack.status = VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_ACCEPTED;
    ack.sequence = report->sequence;
    ack.protocol_version = WIRE_PROTOCOL_VERSION;
    ack.next_interval_ms = judgement->next_interval_ms;
    ack.want_complete = judgement->want_complete;
    if (judgement->directive != NULL) {
        report_directive(&directive, judgement->directive);
        ack.directive = &directive.directive;
    }
    uint8_t *bytes = wire_ack_encode(&ack, length, error);
    if (bytes == NULL && ack.directive != NULL) { // an answer the agent gets all the same
        log_event(LOG_ERROR, "a directive cannot be sent", LOG_S("node", report->node_name),
                  LOG_S("error", error->text), LOG_END);
        ack.directive = NULL;
        bytes = wire_ack_encode(&ack, length, error);
    }
    return bytes;
}

static void accept_report(struct worker *worker, const WireReport *report)
{
    struct fleet *fleet = worker->fleet;
    struct judgement judgement = {.event = report_event(report, clock_steady_wall_ms()),
                                  .refused = {.detail = ""}};
    struct error error = {0};
    size_t length = 0;
    uint8_t *bytes = NULL;
    pthread_mutex_lock(&fleet->lock);
    bool accepted = judge(fleet, members_find(&fleet->members, pipe_id(worker)), report, &judgement);
    bool directed = accepted && judgement.directive != NULL;
    if (directed) { // now: the directive is only there as long as the lock is held
        bytes = encode_accepted(&judgement, report, &length, &error);
    }
    pthread_mutex_unlock(&fleet->lock);
    event_destroy(judgement.event);
    if (!accepted) {
        refuse(worker, report, &judgement.refused);
        return;
    }
    if (!directed) {
        bytes = encode_accepted(&judgement, report, &length, &error);
    }
    atomic_fetch_add(&fleet->reports, 1);
    metric_add(judgement.stale ? fleet->stale_metric : fleet->accepted_metric, 1);
    send_bytes(worker, bytes, length, &error);
}

// After a token that was refused, the next one of the same connection is not reviewed for a growing while, so
// that nobody makes the API server work through us. Under the lock.
static void note_review(struct members *members, struct member *member, bool valid, const char *node_name,
                        int64_t until_ms)
{
    if (!valid) {
        int64_t pause_ms = REVIEW_PAUSE_MS << (member->reviews_failed < 5 ? member->reviews_failed : 5);
        pause_ms = pause_ms < REVIEW_PAUSE_MS_MAX ? pause_ms : REVIEW_PAUSE_MS_MAX;
        member->reviews_failed++;
        member->review_after_ms = clock_monotonic_ms() + pause_ms;
        return;
    }
    int64_t least_ms = clock_wall_ms() + IDENTITY_MS_LEAST;
    member->reviews_failed = 0;
    member->review_after_ms = 0;
    members_identify(members, member, node_name, until_ms != 0 && until_ms < least_ms ? least_ms : until_ms);
}

static bool is_connected(struct fleet *fleet, uint32_t pipe)
{
    pthread_mutex_lock(&fleet->lock);
    bool connected = members_find(&fleet->members, pipe) != NULL;
    pthread_mutex_unlock(&fleet->lock);
    return connected;
}

static void review(struct worker *worker)
{
    struct fleet *fleet = worker->fleet;
    WireReport *report = worker->report;
    char node[WIRE_NODE_NAME_BYTES_MAX + 1] = "";
    struct error error = {0};
    worker->report = NULL;
    if (atomic_load(&fleet->stopping) || !is_connected(fleet, pipe_id(worker))) {
        free_report(report);
        intake_receive(worker);
        return;
    }
    int result = fleet->options.review(fleet->options.context, report->credential, node, sizeof node, &error);
    bool refused = result < 0 && (error.code == 401 || error.code == 403);
    pthread_mutex_lock(&fleet->lock);
    struct member *member = members_find(&fleet->members, pipe_id(worker));
    if (member != NULL && (result == 0 || refused)) {
        note_review(&fleet->members, member, result == 0, node, members_token_end_ms(report->credential));
        metric_set(fleet->identified_metric, fleet->members.identified);
    }
    pthread_mutex_unlock(&fleet->lock);
    if (result == 0) {
        accept_report(worker, report);
    } else {
        refuse(worker, report,
               &(struct refused){.refusal = refused ? REFUSAL_CREDENTIAL : REFUSAL_REVIEW,
                                 .detail = error.text,
                                 .next_interval_ms = come_again_ms(fleet)});
    }
    free_report(report);
}

void *intake_review_loop(void *context)
{
    struct fleet *fleet = context;
    for (struct worker *worker; (worker = queue_pop(fleet->reviews, -1)) != NULL;) {
        review(worker);
    }
    return NULL;
}

static enum refusal refusal_of(int fault)
{
    switch (fault) {
    case WIRE_FAULT_TOO_LARGE: return REFUSAL_TOO_LARGE;
    case WIRE_FAULT_VERSION: return REFUSAL_VERSION;
    case WIRE_FAULT_INVALID: return REFUSAL_INVALID;
    default: return REFUSAL_MALFORMED;
    }
}

enum standing { STANDING_KNOWN, STANDING_STRANGER, STANDING_REFUSED_LATELY, STANDING_FLOODS };

// Counts the request to its connection, and says how that stands.
static enum standing arrive(struct worker *worker)
{
    struct fleet *fleet = worker->fleet;
    enum standing standing = STANDING_STRANGER;
    pthread_mutex_lock(&fleet->lock);
    struct member *member = members_find(&fleet->members, pipe_id(worker));
    if (member != NULL) { // else the connection has ended meanwhile
        member->heard_ms = clock_monotonic_ms();
        if (member->identified && member->until_ms != 0 && clock_wall_ms() > member->until_ms) {
            members_forget_identity(&fleet->members, member);
        }
        if (member->in_work >= IN_WORK_MAX) {
            standing = STANDING_FLOODS;
        } else if (member->identified) {
            standing = STANDING_KNOWN;
        } else if (member->heard_ms < member->review_after_ms) {
            standing = STANDING_REFUSED_LATELY;
        }
        member->in_work++;
        worker->counted = true;
    }
    pthread_mutex_unlock(&fleet->lock);
    return standing;
}

// Hands the report to a review thread, which goes on with this worker; false when they have enough to do.
static bool hand_to_review(struct worker *worker, WireReport *report)
{
    worker->report = report;
    if (queue_try_push(worker->fleet->reviews, worker)) {
        return true;
    }
    worker->report = NULL;
    return false;
}

// Takes the report over.
static void consider(struct worker *worker, WireReport *report, enum standing standing)
{
    struct fleet *fleet = worker->fleet;
    char leader[WIRE_NODE_NAME_BYTES_MAX + 8] = "";
    struct refused refused = {.refusal = REFUSAL_COUNT, .detail = "", .leader_address = leader};
    if (!fleet->options.leading(fleet->options.context, leader, sizeof leader)) {
        refused.refusal = REFUSAL_NOT_LEADER;
        refused.detail = "this coordinator is not the leader";
    } else {
        if (standing == STANDING_KNOWN) {
            accept_report(worker, report);
        } else if (report->credential[0] == '\0') {
            refused.refusal = REFUSAL_NO_CREDENTIAL;
            refused.detail = "send the credential with the next report";
        } else if (standing == STANDING_REFUSED_LATELY) {
            refused.refusal = REFUSAL_CREDENTIAL;
            refused.detail = "the last credential was refused a moment ago; come again later";
        } else if (hand_to_review(worker, report)) {
            return;
        } else {
            refused.refusal = REFUSAL_BUSY;
            refused.detail = "too many agents are introducing themselves at once; come again";
            refused.next_interval_ms = come_again_ms(fleet);
        }
    }
    if (refused.refusal != REFUSAL_COUNT) {
        refuse(worker, report, &refused);
    }
    free_report(report);
}

static void take_in(struct worker *worker, nng_msg *message)
{
    struct error error = {0};
    worker->pipe = nng_msg_get_pipe(message);
    enum standing standing = arrive(worker);
    WireReport *report = standing == STANDING_FLOODS
                             ? NULL
                             : wire_report_decode(nng_msg_body(message), nng_msg_len(message), NULL, &error);
    OPENSSL_cleanse(nng_msg_body(message), nng_msg_len(message)); // it may hold a credential
    nng_msg_free(message);
    if (standing == STANDING_FLOODS) {
        complain(worker->fleet, REFUSAL_FLOOD, "", "more requests at once than an agent makes");
        nng_pipe_close(worker->pipe);
        intake_receive(worker);
    } else if (report == NULL) {
        refuse(worker, NULL, &(struct refused){.refusal = refusal_of(error.code), .detail = error.text});
    } else {
        consider(worker, report, standing);
    }
}

void intake_on_aio(void *context)
{
    struct worker *worker = context;
    int result = nng_aio_result(worker->aio);
    bool over = result == NNG_ECLOSED || result == NNG_ECANCELED || atomic_load(&worker->fleet->stopping);
    if (worker->sending != (result == 0)) { // a message came in, or one did not get out: it is ours
        nng_msg *message = nng_aio_get_msg(worker->aio);
        nng_aio_set_msg(worker->aio, NULL);
        if (!over && !worker->sending) {
            take_in(worker, message);
            return;
        }
        nng_msg_free(message);
    }
    if (over) {
        return;
    }
    if (worker->sending && result == NNG_ETIMEDOUT) { // a peer that asks and does not read
        nng_pipe_close(worker->pipe);
    }
    intake_receive(worker);
}

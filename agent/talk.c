#include "agent/talk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/credential.h"
#include "agent/uplink.h"
#include "common/clock.h"
#include "common/text.h"

#define RECONNECT_MS_MIN    500
#define ADDRESS_BYTES_MAX   512
#define SERVER_NAME_BYTES   256
#define COMPLAINT_MS        60000
#define CREDENTIAL_RETRY_MS 5000

enum complaint {
    COMPLAINT_SILENT,
    COMPLAINT_UNANSWERED,
    COMPLAINT_MALFORMED,
    COMPLAINT_REFUSED,
    COMPLAINT_CREDENTIAL,
    COMPLAINT_DIAL,
    COMPLAINT_ENCODE,
    COMPLAINTS
};

struct talk {
    const struct agent_settings *settings;
    const struct meters *meters;
    struct uplink *uplink;
    struct report *report;
    struct orders orders;
    char server_name[SERVER_NAME_BYTES];

    struct report_content content;
    char directive_id[WIRE_UID_BYTES_MAX + 1];      // of the content: orders may change before it is sent
    char sent_directive_id[WIRE_UID_BYTES_MAX + 1]; // of the report under way
    bool pending;                                   // content was not sent yet
    int64_t send_not_before_ms;
    bool credential_due, credential_sent;
    int64_t accepted_ms;

    unsigned refusals;   // UNAUTHENTICATED in a row although the token was sent
    unsigned failures;   // requests without a good answer in a row
    unsigned unanswered; // requests without any answer in a row
    unsigned leaderless; // NOT_LEADER in a row that told no other address

    char target[ADDRESS_BYTES_MAX];
    int64_t dialed_ms;            // 0: never
    int64_t unconnected_since_ms; // 0: connected, as far as its events tell
    int64_t redial_ms;

    int64_t complained_ms[COMPLAINTS];
    unsigned suppressed[COMPLAINTS];
};

// The same complaint once a minute, with how often it was not repeated.
static void complain(struct talk *talk, enum complaint what, const char *message, const char *detail,
                     int64_t now_ms)
{
    if (talk->complained_ms[what] != 0 && now_ms - talk->complained_ms[what] < COMPLAINT_MS) {
        talk->suppressed[what]++;
        return;
    }
    log_event(LOG_WARN, message, LOG_S("coordinator", talk->target), LOG_S("detail", detail),
              LOG_I("more_before", talk->suppressed[what]), LOG_END);
    talk->complained_ms[what] = now_ms;
    talk->suppressed[what] = 0;
}

// Half to all of base, doubled `times` times.
static int64_t backoff_ms(int64_t base_ms, unsigned times)
{
    for (unsigned i = 0; i < times && base_ms < TALK_BACKOFF_MS_MAX; i++)
        base_ms *= 2;
    if (base_ms > TALK_BACKOFF_MS_MAX)
        base_ms = TALK_BACKOFF_MS_MAX;
    uint32_t random = 0;
    ssize_t got = getrandom(&random, sizeof random, GRND_NONBLOCK);
    (void)got; // without it the wait is merely not random
    return base_ms / 2 + (int64_t)(random % (uint32_t)(base_ms / 2 + 1));
}

// A leader's address may be a pod's: its certificate still names the service that was configured.
static void choose_server_name(struct talk *talk)
{
    const char *host = talk->settings->coordinator;
    if (*talk->settings->tls_server_name) {
        snprintf(talk->server_name, sizeof talk->server_name, "%s", talk->settings->tls_server_name);
        return;
    }
    const char *scheme = strstr(host, "://");
    host = scheme ? scheme + 3 : host;
    bool bracket = *host == '[';
    size_t length = bracket ? strcspn(host + 1, "]") : strcspn(host, ":/");
    snprintf(talk->server_name, sizeof talk->server_name, "%.*s", (int)length, host + bracket);
}

// An address that is wrong will not become right: that is for whoever started us.
static int check_address(const struct agent_settings *settings, struct error *error)
{
    char url[ADDRESS_BYTES_MAX];
    if (strlen(settings->coordinator) >= ADDRESS_BYTES_MAX)
        return error_set(error, 0, "--coordinator is longer than %d bytes", ADDRESS_BYTES_MAX - 1);
    if (link_url(settings->coordinator, settings->insecure_transport, WIRE_DEFAULT_PORT, url, sizeof url,
                 error) < 0)
        return error_wrap(error, "--coordinator");
    return 0;
}

struct talk *talk_create(const struct agent_settings *settings, const struct report_identity *identity,
                         const struct meters *meters, struct error *error)
{
    if (check_address(settings, error) < 0)
        return NULL;
    struct talk *talk = xcalloc(1, sizeof *talk);
    talk->settings = settings;
    talk->meters = meters;
    talk->report = report_create(identity);
    orders_init(&talk->orders, settings->interval_ms);
    choose_server_name(talk);
    snprintf(talk->target, sizeof talk->target, "%s", settings->coordinator);
    struct uplink_settings uplink = {
        .insecure = settings->insecure_transport,
        .tls = {.ca_file = settings->ca_file, .server_name = talk->server_name},
        .answer_timeout_ms = (int)settings->answer_timeout_ms,
        .reconnect_min_ms = RECONNECT_MS_MIN,
        .reconnect_max_ms = (int)settings->reconnect_max_ms,
        .message_bytes_max = WIRE_TRANSPORT_BYTES_MAX,
    };
    talk->uplink = uplink_create(&uplink, error);
    if (talk->uplink)
        return talk;
    talk_destroy(talk);
    return NULL;
}

void talk_destroy(struct talk *talk)
{
    if (!talk)
        return;
    uplink_destroy(talk->uplink);
    report_destroy(talk->report);
    orders_free(&talk->orders);
    free(talk);
}

int talk_descriptor(const struct talk *talk)
{
    return uplink_descriptor(talk->uplink);
}

struct orders *talk_orders(struct talk *talk)
{
    return &talk->orders;
}

int64_t talk_accepted_ms(const struct talk *talk)
{
    return talk->accepted_ms;
}

void talk_offer(struct talk *talk, const struct report_content *content)
{
    talk->content = *content;
    talk->directive_id[0] = '\0';
    if (content->directive_id) {
        snprintf(talk->directive_id, sizeof talk->directive_id, "%s", content->directive_id);
        talk->content.directive_id = talk->directive_id;
    }
    talk->pending = true;
    report_next(talk->report);
}

static void dial(struct talk *talk, const char *address, int64_t now_ms)
{
    struct error error;
    error_clear(&error);
    if (address != talk->target)
        snprintf(talk->target, sizeof talk->target, "%s", address);
    talk->dialed_ms = now_ms;
    talk->leaderless = talk->unanswered = 0;
    if (talk->unconnected_since_ms == 0)
        talk->unconnected_since_ms = now_ms;
    talk->redial_ms = now_ms + TALK_REDIAL_MS;
    if (uplink_dial(talk->uplink, talk->target, &error) == 0) {
        log_event(LOG_DEBUG, "calling the coordinator", LOG_S("coordinator", talk->target), LOG_END);
        return;
    }
    metric_add(talk->meters->dial_errors, 1);
    complain(talk, COMPLAINT_DIAL, "cannot call the coordinator", error.text, now_ms);
    talk->redial_ms = now_ms + CREDENTIAL_RETRY_MS; // a file that is not there yet, perhaps
}

static bool calls_home(const struct talk *talk)
{
    return strcmp(talk->target, talk->settings->coordinator) == 0;
}

static void mind_connection(struct talk *talk, int64_t now_ms)
{
    if (talk->dialed_ms == 0) {
        dial(talk, talk->settings->coordinator, now_ms);
        return;
    }
    if (talk->unconnected_since_ms == 0)
        return;
    int64_t silent_ms = now_ms - talk->unconnected_since_ms;
    if (!calls_home(talk) && silent_ms >= TALK_LEADER_PATIENCE_MS) {
        log_event(LOG_WARN, "the leader does not take the call", LOG_S("leader", talk->target),
                  LOG_S("back_to", talk->settings->coordinator), LOG_END);
        dial(talk, talk->settings->coordinator, now_ms);
        return;
    }
    if (now_ms < talk->redial_ms)
        return;
    if (silent_ms >= TALK_REDIAL_MS)
        complain(
            talk, COMPLAINT_SILENT, "no connection to the coordinator",
            talk->settings->insecure_transport
                ? "nothing listens there, or it cannot be reached; calling again"
                : "nothing listens there, it cannot be reached, or its certificate is not one that --ca-file "
                  "and --tls-server-name allow; calling again",
            now_ms);
    dial(talk, talk->settings->coordinator, now_ms);
}

static void on_connected(struct talk *talk)
{
    metric_add(talk->meters->connections, 1);
    metric_set(talk->meters->connected, 1);
    log_event(LOG_INFO, "connected to the coordinator", LOG_S("coordinator", talk->target), LOG_END);
    talk->unconnected_since_ms = 0;
    talk->credential_due = true;
    talk->refusals = 0;
    talk->send_not_before_ms = 0;
    talk->pending = report_sequence(talk->report) > 0;
    report_forget(talk->report);
}

static void on_disconnected(struct talk *talk, int64_t now_ms)
{
    metric_set(talk->meters->connected, 0);
    if (talk->unconnected_since_ms != 0)
        return; // we hung up ourselves, to call another
    log_event(LOG_INFO, "connection to the coordinator ended", LOG_S("coordinator", talk->target), LOG_END);
    talk->unconnected_since_ms = now_ms;
    talk->redial_ms = now_ms + TALK_REDIAL_MS;
}

// Whatever came of it: a token that was not accepted goes again.
static void keep_credential_due(struct talk *talk)
{
    talk->credential_due |= talk->credential_sent;
}

// Nobody knows whether it arrived. The next sample's report goes in its place, later each time.
static void on_failed(struct talk *talk, int code, int64_t now_ms)
{
    report_lost(talk->report);
    keep_credential_due(talk);
    if (!uplink_connected(talk->uplink))
        return;
    metric_add(talk->meters->timeouts, 1);
    complain(talk, COMPLAINT_UNANSWERED, "a report got no answer", nng_strerror(code), now_ms);
    talk->send_not_before_ms = now_ms + backoff_ms(RECONNECT_MS_MIN, talk->failures++);
    if (++talk->unanswered >= TALK_UNANSWERED_MAX)
        dial(talk, talk->settings->coordinator, now_ms);
}

static void on_refused(struct talk *talk, const WireAck *ack, int64_t now_ms)
{
    report_lost(talk->report);
    talk->credential_due = true;
    talk->pending = true;
    if (!talk->credential_sent)
        return; // it was not asked for before: at once
    complain(talk, COMPLAINT_REFUSED, "the coordinator does not accept this agent's token", ack->detail,
             now_ms);
    talk->send_not_before_ms = now_ms + backoff_ms(talk->settings->interval_ms, talk->refusals++);
}

static void on_not_leader(struct talk *talk, const WireAck *ack, int64_t now_ms)
{
    const char *leader = ack->leader_address ? ack->leader_address : "";
    report_lost(talk->report);
    talk->pending = true;
    talk->send_not_before_ms = now_ms + TALK_SWITCH_MS_MIN;
    bool elsewhere = *leader && strcmp(leader, talk->target) != 0 && strlen(leader) < sizeof talk->target;
    if (now_ms - talk->dialed_ms < TALK_SWITCH_MS_MIN)
        return; // two that send us to each other
    if (elsewhere) {
        log_event(LOG_INFO, "another coordinator leads", LOG_S("coordinator", talk->target),
                  LOG_S("leader", leader), LOG_END);
        dial(talk, leader, now_ms);
    } else if (++talk->leaderless >= TALK_LEADERLESS_MAX) {
        log_event(LOG_INFO, "this coordinator does not lead and knows nobody else; calling again",
                  LOG_S("coordinator", talk->target), LOG_END);
        dial(talk, talk->settings->coordinator, now_ms);
    }
}

static void on_too_fast(struct talk *talk, const WireAck *ack, int64_t now_ms)
{
    report_lost(talk->report);
    int64_t wait_ms = ack->next_interval_ms > 0 ? ack->next_interval_ms : orders_interval_ms(&talk->orders);
    talk->send_not_before_ms = now_ms + wait_ms;
    log_event(LOG_DEBUG, "the coordinator wants fewer reports", LOG_I("wait_ms", wait_ms), LOG_END);
}

static void on_nonsense(struct talk *talk, const char *what, const char *detail, int64_t wait_ms,
                        int64_t now_ms)
{
    report_lost(talk->report);
    report_forget(talk->report);
    complain(talk, COMPLAINT_MALFORMED, what, detail, now_ms);
    talk->send_not_before_ms = now_ms + wait_ms;
}

static bool on_accepted(struct talk *talk, WireAck *ack, int64_t now_ms)
{
    if (talk->accepted_ms == 0)
        log_event(LOG_INFO, "the coordinator accepts this agent's reports", LOG_END);
    talk->accepted_ms = now_ms;
    talk->failures = talk->refusals = talk->leaderless = 0;
    report_accepted(talk->report, ack->sequence);
    if (ack->want_complete)
        report_forget(talk->report);
    if (text_equal(talk->sent_directive_id, orders_drain_id(&talk->orders)))
        talk->orders.answered = true;
    switch (orders_take(&talk->orders, ack)) {
    case ORDERS_DRAIN_BEGUN:
        metric_add(talk->meters->drains, 1);
        log_event(LOG_INFO, "a drain is being prepared", LOG_S("directive", orders_drain_id(&talk->orders)),
                  LOG_I("pods", talk->orders.drain_ack->directive->prepare_drain->n_pod_uids), LOG_END);
        return true;
    case ORDERS_DRAIN_CANCELLED: log_event(LOG_INFO, "the drain is cancelled", LOG_END); return false;
    case ORDERS_INTERVAL:
        log_event(LOG_INFO, "the coordinator asks for another pace",
                  LOG_I("interval_ms", orders_interval_ms(&talk->orders)), LOG_END);
        return false;
    case ORDERS_SAME: break;
    }
    return false;
}

static void count_answer(const struct talk *talk, int status)
{
    int index = status >= 0 && status < METERS_ANSWERS - 1 ? status : METERS_ANSWERS - 1;
    metric_add(talk->meters->answers[index], 1);
}

static bool on_answer(struct talk *talk, const uint8_t *bytes, size_t length, int64_t now_ms)
{
    struct error error;
    error_clear(&error);
    talk->unanswered = 0;
    WireAck *ack = wire_ack_decode(bytes, length, &error);
    if (!ack || ack->status != VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_ACCEPTED)
        keep_credential_due(talk);
    if (!ack) {
        metric_add(talk->meters->broken_answers, 1);
        on_nonsense(talk, "an answer cannot be understood", error.text,
                    backoff_ms(talk->settings->interval_ms, talk->failures++), now_ms);
        return false;
    }
    count_answer(talk, (int)ack->status);
    log_event(LOG_DEBUG, "answer", LOG_I("status", ack->status), LOG_I("sequence", ack->sequence), LOG_END);
    switch (ack->status) {
    case VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_ACCEPTED:
        return on_accepted(talk, ack, now_ms); // takes the ack
    case VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_UNAUTHENTICATED: on_refused(talk, ack, now_ms); break;
    case VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_NOT_LEADER: on_not_leader(talk, ack, now_ms); break;
    case VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_TOO_FAST: on_too_fast(talk, ack, now_ms); break;
    case VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_UNSUPPORTED_VERSION:
        on_nonsense(talk, "the coordinator does not speak this agent's protocol version", ack->detail,
                    TALK_VERSION_WAIT_MS, now_ms);
        break;
    default:
        on_nonsense(talk, "the coordinator calls a report invalid", ack->detail,
                    backoff_ms(talk->settings->interval_ms, talk->failures++), now_ms);
        break;
    }
    wire_ack_free(ack);
    return false;
}

// 0 with an empty text when none is to be sent.
static int fetch_credential(struct talk *talk, struct credential *credential, int64_t now_ms)
{
    struct error error;
    error_clear(&error);
    credential->text[0] = '\0';
    if (!talk->credential_due || !*talk->settings->token_file)
        return 0;
    if (credential_read(talk->settings->token_file, credential, &error) == 0)
        return 0;
    metric_add(talk->meters->credential_errors, 1);
    complain(talk, COMPLAINT_CREDENTIAL, "cannot read this agent's token", error.text, now_ms);
    talk->send_not_before_ms = now_ms + CREDENTIAL_RETRY_MS;
    return -1;
}

static uint8_t *encode(struct talk *talk, size_t *length, struct error *error, int64_t now_ms)
{
    struct credential credential;
    if (fetch_credential(talk, &credential, now_ms) < 0)
        return NULL;
    talk->credential_sent = credential.text[0] != '\0';
    talk->content.credential = talk->credential_sent ? credential.text : NULL;
    uint8_t *bytes = report_encode(talk->report, &talk->content, length, error);
    talk->content.credential = NULL;
    if (talk->credential_sent)
        credential_wipe(&credential);
    return bytes;
}

static void send(struct talk *talk, int64_t now_ms)
{
    struct error error;
    error_clear(&error);
    size_t length = 0;
    uint8_t *bytes = encode(talk, &length, &error, now_ms);
    if (bytes && uplink_send(talk->uplink, bytes, length, &error) == 0) {
        talk->pending = false;
        talk->credential_due = false;
        memcpy(talk->sent_directive_id, talk->directive_id, sizeof talk->sent_directive_id);
        metric_add(talk->meters->reports, 1);
        metric_observe(talk->meters->report_bytes, (double)length);
        log_event(LOG_DEBUG, "report", LOG_I("sequence", report_sequence(talk->report)),
                  LOG_I("bytes", length), LOG_END);
    } else if (*error.text) {
        complain(talk, COMPLAINT_ENCODE, "a report could not be sent", error.text, now_ms);
        report_lost(talk->report);
        talk->pending = false;
    }
    if (bytes)
        explicit_bzero(bytes, length);
    free(bytes);
}

// Only once the connection was heard of: its first message is another one than the next.
static bool may_send(const struct talk *talk, int64_t now_ms)
{
    return talk->pending && now_ms >= talk->send_not_before_ms && talk->unconnected_since_ms == 0 &&
           uplink_connected(talk->uplink) && !uplink_busy(talk->uplink);
}

bool talk_turn(struct talk *talk, int64_t now_ms)
{
    bool sample_now = false;
    for (;;) {
        struct uplink_event event = uplink_take(talk->uplink);
        if (event.kind == UPLINK_NOTHING)
            break;
        switch (event.kind) {
        case UPLINK_CONNECTED: on_connected(talk); break;
        case UPLINK_DISCONNECTED: on_disconnected(talk, now_ms); break;
        case UPLINK_ANSWER: sample_now |= on_answer(talk, event.bytes, event.length, now_ms); break;
        case UPLINK_FAILED: on_failed(talk, event.code, now_ms); break;
        case UPLINK_NOTHING: break;
        }
        free(event.bytes);
    }
    mind_connection(talk, now_ms);
    if (may_send(talk, now_ms))
        send(talk, now_ms);
    return sample_now;
}

int64_t talk_due_ms(const struct talk *talk)
{
    int64_t due_ms = INT64_MAX;
    if (talk->dialed_ms == 0)
        return 0;
    if (talk->unconnected_since_ms != 0) {
        due_ms = talk->redial_ms;
        int64_t patience_ms = talk->unconnected_since_ms + TALK_LEADER_PATIENCE_MS;
        if (!calls_home(talk) && patience_ms < due_ms)
            due_ms = patience_ms;
        return due_ms;
    }
    if (talk->pending && !uplink_busy(talk->uplink))
        due_ms = talk->send_not_before_ms;
    return due_ms;
}

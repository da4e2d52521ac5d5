#include "tests/unit/agent/fake_coordinator.h"

#include <nng/protocol/reqrep0/rep.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 50

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "fake coordinator: %s: %s\n", what, why);
    abort();
}

static void keep(struct fake_coordinator *fake, const WireReport *report, size_t bytes)
{
    struct fake_report *out = &fake->reports[fake->report_count % FAKE_REPORTS_MAX];
    *out = (struct fake_report){.sequence = report->sequence,
                                .complete = report->pods_complete,
                                .has_credential = report->credential[0] != '\0',
                                .pods = report->n_pods,
                                .bytes = bytes};
    snprintf(out->directive_id, sizeof out->directive_id, "%s", report->directive_id);
    if (report->directive_readiness) {
        out->directive_state = (int)report->directive_readiness->state;
        out->pods_remaining = report->directive_readiness->pods_remaining;
    }
    fake->report_count++;
}

static void set_status(struct fake_coordinator *fake, const WireReport *report, int pipe, WireAck *ack)
{
    ack->status = VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_ACCEPTED;
    if (fake->answer == FAKE_STATUS)
        ack->status = fake->status;
    if (fake->answer != FAKE_TOKEN)
        return;
    if (strcmp(report->credential, "good-token") == 0)
        fake->authenticated_pipe = pipe;
    if (fake->authenticated_pipe != pipe)
        ack->status = VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_UNAUTHENTICATED;
}

static uint8_t *make_answer(struct fake_coordinator *fake, const WireReport *report, int pipe, size_t *length)
{
    WireAck ack = VPSIE__AUTOSCALER__V1__REPORT_ACK__INIT;
    Vpsie__Autoscaler__V1__Directive directive = VPSIE__AUTOSCALER__V1__DIRECTIVE__INIT;
    Vpsie__Autoscaler__V1__PrepareDrain drain = VPSIE__AUTOSCALER__V1__PREPARE_DRAIN__INIT;
    Vpsie__Autoscaler__V1__CancelDrain cancel = VPSIE__AUTOSCALER__V1__CANCEL_DRAIN__INIT;
    char *uids[] = {fake->drain_uid};
    set_status(fake, report, pipe, &ack);
    ack.sequence = report->sequence;
    ack.protocol_version = WIRE_PROTOCOL_VERSION;
    ack.leader_address = fake->leader;
    ack.next_interval_ms = fake->next_interval_ms;
    ack.want_complete = fake->want_complete;
    fake->want_complete = false;
    if (fake->drain_id[0]) {
        drain.id = fake->drain_id;
        drain.deadline_ms = fake->drain_deadline_ms;
        drain.n_pod_uids = fake->drain_uid[0] ? 1 : 0;
        drain.pod_uids = uids;
        directive.kind_case = VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_PREPARE_DRAIN;
        directive.prepare_drain = &drain;
        ack.directive = &directive;
    } else if (fake->cancel_id[0]) {
        cancel.id = fake->cancel_id;
        directive.kind_case = VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_CANCEL_DRAIN;
        directive.cancel_drain = &cancel;
        ack.directive = &directive;
    }
    struct error error = {0};
    uint8_t *bytes = wire_ack_encode(&ack, length, &error);
    if (!bytes)
        fail("encode", error.text);
    return bytes;
}

static void reply(struct fake_coordinator *fake, const uint8_t *bytes, size_t length)
{
    nng_msg *message;
    if (nng_msg_alloc(&message, length) != 0)
        fail("answer", "no memory");
    if (length > 0)
        memcpy(nng_msg_body(message), bytes, length);
    if (nng_sendmsg(fake->socket, message, 0) != 0)
        nng_msg_free(message);
}

static void serve(struct fake_coordinator *fake, nng_msg *message)
{
    static const uint8_t garbage[] = {0xff, 0xff, 0xff, 0x07, 'x'}, too_large[WIRE_MESSAGE_BYTES_MAX + 1000];
    struct error error = {0};
    WireReport *report = wire_report_decode(nng_msg_body(message), nng_msg_len(message), NULL, &error);
    pthread_mutex_lock(&fake->lock);
    enum fake_answer answer = fake->answer;
    uint8_t *bytes = NULL;
    size_t length = 0;
    if (report) {
        keep(fake, report, nng_msg_len(message));
        bytes = make_answer(fake, report, nng_pipe_id(nng_msg_get_pipe(message)), &length);
    } else {
        fake->malformed++;
    }
    pthread_mutex_unlock(&fake->lock);
    wire_report_free(report);
    if (answer == FAKE_GARBAGE)
        reply(fake, garbage, sizeof garbage);
    else if (answer == FAKE_TOO_LARGE)
        reply(fake, too_large, sizeof too_large);
    else if (answer == FAKE_EMPTY)
        reply(fake, NULL, 0);
    else if (answer != FAKE_SILENCE && bytes)
        reply(fake, bytes, length);
    free(bytes);
}

static void *run(void *context)
{
    struct fake_coordinator *fake = context;
    while (!atomic_load(&fake->stopping)) {
        nng_msg *message = NULL;
        if (nng_recvmsg(fake->socket, &message, 0) != 0)
            continue;
        serve(fake, message);
        nng_msg_free(message);
    }
    return NULL;
}

void fake_start(struct fake_coordinator *fake)
{
    struct error error = {0};
    nng_listener listener;
    atomic_store(&fake->stopping, false);
    fake->authenticated_pipe = 0;
    if (nng_rep0_open(&fake->socket) != 0)
        fail("open", "no socket");
    if (link_limits(fake->socket, WIRE_TRANSPORT_BYTES_MAX, 1000, POLL_MS, &error) < 0 ||
        link_listen(fake->socket, fake->url, &fake->tls, 0600, &listener, NULL, &error) < 0)
        fail("listen", error.text);
    if (pthread_create(&fake->thread, NULL, run, fake) != 0)
        fail("thread", "none");
}

void fake_stop(struct fake_coordinator *fake)
{
    atomic_store(&fake->stopping, true);
    pthread_join(fake->thread, NULL);
    nng_close(fake->socket);
}

void fake_set(struct fake_coordinator *fake, enum fake_answer answer)
{
    pthread_mutex_lock(&fake->lock);
    fake->answer = answer;
    pthread_mutex_unlock(&fake->lock);
}

size_t fake_count(struct fake_coordinator *fake)
{
    pthread_mutex_lock(&fake->lock);
    size_t count = fake->report_count;
    pthread_mutex_unlock(&fake->lock);
    return count;
}

struct fake_report fake_at(struct fake_coordinator *fake, size_t index)
{
    pthread_mutex_lock(&fake->lock);
    struct fake_report report = fake->reports[index % FAKE_REPORTS_MAX];
    pthread_mutex_unlock(&fake->lock);
    return report;
}

struct fake_report fake_last(struct fake_coordinator *fake)
{
    size_t count = fake_count(fake);
    return count > 0 ? fake_at(fake, count - 1) : (struct fake_report){0};
}

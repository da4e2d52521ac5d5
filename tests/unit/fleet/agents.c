#include "tests/unit/fleet/agents.h"

#include <assert.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/link.h"

static bool take_event(void *context, struct event *event)
{
    struct yard *yard = context;
    return !atomic_load(&yard->full) && queue_try_push(yard->events, event);
}

static int review(void *context, const char *token, char *node, size_t bytes, struct error *error)
{
    struct yard *yard = context;
    atomic_fetch_add(&yard->reviews, 1);
    if (strcmp(token, "down") == 0) {
        return error_set(error, 0, "the API server cannot be reached");
    }
    if (strncmp(token, "slow:", 5) == 0) {
        pthread_mutex_lock(&yard->gate);
        pthread_mutex_unlock(&yard->gate);
    } else if (strncmp(token, "node:", 5) != 0 && strchr(token, '.') == NULL) {
        return error_set(error, 401, "the token is not valid");
    }
    const char *name = strchr(token, ':');
    snprintf(node, bytes, "%s", name != NULL ? name + 1 : "w-1");
    return 0;
}

static bool is_leading(void *context, char *address, size_t bytes)
{
    struct yard *yard = context;
    snprintf(address, bytes, "%s", yard->leader_address);
    return atomic_load(&yard->leading);
}

void yard_open(struct yard *yard)
{
    memset(yard, 0, sizeof *yard);
    yard->events = queue_create(100000);
    atomic_store(&yard->leading, true);
    pthread_mutex_init(&yard->gate, NULL);
    yard->options = (struct fleet_options){.listen = "127.0.0.1:0",
                                           .insecure_transport = true,
                                           .interval_ms = 500,
                                           .contexts = 16,
                                           .sink = take_event,
                                           .review = review,
                                           .leading = is_leading,
                                           .context = yard};
}

void yard_start(struct yard *yard)
{
    struct error error = {0};
    yard->fleet = fleet_start(&yard->options, &error);
    if (yard->fleet == NULL) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
}

void yard_close(struct yard *yard)
{
    fleet_stop(yard->fleet);
    yard_events(yard);
    queue_close(yard->events);
    queue_destroy(yard->events);
    pthread_mutex_destroy(&yard->gate);
}

struct event *yard_event(struct yard *yard)
{
    struct event *event = queue_pop(yard->events, 30000);
    assert(event != NULL && event->kind == EVENT_AGENT_REPORT);
    return event;
}

uint32_t yard_events(struct yard *yard)
{
    uint32_t count = 0;
    for (struct event *event; (event = queue_pop(yard->events, 0)) != NULL; count++) {
        event_destroy(event);
    }
    return count;
}

void yard_submit(struct yard *yard, enum directive_kind kind, const char *node, const char *id,
                 int64_t deadline_ms)
{
    static const char *const uids[] = {"00000000-0000-4000-8000-000000000001"};
    struct commands *commands = commands_create();
    struct command *command = commands_add(commands, COMMAND_AGENT_DIRECTIVE);
    command->key = "";
    command->directive.node_name = node;
    command->directive.kind = kind;
    command->directive.directive_id = id;
    command->directive.deadline_ms = deadline_ms;
    command->directive.interval_ms = 2000;
    if (kind == DIRECTIVE_PREPARE_DRAIN) {
        command->directive.pod_uids = uids;
        command->directive.pod_uid_count = 1;
    }
    fleet_submit(yard->fleet, command_copy(command));
    commands_destroy(commands);
}

void yard_until_connections(struct yard *yard, uint32_t count)
{
    struct fleet_health health;
    for (int i = 0; i < 30000; i++) {
        fleet_health(yard->fleet, &health);
        if (health.connections == count) {
            return;
        }
        usleep(1000);
    }
    abort();
}

void agent_open(struct agent *agent, struct yard *yard, const char *node, const char *ca_file)
{
    static atomic_int starts;
    struct error error = {0};
    char url[64];
    nng_dialer dialer;
    memset(agent, 0, sizeof *agent);
    snprintf(agent->node, sizeof agent->node, "%s", node);
    snprintf(agent->start, sizeof agent->start, "start-%d", atomic_fetch_add(&starts, 1));
    snprintf(url, sizeof url, "%s127.0.0.1:%d", ca_file == NULL ? "tcp://" : "tls+tcp://",
             fleet_port(yard->fleet));
    struct link_tls tls = {.ca_file = ca_file, .server_name = "localhost"}; // mbedTLS 2 knows no addresses
    int failed = nng_req0_open(&agent->socket);
    if (failed != 0 || link_limits(agent->socket, WIRE_MESSAGE_BYTES_MAX, 30000, 30000, &error) != 0 ||
        link_dial(agent->socket, url, ca_file == NULL ? NULL : &tls, 10, 100, &dialer, &error) != 0) {
        fprintf(stderr, "%d %s\n", failed, error.text);
        abort();
    }
}

void agent_close(struct agent *agent)
{
    nng_close(agent->socket);
}

WireReport agent_report(struct agent *agent)
{
    WireReport report = VPSIE__AUTOSCALER__V1__AGENT_REPORT__INIT;
    report.protocol_version = WIRE_PROTOCOL_VERSION;
    report.node_name = agent->node;
    report.agent_start_id = agent->start;
    report.sequence = ++agent->sequence;
    report.sample_begin_ms = 1;
    report.sample_end_ms = 2;
    return report;
}

WireAck *agent_send_bytes(struct agent *agent, const void *bytes, size_t length, int wait_ms)
{
    nng_msg *message = NULL;
    if (nng_msg_alloc(&message, 0) != 0 || nng_msg_append(message, bytes, length) != 0) {
        abort();
    }
    nng_socket_set_ms(agent->socket, NNG_OPT_RECVTIMEO, wait_ms);
    int failed = nng_sendmsg(agent->socket, message, 0);
    if (failed != 0) {
        fprintf(stderr, "send: %s\n", nng_strerror(failed));
        abort();
    }
    if (nng_recvmsg(agent->socket, &message, 0) != 0) {
        return NULL;
    }
    struct error error = {0};
    WireAck *ack = wire_ack_decode(nng_msg_body(message), nng_msg_len(message), &error);
    nng_msg_free(message);
    assert(ack != NULL);
    return ack;
}

WireAck *agent_ask(struct agent *agent, const WireReport *report, int wait_ms)
{
    struct error error = {0};
    size_t length = 0;
    uint8_t *bytes = wire_report_encode(report, &length, &error);
    if (bytes == NULL) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    WireAck *ack = agent_send_bytes(agent, bytes, length, wait_ms);
    free(bytes);
    return ack;
}

WireAck *agent_send(struct agent *agent, const WireReport *report)
{
    WireAck *ack = agent_ask(agent, report, 30000);
    assert(ack != NULL);
    return ack;
}

void agent_introduce(struct agent *agent)
{
    AUTOFREE char *token = xprintf("node:%s", agent->node);
    WireReport report = agent_report(agent);
    report.credential = token;
    report.pods_complete = true;
    WireAck *ack = agent_send(agent, &report);
    assert(ack->status == ACK(ACCEPTED));
    wire_ack_free(ack);
}

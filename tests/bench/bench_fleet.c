// How many reports does the agents' door take in for a second of one core, over TLS, beside a bare NNG echo
// of the same size with the same connections in the same run? And what memory does a connection hold? Each
// server is a process of its own (NNG does not survive fork without exec), told by lines on its standard
// input; only its CPU time counts. Every agent answers an open drain, so it may report as fast as it is
// answered. What counts is the median over the turns of one server's rate to the other's in the same moment.
// Prints JSON lines.
#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/wire.h"
#include "coordinator/fleet/fleet.h"
#include "tests/support/certificates.h"

#define CONTEXTS        64
#define CONNECTIONS_MAX 4096
#define TURNS           15 // of each server, one after the other: noise meets both
#define TURN_MS         400
#define SETTLE_MS       100 // at the beginning of a turn
#define REPORT_BYTES    1500
#define DRAIN_ID        "bench-drain"

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench-fleet: %s: %s\n", what, why);
    exit(1);
}

static void must(int failed, const char *what)
{
    if (failed != 0) {
        die(what, nng_strerror(failed));
    }
}

static atomic_llong taken;

static bool take_event(void *context, struct event *event)
{
    (void)context;
    atomic_fetch_add(&taken, 1);
    event_destroy(event);
    return true;
}

static int review(void *context, const char *token, char *node, size_t bytes, struct error *error)
{
    (void)context, (void)error;
    snprintf(node, bytes, "%s", token);
    return 0;
}

static bool is_leading(void *context, char *address, size_t bytes)
{
    (void)context;
    snprintf(address, bytes, "%s", "");
    return true;
}

static int serve_fleet(const char *cert, const char *key)
{
    struct error error = {0};
    struct fleet_options options = {.listen = "127.0.0.1:0",
                                    .cert_file = cert,
                                    .key_file = key,
                                    .contexts = CONTEXTS,
                                    .sink = take_event,
                                    .review = review,
                                    .leading = is_leading};
    struct fleet *fleet = fleet_start(&options, &error);
    if (fleet == NULL) {
        die("fleet", error.text);
    }
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        struct command command = {.kind = COMMAND_AGENT_DIRECTIVE, .key = ""};
        AUTOFREE char *node = xprintf("node-%04d", i);
        command.directive.node_name = node;
        command.directive.kind = DIRECTIVE_PREPARE_DRAIN;
        command.directive.directive_id = DRAIN_ID;
        fleet_submit(fleet, command_copy(&command));
    }
    return fleet_port(fleet);
}

struct echo {
    nng_ctx context;
    nng_aio *aio;
    bool sending;
};

static void on_echo(void *context)
{
    struct echo *echo = context;
    if (nng_aio_result(echo->aio) != 0) {
        return;
    }
    if (echo->sending) {
        echo->sending = false;
        nng_ctx_recv(echo->context, echo->aio);
    } else {
        echo->sending = true;
        atomic_fetch_add(&taken, 1);
        nng_ctx_send(echo->context, echo->aio); // the message that came is the one that goes
    }
}

static int serve_echo(const char *cert, const char *key)
{
    static struct echo echoes[CONTEXTS];
    struct error error = {0};
    struct link_tls tls = {.cert_file = cert, .key_file = key};
    nng_socket socket;
    nng_listener listener;
    int port = 0;
    must(nng_rep0_open(&socket), "socket");
    if (link_limits(socket, WIRE_MESSAGE_BYTES_MAX, 10000, -1, &error) != 0 ||
        link_listen(socket, "tls+tcp://127.0.0.1:0", &tls, 0, &listener, &port, &error) != 0) {
        die("listen", error.text);
    }
    for (int i = 0; i < CONTEXTS; i++) {
        must(nng_aio_alloc(&echoes[i].aio, on_echo, &echoes[i]), "aio");
        must(nng_ctx_open(&echoes[i].context, socket), "context");
        nng_ctx_recv(echoes[i].context, echoes[i].aio);
    }
    return port;
}

static long resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%ld %ld", &pages, &resident) != 2) {
        die("/proc/self/statm", "cannot be read");
    }
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

// A line in, a line out: CPU time in microseconds, reports so far, resident KiB.
static int serve(const char *kind, const char *cert, const char *key)
{
    int port = strcmp(kind, "fleet") == 0 ? serve_fleet(cert, key) : serve_echo(cert, key);
    printf("%d\n", port);
    fflush(stdout);
    char line[16];
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct rusage use;
        getrusage(RUSAGE_SELF, &use);
        long long cpu_us = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000LL + use.ru_utime.tv_usec +
                           use.ru_stime.tv_usec;
        printf("%lld %lld %ld\n", cpu_us, (long long)atomic_load(&taken), resident_kib());
        fflush(stdout);
    }
    _exit(0);
}

struct server {
    pid_t pid;
    FILE *in, *out;
    int port;
};
struct sample {
    long long cpu_us, reports;
    long resident_kib;
};

static struct server start_server(const char *self, const char *kind, const char *cert, const char *key)
{
    struct server server = {0};
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 || (server.pid = fork()) < 0) {
        die("server", "cannot be started");
    }
    if (server.pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        execl(self, self, "serve", kind, cert, key, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    server.in = fdopen(to[1], "w");
    server.out = fdopen(from[0], "r");
    if (server.in == NULL || server.out == NULL || fscanf(server.out, "%d", &server.port) != 1) {
        die("server", "did not start");
    }
    return server;
}

static void stop_server(struct server *server)
{
    fclose(server->in);
    fclose(server->out);
    waitpid(server->pid, NULL, 0);
}

static struct sample ask(struct server *server)
{
    struct sample sample;
    fputs("?\n", server->in);
    fflush(server->in);
    if (fscanf(server->out, "%lld %lld %ld", &sample.cpu_us, &sample.reports, &sample.resident_kib) != 3) {
        die("server", "does not answer");
    }
    return sample;
}

struct agent {
    struct crowd *crowd;
    nng_socket socket;
    nng_aio *aio;
    char node[16], start[16];
    uint64_t sequence;
    bool sending, introduced;
};
struct crowd { // the agents of one server
    const char *kind;
    struct server server;
    struct agent *agents;
    int count;
    atomic_bool running;
    atomic_int in_flight, introduced;
    struct sample first; // with one connection
    long long cpu_us, reports;
    long resident_kib;
};
static atomic_size_t report_bytes;

// About REPORT_BYTES of what a node with some pods says.
static nng_msg *make_report(struct agent *agent)
{
    enum { PODS = 21 };
    static const char uid[] = "00000000-0000-4000-8000-0000000000%02d";
    char uids[PODS][40];
    Vpsie__Autoscaler__V1__PodEvidence pods[PODS], *list[PODS];
    Vpsie__Autoscaler__V1__Utilization use = VPSIE__AUTOSCALER__V1__UTILIZATION__INIT;
    Vpsie__Autoscaler__V1__CpuModes cpu = VPSIE__AUTOSCALER__V1__CPU_MODES__INIT;
    Vpsie__Autoscaler__V1__Readiness readiness = VPSIE__AUTOSCALER__V1__READINESS__INIT;
    WireReport report = VPSIE__AUTOSCALER__V1__AGENT_REPORT__INIT;
    for (int i = 0; i < PODS; i++) {
        vpsie__autoscaler__v1__pod_evidence__init(&pods[i]);
        snprintf(uids[i], sizeof uids[i], uid, i);
        pods[i].uid = uids[i];
        pods[i].has_cpu_millis = pods[i].has_memory_working_set_bytes = pods[i].has_local_data_bytes = true;
        pods[i].has_established_connections = pods[i].has_processes = true;
        pods[i].cpu_millis = 250, pods[i].memory_working_set_bytes = 300u << 20,
        pods[i].local_data_bytes = 70000;
        pods[i].established_connections = 12, pods[i].processes = 9;
        list[i] = &pods[i];
    }
    cpu.user_millis = 1200, cpu.system_millis = 300, cpu.idle_millis = 2400;
    use.cpu = &cpu;
    report.protocol_version = WIRE_PROTOCOL_VERSION;
    report.node_name = agent->node;
    report.agent_start_id = agent->start;
    report.sequence = ++agent->sequence;
    report.sample_begin_ms = 1, report.sample_end_ms = 2;
    report.credential = agent->introduced ? (char *)"" : agent->node;
    report.utilization = &use;
    report.pods = list, report.n_pods = PODS, report.pods_complete = true;
    report.readiness = report.directive_readiness = &readiness;
    report.directive_id = (char *)DRAIN_ID;
    struct error error = {0};
    size_t length = 0;
    nng_msg *message = NULL;
    uint8_t *bytes = wire_report_encode(&report, &length, &error);
    if (bytes == NULL) {
        die("report", error.text);
    }
    must(nng_msg_alloc(&message, 0), "message");
    must(nng_msg_append(message, bytes, length), "message");
    free(bytes);
    atomic_store(&report_bytes, length);
    return message;
}

static void send_report(struct agent *agent)
{
    agent->sending = true;
    nng_aio_set_msg(agent->aio, make_report(agent));
    nng_send_aio(agent->socket, agent->aio);
}

// One that was told to come again is no agent yet: its reports would be refused, and refusals are cheap.
static bool was_accepted(const struct agent *agent, nng_msg *answer)
{
    struct error error = {0};
    if (strcmp(agent->crowd->kind, "fleet") != 0) {
        return true;
    }
    WireAck *ack = wire_ack_decode(nng_msg_body(answer), nng_msg_len(answer), &error);
    if (ack == NULL) {
        die("answer", error.text);
    }
    bool accepted = ack->status == VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_ACCEPTED;
    wire_ack_free(ack);
    return accepted;
}

static void on_agent(void *context)
{
    struct agent *agent = context;
    must(nng_aio_result(agent->aio), "agent");
    if (agent->sending) {
        agent->sending = false;
        nng_recv_aio(agent->socket, agent->aio);
        return;
    }
    bool accepted = agent->introduced || was_accepted(agent, nng_aio_get_msg(agent->aio));
    nng_msg_free(nng_aio_get_msg(agent->aio));
    if (accepted && !agent->introduced) {
        agent->introduced = true;
        atomic_fetch_add(&agent->crowd->introduced, 1);
    }
    if (!accepted || atomic_load(&agent->crowd->running)) {
        send_report(agent);
    } else {
        atomic_fetch_sub(&agent->crowd->in_flight, 1);
    }
}

static void wait_for(const atomic_int *value, int wanted)
{
    while (atomic_load(value) != wanted) {
        clock_sleep_ms(5);
    }
}

// The first of them makes the server have what it has but once: what the others add is what a connection
// takes.
static void start_agents(struct crowd *crowd, const char *ca)
{
    AUTOFREE char *url = xprintf("tls+tcp://127.0.0.1:%d", crowd->server.port);
    struct link_tls tls = {.ca_file = ca, .server_name = "localhost"};
    crowd->agents = xcalloc((size_t)crowd->count, sizeof *crowd->agents);
    for (int i = 0; i < crowd->count; i++) {
        struct agent *agent = &crowd->agents[i];
        struct error error = {0};
        nng_dialer dialer;
        agent->crowd = crowd;
        snprintf(agent->node, sizeof agent->node, "node-%04d", i % CONNECTIONS_MAX);
        snprintf(agent->start, sizeof agent->start, "start");
        must(nng_req0_open(&agent->socket), "socket");
        must(nng_aio_alloc(&agent->aio, on_agent, agent), "aio");
        if (link_limits(agent->socket, WIRE_MESSAGE_BYTES_MAX, -1, -1, &error) != 0 ||
            link_dial(agent->socket, url, &tls, 100, 1000, &dialer, &error) != 0) {
            die("dial", error.text);
        }
        atomic_fetch_add(&crowd->in_flight, 1);
        send_report(agent);
        if (i == 0) {
            wait_for(&crowd->introduced, 1);
            crowd->first = ask(&crowd->server);
        }
    }
    wait_for(&crowd->introduced, crowd->count);
    wait_for(&crowd->in_flight, 0);
}

static void open_crowd(struct crowd *crowd, const char *kind, int count, const char *const files[3])
{
    memset(crowd, 0, sizeof *crowd);
    crowd->kind = kind;
    crowd->count = count;
    crowd->server = start_server("/proc/self/exe", kind, files[1], files[2]);
    start_agents(crowd, files[0]);
}

// Reports per core-second in this turn.
static double take_turn(struct crowd *crowd)
{
    atomic_store(&crowd->running, true);
    for (int i = 0; i < crowd->count; i++) {
        atomic_fetch_add(&crowd->in_flight, 1);
        send_report(&crowd->agents[i]);
    }
    clock_sleep_ms(SETTLE_MS);
    struct sample begin = ask(&crowd->server);
    clock_sleep_ms(TURN_MS);
    struct sample end = ask(&crowd->server);
    atomic_store(&crowd->running, false);
    wait_for(&crowd->in_flight, 0);
    crowd->cpu_us += end.cpu_us - begin.cpu_us;
    crowd->reports += end.reports - begin.reports;
    crowd->resident_kib = end.resident_kib - crowd->first.resident_kib;
    return (double)(end.reports - begin.reports) * 1e6 / (double)(end.cpu_us - begin.cpu_us);
}

static void close_crowd(struct crowd *crowd)
{
    double cpu_seconds = (double)crowd->cpu_us / 1e6;
    double rate = (double)crowd->reports / cpu_seconds;
    printf("{\"bench\":\"fleet\",\"server\":\"%s\",\"connections\":%d,\"report_bytes\":%zu,\"reports\":%lld,"
           "\"cpu_seconds\":%.3f,\"reports_per_core_second\":%.0f,\"resident_kib_per_connection\":%.1f}\n",
           crowd->kind, crowd->count, atomic_load(&report_bytes), crowd->reports, cpu_seconds, rate,
           (double)crowd->resident_kib / (crowd->count - 1));
    fflush(stdout);
    for (int i = 0; i < crowd->count; i++) {
        nng_close(crowd->agents[i].socket);
        nng_aio_stop(crowd->agents[i].aio);
        nng_aio_free(crowd->agents[i].aio);
    }
    free(crowd->agents);
    stop_server(&crowd->server);
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void measure(int count, const char *const files[3])
{
    static struct crowd echo, fleet;
    open_crowd(&echo, "echo", count, files);
    open_crowd(&fleet, "fleet", count, files);
    double ratios[TURNS];
    for (int i = 0; i < TURNS; i++) {
        bool echo_first = i % 2 == 0;
        double first = take_turn(echo_first ? &echo : &fleet);
        double second = take_turn(echo_first ? &fleet : &echo);
        ratios[i] = echo_first ? second / first : first / second;
    }
    qsort(ratios, TURNS, sizeof ratios[0], by_size);
    close_crowd(&echo);
    close_crowd(&fleet);
    printf("{\"bench\":\"fleet\",\"connections\":%d,\"of_echo\":%.2f,\"of_echo_quartiles\":[%.2f,%.2f]}\n",
           count, ratios[TURNS / 2], ratios[TURNS / 4], ratios[TURNS - 1 - TURNS / 4]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    log_init("bench-fleet", LOG_FORMAT_JSON, LOG_ERROR);
    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && strcmp(argv[1], "serve") == 0) {
        return serve(argv[2], argv[3], argv[4]);
    }
    static const int defaults[] = {64, 300};
    AUTOFREE char *ca = xprintf("/tmp/bench-fleet-%d-ca.pem", (int)getpid());
    AUTOFREE char *cert = xprintf("/tmp/bench-fleet-%d-cert.pem", (int)getpid());
    AUTOFREE char *key = xprintf("/tmp/bench-fleet-%d-key.pem", (int)getpid());
    struct certificates certificates = certificates_make();
    certificates_write(ca, certificates.ca_cert);
    certificates_write(cert, certificates.server_cert);
    certificates_write(key, certificates.server_key);
    const char *const files[3] = {ca, cert, key};
    int count = argc > 1 ? argc - 1 : 2;
    for (int i = 0; i < count; i++) {
        int connections = argc > 1 ? atoi(argv[i + 1]) : defaults[i];
        if (connections < 2 || connections > CONNECTIONS_MAX) {
            die("connections", "from 2 to 4096");
        }
        measure(connections, files);
    }
    unlink(ca);
    unlink(cert);
    unlink(key);
    certificates_free(&certificates);
    return 0;
}

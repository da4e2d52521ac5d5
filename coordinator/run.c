#include "coordinator/run.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ending.h"
#include "common/metrics.h"
#include "common/queue.h"
#include "common/version.h"
#include "common/web.h"
#include "coordinator/admin/admin.h"
#include "coordinator/decide/command.h"
#include "coordinator/decide/event.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/http.h"
#include "coordinator/kube/kube.h"
#include "coordinator/vpsie/vpsie.h"

#define QUEUE_CAPACITY      4096u
#define IDENTITY_BYTES      254
#define GAUGES_EVERY_MS     1000
#define CERTIFICATE_WAIT_MS 5000
#define STALLED_MS          30000 // the core's thread has not come round for so long: not healthy
#define ENDING_MS_MAX       50000 // the longest call that is waited for has 30 s

struct item { // what waits for the core's thread
    enum { ITEM_EVENT, ITEM_REQUEST, ITEM_STOP } kind;
    struct event *event;
    struct admin_request *request;
};

struct run {
    const struct run_options *options;
    char identity[IDENTITY_BYTES];
    char own_name[160]; // of the pod, or of the host
    int64_t started_ms;
    struct core *core;
    struct commands *commands;
    struct queue *queue;
    struct kube *kube;
    struct vpsie *vpsie;
    pthread_mutex_t secret_lock; // the Kubernetes door hands credentials on until the VPSie door stops
    bool vpsie_stops;
    struct fleet *fleet;
    struct admin *admin;
    struct web *web;
    pthread_t signal_thread;
    bool signal_thread_runs;
    atomic_int_fast64_t round_ms; // monotonic time of the core's last round
    int64_t gauges_ms;
    char vpsie_detail[256]; // what is wrong although VPSie can be used: new credentials that do not work
    struct metric *events_metric, *step_metric, *queue_metric, *commands_metric[COMMAND_KIND_COUNT];
};

// ---------------------------------------------------------------------------------------------- into the
// queue

static struct item *new_item(int kind, struct event *event, struct admin_request *request)
{
    struct item *item = xcalloc(1, sizeof *item);
    item->kind = kind;
    item->event = event;
    item->request = request;
    return item;
}

// A full queue makes its door wait.
static void take_event(void *context, struct event *event)
{
    struct run *run = context;
    struct item *item = new_item(ITEM_EVENT, event, NULL);
    if (!queue_push(run->queue, item)) { // we are stopping
        event_destroy(event);
        free(item);
    }
}

static bool try_event(void *context, struct event *event)
{
    struct run *run = context;
    struct item *item = new_item(ITEM_EVENT, event, NULL);
    bool taken = queue_try_push(run->queue, item);
    if (!taken) {
        free(item);
    }
    return taken;
}

static bool take_request(void *context, struct admin_request *request)
{
    struct run *run = context;
    struct item *item = new_item(ITEM_REQUEST, NULL, request);
    bool taken = queue_try_push(run->queue, item);
    if (!taken) {
        free(item);
    }
    return taken;
}

// ---------------------------------------------------------------------------------------------- what the
// doors ask

static bool may_act(void *context, uint64_t term)
{
    struct run *run = context;
    return kube_may_act(run->kube, term);
}

static int review_agent(void *context, const char *token, char *node_name, size_t bytes, struct error *error)
{
    struct run *run = context;
    return kube_review_token(run->kube, token, run->options->agent_audience,
                             run->options->agent_service_account, node_name, bytes, error);
}

// The holder's identity is NAME@ADDRESS when it told where agents reach it.
static bool is_leading(void *context, char *leader_address, size_t bytes)
{
    struct run *run = context;
    if (kube_is_leading(run->kube)) {
        return true;
    }
    struct kube_health health;
    kube_health(run->kube, &health);
    const char *at = strchr(health.holder, '@');
    bool ours = strcmp(health.holder, run->identity) == 0;
    snprintf(leader_address, bytes, "%s", at != NULL && !ours ? at + 1 : "");
    return false;
}

static void take_secret(void *context, const struct kube_secret_item *items, uint32_t count)
{
    struct run *run = context;
    struct vpsie_credentials credentials = {.token = "", .client_id = "", .client_secret = "", .url = ""};
    const struct {
        const char *key;
        const char **target;
    } keys[] = {{"token", &credentials.token},
                {"clientId", &credentials.client_id},
                {"clientSecret", &credentials.client_secret},
                {"url", &credentials.url}};
    for (uint32_t i = 0; i < count; i++) {
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            if (strcmp(items[i].key, keys[k].key) == 0) {
                *keys[k].target = items[i].value;
            }
        }
    }
    pthread_mutex_lock(&run->secret_lock);
    if (!run->vpsie_stops) {
        vpsie_set_credentials(run->vpsie, count > 0 ? &credentials : NULL);
    }
    pthread_mutex_unlock(&run->secret_lock);
}

static bool is_healthy(void *context, struct text *why)
{
    struct run *run = context;
    int64_t silent_ms = clock_monotonic_ms() - atomic_load(&run->round_ms);
    text_printf(why, silent_ms < STALLED_MS ? "ok\n" : "the core has not come round for %lld ms\n",
                (long long)silent_ms);
    return silent_ms < STALLED_MS;
}

static bool is_ready(void *context, struct text *why)
{
    struct run *run = context;
    struct kube_health health;
    kube_health(run->kube, &health);
    text_printf(why, "kubernetes: %s%s%s\n", health.synced ? "synced" : "not synced yet",
                health.detail[0] != '\0' ? ": " : "", health.detail);
    text_printf(why, "leader: %s\n",
                health.leading             ? "this one"
                : health.holder[0] != '\0' ? health.holder
                                           : "nobody");
    return health.synced && is_healthy(context, why);
}

// ---------------------------------------------------------------------------------------------- out of the
// core

static void log_note(const struct command *command)
{
    static const enum log_level levels[] = {
        [NOTE_DEBUG] = LOG_DEBUG, [NOTE_INFO] = LOG_INFO, [NOTE_WARN] = LOG_WARN, [NOTE_ERROR] = LOG_ERROR};
    char decision[24] = "";
    if (command->decision_id != 0) {
        snprintf(decision, sizeof decision, "D%llu", (unsigned long long)command->decision_id);
    }
    log_event(levels[command->note.level], command->note.text, LOG_S("about", command->note.subject),
              LOG_S("decision", decision), LOG_END);
}

static void log_write_command(const struct command *command)
{
    if (!log_enabled(LOG_DEBUG)) {
        return;
    }
    AUTOTEXT struct text text = {0};
    command_describe(command, &text);
    log_event(LOG_DEBUG, "command", LOG_S("command", text_get(&text)), LOG_END);
}

static void dispatch(struct run *run, const struct command *command)
{
    metric_add(run->commands_metric[command->kind], 1);
    switch (command->kind) {
    case COMMAND_NOTE: log_note(command); return;
    case COMMAND_OPERATOR_REPLY:
        admin_reply(run->admin, command->operator_reply.request_id, admin_operator_reply(command));
        return;
    case COMMAND_AGENT_DIRECTIVE: fleet_submit(run->fleet, command_copy(command)); break;
    case COMMAND_VPSIE_LIST_MACHINES:
    case COMMAND_VPSIE_LIST_GROUPS:
    case COMMAND_VPSIE_LIST_OFFERS:
    case COMMAND_VPSIE_CREATE_GROUP:
    case COMMAND_VPSIE_ADD_MACHINE:
    case COMMAND_VPSIE_DELETE_MACHINE: vpsie_submit(run->vpsie, command_copy(command)); break;
    default: kube_submit(run->kube, command_copy(command)); break;
    }
    log_write_command(command);
}

static void step(struct run *run, struct event *event)
{
    event->now_ms = clock_steady_wall_ms();
    if (event->kind == EVENT_LEADER && !event->leader.leading) {
        fleet_forget_directives(run->fleet);
    }
    if (event->kind == EVENT_LEADER) {
        log_event(LOG_INFO, event->leader.leading ? "leading" : "not leading",
                  LOG_I("term", event->leader.term), LOG_S("holder", event->leader.holder), LOG_END);
    }
    if (event->kind == EVENT_VPSIE_STATE) {
        snprintf(run->vpsie_detail, sizeof run->vpsie_detail, "%s",
                 event->vpsie_state.usable && event->vpsie_state.detail != NULL ? event->vpsie_state.detail
                                                                                : "");
    }
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    core_step(run->core, event, run->commands);
    clock_gettime(CLOCK_MONOTONIC, &end);
    metric_observe(run->step_metric,
                   (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    metric_add(run->events_metric, 1);
    for (uint32_t i = 0; i < run->commands->count; i++) {
        dispatch(run, run->commands->items[i]);
    }
    commands_clear(run->commands);
}

static void step_timer(struct run *run)
{
    struct event *event = event_create(EVENT_TIMER);
    step(run, event);
    event_destroy(event);
}

// ---------------------------------------------------------------------------------------------- operators

static char *render(struct run *run, const struct admin_request *request)
{
    struct kube_health kube;
    struct fleet_health fleet;
    char admin_detail[256];
    kube_health(run->kube, &kube);
    fleet_health(run->fleet, &fleet);
    admin_problem(run->admin, admin_detail, sizeof admin_detail);
    struct view_extra extra = {.version = version_text(),
                               .identity = run->identity,
                               .started_ms = run->started_ms,
                               .kube_detail = kube.detail,
                               .vpsie_detail = run->vpsie_detail,
                               .admin_detail = admin_detail,
                               .agents_connected = fleet.identified,
                               .queue_length = queue_length(run->queue),
                               .queue_capacity = QUEUE_CAPACITY};
    return view_render(run->core, &extra, request);
}

static void answer_request(struct run *run, const struct admin_request *request)
{
    struct event *event = admin_request_event(request);
    if (event == NULL) {
        admin_reply(run->admin, request->id, render(run, request));
        return;
    }
    log_event(LOG_INFO, "an operator asks", LOG_S("command", admin_command_name(request->command)), LOG_END);
    step(run, event);
    event_destroy(event);
}

// ---------------------------------------------------------------------------------------------- the round

static int64_t wait_ms(const struct run *run)
{
    int64_t wake_ms = core_next_wake_ms(run->core), now_ms = clock_steady_wall_ms();
    int64_t wait = wake_ms == INT64_MAX ? GAUGES_EVERY_MS : wake_ms - now_ms;
    wait = wait < 0 ? 0 : wait;
    return wait < GAUGES_EVERY_MS ? wait : GAUGES_EVERY_MS;
}

static void live(struct run *run)
{
    for (bool stopping = false; !stopping;) {
        struct item *item = queue_pop(run->queue, wait_ms(run));
        int64_t now_ms = clock_monotonic_ms();
        atomic_store(&run->round_ms, now_ms);
        if (item != NULL) {
            switch (item->kind) {
            case ITEM_EVENT:
                step(run, item->event);
                event_destroy(item->event);
                break;
            case ITEM_REQUEST:
                answer_request(run, item->request);
                admin_request_free(item->request);
                break;
            case ITEM_STOP: stopping = true; break;
            }
            free(item);
        }
        if (core_next_wake_ms(run->core) <= clock_steady_wall_ms()) {
            step_timer(run);
        }
        if (now_ms - run->gauges_ms >= GAUGES_EVERY_MS) {
            run->gauges_ms = now_ms;
            metrics_from_core(run->core);
            metric_set(run->queue_metric, (double)queue_length(run->queue));
        }
    }
}

// ---------------------------------------------------------------------------------------------- start and
// stop

static void *wait_for_signal(void *context)
{
    struct run *run = context;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    int number = 0;
    sigwait(&signals, &number);
    log_event(LOG_INFO, "stopping", LOG_S("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"), LOG_END);
    struct item *item = new_item(ITEM_STOP, NULL, NULL);
    if (!queue_push(run->queue, item)) {
        free(item);
    }
    return NULL;
}

static void block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void make_identity(struct run *run)
{
    char *name = run->own_name;
    if (run->options->identity[0] != '\0') {
        snprintf(name, sizeof run->own_name, "%s", run->options->identity);
    } else if (gethostname(name, sizeof run->own_name - 1) != 0 || name[0] == '\0') {
        snprintf(name, sizeof run->own_name, "vpsie-coordinator-%ld", (long)getpid());
    }
    const char *address = run->options->advertise_address;
    snprintf(run->identity, sizeof run->identity, "%s%s%.80s", name, address[0] != '\0' ? "@" : "", address);
}

static void make_metrics(struct run *run)
{
    static const double seconds[] = {0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1};
    run->events_metric =
        metrics_counter("vpsie_autoscaler_events_total", NULL, "Events the core has taken in.");
    run->step_metric = metrics_histogram("vpsie_autoscaler_step_duration_seconds", NULL,
                                         "How long the core took for one event.", seconds,
                                         sizeof seconds / sizeof seconds[0]);
    run->queue_metric =
        metrics_gauge("vpsie_autoscaler_queue_length", NULL, "Events that wait for the core.");
    for (int kind = 0; kind < COMMAND_KIND_COUNT; kind++) {
        char labels[96];
        snprintf(labels, sizeof labels, "kind=\"%s\"", command_kind_name((enum command_kind)kind));
        run->commands_metric[kind] = metrics_counter("vpsie_autoscaler_commands_total", labels,
                                                     "Commands the core has given, by kind.");
    }
}

static int start_vpsie(struct run *run, struct error *error)
{
    const struct run_options *options = run->options;
    struct vpsie_options vpsie = {
        .url = options->vpsie_url,
        .ca_file = options->vpsie_ca_file[0] != '\0' ? options->vpsie_ca_file : NULL,
        .scheme = strcmp(options->vpsie_auth, "bearer") == 0 ? VPSIE_AUTH_BEARER : VPSIE_AUTH_HEADER,
        .rate_per_minute = (int32_t)options->vpsie_rate_per_minute,
        .timeout_ms = options->vpsie_timeout_ms,
        .workers = 4,
        .dry_run = options->core.dry_run,
        .sink = take_event,
        .may_act = may_act,
        .context = run};
    run->vpsie = vpsie_start(&vpsie, error);
    return run->vpsie != NULL ? 0 : -1;
}

// Files given by flags win over an authority of our own.
static bool keeps_certificate(const struct run_options *options)
{
    return options->tls_cert_file[0] == '\0' && !options->insecure_transport;
}

static int start_kube(struct run *run, struct error *error)
{
    const struct run_options *options = run->options;
    struct kube_options kube = {.kubeconfig = options->kubeconfig,
                                .context = options->context,
                                .identity = run->identity,
                                .lease_namespace = options->lease_namespace,
                                .lease_name = options->lease_name,
                                .lease_duration_ms = options->lease_duration_ms,
                                .renew_deadline_ms = options->lease_renew_deadline_ms,
                                .retry_period_ms = options->lease_retry_ms,
                                .leader_elect = options->leader_elect,
                                .dry_run = options->core.dry_run,
                                .secret_namespace = options->secret_namespace,
                                .secret_name = options->secret_name,
                                .own_namespace = options->own_namespace,
                                .tls_secret_name = keeps_certificate(options) ? options->tls_secret_name : "",
                                .ca_configmap_name = options->ca_configmap_name,
                                .service_name = options->service_name,
                                .sink = take_event,
                                .secret_sink = take_secret,
                                .context_pointer = run};
    run->kube = kube_start(&kube, error);
    return run->kube != NULL ? 0 : -1;
}

static int start_fleet(struct run *run, struct error *error)
{
    const struct run_options *options = run->options;
    struct fleet_options fleet = {.listen = options->listen_agents,
                                  .cert_file = options->tls_cert_file,
                                  .key_file = options->tls_key_file,
                                  .insecure_transport = options->insecure_transport,
                                  .interval_ms = options->agent_interval_ms,
                                  .sink = try_event,
                                  .review = review_agent,
                                  .leading = is_leading,
                                  .context = run};
    if (keeps_certificate(options) &&
        !kube_certificate(run->kube, CERTIFICATE_WAIT_MS, &fleet.cert_file, &fleet.key_file)) {
        log_event(LOG_WARN, "agents cannot trust this coordinator before its certificate is in the cluster",
                  LOG_S("secret", options->tls_secret_name), LOG_END);
    }
    run->fleet = fleet_start(&fleet, error);
    return run->fleet != NULL ? 0 : -1;
}

static int start(struct run *run, struct error *error)
{
    struct admin_options admin = {.path = run->options->admin_socket, .sink = take_request, .context = run};
    struct web_options web = {
        .listen = run->options->listen, .health = is_healthy, .ready = is_ready, .context = run};
    if (start_vpsie(run, error) < 0 || start_kube(run, error) < 0 || start_fleet(run, error) < 0) {
        return -1;
    }
    run->admin = admin_start(&admin, error);
    if (run->admin == NULL) {
        return -1;
    }
    run->web = web_start(&web, error);
    if (run->web == NULL && error->text[0] != '\0') {
        return -1;
    }
    run->signal_thread_runs = pthread_create(&run->signal_thread, NULL, wait_for_signal, run) == 0;
    return run->signal_thread_runs ? 0 : error_set(error, errno, "cannot start a thread");
}

static void drain_queue(struct run *run)
{
    for (struct item *item; (item = queue_pop(run->queue, 0)) != NULL;) {
        event_destroy(item->event);
        if (item->request != NULL) {
            admin_request_free(item->request);
        }
        free(item);
    }
}

// Doors that push are freed from a full queue first; then each stops by itself. The Lease is released last of
// what acts.
static void stop(struct run *run)
{
    ending_within(ENDING_MS_MAX);
    queue_close(run->queue);
    web_stop(run->web);
    admin_stop(run->admin);
    fleet_stop(run->fleet);
    if (run->vpsie != NULL) {
        pthread_mutex_lock(&run->secret_lock);
        run->vpsie_stops = true;
        pthread_mutex_unlock(&run->secret_lock);
        vpsie_stop(run->vpsie);
    }
    if (run->kube != NULL) {
        kube_stop(run->kube, true);
    }
    if (run->signal_thread_runs) {
        pthread_kill(run->signal_thread, SIGTERM);
        pthread_join(run->signal_thread, NULL);
    }
    drain_queue(run);
}

static int start_log(const struct run_options *options)
{
    struct error error = {0};
    enum log_format format;
    enum log_level level;
    if (log_parse_format(options->log_format, &format, &error) < 0 ||
        log_parse_level(options->log_level, &level, &error) < 0) {
        fprintf(stderr, "vpsie-coordinator: %s\n", error.text);
        return -1;
    }
    log_init("vpsie-coordinator", format, level);
    return 0;
}

int run_coordinator(struct run_options *options)
{
    if (start_log(options) < 0) {
        return 2;
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); // a core dump would hold the credentials
    block_signals();
    http_global_init();
    struct run run = {.options = options, .started_ms = clock_steady_wall_ms()};
    pthread_mutex_init(&run.secret_lock, NULL);
    make_identity(&run);
    options->core.identity = run.identity;
    options->core.own_space = options->own_namespace;
    options->core.own_pod = run.own_name;
    atomic_store(&run.round_ms, clock_monotonic_ms());
    make_metrics(&run);
    run.core = core_create(&options->core);
    run.commands = commands_create();
    run.queue = queue_create(QUEUE_CAPACITY);
    struct error error = {0};
    log_event(LOG_INFO, "starting", LOG_S("version", version_line("vpsie-coordinator")),
              LOG_S("identity", run.identity), LOG_B("dry_run", options->core.dry_run), LOG_END);
    int status = 0;
    if (start(&run, &error) < 0) {
        log_event(LOG_ERROR, "cannot start", LOG_S("error", error.text), LOG_END);
        status = 1;
    } else {
        live(&run);
    }
    stop(&run);
    core_destroy(run.core);
    commands_destroy(run.commands);
    queue_destroy(run.queue);
    pthread_mutex_destroy(&run.secret_lock);
    log_event(LOG_INFO, "stopped", LOG_END);
    return status;
}

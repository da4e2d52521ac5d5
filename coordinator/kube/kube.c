#include "coordinator/kube/kube.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/log.h"
#include "coordinator/kube/access.h"
#include "coordinator/kube/api.h"
#include "coordinator/kube/authority.h"
#include "coordinator/kube/door.h"
#include "coordinator/kube/kinds.h"
#include "coordinator/kube/lease.h"
#include "coordinator/kube/recorder.h"
#include "coordinator/kube/review.h"
#include "coordinator/kube/secret.h"
#include "coordinator/kube/watch.h"
#include "coordinator/kube/workers.h"
#include "coordinator/kube/write.h"

#define STACK_BYTES   ((size_t)1 << 20)
#define WATCHES_MAX   (OBJECT_KIND_COUNT + 1) // and the Secret
#define WATCH_SECRET  OBJECT_KIND_COUNT
#define SECRET_PREFIX "/api/v1"

// One watched kind, as its callbacks see it.
struct source {
    struct kube *kube;
    const struct kind *kind; // NULL: the Secret
    struct watch *watch;     // NULL: not watched
    pthread_t thread;
    bool running;
};

struct kube {
    struct kube_options options;
    char *identity, *lease_space, *lease_name, *secret_space, *secret_name;
    struct access access;
    struct api *api;
    struct lease *lease;
    struct recorder *recorder;
    struct authority *authority; // NULL: none is kept
    struct workers *workers;
    struct writer writer;
    struct source sources[WATCHES_MAX];
    struct watch *watches[WATCHES_MAX];
    pthread_t lease_thread;
    bool lease_running;
    pthread_t authority_thread;
    bool synced; // atomic
};

// ---------------------------------------------------------------------------------------- what becomes
// events

static void emit(struct kube *kube, struct event *event)
{
    kube->options.sink(kube->options.context_pointer, event);
}

static int on_object(void *context, const cJSON *json, struct error *error)
{
    struct source *source = context;
    struct event *event = event_create(EVENT_OBJECT);
    event->object.kind = source->kind->object;
    if (source->kind->fill(json, event, error) < 0) {
        event_destroy(event);
        return -1;
    }
    emit(source->kube, event);
    return 0;
}

static void on_gone(void *context, const char *space, const char *name, const char *uid)
{
    struct source *source = context;
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = source->kind->object;
    event->gone.space = arena_strdup(event->arena, space);
    event->gone.name = arena_strdup(event->arena, name);
    event->gone.uid = arena_strdup(event->arena, uid);
    emit(source->kube, event);
}

static int on_secret(void *context, const cJSON *json, struct error *error)
{
    struct kube *kube = ((struct source *)context)->kube;
    return secret_deliver(json, kube->options.secret_sink, kube->options.context_pointer, error);
}

static void on_secret_gone(void *context, const char *space, const char *name, const char *uid)
{
    struct kube *kube = ((struct source *)context)->kube;
    (void)space, (void)name, (void)uid;
    kube->options.secret_sink(kube->options.context_pointer, NULL, 0);
}

static bool all_synced(struct kube *kube)
{
    for (int i = 0; i < OBJECT_KIND_COUNT; i++) {
        struct watch_state state;
        watch_state(kube->sources[i].watch, &state);
        if (!state.synced)
            return false;
    }
    return true;
}

static void on_synced(void *context)
{
    struct kube *kube = ((struct source *)context)->kube;
    if (!all_synced(kube))
        return;
    if (!__atomic_exchange_n(&kube->synced, true, __ATOMIC_SEQ_CST))
        log_event(LOG_INFO, "every kind has been listed", LOG_S("server", kube->access.server), LOG_END);
    emit(kube, event_create(EVENT_KUBE_SYNCED));
}

static void on_state(void *context, bool reachable, const char *detail)
{
    struct kube *kube = context;
    struct event *event = event_create(EVENT_KUBE_STATE);
    event->kube_state.reachable = reachable;
    event->kube_state.detail = arena_strdup(event->arena, detail);
    log_event(reachable ? LOG_INFO : LOG_ERROR,
              reachable ? "the API server answers" : "the API server does not answer",
              LOG_S("server", kube->access.server), LOG_S("detail", detail), LOG_END);
    emit(kube, event);
}

static void on_news(void *context, const struct lease_news *news)
{
    struct kube *kube = context;
    struct event *event = event_create(EVENT_LEADER);
    event->leader.leading = news->leading;
    event->leader.term = news->term;
    event->leader.identity = arena_strdup(event->arena, kube->identity);
    event->leader.holder = arena_strdup(event->arena, news->holder);
    event->leader.saved = news->saved;
    event->leader.saved.paused_reason = arena_strdup(event->arena, news->saved.paused_reason);
    emit(kube, event);
}

static void execute(void *context, const struct command *command)
{
    struct kube *kube = context;
    if (!command_has_outcome(command->kind)) {
        write_execute(&kube->writer, command, NULL);
        return;
    }
    struct event *outcome = event_create(EVENT_OUTCOME);
    write_execute(&kube->writer, command, outcome);
    emit(kube, outcome);
}

static bool may_act(void *context, uint64_t term)
{
    return lease_may_act(((struct kube *)context)->lease, term);
}

// ------------------------------------------------------------------------------------------ starting,
// stopping

static void *run_watch(void *argument)
{
    watch_run(((struct source *)argument)->watch);
    return NULL;
}

static void *run_lease(void *argument)
{
    lease_run(((struct kube *)argument)->lease);
    return NULL;
}

static void *run_authority(void *argument)
{
    authority_run(((struct kube *)argument)->authority);
    return NULL;
}

static void create_sources(struct kube *kube)
{
    for (int i = 0; i < OBJECT_KIND_COUNT; i++) {
        struct source *source = &kube->sources[i];
        *source = (struct source){.kube = kube, .kind = &kinds[i]};
        struct watch_options options = {.api = kube->api,
                                        .kind = kinds[i].name,
                                        .path = kinds[i].path,
                                        .field_selector = kinds[i].field_selector,
                                        .objects_max = kinds[i].objects_max,
                                        .custom = kinds[i].custom,
                                        .on_object = on_object,
                                        .on_gone = on_gone,
                                        .on_synced = on_synced,
                                        .context = source};
        kube->watches[i] = source->watch = watch_create(&options);
    }
    if (*kube->secret_name == '\0' || !kube->options.secret_sink)
        return;
    struct source *source = &kube->sources[WATCH_SECRET];
    *source = (struct source){.kube = kube};
    AUTOTEXT struct text selector = {0};
    AUTOFREE char *path = write_path(SECRET_PREFIX, kube->secret_space, "secrets", NULL, "");
    text_append(&selector, "metadata.name%3D");
    http_escape(&selector, kube->secret_name);
    struct watch_options options = {.api = kube->api,
                                    .kind = "Secret",
                                    .path = path,
                                    .field_selector = text_get(&selector),
                                    .objects_max = 1,
                                    .secret = true,
                                    .on_object = on_secret,
                                    .on_gone = on_secret_gone,
                                    .context = source};
    kube->watches[WATCH_SECRET] = source->watch = watch_create(&options);
}

static void start_threads(struct kube *kube)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (pthread_create(&kube->lease_thread, &attributes, run_lease, kube) != 0)
        abort();
    if (kube->authority && pthread_create(&kube->authority_thread, &attributes, run_authority, kube) != 0)
        abort();
    for (int i = 0; i < WATCHES_MAX; i++) {
        struct source *source = &kube->sources[i];
        if (!source->watch)
            continue;
        if (pthread_create(&source->thread, &attributes, run_watch, source) != 0)
            abort();
        source->running = true;
    }
    pthread_attr_destroy(&attributes);
    kube->workers = workers_start(WORKERS_DEFAULT, execute, kube);
}

static void create_authority(struct kube *kube)
{
    const struct kube_options *options = &kube->options;
    struct error error = {0};
    if (!options->tls_secret_name || !*options->tls_secret_name)
        return;
    struct authority_options authority = {.api = kube->api,
                                          .space = options->own_namespace,
                                          .secret_name = options->tls_secret_name,
                                          .configmap_name = options->ca_configmap_name,
                                          .service_name = options->service_name};
    kube->authority = authority_create(&authority, &error);
    if (!kube->authority)
        log_event(LOG_ERROR, "no certificate for agents can be kept", LOG_S("error", error.text), LOG_END);
}

struct kube *kube_door_start(const struct kube_options *options, const struct access *access,
                             const struct api_transport *transport)
{
    assert(options->sink && options->identity && *options->identity);
    struct kube *kube = xcalloc(1, sizeof(*kube));
    kube->options = *options;
    kube->access = *access;
    kube->identity = xstrdup(options->identity);
    kube->lease_space = xstrdup(options->lease_namespace);
    kube->lease_name = xstrdup(options->lease_name);
    kube->secret_space = xstrdup(options->secret_namespace ? options->secret_namespace : "");
    kube->secret_name = xstrdup(options->secret_name ? options->secret_name : "");
    struct api_options api = {.access = &kube->access,
                              .transport = transport,
                              .read_only = options->dry_run,
                              .may_act = may_act,
                              .on_state = on_state,
                              .context = kube};
    kube->api = api_create(&api);
    struct lease_options lease = {.api = kube->api,
                                  .space = kube->lease_space,
                                  .name = kube->lease_name,
                                  .identity = kube->identity,
                                  .duration_ms = options->lease_duration_ms,
                                  .renew_deadline_ms = options->renew_deadline_ms,
                                  .retry_period_ms = options->retry_period_ms,
                                  .elect = options->leader_elect && !options->dry_run,
                                  .on_news = on_news,
                                  .context = kube};
    kube->lease = lease_create(&lease);
    struct recorder_options recorder = {.api = kube->api, .identity = kube->identity};
    kube->recorder = recorder_create(&recorder);
    create_authority(kube);
    create_sources(kube);
    kube->writer = (struct writer){
        .api = kube->api, .lease = kube->lease, .recorder = kube->recorder, .watches = kube->watches};
    start_threads(kube);
    return kube;
}

struct kube *kube_start(const struct kube_options *options, struct error *error)
{
    struct access_environment environment = access_environment();
    struct access access;
    if (options->lease_duration_ms <= options->renew_deadline_ms ||
        options->renew_deadline_ms <= options->retry_period_ms || options->retry_period_ms <= 0) {
        error_set(
            error, 0,
            "the lease duration (%lld ms) must be above the renew deadline (%lld ms), and that above the "
            "retry period (%lld ms)",
            (long long)options->lease_duration_ms, (long long)options->renew_deadline_ms,
            (long long)options->retry_period_ms);
        return NULL;
    }
    const char *kubeconfig = options->kubeconfig ? options->kubeconfig : "";
    const char *context = options->context ? options->context : "";
    if (access_load(kubeconfig, context, &environment, &access, error) < 0)
        return NULL;
    // What libcurl cannot use (a certificate that is none) is said now, not at the first request.
    struct http_trust trust = access_trust(&access);
    struct http *probe = http_create(&trust, "vpsie-coordinator", error);
    if (!probe) {
        error_wrap(error, "%s", access.origin);
        access_free(&access);
        return NULL;
    }
    http_destroy(probe);
    log_event(LOG_INFO, "using the API server", LOG_S("server", access.server), LOG_S("from", access.origin),
              LOG_B("dry_run", options->dry_run), LOG_END);
    if (access.insecure_skip_verify)
        log_event(LOG_WARN, "the API server's certificate is not checked (insecure-skip-tls-verify)",
                  LOG_S("server", access.server), LOG_END);
    return kube_door_start(options, &access, NULL);
}

void kube_stop(struct kube *kube, bool release_lease)
{
    if (!kube)
        return;
    api_stop(kube->api); // running calls end; commands that wait are answered as not sent
    workers_stop(kube->workers);
    for (int i = 0; i < WATCHES_MAX; i++) {
        if (kube->sources[i].running)
            pthread_join(kube->sources[i].thread, NULL);
    }
    pthread_join(kube->lease_thread, NULL);
    if (kube->authority)
        pthread_join(kube->authority_thread, NULL);
    if (release_lease)
        lease_release(kube->lease);
    for (int i = 0; i < WATCHES_MAX; i++)
        watch_destroy(kube->watches[i]);
    authority_destroy(kube->authority);
    recorder_destroy(kube->recorder);
    lease_destroy(kube->lease);
    api_destroy(kube->api);
    access_free(&kube->access);
    free(kube->identity);
    free(kube->lease_space);
    free(kube->lease_name);
    free(kube->secret_space);
    free(kube->secret_name);
    free(kube);
}

// ------------------------------------------------------------------------------------------------ questions

void kube_submit(struct kube *kube, struct command *command)
{
    assert(command->kind <= COMMAND_KUBE_SAVE_STATE);
    workers_submit(kube->workers, command);
}

bool kube_may_act(struct kube *kube, uint64_t term)
{
    return !kube->options.dry_run && !api_stopping(kube->api) && lease_may_act(kube->lease, term);
}

bool kube_is_leading(struct kube *kube)
{
    return lease_leading(kube->lease);
}

int kube_review_token(struct kube *kube, const char *token, const char *audience, const char *service_account,
                      char *node_name, size_t node_name_bytes, struct error *error)
{
    return review_node_of_token(kube->api, token, audience, service_account, node_name, node_name_bytes,
                                error);
}

bool kube_certificate(struct kube *kube, int64_t timeout_ms, const char **cert_file, const char **key_file)
{
    *cert_file = *key_file = "";
    if (!kube->authority)
        return false;
    *cert_file = authority_cert_file(kube->authority);
    *key_file = authority_key_file(kube->authority);
    return authority_wait(kube->authority, timeout_ms);
}

static void add_detail(struct kube_health *health, const char *what, const char *problem)
{
    size_t used = strlen(health->detail);
    snprintf(health->detail + used, sizeof(health->detail) - used, "%s%s: %s", used > 0 ? "; " : "", what,
             problem);
}

void kube_health(struct kube *kube, struct kube_health *out)
{
    char problem[256];
    *out = (struct kube_health){.reachable = api_reachable(kube->api), .leading = kube_is_leading(kube)};
    snprintf(out->server, sizeof(out->server), "%s", kube->access.server);
    lease_holder(kube->lease, out->holder, sizeof(out->holder));
    out->synced = __atomic_load_n(&kube->synced, __ATOMIC_SEQ_CST);
    lease_problem(kube->lease, problem, sizeof(problem));
    if (problem[0] != '\0')
        add_detail(out, "Lease", problem);
    for (int i = 0; i < WATCHES_MAX; i++) {
        struct watch_state state;
        if (!kube->watches[i])
            continue;
        watch_state(kube->watches[i], &state);
        const char *name = i < OBJECT_KIND_COUNT ? kinds[i].name : "Secret";
        if (!state.synced || state.problem[0] != '\0')
            add_detail(out, name, state.problem[0] ? state.problem : "not listed yet");
    }
}

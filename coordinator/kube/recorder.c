#include "coordinator/kube/recorder.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "coordinator/kube/json.h"
#include "coordinator/kube/kinds.h"

#define SERIES_MAX       512u
#define NOTE_BYTES_MAX   1024
#define FIELD_BYTES_MAX  128
#define NAME_BYTES_MAX   253
#define REFILL_PERIOD_MS 1000

// One event and its repetitions.
struct series {
    uint64_t hash; // of what makes two events the same; 0: free
    char *path;    // of the event object, NULL while its creation is out or has failed
    int64_t last_ms;
    uint32_t count;
};

struct recorder {
    struct recorder_options options;
    pthread_mutex_t lock;
    struct series series[SERIES_MAX];
    int64_t refilled_ms;
    uint32_t tokens;
};

static int64_t monotonic_ms(void *context)
{
    (void)context;
    return clock_monotonic_ms();
}

struct recorder *recorder_create(const struct recorder_options *options)
{
    struct recorder *recorder = xcalloc(1, sizeof(*recorder));
    recorder->options = *options;
    if (!recorder->options.now_ms)
        recorder->options.now_ms = monotonic_ms;
    recorder->tokens = RECORDER_BURST;
    recorder->refilled_ms = recorder->options.now_ms(recorder->options.now_context);
    pthread_mutex_init(&recorder->lock, NULL);
    return recorder;
}

void recorder_destroy(struct recorder *recorder)
{
    if (!recorder)
        return;
    for (uint32_t i = 0; i < SERIES_MAX; i++)
        free(recorder->series[i].path);
    pthread_mutex_destroy(&recorder->lock);
    free(recorder);
}

// ------------------------------------------------------------------------------------------------- the event

struct regarding {
    const char *api_version, *kind;
};

static struct regarding regarding_of(const struct command *command)
{
    switch (command->event.regarding) {
    case REGARDING_NODEGROUP: return (struct regarding){"autoscaler.vpsie.com/v1alpha1", "NodeGroup"};
    case REGARDING_INTENTION: return (struct regarding){"autoscaler.vpsie.com/v1alpha1", "VPSieNode"};
    case REGARDING_NODE: return (struct regarding){"v1", "Node"};
    case REGARDING_POD: return (struct regarding){"v1", "Pod"};
    }
    return (struct regarding){"v1", "Node"};
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

// Events about objects without a namespace live in "default", as those of the node controllers do.
static const char *space_of(const struct command *command)
{
    const char *space = or_empty(command->event.space);
    return *space ? space : "default";
}

static void add_bounded(cJSON *parent, const char *key, const char *text, size_t most)
{
    size_t length = 0;
    size_t whole = strlen(text);
    while (length < whole) {
        size_t step = text_utf8_length(text + length, whole - length);
        if (step == 0 || length + step > most)
            break;
        length += step;
    }
    AUTOFREE char *cut = xstrndup(text, length);
    json_add_text(parent, key, cut);
}

static char *event_name(const struct command *command)
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        random = (uint64_t)clock_monotonic_ms();
    return xprintf("%.*s.%016llx", NAME_BYTES_MAX - 17, or_empty(command->event.name),
                   (unsigned long long)random);
}

static char *event_body(const struct recorder *recorder, const struct command *command, const char *name)
{
    char now[40];
    struct regarding regarding = regarding_of(command);
    AUTOJSON cJSON *body = json_object();
    text_format_time_micro(now, sizeof(now), clock_wall_ms());
    json_add_text(body, "apiVersion", "events.k8s.io/v1");
    json_add_text(body, "kind", "Event");
    cJSON *metadata = json_add_object(body, "metadata");
    json_add_text(metadata, "name", name);
    json_add_text(metadata, "namespace", space_of(command));
    if (command->decision_id != 0) {
        AUTOFREE char *decision = xprintf("D%llu", (unsigned long long)command->decision_id);
        json_add_text(json_add_object(metadata, "annotations"), "autoscaler.vpsie.com/decision", decision);
    }
    json_add_text(body, "eventTime", now);
    json_add_text(body, "reportingController", "autoscaler.vpsie.com/coordinator");
    add_bounded(body, "reportingInstance", recorder->options.identity, FIELD_BYTES_MAX);
    const char *action = or_empty(command->event.action);
    add_bounded(body, "action", *action ? action : command->event.reason, FIELD_BYTES_MAX);
    add_bounded(body, "reason", command->event.reason, FIELD_BYTES_MAX);
    json_add_text(body, "type", command->event.warning ? "Warning" : "Normal");
    add_bounded(body, "note", or_empty(command->event.message), NOTE_BYTES_MAX);
    cJSON *object = json_add_object(body, "regarding");
    json_add_text(object, "apiVersion", regarding.api_version);
    json_add_text(object, "kind", regarding.kind);
    json_add_text(object, "name", or_empty(command->event.name));
    if (*or_empty(command->event.space))
        json_add_text(object, "namespace", command->event.space);
    if (*or_empty(command->event.uid))
        json_add_text(object, "uid", command->event.uid);
    struct text text = {0};
    json_print(body, &text);
    return text_take(&text);
}

static uint64_t hash_part(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return (hash ^ 0xff) * 1099511628211u;
}

static uint64_t hash_of(const struct command *command)
{
    uint64_t hash = 14695981039346656037u;
    hash = (hash ^ (uint64_t)command->event.regarding) * 1099511628211u;
    hash = (hash ^ (uint64_t)command->event.warning) * 1099511628211u;
    hash = hash_part(hash, or_empty(command->event.space));
    hash = hash_part(hash, or_empty(command->event.name));
    hash = hash_part(hash, or_empty(command->event.uid));
    hash = hash_part(hash, command->event.reason);
    hash = hash_part(hash, or_empty(command->event.action));
    return hash ? hash : 1;
}

// ------------------------------------------------------------------------------------------- series and
// limits

// The series of `hash` within the window, else a free or the oldest place for it. Under lock.
static struct series *place(struct recorder *recorder, uint64_t hash, int64_t now_ms)
{
    struct series *oldest = &recorder->series[0];
    for (uint32_t i = 0; i < SERIES_MAX; i++) {
        struct series *series = &recorder->series[i];
        if (series->hash == hash && now_ms - series->last_ms <= RECORDER_WINDOW_MS)
            return series;
        if (oldest->hash != 0 && (series->hash == 0 || series->last_ms < oldest->last_ms))
            oldest = series;
    }
    free(oldest->path);
    *oldest = (struct series){.hash = hash};
    return oldest;
}

static struct series *find(struct recorder *recorder, uint64_t hash)
{
    for (uint32_t i = 0; i < SERIES_MAX; i++) {
        if (recorder->series[i].hash == hash)
            return &recorder->series[i];
    }
    return NULL;
}

// Under lock.
static bool take_token(struct recorder *recorder, int64_t now_ms)
{
    int64_t periods = (now_ms - recorder->refilled_ms) / REFILL_PERIOD_MS;
    if (periods > 0) {
        recorder->refilled_ms += periods * REFILL_PERIOD_MS;
        recorder->tokens = periods >= RECORDER_BURST - (int64_t)recorder->tokens
                               ? RECORDER_BURST
                               : recorder->tokens + (uint32_t)periods;
    }
    if (recorder->tokens == 0)
        return false;
    recorder->tokens--;
    return true;
}

static void count_dropped(const char *why)
{
    char labels[64];
    snprintf(labels, sizeof(labels), "reason=\"%s\"", why);
    metric_add(metrics_counter("vpsie_autoscaler_kube_events_dropped_total", labels,
                               "Kubernetes events that were not written."),
               1);
}

static char *events_path(const struct command *command, const char *name)
{
    struct text path = {0};
    text_append(&path, "/apis/events.k8s.io/v1/namespaces/");
    http_escape(&path, space_of(command));
    text_append(&path, "/events");
    if (name) {
        text_append(&path, "/");
        http_escape(&path, name);
    }
    return text_take(&path);
}

// ----------------------------------------------------------------------------------------------------
// writing

static void create(struct recorder *recorder, const struct command *command, uint64_t hash)
{
    AUTOFREE char *name = event_name(command);
    AUTOFREE char *body = event_body(recorder, command, name);
    AUTOFREE char *collection = events_path(command, NULL);
    AUTOFREE char *path = xprintf("%s?fieldManager=vpsie-coordinator", collection);
    AUTOREPLY struct api_reply reply = {0};
    struct api_request request = {.verb = "create",
                                  .kind = "Event",
                                  .method = "POST",
                                  .path = path,
                                  .body = body,
                                  .guard = API_FENCED,
                                  .term = command->term};
    api_call(recorder->options.api, &request, &reply);
    pthread_mutex_lock(&recorder->lock);
    struct series *series = find(recorder, hash);
    if (api_succeeded(&reply)) {
        if (series && !series->path)
            series->path = events_path(command, name);
    } else {
        if (series)
            series->hash = 0; // the next one begins anew
        count_dropped("failed");
        log_event(LOG_DEBUG, "a Kubernetes event could not be written", LOG_S("error", reply.message),
                  LOG_END);
    }
    pthread_mutex_unlock(&recorder->lock);
}

static void repeat(struct recorder *recorder, const struct command *command, uint64_t hash, const char *event,
                   uint32_t count)
{
    char now[40];
    AUTOTEXT struct text body = {0};
    AUTOFREE char *path = xprintf("%s?fieldManager=vpsie-coordinator", event);
    AUTOREPLY struct api_reply reply = {0};
    text_format_time_micro(now, sizeof(now), clock_wall_ms());
    text_printf(&body, "{\"series\":{\"count\":%u,\"lastObservedTime\":\"%s\"}}", count, now);
    struct api_request request = {.verb = "patch",
                                  .kind = "Event",
                                  .method = "PATCH",
                                  .path = path,
                                  .body = text_get(&body),
                                  .content_type = "application/merge-patch+json",
                                  .guard = API_FENCED,
                                  .term = command->term};
    api_call(recorder->options.api, &request, &reply);
    if (reply.status == 404) { // expired: the server keeps events for an hour
        pthread_mutex_lock(&recorder->lock);
        struct series *series = find(recorder, hash);
        if (series) {
            free(series->path);
            series->path = NULL;
            series->count = 1;
        }
        pthread_mutex_unlock(&recorder->lock);
        create(recorder, command, hash);
    } else if (!api_succeeded(&reply)) {
        count_dropped("failed");
    }
}

void recorder_post(struct recorder *recorder, const struct command *command)
{
    assert(command->kind == COMMAND_KUBE_EVENT && command->event.reason);
    int64_t now_ms = recorder->options.now_ms(recorder->options.now_context);
    uint64_t hash = hash_of(command);
    AUTOFREE char *event = NULL;
    pthread_mutex_lock(&recorder->lock);
    struct series *series = place(recorder, hash, now_ms);
    bool first = series->count == 0;
    uint32_t count = ++series->count;
    bool writable = first || series->path;
    bool allowed = writable && take_token(recorder, now_ms);
    series->last_ms = now_ms;
    if (allowed)
        event = xstrdup(series->path);
    else if (first)
        series->hash = 0;
    pthread_mutex_unlock(&recorder->lock);
    // A repetition that is not written is counted all the same: the next one tells the whole number.
    if (!allowed && writable)
        count_dropped("limit");
    else if (allowed && first)
        create(recorder, command, hash);
    else if (allowed)
        repeat(recorder, command, hash, event, count);
}

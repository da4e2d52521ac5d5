#include "coordinator/kube/watch.h"

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
#include "coordinator/kube/splitter.h"
#include "coordinator/kube/store.h"

#define PAGE_LIMIT             500
#define LIST_RESTARTS_MAX      5 // continue tokens that expire under way
#define WATCH_SECONDS_MIN      240
#define WATCH_SECONDS_SPREAD   61
#define WATCH_IDLE_GRACE_MS    20000 // the server ends the stream itself before this
#define LIST_IDLE_MS           30000
#define LIST_TIMEOUT_MS        300000
#define REST_MS_MAX            60000 // however long the server asks us to stay away
#define SETTLED_MS             5000  // a stream that lived so long was no failure
#define PROBLEM_LOG_PERIOD_MS  60000
#define RETRY_MISSING_KINDS_MS 5000

enum stream_end { STREAM_ENDED, STREAM_BROKEN, STREAM_GONE };

struct watch {
    struct watch_options options; // path and field_selector are our copies
    char *path, *field_selector;
    struct store *store;
    pthread_mutex_t lock;
    struct watch_state state; // under lock
    char problem_logged[256]; // what follows belongs to the thread of watch_run()
    int64_t problem_logged_ms;
    char version[64];  // to watch from
    uint32_t failures; // in a row
};

// ------------------------------------------------------------------------------------------------ the story

static bool watch_list(struct watch *watch);
static enum stream_end watch_stream(struct watch *watch);

void watch_run(struct watch *watch)
{
    bool listed = false;
    while (!api_stopping(watch->options.api)) {
        if (!listed) {
            listed = watch_list(watch);
            continue;
        }
        if (watch_stream(watch) == STREAM_GONE)
            listed = false;
    }
}

struct watch *watch_create(const struct watch_options *options)
{
    assert(options->api && options->on_object && options->on_gone);
    struct watch *watch = xcalloc(1, sizeof(*watch));
    watch->options = *options;
    watch->options.path = watch->path = xstrdup(options->path);
    watch->options.field_selector = watch->field_selector = xstrdup(options->field_selector);
    watch->store = store_create(options->objects_max);
    pthread_mutex_init(&watch->lock, NULL);
    return watch;
}

void watch_destroy(struct watch *watch)
{
    if (!watch)
        return;
    store_destroy(watch->store);
    free(watch->path);
    free(watch->field_selector);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

void watch_state(struct watch *watch, struct watch_state *out)
{
    pthread_mutex_lock(&watch->lock);
    *out = watch->state;
    pthread_mutex_unlock(&watch->lock);
}

static uint32_t random_below(uint32_t limit)
{
    uint32_t value = 0;
    if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
        value = (uint32_t)clock_monotonic_ms();
    return value % limit;
}

int64_t watch_backoff_ms(uint32_t attempt)
{
    uint32_t shift = attempt > 6 ? 5 : attempt - 1;
    int64_t full_ms = 250 << shift;
    return full_ms / 2 + random_below((uint32_t)full_ms / 2);
}

// Said at once when it is new, then once a minute while it lasts.
static void say_problem(struct watch *watch, const char *problem)
{
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&watch->lock);
    snprintf(watch->state.problem, sizeof(watch->state.problem), "%.255s", problem);
    pthread_mutex_unlock(&watch->lock);
    if (*problem == '\0' || (strcmp(problem, watch->problem_logged) == 0 &&
                             now_ms - watch->problem_logged_ms < PROBLEM_LOG_PERIOD_MS))
        return;
    snprintf(watch->problem_logged, sizeof(watch->problem_logged), "%.255s", problem);
    watch->problem_logged_ms = now_ms;
    log_event(LOG_WARN, "cannot keep up with a kind of object", LOG_S("kind", watch->options.kind),
              LOG_S("problem", problem), LOG_END);
}

static void count_restart(const struct watch *watch, const char *reason)
{
    char labels[128];
    snprintf(labels, sizeof(labels), "kind=\"%s\",reason=\"%s\"", watch->options.kind, reason);
    metric_add(metrics_counter("vpsie_autoscaler_kube_watch_restarts_total", labels,
                               "Watches begun anew, by kind and why the former one ended."),
               1);
}

// Between failures; longer each time.
static bool rest(struct watch *watch, int64_t asked_ms)
{
    int64_t ms = watch_backoff_ms(++watch->failures);
    if (asked_ms > ms)
        ms = asked_ms < REST_MS_MAX ? asked_ms : REST_MS_MAX;
    return api_wait(watch->options.api, ms);
}

// -------------------------------------------------------------------------------------------------- objects

// One list or watch in progress.
struct intake {
    struct watch *watch;
    char version[64];  // of the list, or of the last event
    char *proceed;     // metadata.continue of the page
    bool unreadable;   // something was passed over
    uint64_t taken;    // objects and bookmarks
    int error_code;    // of an ERROR event, 0 without
    char message[256]; // its text
};

static void count_dropped(struct intake *intake, const char *why)
{
    char labels[64];
    struct watch *watch = intake->watch;
    intake->unreadable = true;
    snprintf(labels, sizeof(labels), "kind=\"%s\"", watch->options.kind);
    struct metric *counter = metrics_counter("vpsie_autoscaler_kube_objects_dropped_total", labels,
                                             "Objects from the API server that could not be used, by kind.");
    metric_add(counter, 1);
    // The first few tell what is wrong; the counter tells how often.
    if (metric_value(counter) <= 10)
        log_event(LOG_WARN, "an object from the API server could not be used",
                  LOG_S("kind", watch->options.kind), LOG_S("why", why), LOG_END);
}

static void update_count(struct watch *watch)
{
    char labels[64];
    size_t count = store_count(watch->store);
    pthread_mutex_lock(&watch->lock);
    bool changed = watch->state.objects != count;
    watch->state.objects = count;
    pthread_mutex_unlock(&watch->lock);
    if (!changed)
        return;
    snprintf(labels, sizeof(labels), "kind=\"%s\"", watch->options.kind);
    metric_set(metrics_gauge("vpsie_autoscaler_kube_objects", labels, "Objects known, by kind."),
               (double)count);
}

static void take_object(struct intake *intake, const cJSON *json)
{
    struct watch *watch = intake->watch;
    const cJSON *metadata = json_get(json, "metadata");
    const char *space = json_text(metadata, "namespace");
    const char *name = json_text(metadata, "name");
    const char *former_uid;
    struct error error = {0};
    if (*name == '\0') {
        count_dropped(intake, "it has no name");
        return;
    }
    switch (store_see(watch->store, space, name, json_text(metadata, "uid"),
                      json_text(metadata, "resourceVersion"), &former_uid)) {
    case STORE_SAME:
    case STORE_STALE: return;
    case STORE_FULL: count_dropped(intake, "there are more than the limit of this kind"); return;
    case STORE_REPLACED: watch->options.on_gone(watch->options.context, space, name, former_uid); break;
    case STORE_NEW:
    case STORE_CHANGED: break;
    }
    if (watch->options.on_object(watch->options.context, json, &error) < 0)
        count_dropped(intake, error.text);
}

static void take_gone(struct intake *intake, const cJSON *object)
{
    struct watch *watch = intake->watch;
    const cJSON *metadata = json_get(object, "metadata");
    const char *space = json_text(metadata, "namespace");
    const char *name = json_text(metadata, "name");
    const char *uid = json_text(metadata, "uid");
    if (store_remove(watch->store, space, name, uid, json_text(metadata, "resourceVersion")))
        watch->options.on_gone(watch->options.context, space, name, uid);
}

static cJSON *parse_piece(struct intake *intake, char *bytes, size_t length)
{
    json_blank_managed_fields(bytes, length);
    struct error error = {0};
    cJSON *json = json_parse(bytes, length, &error);
    if (!json)
        count_dropped(intake, error.text);
    return json;
}

static void free_piece(const struct watch *watch, cJSON *json)
{
    struct api_reply holder = {.json = json, .wipe = watch->options.secret};
    api_reply_free(&holder);
}

static bool feed(void *context, const char *bytes, size_t length)
{
    return splitter_feed(context, bytes, length);
}

// ---------------------------------------------------------------------------------------------------- list

static bool take_list_piece(void *context, enum splitter_piece piece, char *bytes, size_t length)
{
    struct intake *intake = context;
    cJSON *json = parse_piece(intake, bytes, length);
    if (json && piece == SPLITTER_METADATA) {
        const char *proceed = json_text(json, "continue");
        snprintf(intake->version, sizeof(intake->version), "%.63s", json_text(json, "resourceVersion"));
        free(intake->proceed);
        intake->proceed = *proceed ? xstrdup(proceed) : NULL;
    } else if (json) {
        take_object(intake, json);
    }
    free_piece(intake->watch, json);
    return true;
}

static char *list_path(const struct watch *watch, const char *proceed)
{
    struct text path = {0};
    text_printf(&path, "%s?limit=%d", watch->options.path, PAGE_LIMIT);
    if (*watch->options.field_selector)
        text_printf(&path, "&fieldSelector=%s", watch->options.field_selector);
    if (proceed) {
        text_append(&path, "&continue=");
        http_escape(&path, proceed);
    }
    return text_take(&path);
}

// One page into `intake`. 0, or -1 with the reply telling why.
static int list_page(struct intake *intake, struct api_reply *reply)
{
    struct watch *watch = intake->watch;
    AUTOFREE char *path = list_path(watch, intake->proceed);
    struct splitter splitter;
    splitter_init(&splitter, SPLITTER_LIST, take_list_piece, intake);
    free(intake->proceed);
    intake->proceed = NULL;
    intake->version[0] = '\0';
    struct api_request request = {.verb = "list",
                                  .kind = watch->options.kind,
                                  .method = "GET",
                                  .path = path,
                                  .timeout_ms = LIST_TIMEOUT_MS,
                                  .idle_timeout_ms = LIST_IDLE_MS,
                                  .on_chunk = feed,
                                  .context = &splitter,
                                  .secret_body = watch->options.secret};
    api_call(watch->options.api, &request, reply);
    bool good = api_succeeded(reply) && splitter_complete(&splitter) && intake->version[0] != '\0';
    if (api_succeeded(reply) && !good)
        snprintf(reply->message, sizeof(reply->message), "the list is cut short or is none");
    if (splitter.skipped > 0)
        count_dropped(intake, "it is larger or deeper than any object should be");
    splitter_free(&splitter, watch->options.secret);
    return good ? 0 : -1;
}

static void tell_gone(void *context, const char *space, const char *name, const char *uid)
{
    struct watch *watch = context;
    watch->options.on_gone(watch->options.context, space, name, uid);
}

// All pages, under the store's lock.
static int list_all(struct watch *watch, char *version, size_t version_bytes, struct api_reply *reply)
{
    struct intake intake = {.watch = watch};
    int result = 0;
    int restarts = 0;
    store_lock(watch->store);
    store_list_begin(watch->store);
    do {
        api_reply_free(reply);
        bool continued = intake.proceed != NULL;
        result = list_page(&intake, reply);
        if (result < 0 && reply->status == 410 && continued && restarts++ < LIST_RESTARTS_MAX) {
            // The snapshot that the pages came from is gone: from the first page again.
            store_list_begin(watch->store);
            intake.unreadable = false;
            free(intake.proceed);
            intake.proceed = NULL;
            result = 1;
        }
    } while (result > 0 || (result == 0 && intake.proceed));
    if (result == 0)
        store_list_end(watch->store, intake.version, intake.unreadable, tell_gone, watch);
    else
        store_list_abort(watch->store);
    update_count(watch);
    store_unlock(watch->store);
    free(intake.proceed);
    snprintf(version, version_bytes, "%s", intake.version);
    return result;
}

int watch_list_fresh(struct watch *watch, struct error *error)
{
    char version[64];
    AUTOREPLY struct api_reply reply = {0};
    if (list_all(watch, version, sizeof(version), &reply) < 0)
        return error_set(error, reply.status, "listing %s: %s", watch->options.kind, reply.message);
    return 0;
}

static bool watch_list(struct watch *watch)
{
    AUTOREPLY struct api_reply reply = {0};
    if (list_all(watch, watch->version, sizeof(watch->version), &reply) < 0) {
        int64_t pause_ms = reply.retry_after_ms;
        if (reply.status == 404 && watch->options.custom) {
            say_problem(watch, "the CustomResourceDefinitions of autoscaler.vpsie.com are not installed "
                               "(kubectl apply -f deploy/crds); trying again");
            pause_ms = RETRY_MISSING_KINDS_MS;
        } else if (reply.result != HTTP_STOPPED) {
            say_problem(watch, reply.message);
        }
        rest(watch, pause_ms);
        return false;
    }
    watch->failures = 0;
    say_problem(watch, "");
    pthread_mutex_lock(&watch->lock);
    watch->state.synced = true;
    pthread_mutex_unlock(&watch->lock);
    if (watch->options.on_synced)
        watch->options.on_synced(watch->options.context);
    return true;
}

// --------------------------------------------------------------------------------------------------- watch

static bool take_event(struct intake *intake, const cJSON *json)
{
    struct watch *watch = intake->watch;
    const char *type = json_text(json, "type");
    const cJSON *object = json_get(json, "object");
    if (strcmp(type, "ERROR") == 0) {
        intake->error_code = (int)json_integer(object, "code", 500);
        snprintf(intake->message, sizeof(intake->message), "%.255s", json_text(object, "message"));
        return false;
    }
    bool is_bookmark = strcmp(type, "BOOKMARK") == 0;
    store_lock(watch->store);
    if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
        take_object(intake, object);
    else if (strcmp(type, "DELETED") == 0)
        take_gone(intake, object);
    else if (!is_bookmark)
        count_dropped(intake, "a watch event of an unknown type");
    if (!is_bookmark)
        update_count(watch);
    store_unlock(watch->store);
    const char *version = json_text(json_get(object, "metadata"), "resourceVersion");
    if (*version)
        snprintf(watch->version, sizeof(watch->version), "%.63s", version);
    if (intake->taken++ == 0)
        say_problem(watch, "");
    return true;
}

static bool take_watch_piece(void *context, enum splitter_piece piece, char *bytes, size_t length)
{
    struct intake *intake = context;
    (void)piece;
    cJSON *json = parse_piece(intake, bytes, length);
    bool more = !json || take_event(intake, json);
    free_piece(intake->watch, json);
    return more;
}

static enum stream_end judge_end(struct watch *watch, const struct intake *intake,
                                 const struct api_reply *reply, int64_t lived_ms)
{
    if (api_stopping(watch->options.api))
        return STREAM_ENDED;
    int code = intake->error_code ? intake->error_code : reply->status;
    const char *message = intake->error_code ? intake->message : reply->message;
    if (code == 410 || code == 404 || code == 400) {
        // Too old, no longer served, or not understood: only a list helps. A storm of them is slowed down.
        count_restart(watch, code == 410 ? "gone" : "refused");
        if (intake->taken == 0 && lived_ms < SETTLED_MS)
            rest(watch, 0);
        else
            watch->failures = 0;
        return STREAM_GONE;
    }
    if (intake->error_code == 0 && api_succeeded(reply) && (lived_ms >= SETTLED_MS || intake->taken > 0)) {
        count_restart(watch, "ended");
        watch->failures = 0;
        say_problem(watch, "");
        return STREAM_ENDED;
    }
    count_restart(watch, "broken");
    if (lived_ms >= SETTLED_MS)
        watch->failures = 0;
    if (!api_succeeded(reply) && lived_ms < SETTLED_MS)
        say_problem(watch, message);
    rest(watch, reply->retry_after_ms);
    return STREAM_BROKEN;
}

static enum stream_end watch_stream(struct watch *watch)
{
    struct intake intake = {.watch = watch};
    uint32_t seconds = WATCH_SECONDS_MIN + random_below(WATCH_SECONDS_SPREAD);
    AUTOTEXT struct text path = {0};
    text_printf(&path, "%s?watch=true&allowWatchBookmarks=true&timeoutSeconds=%u&resourceVersion=",
                watch->options.path, seconds);
    http_escape(&path, watch->version);
    if (*watch->options.field_selector)
        text_printf(&path, "&fieldSelector=%s", watch->options.field_selector);
    struct splitter splitter;
    splitter_init(&splitter, SPLITTER_STREAM, take_watch_piece, &intake);
    struct api_request request = {.verb = "watch",
                                  .kind = watch->options.kind,
                                  .method = "GET",
                                  .path = text_get(&path),
                                  .timeout_ms = -1,
                                  .idle_timeout_ms = (int64_t)seconds * 1000 + WATCH_IDLE_GRACE_MS,
                                  .on_chunk = feed,
                                  .context = &splitter,
                                  .secret_body = watch->options.secret};
    AUTOREPLY struct api_reply reply = {0};
    int64_t started_ms = clock_monotonic_ms();
    api_call(watch->options.api, &request, &reply);
    bool skipped = splitter.skipped > 0;
    splitter_free(&splitter, watch->options.secret);
    enum stream_end end = judge_end(watch, &intake, &reply, clock_monotonic_ms() - started_ms);
    if (skipped) {
        // An event that was too large may have been any object's: list again.
        count_dropped(&intake, "it is larger or deeper than any object should be");
        return STREAM_GONE;
    }
    return end;
}

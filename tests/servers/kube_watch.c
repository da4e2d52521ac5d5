#include "tests/servers/kube_watch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/text.h"
#include "tests/world/json.h"

#define WAIT_MS           100
#define BOOKMARK_EVERY_MS 1000

struct watch {
    struct kube_api *kube;
    enum api_kind kind;
    char space[254];
    char *labels, *fields;
    int64_t version;
    uint64_t epoch;
    int64_t ends_ms; // monotonic
    bool bookmarks;
    int64_t bookmark_ms, bookmark_version;
    bool over;
    struct text pending; // lines not yet sent
    size_t sent;
};

static void add_line(struct watch *watch, const char *type, const cJSON *object)
{
    AUTOFREE char *text = cJSON_PrintUnformatted(object);
    text_printf(&watch->pending, "{\"type\":\"%s\",\"object\":%s}\n", type, text);
}

static void add_gone(struct watch *watch)
{
    AUTOJSON cJSON *status = json_of("{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Failure',"
                                     "'message':'too old resource version','reason':'Expired','code':410}");
    add_line(watch, "ERROR", status);
    watch->over = true;
}

static bool selected(const struct watch *watch, const struct document *document)
{
    return document != NULL &&
           (watch->space[0] == '\0' ||
            strcmp(json_text(document->json, "metadata.namespace"), watch->space) == 0) &&
           api_matches_labels(document->json, watch->labels) == 1 &&
           api_matches_fields(document->json, watch->fields) == 1;
}

// An object that begins or ceases to match is ADDED or DELETED to this watcher, whatever the change was.
static void add_change(struct watch *watch, const struct api_change *change)
{
    if (change->kind != watch->kind) {
        return;
    }
    bool before = selected(watch, change->before);
    bool now = change->type != API_DELETED && selected(watch, change->now);
    if (now) {
        add_line(watch, before ? "MODIFIED" : "ADDED", change->now->json);
    } else if (before) {
        add_line(watch, "DELETED", change->now->json);
    }
}

static void add_bookmark(struct watch *watch)
{
    const struct api_kind_info *info = api_kind_info(watch->kind);
    AUTOJSON cJSON *object =
        json_of("{'kind':'%s','apiVersion':'%s%s%s','metadata':{'resourceVersion':'%lld'}}", info->kind,
                info->group, info->group[0] != '\0' ? "/" : "", info->version, (long long)watch->version);
    add_line(watch, "BOOKMARK", object);
    watch->bookmark_version = watch->version;
}

// Under the world's lock.
static void collect(struct watch *watch)
{
    struct api *api = watch->kube->api;
    if (watch->epoch != watch->kube->watch_epoch) {
        watch->over = true;
        return;
    }
    if (watch->version < api_compacted_version(api)) {
        add_gone(watch);
        return;
    }
    for (const struct api_change *change; (change = api_change_after(api, watch->version)) != NULL;) {
        add_change(watch, change);
        watch->version = change->version;
    }
    int64_t now_ms = clock_monotonic_ms();
    if (watch->bookmarks && watch->pending.length == 0 && now_ms >= watch->bookmark_ms) {
        watch->bookmark_ms = now_ms + BOOKMARK_EVERY_MS;
        if (watch->version > watch->bookmark_version) {
            add_bookmark(watch);
        }
    }
    watch->over = watch->over || now_ms >= watch->ends_ms;
}

static void wait_for_change(struct watch *watch)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_cond_timedwait(watch->kube->changed, watch->kube->lock, &until);
}

static int64_t watch_read(void *state, char *bytes, size_t room)
{
    struct watch *watch = state;
    if (watch->sent == watch->pending.length) {
        text_clear(&watch->pending);
        watch->sent = 0;
        if (watch->over) {
            return -1;
        }
        pthread_mutex_lock(watch->kube->lock);
        collect(watch);
        if (watch->pending.length == 0 && !watch->over) {
            wait_for_change(watch);
            collect(watch);
        }
        pthread_mutex_unlock(watch->kube->lock);
    }
    size_t count = watch->pending.length - watch->sent;
    count = count < room ? count : room;
    memcpy(bytes, text_get(&watch->pending) + watch->sent, count);
    watch->sent += count;
    return count == 0 && watch->over ? -1 : (int64_t)count;
}

static void watch_free(void *state)
{
    struct watch *watch = state;
    free(watch->labels);
    free(watch->fields);
    text_free(&watch->pending);
    free(watch);
}

static void add_everything(struct watch *watch)
{
    for (size_t i = 0; i < api_count(watch->kube->api, watch->kind); i++) {
        const struct api_object *object = api_at(watch->kube->api, watch->kind, i);
        if (selected(watch, object->document)) {
            add_line(watch, "ADDED", object->document->json);
        }
    }
}

void kube_watch_start(struct kube_api *kube, enum api_kind kind, const char *space,
                      const struct https_request *request, struct https_response *response)
{
    struct watch *watch = xcalloc(1, sizeof *watch);
    const char *version = https_query(request, "resourceVersion");
    const char *seconds = https_query(request, "timeoutSeconds");
    const char *bookmarks = https_query(request, "allowWatchBookmarks");
    watch->kube = kube;
    watch->kind = kind;
    strncpy(watch->space, space, sizeof watch->space - 1);
    watch->labels = xstrdup(https_query(request, "labelSelector"));
    watch->fields = xstrdup(https_query(request, "fieldSelector"));
    watch->epoch = kube->watch_epoch;
    watch->bookmarks = bookmarks != NULL && (strcmp(bookmarks, "true") == 0 || strcmp(bookmarks, "1") == 0);
    int64_t now_ms = clock_monotonic_ms();
    watch->ends_ms = now_ms + (seconds != NULL ? strtoll(seconds, NULL, 10) : 300) * 1000;
    watch->bookmark_ms = now_ms + BOOKMARK_EVERY_MS;
    if (version == NULL || version[0] == '\0' || strcmp(version, "0") == 0) {
        add_everything(watch);
        watch->version = api_version(kube->api);
    } else {
        watch->version = strtoll(version, NULL, 10);
    }
    watch->bookmark_version = watch->version;
    response->stream = watch_read;
    response->stream_state = watch;
    response->stream_free = watch_free;
}

// The store itself: sorted shelves, versions, the log, the listeners.
#include "tests/world/api_private.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

#define CHANGES_KEPT_MAX 20000u

struct api *api_create_store(const int64_t *now_ms, struct random *random)
{
    struct api *api = xcalloc(1, sizeof *api);
    api->now_ms = now_ms;
    api->random = random;
    return api;
}

void document_hold(struct document *document)
{
    document->references++;
}

void document_release(struct document *document)
{
    if (document == NULL)
        return;
    assert(document->references > 0);
    if (--document->references == 0) {
        cJSON_Delete(document->json);
        free(document);
    }
}

static void release_change(struct api_change *change)
{
    document_release(change->now);
    document_release(change->before);
}

void api_destroy(struct api *api)
{
    if (api == NULL)
        return;
    for (size_t i = 0; i < api->change_count; i++)
        release_change(&api->changes[i]);
    free(api->changes);
    for (unsigned kind = 0; kind < API_KIND_COUNT; kind++) {
        struct shelf *shelf = &api->shelves[kind];
        for (size_t i = 0; i < shelf->count; i++) {
            document_release(shelf->items[i]->document);
            free(shelf->items[i]);
        }
        free(shelf->items);
    }
    free(api);
}

void api_listen(struct api *api, api_listener listener, void *context)
{
    assert(api->listener_count < API_LISTENERS_MAX);
    api->listeners[api->listener_count].function = listener;
    api->listeners[api->listener_count++].context = context;
}

void api_unlisten(struct api *api, void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < api->listener_count; i++) {
        if (api->listeners[i].context != context)
            api->listeners[kept++] = api->listeners[i];
    }
    api->listener_count = kept;
}

struct api_object *api_lookup(const struct api *api, enum api_kind kind, const char *space, const char *name,
                              size_t *place)
{
    const struct shelf *shelf = &api->shelves[kind];
    size_t low = 0, high = shelf->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(shelf->items[middle]->space, space);
        if (order == 0)
            order = strcmp(shelf->items[middle]->name, name);
        if (order == 0) {
            if (place != NULL)
                *place = middle;
            return shelf->items[middle];
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (place != NULL)
        *place = low;
    return NULL;
}

const struct api_object *api_find(const struct api *api, enum api_kind kind, const char *space,
                                  const char *name)
{
    return api_lookup(api, kind, space, name, NULL);
}

size_t api_count(const struct api *api, enum api_kind kind)
{
    return api->shelves[kind].count;
}

const struct api_object *api_at(const struct api *api, enum api_kind kind, size_t index)
{
    assert(index < api->shelves[kind].count);
    return api->shelves[kind].items[index];
}

struct api_list api_snapshot(const struct api *api, enum api_kind kind, const char *space)
{
    const struct shelf *shelf = &api->shelves[kind];
    struct api_object *items = xcalloc(shelf->count + 1, sizeof *items);
    size_t count = 0;
    for (size_t i = 0; i < shelf->count; i++) {
        if (space != NULL && strcmp(shelf->items[i]->space, space) != 0)
            continue;
        items[count] = *shelf->items[i];
        document_hold(items[count++].document);
    }
    return (struct api_list){items, count};
}

void api_release(struct api_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        document_release(list->items[i].document);
    free((void *)(uintptr_t)list->items);
    *list = (struct api_list){0};
}

// ------------------------------------------------------------------------------------------ the log

int64_t api_version(const struct api *api)
{
    return api->version;
}

int64_t api_compacted_version(const struct api *api)
{
    return api->compacted;
}

static size_t first_after(const struct api *api, int64_t version)
{
    size_t low = 0, high = api->change_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (api->changes[middle].version <= version)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct api_change *api_change_after(const struct api *api, int64_t version)
{
    assert(version >= api->compacted);
    size_t index = first_after(api, version);
    return index < api->change_count ? &api->changes[index] : NULL;
}

void api_compact(struct api *api, int64_t version)
{
    size_t gone = first_after(api, version);
    for (size_t i = 0; i < gone; i++)
        release_change(&api->changes[i]);
    memmove(api->changes, api->changes + gone, (api->change_count - gone) * sizeof *api->changes);
    api->change_count -= gone;
    if (version > api->compacted)
        api->compacted = version < api->version ? version : api->version;
}

static void log_change(struct api *api, enum api_kind kind, enum api_change_type type, struct document *now,
                       struct document *before)
{
    if (api->change_count >= CHANGES_KEPT_MAX)
        api_compact(api, api->changes[CHANGES_KEPT_MAX / 2].version);
    if (api->change_count == api->change_capacity) {
        api->change_capacity = api->change_capacity == 0 ? 256 : api->change_capacity * 2;
        api->changes = xrealloc_array(api->changes, api->change_capacity, sizeof *api->changes);
    }
    document_hold(now);
    if (before != NULL)
        document_hold(before);
    struct api_change change = {api->version, kind, type, now, before};
    api->changes[api->change_count++] = change;
    for (size_t i = 0; i < api->listener_count; i++)
        api->listeners[i].function(api->listeners[i].context, &change);
}

static struct document *new_document(struct api *api, cJSON *json)
{
    char version[24];
    snprintf(version, sizeof version, "%lld", (long long)++api->version);
    json_set_text(json, "metadata.resourceVersion", version);
    struct document *document = xcalloc(1, sizeof *document);
    document->references = 1;
    document->json = json;
    return document;
}

static const char *owner_of(const cJSON *json)
{
    const cJSON *owner;
    cJSON_ArrayForEach(owner, json_at(json, "metadata.ownerReferences"))
    {
        if (json_true(owner, "controller"))
            return json_text(owner, "uid");
    }
    return "";
}

static void point(struct api_object *object, struct document *document, int64_t version)
{
    object->document = document;
    object->version = version;
    object->space = json_text(document->json, "metadata.namespace");
    object->name = json_text(document->json, "metadata.name");
    object->uid = json_text(document->json, "metadata.uid");
    object->node_name = json_text(document->json, "spec.nodeName");
    object->owner_uid = owner_of(document->json);
}

void api_store(struct api *api, struct api_object *object, cJSON *json)
{
    struct document *before = object->document;
    point(object, new_document(api, json), api->version);
    log_change(api, object->kind, API_MODIFIED, object->document, before);
    document_release(before);
}

void api_insert(struct api *api, enum api_kind kind, cJSON *json)
{
    struct shelf *shelf = &api->shelves[kind];
    struct api_object *object = xcalloc(1, sizeof *object);
    object->kind = kind;
    point(object, new_document(api, json), api->version);
    size_t place = 0;
    const struct api_object *present = api_lookup(api, kind, object->space, object->name, &place);
    assert(present == NULL);
    (void)present;
    if (shelf->count == shelf->capacity) {
        shelf->capacity = shelf->capacity == 0 ? 16 : shelf->capacity * 2;
        shelf->items = xrealloc_array(shelf->items, shelf->capacity, sizeof(struct api_object *));
    }
    memmove(shelf->items + place + 1, shelf->items + place,
            (shelf->count - place) * sizeof(struct api_object *));
    shelf->items[place] = object;
    shelf->count++;
    log_change(api, kind, API_ADDED, object->document, NULL);
}

void api_remove(struct api *api, struct api_object *object)
{
    struct shelf *shelf = &api->shelves[object->kind];
    size_t place = 0;
    const struct api_object *present = api_lookup(api, object->kind, object->space, object->name, &place);
    assert(present == object);
    (void)present;
    memmove(shelf->items + place, shelf->items + place + 1,
            (shelf->count - place - 1) * sizeof(struct api_object *));
    shelf->count--;
    struct document *last = new_document(api, cJSON_Duplicate(object->document->json, true));
    log_change(api, object->kind, API_DELETED, last, object->document);
    document_release(last);
    document_release(object->document);
    free(object);
}

// -------------------------------------------------------------------------------------- the answers

struct api_answer api_failure(int code, const char *reason, const char *format, ...)
{
    struct api_answer answer = {.code = code, .reason = reason};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(answer.message, sizeof answer.message, format, arguments);
    va_end(arguments);
    return answer;
}

struct api_answer api_success(int code, const struct api_object *object)
{
    return (struct api_answer){.code = code, .reason = "", .object = object};
}

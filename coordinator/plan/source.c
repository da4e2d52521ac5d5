#include "coordinator/plan/source.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/admin/snapshot_objects.h"
#include "coordinator/kube/json.h"
#include "coordinator/kube/kinds.h"
#include "coordinator/plan/manifest.h"

struct source *source_create(void)
{
    struct source *source = xcalloc(1, sizeof(*source));
    source->arena = arena_create(1 << 16);
    source->origin = xstrdup("");
    return source;
}

void source_destroy(struct source *source)
{
    if (source == NULL)
        return;
    for (uint32_t i = 0; i < source->document_count; i++)
        cJSON_Delete(source->documents[i]);
    free(source->documents);
    free(source->objects);
    free(source->windows);
    free(source->origin);
    arena_destroy(source->arena);
    free(source);
}

// ---- objects

static bool is_ours(const char *kind)
{
    for (int i = 0; i < OBJECT_KIND_COUNT; i++)
        if (strcmp(kinds[i].name, kind) == 0)
            return true;
    return false;
}

static bool same_object(const cJSON *a, const cJSON *b)
{
    const cJSON *left = json_get(a, "metadata"), *right = json_get(b, "metadata");
    return strcmp(json_text(left, "name"), json_text(right, "name")) == 0 &&
           strcmp(json_text(left, "namespace"), json_text(right, "namespace")) == 0 &&
           strcmp(json_text(a, "kind"), json_text(b, "kind")) == 0;
}

static void keep_object(struct source *source, const cJSON *object)
{
    if (source->object_count == source->object_capacity) {
        source->object_capacity = source->object_capacity * 2 + 64;
        source->objects = xrealloc_array(source->objects, source->object_capacity, sizeof(*source->objects));
    }
    source->objects[source->object_count++] = object;
}

static void keep_document(struct source *source, cJSON *document)
{
    if (source->document_count == source->document_capacity) {
        source->document_capacity = source->document_capacity * 2 + 8;
        source->documents =
            xrealloc_array(source->documents, source->document_capacity, sizeof(*source->documents));
    }
    source->documents[source->document_count++] = document;
}

// What a manifest leaves to the API server: a namespace, and a uid that nobody else has.
static void complete(cJSON *object, const char *kind)
{
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    static const char *const NAMESPACED[] = {"Pod",       "PodDisruptionBudget",   "DaemonSet",
                                             "NodeGroup", "PersistentVolumeClaim", "VPSieNode"};
    bool cluster_wide = true;
    for (size_t i = 0; i < sizeof(NAMESPACED) / sizeof(NAMESPACED[0]); i++)
        cluster_wide = cluster_wide && strcmp(NAMESPACED[i], kind) != 0;
    if (!cJSON_IsObject(metadata))
        return;
    if (!cluster_wide && *json_text(metadata, "namespace") == '\0') {
        cJSON_DeleteItemFromObjectCaseSensitive(metadata, "namespace");
        json_add_text(metadata, "namespace", strcmp(kind, "NodeGroup") == 0 ? "kube-system" : "default");
    }
    if (*json_text(metadata, "uid") == '\0') {
        char AUTOFREE *uid =
            xprintf("plan-%s-%s-%s", kind, json_text(metadata, "namespace"), json_text(metadata, "name"));
        cJSON_DeleteItemFromObjectCaseSensitive(metadata, "uid");
        json_add_text(metadata, "uid", uid);
    }
}

static int take_object(struct source *source, cJSON *object, const char *given_kind, const char *name,
                       struct error *error)
{
    if (!cJSON_IsObject(object))
        return error_set(error, 0, "%s: an item is not an object", name);
    const char *kind = *json_text(object, "kind") != '\0' ? json_text(object, "kind") : given_kind;
    if (!is_ours(kind)) {
        if (source->ignored++ == 0)
            snprintf(source->ignored_kind, sizeof(source->ignored_kind), "%s", *kind != '\0' ? kind : "?");
        return 0;
    }
    if (*json_text(object, "kind") == '\0')
        json_add_text(object, "kind", kind);
    complete(object, kind);
    keep_object(source, object);
    return 0;
}

// ---- a snapshot

static const cJSON *template_of(const cJSON *const *templates, uint32_t count, int64_t id)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int64_t here = json_integer(templates[middle], "id", 0);
        if (here == id)
            return templates[middle];
        if (here < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int by_id(const void *left, const void *right)
{
    int64_t a = json_integer(*(const cJSON *const *)left, "id", 0);
    int64_t b = json_integer(*(const cJSON *const *)right, "id", 0);
    return a < b ? -1 : a > b;
}

// The template's members join the pod's own: they are referred to, not copied.
static void join_template(cJSON *pod, const cJSON *template)
{
    const cJSON *labels = json_path(template, "metadata", "labels", NULL);
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(pod, "metadata");
    cJSON *spec = cJSON_GetObjectItemCaseSensitive(pod, "spec");
    if (!cJSON_IsObject(metadata) || !cJSON_IsObject(spec))
        return;
    if (labels != NULL)
        cJSON_AddItemReferenceToObject(metadata, "labels", (cJSON *)(uintptr_t)labels);
    const cJSON *member;
    cJSON_ArrayForEach(member, json_get(template, "spec"))
    {
        if (cJSON_GetObjectItemCaseSensitive(spec, member->string) == NULL)
            cJSON_AddItemReferenceToObject(spec, member->string, (cJSON *)(uintptr_t)member);
    }
}

static int join_templates(cJSON *document, const char *name, struct error *error)
{
    const cJSON *all = json_get(document, "templates");
    uint32_t count = 0, places = json_count(all);
    const cJSON **templates = xcalloc((size_t)places + 1, sizeof(*templates));
    const cJSON *one;
    cJSON_ArrayForEach(one, all) templates[count++] = one;
    qsort(templates, count, sizeof(*templates), by_id);
    int result = 0;
    cJSON *pod;
    cJSON_ArrayForEach(pod, json_get(document, "items"))
    {
        int64_t id = json_integer(pod, "template", 0);
        if (id == 0)
            continue;
        const cJSON *template = template_of(templates, count, id);
        if (template == NULL) {
            result = error_set(error, 0, "%s: pod %s has template %lld, which is not there", name,
                               json_text(json_get(pod, "metadata"), "name"), (long long)id);
            break;
        }
        join_template(pod, template);
    }
    free(templates);
    return result;
}

static void keep_windows(struct source *source, const cJSON *document)
{
    const cJSON *object;
    cJSON_ArrayForEach(object, json_get(document, "items"))
    {
        int64_t since_ms = json_time(object, "underusedSince");
        if (since_ms == 0)
            continue;
        if (source->window_count == source->window_capacity) {
            source->window_capacity = source->window_capacity * 2 + 16;
            source->windows =
                xrealloc_array(source->windows, source->window_capacity, sizeof(*source->windows));
        }
        source->windows[source->window_count++] = (struct source_window){
            .node = arena_strdup(source->arena, json_text(json_get(object, "metadata"), "name")),
            .underused_since_ms = since_ms};
    }
}

static int take_snapshot(struct source *source, cJSON *document, const char *name, struct error *error)
{
    int64_t version = json_integer(document, "snapshotVersion", 0);
    if (version != SNAPSHOT_VERSION)
        return error_set(error, 0, "%s: snapshotVersion is %lld; this program reads %d", name,
                         (long long)version, SNAPSHOT_VERSION);
    source->at_ms = json_time(document, "at");
    source->vpsie = json_get(document, "vpsie");
    source->agents = json_get(document, "agents");
    source->has_vpsie = source->vpsie != NULL;
    source->has_agents = json_count(source->agents) > 0;
    keep_windows(source, document);
    return join_templates(document, name, error);
}

// ---- documents

int source_add_document(struct source *source, cJSON *document, const char *name, struct error *error)
{
    assert(source != NULL && document != NULL);
    keep_document(source, document);
    if (!cJSON_IsObject(document))
        return error_set(error, 0, "%s: the document is no object", name);
    if (json_get(document, "snapshotVersion") != NULL && take_snapshot(source, document, name, error) < 0)
        return -1;
    const char *kind = json_text(document, "kind");
    cJSON *items = cJSON_GetObjectItemCaseSensitive(document, "items");
    if (!cJSON_IsArray(items)) {
        if (*kind == '\0')
            return error_set(error, 0, "%s: neither a kind nor items: no object of Kubernetes, no snapshot",
                             name);
        return take_object(source, document, kind, name, error);
    }
    // "PodList": the items of an answer of the API server itself do not say their kind.
    char item_kind[64] = "";
    size_t length = strlen(kind);
    if (length > 4 && length - 4 < sizeof(item_kind) && strcmp(kind + length - 4, "List") == 0)
        snprintf(item_kind, sizeof(item_kind), "%.*s", (int)(length - 4), kind);
    cJSON *item;
    cJSON_ArrayForEach(item, items)
    {
        if (take_object(source, item, item_kind, name, error) < 0)
            return -1;
    }
    return 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

// Objects of a later file take the place of those before it. Few are laid over many: a scan is enough.
static void replace_earlier(struct source *source, uint32_t before)
{
    uint32_t kept = 0;
    bool many = (uint64_t)before * (source->object_count - before) > 100000000u;
    for (uint32_t i = 0; i < source->object_count; i++) {
        bool replaced = false;
        for (uint32_t j = before; i < before && !many && !replaced && j < source->object_count; j++)
            replaced = same_object(source->objects[i], source->objects[j]);
        if (!replaced)
            source->objects[kept++] = source->objects[i];
    }
    source->object_count = kept;
}

int source_add_file(struct source *source, const char *path, struct error *error)
{
    AUTOTEXT struct text text = {0};
    if (text_read_file(path, SOURCE_FILE_BYTES_MAX, &text, error) < 0)
        return -1;
    uint32_t before = source->object_count;
    if (ends_with(path, ".yaml") || ends_with(path, ".yml")) {
        if (manifest_read(source, text_get(&text), text.length, path, error) < 0)
            return -1;
    } else {
        struct error detail = {0};
        cJSON *document = json_parse(text_get(&text), text.length, &detail);
        if (document == NULL)
            return error_set(error, 0, "%s: %s", path, detail.text);
        if (source_add_document(source, document, path, error) < 0)
            return -1;
    }
    replace_earlier(source, before);
    if (source->at_ms == 0)
        source->at_ms = clock_steady_wall_ms();
    return 0;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static int read_names(const char *path, char **names, uint32_t *count, struct error *error)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return error_set(error, errno, "%s: %s", path, strerror(errno));
    const struct dirent *entry;
    int result = 0;
    while (result == 0 && (entry = readdir(directory)) != NULL) {
        const char *name = entry->d_name;
        if (!ends_with(name, ".json") && !ends_with(name, ".yaml") && !ends_with(name, ".yml"))
            continue;
        if (*count == SOURCE_FILES_MAX)
            result = error_set(error, 0, "%s: more than %u files", path, SOURCE_FILES_MAX);
        else
            names[(*count)++] = xprintf("%s/%s", path, name);
    }
    closedir(directory);
    if (result == 0 && *count == 0)
        result = error_set(error, 0,
                           "%s: no .json or .yaml file in it; `kubectl get nodes,pods,... -A -o json > "
                           "%s/all.json` makes one",
                           path, path);
    return result;
}

int source_add_directory(struct source *source, const char *path, struct error *error)
{
    char **names = xcalloc(SOURCE_FILES_MAX, sizeof(*names));
    uint32_t count = 0;
    int result = read_names(path, names, &count, error);
    qsort(names, count, sizeof(*names), by_name);
    for (uint32_t i = 0; i < count; i++) {
        if (result == 0)
            result = source_add_file(source, names[i], error);
        free(names[i]);
    }
    free(names);
    return result;
}

#include "coordinator/plan/whatif.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/json.h"

#define NAME_BYTES_MAX 254

static cJSON *writable(const cJSON *json)
{
    return (cJSON *)(uintptr_t)json; // the source owns its documents
}

// ---- fields

static cJSON *find_object(struct source *source, const char *kind, const char *name)
{
    for (uint32_t i = 0; i < source->object_count; i++) {
        const cJSON *object = source->objects[i];
        if (strcmp(json_text(object, "kind"), kind) == 0 &&
            (name == NULL || strcmp(json_text(json_get(object, "metadata"), "name"), name) == 0))
            return writable(object);
    }
    return NULL;
}

static cJSON *member_object(cJSON *parent, const char *name)
{
    cJSON *member = cJSON_GetObjectItemCaseSensitive(parent, name);
    if (cJSON_IsObject(member))
        return member;
    if (member != NULL)
        cJSON_DeleteItemFromObjectCaseSensitive(parent, name);
    return json_add_object(parent, name);
}

static cJSON *parse_value(const char *value)
{
    cJSON *json = json_parse(value, strlen(value), NULL);
    return json != NULL ? json : cJSON_CreateString(value);
}

static int set_field(cJSON *object, const char *path, const char *value, const char *assignment,
                     struct error *error)
{
    cJSON *parent = member_object(object, "spec");
    while (strchr(path, '.') != NULL) {
        char name[NAME_BYTES_MAX];
        int length = (int)(strchr(path, '.') - path);
        if (length == 0 || length >= NAME_BYTES_MAX)
            return error_set(error, 0, "--set %s: a field without a name", assignment);
        snprintf(name, sizeof(name), "%.*s", length, path);
        parent = member_object(parent, name);
        path += length + 1;
    }
    if (*path == '\0')
        return error_set(error, 0, "--set %s: a field without a name", assignment);
    cJSON_DeleteItemFromObjectCaseSensitive(parent, path);
    cJSON_AddItemToObject(parent, path, parse_value(value));
    return 0;
}

// Names of the groups there are, for who misspelt one.
static void list_groups(const struct source *source, char *names, size_t bytes)
{
    size_t used = 0;
    names[0] = '\0';
    for (uint32_t i = 0; i < source->object_count && used + 70 < bytes; i++) {
        const cJSON *object = source->objects[i];
        if (strcmp(json_text(object, "kind"), "NodeGroup") == 0)
            used += (size_t)snprintf(names + used, bytes - used, " %.60s",
                                     json_text(json_get(object, "metadata"), "name"));
    }
}

// A group's name may have dots itself: the longest name that is there wins.
static int set_group_field(struct source *source, const char *left, const char *value, const char *assignment,
                           struct error *error)
{
    for (const char *dot = strrchr(left, '.'); dot != NULL;) {
        char name[NAME_BYTES_MAX];
        snprintf(name, sizeof(name), "%.*s", (int)(dot - left), left);
        cJSON *group = strcmp(name, "config") == 0 ? find_object(source, "AutoscalerConfig", NULL)
                                                   : find_object(source, "NodeGroup", name);
        if (group != NULL)
            return set_field(group, dot + 1, value, assignment, error);
        const char *before = NULL;
        for (const char *at = left; at < dot; at++)
            before = *at == '.' ? at : before;
        dot = before;
    }
    char names[300];
    list_groups(source, names, sizeof(names));
    return error_set(error, 0, "--set %s: no such NodeGroup%s%s", assignment,
                     names[0] != '\0' ? "; there are:" : ": there is none", names);
}

// ---- pods

// A Deployment's pods are a ReplicaSet's, whose name is the Deployment's and a hash.
static bool is_owned_by(const cJSON *pod, const char *space, const char *owner)
{
    const cJSON *metadata = json_get(pod, "metadata"), *reference;
    if (strcmp(json_text(pod, "kind"), "Pod") != 0 || strcmp(json_text(metadata, "namespace"), space) != 0)
        return false;
    size_t length = strlen(owner);
    cJSON_ArrayForEach(reference, json_get(metadata, "ownerReferences"))
    {
        const char *name = json_text(reference, "name");
        bool exact = strcmp(name, owner) == 0;
        bool set = strcmp(json_text(reference, "kind"), "ReplicaSet") == 0 &&
                   strncmp(name, owner, length) == 0 && name[length] == '-' &&
                   strchr(name + length + 1, '-') == NULL;
        if (json_true(reference, "controller") && (exact || set))
            return true;
    }
    return false;
}

static void replace_text(cJSON *object, const char *name, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    json_add_text(object, name, value);
}

static cJSON *another(const struct source *source, const cJSON *pod, int64_t number)
{
    cJSON *copy = cJSON_Duplicate(pod, true);
    char AUTOFREE *name =
        xprintf("%s-more-%lld", json_text(json_get(pod, "metadata"), "name"), (long long)number);
    char AUTOFREE *uid = xprintf("plan-%s-%s", json_text(json_get(pod, "metadata"), "namespace"), name);
    char since[32];
    text_format_time(since, sizeof(since), source->at_ms);
    cJSON *metadata = member_object(copy, "metadata"), *spec = member_object(copy, "spec");
    replace_text(metadata, "name", name);
    replace_text(metadata, "uid", uid);
    replace_text(metadata, "creationTimestamp", since);
    cJSON_DeleteItemFromObjectCaseSensitive(metadata, "deletionTimestamp");
    cJSON_DeleteItemFromObjectCaseSensitive(spec, "nodeName");
    cJSON_DeleteItemFromObjectCaseSensitive(copy, "status");
    cJSON *status = json_add_object(copy, "status");
    json_add_text(status, "phase", "Pending");
    cJSON *condition = json_append_object(json_add_array(status, "conditions"));
    json_add_text(condition, "type", "PodScheduled");
    json_add_text(condition, "status", "False");
    json_add_text(condition, "reason", "Unschedulable");
    json_add_text(condition, "lastTransitionTime", since);
    return copy;
}

static int add_pods(struct source *source, const cJSON *like, int64_t count, const char *assignment,
                    struct error *error)
{
    cJSON *list = json_object();
    json_add_text(list, "kind", "List");
    cJSON *items = json_add_array(list, "items");
    for (int64_t i = 1; i <= count; i++)
        cJSON_AddItemToArray(items, another(source, like, i));
    return source_add_document(source, list, assignment, error);
}

static int64_t remove_pods(struct source *source, const char *space, const char *owner, int64_t count)
{
    uint32_t kept = 0;
    int64_t removed = 0;
    for (uint32_t i = 0; i < source->object_count; i++) {
        if (removed < count && is_owned_by(source->objects[i], space, owner))
            removed++;
        else
            source->objects[kept++] = source->objects[i];
    }
    source->object_count = kept;
    return removed;
}

static int set_pods(struct source *source, const char *left, const char *value, const char *assignment,
                    struct error *error)
{
    char space[NAME_BYTES_MAX];
    const char *slash = strchr(left, '/');
    snprintf(space, sizeof(space), "%.*s", (int)(slash - left), left);
    int64_t count;
    bool signed_value = *value == '+' || *value == '-';
    if (!signed_value || text_parse_i64(value + 1, strlen(value + 1), &count, NULL) < 0 || count < 1 ||
        count > WHATIF_PODS_MAX)
        return error_set(error, 0, "--set %s: \"%s\" is not +N or -N with N from 1 to %d", assignment, value,
                         WHATIF_PODS_MAX);
    const cJSON *like = NULL;
    for (uint32_t i = 0; i < source->object_count && like == NULL; i++)
        if (is_owned_by(source->objects[i], space, slash + 1))
            like = source->objects[i];
    if (like == NULL)
        return error_set(error, 0,
                         "--set %s: namespace %s has no pod of a controller %s (a Deployment, ReplicaSet, "
                         "StatefulSet or Job)",
                         assignment, space, slash + 1);
    if (*value == '+')
        return add_pods(source, like, count, assignment, error);
    remove_pods(source, space, slash + 1, count);
    return 0;
}

int whatif_set(struct source *source, const char *assignment, struct error *error)
{
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || equals == assignment || equals - assignment >= NAME_BYTES_MAX)
        return error_set(error, 0,
                         "--set %s: right would be GROUP.FIELD=VALUE (general.maxNodes=20), "
                         "config.FIELD=VALUE, or NAMESPACE/OWNER=+N (shop/web=+30)",
                         assignment);
    char AUTOFREE *left = xstrndup(assignment, (size_t)(equals - assignment));
    if (strchr(left, '/') != NULL)
        return set_pods(source, left, equals + 1, assignment, error);
    if (strchr(left, '.') == NULL)
        return error_set(error, 0, "--set %s: which field of %s? Such as %s.maxNodes=20", assignment, left,
                         left);
    return set_group_field(source, left, equals + 1, assignment, error);
}

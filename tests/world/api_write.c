// The writes: create, patch, replace, delete, as the API conventions have them.
#include "tests/world/api_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct api_answer not_found(enum api_kind kind, const char *name)
{
    const struct api_kind_info *info = api_kind_info(kind);
    return api_failure(404, "NotFound", "%s%s%s \"%s\" not found", info->plural, info->group[0] ? "." : "",
                       info->group, name);
}

static struct api_answer conflict(enum api_kind kind, const char *name, const char *why)
{
    return api_failure(409, "Conflict", "Operation cannot be fulfilled on %s \"%s\": %s",
                       api_kind_info(kind)->plural, name, why);
}

struct api_answer api_get(const struct api *api, enum api_kind kind, const char *space, const char *name)
{
    const struct api_object *object = api_find(api, kind, space, name);
    return object == NULL ? not_found(kind, name) : api_success(200, object);
}

static void generate_name(struct api *api, cJSON *document)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    const char *prefix = json_text(document, "metadata.generateName");
    if (json_text(document, "metadata.name")[0] != 0 || prefix[0] == 0)
        return;
    char name[300];
    int length = snprintf(name, sizeof name - 6, "%s", prefix);
    assert(length >= 0 && (size_t)length < sizeof name - 6);
    for (int i = 0; i < 5; i++)
        name[length + i] = letters[random_between(api->random, 0, (int64_t)sizeof letters - 2)];
    name[length + 5] = 0;
    json_set_text(document, "metadata.name", name);
}

// What is empty in metadata is not stored, as ObjectMeta's encoding has it.
static void drop_empty(cJSON *json)
{
    static const char *const members[] = {"finalizers", "ownerReferences", "labels", "annotations"};
    cJSON *metadata = json_key(json, "metadata");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const cJSON *member = json_key(metadata, members[i]);
        if (member != NULL && member->child == NULL)
            json_put(metadata, members[i], NULL);
    }
}

struct api_answer api_create(struct api *api, enum api_kind kind, const char *space, cJSON *document)
{
    const struct api_kind_info *info = api_kind_info(kind);
    AUTOJSON cJSON *json = document;
    struct api_answer answer = {0};
    char version[64], uid[37];
    generate_name(api, json);
    if (json_text(json, "metadata.resourceVersion")[0] != 0)
        return api_failure(400, "BadRequest", "resourceVersion should not be set on objects to be created");
    if (info->namespaced != (space[0] != 0))
        return api_failure(400, "BadRequest", "the namespace of the object does not fit its kind");
    if (info->namespaced)
        json_set_text(json, "metadata.namespace", space);
    if (!api_validate(kind, json, &answer))
        return answer;
    const char *name = json_text(json, "metadata.name");
    if (api_find(api, kind, space, name) != NULL)
        return api_failure(409, "AlreadyExists", "%s \"%s\" already exists", info->plural, name);
    snprintf(version, sizeof version, "%s%s%s", info->group, info->group[0] ? "/" : "", info->version);
    random_uuid(api->random, uid);
    json_set_text(json, "apiVersion", version);
    json_set_text(json, "kind", info->kind);
    json_set_text(json, "metadata.uid", uid);
    json_set_time(json, "metadata.creationTimestamp", *api->now_ms);
    json_set(json, "metadata.deletionTimestamp", NULL);
    if (info->generation)
        json_set_number(json, "metadata.generation", 1);
    if (info->status && kind != API_NODE && kind != API_ATTACHMENT)
        json_put(json, "status", NULL); // status is written through its own subresource
    if (kind == API_POD)
        json_put(json, "status", json_of("{'phase':'Pending','qosClass':'Burstable'}"));
    drop_empty(json);
    char kept[300];
    snprintf(kept, sizeof kept, "%s", name);
    api_insert(api, kind, json);
    json = NULL;
    return api_success(201, api_find(api, kind, space, kept));
}

// What a client may not change, whatever it sends: identity, times, and the half that the request is not
// about. Takes `wanted` and returns what is to be stored.
static cJSON *keep_what_is_not_asked(const struct api_object *object, cJSON *wanted, bool status)
{
    static const char *const fixed[] = {"apiVersion",
                                        "kind",
                                        "metadata.name",
                                        "metadata.namespace",
                                        "metadata.uid",
                                        "metadata.creationTimestamp",
                                        "metadata.deletionTimestamp",
                                        "metadata.deletionGracePeriodSeconds",
                                        "metadata.generation"};
    const cJSON *present = object->document->json;
    if (status) {
        cJSON *whole = cJSON_Duplicate(present, true);
        json_put(whole, "status", cJSON_DetachItemFromObjectCaseSensitive(wanted, "status"));
        cJSON_Delete(wanted);
        return whole;
    }
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        const cJSON *value = json_at(present, fixed[i]);
        json_set(wanted, fixed[i], value == NULL ? NULL : cJSON_Duplicate(value, true));
    }
    if (api_kind_info(object->kind)->status) {
        const cJSON *state = json_key(present, "status");
        json_put(wanted, "status", state == NULL ? NULL : cJSON_Duplicate(state, true));
    }
    return wanted;
}

static bool has_finalizers(const cJSON *json)
{
    return cJSON_GetArraySize(json_at(json, "metadata.finalizers")) > 0;
}

// The last step of every change: nothing new is no write; the last finalizer of a deleted object ends it.
static struct api_answer finish(struct api *api, struct api_object *object, cJSON *wanted)
{
    const cJSON *present = object->document->json;
    drop_empty(wanted);
    json_set_text(wanted, "metadata.resourceVersion", json_text(present, "metadata.resourceVersion"));
    if (json_equal(present, wanted)) {
        cJSON_Delete(wanted);
        return api_success(200, object);
    }
    if (api_kind_info(object->kind)->generation &&
        !json_equal(json_key(present, "spec"), json_key(wanted, "spec")))
        json_set_number(wanted, "metadata.generation", json_number(present, "metadata.generation", 0) + 1);
    bool ends = has_finalizers(present) && !has_finalizers(wanted) &&
                json_text(wanted, "metadata.deletionTimestamp")[0] != 0 &&
                json_number(wanted, "metadata.deletionGracePeriodSeconds", 0) == 0;
    api_store(api, object, wanted);
    if (ends) {
        struct api_answer answer = api_success(200, NULL);
        api_remove(api, object);
        return answer;
    }
    return api_success(200, object);
}

// Takes `wanted`.
static struct api_answer change(struct api *api, struct api_object *object, cJSON *wanted, bool status)
{
    struct api_answer answer = {0};
    const char *version = json_text(wanted, "metadata.resourceVersion");
    const char *uid = json_text(wanted, "metadata.uid");
    if (version[0] != 0 &&
        strcmp(version, json_text(object->document->json, "metadata.resourceVersion")) != 0)
        answer = conflict(object->kind, object->name,
                          "the object has been modified; please apply your changes to the latest version "
                          "and try again");
    else if (uid[0] != 0 && strcmp(uid, object->uid) != 0)
        answer = conflict(object->kind, object->name, "the UID in the precondition does not match");
    if (answer.code == 0) {
        wanted = keep_what_is_not_asked(object, wanted, status);
        if (api_validate(object->kind, wanted, &answer))
            return finish(api, object, wanted);
    }
    cJSON_Delete(wanted);
    return answer;
}

struct api_answer api_patch(struct api *api, enum api_kind kind, const char *space, const char *name,
                            bool status, enum api_patch_type type, const cJSON *patch)
{
    struct api_object *object = api_lookup(api, kind, space, name, NULL);
    if (object == NULL || (status && !api_kind_info(kind)->status))
        return not_found(kind, name);
    AUTOJSON cJSON *wanted = cJSON_Duplicate(object->document->json, true);
    struct error error = {0};
    if (type == API_MERGE_PATCH && !cJSON_IsObject(patch))
        return api_failure(400, "BadRequest", "a merge patch is an object");
    if (type == API_MERGE_PATCH)
        json_merge_patch(wanted, patch);
    else if (json_patch(wanted, patch, &error) != 0)
        return api_failure(error.code, error.code == 422 ? "Invalid" : "BadRequest", "%s", error.text);
    cJSON *taken = wanted;
    wanted = NULL;
    return change(api, object, taken, status);
}

struct api_answer api_replace(struct api *api, enum api_kind kind, const char *space, const char *name,
                              bool status, const cJSON *document)
{
    struct api_object *object = api_lookup(api, kind, space, name, NULL);
    if (object == NULL || (status && !api_kind_info(kind)->status))
        return not_found(kind, name);
    if (!cJSON_IsObject(document) || strcmp(json_text(document, "metadata.name"), name) != 0)
        return api_failure(400, "BadRequest", "the name of the object does not match the name on the URL");
    return change(api, object, cJSON_Duplicate(document, true), status);
}

void api_put(struct api *api, const struct api_object *object, cJSON *document)
{
    struct api_object *present = api_lookup(api, object->kind, object->space, object->name, NULL);
    assert(present != NULL && strcmp(present->uid, object->uid) == 0);
    finish(api, present, document);
}

cJSON *api_copy(const struct api_object *object)
{
    return cJSON_Duplicate(object->document->json, true);
}

static int64_t pod_grace(const cJSON *pod, int64_t asked)
{
    const char *phase = json_text(pod, "status.phase");
    if (json_text(pod, "spec.nodeName")[0] == 0 || strcmp(phase, "Succeeded") == 0 ||
        strcmp(phase, "Failed") == 0)
        return 0;
    return asked >= 0 ? asked : json_number(pod, "spec.terminationGracePeriodSeconds", 30);
}

struct api_answer api_delete(struct api *api, enum api_kind kind, const char *space, const char *name,
                             struct api_preconditions preconditions, int64_t grace_seconds)
{
    struct api_object *object = api_lookup(api, kind, space, name, NULL);
    if (object == NULL)
        return not_found(kind, name);
    const cJSON *present = object->document->json;
    if (preconditions.uid != NULL && preconditions.uid[0] != 0 && strcmp(preconditions.uid, object->uid) != 0)
        return conflict(kind, name, "the UID in the precondition does not match the UID in record");
    if (preconditions.version != NULL && preconditions.version[0] != 0 &&
        strcmp(preconditions.version, json_text(present, "metadata.resourceVersion")) != 0)
        return conflict(kind, name, "the ResourceVersion in the precondition does not match");
    int64_t grace = kind == API_POD ? pod_grace(present, grace_seconds) : 0;
    if (grace == 0 && !has_finalizers(present)) {
        api_remove(api, object);
        return api_success(200, NULL);
    }
    int64_t deadline_ms = json_time_ms(present, "metadata.deletionTimestamp");
    if (deadline_ms != 0 && (kind != API_POD || deadline_ms <= *api->now_ms + grace * 1000) &&
        !(grace == 0 && json_number(present, "metadata.deletionGracePeriodSeconds", 0) != 0))
        return api_success(200, object);
    cJSON *wanted = api_copy(object);
    json_set_time(wanted, "metadata.deletionTimestamp", *api->now_ms + grace * 1000);
    json_set_number(wanted, "metadata.deletionGracePeriodSeconds", grace);
    if (api_kind_info(kind)->generation)
        json_set_number(wanted, "metadata.generation", json_number(present, "metadata.generation", 0) + 1);
    api_store(api, object, wanted);
    return api_success(kind == API_POD ? 201 : 200, object);
}

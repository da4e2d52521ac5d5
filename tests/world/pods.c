// How the world's controllers look at objects: pods, conditions, owners, taints, quantities.
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "tests/world/kubernetes.h"
#include "tests/world/parts.h"

bool pod_is_over(const cJSON *pod)
{
    const char *phase = json_text(pod, "status.phase");
    return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

bool pod_is_leaving(const cJSON *pod)
{
    return json_text(pod, "metadata.deletionTimestamp")[0] != 0;
}

const cJSON *condition_get(const cJSON *document, const char *type)
{
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_at(document, "status.conditions"))
    {
        if (strcmp(json_text(condition, "type"), type) == 0)
            return condition;
    }
    return NULL;
}

bool pod_is_ready(const cJSON *pod)
{
    return strcmp(json_text(condition_get(pod, "Ready"), "status"), "True") == 0;
}

bool pod_is_furniture_document(const cJSON *pod)
{
    if (json_key(json_at(pod, "metadata.annotations"), "kubernetes.io/config.mirror") != NULL)
        return true;
    const cJSON *owner = cJSON_GetArrayItem(json_at(pod, "metadata.ownerReferences"), 0);
    return strcmp(json_text(owner, "kind"), "DaemonSet") == 0;
}

cJSON *owner_reference(const struct api_object *owner)
{
    const cJSON *json = owner->document->json;
    cJSON *references = cJSON_CreateArray();
    cJSON *reference =
        json_of("{'apiVersion':'%s','kind':'%s','name':'%s','uid':'%s','controller':true,"
                "'blockOwnerDeletion':true}",
                json_text(json, "apiVersion"), json_text(json, "kind"), owner->name, owner->uid);
    cJSON_AddItemToArray(references, reference);
    return references;
}

cJSON *world_time(struct world *world)
{
    char text[40];
    text_format_time(text, sizeof text, world->now_ms);
    return cJSON_CreateString(text);
}

bool condition_set(struct world *world, cJSON *document, const char *type, const char *status,
                   const char *reason, const char *message)
{
    cJSON *conditions = json_at(document, "status.conditions");
    if (conditions == NULL) {
        conditions = cJSON_CreateArray();
        json_set(document, "status.conditions", conditions);
    }
    cJSON *condition = (cJSON *)(uintptr_t)condition_get(document, type);
    if (condition == NULL) {
        condition = json_of("{'type':'%s'}", type);
        cJSON_AddItemToArray(conditions, condition);
    }
    if (strcmp(json_text(condition, "status"), status) == 0 &&
        strcmp(json_text(condition, "reason"), reason) == 0 &&
        strcmp(json_text(condition, "message"), message) == 0)
        return false;
    if (strcmp(json_text(condition, "status"), status) != 0) {
        json_set_text(condition, "status", status);
        json_put(condition, "lastTransitionTime", world_time(world));
    }
    json_set_text(condition, "reason", reason);
    json_set_text(condition, "message", message);
    return true;
}

// --------------------------------------------------------------------------------------------- taints

static bool toleration_covers(const cJSON *toleration, const cJSON *taint)
{
    const char *key = json_text(toleration, "key"), *effect = json_text(toleration, "effect");
    if (effect[0] != 0 && strcmp(effect, json_text(taint, "effect")) != 0)
        return false;
    const char *verb = json_text(toleration, "operator");
    bool exists = strcmp(verb, "Exists") == 0;
    if (key[0] == 0)
        return exists;
    if (strcmp(key, json_text(taint, "key")) != 0)
        return false;
    const char *have = json_text(taint, "value"), *bound = json_text(toleration, "value");
    int64_t number, limit;
    if (strcmp(verb, "Gt") != 0 && strcmp(verb, "Lt") != 0)
        return exists || strcmp(bound, have) == 0;
    if (text_parse_i64(have, strlen(have), &number, NULL) != 0 ||
        text_parse_i64(bound, strlen(bound), &limit, NULL) != 0)
        return false;
    return verb[0] == 'G' ? number > limit : number < limit;
}

bool taints_tolerated(const cJSON *pod, const cJSON *taints, bool no_schedule, bool no_execute,
                      int64_t *seconds)
{
    const cJSON *taint, *toleration;
    int64_t least = -1;
    cJSON_ArrayForEach(taint, taints)
    {
        const char *effect = json_text(taint, "effect");
        bool counts = (no_schedule && strcmp(effect, "NoSchedule") == 0) ||
                      (no_execute && strcmp(effect, "NoExecute") == 0);
        if (!counts)
            continue;
        bool tolerated = false;
        int64_t bound = -1;
        cJSON_ArrayForEach(toleration, json_at(pod, "spec.tolerations"))
        {
            if (!tolerated && toleration_covers(toleration, taint)) {
                tolerated = true;
                bound = json_number(toleration, "tolerationSeconds", -1);
            }
        }
        if (!tolerated)
            return false;
        if (bound >= 0 && (least < 0 || bound < least))
            least = bound;
    }
    if (seconds != NULL)
        *seconds = least;
    return true;
}

const cJSON *taint_find(const cJSON *node, const char *key, const char *effect)
{
    const cJSON *taint;
    cJSON_ArrayForEach(taint, json_at(node, "spec.taints"))
    {
        if (strcmp(json_text(taint, "key"), key) == 0 && strcmp(json_text(taint, "effect"), effect) == 0)
            return taint;
    }
    return NULL;
}

bool taint_put(cJSON *node, const char *key, const char *effect)
{
    if (taint_find(node, key, effect) != NULL)
        return false;
    cJSON *taints = json_at(node, "spec.taints");
    if (taints == NULL) {
        taints = cJSON_CreateArray();
        json_set(node, "spec.taints", taints);
    }
    cJSON_AddItemToArray(taints, json_of("{'key':'%s','effect':'%s'}", key, effect));
    return true;
}

bool taint_drop(cJSON *node, const char *key, const char *effect)
{
    cJSON *taints = json_at(node, "spec.taints");
    cJSON *taint = (cJSON *)(uintptr_t)taint_find(node, key, effect);
    if (taint == NULL)
        return false;
    cJSON_Delete(cJSON_DetachItemViaPointer(taints, taint));
    if (cJSON_GetArraySize(taints) == 0)
        json_set(node, "spec.taints", NULL);
    return true;
}

// ----------------------------------------------------------------------------------------- quantities

static double quantity(const char *text)
{
    static const struct {
        const char *suffix;
        double factor;
    } suffixes[] = {{"m", 1e-3},       {"k", 1e3},           {"M", 1e6},
                    {"G", 1e9},        {"T", 1e12},          {"Ki", 1024.0},
                    {"Mi", 1048576.0}, {"Gi", 1073741824.0}, {"Ti", 1099511627776.0}};
    char *end = NULL;
    double number = strtod(text, &end);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (strcmp(end, suffixes[i].suffix) == 0)
            return number * suffixes[i].factor;
    }
    return number;
}

int64_t quantity_millis(const char *text)
{
    return (int64_t)(quantity(text) * 1000.0 + 0.5);
}

int64_t quantity_units(const char *text)
{
    return (int64_t)(quantity(text) + 0.5);
}

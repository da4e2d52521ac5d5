#include <assert.h>
#include <string.h>

#include "coordinator/kube/decode.h"
#include "coordinator/kube/json.h"
#include "coordinator/kube/patch.h"
#include "coordinator/model/cluster.h"

#define KEY_CORDON_REASON  KEY_PREFIX "cordon-reason"
#define KEY_LOAD_BALANCERS "node.kubernetes.io/exclude-from-external-load-balancers"

// What the annotation may list.
#define MARK_UNSCHEDULABLE "unschedulable"
#define MARK_TAINT         "taint"
#define MARK_LABEL         "label"

static char *finish(cJSON *patch)
{
    struct text text = {0};
    json_print(patch, &text);
    cJSON_Delete(patch);
    return text_take(&text);
}

// {"metadata":{"resourceVersion":...}}
static cJSON *begin(const cJSON *object)
{
    cJSON *patch = json_object();
    cJSON *metadata = json_add_object(patch, "metadata");
    const char *version = json_text(json_get(object, "metadata"), "resourceVersion");
    if (*version)
        json_add_text(metadata, "resourceVersion", version);
    return patch;
}

static cJSON *part(cJSON *parent, const char *key)
{
    cJSON *member = cJSON_GetObjectItemCaseSensitive(parent, key);
    return member ? member : json_add_object(parent, key);
}

static bool lists(const char *marks, const char *mark)
{
    size_t length = strlen(mark);
    for (const char *at = marks; (at = strstr(at, mark)) != NULL; at += length) {
        bool begins = at == marks || at[-1] == ',';
        bool ends = at[length] == '\0' || at[length] == ',';
        if (begins && ends)
            return true;
    }
    return false;
}

static bool is_draining_taint(const cJSON *taint)
{
    return strcmp(json_text(taint, "key"), KEY_DRAINING_TAINT) == 0;
}

static bool has_draining_taint(const cJSON *node)
{
    const cJSON *taint;
    cJSON_ArrayForEach(taint, json_path(node, "spec", "taints", NULL))
    {
        if (is_draining_taint(taint) && strcmp(json_text(taint, "effect"), "NoSchedule") == 0)
            return true;
    }
    return false;
}

// The node's taints as they are, those of ours left out; a merge patch replaces lists as a whole.
static cJSON *other_taints(const cJSON *node)
{
    cJSON *taints = json_array();
    const cJSON *taint;
    cJSON_ArrayForEach(taint, json_path(node, "spec", "taints", NULL))
    {
        if (!is_draining_taint(taint))
            cJSON_AddItemToArray(taints, cJSON_Duplicate(taint, true));
    }
    return taints;
}

static void append_taint(cJSON *taints, const char *key, const char *value, enum taint_effect effect)
{
    static const char *const effects[] = {[TAINT_NO_SCHEDULE] = "NoSchedule",
                                          [TAINT_PREFER_NO_SCHEDULE] = "PreferNoSchedule",
                                          [TAINT_NO_EXECUTE] = "NoExecute"};
    cJSON *taint = json_append_object(taints);
    json_add_text(taint, "key", key);
    if (*value)
        json_add_text(taint, "value", value);
    json_add_text(taint, "effect", effects[effect]);
}

char *patch_cordon(const cJSON *node, const char *reason)
{
    const cJSON *annotations = json_path(node, "metadata", "annotations", NULL);
    const cJSON *labels = json_path(node, "metadata", "labels", NULL);
    const char *before = json_text(annotations, KEY_CORDONED_BY);
    bool unschedulable = !json_true(json_get(node, "spec"), "unschedulable");
    bool taint = !has_draining_taint(node);
    bool label = json_get(labels, KEY_LOAD_BALANCERS) == NULL;
    bool marked = json_get(annotations, KEY_CORDONED_BY) != NULL;
    if (!unschedulable && !taint && !label && marked)
        return NULL;
    cJSON *patch = begin(node);
    AUTOTEXT struct text marks = {0};
    if (unschedulable || lists(before, MARK_UNSCHEDULABLE))
        text_append(&marks, MARK_UNSCHEDULABLE);
    if (taint || lists(before, MARK_TAINT))
        text_printf(&marks, "%s" MARK_TAINT, marks.length > 0 ? "," : "");
    if (label || lists(before, MARK_LABEL))
        text_printf(&marks, "%s" MARK_LABEL, marks.length > 0 ? "," : "");
    cJSON *metadata = part(patch, "metadata");
    cJSON *notes = part(metadata, "annotations");
    json_add_text(notes, KEY_CORDONED_BY, text_get(&marks));
    json_add_text(notes, KEY_CORDON_REASON, reason ? reason : "");
    if (label)
        json_add_text(part(metadata, "labels"), KEY_LOAD_BALANCERS, "");
    if (unschedulable)
        json_add_bool(part(patch, "spec"), "unschedulable", true);
    if (taint) {
        cJSON *taints = other_taints(node);
        append_taint(taints, KEY_DRAINING_TAINT, "", TAINT_NO_SCHEDULE);
        cJSON_AddItemToObject(part(patch, "spec"), "taints", taints);
    }
    return finish(patch);
}

char *patch_uncordon(const cJSON *node)
{
    const cJSON *annotations = json_path(node, "metadata", "annotations", NULL);
    if (!json_get(annotations, KEY_CORDONED_BY))
        return NULL;
    const char *marks = json_text(annotations, KEY_CORDONED_BY);
    cJSON *patch = begin(node);
    cJSON *metadata = part(patch, "metadata");
    json_add_null(part(metadata, "annotations"), KEY_CORDONED_BY);
    json_add_null(part(metadata, "annotations"), KEY_CORDON_REASON);
    if (lists(marks, MARK_LABEL))
        json_add_null(part(metadata, "labels"), KEY_LOAD_BALANCERS);
    if (lists(marks, MARK_UNSCHEDULABLE))
        json_add_null(part(patch, "spec"), "unschedulable");
    if (lists(marks, MARK_TAINT) && has_draining_taint(node)) {
        cJSON *taints = other_taints(node);
        if (json_count(taints) > 0)
            cJSON_AddItemToObject(part(patch, "spec"), "taints", taints);
        else
            json_add_null(part(patch, "spec"), "taints");
        if (json_count(taints) == 0)
            cJSON_Delete(taints);
    }
    return finish(patch);
}

// Adds what is missing of `wanted` to patch.metadata[member]. True when anything is to be written.
static bool add_missing(cJSON *patch, const cJSON *node, const char *member, const struct labels *wanted,
                        struct text *kept)
{
    const cJSON *present = json_path(node, "metadata", member, NULL);
    bool changed = false;
    for (uint32_t i = 0; i < wanted->count; i++) {
        const char *key = wanted->items[i].key;
        const char *value = wanted->items[i].value;
        const cJSON *now = json_get(present, key);
        bool ours = text_starts_with(key, KEY_PREFIX);
        if (!value ? !now || !ours : now && cJSON_IsString(now) && strcmp(now->valuestring, value) == 0)
            continue;
        if (now && !ours) {
            text_printf(kept, "%s%s stays \"%s\"", kept->length > 0 ? ", " : "", key,
                        json_text(present, key));
            continue;
        }
        json_add_text(part(part(patch, "metadata"), member), key, value);
        changed = true;
    }
    return changed;
}

static bool has_taint(const cJSON *taints, const struct taint *wanted)
{
    const cJSON *taint;
    cJSON_ArrayForEach(taint, taints)
    {
        enum taint_effect effect;
        if (strcmp(json_text(taint, "key"), wanted->key) == 0 &&
            decode_taint_effect(json_text(taint, "effect"), &effect) && effect == wanted->effect)
            return true;
    }
    return false;
}

char *patch_label_node(const cJSON *node, const struct labels *labels, const struct labels *annotations,
                       const struct taints *taints, struct text *kept)
{
    cJSON *patch = begin(node);
    bool changed = add_missing(patch, node, "labels", labels, kept);
    changed = add_missing(patch, node, "annotations", annotations, kept) || changed;
    const cJSON *present = json_path(node, "spec", "taints", NULL);
    cJSON *all = cJSON_IsArray(present) ? cJSON_Duplicate(present, true) : json_array();
    bool tainted = false;
    for (uint32_t i = 0; i < taints->count; i++) {
        const struct taint *taint = &taints->items[i];
        if (has_taint(all, taint))
            continue;
        append_taint(all, taint->key, taint->value, taint->effect);
        tainted = true;
    }
    if (tainted)
        cJSON_AddItemToObject(part(patch, "spec"), "taints", all);
    else
        cJSON_Delete(all);
    if (changed || tainted)
        return finish(patch);
    cJSON_Delete(patch);
    return NULL;
}

char *patch_finalizer(const cJSON *object, const char *finalizer, bool present)
{
    bool found = false;
    cJSON *list = json_array();
    const cJSON *entry;
    cJSON_ArrayForEach(entry, json_path(object, "metadata", "finalizers", NULL))
    {
        bool same = cJSON_IsString(entry) && strcmp(entry->valuestring, finalizer) == 0;
        found = found || same;
        if (!same || present)
            cJSON_AddItemToArray(list, cJSON_Duplicate(entry, true));
    }
    if (found == present) {
        cJSON_Delete(list);
        return NULL;
    }
    if (present)
        json_append_text(list, finalizer);
    cJSON *patch = begin(object);
    cJSON_AddItemToObject(part(patch, "metadata"), "finalizers", list);
    return finish(patch);
}

char *body_delete(const char *uid, int64_t grace_seconds)
{
    cJSON *body = json_object();
    json_add_text(body, "apiVersion", "v1");
    json_add_text(body, "kind", "DeleteOptions");
    if (*uid)
        json_add_text(json_add_object(body, "preconditions"), "uid", uid);
    if (grace_seconds >= 0)
        json_add_integer(body, "gracePeriodSeconds", grace_seconds);
    return finish(body);
}

char *body_eviction(const char *space, const char *name, const char *uid, int64_t grace_seconds)
{
    cJSON *body = json_object();
    json_add_text(body, "apiVersion", "policy/v1");
    json_add_text(body, "kind", "Eviction");
    cJSON *metadata = json_add_object(body, "metadata");
    json_add_text(metadata, "name", name);
    json_add_text(metadata, "namespace", space);
    cJSON *options = json_add_object(body, "deleteOptions");
    json_add_text(json_add_object(options, "preconditions"), "uid", uid);
    if (grace_seconds >= 0)
        json_add_integer(options, "gracePeriodSeconds", grace_seconds);
    return finish(body);
}

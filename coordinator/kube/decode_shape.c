#include <assert.h>
#include <string.h>

#include "coordinator/kube/decode.h"

bool decode_taint_effect(const char *text, enum taint_effect *out)
{
    static const struct {
        const char *text;
        enum taint_effect effect;
    } effects[] = {{"NoSchedule", TAINT_NO_SCHEDULE},
                   {"PreferNoSchedule", TAINT_PREFER_NO_SCHEDULE},
                   {"NoExecute", TAINT_NO_EXECUTE}};
    for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++) {
        if (strcmp(effects[i].text, text) == 0) {
            *out = effects[i].effect;
            return true;
        }
    }
    return false;
}

bool decode_taints(const cJSON *array, struct arena *arena, struct taints *out)
{
    bool readable = array == NULL || cJSON_IsArray(array);
    struct taint *items = ARENA_ARRAY(arena, struct taint, json_count(array));
    uint32_t count = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, array)
    {
        struct taint taint = {.key = json_copy(arena, entry, "key"),
                              .value = json_copy(arena, entry, "value")};
        if (*taint.key == '\0' || !decode_taint_effect(json_text(entry, "effect"), &taint.effect))
            readable = false;
        else
            items[count++] = taint;
    }
    *out = (struct taints){.items = items, .count = count};
    return readable;
}

static bool decode_operator(const char *text, bool numeric, enum selector_operator *out)
{
    static const char *const names[] = {
        [SELECTOR_IN] = "In",         [SELECTOR_NOT_IN] = "NotIn",
        [SELECTOR_EXISTS] = "Exists", [SELECTOR_DOES_NOT_EXIST] = "DoesNotExist",
        [SELECTOR_GT] = "Gt",         [SELECTOR_LT] = "Lt"};
    size_t count = numeric ? SELECTOR_LT + 1 : SELECTOR_DOES_NOT_EXIST + 1;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (enum selector_operator)i;
            return true;
        }
    }
    return false;
}

// The number of values must suit the operator, as the API server demands.
static bool values_suit(const struct requirement *requirement)
{
    switch (requirement->operator) {
    case SELECTOR_IN:
    case SELECTOR_NOT_IN: return requirement->value_count > 0;
    case SELECTOR_EXISTS:
    case SELECTOR_DOES_NOT_EXIST: return requirement->value_count == 0;
    case SELECTOR_GT:
    case SELECTOR_LT: return requirement->value_count == 1;
    }
    return false;
}

static bool decode_requirement(const cJSON *json, bool numeric, struct arena *arena, struct requirement *out)
{
    const cJSON *values = json_get(json, "values");
    out->key = json_copy(arena, json, "key");
    out->values = json_strings(arena, values, &out->value_count);
    return *out->key != '\0' && out->value_count == json_count(values) &&
           decode_operator(json_text(json, "operator"), numeric, &out->operator) && values_suit(out);
}

static bool decode_requirements(const cJSON *array, bool numeric, struct arena *arena,
                                const struct requirement **out, uint32_t *count)
{
    bool readable = array == NULL || cJSON_IsArray(array);
    struct requirement *items = ARENA_ARRAY(arena, struct requirement, json_count(array));
    *count = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, array)
    {
        if (decode_requirement(entry, numeric, arena, &items[*count]))
            (*count)++;
        else
            readable = false;
    }
    *out = items;
    return readable;
}

bool decode_selector(const cJSON *selector, struct arena *arena, const struct requirement **out,
                     uint32_t *count)
{
    const cJSON *match = json_get(selector, "matchLabels");
    const cJSON *expressions = json_get(selector, "matchExpressions");
    struct labels labels = json_labels(arena, match, NULL);
    bool readable = cJSON_IsObject(selector) && (match == NULL || cJSON_IsObject(match)) &&
                    labels.count == (uint32_t)cJSON_GetArraySize(match);
    const struct requirement *more;
    uint32_t more_count;
    readable = decode_requirements(expressions, false, arena, &more, &more_count) && readable;
    struct requirement *items = ARENA_ARRAY(arena, struct requirement, (size_t)labels.count + more_count);
    for (uint32_t i = 0; i < labels.count; i++) {
        const char **value = ARENA_NEW(arena, const char *);
        *value = labels.items[i].value;
        items[i] = (struct requirement){
            .key = labels.items[i].key, .operator= SELECTOR_IN, .values = value, .value_count = 1};
    }
    if (more_count > 0)
        memcpy(items + labels.count, more, more_count * sizeof(*items));
    *out = items;
    *count = labels.count + more_count;
    return readable;
}

// matchFields knows metadata.name alone, with In or NotIn and one value.
static bool fields_suit(const struct node_term *term)
{
    for (uint32_t i = 0; i < term->field_count; i++) {
        if (strcmp(term->fields[i].key, "metadata.name") != 0 ||
            (term->fields[i].operator!= SELECTOR_IN && term->fields[i].operator!= SELECTOR_NOT_IN))
            return false;
    }
    return true;
}

bool decode_node_terms(const cJSON *array, struct arena *arena, const struct node_term **out, uint32_t *count)
{
    struct node_term *items = ARENA_ARRAY(arena, struct node_term, json_count(array));
    bool readable = cJSON_IsArray(array);
    *count = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, array)
    {
        struct node_term *term = &items[(*count)++];
        readable = decode_requirements(json_get(entry, "matchExpressions"), true, arena, &term->expressions,
                                       &term->expression_count) &&
                   readable;
        readable = decode_requirements(json_get(entry, "matchFields"), true, arena, &term->fields,
                                       &term->field_count) &&
                   readable;
        readable = fields_suit(term) && readable;
    }
    *out = items;
    return readable;
}

static bool decode_node_affinity(const cJSON *spec, struct arena *arena, struct pod_shape_facts *out)
{
    const cJSON *required =
        json_path(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", NULL);
    if (!required)
        return true;
    out->has_affinity = true;
    return decode_node_terms(json_get(required, "nodeSelectorTerms"), arena, &out->affinity_terms,
                             &out->affinity_term_count);
}

static bool decode_toleration(const cJSON *json, struct arena *arena, struct toleration *out)
{
    const char *relation = json_text(json, "operator");
    const char *effect = json_text(json, "effect");
    out->key = json_copy(arena, json, "key");
    out->value = json_copy(arena, json, "value");
    out->any_effect = *effect == '\0';
    if (!out->any_effect && !decode_taint_effect(effect, &out->effect))
        return false;
    if (*relation == '\0' || strcmp(relation, "Equal") == 0)
        out->operator= TOLERATION_EQUAL;
    else if (strcmp(relation, "Exists") == 0)
        out->operator= TOLERATION_EXISTS;
    else if (strcmp(relation, "Lt") == 0)
        out->operator= TOLERATION_LT;
    else if (strcmp(relation, "Gt") == 0)
        out->operator= TOLERATION_GT;
    else
        return false;
    return *out->key != '\0' || out->operator== TOLERATION_EXISTS;
}

// A toleration that cannot be read tolerates nothing, which errs on the safe side; the pod is marked all the
// same.
static bool decode_tolerations(const cJSON *array, struct arena *arena, struct pod_shape_facts *out)
{
    struct toleration *items = ARENA_ARRAY(arena, struct toleration, json_count(array));
    bool readable = array == NULL || cJSON_IsArray(array);
    uint32_t count = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, array)
    {
        if (decode_toleration(entry, arena, &items[count]))
            count++;
        else
            readable = false;
    }
    out->tolerations = items;
    out->toleration_count = count;
    return readable;
}

void decode_shape(const char *space, const cJSON *metadata, const cJSON *spec, const cJSON *status,
                  struct arena *arena, struct pod_shape_facts *out)
{
    bool readable = decode_requests(spec, status, arena, &out->requests);
    out->labels = json_labels(arena, json_get(metadata, "labels"), NULL);
    out->node_selector = json_labels(arena, json_get(spec, "nodeSelector"), NULL);
    readable = decode_node_affinity(spec, arena, out) && readable;
    readable = decode_tolerations(json_get(spec, "tolerations"), arena, out) && readable;
    readable = decode_terms(space, spec, arena, out) && readable;
    out->needs = readable ? 0u : (uint32_t)POD_NEEDS_UNREADABLE;
    if (json_count(json_get(spec, "resourceClaims")) > 0)
        out->needs |= POD_NEEDS_RESOURCE_CLAIM;
    int64_t priority = json_integer(spec, "priority", 0);
    if (priority < INT32_MIN || priority > INT32_MAX)
        priority = 0;
    out->priority = (int32_t)priority;
    const char *scheduler = json_text(spec, "schedulerName");
    out->scheduler_name = arena_strdup(arena, *scheduler ? scheduler : "default-scheduler");
}

#include "coordinator/kube/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// cJSON recurses; its own limit of 1000 levels is more stack than our threads should spend on strangers.
static bool depth_is_bounded(const char *bytes, size_t length)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX)
                return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

cJSON *json_parse(const char *bytes, size_t length, struct error *error)
{
    assert(bytes != NULL || length == 0);
    if (length == 0) {
        error_set(error, 0, "empty where JSON was expected");
        return NULL;
    }
    if (!depth_is_bounded(bytes, length)) {
        error_set(error, 0, "JSON nested more than %d levels deep", JSON_DEPTH_MAX);
        return NULL;
    }
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(bytes, length, &end, 0);
    if (!json) {
        error_set(error, 0, "malformed JSON near byte %zu of %zu", end ? (size_t)(end - bytes) : 0, length);
        return NULL;
    }
    for (size_t i = (size_t)(end - bytes); i < length; i++) {
        if (bytes[i] != '\0' && !strchr(" \t\r\n", bytes[i])) {
            cJSON_Delete(json);
            error_set(error, 0, "more after the end of the JSON document, at byte %zu", i);
            return NULL;
        }
    }
    return json;
}

void json_blank_managed_fields(char *bytes, size_t length)
{
    // Within a string the quotes would be escaped, so this can only be a member.
    static const char member[] = "\"managedFields\":[";
    char *found = memmem(bytes, length, member, sizeof(member) - 1);
    if (!found)
        return;
    char *begin = found + sizeof(member) - 1;
    size_t rest = length - (size_t)(begin - bytes);
    size_t depth = 1;
    bool in_string = false;
    for (size_t i = 0; i < rest; i++) {
        char c = begin[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            depth++;
        } else if ((c == ']' || c == '}') && --depth == 0) {
            memset(begin, ' ', i);
            return;
        }
    }
}

void json_free(cJSON **json)
{
    cJSON_Delete(*json);
    *json = NULL;
}

const cJSON *json_get(const cJSON *json, const char *key)
{
    if (!cJSON_IsObject(json))
        return NULL;
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(json, key);
    return cJSON_IsNull(value) ? NULL : value;
}

const cJSON *json_path(const cJSON *json, ...)
{
    va_list keys;
    va_start(keys, json);
    for (const char *key = va_arg(keys, const char *); key && json; key = va_arg(keys, const char *))
        json = json_get(json, key);
    va_end(keys);
    return json;
}

const char *json_text(const cJSON *json, const char *key)
{
    const cJSON *value = json_get(json, key);
    return cJSON_IsString(value) && value->valuestring ? value->valuestring : "";
}

const char *json_copy(struct arena *arena, const cJSON *json, const char *key)
{
    return arena_strdup(arena, json_text(json, key));
}

bool json_true(const cJSON *json, const char *key)
{
    return cJSON_IsTrue(json_get(json, key));
}

bool json_is_integer(const cJSON *value, int64_t *out)
{
    const double exact_max = 9007199254740992.0; // 2^53
    if (!cJSON_IsNumber(value))
        return false;
    double number = value->valuedouble;
    if (!(number >= -exact_max && number <= exact_max) || number != floor(number))
        return false;
    *out = (int64_t)number;
    return true;
}

int64_t json_integer(const cJSON *json, const char *key, int64_t fallback)
{
    int64_t value;
    return json_is_integer(json_get(json, key), &value) ? value : fallback;
}

int64_t json_time(const cJSON *json, const char *key)
{
    const char *text = json_text(json, key);
    int64_t ms;
    if (*text == '\0' || text_parse_time_ms(text, strlen(text), &ms, NULL) < 0)
        return 0;
    return ms;
}

uint32_t json_count(const cJSON *array)
{
    return cJSON_IsArray(array) ? (uint32_t)cJSON_GetArraySize(array) : 0;
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

struct labels json_labels(struct arena *arena, const cJSON *map, bool (*keep)(const char *key))
{
    struct labels labels = {0};
    if (!cJSON_IsObject(map))
        return labels;
    uint32_t count = 0;
    for (const cJSON *member = map->child; member; member = member->next)
        count += cJSON_IsString(member) && (!keep || keep(member->string));
    struct label *items = ARENA_ARRAY(arena, struct label, count);
    uint32_t filled = 0;
    for (const cJSON *member = map->child; member; member = member->next) {
        if (cJSON_IsString(member) && (!keep || keep(member->string)))
            items[filled++] = (struct label){.key = arena_strdup(arena, member->string),
                                             .value = arena_strdup(arena, member->valuestring)};
    }
    assert(filled == count);
    bool sorted = true;
    for (uint32_t i = 1; i < count; i++)
        sorted = sorted && strcmp(items[i - 1].key, items[i].key) < 0;
    if (!sorted && count > 1) {
        qsort(items, count, sizeof(*items), compare_labels);
        uint32_t unique = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (unique > 0 && strcmp(items[unique - 1].key, items[i].key) == 0)
                items[unique - 1] = items[i];
            else
                items[unique++] = items[i];
        }
        count = unique;
    }
    labels.items = items;
    labels.count = count;
    return labels;
}

const char *const *json_strings(struct arena *arena, const cJSON *array, uint32_t *count)
{
    *count = 0;
    uint32_t size = json_count(array);
    const char **items = ARENA_ARRAY(arena, const char *, size);
    if (size == 0)
        return items;
    for (const cJSON *item = array->child; item; item = item->next) {
        if (cJSON_IsString(item))
            items[(*count)++] = arena_strdup(arena, item->valuestring);
    }
    return items;
}

static void *must(void *pointer)
{
    if (!pointer) {
        fputs("out of memory while building JSON\n", stderr);
        abort();
    }
    return pointer;
}

void json_print(const cJSON *json, struct text *out)
{
    char *printed = must(cJSON_PrintUnformatted(json));
    text_append(out, printed);
    cJSON_free(printed);
}

cJSON *json_object(void)
{
    return must(cJSON_CreateObject());
}

cJSON *json_array(void)
{
    return must(cJSON_CreateArray());
}

cJSON *json_add_object(cJSON *parent, const char *key)
{
    return must(cJSON_AddObjectToObject(parent, key));
}

cJSON *json_add_array(cJSON *parent, const char *key)
{
    return must(cJSON_AddArrayToObject(parent, key));
}

void json_add_text(cJSON *parent, const char *key, const char *value)
{
    if (value)
        must(cJSON_AddStringToObject(parent, key, value));
    else
        json_add_null(parent, key);
}

void json_add_integer(cJSON *parent, const char *key, int64_t value)
{
    // A double holds whole numbers only up to 2^53; beyond that the digits themselves are written.
    char digits[32];
    if (value > -(1LL << 53) && value < (1LL << 53)) {
        must(cJSON_AddNumberToObject(parent, key, (double)value));
        return;
    }
    snprintf(digits, sizeof(digits), "%lld", (long long)value);
    must(cJSON_AddRawToObject(parent, key, digits));
}

void json_add_bool(cJSON *parent, const char *key, bool value)
{
    must(cJSON_AddBoolToObject(parent, key, value));
}

void json_add_null(cJSON *parent, const char *key)
{
    must(cJSON_AddNullToObject(parent, key));
}

void json_append_text(cJSON *array, const char *value)
{
    cJSON *item = must(cJSON_CreateString(value));
    cJSON_AddItemToArray(array, item);
}

cJSON *json_append_object(cJSON *array)
{
    cJSON *item = must(cJSON_CreateObject());
    cJSON_AddItemToArray(array, item);
    return item;
}

#include "tests/world/json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"

#define KEY_BYTES_MAX 256

cJSON *json_key(const cJSON *object, const char *key)
{
    return object == NULL ? NULL : cJSON_GetObjectItemCaseSensitive(object, key);
}

// The next key of a path; false at its end.
static bool next_key(const char **path, char key[KEY_BYTES_MAX])
{
    if (**path == 0)
        return false;
    size_t length = strcspn(*path, ".");
    assert(length > 0 && length < KEY_BYTES_MAX);
    memcpy(key, *path, length);
    key[length] = 0;
    *path += length;
    if (**path == '.')
        (*path)++;
    return true;
}

cJSON *json_at(const cJSON *root, const char *path)
{
    char key[KEY_BYTES_MAX];
    cJSON *item = (cJSON *)(uintptr_t)root;
    while (item != NULL && next_key(&path, key))
        item = json_key(item, key);
    return item;
}

const char *json_text(const cJSON *root, const char *path)
{
    const cJSON *item = json_at(root, path);
    return cJSON_IsString(item) ? item->valuestring : "";
}

const char *json_key_text(const cJSON *object, const char *key)
{
    const cJSON *item = json_key(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

int64_t json_number(const cJSON *root, const char *path, int64_t fallback)
{
    const cJSON *item = json_at(root, path);
    return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : fallback;
}

bool json_true(const cJSON *root, const char *path)
{
    return cJSON_IsTrue(json_at(root, path));
}

int64_t json_time_ms(const cJSON *root, const char *path)
{
    const char *text = json_text(root, path);
    int64_t unix_ms = 0;
    if (text[0] == 0 || text_parse_time_ms(text, strlen(text), &unix_ms, NULL) != 0)
        return 0;
    return unix_ms;
}

void json_put(cJSON *object, const char *key, cJSON *value)
{
    if (value == NULL)
        cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    else if (json_key(object, key) != NULL)
        cJSON_ReplaceItemInObjectCaseSensitive(object, key, value);
    else
        cJSON_AddItemToObject(object, key, value);
}

cJSON *json_make(cJSON *root, const char *path)
{
    char key[KEY_BYTES_MAX];
    while (next_key(&path, key)) {
        cJSON *child = json_key(root, key);
        if (!cJSON_IsObject(child) && !cJSON_IsArray(child)) {
            child = cJSON_CreateObject();
            json_put(root, key, child);
        }
        root = child;
    }
    return root;
}

void json_set(cJSON *root, const char *path, cJSON *value)
{
    const char *last = strrchr(path, '.');
    if (last == NULL) {
        json_put(root, path, value);
        return;
    }
    char parent[KEY_BYTES_MAX];
    snprintf(parent, sizeof parent, "%.*s", (int)(last - path), path);
    if (value == NULL && json_at(root, parent) == NULL)
        return;
    json_put(json_make(root, parent), last + 1, value);
}

void json_set_text(cJSON *root, const char *path, const char *text)
{
    json_set(root, path, text == NULL ? NULL : cJSON_CreateString(text));
}

void json_set_number(cJSON *root, const char *path, int64_t number)
{
    json_set(root, path, cJSON_CreateNumber((double)number));
}

void json_set_true(cJSON *root, const char *path, bool value)
{
    json_set(root, path, cJSON_CreateBool(value));
}

void json_set_time(cJSON *root, const char *path, int64_t unix_ms)
{
    char text[40];
    text_format_time(text, sizeof text, unix_ms);
    json_set_text(root, path, unix_ms == 0 ? NULL : text);
}

cJSON *json_of(const char *format, ...)
{
    AUTOTEXT struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&text, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] == '\'')
            text.bytes[i] = '"';
    }
    cJSON *json = cJSON_Parse(text_get(&text));
    if (json == NULL) {
        fprintf(stderr, "not JSON: %s\n", text_get(&text));
        abort();
    }
    return json;
}

// As cJSON_Compare(), but quick where members come in the same order, as they nearly always do here.
bool json_equal(const cJSON *a, const cJSON *b)
{
    if (a == NULL || b == NULL || (a->type & 0xff) != (b->type & 0xff))
        return a == b;
    if (cJSON_IsString(a))
        return strcmp(a->valuestring, b->valuestring) == 0;
    if (!cJSON_IsObject(a) && !cJSON_IsArray(a))
        return cJSON_Compare(a, b, true);
    const cJSON *left = a->child, *right = b->child;
    for (; left != NULL && right != NULL; left = left->next, right = right->next) {
        bool same_key = !cJSON_IsObject(a) || strcmp(left->string, right->string) == 0;
        if (!same_key)
            return cJSON_Compare(a, b, true);
        if (!json_equal(left, right))
            return false;
    }
    return left == NULL && right == NULL;
}

void json_merge_patch(cJSON *target, const cJSON *patch)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, patch)
    {
        if (cJSON_IsNull(item)) {
            cJSON_DeleteItemFromObjectCaseSensitive(target, item->string);
        } else if (cJSON_IsObject(item)) {
            cJSON *child = json_key(target, item->string);
            if (!cJSON_IsObject(child)) {
                child = cJSON_CreateObject();
                json_put(target, item->string, child);
            }
            json_merge_patch(child, item);
        } else {
            json_put(target, item->string, cJSON_Duplicate(item, true));
        }
    }
}

// ---------------------------------------------------------------------------- JSON patch (RFC 6902)

// The next token of a JSON pointer (RFC 6901), unescaped.
static bool next_token(const char **pointer, char token[KEY_BYTES_MAX])
{
    if (**pointer != '/')
        return false;
    size_t length = 0;
    for ((*pointer)++; **pointer != 0 && **pointer != '/'; (*pointer)++) {
        char byte = **pointer;
        if (byte == '~' && ((*pointer)[1] == '0' || (*pointer)[1] == '1')) {
            byte = (*pointer)[1] == '0' ? '~' : '/';
            (*pointer)++;
        }
        if (length + 1 < KEY_BYTES_MAX)
            token[length++] = byte;
    }
    token[length] = 0;
    return true;
}

static cJSON *token_item(const cJSON *parent, const char *token)
{
    if (!cJSON_IsArray(parent))
        return json_key(parent, token);
    uint64_t index = 0;
    if (text_parse_u64(token, strlen(token), &index, NULL) != 0 || index > 100000u)
        return NULL;
    return cJSON_GetArrayItem(parent, (int)index);
}

// The parent of what a pointer names, and its last token. NULL when the way there is not.
static cJSON *pointer_parent(cJSON *root, const char *pointer, char token[KEY_BYTES_MAX])
{
    cJSON *parent = root;
    if (!next_token(&pointer, token))
        return NULL;
    while (*pointer == '/') {
        parent = token_item(parent, token);
        if (parent == NULL || !next_token(&pointer, token))
            return NULL;
    }
    return parent;
}

static int patch_add(cJSON *parent, const char *token, const cJSON *value)
{
    cJSON *copy = cJSON_Duplicate(value, true);
    if (!cJSON_IsArray(parent)) {
        json_put(parent, token, copy);
        return 0;
    }
    uint64_t index = 0;
    if (strcmp(token, "-") == 0) {
        cJSON_AddItemToArray(parent, copy);
    } else if (text_parse_u64(token, strlen(token), &index, NULL) == 0 &&
               index <= (uint64_t)cJSON_GetArraySize(parent)) {
        cJSON_InsertItemInArray(parent, (int)index, copy);
    } else {
        cJSON_Delete(copy);
        return -1;
    }
    return 0;
}

static int patch_one(cJSON *target, const cJSON *operation, struct error *error)
{
    char token[KEY_BYTES_MAX];
    const char *verb = json_text(operation, "op"), *path = json_text(operation, "path");
    const cJSON *value = json_key(operation, "value");
    cJSON *parent = pointer_parent(target, path, token);
    cJSON *present = parent == NULL ? NULL : token_item(parent, token);
    if (strcmp(verb, "test") == 0) {
        if (present == NULL ? !cJSON_IsNull(value) : !json_equal(present, value))
            return error_set(error, 422, "testing path %s failed", path);
        return 0;
    }
    if (strcmp(verb, "add") != 0 && strcmp(verb, "remove") != 0 && strcmp(verb, "replace") != 0)
        return error_set(error, 400, "unknown operation \"%s\"", verb);
    if (parent == NULL)
        return error_set(error, 422, "path %s does not exist", path);
    if (strcmp(verb, "add") == 0 && value != NULL) {
        if (patch_add(parent, token, value) != 0)
            return error_set(error, 422, "index of %s is out of range", path);
        return 0;
    }
    if (present == NULL)
        return error_set(error, 422, "path %s does not exist", path);
    if (strcmp(verb, "remove") == 0)
        cJSON_Delete(cJSON_DetachItemViaPointer(parent, present));
    else if (value == NULL)
        return error_set(error, 400, "%s of %s without a value", verb, path);
    else if (cJSON_IsArray(parent))
        cJSON_ReplaceItemViaPointer(parent, present, cJSON_Duplicate(value, true));
    else
        json_put(parent, token, cJSON_Duplicate(value, true));
    return 0;
}

int json_patch(cJSON *target, const cJSON *operations, struct error *error)
{
    if (!cJSON_IsArray(operations))
        return error_set(error, 400, "a JSON patch is a list of operations");
    const cJSON *operation;
    cJSON_ArrayForEach(operation, operations)
    {
        if (patch_one(target, operation, error) != 0)
            return -1;
    }
    return 0;
}

void free_json(cJSON **json)
{
    cJSON_Delete(*json);
}

#include "coordinator/plan/manifest.h"

#include <string.h>

#include "coordinator/kube/json.h"
#include "coordinator/kube/yaml.h"

static cJSON *to_json(const struct yaml *node);

// Plain scalars are typed as YAML's core schema has it: null, booleans, numbers, else text.
static cJSON *scalar_to_json(const struct yaml *node)
{
    int64_t integer;
    double number;
    if (node->text == NULL)
        return cJSON_CreateNull();
    size_t length = strlen(node->text);
    if (node->plain && (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0))
        return cJSON_CreateBool(node->text[0] == 't');
    if (node->plain && text_parse_i64(node->text, length, &integer, NULL) == 0)
        return cJSON_CreateNumber((double)integer);
    if (node->plain && text_parse_double(node->text, length, &number, NULL) == 0)
        return cJSON_CreateNumber(number);
    return cJSON_CreateString(node->text);
}

static cJSON *to_json(const struct yaml *node)
{
    if (node->kind == YAML_SCALAR)
        return scalar_to_json(node);
    bool mapping = node->kind == YAML_MAPPING;
    cJSON *json = mapping ? json_object() : json_array();
    for (const struct yaml *child = node->first; child != NULL; child = child->next) {
        cJSON *value = to_json(child);
        if (mapping)
            cJSON_AddItemToObject(json, child->key, value);
        else
            cJSON_AddItemToArray(json, value);
    }
    return json;
}

// The end of the document that begins here: the next line that is "---".
static size_t document_length(const char *text, size_t length)
{
    for (size_t i = 0; i + 4 <= length; i++) {
        bool line = i == 0 || text[i - 1] == '\n';
        bool mark = strncmp(text + i, "---", 3) == 0 && (text[i + 3] == '\n' || text[i + 3] == '\r');
        if (line && mark && i > 0)
            return i;
    }
    return length;
}

static uint32_t lines_of(const char *text, size_t length)
{
    uint32_t lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    return lines;
}

int manifest_read(struct source *source, const char *text, size_t length, const char *name,
                  struct error *error)
{
    uint32_t line = 0;
    while (length > 0) {
        size_t part = document_length(text, length);
        struct arena *arena = arena_create(1 << 14);
        struct error detail = {0};
        const struct yaml *tree = yaml_read(text, part, arena, &detail);
        bool empty = tree != NULL && tree->kind == YAML_SCALAR && tree->text == NULL;
        cJSON *document = tree != NULL && !empty ? to_json(tree) : NULL;
        arena_destroy(arena);
        if (tree == NULL && lines_of(text, part) > 0 && detail.text[0] != '\0')
            return error_set(error, 0, "%s: the document that begins at line %u: %s", name, line + 1,
                             detail.text);
        if (document != NULL && source_add_document(source, document, name, error) < 0)
            return -1;
        line += lines_of(text, part);
        text += part;
        length -= part;
    }
    return 0;
}

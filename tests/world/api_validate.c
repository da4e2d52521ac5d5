// What the API server checks of any object: names, label keys and values, annotations; and the one rule of
// the NodeGroup's schema that is more than a type.
#include "tests/world/api_private.h"

#include <ctype.h>
#include <string.h>

static bool is_name(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > 253 || !isalnum((unsigned char)text[0]) ||
        !isalnum((unsigned char)text[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (!islower(byte) && !isdigit(byte) && byte != '-' && byte != '.' && byte != ':')
            return false;
    }
    return true;
}

static bool is_label_part(const char *text, size_t length)
{
    if (length == 0)
        return true;
    if (length > 63 || !isalnum((unsigned char)text[0]) || !isalnum((unsigned char)text[length - 1]))
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (!isalnum(byte) && byte != '-' && byte != '_' && byte != '.')
            return false;
    }
    return true;
}

static bool is_key(const char *text)
{
    const char *slash = strchr(text, '/');
    const char *name = slash == NULL ? text : slash + 1;
    if (slash != NULL && (slash == text || slash - text > 253))
        return false;
    return name[0] != 0 && is_label_part(name, strlen(name));
}

static bool validate_map(const cJSON *map, bool labels, const char *what, struct api_answer *answer)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, map)
    {
        bool right = cJSON_IsString(item) && is_key(item->string) &&
                     (!labels || is_label_part(item->valuestring, strlen(item->valuestring)));
        if (!right) {
            *answer = api_failure(422, "Invalid", "metadata.%s: Invalid value: \"%s\": \"%s\"", what,
                                  item->string, cJSON_IsString(item) ? item->valuestring : "(no string)");
            return false;
        }
    }
    return true;
}

static bool validate_node_group(const cJSON *json, struct api_answer *answer)
{
    if (json_number(json, "spec.minNodes", 0) <= json_number(json, "spec.maxNodes", 0))
        return true;
    *answer = api_failure(422, "Invalid", "spec: Invalid value: minNodes must be at most maxNodes");
    return false;
}

bool api_validate(enum api_kind kind, const cJSON *json, struct api_answer *answer)
{
    const char *name = json_text(json, "metadata.name");
    if (!is_name(name)) {
        *answer = api_failure(422, "Invalid", "metadata.name: Invalid value: \"%s\"", name);
        return false;
    }
    if (!validate_map(json_at(json, "metadata.labels"), true, "labels", answer) ||
        !validate_map(json_at(json, "metadata.annotations"), false, "annotations", answer))
        return false;
    return kind != API_NODEGROUP || validate_node_group(json, answer);
}

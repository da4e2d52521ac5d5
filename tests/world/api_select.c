// Selectors: the text forms of list and watch requests, and metav1.LabelSelector.
#include "tests/world/api_private.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

static bool in_list(const cJSON *values, const char *value)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, values)
    {
        if (cJSON_IsString(item) && strcmp(item->valuestring, value) == 0)
            return true;
    }
    return false;
}

static bool expression_selects(const cJSON *expression, const cJSON *labels)
{
    const char *verb = json_text(expression, "operator");
    const cJSON *label = json_key(labels, json_text(expression, "key"));
    const cJSON *values = json_key(expression, "values");
    if (strcmp(verb, "Exists") == 0)
        return label != NULL;
    if (strcmp(verb, "DoesNotExist") == 0)
        return label == NULL;
    if (strcmp(verb, "In") == 0)
        return label != NULL && in_list(values, label->valuestring);
    return strcmp(verb, "NotIn") == 0 && (label == NULL || !in_list(values, label->valuestring));
}

bool api_selects(const cJSON *label_selector, const cJSON *labels)
{
    const cJSON *item;
    if (!cJSON_IsObject(label_selector))
        return false;
    cJSON_ArrayForEach(item, json_key(label_selector, "matchLabels"))
    {
        if (strcmp(json_key_text(labels, item->string), item->valuestring) != 0)
            return false;
    }
    cJSON_ArrayForEach(item, json_key(label_selector, "matchExpressions"))
    {
        if (!expression_selects(item, labels))
            return false;
    }
    return true;
}

static char *trimmed(char *text)
{
    text += strspn(text, " ");
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ')
        text[--length] = 0;
    return text;
}

// Cuts at the next comma outside of parentheses.
static char *next_part(char **rest)
{
    char *part = *rest;
    if (part == NULL || *part == 0)
        return NULL;
    int depth = 0;
    char *end = part;
    for (; *end != 0 && (*end != ',' || depth > 0); end++)
        depth += *end == '(' ? 1 : *end == ')' ? -1 : 0;
    *rest = *end == 0 ? end : end + 1;
    *end = 0;
    return trimmed(part);
}

// "key in (a,b)": value is the text after the key.
static int set_part(const cJSON *label, char *set, bool wanted_in)
{
    char *open = strchr(set, '('), *close = strrchr(set, ')');
    if (open == NULL || close == NULL || close < open)
        return -1;
    *close = 0;
    bool found = false;
    for (char *rest = open + 1, *value; (value = next_part(&rest)) != NULL;)
        found = found || (cJSON_IsString(label) && strcmp(label->valuestring, value) == 0);
    return wanted_in ? found : !found;
}

static int label_part(const cJSON *labels, char *part)
{
    if (part[0] == '!')
        return json_key(labels, trimmed(part + 1)) == NULL;
    char *equals = strstr(part, "=");
    char *in = strstr(part, " in "), *not_in = strstr(part, " notin ");
    if (in != NULL || not_in != NULL) {
        char *set = in != NULL ? in : not_in;
        *set = 0;
        return set_part(json_key(labels, trimmed(part)), set + 1, in != NULL);
    }
    if (equals == NULL)
        return json_key(labels, part) != NULL;
    bool negated = equals > part && equals[-1] == '!';
    char *value = trimmed(equals + (equals[1] == '=' ? 2 : 1));
    *(negated ? equals - 1 : equals) = 0;
    const cJSON *label = json_key(labels, trimmed(part));
    bool same = cJSON_IsString(label) && strcmp(label->valuestring, value) == 0;
    return negated ? !same : same;
}

int api_matches_labels(const cJSON *document, const char *selector)
{
    AUTOFREE char *copy = xstrdup(selector == NULL ? "" : selector);
    for (char *rest = copy, *part; (part = next_part(&rest)) != NULL;) {
        int matches = label_part(json_at(document, "metadata.labels"), part);
        if (matches != 1)
            return matches;
    }
    return 1;
}

int api_matches_fields(const cJSON *document, const char *selector)
{
    AUTOFREE char *copy = xstrdup(selector == NULL ? "" : selector);
    for (char *rest = copy, *part; (part = next_part(&rest)) != NULL;) {
        char *equals = strchr(part, '=');
        if (equals == NULL || equals == part)
            return -1;
        bool negated = equals[-1] == '!';
        const char *value = equals + (equals[1] == '=' ? 2 : 1);
        *(negated ? equals - 1 : equals) = 0;
        if ((strcmp(json_text(document, part), value) == 0) == negated)
            return 0;
    }
    return 1;
}

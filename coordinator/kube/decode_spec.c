#include "coordinator/kube/decode_spec.h"

#include <stdio.h>
#include <string.h>

#define PROBLEMS_BYTES_MAX 480

// How much of a text to show: whole characters, at most `most` bytes.
static int shown_bytes(const struct text *text, size_t most)
{
    size_t length = 0;
    while (length < text->length) {
        size_t step = text_utf8_length(text->bytes + length, text->length - length);
        if (step == 0 || length + step > most)
            break;
        length += step;
    }
    return (int)length;
}

void spec_problem(const struct spec *spec, const char *key, const cJSON *value, const char *wanted)
{
    AUTOTEXT struct text shown = {0};
    if (spec->problems->length >= PROBLEMS_BYTES_MAX)
        return;
    if (spec->problems->length > 0)
        text_append(spec->problems, "; ");
    if (!value) {
        text_printf(spec->problems, "%s.%s is missing: %s is needed", spec->path, key, wanted);
        return;
    }
    json_print(value, &shown);
    text_printf(spec->problems, "%s.%s is %.*s%s: %s is needed", spec->path, key, shown_bytes(&shown, 60),
                text_get(&shown), shown.length > 60 ? "..." : "", wanted);
}

int64_t spec_integer(const struct spec *spec, const char *key, int64_t least, int64_t most, int64_t fallback,
                     bool required)
{
    const cJSON *value = json_get(spec->json, key);
    int64_t number;
    if (!value && !required)
        return fallback;
    if (value && json_is_integer(value, &number) && number >= least && number <= most)
        return number;
    char wanted[96];
    if (most >= INT32_MAX)
        snprintf(wanted, sizeof(wanted), "a whole number of at least %lld", (long long)least);
    else
        snprintf(wanted, sizeof(wanted), "a whole number between %lld and %lld", (long long)least,
                 (long long)most);
    spec_problem(spec, key, value, wanted);
    return fallback;
}

int32_t spec_count(const struct spec *spec, const char *key, int32_t least, int32_t fallback, bool required)
{
    return (int32_t)spec_integer(spec, key, least, INT32_MAX, fallback, required);
}

bool spec_bool(const struct spec *spec, const char *key, bool fallback)
{
    const cJSON *value = json_get(spec->json, key);
    if (!value)
        return fallback;
    if (cJSON_IsBool(value))
        return cJSON_IsTrue(value);
    spec_problem(spec, key, value, "true or false");
    return fallback;
}

const char *spec_text(const struct spec *spec, struct arena *arena, const char *key, bool required)
{
    const cJSON *value = json_get(spec->json, key);
    const char *text = cJSON_GetStringValue(value);
    if ((value && !text) || (required && (!text || *text == '\0')))
        spec_problem(spec, key, value, "a text");
    return json_copy(arena, spec->json, key);
}

const char *const *spec_texts(const struct spec *spec, struct arena *arena, const char *key, uint32_t least,
                              uint32_t *count)
{
    const cJSON *value = json_get(spec->json, key);
    const char *const *items = json_strings(arena, value, count);
    if ((value && (!cJSON_IsArray(value) || *count != json_count(value))) || *count < least)
        spec_problem(spec, key, value, least > 0 ? "a list with at least one text" : "a list of texts");
    return items;
}

struct spec spec_part(const struct spec *spec, const char *key, const char *path)
{
    const cJSON *value = json_get(spec->json, key);
    if (value && !cJSON_IsObject(value))
        spec_problem(spec, key, value, "an object");
    return (struct spec){.json = value, .path = path, .problems = spec->problems};
}

double spec_real(const struct spec *spec, const char *key, double least, double fallback)
{
    const cJSON *value = json_get(spec->json, key);
    if (!value)
        return fallback;
    if (cJSON_IsNumber(value) && value->valuedouble >= least)
        return value->valuedouble;
    spec_problem(spec, key, value, "a number of at least 0");
    return fallback;
}

int64_t spec_seconds(const struct spec *spec, const char *key, int64_t fallback)
{
    const cJSON *value = json_get(spec->json, key);
    const char *text = cJSON_GetStringValue(value);
    int64_t ms;
    if (!value)
        return fallback;
    if (text && text_parse_duration_ms(text, strlen(text), &ms, NULL) == 0 && ms >= 1000)
        return ms / 1000;
    spec_problem(spec, key, value, "a duration of at least a second, such as 8h or 1h30m,");
    return fallback;
}

int spec_word(const struct spec *spec, const char *key, const char *const *words, int count, int unset,
              int wrong)
{
    const cJSON *value = json_get(spec->json, key);
    const char *text = cJSON_GetStringValue(value);
    if (!value || (text && *text == '\0'))
        return unset;
    for (int i = 0; text && i < count; i++) {
        if (strcmp(words[i], text) == 0)
            return i;
    }
    AUTOTEXT struct text wanted = {0};
    for (int i = 0; i < count; i++)
        text_printf(&wanted, "%s%s", i == 0 ? "" : i == count - 1 ? " or " : ", ", words[i]);
    spec_problem(spec, key, value, text_get(&wanted));
    return wrong;
}

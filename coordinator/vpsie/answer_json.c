#include "coordinator/vpsie/answer_json.h"

#include <math.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/vpsie/answer.h"

#define INTEGER_MAX 9007199254740992.0 // 2^53: beyond it a JSON number is not exact

const cJSON *value_of(const cJSON *object, const char *const *names)
{
    if (!cJSON_IsObject(object)) {
        return NULL;
    }
    for (; *names != NULL; names++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, *names);
        if (value != NULL && !cJSON_IsNull(value)) {
            return value;
        }
    }
    return NULL;
}

bool value_has_integer(const cJSON *object, const char *const *names, int64_t *out)
{
    const cJSON *value = value_of(object, names);
    if (cJSON_IsNumber(value)) {
        double number = value->valuedouble;
        if (!(number >= 0) || number > INTEGER_MAX || number != floor(number)) {
            return false;
        }
        *out = (int64_t)number;
        return true;
    }
    if (cJSON_IsString(value)) {
        size_t length = strlen(value->valuestring);
        double real = 0;
        if (text_parse_i64(value->valuestring, length, out, NULL) == 0) {
            return *out >= 0;
        }
        if (text_parse_double(value->valuestring, length, &real, NULL) == 0 && real >= 0 &&
            real <= INTEGER_MAX && real == floor(real)) {
            *out = (int64_t)real;
            return true;
        }
    }
    return false;
}

int64_t value_integer(const cJSON *object, const char *const *names)
{
    int64_t number = 0;
    return value_has_integer(object, names, &number) ? number : 0;
}

double value_real(const cJSON *object, const char *const *names)
{
    const cJSON *value = value_of(object, names);
    double real = 0;
    if (cJSON_IsNumber(value)) {
        real = value->valuedouble;
    } else if (cJSON_IsString(value) &&
               text_parse_double(value->valuestring, strlen(value->valuestring), &real, NULL) != 0) {
        real = 0;
    }
    return isfinite(real) && real > 0 ? real : 0;
}

bool value_bool(const cJSON *object, const char *const *names, bool absent)
{
    const cJSON *value = value_of(object, names);
    if (cJSON_IsBool(value)) {
        return cJSON_IsTrue(value);
    }
    if (cJSON_IsNumber(value)) {
        return value->valuedouble != 0;
    }
    if (cJSON_IsString(value)) {
        const char *text = value->valuestring;
        if (text_equal_fold(text, "true") || text_equal_fold(text, "yes") || strcmp(text, "1") == 0) {
            return true;
        }
        if (text_equal_fold(text, "false") || text_equal_fold(text, "no") || strcmp(text, "0") == 0) {
            return false;
        }
    }
    return absent;
}

const char *value_text(const cJSON *object, const char *const *names, struct arena *arena)
{
    const cJSON *value = value_of(object, names);
    int64_t number = 0;
    if (cJSON_IsNumber(value) && value_has_integer(object, names, &number)) {
        return arena_printf(arena, "%lld", (long long)number);
    }
    if (!cJSON_IsString(value) || strlen(value->valuestring) > ANSWER_TEXT_BYTES) {
        return "";
    }
    for (const char *c = value->valuestring; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            return "";
        }
    }
    return arena_strdup(arena, value->valuestring);
}

int64_t value_time_ms(const cJSON *object, const char *const *names)
{
    const cJSON *value = value_of(object, names);
    int64_t number = 0;
    if (cJSON_IsString(value) &&
        text_parse_time_ms(value->valuestring, strlen(value->valuestring), &number, NULL) == 0) {
        return number > 0 ? number : 0;
    }
    if (!value_has_integer(object, names, &number)) {
        return 0;
    }
    if (number >= 100000000000) { // milliseconds since 1973
        return number < 100000000000000 ? number : 0;
    }
    return number * 1000;
}

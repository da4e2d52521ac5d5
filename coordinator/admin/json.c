#include "coordinator/admin/json.h"

#include <assert.h>
#include <math.h>

static void open_bracket(struct json *json, char open, char close)
{
    assert(json->depth + 1 < JSON_WRITE_DEPTH_MAX);
    text_append_bytes(json->out, &open, 1);
    json->depth++;
    json->comma[json->depth] = false;
    json->close[json->depth] = close;
}

static void name_it(struct json *json, const char *name)
{
    if (json->comma[json->depth])
        text_append_bytes(json->out, ",", 1);
    json->comma[json->depth] = true;
    assert((name == NULL) == (json->close[json->depth] == ']'));
    if (name == NULL)
        return;
    text_append_json_string(json->out, name);
    text_append_bytes(json->out, ":", 1);
}

struct json json_put_begin(struct text *out)
{
    struct json json = {.out = out};
    open_bracket(&json, '{', '}');
    return json;
}

void json_put_finish(struct json *json)
{
    assert(json->depth == 1);
    json_put_end(json);
}

void json_put_object(struct json *json, const char *name)
{
    name_it(json, name);
    open_bracket(json, '{', '}');
}

void json_put_array(struct json *json, const char *name)
{
    name_it(json, name);
    open_bracket(json, '[', ']');
}

void json_put_end(struct json *json)
{
    assert(json->depth > 0);
    text_append_bytes(json->out, &json->close[json->depth], 1);
    json->depth--;
}

void json_put_string(struct json *json, const char *name, const char *value)
{
    name_it(json, name);
    if (value == NULL)
        text_append(json->out, "null");
    else
        text_append_json_string(json->out, value);
}

void json_put_integer(struct json *json, const char *name, int64_t value)
{
    name_it(json, name);
    text_printf(json->out, "%lld", (long long)value);
}

void json_put_real(struct json *json, const char *name, double value, int decimals)
{
    name_it(json, name);
    if (isfinite(value))
        text_printf(json->out, "%.*f", decimals, value);
    else
        text_append(json->out, "null");
}

void json_put_percent(struct json *json, const char *name, double value)
{
    json_put_real(json, name, value < 0 ? (double)NAN : value, 1);
}

void json_put_bool(struct json *json, const char *name, bool value)
{
    name_it(json, name);
    text_append(json->out, value ? "true" : "false");
}

void json_put_time(struct json *json, const char *name, int64_t unix_ms)
{
    char text[40];
    if (unix_ms > 0)
        text_format_time(text, sizeof(text), unix_ms);
    json_put_string(json, name, unix_ms > 0 ? text : NULL);
}

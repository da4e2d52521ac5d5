// What this room is for: writing JSON straight into text, as large replies need it. What it knows: commas and
// brackets. What it may not do: read JSON, or know what it means.
#ifndef VPSIE_COORDINATOR_ADMIN_JSON_H
#define VPSIE_COORDINATOR_ADMIN_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/text.h"

#define JSON_WRITE_DEPTH_MAX 16

struct json {
    struct text *out;
    int depth;
    bool comma[JSON_WRITE_DEPTH_MAX]; // by depth: something is there already
    char close[JSON_WRITE_DEPTH_MAX];
};
// The outermost object is begun by json_put_begin(), ended by json_put_finish(). `name` is NULL inside an
// array.
struct json json_put_begin(struct text *out);
void json_put_finish(struct json *json);
void json_put_object(struct json *json, const char *name);
void json_put_array(struct json *json, const char *name);
void json_put_end(struct json *json); // of the innermost object or array
void json_put_string(struct json *json, const char *name, const char *value); // NULL: null
void json_put_integer(struct json *json, const char *name, int64_t value);
void json_put_real(struct json *json, const char *name, double value, int decimals); // not finite: null
void json_put_percent(struct json *json, const char *name, double value);            // < 0: null
void json_put_bool(struct json *json, const char *name, bool value);
void json_put_time(struct json *json, const char *name, int64_t unix_ms); // RFC 3339; 0: null

#endif

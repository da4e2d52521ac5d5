// What this room is for: single values out of VPSie's JSON, in any of the forms its clients have met.
// What it knows: cJSON. What it may not do: know a call.
#ifndef VPSIE_COORDINATOR_VPSIE_ANSWER_JSON_H
#define VPSIE_COORDINATOR_VPSIE_ANSWER_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"

// Names are tried in order, ended by NULL; the first that is there and not null wins. NULL: none.
const cJSON *value_of(const cJSON *object, const char *const *names);
#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

// A whole number, also as text; 0 when absent, negative, fractional or over 2^53.
int64_t value_integer(const cJSON *object, const char *const *names);
bool value_has_integer(const cJSON *object, const char *const *names, int64_t *out);
double value_real(const cJSON *object, const char *const *names); // 0 when absent, negative or not finite
bool value_bool(const cJSON *object, const char *const *names, bool absent); // true/false, 0/1, their texts
// Text (a number becomes its digits), "" when absent, too long, or not printable ASCII.
const char *value_text(const cJSON *object, const char *const *names, struct arena *arena);
int64_t value_time_ms(const cJSON *object, const char *const *names); // text, seconds or ms; else 0

#endif

// What this room is for: reading and changing JSON documents by path, and the two patches that Kubernetes
// speaks. What it knows: cJSON, RFC 7386 (merge patch), RFC 6902 (JSON patch). What it may not do: know an
// object's meaning.
#ifndef VPSIE_TESTS_WORLD_JSON_H
#define VPSIE_TESTS_WORLD_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

// The coordinator's Kubernetes door has readers of the same names, and the simulator links both.
#define json_text world_json_text
#define json_true world_json_true

// Paths are keys joined by '.', such as "metadata.name"; a key that contains dots is reached by json_key().
cJSON *json_at(const cJSON *root, const char *path); // NULL when absent; root may be NULL
cJSON *json_key(const cJSON *object, const char *key);
const char *json_text(const cJSON *root, const char *path); // "" when absent or no string
const char *json_key_text(const cJSON *object, const char *key);
int64_t json_number(const cJSON *root, const char *path, int64_t fallback);
bool json_true(const cJSON *root, const char *path);
int64_t json_time_ms(const cJSON *root, const char *path); // RFC 3339 → Unix ms, 0 when absent

// Objects on the way are made. NULL values remove.
cJSON *json_make(cJSON *root, const char *path);                     // the object at path
void json_put(cJSON *object, const char *key, cJSON *value);         // takes the value; keeps the place
void json_set(cJSON *root, const char *path, cJSON *value);          // takes the value
void json_set_text(cJSON *root, const char *path, const char *text); // NULL removes
void json_set_number(cJSON *root, const char *path, int64_t number);
void json_set_true(cJSON *root, const char *path, bool value);
void json_set_time(cJSON *root, const char *path, int64_t unix_ms); // seconds; 0 removes

// A document from text in which ' stands for ", made with printf's rules. Aborts on a mistake: for texts that
// are part of the program.
cJSON *json_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool json_equal(const cJSON *a, const cJSON *b); // NULL equals only NULL

void json_merge_patch(cJSON *target, const cJSON *patch); // both objects
// All or nothing is the caller's: work on a copy. error->code 422 (cannot be applied) or 400 (no patch).
int json_patch(cJSON *target, const cJSON *operations, struct error *error);

void free_json(cJSON **json);
#define AUTOJSON __attribute__((cleanup(free_json)))

#endif

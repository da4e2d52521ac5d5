// What this room is for: reading JSON that others wrote, without trusting it: guarded parsing and readers
// that never crash on a wrong type. What it knows: cJSON. What it may not do: know Kubernetes, keep a tree.
#ifndef VPSIE_COORDINATOR_KUBE_JSON_H
#define VPSIE_COORDINATOR_KUBE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/text.h"
#include "coordinator/model/facts.h"

#define JSON_DEPTH_MAX 64 // Kubernetes objects nest about 20 deep

// A document of at most JSON_DEPTH_MAX levels; trailing white space only. NULL with an error otherwise. The
// caller frees with cJSON_Delete().
cJSON *json_parse(const char *bytes, size_t length, struct error *error);
// Blanks the content of metadata.managedFields in the text of a Kubernetes object: a third of it, and of no
// use here. What is JSON stays JSON.
void json_blank_managed_fields(char *bytes, size_t length);
void json_free(cJSON **json);
#define AUTOJSON __attribute__((cleanup(json_free)))

// Member of an object; NULL when `json` is NULL, no object, or has no such member (or it is null).
const cJSON *json_get(const cJSON *json, const char *key);
// A path of members, ended by NULL.
const cJSON *json_path(const cJSON *json, ...) __attribute__((sentinel));
// The string member, "" when absent or of another type. Points into the tree.
const char *json_text(const cJSON *json, const char *key);
// The same, copied into the arena.
const char *json_copy(struct arena *arena, const cJSON *json, const char *key);
bool json_true(const cJSON *json, const char *key);
// A whole number within int64 and exact in a double; `fallback` when absent or anything else.
int64_t json_integer(const cJSON *json, const char *key, int64_t fallback);
bool json_is_integer(const cJSON *value, int64_t *out);
// RFC 3339 time as Unix milliseconds, 0 when absent or malformed.
int64_t json_time(const cJSON *json, const char *key);
// Number of elements of an array; 0 when it is none.
uint32_t json_count(const cJSON *array);

// A map of strings as labels, sorted by key, each key once (the last of two wins, as in Kubernetes' own
// decoder). Members of another type are left out. `keep` (may be NULL) chooses keys.
struct labels json_labels(struct arena *arena, const cJSON *map, bool (*keep)(const char *key));
// An array of strings; other elements are left out.
const char *const *json_strings(struct arena *arena, const cJSON *array, uint32_t *count);

// The tree as compact text, at the end of `out`.
void json_print(const cJSON *json, struct text *out);

// For building: each aborts when memory runs out, so that a body is never silently incomplete.
cJSON *json_object(void);
cJSON *json_array(void);
cJSON *json_add_object(cJSON *parent, const char *key);
cJSON *json_add_array(cJSON *parent, const char *key);
void json_add_text(cJSON *parent, const char *key, const char *value); // NULL value: JSON null
void json_add_integer(cJSON *parent, const char *key, int64_t value);
void json_add_bool(cJSON *parent, const char *key, bool value);
void json_add_null(cJSON *parent, const char *key);
void json_append_text(cJSON *array, const char *value);
cJSON *json_append_object(cJSON *array);

#endif

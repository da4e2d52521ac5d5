// What this room is for: reading a spec of ours field by field, with defaults and bounds. What it knows: how
// to say what is wrong with a field: its path, its value and what would be right. What it may not do: stop at
// the first mistake.
#ifndef VPSIE_COORDINATOR_KUBE_DECODE_SPEC_H
#define VPSIE_COORDINATOR_KUBE_DECODE_SPEC_H

#include "coordinator/kube/json.h"

// A spec being read: the fields that are wrong are collected as text, in the order of the reading.
struct spec {
    const cJSON *json;
    const char *path; // "spec.scaleUpPolicy"
    struct text *problems;
};

// "PATH.KEY is VALUE: WANTED is needed", or that it is missing when `value` is NULL; bounded.
void spec_problem(const struct spec *spec, const char *key, const cJSON *value, const char *wanted);

// Each gives the field, or `fallback` where it is absent or wrong; wrong, or absent where it is required, is
// a problem.
int64_t spec_integer(const struct spec *spec, const char *key, int64_t least, int64_t most, int64_t fallback,
                     bool required);
int32_t spec_count(const struct spec *spec, const char *key, int32_t least, int32_t fallback, bool required);
bool spec_bool(const struct spec *spec, const char *key, bool fallback);
double spec_real(const struct spec *spec, const char *key, double least, double fallback);
int64_t spec_seconds(const struct spec *spec, const char *key, int64_t fallback); // of "1h30m"
// The place among `words`; `unset` where it is absent or empty, `wrong` where it is none of them.
int spec_word(const struct spec *spec, const char *key, const char *const *words, int count, int unset,
              int wrong);
const char *spec_text(const struct spec *spec, struct arena *arena, const char *key, bool required);
const char *const *spec_texts(const struct spec *spec, struct arena *arena, const char *key, uint32_t least,
                              uint32_t *count);
// The object under `key`, to be read under its own path.
struct spec spec_part(const struct spec *spec, const char *key, const char *path);

#endif

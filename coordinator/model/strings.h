// What this room is for: one copy of every string, so that equal strings are equal pointers. What it knows:
// bytes. What it may not do: be iterated, or order anything by address (order by strcmp).
#ifndef VPSIE_COORDINATOR_MODEL_STRINGS_H
#define VPSIE_COORDINATOR_MODEL_STRINGS_H

#include <stddef.h>

struct strings;

struct strings *strings_create(void);
void strings_destroy(struct strings *strings);
// The one copy of `text` (NULL counts as ""). Lives until strings_destroy(). Compare results with ==.
const char *strings_intern(struct strings *strings, const char *text);
const char *strings_find(const struct strings *strings, const char *text); // NULL when never interned
size_t strings_bytes(const struct strings *strings);

#endif

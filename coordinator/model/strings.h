// What this room is for: one copy of every string, so that equal strings are equal pointers. What it knows:
// bytes. What it may not do: be iterated, or order anything by address (order by strcmp).
#ifndef VPSIE_COORDINATOR_MODEL_STRINGS_H
#define VPSIE_COORDINATOR_MODEL_STRINGS_H

#include <stddef.h>

struct strings;

struct strings *strings_create(void);
void strings_destroy(struct strings *strings);
// The one copy of `text` (NULL counts as ""). Lives until strings_destroy(). Compare results with ==. For
// what a cluster has few of in its whole life (names of nodes and groups, label keys), never for what goes on
// coming.
const char *strings_intern(struct strings *strings, const char *text);
// The same copy, counted: lives until each hold has its release, or for ever once it was interned.
const char *strings_hold(struct strings *strings, const char *text);
void strings_release(struct strings *strings, const char *held); // exactly a pointer that strings_hold() gave
const char *strings_find(const struct strings *strings, const char *text); // NULL when it is not there
size_t strings_bytes(const struct strings *strings); // taken from the system, the table included
size_t strings_count(const struct strings *strings);

#endif

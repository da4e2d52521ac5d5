// What this room is for: copying and comparing whole objects by a table of their fields, so that no field is
// copied but not compared. What it knows: where fields are and what they hold. What it may not do: know what
// they mean.
#ifndef VPSIE_COORDINATOR_MODEL_FIELDS_H
#define VPSIE_COORDINATOR_MODEL_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/model/keep.h"

enum field_kind {
    FIELD_PLAIN,    // a number, a bool, an enum: bytes without padding
    FIELD_NAME,     // interned for ever
    FIELD_VALUE,    // interned while kept
    FIELD_TEXT,     // the object's own
    FIELD_REVISION, // resource version: the object's own, allocated apart, as it changes alone most often
    FIELD_LABELS,
    FIELD_ANNOTATIONS,
    FIELD_TAINTS,
    FIELD_RESOURCES,
};
struct field {
    size_t from, to; // offsets in the facts and in the object
    size_t bytes;
    enum field_kind kind;
    bool quiet; // a change of it changes nothing for decisions
};

#define FIELD_BYTES(type, member) sizeof(((type *)0)->member)
#define FIELD(type, member, kind)                                                                            \
    {                                                                                                        \
        offsetof(type, member), offsetof(type, member), FIELD_BYTES(type, member), (kind), false             \
    }
#define FIELD_QUIET(type, member, kind)                                                                      \
    {                                                                                                        \
        offsetof(type, member), offsetof(type, member), FIELD_BYTES(type, member), (kind), true              \
    }
#define FIELD_ACROSS(facts_type, type, member, kind)                                                         \
    {                                                                                                        \
        offsetof(facts_type, member), offsetof(type, member), FIELD_BYTES(type, member), (kind), false       \
    }

enum fields_difference { FIELDS_SAME, FIELDS_REVISION, FIELDS_QUIET, FIELDS_CHANGED };
enum fields_difference fields_compare(const struct field *fields, size_t count, const void *object,
                                      const void *facts);
// Copies every field; a revision that is there already is freed.
void fields_copy(struct keep *keep, const struct field *fields, size_t count, void *object,
                 const void *facts);
void fields_copy_revision(const struct field *fields, size_t count, void *object, const void *facts);
void fields_free_revision(const struct field *fields, size_t count, void *object);

#endif

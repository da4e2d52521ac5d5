// What this room is for: deep copies of facts that one object of the model keeps, and lets go in one stroke.
// What it knows: which strings are for ever, which are interned while held, which are the object's own
// (cluster.h). What it may not do: share anything between objects but interned strings.
#ifndef VPSIE_COORDINATOR_MODEL_KEEP_H
#define VPSIE_COORDINATOR_MODEL_KEEP_H

#include "common/arena.h"
#include "coordinator/model/facts.h"
#include "coordinator/model/strings.h"

struct keep_held;
struct keep {
    struct strings *strings;
    struct arena *arena;
    struct keep_held *held; // interned strings to release
};

struct keep *keep_create(struct strings *strings, size_t bytes_expected);
void keep_destroy(struct keep *keep); // NULL is fine

const char *keep_name(struct keep *keep, const char *text);  // interned for ever
const char *keep_value(struct keep *keep, const char *text); // interned while this keep lives
const char *keep_text(struct keep *keep, const char *text);  // its own

struct labels keep_labels(struct keep *keep, const struct labels *labels);           // values interned
struct labels keep_annotations(struct keep *keep, const struct labels *annotations); // values its own
struct taints keep_taints(struct keep *keep, const struct taints *taints);
struct resources keep_resources(struct keep *keep, const struct resources *resources);
const struct requirement *keep_requirements(struct keep *keep, const struct requirement *requirements,
                                            uint32_t count);
const char *const *keep_values(struct keep *keep, const char *const *values, uint32_t count);
const struct node_term *keep_node_terms(struct keep *keep, const struct node_term *terms, uint32_t count);
// All of it but the labels, which stay empty (shapes.h).
struct pod_shape_facts keep_shape_facts(struct keep *keep, const struct pod_shape_facts *facts);

#endif

// What this room is for: YAML or JSON text into a small tree, within limits. What it knows: libyaml.
// What it may not do: follow aliases (a few lines could unfold into gigabytes), know what the text means.
#ifndef VPSIE_COORDINATOR_KUBE_YAML_H
#define VPSIE_COORDINATOR_KUBE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/error.h"

#define YAML_BYTES_MAX   (4u << 20)
#define YAML_NODES_MAX   50000u
#define YAML_MEMBERS_MAX 1000u // of one mapping
#define YAML_DEPTH_MAX   32u

enum yaml_kind { YAML_SCALAR, YAML_MAPPING, YAML_SEQUENCE };
struct yaml {
    enum yaml_kind kind;
    const char *key;  // within a mapping, else NULL
    const char *text; // of a scalar; NULL for null (~, null, or nothing)
    bool plain;       // of a scalar: without quotes
    size_t line;      // from 1
    struct yaml *first, *next;
};

// The first document; NULL with an error that names the line. Lives in the arena.
struct yaml *yaml_read(const char *text, size_t length, struct arena *arena, struct error *error);
// Member of a mapping, NULL when `node` is no mapping or has none; a null member counts as none.
const struct yaml *yaml_get(const struct yaml *node, const char *key);

#endif

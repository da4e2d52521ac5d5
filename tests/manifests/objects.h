// What this room is for: manifests as tests see them: every object of every file of a folder. What it knows:
// YAML documents. What it may not do: judge.
#ifndef VPSIE_TESTS_MANIFESTS_OBJECTS_H
#define VPSIE_TESTS_MANIFESTS_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "coordinator/kube/yaml.h"

#define OBJECTS_MAX 64
struct objects {
    struct arena *arena;
    const struct yaml *items[OBJECTS_MAX];
    const char *files[OBJECTS_MAX];
    size_t count;
};

// Adds the objects of all .yaml files of a folder of the source tree; aborts with a message when one cannot
// be read.
void objects_load(struct objects *objects, const char *folder);
void objects_free(struct objects *objects);
// The one of that kind and name, NULL when there is none.
const struct yaml *objects_find(const struct objects *objects, const char *kind, const char *name);

// A path of members with dots, "spec.template.spec"; NULL when it leads nowhere.
const struct yaml *yaml_at(const struct yaml *node, const char *path);
// The scalar there, "" when there is none.
const char *yaml_text(const struct yaml *node, const char *path);
// The element of a sequence whose member has that value, NULL when there is none.
const struct yaml *yaml_where(const struct yaml *sequence, const char *member, const char *value);
bool yaml_lists(const struct yaml *sequence, const char *text);
size_t yaml_count(const struct yaml *sequence);

// What a program prints, as arena text; aborts when it fails.
const char *program_output(struct arena *arena, const char *program, const char *word);

#endif

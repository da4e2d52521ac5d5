// What this room is for: the picture that a plan starts from: objects as events, VPSie's lists, the agents'
// last words. What it knows: snapshots, files of `kubectl get -o json`, YAML manifests, a live API server.
// What it may not do: decide, or change what it reads from.
#ifndef VPSIE_COORDINATOR_PLAN_SOURCE_H
#define VPSIE_COORDINATOR_PLAN_SOURCE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/error.h"
#include "common/text.h"
#include "coordinator/decide/event.h"

#define SOURCE_FILE_BYTES_MAX (1u << 30)
#define SOURCE_FILES_MAX      1000u

struct source_window { // what a running core remembers of a node
    const char *node;
    int64_t underused_since_ms;
};

struct source {
    struct arena *arena;
    char *origin;   // "snapshot prod.json", for people; owned
    int64_t at_ms;  // the picture is of this time
    bool has_vpsie; // VPSie's own lists are part of it
    bool has_agents;
    cJSON **documents; // kept: objects point into them until they are decoded; owned
    uint32_t document_count, document_capacity;
    const cJSON **objects; // every object, pods with their template already in place
    uint32_t object_count, object_capacity;
    const cJSON *vpsie, *agents; // of a snapshot; NULL without
    struct source_window *windows;
    uint32_t window_count, window_capacity;
    uint32_t ignored; // objects of kinds that decide nothing
    char ignored_kind[64];
};

struct source *source_create(void);
void source_destroy(struct source *source);

// A file: a snapshot, a List, one object, or YAML manifests. A later object of the same kind and name takes
// the place of an earlier one. -1 with an error that names the file.
int source_add_file(struct source *source, const char *path, struct error *error);
// Every *.json, *.yaml and *.yml of the directory, in the order of their names.
int source_add_directory(struct source *source, const char *path, struct error *error);
// Every kind that the coordinator watches, read page by page; nothing is written.
int source_add_live(struct source *source, const char *kubeconfig, const char *context, struct error *error);

// One parsed document; takes it over. `name` is for errors.
int source_add_document(struct source *source, cJSON *document, const char *name, struct error *error);

#endif

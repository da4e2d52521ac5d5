// What this room is for: keeping up with one kind: list, then watch, for ever, and a fresh list when asked.
// What it knows: resource versions, bookmarks, 410 Gone. What it may not do: decode objects, keep them.
#ifndef VPSIE_COORDINATOR_KUBE_WATCH_H
#define VPSIE_COORDINATOR_KUBE_WATCH_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "coordinator/kube/api.h"

struct watch_options {
    struct api *api;
    const char *kind;           // for logs and metrics
    const char *path;           // of the collection
    const char *field_selector; // escaped; "" for all
    uint32_t objects_max;
    bool custom; // a 404 means that our CustomResourceDefinitions are not installed
    bool secret; // what passes through is wiped
    // Called under the store's lock, never two at a time; each change once, never an older one after a newer.
    // on_object returns -1 when it could not use the object (it is then counted as dropped).
    int (*on_object)(void *context, const cJSON *json, struct error *error);
    void (*on_gone)(void *context, const char *space, const char *name, const char *uid);
    void (*on_synced)(void *context); // after each complete list of watch_run(); not under the lock
    void *context;
};

struct watch;
struct watch *watch_create(const struct watch_options *options);
void watch_destroy(struct watch *watch);
// Lists and watches until the api stops. Runs in a thread of its own.
void watch_run(struct watch *watch);
// One consistent list (no resourceVersion), told as changes like any other, in step with the watch. Any
// thread. -1 when it could not be completed.
int watch_list_fresh(struct watch *watch, struct error *error);

struct watch_state {
    bool synced;
    uint64_t objects;
    char problem[256]; // why it does not get on at present, "" when it does
};
void watch_state(struct watch *watch, struct watch_state *out);

// Milliseconds to wait before attempt `attempt` (from 1): doubling from 250 ms to 8 s, jittered.
int64_t watch_backoff_ms(uint32_t attempt);

#endif

// What this room is for: what the files of the object store share. What it knows: the store's insides.
// What it may not do: be included from outside tests/world/api*.c.
#ifndef VPSIE_TESTS_WORLD_API_PRIVATE_H
#define VPSIE_TESTS_WORLD_API_PRIVATE_H

#include "tests/world/api.h"

struct shelf { // the objects of one kind, sorted by namespace and name
    struct api_object **items;
    size_t count, capacity;
};
struct api {
    const int64_t *now_ms;
    struct random *random;
    int64_t version;
    int64_t compacted;
    struct shelf shelves[API_KIND_COUNT];
    struct api_change *changes; // in order of version
    size_t change_count, change_capacity;
    struct {
        api_listener function;
        void *context;
    } listeners[API_LISTENERS_MAX];
    size_t listener_count;
};

// The object's new state is written, logged and told. Takes the JSON.
void api_store(struct api *api, struct api_object *object, cJSON *json);
void api_insert(struct api *api, enum api_kind kind, cJSON *json);
void api_remove(struct api *api, struct api_object *object);
struct api_object *api_lookup(const struct api *api, enum api_kind kind, const char *space, const char *name,
                              size_t *place);

struct api_answer api_failure(int code, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct api_answer api_success(int code, const struct api_object *object);
// Names, labels and annotations as the API server checks them. Fills the answer (422) and returns false.
bool api_validate(enum api_kind kind, const cJSON *json, struct api_answer *answer);

#endif

// What this room is for: which kinds are watched, one row each. What it knows: their paths and decoders.
// What it may not do: fetch anything.
#ifndef VPSIE_COORDINATOR_KUBE_KINDS_H
#define VPSIE_COORDINATOR_KUBE_KINDS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "coordinator/decide/event.h"

struct kind {
    const char *name;           // "Pod"
    const char *path;           // "/api/v1/pods": the collection, in all namespaces
    const char *field_selector; // escaped; "" for all objects
    enum object_kind object;
    uint32_t objects_max;
    bool custom; // defined by our own CustomResourceDefinitions: a 404 means that they are not installed
    // Fills event->object from event->arena. -1: not an object at all.
    int (*fill)(const cJSON *json, struct event *event, struct error *error);
};

extern const struct kind kinds[OBJECT_KIND_COUNT]; // in the order of enum object_kind

#define KIND_GROUP_PATH "/apis/autoscaler.vpsie.com/v1alpha1"

#endif

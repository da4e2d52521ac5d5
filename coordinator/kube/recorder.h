// What this room is for: Kubernetes events (events.k8s.io/v1) about the objects concerned, repeated ones
// counted on one event, never a flood. What it knows: the Event's fields and limits. What it may not do: fail
// anything: an event that cannot be written is dropped and counted.
#ifndef VPSIE_COORDINATOR_KUBE_RECORDER_H
#define VPSIE_COORDINATOR_KUBE_RECORDER_H

#include <stdint.h>

#include "coordinator/decide/command.h"
#include "coordinator/kube/api.h"

#define RECORDER_WINDOW_MS 600000 // the same within ten minutes is a series
#define RECORDER_BURST     50     // requests at once; then one a second

struct recorder_options {
    struct api *api;
    const char *identity;
    int64_t (*now_ms)(void *context); // NULL: the monotonic clock
    void *now_context;
};

struct recorder;
struct recorder *recorder_create(const struct recorder_options *options);
void recorder_destroy(struct recorder *recorder);
// `command` is a COMMAND_KUBE_EVENT. Any thread.
void recorder_post(struct recorder *recorder, const struct command *command);

#endif

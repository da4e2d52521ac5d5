// What this room is for: the world's API store behind Kubernetes' own HTTP: lists with pages, watches with
// bookmarks and 410, patches, status, eviction, TokenReview, conflicts. What it knows: Kubernetes' REST
// conventions. What it may not do: move the world on, or be kinder to a client than a real API server is.
#ifndef VPSIE_TESTS_SERVERS_KUBE_API_H
#define VPSIE_TESTS_SERVERS_KUBE_API_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/servers/https.h"
#include "tests/world/world.h"

#define KUBE_API_ASKED_MAX 96
struct kube_api {
    struct world *world;
    struct api *api;                    // the world's
    pthread_mutex_t *lock;              // guards the whole world
    pthread_cond_t *changed;            // broadcast after every change; CLOCK_MONOTONIC
    char admin_token[64];               // what the coordinator shows
    uint64_t evictions;                 // granted
    uint64_t watch_epoch;               // under lock: raised to break every open watch
    char asked[KUBE_API_ASKED_MAX][96]; // under lock: "verb group/resource/subresource", each once
    unsigned asked_count;
    char forbidden[64]; // under lock: every request of this resource is refused with 403
    char denied[64];    // under lock: SelfSubjectAccessReviews of this resource say no; nothing else asks it
};

// https_handler; context is the struct kube_api.
void kube_api_handle(void *context, const struct https_request *request, struct https_response *response);

#endif

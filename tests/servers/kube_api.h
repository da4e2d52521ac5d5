// What this room is for: the world's API store behind Kubernetes' own HTTP: lists with pages, watches with
// bookmarks and 410, patches, status, eviction, TokenReview, conflicts. What it knows: Kubernetes' REST
// conventions. What it may not do: move the world on, or be kinder to a client than a real API server is.
#ifndef VPSIE_TESTS_SERVERS_KUBE_API_H
#define VPSIE_TESTS_SERVERS_KUBE_API_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/servers/https.h"
#include "tests/world/api.h"

// Evicts by the budgets' leave; the uid may be "".
typedef struct api_answer (*kube_api_evict)(void *context, const char *space, const char *name,
                                            const char *uid, int64_t grace_seconds);
#define KUBE_API_TOKENS_MAX 512
struct kube_api {
    struct api *api;
    pthread_mutex_t *lock;   // guards the whole world
    pthread_cond_t *changed; // broadcast after every change; CLOCK_MONOTONIC
    kube_api_evict evict;
    void *evict_context;
    char admin_token[64];   // what the coordinator shows
    uint64_t watch_epoch;   // under lock: raised to break every open watch
    bool old_tokens;        // TokenReview without node-name, as servers before 1.30 answer
    struct kube_api_token { // what agents show
        char token[96], node[254], pod[254], pod_uid[64], user[128], audience[64];
    } tokens[KUBE_API_TOKENS_MAX];
    uint32_t token_count;
};

// https_handler; context is the struct kube_api.
void kube_api_handle(void *context, const struct https_request *request, struct https_response *response);

#endif

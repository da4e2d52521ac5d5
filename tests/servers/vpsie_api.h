// What this room is for: the world's cloud behind VPSie's own HTTP, with its quirks: errors inside 200,
// `true` for an answer, lists that name no group, numbers that are strings, two kinds of credentials. What it
// knows: the managed-Kubernetes paths. What it may not do: move the world on, or tell a client more than the
// real API does.
#ifndef VPSIE_TESTS_SERVERS_VPSIE_API_H
#define VPSIE_TESTS_SERVERS_VPSIE_API_H

#include <pthread.h>

#include "tests/servers/https.h"
#include "tests/world/world.h"

struct vpsie_api {
    struct world *world;
    pthread_mutex_t *lock; // guards the whole world
    pthread_cond_t *changed;
    const char *base; // "/apps/v2"
    char token[64];   // of a Secret with `token`
    char client_id[64], client_secret[64];
    char access_token[64]; // "" until auth/from/api gave one
    uint32_t logins;
    int64_t access_ms;       // how long an access token lives
    int64_t access_until_ms; // wall clock
    bool error_inside_200;   // failures come as HTTP 200 with "error": true
    int64_t first_order_ms;  // wall clock of the first add call since it was last set to 0; for measuring
    uint64_t add_calls;
};

// https_handler; context is the struct vpsie_api.
void vpsie_api_handle(void *context, const struct https_request *request, struct https_response *response);

#endif

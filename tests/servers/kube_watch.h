// What this room is for: one watch: changes after a version as a stream of lines, bookmarks in quiet times,
// 410 for the past. What it knows: the store's log. What it may not do: hold the world's lock while a client
// is slow.
#ifndef VPSIE_TESTS_SERVERS_KUBE_WATCH_H
#define VPSIE_TESTS_SERVERS_KUBE_WATCH_H

#include "tests/servers/kube_api.h"

// Called under the world's lock. Makes `response` a stream.
void kube_watch_start(struct kube_api *kube, enum api_kind kind, const char *space,
                      const struct https_request *request, struct https_response *response);

#endif

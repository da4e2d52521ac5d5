#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/log.h"
#include "coordinator/kube/decode.h"
#include "coordinator/kube/splitter.h"
#include "coordinator/kube/write.h"

#define PAGE_LIMIT    500
#define LIST_ATTEMPTS 3
#define LIST_PAUSE_MS INT64_C(200) // before the second attempt, twice that before the third
#define NODE_PODS_MAX 10000u

// ------------------------------------------------------------------------------------------ one node's pods

struct node_pods {
    struct arena *arena;
    struct pod_facts *pods; // owned until the list is complete
    uint32_t count, capacity;
    uint32_t unreadable;
    char *proceed;
    bool has_metadata; // of the page: without it nobody knows whether more follows
};

static bool take_pod_piece(void *context, enum splitter_piece piece, char *bytes, size_t length)
{
    struct node_pods *list = context;
    json_blank_managed_fields(bytes, length);
    AUTOJSON cJSON *json = json_parse(bytes, length, NULL);
    if (json && piece == SPLITTER_METADATA) {
        const char *proceed = json_text(json, "continue");
        free(list->proceed);
        list->proceed = *proceed ? xstrdup(proceed) : NULL;
        list->has_metadata = true;
        return true;
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 128;
        list->pods = xrealloc_array(list->pods, list->capacity, sizeof(*list->pods));
    }
    if (!json || list->count >= NODE_PODS_MAX ||
        decode_pod(json, list->arena, &list->pods[list->count], NULL) < 0)
        list->unreadable++;
    else
        list->count++;
    return true;
}

static bool feed(void *context, const char *bytes, size_t length)
{
    return splitter_feed(context, bytes, length);
}

static bool list_page(const struct writer *writer, const char *node_name, struct node_pods *list,
                      struct api_reply *reply)
{
    AUTOTEXT struct text path = {0};
    text_printf(&path, "/api/v1/pods?limit=%d&fieldSelector=spec.nodeName%%3D", PAGE_LIMIT);
    http_escape(&path, node_name);
    if (list->proceed) {
        text_append(&path, "&continue=");
        http_escape(&path, list->proceed);
        free(list->proceed);
        list->proceed = NULL;
    }
    struct splitter splitter;
    list->has_metadata = false;
    splitter_init(&splitter, SPLITTER_LIST, take_pod_piece, list);
    struct api_request request = {.verb = "list",
                                  .kind = "Pod",
                                  .method = "GET",
                                  .path = text_get(&path),
                                  .on_chunk = feed,
                                  .context = &splitter};
    api_call(writer->api, &request, reply);
    bool good = api_succeeded(reply);
    if (good && (!splitter_complete(&splitter) || !list->has_metadata)) {
        reply->result = HTTP_BROKEN;
        snprintf(reply->message, sizeof(reply->message), "the list of pods is cut short");
        good = false;
    }
    list->unreadable += (uint32_t)splitter.skipped;
    splitter_free(&splitter, false);
    return good;
}

static bool list_pods(const struct writer *writer, const char *node_name, struct node_pods *list,
                      struct api_reply *reply)
{
    bool good;
    free(list->proceed);
    list->proceed = NULL;
    list->count = list->unreadable = 0;
    do {
        api_reply_free(reply);
        good = list_page(writer, node_name, list, reply);
    } while (good && list->proceed);
    return good;
}

void write_list_node_pods(const struct writer *writer, const struct command *command, struct event *event)
{
    const char *node_name = command->list_node_pods.node_name;
    struct node_pods list = {.arena = event->arena};
    AUTOREPLY struct api_reply reply = {0};
    bool good = false;
    for (int attempt = 1; !good && attempt <= LIST_ATTEMPTS; attempt++) {
        good = list_pods(writer, node_name, &list, &reply);
        bool passing = reply.result != HTTP_ANSWERED || reply.status >= 500 || reply.status == 410;
        if (good || !passing || !api_wait(writer->api, LIST_PAUSE_MS * attempt))
            break;
    }
    write_conclude(event, reply.status == 410 ? OUTCOME_UNKNOWN : api_outcome(&reply), &reply);
    if (good && list.unreadable > 0) {
        // A machine may be deleted on the word of this list: what could not be read might be a pod to keep.
        AUTOFREE char *detail = xprintf("%u pods of node %s could not be read", list.unreadable, node_name);
        write_say(event, OUTCOME_UNKNOWN, detail);
    } else if (good) {
        struct pod_facts *pods = ARENA_ARRAY(event->arena, struct pod_facts, list.count);
        if (list.count > 0)
            memcpy(pods, list.pods, list.count * sizeof(*pods));
        event->outcome.pods = pods;
        event->outcome.pod_count = list.count;
    }
    free(list.pods);
    free(list.proceed);
}

// ------------------------------------------------------------------------------------ the predecessor's
// hooks

// Has the service any endpoint that is ready? 1 yes, 0 no, -1 not known (the reply says why).
static int service_answers(const struct writer *writer, const char *space, const char *name,
                           struct api_reply *reply)
{
    AUTOTEXT struct text path = {0};
    text_append(&path, "/apis/discovery.k8s.io/v1/namespaces/");
    http_escape(&path, space);
    text_append(&path, "/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D");
    http_escape(&path, name);
    struct api_request request = {
        .verb = "list", .kind = "EndpointSlice", .method = "GET", .path = text_get(&path)};
    api_read(writer->api, &request, reply);
    if (!api_succeeded(reply))
        return reply->status == 404 ? 0 : -1;
    const cJSON *slice;
    cJSON_ArrayForEach(slice, json_get(reply->json, "items"))
    {
        const cJSON *endpoint;
        cJSON_ArrayForEach(endpoint, json_get(slice, "endpoints"))
        {
            const cJSON *ready = json_path(endpoint, "conditions", "ready", NULL);
            if (json_count(json_get(endpoint, "addresses")) > 0 && !cJSON_IsFalse(ready))
                return 1; // "nil should be interpreted as ready", says the EndpointSlice API
        }
    }
    return 0;
}

// Does any hook of the configuration stand in the way: failurePolicy Fail and nobody behind it?
static int configuration_blocks(const struct writer *writer, const cJSON *configuration,
                                struct api_reply *reply)
{
    const cJSON *hook;
    cJSON_ArrayForEach(hook, json_get(configuration, "webhooks"))
    {
        const char *policy = json_text(hook, "failurePolicy");
        const cJSON *service = json_path(hook, "clientConfig", "service", NULL);
        if (!service || strcmp(policy, "Ignore") == 0) // absent means Fail
            continue;
        api_reply_free(reply);
        int answers =
            service_answers(writer, json_text(service, "namespace"), json_text(service, "name"), reply);
        if (answers <= 0)
            return answers < 0 ? -1 : 1;
    }
    return 0;
}

// -1: could not be found out for now; the event then says so.
static int find_predecessor_hooks(const struct writer *writer, struct event *event)
{
    static const char *const resources[] = {"validatingwebhookconfigurations",
                                            "mutatingwebhookconfigurations"};
    static const char *const names[] = {"vpsie-autoscaler-webhook", "vpsie-autoscaler-node-deletion"};
    AUTOTEXT struct text found = {0};
    for (size_t i = 0; i < 4; i++) {
        AUTOREPLY struct api_reply seen = {0};
        AUTOREPLY struct api_reply reply = {0};
        AUTOFREE char *path =
            write_path("/apis/admissionregistration.k8s.io/v1", NULL, resources[i / 2], names[i % 2], "");
        struct api_request request = {
            .verb = "get", .kind = "WebhookConfiguration", .method = "GET", .path = path};
        api_read(writer->api, &request, &seen);
        int blocks = api_succeeded(&seen) ? configuration_blocks(writer, seen.json, &reply) : 0;
        const struct api_reply *failed = blocks < 0 ? &reply : &seen;
        bool unknown = blocks < 0 || (!api_succeeded(&seen) && seen.status != 404);
        if (unknown && (failed->status == 403 || failed->status == 401)) {
            // Our role does not cover it: not a reason never to begin, but said.
            log_event(LOG_WARN, "a predecessor's webhooks cannot be looked for",
                      LOG_S("error", failed->message), LOG_END);
        } else if (unknown) {
            write_conclude(event, OUTCOME_UNKNOWN, failed);
            return -1;
        } else if (blocks > 0 && !strstr(text_get(&found), names[i % 2])) {
            text_printf(&found, "%s%s", found.length > 0 ? ", " : "", names[i % 2]);
        }
    }
    event->outcome.fresh.predecessor_webhooks = found.length > 0;
    event->outcome.fresh.predecessor_webhook_names = arena_strdup(event->arena, text_get(&found));
    return 0;
}

void write_list_fresh(const struct writer *writer, const struct command *command, struct event *event)
{
    static const enum object_kind wanted[] = {OBJECT_INTENTION, OBJECT_NODEGROUP, OBJECT_NODE};
    (void)command;
    lease_saved(writer->lease, event->arena, &event->outcome.fresh.saved);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct error error = {0};
        int result = -1;
        for (int attempt = 1; attempt <= LIST_ATTEMPTS && result < 0; attempt++) {
            result = watch_list_fresh(writer->watches[wanted[i]], &error);
            if (result < 0 && (attempt == LIST_ATTEMPTS || !api_wait(writer->api, LIST_PAUSE_MS * attempt)))
                break;
        }
        if (result < 0) {
            bool refused = error.code >= 400 && error.code < 500 && error.code != 410 && error.code != 429;
            event->outcome.status = error.code;
            write_say(event, refused ? OUTCOME_REFUSED : OUTCOME_UNKNOWN, error.text);
            return;
        }
    }
    if (find_predecessor_hooks(writer, event) == 0)
        write_say(event, OUTCOME_OK, "");
}

#include "tests/servers/kube_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"
#include "tests/servers/kube_watch.h"
#include "tests/world/json.h"
#include "tests/world/kubernetes.h"

// /apis/GROUP/VERSION/[namespaces/SPACE/]PLURAL[/NAME[/SUBRESOURCE]]
struct route {
    enum api_kind kind;
    char group[128], version[32], plural[128], space[254], name[254], subresource[32];
};

static bool next_segment(const char **path, char *out, size_t bytes)
{
    if (**path != '/' || (*path)[1] == '\0') {
        return false;
    }
    const char *begin = *path + 1;
    size_t length = strcspn(begin, "/");
    if (length == 0 || length >= bytes) {
        return false;
    }
    memcpy(out, begin, length);
    out[length] = '\0';
    *path = begin + length;
    return true;
}

static bool parse_route(const char *path, struct route *route)
{
    memset(route, 0, sizeof *route);
    char root[16];
    if (!next_segment(&path, root, sizeof root)) {
        return false;
    }
    if (strcmp(root, "apis") == 0) {
        if (!next_segment(&path, route->group, sizeof route->group)) {
            return false;
        }
    } else if (strcmp(root, "api") != 0) {
        return false;
    }
    if (!next_segment(&path, route->version, sizeof route->version) ||
        !next_segment(&path, route->plural, sizeof route->plural)) {
        return false;
    }
    const char *after_space = path;
    if (strcmp(route->plural, "namespaces") == 0 &&
        next_segment(&after_space, route->space, sizeof route->space)) {
        if (next_segment(&after_space, route->plural, sizeof route->plural)) {
            path = after_space; // something within a namespace
        } else {
            route->space[0] = '\0'; // the namespace itself
        }
    }
    if (next_segment(&path, route->name, sizeof route->name)) {
        next_segment(&path, route->subresource, sizeof route->subresource);
    }
    route->kind = api_kind_find(route->group, route->version, route->plural);
    return true;
}

// ---------------------------------------------------------------------------------------------- answers

static void answer_status(struct https_response *response, int code, const char *reason, const char *message,
                          int64_t retry_after)
{
    AUTOJSON cJSON *status = json_of("{'kind':'Status','apiVersion':'v1','metadata':{}}");
    json_set_text(status, "status", code < 400 ? "Success" : "Failure");
    json_set_text(status, "message", message);
    json_set_text(status, "reason", reason);
    json_set_number(status, "code", code);
    response->status = code;
    response->retry_after_seconds = retry_after;
    response->body = cJSON_PrintUnformatted(status);
}

static void answer_api(struct https_response *response, const struct api_answer *answer)
{
    if (API_OK(*answer) && answer->object != NULL) {
        response->status = answer->code;
        response->body = cJSON_PrintUnformatted(answer->object->document->json);
        return;
    }
    answer_status(response, answer->code, answer->reason, answer->message, answer->retry_after_seconds);
}

// ---------------------------------------------------------------------------------------------- list

struct list_query {
    const char *labels, *fields;
    int64_t limit;
    int64_t version; // of the first page
    char after[600]; // "space/name" of the last item sent, "" at first
};

static bool parse_continue(const char *token, struct list_query *query)
{
    int used = 0;
    long long version = 0;
    if (sscanf(token, "v%lld:%n", &version, &used) != 1 || used == 0 ||
        strlen(token + used) >= sizeof query->after) {
        return false;
    }
    query->version = version;
    snprintf(query->after, sizeof query->after, "%s", token + used);
    return true;
}

static void object_key(const struct api_object *object, char *buffer, size_t bytes)
{
    // 0x01 sorts before every character of a name, so that keys order as (space, name) do
    snprintf(buffer, bytes, "%s\x01%s", object->space, object->name);
}

static void answer_list(struct kube_api *kube, const struct route *route, const struct https_request *request,
                        struct https_response *response)
{
    struct list_query query = {.labels = https_query(request, "labelSelector"),
                               .fields = https_query(request, "fieldSelector"),
                               .version = api_version(kube->api)};
    const char *limit = https_query(request, "limit"), *token = https_query(request, "continue");
    query.limit = limit != NULL ? strtoll(limit, NULL, 10) : 0;
    if (token != NULL && token[0] != '\0') {
        if (!parse_continue(token, &query)) {
            answer_status(response, 400, "BadRequest", "continue key is not valid", 0);
            return;
        }
        if (query.version < api_compacted_version(kube->api)) {
            answer_status(response, 410, "Expired", "The provided continue parameter is too old", 0);
            return;
        }
    }
    const struct api_kind_info *info = api_kind_info(route->kind);
    struct text out = {0};
    text_printf(&out, "{\"kind\":\"%sList\",\"apiVersion\":\"%s%s%s\",\"items\":[", info->kind, info->group,
                info->group[0] != '\0' ? "/" : "", info->version);
    int64_t sent = 0;
    bool more = false;
    char last[600] = "";
    for (size_t i = 0; i < api_count(kube->api, route->kind); i++) {
        const struct api_object *object = api_at(kube->api, route->kind, i);
        char key[600];
        object_key(object, key, sizeof key);
        if (strcmp(key, query.after) <= 0 ||
            (route->space[0] != '\0' && strcmp(route->space, object->space) != 0)) {
            continue;
        }
        int labels = api_matches_labels(object->document->json, query.labels);
        int fields = api_matches_fields(object->document->json, query.fields);
        if (labels < 0 || fields < 0) {
            text_free(&out);
            answer_status(response, 400, "BadRequest", "unable to parse the selector", 0);
            return;
        }
        if (labels == 0 || fields == 0) {
            continue;
        }
        if (query.limit > 0 && sent == query.limit) {
            more = true;
            break;
        }
        AUTOFREE char *item = cJSON_PrintUnformatted(object->document->json);
        text_printf(&out, "%s%s", sent > 0 ? "," : "", item);
        snprintf(last, sizeof last, "%s", key);
        sent++;
    }
    text_printf(&out, "],\"metadata\":{\"resourceVersion\":\"%lld\"", (long long)query.version);
    if (more) {
        char next[700];
        snprintf(next, sizeof next, "v%lld:%s", (long long)query.version, last);
        text_append(&out, ",\"continue\":");
        text_append_json_string(&out, next);
    }
    text_append(&out, "}}");
    response->body = text_take(&out);
}

// ---------------------------------------------------------------------------------------------- TokenReview,
// eviction

static void answer_review(const struct kube_api *kube, const cJSON *review, struct https_response *response)
{
    const cJSON *audiences = json_at(review, "spec.audiences");
    const char *audience =
        cJSON_GetArraySize(audiences) > 0 ? cJSON_GetStringValue(cJSON_GetArrayItem(audiences, 0)) : "";
    struct token_review found = review_token(kube->world, json_text(review, "spec.token"), audience);
    AUTOJSON cJSON *answer =
        json_of("{'kind':'TokenReview','apiVersion':'authentication.k8s.io/v1','metadata':{},"
                "'spec':{},'status':{'user':{}}}");
    if (!found.authenticated) {
        json_set_text(answer, "status.error", "[invalid bearer token, token lookup failed]");
    } else {
        json_set_true(answer, "status.authenticated", true);
        json_set_text(answer, "status.user.username", found.user);
        cJSON *extra = json_make(answer, "status.user.extra");
        json_put(extra, "authentication.kubernetes.io/pod-name", json_of("['%s']", found.pod_name));
        if (found.node_name[0] != '\0') {
            json_put(extra, "authentication.kubernetes.io/node-name", json_of("['%s']", found.node_name));
        }
        json_set(answer, "status.audiences", json_of("['%s']", audience));
    }
    response->status = 201;
    response->body = cJSON_PrintUnformatted(answer);
}

static void answer_access_review(const struct kube_api *kube, const cJSON *review,
                                 struct https_response *response)
{
    AUTOJSON cJSON *answer = cJSON_Duplicate(review, true);
    const char *resource = json_text(review, "spec.resourceAttributes.resource");
    json_set_true(answer, "status.allowed", strcmp(resource, kube->denied) != 0);
    response->status = 201;
    response->body = cJSON_PrintUnformatted(answer);
}

// What is served of our group, as discovery tells it.
static void answer_discovery(struct https_response *response)
{
    AUTOJSON cJSON *answer =
        json_of("{'kind':'APIResourceList','apiVersion':'v1','groupVersion':'autoscaler.vpsie.com/"
                "v1alpha1','resources':["
                "{'name':'nodegroups','namespaced':true},{'name':'nodegroups/status','namespaced':true},"
                "{'name':'vpsienodes','namespaced':true},{'name':'vpsienodes/status','namespaced':true},"
                "{'name':'autoscalerconfigs','namespaced':false},{'name':'autoscalerconfigs/"
                "status','namespaced':false}]}");
    response->body = cJSON_PrintUnformatted(answer);
}

static void answer_eviction(struct kube_api *kube, const struct route *route, const cJSON *body,
                            struct https_response *response)
{
    if (strcmp(json_text(body, "kind"), "Eviction") != 0 ||
        strcmp(json_text(body, "apiVersion"), "policy/v1") != 0) {
        answer_status(response, 400, "BadRequest", "the body is no policy/v1 Eviction", 0);
        return;
    }
    struct api_answer answer =
        evict(kube->world, route->space, route->name, json_text(body, "deleteOptions.preconditions.uid"),
              json_number(body, "deleteOptions.gracePeriodSeconds", -1));
    if (API_OK(answer)) {
        kube->evictions++;
        answer_status(response, 201, "", "", 0);
    } else {
        answer_status(response, answer.code, answer.reason, answer.message, answer.retry_after_seconds);
    }
}

// ---------------------------------------------------------------------------------------------- writes

static void patch(struct kube_api *kube, const struct route *route, const struct https_request *request,
                  const cJSON *body, struct https_response *response)
{
    const char *type = https_header(request, "Content-Type");
    enum api_patch_type patch_type = API_MERGE_PATCH;
    if (type != NULL && strncmp(type, "application/json-patch+json", 27) == 0) {
        patch_type = API_JSON_PATCH;
    } else if (type == NULL || strncmp(type, "application/merge-patch+json", 28) != 0) {
        answer_status(response, 415, "UnsupportedMediaType",
                      "the body of the request was in an unknown format", 0);
        return;
    }
    struct api_answer answer = api_patch(kube->api, route->kind, route->space, route->name,
                                         strcmp(route->subresource, "status") == 0, patch_type, body);
    answer_api(response, &answer);
}

static void write_object(struct kube_api *kube, const struct route *route,
                         const struct https_request *request, struct https_response *response)
{
    AUTOJSON cJSON *body = cJSON_ParseWithLength(request->body, request->body_bytes);
    bool has_body = request->body_bytes > 0;
    if (has_body && body == NULL) {
        answer_status(response, 400, "BadRequest", "the object provided is not valid JSON", 0);
        return;
    }
    bool status = strcmp(route->subresource, "status") == 0;
    struct api_answer answer;
    if (strcmp(request->method, "POST") == 0 && strcmp(route->subresource, "eviction") == 0) {
        answer_eviction(kube, route, body, response);
        return;
    }
    if (strcmp(request->method, "POST") == 0) {
        answer = api_create(kube->api, route->kind, route->space, cJSON_Duplicate(body, true));
    } else if (strcmp(request->method, "PUT") == 0) {
        answer = api_replace(kube->api, route->kind, route->space, route->name, status, body);
    } else if (strcmp(request->method, "PATCH") == 0) {
        patch(kube, route, request, body, response);
        return;
    } else if (strcmp(request->method, "DELETE") == 0) {
        struct api_preconditions preconditions = {json_text(body, "preconditions.uid"),
                                                  json_text(body, "preconditions.resourceVersion")};
        answer = api_delete(kube->api, route->kind, route->space, route->name, preconditions,
                            json_number(body, "gracePeriodSeconds", -1));
    } else {
        answer_status(response, 405, "MethodNotAllowed",
                      "the server does not allow this method on the resource", 0);
        return;
    }
    answer_api(response, &answer);
}

static bool wants_watch(const struct https_request *request)
{
    const char *watch = https_query(request, "watch");
    return watch != NULL && (strcmp(watch, "true") == 0 || strcmp(watch, "1") == 0);
}

// As RBAC would name it.
static const char *verb_of(const struct https_request *request, const struct route *route)
{
    static const struct {
        const char *method, *verb;
    } verbs[] = {{"POST", "create"}, {"PUT", "update"}, {"PATCH", "patch"}, {"DELETE", "delete"}};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(request->method, verbs[i].method) == 0) {
            return verbs[i].verb;
        }
    }
    return route->name[0] != '\0' ? "get" : wants_watch(request) ? "watch" : "list";
}

static void note_asked(struct kube_api *kube, const struct https_request *request, const struct route *route)
{
    char text[sizeof kube->asked[0]];
    snprintf(text, sizeof text, "%.12s %.30s/%.34s/%.15s", verb_of(request, route), route->group,
             route->plural, route->subresource);
    for (unsigned i = 0; i < kube->asked_count; i++) {
        if (strcmp(kube->asked[i], text) == 0) {
            return;
        }
    }
    if (kube->asked_count < KUBE_API_ASKED_MAX) {
        snprintf(kube->asked[kube->asked_count++], sizeof text, "%s", text);
    }
}

static void dispatch(struct kube_api *kube, const struct https_request *request,
                     struct https_response *response)
{
    struct route route;
    if (!parse_route(request->path, &route)) {
        answer_status(response, 404, "NotFound", "the server could not find the requested resource", 0);
        return;
    }
    note_asked(kube, request, &route);
    if (strcmp(route.plural, kube->forbidden) == 0) {
        answer_status(response, 403, "Forbidden", "the resource is forbidden to you", 0);
        return;
    }
    if (strcmp(route.group, "authentication.k8s.io") == 0 && strcmp(route.plural, "tokenreviews") == 0) {
        AUTOJSON cJSON *body = cJSON_ParseWithLength(request->body, request->body_bytes);
        answer_review(kube, body, response);
        return;
    }
    if (strcmp(route.plural, "selfsubjectaccessreviews") == 0) {
        AUTOJSON cJSON *body = cJSON_ParseWithLength(request->body, request->body_bytes);
        answer_access_review(kube, body, response);
        return;
    }
    if (route.kind == API_KIND_COUNT) {
        answer_status(response, 404, "NotFound", "the server could not find the requested resource", 0);
        return;
    }
    if (strcmp(request->method, "GET") != 0) {
        write_object(kube, &route, request, response);
    } else if (route.name[0] != '\0') {
        struct api_answer answer = api_get(kube->api, route.kind, route.space, route.name);
        answer_api(response, &answer);
    } else if (wants_watch(request)) {
        kube_watch_start(kube, route.kind, route.space, request, response);
    } else {
        answer_list(kube, &route, request, response);
    }
}

void kube_api_handle(void *context, const struct https_request *request, struct https_response *response)
{
    struct kube_api *kube = context;
    const char *authorization = https_header(request, "Authorization");
    char expected[96];
    snprintf(expected, sizeof expected, "Bearer %s", kube->admin_token);
    if (authorization == NULL || strcmp(authorization, expected) != 0) {
        answer_status(response, 401, "Unauthorized", "Unauthorized", 0);
        return;
    }
    if (strcmp(request->path, "/version") == 0) {
        response->body = xstrdup("{\"major\":\"1\",\"minor\":\"31\",\"gitVersion\":\"v1.31.0\"}");
        return;
    }
    if (strcmp(request->path, "/apis/autoscaler.vpsie.com/v1alpha1") == 0) {
        answer_discovery(response);
        return;
    }
    if (strcmp(request->path, "/readyz") == 0 || strcmp(request->path, "/healthz") == 0) {
        response->body = xstrdup("ok");
        response->content_type = "text/plain";
        return;
    }
    pthread_mutex_lock(kube->lock);
    dispatch(kube, request, response);
    pthread_cond_broadcast(kube->changed);
    pthread_mutex_unlock(kube->lock);
}

#include "coordinator/kube/review.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "coordinator/kube/json.h"

#define TOKEN_BYTES_MAX (16u << 10)
#define EXTRA_NODE      "authentication.kubernetes.io/node-name"
#define EXTRA_POD       "authentication.kubernetes.io/pod-name"
#define EXTRA_POD_UID   "authentication.kubernetes.io/pod-uid"
#define USER_PREFIX     "system:serviceaccount:"

static char *review_body(const char *token, const char *audience)
{
    AUTOJSON cJSON *body = json_object();
    struct text text = {0};
    json_add_text(body, "apiVersion", "authentication.k8s.io/v1");
    json_add_text(body, "kind", "TokenReview");
    cJSON *spec = json_add_object(body, "spec");
    json_add_text(spec, "token", token);
    json_append_text(json_add_array(spec, "audiences"), audience);
    json_print(body, &text);
    return text_take(&text);
}

static void post_review(struct api *api, const char *token, const char *audience, struct api_reply *reply)
{
    char *body = review_body(token, audience);
    struct api_request request = {.verb = "create",
                                  .kind = "TokenReview",
                                  .method = "POST",
                                  .path = "/apis/authentication.k8s.io/v1/tokenreviews",
                                  .body = body,
                                  .timeout_ms = 5000,
                                  .secret_body = true};
    // It stores nothing and may be repeated as any read.
    api_read(api, &request, reply);
    explicit_bzero(body, strlen(body));
    free(body);
}

static bool has_text(const cJSON *array, const char *wanted)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        if (cJSON_IsString(item) && strcmp(item->valuestring, wanted) == 0)
            return true;
    }
    return false;
}

// The only value of user.extra[key]; "" when absent or when there are several.
static const char *extra(const cJSON *user, const char *key)
{
    const cJSON *values = json_get(json_get(user, "extra"), key);
    const cJSON *value = json_count(values) == 1 ? values->child : NULL;
    const char *text = cJSON_GetStringValue(value);
    return text ? text : "";
}

// "system:serviceaccount:NS:NAME" against "NS/NAME".
static bool is_account(const char *user_name, const char *service_account)
{
    const char *slash = strchr(service_account, '/');
    if (!slash || !text_starts_with(user_name, USER_PREFIX))
        return false;
    AUTOFREE char *wanted =
        xprintf(USER_PREFIX "%.*s:%s", (int)(slash - service_account), service_account, slash + 1);
    return strcmp(user_name, wanted) == 0;
}

static int keep_node(const char *name, char *node_name, size_t bytes, struct error *error)
{
    if ((size_t)snprintf(node_name, bytes, "%s", name) >= bytes)
        return error_set(error, 403, "the token's node name is longer than any node's");
    return 0;
}

// Servers before 1.30 bind only the pod into the token: its node is the pod's, if it is that very pod.
static int node_of_pod(struct api *api, const cJSON *user, const char *service_account, char *node_name,
                       size_t bytes, struct error *error)
{
    const char *pod = extra(user, EXTRA_POD);
    const char *uid = extra(user, EXTRA_POD_UID);
    if (*pod == '\0' || *uid == '\0')
        return error_set(error, 403, "the token is bound to no node and no pod");
    AUTOTEXT struct text path = {0};
    AUTOFREE char *space =
        xstrndup(service_account, (size_t)(strchr(service_account, '/') - service_account));
    text_append(&path, "/api/v1/namespaces/");
    http_escape(&path, space);
    text_append(&path, "/pods/");
    http_escape(&path, pod);
    AUTOREPLY struct api_reply reply = {0};
    struct api_request request = {.verb = "get", .kind = "Pod", .method = "GET", .path = text_get(&path)};
    api_read(api, &request, &reply);
    if (reply.status == 404)
        return error_set(error, 403, "the token's pod %s/%s is gone", space, pod);
    if (!api_succeeded(&reply))
        return error_set(error, 503, "the token's pod %s/%s could not be read: %s", space, pod,
                         reply.message);
    if (strcmp(json_text(json_get(reply.json, "metadata"), "uid"), uid) != 0)
        return error_set(error, 403, "the token's pod %s/%s is another one by now", space, pod);
    const char *name = json_text(json_get(reply.json, "spec"), "nodeName");
    if (*name == '\0')
        return error_set(error, 403, "the token's pod %s/%s is on no node", space, pod);
    return keep_node(name, node_name, bytes, error);
}

int review_node_of_token(struct api *api, const char *token, const char *audience,
                         const char *service_account, char *node_name, size_t node_name_bytes,
                         struct error *error)
{
    assert(node_name_bytes > 0 && strchr(service_account, '/'));
    node_name[0] = '\0';
    if (*token == '\0' || strlen(token) > TOKEN_BYTES_MAX)
        return error_set(error, 401, "no token, or one larger than any");
    AUTOREPLY struct api_reply reply = {0};
    post_review(api, token, audience, &reply);
    if (!api_succeeded(&reply))
        return error_set(error, 503, "the token could not be reviewed: %s", reply.message);
    const cJSON *status = json_get(reply.json, "status");
    const cJSON *user = json_get(status, "user");
    const char *name = json_text(user, "username");
    if (!json_true(status, "authenticated"))
        return error_set(error, 401, "the token is not valid: %s",
                         *json_text(status, "error") ? json_text(status, "error") : "no reason given");
    // A server that ignores audiences would accept a token meant for somebody else.
    if (!has_text(json_get(status, "audiences"), audience))
        return error_set(error, 401, "the token is not for the audience %s", audience);
    if (!is_account(name, service_account))
        return error_set(error, 403, "the token speaks for %.200s, not for %s", name, service_account);
    const char *node = extra(user, EXTRA_NODE);
    if (*node)
        return keep_node(node, node_name, node_name_bytes, error);
    return node_of_pod(api, user, service_account, node_name, node_name_bytes, error);
}

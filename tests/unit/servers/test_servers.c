#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/arena.h"
#include "coordinator/http.h"
#include "tests/servers/kube_api.h"
#include "tests/servers/vpsie_api.h"
#include "tests/support/certificates.h"
#include "tests/support/cmocka_all.h"
#include "tests/world/cloud.h"
#include "tests/world/json.h"
#include "tests/world/kubernetes.h"

#define CLUSTER    "c1"
#define DATACENTER "dc1"

struct rig { // a small world behind both servers, and a client
    struct world *world;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct kube_api kube;
    struct vpsie_api vpsie;
    struct https *kube_server, *vpsie_server;
    struct http *http;
};

static int set_up(void **state)
{
    http_global_init();
    struct rig *rig = xcalloc(1, sizeof *rig);
    struct world_settings settings = world_settings_default(1);
    rig->world = world_create(&settings);
    cloud_add_cluster(rig->world, CLUSTER, "test", DATACENTER);
    cloud_add_size(rig->world, 1, "small", DATACENTER, 2, 4096, 40, 20);
    cloud_add_present(rig->world, CLUSTER, "master-1", 0, 1, true);
    pthread_mutex_init(&rig->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&rig->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    rig->kube = (struct kube_api){.world = rig->world,
                                  .api = rig->world->api,
                                  .lock = &rig->lock,
                                  .changed = &rig->changed,
                                  .admin_token = "admin"};
    rig->vpsie = (struct vpsie_api){.world = rig->world,
                                    .lock = &rig->lock,
                                    .changed = &rig->changed,
                                    .base = "/apps/v2",
                                    .token = "t",
                                    .client_id = "id",
                                    .client_secret = "secret",
                                    .access_ms = 60000};
    struct certificates certificates = certificates_make();
    struct error error = {0};
    rig->kube_server = https_start(0, certificates.server_cert, certificates.server_key, kube_api_handle,
                                   &rig->kube, 1, &error);
    rig->vpsie_server = https_start(0, certificates.server_cert, certificates.server_key, vpsie_api_handle,
                                    &rig->vpsie, 2, &error);
    struct http_trust trust = {.ca_data = certificates.ca_cert};
    rig->http = http_create(&trust, "test", &error);
    certificates_free(&certificates);
    assert_non_null(rig->kube_server);
    assert_non_null(rig->vpsie_server);
    assert_non_null(rig->http);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    http_destroy(rig->http);
    https_stop(rig->kube_server);
    https_stop(rig->vpsie_server);
    world_destroy(rig->world);
    pthread_mutex_destroy(&rig->lock);
    pthread_cond_destroy(&rig->changed);
    free(rig);
    return 0;
}

struct answer {
    enum http_result result;
    int status;
    int64_t retry_after_ms;
    cJSON *json; // NULL when the body is none
};

static struct answer call(struct rig *rig, int port, const char *header, const char *method, const char *type,
                          const char *body, const char *path)
{
    AUTOFREE char *url = xprintf("https://localhost:%d%s", port, path);
    const char *headers[] = {header};
    struct http_request request = {.method = method,
                                   .url = url,
                                   .content_type = body != NULL ? type : NULL,
                                   .body = body,
                                   .body_bytes = body != NULL ? strlen(body) : 0,
                                   .headers = headers,
                                   .header_count = header != NULL ? 1 : 0,
                                   .timeout_ms = 20000,
                                   .response_bytes_max = 1u << 20};
    struct http_response response = {0};
    http_call(rig->http, &request, &response);
    struct answer answer = {response.result, response.status, response.retry_after_ms,
                            cJSON_Parse(text_get(&response.body))};
    http_response_free(&response);
    return answer;
}

static struct answer kube(struct rig *rig, const char *method, const char *type, const char *body,
                          const char *path)
{
    return call(rig, https_port(rig->kube_server), "Authorization: Bearer admin", method, type, body, path);
}

static struct answer vpsie(struct rig *rig, const char *method, const char *body, const char *path)
{
    return call(rig, https_port(rig->vpsie_server), "Vpsie-Auth: t", method, "application/json", body, path);
}

static void nobody_reads_without_a_token(void **state)
{
    struct rig *rig = *state;
    struct answer answer = call(rig, https_port(rig->kube_server), "Authorization: Bearer other", "GET", NULL,
                                NULL, "/api/v1/nodes");
    assert_int_equal(answer.status, 401);
    assert_string_equal(json_text(answer.json, "kind"), "Status");
    cJSON_Delete(answer.json);
}

static void a_list_comes_in_pages_until_the_log_is_compacted(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        api_create(rig->world->api, API_SECRET, "a", json_of("{'metadata':{'name':'%s'}}", name));
    }
    struct answer first = kube(rig, "GET", NULL, NULL, "/api/v1/namespaces/a/secrets?limit=2");
    assert_int_equal(cJSON_GetArraySize(json_at(first.json, "items")), 2);
    AUTOTEXT struct text path = {0};
    text_append(&path, "/api/v1/namespaces/a/secrets?limit=9&continue=");
    http_escape(&path, json_text(first.json, "metadata.continue"));
    struct answer second = kube(rig, "GET", NULL, NULL, text_get(&path));
    assert_int_equal(cJSON_GetArraySize(json_at(second.json, "items")), 3);
    assert_string_equal(json_text(second.json, "metadata.resourceVersion"),
                        json_text(first.json, "metadata.resourceVersion"));
    assert_null(json_at(second.json, "metadata.continue"));
    api_create(rig->world->api, API_SECRET, "a", json_of("{'metadata':{'name':'late'}}"));
    api_compact(rig->world->api, api_version(rig->world->api));
    struct answer third = kube(rig, "GET", NULL, NULL, text_get(&path));
    assert_int_equal(third.status, 410);
    cJSON_Delete(first.json);
    cJSON_Delete(second.json);
    cJSON_Delete(third.json);
}

// Every kind that the coordinator watches is served under the path at which it looks.
static void every_kind_that_is_watched_is_served(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *path, *list;
        enum api_kind kind;
        const char *space;
    } cases[] = {
        {"/api/v1/namespaces", "NamespaceList", API_NAMESPACE, ""},
        {"/api/v1/persistentvolumeclaims", "PersistentVolumeClaimList", API_CLAIM, "a"},
        {"/api/v1/persistentvolumes", "PersistentVolumeList", API_VOLUME, ""},
        {"/apis/storage.k8s.io/v1/storageclasses", "StorageClassList", API_STORAGE_CLASS, ""},
        {"/apis/storage.k8s.io/v1/csinodes", "CSINodeList", API_CSI_NODE, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        api_create(rig->world->api, cases[i].kind, cases[i].space, json_of("{'metadata':{'name':'zz-it'}}"));
        struct answer answer = kube(rig, "GET", NULL, NULL, cases[i].path);
        assert_int_equal(answer.status, 200);
        assert_string_equal(json_text(answer.json, "kind"), cases[i].list);
        const cJSON *items = json_at(answer.json, "items");
        assert_true(cJSON_GetArraySize(items) > 0);
        const cJSON *last = cJSON_GetArrayItem(items, cJSON_GetArraySize(items) - 1);
        assert_string_equal(json_text(last, "metadata.name"), "zz-it");
        cJSON_Delete(answer.json);
    }
}

static void writes_conflict_as_kubernetes_does(void **state)
{
    struct rig *rig = *state;
    const char *merge = "application/merge-patch+json";
    struct answer stale =
        kube(rig, "PATCH", merge, "{\"metadata\":{\"resourceVersion\":\"1\",\"labels\":{\"a\":\"b\"}}}",
             "/api/v1/nodes/master-1");
    assert_int_equal(stale.status, 409);
    struct answer good =
        kube(rig, "PATCH", merge, "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}", "/api/v1/nodes/master-1");
    assert_int_equal(good.status, 200);
    struct answer tested = kube(rig, "PATCH", "application/json-patch+json",
                                "[{\"op\":\"test\",\"path\":\"/metadata/labels/a\",\"value\":\"c\"},"
                                "{\"op\":\"remove\",\"path\":\"/metadata/labels/a\"}]",
                                "/api/v1/nodes/master-1");
    assert_true(tested.status == 422 || tested.status == 409 || tested.status == 400);
    struct answer unknown = kube(rig, "PATCH", "text/plain", "{}", "/api/v1/nodes/master-1");
    assert_int_equal(unknown.status, 415);
    struct answer uid = kube(rig, "DELETE", "application/json", "{\"preconditions\":{\"uid\":\"another\"}}",
                             "/api/v1/nodes/master-1");
    assert_int_equal(uid.status, 409);
    cJSON_Delete(stale.json);
    cJSON_Delete(good.json);
    cJSON_Delete(tested.json);
    cJSON_Delete(unknown.json);
    cJSON_Delete(uid.json);
}

static void a_token_says_whose_it_is(void **state)
{
    struct rig *rig = *state;
    char token[512];
    token_of_node(rig->world, "master-1", token, sizeof token);
    AUTOFREE char *body = xprintf("{\"kind\":\"TokenReview\",\"spec\":{\"token\":\"%s\",\"audiences\":"
                                  "[\"vpsie-coordinator\"]}}",
                                  token);
    const char *path = "/apis/authentication.k8s.io/v1/tokenreviews";
    struct answer known = kube(rig, "POST", "application/json", body, path);
    assert_true(json_true(known.json, "status.authenticated"));
    struct answer unknown = kube(rig, "POST", "application/json",
                                 "{\"spec\":{\"token\":\"x\",\"audiences\":[\"vpsie-coordinator\"]}}", path);
    assert_false(json_true(unknown.json, "status.authenticated"));
    cJSON_Delete(known.json);
    cJSON_Delete(unknown.json);
}

struct reader {
    struct text text;
    int lines_wanted;
};

static bool read_lines(void *context, const char *bytes, size_t length)
{
    struct reader *reader = context;
    text_append_bytes(&reader->text, bytes, length);
    int lines = 0;
    for (const char *at = text_get(&reader->text); (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    return lines < reader->lines_wanted;
}

static void watch(struct rig *rig, const char *path, struct reader *reader)
{
    AUTOFREE char *url = xprintf("https://localhost:%d%s", https_port(rig->kube_server), path);
    const char *headers[] = {"Authorization: Bearer admin"};
    struct http_request request = {.method = "GET",
                                   .url = url,
                                   .headers = headers,
                                   .header_count = 1,
                                   .idle_timeout_ms = 20000,
                                   .on_chunk = read_lines,
                                   .context = reader};
    struct http_response response = {0};
    http_call(rig->http, &request, &response);
    http_response_free(&response);
}

static void a_watch_tells_changes_bookmarks_and_when_it_is_too_late(void **state)
{
    struct rig *rig = *state;
    int64_t version = api_version(rig->world->api);
    api_create(rig->world->api, API_SECRET, "a", json_of("{'metadata':{'name':'new'}}"));
    AUTOFREE char *path =
        xprintf("/api/v1/namespaces/a/secrets?watch=true&allowWatchBookmarks=true&resourceVersion=%lld",
                (long long)version);
    struct reader reader = {.lines_wanted = 1};
    watch(rig, path, &reader);
    assert_non_null(strstr(text_get(&reader.text), "\"ADDED\""));
    assert_non_null(strstr(text_get(&reader.text), "\"new\""));
    text_clear(&reader.text);
    // of another namespace nothing comes but, in time, a bookmark that moves on
    AUTOFREE char *other =
        xprintf("/api/v1/namespaces/b/secrets?watch=1&allowWatchBookmarks=true&resourceVersion=%lld",
                (long long)version);
    watch(rig, other, &reader);
    assert_non_null(strstr(text_get(&reader.text), "\"BOOKMARK\""));
    text_clear(&reader.text);
    api_compact(rig->world->api, api_version(rig->world->api));
    watch(rig, path, &reader);
    assert_non_null(strstr(text_get(&reader.text), "\"ERROR\""));
    assert_non_null(strstr(text_get(&reader.text), "410"));
    text_free(&reader.text);
}

static void vpsie_answers_true_and_lists_without_a_group(void **state)
{
    struct rig *rig = *state;
    struct answer made = vpsie(
        rig, "POST", "{\"clusterIdentifier\":\"" CLUSTER "\",\"groupName\":\"general\",\"KubeSizeID\":1}",
        "/apps/v2/k8s/cluster/add/group");
    assert_int_equal(made.status, 200);
    struct answer groups = vpsie(rig, "GET", NULL, "/apps/v2/k8s/node/groups/byClusterId/" CLUSTER);
    const cJSON *group = cJSON_GetArrayItem(json_at(groups.json, "data"), 0);
    assert_string_equal(json_text(group, "group_name"), "general");
    AUTOFREE char *path = xprintf("/apps/v2/k8s/cluster/byId/" CLUSTER "/add/slave/group/%lld",
                                  (long long)json_number(group, "id", 0));
    struct answer added = vpsie(rig, "POST", NULL, path);
    assert_true(cJSON_IsTrue(json_at(added.json, "data")) || cJSON_IsObject(json_at(added.json, "data")));
    world_advance(rig->world, rig->world->now_ms + 600000);
    struct answer list = vpsie(rig, "GET", NULL, "/apps/v2/k8s/cluster/byId/" CLUSTER);
    assert_int_equal(cJSON_GetArraySize(json_at(list.json, "data.nodes")), 2);
    const cJSON *machine;
    cJSON_ArrayForEach(machine, json_at(list.json, "data.nodes"))
    {
        assert_null(json_key(machine, "group_id"));
    }
    cJSON_Delete(made.json);
    cJSON_Delete(groups.json);
    cJSON_Delete(added.json);
    cJSON_Delete(list.json);
}

static void vpsie_hides_errors_in_200_and_gives_tokens_for_secrets(void **state)
{
    struct rig *rig = *state;
    rig->vpsie.error_inside_200 = true;
    struct answer missing = vpsie(rig, "GET", NULL, "/apps/v2/k8s/cluster/byId/none");
    assert_int_equal(missing.status, 200);
    assert_true(json_true(missing.json, "error"));
    int port = https_port(rig->vpsie_server);
    struct answer login = call(rig, port, NULL, "POST", "application/x-www-form-urlencoded",
                               "clientId=id&clientSecret=secret", "/apps/v2/auth/from/api");
    AUTOFREE char *header = xprintf("Authorization: Bearer %s", json_text(login.json, "accessToken.token"));
    struct answer all = call(rig, port, header, "GET", NULL, NULL, "/apps/v2/k8s/cluster/all");
    assert_int_equal(all.status, 200);
    struct answer elsewhere = vpsie(rig, "GET", NULL, "/v2/k8s/cluster/all");
    assert_int_equal(elsewhere.status, 404);
    cJSON_Delete(missing.json);
    cJSON_Delete(login.json);
    cJSON_Delete(all.json);
    cJSON_Delete(elsewhere.json);
}

static void faults_are_met_as_often_as_asked(void **state)
{
    struct rig *rig = *state;
    const char *path = "/apps/v2/k8s/cluster/all";
    https_set_faults(rig->vpsie_server, &(struct https_faults){.drop_percent = 100, .times = 1});
    struct answer dropped = vpsie(rig, "POST", "{}", path);
    assert_int_not_equal(dropped.result, HTTP_ANSWERED);
    https_set_faults(rig->vpsie_server, &(struct https_faults){.throttle_percent = 100, .times = 1});
    struct answer throttled = vpsie(rig, "GET", NULL, path);
    assert_int_equal(throttled.status, 429);
    assert_int_equal(throttled.retry_after_ms, 1000);
    https_set_faults(rig->vpsie_server, &(struct https_faults){.half_body_percent = 100, .times = 1});
    struct answer half = vpsie(rig, "POST", "{}", path);
    assert_int_not_equal(half.result, HTTP_ANSWERED);
    struct answer well = vpsie(rig, "GET", NULL, path);
    assert_int_equal(well.status, 200);
    cJSON_Delete(dropped.json);
    cJSON_Delete(throttled.json);
    cJSON_Delete(half.json);
    cJSON_Delete(well.json);
}

int main(void)
{
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) { // the static images' library has none
        print_message(
            "NOT TESTED: libmicrohttpd is built without TLS here, and the servers speak nothing else\n");
        return 77;
    }
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(nobody_reads_without_a_token),
        CASE(a_list_comes_in_pages_until_the_log_is_compacted),
        CASE(every_kind_that_is_watched_is_served),
        CASE(writes_conflict_as_kubernetes_does),
        CASE(a_token_says_whose_it_is),
        CASE(a_watch_tells_changes_bookmarks_and_when_it_is_too_late),
        CASE(vpsie_answers_true_and_lists_without_a_group),
        CASE(vpsie_hides_errors_in_200_and_gives_tokens_for_secrets),
        CASE(faults_are_met_as_often_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

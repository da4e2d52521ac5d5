// The authority of our own: made once for all replicas, published before it is used, renewed in time, and
// never in the way of what another replica made.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/metrics.h"
#include "common/text.h"
#include "coordinator/kube/authority.h"
#include "coordinator/trust/trust.h"

#define NOW 1800000000LL

// An API server that holds one Secret and one ConfigMap.
struct store {
    char *secret, *configmap; // as last written, NULL: none
    int version;
    int refuse_secret, refuse_configmap; // status of every write, 0: taken
    char *other_secret;                  // another replica writes it right before our first write
    unsigned secret_writes, configmap_writes;
};

static char *with_version(const struct http_request *request, int version)
{
    AUTOJSON cJSON *json = json_parse(request->body, request->body_bytes, NULL);
    struct text body = {0};
    char number[16];
    assert_non_null(json);
    snprintf(number, sizeof(number), "%d", version);
    cJSON *metadata = cJSON_GetObjectItem(json, "metadata");
    cJSON_DeleteItemFromObject(metadata, "resourceVersion");
    cJSON_AddStringToObject(metadata, "resourceVersion", number);
    json_print(json, &body);
    return text_take(&body);
}

static bool is_current(const struct http_request *request, const char *stored)
{
    AUTOJSON cJSON *sent = json_parse(request->body, request->body_bytes, NULL);
    AUTOJSON cJSON *held = stored ? json_parse(stored, strlen(stored), NULL) : NULL;
    bool create = strcmp(request->method, "POST") == 0;
    if (create)
        return !stored;
    return held && strcmp(json_text(json_get(sent, "metadata"), "resourceVersion"),
                          json_text(json_get(held, "metadata"), "resourceVersion")) == 0;
}

static void answer_write(struct store *store, const struct http_request *request, char **stored, int refuse,
                         struct http_response *response)
{
    if (refuse != 0) {
        script_json(response, refuse, "{'message':'no'}");
    } else if (!is_current(request, *stored)) {
        script_json(response, 409, "{'message':'somebody wrote'}");
    } else {
        free(*stored);
        *stored = with_version(request, ++store->version);
        script_json(response, 200, "%s", *stored);
    }
}

static void answer(struct script *script, const struct http_request *request, struct http_response *response)
{
    struct store *store = script->context;
    bool secret = strstr(request->url, "/namespaces/ours/secrets") != NULL;
    assert_true(secret || strstr(request->url, "/namespaces/ours/configmaps") != NULL);
    char **stored = secret ? &store->secret : &store->configmap;
    if (strcmp(request->method, "GET") == 0) {
        script_json(response, *stored ? 200 : 404, "%s", *stored ? *stored : "{}");
        return;
    }
    if (secret && store->other_secret) {
        free(store->secret);
        store->secret = store->other_secret;
        store->other_secret = NULL;
    }
    secret ? store->secret_writes++ : store->configmap_writes++;
    answer_write(store, request, stored, secret ? store->refuse_secret : store->refuse_configmap, response);
}

static struct authority *make(struct script *script)
{
    struct error error = {0};
    struct authority_options options = {.api = script->api,
                                        .space = "ours",
                                        .secret_name = "tls",
                                        .configmap_name = "ca",
                                        .service_name = "front",
                                        .now_s = script_now,
                                        .now_context = script};
    struct authority *authority = authority_create(&options, &error);
    assert_non_null(authority);
    return authority;
}

static void start(struct script *script, struct store *store)
{
    script_start(script, answer, store);
    script->now_ms = NOW; // counted in seconds here
}

static void stop(struct script *script, struct store *store)
{
    script_stop(script);
    free(store->secret);
    free(store->configmap);
    free(store->other_secret);
}

static char *file_text(const char *path)
{
    struct text text = {0};
    assert_int_equal(text_read_file(path, 1 << 16, &text, NULL), 0);
    return text_take(&text);
}

// What agents would mount.
static char *published(const struct store *store)
{
    AUTOJSON cJSON *json = json_parse(store->configmap, strlen(store->configmap), NULL);
    return xstrdup(json_text(json_get(json, "data"), "ca.crt"));
}

static void files_suit(const struct authority *authority, const struct store *store, int64_t now_s)
{
    static const char *const names[] = {"front", "front.ours", "front.ours.svc",
                                        "front.ours.svc.cluster.local"};
    struct trust_names wanted = {names, 4};
    struct trust trust = {.authorities = published(store),
                          .server_cert = file_text(authority_cert_file(authority)),
                          .server_key = file_text(authority_key_file(authority))};
    struct error why = {0};
    bool usable = false;
    trust_judge(&trust, &wanted, now_s, &usable, &why); // its key is not published, of course
    assert_true(usable);
    trust_free(&trust);
}

static void the_first_start_makes_all_of_it(void **state)
{
    (void)state;
    struct script script;
    struct store store = {0};
    struct error error = {0};
    start(&script, &store);
    struct authority *authority = make(&script);
    assert_int_equal(authority_tick(authority, &error), 0);
    assert_true(authority_wait(authority, 0));
    files_suit(authority, &store, NOW);
    assert_non_null(strstr(store.secret, "\"type\":\"kubernetes.io/tls\""));
    assert_null(strstr(store.configmap, "PRIVATE"));
    assert_int_equal(store.secret_writes, 1);
    assert_int_equal(store.configmap_writes, 1);
    authority_destroy(authority);
    stop(&script, &store);
}

static void a_second_round_and_a_second_replica_change_nothing(void **state)
{
    (void)state;
    struct script script;
    struct store store = {0};
    struct error error = {0};
    start(&script, &store);
    struct authority *first = make(&script), *second = make(&script);
    assert_int_equal(authority_tick(first, &error), 0);
    assert_int_equal(authority_tick(first, &error), 0);
    assert_int_equal(authority_tick(second, &error), 0);
    assert_int_equal(store.secret_writes, 1);
    assert_int_equal(store.configmap_writes, 1);
    AUTOFREE char *one = file_text(authority_cert_file(first));
    AUTOFREE char *two = file_text(authority_cert_file(second));
    assert_string_equal(one, two);
    authority_destroy(first);
    authority_destroy(second);
    stop(&script, &store);
}

static void before_the_api_server_answers_there_is_a_certificate_to_listen_with(void **state)
{
    (void)state;
    struct script script;
    struct store store = {.refuse_secret = 403};
    struct error error = {0};
    start(&script, &store);
    struct authority *authority = make(&script);
    assert_int_equal(authority_tick(authority, &error), -1);
    assert_non_null(strstr(error.text, "Secret ours/tls"));
    assert_false(authority_wait(authority, 1));
    AUTOFREE char *cert = file_text(authority_cert_file(authority));
    assert_non_null(strstr(cert, "BEGIN CERTIFICATE"));
    assert_null(store.configmap); // and nobody is told to trust what no other replica has
    authority_destroy(authority);
    stop(&script, &store);
}

static void of_two_replicas_that_start_at_once_the_second_takes_what_the_first_made(void **state)
{
    (void)state;
    struct script script;
    struct store store = {0};
    struct error error = {0};
    start(&script, &store);
    struct authority *first = make(&script);
    assert_int_equal(authority_tick(first, &error), 0);
    store.other_secret = store.secret; // the Secret appears between the read and the write of the second
    store.secret = NULL;
    struct authority *second = make(&script);
    assert_int_equal(authority_tick(second, &error), 0);
    AUTOFREE char *one = file_text(authority_cert_file(first));
    AUTOFREE char *two = file_text(authority_cert_file(second));
    assert_string_equal(one, two);
    authority_destroy(first);
    authority_destroy(second);
    stop(&script, &store);
}

// What the metric says.
static int64_t certificate_end_s(void)
{
    return (int64_t)metric_value(metrics_gauge("vpsie_autoscaler_certificate_end_timestamp_seconds", NULL,
                                               "When the certificate shown to agents ends, Unix time."));
}

static void a_certificate_near_its_end_is_replaced_and_the_authority_stays(void **state)
{
    (void)state;
    struct script script;
    struct store store = {0};
    struct error error = {0};
    start(&script, &store);
    struct authority *authority = make(&script);
    assert_int_equal(authority_tick(authority, &error), 0);
    AUTOFREE char *before = file_text(authority_cert_file(authority));
    AUTOFREE char *trusted_before = published(&store);
    assert_int_equal(certificate_end_s(), NOW + TRUST_SERVER_SECONDS);
    script.now_ms = NOW + TRUST_SERVER_SECONDS - TRUST_SERVER_RENEW_SECONDS + 60;
    assert_int_equal(authority_tick(authority, &error), 0);
    AUTOFREE char *after = file_text(authority_cert_file(authority));
    AUTOFREE char *trusted_after = published(&store);
    assert_string_not_equal(before, after);
    assert_string_equal(trusted_before, trusted_after);
    assert_int_equal(store.configmap_writes, 1);
    assert_int_equal(certificate_end_s(), script.now_ms + TRUST_SERVER_SECONDS);
    files_suit(authority, &store, script.now_ms + TRUST_SERVER_RENEW_SECONDS + 60);
    authority_destroy(authority);
    stop(&script, &store);
}

static void a_renewal_that_is_refused_leaves_what_still_works(void **state)
{
    (void)state;
    struct script script;
    struct store store = {0};
    struct error error = {0};
    start(&script, &store);
    struct authority *authority = make(&script);
    assert_int_equal(authority_tick(authority, &error), 0);
    script.now_ms = NOW + TRUST_SERVER_SECONDS - TRUST_SERVER_RENEW_SECONDS + 60;
    store.refuse_secret = 403;
    struct authority *later = make(&script); // a replica that starts just then
    assert_int_equal(authority_tick(later, &error), -1);
    files_suit(later, &store, script.now_ms);
    authority_destroy(authority);
    authority_destroy(later);
    stop(&script, &store);
}

static void nothing_is_shown_to_agents_before_they_can_know_its_authority(void **state)
{
    (void)state;
    struct script script;
    struct store store = {.refuse_configmap = 403};
    struct error error = {0};
    start(&script, &store);
    struct authority *authority = make(&script);
    AUTOFREE char *before = file_text(authority_cert_file(authority));
    assert_int_equal(authority_tick(authority, &error), -1);
    assert_non_null(strstr(error.text, "ConfigMap ours/ca"));
    AUTOFREE char *after = file_text(authority_cert_file(authority));
    assert_string_equal(before, after);
    authority_destroy(authority);
    stop(&script, &store);
}

static void a_configmap_that_somebody_changed_is_put_right_and_keeps_what_else_is_in_it(void **state)
{
    (void)state;
    struct script script;
    struct store store = {0};
    struct error error = {0};
    start(&script, &store);
    struct authority *authority = make(&script);
    assert_int_equal(authority_tick(authority, &error), 0);
    free(store.configmap);
    store.configmap =
        script_quotes("{'metadata':{'name':'ca','resourceVersion':'77'},'data':{'ca.crt':'x','theirs':'y'}}");
    assert_int_equal(authority_tick(authority, &error), 0);
    files_suit(authority, &store, NOW);
    assert_non_null(strstr(store.configmap, "\"theirs\":\"y\""));
    authority_destroy(authority);
    stop(&script, &store);
}

static void a_damaged_secret_is_made_anew(void **state)
{
    (void)state;
    struct script script;
    struct store store = {0};
    struct error error = {0};
    start(&script, &store);
    store.secret = script_quotes(
        "{'metadata':{'name':'tls','resourceVersion':'7'},'data':{'ca.crt':'!!','ca.key':5,'tls.crt':''}}");
    struct authority *authority = make(&script);
    assert_int_equal(authority_tick(authority, &error), 0);
    files_suit(authority, &store, NOW);
    authority_destroy(authority);
    stop(&script, &store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_start_makes_all_of_it),
        cmocka_unit_test(a_second_round_and_a_second_replica_change_nothing),
        cmocka_unit_test(before_the_api_server_answers_there_is_a_certificate_to_listen_with),
        cmocka_unit_test(of_two_replicas_that_start_at_once_the_second_takes_what_the_first_made),
        cmocka_unit_test(a_certificate_near_its_end_is_replaced_and_the_authority_stays),
        cmocka_unit_test(a_renewal_that_is_refused_leaves_what_still_works),
        cmocka_unit_test(nothing_is_shown_to_agents_before_they_can_know_its_authority),
        cmocka_unit_test(a_configmap_that_somebody_changed_is_put_right_and_keeps_what_else_is_in_it),
        cmocka_unit_test(a_damaged_secret_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

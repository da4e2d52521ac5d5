// Where the API server is and who we are there, from a kubeconfig or a pod's own account; what cannot be used
// is a clear error.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/kube/access.h"
#include "coordinator/kube/base64.h"
#include "coordinator/kube/yaml.h"

static const char config[] = "apiVersion: v1\n"
                             "kind: Config\n"
                             "current-context: main\n"
                             "contexts:\n"
                             "- name: main\n"
                             "  context: {cluster: c1, user: u1, namespace: x}\n"
                             "- name: other\n"
                             "  context:\n"
                             "    cluster: c2\n"
                             "    user: u2\n"
                             "clusters:\n"
                             "- name: c1\n"
                             "  cluster:\n"
                             "    server: https://one:6443/\n"
                             "    certificate-authority-data: Y2E=\n"
                             "    tls-server-name: kubernetes\n"
                             "- name: c2\n"
                             "  cluster:\n"
                             "    server: https://two\n"
                             "    insecure-skip-tls-verify: true\n"
                             "users:\n"
                             "- name: u1\n"
                             "  user:\n"
                             "    token: secret\n"
                             "- name: u2\n"
                             "  user:\n"
                             "    client-certificate-data: Y2VydA==\n"
                             "    client-key-data: a2V5\n";

static void the_current_context_is_taken_unless_one_is_named(void **state)
{
    (void)state;
    struct access access;
    struct error error = {0};
    assert_int_equal(kubeconfig_parse(config, strlen(config), "/etc/kc", "", &access, &error), 0);
    assert_string_equal(access.server, "https://one:6443");
    assert_string_equal(access.ca_data, "ca");
    assert_string_equal(access.server_name, "kubernetes");
    assert_string_equal(access.token, "secret");
    assert_null(access.client_cert);
    assert_false(access.insecure_skip_verify);
    access_free(&access);
    assert_int_equal(kubeconfig_parse(config, strlen(config), "/etc/kc", "other", &access, &error), 0);
    assert_string_equal(access.server, "https://two");
    assert_string_equal(access.client_cert, "cert");
    assert_string_equal(access.client_key, "key");
    assert_true(access.insecure_skip_verify);
    assert_null(access.token);
    access_free(&access);
}

static void json_is_as_good_as_yaml(void **state)
{
    (void)state;
    struct access access;
    struct error error = {0};
    AUTOFREE char *text = script_quotes(
        "{\n\t'current-context': 'm', 'contexts': [{'name': 'm', 'context': {'cluster': 'c', 'user': "
        "'u'}}],\n"
        "\t'clusters': [{'name': 'c', 'cluster': {'server': 'https://s\\u0031:1', 'proxy-url': null}}],\n"
        "\t'users': [{'name': 'u', 'user': {'tokenFile': 'tok', 'exec': null}}]}");
    if (kubeconfig_parse(text, strlen(text), "/etc/kc/config", "", &access, &error) < 0)
        fail_msg("%s", error.text);
    assert_string_equal(access.server, "https://s1:1");
    assert_string_equal(access.token_file, "/etc/kc/tok");
    access_free(&access);
}

// A kubeconfig with the given cluster and user fields.
static int parse_with(const char *file, const char *cluster, const char *user, struct access *access,
                      struct error *error)
{
    AUTOFREE char *text =
        xprintf("{\"current-context\":\"m\",\"contexts\":[{\"name\":\"m\",\"context\":{\"cluster\":"
                "\"c\",\"user\":\"admin\"}}],\"clusters\":[{\"name\":\"c\",\"cluster\":{%s}}],"
                "\"users\":[{\"name\":\"admin\",\"user\":{%s}}]}",
                cluster, user);
    error_clear(error);
    return kubeconfig_parse(text, strlen(text), file, "", access, error);
}

static void what_cannot_be_used_names_file_user_and_field(void **state)
{
    (void)state;
    static const struct {
        const char *cluster, *user, *says;
    } cases[] = {
        {"", "\"exec\":{\"command\":\"aws\"}",
         "kubeconfig /kc: user \"admin\": exec: credential plugins are not supported; use a token, tokenFile "
         "or client "
         "certificate"},
        {"", "\"auth-provider\":{}", "user \"admin\": auth-provider: "},
        {"", "\"username\":\"a\"", "user \"admin\": username: "},
        {"", "\"password\":\"a\"", "user \"admin\": password: "},
        {"", "\"as\":\"a\"", "user \"admin\": as: impersonation"},
        {"", "\"token\":[]", "user \"admin\": token: must be a text"},
        {"", "\"token\":\"a b\"", "user \"admin\": token: holds characters"},
        {"", "\"client-certificate-data\":\"Y2E=\"", "client-certificate: has no client-key"},
        {"", "\"client-key-data\":\"Y2E=\"", "client-key: has no client-certificate"},
        {"", "\"client-key-data\":\"?\"", "client-key-data: is not base64"},
        {"", "\"client-certificate\":\"/nowhere/c.pem\"", "client-certificate: "},
        {"\"proxy-url\":\"http://p\"", "", "cluster \"c\": proxy-url: proxies are not supported"},
        {"\"server\":\"http://x\"", "", "cluster \"c\": server: must be an https:// address"},
        {"\"insecure-skip-tls-verify\":\"maybe\"", "", "insecure-skip-tls-verify: must be true or false"},
        {"\"insecure-skip-tls-verify\":true,\"certificate-authority-data\":\"Y2E=\"", "", "contradicts"},
        {"\"certificate-authority-data\":\"!\"", "", "certificate-authority-data: is not base64"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct access access;
        struct error error = {0};
        bool has_server = strstr(cases[i].cluster, "server\"") != NULL;
        AUTOFREE char *cluster = has_server ? xstrdup(cases[i].cluster)
                                            : xprintf("\"server\":\"https://s\"%s%s",
                                                      *cases[i].cluster ? "," : "", cases[i].cluster);
        assert_int_equal(parse_with("/kc", cluster, cases[i].user, &access, &error), -1);
        if (!strstr(error.text, cases[i].says) || !strstr(error.text, "/kc"))
            fail_msg("%s", error.text);
        assert_null(access.server);
        // The value of a secret is never repeated.
        assert_null(strstr(error.text, "a b"));
    }
}

static void a_kubeconfig_that_is_none_says_where(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "empty"},
        {"- a\n- b\n", "not a kubeconfig"},
        {"a: [1,\n", "line"},
        {"a: &x 1\nb: *x\n", "line 2: aliases are not supported"},
        {"a: 1\na: 2\n", "line 2: a is given twice"},
        {"? [a]\n: b\n", "a key that is not a text"},
        {"clusters: []\n", "no current-context is set"},
        {"current-context: m\n", "there is no context \"m\""},
        {"current-context: m\ncontexts: [{name: m, context: {cluster: c}}]\n", "there is no cluster \"c\""},
        {"current-context: m\ncontexts: [{name: m, context: {user: c}}]\n",
         "context \"m\": cluster: is missing"},
        {"current-context: m\ncontexts: [{name: m, context: {cluster: c, user: u}}]\nclusters: [{name: c, "
         "cluster: "
         "{server: 'https://s'}}]\n",
         "there is no user \"u\""},
        {"current-context: m\ncontexts: [{name: m}]\n", "context \"m\": cluster: is missing"},
        {"\x01\x02", "line"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct access access;
        struct error error = {0};
        assert_int_equal(kubeconfig_parse(cases[i].text, strlen(cases[i].text), "/kc", "", &access, &error),
                         -1);
        if (!strstr(error.text, cases[i].says))
            fail_msg("%zu: %s", i, error.text);
    }
}

static void yaml_is_bounded_in_depth_and_number(void **state)
{
    (void)state;
    struct error error = {0};
    struct arena *arena = arena_create(4096);
    AUTOTEXT struct text deep = {0};
    for (int i = 0; i < 1000; i++)
        text_append(&deep, "[");
    assert_null(yaml_read(deep.bytes, deep.length, arena, &error));
    assert_non_null(strstr(error.text, "nested too deep"));
    AUTOTEXT struct text wide = {0};
    text_append(&wide, "[");
    for (unsigned i = 0; i < YAML_NODES_MAX + 1; i++)
        text_append(&wide, "1,");
    text_append(&wide, "]");
    assert_null(yaml_read(wide.bytes, wide.length, arena, &error));
    assert_non_null(strstr(error.text, "more nodes"));
    AUTOTEXT struct text members = {0};
    for (unsigned i = 0; i < YAML_MEMBERS_MAX + 1; i++)
        text_printf(&members, "k%u: 1\n", i);
    assert_null(yaml_read(members.bytes, members.length, arena, &error));
    assert_non_null(strstr(error.text, "more members"));
    arena_destroy(arena);
}

static void files_are_found_beside_the_kubeconfig(void **state)
{
    (void)state;
    char directory[] = "/tmp/kube-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    AUTOFREE char *certificate = xprintf("%s/c.pem", directory);
    AUTOFREE char *key = xprintf("%s/k.pem", directory);
    AUTOFREE char *file = xprintf("%s/config", directory);
    FILE *out = fopen(certificate, "w");
    fputs("CERT", out);
    fclose(out);
    out = fopen(key, "w");
    fputs("KEY", out);
    fclose(out);
    struct access access;
    struct error error = {0};
    if (parse_with(file, "\"server\":\"https://s\",\"certificate-authority\":\"ca.pem\"",
                   "\"client-certificate\":\"c.pem\",\"client-key\":\"k.pem\"", &access, &error) < 0)
        fail_msg("%s", error.text);
    AUTOFREE char *ca = xprintf("%s/ca.pem", directory);
    assert_string_equal(access.ca_file, ca);
    assert_string_equal(access.client_cert, "CERT");
    assert_string_equal(access.client_key, "KEY");
    access_free(&access);
    unlink(certificate);
    unlink(key);
    rmdir(directory);
}

static void the_data_wins_over_the_file(void **state)
{
    (void)state;
    struct access access;
    struct error error = {0};
    assert_int_equal(parse_with("/kc",
                                "\"server\":\"https://s\",\"certificate-authority\":\"/nowhere\","
                                "\"certificate-authority-data\":\"Y2E=\"",
                                "", &access, &error),
                     0);
    assert_null(access.ca_file);
    assert_string_equal(access.ca_data, "ca");
    access_free(&access);
}

static void a_pod_uses_its_own_account(void **state)
{
    (void)state;
    char directory[] = "/tmp/kube-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    AUTOFREE char *token = xprintf("%s/token", directory);
    AUTOFREE char *ca = xprintf("%s/ca.crt", directory);
    struct access_environment environment = {
        .kubeconfig = "", .service_host = "fd00::1", .service_port = "6443", .account_directory = directory};
    struct access access;
    struct error error = {0};
    assert_int_equal(access_load("", "", &environment, &access, &error), -1);
    assert_non_null(strstr(error.text, token));
    fclose(fopen(token, "w"));
    fclose(fopen(ca, "w"));
    assert_int_equal(access_load("", "", &environment, &access, &error), 0);
    assert_string_equal(access.server, "https://[fd00::1]:6443");
    assert_string_equal(access.token_file, token);
    assert_string_equal(access.ca_file, ca);
    access_free(&access);
    unlink(token);
    unlink(ca);
    rmdir(directory);
}

static void without_any_way_the_error_names_the_ways(void **state)
{
    (void)state;
    struct access_environment environment = {"", "", "", "/nowhere"};
    struct access access;
    struct error error = {0};
    assert_int_equal(access_load("", "", &environment, &access, &error), -1);
    assert_non_null(strstr(error.text, "--kubeconfig"));
    environment.kubeconfig = "/a:/b";
    assert_int_equal(access_load("", "", &environment, &access, &error), -1);
    assert_non_null(strstr(error.text, "not merged"));
    assert_int_equal(access_load("/nowhere/kc", "", &environment, &access, &error), -1);
    assert_non_null(strstr(error.text, "/nowhere/kc"));
}

static void answer_empty(struct script *script, const struct http_request *request,
                         struct http_response *response)
{
    (void)script, (void)request;
    script_json(response, 200, "{}");
}

static void a_token_file_is_read_again_when_it_changes(void **state)
{
    (void)state;
    char path[] = "/tmp/kube-token-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct script script;
    struct api_reply reply;
    struct api_request request = {.verb = "get", .kind = "Node", .method = "GET", .path = "/api/v1/nodes/a"};
    script_start(&script, answer_empty, NULL);
    script.access.token_file = xstrdup(path);
    static const char *const tokens[] = {"first\n", "second-one"};
    for (size_t i = 0; i < 2; i++) {
        FILE *out = fopen(path, "w");
        fputs(tokens[i], out);
        fclose(out);
        api_call(script.api, &request, &reply);
        api_reply_free(&reply);
        assert_string_equal(script.authorization, i == 0 ? "Bearer first" : "Bearer second-one");
    }
    unlink(path);
    api_call(script.api, &request, &reply);
    api_reply_free(&reply);
    assert_string_equal(script.authorization, "Bearer second-one");
    script_stop(&script);
}

static void base64_is_strict_about_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
    } good[] = {
        {"", ""},         {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"}, {"Zm9v\nYmFy\r\n", "foobar"},
        {" Z g = =", "f"}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        AUTOTEXT struct text out = {0};
        assert_int_equal(base64_decode(good[i].text, strlen(good[i].text), &out, NULL), 0);
        assert_string_equal(text_get(&out), good[i].bytes);
    }
    static const char *const bad[] = {"Z",    "Zg",       "Zg=",  "Zg===", "=",
                                      "====", "Zg==Zg==", "Z-__", "Zm9-",  "Zm\x80v"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        AUTOTEXT struct text out = {0};
        if (base64_decode(bad[i], strlen(bad[i]), &out, NULL) == 0)
            fail_msg("accepted %s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_current_context_is_taken_unless_one_is_named),
        cmocka_unit_test(json_is_as_good_as_yaml),
        cmocka_unit_test(what_cannot_be_used_names_file_user_and_field),
        cmocka_unit_test(a_kubeconfig_that_is_none_says_where),
        cmocka_unit_test(yaml_is_bounded_in_depth_and_number),
        cmocka_unit_test(files_are_found_beside_the_kubeconfig),
        cmocka_unit_test(the_data_wins_over_the_file),
        cmocka_unit_test(a_pod_uses_its_own_account),
        cmocka_unit_test(without_any_way_the_error_names_the_ways),
        cmocka_unit_test(a_token_file_is_read_again_when_it_changes),
        cmocka_unit_test(base64_is_strict_about_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/arena.h"
#include "common/text.h"
#include "coordinator/kube/permissions.h"
#include "tests/e2e/e2e.h"
#include "tests/support/cmocka_all.h"
#include "tests/world/json.h"

#define AUTHORITY "vpsie-coordinator-ca"

// As in a pod: no files, the objects' own names; the service is what agents call here.
static const char *const as_installed[] = {"--tls-cert-file=", "--tls-key-file=", "--service-name=localhost",
                                           "--identity=vpsie-coordinator-0", NULL};

// The certificate that agents would mount, "" while there is none; the caller frees.
static char *published(struct stage *stage)
{
    stage_lock(stage);
    const struct api_object *map = api_find(stage->world->api, API_CONFIGMAP, "kube-system", AUTHORITY);
    char *text = xstrdup(map != NULL ? json_key_text(json_at(map->document->json, "data"), "ca.crt") : "");
    stage_unlock(stage);
    return text;
}

static bool is_published(struct stage *stage, void *unused)
{
    (void)unused;
    AUTOFREE char *text = published(stage);
    return *text != '\0';
}

// Agents of a stage trust ca.pem: the kubelet would have mounted the ConfigMap.
static void trust_what_is_published(struct stage *stage)
{
    e2e_wait(stage, is_published, NULL);
    AUTOFREE char *text = published(stage);
    AUTOFREE char *path = xprintf("%s/ca.pem", stage->dir);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

// The exit status of `check`, its words in `out`.
static int check(struct stage *stage, struct text *out)
{
    char buffer[1024];
    AUTOFREE char *command = xprintf(
        "%s/vpsie-coordinator check --kubeconfig=%s/kubeconfig --vpsie-url=https://localhost:%d/apps/v2 "
        "--vpsie-ca-file=%s/ca.pem --vpsie-timeout=3s --admin-socket=%s 2>&1",
        stage->bin, stage->dir, https_port(stage->vpsie_server), stage->dir, stage->socket[0]);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    text_clear(out);
    for (size_t length; (length = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
        text_append_bytes(out, buffer, length);
    }
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_check(struct stage *stage, int wanted, struct text *out)
{
    int status = check(stage, out);
    if (status != wanted) {
        stage_print_logs(stage);
        fail_msg("exit status %d, not %d:\n%s", status, wanted, text_get(out));
    }
}

// Is there a line of that verdict about that thing?
static bool says(const struct text *out, const char *verdict, const char *what)
{
    AUTOFREE char *line = xprintf("%-5s  %-12s  ", verdict, what);
    return strstr(text_get(out), line) != NULL;
}

#define assert_says(out, verdict, what)                                                                      \
    do {                                                                                                     \
        if (!says(out, verdict, what)) {                                                                     \
            fail_msg("no line \"%s %s\" in:\n%s", verdict, what, text_get(out));                             \
        }                                                                                                    \
    } while (0)

static void without_files_the_coordinator_makes_the_certificate_that_agents_trust(void **state)
{
    (void)state;
    struct stage *stage = e2e_stage("install", 21);
    int minimum = E2E_GROUP_MIN, second = 1;
    stage_start_coordinator(stage, 0, as_installed);
    trust_what_is_published(stage);
    e2e_wait(stage, e2e_machines, &minimum);
    e2e_wait(stage, e2e_agents_heard, NULL);
    // The other replica shows the same certificate: agents go over to it and trust it.
    stage_start_coordinator(
        stage, 1,
        (const char *const[]){"--tls-cert-file=", "--tls-key-file=", "--service-name=localhost", NULL});
    process_stop(&stage->coordinator[0], SIGTERM, 10000);
    e2e_wait(stage, e2e_leads, &second);
    stage_lock(stage);
    size_t maps = api_count(stage->world->api, API_CONFIGMAP);
    stage_unlock(stage);
    e2e_assert(stage, maps == 1);
    e2e_end(stage, false);
}

static void forbid(struct stage *stage, const char *resource)
{
    stage_lock(stage);
    snprintf(stage->kube.forbidden, sizeof stage->kube.forbidden, "%s", resource);
    stage_unlock(stage);
}

static bool log_says(struct stage *stage, void *words)
{
    AUTOTEXT struct text log = {0};
    return text_read_file(stage->coordinator[0].log_path, 64u << 20, &log, NULL) == 0 &&
           strstr(text_get(&log), words) != NULL;
}

// It listens with a certificate that nobody trusts until then, and goes over to the other without a restart.
static void a_certificate_that_comes_late_is_shown_as_soon_as_it_is_there(void **state)
{
    (void)state;
    struct stage *stage = e2e_stage("late", 24);
    int minimum = E2E_GROUP_MIN;
    forbid(stage, "configmaps");
    stage_start_coordinator(stage, 0, as_installed);
    e2e_wait(stage, log_says, (void *)(uintptr_t) "agents cannot trust this coordinator");
    e2e_wait(stage, e2e_machines, &minimum);
    forbid(stage, "");
    trust_what_is_published(stage);
    e2e_wait(stage, e2e_agents_heard, NULL);
    e2e_end(stage, false);
}

static void change(struct stage *stage, void (*what)(struct stage *stage))
{
    stage_lock(stage);
    what(stage);
    stage_unlock(stage);
}

static void deny_evictions(struct stage *stage)
{
    snprintf(stage->kube.denied, sizeof stage->kube.denied, "pods");
}

static void leave_a_hook(struct stage *stage)
{
    stage->kube.denied[0] = '\0';
    struct api_answer answer = api_create(stage->world->api, API_VALIDATING_WEBHOOK, "",
                                          json_of("{'metadata':{'name':'vpsie-autoscaler-webhook'},'webhooks'"
                                                  ":[{'name':'a','failurePolicy':'Fail'}]}"));
    assert_true(API_OK(answer));
}

static void lose_the_secret(struct stage *stage)
{
    remove_object(stage->world, API_VALIDATING_WEBHOOK, "", "vpsie-autoscaler-webhook");
    remove_object(stage->world, API_SECRET, "kube-system", "vpsie-secret");
}

static void give_a_wrong_token(struct stage *stage)
{
    struct api_answer answer =
        api_create(stage->world->api, API_SECRET, "kube-system",
                   json_of("{'metadata':{'name':'vpsie-secret'},'data':{'token':'d3Jvbmc='}}"));
    assert_true(API_OK(answer));
}

static void spend_the_quota(struct stage *stage)
{
    stage->world->settings.machines_max = E2E_GROUP_MIN;
}

static bool order_is_refused(struct stage *stage, void *unused)
{
    (void)unused;
    AUTOTEXT struct text out = {0};
    check(stage, &out);
    return says(&out, "WRONG", "quota");
}

static void check_finds_what_is_there_and_what_is_not(void **state)
{
    (void)state;
    struct stage *stage = e2e_stage("check", 22);
    AUTOTEXT struct text out = {0};
    int minimum = E2E_GROUP_MIN, first = 0;
    stage_start_coordinator(stage, 0, as_installed);
    trust_what_is_published(stage);
    e2e_wait(stage, e2e_leads, &first);
    e2e_wait(stage, e2e_machines, &minimum);
    e2e_wait(stage, e2e_agents_heard, NULL);
    static const char *const good[] = {"API server",  "permissions", "definitions", "certificate",
                                       "lease",       "predecessor", "groups",      "secret",
                                       "credentials", "cluster",     "offers",      "quota"};
    assert_check(stage, 0, &out);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_says(&out, "ok", good[i]);
    }
    assert_null(strstr(text_get(&out), "vpsie-token-of-the-test-world"));
    change(stage, spend_the_quota);
    e2e_scale(stage, 6);
    e2e_wait(stage, order_is_refused, NULL);
    assert_check(stage, 1, &out);
    assert_non_null(strstr(text_get(&out), "exceeds the allowed limit"));
    e2e_scale(stage, 0);
    change(stage, deny_evictions);
    assert_check(stage, 1, &out);
    assert_says(&out, "WRONG", "permissions");
    assert_non_null(strstr(text_get(&out), "create pods/eviction"));
    change(stage, leave_a_hook);
    assert_check(stage, 1, &out);
    assert_says(&out, "WRONG", "predecessor");
    assert_says(&out, "ok", "permissions");
    change(stage, lose_the_secret);
    assert_check(stage, 1, &out);
    assert_says(&out, "WRONG", "secret");
    assert_says(&out, "-", "credentials");
    change(stage, give_a_wrong_token);
    assert_check(stage, 1, &out);
    assert_says(&out, "ok", "secret");
    assert_says(&out, "WRONG", "credentials");
    e2e_end(stage, false);
}

static bool is_granted(const char *asked)
{
    for (size_t i = 0; i < permission_count; i++) {
        const struct permission *row = &permissions[i];
        AUTOFREE char *text = xprintf("%s %s/%s/%s", row->verb, row->group, row->resource, row->subresource);
        if (strcmp(text, asked) == 0) {
            return true;
        }
    }
    return false;
}

static bool was_asked(struct stage *stage, const char *wanted)
{
    for (unsigned i = 0; i < stage->kube.asked_count; i++) {
        if (strcmp(stage->kube.asked[i], wanted) == 0) {
            return true;
        }
    }
    return false;
}

// From the first start to machines that come, are drained and go: the roles of the manifests hold the same
// table.
static void it_asks_the_api_server_for_nothing_that_its_roles_do_not_grant(void **state)
{
    (void)state;
    static const char *const surely[] = {"delete /nodes/",
                                         "delete autoscaler.vpsie.com/vpsienodes/",
                                         "patch autoscaler.vpsie.com/nodegroups/status",
                                         "update coordination.k8s.io/leases/",
                                         "create /secrets/",
                                         "watch /secrets/"};
    struct stage *stage = e2e_stage("roles", 23);
    int minimum = E2E_GROUP_MIN, first = 0, many = 5, few = 1;
    stage_start_coordinator(stage, 0, as_installed);
    trust_what_is_published(stage);
    e2e_wait(stage, e2e_leads, &first);
    e2e_scale(stage, many);
    e2e_wait(stage, e2e_all_run, &many);
    e2e_scale(stage, few);
    e2e_wait(stage, e2e_machines, &minimum);
    stage_lock(stage);
    for (unsigned i = 0; i < stage->kube.asked_count; i++) {
        if (!is_granted(stage->kube.asked[i])) {
            fail_msg("asked, and not granted: %s", stage->kube.asked[i]);
        }
    }
    for (size_t i = 0; i < sizeof surely / sizeof surely[0]; i++) {
        if (!was_asked(stage, surely[i])) {
            fail_msg("the story did not get so far: %s", surely[i]);
        }
    }
    stage_unlock(stage);
    e2e_end(stage, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_files_the_coordinator_makes_the_certificate_that_agents_trust),
        cmocka_unit_test(a_certificate_that_comes_late_is_shown_as_soon_as_it_is_there),
        cmocka_unit_test(check_finds_what_is_there_and_what_is_not),
        cmocka_unit_test(it_asks_the_api_server_for_nothing_that_its_roles_do_not_grant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

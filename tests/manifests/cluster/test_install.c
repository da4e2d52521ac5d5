// An installation by the book on a real control plane: real etcd, API server, controllers and scheduler, the
// manifests as they are, the coordinator and the agents as their pods; only the kubelets and VPSie are
// played. One life, told in order.
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/kube/permissions.h"
#include "tests/manifests/cluster/story.h"
#include "tests/manifests/objects.h"
#include "tests/support/certificates.h"
#include "tests/world/json.h"

#define AUDIT_BYTES_MAX (256u << 20)

// ---------------------------------------------------------------------------------------------- manifests

static void the_api_server_takes_every_overlay_without_a_warning(void **state)
{
    (void)state;
    static const char *const overlays[] = {"small", "production", "restricted"};
    for (size_t i = 0; i < 3; i++) {
        AUTOTEXT struct text out = {0};
        assert_kubectl(&out, "apply --dry-run=server -k " SOURCE "/deploy/overlays/%s", overlays[i]);
        assert_null(strstr(text_get(&out), "Warning"));
        assert_has(&out, "daemonset.apps/vpsie-agent created (server dry run)");
    }
}

static void the_credentials_and_the_programs_are_installed_with_the_words_of_the_document(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    assert_kubectl(&out,
                   "-n kube-system create secret generic vpsie-secret --from-literal=token=" STORY_VPSIE_TOKEN
                   " --from-literal=url=https://localhost:%d/apps/v2",
                   https_port(story.stage->vpsie_server));
    story_assert_documented(&out, "install.md");
    assert_kubectl(&out, "apply -k " SOURCE "/deploy/overlays/small");
    story_assert_documented(&out, "install.md");
    assert_has(&out, "networkpolicy.networking.k8s.io/vpsie-coordinator created");
}

static void wait_for_definitions(void)
{
    AUTOTEXT struct text out = {0};
    assert_kubectl(&out, "wait --for=condition=Established --timeout=60s crd nodegroups.autoscaler.vpsie.com "
                         "vpsienodes.autoscaler.vpsie.com autoscalerconfigs.autoscaler.vpsie.com");
}

// The API server and its libraries quote field names differently.
static void append_without_quotes(struct text *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text != '"') {
            text_append_bytes(out, text, 1);
        }
    }
}

static void samples_are_taken_and_wrong_objects_are_refused_for_the_reason_that_is_theirs(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    wait_for_definitions();
    assert_kubectl(&out,
                   "create --dry-run=server -f " SOURCE "/deploy/samples -f " SOURCE "/tests/manifests/good");
    assert_int_not_equal(
        cluster_kubectl(&story.cluster, &out, "create --dry-run=server -f " SOURCE "/tests/manifests/wrong"),
        0);
    assert_null(strstr(text_get(&out), "created (server dry run)"));
    AUTOTEXT struct text plain = {0};
    append_without_quotes(&plain, text_get(&out));
    struct objects wrong = {0};
    objects_load(&wrong, "tests/manifests/wrong");
    assert_true(wrong.count > 10);
    for (size_t i = 0; i < wrong.count; i++) {
        const char *expected = yaml_text(wrong.items[i], "metadata.annotations.expect");
        assert_true(*expected != '\0');
        AUTOTEXT struct text plain_expected = {0};
        append_without_quotes(&plain_expected, expected);
        assert_has(&plain, text_get(&plain_expected));
    }
    objects_free(&wrong);
}

// ---------------------------------------------------------------------------------------------- permissions

struct question {
    const char *group, *resource, *subresource, *verb, *space, *name;
};

static bool may(const char *user, const struct question *question)
{
    AUTOJSON cJSON *review =
        json_of("{'apiVersion':'authorization.k8s.io/v1','kind':'SubjectAccessReview','spec':"
                "{'user':'%s','groups':['system:serviceaccounts','system:authenticated'],"
                "'resourceAttributes':{'group':'%s','resource':'%s','subresource':'%s',"
                "'verb':'%s','namespace':'%s','name':'%s'}}}",
                user, question->group, question->resource, question->subresource, question->verb,
                question->space, question->name);
    AUTOFREE char *body = cJSON_PrintUnformatted(review);
    int status = 0;
    AUTOJSON cJSON *answer = cluster_ask(&story.client, "POST",
                                         "/apis/authorization.k8s.io/v1/subjectaccessreviews", body, &status);
    assert_int_equal(status, 201);
    return json_true(answer, "status.allowed");
}

static const char *named(enum permission_name name)
{
    switch (name) {
    case PERMISSION_ANY: return "";
    case PERMISSION_NAME_LEASE: return "vpsie-autoscaler-leader";
    case PERMISSION_NAME_CREDENTIALS: return "vpsie-secret";
    case PERMISSION_NAME_TLS: return "vpsie-coordinator-tls";
    case PERMISSION_NAME_CA: return "vpsie-coordinator-ca";
    case PERMISSION_NAME_HOOKS: return PERMISSION_HOOK_DELETION;
    }
    return "";
}

static void the_coordinator_may_what_it_needs(void **state)
{
    (void)state;
    for (size_t i = 0; i < permission_count; i++) {
        const struct permission *row = &permissions[i];
        const char *space = row->space == PERMISSION_CLUSTER ? "" : "kube-system";
        struct question question = {row->group, row->resource, row->subresource,
                                    row->verb,  space,         named(row->name)};
        if (!may(CLUSTER_COORDINATOR, &question)) {
            fail_msg("refused: %s %s/%s/%s", row->verb, row->group, row->resource, row->subresource);
        }
        if (may(CLUSTER_AGENT, &question)) {
            fail_msg("an agent may %s %s", row->verb, row->resource);
        }
    }
}

static void and_nothing_that_it_does_not(void **state)
{
    (void)state;
    static const struct question refused[] = {
        {"", "nodes", "", "create", "", ""},
        {"", "nodes", "", "update", "", ""},
        {"", "nodes", "proxy", "get", "", ""},
        {"", "pods", "", "create", "default", ""},
        {"", "pods", "exec", "create", "kube-system", ""},
        {"", "secrets", "", "list", "", ""},
        {"", "secrets", "", "get", "default", "vpsie-secret"},
        {"", "secrets", "", "get", "kube-system", "bootstrap-token"},
        {"", "secrets", "", "delete", "kube-system", "vpsie-coordinator-tls"},
        {"", "configmaps", "", "update", "kube-system", "kube-root-ca.crt"},
        {"", "serviceaccounts", "token", "create", "kube-system", "default"},
        {"autoscaler.vpsie.com", "nodegroups", "", "create", "default", ""},
        {"autoscaler.vpsie.com", "nodegroups", "", "delete", "default", "general"},
        {"autoscaler.vpsie.com", "autoscalerconfigs", "", "patch", "", "default"},
        {"coordination.k8s.io", "leases", "", "update", "kube-system", "kube-scheduler"},
        {"coordination.k8s.io", "leases", "", "update", "default", "vpsie-autoscaler-leader"},
        {"admissionregistration.k8s.io", "validatingwebhookconfigurations", "", "delete", "",
         PERMISSION_HOOK_WEBHOOK},
        {"rbac.authorization.k8s.io", "clusterroles", "", "patch", "", "vpsie-coordinator"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (may(CLUSTER_COORDINATOR, &refused[i])) {
            fail_msg("granted: %s %s/%s", refused[i].verb, refused[i].resource, refused[i].subresource);
        }
    }
}

// ---------------------------------------------------------------------------------------------- life

static void a_first_installation_watches_and_its_agents_are_believed(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    story_wait("a coordinator that leads and only watches", story_only_watches);
    story_wait("another that stands by", story_one_stands_by);
    story_wait("an agent on each node, by its token", story_agents_are_heard);
    assert_kubectl(&out, "-n kube-system rollout status deploy/vpsie-coordinator --timeout=60s");
    story_assert_documented(&out, "install.md");
    assert_kubectl(&out, "-n kube-system rollout status ds/vpsie-agent --timeout=60s");
    assert_has(&out, "daemon set \"vpsie-agent\" successfully rolled out");
}

static void apply_group(void)
{
    AUTOTEXT struct text group = {0}, out = {0};
    text_printf(
        &group,
        "apiVersion: autoscaler.vpsie.com/v1alpha1\nkind: NodeGroup\nmetadata:\n  name: general\n"
        "  namespace: kube-system\n  labels: {autoscaler.vpsie.com/managed: \"true\"}\nspec:\n  minNodes: 1\n"
        "  maxNodes: 5\n  datacenterID: %s\n  resourceIdentifier: %s\n  project: default\n"
        "  offeringIDs: [\"1\"]\n  kubeSizeID: 1\n  kubernetesVersion: v1.31.4\n  labels: {pool: general}\n"
        "  scaleUpPolicy: {stabilizationWindowSeconds: 1}\n"
        "  scaleDownPolicy: {stabilizationWindowSeconds: 2, cooldownSeconds: 1}\n",
        STAGE_DATACENTER, STAGE_CLUSTER);
    story_apply("group", text_get(&group), &out);
    story_assert_documented(&out, "install.md");
}

static void check_finds_nothing_wrong(void **state)
{
    (void)state;
    static const char *const good[] = {"API server",  "permissions", "definitions", "certificate", "lease",
                                       "predecessor", "groups",      "secret",      "credentials", "cluster",
                                       "offers",      "quota",       "agents"};
    AUTOTEXT struct text out = {0};
    apply_group();
    int status = kubelets_check(&story.kubelets, false, &out);
    print_message("%s", text_get(&out));
    assert_int_equal(status, 0);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        AUTOFREE char *line = xprintf("ok     %-12s  ", good[i]);
        assert_has(&out, line);
    }
}

// As the Go controller leaves them: nobody answers, and every change of a NodeGroup is refused.
static void leftovers_of_the_predecessor_stop_everything_until_they_are_removed_as_check_says(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    story_apply(
        "hooks",
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\n"
        "metadata: {name: " PERMISSION_HOOK_WEBHOOK "}\nwebhooks:\n- name: nodegroups.autoscaler.vpsie.com\n"
        "  admissionReviewVersions: [v1]\n  sideEffects: None\n  failurePolicy: Fail\n  timeoutSeconds: 1\n"
        "  clientConfig: {service: {name: vpsie-autoscaler-webhook, namespace: kube-system}}\n"
        "  rules:\n  - {apiGroups: [autoscaler.vpsie.com], apiVersions: [v1alpha1], operations: [UPDATE],\n"
        "     resources: [nodegroups]}\n",
        &out);
    assert_int_equal(kubelets_check(&story.kubelets, false, &out), 1);
    assert_has(&out, "WRONG  predecessor   " PERMISSION_HOOK_WEBHOOK);
    assert_has(&out, "fix: kubectl delete validatingwebhookconfiguration " PERMISSION_HOOK_WEBHOOK);
    assert_int_not_equal(cluster_kubectl(&story.cluster, &out, "-n kube-system annotate ng general a=b"), 0);
    assert_kubectl(&out, "delete validatingwebhookconfiguration " PERMISSION_HOOK_WEBHOOK);
    assert_int_equal(kubelets_check(&story.kubelets, false, &out), 0);
}

static bool minimum_is_there(void)
{
    return story_counts().machines == 1 && story_count_listed("/api/v1/nodes") == 2 &&
           story_count_listed("/apis/autoscaler.vpsie.com/v1alpha1/vpsienodes") == 1 &&
           story_agents_are_heard();
}

static void nothing_is_ordered_until_somebody_says_resume(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    assert_int_equal(story_counts().machines, 0);
    assert_int_equal(kubelets_ask(&story.kubelets, false, (const char *const[]){"resume", NULL}, &out), 0);
    story_assert_documented(&out, "install.md");
    story_wait("a coordinator that acts", story_acts);
    story_wait("the group's one machine as a Node with an agent", minimum_is_there);
}

static void deploy(int replicas)
{
    AUTOTEXT struct text text = {0}, out = {0};
    text_printf(
        &text,
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n"
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web, namespace: shop}\n"
        "spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}\n---\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n  replicas: "
        "%d\n"
        "  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n"
        "      terminationGracePeriodSeconds: 1\n      containers:\n      - name: web\n        image: web\n"
        "        resources: {requests: {cpu: 800m, memory: 256Mi}}\n",
        replicas);
    story_apply("web", text_get(&text), &out);
}

static int pods_that(const char *phase)
{
    AUTOFREE char *path = xprintf("/api/v1/namespaces/shop/pods?fieldSelector=status.phase%%3D%s", phase);
    return story_count_listed(path);
}

static bool all_six_run(void)
{
    return pods_that("Running") == 6 && pods_that("Pending") == 0;
}

static void pods_that_the_scheduler_cannot_place_get_machines(void **state)
{
    (void)state;
    deploy(6);
    story_wait("six pods on three machines", all_six_run);
    assert_true(story_counts().machines >= 3);
    story_wait("their agents", story_agents_are_heard);
}

static unsigned evictions(void)
{
    unsigned count = 0;
    AUTOTEXT struct text log = {0};
    assert_int_equal(text_read_file(story.cluster.audit_path, AUDIT_BYTES_MAX, &log, NULL), 0);
    for (const char *at = text_get(&log); (at = strstr(at, "\"subresource\":\"eviction\"")) != NULL; at++) {
        count++;
    }
    return count;
}

static bool two_machines_carry_three_pods(void)
{
    return story_counts().machines == 2 && pods_that("Running") == 3 && pods_that("Pending") == 0 &&
           story_count_listed("/api/v1/nodes") == 3;
}

// One pod of each node is the first to go when their number shrinks.
static void let_one_of_each_node_go(void)
{
    char seen[1024] = "";
    AUTOJSON cJSON *pods = cluster_ask(&story.client, "GET", "/api/v1/namespaces/shop/pods", NULL, NULL);
    const cJSON *pod;
    cJSON_ArrayForEach(pod, json_at(pods, "items"))
    {
        const char *node = json_text(pod, "spec.nodeName");
        if (strstr(seen, node) == NULL) {
            AUTOTEXT struct text out = {0};
            size_t used = strlen(seen);
            snprintf(seen + used, sizeof seen - used, "%s ", node);
            assert_kubectl(&out, "-n shop annotate pod %s controller.kubernetes.io/pod-deletion-cost=-100",
                           json_text(pod, "metadata.name"));
        }
    }
}

// Of two pods a machine one goes each, and what is left fits on two machines.
static void a_machine_that_is_half_empty_is_drained_by_eviction_and_deleted(void **state)
{
    (void)state;
    let_one_of_each_node_go();
    deploy(3);
    story_wait("two machines, their Nodes, three pods", two_machines_carry_three_pods);
    assert_true(evictions() > 0);
}

static bool one_machine_is_left(void)
{
    AUTOTEXT struct text out = {0};
    return minimum_is_there() && pods_that("Running") == 1 &&
           cluster_kubectl(&story.cluster, &out,
                           "-n kube-system get ng general -o "
                           "jsonpath='{.status.currentNodes} {.status.readyNodes} {.status.desiredNodes}'") ==
               0 &&
           strcmp(text_get(&out), "1 1 1") == 0;
}

static void machines_that_are_no_longer_needed_go_down_to_the_minimum(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    deploy(1);
    story_wait("one machine, its Node, its VPSieNode, one pod, and a status that says so",
               one_machine_is_left);
    assert_kubectl(&out, "-n kube-system get events.events.k8s.io --no-headers");
    assert_has(&out, "nodegroup/general");
}

static char *holder(void)
{
    AUTOJSON cJSON *lease = cluster_ask(
        &story.client, "GET",
        "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/vpsie-autoscaler-leader", NULL, NULL);
    return xstrdup(json_text(lease, "spec.holderIdentity"));
}

static char former[256];

static bool another_leads(void)
{
    AUTOFREE char *now = holder();
    return *now != '\0' && strcmp(now, former) != 0 && story_acts() && story_agents_are_heard();
}

static void the_standby_goes_on_when_the_leaders_pod_is_deleted(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    AUTOFREE char *name = holder();
    snprintf(former, sizeof former, "%s", name);
    assert_kubectl(&out, "-n kube-system delete pod %.*s --wait=false", (int)strcspn(name, "@"), name);
    story_wait("another leader that story_acts, with every agent", another_leads);
    story_wait("a new standby", story_one_stands_by);
    assert_int_equal(story_counts().machines, 1);
}

static bool authority_is_back(void)
{
    AUTOTEXT struct text out = {0};
    return cluster_kubectl(&story.cluster, &out,
                           "-n kube-system get cm vpsie-coordinator-ca -o jsonpath='{.data.ca\\.crt}'") ==
               0 &&
           strstr(text_get(&out), "BEGIN CERTIFICATE") != NULL;
}

static void what_agents_trust_is_published_again_when_somebody_spoils_it(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    assert_kubectl(
        &out, "-n kube-system patch cm vpsie-coordinator-ca --type=merge -p '{\"data\":{\"ca.crt\":\"x\"}}'");
    story_wait("the authority's certificate in the ConfigMap", authority_is_back);
}

// ---------------------------------------------------------------------------------------------- afterwards

static bool is_granted(const cJSON *request)
{
    for (size_t i = 0; i < permission_count; i++) {
        const struct permission *row = &permissions[i];
        if (strcmp(json_text(request, "verb"), row->verb) == 0 &&
            strcmp(json_text(request, "objectRef.apiGroup"), row->group) == 0 &&
            strcmp(json_text(request, "objectRef.resource"), row->resource) == 0 &&
            strcmp(json_text(request, "objectRef.subresource"), row->subresource) == 0) {
            return true;
        }
    }
    return false;
}

static void count_request(const cJSON *request, unsigned *asked)
{
    for (size_t i = 0; i < permission_count; i++) {
        const struct permission *row = &permissions[i];
        asked[i] += strcmp(json_text(request, "verb"), row->verb) == 0 &&
                    strcmp(json_text(request, "objectRef.apiGroup"), row->group) == 0 &&
                    strcmp(json_text(request, "objectRef.resource"), row->resource) == 0 &&
                    strcmp(json_text(request, "objectRef.subresource"), row->subresource) == 0;
    }
}

// The API server's own account of what was asked.
static void the_audit_log_holds_no_refusal_and_nothing_that_is_not_in_the_table(void **state)
{
    (void)state;
    AUTOTEXT struct text log = {0};
    unsigned *asked = xcalloc(permission_count, sizeof *asked), requests = 0, later = 0;
    assert_int_equal(text_read_file(story.cluster.audit_path, AUDIT_BYTES_MAX, &log, NULL), 0);
    AUTOFREE char *copy = xstrdup(text_get(&log));
    char *rest = copy;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        AUTOJSON cJSON *request = cJSON_Parse(line);
        const char *group = json_text(request, "objectRef.apiGroup");
        if (json_at(request, "objectRef") == NULL || strcmp(group, "authorization.k8s.io") == 0) {
            continue; // /version and the like, and `check` that asks what it may
        }
        requests++;
        later += json_number(request, "responseStatus.code", 0) == 429;
        if (json_number(request, "responseStatus.code", 0) == 403 || !is_granted(request) ||
            strcmp(json_text(request, "user.username"), CLUSTER_COORDINATOR) != 0) {
            fail_msg("%s", line);
        }
        count_request(request, asked);
    }
    unsigned used = 0;
    for (size_t i = 0; i < permission_count; i++) {
        used += asked[i] > 0;
        print_message("%6u  %s %s/%s%s%s\n", asked[i], permissions[i].verb, permissions[i].group,
                      permissions[i].resource, *permissions[i].subresource != '\0' ? "/" : "",
                      permissions[i].subresource);
    }
    print_message("%u requests, %u of %zu permissions used, %u answers of 429\n", requests, used,
                  permission_count, later);
    free(asked);
    assert_true(used * 10 > permission_count * 8);
}

static void release_and_remove_leave_every_machine(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    int machines = story_counts().machines;
    assert_int_equal(kubelets_ask(&story.kubelets, false, (const char *const[]){"release", NULL}, &out), 0);
    print_message("%s", text_get(&out));
    assert_kubectl(&out, "get vn,ng -A -o jsonpath='{.items[*].metadata.finalizers}'");
    assert_string_equal(text_get(&out), "");
    assert_kubectl(&out, "-n kube-system delete deploy/vpsie-coordinator ds/vpsie-agent --timeout=60s");
    assert_kubectl(&out, "delete -k " SOURCE "/deploy/overlays/small --ignore-not-found --timeout=60s");
    assert_kubectl(&out, "-n kube-system delete lease/vpsie-autoscaler-leader secret/vpsie-coordinator-tls "
                         "cm/vpsie-coordinator-ca secret/vpsie-secret");
    assert_kubectl(&out, "get crd -o name");
    assert_string_equal(text_get(&out), "");
    assert_int_equal(story_counts().machines, machines);
    assert_int_equal(story_count_listed("/api/v1/nodes"), 2);
    assert_kubectl(&out, "get nodes -o jsonpath='{.items[*].spec.unschedulable}'");
    assert_string_equal(text_get(&out), "");
}

int main(void)
{
    if (!story_is_possible()) {
        return STORY_NOT_POSSIBLE;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_api_server_takes_every_overlay_without_a_warning),
        cmocka_unit_test(the_credentials_and_the_programs_are_installed_with_the_words_of_the_document),
        cmocka_unit_test(samples_are_taken_and_wrong_objects_are_refused_for_the_reason_that_is_theirs),
        cmocka_unit_test(the_coordinator_may_what_it_needs),
        cmocka_unit_test(and_nothing_that_it_does_not),
        cmocka_unit_test(a_first_installation_watches_and_its_agents_are_believed),
        cmocka_unit_test(check_finds_nothing_wrong),
        cmocka_unit_test(leftovers_of_the_predecessor_stop_everything_until_they_are_removed_as_check_says),
        cmocka_unit_test(nothing_is_ordered_until_somebody_says_resume),
        cmocka_unit_test(pods_that_the_scheduler_cannot_place_get_machines),
        cmocka_unit_test(a_machine_that_is_half_empty_is_drained_by_eviction_and_deleted),
        cmocka_unit_test(machines_that_are_no_longer_needed_go_down_to_the_minimum),
        cmocka_unit_test(the_standby_goes_on_when_the_leaders_pod_is_deleted),
        cmocka_unit_test(what_agents_trust_is_published_again_when_somebody_spoils_it),
        cmocka_unit_test(the_audit_log_holds_no_refusal_and_nothing_that_is_not_in_the_table),
        cmocka_unit_test(release_and_remove_leave_every_machine),
    };
    return cmocka_run_group_tests(tests, story_begin, story_end);
}

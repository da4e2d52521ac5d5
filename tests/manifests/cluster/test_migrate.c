// From the Go controller and back by the book (docs/migrate.md), on a real control plane: what it leaves is
// stored by a real API server, its webhook really refuses, its Lease is really held. No machine and no node
// may be touched.
#include "tests/manifests/cluster/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "coordinator/kube/permissions.h"
#include "tests/world/json.h"

#define NODES 2
#define GO    "vpsie-k8s-autoscaler-5d4f-x7q2p_1"
#define LEASE "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/vpsie-autoscaler-leader"
#define OURS  "/apis/autoscaler.vpsie.com/v1alpha1/namespaces/kube-system"

// Two machines of its group are there, as Nodes.
static int begin(void **state)
{
    if (story_begin(state) != 0) {
        return -1;
    }
    stage_lock(story.stage);
    cloud_create_group(story.stage->world, STAGE_CLUSTER, "general", 1);
    int64_t group = cloud_group_by_name(story.stage->world, STAGE_CLUSTER, "general")->id;
    cloud_add_present(story.stage->world, STAGE_CLUSTER, "k8s-old-1", group, 1, false);
    cloud_add_present(story.stage->world, STAGE_CLUSTER, "k8s-old-2", group, 1, false);
    stage_unlock(story.stage);
    return 0;
}

static void patch(const char *path, const char *body)
{
    int status = 0;
    AUTOJSON cJSON *answer = cluster_ask(&story.client, "PATCH", path, body, &status);
    if (status != 200) {
        fail_msg("%s: %d %s", path, status, json_text(answer, "message"));
    }
}

static void store_what_it_made(void)
{
    AUTOTEXT struct text made = {0}, out = {0};
    text_printf(
        &made,
        "apiVersion: autoscaler.vpsie.com/v1alpha1\nkind: NodeGroup\nmetadata: {name: general, namespace: "
        "kube-system, labels: {autoscaler.vpsie.com/managed: \"true\"}, finalizers: "
        "[nodegroup.autoscaler.vpsie.com/finalizer]}\nspec: {minNodes: 2, maxNodes: 4, datacenterID: %s, "
        "resourceIdentifier: %s, project: p, offeringIDs: [\"1\"], kubeSizeID: 1, kubernetesVersion: "
        "v1.31.4}\n",
        STAGE_DATACENTER, STAGE_CLUSTER);
    for (int i = 1; i <= NODES; i++) {
        text_printf(
            &made,
            "---\napiVersion: autoscaler.vpsie.com/v1alpha1\nkind: VPSieNode\nmetadata: {name: general-%d, "
            "namespace: kube-system, labels: {autoscaler.vpsie.com/managed: \"true\", "
            "autoscaler.vpsie.com/nodegroup: general}, finalizers: "
            "[vpsienode.autoscaler.vpsie.com/finalizer]}\nspec: {vpsieInstanceID: 0, instanceType: \"1\", "
            "nodeGroupName: general, datacenterID: %s, resourceIdentifier: %s, project: p, "
            "kubernetesVersion: v1.31.4, nodeName: k8s-old-%d}\n",
            i, STAGE_DATACENTER, STAGE_CLUSTER, i);
    }
    story_apply("made", text_get(&made), &out);
    for (int i = 1; i <= NODES; i++) {
        AUTOFREE char *path = xprintf(OURS "/vpsienodes/general-%d/status", i);
        AUTOFREE char *status = xprintf(
            "{\"status\":{\"phase\":\"Ready\",\"nodeName\":\"k8s-old-%d\",\"hostname\":\"k8s-old-%d\"}}", i,
            i);
        patch(path, status);
    }
}

// Somebody holds it who will not let go by himself.
static void hold_the_lease(void)
{
    AUTOTEXT struct text lease = {0}, out = {0};
    AUTOJSON cJSON *now = json_of("{}");
    json_set_time(now, "at", clock_wall_ms());
    AUTOFREE char *at = xstrdup(json_text(now, "at"));
    at[strlen(at) - 1] = '\0'; // its Z comes after the microseconds
    text_printf(&lease,
                "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: vpsie-autoscaler-leader, "
                "namespace: "
                "kube-system}\nspec: {holderIdentity: " GO
                ", leaseDurationSeconds: 600, leaseTransitions: 3, "
                "acquireTime: \"%s.000000Z\", renewTime: \"%s.000000Z\"}\n",
                at, at);
    story_apply("lease", text_get(&lease), &out);
}

static void what_the_go_controller_has_stored_is_valid_under_our_definitions(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    assert_kubectl(&out, "apply -k " SOURCE "/deploy/crds");
    assert_kubectl(&out, "wait --for=condition=Established --timeout=60s crd --all");
    store_what_it_made();
    hold_the_lease();
    story_apply(
        "hooks",
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\n"
        "metadata: {name: " PERMISSION_HOOK_WEBHOOK "}\nwebhooks:\n- name: nodegroups.autoscaler.vpsie.com\n"
        "  admissionReviewVersions: [v1]\n  sideEffects: None\n  failurePolicy: Fail\n  timeoutSeconds: 1\n"
        "  clientConfig: {service: {name: vpsie-autoscaler-webhook, namespace: kube-system}}\n  rules:\n"
        "  - {apiGroups: [autoscaler.vpsie.com], apiVersions: [v1alpha1], operations: [CREATE, UPDATE],\n"
        "     resources: [nodegroups]}\n",
        &out);
    assert_kubectl(&out, "get ng,vn,asc -A -o yaml > %s/before.yaml", story.stage->dir);
    assert_kubectl(
        &out, "get validatingwebhookconfiguration " PERMISSION_HOOK_WEBHOOK " -o yaml > %s/webhooks.yaml",
        story.stage->dir);
}

static void beside_it_ours_stand_by_and_check_names_who_leads(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    assert_kubectl(&out,
                   "-n kube-system create secret generic vpsie-secret --from-literal=token=" STORY_VPSIE_TOKEN
                   " --from-literal=url=https://localhost:%d/apps/v2",
                   https_port(story.stage->vpsie_server));
    assert_kubectl(&out, "apply -k " SOURCE "/deploy/overlays/small");
    story_wait("a coordinator that stands by", story_one_stands_by);
    assert_int_equal(kubelets_ask(&story.kubelets, true, (const char *const[]){"status", NULL}, &out), 0);
    assert_has(&out, "STANDBY");
    assert_int_equal(kubelets_check(&story.kubelets, true, &out), 1);
    assert_has(&out, GO " holds it, which is none of our pods");
    assert_has(&out, "WRONG  predecessor   " PERMISSION_HOOK_WEBHOOK);
    assert_has(&out, "all ");
}

static void when_it_is_gone_ours_lead_and_only_watch(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    patch(LEASE, "{\"spec\":{\"leaseDurationSeconds\":1}}"); // nobody renews it any more
    assert_kubectl(&out, "delete -f %s/webhooks.yaml", story.stage->dir);
    story_wait("a coordinator that leads and only watches", story_only_watches);
    story_wait("an agent on each node", story_agents_are_heard);
    assert_int_equal(kubelets_ask(&story.kubelets, false, (const char *const[]){"status", NULL}, &out), 0);
    print_message("%s\n", text_get(&out));
    assert_int_equal(kubelets_ask(&story.kubelets, false, (const char *const[]){"nodes", NULL}, &out), 0);
    assert_has(&out, "k8s-old-1");
    assert_has(&out, "k8s-old-2");
}

static void assert_untouched(void)
{
    AUTOTEXT struct text out = {0};
    struct stage_counts counts = story_counts();
    assert_int_equal(counts.machines, NODES);
    assert_int_equal(counts.add_calls, 0);
    assert_int_equal(counts.delete_calls, 0);
    assert_int_equal(story_count_listed("/api/v1/nodes"), NODES + 1);
    assert_kubectl(&out, "get nodes k8s-old-1 k8s-old-2 -o "
                         "jsonpath='{.items[*].spec.unschedulable}{.items[*].spec.taints}'");
    assert_string_equal(text_get(&out), "");
    assert_kubectl(&out, "-n kube-system get ng,vn -o jsonpath='{.items[*].metadata.finalizers}'");
    assert_has(&out, "nodegroup.autoscaler.vpsie.com/finalizer");
    assert_has(&out, "vpsienode.autoscaler.vpsie.com/finalizer");
}

static bool group_counts_them(void)
{
    AUTOTEXT struct text out = {0};
    return cluster_kubectl(
               &story.cluster, &out,
               "-n kube-system get ng general -o jsonpath='{.status.currentNodes} {.status.readyNodes}'") ==
               0 &&
           strcmp(text_get(&out), "2 2") == 0;
}

static void after_resume_its_machines_are_cared_for_and_none_is_touched(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    assert_untouched();
    assert_int_equal(kubelets_ask(&story.kubelets, false, (const char *const[]){"resume", NULL}, &out), 0);
    story_wait("a coordinator that acts", story_acts);
    story_wait("a status with both machines", group_counts_them);
    assert_untouched();
}

static bool nobody_leads(void)
{
    AUTOJSON cJSON *lease = cluster_ask(&story.client, "GET", LEASE, NULL, NULL);
    return *json_text(lease, "spec.holderIdentity") == '\0' &&
           story_count_listed("/api/v1/nodes") == NODES + 1;
}

static void and_back_with_the_words_of_the_manual(void **state)
{
    (void)state;
    AUTOTEXT struct text out = {0};
    assert_int_equal(
        kubelets_ask(&story.kubelets, false, (const char *const[]){"pause", "going back", NULL}, &out), 0);
    assert_kubectl(&out, "-n kube-system scale deploy/vpsie-coordinator --replicas=0");
    story_wait("a Lease that is free for the Go controller", nobody_leads);
    assert_kubectl(&out, "apply -f %s/webhooks.yaml", story.stage->dir);
    hold_the_lease();
    assert_kubectl(&out, "-n kube-system delete ds/vpsie-agent deploy/vpsie-coordinator --timeout=60s");
    assert_untouched();
}

int main(void)
{
    if (!story_is_possible()) {
        return STORY_NOT_POSSIBLE;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_go_controller_has_stored_is_valid_under_our_definitions),
        cmocka_unit_test(beside_it_ours_stand_by_and_check_names_who_leads),
        cmocka_unit_test(when_it_is_gone_ours_lead_and_only_watch),
        cmocka_unit_test(after_resume_its_machines_are_cared_for_and_none_is_touched),
        cmocka_unit_test(and_back_with_the_words_of_the_manual),
    };
    return cmocka_run_group_tests(tests, begin, story_end);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "coordinator/model/cluster.h"
#include "coordinator/model/resources.h"
#include "tests/support/make_facts.h"

static struct cluster *cluster;

static int setup(void **state)
{
    (void)state;
    cluster = cluster_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cluster_destroy(cluster);
    return 0;
}

static struct node *put_node(const char *name)
{
    struct node_facts facts = make_node(name);
    return cluster_put_node(cluster, &facts);
}

static struct pod *put_pod(const char *name, const char *node_name, int64_t cpu_millis)
{
    struct pod_facts facts = make_pod(name, node_name, cpu_millis, 1);
    return cluster_put_pod(cluster, &facts);
}

static void a_pod_is_found_by_name_and_by_uid(void **state)
{
    (void)state;
    struct pod_facts facts = make_pod("web-1", "", 100, 1);
    facts.uid = "uid-1";
    struct pod *pod = cluster_put_pod(cluster, &facts);
    assert_ptr_equal(cluster_pod(cluster, "default", "web-1"), pod);
    assert_ptr_equal(cluster_pod_by_uid(cluster, "uid-1"), pod);
    assert_null(cluster_pod(cluster, "other", "web-1"));
    assert_null(cluster_pod(cluster, "default", "web-2"));
    assert_null(cluster_pod_by_uid(cluster, ""));
    assert_string_equal(pod->name, "web-1");
    assert_string_equal(pod->uid, "uid-1");
    assert_true(cluster_remove_pod(cluster, "default", "web-1", "uid-1"));
    assert_null(cluster_pod(cluster, "default", "web-1"));
    assert_null(cluster_pod_by_uid(cluster, "uid-1"));
    assert_int_equal(cluster->pod_count, 0);
}

static void everything_told_of_a_pod_is_kept(void **state)
{
    (void)state;
    static const char *const volumes[] = {"cache", "logs"};
    struct pod_facts facts = make_pod("web-1", "", 100, 1);
    facts.nominated_node = "n7";
    facts.phase = POD_RUNNING;
    facts.mirror = facts.unschedulable = facts.gated = facts.do_not_disrupt = true;
    facts.safe_to_evict = TRISTATE_FALSE;
    facts.unschedulable_since_ms = 5;
    facts.deletion_ms = 6;
    facts.grace_seconds = 7;
    facts.unschedulable_message = "0/3 nodes";
    facts.safe_local_volumes = "cache";
    facts.local_volumes = volumes;
    facts.local_volume_count = 2;
    const struct pod *pod = cluster_put_pod(cluster, &facts);
    assert_string_equal(pod->nominated_node, "n7");
    assert_int_equal(pod->phase, POD_RUNNING);
    assert_true(pod->mirror && pod->unschedulable && pod->gated && pod->do_not_disrupt);
    assert_int_equal(pod->safe_to_evict, TRISTATE_FALSE);
    assert_int_equal(pod->unschedulable_since_ms, 5);
    assert_int_equal(pod->created_ms, 1000);
    assert_int_equal(pod->deletion_ms, 6);
    assert_int_equal(pod->grace_seconds, 7);
    assert_string_equal(pod->unschedulable_message, "0/3 nodes");
    assert_string_equal(pod->safe_local_volumes, "cache");
    assert_int_equal(pod->local_volume_count, 2);
    assert_string_equal(pod->local_volumes[1], "logs");
    assert_string_equal(pod->controller_kind, "ReplicaSet");
    assert_string_equal(pod->controller_name, "web-5d9c");
    assert_string_equal(pod->controller_uid, "web-uid");
    facts.local_volume_count = 1;
    cluster_put_pod(cluster, &facts);
    assert_int_equal(pod->local_volume_count, 1);
}

static void nothing_told_is_borrowed(void **state)
{
    (void)state;
    char name[] = "web-1";
    char uid[] = "uid-1";
    char message[] = "no room";
    char volume[] = "cache";
    const char *volumes[] = {volume};
    struct pod_facts facts = make_pod(name, "", 100, 1);
    facts.uid = uid;
    facts.unschedulable_message = message;
    facts.local_volumes = volumes;
    facts.local_volume_count = 1;
    const struct pod *pod = cluster_put_pod(cluster, &facts);
    name[0] = uid[0] = message[0] = volume[0] = 'X';
    assert_string_equal(pod->name, "web-1");
    assert_string_equal(pod->uid, "uid-1");
    assert_string_equal(pod->unschedulable_message, "no room");
    assert_string_equal(pod->local_volumes[0], "cache");
}

static void telling_a_pod_again_changes_nothing(void **state)
{
    (void)state;
    put_node("n1");
    struct pod *pod = put_pod("web-1", "n1", 100);
    pod->verdict = strings_intern(cluster->strings, "waits");
    uint64_t version = cluster->version;
    assert_ptr_equal(put_pod("web-1", "n1", 100), pod);
    assert_int_equal(cluster->version, version);
    assert_string_equal(pod->verdict, "waits");
    assert_int_equal(pod->node->requested.cpu_millis, 100);
}

static void the_schedulers_message_and_readiness_change_no_decision(void **state)
{
    (void)state;
    struct pod_facts facts = make_pod("web-1", "", 100, 1);
    struct pod *pod = cluster_put_pod(cluster, &facts);
    uint64_t version = cluster->version;
    facts.ready = true;
    facts.unschedulable_message = "0/5 nodes are available";
    cluster_put_pod(cluster, &facts);
    assert_int_equal(cluster->version, version);
    assert_true(pod->ready);
    assert_string_equal(pod->unschedulable_message, "0/5 nodes are available");
    facts.unschedulable_message = "";
    cluster_put_pod(cluster, &facts);
    assert_string_equal(pod->unschedulable_message, "");
}

// Each change that can matter moves the version and clears what was said of the pod.
static void any_other_change_is_a_change(void **state)
{
    (void)state;
    static const char *const volumes[] = {"cache"};
    struct labels labels = LABELS({"app", "web"});
    struct pod_facts facts = make_pod("web-1", "", 100, 1);
    struct pod *pod = cluster_put_pod(cluster, &facts);
    for (int change = 0; change < 20; change++) {
        switch (change) {
        case 0: facts.nominated_node = "n9"; break;
        case 1: facts.shape.requests.cpu_millis = 200; break;
        case 2: facts.phase = POD_RUNNING; break;
        case 3: facts.controller_kind = "Job"; break;
        case 4: facts.controller_name = "other"; break;
        case 5: facts.controller_uid = "other"; break;
        case 6: facts.mirror = true; break;
        case 7: facts.unschedulable = true; break;
        case 8: facts.gated = true; break;
        case 9: facts.unschedulable_since_ms = 5; break;
        case 10: facts.created_ms = 6; break;
        case 11: facts.deletion_ms = 7; break;
        case 12: facts.grace_seconds = 8; break;
        case 13: facts.terminal = true; break;
        case 14: facts.safe_to_evict = TRISTATE_TRUE; break;
        case 15: facts.do_not_disrupt = true; break;
        case 16: facts.safe_local_volumes = "cache"; break;
        case 17:
            facts.local_volumes = volumes;
            facts.local_volume_count = 1;
            break;
        case 18: facts.shape.labels = labels; break;
        case 19: facts.node_name = "n1"; break;
        default: break;
        }
        uint64_t version = cluster->version;
        pod->verdict = strings_intern(cluster->strings, "waits");
        pod->verdict_decision_id = 9;
        assert_ptr_equal(cluster_put_pod(cluster, &facts), pod);
        if (cluster->version != version + 1)
            fail_msg("change %d was not seen", change);
        assert_string_equal(pod->verdict, "");
        assert_int_equal(pod->verdict_decision_id, 0);
    }
}

static void bound_pods_are_summed_on_their_node(void **state)
{
    (void)state;
    struct node *node = put_node("n1");
    put_pod("a", "n1", 100);
    put_pod("b", "n1", 250);
    assert_int_equal(node->requested.cpu_millis, 350);
    assert_int_equal(node->requested.pods, 2);
    assert_int_equal(node->pod_count, 2);
    put_pod("b", "n1", 300);
    assert_int_equal(node->requested.cpu_millis, 400);
    cluster_remove_pod(cluster, "default", "a", "");
    assert_int_equal(node->requested.cpu_millis, 300);
    assert_int_equal(node->pod_count, 1);
    assert_string_equal(node->pods->name, "b");
    assert_ptr_equal(node->last_pod, node->pods);
}

static void a_pod_that_has_ended_is_listed_but_not_summed(void **state)
{
    (void)state;
    struct node *node = put_node("n1");
    struct pod_facts facts = make_pod("a", "n1", 100, 1);
    cluster_put_pod(cluster, &facts);
    facts.phase = POD_SUCCEEDED;
    facts.terminal = true;
    cluster_put_pod(cluster, &facts);
    assert_int_equal(node->requested.cpu_millis, 0);
    assert_int_equal(node->pod_count, 0);
    assert_string_equal(node->pods->name, "a");
    cluster_remove_pod(cluster, "default", "a", "");
    assert_int_equal(node->requested.cpu_millis, 0);
    assert_null(node->pods);
}

static void a_pod_being_deleted_counts_until_it_is_gone(void **state)
{
    (void)state;
    struct node *node = put_node("n1");
    struct pod_facts facts = make_pod("a", "n1", 100, 1);
    facts.deletion_ms = 99;
    cluster_put_pod(cluster, &facts);
    assert_int_equal(node->requested.cpu_millis, 100);
}

static void a_pod_moves_from_waiting_to_its_node(void **state)
{
    (void)state;
    struct node *node = put_node("n1");
    struct pod *first = put_pod("a", "", 100);
    struct pod *second = put_pod("b", "", 100);
    assert_ptr_equal(cluster->unbound, first);
    assert_ptr_equal(first->next, second);
    assert_int_equal(cluster->unbound_count, 2);
    put_pod("a", "n1", 100);
    assert_ptr_equal(cluster->unbound, second);
    assert_ptr_equal(cluster->last_unbound, second);
    assert_int_equal(cluster->unbound_count, 1);
    assert_ptr_equal(first->node, node);
    assert_ptr_equal(node->pods, first);
    assert_null(first->next);
    assert_int_equal(node->requested.cpu_millis, 100);
}

static void a_changed_pod_keeps_its_place_in_the_order(void **state)
{
    (void)state;
    struct node *node = put_node("n1");
    put_pod("a", "n1", 1);
    put_pod("b", "n1", 1);
    put_pod("a", "n1", 2);
    assert_string_equal(node->pods->name, "a");
    assert_true(node->pods->sequence < node->pods->next->sequence);
}

static void pods_wait_apart_for_a_node_that_is_not_there(void **state)
{
    (void)state;
    put_pod("a", "n1", 100);
    put_pod("b", "n1", 200);
    put_pod("c", "n2", 400);
    assert_null(cluster->unbound);
    assert_int_equal(cluster->stray_count, 3);
    assert_string_equal(cluster->strays->node_name, "n1");
    assert_string_equal(cluster->strays->next->node_name, "n2");
    struct node *node = put_node("n1");
    assert_int_equal(node->requested.cpu_millis, 300);
    assert_int_equal(node->pod_count, 2);
    assert_string_equal(node->pods->name, "a");
    assert_ptr_equal(node->pods->node, node);
    assert_int_equal(cluster->stray_count, 1);
    assert_true(cluster_remove_pod(cluster, "default", "c", ""));
    assert_null(cluster->strays);
    assert_null(cluster->last_stray);
    assert_int_equal(cluster->stray_count, 0);
}

static void pods_stay_with_the_name_of_a_node_that_goes(void **state)
{
    (void)state;
    put_node("n1");
    struct pod *pod = put_pod("a", "n1", 100);
    assert_true(cluster_remove_node(cluster, "n1", "n1"));
    assert_null(pod->node);
    assert_int_equal(cluster->stray_count, 1);
    put_pod("a", "n1", 150); // it may change meanwhile
    struct node *again = put_node("n1");
    assert_ptr_equal(pod->node, again);
    assert_int_equal(again->requested.cpu_millis, 150);
}

static void a_pod_with_another_uid_is_another_pod(void **state)
{
    (void)state;
    struct node *node = put_node("n1");
    struct pod_facts facts = make_pod("db-0", "n1", 100, 1);
    facts.uid = "old";
    uint64_t sequence = cluster_put_pod(cluster, &facts)->sequence;
    facts.uid = "new";
    facts.node_name = "";
    struct pod *pod = cluster_put_pod(cluster, &facts);
    assert_true(pod->sequence > sequence);
    assert_null(cluster_pod_by_uid(cluster, "old"));
    assert_ptr_equal(cluster_pod_by_uid(cluster, "new"), pod);
    assert_null(node->pods);
    assert_int_equal(cluster->pod_count, 1);
    assert_false(cluster_remove_pod(cluster, "default", "db-0", "old"));
    assert_ptr_equal(cluster_pod(cluster, "default", "db-0"), pod);
    assert_true(cluster_remove_pod(cluster, "default", "db-0", "new"));
    assert_false(cluster_remove_pod(cluster, "default", "db-0", "new"));
}

static void equal_pods_share_one_shape(void **state)
{
    (void)state;
    const struct pod *a = put_pod("a", "", 100);
    const struct pod *b = put_pod("b", "", 100);
    const struct pod *c = put_pod("c", "", 200);
    assert_ptr_equal(a->shape, b->shape);
    assert_ptr_not_equal(a->shape, c->shape);
    assert_int_equal(a->shape->references, 2);
    assert_true(a->shape->id < c->shape->id);
    cluster_remove_pod(cluster, "default", "b", "");
    assert_int_equal(a->shape->references, 1);
}

static void shapes_that_differ_in_labels_only_are_of_one_kind(void **state)
{
    (void)state;
    struct pod_facts facts = make_pod("db-0", "", 100, 1);
    facts.shape.labels = LABELS({"statefulset.kubernetes.io/pod-name", "db-0"});
    const struct pod *a = cluster_put_pod(cluster, &facts);
    facts.name = facts.uid = "db-1";
    facts.shape.labels = LABELS({"statefulset.kubernetes.io/pod-name", "db-1"});
    const struct pod *b = cluster_put_pod(cluster, &facts);
    assert_ptr_not_equal(a->shape, b->shape);
    assert_int_equal(a->shape->kind_id, b->shape->kind_id);
    assert_ptr_equal(a->shape->facts.tolerations, b->shape->facts.tolerations);
    assert_string_equal(labels_get(&b->shape->facts.labels, "statefulset.kubernetes.io/pod-name"), "db-1");
    facts.shape.requests.cpu_millis = 101;
    cluster_put_pod(cluster, &facts);
    assert_true(a->shape->kind_id != b->shape->kind_id);
}

static void a_shape_is_copied_in_all_its_depth(void **state)
{
    (void)state;
    static const struct extended_resource gpu[] = {{"nvidia.com/gpu", 1}};
    char zone[] = "zone-a";
    const char *const values[] = {zone, "zone-b"};
    struct requirement expression = {
        .key = "zone", .operator= SELECTOR_IN, .values = values, .value_count = 2};
    struct requirement field = {
        .key = "metadata.name", .operator= SELECTOR_NOT_IN, .values = values, .value_count = 1};
    struct node_term terms[] = {
        {.expressions = &expression, .expression_count = 1, .fields = &field, .field_count = 1}, {0}};
    struct toleration toleration = {
        .key = "gpu", .value = zone, .operator= TOLERATION_EQUAL, .effect = TAINT_NO_EXECUTE};
    struct label selector = {"disk", zone};
    struct pod_facts facts = make_pod("web-1", "", 100, 1);
    facts.shape.requests.extended = gpu;
    facts.shape.requests.extended_count = 1;
    facts.shape.has_affinity = true;
    facts.shape.affinity_terms = terms;
    facts.shape.affinity_term_count = 2;
    facts.shape.tolerations = &toleration;
    facts.shape.toleration_count = 1;
    facts.shape.node_selector = (struct labels){&selector, 1};
    facts.shape.priority = 7;
    const struct pod *pod = cluster_put_pod(cluster, &facts);
    assert_ptr_equal(cluster_put_pod(cluster, &facts), pod);
    zone[5] = 'X';
    const struct pod_shape_facts *kept = &pod->shape->facts;
    assert_string_equal(kept->affinity_terms[0].expressions[0].values[0], "zone-a");
    assert_string_equal(kept->affinity_terms[0].expressions[0].values[1], "zone-b");
    assert_string_equal(kept->affinity_terms[0].fields[0].values[0], "zone-a");
    assert_int_equal(kept->affinity_terms[0].fields[0].operator, SELECTOR_NOT_IN);
    assert_int_equal(kept->affinity_terms[1].expression_count, 0);
    assert_string_equal(kept->tolerations[0].value, "zone-a");
    assert_int_equal(kept->tolerations[0].effect, TAINT_NO_EXECUTE);
    assert_string_equal(labels_get(&kept->node_selector, "disk"), "zone-a");
    assert_int_equal(resources_extended(&kept->requests, "nvidia.com/gpu"), 1);
    assert_int_equal(kept->priority, 7);
    assert_string_equal(kept->scheduler_name, "default-scheduler");
}

static void pods_that_come_and_go_leave_nothing_behind(void **state)
{
    (void)state;
    put_node("n1");
    size_t before = 0;
    for (int i = 0; i < 500; i++) {
        char name[32];
        char hash[32];
        snprintf(name, sizeof(name), "job-%d-x", i);
        snprintf(hash, sizeof(hash), "uid-%d", i);
        struct pod_facts facts = make_pod(name, "n1", 100 + i, 1);
        facts.controller_name = facts.controller_uid = facts.unschedulable_message = hash;
        facts.shape.labels = (struct labels){.items = &(struct label){"job-name", name}, .count = 1};
        cluster_put_pod(cluster, &facts);
        cluster_remove_pod(cluster, "default", name, "");
        if (i == 10)
            before = strings_count(cluster->strings);
    }
    assert_int_equal(strings_count(cluster->strings), before);
}

static void an_absurd_request_does_not_spoil_the_sum_for_ever(void **state)
{
    (void)state;
    struct node *node = put_node("n1");
    put_pod("a", "n1", 100);
    put_pod("absurd", "n1", INT64_MAX - 1);
    put_pod("b", "n1", 200);
    assert_int_equal(node->requested.cpu_millis, INT64_MAX);
    cluster_remove_pod(cluster, "default", "absurd", "");
    assert_int_equal(node->requested.cpu_millis, 300);
}

static void furniture_is_daemonset_and_mirror_pods(void **state)
{
    (void)state;
    struct pod_facts facts = make_pod("a", "", 1, 1);
    assert_false(pod_is_furniture(cluster_put_pod(cluster, &facts)));
    facts.controller_kind = "DaemonSet";
    assert_true(pod_is_furniture(cluster_put_pod(cluster, &facts)));
    facts.controller_kind = "Node";
    facts.mirror = true;
    assert_true(pod_is_furniture(cluster_put_pod(cluster, &facts)));
}

static void more_pods_than_the_limit_are_refused(void **state)
{
    (void)state;
    put_pod("a", "", 1);
    uint32_t real = cluster->pod_count;
    cluster->pod_count = FACTS_PODS_MAX; // as if they were there
    uint64_t version = cluster->version;
    assert_null(put_pod("b", "", 1));
    assert_non_null(put_pod("a", "", 1));
    assert_int_equal(cluster->version, version);
    cluster->pod_count = real;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_pod_is_found_by_name_and_by_uid),
        TEST(everything_told_of_a_pod_is_kept),
        TEST(nothing_told_is_borrowed),
        TEST(telling_a_pod_again_changes_nothing),
        TEST(the_schedulers_message_and_readiness_change_no_decision),
        TEST(any_other_change_is_a_change),
        TEST(bound_pods_are_summed_on_their_node),
        TEST(a_pod_that_has_ended_is_listed_but_not_summed),
        TEST(a_pod_being_deleted_counts_until_it_is_gone),
        TEST(a_pod_moves_from_waiting_to_its_node),
        TEST(a_changed_pod_keeps_its_place_in_the_order),
        TEST(pods_wait_apart_for_a_node_that_is_not_there),
        TEST(pods_stay_with_the_name_of_a_node_that_goes),
        TEST(a_pod_with_another_uid_is_another_pod),
        TEST(equal_pods_share_one_shape),
        TEST(shapes_that_differ_in_labels_only_are_of_one_kind),
        TEST(a_shape_is_copied_in_all_its_depth),
        TEST(pods_that_come_and_go_leave_nothing_behind),
        TEST(an_absurd_request_does_not_spoil_the_sum_for_ever),
        TEST(furniture_is_daemonset_and_mirror_pods),
        TEST(more_pods_than_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

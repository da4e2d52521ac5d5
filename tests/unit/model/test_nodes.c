#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

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

static void nodes_are_kept_in_order_of_name(void **state)
{
    (void)state;
    put_node("c");
    put_node("a");
    put_node("d");
    put_node("b");
    assert_int_equal(cluster->node_count, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(cluster->nodes[i]->name[0], 'a' + (int)i);
    assert_true(cluster_remove_node(cluster, "b", ""));
    assert_false(cluster_remove_node(cluster, "b", ""));
    assert_string_equal(cluster->nodes[1]->name, "c");
    assert_null(cluster_node(cluster, "b"));
    assert_string_equal(cluster_node(cluster, "d")->name, "d");
    assert_null(cluster_node(cluster, ""));
    assert_null(cluster_node(cluster, NULL));
}

static void everything_told_of_a_node_is_kept(void **state)
{
    (void)state;
    static const struct extended_resource gpu[] = {{"nvidia.com/gpu", 2}};
    struct node_facts facts = make_node("n1");
    facts.labels = LABELS({"b", "2"}, {"a", "1"}); // not even in order
    facts.annotations = LABELS({KEY_PROTECTED, "true"});
    facts.taints = TAINTS({"gpu", "yes", TAINT_NO_SCHEDULE});
    facts.allocatable.extended = gpu;
    facts.allocatable.extended_count = 1;
    facts.provider_id = "vpsie://7";
    facts.external_ip = "1.2.3.4";
    facts.network_unavailable = true;
    facts.deletion_ms = 9;
    const struct node *node = cluster_put_node(cluster, &facts);
    assert_string_equal(labels_get(&node->labels, "a"), "1");
    assert_string_equal(labels_get(&node->labels, "b"), "2");
    assert_string_equal(labels_get(&node->annotations, KEY_PROTECTED), "true");
    assert_string_equal(node->taints.items[0].value, "yes");
    assert_int_equal(resources_extended(&node->allocatable, "nvidia.com/gpu"), 2);
    assert_int_equal(node->capacity.cpu_millis, 4000);
    assert_string_equal(node->provider_id, "vpsie://7");
    assert_string_equal(node->kubelet_version, "v1.30.0");
    assert_string_equal(node->resource_version, "1");
    assert_true(node->network_unavailable);
    assert_int_equal(node->deletion_ms, 9);
    assert_int_equal(node->ready_changed_ms, 1000);
}

static void words_are_interned(void **state)
{
    (void)state;
    struct node_facts facts = make_node("n1");
    facts.labels = LABELS({"zone", "a"});
    const struct node *node = cluster_put_node(cluster, &facts);
    assert_ptr_equal(node->name, strings_find(cluster->strings, "n1"));
    assert_ptr_equal(node->labels.items[0].key, strings_find(cluster->strings, "zone"));
    assert_ptr_equal(node->labels.items[0].value, strings_find(cluster->strings, "a"));
    facts.labels = LABELS({"zone", "b"});
    cluster_put_node(cluster, &facts);
    assert_null(strings_find(cluster->strings, "a")); // nobody has it any more
}

static void a_heartbeat_changes_nothing_but_the_resource_version(void **state)
{
    (void)state;
    struct node_facts facts = make_node("n1");
    facts.labels = LABELS({"zone", "a"});
    struct node *node = cluster_put_node(cluster, &facts);
    const struct label *labels = node->labels.items;
    node->underused_since_ms = 77;
    uint64_t version = cluster->version;
    facts.resource_version = "2";
    assert_ptr_equal(cluster_put_node(cluster, &facts), node);
    assert_string_equal(node->resource_version, "2");
    assert_int_equal(cluster->version, version);
    assert_ptr_equal(node->labels.items, labels);
    assert_int_equal(node->underused_since_ms, 77);
    assert_ptr_equal(cluster_put_node(cluster, &facts), node);
    assert_int_equal(cluster->version, version);
}

static void any_other_change_is_a_change(void **state)
{
    (void)state;
    struct labels labels = LABELS({"zone", "a"});
    struct labels annotations = LABELS({KEY_PROTECTED, "true"});
    struct taints taints = TAINTS({"gpu", "", TAINT_NO_SCHEDULE});
    struct node_facts facts = make_node("n1");
    const struct node *node = cluster_put_node(cluster, &facts);
    for (int change = 0; change < 14; change++) {
        switch (change) {
        case 0: facts.labels = labels; break;
        case 1: facts.annotations = annotations; break;
        case 2: facts.taints = taints; break;
        case 3: facts.capacity.memory_bytes = 1; break;
        case 4: facts.allocatable.cpu_millis = 1; break;
        case 5: facts.unschedulable = true; break;
        case 6: facts.ready = NODE_READY_UNKNOWN; break;
        case 7: facts.ready_changed_ms = 5; break;
        case 8: facts.deletion_ms = 6; break;
        case 9: facts.provider_id = "x"; break;
        case 10: facts.hostname = "x"; break;
        case 11: facts.internal_ip = "10.0.0.1"; break;
        case 12: facts.external_ip = "10.0.0.2"; break;
        case 13: facts.network_unavailable = true; break;
        default: break;
        }
        uint64_t version = cluster->version;
        assert_ptr_equal(cluster_put_node(cluster, &facts), node);
        if (cluster->version != version + 1)
            fail_msg("change %d was not seen", change);
    }
}

static void it_is_remembered_that_a_node_was_ready_once(void **state)
{
    (void)state;
    struct node_facts facts = make_node("n1");
    facts.ready = NODE_READY_FALSE;
    const struct node *node = cluster_put_node(cluster, &facts);
    assert_false(node->has_been_ready);
    facts.ready = NODE_READY_TRUE;
    cluster_put_node(cluster, &facts);
    assert_true(node->has_been_ready);
    facts.ready = NODE_READY_UNKNOWN;
    cluster_put_node(cluster, &facts);
    assert_true(node->has_been_ready);
    assert_int_equal(node->ready, NODE_READY_UNKNOWN);
}

static void a_node_with_another_uid_is_a_new_node(void **state)
{
    (void)state;
    struct node_facts facts = make_node("n1");
    struct node *node = cluster_put_node(cluster, &facts);
    node->underused_since_ms = 5;
    struct pod_facts pod_facts = make_pod("a", "n1", 100, 1);
    const struct pod *pod = cluster_put_pod(cluster, &pod_facts);
    struct agent_report_facts report = make_report("n1", "start-1", 1);
    cluster_put_report(cluster, &report);
    assert_non_null(node->agent);
    facts.uid = "another";
    facts.ready = NODE_READY_FALSE;
    node = cluster_put_node(cluster, &facts);
    assert_false(node->has_been_ready);
    assert_int_equal(node->underused_since_ms, 0);
    assert_null(node->agent); // the old machine's evidence is none of the new one
    assert_ptr_equal(pod->node, node);
    assert_int_equal(node->requested.cpu_millis, 100);
    assert_int_equal(cluster->node_count, 1);
    assert_false(cluster_remove_node(cluster, "n1", "n1"));
    assert_true(cluster_remove_node(cluster, "n1", "another"));
}

static void nodes_are_found_by_name_or_hostname_in_any_case(void **state)
{
    (void)state;
    struct node_facts facts = make_node("node-a");
    facts.hostname = "Worker-1.example";
    const struct node *node = cluster_put_node(cluster, &facts);
    assert_ptr_equal(cluster_node_fold(cluster, "NODE-A"), node);
    assert_ptr_equal(cluster_node_fold(cluster, "worker-1.EXAMPLE"), node);
    assert_null(cluster_node_fold(cluster, "worker-1"));
    assert_null(cluster_node_fold(cluster, ""));
    facts.hostname = "other";
    cluster_put_node(cluster, &facts);
    assert_null(cluster_node_fold(cluster, "worker-1.example"));
    assert_ptr_equal(cluster_node_fold(cluster, "OTHER"), node);
    cluster_remove_node(cluster, "node-a", "");
    assert_null(cluster_node_fold(cluster, "other"));
    assert_null(cluster_node_fold(cluster, "node-a"));
}

static void nodes_are_found_by_either_address(void **state)
{
    (void)state;
    struct node_facts facts = make_node("n1");
    facts.internal_ip = "10.0.0.1";
    facts.external_ip = "1.2.3.4";
    const struct node *node = cluster_put_node(cluster, &facts);
    assert_ptr_equal(cluster_node_by_ip(cluster, "10.0.0.1"), node);
    assert_ptr_equal(cluster_node_by_ip(cluster, "1.2.3.4"), node);
    assert_null(cluster_node_by_ip(cluster, "10.0.0.2"));
    assert_null(cluster_node_by_ip(cluster, ""));
    facts.internal_ip = facts.external_ip = "10.0.0.9";
    cluster_put_node(cluster, &facts);
    assert_null(cluster_node_by_ip(cluster, "10.0.0.1"));
    assert_null(cluster_node_by_ip(cluster, "1.2.3.4"));
    assert_ptr_equal(cluster_node_by_ip(cluster, "10.0.0.9"), node);
}

static void of_two_nodes_with_one_address_the_living_and_younger_is_meant(void **state)
{
    (void)state;
    struct node_facts facts = make_node("old");
    facts.internal_ip = "10.0.0.1";
    facts.hostname = "worker";
    cluster_put_node(cluster, &facts);
    facts = make_node("young");
    facts.internal_ip = "10.0.0.1";
    facts.hostname = "worker";
    facts.created_ms = 2000;
    cluster_put_node(cluster, &facts);
    assert_string_equal(cluster_node_by_ip(cluster, "10.0.0.1")->name, "young");
    assert_string_equal(cluster_node_fold(cluster, "worker")->name, "young");
    facts.deletion_ms = 3000;
    cluster_put_node(cluster, &facts);
    assert_string_equal(cluster_node_by_ip(cluster, "10.0.0.1")->name, "old");
    facts = make_node("alike");
    facts.internal_ip = "10.0.0.1";
    cluster_put_node(cluster, &facts);
    assert_string_equal(cluster_node_by_ip(cluster, "10.0.0.1")->name, "alike");
}

static void more_nodes_than_the_limit_are_refused(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FACTS_NODES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%05u", i);
        assert_non_null(put_node(name));
    }
    uint64_t version = cluster->version;
    assert_null(put_node("one-more"));
    assert_int_equal(cluster->version, version);
    assert_non_null(put_node("n00000"));
    cluster_remove_node(cluster, "n00000", "");
    assert_non_null(put_node("one-more"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nodes_are_kept_in_order_of_name),
        TEST(everything_told_of_a_node_is_kept),
        TEST(words_are_interned),
        TEST(a_heartbeat_changes_nothing_but_the_resource_version),
        TEST(any_other_change_is_a_change),
        TEST(it_is_remembered_that_a_node_was_ready_once),
        TEST(a_node_with_another_uid_is_a_new_node),
        TEST(nodes_are_found_by_name_or_hostname_in_any_case),
        TEST(nodes_are_found_by_either_address),
        TEST(of_two_nodes_with_one_address_the_living_and_younger_is_meant),
        TEST(more_nodes_than_the_limit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

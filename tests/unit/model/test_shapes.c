// What tells shapes and kinds apart: every word of what a pod asks about other pods, ports and spread.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/model/cluster.h"
#include "coordinator/model/labels.h"
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

// Everything a pod can ask about others, in one place that a test may change word by word.
struct asks {
    char word[8];
    const char *values[2];
    const char *spaces[2];
    struct requirement requirement;
    struct pod_term affinity, anti_affinity;
    struct spread_constraint spread;
    struct host_port port;
    struct pod_facts pod;
};

static void fill(struct asks *asks)
{
    *asks = (struct asks){.word = "web"};
    asks->values[0] = asks->word;
    asks->values[1] = "api";
    asks->spaces[0] = "default";
    asks->spaces[1] = "other";
    asks->requirement =
        (struct requirement){.key = "app", .operator= SELECTOR_IN, .values = asks->values, .value_count = 2};
    struct selector selector = {.requirements = &asks->requirement, .requirement_count = 1};
    asks->affinity = (struct pod_term){.topology_key = "zone",
                                       .selector = selector,
                                       .spaces = asks->spaces,
                                       .space_count = 2,
                                       .space_selector = {.nothing = true}};
    asks->anti_affinity = asks->affinity;
    asks->anti_affinity.topology_key = "host";
    asks->spread = (struct spread_constraint){.topology_key = "zone",
                                              .selector = selector,
                                              .space = "default",
                                              .max_skew = 1,
                                              .min_domains = 1,
                                              .honor_affinity = true};
    asks->port = (struct host_port){.ip = "0.0.0.0", .port = 80, .protocol = PORT_TCP};
    asks->pod = make_pod("web-1", "", 100, 1);
    asks->pod.shape.pod_affinity = &asks->affinity;
    asks->pod.shape.pod_anti_affinity = &asks->anti_affinity;
    asks->pod.shape.spread = &asks->spread;
    asks->pod.shape.host_ports = &asks->port;
    asks->pod.shape.pod_affinity_count = asks->pod.shape.pod_anti_affinity_count = 1;
    asks->pod.shape.spread_count = asks->pod.shape.host_port_count = 1;
}

static void what_a_pod_asks_about_others_is_kept_in_all_its_depth(void **state)
{
    (void)state;
    struct asks asks;
    fill(&asks);
    const struct pod *pod = cluster_put_pod(cluster, &asks.pod);
    const struct pod_shape *shape = pod->shape;
    asks.word[0] = 'X'; // the teller's memory is his own
    asks.spaces[0] = asks.values[1] = "gone";
    const struct pod_shape_facts *kept = &shape->facts;
    assert_int_equal(kept->pod_affinity_count, 1);
    assert_string_equal(kept->pod_affinity[0].topology_key, "zone");
    assert_string_equal(kept->pod_affinity[0].selector.requirements[0].values[0], "web");
    assert_string_equal(kept->pod_affinity[0].selector.requirements[0].values[1], "api");
    assert_string_equal(kept->pod_affinity[0].spaces[0], "default");
    assert_string_equal(kept->pod_affinity[0].spaces[1], "other");
    assert_true(kept->pod_affinity[0].space_selector.nothing);
    assert_string_equal(kept->pod_anti_affinity[0].topology_key, "host");
    assert_string_equal(kept->spread[0].topology_key, "zone");
    assert_string_equal(kept->spread[0].space, "default");
    assert_int_equal(kept->spread[0].max_skew, 1);
    assert_int_equal(kept->host_ports[0].port, 80);
    assert_string_equal(kept->host_ports[0].ip, "0.0.0.0");
}

enum change {
    NOTHING,
    AFFINITY_KEY,
    AFFINITY_VALUE,
    AFFINITY_OPERATOR,
    AFFINITY_SPACE,
    AFFINITY_SPACE_SELECTOR,
    AFFINITY_NONE,
    ANTI_KEY,
    ANTI_NULL_SELECTOR,
    ANTI_NONE,
    SPREAD_KEY,
    SPREAD_SKEW,
    SPREAD_DOMAINS,
    SPREAD_AFFINITY,
    SPREAD_TAINTS,
    SPREAD_SPACE,
    SPREAD_SELECTOR,
    SPREAD_NONE,
    PORT_NUMBER,
    PORT_KIND,
    PORT_ADDRESS,
    PORT_NONE,
    CHANGES
};

static void change(struct asks *asks, enum change what)
{
    switch (what) {
    case AFFINITY_KEY: asks->affinity.topology_key = "region"; break;
    case AFFINITY_VALUE: asks->values[1] = "db"; break;
    case AFFINITY_OPERATOR: asks->requirement.operator= SELECTOR_NOT_IN; break;
    case AFFINITY_SPACE: asks->spaces[1] = "third"; break;
    case AFFINITY_SPACE_SELECTOR: asks->affinity.space_selector.nothing = false; break;
    case AFFINITY_NONE: asks->pod.shape.pod_affinity_count = 0; break;
    case ANTI_KEY: asks->anti_affinity.topology_key = "rack"; break;
    case ANTI_NULL_SELECTOR: asks->anti_affinity.selector = (struct selector){.nothing = true}; break;
    case ANTI_NONE: asks->pod.shape.pod_anti_affinity_count = 0; break;
    case SPREAD_KEY: asks->spread.topology_key = "region"; break;
    case SPREAD_SKEW: asks->spread.max_skew = 2; break;
    case SPREAD_DOMAINS: asks->spread.min_domains = 3; break;
    case SPREAD_AFFINITY: asks->spread.honor_affinity = false; break;
    case SPREAD_TAINTS: asks->spread.honor_taints = true; break;
    case SPREAD_SPACE: asks->spread.space = "other"; break;
    case SPREAD_SELECTOR: asks->spread.selector.requirement_count = 0; break;
    case SPREAD_NONE: asks->pod.shape.spread_count = 0; break;
    case PORT_NUMBER: asks->port.port = 81; break;
    case PORT_KIND: asks->port.protocol = PORT_UDP; break;
    case PORT_ADDRESS: asks->port.ip = "10.0.0.1"; break;
    case PORT_NONE: asks->pod.shape.host_port_count = 0; break;
    case NOTHING:
    case CHANGES: break;
    }
}

static void a_change_of_any_word_makes_another_kind(void **state)
{
    (void)state;
    struct asks first;
    fill(&first);
    const struct pod *pod = cluster_put_pod(cluster, &first.pod);
    for (int i = NOTHING; i < CHANGES; i++) {
        struct asks asks;
        fill(&asks);
        change(&asks, (enum change)i);
        asks.pod.name = asks.pod.uid = "web-2";
        const struct pod *other = cluster_put_pod(cluster, &asks.pod);
        assert_int_equal(other->shape->kind_id == pod->shape->kind_id, i == NOTHING);
        assert_int_equal(other->shape == pod->shape, i == NOTHING);
        bool equal = shape_facts_equal_but_labels(&asks.pod.shape, &pod->shape->facts);
        assert_int_equal(equal, i == NOTHING);
        if (equal)
            assert_int_equal(shape_facts_hash_but_labels(&asks.pod.shape),
                             shape_facts_hash_but_labels(&pod->shape->facts));
    }
}

static void pods_of_two_namespaces_share_a_kind_but_no_shape(void **state)
{
    (void)state;
    struct pod_facts facts = make_pod("web-1", "", 100, 1);
    const struct pod *here = cluster_put_pod(cluster, &facts);
    facts.space = "other";
    const struct pod *there = cluster_put_pod(cluster, &facts);
    assert_ptr_not_equal(here->shape, there->shape);
    assert_int_equal(here->shape->kind_id, there->shape->kind_id);
    assert_string_equal(here->shape->space, "default");
    assert_string_equal(there->shape->space, "other");
}

// ---- the pods of a shape

static uint32_t count(const struct pod_shape *shape)
{
    uint32_t pods = 0;
    for (const struct pod *pod = shape->pods; pod != NULL; pod = pod->shape_next) {
        assert_ptr_equal(pod->shape, shape);
        assert_non_null(pod->node);
        pods++;
    }
    return pods;
}

static void put_node(const char *name)
{
    struct node_facts facts = make_node(name);
    cluster_put_node(cluster, &facts);
}

static struct pod *put_pod(const char *name, const char *node_name)
{
    struct pod_facts facts = make_pod(name, node_name, 100, 1);
    return cluster_put_pod(cluster, &facts);
}

static void a_shape_lists_its_pods_on_nodes_that_are_there(void **state)
{
    (void)state;
    const struct pod_shape *shape = put_pod("waiting", "")->shape;
    put_pod("early", "n1"); // its node comes later
    assert_int_equal(count(shape), 0);
    put_node("n1");
    assert_int_equal(count(shape), 1);
    put_pod("waiting", "n1");
    put_pod("third", "n1");
    assert_int_equal(count(shape), 3);
    cluster_remove_pod(cluster, "default", "third", ""); // at the head of the list
    cluster_remove_pod(cluster, "default", "early", ""); // at its end
    assert_int_equal(count(shape), 1);
    put_pod("fourth", "n1");
    cluster_remove_node(cluster, "n1", "");
    assert_int_equal(count(shape), 0);
    put_node("n1");
    assert_int_equal(count(shape), 2);
}

static void a_terminal_pod_leaves_its_shape_s_list(void **state)
{
    (void)state;
    put_node("n1");
    struct pod_facts facts = make_pod("job", "n1", 100, 1);
    const struct pod_shape *shape = cluster_put_pod(cluster, &facts)->shape;
    const struct pod *other = put_pod("other", "n1");
    assert_ptr_equal(other->shape, shape);
    assert_int_equal(count(shape), 2);
    facts.terminal = true;
    facts.phase = POD_SUCCEEDED;
    cluster_put_pod(cluster, &facts);
    assert_int_equal(count(shape), 1);
    assert_ptr_equal(shape->pods, other);
    cluster_remove_node(cluster, "n1", "");
    assert_int_equal(count(shape), 0);
}

static void a_pod_that_changes_its_labels_changes_lists(void **state)
{
    (void)state;
    put_node("n1");
    put_pod("other", "n1");
    struct pod_facts facts = make_pod("web", "n1", 100, 1);
    const struct pod_shape *before = cluster_put_pod(cluster, &facts)->shape;
    facts.shape.labels = LABELS({"app", "web"});
    const struct pod_shape *after = cluster_put_pod(cluster, &facts)->shape;
    assert_int_equal(count(before), 1);
    assert_int_equal(count(after), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_pod_asks_about_others_is_kept_in_all_its_depth, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_change_of_any_word_makes_another_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(pods_of_two_namespaces_share_a_kind_but_no_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(a_shape_lists_its_pods_on_nodes_that_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(a_terminal_pod_leaves_its_shape_s_list, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pod_that_changes_its_labels_changes_lists, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

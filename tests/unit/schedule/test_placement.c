#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/schedule/placement.h"
#include "tests/support/make_facts.h"

static struct labels no_labels;
static struct taints no_taints;
static const struct resources room = {
    .cpu_millis = 4000, .memory_bytes = 8 * GIB, .ephemeral_bytes = 10 * GIB, .pods = 110};

static struct place make_place(void)
{
    return (struct place){
        .name = "n1", .labels = &no_labels, .taints = &no_taints, .allocatable = &room, .ready = true};
}

static struct pod_shape shape_of(struct pod_shape_facts facts)
{
    return (struct pod_shape){.facts = facts};
}

static enum placement_verdict verdict(const struct pod_shape_facts *facts, const struct place *place)
{
    struct pod_shape shape = shape_of(*facts);
    return placement_check(&shape, place).verdict;
}

static void says(const struct pod_shape_facts *facts, const struct place *place, const char *expected)
{
    struct pod_shape shape = shape_of(*facts);
    struct placement placement = placement_check(&shape, place);
    char buffer[200];
    placement_describe(&placement, buffer, sizeof(buffer));
    assert_string_equal(buffer, expected);
}

static void a_plain_pod_fits_an_empty_node(void **state)
{
    (void)state;
    struct place place = make_place();
    struct pod_shape_facts facts = make_shape(4000, 8 * GIB);
    assert_int_equal(verdict(&facts, &place), PLACEMENT_FITS);
    says(&facts, &place, "fits");
}

static void a_cordoned_node_takes_only_what_tolerates_it(void **state)
{
    (void)state;
    struct place place = make_place();
    place.unschedulable = true;
    struct pod_shape_facts facts = make_shape(1, 1);
    assert_int_equal(verdict(&facts, &place), PLACEMENT_UNSCHEDULABLE);
    struct toleration toleration = {.key = "node.kubernetes.io/unschedulable",
                                    .value = "",
                                    .operator= TOLERATION_EXISTS,
                                    .effect = TAINT_NO_SCHEDULE};
    facts.tolerations = &toleration;
    facts.toleration_count = 1;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_FITS);
    toleration.effect = TAINT_NO_EXECUTE;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_UNSCHEDULABLE);
}

static void a_node_that_is_not_ready_takes_nothing(void **state)
{
    (void)state;
    struct place place = make_place();
    place.ready = false;
    struct pod_shape_facts facts = make_shape(1, 1);
    assert_int_equal(verdict(&facts, &place), PLACEMENT_NOT_READY);
}

static void a_node_selector_must_match_in_every_label(void **state)
{
    (void)state;
    struct labels labels = LABELS({"arch", "arm64"}, {"zone", "a"});
    struct place place = make_place();
    place.labels = &labels;
    struct labels both = LABELS({"arch", "arm64"}, {"zone", "a"});
    struct labels wrong = LABELS({"arch", "arm64"}, {"zone", "b"});
    struct labels absent = LABELS({"disk", ""});
    struct pod_shape_facts facts = make_shape(1, 1);
    facts.node_selector = both;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_FITS);
    facts.node_selector = wrong;
    says(&facts, &place, "node selector does not match on label zone");
    facts.node_selector = absent;
    says(&facts, &place, "node selector does not match on label disk");
}

static bool affine(const struct node_term *terms, uint32_t count, const char *name)
{
    struct labels labels = LABELS({"arch", "arm64"}, {"zone", "a"});
    struct place place = make_place();
    place.labels = &labels;
    place.name = name;
    struct pod_shape_facts facts = make_shape(1, 1);
    facts.has_affinity = true;
    facts.affinity_terms = terms;
    facts.affinity_term_count = count;
    enum placement_verdict found = verdict(&facts, &place);
    assert_true(found == PLACEMENT_FITS || found == PLACEMENT_AFFINITY || found == PLACEMENT_NODE_NAME);
    return found == PLACEMENT_FITS;
}

static void one_term_of_affinity_is_enough_but_all_of_it(void **state)
{
    (void)state;
    struct requirement arm = {.key = "arch", .operator= SELECTOR_IN, VALUES("arm64")};
    struct requirement zone_b = {.key = "zone", .operator= SELECTOR_IN, VALUES("b")};
    struct requirement in_arm_and_b[] = {arm, zone_b};
    struct node_term both = {.expressions = in_arm_and_b, .expression_count = 2};
    struct node_term arm_only = {.expressions = &arm, .expression_count = 1};
    struct node_term empty = {0};
    struct node_term either[] = {both, arm_only};
    struct node_term with_empty[] = {empty, both};
    assert_true(affine(&arm_only, 1, "n1"));
    assert_false(affine(&both, 1, "n1"));
    assert_true(affine(either, 2, "n1"));
    assert_false(affine(&empty, 1, "n1")); // an empty term matches nothing
    assert_false(affine(with_empty, 2, "n1"));
    assert_false(affine(NULL, 0, "n1")); // required, without a term: matches nothing
}

static void affinity_can_ask_for_nodes_by_name(void **state)
{
    (void)state;
    struct requirement named = {.key = "metadata.name", .operator= SELECTOR_IN, VALUES("n1", "n2")};
    struct requirement unnamed = {.key = "metadata.name", .operator= SELECTOR_NOT_IN, VALUES("n1")};
    struct requirement other_field = {.key = "metadata.uid", .operator= SELECTOR_IN, VALUES("n1")};
    struct requirement exists = {.key = "metadata.name", .operator= SELECTOR_EXISTS };
    struct requirement zone_b = {.key = "zone", .operator= SELECTOR_IN, VALUES("b")};
    struct node_term in_names = {.fields = &named, .field_count = 1};
    struct node_term not_in_names = {.fields = &unnamed, .field_count = 1};
    struct node_term by_uid = {.fields = &other_field, .field_count = 1};
    struct node_term by_existence = {.fields = &exists, .field_count = 1};
    struct node_term name_and_zone = {
        .expressions = &zone_b, .expression_count = 1, .fields = &named, .field_count = 1};
    assert_true(affine(&in_names, 1, "n1"));
    assert_false(affine(&in_names, 1, "n3"));
    assert_false(affine(&in_names, 1, "")); // a machine that does not exist has no name yet
    assert_false(affine(&not_in_names, 1, "n1"));
    assert_true(affine(&not_in_names, 1, "n3"));
    assert_true(affine(&not_in_names, 1, ""));
    assert_false(affine(&by_uid, 1, "n1"));
    assert_false(affine(&by_existence, 1, "n1"));
    assert_false(affine(&name_and_zone, 1, "n1"));
}

static void why_affinity_fails_is_named_where_it_can_be(void **state)
{
    (void)state;
    struct place place = make_place();
    struct requirement zone = {.key = "zone", .operator= SELECTOR_IN, VALUES("b")};
    struct requirement named = {.key = "metadata.name", .operator= SELECTOR_IN, VALUES("n7")};
    struct node_term terms[] = {{.expressions = &zone, .expression_count = 1},
                                {.expressions = &zone, .expression_count = 1}};
    struct node_term by_name = {.fields = &named, .field_count = 1};
    struct pod_shape_facts facts = make_shape(1, 1);
    facts.has_affinity = true;
    facts.affinity_terms = terms;
    facts.affinity_term_count = 1;
    says(&facts, &place, "required node affinity does not match on zone");
    facts.affinity_term_count = 2;
    says(&facts, &place, "no term of the required node affinity matches");
    facts.affinity_term_count = 0;
    says(&facts, &place, "no term of the required node affinity matches");
    facts.affinity_terms = &by_name;
    facts.affinity_term_count = 1;
    says(&facts, &place, "asks for another node by name");
    assert_int_equal(verdict(&facts, &place), PLACEMENT_NODE_NAME);
}

static bool tolerates(struct toleration toleration, struct taint taint)
{
    struct pod_shape_facts facts = make_shape(1, 1);
    facts.tolerations = &toleration;
    facts.toleration_count = 1;
    struct pod_shape shape = shape_of(facts);
    return placement_tolerates(&shape, &taint);
}

static void tolerations_match_by_key_value_and_effect(void **state)
{
    (void)state;
    struct taint taint = {"gpu", "yes", TAINT_NO_SCHEDULE};
    struct toleration equal = {
        .key = "gpu", .value = "yes", .operator= TOLERATION_EQUAL, .effect = TAINT_NO_SCHEDULE};
    assert_true(tolerates(equal, taint));
    struct toleration other = equal;
    other.value = "no";
    assert_false(tolerates(other, taint));
    other = equal;
    other.key = "cpu";
    assert_false(tolerates(other, taint));
    other = equal;
    other.effect = TAINT_NO_EXECUTE;
    assert_false(tolerates(other, taint));
    other.any_effect = true;
    assert_true(tolerates(other, taint));
    struct toleration exists = {
        .key = "gpu", .value = "", .operator= TOLERATION_EXISTS, .effect = TAINT_NO_SCHEDULE};
    assert_true(tolerates(exists, taint));
    exists.key = "";
    assert_true(tolerates(exists, taint)); // an empty key with Exists tolerates every key
    exists.effect = TAINT_NO_EXECUTE;
    assert_false(tolerates(exists, taint));
    struct toleration keyless = {.key = "", .value = "yes", .operator= TOLERATION_EQUAL, .any_effect = true};
    assert_true(tolerates(keyless, taint));
}

static void numeric_tolerations_compare_the_taints_value(void **state)
{
    (void)state;
    struct toleration more = {
        .key = "sla", .value = "900", .operator= TOLERATION_GT, .effect = TAINT_NO_SCHEDULE};
    struct toleration less = more;
    less.operator= TOLERATION_LT;
    assert_true(tolerates(more, (struct taint){"sla", "950", TAINT_NO_SCHEDULE}));
    assert_false(tolerates(more, (struct taint){"sla", "900", TAINT_NO_SCHEDULE}));
    assert_false(tolerates(more, (struct taint){"sla", "high", TAINT_NO_SCHEDULE}));
    assert_true(tolerates(less, (struct taint){"sla", "-1", TAINT_NO_SCHEDULE}));
    assert_false(tolerates(less, (struct taint){"sla", "900", TAINT_NO_SCHEDULE}));
    more.value = "much";
    assert_false(tolerates(more, (struct taint){"sla", "950", TAINT_NO_SCHEDULE}));
}

static void every_taint_but_preferences_must_be_tolerated(void **state)
{
    (void)state;
    struct place place = make_place();
    struct pod_shape_facts facts = make_shape(1, 1);
    struct taints taints = TAINTS({"a", "", TAINT_PREFER_NO_SCHEDULE}, {"b", "x", TAINT_NO_EXECUTE});
    place.taints = &taints;
    says(&facts, &place, "taint b=x:NoExecute not tolerated");
    struct toleration toleration = {
        .key = "b", .value = "", .operator= TOLERATION_EXISTS, .any_effect = true};
    facts.tolerations = &toleration;
    facts.toleration_count = 1;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_FITS);
    struct taints both = TAINTS({"b", "x", TAINT_NO_EXECUTE}, {"c", "", TAINT_NO_SCHEDULE});
    place.taints = &both;
    says(&facts, &place, "taint c:NoSchedule not tolerated");
}

static void what_lacks_is_said_in_peoples_units(void **state)
{
    (void)state;
    static const struct extended_resource gpu[] = {{"nvidia.com/gpu", 2}};
    struct place place = make_place();
    place.used = (struct resources){.cpu_millis = 500, .memory_bytes = 6 * GIB, .pods = 109};
    struct pod_shape_facts facts = make_shape(9000, 1);
    says(&facts, &place, "needs 9 cpu, 3.5 free");
    facts = make_shape(1, 3 * GIB);
    says(&facts, &place, "needs 3 GiB memory, 2 GiB free");
    facts = make_shape(1, 1);
    facts.requests.ephemeral_bytes = 11 * GIB;
    says(&facts, &place, "needs 11 GiB ephemeral-storage, 10 GiB free");
    facts = make_shape(1, 1);
    facts.requests.extended = gpu;
    facts.requests.extended_count = 1;
    says(&facts, &place, "needs 2 nvidia.com/gpu, 0 free");
    place.used.pods = 110;
    says(&facts, &place, "needs 1 pods, 0 free");
}

static void the_first_filter_that_fails_is_the_verdict(void **state)
{
    (void)state;
    struct labels selector = LABELS({"a", "b"});
    struct taints taints = TAINTS({"t", "", TAINT_NO_SCHEDULE});
    struct requirement zone = {.key = "zone", .operator= SELECTOR_EXISTS };
    struct requirement named = {.key = "metadata.name", .operator= SELECTOR_IN, VALUES("n7")};
    struct node_term term = {.expressions = &zone, .expression_count = 1, .fields = &named, .field_count = 1};
    struct toleration all = {.key = "", .value = "", .operator= TOLERATION_EXISTS, .any_effect = true};
    struct pod_shape_facts facts = make_shape(99000, 1);
    facts.needs = POD_NEEDS_VOLUME;
    facts.node_selector = selector;
    facts.has_affinity = true;
    facts.affinity_terms = &term;
    facts.affinity_term_count = 1;
    struct place place = make_place();
    place.taints = &taints;
    place.unschedulable = true;
    place.ready = false;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_NODE_NAME);
    term.field_count = 0;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_UNSCHEDULABLE);
    place.unschedulable = false;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_NOT_READY);
    place.ready = true;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_SELECTOR);
    facts.node_selector.count = 0;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_AFFINITY);
    facts.has_affinity = false;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_TAINT);
    facts.tolerations = &all;
    facts.toleration_count = 1;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_RESOURCES);
    facts.requests.cpu_millis = 1;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_BEYOND);
    facts.needs = 0;
    assert_int_equal(verdict(&facts, &place), PLACEMENT_FITS);
}

static void the_static_check_leaves_resources_out(void **state)
{
    (void)state;
    struct place place = make_place();
    struct pod_shape shape = shape_of(make_shape(99000, 1));
    assert_int_equal(placement_check_static(&shape, &place).verdict, PLACEMENT_FITS);
    shape.facts.needs = POD_NEEDS_SPREAD;
    assert_int_equal(placement_check_static(&shape, &place).verdict, PLACEMENT_BEYOND);
    place.ready = false;
    assert_int_equal(placement_check_static(&shape, &place).verdict, PLACEMENT_NOT_READY);
}

static void what_is_beyond_the_rules_is_listed(void **state)
{
    (void)state;
    struct place place = make_place();
    struct pod_shape_facts facts = make_shape(1, 1);
    facts.needs = POD_NEEDS_SPREAD | POD_NEEDS_VOLUME;
    says(&facts, &place, "asks for what is beyond these rules: topology spread, a persistent volume");
    struct placement placement = {.verdict = PLACEMENT_BEYOND, .needs = UINT32_MAX};
    for (size_t bytes = 1; bytes < 250; bytes++) {
        char buffer[256];
        memset(buffer, 'x', sizeof(buffer));
        placement_describe(&placement, buffer, bytes);
        assert_true(strlen(buffer) < bytes);
    }
}

static void every_verdict_has_a_name_and_words(void **state)
{
    (void)state;
    struct taint taint = {"k", "v", TAINT_NO_SCHEDULE};
    const struct pod_term term = {.topology_key = "topology.kubernetes.io/zone"};
    const struct spread_constraint spread = {.topology_key = "topology.kubernetes.io/zone", .max_skew = 1};
    const struct host_port port = {.ip = "0.0.0.0", .port = 443};
    for (int i = PLACEMENT_FITS; i <= PLACEMENT_BEYOND; i++) {
        struct placement placement = {.verdict = (enum placement_verdict)i,
                                      .taint = &taint,
                                      .key = "k",
                                      .term = &term,
                                      .spread = &spread,
                                      .port = &port,
                                      .claim = "data-0",
                                      .lack = {.name = "cpu", .asked = 1, .free = 0}};
        char buffer[200] = "";
        placement_describe(&placement, buffer, sizeof(buffer));
        assert_true(strlen(buffer) > 3);
        for (int j = PLACEMENT_FITS; j < i; j++)
            assert_string_not_equal(placement_verdict_name((enum placement_verdict)i),
                                    placement_verdict_name((enum placement_verdict)j));
    }
}

static void a_place_is_made_of_a_node(void **state)
{
    (void)state;
    static const struct extended_resource gpu[] = {{"nvidia.com/gpu", 1}};
    struct cluster *cluster = cluster_create();
    struct node_facts facts = make_node("n1");
    facts.unschedulable = true;
    struct node *node = cluster_put_node(cluster, &facts);
    struct pod_facts pod_facts = make_pod("a", "n1", 100, MIB);
    pod_facts.shape.requests.extended = gpu;
    pod_facts.shape.requests.extended_count = 1;
    cluster_put_pod(cluster, &pod_facts);
    struct place place = place_of_node(node);
    assert_true(resources_equal(&place.used, &node->requested));
    assert_ptr_not_equal(place.used.extended, node->requested.extended);
    assert_true(place.unschedulable);
    assert_true(place.ready);
    assert_ptr_equal(place.node, node);
    assert_string_equal(place.name, "n1");
    place_free(&place);
    cluster_destroy(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_pod_fits_an_empty_node),
        cmocka_unit_test(a_cordoned_node_takes_only_what_tolerates_it),
        cmocka_unit_test(a_node_that_is_not_ready_takes_nothing),
        cmocka_unit_test(a_node_selector_must_match_in_every_label),
        cmocka_unit_test(one_term_of_affinity_is_enough_but_all_of_it),
        cmocka_unit_test(affinity_can_ask_for_nodes_by_name),
        cmocka_unit_test(why_affinity_fails_is_named_where_it_can_be),
        cmocka_unit_test(tolerations_match_by_key_value_and_effect),
        cmocka_unit_test(numeric_tolerations_compare_the_taints_value),
        cmocka_unit_test(every_taint_but_preferences_must_be_tolerated),
        cmocka_unit_test(what_lacks_is_said_in_peoples_units),
        cmocka_unit_test(the_first_filter_that_fails_is_the_verdict),
        cmocka_unit_test(the_static_check_leaves_resources_out),
        cmocka_unit_test(what_is_beyond_the_rules_is_listed),
        cmocka_unit_test(every_verdict_has_a_name_and_words),
        cmocka_unit_test(a_place_is_made_of_a_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

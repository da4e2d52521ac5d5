#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/model/cluster.h"
#include "coordinator/model/labels.h"
#include "tests/support/make_facts.h"

static bool holds(enum selector_operator operator, const char * key, const char *value)
{
    struct labels labels = LABELS({"arch", "arm64"}, {"empty", ""}, {"rank", "15"}, {"zone", "a"});
    struct requirement requirement = {
        .key = key, .operator= operator, .values = & value, .value_count = value == NULL ? 0 : 1};
    return requirement_matches(&requirement, &labels);
}

static void labels_are_found_by_key(void **state)
{
    (void)state;
    struct labels labels = LABELS({"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}, {"e", "5"});
    assert_string_equal(labels_get(&labels, "a"), "1");
    assert_string_equal(labels_get(&labels, "c"), "3");
    assert_string_equal(labels_get(&labels, "e"), "5");
    assert_null(labels_get(&labels, "bb"));
    assert_null(labels_get(&labels, "z"));
    assert_null(labels_get(&(struct labels){0}, "a"));
}

static void in_wants_one_of_the_values(void **state)
{
    (void)state;
    assert_true(holds(SELECTOR_IN, "arch", "arm64"));
    assert_false(holds(SELECTOR_IN, "arch", "amd64"));
    assert_false(holds(SELECTOR_IN, "missing", "amd64"));
    assert_true(holds(SELECTOR_IN, "empty", ""));
    assert_false(holds(SELECTOR_IN, "missing", ""));
    assert_false(holds(SELECTOR_IN, "arch", NULL));
    struct labels labels = LABELS({"zone", "b"});
    struct requirement several = {.key = "zone", .operator= SELECTOR_IN, VALUES("a", "b")};
    assert_true(requirement_matches(&several, &labels));
}

static void not_in_holds_for_an_absent_key(void **state)
{
    (void)state;
    assert_false(holds(SELECTOR_NOT_IN, "arch", "arm64"));
    assert_true(holds(SELECTOR_NOT_IN, "arch", "amd64"));
    assert_true(holds(SELECTOR_NOT_IN, "missing", "amd64"));
}

static void existence_asks_for_the_key_alone(void **state)
{
    (void)state;
    assert_true(holds(SELECTOR_EXISTS, "empty", NULL));
    assert_false(holds(SELECTOR_EXISTS, "missing", NULL));
    assert_false(holds(SELECTOR_DOES_NOT_EXIST, "empty", NULL));
    assert_true(holds(SELECTOR_DOES_NOT_EXIST, "missing", NULL));
}

static void comparisons_are_of_integers(void **state)
{
    (void)state;
    assert_true(holds(SELECTOR_GT, "rank", "14"));
    assert_false(holds(SELECTOR_GT, "rank", "15"));
    assert_true(holds(SELECTOR_LT, "rank", "16"));
    assert_false(holds(SELECTOR_LT, "rank", "15"));
    assert_true(holds(SELECTOR_GT, "rank", "-3"));
    assert_true(holds(SELECTOR_GT, "rank", "+3"));
    assert_false(holds(SELECTOR_GT, "zone", "1"));
    assert_false(holds(SELECTOR_LT, "zone", "1"));
    assert_false(holds(SELECTOR_GT, "rank", "1.5"));
    assert_false(holds(SELECTOR_GT, "rank", "+-3"));
    assert_false(holds(SELECTOR_GT, "rank", ""));
    assert_false(holds(SELECTOR_GT, "missing", "1"));
    assert_false(holds(SELECTOR_LT, "missing", "1"));
    assert_false(holds(SELECTOR_GT, "rank", "99999999999999999999"));
    assert_false(holds(SELECTOR_GT, "rank", NULL));
    struct labels labels = LABELS({"rank", "5"});
    struct requirement two = {.key = "rank", .operator= SELECTOR_GT, VALUES("1", "2")};
    assert_false(requirement_matches(&two, &labels));
}

static void differences_in_any_part_of_a_list_are_seen(void **state)
{
    (void)state;
    assert_true(labels_equal(&LABELS({"a", "1"}), &LABELS({"a", "1"})));
    assert_false(labels_equal(&LABELS({"a", "1"}), &LABELS({"a", "2"})));
    assert_false(labels_equal(&LABELS({"a", "1"}), &LABELS({"b", "1"})));
    assert_false(labels_equal(&LABELS({"a", "1"}), &(struct labels){0}));
    assert_true(taints_equal(&TAINTS({"a", "1", TAINT_NO_EXECUTE}), &TAINTS({"a", "1", TAINT_NO_EXECUTE})));
    assert_false(taints_equal(&TAINTS({"a", "1", TAINT_NO_EXECUTE}), &TAINTS({"a", "1", TAINT_NO_SCHEDULE})));
    assert_false(taints_equal(&TAINTS({"a", "1", TAINT_NO_EXECUTE}), &TAINTS({"a", "2", TAINT_NO_EXECUTE})));
    assert_false(taints_equal(&TAINTS({"a", "1", TAINT_NO_EXECUTE}), &TAINTS({"b", "1", TAINT_NO_EXECUTE})));
    assert_false(taints_equal(&TAINTS({"a", "1", TAINT_NO_EXECUTE}), &(struct taints){0}));
    assert_true(words_equal(NULL, ""));
    assert_false(words_equal(NULL, "a"));
}

// Every part of a shape, changed alone, makes another shape; the hash follows.
static void differences_in_any_part_of_a_shape_are_seen(void **state)
{
    (void)state;
    static const struct extended_resource gpu[] = {{"nvidia.com/gpu", 1}};
    const struct requirement in_a[] = {{.key = "zone", .operator= SELECTOR_IN, VALUES("a")}};
    const struct requirement in_b[] = {{.key = "zone", .operator= SELECTOR_IN, VALUES("b")}};
    const struct requirement not_in_a[] = {{.key = "zone", .operator= SELECTOR_NOT_IN, VALUES("a")}};
    const struct node_term terms[][1] = {
        {{.expressions = in_a, .expression_count = 1}},
        {{.expressions = in_b, .expression_count = 1}},
        {{.expressions = not_in_a, .expression_count = 1}},
        {{.fields = in_a, .field_count = 1}},
        {{0}},
    };
    const struct toleration tolerations[][1] = {
        {{.key = "a", .value = "1", .operator= TOLERATION_EQUAL, .any_effect = true}},
        {{.key = "b", .value = "1", .operator= TOLERATION_EQUAL, .any_effect = true}},
        {{.key = "a", .value = "2", .operator= TOLERATION_EQUAL, .any_effect = true}},
        {{.key = "a", .value = "1", .operator= TOLERATION_GT, .any_effect = true}},
        {{.key = "a", .value = "1", .operator= TOLERATION_EQUAL, .effect = TAINT_NO_SCHEDULE}},
        {{.key = "a", .value = "1", .operator= TOLERATION_EQUAL, .effect = TAINT_NO_EXECUTE}},
    };
    struct pod_shape_facts shapes[24];
    uint32_t count = 0;
    for (int i = 0; i < 8; i++)
        shapes[count++] = make_shape(100, 100);
    shapes[1].requests.cpu_millis = 101;
    shapes[2].requests.ephemeral_bytes = 1;
    shapes[3].requests.extended = gpu;
    shapes[3].requests.extended_count = 1;
    shapes[4].node_selector = LABELS({"zone", "a"});
    shapes[5].priority = 7;
    shapes[6].needs = POD_NEEDS_SPREAD;
    shapes[7].scheduler_name = "other";
    for (int i = 0; i < 5; i++) {
        shapes[count] = make_shape(100, 100);
        shapes[count].has_affinity = true;
        shapes[count].affinity_terms = terms[i];
        shapes[count++].affinity_term_count = 1;
    }
    shapes[count] = make_shape(100, 100);
    shapes[count++].has_affinity = true;
    for (int i = 0; i < 6; i++) {
        shapes[count] = make_shape(100, 100);
        shapes[count].tolerations = tolerations[i];
        shapes[count++].toleration_count = 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            if (shape_facts_equal_but_labels(&shapes[i], &shapes[j]) != (i == j))
                fail_msg("shapes %u and %u", i, j);
            if ((shape_facts_hash_but_labels(&shapes[i]) == shape_facts_hash_but_labels(&shapes[j])) !=
                (i == j))
                fail_msg("hashes of shapes %u and %u", i, j);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_found_by_key),
        cmocka_unit_test(in_wants_one_of_the_values),
        cmocka_unit_test(not_in_holds_for_an_absent_key),
        cmocka_unit_test(existence_asks_for_the_key_alone),
        cmocka_unit_test(comparisons_are_of_integers),
        cmocka_unit_test(differences_in_any_part_of_a_list_are_seen),
        cmocka_unit_test(differences_in_any_part_of_a_shape_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

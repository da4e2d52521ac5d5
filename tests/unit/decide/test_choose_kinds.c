// Which pods are alike for choosing: what they say of sizes, taints and zones tells them apart, and what only
// looks alike is not taken for the same.
#include <stdio.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/unit/decide/market.h"

static struct market *market;

static int setup(void **state)
{
    (void)state;
    market = market_create(1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    market_destroy(market);
    return 0;
}

static struct chosen choose(void)
{
    struct chosen chosen = market_choose(market);
    market_check(market, &chosen);
    return chosen;
}

#define TYPE "node.kubernetes.io/instance-type"

static void a_pod_that_names_a_size_by_affinity_gets_that_size(void **state)
{
    (void)state;
    static const struct label TYPES[] = {{TYPE, "large"}, {TYPE, "small"}};
    static const struct labels LARGE = {&TYPES[0], 1}, SMALL = {&TYPES[1], 1};
    static const char *const WANTED[] = {"large"};
    static const struct requirement ASKED = {
        .key = TYPE, .operator= SELECTOR_IN, .values = WANTED, .value_count = 1};
    static const struct node_term TERM = {.expressions = &ASKED, .expression_count = 1};
    uint32_t group = market_group(market);
    uint32_t small = market_size(market, group, 4000, 8192, 0.05);
    uint32_t large = market_size(market, group, 4000, 8192, 0.50);
    market->places[small].labels = &SMALL;
    market->places[large].labels = &LARGE;
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "picky-%d", i);
        struct pod_facts facts = make_pod(name, "", 2000, 64 * MIB);
        facts.shape.has_affinity = true;
        facts.shape.affinity_terms = &TERM;
        facts.shape.affinity_term_count = 1;
        market_pod(market, &facts);
    }
    market_pods(market, "any", 3, 2000, 64);
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 6);
    assert_int_equal(chosen.options[large].machines, 2);
    assert_int_equal(chosen.options[small].machines, 1);
}

static void forty_kinds_of_pods_get_forty_kinds_of_machines(void **state)
{
    (void)state;
    enum { KINDS = 40 };
    static struct label labels[KINDS];
    static struct labels of[KINDS];
    static char values[KINDS][8];
    uint32_t group = market_group(market);
    for (int i = 0; i < KINDS; i++) {
        char name[16];
        snprintf(values[i], sizeof(values[i]), "k%02d", i);
        snprintf(name, sizeof(name), "pod-%02d", i);
        labels[i] = (struct label){TYPE, values[i]};
        of[i] = (struct labels){&labels[i], 1};
        market->places[market_size(market, group, 4000, 8192, 0.05)].labels = &of[i];
        struct pod_facts facts = make_pod(name, "", 2000, 64 * MIB);
        facts.shape.node_selector = of[i];
        market_pod(market, &facts);
    }
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, KINDS);
    for (uint32_t i = 0; i < KINDS; i++)
        assert_int_equal(chosen.options[i].machines, 1);
}

static void tolerations_that_differ_by_their_effect_only_are_not_the_same(void **state)
{
    (void)state;
    static const struct taint KEPT = {"kept", "", TAINT_NO_SCHEDULE};
    static const struct taints KEPT_ONLY = {&KEPT, 1};
    static const struct toleration TOLERATED[] = {
        {.key = "kept", .value = "", .operator= TOLERATION_EXISTS, .effect = TAINT_NO_SCHEDULE},
        {.key = "kept", .value = "", .operator= TOLERATION_EXISTS, .effect = TAINT_NO_EXECUTE}};
    uint32_t group = market_group(market), other = market_group(market);
    uint32_t tainted = market_size(market, group, 4000, 8192, 0.01);
    market->places[tainted].taints = &KEPT_ONLY;
    uint32_t plain = market_size(market, other, 4000, 8192, 0.05);
    for (int i = 0; i < 2; i++) {
        char name[16];
        snprintf(name, sizeof(name), "pod-%d", i);
        struct pod_facts facts = make_pod(name, "", 3000, 64 * MIB);
        facts.shape.tolerations = &TOLERATED[i];
        facts.shape.toleration_count = 1;
        market_pod(market, &facts);
    }
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 2);
    assert_int_equal(chosen.options[tainted].pods, 1); // that it could take
    assert_int_equal(chosen.options[plain].pods, 2);
    assert_int_equal(chosen.options[tainted].machines, 1);
    assert_int_equal(chosen.options[plain].machines, 1);
}

#define ZONE "topology.kubernetes.io/zone"

// Three zones, and pods of which no two may be in one.
static void zones_and_pods_apart(uint32_t pods)
{
    static const struct label ZONES[] = {{ZONE, "a"}, {ZONE, "b"}, {ZONE, "c"}};
    static const struct labels OF[] = {{&ZONES[0], 1}, {&ZONES[1], 1}, {&ZONES[2], 1}};
    static const struct label APP = {"app", "db"};
    static const char *const VALUES_OF_APP[] = {"db"}, *const SPACES[] = {"default"};
    static const struct requirement IS_DB = {
        .key = "app", .operator= SELECTOR_IN, .values = VALUES_OF_APP, .value_count = 1};
    static const struct pod_term APART = {.topology_key = ZONE,
                                          .selector = {&IS_DB, 1, false},
                                          .spaces = SPACES,
                                          .space_count = 1,
                                          .space_selector = {.nothing = true}};
    for (int i = 0; i < 3; i++)
        market->places[market_size(market, market_group(market), 8000, 16384, 0.05 * (i + 1))].labels =
            &OF[i];
    for (uint32_t i = 0; i < pods; i++) {
        char name[16];
        snprintf(name, sizeof(name), "db-%u", i);
        struct pod_facts facts = make_pod(name, "", 500, 64 * MIB);
        facts.shape.labels = (struct labels){&APP, 1};
        facts.shape.pod_anti_affinity = &APART;
        facts.shape.pod_anti_affinity_count = 1;
        market_pod(market, &facts);
    }
}

static void pods_that_keep_apart_by_zone_get_one_machine_in_each(void **state)
{
    (void)state;
    zones_and_pods_apart(3);
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(chosen.options[i].machines, 1);
}

static void a_pod_for_which_no_zone_is_left_is_left_without_a_machine(void **state)
{
    (void)state;
    zones_and_pods_apart(5);
    struct chosen chosen = choose();
    assert_int_equal(chosen.served, 3);
    assert_int_equal(chosen.machine_count, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pod_that_names_a_size_by_affinity_gets_that_size),
        TEST(forty_kinds_of_pods_get_forty_kinds_of_machines),
        TEST(tolerations_that_differ_by_their_effect_only_are_not_the_same),
        TEST(pods_that_keep_apart_by_zone_get_one_machine_in_each),
        TEST(a_pod_for_which_no_zone_is_left_is_left_without_a_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

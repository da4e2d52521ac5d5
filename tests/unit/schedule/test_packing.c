#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/schedule/packing.h"
#include "tests/support/make_facts.h"

static struct cluster *cluster;
static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    cluster = cluster_create();
    arena = arena_create(4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(arena);
    cluster_destroy(cluster);
    return 0;
}

static struct node *put_node(const char *name)
{
    struct node_facts facts = make_node(name); // 3900 millis, 7 GiB
    return cluster_put_node(cluster, &facts);
}

static const struct pod *put_pod(const char *name, const char *node_name, int64_t cpu_millis)
{
    struct pod_facts facts = make_pod(name, node_name, cpu_millis, MIB);
    return cluster_put_pod(cluster, &facts);
}

static void only_nodes_that_could_take_a_pod_are_places(void **state)
{
    (void)state;
    struct taints draining = TAINTS({KEY_DRAINING_TAINT, "", TAINT_NO_SCHEDULE});
    put_node("b");
    put_node("a");
    struct node_facts facts = make_node("cordoned");
    facts.unschedulable = true;
    cluster_put_node(cluster, &facts);
    facts = make_node("broken");
    facts.ready = NODE_READY_UNKNOWN;
    cluster_put_node(cluster, &facts);
    facts = make_node("going");
    facts.deletion_ms = 5;
    cluster_put_node(cluster, &facts);
    facts = make_node("draining");
    facts.taints = draining;
    cluster_put_node(cluster, &facts);
    struct packing packing = packing_create(arena, cluster);
    assert_int_equal(packing.place_count, 2);
    assert_int_equal(packing.node_count, 2);
    assert_string_equal(packing.places[0].name, "a");
    assert_string_equal(packing.places[1].name, "b");
}

static void pods_go_to_the_first_place_that_fits(void **state)
{
    (void)state;
    put_node("a");
    put_node("b");
    put_pod("there", "a", 3000);
    struct packing packing = packing_create(arena, cluster);
    const struct pod *large = put_pod("large", "", 2000);
    const struct pod *small = put_pod("small", "", 900);
    assert_int_equal(packing_put(&packing, large, NULL), 1);
    assert_int_equal(packing_put(&packing, small, NULL), 0);
    assert_int_equal(packing_put(&packing, small, NULL), 1);
    assert_int_equal(packing_put(&packing, small, NULL), 1);
    assert_int_equal(packing.places[1].used.cpu_millis, 3800);
    assert_int_equal(packing.places[1].used.pods, 3);
    struct placement why;
    assert_int_equal(packing_put(&packing, small, &why), UINT32_MAX);
    assert_int_equal(why.verdict, PLACEMENT_RESOURCES);
    assert_int_equal(cluster_node(cluster, "b")->requested.cpu_millis, 0); // the model is not touched
}

static void what_was_put_can_be_taken_back(void **state)
{
    (void)state;
    put_node("a");
    struct packing packing = packing_create(arena, cluster);
    const struct pod *pod = put_pod("p", "", 2000);
    assert_int_equal(packing_put(&packing, pod, NULL), 0);
    assert_int_equal(packing_put(&packing, pod, NULL), UINT32_MAX);
    packing_take(&packing, 0, pod);
    assert_int_equal(packing.places[0].used.cpu_millis, 0);
    assert_int_equal(packing.places[0].used.pods, 0);
    assert_int_equal(packing_put(&packing, pod, NULL), 0);
}

static void a_pod_can_be_put_on_one_very_place(void **state)
{
    (void)state;
    put_node("a");
    const struct node *b = put_node("b");
    struct packing packing = packing_create(arena, cluster);
    const struct pod *pod = put_pod("p", "", 2000);
    struct placement why;
    assert_true(packing_put_at(&packing, 1, pod, &why));
    assert_int_equal(why.verdict, PLACEMENT_FITS);
    assert_int_equal(packing.places[1].used.cpu_millis, 2000);
    assert_false(packing_put_at(&packing, 1, pod, &why));
    assert_int_equal(why.verdict, PLACEMENT_RESOURCES);
    assert_int_equal(packing.places[1].used.cpu_millis, 2000);
    assert_int_equal(packing.places[0].used.cpu_millis, 0);
    packing_take(&packing, 1, pod);
    packing_remove_node(&packing, b);
    assert_false(packing_put_at(&packing, 1, pod, NULL));
    packing_restore_node(&packing, b);
    assert_true(packing_put_at(&packing, 1, pod, NULL));
}

static void several_extended_resources_keep_their_order(void **state)
{
    (void)state;
    static const struct extended_resource has[] = {{"a.com/a", 2}, {"b.com/b", 2}, {"c.com/c", 2}};
    static const struct extended_resource wants_b[] = {{"b.com/b", 1}};
    static const struct extended_resource wants_ac[] = {{"a.com/a", 1}, {"c.com/c", 2}};
    struct node_facts facts = make_node("a");
    facts.allocatable.extended = has;
    facts.allocatable.extended_count = 3;
    cluster_put_node(cluster, &facts);
    struct packing packing = packing_create(arena, cluster);
    struct pod_shape shape_b = {.facts = make_shape(0, 0)};
    shape_b.facts.requests.extended = wants_b;
    shape_b.facts.requests.extended_count = 1;
    struct pod_shape shape_ac = {.facts = make_shape(0, 0)};
    shape_ac.facts.requests.extended = wants_ac;
    shape_ac.facts.requests.extended_count = 2;
    const struct pod b = {.space = "default", .name = "b", .shape = &shape_b};
    const struct pod ac = {.space = "default", .name = "ac", .shape = &shape_ac};
    assert_int_equal(packing_put(&packing, &b, NULL), 0);
    assert_int_equal(packing_put(&packing, &ac, NULL), 0);
    assert_int_equal(packing_put(&packing, &ac, NULL), UINT32_MAX);
    assert_int_equal(packing_put(&packing, &b, NULL), 0);
    assert_int_equal(packing_put(&packing, &b, NULL), UINT32_MAX);
    for (uint32_t i = 1; i < packing.places[0].used.extended_count; i++)
        assert_true(
            strcmp(packing.places[0].used.extended[i - 1].name, packing.places[0].used.extended[i].name) < 0);
}

// More kinds than the search has chains for.
static void thousands_of_kinds_are_told_apart(void **state)
{
    (void)state;
    put_node("a");
    struct packing packing = packing_create(arena, cluster);
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < 3000; i++) {
            char name[16];
            snprintf(name, sizeof(name), "p%d", i);
            const struct pod *pod = put_pod(name, "", 3000 + i);
            bool fits = i <= 900;
            assert_int_equal(packing_put(&packing, pod, NULL), fits ? 0 : UINT32_MAX);
            if (fits)
                packing_take(&packing, 0, pod);
        }
    }
}

static void extended_resources_are_counted_on_a_copy(void **state)
{
    (void)state;
    static const struct extended_resource four[] = {{"nvidia.com/gpu", 4}};
    static const struct extended_resource one[] = {{"nvidia.com/gpu", 1}};
    static const struct extended_resource other[] = {{"amd.com/gpu", 1}};
    struct node_facts facts = make_node("a");
    facts.allocatable.extended = four;
    facts.allocatable.extended_count = 1;
    const struct node *node = cluster_put_node(cluster, &facts);
    struct pod_facts pod_facts = make_pod("there", "a", 1, 1);
    pod_facts.shape.requests.extended = one;
    pod_facts.shape.requests.extended_count = 1;
    cluster_put_pod(cluster, &pod_facts);
    pod_facts.name = pod_facts.uid = "p";
    pod_facts.node_name = "";
    const struct pod *pod = cluster_put_pod(cluster, &pod_facts);
    struct packing packing = packing_create(arena, cluster);
    for (int i = 0; i < 3; i++)
        assert_int_equal(packing_put(&packing, pod, NULL), 0);
    assert_int_equal(packing_put(&packing, pod, NULL), UINT32_MAX);
    assert_int_equal(resources_extended(&packing.places[0].used, "nvidia.com/gpu"), 4);
    assert_int_equal(resources_extended(&node->requested, "nvidia.com/gpu"), 1);
    packing_take(&packing, 0, pod);
    assert_int_equal(packing_put(&packing, pod, NULL), 0);
    pod_facts.shape.requests.extended = other;
    pod = cluster_put_pod(cluster, &pod_facts);
    struct placement why;
    assert_int_equal(packing_put(&packing, pod, &why), UINT32_MAX);
    assert_string_equal(why.lack.name, "amd.com/gpu");
}

static void a_node_that_is_to_go_takes_nothing_until_it_is_restored(void **state)
{
    (void)state;
    const struct node *a = put_node("a");
    const struct node *b = put_node("b");
    struct packing packing = packing_create(arena, cluster);
    const struct pod *pod = put_pod("p", "", 0);
    packing_remove_node(&packing, a);
    assert_int_equal(packing_put(&packing, pod, NULL), 1);
    packing_remove_node(&packing, b);
    struct placement why;
    assert_int_equal(packing_put(&packing, pod, &why), UINT32_MAX);
    assert_int_equal(why.verdict, PLACEMENT_NOT_READY);
    packing_restore_node(&packing, a);
    assert_int_equal(packing_put(&packing, pod, NULL), 0);
    packing_restore_node(&packing, a);
    struct node_facts facts = make_node("new");
    packing_remove_node(&packing, cluster_put_node(cluster, &facts)); // no place: fine
}

static struct place template_place(const struct resources *allocatable)
{
    static const struct labels labels;
    static const struct taints taints;
    return (struct place){
        .name = "", .labels = &labels, .taints = &taints, .allocatable = allocatable, .ready = true};
}

static void wished_for_places_come_after_the_nodes(void **state)
{
    (void)state;
    static const struct resources allocatable = {.cpu_millis = 1000, .memory_bytes = GIB, .pods = 10};
    struct place place = template_place(&allocatable);
    put_node("a");
    struct packing packing = packing_create(arena, cluster);
    for (uint32_t i = 1; i < 100; i++)
        assert_int_equal(packing_add(&packing, &place), i);
    const struct pod *pod = put_pod("p", "", 1000);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(packing_put(&packing, pod, NULL), 0);
    for (uint32_t i = 1; i < 100; i++)
        assert_int_equal(packing_put(&packing, pod, NULL), i);
    assert_int_equal(packing_put(&packing, pod, NULL), UINT32_MAX);
    assert_int_equal(packing_add(&packing, &place), 100);
    assert_int_equal(packing_put(&packing, pod, NULL),
                     100); // what failed everywhere is tried on the new one
}

static void the_nearest_miss_is_told(void **state)
{
    (void)state;
    struct taints taints = TAINTS({"gpu", "", TAINT_NO_SCHEDULE});
    struct node_facts facts = make_node("a");
    facts.taints = taints;
    cluster_put_node(cluster, &facts);
    put_node("b");
    put_node("c");
    put_pod("there", "b", 3000);
    struct packing packing = packing_create(arena, cluster);
    const struct pod *pod = put_pod("p", "", 5000);
    struct placement why;
    assert_int_equal(packing_put(&packing, pod, &why), UINT32_MAX);
    assert_int_equal(why.verdict, PLACEMENT_RESOURCES);
    assert_int_equal(why.lack.free, 3900); // on c, the emptier one
    packing_remove_node(&packing, cluster_node(cluster, "c"));
    assert_int_equal(packing_put(&packing, pod, &why), UINT32_MAX);
    assert_int_equal(why.lack.free, 900);
    packing_remove_node(&packing, cluster_node(cluster, "b"));
    assert_int_equal(packing_put(&packing, pod, &why), UINT32_MAX);
    assert_int_equal(why.verdict, PLACEMENT_TAINT);
    const struct pod *small = put_pod("small", "", 1);
    packing_restore_node(&packing, cluster_node(cluster, "b"));
    assert_int_equal(packing_put(&packing, small, &why), 1);
    assert_int_equal(why.verdict, PLACEMENT_FITS);
}

static void what_is_beyond_the_rules_is_put_nowhere(void **state)
{
    (void)state;
    put_node("a");
    struct pod_facts facts = make_pod("p", "", 1, 1);
    facts.shape.needs = POD_NEEDS_SPREAD;
    const struct pod *pod = cluster_put_pod(cluster, &facts);
    struct packing packing = packing_create(arena, cluster);
    struct placement why;
    assert_int_equal(packing_put(&packing, pod, &why), UINT32_MAX);
    assert_int_equal(why.verdict, PLACEMENT_BEYOND);
    assert_int_equal(why.needs, POD_NEEDS_SPREAD);
}

static void shapes_made_by_hand_are_never_confused(void **state)
{
    (void)state;
    put_node("a");
    struct packing packing = packing_create(arena, cluster);
    struct pod_shape large_shape = {.facts = make_shape(9000, 1)};
    struct pod_shape small_shape = {.facts = make_shape(900, 1)};
    const struct pod large = {.space = "default", .name = "large", .shape = &large_shape};
    const struct pod small = {.space = "default", .name = "small", .shape = &small_shape};
    assert_int_equal(packing_put(&packing, &large, NULL), UINT32_MAX);
    assert_int_equal(packing_put(&packing, &small, NULL), 0);
}

static void pods_are_ordered_by_their_largest_share(void **state)
{
    (void)state;
    static const struct extended_resource gpu[] = {{"nvidia.com/gpu", 1}};
    static const struct resources reference = {
        .cpu_millis = 4000, .memory_bytes = 8 * GIB, .ephemeral_bytes = 100 * GIB, .pods = 110};
    struct pod_facts facts = make_pod("cpu", "", 2000, MIB);
    const struct pod *pods[7];
    pods[0] = put_pod("tiny-b", "", 100);
    pods[1] = cluster_put_pod(cluster, &facts);
    facts = make_pod("memory", "", 10, 6 * GIB);
    pods[2] = cluster_put_pod(cluster, &facts);
    facts = make_pod("disk", "", 10, MIB);
    facts.shape.requests.ephemeral_bytes = 60 * GIB;
    pods[3] = cluster_put_pod(cluster, &facts);
    facts = make_pod("gpu", "", 10, MIB);
    facts.shape.requests.extended = gpu;
    facts.shape.requests.extended_count = 1;
    pods[4] = cluster_put_pod(cluster, &facts);
    pods[5] = put_pod("tiny-a", "", 100);
    facts = make_pod("tiny-0", "", 100, MIB);
    facts.space = "a-namespace";
    pods[6] = cluster_put_pod(cluster, &facts);
    static const char *const expected[] = {"gpu", "memory", "disk", "cpu", "tiny-0", "tiny-a", "tiny-b"};
    for (int turn = 0; turn < 7; turn++) {
        const struct pod *first = pods[0]; // another input order each time
        memmove(pods, pods + 1, 6 * sizeof(pods[0]));
        pods[6] = first;
        const struct pod *sorted[7];
        memcpy(sorted, pods, sizeof(pods));
        packing_order(sorted, 7, &reference);
        for (int i = 0; i < 7; i++)
            assert_string_equal(sorted[i]->name, expected[i]);
    }
}

static void as_few_templates_are_used_as_it_takes(void **state)
{
    (void)state;
    static const struct resources allocatable = {.cpu_millis = 1000, .memory_bytes = GIB, .pods = 10};
    struct place place = template_place(&allocatable);
    place.used = (struct resources){.cpu_millis = 100, .pods = 1}; // DaemonSets
    const struct pod *pods[] = {put_pod("a", "", 950), put_pod("b", "", 600), put_pod("c", "", 500),
                                put_pod("d", "", 400), put_pod("e", "", 300)};
    struct packing packing = packing_create(arena, cluster);
    struct packing_mark mark = packing_mark(&packing);
    uint32_t landed[5];
    assert_int_equal(packing_count_on(&packing, &place, pods, 5, 9, landed), 2);
    assert_int_equal(landed[0], UINT32_MAX); // fits no template at all
    assert_int_equal(landed[1], 0);
    assert_int_equal(landed[2], 1);
    assert_int_equal(landed[3], 1);
    assert_int_equal(landed[4], 0);
    packing_rollback(&packing, mark);
    assert_int_equal(packing.place_count, 0);
    assert_int_equal(packing_count_on(&packing, &place, pods, 5, 1, landed), 1);
    assert_int_equal(landed[1], 0);
    assert_int_equal(landed[2], UINT32_MAX);
    assert_int_equal(landed[4], 0);
    packing_rollback(&packing, mark);
    assert_int_equal(packing_count_on(&packing, &place, pods, 5, 0, landed), 0);
    assert_int_equal(landed[1], UINT32_MAX);
    assert_int_equal(packing_count_on(&packing, &place, pods, 0, 9, landed), 0);
}

static void machines_are_added_only_for_what_fits_nowhere_else(void **state)
{
    (void)state;
    static const struct resources allocatable = {.cpu_millis = 1000, .memory_bytes = GIB, .pods = 10};
    struct place place = template_place(&allocatable);
    put_node("a");
    put_pod("there", "a", 3000);
    const struct pod *pods[] = {put_pod("p", "", 800), put_pod("q", "", 800), put_pod("r", "", 100)};
    struct packing packing = packing_create(arena, cluster);
    uint32_t landed[3];
    assert_int_equal(packing_count_on(&packing, &place, pods, 3, 9, landed), 1);
    assert_int_equal(landed[0], 0);
    assert_int_equal(landed[1], 1);
    assert_int_equal(landed[2], 0);
    assert_int_equal(packing.place_count, 2); // and there it stays
    assert_int_equal(packing.places[1].used.cpu_millis, 800);
}

static void going_back_to_a_mark_undoes_all_that_was_done_since(void **state)
{
    (void)state;
    static const struct resources allocatable = {.cpu_millis = 1000, .memory_bytes = GIB, .pods = 10};
    struct place place = template_place(&allocatable);
    const struct node *a = put_node("a");
    const struct node *b = put_node("b");
    const struct pod *large = put_pod("large", "", 3000);
    const struct pod *small = put_pod("small", "", 1000);
    struct packing packing = packing_create(arena, cluster);
    assert_int_equal(packing_put(&packing, large, NULL), 0);
    packing_remove_node(&packing, b);
    struct packing_mark outer = packing_mark(&packing);
    packing_take(&packing, 0, large);
    packing_restore_node(&packing, b);
    struct packing_mark inner = packing_mark(&packing);
    packing_remove_node(&packing, a);
    assert_int_equal(packing_put(&packing, large, NULL), 1);
    assert_int_equal(packing_put(&packing, small, NULL), UINT32_MAX);
    assert_int_equal(packing_add(&packing, &place), 2);
    assert_int_equal(packing_put(&packing, small, NULL), 2);
    packing_rollback(&packing, inner);
    assert_int_equal(packing.place_count, 2);
    assert_int_equal(packing.places[1].used.cpu_millis, 0);
    assert_int_equal(packing_put(&packing, large, NULL), 0);
    packing_rollback(&packing, outer);
    assert_int_equal(packing.places[0].used.cpu_millis, 3000);
    assert_int_equal(packing.places[0].used.pods, 1);
    assert_int_equal(packing_put(&packing, large, NULL), UINT32_MAX); // b is to go again
    assert_int_equal(packing_put(&packing, small, NULL), UINT32_MAX);
}

static void going_back_is_exact_where_sums_have_met_their_limit(void **state)
{
    (void)state;
    static const struct resources allocatable = {
        .cpu_millis = INT64_MAX, .memory_bytes = INT64_MAX, .pods = INT64_MAX};
    struct place place = template_place(&allocatable);
    place.used.cpu_millis = 7;
    struct packing packing = packing_create(arena, cluster);
    packing_add(&packing, &place);
    const struct pod *huge = put_pod("huge", "", INT64_MAX - 7);
    assert_int_equal(packing_put(&packing, huge, NULL), 0);
    struct packing_mark mark = packing_mark(&packing);
    packing_take(&packing, 0, huge);
    assert_int_equal(packing.places[0].used.cpu_millis, 7);
    packing_rollback(&packing, mark);
    assert_int_equal(packing.places[0].used.cpu_millis, INT64_MAX);
}

static void a_look_at_a_place_changes_nothing(void **state)
{
    (void)state;
    static const struct resources allocatable = {.cpu_millis = 1000, .memory_bytes = GIB, .pods = 10};
    struct place place = template_place(&allocatable);
    put_node("a");
    const struct pod *pod = put_pod("p", "", 3000);
    struct packing packing = packing_create(arena, cluster);
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(packing_check(&packing, 0, pod).verdict, PLACEMENT_FITS);
        assert_int_equal(packing_check_new(&packing, &place, pod).verdict, PLACEMENT_RESOURCES);
        assert_int_equal(packing.place_count, 1);
        assert_int_equal(packing.places[0].used.cpu_millis, 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_nodes_that_could_take_a_pod_are_places),
        TEST(pods_go_to_the_first_place_that_fits),
        TEST(what_was_put_can_be_taken_back),
        TEST(a_pod_can_be_put_on_one_very_place),
        TEST(several_extended_resources_keep_their_order),
        TEST(thousands_of_kinds_are_told_apart),
        TEST(extended_resources_are_counted_on_a_copy),
        TEST(a_node_that_is_to_go_takes_nothing_until_it_is_restored),
        TEST(wished_for_places_come_after_the_nodes),
        TEST(the_nearest_miss_is_told),
        TEST(what_is_beyond_the_rules_is_put_nowhere),
        TEST(shapes_made_by_hand_are_never_confused),
        TEST(pods_are_ordered_by_their_largest_share),
        TEST(as_few_templates_are_used_as_it_takes),
        TEST(machines_are_added_only_for_what_fits_nowhere_else),
        TEST(going_back_to_a_mark_undoes_all_that_was_done_since),
        TEST(going_back_is_exact_where_sums_have_met_their_limit),
        TEST(a_look_at_a_place_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

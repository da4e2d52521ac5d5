#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/model/resources.h"

static const struct extended_resource two_gpus[] = {{"nvidia.com/gpu", 2}};
static const struct extended_resource several[] = {{"a.com/x", 1}, {"nvidia.com/gpu", 3}, {"z.com/y", 9}};

static void sums_grow_and_shrink_back_to_nothing(void **state)
{
    (void)state;
    struct resources sum = {0};
    struct resources small = {100, 10, 1, 1, two_gpus, 1};
    struct resources large = {900, 90, 9, 1, several, 3};
    resources_add(&sum, &small);
    resources_add(&sum, &large);
    assert_int_equal(sum.cpu_millis, 1000);
    assert_int_equal(sum.memory_bytes, 100);
    assert_int_equal(sum.ephemeral_bytes, 10);
    assert_int_equal(sum.pods, 2);
    assert_int_equal(sum.extended_count, 3);
    assert_int_equal(resources_extended(&sum, "nvidia.com/gpu"), 5);
    assert_int_equal(resources_extended(&sum, "a.com/x"), 1);
    assert_int_equal(resources_extended(&sum, "b.com/x"), 0);
    resources_subtract(&sum, &large);
    assert_true(resources_equal(&sum, &small));
    resources_subtract(&sum, &small);
    assert_true(resources_equal(&sum, &(struct resources){0}));
    assert_null(sum.extended);
    resources_free(&sum);
}

static void subtracting_never_goes_below_zero(void **state)
{
    (void)state;
    struct resources sum = {0};
    resources_add(&sum, &(struct resources){5, 5, 5, 1, two_gpus, 1});
    resources_subtract(&sum, &(struct resources){9, 9, 9, 9, several, 3});
    assert_true(resources_equal(&sum, &(struct resources){0}));
    resources_free(&sum);
}

static void sums_saturate_and_say_so(void **state)
{
    (void)state;
    static const struct extended_resource endless[] = {{"e.com/e", INT64_MAX}};
    struct resources sum = {0};
    resources_add(&sum, &(struct resources){.cpu_millis = INT64_MAX - 1});
    assert_false(resources_saturated(&sum));
    resources_add(&sum, &(struct resources){.cpu_millis = 100});
    assert_int_equal(sum.cpu_millis, INT64_MAX);
    assert_true(resources_saturated(&sum));
    resources_free(&sum);
    resources_add(&sum, &(struct resources){.extended = endless, .extended_count = 1});
    resources_add(&sum, &(struct resources){.extended = endless, .extended_count = 1});
    assert_int_equal(resources_extended(&sum, "e.com/e"), INT64_MAX);
    assert_true(resources_saturated(&sum));
    resources_free(&sum);
}

static void copies_are_independent(void **state)
{
    (void)state;
    struct resources original = {0};
    resources_add(&original, &(struct resources){1, 2, 3, 4, several, 3});
    struct resources copy = resources_copy(NULL, &original);
    struct arena *arena = arena_create(256);
    struct resources in_arena = resources_copy(arena, &original);
    assert_true(resources_equal(&copy, &original));
    resources_add(&original, &(struct resources){0, 0, 0, 0, two_gpus, 1});
    assert_int_equal(resources_extended(&copy, "nvidia.com/gpu"), 3);
    assert_int_equal(resources_extended(&in_arena, "nvidia.com/gpu"), 3);
    resources_free(&copy);
    resources_free(&original);
    arena_destroy(arena);
}

static void differences_in_any_part_are_seen(void **state)
{
    (void)state;
    static const struct extended_resource other_amount[] = {{"nvidia.com/gpu", 3}};
    static const struct extended_resource other_name[] = {{"amd.com/gpu", 2}};
    struct resources base = {1, 2, 3, 4, two_gpus, 1};
    assert_true(resources_equal(&base, &(struct resources){1, 2, 3, 4, two_gpus, 1}));
    assert_false(resources_equal(&base, &(struct resources){9, 2, 3, 4, two_gpus, 1}));
    assert_false(resources_equal(&base, &(struct resources){1, 9, 3, 4, two_gpus, 1}));
    assert_false(resources_equal(&base, &(struct resources){1, 2, 9, 4, two_gpus, 1}));
    assert_false(resources_equal(&base, &(struct resources){1, 2, 3, 9, two_gpus, 1}));
    assert_false(resources_equal(&base, &(struct resources){1, 2, 3, 4, NULL, 0}));
    assert_false(resources_equal(&base, &(struct resources){1, 2, 3, 4, other_amount, 1}));
    assert_false(resources_equal(&base, &(struct resources){1, 2, 3, 4, other_name, 1}));
}

static void exactly_what_is_left_fits(void **state)
{
    (void)state;
    struct resources allocatable = {1000, 1000, 1000, 2, two_gpus, 1};
    struct resources used = {400, 400, 400, 1, NULL, 0};
    assert_true(resources_fit(&(struct resources){600, 600, 600, 1, two_gpus, 1}, &allocatable, &used, NULL));
    assert_false(resources_fit(&(struct resources){601, 600, 600, 1, NULL, 0}, &allocatable, &used, NULL));
}

static void the_first_thing_that_lacks_is_named(void **state)
{
    (void)state;
    struct resources allocatable = {1000, 1000, 1000, 2, two_gpus, 1};
    struct resources used = {400, 400, 400, 1, NULL, 0};
    struct resources_lack lack;
    assert_false(
        resources_fit(&(struct resources){700, 700, 700, 2, several, 3}, &allocatable, &used, &lack));
    assert_string_equal(lack.name, "pods");
    assert_false(
        resources_fit(&(struct resources){700, 700, 700, 1, several, 3}, &allocatable, &used, &lack));
    assert_string_equal(lack.name, "cpu");
    assert_int_equal(lack.asked, 700);
    assert_int_equal(lack.free, 600);
    assert_false(resources_fit(&(struct resources){1, 700, 700, 1, several, 3}, &allocatable, &used, &lack));
    assert_string_equal(lack.name, "memory");
    assert_false(resources_fit(&(struct resources){1, 1, 700, 1, several, 3}, &allocatable, &used, &lack));
    assert_string_equal(lack.name, "ephemeral-storage");
    assert_false(resources_fit(&(struct resources){1, 1, 1, 1, several, 3}, &allocatable, &used, &lack));
    assert_string_equal(lack.name, "a.com/x");
    assert_int_equal(lack.free, 0);
}

static void what_is_not_asked_for_fits_on_an_overcommitted_node(void **state)
{
    (void)state;
    struct resources allocatable = {1000, 1000, 0, 110, NULL, 0};
    struct resources used = {5000, 100, 50, 3, NULL, 0};
    struct resources_lack lack;
    assert_true(resources_fit(&(struct resources){0, 900, 0, 1, NULL, 0}, &allocatable, &used, NULL));
    assert_false(resources_fit(&(struct resources){1, 0, 0, 1, NULL, 0}, &allocatable, &used, &lack));
    assert_int_equal(lack.free, 0);
    used.memory_bytes = INT64_MAX;
    allocatable.memory_bytes = -5;
    assert_false(resources_fit(&(struct resources){0, 1, 0, 1, NULL, 0}, &allocatable, &used, NULL));
}

static void a_pod_always_needs_room_in_the_count_of_pods(void **state)
{
    (void)state;
    struct resources allocatable = {1000, 1000, 0, 3, NULL, 0};
    struct resources used = {0, 0, 0, 3, NULL, 0};
    struct resources_lack lack;
    assert_false(resources_fit(&(struct resources){.pods = 1}, &allocatable, &used, &lack));
    assert_string_equal(lack.name, "pods");
}

static void an_extended_resource_already_used_up_does_not_fit(void **state)
{
    (void)state;
    struct resources allocatable = {1000, 1000, 0, 9, two_gpus, 1};
    struct resources used = {.extended = two_gpus, .extended_count = 1};
    assert_false(resources_fit(&(struct resources){0, 0, 0, 1, two_gpus, 1}, &allocatable, &used, NULL));
    static const struct extended_resource none[] = {{"nvidia.com/gpu", 0}};
    assert_true(resources_fit(&(struct resources){0, 0, 0, 1, none, 1}, &allocatable, &used, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_grow_and_shrink_back_to_nothing),
        cmocka_unit_test(subtracting_never_goes_below_zero),
        cmocka_unit_test(sums_saturate_and_say_so),
        cmocka_unit_test(copies_are_independent),
        cmocka_unit_test(differences_in_any_part_are_seen),
        cmocka_unit_test(exactly_what_is_left_fits),
        cmocka_unit_test(the_first_thing_that_lacks_is_named),
        cmocka_unit_test(what_is_not_asked_for_fits_on_an_overcommitted_node),
        cmocka_unit_test(a_pod_always_needs_room_in_the_count_of_pods),
        cmocka_unit_test(an_extended_resource_already_used_up_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

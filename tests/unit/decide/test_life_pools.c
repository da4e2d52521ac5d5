// A NodeGroup of several sizes: a VPSie group for each, made when it is needed, found again, refused and
// counted by itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/puppet.h"

#define MINUTE LIFE_MINUTE_MS
#define SECOND LIFE_SECOND_MS

static struct puppet *puppet;

static int begin(void **state)
{
    (void)state;
    puppet = puppet_create(NULL);
    puppet_start(puppet);
    struct puppet_group *group = puppet_group(puppet, "free", 0, 0, 4);
    group->offerings[0] = "22";
    group->offerings[1] = "21";
    group->offering_count = 2;
    puppet_show_group(puppet, group);
    puppet_run(puppet, 2 * MINUTE);
    return 0;
}

static int end(void **state)
{
    (void)state;
    puppet_destroy(puppet);
    return 0;
}

static struct group *group_named(const char *name)
{
    return cluster_group(puppet->core->cluster, NULL, name);
}

static const struct group_life *free_life(void)
{
    return group_life(puppet->core, group_named("free"));
}

static void assert_pool(uint32_t index, const char *name, int64_t size, int64_t id, bool orderable)
{
    assert_true(index < free_life()->pool_count);
    const struct pool *pool = &free_life()->pools[index];
    assert_string_equal(pool->name, name);
    assert_int_equal(pool->size_id, size);
    assert_int_equal(pool->vpsie_group_id, id);
    assert_int_equal(pool->orderable, orderable);
}

static void both_are_made(void)
{
    puppet_cloud_group(puppet, "free", 40, PUPPET_SIZE_TOO, 0);
    puppet_cloud_group(puppet, "free-21", 41, PUPPET_SIZE, 0);
    puppet_run(puppet, 2 * MINUTE);
}

static struct puppet_machine *machine(const char *identifier, int32_t cpu, int64_t memory_mb)
{
    struct puppet_machine *made = puppet_machine(puppet, identifier, identifier);
    made->cpu = cpu;
    made->memory_mb = memory_mb;
    return made;
}

// ---- which there are

static void each_size_has_a_vpsie_group_and_the_first_is_named_as_the_nodegroup(void **state)
{
    (void)state;
    assert_int_equal(free_life()->pool_count, 2);
    assert_pool(0, "free", PUPPET_SIZE_TOO, 0, true);
    assert_pool(1, "free-21", PUPPET_SIZE, 0, true);
    assert_int_equal(free_life()->size_id, PUPPET_SIZE_TOO);
    both_are_made();
    assert_pool(0, "free", PUPPET_SIZE_TOO, 40, true);
    assert_pool(1, "free-21", PUPPET_SIZE, 41, true);
    assert_int_equal(free_life()->vpsie_group_id, 40);
}

static void with_a_size_of_its_own_a_nodegroup_has_one(void **state)
{
    (void)state;
    puppet_group(puppet, "fixed", PUPPET_SIZE, 0, 4);
    const struct group_life *life = group_life(puppet->core, group_named("fixed"));
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(life->pool_count, 1);
    assert_string_equal(life->pools[0].name, "fixed");
    assert_null(life_pool(puppet->core, group_named("fixed"), PUPPET_SIZE_TOO));
}

static void an_existing_group_of_the_nodegroup_s_name_keeps_its_size(void **state)
{
    (void)state;
    puppet_cloud_group(puppet, "free", 40, PUPPET_SIZE, 0); // the second offering
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(free_life()->pool_count, 2);
    assert_pool(0, "free", PUPPET_SIZE, 40, true);
    assert_pool(1, "free-22", PUPPET_SIZE_TOO, 0, true);
}

static void a_size_that_another_group_has_cannot_be_had(void **state)
{
    (void)state;
    puppet_cloud_group(puppet, "panel", 90, PUPPET_SIZE, 0);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(free_life()->pool_count, 1);
    assert_null(life_pool(puppet->core, group_named("free"), PUPPET_SIZE));
    puppet_order_size(puppet, "free", PUPPET_SIZE, 1);
    assert_int_equal(puppet_stored_count(puppet), 0);
    assert_true(puppet_said(puppet, "cannot be had"));
}

static void another_nodegroup_s_name_is_not_taken(void **state)
{
    (void)state;
    puppet_group(puppet, "free-21", PUPPET_SIZE, 0, 4);
    puppet_cloud_group(puppet, "free-21", 41, PUPPET_SIZE, 0);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(free_life()->pool_count, 1);
    assert_int_equal(group_life(puppet->core, group_named("free-21"))->vpsie_group_id, 41);
}

static void a_vpsie_group_that_was_renamed_is_known_by_its_vpsienodes(void **state)
{
    (void)state;
    both_are_made();
    puppet_order_size(puppet, "free", PUPPET_SIZE, 1);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_stored(puppet, 0)->group_id, 41);
    snprintf(puppet->cloud_groups[1].name, sizeof(puppet->cloud_groups[1].name), "mine");
    puppet_lose(puppet);
    puppet_lead(puppet, 2);
    puppet_run(puppet, 2 * MINUTE);
    assert_pool(1, "mine", PUPPET_SIZE, 41, true);
}

static void a_further_one_is_not_taken_for_the_one_of_the_nodegroup_s_name(void **state)
{
    (void)state;
    puppet_cloud_group(puppet, "free-21", 41, PUPPET_SIZE, 0);
    puppet_run(puppet, 2 * MINUTE);
    puppet->groups[0].offering_count = 1; // "22", of which there is none yet
    puppet->groups[0].size = PUPPET_SIZE_TOO;
    puppet_show_group(puppet, &puppet->groups[0]);
    puppet_run(puppet, 2 * MINUTE);
    assert_pool(0, "free", PUPPET_SIZE_TOO, 0, true);
    assert_pool(1, "free-21", PUPPET_SIZE, 41, false);
}

static void a_size_that_is_no_longer_offered_is_not_ordered_and_its_machines_stay(void **state)
{
    (void)state;
    both_are_made();
    puppet_order_size(puppet, "free", PUPPET_SIZE, 1);
    puppet_run(puppet, 10 * SECOND);
    puppet->groups[0].offering_count = 1;
    puppet_show_group(puppet, &puppet->groups[0]);
    puppet_run(puppet, 2 * MINUTE);
    assert_pool(1, "free-21", PUPPET_SIZE, 41, false);
    assert_null(life_pool(puppet->core, group_named("free"), PUPPET_SIZE));
    machine("vps-1", 4, 8192);
    puppet->cloud_groups[1].nodes = 1;
    puppet_run(puppet, 2 * MINUTE);
    assert_string_equal(puppet_stored(puppet, 0)->identifier, "vps-1");
}

// ---- ordering

static void an_order_of_a_size_makes_its_vpsie_group_and_goes_there(void **state)
{
    (void)state;
    puppet_order_size(puppet, "free", PUPPET_SIZE, 2);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_CREATE_GROUP), 1);
    const struct command *create = puppet_last(puppet, COMMAND_VPSIE_CREATE_GROUP);
    assert_string_equal(create->create_group.name, "free-21");
    assert_int_equal(create->create_group.size_id, PUPPET_SIZE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 0);
    puppet_cloud_group(puppet, "free-21", 41, PUPPET_SIZE, 0);
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 2);
    assert_int_equal(puppet_last(puppet, COMMAND_VPSIE_ADD_MACHINE)->add_machine.group_id, 41);
    assert_string_equal(puppet_stored(puppet, 0)->size, "21");
    const struct intention *intention = puppet->core->cluster->intentions[0];
    assert_int_equal(life_size(puppet->core, intention), PUPPET_SIZE);
}

static void before_vpsie_s_groups_are_known_the_spec_s_size_is_asked_for(void **state)
{
    (void)state;
    puppet_destroy(puppet);
    puppet = puppet_create(NULL);
    puppet_group(puppet, "fixed", PUPPET_SIZE_TOO, 0, 4);
    puppet->held[COMMAND_VPSIE_LIST_GROUPS] = true;
    puppet_start(puppet);
    puppet_answer_words(puppet, puppet_last(puppet, COMMAND_VPSIE_LIST_GROUPS), OUTCOME_NOT_FOUND, 0, "none");
    puppet_order(puppet, "fixed", 1);
    assert_int_equal(puppet_stored_count(puppet), 1);
    assert_string_equal(puppet_stored(puppet, 0)->size, "22");
}

static void what_is_not_seen_yet_is_counted_by_its_size(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_CREATE_INTENTION] = true;
    puppet_order_size(puppet, "free", PUPPET_SIZE, 2);
    puppet_order_size(puppet, "free", PUPPET_SIZE_TOO, 1);
    assert_int_equal(life_unseen(puppet->core, group_named("free"), PUPPET_SIZE), 2);
    assert_int_equal(life_unseen(puppet->core, group_named("free"), PUPPET_SIZE_TOO), 1);
    puppet_answer_all(puppet, COMMAND_KUBE_CREATE_INTENTION);
    assert_int_equal(life_unseen(puppet->core, group_named("free"), PUPPET_SIZE), 0);
}

static void orders_of_two_sizes_are_open_together_and_find_their_own_machines(void **state)
{
    (void)state;
    both_are_made();
    puppet_order_size(puppet, "free", PUPPET_SIZE, 1);
    puppet_order_size(puppet, "free", PUPPET_SIZE_TOO, 1);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 2);
    machine("vps-large", 8, 16384);
    machine("vps-small", 4, 8192);
    puppet->cloud_groups[0].nodes = puppet->cloud_groups[1].nodes = 1;
    puppet_run(puppet, 2 * MINUTE);
    for (uint32_t i = 0; i < 2; i++) {
        const struct puppet_node *node = puppet_stored(puppet, i);
        assert_string_equal(node->identifier, node->group_id == 40 ? "vps-large" : "vps-small");
    }
}

static void a_refusal_of_one_size_does_not_stop_the_other(void **state)
{
    (void)state;
    both_are_made();
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order_size(puppet, "free", PUPPET_SIZE, 1);
    puppet_answer_words(puppet, puppet_last(puppet, COMMAND_VPSIE_ADD_MACHINE), OUTCOME_LIMITED, 0, "quota");
    assert_true(free_life()->pools[1].backoff_until_ms > puppet->now_ms);
    assert_true(free_life()->pools[0].backoff_until_ms <= puppet->now_ms);
    assert_true(free_life()->backoff_until_ms <= puppet->now_ms);
    puppet_order_size(puppet, "free", PUPPET_SIZE_TOO, 1);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 2);
    puppet_answer_words(puppet, puppet_last(puppet, COMMAND_VPSIE_ADD_MACHINE), OUTCOME_REFUSED, 0, "no");
    assert_int_equal(free_life()->backoff_until_ms, free_life()->pools[0].backoff_until_ms); // the sooner
    assert_non_null(strstr(free_life()->backoff_reason, "no"));
}

static void the_maximum_holds_for_all_sizes_together(void **state)
{
    (void)state;
    both_are_made();
    puppet->groups[0].max = 3;
    puppet_show_group(puppet, &puppet->groups[0]);
    puppet->cloud_groups[0].nodes = 2; // by other hands
    machine("vps-a", 8, 16384);
    machine("vps-b", 8, 16384);
    puppet_run(puppet, 10 * SECOND);
    puppet_order_size(puppet, "free", PUPPET_SIZE, 2);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 1);
    assert_true(puppet_said(puppet, "maxNodes is 3"));
}

// Four that an order before did not find are nobody's, and no open order's either.
static void what_was_over_does_not_make_room_below_the_maximum(void **state)
{
    (void)state;
    both_are_made();
    puppet->cloud_groups[0].nodes = 3;
    for (uint32_t i = 0; i < 3; i++)
        machine(i == 0 ? "vps-a" : i == 1 ? "vps-b" : "vps-c", 0, 0);
    puppet_lose(puppet);
    puppet_lead(puppet, 2);
    puppet_run(puppet, 10 * SECOND);
    puppet_order_size(puppet, "free", PUPPET_SIZE_TOO, 3);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 1);
}

static void an_order_whose_size_can_no_longer_be_had_is_cancelled_before_the_call(void **state)
{
    (void)state;
    both_are_made();
    puppet->held[COMMAND_VPSIE_LIST_GROUPS] = true;
    puppet_run(puppet, 5 * SECOND);
    puppet_order_size(puppet, "free", PUPPET_SIZE, 1);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(puppet_stored_count(puppet), 1);
    puppet->groups[0].offering_count = 1;
    puppet_show_group(puppet, &puppet->groups[0]);
    snprintf(puppet->cloud_groups[1].name, sizeof(puppet->cloud_groups[1].name),
             "panel"); // not ours any more
    puppet_answer_all(puppet, COMMAND_VPSIE_LIST_GROUPS);
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 0);
    assert_int_equal(puppet_stored_count(puppet), 0);
    assert_true(puppet_said(puppet, "no longer be had"));
}

// ---- surplus

static void a_surplus_is_counted_and_adopted_in_its_own_vpsie_group(void **state)
{
    (void)state;
    both_are_made();
    puppet_run(puppet, 5 * MINUTE);
    machine("vps-small", 4, 8192);
    puppet->cloud_groups[1].nodes = 1; // at the panel
    puppet_run(puppet, 5 * MINUTE);
    assert_int_equal(free_life()->pools[0].surplus, 0);
    assert_int_equal(free_life()->pools[1].surplus, 1);
    assert_int_equal(free_life()->surplus, 1);
    puppet_order_size(puppet, "free", PUPPET_SIZE_TOO, 1);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 1); // of the other size: ordered
    puppet_order_size(puppet, "free", PUPPET_SIZE, 1);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 1);
    const struct puppet_node *adopted = puppet_stored(puppet, 1);
    assert_string_equal(adopted->identifier, "vps-small");
    assert_int_equal(adopted->group_id, 41);
    assert_string_equal(adopted->size, "21");
}

static void a_finalizer_that_was_not_written_is_written_again(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_GROUP_FINALIZER] = true;
    uint32_t before = puppet_count(puppet, COMMAND_KUBE_GROUP_FINALIZER);
    struct puppet_group *group = puppet_group(puppet, "late", PUPPET_SIZE_TOO, 0, 4);
    group->finalizer = false;
    puppet_show_group(puppet, group);
    puppet_run(puppet, SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_GROUP_FINALIZER), before + 1);
    puppet_answer(puppet, puppet_last(puppet, COMMAND_KUBE_GROUP_FINALIZER), OUTCOME_CONFLICT);
    puppet_run(puppet, 10 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_GROUP_FINALIZER), before + 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_size_has_a_vpsie_group_and_the_first_is_named_as_the_nodegroup),
        TEST(with_a_size_of_its_own_a_nodegroup_has_one),
        TEST(an_existing_group_of_the_nodegroup_s_name_keeps_its_size),
        TEST(a_size_that_another_group_has_cannot_be_had),
        TEST(another_nodegroup_s_name_is_not_taken),
        TEST(a_vpsie_group_that_was_renamed_is_known_by_its_vpsienodes),
        TEST(a_further_one_is_not_taken_for_the_one_of_the_nodegroup_s_name),
        TEST(a_size_that_is_no_longer_offered_is_not_ordered_and_its_machines_stay),
        TEST(an_order_of_a_size_makes_its_vpsie_group_and_goes_there),
        TEST(before_vpsie_s_groups_are_known_the_spec_s_size_is_asked_for),
        TEST(what_is_not_seen_yet_is_counted_by_its_size),
        TEST(orders_of_two_sizes_are_open_together_and_find_their_own_machines),
        TEST(a_refusal_of_one_size_does_not_stop_the_other),
        TEST(the_maximum_holds_for_all_sizes_together),
        TEST(what_was_over_does_not_make_room_below_the_maximum),
        TEST(an_order_whose_size_can_no_longer_be_had_is_cancelled_before_the_call),
        TEST(a_surplus_is_counted_and_adopted_in_its_own_vpsie_group),
        TEST(a_finalizer_that_was_not_written_is_written_again),
    };
    return cmocka_run_group_tests_name("several sizes", tests, NULL, NULL);
}

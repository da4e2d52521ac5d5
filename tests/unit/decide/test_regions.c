// Several data centers: a NodeGroup for each, alike but for that.
#include <stdio.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/unit/decide/policy_stage.h"

static struct stage *stage;

static int setup(void **state)
{
    (void)state;
    stage = stage_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stage_destroy(stage);
    return 0;
}

static const char *const CENTERS[] = {"dc-1", "dc-2"};
static const struct region_weight WEIGHTS[] = {{"dc-1", 1}, {"dc-2", 3}};

static void region(const char *name, const char *datacenter, enum distribution distribution, int32_t max)
{
    struct event *event = stage_group_event(stage, name, 0, max);
    struct nodegroup_facts *facts = (struct nodegroup_facts *)(uintptr_t)event->object.group;
    facts->node_labels = (struct labels){0};
    facts->datacenter_id = datacenter;
    facts->multi_region_enabled = true;
    facts->multi_region = (struct multi_region_facts){.enabled = true,
                                                      .datacenter_ids = CENTERS,
                                                      .datacenter_count = 2,
                                                      .distribution = distribution,
                                                      .weights = WEIGHTS,
                                                      .weight_count = 2,
                                                      .primary = "dc-2"};
    stage_step(stage, event);
}

static void new_machines_are_shared_out_evenly(void **state)
{
    (void)state;
    region("aaa", "dc-1", DISTRIBUTION_BALANCED, 10);
    region("bbb", "dc-2", DISTRIBUTION_BALANCED, 10);
    stage_waiting(stage, "web", 12, 1000, 64); // four machines
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "aaa"), 2);
    assert_int_equal(stage_coming(stage, "bbb"), 2);
    stage_waiting(stage, "more", 3, 1000, 64);
    stage_wait(stage, 5000);
    stage_waiting(stage, "most", 3, 1000, 64);
    stage_wait(stage, 5000);
    assert_int_equal(stage_coming(stage, "aaa"), 3);
    assert_int_equal(stage_coming(stage, "bbb"), 3);
}

static void weights_are_kept_to(void **state)
{
    (void)state;
    region("aaa", "dc-1", DISTRIBUTION_WEIGHTED, 10);
    region("bbb", "dc-2", DISTRIBUTION_WEIGHTED, 10);
    stage_waiting(stage, "web", 24, 1000, 64); // eight machines
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "aaa"), 2);
    assert_int_equal(stage_coming(stage, "bbb"), 6);
}

static void the_backup_serves_what_the_primary_cannot(void **state)
{
    (void)state;
    region("aaa", "dc-1", DISTRIBUTION_PRIMARY_BACKUP, 10);
    region("bbb", "dc-2", DISTRIBUTION_PRIMARY_BACKUP, 3);
    stage_waiting(stage, "web", 12, 1000, 64);
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "bbb"), 3);
    assert_int_equal(stage_coming(stage, "aaa"), 1);
}

static void pods_are_served_though_that_is_uneven(void **state)
{
    (void)state;
    region("aaa", "dc-1", DISTRIBUTION_BALANCED, 10);
    region("bbb", "dc-2", DISTRIBUTION_BALANCED, 10);
    for (int i = 0; i < 4; i++) { // of one of them only
        char name[16];
        snprintf(name, sizeof(name), "picky-%d", i);
        struct event *event = stage_pod_event(stage, name, "", 3000, 64);
        stage_label(event, &event->object.pod->shape.node_selector, KEY_NODEGROUP, "bbb");
        stage_step(stage, event);
    }
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "bbb"), 4);
    assert_int_equal(stage_coming(stage, "aaa"), 0);
}

static void each_region_keeps_its_minimum(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "aaa", 0, 5);
    struct nodegroup_facts *facts = (struct nodegroup_facts *)(uintptr_t)event->object.group;
    facts->multi_region_enabled = true;
    facts->multi_region = (struct multi_region_facts){.enabled = true,
                                                      .datacenter_ids = CENTERS,
                                                      .datacenter_count = 2,
                                                      .primary = "",
                                                      .nodes_per_region_min = 2};
    stage_step(stage, event);
    stage_wait(stage, 5000);
    assert_int_equal(stage_coming(stage, "aaa"), 2);
    assert_non_null(strstr(stage_last(stage)->reason, "minNodesPerRegion asks for 2"));
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    region("aaa", "dc-1", DISTRIBUTION_BALANCED, 10);
    stage_wait(stage, 5000);
    const struct command *status = stage_find(stage, COMMAND_KUBE_GROUP_STATUS);
    assert_non_null(status);
    bool told = false;
    for (uint32_t i = 0; i < status->group_status.condition_count; i++)
        told = told || strstr(status->group_status.conditions[i].message,
                              "its machines are in dc-1 only; for dc-2 make NodeGroups") != NULL;
    assert_true(told);
    struct arena *arena = arena_create(4096);
    struct explanation found;
    assert_true(explain_group(stage->core, arena, "aaa", &found));
    told = false;
    for (uint32_t i = 0; i < found.rule_count; i++)
        told = told || strstr(found.rules[i].saw, "no NodeGroup like this one in dc-2") != NULL;
    assert_true(told);
    arena_destroy(arena);
}

static void without_a_group_in_the_primary_there_is_no_backup(void **state)
{
    (void)state;
    region("aaa", "dc-1", DISTRIBUTION_PRIMARY_BACKUP, 10); // dc-2 is the primary
    struct group *group = cluster_group(stage->core->cluster, NULL, "aaa");
    assert_false(policy_is_backup(stage->core, group));
    region("bbb", "dc-2", DISTRIBUTION_PRIMARY_BACKUP, 10);
    assert_true(policy_is_backup(stage->core, group));
}

static void a_data_centre_without_a_weight_counts_once(void **state)
{
    (void)state;
    struct group groups[2] = {{.facts = {.datacenter_id = "dc-2"}}, {.facts = {.datacenter_id = "dc-7"}}};
    for (int i = 0; i < 2; i++)
        groups[i].facts.multi_region = (struct multi_region_facts){
            .distribution = DISTRIBUTION_WEIGHTED, .weights = WEIGHTS, .weight_count = 2};
    struct region_share shares[2] = {{.group = &groups[0], .room = 9}, {.group = &groups[1], .room = 9}};
    assert_true(policy_share_out(shares, 2, 4));
    assert_int_equal(shares[0].gets, 3);
    assert_int_equal(shares[1].gets, 1);
    shares[0].room = shares[1].room = 1; // for more machines than there is room nothing is shared out
    assert_false(policy_share_out(shares, 2, 3));
}

static void a_data_centre_that_the_other_does_not_list_is_of_another_family(void **state)
{
    (void)state;
    region("aaa", "dc-1", DISTRIBUTION_BALANCED, 10);
    region("bbb", "dc-2", DISTRIBUTION_BALANCED, 10);
    region("ccc", "dc-3", DISTRIBUTION_BALANCED, 10);
    const struct cluster *cluster = stage->core->cluster;
    const struct group *first = cluster_group(cluster, NULL, "aaa");
    assert_true(policy_same_family(first, cluster_group(cluster, NULL, "bbb")));
    assert_false(policy_same_family(first, cluster_group(cluster, NULL, "ccc")));
    for (uint32_t i = 0; i < cluster->group_count; i++)
        assert_int_equal(policy_group_index(cluster, cluster->groups[i]), i);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_machines_are_shared_out_evenly),
        TEST(weights_are_kept_to),
        TEST(the_backup_serves_what_the_primary_cannot),
        TEST(pods_are_served_though_that_is_uneven),
        TEST(each_region_keeps_its_minimum),
        TEST(what_is_missing_is_said),
        TEST(without_a_group_in_the_primary_there_is_no_backup),
        TEST(a_data_centre_without_a_weight_counts_once),
        TEST(a_data_centre_that_the_other_does_not_list_is_of_another_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

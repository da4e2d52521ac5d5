// Several sizes in a NodeGroup, limits of money, preferences, sizes that are set aside, and what is said of
// it.
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

static const char *const BOTH[] = {"10", "20"};

// A group of both sizes: small ($0.05) and large ($0.09).
static struct event *group_of_both(const char *name, int32_t min, int32_t max)
{
    struct event *event = stage_group_event(stage, name, min, max);
    event->object.group->kube_size_id = 0;
    event->object.group->offering_ids = BOTH;
    event->object.group->offering_count = 2;
    return event;
}

static struct group *settle(struct event *event, const char *name)
{
    stage_step(stage, event);
    stage_wait(stage, 70000); // VPSie's lists show its groups
    return cluster_group(stage->core->cluster, NULL, name);
}

static void annotate(struct event *event, const char *key, const char *value)
{
    stage_label(event, &event->object.group->annotations, key, value);
}

static uint32_t coming(const char *name, int64_t size_id)
{
    struct group *group = cluster_group(stage->core->cluster, NULL, name);
    uint32_t count = life_unseen(stage->core, group, size_id);
    for (uint32_t i = 0; i < group->intention_count; i++)
        count += life_size(stage->core, group->intentions[i]) == size_id;
    return count;
}

static void verdict_says(const char *pod, const char *text)
{
    const struct pod *found = stage_pod(stage, pod);
    assert_non_null(found);
    if (strstr(found->verdict, text) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", pod, found->verdict, text);
}

static void the_sizes_of_one_group_are_mixed_for_the_least_price(void **state)
{
    (void)state;
    settle(group_of_both("general", 0, 10), "general");
    stage_waiting(stage, "web", 9, 1000, 64); // 7 on a large one, 2 on a small one
    stage_wait(stage, 300);
    assert_int_equal(coming("general", 20), 1);
    assert_int_equal(coming("general", 10), 1);
    assert_int_equal(stage_decisions(stage), 2);
    for (int i = 0; i < 5; i++) { // and a second look finds them on their way
        stage_step(stage, event_create(EVENT_KUBE_SYNCED));
        stage_wait(stage, 5000);
    }
    assert_int_equal(stage_decisions(stage), 2);
    assert_int_equal(coming("general", 20) + coming("general", 10), 2);
}

static void a_decision_keeps_its_options_with_their_prices_and_why_they_lost(void **state)
{
    (void)state;
    settle(group_of_both("general", 0, 10), "general");
    stage_group(stage, "small", 0, 10);
    stage_waiting(stage, "web", 7, 1000, 64);
    stage_wait(stage, 300);
    const struct decision *decision = stage_last(stage);
    assert_string_equal(decision->summary, "order 1 machine of size large in general");
    assert_true(decision->option_count >= 3);
    assert_string_equal(decision->options[0].why, "taken");
    assert_string_equal(decision->options[0].size, "large");
    assert_int_equal(decision->options[0].machines, 1);
    assert_int_equal(decision->options[0].pods, 7);
    bool told = false;
    for (uint32_t i = 1; i < decision->option_count; i++)
        told = told || strcmp(decision->options[i].why, "at least $0.100/h for all of them") == 0;
    assert_true(told);
    struct arena *arena = arena_create(4096);
    struct explanation found;
    assert_true(explain_pod(stage->core, arena, stage_pod(stage, "web-0")->space, "web-0", &found));
    told = false;
    for (uint32_t i = 0; i < found.rule_count; i++)
        told = told || strcmp(found.rules[i].name, "option general large") == 0;
    assert_true(told);
    arena_destroy(arena);
}

static void a_size_that_backs_off_is_set_aside_and_another_serves(void **state)
{
    (void)state;
    struct group *group = settle(group_of_both("general", 0, 10), "general");
    struct pool *pool = life_pool(stage->core, group, 20);
    assert_non_null(pool);
    pool->backoff_until_ms = stage->now_ms + 600000;
    snprintf(pool->backoff_reason, sizeof(pool->backoff_reason), "no capacity");
    stage_waiting(stage, "web", 7, 1000, 64);
    stage_waiting(stage, "wide", 1, 6000, 64);
    stage_wait(stage, 300);
    assert_int_equal(coming("general", 20), 0);
    assert_int_equal(coming("general", 10), 3);
    verdict_says("wide-0", "size large backs off: no capacity");
    const struct decision *decision = stage_last(stage);
    bool told = false;
    for (uint32_t i = 0; i < decision->option_count; i++)
        told = told || strcmp(decision->options[i].why, "backs off: no capacity") == 0;
    assert_true(told);
}

static void machines_that_never_join_set_their_size_aside_for_a_growing_time(void **state)
{
    (void)state;
    struct group *group = settle(group_of_both("general", 0, 10), "general");
    for (int i = 0; i < 2; i++) { // two large ones that were given up
        char name[16];
        snprintf(name, sizeof(name), "lost-%d", i);
        struct event *event = stage_intention_event(stage, name, "general");
        event->object.intention->vpsie_group_id = life_pool(stage->core, group, 20)->vpsie_group_id;
        stage_step(stage, event);
        struct life *life = life_of(cluster_intention(stage->core->cluster, NULL, name));
        assert_non_null(life);
        life->removal = REMOVAL_FAILED;
        life->step = LIFE_FAILED;
    }
    stage_waiting(stage, "web", 7, 1000, 64);
    stage_waiting(stage, "wide", 1, 6000, 64);
    stage_wait(stage, 3000);
    verdict_says("wide-0", "size large backs off: 2 machines of late did not come into service");
    uint32_t small = coming("general", 10);
    assert_true(small >= 2);
    for (int i = 0; i < 40; i++) // four minutes, not two
        stage_wait(stage, 5000);
    verdict_says("wide-0", "did not come into service");
    for (int i = 0; i < 12; i++)
        stage_wait(stage, 5000);
    verdict_says("wide-0", "served by");
}

static void a_data_center_that_lacks_capacity_comes_last(void **state)
{
    (void)state;
    struct group *first = settle(group_of_both("aaa", 0, 10), "aaa");
    struct event *event = stage_group_event(stage, "bbb", 0, 10);
    stage_step(stage, event);
    event = stage_group_event(stage, "ccc", 0, 10); // dearer, and elsewhere
    event->object.group->datacenter_id = "dc-2";
    stage_step(stage, event);
    stage_wait(stage, 70000);
    for (int i = 0; i < 2; i++) {
        struct pool *pool = life_pool(stage->core, first, i == 0 ? 10 : 20);
        pool->backoff_until_ms = stage->now_ms + 600000;
        snprintf(pool->backoff_reason, sizeof(pool->backoff_reason), "No capacity left");
    }
    stage_waiting(stage, "web", 3, 1000, 64);
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "ccc"), 1);
    assert_int_equal(stage_coming(stage, "bbb"), 0);
    const struct decision *decision = stage_last(stage);
    bool told = false;
    for (uint32_t i = 0; i < decision->option_count; i++)
        told =
            told || strstr(decision->options[i].why, "data center dc-1 lacks capacity for 2 sizes") != NULL;
    assert_true(told);
}

static void a_preferred_size_is_ordered_though_another_is_cheaper(void **state)
{
    (void)state;
    struct event *event = group_of_both("general", 0, 10);
    event->object.group->preferred_instance_type = "small";
    settle(event, "general");
    stage_waiting(stage, "web", 7, 1000, 64);
    stage_waiting(stage, "wide", 1, 6000, 64);
    stage_wait(stage, 300);
    assert_int_equal(coming("general", 10), 3);
    assert_int_equal(coming("general", 20), 1);
}

static void a_group_that_may_not_be_mixed_gets_one_size(void **state)
{
    (void)state;
    struct event *event = group_of_both("general", 0, 10);
    event->object.group->allow_mixed_instances = false;
    settle(event, "general");
    stage_waiting(stage, "web", 9, 1000, 64);
    stage_wait(stage, 300);
    assert_true((coming("general", 10) == 0) != (coming("general", 20) == 0));
    bool large = coming("general", 20) > 0;
    stage_waiting(stage, "more", 9, 1000, 64); // and keeps to it
    stage_wait(stage, 5000);
    assert_int_equal(coming("general", large ? 10 : 20), 0);
}

static void a_group_never_costs_more_an_hour_than_its_annotation_allows(void **state)
{
    (void)state;
    struct event *event = group_of_both("general", 0, 10);
    annotate(event, KEY_MAX_HOURLY_PRICE, "0.15");
    settle(event, "general");
    stage_waiting(stage, "web", 30, 1000, 64);
    stage_wait(stage, 5000);
    assert_int_equal(coming("general", 20), 1);
    assert_int_equal(coming("general", 10), 1); // 0.14
    stage_waiting(stage, "more", 5, 1000, 64);
    stage_wait(stage, 5000);
    assert_int_equal(stage_coming(stage, "general"), 2);
    verdict_says("more-0", "waits: general may not cost more: $0.140/h of at most $0.150/h");
}

static void a_price_that_cannot_be_read_is_no_leave_to_spend(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "general", 0, 10);
    annotate(event, KEY_MAX_HOURLY_PRICE, "cheap");
    stage_step(stage, event);
    stage_waiting(stage, "web", 3, 1000, 64);
    stage_wait(stage, 5000);
    assert_int_equal(stage_decisions(stage), 0);
    verdict_says("web-0", "\"cheap\", which is no price");
}

static void a_minimum_is_met_with_the_cheapest_size(void **state)
{
    (void)state;
    settle(group_of_both("general", 2, 10), "general");
    stage_wait(stage, 5000);
    assert_int_equal(coming("general", 10), 2);
    assert_int_equal(coming("general", 20), 0);
}

static void the_expander_of_priorities_takes_the_higher_one_first(void **state)
{
    (void)state;
    stage->core->config.expander = EXPANDER_PRIORITY;
    stage_group(stage, "aaa", 0, 10);
    struct event *event = stage_group_event(stage, "bbb", 0, 1);
    annotate(event, KEY_PRIORITY, "7");
    stage_step(stage, event);
    stage_waiting(stage, "web", 6, 1000, 64);
    stage_wait(stage, 300);
    assert_int_equal(stage_coming(stage, "bbb"), 1);
    assert_int_equal(stage_coming(stage, "aaa"), 1);
}

static void of_more_machines_than_may_come_at_once_the_fullest_comes_first(void **state)
{
    (void)state;
    struct event *config = stage_config_event(stage);
    config->object.config->max_concurrent_scale_ups = 1;
    stage_step(stage, config);
    settle(group_of_both("general", 0, 10), "general");
    stage_waiting(stage, "web", 9, 1000, 64);
    stage_wait(stage, 300);
    assert_int_equal(coming("general", 20), 1);
    assert_int_equal(coming("general", 10), 0);
    uint32_t waiting = 0;
    for (int i = 0; i < 9; i++) {
        char name[16];
        snprintf(name, sizeof(name), "web-%d", i);
        waiting += strstr(stage_pod(stage, name)->verdict, "waits: general must wait") != NULL;
    }
    assert_int_equal(waiting, 2);
}

static void what_the_control_plane_has_free_is_not_called_free(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    struct event *event = stage_node_event(stage, "master", 4000, 8192);
    stage_label(event, &event->object.node->labels, "node-role.kubernetes.io/control-plane", "");
    stage_taint(event, &event->object.node->taints, "node-role.kubernetes.io/control-plane",
                TAINT_NO_SCHEDULE);
    stage_step(stage, event);
    stage_waiting(stage, "web", 2, 1000, 64);
    stage_wait(stage, 300);
    assert_string_equal(stage_last(stage)->reason, "2 pods need 2.0 cpu, 0.0 free");
}

static void the_nearest_miss_names_what_the_largest_size_leaves(void **state)
{
    (void)state;
    settle(group_of_both("general", 0, 10), "general");
    stage_waiting(stage, "huge", 1, 9000, 64);
    stage_wait(stage, 5000);
    verdict_says("huge-0", "no group can help: general: needs 9 cpu, its largest size leaves 7.85");
}

// ---- whatever the limits are

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void random_group(uint32_t *seed, const char *name)
{
    struct event *event = next_random(seed) % 2 == 0
                              ? group_of_both(name, (int32_t)(next_random(seed) % 2), 0)
                              : stage_group_event(stage, name, (int32_t)(next_random(seed) % 2), 0);
    struct nodegroup_facts *facts = (struct nodegroup_facts *)(uintptr_t)event->object.group;
    facts->max_nodes = facts->min_nodes + (int32_t)(next_random(seed) % 6);
    facts->allow_mixed_instances = next_random(seed) % 3 > 0;
    if (next_random(seed) % 3 == 0)
        facts->preferred_instance_type = "large";
    if (next_random(seed) % 3 == 0)
        annotate(event, KEY_MAX_HOURLY_PRICE, next_random(seed) % 2 == 0 ? "0.12" : "0.31");
    stage_step(stage, event);
}

static void check_limits(uint32_t seed, const struct config_facts *config)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < stage->core->cluster->group_count; i++) {
        struct group *group = stage->core->cluster->groups[i];
        struct life_counts counts = life_counts(stage->core, group);
        const char *cap = labels_get(&group->facts.annotations, KEY_MAX_HOURLY_PRICE);
        double cost = policy_group_cost(stage->core, group);
        if (counts.total > (uint32_t)group->facts.max_nodes)
            fail_msg("seed %u: %s has %u of %d", seed, group->facts.name, counts.total,
                     group->facts.max_nodes);
        if (cap != NULL && cost > (strcmp(cap, "0.12") == 0 ? 0.12 : 0.31) + 1e-9)
            fail_msg("seed %u: %s costs %.3f of %s", seed, group->facts.name, cost, cap);
        if (!group->facts.allow_mixed_instances && coming(group->facts.name, 10) > 0 &&
            coming(group->facts.name, 20) > 0)
            fail_msg("seed %u: %s is mixed", seed, group->facts.name);
        all += counts.total;
    }
    if (config != NULL && config->max_cluster_workers > 0 && all > (uint32_t)config->max_cluster_workers)
        fail_msg("seed %u: %u of %d workers", seed, all, config->max_cluster_workers);
    if (config != NULL && config->max_concurrent_scale_ups > 0 &&
        all > (uint32_t)config->max_concurrent_scale_ups)
        fail_msg("seed %u: %u of %d at once", seed, all, config->max_concurrent_scale_ups);
}

static void no_limit_is_passed_and_a_second_look_orders_nothing(void **state)
{
    (void)state;
    for (uint32_t start = 1; start <= 60; start++) {
        uint32_t seed = start * 2654435761u;
        stage->core->config.expander = (enum expander)(next_random(&seed) % 5);
        if (next_random(&seed) % 2 == 0) {
            struct event *event = stage_config_event(stage);
            event->object.config->max_cluster_workers = (int32_t)(next_random(&seed) % 12);
            event->object.config->max_concurrent_scale_ups = (int32_t)(next_random(&seed) % 8);
            stage_step(stage, event);
        }
        random_group(&seed, "aaa");
        random_group(&seed, "bbb");
        random_group(&seed, "ccc");
        stage_wait(stage, 70000);
        for (uint32_t i = 0, pods = next_random(&seed) % 60; i < pods; i++) {
            char name[16];
            snprintf(name, sizeof(name), "pod-%u", i);
            int64_t cpu_millis = 100 + next_random(&seed) % 5000;
            struct event *event =
                stage_pod_event(stage, name, "", cpu_millis, 64 + next_random(&seed) % 6000);
            if (next_random(&seed) % 4 == 0)
                stage_label(event, &event->object.pod->shape.node_selector, "pool", "bbb");
            stage_step(stage, event);
        }
        stage_wait(stage, 5000);
        check_limits(start, stage->core->cluster->config);
        uint64_t decisions = stage_decisions(stage);
        for (int i = 0; i < 3; i++) {
            stage_step(stage, event_create(EVENT_KUBE_SYNCED));
            stage_wait(stage, 5000);
        }
        if (stage_decisions(stage) != decisions)
            fail_msg("seed %u: a second look orders: %s, %s", start, stage_last(stage)->summary,
                     stage_last(stage)->reason);
        stage_destroy(stage);
        stage = stage_create();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_sizes_of_one_group_are_mixed_for_the_least_price),
        TEST(a_decision_keeps_its_options_with_their_prices_and_why_they_lost),
        TEST(a_size_that_backs_off_is_set_aside_and_another_serves),
        TEST(machines_that_never_join_set_their_size_aside_for_a_growing_time),
        TEST(a_data_center_that_lacks_capacity_comes_last),
        TEST(a_preferred_size_is_ordered_though_another_is_cheaper),
        TEST(a_group_that_may_not_be_mixed_gets_one_size),
        TEST(a_group_never_costs_more_an_hour_than_its_annotation_allows),
        TEST(a_price_that_cannot_be_read_is_no_leave_to_spend),
        TEST(a_minimum_is_met_with_the_cheapest_size),
        TEST(the_expander_of_priorities_takes_the_higher_one_first),
        TEST(of_more_machines_than_may_come_at_once_the_fullest_comes_first),
        TEST(what_the_control_plane_has_free_is_not_called_free),
        TEST(no_limit_is_passed_and_a_second_look_orders_nothing),
        TEST(the_nearest_miss_names_what_the_largest_size_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

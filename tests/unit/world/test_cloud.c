// The cloud behaves as VPSie does, and the agents as agents do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/world/stories.h"
#include "tests/world/agents.h"

static size_t listed(struct world *world)
{
    size_t count = 0;
    free((void *)cloud_list_machines(world, STORY_CLUSTER, &count));
    return count;
}

static void an_ordered_machine_appears_counts_and_joins_each_in_its_time(void **state)
{
    (void)state;
    struct world *world = story_world(1, 1);
    world->settings.appear = (struct span){20000, 20000};
    world->settings.count = (struct span){10000, 10000};
    world->settings.boot = (struct span){60000, 60000};
    struct cloud_answer answer = cloud_add_machine(world, STORY_CLUSTER, story_group(world)->id);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.shape, CLOUD_TRUE);
    assert_int_equal(listed(world), 2);
    story_live(world, 15);
    assert_int_equal(cloud_group_nodes(world, story_group(world)), 2);
    assert_int_equal(listed(world), 2);
    story_live(world, 10);
    assert_int_equal(listed(world), 3);
    assert_null(api_find(world->api, API_NODE, "", answer.machine->node_name));
    story_live(world, 40);
    assert_non_null(api_find(world->api, API_NODE, "", answer.machine->node_name));
    assert_false(node_is_ready(world, answer.machine->node_name));
    story_live(world, 30);
    assert_true(node_is_ready(world, answer.machine->node_name));
    world_destroy(world);
}

static void a_startup_taint_stays_a_while_after_ready(void **state)
{
    (void)state;
    struct world *world = story_world(1, 1);
    world->settings.cni_taint = "node.cilium.io/agent-not-ready";
    world->settings.cni = (struct span){60000, 60000};
    world->settings.boot = (struct span){60000, 60000};
    struct cloud_answer answer = cloud_add_machine(world, STORY_CLUSTER, story_group(world)->id);
    story_live(world, 80);
    assert_true(node_is_ready(world, answer.machine->node_name));
    add_bare_pod(world, &(struct workload){.name = "p",
                                           .cpu_millis = 100,
                                           .memory_mb = 64,
                                           .affinity_key = "kubernetes.io/hostname",
                                           .affinity_value = answer.machine->node_name});
    story_live(world, 10);
    assert_int_equal(count_pods(world, "default", "p", PODS_WAITING), 1);
    story_live(world, 80);
    assert_int_equal(count_pods(world, "default", "p", PODS_READY), 1);
    world_destroy(world);
}

static void a_quota_refuses_with_status_200_and_a_text(void **state)
{
    (void)state;
    struct world *world = story_world(2, 2);
    world->settings.machines_max = 2;
    struct cloud_answer answer = cloud_add_machine(world, STORY_CLUSTER, story_group(world)->id);
    assert_int_equal(answer.status, 200);
    assert_true(answer.error);
    assert_non_null(strstr(answer.message, "exceeds the allowed limit"));
    assert_int_equal(cloud_workers(world, STORY_CLUSTER), 2);
    world_destroy(world);
}

static void a_deleted_machine_leaves_in_its_time_and_is_404_after(void **state)
{
    (void)state;
    struct world *world = story_world(3, 2);
    world->settings.vanish = (struct span){20000, 20000};
    world->settings.uncount = (struct span){40000, 40000};
    const char *identifier = cloud_machine_by_node(world, "w-2")->identifier;
    assert_int_equal(cloud_delete_machine(world, STORY_CLUSTER, identifier).status, 200);
    assert_int_equal(cloud_delete_machine(world, STORY_CLUSTER, identifier).status, 409);
    story_live(world, 10);
    assert_int_equal(listed(world), 3);
    story_live(world, 15);
    assert_int_equal(listed(world), 2);
    assert_int_equal(cloud_group_nodes(world, story_group(world)), 2);
    assert_int_equal(cloud_delete_machine(world, STORY_CLUSTER, identifier).status, 404);
    story_live(world, 60);
    assert_int_equal(cloud_group_nodes(world, story_group(world)), 1);
    assert_false(node_is_ready(world, "w-2"));
    assert_non_null(api_find(world->api, API_NODE, "", "w-2")); // nothing else deletes the Node
    world_destroy(world);
}

static void groups_are_made_once_a_name_and_once_a_size_where_that_is_the_rule(void **state)
{
    (void)state;
    struct world *world = story_world(4, 0);
    assert_int_equal(cloud_create_group(world, STORY_CLUSTER, "general", STORY_SIZE).status, 400);
    assert_int_equal(cloud_create_group(world, STORY_CLUSTER, "second", 999).status, 400);
    assert_int_equal(cloud_create_group(world, "nowhere", "second", STORY_SIZE).status, 404);
    world->settings.one_group_per_size = true;
    assert_int_equal(cloud_create_group(world, STORY_CLUSTER, "second", STORY_SIZE).status, 400);
    struct cloud_answer answer = cloud_create_group(world, STORY_CLUSTER, "second", STORY_SIZE + 1);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.group_id, 0);
    assert_non_null(cloud_group_by_name(world, STORY_CLUSTER, "second"));
    world_destroy(world);
}

static void a_list_can_be_empty_or_partial_while_the_machines_are_there(void **state)
{
    (void)state;
    struct world *world = story_world(5, 3);
    world->cloud->list_mode = CLOUD_LIST_EMPTY;
    assert_int_equal(listed(world), 0);
    world->cloud->list_mode = CLOUD_LIST_PARTIAL;
    world->cloud->list_keeps_percent = 50;
    assert_int_equal(listed(world), 2);
    world->cloud->list_mode = CLOUD_LIST_RIGHT;
    assert_int_equal(listed(world), 4);
    story_group(world)->count_error = 2;
    assert_int_equal(cloud_group_nodes(world, story_group(world)), 5);
    world_destroy(world);
}

static void an_agent_measures_what_the_pods_do_and_answers_for_the_pods_named(void **state)
{
    (void)state;
    struct world *world = story_world(6, 1);
    add_deployment(world, &(struct workload){.name = "cart",
                                             .replicas = 1,
                                             .cpu_millis = 500,
                                             .memory_mb = 64,
                                             .use_cpu_millis = 123,
                                             .local_data = "spool=1000"});
    story_live(world, 30);
    struct arena *arena = arena_create(4096);
    assert_true(agent_speaks(world, "w-1"));
    struct agent_report_facts *report = agent_report(world, "w-1", arena);
    assert_int_equal(report->pod_count, 1);
    assert_int_equal(report->pods[0].cpu_millis, 123);
    assert_int_equal(report->pods[0].local_data_bytes, 1000);
    assert_int_equal(report->verdict.state, EVIDENCE_BLOCKED);
    assert_string_equal(report->directive_id, "");
    agent_prepare_drain(world, "w-1",
                        &(struct agent_orders){.id = "t1-1", .deadline_ms = world->now_ms + 60000});
    report = agent_report(world, "w-1", arena);
    assert_string_equal(report->directive_id, "t1-1");
    assert_int_equal(report->directive_verdict.state, EVIDENCE_READY);
    const char *uids[] = {report->pods[0].uid};
    agent_prepare_drain(
        world, "w-1",
        &(struct agent_orders){
            .id = "t1-2", .deadline_ms = world->now_ms + 60000, .pod_uids = uids, .pod_uid_count = 1});
    report = agent_report(world, "w-1", arena);
    assert_int_equal(report->directive_verdict.state, EVIDENCE_BLOCKED);
    assert_int_equal(report->directive_verdict.pods_remaining, 1);
    agent_prepare_drain(world, "w-1",
                        &(struct agent_orders){.id = "t1-3",
                                               .deadline_ms = world->now_ms + 60000,
                                               .pod_uids = uids,
                                               .pod_uid_count = 1,
                                               .ignore_uids = uids,
                                               .ignore_uid_count = 1});
    report = agent_report(world, "w-1", arena);
    assert_int_equal(report->directive_verdict.state, EVIDENCE_READY);
    story_live(world, 61);
    assert_string_equal(agent_report(world, "w-1", arena)->directive_id, "");
    arena_destroy(arena);
    world_destroy(world);
}

static void an_agent_of_a_dead_machine_is_silent(void **state)
{
    (void)state;
    struct world *world = story_world(7, 1);
    fate_stops_machine(world, cloud_machine_by_node(world, "w-1")->identifier);
    assert_false(agent_speaks(world, "w-1"));
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordered_machine_appears_counts_and_joins_each_in_its_time),
        cmocka_unit_test(a_startup_taint_stays_a_while_after_ready),
        cmocka_unit_test(a_quota_refuses_with_status_200_and_a_text),
        cmocka_unit_test(a_deleted_machine_leaves_in_its_time_and_is_404_after),
        cmocka_unit_test(groups_are_made_once_a_name_and_once_a_size_where_that_is_the_rule),
        cmocka_unit_test(a_list_can_be_empty_or_partial_while_the_machines_are_there),
        cmocka_unit_test(an_agent_measures_what_the_pods_do_and_answers_for_the_pods_named),
        cmocka_unit_test(an_agent_of_a_dead_machine_is_silent),
    };
    return cmocka_run_group_tests_name("the cloud behaves as VPSie does", tests, NULL, NULL);
}

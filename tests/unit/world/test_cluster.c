// The cluster behaves as Kubernetes does: scheduler, kubelets, controllers, budgets, dead nodes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/world/stories.h"

static const char *pod_field(struct world *world, const char *name, const char *path)
{
    const struct api_object *pod = api_find(world->api, API_POD, "default", name);
    return pod == NULL ? "(no pod)" : json_text(pod->document->json, path);
}

static const char *condition_field(struct world *world, const char *name, const char *type, const char *field)
{
    const struct api_object *pod = api_find(world->api, API_POD, "default", name);
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_at(pod->document->json, "status.conditions"))
    {
        if (strcmp(json_text(condition, "type"), type) == 0)
            return json_text(condition, field);
    }
    return "";
}

static void a_deployment_s_pods_are_placed_and_become_ready(void **state)
{
    (void)state;
    struct world *world = story_world(1, 2);
    add_deployment(world,
                   &(struct workload){.name = "web", .replicas = 4, .cpu_millis = 500, .memory_mb = 256});
    story_live(world, 30);
    assert_int_equal(count_pods(world, "default", "web", PODS_READY), 4);
    assert_int_equal(count_movable_pods(world, "w-1"), 2);
    assert_int_equal(count_movable_pods(world, "w-2"), 2);
    world_destroy(world);
}

static void a_pod_that_fits_nowhere_says_why(void **state)
{
    (void)state;
    struct world *world = story_world(1, 1);
    add_bare_pod(world, &(struct workload){.name = "huge", .cpu_millis = 3950, .memory_mb = 64});
    add_bare_pod(world, &(struct workload){.name = "picky",
                                           .cpu_millis = 100,
                                           .memory_mb = 64,
                                           .selector_key = "disk",
                                           .selector_value = "ssd"});
    story_live(world, 5);
    assert_string_equal(condition_field(world, "huge", "PodScheduled", "status"), "False");
    assert_string_equal(condition_field(world, "huge", "PodScheduled", "reason"), "Unschedulable");
    assert_string_equal(condition_field(world, "huge", "PodScheduled", "message"),
                        "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 Insufficient cpu.");
    assert_string_equal(condition_field(world, "picky", "PodScheduled", "message"),
                        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.");
    world_destroy(world);
}

static void taints_cordons_and_affinity_are_honoured(void **state)
{
    (void)state;
    struct world *world = story_world(1, 3);
    person_cordons(world, "w-1", true);
    AUTOJSON cJSON *taint = json_of("{'spec':{'taints':[{'key':'gpu','effect':'NoSchedule'}]}}");
    api_patch(world->api, API_NODE, "", "w-2", false, API_MERGE_PATCH, taint);
    add_bare_pod(world, &(struct workload){.name = "plain", .cpu_millis = 100, .memory_mb = 64});
    add_bare_pod(world, &(struct workload){.name = "tolerant",
                                           .cpu_millis = 100,
                                           .memory_mb = 64,
                                           .toleration_key = "gpu",
                                           .affinity_key = "kubernetes.io/hostname",
                                           .affinity_value = "w-2"});
    story_live(world, 5);
    assert_string_equal(pod_field(world, "plain", "spec.nodeName"), "w-3");
    assert_string_equal(pod_field(world, "tolerant", "spec.nodeName"), "w-2");
    world_destroy(world);
}

static void an_evicted_pod_is_made_again_elsewhere(void **state)
{
    (void)state;
    struct world *world = story_world(3, 2);
    add_deployment(world,
                   &(struct workload){.name = "web", .replicas = 1, .cpu_millis = 500, .memory_mb = 256});
    story_live(world, 30);
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, "default");
    assert_int_equal(pods.count, 1);
    person_cordons(world, json_text(pods.items[0].document->json, "spec.nodeName"), true);
    assert_int_equal(evict(world, "default", pods.items[0].name, pods.items[0].uid, -1).code, 201);
    story_live(world, 60);
    assert_null(api_find(world->api, API_POD, "default", pods.items[0].name));
    assert_int_equal(count_pods(world, "default", "web", PODS_READY), 1);
    world_destroy(world);
}

static void a_budget_refuses_what_it_cannot_spare(void **state)
{
    (void)state;
    struct world *world = story_world(4, 2);
    add_deployment(world,
                   &(struct workload){.name = "web", .replicas = 3, .cpu_millis = 100, .memory_mb = 64});
    add_budget(world, "default", "web", "web", 2, -1);
    story_live(world, 30);
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, "default");
    assert_int_equal(evict(world, "default", pods.items[0].name, NULL, -1).code, 201);
    assert_int_equal(evict(world, "default", pods.items[1].name, NULL, -1).code, 429);
    story_live(world, 60);
    assert_int_equal(evict(world, "default", pods.items[1].name, NULL, -1).code, 201);
    add_budget(world, "default", "second", "web", 0, -1);
    story_live(world, 60);
    assert_int_equal(evict(world, "default", pods.items[2].name, NULL, -1).code, 500);
    assert_int_equal(evict(world, "default", "nobody", NULL, -1).code, 404);
    world_destroy(world);
}

static void a_budget_that_nobody_has_counted_yet_allows_nothing(void **state)
{
    (void)state;
    struct world *world = story_world(4, 2);
    add_deployment(world,
                   &(struct workload){.name = "web", .replicas = 3, .cpu_millis = 100, .memory_mb = 64});
    story_live(world, 30);
    add_budget(world, "default", "web", "web", 0, -1);
    AUTOLIST struct api_list pods = api_snapshot(world->api, API_POD, "default");
    struct api_answer answer = evict(world, "default", pods.items[0].name, NULL, -1);
    assert_int_equal(answer.code, 429);
    assert_int_equal(answer.retry_after_seconds, 10);
    world_destroy(world);
}

static void daemonset_pods_come_with_every_node_and_ignore_a_cordon(void **state)
{
    (void)state;
    struct world *world = story_world(5, 2);
    add_daemonset(world, &(struct workload){.name = "log", .cpu_millis = 50, .memory_mb = 32});
    person_cordons(world, "w-1", true);
    story_live(world, 30);
    assert_int_equal(count_pods(world, "default", "log", PODS_READY), 2);
    assert_int_equal(count_movable_pods(world, "w-1"), 0);
    world_destroy(world);
}

static void a_job_ends_and_leaves_its_node_free(void **state)
{
    (void)state;
    struct world *world = story_world(6, 1);
    add_job(world, &(struct workload){
                       .name = "etl", .replicas = 2, .cpu_millis = 100, .memory_mb = 64, .run_seconds = 60});
    story_live(world, 120);
    assert_int_equal(count_pods(world, "default", "etl", PODS_SUCCEEDED), 2);
    assert_int_equal(count_movable_pods(world, "w-1"), 0);
    world_destroy(world);
}

static void a_dead_node_is_unknown_then_tainted_then_left_by_its_pods(void **state)
{
    (void)state;
    struct world *world = story_world(7, 2);
    add_deployment(world,
                   &(struct workload){.name = "web", .replicas = 2, .cpu_millis = 100, .memory_mb = 64});
    story_live(world, 30);
    fate_stops_machine(world, cloud_machine_by_node(world, "w-1")->identifier);
    story_live(world, 30);
    assert_true(node_is_ready(world, "w-1"));
    story_live(world, 30);
    assert_false(node_is_ready(world, "w-1"));
    assert_int_equal(count_pods(world, "default", "web", PODS_READY), 1);
    story_live(world, 400);
    assert_int_equal(count_pods(world, "default", "web", PODS_READY), 2);
    assert_int_equal(count_movable_pods(world, "w-1"), 1); // nobody there to end it
    remove_object(world, API_NODE, "", "w-1");
    story_live(world, 60);
    assert_int_equal(count_movable_pods(world, "w-1"), 0);
    world_destroy(world);
}

static void a_node_that_comes_back_is_ready_with_its_pods(void **state)
{
    (void)state;
    struct world *world = story_world(7, 1);
    add_deployment(world,
                   &(struct workload){.name = "web", .replicas = 1, .cpu_millis = 100, .memory_mb = 64});
    story_live(world, 30);
    const char *identifier = cloud_machine_by_node(world, "w-1")->identifier;
    fate_stops_machine(world, identifier);
    story_live(world, 100);
    fate_starts_machine(world, identifier);
    story_live(world, 60);
    assert_true(node_is_ready(world, "w-1"));
    assert_int_equal(count_pods(world, "default", "web", PODS_READY), 1);
    world_destroy(world);
}

static void a_volume_lingers_after_its_pod(void **state)
{
    (void)state;
    struct world *world = story_world(8, 1);
    world->settings.detach = (struct span){20000, 20000};
    add_deployment(world,
                   &(struct workload){
                       .name = "db", .replicas = 1, .cpu_millis = 100, .memory_mb = 64, .volume = "pv-1"});
    story_live(world, 30);
    assert_int_equal(api_count(world->api, API_ATTACHMENT), 1);
    scale_deployment(world, "default", "db", 0);
    story_live(world, 15);
    assert_int_equal(count_pods(world, "default", "db", PODS_ALL), 0);
    assert_int_equal(api_count(world->api, API_ATTACHMENT), 1);
    story_live(world, 30);
    assert_int_equal(api_count(world->api, API_ATTACHMENT), 0);
    world_destroy(world);
}

static void what_an_owner_leaves_behind_is_collected(void **state)
{
    (void)state;
    struct world *world = story_world(9, 1);
    add_deployment(world,
                   &(struct workload){.name = "web", .replicas = 2, .cpu_millis = 100, .memory_mb = 64});
    story_live(world, 30);
    remove_object(world, API_DEPLOYMENT, "default", "web");
    story_live(world, 60);
    assert_int_equal(api_count(world->api, API_REPLICASET), 0);
    assert_int_equal(count_pods(world, "default", "web", PODS_ALL), 0);
    world_destroy(world);
}

static void a_token_speaks_for_its_own_node_only(void **state)
{
    (void)state;
    struct world *world = story_world(10, 2);
    char token[200];
    token_of_node(world, "w-1", token, sizeof token);
    struct token_review review = review_token(world, token, "vpsie-coordinator");
    assert_true(review.authenticated);
    assert_string_equal(review.node_name, "w-1");
    assert_false(review_token(world, token, "somebody-else").authenticated);
    assert_false(review_token(world, "agent-token/w-1/guess", "vpsie-coordinator").authenticated);
    remove_object(world, API_NODE, "", "w-1");
    assert_false(review_token(world, token, "vpsie-coordinator").authenticated);
    world_destroy(world);
}

// Everything that ever changed, as one text.
static char *history(uint64_t seed)
{
    struct world *world = story_world(seed, 3);
    add_deployment(world,
                   &(struct workload){.name = "web", .replicas = 5, .cpu_millis = 700, .memory_mb = 64});
    story_live(world, 60);
    cloud_add_machine(world, STORY_CLUSTER, story_group(world)->id);
    scale_deployment(world, "default", "web", 25);
    story_live(world, 600);
    AUTOJSON cJSON *all = cJSON_CreateArray();
    for (const struct api_change *change = api_change_after(world->api, 0); change != NULL;
         change = api_change_after(world->api, change->version))
        cJSON_AddItemToArray(all, cJSON_Duplicate(change->now->json, true));
    world_destroy(world);
    return cJSON_PrintUnformatted(all);
}

static void the_same_seed_is_the_same_history(void **state)
{
    (void)state;
    char *first = history(11), *again = history(11), *other = history(12);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    free(first);
    free(again);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deployment_s_pods_are_placed_and_become_ready),
        cmocka_unit_test(a_pod_that_fits_nowhere_says_why),
        cmocka_unit_test(taints_cordons_and_affinity_are_honoured),
        cmocka_unit_test(an_evicted_pod_is_made_again_elsewhere),
        cmocka_unit_test(a_budget_refuses_what_it_cannot_spare),
        cmocka_unit_test(a_budget_that_nobody_has_counted_yet_allows_nothing),
        cmocka_unit_test(daemonset_pods_come_with_every_node_and_ignore_a_cordon),
        cmocka_unit_test(a_job_ends_and_leaves_its_node_free),
        cmocka_unit_test(a_dead_node_is_unknown_then_tainted_then_left_by_its_pods),
        cmocka_unit_test(a_node_that_comes_back_is_ready_with_its_pods),
        cmocka_unit_test(a_volume_lingers_after_its_pod),
        cmocka_unit_test(what_an_owner_leaves_behind_is_collected),
        cmocka_unit_test(a_token_speaks_for_its_own_node_only),
        cmocka_unit_test(the_same_seed_is_the_same_history),
    };
    return cmocka_run_group_tests_name("the cluster behaves as Kubernetes does", tests, NULL, NULL);
}

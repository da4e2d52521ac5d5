// Volumes in the world: made, bound, attached, detached, and gone with what they belonged to.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/world/cloud.h"
#include "tests/world/kubernetes.h"

static struct world *world;

static int setup(void **state)
{
    (void)state;
    struct world_settings settings = world_settings_default(3);
    settings.volumes_max = 4;
    world = world_create(&settings);
    cloud_add_cluster(world, "c1", "test", "dc1");
    cloud_add_size(world, 1, "small", "dc1", 4, 8192, 80, 20);
    cloud_add_present(world, "c1", "worker-1", 0, 1, false);
    world_advance(world, world->now_ms + 60000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_destroy(world);
    return 0;
}

static void rest(int64_t ms)
{
    world_advance(world, world->now_ms + ms);
}

static size_t count(enum api_kind kind)
{
    return api_count(world->api, kind);
}

static void deploy(const char *spec, int32_t replicas)
{
    add_deployment(
        world, &(struct workload){
                   .name = "web", .replicas = replicas, .cpu_millis = 100, .memory_mb = 64, .spec = spec});
}

#define EPHEMERAL                                                                                            \
    "'volumes':[{'name':'data','ephemeral':{'volumeClaimTemplate':{'spec':{'storageClassName':'fast',"       \
    "'accessModes':['ReadWriteOnce']}}}}]"

static void an_ephemeral_volume_lives_and_ends_with_its_pod(void **state)
{
    (void)state;
    add_storage_class(world, "fast", true);
    deploy(EPHEMERAL, 2);
    rest(30000);
    assert_int_equal(count_pods(world, "default", "web", PODS_READY), 2);
    assert_int_equal(count(API_CLAIM), 2);
    assert_int_equal(count(API_VOLUME), 2);
    assert_int_equal(count(API_ATTACHMENT), 2);
    const cJSON *claim = api_at(world->api, API_CLAIM, 0)->document->json;
    assert_string_equal(json_text(claim, "status.phase"), "Bound");
    scale_deployment(world, "default", "web", 1);
    rest(60000);
    assert_int_equal(count(API_CLAIM), 1);
    assert_int_equal(count(API_ATTACHMENT), 1);
    assert_int_equal(count(API_VOLUME), 1);
}

static void a_class_that_does_not_wait_binds_at_once(void **state)
{
    (void)state;
    add_claim(world, NULL, "data", "fast");
    rest(5000);
    assert_int_equal(count(API_VOLUME), 0); // the class is not there yet
    add_storage_class(world, "fast", false);
    rest(5000);
    assert_int_equal(count(API_VOLUME), 1);
    const cJSON *claim = api_find(world->api, API_CLAIM, "default", "data")->document->json;
    assert_string_equal(json_text(claim, "status.phase"), "Bound");
    assert_int_equal(count(API_ATTACHMENT), 0); // nobody uses it
    remove_object(world, API_CLAIM, "default", "data");
    rest(5000);
    assert_int_equal(count(API_VOLUME), 0);
}

static void a_claim_that_waits_is_bound_by_its_first_pod_only(void **state)
{
    (void)state;
    add_storage_class(world, "fast", true);
    add_claim(world, NULL, "data", "fast");
    rest(5000);
    assert_int_equal(count(API_VOLUME), 0);
    deploy("'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'data'}}]", 2);
    rest(30000);
    assert_int_equal(count_pods(world, "default", "web", PODS_READY), 2);
    assert_int_equal(count(API_VOLUME), 1);
    assert_int_equal(count(API_ATTACHMENT), 1); // one volume of two pods
    scale_deployment(world, "default", "web", 1);
    rest(60000);
    assert_int_equal(count(API_ATTACHMENT), 1); // the other still uses it
    scale_deployment(world, "default", "web", 0);
    rest(60000);
    assert_int_equal(count(API_ATTACHMENT), 0);
    assert_int_equal(count(API_VOLUME), 1); // the claim is still there
}

static void a_node_says_how_many_volumes_it_can_attach_and_no_more_come(void **state)
{
    (void)state;
    const struct api_object *csi_node = api_find(world->api, API_CSI_NODE, "", "worker-1");
    assert_non_null(csi_node);
    add_storage_class(world, "fast", true);
    deploy(EPHEMERAL, 5);
    rest(60000);
    assert_int_equal(count_pods(world, "default", "web", PODS_READY), 4);
    assert_int_equal(count_pods(world, "default", "web", PODS_WAITING), 1);
    remove_object(world, API_NODE, "", "worker-1");
    rest(5000);
    assert_null(api_find(world->api, API_CSI_NODE, "", "worker-1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_ephemeral_volume_lives_and_ends_with_its_pod, setup, teardown),
        cmocka_unit_test_setup_teardown(a_class_that_does_not_wait_binds_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_claim_that_waits_is_bound_by_its_first_pod_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_node_says_how_many_volumes_it_can_attach_and_no_more_come, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

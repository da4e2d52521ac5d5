// NodeGroups that nobody wrote: made for pods that no other fits, and removed when they are gone.
#include "tests/unit/sim/tale.h"

#include "coordinator/model/cluster.h"

#define CONFIG                                                                                               \
    "{\"metadata\":{\"name\":\"default\"},\"spec\":{\"globalSettings\":{\"enableDynamicNodeGroupCreation\":" \
    "true,"                                                                                                  \
    "\"scaleUpCooldownSeconds\":0,\"scaleDownCooldownSeconds\":0,\"maxConcurrentScaleUps\":5,"               \
    "\"maxConcurrentScaleDowns\":5,\"maxClusterWorkers\":0,\"unschedulablePodGracePeriodSeconds\":0},"       \
    "\"nodeGroupDefaults\":{\"namespace\":\"kube-system\",\"maxNodes\":4,\"offeringIDs\":[\"22\"],"          \
    "\"scaleDownPolicy\":{\"enabled\":true,\"stabilizationWindowSeconds\":60,\"cooldownSeconds\":0}}}}"

static const cJSON *made_group(struct sim *sim)
{
    struct api *api = sim_world(sim)->api;
    for (size_t i = 0; i < api_count(api, API_NODEGROUP); i++) {
        const cJSON *json = api_at(api, API_NODEGROUP, i)->document->json;
        if (strncmp(json_text(json, "metadata.name"), "dynamic-", 8) == 0)
            return json;
    }
    return NULL;
}

static void pods_that_no_group_fits_get_one_that_goes_with_them(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(61);
    struct sim *sim = tale_prepare(&settings, 0, 5);
    struct world *world = sim_world(sim);
    tale_assert(sim, api_create(world->api, API_CONFIG, "", cJSON_Parse(CONFIG)).code == 201);
    sim_start(sim);
    tale_deploy(sim, "web", 2);
    tale_until_ready(sim, "web", 2, MINUTES(10));
    add_deployment(world, &(struct workload){.name = "special",
                                             .replicas = 3,
                                             .cpu_millis = 2000,
                                             .memory_mb = 1024,
                                             .selector_key = "kind",
                                             .selector_value = "special"});
    tale_until_ready(sim, "special", 3, MINUTES(20));
    const cJSON *group = made_group(sim);
    tale_assert(sim, group != NULL);
    assert_string_equal(json_text(group, "spec.labels.kind"), "special");
    const struct cloud_group *large =
        cloud_group_by_name(world, SIM_CLUSTER, json_text(group, "metadata.name"));
    tale_assert(sim,
                large != NULL && large->size_id == SIM_SIZE_LARGE && cloud_group_nodes(world, large) == 1);
    tale_run(sim, MINUTES(60));
    tale_assert(sim, made_group(sim) != NULL); // it is in use
    scale_deployment(world, "default", "special", 0);
    tale_run(sim, MINUTES(90));
    tale_assert(sim, made_group(sim) == NULL);
    tale_assert(sim, tale_machines(sim) == 1);
    tale_assert(sim, count_pods(world, "default", "web", PODS_READY) == 2);
    tale_end(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_that_no_group_fits_get_one_that_goes_with_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

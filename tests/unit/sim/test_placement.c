// Pods that care who stands beside them: the coordinator buys by its own rules, the world's scheduler, which
// shares no line with them, places the pods.
#include "tests/unit/sim/tale.h"

#include <stdlib.h>

#define WEB      "'labelSelector':{'matchLabels':{'app':'web'}}"
#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define HOST     "'topologyKey':'kubernetes.io/hostname'"

// For machines of the group only, so that the foreign worker does not serve them.
static void deploy(struct sim *sim, const char *name, int32_t replicas, const char *spec)
{
    struct workload workload = {.name = name,
                                .replicas = replicas,
                                .cpu_millis = 500,
                                .memory_mb = 256,
                                .spec = spec,
                                .selector_key = "pool",
                                .selector_value = "general"};
    add_deployment(sim_world(sim), &workload);
}

// Nothing more is bought than this, and nothing that stands empty.
static void served_by(struct sim *sim, int32_t pods, size_t machines)
{
    tale_until_ready(sim, "web", (size_t)pods, MINUTES(15));
    tale_run(sim, MINUTES(2));
    tale_assert(sim, tale_machines(sim) == machines);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == machines);
}

static void pods_that_cannot_stand_each_other_get_a_machine_each(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(1, 0, 10);
    tale_run(sim, SECONDS(20));
    deploy(sim, "web", 4, "'affinity':{'podAntiAffinity':{'" REQUIRED "':[{" HOST "," WEB "}]}}");
    served_by(sim, 4, 4);
    tale_end(sim);
}

static void pods_that_others_keep_away_get_machines_of_their_own(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(2, 0, 10);
    tale_run(sim, SECONDS(20));
    deploy(sim, "alone", 1, "'affinity':{'podAntiAffinity':{'" REQUIRED "':[{" HOST "," WEB "}]}}");
    tale_until_ready(sim, "alone", 1, MINUTES(10));
    tale_assert(sim, tale_machines(sim) == 1);
    deploy(sim, "web", 2, NULL); // they ask for nothing themselves
    tale_until_ready(sim, "web", 2, MINUTES(10));
    tale_run(sim, MINUTES(2));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_end(sim);
}

static void pods_that_spread_over_hosts_get_as_many_as_the_skew_needs(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(3, 0, 10);
    tale_run(sim, SECONDS(20));
    deploy(sim, "web", 6,
           "'topologySpreadConstraints':[{" HOST ",'maxSkew':2,'minDomains':3,'whenUnsatisfiable':"
           "'DoNotSchedule'," WEB "}]");
    served_by(sim, 6, 3); // fewer than three hosts: at most two pods on each
    tale_end(sim);
}

static void pods_that_want_the_same_port_of_the_host_get_a_machine_each(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(4, 0, 10);
    tale_run(sim, SECONDS(20));
    deploy(sim, "web", 3,
           "'containers':[{'name':'main','image':'web','ports':[{'containerPort':80,'hostPort':80"
           "}],'resources':{'requests':{'cpu':'100m','memory':'64Mi'}}}]");
    served_by(sim, 3, 3);
    tale_end(sim);
}

static void pods_that_want_company_are_bought_for_together(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(5, 0, 10);
    tale_run(sim, SECONDS(20));
    deploy(sim, "web", 4, "'affinity':{'podAffinity':{'" REQUIRED "':[{" HOST "," WEB "}]}}");
    served_by(sim, 4, 1);
    tale_end(sim);
}

// Removing one of two machines would leave its pod beside one that it cannot stand.
static void a_node_whose_pods_may_go_nowhere_else_stays(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(6, 0, 10);
    tale_run(sim, SECONDS(20));
    deploy(sim, "web", 2, "'affinity':{'podAntiAffinity':{'" REQUIRED "':[{" HOST "," WEB "}]}}");
    tale_until_ready(sim, "web", 2, MINUTES(10));
    tale_run(sim, MINUTES(40)); // both machines are nearly empty all that time
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, count_pods(sim_world(sim), "default", "web", PODS_READY) == 2);
    tale_end(sim);
}

// ---- volumes

#define EPHEMERAL                                                                                            \
    "'volumes':[{'name':'data','ephemeral':{'volumeClaimTemplate':{'spec':{'storageClassName':'fast',"       \
    "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}}}}]"

static void pods_with_volumes_get_as_many_machines_as_can_attach_them(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(7);
    settings.world.volumes_max = 2;
    struct sim *sim = tale_begin_with(&settings, 1, 10);
    add_storage_class(sim_world(sim), "fast", true);
    tale_until_machines(sim, 1, MINUTES(10)); // a live node says what others like it can attach
    tale_run(sim, MINUTES(3));
    deploy(sim, "web", 5, EPHEMERAL);
    served_by(sim, 5, 3);
    tale_assert(sim, api_count(sim_world(sim)->api, API_CLAIM) == 5);
    tale_assert(sim, api_count(sim_world(sim)->api, API_ATTACHMENT) == 5);
    tale_end(sim);
}

static void a_claim_that_nobody_binds_buys_nothing(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(8, 0, 10);
    add_storage_class(sim_world(sim), "fast", true);
    deploy(sim, "web", 1, "'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'not-there'}}]");
    tale_run(sim, MINUTES(15));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 0);
    add_claim(sim_world(sim), NULL, "not-there", "fast"); // now it is
    served_by(sim, 1, 1);
    tale_end(sim);
}

// The volume lingers on the old node for a while; nothing is deleted under it.
static void a_pod_with_a_volume_moves_with_it(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(9, 0, 10);
    add_storage_class(sim_world(sim), "fast", false);
    add_claim(sim_world(sim), NULL, "data", "fast");
    deploy(sim, "web", 1, "'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'data'}}]");
    tale_deploy(sim, "filler", 5); // two machines
    tale_until_ready(sim, "web", 1, MINUTES(10));
    tale_until_ready(sim, "filler", 5, MINUTES(10));
    scale_deployment(sim_world(sim), "default", "filler", 1);
    tale_until_machines(sim, 1, MINUTES(60)); // both pods fit on one
    tale_until_ready(sim, "web", 1, MINUTES(10));
    tale_run(sim, MINUTES(3));
    tale_assert(sim, api_count(sim_world(sim)->api, API_ATTACHMENT) == 1);
    tale_end(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_that_cannot_stand_each_other_get_a_machine_each),
        cmocka_unit_test(pods_that_others_keep_away_get_machines_of_their_own),
        cmocka_unit_test(pods_that_spread_over_hosts_get_as_many_as_the_skew_needs),
        cmocka_unit_test(pods_that_want_the_same_port_of_the_host_get_a_machine_each),
        cmocka_unit_test(pods_that_want_company_are_bought_for_together),
        cmocka_unit_test(a_node_whose_pods_may_go_nowhere_else_stays),
        cmocka_unit_test(pods_with_volumes_get_as_many_machines_as_can_attach_them),
        cmocka_unit_test(a_claim_that_nobody_binds_buys_nothing),
        cmocka_unit_test(a_pod_with_a_volume_moves_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

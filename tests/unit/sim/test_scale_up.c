// Ordering: an intention first, then one call, whatever becomes of it.
#include "tests/unit/sim/tale.h"

#include <stdlib.h>

#include "coordinator/model/cluster.h"

static void pods_that_fit_nowhere_get_a_machine_from_zero(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(1, 0, 5);
    tale_run(sim, SECONDS(30));
    assert_int_equal(tale_machines(sim), 0);
    tale_deploy(sim, "web", 3);
    tale_until_ready(sim, "web", 3, MINUTES(5));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 1);
    tale_assert(sim, tale_intentions(sim) == 1);
    const cJSON *intention = api_at(sim_world(sim)->api, API_VPSIENODE, 0)->document->json;
    assert_string_equal(json_text(intention, "status.phase"), "Ready");
    const struct api_object *node =
        api_find(sim_world(sim)->api, API_NODE, "", tale_machine(sim, 0)->node_name);
    const cJSON *labels = json_at(node->document->json, "metadata.labels");
    assert_string_equal(json_key_text(labels, "pool"), "general");
    assert_string_equal(json_key_text(labels, KEY_MANAGED), "true");
    assert_string_equal(json_key_text(labels, KEY_NODEGROUP), "general");
    tale_end(sim);
}

static void a_burst_is_served_by_one_decision_and_nothing_is_bought_twice(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(2, 0, 10);
    tale_run(sim, SECONDS(20));
    tale_deploy(sim, "web", 12);
    tale_until_ready(sim, "web", 12, MINUTES(10));
    tale_run(sim, MINUTES(5));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 4);
    tale_assert(sim, tale_machines(sim) == 4);
    tale_end(sim);
}

static void the_call_leaves_within_a_second_of_the_pod_being_unschedulable(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(3, 0, 5);
    tale_deploy(sim, "first", 3);
    tale_until_ready(sim, "first", 3, MINUTES(5)); // the VPSie group is known now
    for (int32_t i = 0; i < 3; i++) {
        char name[] = "more-0";
        name[5] = (char)('0' + i);
        uint64_t sent = sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE);
        tale_deploy(sim, name, 3);
        // 0.4 s until the scheduler has said so, then a second (the lists for the baseline included: two
        // calls of up to 1.2 s each in this world)
        tale_run(sim, SECONDS(5));
        tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == sent + 1);
        tale_until_ready(sim, name, 3, MINUTES(5));
    }
    tale_end(sim);
}

static void the_minimum_is_kept_and_the_maximum_is_never_passed(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(4, 2, 3);
    tale_until_machines(sim, 2, MINUTES(5));
    tale_deploy(sim, "web", 30);
    tale_run(sim, MINUTES(30));
    tale_assert(sim, tale_machines(sim) == 3);
    tale_assert(sim, count_pods(sim_world(sim), "default", "web", PODS_READY) == 9);
    tale_end(sim);
}

static void a_pod_that_no_machine_could_hold_buys_nothing(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(5, 0, 5);
    add_bare_pod(sim_world(sim), &(struct workload){.name = "huge", .cpu_millis = 5000, .memory_mb = 64});
    add_bare_pod(sim_world(sim), &(struct workload){.name = "elsewhere",
                                                    .cpu_millis = 100,
                                                    .memory_mb = 64,
                                                    .selector_key = "pool",
                                                    .selector_value = "other"});
    tale_run(sim, MINUTES(10));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 0);
    tale_end(sim);
}

static void daemonsets_come_out_of_the_machine_s_room(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(6, 0, 5);
    add_daemonset(sim_world(sim), &(struct workload){.name = "log", .cpu_millis = 1000, .memory_mb = 64});
    tale_deploy(sim, "web", 4);
    tale_until_ready(sim, "web", 4, MINUTES(10));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 2); // 3.9 - 1.0 cpu: two a machine
    tale_end(sim);
}

static void a_startup_taint_counts_as_capacity_on_its_way(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(7);
    settings.world.cni_taint = "node.cilium.io/agent-not-ready";
    settings.world.cni = (struct span){120000, 180000};
    settings.core.startup_taints[settings.core.startup_taint_count++] = "node.cilium.io/agent-not-ready";
    struct sim *sim = tale_begin_with(&settings, 0, 5);
    tale_deploy(sim, "web", 3);
    tale_until_ready(sim, "web", 3, MINUTES(10));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 1);
    tale_end(sim);
}

static void a_lost_reply_is_not_repeated(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(8, 0, 5);
    sim_fault_next(sim, COMMAND_VPSIE_ADD_MACHINE, SIM_FAULT_LOST_AFTER, 1);
    tale_deploy(sim, "web", 3);
    tale_until_ready(sim, "web", 3, MINUTES(10));
    tale_run(sim, MINUTES(20));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 1);
    tale_assert(sim, tale_machines(sim) == 1);
    tale_end(sim);
}

static void an_error_after_the_machine_was_made_is_not_repeated(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(9, 0, 5);
    sim_fault_next(sim, COMMAND_VPSIE_ADD_MACHINE, SIM_FAULT_ERROR_AFTER, 2);
    tale_deploy(sim, "web", 6);
    tale_until_ready(sim, "web", 6, MINUTES(10));
    tale_run(sim, MINUTES(20));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_end(sim);
}

static void a_call_that_never_arrived_is_declared_not_placed_and_ordered_anew(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(10, 0, 5);
    sim_fault_next(sim, COMMAND_VPSIE_ADD_MACHINE, SIM_FAULT_LOST_BEFORE, 1);
    tale_deploy(sim, "web", 3);
    tale_run(sim, MINUTES(14));
    tale_assert(sim,
                sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 1); // nothing is repeated, the lists are watched
    tale_until_ready(sim, "web", 3, MINUTES(15));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 2);
    tale_assert(sim, tale_machines(sim) == 1);
    tale_end(sim);
}

static void a_429_is_asked_again_and_a_refusal_is_not(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(11, 0, 5);
    sim_fault_next(sim, COMMAND_VPSIE_ADD_MACHINE, SIM_FAULT_THROTTLED, 2);
    tale_deploy(sim, "web", 3);
    tale_until_ready(sim, "web", 3, MINUTES(10));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 3);
    sim_fault_next(sim, COMMAND_VPSIE_ADD_MACHINE, SIM_FAULT_REFUSED, 1);
    tale_deploy(sim, "more", 3);
    tale_until_ready(sim, "more", 3, MINUTES(30)); // by another intention, after a while
    tale_end(sim);
}

static void a_quota_stops_the_asking_and_is_said(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(12);
    settings.world.machines_max = 1;
    struct sim *sim = tale_begin_with(&settings, 0, 5);
    tale_deploy(sim, "web", 9);
    tale_run(sim, MINUTES(30));
    tale_assert(sim, tale_machines(sim) == 1);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) <= 8); // it does not hammer
    tale_assert(sim, sim_said(sim, "exceeds the allowed limit"));
    sim_world(sim)->settings.machines_max = 0;
    tale_until_ready(sim, "web", 9, MINUTES(120));
    tale_end(sim);
}

static void a_machine_that_never_joins_fails_is_removed_and_stays_visible_for_its_ttl(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(13);
    settings.world.never_joins_percent = 100;
    struct sim *sim = tale_begin_with(&settings, 0, 1);
    tale_deploy(sim, "web", 3);
    tale_until_machines(sim, 1, MINUTES(2));
    tale_until_machines(sim, 0, MINUTES(40)); // 15 minutes to join, then it is taken away
    tale_assert(sim, tale_intentions(sim) >= 1);
    bool failed = false;
    for (size_t i = 0; i < tale_intentions(sim); i++)
        failed = failed || strcmp(json_text(api_at(sim_world(sim)->api, API_VPSIENODE, i)->document->json,
                                            "status.phase"),
                                  "Failed") == 0;
    tale_assert(sim, failed);
    scale_deployment(sim_world(sim), "default", "web", 0);
    tale_until_intentions(sim, 0, MINUTES(120));
    tale_assert(sim, tale_machines(sim) == 0);
    tale_end(sim);
}

static void orders_of_two_groups_find_their_own_machines(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(14, 0, 5);
    add_node_group(sim_world(sim), &(struct group_plan){.name = "large",
                                                        .max = 5,
                                                        .cluster = SIM_CLUSTER,
                                                        .datacenter = SIM_DATACENTER,
                                                        .size_id = SIM_SIZE_LARGE,
                                                        .label_key = "pool",
                                                        .label_value = "large",
                                                        .taint_key = "dedicated"});
    tale_deploy(sim, "web", 6);
    add_deployment(sim_world(sim), &(struct workload){.name = "etl",
                                                      .replicas = 4,
                                                      .cpu_millis = 3500,
                                                      .memory_mb = 1024,
                                                      .selector_key = "pool",
                                                      .selector_value = "large",
                                                      .toleration_key = "dedicated"});
    tale_until_ready(sim, "web", 6, MINUTES(60));
    tale_until_ready(sim, "etl", 4, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 4);
    const struct api *api = sim_world(sim)->api;
    for (size_t i = 0; i < tale_intentions(sim); i++) {
        const cJSON *json = api_at(api, API_VPSIENODE, i)->document->json;
        const struct cloud_machine *machine =
            cloud_machine_find(sim_world(sim), json_text(json, "spec.vpsieNodeIdentifier"));
        tale_assert(sim, machine != NULL);
        const struct cloud_group *group = cloud_group_by_id(sim_world(sim), SIM_CLUSTER, machine->group_id);
        assert_string_equal(group->name, json_text(json, "spec.nodeGroupName"));
    }
    tale_end(sim);
}

static void a_nodegroup_without_a_size_has_a_vpsie_group_for_each_that_it_needs(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(18);
    struct sim *sim = tale_prepare_two_sizes(&settings, 0, 5);
    sim_start(sim);
    tale_run(sim, SECONDS(30));
    add_deployment(sim_world(sim), &(struct workload){.name = "small",
                                                      .replicas = 1,
                                                      .cpu_millis = 3000,
                                                      .memory_mb = 1024,
                                                      .selector_key = "pool",
                                                      .selector_value = "general"});
    tale_until_ready(sim, "small", 1, MINUTES(20));
    add_deployment(sim_world(sim), &(struct workload){.name = "large",
                                                      .replicas = 2,
                                                      .cpu_millis = 6500,
                                                      .memory_mb = 1024,
                                                      .selector_key = "pool",
                                                      .selector_value = "general"});
    tale_until_ready(sim, "large", 2, MINUTES(20));
    const struct world *world = sim_world(sim);
    const struct cloud_group *medium = cloud_group_by_name(world, SIM_CLUSTER, "general");
    const struct cloud_group *large = cloud_group_by_name(world, SIM_CLUSTER, "general-22");
    tale_assert(sim, medium != NULL && medium->size_id == SIM_SIZE && cloud_group_nodes(world, medium) == 1);
    tale_assert(sim,
                large != NULL && large->size_id == SIM_SIZE_LARGE && cloud_group_nodes(world, large) == 2);
    for (size_t i = 0; i < tale_intentions(sim); i++) {
        const cJSON *json = api_at(world->api, API_VPSIENODE, i)->document->json;
        const struct cloud_machine *machine =
            cloud_machine_find(world, json_text(json, "spec.vpsieNodeIdentifier"));
        tale_assert(sim, machine != NULL);
        assert_int_equal(machine->group_id, json_number(json, "spec.vpsieGroupID", 0));
        assert_int_equal(machine->size_id, strtoll(json_text(json, "spec.instanceType"), NULL, 10));
    }
    tale_end(sim);
}

static void an_answer_that_names_the_machine_is_believed(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(15);
    settings.world.add_answer = ADD_ANSWERS_OBJECT;
    settings.world.groups_answer_id = true;
    settings.world.other_case_percent = 100;
    struct sim *sim = tale_begin_with(&settings, 0, 5);
    tale_deploy(sim, "web", 9);
    tale_until_ready(sim, "web", 9, MINUTES(10));
    tale_assert(sim, tale_machines(sim) == 3);
    tale_end(sim);
}

static void an_existing_group_s_size_wins_and_the_difference_is_said(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(16);
    struct sim *sim = tale_prepare(&settings, 0, 5);
    person_adds_group(sim_world(sim), SIM_CLUSTER, "general", SIM_SIZE_LARGE);
    sim_start(sim);
    tale_deploy(sim, "web", 7);
    tale_until_ready(sim, "web", 7, MINUTES(10)); // 7.9 cpu: all on one machine
    tale_assert(sim, tale_machines(sim) == 1);
    tale_assert(sim, sim_effects(sim, COMMAND_VPSIE_CREATE_GROUP) == 0);
    tale_run(sim, MINUTES(2));
    tale_assert(sim, sim_said(sim, "22"));
    tale_end(sim);
}

static void an_offering_that_cannot_be_ordered_is_said_and_nothing_is_tried(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(17);
    struct sim *sim = tale_prepare(&settings, 0, 5);
    add_node_group(sim_world(sim), &(struct group_plan){.name = "plans",
                                                        .min = 1,
                                                        .max = 5,
                                                        .cluster = SIM_CLUSTER,
                                                        .datacenter = SIM_DATACENTER,
                                                        .offering = "0a1b2c3d-0000-4000-8000-000000000000"});
    sim_start(sim);
    tale_run(sim, MINUTES(20));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_CREATE_GROUP) == 0);
    tale_assert(sim, tale_machines(sim) == 0);
    tale_assert(sim, sim_said(sim, "0a1b2c3d"));
    tale_end(sim);
}

static void an_account_that_cannot_be_used_stops_orders_until_it_can(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(18, 0, 5);
    sim_cut_vpsie(sim, true);
    tale_deploy(sim, "web", 3);
    tale_run(sim, MINUTES(30));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 0);
    sim_cut_vpsie(sim, false);
    tale_until_ready(sim, "web", 3, MINUTES(15));
    tale_assert(sim, tale_machines(sim) == 1);
    tale_end(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pods_that_fit_nowhere_get_a_machine_from_zero),
        cmocka_unit_test(a_burst_is_served_by_one_decision_and_nothing_is_bought_twice),
        cmocka_unit_test(the_call_leaves_within_a_second_of_the_pod_being_unschedulable),
        cmocka_unit_test(the_minimum_is_kept_and_the_maximum_is_never_passed),
        cmocka_unit_test(a_pod_that_no_machine_could_hold_buys_nothing),
        cmocka_unit_test(daemonsets_come_out_of_the_machine_s_room),
        cmocka_unit_test(a_startup_taint_counts_as_capacity_on_its_way),
        cmocka_unit_test(a_lost_reply_is_not_repeated),
        cmocka_unit_test(an_error_after_the_machine_was_made_is_not_repeated),
        cmocka_unit_test(a_call_that_never_arrived_is_declared_not_placed_and_ordered_anew),
        cmocka_unit_test(a_429_is_asked_again_and_a_refusal_is_not),
        cmocka_unit_test(a_quota_stops_the_asking_and_is_said),
        cmocka_unit_test(a_machine_that_never_joins_fails_is_removed_and_stays_visible_for_its_ttl),
        cmocka_unit_test(orders_of_two_groups_find_their_own_machines),
        cmocka_unit_test(a_nodegroup_without_a_size_has_a_vpsie_group_for_each_that_it_needs),
        cmocka_unit_test(an_answer_that_names_the_machine_is_believed),
        cmocka_unit_test(an_existing_group_s_size_wins_and_the_difference_is_said),
        cmocka_unit_test(an_offering_that_cannot_be_ordered_is_said_and_nothing_is_tried),
        cmocka_unit_test(an_account_that_cannot_be_used_stops_orders_until_it_can),
    };
    return cmocka_run_group_tests_name("ordering", tests, NULL, NULL);
}

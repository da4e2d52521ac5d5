// When to stop: removals and replacements stop, scale up goes on, and people are told.
#include "tests/unit/sim/tale.h"

#include "coordinator/model/cluster.h"

static void stop_machines(struct sim *sim, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fate_stops_machine(sim_world(sim), tale_machine(sim, i)->identifier);
}

static void when_many_nodes_are_broken_nothing_is_removed_and_scale_up_goes_on(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(1, 0, 14);
    tale_grow(sim, 8);
    stop_machines(sim, 6);
    tale_run(sim, MINUTES(60));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
    tale_assert(sim, sim_said(sim, "broken"));
    tale_assert(sim, tale_machines(sim) > 8); // the pods of the dead machines get new ones
    tale_end(sim);
}

static void when_many_of_all_nodes_are_broken_it_stops_too_though_no_group_has_two(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(20, 0, 1);
    for (int i = 0; i < 9; i++) {
        char name[] = "single-0";
        name[7] = (char)('0' + i);
        add_node_group(sim_world(sim), &(struct group_plan){.name = name,
                                                            .min = 1,
                                                            .max = 1,
                                                            .cluster = SIM_CLUSTER,
                                                            .datacenter = SIM_DATACENTER,
                                                            .size_id = SIM_SIZE});
    }
    tale_until_machines(sim, 9, MINUTES(120));
    tale_run(sim, MINUTES(10));
    tale_assert(sim, count_ready_nodes(sim_world(sim)) == 10);
    stop_machines(sim, 6); // of 11 nodes, the master and pet-1 among them
    tale_run(sim, MINUTES(60));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
    tale_assert(sim, sim_said(sim, "broken"));
    tale_end(sim);
}

static void broken_nodes_of_one_group_are_replaced_one_at_a_time(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(2, 12, 20);
    tale_grow(sim, 12);
    stop_machines(sim, 2); // a sixth of the group
    tale_run(sim, MINUTES(90));
    size_t gone = 0;
    for (size_t i = 0; i < sim_world(sim)->cloud->machine_count; i++)
        gone += sim_world(sim)->cloud->machines[i]->gone;
    tale_assert(sim, gone == 2);
    tale_until_machines(sim, 12, MINUTES(60));
    tale_until_ready(sim, "web", 36, MINUTES(30));
    tale_end(sim);
}

static void an_empty_list_of_vpsie_concludes_nothing(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(3, 0, 8);
    tale_grow(sim, 3);
    sim_world(sim)->cloud->list_mode = CLOUD_LIST_EMPTY;
    scale_deployment(sim_world(sim), "default", "web", 0);
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 3);
    tale_assert(sim, tale_intentions(sim) == 3);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
    tale_assert(sim, sim_sent(sim, COMMAND_KUBE_DELETE_NODE) == 0);
    sim_world(sim)->cloud->list_mode = CLOUD_LIST_RIGHT;
    tale_until_machines(sim, 0, MINUTES(120));
    tale_end(sim);
}

static void a_list_that_lost_more_than_a_fifth_at_once_concludes_nothing(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(4, 0, 8);
    tale_grow(sim, 6);
    sim_world(sim)->cloud->list_keeps_percent = 50;
    sim_world(sim)->cloud->list_mode = CLOUD_LIST_PARTIAL;
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_intentions(sim) == 6);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 6);
    tale_assert(sim, sim_sent(sim, COMMAND_KUBE_DELETE_NODE) == 0);
    sim_world(sim)->cloud->list_mode = CLOUD_LIST_RIGHT;
    tale_run(sim, MINUTES(10));
    tale_assert(sim, tale_machines(sim) == 6);
    tale_end(sim);
}

static void when_most_agents_fall_silent_voluntary_removal_stops(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(5, 0, 8);
    tale_grow(sim, 5);
    tale_run(sim, MINUTES(15));
    for (size_t i = 0; i < 4; i++)
        agent_of(sim_world(sim), tale_machine(sim, i)->node_name)->silent = true;
    tale_run(sim, MINUTES(3));
    scale_deployment(sim_world(sim), "default", "web", 1);
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 5);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
    for (size_t i = 0; i < 4; i++)
        agent_of(sim_world(sim), tale_machine(sim, i)->node_name)->silent = false;
    tale_until_machines(sim, 1, MINUTES(120));
    tale_end(sim);
}

static void when_every_nodegroup_is_deleted_at_once_it_holds_and_asks(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(6, 0, 8);
    add_node_group(sim_world(sim), &(struct group_plan){.name = "second",
                                                        .max = 3,
                                                        .cluster = SIM_CLUSTER,
                                                        .datacenter = SIM_DATACENTER,
                                                        .size_id = SIM_SIZE_LARGE});
    tale_grow(sim, 2);
    remove_object(sim_world(sim), API_NODEGROUP, "default", "general");
    remove_object(sim_world(sim), API_NODEGROUP, "default", "second");
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 0);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
    tale_assert(sim, sim_said(sim, "resume"));
    tale_end(sim);
}

static void a_machine_that_vanished_is_replaced_and_reported(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(7, 3, 8);
    tale_grow(sim, 6);
    person_deletes_machine(sim_world(sim), tale_machine(sim, 0)->identifier);
    tale_until_ready(sim, "web", 18, MINUTES(60));
    tale_until_intentions(sim, 6, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 6);
    tale_assert(sim, count_ready_nodes(sim_world(sim)) == 7);
    tale_end(sim);
}

static void a_paused_group_is_left_alone_and_says_so(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(8, 0, 8);
    tale_grow(sim, 2);
    annotate(sim_world(sim), API_NODEGROUP, "default", "general", KEY_PAUSED, "true");
    tale_run(sim, SECONDS(5));
    scale_deployment(sim_world(sim), "default", "web", 12);
    tale_run(sim, MINUTES(20));
    tale_assert(sim, tale_machines(sim) == 2);
    scale_deployment(sim_world(sim), "default", "web", 0);
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 2);
    annotate(sim_world(sim), API_NODEGROUP, "default", "general", KEY_PAUSED, NULL);
    tale_until_machines(sim, 0, MINUTES(120));
    tale_end(sim);
}

static void a_pause_survives_the_coordinator(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(9, 0, 8);
    tale_grow(sim, 2);
    sim_operator(sim, OPERATOR_PAUSE, "maintenance");
    tale_run(sim, SECONDS(10));
    sim_kill(sim, sim_leader(sim));
    tale_run(sim, MINUTES(2));
    scale_deployment(sim_world(sim), "default", "web", 12);
    tale_run(sim, MINUTES(20));
    tale_assert(sim, tale_machines(sim) == 2);
    sim_operator(sim, OPERATOR_RESUME, "");
    tale_until_ready(sim, "web", 12, MINUTES(20));
    tale_end(sim);
}

static void a_dry_run_decides_and_writes_nothing(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(10);
    settings.core.dry_run = true;
    struct sim *sim = tale_begin_with(&settings, 2, 8);
    tale_deploy(sim, "web", 12);
    tale_run(sim, MINUTES(30));
    tale_assert(sim, tale_machines(sim) == 0);
    tale_assert(sim, tale_intentions(sim) == 0);
    tale_assert(sim, sim_said(sim, "machines"));
    for (unsigned kind = 0; kind < COMMAND_KIND_COUNT; kind++) {
        if (command_writes((enum command_kind)kind))
            tale_assert(sim, sim_sent(sim, (enum command_kind)kind) == 0);
    }
    tale_end(sim);
}

static void an_unmanaged_group_is_left_alone(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(11, 0, 8);
    add_node_group(sim_world(sim), &(struct group_plan){.name = "theirs",
                                                        .min = 3,
                                                        .max = 5,
                                                        .cluster = SIM_CLUSTER,
                                                        .datacenter = SIM_DATACENTER,
                                                        .size_id = SIM_SIZE_LARGE,
                                                        .unmanaged = true});
    tale_run(sim, MINUTES(20));
    tale_assert(sim, tale_machines(sim) == 0);
    tale_assert(sim, cloud_group_by_name(sim_world(sim), SIM_CLUSTER, "theirs") == NULL);
    tale_end(sim);
}

static void an_api_server_that_is_away_stops_everything_and_is_caught_up_with(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(12, 0, 8);
    tale_grow(sim, 2);
    sim_cut_kube(sim, true);
    scale_deployment(sim_world(sim), "default", "web", 12);
    tale_run(sim, MINUTES(10));
    tale_assert(sim, tale_machines(sim) == 2);
    sim_cut_kube(sim, false);
    tale_until_ready(sim, "web", 12, MINUTES(30));
    tale_assert(sim, tale_machines(sim) == 4);
    tale_end(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_many_nodes_are_broken_nothing_is_removed_and_scale_up_goes_on),
        cmocka_unit_test(when_many_of_all_nodes_are_broken_it_stops_too_though_no_group_has_two),
        cmocka_unit_test(broken_nodes_of_one_group_are_replaced_one_at_a_time),
        cmocka_unit_test(an_empty_list_of_vpsie_concludes_nothing),
        cmocka_unit_test(a_list_that_lost_more_than_a_fifth_at_once_concludes_nothing),
        cmocka_unit_test(when_most_agents_fall_silent_voluntary_removal_stops),
        cmocka_unit_test(when_every_nodegroup_is_deleted_at_once_it_holds_and_asks),
        cmocka_unit_test(a_machine_that_vanished_is_replaced_and_reported),
        cmocka_unit_test(a_paused_group_is_left_alone_and_says_so),
        cmocka_unit_test(a_pause_survives_the_coordinator),
        cmocka_unit_test(a_dry_run_decides_and_writes_nothing),
        cmocka_unit_test(an_unmanaged_group_is_left_alone),
        cmocka_unit_test(an_api_server_that_is_away_stops_everything_and_is_caught_up_with),
    };
    return cmocka_run_group_tests_name("when to stop", tests, NULL, NULL);
}

// Other hands: people at the panel and at kubectl, the predecessor, whole groups going.
#include "tests/unit/sim/tale.h"

#include "coordinator/model/cluster.h"

static struct cloud_group *general(struct sim *sim)
{
    return cloud_group_by_name(sim_world(sim), SIM_CLUSTER, "general");
}

static void a_machine_that_a_person_added_is_reported_and_never_deleted(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(1, 0, 8);
    tale_grow(sim, 2);
    const struct cloud_machine *theirs = person_adds_machine(sim_world(sim), SIM_CLUSTER, general(sim)->id);
    char identifier[40];
    strcpy(identifier, theirs->identifier);
    tale_run(sim, MINUTES(40));
    tale_assert(sim, sim_said(sim, "surplus"));
    scale_deployment(sim_world(sim), "default", "web", 0);
    tale_run(sim, MINUTES(120));
    tale_assert(sim, !cloud_machine_find(sim_world(sim), identifier)->gone);
    tale_assert(sim, tale_machines(sim) == 1);
    tale_end(sim);
}

static void a_surplus_is_adopted_when_more_is_needed(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(2, 0, 8);
    person_deletes_machine(sim_world(sim), cloud_machine_by_node(sim_world(sim), "pet-1")->identifier);
    tale_grow(sim, 1);
    person_adds_machine(sim_world(sim), SIM_CLUSTER, general(sim)->id);
    tale_run(sim, MINUTES(30));
    uint64_t sent = sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE);
    scale_deployment(sim_world(sim), "default", "web", 6);
    tale_until_ready(sim, "web", 6, MINUTES(20));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == sent);
    tale_assert(sim, tale_intentions(sim) == 2);
    tale_end(sim);
}

static void machines_and_groups_of_others_are_never_touched(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(3, 0, 8);
    struct cloud_group *theirs = person_adds_group(sim_world(sim), SIM_CLUSTER, "theirs", SIM_SIZE_LARGE);
    int64_t id = theirs->id;
    tale_grow(sim, 1);
    for (int i = 0; i < 3; i++) {
        person_adds_machine(sim_world(sim), SIM_CLUSTER, id);
        tale_deploy(sim, i == 0 ? "a" : i == 1 ? "b" : "c", 3);
        tale_run(sim, MINUTES(3));
    }
    tale_run(sim, MINUTES(20));
    tale_assert(sim, tale_machines(sim) == 7);
    scale_deployment(sim_world(sim), "default", "web", 0);
    scale_deployment(sim_world(sim), "default", "a", 0);
    scale_deployment(sim_world(sim), "default", "b", 0);
    scale_deployment(sim_world(sim), "default", "c", 0);
    tale_until_machines(sim, 3, MINUTES(180));
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 3);
    tale_assert(sim, cloud_machine_by_node(sim_world(sim), "pet-1") != NULL);
    tale_end(sim);
}

static void a_person_who_orders_at_the_same_moment_confuses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 40; seed < 46; seed++) {
        struct sim *sim = tale_begin(seed, 0, 8);
        tale_grow(sim, 1);
        sim_fault_next(sim, COMMAND_VPSIE_ADD_MACHINE, SIM_FAULT_LOST_AFTER, 1);
        scale_deployment(sim_world(sim), "default", "web", 6);
        tale_until_effect(sim, COMMAND_VPSIE_ADD_MACHINE, 2, MINUTES(5));
        person_adds_machine(sim_world(sim), SIM_CLUSTER, general(sim)->id);
        tale_until_ready(sim, "web", 6, MINUTES(20));
        tale_run(sim, MINUTES(40));
        // Whichever of the two the order was given: one intention each, one machine over, and it is seen.
        tale_assert(sim, tale_machines(sim) == 3);
        tale_assert(sim, tale_intentions(sim) == 2 ? sim_said(sim, "surplus") : tale_intentions(sim) == 3);
        tale_end(sim);
    }
}

static void deleting_a_vpsienode_removes_its_machine_gracefully(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(5, 0, 8);
    tale_grow(sim, 2);
    char name[300], identifier[40];
    const struct api_object *object = api_at(sim_world(sim)->api, API_VPSIENODE, 0);
    strcpy(name, object->name);
    strcpy(identifier, json_text(object->document->json, "spec.vpsieNodeIdentifier"));
    remove_object(sim_world(sim), API_VPSIENODE, "default", name);
    tale_run(sim, MINUTES(40));
    tale_assert(sim, cloud_machine_find(sim_world(sim), identifier)->gone);
    tale_assert(sim, api_find(sim_world(sim)->api, API_VPSIENODE, "default", name) == NULL);
    tale_until_ready(sim, "web", 6, MINUTES(20));
    tale_end(sim);
}

static void deleting_a_nodegroup_drains_and_removes_its_machines(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(6, 1, 8);
    add_node_group(sim_world(sim), &(struct group_plan){.name = "second",
                                                        .max = 4,
                                                        .cluster = SIM_CLUSTER,
                                                        .datacenter = SIM_DATACENTER,
                                                        .size_id = SIM_SIZE_LARGE,
                                                        .label_key = "pool",
                                                        .label_value = "general"});
    tale_grow(sim, 2);
    tale_run(sim, MINUTES(2));
    remove_object(sim_world(sim), API_NODEGROUP, "default", "general");
    tale_run(sim, MINUTES(120));
    tale_assert(sim, api_find(sim_world(sim)->api, API_NODEGROUP, "default", "general") == NULL);
    for (size_t i = 0; i < tale_machines(sim); i++)
        tale_assert(sim, tale_machine(sim, i)->size_id == SIM_SIZE_LARGE);
    tale_until_ready(sim, "web", 6, MINUTES(20));
    tale_assert(sim, general(sim) != NULL); // VPSie's groups are never deleted by us
    tale_end(sim);
}

static void a_group_with_deletion_policy_retain_leaves_its_machines(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(7, 1, 8);
    add_node_group(sim_world(sim), &(struct group_plan){.name = "second",
                                                        .max = 4,
                                                        .cluster = SIM_CLUSTER,
                                                        .datacenter = SIM_DATACENTER,
                                                        .size_id = SIM_SIZE_LARGE});
    tale_grow(sim, 2);
    annotate(sim_world(sim), API_NODEGROUP, "default", "general", KEY_DELETION_POLICY, "retain");
    sim_lets_go(sim);
    tale_run(sim, SECONDS(10));
    remove_object(sim_world(sim), API_NODEGROUP, "default", "general");
    tale_run(sim, MINUTES(60));
    tale_assert(sim, api_find(sim_world(sim)->api, API_NODEGROUP, "default", "general") == NULL);
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, tale_marked(sim) == 0);
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 0);
    tale_end(sim);
}

static void release_lifts_everything_of_ours_and_leaves_the_machines(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(8, 0, 8);
    tale_grow(sim, 2);
    sim_lets_go(sim);
    sim_operator(sim, OPERATOR_RELEASE, "");
    tale_run(sim, MINUTES(20));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, tale_marked(sim) == 0);
    const struct api *api = sim_world(sim)->api;
    for (size_t i = 0; i < api_count(api, API_VPSIENODE); i++)
        tale_assert(sim,
                    json_at(api_at(api, API_VPSIENODE, i)->document->json, "metadata.finalizers") == NULL);
    tale_assert(sim, json_at(api_find(api, API_NODEGROUP, "default", "general")->document->json,
                             "metadata.finalizers") == NULL);
    tale_end(sim);
}

// Two machines of "general" that the predecessor made, with its VPSieNodes: no identifier, instance id 0.
static struct sim *inherited(uint64_t seed, bool adopt)
{
    struct sim_settings settings = sim_settings_default(seed);
    settings.core.allow_predecessor = adopt;
    struct sim *sim = tale_prepare(&settings, 2, 8);
    struct world *world = sim_world(sim);
    int64_t id = person_adds_group(world, SIM_CLUSTER, "general", SIM_SIZE)->id;
    cloud_add_present(world, SIM_CLUSTER, "k8s-old-a", id, SIM_SIZE, false);
    cloud_add_present(world, SIM_CLUSTER, "k8s-old-b", id, SIM_SIZE, false);
    add_predecessor_node(world, NULL, "general", "general-old-a", "k8s-old-a", "Ready");
    add_predecessor_node(world, NULL, "general", "general-old-b", "k8s-old-b", "Ready");
    return sim;
}

static void beside_a_predecessor_it_starts_in_dry_run_and_says_what_to_do(void **state)
{
    (void)state;
    struct sim *sim = inherited(9, false);
    add_predecessor_webhooks(sim_world(sim));
    sim_start(sim);
    tale_deploy(sim, "web", 12);
    tale_run(sim, MINUTES(20));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 0);
    tale_assert(sim, sim_said(sim, "resume"));
    remove_object(sim_world(sim), API_VALIDATING_WEBHOOK, "", "vpsie-autoscaler-webhook");
    remove_object(sim_world(sim), API_VALIDATING_WEBHOOK, "", "vpsie-autoscaler-node-deletion");
    sim_operator(sim, OPERATOR_RESUME, "");
    tale_run(sim, MINUTES(20));
    tale_assert(sim, tale_machines(sim) > 2);
    tale_end(sim);
}

static void the_predecessor_s_nodes_are_resolved_and_live_on(void **state)
{
    (void)state;
    struct sim *sim = inherited(10, true);
    sim_start(sim);
    tale_run(sim, MINUTES(10));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_ADD_MACHINE) == 0);
    tale_assert(sim, tale_intentions(sim) == 2);
    for (size_t i = 0; i < 2; i++) {
        const cJSON *json = api_at(sim_world(sim)->api, API_VPSIENODE, i)->document->json;
        assert_string_equal(json_text(json, "status.phase"), "Ready");
        tale_assert(sim, json_text(json, "spec.vpsieNodeIdentifier")[0] != 0);
    }
    AUTOJSON cJSON *patch = json_of("{'spec':{'minNodes':0}}");
    api_patch(sim_world(sim)->api, API_NODEGROUP, "default", "general", false, API_MERGE_PATCH, patch);
    tale_until_machines(sim, 0, MINUTES(180)); // and they go as gracefully as any other
    tale_until_intentions(sim, 0, MINUTES(20));
    tale_end(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_that_a_person_added_is_reported_and_never_deleted),
        cmocka_unit_test(a_surplus_is_adopted_when_more_is_needed),
        cmocka_unit_test(machines_and_groups_of_others_are_never_touched),
        cmocka_unit_test(a_person_who_orders_at_the_same_moment_confuses_nothing),
        cmocka_unit_test(deleting_a_vpsienode_removes_its_machine_gracefully),
        cmocka_unit_test(deleting_a_nodegroup_drains_and_removes_its_machines),
        cmocka_unit_test(a_group_with_deletion_policy_retain_leaves_its_machines),
        cmocka_unit_test(release_lifts_everything_of_ours_and_leaves_the_machines),
        cmocka_unit_test(beside_a_predecessor_it_starts_in_dry_run_and_says_what_to_do),
        cmocka_unit_test(the_predecessor_s_nodes_are_resolved_and_live_on),
    };
    return cmocka_run_group_tests_name("other hands", tests, NULL, NULL);
}

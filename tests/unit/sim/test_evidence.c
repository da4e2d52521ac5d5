// Evidence: it is about these pods, it is fresh, it is asked for again, and the API server has the last word.
#include "tests/unit/sim/tale.h"

#include "coordinator/model/cluster.h"

// One machine more than needed, with `pods` of "app" on it that a budget lets go one at a time; the other
// machine has room for them.
static struct sim *one_to_go(uint64_t seed, int32_t pods)
{
    struct sim *sim = tale_begin(seed, 1, 5);
    tale_grow(sim, 2);
    scale_deployment(sim_world(sim), "default", "web", 0);
    tale_run(sim, SECONDS(40));
    add_deployment(sim_world(sim), &(struct workload){.name = "app",
                                                      .replicas = pods,
                                                      .cpu_millis = 200,
                                                      .memory_mb = 128,
                                                      .volume = "pv-1",
                                                      .selector_key = "pool",
                                                      .selector_value = "general"});
    tale_until_ready(sim, "app", (size_t)pods, MINUTES(1));
    add_budget(sim_world(sim), "default", "app", "app", -1, 1);
    return sim;
}

// The node that is being drained, NULL: none.
static const char *drained_node(struct sim *sim)
{
    const struct api *api = sim_world(sim)->api;
    for (size_t i = 0; i < api_count(api, API_NODE); i++) {
        const struct api_object *node = api_at(api, API_NODE, i);
        if (json_key(json_at(node->document->json, "metadata.annotations"), KEY_CORDONED_BY) != NULL)
            return node->name;
    }
    return NULL;
}

static bool drains(struct sim *sim, void *context)
{
    (void)context;
    return drained_node(sim) != NULL;
}

// A pod that ignores cordons and taints lands on a node: no scheduler was asked.
static void lands_on(struct sim *sim, const char *name, const char *node_name)
{
    add_bare_pod(sim_world(sim), &(struct workload){.name = name, .cpu_millis = 50, .memory_mb = 32});
    const struct api_object *pod = api_find(sim_world(sim)->api, API_POD, "default", name);
    cJSON *bound = api_copy(pod);
    json_set_text(bound, "spec.nodeName", node_name);
    api_put(sim_world(sim)->api, pod, bound);
}

static bool is_empty(struct sim *sim, void *node_name)
{
    return count_movable_pods(sim_world(sim), node_name) == 0;
}

static void a_pod_that_only_the_api_server_knows_of_keeps_its_machine(void **state)
{
    (void)state;
    struct sim *sim = one_to_go(1, 4);
    sim_world(sim)->settings.detach = (struct span){90000, 90000}; // time enough between drain and last look
    tale_until(sim, drains, NULL, MINUTES(60), "a drain begins");
    char node_name[100];
    strcpy(node_name, drained_node(sim));
    tale_until(sim, is_empty, node_name, MINUTES(10), "the node is drained");
    tale_run(sim, SECONDS(2));
    sim_hold_watch(sim, OBJECT_POD, MINUTES(6)); // the cache will not know
    lands_on(sim, "late", node_name);
    tale_run(sim, MINUTES(5));
    tale_assert(sim, api_find(sim_world(sim)->api, API_POD, "default", "late") != NULL);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
    tale_end(sim);
}

static void a_pod_that_comes_during_the_drain_is_asked_about_before_it_goes(void **state)
{
    (void)state;
    struct sim *sim = one_to_go(2, 4);
    tale_until(sim, drains, NULL, MINUTES(60), "a drain begins");
    char node_name[100];
    strcpy(node_name, drained_node(sim));
    tale_until_effect(sim, COMMAND_KUBE_EVICT, 1, MINUTES(10));
    // It belongs to a ReplicaSet, so that it may be moved, and tolerates everything.
    add_deployment(sim_world(sim), &(struct workload){.name = "stray",
                                                      .replicas = 1,
                                                      .cpu_millis = 50,
                                                      .memory_mb = 32,
                                                      .selector_key = "no-such",
                                                      .selector_value = "node"});
    tale_run(sim, 400);
    AUTOLIST struct api_list pods = api_snapshot(sim_world(sim)->api, API_POD, "default");
    for (size_t i = 0; i < pods.count; i++) {
        if (strcmp(json_text(pods.items[i].document->json, "metadata.labels.app"), "stray") != 0)
            continue;
        cJSON *bound = api_copy(&pods.items[i]);
        json_set_text(bound, "spec.nodeName", node_name);
        api_put(sim_world(sim)->api, &pods.items[i], bound);
    }
    tale_run(sim, MINUTES(30)); // the rules are checked all the while: no eviction that no directive named
    tale_end(sim);
}

static void evictions_stop_when_the_agent_says_otherwise(void **state)
{
    (void)state;
    static const enum evidence_state states[] = {EVIDENCE_BLOCKED, EVIDENCE_BUSY, EVIDENCE_UNKNOWN};
    for (size_t s = 0; s < 3; s++) {
        struct sim *sim = one_to_go(3 + s, 8);
        tale_until(sim, drains, NULL, MINUTES(60), "a drain begins");
        tale_until_effect(sim, COMMAND_KUBE_EVICT, 1, MINUTES(10));
        for (size_t i = 0; i < 2; i++) { // both machines': the other one could go instead
            struct agent_model *agent = agent_of(sim_world(sim), tale_machine(sim, i)->node_name);
            agent->forced = true;
            agent->state = states[s];
        }
        tale_run(sim, SECONDS(3)); // what is on its way
        uint64_t evicted = sim_effects(sim, COMMAND_KUBE_EVICT);
        tale_assert(sim, evicted < 4);
        tale_run(sim, MINUTES(30));
        tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == evicted);
        tale_assert(sim, tale_machines(sim) == 2);
        tale_end(sim);
    }
}

static void evictions_stop_when_the_agent_falls_silent(void **state)
{
    (void)state;
    struct sim *sim = one_to_go(6, 8);
    sim_world(sim)->settings.pull = (struct span){50000, 50000}; // the budget lets the next one go after that
    tale_until(sim, drains, NULL, MINUTES(60), "a drain begins");
    tale_until_effect(sim, COMMAND_KUBE_EVICT, 1, MINUTES(10));
    for (size_t i = 0; i < 2; i++)
        agent_of(sim_world(sim), tale_machine(sim, i)->node_name)->silent = true;
    tale_run(sim, MINUTES(2));
    uint64_t evicted = sim_effects(sim, COMMAND_KUBE_EVICT);
    tale_run(sim, MINUTES(20));
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == evicted);
    tale_assert(sim, tale_machines(sim) == 2);
    tale_end(sim);
}

static bool one_is_left(struct sim *sim, void *context)
{
    (void)context;
    return tale_machines(sim) == 1 && tale_marked(sim) == 0;
}

static void a_drain_goes_on_under_the_next_leader_with_evidence_of_its_own(void **state)
{
    (void)state;
    struct sim *sim = one_to_go(12, 6);
    sim_start(sim);
    tale_until(sim, drains, NULL, MINUTES(60), "a drain begins");
    tale_until_effect(sim, COMMAND_KUBE_EVICT, 1, MINUTES(10));
    uint64_t asked = sim_sent(sim, COMMAND_AGENT_DIRECTIVE);
    sim_kill(sim, sim_leader(sim));
    tale_until(sim, one_is_left, NULL, MINUTES(10), "the successor has finished it");
    tale_assert(sim, sim_sent(sim, COMMAND_AGENT_DIRECTIVE) >= asked + 2);
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_UNCORDON) == 0);
    tale_end(sim);
}

static bool nothing_is_marked(struct sim *sim, void *context)
{
    (void)context;
    return tale_marked(sim) == 0;
}

static void blocked_and_unknown_give_the_drain_up_at_once_and_busy_after_five_minutes(void **state)
{
    (void)state;
    static const enum evidence_state states[] = {EVIDENCE_BLOCKED, EVIDENCE_UNKNOWN, EVIDENCE_BUSY};
    for (size_t s = 0; s < 3; s++) {
        struct sim *sim = one_to_go(7 + s, 2);
        tale_until(sim, drains, NULL, MINUTES(60), "a drain begins");
        struct agent_model *agent = agent_of(sim_world(sim), drained_node(sim));
        agent->forced = true; // the node's own verdict was READY, the directive finds otherwise
        agent->state = states[s];
        int64_t began_ms = sim_world(sim)->now_ms;
        tale_until(sim, nothing_is_marked, NULL, MINUTES(10), "the cordon is undone");
        int64_t took_ms = sim_world(sim)->now_ms - began_ms;
        tale_assert(sim, states[s] == EVIDENCE_BUSY ? took_ms > MINUTES(4) : took_ms < SECONDS(20));
        tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 0);
        tale_end(sim);
    }
}

static void a_second_budget_during_the_drain_blocks_it_and_is_named(void **state)
{
    (void)state;
    struct sim *sim = one_to_go(10, 2);
    tale_until(sim, drains, NULL, MINUTES(60), "a drain begins");
    add_budget(sim_world(sim), "default", "second", "app", 0, -1);
    tale_run(sim, MINUTES(30));
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 0);
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, sim_said(sim, "budget"));
    tale_assert(sim, nothing_is_marked(sim, NULL));
    tale_end(sim);
}

static const struct cloud_machine *leaving_machine(struct sim *sim)
{
    for (size_t i = 0; i < sim_world(sim)->cloud->machine_count; i++) {
        if (sim_world(sim)->cloud->machines[i]->leaving)
            return sim_world(sim)->cloud->machines[i];
    }
    return NULL;
}

static bool one_leaves(struct sim *sim, void *context)
{
    (void)context;
    return leaving_machine(sim) != NULL;
}

static size_t attachments(struct sim *sim, const char *node_name)
{
    size_t count = 0;
    const struct api *api = sim_world(sim)->api;
    for (size_t i = 0; i < api_count(api, API_ATTACHMENT); i++)
        count += strcmp(api_at(api, API_ATTACHMENT, i)->node_name, node_name) == 0;
    return count;
}

static void a_machine_waits_for_its_volumes_but_not_for_ever(void **state)
{
    (void)state;
    static const int64_t lingers_ms[] = {SECONDS(120), MINUTES(120)};
    for (size_t i = 0; i < 2; i++) {
        struct sim *sim = one_to_go(30 + i, 4);
        sim_world(sim)->settings.detach = (struct span){lingers_ms[i], lingers_ms[i]};
        tale_until(sim, drains, NULL, MINUTES(60), "a drain begins");
        int64_t began_ms = sim_world(sim)->now_ms;
        tale_until(sim, one_leaves, NULL, MINUTES(30), "a machine leaves");
        int64_t took_ms = sim_world(sim)->now_ms - began_ms;
        bool detached = attachments(sim, leaving_machine(sim)->node_name) == 0;
        tale_assert(sim, i == 0 ? detached : !detached && took_ms > MINUTES(6));
        tale_until_ready(sim, "app", 4, MINUTES(5));
        tale_end(sim);
    }
}

static void a_list_that_turns_wrong_between_the_last_look_and_the_call_stops_the_call(void **state)
{
    (void)state;
    struct sim *sim = one_to_go(11, 2);
    tale_until(sim, drains, NULL, MINUTES(60), "a drain begins");
    tale_until_effect(sim, COMMAND_KUBE_LIST_NODE_PODS, 1, MINUTES(20));
    sim_fault_next(sim, COMMAND_KUBE_INTENTION_STATUS, SIM_FAULT_CONFLICT,
                   8); // phase Deleting does not get there
    sim_world(sim)->cloud->list_mode = CLOUD_LIST_EMPTY;
    tale_run(sim, MINUTES(10));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
    sim_world(sim)->cloud->list_mode = CLOUD_LIST_RIGHT;
    tale_until_machines(sim, 1, MINUTES(60));
    tale_end(sim);
}

static void a_control_plane_machine_is_left_alone_even_if_vpsie_does_not_call_it_one(void **state)
{
    (void)state;
    struct sim_settings settings = sim_settings_default(12);
    settings.core.allow_predecessor = true;
    struct sim *sim = tale_prepare(&settings, 0, 5);
    sim_world(sim)->cloud->hides_roles = true;
    add_predecessor_node(sim_world(sim), NULL, "general", "general-wrong", "master-1", "Ready");
    sim_start(sim);
    tale_run(sim, MINUTES(10));
    remove_object(sim_world(sim), API_VPSIENODE, "default", "general-wrong");
    tale_run(sim, MINUTES(60));
    const struct cloud_machine *master = cloud_machine_by_node(sim_world(sim), "master-1");
    tale_assert(sim, master != NULL && !master->leaving);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
    tale_assert(sim, tale_marked(sim) == 0);
    tale_end(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pod_that_only_the_api_server_knows_of_keeps_its_machine),
        cmocka_unit_test(a_pod_that_comes_during_the_drain_is_asked_about_before_it_goes),
        cmocka_unit_test(evictions_stop_when_the_agent_says_otherwise),
        cmocka_unit_test(evictions_stop_when_the_agent_falls_silent),
        cmocka_unit_test(a_drain_goes_on_under_the_next_leader_with_evidence_of_its_own),
        cmocka_unit_test(blocked_and_unknown_give_the_drain_up_at_once_and_busy_after_five_minutes),
        cmocka_unit_test(a_second_budget_during_the_drain_blocks_it_and_is_named),
        cmocka_unit_test(a_machine_waits_for_its_volumes_but_not_for_ever),
        cmocka_unit_test(a_list_that_turns_wrong_between_the_last_look_and_the_call_stops_the_call),
        cmocka_unit_test(a_control_plane_machine_is_left_alone_even_if_vpsie_does_not_call_it_one),
    };
    return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}

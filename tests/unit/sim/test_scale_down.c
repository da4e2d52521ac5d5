// Removing: evidence first, then evictions, then the machine; and every give-up is undone.
#include "tests/unit/sim/tale.h"

#include <stdlib.h>

#include "coordinator/decide/state.h"

#define PODS_OF(sim, node) count_movable_pods(sim_world(sim), node)

static void idle_machines_go_down_to_the_minimum(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(1, 1, 5);
    tale_grow(sim, 4);
    scale_deployment(sim_world(sim), "default", "web", 1);
    tale_until_machines(sim, 1, MINUTES(120));
    tale_until_ready(sim, "web", 1, MINUTES(5));
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 1);
    tale_assert(sim, tale_intentions(sim) == 1);
    tale_assert(sim, count_ready_nodes(sim_world(sim)) == 2); // and pet-1
    tale_assert(sim, tale_marked(sim) == 0);
    tale_end(sim);
}

static void pods_of_a_machine_that_goes_are_moved_and_come_back(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(2, 0, 5);
    tale_grow(sim, 3);
    add_budget(sim_world(sim), "default", "web", "web", -1, 1);
    scale_deployment(sim_world(sim), "default", "web", 3);
    tale_until_machines(sim, 1, MINUTES(120));
    tale_until_ready(sim, "web", 3, MINUTES(5));
    tale_end(sim);
}

static void a_busy_machine_stays(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(3, 0, 5);
    tale_grow(sim, 2);
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, sim_sent(sim, COMMAND_KUBE_CORDON) == 0);
    tale_end(sim);
}

// Two machines with one pod of "app" each: one of them could go.
static struct sim *half_empty(uint64_t seed)
{
    struct sim *sim = tale_begin(seed, 1, 5);
    tale_grow(sim, 2);
    scale_deployment(sim_world(sim), "default", "web", 0);
    tale_run(sim, SECONDS(40));
    tale_deploy(sim, "app", 2);
    tale_until_ready(sim, "app", 2, MINUTES(1));
    for (size_t i = 0; i < 2; i++)
        tale_assert(sim, PODS_OF(sim, tale_machine(sim, i)->node_name) == 1);
    return sim;
}

static void measured_use_keeps_a_machine_whose_requests_are_low(void **state)
{
    (void)state;
    struct sim *sim = half_empty(4);
    change_use(sim_world(sim), "default", "app", 2500, 0, NULL); // asks for 1 core of 4, uses 2.5
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 2);
    change_use(sim_world(sim), "default", "app", 100, 0, NULL);
    tale_until_machines(sim, 1, MINUTES(60));
    tale_end(sim);
}

static void a_machine_that_is_not_needed_goes_and_its_pod_moves(void **state)
{
    (void)state;
    struct sim *sim = half_empty(40);
    tale_until_machines(sim, 1, MINUTES(60));
    tale_until_ready(sim, "app", 2, MINUTES(5));
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 1);
    tale_assert(sim, sim_effects(sim, COMMAND_VPSIE_DELETE_MACHINE) >= 1);
    tale_until_intentions(sim, 1, MINUTES(10));
    tale_assert(sim, count_ready_nodes(sim_world(sim)) == 2); // and pet-1: nobody else deletes the Node
    tale_end(sim);
}

static void local_data_holds_a_machine_until_it_is_empty(void **state)
{
    (void)state;
    struct sim *sim = half_empty(5);
    change_use(sim_world(sim), "default", "app", -1, 0, "spool=222298112");
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 0);
    change_use(sim_world(sim), "default", "app", -1, 0, "spool=0");
    tale_until_machines(sim, 1, MINUTES(60));
    tale_until_ready(sim, "app", 2, MINUTES(5));
    tale_end(sim);
}

// Does `explain node` name these words, in its verdict or one of its rules?
static bool explains(struct sim *sim, const char *node_name, const char *words)
{
    struct arena *arena = arena_create(4096);
    struct explanation explanation;
    bool found = false;
    if (sim_core(sim) != NULL && explain_node(sim_core(sim), arena, node_name, &explanation)) {
        found = text_contains_fold(explanation.verdict, words);
        for (uint32_t i = 0; i < explanation.rule_count; i++) {
            found = found || text_contains_fold(explanation.rules[i].saw, words) ||
                    text_contains_fold(explanation.rules[i].name, words);
        }
    }
    arena_destroy(arena);
    return found;
}

static void an_inhibitor_holds_every_drain_and_is_said(void **state)
{
    (void)state;
    struct sim *sim = half_empty(6);
    for (size_t i = 0; i < 2; i++)
        agent_of(sim_world(sim), tale_machine(sim, i)->node_name)->inhibitors = 1;
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 0);
    tale_assert(sim, explains(sim, tale_machine(sim, 0)->node_name, "inhibitor"));
    for (size_t i = 0; i < 2; i++)
        agent_of(sim_world(sim), tale_machine(sim, i)->node_name)->inhibitors = 0;
    tale_until_machines(sim, 1, MINUTES(120));
    tale_end(sim);
}

static void a_verdict_other_than_ready_gives_the_drain_up_and_undoes_the_cordon(void **state)
{
    (void)state;
    static const enum evidence_state states[] = {EVIDENCE_BLOCKED, EVIDENCE_UNKNOWN, EVIDENCE_BUSY};
    for (size_t s = 0; s < 3; s++) {
        struct sim *sim = half_empty(7 + s);
        for (size_t i = 0; i < 2; i++) {
            struct agent_model *agent = agent_of(sim_world(sim), tale_machine(sim, i)->node_name);
            agent->forced = true;
            agent->state = states[s];
        }
        tale_run(sim, MINUTES(60));
        tale_assert(sim, tale_machines(sim) == 2);
        tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 0);
        tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
        tale_end(sim);
    }
}

static void an_old_answer_proves_nothing(void **state)
{
    (void)state;
    struct sim *sim = half_empty(10);
    // The agents keep the first directive they get and answer READY to it for ever.
    for (size_t i = 0; i < 2; i++) {
        const char *node_name = tale_machine(sim, i)->node_name;
        agent_prepare_drain(sim_world(sim), node_name,
                            &(struct agent_orders){.id = "old-1", .deadline_ms = INT64_MAX});
        agent_of(sim_world(sim), node_name)->deaf = true;
    }
    tale_run(sim, MINUTES(60));
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 0);
    tale_assert(sim, tale_machines(sim) == 2);
    tale_end(sim);
}

static void a_silent_agent_forbids_removal_and_makes_nothing_broken(void **state)
{
    (void)state;
    struct sim *sim = half_empty(11);
    agent_of(sim_world(sim), tale_machine(sim, 0)->node_name)->silent = true;
    agent_of(sim_world(sim), tale_machine(sim, 1)->node_name)->silent = true;
    tale_run(sim, MINUTES(120));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
    tale_end(sim);
}

static void a_budget_without_a_disruption_left_keeps_the_pod_where_it_is(void **state)
{
    (void)state;
    struct sim *sim = half_empty(12);
    add_budget(sim_world(sim), "default", "app", "app", 2, -1);
    tale_run(sim, MINUTES(90));
    tale_assert(sim, count_pods(sim_world(sim), "default", "app", PODS_READY) == 2);
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 0);
    tale_end(sim);
}

static void a_budget_that_closes_during_the_drain_gives_it_up_after_a_time(void **state)
{
    (void)state;
    struct sim *sim = half_empty(13);
    add_budget(sim_world(sim), "default", "app", "app", 1, -1);
    tale_until_effect(sim, COMMAND_KUBE_CORDON, 1, MINUTES(60));
    remove_object(sim_world(sim), API_BUDGET, "default", "app");
    add_budget(sim_world(sim), "default", "strict", "app", 2, -1);
    tale_run(sim, MINUTES(40));
    tale_assert(sim, count_pods(sim_world(sim), "default", "app", PODS_READY) == 2);
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, tale_marked(sim) == 0);
    tale_end(sim);
}

static void two_budgets_on_one_pod_block_it(void **state)
{
    (void)state;
    struct sim *sim = half_empty(14);
    add_budget(sim_world(sim), "default", "one", "app", 0, -1);
    add_budget(sim_world(sim), "default", "two", "app", 0, -1);
    tale_run(sim, MINUTES(60));
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_EVICT) == 0);
    tale_assert(sim, tale_marked(sim) == 0);
    tale_end(sim);
}

static void a_pod_without_a_controller_stays_where_it_is(void **state)
{
    (void)state;
    struct sim *sim = half_empty(15);
    for (size_t i = 0; i < 2; i++) {
        char name[] = "bare-0";
        name[5] = (char)('0' + (int)i);
        add_bare_pod(sim_world(sim), &(struct workload){.name = name,
                                                        .cpu_millis = 100,
                                                        .memory_mb = 64,
                                                        .affinity_key = "kubernetes.io/hostname",
                                                        .affinity_value = tale_machine(sim, i)->node_name});
    }
    scale_deployment(sim_world(sim), "default", "app", 0);
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, sim_sent(sim, COMMAND_KUBE_CORDON) == 0);
    tale_end(sim);
}

static void a_protected_node_is_never_touched(void **state)
{
    (void)state;
    struct sim *sim = half_empty(16);
    annotate(sim_world(sim), API_NODE, "", tale_machine(sim, 0)->node_name, KEY_PROTECTED, "true");
    annotate(sim_world(sim), API_NODE, "", tale_machine(sim, 1)->node_name, KEY_CA_SCALE_DOWN_DISABLED,
             "true");
    scale_deployment(sim_world(sim), "default", "app", 0);
    tale_run(sim, MINUTES(60));
    tale_assert(sim, tale_machines(sim) == 2);
    tale_assert(sim, sim_sent(sim, COMMAND_KUBE_CORDON) == 0);
    tale_end(sim);
}

static void a_person_s_cordon_is_never_lifted(void **state)
{
    (void)state;
    struct sim *sim = half_empty(17);
    char node_name[100], name[300];
    const struct api_object *intention = api_at(sim_world(sim)->api, API_VPSIENODE, 0);
    strcpy(name, intention->name);
    strcpy(node_name, json_text(intention->document->json, "status.nodeName"));
    sim_person_cordons(sim, node_name, true);
    struct agent_model *agent = agent_of(sim_world(sim), node_name);
    agent->forced = agent->only_directives = true;
    agent->state = EVIDENCE_BLOCKED;
    remove_object(sim_world(sim), API_VPSIENODE, "default",
                  name);        // somebody wants it gone; its agent does not
    tale_run(sim, MINUTES(60)); // marked, given up, undone, again and again: the person's cordon stands
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_CORDON) >= 1);
    tale_assert(sim, sim_effects(sim, COMMAND_KUBE_UNCORDON) >= 1);
    const struct api_object *node = api_find(sim_world(sim)->api, API_NODE, "", node_name);
    tale_assert(sim, json_true(node->document->json, "spec.unschedulable"));
    tale_end(sim);
}

static size_t leaving(struct sim *sim)
{
    size_t count = 0;
    for (size_t i = 0; i < sim_world(sim)->cloud->machine_count; i++)
        count += sim_world(sim)->cloud->machines[i]->leaving;
    return count;
}

static bool one_leaves(struct sim *sim, void *context)
{
    (void)context;
    return leaving(sim) >= 1;
}

static void the_load_balancers_get_their_time(void **state)
{
    (void)state;
    struct sim *sim = half_empty(19);
    scale_deployment(sim_world(sim), "default", "app", 0);
    tale_until_effect(sim, COMMAND_KUBE_CORDON, 1, MINUTES(60));
    int64_t cordoned_ms = sim_world(sim)->now_ms;
    tale_until(sim, one_leaves, NULL, MINUTES(20), "a machine leaves");
    tale_assert(sim, sim_world(sim)->now_ms - cordoned_ms >= SECONDS(30));
    tale_end(sim);
}

static void a_pod_that_needs_the_room_again_stops_the_removal(void **state)
{
    (void)state;
    struct sim *sim = half_empty(20);
    tale_until_effect(sim, COMMAND_KUBE_CORDON, 1, MINUTES(60));
    scale_deployment(sim_world(sim), "default", "app", 6);
    tale_until_ready(sim, "app", 6, MINUTES(40));
    tale_assert(sim, tale_machines(sim) == 2 || tale_machines(sim) == 3);
    tale_end(sim);
}

static void a_broken_node_is_replaced_even_at_the_minimum(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(21, 2, 5);
    tale_grow(sim, 2);
    char identifier[40];
    strcpy(identifier, tale_machine(sim, 0)->identifier);
    fate_stops_machine(sim_world(sim), identifier);
    tale_run(sim, MINUTES(9));
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0); // ten minutes first
    tale_until_ready(sim, "web", 6, MINUTES(40));
    tale_run(sim, MINUTES(20));
    tale_assert(sim, cloud_machine_find(sim_world(sim), identifier)->gone);
    tale_assert(sim, tale_machines(sim) == 2);
    tale_end(sim);
}

static void a_node_that_comes_back_in_time_is_kept(void **state)
{
    (void)state;
    struct sim *sim = tale_begin(22, 2, 5);
    tale_grow(sim, 2);
    char identifier[40];
    strcpy(identifier, tale_machine(sim, 0)->identifier);
    fate_stops_machine(sim_world(sim), identifier);
    tale_run(sim, MINUTES(4));
    fate_starts_machine(sim_world(sim), identifier);
    tale_run(sim, MINUTES(40));
    tale_assert(sim, !cloud_machine_find(sim_world(sim), identifier)->gone);
    tale_assert(sim, sim_sent(sim, COMMAND_VPSIE_DELETE_MACHINE) == 0);
    tale_end(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_machines_go_down_to_the_minimum),
        cmocka_unit_test(pods_of_a_machine_that_goes_are_moved_and_come_back),
        cmocka_unit_test(a_busy_machine_stays),
        cmocka_unit_test(a_machine_that_is_not_needed_goes_and_its_pod_moves),
        cmocka_unit_test(measured_use_keeps_a_machine_whose_requests_are_low),
        cmocka_unit_test(local_data_holds_a_machine_until_it_is_empty),
        cmocka_unit_test(an_inhibitor_holds_every_drain_and_is_said),
        cmocka_unit_test(a_verdict_other_than_ready_gives_the_drain_up_and_undoes_the_cordon),
        cmocka_unit_test(an_old_answer_proves_nothing),
        cmocka_unit_test(a_silent_agent_forbids_removal_and_makes_nothing_broken),
        cmocka_unit_test(a_budget_without_a_disruption_left_keeps_the_pod_where_it_is),
        cmocka_unit_test(a_budget_that_closes_during_the_drain_gives_it_up_after_a_time),
        cmocka_unit_test(two_budgets_on_one_pod_block_it),
        cmocka_unit_test(a_pod_without_a_controller_stays_where_it_is),
        cmocka_unit_test(a_protected_node_is_never_touched),
        cmocka_unit_test(a_person_s_cordon_is_never_lifted),
        cmocka_unit_test(the_load_balancers_get_their_time),
        cmocka_unit_test(a_pod_that_needs_the_room_again_stops_the_removal),
        cmocka_unit_test(a_broken_node_is_replaced_even_at_the_minimum),
        cmocka_unit_test(a_node_that_comes_back_in_time_is_kept),
    };
    return cmocka_run_group_tests_name("removing", tests, NULL, NULL);
}

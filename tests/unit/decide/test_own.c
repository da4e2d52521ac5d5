// The node that this coordinator runs on itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/decide/policy.h"
#include "tests/unit/decide/removing.h"

#define OWN     "vpsie-coordinator-a"
#define STANDBY "vpsie-coordinator-b"

static void replica(const char *name, const char *node, bool ready)
{
    struct event *event = puppet_pod_event(puppet, name, node, "vpsie-coordinator");
    event->object.pod->controller_uid = "replicaset-1";
    event->object.pod->ready = ready;
    puppet_step(puppet, event);
}

// It runs on w1, among pods of others.
static int begin(void **state)
{
    (void)state;
    struct core_config config = puppet_config();
    config.own_space = "shop";
    config.own_pod = OWN;
    puppet = puppet_create(&config);
    puppet_cloud_group(puppet, "general", 12, PUPPET_SIZE, 0);
    puppet_group(puppet, "general", PUPPET_SIZE, 0, 10);
    puppet_in_service(puppet, "w1", "general");
    puppet_in_service(puppet, "w2", "general");
    puppet_in_service(puppet, "w3", "general");
    replica(OWN, NODE, true);
    puppet_start(puppet);
    puppet_run(puppet, 5 * SECOND);
    puppet_report(puppet, NODE, "", EVIDENCE_READY, 0);
    return 0;
}

static const struct rule *rule(struct arena *arena, const char *node)
{
    static struct explanation found;
    assert_true(explain_node(puppet->core, arena, node, &found));
    for (uint32_t i = 0; i < found.rule_count; i++)
        if (strcmp(found.rules[i].name, "this coordinator") == 0)
            return &found.rules[i];
    fail_msg("%s", "the rule is not shown");
    return NULL;
}

static void its_node_is_not_drained_without_a_standby(void **state)
{
    (void)state;
    (void)puppet_remove(puppet, NODE, REMOVAL_VOLUNTARY);
    kept("no standby is ready elsewhere");
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
    assert_true(puppet_remove(puppet, "host-w2", REMOVAL_VOLUNTARY)); // any other may go
    puppet_run(puppet, SECOND);
    assert_int_equal(puppet_life(puppet, "w2")->step, LIFE_PREPARE);
}

static void a_standby_counts_only_when_it_is_ready_and_elsewhere(void **state)
{
    (void)state;
    static const struct {
        const char *node;
        bool ready, node_ready, cordoned, ending, passes;
    } cases[] = {
        {"host-w2", true, true, false, false, true},   {"host-w2", false, true, false, false, false},
        {"host-w2", true, false, false, false, false}, {"host-w2", true, true, true, false, false},
        {"host-w2", true, true, false, true, false},   {NODE, true, true, false, false, false},
    };
    struct arena *arena = arena_create(16384);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event *event = puppet_pod_event(puppet, STANDBY, cases[i].node, "vpsie-coordinator");
        event->object.pod->controller_uid = "replicaset-1";
        event->object.pod->ready = cases[i].ready;
        event->object.pod->deletion_ms = cases[i].ending ? puppet->now_ms + MINUTE : 0;
        puppet_step(puppet, event);
        puppet->kube_nodes[1].unschedulable = cases[i].cordoned;
        puppet->kube_nodes[1].ready = cases[i].node_ready;
        puppet_show_kube_node(puppet, &puppet->kube_nodes[1]);
        const struct rule *said = rule(arena, NODE);
        assert_int_equal(said->verdict, cases[i].passes ? RULE_PASS : RULE_WAITS);
        assert_string_equal(said->saw, cases[i].passes ? "standby " STANDBY : "runs here, no standby");
        assert_int_equal(rule(arena, "host-w3")->verdict, RULE_PASS);
        removing_end(NULL);
        begin(NULL);
    }
    arena_destroy(arena);
}

static void pods_of_something_else_are_no_standby(void **state)
{
    (void)state;
    struct arena *arena = arena_create(16384);
    puppet_pod(puppet, "web-1", "host-w2", "web");
    assert_int_equal(rule(arena, NODE)->verdict, RULE_WAITS);
    arena_destroy(arena);
}

static void a_person_who_deletes_its_machine_has_to_wait_for_a_standby(void **state)
{
    (void)state;
    puppet->nodes[0].deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, &puppet->nodes[0]);
    puppet_run(puppet, 10 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
    assert_non_null(strstr(w1()->waits_for, "standby"));
    replica(STANDBY, "host-w2", true);
    puppet_run(puppet, MINUTE);
    assert_int_equal(w1()->step, LIFE_PREPARE);
}

static void its_own_pod_goes_last_and_only_to_a_standby(void **state)
{
    (void)state;
    replica(STANDBY, "host-w2", true);
    puppet_pod(puppet, "web-1", NODE, "web");
    puppet_pod(puppet, "zoo-1", NODE, "zoo");
    assert_true(puppet_remove(puppet, NODE, REMOVAL_VOLUNTARY));
    answer(EVIDENCE_READY);
    assert_int_equal(evictions(), 2);
    for (uint32_t i = 0; i < 2; i++)
        assert_string_not_equal(puppet_nth(puppet, COMMAND_KUBE_EVICT, i)->pod.name, OWN);
    puppet_pod_gone(puppet, "web-1");
    replica(STANDBY, "host-w2", false);
    puppet_pod_gone(puppet, "zoo-1");
    puppet_run(puppet, 30 * SECOND);
    assert_int_equal(evictions(), 2);
    assert_non_null(strstr(w1()->waits_for, "standby"));
    replica(STANDBY, "host-w2", true);
    answer(EVIDENCE_READY);
    puppet_run(puppet, 11 * SECOND);
    assert_int_equal(evictions(), 3);
    assert_string_equal(puppet_last(puppet, COMMAND_KUBE_EVICT)->pod.name, OWN);
}

static void a_broken_node_is_replaced_whatever_runs_on_it(void **state)
{
    (void)state;
    puppet_kube_node(puppet, NODE, false);
    assert_true(puppet_remove(puppet, NODE, REMOVAL_BROKEN));
    puppet_run(puppet, MINUTE);
    assert_int_equal(deletes(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, removing_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_node_is_not_drained_without_a_standby),
        TEST(a_standby_counts_only_when_it_is_ready_and_elsewhere),
        TEST(pods_of_something_else_are_no_standby),
        TEST(a_person_who_deletes_its_machine_has_to_wait_for_a_standby),
        TEST(its_own_pod_goes_last_and_only_to_a_standby),
        TEST(a_broken_node_is_replaced_whatever_runs_on_it),
    };
    return cmocka_run_group_tests_name("where it runs itself", tests, NULL, NULL);
}

// Plans that hold and plans that do not, played again by the world's scheduler.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/model/resources.h"
#include "tests/replay/replay.h"
#include "tests/support/make_facts.h"

static struct cluster *cluster;
static const struct labels no_labels;
static const struct taints no_taints;

static int setup(void **state)
{
    (void)state;
    cluster = cluster_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cluster_destroy(cluster);
    return 0;
}

static const struct pod *put(struct pod_facts facts)
{
    return cluster_put_pod(cluster, &facts);
}

static struct node *put_node(const char *name, struct labels labels)
{
    struct node_facts facts = make_node(name);
    facts.labels = labels;
    return cluster_put_node(cluster, &facts);
}

static const struct resources four_cores = {.cpu_millis = 4000, .memory_bytes = 8 * GIB, .pods = 110};

static struct place template_of(const struct labels *labels)
{
    return (struct place){
        .name = "", .labels = labels, .taints = &no_taints, .allocatable = &four_cores, .ready = true};
}

static uint32_t run(const struct place *const *machines, uint32_t machine_count,
                    const struct replay_promise *promises, uint32_t promise_count, const char *words)
{
    struct replay_plan plan = {.cluster = cluster,
                               .machines = machines,
                               .machine_count = machine_count,
                               .promises = promises,
                               .promise_count = promise_count};
    AUTOTEXT struct text told = {0};
    uint32_t left = replay_run(&plan, &told);
    if (words[0] == '\0')
        assert_string_equal(text_get(&told), "");
    else if (strstr(text_get(&told), words) == NULL)
        fail_msg("%s", text_get(&told));
    return left;
}

#define ANYWHERE(which)                                                                                      \
    {                                                                                                        \
        .pod = (which), .machine = REPLAY_ANYWHERE                                                           \
    }

static void pods_find_their_place_on_planned_machines(void **state)
{
    (void)state;
    struct place place = template_of(&no_labels);
    const struct place *machines[] = {&place};
    struct replay_promise promises[] = {
        {.pod = put(make_pod("a", "", 2000, GIB))},
        {.pod = put(make_pod("b", "", 2000, GIB))},
    };
    assert_int_equal(run(machines, 1, promises, 2, ""), 0);
    struct replay_promise more[] = {promises[0], promises[1], ANYWHERE(put(make_pod("c", "", 1, 1)))};
    assert_int_equal(run(machines, 1, more, 3,
                         "default/c was promised a place: 0/1 nodes are available: 1 Insufficient cpu."),
                     1);
}

static void what_stands_there_already_counts(void **state)
{
    (void)state;
    put_node("n1", no_labels); // 3,900 m of cpu
    put(make_pod("old", "n1", 3000, GIB));
    struct replay_promise promises[] = {ANYWHERE(put(make_pod("a", "", 900, GIB)))};
    assert_int_equal(run(NULL, 0, promises, 1, ""), 0);
    promises[0].pod = put(make_pod("b", "", 901, GIB));
    assert_int_equal(run(NULL, 0, promises, 1, "Insufficient cpu"), 1);
    promises[0].node = cluster_node(cluster, "n1");
    assert_int_equal(run(NULL, 0, promises, 1, "default/b was promised n1: "), 1);
}

static void pods_of_nodes_that_leave_go_with_them(void **state)
{
    (void)state;
    const struct node *leaving[] = {put_node("n1", no_labels)};
    put_node("n2", no_labels);
    const struct pod *mover = put(make_pod("mover", "n1", 2000, GIB));
    put(make_pod("stays", "n2", 2000, GIB));
    struct replay_promise promises[] = {ANYWHERE(mover)};
    struct replay_plan plan = {
        .cluster = cluster, .leaving = leaving, .leaving_count = 1, .promises = promises, .promise_count = 1};
    assert_int_equal(replay_run(&plan, NULL), 1);
    cluster_remove_pod(cluster, "default", "stays", "");
    assert_int_equal(replay_run(&plan, NULL), 0);
}

static void residents_and_what_else_is_used_are_there_first(void **state)
{
    (void)state;
    struct daemonset_facts log = make_daemonset("log", 500, GIB);
    log.shape.host_ports = &(struct host_port){.ip = "0.0.0.0", .port = 9100, .protocol = PORT_TCP};
    log.shape.host_port_count = 1;
    const struct pod_shape *residents[] = {cluster_put_daemonset(cluster, &log)->shape};
    struct place place = template_of(&no_labels);
    place.used = (struct resources){.cpu_millis = 700, .memory_bytes = GIB, .pods = 2};
    place.residents = residents;
    place.resident_count = 1;
    const struct place *machines[] = {&place};
    struct replay_promise promises[] = {{.pod = put(make_pod("a", "", 3300, GIB))}};
    assert_int_equal(run(machines, 1, promises, 1, ""), 0);
    promises[0].pod = put(make_pod("b", "", 3301, GIB));
    assert_int_equal(run(machines, 1, promises, 1, "default/b was promised planned-00000: "), 1);
    struct pod_facts facts = make_pod("c", "", 100, GIB);
    facts.shape.host_ports = log.shape.host_ports;
    facts.shape.host_port_count = 1;
    promises[0].pod = put(facts);
    assert_int_equal(run(machines, 1, promises, 1, "free ports"), 1);
}

static struct pod_facts lonely(const char *name, struct pod_term *term, struct requirement *requirement)
{
    static const char *const spaces[] = {"default"};
    static const char *const values[] = {"web"};
    *requirement =
        (struct requirement){.key = "app", .operator= SELECTOR_IN, .values = values, .value_count = 1};
    *term = (struct pod_term){.topology_key = "kubernetes.io/hostname",
                              .selector = {.requirements = requirement, .requirement_count = 1},
                              .spaces = spaces,
                              .space_count = 1,
                              .space_selector = {.nothing = true}};
    struct pod_facts facts = make_pod(name, "", 100, GIB);
    facts.shape.labels = LABELS({"app", "web"});
    facts.shape.pod_anti_affinity = term;
    facts.shape.pod_anti_affinity_count = 1;
    return facts;
}

static void a_plan_that_puts_enemies_together_does_not_hold(void **state)
{
    (void)state;
    struct pod_term term;
    struct requirement requirement;
    struct place place = template_of(&no_labels);
    const struct place *machines[] = {&place, &place}; // each gets a host name of its own
    struct label label = {"app", "web"};
    struct pod_facts a = lonely("a", &term, &requirement), b = a;
    a.shape.labels = b.shape.labels = (struct labels){&label, 1};
    b.name = b.uid = "b";
    struct replay_promise promises[] = {{.pod = put(a), .machine = 0}, {.pod = put(b), .machine = 0}};
    assert_int_equal(run(machines, 2, promises, 2, "default/b was promised planned-00000: "), 1);
    promises[1].machine = 1;
    assert_int_equal(run(machines, 2, promises, 2, ""), 0);
    promises[0].machine = promises[1].machine = REPLAY_ANYWHERE;
    assert_int_equal(run(machines, 2, promises, 2, ""), 0);
}

static void a_pod_that_needs_another_first_is_tried_again(void **state)
{
    (void)state;
    struct pod_term term;
    struct requirement requirement;
    struct pod_facts follower = lonely("a", &term, &requirement);
    struct label tier = {"app", "web"};
    follower.shape.pod_affinity = follower.shape.pod_anti_affinity;
    follower.shape.pod_affinity_count = 1;
    follower.shape.pod_anti_affinity_count = 0;
    follower.shape.labels = no_labels;
    struct pod_facts leader = make_pod("b", "", 100, GIB);
    leader.shape.labels = (struct labels){&tier, 1};
    struct place place = template_of(&no_labels);
    const struct place *machines[] = {&place};
    struct replay_promise promises[] = {{.pod = put(follower)}, {.pod = put(leader)}};
    assert_int_equal(run(machines, 1, promises, 2, ""), 0);
    assert_int_equal(run(machines, 1, promises, 1, "didn't match pod affinity rules"), 1);
}

static void volumes_and_namespaces_are_part_of_the_picture(void **state)
{
    (void)state;
    static const char *const claims[] = {"data"};
    struct requirement zone = {.key = "zone", .operator= SELECTOR_IN, VALUES("b")};
    struct node_term term = {.expressions = &zone, .expression_count = 1};
    struct volume_facts volume = {.name = "pv-1",
                                  .uid = "u",
                                  .driver = "d",
                                  .handle = "h",
                                  .has_affinity = true,
                                  .affinity_terms = &term,
                                  .affinity_term_count = 1};
    cluster_put_volume(cluster, &volume);
    struct claim_facts claim = {.space = "default",
                                .name = "data",
                                .uid = "u",
                                .volume_name = "pv-1",
                                .class_name = "fast",
                                .bound = true,
                                .selected_node = ""};
    cluster_put_claim(cluster, &claim);
    struct label a = {"zone", "a"}, b = {"zone", "b"};
    struct labels in_a = {&a, 1}, in_b = {&b, 1};
    struct place there = template_of(&in_b), elsewhere = template_of(&in_a);
    const struct place *machines[] = {&elsewhere, &there};
    struct pod_facts facts = make_pod("a", "", 100, GIB);
    facts.claims = claims;
    facts.claim_count = 1;
    struct replay_promise promises[] = {{.pod = put(facts), .machine = 1}};
    assert_int_equal(run(machines, 2, promises, 1, ""), 0);
    promises[0].machine = 0;
    assert_int_equal(run(machines, 2, promises, 1, "volume node affinity conflict"), 1);
}

static void a_node_that_is_not_ready_or_cordoned_takes_nothing(void **state)
{
    (void)state;
    struct node_facts facts = make_node("n1");
    facts.ready = NODE_READY_UNKNOWN;
    cluster_put_node(cluster, &facts);
    struct replay_promise promises[] = {ANYWHERE(put(make_pod("a", "", 100, GIB)))};
    assert_int_equal(run(NULL, 0, promises, 1, "untolerated taint"), 1);
    facts.ready = NODE_READY_TRUE;
    facts.unschedulable = true;
    cluster_put_node(cluster, &facts);
    assert_int_equal(run(NULL, 0, promises, 1, "unschedulable"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pods_find_their_place_on_planned_machines),
        TEST(what_stands_there_already_counts),
        TEST(pods_of_nodes_that_leave_go_with_them),
        TEST(residents_and_what_else_is_used_are_there_first),
        TEST(a_plan_that_puts_enemies_together_does_not_hold),
        TEST(a_pod_that_needs_another_first_is_tried_again),
        TEST(volumes_and_namespaces_are_part_of_the_picture),
        TEST(a_node_that_is_not_ready_or_cordoned_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

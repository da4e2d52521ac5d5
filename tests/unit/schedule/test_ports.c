// Host ports, as the NodePorts filter has them: a port is taken when a pod of the node has the same number
// and protocol, and the same address or either is any.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/schedule/scene.h"

static void a_port_is_taken_by_number_protocol_and_address(void **state)
{
    (void)state;
    static const struct {
        const char *says;
        struct host_port there, wanted;
        const char *fits;
    } rows[] = {
        {"the same port", {"0.0.0.0", 443, PORT_TCP}, {"0.0.0.0", 443, PORT_TCP}, "a2 b1 bare"},
        {"another port", {"0.0.0.0", 443, PORT_TCP}, {"0.0.0.0", 444, PORT_TCP}, "a1 a2 b1 bare"},
        {"another protocol", {"0.0.0.0", 443, PORT_TCP}, {"0.0.0.0", 443, PORT_UDP}, "a1 a2 b1 bare"},
        {"SCTP is a protocol of its own",
         {"0.0.0.0", 9, PORT_UDP},
         {"0.0.0.0", 9, PORT_SCTP},
         "a1 a2 b1 bare"},
        {"another address", {"10.0.0.1", 443, PORT_TCP}, {"10.0.0.2", 443, PORT_TCP}, "a1 a2 b1 bare"},
        {"the same address", {"10.0.0.1", 443, PORT_TCP}, {"10.0.0.1", 443, PORT_TCP}, "a2 b1 bare"},
        {"any address is there", {"0.0.0.0", 443, PORT_TCP}, {"10.0.0.1", 443, PORT_TCP}, "a2 b1 bare"},
        {"any address is wanted", {"10.0.0.1", 443, PORT_TCP}, {"0.0.0.0", 443, PORT_TCP}, "a2 b1 bare"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene;
        scene_begin_zones(&scene);
        struct pod_facts there = scene_pod("there", "a1", NULL);
        there.shape.host_ports = &rows[i].there;
        there.shape.host_port_count = 1;
        scene_put(&scene, &there);
        struct pod_facts pod = scene_pod("pod", "", NULL);
        pod.shape.host_ports = &rows[i].wanted;
        pod.shape.host_port_count = 1;
        const char *fits = scene_fits(&scene, scene_put(&scene, &pod));
        if (strcmp(fits, rows[i].fits) != 0)
            fail_msg("%s: fits on \"%s\"", rows[i].says, fits);
        scene_end(&scene);
    }
}

static void the_port_and_who_has_it_are_said(void **state)
{
    (void)state;
    static const struct host_port port = {"0.0.0.0", 443, PORT_TCP};
    struct scene scene;
    scene_begin_zones(&scene);
    struct pod_facts facts = scene_pod("proxy", "a1", NULL);
    facts.shape.host_ports = &port;
    facts.shape.host_port_count = 1;
    scene_put(&scene, &facts);
    facts.name = facts.uid = "pod";
    facts.node_name = "";
    const struct pod *pod = scene_put(&scene, &facts);
    assert_int_equal(scene_why(&scene, pod, "a1").verdict, PLACEMENT_HOST_PORT);
    assert_string_equal(scene_words(&scene, pod, "a1"), "host port 443/TCP is taken by default/proxy");
    scene_end(&scene);
}

static void pods_with_the_same_port_go_to_different_places(void **state)
{
    (void)state;
    static const struct host_port ports[] = {{"0.0.0.0", 80, PORT_TCP}, {"0.0.0.0", 443, PORT_TCP}};
    struct scene scene;
    scene_begin_zones(&scene);
    struct packing *packing = scene_packing(&scene);
    struct pod_facts facts = scene_pod("p", "", NULL);
    facts.shape.host_ports = ports;
    facts.shape.host_port_count = 2;
    const struct pod *pods[5];
    for (uint32_t i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof(name), "p%u", i);
        facts.name = facts.uid = name;
        pods[i] = scene_put(&scene, &facts);
    }
    struct packing_mark mark = packing_mark(packing);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(packing_put(packing, pods[i], NULL), i);
    struct placement why;
    assert_int_equal(packing_put(packing, pods[4], &why), UINT32_MAX);
    assert_int_equal(why.verdict, PLACEMENT_HOST_PORT);
    packing_take(packing, 2, pods[2]);
    assert_int_equal(packing_put(packing, pods[4], NULL), 2);
    packing_rollback(packing, mark);
    assert_int_equal(packing_put(packing, pods[4], NULL), 0);
    scene_end(&scene);
}

static void a_pod_that_has_ended_holds_no_port(void **state)
{
    (void)state;
    static const struct host_port port = {"0.0.0.0", 443, PORT_TCP};
    struct scene scene;
    scene_begin_zones(&scene);
    struct pod_facts facts = scene_pod("there", "a1", NULL);
    facts.shape.host_ports = &port;
    facts.shape.host_port_count = 1;
    facts.terminal = true;
    scene_put(&scene, &facts);
    facts = scene_pod("pod", "", NULL);
    facts.shape.host_ports = &port;
    facts.shape.host_port_count = 1;
    assert_string_equal(scene_fits(&scene, scene_put(&scene, &facts)), "a1 a2 b1 bare");
    scene_end(&scene);
}

static void a_daemonset_takes_its_port_on_a_new_machine(void **state)
{
    (void)state;
    static const struct host_port port = {"0.0.0.0", 9100, PORT_TCP};
    static const struct labels labels;
    static const struct taints taints;
    static const struct resources allocatable = {.cpu_millis = 1000, .memory_bytes = GIB, .pods = 10};
    struct scene scene;
    scene_begin(&scene);
    struct daemonset_facts daemon = make_daemonset("exporter", 10, MIB);
    daemon.shape.host_ports = &port;
    daemon.shape.host_port_count = 1;
    const struct daemonset *daemonset = cluster_put_daemonset(scene.cluster, &daemon);
    const struct pod_shape *residents[] = {daemonset->shape};
    struct place place = {.name = "",
                          .labels = &labels,
                          .taints = &taints,
                          .allocatable = &allocatable,
                          .ready = true,
                          .residents = residents,
                          .resident_count = 1};
    struct pod_facts facts = scene_pod("pod", "", NULL);
    facts.shape.host_ports = &port;
    facts.shape.host_port_count = 1;
    const struct pod *pod = scene_put(&scene, &facts);
    struct placement placement = packing_check_new(scene_packing(&scene), &place, pod);
    assert_int_equal(placement.verdict, PLACEMENT_HOST_PORT);
    char words[100];
    placement_describe(&placement, words, sizeof(words));
    assert_string_equal(words, "host port 9100/TCP is taken");
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_is_taken_by_number_protocol_and_address),
        cmocka_unit_test(the_port_and_who_has_it_are_said),
        cmocka_unit_test(pods_with_the_same_port_go_to_different_places),
        cmocka_unit_test(a_pod_that_has_ended_holds_no_port),
        cmocka_unit_test(a_daemonset_takes_its_port_on_a_new_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

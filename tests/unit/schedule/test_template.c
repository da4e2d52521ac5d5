#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/schedule/template.h"
#include "tests/support/make_facts.h"

static struct cluster *cluster;
static struct arena *arena;
static struct group *group;

static int setup(void **state)
{
    (void)state;
    cluster = cluster_create();
    arena = arena_create(4096);
    struct labels labels = LABELS({"team", "a"});
    struct taints taints = TAINTS({"dedicated", "a", TAINT_NO_SCHEDULE});
    struct nodegroup_facts facts = make_group("general");
    facts.node_labels = labels;
    facts.node_taints = taints;
    group = cluster_put_group(cluster, &facts);
    struct offer_facts offers[] = {
        {.id = 42, .name = "medium", .cpu = 4, .memory_mb = 8192, .disk_gb = 80, .price_hour = 0.06},
        {.id = 43, .name = "large", .cpu = 8, .memory_mb = 16384, .disk_gb = 160, .price_month = 73},
        {.id = 44, .name = "odd", .cpu = 0, .memory_mb = 16384},
    };
    cluster_put_offers(cluster, "dc-1", 1, offers, 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(arena);
    cluster_destroy(cluster);
    return 0;
}

static struct node_facts group_node(const char *name, struct label *labels)
{
    labels[0] = (struct label){KEY_MANAGED, "true"};
    labels[1] = (struct label){KEY_NODEGROUP, "general"};
    labels[2] = (struct label){"kubernetes.io/arch", "arm64"};
    labels[3] = (struct label){"kubernetes.io/hostname", name};
    labels[4] = (struct label){"node.kubernetes.io/instance-type", "medium"};
    labels[5] = (struct label){"rack", "17"};
    labels[6] = (struct label){"topology.kubernetes.io/zone", "z1"};
    struct node_facts facts = make_node(name);
    facts.labels = (struct labels){.items = labels, .count = 7};
    facts.capacity.memory_bytes = 8 * GIB - 200 * MIB;
    return facts;
}

static const char *label(const struct template_node *template, const char *key)
{
    return labels_get(template->place.labels, key);
}

static void before_the_first_node_a_careful_default_is_reserved(void **state)
{
    (void)state;
    struct template_node template = template_create(arena, cluster, group, 42);
    const struct resources *allocatable = template.place.allocatable;
    assert_int_equal(allocatable->cpu_millis, 4000 - 60 - 60 - 10 - 10);
    assert_true(allocatable->memory_bytes < 8 * GIB - GIB - 819 * MIB - 100 * MIB);
    assert_true(allocatable->memory_bytes > 6 * GIB - 100 * MIB);
    assert_int_equal(allocatable->ephemeral_bytes, INT64_C(68000000000));
    assert_int_equal(allocatable->pods, 110);
    assert_string_equal(template.learned_from, "");
    assert_string_equal(template.unknown, "");
    assert_string_equal(template.size_name, "medium");
    assert_int_equal(template.size_id, 42);
    assert_true(template.price_hour == 0.06);
    assert_true(template.place.ready);
    assert_null(template.place.node);
    assert_string_equal(template.place.name, "");
}

static void a_price_a_month_is_a_price_an_hour(void **state)
{
    (void)state;
    struct template_node template = template_create(arena, cluster, group, 43);
    assert_true(template.price_hour > 0.0999 && template.price_hour < 0.1001);
}

static void labels_and_taints_are_what_the_node_will_have(void **state)
{
    (void)state;
    struct template_node template = template_create(arena, cluster, group, 42);
    assert_string_equal(label(&template, "kubernetes.io/os"), "linux");
    assert_string_equal(label(&template, "kubernetes.io/arch"), "amd64");
    assert_string_equal(label(&template, "team"), "a");
    assert_string_equal(label(&template, KEY_MANAGED), "true");
    assert_string_equal(label(&template, KEY_NODEGROUP), "general");
    assert_non_null(label(&template, "kubernetes.io/hostname"));
    assert_null(label(&template, "topology.kubernetes.io/zone"));
    assert_int_equal(template.place.taints->count, 1);
    for (uint32_t i = 1; i < template.place.labels->count; i++)
        assert_true(strcmp(template.place.labels->items[i - 1].key, template.place.labels->items[i].key) < 0);
}

static void allocatable_is_learned_from_live_nodes_of_the_size(void **state)
{
    (void)state;
    struct label labels[2][7];
    struct node_facts facts = group_node("n1", labels[0]);
    facts.allocatable.cpu_millis = 3700;
    cluster_put_node(cluster, &facts);
    struct node_facts younger = group_node("n2", labels[1]);
    younger.created_ms = 2000;
    younger.allocatable.memory_bytes = 7 * GIB - MIB;
    cluster_put_node(cluster, &younger);
    struct template_node template = template_create(arena, cluster, group, 42);
    assert_int_equal(template.place.allocatable->cpu_millis, 3700); // the least of each
    assert_int_equal(template.place.allocatable->memory_bytes, 7 * GIB - MIB);
    assert_string_equal(template.learned_from, "n2");
    assert_string_equal(label(&template, "kubernetes.io/arch"), "arm64");
    assert_string_equal(label(&template, "topology.kubernetes.io/zone"), "z1");
    assert_string_equal(label(&template, "node.kubernetes.io/instance-type"), "medium");
    assert_null(label(&template, "rack")); // may be that node's alone
    assert_true(strcmp(label(&template, "kubernetes.io/hostname"), "n2") != 0);
}

static void another_size_teaches_labels_but_not_amounts(void **state)
{
    (void)state;
    struct label labels[7];
    struct node_facts facts = group_node("n1", labels);
    facts.allocatable.cpu_millis = 3700;
    cluster_put_node(cluster, &facts);
    struct template_node template = template_create(arena, cluster, group, 43);
    assert_string_equal(template.learned_from, "");
    assert_int_equal(template.place.allocatable->cpu_millis, 8000 - 60 - 60 - 10 - 10 - 10);
    assert_string_equal(label(&template, "topology.kubernetes.io/zone"), "z1");
    assert_null(label(&template, "node.kubernetes.io/instance-type"));
}

static void a_foreign_node_of_the_size_teaches_amounts_but_not_labels(void **state)
{
    (void)state;
    struct labels labels = LABELS({"topology.kubernetes.io/zone", "far"});
    struct node_facts facts = make_node("foreign");
    facts.labels = labels;
    facts.allocatable.cpu_millis = 3500;
    cluster_put_node(cluster, &facts);
    struct template_node template = template_create(arena, cluster, group, 42);
    assert_string_equal(template.learned_from, "foreign");
    assert_int_equal(template.place.allocatable->cpu_millis, 3500);
    assert_null(label(&template, "topology.kubernetes.io/zone"));
    struct label own[7];
    facts = group_node("a-own", own); // the group's own win, whichever comes first
    facts.allocatable.cpu_millis = 3800;
    cluster_put_node(cluster, &facts);
    facts = group_node("z-own", own);
    facts.allocatable.cpu_millis = 3810;
    cluster_put_node(cluster, &facts);
    template = template_create(arena, cluster, group, 42);
    assert_int_equal(template.place.allocatable->cpu_millis, 3800);
}

static void nodes_in_trouble_teach_nothing(void **state)
{
    (void)state;
    struct label labels[7];
    struct node_facts facts = group_node("n1", labels);
    facts.ready = NODE_READY_UNKNOWN;
    cluster_put_node(cluster, &facts);
    facts = group_node("n2", labels);
    facts.deletion_ms = 1;
    cluster_put_node(cluster, &facts);
    facts = group_node("n3", labels);
    facts.allocatable.pods = 0; // the kubelet has not said yet
    cluster_put_node(cluster, &facts);
    assert_string_equal(template_create(arena, cluster, group, 42).learned_from, "");
}

static void the_size_that_was_ordered_comes_before_the_looks(void **state)
{
    (void)state;
    struct vpsie_group_facts groups[] = {{.id = 5,
                                          .identifier = "",
                                          .name = "general",
                                          .size_id = 43,
                                          .datacenter_id = "dc-1",
                                          .active = true}};
    cluster_put_vpsie_groups(cluster, "cluster-1", 1, groups, 1);
    struct intention_facts intention = make_intention("i", "general");
    intention.node_name = "n1";
    intention.vpsie_group_id = 5;
    cluster_put_intention(cluster, &intention);
    struct label labels[7];
    struct node_facts facts = group_node("n1", labels); // looks like 42, but was ordered as 43
    facts.allocatable.cpu_millis = 3700;
    cluster_put_node(cluster, &facts);
    assert_string_equal(template_create(arena, cluster, group, 42).learned_from, "");
    assert_string_equal(template_create(arena, cluster, group, 43).learned_from, "n1");
}

static void a_size_that_is_not_offered_any_more_is_known_by_its_vpsie_group(void **state)
{
    (void)state;
    struct vpsie_group_facts groups[] = {{.id = 5,
                                          .identifier = "",
                                          .name = "g",
                                          .size_id = 7,
                                          .cpu = 2,
                                          .memory_mb = 4096,
                                          .disk_gb = 40,
                                          .datacenter_id = "dc-1"}};
    cluster_put_vpsie_groups(cluster, "cluster-1", 1, groups, 1);
    struct template_node template = template_create(arena, cluster, group, 7);
    assert_string_equal(template.unknown, "");
    assert_int_equal(template.place.allocatable->cpu_millis, 2000 - 60 - 60 - 10);
    assert_true(template.price_hour == 0);
    groups[0].deleted = true;
    cluster_put_vpsie_groups(cluster, "cluster-1", 2, groups, 1);
    template = template_create(arena, cluster, group, 7);
    assert_string_equal(template.unknown, "size 7 is not in VPSie's offers for data center dc-1");
}

static void an_unknown_size_is_said_and_has_room_for_nothing(void **state)
{
    (void)state;
    struct template_node template = template_create(arena, cluster, group, 99);
    assert_string_equal(template.unknown, "size 99 is not in VPSie's offers for data center dc-1");
    struct pod_shape shape = {.facts = make_shape(1, 1)};
    struct placement placement = placement_check(&shape, &template.place);
    assert_int_equal(placement.verdict, PLACEMENT_TAINT);
    assert_int_equal(template.place.allocatable->pods, 0);
    assert_string_equal(template_create(arena, cluster, group, 0).unknown, "no size is set (kubeSizeID)");
    assert_true(template_create(arena, cluster, group, 44).unknown[0] != '\0'); // an offer without cores
}

static void daemonsets_that_would_land_there_are_counted(void **state)
{
    (void)state;
    static const struct extended_resource gpu[] = {{"nvidia.com/gpu", 1}};
    struct toleration all = {.key = "", .value = "", .operator= TOLERATION_EXISTS, .any_effect = true};
    struct labels elsewhere = LABELS({"team", "b"});
    struct labels here = LABELS({"team", "a"});
    struct daemonset_facts facts = make_daemonset("proxy", 100, 64 * MIB);
    facts.shape.tolerations = &all;
    facts.shape.toleration_count = 1;
    cluster_put_daemonset(cluster, &facts);
    facts.name = facts.uid = "exporter"; // with a host port and an extended resource
    facts.shape.needs = POD_NEEDS_HOST_PORT;
    facts.shape.node_selector = here;
    facts.shape.requests.extended = gpu;
    facts.shape.requests.extended_count = 1;
    cluster_put_daemonset(cluster, &facts);
    facts.name = facts.uid = "other-team";
    facts.shape.node_selector = elsewhere;
    cluster_put_daemonset(cluster, &facts);
    facts.name = facts.uid = "going";
    facts.shape.node_selector = here;
    facts.being_deleted = true;
    cluster_put_daemonset(cluster, &facts);
    facts = make_daemonset("intolerant", 100, 64 * MIB);
    cluster_put_daemonset(cluster, &facts);
    struct template_node template = template_create(arena, cluster, group, 42);
    assert_int_equal(template.place.used.cpu_millis, 200);
    assert_int_equal(template.place.used.memory_bytes, 128 * MIB);
    assert_int_equal(template.place.used.pods, 2);
    assert_int_equal(resources_extended(&template.place.used, "nvidia.com/gpu"), 1);
}

static void mirror_pods_are_counted_as_on_the_node_learned_from(void **state)
{
    (void)state;
    struct label labels[7];
    struct node_facts facts = group_node("n1", labels);
    cluster_put_node(cluster, &facts);
    struct pod_facts pod = make_pod("kube-proxy-n1", "n1", 150, MIB);
    pod.mirror = true;
    cluster_put_pod(cluster, &pod);
    pod = make_pod("web", "n1", 500, MIB);
    cluster_put_pod(cluster, &pod);
    struct template_node template = template_create(arena, cluster, group, 42);
    assert_int_equal(template.place.used.cpu_millis, 150);
    assert_int_equal(template.place.used.pods, 1);
}

static void daemonset_and_mirror_pods_are_residents_of_the_new_machine(void **state)
{
    (void)state;
    struct label labels[7];
    struct node_facts node = group_node("n1", labels);
    cluster_put_node(cluster, &node);
    struct pod_facts mirror = make_pod("static", "n1", 50, MIB);
    mirror.mirror = true;
    const struct pod *pod = cluster_put_pod(cluster, &mirror);
    struct host_port port = {"0.0.0.0", 9100, PORT_TCP};
    struct toleration all = {.key = "", .value = "", .operator= TOLERATION_EXISTS, .any_effect = true};
    struct daemonset_facts facts = make_daemonset("exporter", 10, MIB);
    facts.shape.tolerations = &all;
    facts.shape.toleration_count = 1;
    facts.shape.host_ports = &port;
    facts.shape.host_port_count = 1;
    const struct daemonset *daemonset = cluster_put_daemonset(cluster, &facts);
    struct template_node template = template_create(arena, cluster, group, 42);
    assert_int_equal(template.place.resident_count, 2);
    assert_ptr_equal(template.place.residents[0], daemonset->shape);
    assert_ptr_equal(template.place.residents[1], pod->shape);
}

static void zones_of_a_storage_driver_are_learned_when_the_group_agrees(void **state)
{
    (void)state;
    static const char *const zones[] = {"north", "north", "south"};
    for (uint32_t nodes = 1; nodes <= 3; nodes++) {
        char name[16];
        snprintf(name, sizeof(name), "n%u", nodes);
        struct label labels[9];
        struct node_facts node = group_node(name, labels);
        memmove(labels + 8, labels + 6, sizeof(labels[0])); // keys are sorted
        labels[6] = (struct label){"topology.csi.example.com/node", name};
        labels[7] = (struct label){"topology.csi.example.com/zone", zones[nodes - 1]};
        node.labels.count = 9;
        cluster_put_node(cluster, &node);
        struct template_node template = template_create(arena, cluster, group, 42);
        assert_null(label(&template, "topology.csi.example.com/node"));
        if (nodes < 3)
            assert_string_equal(label(&template, "topology.csi.example.com/zone"), "north");
        else
            assert_null(label(&template, "topology.csi.example.com/zone"));
        assert_string_equal(label(&template, "topology.kubernetes.io/zone"), "z1");
    }
}

static void attach_limits_are_learned_from_a_live_node(void **state)
{
    (void)state;
    struct template_node template = template_create(arena, cluster, group, 42);
    assert_int_equal(template.place.attach_limit_count, 0);
    struct label labels[7];
    struct node_facts node = group_node("n1", labels);
    cluster_put_node(cluster, &node);
    const struct csi_driver_limit limits[] = {{"csi.vpsie.com", 16}};
    struct csi_node_facts facts = {.name = "n1", .drivers = limits, .driver_count = 1};
    cluster_put_csi_node(cluster, &facts);
    template = template_create(arena, cluster, group, 42);
    assert_int_equal(template.place.attach_limit_count, 1);
    assert_int_equal(template.place.attach_limits[0].volumes_max, 16);
    template =
        template_create(arena, cluster, group, 43); // another size of the group: its drivers all the same
    assert_int_equal(template.place.attach_limit_count, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(before_the_first_node_a_careful_default_is_reserved),
        TEST(a_price_a_month_is_a_price_an_hour),
        TEST(labels_and_taints_are_what_the_node_will_have),
        TEST(allocatable_is_learned_from_live_nodes_of_the_size),
        TEST(another_size_teaches_labels_but_not_amounts),
        TEST(a_foreign_node_of_the_size_teaches_amounts_but_not_labels),
        TEST(nodes_in_trouble_teach_nothing),
        TEST(the_size_that_was_ordered_comes_before_the_looks),
        TEST(a_size_that_is_not_offered_any_more_is_known_by_its_vpsie_group),
        TEST(an_unknown_size_is_said_and_has_room_for_nothing),
        TEST(daemonsets_that_would_land_there_are_counted),
        TEST(mirror_pods_are_counted_as_on_the_node_learned_from),
        TEST(daemonset_and_mirror_pods_are_residents_of_the_new_machine),
        TEST(zones_of_a_storage_driver_are_learned_when_the_group_agrees),
        TEST(attach_limits_are_learned_from_a_live_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

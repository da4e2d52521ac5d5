// Topology spread with DoNotSchedule:
// https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/schedule/scene.h"

#define WEB SELECTOR(IN("app", "web"))

struct row {
    const char *says;
    const char *there; // nodes of the pods that run, "a1 a1 b1"
    struct pod_facts pod;
    const char *fits;
};

static void put_there(struct scene *scene, const char *nodes, const struct pod_facts *like)
{
    char text[80];
    snprintf(text, sizeof(text), "%s", nodes);
    uint32_t number = 0;
    for (char *rest = text, *node; (node = strtok_r(rest, " ", &rest)) != NULL;) {
        char name[16];
        snprintf(name, sizeof(name), "there-%u", number++);
        struct pod_facts facts = *like;
        facts.name = facts.uid = name;
        facts.node_name = node;
        scene_put(scene, &facts);
    }
}

static void check_like(const struct row *row, const struct pod_facts *like)
{
    struct scene scene;
    scene_begin_zones(&scene);
    put_there(&scene, row->there, like);
    const struct pod *pod = scene_put(&scene, &row->pod);
    const char *fits = scene_fits(&scene, pod);
    if (strcmp(fits, row->fits) != 0)
        fail_msg("%s: fits on \"%s\"", row->says, fits);
    scene_end(&scene);
}

static void check(const struct row *row)
{
    struct pod_facts like = scene_pod("there", "", "web");
    check_like(row, &like);
}

static void skew_is_counted_against_the_emptiest_domain(void **state)
{
    (void)state;
    struct row rows[] = {
        {"the first may be in any zone, but not where there is none", "", scene_pod("p", "", "web"),
         "a1 a2 b1"},
        {"one in zone a: b is next", "a1", scene_pod("p", "", "web"), "b1"},
        {"even again", "a1 b1", scene_pod("p", "", "web"), "a1 a2 b1"},
        {"zone a is two ahead", "a1 a2", scene_pod("p", "", "web"), "b1"},
        {"pods on nodes without the key are in no domain", "bare bare a1", scene_pod("p", "", "web"), "b1"},
        {"a pod that it does not select itself adds nothing to the skew", "a1", scene_pod("p", "", "api"),
         "a1 a2 b1"},
        {"nor does it get further ahead than allowed", "a1 a2", scene_pod("p", "", "api"), "b1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        SPREAD_OVER(rows[i].pod, SPREAD(ZONE, WEB));
        check(&rows[i]);
    }
    struct row wide = {"maxSkew 2", "a1 a2", scene_pod("p", "", "web"), "b1"};
    SPREAD_OVER(wide.pod, {.topology_key = ZONE,
                           .space = "default",
                           .max_skew = 2,
                           .min_domains = 1,
                           .honor_affinity = true,
                           .selector = WEB});
    check(&wide);
    wide.there = "a1";
    wide.fits = "a1 a2 b1";
    check(&wide);
}

static void only_pods_that_stay_in_the_namespace_count(void **state)
{
    (void)state;
    struct row row = {"", "a1", scene_pod("p", "", "web"), "a1 a2 b1"};
    SPREAD_OVER(row.pod, SPREAD(ZONE, WEB));
    struct pod_facts like = scene_pod("x", "", "web");
    like.deletion_ms = 5;
    row.says = "a pod that is being deleted";
    check_like(&row, &like);
    like = scene_pod("x", "", "web");
    like.terminal = true;
    row.says = "a pod that has ended";
    check_like(&row, &like);
    like = scene_pod("x", "", "web");
    like.space = "shop";
    row.says = "a pod of another namespace";
    check_like(&row, &like);
    like = scene_pod("x", "", "db");
    row.says = "a pod that is not selected";
    check_like(&row, &like);
}

static void fewer_domains_than_asked_for_count_as_an_empty_one(void **state)
{
    (void)state;
    static const struct {
        const char *says, *there, *fits;
        int32_t domains;
    } rows[] = {
        {"two domains are there", "a1 b1", "a1 a2 b1", 2},
        {"a third is missing: the least is 0", "a1 b1", "", 3},
        {"the first in each zone may still come", "a1", "b1", 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct row row = {rows[i].says, rows[i].there, scene_pod("p", "", "web"), rows[i].fits};
        const struct spread_constraint spread = {.topology_key = ZONE,
                                                 .space = "default",
                                                 .max_skew = 1,
                                                 .min_domains = rows[i].domains,
                                                 .honor_affinity = true,
                                                 .selector = WEB};
        row.pod.shape.spread = &spread;
        row.pod.shape.spread_count = 1;
        check(&row);
    }
}

static void several_constraints_must_all_hold(void **state)
{
    (void)state;
    struct row rows[] = {
        {"zone says b, host says anything but a1", "a1", scene_pod("p", "", "web"), "b1"},
        {"zones are even, hosts say a2", "a1 b1", scene_pod("p", "", "web"), "a2"},
        {"zone says b, host says a2: nowhere", "a1 a1 b1", scene_pod("p", "", "web"), ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        SPREAD_OVER(rows[i].pod, SPREAD(ZONE, WEB), SPREAD(HOST, WEB));
        check(&rows[i]);
    }
}

static const struct requirement in_a = IN(ZONE, "a");
static const struct node_term term = {.expressions = &in_a, .expression_count = 1};

// nodeAffinityPolicy: nodes that the pod's own selector or affinity leaves out are no domains when honoured.
static void node_affinity_decides_which_domains_count(void **state)
{
    (void)state;
    static const struct label zone_a = {ZONE, "a"};
    for (int by_selector = 0; by_selector < 2; by_selector++) {
        struct row row = {"honoured: zone a is all there is", "a1 a2", scene_pod("p", "", "web"), "a1 a2"};
        if (by_selector) {
            row.pod.shape.node_selector = (struct labels){&zone_a, 1};
        } else {
            row.pod.shape.has_affinity = true;
            row.pod.shape.affinity_terms = &term;
            row.pod.shape.affinity_term_count = 1;
        }
        SPREAD_OVER(row.pod, SPREAD(ZONE, WEB));
        check(&row);
        SPREAD_OVER(row.pod, {.topology_key = ZONE,
                              .space = "default",
                              .max_skew = 1,
                              .min_domains = 1,
                              .honor_affinity = false,
                              .selector = WEB});
        row.says = "ignored: zone b is empty";
        row.fits = "";
        check(&row);
    }
}

// nodeTaintsPolicy: nodes whose taints the pod does not tolerate are no domains when honoured.
static void taints_decide_which_domains_count(void **state)
{
    (void)state;
    static const struct toleration tolerates = {
        .key = "gpu", .value = "", .operator= TOLERATION_EXISTS, .any_effect = true};
    static const struct {
        const char *says, *fits;
        bool honour, tolerated;
    } rows[] = {
        {"ignored (the default): the tainted zone is empty", "", false, false},
        {"honoured: it is no domain", "a1 a2", true, false},
        {"honoured and tolerated: it is one, and the pod can go there", "b1", true, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene;
        scene_begin_zones(&scene);
        struct label labels[] = {{HOST, "b1"}, {ZONE, "b"}};
        struct taint taint = {"gpu", "", TAINT_NO_SCHEDULE};
        struct node_facts node = make_node("b1");
        node.labels = (struct labels){labels, 2};
        node.taints = (struct taints){&taint, 1};
        cluster_put_node(scene.cluster, &node);
        struct pod_facts like = scene_pod("there", "", "web");
        put_there(&scene, "a1 a2", &like);
        struct pod_facts facts = scene_pod("p", "", "web");
        facts.shape.tolerations = &tolerates;
        facts.shape.toleration_count = rows[i].tolerated;
        const struct spread_constraint spread = {.topology_key = ZONE,
                                                 .space = "default",
                                                 .max_skew = 1,
                                                 .min_domains = 1,
                                                 .honor_affinity = true,
                                                 .honor_taints = rows[i].honour,
                                                 .selector = WEB};
        facts.shape.spread = &spread;
        facts.shape.spread_count = 1;
        const char *fits = scene_fits(&scene, scene_put(&scene, &facts));
        if (strcmp(fits, rows[i].fits) != 0)
            fail_msg("%s: fits on \"%s\"", rows[i].says, fits);
        scene_end(&scene);
    }
}

// Only nodes that have every key of the pod's constraints count for any of them.
static void a_node_that_lacks_one_key_counts_for_none(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    scene_node(&scene, "a1", "a");
    struct label only_zone = {ZONE, "b"};
    struct node_facts node = make_node("hostless");
    node.labels = (struct labels){&only_zone, 1};
    cluster_put_node(scene.cluster, &node);
    struct pod_facts like = scene_pod("there", "", "web");
    put_there(&scene, "a1", &like);
    struct pod_facts facts = scene_pod("p", "", "web");
    SPREAD_OVER(facts, SPREAD(ZONE, WEB));
    assert_string_equal(scene_fits(&scene, scene_put(&scene, &facts)), "hostless");
    facts.name = facts.uid = "q";
    SPREAD_OVER(facts, SPREAD(ZONE, WEB), SPREAD(HOST, WEB));
    const struct pod *pod = scene_put(&scene, &facts);
    assert_string_equal(scene_fits(&scene, pod), "a1"); // zone b is no domain for it
    assert_string_equal(scene_words(&scene, pod, "hostless"),
                        "spread on kubernetes.io/hostname: the node has no such label");
    scene_end(&scene);
}

static void the_skew_is_said(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin_zones(&scene);
    struct pod_facts like = scene_pod("there", "", "web");
    put_there(&scene, "a1 a2", &like);
    struct pod_facts facts = scene_pod("p", "", "web");
    SPREAD_OVER(facts, SPREAD(ZONE, WEB));
    const struct pod *pod = scene_put(&scene, &facts);
    assert_int_equal(scene_why(&scene, pod, "a1").verdict, PLACEMENT_SPREAD);
    assert_string_equal(scene_words(&scene, pod, "a1"), "spread on zone: skew would be 3, at most 1");
    assert_string_equal(scene_words(&scene, pod, "bare"), "spread on zone: the node has no such label");
    scene_end(&scene);
}

static void put_named(struct scene *scene, const struct pod_facts *like, const struct pod **pods,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "p%u", i);
        struct pod_facts facts = *like;
        facts.name = facts.uid = name;
        pods[i] = scene_put(scene, &facts);
    }
}

static void pods_alternate_between_zones(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin_zones(&scene);
    struct pod_facts like = scene_pod("p", "", "web");
    SPREAD_OVER(like, SPREAD(ZONE, WEB));
    const struct pod *pods[6];
    put_named(&scene, &like, pods, 6);
    struct packing *packing = scene_packing(&scene);
    struct packing_mark mark = packing_mark(packing);
    static const uint32_t expected[] = {0, 2, 0, 2, 0, 2};
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < 6; i++)
            assert_int_equal(packing_put(packing, pods[i], NULL), expected[i]);
        packing_rollback(packing, mark);
    }
    packing_remove_node(packing, cluster_node(scene.cluster, "b1")); // zone b is gone, and with it the skew
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(packing_put(packing, pods[i], NULL), 0);
    packing_restore_node(packing, cluster_node(scene.cluster, "b1"));
    for (uint32_t i = 0; i < 3; i++)
        packing_take(packing, 0, pods[i]);
    assert_int_equal(packing_put(packing, pods[0], NULL), 2);
    scene_end(&scene);
}

// A new machine is a new domain, with nobody in it: the least falls to 0.
static void a_new_machine_is_a_new_domain_for_hosts(void **state)
{
    (void)state;
    static const struct label labels[] = {{ZONE, "c"}};
    static const struct labels in_zone_c = {labels, 1};
    static const struct taints taints;
    static const struct resources allocatable = {.cpu_millis = 1000, .memory_bytes = GIB, .pods = 10};
    struct place place = {
        .name = "", .labels = &in_zone_c, .taints = &taints, .allocatable = &allocatable, .ready = true};
    struct scene scene;
    scene_begin(&scene);
    scene_node(&scene, "a1", "a");
    struct pod_facts like = scene_pod("p", "", "web");
    SPREAD_OVER(like, SPREAD(HOST, WEB));
    const struct pod *pods[5];
    put_named(&scene, &like, pods, 5);
    struct packing *packing = scene_packing(&scene);
    assert_int_equal(packing_put(packing, pods[0], NULL), 0);
    assert_int_equal(packing_put(packing, pods[1], NULL), 0);
    struct packing_mark mark = packing_mark(packing);
    assert_int_equal(packing_add(packing, &place), 1);
    assert_int_equal(packing_put(packing, pods[2], NULL), 1);
    assert_int_equal(packing_put(packing, pods[3], NULL), 1); // two here, two there
    assert_int_equal(packing_put(packing, pods[4], NULL), 0);
    packing_rollback(packing, mark);
    assert_int_equal(packing_put(packing, pods[2], NULL), 0); // one host is even with itself again
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skew_is_counted_against_the_emptiest_domain),
        cmocka_unit_test(only_pods_that_stay_in_the_namespace_count),
        cmocka_unit_test(fewer_domains_than_asked_for_count_as_an_empty_one),
        cmocka_unit_test(several_constraints_must_all_hold),
        cmocka_unit_test(node_affinity_decides_which_domains_count),
        cmocka_unit_test(taints_decide_which_domains_count),
        cmocka_unit_test(a_node_that_lacks_one_key_counts_for_none),
        cmocka_unit_test(the_skew_is_said),
        cmocka_unit_test(pods_alternate_between_zones),
        cmocka_unit_test(a_new_machine_is_a_new_domain_for_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Required inter-pod affinity and anti-affinity:
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/schedule/scene.h"

#define WEB SELECTOR(IN("app", "web"))
#define DB  SELECTOR(IN("app", "db"))

struct row {
    const char *says;
    struct pod_facts there[3]; // without a name: none
    struct pod_facts pod;
    const char *fits;
    enum placement_verdict elsewhere; // on the places where it does not fit
};

static void check(const struct row *row)
{
    struct scene scene;
    scene_begin_zones(&scene);
    scene_space(&scene, "shop", "team", "shop");
    for (size_t i = 0; i < 3 && row->there[i].name != NULL; i++)
        scene_put(&scene, &row->there[i]);
    const struct pod *pod = scene_put(&scene, &row->pod);
    const char *fits = scene_fits(&scene, pod);
    if (strcmp(fits, row->fits) != 0)
        fail_msg("%s: fits on \"%s\"", row->says, fits);
    struct packing *packing = scene_packing(&scene);
    for (uint32_t i = 0; i < packing->place_count; i++) {
        struct placement placement = packing_check(packing, i, pod);
        if (placement.verdict != PLACEMENT_FITS && placement.verdict != row->elsewhere)
            fail_msg("%s: %s on %s", row->says, placement_verdict_name(placement.verdict),
                     packing->places[i].name);
    }
    scene_end(&scene);
}

static void affinity_is_to_pods_in_the_same_domain(void **state)
{
    (void)state;
    struct row rows[] = {
        {"a pod of the zone matches",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "a1 a2",
         PLACEMENT_POD_AFFINITY},
        {"nobody matches",
         {scene_pod("d", "a1", "db")},
         scene_pod("p", "", "api"),
         "",
         PLACEMENT_POD_AFFINITY},
        {"nobody matches, but it does: it may be the first, where the key is",
         {scene_pod("d", "a1", "db")},
         scene_pod("p", "", "web"),
         "a1 a2 b1",
         PLACEMENT_POD_AFFINITY},
        {"it matches, but is not the first",
         {scene_pod("w", "b1", "web")},
         scene_pod("p", "", "web"),
         "b1",
         PLACEMENT_POD_AFFINITY},
        {"the pod that matches is on a node without the key: as if it were not there",
         {scene_pod("w", "bare", "web")},
         scene_pod("p", "", "web"),
         "a1 a2 b1",
         PLACEMENT_POD_AFFINITY},
        {"a pod that has ended does not count",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "",
         PLACEMENT_POD_AFFINITY},
        {"a pod that is being deleted does",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "a1 a2",
         PLACEMENT_POD_AFFINITY},
        {"a pod of another namespace does not",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "",
         PLACEMENT_POD_AFFINITY},
    };
    rows[5].there[0].terminal = true;
    rows[6].there[0].deletion_ms = 5;
    rows[7].there[0].space = "shop";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        TOGETHER(rows[i].pod, TERM(ZONE, WEB));
        check(&rows[i]);
    }
}

static void several_terms_of_affinity_must_all_hold(void **state)
{
    (void)state;
    struct row rows[] = {
        // what counts is pods that match all of the terms: neither of these does
        {"one pod for each term is not enough",
         {scene_pod("w", "a1", "web"), scene_pod("d", "a2", "db")},
         scene_pod("p", "", "api"),
         "",
         PLACEMENT_POD_AFFINITY},
        {"a pod that matches both, in its zone and on its host",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "a1",
         PLACEMENT_POD_AFFINITY},
        {"the first of its kind must match all",
         {scene_pod("x", "a1", "other")},
         scene_pod("p", "", "web"),
         "a1 a2 b1",
         PLACEMENT_POD_AFFINITY},
    };
    TOGETHER(rows[0].pod, TERM(ZONE, WEB), TERM(ZONE, DB));
    TOGETHER(rows[1].pod, TERM(ZONE, WEB), TERM(HOST, SELECTOR(IN("app", "web", "db"))));
    TOGETHER(rows[2].pod, TERM(ZONE, WEB), TERM(HOST, SELECTOR(OPERATOR("app", SELECTOR_NOT_IN, "db"))));
    for (size_t i = 0; i < 2; i++)
        check(&rows[i]);
    // "other" matches the second term only: nobody matches both, so the pod, which does, may be the first
    check(&rows[2]);
}

static void a_term_says_in_which_namespaces(void **state)
{
    (void)state;
    static const char *const shop[] = {"shop"};
    static const char *const nowhere[] = {"nowhere"};
    struct row rows[] = {
        {"named", {scene_pod("w", "a1", "web")}, scene_pod("p", "", "api"), "a1 a2", PLACEMENT_POD_AFFINITY},
        {"by a label of the namespace",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "a1 a2",
         PLACEMENT_POD_AFFINITY},
        {"by a label that it lacks",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "",
         PLACEMENT_POD_AFFINITY},
        {"an empty selector: all",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "a1 a2",
         PLACEMENT_POD_AFFINITY},
        {"names and labels: either",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "a1 a2",
         PLACEMENT_POD_AFFINITY},
        {"a namespace that is not known has no labels",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "",
         PLACEMENT_POD_AFFINITY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        rows[i].there[0].space = i == 5 ? "unheard-of" : "shop";
    TOGETHER(rows[0].pod, TERM_IN(ZONE, shop, NOTHING, WEB));
    TOGETHER(rows[1].pod, TERM_IN(ZONE, nowhere, SELECTOR(IN("team", "shop")), WEB));
    TOGETHER(rows[2].pod, TERM_IN(ZONE, nowhere, SELECTOR(IN("team", "bank")), WEB));
    TOGETHER(rows[3].pod, TERM_IN(ZONE, nowhere, EVERYTHING, WEB));
    TOGETHER(rows[4].pod, TERM_IN(ZONE, shop, SELECTOR(IN("team", "bank")), WEB));
    TOGETHER(rows[5].pod, TERM_IN(ZONE, nowhere, SELECTOR(IN("team", "shop")), WEB));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

static void selectors_select_as_everywhere(void **state)
{
    (void)state;
    static const struct {
        const char *says;
        const char *fits;
    } expected[] = {
        {"In", "a1 a2"},
        {"NotIn", "b1"},
        {"NotIn holds without the label", "b1"},
        {"Exists", "a1 a2"},
        {"DoesNotExist", "b1"},
        {"an empty selector: every pod", "a1 a2"},
        {"a null selector: none", ""},
        {"In of many values, one of them twice", "a1 a2"},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct row row = {.says = expected[i].says,
                          .there = {scene_pod("w", "a1", "web")},
                          .pod = scene_pod("p", "", NULL),
                          .fits = expected[i].fits,
                          .elsewhere = PLACEMENT_POD_AFFINITY};
        row.there[1] = scene_pod("x", "b1", i == 1 ? "db" : NULL);
        const struct pod_term terms[] = {
            TERM(ZONE, WEB),
            TERM(ZONE, SELECTOR(OPERATOR("app", SELECTOR_NOT_IN, "web"))),
            TERM(ZONE, SELECTOR(OPERATOR("app", SELECTOR_NOT_IN, "web"))),
            TERM(ZONE, SELECTOR({.key = "app", .operator= SELECTOR_EXISTS})),
            TERM(ZONE, SELECTOR({.key = "app", .operator= SELECTOR_DOES_NOT_EXIST})),
            TERM(ZONE, EVERYTHING),
            TERM(ZONE, NOTHING),
            TERM(ZONE, SELECTOR(IN("app", "x", "web", "web", "y"))),
        };
        if (i == 5)
            row.there[1].name = NULL;
        row.pod.shape.pod_affinity = &terms[i];
        row.pod.shape.pod_affinity_count = 1;
        check(&row);
    }
}

static void anti_affinity_keeps_from_the_domain(void **state)
{
    (void)state;
    struct row rows[] = {
        {"nobody matches",
         {scene_pod("d", "a1", "db")},
         scene_pod("p", "", "api"),
         "a1 a2 b1 bare",
         PLACEMENT_ANTI_AFFINITY},
        {"a pod of the zone matches; a node without the key is no zone",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "b1 bare",
         PLACEMENT_ANTI_AFFINITY},
        {"a pod on a node without the key is in nobody's zone",
         {scene_pod("w", "bare", "web")},
         scene_pod("p", "", "api"),
         "a1 a2 b1 bare",
         PLACEMENT_ANTI_AFFINITY},
        {"it matches itself: that keeps it from nothing",
         {scene_pod("d", "a1", "db")},
         scene_pod("p", "", "web"),
         "a1 a2 b1 bare",
         PLACEMENT_ANTI_AFFINITY},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        APART(rows[i].pod, TERM(ZONE, WEB));
        check(&rows[i]);
    }
    struct row both = {"two terms, each keeps from its own",
                       {scene_pod("w", "a1", "web"), scene_pod("d", "b1", "db")},
                       scene_pod("p", "", "api"),
                       "a2 bare",
                       PLACEMENT_ANTI_AFFINITY};
    APART(both.pod, TERM(HOST, WEB), TERM(ZONE, DB));
    check(&both);
}

static void anti_affinity_of_pods_that_run_is_honoured_too(void **state)
{
    (void)state;
    struct row rows[] = {
        {"a pod that runs keeps from such",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "db"),
         "b1 bare",
         PLACEMENT_OTHERS_ANTI_AFFINITY},
        {"but not from others",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "api"),
         "a1 a2 b1 bare",
         PLACEMENT_OTHERS_ANTI_AFFINITY},
        {"nor from another namespace",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "db"),
         "a1 a2 b1 bare",
         PLACEMENT_OTHERS_ANTI_AFFINITY},
        {"nor once it has ended",
         {scene_pod("w", "a1", "web")},
         scene_pod("p", "", "db"),
         "a1 a2 b1 bare",
         PLACEMENT_OTHERS_ANTI_AFFINITY},
    };
    rows[2].pod.space = "shop";
    rows[3].there[0].terminal = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        APART(rows[i].there[0], TERM(ZONE, DB));
        check(&rows[i]);
    }
}

static void who_is_in_the_way_is_said(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin_zones(&scene);
    struct pod_facts api = scene_pod("api-2", "a1", "web");
    scene_put(&scene, &api);
    api.name = api.uid = "api-1";
    api.node_name = "a2";
    APART(api, TERM(ZONE, DB));
    scene_put(&scene, &api);
    struct pod_facts facts = scene_pod("p", "", "x");
    APART(facts, TERM(ZONE, WEB));
    const struct pod *own = scene_put(&scene, &facts);
    facts = scene_pod("q", "", "db");
    const struct pod *other = scene_put(&scene, &facts);
    facts = scene_pod("r", "", "x");
    TOGETHER(facts, TERM(ZONE, DB));
    const struct pod *alone = scene_put(&scene, &facts);
    assert_string_equal(scene_words(&scene, own, "a1"), "anti-affinity with default/api-1 on zone");
    assert_string_equal(scene_words(&scene, other, "a1"), "anti-affinity of default/api-1 on zone");
    assert_string_equal(scene_words(&scene, alone, "b1"), "affinity: no pod that it asks for in this zone");
    struct placement why;
    packing_remove_node(scene_packing(&scene), cluster_node(scene.cluster, "b1"));
    packing_remove_node(scene_packing(&scene), cluster_node(scene.cluster, "bare"));
    assert_int_equal(packing_put(scene_packing(&scene), own, &why), UINT32_MAX);
    assert_string_equal(why.other->name, "api-1");
    scene_end(&scene);
}

static void what_was_put_counts_as_what_runs(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin_zones(&scene);
    struct packing *packing = scene_packing(&scene);
    struct pod_facts facts = scene_pod("w", "", "web");
    APART(facts, TERM(HOST, WEB));
    const struct pod *pods[5];
    for (uint32_t i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof(name), "w%u", i);
        facts.name = facts.uid = name;
        pods[i] = scene_put(&scene, &facts);
    }
    facts = scene_pod("friend", "", "api");
    TOGETHER(facts, TERM(HOST, WEB));
    const struct pod *friend = scene_put(&scene, &facts);
    assert_string_equal(scene_fits(&scene, friend), "");
    struct packing_mark mark = packing_mark(packing);
    assert_int_equal(packing_put(packing, pods[0], NULL), 0);
    assert_int_equal(packing_put(packing, pods[1], NULL), 1);
    assert_string_equal(scene_fits(&scene, friend), "a1 a2");
    assert_int_equal(packing_put(packing, pods[2], NULL), 2);
    assert_int_equal(packing_put(packing, pods[3], NULL), 3); // without the key nothing keeps it away
    assert_int_equal(packing_put(packing, pods[4], NULL), 3);
    packing_take(packing, 1, pods[1]);
    assert_string_equal(scene_fits(&scene, friend), "a1 b1");
    packing_rollback(packing, mark);
    assert_string_equal(scene_fits(&scene, friend), "");
    scene_end(&scene);
}

static void a_removed_node_takes_its_pods_along(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin_zones(&scene);
    struct pod_facts facts = scene_pod("w", "a1", "web");
    APART(facts, TERM(ZONE, DB));
    scene_put(&scene, &facts);
    facts = scene_pod("friend", "", "api");
    TOGETHER(facts, TERM(ZONE, WEB));
    const struct pod *friend = scene_put(&scene, &facts);
    facts = scene_pod("foe", "", "db");
    const struct pod *foe = scene_put(&scene, &facts);
    assert_string_equal(scene_fits(&scene, friend), "a1 a2");
    assert_string_equal(scene_fits(&scene, foe), "b1 bare");
    packing_remove_node(scene_packing(&scene), cluster_node(scene.cluster, "a1"));
    assert_string_equal(scene_fits(&scene, friend), "");
    assert_string_equal(scene_fits(&scene, foe), "a2 b1 bare");
    packing_restore_node(scene_packing(&scene), cluster_node(scene.cluster, "a1"));
    assert_string_equal(scene_fits(&scene, friend), "a1 a2");
    assert_string_equal(scene_fits(&scene, foe), "b1 bare");
    scene_end(&scene);
}

static void pods_of_nodes_that_take_none_count_as_well(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin_zones(&scene);
    struct label labels[] = {{HOST, "a9"}, {ZONE, "a"}};
    struct node_facts cordoned = make_node("a9");
    cordoned.labels = (struct labels){labels, 2};
    cordoned.unschedulable = true;
    const struct node *node = cluster_put_node(scene.cluster, &cordoned);
    struct pod_facts facts = scene_pod("w", "a9", "web");
    scene_put(&scene, &facts);
    facts = scene_pod("friend", "", "api");
    TOGETHER(facts, TERM(ZONE, WEB));
    const struct pod *friend = scene_put(&scene, &facts);
    assert_string_equal(scene_fits(&scene, friend), "a1 a2");
    packing_remove_node(scene_packing(&scene), node);
    assert_string_equal(scene_fits(&scene, friend), "");
    scene_end(&scene);
}

static void every_new_machine_is_a_host_of_its_own(void **state)
{
    (void)state;
    static const struct label labels[] = {{HOST, "new.group"}, {ZONE, "a"}};
    static const struct labels in_zone_a = {labels, 2};
    static const struct taints taints;
    static const struct resources allocatable = {.cpu_millis = 1000, .memory_bytes = GIB, .pods = 10};
    struct place place = {
        .name = "", .labels = &in_zone_a, .taints = &taints, .allocatable = &allocatable, .ready = true};
    struct scene scene;
    scene_begin(&scene);
    struct pod_facts facts = scene_pod("w", "", "web");
    APART(facts, TERM(HOST, WEB));
    const struct pod *pods[4];
    for (uint32_t i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof(name), "w%u", i);
        facts.name = facts.uid = name;
        pods[i] = scene_put(&scene, &facts);
    }
    uint32_t landed[4];
    struct packing *packing = scene_packing(&scene);
    struct packing_mark mark = packing_mark(packing);
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(packing_count_on(packing, &place, pods, 4, 3, landed), 3);
        assert_int_equal(landed[2], 2);
        assert_int_equal(landed[3], UINT32_MAX);
        packing_rollback(packing, mark);
    }
    facts = scene_pod("z", "", "web");
    APART(facts, TERM(ZONE, WEB)); // but in one zone with all of its group
    const struct pod *zonal[2];
    for (uint32_t i = 0; i < 2; i++) {
        facts.name = facts.uid = i == 0 ? "z0" : "z1";
        zonal[i] = scene_put(&scene, &facts);
    }
    assert_int_equal(packing_count_on(packing, &place, zonal, 2, 9, landed), 1);
    assert_int_equal(landed[1], UINT32_MAX);
    assert_int_equal(packing->place_count, 1);
    scene_end(&scene);
}

// A machine that has joined stands as a place of its own, as it will be: with its own host name and its pods.
static void a_machine_that_joins_has_its_own_pods(void **state)
{
    (void)state;
    static const struct label labels[] = {{HOST, "new.group"}, {ZONE, "a"}};
    static const struct labels in_zone_a = {labels, 2};
    static const struct taints taints;
    static const struct resources allocatable = {.cpu_millis = 1000, .memory_bytes = GIB, .pods = 10};
    struct scene scene;
    scene_begin(&scene);
    scene_node(&scene, "b1", "b");
    struct node_facts facts = make_node("joined");
    facts.ready = NODE_READY_FALSE;
    const struct node *node = cluster_put_node(scene.cluster, &facts);
    struct pod_facts there = scene_pod("w", "joined", "web");
    APART(there, TERM(HOST, DB));
    scene_put(&scene, &there);
    struct pod_facts friend_facts = scene_pod("friend", "", "api");
    TOGETHER(friend_facts, TERM(ZONE, WEB));
    const struct pod *friend = scene_put(&scene, &friend_facts);
    struct pod_facts foe_facts = scene_pod("foe", "", "db");
    const struct pod *foe = scene_put(&scene, &foe_facts);
    struct packing *packing = scene_packing(&scene);
    assert_string_equal(scene_fits(&scene, friend), ""); // the node lacks a zone still
    packing_remove_node(packing, node);
    struct place place = {.name = "joined",
                          .labels = &in_zone_a,
                          .taints = &taints,
                          .allocatable = &allocatable,
                          .ready = true,
                          .node = node};
    struct packing_mark mark = packing_mark(packing);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(packing_add(packing, &place), 1);
        assert_string_equal(scene_fits(&scene, friend), "joined");
        assert_string_equal(scene_fits(&scene, foe), "b1");
        packing_remove_node(packing, node); // and it may go again
        assert_string_equal(scene_fits(&scene, friend), "");
        assert_string_equal(scene_fits(&scene, foe), "b1");
        packing_restore_node(packing, node);
        assert_string_equal(scene_fits(&scene, friend), "joined");
        packing_rollback(packing, mark);
        assert_string_equal(scene_fits(&scene, friend), "");
    }
    scene_end(&scene);
}

static void the_first_of_its_kind_opens_a_machine_and_the_others_follow(void **state)
{
    (void)state;
    static const struct label labels[] = {{ZONE, "c"}};
    static const struct labels in_zone_c = {labels, 1};
    static const struct taints taints;
    static const struct resources allocatable = {.cpu_millis = 20, .memory_bytes = GIB, .pods = 10};
    struct place place = {
        .name = "", .labels = &in_zone_c, .taints = &taints, .allocatable = &allocatable, .ready = true};
    struct scene scene;
    scene_begin(&scene);
    struct pod_facts facts = scene_pod("w", "", "web");
    TOGETHER(facts, TERM(ZONE, WEB));
    const struct pod *pods[4];
    for (uint32_t i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof(name), "w%u", i);
        facts.name = facts.uid = name;
        pods[i] = scene_put(&scene, &facts);
    }
    uint32_t landed[4];
    assert_int_equal(packing_count_on(scene_packing(&scene), &place, pods, 4, 9, landed), 2);
    assert_int_equal(landed[1], 0);
    assert_int_equal(landed[3], 1);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(affinity_is_to_pods_in_the_same_domain),
        cmocka_unit_test(several_terms_of_affinity_must_all_hold),
        cmocka_unit_test(a_term_says_in_which_namespaces),
        cmocka_unit_test(selectors_select_as_everywhere),
        cmocka_unit_test(anti_affinity_keeps_from_the_domain),
        cmocka_unit_test(anti_affinity_of_pods_that_run_is_honoured_too),
        cmocka_unit_test(who_is_in_the_way_is_said),
        cmocka_unit_test(what_was_put_counts_as_what_runs),
        cmocka_unit_test(a_removed_node_takes_its_pods_along),
        cmocka_unit_test(pods_of_nodes_that_take_none_count_as_well),
        cmocka_unit_test(every_new_machine_is_a_host_of_its_own),
        cmocka_unit_test(a_machine_that_joins_has_its_own_pods),
        cmocka_unit_test(the_first_of_its_kind_opens_a_machine_and_the_others_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Volumes, as the VolumeRestrictions, NodeVolumeLimits, VolumeBinding and VolumeZone filters have them:
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/
// https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
// https://kubernetes.io/docs/concepts/storage/storage-limits/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/schedule/scene.h"

static const struct requirement in_a = IN(ZONE, "a"), in_b = IN(ZONE, "b"), on_b1 = IN(HOST, "b1"),
                                in_either = IN(ZONE, "a", "b");
static const struct node_term zone_a = {.expressions = &in_a, .expression_count = 1};
static const struct node_term zone_b = {.expressions = &in_b, .expression_count = 1};
static const struct node_term either[] = {{.expressions = &in_a, .expression_count = 1},
                                          {.expressions = &on_b1, .expression_count = 1}};
static const struct node_term both = {.expressions = &in_either, .expression_count = 1};

static void put_claim(struct scene *scene, const struct claim_facts *with)
{
    struct claim_facts facts = *with;
    facts.space = facts.space == NULL ? "default" : facts.space;
    facts.uid = facts.name;
    facts.volume_name = facts.volume_name == NULL ? "" : facts.volume_name;
    facts.class_name = facts.class_name == NULL ? "" : facts.class_name;
    facts.selected_node = facts.selected_node == NULL ? "" : facts.selected_node;
    cluster_put_claim(scene->cluster, &facts);
}

static void put_volume(struct scene *scene, const struct volume_facts *with)
{
    struct volume_facts facts = *with;
    facts.uid = facts.name;
    facts.driver = facts.driver == NULL ? "csi.example.com" : facts.driver;
    facts.handle = facts.handle == NULL ? facts.name : facts.handle;
    cluster_put_volume(scene->cluster, &facts);
}

static void put_class(struct scene *scene, const struct storage_class_facts *with)
{
    struct storage_class_facts facts = *with;
    facts.provisioner = facts.provisioner == NULL ? "csi.example.com" : facts.provisioner;
    cluster_put_storage_class(scene->cluster, &facts);
}

static const struct pod *put_pod(struct scene *scene, const char *name, const char *node, const char *claim)
{
    struct pod_facts facts = scene_pod(name, node, NULL);
    facts.claims = &claim;
    facts.claim_count = 1;
    return scene_put(scene, &facts);
}

// ---- the claim by itself

static void a_claim_that_cannot_be_used_keeps_its_pod_from_everywhere(void **state)
{
    (void)state;
    static const struct {
        const char *says;
        struct claim_facts claim; // without a name: none is there
        enum placement_volume why;
        const char *words;
    } rows[] = {
        {"missing", {0}, PLACEMENT_VOLUME_MISSING, "volume claim data-0 is not there"},
        {"being deleted",
         {.name = "data-0", .bound = true, .volume_name = "pv", .deletion_ms = 5},
         PLACEMENT_VOLUME_GOING,
         "volume claim data-0 is being deleted"},
        {"lost",
         {.name = "data-0", .lost = true, .volume_name = "pv"},
         PLACEMENT_VOLUME_LOST,
         "the volume of claim data-0 is gone"},
        {"bound to a volume that is not there",
         {.name = "data-0", .bound = true, .volume_name = "other"},
         PLACEMENT_VOLUME_LOST,
         "the volume of claim data-0 is gone"},
        {"unbound, of a class that binds at once",
         {.name = "data-0", .class_name = "immediate"},
         PLACEMENT_VOLUME_UNBOUND,
         "volume claim data-0 must be bound first"},
        {"unbound, of no class",
         {.name = "data-0"},
         PLACEMENT_VOLUME_UNBOUND,
         "volume claim data-0 must be bound first"},
        {"unbound, of a class that is not there",
         {.name = "data-0", .class_name = "gone"},
         PLACEMENT_VOLUME_UNBOUND,
         "volume claim data-0 must be bound first"},
        {"it names its volume, which is not bound yet",
         {.name = "data-0", .class_name = "waits", .volume_name = "pv"},
         PLACEMENT_VOLUME_UNBOUND,
         "volume claim data-0 must be bound first"},
        {"local volumes are never made",
         {.name = "data-0", .class_name = "local"},
         PLACEMENT_VOLUME_NOT_MADE,
         "the storage class of volume data-0 makes none: one must be there already"},
        {"of another namespace",
         {.name = "data-0", .space = "shop"},
         PLACEMENT_VOLUME_MISSING,
         "volume claim data-0 is not there"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene;
        scene_begin_zones(&scene);
        put_class(&scene, &(struct storage_class_facts){.name = "immediate"});
        put_class(&scene, &(struct storage_class_facts){.name = "waits", .waits_for_consumer = true});
        put_class(&scene, &(struct storage_class_facts){
                              .name = "local", .waits_for_consumer = true, .no_provisioner = true});
        put_volume(&scene, &(struct volume_facts){.name = "pv"});
        if (rows[i].claim.name != NULL)
            put_claim(&scene, &rows[i].claim);
        const struct pod *pod = put_pod(&scene, "p", "", "data-0");
        struct placement why;
        if (packing_put(scene_packing(&scene), pod, &why) != UINT32_MAX || why.verdict != PLACEMENT_VOLUME ||
            why.volume != rows[i].why)
            fail_msg("%s: %s", rows[i].says, scene_words(&scene, pod, "a1"));
        assert_string_equal(scene_words(&scene, pod, "a1"), rows[i].words);
        scene_end(&scene);
    }
}

static void a_claim_for_one_pod_only_is_used_once(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin_zones(&scene);
    put_volume(&scene, &(struct volume_facts){.name = "pv"});
    put_claim(&scene, &(struct claim_facts){
                          .name = "data", .bound = true, .volume_name = "pv", .one_pod_only = true});
    put_claim(&scene, &(struct claim_facts){.name = "shared", .bound = true, .volume_name = "pv"});
    put_pod(&scene, "first", "a1", "data");
    struct packing *packing = scene_packing(&scene);
    const struct pod *second = put_pod(&scene, "second", "", "data");
    const struct pod *third = put_pod(&scene, "third", "", "data");
    const struct pod *other = put_pod(&scene, "other", "", "shared");
    assert_string_equal(scene_words(&scene, second, "b1"),
                        "volume data is in use by another pod (ReadWriteOncePod)");
    assert_int_equal(packing_put(packing, other, NULL), 0);
    packing_remove_node(packing, cluster_node(scene.cluster, "a1")); // the first goes
    assert_string_equal(scene_fits(&scene, second), "a2 b1 bare");
    struct packing_mark mark = packing_mark(packing);
    assert_int_equal(packing_put(packing, second, NULL), 1);
    assert_string_equal(scene_fits(&scene, third), "");
    packing_rollback(packing, mark);
    assert_string_equal(scene_fits(&scene, third), "a2 b1 bare");
    packing_restore_node(packing, cluster_node(scene.cluster, "a1"));
    assert_string_equal(scene_fits(&scene, third), "");
    scene_end(&scene);
}

// ---- where a volume is

static void a_volume_is_used_where_it_is(void **state)
{
    (void)state;
    static const struct label zone_label = {ZONE, "a"}, zones_label = {ZONE, "a__b"},
                              old_label = {"failure-domain.beta.kubernetes.io/zone", "b"},
                              region_label = {"topology.kubernetes.io/region", "north"},
                              some_label = {"color", "blue"};
    static const struct {
        const char *says;
        struct volume_facts volume;
        const char *fits, *words; // on b1, or on a1 when it fits b1
    } rows[] = {
        {"anywhere", {.name = "pv"}, "a1 a2 b1 bare", ""},
        {"by affinity to a zone",
         {.name = "pv", .has_affinity = true, .affinity_terms = &zone_a, .affinity_term_count = 1},
         "a1 a2",
         "volume data-0 can only be used in zone a"},
        {"any of several terms",
         {.name = "pv", .has_affinity = true, .affinity_terms = either, .affinity_term_count = 2},
         "a1 a2 b1",
         "fits"},
        {"any of several values",
         {.name = "pv", .has_affinity = true, .affinity_terms = &both, .affinity_term_count = 1},
         "a1 a2 b1",
         "fits"},
        {"affinity without terms matches nothing",
         {.name = "pv", .has_affinity = true},
         "",
         "volume data-0 cannot be used there"},
        // the label rules only nodes that say where they are: a cluster of one zone may have none that do
        {"by its zone label",
         {.name = "pv", .labels = {&zone_label, 1}},
         "a1 a2 bare",
         "volume data-0 can only be used in zone a"},
        {"one of several zones", {.name = "pv", .labels = {&zones_label, 1}}, "a1 a2 b1 bare", "fits"},
        {"by the label's old name", {.name = "pv", .labels = {&old_label, 1}}, "b1 bare", "fits"},
        {"a region that nodes with zones do not have",
         {.name = "pv", .labels = {&region_label, 1}},
         "bare",
         "volume data-0 can only be used in region north"},
        {"other labels bind nothing", {.name = "pv", .labels = {&some_label, 1}}, "a1 a2 b1 bare", "fits"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene;
        scene_begin_zones(&scene);
        put_volume(&scene, &rows[i].volume);
        put_claim(&scene, &(struct claim_facts){.name = "data-0", .bound = true, .volume_name = "pv"});
        const struct pod *pod = put_pod(&scene, "p", "", "data-0");
        const char *fits = scene_fits(&scene, pod);
        if (strcmp(fits, rows[i].fits) != 0)
            fail_msg("%s: fits on \"%s\"", rows[i].says, fits);
        if (rows[i].words[0] != '\0')
            assert_string_equal(scene_words(&scene, pod, "b1"), rows[i].words);
        scene_end(&scene);
    }
}

static void a_volume_that_will_be_made_follows_its_class(void **state)
{
    (void)state;
    static const struct {
        const char *says, *class_name, *selected, *fits, *words; // on a1
    } rows[] = {
        {"anywhere", "anywhere", "", "a1 a2 b1 bare", "fits"},
        {"only where the class makes any", "zonal", "", "b1",
         "the storage class of volume data-0 makes none there"},
        {"it is being made for a node", "anywhere", "a2", "a2", "volume data-0 is being made for node a2"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene;
        scene_begin_zones(&scene);
        put_class(&scene, &(struct storage_class_facts){.name = "anywhere", .waits_for_consumer = true});
        put_class(&scene, &(struct storage_class_facts){.name = "zonal",
                                                        .waits_for_consumer = true,
                                                        .allowed_topologies = &zone_b,
                                                        .allowed_topology_count = 1});
        put_claim(&scene, &(struct claim_facts){.name = "data-0",
                                                .class_name = rows[i].class_name,
                                                .selected_node = rows[i].selected});
        const struct pod *pod = put_pod(&scene, "p", "", "data-0");
        const char *fits = scene_fits(&scene, pod);
        if (strcmp(fits, rows[i].fits) != 0)
            fail_msg("%s: fits on \"%s\"", rows[i].says, fits);
        assert_string_equal(scene_words(&scene, pod, "a1"), rows[i].words);
        scene_end(&scene);
    }
}

// Pods of one shape have claims of their own: where one does not fit, another may.
static void claims_are_looked_at_pod_by_pod(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin_zones(&scene);
    put_volume(&scene,
               &(struct volume_facts){
                   .name = "far", .has_affinity = true, .affinity_terms = &zone_b, .affinity_term_count = 1});
    put_volume(&scene, &(struct volume_facts){.name = "near"});
    put_claim(&scene, &(struct claim_facts){.name = "data-0", .bound = true, .volume_name = "far"});
    put_claim(&scene, &(struct claim_facts){.name = "data-1", .bound = true, .volume_name = "near"});
    const struct pod *first = put_pod(&scene, "p-0", "", "data-0");
    const struct pod *second = put_pod(&scene, "p-1", "", "data-1");
    assert_ptr_equal(first->shape, second->shape);
    assert_int_equal(packing_put(scene_packing(&scene), first, NULL), 2);
    assert_int_equal(packing_put(scene_packing(&scene), second, NULL), 0);
    scene_end(&scene);
}

// ---- how many a node can hold

static void put_limits(struct scene *scene, const char *node, int32_t volumes_max)
{
    const struct csi_driver_limit limits[] = {{"csi.example.com", volumes_max}, {"other.example.com", 1}};
    struct csi_node_facts facts = {.name = node, .drivers = limits, .driver_count = 2};
    cluster_put_csi_node(scene->cluster, &facts);
}

static void put_bound(struct scene *scene, const char *claim, const char *volume, const char *driver,
                      const char *handle)
{
    put_volume(scene, &(struct volume_facts){.name = volume, .driver = driver, .handle = handle});
    put_claim(scene, &(struct claim_facts){.name = claim, .bound = true, .volume_name = volume});
}

static void a_node_holds_so_many_volumes_of_a_driver(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin_zones(&scene);
    put_limits(&scene, "a1", 2);
    put_limits(&scene, "a2", -1); // no limit
    put_class(&scene, &(struct storage_class_facts){.name = "waits", .waits_for_consumer = true});
    put_bound(&scene, "one", "pv-1", NULL, NULL);
    put_bound(&scene, "two", "pv-2", NULL, NULL);
    put_bound(&scene, "three", "pv-3", NULL, NULL);
    put_bound(&scene, "foreign", "pv-4", "other.example.com", NULL);
    put_bound(&scene, "unlimited", "pv-5", "third.example.com", NULL);
    put_bound(&scene, "plain", "pv-6", "", NULL); // not a CSI volume
    put_bound(&scene, "copy", "pv-7", NULL, "pv-1");
    put_claim(&scene, &(struct claim_facts){.name = "new", .class_name = "waits"});
    put_pod(&scene, "p1", "a1", "one");
    put_pod(&scene, "p2", "a1", "two");
    struct pod_facts ended = scene_pod("ended", "a1", NULL);
    const char *three = "three";
    ended.claims = &three;
    ended.claim_count = 1;
    ended.terminal = true;
    scene_put(&scene, &ended);
    static const struct {
        const char *says, *claim, *fits;
    } rows[] = {
        {"a third is too many; nodes without a CSINode or a limit have room", "three", "a2 b1 bare"},
        {"a volume that is attached already counts once", "one", "a1 a2 b1 bare"},
        {"also by another PersistentVolume of the same handle", "copy", "a1 a2 b1 bare"},
        {"one that will be made counts", "new", "a2 b1 bare"},
        {"each driver has its own limit", "foreign", "a1 a2 b1 bare"},
        {"a driver that the node does not list has none", "unlimited", "a1 a2 b1 bare"},
        {"what no driver attaches does not count", "plain", "a1 a2 b1 bare"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct pod *pod = put_pod(&scene, rows[i].claim, "", rows[i].claim);
        const char *fits = scene_fits(&scene, pod);
        if (strcmp(fits, rows[i].fits) != 0)
            fail_msg("%s: fits on \"%s\"", rows[i].says, fits);
    }
    const struct pod *pod = cluster_pod(scene.cluster, "default", "three");
    assert_int_equal(scene_why(&scene, pod, "a1").verdict, PLACEMENT_ATTACH_LIMIT);
    assert_string_equal(scene_words(&scene, pod, "a1"), "attach limit of driver csi.example.com reached: 2");
    scene_end(&scene);
}

static void several_volumes_of_one_pod_count_together(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    scene_node(&scene, "a1", "a");
    put_limits(&scene, "a1", 2);
    static const char *const names[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++)
        put_bound(&scene, names[i], names[i], NULL, NULL);
    put_bound(&scene, "other-1", "other-1", "other.example.com", NULL);
    put_bound(&scene, "other-2", "other-2", "other.example.com", NULL);
    struct pod_facts facts = scene_pod("p", "", NULL);
    facts.claims = names;
    facts.claim_count = 2;
    assert_string_equal(scene_fits(&scene, scene_put(&scene, &facts)), "a1");
    facts.name = facts.uid = "q";
    facts.claim_count = 3;
    assert_string_equal(scene_fits(&scene, scene_put(&scene, &facts)), "");
    static const char *const mixed[] = {"one", "other-1", "other-2"};
    facts.name = facts.uid = "r";
    facts.claims = mixed;
    const struct pod *pod = scene_put(&scene, &facts);
    assert_string_equal(scene_words(&scene, pod, "a1"),
                        "attach limit of driver other.example.com reached: 1");
    scene_end(&scene);
}

static void what_was_put_is_attached(void **state)
{
    (void)state;
    struct scene scene;
    scene_begin(&scene);
    scene_node(&scene, "a1", "a");
    put_limits(&scene, "a1", 1);
    put_bound(&scene, "one", "one", NULL, NULL);
    put_bound(&scene, "two", "two", NULL, NULL);
    const struct pod *first = put_pod(&scene, "p1", "", "one");
    const struct pod *second = put_pod(&scene, "p2", "", "two");
    const struct pod *again = put_pod(&scene, "p3", "", "one");
    struct packing *packing = scene_packing(&scene);
    assert_int_equal(packing_put(packing, first, NULL), 0);
    struct placement why;
    assert_int_equal(packing_put(packing, second, &why), UINT32_MAX);
    assert_int_equal(why.verdict, PLACEMENT_ATTACH_LIMIT);
    assert_int_equal(packing_put(packing, again, NULL), 0);
    scene_end(&scene);
}

static void a_new_machine_holds_as_many_as_a_live_one(void **state)
{
    (void)state;
    static const struct csi_driver_limit limits[] = {{"csi.example.com", 2}};
    static const struct labels labels;
    static const struct taints taints;
    static const struct resources allocatable = {.cpu_millis = 1000, .memory_bytes = GIB, .pods = 10};
    struct place place = {.name = "",
                          .labels = &labels,
                          .taints = &taints,
                          .allocatable = &allocatable,
                          .ready = true,
                          .attach_limits = limits,
                          .attach_limit_count = 1};
    struct scene scene;
    scene_begin(&scene);
    const struct pod *pods[5];
    for (uint32_t i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof(name), "c%u", i);
        put_bound(&scene, name, name, NULL, NULL);
        pods[i] = put_pod(&scene, name, "", name);
    }
    uint32_t landed[5];
    assert_int_equal(packing_count_on(scene_packing(&scene), &place, pods, 5, 9, landed), 3);
    assert_int_equal(landed[1], 0);
    assert_int_equal(landed[2], 1);
    assert_int_equal(landed[4], 2);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claim_that_cannot_be_used_keeps_its_pod_from_everywhere),
        cmocka_unit_test(a_claim_for_one_pod_only_is_used_once),
        cmocka_unit_test(a_volume_is_used_where_it_is),
        cmocka_unit_test(a_volume_that_will_be_made_follows_its_class),
        cmocka_unit_test(claims_are_looked_at_pod_by_pod),
        cmocka_unit_test(a_node_holds_so_many_volumes_of_a_driver),
        cmocka_unit_test(several_volumes_of_one_pod_count_together),
        cmocka_unit_test(what_was_put_is_attached),
        cmocka_unit_test(a_new_machine_holds_as_many_as_a_live_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

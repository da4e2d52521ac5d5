// Namespaces and volumes: what is told is kept and found, what is told again changes nothing, and which
// volumes hang on a node.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "coordinator/model/cluster.h"
#include "coordinator/model/volumes.h"
#include "tests/support/make_facts.h"

static struct cluster *cluster;
static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    cluster = cluster_create();
    arena = arena_create(1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(arena);
    cluster_destroy(cluster);
    return 0;
}

static struct claim_facts make_claim(const char *name, const char *volume_name)
{
    return (struct claim_facts){.space = "default",
                                .name = name,
                                .uid = name,
                                .volume_name = volume_name,
                                .class_name = "fast",
                                .bound = *volume_name != '\0',
                                .selected_node = ""};
}

static struct volume_facts make_volume(const char *name, const char *driver, const char *handle)
{
    return (struct volume_facts){.name = name, .uid = name, .driver = driver, .handle = handle};
}

static void put_claim(const char *name, const char *volume_name)
{
    struct claim_facts facts = make_claim(name, volume_name);
    cluster_put_claim(cluster, &facts);
}

static void put_volume(const char *name, const char *driver, const char *handle)
{
    struct volume_facts facts = make_volume(name, driver, handle);
    cluster_put_volume(cluster, &facts);
}

static void a_namespace_is_found_with_its_labels(void **state)
{
    (void)state;
    char value[] = "a";
    struct label label = {"team", value};
    struct namespace_facts facts = {.name = "shop", .labels = {&label, 1}};
    struct space *space = cluster_put_space(cluster, &facts);
    uint64_t version = cluster->version;
    assert_ptr_equal(cluster_put_space(cluster, &facts), space);
    assert_int_equal(cluster->version, version);
    value[0] = 'b';
    assert_string_equal(labels_get(&space->facts.labels, "team"), "a");
    assert_ptr_equal(cluster_put_space(cluster, &facts), space);
    assert_string_equal(labels_get(&space->facts.labels, "team"), "b");
    assert_true(cluster->version > version);
    assert_ptr_equal(cluster_space(cluster, "shop"), space);
    assert_null(cluster_space(cluster, "other"));
    assert_null(cluster_space(cluster, ""));
    version = cluster->version;
    assert_false(cluster_remove_space(cluster, "other"));
    assert_int_equal(cluster->version, version);
    assert_true(cluster_remove_space(cluster, "shop"));
    assert_true(cluster->version > version);
    assert_null(cluster_space(cluster, "shop"));
    assert_int_equal(cluster->space_count, 0);
}

static void a_claim_is_found_in_its_namespace(void **state)
{
    (void)state;
    struct claim_facts facts = make_claim("data", "");
    struct claim *claim = cluster_put_claim(cluster, &facts);
    facts.space = "another";
    struct claim *other = cluster_put_claim(cluster, &facts);
    assert_ptr_not_equal(claim, other);
    assert_ptr_equal(cluster_claim(cluster, "default", "data"), claim);
    assert_ptr_equal(cluster->claims[0], other); // sorted by namespace, then name
    facts = make_claim("data", "pv-1");
    facts.one_pod_only = true;
    uint64_t version = cluster->version;
    assert_ptr_equal(cluster_put_claim(cluster, &facts), claim);
    assert_true(cluster->version > version);
    assert_true(claim->facts.bound && claim->facts.one_pod_only && !claim->facts.lost);
    assert_string_equal(claim->facts.volume_name, "pv-1");
    assert_string_equal(claim->facts.class_name, "fast");
    assert_true(cluster_remove_claim(cluster, "default", "data"));
    assert_false(cluster_remove_claim(cluster, "default", "data"));
    assert_null(cluster_claim(cluster, "default", "data"));
    assert_ptr_equal(cluster_claim(cluster, "another", "data"), other);
}

static void a_volume_keeps_where_it_may_be_used(void **state)
{
    (void)state;
    char zone[] = "zone-a";
    const char *const values[] = {zone};
    struct requirement requirement = {
        .key = "zone", .operator= SELECTOR_IN, .values = values, .value_count = 1};
    struct node_term term = {.expressions = &requirement, .expression_count = 1};
    struct volume_facts facts = make_volume("pv-1", "csi.example.com", "h-1");
    facts.has_affinity = true;
    facts.affinity_terms = &term;
    facts.affinity_term_count = 1;
    struct volume *volume = cluster_put_volume(cluster, &facts);
    uint64_t version = cluster->version;
    cluster_put_volume(cluster, &facts);
    assert_int_equal(cluster->version, version);
    zone[5] = 'b';
    assert_string_equal(volume->facts.affinity_terms[0].expressions[0].values[0], "zone-a");
    cluster_put_volume(cluster, &facts);
    assert_true(cluster->version > version);
    assert_string_equal(volume->facts.affinity_terms[0].expressions[0].values[0], "zone-b");
    assert_ptr_equal(cluster_volume(cluster, "pv-1"), volume);
    assert_true(cluster_remove_volume(cluster, "pv-1"));
    assert_null(cluster_volume(cluster, "pv-1"));
}

static void a_storage_class_keeps_its_topologies(void **state)
{
    (void)state;
    struct requirement requirement = {.key = "zone", .operator= SELECTOR_IN, VALUES("zone-a")};
    struct node_term term = {.expressions = &requirement, .expression_count = 1};
    struct storage_class_facts facts = {
        .name = "fast", .provisioner = "csi.example.com", .waits_for_consumer = true};
    struct storage_class *class = cluster_put_storage_class(cluster, &facts);
    uint64_t version = cluster->version;
    facts.allowed_topologies = &term;
    facts.allowed_topology_count = 1;
    assert_ptr_equal(cluster_put_storage_class(cluster, &facts), class);
    assert_true(cluster->version > version);
    version = cluster->version;
    cluster_put_storage_class(cluster, &facts);
    assert_int_equal(cluster->version, version);
    assert_string_equal(class->facts.allowed_topologies[0].expressions[0].values[0], "zone-a");
    assert_ptr_equal(cluster_storage_class(cluster, "fast"), class);
    assert_true(cluster_remove_storage_class(cluster, "fast"));
    assert_false(cluster_remove_storage_class(cluster, "fast"));
}

static void a_csi_node_says_how_many_volumes_a_driver_can_attach(void **state)
{
    (void)state;
    struct csi_driver_limit limits[] = {{"csi.example.com", 8}, {"free.example.com", -1}};
    struct csi_node_facts facts = {.name = "n1", .drivers = limits, .driver_count = 2};
    struct csi_node *csi_node = cluster_put_csi_node(cluster, &facts);
    assert_int_equal(volumes_limit(cluster, "n1", "csi.example.com"), 8);
    assert_int_equal(volumes_limit(cluster, "n1", "free.example.com"), -1);
    assert_int_equal(volumes_limit(cluster, "n1", "other.example.com"), -1);
    assert_int_equal(volumes_limit(cluster, "n2", "csi.example.com"), -1);
    uint64_t version = cluster->version;
    cluster_put_csi_node(cluster, &facts);
    assert_int_equal(cluster->version, version);
    limits[0].volumes_max = 9;
    assert_ptr_equal(cluster_put_csi_node(cluster, &facts), csi_node);
    assert_int_equal(volumes_limit(cluster, "n1", "csi.example.com"), 9);
    facts.driver_count = 1;
    version = cluster->version;
    cluster_put_csi_node(cluster, &facts);
    assert_true(cluster->version > version);
    assert_ptr_equal(cluster_csi_node(cluster, "n1"), csi_node);
    assert_true(cluster_remove_csi_node(cluster, "n1"));
    assert_null(cluster_csi_node(cluster, "n1"));
}

// ---- what hangs on a node

static struct pod *put_pod_with(const char *name, const char *const *claims, uint32_t count)
{
    struct pod_facts facts = make_pod(name, "n1", 100, 1);
    facts.claims = claims;
    facts.claim_count = count;
    return cluster_put_pod(cluster, &facts);
}

static void attach(const char *name, const char *node_name, const char *volume_name)
{
    struct volume_attachment_facts facts = {
        .name = name, .node_name = node_name, .volume_name = volume_name, .attached = true};
    cluster_put_attachment(cluster, &facts);
}

static void a_node_s_volumes_are_counted_once_each(void **state)
{
    (void)state;
    static const char *const web[] = {"data", "shared"};
    static const char *const api[] = {"shared", "waiting", "static", "foreign", "missing"};
    struct node_facts node_facts = make_node("n1");
    struct node *node = cluster_put_node(cluster, &node_facts);
    struct storage_class_facts class = {.name = "fast", .provisioner = "csi.example.com"};
    cluster_put_storage_class(cluster, &class);
    class = (struct storage_class_facts){.name = "local", .provisioner = "", .no_provisioner = true};
    cluster_put_storage_class(cluster, &class);
    put_volume("pv-data", "csi.example.com", "h-1");
    put_volume("pv-shared", "csi.example.com", "h-2");
    put_volume("pv-foreign", "", "");
    put_volume("pv-held", "csi.example.com", "h-3");
    put_claim("data", "pv-data");
    put_claim("shared", "pv-shared");
    put_claim("waiting", "");
    put_claim("foreign", "pv-foreign");
    struct claim_facts unprovided = make_claim("static", "");
    unprovided.class_name = "local";
    cluster_put_claim(cluster, &unprovided);
    const struct pod *pod = put_pod_with("web", web, 2);
    assert_string_equal(pod->claims[1], "shared");
    put_pod_with("api", api, 5);
    attach("va-1", "n1", "pv-shared"); // used already
    attach("va-2", "n1", "pv-held");   // of a pod that went away
    attach("va-3", "n2", "pv-data");
    const struct volume_use *uses;
    assert_int_equal(volumes_of_node(cluster, node, arena, &uses), 4);
    static const char *const expected[] = {"default/waiting", "h-1", "h-2", "h-3"};
    for (uint32_t i = 0; i < 4; i++) {
        assert_string_equal(uses[i].driver, "csi.example.com");
        assert_string_equal(uses[i].volume, expected[i]);
    }
    assert_int_equal(volumes_of_pod(cluster, pod, arena, &uses), 2);
    assert_string_equal(uses[0].volume, "h-1");
    assert_string_equal(uses[1].volume, "h-2");
}

static void many_volumes_on_a_node_are_all_counted(void **state)
{
    (void)state;
    struct node_facts node_facts = make_node("n1");
    struct node *node = cluster_put_node(cluster, &node_facts);
    char names[40][16];
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof(names[i]), "v-%02d", i);
        put_volume(names[i], i % 2 == 0 ? "a.example.com" : "b.example.com", names[i]);
        put_claim(names[i], names[i]);
        put_pod_with(names[i], (const char *const[]){names[i]}, 1);
    }
    const struct volume_use *uses;
    assert_int_equal(volumes_of_node(cluster, node, arena, &uses), 40);
    assert_string_equal(uses[0].driver, "a.example.com");
    assert_string_equal(uses[39].volume, "v-39");
}

static void a_finished_pod_s_and_a_detached_volume_count_no_more(void **state)
{
    (void)state;
    static const char *const claims[] = {"data"};
    struct node_facts node_facts = make_node("n1");
    struct node *node = cluster_put_node(cluster, &node_facts);
    put_volume("pv-data", "csi.example.com", "h-1");
    put_volume("pv-held", "csi.example.com", "h-2");
    put_claim("data", "pv-data");
    put_pod_with("job", claims, 1);
    attach("va-1", "n1", "pv-held");
    const struct volume_use *uses;
    assert_int_equal(volumes_of_node(cluster, node, arena, &uses), 2);
    attach("va-1", "n2", "pv-held"); // told of another node
    assert_int_equal(volumes_of_node(cluster, node, arena, &uses), 1);
    attach("va-1", "n1", "pv-held");
    cluster_remove_attachment(cluster, "va-1");
    assert_int_equal(volumes_of_node(cluster, node, arena, &uses), 1);
    struct pod_facts facts = make_pod("job", "n1", 100, 1);
    facts.claims = claims;
    facts.claim_count = 1;
    facts.terminal = true;
    cluster_put_pod(cluster, &facts);
    assert_int_equal(volumes_of_node(cluster, node, arena, &uses), 0);
}

static void a_pod_s_claims_are_its_own_and_a_change_of_them_counts(void **state)
{
    (void)state;
    char name[] = "data";
    const char *const claims[] = {name};
    struct pod_facts facts = make_pod("web", "", 100, 1);
    facts.claims = claims;
    facts.claim_count = 1;
    const struct pod *pod = cluster_put_pod(cluster, &facts);
    uint64_t version = cluster->version;
    cluster_put_pod(cluster, &facts);
    assert_int_equal(cluster->version, version);
    name[0] = 'X';
    assert_string_equal(pod->claims[0], "data");
    facts.claim_count = 0;
    cluster_put_pod(cluster, &facts);
    assert_true(cluster->version > version);
    assert_int_equal(pod->claim_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_namespace_is_found_with_its_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(a_claim_is_found_in_its_namespace, setup, teardown),
        cmocka_unit_test_setup_teardown(a_volume_keeps_where_it_may_be_used, setup, teardown),
        cmocka_unit_test_setup_teardown(a_storage_class_keeps_its_topologies, setup, teardown),
        cmocka_unit_test_setup_teardown(a_csi_node_says_how_many_volumes_a_driver_can_attach, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_node_s_volumes_are_counted_once_each, setup, teardown),
        cmocka_unit_test_setup_teardown(many_volumes_on_a_node_are_all_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_finished_pod_s_and_a_detached_volume_count_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pod_s_claims_are_its_own_and_a_change_of_them_counts, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/model/cluster.h"
#include "tests/support/make_facts.h"

static struct cluster *cluster;

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

// ---- budgets

static void a_budget_selects_by_namespace_and_labels(void **state)
{
    (void)state;
    struct labels labels = LABELS({"app", "web"});
    struct pod_facts pod_facts = make_pod("web-1", "", 100, 1);
    pod_facts.shape.labels = labels;
    const struct pod *pod = cluster_put_pod(cluster, &pod_facts);
    struct requirement web = {.key = "app", .operator= SELECTOR_IN, VALUES("web")};
    struct requirement canary = {.key = "track", .operator= SELECTOR_EXISTS };
    struct budget_facts facts = make_budget("b", 1);
    struct requirement both[] = {web, canary};
    facts.selector = both;
    facts.selector_count = 1;
    assert_true(budget_selects(cluster_put_budget(cluster, &facts), pod));
    facts.selector_count = 2;
    assert_false(budget_selects(cluster_put_budget(cluster, &facts), pod));
    facts.selector_count = 0; // an empty selector selects all of its namespace
    assert_true(budget_selects(cluster_put_budget(cluster, &facts), pod));
    facts.selects_nothing = true;
    assert_false(budget_selects(cluster_put_budget(cluster, &facts), pod));
    facts = make_budget("b", 1);
    facts.space = "other";
    assert_false(budget_selects(cluster_put_budget(cluster, &facts), pod));
}

static void a_budget_told_again_changes_nothing(void **state)
{
    (void)state;
    struct requirement selector[] = {{.key = "app", .operator= SELECTOR_IN, VALUES("web")}};
    struct budget_facts facts = make_budget("b", 1);
    facts.selector = selector;
    facts.selector_count = 1;
    struct budget *budget = cluster_put_budget(cluster, &facts);
    uint64_t version = cluster->version;
    assert_ptr_equal(cluster_put_budget(cluster, &facts), budget);
    facts.generation = facts.observed_generation = 5;
    cluster_put_budget(cluster, &facts);
    assert_int_equal(cluster->version, version);
    facts.disruptions_allowed = 0;
    cluster_put_budget(cluster, &facts);
    assert_int_equal(cluster->version, version + 1);
    assert_int_equal(budget->disruptions_allowed, 0);
    assert_true(budget->current);
    facts.generation = 6;
    cluster_put_budget(cluster, &facts);
    assert_false(budget->current);
    selector[0].operator= SELECTOR_NOT_IN;
    cluster_put_budget(cluster, &facts);
    assert_int_equal(budget->selector[0].operator, SELECTOR_NOT_IN);
    assert_int_equal(cluster->version, version + 3);
}

static void budgets_are_ordered_by_namespace_and_name(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"b", "a"}, {"a", "b"}, {"a", "a"}, {"b", "b"}};
    for (int i = 0; i < 4; i++) {
        struct budget_facts facts = make_budget(names[i][1], 1);
        facts.space = names[i][0];
        cluster_put_budget(cluster, &facts);
    }
    assert_int_equal(cluster->budget_count, 4);
    for (uint32_t i = 1; i < 4; i++) {
        const struct budget *a = cluster->budgets[i - 1];
        const struct budget *b = cluster->budgets[i];
        assert_true(strcmp(a->space, b->space) < 0 ||
                    (strcmp(a->space, b->space) == 0 && strcmp(a->name, b->name) < 0));
    }
    uint64_t version = cluster->version;
    assert_true(cluster_remove_budget(cluster, "a", "b"));
    assert_false(cluster_remove_budget(cluster, "a", "b"));
    assert_int_equal(cluster->version, version + 1);
    assert_int_equal(cluster->budget_count, 3);
}

// ---- DaemonSets

static void a_daemonset_keeps_its_shape(void **state)
{
    (void)state;
    struct daemonset_facts facts = make_daemonset("proxy", 100, MIB);
    struct daemonset *daemonset = cluster_put_daemonset(cluster, &facts);
    uint64_t version = cluster->version;
    assert_ptr_equal(cluster_put_daemonset(cluster, &facts), daemonset);
    assert_int_equal(cluster->version, version);
    assert_int_equal(daemonset->shape->references, 1);
    facts.shape.requests.cpu_millis = 200;
    cluster_put_daemonset(cluster, &facts);
    assert_int_equal(daemonset->shape->facts.requests.cpu_millis, 200);
    facts.being_deleted = true;
    cluster_put_daemonset(cluster, &facts);
    assert_true(daemonset->being_deleted);
    facts.uid = "another";
    cluster_put_daemonset(cluster, &facts);
    assert_string_equal(daemonset->uid, "another");
    assert_int_equal(cluster->version, version + 3);
    assert_true(cluster_remove_daemonset(cluster, "kube-system", "proxy"));
    assert_false(cluster_remove_daemonset(cluster, "kube-system", "proxy"));
    assert_int_equal(cluster->daemonset_count, 0);
}

// ---- VolumeAttachments

static void attachments_come_and_go_without_moving_the_version(void **state)
{
    (void)state;
    struct volume_attachment_facts facts = {
        .name = "csi-1", .node_name = "n1", .volume_name = "pv-1", .attached = true};
    struct attachment *attachment = cluster_put_attachment(cluster, &facts);
    assert_string_equal(attachment->volume_name, "pv-1");
    assert_ptr_equal(cluster_put_attachment(cluster, &facts), attachment);
    facts.attached = false;
    cluster_put_attachment(cluster, &facts);
    assert_false(attachment->attached);
    facts.node_name = "n2";
    cluster_put_attachment(cluster, &facts);
    assert_string_equal(attachment->node_name, "n2");
    facts.name = "csi-0";
    cluster_put_attachment(cluster, &facts);
    assert_string_equal(cluster->attachments[0]->name, "csi-0");
    assert_true(cluster_remove_attachment(cluster, "csi-1"));
    assert_false(cluster_remove_attachment(cluster, "csi-1"));
    assert_int_equal(cluster->attachment_count, 1);
    assert_int_equal(cluster->version, 0);
}

// ---- groups and intentions

static void a_groups_status_is_kept_but_changes_no_decision(void **state)
{
    (void)state;
    struct nodegroup_facts facts = make_group("general");
    struct group *group = cluster_put_group(cluster, &facts);
    uint64_t version = cluster->version;
    struct condition_facts conditions[] = {
        {.type = "Ready", .status = TRISTATE_TRUE, .reason = "AllReady", .message = "3 of 3"}};
    facts.conditions = conditions;
    facts.condition_count = 1;
    facts.status_desired_nodes = 3;
    facts.status_vpsie_group_id = 7;
    facts.status_last_scale_up_ms = 8;
    facts.status_last_scale_down_ms = 9;
    facts.resource_version = "2";
    assert_ptr_equal(cluster_put_group(cluster, &facts), group);
    assert_string_equal(group->facts.conditions[0].message, "3 of 3");
    assert_int_equal(group->facts.status_desired_nodes, 3);
    assert_string_equal(group->facts.resource_version, "2");
    conditions[0].status = TRISTATE_FALSE;
    cluster_put_group(cluster, &facts);
    assert_int_equal(group->facts.conditions[0].status, TRISTATE_FALSE);
    facts.resource_version = "3";
    cluster_put_group(cluster, &facts);
    assert_string_equal(group->facts.resource_version, "3");
    assert_int_equal(cluster->version, version);
}

static void any_other_change_of_a_group_is_a_change(void **state)
{
    (void)state;
    static const char *const ids[] = {"a", "b"};
    struct labels labels = LABELS({"team", "a"});
    struct taints taints = TAINTS({"gpu", "", TAINT_NO_SCHEDULE});
    struct nodegroup_facts facts = make_group("general");
    struct group *group = cluster_put_group(cluster, &facts);
    for (int change = 0; change < 29; change++) {
        switch (change) {
        case 0: facts.generation = 2; break;
        case 1: facts.deletion_ms = 2; break;
        case 2: facts.labels = labels; break;
        case 3: facts.annotations = labels; break;
        case 4: facts.managed = false; break;
        case 5: facts.has_finalizer = true; break;
        case 6: facts.min_nodes = 2; break;
        case 7: facts.max_nodes = 20; break;
        case 8: facts.datacenter_id = "dc-2"; break;
        case 9: facts.resource_identifier = "cluster-2"; break;
        case 10: facts.project = "p"; break;
        case 11:
            facts.offering_ids = ids;
            facts.offering_count = 1;
            break;
        case 12: facts.offering_count = 2; break;
        case 13: facts.kubernetes_version = "v1.31.0"; break;
        case 14: facts.os_image_id = "os"; break;
        case 15: facts.preferred_instance_type = "big"; break;
        case 16: facts.notes = "mine"; break;
        case 17: facts.allow_mixed_instances = false; break;
        case 18: facts.kube_size_id = 43; break;
        case 19: facts.node_labels = labels; break;
        case 20: facts.node_taints = taints; break;
        case 21:
            facts.ssh_key_ids = ids;
            facts.ssh_key_count = 2;
            break;
        case 22: facts.tag_count = 1; break;
        case 23: facts.spot_enabled = true; break;
        case 24: facts.multi_region_enabled = true; break;
        case 25: facts.scale_up.enabled = true; break;
        case 26: facts.scale_down.cooldown_seconds = 600; break;
        case 27: facts.invalid = "min is above max"; break;
        case 28: facts.created_ms = 7; break;
        default: break;
        }
        uint64_t version = cluster->version;
        assert_ptr_equal(cluster_put_group(cluster, &facts), group);
        if (cluster->version != version + 1)
            fail_msg("change %d was not seen", change);
    }
    assert_string_equal(group->facts.offering_ids[1], "b");
    assert_string_equal(group->facts.ssh_key_ids[0], "a");
    assert_int_equal(group->facts.scale_down.cooldown_seconds, 600);
    assert_string_equal(group->facts.node_taints.items[0].key, "gpu");
}

static int freed_groups;
static int freed_intentions;

static void free_group_decide(void *decide)
{
    freed_groups += *(int *)decide;
}

static void free_intention_decide(void *decide)
{
    freed_intentions += *(int *)decide;
}

static void what_decide_keeps_goes_with_the_object(void **state)
{
    (void)state;
    static int one = 1;
    freed_groups = freed_intentions = 0;
    struct cluster *own = cluster_create();
    own->free_group_decide = free_group_decide;
    own->free_intention_decide = free_intention_decide;
    struct nodegroup_facts group_facts = make_group("a");
    struct intention_facts intention_facts = make_intention("i", "a");
    cluster_put_group(own, &group_facts)->decide = &one;
    struct intention *intention = cluster_put_intention(own, &intention_facts);
    intention->decide = &one;
    intention_facts.phase = INTENTION_READY;
    assert_ptr_equal(cluster_put_intention(own, &intention_facts)->decide, &one); // a change keeps it
    intention_facts.uid = "another";
    assert_null(cluster_put_intention(own, &intention_facts)->decide); // another object does not
    assert_int_equal(freed_intentions, 1);
    group_facts.uid = "another";
    assert_null(cluster_put_group(own, &group_facts)->decide);
    assert_int_equal(freed_groups, 1);
    cluster_group(own, NULL, "a")->decide = &one;
    cluster_intention(own, NULL, "i")->decide = &one;
    cluster_remove_intention(own, "kube-system", "i");
    assert_int_equal(freed_intentions, 2);
    cluster_destroy(own);
    assert_int_equal(freed_groups, 2);
}

static void any_change_of_an_intention_is_a_change(void **state)
{
    (void)state;
    struct labels labels = LABELS({KEY_CREATED_BY, CREATED_BY_US});
    struct intention_facts facts = make_intention("i", "general");
    struct intention *intention = cluster_put_intention(cluster, &facts);
    uint64_t start = cluster->version;
    facts.resource_version = "2";
    cluster_put_intention(cluster, &facts);
    cluster_put_intention(cluster, &facts);
    assert_string_equal(intention->facts.resource_version, "2");
    assert_int_equal(cluster->version, start);
    for (int change = 0; change < 24; change++) {
        switch (change) {
        case 0: facts.phase = INTENTION_PROVISIONING; break;
        case 1: facts.created_ms = 2; break;
        case 2: facts.deletion_ms = 2; break;
        case 3: facts.has_finalizer = true; break;
        case 4: facts.labels = labels; break;
        case 5: facts.annotations = labels; break;
        case 6: facts.group_name = "other"; break;
        case 7: facts.owner_uid = "o"; break;
        case 8: facts.vpsie_instance_id = 1; break;
        case 9: facts.identifier = "vps-1"; break;
        case 10: facts.vpsie_group_id = 3; break;
        case 11: facts.instance_type = "big"; break;
        case 12: facts.datacenter_id = "dc-2"; break;
        case 13: facts.node_name = "n1"; break;
        case 14: facts.ip_address = "10.0.0.1"; break;
        case 15: facts.hostname = "h"; break;
        case 16: facts.status_created_ms = 1; break;
        case 17: facts.provisioned_ms = 1; break;
        case 18: facts.joined_ms = 1; break;
        case 19: facts.ready_ms = 1; break;
        case 20: facts.terminating_ms = 1; break;
        case 21: facts.deleted_ms = 1; break;
        case 22: facts.last_error = "no"; break;
        case 23: facts.kubernetes_version = "v1.31.0"; break;
        default: break;
        }
        uint64_t version = cluster->version;
        assert_ptr_equal(cluster_put_intention(cluster, &facts), intention);
        if (cluster->version != version + 1)
            fail_msg("change %d was not seen", change);
    }
    assert_string_equal(labels_get(&intention->facts.annotations, KEY_CREATED_BY), CREATED_BY_US);
}

// ---- the AutoscalerConfig

static void a_group_s_regions_and_costs_are_kept_and_compared(void **state)
{
    (void)state;
    char datacenter[] = "dc-1";
    const char *datacenters[] = {datacenter, "dc-2"};
    struct region_weight weights[] = {{datacenter, 3}, {"dc-2", 1}};
    struct nodegroup_facts facts = make_group("general");
    facts.multi_region = (struct multi_region_facts){.enabled = true,
                                                     .datacenter_ids = datacenters,
                                                     .datacenter_count = 2,
                                                     .distribution = DISTRIBUTION_WEIGHTED,
                                                     .weights = weights,
                                                     .weight_count = 2,
                                                     .primary = "dc-2",
                                                     .nodes_per_region_min = 1};
    facts.cost = (struct cost_facts){.enabled = true, .strategy = COST_MANUAL, .monthly_savings_min = 10.5};
    const struct group *group = cluster_put_group(cluster, &facts);
    uint64_t version = cluster->version;
    cluster_put_group(cluster, &facts);
    assert_int_equal(cluster->version, version);
    datacenter[3] = '9';
    assert_string_equal(group->facts.multi_region.datacenter_ids[0], "dc-1");
    assert_string_equal(group->facts.multi_region.weights[0].datacenter_id, "dc-1");
    assert_int_equal(group->facts.multi_region.weights[1].weight, 1);
    assert_string_equal(group->facts.multi_region.primary, "dc-2");
    cluster_put_group(cluster, &facts); // another data centre, in both lists
    assert_true(cluster->version > version);
    version = cluster->version;
    weights[1].weight = 2;
    cluster_put_group(cluster, &facts);
    assert_true(cluster->version > version);
    version = cluster->version;
    facts.multi_region.weight_count = 1;
    cluster_put_group(cluster, &facts);
    assert_true(cluster->version > version);
    version = cluster->version;
    facts.cost.monthly_savings_min = 11;
    cluster_put_group(cluster, &facts);
    assert_true(cluster->version > version);
}

static void the_config_s_budgets_and_defaults_are_kept_and_compared(void **state)
{
    (void)state;
    char word[] = "general";
    const char *groups[] = {word};
    struct disruption_budget_facts budgets[] = {
        {.nodes_max = 3, .schedule = "", .groups = groups, .group_count = 1},
        {.nodes_max = -1, .percent = 10, .schedule = "0 9 * * *", .duration_seconds = 28800},
    };
    struct nodegroup_facts defaults = make_group("");
    struct config_facts facts = {.uid = "u",
                                 .resource_version = "1",
                                 .budgets = budgets,
                                 .budget_count = 2,
                                 .group_defaults = &defaults,
                                 .invalid = ""};
    cluster_put_config(cluster, &facts);
    uint64_t version = cluster->version;
    cluster_put_config(cluster, &facts);
    assert_int_equal(cluster->version, version);
    word[0] = 'X';
    assert_string_equal(cluster->config->budgets[0].groups[0], "general");
    assert_string_equal(cluster->config->budgets[1].schedule, "0 9 * * *");
    assert_int_equal(cluster->config->budgets[1].percent, 10);
    assert_string_equal(cluster->config->group_defaults->datacenter_id, "dc-1");
    cluster_put_config(cluster, &facts); // another group
    assert_true(cluster->version > version);
    version = cluster->version;
    budgets[1].duration_seconds = 60;
    cluster_put_config(cluster, &facts);
    assert_true(cluster->version > version);
    version = cluster->version;
    defaults.max_nodes = 3;
    cluster_put_config(cluster, &facts);
    assert_true(cluster->version > version);
    assert_int_equal(cluster->config->group_defaults->max_nodes, 3);
    version = cluster->version;
    facts.group_defaults = NULL;
    cluster_put_config(cluster, &facts);
    assert_true(cluster->version > version);
    assert_null(cluster->config->group_defaults);
    facts.budget_count = 1;
    cluster_put_config(cluster, &facts);
    assert_int_equal(cluster->config->budget_count, 1);
    facts.consolidation = true;
    cluster_put_config(cluster, &facts);
    assert_true(cluster->config->consolidation);
}

static void the_config_is_put_changed_and_removed(void **state)
{
    (void)state;
    struct config_facts facts = {.uid = "u", .resource_version = "1", .generation = 1, .invalid = ""};
    cluster_put_config(cluster, NULL);
    assert_int_equal(cluster->version, 0);
    cluster_put_config(cluster, &facts);
    assert_int_equal(cluster->version, 1);
    facts.resource_version = "2";
    cluster_put_config(cluster, &facts);
    cluster_put_config(cluster, &facts);
    assert_string_equal(cluster->config->resource_version, "2");
    assert_int_equal(cluster->version, 1);
    facts.max_cluster_workers = 9;
    facts.paused = true;
    cluster_put_config(cluster, &facts);
    assert_int_equal(cluster->config->max_cluster_workers, 9);
    assert_true(cluster->config->paused);
    assert_int_equal(cluster->version, 2);
    cluster_put_config(cluster, NULL);
    assert_null(cluster->config);
    assert_int_equal(cluster->version, 3);
    cluster_put_config(cluster, &facts);
}

// ---- VPSie's lists

static void machines_are_replaced_as_a_list(void **state)
{
    (void)state;
    struct machine_facts machines[] = {
        {.id = 1,
         .identifier = "a",
         .hostname = "h1",
         .default_ip = "",
         .private_ip = "",
         .datacenter_id = "dc",
         .status = "active",
         .role = MACHINE_ROLE_WORKER,
         .cpu = 2},
        {.id = 2,
         .identifier = "b",
         .hostname = "h2",
         .default_ip = "",
         .private_ip = "",
         .datacenter_id = "dc",
         .status = "active",
         .role = MACHINE_ROLE_MASTER},
    };
    struct cloud_cluster *cloud = cluster_put_machines(cluster, "cluster-1", 100, machines, 2);
    assert_int_equal(cloud->machine_count, 2);
    assert_string_equal(cloud->machines[1].hostname, "h2");
    assert_int_equal(cloud->groups_at_ms, 0);
    const struct machine_facts *kept = cloud->machines;
    cloud = cluster_put_machines(cluster, "cluster-1", 200, machines, 2);
    assert_ptr_equal(cloud->machines, kept); // the same list is not copied again
    assert_int_equal(cloud->machines_at_ms, 200);
    machines[0].status = "gone";
    cloud = cluster_put_machines(cluster, "cluster-1", 300, machines, 1);
    assert_int_equal(cloud->machine_count, 1);
    assert_string_equal(cloud->machines[0].status, "gone");
    cloud = cluster_put_machines(cluster, "cluster-1", 400, NULL, 0);
    assert_int_equal(cloud->machine_count, 0);
    assert_int_equal(cluster->version, 0);
}

static void an_empty_first_answer_is_an_answer(void **state)
{
    (void)state;
    assert_null(cluster_cloud(cluster, "cluster-1"));
    const struct cloud_cluster *cloud = cluster_put_machines(cluster, "cluster-1", 100, NULL, 0);
    assert_int_equal(cloud->machines_at_ms, 100);
    assert_int_equal(cloud->machine_count, 0);
    assert_int_equal(cluster_put_offers(cluster, "dc-1", 100, NULL, 0)->at_ms, 100);
    assert_int_equal(cluster_put_vpsie_groups(cluster, "cluster-1", 100, NULL, 0)->groups_at_ms, 100);
}

static void clusters_and_data_centres_are_kept_apart_and_in_order(void **state)
{
    (void)state;
    static const char *const names[] = {"d", "b", "a", "e", "c", "f"};
    struct vpsie_group_facts group = {.identifier = "", .name = "g", .datacenter_id = "dc", .active = true};
    struct offer_facts offer = {.name = "small", .cpu = 1};
    for (int i = 0; i < 6; i++) {
        group.id = offer.id = names[i][0];
        cluster_put_vpsie_groups(cluster, names[i], 5, &group, 1);
        cluster_put_offers(cluster, names[i], 6, &offer, 1);
    }
    assert_int_equal(cluster->cloud_count, 6);
    assert_int_equal(cluster->offers_count, 6);
    for (uint32_t i = 0; i < 6; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        assert_ptr_equal(cluster_cloud(cluster, name), &cluster->clouds[i]);
        assert_int_equal(cluster->clouds[i].groups[0].id, name[0]);
        assert_ptr_equal(cluster_offers(cluster, name), &cluster->offers[i]);
        assert_int_equal(cluster->offers[i].offers[0].id, name[0]);
    }
    assert_null(cluster_offers(cluster, "z"));
    uint64_t version = cluster->version;
    offer.id = 'a';
    cluster_put_offers(cluster, "a", 7, &offer, 1);
    assert_int_equal(cluster->version, version);
    offer.price_hour = 0.5;
    cluster_put_offers(cluster, "a", 8, &offer, 1);
    assert_int_equal(cluster->version, version + 1);
    group.id = 'a';
    cluster_put_vpsie_groups(cluster, "a", 9, &group, 1);
    assert_int_equal(cluster->version, version + 1);
    group.nodes_count = 4;
    cluster_put_vpsie_groups(cluster, "a", 9, &group, 1);
    assert_int_equal(cluster->version, version + 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_budget_selects_by_namespace_and_labels),
        TEST(a_budget_told_again_changes_nothing),
        TEST(budgets_are_ordered_by_namespace_and_name),
        TEST(a_daemonset_keeps_its_shape),
        TEST(attachments_come_and_go_without_moving_the_version),
        TEST(a_groups_status_is_kept_but_changes_no_decision),
        TEST(any_other_change_of_a_group_is_a_change),
        TEST(what_decide_keeps_goes_with_the_object),
        TEST(any_change_of_an_intention_is_a_change),
        TEST(a_group_s_regions_and_costs_are_kept_and_compared),
        TEST(the_config_s_budgets_and_defaults_are_kept_and_compared),
        TEST(the_config_is_put_changed_and_removed),
        TEST(machines_are_replaced_as_a_list),
        TEST(an_empty_first_answer_is_an_answer),
        TEST(clusters_and_data_centres_are_kept_apart_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

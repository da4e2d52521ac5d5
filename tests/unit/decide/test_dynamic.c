// NodeGroups that are made for pods that no other fits, and go when they are empty for long.
#include <stdio.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/unit/decide/policy_stage.h"

static struct stage *stage;

static int setup(void **state)
{
    (void)state;
    stage = stage_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stage_destroy(stage);
    return 0;
}

static const char *const LARGE[] = {"20"};

static struct nodegroup_facts group; // nodeGroupDefaults

static void configure(bool enabled, bool defaults)
{
    group = (struct nodegroup_facts){.space = "default",
                                     .name = "",
                                     .uid = "",
                                     .resource_version = "",
                                     .min_nodes = 1,
                                     .max_nodes = 7,
                                     .datacenter_id = "",
                                     .resource_identifier = "",
                                     .project = "",
                                     .kubernetes_version = "",
                                     .os_image_id = "",
                                     .preferred_instance_type = "",
                                     .notes = "",
                                     .offering_ids = LARGE,
                                     .offering_count = 1,
                                     .allow_mixed_instances = true,
                                     .scale_up = {.enabled = true, .stabilization_seconds = 60},
                                     .scale_down = {.enabled = true, .stabilization_seconds = 600},
                                     .multi_region = {.primary = ""},
                                     .invalid = "",
                                     .doubtful = ""};
    struct event *event = stage_config_event(stage);
    struct config_facts *config = (struct config_facts *)(uintptr_t)event->object.config;
    config->dynamic_groups = enabled;
    config->group_defaults = defaults ? &group : NULL;
    config->max_concurrent_scale_ups = 0;
    stage_step(stage, event);
}

static struct event *special_pod(const char *name)
{
    static const struct toleration GPU = {
        .key = "gpu", .value = "yes", .operator= TOLERATION_EQUAL, .effect = TAINT_NO_SCHEDULE};
    struct event *event = stage_pod_event(stage, name, "", 1000, 64);
    struct pod_facts *facts = (struct pod_facts *)(uintptr_t)event->object.pod;
    stage_label(event, &facts->shape.node_selector, "kind", "special");
    facts->shape.tolerations = &GPU;
    facts->shape.toleration_count = 1;
    return event;
}

static const struct nodegroup_facts *asked(void)
{
    const struct command *command = stage_find(stage, COMMAND_KUBE_CREATE_NODEGROUP);
    return command != NULL ? command->create_nodegroup.facts : NULL;
}

static void a_pod_that_no_group_fits_gets_one_with_its_labels_and_taints(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    stage_wait(stage, 70000);
    configure(true, true);
    stage_step(stage, special_pod("p-1"));
    stage_step(stage, special_pod("p-2"));
    stage_wait(stage, 5000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_CREATE_NODEGROUP), 1);
    const struct nodegroup_facts *facts = asked();
    assert_non_null(facts);
    assert_string_equal(labels_get(&facts->node_labels, "kind"), "special");
    assert_int_equal(facts->node_taints.count, 1);
    assert_string_equal(facts->node_taints.items[0].key, "gpu");
    assert_int_equal(facts->min_nodes, 0);
    assert_int_equal(facts->max_nodes, 7);
    assert_string_equal(facts->datacenter_id, STAGE_DATACENTER); // as the first NodeGroup's
    assert_string_equal(labels_get(&facts->labels, KEY_MANAGED), "true");
    assert_string_equal(labels_get(&facts->annotations, KEY_CREATED_BY), CREATED_BY_US);
    assert_int_equal(stage_coming(stage, "general"), 0);
}

static void it_is_asked_for_once_and_again_only_after_a_while(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    stage_wait(stage, 70000);
    configure(true, true);
    stage_step(stage, special_pod("p-1"));
    for (int i = 0; i < 10; i++) {
        stage_wait(stage, 5000);
        stage_step(stage, event_create(EVENT_KUBE_SYNCED));
    }
    assert_int_equal(stage_count(stage, COMMAND_KUBE_CREATE_NODEGROUP), 1);
}

static void nothing_is_made_where_that_is_not_wanted_or_would_not_help(void **state)
{
    (void)state;
    for (int which = 0; which < 5; which++) {
        stage_group(stage, "general", 0, 10);
        stage_wait(stage, 70000);
        stage->core->config.dry_run = which == 2;
        configure(which != 0, which != 1);
        struct event *event = special_pod("p-1");
        struct pod_facts *facts = (struct pod_facts *)(uintptr_t)event->object.pod;
        if (which == 3)
            facts->shape.requests.cpu_millis = 9000; // of no size
        if (which == 4)
            stage_label(event, &facts->shape.node_selector, "kubernetes.io/arch", "arm64"); // of no machine
        stage_step(stage, event);
        stage_wait(stage, 5000);
        assert_int_equal(stage_count(stage, COMMAND_KUBE_CREATE_NODEGROUP), 0);
        stage_destroy(stage);
        stage = stage_create();
    }
}

static void a_pod_that_only_a_limit_keeps_waiting_gets_no_group(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 1);
    stage_wait(stage, 70000);
    configure(true, true);
    stage_waiting(stage, "web", 20, 1000, 64);
    stage_wait(stage, 5000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_CREATE_NODEGROUP), 0);
}

static void made_group(const char *name, bool by_us)
{
    struct event *event = stage_group_event(stage, name, 0, 5);
    stage_label(event, &event->object.group->annotations, KEY_PREFIX "dynamic", "true");
    if (by_us)
        stage_label(event, &event->object.group->annotations, KEY_CREATED_BY, CREATED_BY_US);
    stage_step(stage, event);
}

static void a_made_group_goes_when_it_has_been_empty_for_half_an_hour(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    made_group("dynamic-1", true);
    made_group("of-a-person", false);
    for (int i = 0; i < 29; i++)
        stage_wait(stage, 60000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_DELETE_NODEGROUP), 0);
    stage_wait(stage, 70000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_DELETE_NODEGROUP), 1);
    assert_string_equal(stage_find(stage, COMMAND_KUBE_DELETE_NODEGROUP)->delete_nodegroup.name, "dynamic-1");
}

static void a_made_group_with_a_machine_or_pods_that_want_it_stays(void **state)
{
    (void)state;
    stage_group(stage, "general", 0, 10);
    made_group("dynamic-1", true);
    stage_machine(stage, "w-1", "dynamic-1");
    stage_running(stage, "web", "w-1", 3000, 64);
    for (int i = 0; i < 40; i++) {
        stage_reports(stage);
        stage_wait(stage, 60000);
    }
    assert_int_equal(stage_count(stage, COMMAND_KUBE_DELETE_NODEGROUP), 0);
}

static void the_last_group_stays(void **state)
{
    (void)state;
    made_group("dynamic-1", true);
    for (int i = 0; i < 40; i++)
        stage_wait(stage, 60000);
    assert_int_equal(stage_count(stage, COMMAND_KUBE_DELETE_NODEGROUP), 0);
}

static void what_node_affinity_asks_for_by_value_is_taken_in_order(void **state)
{
    (void)state;
    static const char *const VALUES[] = {"ssd", "nvme"};
    static const struct requirement ASKED[] = {
        {.key = "disk", .operator= SELECTOR_IN, .values = VALUES, .value_count = 2},
        {.key = "old", .operator= SELECTOR_DOES_NOT_EXIST } };
    static const struct node_term TERM = {.expressions = ASKED, .expression_count = 2};
    stage_group(stage, "general", 0, 10);
    stage_wait(stage, 70000);
    configure(true, true);
    struct event *event = special_pod("p-1");
    event->object.pod->shape.has_affinity = true;
    event->object.pod->shape.affinity_terms = &TERM;
    event->object.pod->shape.affinity_term_count = 1;
    stage_step(stage, event);
    stage_wait(stage, 5000);
    assert_non_null(asked());
    const struct labels *labels = &asked()->node_labels;
    assert_int_equal(labels->count, 2);
    assert_string_equal(labels->items[0].key, "disk");
    assert_string_equal(labels->items[0].value, "ssd");
    assert_string_equal(labels->items[1].key, "kind");
}

static void the_labels_and_taints_of_the_defaults_come_along_each_once(void **state)
{
    (void)state;
    static const struct label TEAM = {"team", "x"};
    static const struct taint GPU = {"gpu", "yes", TAINT_NO_SCHEDULE};
    stage_group(stage, "general", 0, 10);
    stage_wait(stage, 70000);
    configure(true, true);
    group.node_labels = (struct labels){&TEAM, 1};
    group.node_taints = (struct taints){&GPU, 1};
    struct event *event = stage_config_event(stage);
    event->object.config->dynamic_groups = true;
    event->object.config->max_concurrent_scale_ups = 0;
    event->object.config->group_defaults = &group;
    stage_step(stage, event);
    stage_step(stage, special_pod("p-1")); // tolerates the very taint
    stage_wait(stage, 5000);
    assert_non_null(asked());
    assert_string_equal(labels_get(&asked()->node_labels, "team"), "x");
    assert_string_equal(labels_get(&asked()->node_labels, "kind"), "special");
    assert_int_equal(asked()->node_taints.count, 1);
    assert_string_equal(asked()->node_taints.items[0].key, "gpu");
}

static void what_is_left_open_is_not_taken_from_a_group_that_is_not_ours(void **state)
{
    (void)state;
    struct event *event = stage_group_event(stage, "a-foreign", 0, 10);
    event->object.group->managed = false;
    event->object.group->datacenter_id = "dc-9";
    event->object.group->status_vpsie_group_id = 0;
    stage_step(stage, event);
    stage_group(stage, "general", 0, 10);
    stage_wait(stage, 70000);
    configure(true, true);
    stage_step(stage, special_pod("p-1"));
    stage_wait(stage, 5000);
    assert_non_null(asked());
    assert_string_equal(asked()->datacenter_id, STAGE_DATACENTER);
}

static void a_size_that_has_its_group_in_vpsie_or_more_labels_than_fit_make_none(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        stage_group(stage, "general", 0, 10);
        if (which == 0) { // VPSie gives a size to one group of a cluster only
            struct event *event = stage_group_event(stage, "large", 0, 10);
            event->object.group->kube_size_id = 20;
            event->object.group->status_vpsie_group_id = 8;
            stage_step(stage, event);
        }
        stage_wait(stage, 70000);
        configure(true, true);
        struct event *event = special_pod("p-1");
        for (int i = 0; which == 1 && i < 16; i++)
            stage_label(event, &event->object.pod->shape.node_selector,
                        arena_printf(event->arena, "key-%02d", i), "x");
        stage_step(stage, event);
        stage_wait(stage, 5000);
        assert_int_equal(stage_count(stage, COMMAND_KUBE_CREATE_NODEGROUP), which == 2);
        stage_destroy(stage);
        stage = stage_create();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pod_that_no_group_fits_gets_one_with_its_labels_and_taints),
        TEST(it_is_asked_for_once_and_again_only_after_a_while),
        TEST(nothing_is_made_where_that_is_not_wanted_or_would_not_help),
        TEST(a_pod_that_only_a_limit_keeps_waiting_gets_no_group),
        TEST(a_made_group_goes_when_it_has_been_empty_for_half_an_hour),
        TEST(a_made_group_with_a_machine_or_pods_that_want_it_stays),
        TEST(the_last_group_stays),
        TEST(what_node_affinity_asks_for_by_value_is_taken_in_order),
        TEST(the_labels_and_taints_of_the_defaults_come_along_each_once),
        TEST(what_is_left_open_is_not_taken_from_a_group_that_is_not_ours),
        TEST(a_size_that_has_its_group_in_vpsie_or_more_labels_than_fit_make_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

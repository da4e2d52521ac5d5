// Namespaces and volumes reach the model by their events, and leave it by them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/decide/state.h"

static struct core *core;

static int setup(void **state)
{
    (void)state;
    struct core_config config = core_config_default();
    core = core_create(&config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    core_destroy(core);
    return 0;
}

static void step(struct event *event)
{
    struct commands *out = commands_create();
    event->now_ms = 1000;
    core_step(core, event, out);
    commands_destroy(out);
    event_destroy(event);
}

static struct event *object(enum object_kind kind)
{
    struct event *event = event_create(EVENT_OBJECT);
    event->object.kind = kind;
    return event;
}

static void gone(enum object_kind kind, const char *space, const char *name)
{
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = kind;
    event->gone.space = space;
    event->gone.name = name;
    event->gone.uid = "";
    step(event);
}

static void what_is_told_of_volumes_is_in_the_model_until_it_is_gone(void **state)
{
    (void)state;
    struct namespace_facts space = {.name = "shop"};
    struct claim_facts claim = {.space = "shop", .name = "data", .class_name = "fast"};
    struct volume_facts volume = {.name = "pv-1", .driver = "d"};
    struct storage_class_facts class = {.name = "fast", .provisioner = "d"};
    struct csi_driver_limit limit = {"d", 3};
    struct csi_node_facts csi_node = {.name = "w-1", .drivers = &limit, .driver_count = 1};
    struct event *event = object(OBJECT_NAMESPACE);
    event->object.space = &space;
    step(event);
    event = object(OBJECT_CLAIM);
    event->object.claim = &claim;
    step(event);
    event = object(OBJECT_VOLUME);
    event->object.volume = &volume;
    step(event);
    event = object(OBJECT_STORAGE_CLASS);
    event->object.storage_class = &class;
    step(event);
    event = object(OBJECT_CSI_NODE);
    event->object.csi_node = &csi_node;
    step(event);
    const struct cluster *cluster = core->cluster;
    assert_non_null(cluster_space(cluster, "shop"));
    assert_string_equal(cluster_claim(cluster, "shop", "data")->facts.class_name, "fast");
    assert_string_equal(cluster_volume(cluster, "pv-1")->facts.driver, "d");
    assert_string_equal(cluster_storage_class(cluster, "fast")->facts.provisioner, "d");
    assert_int_equal(cluster_csi_node(cluster, "w-1")->facts.drivers[0].volumes_max, 3);
    gone(OBJECT_NAMESPACE, "", "shop");
    gone(OBJECT_CLAIM, "shop", "data");
    gone(OBJECT_VOLUME, "", "pv-1");
    gone(OBJECT_STORAGE_CLASS, "", "fast");
    gone(OBJECT_CSI_NODE, "", "w-1");
    assert_null(cluster_space(cluster, "shop"));
    assert_null(cluster_claim(cluster, "shop", "data"));
    assert_null(cluster_volume(cluster, "pv-1"));
    assert_null(cluster_storage_class(cluster, "fast"));
    assert_null(cluster_csi_node(cluster, "w-1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_told_of_volumes_is_in_the_model_until_it_is_gone, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

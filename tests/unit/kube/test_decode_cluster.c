// Nodes, budgets, DaemonSets and attachments become facts; what is unreadable errs on the safe side.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/decode.h"

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_create(4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

static struct node_facts node_of(const char *text)
{
    AUTOJSON cJSON *json = script_parse(text);
    struct node_facts node;
    struct error error = {0};
    if (decode_node(json, arena, &node, &error) < 0)
        fail_msg("%s", error.text);
    return node;
}

static void a_node_is_read_whole(void **state)
{
    (void)state;
    struct node_facts node = node_of(
        "{'metadata':{'name':'w-1','uid':'u','resourceVersion':'44','creationTimestamp':'2026-01-01T00:00:"
        "00Z',"
        "'labels':{'z':'1','a':'2'},'annotations':{'autoscaler.vpsie.com/protected':'true','other/x':'y',"
        "'cluster-autoscaler.kubernetes.io/scale-down-disabled':'true'}},"
        "'spec':{'unschedulable':true,'providerID':'vpsie://"
        "7','taints':[{'key':'t','value':'v','effect':'NoExecute'}]},"
        "'status':{'capacity':{'cpu':'4','memory':'8Gi','pods':'110','ephemeral-storage':'50Gi','nvidia.com/"
        "gpu':'1'},"
        "'allocatable':{'cpu':'3900m','memory':'7Gi','pods':'110','hugepages-2Mi':'0'},"
        "'conditions':[{'type':'NetworkUnavailable','status':'True'},{'type':'Ready','status':'True',"
        "'lastTransitionTime':'2026-01-01T00:00:09Z'}],"
        "'addresses':[{'type':'InternalIP','address':'10.0.0.1'},{'type':'InternalIP','address':'fd00::1'},"
        "{'type':'Hostname','address':'w-1.lan'},{'type':'ExternalIP','address':'1.2.3.4'}],"
        "'nodeInfo':{'kubeletVersion':'v1.30.2'}}}");
    assert_string_equal(node.name, "w-1");
    assert_string_equal(node.resource_version, "44");
    assert_int_equal(node.labels.count, 2);
    assert_string_equal(node.labels.items[0].key, "a");
    assert_int_equal(node.annotations.count, 2);
    assert_true(node.unschedulable);
    assert_int_equal(node.taints.count, 1);
    assert_int_equal(node.taints.items[0].effect, TAINT_NO_EXECUTE);
    assert_int_equal(node.capacity.cpu_millis, 4000);
    assert_int_equal(node.capacity.pods, 110);
    assert_int_equal(node.capacity.extended_count, 1);
    assert_int_equal(node.allocatable.cpu_millis, 3900);
    assert_int_equal(node.allocatable.extended_count, 0);
    assert_int_equal(node.ready, NODE_READY_TRUE);
    assert_int_equal(node.ready_changed_ms - node.created_ms, 9000);
    assert_true(node.network_unavailable);
    assert_string_equal(node.hostname, "w-1.lan");
    assert_string_equal(node.internal_ip, "10.0.0.1");
    assert_string_equal(node.external_ip, "1.2.3.4");
    assert_string_equal(node.provider_id, "vpsie://7");
    assert_string_equal(node.kubelet_version, "v1.30.2");
}

static void a_node_that_was_never_heard_of_is_not_ready_and_has_nothing(void **state)
{
    (void)state;
    struct node_facts node = node_of("{'metadata':{'name':'w-1','uid':'u'}}");
    assert_int_equal(node.ready, NODE_READY_UNKNOWN);
    assert_int_equal(node.allocatable.cpu_millis, 0);
    assert_string_equal(node.hostname, "");
    assert_false(node.unschedulable);
}

static void a_taint_that_cannot_be_read_closes_the_node(void **state)
{
    (void)state;
    struct node_facts node =
        node_of("{'metadata':{'name':'w-1','uid':'u'},'spec':{'taints':[{'key':'a','effect':'NoStart'}]}}");
    assert_true(node.unschedulable);
}

static struct budget_facts budget_of(const char *spec)
{
    AUTOFREE char *text =
        xprintf("{'metadata':{'name':'b','namespace':'n','uid':'u','generation':3},'spec':{%s},"
                "'status':{'disruptionsAllowed':2,'observedGeneration':3}}",
                spec);
    AUTOJSON cJSON *json = script_parse(text);
    struct budget_facts budget;
    assert_int_equal(decode_budget(json, arena, &budget, NULL), 0);
    return budget;
}

static void a_budget_says_whom_it_protects(void **state)
{
    (void)state;
    struct budget_facts budget = budget_of("'selector':{'matchLabels':{'b':'2','a':'1'},'matchExpressions':[{"
                                           "'key':'c','operator':'NotIn','values':['x']},"
                                           "{'key':'d','operator':'DoesNotExist'}]}");
    assert_int_equal(budget.selector_count, 4);
    assert_string_equal(budget.selector[0].key, "a");
    assert_int_equal(budget.selector[0].operator, SELECTOR_IN);
    assert_string_equal(budget.selector[0].values[0], "1");
    assert_int_equal(budget.selector[2].operator, SELECTOR_NOT_IN);
    assert_int_equal(budget.selector[3].operator, SELECTOR_DOES_NOT_EXIST);
    assert_int_equal(budget.disruptions_allowed, 2);
    assert_int_equal(budget.generation, budget.observed_generation);
    assert_false(budget.selects_nothing);
}

static void an_empty_selector_selects_all_and_none_selects_nothing(void **state)
{
    (void)state;
    struct budget_facts budget = budget_of("'selector':{}");
    assert_false(budget.selects_nothing);
    assert_int_equal(budget.selector_count, 0);
    assert_int_equal(budget.disruptions_allowed, 2);
    budget = budget_of("'selector':null");
    assert_true(budget.selects_nothing);
}

static void a_budget_that_cannot_be_read_protects_everything(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "'selector':7", "'selector':{'matchLabels':5}", "'selector':{'matchLabels':{'a':5}}",
        "'selector':{'matchExpressions':[{'key':'a','operator':'Gt','values':['1']}]}",
        "'selector':{'matchExpressions':[{'key':'a','operator':'In','values':[5]}]}"};
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        struct budget_facts budget = budget_of(specs[i]);
        assert_false(budget.selects_nothing);
        assert_int_equal(budget.selector_count, 0);
        assert_int_equal(budget.disruptions_allowed, 0);
    }
}

static struct daemonset_facts daemonset_of(const char *metadata, const char *spec)
{
    AUTOFREE char *text = xprintf("{'metadata':{'name':'d','namespace':'n','uid':'u'%s},'spec':{'template':{"
                                  "'metadata':{'labels':{'app':'d'}},'spec':{%s}}}}",
                                  metadata, spec);
    AUTOJSON cJSON *json = script_parse(text);
    struct daemonset_facts daemonset;
    assert_int_equal(decode_daemonset(json, arena, &daemonset, NULL), 0);
    return daemonset;
}

static bool tolerates(const struct daemonset_facts *daemonset, const char *key, enum taint_effect effect)
{
    for (uint32_t i = 0; i < daemonset->shape.toleration_count; i++) {
        const struct toleration *toleration = &daemonset->shape.tolerations[i];
        if (strcmp(toleration->key, key) == 0 && toleration->effect == effect &&
            toleration->operator== TOLERATION_EXISTS && !toleration->any_effect)
            return true;
    }
    return false;
}

static void a_daemonset_tolerates_what_its_controller_adds(void **state)
{
    (void)state;
    struct daemonset_facts daemonset = daemonset_of(
        "",
        "'tolerations':[{'key':'own','operator':'Exists','effect':'NoSchedule'}],'containers':[{'resources':{"
        "'requests':{'cpu':'100m'},'limits':{'memory':'32Mi'}}}]");
    assert_int_equal(daemonset.shape.requests.cpu_millis, 100);
    assert_int_equal(daemonset.shape.requests.memory_bytes, 32 << 20);
    assert_int_equal(daemonset.shape.labels.count, 1);
    assert_true(tolerates(&daemonset, "own", TAINT_NO_SCHEDULE));
    assert_true(tolerates(&daemonset, "node.kubernetes.io/not-ready", TAINT_NO_EXECUTE));
    assert_true(tolerates(&daemonset, "node.kubernetes.io/unreachable", TAINT_NO_EXECUTE));
    assert_true(tolerates(&daemonset, "node.kubernetes.io/disk-pressure", TAINT_NO_SCHEDULE));
    assert_true(tolerates(&daemonset, "node.kubernetes.io/memory-pressure", TAINT_NO_SCHEDULE));
    assert_true(tolerates(&daemonset, "node.kubernetes.io/pid-pressure", TAINT_NO_SCHEDULE));
    assert_true(tolerates(&daemonset, "node.kubernetes.io/unschedulable", TAINT_NO_SCHEDULE));
    assert_false(tolerates(&daemonset, "node.kubernetes.io/network-unavailable", TAINT_NO_SCHEDULE));
    assert_false(daemonset.being_deleted);
    daemonset = daemonset_of(",'deletionTimestamp':'2026-01-01T00:00:00Z'", "'hostNetwork':true");
    assert_true(tolerates(&daemonset, "node.kubernetes.io/network-unavailable", TAINT_NO_SCHEDULE));
    assert_true(daemonset.being_deleted);
}

static void a_volume_attachment_names_node_and_volume(void **state)
{
    (void)state;
    AUTOJSON cJSON *json = script_parse("{'metadata':{'name':'csi-1','uid':'u'},'spec':{'nodeName':'w-1','"
                                        "source':{'persistentVolumeName':'pv'}},"
                                        "'status':{'attached':true}}");
    struct volume_attachment_facts attachment;
    assert_int_equal(decode_volume_attachment(json, arena, &attachment, NULL), 0);
    assert_string_equal(attachment.node_name, "w-1");
    assert_string_equal(attachment.volume_name, "pv");
    assert_true(attachment.attached);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_node_is_read_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_node_that_was_never_heard_of_is_not_ready_and_has_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_taint_that_cannot_be_read_closes_the_node, setup, teardown),
        cmocka_unit_test_setup_teardown(a_budget_says_whom_it_protects, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_selector_selects_all_and_none_selects_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_budget_that_cannot_be_read_protects_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(a_daemonset_tolerates_what_its_controller_adds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_volume_attachment_names_node_and_volume, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

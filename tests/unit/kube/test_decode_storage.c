// Namespaces, claims, volumes, storage classes and CSI nodes, from JSON to facts.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/describe.h"
#include "coordinator/decide/event.h"
#include "coordinator/kube/kinds.h"

struct reading {
    const char *json, *expected; // expected NULL: not an object at all
};

// By the table of kinds, as the door does it; described as one line.
static void check(enum object_kind kind, const struct reading *readings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct event *event = event_create(EVENT_OBJECT);
        event->object.kind = kind;
        struct error error = {0};
        cJSON *json = script_parse(readings[i].json);
        int result = kinds[kind].fill(json, event, &error);
        cJSON_Delete(json); // nothing may point into the tree
        if (readings[i].expected == NULL) {
            assert_int_equal(result, -1);
            assert_true(error.text[0] != '\0');
        } else {
            assert_int_equal(result, 0);
            AUTOTEXT struct text out = {0};
            event_describe(event, &out);
            AUTOFREE char *expected = xprintf("0 object %s%s", object_kind_name(kind), readings[i].expected);
            if (strcmp(text_get(&out), expected) != 0)
                fail_msg("%s\n is      %s\n and not %s", readings[i].json, text_get(&out), expected);
        }
        event_destroy(event);
    }
}
#define CHECK(kind, readings) check(kind, readings, sizeof(readings) / sizeof((readings)[0]))

static void a_namespace_has_labels(void **state)
{
    (void)state;
    static const struct reading readings[] = {
        {"{'metadata':{'name':'shop','uid':'u','labels':{'team':'x','a':'1'}}}",
         " name=\"shop\" labels={a:\"1\",team:\"x\"}"},
        {"{'metadata':{'name':'shop','uid':'u'}}", " name=\"shop\""},
        {"{'metadata':{'name':'shop'}}", NULL},
        {"[]", NULL},
    };
    CHECK(OBJECT_NAMESPACE, readings);
}

#define CLAIM(metadata, spec, phase)                                                                         \
    "{'metadata':{'name':'data','namespace':'shop','uid':'u'" metadata "},'spec':{" spec                     \
    "},'status':{'phase':'" phase "'}}"

static void a_claim_says_whether_it_is_bound_and_of_which_class(void **state)
{
    (void)state;
    static const struct reading readings[] = {
        {CLAIM("", "'storageClassName':'fast'", "Pending"),
         " space=\"shop\" name=\"data\" uid=\"u\" class=\"fast\""},
        {CLAIM("", "'storageClassName':'fast','volumeName':'pv-1'", "Bound"),
         " space=\"shop\" name=\"data\" uid=\"u\" volume=\"pv-1\" class=\"fast\" bound"},
        // a volume is named, but the binding is not complete yet
        {CLAIM("", "'volumeName':'pv-1'", "Pending"),
         " space=\"shop\" name=\"data\" uid=\"u\" volume=\"pv-1\""},
        {CLAIM(",'annotations':{'pv.kubernetes.io/bind-completed':'yes'}", "'volumeName':'pv-1'", "Pending"),
         " space=\"shop\" name=\"data\" uid=\"u\" volume=\"pv-1\" bound"},
        {CLAIM("", "'volumeName':'pv-1'", "Lost"),
         " space=\"shop\" name=\"data\" uid=\"u\" volume=\"pv-1\" lost"},
        {CLAIM("", "", "Bound"), " space=\"shop\" name=\"data\" uid=\"u\""},
        // the old annotation comes before the field
        {CLAIM(",'annotations':{'volume.beta.kubernetes.io/storage-class':'old'}",
               "'storageClassName':'fast'", "Pending"),
         " space=\"shop\" name=\"data\" uid=\"u\" class=\"old\""},
        {CLAIM(",'annotations':{'volume.kubernetes.io/selected-node':'w-1'}",
               "'accessModes':['ReadWriteOncePod',7]", "Pending"),
         " space=\"shop\" name=\"data\" uid=\"u\" one_pod_only selected_node=\"w-1\""},
        {CLAIM(",'deletionTimestamp':'1970-01-01T00:00:01Z'", "'accessModes':['ReadWriteOnce']", "Pending"),
         " space=\"shop\" name=\"data\" uid=\"u\" deletion=1000"},
        {"{'metadata':{'name':'data','uid':'u'}}", NULL}, // without a namespace
    };
    CHECK(OBJECT_CLAIM, readings);
}

static void a_volume_says_where_it_can_be_used(void **state)
{
    (void)state;
    static const struct reading readings[] = {
        {"{'metadata':{'name':'pv-1','uid':'u','labels':{'topology.kubernetes.io/zone':'a','other':'x',"
         "'failure-domain.beta.kubernetes.io/region':'r'}},"
         "'spec':{'csi':{'driver':'csi.example.com','volumeHandle':'h-1'}}}",
         " name=\"pv-1\" uid=\"u\" driver=\"csi.example.com\" handle=\"h-1\""
         " labels={failure-domain.beta.kubernetes.io/region:\"r\",topology.kubernetes.io/zone:\"a\"}"},
        {"{'metadata':{'name':'pv-1','uid':'u'},'spec':{'local':{'path':'/x'},'nodeAffinity':{'required':{"
         "'nodeSelectorTerms':[{'matchExpressions':[{'key':'zone','operator':'In','values':['a','b']}]}]}}}}",
         " name=\"pv-1\" uid=\"u\" affinity term={ labels=(zone in values=[\"a\",\"b\"]) }"},
        // unreadable: usable nowhere
        {"{'metadata':{'name':'pv-1','uid':'u'},'spec':{'nodeAffinity':{'required':{'nodeSelectorTerms':[{"
         "'matchExpressions':[{'key':'zone','operator':'Near'}]}]}}}}",
         " name=\"pv-1\" uid=\"u\" affinity"},
        {"{'metadata':{'name':'pv-1','uid':'u'},'spec':{'nodeAffinity':{'required':{}}}}",
         " name=\"pv-1\" uid=\"u\" affinity"},
        {"{'metadata':{'name':'pv-1','uid':'u'},'spec':{'nodeAffinity':{}}}", " name=\"pv-1\" uid=\"u\""},
        {"{'metadata':{'uid':'u'}}", NULL},
    };
    CHECK(OBJECT_VOLUME, readings);
}

static void a_storage_class_says_who_provides_and_where(void **state)
{
    (void)state;
    static const struct reading readings[] = {
        {"{'metadata':{'name':'fast','uid':'u'},'provisioner':'csi.example.com',"
         "'volumeBindingMode':'WaitForFirstConsumer','allowedTopologies':[{'matchLabelExpressions':[{'key':"
         "'zone','values':['a','b']}]},{'matchLabelExpressions':[{'key':'zone','values':['c']}]}]}",
         " name=\"fast\" provisioner=\"csi.example.com\" waits_for_consumer"
         " allowed={ labels=(zone in values=[\"a\",\"b\"]) } allowed={ labels=(zone in values=[\"c\"]) }"},
        {"{'metadata':{'name':'local','uid':'u'},'provisioner':'kubernetes.io/no-provisioner',"
         "'volumeBindingMode':'Immediate'}",
         " name=\"local\" provisioner=\"kubernetes.io/no-provisioner\" no_provisioner"},
        {"{'metadata':{'name':'odd','uid':'u'},'provisioner':7}", " name=\"odd\""},
        {"{'metadata':{}}", NULL},
    };
    CHECK(OBJECT_STORAGE_CLASS, readings);
}

static void a_csi_node_says_what_its_drivers_can_attach(void **state)
{
    (void)state;
    static const struct reading readings[] = {
        {"{'metadata':{'name':'w-1','uid':'u'},'spec':{'drivers':[{'name':'z.example.com','allocatable':{"
         "'count':24}},{'name':'a.example.com'},{'name':'m.example.com','allocatable':{}},{'name':"
         "'n.example.com','allocatable':{'count':0}},{'name':'x.example.com','allocatable':{'count':'9'}},{}]"
         "}}",
         " name=\"w-1\" a.example.com=-1 m.example.com=-1 n.example.com=0 x.example.com=-1 z.example.com=24"},
        {"{'metadata':{'name':'w-1','uid':'u'},'spec':{'drivers':null}}", " name=\"w-1\""},
        {"{'metadata':{'name':'w-1','uid':'u'},'spec':{'drivers':[{'name':'a','allocatable':{'count':"
         "9000000000}}]}}",
         " name=\"w-1\" a=2147483647"},
        {"{'metadata':{'name':'w-1'}}", NULL},
    };
    CHECK(OBJECT_CSI_NODE, readings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_namespace_has_labels),
        cmocka_unit_test(a_claim_says_whether_it_is_bound_and_of_which_class),
        cmocka_unit_test(a_volume_says_where_it_can_be_used),
        cmocka_unit_test(a_storage_class_says_who_provides_and_where),
        cmocka_unit_test(a_csi_node_says_what_its_drivers_can_attach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

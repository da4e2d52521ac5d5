// What a pod's JSON asks about other pods, topology and the host's ports, by Kubernetes' own definitions:
// kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node and topology-spread-constraints.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/describe.h"
#include "coordinator/kube/decode.h"

// The pod web-1 in namespace shop with labels app=web and hash=h1, and how what it asks is described.
static char *asked(const char *spec, struct arena *arena, struct pod_facts *pod)
{
    AUTOFREE char *text = xprintf(
        "{'metadata':{'name':'web-1','namespace':'shop','uid':'u','labels':{'app':'web','hash':'h1'}},"
        "'spec':{%s},'status':{}}",
        spec);
    struct error error = {0};
    cJSON *json = script_parse(text);
    if (decode_pod(json, arena, pod, &error) < 0)
        fail_msg("%s", error.text);
    cJSON_Delete(json); // nothing may point into the tree
    AUTOTEXT struct text out = {0};
    describe_terms(&out, &pod->shape);
    return xstrdup(text_get(&out));
}

#define REQUIRED    "requiredDuringSchedulingIgnoredDuringExecution"
#define WITH(term)  "'affinity':{'podAffinity':{'" REQUIRED "':[" term "]}}"
#define APART(term) "'affinity':{'podAntiAffinity':{'" REQUIRED "':[" term "]}}"

struct ask {
    const char *spec, *expected;
};

static void check(const struct ask *asks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena *arena = arena_create(1024);
        struct pod_facts pod;
        AUTOFREE char *text = asked(asks[i].spec, arena, &pod);
        if (strcmp(text, asks[i].expected) != 0)
            fail_msg("%s\n is      %s\n and not %s", asks[i].spec, text, asks[i].expected);
        if ((pod.shape.needs & POD_NEEDS_UNREADABLE) != 0)
            fail_msg("%s is unreadable", asks[i].spec);
        arena_destroy(arena);
    }
}
#define CHECK(asks) check(asks, sizeof(asks) / sizeof((asks)[0]))

static void affinity_terms_are_read_as_they_stand(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        {"", ""},
        {WITH("{'topologyKey':'zone','labelSelector':{'matchLabels':{'app':'db'}}}"),
         " with={ by=\"zone\" pods=(app in values=[\"db\"]) spaces=[\"shop\"] space_labels=nothing }"},
        // an empty selector selects every pod of the namespaces, no selector none
        {APART("{'topologyKey':'host','labelSelector':{}}"),
         " apart={ by=\"host\" pods=all spaces=[\"shop\"] space_labels=nothing }"},
        {APART("{'topologyKey':'host'}"),
         " apart={ by=\"host\" pods=nothing spaces=[\"shop\"] space_labels=nothing }"},
        {APART("{'topologyKey':'host','labelSelector':null}"),
         " apart={ by=\"host\" pods=nothing spaces=[\"shop\"] space_labels=nothing }"},
        {WITH("{'topologyKey':'a','labelSelector':{'matchLabels':{'x':'1'},'matchExpressions':[{'key':'y',"
              "'operator':'Exists'}]}},{'topologyKey':'b','labelSelector':{}}"),
         " with={ by=\"a\" pods=(x in values=[\"1\"] and y exists) spaces=[\"shop\"] space_labels=nothing }"
         " with={ by=\"b\" pods=all spaces=[\"shop\"] space_labels=nothing }"},
        // preferences are weighed, not demanded
        {"'affinity':{'podAffinity':{'preferredDuringSchedulingIgnoredDuringExecution':[{'weight':1}]}}", ""},
    };
    CHECK(asks);
}

static void a_term_s_namespaces_are_its_own_when_it_names_none(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        {WITH("{'topologyKey':'z','labelSelector':{},'namespaces':['a','b']}"),
         " with={ by=\"z\" pods=all spaces=[\"a\",\"b\"] space_labels=nothing }"},
        {WITH("{'topologyKey':'z','labelSelector':{},'namespaces':[]}"),
         " with={ by=\"z\" pods=all spaces=[\"shop\"] space_labels=nothing }"},
        // an empty namespaceSelector is all namespaces; the pod's own is not added
        {WITH("{'topologyKey':'z','labelSelector':{},'namespaceSelector':{}}"),
         " with={ by=\"z\" pods=all space_labels=all }"},
        {WITH("{'topologyKey':'z','labelSelector':{},'namespaceSelector':{'matchLabels':{'team':'x'}}}"),
         " with={ by=\"z\" pods=all space_labels=(team in values=[\"x\"]) }"},
        {WITH("{'topologyKey':'z','labelSelector':{},'namespaces':['a'],'namespaceSelector':{'matchLabels':{"
              "'team':'x'}}}"),
         " with={ by=\"z\" pods=all spaces=[\"a\"] space_labels=(team in values=[\"x\"]) }"},
    };
    CHECK(asks);
}

static void the_pod_s_own_labels_stand_in_for_label_keys(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        {WITH("{'topologyKey':'z','labelSelector':{'matchLabels':{'app':'web'}},'matchLabelKeys':['hash']}"),
         " with={ by=\"z\" pods=(app in values=[\"web\"] and hash in values=[\"h1\"]) spaces=[\"shop\"]"
         " space_labels=nothing }"},
        {APART("{'topologyKey':'z','labelSelector':{},'mismatchLabelKeys':['hash']}"),
         " apart={ by=\"z\" pods=(hash notin values=[\"h1\"]) spaces=[\"shop\"] space_labels=nothing }"},
        // a key that the pod has no label for is left out
        {WITH("{'topologyKey':'z','labelSelector':{},'matchLabelKeys':['none']}"),
         " with={ by=\"z\" pods=all spaces=[\"shop\"] space_labels=nothing }"},
        // what the API server has merged already is not said twice
        {WITH("{'topologyKey':'z','labelSelector':{'matchExpressions':[{'key':'hash','operator':'In','values'"
              ":['h1']}]},'matchLabelKeys':['hash']}"),
         " with={ by=\"z\" pods=(hash in values=[\"h1\"]) spaces=[\"shop\"] space_labels=nothing }"},
        {"'topologySpreadConstraints':[{'topologyKey':'z','maxSkew':1,'whenUnsatisfiable':'DoNotSchedule',"
         "'labelSelector':{'matchLabels':{'app':'web'}},'matchLabelKeys':['hash','none']}]",
         " spread={ by=\"z\" pods=(app in values=[\"web\"] and hash in values=[\"h1\"]) space=\"shop\" skew=1"
         " domains=1 honor_affinity }"},
    };
    CHECK(asks);
}

#define SPREAD(more)                                                                                         \
    "'topologySpreadConstraints':[{'topologyKey':'z','labelSelector':{},'whenUnsatisfiable':'DoNotSchedule'" \
    "," more "}]"

static void spread_constraints_are_read_with_their_defaults(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        {SPREAD("'maxSkew':1"),
         " spread={ by=\"z\" pods=all space=\"shop\" skew=1 domains=1 honor_affinity }"},
        {SPREAD("'maxSkew':3,'minDomains':5,'nodeAffinityPolicy':'Ignore','nodeTaintsPolicy':'Honor'"),
         " spread={ by=\"z\" pods=all space=\"shop\" skew=3 domains=5 honor_taints }"},
        {SPREAD("'maxSkew':1,'nodeAffinityPolicy':'Honor','nodeTaintsPolicy':'Ignore'"),
         " spread={ by=\"z\" pods=all space=\"shop\" skew=1 domains=1 honor_affinity }"},
        {"'topologySpreadConstraints':[{'topologyKey':'z','maxSkew':1,'whenUnsatisfiable':'DoNotSchedule'}]",
         " spread={ by=\"z\" pods=nothing space=\"shop\" skew=1 domains=1 honor_affinity }"},
        // what may be broken forbids nothing, whatever it says
        {"'topologySpreadConstraints':[{'maxSkew':0,'whenUnsatisfiable':'ScheduleAnyway'}]", ""},
    };
    CHECK(asks);
}

static void host_ports_are_those_of_what_listens_at_the_same_time(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        {"'containers':[{'ports':[{'containerPort':80}]}]", ""},
        {"'containers':[{'ports':[{'containerPort':80,'hostPort':8080}]}]", " port=0.0.0.0:8080/TCP"},
        {"'containers':[{'ports':[{'hostPort':53,'protocol':'UDP'},{'hostPort':53,'protocol':'TCP'},{"
         "'hostPort':9,'protocol':'SCTP'}]}]",
         " port=0.0.0.0:53/UDP port=0.0.0.0:53/TCP port=0.0.0.0:9/SCTP"},
        {"'containers':[{'ports':[{'hostPort':80,'hostIP':'10.0.0.1'},{'hostPort':81,'hostIP':'::'},{"
         "'hostPort':82,'hostIP':'0.0.0.0'}]}]",
         " port=10.0.0.1:80/TCP port=0.0.0.0:81/TCP port=0.0.0.0:82/TCP"},
        // on the host's network the container's port is the host's, also in a template without defaults
        {"'hostNetwork':true,'containers':[{'ports':[{'containerPort':80},{'containerPort':90,'hostPort':90}]"
         "}]",
         " port=0.0.0.0:80/TCP port=0.0.0.0:90/TCP"},
        // a sidecar listens beside the containers, an init container does not
        {"'initContainers':[{'ports':[{'hostPort':80}]},{'restartPolicy':'Always','ports':[{'hostPort':81}]}"
         "]",
         " port=0.0.0.0:81/TCP"},
        {"'containers':[{'ports':[{'hostPort':65535,'containerPort':0}]}]", " port=0.0.0.0:65535/TCP"},
    };
    CHECK(asks);
}

static void what_cannot_be_read_is_marked_and_the_rest_kept(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        {WITH("{'labelSelector':{}}"), ""}, // no topology key
        {WITH("{'topologyKey':7}"), ""},
        {WITH("{'topologyKey':'a','labelSelector':{}},{'topologyKey':'b','labelSelector':7}"),
         " with={ by=\"a\" pods=all spaces=[\"shop\"] space_labels=nothing }"},
        {WITH("{'topologyKey':'z','labelSelector':{},'namespaces':[7]}"), ""},
        {WITH("{'topologyKey':'z','labelSelector':{},'namespaces':'a'}"), ""},
        {WITH("{'topologyKey':'z','labelSelector':{},'namespaceSelector':'a'}"), ""},
        {WITH("{'topologyKey':'z','labelSelector':{},'matchLabelKeys':'hash'}"), ""},
        {WITH("{'topologyKey':'z','labelSelector':{},'mismatchLabelKeys':[{}]}"), ""},
        {WITH("{'topologyKey':'z','labelSelector':{'matchExpressions':[{'key':'a','operator':'Gt','values':["
              "'1']}]}}"),
         ""}, // label selectors know no numbers
        {"'affinity':{'podAffinity':{'" REQUIRED "':{}}}", ""},
        {SPREAD("'maxSkew':0"), ""},
        {SPREAD("'maxSkew':-1"), ""},
        {SPREAD("'maxSkew':'1'"), ""},
        {SPREAD("'maxSkew':3000000000"), ""},
        {SPREAD("'maxSkew':1,'minDomains':0"), ""},
        {SPREAD("'maxSkew':1,'nodeAffinityPolicy':'Perhaps'"), ""},
        {SPREAD("'maxSkew':1,'nodeTaintsPolicy':'honor'"), ""},
        {"'topologySpreadConstraints':[{'topologyKey':'z','maxSkew':1,'whenUnsatisfiable':'Never'}]", ""},
        {"'topologySpreadConstraints':[{'topologyKey':'z','maxSkew':1}]", ""},
        {"'topologySpreadConstraints':{}", ""},
        {"'containers':[{'ports':[{'hostPort':65536}]}]", ""},
        {"'containers':[{'ports':[{'hostPort':-1}]}]", ""},
        {"'containers':[{'ports':[{'hostPort':'80'}]}]", ""},
        {"'containers':[{'ports':[{'hostPort':80,'protocol':'ICMP'},{'hostPort':81}]}]",
         " port=0.0.0.0:81/TCP"},
        {"'hostNetwork':true,'containers':[{'ports':[{'containerPort':'http'}]}]", ""},
        {"'volumes':[{'name':'v','persistentVolumeClaim':{}}]", ""},
        {"'volumes':[{'ephemeral':{}}]", ""},
    };
    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        struct arena *arena = arena_create(1024);
        struct pod_facts pod;
        AUTOFREE char *text = asked(asks[i].spec, arena, &pod);
        if (strcmp(text, asks[i].expected) != 0)
            fail_msg("%s\n is      %s\n and not %s", asks[i].spec, text, asks[i].expected);
        if ((pod.shape.needs & POD_NEEDS_UNREADABLE) == 0)
            fail_msg("%s is taken for readable", asks[i].spec);
        arena_destroy(arena);
    }
}

static void a_pod_s_claims_are_named_by_its_volumes(void **state)
{
    (void)state;
    struct arena *arena = arena_create(1024);
    struct pod_facts pod;
    AUTOFREE char *text =
        asked("'volumes':[{'name':'data','persistentVolumeClaim':{'claimName':'data-web-1'}},{'name':'tmp',"
              "'emptyDir':{}},{'name':'scratch','ephemeral':{'volumeClaimTemplate':{}}}]",
              arena, &pod);
    assert_int_equal(pod.claim_count, 2);
    assert_string_equal(pod.claims[0], "data-web-1");
    assert_string_equal(pod.claims[1], "web-1-scratch"); // the ephemeral volume controller's name
    assert_int_equal(pod.local_volume_count, 1);
    assert_int_equal(pod.shape.needs & POD_NEEDS_UNREADABLE, 0);
    arena_destroy(arena);
}

static void a_daemonset_s_pods_stand_in_its_own_namespace(void **state)
{
    (void)state;
    struct arena *arena = arena_create(1024);
    struct daemonset_facts facts;
    struct error error = {0};
    cJSON *json = script_parse(
        "{'metadata':{'name':'log','namespace':'system','uid':'u'},'spec':{'template':{'metadata':{'labels':{"
        "'app':'log'}},'spec':{'affinity':{'podAntiAffinity':{'" REQUIRED "':[{'topologyKey':'host',"
        "'labelSelector':{},'matchLabelKeys':['app']}]}},'hostNetwork':true,'containers':[{'ports':[{"
        "'containerPort':24224}]}]}}}}");
    assert_int_equal(decode_daemonset(json, arena, &facts, &error), 0);
    cJSON_Delete(json);
    AUTOTEXT struct text out = {0};
    describe_terms(&out, &facts.shape);
    assert_string_equal(text_get(&out),
                        " apart={ by=\"host\" pods=(app in values=[\"log\"]) spaces=[\"system\"]"
                        " space_labels=nothing } port=0.0.0.0:24224/TCP");
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(affinity_terms_are_read_as_they_stand),
        cmocka_unit_test(a_term_s_namespaces_are_its_own_when_it_names_none),
        cmocka_unit_test(the_pod_s_own_labels_stand_in_for_label_keys),
        cmocka_unit_test(spread_constraints_are_read_with_their_defaults),
        cmocka_unit_test(host_ports_are_those_of_what_listens_at_the_same_time),
        cmocka_unit_test(what_cannot_be_read_is_marked_and_the_rest_kept),
        cmocka_unit_test(a_pod_s_claims_are_named_by_its_volumes),
        cmocka_unit_test(a_daemonset_s_pods_stand_in_its_own_namespace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// The judge: for each filter of the scheduler the cases of Kubernetes' own documentation.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/world/world.h"

static struct world *world;

static int setup(void **state)
{
    (void)state;
    struct world_settings settings = world_settings_default(1);
    world = world_create(&settings);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_destroy(world);
    return 0;
}

static void create(enum api_kind kind, const char *space, cJSON *json)
{
    struct api_answer answer = api_create(world->api, kind, space, json);
    if (!API_OK(answer))
        fail_msg("%s", answer.message);
}

// Labels and spec are JSON members with ' for ".
static void add_node(const char *name, const char *labels)
{
    create(API_NODE, "",
           json_of("{'metadata':{'name':'%s','labels':{'host':'%s'%s%s}},'status':{'allocatable':{'cpu':'4',"
                   "'memory':'8Gi','ephemeral-storage':'10Gi','pods':'10','example.com/gpu':'1'}}}",
                   name, name, labels[0] == 0 ? "" : ",", labels));
}

static void add_pod_in(const char *space, const char *name, const char *node_name, const char *labels,
                       const char *spec)
{
    create(API_POD, space,
           json_of("{'metadata':{'name':'%s','labels':{%s}},'spec':{'containers':[{'name':'a'}]%s%s}}", name,
                   labels, spec[0] == 0 ? "" : ",", spec));
    const struct api_object *pod = api_find(world->api, API_POD, space, name);
    cJSON *json = api_copy(pod);
    json_set_text(json, "spec.nodeName", node_name[0] == 0 ? NULL : node_name);
    api_put(world->api, pod, json);
}

static void add_pod(const char *name, const char *node_name, const char *labels, const char *spec)
{
    add_pod_in("default", name, node_name, labels, spec);
}

// Where the pod is after the scheduler looked, or what the scheduler said.
static const char *where(const char *name)
{
    world_schedule(world);
    const cJSON *pod = api_find(world->api, API_POD, "default", name)->document->json;
    const char *node_name = json_text(pod, "spec.nodeName");
    if (node_name[0] != 0)
        return node_name;
    const cJSON *condition = cJSON_GetArrayItem(json_at(pod, "status.conditions"), 0);
    return json_text(condition, "message");
}

static void waits_with(const char *name, const char *words)
{
    const char *said = where(name);
    if (strstr(said, words) == NULL)
        fail_msg("%s: %s", name, said);
}

#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define WITH(key, selector)                                                                                  \
    "'affinity':{'podAffinity':{'" REQUIRED "':[{'topologyKey':'" key "','labelSelector':" selector "}]}}"
#define APART(key, selector)                                                                                 \
    "'affinity':{'podAntiAffinity':{'" REQUIRED "':[{'topologyKey':'" key "','labelSelector':" selector "}]" \
    "}}"
#define WEB "{'matchLabels':{'app':'web'}}"

// ---- resources

static void amounts_are_those_of_the_scheduler(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *says; // "": it fits beside a pod of 3 cpu
    } cases[] = {
        {"'overhead':{'cpu':'1'}", ""},
        {"'overhead':{'cpu':'1001m'}", "Insufficient cpu"},
        {"'initContainers':[{'name':'i','resources':{'requests':{'cpu':'1001m'}}}]", "Insufficient cpu"},
        {"'initContainers':[{'name':'i','restartPolicy':'Always','resources':{'requests':{'cpu':'600m'}}},{"
         "'name':'j','resources':{'requests':{'cpu':'500m'}}}]",
         "Insufficient cpu"},
        {"'initContainers':[{'name':'j','resources':{'requests':{'cpu':'900m'}}},{'name':'i','restartPolicy':"
         "'Always','resources':{'requests':{'cpu':'600m'}}}]",
         ""},
        {"'resources':{'requests':{'cpu':'2'}}", "Insufficient cpu"},
        {"'overhead':{'example.com/gpu':'1'}", ""},
        {"'overhead':{'example.com/gpu':'2'}", "Insufficient extended resources"},
        {"'overhead':{'ephemeral-storage':'11Gi'}", "Insufficient ephemeral-storage"},
    };
    add_node("n1", "");
    add_pod("big", "n1", "", "'overhead':{'cpu':'3'}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        add_pod("p", "", "", cases[i].spec);
        if (cases[i].says[0] == 0)
            assert_string_equal(where("p"), "n1");
        else
            waits_with("p", cases[i].says);
        api_delete(world->api, API_POD, "default", "p", (struct api_preconditions){0}, 0);
    }
}

// ---- ports

static void a_port_of_the_host_is_taken_once(void **state)
{
    (void)state;
    static const struct {
        const char *ports;
        bool fits; // beside 10.0.0.1:80/TCP and 0.0.0.0:90/UDP
    } cases[] = {
        {"{'hostPort':80}", false},
        {"{'hostPort':80,'hostIP':'10.0.0.2'}", true},
        {"{'hostPort':80,'hostIP':'10.0.0.1'}", false},
        {"{'hostPort':80,'protocol':'UDP'}", true},
        {"{'hostPort':90}", true},
        {"{'hostPort':90,'protocol':'UDP','hostIP':'10.0.0.9'}", false},
        {"{'containerPort':80}", true},
    };
    add_node("n1", "");
    create(
        API_POD, "default",
        json_of("{'metadata':{'name':'first'},'spec':{'nodeName':'n1','containers':[{'name':'a','ports':[{"
                "'hostPort':80,'hostIP':'10.0.0.1'}]}],'initContainers':[{'name':'i','ports':[{'hostPort':"
                "70}]},{'name':'s','restartPolicy':'Always','ports':[{'hostPort':90,'protocol':'UDP'}]}]}}"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        create(API_POD, "default",
               json_of("{'metadata':{'name':'p'},'spec':{'containers':[{'name':'a','ports':[%s]}]}}",
                       cases[i].ports));
        if (cases[i].fits)
            assert_string_equal(where("p"), "n1");
        else
            waits_with("p", "free ports");
        api_delete(world->api, API_POD, "default", "p", (struct api_preconditions){0}, 0);
    }
    create(API_POD, "default",
           json_of("{'metadata':{'name':'p'},'spec':{'hostNetwork':true,'containers':[{'name':'a','ports':[{"
                   "'containerPort':80}]}]}}"));
    waits_with("p", "free ports");
}

// ---- affinity

static void affinity_wants_a_friend_in_the_same_domain(void **state)
{
    (void)state;
    add_node("n1", "'zone':'a'");
    add_node("n2", "'zone':'b'");
    add_node("n3", "'zone':'b'");
    add_node("n4", ""); // no zone at all
    add_pod("friend", "n2", "'app':'web'", "'overhead':{'cpu':'3500m'}");
    add_pod("p", "", "", WITH("zone", WEB) ",'overhead':{'cpu':'1'}");
    assert_string_equal(where("p"), "n3");
    add_pod("q", "", "", WITH("zone", "{'matchLabels':{'app':'db'}}"));
    waits_with("q", "4 node(s) didn't match pod affinity rules");
    add_pod("r", "", "", WITH("zone", "null")); // means nobody
    waits_with("r", "4 node(s) didn't match pod affinity rules");
}

static void the_first_of_a_group_may_go_anywhere_that_has_the_key(void **state)
{
    (void)state;
    add_node("n1", "");
    add_node("n2", "'zone':'b'");
    add_pod("p", "", "'app':'web'", WITH("zone", WEB));
    assert_string_equal(where("p"), "n2");
    add_node("n3", "'zone':'c'");
    add_pod("q", "", "'app':'web'", WITH("zone", WEB) ",'overhead':{'cpu':'4'}"); // the second may not
    assert_string_equal(where("q"), "n2");
    add_pod("r", "", "'app':'web'", WITH("zone", WEB) ",'overhead':{'cpu':'4'}");
    waits_with("r", "didn't match pod affinity rules");
}

static void a_friend_must_be_meant_by_all_terms_at_once(void **state)
{
    (void)state;
    add_node("n1", "'zone':'a'");
    add_pod("one", "n1", "'app':'web'", "");
    add_pod("two", "n1", "'tier':'x'", "");
    add_pod("p", "", "",
            "'affinity':{'podAffinity':{'" REQUIRED "':[{'topologyKey':'zone','labelSelector':" WEB "},{"
            "'topologyKey':'zone','labelSelector':{'matchLabels':{'tier':'x'}}}]}}");
    waits_with("p", "didn't match pod affinity rules");
    add_pod("both", "n1", "'app':'web','tier':'x'", "");
    assert_string_equal(where("p"), "n1");
}

static void anti_affinity_holds_in_both_directions(void **state)
{
    (void)state;
    add_node("n1", "'zone':'a'");
    add_node("n2", "'zone':'a'");
    add_node("n3", "");
    add_pod("lonely", "n1", "'app':'web'", APART("zone", "{'matchLabels':{'app':'api'}}"));
    add_pod("api", "", "'app':'api'", ""); // asks nothing itself
    assert_string_equal(where("api"), "n3");
    add_pod("p", "", "", APART("zone", WEB) ",'overhead':{'cpu':'4'}");
    assert_string_equal(where("p"), "n3"); // without the key there is no domain to share
    add_pod("q", "", "", APART("zone", WEB) ",'overhead':{'cpu':'4'}");
    waits_with("q", "2 node(s) didn't match pod anti-affinity rules");
    add_pod("r", "", "'app':'api'", "'overhead':{'cpu':'4'}");
    waits_with("r", "2 node(s) didn't satisfy existing pods anti-affinity rules");
}

static void a_term_is_about_its_namespaces(void **state)
{
    (void)state;
    create(API_NAMESPACE, "", json_of("{'metadata':{'name':'shop','labels':{'team':'x'}}}"));
    create(API_NAMESPACE, "", json_of("{'metadata':{'name':'other'}}"));
    add_node("n1", "");
    add_pod_in("shop", "web", "n1", "'app':'web'", "");
    static const struct {
        const char *more;
        bool meant;
    } cases[] = {
        {"", false}, // its own namespace only
        {",'namespaces':['shop']", true},
        {",'namespaces':['other']", false},
        {",'namespaceSelector':{}", true},
        {",'namespaceSelector':{'matchLabels':{'team':'x'}}", true},
        {",'namespaceSelector':{'matchLabels':{'team':'y'}}", false},
        {",'namespaces':['shop'],'namespaceSelector':{'matchLabels':{'team':'y'}}", true},
        {",'namespaceSelector':{'matchExpressions':[{'key':'team','operator':'DoesNotExist'}]}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char spec[400];
        snprintf(spec, sizeof spec,
                 "'affinity':{'podAntiAffinity':{'" REQUIRED "':[{'topologyKey':'host','labelSelector':" WEB
                 "%s}]}}",
                 cases[i].more);
        add_pod("p", "", "", spec);
        if (cases[i].meant)
            waits_with("p", "anti-affinity rules");
        else
            assert_string_equal(where("p"), "n1");
        api_delete(world->api, API_POD, "default", "p", (struct api_preconditions){0}, 0);
    }
}

static void label_keys_stand_for_the_pod_s_own_values(void **state)
{
    (void)state;
    add_node("n1", "");
    add_pod("old", "n1", "'app':'web','hash':'1'", "");
    add_pod("new", "", "'app':'web','hash':'2'",
            "'affinity':{'podAntiAffinity':{'" REQUIRED "':[{'topologyKey':'host','labelSelector':" WEB
            ",'matchLabelKeys':['hash']}]}}");
    assert_string_equal(where("new"), "n1");
    add_pod("newer", "", "'app':'web','hash':'3'",
            "'affinity':{'podAntiAffinity':{'" REQUIRED "':[{'topologyKey':'host','labelSelector':" WEB
            ",'mismatchLabelKeys':['hash']}]}}");
    waits_with("newer", "anti-affinity rules");
}

// ---- spread

#define SPREAD(more)                                                                                         \
    "'topologySpreadConstraints':[{'topologyKey':'zone','maxSkew':1,'whenUnsatisfiable':'DoNotSchedule',"    \
    "'labelSelector':" WEB more "}]"

static void spread_keeps_domains_even(void **state)
{
    (void)state;
    add_node("n1", "'zone':'a'");
    add_node("n2", "'zone':'b'");
    add_node("n3", "");
    add_pod("w1", "n1", "'app':'web'", "");
    add_pod("p", "", "'app':'web'", SPREAD(""));
    assert_string_equal(where("p"), "n2");
    add_pod("q", "", "'app':'web'", SPREAD("") ",'nodeSelector':{'host':'n3'}");
    waits_with("q", "1 node(s) didn't match pod topology spread constraints"); // a node without the key
    add_pod("r", "", "'app':'web'", SPREAD("") ",'nodeSelector':{'zone':'a'}");
    assert_string_equal(where("r"), "n1"); // both have one: either may be next
    add_pod("s", "", "'app':'web'", SPREAD("") ",'nodeSelector':{'zone':'a'}");
    assert_string_equal(where("s"), "n1"); // its selector leaves only zone a to be even with
    add_pod("t", "", "'app':'web'", SPREAD(",'nodeAffinityPolicy':'Ignore'") ",'nodeSelector':{'zone':'a'}");
    waits_with("t", "1 node(s) didn't match pod topology spread constraints");
}

static void a_pod_that_the_selector_does_not_mean_adds_nothing(void **state)
{
    (void)state;
    add_node("n1", "'zone':'a'");
    add_node("n2", "'zone':'b'");
    add_pod("w1", "n1", "'app':'web'", "");
    add_pod("p", "", "", SPREAD("") ",'nodeSelector':{'host':'n1'}");
    assert_string_equal(where("p"), "n1");
}

static void too_few_domains_make_the_minimum_nothing(void **state)
{
    (void)state;
    add_node("n1", "'zone':'a'");
    add_node("n2", "'zone':'b'");
    add_pod("w1", "n1", "'app':'web'", "");
    add_pod("w2", "n2", "'app':'web'", "");
    add_pod("p", "", "'app':'web'", SPREAD(",'minDomains':3"));
    waits_with("p", "2 node(s) didn't match pod topology spread constraints");
    add_node("n3", "'zone':'c'");
    assert_string_equal(where("p"), "n3");
}

static void pods_that_leave_or_live_elsewhere_do_not_count(void **state)
{
    (void)state;
    add_node("n1", "'zone':'a'");
    add_node("n2", "'zone':'b'");
    add_pod("w1", "n1", "'app':'web'", "");
    create(API_NAMESPACE, "", json_of("{'metadata':{'name':'other'}}"));
    add_pod_in("other", "w2", "n2", "'app':'web'", "");
    add_pod("p", "", "'app':'web'", SPREAD("") ",'nodeSelector':{'host':'n1'}");
    assert_string_equal(where("p"), "n1"); // zone b is left out by its own selector
    add_pod("q", "", "'app':'web'", SPREAD(",'nodeAffinityPolicy':'Ignore'") ",'nodeSelector':{'host':'n1'}");
    waits_with("q", "topology spread");
    for (int i = 0; i < 2; i++) {
        const struct api_object *pod = api_find(world->api, API_POD, "default", i == 0 ? "w1" : "p");
        cJSON *json = api_copy(pod);
        json_set_time(json, "metadata.deletionTimestamp", world->now_ms);
        api_put(world->api, pod, json);
    }
    assert_string_equal(where("q"), "n1");
}

static void tainted_nodes_are_domains_unless_taints_are_honored(void **state)
{
    (void)state;
    add_node("n1", "'zone':'a'");
    add_node("n2", "'zone':'b'");
    const struct api_object *node = api_find(world->api, API_NODE, "", "n2");
    cJSON *json = api_copy(node);
    json_set(json, "spec.taints", json_of("[{'key':'gpu','value':'1','effect':'NoSchedule'}]"));
    api_put(world->api, node, json);
    add_pod("w1", "n1", "'app':'web'", "");
    add_pod("p", "", "'app':'web'", SPREAD(""));
    waits_with("p", "1 node(s) didn't match pod topology spread constraints");
    add_pod("q", "", "'app':'web'", SPREAD(",'nodeTaintsPolicy':'Honor'"));
    assert_string_equal(where("q"), "n1");
}

static void a_node_counts_only_with_the_keys_of_all_constraints(void **state)
{
    (void)state;
    static const char both[] =
        "'topologySpreadConstraints':[{'topologyKey':'zone','maxSkew':1,'whenUnsatisfiable':'DoNotSchedule',"
        "'labelSelector':" WEB "},{'topologyKey':'rack','maxSkew':1,'whenUnsatisfiable':'DoNotSchedule',"
        "'labelSelector':" WEB "}]";
    add_node("n1", "'zone':'a','rack':'1'");
    add_node("n2", "'zone':'b'"); // no domain of either constraint
    add_pod("w1", "n1", "'app':'web'", "");
    add_pod("p", "", "'app':'web'", both);
    assert_string_equal(where("p"), "n1");
}

// ---- volumes

static void add_class(const char *name, const char *provisioner, bool waits, const char *topologies)
{
    create(API_STORAGE_CLASS, "",
           json_of("{'metadata':{'name':'%s'},'provisioner':'%s','volumeBindingMode':'%s'%s}", name,
                   provisioner, waits ? "WaitForFirstConsumer" : "Immediate", topologies));
}

static void add_claim(const char *name, const char *class, const char *volume_name, const char *mode)
{
    create(API_CLAIM, "default",
           json_of("{'metadata':{'name':'%s'},'spec':{'storageClassName':'%s','accessModes':['%s'],"
                   "'resources':{'requests':{'storage':'1Gi'}}%s%s%s}}",
                   name, class, mode, volume_name[0] == 0 ? "" : ",'volumeName':'", volume_name,
                   volume_name[0] == 0 ? "" : "'"));
    if (volume_name[0] == 0)
        return;
    const struct api_object *claim = api_find(world->api, API_CLAIM, "default", name);
    cJSON *json = api_copy(claim);
    json_set_text(json, "status.phase", "Bound");
    api_put(world->api, claim, json);
}

static void add_volume(const char *name, const char *spec)
{
    create(API_VOLUME, "", json_of("{'metadata':{'name':'%s'},'spec':{%s}}", name, spec));
}

#define USES(claim) "'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'" claim "'}}]"
#define IN_ZONE_B                                                                                            \
    "'nodeAffinity':{'required':{'nodeSelectorTerms':[{'matchExpressions':[{'key':'zone','operator':'In',"   \
    "'values':['b']}]}]}}"

static void a_bound_volume_is_used_where_it_reaches(void **state)
{
    (void)state;
    add_node("n1", "'zone':'a','topology.kubernetes.io/zone':'a'");
    add_node("n2", "'zone':'b','topology.kubernetes.io/zone':'b'");
    add_volume("pv-1", "'csi':{'driver':'d','volumeHandle':'1'}," IN_ZONE_B);
    add_claim("data", "fast", "pv-1", "ReadWriteOnce");
    add_pod("p", "", "", USES("data"));
    assert_string_equal(where("p"), "n2");
    create(API_VOLUME, "",
           json_of("{'metadata':{'name':'pv-2','labels':{'topology.kubernetes.io/zone':'c__a'}},'spec':{}}"));
    add_claim("old", "fast", "pv-2", "ReadWriteOnce");
    add_pod("q", "", "", USES("old") ",'overhead':{'cpu':'1'}");
    assert_string_equal(where("q"), "n1");
    add_claim("astray", "fast", "pv-9", "ReadWriteOnce");
    add_pod("r", "", "", USES("astray"));
    waits_with("r", "PersistentVolumeClaims");
    add_pod("s", "", "", USES("missing"));
    waits_with("s", "PersistentVolumeClaims");
}

static void a_claim_that_waits_gets_a_volume_where_the_pod_goes(void **state)
{
    (void)state;
    add_node("n1", "'topology.kubernetes.io/zone':'a'");
    add_node("n2", "'topology.kubernetes.io/zone':'b'");
    add_class("fast", "csi.example.com", true,
              ",'allowedTopologies':[{'matchLabelExpressions':[{'key':'topology.kubernetes.io/zone','values':"
              "['b','c']}]}]");
    add_claim("data", "fast", "", "ReadWriteOnce");
    add_pod("p", "", "", USES("data"));
    assert_string_equal(where("p"), "n2");
    const cJSON *claim = api_find(world->api, API_CLAIM, "default", "data")->document->json;
    assert_string_equal(json_text(claim, "status.phase"), "Bound");
    const cJSON *volume =
        api_find(world->api, API_VOLUME, "", json_text(claim, "spec.volumeName"))->document->json;
    assert_string_equal(json_text(volume, "spec.csi.driver"), "csi.example.com");
    add_pod("q", "", "", USES("data") ",'nodeSelector':{'host':'n1'}"); // it is bound to zone b now
    waits_with("q", "1 node(s) had volume node affinity conflict");
}

static void an_immediate_or_unknown_class_is_waited_for(void **state)
{
    (void)state;
    add_node("n1", "");
    add_class("now", "csi.example.com", false, "");
    add_claim("data", "now", "", "ReadWriteOnce");
    add_claim("odd", "unknown", "", "ReadWriteOnce");
    add_pod("p", "", "", USES("data"));
    waits_with("p", "unbound immediate");
    add_pod("q", "", "", USES("odd"));
    waits_with("q", "unbound immediate");
}

static void what_is_not_made_must_be_there(void **state)
{
    (void)state;
    add_node("n1", "'zone':'a'");
    add_node("n2", "'zone':'b'");
    add_class("local", "kubernetes.io/no-provisioner", true, "");
    add_claim("one", "local", "", "ReadWriteOnce");
    add_claim("two", "local", "", "ReadWriteOnce");
    add_volume("small",
               "'storageClassName':'local','capacity':{'storage':'1Mi'},'accessModes':['ReadWriteOnce']");
    add_pod("p", "", "", USES("one"));
    waits_with("p", "2 node(s) had volume node affinity conflict");
    add_volume("disk",
               "'storageClassName':'local','capacity':{'storage':'2Gi'},'accessModes':['ReadWriteOnce']"
               "," IN_ZONE_B);
    assert_string_equal(where("p"), "n2");
    assert_string_equal(
        json_text(api_find(world->api, API_CLAIM, "default", "one")->document->json, "spec.volumeName"),
        "disk");
    add_pod("q", "", "", USES("two")); // the disk is taken
    waits_with("q", "2 node(s) had volume node affinity conflict");
}

static void a_node_holds_so_many_volumes_of_a_driver(void **state)
{
    (void)state;
    add_node("n1", "");
    create(API_CSI_NODE, "",
           json_of("{'metadata':{'name':'n1'},'spec':{'drivers':[{'name':'d','allocatable':{'count':2}},{"
                   "'name':'free'}]}}"));
    for (int i = 1; i <= 4; i++) {
        char name[16], spec[120], claim[16];
        snprintf(name, sizeof name, "pv-%d", i);
        snprintf(claim, sizeof claim, "c-%d", i);
        snprintf(spec, sizeof spec, "'csi':{'driver':'%s','volumeHandle':'h-%d'}", i == 4 ? "free" : "d", i);
        add_volume(name, spec);
        add_claim(claim, "fast", name, "ReadWriteOnce");
    }
    add_pod("one", "n1", "", USES("c-1"));
    create(API_ATTACHMENT, "",
           json_of("{'metadata':{'name':'va'},'spec':{'nodeName':'n1','source':{'persistentVolumeName':'pv-2'"
                   "}}}"));
    add_pod("p", "", "", USES("c-3"));
    waits_with("p", "exceed max volume count");
    add_pod("q", "", "", USES("c-1")); // hangs there already
    assert_string_equal(where("q"), "n1");
    add_pod("r", "", "", USES("c-4")); // without a limit
    assert_string_equal(where("r"), "n1");
    api_delete(world->api, API_ATTACHMENT, "", "va", (struct api_preconditions){0}, 0);
    assert_string_equal(where("p"), "n1");
}

static void a_claim_for_one_pod_only_is_used_by_one(void **state)
{
    (void)state;
    add_node("n1", "");
    add_volume("pv-1", "'csi':{'driver':'d','volumeHandle':'1'}");
    add_claim("data", "fast", "pv-1", "ReadWriteOncePod");
    add_pod("p", "", "", USES("data"));
    assert_string_equal(where("p"), "n1");
    add_pod("q", "", "", USES("data"));
    waits_with("q", "ReadWriteOncePod");
}

static void an_ephemeral_volume_s_claim_is_named_after_its_pod(void **state)
{
    (void)state;
    add_node("n1", "");
    add_class("fast", "csi.example.com", true, "");
    add_pod("p", "", "", "'volumes':[{'name':'tmp','ephemeral':{'volumeClaimTemplate':{}}}]");
    waits_with("p", "PersistentVolumeClaims"); // its controller has not made it yet
    add_claim("p-tmp", "fast", "", "ReadWriteOnce");
    assert_string_equal(where("p"), "n1");
}

// ---- taints with numbers

static void numeric_tolerations_compare(void **state)
{
    (void)state;
    add_node("n1", "");
    const struct api_object *node = api_find(world->api, API_NODE, "", "n1");
    cJSON *json = api_copy(node);
    json_set(json, "spec.taints", json_of("[{'key':'load','value':'50','effect':'NoSchedule'}]"));
    api_put(world->api, node, json);
    add_pod("p", "", "", "'tolerations':[{'key':'load','operator':'Lt','value':'50'}]");
    waits_with("p", "untolerated taint");
    add_pod("q", "", "", "'tolerations':[{'key':'load','operator':'Lt','value':'51'}]");
    assert_string_equal(where("q"), "n1");
    add_pod("r", "", "", "'tolerations':[{'key':'load','operator':'Gt','value':'x'}]");
    waits_with("r", "untolerated taint");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(amounts_are_those_of_the_scheduler),
        TEST(a_port_of_the_host_is_taken_once),
        TEST(affinity_wants_a_friend_in_the_same_domain),
        TEST(the_first_of_a_group_may_go_anywhere_that_has_the_key),
        TEST(a_friend_must_be_meant_by_all_terms_at_once),
        TEST(anti_affinity_holds_in_both_directions),
        TEST(a_term_is_about_its_namespaces),
        TEST(label_keys_stand_for_the_pod_s_own_values),
        TEST(spread_keeps_domains_even),
        TEST(a_pod_that_the_selector_does_not_mean_adds_nothing),
        TEST(too_few_domains_make_the_minimum_nothing),
        TEST(pods_that_leave_or_live_elsewhere_do_not_count),
        TEST(tainted_nodes_are_domains_unless_taints_are_honored),
        TEST(a_node_counts_only_with_the_keys_of_all_constraints),
        TEST(a_bound_volume_is_used_where_it_reaches),
        TEST(a_claim_that_waits_gets_a_volume_where_the_pod_goes),
        TEST(an_immediate_or_unknown_class_is_waited_for),
        TEST(what_is_not_made_must_be_there),
        TEST(a_node_holds_so_many_volumes_of_a_driver),
        TEST(a_claim_for_one_pod_only_is_used_by_one),
        TEST(an_ephemeral_volume_s_claim_is_named_after_its_pod),
        TEST(numeric_tolerations_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

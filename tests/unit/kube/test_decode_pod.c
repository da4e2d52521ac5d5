// A Pod's JSON becomes what the scheduler and the rules of removal need, faithfully to the API server.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/decode.h"

#define MI (1024LL * 1024)

struct fixture {
    struct arena *arena;
    cJSON *json;
    struct pod_facts pod;
};

static struct fixture decode_with(const char *metadata, const char *spec, const char *status)
{
    struct fixture fixture = {.arena = arena_create(1024)};
    AUTOFREE char *text = xprintf("{'metadata':{'name':'web','namespace':'shop','uid':'u-1'%s},'spec':{%s},"
                                  "'status':{%s}}",
                                  metadata, spec, status);
    struct error error = {0};
    fixture.json = script_parse(text);
    if (decode_pod(fixture.json, fixture.arena, &fixture.pod, &error) < 0)
        fail_msg("%s", error.text);
    // Nothing may point into the tree.
    cJSON_Delete(fixture.json);
    return fixture;
}

static void drop(struct fixture *fixture)
{
    arena_destroy(fixture->arena);
}

static int64_t extended(const struct resources *resources, const char *name)
{
    for (uint32_t i = 0; i < resources->extended_count; i++) {
        if (strcmp(resources->extended[i].name, name) == 0)
            return resources->extended[i].amount;
    }
    return 0;
}

static void requests_are_what_the_scheduler_counts(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        int64_t cpu, memory, ephemeral, gpu;
    } cases[] = {
        {"'containers':[]", 0, 0, 0, 0},
        {"'containers':[{'name':'a'}]", 0, 0, 0, 0},
        {"'containers':[{'resources':{'requests':{'cpu':'100m','memory':'64Mi'}}},{'resources':{'requests':{'"
         "cpu':"
         "'1.5','memory':'1e6','ephemeral-storage':'1Gi','nvidia.com/gpu':'2','storage':'9'}}}]",
         1600, 64 * MI + 1000000, 1024 * MI, 2},
        // plain numbers, and a fraction of a milli rounds up
        {"'containers':[{'resources':{'requests':{'cpu':2,'memory':100}}}]", 2000, 100, 0, 0},
        {"'containers':[{'resources':{'requests':{'cpu':'100u'}}}]", 1, 0, 0, 0},
        {"'containers':[{'resources':{'requests':{'cpu':0.1,'memory':0.5}}}]", 100, 1, 0, 0},
        {"'containers':[{'resources':{'requests':{'cpu':0.0001,'memory':1e6}}}]", 1, 1000000, 0, 0},
        {"'containers':[{'resources':{'requests':{'cpu':0.30000000000000004}}}]", 301, 0, 0, 0},
        // exponents, milli bytes, and bytes in binary fractions
        {"'containers':[{'resources':{'requests':{'cpu':'1e-3','memory':'1500m','ephemeral-storage':'0.5Ki'}}"
         "}]",
         1, 2, 512, 0},
        // a limit without a request is the request
        {"'containers':[{'resources':{'limits':{'cpu':'2','memory':'10Mi'},'requests':{'cpu':'1'}}}]", 1000,
         10 * MI, 0, 0},
        // init containers: the largest one, not the sum
        {"'containers':[{'resources':{'requests':{'cpu':'300m','memory':'10Mi'}}}],'initContainers':[{'"
         "resources':{"
         "'requests':{'cpu':'1','memory':'5Mi'}}},{'resources':{'requests':{'cpu':'500m','memory':'7Mi'}}}]",
         1000, 10 * MI, 0, 0},
        // sidecars run beside the containers ...
        {"'containers':[{'resources':{'requests':{'cpu':'300m'}}}],'initContainers':[{'restartPolicy':'"
         "Always',"
         "'resources':{'requests':{'cpu':'200m'}}}]",
         500, 0, 0, 0},
        // ... and beside the init containers that start after them, not before
        {"'containers':[{'resources':{'requests':{'cpu':'100m'}}}],'initContainers':["
         "{'resources':{'requests':{'cpu':'900m'}}},"
         "{'restartPolicy':'Always','resources':{'requests':{'cpu':'200m'}}},"
         "{'resources':{'requests':{'cpu':'800m'}}},"
         "{'restartPolicy':'Always','resources':{'requests':{'cpu':'300m'}}}]",
         1000, 0, 0, 0},
        // overhead on top of all
        {"'containers':[{'resources':{'requests':{'cpu':'100m','memory':'1Mi'}}}],'overhead':{'cpu':'50m',"
         "'memory':'2Mi'}",
         150, 3 * MI, 0, 0},
        // pod-level resources replace the sum of what they name, and overhead still comes on top
        {"'containers':[{'resources':{'requests':{'cpu':'100m','memory':'1Mi','nvidia.com/gpu':'1'}}}],"
         "'resources':{'requests':{'cpu':'2','nvidia.com/"
         "gpu':'7','ephemeral-storage':'1'}},'overhead':{'cpu':'1'}",
         3000, MI, 0, 1},
        // a pod-level limit counts for what no container asks
        {"'containers':[{'resources':{'requests':{'cpu':'100m'}}}],'resources':{'limits':{'cpu':'2',"
         "'memory':'8Mi'}}",
         100, 8 * MI, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f = decode_with("", cases[i].spec, "");
        const struct resources *requests = &f.pod.shape.requests;
        assert_int_equal(requests->cpu_millis, cases[i].cpu);
        assert_int_equal(requests->memory_bytes, cases[i].memory);
        assert_int_equal(requests->ephemeral_bytes, cases[i].ephemeral);
        assert_int_equal(extended(requests, "nvidia.com/gpu"), cases[i].gpu);
        assert_int_equal(requests->extended_count, cases[i].gpu > 0);
        assert_int_equal(requests->pods, 1);
        assert_int_equal(f.pod.shape.needs & POD_NEEDS_UNREADABLE, 0);
        drop(&f);
    }
}

static void a_resize_counts_the_larger_until_it_is_done_and_nothing_when_refused(void **state)
{
    (void)state;
    const char *spec = "'containers':[{'name':'a','resources':{'requests':{'cpu':'1'}}}]";
    const char *larger = "'containerStatuses':[{'name':'a','resources':{'requests':{'cpu':'3'}},"
                         "'allocatedResources':{'cpu':'2'}}]";
    struct fixture f = decode_with("", spec, larger);
    assert_int_equal(f.pod.shape.requests.cpu_millis, 3000);
    drop(&f);
    const char *smaller = "'containerStatuses':[{'name':'a','resources':{'requests':{'cpu':'500m'}}}]";
    f = decode_with("", spec, smaller);
    assert_int_equal(f.pod.shape.requests.cpu_millis, 1000);
    drop(&f);
    const char *refused = "'containerStatuses':[{'name':'a','resources':{'requests':{'cpu':'500m'}}}],"
                          "'conditions':[{'type':'PodResizePending','status':'True','reason':'Infeasible'}]";
    f = decode_with("", spec, refused);
    assert_int_equal(f.pod.shape.requests.cpu_millis, 500);
    drop(&f);
}

static void a_pod_level_resize_counts_what_is_held_without_the_overhead(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        int64_t cpu; // with the overhead of 100m
    } cases[] = {
        {"", 2100},
        {"'resources':{'requests':{'cpu':'3100m'}}", 3100}, // shrinking: the kubelet still holds 3
        {"'resources':{'requests':{'cpu':'1100m'}}", 2100}, // growing: 2 are wanted
        {"'allocatedResources':{'cpu':'4100m'},'resources':{'requests':{'cpu':'1100m'}}", 4100},
        {"'resources':{'requests':{'cpu':'1100m'}},'conditions':[{'type':'PodResizePending','status':'True',"
         "'reason':'Infeasible'}]",
         1100},
        {"'resources':{'requests':{'cpu':'1100m'}},'conditions':[{'type':'PodResizePending','status':'True',"
         "'reason':'Deferred'}]",
         2100},
        {"'resources':{'requests':{'cpu':'50m'}}", 2100},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f =
            decode_with("",
                        "'containers':[{'resources':{'requests':{'cpu':'500m'}}}],'resources':{"
                        "'requests':{'cpu':'2'}},'overhead':{'cpu':'100m'}",
                        cases[i].status);
        if (f.pod.shape.requests.cpu_millis != cases[i].cpu)
            fail_msg("%s: %d", cases[i].status, (int)f.pod.shape.requests.cpu_millis);
        drop(&f);
    }
}

static void a_quantity_that_is_none_marks_the_pod_as_unreadable_but_keeps_it(void **state)
{
    (void)state;
    static const char *const bad[] = {"'lots'", "'-1'",  "true", "{}",    "'1.5.5'",        "-4",
                                      "'9E'",   "'10E'", "1e30", "'-1n'", "'1e4294967297'", "''",
                                      "null"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        AUTOFREE char *spec =
            xprintf("'containers':[{'resources':{'requests':{'memory':'1Mi','cpu':%s}}}]", bad[i]);
        struct fixture f = decode_with("", spec, "");
        assert_true(f.pod.shape.needs & POD_NEEDS_UNREADABLE);
        assert_int_equal(f.pod.shape.requests.memory_bytes, MI);
        drop(&f);
    }
}

static void more_resource_names_than_any_pod_has_mark_it_as_unreadable(void **state)
{
    (void)state;
    AUTOTEXT struct text spec = {0};
    text_append(&spec, "'containers':[{'resources':{'requests':{'cpu':'1'");
    for (int i = 0; i < 100; i++)
        text_printf(&spec, ",'example.com/r%d':'1'", i);
    text_append(&spec, "}}}]");
    struct fixture f = decode_with("", spec.bytes, "");
    assert_true(f.pod.shape.needs & POD_NEEDS_UNREADABLE);
    for (uint32_t i = 1; i < f.pod.shape.requests.extended_count; i++)
        assert_true(strcmp(f.pod.shape.requests.extended[i - 1].name, f.pod.shape.requests.extended[i].name) <
                    0);
    drop(&f);
}

static void where_it_may_run_is_read_with_every_operator(void **state)
{
    (void)state;
    struct fixture f = decode_with(
        ",'labels':{'b':'2','a':'1'}",
        "'nodeSelector':{'zone':'z1','arch':'amd64'},'priority':-5,'schedulerName':'mine',"
        "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':["
        "{'matchExpressions':[{'key':'k','operator':'In','values':['x','y']},{'key':'n','operator':'Gt','"
        "values':['3']}"
        ",{'key':'e','operator':'Exists'}]},"
        "{'matchFields':[{'key':'metadata.name','operator':'In','values':['w-1']}]}]}}},"
        "'tolerations':[{'key':'t','operator':'Equal','value':'v','effect':'NoSchedule'},{'operator':'Exists'"
        "},"
        "{'key':'x','operator':'Gt','value':'5','effect':'NoExecute'},{'key':'plain'}]",
        "");
    const struct pod_shape_facts *shape = &f.pod.shape;
    assert_int_equal(shape->labels.count, 2);
    assert_string_equal(shape->labels.items[0].key, "a");
    assert_string_equal(shape->labels.items[1].value, "2");
    assert_int_equal(shape->node_selector.count, 2);
    assert_string_equal(shape->node_selector.items[0].key, "arch");
    assert_true(shape->has_affinity);
    assert_int_equal(shape->affinity_term_count, 2);
    assert_int_equal(shape->affinity_terms[0].expression_count, 3);
    assert_int_equal(shape->affinity_terms[0].expressions[0].operator, SELECTOR_IN);
    assert_string_equal(shape->affinity_terms[0].expressions[0].values[1], "y");
    assert_int_equal(shape->affinity_terms[0].expressions[1].operator, SELECTOR_GT);
    assert_int_equal(shape->affinity_terms[0].expressions[2].operator, SELECTOR_EXISTS);
    assert_int_equal(shape->affinity_terms[1].field_count, 1);
    assert_int_equal(shape->toleration_count, 4);
    assert_int_equal(shape->tolerations[0].operator, TOLERATION_EQUAL);
    assert_false(shape->tolerations[0].any_effect);
    assert_int_equal(shape->tolerations[1].operator, TOLERATION_EXISTS);
    assert_true(shape->tolerations[1].any_effect);
    assert_string_equal(shape->tolerations[1].key, "");
    assert_int_equal(shape->tolerations[2].operator, TOLERATION_GT);
    assert_int_equal(shape->tolerations[2].effect, TAINT_NO_EXECUTE);
    assert_int_equal(shape->tolerations[3].operator, TOLERATION_EQUAL);
    assert_int_equal(shape->priority, -5);
    assert_string_equal(shape->scheduler_name, "mine");
    assert_int_equal(shape->needs, 0);
    drop(&f);
}

static void required_affinity_without_terms_is_still_required(void **state)
{
    (void)state;
    struct fixture f =
        decode_with("",
                    "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'"
                    "nodeSelectorTerms':[]}}}",
                    "");
    assert_true(f.pod.shape.has_affinity);
    assert_int_equal(f.pod.shape.affinity_term_count, 0);
    drop(&f);
}

static void rules_that_cannot_be_understood_mark_the_pod(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "'tolerations':[{'key':'a','operator':'Like'}]",
        "'tolerations':[{'operator':'Equal'}]",
        "'tolerations':[{'key':'a','effect':'Sometimes'}]",
        "'tolerations':'all'",
        "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{"
        "'matchExpressions':[{'key':'a','operator':'Near','values':['b']}]}]}}}",
        "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{"
        "'matchExpressions':[{'key':'a','operator':'In','values':[]}]}]}}}",
        "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{"
        "'matchFields':[{'key':'metadata.uid','operator':'In','values':['b']}]}]}}}",
        "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':7}"
        "}}",
    };
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        struct fixture f = decode_with("", specs[i], "");
        if (!(f.pod.shape.needs & POD_NEEDS_UNREADABLE))
            fail_msg("not marked: %s", specs[i]);
        drop(&f);
    }
}

static void only_what_is_beyond_the_rules_is_marked(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        uint32_t needs;
    } cases[] = {
        {"'affinity':{'podAntiAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{'topologyKey':'z'"
         "}]}}",
         0},
        {"'topologySpreadConstraints':[{'topologyKey':'z','maxSkew':1,'whenUnsatisfiable':'DoNotSchedule'}]",
         0},
        {"'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'c'}}]", 0},
        {"'volumes':[{'name':'v','ephemeral':{}}]", 0},
        {"'containers':[{'ports':[{'containerPort':80,'hostPort':80}]}]", 0},
        {"'resourceClaims':[{'name':'gpu'}]", POD_NEEDS_RESOURCE_CLAIM},
        {"'resourceClaims':[]", 0},
        {"'resourceClaims':[{'name':'gpu'}],'tolerations':7",
         POD_NEEDS_RESOURCE_CLAIM | POD_NEEDS_UNREADABLE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f = decode_with("", cases[i].spec, "");
        if (f.pod.shape.needs != cases[i].needs)
            fail_msg("%s: %u", cases[i].spec, f.pod.shape.needs);
        drop(&f);
    }
}

static void status_and_conditions_say_where_it_stands(void **state)
{
    (void)state;
    struct fixture f =
        decode_with(",'creationTimestamp':'2026-01-02T03:04:05Z'", "'terminationGracePeriodSeconds':7",
                    "'phase':'Pending','nominatedNodeName':'w-9','conditions':[{'type':'PodScheduled',"
                    "'status':'False','reason':'Unschedulable','message':'0/3 nodes',"
                    "'lastTransitionTime':'2026-01-02T03:04:06Z'}]");
    assert_int_equal(f.pod.phase, POD_PENDING);
    assert_true(f.pod.unschedulable);
    assert_int_equal(f.pod.unschedulable_since_ms - f.pod.created_ms, 1000);
    assert_string_equal(f.pod.unschedulable_message, "0/3 nodes");
    assert_string_equal(f.pod.nominated_node, "w-9");
    assert_int_equal(f.pod.grace_seconds, 7);
    assert_false(f.pod.gated);
    drop(&f);
    f = decode_with(",'deletionTimestamp':'2026-01-02T03:04:05Z'", "'nodeName':'w-1'",
                    "'phase':'Running','conditions':[{'type':'Ready','status':'True'}]");
    assert_int_equal(f.pod.phase, POD_RUNNING);
    assert_true(f.pod.ready);
    assert_true(f.pod.deletion_ms > 0);
    assert_string_equal(f.pod.node_name, "w-1");
    assert_int_equal(f.pod.grace_seconds, 30);
    drop(&f);
    f = decode_with("", "'schedulingGates':[{'name':'g'}]",
                    "'conditions':[{'type':'PodScheduled','status':'False','reason':'SchedulingGated'}]");
    assert_true(f.pod.gated);
    assert_false(f.pod.unschedulable);
    drop(&f);
    f = decode_with("", "", "'phase':'Succeeded'");
    assert_true(f.pod.terminal);
    drop(&f);
    f = decode_with("", "", "'phase':'Strange'");
    assert_int_equal(f.pod.phase, POD_PHASE_UNKNOWN);
    assert_false(f.pod.terminal);
    drop(&f);
}

static void owners_annotations_and_volumes_say_what_may_be_moved(void **state)
{
    (void)state;
    struct fixture f = decode_with(
        ",'ownerReferences':[{'kind':'Thing','name':'t','uid':'1'},{'kind':'ReplicaSet','name':'rs','uid':'2'"
        ","
        "'controller':true}],'annotations':{'cluster-autoscaler.kubernetes.io/safe-to-evict':'false',"
        "'karpenter.sh/do-not-disrupt':'true','kubernetes.io/config.mirror':'x',"
        "'cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes':'a,b'}",
        "'volumes':[{'name':'cache','emptyDir':{}},{'name':'mem','emptyDir':{'medium':'Memory'}},"
        "{'name':'huge','emptyDir':{'medium':'HugePages-2Mi'}},{'name':'host','hostPath':{'path':'/'}},"
        "{'name':'cfg','configMap':{}}]",
        "");
    assert_string_equal(f.pod.controller_kind, "ReplicaSet");
    assert_string_equal(f.pod.controller_uid, "2");
    assert_int_equal(f.pod.safe_to_evict, TRISTATE_FALSE);
    assert_true(f.pod.do_not_disrupt);
    assert_true(f.pod.mirror);
    assert_string_equal(f.pod.safe_local_volumes, "a,b");
    assert_int_equal(f.pod.local_volume_count, 2);
    assert_string_equal(f.pod.local_volumes[0], "cache");
    assert_string_equal(f.pod.local_volumes[1], "host");
    drop(&f);
    f = decode_with(",'annotations':{'autoscaler.vpsie.com/do-not-disrupt':'true',"
                    "'cluster-autoscaler.kubernetes.io/safe-to-evict':'true'}",
                    "", "");
    assert_true(f.pod.do_not_disrupt);
    assert_int_equal(f.pod.safe_to_evict, TRISTATE_TRUE);
    assert_string_equal(f.pod.controller_kind, "");
    assert_false(f.pod.mirror);
    drop(&f);
}

static void what_has_no_name_space_or_uid_is_no_pod(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}",
                                        "[]",
                                        "5",
                                        "{'metadata':7}",
                                        "{'metadata':{'name':'a','namespace':'b'}}",
                                        "{'metadata':{'name':'a','uid':'b'}}",
                                        "{'metadata':{'namespace':'a','uid':'b'}}",
                                        "{'metadata':{'name':5,'namespace':'a','uid':'b'}}"};
    struct arena *arena = arena_create(256);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        AUTOJSON cJSON *json = script_parse(texts[i]);
        struct pod_facts pod;
        struct error error = {0};
        assert_int_equal(decode_pod(json, arena, &pod, &error), -1);
        assert_true(strlen(error.text) > 0);
    }
    arena_destroy(arena);
}

static void every_field_of_a_wrong_type_does_no_harm(void **state)
{
    (void)state;
    static const char *const fields[] = {"nodeName",
                                         "containers",
                                         "initContainers",
                                         "tolerations",
                                         "affinity",
                                         "volumes",
                                         "resources",
                                         "overhead",
                                         "nodeSelector",
                                         "priority",
                                         "topologySpreadConstraints",
                                         "resourceClaims",
                                         "schedulingGates",
                                         "hostNetwork",
                                         "terminationGracePeriodSeconds"};
    static const char *const values[] = {"5",  "'x'",     "[]",   "[5]",  "[[]]", "[{}]",
                                         "{}", "{'a':5}", "true", "null", "1e300"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            AUTOFREE char *spec = xprintf("'%s':%s", fields[i], values[j]);
            struct fixture f = decode_with("", spec, spec);
            assert_string_equal(f.pod.name, "web");
            assert_non_null(f.pod.node_name);
            drop(&f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_what_the_scheduler_counts),
        cmocka_unit_test(a_resize_counts_the_larger_until_it_is_done_and_nothing_when_refused),
        cmocka_unit_test(a_pod_level_resize_counts_what_is_held_without_the_overhead),
        cmocka_unit_test(a_quantity_that_is_none_marks_the_pod_as_unreadable_but_keeps_it),
        cmocka_unit_test(more_resource_names_than_any_pod_has_mark_it_as_unreadable),
        cmocka_unit_test(where_it_may_run_is_read_with_every_operator),
        cmocka_unit_test(required_affinity_without_terms_is_still_required),
        cmocka_unit_test(rules_that_cannot_be_understood_mark_the_pod),
        cmocka_unit_test(only_what_is_beyond_the_rules_is_marked),
        cmocka_unit_test(status_and_conditions_say_where_it_stands),
        cmocka_unit_test(owners_annotations_and_volumes_say_what_may_be_moved),
        cmocka_unit_test(what_has_no_name_space_or_uid_is_no_pod),
        cmocka_unit_test(every_field_of_a_wrong_type_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

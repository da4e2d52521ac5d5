// What is written: the marks on a node and exactly their undoing, finalizers, and the bodies of our
// resources.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/patch.h"

#define TAINT_OURS "{'key':'autoscaler.vpsie.com/draining','effect':'NoSchedule'}"
#define LABEL      "'node.kubernetes.io/exclude-from-external-load-balancers'"

static void expect(const char *body, const char *expected)
{
    if (!expected) {
        assert_null(body);
        return;
    }
    AUTOFREE char *quoted = script_quotes(expected);
    if (!body || strcmp(body, quoted) != 0)
        fail_msg("\n%s\nexpected\n%s", body ? body : "(nothing)", quoted);
}

static char *cordon_of(const char *node, const char *reason)
{
    AUTOJSON cJSON *json = script_parse(node);
    return patch_cordon(json, reason);
}

static char *uncordon_of(const char *node)
{
    AUTOJSON cJSON *json = script_parse(node);
    return patch_uncordon(json);
}

static void a_cordon_is_one_patch_with_all_marks_that_fails_when_somebody_wrote_in_between(void **state)
{
    (void)state;
    AUTOFREE char *body =
        cordon_of("{'metadata':{'name':'w','resourceVersion':'7'},'spec':{'taints':[{'key':'gpu',"
                  "'effect':'NoSchedule','timeAdded':'2026-01-01T00:00:00Z'}]}}",
                  "D12: underused");
    expect(
        body,
        "{'metadata':{'resourceVersion':'7','annotations':{'autoscaler.vpsie.com/cordoned-by-us':"
        "'unschedulable,taint,label','autoscaler.vpsie.com/cordon-reason':'D12: underused'},'labels':{" LABEL
        ":''}},'spec':{'unschedulable':true,'taints':[{'key':'gpu','effect':'NoSchedule','timeAdded':"
        "'2026-01-01T00:00:00Z'}," TAINT_OURS "]}}");
}

static void what_a_person_set_before_is_neither_written_nor_remembered(void **state)
{
    (void)state;
    AUTOFREE char *body = cordon_of("{'metadata':{'resourceVersion':'7','labels':{" LABEL ":'mine'}},"
                                    "'spec':{'unschedulable':true}}",
                                    "r");
    expect(body,
           "{'metadata':{'resourceVersion':'7','annotations':{'autoscaler.vpsie.com/cordoned-by-us':'taint',"
           "'autoscaler.vpsie.com/cordon-reason':'r'}},'spec':{'taints':[" TAINT_OURS "]}}");
}

static void a_cordon_that_stands_is_not_written_again(void **state)
{
    (void)state;
    AUTOFREE char *body = cordon_of(
        "{'metadata':{'annotations':{'autoscaler.vpsie.com/cordoned-by-us':'taint'},'labels':{" LABEL
        ":''}},'spec':{'unschedulable':true,'taints':[" TAINT_OURS "]}}",
        "again");
    expect(body, NULL);
}

static void marks_that_somebody_removed_are_set_again_and_earlier_ones_stay_ours(void **state)
{
    (void)state;
    AUTOFREE char *body = cordon_of(
        "{'metadata':{'annotations':{'autoscaler.vpsie.com/cordoned-by-us':'label,taint'},'labels':{" LABEL
        ":''}},'spec':{'taints':[" TAINT_OURS "]}}",
        "r");
    expect(body,
           "{'metadata':{'annotations':{'autoscaler.vpsie.com/cordoned-by-us':'unschedulable,taint,label',"
           "'autoscaler.vpsie.com/cordon-reason':'r'}},'spec':{'unschedulable':true}}");
}

static void undoing_takes_back_what_the_annotation_says(void **state)
{
    (void)state;
    AUTOFREE char *body = uncordon_of(
        "{'metadata':{'resourceVersion':'9','annotations':{'autoscaler.vpsie.com/cordoned-by-us':"
        "'unschedulable,taint,label'},'labels':{" LABEL
        ":''}},'spec':{'unschedulable':true,'taints':[{'key':'node.kubernetes.io/unschedulable','effect':"
        "'NoSchedule'}," TAINT_OURS "]}}");
    expect(body,
           "{'metadata':{'resourceVersion':'9','annotations':{'autoscaler.vpsie.com/cordoned-by-us':null,"
           "'autoscaler.vpsie.com/cordon-reason':null},'labels':{" LABEL
           ":null}},'spec':{'unschedulable':null,"
           "'taints':[{'key':'node.kubernetes.io/unschedulable','effect':'NoSchedule'}]}}");
}

static void undoing_leaves_a_persons_cordon_and_label(void **state)
{
    (void)state;
    AUTOFREE char *body =
        uncordon_of("{'metadata':{'annotations':{'autoscaler.vpsie.com/cordoned-by-us':'taint'},"
                    "'labels':{" LABEL ":'mine'}},'spec':{'unschedulable':true,'taints':[" TAINT_OURS "]}}");
    expect(body, "{'metadata':{'annotations':{'autoscaler.vpsie.com/cordoned-by-us':null,"
                 "'autoscaler.vpsie.com/cordon-reason':null}},'spec':{'taints':null}}");
}

static void what_is_not_ours_is_not_undone(void **state)
{
    (void)state;
    AUTOFREE char *body =
        uncordon_of("{'metadata':{},'spec':{'unschedulable':true,'taints':[" TAINT_OURS "]}}");
    expect(body, NULL);
    // A cordon of nobody's marks (all were there before) leaves only its annotations to take back.
    AUTOFREE char *empty =
        uncordon_of("{'metadata':{'annotations':{'autoscaler.vpsie.com/cordoned-by-us':''}},"
                    "'spec':{'unschedulable':true,'taints':[" TAINT_OURS "]}}");
    expect(empty, "{'metadata':{'annotations':{'autoscaler.vpsie.com/cordoned-by-us':null,"
                  "'autoscaler.vpsie.com/cordon-reason':null}}}");
}

static void cordon_and_uncordon_together_change_nothing(void **state)
{
    (void)state;
    // Every combination of what may have been there before.
    for (int mask = 0; mask < 8; mask++) {
        AUTOFREE char *node = xprintf(
            "{'metadata':{'labels':{'a':'b'%s}},'spec':{%s'taints':[{'key':'x','effect':'NoExecute'}%s]}}",
            mask & 1 ? "," LABEL ":'p'" : "", mask & 2 ? "'unschedulable':true," : "",
            mask & 4 ? "," TAINT_OURS : "");
        AUTOJSON cJSON *before = script_parse(node);
        AUTOJSON cJSON *now = cJSON_Duplicate(before, true);
        AUTOFREE char *cordon = patch_cordon(now, "r");
        assert_non_null(cordon);
        for (int step = 0; step < 2; step++) {
            AUTOFREE char *body = step == 0 ? xstrdup(cordon) : patch_uncordon(now);
            AUTOJSON cJSON *patch = json_parse(body, strlen(body), NULL);
            const char *parts[] = {"metadata", "spec"};
            for (int i = 0; i < 2; i++) {
                const cJSON *member;
                cJSON *into = cJSON_GetObjectItem(now, parts[i]);
                cJSON_ArrayForEach(member, json_get(patch, parts[i]))
                {
                    bool is_map =
                        strcmp(member->string, "labels") == 0 || strcmp(member->string, "annotations") == 0;
                    if (!is_map) {
                        cJSON_DeleteItemFromObject(into, member->string);
                        if (!cJSON_IsNull(member))
                            cJSON_AddItemToObject(into, member->string, cJSON_Duplicate(member, true));
                        continue;
                    }
                    cJSON *map = cJSON_GetObjectItem(into, member->string);
                    if (!map)
                        map = cJSON_AddObjectToObject(into, member->string);
                    const cJSON *entry;
                    cJSON_ArrayForEach(entry, member)
                    {
                        cJSON_DeleteItemFromObject(map, entry->string);
                        if (!cJSON_IsNull(entry))
                            cJSON_AddItemToObject(map, entry->string, cJSON_Duplicate(entry, true));
                    }
                }
            }
        }
        cJSON *annotations = cJSON_GetObjectItem(cJSON_GetObjectItem(now, "metadata"), "annotations");
        assert_null(annotations->child);
        cJSON_DeleteItemFromObject(cJSON_GetObjectItem(now, "metadata"), "annotations");
        assert_true(cJSON_Compare(before, now, true));
    }
}

static void labels_and_taints_are_added_and_a_persons_stay(void **state)
{
    (void)state;
    AUTOJSON cJSON *node =
        script_parse("{'metadata':{'resourceVersion':'3','labels':{'team':'theirs','same':'1','autoscaler."
                     "vpsie.com/managed':'old'}},"
                     "'spec':{'taints':[{'key':'gpu','value':'theirs','effect':'NoSchedule'}]}}");
    const struct label labels[] = {
        {"autoscaler.vpsie.com/managed", "true"}, {"new", "n"}, {"same", "1"}, {"team", "ours"}};
    const struct taint taints[] = {{"gpu", "ours", TAINT_NO_SCHEDULE}, {"gpu", "x", TAINT_NO_EXECUTE}};
    AUTOTEXT struct text kept = {0};
    AUTOFREE char *body = patch_label_node(node, &(struct labels){labels, 4}, &(struct labels){0},
                                           &(struct taints){taints, 2}, &kept);
    expect(body,
           "{'metadata':{'resourceVersion':'3','labels':{'autoscaler.vpsie.com/managed':'true','new':'n'}},"
           "'spec':{'taints':[{'key':'gpu','value':'theirs','effect':'NoSchedule'},{'key':'gpu','value':'x',"
           "'effect':'NoExecute'}]}}");
    assert_string_equal(text_get(&kept), "team stays \"theirs\"");
}

static void only_keys_of_ours_are_ever_removed(void **state)
{
    (void)state;
    AUTOJSON cJSON *node =
        script_parse("{'metadata':{'labels':{'team':'x','autoscaler.vpsie.com/managed':'true'}},'spec':{}}");
    const struct label labels[] = {
        {"autoscaler.vpsie.com/absent", NULL}, {"autoscaler.vpsie.com/managed", NULL}, {"team", NULL}};
    AUTOTEXT struct text kept = {0};
    AUTOFREE char *body =
        patch_label_node(node, &(struct labels){labels, 3}, &(struct labels){0}, &(struct taints){0}, &kept);
    expect(body, "{'metadata':{'labels':{'autoscaler.vpsie.com/managed':null}}}");
    AUTOFREE char *nothing =
        patch_label_node(node, &(struct labels){labels, 1}, &(struct labels){0}, &(struct taints){0}, &kept);
    assert_null(nothing);
}

static void finalizers_of_others_stay(void **state)
{
    (void)state;
    AUTOJSON cJSON *object =
        script_parse("{'metadata':{'resourceVersion':'4','finalizers':['other','" FINALIZER_NODEGROUP "']}}");
    AUTOFREE char *removed = patch_finalizer(object, FINALIZER_NODEGROUP, false);
    expect(removed, "{'metadata':{'resourceVersion':'4','finalizers':['other']}}");
    AUTOFREE char *present = patch_finalizer(object, FINALIZER_NODEGROUP, true);
    assert_null(present);
    AUTOJSON cJSON *bare = script_parse("{'metadata':{}}");
    AUTOFREE char *added = patch_finalizer(bare, FINALIZER_NODEGROUP, true);
    expect(added, "{'metadata':{'finalizers':['" FINALIZER_NODEGROUP "']}}");
    AUTOFREE char *absent = patch_finalizer(bare, FINALIZER_NODEGROUP, false);
    assert_null(absent);
}

static void an_intention_is_born_with_its_owner_and_finalizer(void **state)
{
    (void)state;
    const struct label labels[] = {{"autoscaler.vpsie.com/managed", "true"}};
    struct intention_facts facts = {.space = "kube-system",
                                    .name = "general-1",
                                    .labels = {labels, 1},
                                    .has_finalizer = true,
                                    .owner_uid = "g-uid",
                                    .group_name = "general",
                                    .instance_type = "12",
                                    .datacenter_id = "dc",
                                    .resource_identifier = "rid",
                                    .project = "p",
                                    .kubernetes_version = "v1.30.2",
                                    .vpsie_group_id = 9};
    AUTOFREE char *body = body_intention(&facts, "general");
    expect(
        body,
        "{'apiVersion':'autoscaler.vpsie.com/v1alpha1','kind':'VPSieNode','metadata':{'name':'general-1',"
        "'namespace':'kube-system','labels':{'autoscaler.vpsie.com/"
        "managed':'true'},'finalizers':['" FINALIZER_INTENTION
        "'],'ownerReferences':[{'apiVersion':'autoscaler.vpsie.com/v1alpha1','kind':"
        "'NodeGroup','name':'general','uid':'g-uid','controller':true,'blockOwnerDeletion':true}]},'spec':{"
        "'vpsieInstanceID':0,'instanceType':'12','nodeGroupName':'general','datacenterID':'dc',"
        "'resourceIdentifier':'rid','project':'p','kubernetesVersion':'v1.30.2','vpsieGroupID':9}}");
}

static void a_nodegroup_carries_what_its_definition_asks_for(void **state)
{
    (void)state;
    static const struct label mark = {"autoscaler.vpsie.com/managed", "true"}, kind = {"kind", "special"};
    static const struct taint taint = {"gpu", "yes", TAINT_NO_SCHEDULE};
    static const char *const offerings[] = {"12", "13"};
    struct nodegroup_facts facts = {.space = "default",
                                    .name = "dynamic-1",
                                    .labels = {&mark, 1},
                                    .max_nodes = 10,
                                    .datacenter_id = "dc",
                                    .resource_identifier = "rid",
                                    .project = "p",
                                    .kubernetes_version = "v1.30.2",
                                    .offering_ids = offerings,
                                    .offering_count = 2,
                                    .node_labels = {&kind, 1},
                                    .node_taints = {&taint, 1},
                                    .scale_up = {true, 60, 80, 80, 0},
                                    .scale_down = {true, 600, 50, 50, 600}};
    AUTOFREE char *body = body_nodegroup(&facts);
    expect(body,
           "{'apiVersion':'autoscaler.vpsie.com/v1alpha1','kind':'NodeGroup','metadata':{'name':'dynamic-1',"
           "'namespace':'default','labels':{'autoscaler.vpsie.com/managed':'true'}},'spec':{'minNodes':0,"
           "'maxNodes':10,'datacenterID':'dc','resourceIdentifier':'rid','project':'p',"
           "'kubernetesVersion':'v1.30.2','offeringIDs':['12','13'],'labels':{'kind':'special'},"
           "'taints':[{'key':'gpu','value':'yes','effect':'NoSchedule'}],"
           "'scaleUpPolicy':{'enabled':true,'stabilizationWindowSeconds':60,'cpuThreshold':80,"
           "'memoryThreshold':80},'scaleDownPolicy':{'enabled':true,'stabilizationWindowSeconds':600,"
           "'cpuThreshold':50,'memoryThreshold':50,'cooldownSeconds':600}}}");
}

static void an_update_writes_only_what_is_set(void **state)
{
    (void)state;
    const struct label annotations[] = {{"autoscaler.vpsie.com/a", "1"}, {"autoscaler.vpsie.com/b", NULL}};
    struct command command = {.kind = COMMAND_KUBE_UPDATE_INTENTION};
    command.update_intention.resource_version = "5";
    command.update_intention.annotations = (struct labels){annotations, 2};
    command.update_intention.identifier = "id-7";
    AUTOFREE char *body = patch_intention(&command, NULL);
    expect(body, "{'metadata':{'annotations':{'autoscaler.vpsie.com/a':'1','autoscaler.vpsie.com/b':null},"
                 "'resourceVersion':'5'},'spec':{'vpsieNodeIdentifier':'id-7'}}");
    struct command empty = {.kind = COMMAND_KUBE_UPDATE_INTENTION};
    assert_null(patch_intention(&empty, NULL));
    AUTOJSON cJSON *object =
        script_parse("{'metadata':{'resourceVersion':'8','finalizers':['" FINALIZER_INTENTION "']}}");
    empty.update_intention.finalizer = TRISTATE_FALSE;
    AUTOFREE char *finalizer = patch_intention(&empty, object);
    expect(finalizer, "{'metadata':{'resourceVersion':'8','finalizers':[]}}");
}

static void a_status_leaves_what_is_not_set_and_clears_what_is_empty(void **state)
{
    (void)state;
    struct intention_status_facts status = {.phase = INTENTION_READY,
                                            .node_name = "w-1",
                                            .cpu = 4,
                                            .memory_mb = 8192,
                                            .ready_ms = 1000,
                                            .last_error = ""};
    AUTOFREE char *body = patch_intention_status(&status, 5000);
    expect(body,
           "{'status':{'phase':'Ready','nodeName':'w-1','resources':{'cpu':4,'memoryMB':8192},'readyAt':"
           "'1970-01-01T00:00:01Z','lastError':null}}");
    const struct condition_facts conditions[] = {{"Ready", TRISTATE_FALSE, "R", "m", 0},
                                                 {"Error", TRISTATE_UNSET, "", "", 2000}};
    const struct group_node_facts nodes[] = {{"w-1", "77", "12", "Ready", "1.2.3.4", 1000, 2000}};
    struct command command = {.kind = COMMAND_KUBE_GROUP_STATUS};
    command.group_status.current = 2;
    command.group_status.desired = 3;
    command.group_status.ready = 1;
    command.group_status.nodes = nodes;
    command.group_status.node_count = 1;
    command.group_status.conditions = conditions;
    command.group_status.condition_count = 2;
    command.group_status.last_scale_up_ms = 3000;
    command.group_status.observed_generation = 4;
    AUTOFREE char *group = patch_group_status(&command, 5000);
    expect(
        group,
        "{'status':{'currentNodes':2,'desiredNodes':3,'readyNodes':1,'nodes':[{'nodeName':'w-1','vpsID':'77',"
        "'instanceType':'12','status':'Ready','createdAt':'1970-01-01T00:00:01Z','readyAt':'1970-01-01T00:00:"
        "02Z',"
        "'ipAddress':'1.2.3.4'}],'conditions':[{'type':'Ready','status':'False','lastTransitionTime':"
        "'1970-01-01T00:00:05Z','lastUpdateTime':'1970-01-01T00:00:05Z','reason':'R','message':'m'},{'type':'"
        "Error',"
        "'status':'Unknown','lastTransitionTime':'1970-01-01T00:00:02Z','lastUpdateTime':'1970-01-01T00:00:"
        "05Z',"
        "'reason':'','message':''}],'lastScaleUpTime':'1970-01-01T00:00:03Z','observedGeneration':4}}");
}

static void an_eviction_and_a_deletion_name_the_uid(void **state)
{
    (void)state;
    AUTOFREE char *evict = body_eviction("ns", "p", "u-1", -1);
    expect(evict, "{'apiVersion':'policy/v1','kind':'Eviction','metadata':{'name':'p','namespace':'ns'},"
                  "'deleteOptions':{'preconditions':{'uid':'u-1'}}}");
    AUTOFREE char *delete = body_delete("u-1", 5);
    expect(delete,
           "{'apiVersion':'v1','kind':'DeleteOptions','preconditions':{'uid':'u-1'},'gracePeriodSeconds':5}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cordon_is_one_patch_with_all_marks_that_fails_when_somebody_wrote_in_between),
        cmocka_unit_test(what_a_person_set_before_is_neither_written_nor_remembered),
        cmocka_unit_test(a_cordon_that_stands_is_not_written_again),
        cmocka_unit_test(marks_that_somebody_removed_are_set_again_and_earlier_ones_stay_ours),
        cmocka_unit_test(undoing_takes_back_what_the_annotation_says),
        cmocka_unit_test(undoing_leaves_a_persons_cordon_and_label),
        cmocka_unit_test(what_is_not_ours_is_not_undone),
        cmocka_unit_test(cordon_and_uncordon_together_change_nothing),
        cmocka_unit_test(labels_and_taints_are_added_and_a_persons_stay),
        cmocka_unit_test(only_keys_of_ours_are_ever_removed),
        cmocka_unit_test(finalizers_of_others_stay),
        cmocka_unit_test(an_intention_is_born_with_its_owner_and_finalizer),
        cmocka_unit_test(a_nodegroup_carries_what_its_definition_asks_for),
        cmocka_unit_test(an_update_writes_only_what_is_set),
        cmocka_unit_test(a_status_leaves_what_is_not_set_and_clears_what_is_empty),
        cmocka_unit_test(an_eviction_and_a_deletion_name_the_uid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

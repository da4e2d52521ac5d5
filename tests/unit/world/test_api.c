// The object store keeps the API's conventions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/world/api.h"

struct fixture {
    int64_t now_ms;
    struct random random;
    struct api *api;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture.now_ms = 1700000000000;
    random_seed(&fixture.random, 1);
    fixture.api = api_create_store(&fixture.now_ms, &fixture.random);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    api_destroy(fixture->api);
    return 0;
}

static struct api_answer make_group(struct api *api, const char *name)
{
    return api_create(api, API_NODEGROUP, "default",
                      json_of("{'metadata':{'name':'%s'},'spec':{'minNodes':1,'maxNodes':3}}", name));
}

static struct api_answer patch(struct api *api, bool status, const char *text)
{
    AUTOJSON cJSON *json = json_of("%s", text);
    return api_patch(api, API_NODEGROUP, "default", "a", status, API_MERGE_PATCH, json);
}

static void an_object_gets_its_metadata_from_the_server(void **state)
{
    struct fixture *fixture = *state;
    struct api_answer answer = make_group(fixture->api, "a");
    assert_int_equal(answer.code, 201);
    const cJSON *json = answer.object->document->json;
    assert_string_equal(json_text(json, "apiVersion"), "autoscaler.vpsie.com/v1alpha1");
    assert_string_equal(json_text(json, "kind"), "NodeGroup");
    assert_string_equal(json_text(json, "metadata.creationTimestamp"), "2023-11-14T22:13:20Z");
    assert_int_equal(strlen(json_text(json, "metadata.uid")), 36);
    assert_int_equal(json_number(json, "metadata.generation", 0), 1);
    assert_string_equal(json_text(json, "metadata.resourceVersion"), "1");
}

static void a_name_is_given_once(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture->api, "a");
    struct api_answer again = make_group(fixture->api, "a");
    assert_int_equal(again.code, 409);
    assert_string_equal(again.reason, "AlreadyExists");
    AUTOJSON cJSON *pod = json_of("{'metadata':{'generateName':'web-'},'spec':{}}");
    struct api_answer first = api_create(fixture->api, API_POD, "default", cJSON_Duplicate(pod, true));
    AUTOJSON cJSON *kept = api_copy(first.object);
    struct api_answer second = api_create(fixture->api, API_POD, "default", cJSON_Duplicate(pod, true));
    assert_int_equal(second.code, 201);
    assert_string_not_equal(json_text(kept, "metadata.name"), second.object->name);
}

static void what_is_no_name_or_label_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(make_group(fixture->api, "Upper").code, 422);
    make_group(fixture->api, "a");
    assert_int_equal(patch(fixture->api, false, "{'metadata':{'labels':{'k':'white space'}}}").code, 422);
    char text[200] = "{'metadata':{'labels':{'k':'";
    memset(text + strlen(text), 'x', 64);
    strcat(text, "'}}}");
    assert_int_equal(patch(fixture->api, false, text).code, 422);
    assert_int_equal(patch(fixture->api, false, "{'metadata':{'annotations':{'k':'white space'}}}").code,
                     200);
    assert_int_equal(patch(fixture->api, false, "{'spec':{'minNodes':9}}").code, 422);
}

static void a_stale_resource_version_is_a_conflict(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture->api, "a");
    assert_int_equal(patch(fixture->api, false, "{'spec':{'maxNodes':4}}").code, 200);
    struct api_answer stale =
        patch(fixture->api, false, "{'metadata':{'resourceVersion':'1'},'spec':{'maxNodes':5}}");
    assert_int_equal(stale.code, 409);
    assert_string_equal(stale.reason, "Conflict");
    const struct api_object *object = api_find(fixture->api, API_NODEGROUP, "default", "a");
    assert_int_equal(json_number(object->document->json, "spec.maxNodes", 0), 4);
}

static void status_and_spec_are_written_apart(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture->api, "a");
    patch(fixture->api, false, "{'spec':{'maxNodes':4},'status':{'currentNodes':7}}");
    patch(fixture->api, true, "{'spec':{'maxNodes':9},'status':{'readyNodes':2}}");
    const cJSON *json = api_find(fixture->api, API_NODEGROUP, "default", "a")->document->json;
    assert_int_equal(json_number(json, "spec.maxNodes", 0), 4);
    assert_int_equal(json_number(json, "status.readyNodes", 0), 2);
    assert_int_equal(json_number(json, "status.currentNodes", -1), -1);
    assert_int_equal(json_number(json, "metadata.generation", 0), 2);
}

static void what_changes_nothing_is_no_write(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture->api, "a");
    int64_t version = api_version(fixture->api);
    assert_int_equal(patch(fixture->api, false, "{'spec':{'maxNodes':3}}").code, 200);
    assert_int_equal(api_version(fixture->api), version);
}

static void a_finalizer_keeps_a_deleted_object_until_it_is_lifted(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture->api, "a");
    patch(fixture->api, false, "{'metadata':{'finalizers':['x/y']}}");
    assert_int_equal(
        api_delete(fixture->api, API_NODEGROUP, "default", "a", (struct api_preconditions){0}, -1).code, 200);
    const struct api_object *object = api_find(fixture->api, API_NODEGROUP, "default", "a");
    assert_non_null(object);
    assert_string_not_equal(json_text(object->document->json, "metadata.deletionTimestamp"), "");
    assert_int_equal(patch(fixture->api, false, "{'metadata':{'finalizers':null}}").code, 200);
    assert_null(api_find(fixture->api, API_NODEGROUP, "default", "a"));
}

static void a_uid_precondition_protects_a_younger_object(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture->api, "a");
    struct api_preconditions wrong = {.uid = "00000000-0000-4000-8000-000000000000"};
    assert_int_equal(api_delete(fixture->api, API_NODEGROUP, "default", "a", wrong, -1).code, 409);
    assert_non_null(api_find(fixture->api, API_NODEGROUP, "default", "a"));
}

static void a_running_pod_is_marked_and_a_waiting_one_goes_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct api *api = fixture->api;
    api_create(api, API_POD, "default", json_of("{'metadata':{'name':'bound'},'spec':{'nodeName':'w-1'}}"));
    api_create(api, API_POD, "default", json_of("{'metadata':{'name':'waiting'},'spec':{}}"));
    api_delete(api, API_POD, "default", "waiting", (struct api_preconditions){0}, -1);
    assert_null(api_find(api, API_POD, "default", "waiting"));
    api_delete(api, API_POD, "default", "bound", (struct api_preconditions){0}, 60);
    const cJSON *pod = api_find(api, API_POD, "default", "bound")->document->json;
    assert_true(json_time_ms(pod, "metadata.deletionTimestamp") == fixture->now_ms + 60000);
    api_delete(api, API_POD, "default", "bound", (struct api_preconditions){0}, 0);
    assert_null(api_find(api, API_POD, "default", "bound"));
}

static void the_log_tells_every_change_once_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture->api, "a");
    patch(fixture->api, false, "{'spec':{'maxNodes':4}}");
    api_delete(fixture->api, API_NODEGROUP, "default", "a", (struct api_preconditions){0}, -1);
    static const enum api_change_type expected[] = {API_ADDED, API_MODIFIED, API_DELETED};
    int64_t version = 0;
    for (size_t i = 0; i < 3; i++) {
        const struct api_change *change = api_change_after(fixture->api, version);
        assert_non_null(change);
        assert_int_equal(change->type, expected[i]);
        assert_true(change->version > version);
        version = change->version;
    }
    assert_null(api_change_after(fixture->api, version));
}

static void compaction_forgets_what_is_before_it(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture->api, "a");
    make_group(fixture->api, "b");
    api_compact(fixture->api, 1);
    assert_int_equal(api_compacted_version(fixture->api), 1);
    assert_int_equal(api_change_after(fixture->api, 1)->version, 2);
}

static void a_json_patch_tests_before_it_writes(void **state)
{
    struct fixture *fixture = *state;
    make_group(fixture->api, "a");
    AUTOJSON cJSON *wrong = json_of("[{'op':'test','path':'/spec/maxNodes','value':9},"
                                    "{'op':'replace','path':'/spec/maxNodes','value':5}]");
    assert_int_equal(
        api_patch(fixture->api, API_NODEGROUP, "default", "a", false, API_JSON_PATCH, wrong).code, 422);
    AUTOJSON cJSON *right = json_of("[{'op':'test','path':'/spec/maxNodes','value':3},"
                                    "{'op':'replace','path':'/spec/maxNodes','value':5},"
                                    "{'op':'add','path':'/metadata/annotations','value':{}},"
                                    "{'op':'add','path':'/metadata/annotations/a~1b','value':'c'}]");
    assert_int_equal(
        api_patch(fixture->api, API_NODEGROUP, "default", "a", false, API_JSON_PATCH, right).code, 200);
    const cJSON *json = api_find(fixture->api, API_NODEGROUP, "default", "a")->document->json;
    assert_int_equal(json_number(json, "spec.maxNodes", 0), 5);
    assert_string_equal(json_key_text(json_at(json, "metadata.annotations"), "a/b"), "c");
}

static void a_merge_patch_takes_null_for_remove(void **state)
{
    (void)state;
    AUTOJSON cJSON *target = json_of("{'a':{'b':1,'c':2},'d':[1,2]}");
    AUTOJSON cJSON *change = json_of("{'a':{'b':null,'e':{'f':null,'g':3}},'d':[4]}");
    AUTOJSON cJSON *expected = json_of("{'a':{'c':2,'e':{'g':3}},'d':[4]}");
    json_merge_patch(target, change);
    assert_true(json_equal(target, expected));
}

static void selectors_choose_as_the_api_server_does(void **state)
{
    (void)state;
    AUTOJSON cJSON *pod =
        json_of("{'metadata':{'name':'p','labels':{'app':'web','tier':'b'}},'spec':{'nodeName':'w-1'}}");
    assert_int_equal(api_matches_labels(pod, "app=web,tier in (a, b),!old"), 1);
    assert_int_equal(api_matches_labels(pod, "app!=web"), 0);
    assert_int_equal(api_matches_labels(pod, "tier notin (a,b)"), 0);
    assert_int_equal(api_matches_labels(pod, "app"), 1);
    assert_int_equal(api_matches_labels(pod, "tier in (a"), -1);
    assert_int_equal(api_matches_fields(pod, "spec.nodeName=w-1,metadata.name!=q"), 1);
    assert_int_equal(api_matches_fields(pod, "spec.nodeName=w-2"), 0);
    assert_int_equal(api_matches_fields(pod, "nonsense"), -1);
    const cJSON *labels = json_at(pod, "metadata.labels");
    AUTOJSON cJSON *all = json_of("{}");
    AUTOJSON cJSON *some = json_of("{'matchExpressions':[{'key':'tier','operator':'NotIn','values':['b']}]}");
    assert_true(api_selects(all, labels));
    assert_false(api_selects(some, labels));
    assert_false(api_selects(NULL, labels));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_object_gets_its_metadata_from_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_is_given_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_name_or_label_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stale_resource_version_is_a_conflict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(status_and_spec_are_written_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_changes_nothing_is_no_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_finalizer_keeps_a_deleted_object_until_it_is_lifted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_uid_precondition_protects_a_younger_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_running_pod_is_marked_and_a_waiting_one_goes_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_log_tells_every_change_once_and_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(compaction_forgets_what_is_before_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_json_patch_tests_before_it_writes, set_up, tear_down),
        cmocka_unit_test(a_merge_patch_takes_null_for_remove),
        cmocka_unit_test(selectors_choose_as_the_api_server_does),
    };
    return cmocka_run_group_tests_name("the object store keeps the API's conventions", tests, NULL, NULL);
}

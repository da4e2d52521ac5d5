// Kubernetes events: one for each thing that happened, repetitions counted on it, never a flood.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/recorder.h"

#define POST  "POST /apis/events.k8s.io/v1/namespaces/"
#define PATCH "PATCH /apis/events.k8s.io/v1/namespaces/"

static int patch_status, post_status;

static void answer(struct script *script, const struct http_request *request, struct http_response *response)
{
    (void)script;
    bool post = strcmp(request->method, "POST") == 0;
    script_json(response, post ? post_status : patch_status, "{'kind':'Event'}");
}

static struct recorder *begin(struct script *script)
{
    post_status = 201;
    patch_status = 200;
    script_start(script, answer, NULL);
    struct recorder_options options = {
        .api = script->api, .identity = "pod-1", .now_ms = script_now, .now_context = script};
    return recorder_create(&options);
}

static void end(struct script *script, struct recorder *recorder)
{
    recorder_destroy(recorder);
    script_stop(script);
}

static struct command event_about(const char *name, const char *reason)
{
    struct command command = {.kind = COMMAND_KUBE_EVENT, .term = 1};
    command.event.regarding = REGARDING_NODE;
    command.event.space = "";
    command.event.name = name;
    command.event.uid = "u";
    command.event.reason = reason;
    command.event.action = "Act";
    command.event.message = "hello";
    return command;
}

static void an_event_has_every_field_that_the_api_asks_for(void **state)
{
    (void)state;
    struct script script;
    struct recorder *recorder = begin(&script);
    struct command command = event_about("w-1", "ScaledUp");
    command.event.regarding = REGARDING_NODEGROUP;
    command.event.space = "kube-system";
    command.event.warning = true;
    command.decision_id = 42;
    recorder_post(recorder, &command);
    const char *call = script_last(&script, POST "kube-system/events?fieldManager=vpsie-coordinator {");
    assert_string_not_equal(call, "");
    const char *body = strchr(call, '{');
    AUTOJSON cJSON *json = json_parse(body, strlen(body), NULL);
    assert_string_equal(json_text(json, "apiVersion"), "events.k8s.io/v1");
    assert_string_equal(json_text(json, "type"), "Warning");
    assert_string_equal(json_text(json, "reason"), "ScaledUp");
    assert_string_equal(json_text(json, "action"), "Act");
    assert_string_equal(json_text(json, "note"), "hello");
    assert_string_equal(json_text(json, "reportingController"), "autoscaler.vpsie.com/coordinator");
    assert_string_equal(json_text(json, "reportingInstance"), "pod-1");
    assert_true(json_time(json, "eventTime") > 0);
    const cJSON *metadata = json_get(json, "metadata");
    assert_true(text_starts_with(json_text(metadata, "name"), "w-1."));
    assert_string_equal(json_text(metadata, "namespace"), "kube-system");
    assert_string_equal(json_text(json_get(metadata, "annotations"), "autoscaler.vpsie.com/decision"), "D42");
    const cJSON *regarding = json_get(json, "regarding");
    assert_string_equal(json_text(regarding, "kind"), "NodeGroup");
    assert_string_equal(json_text(regarding, "uid"), "u");
    assert_string_equal(json_text(regarding, "namespace"), "kube-system");
    end(&script, recorder);
}

static void events_about_objects_without_a_namespace_live_in_default(void **state)
{
    (void)state;
    struct script script;
    struct recorder *recorder = begin(&script);
    struct command command = event_about("w-1", "R");
    recorder_post(recorder, &command);
    assert_int_equal(script_count(&script, POST "default/events?"), 1);
    end(&script, recorder);
}

static void repetitions_are_counted_on_the_first_event(void **state)
{
    (void)state;
    struct script script;
    struct recorder *recorder = begin(&script);
    struct command command = event_about("w-1", "R");
    struct command other = event_about("w-1", "Other");
    recorder_post(recorder, &command);
    command.event.message = "a bit different";
    recorder_post(recorder, &command);
    recorder_post(recorder, &other);
    recorder_post(recorder, &command);
    assert_int_equal(script_count(&script, POST), 2);
    assert_int_equal(script_count(&script, PATCH "default/events/w-1."), 2);
    assert_non_null(strstr(script_last(&script, PATCH), "{\"series\":{\"count\":3,\"lastObservedTime\":\""));
    // After the window a new event begins.
    script.now_ms += RECORDER_WINDOW_MS + 1;
    recorder_post(recorder, &command);
    assert_int_equal(script_count(&script, POST), 3);
    end(&script, recorder);
}

static void a_series_whose_event_expired_begins_anew(void **state)
{
    (void)state;
    struct script script;
    struct recorder *recorder = begin(&script);
    struct command command = event_about("w-1", "R");
    recorder_post(recorder, &command);
    patch_status = 404;
    recorder_post(recorder, &command);
    assert_int_equal(script_count(&script, POST), 2);
    patch_status = 200;
    recorder_post(recorder, &command);
    assert_int_equal(script_count(&script, POST), 2);
    assert_non_null(strstr(script_last(&script, PATCH), "\"count\":2"));
    end(&script, recorder);
}

static void an_event_that_could_not_be_written_does_not_silence_the_next(void **state)
{
    (void)state;
    struct script script;
    struct recorder *recorder = begin(&script);
    struct command command = event_about("w-1", "R");
    post_status = 403;
    recorder_post(recorder, &command);
    post_status = 201;
    recorder_post(recorder, &command);
    assert_int_equal(script_count(&script, POST), 2);
    end(&script, recorder);
}

static void a_flood_is_cut_and_the_count_stays_true(void **state)
{
    (void)state;
    struct script script;
    struct recorder *recorder = begin(&script);
    struct command command = event_about("w-1", "R");
    for (int i = 0; i < 500; i++)
        recorder_post(recorder, &command);
    assert_int_equal(script.call_count, RECORDER_BURST);
    script.now_ms += 1000;
    recorder_post(recorder, &command);
    assert_int_equal(script.call_count, RECORDER_BURST + 1);
    assert_non_null(strstr(script_last(&script, PATCH), "\"count\":501"));
    // Different ones share the limit.
    char names[40][16];
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof(names[i]), "n%d", i);
        struct command each = event_about(names[i], "R");
        recorder_post(recorder, &each);
    }
    assert_int_equal(script.call_count, RECORDER_BURST + 1);
    script.now_ms += 3600000;
    for (int i = 0; i < 40; i++) {
        struct command each = event_about(names[i], "R");
        recorder_post(recorder, &each);
    }
    assert_int_equal(script.call_count, RECORDER_BURST + 41);
    end(&script, recorder);
}

static void texts_are_cut_to_what_the_api_takes(void **state)
{
    (void)state;
    struct script script;
    struct recorder *recorder = begin(&script);
    AUTOTEXT struct text name = {0};
    AUTOTEXT struct text note = {0};
    for (int i = 0; i < 253; i++)
        text_append(&name, "n");
    for (int i = 0; i < 1000; i++)
        text_append(&note, "\xc3\xa9");
    struct command command = event_about(name.bytes, name.bytes);
    command.event.message = note.bytes;
    recorder_post(recorder, &command);
    const char *body = strchr(script_last(&script, POST), '{');
    AUTOJSON cJSON *json = json_parse(body, strlen(body), NULL);
    assert_int_equal(strlen(json_text(json_get(json, "metadata"), "name")), 253);
    assert_int_equal(strlen(json_text(json, "note")), 1024);
    assert_int_equal(strlen(json_text(json, "reason")), 128);
    end(&script, recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_every_field_that_the_api_asks_for),
        cmocka_unit_test(events_about_objects_without_a_namespace_live_in_default),
        cmocka_unit_test(repetitions_are_counted_on_the_first_event),
        cmocka_unit_test(a_series_whose_event_expired_begins_anew),
        cmocka_unit_test(an_event_that_could_not_be_written_does_not_silence_the_next),
        cmocka_unit_test(a_flood_is_cut_and_the_count_stays_true),
        cmocka_unit_test(texts_are_cut_to_what_the_api_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Lists in pages, watches, bookmarks, 410s and relists: the core sees each change once, and never an older
// one after a newer.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/store.h"
#include "coordinator/kube/watch.h"

// ------------------------------------------------------------------------------------------------ the store

static void note_gone(void *context, const char *space, const char *name, const char *uid)
{
    text_printf(context, "gone %s/%s %s\n", space, name, uid);
}

static enum store_verdict see(struct store *store, const char *name, const char *uid, const char *version)
{
    const char *former;
    return store_see(store, "s", name, uid, version, &former);
}

static void a_store_tells_a_change_from_a_repetition(void **state)
{
    (void)state;
    struct store *store = store_create(100);
    assert_int_equal(see(store, "a", "u1", "5"), STORE_NEW);
    assert_int_equal(see(store, "a", "u1", "5"), STORE_SAME);
    assert_int_equal(see(store, "a", "u1", "6"), STORE_CHANGED);
    assert_int_equal(see(store, "a", "u1", "4"), STORE_STALE);
    const char *former;
    assert_int_equal(store_see(store, "s", "a", "u2", "9", &former), STORE_REPLACED);
    assert_string_equal(former, "u1");
    assert_false(store_remove(store, "s", "a", "u1", "10")); // the former one's deletion comes late
    assert_true(store_remove(store, "s", "a", "u2", "11"));
    assert_false(store_remove(store, "s", "a", "u2", "11"));
    store_destroy(store);
}

static void versions_that_are_no_numbers_are_compared_for_equality(void **state)
{
    (void)state;
    struct store *store = store_create(100);
    assert_int_equal(see(store, "a", "u1", "x9"), STORE_NEW);
    assert_int_equal(see(store, "a", "u1", "x9"), STORE_SAME);
    assert_int_equal(see(store, "a", "u1", "x1"), STORE_CHANGED);
    store_destroy(store);
}

static void a_list_finds_what_is_gone_and_makes_older_news_stale(void **state)
{
    (void)state;
    struct store *store = store_create(100);
    AUTOTEXT struct text gone = {0};
    see(store, "a", "ua", "5");
    see(store, "b", "ub", "6");
    store_list_begin(store);
    assert_int_equal(see(store, "a", "ua", "5"), STORE_SAME);
    assert_int_equal(see(store, "c", "uc", "8"), STORE_NEW);
    store_list_end(store, "20", false, note_gone, &gone);
    assert_string_equal(text_get(&gone), "gone s/b ub\n");
    // A watch that still delivers what happened before the list must not bring anything back.
    assert_int_equal(see(store, "b", "ub", "7"), STORE_STALE);
    assert_false(store_remove(store, "s", "a", "ua", "19"));
    assert_int_equal(see(store, "b", "ub2", "21"), STORE_NEW);
    assert_int_equal(store_count(store), 3);
    store_destroy(store);
}

static void nothing_is_concluded_from_a_list_with_unreadable_parts_or_one_that_broke_off(void **state)
{
    (void)state;
    struct store *store = store_create(100);
    AUTOTEXT struct text gone = {0};
    see(store, "a", "ua", "5");
    store_list_begin(store);
    store_list_end(store, "20", true, note_gone, &gone);
    store_list_begin(store);
    store_list_abort(store);
    assert_string_equal(text_get(&gone), "");
    assert_int_equal(store_count(store), 1);
    store_destroy(store);
}

static void a_list_is_the_last_word_even_when_versions_went_back(void **state)
{
    (void)state;
    struct store *store = store_create(100);
    AUTOTEXT struct text gone = {0};
    see(store, "a", "ua", "500");
    store_list_begin(store);
    assert_int_equal(see(store, "a", "ua", "50"), STORE_CHANGED);
    store_list_end(store, "60", false, note_gone, &gone);
    assert_int_equal(see(store, "a", "ua", "61"), STORE_CHANGED);
    store_destroy(store);
}

static void a_store_grows_and_has_a_limit(void **state)
{
    (void)state;
    struct store *store = store_create(3000);
    char name[32];
    for (int i = 0; i < 3001; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(see(store, name, "u", "1"), i < 3000 ? STORE_NEW : STORE_FULL);
    }
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(see(store, name, "u", "1"), STORE_SAME);
    }
    store_destroy(store);
}

// ------------------------------------------------------------------------------------------------ the watch

// Each request is answered by the next step of the test; after the last one the door is stopped.
struct step {
    const char *path; // what the request must begin with
    int status;       // 0: the transport fails; -1: the stream breaks off after the body
    const char *body;
};
struct play {
    const struct step *steps;
    unsigned count, next;
    struct text told;
    struct watch *watch;
    const char *refuse; // name of an object that the taker cannot use
};

static void answer(struct script *script, const struct http_request *request, struct http_response *response)
{
    struct play *play = script->context;
    if (play->next == play->count) {
        api_stop(script->api);
        script_fail(response, HTTP_STOPPED);
        return;
    }
    const struct step *step = &play->steps[play->next++];
    if (!text_starts_with(script_path(request), step->path))
        fail_msg("step %u: asked %s, expected %s", play->next, script_path(request), step->path);
    if (step->status == 0) {
        script_fail(response, HTTP_TIMEOUT);
    } else if (step->status == 200 || step->status == -1) {
        script_stream(request, response, "%s", step->body);
        if (step->status == -1)
            script_fail(response, HTTP_BROKEN);
    } else {
        script_json(response, step->status, "%s", step->body);
    }
}

static int on_object(void *context, const cJSON *json, struct error *error)
{
    struct play *play = context;
    const cJSON *metadata = json_get(json, "metadata");
    if (play->refuse && strcmp(json_text(metadata, "name"), play->refuse) == 0)
        return error_set(error, 0, "refused");
    text_printf(&play->told, "%s@%s ", json_text(metadata, "name"), json_text(metadata, "resourceVersion"));
    return 0;
}

static void on_gone(void *context, const char *space, const char *name, const char *uid)
{
    (void)space;
    text_printf(&((struct play *)context)->told, "-%s(%s) ", name, uid);
}

static void on_synced(void *context)
{
    text_append(&((struct play *)context)->told, "synced ");
}

static struct watch *watch_for(struct script *script, struct play *play, bool custom)
{
    struct watch_options options = {.api = script->api,
                                    .kind = "Pod",
                                    .path = "/api/v1/pods",
                                    .field_selector = "",
                                    .objects_max = 100,
                                    .custom = custom,
                                    .on_object = on_object,
                                    .on_gone = on_gone,
                                    .on_synced = on_synced,
                                    .context = play};
    return play->watch = watch_create(&options);
}

static void perform(const struct step *steps, unsigned count, const char *told, struct play *play)
{
    struct script script;
    struct play local = {0};
    if (!play)
        play = &local;
    play->steps = steps;
    play->count = count;
    script_start(&script, answer, play);
    struct watch *watch = watch_for(&script, play, false);
    watch_run(watch);
    assert_string_equal(text_get(&play->told), told);
    watch_destroy(watch);
    text_free(&play->told);
    script_stop(&script);
}
#define PERFORM(steps, told) perform(steps, sizeof(steps) / sizeof((steps)[0]), told, NULL)

#define OBJECT(name, version)                                                                                \
    "{'metadata':{'name':'" name "','namespace':'s','uid':'u" name "','resourceVersion':'" version "'}}"
#define EVENT(type, name, version) "{'type':'" type "','object':" OBJECT(name, version) "}\n"
#define BOOKMARK(version)          "{'type':'BOOKMARK','object':{'metadata':{'resourceVersion':'" version "'}}}\n"
#define LIST(version, items)       "{'metadata':{'resourceVersion':'" version "'},'items':[" items "]}"
#define WATCH                      "/api/v1/pods?watch=true&allowWatchBookmarks=true&timeoutSeconds="

static void a_list_in_pages_and_then_a_watch(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {"/api/v1/pods?limit=500", 200,
         "{'metadata':{'resourceVersion':'10','continue':'tok/1=='},'items':[" OBJECT("a", "1") "]}"},
        {"/api/v1/pods?limit=500&continue=tok%2F1%3D%3D", 200,
         LIST("10", OBJECT("b", "2") "," OBJECT("c", "3"))},
        {WATCH, 200, EVENT("ADDED", "d", "11") EVENT("MODIFIED", "a", "12") EVENT("DELETED", "b", "13")},
        {WATCH, 200, EVENT("MODIFIED", "a", "14")},
    };
    PERFORM(steps, "a@1 b@2 c@3 synced d@11 a@12 -b(ub) a@14 ");
}

// The resourceVersion that a watch request asked for.
static void expect_versions(struct script *script, const char *expected)
{
    AUTOTEXT struct text seen = {0};
    for (unsigned i = 0; i < script->call_count; i++) {
        const char *version =
            strstr(script->calls[i], "watch=true") ? strstr(script->calls[i], "resourceVersion=") : NULL;
        if (version)
            text_printf(&seen, "%d ", atoi(version + strlen("resourceVersion=")));
    }
    assert_string_equal(text_get(&seen), expected);
}

static void a_watch_resumes_from_the_last_bookmark_or_event(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {"/api/v1/pods?limit=500", 200, LIST("10", "")},
        {WATCH, 200, EVENT("ADDED", "a", "12") BOOKMARK("40")},
        {WATCH, 200, BOOKMARK("50") EVENT("MODIFIED", "a", "51")},
        {WATCH, -1, EVENT("MODIFIED", "a", "60") "{'type':'MODIF"},
        {WATCH, 200, EVENT("MODIFIED", "a", "61")},
    };
    struct script script;
    struct play play = {.steps = steps, .count = 5};
    script_start(&script, answer, &play);
    struct watch *watch = watch_for(&script, &play, false);
    watch_run(watch);
    assert_string_equal(text_get(&play.told), "synced a@12 a@51 a@60 a@61 ");
    expect_versions(&script, "10 40 51 60 61 ");
    watch_destroy(watch);
    text_free(&play.told);
    script_stop(&script);
}

static void gone_as_an_event_or_as_a_status_lists_again_and_tells_only_the_difference(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {"/api/v1/pods?limit=500", 200,
         LIST("10", OBJECT("a", "1") "," OBJECT("b", "2") "," OBJECT("c", "3"))},
        {WATCH, 200,
         EVENT("MODIFIED", "a",
               "11") "{'type':'ERROR','object':{'kind':'Status','code':410,'reason':'Expired'}}"},
        {"/api/v1/pods?limit=500", 200,
         LIST("30", OBJECT("a", "11") "," OBJECT("c", "25") "," OBJECT("d", "26"))},
        {WATCH, 410, "{'kind':'Status','code':410}"},
        {"/api/v1/pods?limit=500", 200,
         LIST("31", OBJECT("a", "11") "," OBJECT("c", "25") "," OBJECT("d", "26"))},
        {WATCH, 200, EVENT("MODIFIED", "d", "32")},
    };
    PERFORM(steps, "a@1 b@2 c@3 synced a@11 c@25 d@26 -b(ub) synced synced d@32 ");
}

static void a_continue_token_that_expires_begins_the_list_anew(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {"/api/v1/pods?limit=500", 200,
         "{'metadata':{'resourceVersion':'10','continue':'x'},'items':[" OBJECT("a", "1") "," OBJECT(
             "b", "2") "]}"},
        {"/api/v1/pods?limit=500&continue=x", 410, "{'kind':'Status','code':410,'reason':'Expired'}"},
        {"/api/v1/pods?limit=500", 200,
         "{'metadata':{'resourceVersion':'20','continue':'y'},'items':[" OBJECT("a", "1") "]}"},
        {"/api/v1/pods?limit=500&continue=y", 200, LIST("20", OBJECT("c", "3"))},
    };
    PERFORM(steps, "a@1 b@2 c@3 -b(ub) synced ");
}

static void a_list_that_fails_or_is_cut_short_is_tried_again_and_concludes_nothing(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {"/api/v1/pods?limit=500", 0, ""},
        {"/api/v1/pods?limit=500", 200, LIST("10", OBJECT("a", "1") "," OBJECT("b", "2"))},
        {WATCH, 410, "{'code':410}"},
        {"/api/v1/pods?limit=500", 200, "{'metadata':{'resourceVersion':'12'},'items':[" OBJECT("a", "1")},
        {"/api/v1/pods?limit=500", 503, "{'message':'overloaded'}"},
        {"/api/v1/pods?limit=500", 200, "{'items':[]}"}, // no version: not a list to trust
        {"/api/v1/pods?limit=500", 200, LIST("13", OBJECT("a", "1") "," OBJECT("b", "2"))},
    };
    PERFORM(steps, "a@1 b@2 synced synced ");
}

static void an_object_that_is_malformed_is_dropped_and_nothing_else(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {"/api/v1/pods?limit=500", 200,
         LIST("10", OBJECT("a", "1") ",{'metadata':{}},{'x':'\\ud8'},5," OBJECT("b", "2"))},
        {WATCH, 200, "{'type':'ADDED'}\n{'nonsense\n" EVENT("ADDED", "c", "11")},
        {WATCH, 200, "{'type':'DANCED','object':{}}" EVENT("ADDED", "c", "12")},
    };
    struct play play = {.refuse = "b"};
    perform(steps, 3, "a@1 synced c@12 ", &play);
}

static void an_unreadable_list_makes_nothing_gone(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {"/api/v1/pods?limit=500", 200, LIST("10", OBJECT("a", "1"))},
        {WATCH, 410, "{'code':410}"},
        {"/api/v1/pods?limit=500", 200, LIST("20", "{'metadata':{}}")},
        {WATCH, 200, EVENT("DELETED", "a", "21")},
    };
    PERFORM(steps, "a@1 synced synced -a(ua) ");
}

static void a_replaced_object_is_told_as_gone_and_new(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {"/api/v1/pods?limit=500", 200, LIST("10", OBJECT("a", "1"))},
        {WATCH, 410, "{'code':410}"},
        {"/api/v1/pods?limit=500", 200,
         LIST("20", "{'metadata':{'name':'a','namespace':'s','uid':'other','resourceVersion':'15'}}")},
    };
    PERFORM(steps, "a@1 synced -a(ua) a@15 synced ");
}

static void other_errors_in_a_watch_resume_it(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {"/api/v1/pods?limit=500", 200, LIST("10", "")},
        {WATCH, 200, "{'type':'ERROR','object':{'code':500,'message':'etcd'}}"},
        {WATCH, 429, "{'message':'slow down'}"},
        {WATCH, 0, ""},
        {WATCH, 200, EVENT("ADDED", "a", "11")},
    };
    PERFORM(steps, "synced a@11 ");
}

static void a_fresh_list_tells_changes_once_and_makes_the_watch_wait_for_newer_ones(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {"/api/v1/pods?limit=500", 200, LIST("10", OBJECT("a", "1") "," OBJECT("b", "2"))},
        {"/api/v1/pods?limit=500", 200, LIST("30", OBJECT("a", "25") "," OBJECT("c", "28"))},
        {"/api/v1/pods?limit=500", 200, LIST("40", OBJECT("a", "25") "," OBJECT("c", "28"))},
        // The watch begins at the end of its own list and repeats what the fresh ones said already.
        {WATCH, 200,
         EVENT("MODIFIED", "a", "25") EVENT("ADDED", "c", "28") EVENT("MODIFIED", "b", "29")
             EVENT("DELETED", "b", "35") EVENT("MODIFIED", "c", "41")},
    };
    struct script script;
    struct play play = {.steps = steps, .count = 2};
    struct error error = {0};
    script_start(&script, answer, &play);
    struct watch *watch = watch_for(&script, &play, false);
    assert_int_equal(watch_list_fresh(watch, &error), 0);
    assert_int_equal(watch_list_fresh(watch, &error), 0);
    assert_string_equal(text_get(&play.told), "a@1 b@2 a@25 c@28 -b(ub) ");
    play.count = 4;
    watch_run(watch);
    assert_string_equal(text_get(&play.told), "a@1 b@2 a@25 c@28 -b(ub) synced c@41 ");
    watch_destroy(watch);
    text_free(&play.told);
    script_stop(&script);
}

static void a_fresh_list_that_fails_says_why(void **state)
{
    (void)state;
    static const struct step steps[] = {{"/api/v1/pods?limit=500", 403, "{'message':'pods is forbidden'}"}};
    struct script script;
    struct play play = {.steps = steps, .count = 1};
    struct error error = {0};
    script_start(&script, answer, &play);
    struct watch *watch = watch_for(&script, &play, false);
    assert_int_equal(watch_list_fresh(watch, &error), -1);
    assert_int_equal(error.code, 403);
    assert_non_null(strstr(error.text, "pods is forbidden"));
    watch_destroy(watch);
    text_free(&play.told);
    script_stop(&script);
}

static void *run_watch(void *watch)
{
    watch_run(watch);
    return NULL;
}

static void definitions_that_are_not_installed_are_said_to_be_so(void **state)
{
    (void)state;
    static const struct step steps[] = {{"/api/v1/pods?limit=500", 404, "404 page not found"}};
    struct script script;
    struct play play = {.steps = steps, .count = 1};
    script_start(&script, answer, &play);
    struct watch *watch = watch_for(&script, &play, true);
    // The wait before the next try is ended by the stop.
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_watch, watch), 0);
    struct watch_state seen = {0};
    while (seen.problem[0] == '\0') {
        watch_state(watch, &seen);
        api_wait(script.api, 5);
    }
    api_stop(script.api);
    pthread_join(thread, NULL);
    assert_non_null(
        strstr(seen.problem, "CustomResourceDefinitions of autoscaler.vpsie.com are not installed"));
    assert_false(seen.synced);
    watch_destroy(watch);
    text_free(&play.told);
    script_stop(&script);
}

static void waits_between_failures_grow_and_are_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        int64_t first = watch_backoff_ms(1), late = watch_backoff_ms(50);
        assert_true(first >= 125 && first < 250);
        assert_true(late >= 4000 && late < 8000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_tells_a_change_from_a_repetition),
        cmocka_unit_test(versions_that_are_no_numbers_are_compared_for_equality),
        cmocka_unit_test(a_list_finds_what_is_gone_and_makes_older_news_stale),
        cmocka_unit_test(nothing_is_concluded_from_a_list_with_unreadable_parts_or_one_that_broke_off),
        cmocka_unit_test(a_list_is_the_last_word_even_when_versions_went_back),
        cmocka_unit_test(a_store_grows_and_has_a_limit),
        cmocka_unit_test(a_list_in_pages_and_then_a_watch),
        cmocka_unit_test(a_watch_resumes_from_the_last_bookmark_or_event),
        cmocka_unit_test(gone_as_an_event_or_as_a_status_lists_again_and_tells_only_the_difference),
        cmocka_unit_test(a_continue_token_that_expires_begins_the_list_anew),
        cmocka_unit_test(a_list_that_fails_or_is_cut_short_is_tried_again_and_concludes_nothing),
        cmocka_unit_test(an_object_that_is_malformed_is_dropped_and_nothing_else),
        cmocka_unit_test(an_unreadable_list_makes_nothing_gone),
        cmocka_unit_test(a_replaced_object_is_told_as_gone_and_new),
        cmocka_unit_test(other_errors_in_a_watch_resume_it),
        cmocka_unit_test(a_fresh_list_tells_changes_once_and_makes_the_watch_wait_for_newer_ones),
        cmocka_unit_test(a_fresh_list_that_fails_says_why),
        cmocka_unit_test(definitions_that_are_not_installed_are_said_to_be_so),
        cmocka_unit_test(waits_between_failures_grow_and_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

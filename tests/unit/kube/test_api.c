// One request to the API server: who asks, whether the server is there, and what an answer means.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct play {
    enum http_result result;
    int status;
    const char *body;
    int64_t takes_ms;
    bool stream_began;
    struct text told;
    bool may_act;
};

static void answer(struct script *script, const struct http_request *request, struct http_response *response)
{
    struct play *play = script->context;
    (void)request;
    script->now_ms += play->takes_ms;
    if (play->result == HTTP_ANSWERED)
        script_json(response, play->status, "%s", play->body);
    else
        script_fail(response, play->result);
    if (play->stream_began)
        response->status = 200;
}

static void on_state(void *context, bool reachable, const char *detail)
{
    struct play *play = context;
    text_printf(&play->told, "%s%s%s ", reachable ? "answers" : "silent", *detail ? ": " : "", detail);
}

static bool may_act(void *context, uint64_t term)
{
    (void)term;
    return ((struct play *)context)->may_act;
}

static bool ignore_chunk(void *context, const char *bytes, size_t length)
{
    (void)context, (void)bytes, (void)length;
    return true;
}

static void begin(struct script *script, struct play *play)
{
    *play = (struct play){.status = 200, .body = "{}", .may_act = true};
    struct api_options options = {.on_state = on_state,
                                  .may_act = may_act,
                                  .context = play,
                                  .now_ms = script_now,
                                  .now_context = script};
    script_start_with(script, answer, play, &options);
}

static void end(struct script *script, struct play *play)
{
    script_stop(script);
    text_free(&play->told);
}

static struct api_reply ask_with(struct script *script, struct api_request request)
{
    struct api_reply reply;
    request.verb = "get";
    request.kind = "Node";
    request.method = request.method ? request.method : "GET";
    request.path = "/api/v1/nodes/w";
    api_call(script->api, &request, &reply);
    api_reply_free(&reply);
    return reply;
}

static struct api_reply ask(struct script *script)
{
    return ask_with(script, (struct api_request){0});
}

static void the_first_answer_is_told_and_then_only_changes(void **state)
{
    (void)state;
    struct script script;
    struct play play;
    begin(&script, &play);
    assert_false(api_reachable(script.api));
    for (int i = 0; i < 3; i++)
        ask(&script);
    assert_string_equal(text_get(&play.told), "answers ");
    assert_true(api_reachable(script.api));
    end(&script, &play);
}

static void silence_of_ten_seconds_is_told_and_so_is_its_end(void **state)
{
    (void)state;
    struct script script;
    struct play play;
    begin(&script, &play);
    ask(&script);
    play.result = HTTP_TIMEOUT;
    script.now_ms += 60000; // nobody asked: that is no silence
    for (int i = 0; i < 10; i++) {
        ask(&script);
        script.now_ms += 1000;
    }
    assert_true(api_reachable(script.api));
    ask(&script);
    assert_false(api_reachable(script.api));
    ask(&script);
    play.result = HTTP_ANSWERED;
    ask(&script);
    assert_string_equal(text_get(&play.told), "answers silent: scripted failure answers ");
    end(&script, &play);
}

static void a_call_that_hangs_counts_from_its_begin_but_not_from_before_the_last_answer(void **state)
{
    (void)state;
    struct script script;
    struct play play;
    begin(&script, &play);
    play.result = HTTP_TIMEOUT;
    play.takes_ms = 10000;
    ask(&script);
    assert_string_equal(text_get(&play.told), "silent: scripted failure ");
    end(&script, &play);
}

static void a_server_that_only_fails_is_as_good_as_silent(void **state)
{
    (void)state;
    struct script script;
    struct play play;
    begin(&script, &play);
    play.status = 503;
    play.body = "{'message':'no'}";
    ask(&script);
    script.now_ms += 10000;
    ask(&script);
    assert_string_equal(text_get(&play.told), "silent: HTTP 503: no ");
    play.status = 403; // a refusal is an answer
    ask(&script);
    assert_true(api_reachable(script.api));
    end(&script, &play);
}

static void a_watch_that_breaks_after_it_began_is_no_silence(void **state)
{
    (void)state;
    struct script script;
    struct play play;
    begin(&script, &play);
    ask(&script);
    play.result = HTTP_BROKEN;
    play.stream_began = true;
    play.takes_ms = 200000;
    ask_with(&script, (struct api_request){.on_chunk = ignore_chunk});
    ask_with(&script, (struct api_request){.on_chunk = ignore_chunk});
    assert_true(api_reachable(script.api));
    end(&script, &play);
}

static void messages_are_the_servers_with_the_causes_and_whole_characters(void **state)
{
    (void)state;
    struct script script;
    struct play play;
    begin(&script, &play);
    play.status = 409;
    play.body =
        "{'kind':'Status','reason':'AlreadyExists','message':'it is there','details':{'causes':[{'message':"
        "'it is there'},{'message':'since ever'}]}}";
    struct api_reply reply = ask(&script);
    assert_string_equal(reply.message, "HTTP 409: it is there: since ever");
    assert_string_equal(reply.reason, "AlreadyExists");
    play.body = "404 page not found";
    play.status = 404;
    assert_string_equal(ask(&script).message, "HTTP 404: 404 page not found");
    AUTOTEXT struct text big = {0};
    text_append(&big, "{'message':'");
    for (int i = 0; i < 1000; i++)
        text_append(&big, "\xc3\xa9");
    text_append(&big, "'}");
    play.body = big.bytes;
    reply = ask(&script);
    size_t length = strlen(reply.message);
    assert_in_range(length, sizeof(reply.message) - 3, sizeof(reply.message) - 1);
    assert_int_equal(text_utf8_length(reply.message + length - 2, 2), 2);
    end(&script, &play);
}

static void a_fenced_request_never_reaches_the_transport(void **state)
{
    (void)state;
    struct script script;
    struct play play;
    begin(&script, &play);
    play.may_act = false;
    struct api_reply reply =
        ask_with(&script, (struct api_request){.method = "PATCH", .guard = API_FENCED, .term = 1});
    assert_int_equal(api_outcome(&reply), OUTCOME_NOT_SENT);
    assert_non_null(strstr(reply.message, "does not lead"));
    assert_int_equal(script.call_count, 0);
    reply = ask_with(&script, (struct api_request){.method = "PUT", .guard = API_WRITE});
    assert_int_equal(api_outcome(&reply), OUTCOME_OK);
    end(&script, &play);
}

static void after_the_stop_nothing_leaves_but_what_ignores_it(void **state)
{
    (void)state;
    struct script script;
    struct play play;
    begin(&script, &play);
    api_stop(script.api);
    struct api_reply reply = ask(&script);
    assert_int_equal(reply.result, HTTP_STOPPED);
    assert_int_equal(api_outcome(&reply), OUTCOME_NOT_SENT);
    assert_false(api_wait(script.api, 1000000));
    reply = ask_with(&script, (struct api_request){.ignore_stop = true});
    assert_true(api_succeeded(&reply));
    assert_int_equal(script.call_count, 1);
    end(&script, &play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_answer_is_told_and_then_only_changes),
        cmocka_unit_test(silence_of_ten_seconds_is_told_and_so_is_its_end),
        cmocka_unit_test(a_call_that_hangs_counts_from_its_begin_but_not_from_before_the_last_answer),
        cmocka_unit_test(a_server_that_only_fails_is_as_good_as_silent),
        cmocka_unit_test(a_watch_that_breaks_after_it_began_is_no_silence),
        cmocka_unit_test(messages_are_the_servers_with_the_causes_and_whole_characters),
        cmocka_unit_test(a_fenced_request_never_reaches_the_transport),
        cmocka_unit_test(after_the_stop_nothing_leaves_but_what_ignores_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "coordinator/admin/admin.h"
#include "coordinator/decide/command.h"

static struct admin_request *parse(const char *text, struct error *error)
{
    error_clear(error);
    return admin_request_parse(text, strlen(text), error);
}

static void refuses(const char *text, const char *because)
{
    struct error error = {0};
    struct admin_request *request = parse(text, &error);
    assert_null(request);
    if (strstr(error.text, because) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, because);
}

static void every_command_has_a_name_that_is_understood(void **state)
{
    (void)state;
    for (int i = 0; i < ADMIN_COMMAND_COUNT; i++) {
        struct error error = {0};
        const char *name = admin_command_name((enum admin_command)i);
        char AUTOFREE *text = xprintf("{\"command\":\"%s\",\"node\":\"w-1\",\"decision\":\"D1\"}", name);
        struct admin_request *request = parse(text, &error);
        assert_non_null(request);
        assert_int_equal(request->command, i);
        assert_string_equal(request->node, "w-1");
        admin_request_free(request);
    }
}

static void a_pod_is_named_by_its_namespace_or_taken_from_default(void **state)
{
    (void)state;
    struct error error = {0};
    struct admin_request *request = parse("{\"command\":\"explain\",\"pod\":\"shop/cart-1\"}", &error);
    assert_string_equal(request->space, "shop");
    assert_string_equal(request->pod, "cart-1");
    admin_request_free(request);
    request = parse("{\"command\":\"explain\",\"pod\":\"cart-1\"}", &error);
    assert_string_equal(request->space, "default");
    assert_string_equal(request->pod, "cart-1");
    admin_request_free(request);
}

static void what_follows_or_precedes_is_no_request(void **state)
{
    (void)state;
    struct error error = {0};
    struct admin_request *request = admin_request_parse("{\"command\":\"status\"}\n\0", 22, &error);
    assert_non_null(request); // a line's end and a string's end do no harm
    admin_request_free(request);
    refuses("{\"command\":\"status\"} x", "follows");
    refuses("{\"command\":\"status\"}{\"command\":\"release\"}", "follows");
    refuses("", "not a JSON object");
    refuses("[1]", "not a JSON object");
    refuses("status", "not a JSON object");
    refuses("{\"command\":\"status\"", "not a JSON object");
}

static void a_request_that_makes_no_sense_is_told_why(void **state)
{
    (void)state;
    refuses("{}", "\"command\" is missing");
    refuses("{\"command\":7}", "\"command\" is missing");
    refuses("{\"command\":\"reboot\"}", "no such command: \"reboot\"");
    refuses("{\"command\":\"explain\"}", "explain wants one of");
    refuses("{\"command\":\"explain\",\"node\":\"a\",\"group\":\"b\"}", "explain wants one of");
    refuses("{\"command\":\"explain\",\"node\":[]}", "\"node\" must be a string");
    refuses("{\"command\":\"pause\",\"reason\":\"a\\u001bb\"}", "control character");
    refuses("{\"command\":\"release\",\"group\":\"general\"}", "release takes no group");
    refuses("{\"command\":\"pods\",\"limit\":0}", "\"limit\" must be a number");
    refuses("{\"command\":\"pods\",\"limit\":\"5\"}", "\"limit\" must be a number");
    refuses("{\"command\":\"pods\",\"limit\":1e99}", "\"limit\" must be a number");
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    char AUTOFREE *text = xprintf("{\"command\":\"explain\",\"node\":\"%s\"}", name);
    refuses(text, "at most 253");
}

static void a_request_that_is_too_large_or_too_deep_is_refused_before_it_is_parsed(void **state)
{
    (void)state;
    struct error error = {0};
    size_t bytes = ADMIN_REQUEST_BYTES_MAX + 1;
    char *large = xcalloc(1, bytes);
    memset(large, ' ', bytes);
    assert_null(admin_request_parse(large, bytes, &error));
    assert_non_null(strstr(error.text, "65537 bytes"));
    memset(large, '[', bytes - 1);
    assert_null(admin_request_parse(large, bytes - 1, &error));
    assert_non_null(strstr(error.text, "deep"));
    free(large);
    // brackets in a string are text
    struct admin_request *request =
        parse("{\"command\":\"pause\",\"reason\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"}", &error);
    assert_non_null(request);
    admin_request_free(request);
}

static void writing_commands_become_events_and_reading_ones_do_not(void **state)
{
    (void)state;
    struct error error = {0};
    struct admin_request *request = parse("{\"command\":\"pause\",\"reason\":\"night shift\"}", &error);
    request->id = 77;
    struct event *event = admin_request_event(request);
    assert_int_equal(event->kind, EVENT_OPERATOR);
    assert_int_equal(event->operator_request.verb, OPERATOR_PAUSE);
    assert_int_equal(event->operator_request.request_id, 77);
    assert_string_equal(event->operator_request.argument, "night shift");
    event_destroy(event);
    admin_request_free(request);
    request = parse("{\"command\":\"release\"}", &error);
    event = admin_request_event(request);
    assert_int_equal(event->operator_request.verb, OPERATOR_RELEASE);
    assert_string_equal(event->operator_request.argument, "");
    event_destroy(event);
    admin_request_free(request);
    request = parse("{\"command\":\"approve\",\"decision\":\"D42\"}", &error);
    event = admin_request_event(request);
    assert_int_equal(event->operator_request.verb, OPERATOR_APPROVE);
    assert_string_equal(event->operator_request.argument, "D42");
    event_destroy(event);
    admin_request_free(request);
    assert_null(parse("{\"command\":\"approve\"}", &error));
    request = parse("{\"command\":\"status\"}", &error);
    assert_null(admin_request_event(request));
    admin_request_free(request);
}

static void replies_are_json_whatever_they_quote(void **state)
{
    (void)state;
    char *reply = admin_error_reply("not-found", "there is no \"%s\"", "a\nb");
    assert_string_equal(reply,
                        "{\"ok\":false,\"error\":\"there is no \\\"a\\nb\\\"\",\"code\":\"not-found\"}");
    free(reply);
    struct command command = {.kind = COMMAND_OPERATOR_REPLY};
    command.operator_reply.ok = true;
    command.operator_reply.text = "paused";
    command.operator_reply.code = "";
    reply = admin_operator_reply(&command);
    assert_string_equal(reply, "{\"ok\":true,\"text\":\"paused\"}");
    free(reply);
    command.operator_reply.ok = false;
    command.operator_reply.code = "not-leader";
    reply = admin_operator_reply(&command);
    assert_string_equal(reply, "{\"ok\":false,\"error\":\"paused\",\"code\":\"not-leader\"}");
    free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_a_name_that_is_understood),
        cmocka_unit_test(a_pod_is_named_by_its_namespace_or_taken_from_default),
        cmocka_unit_test(what_follows_or_precedes_is_no_request),
        cmocka_unit_test(a_request_that_makes_no_sense_is_told_why),
        cmocka_unit_test(a_name_that_is_too_long_is_refused),
        cmocka_unit_test(a_request_that_is_too_large_or_too_deep_is_refused_before_it_is_parsed),
        cmocka_unit_test(writing_commands_become_events_and_reading_ones_do_not),
        cmocka_unit_test(replies_are_json_whatever_they_quote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

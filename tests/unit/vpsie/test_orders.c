#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "tests/unit/vpsie/cloud.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void an_order_is_one_post_without_a_body_on_a_fresh_connection(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = cloud_begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    assert_int_equal(event->outcome.command_id, 11);
    assert_int_equal(event->outcome.machine_count, 0);
    event_destroy(event);
    assert_int_equal(script_count(script, "POST " SCRIPT_URL "/k8s/cluster/byId/c1" ADD_PATH "\n"), 1);
    assert_true(cloud.add_once);
    assert_string_equal(cloud.add_body, "");
    cloud_end(script);
}

static void an_order_is_never_repeated_whatever_becomes_of_it(void **state)
{
    (void)state;
    const struct {
        struct script_answer answer;
        enum outcome outcome;
    } cases[] = {
        {{.result = HTTP_TIMEOUT, .sent = true}, OUTCOME_UNKNOWN},
        {{.result = HTTP_BROKEN, .sent = true}, OUTCOME_UNKNOWN},
        {{.result = HTTP_TOO_LARGE, .sent = true}, OUTCOME_UNKNOWN},
        {{.result = HTTP_NOT_SENT}, OUTCOME_NOT_SENT},
        {{.status = 500, .body = "oops"}, OUTCOME_UNKNOWN},
        {{.status = 503, .body = ""}, OUTCOME_UNKNOWN},
        {{.status = 200, .body = "{\"error\":fal"}, OUTCOME_UNKNOWN},
        {{.status = 200, .body = ""}, OUTCOME_UNKNOWN},
        {{.status = 400, .body = "{\"error\":true}"}, OUTCOME_REFUSED},
        {{.status = 404, .body = "{\"error\":true}"}, OUTCOME_NOT_FOUND},
        {{.status = 409, .body = "{\"error\":true}"}, OUTCOME_CONFLICT},
        {{.status = 403, .body = "{\"error\":true}"}, OUTCOME_LIMITED},
        {{.status = 200, .body = "{\"error\":true,\"message\":\"Quota exceeded\"}"}, OUTCOME_LIMITED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cloud cloud = {.add_failures = 1, .add_answer = cases[i].answer};
        struct script *script = cloud_begin(&cloud);
        struct event *event = script_kind(script, COMMAND_VPSIE_ADD_MACHINE);
        assert_int_equal(event->outcome.outcome, cases[i].outcome);
        assert_true(event->outcome.detail[0] != '\0');
        event_destroy(event);
        assert_int_equal(script_count(script, ADD_PATH), 1);
        cloud_end(script);
    }
}

static void a_throttled_order_comes_back_with_the_time_to_wait(void **state)
{
    (void)state;
    struct cloud cloud = {.add_failures = 1,
                          .add_answer = {.status = 429, .body = "slow down", .retry_after_ms = 120000}};
    struct script *script = cloud_begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_THROTTLED);
    assert_int_equal(event->outcome.retry_after_ms, 120000);
    assert_int_equal(event->outcome.status, 429);
    event_destroy(event);
    // the account as a whole waits: the next order does not even leave
    event = script_kind(script, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_NOT_SENT);
    assert_true(event->outcome.retry_after_ms > 60000);
    event_destroy(event);
    assert_int_equal(script_count(script, ADD_PATH), 1);
    cloud_end(script);
}

static void an_order_of_a_term_that_is_over_never_leaves(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = cloud_begin(&cloud);
    const enum command_kind writes[] = {COMMAND_VPSIE_ADD_MACHINE, COMMAND_VPSIE_CREATE_GROUP,
                                        COMMAND_VPSIE_DELETE_MACHINE};
    for (size_t i = 0; i < COUNT(writes); i++) {
        struct command *command = script_command(writes[i]);
        command->term = 6;
        struct event *event = script_perform(script, command);
        assert_int_equal(event->outcome.outcome, OUTCOME_NOT_SENT);
        event_destroy(event);
        command_destroy(command);
    }
    atomic_store(&script->may_act, false); // leadership is lost
    struct event *event = script_kind(script, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_NOT_SENT);
    event_destroy(event);
    event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES); // reading is allowed
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    assert_int_equal(script_count(script, "POST") + script_count(script, "DELETE"), 0);
    cloud_end(script);
}

static void a_dry_run_refuses_every_write(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script script;
    script_init(&script, cloud_serve, &cloud);
    script.options.dry_run = true;
    script_start(&script);
    script_token(&script, "token-0123456789");
    script_until_usable(&script, true);
    for (enum command_kind kind = COMMAND_VPSIE_CREATE_GROUP; kind <= COMMAND_VPSIE_DELETE_MACHINE; kind++) {
        struct event *event = script_kind(&script, kind);
        assert_int_equal(event->outcome.outcome, OUTCOME_NOT_SENT);
        assert_string_equal(event->outcome.detail, "dry run");
        event_destroy(event);
    }
    assert_int_equal(script_count(&script, "POST") + script_count(&script, "DELETE"), 0);
    script_stop(&script);
}

#define DECIDED_ANEW "VPSie refused the credentials; they are renewed, the order is decided anew"

static void an_order_refused_with_401_renews_the_login_and_is_not_made_again(void **state)
{
    (void)state;
    struct cloud cloud = {.login = "clientId=id-00001&clientSecret=very-secret-value"};
    struct script script;
    script_init(&script, cloud_serve, &cloud);
    script_start(&script);
    script_client(&script, "id-00001", "very-secret-value");
    script_until_usable(&script, true);
    pthread_mutex_lock(&script.lock);
    cloud.logins = 100; // the access token is not what VPSie accepts any more
    pthread_mutex_unlock(&script.lock);
    struct event *event = script_kind(&script, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_REFUSED);
    assert_int_equal(event->outcome.status, 401);
    assert_non_null(strstr(event->outcome.detail, DECIDED_ANEW));
    event_destroy(event);
    assert_int_equal(script_count(&script, ADD_PATH), 1);
    assert_int_equal(cloud.logins, 101);
    event = script_kind(&script, COMMAND_VPSIE_ADD_MACHINE); // another order, with the renewed login
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    assert_int_equal(script_count(&script, ADD_PATH), 2);
    assert_int_equal(cloud.logins, 101);
    script_stop(&script);
}

static void an_order_refused_with_401_is_not_made_again_with_a_token_that_works_elsewhere(void **state)
{
    (void)state;
    struct cloud cloud = {.add_failures = 99, .add_answer = {.status = 401, .body = "{\"error\":true}"}};
    struct script *script = cloud_begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_REFUSED);
    assert_int_equal(event->outcome.status, 401);
    event_destroy(event);
    assert_int_equal(script_count(script, ADD_PATH), 1);
    cloud_end(script);
}

static void what_an_order_lacks_is_refused_before_anything_is_sent(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = cloud_begin(&cloud);
    struct command *commands[] = {
        script_command(COMMAND_VPSIE_ADD_MACHINE), script_command(COMMAND_VPSIE_CREATE_GROUP),
        script_command(COMMAND_VPSIE_DELETE_MACHINE), script_command(COMMAND_VPSIE_LIST_OFFERS)};
    commands[0]->add_machine.group_id = 0;
    commands[1]->create_group.size_id = 0;
    commands[2]->delete_machine.identifier = "";
    commands[3]->vpsie_list.datacenter_id = "";
    for (size_t i = 0; i < COUNT(commands); i++) {
        struct event *event = script_perform(script, commands[i]);
        assert_int_equal(event->outcome.outcome, OUTCOME_REFUSED);
        event_destroy(event);
        command_destroy(commands[i]);
    }
    assert_int_equal(script_calls(script), 1); // the trial of the credentials
    cloud_end(script);
}

static void a_group_is_created_once_and_may_tell_its_number(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = cloud_begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_CREATE_GROUP);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    assert_int_equal(event->outcome.group_count, 0);
    event_destroy(event);
    assert_int_equal(script_count(script, "POST " SCRIPT_URL "/k8s/cluster/add/group\n"), 1);
    cloud_end(script);
}

int main(void)
{
    log_init("test", LOG_FORMAT_JSON, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_one_post_without_a_body_on_a_fresh_connection),
        cmocka_unit_test(an_order_is_never_repeated_whatever_becomes_of_it),
        cmocka_unit_test(a_throttled_order_comes_back_with_the_time_to_wait),
        cmocka_unit_test(an_order_of_a_term_that_is_over_never_leaves),
        cmocka_unit_test(a_dry_run_refuses_every_write),
        cmocka_unit_test(an_order_refused_with_401_renews_the_login_and_is_not_made_again),
        cmocka_unit_test(an_order_refused_with_401_is_not_made_again_with_a_token_that_works_elsewhere),
        cmocka_unit_test(what_an_order_lacks_is_refused_before_anything_is_sent),
        cmocka_unit_test(a_group_is_created_once_and_may_tell_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

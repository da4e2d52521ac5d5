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

static void a_read_is_tried_again_and_then_given_up(void **state)
{
    (void)state;
    const struct script_answer failures[] = {
        {.status = 500, .body = ""},
        {.result = HTTP_TIMEOUT, .sent = true},
        {.result = HTTP_NOT_SENT},
        {.status = 200, .body = "<html>"},
        {.status = 200, .body = "{\"data\":{\"nodes\":[{\"id\":1}],\"total\":9}}"},
        {.status = 429, .body = "", .retry_after_ms = 1},
    };
    for (size_t i = 0; i < COUNT(failures); i++) {
        struct cloud cloud = {.list_failures = 3, .list_answer = failures[i]};
        struct script *script = cloud_begin(&cloud);
        struct event *event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
        assert_int_equal(event->outcome.outcome, OUTCOME_OK);
        assert_int_equal(event->outcome.machine_count, 1);
        event_destroy(event);
        assert_int_equal(script_count(script, "GET " SCRIPT_URL "/k8s/cluster/byId/c1\n"), 4);
        cloud.list_failures = 4;
        event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
        assert_int_not_equal(event->outcome.outcome, OUTCOME_OK);
        assert_int_equal(event->outcome.machine_count, 0);
        event_destroy(event);
        assert_int_equal(cloud.list_failures, 0);
        cloud_end(script);
    }
}

static void a_definite_refusal_of_a_read_is_not_tried_again(void **state)
{
    (void)state;
    struct cloud cloud = {.list_failures = 1, .list_answer = {.status = 404, .body = "{\"error\":true}"}};
    struct script *script = cloud_begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(event->outcome.outcome, OUTCOME_NOT_FOUND);
    event_destroy(event);
    assert_int_equal(script_count(script, "/byId/c1"), 1);
    cloud_end(script);
}

static void every_list_brings_its_facts(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = cloud_begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_LIST_GROUPS);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    event = script_kind(script, COMMAND_VPSIE_LIST_OFFERS);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    assert_int_equal(script_count(script, "GET " SCRIPT_URL "/k8s/node/groups/byClusterId/c1\n"), 1);
    assert_int_equal(script_count(script, "POST " SCRIPT_URL "/k8s/offers\n"), 1);
    cloud_end(script);
}

static void a_delete_is_done_when_the_machine_is_gone(void **state)
{
    (void)state;
    const struct {
        int failures;
        struct script_answer answer;
        enum outcome outcome;
        int calls;
    } cases[] = {
        {0, {0}, OUTCOME_OK, 1},
        {1, {.status = 404, .body = "{\"error\":true}"}, OUTCOME_OK, 1},
        {1, {.status = 200, .body = "{\"error\":true,\"code\":404}"}, OUTCOME_OK, 1},
        {1, {.status = 409, .body = "{\"error\":true}"}, OUTCOME_CONFLICT, 1},
        {1, {.status = 400, .body = "{\"error\":true}"}, OUTCOME_REFUSED, 1},
        {2, {.status = 500, .body = ""}, OUTCOME_OK, 3},
        {2, {.result = HTTP_TIMEOUT, .sent = true}, OUTCOME_OK, 3},
        {9, {.result = HTTP_TIMEOUT, .sent = true}, OUTCOME_UNKNOWN, 4},
        {9, {.result = HTTP_NOT_SENT}, OUTCOME_NOT_SENT, 4},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cloud cloud = {.delete_failures = cases[i].failures, .delete_answer = cases[i].answer};
        struct script *script = cloud_begin(&cloud);
        struct event *event = script_kind(script, COMMAND_VPSIE_DELETE_MACHINE);
        assert_int_equal(event->outcome.outcome, cases[i].outcome);
        event_destroy(event);
        assert_int_equal(script_count(script, "DELETE " SCRIPT_URL "/k8s/cluster/byId/c1/delete/slave\n"),
                         cases[i].calls);
        cloud_end(script);
    }
}

static void refuse_second_delete(void *state, const struct script_call *call, struct script_answer *answer)
{
    int *deletes = state;
    if (strcmp(call->method, "DELETE") == 0) {
        if ((*deletes)++ == 0) {
            answer->result = HTTP_TIMEOUT;
        } else {
            cloud_set(answer, 400, "{\"error\":true,\"message\":\"not in a state to be deleted\"}");
        }
    }
}

static void a_refusal_after_a_try_that_may_have_worked_proves_nothing(void **state)
{
    (void)state;
    int deletes = 0;
    struct script script;
    script_init(&script, refuse_second_delete, &deletes);
    script_start(&script);
    script_token(&script, "token-0123456789");
    script_until_usable(&script, true);
    struct event *event = script_kind(&script, COMMAND_VPSIE_DELETE_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_UNKNOWN);
    event_destroy(event);
    assert_int_equal(deletes, 2);
    script_stop(&script);
}

static void the_only_cluster_is_found_when_none_is_named(void **state)
{
    (void)state;
    struct cloud cloud = {.clusters_body = "{\"error\":false,\"data\":[{\"identifier\":\"c1\"}]}"};
    struct script *script = cloud_begin(&cloud);
    struct command *command = script_command(COMMAND_VPSIE_LIST_MACHINES);
    command->vpsie_list.cluster = "";
    for (int i = 0; i < 3; i++) {
        struct event *event = script_perform(script, command);
        assert_int_equal(event->outcome.outcome, OUTCOME_OK);
        assert_int_equal(event->outcome.machine_count, 1);
        event_destroy(event);
    }
    assert_int_equal(script_count(script, "/k8s/cluster/all"), 2); // the trial, and once to find it
    command_destroy(command);
    cloud_end(script);
}

static void one_of_several_clusters_is_never_guessed(void **state)
{
    (void)state;
    struct cloud cloud = {.clusters_body =
                              "{\"error\":false,\"data\":[{\"identifier\":\"c1\"},{\"identifier\":\"c2\"}]}"};
    struct script *script = cloud_begin(&cloud);
    struct command *command = script_command(COMMAND_VPSIE_ADD_MACHINE);
    command->add_machine.cluster = "";
    struct event *event = script_perform(script, command);
    assert_int_equal(event->outcome.outcome, OUTCOME_REFUSED);
    assert_non_null(strstr(event->outcome.detail, "2 clusters"));
    event_destroy(event);
    assert_int_equal(script_count(script, ADD_PATH), 0);
    command_destroy(command);
    cloud_end(script);
}

static void without_credentials_nothing_is_sent(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script script;
    script_init(&script, cloud_serve, &cloud);
    script_start(&script);
    script_until_usable(&script, false);
    struct event *event = script_kind(&script, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(event->outcome.outcome, OUTCOME_NOT_SENT);
    event_destroy(event);
    assert_int_equal(script_calls(&script), 0);
    script_stop(&script);
}

static void a_token_that_is_taken_in_the_other_header_only_is_kept_there(void **state)
{
    (void)state;
    struct cloud cloud = {.token = "token-0123456789", .bearer_only = true};
    struct script *script = cloud_begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    assert_string_equal(cloud.auth_seen, "Authorization: Bearer token-0123456789");
    assert_int_equal(script_count(script, "/byId/c1"), 1); // no 401 on the way
    cloud_end(script);
}

static void a_base_that_answers_404_to_everything_gives_way_to_the_other(void **state)
{
    (void)state;
    struct cloud cloud = {.base_is_v2 = true};
    struct script *script = cloud_begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    assert_int_equal(script_count(script, "GET https://api.test/v2/k8s/cluster/byId/c1\n"), 1);
    assert_int_equal(script_count(script, "GET https://api.test/apps/v2/k8s/cluster/byId/c1\n"), 0);
    cloud_end(script);
}

static void credentials_that_are_refused_are_reported_without_echo(void **state)
{
    (void)state;
    struct cloud cloud = {.login = "something else"};
    struct script script;
    script_init(&script, cloud_serve, &cloud);
    script_start(&script);
    script_client(&script, "id-00001", "very-secret-value");
    for (int i = 0; i < 2; i++) {
        struct event *event = script_event(&script, EVENT_VPSIE_STATE);
        assert_false(event->vpsie_state.usable);
        assert_null(strstr(event->vpsie_state.detail, "very-secret"));
        bool said = strstr(event->vpsie_state.detail, "401") != NULL;
        i -= said ? 0 : 1;
        event_destroy(event);
        if (said) {
            break;
        }
    }
    script_stop(&script);
}

static void new_credentials_are_used_only_when_they_work(void **state)
{
    (void)state;
    struct cloud cloud = {.token = "token-0123456789"};
    struct script *script = cloud_begin(&cloud);
    script_token(script, "token-wrong-00000");
    struct event *event = NULL;
    for (bool said = false; !said;) {
        event = script_event(script, EVENT_VPSIE_STATE);
        assert_true(event->vpsie_state.usable);
        said = strstr(event->vpsie_state.detail, "old ones stay") != NULL;
        assert_null(strstr(event->vpsie_state.detail, "token-wrong"));
        event_destroy(event);
    }
    event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    pthread_mutex_lock(&script->lock);
    cloud.token =
        "token-wrong-00000"; // VPSie comes to accept them: they are adopted without being given again
    pthread_mutex_unlock(&script->lock);
    for (bool said = false; !said;) {
        event = script_event(script, EVENT_VPSIE_STATE);
        said = event->vpsie_state.usable && event->vpsie_state.detail[0] == '\0';
        event_destroy(event);
    }
    event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    cloud_end(script);
}

static void the_same_credentials_again_are_not_tried_again(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = cloud_begin(&cloud);
    for (int i = 0; i < 5; i++) {
        script_token(script, " token-0123456789\n");
        event_destroy(script_kind(script, COMMAND_VPSIE_LIST_MACHINES));
    }
    assert_int_equal(script_count(script, "/k8s/cluster/all"), 1);
    script_token(script, "token-another");
    while (script_count(script, "/k8s/cluster/all") < 2) {
        usleep(1000);
    }
    cloud_end(script);
}

static void a_secret_that_is_gone_leaves_the_old_credentials(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = cloud_begin(&cloud);
    vpsie_set_credentials(script->vpsie, NULL);
    struct event *event = script_event(script, EVENT_VPSIE_STATE);
    while (strstr(event->vpsie_state.detail, "gone") == NULL) {
        event_destroy(event);
        event = script_event(script, EVENT_VPSIE_STATE);
    }
    assert_true(event->vpsie_state.usable);
    event_destroy(event);
    event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    cloud_end(script);
}

static void a_login_near_its_end_is_renewed_before_anybody_asks(void **state)
{
    (void)state;
    char expires[40], when[32];
    struct cloud cloud = {.login = "clientId=id-00001&clientSecret=very-secret-value"};
    text_format_time(when, sizeof when, clock_wall_ms() + 3000);
    snprintf(expires, sizeof expires, "\"%s\"", when);
    cloud.login_body = expires;
    struct script script;
    script_init(&script, cloud_serve, &cloud);
    script_start(&script);
    script_client(&script, "id-00001", "very-secret-value");
    script_until_usable(&script, true);
    pthread_mutex_lock(&script.lock);
    cloud.login_body = NULL; // from now on they last
    pthread_mutex_unlock(&script.lock);
    while (script_count(&script, "/auth/from/api") < 2) {
        usleep(1000);
    }
    script_stop(&script);
}

static void while_vpsie_fails_commands_come_back_at_once_until_a_probe_succeeds(void **state)
{
    (void)state;
    struct cloud cloud = {.list_failures = 1000, .list_answer = {.status = 503, .body = ""}};
    struct script *script = cloud_begin(&cloud);
    for (int i = 0; i < 2; i++) {
        event_destroy(script_kind(script, COMMAND_VPSIE_LIST_MACHINES));
    }
    pthread_mutex_lock(&script->lock);
    cloud.clusters_failures = 3; // the first probes fail too
    cloud.clusters_answer = (struct script_answer){.status = 503, .body = ""};
    pthread_mutex_unlock(&script->lock);
    script_until_usable(script, false);
    struct event *event = script_kind(script, COMMAND_VPSIE_ADD_MACHINE);
    bool held = event->outcome.outcome == OUTCOME_NOT_SENT; // unless the probes were through already
    assert_true(held || event->outcome.outcome == OUTCOME_OK);
    assert_int_equal(script_count(script, ADD_PATH), held ? 0 : 1);
    event_destroy(event);
    script_until_usable(script, true);
    cloud.list_failures = 0;
    event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    cloud_end(script);
}

static void an_open_breaker_holds_orders_back(void **state)
{
    (void)state;
    struct cloud cloud = {.list_failures = 1000, .list_answer = {.result = HTTP_TIMEOUT, .sent = true}};
    struct script script;
    script_init(&script, cloud_serve, &cloud);
    script.tuning.breaker_ms = script.tuning.breaker_ms_max = 3600000;
    script_start(&script);
    script_token(&script, "token-0123456789");
    script_until_usable(&script, true);
    for (int i = 0; i < 2; i++) {
        event_destroy(script_kind(&script, COMMAND_VPSIE_LIST_MACHINES));
    }
    script_until_usable(&script, false);
    struct event *event = script_kind(&script, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_NOT_SENT);
    assert_true(event->outcome.retry_after_ms > 0);
    event_destroy(event);
    assert_int_equal(script_count(&script, ADD_PATH), 0);
    assert_float_equal(metric_value(metrics_gauge("vpsie_autoscaler_vpsie_breaker_state", NULL,
                                                  "Circuit breaker before the VPSie API: 0 closed, 1 half "
                                                  "open, 2 open.")),
                       2, 0.01);
    script_stop(&script);
}

static void refusals_do_not_open_the_breaker(void **state)
{
    (void)state;
    struct cloud cloud = {.list_failures = 1000, .list_answer = {.status = 400, .body = "{\"error\":true}"}};
    struct script *script = cloud_begin(&cloud);
    for (int i = 0; i < 20; i++) {
        struct event *event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
        assert_int_equal(event->outcome.outcome, OUTCOME_REFUSED);
        event_destroy(event);
    }
    cloud_end(script);
}

static void lists_cannot_starve_an_order(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script script;
    script_init(&script, cloud_serve, &cloud);
    script.options.rate_per_minute = 10;
    script.tuning.patience_ms = 50;
    script_start(&script);
    script_token(&script, "token-0123456789");
    script_until_usable(&script, true);
    int reads = 0;
    struct event *event = script_kind(&script, COMMAND_VPSIE_LIST_MACHINES);
    for (; event->outcome.outcome == OUTCOME_OK; reads++) {
        event_destroy(event);
        event = script_kind(&script, COMMAND_VPSIE_LIST_MACHINES);
    }
    assert_int_equal(event->outcome.outcome, OUTCOME_NOT_SENT);
    event_destroy(event);
    assert_int_equal(reads, 7); // one of eight was the trial
    event = script_kind(&script, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    script_stop(&script);
}

static void commands_of_one_key_run_in_order_with_one_outcome_each(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = cloud_begin(&cloud);
    uint64_t last[4] = {0};
    for (uint64_t i = 0; i < 200; i++) {
        struct command *command = script_command(COMMAND_VPSIE_LIST_GROUPS);
        static const char *const keys[] = {"a", "b", "c", ""};
        struct command *copy = NULL;
        command->key = keys[i % 4];
        command->id = i + 1;
        copy = command_copy(command);
        command_destroy(command);
        vpsie_submit(script->vpsie, copy);
    }
    bool seen[201] = {false};
    for (int i = 0; i < 200; i++) {
        struct event *event = script_event(script, EVENT_OUTCOME);
        uint64_t id = event->outcome.command_id, key = (id - 1) % 4;
        assert_false(seen[id]);
        seen[id] = true;
        assert_true(key == 3 || id > last[key]);
        last[key] = id;
        event_destroy(event);
    }
    cloud_end(script);
}

static void slow_answer(void *state, const struct script_call *call, struct script_answer *answer)
{
    (void)state, (void)answer;
    if (SUBSTRING(call->url, "groups")) {
        usleep(2000);
    }
}

static void every_command_has_its_outcome_when_the_door_closes(void **state)
{
    (void)state;
    struct script script;
    int outcomes = 0;
    script_init(&script, slow_answer, NULL);
    script_start(&script);
    script_token(&script, "token-0123456789");
    script_until_usable(&script, true);
    for (int i = 0; i < 100; i++) {
        vpsie_submit(script.vpsie, script_command(COMMAND_VPSIE_LIST_GROUPS));
    }
    vpsie_stop(script.vpsie);
    script.vpsie = NULL;
    for (struct event *event; (event = queue_pop(script.outcomes, 0)) != NULL; event_destroy(event)) {
        outcomes++;
    }
    assert_int_equal(outcomes, 100);
    script_stop(&script);
}

static void drop_event(void *context, struct event *event)
{
    (void)context;
    event_destroy(event);
}

static void a_door_that_is_no_https_does_not_open(void **state)
{
    (void)state;
    struct error error = {0};
    struct vpsie_options options = {.url = "http://api.vpsie.com/v2", .sink = drop_event};
    assert_null(vpsie_start(&options, &error));
    assert_non_null(strstr(error.text, "https"));
}

static void requests_are_counted_by_call_and_code(void **state)
{
    (void)state;
    struct cloud cloud = {.add_failures = 1, .add_answer = {.status = 418, .body = ""}};
    struct script *script = cloud_begin(&cloud);
    event_destroy(script_kind(script, COMMAND_VPSIE_ADD_MACHINE));
    assert_float_equal(
        metric_value(metrics_counter("vpsie_autoscaler_vpsie_requests_total",
                                     "call=\"add_machine\",code=\"418\"", "Requests to the VPSie API.")),
        1, 0.01);
    cloud_end(script);
}

int main(void)
{
    log_init("test", LOG_FORMAT_JSON, LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_is_tried_again_and_then_given_up),
        cmocka_unit_test(a_definite_refusal_of_a_read_is_not_tried_again),
        cmocka_unit_test(every_list_brings_its_facts),
        cmocka_unit_test(a_delete_is_done_when_the_machine_is_gone),
        cmocka_unit_test(a_refusal_after_a_try_that_may_have_worked_proves_nothing),
        cmocka_unit_test(the_only_cluster_is_found_when_none_is_named),
        cmocka_unit_test(one_of_several_clusters_is_never_guessed),
        cmocka_unit_test(without_credentials_nothing_is_sent),
        cmocka_unit_test(a_token_that_is_taken_in_the_other_header_only_is_kept_there),
        cmocka_unit_test(a_base_that_answers_404_to_everything_gives_way_to_the_other),
        cmocka_unit_test(credentials_that_are_refused_are_reported_without_echo),
        cmocka_unit_test(new_credentials_are_used_only_when_they_work),
        cmocka_unit_test(the_same_credentials_again_are_not_tried_again),
        cmocka_unit_test(a_secret_that_is_gone_leaves_the_old_credentials),
        cmocka_unit_test(a_login_near_its_end_is_renewed_before_anybody_asks),
        cmocka_unit_test(while_vpsie_fails_commands_come_back_at_once_until_a_probe_succeeds),
        cmocka_unit_test(an_open_breaker_holds_orders_back),
        cmocka_unit_test(refusals_do_not_open_the_breaker),
        cmocka_unit_test(lists_cannot_starve_an_order),
        cmocka_unit_test(commands_of_one_key_run_in_order_with_one_outcome_each),
        cmocka_unit_test(every_command_has_its_outcome_when_the_door_closes),
        cmocka_unit_test(a_door_that_is_no_https_does_not_open),
        cmocka_unit_test(requests_are_counted_by_call_and_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

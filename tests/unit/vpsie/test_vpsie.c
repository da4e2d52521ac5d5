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
#include "tests/unit/vpsie/script.h"

#define COUNT(array)          (sizeof(array) / sizeof((array)[0]))
#define SUBSTRING(text, part) (strstr((text), (part)) != NULL)
#define ADD_PATH              "/add/slave/group/42"
#define MACHINES                                                                                             \
    "{\"error\":false,\"data\":{\"identifier\":\"c1\",\"nodes\":[{\"id\":1,\"identifier\":\"m-1\"}]}}"

// A VPSie that behaves, but for what a test sets.
struct cloud {
    int add_failures; // how many adds to answer as below, then as usual
    struct script_answer add_answer;
    int delete_failures, list_failures;
    struct script_answer delete_answer, list_answer;
    int clusters_failures;
    struct script_answer clusters_answer;
    const char *token, *login; // accepted; NULL: any
    bool bearer_only;
    bool base_is_v2; // the other base answers 404 to everything
    int logins;
    const char *login_body;
    char auth_seen[128];
    bool add_once;
    char add_body[64];
    char paths[16][128];
    const char *clusters_body;
};

static void set(struct script_answer *answer, int status, const char *body)
{
    answer->status = status;
    answer->body = body;
}

static bool failing(int *left, const struct script_answer *as, struct script_answer *answer)
{
    if (*left == 0) {
        return false;
    }
    (*left)--;
    *answer = *as;
    return true;
}

static void log_in(struct cloud *cloud, const struct script_call *call, struct script_answer *answer)
{
    static char body[256];
    if (cloud->login != NULL && strcmp(call->body, cloud->login) != 0) {
        set(answer, 401,
            "{\"error\":true,\"code\":401,\"message\":\"no such clientSecret very-secret-value\"}");
        return;
    }
    snprintf(body, sizeof body, "{\"error\":false,\"accessToken\":{\"token\":\"access-%d\",\"expires\":%s}}",
             ++cloud->logins, cloud->login_body != NULL ? cloud->login_body : "\"2999-01-01T00:00:00Z\"");
    set(answer, 200, body);
}

static bool authorized(const struct cloud *cloud, const struct script_call *call)
{
    char expected[128];
    if (cloud->login != NULL) {
        snprintf(expected, sizeof expected, "Authorization: Bearer access-%d", cloud->logins);
        return strcmp(call->auth, expected) == 0;
    }
    if (cloud->token == NULL) {
        return true;
    }
    snprintf(expected, sizeof expected, "%s%s",
             cloud->bearer_only ? "Authorization: Bearer " : "Vpsie-Auth: ", cloud->token);
    return strcmp(call->auth, expected) == 0;
}

static void serve(void *state, const struct script_call *call, struct script_answer *answer)
{
    struct cloud *cloud = state;
    snprintf(cloud->auth_seen, sizeof cloud->auth_seen, "%s", call->auth);
    if (cloud->base_is_v2 && SUBSTRING(call->url, "/apps/v2")) {
        set(answer, 404, "<html>nothing here</html>");
    } else if (SUBSTRING(call->url, "/auth/from/api")) {
        log_in(cloud, call, answer);
    } else if (!authorized(cloud, call)) {
        set(answer, 401, "{\"error\":true,\"code\":401,\"message\":\"Unauthorized\"}");
    } else if (SUBSTRING(call->url, ADD_PATH)) {
        cloud->add_once = call->once;
        snprintf(cloud->add_body, sizeof cloud->add_body, "%s", call->body);
        if (!failing(&cloud->add_failures, &cloud->add_answer, answer)) {
            set(answer, 200, "{\"error\":false,\"data\":true}");
        }
    } else if (SUBSTRING(call->url, "/delete/slave")) {
        if (!failing(&cloud->delete_failures, &cloud->delete_answer, answer)) {
            set(answer, 200, "{\"error\":false}");
        }
    } else if (SUBSTRING(call->url, "/k8s/cluster/all")) {
        if (!failing(&cloud->clusters_failures, &cloud->clusters_answer, answer) &&
            cloud->clusters_body != NULL) {
            set(answer, 200, cloud->clusters_body);
        }
    } else if (SUBSTRING(call->url, "/k8s/cluster/byId/c1")) {
        if (!failing(&cloud->list_failures, &cloud->list_answer, answer)) {
            set(answer, 200, MACHINES);
        }
    }
}

static struct script *begin(struct cloud *cloud)
{
    struct script *script = malloc(sizeof *script);
    script_init(script, serve, cloud);
    script_start(script);
    script_token(script, "token-0123456789");
    script_until_usable(script, true);
    return script;
}

static void end(struct script *script)
{
    script_stop(script);
    free(script);
}

// -----------------------------------------------------------------------------------------------------
// orders

static void an_order_is_one_post_without_a_body_on_a_fresh_connection(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    assert_int_equal(event->outcome.command_id, 11);
    assert_int_equal(event->outcome.machine_count, 0);
    event_destroy(event);
    assert_int_equal(script_count(script, "POST " SCRIPT_URL "/k8s/cluster/byId/c1" ADD_PATH "\n"), 1);
    assert_true(cloud.add_once);
    assert_string_equal(cloud.add_body, "");
    end(script);
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
        struct script *script = begin(&cloud);
        struct event *event = script_kind(script, COMMAND_VPSIE_ADD_MACHINE);
        assert_int_equal(event->outcome.outcome, cases[i].outcome);
        assert_true(event->outcome.detail[0] != '\0');
        event_destroy(event);
        assert_int_equal(script_count(script, ADD_PATH), 1);
        end(script);
    }
}

static void a_throttled_order_comes_back_with_the_time_to_wait(void **state)
{
    (void)state;
    struct cloud cloud = {.add_failures = 1,
                          .add_answer = {.status = 429, .body = "slow down", .retry_after_ms = 120000}};
    struct script *script = begin(&cloud);
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
    end(script);
}

static void an_order_of_a_term_that_is_over_never_leaves(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = begin(&cloud);
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
    end(script);
}

static void a_dry_run_refuses_every_write(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script script;
    script_init(&script, serve, &cloud);
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

static void an_order_refused_with_401_is_made_once_more_with_a_renewed_login(void **state)
{
    (void)state;
    struct cloud cloud = {.login = "clientId=id-00001&clientSecret=very-secret-value"};
    struct script script;
    script_init(&script, serve, &cloud);
    script_start(&script);
    script_client(&script, "id-00001", "very-secret-value");
    script_until_usable(&script, true);
    pthread_mutex_lock(&script.lock);
    cloud.logins = 100; // the access token is not what VPSie accepts any more
    pthread_mutex_unlock(&script.lock);
    struct event *event = script_kind(&script, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    assert_int_equal(script_count(&script, ADD_PATH), 2); // the refused one and the one that counts
    assert_int_equal(cloud.logins, 101);
    script_stop(&script);
}

static void a_second_401_is_the_end_of_it(void **state)
{
    (void)state;
    struct cloud cloud = {.add_failures = 99, .add_answer = {.status = 401, .body = "{\"error\":true}"}};
    struct script *script = begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_ADD_MACHINE);
    assert_int_equal(event->outcome.outcome, OUTCOME_REFUSED);
    assert_int_equal(event->outcome.status, 401);
    event_destroy(event);
    assert_int_equal(script_count(script, ADD_PATH), 2);
    end(script);
}

static void what_an_order_lacks_is_refused_before_anything_is_sent(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = begin(&cloud);
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
    end(script);
}

static void a_group_is_created_once_and_may_tell_its_number(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_CREATE_GROUP);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    assert_int_equal(event->outcome.group_count, 0);
    event_destroy(event);
    assert_int_equal(script_count(script, "POST " SCRIPT_URL "/k8s/cluster/add/group\n"), 1);
    end(script);
}

// --------------------------------------------------------------------------------------------- reads,
// deletes

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
        struct script *script = begin(&cloud);
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
        end(script);
    }
}

static void a_definite_refusal_of_a_read_is_not_tried_again(void **state)
{
    (void)state;
    struct cloud cloud = {.list_failures = 1, .list_answer = {.status = 404, .body = "{\"error\":true}"}};
    struct script *script = begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(event->outcome.outcome, OUTCOME_NOT_FOUND);
    event_destroy(event);
    assert_int_equal(script_count(script, "/byId/c1"), 1);
    end(script);
}

static void every_list_brings_its_facts(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_LIST_GROUPS);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    event = script_kind(script, COMMAND_VPSIE_LIST_OFFERS);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    assert_int_equal(script_count(script, "GET " SCRIPT_URL "/k8s/node/groups/byClusterId/c1\n"), 1);
    assert_int_equal(script_count(script, "POST " SCRIPT_URL "/k8s/offers\n"), 1);
    end(script);
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
        struct script *script = begin(&cloud);
        struct event *event = script_kind(script, COMMAND_VPSIE_DELETE_MACHINE);
        assert_int_equal(event->outcome.outcome, cases[i].outcome);
        event_destroy(event);
        assert_int_equal(script_count(script, "DELETE " SCRIPT_URL "/k8s/cluster/byId/c1/delete/slave\n"),
                         cases[i].calls);
        end(script);
    }
}

static void refuse_second_delete(void *state, const struct script_call *call, struct script_answer *answer)
{
    int *deletes = state;
    if (strcmp(call->method, "DELETE") == 0) {
        if ((*deletes)++ == 0) {
            answer->result = HTTP_TIMEOUT;
        } else {
            set(answer, 400, "{\"error\":true,\"message\":\"not in a state to be deleted\"}");
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
    struct script *script = begin(&cloud);
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
    end(script);
}

static void one_of_several_clusters_is_never_guessed(void **state)
{
    (void)state;
    struct cloud cloud = {.clusters_body =
                              "{\"error\":false,\"data\":[{\"identifier\":\"c1\"},{\"identifier\":\"c2\"}]}"};
    struct script *script = begin(&cloud);
    struct command *command = script_command(COMMAND_VPSIE_ADD_MACHINE);
    command->add_machine.cluster = "";
    struct event *event = script_perform(script, command);
    assert_int_equal(event->outcome.outcome, OUTCOME_REFUSED);
    assert_non_null(strstr(event->outcome.detail, "2 clusters"));
    event_destroy(event);
    assert_int_equal(script_count(script, ADD_PATH), 0);
    command_destroy(command);
    end(script);
}

// -------------------------------------------------------------------------------------------------
// credentials

static void without_credentials_nothing_is_sent(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script script;
    script_init(&script, serve, &cloud);
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
    struct script *script = begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    assert_string_equal(cloud.auth_seen, "Authorization: Bearer token-0123456789");
    assert_int_equal(script_count(script, "/byId/c1"), 1); // no 401 on the way
    end(script);
}

static void a_base_that_answers_404_to_everything_gives_way_to_the_other(void **state)
{
    (void)state;
    struct cloud cloud = {.base_is_v2 = true};
    struct script *script = begin(&cloud);
    struct event *event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    event_destroy(event);
    assert_int_equal(script_count(script, "GET https://api.test/v2/k8s/cluster/byId/c1\n"), 1);
    assert_int_equal(script_count(script, "GET https://api.test/apps/v2/k8s/cluster/byId/c1\n"), 0);
    end(script);
}

static void credentials_that_are_refused_are_reported_without_echo(void **state)
{
    (void)state;
    struct cloud cloud = {.login = "something else"};
    struct script script;
    script_init(&script, serve, &cloud);
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
    struct script *script = begin(&cloud);
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
    end(script);
}

static void a_secret_that_is_gone_leaves_the_old_credentials(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = begin(&cloud);
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
    end(script);
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
    script_init(&script, serve, &cloud);
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

// --------------------------------------------------------------------------------------------- breaker and
// rate

static void while_vpsie_fails_commands_come_back_at_once_until_a_probe_succeeds(void **state)
{
    (void)state;
    struct cloud cloud = {.list_failures = 1000, .list_answer = {.status = 503, .body = ""}};
    struct script *script = begin(&cloud);
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
    end(script);
}

static void an_open_breaker_holds_orders_back(void **state)
{
    (void)state;
    struct cloud cloud = {.list_failures = 1000, .list_answer = {.result = HTTP_TIMEOUT, .sent = true}};
    struct script script;
    script_init(&script, serve, &cloud);
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
    struct script *script = begin(&cloud);
    for (int i = 0; i < 20; i++) {
        struct event *event = script_kind(script, COMMAND_VPSIE_LIST_MACHINES);
        assert_int_equal(event->outcome.outcome, OUTCOME_REFUSED);
        event_destroy(event);
    }
    end(script);
}

static void lists_cannot_starve_an_order(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script script;
    script_init(&script, serve, &cloud);
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

// ----------------------------------------------------------------------------------------------- order and
// end

static void commands_of_one_key_run_in_order_with_one_outcome_each(void **state)
{
    (void)state;
    struct cloud cloud = {0};
    struct script *script = begin(&cloud);
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
    end(script);
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
    struct script *script = begin(&cloud);
    event_destroy(script_kind(script, COMMAND_VPSIE_ADD_MACHINE));
    assert_float_equal(
        metric_value(metrics_counter("vpsie_autoscaler_vpsie_requests_total",
                                     "call=\"add_machine\",code=\"418\"", "Requests to the VPSie API.")),
        1, 0.01);
    end(script);
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
        cmocka_unit_test(an_order_refused_with_401_is_made_once_more_with_a_renewed_login),
        cmocka_unit_test(a_second_401_is_the_end_of_it),
        cmocka_unit_test(what_an_order_lacks_is_refused_before_anything_is_sent),
        cmocka_unit_test(a_group_is_created_once_and_may_tell_its_number),
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

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "coordinator/vpsie/answer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct answer read_answer(enum http_result result, int status, const char *body, enum answer_use use)
{
    struct http_response response = {.result = result, .status = status, .sent = true};
    struct answer answer;
    text_append(&response.body, body);
    answer_read(&response, use, &answer);
    http_response_free(&response);
    return answer;
}

struct judged {
    int status;
    const char *body;
    enum outcome read, order, delete;
};

static void check_judged(const struct judged *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct {
            enum answer_use use;
            enum outcome expected;
        } uses[] = {
            {ANSWER_READ, cases[i].read}, {ANSWER_ORDER, cases[i].order}, {ANSWER_DELETE, cases[i].delete}};
        for (size_t j = 0; j < COUNT(uses); j++) {
            struct answer answer = read_answer(HTTP_ANSWERED, cases[i].status, cases[i].body, uses[j].use);
            if (answer.outcome != uses[j].expected) {
                print_error("%d %s as use %zu: %s\n", cases[i].status, cases[i].body, j,
                            outcome_name(answer.outcome));
            }
            assert_int_equal(answer.outcome, uses[j].expected);
            answer_free(&answer);
        }
    }
}

#define OK       OUTCOME_OK
#define UNKNOWN  OUTCOME_UNKNOWN
#define REFUSED  OUTCOME_REFUSED
#define LIMITED  OUTCOME_LIMITED
#define CONFLICT OUTCOME_CONFLICT
#define MISSING  OUTCOME_NOT_FOUND
#define SLOW     OUTCOME_THROTTLED

static void success_comes_in_many_shapes(void **state)
{
    (void)state;
    static const struct judged cases[] = {
        {200, "{\"error\":false,\"data\":[]}", OK, OK, OK},
        {200, "{\"error\":false,\"data\":true}", OK, OK, OK},
        {200, "{\"error\":false,\"data\":null}", OK, OK, OK},
        {200, "{\"error\":null,\"data\":{\"id\":1}}", OK, OK, OK},
        {200, "{\"error\":0,\"data\":{}}", OK, OK, OK},
        {200, "{\"error\":\"\",\"data\":{}}", OK, OK, OK},
        {200, "{\"error\":\"false\",\"data\":{}}", OK, OK, OK},
        {200, "{\"error\":false}", OK, OK, OK},
        {201, " true \n", OK, OK, OK},
        {200, "{\"id\":1}", OK, OK, OK},
        {200, "[]", OK, OK, OK},
        {204, "", UNKNOWN, OK, OK},
    };
    check_judged(cases, COUNT(cases));
}

static void an_order_is_taken_for_accepted_only_when_the_answer_says_so(void **state)
{
    (void)state;
    static const struct judged cases[] = {
        {200, "", UNKNOWN, UNKNOWN, OK},
        {200, "{\"error\":false,\"data\":", UNKNOWN, UNKNOWN, UNKNOWN},
        {200, "<html>OK</html>", UNKNOWN, UNKNOWN, UNKNOWN},
        {200, "{\"error\":false,\"data\":false}", OK, UNKNOWN, OK},
        {200, "{\"error\":false,\"data\":\"queued?\"}", OK, UNKNOWN, OK},
        {200, "{} trailing", UNKNOWN, UNKNOWN, UNKNOWN},
        {302, "", REFUSED, UNKNOWN, UNKNOWN},
        {303, "{\"data\":true}", REFUSED, UNKNOWN, UNKNOWN},
    };
    check_judged(cases, COUNT(cases));
}

static void refusals_are_definite_and_the_rest_is_unknown(void **state)
{
    (void)state;
    static const struct judged cases[] = {
        {400, "{\"error\":true,\"message\":\"bad\"}", REFUSED, REFUSED, REFUSED},
        {401, "{\"error\":true,\"code\":401}", REFUSED, REFUSED, REFUSED},
        {403, "{\"error\":true,\"message\":\"no\"}", REFUSED, LIMITED, REFUSED},
        {404, "not here", MISSING, MISSING, OK},
        {408, "", UNKNOWN, UNKNOWN, UNKNOWN},
        {409, "{\"error\":true}", CONFLICT, CONFLICT, CONFLICT},
        {422, "{\"error\":\"INVALID\"}", REFUSED, REFUSED, REFUSED},
        {429, "limit reached", SLOW, SLOW, SLOW},
        {500, "{\"error\":true,\"message\":\"quota exceeded\"}", UNKNOWN, UNKNOWN, UNKNOWN},
        {502, "<html>Bad Gateway</html>", UNKNOWN, UNKNOWN, UNKNOWN},
        {503, "", UNKNOWN, UNKNOWN, UNKNOWN},
    };
    check_judged(cases, COUNT(cases));
}

static void an_error_inside_a_200_is_an_error(void **state)
{
    (void)state;
    static const struct judged cases[] = {
        {200, "{\"error\":true,\"message\":\"no\"}", REFUSED, REFUSED, REFUSED},
        {200, "{\"error\":\"SOME_CODE\",\"data\":[]}", REFUSED, REFUSED, REFUSED},
        {200, "{\"error\":1,\"data\":[]}", REFUSED, REFUSED, REFUSED},
        {200, "{\"error\":{\"message\":\"x\"}}", REFUSED, REFUSED, REFUSED},
        {200, "{\"error\":true,\"code\":401}", REFUSED, REFUSED, REFUSED},
        {200, "{\"error\":true,\"code\":\"404\"}", MISSING, MISSING, OK},
        {200, "{\"error\":true,\"code\":409}", CONFLICT, CONFLICT, CONFLICT},
        {200, "{\"error\":true,\"code\":429}", SLOW, SLOW, SLOW},
        // the server failed half-way, whatever the HTTP status claims: it may have happened
        {200, "{\"error\":true,\"code\":500,\"message\":\"oops\"}", UNKNOWN, UNKNOWN, UNKNOWN},
        {200, "{\"error\":true,\"code\":7,\"message\":\"your plan does not allow it\"}", LIMITED, LIMITED,
         LIMITED},
    };
    check_judged(cases, COUNT(cases));
}

static void limits_are_told_by_their_text(void **state)
{
    (void)state;
    const char *const texts[] = {"This exceeds the allowed limit of 5",
                                 "Quota exceeded for vCPU",
                                 "Your PLAN DOES NOT ALLOW this",
                                 "maximum number of nodes",
                                 "node limit reached",
                                 "subscription does not allow more"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_true(answer_tells_limit(texts[i]));
        struct text body = {0};
        text_append(&body, "{\"error\":true,\"message\":");
        text_append_json_string(&body, texts[i]);
        text_append(&body, "}");
        struct answer answer = read_answer(HTTP_ANSWERED, 422, text_get(&body), ANSWER_ORDER);
        assert_int_equal(answer.outcome, OUTCOME_LIMITED);
        assert_non_null(strstr(answer.detail, texts[i]));
        answer_free(&answer);
        text_free(&body);
    }
    assert_false(answer_tells_limit("unknown group"));
}

static void what_the_network_did_to_a_call_decides_what_is_known(void **state)
{
    (void)state;
    const struct {
        enum http_result result;
        bool sent;
        enum outcome expected;
        bool retriable, failure;
    } cases[] = {
        {HTTP_NOT_SENT, false, OUTCOME_NOT_SENT, true, true},
        {HTTP_BROKEN, true, OUTCOME_UNKNOWN, true, true},
        {HTTP_TIMEOUT, true, OUTCOME_UNKNOWN, true, true},
        {HTTP_TOO_LARGE, true, OUTCOME_UNKNOWN, false, true},
        {HTTP_STOPPED, true, OUTCOME_UNKNOWN, false, false},
        {HTTP_STOPPED, false, OUTCOME_NOT_SENT, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_response response = {.result = cases[i].result, .sent = cases[i].sent, .status = 200};
        struct answer answer;
        text_append(&response.body, "{\"error\":false,\"data\":true}"); // half of something longer
        answer_read(&response, ANSWER_ORDER, &answer);
        assert_int_equal(answer.outcome, cases[i].expected);
        assert_int_equal(answer.retriable, cases[i].retriable);
        assert_int_equal(answer.failure, cases[i].failure);
        answer_free(&answer);
        http_response_free(&response);
    }
}

static void a_body_that_is_not_json_is_kept_short_and_printable(void **state)
{
    (void)state;
    struct text body = {0};
    text_append(&body, "<html>\r\n\x1b[31mred\xff\xfe ");
    for (int i = 0; i < 500; i++) {
        text_append(&body, "x");
    }
    struct answer answer = read_answer(HTTP_ANSWERED, 502, text_get(&body), ANSWER_READ);
    assert_non_null(strstr(answer.detail, "HTTP 502: <html>   [31mred?? xxx"));
    assert_true(strlen(answer.detail) < 230);
    answer_free(&answer);
    text_free(&body);
}

static void nesting_without_end_is_not_json(void **state)
{
    (void)state;
    struct text body = {0};
    for (int i = 0; i < 100000; i++) {
        text_append(&body, "[");
    }
    struct answer answer = read_answer(HTTP_ANSWERED, 200, text_get(&body), ANSWER_READ);
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    answer_free(&answer);
    text_free(&body);
}

struct machines {
    struct answer answer;
    struct arena *arena;
    const struct machine_facts *items;
    uint32_t count;
    int result;
    struct error error;
};

static struct machines machines_of(const char *body)
{
    struct machines machines = {.arena = arena_create(1024)};
    machines.answer = read_answer(HTTP_ANSWERED, 200, body, ANSWER_READ);
    assert_int_equal(machines.answer.outcome, OUTCOME_OK);
    machines.result = answer_machines(&machines.answer, "c1", machines.arena, &machines.items,
                                      &machines.count, &machines.error);
    return machines;
}

static void done(struct machines *machines)
{
    answer_free(&machines->answer);
    arena_destroy(machines->arena);
}

static void machines_come_from_a_list_of_nodes(void **state)
{
    (void)state;
    struct machines machines = machines_of(
        "{\"error\":false,\"data\":{\"identifier\":\"C1\",\"cluster_name\":\"x\",\"nodes\":["
        "{\"id\":\"17\",\"identifier\":\"u-1\",\"hostname\":\"W-1\",\"default_ip\":\"1.2.3.4\",\"private_"
        "ip\":"
        "\"10.0.0.1\",\"node_type\":\"slave\",\"datacenter_id\":9,\"created_on\":\"2024-01-02 "
        "03:04:05\",\"cpu\":"
        "\"4\",\"ram\":8192,\"status\":\"active\"},"
        "{\"id\":18,\"identifier\":\"u-2\",\"hostname\":\"m-1\",\"role\":\"Master\",\"created_on\":"
        "\"2024-01-02T03:04:05Z\"}]}}");
    assert_int_equal(machines.result, 0);
    assert_int_equal(machines.count, 2);
    const struct machine_facts *worker = &machines.items[0];
    assert_int_equal(worker->id, 17);
    assert_string_equal(worker->identifier, "u-1");
    assert_string_equal(worker->hostname, "W-1");
    assert_string_equal(worker->default_ip, "1.2.3.4");
    assert_string_equal(worker->private_ip, "10.0.0.1");
    assert_int_equal(worker->role, MACHINE_ROLE_WORKER);
    assert_string_equal(worker->datacenter_id, "9");
    assert_string_equal(worker->status, "active");
    assert_int_equal(worker->created_ms, 1704164645000);
    assert_int_equal(worker->cpu, 4);
    assert_int_equal(worker->memory_mb, 8192);
    assert_int_equal(machines.items[1].role, MACHINE_ROLE_MASTER);
    assert_int_equal(machines.items[1].created_ms, 1704164645000);
    assert_string_equal(machines.items[1].default_ip, "");
    done(&machines);
}

static void machines_come_from_lists_of_masters_and_slaves(void **state)
{
    (void)state;
    struct machines machines =
        machines_of("{\"data\":{\"masters\":[{\"identifier\":\"a\",\"hostname\":\"m\",\"ip\":\"1.1.1.1\"}],"
                    "\"slaves\":[{\"identifier\":\"b\",\"hostname\":\"w\"},{\"identifier\":\"c\",\"role\":"
                    "\"master\"}]}}");
    assert_int_equal(machines.result, 0);
    assert_int_equal(machines.count, 3);
    assert_int_equal(machines.items[0].role, MACHINE_ROLE_MASTER);
    assert_string_equal(machines.items[0].default_ip, "1.1.1.1");
    assert_int_equal(machines.items[1].role, MACHINE_ROLE_WORKER);
    assert_int_equal(machines.items[2].role, MACHINE_ROLE_MASTER); // one word for it is enough
    done(&machines);
}

static void a_machine_in_two_lists_is_one_machine(void **state)
{
    (void)state;
    struct machines machines = machines_of(
        "{\"data\":{\"nodes\":[{\"identifier\":\"a\",\"id\":1},{\"identifier\":\"b\",\"id\":2}],"
        "\"masters\":[{\"identifier\":\"A\",\"status\":\"up\"}],\"slaves\":[{\"identifier\":\"b\"}]}}");
    assert_int_equal(machines.count, 2);
    assert_int_equal(machines.items[0].role, MACHINE_ROLE_MASTER);
    assert_string_equal(machines.items[0].status, "up");
    assert_int_equal(machines.items[1].role, MACHINE_ROLE_WORKER);
    done(&machines);
}

static void other_ways_to_nest_the_machines_are_understood(void **state)
{
    (void)state;
    const char *const bodies[] = {
        "{\"data\":[{\"id\":1,\"hostname\":\"a\"},{\"id\":2,\"hostname\":\"b\"}]}",
        "[{\"id\":1},{\"id\":2}]",
        "{\"data\":[{\"identifier\":\"other\",\"nodes\":[]},{\"identifier\":\"c1\",\"nodes\":[{\"id\":1},{"
        "\"id\":2}]}"
        "]}",
        "{\"data\":[{\"cluster_name\":\"x\",\"nodes\":[{\"id\":1},{\"id\":2}]}]}",
        "{\"data\":{\"cluster\":{\"identifier\":\"c1\",\"nodes\":[{\"id\":1},{\"id\":2}]}}}",
        "{\"identifier\":\"c1\",\"nodes\":[{\"id\":1},{\"id\":2}]}",
        "{\"data\":{\"masters\":[{\"id\":1}],\"slaves\":[{\"id\":2}],\"nodes\":null}}",
        "{\"error\":false,\"total\":2,\"data\":{\"nodes\":[{\"id\":1},{\"id\":2}]}}",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct machines machines = machines_of(bodies[i]);
        assert_int_equal(machines.result, 0);
        assert_int_equal(machines.count, 2);
        done(&machines);
    }
}

static void an_answer_that_does_not_hold_together_is_refused_whole(void **state)
{
    (void)state;
    const char *const bodies[] = {
        "{\"data\":null}",
        "{\"error\":false}",
        "{\"data\":true}",
        "{\"data\":{}}",
        "{\"data\":{\"nodes\":{}}}",
        "{\"data\":{\"masters\":[],\"slaves\":7}}",
        "{\"data\":{\"nodes\":[{\"id\":1},null]}}",
        "{\"data\":{\"nodes\":[{\"id\":1},\"x\"]}}",
        "{\"data\":{\"nodes\":[{\"id\":1},{}]}}",
        "{\"data\":{\"identifier\":\"c2\",\"nodes\":[]}}",
        "{\"data\":{\"nodes\":[{\"id\":1}],\"total\":2}}",
        "{\"total\":\"2\",\"data\":{\"nodes\":[{\"id\":1}]}}",
        "{\"pagination\":{\"total\":2},\"data\":{\"nodes\":[{\"id\":1}]}}",
        "{\"data\":{\"nodes\":[{\"id\":1}],\"pagination\":{\"totalPages\":2}}}",
        "{\"data\":{\"nodes\":[{\"id\":1}],\"pagination\":{\"hasMore\":true}}}",
        "{\"meta\":{\"next\":\"/page/2\"},\"data\":{\"nodes\":[{\"id\":1}]}}",
        "{\"data\":[{\"identifier\":\"a\",\"nodes\":[]},{\"identifier\":\"b\",\"nodes\":[]}]}",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct machines machines = machines_of(bodies[i]);
        if (machines.result == 0) {
            print_error("taken: %s\n", bodies[i]);
        }
        assert_int_equal(machines.result, -1);
        assert_true(text_starts_with(machines.error.text, "VPSie's answer"));
        done(&machines);
    }
}

static void strange_values_are_absent_not_wrong(void **state)
{
    (void)state;
    struct machines machines = machines_of(
        "{\"data\":{\"nodes\":[{\"id\":-4,\"identifier\":\"u\",\"hostname\":\"a\\u0007b\",\"cpu\":1e99,"
        "\"ram\":\"much\","
        "\"created_on\":\"yesterday\",\"status\":{\"x\":1},\"node_type\":3},{\"id\":1.5,\"hostname\":\"h\"},"
        "{\"id\":\"uuid-text\",\"created_on\":1704164645}]}}");
    assert_int_equal(machines.result, 0);
    const struct machine_facts *machine = machines.items;
    assert_int_equal(machine->id, 0);
    assert_string_equal(machine->hostname, "");
    assert_int_equal(machine->cpu, 0);
    assert_int_equal(machine->memory_mb, 0);
    assert_int_equal(machine->created_ms, 0);
    assert_string_equal(machine->status, "");
    assert_int_equal(machine->role, MACHINE_ROLE_UNKNOWN);
    assert_int_equal(machines.items[1].id, 0);
    assert_string_equal(machines.items[2].identifier, "uuid-text");
    assert_int_equal(machines.items[2].created_ms, 1704164645000);
    done(&machines);
}

static void groups_and_offers_are_read(void **state)
{
    (void)state;
    struct arena *arena = arena_create(1024);
    struct error error;
    struct answer answer = read_answer(
        HTTP_ANSWERED, 200,
        "{\"error\":false,\"data\":[{\"id\":\"42\",\"identifier\":\"g-u\",\"group_name\":\"general\","
        "\"boxsize_id\":5,"
        "\"cpu\":2,\"ram\":\"4096\",\"ssd\":80,\"nodes_count\":\"3\",\"dcIdentifier\":\"dc\",\"is_active\":1,"
        "\"is_deleted\":0},{\"id\":43,\"group_name\":\"old\",\"is_active\":\"0\",\"is_deleted\":true}]}",
        ANSWER_READ);
    const struct vpsie_group_facts *groups = NULL;
    uint32_t count = 0;
    assert_int_equal(answer_groups(&answer, arena, &groups, &count, &error), 0);
    assert_int_equal(count, 2);
    assert_int_equal(groups[0].id, 42);
    assert_string_equal(groups[0].name, "general");
    assert_int_equal(groups[0].size_id, 5);
    assert_int_equal(groups[0].memory_mb, 4096);
    assert_int_equal(groups[0].nodes_count, 3);
    assert_true(groups[0].active && !groups[0].deleted);
    assert_true(!groups[1].active && groups[1].deleted);
    answer_free(&answer);
    answer = read_answer(
        HTTP_ANSWERED, 200,
        "{\"data\":{\"offers\":[{\"id\":5,\"name\":\"S\",\"cpu\":2,\"ram\":4096,\"disk\":80,\"price\":"
        "\"7.30\"},{\"id\":6,\"hourly_price\":0.5},{\"id\":\"uuid\"}]}}",
        ANSWER_READ);
    const struct offer_facts *offers = NULL;
    assert_int_equal(answer_offers(&answer, arena, &offers, &count, &error), 0);
    assert_int_equal(count, 2); // what has no number cannot be ordered
    assert_int_equal(offers[0].disk_gb, 80);
    assert_float_equal(offers[0].price_hour, 0.01, 1e-9);
    assert_float_equal(offers[1].price_hour, 0.5, 1e-9);
    answer_free(&answer);
    arena_destroy(arena);
}

static void no_groups_may_be_an_empty_list_or_null_but_not_nothing_at_all(void **state)
{
    (void)state;
    const struct {
        const char *body;
        int result;
    } cases[] = {{"{\"error\":false,\"data\":[]}", 0},
                 {"{\"error\":false,\"data\":null}", 0},
                 {"{\"error\":false}", -1},
                 {"{\"error\":false,\"data\":true}", -1},
                 {"{\"data\":[{\"id\":1}],\"total\":2}", -1},
                 {"{\"data\":[{\"cpu\":1}]}", -1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_create(256);
        struct answer answer = read_answer(HTTP_ANSWERED, 200, cases[i].body, ANSWER_READ);
        const struct vpsie_group_facts *groups = NULL;
        uint32_t count = 9;
        struct error error;
        assert_int_equal(answer_groups(&answer, arena, &groups, &count, &error), cases[i].result);
        assert_true(cases[i].result != 0 || count == 0);
        answer_free(&answer);
        arena_destroy(arena);
    }
}

static void an_order_may_name_its_machine_or_not(void **state)
{
    (void)state;
    const struct {
        const char *body;
        int64_t id;
        const char *identifier, *hostname; // NULL: no machine
    } cases[] = {
        {"true", 0, NULL, NULL},
        {"{\"error\":false,\"data\":true}", 0, NULL, NULL},
        {"{\"error\":false,\"data\":null}", 0, NULL, NULL},
        {"{\"error\":false,\"data\":{\"status\":\"pending\"}}", 0, NULL, NULL},
        {"{\"error\":false,\"data\":{\"id\":\"7\",\"identifier\":\"u\",\"hostname\":\"h\"}}", 7, "u", "h"},
        {"{\"error\":false,\"data\":{\"node\":{\"identifier\":\"u\"}}}", 0, "u", ""},
        {"{\"error\":false,\"data\":[{\"hostname\":\"h\"}]}", 0, "", "h"},
        {"{\"error\":false,\"id\":8}", 8, "", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena *arena = arena_create(256);
        struct answer answer = read_answer(HTTP_ANSWERED, 200, cases[i].body, ANSWER_ORDER);
        assert_int_equal(answer.outcome, OUTCOME_OK);
        const struct machine_facts *machine = answer_ordered(&answer, arena);
        if (cases[i].identifier == NULL) {
            assert_null(machine);
        } else {
            assert_non_null(machine);
            assert_int_equal(machine->id, cases[i].id);
            assert_string_equal(machine->identifier, cases[i].identifier);
            assert_string_equal(machine->hostname, cases[i].hostname);
        }
        answer_free(&answer);
        arena_destroy(arena);
    }
}

static void a_created_group_may_tell_its_number(void **state)
{
    (void)state;
    const struct {
        const char *body;
        int64_t id;
    } cases[] = {{"{\"error\":false,\"data\":{\"groupId\":\"42\"}}", 42},
                 {"{\"error\":false,\"groupId\":42}", 42},
                 {"{\"error\":false,\"data\":null}", 0},
                 {"{\"error\":false,\"data\":true}", 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct answer answer = read_answer(HTTP_ANSWERED, 200, cases[i].body, ANSWER_ORDER);
        assert_int_equal(answer_created_group(&answer), cases[i].id);
        answer_free(&answer);
    }
}

static void a_login_tells_its_token_and_its_end(void **state)
{
    (void)state;
    const struct {
        const char *body, *token;
        int64_t expires_ms;
    } cases[] = {
        {"{\"accessToken\":{\"token\":\"t\",\"expires\":\"2024-01-02T03:04:05Z\"}}", "t", 1704164645000},
        {"{\"error\":false,\"data\":{\"accessToken\":{\"token\":\"t\"}}}", "t", 0},
        {"{\"accessToken\":{\"token\":\"t\",\"expires\":\"soon\"}}", "t", 0},
        {"{\"accessToken\":\"t\"}", "t", 0},
        {"{\"accessToken\":{\"token\":\"\"}}", NULL, 0},
        {"{\"accessToken\":{\"token\":5}}", NULL, 0},
        {"{}", NULL, 0},
        {"[]", NULL, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct answer answer = read_answer(HTTP_ANSWERED, 200, cases[i].body, ANSWER_LOGIN);
        int64_t expires_ms = 0;
        const char *token = answer_token(&answer, &expires_ms);
        if (cases[i].token == NULL) {
            assert_null(token);
        } else {
            assert_string_equal(token, cases[i].token);
            assert_int_equal(expires_ms, cases[i].expires_ms);
        }
        answer_free(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_comes_in_many_shapes),
        cmocka_unit_test(an_order_is_taken_for_accepted_only_when_the_answer_says_so),
        cmocka_unit_test(refusals_are_definite_and_the_rest_is_unknown),
        cmocka_unit_test(an_error_inside_a_200_is_an_error),
        cmocka_unit_test(limits_are_told_by_their_text),
        cmocka_unit_test(what_the_network_did_to_a_call_decides_what_is_known),
        cmocka_unit_test(a_body_that_is_not_json_is_kept_short_and_printable),
        cmocka_unit_test(nesting_without_end_is_not_json),
        cmocka_unit_test(machines_come_from_a_list_of_nodes),
        cmocka_unit_test(machines_come_from_lists_of_masters_and_slaves),
        cmocka_unit_test(a_machine_in_two_lists_is_one_machine),
        cmocka_unit_test(other_ways_to_nest_the_machines_are_understood),
        cmocka_unit_test(an_answer_that_does_not_hold_together_is_refused_whole),
        cmocka_unit_test(strange_values_are_absent_not_wrong),
        cmocka_unit_test(groups_and_offers_are_read),
        cmocka_unit_test(no_groups_may_be_an_empty_list_or_null_but_not_nothing_at_all),
        cmocka_unit_test(an_order_may_name_its_machine_or_not),
        cmocka_unit_test(a_created_group_may_tell_its_number),
        cmocka_unit_test(a_login_tells_its_token_and_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

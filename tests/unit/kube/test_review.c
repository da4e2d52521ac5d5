// A token speaks for the node that is bound into it, and for no other.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/review.h"

struct play {
    int status;
    const char *review; // status of the TokenReview
    int pod_status;
    const char *pod;
};

static void answer(struct script *script, const struct http_request *request, struct http_response *response)
{
    const struct play *play = script->context;
    if (script_is(request, "POST", "/apis/authentication.k8s.io/v1/tokenreviews")) {
        assert_non_null(strstr(request->body, "\"token\":\"tok\\\"en\""));
        assert_non_null(strstr(request->body, "\"audiences\":[\"vpsie-coordinator\"]"));
        if (play->status == 0)
            script_fail(response, HTTP_TIMEOUT);
        else
            script_json(response, play->status, "{'status':{%s}}", play->review);
    } else if (script_is(request, "GET", "/api/v1/namespaces/vpsie/pods/agent-x")) {
        script_json(response, play->pod_status, "%s", play->pod);
    } else {
        fail_msg("nobody expected %s", script_path(request));
    }
}

#define WHO  "'username':'system:serviceaccount:vpsie:agent'"
#define GOOD "'authenticated':true,'audiences':['vpsie-coordinator'],"
#define NODE                                                                                                 \
    "'extra':{'authentication.kubernetes.io/node-name':['w-1'],'authentication.kubernetes.io/"               \
    "pod-name':['zz']}"
#define BY_POD                                                                                               \
    "'extra':{'authentication.kubernetes.io/pod-name':['agent-x'],'authentication.kubernetes.io/"            \
    "pod-uid':['pu']}"

static int review(const struct play *play, char *node, size_t bytes, struct error *error)
{
    struct script script;
    script_start(&script, answer, (void *)(uintptr_t)play);
    int result =
        review_node_of_token(script.api, "tok\"en", "vpsie-coordinator", "vpsie/agent", node, bytes, error);
    script_stop(&script);
    return result;
}

static void who_is_let_in_and_who_is_not(void **state)
{
    (void)state;
    static const struct {
        struct play play;
        int code; // 0: let in as w-1
        const char *says;
    } cases[] = {
        {{201, GOOD "'user':{" WHO "," NODE "}", 0, ""}, 0, ""},
        {{201, GOOD "'user':{" WHO "," BY_POD "}", 200,
          "{'metadata':{'uid':'pu'},'spec':{'nodeName':'w-1'}}"},
         0,
         ""},
        {{201, GOOD "'user':{" WHO "," BY_POD "}", 200,
          "{'metadata':{'uid':'new'},'spec':{'nodeName':'w-1'}}"},
         403,
         "another one"},
        {{201, GOOD "'user':{" WHO "," BY_POD "}", 200, "{'metadata':{'uid':'pu'},'spec':{}}"},
         403,
         "on no node"},
        {{201, GOOD "'user':{" WHO "," BY_POD "}", 404, "{}"}, 403, "gone"},
        {{201, GOOD "'user':{" WHO "," BY_POD "}", 500, "{}"}, 503, "could not be read"},
        {{201, GOOD "'user':{" WHO "}", 0, ""}, 403, "bound to no node"},
        {{201, GOOD "'user':{" WHO ",'extra':{'authentication.kubernetes.io/node-name':['a','b']}}", 0, ""},
         403,
         "bound to no node"},
        {{201, GOOD "'user':{'username':'system:serviceaccount:vpsie:other'," NODE "}", 0, ""},
         403,
         "speaks for"},
        {{201, GOOD "'user':{'username':'system:serviceaccount:vpsie:agent2'," NODE "}", 0, ""},
         403,
         "speaks for"},
        {{201, GOOD "'user':{'username':'system:node:w-1'," NODE "}", 0, ""}, 403, "speaks for"},
        {{201, GOOD "'user':{" NODE "}", 0, ""}, 403, "speaks for"},
        {{201, "'authenticated':false,'error':'expired'", 0, ""}, 401, "expired"},
        {{201, "'authenticated':'true','audiences':['vpsie-coordinator'],'user':{" WHO "," NODE "}", 0, ""},
         401,
         "not valid"},
        {{201, "", 0, ""}, 401, "not valid"},
        {{201, "'authenticated':true,'user':{" WHO "," NODE "}", 0, ""}, 401, "audience"},
        {{201, "'authenticated':true,'audiences':['https://kubernetes'],'user':{" WHO "," NODE "}", 0, ""},
         401,
         "audience"},
        {{403, "", 0, ""}, 503, "could not be reviewed"},
        {{500, "", 0, ""}, 503, "could not be reviewed"},
        {{0, "", 0, ""}, 503, "could not be reviewed"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char node[64] = "stale";
        struct error error = {0};
        int result = review(&cases[i].play, node, sizeof(node), &error);
        if ((result == 0) != (cases[i].code == 0) || error.code != cases[i].code)
            fail_msg("case %zu: %d %s", i, error.code, error.text);
        assert_string_equal(node, cases[i].code == 0 ? "w-1" : "");
        if (!strstr(error.text, cases[i].says))
            fail_msg("case %zu: %s", i, error.text);
        assert_null(strstr(error.text, "tok\"en"));
    }
}

static void an_empty_or_huge_token_is_not_even_sent(void **state)
{
    (void)state;
    struct script script;
    struct play play = {201, "", 0, ""};
    char node[8];
    struct error error = {0};
    AUTOTEXT struct text huge = {0};
    for (int i = 0; i < 20000; i++)
        text_append(&huge, "x");
    script_start(&script, answer, &play);
    assert_int_equal(review_node_of_token(script.api, "", "a", "n/s", node, sizeof(node), &error), -1);
    assert_int_equal(error.code, 401);
    assert_int_equal(review_node_of_token(script.api, huge.bytes, "a", "n/s", node, sizeof(node), &error),
                     -1);
    assert_int_equal(error.code, 401);
    assert_int_equal(script.call_count, 0);
    script_stop(&script);
}

static void a_node_name_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct play play = {201, GOOD "'user':{" WHO "," NODE "}", 0, ""};
    char node[3];
    struct error error = {0};
    assert_int_equal(review(&play, node, sizeof(node), &error), -1);
    assert_int_equal(error.code, 403);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_let_in_and_who_is_not),
        cmocka_unit_test(an_empty_or_huge_token_is_not_even_sent),
        cmocka_unit_test(a_node_name_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

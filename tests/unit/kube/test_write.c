// Each command becomes the right request, and its outcome says exactly what is known.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/kinds.h"
#include "coordinator/kube/write.h"

#define CRD "/apis/autoscaler.vpsie.com/v1alpha1/namespaces/kube-system/"

// Answers by the first row whose method and path fit; a row with `times` is used so often.
struct row {
    const char *method, *path;
    int status; // 0: no answer though it was sent; -1: not sent
    const char *body;
    int times; // 0: always
};
struct play {
    struct row rows[16];
    struct lease *lease;
    struct recorder *recorder;
    struct writer writer;
    struct script script;
    struct arena *arena;
    struct watch *watches[OBJECT_KIND_COUNT];
    struct text told;
    bool fenced;
    int64_t retry_after_ms;
};

static void answer(struct script *script, const struct http_request *request, struct http_response *response)
{
    struct play *play = script->context;
    if (strstr(script_path(request), "/leases")) {
        script_json(response, 404, "{}");
        return;
    }
    for (size_t i = 0; i < 16 && play->rows[i].method; i++) {
        struct row *row = &play->rows[i];
        if (row->times < 0 || !script_is(request, row->method, row->path))
            continue;
        if (row->times > 0 && --row->times == 0)
            row->times = -1;
        response->retry_after_ms = play->retry_after_ms;
        if (row->status == 0)
            script_fail(response, HTTP_TIMEOUT);
        else if (row->status < 0)
            script_fail(response, HTTP_NOT_SENT);
        else if (request->on_chunk && row->status == 200)
            script_stream(request, response, "%s", row->body);
        else
            script_json(response, row->status, "%s", row->body);
        return;
    }
    fail_msg("nobody expected %s %s", request->method, script_path(request));
}

static void on_news(void *context, const struct lease_news *news)
{
    (void)context, (void)news;
}

static bool may_act(void *context, uint64_t term)
{
    struct play *play = context;
    return !play->fenced && lease_may_act(play->lease, term);
}

static int on_object(void *context, const cJSON *json, struct error *error)
{
    (void)error;
    text_printf(&((struct play *)context)->told, "%s ", json_text(json_get(json, "metadata"), "name"));
    return 0;
}

static void on_gone(void *context, const char *space, const char *name, const char *uid)
{
    (void)space, (void)uid;
    text_printf(&((struct play *)context)->told, "-%s ", name);
}

static void begin_with(struct play *play, bool dry_run)
{
    struct api_options api = {.may_act = may_act, .context = play, .read_only = dry_run};
    *play = (struct play){0};
    script_start_with(&play->script, answer, play, &api);
    struct lease_options lease = {.api = play->script.api,
                                  .space = "s",
                                  .name = "l",
                                  .identity = "me",
                                  .duration_ms = 15000,
                                  .renew_deadline_ms = 10000,
                                  .retry_period_ms = 2000,
                                  .elect = false,
                                  .on_news = on_news};
    play->lease = lease_create(&lease);
    lease_tick(play->lease);
    struct recorder_options recorder = {.api = play->script.api, .identity = "me"};
    play->recorder = recorder_create(&recorder);
    play->arena = arena_create(4096);
    for (int i = 0; i < OBJECT_KIND_COUNT; i++) {
        struct watch_options watch = {.api = play->script.api,
                                      .kind = kinds[i].name,
                                      .path = kinds[i].path,
                                      .field_selector = kinds[i].field_selector,
                                      .objects_max = 10,
                                      .on_object = on_object,
                                      .on_gone = on_gone,
                                      .context = play};
        play->watches[i] = watch_create(&watch);
    }
    play->writer = (struct writer){play->script.api, play->lease, play->recorder, play->watches};
}

static void begin(struct play *play)
{
    begin_with(play, false);
}

static void end(struct play *play)
{
    for (int i = 0; i < OBJECT_KIND_COUNT; i++)
        watch_destroy(play->watches[i]);
    recorder_destroy(play->recorder);
    lease_destroy(play->lease);
    arena_destroy(play->arena);
    text_free(&play->told);
    script_stop(&play->script);
}

// Carries out and gives the outcome; the event lives until the next call.
static const struct event *run(struct play *play, struct command command)
{
    struct event *event = ARENA_NEW(play->arena, struct event);
    *event = (struct event){.kind = EVENT_OUTCOME, .arena = play->arena};
    command.term = command.term ? command.term : 1;
    command.id = 42;
    write_execute(&play->writer, &command, event);
    assert_int_equal(event->outcome.command_id, 42);
    assert_non_null(event->outcome.detail);
    return event;
}

static struct command cordon(void)
{
    struct command command = {.kind = COMMAND_KUBE_CORDON};
    command.cordon.node_name = "w 1";
    command.cordon.reason = "because";
    return command;
}

static struct command on_pod(enum command_kind kind)
{
    struct command command = {.kind = kind};
    command.pod.space = "shop";
    command.pod.name = "web";
    command.pod.uid = "u-1";
    command.pod.grace_seconds = -1;
    return command;
}

#define NODE "{'metadata':{'name':'w','uid':'nu','resourceVersion':'5'},'spec':{}}"

static void a_cordon_reads_and_patches_and_is_ok_when_the_server_confirms(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] = (struct row){"GET", "/api/v1/nodes/w%201", 200, NODE, 0};
    play.rows[1] = (struct row){"PATCH", "/api/v1/nodes/w%201?fieldManager=vpsie-coordinator", 200,
                                "{'metadata':{'uid':'nu','resourceVersion':'6'}}", 0};
    const struct event *event = run(&play, cordon());
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    assert_string_equal(event->outcome.uid, "nu");
    assert_string_equal(event->outcome.resource_version, "6");
    assert_non_null(strstr(script_last(&play.script, "PATCH"), "\"resourceVersion\":\"5\""));
    end(&play);
}

static void a_conflict_is_read_again_and_a_lasting_one_is_told(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] = (struct row){"GET", "/api/v1/nodes/", 200, NODE, 0};
    play.rows[1] = (struct row){"PATCH", "/api/v1/nodes/", 409, "{'message':'modified'}", 2};
    play.rows[2] = (struct row){"PATCH", "/api/v1/nodes/", 200, "{}", 1};
    play.rows[3] = (struct row){"PATCH", "/api/v1/nodes/", 409, "{'message':'modified'}", 0};
    assert_int_equal(run(&play, cordon())->outcome.outcome, OUTCOME_OK);
    assert_int_equal(script_count(&play.script, "GET /api/v1/nodes"), 3);
    const struct event *event = run(&play, cordon());
    assert_int_equal(event->outcome.outcome, OUTCOME_CONFLICT);
    assert_int_equal(event->outcome.status, 409);
    end(&play);
}

static void what_is_known_of_a_write_is_what_is_said(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum outcome outcome;
    } cases[] = {{0, OUTCOME_UNKNOWN},   {-1, OUTCOME_NOT_SENT},   {500, OUTCOME_UNKNOWN},
                 {503, OUTCOME_UNKNOWN}, {403, OUTCOME_REFUSED},   {422, OUTCOME_REFUSED},
                 {401, OUTCOME_REFUSED}, {404, OUTCOME_NOT_FOUND}, {429, OUTCOME_THROTTLED},
                 {302, OUTCOME_UNKNOWN}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct play play;
        begin(&play);
        play.rows[0] = (struct row){"GET", "/api/v1/nodes/", 200, NODE, 0};
        play.rows[1] = (struct row){"PATCH", "/api/v1/nodes/", cases[i].status, "{'message':'why'}", 0};
        const struct event *event = run(&play, cordon());
        assert_int_equal(event->outcome.outcome, cases[i].outcome);
        assert_int_equal(script_count(&play.script, "PATCH"), 1); // never repeated
        assert_true(strlen(event->outcome.detail) > 0);
        end(&play);
    }
}

static void a_read_that_fails_before_a_write_means_that_nothing_was_sent(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum outcome outcome;
        unsigned reads;
    } cases[] = {{0, OUTCOME_NOT_SENT, 3},
                 {500, OUTCOME_NOT_SENT, 3},
                 {404, OUTCOME_NOT_FOUND, 1},
                 {403, OUTCOME_REFUSED, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct play play;
        begin(&play);
        play.rows[0] = (struct row){"GET", "/api/v1/nodes/", cases[i].status, "{'message':'why'}", 0};
        assert_int_equal(run(&play, cordon())->outcome.outcome, cases[i].outcome);
        assert_int_equal(script_count(&play.script, "GET /api/v1/nodes"), cases[i].reads);
        end(&play);
    }
}

static void a_success_that_cannot_be_read_is_not_called_one(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] = (struct row){"GET", "/api/v1/nodes/", 200, NODE, 0};
    play.rows[1] = (struct row){"PATCH", "/api/v1/nodes/", 200, "{'metadata':", 0};
    assert_int_equal(run(&play, cordon())->outcome.outcome, OUTCOME_UNKNOWN);
    end(&play);
}

static void a_command_of_another_term_never_leaves(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    struct command command = cordon();
    command.term = 2;
    unsigned before = play.script.call_count;
    const struct event *event = run(&play, command);
    assert_int_equal(event->outcome.outcome, OUTCOME_NOT_SENT);
    assert_non_null(strstr(event->outcome.detail, "does not lead"));
    assert_int_equal(play.script.call_count, before);
    end(&play);
}

static void leadership_that_is_lost_between_reading_and_writing_stops_the_write(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.fenced = true; // as the api sees it at the wire
    play.rows[0] = (struct row){"GET", "/api/v1/nodes/", 200, NODE, 0};
    const struct event *event = run(&play, cordon());
    assert_int_equal(event->outcome.outcome, OUTCOME_NOT_SENT);
    assert_int_equal(script_count(&play.script, "PATCH"), 0);
    end(&play);
}

static void a_dry_run_reads_but_writes_nothing(void **state)
{
    (void)state;
    struct play play;
    begin_with(&play, true);
    play.rows[0] = (struct row){"GET", "/", 200, NODE, 0};
    struct command commands[] = {cordon(), on_pod(COMMAND_KUBE_EVICT), on_pod(COMMAND_KUBE_DELETE_POD)};
    for (size_t i = 0; i < 3; i++) {
        const struct event *event = run(&play, commands[i]);
        assert_int_equal(event->outcome.outcome, OUTCOME_NOT_SENT);
        assert_non_null(strstr(event->outcome.detail, "dry run"));
    }
    assert_int_equal(script_count(&play.script, "GET "), play.script.call_count);
    end(&play);
}

static void an_uncordon_of_what_is_not_ours_is_done_without_a_write(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] =
        (struct row){"GET", "/api/v1/nodes/w", 200, "{'metadata':{},'spec':{'unschedulable':true}}", 0};
    struct command command = cordon();
    command.kind = COMMAND_KUBE_UNCORDON;
    const struct event *event = run(&play, command);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    assert_string_equal(event->outcome.detail, "not cordoned by us");
    end(&play);
}

static void an_eviction_knows_gone_from_not_now_from_never(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        const char *pod; // what a GET of the pod answers, NULL: is not asked
        int pod_status;
        enum outcome outcome;
        const char *says;
    } cases[] = {
        {201, "{'kind':'Status','status':'Success'}", NULL, 0, OUTCOME_OK, ""},
        {404, "{'reason':'NotFound'}", NULL, 0, OUTCOME_OK, "gone"},
        {409, "{'reason':'Conflict'}", "{'metadata':{'uid':'other'}}", 200, OUTCOME_OK, "gone"},
        {409, "{'reason':'Conflict'}", "{}", 404, OUTCOME_OK, "gone"},
        {409, "{'reason':'Conflict'}", "{'metadata':{'uid':'u-1'}}", 200, OUTCOME_CONFLICT, ""},
        {429,
         "{'message':'Cannot evict pod as it would violate the disruption "
         "budget.','details':{'causes':[{'reason':"
         "'DisruptionBudget','message':'The disruption budget web-pdb needs 2 healthy "
         "pods'}],'retryAfterSeconds':10}}",
         NULL, 0, OUTCOME_THROTTLED, "web-pdb"},
        {500,
         "{'message':'This pod has more than one PodDisruptionBudget, which the eviction subresource does "
         "not "
         "support.'}",
         NULL, 0, OUTCOME_REFUSED, "more than one PodDisruptionBudget"},
        {500, "{'message':'etcd'}", NULL, 0, OUTCOME_UNKNOWN, "etcd"},
        {403, "{'message':'unable to create new content in namespace x because it is being terminated'}",
         NULL, 0, OUTCOME_THROTTLED, "terminated"},
        {403, "{'message':'pods is forbidden'}", NULL, 0, OUTCOME_REFUSED, "forbidden"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct play play;
        begin(&play);
        play.rows[0] = (struct row){"POST", "/api/v1/namespaces/shop/pods/web/eviction", cases[i].status,
                                    cases[i].body, 0};
        if (cases[i].pod)
            play.rows[1] =
                (struct row){"GET", "/api/v1/namespaces/shop/pods/web", cases[i].pod_status, cases[i].pod, 0};
        const struct event *event = run(&play, on_pod(COMMAND_KUBE_EVICT));
        if (event->outcome.outcome != cases[i].outcome)
            fail_msg("case %zu: %s", i, outcome_name(event->outcome.outcome));
        if (!strstr(event->outcome.detail, cases[i].says))
            fail_msg("case %zu: %s", i, event->outcome.detail);
        if (cases[i].status == 429)
            assert_int_equal(event->outcome.retry_after_ms, 10000);
        end(&play);
    }
}

static void the_header_retry_after_wins_over_the_body(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.retry_after_ms = 7000;
    play.rows[0] = (struct row){"POST", "/api/v1/namespaces/shop/pods/web/eviction", 429,
                                "{'details':{'retryAfterSeconds':10}}", 0};
    assert_int_equal(run(&play, on_pod(COMMAND_KUBE_EVICT))->outcome.retry_after_ms, 7000);
    end(&play);
}

static void a_deletion_carries_the_uid_and_gone_is_done(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] = (struct row){"DELETE", "/api/v1/namespaces/shop/pods/web", 200, "{}", 1};
    play.rows[1] = (struct row){"DELETE", "/api/v1/namespaces/shop/pods/web", 404, "{}", 1};
    play.rows[2] = (struct row){"DELETE", "/api/v1/nodes/w", 409, "{}", 1};
    play.rows[3] = (struct row){"GET", "/api/v1/nodes/w", 200, "{'metadata':{'uid':'new'}}", 0};
    play.rows[4] = (struct row){"DELETE", CRD "vpsienodes/vn", 200, "{}", 1};
    struct command pod = on_pod(COMMAND_KUBE_DELETE_POD);
    pod.pod.grace_seconds = 3;
    assert_int_equal(run(&play, pod)->outcome.outcome, OUTCOME_OK);
    assert_non_null(strstr(script_last(&play.script, "DELETE"),
                           "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
                           "\"preconditions\":{\"uid\":\"u-1\"},"
                           "\"gracePeriodSeconds\":3}"));
    assert_int_equal(run(&play, pod)->outcome.outcome, OUTCOME_OK);
    struct command node = {.kind = COMMAND_KUBE_DELETE_NODE};
    node.delete_node.node_name = "w";
    node.delete_node.uid = "old";
    assert_int_equal(run(&play, node)->outcome.outcome, OUTCOME_OK);
    struct command intention = {.kind = COMMAND_KUBE_DELETE_INTENTION};
    intention.delete_intention.space = "kube-system";
    intention.delete_intention.name = "vn";
    intention.delete_intention.uid = "iu";
    assert_int_equal(run(&play, intention)->outcome.outcome, OUTCOME_OK);
    assert_non_null(strstr(script_last(&play.script, "DELETE"), "\"uid\":\"iu\""));
    end(&play);
}

static void nothing_is_removed_by_name_alone(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    unsigned before = play.script.call_count;
    struct command node = {.kind = COMMAND_KUBE_DELETE_NODE};
    node.delete_node.node_name = "w";
    node.delete_node.uid = "";
    assert_int_equal(run(&play, node)->outcome.outcome, OUTCOME_REFUSED);
    struct command pod = on_pod(COMMAND_KUBE_EVICT);
    pod.pod.uid = "";
    assert_int_equal(run(&play, pod)->outcome.outcome, OUTCOME_REFUSED);
    assert_int_equal(play.script.call_count, before);
    end(&play);
}

static void an_intention_is_created_once_and_an_existing_one_is_a_conflict(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] = (struct row){"POST", CRD "vpsienodes?fieldManager=vpsie-coordinator", 201,
                                "{'metadata':{'uid':'iu','resourceVersion':'9'}}", 1};
    play.rows[1] = (struct row){"POST", CRD "vpsienodes?", 409, "{'reason':'AlreadyExists'}", 1};
    play.rows[2] = (struct row){"POST", CRD "vpsienodes?", 0, "", 1};
    struct intention_facts facts = {.space = "kube-system", .name = "vn", .group_name = "general"};
    struct command command = {.kind = COMMAND_KUBE_CREATE_INTENTION};
    command.create_intention.facts = &facts;
    command.create_intention.owner_name = "general";
    const struct event *event = run(&play, command);
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    assert_string_equal(event->outcome.uid, "iu");
    assert_int_equal(run(&play, command)->outcome.outcome, OUTCOME_CONFLICT);
    assert_int_equal(run(&play, command)->outcome.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(script_count(&play.script, "POST"), 3);
    end(&play);
}

static void a_nodegroup_is_made_once_and_deleted_only_as_the_one_that_was_meant(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] = (struct row){"POST", CRD "nodegroups?fieldManager=vpsie-coordinator", 201,
                                "{'metadata':{'uid':'gu','resourceVersion':'9'}}", 1};
    play.rows[1] = (struct row){"DELETE", CRD "nodegroups/dynamic-1", 200, "{}", 1};
    struct nodegroup_facts facts = {.space = "kube-system",
                                    .name = "dynamic-1",
                                    .datacenter_id = "dc",
                                    .resource_identifier = "rid",
                                    .project = "p",
                                    .kubernetes_version = "v1.30.2",
                                    .max_nodes = 1};
    struct command command = {.kind = COMMAND_KUBE_CREATE_NODEGROUP};
    command.create_nodegroup.facts = &facts;
    assert_int_equal(run(&play, command)->outcome.outcome, OUTCOME_OK);
    struct command gone = {.kind = COMMAND_KUBE_DELETE_NODEGROUP};
    gone.delete_nodegroup.space = "kube-system";
    gone.delete_nodegroup.name = "dynamic-1";
    assert_int_equal(run(&play, gone)->outcome.outcome, OUTCOME_REFUSED); // without a uid
    gone.delete_nodegroup.uid = "gu";
    assert_int_equal(run(&play, gone)->outcome.outcome, OUTCOME_OK);
    assert_int_equal(script_count(&play.script, "DELETE"), 1);
    end(&play);
}

static struct command update(const char *version, enum tristate finalizer)
{
    static const struct label annotation = {"autoscaler.vpsie.com/a", "1"};
    struct command command = {.kind = COMMAND_KUBE_UPDATE_INTENTION};
    command.update_intention.space = "kube-system";
    command.update_intention.name = "vn";
    command.update_intention.resource_version = version;
    command.update_intention.finalizer = finalizer;
    command.update_intention.annotations = (struct labels){&annotation, 1};
    return command;
}

static void an_update_with_a_version_is_not_repeated_over_anothers_write(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] = (struct row){"PATCH", CRD "vpsienodes/vn?", 409, "{}", 0};
    play.rows[1] = (struct row){"GET", CRD "vpsienodes/vn", 200, "{'metadata':{'resourceVersion':'7'}}", 0};
    assert_int_equal(run(&play, update("5", TRISTATE_UNSET))->outcome.outcome, OUTCOME_CONFLICT);
    assert_int_equal(script_count(&play.script, "PATCH"), 1);
    // With a finalizer the object is read, and another version is seen before anything is sent.
    assert_int_equal(run(&play, update("5", TRISTATE_TRUE))->outcome.outcome, OUTCOME_CONFLICT);
    assert_int_equal(script_count(&play.script, "PATCH"), 1);
    end(&play);
}

static void a_finalizer_is_removed_with_the_version_that_was_read_and_again_after_a_conflict(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] =
        (struct row){"GET", CRD "vpsienodes/vn", 200,
                     "{'metadata':{'resourceVersion':'7','finalizers':['vpsienode.autoscaler.vpsie.com/"
                     "finalizer','x']}}",
                     0};
    play.rows[1] = (struct row){"PATCH", CRD "vpsienodes/vn?", 409, "{}", 1};
    play.rows[2] = (struct row){"PATCH", CRD "vpsienodes/vn?", 200, "{}", 1};
    assert_int_equal(run(&play, update("", TRISTATE_FALSE))->outcome.outcome, OUTCOME_OK);
    const char *call = script_last(&play.script, "PATCH");
    assert_non_null(strstr(call, "\"resourceVersion\":\"7\""));
    assert_non_null(strstr(call, "\"finalizers\":[\"x\"]"));
    assert_non_null(strstr(call, "autoscaler.vpsie.com/a"));
    end(&play);
}

static void a_finalizer_of_what_is_gone_is_removed_already(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] = (struct row){"GET", CRD, 404, "{}", 0};
    assert_int_equal(run(&play, update("", TRISTATE_FALSE))->outcome.outcome, OUTCOME_OK);
    assert_int_equal(run(&play, update("", TRISTATE_TRUE))->outcome.outcome, OUTCOME_NOT_FOUND);
    struct command group = {.kind = COMMAND_KUBE_GROUP_FINALIZER};
    group.group_finalizer.space = "kube-system";
    group.group_finalizer.name = "general";
    assert_int_equal(run(&play, group)->outcome.outcome, OUTCOME_OK);
    group.group_finalizer.present = true;
    assert_int_equal(run(&play, group)->outcome.outcome, OUTCOME_NOT_FOUND);
    end(&play);
}

static void statuses_go_through_the_status_subresource(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] =
        (struct row){"PATCH", CRD "vpsienodes/vn/status?fieldManager=vpsie-coordinator", 200, "{}", 0};
    play.rows[1] =
        (struct row){"PATCH", CRD "nodegroups/general/status?fieldManager=vpsie-coordinator", 200, "{}", 0};
    struct command intention = {.kind = COMMAND_KUBE_INTENTION_STATUS};
    intention.intention_status.space = "kube-system";
    intention.intention_status.name = "vn";
    intention.intention_status.status.phase = INTENTION_JOINING;
    assert_int_equal(run(&play, intention)->outcome.outcome, OUTCOME_OK);
    assert_non_null(strstr(script_last(&play.script, "PATCH"), "{\"status\":{\"phase\":\"Joining\"}}"));
    struct command group = {.kind = COMMAND_KUBE_GROUP_STATUS};
    group.group_status.space = "kube-system";
    group.group_status.name = "general";
    assert_int_equal(run(&play, group)->outcome.outcome, OUTCOME_OK);
    end(&play);
}

static struct command list_pods(void)
{
    struct command command = {.kind = COMMAND_KUBE_LIST_NODE_PODS};
    command.list_node_pods.node_name = "w-1";
    return command;
}

#define POD(name)                                                                                            \
    "{'metadata':{'name':'" name "','namespace':'s','uid':'u" name "'},'spec':{'nodeName':'w-1'}}"
#define PODS "/api/v1/pods?limit=500&fieldSelector=spec.nodeName%3Dw-1"

static void the_pods_of_a_node_come_from_a_consistent_list_in_pages(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    play.rows[0] = (struct row){"GET", PODS "&continue=c", 200, "{'metadata':{},'items':[" POD("b") "]}", 0};
    play.rows[1] = (struct row){"GET", PODS, 200, "{'metadata':{'continue':'c'},'items':[" POD("a") "]}", 0};
    const struct event *event = run(&play, list_pods());
    assert_int_equal(event->outcome.outcome, OUTCOME_OK);
    assert_int_equal(event->outcome.pod_count, 2);
    assert_string_equal(event->outcome.pods[0].name, "a");
    assert_string_equal(event->outcome.pods[1].uid, "ub");
    assert_null(strstr(script_last(&play.script, "GET /api/v1/pods"), "resourceVersion"));
    end(&play);
}

static void a_list_of_pods_that_is_not_whole_is_never_an_empty_node(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum outcome outcome;
    } cases[] = {
        {200, "{'metadata':{},'items':[]}", OUTCOME_OK},
        {200, "{'metadata':{},'items':[{'metadata':{}}]}", OUTCOME_UNKNOWN},
        {200, "{'metadata':{},'items':[", OUTCOME_UNKNOWN},
        {200, "{'items':[]}", OUTCOME_UNKNOWN},
        {200, "", OUTCOME_UNKNOWN},
        {0, "", OUTCOME_UNKNOWN},
        {500, "{}", OUTCOME_UNKNOWN},
        {403, "{}", OUTCOME_REFUSED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct play play;
        begin(&play);
        play.rows[0] = (struct row){"GET", PODS, cases[i].status, cases[i].body, 0};
        const struct event *event = run(&play, list_pods());
        if (event->outcome.outcome != cases[i].outcome)
            fail_msg("case %zu: %s", i, outcome_name(event->outcome.outcome));
        assert_int_equal(event->outcome.pod_count, 0);
        end(&play);
    }
}

#define HOOKS "/apis/admissionregistration.k8s.io/v1/"
#define SLICES                                                                                               \
    "/apis/discovery.k8s.io/v1/namespaces/kube-system/"                                                      \
    "endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dhook"
#define HOOK_JSON                                                                                            \
    "{'webhooks':[{'failurePolicy':'Fail','clientConfig':{'service':{'namespace':'kube-system','name':'"     \
    "hook'}}}]}"
#define ITEM(name) "{'metadata':{'name':'" name "','namespace':'s','uid':'u" name "','resourceVersion':'3'}}"

static void fresh_rows(struct play *play, const char *hook, int hook_status, const char *slices)
{
    play->rows[0] = (struct row){"GET", "/apis/autoscaler.vpsie.com/v1alpha1/vpsienodes?limit=500", 200,
                                 "{'metadata':{'resourceVersion':'9'},'items':[" ITEM("vn") "]}", 0};
    play->rows[1] = (struct row){"GET", "/apis/autoscaler.vpsie.com/v1alpha1/nodegroups?limit=500", 200,
                                 "{'metadata':{'resourceVersion':'9'},'items':[" ITEM("ng") "]}", 0};
    play->rows[2] = (struct row){"GET", "/api/v1/nodes?limit=500", 200,
                                 "{'metadata':{'resourceVersion':'9'},'items':[" ITEM("w-1") "]}", 0};
    play->rows[3] = (struct row){"GET", HOOKS "validatingwebhookconfigurations/vpsie-autoscaler-webhook",
                                 hook_status, hook, 0};
    play->rows[4] = (struct row){"GET", SLICES, 200, slices, 0};
    play->rows[5] = (struct row){"GET", HOOKS, 404, "{}", 0};
}

static void a_fresh_list_tells_the_objects_and_then_whether_a_predecessor_stands_in_the_way(void **state)
{
    (void)state;
    static const struct {
        const char *hook;
        int status;
        const char *slices;
        bool blocks;
    } cases[] = {
        {"{}", 404, "{}", false},
        {HOOK_JSON, 200, "{'items':[]}", true},
        {HOOK_JSON, 200, "{'items':[{'endpoints':[{'addresses':['1'],'conditions':{'ready':false}}]}]}",
         true},
        {HOOK_JSON, 200, "{'items':[{'endpoints':[{'addresses':['1'],'conditions':{'ready':true}}]}]}",
         false},
        {HOOK_JSON, 200, "{'items':[{'endpoints':[{'addresses':['1']}]}]}", false},
        {"{'webhooks':[{'failurePolicy':'Ignore','clientConfig':{'service':{'namespace':'a','name':'b'}}}]}",
         200, "{}", false},
        {"{'webhooks':[{'failurePolicy':'Fail','clientConfig':{'url':'https://x'}}]}", 200, "{}", false},
        {"{}", 403, "{}", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct play play;
        begin(&play);
        fresh_rows(&play, cases[i].hook, cases[i].status, cases[i].slices);
        const struct event *event = run(&play, (struct command){.kind = COMMAND_KUBE_LIST_FRESH});
        assert_int_equal(event->outcome.outcome, OUTCOME_OK);
        assert_string_equal(text_get(&play.told), "vn ng w-1 ");
        assert_int_equal(event->outcome.fresh.predecessor_webhooks, cases[i].blocks);
        assert_string_equal(event->outcome.fresh.predecessor_webhook_names,
                            cases[i].blocks ? "vpsie-autoscaler-webhook" : "");
        end(&play);
    }
}

static void a_fresh_list_that_could_not_be_completed_is_not_ok(void **state)
{
    (void)state;
    struct play play;
    begin(&play);
    fresh_rows(&play, "{}", 404, "{}");
    play.rows[1].status = 500;
    assert_int_equal(run(&play, (struct command){.kind = COMMAND_KUBE_LIST_FRESH})->outcome.outcome,
                     OUTCOME_UNKNOWN);
    play.rows[1].status = 403;
    assert_int_equal(run(&play, (struct command){.kind = COMMAND_KUBE_LIST_FRESH})->outcome.outcome,
                     OUTCOME_REFUSED);
    play.rows[1].status = 200;
    play.rows[3].status = 500; // whether the hooks stand is not known: not yet done
    assert_int_equal(run(&play, (struct command){.kind = COMMAND_KUBE_LIST_FRESH})->outcome.outcome,
                     OUTCOME_UNKNOWN);
    end(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cordon_reads_and_patches_and_is_ok_when_the_server_confirms),
        cmocka_unit_test(a_conflict_is_read_again_and_a_lasting_one_is_told),
        cmocka_unit_test(what_is_known_of_a_write_is_what_is_said),
        cmocka_unit_test(a_read_that_fails_before_a_write_means_that_nothing_was_sent),
        cmocka_unit_test(a_success_that_cannot_be_read_is_not_called_one),
        cmocka_unit_test(a_command_of_another_term_never_leaves),
        cmocka_unit_test(leadership_that_is_lost_between_reading_and_writing_stops_the_write),
        cmocka_unit_test(a_dry_run_reads_but_writes_nothing),
        cmocka_unit_test(an_uncordon_of_what_is_not_ours_is_done_without_a_write),
        cmocka_unit_test(an_eviction_knows_gone_from_not_now_from_never),
        cmocka_unit_test(the_header_retry_after_wins_over_the_body),
        cmocka_unit_test(a_deletion_carries_the_uid_and_gone_is_done),
        cmocka_unit_test(nothing_is_removed_by_name_alone),
        cmocka_unit_test(an_intention_is_created_once_and_an_existing_one_is_a_conflict),
        cmocka_unit_test(a_nodegroup_is_made_once_and_deleted_only_as_the_one_that_was_meant),
        cmocka_unit_test(an_update_with_a_version_is_not_repeated_over_anothers_write),
        cmocka_unit_test(a_finalizer_is_removed_with_the_version_that_was_read_and_again_after_a_conflict),
        cmocka_unit_test(a_finalizer_of_what_is_gone_is_removed_already),
        cmocka_unit_test(statuses_go_through_the_status_subresource),
        cmocka_unit_test(the_pods_of_a_node_come_from_a_consistent_list_in_pages),
        cmocka_unit_test(a_list_of_pods_that_is_not_whole_is_never_an_empty_node),
        cmocka_unit_test(a_fresh_list_tells_the_objects_and_then_whether_a_predecessor_stands_in_the_way),
        cmocka_unit_test(a_fresh_list_that_could_not_be_completed_is_not_ok),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

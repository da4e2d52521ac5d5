// The whole door on a scripted API server: objects in, leadership, commands out, a clean end.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/kube/door.h"
#include "coordinator/kube/secret.h"

#define EVENTS_MAX 256

// An API server with one object of each kind, and a core that keeps what it is told.
struct world {
    struct script script;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct event *events[EVENTS_MAX];
    unsigned count;
    struct kube *kube;
    char secret[64];
    unsigned secret_calls;
    bool missing_kinds; // our definitions are not installed
    int lease_version;
    char *lease; // as last written
};

static void list_answer(const struct world *world, const struct http_request *request,
                        struct http_response *response, const char *path)
{
    bool custom = text_starts_with(path, "/apis/autoscaler.vpsie.com");
    if (custom && world->missing_kinds) {
        script_json(response, 404, "404 page not found");
        return;
    }
    bool secret = strstr(path, "/secrets") != NULL;
    script_stream(
        request, response,
        "{'metadata':{'resourceVersion':'10'},'items':[{'metadata':{'name':'%s','namespace':'kube-system',"
        "'uid':'u','resourceVersion':'5'}%s}]}",
        strstr(path, "autoscalerconfigs") ? "default" : "one",
        secret ? ",'data':{'apiToken':'c2VzYW1l'}" : "");
}

static void answer_lease(struct world *world, const struct http_request *request,
                         struct http_response *response)
{
    if (strcmp(request->method, "GET") != 0) {
        AUTOJSON cJSON *json = json_parse(request->body, request->body_bytes, NULL);
        AUTOTEXT struct text body = {0};
        char version[16];
        snprintf(version, sizeof(version), "%d", ++world->lease_version);
        cJSON *metadata = cJSON_GetObjectItem(json, "metadata");
        cJSON_DeleteItemFromObject(metadata, "resourceVersion");
        cJSON_AddStringToObject(metadata, "resourceVersion", version);
        json_print(json, &body);
        free(world->lease);
        world->lease = text_take(&body);
    }
    if (world->lease)
        script_json(response, 200, "%s", world->lease);
    else
        script_json(response, 404, "{}");
}

static void answer(struct script *script, const struct http_request *request, struct http_response *response)
{
    struct world *world = script->context;
    const char *path = script_path(request);
    if (strstr(path, "/leases")) {
        answer_lease(world, request, response);
    } else if (strstr(path, "watch=true")) {
        // Nothing to say: the stream stays open until the door stops, without holding up other requests.
        pthread_mutex_unlock(&script->lock);
        while (!__atomic_load_n(request->stop, __ATOMIC_SEQ_CST))
            clock_sleep_ms(2);
        pthread_mutex_lock(&script->lock);
        script_fail(response, HTTP_STOPPED);
    } else if (strstr(path, "limit=500")) {
        list_answer(world, request, response, path);
    } else if (strcmp(request->method, "PATCH") == 0 || strcmp(request->method, "POST") == 0) {
        script_json(response, 200, "{'metadata':{'uid':'u','resourceVersion':'11'}}");
    } else {
        script_json(response, 200, "{'metadata':{'name':'one','uid':'u','resourceVersion':'5'},'spec':{}}");
    }
}

static void sink(void *context, struct event *event)
{
    struct world *world = context;
    pthread_mutex_lock(&world->lock);
    assert_true(world->count < EVENTS_MAX);
    world->events[world->count++] = event;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

static void secret_sink(void *context, const struct kube_secret_item *items, uint32_t count)
{
    struct world *world = context;
    pthread_mutex_lock(&world->lock);
    world->secret_calls++;
    if (count == 1 && strcmp(items[0].key, "apiToken") == 0)
        snprintf(world->secret, sizeof(world->secret), "%s", items[0].value);
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

static unsigned count_kind(struct world *world, enum event_kind kind)
{
    unsigned count = 0;
    for (unsigned i = 0; i < world->count; i++)
        count += world->events[i]->kind == kind;
    return count;
}

// Waits until so many events of a kind have come, and gives the last of them.
static const struct event *await(struct world *world, enum event_kind kind, unsigned count)
{
    const struct event *last = NULL;
    pthread_mutex_lock(&world->lock);
    while (count_kind(world, kind) < count)
        pthread_cond_wait(&world->changed, &world->lock);
    for (unsigned i = 0; i < world->count; i++) {
        if (world->events[i]->kind == kind)
            last = world->events[i];
    }
    pthread_mutex_unlock(&world->lock);
    return last;
}

static void begin(struct world *world, bool elect, bool dry_run, bool missing_kinds)
{
    *world = (struct world){.missing_kinds = missing_kinds};
    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->changed, NULL);
    script_start(&world->script, answer, world);
    struct kube_options options = {.kubeconfig = "",
                                   .context = "",
                                   .identity = "me",
                                   .lease_namespace = "kube-system",
                                   .lease_name = "vpsie-autoscaler-leader",
                                   .lease_duration_ms = 15000,
                                   .renew_deadline_ms = 10000,
                                   .retry_period_ms = 2000,
                                   .leader_elect = elect,
                                   .dry_run = dry_run,
                                   .secret_namespace = "kube-system",
                                   .secret_name = "vpsie-secret",
                                   .own_namespace = "kube-system",
                                   .sink = sink,
                                   .secret_sink = secret_sink,
                                   .context_pointer = world};
    struct access access = {.server = xstrdup("https://server"), .token = xstrdup("t")};
    struct api_transport transport = script_transport(&world->script);
    world->kube = kube_door_start(&options, &access, &transport);
}

static void finish(struct world *world)
{
    for (unsigned i = 0; i < world->count; i++)
        event_destroy(world->events[i]);
    script_stop(&world->script);
    free(world->lease);
    pthread_mutex_destroy(&world->lock);
    pthread_cond_destroy(&world->changed);
}

static void end(struct world *world, bool release)
{
    kube_stop(world->kube, release);
    finish(world);
}

static struct command *cordon_command(uint64_t id, uint64_t term)
{
    struct commands *commands = commands_create();
    struct command *command = commands_add(commands, COMMAND_KUBE_CORDON);
    command->id = id;
    command->term = term;
    command->key = "node/one";
    command->cordon.node_name = "one";
    command->cordon.reason = "r";
    struct command *copy = command_copy(command);
    commands_destroy(commands);
    return copy;
}

static void every_kind_is_told_then_synced_and_the_secret_reaches_its_own_sink(void **state)
{
    (void)state;
    struct world world;
    begin(&world, true, false, false);
    await(&world, EVENT_KUBE_SYNCED, 1);
    const struct event *leader = await(&world, EVENT_LEADER, 1);
    assert_true(leader->leader.leading);
    assert_int_equal(leader->leader.term, 1);
    assert_string_equal(leader->leader.identity, "me");
    await(&world, EVENT_KUBE_STATE, 1);
    pthread_mutex_lock(&world.lock);
    while (world.secret_calls == 0)
        pthread_cond_wait(&world.changed, &world.lock);
    unsigned seen[OBJECT_KIND_COUNT] = {0};
    bool synced = false;
    for (unsigned i = 0; i < world.count; i++) {
        synced = synced || world.events[i]->kind == EVENT_KUBE_SYNCED;
        if (world.events[i]->kind == EVENT_OBJECT) {
            assert_false(synced);
            seen[world.events[i]->object.kind]++;
        }
    }
    pthread_mutex_unlock(&world.lock);
    for (int i = 0; i < OBJECT_KIND_COUNT; i++)
        assert_int_equal(seen[i], 1);
    assert_string_equal(world.secret, "sesame");
    struct kube_health health;
    do { // the Secret is no part of being synced; it may be a moment later
        kube_health(world.kube, &health);
        clock_sleep_ms(1);
    } while (health.detail[0] != '\0');
    assert_true(health.synced && health.reachable && health.leading);
    assert_string_equal(health.server, "https://server");
    assert_string_equal(health.holder, "me");
    end(&world, true);
}

static void a_command_has_exactly_one_outcome_also_when_fenced(void **state)
{
    (void)state;
    struct world world;
    begin(&world, true, false, false);
    await(&world, EVENT_LEADER, 1);
    assert_true(kube_may_act(world.kube, 1));
    kube_submit(world.kube, cordon_command(7, 1));
    const struct event *outcome = await(&world, EVENT_OUTCOME, 1);
    assert_int_equal(outcome->outcome.command_id, 7);
    assert_int_equal(outcome->outcome.outcome, OUTCOME_OK);
    kube_submit(world.kube, cordon_command(8, 2));
    outcome = await(&world, EVENT_OUTCOME, 2);
    assert_int_equal(outcome->outcome.command_id, 8);
    assert_int_equal(outcome->outcome.outcome, OUTCOME_NOT_SENT);
    end(&world, false);
}

static void what_waits_when_the_door_closes_is_answered_as_not_sent(void **state)
{
    (void)state;
    struct world world;
    begin(&world, true, false, false);
    await(&world, EVENT_LEADER, 1);
    for (uint64_t id = 1; id <= 20; id++)
        kube_submit(world.kube, cordon_command(id, 1));
    kube_stop(world.kube, true);
    assert_int_equal(count_kind(&world, EVENT_OUTCOME), 20);
    for (unsigned i = 0; i < world.count; i++) {
        if (world.events[i]->kind == EVENT_OUTCOME)
            assert_true(world.events[i]->outcome.outcome == OUTCOME_OK ||
                        world.events[i]->outcome.outcome == OUTCOME_NOT_SENT);
    }
    // The Lease was given back after the last command.
    assert_non_null(strstr(world.lease, "\"holderIdentity\":\"\""));
    assert_true(text_starts_with(world.script.calls[world.script.call_count - 1], "PUT /apis/coordination"));
    finish(&world);
}

static void a_dry_run_leads_without_the_lease_and_may_not_act(void **state)
{
    (void)state;
    struct world world;
    begin(&world, true, true, false);
    const struct event *leader = await(&world, EVENT_LEADER, 1);
    assert_true(leader->leader.leading);
    assert_int_equal(leader->leader.term, 1);
    assert_true(kube_is_leading(world.kube));
    assert_false(kube_may_act(world.kube, 1));
    kube_submit(world.kube, cordon_command(7, 1));
    const struct event *outcome = await(&world, EVENT_OUTCOME, 1);
    assert_int_equal(outcome->outcome.outcome, OUTCOME_NOT_SENT);
    await(&world, EVENT_KUBE_SYNCED, 1);
    kube_stop(world.kube, true);
    assert_null(world.lease);
    finish(&world);
}

static void without_our_definitions_it_is_not_synced_and_says_why(void **state)
{
    (void)state;
    struct world world;
    struct kube_health health;
    begin(&world, true, false, true);
    do {
        clock_sleep_ms(2);
        kube_health(world.kube, &health);
    } while (!strstr(health.detail, "not installed"));
    assert_false(health.synced);
    assert_int_equal(count_kind(&world, EVENT_KUBE_SYNCED), 0);
    end(&world, false);
}

static void a_secret_that_is_not_base64_is_left_out(void **state)
{
    (void)state;
    struct world world = {0};
    struct error error = {0};
    pthread_mutex_init(&world.lock, NULL);
    pthread_cond_init(&world.changed, NULL);
    AUTOJSON cJSON *json =
        script_parse("{'metadata':{'name':'s'},'data':{'bad':'?','apiToken':'c2VzYW1l','n':5}}");
    assert_int_equal(secret_deliver(json, secret_sink, &world, &error), -1);
    assert_string_equal(world.secret, "sesame");
    assert_null(strstr(error.text, "c2VzYW1l"));
    pthread_mutex_destroy(&world.lock);
    pthread_cond_destroy(&world.changed);
}

static void options_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    struct kube_options options = {.kubeconfig = "/nowhere",
                                   .lease_duration_ms = 10000,
                                   .renew_deadline_ms = 10000,
                                   .retry_period_ms = 2000};
    struct error error = {0};
    assert_null(kube_start(&options, &error));
    assert_non_null(strstr(error.text, "renew deadline"));
    options.lease_duration_ms = 15000;
    assert_null(kube_start(&options, &error));
    assert_non_null(strstr(error.text, "/nowhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_told_then_synced_and_the_secret_reaches_its_own_sink),
        cmocka_unit_test(a_command_has_exactly_one_outcome_also_when_fenced),
        cmocka_unit_test(what_waits_when_the_door_closes_is_answered_as_not_sent),
        cmocka_unit_test(a_dry_run_leads_without_the_lease_and_may_not_act),
        cmocka_unit_test(without_our_definitions_it_is_not_synced_and_says_why),
        cmocka_unit_test(a_secret_that_is_not_base64_is_left_out),
        cmocka_unit_test(options_that_contradict_each_other_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

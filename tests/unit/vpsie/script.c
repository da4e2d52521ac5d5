#include "tests/unit/vpsie/script.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 30000

static void *open_client(void *context, struct error *error)
{
    (void)error;
    return context;
}

static void close_client(void *client)
{
    (void)client;
}

static void call_client(void *client, const struct http_request *request, bool once,
                        struct http_response *response)
{
    struct script *script = client;
    struct script_call call = {
        .method = request->method, .url = request->url, .auth = "", .body = "", .once = once};
    for (size_t i = 0; i < request->header_count; i++) {
        if (text_starts_with(request->headers[i], "Authorization:") ||
            text_starts_with(request->headers[i], "Vpsie-Auth:")) {
            call.auth = request->headers[i];
        }
    }
    memset(response, 0, sizeof *response);
    if (request->may_send != NULL && !request->may_send(request->may_send_context)) {
        response->result = HTTP_NOT_SENT;
        return;
    }
    pthread_mutex_lock(&script->lock);
    call.body = request->body != NULL ? request->body : "";
    call.number = script->calls++;
    text_printf(&script->log, "%s %s\n", request->method, request->url);
    struct script_answer answer = {
        .result = HTTP_ANSWERED, .status = 200, .body = "{\"error\":false,\"data\":[]}", .sent = true};
    script->answer(script->state, &call, &answer);
    pthread_mutex_unlock(&script->lock);
    response->result = answer.result;
    response->sent = answer.result != HTTP_NOT_SENT && answer.sent;
    if (answer.result == HTTP_ANSWERED) {
        response->status = answer.status;
        response->retry_after_ms = answer.retry_after_ms;
        text_append(&response->body, answer.body);
    } else {
        error_set(&response->error, 0, "api.test: as the script says");
    }
}

static struct queue *queue_of(struct script *script, enum event_kind kind)
{
    assert(kind == EVENT_OUTCOME || kind == EVENT_VPSIE_STATE);
    return kind == EVENT_OUTCOME ? script->outcomes : script->states;
}

static void take_event(void *context, struct event *event)
{
    struct script *script = context;
    if (!queue_push(queue_of(script, event->kind), event)) {
        event_destroy(event);
    }
}

static bool may_act(void *context, uint64_t term)
{
    struct script *script = context;
    return term == 7 && atomic_load(&script->may_act);
}

void script_init(struct script *script, script_function answer, void *state)
{
    memset(script, 0, sizeof *script);
    script->answer = answer;
    script->state = state;
    pthread_mutex_init(&script->lock, NULL);
    script->outcomes = queue_create(10000);
    script->states = queue_create(10000);
    atomic_store(&script->may_act, true);
    script->options = (struct vpsie_options){.url = SCRIPT_URL,
                                             .rate_per_minute = 1000,
                                             .workers = 4,
                                             .sink = take_event,
                                             .may_act = may_act,
                                             .context = script};
    script->tuning = tuning_default();
    script->tuning.seed = 1;
    script->tuning.retry_ms = 1;
    script->tuning.retry_ms_max = 4;
    script->tuning.breaker_ms = 20;
    script->tuning.breaker_ms_max = 40;
    script->tuning.trial_ms = 4;
    script->tuning.trial_ms_max = 8;
    script->tuning.farewell_ms = 100;
}

void script_start(struct script *script)
{
    struct transport transport = {
        .open = open_client, .call = call_client, .close = close_client, .context = script};
    struct error error = {0};
    script->vpsie = vpsie_door_start(&script->options, &transport, &script->tuning, &error);
    assert(script->vpsie != NULL);
}

void script_stop(struct script *script)
{
    vpsie_stop(script->vpsie);
    struct queue *queues[] = {script->outcomes, script->states};
    for (int i = 0; i < 2; i++) {
        queue_close(queues[i]);
        for (struct event *event; (event = queue_pop(queues[i], 0)) != NULL;) {
            event_destroy(event);
        }
        queue_destroy(queues[i]);
    }
    text_free(&script->log);
    pthread_mutex_destroy(&script->lock);
}

void script_token(struct script *script, const char *token)
{
    vpsie_set_credentials(script->vpsie, &(struct vpsie_credentials){.token = token});
}

void script_client(struct script *script, const char *id, const char *secret)
{
    vpsie_set_credentials(script->vpsie,
                          &(struct vpsie_credentials){.client_id = id, .client_secret = secret});
}

struct event *script_event(struct script *script, enum event_kind kind)
{
    struct event *event = queue_pop(queue_of(script, kind), PATIENCE_MS);
    assert(event != NULL);
    return event;
}

void script_until_usable(struct script *script, bool usable)
{
    for (bool found = false; !found;) {
        struct event *event = script_event(script, EVENT_VPSIE_STATE);
        found = event->vpsie_state.usable == usable;
        event_destroy(event);
    }
}

struct event *script_perform(struct script *script, const struct command *command)
{
    vpsie_submit(script->vpsie, command_copy(command));
    return script_event(script, EVENT_OUTCOME);
}

struct command *script_command(enum command_kind kind)
{
    struct commands *commands = commands_create();
    struct command *command = commands_add(commands, kind);
    command->id = 11;
    command->term = 7;
    command->key = "key";
    switch (kind) {
    case COMMAND_VPSIE_CREATE_GROUP:
        command->create_group.cluster = "c1";
        command->create_group.name = "general";
        command->create_group.size_id = 5;
        break;
    case COMMAND_VPSIE_ADD_MACHINE:
        command->add_machine.cluster = "c1";
        command->add_machine.group_id = 42;
        break;
    case COMMAND_VPSIE_DELETE_MACHINE:
        command->delete_machine.cluster = "c1";
        command->delete_machine.identifier = "m-1";
        break;
    default:
        command->vpsie_list.cluster = "c1";
        command->vpsie_list.datacenter_id = "dc-1";
        break;
    }
    struct command *copy = command_copy(command);
    commands_destroy(commands);
    return copy;
}

struct event *script_kind(struct script *script, enum command_kind kind)
{
    vpsie_submit(script->vpsie, script_command(kind));
    return script_event(script, EVENT_OUTCOME);
}

int script_count(struct script *script, const char *line)
{
    int count = 0;
    pthread_mutex_lock(&script->lock);
    for (const char *at = text_get(&script->log); (at = strstr(at, line)) != NULL; at++) {
        count++;
    }
    pthread_mutex_unlock(&script->lock);
    return count;
}

int script_calls(struct script *script)
{
    pthread_mutex_lock(&script->lock);
    int calls = script->calls;
    pthread_mutex_unlock(&script->lock);
    return calls;
}

#include "script.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void deliver(const struct http_request *request, struct http_response *response);

static void call(void *context, const struct http_request *request, struct http_response *response)
{
    struct script *script = context;
    *response = (struct http_response){.result = HTTP_NOT_SENT};
    if (request->may_send && !request->may_send(request->may_send_context)) {
        error_set(&response->error, 0, "fenced");
        return;
    }
    pthread_mutex_lock(&script->lock);
    if (script->call_count < SCRIPT_CALLS_MAX)
        script->calls[script->call_count++] =
            xprintf("%s %s %s", request->method, script_path(request), request->body ? request->body : "");
    for (size_t i = 0; i < request->header_count; i++) {
        if (text_starts_with(request->headers[i], "Authorization: ")) {
            free(script->authorization);
            script->authorization = xstrdup(request->headers[i] + 15);
        }
    }
    script->answer(script, request, response);
    pthread_mutex_unlock(&script->lock);
    if (request->on_chunk && response->status == 200)
        deliver(request, response);
}

struct api_transport script_transport(struct script *script)
{
    return (struct api_transport){.context = script, .call = call};
}

void script_start_with(struct script *script, script_answer answer, void *context,
                       const struct api_options *given)
{
    *script = (struct script){.answer = answer, .context = context, .now_ms = 1000000};
    pthread_mutex_init(&script->lock, NULL);
    script->access.server = xstrdup("https://server");
    script->access.token = xstrdup("the-token");
    struct api_options options = *given;
    struct api_transport transport = script_transport(script);
    options.access = &script->access;
    options.transport = &transport;
    script->api = api_create(&options);
}

void script_start(struct script *script, script_answer answer, void *context)
{
    struct api_options options = {0};
    script_start_with(script, answer, context, &options);
}

void script_stop(struct script *script)
{
    api_destroy(script->api);
    access_free(&script->access);
    for (unsigned i = 0; i < script->call_count; i++)
        free(script->calls[i]);
    free(script->authorization);
    pthread_mutex_destroy(&script->lock);
}

int64_t script_now(void *script)
{
    return ((struct script *)script)->now_ms;
}

char *script_quotes(const char *text)
{
    char *copy = xstrdup(text);
    for (char *c = copy; *c; c++) {
        if (*c == '\'')
            *c = '"';
    }
    return copy;
}

cJSON *script_parse(const char *text)
{
    struct error error = {0};
    AUTOFREE char *quoted = script_quotes(text);
    cJSON *json = json_parse(quoted, strlen(quoted), &error);
    if (!json)
        fail_msg("test JSON: %s", error.text);
    return json;
}

static char *quoted_text(const char *format, va_list arguments)
{
    struct text text = {0};
    text_vprintf(&text, format, arguments);
    AUTOFREE char *plain = text_take(&text);
    return script_quotes(plain);
}

void script_json(struct http_response *response, int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    AUTOFREE char *body = quoted_text(format, arguments);
    va_end(arguments);
    response->result = HTTP_ANSWERED;
    response->status = status;
    response->sent = true;
    text_append(&response->body, body);
}

void script_stream(const struct http_request *request, struct http_response *response, const char *format,
                   ...)
{
    va_list arguments;
    va_start(arguments, format);
    AUTOFREE char *body = quoted_text(format, arguments);
    va_end(arguments);
    response->result = HTTP_ANSWERED;
    response->status = 200;
    response->sent = true;
    (void)request;
    text_append(&response->body, body);
}

// Cut at odd places, so that nothing relies on where a chunk ends. Not under the script's lock.
static void deliver(const struct http_request *request, struct http_response *response)
{
    AUTOFREE char *body = text_take(&response->body);
    size_t length = strlen(body);
    for (size_t at = 0, step = 1; at < length; at += step, step = step % 7 + 3) {
        size_t piece = at + step > length ? length - at : step;
        if (!request->on_chunk(request->context, body + at, piece)) {
            response->result = HTTP_STOPPED;
            return;
        }
    }
}

void script_fail(struct http_response *response, enum http_result result)
{
    response->result = result;
    response->sent = result != HTTP_NOT_SENT;
    error_set(&response->error, 0, "scripted failure");
}

const char *script_path(const struct http_request *request)
{
    assert(text_starts_with(request->url, "https://server"));
    return request->url + strlen("https://server");
}

bool script_is(const struct http_request *request, const char *method, const char *path_prefix)
{
    return strcmp(request->method, method) == 0 && text_starts_with(script_path(request), path_prefix);
}

unsigned script_count(struct script *script, const char *text)
{
    unsigned count = 0;
    pthread_mutex_lock(&script->lock);
    for (unsigned i = 0; i < script->call_count; i++)
        count += text_starts_with(script->calls[i], text);
    pthread_mutex_unlock(&script->lock);
    return count;
}

const char *script_last(struct script *script, const char *text)
{
    const char *last = "";
    pthread_mutex_lock(&script->lock);
    for (unsigned i = 0; i < script->call_count; i++) {
        if (text_starts_with(script->calls[i], text))
            last = script->calls[i];
    }
    pthread_mutex_unlock(&script->lock);
    return last;
}

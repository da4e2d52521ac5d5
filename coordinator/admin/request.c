#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"
#include "coordinator/admin/admin.h"
#include "coordinator/decide/command.h"

static const char *const COMMANDS[ADMIN_COMMAND_COUNT] = {
    [ADMIN_STATUS] = "status",   [ADMIN_GROUPS] = "groups",     [ADMIN_NODES] = "nodes",
    [ADMIN_AGENTS] = "agents",   [ADMIN_PODS] = "pods",         [ADMIN_ACTIONS] = "actions",
    [ADMIN_EXPLAIN] = "explain", [ADMIN_SNAPSHOT] = "snapshot", [ADMIN_LOG_LEVEL] = "log-level",
    [ADMIN_PAUSE] = "pause",     [ADMIN_RESUME] = "resume",     [ADMIN_RELEASE] = "release",
    [ADMIN_APPROVE] = "approve",
};
#define NAME_BYTES_MAX   253u
#define REASON_BYTES_MAX 180u
#define LIMIT_MAX        1000000.0

const char *admin_command_name(enum admin_command command)
{
    return command < ADMIN_COMMAND_COUNT ? COMMANDS[command] : "?";
}

// cJSON descends as deep as the text does: so the text is measured first.
static bool too_deep(const char *bytes, size_t length)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        if (quoted && bytes[i] == '\\') {
            i++;
            continue;
        }
        if (bytes[i] == '"')
            quoted = !quoted;
        if (quoted)
            continue;
        if ((bytes[i] == '{' || bytes[i] == '[') && ++depth > ADMIN_REQUEST_DEPTH_MAX)
            return true;
        if (bytes[i] == '}' || bytes[i] == ']')
            depth--;
    }
    return false;
}

static void delete_json(cJSON **json)
{
    cJSON_Delete(*json);
}

// A string member: *out is its copy, or "" when it is absent.
static int take_string(const cJSON *json, const char *name, size_t bytes_max, char **out, struct error *error)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, name);
    if (member == NULL || cJSON_IsNull(member)) {
        *out = xstrdup("");
        return 0;
    }
    if (!cJSON_IsString(member) || member->valuestring == NULL)
        return error_set(error, 0, "\"%s\" must be a string", name);
    size_t length = strlen(member->valuestring);
    if (length > bytes_max)
        return error_set(error, 0, "\"%s\" has %zu bytes, at most %zu are taken", name, length, bytes_max);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)member->valuestring[i] < ' ' || member->valuestring[i] == 0x7f)
            return error_set(error, 0, "\"%s\" holds a control character", name);
    *out = xstrdup(member->valuestring);
    return 0;
}

static int take_command(const cJSON *json, struct admin_request *request, struct error *error)
{
    const cJSON *command = cJSON_GetObjectItemCaseSensitive(json, "command");
    if (!cJSON_IsString(command) || command->valuestring == NULL)
        return error_set(error, 0, "\"command\" is missing: {\"command\":\"status\"}");
    for (size_t i = 0; i < ADMIN_COMMAND_COUNT; i++)
        if (strcmp(command->valuestring, COMMANDS[i]) == 0) {
            request->command = (enum admin_command)i;
            return 0;
        }
    return error_set(error, 0, "no such command: \"%s\"",
                     text_show(command->valuestring, strlen(command->valuestring)).text);
}

// "NAMESPACE/NAME" in its parts; a pod's name alone is taken from the namespace "default".
static void split_pod(struct admin_request *request)
{
    char *slash = strchr(request->pod, '/');
    if (slash == NULL) {
        request->space = xstrdup(request->pod[0] != '\0' ? "default" : "");
        return;
    }
    request->space = xstrndup(request->pod, (size_t)(slash - request->pod));
    char *name = xstrdup(slash + 1);
    free(request->pod);
    request->pod = name;
}

static int take_fields(const cJSON *json, struct admin_request *request, struct error *error)
{
    if (take_command(json, request, error) < 0 ||
        take_string(json, "node", NAME_BYTES_MAX, &request->node, error) < 0 ||
        take_string(json, "pod", 2 * NAME_BYTES_MAX + 1, &request->pod, error) < 0 ||
        take_string(json, "group", NAME_BYTES_MAX, &request->group, error) < 0 ||
        take_string(json, "level", NAME_BYTES_MAX, &request->level, error) < 0 ||
        take_string(json, "reason", REASON_BYTES_MAX, &request->reason, error) < 0 ||
        take_string(json, "decision", NAME_BYTES_MAX, &request->decision, error) < 0)
        return -1;
    split_pod(request);
    const cJSON *limit = cJSON_GetObjectItemCaseSensitive(json, "limit");
    if (limit != NULL) {
        if (!cJSON_IsNumber(limit) || !(limit->valuedouble >= 1) || !(limit->valuedouble <= LIMIT_MAX))
            return error_set(error, 0, "\"limit\" must be a number from 1 to %.0f", LIMIT_MAX);
        request->limit = (uint32_t)limit->valuedouble;
    }
    int named = (request->node[0] != '\0') + (request->pod[0] != '\0') + (request->group[0] != '\0');
    if (request->command == ADMIN_EXPLAIN && named != 1)
        return error_set(error, 0, "explain wants one of \"node\", \"pod\" (NAMESPACE/NAME) or \"group\"");
    if (request->command == ADMIN_RELEASE && request->group[0] != '\0')
        return error_set(error, 0, "release takes no group: it lifts everything of ours, in every group");
    if (request->command == ADMIN_APPROVE && request->decision[0] == '\0')
        return error_set(error, 0, "approve wants a \"decision\", such as \"D42\"");
    return 0;
}

struct admin_request *admin_request_parse(const char *bytes, size_t length, struct error *error)
{
    if (length > ADMIN_REQUEST_BYTES_MAX) {
        error_set(error, 0, "the request has %zu bytes, at most %u are taken", length,
                  ADMIN_REQUEST_BYTES_MAX);
        return NULL;
    }
    while (length > 0 && bytes[length - 1] == '\0') // some tools send the string's end along
        length--;
    if (too_deep(bytes, length)) {
        error_set(error, 0, "the request is nested more than %d deep", ADMIN_REQUEST_DEPTH_MAX);
        return NULL;
    }
    const char *end = NULL;
    __attribute__((cleanup(delete_json))) cJSON *json = cJSON_ParseWithLengthOpts(bytes, length, &end, false);
    if (!cJSON_IsObject(json)) {
        error_set(error, 0, "the request is not a JSON object, such as {\"command\":\"status\"}");
        return NULL;
    }
    for (; end < bytes + length; end++)
        if (strchr(" \t\r\n", *end) == NULL || *end == '\0') {
            error_set(error, 0, "something follows the request's JSON object");
            return NULL;
        }
    struct admin_request *request = xcalloc(1, sizeof(*request));
    if (take_fields(json, request, error) == 0)
        return request;
    admin_request_free(request);
    return NULL;
}

void admin_request_free(struct admin_request *request)
{
    if (request == NULL)
        return;
    free(request->node);
    free(request->space);
    free(request->pod);
    free(request->group);
    free(request->level);
    free(request->reason);
    free(request->decision);
    free(request);
}

struct event *admin_request_event(const struct admin_request *request)
{
    enum operator_verb verb;
    switch (request->command) {
    case ADMIN_PAUSE: verb = OPERATOR_PAUSE; break;
    case ADMIN_RESUME: verb = OPERATOR_RESUME; break;
    case ADMIN_RELEASE: verb = OPERATOR_RELEASE; break;
    case ADMIN_APPROVE: verb = OPERATOR_APPROVE; break;
    default: return NULL;
    }
    struct event *event = event_create(EVENT_OPERATOR);
    event->operator_request.verb = verb;
    event->operator_request.request_id = request->id;
    event->operator_request.argument = arena_strdup(event->arena, request->reason);
    if (verb == OPERATOR_APPROVE)
        event->operator_request.argument = arena_strdup(event->arena, request->decision);
    return event;
}

char *admin_error_reply(const char *code, const char *format, ...)
{
    struct text AUTOTEXT message = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&message, format, arguments);
    va_end(arguments);
    struct text reply = {0};
    text_append(&reply, "{\"ok\":false,\"error\":");
    text_append_json_string(&reply, text_get(&message));
    text_append(&reply, ",\"code\":");
    text_append_json_string(&reply, code);
    text_append(&reply, "}");
    return text_take(&reply);
}

char *admin_operator_reply(const struct command *command)
{
    if (!command->operator_reply.ok)
        return admin_error_reply(command->operator_reply.code, "%s", command->operator_reply.text);
    struct text reply = {0};
    text_append(&reply, "{\"ok\":true,\"text\":");
    text_append_json_string(&reply, command->operator_reply.text);
    text_append(&reply, "}");
    return text_take(&reply);
}

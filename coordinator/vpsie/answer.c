#include "coordinator/vpsie/answer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/vpsie/answer_json.h"

static const char *const error_names[] = {"error", NULL};
static const char *const code_names[] = {"code", "statusCode", "status_code", NULL};
static const char *const message_names[] = {"message", "msg", "errorMessage", "error_description", NULL};

bool answer_tells_limit(const char *message)
{
    static const char *const texts[] = {
        "exceeds the allowed limit", "quota exceeded", "plan does not allow",
        "maximum number of",         "limit reached",  "subscription does not allow",
        "exceeded your quota",       "limit exceeded"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (text_contains_fold(message, texts[i])) {
            return true;
        }
    }
    return false;
}

// The whole body must be one JSON value, white space aside.
static cJSON *parse(const struct text *body)
{
    if (body->length == 0 || body->length > ANSWER_BYTES_MAX ||
        memchr(body->bytes, '\0', body->length) != NULL) {
        return NULL;
    }
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(body->bytes, body->length, &end, 0);
    if (root == NULL) {
        return NULL;
    }
    for (; end < body->bytes + body->length; end++) {
        if (strchr(" \t\r\n", *end) == NULL) {
            cJSON_Delete(root);
            return NULL;
        }
    }
    return root;
}

static bool error_flag(const cJSON *root)
{
    const cJSON *error = value_of(root, error_names);
    if (error == NULL || cJSON_IsFalse(error)) {
        return false;
    }
    if (cJSON_IsNumber(error)) {
        return error->valuedouble != 0;
    }
    if (cJSON_IsString(error)) {
        const char *text = error->valuestring;
        return text[0] != '\0' && !text_equal_fold(text, "false") && strcmp(text, "0") != 0;
    }
    return true;
}

// What the server said for a person, at most ANSWER_DETAIL_MAX bytes, printable.
static void append_said(struct answer *answer, const struct text *body)
{
    const char *said = text_get(body);
    size_t length = body->length;
    const cJSON *holders[] = {answer->root, value_of(answer->root, error_names), answer->data};
    for (size_t i = 0; answer->root != NULL && i < sizeof holders / sizeof holders[0]; i++) {
        const cJSON *message = value_of(holders[i], message_names);
        if (cJSON_IsString(message) && message->valuestring[0] != '\0') {
            said = message->valuestring;
            length = strlen(said);
            break;
        }
        if (cJSON_IsString(holders[i]) && i == 1) { // "error":"CODE" and no message
            said = holders[i]->valuestring;
            length = strlen(said);
        }
    }
    size_t at = strlen(answer->detail), used = 0;
    while (used < length && used < ANSWER_DETAIL_MAX && at + 8 < sizeof answer->detail) {
        size_t character = text_utf8_length(said + used, length - used);
        if (character == 0 || (unsigned char)said[used] < ' ' || said[used] == 0x7f) {
            answer->detail[at++] = character == 1 ? ' ' : '?';
            used++;
        } else {
            memcpy(answer->detail + at, said + used, character);
            at += character;
            used += character;
        }
    }
    answer->detail[at] = '\0';
}

// A definite refusal, or one of the numbers that mean something else.
static enum outcome judge_status(int32_t status, enum answer_use use, struct answer *answer)
{
    bool order = use == ANSWER_ORDER;
    if (status == 401) {
        answer->unauthorized = true;
        return OUTCOME_REFUSED;
    }
    if (status == 404) {
        return use == ANSWER_DELETE ? OUTCOME_OK : OUTCOME_NOT_FOUND;
    }
    if (status == 409) {
        return OUTCOME_CONFLICT;
    }
    if (status == 429) {
        answer->retriable = true;
        return OUTCOME_THROTTLED;
    }
    if (status == 408 || status == 425 || status >= 500) { // 408: how much of it was taken in, nobody says
        answer->retriable = true;
        answer->failure = true;
        return OUTCOME_UNKNOWN;
    }
    if (status >= 300 && status < 400) { // a redirect after a write may stand for "done, look there"
        return use == ANSWER_READ || use == ANSWER_LOGIN ? OUTCOME_REFUSED : OUTCOME_UNKNOWN;
    }
    if (status != 0 && status < 300) {
        return OUTCOME_UNKNOWN;
    }
    if ((order && status == 403) || answer_tells_limit(answer->detail)) {
        return OUTCOME_LIMITED;
    }
    return OUTCOME_REFUSED;
}

static void judge_success(const struct http_response *response, enum answer_use use, struct answer *answer)
{
    if (response->body.length == 0 &&
        (use == ANSWER_DELETE || (use == ANSWER_ORDER && response->status == 204))) {
        answer->outcome = OUTCOME_OK;
        return;
    }
    if (answer->root == NULL) {
        snprintf(answer->detail, sizeof answer->detail, "HTTP %d, but not JSON: ", response->status);
        append_said(answer, &response->body);
        answer->outcome = OUTCOME_UNKNOWN;
        answer->retriable = true;
        answer->failure = true;
        return;
    }
    if (!error_flag(answer->root)) {
        // An order is taken as accepted by an object, `true` or nothing; anything else says neither yes nor
        // no.
        bool strange = answer->data != NULL && !cJSON_IsObject(answer->data) && !cJSON_IsTrue(answer->data) &&
                       !cJSON_IsNull(answer->data) && !cJSON_IsArray(answer->data);
        answer->outcome = use == ANSWER_ORDER && strange ? OUTCOME_UNKNOWN : OUTCOME_OK;
        if (answer->outcome != OUTCOME_OK) {
            snprintf(answer->detail, sizeof answer->detail,
                     "HTTP %d with an answer that says neither yes nor no", response->status);
        }
        return;
    }
    answer->error_inside = true;
    int64_t code = value_integer(answer->root, code_names);
    int32_t status = code >= 400 && code <= 599 ? (int32_t)code : 0;
    snprintf(answer->detail, sizeof answer->detail, "HTTP %d with an error inside: ", response->status);
    append_said(answer, &response->body);
    answer->status = status != 0 ? status : response->status;
    answer->outcome = judge_status(status, use, answer);
}

static void judge_answered(const struct http_response *response, enum answer_use use, struct answer *answer)
{
    answer->status = response->status;
    answer->retry_after_ms = response->retry_after_ms;
    answer->root = parse(&response->body);
    if (cJSON_IsObject(answer->root)) {
        answer->data = cJSON_GetObjectItemCaseSensitive(answer->root, "data");
        bool enveloped = answer->data != NULL || value_of(answer->root, error_names) != NULL;
        if (!enveloped && answer->root->child != NULL) {
            answer->data = answer->root;
        }
    } else {
        answer->data = answer->root;
    }
    if (response->status >= 200 && response->status <= 299) {
        judge_success(response, use, answer);
        return;
    }
    snprintf(answer->detail, sizeof answer->detail, "HTTP %d: ", response->status);
    append_said(answer, &response->body);
    answer->outcome = judge_status(response->status, use, answer);
}

void answer_read(const struct http_response *response, enum answer_use use, struct answer *answer)
{
    *answer = (struct answer){.status = response->status};
    if (response->result == HTTP_ANSWERED) {
        judge_answered(response, use, answer);
        return;
    }
    snprintf(answer->detail, sizeof answer->detail, "%s", response->error.text);
    answer->outcome = response->sent ? OUTCOME_UNKNOWN : OUTCOME_NOT_SENT;
    answer->retriable = response->result != HTTP_STOPPED && response->result != HTTP_TOO_LARGE;
    answer->failure = response->result != HTTP_STOPPED;
    answer->status = 0;
}

void answer_free(struct answer *answer)
{
    cJSON_Delete(answer->root);
    answer->root = NULL;
    answer->data = NULL;
}

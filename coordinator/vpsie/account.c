#include "coordinator/vpsie/account.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/arena.h"
#include "coordinator/http.h"

#define PIECE_BYTES 8u // shorter pieces of a secret tell nothing and are found everywhere

void secret_free(char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
}

void secret_wipe(struct text *text)
{
    if (text->bytes != NULL) {
        explicit_bzero(text->bytes, text->capacity);
    }
    text_free(text);
}

// Room for a secret in one piece: a buffer that grows leaves copies of what it held behind.
static void reserve(struct text *out, size_t bytes)
{
    assert(out->length == 0);
    text_printf(out, "%*s", (int)bytes, "");
    text_clear(out);
}

// A copy without the white space around (a Secret made from a file ends with a line break), NULL when empty.
static char *trimmed(const char *value)
{
    if (value == NULL) {
        return NULL;
    }
    size_t begin = strspn(value, " \t\r\n"), end = strlen(value);
    while (end > begin && strchr(" \t\r\n", value[end - 1]) != NULL) {
        end--;
    }
    return end > begin ? xstrndup(value + begin, end - begin) : NULL;
}

static int check_secret(const char *name, const char *value, struct error *error)
{
    if (value == NULL) {
        return 0;
    }
    if (strlen(value) > ACCOUNT_SECRET_BYTES_MAX) {
        return error_set(error, 0, "the VPSie %s is longer than %u bytes", name, ACCOUNT_SECRET_BYTES_MAX);
    }
    for (const char *c = value; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            return error_set(error, 0, "the VPSie %s holds a character that is not printable", name);
        }
    }
    return 0;
}

static int check_url(const char *url, struct error *error)
{
    size_t length = strlen(url);
    if (strncasecmp(url, "https://", 8) != 0) {
        return error_set(error, 0, "the VPSie URL must begin with https://, not \"%s\"",
                         text_show(url, length).text);
    }
    if (length > ACCOUNT_URL_BYTES_MAX || length == 8) {
        return error_set(error, 0, "the VPSie URL \"%s\" is empty or too long", text_show(url, length).text);
    }
    for (const char *c = url; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || *c == '@' || *c == '?' || *c == '#') {
            return error_set(error, 0, "the VPSie URL holds a character it may not hold");
        }
    }
    return 0;
}

static int check(const struct account *account, struct error *error)
{
    if (account->url == NULL) {
        return error_set(error, 0, "no VPSie URL is given");
    }
    if (check_url(account->url, error) != 0 || check_secret("token", account->token, error) != 0 ||
        check_secret("clientId", account->client_id, error) != 0 ||
        check_secret("clientSecret", account->client_secret, error) != 0) {
        return -1;
    }
    if (account->token == NULL && (account->client_id == NULL || account->client_secret == NULL)) {
        return error_set(error, 0,
                         "the VPSie credentials hold neither a token nor both clientId and clientSecret");
    }
    return 0;
}

struct account *account_create(const struct vpsie_credentials *credentials, const char *default_url,
                               enum vpsie_auth_scheme scheme, struct error *error)
{
    struct account *account = xcalloc(1, sizeof *account);
    char *url = trimmed(credentials->url);
    account->url = url != NULL ? url : trimmed(default_url);
    account->token = trimmed(credentials->token);
    account->client_id = trimmed(credentials->client_id);
    account->client_secret = trimmed(credentials->client_secret);
    account->scheme = scheme;
    for (size_t end = account->url != NULL ? strlen(account->url) : 0;
         end > 8 && account->url[end - 1] == '/';) {
        account->url[--end] = '\0';
    }
    if (check(account, error) != 0) {
        account_destroy(account);
        return NULL;
    }
    return account;
}

struct account *account_copy(const struct account *account)
{
    struct account *copy = xcalloc(1, sizeof *copy);
    *copy = *account;
    copy->url = xstrdup(account->url);
    copy->token = xstrdup(account->token);
    copy->client_id = xstrdup(account->client_id);
    copy->client_secret = xstrdup(account->client_secret);
    copy->access = xstrdup(account->access);
    return copy;
}

bool account_same(const struct account *a, const struct account *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return text_equal(a->url, b->url) && text_equal(a->token, b->token) &&
           text_equal(a->client_id, b->client_id) && text_equal(a->client_secret, b->client_secret);
}

void account_destroy(struct account *account)
{
    if (account == NULL) {
        return;
    }
    free(account->url);
    secret_free(account->token);
    secret_free(account->client_id);
    secret_free(account->client_secret);
    secret_free(account->access);
    free(account);
}

bool account_logs_in(const struct account *account)
{
    return account->token == NULL;
}

bool account_is_due(const struct account *account, int64_t now_ms)
{
    return account_logs_in(account) && (account->access == NULL || now_ms >= account->renew_at_ms);
}

void account_login_body(const struct account *account, struct text *out)
{
    reserve(out, 3 * (strlen(account->client_id) + strlen(account->client_secret)) + 64);
    text_append(out, "clientId=");
    http_escape(out, account->client_id);
    text_append(out, "&clientSecret=");
    http_escape(out, account->client_secret);
}

void account_set_access(struct account *account, const char *token, int64_t expires_ms, int64_t now_ms)
{
    secret_free(account->access);
    account->access = xstrdup(token);
    account->access_until_ms = expires_ms > now_ms ? expires_ms : now_ms + ACCOUNT_LIFETIME_MS;
    int64_t life_ms = account->access_until_ms - now_ms;
    int64_t before_ms = life_ms / 2 < ACCOUNT_RENEW_BEFORE_MS ? life_ms / 2 : ACCOUNT_RENEW_BEFORE_MS;
    account->renew_at_ms = now_ms + (life_ms - before_ms > 1000 ? life_ms - before_ms : 1000);
}

void account_header(const struct account *account, struct text *out)
{
    const char *secret = account_logs_in(account) ? account->access : account->token;
    if (secret == NULL) {
        return;
    }
    bool bearer = account_logs_in(account) || account->scheme == VPSIE_AUTH_BEARER;
    reserve(out, strlen(secret) + 64);
    text_append(out, bearer ? "Authorization: Bearer " : "Vpsie-Auth: ");
    text_append(out, secret);
}

bool account_other_base(const struct account *account, struct text *out)
{
    static const char longer[] = "/apps/v2", shorter[] = "/v2";
    size_t length = strlen(account->url);
    if (length > sizeof longer && strcmp(account->url + length - (sizeof longer - 1), longer) == 0) {
        text_append_bytes(out, account->url, length - (sizeof longer - 1));
        text_append(out, shorter);
        return true;
    }
    if (length > sizeof shorter && strcmp(account->url + length - (sizeof shorter - 1), shorter) == 0) {
        text_append_bytes(out, account->url, length - (sizeof shorter - 1));
        text_append(out, longer);
        return true;
    }
    return false;
}

void account_set_base(struct account *account, const char *url)
{
    char *copy = xstrdup(url);
    free(account->url);
    account->url = copy;
}

// Marks in `marks` every byte of the text that belongs to a piece of the secret.
static void mark(const char *text, size_t length, const char *secret, char *marks)
{
    size_t secret_length = secret == NULL ? 0 : strlen(secret);
    size_t piece = secret_length < PIECE_BYTES ? secret_length : PIECE_BYTES;
    for (size_t i = 0; piece > 0 && i + piece <= length; i++) {
        if (memmem(secret, secret_length, text + i, piece) != NULL) {
            memset(marks + i, 1, piece);
        }
    }
}

void account_scrub(const struct account *account, char *text)
{
    if (account == NULL) {
        return;
    }
    size_t length = strlen(text);
    char *marks = xcalloc(length + 1, 1);
    mark(text, length, account->token, marks);
    mark(text, length, account->client_id, marks);
    mark(text, length, account->client_secret, marks);
    mark(text, length, account->access, marks);
    size_t out = 0;
    for (size_t i = 0; i < length; i++) {
        if (!marks[i]) {
            text[out++] = text[i];
        } else if (i == 0 || !marks[i - 1]) { // a run of stars would tell its length
            text[out++] = '*';
        }
    }
    text[out] = '\0';
    free(marks);
}

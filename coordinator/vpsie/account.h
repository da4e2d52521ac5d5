// What this room is for: one set of credentials: what they are, which header they make, when they end. What
// it knows: VPSie's two kinds of credentials and two bases. What it may not do: I/O, or show a secret.
#ifndef VPSIE_COORDINATOR_VPSIE_ACCOUNT_H
#define VPSIE_COORDINATOR_VPSIE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/text.h"
#include "coordinator/vpsie/vpsie.h"

#define ACCOUNT_SECRET_BYTES_MAX 16384u
#define ACCOUNT_URL_BYTES_MAX    1024u
#define ACCOUNT_RENEW_BEFORE_MS  300000  // but not before half of a short life is over
#define ACCOUNT_LIFETIME_MS      3600000 // of an access token that does not say when it ends

// A value: made, changed and destroyed by one owner.
struct account {
    char *url; // base, without a slash at the end
    enum vpsie_auth_scheme scheme;
    char *token; // or, in its place:
    char *client_id, *client_secret;
    char *access;                         // the access token of a login, NULL before the first
    int64_t access_until_ms, renew_at_ms; // Unix ms
};

// Checks: https://, either a token or both halves of a client, no control characters; white space around is
// cut off. NULL with an error that shows no secret.
struct account *account_create(const struct vpsie_credentials *credentials, const char *default_url,
                               enum vpsie_auth_scheme scheme, struct error *error);
struct account *account_copy(const struct account *account);
bool account_same(const struct account *a,
                  const struct account *b);    // same URL and secrets; NULL equals NULL only
void account_destroy(struct account *account); // wipes; NULL is fine

bool account_logs_in(const struct account *account); // by a client id and secret, not by a token
// Does it need to log in (again) by now?
bool account_is_due(const struct account *account, int64_t now_ms);
// Body of the login; wipe it.
void account_login_body(const struct account *account, struct text *out);
// An expiry that is not known (0) or not ahead of now means ACCOUNT_LIFETIME_MS.
void account_set_access(struct account *account, const char *token, int64_t expires_ms, int64_t now_ms);
// The header that goes with every call; wipe it. "" before the first login.
void account_header(const struct account *account, struct text *out);
// The other of the two known bases (…/apps/v2 and …/v2); false when the base is neither.
bool account_other_base(const struct account *account, struct text *out);
void account_set_base(struct account *account, const char *url);

// Replaces every piece of a secret of this account (8 bytes and longer) in `text` by stars. account may be
// NULL.
void account_scrub(const struct account *account, char *text);

void secret_free(char *secret);      // wipes; NULL is fine
void secret_wipe(struct text *text); // wipes and frees

#endif

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "coordinator/vpsie/door.h"

#define RECOVER_PAUSE_MS 30000 // between attempts with credentials that were refused

enum verdict { VERDICT_WORKS, VERDICT_REFUSED, VERDICT_NOT_FOUND, VERDICT_UNCLEAR };

static void send(struct vpsie *vpsie, void *client, const struct account *account,
                 struct api_request *request, struct answer *answer)
{
    struct exchange trial_exchange = {.kind = EXCHANGE_TRIAL,
                                      .client = client,
                                      .account = account,
                                      .request = request,
                                      .deadline_ms = clock_monotonic_ms() + vpsie->tuning.patience_ms};
    exchange(vpsie, &trial_exchange, answer);
    api_request_free(request);
}

static enum verdict verdict_of(const struct answer *answer)
{
    if (answer->outcome == OUTCOME_OK) {
        return VERDICT_WORKS;
    }
    if (answer->unauthorized || answer->status == 403) {
        return VERDICT_REFUSED;
    }
    return answer->outcome == OUTCOME_NOT_FOUND ? VERDICT_NOT_FOUND : VERDICT_UNCLEAR;
}

static enum verdict log_in(struct vpsie *vpsie, void *client, struct account *account, struct error *why)
{
    struct api_request request;
    struct answer answer;
    api_login(&request);
    account_login_body(account, &request.body);
    send(vpsie, client, account, &request, &answer);
    enum verdict verdict = verdict_of(&answer);
    int64_t expires_ms = 0;
    const char *token = verdict == VERDICT_WORKS ? answer_token(&answer, &expires_ms) : NULL;
    if (token != NULL && strlen(token) <= ACCOUNT_SECRET_BYTES_MAX) {
        account_set_access(account, token, expires_ms, clock_wall_ms());
    } else if (verdict == VERDICT_WORKS) {
        verdict = VERDICT_UNCLEAR;
        error_set(why, 0, "the login's answer holds no access token");
    } else if (answer.outcome == OUTCOME_REFUSED || answer.outcome == OUTCOME_LIMITED) {
        verdict = VERDICT_REFUSED; // its message may echo what was sent: not shown
        error_set(why, answer.status, "VPSie refuses the client id and secret (HTTP %d)", answer.status);
    } else {
        error_set(why, answer.status, "login: %s", answer.detail);
    }
    if (token != NULL) {
        explicit_bzero((char *)token, strlen(token));
    }
    answer_free(&answer);
    return verdict;
}

static enum verdict ask(struct vpsie *vpsie, void *client, const struct account *account, struct error *why)
{
    struct api_request request;
    struct answer answer;
    api_clusters(&request);
    send(vpsie, client, account, &request, &answer);
    enum verdict verdict = verdict_of(&answer);
    if (verdict == VERDICT_REFUSED) {
        error_set(why, answer.status, "VPSie refuses the credentials (HTTP %d)", answer.status);
    } else if (verdict != VERDICT_WORKS) {
        error_set(why, answer.status, "%s", answer.detail);
    }
    answer_free(&answer);
    return verdict;
}

// One base: log in or take the token, then the cheapest call that needs it.
static enum verdict try_base(struct vpsie *vpsie, void *client, struct account *account, struct error *why)
{
    if (account_logs_in(account)) {
        enum verdict verdict = log_in(vpsie, client, account, why);
        return verdict == VERDICT_WORKS ? ask(vpsie, client, account, why) : verdict;
    }
    enum verdict verdict = ask(vpsie, client, account, why);
    if (verdict != VERDICT_REFUSED || why->code == 403) {
        return verdict;
    }
    enum vpsie_auth_scheme given = account->scheme;
    struct error other_why = {0};
    account->scheme = given == VPSIE_AUTH_HEADER ? VPSIE_AUTH_BEARER : VPSIE_AUTH_HEADER;
    if (ask(vpsie, client, account, &other_why) == VERDICT_WORKS) {
        log_event(LOG_WARN, "VPSie takes the token in the other header only; it is kept",
                  LOG_S("header", account->scheme == VPSIE_AUTH_BEARER ? "Authorization" : "Vpsie-Auth"),
                  LOG_END);
        return VERDICT_WORKS;
    }
    account->scheme = given;
    return verdict;
}

enum trial trial(struct vpsie *vpsie, void *client, struct account *account, struct error *why)
{
    error_clear(why);
    enum verdict verdict = try_base(vpsie, client, account, why);
    AUTOTEXT struct text other = {0};
    if (verdict == VERDICT_NOT_FOUND && account_other_base(account, &other)) {
        struct account *elsewhere = account_copy(account);
        account_set_base(elsewhere, text_get(&other));
        struct error other_why = {0};
        if (try_base(vpsie, client, elsewhere, &other_why) == VERDICT_WORKS) {
            log_event(LOG_WARN, "the VPSie URL answers 404 to everything; the other known base works",
                      LOG_S("url", account->url), LOG_S("used", elsewhere->url), LOG_END);
            struct account swap = *account;
            *account = *elsewhere;
            *elsewhere = swap;
            verdict = VERDICT_WORKS;
        } else {
            error_set(why, 404, "%s answers 404 to everything, and %s: %s", account->url, elsewhere->url,
                      other_why.text);
        }
        account_destroy(elsewhere);
    }
    if (verdict == VERDICT_WORKS) {
        error_clear(why);
        return TRIAL_WORKS;
    }
    return verdict == VERDICT_REFUSED ? TRIAL_REFUSED : TRIAL_UNCLEAR;
}

void door_adopt(struct vpsie *vpsie, struct account *account)
{
    account_destroy(vpsie->account);
    vpsie->account = account;
    vpsie->generation++;
    vpsie->refused = false;
    vpsie->recover_after_ms = 0;
}

struct account *door_account(struct vpsie *vpsie, uint64_t *generation)
{
    pthread_mutex_lock(&vpsie->lock);
    struct account *copy = vpsie->account != NULL ? account_copy(vpsie->account) : NULL;
    *generation = vpsie->generation;
    pthread_mutex_unlock(&vpsie->lock);
    return copy;
}

static bool recover(struct vpsie *vpsie, void *client, uint64_t generation)
{
    pthread_mutex_lock(&vpsie->lock);
    bool renewed = vpsie->generation != generation; // by another, while we waited
    bool too_soon = clock_monotonic_ms() < vpsie->recover_after_ms;
    struct account *account =
        !renewed && !too_soon && vpsie->account != NULL ? account_copy(vpsie->account) : NULL;
    pthread_mutex_unlock(&vpsie->lock);
    if (account == NULL) {
        return renewed;
    }
    struct error why;
    enum trial result = trial(vpsie, client, account, &why);
    pthread_mutex_lock(&vpsie->lock);
    bool adopted = result == TRIAL_WORKS && vpsie->generation == generation;
    if (adopted) {
        door_adopt(vpsie, account);
    } else if (vpsie->generation == generation) {
        vpsie->recover_after_ms = clock_monotonic_ms() + RECOVER_PAUSE_MS;
        if (result == TRIAL_REFUSED) {
            vpsie->refused = true;
            snprintf(vpsie->refused_detail, sizeof vpsie->refused_detail, "%.*s",
                     (int)sizeof vpsie->refused_detail - 1, why.text);
        }
    }
    bool newer = vpsie->generation != generation;
    pthread_cond_broadcast(&vpsie->changed);
    pthread_mutex_unlock(&vpsie->lock);
    if (!adopted) {
        account_destroy(account);
        log_event(LOG_WARN, "VPSie credentials could not be renewed", LOG_S("error", why.text), LOG_END);
    }
    return newer;
}

bool door_recover(struct vpsie *vpsie, void *client, uint64_t generation)
{
    pthread_mutex_lock(&vpsie->recovering);
    bool recovered = recover(vpsie, client, generation);
    pthread_mutex_unlock(&vpsie->recovering);
    return recovered;
}

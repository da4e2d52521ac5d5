#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "coordinator/vpsie/door.h"

#define LOOK_MS_MAX 60000

// What was last reported.
struct reported {
    bool any;
    bool usable;
    char detail[768];
    int32_t calls_used;
    int64_t at_ms;
};

static void try_candidate(struct vpsie *vpsie, void *client)
{
    struct account *account = account_copy(vpsie->candidate);
    uint64_t serial = vpsie->candidate_serial;
    pthread_mutex_unlock(&vpsie->lock);
    struct error why;
    enum trial result = trial(vpsie, client, account, &why);
    pthread_mutex_lock(&vpsie->lock);
    if (serial != vpsie->candidate_serial || vpsie->stopping) {
        account_destroy(account); // newer ones came meanwhile
        return;
    }
    if (result == TRIAL_WORKS) {
        door_adopt(vpsie, account);
        account_destroy(vpsie->candidate);
        vpsie->candidate = NULL;
        vpsie->candidate_detail[0] = '\0';
        log_event(LOG_INFO, "VPSie credentials work and are used", LOG_S("url", account->url), LOG_END);
        return;
    }
    account_destroy(account);
    snprintf(vpsie->candidate_detail, sizeof vpsie->candidate_detail, "%s", why.text);
    int64_t wait_ms = backoff_ms(vpsie->candidate_tries, vpsie->tuning.trial_ms, vpsie->tuning.trial_ms_max,
                                 &vpsie->random);
    vpsie->candidate_tries += vpsie->candidate_tries < 30 ? 1 : 0;
    vpsie->candidate_after_ms = clock_monotonic_ms() + vpsie->tuning.trial_ms / 2 + wait_ms;
    log_event(LOG_WARN, "the VPSie credentials given do not work",
              LOG_B("older_stay", vpsie->account != NULL), LOG_S("error", vpsie->candidate_detail), LOG_END);
}

static void renew(struct vpsie *vpsie, void *client)
{
    uint64_t generation = vpsie->generation;
    pthread_mutex_unlock(&vpsie->lock);
    door_recover(vpsie, client, generation);
    pthread_mutex_lock(&vpsie->lock);
}

static void probe(struct vpsie *vpsie, void *client)
{
    struct account *account = account_copy(vpsie->account);
    pthread_mutex_unlock(&vpsie->lock);
    struct api_request request;
    struct answer answer;
    api_clusters(&request);
    struct exchange one = {.kind = EXCHANGE_PROBE,
                           .client = client,
                           .account = account,
                           .request = &request,
                           .deadline_ms = clock_monotonic_ms() + vpsie->tuning.patience_ms};
    exchange(vpsie, &one, &answer);
    bool left = answer.outcome != OUTCOME_NOT_SENT || answer.failure;
    answer_free(&answer);
    api_request_free(&request);
    account_destroy(account);
    pthread_mutex_lock(&vpsie->lock);
    if (!left) { // the rate limit held it back: it is still to be made
        vpsie->breaker.probing = false;
        vpsie->breaker.open_until_ms = clock_monotonic_ms() + vpsie->tuning.breaker_ms;
    }
}

// Is the adopted account to be renewed, or tried again after it was refused?
static bool renewal_is_due(const struct vpsie *vpsie)
{
    return vpsie->account != NULL && (vpsie->refused || account_is_due(vpsie->account, clock_wall_ms()));
}

// Does one thing that is due and returns true, else when the next one will be, in *next_ms. Lock held; let go
// while calls are made.
static bool do_what_is_due(struct vpsie *vpsie, void *client, int64_t *next_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    *next_ms = now_ms + LOOK_MS_MAX;
    if (vpsie->candidate != NULL) {
        if (now_ms >= vpsie->candidate_after_ms) {
            try_candidate(vpsie, client);
            return true;
        }
        *next_ms = vpsie->candidate_after_ms < *next_ms ? vpsie->candidate_after_ms : *next_ms;
    }
    if (renewal_is_due(vpsie)) {
        if (now_ms >= vpsie->recover_after_ms) {
            renew(vpsie, client);
            return true;
        }
        *next_ms = vpsie->recover_after_ms < *next_ms ? vpsie->recover_after_ms : *next_ms;
    }
    if (vpsie->account != NULL && vpsie->breaker.open) {
        if (breaker_take_probe(&vpsie->breaker, now_ms)) {
            probe(vpsie, client);
            return true;
        }
        *next_ms = vpsie->breaker.open_until_ms < *next_ms ? vpsie->breaker.open_until_ms : *next_ms;
    }
    return false;
}

static bool describe(const struct vpsie *vpsie, char *detail, size_t bytes)
{
    const char *candidate = vpsie->candidate_detail;
    if (vpsie->account == NULL) {
        snprintf(detail, bytes, "%s%s", candidate[0] != '\0' ? "the VPSie credentials do not work: " : "",
                 candidate[0] != '\0' ? candidate : VPSIE_NO_CREDENTIALS);
        return false;
    }
    if (vpsie->refused) {
        snprintf(detail, bytes, "%s", vpsie->refused_detail);
        return false;
    }
    if (vpsie->breaker.open) {
        snprintf(detail, bytes, "VPSie failed several times in a row");
        return false;
    }
    snprintf(detail, bytes, "%s%s",
             candidate[0] != '\0' ? "new VPSie credentials do not work, the old ones stay: " : "", candidate);
    return true;
}

// Reports a change at once, the number of calls now and then. Returns when to look again. Lock held; let go
// while the event is handed over.
static int64_t report(struct vpsie *vpsie, struct reported *last)
{
    int64_t now_ms = clock_monotonic_ms();
    char detail[sizeof last->detail];
    bool usable = describe(vpsie, detail, sizeof detail);
    int32_t used = rate_used(&vpsie->rate, now_ms);
    bool changed = !last->any || usable != last->usable || strcmp(detail, last->detail) != 0;
    if (!changed && (used == last->calls_used || now_ms < last->at_ms + vpsie->tuning.state_ms)) {
        return used > 0 ? now_ms + vpsie->tuning.state_ms : now_ms + LOOK_MS_MAX;
    }
    *last = (struct reported){.any = true, .usable = usable, .calls_used = used, .at_ms = now_ms};
    snprintf(last->detail, sizeof last->detail, "%s", detail);
    struct event *event = event_create(EVENT_VPSIE_STATE);
    event->vpsie_state.usable = usable;
    event->vpsie_state.detail = arena_strdup(event->arena, detail);
    event->vpsie_state.calls_used = used;
    event->vpsie_state.calls_limit = vpsie->rate.limit;
    pthread_mutex_unlock(&vpsie->lock);
    if (changed) {
        log_event(usable ? LOG_INFO : LOG_WARN, usable ? "VPSie can be used" : "VPSie cannot be used",
                  LOG_S("detail", detail), LOG_END);
    }
    vpsie->options.sink(vpsie->options.context, event);
    pthread_mutex_lock(&vpsie->lock);
    return now_ms + vpsie->tuning.state_ms;
}

void *keeper_run(void *context)
{
    struct vpsie *vpsie = context;
    struct reported last = {0};
    struct error error;
    void *client = vpsie->transport.open(vpsie->transport.context, &error);
    pthread_mutex_lock(&vpsie->lock);
    while (!vpsie->stopping) {
        int64_t next_ms = 0;
        bool busy = do_what_is_due(vpsie, client, &next_ms);
        int64_t look_ms = report(vpsie, &last);
        if (!busy && !vpsie->stopping) {
            int64_t until_ms = look_ms < next_ms ? look_ms : next_ms;
            struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = (until_ms % 1000) * 1000000};
            pthread_cond_timedwait(&vpsie->changed, &vpsie->lock, &until);
        }
    }
    pthread_mutex_unlock(&vpsie->lock);
    vpsie->transport.close(client);
    return NULL;
}

#include "coordinator/kube/lease.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "coordinator/kube/json.h"
#include "coordinator/model/cluster.h"

#define LEASES_PATH       "/apis/coordination.k8s.io/v1/namespaces/"
#define FIELD_MANAGER     "?fieldManager=vpsie-coordinator"
#define KEY_PAUSED_REASON KEY_PREFIX "paused-reason"
#define KEY_ACCEPTED      KEY_PREFIX "accepted"
#define KEY_MASS_DELETION KEY_PREFIX "mass-deletion" // "held" or "accepted"
#define HOLDER_BYTES_MAX  254
#define PROBLEM_PERIOD_MS 60000
#define ATTEMPTS_KEPT     8u
#define TIME_BYTES_MAX    64u
#define READ_PERIOD_MS    5000 // of the Lease when it is not held

struct lease {
    struct lease_options options;
    char *path;
    pthread_mutex_t exchange; // one exchange with the API server at a time; guards what follows
    cJSON *object;            // the Lease as the server holds it, NULL when not known
    char *observed;           // its spec as text, to see a change
    int64_t observed_ms;      // when we saw it change, by our own clock
    int64_t transitions;      // the highest ever seen, -1 before any
    // The renewTime of our last writes tells whose write the Lease holds; an attempt may have arrived
    // although its answer did not.
    char attempted[ATTEMPTS_KEPT][TIME_BYTES_MAX];
    uint32_t attempt;
    bool read_once;       // with elect false: the news was told
    pthread_mutex_t lock; // guards what follows
    bool leading;
    uint64_t term;
    int64_t renewed_ms; // when the last successful renewal was begun
    char holder[HOLDER_BYTES_MAX];
    bool paused, accepted;
    enum mass_deletion mass_deletion;
    char *paused_reason;
    char problem[256]; // why it cannot be acquired or renewed, "" when it can
    int64_t problem_said_ms;
};

static int64_t boot_ms(void *context)
{
    struct timespec now;
    (void)context;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t now_ms(const struct lease *lease)
{
    return lease->options.now_ms(lease->options.now_context);
}

struct lease *lease_create(const struct lease_options *options)
{
    assert(options->duration_ms > options->renew_deadline_ms);
    assert(options->renew_deadline_ms > options->retry_period_ms && options->retry_period_ms > 0);
    struct lease *lease = xcalloc(1, sizeof(*lease));
    lease->options = *options;
    if (!lease->options.now_ms)
        lease->options.now_ms = boot_ms;
    AUTOTEXT struct text path = {0};
    text_append(&path, LEASES_PATH);
    http_escape(&path, options->space);
    text_append(&path, "/leases");
    lease->path = text_take(&path);
    lease->paused_reason = xstrdup("");
    lease->transitions = -1;
    pthread_mutex_init(&lease->exchange, NULL);
    pthread_mutex_init(&lease->lock, NULL);
    return lease;
}

void lease_destroy(struct lease *lease)
{
    if (!lease)
        return;
    cJSON_Delete(lease->object);
    free(lease->path);
    free(lease->observed);
    free(lease->paused_reason);
    pthread_mutex_destroy(&lease->exchange);
    pthread_mutex_destroy(&lease->lock);
    free(lease);
}

// -------------------------------------------------------------------------------------------- what others
// ask

bool lease_may_act(struct lease *lease, uint64_t term)
{
    pthread_mutex_lock(&lease->lock);
    bool may =
        lease->leading && lease->term == term &&
        (!lease->options.elect || now_ms(lease) - lease->renewed_ms < lease->options.renew_deadline_ms);
    pthread_mutex_unlock(&lease->lock);
    return may;
}

bool lease_leading(struct lease *lease)
{
    pthread_mutex_lock(&lease->lock);
    uint64_t term = lease->leading ? lease->term : 0;
    pthread_mutex_unlock(&lease->lock);
    return term > 0 && lease_may_act(lease, term);
}

void lease_holder(struct lease *lease, char *out, size_t bytes)
{
    pthread_mutex_lock(&lease->lock);
    snprintf(out, bytes, "%s", lease->holder);
    pthread_mutex_unlock(&lease->lock);
}

void lease_saved(struct lease *lease, struct arena *arena, struct saved_state *out)
{
    pthread_mutex_lock(&lease->lock);
    *out = (struct saved_state){.paused = lease->paused,
                                .paused_reason = arena_strdup(arena, lease->paused_reason),
                                .accepted = lease->accepted,
                                .mass_deletion = lease->mass_deletion};
    pthread_mutex_unlock(&lease->lock);
}

// ------------------------------------------------------------------------------------------ what is observed

static const char *holder_of(const struct lease *lease)
{
    return json_text(json_get(lease->object, "spec"), "holderIdentity");
}

static const char *renewed_of(const struct lease *lease)
{
    return json_text(json_get(lease->object, "spec"), "renewTime");
}

// Is the last write of the Lease's spec our own? (Others may annotate it; the version alone says nothing. A
// second process of our name writes other times.)
static bool is_ours(const struct lease *lease)
{
    const char *renewed = renewed_of(lease);
    if (!lease->object || *renewed == '\0' || strcmp(holder_of(lease), lease->options.identity) != 0)
        return false;
    for (uint32_t i = 0; i < ATTEMPTS_KEPT; i++) {
        if (strcmp(renewed, lease->attempted[i]) == 0)
            return true;
    }
    return false;
}

static void read_saved(struct lease *lease)
{
    const cJSON *annotations = json_path(lease->object, "metadata", "annotations", NULL);
    lease->paused = strcmp(json_text(annotations, KEY_PAUSED), "true") == 0;
    lease->accepted = strcmp(json_text(annotations, KEY_ACCEPTED), "true") == 0;
    const char *deletion = json_text(annotations, KEY_MASS_DELETION);
    lease->mass_deletion = strcmp(deletion, "held") == 0       ? MASS_DELETION_HELD
                           : strcmp(deletion, "accepted") == 0 ? MASS_DELETION_ACCEPTED
                                                               : MASS_DELETION_NONE;
    free(lease->paused_reason);
    lease->paused_reason = xstrdup(json_text(annotations, KEY_PAUSED_REASON));
}

// Takes the object over. Its age is counted from the moment in which we saw it change, never from its times.
static void observe(struct lease *lease, cJSON *object)
{
    AUTOTEXT struct text spec = {0};
    const cJSON *fields = json_get(object, "spec");
    if (fields)
        json_print(fields, &spec);
    if (!lease->observed || strcmp(lease->observed, text_get(&spec)) != 0) {
        free(lease->observed);
        lease->observed = text_take(&spec);
        lease->observed_ms = now_ms(lease);
    }
    cJSON_Delete(lease->object);
    lease->object = object;
    int64_t transitions = json_integer(fields, "leaseTransitions", 0);
    if (transitions > lease->transitions && transitions < INT32_MAX)
        lease->transitions = transitions;
    pthread_mutex_lock(&lease->lock);
    snprintf(lease->holder, sizeof(lease->holder), "%.253s", holder_of(lease));
    read_saved(lease);
    pthread_mutex_unlock(&lease->lock);
}

static void forget_object(struct lease *lease)
{
    cJSON_Delete(lease->object);
    lease->object = NULL;
}

// Logged when it is new, then once a minute while it lasts; NULL: all is well.
static void note_problem(struct lease *lease, const struct api_reply *reply)
{
    if (reply && reply->result == HTTP_STOPPED)
        return;
    int64_t now = now_ms(lease);
    const char *message = reply ? reply->message : "";
    pthread_mutex_lock(&lease->lock);
    bool same = strncmp(message, lease->problem, sizeof(lease->problem) - 1) == 0;
    bool say = *message && (!same || now - lease->problem_said_ms >= PROBLEM_PERIOD_MS);
    snprintf(lease->problem, sizeof(lease->problem), "%.255s", message);
    if (say)
        lease->problem_said_ms = now;
    pthread_mutex_unlock(&lease->lock);
    if (say)
        log_event(LOG_WARN, "the lease could not be read or written", LOG_S("lease", lease->options.name),
                  LOG_S("error", message), LOG_END);
}

void lease_problem(struct lease *lease, char *out, size_t bytes)
{
    pthread_mutex_lock(&lease->lock);
    snprintf(out, bytes, "%s", lease->problem);
    pthread_mutex_unlock(&lease->lock);
}

// ------------------------------------------------------------------------------------------------ exchanges

static int64_t call_timeout_ms(const struct lease *lease)
{
    int64_t half_ms =
        lease->options.renew_deadline_ms / 2; // as client-go: two attempts fit into the deadline
    return half_ms > 1000 ? half_ms : 1000;
}

static void get_object(struct lease *lease, struct api_reply *reply)
{
    AUTOFREE char *path = xprintf("%s/%s", lease->path, lease->options.name);
    struct api_request request = {
        .verb = "get", .kind = "Lease", .method = "GET", .path = path, .timeout_ms = call_timeout_ms(lease)};
    api_call(lease->options.api, &request, reply);
    if (api_succeeded(reply)) {
        observe(lease, reply->json);
        reply->json = NULL;
    } else if (reply->status == 404) {
        forget_object(lease);
        pthread_mutex_lock(&lease->lock);
        lease->holder[0] = '\0';
        pthread_mutex_unlock(&lease->lock);
    }
}

// Replaces, or without a known object creates, the Lease; `object` is taken over. A replacement carries the
// resourceVersion that we read, so that it fails if anybody wrote in between.
static bool put_object(struct lease *lease, cJSON *object, bool ignore_stop, struct api_reply *reply)
{
    AUTOTEXT struct text body = {0};
    bool create = lease->object == NULL;
    AUTOFREE char *path = create ? xprintf("%s" FIELD_MANAGER, lease->path)
                                 : xprintf("%s/%s" FIELD_MANAGER, lease->path, lease->options.name);
    json_print(object, &body);
    snprintf(lease->attempted[lease->attempt++ % ATTEMPTS_KEPT], TIME_BYTES_MAX, "%.63s",
             json_text(json_get(object, "spec"), "renewTime"));
    cJSON_Delete(object);
    struct api_request request = {.verb = create ? "create" : "update",
                                  .kind = "Lease",
                                  .method = create ? "POST" : "PUT",
                                  .path = path,
                                  .body = text_get(&body),
                                  .timeout_ms = call_timeout_ms(lease),
                                  .guard = API_WRITE,
                                  .ignore_stop = ignore_stop};
    api_call(lease->options.api, &request, reply);
    if (!api_succeeded(reply))
        return false;
    observe(lease, reply->json);
    reply->json = NULL;
    return true;
}

static void set_text(cJSON *parent, const char *key, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(parent, key);
    if (value)
        json_add_text(parent, key, value);
}

static void set_integer(cJSON *parent, const char *key, int64_t value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(parent, key);
    json_add_integer(parent, key, value);
}

static cJSON *member_object(cJSON *parent, const char *key)
{
    cJSON *member = cJSON_GetObjectItemCaseSensitive(parent, key);
    if (cJSON_IsObject(member))
        return member;
    cJSON_DeleteItemFromObjectCaseSensitive(parent, key);
    return json_add_object(parent, key);
}

// The Lease as it is (whatever else people hung on it stays), or a new one.
static cJSON *draft(const struct lease *lease)
{
    if (lease->object)
        return cJSON_Duplicate(lease->object, true);
    cJSON *object = json_object();
    json_add_text(object, "apiVersion", "coordination.k8s.io/v1");
    json_add_text(object, "kind", "Lease");
    cJSON *metadata = json_add_object(object, "metadata");
    json_add_text(metadata, "name", lease->options.name);
    json_add_text(metadata, "namespace", lease->options.space);
    return object;
}

// The time of a write also tells whose write it is, so it has all the digits that MicroTime has.
static void format_now(char *buffer, size_t bytes)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    text_format_time_micro(buffer, bytes, (int64_t)now.tv_sec * 1000);
    char *fraction = strrchr(buffer, '.');
    assert(fraction && strlen(fraction) == 8);
    snprintf(fraction, bytes - (size_t)(fraction - buffer), ".%06uZ",
             (unsigned)(now.tv_nsec / 1000) % 1000000u);
}

static void fill_spec(const struct lease *lease, cJSON *object, bool acquired, int64_t transitions)
{
    char now[40];
    format_now(now, sizeof(now));
    cJSON *spec = member_object(object, "spec");
    set_text(spec, "holderIdentity", lease->options.identity);
    set_integer(spec, "leaseDurationSeconds", (lease->options.duration_ms + 999) / 1000);
    set_integer(spec, "leaseTransitions", transitions);
    set_text(spec, "renewTime", now);
    if (acquired)
        set_text(spec, "acquireTime", now);
}

static void fill_saved(cJSON *object, const struct saved_state *state)
{
    cJSON *annotations = member_object(member_object(object, "metadata"), "annotations");
    set_text(annotations, KEY_PAUSED, state->paused ? "true" : NULL);
    set_text(annotations, KEY_PAUSED_REASON, state->paused ? state->paused_reason : NULL);
    set_text(annotations, KEY_ACCEPTED, state->accepted ? "true" : NULL);
    set_text(annotations, KEY_MASS_DELETION,
             state->mass_deletion == MASS_DELETION_HELD       ? "held"
             : state->mass_deletion == MASS_DELETION_ACCEPTED ? "accepted"
                                                              : NULL);
}

// ----------------------------------------------------------------------------------------------- leadership

static void tell(struct lease *lease)
{
    char holder[HOLDER_BYTES_MAX];
    struct arena *arena = arena_create(512);
    struct lease_news news = {.holder = holder};
    pthread_mutex_lock(&lease->lock);
    news.leading = lease->leading;
    news.term = lease->leading ? lease->term : 0;
    memcpy(holder, lease->holder, sizeof(holder));
    pthread_mutex_unlock(&lease->lock);
    lease_saved(lease, arena, &news.saved);
    metric_set(metrics_gauge("vpsie_autoscaler_kube_lease_leading", NULL, "1 while this one leads."),
               news.leading ? 1 : 0);
    metric_set(metrics_gauge("vpsie_autoscaler_kube_lease_term", NULL, "Term of leadership, 0 without."),
               (double)news.term);
    log_event(LOG_DEBUG, news.leading ? "lease held" : "lease not held", LOG_I("term", news.term),
              LOG_S("holder", holder), LOG_S("lease", lease->options.name), LOG_END);
    lease->options.on_news(lease->options.context, &news);
    arena_destroy(arena);
}

static void set_leading(struct lease *lease, bool leading, uint64_t term, int64_t renewed_ms)
{
    pthread_mutex_lock(&lease->lock);
    lease->leading = leading;
    lease->term = leading ? term : 0;
    lease->renewed_ms = renewed_ms;
    pthread_mutex_unlock(&lease->lock);
}

static bool is_leading(struct lease *lease)
{
    pthread_mutex_lock(&lease->lock);
    bool leading = lease->leading;
    pthread_mutex_unlock(&lease->lock);
    return leading;
}

static bool deadline_passed(struct lease *lease)
{
    pthread_mutex_lock(&lease->lock);
    bool passed = now_ms(lease) - lease->renewed_ms >= lease->options.renew_deadline_ms;
    pthread_mutex_unlock(&lease->lock);
    return passed;
}

static bool is_held_by_another(const struct lease *lease)
{
    const cJSON *spec = json_get(lease->object, "spec");
    if (!lease->object || *holder_of(lease) == '\0' || is_ours(lease))
        return false;
    // The holder promised to renew within its own duration. (Our own name on it, when we did not write it, is
    // an earlier process or a second one of the same name: it is waited for as anybody.)
    int64_t seconds = json_integer(spec, "leaseDurationSeconds", 0);
    int64_t duration_ms = seconds > 0 && seconds < 86400 ? seconds * 1000 : lease->options.duration_ms;
    return now_ms(lease) < lease->observed_ms + duration_ms;
}

static void renew(struct lease *lease, const struct saved_state *state, struct api_reply *reply)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        int64_t started_ms = now_ms(lease);
        cJSON *object = draft(lease);
        fill_spec(lease, object, false, lease->transitions);
        if (state)
            fill_saved(object, state);
        api_reply_free(reply);
        if (put_object(lease, object, false, reply)) {
            pthread_mutex_lock(&lease->lock);
            lease->renewed_ms = started_ms;
            pthread_mutex_unlock(&lease->lock);
            note_problem(lease, NULL);
            return;
        }
        note_problem(lease, reply);
        if (reply->status != 409 && reply->status != 404)
            return;
        // Somebody wrote it: only an annotation (or our own write, whose answer was lost), or another holder?
        AUTOREPLY struct api_reply seen = {0};
        get_object(lease, &seen);
        if (!api_succeeded(&seen) || !is_ours(lease))
            return;
    }
}

static void acquire(struct lease *lease)
{
    AUTOREPLY struct api_reply reply = {0};
    get_object(lease, &reply);
    bool known = api_succeeded(&reply) || reply.status == 404;
    note_problem(lease, known ? NULL : &reply);
    if (!known || is_held_by_another(lease))
        return;
    api_reply_free(&reply);
    int64_t started_ms = now_ms(lease);
    int64_t transitions = lease->transitions + 1; // also for a Lease that was deleted: terms only rise
    cJSON *object = draft(lease);
    fill_spec(lease, object, true, transitions);
    if (!put_object(lease, object, false, &reply)) {
        if (reply.status != 409) // somebody was faster: no problem
            note_problem(lease, &reply);
        return;
    }
    lease->transitions = transitions;
    set_leading(lease, true, (uint64_t)transitions + 1, started_ms);
}

// Another coordinator holds the Lease, it was deleted, or our time ran out.
static void step_down(struct lease *lease)
{
    set_leading(lease, false, 0, 0);
}

static void tick_elected(struct lease *lease)
{
    char before[HOLDER_BYTES_MAX], after[HOLDER_BYTES_MAX];
    bool was_leading = is_leading(lease);
    lease_holder(lease, before, sizeof(before));
    if (was_leading && deadline_passed(lease)) {
        step_down(lease);
        pthread_mutex_unlock(&lease->exchange);
        tell(lease);
        pthread_mutex_lock(&lease->exchange);
        was_leading = false;
    }
    if (was_leading) {
        AUTOREPLY struct api_reply reply = {0};
        renew(lease, NULL, &reply);
        if (!is_ours(lease) || deadline_passed(lease))
            step_down(lease);
    } else {
        acquire(lease);
    }
    lease_holder(lease, after, sizeof(after));
    bool news = was_leading != is_leading(lease) || (!was_leading && strcmp(before, after) != 0);
    pthread_mutex_unlock(&lease->exchange);
    if (news)
        tell(lease);
    pthread_mutex_lock(&lease->exchange);
}

// Not elected (tests, dry run): leads as soon as the saved state has been read, and shows who holds the
// Lease.
static void tick_unelected(struct lease *lease)
{
    AUTOREPLY struct api_reply reply = {0};
    get_object(lease, &reply);
    if (lease->read_once ||
        (!api_succeeded(&reply) && reply.result == HTTP_ANSWERED && reply.status >= 500) ||
        reply.result != HTTP_ANSWERED)
        return;
    lease->read_once = true;
    set_leading(lease, true, 1, now_ms(lease));
    pthread_mutex_unlock(&lease->exchange);
    tell(lease);
    pthread_mutex_lock(&lease->exchange);
}

void lease_tick(struct lease *lease)
{
    pthread_mutex_lock(&lease->exchange);
    if (lease->options.elect)
        tick_elected(lease);
    else
        tick_unelected(lease);
    pthread_mutex_unlock(&lease->exchange);
}

int64_t lease_pause_ms(struct lease *lease)
{
    int64_t period_ms = lease->options.retry_period_ms;
    uint32_t random = 0;
    if (!lease->options.elect && lease->read_once)
        return READ_PERIOD_MS;
    // Candidates spread themselves (client-go's factor of 1.2) so that they do not collide for ever.
    if (!is_leading(lease) && getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random))
        period_ms += period_ms * 12 / 10 * (random % 1000) / 1000;
    return period_ms;
}

void lease_run(struct lease *lease)
{
    do {
        lease_tick(lease);
    } while (api_wait(lease->options.api, lease_pause_ms(lease)));
}

void lease_release(struct lease *lease)
{
    char now[40];
    AUTOREPLY struct api_reply reply = {0};
    pthread_mutex_lock(&lease->exchange);
    bool held = lease->options.elect && is_leading(lease) && is_ours(lease);
    step_down(lease);
    if (held) {
        format_now(now, sizeof(now));
        cJSON *object = draft(lease);
        cJSON *spec = member_object(object, "spec");
        set_text(spec, "holderIdentity", "");
        set_integer(spec, "leaseDurationSeconds", 1);
        set_text(spec, "renewTime", now);
        set_text(spec, "acquireTime", now);
        if (put_object(lease, object, true, &reply))
            log_event(LOG_INFO, "lease released", LOG_S("lease", lease->options.name), LOG_END);
        else
            log_event(LOG_WARN, "the lease could not be released", LOG_S("error", reply.message), LOG_END);
    }
    pthread_mutex_unlock(&lease->exchange);
}

static void save_unelected(struct lease *lease, const struct saved_state *state, struct api_reply *reply)
{
    for (int attempt = 0; attempt < 3; attempt++) {
        api_reply_free(reply);
        get_object(lease, reply);
        if (!api_succeeded(reply) && reply->status != 404)
            return;
        api_reply_free(reply);
        cJSON *object = draft(lease);
        member_object(object, "spec");
        fill_saved(object, state);
        if (put_object(lease, object, false, reply) || reply->status != 409)
            return;
    }
}

void lease_save(struct lease *lease, uint64_t term, const struct saved_state *state, struct api_reply *reply)
{
    *reply = (struct api_reply){.result = HTTP_NOT_SENT};
    pthread_mutex_lock(&lease->exchange);
    if (!lease_may_act(lease, term))
        snprintf(reply->message, sizeof(reply->message), "this coordinator does not lead any more");
    else if (lease->options.elect)
        renew(lease, state, reply);
    else
        save_unelected(lease, state, reply);
    pthread_mutex_unlock(&lease->exchange);
}

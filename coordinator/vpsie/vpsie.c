#include "coordinator/vpsie/vpsie.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "common/clock.h"
#include "coordinator/vpsie/door.h"

#define RATE_PER_MINUTE_DEFAULT 100
#define TIMEOUT_MS_DEFAULT      30000
#define WORKERS_DEFAULT         4

struct tuning tuning_default(void)
{
    struct tuning tuning = {.tries = 4,
                            .retry_ms = 500,
                            .retry_ms_max = 8000,
                            .patience_ms = 60000,
                            .breaker_failures = 5,
                            .breaker_ms = 5000,
                            .breaker_ms_max = 60000,
                            .trial_ms = 5000,
                            .trial_ms_max = 300000,
                            .throttled_ms = 5000,
                            .state_ms = 5000,
                            .farewell_ms = 3000};
    if (getrandom(&tuning.seed, sizeof tuning.seed, GRND_NONBLOCK) != sizeof tuning.seed ||
        tuning.seed == 0) {
        tuning.seed = (uint64_t)clock_wall_ms();
    }
    return tuning;
}

static void *open_client(void *context, struct error *error)
{
    const struct vpsie *vpsie = context;
    struct http_trust trust = {.ca_file = vpsie->options.ca_file};
    return http_create(&trust, "vpsie-autoscaler", error);
}

static void call_client(void *client, const struct http_request *request, bool once,
                        struct http_response *response)
{
    if (once) {
        http_call_once(client, request, response);
    } else {
        http_call(client, request, response);
    }
}

static void close_client(void *client)
{
    http_destroy(client);
}

static bool key_is_busy(const struct vpsie *vpsie, const char *key)
{
    for (int32_t i = 0; i < vpsie->worker_count; i++) {
        if (vpsie->busy_keys[i] != NULL && key != NULL && strcmp(vpsie->busy_keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

// The first command whose key no other worker is busy with: those of one key stay in order. NULL: none.
static struct command *take(struct vpsie *vpsie, int32_t worker)
{
    struct pending *before = NULL;
    for (struct pending *pending = vpsie->first; pending != NULL; before = pending, pending = pending->next) {
        const char *key = pending->command->key;
        if (key_is_busy(vpsie, key)) {
            continue;
        }
        *(before == NULL ? &vpsie->first : &before->next) = pending->next;
        if (vpsie->last == pending) {
            vpsie->last = before;
        }
        vpsie->pending_count--;
        vpsie->busy_keys[worker] = key != NULL && key[0] != '\0' ? key : NULL;
        struct command *command = pending->command;
        free(pending);
        return command;
    }
    return NULL;
}

struct worker {
    struct vpsie *vpsie;
    int32_t index;
};

// Works until the door stops and nothing waits any more: what still waited is answered as not sent.
static void *work(void *context)
{
    struct worker worker = *(struct worker *)context;
    struct vpsie *vpsie = worker.vpsie;
    struct error error;
    free(context);
    void *client = vpsie->transport.open(vpsie->transport.context, &error);
    pthread_mutex_lock(&vpsie->lock);
    while (!vpsie->stopping || vpsie->first != NULL) {
        struct command *command = take(vpsie, worker.index);
        if (command == NULL) {
            pthread_cond_wait(&vpsie->changed, &vpsie->lock);
            continue;
        }
        pthread_mutex_unlock(&vpsie->lock);
        vpsie->options.sink(vpsie->options.context, perform(vpsie, client, command));
        pthread_mutex_lock(&vpsie->lock);
        vpsie->busy_keys[worker.index] = NULL;
        pthread_cond_broadcast(&vpsie->changed);
        command_destroy(command);
    }
    pthread_mutex_unlock(&vpsie->lock);
    vpsie->transport.close(client);
    return NULL;
}

static int check_options(const struct vpsie_options *options, struct error *error)
{
    assert(options->sink != NULL);
    if (options->url == NULL || strncasecmp(options->url, "https://", 8) != 0) {
        return error_set(error, 0, "the VPSie URL must begin with https://");
    }
    if (options->rate_per_minute < 0 || options->rate_per_minute > 100000 || options->timeout_ms < 0) {
        return error_set(error, 0, "the VPSie rate and timeout must not be negative or absurd");
    }
    return 0;
}

static void free_door(struct vpsie *vpsie)
{
    account_destroy(vpsie->account);
    account_destroy(vpsie->candidate);
    account_destroy(vpsie->given);
    rate_free(&vpsie->rate);
    free(vpsie->only_cluster);
    pthread_mutex_destroy(&vpsie->lock);
    pthread_mutex_destroy(&vpsie->recovering);
    pthread_cond_destroy(&vpsie->changed);
    free((char *)vpsie->options.url);
    free((char *)vpsie->options.ca_file);
    free(vpsie);
}

static struct vpsie *make_door(const struct vpsie_options *options, const struct tuning *tuning)
{
    struct vpsie *vpsie = xcalloc(1, sizeof *vpsie);
    vpsie->options = *options;
    vpsie->options.url = xstrdup(options->url);
    vpsie->options.ca_file = xstrdup(options->ca_file);
    if (vpsie->options.timeout_ms == 0) {
        vpsie->options.timeout_ms = TIMEOUT_MS_DEFAULT;
    }
    vpsie->tuning = *tuning;
    vpsie->random = tuning->seed;
    rate_init(&vpsie->rate,
              options->rate_per_minute > 0 ? options->rate_per_minute : RATE_PER_MINUTE_DEFAULT);
    breaker_init(&vpsie->breaker, tuning->breaker_failures, tuning->breaker_ms, tuning->breaker_ms_max);
    vpsie->worker_count = options->workers > 0 ? options->workers : WORKERS_DEFAULT;
    if (vpsie->worker_count > DOOR_WORKERS_MAX) {
        vpsie->worker_count = DOOR_WORKERS_MAX;
    }
    pthread_mutex_init(&vpsie->lock, NULL);
    pthread_mutex_init(&vpsie->recovering, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&vpsie->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return vpsie;
}

struct vpsie *vpsie_door_start(const struct vpsie_options *options, const struct transport *transport,
                               const struct tuning *tuning, struct error *error)
{
    if (check_options(options, error) != 0) {
        return NULL;
    }
    struct vpsie *vpsie = make_door(options, tuning);
    vpsie->transport =
        transport != NULL
            ? *transport
            : (struct transport){
                  .open = open_client, .call = call_client, .close = close_client, .context = vpsie};
    void *client = vpsie->transport.open(vpsie->transport.context, error);
    if (client == NULL) {
        free_door(vpsie);
        return NULL;
    }
    vpsie->transport.close(client);
    for (int32_t i = 0; i < vpsie->worker_count; i++) {
        struct worker *worker = xcalloc(1, sizeof *worker);
        *worker = (struct worker){.vpsie = vpsie, .index = i};
        if (pthread_create(&vpsie->workers[i], NULL, work, worker) != 0) {
            abort();
        }
    }
    if (pthread_create(&vpsie->keeper, NULL, keeper_run, vpsie) != 0) {
        abort();
    }
    return vpsie;
}

struct vpsie *vpsie_start(const struct vpsie_options *options, struct error *error)
{
    struct tuning tuning = tuning_default();
    return vpsie_door_start(options, NULL, &tuning, error);
}

void vpsie_stop(struct vpsie *vpsie)
{
    if (vpsie == NULL) {
        return;
    }
    int64_t until_ms = clock_monotonic_ms() + vpsie->tuning.farewell_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = (until_ms % 1000) * 1000000};
    pthread_mutex_lock(&vpsie->lock);
    vpsie->stopping = true;
    __atomic_store_n(&vpsie->stop_calls, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&vpsie->changed);
    // An order that is out may still be answered: knowing is better than listing afterwards.
    while (vpsie->orders_in_flight > 0 && clock_monotonic_ms() < until_ms) {
        pthread_cond_timedwait(&vpsie->changed, &vpsie->lock, &until);
    }
    __atomic_store_n(&vpsie->stop_orders, true, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&vpsie->lock);
    for (int32_t i = 0; i < vpsie->worker_count; i++) {
        pthread_join(vpsie->workers[i], NULL);
    }
    pthread_join(vpsie->keeper, NULL);
    assert(vpsie->first == NULL);
    free_door(vpsie);
}

void vpsie_set_credentials(struct vpsie *vpsie, const struct vpsie_credentials *credentials)
{
    struct error error = {0};
    struct account *account = NULL;
    if (credentials != NULL) {
        account = account_create(credentials, vpsie->options.url, vpsie->options.scheme, &error);
    } else {
        error_set(&error, 0, "the Secret with the VPSie credentials is gone");
    }
    pthread_mutex_lock(&vpsie->lock);
    if (account != NULL && account_same(account, vpsie->given)) {
        account_destroy(account); // the Secret was only seen again
    } else {
        account_destroy(vpsie->candidate);
        account_destroy(vpsie->given);
        vpsie->candidate = account;
        vpsie->given = account != NULL ? account_copy(account) : NULL;
        vpsie->candidate_serial++;
        vpsie->candidate_tries = 0;
        vpsie->candidate_after_ms = 0;
        snprintf(vpsie->candidate_detail, sizeof vpsie->candidate_detail, "%s", error.text);
        pthread_cond_broadcast(&vpsie->changed);
    }
    pthread_mutex_unlock(&vpsie->lock);
}

void vpsie_submit(struct vpsie *vpsie, struct command *command)
{
    assert(command->kind >= COMMAND_VPSIE_LIST_MACHINES && command->kind <= COMMAND_VPSIE_DELETE_MACHINE);
    struct pending *pending = xcalloc(1, sizeof *pending);
    pending->command = command;
    pthread_mutex_lock(&vpsie->lock);
    bool room = vpsie->pending_count < DOOR_COMMANDS_MAX && !vpsie->stopping;
    if (room) {
        *(vpsie->last == NULL ? &vpsie->first : &vpsie->last->next) = pending;
        vpsie->last = pending;
        vpsie->pending_count++;
        pthread_cond_broadcast(&vpsie->changed);
    }
    pthread_mutex_unlock(&vpsie->lock);
    if (!room) {
        free(pending);
        vpsie->options.sink(vpsie->options.context,
                            outcome_event(command, OUTCOME_NOT_SENT, "too many commands wait for VPSie"));
        command_destroy(command);
    }
}

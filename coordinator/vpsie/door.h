// What this room is for: the inside of the VPSie door, shared by its files: one account, its limits, its
// threads. What it knows: everything below. What it may not do: be included outside this folder and its
// tests.
#ifndef VPSIE_COORDINATOR_VPSIE_DOOR_H
#define VPSIE_COORDINATOR_VPSIE_DOOR_H

#include <pthread.h>

#include "coordinator/http.h"
#include "coordinator/vpsie/account.h"
#include "coordinator/vpsie/answer.h"
#include "coordinator/vpsie/api.h"
#include "coordinator/vpsie/guard.h"
#include "coordinator/vpsie/vpsie.h"

#define DOOR_WORKERS_MAX  16
#define DOOR_COMMANDS_MAX 8192u // waiting; more come back as not sent

// How a request leaves. Each thread has a client of its own; tests script one without sockets.
struct transport {
    void *(*open)(void *context, struct error *error);
    void (*call)(void *client, const struct http_request *request, bool once, struct http_response *response);
    void (*close)(void *client);
    void *context;
};

struct tuning {
    int32_t tries; // of a read or a delete
    int64_t retry_ms, retry_ms_max;
    int64_t patience_ms;      // of one command, its waits and retries included
    int32_t breaker_failures; // in a row
    int64_t breaker_ms, breaker_ms_max;
    int64_t trial_ms, trial_ms_max; // between trials of credentials that do not work
    int64_t throttled_ms;           // after a 429 that does not say how long
    int64_t state_ms;               // between two reports of the call count
    int64_t farewell_ms;            // how long stopping waits for an order's answer
    uint64_t seed;                  // of the jitter; not 0
};
struct tuning tuning_default(void);

struct pending { // a command in the queue
    struct command *command;
    struct pending *next;
};

struct vpsie {
    struct vpsie_options options; // its strings are copies
    struct transport transport;
    struct tuning tuning;
    pthread_mutex_t lock;
    pthread_cond_t changed; // anything below
    // Guarded by lock:
    struct rate rate;
    struct breaker breaker;
    uint64_t random;
    struct account *account; // adopted; NULL before the first that works
    uint64_t generation;     // of `account`: rises with every change
    bool refused;            // VPSie does not accept it any more
    char refused_detail[256];
    int64_t recover_after_ms;  // monotonic: no new attempt before
    struct account *given;     // what was given last, as it was given; NULL: nothing that could be tried
    struct account *candidate; // new credentials that wait for their trial
    uint64_t candidate_serial;
    int32_t candidate_tries;
    int64_t candidate_after_ms;
    char candidate_detail[512]; // why the last ones given do not work, "" when they do
    char *only_cluster;         // the account's cluster when there is just one
    uint64_t only_cluster_generation;
    struct pending *first, *last;
    uint32_t pending_count;
    const char *busy_keys[DOOR_WORKERS_MAX];
    int32_t orders_in_flight;
    bool stopping;
    // Polled by libcurl's loop, written with __atomic_store_n.
    volatile bool stop_calls;
    volatile bool stop_orders;
    pthread_mutex_t recovering; // one recovery at a time; taken before `lock`
    pthread_t workers[DOOR_WORKERS_MAX];
    int32_t worker_count;
    pthread_t keeper;
};

struct vpsie *vpsie_door_start(const struct vpsie_options *options, const struct transport *transport,
                               const struct tuning *tuning, struct error *error);

// exchange.c: one request, one answer. Waits for the rate limit until deadline_ms (monotonic), asks the
// breaker unless it is a trial's or a probe's, asks the fence of a write, counts. The answer's detail is
// scrubbed.
enum exchange_kind { EXCHANGE_COMMAND, EXCHANGE_TRIAL, EXCHANGE_PROBE };
struct exchange {
    enum exchange_kind kind;
    void *client;
    const struct account *account;
    const struct api_request *request;
    uint64_t term; // of a write
    int64_t deadline_ms;
};
void exchange(struct vpsie *vpsie, const struct exchange *exchange, struct answer *answer);
// Waits with the lock held until then or until the door stops (false).
bool door_wait_until(struct vpsie *vpsie, int64_t monotonic_ms);

// trial.c: do credentials work? May change the account's access token, scheme and base to what does.
enum trial { TRIAL_WORKS, TRIAL_REFUSED, TRIAL_UNCLEAR };
enum trial trial(struct vpsie *vpsie, void *client, struct account *account, struct error *why);
void door_adopt(struct vpsie *vpsie, struct account *account);           // takes over; with the lock held
struct account *door_account(struct vpsie *vpsie, uint64_t *generation); // a copy, or NULL
// After a 401 with the account of that generation, or before its token ends: renew it, once for all who ask.
// True when there is a newer one that works.
bool door_recover(struct vpsie *vpsie, void *client, uint64_t generation);

// perform.c: a command → its outcome.
struct event *perform(struct vpsie *vpsie, void *client, const struct command *command);
struct event *outcome_event(const struct command *command, enum outcome outcome, const char *detail);

// keeper.c: the thread that tries credentials, renews them in time, probes behind an open breaker, and
// reports.
void *keeper_run(void *vpsie);

#endif

// What this room is for: the inside of the agents' door, shared by its files. What it knows: everything
// below. What it may not do: be included outside this folder.
#ifndef VPSIE_COORDINATOR_FLEET_PRIVATE_H
#define VPSIE_COORDINATOR_FLEET_PRIVATE_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "common/metrics.h"
#include "common/queue.h"
#include "coordinator/fleet/directives.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/fleet/members.h"

#define FLEET_REVIEW_THREADS 4

// What became of a report; each is counted under its own name.
enum refusal {
    REFUSAL_MALFORMED,
    REFUSAL_VERSION,
    REFUSAL_INVALID,
    REFUSAL_TOO_LARGE,
    REFUSAL_NO_CREDENTIAL,
    REFUSAL_CREDENTIAL, // not valid, or of nobody who may speak here
    REFUSAL_REVIEW,     // the API server could not say
    REFUSAL_OTHER_NODE,
    REFUSAL_NOT_LEADER,
    REFUSAL_TOO_FAST,
    REFUSAL_BUSY,
    REFUSAL_FLOOD, // more requests at once than an agent makes: the connection is closed
    REFUSAL_COUNT
};

struct worker { // one request in work: receive, answer, receive, ...
    struct fleet *fleet;
    nng_ctx context;
    nng_aio *aio;
    bool sending;
    WireReport *report; // waits for a review
    nng_pipe pipe;      // of the request in work
    bool counted;       // among its member's requests in work
};

struct fleet {
    struct fleet_options options; // its strings are copies
    char url[320];
    nng_socket socket;
    nng_listener listener;
    bool has_socket, has_listener;
    int port;
    struct worker *workers;
    uint32_t worker_count;
    pthread_mutex_t lock; // members, directives, complaints, stop
    struct members members;
    struct directives directives;
    int64_t complained_ms[REFUSAL_COUNT];
    struct queue *reviews; // of workers; holds fewer than there are, so that reviews never take them all
    pthread_t review_threads[FLEET_REVIEW_THREADS];
    int review_thread_count;
    pthread_t upkeep_thread;
    bool upkeep_runs;
    pthread_cond_t stop; // with lock
    struct timespec certificate_time, key_time;
    void *retired_certificate;
    bool certificate_pending; // seen to have changed, not taken into use yet
    atomic_bool stopping;
    atomic_uint_fast64_t reports, refused;
    struct metric *accepted_metric, *stale_metric, *refused_metric[REFUSAL_COUNT];
    struct metric *connections_metric, *identified_metric, *certificates_metric;
};

// intake.c: requests in, answers out.
void intake_make_metrics(struct fleet *fleet);
void intake_on_aio(void *worker); // NNG's callback
void intake_receive(struct worker *worker);
void *intake_review_loop(void *fleet); // a thread's body

#endif

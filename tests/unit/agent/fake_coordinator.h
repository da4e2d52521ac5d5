// What this room is for: a coordinator for one test, in a thread: it keeps what it was told and answers as
// scripted. What it knows: NNG REP and the wire. What it may not do: decide anything.
#ifndef VPSIE_TESTS_UNIT_AGENT_FAKE_COORDINATOR_H
#define VPSIE_TESTS_UNIT_AGENT_FAKE_COORDINATOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/link.h"
#include "common/wire.h"

enum fake_answer {
    FAKE_ACCEPT,   // and every directive that is set
    FAKE_TOKEN,    // accept a message that carries "good-token" or whose connection did, refuse any other
    FAKE_STATUS,   // of the ack that is set
    FAKE_SILENCE,  //
    FAKE_GARBAGE,  // bytes that are no ack
    FAKE_EMPTY,    // a message of no bytes
    FAKE_TOO_LARGE // of more bytes than a message may have, and no more than the transport lets in
};

#define FAKE_REPORTS_MAX 512
struct fake_report { // what is worth keeping of one
    uint64_t sequence;
    bool complete, has_credential;
    size_t pods, bytes;
    char directive_id[64];
    int directive_state;
    uint32_t pods_remaining;
};

struct fake_coordinator {
    char url[256];
    struct link_tls tls;
    nng_socket socket;
    pthread_t thread;
    atomic_bool stopping;

    pthread_mutex_t lock; // all below; zero is unlocked, and it outlives a stop
    enum fake_answer answer;
    Vpsie__Autoscaler__V1__AckStatus status;
    char leader[256];
    uint32_t next_interval_ms;
    bool want_complete;        // once
    char drain_id[64];         // PREPARE_DRAIN in every answer while set
    char drain_uid[64];        // about this pod
    int64_t drain_deadline_ms; //
    char cancel_id[64];        // CANCEL_DRAIN while set
    int authenticated_pipe;
    struct fake_report reports[FAKE_REPORTS_MAX];
    size_t report_count;
    size_t malformed;
};

// Listens or aborts. `tls` NULL: none. Zero-initialise, set `url`, start; can be started again after a stop.
void fake_start(struct fake_coordinator *fake);
void fake_stop(struct fake_coordinator *fake);

void fake_set(struct fake_coordinator *fake, enum fake_answer answer);
size_t fake_count(struct fake_coordinator *fake);
struct fake_report fake_last(struct fake_coordinator *fake);
struct fake_report fake_at(struct fake_coordinator *fake, size_t index);

#endif

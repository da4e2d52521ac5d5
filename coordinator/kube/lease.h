// What this room is for: being the one leader, by a Lease (coordination.k8s.io/v1) kept as client-go keeps
// it, and the few notes that go with leadership from one coordinator to the next. What it knows: the Lease.
// What it may not do: compare clocks of two machines, let anyone act whose time has run out.
#ifndef VPSIE_COORDINATOR_KUBE_LEASE_H
#define VPSIE_COORDINATOR_KUBE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/decide/event.h"
#include "coordinator/kube/api.h"

struct lease_news {
    bool leading;
    uint64_t term; // leaseTransitions + 1; 0 when not leading
    const char *holder;
    struct saved_state saved;
};

struct lease_options {
    struct api *api;
    const char *space, *name, *identity;
    int64_t duration_ms, renew_deadline_ms, retry_period_ms; // duration > renew deadline > retry period
    bool elect; // false: lead at once with term 1; the Lease is only read (saved state) and never held
    // Leadership won or lost, or (not leading) another holder seen. From the thread that calls lease_tick().
    void (*on_news)(void *context, const struct lease_news *news);
    void *context;
    int64_t (*now_ms)(void *context); // NULL: CLOCK_BOOTTIME, which also runs while the machine sleeps
    void *now_context;
};

struct lease;
struct lease *lease_create(const struct lease_options *options);
void lease_destroy(struct lease *lease);
// One attempt to acquire or renew. Call every lease_pause_ms().
void lease_tick(struct lease *lease);
int64_t lease_pause_ms(struct lease *lease);
void lease_run(struct lease *lease); // ticks until the api stops
// Gives the Lease back so that another may take it at once. After everything else has stopped.
void lease_release(struct lease *lease);

// Leading with this term, and the last renewal was *begun* less than the renew deadline ago: so the answer is
// no before anybody else can have taken the Lease, also for a process that was stopped and woken. Any thread.
bool lease_may_act(struct lease *lease, uint64_t term);
bool lease_leading(struct lease *lease);
void lease_holder(struct lease *lease, char *out, size_t bytes);
void lease_problem(struct lease *lease, char *out, size_t bytes); // why it cannot be had, "" when it can
void lease_saved(struct lease *lease, struct arena *arena, struct saved_state *out);

// Writes the saved state into the Lease's annotations, as part of a renewal. `term` as for any write. The
// reply tells what came of it; free it. Any thread but lease_tick()'s.
void lease_save(struct lease *lease, uint64_t term, const struct saved_state *state, struct api_reply *reply);

#endif

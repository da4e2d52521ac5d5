// What this room is for: a fleet door with everything around it made by a test, and agents that say what the
// test wants. What it knows: NNG, the wire. What it may not do: be an agent.
#ifndef VPSIE_TESTS_UNIT_FLEET_AGENTS_H
#define VPSIE_TESTS_UNIT_FLEET_AGENTS_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/queue.h"
#include "common/wire.h"
#include "coordinator/fleet/fleet.h"

#define ACK(name) VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_##name

// Tokens: "node:NAME" is good for that node, "down" cannot be reviewed, "slow:NAME" waits for gate, all
// others are refused with 401.
struct yard {
    struct fleet_options options;
    struct fleet *fleet;
    struct queue *events;
    atomic_bool leading, full;
    char leader_address[64];
    atomic_int reviews;
    pthread_mutex_t gate; // held by a test: slow reviews wait
};
void yard_open(struct yard *yard); // fills options for plain TCP on a free port; then yard_start()
void yard_start(struct yard *yard);
void yard_close(struct yard *yard);
struct event *yard_event(struct yard *yard); // waits; the caller destroys it
uint32_t yard_events(struct yard *yard);     // drops what came and says how many
void yard_submit(struct yard *yard, enum directive_kind kind, const char *node, const char *id,
                 int64_t deadline_ms);
void yard_until_connections(struct yard *yard, uint32_t count);

struct agent {
    nng_socket socket;
    char node[64], start[32];
    uint64_t sequence;
};
// ca_file NULL: plain TCP. Waits for nothing.
void agent_open(struct agent *agent, struct yard *yard, const char *node, const char *ca_file);
void agent_close(struct agent *agent);
WireReport agent_report(struct agent *agent); // a small valid report with the next sequence; borrows
// Sends and waits for the answer; NULL when none came within wait_ms.
WireAck *agent_ask(struct agent *agent, const WireReport *report, int wait_ms);
WireAck *agent_send(struct agent *agent, const WireReport *report); // the same, must be answered
WireAck *agent_send_bytes(struct agent *agent, const void *bytes, size_t length, int wait_ms);
// Says hello with the right token and a complete set; must be accepted.
void agent_introduce(struct agent *agent);

#endif

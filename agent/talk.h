// What this room is for: the conversation with the coordinator: when to send, what its answers mean, whom to
// call. What it knows: the uplink, the report, the orders. What it may not do: wait, sample, judge.
#ifndef VPSIE_AGENT_TALK_H
#define VPSIE_AGENT_TALK_H

#include "agent/meters.h"
#include "agent/orders.h"
#include "agent/report.h"
#include "agent/settings.h"

// The rules of the conversation:
//   - one request at a time; always the newest sample; a report that got no answer is not repeated;
//   - the first message of a connection is complete and carries the token, and so does the one after
//   UNAUTHENTICATED,
//     at once; refused with the token, it waits longer each time;
//   - NOT_LEADER with an address: call there; if nobody takes the call in TALK_LEADER_PATIENCE_MS, or the
//   address is
//     wrong, back to the configured one. Without an address: after TALK_LEADERLESS_MAX of them call anew,
//     since behind a service the next connection may reach another replica;
//   - no connection for TALK_REDIAL_MS: call anew, with the certificate authority's file read anew;
//   - TALK_UNANSWERED_MAX requests in a row without an answer: hang up and call anew; the peer may be gone
//   without a
//     word;
//   - at most one call in TALK_SWITCH_MS_MIN because of an answer.
#define TALK_LEADER_PATIENCE_MS 15000
#define TALK_LEADERLESS_MAX     3
#define TALK_REDIAL_MS          30000
#define TALK_UNANSWERED_MAX     3
#define TALK_SWITCH_MS_MIN      2000
#define TALK_BACKOFF_MS_MAX     300000
#define TALK_VERSION_WAIT_MS    60000

struct talk;

// Settings and meters must outlive it; the identity is copied. Opens sockets, calls nobody yet.
struct talk *talk_create(const struct agent_settings *settings, const struct report_identity *identity,
                         const struct meters *meters, struct error *error);
void talk_destroy(struct talk *talk);

int talk_descriptor(const struct talk *talk); // poll(2) it, then talk_turn()

// A new sample. What `content` points to must stay valid until the next call; its credential is ignored.
void talk_offer(struct talk *talk, const struct report_content *content);

// Take what came, send what may be sent. `now_ms` is monotonic. True when the orders changed such that a
// sample is due now.
bool talk_turn(struct talk *talk, int64_t now_ms);
int64_t talk_due_ms(const struct talk *talk); // when talk_turn() has something to do by itself

struct orders *talk_orders(struct talk *talk);
int64_t talk_accepted_ms(const struct talk *talk); // monotonic time of the last accepted report; 0: none yet

#endif

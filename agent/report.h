// What this room is for: a host's view and verdicts as the message that crosses the wire, and what of it the
// coordinator already knows. What it knows: the wire's messages. What it may not do: read the host, send
// anything, or keep a credential.
#ifndef VPSIE_AGENT_REPORT_H
#define VPSIE_AGENT_REPORT_H

#include "agent/readiness.h"
#include "common/arena.h"
#include "common/wire.h"

// Evidence pod by pod goes when it changed beyond noise since the coordinator acknowledged it: CPU by more
// than 10 milli-CPUs and 5 %, memory and held bytes by more than 1 MiB and 5 %, connections and processes by
// more than 2 and 10 %; whatever decides a rule (held or not, a process in uninterruptible sleep, something
// unknown) always. Every REPORT_COMPLETE_EVERY accepted reports, and whenever asked, all of it goes.
#define REPORT_COMPLETE_EVERY 60

// The reasons of the node's own verdict; the evidence itself is beside them.
#define REPORT_NODE_REASONS_MAX 8

struct report_identity {
    char node_name[WIRE_NODE_NAME_BYTES_MAX + 1];
    char boot_id[64];
    char start_id[40];
};

struct report_content {
    const struct host_view *view;
    const struct verdict *node;
    const char *directive_id;        // NULL: none is open
    const struct verdict *directive; // with directive_id
    const char *credential;          // NULL: not with this message
};

struct report;

// Copies the identity. One thread at a time.
struct report *report_create(const struct report_identity *identity);
void report_destroy(struct report *report); // NULL is fine

// A new sample was taken: the next message has a new sequence number. Without it a message is a resend.
void report_next(struct report *report);
uint64_t report_sequence(const struct report *report); // 0 before the first

// The coordinator knows nothing of this node (a new connection, or it said so): the next message is complete.
void report_forget(struct report *report);

// The message, valid until the arena is reset; strings point into `content`. Nothing is remembered. `terse`
// leaves out whatever a person alone reads, for a node whose report would be over the limit.
WireReport *report_compose(struct report *report, const struct report_content *content, bool complete,
                           bool terse, struct arena *arena);

// Encode the next message and remember what it tells; one that was not answered before counts as lost.
// malloc'ed bytes (they may hold the credential: wipe them), NULL with an error.
uint8_t *report_encode(struct report *report, const struct report_content *content, size_t *length,
                       struct error *error);
void report_accepted(struct report *report,
                     uint64_t sequence); // the coordinator knows what that message told
void report_lost(struct report *report); // who knows

#endif

// What this room is for: the operators' door: a socket that takes one JSON object and gives one back, what
// the answers say (view), and the client that prints them. What it knows: NNG, JSON, terminals. What it may
// not do: decide, or touch the core from any thread but the core's own.
#ifndef VPSIE_COORDINATOR_ADMIN_ADMIN_H
#define VPSIE_COORDINATOR_ADMIN_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "coordinator/decide/state.h"

#define ADMIN_REQUEST_BYTES_MAX 65536u

// ---------------------------------------------------------------------------------------------- the socket

// One request, checked to be a JSON object with a string "command". Owned by whoever holds it.
struct admin_request {
    uint64_t id;
    char *json; // the object as text
};
void admin_request_free(struct admin_request *request);

// Takes the request over (true), or has no room (false: answered "busy"). NNG's threads; must not wait.
typedef bool (*admin_sink)(void *context, struct admin_request *request);

struct admin_options {
    const char *path; // of the socket; its directory is made when it is missing
    admin_sink sink;
    void *context;
};
struct admin;
// A directory that is missing, full or read-only is logged and tried again in the background, never fatal:
// NULL only when out of resources.
struct admin *admin_start(const struct admin_options *options, struct error *error);
void admin_stop(struct admin *admin); // NULL is fine
// Answers a request; json is copied. An id that is no longer open (its client has gone, or waited too long)
// is ignored. Any thread.
void admin_reply(struct admin *admin, uint64_t request_id, const char *json);

// ---------------------------------------------------------------------------------------------- what the
// answers say

struct view_extra { // what only run knows
    const char *version;
    const char *identity;
    int64_t started_ms;
    bool kube_synced, kube_reachable;
    const char *kube_detail, *kube_server;
    uint32_t agents_connected, agents_identified;
    uint64_t reports, reports_refused;
    uint32_t queue_length, queue_capacity;
    const char *log_level;
};
enum view_action_kind {
    VIEW_ANSWER,   // `json` is the reply
    VIEW_OPERATOR, // to the core as EVENT_OPERATOR: verb and argument; the core replies
    VIEW_LOG_LEVEL // set the level `argument` and reply `json`
};
struct view_action {
    enum view_action_kind kind;
    char *json; // malloc'ed or NULL
    enum operator_verb verb;
    char *argument; // malloc'ed or NULL
};
// On the core's thread. Never fails: a request that makes no sense becomes
// {"ok":false,"error":...,"code":...}.
struct view_action view_request(struct core *core, const struct view_extra *extra, const char *request_json);
void view_action_free(struct view_action *action);
// The reply to an operator's verb: {"ok":true,"text":...} or {"ok":false,...}. malloc'ed.
char *view_operator_reply(bool ok, const char *text, const char *code);

// Gauges and counters of the core's state, for /metrics. On the core's thread, at most once a second.
void gauges_update(const struct core *core);

// ---------------------------------------------------------------------------------------------- the client

// argv[0] is the command ("status", "explain", ...). Returns the exit status: 0 done, 1 the coordinator says
// no, 2 usage, 3 it cannot be reached.
int client_main(int argc, char **argv);

#endif

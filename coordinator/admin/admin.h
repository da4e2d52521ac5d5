// What this room is for: answering people: the admin socket, what it tells, and the client that asks it.
// What it knows: the core's state, read on the core's own thread. What it may not do: change that state, or
// let a client wait on the core or the core on a client.
//
// One request is one JSON object, one reply is one JSON object:
//   {"command":"status"}  ->  {"ok":true,...}  or  {"ok":false,"error":"...","code":"..."}
// over NNG REQ/REP on ipc://PATH (mode 0600; only root and our own user may speak).
#ifndef VPSIE_COORDINATOR_ADMIN_ADMIN_H
#define VPSIE_COORDINATOR_ADMIN_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "coordinator/decide/event.h"

#define ADMIN_REQUEST_BYTES_MAX (64u * 1024u)
#define ADMIN_REQUEST_DEPTH_MAX 16
#define ADMIN_ANSWER_LIMIT_MS   5000 // a request that nobody answered for so long gets an error

struct core;
struct command;

// ---- requests
enum admin_command {
    ADMIN_STATUS,
    ADMIN_GROUPS,
    ADMIN_NODES,
    ADMIN_AGENTS,
    ADMIN_PODS,
    ADMIN_ACTIONS,
    ADMIN_EXPLAIN, // "node", "pod" ("NAMESPACE/NAME") or "group"
    ADMIN_SNAPSHOT,
    ADMIN_LOG_LEVEL, // "level", or none to ask; answered by the server itself
    ADMIN_PAUSE,     // "reason", optional
    ADMIN_RESUME,
    ADMIN_RELEASE, // everything: a "group" is an error
    ADMIN_APPROVE, // "decision": "D42"
    ADMIN_COMMAND_COUNT
};
const char *admin_command_name(enum admin_command command);

struct admin_request {
    uint64_t id; // for admin_reply(); set by the server
    enum admin_command command;
    // "" when not given; owned
    char *node, *space, *pod, *group, *level, *reason, *decision;
    uint32_t limit; // how many entries a list may have; 0: the command's own default
};
// Check everything about a request's text. NULL with an error for the asker; free with admin_request_free().
struct admin_request *admin_request_parse(const char *bytes, size_t length, struct error *error);
void admin_request_free(struct admin_request *request);
// The event that carries a pause, resume or release to the core; NULL for commands that only read.
struct event *admin_request_event(const struct admin_request *request);

// ---- replies All return malloc'ed JSON text.
char *admin_error_reply(const char *code, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *admin_operator_reply(const struct command *command); // a COMMAND_OPERATOR_REPLY

// What only run knows.
struct view_extra {
    const char *version, *identity;
    int64_t started_ms;       // Unix ms
    const char *kube_detail;  // "" when healthy
    const char *vpsie_detail; // ""
    const char *admin_detail; // ""
    uint32_t agents_connected;
    uint64_t queue_length, queue_capacity;
};
// Answer a reading command from the core's state. On the core's thread, between two steps.
char *view_render(struct core *core, const struct view_extra *extra, const struct admin_request *request);

// The core's state as vpsie_autoscaler_* metrics; on the core's thread, at most once a second.
void metrics_from_core(struct core *core);

// ---- the server
struct admin;

// Takes a request over (admin_request_free() it, then or later); called on NNG's threads, must not wait.
// False: no room; the asker is told to try again, and the request stays the server's.
typedef bool (*admin_sink)(void *context, struct admin_request *request);

struct admin_options {
    const char *path; // of the socket; its directory is made when it is missing
    admin_sink sink;
    void *context;
};
// Never fails for what the file system does: a socket that cannot be made (missing directory, full or
// read-only disk, another coordinator on it) is logged and tried again in the background. NULL only when the
// path cannot be a socket's at all.
struct admin *admin_start(const struct admin_options *options, struct error *error);
// Why there is no socket just now, "" when there is one. Any thread.
void admin_problem(struct admin *admin, char *buffer, size_t bytes);
// The answer to a request; takes `json` over (malloc'ed). Any thread. A request that is no longer open
// (answered by the limit, asker gone) is no error.
void admin_reply(struct admin *admin, uint64_t request_id, char *json);
void admin_stop(struct admin *admin); // NULL is fine; the socket file is gone afterwards

// ---- the client `vpsie-coordinator status ...`; argv[0] is the command's name.
// Exit status: 0 done, 1 the coordinator says no, 2 wrong usage, 3 no coordinator to be reached.
enum client_status { CLIENT_DONE = 0, CLIENT_REFUSED = 1, CLIENT_USAGE = 2, CLIENT_UNREACHABLE = 3 };
int client_main(int argc, char **argv);

#endif

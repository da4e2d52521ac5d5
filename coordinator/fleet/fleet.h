// What this room is for: the agents' door: reports in as events, directives out in the answers, and who may
// speak. What it knows: NNG, the wire's messages, tokens. What it may not do: decide, believe a node name
// that a token does not bind, or let one slow peer (or a slow API server) hold up the others.
#ifndef VPSIE_COORDINATOR_FLEET_FLEET_H
#define VPSIE_COORDINATOR_FLEET_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "coordinator/decide/command.h"
#include "coordinator/decide/event.h"

// Takes the event over and returns true, or returns false at once when there is no room: the agent is then
// told to come again, and nothing is lost, since it keeps what was not accepted. Must not wait, nor call the
// fleet: it is called with the fleet's lock held, from NNG's threads.
typedef bool (*fleet_sink)(void *context, struct event *event);
// Who does a token speak for? As kube_review_token(): 0, or -1 with error->code 401 or 403 when it is refused
// and anything else when nobody could say. Blocking, called from the fleet's own review threads. Once a
// connection, and again when the token's own end has passed.
typedef int (*fleet_review)(void *context, const char *token, char *node_name, size_t node_name_bytes,
                            struct error *error);
// Is this coordinator the leader? If not, writes the leader's address ("" when not known). Must not wait.
typedef bool (*fleet_leading)(void *context, char *leader_address, size_t bytes);

struct fleet_options {
    const char *listen;               // "0.0.0.0:7946"; port 0: any free one
    const char *cert_file, *key_file; // looked at every 2 s; a change holds for new connections
    bool insecure_transport;
    int64_t interval_ms;      // between two reports of one agent: 10 s; stretched when the fleet is large
    uint32_t contexts;        // requests in work at once; 0: 64
    uint32_t connections_max; // 0: 16,000; more are refused
    fleet_sink sink;
    fleet_review review;
    fleet_leading leading;
    void *context;
};

struct fleet;
struct fleet *fleet_start(const struct fleet_options *options, struct error *error);
void fleet_stop(struct fleet *fleet); // NULL is fine
int fleet_port(const struct fleet *fleet);
// COMMAND_AGENT_DIRECTIVE; takes the command over. The newest directive of a node is delivered with every
// answer until a report names its id, it is cancelled, or its deadline has passed. Any thread.
void fleet_submit(struct fleet *fleet, struct command *command);
// Leadership was lost: directives of an old term are forgotten, and every agent will be asked for its
// complete evidence again. Any thread.
void fleet_forget_directives(struct fleet *fleet);

struct fleet_health {
    uint32_t connections; // open
    uint32_t identified;  // of them, with a reviewed token
    uint64_t reports, refused;
};
void fleet_health(struct fleet *fleet, struct fleet_health *out);

#endif

// What this room is for: the directive each node is to get with its next answer. What it knows: commands.
// What it may not do: decide when one is done with, but by the rules below. Not thread-safe: the fleet's lock
// guards it.
#ifndef VPSIE_COORDINATOR_FLEET_DIRECTIVES_H
#define VPSIE_COORDINATOR_FLEET_DIRECTIVES_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/decide/command.h"

struct pending_directive {
    struct command *command;
    bool sent; // once at least: a cancellation or an interval
};
struct directives {
    struct pending_directive *items; // sorted by node name; few at a time: one for each node being drained
    uint32_t count, capacity;
};

void directives_free(struct directives *directives);
void directives_put(struct directives *directives,
                    struct command *command); // takes over; replaces the node's
// What to send with an answer to this node whose report names `answered_id` ("" for none); NULL: nothing.
// `open`: is a drain being prepared there (so it should report every second)? Valid until the next call.
const struct command *directives_next(struct directives *directives, const char *node_name,
                                      const char *answered_id, int64_t now_ms, bool *open);

#endif

// What this room is for: where this coordinator runs itself, and whether it may be moved from there. What it
// knows: its own pod's name, the pods of the cluster. What it may not do: change anything.
#ifndef VPSIE_COORDINATOR_DECIDE_OWN_H
#define VPSIE_COORDINATOR_DECIDE_OWN_H

#include "coordinator/decide/state.h"

// The pod that this coordinator runs in; NULL: in none that is known.
const struct pod *own_pod(const struct core *core);
// Another coordinator's pod that is ready on another node than `node`; NULL: none. Ready means that it has
// listed everything and may take over at once.
const struct pod *own_standby(const struct core *core, const struct node *node);
// Can the node be drained and a coordinator be left that goes on? Always, when this one runs elsewhere.
bool own_may_leave(const struct core *core, const struct node *node);

#endif

// What this room is for: what looking ahead asks of the core: to take what it withheld as done, and to begin
// with the memory that a running core has. What it knows: the core's own state. What it may not do: be used
// where anything is carried out.
#ifndef VPSIE_COORDINATOR_DECIDE_FORESEE_H
#define VPSIE_COORDINATOR_DECIDE_FORESEE_H

#include "coordinator/decide/state.h"

// A node was underused since then; a core that has just begun would start its window anew.
void foresee_window(struct core *core, const char *node, int64_t underused_since_ms);
// The decision's effects are in the model now: cooldowns and delays run as after the real thing, and the same
// may be decided again. The core is in a dry run.
void foresee_done(struct core *core, const struct decision *decision);
// Waiting pods in the order in which decisions deal them out; the array lives in the arena.
uint32_t foresee_waiting(struct core *core, struct arena *arena, const struct pod ***pods);
// What all machines cost an hour, as far as prices are known.
double foresee_price_hour(struct core *core);
// The node that a machine of this size in the group will be; everything lives in the arena.
struct template_node foresee_machine(struct core *core, struct arena *arena, struct group *group,
                                     int64_t size_id);
const char *foresee_creation_reason(const struct decision *decision); // as its VPSieNodes would carry it
const char *foresee_kind(const struct decision *decision);            // "order", "remove", ...: static text

#endif

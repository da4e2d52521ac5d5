// What this room is for: what the files of a plan's future share. What it knows: the future. What it may not
// do: be used outside plan/.
#ifndef VPSIE_COORDINATOR_PLAN_FUTURE_PARTS_H
#define VPSIE_COORDINATOR_PLAN_FUTURE_PARTS_H

#include "coordinator/decide/state.h"
#include "coordinator/plan/future.h"

// One event through the core, its reads answered at once. The event stays the caller's.
void future_step(struct future *future, struct event *event);
// What every agent said last, or, without any agent in the picture, that nothing but requests is known.
void future_reports(struct future *future);
void future_report_of(struct future *future, const char *node_name);
// What a scheduler does meanwhile: waiting pods that fit somewhere get there. Returns how many.
uint32_t future_settle(struct future *future);
// Make it true: machines come and waiting pods settle, nodes go and their pods settle elsewhere. Returns how
// many waiting pods found a place.
uint32_t future_carry_out(struct future *future, const struct foreseen *seen);

#endif

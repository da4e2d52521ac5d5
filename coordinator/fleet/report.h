// What this room is for: a checked message of the wire → facts in an event. What it knows: both vocabularies.
// What it may not do: check again what wire_report_decode() has checked.
#ifndef VPSIE_COORDINATOR_FLEET_REPORT_H
#define VPSIE_COORDINATOR_FLEET_REPORT_H

#include "common/wire.h"
#include "coordinator/decide/command.h"
#include "coordinator/decide/event.h"

// A new EVENT_AGENT_REPORT that owns copies of everything.
struct event *report_event(const WireReport *report, int64_t received_ms);
// A directive as the wire has it. Borrows the command's strings; `out` must not move afterwards.
struct report_directive {
    Vpsie__Autoscaler__V1__Directive directive;
    Vpsie__Autoscaler__V1__PrepareDrain prepare;
    Vpsie__Autoscaler__V1__CancelDrain cancel;
    Vpsie__Autoscaler__V1__SetInterval interval;
};
void report_directive(struct report_directive *out, const struct command *command);

#endif

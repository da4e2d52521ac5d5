// What this room is for: a plan as JSON, and that JSON as a person reads it. What it knows: the future, the
// explanations of decide/. What it may not do: live on.
#ifndef VPSIE_COORDINATOR_PLAN_REPORT_H
#define VPSIE_COORDINATOR_PLAN_REPORT_H

#include "coordinator/admin/table.h"
#include "coordinator/plan/future.h"

#define REPORT_NODES_DEFAULT 200
#define REPORT_NOW_MS        60000 // what is decided within the first minute is decided "now"

// Before anything was decided, and at the end. The nodes that stay are explained as they are at the end, when
// every window has had its time: what holds them then is what holds them.
cJSON *report_begin(struct future *future, int64_t horizon_ms);
void report_end(cJSON *report, struct future *future, int64_t nodes_max);

void report_show(struct screen *screen, const cJSON *report);

#endif

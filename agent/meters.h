// What this room is for: the agent's own metrics, by name, in one place. What it knows: common/metrics.h.
// What it may not do: measure anything itself.
#ifndef VPSIE_AGENT_METERS_H
#define VPSIE_AGENT_METERS_H

#include "agent/host/view.h"
#include "agent/readiness.h"
#include "common/metrics.h"

#define METERS_ANSWERS 8

struct meters {
    struct metric *samples, *sample_seconds, *sample_cpu_seconds, *inspections;
    struct metric *pods, *unknown_evidence, *inhibitors;
    struct metric *readiness[READINESS_STATES];
    struct metric *drain_open, *drains;
    struct metric *connected, *connections, *dial_errors;
    struct metric *reports, *report_bytes, *complete_reports, *timeouts, *broken_answers;
    struct metric *answers[METERS_ANSWERS]; // by AckStatus; the last one: a status unknown to us
    struct metric *credential_errors;
};

void meters_open(struct meters *meters);
void meters_of_sample(const struct meters *meters, const struct host_view *view, const struct verdict *node,
                      double seconds, double cpu_seconds);

#endif

// What this room is for: who reports: node, boot, this start of the agent. What it knows: /proc and the
// kernel's random numbers. What it may not do: make up a node's name for the coordinator.
#ifndef VPSIE_AGENT_IDENTITY_H
#define VPSIE_AGENT_IDENTITY_H

#include "agent/report.h"
#include "agent/settings.h"

// The node's name as given; with --once and none given the host's name in lower case.
int identity_make(const struct agent_settings *settings, struct report_identity *out, struct error *error);

#endif

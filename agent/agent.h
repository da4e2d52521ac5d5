// What this room is for: the agent's life: sample, judge, report, obey, on one thread that waits for nobody.
// What it knows: all other rooms of the agent. What it may not do: let the coordinator's absence, slowness or
// nonsense touch the sampling.
#ifndef VPSIE_AGENT_AGENT_H
#define VPSIE_AGENT_AGENT_H

#include <stdbool.h>

#include "agent/settings.h"
#include "common/text.h"

struct agent;

// Opens the uplink; a coordinator that is not there yet, or a certificate file that is not, is no error. The
// settings must outlive the agent.
struct agent *agent_create(const struct agent_settings *settings, struct error *error);
void agent_destroy(struct agent *agent); // NULL is fine

void agent_run(struct agent *agent);  // until agent_stop()
void agent_stop(struct agent *agent); // any thread, or a signal handler

// Probes for common/web.h; any thread. Healthy: samples are taken in time. Ready: and the coordinator
// accepted a report not long ago.
bool agent_healthy(void *agent, struct text *why);
bool agent_ready(void *agent, struct text *why);

#endif

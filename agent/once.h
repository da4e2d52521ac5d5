// What this room is for: one full report, printed. What it knows: the host and the report. What it may not
// do: connect to anyone.
#ifndef VPSIE_AGENT_ONCE_H
#define VPSIE_AGENT_ONCE_H

#include <stdio.h>

#include "agent/settings.h"

#define ONCE_WINDOW_MS 1000

// Two samples ONCE_WINDOW_MS apart, so that the rates are real, every pod looked into both times. Returns 0,
// or -1 when it cannot be written.
int once_print(const struct agent_settings *settings, FILE *out, struct error *error);

#endif

// What this room is for: what Prometheus calls process metrics, read from /proc/self.
// What it knows: procfs. What it may not do: fail: what cannot be read is left out.
#ifndef VPSIE_COMMON_METRICS_PROCESS_H
#define VPSIE_COMMON_METRICS_PROCESS_H

#include "common/text.h"

void metrics_append_process(struct text *out);

// "# HELP" and "# TYPE" of one name; backslashes and newlines in `help` are escaped.
void metrics_append_header(struct text *out, const char *name, const char *type, const char *help);

#endif

// What this room is for: pressure stall information of the host. What it knows: /proc/pressure
// (Documentation/accounting/psi.rst). What it may not do: take a kernel without it for a host without
// pressure.
#ifndef VPSIE_AGENT_HOST_PRESSURE_H
#define VPSIE_AGENT_HOST_PRESSURE_H

#include "agent/host/source.h"
#include "agent/host/view.h"

// "full" of the CPU came with Linux 5.13; where the line is missing its averages are 0.
int pressure_parse(struct lines *lines, struct pressure_view *out, struct error *error);
// error->code ENOENT or EOPNOTSUPP: this kernel does not measure it (the text says how to change that).
int pressure_read(int procfs, enum pressure_resource resource, struct pressure_view *out,
                  struct error *error);

#endif

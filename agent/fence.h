// What this room is for: taking from this very process, for good, every file but those it has to read: the
// host's whole tree is mounted in its container, and whoever gets hold of the agent must find nothing there.
// What it knows: Landlock (Linux 5.13, Documentation/userspace-api/landlock.rst). What it may not do: decide
// what the agent needs at run time.
#ifndef VPSIE_AGENT_FENCE_H
#define VPSIE_AGENT_FENCE_H

#include "agent/settings.h"
#include "common/error.h"

// From here on the calling thread and those it starts later can, whoever they run as: read files and
// directories of the host's /proc and /sys, of the inhibitors and of what the connection needs (authority,
// token, name service); list and measure, but not open, what is under the host's root, pods' volumes above
// all; write nowhere; signal nobody else (since Linux 6.12). Call it before any thread is started. 0, or -1
// when the kernel cannot (error->code ENOSYS or EOPNOTSUPP) or something failed: then nothing is fenced.
int fence_raise(const struct agent_settings *settings, struct error *error);

#endif

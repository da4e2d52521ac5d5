// What this room is for: who this binary is. What it knows: build constants. What it may not do: anything
// else.
#ifndef VPSIE_COMMON_VERSION_H
#define VPSIE_COMMON_VERSION_H

const char *version_text(void); // "1.0.0"
// "vpsie-agent 1.0.0 (commit 0123456789ab, built 2026-11-23T12:00:00Z, linux/amd64)"
const char *version_line(const char *program);

#endif

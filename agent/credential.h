// What this room is for: the agent's proof of who it is: its projected ServiceAccount token. What it knows: a
// file that the kubelet rewrites. What it may not do: keep the token, log it, or leave it behind in memory it
// owned.
#ifndef VPSIE_AGENT_CREDENTIAL_H
#define VPSIE_AGENT_CREDENTIAL_H

#include "common/error.h"
#include "common/wire.h"

struct credential {
    char text[WIRE_CREDENTIAL_BYTES_MAX + 2];
};

// Read anew every time: the kubelet replaces the file before the token expires. Blanks around it are cut off;
// an empty or unprintable one is an error. Wipe it as soon as it is used.
int credential_read(const char *path, struct credential *out, struct error *error);
void credential_wipe(struct credential *credential);

#endif

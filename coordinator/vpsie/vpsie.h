// What this room is for: the VPSie door: one account, its API, its limits. Commands in, outcomes out as
// events. What it knows: the VPSie API's shapes and quirks. What it may not do: decide, or repeat the call
// that adds a machine.
#ifndef VPSIE_COORDINATOR_VPSIE_VPSIE_H
#define VPSIE_COORDINATOR_VPSIE_VPSIE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "coordinator/decide/command.h"
#include "coordinator/decide/event.h"

typedef void (*vpsie_sink)(void *context, struct event *event); // takes the event over
typedef bool (*vpsie_may_act)(void *context, uint64_t term);    // asked right before a write leaves

enum vpsie_auth_scheme {
    VPSIE_AUTH_HEADER,
    VPSIE_AUTH_BEARER
}; // "Vpsie-Auth: T" or "Authorization: Bearer T"

struct vpsie_credentials { // strings are copied; wiped when replaced
    const char *token;     // or
    const char *client_id;
    const char *client_secret;
    const char *url; // "" = the option's
};

struct vpsie_options {
    const char *url;     // base; https:// only
    const char *ca_file; // NULL: the system's
    enum vpsie_auth_scheme scheme;
    int32_t rate_per_minute; // 100
    int64_t timeout_ms;      // of one call: 30 s
    int32_t workers;         // concurrent calls: 4
    bool dry_run;            // refuses every write as a last guard
    vpsie_sink sink;
    vpsie_may_act may_act;
    void *context;
};

// What EVENT_VPSIE_STATE says until credentials have been given and tried.
#define VPSIE_NO_CREDENTIALS "there are no VPSie credentials yet"

struct vpsie;
struct vpsie *vpsie_start(const struct vpsie_options *options, struct error *error);
void vpsie_stop(struct vpsie *vpsie);
// New credentials (from the Secret or from files): tried first, adopted only if they work, else the old ones
// stay and the failure is reported (EVENT_VPSIE_STATE). NULL: the Secret is gone; the old ones stay. Any
// thread, does not block.
void vpsie_set_credentials(struct vpsie *vpsie, const struct vpsie_credentials *credentials);
// Takes the command over. Exactly one EVENT_OUTCOME each. Any thread.
void vpsie_submit(struct vpsie *vpsie, struct command *command);

#endif

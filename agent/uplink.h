// What this room is for: one request at a time to the coordinator, never waiting for it. What it knows: NNG
// and bytes. What it may not do: read a message, decide when to send, or block its caller.
#ifndef VPSIE_AGENT_UPLINK_H
#define VPSIE_AGENT_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/link.h"

struct uplink_settings {
    bool insecure;         // plain TCP
    struct link_tls tls;   // files are read anew at each uplink_dial()
    int answer_timeout_ms; // of one request, from its sending to its answer
    int reconnect_min_ms,
        reconnect_max_ms;     // NNG doubles and takes a random part, so that agents do not come at once
    size_t message_bytes_max; // a larger answer ends the connection unread
};

enum uplink_event_kind {
    UPLINK_NOTHING,
    UPLINK_CONNECTED,    // a new connection; an answer to an older request will not come
    UPLINK_DISCONNECTED, //
    UPLINK_ANSWER,       // bytes: the caller frees
    UPLINK_FAILED        // no answer; code is NNG's (NNG_ETIMEDOUT, ...)
};
struct uplink_event {
    enum uplink_event_kind kind;
    uint8_t *bytes;
    size_t length;
    int code;
};

struct uplink;

// Opens sockets and the library's threads; connects to nobody yet. All functions are for one thread; none
// waits.
struct uplink *uplink_create(const struct uplink_settings *settings, struct error *error);
void uplink_destroy(struct uplink *uplink); // waits for callbacks, not for the peer. NULL is fine

// Connect to `address` from now on, in the background, and leave whoever we talked to. On an error there is
// no connection and none is tried.
int uplink_dial(struct uplink *uplink, const char *address, struct error *error);

int uplink_descriptor(const struct uplink *uplink); // poll(2) it for reading: uplink_take() has something
struct uplink_event uplink_take(struct uplink *uplink);

bool uplink_connected(struct uplink *uplink);
bool uplink_busy(struct uplink *uplink); // a request is under way: its ANSWER or FAILED is still to come
// Copies the bytes. Only when connected and not busy.
int uplink_send(struct uplink *uplink, const uint8_t *bytes, size_t length, struct error *error);

#endif

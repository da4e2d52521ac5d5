// What this room is for: what the coordinator knows about each pod, so that only what is new is sent. What it
// knows: evidence and how much change is noise. What it may not do: forget a change whose message may have
// been lost.
#ifndef VPSIE_AGENT_DELTA_H
#define VPSIE_AGENT_DELTA_H

#include "agent/host/view.h"

struct delta_evidence {
    uint32_t cpu_millis;
    uint64_t memory_bytes, local_data_bytes;
    uint32_t connections, processes, uninterruptible;
    uint32_t known; // a bit an enum evidence
    bool host_network, at_least;
    uint64_t words_hash; // reasons of what is unknown, names of volumes
};

struct delta_pod {
    char uid[WIRE_UID_BYTES_MAX + 1];
    bool present;      // in the view that was last compared
    bool acknowledged; // `evidence` is what the coordinator knows
    bool told;         // it may have heard of this pod
    bool in_flight;    // `sent` is (or its end is) in the message under way
    struct delta_evidence evidence, sent;
};

struct delta {
    struct delta_pod *pods; // ascending by UID; those that vanished stay until that is acknowledged
    size_t count, capacity;
};

void delta_free(struct delta *delta);
// Bring the list in line with the view. Afterwards every pod of the view is in it, present.
void delta_update(struct delta *delta, const struct host_view *view);
struct delta_pod *delta_find(const struct delta *delta, const char *uid);
// Does the coordinator not know this yet?
bool delta_is_news(const struct delta_pod *known, const struct pod *pod);
void delta_send(struct delta_pod *known, const struct pod *pod); // NULL: the pod vanished
void delta_accepted(struct delta *delta);
void delta_lost(struct delta *delta);
void delta_forget(struct delta *delta);

#endif

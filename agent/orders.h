// What this room is for: what the coordinator asked of this agent and still stands: one drain to prepare at
// most, and the pace of reports. What it knows: directives. What it may not do: read a clock, answer anyone.
#ifndef VPSIE_AGENT_ORDERS_H
#define VPSIE_AGENT_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/readiness.h"
#include "common/wire.h"

#define ORDERS_DRAIN_INTERVAL_MS 1000

enum orders_change {
    ORDERS_SAME,
    ORDERS_DRAIN_BEGUN,     // a directive with a new id: evaluate and answer now
    ORDERS_DRAIN_CANCELLED, //
    ORDERS_INTERVAL         // another pace
};

struct orders {
    int64_t interval_ms; // between reports while no drain is open
    WireAck *drain_ack;  // owns the open PREPARE_DRAIN; NULL: none
    bool answered;       // a report named it
};

void orders_init(struct orders *orders, int64_t interval_ms);
void orders_free(struct orders *orders);

// Take what an accepted answer asks for; consumes the ack. The same PREPARE_DRAIN again renews its deadline
// and its pods and is no news; one with another id takes the place of the old. CANCEL_DRAIN of another id
// changes nothing.
enum orders_change orders_take(struct orders *orders, WireAck *ack);

// Ends a drain that is past its deadline. It is answered once even if the deadline had passed when it came:
// clocks differ, and the coordinator judges for itself. True when one ended.
bool orders_expire(struct orders *orders, int64_t now_wall_ms);

const char *orders_drain_id(const struct orders *orders); // NULL: none is open
// False when none is open. The question points into the orders.
bool orders_question(const struct orders *orders, struct readiness_question *out);
int64_t orders_interval_ms(const struct orders *orders); // the present pace, a drain's included

#endif

// What this room is for: the limits of every field of the wire's messages, for both directions alike: what
// would be refused is not sent. What it knows: common/wire.h. What it may not do: change a message.
#ifndef VPSIE_COMMON_WIRE_CHECK_H
#define VPSIE_COMMON_WIRE_CHECK_H

#include "common/wire.h"

// 0, or -1 with WIRE_FAULT_VERSION or WIRE_FAULT_INVALID and a text that names the field. A string that is
// NULL counts as empty.
int wire_check_report(const WireReport *report, struct error *error);
int wire_check_ack(const WireAck *ack, struct error *error);

#endif

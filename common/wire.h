// What this room is for: bytes ↔ messages, with every limit of the wire stated and enforced here.
// What it knows: proto/autoscaler.proto. What it may not do: I/O, policy, trust.
#ifndef VPSIE_COMMON_WIRE_H
#define VPSIE_COMMON_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "proto/autoscaler.pb-c.h"

#define WIRE_PROTOCOL_VERSION  1u
#define WIRE_MESSAGE_BYTES_MAX (256u * 1024u)
// The transport lets in this much more than a message may have, so that one slightly over the limit arrives
// here and is refused with a reason and counted, and so that the transport's own header does not count
// against a message. What is larger still is cut off unread: the margin bounds what a peer can make us hold.
#define WIRE_TRANSPORT_MARGIN_BYTES (64u * 1024u)
#define WIRE_TRANSPORT_BYTES_MAX    (WIRE_MESSAGE_BYTES_MAX + WIRE_TRANSPORT_MARGIN_BYTES)

#define WIRE_DEFAULT_PORT         7946
#define WIRE_NODE_NAME_BYTES_MAX  253u // RFC 1123 subdomain
#define WIRE_UID_BYTES_MAX        63u
#define WIRE_PODS_MAX             1024u
#define WIRE_REASONS_MAX          64u
#define WIRE_INHIBITORS_MAX       32u
#define WIRE_TEXT_BYTES_MAX       512u
#define WIRE_CREDENTIAL_BYTES_MAX (16u * 1024u)
#define WIRE_INTERVAL_MS_MIN      500
#define WIRE_INTERVAL_MS_MAX      300000

// Reason codes (struct Reason.code).
#define WIRE_REASON_LOCAL_DATA      "local-data"
#define WIRE_REASON_CONNECTIONS     "connections"
#define WIRE_REASON_UNINTERRUPTIBLE "uninterruptible"
#define WIRE_REASON_PRESSURE        "pressure"
#define WIRE_REASON_FILESYSTEM      "filesystem"
#define WIRE_REASON_INHIBITOR       "inhibitor"
#define WIRE_REASON_UNREADABLE      "unreadable"

typedef Vpsie__Autoscaler__V1__AgentReport WireReport;
typedef Vpsie__Autoscaler__V1__ReportAck WireAck;

// error->code of a refused message.
enum wire_fault {
    WIRE_FAULT_TOO_LARGE = 1, // over WIRE_MESSAGE_BYTES_MAX
    WIRE_FAULT_MALFORMED,     // not protobuf, truncated
    WIRE_FAULT_VERSION,       // protocol_version this side does not speak
    WIRE_FAULT_INVALID        // a field out of its limits: the text names it
};

// Unpack and check every limit: counts, lengths, printable ASCII in names and ids, UTF-8 in texts, finite and
// non-negative numbers, known enums, sample window not negative. NULL with error->code = enum wire_fault.
// On WIRE_FAULT_VERSION `*version` (may be NULL) is what the peer said. Free with wire_report_free().
WireReport *wire_report_decode(const uint8_t *bytes, size_t length, uint32_t *version, struct error *error);
void wire_report_free(WireReport *report);
// malloc'ed bytes and their length; NULL when it would be over the limit. The caller frees.
uint8_t *wire_report_encode(const WireReport *report, size_t *length, struct error *error);

WireAck *wire_ack_decode(const uint8_t *bytes, size_t length, struct error *error);
void wire_ack_free(WireAck *ack);
uint8_t *wire_ack_encode(const WireAck *ack, size_t *length, struct error *error);

// Is `text` a canonical pod UID (36 characters, lower-case hex and dashes) or, for static pods, 32 hex
// characters?
int wire_check_uid(const char *text, struct error *error);

#endif

#include "common/wire.h"

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/wire_check.h"

// What one message may take once unpacked. Two bytes on the wire can ask for a struct of two hundred, so the
// bound on the bytes alone would let a peer take many times as much.
#define UNPACKED_BYTES_MAX    (4u * 1024u * 1024u)
#define UNPACKED_GROWTH       5u // of a usual report: its memory is had at once
#define FIRST_BLOCK_BYTES_MIN 1024u
#define FIRST_BLOCK_BYTES_MAX (64u * 1024u)

// A message and all that belongs to it lie in one arena, so that a report costs a few allocations and not one
// a field. The arena's address stands in front of the message.
#define OWNER_BYTES alignof(max_align_t)

struct region {
    struct arena *arena;
    size_t left_bytes;
    bool begun, exhausted;
};

static void *region_alloc(void *context, size_t bytes)
{
    struct region *region = context;
    if (bytes > region->left_bytes) {
        region->exhausted = true;
        return NULL;
    }
    region->left_bytes -= bytes;
    if (region->begun)
        return arena_alloc(region->arena, bytes);
    region->begun = true; // the first is the message itself
    unsigned char *memory = arena_alloc(region->arena, OWNER_BYTES + bytes);
    memcpy(memory, &region->arena, sizeof(region->arena));
    return memory + OWNER_BYTES;
}

static void region_free(void *context, void *memory)
{
    (void)context;
    (void)memory;
}

static void free_message(ProtobufCMessage *message)
{
    struct arena *arena;
    memcpy(&arena, (unsigned char *)message - OWNER_BYTES, sizeof(arena));
    arena_destroy(arena);
}

static int check_length(size_t length, struct error *error)
{
    if (length <= WIRE_MESSAGE_BYTES_MAX)
        return 0;
    return error_set(error, WIRE_FAULT_TOO_LARGE, "a message of %zu bytes is over the limit of %u", length,
                     WIRE_MESSAGE_BYTES_MAX);
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                                size_t length, struct error *error)
{
    static const uint8_t nothing[1];
    size_t expected = FIRST_BLOCK_BYTES_MIN + length * UNPACKED_GROWTH;
    struct region region = {
        .arena = arena_create(expected < FIRST_BLOCK_BYTES_MAX ? expected : FIRST_BLOCK_BYTES_MAX),
        .left_bytes = UNPACKED_BYTES_MAX};
    ProtobufCAllocator allocator = {.alloc = region_alloc, .free = region_free, .allocator_data = &region};
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &allocator, length, length == 0 ? nothing : bytes);
    if (message != NULL)
        return message;
    if (region.exhausted)
        error_set(error, WIRE_FAULT_INVALID, "the message holds too many fields");
    else
        error_set(error, WIRE_FAULT_MALFORMED, "%zu bytes are not a %s", length, descriptor->short_name);
    arena_destroy(region.arena);
    return NULL;
}

// A message from a version that we do not speak may lack what we require, so the version is looked for before
// all else. Wire types as in https://protobuf.dev/programming-guides/encoding/.
enum { WIRE_TYPE_VARINT = 0, WIRE_TYPE_64 = 1, WIRE_TYPE_BYTES = 2, WIRE_TYPE_32 = 5 };

static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7fu) << shift;
        if ((byte & 0x80u) == 0) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool find_version(const uint8_t *bytes, size_t length, uint32_t *version)
{
    const uint8_t *at = bytes;
    const uint8_t *end = bytes + length;
    bool found = false;
    uint64_t key;
    while (at < end && take_varint(&at, end, &key)) {
        uint64_t value = 0;
        uint64_t skip = 0;
        switch (key & 7u) {
        case WIRE_TYPE_VARINT:
            if (!take_varint(&at, end, &value))
                return found;
            break;
        case WIRE_TYPE_64: skip = 8; break;
        case WIRE_TYPE_32: skip = 4; break;
        case WIRE_TYPE_BYTES:
            if (!take_varint(&at, end, &skip))
                return found;
            break;
        default: return found;
        }
        if (key == ((1u << 3) | WIRE_TYPE_VARINT)) { // the last one counts, as for every field
            *version = (uint32_t)value;
            found = true;
        }
        if (skip > (uint64_t)(end - at))
            return found;
        at += skip;
    }
    return found;
}

WireReport *wire_report_decode(const uint8_t *bytes, size_t length, uint32_t *version, struct error *error)
{
    assert(bytes != NULL || length == 0);
    if (check_length(length, error) < 0)
        return NULL;
    uint32_t found = 0;
    if (length > 0 && find_version(bytes, length, &found) && found != WIRE_PROTOCOL_VERSION) {
        if (version != NULL)
            *version = found;
        error_set(error, WIRE_FAULT_VERSION, "protocol version %u is not spoken here, %u is", found,
                  WIRE_PROTOCOL_VERSION);
        return NULL;
    }
    ProtobufCMessage *message =
        unpack(&vpsie__autoscaler__v1__agent_report__descriptor, bytes, length, error);
    if (message == NULL)
        return NULL;
    WireReport *report = (WireReport *)message;
    if (wire_check_report(report, error) < 0) {
        wire_report_free(report);
        return NULL;
    }
    return report;
}

void wire_report_free(WireReport *report)
{
    if (report != NULL)
        free_message(&report->base);
}

static uint8_t *pack(const ProtobufCMessage *message, size_t *length, struct error *error)
{
    assert(length != NULL);
    *length = protobuf_c_message_get_packed_size(message);
    if (check_length(*length, error) < 0)
        return NULL;
    uint8_t *bytes = xcalloc(*length, 1);
    size_t packed = protobuf_c_message_pack(message, bytes);
    assert(packed == *length);
    (void)packed;
    return bytes;
}

uint8_t *wire_report_encode(const WireReport *report, size_t *length, struct error *error)
{
    assert(report != NULL);
    return wire_check_report(report, error) < 0 ? NULL : pack(&report->base, length, error);
}

// A directive of a kind that is newer than this side is as if it had not been sent.
static void drop_unknown_directive(WireAck *ack)
{
    if (ack->directive != NULL &&
        ack->directive->kind_case == VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND__NOT_SET)
        ack->directive = NULL;
}

WireAck *wire_ack_decode(const uint8_t *bytes, size_t length, struct error *error)
{
    assert(bytes != NULL || length == 0);
    if (check_length(length, error) < 0)
        return NULL;
    ProtobufCMessage *message = unpack(&vpsie__autoscaler__v1__report_ack__descriptor, bytes, length, error);
    if (message == NULL)
        return NULL;
    WireAck *ack = (WireAck *)message;
    drop_unknown_directive(ack);
    if (wire_check_ack(ack, error) < 0) {
        wire_ack_free(ack);
        return NULL;
    }
    return ack;
}

void wire_ack_free(WireAck *ack)
{
    if (ack != NULL)
        free_message(&ack->base);
}

uint8_t *wire_ack_encode(const WireAck *ack, size_t *length, struct error *error)
{
    assert(ack != NULL);
    return wire_check_ack(ack, error) < 0 ? NULL : pack(&ack->base, length, error);
}

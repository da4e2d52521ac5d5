// What this room is for: Kubernetes quantities ("100m", "1.5Gi", "2e3") exactly as Kubernetes parses and
// rounds them. What it knows: the resource.Quantity grammar. What it may not do: guess; what Kubernetes
// refuses is refused.
#ifndef VPSIE_COORDINATOR_MODEL_QUANTITY_H
#define VPSIE_COORDINATOR_MODEL_QUANTITY_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

// Suffixes n u m (none) k M G T P E, Ki Mi Gi Ti Pi Ei, decimal exponents e/E. Results round up (away from
// zero), as Quantity.MilliValue() and Quantity.Value() do. Values beyond int64 saturate: Kubernetes caps
// those with a binary suffix, and its accessors overflow for others. Negative quantities parse. A caller that
// counts refuses both. Return 0, or -1 naming the text.
int quantity_parse_millis(const char *text, size_t length, int64_t *out, struct error *error);
int quantity_parse_units(const char *text, size_t length, int64_t *out, struct error *error);

// "1.5 cpu" / "250m"; "3.2 GiB": for people. Buffers of at least 32 bytes.
void quantity_format_cpu(char *buffer, size_t bytes, int64_t millis);
void quantity_format_memory(char *buffer, size_t bytes, int64_t memory_bytes);

#endif

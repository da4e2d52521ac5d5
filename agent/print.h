// What this room is for: one report for a person or a script. What it knows: the generated messages'
// descriptors. What it may not do: print a credential.
#ifndef VPSIE_AGENT_PRINT_H
#define VPSIE_AGENT_PRINT_H

#include "common/text.h"
#include "common/wire.h"

// JSON with the names of the protobuf file: numbers as numbers (64-bit ones too), enums by name, what is
// absent left out. Indented by two spaces, a newline at the end.
void print_json(const ProtobufCMessage *message, struct text *out);

// A table that fits a terminal.
void print_text(const WireReport *report, struct text *out);

#endif

#include "agent/print.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define SECRET_FIELD "credential"

struct printing {
    struct text *out;
    int depth;
};

static void print_message(struct printing *printing, const ProtobufCMessage *message);

static void new_line(struct printing *printing)
{
    text_printf(printing->out, "\n%*s", printing->depth * 2, "");
}

static void print_real(struct printing *printing, double value, int digits)
{
    text_printf(printing->out, "%.*g", digits, isfinite(value) ? value : 0.0);
}

static void print_enum(struct printing *printing, const ProtobufCFieldDescriptor *field, int value)
{
    const ProtobufCEnumValue *named = protobuf_c_enum_descriptor_get_value(field->descriptor, value);
    if (named)
        text_append_json_string(printing->out, named->name);
    else
        text_printf(printing->out, "%d", value);
}

static void print_value(struct printing *printing, const ProtobufCFieldDescriptor *field, const void *value)
{
    struct text *out = printing->out;
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32: text_printf(out, "%" PRIu32, *(const uint32_t *)value); break;
    case PROTOBUF_C_TYPE_UINT64: text_printf(out, "%" PRIu64, *(const uint64_t *)value); break;
    case PROTOBUF_C_TYPE_INT32: text_printf(out, "%" PRId32, *(const int32_t *)value); break;
    case PROTOBUF_C_TYPE_INT64: text_printf(out, "%" PRId64, *(const int64_t *)value); break;
    case PROTOBUF_C_TYPE_FLOAT: print_real(printing, (double)*(const float *)value, 6); break;
    case PROTOBUF_C_TYPE_DOUBLE: print_real(printing, *(const double *)value, 15); break;
    case PROTOBUF_C_TYPE_BOOL: text_append(out, *(const protobuf_c_boolean *)value ? "true" : "false"); break;
    case PROTOBUF_C_TYPE_ENUM: print_enum(printing, field, *(const int *)value); break;
    case PROTOBUF_C_TYPE_STRING: text_append_json_string(out, *(char *const *)value); break;
    case PROTOBUF_C_TYPE_MESSAGE: print_message(printing, *(ProtobufCMessage *const *)value); break;
    default: text_append(out, "null"); break; // of a type that no message of ours has
    }
}

static size_t value_bytes(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING: return sizeof(void *);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_DOUBLE: return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    default: return sizeof(uint32_t);
    }
}

static const void *at(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

static void print_array(struct printing *printing, const ProtobufCMessage *message,
                        const ProtobufCFieldDescriptor *field)
{
    size_t count = *(const size_t *)at(message, field->quantifier_offset);
    const char *values = *(char *const *)at(message, field->offset);
    text_append(printing->out, "[");
    printing->depth++;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text_append(printing->out, ",");
        new_line(printing);
        print_value(printing, field, values + i * value_bytes(field));
    }
    printing->depth--;
    if (count > 0)
        new_line(printing);
    text_append(printing->out, "]");
}

// Strings and messages are absent when they are NULL, numbers when their has_ member says so.
static bool is_there(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (strcmp(field->name, SECRET_FIELD) == 0)
        return false;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)at(message, field->quantifier_offset) == field->id;
    if (field->label == PROTOBUF_C_LABEL_REPEATED || field->label == PROTOBUF_C_LABEL_REQUIRED)
        return true;
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)at(message, field->offset) != NULL;
    return *(const protobuf_c_boolean *)at(message, field->quantifier_offset) != 0;
}

static void print_message(struct printing *printing, const ProtobufCMessage *message)
{
    bool first = true;
    text_append(printing->out, "{");
    printing->depth++;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (!is_there(message, field))
            continue;
        text_append(printing->out, first ? "" : ",");
        first = false;
        new_line(printing);
        text_append_json_string(printing->out, field->name);
        text_append(printing->out, ": ");
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            print_array(printing, message, field);
        else
            print_value(printing, field, at(message, field->offset));
    }
    printing->depth--;
    if (!first)
        new_line(printing);
    text_append(printing->out, "}");
}

void print_json(const ProtobufCMessage *message, struct text *out)
{
    struct printing printing = {.out = out};
    print_message(&printing, message);
    text_append(out, "\n");
}

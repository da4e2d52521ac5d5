// What this room is for: one line a fact on stderr, JSON or readable. What it knows: levels, fields.
// What it may not do: print a secret (callers never pass one), block for long, or be called from the pure
// core.
#ifndef VPSIE_COMMON_LOG_H
#define VPSIE_COMMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT }; // auto: text on a terminal, else JSON

// Call once before threads start. `program` must outlive the process.
void log_init(const char *program, enum log_format format, enum log_level level);
// Any thread, any time.
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
bool log_enabled(enum log_level level);
int log_parse_level(const char *text, enum log_level *out, struct error *error);
int log_parse_format(const char *text, enum log_format *out, struct error *error);
const char *log_level_name(enum log_level level);

// A message and fields. Fields are name/value pairs made with the macros below, ended by LOG_END:
//   log_event(LOG_INFO, "machine ordered", LOG_S("group", name), LOG_I("wanted", 3), LOG_END);
struct log_field {
    const char *name;
    enum { LOG_FIELD_END, LOG_FIELD_STRING, LOG_FIELD_INTEGER, LOG_FIELD_DOUBLE, LOG_FIELD_BOOL } type;
    const char *string; // NULL prints as null
    int64_t integer;
    double real;
};
#define LOG_S(n, v)                    ((struct log_field){.name = (n), .type = LOG_FIELD_STRING, .string = (v)})
#define LOG_I(n, v)                    ((struct log_field){.name = (n), .type = LOG_FIELD_INTEGER, .integer = (int64_t)(v)})
#define LOG_F(n, v)                    ((struct log_field){.name = (n), .type = LOG_FIELD_DOUBLE, .real = (v)})
#define LOG_B(n, v)                    ((struct log_field){.name = (n), .type = LOG_FIELD_BOOL, .integer = (v) ? 1 : 0})
#define LOG_END                        ((struct log_field){.name = 0, .type = LOG_FIELD_END})
#define log_event(level, message, ...) log_write((level), (message), (const struct log_field[]){__VA_ARGS__})

// One write(2) a line; values are escaped (no line or terminal control can be injected by a value).
// Thread-safe. Lines below the level are dropped. A message + fields over 16 KiB are cut and marked.
void log_write(enum log_level level, const char *message, const struct log_field *fields);

#endif

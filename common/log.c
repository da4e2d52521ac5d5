#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/text.h"

#define LINE_BYTES_MAX ((size_t)16 * 1024)
#define FIELDS_MAX     64

static const char *program_name = "vpsie";
static bool as_json = true;
static bool in_colour;
static _Atomic int lowest_level = LOG_INFO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(const char *program, enum log_format format, enum log_level level)
{
    assert(program != NULL);
    bool terminal = isatty(STDERR_FILENO) == 1;
    program_name = program;
    as_json = format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !terminal);
    const char *no_colour = getenv("NO_COLOR");
    in_colour = !as_json && terminal && (no_colour == NULL || no_colour[0] == '\0');
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&lowest_level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&lowest_level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return level >= log_get_level();
}

const char *log_level_name(enum log_level level)
{
    assert(level >= LOG_DEBUG && level <= LOG_ERROR);
    return level_names[level];
}

int log_parse_level(const char *text, enum log_level *out, struct error *error)
{
    for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        if (text_equal_fold(text, level_names[level])) {
            *out = (enum log_level)level;
            return 0;
        }
    }
    return error_set(error, EINVAL, "\"%s\" is not a log level: debug, info, warn or error",
                     text_show(text, strlen(text)).text);
}

int log_parse_format(const char *text, enum log_format *out, struct error *error)
{
    static const char *const names[] = {"auto", "json", "text"};
    for (int format = LOG_FORMAT_AUTO; format <= LOG_FORMAT_TEXT; format++) {
        if (text_equal_fold(text, names[format])) {
            *out = (enum log_format)format;
            return 0;
        }
    }
    return error_set(error, EINVAL, "\"%s\" is not a log format: auto, json or text",
                     text_show(text, strlen(text)).text);
}

static void append_number(struct text *line, double value)
{
    if (isfinite(value))
        text_printf(line, "%.12g", value);
    else
        text_append(line, "null");
}

static void append_json_value(struct text *line, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_STRING:
        if (field->string == NULL)
            text_append(line, "null");
        else
            text_append_json_string(line, field->string);
        return;
    case LOG_FIELD_INTEGER: text_printf(line, "%" PRId64, field->integer); return;
    case LOG_FIELD_DOUBLE: append_number(line, field->real); return;
    case LOG_FIELD_BOOL: text_append(line, field->integer != 0 ? "true" : "false"); return;
    case LOG_FIELD_END: return;
    }
}

// Bare when nobody could mistake where it ends, a JSON string otherwise.
static bool is_plain(const char *value)
{
    if (*value == '\0')
        return false;
    for (const char *c = value; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\' || *c == '=')
            return false;
    }
    return true;
}

static void append_text_value(struct text *line, const struct log_field *field)
{
    if (field->type == LOG_FIELD_STRING && field->string != NULL && is_plain(field->string))
        text_append(line, field->string);
    else
        append_json_value(line, field);
}

// A message is shown as it is, but for what would move the cursor or start a new line.
static void append_text_message(struct text *line, const char *message)
{
    struct text AUTOTEXT quoted = {0};
    text_append_json_string(&quoted, message);
    for (size_t i = 1; i + 1 < quoted.length; i++) {
        if (quoted.bytes[i] == '\\' && (quoted.bytes[i + 1] == '"' || quoted.bytes[i + 1] == '\\'))
            i++;
        text_append_bytes(line, &quoted.bytes[i], 1);
    }
}

static void append_time(struct text *line)
{
    char stamp[32];
    int64_t now_ms = clock_wall_ms();
    if (as_json) {
        text_format_time_micro(stamp, sizeof(stamp), now_ms);
        text_printf(line, "{\"ts\":\"%.23sZ\"", stamp); // milliseconds are what the clock gave
        return;
    }
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm local;
    localtime_r(&seconds, &local);
    text_printf(line, "%02d:%02d:%02d.%03d", local.tm_hour, local.tm_min, local.tm_sec, (int)(now_ms % 1000));
}

static void write_json(struct text *line, enum log_level level, const char *message,
                       const struct log_field *fields)
{
    append_time(line);
    text_printf(line, ",\"level\":\"%s\",\"program\":", level_names[level]);
    text_append_json_string(line, program_name);
    text_append(line, ",\"msg\":");
    text_append_json_string(line, message);
    for (int i = 0; fields != NULL && i < FIELDS_MAX && fields[i].type != LOG_FIELD_END; i++) {
        size_t before = line->length;
        text_append(line, ",");
        text_append_json_string(line, fields[i].name);
        text_append(line, ":");
        append_json_value(line, &fields[i]);
        if (line->length >
            LINE_BYTES_MAX) { // a field that does not fit is left out whole: the line stays JSON
            line->length = before;
            text_append(line, ",\"cut\":true");
            break;
        }
    }
    text_append(line, "}\n");
}

static void write_text(struct text *line, enum log_level level, const char *message,
                       const struct log_field *fields)
{
    static const char *const labels[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    static const char *const colours[] = {"\033[2m", "\033[36m", "\033[33m", "\033[31m"};
    const char *dim = in_colour ? "\033[2m" : "";
    const char *reset = in_colour ? "\033[0m" : "";
    text_append(line, dim);
    append_time(line);
    text_printf(line, "%s %s%s%s ", reset, in_colour ? colours[level] : "", labels[level], reset);
    append_text_message(line, message);
    for (int i = 0; fields != NULL && i < FIELDS_MAX && fields[i].type != LOG_FIELD_END; i++) {
        size_t before = line->length;
        text_printf(line, "  %s", dim);
        append_text_message(line, fields[i].name);
        text_printf(line, "=%s", reset);
        append_text_value(line, &fields[i]);
        if (line->length > LINE_BYTES_MAX) {
            line->length = before;
            text_append(line, "  (cut)");
            break;
        }
    }
    text_append(line, "\n");
}

// A message this long is cut before anything else, at a character.
static const char *bounded_message(const char *message, struct text *copy)
{
    const size_t bytes_max = LINE_BYTES_MAX / 8; // an escaped byte takes up to six
    size_t length = strnlen(message, bytes_max + 1);
    if (length <= bytes_max)
        return message;
    length = bytes_max;
    while (length > 0 && ((unsigned char)message[length] & 0xc0u) == 0x80u)
        length--;
    text_append_bytes(copy, message, length);
    text_append(copy, "... (cut)");
    return text_get(copy);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    assert(message != NULL && level >= LOG_DEBUG && level <= LOG_ERROR);
    if (!log_enabled(level))
        return;
    int saved_errno = errno;
    struct text AUTOTEXT copy = {0};
    struct text AUTOTEXT line = {0};
    message = bounded_message(message, &copy);
    if (as_json)
        write_json(&line, level, message, fields);
    else
        write_text(&line, level, message, fields);
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line.bytes, line.length);
    } while (written < 0 && errno == EINTR);
    errno = saved_errno;
}

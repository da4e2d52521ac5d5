// What this room is for: text in and out: a growing buffer, numbers, times, sizes for people.
// What it knows: no domain at all. What it may not do: guess; every parser is total and says what was wrong.
#ifndef VPSIE_COMMON_TEXT_H
#define VPSIE_COMMON_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

// A growing, always terminated buffer. Zero-initialise; free with text_free().
struct text {
    char *bytes; // NULL while empty and never grown: use text_get()
    size_t length;
    size_t capacity;
};
void text_append(struct text *text, const char *bytes);
void text_append_bytes(struct text *text, const void *bytes, size_t length);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(struct text *text, const char *format, va_list arguments);
const char *text_get(const struct text *text); // "" when empty
void text_clear(struct text *text);
void text_free(struct text *text);
char *text_take(struct text *text); // the caller frees; never NULL; the buffer is empty afterwards
#define AUTOTEXT __attribute__((cleanup(text_free)))

// Length of the valid UTF-8 character (RFC 3629) at the front, 0 when there is none.
size_t text_utf8_length(const char *text, size_t length);

// JSON string literal with quotes and escapes (invalid UTF-8 becomes U+FFFD). Control characters are escaped,
// those above 127 too: what is written moves no terminal's cursor.
void text_append_json_string(struct text *text, const char *string);

// A copy of a given text that is fit for an error: cut, '?' in place of what cannot be printed.
#define TEXT_SHOWN_BYTES_MAX 64
struct text_shown {
    char text[TEXT_SHOWN_BYTES_MAX + 4];
};
struct text_shown text_show(const char *text, size_t length);

// Whole-string parsers: the entire [text, text+length) must be the number. Return 0, or -1 with an error that
// names the text and what would be right. No leading space, no sign unless stated.
int text_parse_u64(const char *text, size_t length, uint64_t *out, struct error *error);
int text_parse_i64(const char *text, size_t length, int64_t *out,
                   struct error *error); // one leading '-' allowed
int text_parse_double(const char *text, size_t length, double *out, struct error *error); // finite, C locale
// "1h30m", "250ms", "90s", "0": Go's duration syntax for h, m, s, ms; a bare number is an error except 0.
int text_parse_duration_ms(const char *text, size_t length, int64_t *out_ms, struct error *error);

// RFC 3339 ("2024-01-02T03:04:05Z", fractions, offsets) or "YYYY-MM-DD HH:MM:SS" (taken as UTC) → Unix
// milliseconds.
int text_parse_time_ms(const char *text, size_t length, int64_t *out_ms, struct error *error);
// Writes "2024-01-02T03:04:05Z" (metav1.Time) or with microseconds (metav1.MicroTime). Buffers: at least 32
// bytes.
void text_format_time(char *buffer, size_t bytes, int64_t unix_ms);
void text_format_time_micro(char *buffer, size_t bytes, int64_t unix_ms);

// For people: "212 MiB", "3.4 GiB"; "45s", "2m10s", "3h05m", "4d".
void text_format_bytes(char *buffer, size_t bytes, uint64_t value);
void text_format_duration(char *buffer, size_t bytes, int64_t ms);

bool text_equal(const char *a, const char *b);      // NULL equals only NULL
bool text_equal_fold(const char *a, const char *b); // ASCII case-insensitive; NULL equals only NULL
bool text_starts_with(const char *text, const char *prefix);
bool text_contains_fold(const char *haystack, const char *needle); // ASCII case-insensitive

// Read a whole regular or proc file, at most bytes_max (more is an error naming the file). Appends to `out`.
int text_read_file(const char *path, size_t bytes_max, struct text *out, struct error *error);

#endif

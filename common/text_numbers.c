#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define DOUBLE_TEXT_BYTES_MAX 400 // longer than any number that a person or a JSON writer makes
#define DURATION_BYTES_MAX    64

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

enum digits { DIGITS_NONE, DIGITS_OK, DIGITS_TOO_LARGE };

static enum digits read_digits(const char *text, size_t length, uint64_t *out)
{
    uint64_t value = 0;
    if (length == 0)
        return DIGITS_NONE;
    bool too_large = false;
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(text[i]))
            return DIGITS_NONE;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            too_large = true;
    }
    *out = value;
    return too_large ? DIGITS_TOO_LARGE : DIGITS_OK;
}

int text_parse_u64(const char *text, size_t length, uint64_t *out, struct error *error)
{
    assert(out != NULL && (text != NULL || length == 0));
    uint64_t value;
    switch (read_digits(text, length, &value)) {
    case DIGITS_OK: *out = value; return 0;
    case DIGITS_TOO_LARGE:
        return error_set(error, ERANGE, "\"%s\" is too large: at most %" PRIu64, text_show(text, length).text,
                         UINT64_MAX);
    case DIGITS_NONE: break;
    }
    return error_set(error, EINVAL, "\"%s\" is not a whole number: digits only",
                     text_show(text, length).text);
}

int text_parse_i64(const char *text, size_t length, int64_t *out, struct error *error)
{
    assert(out != NULL && (text != NULL || length == 0));
    bool negative = length > 0 && text[0] == '-';
    uint64_t magnitude;
    enum digits digits = read_digits(text + negative, length - negative, &magnitude);
    if (digits == DIGITS_NONE)
        return error_set(error, EINVAL, "\"%s\" is not a whole number: digits, with '-' in front if negative",
                         text_show(text, length).text);
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1u : 0u);
    if (digits == DIGITS_TOO_LARGE || magnitude > limit)
        return error_set(error, ERANGE, "\"%s\" is out of range: %" PRId64 " to %" PRId64,
                         text_show(text, length).text, INT64_MIN, INT64_MAX);
    *out = negative ? (int64_t)(0u - magnitude) : (int64_t)magnitude;
    return 0;
}

// [-]digits[.digits][(e|E)[+|-]digits], so that "inf", "nan", "0x1p3" and spaces never reach strtod().
static bool is_decimal(const char *text, size_t length)
{
    size_t i = 0;
    if (i < length && text[i] == '-')
        i++;
    size_t whole = i;
    while (i < length && is_digit(text[i]))
        i++;
    size_t digits = i - whole;
    if (i < length && text[i] == '.') {
        size_t fraction = ++i;
        while (i < length && is_digit(text[i]))
            i++;
        digits = i > fraction ? digits + 1 : 0; // "1." is not a number
    }
    if (digits == 0)
        return false;
    if (i < length && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        if (i < length && (text[i] == '+' || text[i] == '-'))
            i++;
        size_t exponent = i;
        while (i < length && is_digit(text[i]))
            i++;
        if (i == exponent)
            return false;
    }
    return i == length;
}

// The process may have taken on a locale whose decimal point is a comma.
static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    assert(c_locale != (locale_t)0);
}

int text_parse_double(const char *text, size_t length, double *out, struct error *error)
{
    assert(out != NULL && (text != NULL || length == 0));
    if (length > DOUBLE_TEXT_BYTES_MAX || !is_decimal(text, length))
        return error_set(error, EINVAL, "\"%s\" is not a number such as 12, 0.5 or -1e3",
                         text_show(text, length).text);
    char copy[DOUBLE_TEXT_BYTES_MAX + 1];
    memcpy(copy, text, length);
    copy[length] = '\0';
    pthread_once(&c_locale_once, make_c_locale);
    double value = strtod_l(copy, NULL, c_locale);
    if (!isfinite(value))
        return error_set(error, ERANGE, "\"%s\" is too large for a number", text_show(text, length).text);
    *out = value;
    return 0;
}

struct unit {
    const char *name;
    int64_t ms;
};

// The longest name that fits comes first: "ms" before "m".
static const struct unit *find_unit(const char *text, size_t length)
{
    static const struct unit units[] = {{"ms", 1}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t name_length = strlen(units[i].name);
        if (length >= name_length && memcmp(text, units[i].name, name_length) == 0)
            return &units[i];
    }
    return NULL;
}

// What the fraction "25" of a unit of `unit_ms` is in whole milliseconds; less than one is dropped.
static int64_t fraction_ms(const char *digits, size_t count, int64_t unit_ms)
{
    uint64_t value = 0;
    uint64_t scale = 1;
    for (size_t i = 0; i < count && i < 9; i++) {
        value = value * 10 + (uint64_t)(digits[i] - '0');
        scale *= 10;
    }
    return (int64_t)(value * (uint64_t)unit_ms / scale);
}

// One "12.5h" at the front of the text. Returns its length, 0 if it is not one, or -1 on overflow.
static int parse_duration_part(const char *text, size_t length, int64_t *total_ms)
{
    size_t whole = 0;
    while (whole < length && is_digit(text[whole]))
        whole++;
    size_t i = whole;
    size_t fraction = 0;
    if (i < length && text[i] == '.') {
        i++;
        while (i + fraction < length && is_digit(text[i + fraction]))
            fraction++;
    }
    const struct unit *unit = find_unit(text + i + fraction, length - i - fraction);
    if (whole + fraction == 0 || unit == NULL)
        return 0;
    uint64_t count = 0;
    int64_t part_ms;
    if (whole > 0 && read_digits(text, whole, &count) != DIGITS_OK)
        return -1;
    if (__builtin_mul_overflow(count, unit->ms, &part_ms) ||
        __builtin_add_overflow(part_ms, fraction_ms(text + i, fraction, unit->ms), &part_ms) ||
        __builtin_add_overflow(*total_ms, part_ms, total_ms))
        return -1;
    return (int)(i + fraction + strlen(unit->name));
}

int text_parse_duration_ms(const char *text, size_t length, int64_t *out_ms, struct error *error)
{
    assert(out_ms != NULL && (text != NULL || length == 0));
    size_t at = 0;
    int64_t total_ms = 0;
    if (length == 1 && text[0] == '0') {
        *out_ms = 0;
        return 0;
    }
    bool good = length > 0 && length <= DURATION_BYTES_MAX;
    while (good && at < length) {
        int used = parse_duration_part(text + at, length - at, &total_ms);
        if (used < 0)
            return error_set(error, ERANGE, "\"%s\" is too long a time", text_show(text, length).text);
        good = used > 0;
        at += (size_t)used;
    }
    if (!good)
        return error_set(error, EINVAL,
                         "\"%s\" is not a duration such as 250ms, 90s, 5m or 1h30m (a unit is needed)",
                         text_show(text, length).text);
    *out_ms = total_ms;
    return 0;
}

void text_format_bytes(char *buffer, size_t bytes, uint64_t value)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    uint64_t rest = 0; // of 1024ths of the unit
    while (value >= 1024) {
        rest = value % 1024;
        value /= 1024;
        unit++;
    }
    uint64_t tenths = (rest * 10 + 512) / 1024;
    if (value >= 100)
        tenths = tenths >= 5 ? 10 : 0;
    value += tenths / 10;
    tenths %= 10;
    if (value == 1024) {
        value = 1;
        unit++;
    }
    if (tenths == 0)
        snprintf(buffer, bytes, "%" PRIu64 " %s", value, units[unit]);
    else
        snprintf(buffer, bytes, "%" PRIu64 ".%" PRIu64 " %s", value, tenths, units[unit]);
}

void text_format_duration(char *buffer, size_t bytes, int64_t ms)
{
    const char *sign = ms < 0 ? "-" : "";
    uint64_t left_ms = ms < 0 ? 0u - (uint64_t)ms : (uint64_t)ms;
    uint64_t seconds = left_ms / 1000;
    if (left_ms > 0 && left_ms < 1000)
        snprintf(buffer, bytes, "%s%" PRIu64 "ms", sign, left_ms);
    else if (seconds < 60)
        snprintf(buffer, bytes, "%s%" PRIu64 "s", sign, seconds);
    else if (seconds < 3600)
        snprintf(buffer, bytes, "%s%" PRIu64 "m%02" PRIu64 "s", sign, seconds / 60, seconds % 60);
    else if (seconds < 86400)
        snprintf(buffer, bytes, "%s%" PRIu64 "h%02" PRIu64 "m", sign, seconds / 3600, seconds / 60 % 60);
    else if (seconds / 86400 < 4 && seconds / 3600 % 24 != 0)
        snprintf(buffer, bytes, "%s%" PRIu64 "d%02" PRIu64 "h", sign, seconds / 86400, seconds / 3600 % 24);
    else
        snprintf(buffer, bytes, "%s%" PRIu64 "d", sign, seconds / 86400);
}

#include "coordinator/model/quantity.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

// The grammar and its oddities ("1.Gi", "+1" and ".5" are quantities, "1e" and "1 Gi" are not) are those of
// ParseQuantity in k8s.io/apimachinery/pkg/api/resource. It works on numbers of any length; more than this is
// refused here.
#define QUANTITY_BYTES_MAX 256u
#define EXPONENT_MAX       1000000

struct quantity {
    bool negative;
    uint8_t digits[QUANTITY_BYTES_MAX]; // without leading zeros
    uint32_t digit_count;
    int32_t point;          // the value is 0.DIGITS times ten to the power of this,
    uint32_t binary_powers; // times two to the power of this
};

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static int refuse(struct error *error, const char *text, size_t length, const char *what)
{
    return error_set(error, 0, "\"%s\" is not a Kubernetes quantity: %s", text_show(text, length).text, what);
}

static void add_digit(struct quantity *quantity, char character, bool after_point)
{
    if (quantity->digit_count == 0 && character == '0') {
        if (after_point)
            quantity->point--;
        return;
    }
    quantity->digits[quantity->digit_count++] = (uint8_t)(character - '0');
    if (!after_point)
        quantity->point++;
}

// Sign, digits, point, digits. Returns how many bytes they took.
static size_t read_number(struct quantity *quantity, const char *text, size_t length)
{
    size_t at = 0;
    if (at < length && (text[at] == '-' || text[at] == '+'))
        quantity->negative = text[at++] == '-';
    for (; at < length && is_digit(text[at]); at++)
        add_digit(quantity, text[at], false);
    if (at < length && text[at] == '.') {
        for (at++; at < length && is_digit(text[at]); at++)
            add_digit(quantity, text[at], true);
    }
    return at;
}

struct suffix {
    const char *text;
    int32_t decimal_powers;
    uint32_t binary_powers;
};
static const struct suffix suffixes[] = {
    {"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
    {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
    {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
};

// "e3", "E-6", "e+2": a decimal exponent. Returns false when it is none.
static bool read_exponent(const char *text, size_t length, int32_t *exponent)
{
    if (length < 2 || (text[0] != 'e' && text[0] != 'E'))
        return false;
    size_t at = 1;
    bool negative = text[at] == '-';
    if (text[at] == '-' || text[at] == '+')
        at++;
    if (at == length)
        return false;
    int64_t value = 0;
    for (; at < length; at++) {
        if (!is_digit(text[at]))
            return false;
        value = value * 10 + (text[at] - '0');
        if (value > INT32_MAX)
            return false; // Kubernetes refuses it, or wraps it round into another number
    }
    if (value > EXPONENT_MAX)
        value = EXPONENT_MAX; // far beyond what any int64 holds, in either direction
    *exponent = (int32_t)(negative ? -value : value);
    return true;
}

static int read_suffix(struct quantity *quantity, const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (strlen(suffixes[i].text) == length && memcmp(suffixes[i].text, text, length) == 0) {
            quantity->point += suffixes[i].decimal_powers;
            quantity->binary_powers = suffixes[i].binary_powers;
            return 0;
        }
    }
    int32_t exponent;
    if (!read_exponent(text, length, &exponent))
        return -1;
    quantity->point += exponent;
    return 0;
}

// Doubles 0.FRACTION in place; returns the digit carried over the point.
static uint64_t double_fraction(uint8_t *fraction, uint32_t count)
{
    unsigned carry = 0;
    for (uint32_t i = count; i > 0; i--) {
        unsigned doubled = fraction[i - 1] * 2u + carry;
        fraction[i - 1] = (uint8_t)(doubled % 10);
        carry = doubled / 10;
    }
    return carry;
}

// The value rounded up, away from zero; INT64_MAX when it is more.
static int64_t round_up(const struct quantity *quantity)
{
    const uint64_t limit = INT64_MAX;
    if (quantity->digit_count == 0)
        return 0;
    uint64_t whole = 0;
    uint32_t at = 0;
    for (int32_t place = 0; place < quantity->point; place++) {
        uint64_t digit = at < quantity->digit_count ? quantity->digits[at++] : 0;
        if (whole > (limit - digit) / 10)
            return INT64_MAX;
        whole = whole * 10 + digit;
    }
    // What is left are the digits behind the point, with leading zeros where the number is small. Without
    // powers of two to come, that they are there is all that matters.
    uint8_t fraction[2 * QUANTITY_BYTES_MAX] = {0};
    uint32_t zeros = quantity->point < 0 ? (uint32_t)-quantity->point : 0;
    uint32_t rest = quantity->digit_count - at;
    if (quantity->binary_powers == 0 || zeros > QUANTITY_BYTES_MAX)
        zeros = 0;
    memcpy(fraction + zeros, quantity->digits + at, rest);
    uint32_t fraction_count = zeros + rest;
    for (uint32_t power = 0; power < quantity->binary_powers; power++) {
        uint64_t carried = double_fraction(fraction, fraction_count);
        if (whole > (limit - carried) / 2)
            return INT64_MAX;
        whole = whole * 2 + carried;
    }
    for (uint32_t i = 0; i < fraction_count; i++) {
        if (fraction[i] != 0)
            return whole == limit ? INT64_MAX : (int64_t)whole + 1;
    }
    return (int64_t)whole;
}

static int parse(const char *text, size_t length, int32_t scale, int64_t *out, struct error *error)
{
    assert(text != NULL && out != NULL);
    if (length == 0)
        return refuse(error, text, length, "it is empty");
    if (length > QUANTITY_BYTES_MAX)
        return refuse(error, text, length, "it is longer than 256 bytes");
    struct quantity quantity = {0};
    size_t at = read_number(&quantity, text, length);
    if (read_suffix(&quantity, text + at, length - at) < 0) {
        return refuse(error, text, length,
                      "after the number comes nothing, n u m k M G T P E, Ki Mi Gi Ti Pi Ei or an exponent");
    }
    quantity.point += scale;
    int64_t value = round_up(&quantity);
    *out = quantity.negative ? -value : value;
    return 0;
}

int quantity_parse_millis(const char *text, size_t length, int64_t *out, struct error *error)
{
    return parse(text, length, 3, out, error);
}

int quantity_parse_units(const char *text, size_t length, int64_t *out, struct error *error)
{
    return parse(text, length, 0, out, error);
}

static void cut_zeros(char *number)
{
    size_t length = strlen(number);
    while (length > 0 && number[length - 1] == '0')
        number[--length] = '\0';
    if (length > 0 && number[length - 1] == '.')
        number[length - 1] = '\0';
}

void quantity_format_cpu(char *buffer, size_t bytes, int64_t millis)
{
    assert(buffer != NULL && bytes >= 32);
    const char *sign = millis < 0 ? "-" : "";
    uint64_t amount = millis < 0 ? 0 - (uint64_t)millis : (uint64_t)millis;
    if (amount < 1000 && amount != 0) {
        snprintf(buffer, bytes, "%s%" PRIu64 "m", sign, amount);
        return;
    }
    char number[32];
    snprintf(number, sizeof(number), "%s%" PRIu64 ".%03" PRIu64, sign, amount / 1000, amount % 1000);
    cut_zeros(number);
    snprintf(buffer, bytes, "%s cpu", number);
}

void quantity_format_memory(char *buffer, size_t bytes, int64_t memory_bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    assert(buffer != NULL && bytes >= 32);
    const char *sign = memory_bytes < 0 ? "-" : "";
    uint64_t amount = memory_bytes < 0 ? 0 - (uint64_t)memory_bytes : (uint64_t)memory_bytes;
    unsigned unit = 0;
    while (unit < 6 && amount >> (10 * (unit + 1)) != 0)
        unit++;
    uint64_t divisor = (uint64_t)1 << (10 * unit);
    uint64_t tenths = amount / divisor * 10 + (amount % divisor * 10 + divisor / 2) / divisor;
    if (tenths >= 10240 && unit < 6) {
        tenths = 10;
        unit++;
    }
    char number[32];
    snprintf(number, sizeof(number), "%s%" PRIu64 ".%" PRIu64, sign, tenths / 10, tenths % 10);
    cut_zeros(number);
    snprintf(buffer, bytes, "%s %s", number, units[unit]);
}

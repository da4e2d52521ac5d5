#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

#define DAY_MS         INT64_C(86400000)
#define TIME_BYTES_MAX 64

// Days from 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that the leap
// day is the last of its year, and 400 years are 146,097 days.
static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

struct cursor {
    const char *at;
    const char *end;
    bool good;
};

static int take_number(struct cursor *cursor, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9') {
            cursor->good = false;
            return 0;
        }
        value = value * 10 + (*cursor->at++ - '0');
    }
    return value;
}

// Takes one character that must be in `set`; returns it, or 0.
static char take_one_of(struct cursor *cursor, const char *set)
{
    if (cursor->at == cursor->end || *cursor->at == '\0' || strchr(set, *cursor->at) == NULL) {
        cursor->good = false;
        return '\0';
    }
    return *cursor->at++;
}

static int take_in_range(struct cursor *cursor, int digits, int minimum, int maximum)
{
    int value = take_number(cursor, digits);
    if (value < minimum || value > maximum)
        cursor->good = false;
    return value;
}

// ".123456789": milliseconds, what is finer is dropped.
static int take_fraction_ms(struct cursor *cursor)
{
    if (cursor->at == cursor->end || *cursor->at != '.')
        return 0;
    cursor->at++;
    int ms = 0;
    int digits = 0;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++, digits++) {
        if (digits < 3)
            ms = ms * 10 + (*cursor->at - '0');
    }
    if (digits == 0)
        cursor->good = false;
    for (; digits < 3; digits++)
        ms *= 10;
    return ms;
}

static int64_t take_offset_ms(struct cursor *cursor)
{
    char sign = take_one_of(cursor, "Zz+-");
    if (sign == 'Z' || sign == 'z' || sign == '\0')
        return 0;
    int hours = take_in_range(cursor, 2, 0, 23);
    take_one_of(cursor, ":");
    int minutes = take_in_range(cursor, 2, 0, 59);
    int64_t offset_ms = (int64_t)(hours * 60 + minutes) * 60000;
    return sign == '-' ? -offset_ms : offset_ms;
}

int text_parse_time_ms(const char *text, size_t length, int64_t *out_ms, struct error *error)
{
    assert(out_ms != NULL && (text != NULL || length == 0));
    struct cursor cursor = {.at = text, .end = text + length, .good = length <= TIME_BYTES_MAX};
    int year = take_number(&cursor, 4);
    take_one_of(&cursor, "-");
    int month = take_in_range(&cursor, 2, 1, 12);
    take_one_of(&cursor, "-");
    int day = take_in_range(&cursor, 2, 1, cursor.good ? days_in_month(year, month) : 31);
    char separator = take_one_of(&cursor, "Tt ");
    int hour = take_in_range(&cursor, 2, 0, 23);
    take_one_of(&cursor, ":");
    int minute = take_in_range(&cursor, 2, 0, 59);
    take_one_of(&cursor, ":");
    int second =
        take_in_range(&cursor, 2, 0, 60); // 60: a leap second, the same instant as the next minute's 0
    int ms = take_fraction_ms(&cursor);
    bool zone_left_out = separator == ' ' && cursor.at == cursor.end;
    int64_t offset_ms = zone_left_out ? 0 : take_offset_ms(&cursor);
    if (!cursor.good || cursor.at != cursor.end)
        return error_set(error, EINVAL, "\"%s\" is not a time such as 2024-01-02T03:04:05Z",
                         text_show(text, length).text);
    int64_t seconds = ((int64_t)hour * 60 + minute) * 60 + second;
    *out_ms = days_from_date(year, month, day) * DAY_MS + seconds * 1000 + ms - offset_ms;
    return 0;
}

struct broken_time {
    int64_t year;
    int month, day, hour, minute, second, ms;
};

// Outside the years 0 to 9999 RFC 3339 has no form: the nearest second that has one.
static struct broken_time break_time(int64_t unix_ms)
{
    const int64_t earliest_ms = INT64_C(-62167219200000); // 0000-01-01T00:00:00Z
    const int64_t latest_ms = INT64_C(253402300799999);   // 9999-12-31T23:59:59.999Z
    unix_ms = unix_ms < earliest_ms ? earliest_ms : unix_ms > latest_ms ? latest_ms : unix_ms;
    int64_t days = unix_ms / DAY_MS;
    int64_t rest_ms = unix_ms % DAY_MS;
    if (rest_ms < 0) {
        rest_ms += DAY_MS;
        days--;
    }
    struct broken_time time = {.hour = (int)(rest_ms / 3600000),
                               .minute = (int)(rest_ms / 60000 % 60),
                               .second = (int)(rest_ms / 1000 % 60),
                               .ms = (int)(rest_ms % 1000)};
    date_from_days(days, &time.year, &time.month, &time.day);
    return time;
}

void text_format_time(char *buffer, size_t bytes, int64_t unix_ms)
{
    assert(buffer != NULL && bytes >= 32);
    struct broken_time time = break_time(unix_ms);
    snprintf(buffer, bytes, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02dZ", time.year, time.month, time.day,
             time.hour, time.minute, time.second);
}

void text_format_time_micro(char *buffer, size_t bytes, int64_t unix_ms)
{
    assert(buffer != NULL && bytes >= 32);
    struct broken_time time = break_time(unix_ms);
    snprintf(buffer, bytes, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03d000Z", time.year, time.month,
             time.day, time.hour, time.minute, time.second, time.ms);
}

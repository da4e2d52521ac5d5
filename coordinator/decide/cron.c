#include "coordinator/decide/cron.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"

#define MINUTE_MS   ((int64_t)60000)
#define DAY_MINUTES ((int64_t)1440)
#define DAYS_MAX    ((int64_t)CRON_YEARS_MAX * 366)

static const char *const MONTHS[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const WEEKDAYS[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct field {
    const char *name;
    uint32_t least, most;
    const char *const *words; // the first stands for `least`
    uint32_t word_count;
};
enum { FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY, FIELD_COUNT };
static const struct field FIELDS[FIELD_COUNT] = {
    {"minute", 0, 59, NULL, 0},   {"hour", 0, 23, NULL, 0},       {"day", 1, 31, NULL, 0},
    {"month", 1, 12, MONTHS, 12}, {"weekday", 0, 7, WEEKDAYS, 7},
};

static const struct {
    const char *name, *means;
} NAMED[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"},
};

// ---- reading

struct reader {
    const char *at, *end;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool take(struct reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

static bool take_number(struct reader *reader, uint32_t *value)
{
    const char *begin = reader->at;
    *value = 0;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9' && reader->at - begin < 4)
        *value = *value * 10 + (uint32_t)(*reader->at++ - '0');
    return reader->at > begin;
}

static bool take_value(struct reader *reader, const struct field *field, uint32_t *value)
{
    if (take_number(reader, value))
        return *value >= field->least && *value <= field->most;
    for (uint32_t i = 0; i < field->word_count; i++)
        if (reader->end - reader->at >= 3 && strncasecmp(reader->at, field->words[i], 3) == 0) {
            reader->at += 3;
            *value = field->least + i;
            return true;
        }
    return false;
}

// One entry of a list: "*", "5", "1-5", each with "/2" or without. Sets its bits.
static bool take_entry(struct reader *reader, const struct field *field, uint64_t *bits, bool *every)
{
    uint32_t first = field->least, last = field->most, step = 1;
    bool star = take(reader, '*') || take(reader, '?');
    if (!star) {
        if (!take_value(reader, field, &first))
            return false;
        last = first;
        if (take(reader, '-') && (!take_value(reader, field, &last) || last < first))
            return false;
    }
    if (take(reader, '/')) {
        if (!take_number(reader, &step) || step == 0)
            return false;
        if (!star && last == first)
            last = field->most;
    }
    for (uint32_t value = first; value <= last; value += step)
        *bits |= (uint64_t)1 << value;
    *every = *every || (star && step == 1);
    return true;
}

static int take_field(struct reader *reader, const struct field *field, uint64_t *bits, bool *every,
                      struct error *error)
{
    while (reader->at < reader->end && is_space(*reader->at))
        reader->at++;
    if (reader->at == reader->end)
        return error_set(error, 0, "it has no %s: five fields are wanted", field->name);
    const char *begin = reader->at;
    *bits = 0;
    *every = false;
    bool good = take_entry(reader, field, bits, every);
    while (good && take(reader, ','))
        good = take_entry(reader, field, bits, every);
    if (good && (reader->at == reader->end || is_space(*reader->at)))
        return 0;
    size_t length = 0;
    while (begin + length < reader->end && !is_space(begin[length]))
        length++;
    return error_set(error, 0, "\"%s\" is no %s: values from %u to %u, as in 1,5-9,*/2",
                     text_show(begin, length).text, field->name, field->least, field->most);
}

static int parse_fields(const char *text, size_t length, struct cron *cron, struct error *error)
{
    struct reader reader = {.at = text, .end = text + length};
    uint64_t bits[FIELD_COUNT];
    bool every[FIELD_COUNT];
    for (uint32_t i = 0; i < FIELD_COUNT; i++)
        if (take_field(&reader, &FIELDS[i], &bits[i], &every[i], error) < 0)
            return -1;
    while (reader.at < reader.end && is_space(*reader.at))
        reader.at++;
    if (reader.at < reader.end)
        return error_set(error, 0, "\"%s\" follows the five fields",
                         text_show(reader.at, (size_t)(reader.end - reader.at)).text);
    *cron = (struct cron){.minutes = bits[FIELD_MINUTE],
                          .hours = (uint32_t)bits[FIELD_HOUR],
                          .days = (uint32_t)bits[FIELD_DAY],
                          .months = (uint32_t)bits[FIELD_MONTH],
                          .weekdays = (uint32_t)((bits[FIELD_WEEKDAY] | bits[FIELD_WEEKDAY] >> 7) & 0x7f),
                          .either_day = !every[FIELD_DAY] && !every[FIELD_WEEKDAY]};
    return 0;
}

int cron_parse(const char *text, size_t length, struct cron *cron, struct error *error)
{
    if (length > CRON_BYTES_MAX)
        return error_set(error, 0, "a schedule of %zu bytes; at most %u are read", length, CRON_BYTES_MAX);
    while (length > 0 && is_space(text[0])) {
        text++;
        length--;
    }
    while (length > 0 && is_space(text[length - 1]))
        length--;
    if (length == 0 || text[0] != '@')
        return parse_fields(text, length, cron, error);
    for (size_t i = 0; i < sizeof(NAMED) / sizeof(NAMED[0]); i++)
        if (strlen(NAMED[i].name) == length && strncasecmp(NAMED[i].name, text, length) == 0)
            return parse_fields(NAMED[i].means, strlen(NAMED[i].means), cron, error);
    return error_set(error, 0, "\"%s\" is no schedule: @yearly, @monthly, @weekly, @daily or @hourly",
                     text_show(text, length).text);
}

// ---- the calendar

struct date {
    uint32_t month, day, weekday;
};

// Gregorian, by days since 1970-01-01 (a Thursday); eras of 400 years beginning in March.
static struct date date_of(int64_t days)
{
    int64_t shifted = days + 719468; // since 0000-03-01
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t part = (5 * of_year + 2) / 153;
    int64_t weekday = (days + 4) % 7;
    return (struct date){.month = (uint32_t)(part < 10 ? part + 3 : part - 9),
                         .day = (uint32_t)(of_year - (153 * part + 2) / 5 + 1),
                         .weekday = (uint32_t)(weekday < 0 ? weekday + 7 : weekday)};
}

static bool day_matches(const struct cron *cron, int64_t days)
{
    struct date date = date_of(days);
    bool day = (cron->days >> date.day & 1) != 0;
    bool weekday = (cron->weekdays >> date.weekday & 1) != 0;
    return (cron->months >> date.month & 1) != 0 && (cron->either_day ? day || weekday : day && weekday);
}

static bool minute_matches(const struct cron *cron, int64_t minute)
{
    return (cron->hours >> (minute / 60) & 1) != 0 && (cron->minutes >> (minute % 60) & 1) != 0;
}

// Rounded down, also before 1970.
static int64_t whole(int64_t value, int64_t unit)
{
    return value / unit - (value % unit < 0);
}

bool cron_opens(const struct cron *cron, int64_t at_ms)
{
    int64_t minute = whole(at_ms, MINUTE_MS);
    int64_t day = whole(minute, DAY_MINUTES);
    return day_matches(cron, day) && minute_matches(cron, minute - day * DAY_MINUTES);
}

int64_t cron_opened(const struct cron *cron, int64_t now_ms, int64_t back_ms)
{
    assert(back_ms >= 0);
    int64_t latest = whole(now_ms, MINUTE_MS);
    int64_t today = whole(latest, DAY_MINUTES);
    for (int64_t day = today; day > today - DAYS_MAX; day--) {
        if (now_ms - ((day + 1) * DAY_MINUTES - 1) * MINUTE_MS >= back_ms)
            break;
        if (!day_matches(cron, day))
            continue;
        int64_t from = day == today ? latest - day * DAY_MINUTES : DAY_MINUTES - 1;
        for (int64_t minute = from; minute >= 0; minute--)
            if (minute_matches(cron, minute)) {
                int64_t at_ms = (day * DAY_MINUTES + minute) * MINUTE_MS;
                return now_ms - at_ms < back_ms ? at_ms : INT64_MIN;
            }
    }
    return INT64_MIN;
}

int64_t cron_opens_next(const struct cron *cron, int64_t now_ms)
{
    int64_t first = whole(now_ms, MINUTE_MS) + 1;
    int64_t begin = whole(first, DAY_MINUTES);
    for (int64_t day = begin; day < begin + DAYS_MAX; day++) {
        if (!day_matches(cron, day))
            continue;
        for (int64_t minute = day == begin ? first - day * DAY_MINUTES : 0; minute < DAY_MINUTES; minute++)
            if (minute_matches(cron, minute))
                return (day * DAY_MINUTES + minute) * MINUTE_MS;
    }
    return INT64_MIN;
}

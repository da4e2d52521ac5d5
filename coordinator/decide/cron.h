// What this room is for: five fields of cron, in UTC: when a window opens. What it knows: the calendar.
// What it may not do: read a clock, know what the window is for.
#ifndef VPSIE_COORDINATOR_DECIDE_CRON_H
#define VPSIE_COORDINATOR_DECIDE_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define CRON_BYTES_MAX 256u
// February 29th on a given weekday comes every 28 years, and every 40 across a year such as 2100.
#define CRON_YEARS_MAX 40

// One bit for each value that matches: minute 0-59, hour 0-23, day 1-31, month 1-12, weekday 0-6 (Sunday 0).
struct cron {
    uint64_t minutes;
    uint32_t hours, days, months, weekdays;
    bool either_day; // days and weekdays are both restricted: one of them is enough, as crontab(5) says
};

// "MINUTE HOUR DAY MONTH WEEKDAY": each field a list of `*` (or `?`), a value or a range, with an optional
// /STEP (a value with a step runs to the field's end); months and weekdays also by their first three letters,
// Sunday as 0 or 7. Or @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly. Letters of either
// case. -1 with an error that names the field.
int cron_parse(const char *text, size_t length, struct cron *cron, struct error *error);

// Does a window open in this minute (Unix milliseconds, at any point of it)?
bool cron_opens(const struct cron *cron, int64_t at_ms);

// The newest opening in (now - back, now], the first in (now, now + CRON_YEARS_MAX years]: Unix milliseconds,
// INT64_MIN when there is none. Time passes by the day: cheap for any span.
int64_t cron_opened(const struct cron *cron, int64_t now_ms, int64_t back_ms);
int64_t cron_opens_next(const struct cron *cron, int64_t now_ms);

#endif

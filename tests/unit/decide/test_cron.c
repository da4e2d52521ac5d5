#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/text.h"
#include "coordinator/decide/cron.h"

#define DAY_MS 86400000ll

static int64_t at(const char *text)
{
    int64_t ms = 0;
    assert_int_equal(text_parse_time_ms(text, strlen(text), &ms, NULL), 0);
    return ms;
}

static struct cron read_cron(const char *text)
{
    struct cron cron;
    struct error error = {0};
    if (cron_parse(text, strlen(text), &cron, &error) < 0)
        fail_msg("%s: %s", text, error.text);
    return cron;
}

static void a_schedule_opens_when_it_says(void **state)
{
    (void)state;
    // 2026-01-01 is a Thursday
    static const struct {
        const char *schedule, *now, *opens;
    } CASES[] = {
        {"* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"},
        {"*/15 * * * *", "2026-01-01T10:14:59Z", "2026-01-01T10:15:00Z"},
        {"5/20 * * * *", "2026-01-01T10:26:00Z", "2026-01-01T10:45:00Z"},
        {"10-30/10 8 * * *", "2026-01-01T08:20:00Z", "2026-01-01T08:30:00Z"},
        {"0 9 * * mon-fri", "2026-01-02T09:00:00Z", "2026-01-05T09:00:00Z"},
        {"0 9 * * MON,Wed", "2026-01-05T09:00:00Z", "2026-01-07T09:00:00Z"},
        {"0 9 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T09:00:00Z"},
        {"0 9 * * 0", "2026-01-01T00:00:00Z", "2026-01-04T09:00:00Z"},
        {"0 9 * * 5-7", "2026-01-03T09:00:00Z", "2026-01-04T09:00:00Z"},
        {"0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"},
        {"0 0 29 feb *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
        {"0 0 29 2 *", "2097-01-01T00:00:00Z", "2104-02-29T00:00:00Z"},
        {"30 22 1,15 jun-aug ?", "2026-08-15T22:30:00Z", "2027-06-01T22:30:00Z"},
        // both days restricted: either is enough
        {"0 0 13 * fri", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},
        {"0 0 13 * fri", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z"},
        // a step over every day restricts it
        {"0 0 */2 * mon", "2026-01-03T00:00:00Z", "2026-01-05T00:00:00Z"},
        {"59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"},
        {"@hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"},
        {"@daily", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},
        {"@Midnight", "2026-01-01T12:00:00Z", "2026-01-02T00:00:00Z"},
        {"@weekly", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
        {"@monthly", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
        {"@yearly", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
        {"@annually", "2026-06-01T00:00:00Z", "2027-01-01T00:00:00Z"},
        {"  0\t4  * * *  ", "2026-01-01T00:00:00Z", "2026-01-01T04:00:00Z"},
        {"0 0 1 1 *", "1969-06-01T00:00:00Z", "1970-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct cron cron = read_cron(CASES[i].schedule);
        int64_t opens_ms = cron_opens_next(&cron, at(CASES[i].now));
        char text[32];
        text_format_time(text, sizeof(text), opens_ms);
        assert_string_equal(text, CASES[i].opens);
        assert_true(cron_opens(&cron, opens_ms));
        assert_true(cron_opens(&cron, opens_ms + 59999));
        assert_int_equal(cron_opened(&cron, opens_ms, 1), opens_ms);
        assert_int_equal(cron_opened(&cron, opens_ms + 59999, 60000), opens_ms);
    }
}

static void a_window_lasts_for_its_time_and_no_longer(void **state)
{
    (void)state;
    struct cron cron = read_cron("0 22 * * *");
    int64_t opened_ms = at("2026-01-01T22:00:00Z");
    assert_int_equal(cron_opened(&cron, opened_ms, 3600000), opened_ms);
    assert_int_equal(cron_opened(&cron, opened_ms + 3599999, 3600000), opened_ms);
    assert_true(cron_opened(&cron, opened_ms + 3600000, 3600000) == INT64_MIN);
    assert_true(cron_opened(&cron, opened_ms - 1, 3600000) == INT64_MIN);
    assert_int_equal(cron_opened(&cron, opened_ms + 8 * 3600000, 9 * 3600000), opened_ms); // past midnight
    assert_true(cron_opened(&cron, opened_ms, 0) == INT64_MIN);
    cron = read_cron("0 0 29 2 *");
    assert_int_equal(cron_opened(&cron, at("2027-01-01T00:00:00Z"), 4 * 366 * DAY_MS),
                     at("2024-02-29T00:00:00Z"));
}

static void a_day_that_never_comes_opens_nothing(void **state)
{
    (void)state;
    struct cron cron = read_cron("0 0 30 2 *");
    assert_true(cron_opens_next(&cron, at("2026-01-01T00:00:00Z")) == INT64_MIN);
    assert_true(cron_opened(&cron, at("2026-01-01T00:00:00Z"), INT64_MAX / 4) == INT64_MIN);
}

static void what_is_no_schedule_is_refused_and_the_field_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } WRONG[] = {
        {"", "no minute"},
        {"* * * *", "no weekday"},
        {"* * * * * *", "follows"},
        {"60 * * * *", "minute"},
        {"* 24 * * *", "hour"},
        {"* * 0 * *", "day"},
        {"* * 32 * *", "day"},
        {"* * * 13 *", "month"},
        {"* * * 0 *", "month"},
        {"* * * * 8", "weekday"},
        {"5-1 * * * *", "minute"},
        {"*/0 * * * *", "minute"},
        {"1,,2 * * * *", "minute"},
        {"1, * * * *", "minute"},
        {"1-  * * * *", "minute"},
        {"-1 * * * *", "minute"},
        {"* * * jann *", "month"},
        {"* * * * xyz", "weekday"},
        {"1.5 * * * *", "minute"},
        {"@reboot", "no schedule"},
        {"@every 1h", "no schedule"},
        {"@", "no schedule"},
        {"99999999999 * * * *", "minute"},
        {"* * L * *", "day"},
        {"*\n* * * *", "minute"},
        {"** * * * *", "minute"},
        {"fri-mon * * * *", "minute"},
        {"* * * * fri-mon", "weekday"},
    };
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        struct cron cron;
        struct error error = {0};
        if (cron_parse(WRONG[i].text, strlen(WRONG[i].text), &cron, &error) == 0)
            fail_msg("\"%s\" was taken", WRONG[i].text);
        if (strstr(error.text, WRONG[i].says) == NULL)
            fail_msg("\"%s\": %s", WRONG[i].text, error.text);
    }
    char long_text[CRON_BYTES_MAX + 2];
    memset(long_text, ' ', sizeof(long_text));
    struct cron cron;
    assert_int_equal(cron_parse(long_text, sizeof(long_text), &cron, NULL), -1);
}

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return *seed >> 16;
}

// Against the C library's calendar, minute by minute over random schedules.
static void openings_agree_with_the_calendar(void **state)
{
    (void)state;
    static const char *const SCHEDULES[] = {"7 3 * * *",  "*/7 */5 * * *", "0 0 1-7 * mon",
                                            "0 12 * 2 *", "0 0 28-31 * *", "30 6 * * 1-5"};
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof(SCHEDULES) / sizeof(SCHEDULES[0]); i++) {
        struct cron cron = read_cron(SCHEDULES[i]);
        for (int n = 0; n < 2000; n++) {
            int64_t minute = (int64_t)(draw(&seed) % (60u * 24 * 365 * 60));
            time_t seconds = (time_t)(minute * 60);
            struct tm tm;
            gmtime_r(&seconds, &tm);
            bool day = (cron.days >> tm.tm_mday & 1) != 0, weekday = (cron.weekdays >> tm.tm_wday & 1) != 0;
            bool opens = (cron.minutes >> tm.tm_min & 1) != 0 && (cron.hours >> tm.tm_hour & 1) != 0 &&
                         (cron.months >> (tm.tm_mon + 1) & 1) != 0 &&
                         (cron.either_day ? day || weekday : day && weekday);
            assert_int_equal(cron_opens(&cron, minute * 60000), opens);
            int64_t next_ms = cron_opens_next(&cron, minute * 60000);
            assert_true(next_ms > minute * 60000 && cron_opens(&cron, next_ms));
            assert_int_equal(cron_opened(&cron, next_ms - 1, next_ms - minute * 60000 - 1),
                             INT64_MIN); // nothing in between
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schedule_opens_when_it_says),
        cmocka_unit_test(a_window_lasts_for_its_time_and_no_longer),
        cmocka_unit_test(a_day_that_never_comes_opens_nothing),
        cmocka_unit_test(what_is_no_schedule_is_refused_and_the_field_named),
        cmocka_unit_test(openings_agree_with_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

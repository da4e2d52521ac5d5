#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void expect(const char *text, int64_t wanted_ms)
{
    int64_t ms = 0;
    struct error error = {0};
    if (text_parse_time_ms(text, strlen(text), &ms, &error) < 0)
        fail_msg("%s", error.text);
    if (ms != wanted_ms)
        fail_msg("%s: %" PRId64 ", not %" PRId64, text, ms, wanted_ms);
}

static void times_are_read(void **state)
{
    (void)state;
    expect("1970-01-01T00:00:00Z", 0);
    expect("2024-01-02T03:04:05Z", INT64_C(1704164645000));
    expect("2024-01-02t03:04:05z", INT64_C(1704164645000));
    expect("2024-01-02 03:04:05", INT64_C(1704164645000));
    expect("2024-01-02 03:04:05Z", INT64_C(1704164645000));
    expect("1969-12-31T23:59:59Z", -1000);
    expect("0000-01-01T00:00:00Z", INT64_C(-62167219200000));
    expect("9999-12-31T23:59:59.999Z", INT64_C(253402300799999));
    expect("2016-12-31T23:59:60Z", INT64_C(1483228800000));
}

static void fractions_are_cut_to_milliseconds(void **state)
{
    (void)state;
    expect("1970-01-01T00:00:00.1Z", 100);
    expect("1970-01-01T00:00:00.01Z", 10);
    expect("1970-01-01T00:00:00.123Z", 123);
    expect("1970-01-01T00:00:00.123999Z", 123);
    expect("1970-01-01T00:00:00.000000001Z", 0);
    expect("1969-12-31T23:59:59.5Z", -500);
    expect("2024-01-02 03:04:05.25", INT64_C(1704164645250));
}

static void offsets_are_taken_off(void **state)
{
    (void)state;
    expect("1970-01-01T01:00:00+01:00", 0);
    expect("1969-12-31T18:30:00-05:30", 0);
    expect("1970-01-01T00:00:00-00:00", 0);
    expect("1970-01-01T23:59:00.5+23:59", 500);
    expect("1970-01-01 00:00:00-23:59", INT64_C(86340000));
}

static void leap_days_exist_in_leap_years_alone(void **state)
{
    (void)state;
    expect("2024-02-29T00:00:00Z", INT64_C(1709164800000));
    expect("2000-02-29T00:00:00Z", INT64_C(951782400000));
    const char *bad[] = {"2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
                         "2024-02-30T00:00:00Z"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ms;
        assert_int_equal(text_parse_time_ms(bad[i], strlen(bad[i]), &ms, NULL), -1);
    }
}

static void what_is_no_time_is_refused_by_name(void **state)
{
    (void)state;
    const char *bad[] = {"",
                         "2024-01-02",
                         "2024-01-02T03:04:05",
                         "2024-01-02T03:04Z",
                         "2024-1-02T03:04:05Z",
                         "24-01-02T03:04:05Z",
                         "2024-00-02T03:04:05Z",
                         "2024-13-02T03:04:05Z",
                         "2024-01-00T03:04:05Z",
                         "2024-01-32T03:04:05Z",
                         "2024-04-31T03:04:05Z",
                         "2024-01-02T24:04:05Z",
                         "2024-01-02T03:60:05Z",
                         "2024-01-02T03:04:61Z",
                         "2024-01-02T03:04:05.Z",
                         "2024-01-02T03:04:05,5Z",
                         "2024-01-02T03:04:05+0100",
                         "2024-01-02T03:04:05+24:00",
                         "2024-01-02T03:04:05+01:60",
                         "2024-01-02T03:04:05+01",
                         "2024-01-02T03:04:05ZZ",
                         "2024-01-02T03:04:05Z ",
                         " 2024-01-02T03:04:05Z",
                         "-024-01-02T03:04:05Z",
                         "2024/01/02T03:04:05Z",
                         "2024-01-02_03:04:05Z",
                         "20240102T030405Z",
                         "2024-01-02 03:04:05.",
                         "2024-01-02T03:04:05.00000000000000000000000000000000000000000000000000000Z"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ms = 99;
        struct error error = {0};
        if (text_parse_time_ms(bad[i], strlen(bad[i]), &ms, &error) == 0)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(error.code, EINVAL);
        assert_non_null(strstr(error.text, text_show(bad[i], strlen(bad[i])).text));
        assert_int_equal(ms, 99);
    }
    int64_t ms;
    assert_int_equal(text_parse_time_ms(NULL, 0, &ms, NULL), -1);
}

static void every_cut_off_time_is_refused(void **state)
{
    (void)state;
    const char *whole = "2024-01-02T03:04:05.678+01:00";
    for (size_t length = 0; length < strlen(whole); length++) {
        char copy[64];
        memcpy(copy, whole, length);
        memset(copy + length, '9', sizeof(copy) - length); // nothing beyond the length is looked at
        int64_t ms;
        assert_int_equal(text_parse_time_ms(copy, length, &ms, NULL), -1);
    }
}

static void times_are_written(void **state)
{
    (void)state;
    char text[32];
    text_format_time(text, sizeof(text), INT64_C(1704164645999));
    assert_string_equal(text, "2024-01-02T03:04:05Z");
    text_format_time_micro(text, sizeof(text), INT64_C(1704164645007));
    assert_string_equal(text, "2024-01-02T03:04:05.007000Z");
    text_format_time_micro(text, sizeof(text), -1);
    assert_string_equal(text, "1969-12-31T23:59:59.999000Z");
    text_format_time(text, sizeof(text), INT64_MAX);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    text_format_time(text, sizeof(text), INT64_MIN);
    assert_string_equal(text, "0000-01-01T00:00:00Z");
}

// Every day of 1600 to 2400, which holds two cycles of the calendar, against the C library's.
static void every_day_is_written_as_the_c_library_does_and_read_back(void **state)
{
    (void)state;
    for (int64_t day = -135140; day < 157055; day++) {
        time_t seconds = (time_t)(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
        struct tm parts;
        char wanted[40];
        char written[32];
        gmtime_r(&seconds, &parts);
        strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%SZ", &parts);
        text_format_time(written, sizeof(written), (int64_t)seconds * 1000);
        assert_string_equal(written, wanted);
        expect(written, (int64_t)seconds * 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(fractions_are_cut_to_milliseconds),
        cmocka_unit_test(offsets_are_taken_off),
        cmocka_unit_test(leap_days_exist_in_leap_years_alone),
        cmocka_unit_test(what_is_no_time_is_refused_by_name),
        cmocka_unit_test(every_cut_off_time_is_refused),
        cmocka_unit_test(times_are_written),
        cmocka_unit_test(every_day_is_written_as_the_c_library_does_and_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

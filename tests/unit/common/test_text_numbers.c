#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void whole_numbers_are_read_to_their_ends(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},
                {"7", 7},
                {"007", 7},
                {"18446744073709551615", UINT64_MAX},
                {"00000000000000000000000018446744073709551615", UINT64_MAX}};
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t value = 99;
        assert_int_equal(text_parse_u64(good[i].text, strlen(good[i].text), &value, NULL), 0);
        assert_true(value == good[i].value);
    }
    uint64_t value;
    assert_int_equal(text_parse_u64("123xyz", 3, &value, NULL), 0); // the length counts, not the terminator
    assert_int_equal(value, 123);
}

static void what_is_no_whole_number_is_refused_by_name(void **state)
{
    (void)state;
    const char *bad[] = {"", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "a", "1_000", "\xd9\xa3"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct error error = {0};
        uint64_t value = 99;
        assert_int_equal(text_parse_u64(bad[i], strlen(bad[i]), &value, &error), -1);
        assert_int_equal(error.code, EINVAL);
        assert_non_null(strstr(error.text, text_show(bad[i], strlen(bad[i])).text));
        assert_int_equal(value, 99);
    }
    uint64_t value;
    assert_int_equal(text_parse_u64("1\0"
                                    "2",
                                    3, &value, NULL),
                     -1);
    assert_int_equal(text_parse_u64(NULL, 0, &value, NULL), -1);
}

static void whole_numbers_never_overflow(void **state)
{
    (void)state;
    const char *bad[] = {"18446744073709551616", "18446744073709551620", "99999999999999999999",
                         "184467440737095516150", "100000000000000000000000000000000000000000"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct error error = {0};
        uint64_t value;
        assert_int_equal(text_parse_u64(bad[i], strlen(bad[i]), &value, &error), -1);
        assert_int_equal(error.code, ERANGE);
    }
    uint64_t value;
    struct error error = {0};
    assert_int_equal(text_parse_u64("99999999999999999999x", 21, &value, &error), -1);
    assert_int_equal(error.code, EINVAL);
}

static void signed_numbers_are_read_to_their_ends(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"-1", -1},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN},
                {"-0009", -9}};
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t value = 99;
        assert_int_equal(text_parse_i64(good[i].text, strlen(good[i].text), &value, NULL), 0);
        assert_true(value == good[i].value);
    }
    const char *bad[] = {"",
                         "-",
                         "--1",
                         "+1",
                         "- 1",
                         "1-",
                         "9223372036854775808",
                         "-9223372036854775809",
                         "99999999999999999999",
                         "-99999999999999999999"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t value = 99;
        struct error error = {0};
        assert_int_equal(text_parse_i64(bad[i], strlen(bad[i]), &value, &error), -1);
        assert_int_equal(error.code, i < 6 ? EINVAL : ERANGE);
        assert_int_equal(value, 99);
    }
}

static void decimal_numbers_are_read(void **state)
{
    (void)state;
    const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},
                {"1.5", 1.5},
                {"-2.25", -2.25},
                {".5", 0.5},
                {"1e3", 1000},
                {"1E+3", 1000},
                {"25e-2", 0.25},
                {"-0.0", 0},
                {"1e-400", 0},
                {"0.1", 0.1},
                {"1.7976931348623157e308", 1.7976931348623157e308}};
    for (size_t i = 0; i < COUNT(good); i++) {
        double value = 99;
        assert_int_equal(text_parse_double(good[i].text, strlen(good[i].text), &value, NULL), 0);
        assert_true(value == good[i].value);
    }
    double value;
    assert_int_equal(text_parse_double("12345", 2, &value, NULL), 0);
    assert_true(value == 12);
}

static void what_is_no_decimal_number_is_refused(void **state)
{
    (void)state;
    const char *bad[] = {"",    ".",    "-",     "1.",  "e5", "1e", "1e+",  "+1",  "inf",   "-inf",
                         "nan", "0x10", "1.2.3", "1,5", " 1", "1 ", "1e5.", "--1", "1e999", "-1e999"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        double value = 99;
        struct error error = {0};
        assert_int_equal(text_parse_double(bad[i], strlen(bad[i]), &value, &error), -1);
        assert_int_equal(error.code, i < COUNT(bad) - 2 ? EINVAL : ERANGE);
        assert_true(value == 99);
    }
    char long_number[1000];
    memset(long_number, '1', sizeof(long_number));
    double value;
    assert_int_equal(text_parse_double(long_number, sizeof(long_number), &value, NULL), -1);
}

static void a_locale_changes_no_number(void **state)
{
    (void)state;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL)
        skip();
    double value;
    assert_int_equal(text_parse_double("1.5", 3, &value, NULL), 0);
    assert_true(value == 1.5);
    setlocale(LC_ALL, "C");
}

static void durations_are_read_as_go_writes_them(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0", 0},          {"0s", 0},          {"250ms", 250},
                {"90s", 90000},    {"1h30m", 5400000}, {"1h0m1s5ms", 3601005},
                {"1.5h", 5400000}, {"0.5s", 500},      {".5s", 500},
                {"1.s", 1000},     {"1.0005s", 1000},  {"1m1m", 120000},
                {"5m", 300000},    {"0.001ms", 0},     {"2562047788015h", INT64_C(2562047788015) * 3600000}};
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t ms = 99;
        struct error error = {0};
        if (text_parse_duration_ms(good[i].text, strlen(good[i].text), &ms, &error) < 0)
            fail_msg("%s", error.text);
        assert_true(ms == good[i].ms);
    }
}

static void what_is_no_duration_is_refused(void **state)
{
    (void)state;
    const char *bad[] = {"",    "1",   "00",  "1d",     "s",   "ms",  ".s",   "1h30", "-1s", "+1s",
                         "1 s", " 1s", "1s ", "1.5.5s", "1us", "1hm", "1e3s", "1H",   "1m!"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ms = 99;
        struct error error = {0};
        assert_int_equal(text_parse_duration_ms(bad[i], strlen(bad[i]), &ms, &error), -1);
        assert_int_equal(error.code, EINVAL);
        assert_int_equal(ms, 99);
    }
    const char *too_long[] = {"9223372036854775808ms", "2562047788016h", "9223372036854775807ms1ms",
                              "99999999999999999999999s"};
    for (size_t i = 0; i < COUNT(too_long); i++) {
        int64_t ms;
        struct error error = {0};
        assert_int_equal(text_parse_duration_ms(too_long[i], strlen(too_long[i]), &ms, &error), -1);
        assert_int_equal(error.code, ERANGE);
    }
}

static void sizes_are_written_for_people(void **state)
{
    (void)state;
    const uint64_t kib = 1024;
    const struct {
        uint64_t value;
        const char *text;
    } cases[] = {{0, "0 B"},
                 {1023, "1023 B"},
                 {kib, "1 KiB"},
                 {kib + kib / 2, "1.5 KiB"},
                 {212 * kib * kib, "212 MiB"},
                 {212 * kib * kib + kib * kib / 2, "213 MiB"},
                 {3 * kib * kib * kib + 4 * kib * kib * kib / 10, "3.4 GiB"},
                 {kib * kib - 1, "1 MiB"},
                 {100 * kib - 1, "100 KiB"},
                 {kib + 1, "1 KiB"},
                 {UINT64_MAX, "16 EiB"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[32];
        text_format_bytes(text, sizeof(text), cases[i].value);
        assert_string_equal(text, cases[i].text);
    }
}

static void durations_are_written_for_people(void **state)
{
    (void)state;
    const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0s"},
                 {250, "250ms"},
                 {999, "999ms"},
                 {1000, "1s"},
                 {45999, "45s"},
                 {130000, "2m10s"},
                 {60000, "1m00s"},
                 {11100000, "3h05m"},
                 {86399999, "23h59m"},
                 {86400000, "1d"},
                 {90000000, "1d01h"},
                 {INT64_C(4) * 86400000 + 3600000, "4d"},
                 {-1500, "-1s"},
                 {INT64_MIN, "-106751991167d"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[32];
        text_format_duration(text, sizeof(text), cases[i].ms);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_read_to_their_ends),
        cmocka_unit_test(what_is_no_whole_number_is_refused_by_name),
        cmocka_unit_test(whole_numbers_never_overflow),
        cmocka_unit_test(signed_numbers_are_read_to_their_ends),
        cmocka_unit_test(decimal_numbers_are_read),
        cmocka_unit_test(what_is_no_decimal_number_is_refused),
        cmocka_unit_test(a_locale_changes_no_number),
        cmocka_unit_test(durations_are_read_as_go_writes_them),
        cmocka_unit_test(what_is_no_duration_is_refused),
        cmocka_unit_test(sizes_are_written_for_people),
        cmocka_unit_test(durations_are_written_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

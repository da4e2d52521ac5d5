#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/model/quantity.h"

#define COUNT(items) (sizeof(items) / sizeof((items)[0]))

static void millis_are(const char *text, int64_t expected)
{
    int64_t value = -12345;
    struct error error = {0};
    if (quantity_parse_millis(text, strlen(text), &value, &error) != 0)
        fail_msg("%s was refused: %s", text, error.text);
    if (value != expected)
        fail_msg("%s gave %lld millis, expected %lld", text, (long long)value, (long long)expected);
}

static void units_are(const char *text, int64_t expected)
{
    int64_t value = -12345;
    struct error error = {0};
    if (quantity_parse_units(text, strlen(text), &value, &error) != 0)
        fail_msg("%s was refused: %s", text, error.text);
    if (value != expected)
        fail_msg("%s gave %lld, expected %lld", text, (long long)value, (long long)expected);
}

static void every_suffix_has_its_power(void **state)
{
    (void)state;
    units_are("7", 7);
    units_are("7k", 7000);
    units_are("7M", 7000000);
    units_are("7G", 7000000000);
    units_are("7T", 7000000000000);
    units_are("7P", 7000000000000000);
    units_are("7E", 7000000000000000000);
    units_are("7Ki", INT64_C(7) << 10);
    units_are("7Mi", INT64_C(7) << 20);
    units_are("7Gi", INT64_C(7) << 30);
    units_are("7Ti", INT64_C(7) << 40);
    units_are("7Pi", INT64_C(7) << 50);
    units_are("7Ei", INT64_C(7) << 60);
    millis_are("7m", 7);
    millis_are("7000u", 7);
    millis_are("7000000n", 7);
    millis_are("7", 7000);
}

static void exponents_are_decimal(void **state)
{
    (void)state;
    units_are("2e3", 2000);
    units_are("2E3", 2000);
    units_are("2e+3", 2000);
    units_are("2000e-3", 2);
    units_are("1.5e3", 1500);
    millis_are("1e-3", 1);
    units_are("12E", 9223372036854775807);
    units_are("0e99", 0);
    units_are("1e999999", INT64_MAX);
    units_are("1e2147483647", INT64_MAX);
    units_are("1e-2147483647", 1);
    units_are("1E", 1000000000000000000); // the suffix, not an exponent
    units_are("1e0", 1);
    units_are("1e-0", 1);
    units_are("1.5e-1", 1);
    millis_are("12e-4", 2);
}

static void fractions_round_up(void **state)
{
    (void)state;
    millis_are("0.1", 100);
    millis_are("1.5", 1500);
    millis_are("0.0001", 1);
    millis_are("0.5m", 1);
    millis_are("1.1m", 2);
    millis_are("1n", 1);
    millis_are("1001u", 2);
    units_are("100m", 1);
    units_are("1001m", 2);
    units_are("1n", 1);
    units_are("0.1Ki", 103);
    units_are("1.5Gi", INT64_C(3) << 29);
    units_are("0.5Ki", 512);
    units_are("0.0000001Gi", 108);
    units_are("1.000000000000000000001", 2);
    units_are("0.0000000000000000000000000000000001", 1);
    units_are("0.0000000000000000000000000000000001Ei", 1);
    units_are("3.0000", 3);
}

static void negative_amounts_parse_and_round_away_from_zero(void **state)
{
    (void)state;
    units_are("-1", -1);
    units_are("-100m", -1);
    millis_are("-1.1m", -2);
    units_are("-0", 0);
    units_are("-1Ki", -1024);
    units_are("-99E", -INT64_MAX);
}

static void amounts_beyond_int64_saturate(void **state)
{
    (void)state;
    units_are("9223372036854775807", INT64_MAX);
    units_are("9223372036854775808", INT64_MAX);
    units_are("9223372036854775806.5", INT64_MAX);
    units_are("9223372036854775807.5", INT64_MAX);
    units_are("8Ei", INT64_MAX);
    units_are("7.99Ei", INT64_C(9211842821808707339));
}

static void what_kubernetes_accepts_oddly_is_accepted(void **state)
{
    (void)state;
    units_are("+1", 1);
    units_are("1.", 1);
    units_are("1.Gi", INT64_C(1) << 30);
    units_are(".5", 1);
    units_are("007", 7);
    units_are("0.", 0);
    units_are(".", 0);
    units_are("-", 0);
    units_are("k", 0);
    units_are("+.m", 0);
    millis_are(".001", 1);
}

static void nothing_else_is_a_quantity(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "1 ",
        " 1",
        "abc",
        "1.1.M",
        "1+1.0M",
        "0.1mi",
        "0.1am",
        "1i",
        "-3.01i",
        "-3.01e-",
        "1e",
        "1e+",
        "1kk",
        "1K",
        "1ki",
        "1mi",
        "1 Gi",
        "1Gi ",
        "--1",
        "1e1.5",
        "0x10",
        "1,5",
        "1Zi",
        "1e3k",
        "1\xff",
        "∞",
        "NaN",
        "1Ee3",
        "5.5.5",
        "-k1",
        "1e2147483648",
        "1e-2147483648",
        "1e4294967297",
        "1e99999999999999999999",
        "e",
        "1e++1",
        "0x1",
        "1_0",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        int64_t value = 77;
        struct error error = {0};
        if (quantity_parse_units(texts[i], strlen(texts[i]), &value, &error) == 0)
            fail_msg("\"%s\" was taken for %lld", texts[i], (long long)value);
        assert_int_equal(quantity_parse_millis(texts[i], strlen(texts[i]), &value, NULL), -1);
        assert_int_equal(value, 77);
        assert_non_null(strstr(error.text, "quantity"));
    }
}

static void the_length_counts_and_not_a_terminator(void **state)
{
    (void)state;
    int64_t value;
    assert_int_equal(quantity_parse_units("12Gi", 2, &value, NULL), 0);
    assert_int_equal(value, 12);
    assert_int_equal(quantity_parse_units("1\0k", 3, &value, NULL), -1);
}

static void very_long_numbers_are_exact_and_endless_ones_refused(void **state)
{
    (void)state;
    char text[400];
    memset(text, '0', sizeof(text));
    int64_t value;
    assert_int_equal(quantity_parse_units(text, 256, &value, NULL), 0);
    assert_int_equal(value, 0);
    assert_int_equal(quantity_parse_units(text, 257, &value, NULL), -1);
    text[1] = '.';
    text[255] = '1';
    assert_int_equal(quantity_parse_units(text, 256, &value, NULL), 0);
    assert_int_equal(value, 1);
    memset(text, '9', sizeof(text));
    assert_int_equal(quantity_parse_units(text, 256, &value, NULL), 0);
    assert_int_equal(value, INT64_MAX);
}

static void people_read_cpu_and_memory(void **state)
{
    (void)state;
    static const struct {
        int64_t amount;
        const char *cpu, *memory;
    } cases[] = {
        {0, "0 cpu", "0 B"},
        {1, "1m", "1 B"},
        {250, "250m", "250 B"},
        {1000, "1 cpu", "1000 B"},
        {1500, "1.5 cpu", "1.5 KiB"},
        {7825, "7.825 cpu", "7.6 KiB"},
        {-250, "-250m", "-250 B"},
        {-1500, "-1.5 cpu", "-1.5 KiB"},
        {1048575, "1048.575 cpu", "1 MiB"},
        {INT64_C(3435973837), "3435973.837 cpu", "3.2 GiB"},
        {INT64_MAX, "9223372036854775.807 cpu", "8 EiB"},
        {INT64_MIN, "-9223372036854775.808 cpu", "-8 EiB"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char buffer[32];
        quantity_format_cpu(buffer, sizeof(buffer), cases[i].amount);
        assert_string_equal(buffer, cases[i].cpu);
        quantity_format_memory(buffer, sizeof(buffer), cases[i].amount);
        assert_string_equal(buffer, cases[i].memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_suffix_has_its_power),
        cmocka_unit_test(exponents_are_decimal),
        cmocka_unit_test(fractions_round_up),
        cmocka_unit_test(negative_amounts_parse_and_round_away_from_zero),
        cmocka_unit_test(amounts_beyond_int64_saturate),
        cmocka_unit_test(what_kubernetes_accepts_oddly_is_accepted),
        cmocka_unit_test(nothing_else_is_a_quantity),
        cmocka_unit_test(the_length_counts_and_not_a_terminator),
        cmocka_unit_test(very_long_numbers_are_exact_and_endless_ones_refused),
        cmocka_unit_test(people_read_cpu_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

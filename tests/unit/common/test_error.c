#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/error.h"
#include "common/text.h"

static void setting_keeps_code_and_text_and_returns_minus_one(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(error_set(&error, 404, "no %s in %d", "pod", 3), -1);
    assert_int_equal(error.code, 404);
    assert_string_equal(error.text, "no pod in 3");
}

static void wrapping_puts_context_in_front_and_keeps_the_code(void **state)
{
    (void)state;
    struct error error = {0};
    error_set(&error, 5, "refused");
    assert_int_equal(error_wrap(&error, "dial %s", "host"), -1);
    assert_int_equal(error_wrap(&error, "report"), -1);
    assert_string_equal(error.text, "report: dial host: refused");
    assert_int_equal(error.code, 5);
}

static void wrapping_nothing_is_the_context_alone(void **state)
{
    (void)state;
    struct error error = {0};
    error_wrap(&error, "report");
    assert_string_equal(error.text, "report");
}

static void an_error_may_be_told_about_itself(void **state)
{
    (void)state;
    struct error error = {0};
    error_set(&error, 1, "inner");
    error_set(&error, 2, "outer (%s)", error.text);
    assert_string_equal(error.text, "outer (inner)");
    error_wrap(&error, "again %s", error.text);
    assert_string_equal(error.text, "again outer (inner): outer (inner)");
}

static void nobody_need_keep_it(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, 1, "x"), -1);
    assert_int_equal(error_wrap(NULL, "x"), -1);
    error_clear(NULL);
}

static void clearing_leaves_nothing(void **state)
{
    (void)state;
    struct error error = {0};
    error_set(&error, 1, "x");
    error_clear(&error);
    assert_int_equal(error.code, 0);
    assert_string_equal(error.text, "");
}

static void assert_utf8(const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t length = text_utf8_length(text, left);
        assert_true(length > 0);
        text += length;
        left -= length;
    }
}

static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    const char *characters[] = {"x", "\xc3\xb6", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < 4; i++) {
        for (size_t shift = 0; shift < 4; shift++) {
            char text[3 * ERROR_TEXT_BYTES_MAX] = "";
            memset(text, 'a', shift);
            while (strlen(text) < 2 * ERROR_TEXT_BYTES_MAX)
                strcat(text, characters[i]);
            struct error error = {0};
            error_set(&error, 1, "%s", text);
            assert_utf8(error.text);
            assert_true(strlen(error.text) >= ERROR_TEXT_BYTES_MAX - 4);
            error_wrap(&error, "context");
            assert_utf8(error.text);
            assert_true(text_starts_with(error.text, "context: "));
        }
    }
}

static void text_that_just_fits_is_whole(void **state)
{
    (void)state;
    char text[ERROR_TEXT_BYTES_MAX];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct error error = {0};
    error_set(&error, 1, "%s", text);
    assert_string_equal(error.text, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_keeps_code_and_text_and_returns_minus_one),
        cmocka_unit_test(wrapping_puts_context_in_front_and_keeps_the_code),
        cmocka_unit_test(wrapping_nothing_is_the_context_alone),
        cmocka_unit_test(an_error_may_be_told_about_itself),
        cmocka_unit_test(nobody_need_keep_it),
        cmocka_unit_test(clearing_leaves_nothing),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(text_that_just_fits_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/text.h"

static void a_buffer_grows_and_is_always_terminated(void **state)
{
    (void)state;
    struct text AUTOTEXT text = {0};
    assert_string_equal(text_get(&text), "");
    text_append(&text, "");
    assert_string_equal(text_get(&text), "");
    size_t length = 0;
    for (int i = 0; i < 2000; i++) {
        text_printf(&text, "%d,", i);
        length += (size_t)snprintf(NULL, 0, "%d,", i);
        assert_int_equal(text.length, length);
        assert_int_equal(text.bytes[length], '\0');
    }
    assert_true(text_starts_with(text.bytes, "0,1,2,"));
    text_clear(&text);
    assert_string_equal(text_get(&text), "");
    text_append_bytes(&text, "a\0b", 3);
    assert_int_equal(text.length, 3);
    assert_memory_equal(text.bytes, "a\0b\0", 4);
}

static void a_buffer_can_be_taken_away(void **state)
{
    (void)state;
    struct text text = {0};
    char *nothing = text_take(&text);
    assert_string_equal(nothing, "");
    free(nothing);
    text_append(&text, "kept");
    char *taken = text_take(&text);
    assert_string_equal(taken, "kept");
    assert_string_equal(text_get(&text), "");
    free(taken);
    text_free(&text);
}

static void long_formats_fit(void **state)
{
    (void)state;
    struct text AUTOTEXT text = {0};
    text_append(&text, "x");
    text_printf(&text, "%10000d", 7);
    assert_int_equal(text.length, 10001);
    assert_int_equal(text.bytes[10000], '7');
    text_printf(&text, "%s", "");
    assert_int_equal(text.length, 10001);
}

static void expect_json(const char *string, const char *wanted)
{
    struct text AUTOTEXT text = {0};
    text_append_json_string(&text, string);
    assert_string_equal(text_get(&text), wanted);
}

static void json_strings_are_escaped(void **state)
{
    (void)state;
    expect_json("", "\"\"");
    expect_json("plain /text", "\"plain /text\"");
    expect_json("a\"b\\c", "\"a\\\"b\\\\c\"");
    expect_json("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"");
    expect_json("\x01\x1f\x7f\x1b[2J", "\"\\u0001\\u001f\\u007f\\u001b[2J\"");
    expect_json("größe \xf0\x9f\x98\x80", "\"größe \xf0\x9f\x98\x80\"");
}

static void json_strings_hold_no_broken_utf8(void **state)
{
    (void)state;
    const char *broken[] = {"\xff", "\x80", "\xc3", "\xc0", "\xed"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        expect_json(broken[i], "\"\xef\xbf\xbd\"");
    expect_json("a\xe2\x82z", "\"a\xef\xbf\xbd\xef\xbf\xbdz\"");
    expect_json("\xc2\x9b", "\"\\u009b\""); // the one-character form of ESC [
}

static void utf8_is_what_rfc_3629_says(void **state)
{
    (void)state;
    const char *good[] = {
        "\x01",         "\x7f",         "\xc2\x80",     "\xdf\xbf",         "\xe0\xa0\x80",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size_t length = strlen(good[i]);
        assert_int_equal(text_utf8_length(good[i], length), length);
        assert_int_equal(text_utf8_length(good[i], length - 1), 0);
    }
    const char *bad[] = {"\x80",
                         "\xbf",
                         "\xc0\x80",
                         "\xc1\xbf",
                         "\xe0\x9f\xbf",
                         "\xed\xa0\x80",
                         "\xed\xbf\xbf",
                         "\xf0\x8f\xbf\xbf",
                         "\xf4\x90\x80\x80",
                         "\xf5\x80\x80\x80",
                         "\xff",
                         "\xc2"
                         "A",
                         "\xe2\x82"
                         "A",
                         "\xf0\x9f\x98"
                         "A"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(text_utf8_length(bad[i], strlen(bad[i])), 0);
}

static void comparing_knows_null_and_case(void **state)
{
    (void)state;
    assert_true(text_equal(NULL, NULL));
    assert_false(text_equal(NULL, ""));
    assert_false(text_equal("", NULL));
    assert_true(text_equal("a", "a"));
    assert_false(text_equal("a", "A"));
    assert_false(text_equal("a", "ab"));
    assert_true(text_equal_fold(NULL, NULL));
    assert_false(text_equal_fold(NULL, ""));
    assert_true(text_equal_fold("Node-1.EXAMPLE", "nODE-1.example"));
    assert_false(text_equal_fold("a", "ab"));
    assert_false(text_equal_fold("ab", "a"));
    assert_false(text_equal_fold("@", "`")); // differ in the same bit as letters do
    assert_false(text_equal_fold("[", "{"));
    assert_true(text_starts_with("ipc:///x", "ipc://"));
    assert_true(text_starts_with("x", ""));
    assert_false(text_starts_with("ip", "ipc"));
}

static void containing_is_found_anywhere_in_any_case(void **state)
{
    (void)state;
    assert_true(text_contains_fold("The Node is gone", "NODE"));
    assert_true(text_contains_fold("abc", "c"));
    assert_true(text_contains_fold("abc", "ABC"));
    assert_true(text_contains_fold("abc", ""));
    assert_true(text_contains_fold("", ""));
    assert_true(text_contains_fold("aab", "ab"));
    assert_false(text_contains_fold("", "a"));
    assert_false(text_contains_fold("ab", "abc"));
    assert_false(text_contains_fold("abc", "d"));
}

static void shown_text_is_cut_and_harmless(void **state)
{
    (void)state;
    char big[200];
    memset(big, 'x', sizeof(big));
    assert_int_equal(strlen(text_show(big, sizeof(big)).text), TEXT_SHOWN_BYTES_MAX + 3);
    assert_int_equal(strlen(text_show(big, TEXT_SHOWN_BYTES_MAX).text), TEXT_SHOWN_BYTES_MAX);
    assert_string_equal(text_show("a\n\x1b\0\xff", 5).text, "a????");
    assert_string_equal(text_show(NULL, 0).text, "");
}

static void a_file_is_appended_whole(void **state)
{
    (void)state;
    char path[] = "/tmp/vpsie-text.XXXXXX";
    int descriptor = mkstemp(path);
    char bytes[10000];
    memset(bytes, 'y', sizeof(bytes));
    assert_int_equal(write(descriptor, bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
    close(descriptor);
    struct error error = {0};
    struct text AUTOTEXT text = {0};
    text_append(&text, "before");
    assert_int_equal(text_read_file(path, sizeof(bytes), &text, &error), 0);
    assert_int_equal(text.length, 6 + sizeof(bytes));
    assert_int_equal(text_read_file(path, sizeof(bytes) - 1, &text, &error), -1);
    assert_int_equal(error.code, EFBIG);
    assert_non_null(strstr(error.text, path));
    assert_int_equal(text.length, 6 + sizeof(bytes)); // what it held stays, without half a file
    unlink(path);
}

static void proc_files_are_read_though_they_have_no_size(void **state)
{
    (void)state;
    struct error error = {0};
    struct text AUTOTEXT text = {0};
    assert_int_equal(text_read_file("/proc/self/status", 65536, &text, &error), 0);
    assert_non_null(strstr(text_get(&text), "VmRSS:"));
}

static void what_is_no_file_is_an_error_that_names_it(void **state)
{
    (void)state;
    struct error error = {0};
    struct text AUTOTEXT text = {0};
    char fifo[] = "/tmp/vpsie-fifo.XXXXXX";
    assert_int_equal(text_read_file("/nowhere/at/all", 10, &text, &error), -1);
    assert_int_equal(error.code, ENOENT);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
    assert_int_equal(text_read_file("/tmp", 10, &text, &error), -1);
    assert_int_equal(error.code, EISDIR);
    close(mkstemp(fifo));
    unlink(fifo);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(text_read_file(fifo, 10, &text, &error), -1); // and returns
    unlink(fifo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_grows_and_is_always_terminated),
        cmocka_unit_test(a_buffer_can_be_taken_away),
        cmocka_unit_test(long_formats_fit),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(json_strings_hold_no_broken_utf8),
        cmocka_unit_test(utf8_is_what_rfc_3629_says),
        cmocka_unit_test(comparing_knows_null_and_case),
        cmocka_unit_test(containing_is_found_anywhere_in_any_case),
        cmocka_unit_test(shown_text_is_cut_and_harmless),
        cmocka_unit_test(a_file_is_appended_whole),
        cmocka_unit_test(proc_files_are_read_though_they_have_no_size),
        cmocka_unit_test(what_is_no_file_is_an_error_that_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/host/source.h"
#include "tests/unit/agent/tree.h"

static void lines_come_one_by_one_with_and_without_a_last_newline(void **state)
{
    (void)state;
    struct lines lines;
    lines_from_memory(&lines, "one\n\nthree", 10);
    assert_string_equal(lines_next(&lines), "one");
    assert_string_equal(lines_next(&lines), "");
    assert_string_equal(lines_next(&lines), "three");
    assert_null(lines_next(&lines));
    assert_null(lines_next(&lines));
}

static void an_overlong_line_comes_cut_and_its_rest_is_skipped(void **state)
{
    (void)state;
    char *text = malloc(3 * SOURCE_LINE_BYTES_MAX + 8);
    memset(text, 'x', 3 * SOURCE_LINE_BYTES_MAX);
    strcpy(text + 3 * SOURCE_LINE_BYTES_MAX, "\nend\n");
    struct lines lines;
    lines_from_memory(&lines, text, strlen(text));
    assert_int_equal(strlen(lines_next(&lines)), SOURCE_LINE_BYTES_MAX - 1);
    assert_true(lines.cut);
    assert_string_equal(lines_next(&lines), "end");
    assert_false(lines.cut);
    assert_null(lines_next(&lines));
    free(text);
}

static void a_long_file_is_read_whole_in_fixed_memory(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    struct error error;
    char *text = calloc(20000, 8);
    char *at = text;
    for (int i = 0; i < 20000; i++)
        at += sprintf(at, "%d\n", i);
    tree_write(&tree, text, "long");
    int root = tree_open(&tree, ".");
    struct lines lines;
    assert_int_equal(lines_open(&lines, root, "long", &error), 0);
    for (int i = 0; i < 20000; i++) {
        char *line = lines_next(&lines);
        assert_non_null(line);
        assert_int_equal(atoi(line), i);
    }
    assert_null(lines_next(&lines));
    lines_close(&lines);
    close(root);
    free(text);
    tree_destroy(&tree);
}

static void a_file_that_is_too_long_is_an_error_that_names_it(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_write(&tree, "12345678", "file");
    int root = tree_open(&tree, ".");
    char small[8], enough[9];
    struct error error;
    assert_int_equal(source_read(root, "file", small, sizeof small, &error), -1);
    assert_int_equal(error.code, EFBIG);
    assert_non_null(strstr(error.text, "file"));
    assert_int_equal(source_read(root, "file", enough, sizeof enough, &error), 8);
    assert_string_equal(enough, "12345678");
    assert_int_equal(source_read(root, "none", enough, sizeof enough, &error), -1);
    assert_int_equal(error.code, ENOENT);
    close(root);
    tree_destroy(&tree);
}

static void a_number_file_holds_one_number_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {{"17\n", true},
                 {"17", true},
                 {"", false},
                 {"max\n", false},
                 {"-1\n", false},
                 {"1 2\n", false},
                 {"18446744073709551616\n", false}};
    struct tree tree;
    tree_create(&tree);
    int root = tree_open(&tree, ".");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = 0;
        tree_write(&tree, cases[i].text, "number");
        assert_int_equal(source_read_u64(root, "number", &value, NULL) == 0, cases[i].good);
        if (cases[i].good)
            assert_int_equal(value, 17);
    }
    close(root);
    tree_destroy(&tree);
}

static void a_fifo_in_the_place_of_a_file_does_not_stop_the_reader(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    char path[128], buffer[8];
    snprintf(path, sizeof path, "%s/fifo", tree.root);
    assert_int_equal(mkfifo(path, 0644), 0);
    int root = tree_open(&tree, ".");
    assert_int_not_equal(source_read(root, "fifo", buffer, sizeof buffer, NULL), 1);
    close(root);
    tree_destroy(&tree);
}

static bool has_openat2(void)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC};
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void links_are_followed_inside_the_root_and_never_out_of_it(void **state)
{
    (void)state;
    if (!has_openat2()) { // older than Linux 5.6, or an emulator
        print_message("NOT TESTED: there is no openat2() here: %s\n", strerror(errno));
        skip();
    }
    struct tree tree;
    struct error error;
    tree_create(&tree);
    tree_mkdir(&tree, "rootfs/data/kubelet");
    tree_write(&tree, "", "outside/secret");
    tree_link(&tree, "/data/kubelet", "rootfs/var/lib/kubelet");
    tree_link(&tree, "../../../outside", "rootfs/var/lib/escape");
    int root = tree_open(&tree, "rootfs");
    int fd = source_open_inside(root, "/var/lib/kubelet", &error);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(source_open_inside(root, "/var/lib/escape", &error), -1);
    assert_int_equal(error.code, ENOENT); // "/outside" of the tree, which it has not
    fd = source_open_inside(root, "/", &error);
    assert_true(fd >= 0);
    close(fd);
    close(root);
    tree_destroy(&tree);
}

static void scanners_take_what_is_there_and_leave_the_rest(void **state)
{
    (void)state;
    const char *text = "  12 0aF 3.25 word: rest";
    uint64_t number;
    double real;
    const char *field;
    assert_true(scan_u64(&text, &number));
    assert_int_equal(number, 12);
    assert_true(scan_hex(&text, &number, 4));
    assert_int_equal(number, 0xaf);
    assert_true(scan_decimal(&text, &real));
    assert_float_equal(real, 3.25, 1e-9);
    assert_false(scan_word(&text, "wor"));
    assert_true(scan_word(&text, "word"));
    assert_int_equal(scan_field(&text, &field), 4);
    assert_int_equal(scan_field(&text, &field), 0);
    assert_false(scan_u64(&text, &number));
    const char *huge = "99999999999999999999";
    assert_false(scan_u64(&huge, &number));
}

static void what_is_shown_holds_no_control_characters_and_no_broken_utf8(void **state)
{
    (void)state;
    char out[32];
    const char dirty[] = "a\x1b[31m\xff"
                         "b\xc3\xa4\xc2\x9b"
                         "c\n";
    source_clean_text(out, sizeof out, dirty, sizeof dirty - 1);
    assert_string_equal(out, "a?[31m?b\xc3\xa4?c?");
    source_clean_text(out, 3, "a\xc3\xa4", 3); // cut before the character that does not fit
    assert_string_equal(out, "a");
    source_clean_name(out, sizeof out, "na me\xc3\xa4");
    assert_string_equal(out, "na?me??");
}

static void directory_entries_come_without_the_dots(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    for (int i = 0; i < 500; i++)
        tree_write(&tree, "", "many/entry-%d", i);
    int fd = tree_open(&tree, "many");
    struct directory directory;
    directory_begin(&directory, fd);
    unsigned char type;
    int count = 0;
    for (const char *name; (name = directory_next(&directory, &type)); count++)
        assert_int_equal(strncmp(name, "entry-", 6), 0);
    assert_int_equal(count, 500);
    assert_int_equal(directory.failed, 0);
    close(fd);
    tree_destroy(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_one_by_one_with_and_without_a_last_newline),
        cmocka_unit_test(an_overlong_line_comes_cut_and_its_rest_is_skipped),
        cmocka_unit_test(a_long_file_is_read_whole_in_fixed_memory),
        cmocka_unit_test(a_file_that_is_too_long_is_an_error_that_names_it),
        cmocka_unit_test(a_number_file_holds_one_number_and_nothing_else),
        cmocka_unit_test(a_fifo_in_the_place_of_a_file_does_not_stop_the_reader),
        cmocka_unit_test(links_are_followed_inside_the_root_and_never_out_of_it),
        cmocka_unit_test(scanners_take_what_is_there_and_leave_the_rest),
        cmocka_unit_test(what_is_shown_holds_no_control_characters_and_no_broken_utf8),
        cmocka_unit_test(directory_entries_come_without_the_dots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

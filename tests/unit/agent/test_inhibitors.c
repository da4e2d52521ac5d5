#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/host/inhibitors.h"
#include "tests/unit/agent/tree.h"

#define NOW_MS    1700000000000
#define DIRECTORY "rootfs/" INHIBITORS_DIRECTORY

static struct inhibitor parse(const char *content)
{
    struct inhibitor out = {0};
    inhibitors_parse(content, strlen(content), NOW_MS, &out);
    return out;
}

static void a_reason_and_a_time_are_understood(void **state)
{
    (void)state;
    struct inhibitor out =
        parse("# made by the backup\nreason:  copying   things \nexpires: 2023-11-15T00:00:00Z\n");
    assert_string_equal(out.reason, "copying   things");
    assert_int_equal(out.expires_ms, 1700006400000);
}

static void a_duration_counts_from_the_files_last_change(void **state)
{
    (void)state;
    assert_int_equal(parse("expires: 1h30m\n").expires_ms, NOW_MS + 5400000);
    assert_int_equal(parse("expires:45s").expires_ms, NOW_MS + 45000);
}

static void an_empty_file_inhibits_without_a_reason_and_for_ever(void **state)
{
    (void)state;
    assert_string_equal(parse("").reason, "no reason given");
    assert_int_equal(parse("").expires_ms, 0);
    assert_string_equal(parse("\n\n# x\n").reason, "no reason given");
}

static void what_is_malformed_inhibits_for_ever_and_says_what_is_wrong(void **state)
{
    (void)state;
    static const char *const cases[] = {"expires: tomorrow\n",
                                        "expires: -5m\n",
                                        "expires:\n",
                                        "expires: 0\n",
                                        "expire: 1h\n",
                                        "just text\n",
                                        "expires: 1h\nrubbish\n",
                                        "expires: 99999999999999999h\n"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inhibitor out = parse(cases[i]);
        assert_int_equal(out.expires_ms, 0);
        assert_int_equal(strncmp(out.reason, "malformed", 9), 0);
    }
    struct inhibitor out = parse("reason: backup\nexpires: soon\n");
    assert_non_null(strstr(out.reason, "soon"));
    assert_non_null(strstr(out.reason, "backup"));
}

static void a_reason_cannot_bring_control_characters_in(void **state)
{
    (void)state;
    assert_string_equal(parse("reason: a\x1b[2Jb\xff\n").reason, "a?[2Jb?");
}

static size_t read_all(const struct tree *tree, int64_t now_ms, struct inhibitor *out)
{
    size_t count;
    struct error error;
    int rootfs = tree_open(tree, "rootfs");
    assert_int_equal(inhibitors_read(rootfs, now_ms, out, &count, &error), 0);
    close(rootfs);
    return count;
}

static void files_become_inhibitors_in_order_of_their_names(void **state)
{
    (void)state;
    struct tree tree;
    struct inhibitor out[VIEW_INHIBITORS_MAX];
    tree_create(&tree);
    assert_int_equal(read_all(&tree, NOW_MS, out), 0); // no directory, no inhibitors
    tree_write(&tree, "reason: two\n", DIRECTORY "/two");
    tree_write(&tree, "reason: one\n", DIRECTORY "/one");
    tree_write(&tree, "reason: not yet\n", DIRECTORY "/.three");
    tree_write(&tree, "reason: over\nexpires: 2001-01-01T00:00:00Z\n", DIRECTORY "/past");
    assert_int_equal(read_all(&tree, NOW_MS, out), 2);
    assert_string_equal(out[0].name, "one");
    assert_string_equal(out[1].reason, "two");
    tree_destroy(&tree);
}

static void what_is_not_a_readable_file_inhibits_too(void **state)
{
    (void)state;
    struct tree tree;
    struct inhibitor out[VIEW_INHIBITORS_MAX];
    char path[256];
    tree_create(&tree);
    tree_mkdir(&tree, DIRECTORY "/directory");
    tree_link(&tree, "/etc/passwd", DIRECTORY "/link");
    snprintf(path, sizeof path, "%s/" DIRECTORY "/fifo", tree.root);
    assert_int_equal(mkfifo(path, 0644), 0);
    char *big = malloc(INHIBITORS_FILE_BYTES_MAX + 2);
    memset(big, '#', INHIBITORS_FILE_BYTES_MAX + 1);
    big[INHIBITORS_FILE_BYTES_MAX + 1] = '\0';
    tree_write(&tree, big, DIRECTORY "/big");
    free(big);
    assert_int_equal(read_all(&tree, NOW_MS, out), 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(strncmp(out[i].reason, "unreadable", 10), 0);
        assert_int_equal(out[i].expires_ms, 0);
    }
    tree_destroy(&tree);
}

static void more_than_fit_are_counted_in_the_last(void **state)
{
    (void)state;
    struct tree tree;
    struct inhibitor out[VIEW_INHIBITORS_MAX];
    tree_create(&tree);
    for (int i = 0; i < 40; i++)
        tree_write(&tree, "", DIRECTORY "/i%02d", i);
    assert_int_equal(read_all(&tree, NOW_MS, out), VIEW_INHIBITORS_MAX);
    assert_string_equal(out[VIEW_INHIBITORS_MAX - 1].reason, "and 9 more");
    tree_destroy(&tree);
}

static void a_directory_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    struct tree tree;
    struct inhibitor out[VIEW_INHIBITORS_MAX];
    struct error error;
    size_t count;
    tree_create(&tree);
    tree_write(&tree, "", DIRECTORY);
    int rootfs = tree_open(&tree, "rootfs");
    assert_int_equal(inhibitors_read(rootfs, NOW_MS, out, &count, &error), -1);
    assert_int_equal(error.code, ENOTDIR);
    close(rootfs);
    tree_destroy(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reason_and_a_time_are_understood),
        cmocka_unit_test(a_duration_counts_from_the_files_last_change),
        cmocka_unit_test(an_empty_file_inhibits_without_a_reason_and_for_ever),
        cmocka_unit_test(what_is_malformed_inhibits_for_ever_and_says_what_is_wrong),
        cmocka_unit_test(a_reason_cannot_bring_control_characters_in),
        cmocka_unit_test(files_become_inhibitors_in_order_of_their_names),
        cmocka_unit_test(what_is_not_a_readable_file_inhibits_too),
        cmocka_unit_test(more_than_fit_are_counted_in_the_last),
        cmocka_unit_test(a_directory_that_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

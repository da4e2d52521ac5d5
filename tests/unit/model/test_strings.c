#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/model/strings.h"
#include "coordinator/model/table.h"

static void equal_strings_are_equal_pointers(void **state)
{
    (void)state;
    struct strings *strings = strings_create();
    char copy[] = "web-1";
    const char *first = strings_intern(strings, "web-1");
    assert_ptr_equal(first, strings_intern(strings, copy));
    assert_ptr_not_equal(first, strings_intern(strings, "web-2"));
    assert_string_equal(first, "web-1");
    assert_ptr_equal(strings_intern(strings, NULL), strings_intern(strings, ""));
    assert_int_equal(strings_count(strings), 3);
    strings_destroy(strings);
}

static void what_was_never_interned_is_not_found(void **state)
{
    (void)state;
    struct strings *strings = strings_create();
    assert_null(strings_find(strings, "x"));
    const char *x = strings_intern(strings, "x");
    assert_ptr_equal(strings_find(strings, "x"), x);
    assert_null(strings_find(strings, "y"));
    strings_destroy(strings);
}

static void a_held_string_goes_with_its_last_release(void **state)
{
    (void)state;
    struct strings *strings = strings_create();
    size_t before = strings_bytes(strings);
    const char *held = strings_hold(strings, "job-4711");
    assert_ptr_equal(strings_hold(strings, "job-4711"), held);
    assert_true(strings_bytes(strings) > before);
    strings_release(strings, held);
    assert_ptr_equal(strings_find(strings, "job-4711"), held);
    strings_release(strings, held);
    assert_null(strings_find(strings, "job-4711"));
    assert_int_equal(strings_count(strings), 0);
    strings_destroy(strings);
}

static void an_interned_string_outlives_every_release(void **state)
{
    (void)state;
    struct strings *strings = strings_create();
    const char *held = strings_hold(strings, "node-1");
    assert_ptr_equal(strings_intern(strings, "node-1"), held);
    strings_release(strings, held);
    assert_ptr_equal(strings_find(strings, "node-1"), held);
    assert_ptr_equal(strings_hold(strings, "node-1"), held);
    strings_release(strings, held);
    assert_ptr_equal(strings_find(strings, "node-1"), held);
    strings_destroy(strings);
}

static void strings_that_come_and_go_do_not_pile_up(void **state)
{
    (void)state;
    struct strings *strings = strings_create();
    size_t most = 0;
    for (int round = 0; round < 20000; round++) {
        char text[32];
        snprintf(text, sizeof(text), "uid-%d", round);
        strings_release(strings, strings_hold(strings, text));
        if (strings_bytes(strings) > most)
            most = strings_bytes(strings);
    }
    assert_true(most < 2048);
    strings_destroy(strings);
}

// The table under it all, driven hard against a plain array.
static void a_table_finds_what_was_put_in_and_nothing_that_was_taken_out(void **state)
{
    (void)state;
    enum { ITEMS = 3000 };
    static char items[ITEMS];
    static bool there[ITEMS];
    struct table table = {0};
    uint32_t random = 1;
    for (int step = 0; step < 60000; step++) {
        random = random * 1664525u + 1013904223u;
        uint32_t i = (random >> 8) % (step < 30000 ? ITEMS : ITEMS / 10);
        uint64_t hash = hash_number(HASH_SEED, i / 3); // three items share each hash
        if (there[i]) {
            assert_true(table_remove(&table, hash, &items[i]));
            assert_false(table_remove(&table, hash, &items[i]));
        } else {
            table_insert(&table, hash, &items[i]);
        }
        there[i] = !there[i];
    }
    uint32_t expected = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        unsigned times = 0;
        void *item;
        for (uint32_t cursor = 0;
             (item = table_next(&table, hash_number(HASH_SEED, i / 3), &cursor)) != NULL;)
            times += item == &items[i];
        assert_int_equal(times, there[i]);
        expected += there[i];
    }
    assert_int_equal(table.count, expected);
    table_free(&table);
}

static void an_empty_table_has_nothing(void **state)
{
    (void)state;
    struct table table = {0};
    uint32_t cursor = 0;
    assert_null(table_next(&table, 1, &cursor));
    assert_false(table_remove(&table, 1, &table));
    table_free(&table);
}

static void hashes_tell_pieces_apart_and_fold_case(void **state)
{
    (void)state;
    uint64_t one = hash_text(hash_text(HASH_SEED, "ab"), "c");
    uint64_t two = hash_text(hash_text(HASH_SEED, "a"), "bc");
    assert_true(one != two);
    assert_true(hash_text(HASH_SEED, NULL) == hash_text(HASH_SEED, ""));
    assert_true(hash_text_fold(HASH_SEED, "Node-A") == hash_text_fold(HASH_SEED, "nODE-a"));
    assert_true(hash_text(HASH_SEED, "Node-A") != hash_text(HASH_SEED, "node-a"));
    assert_true(hash_number(HASH_SEED, 1) != hash_number(HASH_SEED, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_strings_are_equal_pointers),
        cmocka_unit_test(what_was_never_interned_is_not_found),
        cmocka_unit_test(a_held_string_goes_with_its_last_release),
        cmocka_unit_test(an_interned_string_outlives_every_release),
        cmocka_unit_test(strings_that_come_and_go_do_not_pile_up),
        cmocka_unit_test(a_table_finds_what_was_put_in_and_nothing_that_was_taken_out),
        cmocka_unit_test(an_empty_table_has_nothing),
        cmocka_unit_test(hashes_tell_pieces_apart_and_fold_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

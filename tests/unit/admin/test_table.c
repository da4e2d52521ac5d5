#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/admin/table.h"

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_create(4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

static void shows(struct screen *screen, const char *expected)
{
    assert_string_equal(text_get(&screen->out), expected);
    text_free(&screen->out);
    screen->column = 0;
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct screen screen = {.width = 80};
    struct table table = table_create(arena, "NAME|~WHY|N");
    table_row(&table);
    table_cell(&table, PAINT_PLAIN, "a");
    table_cell(&table, PAINT_PLAIN, "because");
    table_cell(&table, PAINT_PLAIN, "%d", 12);
    table_row(&table);
    table_cell(&table, PAINT_PLAIN, "longer");
    table_print(&table, &screen);
    shows(&screen, "NAME    WHY      N\na       because  12\nlonger\n");
}

static void what_does_not_fit_is_cut_where_it_may_be_cut(void **state)
{
    (void)state;
    struct screen screen = {.width = 24};
    struct table table = table_create(arena, "NAME|~WHY");
    table_row(&table);
    table_cell(&table, PAINT_PLAIN, "general-1");
    table_cell(&table, PAINT_PLAIN, "a reason that is much too long");
    table_print(&table, &screen);
    shows(&screen, "NAME       WHY\ngeneral-1  a reason tha\xe2\x80\xa6\n");
}

static void a_name_is_cut_last(void **state)
{
    (void)state;
    struct screen screen = {.width = 36};
    struct table table = table_create(arena, "!NAME|STATE|~WHY");
    table_row(&table);
    table_cell(&table, PAINT_PLAIN, "k8s-node-29b5-1004");
    table_cell(&table, PAINT_PLAIN, "leaving soon");
    table_cell(&table, PAINT_PLAIN, "a reason that is much too long");
    table_print(&table, &screen);
    shows(&screen,
          "NAME                STATE     WHY\nk8s-node-29b5-1004  leaving\xe2\x80\xa6  a rea\xe2\x80\xa6\n");
}

static void no_line_is_ever_wider_than_the_screen(void **state)
{
    (void)state;
    for (int width = 10; width < 90; width += 7) {
        struct screen screen = {.width = width};
        struct table table = table_create(arena, "!FIRST|~SECOND|THIRD|~FOURTH");
        table_row(&table);
        for (int i = 0; i < 4; i++)
            table_cell(&table, PAINT_PLAIN, "a cell with some thirty columns");
        table_print(&table, &screen);
        for (char *line = strtok(screen.out.bytes, "\n"); line != NULL; line = strtok(NULL, "\n"))
            assert_true(text_columns(line) <= width);
        text_free(&screen.out);
    }
}

static void a_cell_cannot_play_with_the_terminal(void **state)
{
    (void)state;
    struct screen screen = {.width = 80};
    screen_put(&screen, PAINT_PLAIN, "a\x1b[2Jb\nc\td\x7f");
    screen_put(&screen, PAINT_PLAIN, "\xc2\x9b\xe2\x80\xae\xef\xbb\xbf\xff");
    screen_line(&screen);
    shows(&screen, "a?[2Jb?c?d?????\n");
    screen_put(&screen, PAINT_PLAIN, "\xc3\xa9\xe2\x82\xac\xe2\x80\xa6");
    screen_line(&screen);
    shows(&screen, "\xc3\xa9\xe2\x82\xac\xe2\x80\xa6\n");
}

static void colours_are_only_there_when_asked_for_and_take_no_room(void **state)
{
    (void)state;
    struct screen screen = {.width = 5, .colour = true};
    screen_put(&screen, PAINT_RED, "abc");
    screen_put(&screen, PAINT_BOLD, "def");
    screen_line(&screen);
    shows(&screen, "\x1b[31mabc\x1b[0m\x1b[1md\xe2\x80\xa6\x1b[0m\n");
    screen.colour = false;
    screen_put(&screen, PAINT_RED, "abc");
    screen_line(&screen);
    shows(&screen, "abc\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(what_does_not_fit_is_cut_where_it_may_be_cut),
        cmocka_unit_test(a_name_is_cut_last),
        cmocka_unit_test(no_line_is_ever_wider_than_the_screen),
        cmocka_unit_test(a_cell_cannot_play_with_the_terminal),
        cmocka_unit_test(colours_are_only_there_when_asked_for_and_take_no_room),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

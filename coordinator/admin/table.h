// What this room is for: text for a terminal: lines and tables that fit its width, calm colours, nothing that
// a value could do to the terminal. What it knows: characters. What it may not do: know what a cell means.
#ifndef VPSIE_COORDINATOR_ADMIN_TABLE_H
#define VPSIE_COORDINATOR_ADMIN_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/text.h"

enum paint { PAINT_PLAIN, PAINT_BOLD, PAINT_DIM, PAINT_GREEN, PAINT_YELLOW, PAINT_RED };

struct screen {
    struct text out;
    int width; // columns; lines are cut to it with an ellipsis
    bool colour;
    int column; // of the line that is being written
};
// Append to the present line; control characters become '?', what passes the width is cut.
void screen_put(struct screen *screen, enum paint paint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Exactly so many columns: cut, or filled up with blanks.
void screen_put_columns(struct screen *screen, enum paint paint, int columns, const char *text);
void screen_line(struct screen *screen); // end it

#define TABLE_COLUMNS_MAX 12
enum cut { CUT_FIRST, CUT_THEN, CUT_LAST };
struct table {
    struct arena *arena;
    int column_count;
    const char *titles[TABLE_COLUMNS_MAX]; // static text
    enum cut cuts[TABLE_COLUMNS_MAX];      // when the table is wider than the screen
    struct table_row *first, *last;
    int next; // column of the next cell
};
// "!NAME|GROUP|~KEPT BY": titles between bars, '~' before those that are cut first, '!' last.
struct table table_create(struct arena *arena, const char *titles);
void table_row(struct table *table);
void table_cell(struct table *table, enum paint paint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void table_print(const struct table *table, struct screen *screen);

// Columns that a text takes: its UTF-8 characters.
int text_columns(const char *text);

#endif

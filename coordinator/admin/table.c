#include "coordinator/admin/table.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#define GAP        2
#define COLUMN_MIN 6 // what is cut keeps at least so much
#define ELLIPSIS   "\xe2\x80\xa6"

struct table_row {
    const char *cells[TABLE_COLUMNS_MAX];
    enum paint paints[TABLE_COLUMNS_MAX];
    struct table_row *next;
};

// ---- characters

// The next character's bytes; one for what is no UTF-8.
static size_t character(const char *text)
{
    size_t length = text_utf8_length(text, strlen(text));
    return length > 0 ? length : 1;
}

int text_columns(const char *text)
{
    int columns = 0;
    for (; *text != '\0'; text += character(text))
        columns++;
    return columns;
}

// Neither a control character (C0, C1) nor a mark that turns the direction of writing or has no width.
static bool harmless(const char *text, size_t length)
{
    unsigned char first = (unsigned char)text[0];
    if (length == 1)
        return first >= ' ' && first < 0x7f;
    unsigned char second = (unsigned char)text[1];
    if (length == 2)
        return first != 0xc2 || second >= 0xa0;
    unsigned char third = (unsigned char)text[2];
    if (length == 3 && first == 0xe2 && second == 0x80) // U+2000 to U+203F
        return !(third >= 0x8b && third <= 0x8f) && !(third >= 0xa8 && third <= 0xae);
    if (length == 3 && first == 0xe2 && second == 0x81) // U+2040 to U+207F
        return third < 0xa0 || third > 0xaf;
    return !(length == 3 && first == 0xef && second == 0xbb && third == 0xbf); // U+FEFF
}

// At most `columns` of the text, the last one an ellipsis when something is left out.
static int append_cut(struct text *out, const char *text, int columns)
{
    int all = text_columns(text);
    int shown = all > columns ? columns - 1 : all;
    if (columns <= 0)
        return 0;
    for (int i = 0; i < shown; i++) {
        size_t length = character(text);
        if (harmless(text, length))
            text_append_bytes(out, text, length);
        else
            text_append_bytes(out, "?", 1);
        text += length;
    }
    if (all > columns)
        text_append(out, ELLIPSIS);
    return all > columns ? columns : all;
}

static const char *paint_code(enum paint paint)
{
    static const char *const CODES[] = {
        [PAINT_PLAIN] = "",         [PAINT_BOLD] = "\x1b[1m",    [PAINT_DIM] = "\x1b[2m",
        [PAINT_GREEN] = "\x1b[32m", [PAINT_YELLOW] = "\x1b[33m", [PAINT_RED] = "\x1b[31m",
    };
    return CODES[paint];
}

static void put(struct screen *screen, enum paint paint, const char *text, int columns)
{
    int left = screen->width - screen->column;
    if (columns > left)
        columns = left;
    bool painted = screen->colour && paint != PAINT_PLAIN && columns > 0;
    if (painted)
        text_append(&screen->out, paint_code(paint));
    screen->column += append_cut(&screen->out, text, columns);
    if (painted)
        text_append(&screen->out, "\x1b[0m");
}

void screen_put(struct screen *screen, enum paint paint, const char *format, ...)
{
    struct text AUTOTEXT line = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&line, format, arguments);
    va_end(arguments);
    put(screen, paint, text_get(&line), text_columns(text_get(&line)));
}

void screen_put_columns(struct screen *screen, enum paint paint, int columns, const char *text)
{
    int begin = screen->column;
    put(screen, paint, text, columns);
    int pad = columns - (screen->column - begin);
    if (pad > 0)
        screen_put(screen, PAINT_PLAIN, "%*s", pad, "");
}

void screen_line(struct screen *screen)
{
    // no blanks before the line's end
    while (screen->out.length > 0 && screen->out.bytes[screen->out.length - 1] == ' ')
        screen->out.bytes[--screen->out.length] = '\0';
    text_append(&screen->out, "\n");
    screen->column = 0;
}

// ---- tables

struct table table_create(struct arena *arena, const char *titles)
{
    struct table table = {.arena = arena};
    for (char *at = arena_strdup(arena, titles); at != NULL;) {
        assert(table.column_count < TABLE_COLUMNS_MAX);
        char *bar = strchr(at, '|');
        if (bar != NULL)
            *bar = '\0';
        table.cuts[table.column_count] = at[0] == '~' ? CUT_FIRST : at[0] == '!' ? CUT_LAST : CUT_THEN;
        table.titles[table.column_count++] = at[0] == '~' || at[0] == '!' ? at + 1 : at;
        at = bar != NULL ? bar + 1 : NULL;
    }
    return table;
}

void table_row(struct table *table)
{
    struct table_row *row = ARENA_NEW(table->arena, struct table_row);
    for (int i = 0; i < TABLE_COLUMNS_MAX; i++)
        row->cells[i] = "";
    if (table->last != NULL)
        table->last->next = row;
    else
        table->first = row;
    table->last = row;
    table->next = 0;
}

void table_cell(struct table *table, enum paint paint, const char *format, ...)
{
    assert(table->last != NULL && table->next < table->column_count);
    struct text AUTOTEXT cell = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&cell, format, arguments);
    va_end(arguments);
    table->last->cells[table->next] = arena_strdup(table->arena, text_get(&cell));
    table->last->paints[table->next++] = paint;
}

static int total(const struct table *table, const int *widths)
{
    int sum = 0;
    for (int i = 0; i < table->column_count; i++)
        sum += widths[i] + (i > 0 ? GAP : 0);
    return sum;
}

// Take from the widest column that may be cut, one by one, until the table fits or nothing is left to cut.
static void shrink(const struct table *table, int *widths, int width, enum cut cut)
{
    while (total(table, widths) > width) {
        int widest = -1;
        for (int i = 0; i < table->column_count; i++)
            if (table->cuts[i] <= cut && widths[i] > COLUMN_MIN && (widest < 0 || widths[i] > widths[widest]))
                widest = i;
        if (widest < 0)
            return;
        widths[widest]--;
    }
}

static void print_cells(const struct table *table, struct screen *screen, const int *widths,
                        const char *const *cells, const enum paint *paints)
{
    for (int i = 0; i < table->column_count; i++) {
        screen_put_columns(screen, paints != NULL ? paints[i] : PAINT_DIM, widths[i], cells[i]);
        if (i + 1 < table->column_count)
            screen_put(screen, PAINT_PLAIN, "%*s", GAP, "");
    }
    screen_line(screen);
}

void table_print(const struct table *table, struct screen *screen)
{
    int widths[TABLE_COLUMNS_MAX] = {0};
    for (int i = 0; i < table->column_count; i++)
        widths[i] = text_columns(table->titles[i]);
    for (const struct table_row *row = table->first; row != NULL; row = row->next)
        for (int i = 0; i < table->column_count; i++) {
            int columns = text_columns(row->cells[i]);
            widths[i] = columns > widths[i] ? columns : widths[i];
        }
    for (enum cut cut = CUT_FIRST; cut <= CUT_LAST; cut++)
        shrink(table, widths, screen->width, cut);
    print_cells(table, screen, widths, table->titles, NULL);
    for (const struct table_row *row = table->first; row != NULL; row = row->next)
        print_cells(table, screen, widths, row->cells, row->paints);
}

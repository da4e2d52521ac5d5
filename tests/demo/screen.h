// What this room is for: the demo's one screen: a head that changes, lines that stay. Plain lines when it is
// no terminal. What it knows: ANSI, the terminal's size. What it may not do: know the story.
#ifndef VPSIE_TESTS_DEMO_SCREEN_H
#define VPSIE_TESTS_DEMO_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

struct screen {
    bool terminal, colour;
    int64_t begin_ms; // monotonic
    int head_lines;   // drawn and to be redrawn
    char head[2][256];
};

void screen_open(struct screen *screen);
// The two lines on top; redrawn in place on a terminal, silent otherwise until screen_close().
void screen_head(struct screen *screen, const char *state);
// A line of the story, with its time. Longer than 100 columns is cut.
void screen_say(struct screen *screen, const char *format, ...) __attribute__((format(printf, 2, 3)));
void screen_close(struct screen *screen);
int64_t screen_elapsed_ms(const struct screen *screen);

#endif

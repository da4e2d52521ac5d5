#include "tests/demo/screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

#define COLUMNS 100

void screen_open(struct screen *screen)
{
    memset(screen, 0, sizeof *screen);
    const char *term = getenv("TERM");
    screen->terminal = isatty(STDOUT_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    screen->colour = screen->terminal && getenv("NO_COLOR") == NULL;
    screen->begin_ms = clock_monotonic_ms();
}

int64_t screen_elapsed_ms(const struct screen *screen)
{
    return clock_monotonic_ms() - screen->begin_ms;
}

static void clear_head(struct screen *screen)
{
    for (; screen->head_lines > 0; screen->head_lines--) {
        fputs("\033[1A\033[2K", stdout);
    }
}

static void draw_head(struct screen *screen)
{
    int64_t seconds = screen_elapsed_ms(screen) / 1000;
    char clock[48];
    snprintf(clock, sizeof clock, "%lld:%02lld", (long long)(seconds / 60), (long long)(seconds % 60));
    const char *bold = screen->colour ? "\033[1m" : "", *plain = screen->colour ? "\033[0m" : "";
    printf("\n%sVPSie autoscaler demo%s   real: coordinator, agents, TLS   played: Kubernetes, VPSie "
           "%*s\n%.*s\n",
           bold, plain, COLUMNS - 76, clock, COLUMNS, screen->head[0]);
    screen->head_lines = 3;
}

void screen_head(struct screen *screen, const char *state)
{
    snprintf(screen->head[0], sizeof screen->head[0], "%s", state);
    if (screen->terminal) {
        clear_head(screen);
        draw_head(screen);
        fflush(stdout);
    }
}

// Words in capitals that people look for, in a calm colour.
static void print_coloured(const struct screen *screen, const char *line)
{
    static const struct {
        const char *word, *colour;
    } words[] = {{"KILLED", "\033[31m"}, {"HELD", "\033[33m"}, {"lost", "\033[33m"}, {"READY", "\033[32m"}};
    for (size_t i = 0; screen->colour && i < sizeof words / sizeof words[0]; i++) {
        const char *at = strstr(line, words[i].word);
        if (at != NULL) {
            printf("%.*s%s%s\033[0m%s\n", (int)(at - line), line, words[i].colour, words[i].word,
                   at + strlen(words[i].word));
            return;
        }
    }
    printf("%s\n", line);
}

void screen_say(struct screen *screen, const char *format, ...)
{
    char line[512];
    int64_t seconds = screen_elapsed_ms(screen) / 1000;
    int used =
        snprintf(line, sizeof line, "%lld:%02lld  ", (long long)(seconds / 60), (long long)(seconds % 60));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
    va_end(arguments);
    line[COLUMNS] = '\0';
    if (screen->terminal) {
        clear_head(screen);
    }
    print_coloured(screen, line);
    if (screen->terminal) {
        draw_head(screen);
    }
    fflush(stdout);
}

void screen_close(struct screen *screen)
{
    if (!screen->terminal) {
        printf("%s\n", screen->head[0]);
    }
    fflush(stdout);
}

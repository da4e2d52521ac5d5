// What this room is for: command-line flags and their environment variables from one table; --help is the
// table. What it knows: text. What it may not do: exit or print by itself, except through the functions that
// say so.
#ifndef VPSIE_COMMON_FLAGS_H
#define VPSIE_COMMON_FLAGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"

enum flag_type { FLAG_STRING, FLAG_BOOL, FLAG_INTEGER, FLAG_DURATION_MS, FLAG_DOUBLE, FLAG_STRINGS };

#define FLAGS_MAX        128 // in one table
#define FLAG_STRINGS_MAX 32
struct flag_strings { // a repeatable flag
    const char *items[FLAG_STRINGS_MAX];
    int count;
};

struct flag {
    const char *name; // without "--"
    enum flag_type type;
    void *target; // const char **, bool *, int64_t *, int64_t * (ms), double *, struct flag_strings *
    const char *default_text; // parsed first, shown in --help; NULL: none ("")
    const char *environment;  // variable that overrides the default; NULL: derived as VPSIE_ + NAME
    const char *value_name;   // "PATH", "DURATION"; NULL for bool
    const char *help;
    int64_t minimum, maximum; // for integers and durations (ms); both 0: no bound
    const char *section;      // heading in --help when it differs from the previous flag's
};

// Environment variable for a flag: VPSIE_ + upper case name with '-' and '.' as '_', unless flag->environment
// is set.
void flags_environment_name(const struct flag *flag, char *buffer, size_t bytes);

// Defaults, then environment, then arguments ("--name=value", "--name value", "--bool", "--no-bool",
// "--bool=false"). Strings point into argv, the environment or the table: no copies.
// Non-flag words are collected in order in `words` (up to words_max; more is an error); "--" ends flags.
// Errors name the flag, its value and what would be right, and suggest the nearest flag for a misspelt one.
// Returns the number of words, or -1.
int flags_parse(const struct flag *flags, int flag_count, int argc, char **argv, const char **words,
                int words_max, struct error *error);

// Aligned to 100 columns: --name VALUE, help, [default], $ENVIRONMENT.
void flags_print_help(FILE *out, const struct flag *flags, int flag_count);

#endif

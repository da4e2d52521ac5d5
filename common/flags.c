#include "common/flags.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define NAME_BYTES_MAX       128
#define HELP_COLUMNS         100
#define HELP_INDENT_MAX      34
#define NAME_SUGGESTION_COST 3 // more edits than this and it is another word

void flags_environment_name(const struct flag *flag, char *buffer, size_t bytes)
{
    assert(flag != NULL && buffer != NULL && bytes > 0);
    if (flag->environment != NULL) {
        snprintf(buffer, bytes, "%s", flag->environment);
        return;
    }
    snprintf(buffer, bytes, "VPSIE_%s", flag->name);
    for (char *c = buffer; *c != '\0'; c++) {
        if (*c == '-' || *c == '.')
            *c = '_';
        else if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    }
}

static int parse_bool(const char *value, bool *out, struct error *error)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (text_equal_fold(value, yes[i]) || text_equal_fold(value, no[i])) {
            *out = text_equal_fold(value, yes[i]);
            return 0;
        }
    }
    return error_set(error, EINVAL, "\"%s\" is not true or false", text_show(value, strlen(value)).text);
}

static int check_bounds(const struct flag *flag, const char *value, int64_t number, struct error *error)
{
    if (flag->minimum == 0 && flag->maximum == 0)
        return 0;
    if (number >= flag->minimum && number <= flag->maximum)
        return 0;
    if (flag->type == FLAG_INTEGER)
        return error_set(error, ERANGE, "\"%s\" is out of bounds: %" PRId64 " to %" PRId64, value,
                         flag->minimum, flag->maximum);
    char low[32];
    char high[32];
    text_format_duration(low, sizeof(low), flag->minimum);
    text_format_duration(high, sizeof(high), flag->maximum);
    return error_set(error, ERANGE, "\"%s\" is out of bounds: %s to %s", value, low, high);
}

static int set_number(const struct flag *flag, const char *value, struct error *error)
{
    int64_t number;
    int result = flag->type == FLAG_INTEGER ? text_parse_i64(value, strlen(value), &number, error)
                                            : text_parse_duration_ms(value, strlen(value), &number, error);
    if (result < 0 || check_bounds(flag, value, number, error) < 0)
        return -1;
    *(int64_t *)flag->target = number;
    return 0;
}

static int set_value(const struct flag *flag, const char *value, struct error *error)
{
    switch (flag->type) {
    case FLAG_STRING: *(const char **)flag->target = value; return 0;
    case FLAG_BOOL: return parse_bool(value, flag->target, error);
    case FLAG_INTEGER:
    case FLAG_DURATION_MS: return set_number(flag, value, error);
    case FLAG_DOUBLE: return text_parse_double(value, strlen(value), flag->target, error);
    case FLAG_STRINGS: break;
    }
    struct flag_strings *strings = flag->target;
    if (strings->count == FLAG_STRINGS_MAX)
        return error_set(error, E2BIG, "given more than %d times", FLAG_STRINGS_MAX);
    strings->items[strings->count++] = value;
    return 0;
}

static void set_nothing(const struct flag *flag)
{
    switch (flag->type) {
    case FLAG_STRING: *(const char **)flag->target = ""; break;
    case FLAG_BOOL: *(bool *)flag->target = false; break;
    case FLAG_INTEGER:
    case FLAG_DURATION_MS: *(int64_t *)flag->target = 0; break;
    case FLAG_DOUBLE: *(double *)flag->target = 0; break;
    case FLAG_STRINGS: *(struct flag_strings *)flag->target = (struct flag_strings){0}; break;
    }
}

static int set_from_default(const struct flag *flag, struct error *error)
{
    set_nothing(flag);
    if (flag->default_text == NULL || flag->default_text[0] == '\0')
        return 0;
    if (set_value(flag, flag->default_text, error) < 0)
        return error_wrap(error, "default of --%s", flag->name);
    return 0;
}

// An environment variable that is set to nothing is as good as not set.
static int set_from_environment(const struct flag *flag, struct error *error)
{
    char name[NAME_BYTES_MAX];
    flags_environment_name(flag, name, sizeof(name));
    const char *value = getenv(name);
    if (value == NULL || value[0] == '\0')
        return 0;
    if (flag->type == FLAG_STRINGS)
        set_nothing(flag);
    if (set_value(flag, value, error) < 0)
        return error_wrap(error, "$%s", name);
    return 0;
}

static const struct flag *find_flag(const struct flag *flags, int flag_count, const char *name, size_t length)
{
    for (int i = 0; i < flag_count; i++) {
        if (strlen(flags[i].name) == length && memcmp(flags[i].name, name, length) == 0)
            return &flags[i];
    }
    return NULL;
}

// Levenshtein's distance: how many letters to put in, take out or change.
static size_t edit_distance(const char *a, size_t a_length, const char *b)
{
    size_t row[NAME_BYTES_MAX + 1];
    size_t b_length = strlen(b);
    if (a_length > NAME_BYTES_MAX || b_length > NAME_BYTES_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            size_t shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < shift ? change : shift;
        }
    }
    return row[b_length];
}

static int unknown_flag(const struct flag *flags, int flag_count, const char *name, size_t length,
                        struct error *error)
{
    const struct flag *nearest = NULL;
    size_t least = NAME_SUGGESTION_COST + 1;
    for (int i = 0; i < flag_count; i++) {
        size_t distance = edit_distance(name, length, flags[i].name);
        if (distance < least && distance < length) {
            least = distance;
            nearest = &flags[i];
        }
    }
    struct text_shown shown = text_show(name, length);
    if (nearest != NULL)
        return error_set(error, EINVAL, "unknown flag --%s; did you mean --%s?", shown.text, nearest->name);
    return error_set(error, EINVAL, "unknown flag --%s; --help lists them", shown.text);
}

struct parse {
    const struct flag *flags;
    int flag_count;
    int argc;
    char **argv;
    int at;      // of the argument in hand
    bool *given; // per flag: a repeatable flag's arguments replace, once, what the environment said
    struct error *error;
};

static int set_from_argument(struct parse *parse, const struct flag *flag, const char *value)
{
    bool *given = &parse->given[flag - parse->flags];
    if (flag->type == FLAG_STRINGS && !*given)
        set_nothing(flag);
    *given = true;
    if (set_value(flag, value, parse->error) < 0)
        return error_wrap(parse->error, "--%s", flag->name);
    return 0;
}

static int parse_flag(struct parse *parse)
{
    const char *name = parse->argv[parse->at] + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    const struct flag *flag = find_flag(parse->flags, parse->flag_count, name, length);
    if (flag == NULL && length > 3 && memcmp(name, "no-", 3) == 0) {
        flag = find_flag(parse->flags, parse->flag_count, name + 3, length - 3);
        if (flag != NULL && flag->type == FLAG_BOOL && value == NULL)
            return set_from_argument(parse, flag, "false");
        flag = NULL;
    }
    if (flag == NULL)
        return unknown_flag(parse->flags, parse->flag_count, name, length, parse->error);
    if (value == NULL && flag->type == FLAG_BOOL)
        value = "true";
    if (value == NULL && parse->at + 1 < parse->argc)
        value = parse->argv[++parse->at];
    if (value == NULL)
        return error_set(parse->error, EINVAL, "--%s needs a value: --%s=%s", flag->name, flag->name,
                         flag->value_name != NULL ? flag->value_name : "VALUE");
    return set_from_argument(parse, flag, value);
}

static int parse_arguments(struct parse *parse, const char **words, int words_max)
{
    int word_count = 0;
    bool flags_ended = false;
    for (parse->at = 0; parse->at < parse->argc; parse->at++) {
        const char *argument = parse->argv[parse->at];
        if (!flags_ended && strcmp(argument, "--") == 0) {
            flags_ended = true;
        } else if (!flags_ended && strncmp(argument, "--", 2) == 0) {
            if (parse_flag(parse) < 0)
                return -1;
        } else if (!flags_ended && argument[0] == '-' && argument[1] != '\0') {
            return error_set(parse->error, EINVAL, "unknown flag %s; flags begin with --, --help lists them",
                             text_show(argument, strlen(argument)).text);
        } else if (word_count == words_max) {
            return error_set(parse->error, E2BIG, "unexpected word \"%s\"",
                             text_show(argument, strlen(argument)).text);
        } else {
            words[word_count++] = argument;
        }
    }
    return word_count;
}

int flags_parse(const struct flag *flags, int flag_count, int argc, char **argv, const char **words,
                int words_max, struct error *error)
{
    assert(flags != NULL && flag_count >= 0 && flag_count <= FLAGS_MAX && argc >= 0);
    bool given[FLAGS_MAX] = {false};
    for (int i = 0; i < flag_count; i++) {
        assert(strlen(flags[i].name) < NAME_BYTES_MAX - sizeof("VPSIE_"));
        if (set_from_default(&flags[i], error) < 0 || set_from_environment(&flags[i], error) < 0)
            return -1;
    }
    struct parse parse = {
        .flags = flags, .flag_count = flag_count, .argc = argc, .argv = argv, .given = given, .error = error};
    return parse_arguments(&parse, words, words_max);
}

// Words of `text`, broken at HELP_COLUMNS, each later line indented.
static void print_wrapped(FILE *out, const char *text, int indent)
{
    int column = indent;
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > HELP_COLUMNS) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, text);
        column += length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static int usage_width(const struct flag *flag)
{
    int width = 4 + (int)strlen(flag->name);
    if (flag->type != FLAG_BOOL)
        width += 1 + (int)strlen(flag->value_name != NULL ? flag->value_name : "VALUE");
    return width;
}

static void print_flag(FILE *out, const struct flag *flag, int indent)
{
    if (flag->type == FLAG_BOOL)
        fprintf(out, "  --%s", flag->name);
    else
        fprintf(out, "  --%s %s", flag->name, flag->value_name != NULL ? flag->value_name : "VALUE");
    int width = usage_width(flag);
    if (width + 2 > indent)
        fprintf(out, "\n%*s", indent, "");
    else
        fprintf(out, "%*s", indent - width, "");
    char environment[NAME_BYTES_MAX];
    flags_environment_name(flag, environment, sizeof(environment));
    struct text AUTOTEXT line = {0};
    text_append(&line, flag->help != NULL ? flag->help : "");
    if (flag->type == FLAG_STRINGS)
        text_append(&line, " (may be repeated)");
    if (flag->default_text != NULL && flag->default_text[0] != '\0')
        text_printf(&line, " [%s]", flag->default_text);
    text_printf(&line, " $%s", environment);
    print_wrapped(out, text_get(&line), indent);
}

void flags_print_help(FILE *out, const struct flag *flags, int flag_count)
{
    int indent = 0;
    for (int i = 0; i < flag_count; i++) {
        int width = usage_width(&flags[i]) + 2;
        if (width <= HELP_INDENT_MAX && width > indent)
            indent = width;
    }
    if (indent == 0)
        indent = HELP_INDENT_MAX;
    const char *section = NULL;
    for (int i = 0; i < flag_count; i++) {
        if (flags[i].section != NULL && !text_equal(flags[i].section, section)) {
            fprintf(out, "%s%s:\n", i > 0 ? "\n" : "", flags[i].section);
            section = flags[i].section;
        }
        print_flag(out, &flags[i], indent);
    }
}

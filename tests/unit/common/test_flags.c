#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/flags.h"

static const char *address;
static bool insecure;
static bool once;
static int64_t retries;
static int64_t interval_ms;
static double share;
static struct flag_strings labels;

static const struct flag flags[] = {
    {.name = "coordinator.address",
     .type = FLAG_STRING,
     .target = &address,
     .default_text = "localhost:7946",
     .value_name = "HOST:PORT",
     .help = "where the coordinator is",
     .section = "Connection"},
    {.name = "insecure-transport", .type = FLAG_BOOL, .target = &insecure, .help = "speak without TLS"},
    {.name = "once", .type = FLAG_BOOL, .target = &once, .default_text = "true", .help = "one report only"},
    {.name = "retries",
     .type = FLAG_INTEGER,
     .target = &retries,
     .default_text = "3",
     .minimum = 0,
     .maximum = 10,
     .help = "how often",
     .section = "Behaviour"},
    {.name = "interval",
     .type = FLAG_DURATION_MS,
     .target = &interval_ms,
     .default_text = "10s",
     .minimum = 500,
     .maximum = 300000,
     .value_name = "DURATION",
     .help = "between reports",
     .environment = "REPORT_INTERVAL"},
    {.name = "share", .type = FLAG_DOUBLE, .target = &share, .help = "of a core"},
    {.name = "label", .type = FLAG_STRINGS, .target = &labels, .default_text = "a=b", .help = "a label"},
};
#define FLAG_COUNT (int)(sizeof(flags) / sizeof(flags[0]))
#define ARGUMENTS  16

static const char *words[3];
static struct error error;

static int parse(const char *first, ...)
{
    char *arguments[ARGUMENTS + 1];
    int count = 0;
    va_list list;
    va_start(list, first);
    for (const char *next = first; next != NULL && count < ARGUMENTS; next = va_arg(list, const char *))
        arguments[count++] = (char *)(uintptr_t)next;
    va_end(list);
    arguments[count] = NULL;
    error_clear(&error);
    return flags_parse(flags, FLAG_COUNT, count, arguments, words, 3, &error);
}

static int clean_environment(void **state)
{
    (void)state;
    for (int i = 0; i < FLAG_COUNT; i++) {
        char name[128];
        flags_environment_name(&flags[i], name, sizeof(name));
        unsetenv(name);
    }
    return 0;
}

static void defaults_come_first(void **state)
{
    (void)state;
    address = "old";
    insecure = true;
    share = 7;
    assert_int_equal(parse(NULL), 0);
    assert_string_equal(address, "localhost:7946");
    assert_false(insecure);
    assert_true(once);
    assert_int_equal(retries, 3);
    assert_int_equal(interval_ms, 10000);
    assert_true(share == 0);
    assert_int_equal(labels.count, 1);
    assert_string_equal(labels.items[0], "a=b");
}

static void every_form_of_an_argument_is_understood(void **state)
{
    (void)state;
    assert_int_equal(parse("--coordinator.address=host:1", "--insecure-transport", "--no-once", "--retries",
                           "5", "--interval", "1m", "--share=0.25", NULL),
                     0);
    assert_string_equal(address, "host:1");
    assert_true(insecure);
    assert_false(once);
    assert_int_equal(retries, 5);
    assert_int_equal(interval_ms, 60000);
    assert_true(share == 0.25);
    assert_int_equal(parse("--once=false", "--insecure-transport=true", "--coordinator.address=", NULL), 0);
    assert_false(once);
    assert_true(insecure);
    assert_string_equal(address, "");
    assert_int_equal(parse("--coordinator.address", "--once", NULL), 0); // a value may begin with dashes
    assert_string_equal(address, "--once");
}

static void the_environment_overrides_defaults_and_arguments_override_both(void **state)
{
    (void)state;
    setenv("VPSIE_COORDINATOR_ADDRESS", "env:1", 1);
    setenv("REPORT_INTERVAL", "2s", 1);
    setenv("VPSIE_INSECURE_TRANSPORT", "yes", 1);
    setenv("VPSIE_LABEL", "from=env", 1);
    setenv("VPSIE_RETRIES", "", 1); // as good as not set
    assert_int_equal(parse(NULL), 0);
    assert_string_equal(address, "env:1");
    assert_int_equal(interval_ms, 2000);
    assert_true(insecure);
    assert_int_equal(retries, 3);
    assert_int_equal(labels.count, 1);
    assert_string_equal(labels.items[0], "from=env");
    assert_int_equal(parse("--interval=3s", "--no-insecure-transport", "--label=x", "--label", "y", NULL), 0);
    assert_int_equal(interval_ms, 3000);
    assert_false(insecure);
    assert_int_equal(labels.count, 2);
    assert_string_equal(labels.items[0], "x");
    assert_string_equal(labels.items[1], "y");
}

static void words_are_collected_in_order(void **state)
{
    (void)state;
    assert_int_equal(parse("explain", "--retries=1", "node", "-", NULL), 3);
    assert_string_equal(words[0], "explain");
    assert_string_equal(words[1], "node");
    assert_string_equal(words[2], "-");
    assert_int_equal(parse("a", "--", "--retries", "--", NULL), 3);
    assert_string_equal(words[1], "--retries");
    assert_string_equal(words[2], "--");
    assert_int_equal(parse("a", "b", "c", "d", NULL), -1);
    assert_non_null(strstr(error.text, "\"d\""));
}

static void expect_error(const char *argument, const char *second, const char *part)
{
    assert_int_equal(parse(argument, second, NULL), -1);
    if (strstr(error.text, part) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", argument, error.text, part);
}

static void errors_name_the_flag_the_value_and_what_would_be_right(void **state)
{
    (void)state;
    expect_error("--retries=many", NULL, "--retries: \"many\" is not a whole number");
    expect_error("--retries=11", NULL, "--retries: \"11\" is out of bounds: 0 to 10");
    expect_error("--retries=-1", NULL, "out of bounds");
    expect_error("--interval=100ms", NULL, "--interval: \"100ms\" is out of bounds: 500ms to 5m00s");
    expect_error("--interval=10", NULL, "a unit is needed");
    expect_error("--share=half", NULL, "--share: \"half\" is not a number");
    expect_error("--once=maybe", NULL, "--once: \"maybe\" is not true or false");
    expect_error("--interval", NULL, "--interval needs a value: --interval=DURATION");
    expect_error("--no-retries", NULL, "unknown flag --no-retries");
    expect_error("--no-once=true", NULL, "unknown flag");
    expect_error("-v", NULL, "unknown flag -v");
}

static void a_misspelt_flag_is_answered_with_the_nearest(void **state)
{
    (void)state;
    expect_error("--intervall=1s", NULL, "did you mean --interval?");
    expect_error("--retrys", "3", "did you mean --retries?");
    expect_error("--insecure_transport", NULL, "did you mean --insecure-transport?");
    expect_error("--completely-different", NULL, "--help lists them");
    expect_error("--x", NULL, "--help lists them");
}

static void an_error_in_the_environment_names_the_variable(void **state)
{
    (void)state;
    setenv("REPORT_INTERVAL", "soon", 1);
    expect_error("--retries=1", NULL, "$REPORT_INTERVAL: \"soon\" is not a duration");
}

static void a_flag_given_too_often_is_an_error(void **state)
{
    (void)state;
    char *arguments[FLAG_STRINGS_MAX + 1];
    for (int i = 0; i <= FLAG_STRINGS_MAX; i++)
        arguments[i] = (char *)(uintptr_t) "--label=x";
    assert_int_equal(flags_parse(flags, FLAG_COUNT, FLAG_STRINGS_MAX, arguments, words, 3, &error), 0);
    assert_int_equal(labels.count, FLAG_STRINGS_MAX);
    assert_int_equal(flags_parse(flags, FLAG_COUNT, FLAG_STRINGS_MAX + 1, arguments, words, 3, &error), -1);
    assert_non_null(strstr(error.text, "--label"));
}

static void names_of_variables_follow_from_names_of_flags(void **state)
{
    (void)state;
    char name[64];
    flags_environment_name(&flags[0], name, sizeof(name));
    assert_string_equal(name, "VPSIE_COORDINATOR_ADDRESS");
    flags_environment_name(&flags[4], name, sizeof(name));
    assert_string_equal(name, "REPORT_INTERVAL");
}

static void help_lists_every_flag_with_default_and_variable_within_100_columns(void **state)
{
    (void)state;
    char *help = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&help, &length);
    flags_print_help(out, flags, FLAG_COUNT);
    fclose(out);
    const char *parts[] = {"Connection:\n",
                           "\nBehaviour:\n",
                           "--coordinator.address HOST:PORT",
                           "[localhost:7946]",
                           "$VPSIE_COORDINATOR_ADDRESS",
                           "$REPORT_INTERVAL",
                           "[10s]",
                           "(may be repeated)",
                           "--insecure-transport "};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strstr(help, parts[i]) == NULL)
            fail_msg("\"%s\" is not in:\n%s", parts[i], help);
    }
    const char *column = NULL;
    for (char *line = strtok(help, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_true(strlen(line) <= 100);
        assert_int_not_equal(line[strlen(line) - 1], ' ');
        if (strncmp(line, "  --retries", 11) == 0)
            column = strstr(line, "how often");
    }
    assert_non_null(column);
    free(help);
}

#define TEST(name) cmocka_unit_test_setup(name, clean_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_come_first),
        TEST(every_form_of_an_argument_is_understood),
        TEST(the_environment_overrides_defaults_and_arguments_override_both),
        TEST(words_are_collected_in_order),
        TEST(errors_name_the_flag_the_value_and_what_would_be_right),
        TEST(a_misspelt_flag_is_answered_with_the_nearest),
        TEST(an_error_in_the_environment_names_the_variable),
        TEST(a_flag_given_too_often_is_an_error),
        TEST(names_of_variables_follow_from_names_of_flags),
        TEST(help_lists_every_flag_with_default_and_variable_within_100_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "common/text.h"

static int real_stderr;
static FILE *captured;
static off_t taken_until;

static int capture(void **state)
{
    (void)state;
    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    captured = tmpfile();
    taken_until = 0;
    dup2(fileno(captured), STDERR_FILENO);
    return 0;
}

static int release(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    fclose(captured);
    return 0;
}

// What was written since the last call. The caller frees.
static char *taken(void)
{
    char *bytes = calloc(1, 1 << 20);
    ssize_t length = pread(fileno(captured), bytes, (1 << 20) - 1, taken_until);
    assert_true(length >= 0);
    taken_until += length;
    return bytes;
}

static cJSON *taken_json(void)
{
    char *line = taken();
    size_t length = strlen(line);
    assert_true(length > 0 && line[length - 1] == '\n');
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
    cJSON *json = cJSON_Parse(line);
    if (json == NULL)
        fail_msg("not JSON: %s", line);
    free(line);
    return json;
}

static const char *member(const cJSON *json, const char *name)
{
    const char *string = cJSON_GetStringValue(cJSON_GetObjectItem(json, name));
    return string == NULL ? "(none)" : string;
}

static void a_json_line_has_time_level_program_message_and_fields(void **state)
{
    (void)state;
    log_init("tester", LOG_FORMAT_JSON, LOG_INFO);
    log_event(LOG_WARN, "machine ordered", LOG_S("group", "general"), LOG_I("wanted", 3), LOG_F("share", 0.5),
              LOG_B("dry", true), LOG_S("nothing", NULL), LOG_F("odd", NAN), LOG_END);
    cJSON *json = taken_json();
    int64_t ms;
    const char *stamp = member(json, "ts");
    assert_int_equal(text_parse_time_ms(stamp, strlen(stamp), &ms, NULL), 0);
    assert_string_equal(json->child->string, "ts");
    assert_string_equal(member(json, "level"), "warn");
    assert_string_equal(member(json, "program"), "tester");
    assert_string_equal(member(json, "msg"), "machine ordered");
    assert_string_equal(member(json, "group"), "general");
    assert_int_equal(cJSON_GetObjectItem(json, "wanted")->valueint, 3);
    assert_true(cJSON_GetObjectItem(json, "share")->valuedouble == 0.5);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(json, "dry")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "nothing")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "odd")));
    cJSON_Delete(json);
}

static void auto_is_json_when_nobody_looks(void **state)
{
    (void)state;
    log_init("tester", LOG_FORMAT_AUTO, LOG_INFO);
    log_event(LOG_INFO, "x", LOG_END);
    cJSON_Delete(taken_json());
}

static void lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    log_init("tester", LOG_FORMAT_JSON, LOG_WARN);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_WARN));
    log_event(LOG_INFO, "quiet", LOG_END);
    char *said = taken();
    assert_string_equal(said, "");
    free(said);
    log_set_level(LOG_DEBUG);
    assert_int_equal(log_get_level(), LOG_DEBUG);
    log_event(LOG_DEBUG, "loud", LOG_END);
    cJSON_Delete(taken_json());
}

static void no_value_makes_a_line_or_moves_a_cursor(void **state)
{
    (void)state;
    const char *evil = "a\n{\"level\":\"error\"}\r\x1b[2J\x7f\xc2\x9b \xff";
    for (int format = LOG_FORMAT_JSON; format <= LOG_FORMAT_TEXT; format++) {
        log_init("tester", (enum log_format)format, LOG_INFO);
        log_event(LOG_INFO, evil, LOG_S("value", evil), LOG_S(evil, "name"), LOG_END);
        char *line = taken();
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        assert_null(strpbrk(line, "\r\x1b\x7f"));
        assert_null(strstr(line, "\xc2\x9b"));
        assert_null(strstr(line, "\xff"));
        free(line);
    }
}

static void the_text_form_is_one_readable_line(void **state)
{
    (void)state;
    log_init("tester", LOG_FORMAT_TEXT, LOG_INFO);
    log_event(LOG_INFO, "pod \"a\" waits", LOG_S("group", "general"), LOG_S("why", "two words"),
              LOG_I("n", -4), LOG_S("empty", ""), LOG_END);
    char *line = taken();
    assert_int_equal(line[2], ':');
    assert_string_equal(line + strlen("12:34:56.789"),
                        " INFO  pod \"a\" waits  group=general  why=\"two words\"  n=-4  empty=\"\"\n");
    free(line);
}

static void a_line_too_long_is_cut_and_marked_and_still_json(void **state)
{
    (void)state;
    char big[20000];
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    log_init("tester", LOG_FORMAT_JSON, LOG_INFO);
    log_event(LOG_INFO, "long", LOG_S("short", "kept"), LOG_S("big", big), LOG_S("after", "x"), LOG_END);
    cJSON *json = taken_json();
    assert_string_equal(member(json, "short"), "kept");
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(json, "cut")));
    cJSON_Delete(json);
    memcpy(big, "\xc3\xb6", 2); // so that a character lies across the place of the cut
    for (size_t i = 1; i + 2 < sizeof(big); i += 2)
        memcpy(big + i, "\xc3\xb6", 2);
    log_event(LOG_INFO, big, LOG_END);
    json = taken_json();
    assert_non_null(strstr(member(json, "msg"), "(cut)"));
    assert_null(strstr(member(json, "msg") + 4, "\xef\xbf\xbd"));
    cJSON_Delete(json);
    memset(big, 0x01, sizeof(big) - 1); // each takes six bytes
    log_init("tester", LOG_FORMAT_TEXT, LOG_INFO);
    log_event(LOG_INFO, big, LOG_S("big", big), LOG_END);
    char *line = taken();
    assert_true(strlen(line) <= 17 * 1024);
    assert_non_null(strstr(line, "(cut)\n"));
    free(line);
}

static void logging_leaves_errno_alone(void **state)
{
    (void)state;
    log_init("tester", LOG_FORMAT_JSON, LOG_INFO);
    errno = ENOSPC;
    log_event(LOG_INFO, "x", LOG_END);
    assert_int_equal(errno, ENOSPC);
    free(taken());
}

static void *talk(void *context)
{
    for (int i = 0; i < 500; i++)
        log_event(LOG_INFO, "from a thread", LOG_S("who", context), LOG_I("n", i), LOG_END);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    log_init("tester", LOG_FORMAT_JSON, LOG_INFO);
    pthread_t threads[4];
    char names[4][8] = {"a", "bbb", "cc", "dddd"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, talk, names[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    char *said = taken();
    int lines = 0;
    for (char *line = strtok(said, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
        cJSON *json = cJSON_Parse(line);
        assert_non_null(json);
        cJSON_Delete(json);
    }
    assert_int_equal(lines, 2000);
    free(said);
}

static void levels_and_formats_are_read_by_name(void **state)
{
    (void)state;
    struct error error = {0};
    enum log_level level;
    enum log_format format;
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
        assert_int_equal(log_parse_level(log_level_name((enum log_level)i), &level, &error), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_parse_level("WARN", &level, &error), 0);
    assert_int_equal(log_parse_level("verbose", &level, &error), -1);
    assert_non_null(strstr(error.text, "verbose"));
    assert_non_null(strstr(error.text, "debug, info, warn or error"));
    assert_int_equal(log_parse_level("", &level, &error), -1);
    assert_int_equal(log_parse_format("text", &format, &error), 0);
    assert_int_equal(format, LOG_FORMAT_TEXT);
    assert_int_equal(log_parse_format("auto", &format, &error), 0);
    assert_int_equal(format, LOG_FORMAT_AUTO);
    assert_int_equal(log_parse_format("xml", &format, &error), -1);
    assert_non_null(strstr(error.text, "auto, json or text"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, capture, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_json_line_has_time_level_program_message_and_fields),
        TEST(auto_is_json_when_nobody_looks),
        TEST(lines_below_the_level_are_dropped),
        TEST(no_value_makes_a_line_or_moves_a_cursor),
        TEST(the_text_form_is_one_readable_line),
        TEST(a_line_too_long_is_cut_and_marked_and_still_json),
        TEST(logging_leaves_errno_alone),
        TEST(lines_of_threads_do_not_mix),
        TEST(levels_and_formats_are_read_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/version.h"

static void one_line_says_program_version_commit_date_and_platform(void **state)
{
    (void)state;
    const char *line = version_line("vpsie-agent");
    char start[64];
    snprintf(start, sizeof(start), "vpsie-agent %s (commit ", version_text());
    assert_memory_equal(line, start, strlen(start));
    assert_non_null(strstr(line, ", built "));
    assert_null(strchr(line, '\n'));
#if defined(__x86_64__)
    assert_string_equal(line + strlen(line) - strlen("linux/amd64)"), "linux/amd64)");
#elif defined(__aarch64__)
    assert_string_equal(line + strlen(line) - strlen("linux/arm64)"), "linux/arm64)");
#endif
}

static void the_build_gave_a_version_and_a_date(void **state)
{
    (void)state;
    assert_string_not_equal(version_text(), "0.0.0");
    assert_null(strstr(version_line("x"), "built unknown"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_says_program_version_commit_date_and_platform),
        cmocka_unit_test(the_build_gave_a_version_and_a_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

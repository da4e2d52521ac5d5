// `check` tells how it is used without asking anybody, and says so when it is used wrongly.
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"
#include "coordinator/check.h"

// check_main() as a program of its own would run it; what it prints goes to `output`.
static int run(int argc, char **argv, struct text *output)
{
    char buffer[1024];
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(NULL);
    int saved_out = dup(STDOUT_FILENO), saved_error = dup(STDERR_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    int status = check_main(argc, argv);
    fflush(NULL);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_error, STDERR_FILENO);
    close(saved_out);
    close(saved_error);
    rewind(file);
    for (size_t length; (length = fread(buffer, 1, sizeof buffer, file)) > 0;) {
        text_append_bytes(output, buffer, length);
    }
    fclose(file);
    return status;
}

static void help_is_printed_and_nobody_is_asked(void **state)
{
    (void)state;
    static const char *const flags[] = {"--help", "-h"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        AUTOTEXT struct text output = {0};
        char *argv[] = {"check", "--kubeconfig=/nowhere", (char *)(uintptr_t)flags[i], NULL};
        assert_int_equal(run(3, argv, &output), 0);
        assert_non_null(strstr(text_get(&output), "usage: vpsie-coordinator check"));
        assert_non_null(strstr(text_get(&output), "--vpsie-ca-file"));
        assert_null(strstr(text_get(&output), "API server  "));
    }
}

static void wrong_usage_is_refused(void **state)
{
    (void)state;
    AUTOTEXT struct text output = {0};
    char *flag[] = {"check", "--helpful", NULL}, *word[] = {"check", "everything", NULL};
    assert_int_equal(run(2, flag, &output), 2);
    assert_int_equal(run(2, word, &output), 2);
    assert_non_null(strstr(text_get(&output), "check takes the flags of run"));
    assert_null(strstr(text_get(&output), "usage:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_is_printed_and_nobody_is_asked),
        cmocka_unit_test(wrong_usage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

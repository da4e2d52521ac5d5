#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/stage/process.h"
#include "tests/support/again.h"
#include "tests/support/cmocka_all.h"

#define LIMIT_MS  60000
#define STATUS_OK 7 // of a child that was told to end, and was not sent SIGCONT as well

// Starts this program anew as the child of a test, and waits until it is ready for signals.
static void start_child(struct process *child)
{
    static char name[] = "child", word[] = "as-child";
    char *words[] = {name, word, NULL}, log[64];
    struct again again;
    struct process_arguments arguments = {0};
    struct error error = {0};
    again_prepare(&again, words);
    snprintf(log, sizeof log, "/tmp/unit-stage-%d.log", (int)getpid());
    unlink(log);
    process_argument(&arguments, again.program);
    for (int i = 1; again.arguments[i] != NULL; i++) {
        process_argument(&arguments, again.arguments[i]);
    }
    assert_int_equal(process_start(child, "child", log, &arguments, NULL, &error), 0);
    AUTOTEXT struct text said = {0};
    for (int i = 0; i < LIMIT_MS && said.length == 0; i++) {
        usleep(1000);
        text_clear(&said);
        assert_int_equal(text_read_file(log, 4096, &said, NULL), 0);
    }
    unlink(log);
    assert_string_equal(text_get(&said), "ready\n");
}

static void a_program_that_runs_is_sent_its_signal_and_no_other(void **state)
{
    (void)state;
    struct process child = {0};
    start_child(&child);
    int status = process_stop(&child, SIGTERM, LIMIT_MS);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), STATUS_OK);
    assert_int_equal(child.pid, 0);
}

static void a_program_that_was_stopped_goes_on_to_see_its_signal(void **state)
{
    (void)state;
    struct process child = {0};
    start_child(&child);
    process_signal(&child, SIGSTOP);
    int status = process_stop(&child, SIGTERM, LIMIT_MS);
    assert_true(WIFEXITED(status)); // and was not killed when the time was over
}

static volatile sig_atomic_t told, went_on;

static void on_signal(int number)
{
    if (number == SIGTERM) {
        told = 1;
    } else {
        went_on = 1;
    }
}

// What the child does. After SIGTERM it gives a SIGCONT behind it the time to come.
static int play(void)
{
    signal(SIGTERM, on_signal);
    signal(SIGCONT, on_signal);
    if (write(STDOUT_FILENO, "ready\n", 6) != 6) {
        return 1;
    }
    while (!told) {
        usleep(1000);
    }
    for (int i = 0; i < 200 && !went_on; i++) {
        usleep(1000);
    }
    return went_on ? 1 : STATUS_OK;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        return play();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_runs_is_sent_its_signal_and_no_other),
        cmocka_unit_test(a_program_that_was_stopped_goes_on_to_see_its_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

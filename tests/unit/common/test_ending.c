#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ending.h"
#include "common/log.h"
#include "common/text.h"
#include "tests/support/again.h"

#define LIMIT_MS 50

static int log_pipe[2];

// Starts this program anew, its log into the pipe, and waits for its end.
static int status_of(const char *story)
{
    extern char **environ;
    char name[] = "ending", word[16];
    char *arguments[] = {name, word, NULL};
    struct again again;
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0;
    memcpy(word, story, strlen(story) + 1);
    again_prepare(&again, arguments);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, log_pipe[1], STDERR_FILENO);
    assert_int_equal(posix_spawn(&child, again.program, &actions, NULL, again.arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int open_log(void **state)
{
    (void)state;
    return pipe2(log_pipe, O_CLOEXEC);
}

static int close_log(void **state)
{
    (void)state;
    close(log_pipe[0]);
    close(log_pipe[1]);
    return 0;
}

static void read_log(struct text *log)
{
    char bytes[4096];
    fcntl(log_pipe[0], F_SETFL, O_NONBLOCK);
    for (ssize_t got; (got = read(log_pipe[0], bytes, sizeof bytes)) > 0;)
        text_append_bytes(log, bytes, (size_t)got);
}

static void a_program_that_hangs_while_it_stops_says_so_and_leaves(void **state)
{
    (void)state;
    struct text AUTOTEXT log = {0};
    int status = status_of("hangs");
    read_log(&log);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ENDING_STATUS);
    assert_non_null(strstr(text_get(&log), "stopping hangs"));
    assert_non_null(strstr(text_get(&log), "\"after_ms\":50"));
}

static void a_program_that_ends_in_time_ends_as_it_likes_and_says_nothing(void **state)
{
    (void)state;
    struct text AUTOTEXT log = {0};
    int status = status_of("ends");
    read_log(&log);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_string_equal(text_get(&log), "");
}

// Its log goes into a pipe that is full.
static void a_log_that_nobody_reads_does_not_keep_it(void **state)
{
    (void)state;
    char bytes[4096] = {0};
    fcntl(log_pipe[1], F_SETFL, O_NONBLOCK);
    while (write(log_pipe[1], bytes, sizeof bytes) > 0)
        continue;
    fcntl(log_pipe[1], F_SETFL, 0);
    int status = status_of("hangs");
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGALRM);
}

// What the child does.
static int play(const char *story)
{
    log_init("ending", LOG_FORMAT_JSON, LOG_INFO);
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL); // as the threads of a program that stops may have it
    bool hangs = strcmp(story, "hangs") == 0;
    ending_within(hangs ? LIMIT_MS : 600000);
    while (hangs)
        pause();
    return 3;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_log, close_log)

int main(int argc, char **argv)
{
    if (argc == 2)
        return play(argv[1]);
    const struct CMUnitTest tests[] = {
        TEST(a_program_that_hangs_while_it_stops_says_so_and_leaves),
        TEST(a_program_that_ends_in_time_ends_as_it_likes_and_says_nothing),
        TEST(a_log_that_nobody_reads_does_not_keep_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

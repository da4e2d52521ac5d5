// `status --watch` on a terminal, in a process of its own: this program again, told to be the client.
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "coordinator/admin/admin.h"
#include "tests/support/again.h"

static char directory[] = "/tmp/watch-test-XXXXXX";
static char socket_path[100];
static struct admin *admin;

struct watcher {
    pid_t process;
    int terminal;
    char seen[65536];
    size_t length;
};

static bool answer(void *context, struct admin_request *request)
{
    (void)context;
    admin_reply(
        admin, request->id,
        xstrdup("{\"ok\":true,\"now\":\"2026-01-01T00:00:00Z\",\"groups\":[{\"name\":\"general\",\"ready\":4,"
                "\"minNodes\":2,\"maxNodes\":8,\"doing\":\"steady\"}]}"));
    admin_request_free(request);
    return true;
}

static void start_server(void)
{
    struct admin_options options = {.path = socket_path, .sink = answer};
    admin = admin_start(&options, NULL);
    assert_non_null(admin);
}

static struct watcher *start_watching(char *const *arguments)
{
    struct watcher *watcher = xcalloc(1, sizeof(*watcher));
    watcher->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(watcher->terminal >= 0 && grantpt(watcher->terminal) == 0 &&
                unlockpt(watcher->terminal) == 0);
    struct winsize size = {.ws_col = 100, .ws_row = 10};
    ioctl(watcher->terminal, TIOCSWINSZ, &size);
    const char *name = ptsname(watcher->terminal);
    struct again again;
    again_prepare(&again, arguments);
    watcher->process = fork();
    if (watcher->process == 0) {
        int other = open(name, O_RDWR);
        dup2(other, STDOUT_FILENO);
        dup2(other, STDERR_FILENO);
        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
        execv(again.program, again.arguments);
        _exit(127);
    }
    return watcher;
}

// Until the words were written since the last call.
static bool sees(struct watcher *watcher, const char *words)
{
    for (int64_t until_ms = clock_monotonic_ms() + 30000; clock_monotonic_ms() < until_ms;) {
        char *found = strstr(watcher->seen, words);
        if (found != NULL) {
            size_t used = (size_t)(found - watcher->seen) + strlen(words);
            memmove(watcher->seen, watcher->seen + used, watcher->length - used + 1);
            watcher->length -= used;
            return true;
        }
        struct pollfd wait = {.fd = watcher->terminal, .events = POLLIN};
        if (poll(&wait, 1, 200) <= 0)
            continue;
        ssize_t got = read(watcher->terminal, watcher->seen + watcher->length,
                           sizeof(watcher->seen) - 1 - watcher->length);
        if (got <= 0)
            return false;
        watcher->length += (size_t)got;
        watcher->seen[watcher->length] = '\0';
    }
    print_message("did not see \"%s\" in \"%s\"\n", words, watcher->seen);
    return false;
}

static int stop_watching(struct watcher *watcher, int signal_number)
{
    int status = 0;
    kill(watcher->process, signal_number);
    assert_int_equal(waitpid(watcher->process, &status, 0), watcher->process);
    close(watcher->terminal);
    free(watcher);
    return status;
}

static void a_watch_lives_on_while_the_coordinator_restarts(void **state)
{
    (void)state;
    char *arguments[] = {"client", "groups", "--watch=100ms", "--socket", socket_path, NULL};
    start_server();
    struct watcher *watcher = start_watching(arguments);
    assert_true(sees(watcher, "\x1b[?25l")); // no cursor
    assert_true(sees(watcher, "general"));
    assert_true(sees(watcher, "\x1b[H")); // drawn again, over the old frame
    assert_true(sees(watcher, "general"));
    admin_stop(admin);
    assert_true(sees(watcher, "waiting for the coordinator"));
    assert_true(sees(watcher, "general")); // what was last known stays in view
    start_server();
    assert_true(sees(watcher, "GROUP"));
    assert_true(sees(watcher, "general"));
    int status = stop_watching(watcher, SIGINT);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CLIENT_DONE);
    admin_stop(admin);
}

static void a_terminal_gets_calm_colours_and_a_frame_is_never_blank(void **state)
{
    (void)state;
    char *arguments[] = {"client", "groups", "--watch=100ms", "--socket", socket_path, NULL};
    start_server();
    struct watcher *watcher = start_watching(arguments);
    assert_true(sees(watcher, "\x1b[2J")); // once, at the beginning
    assert_true(sees(watcher, "\x1b[1mgeneral\x1b[0m"));
    for (int i = 0; i < 5; i++)
        assert_true(sees(watcher, "general"));
    assert_null(strstr(watcher->seen, "\x1b[2J"));
    assert_true(WIFEXITED(stop_watching(watcher, SIGTERM)));
    admin_stop(admin);
}

// What a pipe has brought until it ends or the words were seen.
static bool reads(int pipe, const char *words)
{
    char seen[16384] = "";
    size_t length = 0;
    while (strstr(seen, words) == NULL) {
        struct pollfd wait = {.fd = pipe, .events = POLLIN};
        if (length + 1 >= sizeof(seen) || poll(&wait, 1, 30000) <= 0)
            return false;
        ssize_t got = read(pipe, seen + length, sizeof(seen) - 1 - length);
        if (got <= 0)
            return false;
        length += (size_t)got;
        seen[length] = '\0';
    }
    return true;
}

static void a_program_that_watches_reads_nothing_but_replies(void **state)
{
    (void)state;
    char *arguments[] = {"client", "groups", "-o", "json", "--watch=100ms", "--socket", socket_path, NULL};
    int out[2], complaints[2];
    assert_int_equal(pipe(out), 0);
    assert_int_equal(pipe(complaints), 0);
    struct again again;
    again_prepare(&again, arguments);
    pid_t process = fork();
    if (process == 0) { // no coordinator yet
        dup2(out[1], STDOUT_FILENO);
        dup2(complaints[1], STDERR_FILENO);
        execv(again.program, again.arguments);
        _exit(127);
    }
    assert_true(reads(complaints[0], "waiting for the coordinator"));
    struct pollfd wait = {.fd = out[0], .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 0), 0);
    start_server();
    assert_true(reads(out[0], "\"general\""));
    kill(process, SIGTERM);
    assert_int_equal(waitpid(process, NULL, 0), process);
    for (int i = 0; i < 2; i++) {
        close(out[i]);
        close(complaints[i]);
    }
    admin_stop(admin);
}

static int make_directory(void **state)
{
    (void)state;
    log_init("test", LOG_FORMAT_TEXT, LOG_ERROR);
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(socket_path, sizeof(socket_path), "%s/admin.sock", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

int main(int argc, char **argv)
{
    if (strcmp(argv[0], "client") == 0)
        return client_main(argc - 1, argv + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watch_lives_on_while_the_coordinator_restarts),
        cmocka_unit_test(a_program_that_watches_reads_nothing_but_replies),
        cmocka_unit_test(a_terminal_gets_calm_colours_and_a_frame_is_never_blank),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

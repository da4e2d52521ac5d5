#include "tests/stage/process.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"

extern char **environ;

void process_argument(struct process_arguments *arguments, const char *word)
{
    assert(arguments->count < PROCESS_ARGUMENTS_MAX);
    arguments->items[arguments->count++] = word;
    arguments->items[arguments->count] = NULL;
}

static char **merged_environment(const char *const *extra)
{
    size_t count = 0, extra_count = 0;
    while (environ[count] != NULL) {
        count++;
    }
    while (extra != NULL && extra[extra_count] != NULL) {
        extra_count++;
    }
    char **merged = xcalloc(count + extra_count + 1, sizeof *merged);
    for (size_t i = 0; i < extra_count; i++) { // getenv() finds the first
        merged[i] = xstrdup(extra[i]);
    }
    for (size_t i = 0; i < count; i++) {
        merged[extra_count + i] = xstrdup(environ[i]);
    }
    return merged;
}

static void free_environment(char **merged)
{
    for (char **item = merged; *item != NULL; item++) {
        free(*item);
    }
    free(merged);
}

static int spawn(pid_t *pid, const struct process_arguments *arguments, const char *const *environment,
                 posix_spawn_file_actions_t *actions, struct error *error)
{
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults, none;
    sigfillset(&defaults);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    char **merged = merged_environment(environment);
    int failed =
        posix_spawn(pid, arguments->items[0], actions, &attributes, (char *const *)arguments->items, merged);
    free_environment(merged);
    posix_spawnattr_destroy(&attributes);
    return failed == 0
               ? 0
               : error_set(error, failed, "cannot start %s: %s", arguments->items[0], strerror(failed));
}

// ---------------------------------------------------------------------------------------------- the guard

// Told of every child by a pipe; the pipe's end is the end of this process, however it came.
static const char GUARD[] =
    "trap '' INT TERM HUP; pids=\n"
    "while read -r what pid; do\n"
    "  if [ $what = started ]; then pids=\"$pids $pid\"; continue; fi\n"
    "  left=; for p in $pids; do [ $p = $pid ] || left=\"$left $p\"; done; pids=$left\n"
    "done\n"
    "[ -z \"$pids\" ] || kill -9 $pids";
static pthread_once_t guard_once = PTHREAD_ONCE_INIT;
static int guard_pipe = -1;

static void start_guard(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return;
    }
    const struct process_arguments arguments = {.items = {"/bin/sh", "-c", GUARD}, .count = 3};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    pid_t pid = 0;
    struct error error = {0};
    if (spawn(&pid, &arguments, NULL, &actions, &error) < 0) {
        fprintf(stderr, "process: no guard: %s\n", error.text);
        close(ends[1]);
    } else {
        guard_pipe = ends[1];
    }
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
}

static void tell_guard(const char *what, pid_t pid)
{
    pthread_once(&guard_once, start_guard);
    char line[40];
    int length = snprintf(line, sizeof line, "%s %d\n", what, (int)pid);
    if (guard_pipe >= 0 && write(guard_pipe, line, (size_t)length) < 0) {
        fprintf(stderr, "process: the guard does not listen: %s\n", strerror(errno));
    }
}

// ---------------------------------------------------------------------------------------------- children

int process_start(struct process *process, const char *name, const char *log_path,
                  const struct process_arguments *arguments, const char *const *environment,
                  struct error *error)
{
    snprintf(process->name, sizeof process->name, "%s", name);
    snprintf(process->log_path, sizeof process->log_path, "%s", log_path);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    int result = spawn(&process->pid, arguments, environment, &actions, error);
    posix_spawn_file_actions_destroy(&actions);
    if (result < 0) {
        process->pid = 0;
    } else {
        tell_guard("started", process->pid);
    }
    return result;
}

bool process_alive(struct process *process)
{
    if (process->pid == 0) {
        return false;
    }
    int status;
    if (waitpid(process->pid, &status, WNOHANG) == process->pid) {
        tell_guard("ended", process->pid);
        process->pid = 0;
        return false;
    }
    return true;
}

void process_signal(struct process *process, int signal_number)
{
    if (process->pid != 0) {
        kill(process->pid, signal_number);
    }
}

// One that is stopped is let go on, so that it sees its signal; no other is ever sent SIGCONT: that would
// take back the SIGSTOP by which LeakSanitizer halts the threads of a program that ends, and it would wait
// for ever.
static int wait_or_kill(pid_t pid, int64_t limit_ms)
{
    int status = 0;
    int64_t until = clock_monotonic_ms() + limit_ms;
    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG | WUNTRACED);
        if (ended == pid && !WIFSTOPPED(status)) {
            return status;
        }
        if (ended == pid) {
            kill(pid, SIGCONT);
        }
        if (ended < 0 && errno != EINTR) {
            return -1;
        }
        if (clock_monotonic_ms() >= until) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return status;
        }
        clock_sleep_ms(5);
    }
}

int process_stop(struct process *process, int signal_number, int64_t limit_ms)
{
    if (process->pid == 0) {
        return -1;
    }
    kill(process->pid, signal_number);
    int status = wait_or_kill(process->pid, limit_ms);
    tell_guard("ended", process->pid);
    process->pid = 0;
    return status;
}

const char *process_end_text(int status, char *out, size_t bytes)
{
    bool killed = WIFSIGNALED(status);
    snprintf(out, bytes, "%s %d", killed ? "signal" : "exit status",
             killed ? WTERMSIG(status) : WEXITSTATUS(status));
    return out;
}

static bool read_proc(const struct process *process, const char *file, struct text *out)
{
    if (process->pid == 0) {
        return false;
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)process->pid, file);
    return text_read_file(path, 65536, out, NULL) == 0;
}

static int64_t status_value(const struct process *process, const char *key)
{
    AUTOTEXT struct text text = {0};
    if (!read_proc(process, "status", &text)) {
        return 0;
    }
    const char *at = strstr(text_get(&text), key);
    return at != NULL ? strtoll(at + strlen(key), NULL, 10) : 0;
}

int64_t process_resident_bytes(const struct process *process)
{
    return status_value(process, "\nVmRSS:") * 1024;
}

int process_threads(const struct process *process)
{
    return (int)status_value(process, "\nThreads:");
}

int64_t process_cpu_ms(const struct process *process)
{
    AUTOTEXT struct text text = {0};
    if (!read_proc(process, "stat", &text)) {
        return 0;
    }
    const char *at = strrchr(text_get(&text), ')');
    unsigned long user = 0, system = 0;
    if (at == NULL ||
        sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
        return 0;
    }
    return (int64_t)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

int process_descriptors(const struct process *process)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)process->pid);
    DIR *directory = process->pid != 0 ? opendir(path) : NULL;
    if (directory == NULL) {
        return 0;
    }
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count;
}

static bool drain_pipe(int descriptor, struct text *out)
{
    char buffer[4096];
    for (;;) {
        ssize_t count = read(descriptor, buffer, sizeof buffer);
        if (count > 0) {
            text_append_bytes(out, buffer, (size_t)count);
        } else if (count == 0) {
            return false;
        } else {
            return errno == EAGAIN || errno == EINTR;
        }
    }
}

int process_run(const struct process_arguments *arguments, int64_t limit_ms, struct text *out)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    pid_t pid = 0;
    struct error error = {0};
    int started = spawn(&pid, arguments, NULL, &actions, &error);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (started < 0) {
        text_append(out, error.text);
        close(ends[0]);
        return -1;
    }
    int64_t until = clock_monotonic_ms() + limit_ms;
    while (drain_pipe(ends[0], out) && clock_monotonic_ms() < until) {
        clock_sleep_ms(2);
    }
    close(ends[0]);
    int64_t left = until - clock_monotonic_ms();
    int status = wait_or_kill(pid, left > 0 ? left : 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void process_print_log(const struct process *process)
{
    AUTOTEXT struct text text = {0};
    FILE *file = fopen(process->log_path, "r");
    if (file == NULL) {
        return;
    }
    char block[4096];
    for (size_t count; (count = fread(block, 1, sizeof block, file)) > 0;) {
        text_append_bytes(&text, block, count);
    }
    fclose(file);
    const char *all = text_get(&text), *tail = all + text.length;
    for (int lines = 0; tail > all && lines < 60; tail--) {
        lines += tail[-1] == '\n';
    }
    fprintf(stderr, "---- %s\n%s\n", process->log_path, tail);
}

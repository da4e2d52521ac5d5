// What this room is for: child processes of a test: started, watched, killed, their memory read.
// What it knows: POSIX. What it may not do: fork without exec (NNG and sanitizers do not survive it).
#ifndef VPSIE_TESTS_STAGE_PROCESS_H
#define VPSIE_TESTS_STAGE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/text.h"

struct process {
    pid_t pid; // 0: not running
    char name[64];
    char log_path[256]; // stdout and stderr, appended
};

#define PROCESS_ARGUMENTS_MAX 64
struct process_arguments {
    const char *items[PROCESS_ARGUMENTS_MAX + 1]; // [0] is the program; NULL-terminated
    int count;
};
// Adds a word; the string must outlive process_start(). Aborts beyond the maximum.
void process_argument(struct process_arguments *arguments, const char *word);

// The child gets the parent's environment plus `environment` ("NAME=value", NULL-terminated; may be NULL),
// and is killed when this process ends in any way: a guard, itself a child, sees that and does it.
int process_start(struct process *process, const char *name, const char *log_path,
                  const struct process_arguments *arguments, const char *const *environment,
                  struct error *error);
bool process_alive(struct process *process); // reaps when it has ended
void process_signal(struct process *process, int signal_number);
// Sends the signal, waits up to limit_ms, then SIGKILL. Returns the wait status (-1: was not running).
int process_stop(struct process *process, int signal_number, int64_t limit_ms);
// In words: "exit status 1", "signal 6".
const char *process_end_text(int status, char *out, size_t bytes);
int64_t process_resident_bytes(const struct process *process); // 0 when not running
int64_t process_cpu_ms(const struct process *process);
int process_threads(const struct process *process);
int process_descriptors(const struct process *process);

// The last lines of its log, on stderr.
void process_print_log(const struct process *process);

// Runs to the end (at most limit_ms), collecting stdout (and stderr) in `out`. Returns the exit code, -1 on a
// signal or limit.
int process_run(const struct process_arguments *arguments, int64_t limit_ms, struct text *out);

#endif

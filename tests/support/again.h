// What this room is for: a test program that starts itself anew as another process. What it knows: that an
// emulator of another machine (named by $VPSIE_EMULATOR; the kernel cannot start such a program) must be
// started in its place. What it may not do: fork.
#ifndef VPSIE_TESTS_SUPPORT_AGAIN_H
#define VPSIE_TESTS_SUPPORT_AGAIN_H

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define AGAIN_ARGUMENTS_MAX 16

struct again { // what exec() and posix_spawn() want; must outlive the call
    char itself[PATH_MAX];
    char *arguments[AGAIN_ARGUMENTS_MAX + 4];
    const char *program;
};

static inline bool again_is_emulated(void)
{
    return getenv("VPSIE_EMULATOR") != NULL;
}

// `arguments` end with NULL; the first is what the new process finds in argv[0].
static inline void again_prepare(struct again *again, char *const *arguments)
{
    static char name_follows[] = "-0";
    char *emulator = getenv("VPSIE_EMULATOR");
    ssize_t length = readlink("/proc/self/exe", again->itself, sizeof(again->itself) - 1);
    assert(length > 0);
    again->itself[length] = '\0';
    size_t count = 0, given = 0;
    if (emulator != NULL) {
        again->arguments[count++] = emulator;
        again->arguments[count++] = name_follows;
        again->arguments[count++] = arguments[given++];
        again->arguments[count++] = again->itself;
    }
    for (; arguments[given] != NULL; given++) {
        assert(given < AGAIN_ARGUMENTS_MAX);
        again->arguments[count++] = arguments[given];
    }
    again->arguments[count] = NULL;
    again->program = emulator != NULL ? emulator : again->itself;
}

#endif

#include "common/version.h"

#include <stdio.h>

#ifndef VPSIE_VERSION
#define VPSIE_VERSION "0.0.0"
#endif
#ifndef VPSIE_COMMIT
#define VPSIE_COMMIT "unknown"
#endif
#ifndef VPSIE_BUILD_DATE
#define VPSIE_BUILD_DATE "unknown"
#endif

#if defined(__x86_64__)
#define PLATFORM "linux/amd64"
#elif defined(__aarch64__)
#define PLATFORM "linux/arm64"
#else
#define PLATFORM "linux/other"
#endif

const char *version_text(void)
{
    return VPSIE_VERSION;
}

const char *version_line(const char *program)
{
    static _Thread_local char line[256];
    snprintf(line, sizeof(line), "%s %s (commit %s, built %s, %s)", program, VPSIE_VERSION, VPSIE_COMMIT,
             VPSIE_BUILD_DATE, PLATFORM);
    return line;
}

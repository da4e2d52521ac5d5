#include "common/ending.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define LAST_WORDS_SECONDS_MAX 3u

// Ends the process whatever its threads do or block.
static void arm_alarm(unsigned seconds)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t alarms;
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
    alarm(seconds);
}

static void *leave_late(void *context)
{
    int64_t *limit_ms = context;
    clock_sleep_ms(*limit_ms);
    arm_alarm(LAST_WORDS_SECONDS_MAX); // the log may be what hangs
    log_event(LOG_ERROR, "stopping hangs; leaving without it", LOG_I("after_ms", *limit_ms), LOG_END);
    _exit(ENDING_STATUS);
}

void ending_within(int64_t limit_ms)
{
    static int64_t limit; // for as long as the process lives
    pthread_t thread;
    pthread_attr_t attributes;
    assert(limit_ms > 0);
    limit = limit_ms;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, leave_late, &limit) != 0)
        arm_alarm((unsigned)(limit_ms / 1000) + 1); // no thread to be had, so without a word
    pthread_attr_destroy(&attributes);
}

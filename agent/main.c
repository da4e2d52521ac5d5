// vpsie-agent: tells the coordinator what only a node can know: its use, and whether it may be drained.
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/fence.h"
#include "agent/once.h"
#include "common/ending.h"
#include "common/version.h"
#include "common/web.h"

#define ENDING_MS_MAX 8000 // nothing of the end waits for anybody else; the pod has 10 s

static struct agent *running;
static enum log_level configured_level;

static void on_stop(int signal_number)
{
    (void)signal_number;
    agent_stop(running);
}

static void on_level(int signal_number)
{
    log_set_level(signal_number == SIGUSR1 ? LOG_DEBUG : configured_level);
}

static void handle(int signal_number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

static void handle_signals(enum log_level level)
{
    configured_level = level;
    handle(SIGTERM, on_stop);
    handle(SIGINT, on_stop);
    handle(SIGUSR1, on_level);
    handle(SIGUSR2, on_level);
    handle(SIGPIPE, SIG_IGN);
}

// The token passes through this process: it must not end up in a core file, nor be read by another process of
// the same user. One arena: the library's threads allocate little, and each arena of their own would cost
// memory.
static void harden(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 64 * 1024);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    if (geteuid() == 0) // without privilege the process could no longer read its own /proc entries
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

// Before any thread is started: those it would not hold.
static void raise_fence(const struct agent_settings *settings)
{
    struct error error = {0};
    if (!settings->fence)
        return;
    if (fence_raise(settings, &error) == 0)
        log_event(LOG_INFO, "fenced in: no file of the host can be opened but what is needed", LOG_END);
    else
        log_event(LOG_WARN, "not fenced in", LOG_S("error", error.text), LOG_END);
}

static int run(const struct agent_settings *settings)
{
    struct error error = {0};
    log_init("vpsie-agent", settings->log_format, settings->log_level);
    raise_fence(settings);
    running = agent_create(settings, &error);
    if (!running) {
        log_event(LOG_ERROR, "cannot start", LOG_S("error", error.text), LOG_END);
        return 1;
    }
    handle_signals(settings->log_level);
    struct web_options options = {
        .listen = settings->listen, .health = agent_healthy, .ready = agent_ready, .context = running};
    struct web *web = web_start(&options, &error);
    if (!web && *error.text) {
        log_event(LOG_ERROR, "cannot start", LOG_S("error", error.text), LOG_END);
        agent_destroy(running);
        return 1;
    }
    agent_run(running);
    ending_within(ENDING_MS_MAX);
    web_stop(web);
    agent_destroy(running);
    return 0;
}

static int print_once(const struct agent_settings *settings)
{
    struct error error = {0};
    log_init("vpsie-agent", settings->log_format, settings->log_level);
    if (once_print(settings, stdout, &error) == 0)
        return 0;
    fprintf(stderr, "vpsie-agent: %s\n", error.text);
    return 1;
}

static bool asks_for(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], word) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "version") == 0 || asks_for(argc, argv, "--version")) {
        printf("%s\n", version_line("vpsie-agent"));
        return 0;
    }
    if (strcmp(first, "help") == 0 || asks_for(argc, argv, "--help") || asks_for(argc, argv, "-h")) {
        settings_print_help(stdout);
        return 0;
    }
    harden();
    struct agent_settings settings;
    struct error error = {0};
    const char *words[1];
    int count = settings_parse(argc - 1, argv + 1, &settings, words, 1, &error);
    if (count > 0)
        error_set(&error, 0, "unexpected word \"%s\"; see --help", words[0]);
    if (count != 0) {
        fprintf(stderr, "vpsie-agent: %s\n", error.text);
        return 2;
    }
    return settings.once ? print_once(&settings) : run(&settings);
}

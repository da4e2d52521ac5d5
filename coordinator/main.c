// vpsie-coordinator: the program that decides, and the client that asks it. Which of them is the first word's
// to say.
#include <stdio.h>
#include <string.h>

#include "common/version.h"
#include "coordinator/admin/admin.h"
#include "coordinator/check.h"
#include "coordinator/plan/plan.h"
#include "coordinator/run.h"

static int command_run(int argc, char **argv);
static int command_version(int argc, char **argv);
static int command_help(int argc, char **argv);

static const struct {
    const char *name;
    int (*function)(int argc, char **argv);
    const char *description;
} commands[] = {
    {"run", command_run, "decide and act; what the Deployment runs, and the default"},
    {"check", check_main,
     "is everything there that it needs, and if not, how to put it right; takes the flags of run"},
    {"status", client_main, "what it is doing, what needs you, each group at a glance"},
    {"groups", client_main, "node groups: limits, machines, cost, what each is doing"},
    {"nodes", client_main, "nodes: group, use, what keeps them"},
    {"agents", client_main, "agents: last report, readiness, version"},
    {"pods", client_main, "pods that wait, and why"},
    {"actions", client_main, "the last decisions"},
    {"explain", client_main, "why: explain node NAME | pod NAMESPACE/NAME | group NAME"},
    {"snapshot", client_main, "everything it knows, as JSON"},
    {"plan", plan_main, "what it would do on a snapshot, on files or on a live cluster it only reads"},
    {"log-level", client_main, "show or change the log level"},
    {"pause", client_main, "change nothing until resume; survives restarts"},
    {"resume", client_main, "act again"},
    {"approve", client_main, "carry out what was recommended under this decision (D42, see actions)"},
    {"release", client_main, "lift every finalizer, taint and cordon of ours; the machines stay"},
    {"version", command_version, "version, commit, build date, platform"},
    {"help", command_help, "this text"},
};

static int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("%s\n", version_line("vpsie-coordinator"));
    return 0;
}

static int command_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("vpsie-coordinator: gives Kubernetes pods the VPSie machines they need, and takes back those they "
           "do not\n\n"
           "usage: vpsie-coordinator [run] [flags]\n       vpsie-coordinator COMMAND [arguments]   (asks a "
           "running one)\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        printf("  %-10s %s\n", commands[i].name, commands[i].description);
    }
    printf("\nFlags of run; each can be given by its environment variable too:\n");
    run_options_help(stdout);
    return 0;
}

// "--socket X status": a command that stands behind flags; NULL: none.
static const char *late_command(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        for (size_t c = 0; c < sizeof commands / sizeof commands[0]; c++) {
            if (strcmp(argv[i], commands[c].name) == 0) {
                return argv[i];
            }
        }
    }
    return NULL;
}

static int command_run(int argc, char **argv)
{
    struct error error = {0};
    struct run_options options;
    const char *words[1];
    int count = run_options_parse(argc - 1, argv + 1, &options, words, 1, &error);
    if (count > 0) {
        error_set(&error, 0, "unexpected word \"%s\"; `vpsie-coordinator help` lists the commands", words[0]);
    }
    if (count != 0) {
        const char *late = late_command(argc, argv);
        fprintf(stderr, "vpsie-coordinator: %s\n", error.text);
        if (late != NULL) {
            fprintf(stderr, "A command comes before its flags: vpsie-coordinator %s ...\n", late);
        }
        return 2;
    }
    return run_coordinator(&options);
}

static bool asks_for(int argc, char **argv, const char *flag)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], flag) == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    bool has_word = argc > 1 && argv[1][0] != '-';
    for (size_t i = 0; has_word && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0 && commands[i].function != command_run) {
            return commands[i].function(argc - 1, argv + 1);
        }
    }
    if (has_word && strcmp(argv[1], "run") != 0) {
        fprintf(stderr, "vpsie-coordinator: \"%s\" is no command; `vpsie-coordinator help` lists them\n",
                argv[1]);
        return 2;
    }
    int skip = has_word ? 1 : 0;
    if (asks_for(argc, argv, "--help") || asks_for(argc, argv, "-h")) {
        return command_help(argc, argv);
    }
    if (asks_for(argc, argv, "--version")) {
        return command_version(argc, argv);
    }
    return command_run(argc - skip, argv + skip);
}

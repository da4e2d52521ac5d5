#include "coordinator/check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/version.h"
#include "coordinator/admin/client.h"
#include "coordinator/http.h"
#include "coordinator/kube/access.h"
#include "coordinator/kube/json.h"

#define ADMIN_STATUS "{\"command\":\"status\"}"

void check_say(struct check *check, enum check_verdict verdict, const char *what, const char *fix,
               const char *format, ...)
{
    static const char *const words[] = {
        [CHECK_GOOD] = "ok", [CHECK_DOUBTFUL] = "look", [CHECK_WRONG] = "WRONG", [CHECK_SKIPPED] = "-"};
    va_list arguments;
    fprintf(check->out, "%-5s  %-12s  ", words[verdict], what);
    va_start(arguments, format);
    vfprintf(check->out, format, arguments);
    va_end(arguments);
    fputc('\n', check->out);
    if (fix != NULL && verdict != CHECK_GOOD) {
        fprintf(check->out, "%-5s  %-12s  fix: %s\n", "", "", fix);
    }
    check->wrong += verdict == CHECK_WRONG;
    check->doubtful += verdict == CHECK_DOUBTFUL;
}

static void wipe(char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
    }
}

void check_forget(struct check *check)
{
    wipe(check->token);
    wipe(check->client_id);
    wipe(check->client_secret);
    check->token = check->client_id = check->client_secret = NULL;
}

static void check_agents(struct check *check)
{
    struct error error = {0};
    AUTOFREE char *reply = client_ask(check->options->admin_socket, ADMIN_STATUS, &error);
    if (reply == NULL) {
        check_say(
            check, CHECK_SKIPPED, "agents",
            "ask in the pod: kubectl -n kube-system exec deploy/vpsie-coordinator -- vpsie-coordinator check",
            "no coordinator answers here: %s", error.text);
        return;
    }
    AUTOJSON cJSON *json = json_parse(reply, strlen(reply), NULL);
    const cJSON *agents = json_get(json, "agents");
    int64_t heard = json_integer(agents, "heard", -1), expected = json_integer(agents, "expected", -1);
    bool standby = strcmp(json_text(json, "state"), "STANDBY") == 0;
    if (heard < 0) {
        check_say(check, CHECK_SKIPPED, "agents", NULL, "the coordinator's answer does not tell of agents");
    } else if (standby) {
        check_say(check, CHECK_SKIPPED, "agents", "ask the replica that leads",
                  "this replica stands by: agents talk to the leader");
    } else {
        bool all = heard >= expected && heard >= (int64_t)check->node_count;
        check_say(check,
                  all          ? CHECK_GOOD
                  : heard == 0 ? CHECK_WRONG
                               : CHECK_DOUBTFUL,
                  "agents",
                  "kubectl -n kube-system get pods -l app.kubernetes.io/name=vpsie-agent -o wide; their logs "
                  "say why",
                  "%lld heard of %u node%s", (long long)heard, check->node_count,
                  check->node_count == 1 ? "" : "s");
    }
}

static void check_all(struct check *check)
{
    check_kube(check);
    check_cloud(check);
    check_agents(check);
    fprintf(check->out, "\n%s\n",
            check->wrong > 0      ? "Something is wrong."
            : check->doubtful > 0 ? "Nothing is wrong; have a look at what is marked."
                                  : "Everything is there.");
}

static int check_with(const struct run_options *options)
{
    struct access_environment environment = access_environment();
    struct error error = {0};
    struct access access = {0};
    struct check check = {.options = options, .out = stdout, .arena = arena_create(1 << 14)};
    if (access_load(options->kubeconfig, options->context, &environment, &access, &error) < 0) {
        check_say(&check, CHECK_WRONG, "API server", "run it in the cluster, or give --kubeconfig", "%s",
                  error.text);
    } else {
        struct api_options api = {.access = &access, .read_only = true};
        check.api = api_create(&api);
        check_all(&check);
        check_forget(&check);
        api_stop(check.api);
        api_destroy(check.api);
    }
    access_free(&access);
    arena_destroy(check.arena);
    return check.wrong > 0 ? 1 : 0;
}

static void print_help(void)
{
    printf(
        "usage: vpsie-coordinator check [flags]\n\n"
        "Is everything there that an installation needs: one line for each thing, and for what is wrong a\n"
        "way to put it right. It changes nothing. In a cluster:\n"
        "  kubectl -n kube-system exec deploy/vpsie-coordinator -- vpsie-coordinator check\n\n"
        "Exit status: 0 nothing is wrong, 1 something is, 2 wrong usage.\n\n"
        "It takes the flags of run:\n");
    run_options_help(stdout);
}

int check_main(int argc, char **argv)
{
    struct error error = {0};
    struct run_options options;
    const char *words[1];
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return 0;
        }
    }
    int count = run_options_parse(argc - 1, argv + 1, &options, words, 1, &error);
    if (count > 0) {
        error_set(&error, 0, "unexpected word \"%s\"; check takes the flags of run", words[0]);
    }
    if (count != 0) {
        fprintf(stderr, "vpsie-coordinator: %s\n", error.text);
        return 2;
    }
    log_init("vpsie-coordinator", LOG_FORMAT_TEXT, LOG_ERROR);
    http_global_init();
    return check_with(&options);
}

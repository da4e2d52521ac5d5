#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/clock.h"
#include "coordinator/admin/client.h"

// ---- words

static void asks(const char *command, const char *expected, int count, const char *const *words)
{
    struct error error = {0};
    enum admin_command which;
    char *request = client_request(command, words, count, 0, &which, &error);
    if (request == NULL)
        fail_msg("refused: %s", error.text);
    assert_string_equal(request, expected);
    assert_string_equal(admin_command_name(which), command);
    struct admin_request *understood = admin_request_parse(request, strlen(request), &error);
    assert_non_null(understood); // by the server
    admin_request_free(understood);
    free(request);
}
#define WORDS(...)                                                                                           \
    (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *[])                          \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

static void wrong(const char *command, const char *because, int count, const char *const *words)
{
    struct error error = {0};
    enum admin_command which;
    assert_null(client_request(command, words, count, 0, &which, &error));
    if (strstr(error.text, because) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, because);
}

static void words_become_requests(void **state)
{
    (void)state;
    asks("status", "{\"command\":\"status\"}", 0, NULL);
    asks("explain", "{\"command\":\"explain\",\"node\":\"w-4\"}", WORDS("node", "w-4"));
    asks("explain", "{\"command\":\"explain\",\"node\":\"w-4\"}", WORDS("node/w-4"));
    asks("explain", "{\"command\":\"explain\",\"pod\":\"shop/cart-1\"}", WORDS("pod", "shop/cart-1"));
    asks("explain", "{\"command\":\"explain\",\"pod\":\"shop/cart-1\"}", WORDS("pod", "shop", "cart-1"));
    asks("explain", "{\"command\":\"explain\",\"group\":\"general\"}", WORDS("group", "general"));
    asks("nodes", "{\"command\":\"nodes\",\"group\":\"general\"}", WORDS("general"));
    asks("pause", "{\"command\":\"pause\",\"reason\":\"night shift\"}", WORDS("night", "shift"));
    asks("log-level", "{\"command\":\"log-level\",\"level\":\"debug\"}", WORDS("debug"));
    asks("release", "{\"command\":\"release\"}", 0, NULL);
    asks("approve", "{\"command\":\"approve\",\"decision\":\"D42\"}", WORDS("D42"));
}

static void words_that_make_no_sense_are_told_the_usage(void **state)
{
    (void)state;
    wrong("status", "unexpected word \"now\"", WORDS("now"));
    wrong("explain", "explain what?", 0, NULL);
    wrong("approve", "approve what?", 0, NULL);
    wrong("explain", "which node?", WORDS("node"));
    wrong("explain", "a node, a pod or a group, not \"w-4\"", WORDS("w-4"));
    wrong("explain", "unexpected word \"w-5\"", WORDS("node", "w-4", "w-5"));
    wrong("nodes", "usage: vpsie-coordinator nodes [GROUP]", WORDS("general", "batch"));
    wrong("release", "release takes no group", WORDS("general"));
    wrong("reboot", "is no command", 0, NULL);
}

// ---- screens

static void looks(enum admin_command command, int width, const char *reply, const char *expected)
{
    cJSON *json = cJSON_Parse(reply);
    assert_non_null(json);
    struct screen screen = {.width = width};
    client_show(&screen, command, json, false);
    assert_string_equal(text_get(&screen.out), expected);
    text_free(&screen.out);
    cJSON_Delete(json);
}

static void status_begins_with_what_matters_most(void **state)
{
    (void)state;
    looks(
        ADMIN_STATUS, 100,
        "{\"ok\":true,\"now\":\"2026-01-01T14:02:12Z\",\"state\":\"ACTING\",\"stateDetail\":\"\","
        "\"leader\":\"coord-7d9@10.0.0.7:4790\",\"lastDecidedAt\":\"2026-01-01T14:02:10Z\","
        "\"vpsie\":{\"usable\":true,\"callsUsed\":12,\"callsLimit\":100},"
        "\"agents\":{\"heard\":7,\"expected\":7},"
        "\"needsYou\":[{\"what\":\"batch at max: 2 pods wait 4m\",\"look\":\"explain group batch\"}],"
        "\"groups\":[{\"name\":\"general\",\"ready\":4,\"coming\":0,\"leaving\":0,\"minNodes\":2,"
        "\"maxNodes\":8,\"podsWaiting\":0,\"cpuRequestedPercent\":61,\"cpuUsedPercent\":22.4,"
        "\"memoryRequestedPercent\":48,\"memoryUsedPercent\":39,\"pricePerHour\":0.12,"
        "\"doing\":\"keeps w-4 (local data)\"},"
        "{\"name\":\"batch\",\"ready\":3,\"coming\":1,\"leaving\":0,\"minNodes\":0,\"maxNodes\":4,"
        "\"podsWaiting\":2,\"cpuRequestedPercent\":97,\"cpuUsedPercent\":null,"
        "\"memoryRequestedPercent\":80,\"memoryUsedPercent\":71,\"pricePerHour\":0.09,\"doing\":\"at max\"}],"
        "\"last\":{\"id\":41,\"at\":\"2026-01-01T14:02:10Z\",\"summary\":\"remove "
        "w-7\",\"reason\":\"underused\","
        "\"withheld\":\"\"},\"cost\":{\"today\":4.81,\"atMaxToday\":7.92}}",
        "ACTING  leader coord-7d9   decided 2s ago   VPSie ok, 12/100 calls   agents 7/7\n"
        "NEEDS YOU  batch at max: 2 pods wait 4m   explain group batch\n"
        "GROUP    NODES  MIN-MAX  PENDING  CPU REQ/USE  MEM REQ/USE  $/H   DOING\n"
        "general  4      2-8      0        61/22%       48/39%       0.12  keeps w-4 (local data)\n"
        "batch    3+1    0-4      2        97/?%        80/71%       0.09  at max\n"
        "LAST     14:02 D41 remove w-7, underused\n"
        "TODAY    $4.81 (at max: $7.92)\n");
}

static void a_standby_names_the_leader_once(void **state)
{
    (void)state;
    looks(ADMIN_STATUS, 100,
          "{\"state\":\"STANDBY\",\"stateDetail\":\"coord-1@10.0.0.7:4790 leads\","
          "\"leader\":\"coord-1@10.0.0.7:4790\",\"vpsie\":{\"usable\":true}}",
          "STANDBY  leader coord-1   VPSie ok   agents 0/0\nno NodeGroups\nTODAY    $0.00 (at max: $0.00)\n");
}

static void what_holds_it_is_told_once_with_what_ends_it(void **state)
{
    (void)state;
    looks(ADMIN_STATUS, 100,
          "{\"state\":\"PAUSED\",\"stateDetail\":\"night shift\",\"leader\":\"coord-1\","
          "\"vpsie\":{\"usable\":true},"
          "\"needsYou\":[{\"what\":\"paused: night shift\",\"look\":\"resume\"}]}",
          "PAUSED  leader coord-1   VPSie ok   agents 0/0\nNEEDS YOU  paused: night shift   resume\n"
          "no NodeGroups\nTODAY    $0.00 (at max: $0.00)\n");
    looks(ADMIN_STATUS, 100,
          "{\"state\":\"DRY RUN\",\"stateDetail\":\"decides and writes nothing\",\"leader\":\"coord-1\","
          "\"vpsie\":{\"usable\":true}}",
          "DRY RUN  decides and writes nothing  leader coord-1   VPSie ok   agents 0/0\n"
          "no NodeGroups\nTODAY    $0.00 (at max: $0.00)\n");
}

static void agents_leave_room_for_their_reasons(void **state)
{
    (void)state;
#define AGENT(node, version, detail)                                                                         \
    "{\"node\":\"" node "\",\"evidence\":\"BLOCKED\",\"pods\":5,\"version\":\"" version                      \
    "\",\"pressureCpuSome60\":62,\"reasons\":[{\"code\":\"local-data\",\"detail\":\"" detail "\"}]}"
    looks(ADMIN_AGENTS, 100,
          "{\"agents\":[" AGENT("w-1", "1.0.0", "24 MiB in spool of shop/cart-1") "," AGENT(
              "w-2", "1.0.0", "8 MiB in cache of shop/cart-2") "]}",
          "NODE  HEARD  EVIDENCE  PODS  PSI CPU/MEM/IO  WHY\n"
          "w-1          BLOCKED   5     62/0/0%         local-data: 24 MiB in spool of shop/cart-1\n"
          "w-2          BLOCKED   5     62/0/0%         local-data: 8 MiB in cache of shop/cart-2\n");
    looks(ADMIN_AGENTS, 100, "{\"agents\":[" AGENT("w-1", "1.0.0", "x") "," AGENT("w-2", "1.1.0", "y") "]}",
          "NODE  HEARD  EVIDENCE  PODS  PSI CPU/MEM/IO  VERSION  WHY\n"
          "w-1          BLOCKED   5     62/0/0%         1.0.0    local-data: x\n"
          "w-2          BLOCKED   5     62/0/0%         1.1.0    local-data: y\n");
#undef AGENT
}

static void a_brake_that_closed_stands_out_among_the_actions(void **state)
{
    (void)state;
    cJSON *json = cJSON_Parse("{\"actions\":[{\"kind\":\"hold\",\"summary\":\"hold: paused\"},"
                              "{\"kind\":\"hold\",\"summary\":\"go on: paused\"}]}");
    struct screen screen = {.width = 100, .colour = true};
    client_show(&screen, ADMIN_ACTIONS, json, false);
    assert_non_null(strstr(text_get(&screen.out), "\x1b[33mhold: paused\x1b[0m"));
    assert_non_null(strstr(text_get(&screen.out), "  go on: paused"));
    text_free(&screen.out);
    cJSON_Delete(json);
}

static void a_node_that_is_not_ours_says_so(void **state)
{
    (void)state;
    looks(ADMIN_NODES, 120,
          "{\"nodes\":[{\"name\":\"master-1\",\"state\":\"ready\",\"evidence\":\"UNKNOWN\",\"keptBy\":"
          "\"managed\"}]}",
          "NODE      GROUP  STATE  PODS  CPU REQ/USE  MEM REQ/USE  AGENT        KEPT BY\n"
          "master-1  -      ready  0     -            -            never heard  not ours\n");
}

static void a_node_shows_what_its_agent_answered_or_how_long_it_is_silent(void **state)
{
    (void)state;
    looks(ADMIN_NODES, 100,
          "{\"now\":\"2026-01-01T14:02:12Z\",\"nodes\":["
          "{\"name\":\"w-1\",\"group\":\"general\",\"state\":\"ready\",\"evidence\":\"BLOCKED\","
          "\"agentHeardAt\":\"2026-01-01T14:02:11Z\",\"keptBy\":\"underused, measured\"},"
          "{\"name\":\"w-2\",\"group\":\"general\",\"state\":\"ready\",\"evidence\":\"READY\","
          "\"agentHeardAt\":\"2026-01-01T13:58:12Z\",\"agentSilent\":true,\"keptBy\":\"agent\"}],"
          "\"coming\":[{\"name\":\"general-x\",\"group\":\"general\",\"state\":\"joining\","
          "\"since\":\"2026-01-01T14:01:12Z\",\"waitsFor\":\"its node\",\"outcomeUnknown\":true}]}",
          "NODE       GROUP    STATE    PODS  CPU REQ/USE  MEM REQ/USE  AGENT         KEPT BY\n"
          "w-1        general  ready    0     -            -            BLOCKED       underused, measured\n"
          "w-2        general  ready    0     -            -            silent 4m00s  agent\n"
          "general-x  general  joining  -     -            -            -             1m00s: its node, "
          "VPSie's\xe2\x80\xa6\n");
}

static void an_explanation_shows_what_decided_and_what_to_do(void **state)
{
    (void)state;
    looks(
        ADMIN_EXPLAIN, 100,
        "{\"ok\":true,\"now\":\"2026-01-01T14:03:11Z\",\"subject\":\"node w-4\",\"group\":\"general\","
        "\"pricePerHour\":0.03,\"verdict\":\"KEPT by local data\",\"decision\":42,"
        "\"at\":\"2026-01-01T14:03:11Z\",\"rules\":["
        "{\"rule\":\"underused, requests\",\"saw\":\"cpu 18% mem 22% for 10m40\",\"limit\":\"50% 10m\","
        "\"verdict\":\"pass\",\"change\":\"\"},"
        "{\"rule\":\"brakes\",\"saw\":\"none\",\"limit\":\"none\",\"verdict\":\"pass\",\"change\":\"\"},"
        "{\"rule\":\"local data\",\"saw\":\"cart-1 spool 212 MiB\",\"limit\":\"0\",\"verdict\":\"BLOCKS\","
        "\"change\":\"empty spool, or cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes: spool on "
        "shop/cart-1\"}],\"then\":\"drains, saves $0.03/h\"}",
        "node w-4  general  $0.03/h   KEPT by local data   D42 14:03:11\n"
        "RULE                 SAW                        LIMIT    VERDICT\n"
        "underused, requests  cpu 18% mem 22% for 10m40  50% 10m  pass\n"
        "local data           cart-1 spool 212 MiB       0        BLOCKS\n"
        "and 1 more that passes (--all)\n"
        "TO CHANGE  empty spool, or cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes: spool on\n"
        "           shop/cart-1\n"
        "THEN       drains, saves $0.03/h\n");
}

static void a_reply_without_anything_in_it_is_still_shown(void **state)
{
    (void)state;
    for (int i = 0; i < ADMIN_COMMAND_COUNT; i++) {
        cJSON *json = cJSON_Parse("{\"ok\":true,\"nodes\":[{}],\"coming\":[7],\"pods\":[{\"name\":4}],"
                                  "\"agents\":[{}],\"missing\":[1],\"actions\":[{}],\"rules\":[{}],"
                                  "\"groups\":[null]}");
        struct screen screen = {.width = 60};
        client_show(&screen, (enum admin_command)i, json, true);
        assert_true(screen.out.length > 0);
        text_free(&screen.out);
        cJSON_Delete(json);
    }
    looks(ADMIN_PODS, 80, "{\"pods\":[]}", "no pod waits\n");
    looks(ADMIN_NODES, 80, "{}", "no nodes\n");
    looks(ADMIN_ACTIONS, 80, "{}", "nothing decided yet\n");
    looks(ADMIN_PAUSE, 80, "{\"ok\":true,\"text\":\"paused\"}", "paused\n");
}

// ---- the program

static char directory[] = "/tmp/client-test-XXXXXX";
static char socket_path[100], out_path[100];
static struct admin *admin;
static const char *canned = "{\"ok\":true,\"groups\":[]}";

static bool answer(void *context, struct admin_request *request)
{
    (void)context;
    admin_reply(admin, request->id, xstrdup(canned));
    admin_request_free(request);
    return true;
}

static void start_server(void)
{
    struct admin_options options = {.path = socket_path, .sink = answer};
    admin = admin_start(&options, NULL);
    assert_non_null(admin);
}

// client_main() as a program of its own would run it, with its output in a file.
static int run(int argc, char **argv, char *output, size_t bytes)
{
    fflush(NULL);
    int saved_out = dup(STDOUT_FILENO), saved_error = dup(STDERR_FILENO);
    FILE *file = fopen(out_path, "w+");
    assert_non_null(file);
    dup2(fileno(file), STDOUT_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    int status = client_main(argc, argv);
    fflush(NULL);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_error, STDERR_FILENO);
    close(saved_out);
    close(saved_error);
    rewind(file);
    size_t length = fread(output, 1, bytes - 1, file);
    output[length] = '\0';
    fclose(file);
    return status;
}
#define RUN(output, ...)                                                                                     \
    run((int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)), (char *[]){__VA_ARGS__, NULL}, output,      \
        sizeof(output))

static void the_exit_status_says_how_it_went(void **state)
{
    (void)state;
    char output[4000];
    start_server();
    assert_int_equal(RUN(output, "groups", "--socket", socket_path), CLIENT_DONE);
    assert_string_equal(output, "no NodeGroups\n");
    assert_int_equal(RUN(output, "groups", "-o", "json", "--socket", socket_path), CLIENT_DONE);
    assert_string_equal(output, "{\"ok\":true,\"groups\":[]}\n");
    canned = "{\"ok\":false,\"error\":\"there is no node w-9\",\"code\":\"not-found\"}";
    assert_int_equal(RUN(output, "explain", "node", "w-9", "--socket", socket_path), CLIENT_REFUSED);
    assert_string_equal(output, "vpsie-coordinator: there is no node w-9\n");
    assert_int_equal(RUN(output, "explain", "--socket", socket_path), CLIENT_USAGE);
    assert_int_equal(RUN(output, "groups", "--sockets", socket_path), CLIENT_USAGE);
    assert_int_equal(RUN(output, "groups", "-o", "yaml"), CLIENT_USAGE);
    assert_int_equal(RUN(output, "groups", "--watch=1ms"), CLIENT_USAGE);
    admin_stop(admin);
    assert_int_equal(RUN(output, "groups", "--socket", socket_path), CLIENT_UNREACHABLE);
    assert_non_null(strstr(output, "the socket is not there"));
    assert_non_null(
        strstr(output, "kubectl -n kube-system exec deploy/vpsie-coordinator -- vpsie-coordinator groups"));
    assert_int_equal(RUN(output, "groups", "--help"), CLIENT_DONE);
    assert_non_null(strstr(output, "--watch INTERVAL"));
}

#define LONG_NAME "k8s-node-with-a-name-that-is-much-longer-than-anybody-would-like-1004"
#define LONG_WORD "a-reason-that-alone-is-as-wide-as-half-of-a-terminal"

static void what_no_terminal_reads_is_not_cut(void **state)
{
    (void)state;
    char output[4000];
    canned = "{\"ok\":true,\"nodes\":[{\"name\":\"" LONG_NAME "\",\"keptBy\":\"" LONG_WORD "\"}]}";
    start_server();
    assert_int_equal(RUN(output, "nodes", "--socket", socket_path), CLIENT_DONE);
    assert_non_null(strstr(output, LONG_NAME "  "));
    assert_non_null(strstr(output, LONG_WORD "\n"));
    setenv("COLUMNS", "100", 1);
    assert_int_equal(RUN(output, "nodes", "--socket", socket_path), CLIENT_DONE);
    unsetenv("COLUMNS");
    assert_null(strstr(output, LONG_WORD));
    for (char *line = strtok(output, "\n"); line != NULL; line = strtok(NULL, "\n"))
        assert_true(text_columns(line) <= 100);
    admin_stop(admin);
}

static void an_answer_that_cannot_be_written_is_no_success(void **state)
{
    (void)state;
    char command[300];
    canned = "{\"ok\":true,\"groups\":[]}";
    start_server();
    snprintf(command, sizeof(command), "/proc/%d/exe groups --socket %s >/dev/full 2>%s", (int)getpid(),
             socket_path, out_path);
    int status = system(command);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CLIENT_REFUSED);
    admin_stop(admin);
}

static int make_directory(void **state)
{
    (void)state;
    unsetenv("COLUMNS");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(socket_path, sizeof(socket_path), "%s/admin.sock", directory);
    snprintf(out_path, sizeof(out_path), "%s/out", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(out_path);
    return rmdir(directory);
}

int main(int argc, char **argv)
{
    if (argc > 1) // this program again, told to be the client
        return client_main(argc - 1, argv + 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_requests),
        cmocka_unit_test(words_that_make_no_sense_are_told_the_usage),
        cmocka_unit_test(status_begins_with_what_matters_most),
        cmocka_unit_test(a_standby_names_the_leader_once),
        cmocka_unit_test(what_holds_it_is_told_once_with_what_ends_it),
        cmocka_unit_test(agents_leave_room_for_their_reasons),
        cmocka_unit_test(a_brake_that_closed_stands_out_among_the_actions),
        cmocka_unit_test(a_node_that_is_not_ours_says_so),
        cmocka_unit_test(a_node_shows_what_its_agent_answered_or_how_long_it_is_silent),
        cmocka_unit_test(an_explanation_shows_what_decided_and_what_to_do),
        cmocka_unit_test(a_reply_without_anything_in_it_is_still_shown),
        cmocka_unit_test(the_exit_status_says_how_it_went),
        cmocka_unit_test(what_no_terminal_reads_is_not_cut),
        cmocka_unit_test(an_answer_that_cannot_be_written_is_no_success),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

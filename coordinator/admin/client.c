#include "coordinator/admin/client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/flags.h"

#define WIDTH_WHEN_UNKNOWN 100     // of a terminal
#define WIDTH_OF_NO_SCREEN 1000000 // a pipe or a file: nothing is cut
#define WIDTH_MIN          40
#define WATCH_DEFAULT      "2s"
#define WORDS_MAX          32
#define ARGUMENTS_MAX      64
// Not yet answered while a coordinator restarts: a short wait hides it.
#define WATCH_RETRY_MS 500

static struct client_options {
    const char *socket, *output, *watch;
    bool no_color, all;
    int64_t limit;
} given;

static const struct flag FLAGS[] = {
    {.name = "socket",
     .type = FLAG_STRING,
     .target = &given.socket,
     .default_text = "/run/vpsie/admin.sock",
     .environment = "VPSIE_ADMIN_SOCKET",
     .value_name = "PATH",
     .help = "the coordinator's admin socket"},
    {.name = "output",
     .type = FLAG_STRING,
     .target = &given.output,
     .default_text = "table",
     .environment = "VPSIE_OUTPUT",
     .value_name = "FORMAT",
     .help = "table, or json: the reply itself (short: -o)"},
    {.name = "watch",
     .type = FLAG_STRING,
     .target = &given.watch,
     .default_text = "",
     .environment = "VPSIE_WATCH",
     .value_name = "INTERVAL",
     .help = "keep it on the screen until Ctrl-C; 2s when no interval is given (short: -w)"},
    {.name = "no-color",
     .type = FLAG_BOOL,
     .target = &given.no_color,
     .default_text = "false",
     .help = "no colours; so does NO_COLOR, or a pipe"},
    {.name = "all",
     .type = FLAG_BOOL,
     .target = &given.all,
     .default_text = "false",
     .help = "explain: also the rules that pass on nothing"},
    {.name = "limit",
     .type = FLAG_INTEGER,
     .target = &given.limit,
     .default_text = "0",
     .value_name = "COUNT",
     .help = "at most so many rows; 0: the command's own",
     .minimum = 0,
     .maximum = 1000000},
};
#define FLAG_COUNT ((int)(sizeof(FLAGS) / sizeof(FLAGS[0])))

struct ask {
    enum admin_command command;
    char *request;
    bool json, watch, terminal;
    int64_t every_ms;
};

// ---- arguments

static bool looks_like_interval(const char *word)
{
    int64_t ms;
    return word != NULL && text_parse_duration_ms(word, strlen(word), &ms, NULL) == 0;
}

// The arguments after the command, with short forms and a --watch without an interval as the flag table knows
// them.
static int spell_out(int argc, char **argv, char **out)
{
    int count = 0;
    for (int i = 1; i < argc && count + 1 < ARGUMENTS_MAX; i++) {
        char *argument = argv[i];
        if (strcmp(argument, "-o") == 0)
            argument = "--output";
        else if (strcmp(argument, "-ojson") == 0)
            argument = "--output=json";
        else if (strcmp(argument, "-w") == 0)
            argument = "--watch";
        if (strcmp(argument, "--watch") == 0 && !looks_like_interval(i + 1 < argc ? argv[i + 1] : NULL))
            argument = "--watch=" WATCH_DEFAULT;
        out[count++] = argument;
    }
    out[count] = NULL;
    return count;
}

static void print_help(const char *command)
{
    printf(
        "usage: vpsie-coordinator %s [arguments] [flags]\n\n"
        "Asks a running coordinator over its admin socket. In a cluster:\n"
        "  kubectl -n kube-system exec deploy/vpsie-coordinator -- vpsie-coordinator %s\n\n"
        "Exit status: 0 done, 1 the coordinator says no, 2 wrong usage, 3 no coordinator to be reached.\n\n",
        command, command);
    flags_print_help(stdout, FLAGS, FLAG_COUNT);
}

static int understand(int argc, char **argv, struct ask *ask, struct error *error)
{
    char *arguments[ARGUMENTS_MAX + 1];
    const char *words[WORDS_MAX];
    if (argc >= ARGUMENTS_MAX)
        return error_set(error, 0, "too many arguments");
    int spelled = spell_out(argc, argv, arguments);
    int count = flags_parse(FLAGS, FLAG_COUNT, spelled, arguments, words, WORDS_MAX, error);
    if (count < 0)
        return -1;
    ask->json = strcmp(given.output, "json") == 0;
    if (!ask->json && strcmp(given.output, "table") != 0)
        return error_set(error, 0, "--output is table or json, not \"%s\"", given.output);
    ask->watch = given.watch[0] != '\0';
    if (ask->watch && (text_parse_duration_ms(given.watch, strlen(given.watch), &ask->every_ms, error) < 0 ||
                       ask->every_ms < 100))
        return error_set(error, 0, "--watch takes an interval of at least 100ms, such as 2s, not \"%s\"",
                         given.watch);
    ask->terminal = isatty(STDOUT_FILENO) == 1;
    ask->request = client_request(argv[0], words, count, given.limit, &ask->command, error);
    return ask->request != NULL ? 0 : -1;
}

// ---- the screen

static struct screen screen_now(const struct ask *ask)
{
    struct screen screen = {.width = ask->terminal ? WIDTH_WHEN_UNKNOWN : WIDTH_OF_NO_SCREEN};
    const char *columns = getenv("COLUMNS"), *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    struct winsize size;
    int64_t told;
    if (ask->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        screen.width = size.ws_col;
    else if (columns != NULL && text_parse_i64(columns, strlen(columns), &told, NULL) == 0 && told > 0 &&
             told < 10000)
        screen.width = (int)told;
    if (screen.width < WIDTH_MIN)
        screen.width = WIDTH_MIN;
    bool dumb = term != NULL && strcmp(term, "dumb") == 0;
    screen.colour = ask->terminal && !given.no_color && !dumb && (no_color == NULL || no_color[0] == '\0');
    return screen;
}

static int rows_of_terminal(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row : 24;
}

static void write_out(const char *bytes, size_t length)
{
    fwrite(bytes, 1, length, stdout);
    fflush(stdout);
}

// ---- asking once

static void delete_json(cJSON **json)
{
    cJSON_Delete(*json);
}

// The reply as it is to be printed, into `out`.
static enum client_status answer(const struct ask *ask, struct text *out, struct error *error)
{
    char AUTOFREE *reply = client_ask(given.socket, ask->request, error);
    if (reply == NULL)
        return CLIENT_UNREACHABLE;
    __attribute__((cleanup(delete_json))) cJSON *json = cJSON_Parse(reply);
    if (!cJSON_IsObject(json)) {
        error_set(error, 0, "the coordinator's answer is not JSON; is this its admin socket?");
        return CLIENT_UNREACHABLE;
    }
    bool good = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "ok"));
    if (ask->json || (good && ask->command == ADMIN_SNAPSHOT)) {
        text_append(out, reply);
        text_append(out, "\n");
        return good ? CLIENT_DONE : CLIENT_REFUSED;
    }
    if (!good) {
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(json, "error");
        error_set(error, 0, "%s", cJSON_IsString(text) ? text->valuestring : "refused without a reason");
        return CLIENT_REFUSED;
    }
    struct screen screen = screen_now(ask);
    client_show(&screen, ask->command, json, given.all);
    text_append(out, text_get(&screen.out));
    text_free(&screen.out);
    return CLIENT_DONE;
}

static int ask_once(const struct ask *ask, const char *command)
{
    struct text AUTOTEXT out = {0};
    struct error error = {0};
    enum client_status status = answer(ask, &out, &error);
    write_out(text_get(&out), out.length);
    if (ferror(stdout)) {
        error_set(&error, 0, "the answer could not be written");
        status = CLIENT_REFUSED;
    }
    if (error.text[0] != '\0')
        fprintf(stderr, "vpsie-coordinator: %s\n", error.text);
    if (status == CLIENT_UNREACHABLE)
        fprintf(
            stderr,
            "Ask where it runs:  kubectl -n kube-system exec deploy/vpsie-coordinator -- "
            "vpsie-coordinator %s\n"
            "or name its socket with --socket PATH. If it runs there, its log says why it has no socket.\n",
            command);
    return status;
}

// ---- watching

static void stop_watching(int signal_number)
{
    (void)signal_number;
    static const char SHOW_CURSOR[] = "\x1b[?25h\n";
    if (isatty(STDOUT_FILENO) == 1 && write(STDOUT_FILENO, SHOW_CURSOR, sizeof(SHOW_CURSOR) - 1) < 0)
        _exit(CLIENT_UNREACHABLE);
    _exit(CLIENT_DONE);
}

// One write: home, each line over the old one, nothing below. No screen is ever empty between two frames.
static void draw(const char *frame)
{
    struct text AUTOTEXT out = {0};
    text_append(&out, "\x1b[H");
    int rows = rows_of_terminal() - 1;
    for (; *frame != '\0' && rows > 0; rows--) {
        size_t line = strcspn(frame, "\n");
        text_append_bytes(&out, frame, line);
        text_append(&out, "\x1b[K\n");
        frame += line + (frame[line] == '\n');
    }
    text_append(&out, "\x1b[J");
    write_out(text_get(&out), out.length);
}

static int watch(const struct ask *ask)
{
    struct sigaction action = {.sa_handler = stop_watching};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    bool draws = ask->terminal && !ask->json;
    if (draws)
        write_out("\x1b[?25l\x1b[2J", strlen("\x1b[?25l\x1b[2J"));
    struct text AUTOTEXT last = {0}, AUTOTEXT said = {0};
    enum client_status before = CLIENT_DONE;
    for (;;) {
        struct text AUTOTEXT frame = {0};
        struct error error = {0};
        enum client_status status = answer(ask, &frame, &error);
        if (status == CLIENT_DONE || frame.length > 0) {
            text_clear(&last);
            text_append(&last, text_get(&frame));
        } else {
            struct text *say = draws ? &frame : &said;
            text_clear(say);
            text_printf(say, "%s (%s)\n",
                        status == CLIENT_REFUSED ? "refused" : "waiting for the coordinator\xe2\x80\xa6",
                        error.text);
            if (draws)
                text_append(&frame, text_get(&last));
            else if (status != before)
                fputs(text_get(&said), stderr); // not among what a program reads
        }
        before = status;
        if (draws)
            draw(text_get(&frame));
        else
            write_out(text_get(&frame), frame.length);
        if (ferror(stdout))
            return CLIENT_DONE; // nobody reads any more
        clock_sleep_ms(status == CLIENT_UNREACHABLE && ask->every_ms > WATCH_RETRY_MS ? WATCH_RETRY_MS
                                                                                      : ask->every_ms);
    }
}

int client_main(int argc, char **argv)
{
    struct error error = {0};
    struct ask ask = {0};
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(argv[0]);
            return CLIENT_DONE;
        }
    if (understand(argc, argv, &ask, &error) < 0) {
        fprintf(stderr, "vpsie-coordinator: %s\n", error.text);
        return CLIENT_USAGE;
    }
    int status = ask.watch ? watch(&ask) : ask_once(&ask, argv[0]);
    free(ask.request);
    return status;
}

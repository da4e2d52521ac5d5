#include "coordinator/plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/flags.h"
#include "common/log.h"
#include "coordinator/http.h"
#include "coordinator/kube/json.h"
#include "coordinator/plan/report.h"
#include "coordinator/plan/whatif.h"
#include "coordinator/run.h"

#define WORDS_MAX          64
#define ARGUMENTS_MAX      256
#define WIDTH_OF_NO_SCREEN 1000000
#define WIDTH_WHEN_UNKNOWN 100
#define WIDTH_MIN          40
#define OFFERS_BYTES_MAX   (4u << 20)
#define HORIZON_MS_MAX     (31LL * 24 * 3600 * 1000)

static struct plan_flags {
    const char *snapshot, *offers, *output;
    int64_t horizon_ms, limit;
    struct flag_strings set;
    bool no_color;
} given;

static const struct flag FLAGS[] = {
    {.section = "The picture; without --snapshot and without files: the live cluster of --kubeconfig",
     .name = "snapshot",
     .type = FLAG_STRING,
     .target = &given.snapshot,
     .default_text = "",
     .value_name = "FILE",
     .help = "what `vpsie-coordinator snapshot` printed"},
    {.name = "offers",
     .type = FLAG_STRING,
     .target = &given.offers,
     .default_text = "",
     .value_name = "FILE",
     .help = "VPSie's sizes and prices (the answer of k8s/offers), where no snapshot has them"},
    {.name = "set",
     .type = FLAG_STRINGS,
     .target = &given.set,
     .value_name = "CHANGE",
     .help = "what if: general.maxNodes=20, config.globalSettings.maxClusterWorkers=0, shop/web=+30; may be "
             "repeated"},
    {.section = "The answer",
     .name = "horizon",
     .type = FLAG_DURATION_MS,
     .target = &given.horizon_ms,
     .default_text = "6h",
     .value_name = "DURATION",
     .help = "how far to look ahead",
     .minimum = 60000,
     .maximum = HORIZON_MS_MAX},
    {.name = "output",
     .type = FLAG_STRING,
     .target = &given.output,
     .default_text = "table",
     .value_name = "FORMAT",
     .help = "table or json (short: -o)"},
    {.name = "limit",
     .type = FLAG_INTEGER,
     .target = &given.limit,
     .default_text = "200",
     .value_name = "COUNT",
     .help = "explain at most so many nodes",
     .minimum = 0,
     .maximum = 100000},
    {.name = "no-color",
     .type = FLAG_BOOL,
     .target = &given.no_color,
     .default_text = "false",
     .help = "no colours; so does NO_COLOR, or a pipe"},
};
#define FLAG_COUNT ((int)(sizeof(FLAGS) / sizeof(FLAGS[0])))

// ---- arguments: ours, and those of `run`, whose policy is planned with

static const struct flag *own_flag(const char *argument)
{
    if (strncmp(argument, "--", 2) != 0)
        return NULL;
    const char *name = argument + 2;
    if (strncmp(name, "no-", 3) == 0 && strcmp(name, "no-color") != 0)
        name += 3;
    size_t length = strcspn(name, "=");
    for (int i = 0; i < FLAG_COUNT; i++)
        if (strlen(FLAGS[i].name) == length && strncmp(FLAGS[i].name, name, length) == 0)
            return &FLAGS[i];
    return NULL;
}

struct arguments {
    char *own[ARGUMENTS_MAX + 1], *run[ARGUMENTS_MAX + 1];
    int own_count, run_count;
};

static int divide(int argc, char **argv, struct arguments *out, struct error *error)
{
    if (argc > ARGUMENTS_MAX)
        return error_set(error, 0, "too many arguments");
    for (int i = 1; i < argc; i++) {
        char *argument = argv[i];
        if (strcmp(argument, "-o") == 0)
            argument = "--output";
        else if (strcmp(argument, "-ojson") == 0)
            argument = "--output=json";
        const struct flag *flag = own_flag(argument);
        bool takes_next = flag != NULL && flag->type != FLAG_BOOL && strchr(argument, '=') == NULL;
        char **list = flag != NULL ? out->own : out->run;
        int *count = flag != NULL ? &out->own_count : &out->run_count;
        list[(*count)++] = argument;
        if (takes_next && i + 1 < argc)
            list[(*count)++] = argv[++i];
    }
    return 0;
}

static void print_help(void)
{
    printf("usage: vpsie-coordinator plan [FILE|DIRECTORY ...] [flags]\n\n"
           "Runs the decisions on a picture of a cluster, and says what would be done now and in the next\n"
           "hours, which nodes could go, and what holds the rest. It writes nothing anywhere.\n\n"
           "  kubectl get nodes,pods,pdb,daemonsets,nodegroups,vpsienodes -A -o json > all.json\n"
           "  vpsie-coordinator plan all.json --offers offers.json\n"
           "  vpsie-coordinator plan --kubeconfig ~/.kube/config group.yaml\n"
           "  vpsie-coordinator plan --snapshot prod.json --set general.maxNodes=20 --set shop/web=+30\n\n"
           "Files are what `kubectl get ... -o json` prints, or manifests; with --kubeconfig given too, or\n"
           "$KUBECONFIG and no other source, they are laid over the live cluster, which is only read.\n"
           "Exit status: 0 done, 1 the picture cannot be had, 2 wrong usage.\n\n");
    flags_print_help(stdout, FLAGS, FLAG_COUNT);
    printf("\nEvery flag of `vpsie-coordinator run` that is about decisions holds here too.\n");
}

// ---- the picture

static int add_words(struct source *source, const char *const *words, int count, struct error *error)
{
    for (int i = 0; i < count; i++) {
        struct stat status;
        bool directory = stat(words[i], &status) == 0 && S_ISDIR(status.st_mode);
        int result = directory ? source_add_directory(source, words[i], error)
                               : source_add_file(source, words[i], error);
        if (result < 0)
            return -1;
        if (*source->origin == '\0') {
            free(source->origin);
            source->origin = xstrdup(words[i]);
        }
    }
    return 0;
}

static bool asks_for_live(const struct arguments *arguments, int word_count)
{
    for (int i = 0; i < arguments->run_count; i++)
        if (strncmp(arguments->run[i], "--kubeconfig", 12) == 0)
            return true;
    return *given.snapshot == '\0' && word_count == 0;
}

static int read_picture(struct source *source, const struct arguments *arguments,
                        const struct run_options *options, const char *const *words, int word_count,
                        struct error *error)
{
    if (*given.snapshot != '\0') {
        if (source_add_file(source, given.snapshot, error) < 0)
            return -1;
        if (source->vpsie == NULL)
            return error_set(error, 0, "%s is no snapshot: `vpsie-coordinator snapshot` prints one",
                             given.snapshot);
        free(source->origin);
        source->origin = xprintf("snapshot %s", given.snapshot);
    } else if (asks_for_live(arguments, word_count)) {
        if (source_add_live(source, options->kubeconfig, options->context, error) < 0)
            return -1;
    }
    if (add_words(source, words, word_count, error) < 0)
        return -1;
    if (source->object_count == 0)
        return error_set(error, 0, "no Node, Pod or NodeGroup in it%s%s",
                         source->ignored > 0 ? ", only objects such as " : "", source->ignored_kind);
    for (int i = 0; i < given.set.count; i++)
        if (whatif_set(source, given.set.items[i], error) < 0)
            return -1;
    return 0;
}

static cJSON *read_offers(const cJSON **offers, struct error *error)
{
    AUTOTEXT struct text text = {0};
    if (text_read_file(given.offers, OFFERS_BYTES_MAX, &text, error) < 0)
        return NULL;
    struct error detail = {0};
    cJSON *document = json_parse(text_get(&text), text.length, &detail);
    if (document == NULL) {
        error_set(error, 0, "%s: %s", given.offers, detail.text);
        return NULL;
    }
    if (cloud_check_offers(document, given.offers, offers, error) == 0)
        return document;
    cJSON_Delete(document);
    return NULL;
}

// ---- the answer

static struct screen make_screen(void)
{
    bool terminal = isatty(STDOUT_FILENO) == 1;
    struct winsize size = {0};
    struct screen screen = {.width = WIDTH_OF_NO_SCREEN};
    if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        screen.width = size.ws_col >= WIDTH_MIN ? size.ws_col : WIDTH_WHEN_UNKNOWN;
    screen.colour = terminal && !given.no_color && getenv("NO_COLOR") == NULL;
    return screen;
}

static void print_report(const cJSON *report)
{
    if (strcmp(given.output, "json") == 0) {
        AUTOTEXT struct text text = {0};
        json_print(report, &text);
        printf("%s\n", text_get(&text));
        return;
    }
    struct screen screen = make_screen();
    report_show(&screen, report);
    fputs(text_get(&screen.out), stdout);
    text_free(&screen.out);
}

static int plan(struct source *source, const struct run_options *options, struct error *error)
{
    const cJSON *offers = NULL;
    cJSON *document = NULL;
    if (*given.offers != '\0' && (document = read_offers(&offers, error)) == NULL)
        return -1;
    struct future *future = future_create(source, &options->core, offers);
    cJSON *report = report_begin(future, given.horizon_ms);
    future_live(future, future->begin_ms + given.horizon_ms);
    report_end(report, future, given.limit);
    print_report(report);
    cJSON_Delete(report);
    future_destroy(future);
    cJSON_Delete(document);
    return 0;
}

static int parse(int argc, char **argv, struct arguments *arguments, struct run_options *options,
                 const char **words, struct error *error)
{
    if (divide(argc, argv, arguments, error) < 0 ||
        flags_parse(FLAGS, FLAG_COUNT, arguments->own_count, arguments->own, words, WORDS_MAX, error) < 0)
        return -1;
    if (strcmp(given.output, "json") != 0 && strcmp(given.output, "table") != 0)
        return error_set(error, 0, "--output is table or json, not \"%s\"", given.output);
    return run_options_parse(arguments->run_count, arguments->run, options, words, WORDS_MAX, error);
}

int plan_main(int argc, char **argv)
{
    struct error error = {0};
    struct arguments arguments = {0};
    struct run_options options;
    const char *words[WORDS_MAX];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return 0;
        }
    }
    int count = parse(argc, argv, &arguments, &options, words, &error);
    if (count < 0) {
        fprintf(stderr, "vpsie-coordinator plan: %s\n", error.text);
        return 2;
    }
    log_init("vpsie-coordinator", LOG_FORMAT_TEXT, LOG_ERROR);
    http_global_init();
    struct source *source = source_create();
    int result = read_picture(source, &arguments, &options, words, count, &error);
    if (result == 0)
        result = plan(source, &options, &error);
    if (result < 0)
        fprintf(stderr, "vpsie-coordinator plan: %s\n", error.text);
    source_destroy(source);
    return result < 0 ? 1 : 0;
}

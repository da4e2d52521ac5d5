#include "agent/settings.h"

#include <errno.h>
#include <string.h>

#include "common/flags.h"
#include "common/text.h"
#include "common/wire.h"

// The table is one for all settings: only the addresses inside this one count.
static struct agent_settings origin;

static const struct flag table[] = {
    {.name = "coordinator",
     .type = FLAG_STRING,
     .target = &origin.coordinator,
     .value_name = "HOST:PORT",
     .help = "where the coordinator listens (port 7946 unless given)",
     .section = "Coordinator"},
    {.name = "node-name",
     .type = FLAG_STRING,
     .target = &origin.node_name,
     .environment = "NODE_NAME",
     .value_name = "NAME",
     .help = "the Kubernetes node this agent runs on; with --once the host's name will do"},
    {.name = "interval",
     .type = FLAG_DURATION_MS,
     .target = &origin.interval_ms,
     .default_text = "10s",
     .value_name = "DURATION",
     .minimum = 100,
     .maximum = WIRE_INTERVAL_MS_MAX,
     .help = "between two reports; the coordinator may ask for another pace (500ms to 5m)"},
    {.name = "answer-timeout",
     .type = FLAG_DURATION_MS,
     .target = &origin.answer_timeout_ms,
     .default_text = "10s",
     .value_name = "DURATION",
     .minimum = 100,
     .maximum = 300000,
     .help = "a report without an answer for so long is given up, and the newest one sent"},
    {.name = "reconnect-max",
     .type = FLAG_DURATION_MS,
     .target = &origin.reconnect_max_ms,
     .default_text = "30s",
     .value_name = "DURATION",
     .minimum = 100,
     .maximum = 600000,
     .help = "longest wait between two attempts to connect; it doubles from 500ms, and a random part is "
             "taken"},
    {.name = "ca-file",
     .type = FLAG_STRING,
     .target = &origin.ca_file,
     .default_text = "/etc/vpsie-agent/ca.crt",
     .value_name = "FILE",
     .help = "PEM: who signed the coordinator's certificate"},
    {.name = "tls-server-name",
     .type = FLAG_STRING,
     .target = &origin.tls_server_name,
     .value_name = "NAME",
     .help = "name in the coordinator's certificate; the host of --coordinator unless given"},
    {.name = "token-file",
     .type = FLAG_STRING,
     .target = &origin.token_file,
     .default_text = "/var/run/secrets/tokens/vpsie-coordinator",
     .value_name = "FILE",
     .help = "projected ServiceAccount token (audience vpsie-coordinator), read anew for each connection"},
    {.name = "insecure-transport",
     .type = FLAG_BOOL,
     .target = &origin.insecure_transport,
     .help = "plain TCP: reports and the token can be read and forged on the way; for tests"},

    {.name = "path.procfs",
     .type = FLAG_STRING,
     .target = &origin.host.procfs,
     .default_text = "/proc",
     .value_name = "PATH",
     .help = "the host's /proc",
     .section = "The host"},
    {.name = "path.sysfs",
     .type = FLAG_STRING,
     .target = &origin.host.sysfs,
     .default_text = "/sys",
     .value_name = "PATH",
     .help = "the host's /sys"},
    {.name = "path.rootfs",
     .type = FLAG_STRING,
     .target = &origin.host.rootfs,
     .default_text = "/",
     .value_name = "PATH",
     .help = "the host's /"},
    {.name = "kubelet-directory",
     .type = FLAG_STRING,
     .target = &origin.host.kubelet_directory,
     .default_text = "/var/lib/kubelet",
     .value_name = "PATH",
     .help = "the kubelet's --root-dir, inside rootfs"},
    {.name = "inspection-cpu-percent",
     .type = FLAG_DOUBLE,
     .target = &origin.host.inspection_cpu_percent,
     .default_text = "0.04",
     .value_name = "PERCENT",
     .help = "share of one CPU for looking into pods (files, processes, connections) while no drain asks "
             "for it; "
             "100: all pods, every sample"},
    {.name = "walk-entries-max",
     .type = FLAG_INTEGER,
     .target = &origin.walk_entries_max,
     .default_text = "20000",
     .value_name = "COUNT",
     .minimum = 1,
     .maximum = 10000000,
     .help = "files and directories looked at in one pod's emptyDir volumes; a pod with more counts as "
             "holding "
             "data"},

    {.name = "local-data-slack",
     .type = FLAG_INTEGER,
     .target = &origin.local_data_slack_bytes,
     .default_text = "0",
     .value_name = "BYTES",
     .minimum = 0,
     .maximum = INT64_MAX,
     .help = "a pod may hold so much in emptyDir volumes and still be moved",
     .section = "Drain readiness (0 switches a limit off)"},
    {.name = "pressure-cpu-limit",
     .type = FLAG_DOUBLE,
     .target = &origin.limits.pressure_percent[PRESSURE_CPU],
     .default_text = "90",
     .value_name = "PERCENT",
     .help = "busy while some task waited for a CPU for more of the last 10 s"},
    {.name = "pressure-memory-limit",
     .type = FLAG_DOUBLE,
     .target = &origin.limits.pressure_percent[PRESSURE_MEMORY],
     .default_text = "20",
     .value_name = "PERCENT",
     .help = "busy while all tasks waited for memory for more of the last 10 s"},
    {.name = "pressure-io-limit",
     .type = FLAG_DOUBLE,
     .target = &origin.limits.pressure_percent[PRESSURE_IO],
     .default_text = "60",
     .value_name = "PERCENT",
     .help = "busy while all tasks waited for I/O for more of the last 10 s"},
    {.name = "filesystem-limit",
     .type = FLAG_DOUBLE,
     .target = &origin.limits.filesystem_percent,
     .default_text = "95",
     .value_name = "PERCENT",
     .help = "busy while more of the root or image file system (bytes or inodes) is in use"},
    {.name = "connections-limit",
     .type = FLAG_INTEGER,
     .target = &origin.connections_limit,
     .default_text = "0",
     .value_name = "COUNT",
     .minimum = 0,
     .maximum = UINT32_MAX,
     .help = "busy while a pod has more established TCP connections; they are reported in any case"},

    {.name = "listen",
     .type = FLAG_STRING,
     .target = &origin.listen,
     .default_text = ":9101",
     .value_name = "HOST:PORT",
     .help = "/healthz, /readyz and /metrics; - for none",
     .section = "Operation"},
    {.name = "log-format",
     .type = FLAG_STRING,
     .target = &origin.log_format_text,
     .default_text = "auto",
     .value_name = "FORMAT",
     .help = "auto (text on a terminal, else json), json or text"},
    {.name = "log-level",
     .type = FLAG_STRING,
     .target = &origin.log_level_text,
     .default_text = "info",
     .value_name = "LEVEL",
     .help = "debug, info, warn or error; SIGUSR1 switches to debug, SIGUSR2 back"},
    {.name = "fence",
     .type = FLAG_BOOL,
     .target = &origin.fence,
     .default_text = "true",
     .help = "give up, for good, every file that is not needed (Landlock); where the kernel has none, it is "
             "said"},
    {.name = "once",
     .type = FLAG_BOOL,
     .target = &origin.once,
     .help = "print one full report (two samples, a second apart) and exit; needs no coordinator"},
    {.name = "output",
     .type = FLAG_STRING,
     .target = &origin.output_text,
     .default_text = "text",
     .value_name = "FORMAT",
     .help = "of --once: text or json"},
};

#define FLAG_COUNT ((int)(sizeof table / sizeof *table))

static void make_flags(struct agent_settings *settings, struct flag flags[FLAG_COUNT])
{
    for (int i = 0; i < FLAG_COUNT; i++) {
        flags[i] = table[i];
        flags[i].target = (char *)settings + ((char *)table[i].target - (char *)&origin);
    }
}

static int check_percent(const char *name, double value, struct error *error)
{
    if (value >= 0 && value <= 100)
        return 0;
    return error_set(error, EINVAL, "--%s is a percentage, 0 to 100", name);
}

static int check_numbers(const struct agent_settings *s, struct error *error)
{
    if (check_percent("pressure-cpu-limit", s->limits.pressure_percent[PRESSURE_CPU], error) < 0 ||
        check_percent("pressure-memory-limit", s->limits.pressure_percent[PRESSURE_MEMORY], error) < 0 ||
        check_percent("pressure-io-limit", s->limits.pressure_percent[PRESSURE_IO], error) < 0 ||
        check_percent("filesystem-limit", s->limits.filesystem_percent, error) < 0 ||
        check_percent("inspection-cpu-percent", s->host.inspection_cpu_percent, error) < 0)
        return -1;
    return 0;
}

static int check_words(struct agent_settings *s, struct error *error)
{
    if (log_parse_format(s->log_format_text, &s->log_format, error) < 0)
        return error_wrap(error, "--log-format");
    if (log_parse_level(s->log_level_text, &s->log_level, error) < 0)
        return error_wrap(error, "--log-level");
    s->json = text_equal(s->output_text, "json");
    if (!s->json && !text_equal(s->output_text, "text"))
        return error_set(error, EINVAL, "--output \"%s\": text or json", s->output_text);
    if (!s->once && !*s->coordinator)
        return error_set(error, EINVAL, "--coordinator HOST:PORT is needed (or --once)");
    if (!s->once && !*s->node_name)
        return error_set(error, EINVAL, "--node-name or $NODE_NAME is needed");
    if (strlen(s->node_name) > WIRE_NODE_NAME_BYTES_MAX)
        return error_set(error, EINVAL, "--node-name is longer than %u bytes", WIRE_NODE_NAME_BYTES_MAX);
    if (text_equal(s->listen, "-"))
        s->listen = "";
    return 0;
}

int settings_parse(int argc, char **argv, struct agent_settings *out, const char **words, int words_max,
                   struct error *error)
{
    struct flag flags[FLAG_COUNT];
    *out = (struct agent_settings){0};
    make_flags(out, flags);
    int word_count = flags_parse(flags, FLAG_COUNT, argc, argv, words, words_max, error);
    if (word_count < 0 || word_count > 0)
        return word_count; // a command's words: its caller knows what to say
    out->host.walk_entries_max = (uint32_t)out->walk_entries_max;
    out->limits.connections = (uint32_t)out->connections_limit;
    out->limits.local_data_slack_bytes = (uint64_t)out->local_data_slack_bytes;
    return check_numbers(out, error) < 0 || check_words(out, error) < 0 ? -1 : 0;
}

void settings_print_help(FILE *out)
{
    struct agent_settings settings = {0};
    struct flag flags[FLAG_COUNT];
    make_flags(&settings, flags);
    fprintf(out, "vpsie-agent: tells the coordinator what only a node can know\n\n"
                 "usage: vpsie-agent --coordinator HOST:PORT [flags]\n"
                 "       vpsie-agent --once [--output json]\n"
                 "       vpsie-agent version\n\n");
    flags_print_help(out, flags, FLAG_COUNT);
}

// What this room is for: every flag of the agent, its default, its environment variable, in one table. What
// it knows: text. What it may not do: open, connect or print anything but the help.
#ifndef VPSIE_AGENT_SETTINGS_H
#define VPSIE_AGENT_SETTINGS_H

#include <stdio.h>

#include "agent/host/host.h"
#include "agent/readiness.h"
#include "common/log.h"

struct agent_settings {
    struct host_settings host;
    struct readiness_limits limits;

    const char *coordinator; // "" only with once
    const char *node_name;
    int64_t interval_ms;
    int64_t answer_timeout_ms;
    int64_t reconnect_max_ms;
    const char *ca_file, *tls_server_name, *token_file;
    bool insecure_transport;

    const char *listen;
    enum log_format log_format;
    enum log_level log_level;

    bool fence;
    bool once;
    bool json;

    // What the table writes and settings_parse() turns into the above.
    int64_t walk_entries_max, connections_limit, local_data_slack_bytes;
    const char *log_format_text, *log_level_text, *output_text;
};

// Defaults, environment, arguments (without the program's name). Strings point into argv, the environment or
// constants. Returns the number of words that are no flags (written to words, words_max at most), or -1 with
// an error to show.
int settings_parse(int argc, char **argv, struct agent_settings *out, const char **words, int words_max,
                   struct error *error);
void settings_print_help(FILE *out);

#endif

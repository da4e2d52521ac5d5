// What this room is for: tying the doors to the core: one thread that owns the core, one bounded queue into
// it. What it knows: every door. What it may not do: decide.
#ifndef VPSIE_COORDINATOR_RUN_H
#define VPSIE_COORDINATOR_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/flags.h"
#include "common/log.h"
#include "coordinator/decide/core.h"

// Everything the flags say. Strings point into argv, the environment or the flag table.
struct run_options {
    const char *log_format, *log_level;
    // Kubernetes
    const char *kubeconfig, *context, *own_namespace, *identity, *advertise_address;
    const char *lease_namespace, *lease_name;
    int64_t lease_duration_ms, lease_renew_deadline_ms, lease_retry_ms;
    bool leader_elect;
    const char *secret_namespace, *secret_name;
    // VPSie
    const char *vpsie_url, *vpsie_ca_file, *vpsie_auth;
    int64_t vpsie_rate_per_minute, vpsie_timeout_ms;
    // agents
    const char *listen_agents, *tls_cert_file, *tls_key_file, *agent_audience, *agent_service_account;
    const char *tls_secret_name, *ca_configmap_name, *service_name; // of our own authority, without files
    bool insecure_transport;
    int64_t agent_interval_ms;
    // people and machines that watch
    const char *admin_socket, *listen;
    // policy
    struct core_config core;
    int64_t expendable_cutoff, max_empty_removals;
    const char *expander;
    struct flag_strings startup_taints, headroom;
};

// Parse flags and environment into `options`. Returns the number of words left in `words`, or -1.
int run_options_parse(int argc, char **argv, struct run_options *options, const char **words, int words_max,
                      struct error *error);
void run_options_help(FILE *out);

// Runs until SIGTERM or SIGINT, then releases the Lease and stops. Returns the process's exit status.
int run_coordinator(struct run_options *options);

#endif

// The coordinator's flags: one table, from which --help, the environment variables and the defaults all come.
#include <string.h>
#include <unistd.h>

#include "common/wire.h"
#include "coordinator/run.h"

#define STRINGIFY_VALUE(value) #value
#define STRINGIFY(value)       STRINGIFY_VALUE(value)
#define HOUR_MS                (3600LL * 1000LL)

static struct run_options target;

static const struct flag flag_table[] = {
    {.section = "Kubernetes",
     .name = "kubeconfig",
     .type = FLAG_STRING,
     .target = &target.kubeconfig,
     .default_text = "",
     .environment = "KUBECONFIG",
     .value_name = "FILE",
     .help = "how to reach the API server; empty: the pod's ServiceAccount"},
    {.name = "context",
     .type = FLAG_STRING,
     .target = &target.context,
     .default_text = "",
     .value_name = "NAME",
     .help = "context of the kubeconfig; empty: its current-context"},
    {.name = "namespace",
     .type = FLAG_STRING,
     .target = &target.own_namespace,
     .default_text = "kube-system",
     .environment = "POD_NAMESPACE",
     .value_name = "NAME",
     .help = "namespace the coordinator runs in"},
    {.name = "identity",
     .type = FLAG_STRING,
     .target = &target.identity,
     .default_text = "",
     .environment = "POD_NAME",
     .value_name = "NAME",
     .help = "who holds the Lease; empty: the host's name"},
    {.name = "advertise-address",
     .type = FLAG_STRING,
     .target = &target.advertise_address,
     .default_text = "",
     .value_name = "HOST:PORT",
     .help = "where agents reach this very replica, told to them by a standby; empty: nothing is told"},
    {.name = "leader-elect",
     .type = FLAG_BOOL,
     .target = &target.leader_elect,
     .default_text = "true",
     .help =
         "act only while holding the Lease; without it nothing keeps a second coordinator from acting too"},
    {.name = "lease-namespace",
     .type = FLAG_STRING,
     .target = &target.lease_namespace,
     .default_text = "kube-system",
     .value_name = "NAME",
     .help = "namespace of the Lease"},
    {.name = "lease-name",
     .type = FLAG_STRING,
     .target = &target.lease_name,
     .default_text = "vpsie-autoscaler-leader",
     .value_name = "NAME",
     .help = "name of the Lease; the predecessor's, so that the two exclude each other"},
    {.name = "lease-duration",
     .type = FLAG_DURATION_MS,
     .target = &target.lease_duration_ms,
     .default_text = "15s",
     .value_name = "DURATION",
     .help = "a standby waits so long after the last renewal it saw",
     .minimum = 1000,
     .maximum = HOUR_MS},
    {.name = "lease-renew-deadline",
     .type = FLAG_DURATION_MS,
     .target = &target.lease_renew_deadline_ms,
     .default_text = "10s",
     .value_name = "DURATION",
     .help = "a leader that could not renew for so long stops acting; less than --lease-duration",
     .minimum = 500,
     .maximum = HOUR_MS},
    {.name = "lease-retry-period",
     .type = FLAG_DURATION_MS,
     .target = &target.lease_retry_ms,
     .default_text = "2s",
     .value_name = "DURATION",
     .help = "between two tries to get or renew the Lease",
     .minimum = 100,
     .maximum = HOUR_MS},

    {.section = "VPSie",
     .name = "vpsie-url",
     .type = FLAG_STRING,
     .target = &target.vpsie_url,
     .default_text = "https://api.vpsie.com/apps/v2",
     .environment = "VPSIE_API_URL",
     .value_name = "URL",
     .help = "base of the API; https only. The Secret's `url` wins"},
    {.name = "vpsie-ca-file",
     .type = FLAG_STRING,
     .target = &target.vpsie_ca_file,
     .default_text = "",
     .value_name = "FILE",
     .help = "PEM certificates to trust instead of the system's"},
    {.name = "vpsie-auth",
     .type = FLAG_STRING,
     .target = &target.vpsie_auth,
     .default_text = "vpsie-auth",
     .value_name = "vpsie-auth|bearer",
     .help = "header that carries a Secret's `token`; the other is tried once after a 401"},
    {.name = "vpsie-rate-per-minute",
     .type = FLAG_INTEGER,
     .target = &target.vpsie_rate_per_minute,
     .default_text = "100",
     .value_name = "N",
     .help = "calls of one account",
     .minimum = 1,
     .maximum = 100000},
    {.name = "vpsie-timeout",
     .type = FLAG_DURATION_MS,
     .target = &target.vpsie_timeout_ms,
     .default_text = "30s",
     .value_name = "DURATION",
     .help = "of one call",
     .minimum = 100,
     .maximum = HOUR_MS},
    {.name = "secret-namespace",
     .type = FLAG_STRING,
     .target = &target.secret_namespace,
     .default_text = "kube-system",
     .value_name = "NAME",
     .help = "namespace of the Secret with the credentials"},
    {.name = "secret-name",
     .type = FLAG_STRING,
     .target = &target.secret_name,
     .default_text = "vpsie-secret",
     .value_name = "NAME",
     .help = "Secret with `token`, or `clientId` and `clientSecret`; watched"},

    {.section = "Agents",
     .name = "listen-agents",
     .type = FLAG_STRING,
     .target = &target.listen_agents,
     .default_text = "0.0.0.0:" STRINGIFY(WIRE_DEFAULT_PORT),
     .value_name = "HOST:PORT",
     .help = "where agents report"},
    {.name = "tls-cert-file",
     .type = FLAG_STRING,
     .target = &target.tls_cert_file,
     .default_text = "",
     .value_name = "FILE",
     .help = "PEM certificate chain shown to agents, re-read when it changes; empty: one of an authority of "
             "our own"},
    {.name = "tls-key-file",
     .type = FLAG_STRING,
     .target = &target.tls_key_file,
     .default_text = "",
     .value_name = "FILE",
     .help = "its private key"},
    {.name = "tls-secret-name",
     .type = FLAG_STRING,
     .target = &target.tls_secret_name,
     .default_text = "vpsie-coordinator-tls",
     .value_name = "NAME",
     .help =
         "Secret in --namespace for that authority and its certificate; made, and renewed in time, by us"},
    {.name = "ca-configmap-name",
     .type = FLAG_STRING,
     .target = &target.ca_configmap_name,
     .default_text = "vpsie-coordinator-ca",
     .value_name = "NAME",
     .help = "ConfigMap in --namespace where agents find the authority (ca.crt)"},
    {.name = "service-name",
     .type = FLAG_STRING,
     .target = &target.service_name,
     .default_text = "vpsie-coordinator",
     .value_name = "NAME",
     .help = "Service in --namespace that agents call: the name in that certificate"},
    {.name = "insecure-transport",
     .type = FLAG_BOOL,
     .target = &target.insecure_transport,
     .default_text = "false",
     .help = "plain TCP to agents: tokens travel readable; for tests only"},
    {.name = "agent-audience",
     .type = FLAG_STRING,
     .target = &target.agent_audience,
     .default_text = "vpsie-coordinator",
     .value_name = "NAME",
     .help = "audience an agent's token must have"},
    {.name = "agent-service-account",
     .type = FLAG_STRING,
     .target = &target.agent_service_account,
     .default_text = "kube-system/vpsie-agent",
     .value_name = "NAMESPACE/NAME",
     .help = "ServiceAccount an agent's token must be of"},
    {.name = "agent-interval",
     .type = FLAG_DURATION_MS,
     .target = &target.agent_interval_ms,
     .default_text = "10s",
     .value_name = "DURATION",
     .help = "between two reports of one agent; grows with the fleet",
     .minimum = WIRE_INTERVAL_MS_MIN,
     .maximum = WIRE_INTERVAL_MS_MAX},

    {.section = "Operators",
     .name = "admin-socket",
     .type = FLAG_STRING,
     .target = &target.admin_socket,
     .default_text = "/run/vpsie/admin.sock",
     .value_name = "PATH",
     .help = "socket that answers `status` and the other commands; mode 0600"},
    {.name = "listen",
     .type = FLAG_STRING,
     .target = &target.listen,
     .default_text = "0.0.0.0:9090",
     .value_name = "HOST:PORT",
     .help = "/healthz, /readyz and /metrics; empty: off"},
    {.name = "log-format",
     .type = FLAG_STRING,
     .target = &target.log_format,
     .default_text = "auto",
     .value_name = "auto|json|text",
     .help = "auto: text on a terminal, else JSON"},
    {.name = "log-level",
     .type = FLAG_STRING,
     .target = &target.log_level,
     .default_text = "info",
     .value_name = "LEVEL",
     .help = "debug, info, warn or error; `vpsie-coordinator log-level` changes it at run time"},

    {.section = "Decisions",
     .name = "dry-run",
     .type = FLAG_BOOL,
     .target = &target.core.dry_run,
     .default_text = "false",
     .help = "decide and explain everything, write nothing but its own certificate for agents (none with "
             "--tls-cert-file)"},
    {.name = "wait-for-resume",
     .type = FLAG_BOOL,
     .target = &target.core.wait_for_resume,
     .default_text = "false",
     .help =
         "a first start decides and explains but writes nothing until `resume`, which is kept on the Lease"},
    {.name = "adopt-predecessor",
     .type = FLAG_BOOL,
     .target = &target.core.allow_predecessor,
     .default_text = "false",
     .help = "act at once although VPSieNodes of the Go controller are there; else it waits for `resume`"},
    {.name = "expander",
     .type = FLAG_STRING,
     .target = &target.expander,
     .default_text = "price",
     .value_name = "price|least-waste|most-pods|priority|random",
     .help = "what counts when several sets of machines would do; priority: the groups' annotation "
             "autoscaler.vpsie.com/priority, the highest first"},
    {.name = "headroom",
     .type = FLAG_STRINGS,
     .target = &target.headroom,
     .value_name = "[GROUP:]cpu=4,memory=8Gi,pods=20",
     .help = "kept free as if pods asked for it, in the cluster or in one NodeGroup; may be repeated"},
    {.name = "scale-down",
     .type = FLAG_BOOL,
     .target = &target.core.scale_down_enabled,
     .default_text = "true",
     .help = "remove nodes that are not needed"},
    {.name = "scale-down-delay-after-add",
     .type = FLAG_DURATION_MS,
     .target = &target.core.delay_after_add_ms,
     .default_text = "10m",
     .value_name = "DURATION",
     .help = "no voluntary removal so long after a machine came"},
    {.name = "scale-down-delay-after-delete",
     .type = FLAG_DURATION_MS,
     .target = &target.core.delay_after_delete_ms,
     .default_text = "0",
     .value_name = "DURATION",
     .help = "nor after one went"},
    {.name = "scale-down-delay-after-failure",
     .type = FLAG_DURATION_MS,
     .target = &target.core.delay_after_failure_ms,
     .default_text = "3m",
     .value_name = "DURATION",
     .help = "nor after a removal failed"},
    {.name = "billing-period",
     .type = FLAG_DURATION_MS,
     .target = &target.core.billing_period_ms,
     .default_text = "0",
     .value_name = "DURATION",
     .help =
         "machines are paid for whole periods: nodes leave of our own will in the last ten minutes of one; "
         "0: paid by the moment"},
    {.name = "expire-after",
     .type = FLAG_DURATION_MS,
     .target = &target.core.expire_after_ms,
     .default_text = "0",
     .value_name = "DURATION",
     .help = "nodes older than this are replaced, the new one first; 0: never"},
    {.name = "replace-drifted",
     .type = FLAG_BOOL,
     .target = &target.core.replace_drifted,
     .default_text = "true",
     .help =
         "replace nodes that we ordered and whose size, labels or Kubernetes version no longer match their "
         "group"},
    {.name = "max-empty-removals",
     .type = FLAG_INTEGER,
     .target = &target.max_empty_removals,
     .default_text = "10",
     .value_name = "N",
     .help = "empty nodes removed at once, unless an AutoscalerConfig limits it",
     .minimum = 1,
     .maximum = 1000},
    {.name = "skip-kube-system-pods",
     .type = FLAG_BOOL,
     .target = &target.core.skip_kube_system_pods,
     .default_text = "true",
     .help = "a kube-system pod without a budget keeps its node"},
    {.name = "expendable-priority-cutoff",
     .type = FLAG_INTEGER,
     .target = &target.expendable_cutoff,
     .default_text = "-10",
     .value_name = "PRIORITY",
     .help = "pods below are no reason for a machine and no obstacle",
     .minimum = -2147483647LL,
     .maximum = 1000000000LL},
    {.name = "startup-taint",
     .type = FLAG_STRINGS,
     .target = &target.startup_taints,
     .value_name = "KEY",
     .help = "a node with this taint is not ready yet (a trailing * matches a prefix); may be repeated"},
    {.name = "load-balancer-settle",
     .type = FLAG_DURATION_MS,
     .target = &target.core.load_balancer_settle_ms,
     .default_text = "30s",
     .value_name = "DURATION",
     .help = "a machine is deleted no sooner after its cordon"},
    {.name = "max-graceful-termination",
     .type = FLAG_DURATION_MS,
     .target = &target.core.max_graceful_ms,
     .default_text = "600s",
     .value_name = "DURATION",
     .help = "pods get their own grace period up to this"},
    {.name = "drain-ready-limit",
     .type = FLAG_DURATION_MS,
     .target = &target.core.drain_ready_limit_ms,
     .default_text = "5m",
     .value_name = "DURATION",
     .help = "a node may answer BUSY so long before its drain is given up"},
    {.name = "drain-progress-limit",
     .type = FLAG_DURATION_MS,
     .target = &target.core.drain_progress_ms,
     .default_text = "10m",
     .value_name = "DURATION",
     .help = "a drain without progress for so long is given up"},
    {.name = "provision-limit",
     .type = FLAG_DURATION_MS,
     .target = &target.core.provision_limit_ms,
     .default_text = "10m",
     .value_name = "DURATION",
     .help = "a machine may take so long to be provisioned"},
    {.name = "join-limit",
     .type = FLAG_DURATION_MS,
     .target = &target.core.join_limit_ms,
     .default_text = "15m",
     .value_name = "DURATION",
     .help = "and so long to join as a Ready node"},
    {.name = "appearance-bound",
     .type = FLAG_DURATION_MS,
     .target = &target.core.appearance_bound_ms,
     .default_text = "15m",
     .value_name = "DURATION",
     .help = "an order whose machine is not listed for so long was not placed"},
    {.name = "failed-vpsienode-ttl",
     .type = FLAG_DURATION_MS,
     .target = &target.core.failed_ttl_ms,
     .default_text = "30m",
     .value_name = "DURATION",
     .help = "a Failed VPSieNode stays for so long, so that people see why; 0: for ever"},
    {.name = "agent-silent-after",
     .type = FLAG_DURATION_MS,
     .target = &target.core.agent_silent_ms,
     .default_text = "60s",
     .value_name = "DURATION",
     .help = "an agent not heard for so long forbids the voluntary removal of its node",
     .minimum = 1000,
     .maximum = HOUR_MS},
    {.name = "machine-list-interval",
     .type = FLAG_DURATION_MS,
     .target = &target.core.machines_every_ms,
     .default_text = "60s",
     .value_name = "DURATION",
     .help = "between two readings of VPSie's lists when nothing is open",
     .minimum = 1000,
     .maximum = HOUR_MS},
    {.name = "machine-list-interval-busy",
     .type = FLAG_DURATION_MS,
     .target = &target.core.machines_busy_ms,
     .default_text = "5s",
     .value_name = "DURATION",
     .help = "the same while an order or a removal is open",
     .minimum = 200,
     .maximum = HOUR_MS},
    {.name = "burst-quiet",
     .type = FLAG_DURATION_MS,
     .target = &target.core.burst_quiet_ms,
     .default_text = "200ms",
     .value_name = "DURATION",
     .help = "a burst of pods ends after so much quiet",
     .minimum = 0,
     .maximum = 60000},
    {.name = "burst-max",
     .type = FLAG_DURATION_MS,
     .target = &target.core.burst_max_ms,
     .default_text = "700ms",
     .value_name = "DURATION",
     .help = "and is served after so long at the latest",
     .minimum = 0,
     .maximum = 60000},
};
#define FLAG_COUNT ((int)(sizeof flag_table / sizeof flag_table[0]))

static int check_together(struct run_options *options, struct error *error)
{
    if (options->lease_renew_deadline_ms >= options->lease_duration_ms) {
        return error_set(
            error, 0,
            "--lease-renew-deadline is %lld ms; it must be less than --lease-duration (%lld ms), or two "
            "coordinators could act at once",
            (long long)options->lease_renew_deadline_ms, (long long)options->lease_duration_ms);
    }
    if (options->lease_retry_ms >= options->lease_renew_deadline_ms) {
        return error_set(
            error, 0,
            "--lease-retry-period is %lld ms; it must be less than --lease-renew-deadline (%lld ms)",
            (long long)options->lease_retry_ms, (long long)options->lease_renew_deadline_ms);
    }
    if (strcmp(options->vpsie_auth, "vpsie-auth") != 0 && strcmp(options->vpsie_auth, "bearer") != 0) {
        return error_set(error, 0, "--vpsie-auth is \"%s\"; right would be vpsie-auth or bearer",
                         options->vpsie_auth);
    }
    if (strncmp(options->vpsie_url, "https://", 8) != 0) {
        return error_set(error, 0,
                         "--vpsie-url is \"%s\"; only https:// is accepted, credentials travel in it",
                         options->vpsie_url);
    }
    bool has_cert = options->tls_cert_file[0] != '\0', has_key = options->tls_key_file[0] != '\0';
    if (has_cert != has_key) {
        return error_set(error, 0,
                         "--tls-cert-file and --tls-key-file go together; only one of them is given");
    }
    bool has_names = options->tls_secret_name[0] != '\0' && options->ca_configmap_name[0] != '\0' &&
                     options->service_name[0] != '\0' && options->own_namespace[0] != '\0';
    if (!has_cert && !options->insecure_transport && !has_names) {
        return error_set(
            error, 0,
            "agents need TLS: give --tls-cert-file and --tls-key-file, or leave --tls-secret-name, "
            "--ca-configmap-name, --service-name and --namespace their values");
    }
    if (options->core.burst_max_ms < options->core.burst_quiet_ms) {
        return error_set(error, 0, "--burst-max is %lld ms; it must not be less than --burst-quiet (%lld ms)",
                         (long long)options->core.burst_max_ms, (long long)options->core.burst_quiet_ms);
    }
    if (!expander_parse(options->expander, &options->core.expander)) {
        return error_set(
            error, 0,
            "--expander is \"%s\"; right would be price, least-waste, most-pods, priority or random",
            options->expander);
    }
    if (options->headroom.count > HEADROOM_MAX) {
        return error_set(error, 0, "--headroom is given %d times; at most %d", options->headroom.count,
                         HEADROOM_MAX);
    }
    for (int i = 0; i < options->headroom.count; i++) {
        if (headroom_parse(options->headroom.items[i], &options->core.headroom[i], error) != 0)
            return error_wrap(error, "--headroom");
    }
    options->core.headroom_count = options->headroom.count;
    if (options->startup_taints.count > CORE_STARTUP_TAINTS_MAX) {
        return error_set(error, 0, "--startup-taint is given %d times; at most %d",
                         options->startup_taints.count, CORE_STARTUP_TAINTS_MAX);
    }
    return 0;
}

int run_options_parse(int argc, char **argv, struct run_options *options, const char **words, int words_max,
                      struct error *error)
{
    memset(&target, 0, sizeof target);
    target.core = core_config_default();
    int count = flags_parse(flag_table, FLAG_COUNT, argc, argv, words, words_max, error);
    if (count < 0) {
        return -1;
    }
    *options = target;
    if (check_together(options, error) < 0) {
        return -1;
    }
    options->core.http_timeout_ms = options->vpsie_timeout_ms;
    options->core.expendable_priority_cutoff = (int32_t)options->expendable_cutoff;
    options->core.max_empty_removals = (int32_t)options->max_empty_removals;
    options->core.startup_taint_count = options->startup_taints.count;
    for (int i = 0; i < options->startup_taints.count; i++) {
        options->core.startup_taints[i] = options->startup_taints.items[i];
    }
    return count;
}

void run_options_help(FILE *out)
{
    flags_print_help(out, flag_table, FLAG_COUNT);
}

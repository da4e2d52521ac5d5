#include "tests/manifests/cluster/cluster.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "coordinator/http.h"
#include "tests/support/certificates.h"
#include "tests/world/json.h"

#define ADMIN_TOKEN    "administrator-of-the-real-control-plane"
#define START_LIMIT_MS 120000
#define STOP_LIMIT_MS  15000

static const char *const programs[] = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"};

static void must(bool good, const char *what, const char *detail)
{
    if (!good) {
        fprintf(stderr, "cluster: %s: %s\n", what, detail);
        abort();
    }
}

bool cluster_is_possible(void)
{
    const char *folder = getenv("VPSIE_CLUSTER_BIN");
    bool possible = folder != NULL;
    if (!possible) {
        fprintf(stderr, "cluster: $VPSIE_CLUSTER_BIN does not say where etcd and kube-apiserver are\n");
    }
    for (size_t i = 0; folder != NULL && i < sizeof programs / sizeof programs[0]; i++) {
        AUTOFREE char *path = xprintf("%s/%s", folder, programs[i]);
        if (access(path, X_OK) != 0) {
            fprintf(stderr, "cluster: there is no %s\n", path);
            possible = false;
        }
    }
    return possible;
}

static int free_port(void)
{
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    must(bind(probe, (const struct sockaddr *)&address, length) == 0 &&
             getsockname(probe, (struct sockaddr *)&address, &length) == 0,
         "no port is free", strerror(errno));
    close(probe);
    return ntohs(address.sin_port);
}

static void start(struct cluster *cluster, struct process *process, const char *program,
                  const char *const *flags)
{
    struct error error = {0};
    struct process_arguments arguments = {0};
    AUTOFREE char *path = xprintf("%s/%s", cluster->programs, program);
    AUTOFREE char *log_path = xprintf("%s/%s.log", cluster->stage->dir, program);
    process_argument(&arguments, path);
    for (; *flags != NULL; flags++) {
        process_argument(&arguments, *flags);
    }
    must(process_start(process, program, log_path, &arguments, NULL, &error) == 0, program, error.text);
}

// ---------------------------------------------------------------------------------------------- files

static void write_file(const struct cluster *cluster, const char *name, const char *text)
{
    AUTOFREE char *path = xprintf("%s/%s", cluster->stage->dir, name);
    certificates_write(path, text);
}

static void write_kubeconfig(const struct cluster *cluster, const char *path, const char *user)
{
    AUTOTEXT struct text text = {0};
    text_printf(
        &text,
        "apiVersion: v1\nkind: Config\ncurrent-context: real\nclusters:\n- name: real\n  cluster:\n"
        "    server: %s\n    certificate-authority: %s/ca.pem\nusers:\n- name: real\n  user:\n    %s\n"
        "contexts:\n- name: real\n  context:\n    cluster: real\n    user: real\n",
        cluster->url, cluster->stage->dir, user);
    certificates_write(path, text_get(&text));
}

void cluster_write_kubeconfig(const struct cluster *cluster, const char *path, const char *token_file)
{
    AUTOFREE char *user = xprintf("tokenFile: %s", token_file);
    write_kubeconfig(cluster, path, user);
}

// Who is who: an administrator, the two controllers under the names that the API server has roles for.
static void write_files(struct cluster *cluster)
{
    write_file(cluster, "tokens.csv",
               ADMIN_TOKEN ",admin,1,\"system:masters\"\n"
                           "controllers-token,system:kube-controller-manager,2\n"
                           "scheduler-token,system:kube-scheduler,3\n");
    write_file(cluster, "audit.yaml",
               "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n"
               "- level: Metadata\n  users: [\"" CLUSTER_COORDINATOR "\", \"" CLUSTER_AGENT
               "\"]\n- level: None\n");
    snprintf(cluster->audit_path, sizeof cluster->audit_path, "%s/audit.log", cluster->stage->dir);
    snprintf(cluster->kubeconfig, sizeof cluster->kubeconfig, "%s/admin.kubeconfig", cluster->stage->dir);
    write_kubeconfig(cluster, cluster->kubeconfig, "token: " ADMIN_TOKEN);
    static const char *const names[] = {"controllers", "scheduler"};
    for (size_t i = 0; i < 2; i++) {
        AUTOFREE char *path = xprintf("%s/%s.kubeconfig", cluster->stage->dir, names[i]);
        AUTOFREE char *user = xprintf("token: %s-token", names[i]);
        write_kubeconfig(cluster, path, user);
    }
}

// ---------------------------------------------------------------------------------------------- programs

static void start_etcd(struct cluster *cluster, struct arena *arena, const char *url)
{
    const char *peer = arena_printf(arena, "http://127.0.0.1:%d", free_port());
    const char *const flags[] = {arena_printf(arena, "--data-dir=%s/etcd", cluster->stage->dir),
                                 arena_printf(arena, "--listen-client-urls=%s", url),
                                 arena_printf(arena, "--advertise-client-urls=%s", url),
                                 arena_printf(arena, "--listen-peer-urls=%s", peer),
                                 arena_printf(arena, "--initial-advertise-peer-urls=%s", peer),
                                 arena_printf(arena, "--initial-cluster=default=%s", peer),
                                 "--unsafe-no-fsync",
                                 NULL};
    start(cluster, &cluster->etcd, "etcd", flags);
}

static void start_server(struct cluster *cluster, struct arena *arena, const char *etcd, int port)
{
    const char *dir = cluster->stage->dir;
    const char *const flags[] = {arena_printf(arena, "--etcd-servers=%s", etcd),
                                 "--bind-address=127.0.0.1",
                                 arena_printf(arena, "--secure-port=%d", port),
                                 arena_printf(arena, "--tls-cert-file=%s/server.pem", dir),
                                 arena_printf(arena, "--tls-private-key-file=%s/server.key", dir),
                                 arena_printf(arena, "--token-auth-file=%s/tokens.csv", dir),
                                 "--authorization-mode=RBAC",
                                 "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
                                 "--service-account-issuer=https://kubernetes.default.svc",
                                 arena_printf(arena, "--service-account-key-file=%s/server.pem", dir),
                                 arena_printf(arena, "--service-account-signing-key-file=%s/server.key", dir),
                                 "--service-cluster-ip-range=10.96.0.0/24",
                                 arena_printf(arena, "--audit-policy-file=%s/audit.yaml", dir),
                                 arena_printf(arena, "--audit-log-path=%s", cluster->audit_path),
                                 NULL};
    start(cluster, &cluster->server, "kube-apiserver", flags);
}

static void start_controllers(struct cluster *cluster, struct arena *arena)
{
    const char *dir = cluster->stage->dir;
    const char *const flags[] = {arena_printf(arena, "--kubeconfig=%s/controllers.kubeconfig", dir),
                                 arena_printf(arena, "--service-account-private-key-file=%s/server.key", dir),
                                 arena_printf(arena, "--root-ca-file=%s/ca.pem", dir),
                                 "--use-service-account-credentials=true",
                                 "--leader-elect=false",
                                 "--secure-port=0",
                                 NULL};
    start(cluster, &cluster->controllers, "kube-controller-manager", flags);
    const char *const scheduler_flags[] = {arena_printf(arena, "--kubeconfig=%s/scheduler.kubeconfig", dir),
                                           "--leader-elect=false", "--secure-port=0", NULL};
    start(cluster, &cluster->scheduler, "kube-scheduler", scheduler_flags);
}

static void await(const struct cluster *cluster, struct cluster_client *client, const char *path)
{
    int status = 0;
    int64_t until_ms = clock_monotonic_ms() + START_LIMIT_MS;
    do {
        cJSON_Delete(cluster_ask(client, "GET", path, NULL, &status));
        if (status == 200) {
            return;
        }
        clock_sleep_ms(200);
    } while (clock_monotonic_ms() < until_ms);
    process_print_log(&cluster->server);
    must(false, path, "the API server does not answer well");
}

void cluster_start(struct cluster *cluster, struct stage *stage)
{
    struct arena *arena = arena_create(4096);
    *cluster = (struct cluster){.stage = stage};
    snprintf(cluster->programs, sizeof cluster->programs, "%s", getenv("VPSIE_CLUSTER_BIN"));
    int port = free_port();
    snprintf(cluster->url, sizeof cluster->url, "https://127.0.0.1:%d", port);
    write_files(cluster);
    const char *etcd = arena_printf(arena, "http://127.0.0.1:%d", free_port());
    start_etcd(cluster, arena, etcd);
    start_server(cluster, arena, etcd, port);
    struct cluster_client client;
    cluster_client_open(&client, cluster);
    await(cluster, &client, "/readyz");
    start_controllers(cluster, arena);
    await(cluster, &client, "/api/v1/namespaces/kube-system/serviceaccounts/default");
    cluster_client_close(&client);
    arena_destroy(arena);
}

void cluster_stop(struct cluster *cluster)
{
    process_stop(&cluster->scheduler, SIGTERM, STOP_LIMIT_MS);
    process_stop(&cluster->controllers, SIGTERM, STOP_LIMIT_MS);
    process_stop(&cluster->server, SIGTERM, STOP_LIMIT_MS);
    process_stop(&cluster->etcd, SIGTERM, STOP_LIMIT_MS);
}

// ---------------------------------------------------------------------------------------------- asking

void cluster_client_open(struct cluster_client *client, const struct cluster *cluster)
{
    struct error error = {0};
    AUTOFREE char *ca_path = xprintf("%s/ca.pem", cluster->stage->dir);
    struct http_trust trust = {.ca_file = ca_path};
    *client =
        (struct cluster_client){.cluster = cluster, .http = http_create(&trust, "cluster-test", &error)};
    must(client->http != NULL, "no client", error.text);
}

void cluster_client_close(struct cluster_client *client)
{
    http_destroy(client->http);
    client->http = NULL;
}

cJSON *cluster_ask(struct cluster_client *client, const char *method, const char *path, const char *body,
                   int *status)
{
    static const char *const headers[] = {"Authorization: Bearer " ADMIN_TOKEN};
    AUTOFREE char *url = xprintf("%s%s", client->cluster->url, path);
    bool patch = strcmp(method, "PATCH") == 0;
    struct http_request request = {.method = method,
                                   .url = url,
                                   .content_type =
                                       patch ? "application/merge-patch+json" : "application/json",
                                   .body = body,
                                   .body_bytes = body != NULL ? strlen(body) : 0,
                                   .headers = headers,
                                   .header_count = 1,
                                   .timeout_ms = 10000,
                                   .response_bytes_max = 16u << 20};
    struct http_response response = {0};
    http_call(client->http, &request, &response);
    if (status != NULL) {
        *status = response.result == HTTP_ANSWERED ? response.status : 0;
    }
    cJSON *answer = cJSON_Parse(text_get(&response.body));
    http_response_free(&response);
    return answer;
}

char *cluster_token(struct cluster_client *client, const char *account, const char *pod, const char *uid,
                    const char *audience)
{
    AUTOFREE char *path = xprintf("/api/v1/namespaces/kube-system/serviceaccounts/%s/token", account);
    AUTOFREE char *audiences = *audience != '\0' ? xprintf("\"%s\"", audience) : xstrdup("");
    AUTOFREE char *body =
        xprintf("{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\",\"spec\":"
                "{\"audiences\":[%s],\"expirationSeconds\":3600,\"boundObjectRef\":{\"apiVersion\":"
                "\"v1\",\"kind\":\"Pod\",\"name\":\"%s\",\"uid\":\"%s\"}}}",
                audiences, pod, uid);
    AUTOJSON cJSON *answer = cluster_ask(client, "POST", path, body, NULL);
    return xstrdup(json_text(answer, "status.token"));
}

int cluster_kubectl(const struct cluster *cluster, struct text *out, const char *format, ...)
{
    char buffer[4096];
    AUTOTEXT struct text command = {0};
    text_printf(&command, "KUBECONFIG=%s PATH=%s:$PATH kubectl ", cluster->kubeconfig, cluster->programs);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    must(length > 0 && (size_t)length < sizeof buffer, format, "too long");
    text_append(&command, buffer);
    text_append(&command, " 2>&1");
    text_clear(out);
    FILE *pipe = popen(text_get(&command), "r");
    must(pipe != NULL, "kubectl", strerror(errno));
    for (size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
        text_append_bytes(out, buffer, got);
    }
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

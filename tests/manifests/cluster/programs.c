#include "tests/manifests/cluster/programs.h"
#include "tests/manifests/cluster/service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/support/certificates.h"
#include "tests/world/json.h"

#define END_LIMIT_MS  30000
#define ASK_LIMIT_MS  30000
#define CA_CONFIG_MAP "vpsie-coordinator-ca"

// Seconds for what takes minutes in life; everything else is as the manifest says.
static const char *const hurry[] = {"--vpsie-rate-per-minute=6000",
                                    "--vpsie-timeout=3s",
                                    "--agent-interval=1s",
                                    "--machine-list-interval=5s",
                                    "--machine-list-interval-busy=500ms",
                                    "--scale-down-delay-after-add=2s",
                                    "--scale-down-delay-after-failure=2s",
                                    "--load-balancer-settle=1s",
                                    "--log-format=text"};

static struct kubelet_program *program_of(struct kubelets *kubelets, const char *uid)
{
    for (int i = 0; i < kubelets->program_count; i++) {
        if (strcmp(kubelets->programs[i].uid, uid) == 0) {
            return &kubelets->programs[i];
        }
    }
    return NULL;
}

static bool is_coordinator(const struct kubelet_program *program)
{
    return program->socket[0] != '\0';
}

// "--flag=" of an argument.
static bool is_flag(const char *argument, const char *flag)
{
    size_t length = strlen(flag);
    return strncmp(argument, "--", 2) == 0 && strncmp(argument + 2, flag, length) == 0 &&
           argument[2 + length] == '=';
}

// Every occurrence of a word.
static const char *replaced(struct arena *arena, const char *text, const char *word, const char *by)
{
    AUTOTEXT struct text out = {0};
    for (const char *at; (at = strstr(text, word)) != NULL; text = at + strlen(word)) {
        text_append_bytes(&out, text, (size_t)(at - text));
        text_append(&out, by);
    }
    text_append(&out, text);
    return arena_strdup(arena, text_get(&out));
}

static const char *write_token(struct kubelets *kubelets, struct arena *arena,
                               const struct kubelet_program *program, const char *account,
                               const char *audience)
{
    const char *path = arena_printf(arena, "%s/token-%s", kubelets->cluster->stage->dir, program->pod);
    AUTOFREE char *token = cluster_token(&kubelets->client, account, program->pod, program->uid, audience);
    certificates_write(path, token);
    return path;
}

static bool run(struct kubelets *kubelets, struct kubelet_program *program, struct arena *arena,
                const struct process_arguments *arguments, const char *const *environment)
{
    struct error error = {0};
    const char *log_path = arena_printf(arena, "%s/%s.log", kubelets->cluster->stage->dir, program->pod);
    if (process_start(&program->process, program->pod, log_path, arguments, environment, &error) < 0) {
        fprintf(stderr, "kubelets: %s: %s\n", program->pod, error.text);
        return false;
    }
    return true;
}

// ---------------------------------------------------------------------------------------------- coordinators

static void coordinator_arguments(const struct kubelets *kubelets, const struct kubelet_program *program,
                                  struct arena *arena, const cJSON *pod, struct process_arguments *arguments)
{
    const struct stage *stage = kubelets->cluster->stage;
    const cJSON *item;
    cJSON_ArrayForEach(item, json_at(cJSON_GetArrayItem(json_at(pod, "spec.containers"), 0), "args"))
    {
        const char *word = replaced(arena, item->valuestring, "$(POD_IP)", program->ip);
        word = replaced(arena, word, "0.0.0.0", program->ip); // pods share one network here
        if (is_flag(word, "admin-socket")) {
            word = arena_printf(arena, "--admin-socket=%s", program->socket);
        }
        process_argument(arguments, word);
    }
    process_argument(arguments,
                     arena_printf(arena, "--kubeconfig=%s/kubeconfig-%s", stage->dir, program->pod));
    process_argument(arguments, arena_printf(arena, "--vpsie-ca-file=%s/ca.pem", stage->dir));
    for (size_t i = 0; i < sizeof hurry / sizeof hurry[0]; i++) {
        process_argument(arguments, hurry[i]);
    }
}

static bool begin_coordinator(struct kubelets *kubelets, struct kubelet_program *program, const cJSON *pod)
{
    struct arena *arena = arena_create(8192);
    const struct stage *stage = kubelets->cluster->stage;
    snprintf(program->socket, sizeof program->socket, "%s/%s.sock", stage->dir, program->ip);
    cluster_write_kubeconfig(kubelets->cluster,
                             arena_printf(arena, "%s/kubeconfig-%s", stage->dir, program->pod),
                             write_token(kubelets, arena, program, "vpsie-coordinator", ""));
    struct process_arguments arguments = {0};
    process_argument(&arguments, arena_printf(arena, "%s/vpsie-coordinator", stage->bin));
    process_argument(&arguments, "run");
    coordinator_arguments(kubelets, program, arena, pod, &arguments);
    const char *const environment[] = {arena_printf(arena, "POD_NAME=%s", program->pod),
                                       "POD_NAMESPACE=kube-system",
                                       arena_printf(arena, "POD_IP=%s", program->ip), NULL};
    bool runs = run(kubelets, program, arena, &arguments, environment);
    arena_destroy(arena);
    return runs;
}

// ---------------------------------------------------------------------------------------------- agents

// The ConfigMap as it is mounted; NULL while the coordinator has not made it.
static const char *mount_authority(struct kubelets *kubelets, struct arena *arena,
                                   const struct kubelet_program *program)
{
    int status = 0;
    AUTOJSON cJSON *map = cluster_ask(
        &kubelets->client, "GET", "/api/v1/namespaces/kube-system/configmaps/" CA_CONFIG_MAP, NULL, &status);
    const char *text = json_key_text(json_at(map, "data"), "ca.crt");
    if (status != 200 || *text == '\0') {
        return NULL;
    }
    const char *path = arena_printf(arena, "%s/ca-%s.crt", kubelets->cluster->stage->dir, program->pod);
    certificates_write(path, text);
    return path;
}

static const char *agent_argument(struct arena *arena, const char *word, const struct kubelet_node *node,
                                  const char *authority, const char *token)
{
    const char *root = node->tree.root;
    return is_flag(word, "path.sysfs")    ? arena_printf(arena, "--path.sysfs=%s/sys", root)
           : is_flag(word, "path.rootfs") ? arena_printf(arena, "--path.rootfs=%s/rootfs", root)
           : is_flag(word, "ca-file")     ? arena_printf(arena, "--ca-file=%s", authority)
           : is_flag(word, "token-file")  ? arena_printf(arena, "--token-file=%s", token)
           : is_flag(word, "listen")      ? "--listen=-"
           : is_flag(word, "coordinator") ? "--coordinator=" KUBELETS_SERVICE_ADDRESS ":" SERVICE_PORT
                                          : arena_strdup(arena, word);
}

static bool begin_agent(struct kubelets *kubelets, struct kubelet_program *program, const cJSON *pod,
                        const struct kubelet_node *node)
{
    struct arena *arena = arena_create(8192);
    const char *authority = mount_authority(kubelets, arena, program);
    bool runs = false;
    if (authority != NULL) {
        const char *token = write_token(kubelets, arena, program, "vpsie-agent", "vpsie-coordinator");
        struct process_arguments arguments = {0};
        process_argument(&arguments, arena_printf(arena, "%s/vpsie-agent", kubelets->cluster->stage->bin));
        const cJSON *item;
        cJSON_ArrayForEach(item, json_at(cJSON_GetArrayItem(json_at(pod, "spec.containers"), 0), "args"))
        {
            const char *word = item->valuestring;
            process_argument(&arguments, agent_argument(arena, word, node, authority, token));
            if (is_flag(word, "coordinator")) {
                // the name that the manifest calls, and that the certificate must have
                const char *name = strchr(word, '=') + 1;
                process_argument(
                    &arguments, arena_printf(arena, "--tls-server-name=%.*s", (int)strcspn(name, ":"), name));
            }
        }
        process_argument(&arguments, arena_printf(arena, "--path.procfs=%s/proc", node->tree.root));
        process_argument(&arguments, "--log-format=text");
        const char *const environment[] = {arena_printf(arena, "NODE_NAME=%s", node->name), NULL};
        runs = run(kubelets, program, arena, &arguments, environment);
    }
    arena_destroy(arena);
    return runs;
}

// ---------------------------------------------------------------------------------------------- both

const char *programs_begin(struct kubelets *kubelets, const cJSON *pod, const struct kubelet_node *node)
{
    const char *app = json_key_text(json_at(pod, "metadata.labels"), "app.kubernetes.io/name");
    bool coordinator = strcmp(app, "vpsie-coordinator") == 0, agent = strcmp(app, "vpsie-agent") == 0;
    if (!coordinator && !agent) {
        return "127.0.2.254"; // nobody asks it
    }
    if (kubelets->program_count == KUBELETS_PROGRAMS_MAX || kubelets->addresses == 250) {
        return NULL;
    }
    struct kubelet_program *program = &kubelets->programs[kubelets->program_count];
    *program = (struct kubelet_program){0};
    snprintf(program->pod, sizeof program->pod, "%.127s", json_text(pod, "metadata.name"));
    snprintf(program->uid, sizeof program->uid, "%.63s", json_text(pod, "metadata.uid"));
    snprintf(program->node, sizeof program->node, "%.79s", node->name);
    snprintf(program->ip, sizeof program->ip, "127.0.2.%d", kubelets->addresses + 1);
    bool runs =
        coordinator ? begin_coordinator(kubelets, program, pod) : begin_agent(kubelets, program, pod, node);
    if (!runs) {
        return NULL;
    }
    kubelets->addresses++;
    kubelets->program_count++;
    return program->ip;
}

static void forget(struct kubelets *kubelets, struct kubelet_program *program)
{
    *program = kubelets->programs[--kubelets->program_count];
}

static void judge(struct kubelets *kubelets, const struct kubelet_program *program, int status)
{
    char end[40];
    if (status != 0) {
        atomic_fetch_add(&kubelets->bad_ends, 1);
        fprintf(stderr, "kubelets: %s: %s\n", program->pod, process_end_text(status, end, sizeof end));
        process_print_log(&program->process);
    }
}

bool programs_end(struct kubelets *kubelets, const char *uid)
{
    struct kubelet_program *program = program_of(kubelets, uid);
    if (program != NULL) {
        judge(kubelets, program, process_stop(&program->process, SIGTERM, END_LIMIT_MS));
        forget(kubelets, program);
    }
    return true;
}

void programs_end_on(struct kubelets *kubelets, const char *node)
{
    for (int i = kubelets->program_count - 1; i >= 0; i--) {
        struct kubelet_program *program = &kubelets->programs[i];
        if (strcmp(program->node, node) == 0) {
            judge(kubelets, program, process_stop(&program->process, SIGTERM, END_LIMIT_MS));
            forget(kubelets, program);
        }
    }
}

void programs_watch(struct kubelets *kubelets)
{
    for (int i = kubelets->program_count - 1; i >= 0; i--) {
        struct kubelet_program *program = &kubelets->programs[i];
        if (!process_alive(&program->process)) {
            fprintf(stderr, "kubelets: %s has ended by itself\n", program->pod);
            process_print_log(&program->process);
            atomic_fetch_add(&kubelets->bad_ends, 1);
            forget(kubelets, program);
        }
    }
}

// ---------------------------------------------------------------------------------------------- asking them

static int ask(const struct kubelets *kubelets, const struct kubelet_program *program,
               const char *const *words, struct text *out)
{
    struct process_arguments arguments = {0};
    AUTOFREE char *path = xprintf("%s/vpsie-coordinator", kubelets->cluster->stage->bin);
    AUTOFREE char *socket_flag = xprintf("--socket=%s", program->socket);
    process_argument(&arguments, path);
    for (; *words != NULL; words++) {
        process_argument(&arguments, *words);
    }
    process_argument(&arguments, socket_flag);
    return process_run(&arguments, ASK_LIMIT_MS, out);
}

// Copied, since the kubelets go on.
static bool find_coordinator(struct kubelets *kubelets, bool standby, struct kubelet_program *found)
{
    static const char *const words[] = {"status", "-o", "json", NULL};
    static struct kubelet_program programs[KUBELETS_PROGRAMS_MAX];
    pthread_mutex_lock(&kubelets->lock);
    int count = kubelets->program_count;
    memcpy(programs, kubelets->programs, sizeof programs);
    pthread_mutex_unlock(&kubelets->lock);
    for (int i = 0; i < count; i++) {
        AUTOTEXT struct text out = {0};
        if (is_coordinator(&programs[i]) && ask(kubelets, &programs[i], words, &out) == 0) {
            AUTOJSON cJSON *reply = cJSON_Parse(text_get(&out));
            if ((strcmp(json_text(reply, "state"), "STANDBY") == 0) == standby) {
                *found = programs[i];
                return true;
            }
        }
    }
    return false;
}

int kubelets_ask(struct kubelets *kubelets, bool standby, const char *const *words, struct text *out)
{
    struct kubelet_program program;
    text_clear(out);
    return find_coordinator(kubelets, standby, &program) ? ask(kubelets, &program, words, out) : -1;
}

int kubelets_check(struct kubelets *kubelets, bool standby, struct text *out)
{
    struct kubelet_program program;
    text_clear(out);
    if (!find_coordinator(kubelets, standby, &program)) {
        return -1;
    }
    const struct stage *stage = kubelets->cluster->stage;
    AUTOFREE char *path = xprintf("%s/vpsie-coordinator", stage->bin);
    AUTOFREE char *kubeconfig = xprintf("--kubeconfig=%s/kubeconfig-%s", stage->dir, program.pod);
    AUTOFREE char *authority = xprintf("--vpsie-ca-file=%s/ca.pem", stage->dir);
    AUTOFREE char *socket_flag = xprintf("--admin-socket=%s", program.socket);
    struct process_arguments arguments = {0};
    const char *const words[] = {path, "check", kubeconfig, authority, socket_flag, "--vpsie-timeout=3s"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        process_argument(&arguments, words[i]);
    }
    return process_run(&arguments, ASK_LIMIT_MS, out);
}

int kubelets_agents(struct kubelets *kubelets)
{
    int count = 0;
    pthread_mutex_lock(&kubelets->lock);
    for (int i = 0; i < kubelets->program_count; i++) {
        count += !is_coordinator(&kubelets->programs[i]);
    }
    pthread_mutex_unlock(&kubelets->lock);
    return count;
}

bool kubelets_pick(struct kubelets *kubelets, char *ip, size_t bytes)
{
    static int turn = 0;
    int found = 0;
    pthread_mutex_lock(&kubelets->lock);
    turn++;
    for (int i = 0; i < kubelets->program_count; i++) {
        const struct kubelet_program *program = &kubelets->programs[(i + turn) % kubelets->program_count];
        if (is_coordinator(program)) {
            found++;
            snprintf(ip, bytes, "%.23s", program->ip);
        }
    }
    pthread_mutex_unlock(&kubelets->lock);
    return found > 0;
}

void kubelets_print_logs(struct kubelets *kubelets)
{
    pthread_mutex_lock(&kubelets->lock);
    for (int i = 0; i < kubelets->program_count; i++) {
        process_print_log(&kubelets->programs[i].process);
    }
    pthread_mutex_unlock(&kubelets->lock);
}

#include "tests/stage/stage.h"

#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/wire.h"
#include "tests/stage/stage_agents.h"
#include "tests/support/certificates.h"
#include "tests/world/json.h"
#include "tests/world/kubernetes.h"

#define TICK_MS         20
#define AGENTS_EVERY_MS 250
#define STORM_EVERY_MS  150
#define LOG_KEPT        5000 // versions a watch may be behind
#define ADMIN_TOKEN     "admin-token-of-the-test-world"
#define VPSIE_TOKEN     "vpsie-token-of-the-test-world"
#define CLIENT_LIMIT_MS 20000

static void must(bool good, const char *what, const char *detail)
{
    if (!good) {
        fprintf(stderr, "stage: %s: %s\n", what, detail);
        abort();
    }
}

void stage_lock(struct stage *stage)
{
    pthread_mutex_lock(&stage->lock);
}

void stage_unlock(struct stage *stage)
{
    pthread_mutex_unlock(&stage->lock);
}

struct stage_options stage_options_quick(const char *name)
{
    struct stage_options options = {.name = name, .seed = 1, .with_agents = true};
    options.settings = world_settings_default(1);
    options.settings.appear = (struct span){300, 700};
    options.settings.count = (struct span){300, 900};
    options.settings.boot = (struct span){1200, 2500};
    options.settings.vanish = (struct span){300, 800};
    options.settings.uncount = (struct span){300, 900};
    options.settings.ready = (struct span){300, 600};
    options.settings.pull = (struct span){200, 600};
    options.settings.stop = (struct span){200, 500};
    options.settings.scheduler = (struct span){20, 60};
    options.settings.controllers = (struct span){20, 60};
    return options;
}

// ---------------------------------------------------------------------------------------------- files

static void write_kubeconfig(const struct stage *stage, const char *ca_path)
{
    AUTOTEXT struct text text = {0};
    text_printf(&text,
                "apiVersion: v1\nkind: Config\ncurrent-context: test\n"
                "clusters:\n- name: test\n  cluster:\n    server: https://localhost:%d\n    "
                "certificate-authority: %s\n"
                "users:\n- name: test\n  user:\n    token: %s\n"
                "contexts:\n- name: test\n  context:\n    cluster: test\n    user: test\n",
                https_port(stage->kube_server), ca_path, stage->kube.admin_token);
    char path[256];
    snprintf(path, sizeof path, "%s/kubeconfig", stage->dir);
    certificates_write(path, text_get(&text));
}

static void find_programs(struct stage *stage)
{
    const char *given = getenv("VPSIE_BIN_DIR");
    if (given != NULL) {
        snprintf(stage->bin, sizeof stage->bin, "%s", given);
        return;
    }
    ssize_t length = readlink("/proc/self/exe", stage->bin, sizeof stage->bin - 1);
    must(length > 0, "where am I", "/proc/self/exe cannot be read");
    stage->bin[length] = '\0';
    *strrchr(stage->bin, '/') = '\0';
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status;
    (void)type;
    (void)position;
    return remove(path);
}

// ---------------------------------------------------------------------------------------------- the world

static void create_object(struct stage *stage, enum api_kind kind, const char *space, cJSON *document)
{
    struct api_answer answer = api_create(stage->world->api, kind, space, document);
    must(API_OK(answer), "cannot make an object", answer.message);
}

static void build_world(struct stage *stage)
{
    struct world *world = stage->world;
    cloud_add_cluster(world, STAGE_CLUSTER, "test", STAGE_DATACENTER);
    cloud_add_size(world, 1, "small-2-4", STAGE_DATACENTER, 2, 4096, 40, 21.9);
    cloud_add_size(world, 2, "large-8-16", STAGE_DATACENTER, 8, 16384, 160, 87.6);
    cloud_add_present(world, STAGE_CLUSTER, "master-1", 0, 1, true);
    create_object(stage, API_SECRET, "kube-system",
                  json_of("{'metadata':{'name':'vpsie-secret'},'data':{'token':'"
                          "dnBzaWUtdG9rZW4tb2YtdGhlLXRlc3Qtd29ybGQ='}}"));
}

static void storm_now(struct stage *stage)
{
    // Something changes, every watch breaks, and what they could have gone on from is gone.
    const struct api_object *node =
        api_count(stage->world->api, API_NODE) > 0 ? api_at(stage->world->api, API_NODE, 0) : NULL;
    if (node != NULL) {
        cJSON *copy = api_copy(node);
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)api_version(stage->world->api));
        json_put(json_make(copy, "metadata.annotations"), "test/storm", cJSON_CreateString(text));
        api_put(stage->world->api, node, copy);
    }
    api_compact(stage->world->api, api_version(stage->world->api));
    stage->kube.watch_epoch++;
}

static void *live(void *context)
{
    struct stage *stage = context;
    int64_t agents_ms = 0, storm_ms = 0;
    while (!atomic_load(&stage->stopping)) {
        int64_t now_ms = clock_monotonic_ms();
        stage_lock(stage);
        world_advance(stage->world, clock_steady_wall_ms());
        int64_t version = api_version(stage->world->api);
        if (version - api_compacted_version(stage->world->api) > 2 * LOG_KEPT) {
            api_compact(stage->world->api, version - LOG_KEPT);
        }
        if (atomic_load(&stage->storm) && now_ms >= storm_ms) {
            storm_ms = now_ms + STORM_EVERY_MS;
            storm_now(stage);
        }
        pthread_cond_broadcast(&stage->changed);
        stage_unlock(stage);
        if (stage->with_agents && now_ms >= agents_ms) {
            agents_ms = now_ms + AGENTS_EVERY_MS;
            stage_agents_tick(stage);
        }
        clock_sleep_ms(TICK_MS);
    }
    return NULL;
}

static void start_servers(struct stage *stage, uint64_t seed)
{
    struct certificates certificates = certificates_make();
    char path[256], ca_path[256];
    snprintf(ca_path, sizeof ca_path, "%s/ca.pem", stage->dir);
    certificates_write(ca_path, certificates.ca_cert);
    snprintf(path, sizeof path, "%s/server.pem", stage->dir);
    certificates_write(path, certificates.server_cert);
    snprintf(path, sizeof path, "%s/server.key", stage->dir);
    certificates_write(path, certificates.server_key);
    struct error error = {0};
    stage->kube_server = https_start(0, certificates.server_cert, certificates.server_key, kube_api_handle,
                                     &stage->kube, seed, &error);
    must(stage->kube_server != NULL, "Kubernetes API", error.text);
    stage->vpsie_server = https_start(0, certificates.server_cert, certificates.server_key, vpsie_api_handle,
                                      &stage->vpsie, seed + 1, &error);
    must(stage->vpsie_server != NULL, "VPSie API", error.text);
    certificates_free(&certificates);
    write_kubeconfig(stage, ca_path);
}

struct stage *stage_create(const struct stage_options *options)
{
    struct stage *stage = xcalloc(1, sizeof *stage);
    const char *temporary = getenv("TMPDIR");
    snprintf(stage->dir, sizeof stage->dir, "%s/vpsie-%s-XXXXXX", temporary != NULL ? temporary : "/tmp",
             options->name);
    must(mkdtemp(stage->dir) != NULL, "cannot make a folder", strerror(errno));
    find_programs(stage);
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&stage->lock, NULL);
    pthread_mutex_init(&stage->agents_lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&stage->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    struct world_settings settings = options->settings;
    settings.seed = options->seed;
    settings.start_ms = clock_steady_wall_ms();
    stage->world = world_create(&settings);
    stage->with_agents = options->with_agents;
    stage->with_host_agent = options->host_agent;
    stage->kube = (struct kube_api){.world = stage->world,
                                    .api = stage->world->api,
                                    .lock = &stage->lock,
                                    .changed = &stage->changed,
                                    .admin_token = ADMIN_TOKEN};
    stage->vpsie = (struct vpsie_api){.world = stage->world,
                                      .lock = &stage->lock,
                                      .changed = &stage->changed,
                                      .base = "/apps/v2",
                                      .token = VPSIE_TOKEN,
                                      .access_ms = 3600000};
    build_world(stage);
    start_servers(stage, options->seed);
    must(pthread_create(&stage->thread, NULL, live, stage) == 0, "cannot start a thread", strerror(errno));
    stage->thread_runs = true;
    return stage;
}

int stage_destroy(struct stage *stage, bool keep)
{
    if (stage == NULL) {
        return 0;
    }
    for (int i = 0; i < STAGE_COORDINATORS; i++) {
        stage_stop_program(stage, &stage->coordinator[i]);
    }
    atomic_store(&stage->stopping, true);
    if (stage->thread_runs) {
        pthread_join(stage->thread, NULL);
    }
    stage_agents_stop(stage);
    https_stop(stage->kube_server);
    https_stop(stage->vpsie_server);
    world_destroy(stage->world);
    pthread_cond_destroy(&stage->changed);
    pthread_mutex_destroy(&stage->lock);
    pthread_mutex_destroy(&stage->agents_lock);
    if (!keep) {
        nftw(stage->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
    int bad_ends = atomic_load(&stage->bad_ends);
    free(stage);
    return bad_ends;
}

void stage_add_group(struct stage *stage, const char *name, int64_t size_id, int minimum, int maximum,
                     int stabilization_seconds)
{
    stage_lock(stage);
    add_node_group(stage->world, &(struct group_plan){.space = "kube-system",
                                                      .name = name,
                                                      .min = minimum,
                                                      .max = maximum,
                                                      .cluster = STAGE_CLUSTER,
                                                      .datacenter = STAGE_DATACENTER,
                                                      .size_id = size_id,
                                                      .up_stabilization_seconds = 1,
                                                      .down_stabilization_seconds = stabilization_seconds,
                                                      .cooldown_seconds = 1});
    stage_unlock(stage);
}

void stage_deploy(struct stage *stage, const struct workload *workload)
{
    stage_lock(stage);
    add_deployment(stage->world, workload);
    stage_unlock(stage);
}

void stage_scale(struct stage *stage, const char *space, const char *name, int replicas)
{
    stage_lock(stage);
    scale_deployment(stage->world, space, name, replicas);
    stage_unlock(stage);
}

// ---------------------------------------------------------------------------------------------- programs

static bool is_free(int port)
{
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_ours = bind(probe, (const struct sockaddr *)&address, sizeof address) == 0;
    close(probe);
    return is_ours;
}

// Below the ports that the kernel gives to callers, far from those of another run of the tests, and free now.
static int free_port(void)
{
    static int next = 0;
    if (next == 0) {
        next = 20000 + (int)getpid() % 700 * 16;
    }
    for (int tries = 0; !is_free(next) && tries < 1000; tries++) {
        next++;
    }
    return next++;
}

void stage_start_coordinator(struct stage *stage, int index, const char *const *extra)
{
    if (stage->agent_port[index] == 0) {
        pthread_mutex_lock(&stage->agents_lock); // the stage's thread looks whether agents have whom to call
        stage->agent_port[index] = free_port();
        stage->web_port[index] = free_port();
        pthread_mutex_unlock(&stage->agents_lock);
        AUTOFREE char *path = xprintf("%s/admin-%d.sock", stage->dir, index);
        strncpy(stage->socket[index], path, sizeof stage->socket[index] - 1);
    }
    struct arena *arena = arena_create(4096);
    struct process_arguments arguments = {0};
    const struct {
        const char *flag, *value;
    } flags[] = {
        {"--kubeconfig", arena_printf(arena, "%s/kubeconfig", stage->dir)},
        {"--identity", arena_printf(arena, "coordinator-%d", index)},
        {"--advertise-address", arena_printf(arena, "localhost:%d", stage->agent_port[index])},
        {"--vpsie-url", arena_printf(arena, "https://localhost:%d/apps/v2", https_port(stage->vpsie_server))},
        {"--vpsie-ca-file", arena_printf(arena, "%s/ca.pem", stage->dir)},
        {"--vpsie-rate-per-minute", "6000"},
        {"--vpsie-timeout", "3s"},
        {"--listen-agents", arena_printf(arena, "127.0.0.1:%d", stage->agent_port[index])},
        {"--tls-cert-file", arena_printf(arena, "%s/server.pem", stage->dir)},
        {"--tls-key-file", arena_printf(arena, "%s/server.key", stage->dir)},
        {"--agent-interval", "1s"},
        {"--agent-silent-after", "10s"},
        {"--admin-socket", stage->socket[index]},
        {"--listen", arena_printf(arena, "127.0.0.1:%d", stage->web_port[index])},
        {"--log-format", "text"},
        {"--lease-duration", "3s"},
        {"--lease-renew-deadline", "2s"},
        {"--lease-retry-period", "300ms"},
        {"--machine-list-interval", "5s"},
        {"--machine-list-interval-busy", "500ms"},
        {"--scale-down-delay-after-add", "2s"},
        {"--scale-down-delay-after-failure", "2s"},
        {"--load-balancer-settle", "1s"},
    };
    process_argument(&arguments, arena_printf(arena, "%s/vpsie-coordinator", stage->bin));
    process_argument(&arguments, "run");
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        process_argument(&arguments, arena_printf(arena, "%s=%s", flags[i].flag, flags[i].value));
    }
    for (; extra != NULL && *extra != NULL; extra++) {
        process_argument(&arguments, *extra);
    }
    struct error error = {0};
    int started = process_start(&stage->coordinator[index], arena_printf(arena, "coordinator-%d", index),
                                arena_printf(arena, "%s/coordinator-%d.log", stage->dir, index), &arguments,
                                NULL, &error);
    must(started == 0, "coordinator", error.text);
    arena_destroy(arena);
}

int stage_ask(struct stage *stage, int index, const char *const *words, struct text *out)
{
    char program[256], socket_flag[300];
    snprintf(program, sizeof program, "%s/vpsie-coordinator", stage->bin);
    snprintf(socket_flag, sizeof socket_flag, "--socket=%s", stage->socket[index]);
    struct process_arguments arguments = {0};
    process_argument(&arguments, program);
    for (const char *const *word = words; *word != NULL; word++) {
        process_argument(&arguments, *word);
    }
    process_argument(&arguments, socket_flag);
    return process_run(&arguments, CLIENT_LIMIT_MS, out);
}

bool stage_wait(struct stage *stage, const char *what, stage_condition condition, void *context,
                int64_t limit_ms)
{
    int64_t until = clock_monotonic_ms() + limit_ms;
    while (clock_monotonic_ms() < until) {
        if (condition(stage, context)) {
            return true;
        }
        for (int i = 0; i < STAGE_COORDINATORS; i++) {
            if (stage->coordinator[i].pid != 0 && !process_alive(&stage->coordinator[i])) {
                fprintf(stderr, "stage: coordinator %d has ended by itself while waiting: %s\n", i, what);
                return false;
            }
        }
        clock_sleep_ms(20);
    }
    fprintf(stderr, "stage: waited %lld ms in vain: %s\n", (long long)limit_ms, what);
    return false;
}

void stage_print_logs(struct stage *stage)
{
    for (int i = 0; i < STAGE_COORDINATORS; i++) {
        process_print_log(&stage->coordinator[i]);
    }
}

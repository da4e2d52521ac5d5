// The demo: the real coordinator and real agents, over TLS, against a Kubernetes and a VPSie that are played.
// One story: load comes, machines are ordered, a reply is lost, the coordinator is killed, load goes, a node
// is held by its agent, and in the end there is one machine again. Exits 0 only if every step truly happened.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/demo/screen.h"
#include "tests/stage/stage.h"
#include "tests/world/json.h"

#define STEP_LIMIT_MS 60000
#define SPACE         "shop"
#define WEB_FEW       4
#define WEB_MANY      32
#define WEB_LEFT      2
#define CARTS         8
#define GROUP_MAX     8
#define SPOOL         "spool=25165824" // 24 MiB
#define PRICE_HOUR    (21.9 / 730)

struct demo {
    struct screen screen;
    struct stage *stage;
    char held_node[80], held_pod[128];
    int64_t pending_ms, call_ms, ready_worst_ms;
    int peak;
    bool failed;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

// ---------------------------------------------------------------------------------------------- watching

static void draw(struct demo *demo)
{
    struct stage_counts counts = stage_count(demo->stage);
    demo->peak = counts.machines > demo->peak ? counts.machines : demo->peak;
    char bar[GROUP_MAX + 1];
    for (int i = 0; i < GROUP_MAX; i++) {
        bar[i] = i < counts.nodes_ready ? '#' : i < counts.machines ? '+' : '.';
    }
    bar[GROUP_MAX] = '\0';
    char state[200];
    snprintf(state, sizeof state, "machines %s %d of %d    pending %d    $%.2f/h, peak $%.2f/h", bar,
             counts.machines, GROUP_MAX, counts.pods_waiting, counts.machines * PRICE_HOUR,
             demo->peak * PRICE_HOUR);
    screen_head(&demo->screen, state);
}

// Waits for a step of the story; a step that never comes ends the demo.
static bool until(struct demo *demo, const char *what, bool (*condition)(struct demo *demo))
{
    int64_t end_ms = clock_monotonic_ms() + STEP_LIMIT_MS, draw_ms = 0;
    while (!demo->failed && !interrupted) {
        if (condition(demo)) {
            draw(demo);
            return true;
        }
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= end_ms) {
            screen_say(&demo->screen, "FAILED: %s did not happen within %d s", what, STEP_LIMIT_MS / 1000);
            demo->failed = true;
        }
        if (now_ms >= draw_ms) {
            draw_ms = now_ms + 250;
            draw(demo);
        }
        clock_sleep_ms(20);
    }
    demo->failed = true;
    return false;
}

static cJSON *ask(struct demo *demo, const char *const *words)
{
    AUTOTEXT struct text out = {0};
    return stage_ask(demo->stage, 0, words, &out) == 0 ? cJSON_Parse(text_get(&out)) : NULL;
}

// The newest decision of a kind: "D3 order 4 machines in general   22 pods need ...".
static void say_decision(struct demo *demo, const char *kind)
{
    static const char *const words[] = {"actions", "-o", "json", NULL};
    AUTOJSON cJSON *reply = ask(demo, words);
    const cJSON *action, *found = NULL;
    cJSON_ArrayForEach(action, json_at(reply, "actions"))
    {
        if (strcmp(json_text(action, "kind"), kind) == 0) {
            found = action; // the last is the newest
        }
    }
    if (found != NULL) {
        screen_say(&demo->screen, "D%lld %s   %s", (long long)json_number(found, "id", 0),
                   json_text(found, "summary"), json_text(found, "reason"));
    }
}

static bool at_minimum(struct demo *demo)
{
    struct stage_counts counts = stage_count(demo->stage);
    return counts.machines == 1 && counts.nodes_ready == 1 && counts.intentions == 1;
}

static bool few_run(struct demo *demo)
{
    return stage_count(demo->stage).pods_running == WEB_FEW;
}

static bool leads(struct demo *demo)
{
    static const char *const words[] = {"status", "-o", "json", NULL};
    AUTOJSON cJSON *reply = ask(demo, words);
    return strcmp(json_text(reply, "state"), "ACTING") == 0;
}

static bool pods_pend(struct demo *demo)
{
    return stage_count(demo->stage).pods_waiting > 0;
}

static bool call_left(struct demo *demo)
{
    stage_lock(demo->stage);
    int64_t first_ms = demo->stage->vpsie.first_order_ms;
    stage_unlock(demo->stage);
    demo->call_ms = first_ms;
    return first_ms != 0;
}

static bool reply_lost(struct demo *demo)
{
    return https_faulted(demo->stage->vpsie_server) > 0;
}

static bool several_open(struct demo *demo)
{
    struct stage_counts counts = stage_count(demo->stage);
    return counts.machines - counts.nodes_ready >= 3;
}

static bool many_run(struct demo *demo)
{
    struct stage_counts counts = stage_count(demo->stage);
    return counts.pods_running == WEB_MANY && counts.nodes_ready == GROUP_MAX;
}

static bool carts_run(struct demo *demo)
{
    return stage_count(demo->stage).pods_running == WEB_MANY + CARTS;
}

static bool left_run(struct demo *demo)
{
    return stage_count(demo->stage).pods == WEB_LEFT + CARTS;
}

static bool only_held_are_left(struct demo *demo)
{
    struct stage_counts counts = stage_count(demo->stage);
    return counts.machines == 2 && counts.nodes_ready == 2;
}

static bool held_by_agent(struct demo *demo)
{
    const char *const words[] = {"explain", "node", demo->held_node, "-o", "json", NULL};
    AUTOJSON cJSON *reply = ask(demo, words);
    const cJSON *rule;
    cJSON_ArrayForEach(rule, json_at(reply, "rules"))
    {
        if (strcmp(json_text(rule, "verdict"), "BLOCKS") == 0 &&
            strstr(json_text(rule, "rule"), "local data") != NULL) {
            return true;
        }
    }
    return false;
}

static bool held_node_gone(struct demo *demo)
{
    stage_lock(demo->stage);
    bool gone = api_find(demo->stage->world->api, API_NODE, "", demo->held_node) == NULL;
    stage_unlock(demo->stage);
    return gone;
}

// ---------------------------------------------------------------------------------------------- the world's
// side

// Two carts on two machines begin to hold data: the minimum is one machine, so one of the two is held back.
// The first is the one to be watched.
static void fill_two_spools(struct demo *demo)
{
    int filled = 0;
    stage_lock(demo->stage);
    AUTOLIST struct api_list pods = api_snapshot(demo->stage->world->api, API_POD, SPACE);
    for (size_t i = 0; i < pods.count && filled < 2; i++) {
        const char *node = json_text(pods.items[i].document->json, "spec.nodeName");
        if (strncmp(pods.items[i].name, "cart", 4) != 0 || node[0] == '\0' ||
            strcmp(node, demo->held_node) == 0) {
            continue;
        }
        annotate(demo->stage->world, API_POD, SPACE, pods.items[i].name, USE_LOCAL_DATA, SPOOL);
        if (filled++ == 0) {
            snprintf(demo->held_node, sizeof demo->held_node, "%s", node);
            snprintf(demo->held_pod, sizeof demo->held_pod, "%s", pods.items[i].name);
        }
    }
    stage_unlock(demo->stage);
}

static void empty_held_spool(struct demo *demo)
{
    stage_lock(demo->stage);
    annotate(demo->stage->world, API_POD, SPACE, demo->held_pod, USE_LOCAL_DATA, "spool=0");
    stage_unlock(demo->stage);
}

static void deploy(struct demo *demo, const char *name, int replicas, int64_t cpu_millis,
                   const char *local_data)
{
    stage_deploy(demo->stage, &(struct workload){.space = SPACE,
                                                 .name = name,
                                                 .replicas = replicas,
                                                 .cpu_millis = cpu_millis,
                                                 .memory_mb = 64,
                                                 .use_cpu_millis = cpu_millis / 3,
                                                 .use_memory_mb = 32,
                                                 .local_data = local_data,
                                                 .grace_seconds = 1});
}

// Worst time from a machine's order to its Ready node, by the cloud's and the API server's own stamps.
static int64_t worst_ready_ms(struct demo *demo)
{
    int64_t worst_ms = 0;
    stage_lock(demo->stage);
    const struct cloud *cloud = demo->stage->world->cloud;
    for (size_t i = 0; i < cloud->machine_count; i++) {
        const struct api_object *node =
            api_find(demo->stage->world->api, API_NODE, "", cloud->machines[i]->node_name);
        if (cloud->machines[i]->master || node == NULL) {
            continue;
        }
        const cJSON *condition;
        cJSON_ArrayForEach(condition, json_at(node->document->json, "status.conditions"))
        {
            int64_t ready_ms = json_time_ms(condition, "lastTransitionTime") - cloud->machines[i]->created_ms;
            if (strcmp(json_text(condition, "type"), "Ready") == 0 && ready_ms > worst_ms) {
                worst_ms = ready_ms;
            }
        }
    }
    stage_unlock(demo->stage);
    return worst_ms;
}

// ---------------------------------------------------------------------------------------------- the story

static void load_comes(struct demo *demo)
{
    if (!until(demo, "the start", leads) || !until(demo, "one machine at the beginning", at_minimum) ||
        !until(demo, "the first pods", few_run)) {
        return;
    }
    screen_say(&demo->screen, "1 machine, %d pods; agents of every machine report over TLS", WEB_FEW);
    stage_lock(demo->stage);
    demo->stage->vpsie.first_order_ms = 0;
    stage_unlock(demo->stage);
    https_set_faults(demo->stage->vpsie_server,
                     &(struct https_faults){.drop_after_percent = 100, .path = "/add/slave", .times = 1});
    stage_scale(demo->stage, SPACE, "web", WEB_MANY);
    if (!until(demo, "waiting pods", pods_pend)) {
        return;
    }
    demo->pending_ms = clock_wall_ms();
    screen_say(&demo->screen, "web %d -> %d: %d pods fit nowhere", WEB_FEW, WEB_MANY,
               stage_count(demo->stage).pods_waiting);
    if (until(demo, "an order", call_left)) {
        say_decision(demo, "order");
    }
    if (until(demo, "the lost reply", reply_lost)) {
        screen_say(&demo->screen, "an order's reply is lost (fault)   not repeated, the node list is asked");
    }
}

static void coordinator_dies(struct demo *demo)
{
    if (!until(demo, "several orders open", several_open)) {
        return;
    }
    struct stage_counts before = stage_count(demo->stage);
    process_stop(&demo->stage->coordinator[0], SIGKILL, 1000);
    screen_say(&demo->screen, "coordinator KILLED -9, %d orders open",
               before.intentions - before.nodes_ready);
    stage_start_coordinator(demo->stage, 0, NULL);
    if (!until(demo, "the successor", leads)) {
        return;
    }
    struct stage_counts after = stage_count(demo->stage);
    int lost = 0, doubled = 0;
    AUTOTEXT struct text report = {0};
    stage_audit(demo->stage, &lost, &doubled, &report);
    screen_say(&demo->screen, "new coordinator: %d intentions, %d machines, %d ordered twice",
               after.intentions, after.machines, doubled);
    demo->failed = demo->failed || doubled != 0;
    if (until(demo, "all pods running", many_run)) {
        demo->ready_worst_ms = worst_ready_ms(demo);
        screen_say(&demo->screen, "%d machines Ready, %d pods run", GROUP_MAX, WEB_MANY);
    }
    if (!demo->failed && stage_count(demo->stage).machines_made != GROUP_MAX) {
        screen_say(&demo->screen, "FAILED: %d machines were made for %d wanted",
                   (int)stage_count(demo->stage).machines_made, GROUP_MAX);
        demo->failed = true;
    }
}

static void load_goes(struct demo *demo)
{
    deploy(demo, "cart", CARTS, 50, "spool=0");
    if (!until(demo, "the carts", carts_run)) {
        return;
    }
    fill_two_spools(demo);
    clock_sleep_ms(2500); // until the agents have seen it
    stage_scale(demo->stage, SPACE, "web", WEB_LEFT);
    if (until(demo, "less load", left_run)) {
        screen_say(&demo->screen, "load falls: web %d -> %d", WEB_MANY, WEB_LEFT);
    }
    if (!until(demo, "the removal of what is not needed", only_held_are_left) ||
        !until(demo, "a node held by its agent", held_by_agent)) {
        return;
    }
    say_decision(demo, "remove");
    screen_say(&demo->screen, "%s HELD by its agent: %s/%s holds 24 MiB in emptyDir spool", demo->held_node,
               SPACE, demo->held_pod);
    clock_sleep_ms(3000);
    draw(demo);
    int64_t released_ms = clock_monotonic_ms();
    empty_held_spool(demo);
    if (until(demo, "the removal of the released node", held_node_gone)) {
        screen_say(&demo->screen, "spool empty: %s READY, gone %.0f s later", demo->held_node,
                   (double)(clock_monotonic_ms() - released_ms) / 1000.0);
    }
    if (until(demo, "the minimum", at_minimum)) {
        screen_say(&demo->screen, "back at the minimum");
    }
}

static void print_figures(struct demo *demo)
{
    struct stage_counts counts = stage_count(demo->stage);
    AUTOTEXT struct text report = {0};
    int lost = 0, doubled = 0;
    stage_audit(demo->stage, &lost, &doubled, &report);
    demo->failed = demo->failed || lost != 0 || doubled != 0;
    screen_close(&demo->screen);
    stage_lock(demo->stage);
    unsigned long long evicted = demo->stage->kube.evictions;
    stage_unlock(demo->stage);
    int64_t to_call_ms = demo->call_ms - demo->pending_ms;
    printf("\npending to call %.2f s   call to Ready %.0f s at most   evicted %llu   ordered %llu   deleted "
           "%llu   lost %d   "
           "doubled %d\n%s",
           (double)(to_call_ms > 0 ? to_call_ms : 0) / 1000.0, (double)demo->ready_worst_ms / 1000.0, evicted,
           (unsigned long long)counts.machines_made, (unsigned long long)counts.delete_calls, lost, doubled,
           text_get(&report));
}

static void stay(struct demo *demo)
{
    printf("\nStill running, in %s. Look around from another terminal; Ctrl-C here ends it.\n",
           demo->stage->dir);
    static const char *const hints[] = {"status --watch", "nodes", "explain group general", "actions"};
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        printf("  %s/vpsie-coordinator %s --socket %s\n", demo->stage->bin, hints[i], demo->stage->socket[0]);
    }
    printf("  kubeconfig for the played cluster: %s/kubeconfig\n", demo->stage->dir);
    fflush(stdout);
    while (!interrupted) {
        clock_sleep_ms(200);
    }
}

int main(int argc, char **argv)
{
    bool keep = argc == 2 && strcmp(argv[1], "--keep") == 0;
    if (argc > 1 && !keep) {
        fprintf(stderr, "usage: vpsie-demo [--keep]\n");
        return 2;
    }
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    struct demo demo = {0};
    screen_open(&demo.screen);
    struct stage_options options = stage_options_quick("demo");
    options.seed = 7;
    options.settings.boot = (struct span){4000, 7000};
    options.host_agent = true;
    demo.stage = stage_create(&options);
    stage_add_group(demo.stage, "general", 1, 1, GROUP_MAX, 3);
    deploy(&demo, "web", WEB_FEW, 400, NULL);
    stage_start_coordinator(demo.stage, 0, NULL);
    load_comes(&demo);
    coordinator_dies(&demo);
    load_goes(&demo);
    print_figures(&demo);
    if (demo.failed && !interrupted) {
        stage_print_logs(demo.stage);
    }
    if (keep && !interrupted) {
        stay(&demo);
    }
    stage_destroy(demo.stage, false);
    return demo.failed ? 1 : 0;
}

// What does the coordinator hold of a cluster? The resident memory of the real program, over HTTPS, with the
// nodes and pods of a whole cluster in the API server and no agent connected (bench-fleet tells what each of
// those adds). One JSON line.
//     bench-coordinator [NODES [PODS]]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tests/stage/stage.h"
#include "tests/world/json.h"

#define NODES            1000
#define PODS_OF_A_NODE   30
#define STEP_LIMIT_MS    600000
#define SETTLE_MS        10000
#define MANAGED_BYTES    3000 // of a pod's managedFields, which are a third of its text
#define COORDINATOR_SPAN 200  // ms between two looks at its memory

static void put(struct stage *stage, enum api_kind kind, const char *space, const char *text)
{
    cJSON *json = cJSON_Parse(text);
    struct api_answer answer = json != NULL ? api_create(stage->world->api, kind, space, json)
                                            : (struct api_answer){.message = "not JSON"};
    if (!API_OK(answer)) {
        fprintf(stderr, "bench-coordinator: %s\n", answer.message);
        exit(1);
    }
}

// Nodes that are nobody's: what memory they take does not depend on whose they are.
static void put_node(struct stage *stage, int number)
{
    char text[2000];
    snprintf(
        text, sizeof text,
        "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"node-%05d\",\"labels\":{"
        "\"kubernetes.io/hostname\":\"node-%05d\",\"kubernetes.io/os\":\"linux\",\"kubernetes.io/arch\":"
        "\"amd64\",\"topology.kubernetes.io/zone\":\"zone-%d\"}},\"spec\":{\"podCIDR\":\"10.0.0.0/24\"},"
        "\"status\":{\"capacity\":{\"cpu\":\"16\",\"memory\":\"64Gi\",\"pods\":\"110\","
        "\"ephemeral-storage\":\"100Gi\"},\"allocatable\":{\"cpu\":\"16\",\"memory\":\"64Gi\",\"pods\":"
        "\"110\",\"ephemeral-storage\":\"100Gi\"},\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
        "\"reason\":\"KubeletReady\"}],\"nodeInfo\":{\"bootID\":\"b-%05d\"}}}",
        number, number, number % 3, number);
    put(stage, API_NODE, "", text);
}

static void put_pod(struct stage *stage, int number, int nodes)
{
    static char managed[MANAGED_BYTES + 1];
    char text[MANAGED_BYTES + 3000];
    memset(managed, 'f', MANAGED_BYTES);
    snprintf(
        text, sizeof text,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web-%d-%06d\",\"namespace\":"
        "\"shop\",\"labels\":{\"app\":\"web-%d\",\"pod-template-hash\":\"5d4f8c7b9\",\"tier\":\"front\"},"
        "\"annotations\":{\"vpsie/note\":\"a note that nobody reads\"},\"managedFields\":[{\"manager\":"
        "\"%s\"}],\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":"
        "\"web-%d\",\"uid\":\"00000000-0000-4000-8000-0000000%05d\",\"controller\":true}]},\"spec\":{"
        "\"nodeName\":\"node-%05d\",\"containers\":[{\"name\":\"web\",\"image\":\"registry/web:1\","
        "\"resources\":{\"requests\":{\"cpu\":\"250m\",\"memory\":\"512Mi\"}}}],\"tolerations\":[{\"key\":"
        "\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","
        "\"tolerationSeconds\":300}]},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":"
        "\"PodScheduled\",\"status\":\"True\"},{\"type\":\"Ready\",\"status\":\"True\"}]}}",
        number / 50, number, number / 50, managed, number / 50, number / 50, number % nodes);
    put(stage, API_POD, "shop", text);
}

static bool has_read_all(struct stage *stage, void *unused)
{
    (void)unused;
    AUTOTEXT struct text out = {0};
    static const char *const words[] = {"status", "-o", "json", NULL};
    return stage_ask(stage, 0, words, &out) == 0 && strstr(text_get(&out), "\"STARTING\"") == NULL &&
           strstr(text_get(&out), "\"STANDBY\"") == NULL;
}

static double mib(int64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

int main(int argc, char **argv)
{
    int nodes = argc > 1 ? atoi(argv[1]) : NODES;
    int pods = argc > 2 ? atoi(argv[2]) : nodes * PODS_OF_A_NODE;
    if (nodes < 1 || nodes > 15000 || pods < 0 || pods > 300000) {
        fprintf(stderr, "usage: bench-coordinator [NODES [PODS]]: up to 15000 and 300000\n");
        return 2;
    }
    struct stage_options options = stage_options_quick("bench-coordinator");
    options.with_agents = false;
    struct stage *stage = stage_create(&options);
    stage_lock(stage);
    for (int i = 0; i < nodes; i++) {
        put_node(stage, i);
    }
    for (int i = 0; i < pods; i++) {
        put_pod(stage, i, nodes);
    }
    stage_unlock(stage);
    stage_start_coordinator(stage, 0, NULL);
    bool good = stage_wait(stage, "all lists read", has_read_all, NULL, STEP_LIMIT_MS);
    int64_t most = 0, last = 0;
    for (int i = 0; good && i < SETTLE_MS / COORDINATOR_SPAN; i++) {
        clock_sleep_ms(COORDINATOR_SPAN);
        last = process_resident_bytes(&stage->coordinator[0]);
        most = last > most ? last : most;
    }
    if (good) {
        printf("{\"case\":\"coordinator_memory\",\"nodes\":%d,\"pods\":%d,\"resident_mib\":%.1f,\"most_mib\":"
               "%.1f,"
               "\"cpu_ms\":%lld}\n",
               nodes, pods, mib(last), mib(most), (long long)process_cpu_ms(&stage->coordinator[0]));
    } else {
        stage_print_logs(stage);
    }
    stage_destroy(stage, false);
    return good ? 0 : 1;
}

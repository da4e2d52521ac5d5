// What a cluster costs the model: memory, and time a fact. One JSON line a case.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/arena.h"
#include "coordinator/model/cluster.h"
#include "coordinator/schedule/packing.h"
#include "coordinator/schedule/template.h"
#include "tests/support/make_facts.h"

struct options {
    uint32_t nodes, pods, pending, kinds;
};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double allocated_mib(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)(info.uordblks + info.hblkhd) / (double)MIB;
}

static double resident_mib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (double)pages * 4096 / (double)MIB;
}

static int compare_double(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static void print(const struct options *options, const char *name, double *times_ms, uint32_t count,
                  double resident)
{
    qsort(times_ms, count, sizeof(*times_ms), compare_double);
    printf("{\"case\":\"%s\",\"nodes\":%u,\"pods\":%u,\"pending\":%u,\"kinds\":%u,\"times\":%u,"
           "\"p50_ms\":%.5f,\"p99_ms\":%.5f,\"resident_mib\":%.1f}\n",
           name, options->nodes, options->pods, options->pending, options->kinds, count, times_ms[count / 2],
           times_ms[(uint64_t)count * 99 / 100], resident);
    fflush(stdout);
}

// ---- a plausible cluster: twenty labels a node; ten pods a controller; every tenth controller a StatefulSet

#define NODE_LABELS 20u

static void put_node(struct cluster *cluster, uint32_t i)
{
    char name[32];
    char address[32];
    char keys[NODE_LABELS][64];
    struct label labels[NODE_LABELS];
    snprintf(name, sizeof(name), "worker-%05u", i);
    snprintf(address, sizeof(address), "10.%u.%u.%u", i / 65536, i / 256 % 256, i % 256);
    for (uint32_t k = 0; k < NODE_LABELS; k++) {
        snprintf(keys[k], sizeof(keys[k]), "label.example.com/key-%02u", k);
        labels[k] = (struct label){keys[k], k == 0 ? name : "a-common-value"};
    }
    struct node_facts facts = make_node(name);
    facts.labels = (struct labels){labels, NODE_LABELS};
    facts.internal_ip = address;
    facts.allocatable.cpu_millis = 16000;
    facts.allocatable.memory_bytes = 64 * GIB;
    cluster_put_node(cluster, &facts);
}

static void put_pod(struct cluster *cluster, const struct options *options, uint32_t i, bool pending,
                    bool changed)
{
    char name[64];
    char uid[48];
    char app[32];
    char node[32] = "";
    char controller[48];
    char controller_uid[48];
    uint32_t owner = i / 10;
    snprintf(app, sizeof(app), "application-%05u", owner);
    snprintf(controller, sizeof(controller), "%s-6d4cf56db6", app);
    snprintf(name, sizeof(name), "%s-%05u", controller, i);
    snprintf(uid, sizeof(uid), "7b0a2f5c-3a0e-4a52-9b7d-%012u", i);
    snprintf(controller_uid, sizeof(controller_uid), "0c1d2e3f-3a0e-4a52-9b7d-%012u", owner);
    if (!pending)
        snprintf(node, sizeof(node), "worker-%05u", i % options->nodes);
    bool stateful = owner % 10 == 0;
    struct label labels[] = {
        {"app.kubernetes.io/instance", app},          {"app.kubernetes.io/name", app},
        {"app.kubernetes.io/version", "1.2.3"},       {"pod-template-hash", controller},
        {"statefulset.kubernetes.io/pod-name", name},
    };
    struct toleration tolerations[] = {
        {.key = "node.kubernetes.io/not-ready",
         .value = "",
         .operator= TOLERATION_EXISTS,
         .effect = TAINT_NO_EXECUTE},
        {.key = "node.kubernetes.io/unreachable",
         .value = "",
         .operator= TOLERATION_EXISTS,
         .effect = TAINT_NO_EXECUTE},
    };
    uint32_t kind = owner % options->kinds;
    struct pod_facts facts = make_pod(name, node, 50 + 10 * (kind % 40), MIB * (64 + 8 * kind));
    facts.uid = uid;
    facts.controller_name = controller;
    facts.controller_uid = controller_uid;
    facts.shape.labels = (struct labels){labels, stateful ? 5 : 4};
    facts.shape.tolerations = tolerations;
    facts.shape.toleration_count = 2;
    if (pending) {
        facts.unschedulable = true;
        facts.unschedulable_message = "0/5000 nodes are available: 5000 Insufficient cpu.";
    }
    facts.deletion_ms = changed ? 5000 : 0;
    cluster_put_pod(cluster, &facts);
}

static void put_evidence(struct cluster *cluster, const struct options *options, uint32_t node)
{
    char name[32];
    char uids[64][48];
    struct pod_evidence_facts pods[64];
    uint32_t count = 0;
    snprintf(name, sizeof(name), "worker-%05u", node);
    for (uint32_t i = node; i < options->pods && count < 64; i += options->nodes) {
        snprintf(uids[count], sizeof(uids[count]), "7b0a2f5c-3a0e-4a52-9b7d-%012u", i);
        pods[count] = make_evidence(uids[count], 0);
        count++;
    }
    struct agent_report_facts facts = make_report(name, "start", 1);
    facts.pods = pods;
    facts.pod_count = count;
    facts.pods_complete = true;
    cluster_put_report(cluster, &facts);
}

// ---- the cases

static void load(struct cluster *cluster, const struct options *options, double *times_ms)
{
    double before = allocated_mib();
    for (uint32_t i = 0; i < options->nodes; i++) {
        double start = now_ms();
        put_node(cluster, i);
        times_ms[i] = now_ms() - start;
    }
    double nodes = allocated_mib();
    print(options, "put_node", times_ms, options->nodes, resident_mib());
    for (uint32_t i = 0; i < options->pods; i++) {
        double start = now_ms();
        put_pod(cluster, options, i, false, false);
        times_ms[i] = now_ms() - start;
    }
    double pods = allocated_mib();
    print(options, "put_pod", times_ms, options->pods, resident_mib());
    for (uint32_t i = 0; i < options->nodes; i++) {
        double start = now_ms();
        put_evidence(cluster, options, i);
        times_ms[i] = now_ms() - start;
    }
    print(options, "put_report", times_ms, options->nodes, resident_mib());
    printf("{\"case\":\"memory\",\"nodes\":%u,\"pods\":%u,\"node_bytes\":%.0f,\"pod_bytes\":%.0f,"
           "\"agent_bytes\":%.0f,\"strings_mib\":%.1f,\"allocated_mib\":%.1f,\"resident_mib\":%.1f}\n",
           options->nodes, options->pods, (nodes - before) * (double)MIB / options->nodes,
           (pods - nodes) * (double)MIB / options->pods,
           (allocated_mib() - pods) * (double)MIB / options->nodes,
           (double)strings_bytes(cluster->strings) / (double)MIB, allocated_mib(), resident_mib());
}

static void change(struct cluster *cluster, const struct options *options, double *times_ms)
{
    for (int changed = 0; changed < 2; changed++) {
        for (uint32_t i = 0; i < options->pods; i++) {
            double start = now_ms();
            put_pod(cluster, options, i, false, changed != 0);
            times_ms[i] = now_ms() - start;
        }
        print(options, changed ? "put_pod_changed" : "put_pod_unchanged", times_ms, options->pods,
              resident_mib());
    }
    for (uint32_t i = 0; i < options->nodes; i++) {
        double start = now_ms();
        put_node(cluster, i);
        times_ms[i] = now_ms() - start;
    }
    print(options, "put_node_unchanged", times_ms, options->nodes, resident_mib());
}

static void pack(struct cluster *cluster, const struct options *options, double *times_ms)
{
    static const struct resources reference = {.cpu_millis = 16000, .memory_bytes = 64 * GIB, .pods = 110};
    for (uint32_t i = 0; i < options->pending; i++)
        put_pod(cluster, options, options->pods + i, true, false);
    const struct pod **pods = xcalloc(options->pending, sizeof(*pods));
    uint32_t *landed = xcalloc(options->pending, sizeof(*landed));
    enum { TURNS = 20 };
    double count_ms[TURNS];
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        struct arena *arena = arena_create(1 << 20);
        double start = now_ms();
        struct packing packing = packing_create(arena, cluster);
        uint32_t count = 0;
        for (const struct pod *pod = cluster->unbound; pod != NULL; pod = pod->next)
            pods[count++] = pod;
        packing_order(pods, count, &reference);
        uint32_t left = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (packing_put(&packing, pods[i], NULL) == UINT32_MAX)
                pods[left++] = pods[i];
        }
        times_ms[turn] = now_ms() - start;
        start = now_ms();
        struct place place = packing.places[0];
        place.node = NULL;
        place.used = (struct resources){0};
        packing_count_on(&packing, &place, pods, left, options->nodes, landed);
        count_ms[turn] = now_ms() - start;
        arena_destroy(arena);
    }
    print(options, "pack_pending", times_ms, TURNS, resident_mib());
    print(options, "count_templates", count_ms, TURNS, resident_mib());
    free(pods);
    free(landed);
}

int main(int argc, char **argv)
{
    struct options options = {.nodes = 5000, .pods = 150000, .pending = 10000, .kinds = 50};
    for (int i = 1; i + 1 < argc; i += 2) {
        uint32_t value = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--nodes") == 0)
            options.nodes = value;
        else if (strcmp(argv[i], "--pods") == 0)
            options.pods = value;
        else if (strcmp(argv[i], "--pending") == 0)
            options.pending = value;
        else if (strcmp(argv[i], "--kinds") == 0)
            options.kinds = value;
    }
    if (argc % 2 == 0 || options.nodes == 0 || options.pods < options.nodes || options.kinds == 0) {
        fprintf(stderr, "usage: bench-model [--nodes N] [--pods N] [--pending N] [--kinds N]\n");
        return 2;
    }
    double *times_ms = xcalloc(options.pods + options.pending, sizeof(*times_ms));
    struct cluster *cluster = cluster_create();
    load(cluster, &options, times_ms);
    change(cluster, &options, times_ms);
    pack(cluster, &options, times_ms);
    cluster_destroy(cluster);
    free(times_ms);
    return 0;
}

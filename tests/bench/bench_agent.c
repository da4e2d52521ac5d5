// What an agent costs a node: resident memory, threads, CPU time a sample with its report over TLS, on a tree
// of 110 pods and 2,000 processes. Prints; asserts nothing about time.
//     bench-agent PATH-OF-vpsie-agent [reports]
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/support/certificates.h"
#include "tests/unit/agent/fake_coordinator.h"
#include "tests/unit/agent/tree.h"

#define PODS          110
#define PROCESSES     2000
#define REAL_MS       10000 // the interval that the cost is stated for
#define BENCH_MS      250   // and the one it is measured at
#define WARM_UP       15
#define REPORTS       60
#define SHARE_PERCENT 0.04 // the default of --inspection-cpu-percent

static void make_pod(const struct tree *tree, int number, int *pid)
{
    char uid[40], ids[1024] = "", network[32];
    snprintf(uid, sizeof uid, "%08x-1111-4222-8333-444444444444", number);
    int first = *pid;
    tree_pod(tree, uid, first);
    tree_pod_usage(tree, uid, 1000000, 200u << 20, 50u << 20);
    snprintf(network, sizeof network, "net:[40265%d]", first);
    size_t used = 0;
    for (int i = 0; i < PROCESSES / PODS; i++, (*pid)++) {
        tree_process(tree, *pid, 'S', network);
        used += (size_t)snprintf(ids + used, sizeof ids - used, "%d\n", *pid);
    }
    tree_write(tree, "Tcp: RtoAlgorithm CurrEstab\nTcp: 1 1\n", "proc/%d/net/snmp", first);
    tree_write(tree, "  sl  local_address rem_address   st\n   0: 0A00020F:1F90 0B00020F:0050 01 00\n",
               "proc/%d/net/tcp", first);
    tree_write(tree, ids, "%s/cri-containerd-0a1b.scope/cgroup.procs", tree_cgroup(uid));
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "d/lock%d", i);
        tree_data(tree, uid, "scratch", name, 0);
    }
}

static void make_tree(struct tree *tree)
{
    int pid = 1000;
    tree_create(tree);
    tree_host(tree);
    for (int i = 0; i < PODS; i++)
        make_pod(tree, i, &pid);
    for (; pid < 1000 + PROCESSES; pid++)
        tree_process(tree, pid, 'S', "net:[4026531840]");
}

static pid_t start_agent(const char *program, const struct tree *tree, int port, const char *ca,
                         const char *token)
{
    char procfs[128], sysfs[128], rootfs[128], address[64], interval[32], share[64], ca_flag[160],
        token_flag[160];
    snprintf(procfs, sizeof procfs, "--path.procfs=%s", tree->procfs);
    snprintf(sysfs, sizeof sysfs, "--path.sysfs=%s", tree->sysfs);
    snprintf(rootfs, sizeof rootfs, "--path.rootfs=%s", tree->rootfs);
    snprintf(address, sizeof address, "--coordinator=127.0.0.1:%d", port);
    snprintf(interval, sizeof interval, "--interval=%dms", BENCH_MS);
    // As much looking into pods a sample as there is at the real interval.
    snprintf(share, sizeof share, "--inspection-cpu-percent=%g", SHARE_PERCENT * REAL_MS / BENCH_MS);
    snprintf(ca_flag, sizeof ca_flag, "--ca-file=%s", ca);
    snprintf(token_flag, sizeof token_flag, "--token-file=%s", token);
    pid_t pid = fork();
    if (pid == 0) {
        execl(program, program, "--node-name=bench", "--tls-server-name=localhost", "--listen=127.0.0.1:0",
              "--log-level=warn", procfs, sysfs, rootfs, address, interval, share, ca_flag, token_flag,
              (char *)NULL);
        perror(program);
        _exit(127);
    }
    return pid;
}

static void wait_for_reports(struct fake_coordinator *fake, size_t count, pid_t pid)
{
    while (fake_count(fake) < count) {
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            fprintf(stderr, "the agent ended\n");
            exit(1);
        }
        clock_sleep_ms(20);
    }
}

// Nanoseconds on a CPU, all threads.
static double cpu_ns(pid_t pid)
{
    char path[64];
    double total = 0;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        char stat[400];
        unsigned long long ns = 0;
        snprintf(stat, sizeof stat, "/proc/%d/task/%s/schedstat", pid, task->d_name);
        FILE *file = task->d_name[0] == '.' ? NULL : fopen(stat, "r");
        if (file && fscanf(file, "%llu", &ns) == 1)
            total += (double)ns;
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return total;
}

static long status_number(pid_t pid, const char *name)
{
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name) + 1, NULL, 10);
    if (file)
        fclose(file);
    return value;
}

static size_t report_bytes(struct fake_coordinator *fake, size_t from, size_t to)
{
    size_t total = 0;
    for (size_t i = from; i < to; i++)
        total += fake_at(fake, i).bytes;
    return total / (to - from);
}

static void start_coordinator(struct fake_coordinator *fake, const struct certificates *ours,
                              const char *cert, const char *key)
{
    certificates_write(cert, ours->server_cert);
    certificates_write(key, ours->server_key);
    fake->tls = (struct link_tls){.cert_file = cert, .key_file = key};
    // Any free port would do, but the agent must know it.
    snprintf(fake->url, sizeof fake->url, "tls+tcp://127.0.0.1:%d", 20000 + getpid() % 20000);
    fake_start(fake);
}

static void measure(pid_t pid, struct fake_coordinator *fake, size_t reports)
{
    wait_for_reports(fake, WARM_UP, pid);
    double before_ns = cpu_ns(pid);
    wait_for_reports(fake, WARM_UP + reports, pid);
    double ms = (cpu_ns(pid) - before_ns) / 1e6 / (double)reports;
    printf("agent, %d pods, %d processes, reports over TLS:\n", PODS, PROCESSES);
    printf("  resident     %ld KiB (most %ld KiB), of it anonymous %ld KiB\n", status_number(pid, "VmRSS:"),
           status_number(pid, "VmHWM:"), status_number(pid, "RssAnon:"));
    printf("  threads      %ld\n", status_number(pid, "Threads:"));
    printf("  CPU          %.2f ms a sample and report, %.3f %% of a core at a 10 s interval\n", ms,
           ms / REAL_MS * 100);
    printf("  report       %zu bytes on average\n", report_bytes(fake, WARM_UP, WARM_UP + reports));
}

int main(int argc, char **argv)
{
    static struct fake_coordinator fake;
    struct tree tree;
    char ca[128], cert[128], key[128], token[128];
    if (argc < 2) {
        fprintf(stderr, "usage: bench-agent PATH-OF-vpsie-agent [reports]\n");
        return 2;
    }
    size_t reports = argc > 2 ? strtoul(argv[2], NULL, 10) : REPORTS;
    reports = reports < 1 || reports > FAKE_REPORTS_MAX - WARM_UP ? REPORTS : reports;
    make_tree(&tree);
    snprintf(ca, sizeof ca, "%s/ca", tree.root);
    snprintf(cert, sizeof cert, "%s/cert", tree.root);
    snprintf(key, sizeof key, "%s/key", tree.root);
    snprintf(token, sizeof token, "%s/token", tree.root);
    tree_write(&tree, "good-token\n", "token");
    struct certificates ours = certificates_make();
    certificates_write(ca, ours.ca_cert);
    start_coordinator(&fake, &ours, cert, key);
    pid_t pid = start_agent(argv[1], &tree, atoi(strrchr(fake.url, ':') + 1), ca, token);
    measure(pid, &fake, reports);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    fake_stop(&fake);
    certificates_free(&ours);
    tree_destroy(&tree);
    return 0;
}

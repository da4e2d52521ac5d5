#include "tests/stage/host_tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

#define PATH_BYTES 640
#define FIRST_PID  1000
#define USER_HERTZ 100

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "host tree: cannot %s %s: %s\n", what, path, strerror(errno));
    abort();
}

static void make_path(char *buffer, const struct host_tree *tree, const char *format, va_list arguments)
{
    int used = snprintf(buffer, PATH_BYTES, "%s/", tree->root);
    int more = vsnprintf(buffer + used, (size_t)(PATH_BYTES - used), format, arguments);
    assert(used > 0 && more > 0 && used + more < PATH_BYTES);
}

static void make_directories(char *path)
{
    for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST) {
            fail("make", path);
        }
        *slash = '/';
    }
}

__attribute__((format(printf, 3, 4))) static void write_file(const struct host_tree *tree,
                                                             const char *content, const char *format, ...)
{
    char path[PATH_BYTES], temporary[PATH_BYTES + 8];
    va_list arguments;
    va_start(arguments, format);
    make_path(path, tree, format, arguments);
    va_end(arguments);
    make_directories(path);
    // Kernel files are never half written: neither are these.
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    if (file == NULL || fputs(content, file) < 0 || fclose(file) != 0 || rename(temporary, path) != 0) {
        fail("write", path);
    }
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status;
    (void)type;
    (void)position;
    return remove(path);
}

__attribute__((format(printf, 2, 3))) static void remove_tree(const struct host_tree *tree,
                                                              const char *format, ...)
{
    char path[PATH_BYTES];
    va_list arguments;
    va_start(arguments, format);
    make_path(path, tree, format, arguments);
    va_end(arguments);
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void pod_slice(char *buffer, size_t bytes, const char *uid)
{
    snprintf(buffer, bytes,
             "sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod%s.slice", uid);
    for (char *at = strstr(buffer, "-pod"); *at != '\0'; at++) {
        if (*at == '-' && at[1] != 'p') {
            *at = '_';
        }
    }
}

void host_tree_create(struct host_tree *tree, const char *root, int cpu_count, int64_t memory_bytes)
{
    memset(tree, 0, sizeof *tree);
    snprintf(tree->root, sizeof tree->root, "%s", root);
    tree->cpu_count = cpu_count;
    tree->memory_bytes = memory_bytes;
    tree->accounted_ms = clock_monotonic_ms();
    tree->next_pid = FIRST_PID;
    char boot_id[64];
    snprintf(boot_id, sizeof boot_id, "%08x-0000-4000-8000-000000000000\n", (unsigned)clock_monotonic_ms());
    write_file(tree, boot_id, "proc/sys/kernel/random/boot_id");
    write_file(tree, "0.10 0.10 0.10 1/100 999\n", "proc/loadavg");
    static const char *const resources[] = {"cpu", "memory", "io"};
    for (size_t i = 0; i < 3; i++) {
        write_file(tree,
                   "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
                   "total=0\n",
                   "proc/pressure/%s", resources[i]);
    }
    static const char net_dev[] =
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
        "drop fifo colls carrier compressed\n"
        "  eth0: 1000 10 0 0 0 0 0 0 1000 10 0 0 0 0 0 0\n";
    write_file(tree, net_dev, "proc/net/dev");
    write_file(tree, net_dev, "proc/1/net/dev");
    write_file(tree, "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "proc/1/mountinfo");
    write_file(tree, "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "proc/self/mountinfo");
    write_file(tree, "cpu io memory pids\n", "sys/fs/cgroup/cgroup.controllers");
    write_file(tree, "", "sys/fs/cgroup/kubepods.slice/cgroup.procs");
    write_file(tree, "", "sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/cgroup.procs");
    write_file(tree, "", "sys/fs/cgroup/kubepods.slice/kubepods-besteffort.slice/cgroup.procs");
    write_file(tree, "", "rootfs/etc/hostname");
    write_file(tree, "", "rootfs/var/lib/kubelet/pods/.keep");
    write_file(tree, "", "rootfs/run/vpsie-agent/inhibit.d/.keep");
    remove_tree(tree, "rootfs/var/lib/kubelet/pods/.keep");
    remove_tree(tree, "rootfs/run/vpsie-agent/inhibit.d/.keep");
    host_tree_tick(tree);
}

static void write_process(struct host_tree *tree, const struct host_tree_pod *pod)
{
    char stat_line[128], net_link[PATH_BYTES], target[64];
    snprintf(stat_line, sizeof stat_line, "%d (app) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0\n",
             pod->pid);
    write_file(tree, stat_line, "proc/%d/stat", pod->pid);
    static const char tcp[] =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
        "inode\n";
    write_file(tree, tcp, "proc/%d/net/tcp", pod->pid);
    write_file(tree, tcp, "proc/%d/net/tcp6", pod->pid);
    write_file(tree, "", "proc/%d/ns/.keep", pod->pid);
    snprintf(net_link, sizeof net_link, "%s/proc/%d/ns/net", tree->root, pod->pid);
    snprintf(target, sizeof target, "net:[%ld]", 4026530000L + pod->pid);
    if (symlink(target, net_link) != 0 && errno != EEXIST) {
        fail("link", net_link);
    }
}

static struct host_tree_pod *find_pod(struct host_tree *tree, const char *uid)
{
    for (int i = 0; i < tree->pod_count; i++) {
        if (strcmp(tree->pods[i].uid, uid) == 0) {
            return &tree->pods[i];
        }
    }
    return NULL;
}

void host_tree_put_pod(struct host_tree *tree, const char *uid, int64_t cpu_millis, int64_t memory_bytes)
{
    struct host_tree_pod *pod = find_pod(tree, uid);
    if (pod == NULL && tree->pod_count == HOST_TREE_PODS_MAX) {
        return;
    }
    if (pod == NULL) {
        pod = &tree->pods[tree->pod_count++];
        memset(pod, 0, sizeof *pod);
        snprintf(pod->uid, sizeof pod->uid, "%s", uid);
        pod->pid = tree->next_pid++;
        pod->local_data_bytes = -1;
        char slice[PATH_BYTES], pids[32];
        pod_slice(slice, sizeof slice, uid);
        snprintf(pids, sizeof pids, "%d\n", pod->pid);
        write_process(tree, pod);
        write_file(tree, "", "%s/cgroup.procs", slice);
        write_file(tree, pids, "%s/cri-containerd-app.scope/cgroup.procs", slice);
        write_file(tree, "", "rootfs/var/lib/kubelet/pods/%s/containers/.keep", uid);
    }
    pod->cpu_millis = cpu_millis;
    pod->memory_bytes = memory_bytes;
}

void host_tree_remove_pod(struct host_tree *tree, const char *uid)
{
    for (int i = 0; i < tree->pod_count; i++) {
        if (strcmp(tree->pods[i].uid, uid) != 0) {
            continue;
        }
        char slice[PATH_BYTES];
        pod_slice(slice, sizeof slice, uid);
        remove_tree(tree, "%s", slice);
        remove_tree(tree, "proc/%d", tree->pods[i].pid);
        remove_tree(tree, "rootfs/var/lib/kubelet/pods/%s", uid);
        tree->pods[i] = tree->pods[--tree->pod_count];
        return;
    }
}

void host_tree_local_data(struct host_tree *tree, const char *uid, const char *volume, int64_t bytes)
{
    write_file(tree, "", "rootfs/var/lib/kubelet/pods/%s/volumes/kubernetes.io~empty-dir/%s/spool", uid,
               volume);
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/rootfs/var/lib/kubelet/pods/%s/volumes/kubernetes.io~empty-dir/%s/spool",
             tree->root, uid, volume);
    if (bytes == 0) {
        unlink(path);
        return;
    }
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) {
        fail("open", path);
    }
    char block[65536];
    memset(block, 'x', sizeof block);
    for (int64_t left = bytes; left > 0; left -= (int64_t)sizeof block) {
        size_t count = left < (int64_t)sizeof block ? (size_t)left : sizeof block;
        if (write(file, block, count) != (ssize_t)count) {
            fail("fill", path);
        }
    }
    close(file);
}

void host_tree_inhibit(struct host_tree *tree, const char *name, const char *text)
{
    if (text != NULL) {
        write_file(tree, text, "rootfs/run/vpsie-agent/inhibit.d/%s", name);
    } else {
        remove_tree(tree, "rootfs/run/vpsie-agent/inhibit.d/%s", name);
    }
}

static void write_cpu(struct host_tree *tree)
{
    int64_t user = tree->busy_ms[0] * USER_HERTZ / 1000, idle = tree->busy_ms[1] * USER_HERTZ / 1000;
    char text[2048];
    int used =
        snprintf(text, sizeof text, "cpu  %lld 0 0 %lld 0 0 0 0 0 0\n", (long long)user, (long long)idle);
    for (int i = 0; i < tree->cpu_count && used < (int)sizeof text - 128; i++) {
        used += snprintf(text + used, sizeof text - (size_t)used, "cpu%d %lld 0 0 %lld 0 0 0 0 0 0\n", i,
                         (long long)(user / tree->cpu_count), (long long)(idle / tree->cpu_count));
    }
    snprintf(text + used, sizeof text - (size_t)used, "processes 1000\nprocs_running 1\nprocs_blocked 0\n");
    write_file(tree, text, "proc/stat");
}

void host_tree_tick(struct host_tree *tree)
{
    int64_t now_ms = clock_monotonic_ms(), elapsed_ms = now_ms - tree->accounted_ms;
    int64_t cpu_millis = 0, memory = 256LL << 20;
    for (int i = 0; i < tree->pod_count; i++) {
        struct host_tree_pod *pod = &tree->pods[i];
        cpu_millis += pod->cpu_millis;
        memory += pod->memory_bytes;
        pod->cpu_usage_us += pod->cpu_millis * elapsed_ms;
        char slice[PATH_BYTES], text[128];
        pod_slice(slice, sizeof slice, pod->uid);
        snprintf(text, sizeof text, "usage_usec %lld\nuser_usec 0\nsystem_usec 0\n",
                 (long long)pod->cpu_usage_us);
        write_file(tree, text, "%s/cpu.stat", slice);
        snprintf(text, sizeof text, "%lld\n", (long long)pod->memory_bytes);
        write_file(tree, text, "%s/memory.current", slice);
        write_file(tree, "anon 0\ninactive_file 0\n", "%s/memory.stat", slice);
    }
    int64_t all_ms = elapsed_ms * tree->cpu_count, used_ms = elapsed_ms * cpu_millis / 1000;
    used_ms = used_ms < all_ms ? used_ms : all_ms;
    tree->busy_ms[0] += used_ms;
    tree->busy_ms[1] += all_ms - used_ms;
    tree->accounted_ms = now_ms;
    write_cpu(tree);
    memory = memory < tree->memory_bytes ? memory : tree->memory_bytes;
    char text[512];
    long long free_kb = (long long)((tree->memory_bytes - memory) / 1024);
    snprintf(text, sizeof text,
             "MemTotal: %lld kB\nMemFree: %lld kB\nMemAvailable: %lld kB\nBuffers: 0 kB\nCached: 0 kB\n"
             "Inactive(file): 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
             (long long)(tree->memory_bytes / 1024), free_kb, free_kb);
    write_file(tree, text, "proc/meminfo");
    snprintf(text, sizeof text, "%lld\n", (long long)memory);
    write_file(tree, text, "sys/fs/cgroup/memory.current");
    write_file(tree, "anon 0\ninactive_file 0\n", "sys/fs/cgroup/memory.stat");
}

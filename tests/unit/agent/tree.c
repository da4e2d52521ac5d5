#include "tests/unit/agent/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 1024

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "tree: cannot %s %s: %s\n", what, path, strerror(errno));
    abort();
}

static void make_parents(char *path)
{
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            fail("make", path);
        *slash = '/';
    }
}

static void full_path(char path[PATH_BYTES], const struct tree *tree, const char *format, va_list arguments)
{
    int used = snprintf(path, PATH_BYTES, "%s/", tree->root);
    if (used + vsnprintf(path + used, (size_t)(PATH_BYTES - used), format, arguments) >= PATH_BYTES)
        abort();
}

#define FULL_PATH(path, tree, format)                                                                        \
    do {                                                                                                     \
        va_list arguments_;                                                                                  \
        va_start(arguments_, format);                                                                        \
        full_path(path, tree, format, arguments_);                                                           \
        va_end(arguments_);                                                                                  \
    } while (0)

void tree_create(struct tree *tree)
{
    strcpy(tree->root, "/tmp/agent-tree-XXXXXX");
    if (!mkdtemp(tree->root))
        fail("make", tree->root);
    snprintf(tree->procfs, sizeof tree->procfs, "%s/proc", tree->root);
    snprintf(tree->sysfs, sizeof tree->sysfs, "%s/sys", tree->root);
    snprintf(tree->rootfs, sizeof tree->rootfs, "%s/rootfs", tree->root);
    tree_mkdir(tree, "proc");
    tree_mkdir(tree, "sys/fs/cgroup");
    tree_mkdir(tree, "rootfs");
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *where)
{
    (void)stat;
    (void)type;
    (void)where;
    return remove(path);
}

void tree_destroy(struct tree *tree)
{
    nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void tree_write(const struct tree *tree, const char *content, const char *format, ...)
{
    char path[PATH_BYTES], fresh[PATH_BYTES + 8];
    FULL_PATH(path, tree, format);
    make_parents(path);
    snprintf(fresh, sizeof fresh, "%s.fresh", path); // a reader never meets half a file
    FILE *file = fopen(fresh, "w");
    if (!file || fputs(content, file) < 0 || fclose(file) != 0 || rename(fresh, path) != 0)
        fail("write", path);
}

void tree_mkdir(const struct tree *tree, const char *format, ...)
{
    char path[PATH_BYTES];
    FULL_PATH(path, tree, format);
    make_parents(path);
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        fail("make", path);
}

void tree_link(const struct tree *tree, const char *target, const char *format, ...)
{
    char path[PATH_BYTES];
    FULL_PATH(path, tree, format);
    make_parents(path);
    unlink(path);
    if (symlink(target, path) != 0)
        fail("link", path);
}

void tree_remove(const struct tree *tree, const char *format, ...)
{
    char path[PATH_BYTES];
    FULL_PATH(path, tree, format);
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        fail("remove", path);
}

int tree_open(const struct tree *tree, const char *format, ...)
{
    char path[PATH_BYTES];
    FULL_PATH(path, tree, format);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        fail("open", path);
    return fd;
}

bool tree_mount_tmpfs(const struct tree *tree, const char *format, ...)
{
    static bool alone;
    char path[PATH_BYTES];
    FULL_PATH(path, tree, format);
    if (!alone && (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0))
        return false;
    alone = true;
    return mount("tmpfs", path, "tmpfs", 0, "size=1m") == 0;
}

void tree_unmount(const struct tree *tree, const char *format, ...)
{
    char path[PATH_BYTES];
    FULL_PATH(path, tree, format);
    if (umount2(path, MNT_DETACH) != 0)
        fail("unmount", path);
}

void tree_cpu(const struct tree *tree, uint64_t user, uint64_t idle)
{
    char text[512];
    snprintf(text, sizeof text,
             "cpu  %llu 0 0 %llu 0 0 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\ncpu1 1 0 0 1 0 0 0 0 0 0\n"
             "intr 1 2 3\nctxt 1\nbtime 1\nprocesses 1\nprocs_running 1\nprocs_blocked 3\nsoftirq 1\n",
             (unsigned long long)user, (unsigned long long)idle);
    tree_write(tree, text, "proc/stat");
}

void tree_host(const struct tree *tree)
{
    static const char pressure[] = "some avg10=1.50 avg60=2.25 avg300=0.00 total=1\n"
                                   "full avg10=0.50 avg60=0.75 avg300=0.00 total=1\n";
    tree_cpu(tree, 1000, 1000);
    tree_write(tree, "0.50 0.25 1.75 2/300 4711\n", "proc/loadavg");
    tree_write(tree, "5f3b1a52-0000-4000-8000-000000000000\n", "proc/sys/kernel/random/boot_id");
    tree_write(tree,
               "MemTotal:        8388608 kB\nMemFree:         4194304 kB\nMemAvailable:    6291456 kB\n"
               "Buffers:               0 kB\nActive(file):   1048576 kB\nInactive(file):  1048576 kB\n"
               "SwapTotal:       1048576 kB\nSwapFree:        1048000 kB\n",
               "proc/meminfo");
    tree_write(tree, pressure, "proc/pressure/cpu");
    tree_write(tree, pressure, "proc/pressure/memory");
    tree_write(tree, pressure, "proc/pressure/io");
    tree_write(tree,
               "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed "
               "multicast|bytes\n"
               "    lo: 500 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n  eth0: 1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0\n"
               "veth12: 9000 1 0 0 0 0 0 0 9000 1 0 0 0 0 0 0\n",
               "proc/1/net/dev");
    tree_link(tree, "net:[4026531840]", "proc/1/ns/net");
    tree_write(tree, "cpuset cpu io memory pids\n", "sys/fs/cgroup/cgroup.controllers");
    tree_mkdir(tree, "sys/fs/cgroup/kubepods.slice");
    tree_mkdir(tree, "sys/class/net/eth0/device");
    tree_mkdir(tree, "rootfs/var/lib/kubelet/pods");
}

const char *tree_cgroup(const char *uid)
{
    static char path[256];
    char name[64];
    snprintf(name, sizeof name, "%s", uid);
    for (char *c = name; *c; c++)
        if (*c == '-')
            *c = '_';
    snprintf(path, sizeof path,
             "sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod%s.slice", name);
    return path;
}

void tree_process(const struct tree *tree, int pid, char state, const char *namespace_name)
{
    char text[256];
    snprintf(text, sizeof text, "%d (a) b) name) %c 1 1 1 0 -1 0 0 0 0 0\n", pid, state);
    tree_write(tree, text, "proc/%d/stat", pid);
    tree_link(tree, namespace_name, "proc/%d/ns/net", pid);
    tree_write(tree, "  sl  local_address rem_address   st\n", "proc/%d/net/tcp", pid);
}

void tree_pod_usage(const struct tree *tree, const char *uid, uint64_t cpu_us, uint64_t memory,
                    uint64_t inactive)
{
    char text[256];
    snprintf(text, sizeof text, "usage_usec %llu\nuser_usec 1\n", (unsigned long long)cpu_us);
    tree_write(tree, text, "%s/cpu.stat", tree_cgroup(uid));
    snprintf(text, sizeof text, "%llu\n", (unsigned long long)memory);
    tree_write(tree, text, "%s/memory.current", tree_cgroup(uid));
    snprintf(text, sizeof text, "anon 1\nfile 2\ninactive_file %llu\nactive_file 3\n",
             (unsigned long long)inactive);
    tree_write(tree, text, "%s/memory.stat", tree_cgroup(uid));
}

void tree_pod(const struct tree *tree, const char *uid, int pid)
{
    char text[64];
    tree_pod_usage(tree, uid, 1000, 2000, 500);
    tree_write(tree, "", "%s/cgroup.procs", tree_cgroup(uid));
    snprintf(text, sizeof text, "%d\n", pid);
    tree_write(tree, text, "%s/cri-containerd-0a1b.scope/cgroup.procs", tree_cgroup(uid));
    snprintf(text, sizeof text, "net:[40265%d]", pid);
    tree_process(tree, pid, 'S', text);
    tree_mkdir(tree, "rootfs/var/lib/kubelet/pods/%s/containers", uid);
}

void tree_data(const struct tree *tree, const char *uid, const char *volume, const char *name, size_t bytes)
{
    char *content = malloc(bytes + 1);
    if (!content)
        abort();
    memset(content, 'x', bytes);
    content[bytes] = '\0';
    tree_write(tree, content, "rootfs/var/lib/kubelet/pods/%s/volumes/kubernetes.io~empty-dir/%s/%s", uid,
               volume, name);
    free(content);
}

struct host_settings tree_settings(const struct tree *tree)
{
    return (struct host_settings){.procfs = tree->procfs,
                                  .sysfs = tree->sysfs,
                                  .rootfs = tree->rootfs,
                                  .kubelet_directory = "/var/lib/kubelet",
                                  .walk_entries_max = 1000,
                                  .inspection_cpu_percent = 100};
}

int open_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

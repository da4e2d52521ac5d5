#include "agent/host/host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/host/cpu.h"
#include "agent/host/disk.h"
#include "agent/host/inhibitors.h"
#include "agent/host/memory.h"
#include "agent/host/network.h"
#include "agent/host/pods.h"
#include "agent/host/pressure.h"
#include "agent/host/processes.h"
#include "common/arena.h"

// Listing /proc costs a microsecond or two a process: once a minute.
#define COUNT_PROCESSES_MS 60000

struct host {
    struct host_settings settings;
    struct host_view view;
    struct pods pods;
    struct cpu_counters cpu;
    struct network_counters network;
    bool cpu_before, network_before; // whether there is a sample to compare with
    int64_t window_begin_monotonic_ms, window_begin_wall_ms;
    int64_t processes_counted_ms;
    int64_t sampled_ms; // monotonic
    double inspection_credit_ns;
    uint64_t inspections;
};

// The trees, open for one sample.
struct trees {
    int procfs, sysfs, cgroupfs, rootfs, directories;
    struct error procfs_error, sysfs_error, cgroupfs_error, rootfs_error, directories_error;
};

struct host *host_create(const struct host_settings *settings)
{
    assert(settings->walk_entries_max > 0);
    struct host *host = xcalloc(1, sizeof *host);
    host->settings = *settings;
    return host;
}

void host_destroy(struct host *host)
{
    if (!host)
        return;
    pods_free(&host->pods);
    free(host);
}

const struct host_view *host_view(const struct host *host)
{
    return &host->view;
}

uint64_t host_inspections(const struct host *host)
{
    return host->inspections;
}

static void open_trees(const struct host_settings *settings, struct trees *trees)
{
    *trees = (struct trees){.cgroupfs = -1, .directories = -1};
    trees->procfs = source_open_directory(AT_FDCWD, settings->procfs, &trees->procfs_error);
    trees->sysfs = source_open_directory(AT_FDCWD, settings->sysfs, &trees->sysfs_error);
    trees->rootfs = source_open_directory(AT_FDCWD, settings->rootfs, &trees->rootfs_error);
    trees->cgroupfs_error = trees->sysfs_error;
    if (trees->sysfs >= 0)
        trees->cgroupfs = source_open_directory(trees->sysfs, "fs/cgroup", &trees->cgroupfs_error);
    trees->directories_error = trees->rootfs_error;
    char path[512];
    if (trees->rootfs < 0)
        return;
    if (snprintf(path, sizeof path, "%s/pods", settings->kubelet_directory) < (int)sizeof path)
        trees->directories = source_open_inside(trees->rootfs, path, &trees->directories_error);
    else
        error_set(&trees->directories_error, ENAMETOOLONG, "the kubelet directory's name is too long");
}

static void close_trees(const struct trees *trees)
{
    source_close(&trees->directories);
    source_close(&trees->cgroupfs);
    source_close(&trees->rootfs);
    source_close(&trees->sysfs);
    source_close(&trees->procfs);
}

// True when `procfs` could be opened, else the reading says why not.
static bool have(int fd, const struct error *error, struct reading *reading)
{
    if (fd < 0)
        reading_unknown(reading, "%s", error->text);
    return fd >= 0;
}

static void settle(struct reading *reading, int result, const struct error *error)
{
    if (result < 0)
        reading_unknown(reading, "%s", error->text);
    else
        reading_known(reading);
}

static void sample_cpu(struct host *host, const struct trees *trees, bool window)
{
    struct host_view *view = &host->view;
    struct cpu_counters now;
    struct error error;
    if (!have(trees->procfs, &trees->procfs_error, &view->cpu) || cpu_read(trees->procfs, &now, &error) < 0) {
        if (trees->procfs >= 0)
            reading_unknown(&view->cpu, "%s", error.text);
        reading_unknown(&view->cpu_rates, "%s", view->cpu.why);
        reading_unknown(&view->blocked, "%s", view->cpu.why);
        host->cpu_before = false;
        return;
    }
    reading_known(&view->cpu);
    view->cpu_count = now.cpus;
    view->processes_uninterruptible = now.processes_blocked;
    if (now.blocked_known)
        reading_known(&view->blocked);
    else
        reading_unknown(&view->blocked, "/proc/stat does not tell procs_blocked");
    if (!host->cpu_before)
        reading_unknown(&view->cpu_rates, "needs a second sample");
    else if (!window)
        return;
    else if (cpu_rates(&host->cpu, &now, view->cpu_millis))
        reading_known(&view->cpu_rates);
    else
        reading_unknown(&view->cpu_rates, "no CPU time passed");
    host->cpu = now;
    host->cpu_before = true;
}

static void sample_network(struct host *host, const struct trees *trees, bool window, int64_t window_ms)
{
    struct host_view *view = &host->view;
    struct network_counters now;
    struct error error;
    if (!have(trees->procfs, &trees->procfs_error, &view->network))
        return;
    if (network_read(trees->procfs, trees->sysfs, &now, &error) < 0) {
        reading_unknown(&view->network, "%s", error.text);
        host->network_before = false;
        return;
    }
    const struct network_counters *before = &host->network;
    if (!host->network_before) {
        reading_unknown(&view->network, "needs a second sample");
    } else if (!window) {
        return;
    } else if (now.names_hash != before->names_hash || now.receive_bytes < before->receive_bytes ||
               now.transmit_bytes < before->transmit_bytes) {
        reading_unknown(&view->network, "the interfaces changed");
    } else {
        uint64_t ms = (uint64_t)window_ms;
        view->receive_bytes_per_second = (now.receive_bytes - before->receive_bytes) * 1000 / ms;
        view->transmit_bytes_per_second = (now.transmit_bytes - before->transmit_bytes) * 1000 / ms;
        reading_known(&view->network);
    }
    host->network = now;
    host->network_before = true;
}

static void sample_memory_and_pressure(struct host_view *view, const struct trees *trees)
{
    struct error error;
    if (have(trees->procfs, &trees->procfs_error, &view->memory))
        settle(&view->memory, memory_read(trees->procfs, &view->memory_view, &error), &error);
    if (have(trees->procfs, &trees->procfs_error, &view->load))
        settle(&view->load, load_read(trees->procfs, &view->load1, &view->load5, &view->load15, &error),
               &error);
    for (int resource = 0; resource < PRESSURE_RESOURCES; resource++) {
        struct reading *reading = &view->pressure[resource];
        if (have(trees->procfs, &trees->procfs_error, reading))
            settle(reading,
                   pressure_read(trees->procfs, (enum pressure_resource)resource,
                                 &view->pressure_view[resource], &error),
                   &error);
    }
}

static void sample_process_count(struct host *host, const struct trees *trees, int64_t now_ms)
{
    struct host_view *view = &host->view;
    struct error error;
    if (!have(trees->procfs, &trees->procfs_error, &view->processes))
        return;
    if (view->processes.known && now_ms - host->processes_counted_ms < COUNT_PROCESSES_MS)
        return;
    settle(&view->processes, processes_count(trees->procfs, &view->process_count, &error), &error);
    host->processes_counted_ms = now_ms;
}

static void sample_disk(struct host_view *view, const struct trees *trees)
{
    struct error error;
    view->image_filesystem_separate = false;
    if (!have(trees->rootfs, &trees->rootfs_error, &view->root_filesystem))
        return;
    settle(&view->root_filesystem, disk_read(trees->rootfs, &view->root_filesystem_view, &error), &error);
    int images = disk_read_images(trees->rootfs, &view->image_filesystem_view, &error);
    view->image_filesystem_separate = images != 0;
    settle(&view->image_filesystem, images, &error);
}

static void sample_inhibitors(struct host_view *view, const struct trees *trees, int64_t wall_ms)
{
    struct error error;
    view->inhibitor_count = 0;
    if (have(trees->rootfs, &trees->rootfs_error, &view->inhibitors))
        settle(&view->inhibitors,
               inhibitors_read(trees->rootfs, wall_ms, view->inhibitor, &view->inhibitor_count, &error),
               &error);
}

static double thread_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void inspect(struct host *host, struct pod *pod, const struct pods_trees *trees, int64_t now_ms)
{
    pods_inspect(pod, trees, host->settings.walk_entries_max, now_ms);
    host->inspections++;
}

// In turn, as far as the credit goes; a pod that cost more than there was is paid back before the next.
static void inspect_in_turn(struct host *host, const struct pods_trees *trees, int64_t now_ms)
{
    double share = host->settings.inspection_cpu_percent / 100.0;
    double earned_ns = (double)(now_ms - host->sampled_ms) * 1e6 * share;
    double most_ns = 60e9 * share;
    host->inspection_credit_ns += earned_ns;
    if (host->inspection_credit_ns > most_ns)
        host->inspection_credit_ns = most_ns;
    for (size_t done = 0; done < host->pods.count; done++) {
        struct pod *pod = pods_oldest_inspection(&host->pods);
        if (pod->inspected_ms == now_ms || (done > 0 && host->inspection_credit_ns <= 0))
            return;
        double before_ns = thread_cpu_ns();
        inspect(host, pod, trees, now_ms);
        host->inspection_credit_ns -= thread_cpu_ns() - before_ns;
    }
}

static void inspect_pods(struct host *host, const struct pods_trees *trees,
                         const struct host_request *request)
{
    int64_t now_ms = request->monotonic_ms;
    bool all = request->inspect_all || host->settings.inspection_cpu_percent >= 100.0;
    for (size_t i = 0; i < host->pods.count; i++)
        if (all || host->pods.items[i].inspected_ms == 0)
            inspect(host, &host->pods.items[i], trees, now_ms);
    for (size_t i = 0; i < request->uid_count; i++) {
        struct pod *pod = pods_find(&host->pods, request->uids[i]);
        if (pod && pod->inspected_ms != now_ms)
            inspect(host, pod, trees, now_ms);
    }
    if (!all)
        inspect_in_turn(host, trees, now_ms);
}

static void sample_pods(struct host *host, const struct trees *trees, const struct host_request *request,
                        bool window)
{
    struct host_view *view = &host->view;
    struct pods_trees pods_trees = {
        .procfs = trees->procfs,
        .cgroupfs = trees->cgroupfs,
        .directories = trees->directories,
        .layout = trees->cgroupfs < 0 ? CGROUP_MISSING : cgroup_layout(trees->cgroupfs),
        .cgroupfs_why = trees->cgroupfs_error.text,
        .directories_why = trees->directories_error.text,
    };
    pods_list(&host->pods, &pods_trees, &view->pods, &view->directories);
    if (window)
        pods_read_usage(&host->pods, &pods_trees, request->monotonic_ms);
    inspect_pods(host, &pods_trees, request);
    view->pod = host->pods.items;
    view->pod_count = host->pods.count;
}

void host_sample(struct host *host, const struct host_request *request)
{
    assert(request->monotonic_ms > 0);
    struct trees trees;
    open_trees(&host->settings, &trees);
    int64_t window_ms = request->monotonic_ms - host->window_begin_monotonic_ms;
    bool first = host->window_begin_monotonic_ms == 0;
    bool window = first || window_ms >= HOST_WINDOW_MS_MIN;
    sample_cpu(host, &trees, window);
    sample_network(host, &trees, window, window_ms);
    sample_memory_and_pressure(&host->view, &trees);
    sample_process_count(host, &trees, request->monotonic_ms);
    sample_disk(&host->view, &trees);
    sample_inhibitors(&host->view, &trees, request->wall_ms);
    sample_pods(host, &trees, request, window);
    close_trees(&trees);
    if (window) {
        // A wall clock set back must not turn the window around.
        bool backwards = first || host->window_begin_wall_ms > request->wall_ms;
        host->view.sample_begin_ms = backwards ? request->wall_ms : host->window_begin_wall_ms;
        host->view.sample_end_ms = request->wall_ms;
        host->window_begin_monotonic_ms = request->monotonic_ms;
        host->window_begin_wall_ms = request->wall_ms;
    }
    host->sampled_ms = request->monotonic_ms;
    host->view.sampled_ms = request->wall_ms;
}

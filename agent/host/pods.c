#include "agent/host/pods.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/host/connections.h"
#include "agent/host/local_data.h"
#include "agent/host/processes.h"
#include "common/arena.h"

#define LISTS_BETWEEN_SEARCHES 30

void pods_free(struct pods *pods)
{
    free(pods->items);
    *pods = (struct pods){0};
}

static struct pod *find_among(struct pod *items, size_t count, const char *uid)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(items[middle].uid, uid);
        if (order == 0)
            return &items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct pod *pods_find(const struct pods *pods, const char *uid)
{
    assert(pods->sorted == pods->count);
    return find_among(pods->items, pods->count, uid);
}

static void grow(struct pods *pods)
{
    pods->capacity = pods->capacity ? pods->capacity * 2 : 32;
    pods->items = xrealloc_array(pods->items, pods->capacity, sizeof *pods->items);
}

// New pods stand behind the sorted ones until the list is through. NULL: no room.
static struct pod *find_or_add(struct pods *pods, const char *uid)
{
    struct pod *known = find_among(pods->items, pods->sorted, uid);
    for (size_t i = pods->sorted; !known && i < pods->count; i++)
        if (strcmp(pods->items[i].uid, uid) == 0)
            known = &pods->items[i];
    if (known)
        return known;
    if (pods->count == VIEW_PODS_MAX) {
        pods->overflow = true;
        return NULL;
    }
    if (pods->count == pods->capacity)
        grow(pods);
    struct pod *pod = &pods->items[pods->count++];
    *pod = (struct pod){0};
    memcpy(pod->uid, uid, strlen(uid) + 1); // cgroup_pod_uid() and wire_check_uid() bound it
    for (int kind = 0; kind < EVIDENCE_KINDS; kind++)
        reading_unknown(&pod->evidence[kind], "not read yet");
    return pod;
}

static void visit_cgroup(void *context, const char *uid, const char *path)
{
    struct pod *pod = find_or_add(context, uid);
    if (!pod)
        return;
    pod->seen = pod->has_cgroup = true;
    if (strcmp(pod->cgroup, path) != 0) {
        memcpy(pod->cgroup, path, strlen(path) + 1); // kubepods_list() bounds it
        pod->cpu_usage_ms = 0;
    }
}

static int list_cgroups(struct pods *pods, const struct pods_trees *trees, struct error *error)
{
    bool search = pods->kubepods.count == 0 || pods->lists_until_search == 0;
    for (int attempt = 0; attempt < 2; attempt++, search = true) {
        if (search) {
            pods->lists_until_search = LISTS_BETWEEN_SEARCHES;
            if (kubepods_find(trees->cgroupfs, &pods->kubepods, error) < 0)
                return -1;
        }
        error_clear(error);
        if (kubepods_list(trees->cgroupfs, &pods->kubepods, visit_cgroup, pods, error) == 0)
            break;
        if (error->code != ENOENT || attempt == 1)
            return -1;
    }
    pods->lists_until_search--;
    if (pods->kubepods.count == 0)
        return error_set(error, ENOENT,
                         "no kubepods cgroup: no kubelet runs here, or its cgroups cannot be seen");
    return 0;
}

static int list_directories(struct pods *pods, int directories, struct error *error)
{
    if (lseek(directories, 0, SEEK_SET) < 0)
        return error_set(error, errno, "list pod directories: %s", strerror(errno));
    struct directory directory;
    directory_begin(&directory, directories);
    unsigned char type;
    for (const char *name; (name = directory_next(&directory, &type));) {
        if ((type != DT_DIR && type != DT_UNKNOWN) || wire_check_uid(name, NULL) < 0)
            continue;
        struct pod *pod = find_or_add(pods, name);
        if (pod)
            pod->seen = pod->has_directory = true;
    }
    if (directory.failed)
        return error_set(error, directory.failed, "list pod directories: %s", strerror(directory.failed));
    return 0;
}

static int by_uid(const void *a, const void *b)
{
    return strcmp(((const struct pod *)a)->uid, ((const struct pod *)b)->uid);
}

static void keep_seen(struct pods *pods)
{
    size_t kept = 0;
    for (size_t i = 0; i < pods->count; i++) {
        if (!pods->items[i].seen)
            continue;
        if (kept != i)
            pods->items[kept] = pods->items[i];
        kept++;
    }
    bool sort = pods->sorted != pods->count; // what was there stays in order
    pods->count = pods->sorted = kept;
    if (sort && kept > 0)
        qsort(pods->items, kept, sizeof *pods->items, by_uid);
}

static void list_all_cgroups(struct pods *pods, const struct pods_trees *trees, struct reading *reading)
{
    struct error error;
    error_clear(&error);
    reading_known(reading);
    if (trees->cgroupfs < 0)
        reading_unknown(reading, "%s", trees->cgroupfs_why);
    else if (trees->layout == CGROUP_V1)
        reading_unknown(reading, "this host uses cgroup v1; pods can be seen on cgroup v2 only");
    else if (trees->layout == CGROUP_MISSING)
        reading_unknown(reading, "no cgroup file system is mounted");
    else if (list_cgroups(pods, trees, &error) < 0)
        reading_unknown(reading, "%s", error.text);
}

void pods_list(struct pods *pods, const struct pods_trees *trees, struct reading *cgroups,
               struct reading *directories)
{
    struct error error;
    pods->overflow = false;
    for (size_t i = 0; i < pods->count; i++)
        pods->items[i].seen = pods->items[i].has_cgroup = pods->items[i].has_directory = false;
    list_all_cgroups(pods, trees, cgroups);
    reading_known(directories);
    if (trees->directories < 0)
        reading_unknown(directories, "%s", trees->directories_why);
    else if (list_directories(pods, trees->directories, &error) < 0)
        reading_unknown(directories, "%s", error.text);
    keep_seen(pods);
    if (pods->overflow)
        reading_unknown(cgroups, "more than %u pods", VIEW_PODS_MAX);
}

static bool vanished(int code)
{
    return code == ENOENT || code == ENODEV || code == ESRCH;
}

static void read_cpu(struct pod *pod, int cgroup, int64_t now_ms)
{
    struct error error;
    struct reading *reading = &pod->evidence[EVIDENCE_CPU];
    uint64_t usage_us;
    if (cgroup_cpu_usage_us(cgroup, &usage_us, &error) < 0) {
        reading_unknown(reading, "%s", error.text);
        pod->cpu_usage_ms = 0;
        return;
    }
    int64_t window_ms = now_ms - pod->cpu_usage_ms;
    if (pod->cpu_usage_ms == 0) {
        reading_unknown(reading, "needs a second sample");
    } else if (usage_us < pod->cpu_usage_us) {
        reading_unknown(reading, "the counter began anew");
    } else if (window_ms > 0) {
        // Microseconds a millisecond are thousandths of a core.
        uint64_t millis = (usage_us - pod->cpu_usage_us) / (uint64_t)window_ms;
        pod->cpu_millis = millis < UINT32_MAX ? (uint32_t)millis : UINT32_MAX;
        reading_known(reading);
    }
    pod->cpu_usage_us = usage_us;
    pod->cpu_usage_ms = now_ms;
}

static void read_memory(struct pod *pod, int cgroup)
{
    struct error error;
    if (cgroup_working_set_bytes(cgroup, &pod->memory_working_set_bytes, &error) < 0)
        reading_unknown(&pod->evidence[EVIDENCE_MEMORY], "%s", error.text);
    else
        reading_known(&pod->evidence[EVIDENCE_MEMORY]);
}

static void no_cgroup(struct pod *pod, const struct pods_trees *trees, const enum evidence *kinds,
                      size_t count)
{
    const char *why = trees->layout == CGROUP_V2 ? "no cgroup" : "this host has no cgroup v2";
    for (size_t i = 0; i < count; i++)
        reading_unknown(&pod->evidence[kinds[i]], "%s", why);
    pod->cgroup[0] = '\0';
}

// A descriptor of the pod's cgroup, or -1 when it has none (any more) or it cannot be opened (error->code).
static int open_cgroup(struct pod *pod, const struct pods_trees *trees, struct error *error)
{
    if (!pod->has_cgroup)
        return error_set(error, ENOENT, "no cgroup");
    int fd = source_open_directory(trees->cgroupfs, pod->cgroup, error);
    if (fd < 0 && vanished(error->code))
        pod->has_cgroup = false;
    return fd;
}

void pods_read_usage(struct pods *pods, const struct pods_trees *trees, int64_t now_monotonic_ms)
{
    static const enum evidence kinds[] = {EVIDENCE_CPU, EVIDENCE_MEMORY};
    assert(now_monotonic_ms > 0);
    for (size_t i = 0; i < pods->count; i++) {
        struct pod *pod = &pods->items[i];
        struct error error;
        error_clear(&error);
        AUTOCLOSE int cgroup = open_cgroup(pod, trees, &error);
        if (cgroup >= 0) {
            read_cpu(pod, cgroup, now_monotonic_ms);
            read_memory(pod, cgroup);
        } else if (!pod->has_cgroup) {
            no_cgroup(pod, trees, kinds, 2);
        } else {
            reading_unknown(&pod->evidence[EVIDENCE_CPU], "%s", error.text);
            reading_unknown(&pod->evidence[EVIDENCE_MEMORY], "%s", error.text);
        }
    }
}

static void inspect_local_data(struct pod *pod, const struct pods_trees *trees, uint32_t entries_max)
{
    struct reading *reading = &pod->evidence[EVIDENCE_LOCAL_DATA];
    struct local_data data;
    struct error error;
    error_clear(&error);
    pod->local_data_bytes = 0;
    pod->local_data_at_least = false;
    pod->volume_count = 0;
    if (trees->directories < 0) {
        reading_unknown(reading, "%s", trees->directories_why);
        return;
    }
    if (local_data_read(trees->directories, pod->uid, entries_max, &data, &error) < 0) {
        if (error.code == ENOENT)
            pod->has_directory = false;
        reading_unknown(reading, "%s", error.code == ENOENT ? "no directory of this pod" : error.text);
        return;
    }
    reading_known(reading);
    pod->local_data_bytes = data.bytes;
    pod->local_data_at_least = data.at_least;
    pod->volume_count = data.volume_count;
    memcpy(pod->volumes, data.volumes, sizeof pod->volumes);
}

// A process that ends has no namespace left (ENXIO) before it is gone.
static bool ended(int code)
{
    return vanished(code) || code == ENXIO;
}

// False: every witness has ended meanwhile.
static bool inspect_connections(struct pod *pod, int procfs, const struct processes *processes)
{
    struct reading *reading = &pod->evidence[EVIDENCE_CONNECTIONS];
    struct connections connections;
    struct error error;
    pod->established_connections = 0;
    if (processes->witness_count == 0) { // nobody there to hold one
        reading_known(reading);
        return true;
    }
    for (uint32_t i = 0; i < processes->witness_count; i++) {
        error_clear(&error);
        if (connections_read(procfs, processes->witness[i], &connections, &error) == 0) {
            reading_known(reading);
            pod->host_network = connections.host_network;
            pod->established_connections = connections.established;
            return true;
        }
        reading_unknown(reading, "%s", error.text);
        if (!ended(error.code))
            return true;
    }
    return false;
}

static void inspect_processes(struct pod *pod, const struct pods_trees *trees, int cgroup)
{
    struct reading *reading = &pod->evidence[EVIDENCE_PROCESSES];
    struct processes processes;
    struct error error;
    error_clear(&error);
    for (int attempt = 0; attempt < 2; attempt++) {
        pod->processes = pod->processes_uninterruptible = 0;
        if (trees->procfs < 0 || processes_read(trees->procfs, cgroup, &processes, &error) < 0) {
            reading_unknown(reading, "%s", trees->procfs < 0 ? "/proc cannot be read" : error.text);
            reading_unknown(&pod->evidence[EVIDENCE_CONNECTIONS], "no process of this pod could be found");
            return;
        }
        reading_known(reading);
        pod->processes = processes.processes;
        pod->processes_uninterruptible = processes.uninterruptible;
        if (inspect_connections(pod, trees->procfs, &processes))
            return;
    }
}

void pods_inspect(struct pod *pod, const struct pods_trees *trees, uint32_t entries_max,
                  int64_t now_monotonic_ms)
{
    static const enum evidence kinds[] = {EVIDENCE_PROCESSES, EVIDENCE_CONNECTIONS};
    struct error error;
    error_clear(&error);
    inspect_local_data(pod, trees, entries_max);
    AUTOCLOSE int cgroup = open_cgroup(pod, trees, &error);
    if (cgroup >= 0) {
        inspect_processes(pod, trees, cgroup);
    } else if (!pod->has_cgroup) {
        no_cgroup(pod, trees, kinds, 2);
    } else {
        reading_unknown(&pod->evidence[EVIDENCE_PROCESSES], "%s", error.text);
        reading_unknown(&pod->evidence[EVIDENCE_CONNECTIONS], "%s", error.text);
    }
    pod->inspected_ms = now_monotonic_ms;
}

struct pod *pods_oldest_inspection(const struct pods *pods)
{
    struct pod *oldest = NULL;
    for (size_t i = 0; i < pods->count; i++)
        if (!oldest || pods->items[i].inspected_ms < oldest->inspected_ms)
            oldest = &pods->items[i];
    return oldest;
}

#include "agent/host/cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"

#define SEARCH_DEPTH_MAX       3
#define SEARCH_DIRECTORIES_MAX 2048

enum cgroup_layout cgroup_layout(int cgroupfs)
{
    if (faccessat(cgroupfs, "cgroup.controllers", F_OK, 0) == 0)
        return CGROUP_V2;
    if (faccessat(cgroupfs, "memory", F_OK, 0) == 0 || faccessat(cgroupfs, "cpu", F_OK, 0) == 0 ||
        faccessat(cgroupfs, "cpu,cpuacct", F_OK, 0) == 0 || faccessat(cgroupfs, "systemd", F_OK, 0) == 0)
        return CGROUP_V1;
    return CGROUP_MISSING;
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

bool cgroup_pod_uid(const char *directory, char uid[WIRE_UID_BYTES_MAX + 1])
{
    const char *from = NULL;
    size_t length = strlen(directory);
    bool systemd = ends_with(directory, ".slice");
    if (systemd) {
        for (const char *at = directory; (at = strstr(at, "-pod")); at++)
            from = at + 4;
        length -= strlen(".slice");
    } else if (text_starts_with(directory, "pod")) {
        from = directory + 3;
    }
    if (!from || from > directory + length)
        return false;
    length -= (size_t)(from - directory);
    if (length != 32 && length != 36)
        return false;
    for (size_t i = 0; i < length; i++)
        uid[i] = systemd && from[i] == '_' ? '-' : from[i];
    uid[length] = '\0';
    return wire_check_uid(uid, NULL) == 0;
}

static bool is_kubepods(const char *name)
{
    return text_equal(name, "kubepods") || text_equal(name, "kubepods.slice") ||
           ends_with(name, "-kubepods.slice");
}

static bool is_quality_of_service(const char *name)
{
    return text_equal(name, "burstable") || text_equal(name, "besteffort") ||
           ends_with(name, "-burstable.slice") || ends_with(name, "-besteffort.slice");
}

// "above/name", or false when it does not fit.
static bool join(char path[VIEW_POD_PATH_BYTES_MAX], const char *above, const char *name)
{
    int length = snprintf(path, VIEW_POD_PATH_BYTES_MAX, "%s%s%s", above, *above ? "/" : "", name);
    return length < VIEW_POD_PATH_BYTES_MAX;
}

static bool is_directory(int parent, const char *name, unsigned char type)
{
    struct stat stat;
    if (type != DT_UNKNOWN)
        return type == DT_DIR;
    return fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(stat.st_mode);
}

struct search {
    int cgroupfs;
    int directories;
    struct kubepods *out;
};

static int search(struct search *state, const char *path, int depth, struct error *error)
{
    AUTOCLOSE int fd = source_open_directory(state->cgroupfs, *path ? path : ".", error);
    if (fd < 0)
        return -1;
    struct directory directory;
    directory_begin(&directory, fd);
    unsigned char type;
    for (const char *name; (name = directory_next(&directory, &type));) {
        char below[VIEW_POD_PATH_BYTES_MAX];
        if (!is_directory(fd, name, type) || !join(below, path, name))
            continue;
        if (is_kubepods(name)) {
            if (state->out->count < KUBEPODS_ROOTS_MAX)
                memcpy(state->out->root[state->out->count++], below, sizeof below);
        } else if (depth < SEARCH_DEPTH_MAX && state->directories++ < SEARCH_DIRECTORIES_MAX) {
            search(state, below, depth + 1, NULL); // what vanished meanwhile holds no pods
        }
    }
    if (directory.failed)
        return error_set(error, directory.failed, "list cgroups %s: %s", path, strerror(directory.failed));
    return 0;
}

int kubepods_find(int cgroupfs, struct kubepods *out, struct error *error)
{
    out->count = 0;
    struct search state = {.cgroupfs = cgroupfs, .out = out};
    return search(&state, "", 1, error);
}

struct listing {
    int cgroupfs;
    kubepods_visit visit;
    void *context;
};

static int list_level(const struct listing *listing, const char *path, bool top, struct error *error)
{
    AUTOCLOSE int fd = source_open_directory(listing->cgroupfs, path, error);
    if (fd < 0)
        return -1;
    struct directory directory;
    directory_begin(&directory, fd);
    unsigned char type;
    for (const char *name; (name = directory_next(&directory, &type));) {
        char below[VIEW_POD_PATH_BYTES_MAX];
        char uid[WIRE_UID_BYTES_MAX + 1];
        if (!is_directory(fd, name, type))
            continue;
        bool level = top && is_quality_of_service(name);
        bool pod = !level && cgroup_pod_uid(name, uid);
        if (!level && !pod)
            continue;
        if (!join(below, path, name))
            return error_set(error, ENAMETOOLONG, "cgroup path %s/%s is too long", path, name);
        if (pod)
            listing->visit(listing->context, uid, below);
        else if (list_level(listing, below, false, error) < 0)
            return -1;
    }
    if (directory.failed)
        return error_set(error, directory.failed, "list cgroups %s: %s", path, strerror(directory.failed));
    return 0;
}

int kubepods_list(int cgroupfs, const struct kubepods *kubepods, kubepods_visit visit, void *context,
                  struct error *error)
{
    struct listing listing = {.cgroupfs = cgroupfs, .visit = visit, .context = context};
    for (size_t i = 0; i < kubepods->count; i++)
        if (list_level(&listing, kubepods->root[i], true, error) < 0)
            return -1;
    return 0;
}

int cgroup_parse_key(struct lines *lines, const char *key, uint64_t *out, struct error *error)
{
    for (const char *line; (line = lines_next(lines));) {
        const char *cursor = line;
        if (!scan_word(&cursor, key))
            continue;
        if (scan_u64(&cursor, out) && !*cursor)
            return 0;
        return error_set(error, EPROTO, "%s is not a number", key);
    }
    if (lines->failed)
        return error_set(error, lines->failed, "%s: %s", key, strerror(lines->failed));
    return error_set(error, EPROTO, "no %s", key);
}

static int read_key(int cgroup, const char *path, const char *key, uint64_t *out, struct error *error)
{
    struct lines lines AUTOLINES;
    if (lines_open(&lines, cgroup, path, error) < 0)
        return -1;
    if (cgroup_parse_key(&lines, key, out, error) < 0)
        return error_wrap(error, "%s", path);
    return 0;
}

int cgroup_cpu_usage_us(int cgroup, uint64_t *out, struct error *error)
{
    return read_key(cgroup, "cpu.stat", "usage_usec", out, error);
}

int cgroup_working_set_bytes(int cgroup, uint64_t *out, struct error *error)
{
    uint64_t current = 0, inactive_file = 0;
    if (source_read_u64(cgroup, "memory.current", &current, error) < 0 ||
        read_key(cgroup, "memory.stat", "inactive_file", &inactive_file, error) < 0)
        return -1;
    *out = current > inactive_file ? current - inactive_file : 0;
    return 0;
}

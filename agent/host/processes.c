#include "agent/host/processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char processes_parse_state(const char *stat)
{
    // The name may hold anything, ')' too; after it come only numbers.
    const char *end = strrchr(stat, ')');
    if (!end || end[1] != ' ' || end[2] < 'A' || end[2] > 'z' || (end[3] != ' ' && end[3] != '\0'))
        return 0;
    return end[2];
}

struct walk {
    int procfs;
    int cgroups;
    struct processes *out;
};

static bool vanished(int code)
{
    return code == ENOENT || code == ESRCH || code == ENODEV;
}

static int look_at(struct walk *walk, uint64_t id, struct error *error)
{
    char path[32], stat[512];
    snprintf(path, sizeof path, "%u/stat", (unsigned)id);
    struct error inner;
    error_clear(&inner);
    int length = source_read(walk->procfs, path, stat, sizeof stat, &inner);
    if (length < 0 && vanished(inner.code))
        return 0;
    if (length < 0)
        return error_set(error, inner.code, "%s", inner.text);
    char state = processes_parse_state(stat);
    if (!state)
        return error_set(error, EPROTO, "/proc/%s is malformed", path);
    walk->out->processes++;
    if (state == 'D')
        walk->out->uninterruptible++;
    if (walk->out->witness_count < PROCESSES_WITNESSES_MAX && state != 'Z' && state != 'X')
        walk->out->witness[walk->out->witness_count++] = (int32_t)id;
    return 0;
}

static int read_ids(struct walk *walk, int cgroup, struct error *error)
{
    struct lines lines AUTOLINES;
    struct error inner;
    error_clear(&inner);
    if (lines_open(&lines, cgroup, "cgroup.procs", &inner) < 0)
        return vanished(inner.code) ? 0 : error_set(error, inner.code, "%s", inner.text);
    for (const char *line; (line = lines_next(&lines));) {
        uint64_t id;
        if (!scan_u64(&line, &id) || *line || id > INT32_MAX)
            return error_set(error, EPROTO, "cgroup.procs holds something else than process ids");
        if (id == 0)
            return error_set(error, ESRCH,
                             "process ids are not visible: the agent needs the host's PID namespace");
        if (walk->out->processes >= PROCESSES_A_POD_MAX)
            return error_set(error, E2BIG, "more than %d processes", PROCESSES_A_POD_MAX);
        if (look_at(walk, id, error) < 0)
            return -1;
    }
    // EOPNOTSUPP: a threaded cgroup lists its processes at the root of its domain, which is above it.
    if (lines.failed && !vanished(lines.failed) && lines.failed != EOPNOTSUPP)
        return error_set(error, lines.failed, "cgroup.procs: %s", strerror(lines.failed));
    return 0;
}

static int walk_cgroup(struct walk *walk, int cgroup, int depth, struct error *error)
{
    if (++walk->cgroups > PROCESSES_CGROUPS_A_POD_MAX || depth > PROCESSES_DEPTH_MAX)
        return error_set(error, E2BIG, "more cgroups than %d, or deeper than %d", PROCESSES_CGROUPS_A_POD_MAX,
                         PROCESSES_DEPTH_MAX);
    if (read_ids(walk, cgroup, error) < 0)
        return -1;
    struct directory directory;
    directory_begin(&directory, cgroup);
    unsigned char type;
    for (const char *name; (name = directory_next(&directory, &type));) {
        if (type != DT_DIR && type != DT_UNKNOWN)
            continue;
        AUTOCLOSE int below = openat(cgroup, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0 && (vanished(errno) || errno == ENOTDIR || errno == ELOOP))
            continue;
        if (below < 0)
            return error_set(error, errno, "open cgroup %s: %s", name, strerror(errno));
        if (walk_cgroup(walk, below, depth + 1, error) < 0)
            return -1;
    }
    if (directory.failed && !vanished(directory.failed))
        return error_set(error, directory.failed, "list cgroup: %s", strerror(directory.failed));
    return 0;
}

int processes_read(int procfs, int cgroup, struct processes *out, struct error *error)
{
    *out = (struct processes){0};
    struct walk walk = {.procfs = procfs, .out = out};
    // The descriptor is shared with other readers: list it from its beginning.
    if (lseek(cgroup, 0, SEEK_SET) < 0)
        return error_set(error, errno, "list cgroup: %s", strerror(errno));
    return walk_cgroup(&walk, cgroup, 1, error);
}

int processes_count(int procfs, uint32_t *out, struct error *error)
{
    AUTOCLOSE int fd = source_open_directory(procfs, ".", error);
    if (fd < 0)
        return -1;
    struct directory directory;
    directory_begin(&directory, fd);
    unsigned char type;
    uint32_t count = 0;
    for (const char *name; (name = directory_next(&directory, &type));)
        if (*name >= '0' && *name <= '9')
            count++;
    if (directory.failed)
        return error_set(error, directory.failed, "list /proc: %s", strerror(directory.failed));
    *out = count;
    return 0;
}

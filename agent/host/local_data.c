#include "agent/host/local_data.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define VOLUMES_DIRECTORY "volumes/kubernetes.io~empty-dir"

struct walk {
    uint32_t entries_left;
    bool at_least;
    dev_t device;
    uint64_t bytes;
    ino_t links[LOCAL_DATA_LINKS_MAX];
    uint32_t link_count;
};

static bool vanished(int code)
{
    // ENOTDIR and ELOOP: something else stands there by now.
    return code == ENOENT || code == ENOTDIR || code == ELOOP || code == ESTALE;
}

static int open_below(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// True the first time a hard-linked file is met; when there are more than can be told apart, always.
static bool first_link(struct walk *walk, ino_t inode)
{
    for (uint32_t i = 0; i < walk->link_count; i++)
        if (walk->links[i] == inode)
            return false;
    if (walk->link_count < LOCAL_DATA_LINKS_MAX)
        walk->links[walk->link_count++] = inode;
    return true;
}

static void count_file(struct walk *walk, const struct stat *stat)
{
    if (stat->st_size <= 0 || (stat->st_nlink > 1 && !first_link(walk, stat->st_ino)))
        return;
    if (__builtin_add_overflow(walk->bytes, (uint64_t)stat->st_size, &walk->bytes))
        walk->bytes = UINT64_MAX;
}

static int walk_directory(struct walk *walk, int fd, int depth, struct error *error);

static int walk_below(struct walk *walk, int parent, const char *name, int depth, struct error *error)
{
    if (depth >= LOCAL_DATA_DEPTH_MAX) {
        walk->at_least = true;
        return 0;
    }
    AUTOCLOSE int fd = open_below(parent, name);
    if (fd < 0)
        return vanished(errno) ? 0 : error_set(error, errno, "open a directory: %s", strerror(errno));
    struct stat stat;
    if (fstat(fd, &stat) < 0)
        return error_set(error, errno, "stat: %s", strerror(errno));
    return stat.st_dev == walk->device ? walk_directory(walk, fd, depth + 1, error) : 0;
}

static int walk_directory(struct walk *walk, int fd, int depth, struct error *error)
{
    struct directory directory;
    directory_begin(&directory, fd);
    unsigned char type;
    for (const char *name; (name = directory_next(&directory, &type));) {
        if (walk->entries_left == 0) {
            walk->at_least = true;
            return 0;
        }
        walk->entries_left--;
        if (type != DT_DIR && type != DT_REG && type != DT_UNKNOWN)
            continue;
        struct stat stat = {.st_mode = S_IFDIR};
        if (type != DT_DIR && fstatat(fd, name, &stat, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) {
            if (vanished(errno))
                continue;
            return error_set(error, errno, "stat: %s", strerror(errno));
        }
        if (S_ISREG(stat.st_mode))
            count_file(walk, &stat);
        else if (S_ISDIR(stat.st_mode) && walk_below(walk, fd, name, depth, error) < 0)
            return -1;
    }
    if (directory.failed && !vanished(directory.failed))
        return error_set(error, directory.failed, "list a directory: %s", strerror(directory.failed));
    return 0;
}

// A tmpfs mounted just for this volume; a whole tree that lies on a tmpfs is not meant.
static bool memory_backed(int fd, dev_t device, dev_t parent_device, uint64_t *used_bytes)
{
    struct statfs stat;
    if (device == parent_device || fstatfs(fd, &stat) < 0)
        return false;
    unsigned long kind = (unsigned long)stat.f_type;
    if (kind != TMPFS_MAGIC && kind != RAMFS_MAGIC && kind != HUGETLBFS_MAGIC)
        return false;
    *used_bytes = stat.f_blocks > stat.f_bfree ? (stat.f_blocks - stat.f_bfree) * (uint64_t)stat.f_bsize : 0;
    return true;
}

// Keep the largest, in order.
static void add_volume(struct local_data *out, const char *name, uint64_t bytes, bool memory)
{
    if (bytes == 0)
        return;
    uint32_t at = out->volume_count;
    while (at > 0 && out->volumes[at - 1].bytes < bytes)
        at--;
    if (at == VIEW_VOLUMES_MAX)
        return;
    if (out->volume_count < VIEW_VOLUMES_MAX)
        out->volume_count++;
    memmove(&out->volumes[at + 1], &out->volumes[at], (out->volume_count - 1 - at) * sizeof *out->volumes);
    out->volumes[at] = (struct pod_volume){.bytes = bytes, .memory = memory};
    source_clean_name(out->volumes[at].name, sizeof out->volumes[at].name, name);
}

static int walk_volume(struct walk *walk, int volumes, const char *name, dev_t parent_device,
                       struct local_data *out, struct error *error)
{
    AUTOCLOSE int fd = open_below(volumes, name);
    if (fd < 0)
        return vanished(errno) ? 0 : error_set(error, errno, "open: %s", strerror(errno));
    struct stat stat;
    if (fstat(fd, &stat) < 0)
        return error_set(error, errno, "stat: %s", strerror(errno));
    uint64_t used_bytes;
    if (memory_backed(fd, stat.st_dev, parent_device, &used_bytes)) {
        add_volume(out, name, used_bytes, true);
        return 0;
    }
    walk->device = stat.st_dev;
    walk->bytes = 0;
    walk->link_count = 0;
    if (walk_directory(walk, fd, 1, error) < 0)
        return -1;
    add_volume(out, name, walk->bytes, false);
    if (__builtin_add_overflow(out->bytes, walk->bytes, &out->bytes))
        out->bytes = UINT64_MAX;
    return 0;
}

// The kubelet makes these directories and no pod can write in them; still no link is followed.
static int open_volumes(int pods, const char *uid, struct error *error)
{
    AUTOCLOSE int pod = open_below(pods, uid);
    if (pod < 0)
        return error_set(error, vanished(errno) ? ENOENT : errno, "pod directory: %s", strerror(errno));
    AUTOCLOSE int all = open_below(pod, "volumes");
    int fd = all < 0 ? -1 : open_below(all, "kubernetes.io~empty-dir");
    if (fd >= 0)
        return fd;
    // A pod without such volumes has no such directory.
    if (errno == ENOENT)
        return error_set(error, 0, "none");
    return error_set(error, errno, "%s: %s", VOLUMES_DIRECTORY, strerror(errno));
}

int local_data_read(int pods, const char *uid, uint32_t entries_max, struct local_data *out,
                    struct error *error)
{
    assert(entries_max > 0);
    *out = (struct local_data){0};
    struct error inner;
    error_clear(&inner);
    AUTOCLOSE int volumes = open_volumes(pods, uid, &inner);
    if (volumes < 0)
        return inner.code == 0 ? 0 : error_set(error, inner.code, "%s", inner.text);
    struct stat stat;
    if (fstat(volumes, &stat) < 0)
        return error_set(error, errno, "stat: %s", strerror(errno));
    struct walk walk = {.entries_left = entries_max};
    struct directory directory;
    directory_begin(&directory, volumes);
    unsigned char type;
    for (const char *name; (name = directory_next(&directory, &type));) {
        if (walk_volume(&walk, volumes, name, stat.st_dev, out, &inner) < 0) {
            char shown[VIEW_NAME_BYTES_MAX];
            source_clean_name(shown, sizeof shown, name);
            return error_set(error, inner.code, "volume %s: %s", shown, inner.text);
        }
    }
    if (directory.failed && !vanished(directory.failed))
        return error_set(error, directory.failed, "list volumes: %s", strerror(directory.failed));
    out->at_least = walk.at_least;
    return 0;
}

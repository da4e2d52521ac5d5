#include "agent/host/disk.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static const char *const image_directories[] = {
    "var/lib/containerd",
    "var/lib/containers/storage",
    "var/lib/rancher/k3s/agent/containerd",
    "var/lib/rancher/rke2/agent/containerd",
    "var/snap/microk8s/common/var/lib/containerd",
    "var/lib/docker",
};

int disk_read(int fd, struct filesystem_view *out, struct error *error)
{
    struct statvfs stat;
    if (fstatvfs(fd, &stat) < 0)
        return error_set(error, errno, "statvfs: %s", strerror(errno));
    uint64_t unit = stat.f_frsize ? stat.f_frsize : stat.f_bsize;
    out->total_bytes = stat.f_blocks * unit;
    out->available_bytes = stat.f_bavail * unit;
    out->total_inodes = stat.f_files;
    out->free_inodes = stat.f_ffree;
    return 0;
}

int disk_read_images(int rootfs, struct filesystem_view *out, struct error *error)
{
    struct stat root, images;
    if (fstat(rootfs, &root) < 0)
        return error_set(error, errno, "stat: %s", strerror(errno));
    for (size_t i = 0; i < sizeof image_directories / sizeof *image_directories; i++) {
        struct error inner;
        AUTOCLOSE int fd = source_open_inside(rootfs, image_directories[i], &inner);
        if (fd < 0 && (inner.code == ENOENT || inner.code == ENOTDIR))
            continue;
        if (fd < 0)
            return error_set(error, inner.code, "%s", inner.text);
        if (fstat(fd, &images) < 0)
            return error_set(error, errno, "stat %s: %s", image_directories[i], strerror(errno));
        if (images.st_dev != root.st_dev)
            return disk_read(fd, out, error) < 0 ? -1 : 1;
    }
    return 0;
}

static double used_percent(uint64_t total, uint64_t left)
{
    if (total == 0 || left >= total)
        return 0;
    return 100.0 * (double)(total - left) / (double)total;
}

double disk_used_percent(const struct filesystem_view *filesystem)
{
    double bytes = used_percent(filesystem->total_bytes, filesystem->available_bytes);
    double inodes = used_percent(filesystem->total_inodes, filesystem->free_inodes);
    return bytes > inodes ? bytes : inodes;
}

// What this room is for: how full the root and the image file system are. What it knows: statvfs(3) and where
// container runtimes keep their images. What it may not do: walk a tree.
#ifndef VPSIE_AGENT_HOST_DISK_H
#define VPSIE_AGENT_HOST_DISK_H

#include "agent/host/source.h"
#include "agent/host/view.h"

// `fd` is any open file or directory of the file system.
int disk_read(int fd, struct filesystem_view *out, struct error *error);

// The first directory of containerd, CRI-O, k3s, RKE2, MicroK8s or Docker found under `rootfs` that lies on
// another file system than `rootfs`. Returns 1 with *out filled, 0 when there is none, -1 when it could not
// be read.
int disk_read_images(int rootfs, struct filesystem_view *out, struct error *error);

// Percent in use for programs without privilege (available, not free), of bytes or inodes, whichever is
// fuller.
double disk_used_percent(const struct filesystem_view *filesystem);

#endif

// What this room is for: bytes that a pod would lose with its node: what its emptyDir volumes hold. What it
// knows: the kubelet's pods directory. What it may not do: follow a link, leave a volume's file system, open
// a file, or walk longer than it was allowed: the trees belong to the pods, which may be hostile.
#ifndef VPSIE_AGENT_HOST_LOCAL_DATA_H
#define VPSIE_AGENT_HOST_LOCAL_DATA_H

#include "agent/host/source.h"
#include "agent/host/view.h"

#define LOCAL_DATA_DEPTH_MAX           32
#define LOCAL_DATA_LINKS_MAX           256 // hard-linked files that are told apart in one pod
#define LOCAL_DATA_ENTRIES_MAX_DEFAULT 20000

struct local_data {
    uint64_t bytes;
    bool at_least;                               // a limit was met: there may be more
    struct pod_volume volumes[VIEW_VOLUMES_MAX]; // those that hold data, largest first
    uint32_t volume_count;
};

// What counts is st_size of regular files, a hard-linked one once: file systems that keep small files inside
// the inode report no blocks for them, and a byte that is held must never look like none. The price is that a
// sparse file counts in full. Directories, links, sockets, fifos and empty files hold nothing. A volume on a
// tmpfs of its own (medium: Memory) is listed with what that file system uses, and is not part of `bytes`.
//
// `pods`: a descriptor of <kubelet>/pods. error->code ENOENT: no directory for this pod. Anything that cannot
// be looked into is an error; what vanishes during the walk is not.
int local_data_read(int pods, const char *uid, uint32_t entries_max, struct local_data *out,
                    struct error *error);

#endif

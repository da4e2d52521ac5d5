// What this room is for: where a kubelet keeps its pods' cgroups and what each of them uses. What it knows:
// cgroup v2 (Documentation/admin-guide/cgroup-v2.rst) and the names of both of the kubelet's drivers. What it
// may not do: guess at a cgroup v1 host, or look inside a container's cgroup.
#ifndef VPSIE_AGENT_HOST_CGROUPS_H
#define VPSIE_AGENT_HOST_CGROUPS_H

#include "agent/host/source.h"
#include "agent/host/view.h"

enum cgroup_layout { CGROUP_MISSING, CGROUP_V1, CGROUP_V2 };
// `cgroupfs`: a descriptor of /sys/fs/cgroup. A hybrid host (v1 controllers, an empty v2 tree beside) is v1.
enum cgroup_layout cgroup_layout(int cgroupfs);

// "pod<uid>" of the cgroupfs driver, "...-pod<uid with _ for ->.slice" of the systemd driver, with 36
// characters or a static pod's 32 → the canonical UID. False for anything else.
bool cgroup_pod_uid(const char *directory, char uid[WIRE_UID_BYTES_MAX + 1]);

// "kubepods", "kubepods.slice" and "...-kubepods.slice" at most three levels deep (a kubelet has a cgroup
// root of its own with --cgroup-root, as in kind).
#define KUBEPODS_ROOTS_MAX 4
struct kubepods {
    char root[KUBEPODS_ROOTS_MAX][VIEW_POD_PATH_BYTES_MAX];
    size_t count;
};
int kubepods_find(int cgroupfs, struct kubepods *out, struct error *error);

// Every pod's cgroup: its UID and its path below cgroupfs. error->code ENOENT: a root vanished, find them
// again.
typedef void (*kubepods_visit)(void *context, const char *uid, const char *path);
int kubepods_list(int cgroupfs, const struct kubepods *kubepods, kubepods_visit visit, void *context,
                  struct error *error);

// `cgroup`: a descriptor of a pod's cgroup. error->code ENOENT or ENODEV: the pod vanished, or the controller
// is off.
int cgroup_cpu_usage_us(int cgroup, uint64_t *out, struct error *error);
// memory.current less inactive_file: what the kubelet calls the working set.
int cgroup_working_set_bytes(int cgroup, uint64_t *out, struct error *error);
int cgroup_parse_key(struct lines *lines, const char *key, uint64_t *out, struct error *error); // "key value"

#endif

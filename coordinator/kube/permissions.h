// What this room is for: what the coordinator asks the API server to let it do: one table from which `check`
// asks, and with which the manifests' roles are compared. What it knows: RBAC's words. What it may not do:
// I/O.
#ifndef VPSIE_COORDINATOR_KUBE_PERMISSIONS_H
#define VPSIE_COORDINATOR_KUBE_PERMISSIONS_H

#include <stddef.h>

// Where a permission is needed.
enum permission_space { PERMISSION_CLUSTER, PERMISSION_OWN, PERMISSION_LEASE, PERMISSION_CREDENTIALS };
// On which object of that kind: any, or the one (or two) that a flag or the predecessor names.
enum permission_name {
    PERMISSION_ANY,
    PERMISSION_NAME_LEASE,
    PERMISSION_NAME_CREDENTIALS,
    PERMISSION_NAME_TLS,
    PERMISSION_NAME_CA,
    PERMISSION_NAME_HOOKS
};

struct permission {
    const char *group, *resource, *subresource; // "" for the core group, "" without a subresource
    const char *verb;
    enum permission_space space;
    enum permission_name name;
    const char *why; // what does not work without it
};

extern const struct permission permissions[];
extern const size_t permission_count;

// Names of the predecessor's webhook configurations.
#define PERMISSION_HOOK_WEBHOOK  "vpsie-autoscaler-webhook"
#define PERMISSION_HOOK_DELETION "vpsie-autoscaler-node-deletion"

#endif

// What this room is for: facts for tests of the model and of what stands on it, with everything that a test
// does not care about filled in plausibly. What it knows: facts.h. What it may not do: allocate; what it is
// given is borrowed.
#ifndef VPSIE_TESTS_SUPPORT_MAKE_FACTS_H
#define VPSIE_TESTS_SUPPORT_MAKE_FACTS_H

#include "coordinator/model/facts.h"

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

// Arrays in place, living as long as the block they are written in: LABELS({"a", "1"}, {"b", "2"}), sorted by
// key.
#define LABELS(...)                                                                                          \
    ((struct labels){.items = (const struct label[]){__VA_ARGS__},                                           \
                     .count = sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label)})
#define TAINTS(...)                                                                                          \
    ((struct taints){.items = (const struct taint[]){__VA_ARGS__},                                           \
                     .count = sizeof((const struct taint[]){__VA_ARGS__}) / sizeof(struct taint)})
#define VALUES(...)                                                                                          \
    .values = (const char *const[]){__VA_ARGS__},                                                            \
    .value_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static inline struct node_facts make_node(const char *name)
{
    return (struct node_facts){
        .name = name,
        .uid = name,
        .resource_version = "1",
        .capacity = {.cpu_millis = 4000, .memory_bytes = 8 * GIB, .ephemeral_bytes = 80 * GIB, .pods = 110},
        .allocatable = {.cpu_millis = 3900,
                        .memory_bytes = 7 * GIB,
                        .ephemeral_bytes = 70 * GIB,
                        .pods = 110},
        .ready = NODE_READY_TRUE,
        .ready_changed_ms = 1000,
        .created_ms = 1000,
        .provider_id = "",
        .hostname = name,
        .internal_ip = "",
        .external_ip = "",
        .kubelet_version = "v1.30.0",
    };
}

static inline struct pod_shape_facts make_shape(int64_t cpu_millis, int64_t memory_bytes)
{
    return (struct pod_shape_facts){
        .requests = {.cpu_millis = cpu_millis, .memory_bytes = memory_bytes, .pods = 1},
        .scheduler_name = "default-scheduler",
    };
}

static inline struct pod_facts make_pod(const char *name, const char *node_name, int64_t cpu_millis,
                                        int64_t memory_bytes)
{
    return (struct pod_facts){
        .space = "default",
        .name = name,
        .uid = name,
        .node_name = node_name,
        .nominated_node = "",
        .shape = make_shape(cpu_millis, memory_bytes),
        .phase = node_name[0] == '\0' ? POD_PENDING : POD_RUNNING,
        .controller_kind = "ReplicaSet",
        .controller_name = "web-5d9c",
        .controller_uid = "web-uid",
        .ready = node_name[0] != '\0',
        .unschedulable_message = "",
        .created_ms = 1000,
        .grace_seconds = 30,
        .safe_local_volumes = "",
    };
}

static inline struct budget_facts make_budget(const char *name, int32_t disruptions_allowed)
{
    return (struct budget_facts){
        .space = "default",
        .name = name,
        .uid = name,
        .disruptions_allowed = disruptions_allowed,
        .observed_generation = 1,
        .generation = 1,
    };
}

static inline struct daemonset_facts make_daemonset(const char *name, int64_t cpu_millis,
                                                    int64_t memory_bytes)
{
    return (struct daemonset_facts){
        .space = "kube-system", .name = name, .uid = name, .shape = make_shape(cpu_millis, memory_bytes)};
}

static inline struct nodegroup_facts make_group(const char *name)
{
    return (struct nodegroup_facts){
        .space = "kube-system",
        .name = name,
        .uid = name,
        .resource_version = "1",
        .generation = 1,
        .created_ms = 1000,
        .managed = true,
        .min_nodes = 1,
        .max_nodes = 10,
        .datacenter_id = "dc-1",
        .resource_identifier = "cluster-1",
        .project = "project-1",
        .kubernetes_version = "v1.30.0",
        .os_image_id = "",
        .preferred_instance_type = "",
        .notes = "",
        .allow_mixed_instances = true,
        .kube_size_id = 42,
        .invalid = "",
    };
}

static inline struct intention_facts make_intention(const char *name, const char *group_name)
{
    return (struct intention_facts){
        .space = "kube-system",
        .name = name,
        .uid = name,
        .resource_version = "1",
        .created_ms = 1000,
        .group_name = group_name,
        .owner_uid = "",
        .identifier = "",
        .instance_type = "",
        .datacenter_id = "dc-1",
        .resource_identifier = "cluster-1",
        .project = "project-1",
        .kubernetes_version = "v1.30.0",
        .node_name = "",
        .ip_address = "",
        .hostname = "",
        .last_error = "",
    };
}

static inline struct agent_report_facts make_report(const char *node_name, const char *start_id,
                                                    uint64_t sequence)
{
    return (struct agent_report_facts){
        .node_name = node_name,
        .start_id = start_id,
        .sequence = sequence,
        .received_ms = 1000 + (int64_t)sequence,
        .version = "1.0.0",
        .cpu_used_millis = 500,
        .memory_used_bytes = GIB,
        .memory_total_bytes = 8 * GIB,
        .directive_id = "",
    };
}

static inline struct pod_evidence_facts make_evidence(const char *uid, int64_t local_data_bytes)
{
    return (struct pod_evidence_facts){
        .uid = uid,
        .cpu_millis = 100,
        .memory_bytes = 64 * MIB,
        .local_data_bytes = local_data_bytes,
        .largest_volume = "cache",
        .largest_volume_bytes = local_data_bytes,
        .connections = 0,
        .unknown = "",
    };
}

#endif

// What this room is for: the state of the world: nodes, pods, budgets, groups, intentions, agents, the
// cloud's lists. What it knows: facts and how they belong together (a pod on a node, a node in a group, a
// machine behind a node). What it may not do: I/O, read a clock, decide. All strings are interned
// (strings.h): compare with ==.
#ifndef VPSIE_COORDINATOR_MODEL_CLUSTER_H
#define VPSIE_COORDINATOR_MODEL_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/model/facts.h"
#include "coordinator/model/strings.h"

// The keys we read and write, all in one place.
#define KEY_PREFIX                   "autoscaler.vpsie.com/"
#define KEY_MANAGED                  KEY_PREFIX "managed"
#define KEY_NODEGROUP                KEY_PREFIX "nodegroup"
#define KEY_VPSIENODE                KEY_PREFIX "vpsienode"
#define KEY_DATACENTER               KEY_PREFIX "datacenter"
#define KEY_OFFERING                 KEY_PREFIX "offering"
#define KEY_VPS_ID                   KEY_PREFIX "vps-id"
#define KEY_CREATION_REQUESTED       KEY_PREFIX "creation-requested"
#define KEY_CREATION_REASON          KEY_PREFIX "creation-reason"
#define KEY_PAUSED                   KEY_PREFIX "paused"
#define KEY_PROTECTED                KEY_PREFIX "protected"
#define KEY_SCALE_DOWN               KEY_PREFIX "scale-down"
#define KEY_SCALE_DOWN_DISABLED      KEY_PREFIX "scale-down-disabled"
#define KEY_SCALE_DOWN_ALLOWED_HOURS KEY_PREFIX "scale-down-allowed-hours"
#define KEY_DELETION_POLICY          KEY_PREFIX "deletion-policy"
#define KEY_CREATED_BY               KEY_PREFIX "created-by" // value CREATED_BY_US on every VPSieNode that we made
#define CREATED_BY_US                "vpsie-coordinator"
#define KEY_DRAINING_TAINT           KEY_PREFIX "draining"
#define KEY_CORDONED_BY              KEY_PREFIX "cordoned-by-us"
#define KEY_CA_SCALE_DOWN_DISABLED   "cluster-autoscaler.kubernetes.io/scale-down-disabled"

struct pod_shape {                // one copy of what equal pods ask for; never changes once made
    struct pod_shape_facts facts; // deep, interned
    uint64_t hash;
    uint32_t references;
    uint32_t id; // rises with every new shape: a deterministic order
};

struct pod {
    const char *space, *name, *uid;
    struct pod_shape *shape;
    struct node *node; // NULL until bound to a node we know
    const char *node_name, *nominated_node;
    struct pod *previous, *next; // in node->pods, or in cluster->unbound
    enum pod_phase phase;
    const char *controller_kind, *controller_name, *controller_uid;
    bool mirror, ready, unschedulable, gated, terminal, do_not_disrupt;
    enum tristate safe_to_evict;
    int64_t unschedulable_since_ms, created_ms, deletion_ms, grace_seconds;
    const char *unschedulable_message, *safe_local_volumes;
    const char **local_volumes;
    uint32_t local_volume_count;
    uint64_t sequence; // order of arrival in this model
    // decide/ keeps here what it said about a waiting pod; cleared when the pod changes
    const char *verdict; // interned, "" when nothing was said
    uint64_t verdict_decision_id;
};

struct pod_evidence { // what the agent said of a pod last
    const char *uid;
    int64_t cpu_millis, memory_bytes, local_data_bytes, connections; // -1: not known
    const char *largest_volume, *unknown;
    int64_t largest_volume_bytes;
};

struct verdict { // deep copy of an evidence_verdict
    enum evidence_state state;
    struct evidence_reason *reasons;
    uint32_t reason_count;
    int64_t evaluated_ms;
    int64_t received_ms;
    uint32_t pods_remaining;
};

struct agent {
    const char *node_name, *start_id, *version;
    uint64_t sequence;
    int64_t first_heard_ms, heard_ms;
    int64_t cpu_used_millis, memory_used_bytes, memory_total_bytes; // -1: not known
    double pressure_cpu_some60, pressure_memory_full60, pressure_io_full60;
    struct pod_evidence *pods; // sorted by uid
    uint32_t pod_count, pod_capacity;
    bool complete; // a complete set has been seen since the agent's start
    struct verdict verdict;
    const char *directive_id; // the newest directive the agent answered
    struct verdict directive_verdict;
    uint32_t inhibitor_count;
};

struct node {
    const char *name, *uid, *resource_version, *provider_id, *hostname, *internal_ip, *external_ip,
        *kubelet_version;
    struct labels labels, annotations;
    struct taints taints;
    struct resources capacity, allocatable;
    struct resources requested; // sum over bound, non-terminal pods
    uint32_t pod_count;         // of those
    struct pod *pods;           // in order of arrival, terminal ones too
    bool unschedulable, network_unavailable;
    enum node_ready ready;
    bool has_been_ready;
    int64_t ready_changed_ms, created_ms, deletion_ms;
    struct agent *agent;         // NULL: never heard
    struct intention *intention; // NULL: foreign, master, or not matched yet
    struct group *group;         // of the intention, else by label KEY_NODEGROUP with KEY_MANAGED=true
    // decide/scale_down keeps its windows here
    int64_t underused_since_ms; // 0: not underused now
};

struct budget {
    const char *space, *name, *uid;
    struct requirement *selector;
    uint32_t selector_count;
    bool selects_nothing;
    int32_t disruptions_allowed;
    bool current; // observed generation is the generation
};

struct daemonset {
    const char *space, *name, *uid;
    struct pod_shape *shape;
    bool being_deleted;
};

struct attachment {
    const char *name, *node_name, *volume_name;
    bool attached;
};

struct group {                     // NodeGroup
    struct nodegroup_facts facts;  // deep, interned
    struct intention **intentions; // sorted by (created_ms, name)
    uint32_t intention_count, intention_capacity;
    void *decide; // decide/'s own record of this group (struct group_life), freed by the hook below
};

struct intention {                // VPSieNode
    struct intention_facts facts; // deep, interned
    struct group *group;          // NULL: its NodeGroup is not there
    struct node *node;            // NULL: not joined
    void *decide;                 // decide/'s own record (struct life)
};

// VPSie's own lists, as last told. `at_ms` is when the answer arrived, 0: never.
struct cloud_cluster {
    const char *cluster; // resourceIdentifier
    struct machine_facts *machines;
    uint32_t machine_count;
    int64_t machines_at_ms;
    struct vpsie_group_facts *groups;
    uint32_t group_count;
    int64_t groups_at_ms;
};
struct cloud_offers {
    const char *datacenter_id;
    struct offer_facts *offers;
    uint32_t offer_count;
    int64_t at_ms;
};

struct cluster {
    struct strings *strings;
    // Each array is sorted by name (namespace/name where there is one): iteration is deterministic.
    struct node **nodes;
    uint32_t node_count, node_capacity;
    struct budget **budgets;
    uint32_t budget_count, budget_capacity;
    struct daemonset **daemonsets;
    uint32_t daemonset_count, daemonset_capacity;
    struct attachment **attachments;
    uint32_t attachment_count, attachment_capacity;
    struct group **groups;
    uint32_t group_count, group_capacity;
    struct intention **intentions;
    uint32_t intention_count, intention_capacity;
    struct agent **agents;
    uint32_t agent_count, agent_capacity;
    struct cloud_cluster *clouds;
    uint32_t cloud_count;
    struct cloud_offers *offers;
    uint32_t offers_count;
    struct pod *unbound; // pods with no (known) node, in order of arrival
    uint32_t pod_count;
    struct config_facts *config; // NULL: no AutoscalerConfig
    // Rises with every change that can alter where pods fit (nodes, pods, budgets, daemonsets, groups).
    uint64_t version;
    void (*free_group_decide)(void *decide); // set by decide/; may be NULL
    void (*free_intention_decide)(void *decide);
    struct cluster_tables *tables; // hash tables; private
};

struct cluster *cluster_create(void);
void cluster_destroy(struct cluster *cluster);

// Insert or update; returns what is now there. Facts are copied. Links (pod→node, node→intention,
// intention→group) are kept true whichever side arrives first. Beyond FACTS_NODES_MAX / FACTS_PODS_MAX: NULL,
// nothing changed.
struct node *cluster_put_node(struct cluster *cluster, const struct node_facts *facts);
struct pod *cluster_put_pod(struct cluster *cluster, const struct pod_facts *facts);
struct budget *cluster_put_budget(struct cluster *cluster, const struct budget_facts *facts);
struct daemonset *cluster_put_daemonset(struct cluster *cluster, const struct daemonset_facts *facts);
struct attachment *cluster_put_attachment(struct cluster *cluster,
                                          const struct volume_attachment_facts *facts);
struct group *cluster_put_group(struct cluster *cluster, const struct nodegroup_facts *facts);
struct intention *cluster_put_intention(struct cluster *cluster, const struct intention_facts *facts);
void cluster_put_config(struct cluster *cluster, const struct config_facts *facts); // NULL removes
// Merge a report (complete set or delta) into the node's agent. Returns NULL for a stale sequence of the same
// start.
struct agent *cluster_put_report(struct cluster *cluster, const struct agent_report_facts *facts);
// Replace a list.
struct cloud_cluster *cluster_put_machines(struct cluster *cluster, const char *vpsie_cluster, int64_t at_ms,
                                           const struct machine_facts *machines, uint32_t count);
struct cloud_cluster *cluster_put_vpsie_groups(struct cluster *cluster, const char *vpsie_cluster,
                                               int64_t at_ms, const struct vpsie_group_facts *groups,
                                               uint32_t count);
struct cloud_offers *cluster_put_offers(struct cluster *cluster, const char *datacenter_id, int64_t at_ms,
                                        const struct offer_facts *offers, uint32_t count);

// A uid that is given and does not match what is there: nothing happens (a younger object has the name).
// False then.
bool cluster_remove_node(struct cluster *cluster, const char *name, const char *uid);
bool cluster_remove_pod(struct cluster *cluster, const char *space, const char *name, const char *uid);
bool cluster_remove_budget(struct cluster *cluster, const char *space, const char *name);
bool cluster_remove_daemonset(struct cluster *cluster, const char *space, const char *name);
bool cluster_remove_attachment(struct cluster *cluster, const char *name);
bool cluster_remove_group(struct cluster *cluster, const char *space, const char *name);
bool cluster_remove_intention(struct cluster *cluster, const char *space, const char *name);

// NULL when not there. Names need not be interned.
struct node *cluster_node(const struct cluster *cluster, const char *name);
struct node *cluster_node_fold(const struct cluster *cluster,
                               const char *hostname); // case-insensitive name or hostname
struct node *cluster_node_by_ip(const struct cluster *cluster, const char *ip);
struct pod *cluster_pod(const struct cluster *cluster, const char *space, const char *name);
struct pod *cluster_pod_by_uid(const struct cluster *cluster, const char *uid);
struct group *cluster_group(const struct cluster *cluster, const char *space,
                            const char *name); // space NULL: any
struct intention *cluster_intention(const struct cluster *cluster, const char *space, const char *name);
struct agent *cluster_agent(const struct cluster *cluster, const char *node_name);
struct cloud_cluster *cluster_cloud(const struct cluster *cluster, const char *vpsie_cluster);
struct cloud_offers *cluster_offers(const struct cluster *cluster, const char *datacenter_id);
const struct pod_evidence *agent_pod(const struct agent *agent, const char *uid);

// Tie a node to an intention (decide/ has matched them), or untie with NULL.
void cluster_bind(struct cluster *cluster, struct intention *intention, struct node *node);

// Is this pod part of its node's own furniture (DaemonSet or mirror pod)?
bool pod_is_furniture(const struct pod *pod);
// Does the budget select the pod (same namespace, selector matches)?
bool budget_selects(const struct budget *budget, const struct pod *pod);
const char *labels_get(const struct labels *labels,
                       const char *key); // NULL when absent; key need not be interned
bool requirement_matches(const struct requirement *requirement, const struct labels *labels);

#endif

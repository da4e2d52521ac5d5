// What this room is for: the state of the world: nodes, pods, budgets, groups, intentions, agents, the
// cloud's lists. What it knows: facts and how they belong together (a pod on a node, a node in a group, a
// machine behind a node). What it may not do: I/O, read a clock, decide.
//
// Whose strings: never NULL. Names (namespaces; names of nodes, groups, intentions, budgets, DaemonSets;
// label and annotation keys; taint keys; names of resources; kinds; reason codes) are interned for ever: keep
// and compare them as you like. Other words (label and taint values, controllers, data centres, identifiers,
// hostnames, addresses, sizes, versions, statuses) are interned while an object has them: compare with ==,
// but to keep one beyond the object, intern it. Long or ever-changing texts (uids, names of pods and volume
// attachments, resource versions, annotation values, messages, details) are the object's own: compare with
// text_equal(), copy to keep.
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
#define KEY_NODEGROUP_NAMESPACE      KEY_PREFIX "nodegroup-namespace"
#define KEY_VPSIENODE                KEY_PREFIX "vpsienode"
#define KEY_DATACENTER               KEY_PREFIX "datacenter"
#define KEY_OFFERING                 KEY_PREFIX "offering"
#define KEY_VPS_ID                   KEY_PREFIX "vps-id"
#define KEY_CREATION_REQUESTED       KEY_PREFIX "creation-requested"
#define KEY_CREATION_REASON          KEY_PREFIX "creation-reason"
#define KEY_PAUSED                   KEY_PREFIX "paused"
#define KEY_CONSOLIDATION            KEY_PREFIX "consolidation"
#define KEY_PROTECTED                KEY_PREFIX "protected"
#define KEY_SCALE_DOWN               KEY_PREFIX "scale-down"
#define KEY_SCALE_DOWN_DISABLED      KEY_PREFIX "scale-down-disabled"
#define KEY_SCALE_DOWN_ALLOWED_HOURS KEY_PREFIX "scale-down-allowed-hours"
#define KEY_MAX_HOURLY_PRICE         KEY_PREFIX "max-hourly-price"
#define KEY_PRIORITY                 KEY_PREFIX "priority"
#define KEY_DELETION_POLICY          KEY_PREFIX "deletion-policy"
#define KEY_CREATED_BY               KEY_PREFIX "created-by" // value CREATED_BY_US on every VPSieNode that we made
#define CREATED_BY_US                "vpsie-coordinator"
#define KEY_DRAINING_TAINT           KEY_PREFIX "draining"
#define KEY_CORDONED_BY              KEY_PREFIX "cordoned-by-us"
#define KEY_CA_SCALE_DOWN_DISABLED   "cluster-autoscaler.kubernetes.io/scale-down-disabled"

struct pod_shape {                // one copy of what equal pods ask for; never changes once made
    struct pod_shape_facts facts; // deep, interned
    const char *space;            // namespace of all its pods; NULL: not of a model (made by hand)
    uint64_t hash;
    uint32_t references;
    uint32_t id; // from 1, rises with every new shape: a deterministic order
    // The same for shapes that differ in nothing but labels and namespace: what such pods ask for themselves
    // is the same, but the terms of other pods may tell them apart. 0: not of a model.
    uint32_t kind_id;
    struct pod_kind *kind; // private
    // Its pods on nodes that we know (terminal ones left out), along shape_next, in no order that matters.
    struct pod *pods;
};

struct pod {
    const char *space, *name, *uid;
    struct pod_shape *shape;
    struct node *node; // NULL until bound to a node we know
    const char *node_name, *nominated_node;
    struct pod *previous, *next; // in node->pods, in cluster->unbound or in a stray's pods
    const char *controller_kind, *controller_name, *controller_uid;
    int64_t unschedulable_since_ms, created_ms, deletion_ms, grace_seconds;
    const char *unschedulable_message, *safe_local_volumes;
    const char **local_volumes;
    const char **claims;                     // names of PersistentVolumeClaims in its namespace
    struct pod *shape_previous, *shape_next; // in shape->pods, while it is there
    uint64_t sequence;                       // order of arrival in this model
    // decide/ keeps here what it said about a waiting pod; cleared when the pod changes
    const char *verdict; // interned for ever, "" when nothing was said
    uint64_t verdict_decision_id;
    uint32_t local_volume_count, claim_count;
    enum pod_phase phase;
    enum tristate safe_to_evict;
    bool mirror, ready, unschedulable, gated, terminal, do_not_disrupt;
    bool counted; // private: its requests are in node->requested
};

// Pods that name a node which is not there (yet, or any more): they come to it when it arrives.
struct stray {
    const char *node_name;
    struct pod *pods, *last_pod; // in order of arrival
    uint32_t pod_count;
    struct stray *previous, *next; // in cluster->strays
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
    char *previous_start_id; // private: a late report of the process before is stale, too
};
// More evidence than this is not kept; the agent then does not count as complete.
#define AGENT_PODS_MAX 4096u

struct node {
    const char *name, *uid, *resource_version, *provider_id, *hostname, *internal_ip, *external_ip,
        *kubelet_version;
    struct labels labels, annotations;
    struct taints taints;
    struct resources capacity, allocatable;
    struct resources requested;  // sum over bound, non-terminal pods
    uint32_t pod_count;          // of those
    struct pod *pods, *last_pod; // in order of arrival, terminal ones too
    bool unschedulable, network_unavailable;
    enum node_ready ready;
    bool has_been_ready; // Ready was seen true by this model since the node (this uid) appeared
    int64_t ready_changed_ms, created_ms, deletion_ms;
    struct agent *agent;         // NULL: never heard
    struct intention *intention; // NULL: foreign, master, or not matched yet
    struct group *group;         // of the intention, else by label KEY_NODEGROUP with KEY_MANAGED=true
    // decide/scale_down keeps its windows here
    int64_t underused_since_ms; // 0: not underused now
    int64_t drifts_since_ms;    // decide/replace: since when it is to be replaced, 0: it is not
    struct keep *memory;        // private
};

struct budget {
    const char *space, *name, *uid;
    struct requirement *selector;
    uint32_t selector_count;
    bool selects_nothing;
    int32_t disruptions_allowed;
    bool current;        // observed generation is the generation
    struct keep *memory; // private
};

struct daemonset {
    const char *space, *name, *uid;
    struct pod_shape *shape;
    bool being_deleted;
    char *uid_memory; // private
};

struct attachment {
    const char *name, *node_name, *volume_name;
    bool attached;
    struct keep *memory; // private
};

struct space { // Namespace
    struct namespace_facts facts;
    struct keep *memory; // private; here and below
};
struct claim { // PersistentVolumeClaim
    struct claim_facts facts;
    struct keep *memory;
};
struct volume { // PersistentVolume
    struct volume_facts facts;
    struct keep *memory;
};
struct storage_class {
    struct storage_class_facts facts;
    struct keep *memory;
};
struct csi_node {
    struct csi_node_facts facts;
    struct keep *memory;
};

struct group {                     // NodeGroup
    struct nodegroup_facts facts;  // deep, interned
    struct intention **intentions; // sorted by (created_ms, name)
    uint32_t intention_count, intention_capacity;
    void *decide;        // decide/'s own record of this group (struct group_life), freed by the hook below
    struct keep *memory; // private
};

struct intention {                // VPSieNode
    struct intention_facts facts; // deep, interned
    struct group *group;          // NULL: its NodeGroup is not there
    struct node *node;            // NULL: not joined
    void *decide;                 // decide/'s own record (struct life)
    struct keep *memory;          // private
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
    struct keep *machines_memory, *groups_memory; // private
};
struct cloud_offers {
    const char *datacenter_id;
    struct offer_facts *offers;
    uint32_t offer_count;
    int64_t at_ms;
    struct keep *memory; // private
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
    struct space **spaces;
    uint32_t space_count, space_capacity;
    struct claim **claims;
    uint32_t claim_count, claim_capacity;
    struct volume **volumes;
    uint32_t volume_count, volume_capacity;
    struct storage_class **storage_classes;
    uint32_t storage_class_count, storage_class_capacity;
    struct csi_node **csi_nodes;
    uint32_t csi_node_count, csi_node_capacity;
    struct group **groups;
    uint32_t group_count, group_capacity;
    struct intention **intentions;
    uint32_t intention_count, intention_capacity;
    struct agent **agents;
    uint32_t agent_count, agent_capacity;
    struct cloud_cluster *clouds;
    uint32_t cloud_count, cloud_capacity;
    struct cloud_offers *offers;
    uint32_t offers_count, offers_capacity;
    struct pod *unbound, *last_unbound; // pods that name no node, in order of arrival
    uint32_t unbound_count;
    struct stray *strays, *last_stray; // pods that name a node we do not know, in order of its first pod
    uint32_t stray_count;
    uint32_t pod_count;          // all of them, terminal ones too
    struct config_facts *config; // NULL: no AutoscalerConfig
    // Rises with every change that can alter where pods fit or who wants what: anything about a node, budget,
    // DaemonSet, namespace, claim, volume, storage class, CSI node, group, intention or the config; of a pod
    // all but ready and the scheduler's message; VPSie's sizes, prices and groups. Not with resource
    // versions, statuses that we write, agents, VolumeAttachments, machines, nor with telling again what is
    // known.
    uint64_t version;
    void (*free_group_decide)(void *decide); // set by decide/; may be NULL
    void (*free_intention_decide)(void *decide);
    struct cluster_tables *tables; // hash tables; private
};

struct cluster *cluster_create(void);
void cluster_destroy(struct cluster *cluster);

// Insert or update; returns what is now there. Facts are copied. Beyond FACTS_NODES_MAX / FACTS_PODS_MAX:
// NULL, nothing changed. A node, pod, group or intention with the same name but another uid is a new one: the
// old one is removed first (pods stay with the node's name; the agent's evidence of the old node is
// forgotten).
//
// Links are kept true whichever side arrives first:
// - a pod is on the node that it names;
// - an intention is in the group of its own namespace that it names;
// - a node is an intention's when its label KEY_VPSIENODE names it, else when the intention's node_name names
// the
//   node, else by cluster_bind(). One to one; a tie lasts until one side is removed, cluster_bind() says
//   otherwise, or a label names another intention;
// - a node is in its intention's group, else in the group that its label KEY_NODEGROUP names when KEY_MANAGED
// is
//   "true" (in the namespace of its label or annotation KEY_NODEGROUP_NAMESPACE when it has one).
struct node *cluster_put_node(struct cluster *cluster, const struct node_facts *facts);
struct pod *cluster_put_pod(struct cluster *cluster, const struct pod_facts *facts);
struct budget *cluster_put_budget(struct cluster *cluster, const struct budget_facts *facts);
struct daemonset *cluster_put_daemonset(struct cluster *cluster, const struct daemonset_facts *facts);
struct attachment *cluster_put_attachment(struct cluster *cluster,
                                          const struct volume_attachment_facts *facts);
struct space *cluster_put_space(struct cluster *cluster, const struct namespace_facts *facts);
struct claim *cluster_put_claim(struct cluster *cluster, const struct claim_facts *facts);
struct volume *cluster_put_volume(struct cluster *cluster, const struct volume_facts *facts);
struct storage_class *cluster_put_storage_class(struct cluster *cluster,
                                                const struct storage_class_facts *facts);
struct csi_node *cluster_put_csi_node(struct cluster *cluster, const struct csi_node_facts *facts);
struct group *cluster_put_group(struct cluster *cluster, const struct nodegroup_facts *facts);
struct intention *cluster_put_intention(struct cluster *cluster, const struct intention_facts *facts);
void cluster_put_config(struct cluster *cluster, const struct config_facts *facts); // NULL removes
// Merge a report (complete set or delta) into the node's agent. Returns NULL, nothing changed, for a sequence
// that is not newer than the last of the same start, and for a late report of the start before. A new start
// forgets all evidence until its first complete set. An agent may speak before its node is known; of more
// than FACTS_NODES_MAX agents those without a node go first, the longest silent before others, and when all
// have one the newcomer is NULL, too.
struct agent *cluster_put_report(struct cluster *cluster, const struct agent_report_facts *facts);
// Replace a list. The pointers returned here and by cluster_cloud(), cluster_offers() are valid until the
// next cluster or data centre is first heard of.
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
bool cluster_remove_space(struct cluster *cluster, const char *name);
bool cluster_remove_claim(struct cluster *cluster, const char *space, const char *name);
bool cluster_remove_volume(struct cluster *cluster, const char *name);
bool cluster_remove_storage_class(struct cluster *cluster, const char *name);
bool cluster_remove_csi_node(struct cluster *cluster, const char *name);
bool cluster_remove_group(struct cluster *cluster, const char *space, const char *name);
bool cluster_remove_intention(struct cluster *cluster, const char *space, const char *name);

// NULL when not there. Names need not be interned.
struct node *cluster_node(const struct cluster *cluster, const char *name);
// By name or hostname, whatever the case; by internal or external address. Of several (an old Node object can
// linger beside its successor): one that is not being deleted, then the youngest, then the first by name.
// NULL for "".
struct node *cluster_node_fold(const struct cluster *cluster, const char *hostname);
struct node *cluster_node_by_ip(const struct cluster *cluster, const char *ip);
struct pod *cluster_pod(const struct cluster *cluster, const char *space, const char *name);
struct pod *cluster_pod_by_uid(const struct cluster *cluster, const char *uid);
struct group *cluster_group(const struct cluster *cluster, const char *space,
                            const char *name); // space NULL: any, the first by namespace
struct intention *cluster_intention(const struct cluster *cluster, const char *space,
                                    const char *name); // space NULL: the same
struct space *cluster_space(const struct cluster *cluster, const char *name);
struct claim *cluster_claim(const struct cluster *cluster, const char *space, const char *name);
struct volume *cluster_volume(const struct cluster *cluster, const char *name);
struct storage_class *cluster_storage_class(const struct cluster *cluster, const char *name);
struct csi_node *cluster_csi_node(const struct cluster *cluster, const char *node_name);
struct agent *cluster_agent(const struct cluster *cluster, const char *node_name);
struct cloud_cluster *cluster_cloud(const struct cluster *cluster, const char *vpsie_cluster);
struct cloud_offers *cluster_offers(const struct cluster *cluster, const char *datacenter_id);
const struct pod_evidence *agent_pod(const struct agent *agent, const char *uid);

// Tie a node to an intention (decide/ has matched them), or untie with NULL. Whoever either was tied to
// before is untied.
void cluster_bind(struct cluster *cluster, struct intention *intention, struct node *node);

// Every shape that a pod or DaemonSet has, one a call, NULL at the end, in no order that matters; `cursor`
// starts at 0. The cluster must not change in between.
const struct pod_shape *cluster_next_shape(const struct cluster *cluster, uint32_t *cursor);

// Is this pod part of its node's own furniture (DaemonSet or mirror pod)?
bool pod_is_furniture(const struct pod *pod);
// Does the budget select the pod (same namespace, selector matches)?
bool budget_selects(const struct budget *budget, const struct pod *pod);
const char *labels_get(const struct labels *labels,
                       const char *key); // NULL when absent; key need not be interned
// As Kubernetes matches label selectors and node selectors: NotIn and DoesNotExist hold for an absent key; Gt
// and Lt compare integers and hold for nothing else.
bool requirement_matches(const struct requirement *requirement, const struct labels *labels);
bool selector_matches(const struct selector *selector, const struct labels *labels);

#endif

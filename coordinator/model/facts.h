// What this room is for: facts about the world as the doors hand them in: plain data, checked and bounded,
// every string owned by the arena of the event that carries it. What it knows: Kubernetes' and VPSie's
// vocabulary. What it may not do: hold state, policy, or a pointer into a door. The model (cluster.h) copies
// what it keeps.
#ifndef VPSIE_COORDINATOR_MODEL_FACTS_H
#define VPSIE_COORDINATOR_MODEL_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#define FACTS_NODES_MAX 15000u
#define FACTS_PODS_MAX  300000u

// All times are Unix milliseconds; 0 means absent. Strings are never NULL unless stated: absent is "".

struct label {
    const char *key;
    const char *value;
};
struct labels { // sorted by key, keys unique
    const struct label *items;
    uint32_t count;
};

enum taint_effect { TAINT_NO_SCHEDULE, TAINT_PREFER_NO_SCHEDULE, TAINT_NO_EXECUTE };
struct taint {
    const char *key;
    const char *value;
    enum taint_effect effect;
};
struct taints {
    const struct taint *items;
    uint32_t count;
};

enum toleration_operator { TOLERATION_EQUAL, TOLERATION_EXISTS, TOLERATION_LT, TOLERATION_GT };
struct toleration {
    const char *key; // "": every key (with EXISTS)
    const char *value;
    enum toleration_operator operator;
    bool any_effect;
    enum taint_effect effect;
};

enum selector_operator {
    SELECTOR_IN,
    SELECTOR_NOT_IN,
    SELECTOR_EXISTS,
    SELECTOR_DOES_NOT_EXIST,
    SELECTOR_GT,
    SELECTOR_LT
};
struct requirement {
    const char *key;
    enum selector_operator operator;
    const char *const *values;
    uint32_t value_count;
};
// One nodeSelectorTerm: all requirements must hold. Without any requirement it matches nothing.
struct node_term {
    const struct requirement *expressions;
    uint32_t expression_count;
    const struct requirement *fields; // matchFields: metadata.name only
    uint32_t field_count;
};

struct extended_resource {
    const char *name;
    int64_t amount;
};
// Amounts as the scheduler counts them: cpu in millis (rounded up), all else in units (bytes, pods; rounded
// up).
struct resources {
    int64_t cpu_millis;
    int64_t memory_bytes;
    int64_t ephemeral_bytes;
    int64_t pods;
    const struct extended_resource *extended; // sorted by name
    uint32_t extended_count;
};

// A label selector: all requirements must hold; without any it selects everything; `nothing`: a null
// selector.
struct selector {
    const struct requirement *requirements;
    uint32_t requirement_count;
    bool nothing;
};

// One required term of inter-pod affinity or anti-affinity. matchLabelKeys and mismatchLabelKeys are in the
// selector already (In and NotIn with the pod's own value, for the keys the pod has).
struct pod_term {
    const char *topology_key;
    struct selector selector;
    const char *const *spaces; // namespaces; the pod's own stands here when the term names none
    uint32_t space_count;
    struct selector space_selector; // namespaceSelector, besides `spaces`; `nothing` without one
};

// One topology spread constraint with DoNotSchedule, of pods in the pod's own namespace.
struct spread_constraint {
    const char *topology_key;
    struct selector selector; // matchLabelKeys are in it already
    const char *space;
    int32_t max_skew;
    int32_t min_domains; // 1 when not given
    bool honor_affinity; // nodeAffinityPolicy: Honor (the default)
    bool honor_taints;   // nodeTaintsPolicy: Honor (the default is Ignore)
};

enum port_protocol { PORT_TCP, PORT_UDP, PORT_SCTP };
struct host_port {  // in conflict: the same port and protocol, and the same address or either is any
    const char *ip; // "0.0.0.0" (which an empty one and "::" become): any
    int32_t port;
    enum port_protocol protocol;
};

// What a pod asks for beyond the rules that schedule/ knows. A pod with any of these is neither promised a
// machine nor moved; the reason is shown. An affinity, spread, port or volume that was read stands in its own
// field, and its bit is not set.
enum pod_needs {
    POD_NEEDS_POD_AFFINITY = 1 << 0, // these four: read into fields of their own, never set by the door
    POD_NEEDS_SPREAD = 1 << 1,
    POD_NEEDS_VOLUME = 1 << 2,
    POD_NEEDS_HOST_PORT = 1 << 3,
    POD_NEEDS_RESOURCE_CLAIM = 1 << 4, // dynamic resource allocation
    POD_NEEDS_UNREADABLE = 1 << 5,     // something in its rules or requests could not be understood
};

// What decides where a pod can run; the same for every pod of a controller's template.
struct pod_shape_facts {
    struct resources
        requests; // effective: containers, init containers, sidecars, overhead, pod level; pods = 1
    struct labels labels;
    struct labels node_selector;
    const struct node_term *affinity_terms; // required node affinity: any term must match
    uint32_t affinity_term_count;
    bool has_affinity; // required node affinity present (with zero terms it matches nothing)
    const struct toleration *tolerations;
    uint32_t toleration_count;
    const struct pod_term *pod_affinity; // required; all must hold
    uint32_t pod_affinity_count;
    const struct pod_term *pod_anti_affinity;
    uint32_t pod_anti_affinity_count;
    const struct spread_constraint *spread;
    uint32_t spread_count;
    const struct host_port *host_ports;
    uint32_t host_port_count;
    uint32_t needs; // enum pod_needs
    int32_t priority;
    const char *scheduler_name;
};

enum pod_phase { POD_PENDING, POD_RUNNING, POD_SUCCEEDED, POD_FAILED, POD_PHASE_UNKNOWN };
// Every NodeGroup or VPSieNode was deleted at once: held, until an operator says that it was meant.
enum mass_deletion { MASS_DELETION_NONE, MASS_DELETION_HELD, MASS_DELETION_ACCEPTED };
enum tristate { TRISTATE_UNSET, TRISTATE_FALSE, TRISTATE_TRUE };

struct pod_facts {
    const char *space; // namespace
    const char *name;
    const char *uid;
    const char *node_name;      // "" until bound
    const char *nominated_node; // preemption is serving it
    struct pod_shape_facts shape;
    enum pod_phase phase;
    const char *controller_kind; // controller owner reference, "" without one
    const char *controller_name;
    const char *controller_uid;
    bool mirror; // static pod (kubernetes.io/config.mirror)
    bool ready;
    bool unschedulable; // condition PodScheduled=False, reason Unschedulable
    bool gated;         // scheduling gates left
    int64_t unschedulable_since_ms;
    const char *unschedulable_message;
    int64_t created_ms;
    int64_t deletion_ms; // metadata.deletionTimestamp (already includes the grace period), 0 when not being
                         // deleted
    int64_t grace_seconds;
    bool terminal; // phase Succeeded or Failed
    // What may be moved (annotations, volumes)
    enum tristate safe_to_evict; // cluster-autoscaler.kubernetes.io/safe-to-evict
    bool do_not_disrupt;         // karpenter.sh/do-not-disrupt or autoscaler.vpsie.com/do-not-disrupt "true"
    const char
        *safe_local_volumes; // comma list of cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes
    const char *const *local_volumes; // names of emptyDir (non-memory) and hostPath volumes
    uint32_t local_volume_count;
    // PersistentVolumeClaims in its namespace; a generic ephemeral volume's is "<pod>-<volume>"
    const char *const *claims;
    uint32_t claim_count;
};

struct namespace_facts {
    const char *name;
    struct labels labels;
};

struct claim_facts { // PersistentVolumeClaim
    const char *space;
    const char *name;
    const char *uid;
    const char *volume_name;   // "" until bound
    const char *class_name;    // StorageClass
    bool bound;                // phase Bound
    bool lost;                 // phase Lost
    bool one_pod_only;         // ReadWriteOncePod
    const char *selected_node; // annotation volume.kubernetes.io/selected-node, "" without
    int64_t deletion_ms;
};

struct volume_facts { // PersistentVolume
    const char *name;
    const char *uid;
    const char *driver;                     // CSI driver, "" for another kind
    const char *handle;                     // CSI volume handle
    const struct node_term *affinity_terms; // required node affinity
    uint32_t affinity_term_count;
    bool has_affinity;
    struct labels labels; // topology.kubernetes.io/zone and region (and their beta names) bind, too
};

struct storage_class_facts {
    const char *name;
    const char *provisioner;                    // CSI driver
    bool waits_for_consumer;                    // volumeBindingMode WaitForFirstConsumer
    bool no_provisioner;                        // kubernetes.io/no-provisioner: only what exists can be bound
    const struct node_term *allowed_topologies; // each term's expressions are In
    uint32_t allowed_topology_count;
};

struct csi_driver_limit {
    const char *driver;
    int32_t volumes_max; // allocatable.count; < 0: no limit
};
struct csi_node_facts {
    const char *name;                       // of the node
    const struct csi_driver_limit *drivers; // sorted by driver
    uint32_t driver_count;
};

enum node_ready { NODE_READY_UNKNOWN, NODE_READY_FALSE, NODE_READY_TRUE };
struct node_facts {
    const char *name;
    const char *uid;
    const char *resource_version;
    struct labels labels;
    struct labels annotations; // only those under autoscaler.vpsie.com/, cluster-autoscaler.kubernetes.io/
    struct taints taints;
    struct resources capacity;
    struct resources allocatable;
    bool unschedulable;
    enum node_ready ready;
    int64_t ready_changed_ms; // lastTransitionTime of the Ready condition
    int64_t created_ms;
    int64_t deletion_ms;
    const char *provider_id;
    const char *hostname; // status.addresses Hostname, else ""
    const char *internal_ip;
    const char *external_ip;
    const char *kubelet_version;
    bool network_unavailable;
};

struct budget_facts { // PodDisruptionBudget
    const char *space;
    const char *name;
    const char *uid;
    const struct requirement *selector; // all must hold; matchLabels are SELECTOR_IN with one value
    uint32_t selector_count;
    bool selects_nothing; // null selector (an empty one selects every pod of the namespace)
    int32_t disruptions_allowed;
    int64_t observed_generation;
    int64_t generation;
};

struct daemonset_facts {
    const char *space;
    const char *name;
    const char *uid;
    struct pod_shape_facts shape; // of its template, with the tolerations the controller adds
    bool being_deleted;
};

struct volume_attachment_facts {
    const char *name;
    const char *node_name;
    const char *volume_name;
    bool attached;
};

// ------------------------------------------------------------------------------
// autoscaler.vpsie.com/v1alpha1

struct scale_policy_facts {
    bool enabled;
    int64_t stabilization_seconds;
    int32_t cpu_threshold_percent;
    int32_t memory_threshold_percent;
    int64_t cooldown_seconds; // scale down only
};

enum distribution { DISTRIBUTION_BALANCED, DISTRIBUTION_WEIGHTED, DISTRIBUTION_PRIMARY_BACKUP };
struct region_weight {
    const char *datacenter_id;
    int32_t weight;
};
struct multi_region_facts {
    bool enabled;
    const char *const *datacenter_ids;
    uint32_t datacenter_count;
    enum distribution distribution;
    const struct region_weight *weights; // sorted by data centre
    uint32_t weight_count;
    const char *primary;
    int32_t nodes_per_region_min;
};

enum cost_strategy { COST_AUTO, COST_MANUAL, COST_AGGRESSIVE, COST_CONSERVATIVE };
struct cost_facts { // costOptimization
    bool enabled;
    enum cost_strategy strategy;
    int64_t interval_seconds;
    double monthly_savings_min;
    int32_t performance_impact_max_percent;
    bool require_approval;
};

// How many nodes may be disturbed at once, by whatever takes nodes away of its own will.
struct disruption_budget_facts {
    int32_t nodes_max;         // < 0: `percent` counts
    int32_t percent;           // of the group's nodes, rounded up
    const char *schedule;      // five fields of cron, UTC; "" always
    int64_t duration_seconds;  // from each start of the schedule
    const char *const *groups; // NodeGroups it holds for; none: all, each by itself
    uint32_t group_count;
    uint32_t reasons; // enum disruption_reason; 0: all
};
enum disruption_reason {
    DISRUPTION_EMPTY = 1 << 0,
    DISRUPTION_UNDERUSED = 1 << 1,
    DISRUPTION_CONSOLIDATION = 1 << 2,
    DISRUPTION_REPLACEMENT = 1 << 3
};

struct condition_facts {
    const char *type;
    enum tristate status; // UNSET is "Unknown"
    const char *reason;
    const char *message;
    int64_t transition_ms;
};

struct nodegroup_facts {
    const char *space;
    const char *name;
    const char *uid;
    const char *resource_version;
    int64_t generation;
    int64_t created_ms;
    int64_t deletion_ms;
    struct labels labels;
    struct labels annotations; // all under autoscaler.vpsie.com/
    bool managed;              // label autoscaler.vpsie.com/managed=true
    bool has_finalizer;        // nodegroup.autoscaler.vpsie.com/finalizer
    // spec, defaults applied
    int32_t min_nodes;
    int32_t max_nodes;
    const char *datacenter_id;
    const char *resource_identifier; // the VPSie cluster
    const char *project;
    const char *const *offering_ids;
    uint32_t offering_count;
    const char *kubernetes_version;
    const char *os_image_id;
    const char *preferred_instance_type;
    const char *notes;
    bool allow_mixed_instances;
    int64_t kube_size_id; // 0: unset
    struct labels node_labels;
    struct taints node_taints;
    const char *const *ssh_key_ids;
    uint32_t ssh_key_count;
    uint32_t tag_count;
    bool spot_enabled;
    bool multi_region_enabled;
    struct multi_region_facts multi_region;
    struct cost_facts cost;
    struct scale_policy_facts scale_up;
    struct scale_policy_facts scale_down;
    // status as stored
    int64_t status_vpsie_group_id;
    int32_t status_desired_nodes;
    int64_t status_last_scale_up_ms;
    int64_t status_last_scale_down_ms;
    const struct condition_facts *conditions;
    uint32_t condition_count;
    const char *invalid;  // "" or what is wrong with the spec: the group is then kept as it is and shown with
                          // this text
    const char *doubtful; // "" or what is wrong with multiRegion or costOptimization: left out, and said
};

enum intention_phase { // VPSieNode status.phase
    INTENTION_PENDING,
    INTENTION_PROVISIONING,
    INTENTION_PROVISIONED,
    INTENTION_JOINING,
    INTENTION_READY,
    INTENTION_TERMINATING,
    INTENTION_DELETING,
    INTENTION_FAILED
};

struct intention_facts { // VPSieNode
    const char *space;
    const char *name;
    const char *uid;
    const char *resource_version;
    int64_t created_ms;
    int64_t deletion_ms;
    bool has_finalizer; // vpsienode.autoscaler.vpsie.com/finalizer
    struct labels labels;
    struct labels annotations; // all under autoscaler.vpsie.com/
    const char *group_name;    // spec.nodeGroupName
    const char *owner_uid;     // controller reference: the NodeGroup's uid, "" without
    int64_t vpsie_instance_id;
    const char *identifier; // spec.vpsieNodeIdentifier
    int64_t vpsie_group_id;
    const char *instance_type;
    const char *datacenter_id;
    const char *resource_identifier;
    const char *project;
    const char *kubernetes_version;
    const char *node_name; // spec.nodeName, else status.nodeName
    const char *ip_address;
    enum intention_phase phase; // an empty stored phase is PENDING
    const char *hostname;       // status.hostname
    int64_t status_created_ms;
    int64_t provisioned_ms;
    int64_t joined_ms;
    int64_t ready_ms;
    int64_t terminating_ms;
    int64_t deleted_ms;
    const char *last_error;
};

struct config_facts { // AutoscalerConfig named "default"
    const char *uid;
    const char *resource_version;
    int64_t generation;
    bool paused; // annotation autoscaler.vpsie.com/paused: "true"
    int64_t scale_up_cooldown_seconds;
    int64_t scale_down_cooldown_seconds;
    int32_t max_concurrent_scale_ups;
    int32_t max_concurrent_scale_downs;
    int32_t max_cluster_workers; // 0: no limit
    int64_t unschedulable_grace_seconds;
    bool dynamic_groups;
    bool rebalancing;
    int64_t node_ready_timeout_seconds;
    int64_t pod_eviction_timeout_seconds;
    bool consolidation;                            // annotation autoscaler.vpsie.com/consolidation: enabled
    const struct disruption_budget_facts *budgets; // spec.disruptionBudgets
    uint32_t budget_count;
    const struct nodegroup_facts *group_defaults; // spec.nodeGroupDefaults, NULL without; `space` as given
    const char *invalid;
};

// --------------------------------------------------------------------------------------------------- VPSie

enum machine_role { MACHINE_ROLE_UNKNOWN, MACHINE_ROLE_WORKER, MACHINE_ROLE_MASTER };
struct machine_facts {      // one entry of a cluster's node list
    int64_t id;             // 0 when not given
    const char *identifier; // "" when not given
    const char *hostname;
    const char *default_ip;
    const char *private_ip;
    enum machine_role role;
    const char *datacenter_id;
    const char *status;
    int64_t created_ms;
    int32_t cpu; // cores, 0 when not given
    int64_t memory_mb;
};
struct vpsie_group_facts {
    int64_t id;
    const char *identifier;
    const char *name;
    int64_t size_id; // boxsize_id = KubeSizeID = id in k8s/offers
    int32_t cpu;
    int64_t memory_mb;
    int64_t disk_gb;
    int32_t nodes_count;
    const char *datacenter_id;
    bool active;
    bool deleted;
};
struct offer_facts {
    int64_t id;
    const char *name;
    int32_t cpu;
    int64_t memory_mb;
    int64_t disk_gb;
    double price_month; // 0 when not given
    double price_hour;  // given, else price_month / 730
};

// --------------------------------------------------------------------------------------------------- agents

enum evidence_state { EVIDENCE_UNKNOWN, EVIDENCE_READY, EVIDENCE_BUSY, EVIDENCE_BLOCKED };
struct evidence_reason {
    const char *code; // WIRE_REASON_*
    const char *pod_uid;
    const char *subject;
    double observed;
    double limit;
    const char *detail;
};
struct evidence_verdict {
    enum evidence_state state;
    const struct evidence_reason *reasons;
    uint32_t reason_count;
    int64_t evaluated_ms;
    uint32_t pods_remaining;
};
struct pod_evidence_facts {
    const char *uid;
    int64_t cpu_millis;       // -1: not known
    int64_t memory_bytes;     // -1
    int64_t local_data_bytes; // -1
    const char *largest_volume;
    int64_t largest_volume_bytes;
    int64_t connections; // -1
    const char *unknown; // first reason, "" when all is known
};
struct agent_report_facts {
    const char *node_name;
    const char *start_id;
    uint64_t sequence;
    int64_t received_ms;
    const char *version;
    int64_t cpu_used_millis; // -1: not known
    int64_t memory_used_bytes;
    int64_t memory_total_bytes;
    double pressure_cpu_some60; // percent; < 0: not known
    double pressure_memory_full60;
    double pressure_io_full60;
    const struct pod_evidence_facts *pods;
    uint32_t pod_count;
    bool pods_complete;
    const char *const *pods_gone;
    uint32_t pods_gone_count;
    struct evidence_verdict verdict;
    const char *directive_id; // "": answers none
    struct evidence_verdict directive_verdict;
    uint32_t inhibitor_count;
};

#endif

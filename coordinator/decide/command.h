// What this room is for: everything the core can ask of the outside, as plain data. What it knows: facts.
// What it may not do: act. All strings and arrays live in the arena of the command list.
#ifndef VPSIE_COORDINATOR_DECIDE_COMMAND_H
#define VPSIE_COORDINATOR_DECIDE_COMMAND_H

#include "common/arena.h"
#include "common/text.h"
#include "coordinator/model/facts.h"

enum command_kind {
    // Kubernetes: reads
    COMMAND_KUBE_LIST_FRESH, // consistent LIST (no resourceVersion) of VPSieNode, NodeGroup, Node: each
                             // object as an EVENT_OBJECT (and EVENT_OBJECT_GONE for what is no longer there),
                             // then the outcome
    COMMAND_KUBE_LIST_NODE_PODS, // consistent LIST of one node's pods (fieldSelector spec.nodeName)
    // Kubernetes: writes
    COMMAND_KUBE_CREATE_INTENTION,
    COMMAND_KUBE_UPDATE_INTENTION, // metadata and spec, merge patch with resourceVersion when given
    COMMAND_KUBE_INTENTION_STATUS, // status subresource
    COMMAND_KUBE_DELETE_INTENTION,
    COMMAND_KUBE_GROUP_STATUS,
    COMMAND_KUBE_GROUP_FINALIZER,
    COMMAND_KUBE_CREATE_NODEGROUP, // a NodeGroup for pods that no other fits
    COMMAND_KUBE_DELETE_NODEGROUP, // one of those, when it has been empty for long
    COMMAND_KUBE_CORDON,           // the four marks of ours, in one patch
    COMMAND_KUBE_UNCORDON,         // only if our annotation says that we did it
    COMMAND_KUBE_LABEL_NODE,       // add labels and taints, never overwrite a person's
    COMMAND_KUBE_EVICT,
    COMMAND_KUBE_DELETE_POD, // grace used up, budget allows: with a UID precondition
    COMMAND_KUBE_DELETE_NODE,
    COMMAND_KUBE_EVENT,      // events.k8s.io/v1; fire and forget, no outcome
    COMMAND_KUBE_SAVE_STATE, // annotations on the Lease
    // VPSie
    COMMAND_VPSIE_LIST_MACHINES,
    COMMAND_VPSIE_LIST_GROUPS,
    COMMAND_VPSIE_LIST_OFFERS,
    COMMAND_VPSIE_CREATE_GROUP,
    COMMAND_VPSIE_ADD_MACHINE,    // once; never repeated by the door
    COMMAND_VPSIE_DELETE_MACHINE, // by identifier
    // agents
    COMMAND_AGENT_DIRECTIVE, // no outcome: the report that names the id is the answer
    // people
    COMMAND_OPERATOR_REPLY,
    COMMAND_NOTE, // a log line
    COMMAND_KIND_COUNT
};

enum directive_kind { DIRECTIVE_PREPARE_DRAIN, DIRECTIVE_CANCEL_DRAIN, DIRECTIVE_SET_INTERVAL };
enum note_level { NOTE_DEBUG, NOTE_INFO, NOTE_WARN, NOTE_ERROR };

struct intention_status_facts { // what is not set is left as stored: NULL strings, 0 times
    enum intention_phase phase;
    const char *node_name;
    const char *hostname;
    const char *vpsie_status;
    int32_t cpu;
    int64_t memory_mb;
    int64_t disk_gb;
    int64_t created_ms, provisioned_ms, joined_ms, ready_ms, terminating_ms, deleted_ms;
    const char *last_error; // "" clears it
    const struct condition_facts *conditions;
    uint32_t condition_count;
};

struct group_node_facts { // one entry of NodeGroup status.nodes
    const char *node_name;
    const char *vps_id;
    const char *instance_type;
    const char *status;
    const char *ip_address;
    int64_t created_ms;
    int64_t ready_ms;
};

struct command {
    enum command_kind kind;
    uint64_t id;          // unique within this core; the outcome names it
    uint64_t term;        // the door refuses a write whose term is not the present leader's
    uint64_t decision_id; // which decision caused it, 0: upkeep
    // Idempotency and order: a door executes commands with the same `key` one after the other, in order.
    const char *key;
    union {
        struct {
            const char *node_name;
        } list_node_pods;
        struct {
            const struct intention_facts
                *facts; // name, group, spec fields, labels, annotations, owner_uid, finalizer
            const char *owner_name;
        } create_intention;
        struct {
            const char *space, *name;
            const char *resource_version; // "": unconditional
            struct labels annotations;    // value NULL removes
            struct labels labels;
            const char *identifier; // spec fields: NULL leaves as stored
            const char *node_name;
            const char *ip_address;
            const char *instance_type;
            int64_t vpsie_group_id;    // 0 leaves
            int64_t vpsie_instance_id; // 0 leaves
            enum tristate finalizer;   // TRUE adds ours, FALSE removes it
        } update_intention;
        struct {
            const char *space, *name;
            struct intention_status_facts status;
        } intention_status;
        struct {
            const char *space, *name, *uid;
        } delete_intention;
        struct {
            const char *space, *name;
            int32_t current, desired, ready;
            int64_t vpsie_group_id;
            const struct group_node_facts *nodes;
            uint32_t node_count;
            const struct condition_facts *conditions;
            uint32_t condition_count;
            int64_t last_scale_ms, last_scale_up_ms, last_scale_down_ms;
            int64_t observed_generation;
        } group_status;
        struct {
            const char *space, *name;
            bool present;
        } group_finalizer;
        struct {
            const struct nodegroup_facts *facts; // metadata and spec
        } create_nodegroup;
        struct {
            const char *space, *name, *uid;
        } delete_nodegroup;
        struct {
            const char *node_name;
            const char *reason; // value of the annotation that says it was us
        } cordon;               // and uncordon
        struct {
            const char *node_name;
            struct labels labels;
            struct labels annotations;
            struct taints taints;
        } label_node;
        struct {
            const char *space, *name, *uid;
            int64_t grace_seconds; // < 0: the pod's own
        } pod;                     // evict, delete_pod
        struct {
            const char *node_name, *uid;
        } delete_node;
        struct {
            enum object_kind_for_event {
                REGARDING_NODEGROUP,
                REGARDING_INTENTION,
                REGARDING_NODE,
                REGARDING_POD
            } regarding;
            const char *space, *name, *uid;
            bool warning;
            const char *reason; // CamelCase
            const char *action; // CamelCase
            const char *message;
        } event;
        struct {
            bool paused;
            const char *paused_reason;
            bool accepted;
            enum mass_deletion mass_deletion;
        } save_state;
        struct {
            const char *cluster;       // resourceIdentifier
            const char *datacenter_id; // LIST_OFFERS
        } vpsie_list;
        struct {
            const char *cluster, *name;
            int64_t size_id;
        } create_group;
        struct {
            const char *cluster;
            int64_t group_id;
        } add_machine;
        struct {
            const char *cluster, *identifier;
        } delete_machine;
        struct {
            const char *node_name;
            enum directive_kind kind;
            const char *directive_id;
            int64_t deadline_ms;
            int64_t interval_ms;
            const char *const *pod_uids;
            uint32_t pod_uid_count;
            const char *const *ignore_uids; // local data may be lost
            uint32_t ignore_uid_count;
            const char *const *ignore_volumes; // "UID/volume"
            uint32_t ignore_volume_count;
        } directive;
        struct {
            uint64_t request_id;
            bool ok;
            const char *text; // what was done, or the error
            const char *code; // error code, "" when ok
        } operator_reply;
        struct {
            enum note_level level;
            const char *text;
            const char *subject; // "group general", "node w-4": what it is about
        } note;
    };
};

struct commands {
    struct arena *arena;
    struct command **items;
    uint32_t count;
    uint32_t capacity;
};

struct commands *commands_create(void);
void commands_destroy(struct commands *commands);
void commands_clear(struct commands *commands);
// A zeroed command of the list's arena, at the end of the list.
struct command *commands_add(struct commands *commands, enum command_kind kind);
// A deep copy with an arena of its own, for a door's queue; free with command_destroy().
struct command *command_copy(const struct command *command);
void command_destroy(struct command *command);

bool command_writes(enum command_kind kind);      // changes the outside (fenced by term, silent in dry run)
bool command_has_outcome(enum command_kind kind); // an EVENT_OUTCOME will follow, always
const char *command_kind_name(enum command_kind kind);
// One line of canonical text: equal commands give equal text.
void command_describe(const struct command *command, struct text *out);

#endif

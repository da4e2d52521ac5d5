// What this room is for: everything that can reach the core, as plain data. What it knows: facts.
// What it may not do: point into a door. An event owns an arena; all its strings and arrays live there.
#ifndef VPSIE_COORDINATOR_DECIDE_EVENT_H
#define VPSIE_COORDINATOR_DECIDE_EVENT_H

#include "common/arena.h"
#include "common/text.h"
#include "coordinator/model/facts.h"

enum event_kind {
    EVENT_TIMER,        // nothing happened but time
    EVENT_OBJECT,       // a Kubernetes object was added or changed
    EVENT_OBJECT_GONE,  // it was deleted
    EVENT_KUBE_SYNCED,  // every watched kind has been listed completely (sent once, and again after a new
                        // sync)
    EVENT_KUBE_STATE,   // the API server can (not) be reached
    EVENT_LEADER,       // leadership won or lost
    EVENT_OUTCOME,      // what became of a command
    EVENT_VPSIE_STATE,  // account, breaker, rate: what the VPSie door can do now
    EVENT_AGENT_REPORT, // an authenticated agent spoke about its own node
    EVENT_OPERATOR,     // pause, resume, release, ... from the admin socket
    EVENT_KIND_COUNT
};

enum object_kind {
    OBJECT_NODE,
    OBJECT_POD,
    OBJECT_BUDGET,
    OBJECT_DAEMONSET,
    OBJECT_VOLUME_ATTACHMENT,
    OBJECT_NAMESPACE,
    OBJECT_CLAIM,  // PersistentVolumeClaim
    OBJECT_VOLUME, // PersistentVolume
    OBJECT_STORAGE_CLASS,
    OBJECT_CSI_NODE,
    OBJECT_NODEGROUP,
    OBJECT_INTENTION, // VPSieNode
    OBJECT_CONFIG,    // AutoscalerConfig "default"
    OBJECT_KIND_COUNT
};

// What became of a command. "Definite" means: the effect certainly did not happen.
enum outcome {
    OUTCOME_OK,       // done (404 on a delete is done)
    OUTCOME_NOT_SENT, // definite: not one byte left: no connection, breaker open, fenced (term), door closing
    OUTCOME_THROTTLED, // definite: 429; retry_after_ms says when
    OUTCOME_CONFLICT,  // definite: 409, or a precondition failed; read again and decide again
    OUTCOME_NOT_FOUND, // definite: 404 on something that is not a delete
    OUTCOME_REFUSED,   // definite: other 4xx, or "error": true
    OUTCOME_LIMITED,   // definite: refused by a quota, limit or plan (by its text or 403): will not pass soon
    OUTCOME_UNKNOWN    // timeout, 5xx, reset, half an answer: it may have happened
};

// Kubernetes state that leadership brings along (annotations of the Lease), see COMMAND_KUBE_SAVE_STATE.
struct saved_state {
    bool paused;
    const char *paused_reason;
    bool accepted; // an operator said `resume` to a first start that found a predecessor
    enum mass_deletion mass_deletion;
};

enum operator_verb { OPERATOR_PAUSE, OPERATOR_RESUME, OPERATOR_RELEASE, OPERATOR_APPROVE };

struct fresh_facts { // COMMAND_KUBE_LIST_FRESH: the objects themselves came before this, as EVENT_OBJECT
    bool predecessor_webhooks; // its webhooks are registered with failurePolicy Fail and their service has no
                               // endpoints
    const char *predecessor_webhook_names;
    struct saved_state saved;
};

struct event {
    enum event_kind kind;
    int64_t
        now_ms; // Unix ms, never decreasing; set by run (or the simulator) when the event reaches the core
    struct arena *arena;
    union {
        struct {
            enum object_kind kind;
            union {
                struct node_facts *node;
                struct pod_facts *pod;
                struct budget_facts *budget;
                struct daemonset_facts *daemonset;
                struct volume_attachment_facts *attachment;
                struct namespace_facts *space;
                struct claim_facts *claim;
                struct volume_facts *volume;
                struct storage_class_facts *storage_class;
                struct csi_node_facts *csi_node;
                struct nodegroup_facts *group;
                struct intention_facts *intention;
                struct config_facts *config;
            };
        } object;
        struct {
            enum object_kind kind;
            const char *space;
            const char *name;
            const char *uid; // "" when not known
        } gone;
        struct {
            bool reachable;
            const char *detail;
        } kube_state;
        struct {
            bool leading;
            uint64_t term; // rises with every change of leader (leaseTransitions + 1); 0 when not leading
            const char *identity;
            const char *holder; // who leads, "" when nobody is known to
            struct saved_state saved;
        } leader;
        struct {
            uint64_t command_id;
            enum outcome outcome;
            int32_t status;         // HTTP status, 0 without
            int64_t retry_after_ms; // 0: not said
            const char *detail;     // for a person; never a secret
            const char *uid;        // of a created object
            const char *resource_version;
            // by the command's kind:
            const struct machine_facts *machines; // LIST_MACHINES; ADD_MACHINE: one when the answer told it
            uint32_t machine_count;
            const struct vpsie_group_facts *groups; // LIST_GROUPS; CREATE_GROUP: one when told
            uint32_t group_count;
            const struct offer_facts *offers; // LIST_OFFERS
            uint32_t offer_count;
            const struct pod_facts *pods; // LIST_NODE_PODS
            uint32_t pod_count;
            struct fresh_facts fresh; // LIST_FRESH
        } outcome;
        struct {
            bool usable;        // credentials accepted, breaker closed
            const char *detail; // why not; when usable "", or what is wrong all the same (new credentials)
            int32_t calls_used; // in the present minute
            int32_t calls_limit;
        } vpsie_state;
        struct agent_report_facts *report;
        struct {
            enum operator_verb verb;
            uint64_t request_id;  // answered by COMMAND_OPERATOR_REPLY
            const char *argument; // reason of a pause, "D42" of an approval, else ""
        } operator_request;
    };
};

// A zeroed event with an arena of its own. The caller fills it from event->arena.
struct event *event_create(enum event_kind kind);
void event_destroy(struct event *event); // NULL is fine

const char *event_kind_name(enum event_kind kind);
const char *object_kind_name(enum object_kind kind);
const char *outcome_name(enum outcome outcome);
// One line of canonical text: equal events give equal text. For the simulator's traces and debug logs.
void event_describe(const struct event *event, struct text *out);

#endif

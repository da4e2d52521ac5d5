// What this room is for: the core's own state, shared by the rooms of decide/ and read by admin/view.
// What it knows: everything the core knows. What it may not do: be written by anybody outside decide/.
#ifndef VPSIE_COORDINATOR_DECIDE_STATE_H
#define VPSIE_COORDINATOR_DECIDE_STATE_H

#include "coordinator/decide/core.h"
#include "coordinator/schedule/template.h"

// ------------------------------------------------------------------------------------------------ decisions
// A decision is the answer to "why": every command names the one that caused it. The last DECISIONS_KEPT are
// kept. Ids rise by one within a term of leadership; term N begins at D<(N-1)*DECISIONS_PER_TERM+1>, so that
// events and annotations of two leaders never carry the same id.
#define DECISIONS_KEPT     512
#define DECISIONS_PER_TERM 10000
enum decision_kind {
    DECISION_ORDER, // machines for pods, or for a minimum
    DECISION_ADOPT,
    DECISION_REMOVE,  // nodes not needed
    DECISION_REPLACE, // broken, too old, or no longer as its group wants it
    DECISION_GIVE_UP, // a drain or an order was given up
    DECISION_HOLD,    // a brake closed or opened
    DECISION_OPERATOR,
    DECISION_CONSOLIDATE, // nodes by fewer or cheaper ones
    DECISION_KIND_COUNT
};
struct decision {
    uint64_t id; // printed as D<id>
    int64_t at_ms;
    enum decision_kind kind;
    const char *withheld;     // what kept it from being done: "dry run", "paused"; "": done. Static text
    const char *group, *node; // "" when about none; owned
    char *summary;            // one line: "order 4 machines in general"; owned
    char *reason;             // one line: "22 pods need 14.2 cpu, 1.1 free"; owned
    // What it changes, for who looks ahead: machines of one size that come to the group, nodes that go.
    uint32_t machines;
    int64_t size_id;  // KubeSizeID, 0 when not known
    bool recommended; // an operator's approval is asked for first
    char **leaving;   // names of nodes; owned
    uint32_t leaving_count;
    // What was weighed for an order, the taken ones first; DECISION_OPTIONS_MAX at most.
    struct decision_option *options; // owned, with their texts
    uint32_t option_count;
};
#define DECISION_OPTIONS_MAX 12u
struct decision_option {
    const char *group, *size; // its name, else its number
    double price_hour;        // of one machine; 0 when not known
    uint32_t machines;        // taken
    uint32_t pods;            // that these serve; of an option that lost: that could run there
    const char *why;          // "taken", or why it lost
};

// ------------------------------------------------------------------------------------------------ why
// (explain) One rule that was considered for a node, a pod or a group.
enum rule_verdict { RULE_PASS, RULE_BLOCKS, RULE_WAITS, RULE_INFO };
struct rule {
    const char *name; // "underused, requests", "budgets", "local data": static text
    char *saw;        // "cpu 18% mem 22% for 10m40"; in the arena
    char *limit;      // "50% 10m"
    enum rule_verdict verdict;
    char *change; // what would have to change, "" when nothing
};
struct explanation {     // lives in the arena given
    const char *subject; // "node w-4"
    const char *verdict; // "KEPT by local data", "LEAVING", "WAITS for ...", "SERVED by order D12"
    struct rule *rules;
    uint32_t rule_count, rule_capacity;
    const char *then;     // what happens once it is changed, "" when unknown
    uint64_t decision_id; // 0: none
    int64_t at_ms;
};

// ------------------------------------------------------------------------------------------------ brakes
enum brake {
    BRAKE_MANY_BROKEN,    // more than max(3, 45 %) of nodes are broken: removals and replacements stop
    BRAKE_CLOUD_LIST,     // VPSie's list empty, lost > 20 % at once, or contradicts itself
    BRAKE_AGENTS_SILENT,  // most agents fell silent within minutes: voluntary removals stop
    BRAKE_GROUPS_GONE,    // the last NodeGroup was deleted, or every VPSieNode at once: hold until `resume`
    BRAKE_PREDECESSOR,    // its webhooks or VPSieNodes, or a first start that waits: dry run until `resume`
    BRAKE_PAUSED,         // AutoscalerConfig annotation or `pause`
    BRAKE_CLOUD_UNUSABLE, // the VPSie door cannot work
    BRAKE_KUBE_UNREACHABLE,
    BRAKE_COUNT
};
struct brake_state {
    bool on;
    int64_t since_ms;
    char detail[256];
};

// ------------------------------------------------------------------------------------------------ a
// machine's life Private to decide/life_*.c except for what others read. Hangs on intention->decide.
enum life_step {
    LIFE_NEW,            // create sent, not confirmed
    LIFE_WAIT_TURN,      // another VPSie group's order is open
    LIFE_BASELINE_LIST,  // fresh lists asked
    LIFE_BASELINE_WRITE, // baseline being persisted
    LIFE_CALL,           // the one call is out
    LIFE_APPEAR,         // accepted or unknown: watching the lists
    LIFE_JOIN,           // machine known, waiting for the Node to be Ready without startup taints
    LIFE_READY,          // in service
    LIFE_CORDON,         // removal: each step as in the contract
    LIFE_PREPARE,        // PREPARE_DRAIN out, waiting for READY that names it
    LIFE_EVICT,
    LIFE_DETACH,        // VolumeAttachments and load-balancer settle
    LIFE_LAST_READY,    // second PREPARE_DRAIN with no pods: READY (drained)
    LIFE_LAST_LIST,     // the API server's own list of the node's pods
    LIFE_MARK_DELETING, // phase Deleting being persisted
    LIFE_DELETE_CALL,
    LIFE_GONE, // waiting for it to leave VPSie's list
    LIFE_NODE_DELETE,
    LIFE_FINALIZER,
    LIFE_UNDO,  // giving up: uncordon
    LIFE_FAILED // shown until its TTL
};
enum removal_kind {
    REMOVAL_NONE,
    REMOVAL_VOLUNTARY,
    REMOVAL_BROKEN,
    REMOVAL_REQUESTED /* object deleted by a person */,
    REMOVAL_FAILED /* never joined */
};
struct life {
    enum life_step step;
    int64_t step_since_ms;
    enum removal_kind removal;
    uint64_t decision_id;
    bool outcome_unknown; // the call's outcome is not known
    int64_t called_ms;
    const char *waits_for; // one line for people; owned by the core's strings or static
    char held[160];        // why a removal is held or was given up, "" when not
    int64_t not_before_ms; // a removal that was given up is not tried again before
    uint32_t give_ups;
    struct life_private *private_state; // life_*.c only
};
const char *life_step_name(enum life_step step);

// One VPSie group of a NodeGroup: machines of one size. With kubeSizeID there is one, named as the NodeGroup;
// without, one for each size that can be ordered, the first named as the NodeGroup, the others NAME-SIZE. It
// is made at VPSie when the first machine of its size is ordered. Found anew with each of VPSie's lists: hold
// no pointer to one beyond a step.
struct pool {
    int64_t size_id;          // boxsize_id: of the VPSie group once it is there (wins over the spec)
    int64_t vpsie_group_id;   // numeric id, 0: not made yet
    const char *name;         // of the VPSie group, interned
    bool orderable;           // machines of this size can be had here (life_order_size())
    int32_t surplus;          // machines in it above its intentions
    int64_t backoff_until_ms; // orders refused: not before
    char backoff_reason[200];
    uint32_t backoff_count;
    struct { // life_*.c only
        int64_t create_retry_ms;
        int64_t surplus_since_ms;
        int32_t surplus_said;
        int64_t nothing_over_ms; // when nothing was over for the last time in this term, 0: never yet
    } keep;
};

// Hangs on group->decide.
struct group_life {
    struct pool *pools; // those that can be ordered and those that hold machines of its VPSieNodes
    uint32_t pool_count;
    int64_t vpsie_group_id;   // of the first pool: numeric id once known, 0 before
    int64_t size_id;          // of the first pool, 0: nothing can be ordered
    int32_t surplus;          // of all pools
    int64_t backoff_until_ms; // no order of any size before: the soonest of the pools that can be ordered
    char backoff_reason[200];
    uint32_t backoff_count;
    int64_t last_scale_up_ms, last_scale_down_ms, last_failure_ms;
    int32_t desired;   // as decided last
    char doing[120];   // one phrase for `status`: "at max", "keeps w-4 (local data)", "orders 2"
    char problem[256]; // spec or cloud problem for a condition, "" when none
    struct group_life_private *private_state; // policy rooms only; one block, freed with free()
    struct group_life_keep *keep;             // life_*.c only; one block, freed with free()
};

struct core {
    struct core_config config;
    struct cluster *cluster;
    int64_t now_ms;
    struct commands *out; // only during a step

    bool synced, kube_reachable, leading, taken_over;
    uint64_t term;
    char holder[254];
    struct node *touched_node; // the node that this step's pod event was about, NULL when none
    uint64_t next_command_id, last_decision_id;

    bool cloud_usable;
    char cloud_detail[256];
    int32_t calls_used, calls_limit;

    bool paused; // by the operator (saved on the Lease)
    char paused_reason[200];
    bool accepted;
    struct brake_state brakes[BRAKE_COUNT];

    uint64_t decision_count;                    // made by this core
    struct decision *decisions[DECISIONS_KEPT]; // ring: the n-th at decisions[n % DECISIONS_KEPT]
    int64_t last_decided_ms;

    int64_t burst_opened_ms, burst_last_ms; // 0: no window open
    int64_t wake_ms;                        // earliest wish of this step's rooms

    int64_t last_added_ms, last_deleted_ms, last_failed_ms;
    uint64_t machines_ordered, machines_deleted, pods_evicted, orders_unknown; // since the start of this core

    struct life_shared *life;     // life_*.c
    struct policy_shared *policy; // scale_*.c, explain.c
};

// ------------------------------------------------------------------------------------------------ helpers
// (step.c) May this core change anything now? Leading, taken over, synced, not dry-run, not held by
// predecessor/paused/groups-gone.
bool core_may_write(const struct core *core);
bool core_paused(const struct core *core,
                 const struct group *group); // operator, AutoscalerConfig or the group's annotation
// Add a command: gives it id, term, decision. Writes are only to be emitted when core_may_write().
struct command *core_emit(struct core *core, enum command_kind kind, uint64_t decision_id);
void core_wake_at(struct core *core, int64_t at_ms);
struct decision *core_decide(struct core *core, enum decision_kind kind, const char *group, const char *node,
                             const char *summary, const char *reason);
// What a decision just made changes; told by whoever made it, whether it is done or withheld.
// Copied; those beyond DECISION_OPTIONS_MAX are left out.
void core_decision_option(struct decision *decision, const struct decision_option *option);
void core_decision_brings(struct decision *decision, uint32_t machines, int64_t size_id);
void core_decision_takes(struct decision *decision, const struct node *node); // call for each node
const struct decision *core_decision(const struct core *core, uint64_t id);   // NULL when no longer kept
// The n-th that this core made, from 0 to decision_count - 1; NULL when no longer kept.
const struct decision *core_decision_made(const struct core *core, uint64_t n);
void core_note(struct core *core, enum note_level level, uint64_t decision_id, const char *subject,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
// Kubernetes event, aggregated by the door.
void core_event_group(struct core *core, const struct group *group, uint64_t decision_id, bool warning,
                      const char *reason, const char *format, ...) __attribute__((format(printf, 6, 7)));
void core_event_node(struct core *core, const struct node *node, uint64_t decision_id, bool warning,
                     const char *reason, const char *format, ...) __attribute__((format(printf, 6, 7)));
void core_event_pod(struct core *core, const struct pod *pod, uint64_t decision_id, bool warning,
                    const char *reason, const char *format, ...) __attribute__((format(printf, 6, 7)));
void core_event_intention(struct core *core, const struct intention *intention, uint64_t decision_id,
                          bool warning, const char *reason, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void record_free(struct core *core);       // decisions
void record_begin_term(struct core *core); // ids go on where no other leader's are
void core_restore(struct core *core, const struct saved_state *saved); // what leadership brings along
void life_restore(struct core *core, const struct saved_state *saved);
struct group_life *group_life(struct core *core, struct group *group); // made on first use
struct life *life_of(struct intention *intention);                     // NULL when none yet

// ------------------------------------------------------------------------------------------------ life_*.c
// (a machine's life)
void life_init(struct core *core);
void life_free(struct core *core);
// Every step: take in what concerns machines, then move every life on. Called by step.c; life_before() sees
// the event while the model still shows the world without it.
void life_before(struct core *core, const struct event *event);
void life_event(struct core *core, const struct event *event);
void life_advance(struct core *core);
// Order `count` machines in `group` (intentions are created; the rest follows by itself). The caller has
// checked limits.
void life_order(struct core *core, struct group *group, uint32_t count, uint64_t decision_id,
                const char *creation_reason);
// The same with machines of one size: of the pool below, whose VPSie group is found or made. A size that the
// NodeGroup cannot have is not ordered (a note says so). life_order() is this with the first pool's size.
void life_order_size(struct core *core, struct group *group, int64_t size_id, uint32_t count,
                     uint64_t decision_id, const char *creation_reason);
// The pool that orders of this size go to; NULL: machines of this size cannot be had in this NodeGroup.
struct pool *life_pool(struct core *core, struct group *group, int64_t size_id);
// The size of an intention's machine, ordered or there, as VPSie's group says, else as it was asked for; 0:
// not known.
int64_t life_size(struct core *core, const struct intention *intention);
// Machines of this size that were asked for and whose VPSieNode cannot be seen yet (they are in
// life_counts().coming and are not in group->intentions).
uint32_t life_unseen(const struct core *core, const struct group *group, int64_t size_id);
// Begin to remove a node that is in service. False when it cannot begin (not in LIFE_READY, brake on).
bool life_remove(struct core *core, struct node *node, enum removal_kind kind, uint64_t decision_id);
// Is the node's machine in VPSie's list, as far as that list is trusted, and no other VPSieNode's too?
// Without it nothing can be removed.
bool life_machine_listed(const struct node *node);
// Is a voluntary removal allowed now at all? On false *why names the brake.
bool life_removals_allowed(const struct core *core, const char **why);
// Counts of one group: ordered or joining (capacity on its way), ready, leaving, failed; `total` = what
// counts against maxNodes (all but failed-and-never-placed).
// `sound`: of the ready, those whose Node is Ready and whose machine VPSie lists: what may stay when others
// go.
struct life_counts {
    uint32_t coming, ready, leaving, failed, total, sound;
};
struct life_counts life_counts(const struct core *core, const struct group *group);
// A person's pod would be moved by this removal: the pods of a node that count (no furniture, not terminal,
// not expendable).
bool life_pod_counts(const struct core *core, const struct pod *pod);
void life_view_brakes(struct core *core); // recompute brakes; called every step by step.c
// What an operator may ask for; each answers the request by COMMAND_OPERATOR_REPLY, now or when it is done.
void life_operator(struct core *core, const struct event *event);

// ------------------------------------------------------------------------------------------------
// scale_up.c, scale_down.c
void policy_init(struct core *core);
void policy_free(struct core *core);
void policy_event(struct core *core, const struct event *event); // pending pods open the burst window
void scale_up_consider(struct core *core);                       // every step, cheap when nothing is due
void scale_down_consider(struct core *core);
void group_status_update(struct core *core); // conditions and status, written only when they changed
// Why: fills `out` from the state as it is now. False when there is no such thing.
bool explain_node(struct core *core, struct arena *arena, const char *name, struct explanation *out);
bool explain_pod(struct core *core, struct arena *arena, const char *space, const char *name,
                 struct explanation *out);
bool explain_group(struct core *core, struct arena *arena, const char *name, struct explanation *out);

#endif

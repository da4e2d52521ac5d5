// What this room is for: what the rooms of policy (scale_up, scale_down, rules, explain, group_status) share.
// What it knows: the core's state. What it may not do: be included outside decide/, admin/view and tests.
#ifndef VPSIE_COORDINATOR_DECIDE_POLICY_H
#define VPSIE_COORDINATOR_DECIDE_POLICY_H

#include "coordinator/decide/state.h"
#include "coordinator/schedule/packing.h"

// Waiting pods that stay unhelped, nodes that stay: nothing new is expected of a second look at once. A look
// after a change of the cluster follows the one before by at least this.
#define POLICY_LOOK_AGAIN_MS  2000
#define POLICY_SHRINK_LOOK_MS 5000
// With --billing-period: nodes leave of our own will in so much of the end of a period.
#define POLICY_PAID_WINDOW_MS 600000
// One NodeGroup's status is written at most so often: what changes in between goes in one write.
#define POLICY_STATUS_EVERY_MS 1500
// All groups' status is looked at (not: written) at most so often.
#define POLICY_STATUS_LOOK_MS 500
// A status write that failed is tried again after this.
#define POLICY_STATUS_RETRY_MS 5000
// What was said of so many pods is remembered, so that it is said once (direct-mapped: a collision repeats
// it).
#define POLICY_SAID_SLOTS 4096

struct policy_said {
    uint64_t uid_hash;
    const char *verdict; // interned
};

// Nodes whose pods fitted nowhere, remembered for a while (direct-mapped: a collision forgets one).
#define POLICY_UNFIT_SLOTS 4096
struct policy_unfit {
    const char *node_name; // interned
    int64_t until_ms;
};

// Which machine on its way is meant for a waiting pod: the n-th of a decision. Kept from look to look,
// whatever becomes of the pod meanwhile, so that what was packed tightly once does not have to be found
// again.
struct policy_promise {
    uint64_t uid_hash; // 0: free
    uint64_t decision_id;
    uint32_t machine;
};

struct policy_shared {
    struct arena *scratch; // of one look; reset by the next
    // scale up
    bool look_wanted;      // something changed that may help: a group, the configuration
    uint64_t look_version; // cluster->version of the last look
    uint64_t look_brakes;  // which brakes were on then, and whether anything could be written
    uint32_t look_coming;  // machines on their way then, after its orders
    int64_t looked_ms;
    int64_t look_due_ms;        // a time at which a limit passes by itself (backoff, cooldown, grace)
    uint32_t waiting, helpless; // pods, as of the last look
    int64_t oldest_helpless_ms; // since when the oldest of them waits, 0: none
    int64_t waiting_cpu_millis, waiting_memory_bytes; // asked by the waiting pods
    int64_t dynamic_next_ms;                          // no NodeGroup is made before
    int64_t use_next_ms;                              // groups' measured use is looked at
    uint32_t headroom_wanted, headroom_lacking;       // pieces, as of the last look
    struct policy_promise *promises;                  // open addressing by uid_hash; owned
    uint32_t promise_capacity;                        // a power of two, or 0
    // scale down
    int64_t shrink_next_ms;  // not before
    int64_t shrink_due_ms;   // a time at which a rule passes by itself
    int64_t last_removal_ms; // any group's, for the cluster-wide cooldown
    int64_t last_order_ms;   // any group's
    bool status_wanted;      // something happened since the groups' status was looked at last
    int64_t status_next_ms;  // not before
    // money, since midnight UTC
    int64_t cost_at_ms; // up to when `cost_today` counts; 0: not begun
    int64_t cost_midnight_ms;
    double cost_today;
    struct policy_said said[POLICY_SAID_SLOTS];
    struct policy_unfit unfit[POLICY_UNFIT_SLOTS];
    struct moves *moves; // moves.c
};

#define GROUP_CONDITIONS 5
enum group_condition {
    CONDITION_READY,
    CONDITION_SCALING,
    CONDITION_ERROR,
    CONDITION_AT_MIN,
    CONDITION_AT_MAX
};

// What a group remembers of its moves.
struct group_moves {
    int64_t round_from_ms; // when this round of consolidation began; 0: none yet
    bool round_over;       // nothing more was found in it
    int64_t next_ms;       // nothing changes before by itself
    int64_t looked_ms;     // groups take turns
    int64_t replace_next_ms;
    bool said_in_vain;                            // that replacing would not help
    int64_t moved_ms;                             // the last consolidation, 0: none in this term
    int64_t moved_cpu_millis, moved_memory_bytes; // what all pods asked for then
    int64_t workload_at_ms;                       // when they were compared last
    bool workload_changed;                        // and what came of it
    uint64_t said_hash;                           // what was recommended, or decided in a dry run, last
};

// What is remembered of the orders of one size. A group with more sizes forgets some: then a dry decision may
// be said again, and a machine that has no object yet stands under the group's newest decision.
#define POLICY_SIZES_KEPT 16u
struct policy_order {
    int64_t size_id;
    uint64_t decision_id; // the newest that ordered here
    uint64_t dry_hash;    // what a dry decision said last: the same is not said again
    uint64_t dry_id;
    uint32_t failed;   // machines that were ordered and did not come into service, as seen last
    int64_t failed_ms; // when the last of them was seen first
};

struct group_sums { // over the group's machines in service
    int64_t at_ms;
    double cpu_used, cpu, memory_used, memory;
    uint32_t nodes, silent; // heard, and not
    uint32_t ready;         // life_counts() then
};

// One allocation, no pointers to free: hangs on group_life->private_state.
struct group_life_private {
    struct group_sums sums;
    int64_t empty_since_ms;   // of a NodeGroup that was made for pods (dynamic.c), 0: it is not
    int64_t busy_since_ms;    // measured use has been above a threshold of scaleUpPolicy since, 0: it is not
    uint32_t pending;         // waiting pods this group would serve, or that it is nearest to serve
    uint32_t limited;         // of those: that only a limit of the group keeps waiting
    int64_t pending_since_ms; // of the oldest
    const char *told_limit;   // the rule that kept it from serving pods, as told last; NULL: none
    uint64_t last_order_id;   // the newest decision that ordered here, of any size
    struct policy_order orders[POLICY_SIZES_KEPT]; // by size
    uint64_t dry_removal_hash;
    struct group_moves moves;
    int64_t told_generation; // spec fields that do not apply were told of for this generation
    // status
    uint64_t status_hash; // of what was written last; 0: write
    uint64_t status_sent; // id of the write without an outcome yet, 0: none
    int64_t status_at_ms; // when it was sent
    int64_t status_not_before_ms;
    enum tristate condition[GROUP_CONDITIONS];
    int64_t condition_since_ms[GROUP_CONDITIONS];
};

// Made on first use, as group_life().
struct group_life_private *group_policy(struct core *core, struct group *group);

// ---- small questions

// Does this pod wait for a machine: unbound, unschedulable, not gated, not being deleted, not terminal, not
// below the priority cut-off, not served by preemption.
bool policy_pod_waits(const struct core *core, const struct pod *pod);
struct policy_order *policy_order_of(struct group_life_private *policy, int64_t size_id);
void policy_forget_dry_orders(struct group_life_private *policy); // they may be said again
bool policy_is_control_plane(const struct node *node);
// Of --expander=priority: annotation autoscaler.vpsie.com/priority, a whole number; 0 without.
int32_t policy_group_priority(const struct group *group);
// Nodes that work for pods: all but control planes. Coming machines without a node count too.
uint32_t policy_workers(const struct core *core);
uint32_t policy_coming(const struct core *core);                // machines on their way, every group
uint32_t policy_leaving(const struct core *core, bool empty);   // voluntary removals under way; empty: of
                                                                // nodes without pods that count only
int64_t policy_size_id(struct core *core, struct group *group); // which size an order would bring, 0 unknown
uint64_t policy_hash(uint64_t hash, const char *text);          // FNV-1a, chained; start with 0
const char *policy_plural(uint32_t count);                      // "s", or "" for one
// As text_format_duration(), without zeros at the end: "10m".
void policy_duration(char *buffer, size_t bytes, int64_t ms);
// Is the group's own annotation `paused`?
bool policy_group_paused(const struct group *group);
// Names of a decision's kind and a brake, for people.
const char *decision_kind_name(enum decision_kind kind);
const char *brake_name(enum brake brake);

uint32_t policy_group_index(const struct cluster *cluster, const struct group *group);
// How much it matters when this pod is moved: 1 for priority 0, half for a negative one, up to 5 for the
// highest.
double policy_pod_weight(const struct pod *pod);
struct policy_unfit *policy_unfit_slot(struct core *core, const struct node *node);

// ---- rules in common

// What one rule answers. Words are only made when somebody reads them.
struct answer {
    enum rule_verdict verdict;
    int64_t due_ms;      // WAITS: when it passes by itself, 0 when not by time
    struct arena *words; // NULL: nobody reads
    char *saw, *limit, *change;
    char *brief; // what was seen, without figures that change by the second: for verdicts that are kept
};
#define ANSWER_SAY(answer, field, ...)                                                                       \
    do {                                                                                                     \
        if ((answer)->words != NULL)                                                                         \
            (answer)->field = arena_printf((answer)->words, __VA_ARGS__);                                    \
    } while (0)
void explanation_add(struct explanation *out, struct arena *arena, const char *name,
                     const struct answer *answer);

// ---- may a group grow

// One table of rules for ordering: scale_up stops at the first that blocks, explain runs them all.
struct growth {
    uint32_t room;          // machines that the group may order now; 0 when a rule blocks
    uint32_t shared_room;   // of all groups together, now; UINT32_MAX: no limit
    uint32_t lasting_room;  // the same once those on their way have come: more may follow then
    double price_room_hour; // what they may cost together; < 0: any price
    int64_t due_ms;         // when a rule that waits passes by itself; 0: not by time
    const char *rule;       // the rule that blocks; NULL: none
    char why[240];          // in words, "" when none
};
struct growth policy_growth(struct core *core, struct group *group);
// The same rules in words, appended to `out`.
struct growth policy_growth_explain(struct core *core, struct group *group, struct arena *arena,
                                    struct explanation *out);

// ---- may a node go

// One table of rules for removal: scale_down stops at the first that does not pass, explain runs them all.
struct node_answer {
    enum rule_verdict verdict;
    const char *rule; // its name; NULL when all pass
    int64_t due_ms;   // WAITS: when it passes by itself, 0 when not by time
};
// Everything but what only a plan over all nodes can tell (pods fit elsewhere, concurrent removals).
struct node_answer policy_node_rules(struct core *core, struct node *node);
// The same for a node that would go for this reason; `begun`: machines have come for it already, so that
// rules which only say when to begin are not asked again.
struct node_answer policy_node_may_go(struct core *core, struct node *node, enum disruption_reason reason,
                                      bool begun);
// In words, all rules, appended to `out`.
struct node_answer policy_node_explain(struct core *core, struct node *node, struct arena *arena,
                                       struct explanation *out);
// Shares of allocatable, in percent; < 0 when not known.
struct node_use {
    double cpu_requested, memory_requested, cpu_used, memory_used;
};
struct node_use policy_node_use(const struct node *node);
// Keep node->underused_since_ms true; called for every change that touches the node.
void policy_node_window(struct core *core, struct node *node);
uint32_t policy_node_pods(const struct core *core, const struct node *node); // that count
double policy_node_price(struct core *core, const struct node *node);        // an hour; 0 when not known
// What is left of the period that its machine is paid for (--billing-period); 0 when none is set.
int64_t policy_paid_left_ms(const struct core *core, const struct node *node);
// Is `minute` of the day (UTC) inside "HH:MM-HH:MM[,HH:MM-HH:MM...]"? Start included, end not; an end before
// the start passes midnight; equal ends mean never, as with the predecessor. -1 when the text is not of that
// form.
int policy_hours_allow(const char *hours, int minute);

// How many more nodes may begin to leave, of all groups together (maxConcurrentScaleDowns; without an
// AutoscalerConfig one with pods at a time, and --max-empty-removals without).
struct removal_room {
    int64_t empty, any;
    bool common; // one number for both
};
struct removal_room policy_removal_room(const struct core *core);

// Would the node's pods fit elsewhere, on the free space as it is, alone? For explain.
struct node_fit {
    uint32_t pods, placed;
    char miss[240];   // the first pod that does not fit, and the nearest miss
    char needed[160]; // a waiting pod that counts on this node, "" when none
};
struct node_fit policy_node_fit(struct core *core, struct node *node, struct arena *arena);

// ---- what a group really uses (group_use.c)

struct group_use {
    double cpu, memory; // percent of all machines in service; < 0: not known (an agent is silent)
    uint32_t nodes, silent;
};
// `without`: as it would be if the others did this node's work, too; NULL: as it is.
struct group_use policy_group_use(struct core *core, struct group *group, const struct node *without);
bool policy_use_is_high(const struct group *group,
                        const struct group_use *use);              // a threshold of scaleUpPolicy
int64_t policy_use_due_ms(struct core *core, struct group *group); // when it gets a machine for it; 0: not
void policy_follow_use(struct core *core);                         // every step, cheap
void policy_say_use(const struct group *group, const struct group_use *use, char *buffer, size_t bytes);

// ---- several data centers (regions.c)

// Two NodeGroups with multiRegion that list each other's data centers and are alike but for these.
bool policy_same_family(const struct group *a, const struct group *b);
// The data centers in the group's list that no group of its family has; "" none.
const char *policy_missing_regions(struct core *core, struct arena *arena, const struct group *group);
// primary-backup: does another group of its family have the primary data center?
bool policy_is_backup(struct core *core, const struct group *group);
// minNodes, or minNodesPerRegion when that is more; never above maxNodes.
int32_t policy_minimum(const struct group *group);
struct region_share {
    const struct group *group;
    uint32_t has, room;     // machines; that may be added
    uint32_t planned, gets; // by price alone; as its distribution wants
};
// Shares `machines` out among the groups of one family, evenly or by weight. False when that is as planned,
// or cannot be.
bool policy_share_out(struct region_share *shares, uint32_t count, uint32_t machines);

void policy_dynamic_groups(
    struct core *core); // every step: those that have been empty for long go (dynamic.c)

// ---- money

// By VPSie's own prices an hour; an approximation: machines are counted every few seconds, and what was spent
// before this coordinator led is taken from the ages of the machines that are still there.
struct policy_cost {
    double per_hour;     // now
    double today;        // since midnight UTC
    double at_max_today; // had every group been at its maximum since midnight
};
double policy_group_price(struct core *core, struct group *group); // one machine, an hour; 0 when not known
double policy_size_price(struct core *core, const struct group *group,
                         int64_t size_id);                        // the same, of a size
double policy_group_cost(struct core *core, struct group *group); // all its machines, an hour
struct policy_cost policy_cost(struct core *core);
void policy_cost_update(struct core *core);

// ---- places to pack on

// Free space as decisions see it: nodes in service less what leaves, the pods of leaving nodes put first,
// then machines on their way in the order they were decided.
struct free_space {
    struct packing packing;
    bool *promised;             // by place of a node: pods that leave another node were put there
    uint32_t node_places;       // places before this index are real nodes in service
    const uint64_t *decision;   // by place: the decision that brings it, 0 for nodes in service
    struct group *const *group; // by place: whose machine it will be, NULL for nodes in service
};
struct free_space policy_free_space(struct core *core, struct arena *arena, bool coming);
// Waiting pods in packing order.
uint32_t policy_waiting(struct core *core, struct arena *arena, bool with_grace, const struct pod ***pods,
                        int64_t *grace_due_ms);

void group_status_event(struct core *core, const struct event *event); // outcomes of status writes

#endif

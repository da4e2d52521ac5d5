// What this room is for: what the files life_*.c share: the life of each machine from the intention to the
// finalizer, VPSie's lists, brakes, taking over. What it knows: all of the core's state. What it may not do:
// be included outside life_*.c and their tests.
//
// The rules that every file keeps:
// - What must survive is stored on the VPSieNode and confirmed before it is acted on (life_persist.c).
// - One VPSieNode, one call that adds a machine. The baseline is written with the resourceVersion that was
// read,
//   so of two coordinators only one can write it, and only who wrote it calls (life_order.c).
// - Nothing is concluded from a list of VPSie that was not trusted (life_lists.c), and nothing at all is
// written
//   before the term's consistent lists have been read (life_takeover.c).
// - A pod is evicted only after its node's agent answered READY to a directive that named this pod and was
// sent
//   after the cordon was confirmed; a machine is deleted only after a second READY (drained) and after the
//   API server itself listed the node as empty (life_drain.c, life_remove.c).
// - A broken node (Ready not True beyond its time) is the one exception, and no exception to the reason for
// the
//   rule: the rule keeps running pods and their data; on a machine whose kubelet has said nothing for ten
//   minutes nobody can say that a pod runs, its agent cannot answer, and an eviction would never be carried
//   out. Its pods are not evicted; the machine goes first, so that no pod can run twice, then the Node
//   object, upon which Kubernetes itself releases the pods. It is re-read at the API server and at VPSie
//   before that.
#ifndef VPSIE_COORDINATOR_DECIDE_LIFE_H
#define VPSIE_COORDINATOR_DECIDE_LIFE_H

#include "coordinator/decide/state.h"

#define LIFE_SECOND_MS ((int64_t)1000)
#define LIFE_MINUTE_MS (60 * LIFE_SECOND_MS)

// NodeGroups that are all deleted within this time were hardly meant to be.
#define GROUPS_GONE_WINDOW_MS LIFE_MINUTE_MS

#define SIGHTING_GROUPS_MAX 8u
#define DEPARTURES_KEPT     64u
// VPSie's counts have been seen to lag behind its list by most of a minute, either way.
#define COUNT_LAG_MS    (3 * LIFE_MINUTE_MS)
#define RELEASE_AT_ONCE 50u // marks that an operator's release lifts at once
#define SWEEPS_AT_ONCE  10u // cordons without a reason that are lifted at once

// Annotations on a VPSieNode, besides those in cluster.h.
#define KEY_BASELINE  KEY_PREFIX "baseline"
#define KEY_ORDER     KEY_PREFIX "order"
#define KEY_HOSTNAME  KEY_PREFIX "hostname"
#define KEY_REMOVAL   KEY_PREFIX "removal"
#define KEY_FAILED_AT KEY_PREFIX "failed-at"

enum order_mark { // value of KEY_ORDER: what is known of the one call
    ORDER_NONE,
    ORDER_REQUESTED,  // "requested": written with the baseline, before the call
    ORDER_ACCEPTED,   // "accepted": the answer was true
    ORDER_PLACED,     // "placed": the machine is known
    ORDER_ADOPTED,    // "adopted": no call; the machine was there
    ORDER_REFUSED,    // "refused": definite
    ORDER_NOT_PLACED, // "not-placed": nothing appeared in time
    ORDER_MARK_COUNT
};

// What VPSie showed before a call: what is there later and not in here may be the call's machine.
struct baseline_count {
    int64_t group_id; // VPSie group
    int32_t extra;    // machines in it above its intentions, at most
    int32_t least;    // at least: counts lag behind the list when machines come and go
};
struct baseline {
    uint64_t term; // whose it is
    int64_t at_ms;
    int64_t group_id;              // the VPSie group of the order
    struct baseline_count *counts; // of every VPSie group, sorted by id; the order's own among them
    uint32_t count;
    char **keys; // machines that no intention owned, sorted; as machine_key() writes them
    uint32_t key_count;
    char *text; // as stored
};

// Who a machine is, as far as known. Strings are interned for ever.
struct machine_name {
    const char *identifier; // ""
    int64_t id;             // 0
    const char *hostname;   // lower case, ""
    const char *ip, *private_ip;
};

struct eviction { // one pod that has to leave
    char *space, *name, *uid;
    uint64_t command; // in flight, 0: none
    bool deleting;    // the command is a delete, not an eviction
    bool asked;       // an eviction was accepted
    int64_t asked_ms; // when
    bool forced;      // deleted after its grace
    int64_t retry_ms;
    uint32_t refusals; // 429 in a row
    char said[120];    // last refusal
    bool gone;
};

struct drain {
    char directive[48];   // id of the directive that is open, "" when none
    bool directive_sent;  // one was ever sent, so that giving up cancels it
    int64_t asked_ms;     // when it was sent
    int64_t first_ms;     // when the first of this phase was sent: the limit for BUSY counts from there
    int64_t floor_ms;     // on the agent's own clock: it evaluated before the directive came
    const char *start_id; // of the agent then, interned
    enum evidence_state answer;
    bool answered;
    int64_t answered_ms;
    int64_t remaining; // pods, as the agent counts
    char words[160];   // its reason
    char **uids;       // the pods that the directive named, sorted
    uint32_t uid_count;
    struct eviction *evictions;
    uint32_t eviction_count;
    uint32_t left;       // pods that still have to go, as last counted
    int64_t progress_ms; // last time something moved
    int64_t cordoned_ms; // when the cordon was confirmed
    bool cordon_ours;    // we sent it (not: a person's)
    bool cordon_seen;    // the model has shown it since
    bool last;           // the open directive is the last one: it names no pods
    bool ending;         // a pod is within the time it was given to end
    int64_t dirty_ms;    // when the API server's list showed a pod that should be gone, 0: never
};

struct life_private {
    struct core *core;
    struct intention *intention;
    struct life *life;
    bool open;         // in shared->open
    bool touched;      // something changed: move
    int64_t due_ms;    // move at the latest then
    uint64_t sequence; // order in shared->open for equal ages

    // the order
    bool ours; // created by us
    enum order_mark mark;
    struct baseline *baseline; // NULL: none
    bool own_baseline;         // this core, in this term, wrote it: it may call
    uint32_t calls;            // made by this core and not definitely without effect
    bool known;                // the answer named the machine
    uint64_t call_round;       // VPSie rounds above this one began after the call
    bool ambiguous_said, hope_said;
    uint32_t not_called;  // definite failures in a row
    const char *rejected; // identifier that turned out to be another VPSieNode's, interned

    // the machine
    struct machine_name name;
    const struct machine_facts *machine; // in the trusted list now, else NULL
    bool listed;                         // was in a trusted list at least once in this life
    int64_t listed_ms;                   // since when
    int64_t missing_ms;                  // since when it is missing, 0: it is not
    uint32_t missing_rounds;
    bool vanished;       // VPSie no longer has it and we did not delete it
    int64_t nodeless_ms; // in service, and its Node is gone since then; 0: it is not
    bool claimed_twice;

    // one command of the step at a time
    uint64_t command; // in flight, 0: none
    enum command_kind command_kind;
    bool answered; // its outcome has come and was not yet used
    enum outcome answer;
    char answer_words[200];
    int64_t retry_ms;  // not before
    uint32_t attempts; // failed in a row
    bool done[4];      // parts of the step that are done

    uint64_t round_needed; // VPSie round that has to be complete
    bool waits_list;       // VPSie is asked often while this is set

    // what is to be stored, and what is on its way there
    const char *want_error; // status.lastError, interned; NULL: as stored
    enum intention_phase want_phase;
    bool want_phase_set;
    bool want_finalizer, drop_finalizer;
    enum removal_kind want_removal;
    int64_t failed_ms, provisioned_ms, joined_ms, ready_ms, terminating_ms, deleting_ms;
    uint64_t metadata_command, status_command;
    uint64_t metadata_hash, status_hash;                // in flight or confirmed last
    int64_t metadata_confirmed_ms, status_confirmed_ms; // 0: not confirmed
    int64_t metadata_retry_ms, status_retry_ms;
    uint32_t metadata_attempts, status_attempts;
    uint64_t phase_confirmed_hash; // a status with the wanted phase was confirmed

    // joining
    uint64_t label_command;
    bool labelled; // confirmed for the node's uid below
    const char *labelled_uid;
    int64_t label_retry_ms;

    // removal
    struct drain *drain;     // NULL: none
    uint64_t fresh_needed;   // COMMAND_KUBE_LIST_FRESH that has to come back
    const char *removal_why; // interned
    bool pods_seen;          // the last look was at the API server's list of its pods
    uint32_t listed_pods;    // that the API server's list showed, besides furniture
    int64_t looked_ms;       // when the last look found it empty
    uint32_t delete_attempts;
    bool delete_called, delete_accepted;
    bool delete_unknown_machine; // VPSie says, in words, that it knows no such machine
    int64_t delete_called_ms;    // the last time that it was, or may have been
    int64_t delete_again_ms;
    const char *node_uid; // of the Node that is being deleted, interned; NULL: not asked yet
};

// A VPSieNode that was asked for and has not been seen yet.
struct birth {
    char *space, *name, *group;
    uint64_t decision_id;
    const char *reason; // interned
    int64_t size_id;
    struct machine_name adopt;
    bool adopts;      // this machine, and no call will be made
    bool maybe_there; // an answer was lost
    uint64_t fresh_asked;
    int64_t vpsie_group_id;
    uint64_t command;
    bool confirmed;
    int64_t asked_ms, retry_ms;
    uint32_t attempts;
};

struct sighting { // a machine that no intention owns
    char *key;
    int64_t first_ms;
    int64_t not_of[SIGHTING_GROUPS_MAX]; // VPSie groups that had nothing over while this one was there
    uint32_t not_of_count;
};
struct departure { // one of our machines has left the list
    int64_t group_id, at_ms;
};
struct counted { // a VPSie group's nodes_count
    int64_t group_id;
    int32_t nodes;
    int64_t changed_ms;
};

// What is kept per VPSie cluster.
struct cloud_watch {
    const char *cluster; // interned
    uint64_t groups_command, machines_command;
    uint64_t started, completed, trusted; // rounds: started, ended well, and trusted
    uint64_t wanted;                      // a round of this number is wanted at once
    int64_t started_ms, completed_ms, next_ms;
    uint32_t failures;
    char failure[160];
    int64_t trusted_ms;       // when the last trusted round ended
    int64_t watched_since_ms; // since when rounds were trusted, and matched, one after the other; 0: not now
    bool read;                // a round ended well in this term
    bool hopeless;            // the cluster is not known to VPSie (definite)
    bool suspect;             // the last list was not trusted
    char why[200];            // why not
    bool accept;              // an operator said that the list is right
    struct life_private **owners; // by index in the trusted list
    uint32_t owner_count;
    bool used;                  // something still names this cluster
    uint64_t create_command;    // CREATE_GROUP in flight
    const char *create_group;   // the NodeGroup, interned
    const char *create_pool;    // its name, interned
    struct sighting *sightings; // of machines that no intention owns, sorted by key
    uint32_t sighting_count;
    struct departure departures[DEPARTURES_KEPT]; // of our machines, the last ones
    uint32_t departure_count;
    struct counted *counted; // by VPSie group, in order of the list
    uint32_t counted_count;
};

struct offers_watch {
    const char *cluster, *datacenter; // interned
    uint64_t command;
    int64_t next_ms;
    uint32_t failures;
};

struct group_life_keep { // per NodeGroup
    uint64_t counts_version;
    struct life_counts counts;
    struct life_counts births;
    bool offerings_said;
    uint64_t finalizer_command;
    int64_t finalizer_retry_ms;
    int64_t broken_next_ms; // the next replacement not before
    int64_t deletion_seen_ms;
    bool retain_said;
};

struct release { // an operator's `release` under way
    bool on;
    uint64_t request_id;
    uint64_t commands[RELEASE_AT_ONCE]; // in flight
    uint32_t command_count;
    int64_t next_ms;
    uint32_t released;
};

struct life_shared {
    struct life_private **open; // by age of the intention, then name
    uint32_t open_count, open_capacity;
    struct birth *births;
    uint32_t birth_count, birth_capacity;
    struct cloud_watch *clouds;
    uint32_t cloud_count, cloud_capacity;
    struct offers_watch *offers;
    uint32_t offers_count, offers_capacity;
    uint64_t version;    // rises with every change of a step: life_counts() are cached by it
    uint64_t directives; // last number given in this term
    uint64_t names;      // last number given to a VPSieNode
    bool users_changed;  // the clusters in use have to be found again
    bool all_touched;

    // taking over
    uint64_t fresh_command;                  // LIST_FRESH in flight
    uint64_t fresh_started, fresh_completed; // numbers of such lists
    uint64_t fresh_wanted;
    int64_t fresh_retry_ms;
    bool fresh_read; // in this term
    struct fresh_facts fresh;
    char webhooks[160];
    uint64_t term;    // that the above is about
    int64_t taken_ms; // since when
    int64_t kube_ms;  // since when the API server is there

    // saving
    bool save_wanted;
    uint64_t save_command;
    int64_t save_retry_ms;

    // brakes
    bool nodes_changed;
    int64_t nodes_next_ms, agents_next_ms;
    uint32_t broken_now, broken_accepted;
    char mass_deletion_why[160];
    char predecessor[200]; // what of a predecessor was found, "" nothing
    bool agents_silent;
    enum mass_deletion mass_deletion, mass_deletion_saved;
    int64_t mass_deletion_ms; // when it was seen
    int64_t sweep_next_ms;    // cordons of ours without a reason
    uint64_t sweeps[SWEEPS_AT_ONCE];
    uint32_t sweep_count;
    struct release release;
};

// ---- life.c
struct life_private *life_private_of(const struct intention *intention); // NULL when none
void life_open(struct life_private *p); // it needs attention: moved each step
void life_touch(struct life_private *p);
void life_due(struct life_private *p, int64_t at_ms); // call again at the latest then
void life_step_to(struct life_private *p, enum life_step step, const char *waits_for);
void life_wait(struct life_private *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *life_intern(const struct core *core, const char *text);
const char *life_intern_fold(const struct core *core, const char *text); // lower case
// One command of the step: emitted with a key of its intention. The outcome is found by life_answer().
struct command *life_command(struct life_private *p, enum command_kind kind);
bool life_can_ask(struct life_private *p); // no command in flight, and the wait after a failure is over
// Has the step's command been answered? Takes the answer.
bool life_answer(struct life_private *p, enum outcome *outcome);
void life_retry(struct life_private *p, int64_t least_ms, int64_t most_ms); // a growing wait
const char *life_key(const struct life_private *p);
const char *life_subject(const struct life_private *p); // "node w-4" or "vpsienode x", for notes
void life_fail(struct life_private *p, enum order_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4))); // no machine: shown until its TTL
bool life_is_order(
    const struct life_private *p); // its call was or may have been made, its machine is not known
bool life_is_removal(const struct life_private *p); // under way
bool life_is_gone(const struct life_private *p);    // its machine is no longer expected in the list

// ---- life_persist.c
// Bring what is stored to what is wanted. True when all is stored and confirmed.
bool life_persist(struct life_private *p);
bool life_metadata_stored(struct life_private *p);
bool life_phase_stored(struct life_private *p);
void life_phase(struct life_private *p, enum intention_phase phase);
bool life_persist_outcome(struct life_private *p,
                          const struct event *event); // true: it was one of its commands
enum order_mark order_mark_parse(const char *text);
const char *order_mark_name(enum order_mark mark);
const char *removal_kind_name(enum removal_kind kind);
enum removal_kind removal_kind_parse(const char *text);

// ---- life_baseline.c
struct baseline *baseline_parse(const char *text); // NULL when it is not one
void baseline_free(struct baseline *baseline);
// It was there: the list showed it, or its Node ran although the list did not.
bool baseline_has(const struct baseline *baseline, const struct machine_facts *machine);
bool baseline_lists(const struct baseline *baseline,
                    const struct machine_facts *machine); // the list showed it
struct baseline_count baseline_of(const struct baseline *baseline, int64_t group_id);
// As VPSie shows it now (a trusted round), or as the oldest open order of the same VPSie group saw it. NULL:
// it cannot be taken now; *why says so.
struct baseline *baseline_take(struct life_private *p, struct cloud_watch *watch, int64_t group_id,
                               const char **why);
void machine_key(const struct machine_facts *machine, char *buffer, size_t bytes);

// ---- life_lists.c
struct cloud_watch *cloud_watch_of(struct core *core, const char *cluster);   // made on first use
struct cloud_watch *cloud_watch_find(struct core *core, const char *cluster); // NULL when none
uint64_t cloud_watch_ask(struct cloud_watch *watch); // a round that begins after now; its number
// Have the lists been watched without a gap for so long that what is not in them would have come into them?
// False: life_due() is set for when it may be so.
bool lists_watched(struct life_private *p);
bool lists_outcome(struct core *core, const struct event *event);
void lists_advance(struct core *core);
void lists_forget(struct core *core); // another term
bool machine_is(const struct machine_name *name, const struct machine_facts *machine);
struct machine_name machine_name_of(const struct core *core, const struct machine_facts *machine);
bool machine_known(const struct machine_name *name);
struct node *machine_node(const struct core *core, const struct machine_facts *machine); // NULL: none
bool node_is_master(const struct node *node);

// ---- life_trust.c
// May anything be concluded from this list? False: `why` says what is wrong.
bool lists_trusted(struct core *core, struct cloud_watch *watch, const struct machine_facts *machines,
                   uint32_t count, char *why, size_t bytes);

// ---- life_own.c
struct machine_entry;
struct machine_index { // of one list, for as long as one look takes
    const struct machine_facts *machines;
    struct machine_entry *entries; // sorted
    uint32_t count;
};
struct machine_index machine_index_make(struct arena *arena, const struct machine_facts *machines,
                                        uint32_t count);
// The machine with this name; UINT32_MAX: none.
uint32_t machine_index_find(const struct machine_index *index, const struct machine_name *name);
void owners_find(struct core *core, struct cloud_watch *watch); // after a trusted list
void owners_drop(struct core *core, const struct life_private *p);
// Does the VPSieNode, or a VPSieNode at all, say that the machine is its, identifier or not?
bool owners_names(const struct life_private *p, const struct machine_facts *machine);
bool owners_named(const struct core *core, const struct machine_facts *machine);
// Of a VPSie group, by the trusted list: machines that intentions own; intentions whose machine is not in the
// list (it may be counted or not); orders that are open.
struct group_sum {
    int32_t owned, unsure, open;
    int32_t departed; // have just left the list, and may be counted still
};
struct group_sum owners_sum(struct core *core, const struct cloud_watch *watch, int64_t group_id);
void owners_follow(struct core *core, struct cloud_watch *watch); // vanished machines
void owners_departed(struct core *core, struct cloud_watch *watch, const struct life_private *p);
void owners_give(struct core *core, struct cloud_watch *watch, struct life_private *p, uint32_t machine);
int64_t owners_group_of(struct core *core, const struct life_private *p); // its VPSie group, 0: not known
struct sighting *owners_sighting(const struct cloud_watch *watch, const struct machine_facts *machine);
int64_t owners_first_seen(const struct cloud_watch *watch, const struct machine_facts *machine);
int64_t owners_count_changed(const struct cloud_watch *watch, int64_t group_id);

// ---- life_attribution.c
void attribution_match(struct core *core, struct cloud_watch *watch);
void attribution_give(struct life_private *p, uint32_t machine, const char *how); // index in the trusted list
// Why the order's machine may still be found although its time is over, in words; NULL: there is no hope.
const char *attribution_hope(struct life_private *p);
// How many machines the VPSie groups of the order's NodeGroup have or will have without it.
int32_t attribution_total(struct life_private *p);
// Was it there before `since_ms`, whatever the list showed then? An older Node, or a machine made long ago.
bool attribution_is_old(const struct core *core, const char *cluster, const struct machine_facts *machine,
                        int64_t since_ms);
// Could this machine be of that VPSie group, as far as its size is known?
bool attribution_fits(const struct core *core, const struct machine_facts *machine,
                      const struct vpsie_group_facts *group);
// May their machines look alike?
bool attribution_same_shape(const struct core *core, const struct vpsie_group_facts *a,
                            const struct vpsie_group_facts *b);

// ---- life_adopt.c
// Has the group had nothing over while this machine was there, and nobody's?
bool adopt_ruled_out(const struct cloud_watch *watch, const struct machine_facts *machine, int64_t group_id);
void adopt_surplus_view(struct core *core, struct cloud_watch *watch);
uint32_t adopt_for(struct core *core, struct group *group, struct pool *pool, uint32_t count,
                   uint64_t decision_id);
void adopt_resolve(struct core *core, struct cloud_watch *watch); // VPSieNodes without identifier

// ---- life_pools.c
void group_resolve(struct core *core, struct group *group);
void groups_resolve(struct core *core);
const struct vpsie_group_facts *vpsie_group_by_id(const struct core *core, const char *cluster, int64_t id);
struct pool *pool_of_group(struct core *core, struct group *group, int64_t vpsie_group_id); // NULL: none
struct pool *pool_named(struct core *core, struct group *group, const char *name);          // NULL: none
// Where the machine of this VPSieNode is or will be. NULL: its size can no longer be had.
struct pool *pool_of(struct core *core, const struct life_private *p);
// Orders were refused: no more of this pool for a while. NULL: of none of the NodeGroup's.
void group_back_off(struct core *core, struct group *group, struct pool *pool, bool limited, const char *why);
void group_order_taken(struct core *core, struct group *group,
                       struct pool *pool); // it is not refused any more

// ---- life_group.c
// The pool's VPSie group is there, its id is known; else asks for it.
bool group_is_there(struct core *core, struct group *group, struct pool *pool);
bool group_outcome(struct core *core, const struct event *event);
void groups_advance(struct core *core);        // finalizers, deletion
bool group_retains(const struct group *group); // it is being deleted and its machines stay
// It is being deleted, its machines go with it, and the time in which all the others might follow is over.
bool group_goes(const struct core *core, const struct group *group, int64_t *due_ms);
struct group_life_keep *group_keep(struct core *core, struct group *group);

// ---- life_order.c
void order_move(struct life_private *p); // LIFE_NEW ... LIFE_APPEAR
void order_take_answer(struct life_private *p, const struct event *event);

// ---- life_birth.c
void order_births(struct core *core);
bool order_birth_outcome(struct core *core, const struct event *event);
void order_birth_seen(struct core *core, const struct intention *intention);
void order_forget(struct core *core);
// False: the machine to adopt has a VPSieNode already.
bool order_new_birth(struct core *core, struct group *group, const struct pool *pool, uint64_t decision_id,
                     const char *reason, const struct machine_facts *adopt);

// ---- life_join.c
void join_move(struct life_private *p);  // LIFE_JOIN
void ready_move(struct life_private *p); // LIFE_READY
void join_bind(struct core *core, struct life_private *p);
bool join_node_ready(const struct core *core, const struct node *node); // Ready, no startup taint
bool join_startup_taint(const struct core *core, const struct taint *taint);
bool join_label(struct life_private *p); // true when the node carries our labels, confirmed

// ---- life_remove.c
void remove_move(struct life_private *p);
bool remove_begin(struct life_private *p, enum removal_kind kind, uint64_t decision_id, const char *why);
void remove_give_up(struct life_private *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool remove_pods_are_back(const struct life_private *p); // on its node: to be moved before it goes
void remove_unmark(struct life_private *p);              // it is no longer about to be deleted; to be stored
bool remove_goes_on(struct life_private *p);             // false: given up, or held
bool remove_graceful(const struct life_private *p);      // needs agents, evictions, lists of pods
bool remove_allowed(const struct life_private *p, const char **why); // no brake on this kind of removal
bool remove_mismatched(const struct life_private *p); // VPSie's machine and the Node are not the same
// May a delete that is under way still take its effect? Then the node is not given back.
bool remove_may_still_land(const struct life_private *p, int64_t *until_ms);
const char *
remove_ambiguous_node(const struct life_private *p); // a node that may be this machine, "" when none

// ---- life_delete.c
void delete_move(struct life_private *p);                 // LIFE_LAST_LIST ... LIFE_FAILED
bool delete_names_a_master(const struct life_private *p); // its machine is one of the control plane
void delete_take_list(struct life_private *p,
                      const struct event *event); // the pods that the API server lists

// ---- life_drain.c
void drain_begin(struct life_private *p);
void drain_free(struct life_private *p);
void drain_prepare(struct life_private *p); // LIFE_PREPARE
void drain_evict(struct life_private *p);   // LIFE_EVICT
void drain_last(struct life_private *p);    // LIFE_LAST_READY
bool drain_outcome(struct life_private *p, const struct event *event);
void drain_report(struct life_private *p, const struct agent_report_facts *report);
void drain_cancel(struct life_private *p);
bool drain_pod_goes(const struct pod *pod); // has to leave before the machine: not furniture, not terminal
void drain_direct(struct life_private *p, bool with_pods); // sends PREPARE_DRAIN
// READY (drained) was the answer to the last directive, and the agent says so still.
bool drain_done(const struct life_private *p);

// ---- life_evict.c
void evictions_move(struct life_private *p);
void evictions_free(struct drain *drain);

// ---- life_broken.c
bool broken_now(const struct core *core, const struct node *node, const struct intention *intention,
                int64_t *due_ms);
void broken_consider(struct life_private *p); // a machine in service
// Has it been broken for a good part of the time? Counts for the brake.
bool broken_soon(const struct core *core, const struct node *node, const struct intention *intention,
                 int64_t *due_ms);

// ---- life_brakes.c
void brake_set(struct core *core, enum brake brake, bool on, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void brakes_groups_event(struct core *core, const struct event *event);
void brakes_resume(struct core *core);
bool life_removals_allowed_broken(const struct core *core, const char **why); // of broken nodes
// Clearing away what is left of a machine that VPSie no longer has: broken nodes are no reason against that.
bool life_clearing_allowed(const struct core *core, const char **why);

// ---- life_takeover.c
void takeover_advance(struct core *core);
bool takeover_outcome(struct core *core, const struct event *event);
void takeover_begin(struct core *core);
void life_derive(struct life_private *p);       // where a life stands, from what is stored
uint64_t takeover_ask_fresh(struct core *core); // a consistent list that begins after now; its number

// ---- life_operator.c
void operator_advance(struct core *core);
bool operator_outcome(struct core *core, const struct event *event);
void operator_uncordon_strays(struct core *core);

#endif

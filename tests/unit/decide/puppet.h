// What this room is for: a core whose doors are played by hand: what is written to Kubernetes is stored and
// shown back at once, VPSie answers from two lists that the test writes, and any kind of command can be held
// back and answered as the test likes. What it knows: events, commands. What it may not do: behave like a
// cluster by itself (tests/world does).
#ifndef VPSIE_TESTS_DECIDE_PUPPET_H
#define VPSIE_TESTS_DECIDE_PUPPET_H

#include "coordinator/decide/life.h"

#define PUPPET_START_MS ((int64_t)1767225600000) // 2026-01-01T00:00:00Z
#define PUPPET_CLUSTER  "cluster-1"
#define PUPPET_SIZE     21 // 4 cores, 8 GiB
#define PUPPET_SIZE_TOO 22 // 8 cores, 16 GiB

struct puppet_note { // one annotation
    char key[80];
    char value[600];
};
struct puppet_node { // a VPSieNode as it is stored
    char name[80], uid[40], group[80], identifier[60], node_name[80], ip[40], hostname[80], error[300];
    char size[24]; // spec.instanceType
    struct puppet_note notes[16];
    uint32_t note_count, version;
    int64_t instance_id, group_id, created_ms, deletion_ms;
    int64_t provisioned_ms, joined_ms, ready_ms, terminating_ms, deleted_ms;
    enum intention_phase phase;
    bool finalizer, gone;
};
struct puppet_group {
    char name[80], annotation_key[80], annotation_value[40];
    int32_t min, max;
    int64_t size, deletion_ms, status_group_id;
    bool finalizer, gone;
    struct label labels[2];
    struct taint taints[2];
    uint32_t label_count, taint_count;
    const char *offerings[3];
    uint32_t offering_count;
};
struct puppet_machine {
    char identifier[60], hostname[80], ip[40], status[40];
    int64_t id, created_ms; // 0: not told
    enum machine_role role;
    int32_t cpu;
    int64_t memory_mb;
};
struct puppet_cloud_group {
    int64_t id, size;
    char name[80];
    int32_t nodes;
};
struct puppet_kube_node {
    char name[80], uid[40];
    bool ready, unschedulable, ours, startup, gone;
    int64_t ready_changed_ms, created_ms, cpu_millis, memory_mb;
    struct label labels[16];
    uint32_t label_count;
};

struct puppet {
    struct core *core;
    struct commands *out;
    int64_t now_ms;
    struct command **sent; // every command since the beginning, copies
    bool *answered;
    uint32_t sent_count;
    struct puppet_node nodes[40];
    uint32_t node_count;
    struct puppet_group groups[6];
    uint32_t group_count;
    struct puppet_machine machines[60];
    uint32_t machine_count;
    struct puppet_cloud_group cloud_groups[6];
    uint32_t cloud_group_count;
    struct puppet_kube_node kube_nodes[40];
    uint32_t kube_node_count;
    bool held[COMMAND_KIND_COUNT]; // not answered by itself
    bool watch_held;               // what is written is stored, and not shown
    bool webhooks;                 // a predecessor's
    struct saved_state saved;
    uint32_t adds; // machines that VPSie was asked for, and will make
    // Of the writes, counted from 1, this one never arrives, nor does any of a later step; 0: all arrive.
    // What left together with it arrives, and nobody hears of it.
    uint32_t fenced_write;
    uint32_t writes;
    const struct pod_facts *listed_pods; // what LIST_NODE_PODS answers
    uint32_t listed_pod_count;
    uint32_t uid;
};

struct puppet *
puppet_create(const struct core_config *config); // NULL: the default, with policy's own moves off
void puppet_destroy(struct puppet *puppet);
struct core_config puppet_config(void);

// Time and events. puppet_step() takes the event over and answers what is not held.
void puppet_step(struct puppet *puppet, struct event *event);
void puppet_run(struct puppet *puppet, int64_t ms); // with every timer on the way
void puppet_lead(struct puppet *puppet, uint64_t term);
void puppet_lose(struct puppet *puppet);
// Another process, which knows only what is stored. It is not synced and does not lead.
void puppet_restart(struct puppet *puppet);
void puppet_start(struct puppet *puppet); // synced, leading with term 1, lists read

// What is there. Shown to the core at once when it has been started.
struct puppet_group *puppet_group(struct puppet *puppet, const char *name, int64_t size, int32_t min,
                                  int32_t max);
void puppet_show_group(struct puppet *puppet, const struct puppet_group *group);
struct puppet_cloud_group *puppet_cloud_group(struct puppet *puppet, const char *name, int64_t id,
                                              int64_t size, int32_t nodes);
struct puppet_machine *puppet_machine(struct puppet *puppet, const char *identifier, const char *hostname);
void puppet_machine_gone(struct puppet *puppet, const char *identifier);
struct puppet_node *puppet_intention(struct puppet *puppet, const char *name, const char *group);
void puppet_show_intention(struct puppet *puppet, const struct puppet_node *node);
void puppet_annotate(struct puppet_node *node, const char *key, const char *value);
const char *puppet_note_of(const struct puppet_node *node, const char *key); // "" when absent
struct puppet_node *puppet_stored(struct puppet *puppet, uint32_t index);    // that still exist, by age
uint32_t puppet_stored_count(const struct puppet *puppet);
struct puppet_kube_node *puppet_kube_node(struct puppet *puppet, const char *name, bool ready);
void puppet_show_kube_node(struct puppet *puppet, const struct puppet_kube_node *node);
void puppet_kube_node_gone(struct puppet *puppet, const char *name);
// A pod with a controller ("" none), 100m and 64 MiB.
void puppet_pod(struct puppet *puppet, const char *name, const char *node, const char *controller);
struct event *puppet_pod_event(struct puppet *puppet, const char *name, const char *node,
                               const char *controller);
void puppet_pod_gone(struct puppet *puppet, const char *name);
void puppet_budget(struct puppet *puppet, const char *name, const char *app, int32_t allowed);
// The agent of a node speaks; directive "" answers none.
void puppet_report(struct puppet *puppet, const char *node, const char *directive, enum evidence_state state,
                   uint32_t remaining);

// A machine in service: VPSieNode Ready, machine in the list, Node Ready, agent heard. The VPSie group counts
// it.
struct puppet_node *puppet_in_service(struct puppet *puppet, const char *name, const char *group);

// What was commanded. n counts from 0; NULL when there were not so many.
const struct command *puppet_nth(const struct puppet *puppet, enum command_kind kind, uint32_t n);
uint32_t puppet_count(const struct puppet *puppet, enum command_kind kind);
const struct command *puppet_last(const struct puppet *puppet, enum command_kind kind);
uint32_t puppet_at(const struct puppet *puppet, const struct command *command); // its place among all
bool puppet_said(const struct puppet *puppet, const char *words); // in a note or a Kubernetes event
// Answer a held command. The second form names one machine (ADD_MACHINE).
void puppet_answer(struct puppet *puppet, const struct command *command, enum outcome outcome);
void puppet_answer_words(struct puppet *puppet, const struct command *command, enum outcome outcome,
                         int64_t retry_after_ms, const char *detail);
void puppet_answer_machine(struct puppet *puppet, const struct command *command, const char *identifier,
                           const char *hostname);
void puppet_answer_all(struct puppet *puppet, enum command_kind kind); // well, and no longer held
void puppet_operator(struct puppet *puppet, enum operator_verb verb, const char *argument);

struct life *puppet_life(struct puppet *puppet, const char *name); // of a VPSieNode; NULL when it is gone
// life_order() outside of policy: within a step of its own.
void puppet_order(struct puppet *puppet, const char *group, uint32_t count);
void puppet_order_size(struct puppet *puppet, const char *group, int64_t size, uint32_t count);
bool puppet_remove(struct puppet *puppet, const char *node, enum removal_kind kind);

#endif

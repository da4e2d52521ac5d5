// What this room is for: what the parts of the simulator share. What it knows: its insides. What it may not
// do: be included from outside tests/sim.
#ifndef VPSIE_TESTS_SIM_PRIVATE_H
#define VPSIE_TESTS_SIM_PRIVATE_H

#include "common/text.h"
#include "coordinator/fleet/directives.h"
#include "tests/sim/facts.h"
#include "tests/sim/sim.h"

#define SIM_TRACE_LINES 400u

enum call_stage { CALL_WAITS, CALL_SENT, CALL_DONE };
struct call {          // one command with an outcome, on its way through a door
    struct call *next; // of the process, in order of submission
    struct command *command;
    uint64_t number; // in the whole simulation
    uint64_t index;  // see sim_kill_at()
    unsigned process;
    enum call_stage stage;
    enum sim_fault fault;
    bool drained;      // DELETE_MACHINE: the agent's last word was READY (drained)
    int64_t effect_ms; // when it was done
    int64_t
        told_list_ms; // DELETE_MACHINE: when VPSie's list was made that its coordinator had been told last
    bool told_ready;  // DELETE_MACHINE: its coordinator had been told that the node is Ready when this left
    bool orphan;      // its process is dead: the effect still comes, the outcome goes nowhere
    struct event *outcome;
};

struct process {
    unsigned number;
    bool alive;
    char identity[40];
    struct core *core;
    struct commands *out;
    bool synced, leading;
    uint64_t term;
    int64_t fence_ms;                   // it may act until then
    int64_t frozen_ms;                  // it does nothing until then
    int64_t told_list_ms;               // when VPSie's list of machines was made that it was told last
    int64_t armed_ms;                   // the earliest timer that will wake it
    int64_t cursors[OBJECT_KIND_COUNT]; // versions seen; -1 before the first list
    bool dies_after_step;               // SIM_DEATH_AFTER_OUTCOME
    uint64_t steps_now;                 // at this millisecond: a loop that never ends is found
    int64_t steps_ms;
    struct call *calls;
    struct directives directives;
};

// One order as the checker follows it, by the name of its intention.
struct order {
    char *intention;
    unsigned calls; // add calls that left a door and were not definitely refused
};
struct drain { // what is known of a node's evidence in the present leader's term
    char *node_name;
    unsigned process;
    bool cordon_confirmed;
    char directive[128]; // sent after the confirmation
    char **uids;         // the pods that it named
    uint32_t uid_count;
    bool ready;       // the newest word to the core that names it is READY
    int64_t ready_ms; // and came then
    bool evicted;     // a pod, since that directive was sent
    bool drained;     // READY with none of its pods left, to a directive sent after the last eviction
};

struct recovery { // when a node last became Ready
    char *node_name;
    int64_t version;
};

struct sim {
    struct sim_settings settings;
    struct world *world;
    struct random random; // the doors' own, so that a change in the world's draws changes nothing here
    struct process processes[SIM_PROCESSES_MAX];
    unsigned process_count;
    // The Lease
    unsigned holder; // 0: nobody
    int64_t lease_until_ms;
    uint64_t term;
    struct saved_state saved;
    // Faults
    struct sim_chances chances;
    int64_t trouble_until_ms;
    struct {
        enum sim_fault fault;
        unsigned count;
    } scripted[COMMAND_KIND_COUNT];
    bool kube_cut, vpsie_cut;
    int64_t held_until_ms[OBJECT_KIND_COUNT]; // the kind's watch says nothing before
    bool kill_planned;
    uint64_t kill_index;
    enum sim_death kill_death;
    // Books
    uint64_t call_number, command_index;
    uint64_t sent[COMMAND_KIND_COUNT], effects[COMMAND_KIND_COUNT];
    uint64_t hash;
    struct call *orphans;
    struct order *orders;
    size_t order_count;
    struct drain *drains;
    size_t drain_count;
    struct recovery *recoveries;
    size_t recovery_count;
    char **cordons; // nodes that a person has cordoned
    size_t cordon_count;
    int64_t unsaid_ms;       // since when a surplus could have been said and was not, 0: it was
    int64_t surplus_said_ms; // people were last told of machines that nobody asked for
    char **said;
    size_t said_count;
    char *reply;
    char *trace[SIM_TRACE_LINES];
    uint64_t trace_count;
    bool trace_all; // SIM_TRACE=1: every line on stderr
    char broken[600];
    int64_t last_audit_ms;
    int64_t lied_ms;     // when VPSie's list was last wrong
    int64_t hindered_ms; // or nobody led, or the API server or VPSie could not be reached
    bool agents_started;
    bool let_go; // see sim_lets_go()
};

// ---- sim.c
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_break(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_say(struct sim *sim, const char *words);
int64_t sim_draw(struct sim *sim, struct span span);
struct sim_chances sim_chances_now(const struct sim *sim);

// ---- process.c
struct process *process_by_number(struct sim *sim, unsigned number);
// Hand an event to the core now, and send what it commands. Takes the event.
void process_feed(struct sim *sim, struct process *process, struct event *event);
void process_end(struct sim *sim, struct process *process);
void process_lease(struct sim *sim); // start the Lease's clock
// If it sleeps (SIGSTOP): do it again when it wakes, and return true.
bool process_sleeps(struct sim *sim, const struct process *process, timer_function function,
                    const char *subject, int64_t number);

// ---- calls.c: commands through doors
void calls_submit(struct sim *sim, struct process *process, const struct command *command);
void calls_orphan(struct sim *sim, struct process *process);
void call_free(struct call *call);

// ---- watches.c
void watches_start(struct sim *sim, struct process *process);
void watches_noticed(void *sim, const struct api_change *change);
// Objects of three kinds as they are now, then what is gone (COMMAND_KUBE_LIST_FRESH).
void watches_list_fresh(struct sim *sim, struct process *process, struct event *outcome);

enum api_kind facts_kind(enum object_kind kind); // the world's kind of what the core knows

// ---- kube_calls.c, vpsie_calls.c: a command's effect on the world; fills the outcome
void kube_effect(struct sim *sim, const struct command *command, struct event *outcome);
void vpsie_effect(struct sim *sim, const struct command *command, struct event *outcome);

// ---- agents.c
void sim_agents_start(struct sim *sim);
void sim_agents_noticed(struct sim *sim, const struct api_change *change);
void sim_agents_direct(struct sim *sim, struct process *process, const struct command *command);

// ---- checks.c
void check_command(struct sim *sim, struct process *process, const struct command *command);
void check_noticed(struct sim *sim, const struct api_change *change);
void check_sent(struct sim *sim, struct call *call);
void check_before_effect(struct sim *sim, const struct call *call);
void check_after_effect(struct sim *sim, const struct command *command);
void check_told(struct sim *sim, const struct process *process, const struct call *call,
                enum outcome outcome);
void check_report(struct sim *sim, const struct process *process, const struct agent_report_facts *report);
void check_death(struct sim *sim, const struct process *process);
void check_world(struct sim *sim); // now and then: what must hold at any time

#endif

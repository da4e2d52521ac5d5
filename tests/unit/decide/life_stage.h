// What this room is for: a stage on which a machine lives and leaves: every command is answered as the API
// server, VPSie and the node's agent would, unless the test says otherwise. What it knows: facts, commands.
// What it may not do: decide anything itself.
#ifndef VPSIE_TESTS_LIFE_STAGE_H
#define VPSIE_TESTS_LIFE_STAGE_H

#include "tests/unit/decide/policy_stage.h"

#define LIFE_STAGE_LISTED_MAX 4
#define LIFE_STAGE_GONE_MAX   8

struct life_stage {
    struct stage *stage;
    bool by_hand[COMMAND_KIND_COUNT];               // the test answers these itself
    enum outcome becomes[COMMAND_KIND_COUNT];       // of those that are answered at once
    struct pod_facts listed[LIFE_STAGE_LISTED_MAX]; // what the API server's own list of a node's pods shows
    uint32_t listed_count;
    bool machines_linger;               // VPSie accepts a delete and goes on listing the machine
    char gone[LIFE_STAGE_GONE_MAX][64]; // identifiers that VPSie no longer lists
    uint32_t gone_count;
    const char *master; // identifier of a machine that VPSie lists as one of the control plane, NULL: none
    // The agent of the node that was asked for a drain: what it says to the newest directive.
    bool agent_silent; // not a word
    bool agent_deaf;   // reports, about no directive
    enum evidence_state agent_says;
    char directive[64]; // the newest that was sent, "" none
    char directed_node[64];
    int64_t next_reports_ms;
};

struct life_stage *life_stage_create(void);
void life_stage_destroy(struct life_stage *life);
void life_stage_step(struct life_stage *life, struct event *event); // takes the event over
// Time passes; every agent that was heard reports every five seconds.
void life_stage_wait(struct life_stage *life, int64_t ms);
// ... until a command of the kind was given since stage_forget(); false: it was not within that time.
bool life_stage_wait_for(struct life_stage *life, enum command_kind kind, int64_t ms);
// The outcome of a command that the test answers by hand.
void life_stage_answer(struct life_stage *life, const struct command *command, enum outcome outcome,
                       const char *detail);
// A report of the directed node's agent about a directive.
struct event *life_stage_verdict(struct life_stage *life, const char *directive, enum evidence_state state);
// A Node of a group again, for the test to change before it is handed on.
struct event *life_stage_node(struct life_stage *life, const char *name, const char *group);
void life_stage_pod_gone(struct life_stage *life, const char *space, const char *name, const char *uid);

#endif

// What this room is for: the pure core tied to the world in virtual time: doors with latencies and faults,
// one or more coordinators that can be killed at any command, and the rules that must never be broken,
// checked at every step. What it knows: events, commands, the world. What it may not do: read a clock, help
// the core.
#ifndef VPSIE_TESTS_SIM_SIM_H
#define VPSIE_TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/decide/core.h"
#include "tests/world/agents.h"
#include "tests/world/cloud.h"
#include "tests/world/kubernetes.h"
#include "tests/world/world.h"

#define SIM_PROCESSES_MAX 64

// What becomes of one call on its way.
enum sim_fault {
    SIM_FAULT_NONE,
    SIM_FAULT_NOT_SENT,     // no connection: definite
    SIM_FAULT_LOST_BEFORE,  // it never arrived; nobody knows
    SIM_FAULT_LOST_AFTER,   // it was done; the answer is lost
    SIM_FAULT_LATE,         // it is done long after everybody stopped waiting
    SIM_FAULT_THROTTLED,    // 429
    SIM_FAULT_ERROR_BEFORE, // 5xx, nothing done
    SIM_FAULT_ERROR_AFTER,  // 5xx, and done
    SIM_FAULT_CONFLICT,     // 409 (Kubernetes)
    SIM_FAULT_REFUSED,      // 400 (VPSie)
    SIM_FAULT_COUNT
};

// How often things go wrong, in percent of calls.
struct sim_chances {
    uint32_t kube[SIM_FAULT_COUNT];
    uint32_t vpsie[SIM_FAULT_COUNT];
    uint32_t watch_stalls;    // a kind's stream is late by up to half a minute
    uint32_t watch_collapses; // changes in between are not seen, only what came of them (a new list)
    uint32_t report_lost;
};

struct sim_settings {
    uint64_t seed;
    struct world_settings world;
    struct core_config core;
    struct sim_chances chances;
    struct span watch, kube, vpsie, agent; // one way
    struct span restart;                   // a killed coordinator's successor starts after
    int64_t lease_ms, renew_ms, retry_ms;
};
struct sim_settings sim_settings_default(uint64_t seed);

enum sim_death { SIM_DEATH_BEFORE_SENDING, SIM_DEATH_AFTER_EFFECT, SIM_DEATH_AFTER_OUTCOME, SIM_DEATH_COUNT };

struct sim;
// The world has one VPSie cluster SIM_CLUSTER with a master, sizes SIM_SIZE (4 cores, 8 GiB) and
// SIM_SIZE_LARGE (8 cores, 16 GiB); everything else the story adds.
#define SIM_CLUSTER    "cluster-1"
#define SIM_DATACENTER "dc-1"
#define SIM_SIZE       21
#define SIM_SIZE_LARGE 22
struct sim *sim_create(const struct sim_settings *settings);
void sim_destroy(struct sim *sim);
struct world *sim_world(struct sim *sim);

// Coordinators. Each is numbered from 1 in order of its start.
unsigned sim_start(struct sim *sim);
void sim_kill(struct sim *sim, unsigned process);               // SIGKILL; what was sent goes on its way
void sim_stop(struct sim *sim, unsigned process);               // cleanly: the Lease is released
void sim_freeze(struct sim *sim, unsigned process, int64_t ms); // SIGSTOP and, later, SIGCONT
unsigned sim_leader(const struct sim *sim);                     // 0: nobody
// Kill the leader at its index'th command that has an outcome, counted over all coordinators from 0; a
// successor starts by itself.
void sim_kill_at(struct sim *sim, uint64_t index, enum sim_death death);
uint64_t sim_commands(const struct sim *sim); // such commands so far

// Faults. From now until the time given, as often as the settings say.
void sim_trouble(struct sim *sim, const struct sim_chances *chances, int64_t until_ms);
// The next `count` commands of this kind meet this fault.
void sim_fault_next(struct sim *sim, enum command_kind kind, enum sim_fault fault, unsigned count);
void sim_cut_kube(struct sim *sim, bool cut);  // nobody reaches the API server
void sim_cut_vpsie(struct sim *sim, bool cut); // the account's door is shut: credentials, breaker
// The watch of a kind says nothing for so long (a stream that hangs); lists are answered as ever.
void sim_hold_watch(struct sim *sim, enum object_kind kind, int64_t ms);
void sim_person_cordons(struct sim *sim, const char *node_name, bool cordoned); // and checks that it holds
// From here on machines that we ordered may be without an intention: somebody said so (retain, release).
void sim_lets_go(struct sim *sim);
void sim_operator(struct sim *sim, enum operator_verb verb, const char *argument);

// Live on. The checks run at every step; the first broken rule stops everything.
void sim_run(struct sim *sim, int64_t ms);
typedef bool (*sim_condition)(struct sim *sim, void *context);
bool sim_run_until(struct sim *sim, sim_condition condition, void *context, int64_t limit_ms);

// What happened. "" while no rule is broken; else which, when, and by what.
const char *sim_broken(const struct sim *sim);
uint64_t sim_effects(const struct sim *sim, enum command_kind kind); // how often it was done
uint64_t sim_sent(const struct sim *sim, enum command_kind kind);    // how often it left a door
size_t sim_surplus(const struct sim *sim); // machines in VPSie's groups that no intention speaks for
uint64_t sim_hash(const struct sim *sim);  // of every command's canonical text
// Was a note, event, condition or status text with these words ever written?
bool sim_said(const struct sim *sim, const char *words);
const char *sim_reply(const struct sim *sim); // the last operator reply's text
void sim_print(const struct sim *sim);        // seed, the broken rule and the end of the trace, on stderr
struct core *sim_core(const struct sim *sim); // of the leader, NULL without: to be asked, not changed

#endif

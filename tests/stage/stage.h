// What this room is for: the whole play: the world behind HTTPS, the real coordinator (one or two), a real
// agent for every machine that the world boots. What it knows: how the programs are started and asked. What
// it may not do: know a story; stories are tests/e2e and tests/demo.
#ifndef VPSIE_TESTS_STAGE_STAGE_H
#define VPSIE_TESTS_STAGE_STAGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/text.h"
#include "tests/servers/https.h"
#include "tests/servers/kube_api.h"
#include "tests/servers/vpsie_api.h"
#include "tests/stage/host_tree.h"
#include "tests/stage/process.h"
#include "tests/world/cloud.h"
#include "tests/world/kubernetes.h"
#include "tests/world/world.h"

#define STAGE_CLUSTER      "c1000000-0000-4000-8000-000000000001"
#define STAGE_DATACENTER   "dc-test"
#define STAGE_AGENTS_MAX   64
#define STAGE_COORDINATORS 2

struct stage_agent {
    char node[80];
    char machine[40]; // identifier
    struct host_tree tree;
    struct process process;
    bool used;
    bool stopped; // a test stopped it on purpose: not started again
};

struct stage {
    char dir[200]; // everything of this stage: certificates, logs, trees, sockets
    char bin[200]; // where the programs are
    struct world *world;
    pthread_mutex_t lock; // guards the world, kube, vpsie
    pthread_cond_t changed;
    struct kube_api kube;
    struct vpsie_api vpsie;
    struct https *kube_server, *vpsie_server;
    int agent_port[STAGE_COORDINATORS], web_port[STAGE_COORDINATORS];
    char socket[STAGE_COORDINATORS][256];
    struct process coordinator[STAGE_COORDINATORS];
    struct stage_agent agents[STAGE_AGENTS_MAX]; // changed by the stage's thread only, under agents_lock
    pthread_mutex_t agents_lock;
    atomic_bool storm; // watches break and the log is compacted again and again
    atomic_bool stopping;
    pthread_t thread;
    struct process host_agent;
    bool thread_runs, with_agents, with_host_agent;
    atomic_int bad_ends; // programs that ended by themselves, or badly when told to stop
};

struct stage_options {
    const char *name; // of the folder
    uint64_t seed;
    struct world_settings settings; // start_ms is set by the stage
    bool with_agents;
    bool host_agent; // one more agent, for the control plane's node, reads this very host
};
// A calm world with quick machines: seconds where life takes minutes.
struct stage_options stage_options_quick(const char *name);

// Aborts with a message when the stage cannot be built: there is nothing to test then.
struct stage *stage_create(const struct stage_options *options);
// Stops what runs, frees, and removes the folder unless `keep`. Returns how many programs ended by
// themselves, did not stop when told to, or stopped with another exit status than 0 (a sanitizer's report,
// for one); each is told on stderr with the end of its log.
int stage_destroy(struct stage *stage, bool keep);

// One VPSie size and one NodeGroup ("general", size 1: 2 cpu, 4 GiB) and a control plane node are there from
// the start.
void stage_add_group(struct stage *stage, const char *name, int64_t size_id, int minimum, int maximum,
                     int stabilization_seconds);
void stage_deploy(struct stage *stage, const struct workload *workload);
void stage_scale(struct stage *stage, const char *space, const char *name, int replicas);

// `extra`: further flags, NULL-terminated; may be NULL.
void stage_start_coordinator(struct stage *stage, int index, const char *const *extra);
// Runs the client against a coordinator; its output (stdout and stderr) in `out`. Returns the exit code.
int stage_ask(struct stage *stage, int index, const char *const *words, struct text *out);

// Counts, taken under the lock.
struct stage_counts {
    int pods, pods_running, pods_waiting;
    int nodes, nodes_ready; // workers
    int machines;           // workers at VPSie that exist
    int intentions;
    uint64_t add_calls, machines_made, delete_calls;
};
struct stage_counts stage_count(struct stage *stage);
// Machines (not masters) that exist without an intention, and intentions with the same machine: 0 and 0 are
// right.
void stage_audit(struct stage *stage, int *lost, int *doubled, struct text *report);

// Polls until `condition` holds, at most limit_ms. False when it never did (with a line on stderr that says
// what).
typedef bool (*stage_condition)(struct stage *stage, void *context);
bool stage_wait(struct stage *stage, const char *what, stage_condition condition, void *context,
                int64_t limit_ms);

struct stage_agent *stage_agent(struct stage *stage, const char *node); // NULL when none
void stage_lock(struct stage *stage);
void stage_unlock(struct stage *stage);
// The last lines of a log, for a test that failed.
void stage_print_logs(struct stage *stage);

#endif

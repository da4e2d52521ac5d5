// What this room is for: one model of a Kubernetes cluster and of the VPSie cloud under it, in virtual time:
// the same seed and the same calls give the same world. What it knows: how both behave, faults and people
// included. What it may not do: read a clock, speak HTTP, know the coordinator.
#ifndef VPSIE_TESTS_WORLD_WORLD_H
#define VPSIE_TESTS_WORLD_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/world/api.h"
#include "tests/world/random.h"
#include "tests/world/timers.h"

#define CSI_DRIVER     "csi.vpsie.com"
#define WORLD_START_MS 1700000000000 // 2023-11-14T22:13:20Z

struct span { // a duration drawn anew each time, both ends included
    int64_t low_ms, high_ms;
};

enum add_answer { ADD_ANSWERS_TRUE, ADD_ANSWERS_OBJECT, ADD_ANSWERS_MIXED };

// How this world behaves. world_settings_default() is a calm one, with times shorter than life's.
struct world_settings {
    uint64_t seed;
    int64_t start_ms;
    // The cloud
    struct span appear;  // order → in the node list
    struct span count;   // order → in the group's nodes_count
    struct span boot;    // order → the kubelet registers its Node
    struct span vanish;  // deletion → out of the list
    struct span uncount; // deletion → out of the group's nodes_count
    enum add_answer add_answer;
    uint32_t never_joins_percent; // the machine is there and no Node ever comes
    uint32_t other_case_percent;  // the list's hostname in capitals
    uint32_t dies_percent;        // the machine stops some time after it joined
    struct span lifetime;         // of one that dies
    int32_t machines_max;         // quota over all groups of a cluster, 0: none
    const char *quota_text;       // what the refusal says
    bool one_group_per_size;
    bool groups_answer_id; // creating a group tells its numeric id
    // The cluster
    struct span pull;        // bound → running and ready
    struct span stop;        // asked to end → ended (at most the grace)
    struct span ready;       // Node registered → Ready
    const char *cni_taint;   // a startup taint that the network plugin lifts, "" none
    struct span cni;         // Ready → that taint lifted
    struct span detach;      // volume unused → its VolumeAttachment gone
    struct span scheduler;   // something changed → the scheduler has looked
    struct span controllers; // something changed → the controllers have looked
    int64_t node_grace_ms;   // kubelet silent → Ready Unknown
    int64_t pod_gc_ms;       // Node object gone → its pods gone
    int32_t volumes_max;     // of CSI_DRIVER on a node, told by its CSINode; 0: no CSINode
    int64_t status_every_ms; // a kubelet's heartbeat in its Node's status; 0: none
};
struct world_settings world_settings_default(uint64_t seed);

struct world {
    struct world_settings settings;
    int64_t now_ms;
    struct random random;
    struct timers timers;
    struct api *api;
    struct cloud *cloud;
    struct agents *agents;
    bool scheduler_due, controllers_due;
};

struct world *world_create(const struct world_settings *settings);
void world_destroy(struct world *world);
// Live until `to_ms`: everything due by then happens, in order.
void world_advance(struct world *world, int64_t to_ms);
// When the next thing is due, TIMERS_NEVER: nothing is.
int64_t world_next_ms(const struct world *world);
// Do the one thing that is due next. False when nothing is.
bool world_step(struct world *world);
// Have a function called after a delay. The subject is copied.
void world_after(struct world *world, int64_t delay_ms, timer_function function, void *context,
                 const char *subject, int64_t number);
// The scheduler looks now at every pod that waits, whether something changed or not.
void world_schedule(struct world *world);
int64_t world_draw(struct world *world, struct span span);

#endif

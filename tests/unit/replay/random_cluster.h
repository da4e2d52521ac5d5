// What this room is for: random clusters in which pods ask for all that the scheduler's filters know. What it
// knows: the model's facts. What it may not do: be fair: many of its pods fit nowhere.
#ifndef VPSIE_TESTS_UNIT_REPLAY_RANDOM_CLUSTER_H
#define VPSIE_TESTS_UNIT_REPLAY_RANDOM_CLUSTER_H

#include "common/arena.h"
#include "coordinator/model/cluster.h"
#include "tests/replay/replay.h"

#define NODES_MAX   8u
#define BOUND_MAX   12u
#define WAITING_MAX 14u

// One generator for everything that a test draws.
void draw_begin(uint32_t seed);
int64_t draw(int64_t low, int64_t high);
bool chance(uint32_t percent);
const char *draw_zone(void); // "a", "b" or "c", as the label "zone" of most nodes

// Rules of each pod: two pods of an app may ask for different things, and one may be counted by rules that it
// does not have itself. Rules of each app: as controllers make pods.
enum draw_rules { RULES_OF_EACH_POD, RULES_OF_EACH_APP };
// The arena holds what the facts point to. The caller destroys the cluster.
struct cluster *draw_cluster(struct arena *arena, enum draw_rules whose, const struct pod **waiting,
                             uint32_t *waiting_count);

#define ANY_SEED_ENV "VPSIE_SEED" // one seed alone, told in full
uint32_t only_seed(void);         // 0: all
void tell_pod(const char *what, const struct pod *pod);
// The whole picture, when one seed is looked at.
void tell_plan(const struct cluster *cluster, const struct replay_promise *promises, uint32_t count);
// The plan holds when its machines join together, or when they join one after the other in their order.
// `promises` is the plan's.
void check_plan(uint32_t seed, struct replay_plan *plan);
void fail_seed(uint32_t seed, const char *what, const char *told);

#endif

// What this room is for: the small cluster that the world's tests begin with. What it knows: the world.
// What it may not do: assert.
#ifndef VPSIE_TESTS_UNIT_WORLD_STORIES_H
#define VPSIE_TESTS_UNIT_WORLD_STORIES_H

#include "tests/world/cloud.h"
#include "tests/world/kubernetes.h"

#define STORY_CLUSTER "cluster-1"
#define STORY_SIZE    21 // 4 cores, 8 GiB

// One cluster with a master, one size, one group "general" and `workers` machines in it, all Ready.
struct world *story_world(uint64_t seed, unsigned workers);
struct cloud_group *story_group(struct world *world);
void story_live(struct world *world, int64_t seconds);

#endif

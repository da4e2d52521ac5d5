#include "tests/unit/world/stories.h"

#include <stdio.h>

struct world *story_world(uint64_t seed, unsigned workers)
{
    struct world_settings settings = world_settings_default(seed);
    struct world *world = world_create(&settings);
    cloud_add_cluster(world, STORY_CLUSTER, "one", "dc-1");
    cloud_add_size(world, STORY_SIZE, "medium", "dc-1", 4, 8192, 80, 20.0);
    cloud_add_size(world, STORY_SIZE + 1, "large", "dc-1", 8, 16384, 160, 40.0);
    cloud_create_group(world, STORY_CLUSTER, "general", STORY_SIZE);
    cloud_add_present(world, STORY_CLUSTER, "master-1", 0, 0, true);
    for (unsigned i = 0; i < workers; i++) {
        char name[32];
        snprintf(name, sizeof name, "w-%u", i + 1);
        cloud_add_present(world, STORY_CLUSTER, name, story_group(world)->id, STORY_SIZE, false);
    }
    return world;
}

struct cloud_group *story_group(struct world *world)
{
    return cloud_group_by_name(world, STORY_CLUSTER, "general");
}

void story_live(struct world *world, int64_t seconds)
{
    world_advance(world, world->now_ms + seconds * 1000);
}

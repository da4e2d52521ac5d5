// What this room is for: making and ending the cloud. What it knows: nothing more. What it may not do: be
// included from outside tests/world.
#ifndef VPSIE_TESTS_WORLD_CLOUD_PRIVATE_H
#define VPSIE_TESTS_WORLD_CLOUD_PRIVATE_H

#include "tests/world/cloud.h"

struct cloud *cloud_create(void);
void cloud_destroy(struct cloud *cloud);

#endif

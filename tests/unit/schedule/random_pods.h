// What this room is for: random pods that keep to and from each other, the same ones for the same seed. What
// it knows: facts. What it may not do: depend on anything but its seed.
#ifndef VPSIE_TESTS_UNIT_SCHEDULE_RANDOM_PODS_H
#define VPSIE_TESTS_UNIT_SCHEDULE_RANDOM_PODS_H

#include "coordinator/model/cluster.h"
#include "tests/support/make_facts.h"

#define RANDOM_ZONES  3u
#define RANDOM_SPACES 2u

void random_begin(uint32_t seed);
uint32_t below(uint32_t limit);
bool one_in(uint32_t count);
const char *random_zone(void);
// A pod of the namespace, with labels app and tier, and any relations, ports, selectors and tolerations. With
// `alone` its terms stay in its namespace and its spread honours its node selector.
const struct pod *random_pod(struct cluster *cluster, const char *space, const char *name, const char *node,
                             const struct label *selector, bool alone);

#endif

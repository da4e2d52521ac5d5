// What this room is for: chance that can be repeated: one seed, one sequence. What it knows: numbers.
// What it may not do: look at a clock, an address or the system's own randomness.
#ifndef VPSIE_TESTS_WORLD_RANDOM_H
#define VPSIE_TESTS_WORLD_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

void random_seed(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
// Uniform in [low, high]; low when high < low.
int64_t random_between(struct random *random, int64_t low, int64_t high);
bool random_chance(struct random *random, uint32_t percent); // 0: never, 100: always; draws in any case
void random_uuid(struct random *random, char uuid[37]);      // version 4, lower case, terminated

#endif

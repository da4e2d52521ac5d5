#include "tests/world/random.h"

#include <stdio.h>

void random_seed(struct random *random, uint64_t seed)
{
    random->state = seed ^ 0x9e3779b97f4a7c15u;
}

// splitmix64: small, passes the usual statistical tests, and any state is a good state.
uint64_t random_next(struct random *random)
{
    random->state += 0x9e3779b97f4a7c15u;
    uint64_t mixed = random->state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

int64_t random_between(struct random *random, int64_t low, int64_t high)
{
    uint64_t drawn = random_next(random);
    if (high <= low)
        return low;
    return low + (int64_t)(drawn % ((uint64_t)(high - low) + 1u));
}

bool random_chance(struct random *random, uint32_t percent)
{
    return random_next(random) % 100u < percent;
}

void random_uuid(struct random *random, char uuid[37])
{
    uint64_t high = random_next(random), low = random_next(random);
    snprintf(uuid, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32),
             (unsigned)((high >> 16) & 0xffffu), (unsigned)(high & 0xfffu),
             (unsigned)((low >> 48) & 0x3fffu) | 0x8000u, (unsigned long long)(low & 0xffffffffffffu));
}

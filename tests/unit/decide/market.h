// What this room is for: pods without a place and machines to be had, for tests of choosing. What it knows:
// the model, choose.h. What it may not do: choose.
#ifndef VPSIE_TESTS_MARKET_H
#define VPSIE_TESTS_MARKET_H

#include "coordinator/decide/choose.h"
#include "tests/support/make_facts.h"

#define MARKET_CHOICES_MAX 512u

struct market {
    struct cluster *cluster;
    struct arena *arena;
    struct packing packing;
    struct wish wish;
    struct choice choices[MARKET_CHOICES_MAX];
    struct choice_group groups[16];
    struct place places[MARKET_CHOICES_MAX];
    struct resources resources[MARKET_CHOICES_MAX];
    uint32_t random;
};

struct market *market_create(uint32_t seed);
void market_destroy(struct market *market);
uint32_t market_below(struct market *market, uint32_t limit); // a number drawn from the seed

// A group without limits, and machines of a size in it. Both return the index.
uint32_t market_group(struct market *market);
uint32_t market_size(struct market *market, uint32_t group, int64_t cpu_millis, int64_t mib,
                     double price_hour);
// Pods that wait. `facts` is changed as the caller likes before it is put.
void market_pods(struct market *market, const char *prefix, uint32_t count, int64_t cpu_millis, int64_t mib);
void market_pod(struct market *market, const struct pod_facts *facts);
// Looks at the cluster as it is now: pods in packing order, a fresh packing. Then chooses.
struct chosen market_choose(struct market *market);

// Fails the test unless the plan keeps every promise: limits, filters when all is put anew on a fresh
// packing, no machine without a pod, sums that are right.
void market_check(struct market *market, const struct chosen *chosen);

#endif

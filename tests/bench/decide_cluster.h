// What this room is for: clusters of a seed and a size for bench-decide, as events: nodes with their
// VPSieNodes and agents, Deployments and StatefulSets with the relations that real ones have, offers. What it
// knows: facts. What it may not do: measure, decide.
#ifndef VPSIE_TESTS_BENCH_DECIDE_CLUSTER_H
#define VPSIE_TESTS_BENCH_DECIDE_CLUSTER_H

#include "coordinator/decide/event.h"

struct bench_options {
    uint64_t seed;
    uint32_t nodes, pods, pending, kinds, groups, offers;
    double affinity, anti_affinity, spread, volumes; // shares of pods
    double filled;                                   // of the nodes' cpu that pods on them ask for
    bool config;                                     // an AutoscalerConfig that allows many changes at once
    bool consolidation;                              // and moves
    bool karpenter;                                  // the workload of Karpenter's own benchmark
};
struct bench_options bench_options_default(void);

#define BENCH_START_MS   INT64_C(1767225600000) // 2026-01-01T00:00:00Z
#define BENCH_CLUSTER    "bench-cluster"
#define BENCH_SPACE      "shop"
#define BENCH_ZONES      3u
#define BENCH_GROUP_ID   1000
#define BENCH_OWNER_PODS 10u // of a Deployment that runs

struct offer_facts bench_offer(const struct bench_options *options, struct arena *arena, uint32_t index);
uint32_t bench_offer_of_nodes(const struct bench_options *options); // which one the nodes there are have

// Everything but pods that wait, in an order in which an API server might list it; NULL at the end.
struct event *bench_event(const struct bench_options *options, uint32_t index);
// The i-th waiting pod.
struct event *bench_pending(const struct bench_options *options, uint32_t index, int64_t now_ms);
// The i-th pod on a node; `changed`: it has just become not ready.
struct event *bench_pod(const struct bench_options *options, uint32_t index, bool changed);
struct event *bench_report(const struct bench_options *options, uint32_t node, int64_t now_ms,
                           uint64_t sequence);
// What VPSie lists.
struct machine_facts bench_machine(const struct bench_options *options, struct arena *arena, uint32_t node);
struct vpsie_group_facts bench_vpsie_group(const struct bench_options *options, struct arena *arena,
                                           uint32_t group);

#endif

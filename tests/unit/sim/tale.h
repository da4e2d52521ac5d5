// What this room is for: what the simulator's stories have in common: how they begin, what they wait for, how
// they end. What it knows: the simulator. What it may not do: hide what a story is about.
#ifndef VPSIE_TESTS_UNIT_SIM_TALE_H
#define VPSIE_TESTS_UNIT_SIM_TALE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/sim.h"

#define MINUTES(n) ((int64_t)(n)*60000)
#define SECONDS(n) ((int64_t)(n)*1000)

// A cluster with a master and an unmanaged worker "pet-1" that no NodeGroup knows, NodeGroup "general" (size
// SIM_SIZE, quick to scale down: 60 s window, no cooldown) with the limits given, and one coordinator.
struct sim *tale_begin(uint64_t seed, int32_t min, int32_t max);
struct sim *tale_begin_with(const struct sim_settings *settings, int32_t min, int32_t max);
// The same without a coordinator: for what has to be there before it starts.
struct sim *tale_prepare(const struct sim_settings *settings, int32_t min, int32_t max);
// The same without kubeSizeID: SIM_SIZE and SIM_SIZE_LARGE are offered.
struct sim *tale_prepare_two_sizes(const struct sim_settings *settings, int32_t min, int32_t max);
// A deployment of `replicas` pods, 1 cpu and 1 GiB each: three fit on a machine of SIM_SIZE.
void tale_deploy(struct sim *sim, const char *name, int32_t replicas);
// Grow "general" to `machines` Ready machines with three pods of "web" each, and let it rest.
void tale_grow(struct sim *sim, int32_t machines);

// Wait at most `limit_ms` of virtual time; a story that waits in vain fails and prints its trace.
void tale_until_ready(struct sim *sim, const char *app, size_t pods, int64_t limit_ms);
void tale_until_machines(struct sim *sim, size_t machines, int64_t limit_ms); // in VPSie's groups, not gone
void tale_until_said(struct sim *sim, const char *words, int64_t limit_ms);
void tale_until_effect(struct sim *sim, enum command_kind kind, uint64_t count, int64_t limit_ms);
void tale_until_intentions(struct sim *sim, size_t count, int64_t limit_ms);
void tale_until(struct sim *sim, sim_condition condition, void *context, int64_t limit_ms, const char *what);
void tale_run(struct sim *sim, int64_t ms); // and no rule is broken

size_t tale_machines(struct sim *sim); // in VPSie's groups, not gone
size_t tale_intentions(struct sim *sim);
size_t tale_alive(struct sim *sim);  // intentions that are not Failed (those stay for people to see)
size_t tale_marked(struct sim *sim); // nodes with our cordon
// The first worker of ours whose Node is Ready and that has (or has not) movable pods.
struct cloud_machine *tale_machine(struct sim *sim, size_t index);
// Fails with the trace when the condition does not hold.
#define tale_assert(sim, condition) tale_check((sim), (condition), #condition, __FILE__, __LINE__)
// Called when a story fails, to print more than the trace; NULL: nothing.
extern void (*tale_autopsy)(struct sim *sim);
void tale_check(struct sim *sim, bool holds, const char *what, const char *file, int line);
void tale_end(struct sim *sim); // no rule was broken; frees

#endif

// What this room is for: commands of one key in their order, of different keys side by side. What it knows:
// keys. What it may not do: know what a command does.
#ifndef VPSIE_COORDINATOR_KUBE_WORKERS_H
#define VPSIE_COORDINATOR_KUBE_WORKERS_H

#include <stdint.h>

#include "coordinator/decide/command.h"

#define WORKERS_DEFAULT    8u
#define WORKERS_EVENTS_MAX 1000u // Kubernetes events waiting; more are dropped (they have no outcome)

struct workers;
// `execute` is called from the workers' threads and does not own the command.
typedef void (*workers_execute)(void *context, const struct command *command);
struct workers *workers_start(uint32_t threads, workers_execute execute, void *context);
// Takes the command over; never waits. Any thread. Not after workers_stop().
void workers_submit(struct workers *workers, struct command *command);
// Everything submitted is still executed (so every command has its outcome); then the threads end.
void workers_stop(struct workers *workers);
uint32_t workers_waiting(struct workers *workers);

#endif

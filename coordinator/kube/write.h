// What this room is for: carrying out one command and saying exactly what became of it. What it knows: which
// request each command is. What it may not do: carry out a write for a leader that is no more, repeat a write
// whose outcome is not known, decide.
#ifndef VPSIE_COORDINATOR_KUBE_WRITE_H
#define VPSIE_COORDINATOR_KUBE_WRITE_H

#include "coordinator/decide/command.h"
#include "coordinator/decide/event.h"
#include "coordinator/kube/api.h"
#include "coordinator/kube/lease.h"
#include "coordinator/kube/recorder.h"
#include "coordinator/kube/watch.h"

struct writer {
    struct api *api;
    struct lease *lease;
    struct recorder *recorder;
    struct watch *const *watches; // by enum object_kind: for fresh lists
};

// `outcome` is an EVENT_OUTCOME to be filled (its arena is used), NULL for commands without one. Blocks; any
// thread.
void write_execute(const struct writer *writer, const struct command *command, struct event *outcome);

// ------------------------------------------------------------------- shared by the rooms write_*.c

// Says what came of a request; more text may follow.
void write_conclude(struct event *event, enum outcome outcome, const struct api_reply *reply);
// The same in words of our own, when no request says it.
void write_say(struct event *event, enum outcome outcome, const char *detail);
// "/api/v1/namespaces/<space>/pods/<name><suffix>", each part escaped; space NULL: cluster-scoped.
char *write_path(const char *prefix, const char *space, const char *resource, const char *name,
                 const char *suffix);
#define WRITE_MANAGER "?fieldManager=vpsie-coordinator"

typedef void (*write_command)(const struct writer *writer, const struct command *command,
                              struct event *event);
void write_list_fresh(const struct writer *writer, const struct command *command, struct event *event);
void write_list_node_pods(const struct writer *writer, const struct command *command, struct event *event);

#endif

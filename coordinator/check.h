// What this room is for: `vpsie-coordinator check`: is everything there that an installation needs; one line
// for each thing, and for what is wrong one way to put it right. What it knows: the API server, VPSie, the
// admin socket. What it may not do: change anything, show a secret.
#ifndef VPSIE_COORDINATOR_CHECK_H
#define VPSIE_COORDINATOR_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/arena.h"
#include "coordinator/kube/api.h"
#include "coordinator/run.h"

// The command; takes the flags of run. Exit status: 0 nothing is wrong, 1 something is, 2 wrong usage.
int check_main(int argc, char **argv);

// ------------------------------------------------------------------------ shared by check*.c and its tests

#define CHECK_GROUPS_MAX 64
struct check_group { // a NodeGroup of ours, as far as VPSie is concerned
    const char *name, *cluster, *datacenter;
    int64_t size_id; // 0: not given
    int64_t machines, machines_max;
    const char *refusal; // VPSie's words about the last order, "" when it took it
};

struct check {
    const struct run_options *options;
    struct api *api;
    FILE *out;
    struct arena *arena; // what was learned lives here
    unsigned wrong, doubtful;
    // learned on the way
    bool reachable; // the API server answers
    struct check_group groups[CHECK_GROUPS_MAX];
    uint32_t group_count;
    const char **nodes; // names
    uint32_t node_count;
    char *token, *client_id, *client_secret, *url; // "" when not given; wiped by check_forget()
};

enum check_verdict { CHECK_GOOD, CHECK_DOUBTFUL, CHECK_WRONG, CHECK_SKIPPED };
// One line, and a second one with `fix` (NULL: none).
void check_say(struct check *check, enum check_verdict verdict, const char *what, const char *fix,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
void check_forget(struct check *check); // wipes the credentials

// check_kube.c: all that the API server can be asked.
void check_kube(struct check *check);
// check_cloud.c: the credentials, the clusters and the sizes that the groups name.
void check_cloud(struct check *check);

#endif

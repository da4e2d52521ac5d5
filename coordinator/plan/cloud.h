// What this room is for: VPSie as a plan imagines it: the snapshot's lists, or what the objects tell of it,
// kept true while machines come and go in the plan. What it knows: VPSieNodes, Nodes, NodeGroups. What it may
// not do: ask VPSie.
#ifndef VPSIE_COORDINATOR_PLAN_CLOUD_H
#define VPSIE_COORDINATOR_PLAN_CLOUD_H

#include <cjson/cJSON.h>

#include "coordinator/decide/command.h"
#include "coordinator/decide/event.h"
#include "coordinator/model/cluster.h"

#define CLOUD_MADE_MAX 256

struct made_group { // a VPSie group that the plan's orders made
    const char *cluster, *name, *datacenter_id;
    int64_t id, size_id;
};

struct cloud_picture {
    const cJSON *vpsie;  // of a snapshot; NULL: all is told from the objects
    const cJSON *offers; // --offers: [{"id":..., "cpu":..., ...}]; NULL without
    const struct cluster *cluster;
    struct made_group made[CLOUD_MADE_MAX];
    uint32_t made_count;
};

// The id of the group of this name, made now when it is not there yet; 0 when too many were made. Strings are
// the caller's and outlive the picture.
int64_t cloud_make_group(struct cloud_picture *picture, const char *cluster, const char *name,
                         const char *datacenter_id, int64_t size_id);

// Fills the outcome of a LIST_MACHINES, LIST_GROUPS or LIST_OFFERS.
void cloud_answer(const struct cloud_picture *picture, const struct command *command, struct event *outcome);
// An array of VPSie's own offers, or an answer of k8s/offers. 0, or -1 with an error that names `name`.
int cloud_check_offers(const cJSON *document, const char *name, const cJSON **offers, struct error *error);

#endif

// What this room is for: VPSie as a plan imagines it: the snapshot's lists, or what the objects tell of it,
// kept true while machines come and go in the plan. What it knows: VPSieNodes, Nodes, NodeGroups. What it may
// not do: ask VPSie.
#ifndef VPSIE_COORDINATOR_PLAN_CLOUD_H
#define VPSIE_COORDINATOR_PLAN_CLOUD_H

#include <cjson/cJSON.h>

#include "coordinator/decide/command.h"
#include "coordinator/decide/event.h"
#include "coordinator/model/cluster.h"

struct cloud_picture {
    const cJSON *vpsie;  // of a snapshot; NULL: all is told from the objects
    const cJSON *offers; // --offers: [{"id":..., "cpu":..., ...}]; NULL without
    const struct cluster *cluster;
};

// Fills the outcome of a LIST_MACHINES, LIST_GROUPS or LIST_OFFERS.
void cloud_answer(const struct cloud_picture *picture, const struct command *command, struct event *outcome);
// An array of VPSie's own offers, or an answer of k8s/offers. 0, or -1 with an error that names `name`.
int cloud_check_offers(const cJSON *document, const char *name, const cJSON **offers, struct error *error);

#endif

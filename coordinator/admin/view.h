// What this room is for: the parts of a reply. What it knows: the core's state and the rules of policy.
// What it may not do: change the state; it runs on the core's thread, between two steps.
#ifndef VPSIE_COORDINATOR_ADMIN_VIEW_H
#define VPSIE_COORDINATOR_ADMIN_VIEW_H

#include "coordinator/admin/admin.h"
#include "coordinator/admin/json.h"
#include "coordinator/decide/policy.h"

#define VIEW_ROWS_MAX          20000u // nodes, agents
#define VIEW_PODS_MAX          500u
#define VIEW_DECISIONS_DEFAULT 30u

struct view {
    struct core *core;
    const struct view_extra *extra;
    const struct admin_request *request;
    struct json json;
};

void view_status(struct view *view);
void view_groups(struct view *view); // also a part of status
void view_nodes(struct view *view);
void view_agents(struct view *view);
void view_pods(struct view *view);
void view_actions(struct view *view, uint32_t limit);
void view_snapshot(struct view *view);
void view_decision(struct view *view, const char *name, const struct decision *decision);
// ACTING, STANDBY, STARTING, DRY RUN, PAUSED or HOLDING; *detail says why, in scratch of the view.
const char *view_state(const struct core *core, char *detail, size_t bytes);

#endif

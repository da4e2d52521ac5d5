// What this room is for: budgets for disturbance: how many more nodes of a group may be taken away of our own
// will, now. What it knows: the AutoscalerConfig's spec.disruptionBudgets, the lives of a group's machines.
// What it may not do: choose nodes, or hold back what is broken or asked for by a person.
#ifndef VPSIE_COORDINATOR_DECIDE_DISRUPTION_H
#define VPSIE_COORDINATOR_DECIDE_DISRUPTION_H

#include "coordinator/decide/policy.h"

// A budget with a schedule that cannot be read, or without a duration, is always in force.
struct disruption_room {
    int64_t left;      // nodes that may yet begin to leave; INT64_MAX: no budget speaks
    int64_t limit;     // of the narrowest budget that is in force; INT64_MAX without
    int64_t disturbed; // nodes of the group that leave already, or are not Ready
    int64_t due_ms;    // when the narrowest one's window closes; 0: not by time
    const struct disruption_budget_facts *budget; // the narrowest one, NULL without
};
struct disruption_room policy_disruption_room(struct core *core, struct group *group,
                                              enum disruption_reason reason);
// Is it in force? *until_ms (may be NULL): when its window closes, INT64_MAX: never.
bool disruption_in_force(const struct disruption_budget_facts *budget, int64_t now_ms, int64_t *until_ms);
// "2 of 40 nodes, 09:00 mon-fri for 8h": the limit in words.
void disruption_describe(const struct disruption_room *room, char *text, size_t bytes);

#endif

#include "coordinator/decide/foresee.h"

#include <assert.h>

#include "coordinator/decide/moves.h"
#include "coordinator/decide/policy.h"

void foresee_window(struct core *core, const char *node, int64_t underused_since_ms)
{
    struct node *known = cluster_node(core->cluster, node);
    if (known != NULL && underused_since_ms <= core->now_ms)
        known->underused_since_ms = underused_since_ms;
}

void foresee_done(struct core *core, const struct decision *decision)
{
    assert(core->config.dry_run);
    struct group *group = cluster_group(core->cluster, NULL, decision->group);
    if (group == NULL)
        return;
    struct group_life *life = group_life(core, group);
    struct group_life_private *policy = group_policy(core, group);
    if (decision->machines > 0) {
        life->last_scale_up_ms = core->policy->last_order_ms = core->last_added_ms = core->now_ms;
        policy_forget_dry_orders(policy);
    }
    if (decision->kind == DECISION_CONSOLIDATE)
        consolidate_remember(core, group);
    if (decision->leaving_count > 0) {
        life->last_scale_down_ms = core->policy->last_removal_ms = core->last_deleted_ms = core->now_ms;
        policy->dry_removal_hash = 0;
    }
}

uint32_t foresee_waiting(struct core *core, struct arena *arena, const struct pod ***pods)
{
    return policy_waiting(core, arena, false, pods, NULL);
}

double foresee_price_hour(struct core *core)
{
    return policy_cost(core).per_hour;
}

struct template_node foresee_machine(struct core *core, struct arena *arena, struct group *group,
                                     int64_t size_id)
{
    return template_create(arena, core->cluster, group, size_id);
}

const char *foresee_creation_reason(const struct decision *decision)
{
    bool moves = decision->kind == DECISION_CONSOLIDATE || decision->kind == DECISION_REPLACE;
    return moves ? MOVE_CREATION_REASON : "metrics";
}

const char *foresee_kind(const struct decision *decision)
{
    return decision_kind_name(decision->kind);
}

#include "coordinator/decide/policy.h"

#define HOUR_MS 3600000.0
#define DAY_MS  86400000

double policy_size_price(struct core *core, const struct group *group, int64_t size_id)
{
    const struct cloud_offers *offers = cluster_offers(core->cluster, group->facts.datacenter_id);
    for (uint32_t i = 0; offers != NULL && i < offers->offer_count; i++)
        if (offers->offers[i].id == size_id)
            return offers->offers[i].price_hour;
    return 0.0;
}

double policy_group_price(struct core *core, struct group *group)
{
    return policy_size_price(core, group, policy_size_id(core, group));
}

double policy_node_price(struct core *core, const struct node *node)
{
    struct group *group = node->intention != NULL ? node->intention->group : NULL;
    if (group == NULL)
        return 0.0;
    int64_t size_id = life_size(core, node->intention);
    return size_id != 0 ? policy_size_price(core, group, size_id) : policy_group_price(core, group);
}

static double intention_price(struct core *core, const struct intention *intention)
{
    int64_t size_id = life_size(core, intention);
    return size_id != 0 ? policy_size_price(core, intention->group, size_id)
                        : policy_group_price(core, intention->group);
}

// Machines that are asked for and have no object yet cost what their size does.
double policy_group_cost(struct core *core, struct group *group)
{
    const struct group_life *life = group_life(core, group);
    uint32_t counted = 0, total = life_counts(core, group).total;
    double sum = 0;
    for (uint32_t i = 0; i < group->intention_count; i++) {
        if (group->intentions[i]->facts.phase == INTENTION_FAILED)
            continue;
        sum += intention_price(core, group->intentions[i]);
        counted++;
    }
    for (uint32_t i = 0; i < life->pool_count; i++) {
        uint32_t unseen = life_unseen(core, group, life->pools[i].size_id);
        sum += policy_size_price(core, group, life->pools[i].size_id) * unseen;
        counted += unseen;
    }
    return total > counted ? sum + policy_group_price(core, group) * (total - counted) : sum;
}

static double per_hour(struct core *core)
{
    double sum = 0;
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        struct group *group = core->cluster->groups[i];
        if (group->facts.managed)
            sum += policy_group_cost(core, group);
    }
    return sum;
}

// What the machines that are there have cost since midnight.
static double since_midnight(struct core *core, int64_t midnight_ms)
{
    double sum = 0;
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        const struct intention *intention = core->cluster->intentions[i];
        if (intention->group == NULL || intention->facts.phase == INTENTION_FAILED)
            continue;
        int64_t from_ms =
            intention->facts.created_ms > midnight_ms ? intention->facts.created_ms : midnight_ms;
        if (from_ms < core->now_ms)
            sum += intention_price(core, intention) * (double)(core->now_ms - from_ms) / HOUR_MS;
    }
    return sum;
}

void policy_cost_update(struct core *core)
{
    struct policy_shared *policy = core->policy;
    int64_t midnight_ms = core->now_ms - core->now_ms % DAY_MS;
    double rate = per_hour(core);
    if (policy->cost_at_ms == 0 || rate <= 0.0) {
        // also while the prices are not known yet
        policy->cost_today = since_midnight(core, midnight_ms);
        policy->cost_at_ms = rate > 0.0 ? core->now_ms : 0;
    } else if (midnight_ms != policy->cost_midnight_ms) {
        policy->cost_today = rate * (double)(core->now_ms - midnight_ms) / HOUR_MS;
        policy->cost_at_ms = core->now_ms;
    } else {
        policy->cost_today += rate * (double)(core->now_ms - policy->cost_at_ms) / HOUR_MS;
        policy->cost_at_ms = core->now_ms;
    }
    policy->cost_midnight_ms = midnight_ms;
}

struct policy_cost policy_cost(struct core *core)
{
    const struct policy_shared *policy = core->policy;
    int64_t midnight_ms = core->now_ms - core->now_ms % DAY_MS;
    struct policy_cost cost = {.per_hour = per_hour(core)};
    if (policy->cost_at_ms != 0 && policy->cost_midnight_ms == midnight_ms)
        cost.today =
            policy->cost_today + cost.per_hour * (double)(core->now_ms - policy->cost_at_ms) / HOUR_MS;
    else
        cost.today = since_midnight(core, midnight_ms);
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        struct group *group = core->cluster->groups[i];
        if (group->facts.managed && group->facts.max_nodes > 0)
            cost.at_max_today += policy_group_price(core, group) * group->facts.max_nodes *
                                 (double)(core->now_ms - midnight_ms) / HOUR_MS;
    }
    return cost;
}

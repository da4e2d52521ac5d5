#include <string.h>

#include "coordinator/decide/policy.h"
#include "coordinator/model/labels.h"

// multiRegion. A VPSie group has its machines in one data center, and so has a NodeGroup: several data
// centers are several NodeGroups, each with the others' data centers in its list. Those that are alike but
// for the data center are a family, and new machines are shared out among them.

static bool lists(const struct multi_region_facts *regions, const char *datacenter)
{
    for (uint32_t i = 0; i < regions->datacenter_count; i++)
        if (strcmp(regions->datacenter_ids[i], datacenter) == 0)
            return true;
    return false;
}

bool policy_same_family(const struct group *a, const struct group *b)
{
    const struct nodegroup_facts *one = &a->facts, *other = &b->facts;
    if (a == b)
        return true;
    return one->managed && other->managed && one->multi_region.enabled && other->multi_region.enabled &&
           one->deletion_ms == 0 && other->deletion_ms == 0 &&
           lists(&one->multi_region, other->datacenter_id) &&
           lists(&other->multi_region, one->datacenter_id) &&
           strcmp(one->datacenter_id, other->datacenter_id) != 0 &&
           labels_equal(&one->node_labels, &other->node_labels) &&
           taints_equal(&one->node_taints, &other->node_taints);
}

const char *policy_missing_regions(struct core *core, struct arena *arena, const struct group *group)
{
    const struct multi_region_facts *regions = &group->facts.multi_region;
    char *missing = arena_strdup(arena, "");
    for (uint32_t i = 0; regions->enabled && i < regions->datacenter_count; i++) {
        const char *datacenter = regions->datacenter_ids[i];
        bool there = strcmp(datacenter, group->facts.datacenter_id) == 0;
        for (uint32_t k = 0; k < core->cluster->group_count && !there; k++) {
            const struct group *other = core->cluster->groups[k];
            there = strcmp(other->facts.datacenter_id, datacenter) == 0 && policy_same_family(group, other);
        }
        if (!there)
            missing = arena_printf(arena, "%s%s%s", missing, missing[0] != '\0' ? ", " : "", datacenter);
    }
    return missing;
}

bool policy_is_backup(struct core *core, const struct group *group)
{
    const struct multi_region_facts *regions = &group->facts.multi_region;
    if (!regions->enabled || regions->distribution != DISTRIBUTION_PRIMARY_BACKUP ||
        regions->primary[0] == '\0' || strcmp(regions->primary, group->facts.datacenter_id) == 0)
        return false;
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        const struct group *other = core->cluster->groups[i];
        if (strcmp(other->facts.datacenter_id, regions->primary) == 0 && policy_same_family(group, other))
            return true;
    }
    return false;
}

int32_t policy_minimum(const struct group *group)
{
    const struct nodegroup_facts *facts = &group->facts;
    int32_t least = facts->min_nodes > 0 ? facts->min_nodes : 0;
    bool listed = facts->multi_region.enabled && lists(&facts->multi_region, facts->datacenter_id);
    if (listed && facts->multi_region.nodes_per_region_min > least)
        least = facts->multi_region.nodes_per_region_min;
    return least < facts->max_nodes ? least : facts->max_nodes > 0 ? facts->max_nodes : 0;
}

static int32_t weight_of(const struct group *group)
{
    const struct multi_region_facts *regions = &group->facts.multi_region;
    if (regions->distribution != DISTRIBUTION_WEIGHTED)
        return 1;
    for (uint32_t i = 0; i < regions->weight_count; i++)
        if (strcmp(regions->weights[i].datacenter_id, group->facts.datacenter_id) == 0)
            return regions->weights[i].weight;
    return 1;
}

bool policy_share_out(struct region_share *shares, uint32_t count, uint32_t machines)
{
    bool changed = false;
    for (uint32_t i = 0; i < count; i++)
        shares[i].gets = 0;
    for (uint32_t n = 0; n < machines; n++) {
        struct region_share *next = NULL;
        double least = 0;
        for (uint32_t i = 0; i < count; i++) {
            int32_t weight = weight_of(shares[i].group);
            double filled = weight > 0 ? (double)(shares[i].has + shares[i].gets) / weight : 1e18;
            if (shares[i].gets >= shares[i].room || (next != NULL && filled >= least))
                continue;
            next = &shares[i];
            least = filled;
        }
        if (next == NULL)
            return false;
        next->gets++;
    }
    for (uint32_t i = 0; i < count; i++)
        changed = changed || shares[i].gets != shares[i].planned;
    return changed;
}

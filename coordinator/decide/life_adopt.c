#include "coordinator/decide/life.h"

#include <stdio.h>
#include <string.h>

// Machines that are there and that no VPSieNode of ours asked for: a predecessor's VPSieNodes name them by
// host or address; a surplus of a VPSie group (an order that came late, a person at the panel) is adopted
// when the group is short, else reported. Nothing is ever deleted for being a surplus.

#define SURPLUS_SETTLED_MS (60 * LIFE_SECOND_MS)

// ---- resolving

static bool named_by(const struct life_private *p, const struct machine_facts *machine,
                     const struct node *node)
{
    const struct intention_facts *facts = &p->intention->facts;
    if (p->intention->node != NULL)
        return node == p->intention->node;
    if (owners_names(p, machine))
        return true;
    return facts->ip_address[0] != '\0' && (strcmp(facts->ip_address, machine->default_ip) == 0 ||
                                            strcmp(facts->ip_address, machine->private_ip) == 0);
}

static void resolved(struct life_private *p, struct cloud_watch *watch, uint32_t machine)
{
    const struct cloud_cluster *cloud = cluster_cloud(p->core->cluster, watch->cluster);
    p->name = machine_name_of(p->core, &cloud->machines[machine]);
    owners_give(p->core, watch, p, machine);
    if (p->ours && p->mark != ORDER_NONE && p->mark != ORDER_ADOPTED)
        p->mark = ORDER_PLACED;
    p->life->outcome_unknown = false;
    core_note(p->core, NOTE_INFO, 0, life_subject(p), "its machine is %s (by host or address)",
              p->name.hostname[0] != '\0' ? p->name.hostname : p->name.identifier);
    if (p->life->step == LIFE_APPEAR)
        life_step_to(p, LIFE_JOIN, "its Node to join");
    life_touch(p);
}

static bool needs_resolving(const struct life_private *p, const struct cloud_watch *watch)
{
    return strcmp(p->intention->facts.resource_identifier, watch->cluster) == 0 && !machine_known(&p->name) &&
           !p->claimed_twice &&
           (p->life->step == LIFE_APPEAR || p->life->step == LIFE_JOIN || p->life->step == LIFE_READY ||
            life_is_removal(p));
}

void adopt_resolve(struct core *core, struct cloud_watch *watch)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, watch->cluster);
    struct node **nodes = NULL;
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        struct life_private *p = life_private_of(core->cluster->intentions[i]);
        if (!needs_resolving(p, watch))
            continue;
        if (nodes == NULL) { // looked up once for all
            nodes = ARENA_ARRAY(core->out->arena, struct node *, cloud->machine_count + 1);
            for (uint32_t j = 0; j < cloud->machine_count; j++)
                nodes[j] = machine_node(core, &cloud->machines[j]);
        }
        for (uint32_t j = 0; j < cloud->machine_count; j++) {
            const struct machine_facts *machine = &cloud->machines[j];
            if (watch->owners[j] != NULL || machine->role == MACHINE_ROLE_MASTER ||
                (nodes[j] != NULL && node_is_master(nodes[j])) || !named_by(p, machine, nodes[j]))
                continue;
            resolved(p, watch, j);
            break;
        }
    }
}

// ---- surplus

// While a group has nothing over, no machine that is nobody's can be in it.
static void rule_out(struct core *core, struct cloud_watch *watch, int64_t group_id)
{
    for (uint32_t i = 0; i < watch->sighting_count; i++) {
        struct sighting *sighting = &watch->sightings[i];
        bool known = sighting->not_of_count == SIGHTING_GROUPS_MAX ||
                     sighting->first_ms > core->now_ms - SURPLUS_SETTLED_MS;
        for (uint32_t j = 0; j < sighting->not_of_count && !known; j++)
            known = sighting->not_of[j] == group_id;
        if (!known)
            sighting->not_of[sighting->not_of_count++] = group_id;
    }
}

bool adopt_ruled_out(const struct cloud_watch *watch, const struct machine_facts *machine, int64_t group_id)
{
    const struct sighting *sighting = owners_sighting(watch, machine);
    for (uint32_t i = 0; sighting != NULL && i < sighting->not_of_count; i++)
        if (sighting->not_of[i] == group_id)
            return true;
    return false;
}

static bool names_group(const struct node *node, const struct group *group)
{
    return node != NULL && node->group == group && node->intention == NULL;
}

// Unowned machines that are certainly of this group, at most `most`. Their number.
static uint32_t certain(struct core *core, struct cloud_watch *watch, const struct group *group,
                        const struct pool *pool, const struct vpsie_group_facts *of, uint32_t *found)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, watch->cluster);
    uint32_t labelled = 0, fitting = 0, most = (uint32_t)pool->surplus;
    bool only = true; // nothing else could own what fits
    uint32_t *fits = ARENA_ARRAY(core->out->arena, uint32_t, cloud->machine_count + 1);
    for (uint32_t i = 0; i < cloud->machine_count; i++) {
        const struct machine_facts *machine = &cloud->machines[i];
        const struct node *node = machine_node(core, machine);
        if (watch->owners[i] != NULL || machine->role == MACHINE_ROLE_MASTER ||
            (node != NULL && (node_is_master(node) || node->intention != NULL)) ||
            owners_first_seen(watch, machine) > core->now_ms - SURPLUS_SETTLED_MS)
            continue;
        // What does not join is not made better by a VPSieNode.
        if (node == NULL && owners_first_seen(watch, machine) + core->config.join_limit_ms < core->now_ms)
            continue;
        if (adopt_ruled_out(watch, machine, of->id) || owners_named(core, machine))
            continue;
        if (names_group(node, group) && attribution_fits(core, machine, of) && labelled < most) {
            found[labelled++] = i;
            continue;
        }
        // What a list left out for a while looks new when it is back.
        int64_t over_ms = pool->keep.nothing_over_ms;
        if (over_ms != 0 && attribution_is_old(core, watch->cluster, machine, over_ms - COUNT_LAG_MS))
            continue;
        only = only && over_ms != 0;
        if (attribution_fits(core, machine, of))
            fits[fitting++] = i;
    }
    for (uint32_t i = 0; i < cloud->group_count; i++) {
        const struct vpsie_group_facts *other = &cloud->groups[i];
        if (other->id == of->id || other->deleted ||
            other->nodes_count <= owners_sum(core, watch, other->id).owned)
            continue;
        for (uint32_t j = 0; j < fitting; j++)
            only = only && !attribution_fits(core, &cloud->machines[fits[j]], other);
    }
    if (!only || labelled + fitting > most)
        return labelled;
    for (uint32_t j = 0; j < fitting; j++)
        found[labelled + j] = fits[j];
    return labelled + fitting;
}

static void say_surplus(struct core *core, struct group *group, struct pool *pool)
{
    if (pool->surplus == pool->keep.surplus_said || !core_may_write(core) ||
        core->now_ms < pool->keep.surplus_since_ms + SURPLUS_SETTLED_MS)
        return;
    pool->keep.surplus_said = pool->surplus;
    if (pool->surplus == 0)
        return;
    core_event_group(core, group, 0, true, "SurplusMachines",
                     "%d surplus machine%s in the VPSie group: no VPSieNode asked for it; nothing is deleted",
                     pool->surplus, pool->surplus == 1 ? "" : "s");
    core_note(core, NOTE_WARN, 0, arena_printf(core->out->arena, "group %s", group->facts.name),
              "%d surplus machine%s in the VPSie group: no VPSieNode asked for it", pool->surplus,
              pool->surplus == 1 ? "" : "s");
}

static void view_pool(struct core *core, struct cloud_watch *watch, struct pool *pool)
{
    const struct vpsie_group_facts *of = vpsie_group_by_id(core, watch->cluster, pool->vpsie_group_id);
    int32_t surplus = 0;
    if (of != NULL) {
        struct group_sum sum = owners_sum(core, watch, of->id);
        surplus = of->nodes_count - sum.owned - sum.unsure - sum.open;
        if (surplus == 0 && sum.unsure == 0 && sum.open == 0 &&
            owners_count_changed(watch, of->id) <= core->now_ms - SURPLUS_SETTLED_MS) {
            pool->keep.nothing_over_ms = core->now_ms;
            rule_out(core, watch, of->id);
        }
    }
    if (surplus < 0)
        surplus = 0;
    if (surplus != pool->surplus)
        pool->keep.surplus_since_ms = core->now_ms;
    pool->surplus = surplus;
}

void adopt_surplus_view(struct core *core, struct cloud_watch *watch)
{
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        struct group *group = core->cluster->groups[i];
        struct group_life *life = group_life(core, group);
        if (!group->facts.managed || strcmp(group->facts.resource_identifier, watch->cluster) != 0)
            continue;
        int32_t surplus = 0;
        for (uint32_t j = 0; j < life->pool_count; j++) {
            view_pool(core, watch, &life->pools[j]);
            surplus += life->pools[j].surplus;
        }
        if (surplus != life->surplus) {
            life->surplus = surplus;
            group_resolve(core, group); // it says so
        }
        for (uint32_t j = 0; j < life->pool_count; j++)
            say_surplus(core, group, &life->pools[j]);
    }
}

uint32_t adopt_for(struct core *core, struct group *group, struct pool *pool, uint32_t count,
                   uint64_t decision_id)
{
    struct cloud_watch *watch = cloud_watch_find(core, group->facts.resource_identifier);
    if (watch == NULL || watch->suspect || watch->trusted == 0 || pool->surplus <= 0 ||
        core->now_ms < pool->keep.surplus_since_ms + SURPLUS_SETTLED_MS)
        return 0;
    const struct vpsie_group_facts *of = vpsie_group_by_id(core, watch->cluster, pool->vpsie_group_id);
    if (of == NULL || owners_sum(core, watch, of->id).open > 0 ||
        owners_count_changed(watch, of->id) > core->now_ms - SURPLUS_SETTLED_MS)
        return 0;
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, watch->cluster);
    uint32_t *found = ARENA_ARRAY(core->out->arena, uint32_t, cloud->machine_count + 1);
    uint32_t sure = certain(core, watch, group, pool, of, found), adopted = 0;
    for (uint32_t i = 0; i < sure && adopted < count; i++) {
        const struct machine_facts *machine = &cloud->machines[found[i]];
        if (!order_new_birth(core, group, pool, decision_id, "metrics", machine))
            continue;
        adopted++;
        char summary[300];
        snprintf(summary, sizeof(summary), "adopt %s into %s", machine->hostname, group->facts.name);
        core_decide(core, DECISION_ADOPT, group->facts.name, "", summary,
                    "it is in the VPSie group, no VPSieNode asked for it, and the group is short");
        core_event_group(core, group, decision_id, false, "MachineAdopted",
                         "%s is in the VPSie group and nobody's: adopted instead of ordering another",
                         machine->hostname);
    }
    return adopted;
}

#include "coordinator/decide/life.h"

#include <stdio.h>
#include <string.h>

// A list of VPSie is believed unless it contradicts what can be seen elsewhere: a machine whose Node is Ready
// is there, whatever the list says. When Nodes are down, too, the list is right and the machines are lost.

#define LOST_PERCENT 20u
#define COUNT_SLACK  2

struct loss {
    uint32_t known, lost;
};

static bool runs(const struct node *node)
{
    return node != NULL && node->ready == NODE_READY_TRUE && node->deletion_ms == 0;
}

// What the list before showed; machines that we delete are not missed.
static void count_list(struct core *core, const struct cloud_watch *watch, const struct machine_index *index,
                       struct loss *loss)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, watch->cluster);
    for (uint32_t i = 0; cloud != NULL && i < cloud->machine_count; i++) {
        const struct life_private *owner = i < watch->owner_count ? watch->owners[i] : NULL;
        if (owner != NULL)
            continue; // counted as a VPSieNode's
        loss->known++;
        struct machine_name name = machine_name_of(core, &cloud->machines[i]);
        if (machine_index_find(index, &name) == UINT32_MAX && runs(machine_node(core, &cloud->machines[i])))
            loss->lost++;
    }
}

static void count_owned(struct core *core, const struct cloud_watch *watch, const struct machine_index *index,
                        struct loss *loss)
{
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        const struct life_private *p = life_private_of(core->cluster->intentions[i]);
        if (strcmp(p->intention->facts.resource_identifier, watch->cluster) != 0 ||
            !machine_known(&p->name) || p->claimed_twice || p->life->step == LIFE_DELETE_CALL ||
            p->life->step == LIFE_GONE || life_is_gone(p))
            continue;
        loss->known++;
        loss->lost += runs(p->intention->node) && machine_index_find(index, &p->name) == UINT32_MAX;
    }
}

static int64_t workers(const struct machine_facts *machines, uint32_t count)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += machines[i].role != MACHINE_ROLE_MASTER;
    return sum;
}

// Machines of a VPSie group that its VPSieNodes own, by this list.
static int64_t owned_in(struct core *core, const struct cloud_watch *watch, const struct machine_index *index,
                        int64_t group_id)
{
    int64_t owned = 0;
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        const struct life_private *p = life_private_of(core->cluster->intentions[i]);
        owned += strcmp(p->intention->facts.resource_identifier, watch->cluster) == 0 &&
                 machine_known(&p->name) && owners_group_of(core, p) == group_id &&
                 machine_index_find(index, &p->name) != UINT32_MAX;
    }
    return owned;
}

// Counts and list need not change at the same moment: so many machines are just coming or going.
static int64_t moving(struct core *core, const struct cloud_watch *watch)
{
    int64_t sum = 0;
    int64_t since_ms = core->now_ms - COUNT_LAG_MS;
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        const struct life_private *p = life_private_of(core->cluster->intentions[i]);
        bool coming = life_is_order(p) || p->life->step == LIFE_JOIN;
        bool going = p->life->step >= LIFE_DELETE_CALL && p->life->step != LIFE_UNDO;
        sum += (coming && p->life->called_ms > since_ms) || (going && p->life->step_since_ms > since_ms) ||
               p->missing_ms > since_ms;
    }
    for (uint32_t i = 0; i < watch->departure_count; i++)
        sum += watch->departures[i].at_ms > since_ms;
    return sum;
}

static bool far_apart(int64_t more, int64_t less, int64_t slack)
{
    return more - less > slack && (more - less) * 100 > (int64_t)LOST_PERCENT * more;
}

// Groups that count far more machines than there are, or far fewer than they have.
static bool counts_contradict(struct core *core, const struct cloud_watch *watch,
                              const struct machine_index *index, int64_t listed, char *why, size_t bytes)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, watch->cluster);
    int64_t counted = 0, owned = 0, counted_of_owned = 0, slack = COUNT_SLACK + moving(core, watch);
    for (uint32_t i = 0; cloud != NULL && i < cloud->group_count; i++) {
        if (cloud->groups[i].deleted)
            continue;
        int64_t nodes = cloud->groups[i].nodes_count;
        int64_t group_owned = owned_in(core, watch, index, cloud->groups[i].id);
        counted += nodes;
        owned += group_owned;
        counted_of_owned += nodes < group_owned ? nodes : group_owned;
    }
    if (far_apart(counted, listed, slack)) {
        snprintf(why, bytes, "VPSie's groups count %lld machines, its list has %lld", (long long)counted,
                 (long long)listed);
        return true;
    }
    if (far_apart(owned, counted_of_owned, slack)) {
        snprintf(why, bytes, "VPSie's groups count %lld of %lld machines that its list has",
                 (long long)counted_of_owned, (long long)owned);
        return true;
    }
    return false;
}

bool lists_trusted(struct core *core, struct cloud_watch *watch, const struct machine_facts *machines,
                   uint32_t count, char *why, size_t bytes)
{
    why[0] = '\0';
    if (watch->accept)
        return true;
    struct loss loss = {0};
    struct machine_index index = machine_index_make(core->out->arena, machines, count);
    count_list(core, watch, &index, &loss);
    count_owned(core, watch, &index, &loss);
    if (count == 0 && loss.known > 0 && loss.lost > 0) {
        snprintf(why, bytes, "VPSie's list is empty, and %u of its machines run Ready nodes", loss.lost);
        return false;
    }
    if (count == 0 && loss.known > 1) {
        snprintf(why, bytes, "VPSie's list is empty; it had %u machines", loss.known);
        return false;
    }
    if (loss.lost > 1 && loss.lost * 100u > LOST_PERCENT * loss.known) {
        snprintf(why, bytes, "VPSie's list lacks %u of %u machines whose nodes are Ready", loss.lost,
                 loss.known);
        return false;
    }
    return !counts_contradict(core, watch, &index, workers(machines, count), why, bytes);
}

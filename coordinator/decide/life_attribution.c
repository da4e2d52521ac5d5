#include "coordinator/decide/life.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

// Which machine did which call bring? VPSie does not say. Machines of one VPSie group are interchangeable, so
// counts are matched: what is in the list, was in no baseline and is nobody's goes to the oldest orders of a
// group whose count rose. It is given at once when its size says that it can be of no other group; else when
// nothing has changed for a while and nothing else could explain it. What cannot be told apart waits until
// its Node joins, which tells its size. Nobody's machine is ever taken for lack of another.

#define SETTLED_MS (60 * LIFE_SECOND_MS) // counts and list of VPSie change up to so far apart

// ---- sizes

struct machine_shape {
    int64_t cpu, memory_mb; // 0: not known
    bool of_node;           // as the kubelet sees it: less than was bought
};

static struct machine_shape shape_of_machine(const struct core *core, const struct machine_facts *machine)
{
    if (machine->cpu > 0 && machine->memory_mb > 0)
        return (struct machine_shape){machine->cpu, machine->memory_mb, false};
    const struct node *node = machine_node(core, machine);
    if (node == NULL || node->capacity.cpu_millis == 0)
        return (struct machine_shape){0, 0, false};
    return (struct machine_shape){(node->capacity.cpu_millis + 500) / 1000,
                                  node->capacity.memory_bytes / (1024 * 1024), true};
}

static struct machine_shape shape_of_group(const struct core *core, const struct vpsie_group_facts *group)
{
    if (group->cpu > 0 && group->memory_mb > 0)
        return (struct machine_shape){group->cpu, group->memory_mb, false};
    for (uint32_t i = 0; i < core->cluster->offers_count; i++) {
        const struct cloud_offers *offers = &core->cluster->offers[i];
        for (uint32_t j = 0; j < offers->offer_count; j++)
            if (offers->offers[j].id == group->size_id && offers->offers[j].cpu > 0)
                return (struct machine_shape){offers->offers[j].cpu, offers->offers[j].memory_mb, false};
    }
    return (struct machine_shape){0, 0, false};
}

// A kernel keeps some of the memory for itself: up to a sixth of a small machine's.
static bool shapes_fit(struct machine_shape machine, struct machine_shape group)
{
    if (machine.cpu != group.cpu)
        return false;
    if (!machine.of_node)
        return machine.memory_mb == group.memory_mb;
    return machine.memory_mb <= group.memory_mb && machine.memory_mb * 6 >= group.memory_mb * 5;
}

bool attribution_fits(const struct core *core, const struct machine_facts *machine,
                      const struct vpsie_group_facts *group)
{
    struct machine_shape is = shape_of_machine(core, machine), wanted = shape_of_group(core, group);
    return is.cpu == 0 || wanted.cpu == 0 || shapes_fit(is, wanted);
}

bool attribution_same_shape(const struct core *core, const struct vpsie_group_facts *a,
                            const struct vpsie_group_facts *b)
{
    struct machine_shape x = shape_of_group(core, a), y = shape_of_group(core, b);
    if (x.cpu == 0 || y.cpu == 0 || x.cpu != y.cpu)
        return x.cpu == 0 || y.cpu == 0;
    // A Node of the larger must not look like one of the smaller.
    int64_t more = x.memory_mb > y.memory_mb ? x.memory_mb : y.memory_mb;
    int64_t less = x.memory_mb > y.memory_mb ? y.memory_mb : x.memory_mb;
    return less * 6 >= more * 5;
}

// Its size is known, fits this group and no other of the cluster.
static bool exclusive(const struct core *core, const struct cloud_cluster *cloud,
                      const struct machine_facts *machine, const struct vpsie_group_facts *group)
{
    struct machine_shape is = shape_of_machine(core, machine), wanted = shape_of_group(core, group);
    if (is.cpu == 0 || wanted.cpu == 0 || !shapes_fit(is, wanted))
        return false;
    for (uint32_t i = 0; i < cloud->group_count; i++) {
        const struct vpsie_group_facts *other = &cloud->groups[i];
        if (other->id != group->id && !other->deleted && attribution_fits(core, machine, other))
            return false;
    }
    return true;
}

// ---- ages

#define CLOCK_SLACK_MS LIFE_MINUTE_MS
#define ZONE_SLACK_MS  (24 * 60 * LIFE_MINUTE_MS) // VPSie's times have no zone
#define SKEW_MS        (5 * LIFE_MINUTE_MS)       // of VPSie's clock, once its zone is known

// How far VPSie's times are ahead of ours, at least: a Node is younger than its machine, by the time that the
// machine took to start. The largest but one: one machine may have been made anew under its Node.
static bool learn_zone(const struct core *core, const char *cluster, int64_t *ahead_ms)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, cluster);
    int64_t most_ms = INT64_MIN;
    *ahead_ms = INT64_MIN;
    for (uint32_t i = 0; cloud != NULL && i < cloud->machine_count; i++) {
        const struct machine_facts *machine = &cloud->machines[i];
        const struct node *node = machine->created_ms != 0 ? machine_node(core, machine) : NULL;
        if (node == NULL || node->created_ms == 0)
            continue;
        int64_t one_ms = machine->created_ms - node->created_ms;
        if (one_ms > most_ms) {
            *ahead_ms = most_ms;
            most_ms = one_ms;
        } else if (one_ms > *ahead_ms) {
            *ahead_ms = one_ms;
        }
    }
    return *ahead_ms != INT64_MIN;
}

bool attribution_is_old(const struct core *core, const char *cluster, const struct machine_facts *machine,
                        int64_t since_ms)
{
    int64_t ahead_ms;
    const struct node *node = machine_node(core, machine);
    if (node != NULL && node->created_ms != 0 && node->created_ms < since_ms - CLOCK_SLACK_MS)
        return true;
    if (machine->created_ms == 0 || machine->created_ms < since_ms - ZONE_SLACK_MS)
        return machine->created_ms != 0;
    return learn_zone(core, cluster, &ahead_ms) && machine->created_ms - ahead_ms < since_ms - SKEW_MS;
}

// ---- giving

void attribution_give(struct life_private *p, uint32_t machine, const char *how)
{
    struct core *core = p->core;
    struct cloud_watch *watch = cloud_watch_of(core, p->intention->facts.resource_identifier);
    assert(watch->owners[machine] == NULL);
    p->name = machine_name_of(core, &cluster_cloud(core->cluster, watch->cluster)->machines[machine]);
    owners_give(core, watch, p, machine);
    p->mark = p->mark == ORDER_ADOPTED ? ORDER_ADOPTED : ORDER_PLACED;
    p->life->outcome_unknown = false;
    core_note(core, NOTE_INFO, p->life->decision_id, life_subject(p), "its machine is %s (%s)",
              p->name.hostname[0] != '\0' ? p->name.hostname : p->name.identifier, how);
    life_step_to(p, LIFE_JOIN, "its Node to join");
}

// ---- matching

struct matching {
    struct core *core;
    struct cloud_watch *watch;
    const struct cloud_cluster *cloud;
    const struct vpsie_group_facts *group;
    struct life_private **orders; // open, called before this round, oldest first
    uint32_t order_count;
    uint32_t open_count;             // with those called since
    const struct baseline *baseline; // of the oldest
    int64_t since_ms;                // the first of them was called
    int32_t appeared;                // machines that came since
    uint32_t *candidates;            // indices into the list
    uint32_t candidate_count;
};

static void find_orders(struct matching *matching)
{
    struct life_shared *shared = matching->core->life;
    matching->orders = ARENA_ARRAY(matching->core->out->arena, struct life_private *, shared->open_count + 1);
    for (uint32_t i = 0; i < shared->open_count; i++) {
        struct life_private *p = shared->open[i];
        if (p->life->step != LIFE_APPEAR || p->baseline == NULL ||
            p->baseline->group_id != matching->group->id ||
            strcmp(p->intention->facts.resource_identifier, matching->watch->cluster) != 0)
            continue;
        if (matching->baseline == NULL || p->life->called_ms < matching->since_ms)
            matching->since_ms = p->life->called_ms;
        if (matching->baseline == NULL)
            matching->baseline = p->baseline;
        matching->open_count++;
        if (matching->watch->trusted > p->call_round)
            matching->orders[matching->order_count++] = p;
    }
}

// Of the machines that the baseline knew, so many are still nobody's and could be the group's: no more than
// that can have been over. `hidden`: those count, too, that the list did not show then although their Nodes
// ran.
static int32_t extra_left(const struct matching *matching, int32_t extra, bool hidden)
{
    int32_t left = 0;
    for (uint32_t i = 0; i < matching->cloud->machine_count && left < extra; i++)
        left += matching->watch->owners[i] == NULL &&
                (hidden ? baseline_has : baseline_lists)(matching->baseline, &matching->cloud->machines[i]) &&
                attribution_fits(matching->core, &matching->cloud->machines[i], matching->group) &&
                !adopt_ruled_out(matching->watch, &matching->cloud->machines[i], matching->group->id);
    return left < extra ? left : extra;
}

static void find_candidates(struct matching *matching)
{
    matching->candidates =
        ARENA_ARRAY(matching->core->out->arena, uint32_t, matching->cloud->machine_count + 1);
    for (uint32_t i = 0; i < matching->cloud->machine_count; i++) {
        const struct machine_facts *machine = &matching->cloud->machines[i];
        const struct node *node = machine_node(matching->core, machine);
        if (matching->watch->owners[i] != NULL || machine->role == MACHINE_ROLE_MASTER ||
            (node != NULL && node_is_master(node)) || baseline_has(matching->baseline, machine) ||
            attribution_is_old(matching->core, matching->watch->cluster, machine, matching->since_ms) ||
            !attribution_fits(matching->core, machine, matching->group) ||
            owners_named(matching->core, machine))
            continue;
        matching->candidates[matching->candidate_count++] = i;
    }
}

// Could what came be another group's? Those whose count rose, too, and that a candidate fits.
static bool has_rivals(const struct matching *matching)
{
    for (uint32_t i = 0; i < matching->cloud->group_count; i++) {
        const struct vpsie_group_facts *other = &matching->cloud->groups[i];
        if (other->id == matching->group->id || other->deleted)
            continue;
        struct group_sum sum = owners_sum(matching->core, matching->watch, other->id);
        if (other->nodes_count - sum.owned - baseline_of(matching->baseline, other->id).extra <= 0 &&
            sum.open == 0)
            continue;
        for (uint32_t j = 0; j < matching->candidate_count; j++)
            if (attribution_fits(matching->core, &matching->cloud->machines[matching->candidates[j]], other))
                return true;
    }
    return false;
}

static uint32_t keep_exclusive(struct matching *matching)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < matching->candidate_count; i++)
        if (exclusive(matching->core, matching->cloud, &matching->cloud->machines[matching->candidates[i]],
                      matching->group))
            matching->candidates[kept++] = matching->candidates[i];
    return kept;
}

static bool settled(const struct matching *matching)
{
    int64_t since_ms = matching->core->now_ms - SETTLED_MS;
    for (uint32_t i = 0; i < matching->cloud->group_count; i++)
        if (owners_count_changed(matching->watch, matching->cloud->groups[i].id) > since_ms)
            return false;
    for (uint32_t i = 0; i < matching->candidate_count; i++)
        if (owners_first_seen(matching->watch, &matching->cloud->machines[matching->candidates[i]]) >
            since_ms)
            return false;
    return true;
}

static void say_ambiguous(struct matching *matching, const char *why)
{
    for (uint32_t i = 0; i < matching->order_count; i++) {
        struct life_private *p = matching->orders[i];
        life_wait(p, "%s", why);
        if (p->ambiguous_said)
            continue;
        p->ambiguous_said = true;
        core_note(matching->core, NOTE_INFO, p->life->decision_id, life_subject(p), "waits: %s", why);
    }
}

static void give_all(struct matching *matching, uint32_t count, const char *how)
{
    for (uint32_t i = 0; i < count && i < matching->order_count; i++)
        attribution_give(matching->orders[i], matching->candidates[i], how);
}

// More came than was ordered: other hands are at work in this very group. When all of them are in the list,
// the oldest are ours rather than the younger.
static bool waits_for_all(const struct matching *matching, uint32_t appeared, uint32_t candidates)
{
    if (appeared <= matching->open_count || candidates >= appeared)
        return false;
    return owners_count_changed(matching->watch, matching->group->id) > matching->core->now_ms - SETTLED_MS;
}

static bool is_older(const struct machine_facts *a, const struct machine_facts *b)
{
    if (a->created_ms != 0 && b->created_ms != 0 && a->created_ms != b->created_ms)
        return a->created_ms < b->created_ms;
    return a->id != 0 && b->id != 0 && a->id < b->id;
}

static void oldest_first(struct matching *matching)
{
    const struct machine_facts *machines = matching->cloud->machines;
    for (uint32_t i = 1; i < matching->candidate_count; i++)
        for (uint32_t j = i;
             j > 0 && is_older(&machines[matching->candidates[j]], &machines[matching->candidates[j - 1]]);
             j--) {
            uint32_t moved = matching->candidates[j];
            matching->candidates[j] = matching->candidates[j - 1];
            matching->candidates[j - 1] = moved;
        }
}

// Machines that the group counts and that neither its VPSieNodes nor what was over before explain. While
// things still change, the most that may have been over is taken off; later the least: what had just left
// when the baseline was taken is no longer counted.
static int32_t count_appeared(const struct matching *matching, bool calm)
{
    struct group_sum sum = owners_sum(matching->core, matching->watch, matching->group->id);
    struct baseline_count over = baseline_of(matching->baseline, matching->group->id);
    return matching->group->nodes_count - sum.owned - sum.unsure -
           extra_left(matching, calm ? over.least : over.extra, false);
}

static void match(struct matching *matching)
{
    char why[160];
    find_orders(matching);
    if (matching->order_count == 0)
        return;
    find_candidates(matching);
    bool calm = settled(matching);
    matching->appeared = count_appeared(matching, calm);
    if (matching->appeared <= 0 || matching->candidate_count == 0)
        return;
    uint32_t appeared = (uint32_t)matching->appeared, all = matching->candidate_count;
    if (waits_for_all(matching, appeared, all))
        return;
    oldest_first(matching);
    bool rivals = has_rivals(matching);
    if (calm && !rivals && all <= appeared) {
        give_all(matching, all, "new in the list, and its group's count rose");
        return;
    }
    if (!calm && !rivals && all <= appeared && all > matching->open_count)
        return; // soon: then the oldest, not the first to join
    uint32_t sure = keep_exclusive(matching);
    if (sure > 0 && sure <= appeared) {
        give_all(matching, sure, "new in the list, its group's count rose, and no other group has its size");
        return;
    }
    if (!calm && sure == 0)
        return; // soon
    snprintf(why, sizeof(why), "%u new machines, %d of its group: they cannot be told apart yet", all,
             matching->appeared);
    say_ambiguous(matching, why);
}

void attribution_match(struct core *core, struct cloud_watch *watch)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, watch->cluster);
    if (cloud == NULL || watch->suspect || watch->trusted == 0 || !core_may_write(core))
        return;
    for (uint32_t i = 0; i < cloud->group_count; i++) {
        struct matching matching = {.core = core, .watch = watch, .cloud = cloud, .group = &cloud->groups[i]};
        if (!cloud->groups[i].deleted)
            match(&matching);
    }
}

// ---- questions about one order

static struct matching matching_of(struct life_private *p)
{
    struct core *core = p->core;
    struct cloud_watch *watch = cloud_watch_of(core, p->intention->facts.resource_identifier);
    struct matching matching = {
        .core = core,
        .watch = watch,
        .cloud = cluster_cloud(core->cluster, watch->cluster),
        .group = p->baseline != NULL ? vpsie_group_by_id(core, watch->cluster, p->baseline->group_id) : NULL};
    return matching;
}

const char *attribution_hope(struct life_private *p)
{
    struct matching matching = matching_of(p);
    if (matching.group == NULL || matching.watch->trusted == 0)
        return NULL;
    find_orders(&matching);
    find_candidates(&matching);
    struct group_sum sum = owners_sum(p->core, matching.watch, matching.group->id);
    // What the list shows of before explains a count as well, whatever was counted then.
    int64_t unsure = matching.group->nodes_count - sum.owned - extra_left(&matching, INT32_MAX, true);
    uint32_t rank = 0;
    while (rank < matching.order_count && matching.orders[rank] != p)
        rank++;
    if (rank == matching.order_count || (int64_t)rank >= unsure) // the oldest first
        return NULL;
    if ((int64_t)rank >= unsure - sum.unsure) // it is counted, or one that the list has just lost
        return "what has just left VPSie's list to be counted no longer";
    if ((int64_t)matching.candidate_count < unsure - sum.unsure)
        return "VPSie's list, which lacks a machine that its group counts";
    return settled(&matching) ? NULL : "what has just changed at VPSie to settle";
}

// Of one VPSie group: machines that are counted, and those that open orders will bring. What was over before
// them is nobody's order, as much of it as there may have been: better one too few than one too many.
static int32_t total_of(struct life_private *p, const struct cloud_watch *watch,
                        const struct vpsie_group_facts *group)
{
    struct group_sum sum = owners_sum(p->core, watch, group->id);
    bool counts =
        p->baseline->group_id == group->id && life_is_order(p) && p->life->step != LIFE_BASELINE_WRITE;
    int32_t open = sum.open - counts;
    int32_t counted = group->nodes_count - sum.owned - sum.unsure - baseline_of(p->baseline, group->id).extra;
    int32_t uncounted = open - (counted > 0 ? counted : 0);
    return group->nodes_count + (uncounted > 0 ? uncounted : 0);
}

int32_t attribution_total(struct life_private *p)
{
    struct core *core = p->core;
    const struct cloud_watch *watch = cloud_watch_of(core, p->intention->facts.resource_identifier);
    const struct group_life *life = group_life(core, p->intention->group);
    int32_t total = 0;
    for (uint32_t i = 0; i < life->pool_count; i++) {
        const struct vpsie_group_facts *group =
            vpsie_group_by_id(core, watch->cluster, life->pools[i].vpsie_group_id);
        if (group != NULL)
            total += total_of(p, watch, group);
    }
    return total;
}

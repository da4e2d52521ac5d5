#include "coordinator/decide/life.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Which VPSie groups a NodeGroup has, one for each size: found by name, by the id under which they were known
// before, or by the VPSieNodes that are in them. Found anew with each of VPSie's lists; what was learned of a
// pool (refusals, a surplus) goes on with it.

#define REFUSED_LEAST_MS (30 * LIFE_SECOND_MS)
#define REFUSED_MOST_MS  (15 * LIFE_MINUTE_MS)
#define LIMITED_LEAST_MS (5 * LIFE_MINUTE_MS)
#define LIMITED_MOST_MS  (60 * LIFE_MINUTE_MS)

const struct vpsie_group_facts *vpsie_group_by_id(const struct core *core, const char *cluster, int64_t id)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, cluster);
    for (uint32_t i = 0; cloud != NULL && i < cloud->group_count; i++)
        if (cloud->groups[i].id == id && !cloud->groups[i].deleted)
            return &cloud->groups[i];
    return NULL;
}

// ---- looking one up

static bool to_size(const char *text, int64_t *size)
{
    return text_parse_i64(text, strlen(text), size, NULL) == 0 && *size > 0;
}

struct pool *pool_of_group(struct core *core, struct group *group, int64_t vpsie_group_id)
{
    struct group_life *life = group_life(core, group);
    for (uint32_t i = 0; vpsie_group_id != 0 && i < life->pool_count; i++)
        if (life->pools[i].vpsie_group_id == vpsie_group_id)
            return &life->pools[i];
    return NULL;
}

struct pool *pool_named(struct core *core, struct group *group, const char *name)
{
    struct group_life *life = group_life(core, group);
    for (uint32_t i = 0; i < life->pool_count; i++)
        if (strcmp(life->pools[i].name, name) == 0)
            return &life->pools[i];
    return NULL;
}

struct pool *life_pool(struct core *core, struct group *group, int64_t size_id)
{
    struct group_life *life = group_life(core, group);
    for (uint32_t i = 0; i < life->pool_count; i++)
        if (life->pools[i].orderable && life->pools[i].size_id == size_id)
            return &life->pools[i];
    return NULL;
}

struct pool *pool_of(struct core *core, const struct life_private *p)
{
    struct group *group = p->intention->group;
    if (group == NULL || group_life(core, group)->pool_count == 0)
        return NULL;
    const struct intention_facts *facts = &p->intention->facts;
    int64_t id = p->baseline != NULL ? p->baseline->group_id : facts->vpsie_group_id, size;
    struct pool *pool = pool_of_group(core, group, id);
    if (pool == NULL && group->facts.kube_size_id == 0 && p->ours && to_size(facts->instance_type, &size))
        return life_pool(core, group, size);
    return pool != NULL ? pool : group_life(core, group)->pools;
}

int64_t life_size(struct core *core, const struct intention *intention)
{
    const struct life_private *p = life_private_of(intention);
    int64_t id = p != NULL ? owners_group_of(core, p) : intention->facts.vpsie_group_id, size = 0;
    const struct vpsie_group_facts *of = vpsie_group_by_id(core, intention->facts.resource_identifier, id);
    if (of != NULL)
        return of->size_id;
    return to_size(intention->facts.instance_type, &size) ? size : 0;
}

// ---- sizes

// A NodeGroup of its own has this name: the VPSie group of that name is that one's.
static bool is_anothers(const struct core *core, const struct group *group, const char *name)
{
    const struct group *other = cluster_group(core->cluster, NULL, name);
    return other != NULL && other != group && other->facts.managed &&
           strcmp(other->facts.resource_identifier, group->facts.resource_identifier) == 0;
}

static bool size_taken(const struct cloud_cluster *cloud, int64_t size)
{
    for (uint32_t i = 0; i < cloud->group_count; i++)
        if (!cloud->groups[i].deleted && cloud->groups[i].size_id == size)
            return true;
    return false;
}

static bool size_offered(const struct core *core, const struct group *group, int64_t size)
{
    const struct cloud_offers *offers = cluster_offers(core->cluster, group->facts.datacenter_id);
    if (offers == NULL || offers->at_ms == 0)
        return true; // not known yet
    for (uint32_t i = 0; i < offers->offer_count; i++)
        if (offers->offers[i].id == size)
            return true;
    return false;
}

static uint32_t unusable_offerings(const struct group *group)
{
    uint32_t count = 0;
    int64_t size;
    for (uint32_t i = 0; i < group->facts.offering_count; i++)
        count += !to_size(group->facts.offering_ids[i], &size);
    return count;
}

static void say_once(struct core *core, struct group *group)
{
    struct group_life_keep *keep = group_keep(core, group);
    uint32_t unusable = group->facts.kube_size_id == 0 ? unusable_offerings(group) : 0;
    if (unusable == 0 || keep->offerings_said || !core_may_write(core))
        return;
    keep->offerings_said = true;
    core_event_group(
        core, group, 0, true, "OfferingsNotUsable",
        "%u of %u offeringIDs are no sizes of VPSie's managed clusters and cannot be ordered there", unusable,
        group->facts.offering_count);
}

// ---- refusals

// Nothing can be ordered before the first of the pools takes orders again.
static void sum_back_off(struct group_life *life)
{
    const struct pool *soonest = NULL;
    for (uint32_t i = 0; i < life->pool_count; i++)
        if (life->pools[i].orderable &&
            (soonest == NULL || life->pools[i].backoff_until_ms < soonest->backoff_until_ms))
            soonest = &life->pools[i];
    if (soonest == NULL)
        return;
    life->backoff_until_ms = soonest->backoff_until_ms;
    life->backoff_count = soonest->backoff_count;
    snprintf(life->backoff_reason, sizeof(life->backoff_reason), "%s", soonest->backoff_reason);
}

static void back_off(const struct core *core, struct pool *pool, bool limited, const char *why)
{
    int64_t wait_ms = limited ? LIMITED_LEAST_MS : REFUSED_LEAST_MS;
    int64_t most_ms = limited ? LIMITED_MOST_MS : REFUSED_MOST_MS;
    if (pool->backoff_until_ms <= core->now_ms) { // of orders refused together, one counts
        for (uint32_t i = 0; i < pool->backoff_count && wait_ms < most_ms; i++)
            wait_ms *= 2;
        pool->backoff_count++;
    }
    if (wait_ms > most_ms)
        wait_ms = most_ms;
    if (core->now_ms + wait_ms > pool->backoff_until_ms)
        pool->backoff_until_ms = core->now_ms + wait_ms;
    snprintf(pool->backoff_reason, sizeof(pool->backoff_reason), "%s", why);
}

void group_back_off(struct core *core, struct group *group, struct pool *pool, bool limited, const char *why)
{
    struct group_life *life = group_life(core, group);
    for (uint32_t i = 0; i < life->pool_count; i++)
        if (pool == NULL || pool == &life->pools[i])
            back_off(core, &life->pools[i], limited, why);
    sum_back_off(life);
    life->last_failure_ms = core->now_ms;
    core->last_failed_ms = core->now_ms;
    core_event_group(core, group, 0, true, limited ? "LimitReached" : "OrderRefused", "%s", why);
}

void group_order_taken(struct core *core, struct group *group, struct pool *pool)
{
    pool->backoff_count = 0;
    sum_back_off(group_life(core, group));
}

// ---- finding

struct finding {
    struct core *core;
    struct group *group;
    const struct cloud_cluster *cloud;
    struct pool *pools; // as found; in the arena
    uint32_t count, capacity;
    char why[200]; // the last offering that cannot be had, and why not
};

static const struct vpsie_group_facts *listed(const struct finding *finding, int64_t id)
{
    return vpsie_group_by_id(finding->core, finding->group->facts.resource_identifier, id);
}

// The first of this name.
static const struct vpsie_group_facts *listed_as(const struct finding *finding, const char *name)
{
    const struct vpsie_group_facts *found = NULL;
    for (uint32_t i = 0; i < finding->cloud->group_count; i++) {
        const struct vpsie_group_facts *one = &finding->cloud->groups[i];
        if (!one->deleted && one->id != 0 && strcmp(one->name, name) == 0 &&
            (found == NULL || one->id < found->id))
            found = one;
    }
    return found;
}

static bool is_found(const struct finding *finding, int64_t id)
{
    for (uint32_t i = 0; i < finding->count; i++)
        if (finding->pools[i].vpsie_group_id == id)
            return true;
    return false;
}

static bool has_size(const struct finding *finding, int64_t size)
{
    for (uint32_t i = 0; i < finding->count; i++)
        if (finding->pools[i].orderable && finding->pools[i].size_id == size)
            return true;
    return false;
}

static void add(struct finding *finding, const char *name, int64_t id, int64_t size, bool orderable)
{
    if (finding->count == finding->capacity) {
        uint32_t capacity = finding->capacity * 2 + 8;
        struct pool *pools = ARENA_ARRAY(finding->core->out->arena, struct pool, capacity);
        if (finding->count > 0)
            memcpy(pools, finding->pools, finding->count * sizeof(*pools));
        finding->pools = pools;
        finding->capacity = capacity;
    }
    finding->pools[finding->count++] = (struct pool){.name = life_intern(finding->core, name),
                                                     .vpsie_group_id = id,
                                                     .size_id = size,
                                                     .orderable = orderable};
}

static void add_listed(struct finding *finding, const struct vpsie_group_facts *found, bool orderable)
{
    if (!is_found(finding, found->id))
        add(finding, found->name, found->id, found->size_id, orderable && !has_size(finding, found->size_id));
}

// Is this the name that a further VPSie group of the NodeGroup bears?
static bool is_further(const struct finding *finding, const struct vpsie_group_facts *one)
{
    const char *name = finding->group->facts.name;
    size_t length = strlen(name);
    int64_t size;
    return strncmp(one->name, name, length) == 0 && one->name[length] == '-' &&
           to_size(one->name + length + 1, &size) && size == one->size_id &&
           !is_anothers(finding->core, finding->group, one->name);
}

// The VPSie group of the NodeGroup's own name: the one that we know already, if it still has the name; else
// the first of the name; else the one we knew, whatever it is called now.
static const struct vpsie_group_facts *find_namesake(const struct finding *finding)
{
    const char *name = finding->group->facts.name;
    const struct group_life *life = group_life(finding->core, finding->group);
    const struct vpsie_group_facts *known =
        listed(finding, life->vpsie_group_id != 0 ? life->vpsie_group_id
                                                  : finding->group->facts.status_vpsie_group_id);
    if (known != NULL && strcmp(known->name, name) == 0)
        return known;
    const struct vpsie_group_facts *named = listed_as(finding, name);
    return named != NULL || known == NULL || is_further(finding, known) ? named : known;
}

// Of this size, known from before or by its VPSieNodes, and called otherwise by now.
static const struct vpsie_group_facts *find_renamed(const struct finding *finding, int64_t size)
{
    const struct group_life *life = group_life(finding->core, finding->group);
    for (uint32_t i = 0; i < life->pool_count; i++) {
        const struct vpsie_group_facts *known = listed(finding, life->pools[i].vpsie_group_id);
        if (known != NULL && known->size_id == size)
            return known;
    }
    for (uint32_t i = 0; i < finding->group->intention_count; i++) {
        const struct vpsie_group_facts *known =
            listed(finding, finding->group->intentions[i]->facts.vpsie_group_id);
        if (known != NULL && known->size_id == size)
            return known;
    }
    return NULL;
}

static bool name_is_free(const struct finding *finding, const char *name)
{
    for (uint32_t i = 0; i < finding->count; i++)
        if (strcmp(finding->pools[i].name, name) == 0)
            return false;
    return listed_as(finding, name) == NULL && !is_anothers(finding->core, finding->group, name);
}

static void find_offering(struct finding *finding, const char *offering)
{
    const struct nodegroup_facts *facts = &finding->group->facts;
    int64_t size;
    char *why = finding->why;
    size_t bytes = sizeof(finding->why);
    if (!to_size(offering, &size)) {
        snprintf(why, bytes, "offering %.60s is not a size of VPSie's managed clusters", offering);
        return;
    }
    if (has_size(finding, size))
        return;
    const char *name = arena_printf(finding->core->out->arena, "%s-%" PRId64, facts->name, size);
    const struct vpsie_group_facts *found =
        is_anothers(finding->core, finding->group, name) ? NULL : listed_as(finding, name);
    if (found == NULL || found->size_id != size)
        found = find_renamed(finding, size);
    if (found != NULL)
        add_listed(finding, found, true);
    else if (!size_offered(finding->core, finding->group, size))
        snprintf(why, bytes, "size %" PRId64 " is not offered in %.60s", size, facts->datacenter_id);
    else if (size_taken(finding->cloud, size))
        snprintf(why, bytes, "size %" PRId64 " is another group's in this VPSie cluster", size);
    else if (name_is_free(finding, facts->name))
        add(finding, facts->name, 0, size, true);
    else if (name_is_free(finding, name))
        add(finding, name, 0, size, true);
    else
        snprintf(why, bytes, "size %" PRId64 " needs a VPSie group %.80s, and that name is taken", size,
                 name);
}

// VPSie groups from which nothing is ordered any more, and that hold machines of ours or may do so.
static void find_former(struct finding *finding)
{
    for (uint32_t i = 0; i < finding->cloud->group_count; i++) {
        const struct vpsie_group_facts *one = &finding->cloud->groups[i];
        if (!one->deleted && one->id != 0 && is_further(finding, one))
            add_listed(finding, one, false);
    }
    for (uint32_t i = 0; i < finding->group->intention_count; i++) {
        const struct vpsie_group_facts *one =
            listed(finding, finding->group->intentions[i]->facts.vpsie_group_id);
        if (one != NULL && !is_anothers(finding->core, finding->group, one->name))
            add_listed(finding, one, false);
    }
}

static void find_pools(struct finding *finding)
{
    const struct nodegroup_facts *facts = &finding->group->facts;
    const struct vpsie_group_facts *namesake = find_namesake(finding);
    snprintf(finding->why, sizeof(finding->why), "no offering is given");
    if (namesake != NULL)
        add_listed(finding, namesake, true);
    else if (facts->kube_size_id != 0)
        add(finding, facts->name, 0, facts->kube_size_id, true);
    for (uint32_t i = 0; facts->kube_size_id == 0 && i < facts->offering_count; i++)
        find_offering(finding, facts->offering_ids[i]);
    find_former(finding);
}

// ---- taking over what was found

static struct pool *same_pool(struct group_life *life, const struct pool *found)
{
    for (uint32_t i = 0; i < life->pool_count; i++)
        if (found->vpsie_group_id != 0 ? life->pools[i].vpsie_group_id == found->vpsie_group_id
                                       : strcmp(life->pools[i].name, found->name) == 0)
            return &life->pools[i];
    for (uint32_t i = 0; i < life->pool_count; i++) // it has just been made
        if (life->pools[i].vpsie_group_id == 0 && strcmp(life->pools[i].name, found->name) == 0)
            return &life->pools[i];
    return NULL;
}

// What was learned of a pool goes on. True: what an order would bring has changed.
static bool take_pools(struct group_life *life, const struct finding *finding)
{
    bool changed = finding->count != life->pool_count;
    struct pool *pools = xcalloc(finding->count + 1, sizeof(*pools));
    for (uint32_t i = 0; i < finding->count; i++) {
        const struct pool *found = &finding->pools[i], *before = same_pool(life, found);
        if (before != NULL)
            pools[i] = *before;
        changed = changed || before == NULL || before->vpsie_group_id != found->vpsie_group_id ||
                  before->size_id != found->size_id || before->orderable != found->orderable;
        pools[i].name = found->name;
        pools[i].vpsie_group_id = found->vpsie_group_id;
        pools[i].size_id = found->size_id;
        pools[i].orderable = found->orderable;
    }
    free(life->pools);
    life->pools = pools;
    life->pool_count = finding->count;
    life->vpsie_group_id = finding->count > 0 ? pools[0].vpsie_group_id : 0;
    life->size_id = finding->count > 0 && pools[0].orderable ? pools[0].size_id : 0;
    return changed;
}

static void describe_problem(struct core *core, struct group *group, const char *why)
{
    struct group_life *life = group_life(core, group);
    const struct cloud_watch *watch = cloud_watch_find(core, group->facts.resource_identifier);
    const struct nodegroup_facts *facts = &group->facts;
    char *problem = life->problem;
    size_t bytes = sizeof(life->problem);
    problem[0] = '\0';
    if (watch != NULL && watch->hopeless)
        snprintf(problem, bytes, "VPSie does not list cluster %.60s: %.120s", facts->resource_identifier,
                 watch->failure);
    else if (life->vpsie_group_id != 0 && facts->kube_size_id != 0 && facts->kube_size_id != life->size_id)
        snprintf(problem, bytes,
                 "the VPSie group has size %" PRId64 ", the spec says %" PRId64 ": size %" PRId64 " is used",
                 life->size_id, facts->kube_size_id, life->size_id);
    else if (life->size_id == 0)
        snprintf(problem, bytes, "%s", why);
    else if (life->surplus > 0)
        snprintf(problem, bytes, "%d surplus machine%s in the VPSie group: no VPSieNode asked for them",
                 life->surplus, life->surplus == 1 ? "" : "s");
}

void group_resolve(struct core *core, struct group *group)
{
    struct group_life *life = group_life(core, group);
    struct finding finding = {.core = core,
                              .group = group,
                              .cloud = cluster_cloud(core->cluster, group->facts.resource_identifier)};
    if (finding.cloud == NULL || finding.cloud->groups_at_ms == 0) { // not known yet
        describe_problem(core, group, "");
        return;
    }
    find_pools(&finding);
    if (take_pools(life, &finding)) {
        core->cluster->version++;
        sum_back_off(life);
    }
    describe_problem(core, group, finding.why);
    say_once(core, group);
}

void groups_resolve(struct core *core)
{
    for (uint32_t i = 0; i < core->cluster->group_count; i++)
        if (core->cluster->groups[i]->facts.managed)
            group_resolve(core, core->cluster->groups[i]);
}

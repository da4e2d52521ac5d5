#include "coordinator/decide/policy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool on_its_way(const struct intention *intention)
{
    const struct life *life = intention->decide;
    return life != NULL && life->step <= LIFE_JOIN && life->removal == REMOVAL_NONE;
}

static bool leaves(const struct intention *intention)
{
    const struct life *life = intention->decide;
    return life != NULL && life->step >= LIFE_CORDON && life->step < LIFE_UNDO;
}

struct coming {                        // one machine on its way
    const struct intention *intention; // NULL: ordered, and not yet told back by the API server
    struct group *group;
    uint32_t group_index;
    uint64_t decision_id;
    int64_t created_ms;
    const char *name;
};

// Oldest decision first, then as created: the same order in which an order's pods were dealt out to it, so
// that what was promised to one machine does not wander to another between two looks.
static int by_decision(const void *left, const void *right)
{
    const struct coming *a = left;
    const struct coming *b = right;
    if (a->decision_id != b->decision_id)
        return a->decision_id < b->decision_id ? -1 : 1;
    if (a->created_ms != b->created_ms)
        return a->created_ms < b->created_ms ? -1 : 1;
    return strcmp(a->name, b->name);
}

static bool startup_taint(const struct core *core, const struct taint *taint)
{
    if (strcmp(taint->key, "node.kubernetes.io/not-ready") == 0 ||
        strcmp(taint->key, "node.kubernetes.io/unreachable") == 0 ||
        strcmp(taint->key, "node.kubernetes.io/network-unavailable") == 0 ||
        strcmp(taint->key, "node.cloudprovider.kubernetes.io/uninitialized") == 0)
        return true;
    for (int32_t i = 0; i < core->config.startup_taint_count; i++) {
        const char *pattern = core->config.startup_taints[i];
        size_t length = strlen(pattern);
        bool prefix = length > 0 && pattern[length - 1] == '*';
        if (prefix ? strncmp(pattern, taint->key, length - 1) == 0 : strcmp(pattern, taint->key) == 0)
            return true;
    }
    return false;
}

// A machine that has joined but is not in service yet: itself, as it will be once its startup taints are
// gone.
static struct place joining_place(struct core *core, struct arena *arena, const struct intention *intention,
                                  const struct template_node *made)
{
    const struct node *node = intention->node;
    struct place place = made->place;
    if (node->allocatable.cpu_millis > 0)
        place.allocatable = &node->allocatable;
    struct taint *kept = ARENA_ARRAY(arena, struct taint, node->taints.count + 1);
    struct taints *taints = ARENA_NEW(arena, struct taints);
    for (uint32_t i = 0; i < node->taints.count; i++)
        if (!startup_taint(core, &node->taints.items[i]))
            kept[taints->count++] = node->taints.items[i];
    taints->items = kept;
    place.taints = taints;
    if (node->pod_count > 0) {
        place.used = node->requested;
        place.resident_count = 0; // they are among its pods
    }
    place.name = node->name;
    place.node = node;
    return place;
}

struct growing {
    struct free_space *space;
    struct arena *arena;
    uint64_t *decision;
    struct group **group;
    uint32_t capacity;
};

static void add_place(struct growing *growing, const struct place *place, uint64_t decision_id,
                      struct group *group)
{
    uint32_t index = packing_add(&growing->space->packing, place);
    if (index >= growing->capacity) {
        uint32_t capacity = index * 2 + 64;
        uint64_t *decision = ARENA_ARRAY(growing->arena, uint64_t, capacity);
        struct group **groups = ARENA_ARRAY(growing->arena, struct group *, capacity);
        if (growing->capacity > 0) {
            memcpy(decision, growing->decision, growing->capacity * sizeof(*decision));
            memcpy(groups, growing->group, growing->capacity * sizeof(*groups));
        }
        growing->decision = decision;
        growing->group = groups;
        growing->capacity = capacity;
    }
    growing->decision[index] = decision_id;
    growing->group[index] = group;
}

static uint32_t group_index(const struct cluster *cluster, const struct group *group)
{
    for (uint32_t i = 0; i < cluster->group_count; i++)
        if (cluster->groups[i] == group)
            return i;
    assert(!"the group is one of the cluster's");
    return 0;
}

static struct coming *list_coming(struct core *core, struct arena *arena, uint32_t *count)
{
    struct cluster *cluster = core->cluster;
    uint32_t *listed = ARENA_ARRAY(arena, uint32_t, cluster->group_count + 1);
    struct coming *all =
        ARENA_ARRAY(arena, struct coming, cluster->intention_count + policy_coming(core) + 1);
    uint32_t found = 0;
    for (uint32_t i = 0; i < cluster->intention_count; i++) {
        const struct intention *intention = cluster->intentions[i];
        if (intention->group == NULL || !on_its_way(intention))
            continue;
        uint32_t index = group_index(cluster, intention->group);
        listed[index]++;
        all[found++] = (struct coming){.intention = intention,
                                       .group = intention->group,
                                       .group_index = index,
                                       .decision_id = ((const struct life *)intention->decide)->decision_id,
                                       .created_ms = intention->facts.created_ms,
                                       .name = intention->facts.name};
    }
    // ordered in this very step, or not yet told back by the API server: the newest of their group
    for (uint32_t i = 0; i < cluster->group_count; i++) {
        uint32_t counted = life_counts(core, cluster->groups[i]).coming;
        uint64_t decision_id = group_policy(core, cluster->groups[i])->last_order_id;
        for (uint32_t more = listed[i]; more < counted; more++)
            all[found++] = (struct coming){.group = cluster->groups[i],
                                           .group_index = i,
                                           .decision_id = decision_id,
                                           .created_ms = INT64_MAX,
                                           .name = cluster->groups[i]->facts.name};
    }
    if (found > 1)
        qsort(all, found, sizeof(*all), by_decision);
    *count = found;
    return all;
}

static void add_coming(struct core *core, struct growing *growing)
{
    struct cluster *cluster = core->cluster;
    struct template_node *templates =
        ARENA_ARRAY(growing->arena, struct template_node, cluster->group_count + 1);
    bool *made = ARENA_ARRAY(growing->arena, bool, cluster->group_count + 1);
    uint32_t count = 0;
    struct coming *all = list_coming(core, growing->arena, &count);
    for (uint32_t i = 0; i < count; i++) {
        struct coming *one = &all[i];
        struct template_node *template = &templates[one->group_index];
        if (!made[one->group_index])
            *template =
                template_create(growing->arena, cluster, one->group, policy_size_id(core, one->group));
        made[one->group_index] = true;
        if (template->unknown[0] != '\0')
            continue;
        bool joined = one->intention != NULL && one->intention->node != NULL;
        struct place place = template->place;
        if (joined) {
            packing_remove_node(&growing->space->packing, one->intention->node);
            place = joining_place(core, growing->arena, one->intention, template);
        }
        add_place(growing, &place, one->decision_id, one->group);
    }
}

static void put_leaving(struct core *core, struct free_space *space, const struct pod *pod)
{
    if (!life_pod_counts(core, pod))
        return;
    uint32_t place = packing_put(&space->packing, pod, NULL);
    if (place != UINT32_MAX)
        space->promised[place] = true;
}

// What leaves frees nothing for others, and its pods need room before anybody else's.
static void take_leaving(struct core *core, struct free_space *space)
{
    struct cluster *cluster = core->cluster;
    for (uint32_t i = 0; i < cluster->intention_count; i++) {
        struct intention *intention = cluster->intentions[i];
        if (intention->node != NULL && leaves(intention))
            packing_remove_node(&space->packing, intention->node);
    }
    for (uint32_t i = 0; i < cluster->intention_count; i++) {
        struct intention *intention = cluster->intentions[i];
        if (intention->node == NULL || !leaves(intention))
            continue;
        for (struct pod *pod = intention->node->pods; pod != NULL; pod = pod->next)
            put_leaving(core, space, pod);
    }
}

struct free_space policy_free_space(struct core *core, struct arena *arena, bool coming)
{
    struct free_space space = {.packing = packing_create(arena, core->cluster)};
    space.node_places = space.packing.place_count;
    space.promised = ARENA_ARRAY(arena, bool, space.node_places + 1);
    take_leaving(core, &space);
    struct growing growing = {.space = &space, .arena = arena};
    if (coming)
        add_coming(core, &growing);
    space.decision = growing.decision;
    space.group = growing.group;
    return space;
}

uint32_t policy_waiting(struct core *core, struct arena *arena, bool with_grace, const struct pod ***pods,
                        int64_t *grace_due_ms)
{
    const struct config_facts *config = core->cluster->config;
    int64_t grace_ms = with_grace && config != NULL ? config->unschedulable_grace_seconds * 1000 : 0;
    uint32_t count = 0;
    for (const struct pod *pod = core->cluster->unbound; pod != NULL; pod = pod->next)
        count += policy_pod_waits(core, pod);
    const struct pod **found = ARENA_ARRAY(arena, const struct pod *, count + 1);
    uint32_t used = 0;
    for (const struct pod *pod = core->cluster->unbound; pod != NULL && count > 0; pod = pod->next) {
        if (!policy_pod_waits(core, pod))
            continue;
        int64_t due_ms = pod->unschedulable_since_ms + grace_ms;
        if (grace_ms > 0 && due_ms > core->now_ms) {
            if (grace_due_ms != NULL && (*grace_due_ms == 0 || due_ms < *grace_due_ms))
                *grace_due_ms = due_ms;
            continue;
        }
        found[used++] = pod;
    }
    *pods = found;
    return used;
}

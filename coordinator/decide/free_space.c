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

// Oldest decision first, then as created: the same order in which an order's pods were dealt out to it, so
// that what was promised to one machine does not wander to another between two looks.
static int by_decision(const void *left, const void *right)
{
    const struct intention *a = *(struct intention *const *)left;
    const struct intention *b = *(struct intention *const *)right;
    uint64_t first = ((const struct life *)a->decide)->decision_id;
    uint64_t second = ((const struct life *)b->decide)->decision_id;
    if (first != second)
        return first < second ? -1 : 1;
    if (a->facts.created_ms != b->facts.created_ms)
        return a->facts.created_ms < b->facts.created_ms ? -1 : 1;
    return strcmp(a->facts.name, b->facts.name);
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
    if (node->pod_count > 0)
        place.used = node->requested;
    place.name = node->name;
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

static void add_coming(struct core *core, struct growing *growing)
{
    struct cluster *cluster = core->cluster;
    struct intention **coming = ARENA_ARRAY(growing->arena, struct intention *, cluster->intention_count + 1);
    struct template_node *templates =
        ARENA_ARRAY(growing->arena, struct template_node, cluster->group_count + 1);
    bool *made = ARENA_ARRAY(growing->arena, bool, cluster->group_count + 1);
    uint32_t *listed = ARENA_ARRAY(growing->arena, uint32_t, cluster->group_count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < cluster->intention_count; i++)
        if (cluster->intentions[i]->group != NULL && on_its_way(cluster->intentions[i]))
            coming[count++] = cluster->intentions[i];
    if (count > 1)
        qsort(coming, count, sizeof(struct intention *), by_decision);
    for (uint32_t i = 0; i < count; i++) {
        struct group *group = coming[i]->group;
        uint32_t index = group_index(cluster, group);
        if (!made[index])
            templates[index] = template_create(growing->arena, cluster, group, policy_size_id(core, group));
        made[index] = true;
        listed[index]++;
        if (templates[index].unknown[0] != '\0')
            continue;
        struct place place = coming[i]->node != NULL
                                 ? joining_place(core, growing->arena, coming[i], &templates[index])
                                 : templates[index].place;
        if (coming[i]->node != NULL)
            packing_remove_node(&growing->space->packing, coming[i]->node);
        add_place(growing, &place, ((const struct life *)coming[i]->decide)->decision_id, group);
    }
    // ordered in this very step, or not yet told back by the API server
    for (uint32_t i = 0; i < cluster->group_count; i++) {
        uint32_t counted = life_counts(core, cluster->groups[i]).coming;
        if (counted <= listed[i])
            continue;
        if (!made[i])
            templates[i] = template_create(growing->arena, cluster, cluster->groups[i],
                                           policy_size_id(core, cluster->groups[i]));
        for (uint32_t more = listed[i]; more < counted && templates[i].unknown[0] == '\0'; more++)
            add_place(growing, &templates[i].place, 0, cluster->groups[i]);
    }
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
            if (life_pod_counts(core, pod))
                (void)packing_put(&space->packing, pod->shape, NULL);
    }
}

struct free_space policy_free_space(struct core *core, struct arena *arena, bool coming)
{
    struct free_space space = {.packing = packing_create(arena, core->cluster)};
    space.node_places = space.packing.place_count;
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

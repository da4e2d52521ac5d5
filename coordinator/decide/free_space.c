#include "coordinator/decide/policy.h"

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
    int64_t size_id;
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

struct listing {
    struct core *core;
    struct coming *all;
    uint32_t count, capacity;
};

static void add_unseen(struct listing *listing, struct group *group, int64_t size_id, uint32_t count)
{
    struct group_life_private *policy = group_policy(listing->core, group);
    uint64_t decision_id = policy_order_of(policy, size_id)->decision_id;
    for (uint32_t i = 0; i < count && listing->count < listing->capacity; i++)
        listing->all[listing->count++] =
            (struct coming){.group = group,
                            .size_id = size_id,
                            .decision_id = decision_id != 0 ? decision_id : policy->last_order_id,
                            .created_ms = INT64_MAX,
                            .name = group->facts.name};
}

// Those that were ordered in this very step, or are not yet told back by the API server.
static void list_unseen(struct listing *listing, struct group *group, uint32_t seen)
{
    const struct group_life *life = group_life(listing->core, group);
    uint32_t left = life_counts(listing->core, group).coming;
    left = left > seen ? left - seen : 0;
    for (uint32_t i = 0; i < life->pool_count && left > 0; i++) {
        uint32_t unseen = life_unseen(listing->core, group, life->pools[i].size_id);
        unseen = unseen < left ? unseen : left;
        add_unseen(listing, group, life->pools[i].size_id, unseen);
        left -= unseen;
    }
    add_unseen(listing, group, policy_size_id(listing->core, group), left);
}

static void list_seen(struct listing *listing, struct group *group, uint32_t *seen)
{
    for (uint32_t i = 0; i < group->intention_count; i++) {
        const struct intention *intention = group->intentions[i];
        if (!on_its_way(intention))
            continue;
        int64_t size_id = life_size(listing->core, intention);
        (*seen)++;
        listing->all[listing->count++] =
            (struct coming){.intention = intention,
                            .group = group,
                            .size_id = size_id != 0 ? size_id : policy_size_id(listing->core, group),
                            .decision_id = ((const struct life *)intention->decide)->decision_id,
                            .created_ms = intention->facts.created_ms,
                            .name = intention->facts.name};
    }
}

static struct coming *list_coming(struct core *core, struct arena *arena, uint32_t *count)
{
    struct cluster *cluster = core->cluster;
    struct listing listing = {.core = core, .capacity = cluster->intention_count + policy_coming(core) + 1};
    listing.all = ARENA_ARRAY(arena, struct coming, listing.capacity);
    for (uint32_t i = 0; i < cluster->group_count; i++) {
        uint32_t seen = 0;
        list_seen(&listing, cluster->groups[i], &seen);
        list_unseen(&listing, cluster->groups[i], seen);
    }
    if (listing.count > 1)
        qsort(listing.all, listing.count, sizeof(*listing.all), by_decision);
    *count = listing.count;
    return listing.all;
}

// One template for each size of a group that something comes of.
struct known_template {
    const struct group *group;
    int64_t size_id;
    struct template_node made;
    struct known_template *next;
};

static const struct template_node *template_of(struct core *core, struct arena *arena,
                                               struct known_template **known, const struct coming *one)
{
    for (const struct known_template *at = *known; at != NULL; at = at->next)
        if (at->group == one->group && at->size_id == one->size_id)
            return &at->made;
    struct known_template *made = ARENA_NEW(arena, struct known_template);
    *made = (struct known_template){.group = one->group, .size_id = one->size_id, .next = *known};
    made->made = template_create(arena, core->cluster, one->group, one->size_id);
    *known = made;
    return &made->made;
}

static void add_coming(struct core *core, struct growing *growing)
{
    struct known_template *known = NULL;
    uint32_t count = 0;
    struct coming *all = list_coming(core, growing->arena, &count);
    for (uint32_t i = 0; i < count; i++) {
        struct coming *one = &all[i];
        const struct template_node *template = template_of(core, growing->arena, &known, one);
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

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/decide/foresee.h"
#include "coordinator/plan/future_parts.h"
#include "coordinator/schedule/packing.h"

// ---- pods

static const struct pod_facts *facts_of(const struct future *future, const char *uid)
{
    uint32_t low = 0, high = future->pod_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(future->pods[middle].uid, uid);
        if (order == 0)
            return future->pods[middle].facts;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// The pod is there now; "": nowhere, and the scheduler says so.
static void settle(struct future *future, const char *uid, const char *node_name)
{
    const struct pod_facts *known = facts_of(future, uid);
    if (known == NULL)
        return;
    struct event *event = event_create(EVENT_OBJECT);
    event->object.kind = OBJECT_POD;
    event->object.pod = ARENA_NEW(event->arena, struct pod_facts);
    *event->object.pod = *known;
    bool bound = *node_name != '\0';
    event->object.pod->node_name = node_name;
    event->object.pod->nominated_node = "";
    event->object.pod->phase = bound ? POD_RUNNING : POD_PENDING;
    event->object.pod->unschedulable = !bound;
    event->object.pod->unschedulable_since_ms = bound ? 0 : future->now_ms;
    future_step(future, event);
    event_destroy(event);
}

static void remove_object(struct future *future, enum object_kind kind, const char *space, const char *name,
                          const char *uid)
{
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = kind;
    event->gone.space = arena_strdup(event->arena, space);
    event->gone.name = arena_strdup(event->arena, name);
    event->gone.uid = arena_strdup(event->arena, uid);
    future_step(future, event);
    event_destroy(event);
}

struct placed { // names, since the model changes with every pod that is told
    const char *uid, *node_name;
};

uint32_t future_settle(struct future *future)
{
    struct arena *arena = arena_create(1 << 16);
    const struct pod **waiting;
    uint32_t count = foresee_waiting(future->core, arena, &waiting), placed_count = 0;
    struct packing packing = packing_create(arena, future->core->cluster);
    struct placed *placed = ARENA_ARRAY(arena, struct placed, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = packing_put(&packing, waiting[i], NULL);
        if (place != UINT32_MAX)
            placed[placed_count++] = (struct placed){arena_strdup(arena, waiting[i]->uid),
                                                     arena_strdup(arena, packing.places[place].name)};
    }
    for (uint32_t i = 0; i < placed_count; i++)
        settle(future, placed[i].uid, placed[i].node_name);
    arena_destroy(arena);
    return placed_count;
}

// ---- machines come

// The VPSie group that a machine of this size is ordered in; a first order makes it.
static int64_t vpsie_group_of(struct future *future, const struct group *group, int64_t size_id)
{
    const struct pool *pool = life_pool(future->core, (struct group *)(uintptr_t)group, size_id);
    if (pool == NULL || pool->vpsie_group_id != 0)
        return pool != NULL ? pool->vpsie_group_id : 0;
    return cloud_make_group(&future->picture, arena_strdup(future->arena, group->facts.resource_identifier),
                            arena_strdup(future->arena, pool->name),
                            arena_strdup(future->arena, group->facts.datacenter_id), size_id);
}

static void add_intention(struct future *future, const struct group *group, const struct foreseen *seen,
                          const char *name)
{
    struct event *event = event_create(EVENT_OBJECT);
    struct arena *arena = event->arena;
    const struct nodegroup_facts *given = &group->facts;
    struct label *marks = ARENA_ARRAY(arena, struct label, 2);
    marks[0] = (struct label){KEY_CREATED_BY, CREATED_BY_US};
    marks[1] = (struct label){KEY_CREATION_REASON, seen->creation_reason};
    struct intention_facts *facts = ARENA_NEW(arena, struct intention_facts);
    *facts = (struct intention_facts){
        .space = given->space,
        .name = name,
        .uid = arena_printf(arena, "plan-%s", name),
        .resource_version = "1",
        .created_ms = future->now_ms,
        .has_finalizer = true,
        .annotations = {.items = marks, .count = 2},
        .group_name = given->name,
        .owner_uid = given->uid,
        .identifier = arena_printf(arena, "vps-of-%s", name),
        .vpsie_group_id = vpsie_group_of(future, group, seen->size_id),
        .instance_type = "",
        .datacenter_id = given->datacenter_id,
        .resource_identifier = given->resource_identifier,
        .project = given->project,
        .kubernetes_version = given->kubernetes_version,
        .node_name = name,
        .ip_address = "",
        .phase = INTENTION_READY,
        .hostname = name,
        .joined_ms = future->now_ms,
        .ready_ms = future->now_ms,
        .last_error = "",
    };
    event->object.kind = OBJECT_INTENTION;
    event->object.intention = facts;
    future_step(future, event);
    event_destroy(event);
}

static int by_key(const void *left, const void *right)
{
    return strcmp(((const struct label *)left)->key, ((const struct label *)right)->key);
}

static struct labels node_labels(struct arena *arena, const struct labels *given, const char *name)
{
    const struct label own[] = {{"kubernetes.io/hostname", name}, {KEY_VPSIENODE, name}};
    struct label *items = ARENA_ARRAY(arena, struct label, given->count + 2);
    uint32_t count = 0;
    for (uint32_t i = 0; i < given->count; i++)
        if (strcmp(given->items[i].key, own[0].key) != 0 && strcmp(given->items[i].key, own[1].key) != 0)
            items[count++] = given->items[i];
    for (uint32_t i = 0; i < 2; i++)
        items[count++] = own[i];
    qsort(items, count, sizeof(*items), by_key);
    return (struct labels){.items = items, .count = count};
}

// DaemonSet pods are not made one by one: what they will take is taken off what the node has to give.
static struct resources left_for_pods(const struct template_node *made)
{
    struct resources left = *made->place.allocatable;
    left.cpu_millis -= made->place.used.cpu_millis;
    left.memory_bytes -= made->place.used.memory_bytes;
    left.ephemeral_bytes -= made->place.used.ephemeral_bytes;
    left.pods -= made->place.used.pods;
    return left;
}

static void add_node(struct future *future, const struct group *group, const struct template_node *made,
                     const char *name)
{
    struct event *event = event_create(EVENT_OBJECT);
    struct node_facts *facts = ARENA_NEW(event->arena, struct node_facts);
    *facts = (struct node_facts){
        .name = name,
        .uid = arena_printf(event->arena, "plan-node-%s", name),
        .resource_version = "1",
        .labels = node_labels(event->arena, made->place.labels, name),
        .taints = *made->place.taints,
        .capacity = *made->place.allocatable,
        .allocatable = left_for_pods(made),
        .ready = NODE_READY_TRUE,
        .ready_changed_ms = future->now_ms,
        .created_ms = future->now_ms,
        .provider_id = "",
        .hostname = name,
        .internal_ip = "",
        .external_ip = "",
        .kubelet_version = group->facts.kubernetes_version,
    };
    event->object.kind = OBJECT_NODE;
    event->object.node = facts;
    future_step(future, event);
    event_destroy(event);
    future_report_of(future, name);
}

static void machines_come(struct future *future, const struct foreseen *seen)
{
    for (uint32_t i = 0; i < seen->machines; i++) {
        const struct group *group = cluster_group(future->core->cluster, NULL, seen->group);
        if (group == NULL)
            return;
        struct arena *arena = arena_create(1 << 14);
        struct template_node made =
            foresee_machine(future->core, arena, (struct group *)(uintptr_t)group, seen->size_id);
        const char *name = arena_printf(arena, "%s-new-%u", group->facts.name, ++future->machines_made);
        if (made.unknown[0] == '\0') {
            add_intention(future, group, seen, name);
            add_node(future, group, &made, name);
        }
        arena_destroy(arena);
    }
}

// ---- nodes go

// Where a leaving node's pods settle, all leaving nodes being out of the picture.
static void find_places(struct future *future, const struct foreseen *seen, struct arena *arena,
                        struct placed *placed, uint32_t *count)
{
    struct cluster *cluster = future->core->cluster;
    struct packing packing = packing_create(arena, cluster);
    for (uint32_t i = 0; i < seen->leaving_count; i++) {
        const struct node *node = cluster_node(cluster, seen->leaving[i]);
        if (node != NULL)
            packing_remove_node(&packing, node);
    }
    for (uint32_t i = 0; i < seen->leaving_count; i++) {
        const struct node *node = cluster_node(cluster, seen->leaving[i]);
        for (const struct pod *pod = node != NULL ? node->pods : NULL; pod != NULL; pod = pod->next) {
            bool moves = !pod->terminal && !pod_is_furniture(pod) && *pod->controller_kind != '\0';
            uint32_t place = moves ? packing_put(&packing, pod, NULL) : UINT32_MAX;
            placed[(*count)++] =
                (struct placed){arena_strdup(arena, pod->uid),
                                !moves                ? NULL
                                : place == UINT32_MAX ? ""
                                                      : arena_strdup(arena, packing.places[place].name)};
        }
    }
}

static void pods_move(struct future *future, const struct foreseen *seen)
{
    struct cluster *cluster = future->core->cluster;
    struct arena *arena = arena_create(1 << 16);
    uint32_t most = 0, count = 0;
    for (uint32_t i = 0; i < seen->leaving_count; i++) {
        const struct node *node = cluster_node(cluster, seen->leaving[i]);
        for (const struct pod *pod = node != NULL ? node->pods : NULL; pod != NULL; pod = pod->next)
            most++;
    }
    struct placed *placed = ARENA_ARRAY(arena, struct placed, most + 1);
    find_places(future, seen, arena, placed, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct pod *pod = cluster_pod_by_uid(cluster, placed[i].uid);
        if (placed[i].node_name != NULL)
            settle(future, placed[i].uid, placed[i].node_name);
        else if (pod != NULL)
            remove_object(future, OBJECT_POD, pod->space, pod->name, pod->uid);
    }
    arena_destroy(arena);
}

static void nodes_go(struct future *future, const struct foreseen *seen)
{
    pods_move(future, seen);
    for (uint32_t i = 0; i < seen->leaving_count; i++) {
        const struct node *node = cluster_node(future->core->cluster, seen->leaving[i]);
        if (node == NULL)
            continue;
        const struct intention *intention = node->intention;
        struct arena *arena = arena_create(1 << 10);
        const char *space = intention != NULL ? arena_strdup(arena, intention->facts.space) : "";
        const char *name = intention != NULL ? arena_strdup(arena, intention->facts.name) : "";
        const char *uid = intention != NULL ? arena_strdup(arena, intention->facts.uid) : "";
        remove_object(future, OBJECT_NODE, "", node->name, node->uid);
        if (*name != '\0')
            remove_object(future, OBJECT_INTENTION, space, name, uid);
        arena_destroy(arena);
    }
}

uint32_t future_carry_out(struct future *future, const struct foreseen *seen)
{
    struct foreseen copy = *seen; // the list of what was seen may grow
    machines_come(future, &copy);
    uint32_t placed = copy.machines > 0 ? future_settle(future) : 0;
    nodes_go(future, &copy);
    return placed;
}

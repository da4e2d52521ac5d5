#include "coordinator/decide/elsewhere.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/decide/rules.h"

// ---- the picture

static uint32_t place_of(const struct elsewhere *elsewhere, const char *node_name)
{
    const struct packing *packing = &elsewhere->space.packing;
    uint32_t low = 0, high = elsewhere->space.node_places;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(packing->places[middle].name, node_name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return UINT32_MAX;
}

static void put_waiting(struct elsewhere *elsewhere)
{
    struct core *core = elsewhere->core;
    struct packing *packing = &elsewhere->space.packing;
    const struct pod **pods;
    uint32_t count = policy_waiting(core, elsewhere->arena, false, &pods, NULL);
    struct resources reference = {.cpu_millis = 1000, .memory_bytes = (int64_t)4 << 30, .pods = 110};
    if (packing->place_count > 0)
        reference = *packing->places[0].allocatable;
    packing_order(pods, count, &reference);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = packing_put(packing, pods[i], NULL);
        if (place < elsewhere->space.node_places)
            elsewhere->taken[place] = true;
    }
    // preemption makes room there; the pod is about to come
    for (const struct pod *pod = core->cluster->unbound; pod != NULL; pod = pod->next) {
        uint32_t place =
            pod->nominated_node[0] != '\0' ? place_of(elsewhere, pod->nominated_node) : UINT32_MAX;
        if (place != UINT32_MAX)
            elsewhere->taken[place] = true;
    }
}

// After all pods: what is kept free for others does not stand in their way, and leaves no node by itself.
static void put_headroom(struct elsewhere *elsewhere)
{
    const struct core_config *config = &elsewhere->core->config;
    uint32_t count = headroom_pods(elsewhere->arena, elsewhere->core->cluster, config->headroom,
                                   (uint32_t)config->headroom_count, &elsewhere->headroom);
    elsewhere->headroom_places = ARENA_ARRAY(elsewhere->arena, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = packing_put(&elsewhere->space.packing, elsewhere->headroom[i], NULL);
        if (place == UINT32_MAX)
            continue;
        elsewhere->headroom[elsewhere->headroom_count] = elsewhere->headroom[i];
        elsewhere->headroom_places[elsewhere->headroom_count++] = place;
    }
}

// Those that select a pod of these nodes, each once: marked with a new stamp, listed in `found`.
static uint32_t find_budgets(struct elsewhere *elsewhere, struct node *const *nodes, uint32_t count)
{
    const struct cluster *cluster = elsewhere->core->cluster;
    uint32_t found = 0, stamp = ++elsewhere->stamp;
    for (uint32_t i = 0; i < count; i++) {
        for (const struct pod *pod = nodes[i]->pods; pod != NULL; pod = pod->next) {
            uint32_t first, of_space = rules_budgets_in(cluster, pod->space, &first);
            if (of_space == 0 || !life_pod_counts(elsewhere->core, pod))
                continue;
            for (uint32_t k = first; k < first + of_space; k++) {
                if (elsewhere->stamps[k] == stamp || !budget_selects(cluster->budgets[k], pod))
                    continue;
                elsewhere->stamps[k] = stamp;
                elsewhere->found[found++] = k;
            }
        }
    }
    return found;
}

static void change_allowance(struct elsewhere *elsewhere, struct node *const *nodes, uint32_t count,
                             int32_t by)
{
    uint32_t found = find_budgets(elsewhere, nodes, count);
    for (uint32_t i = 0; i < found; i++)
        elsewhere->allowance[elsewhere->found[i]] += by;
}

struct elsewhere elsewhere_create(struct core *core, struct arena *arena, bool coming)
{
    struct cluster *cluster = core->cluster;
    struct elsewhere elsewhere = {
        .core = core, .arena = arena, .space = policy_free_space(core, arena, coming)};
    elsewhere.taken = elsewhere.space.promised;
    put_waiting(&elsewhere);
    put_headroom(&elsewhere);
    elsewhere.allowance = ARENA_ARRAY(arena, int32_t, cluster->budget_count + 1);
    elsewhere.stamps = ARENA_ARRAY(arena, uint32_t, cluster->budget_count + 1);
    elsewhere.found = ARENA_ARRAY(arena, uint32_t, cluster->budget_count + 1);
    for (uint32_t i = 0; i < cluster->budget_count; i++)
        elsewhere.allowance[i] = cluster->budgets[i]->disruptions_allowed;
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct intention *intention = cluster->nodes[i]->intention;
        const struct life *life = intention != NULL ? intention->decide : NULL;
        if (life != NULL && life->step >= LIFE_CORDON && life->step < LIFE_UNDO)
            change_allowance(&elsewhere, &cluster->nodes[i], 1, -1); // what leaves already will need them
    }
    return elsewhere;
}

bool elsewhere_needs(const struct elsewhere *elsewhere, const struct node *node)
{
    uint32_t place = place_of(elsewhere, node->name);
    return place != UINT32_MAX && elsewhere->taken[place];
}

// ---- a set of nodes

static uint32_t collect_pods(struct elsewhere *elsewhere, struct leave *leave)
{
    const struct core *core = elsewhere->core;
    uint32_t count = 0;
    for (uint32_t i = 0; i < leave->node_count; i++)
        count += policy_node_pods(core, leave->nodes[i]);
    uint32_t most = count + elsewhere->headroom_count + 1;
    leave->pods = ARENA_ARRAY(elsewhere->arena, const struct pod *, most);
    leave->places = ARENA_ARRAY(elsewhere->arena, uint32_t, most);
    uint32_t used = 0;
    for (uint32_t i = 0; i < leave->node_count; i++)
        for (const struct pod *pod = leave->nodes[i]->pods; pod != NULL; pod = pod->next)
            if (life_pod_counts(core, pod))
                leave->pods[used++] = pod;
    if (leave->node_count > 0)
        packing_order(leave->pods, count, &leave->nodes[0]->allocatable);
    return count;
}

static bool is_of(const struct elsewhere *elsewhere, uint32_t place, const struct leave *leave)
{
    const struct node *node = elsewhere->space.packing.places[place].node;
    for (uint32_t i = 0; i < leave->node_count && node != NULL; i++)
        if (leave->nodes[i] == node)
            return true;
    return false;
}

// What was kept free on these nodes has to be free elsewhere.
static void move_headroom(struct elsewhere *elsewhere, struct leave *leave)
{
    uint32_t count = elsewhere->headroom_count;
    bool pods_fit = leave->placed == leave->pod_count;
    leave->headroom_places = ARENA_ARRAY(elsewhere->arena, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        leave->headroom_places[i] = elsewhere->headroom_places[i];
        if (!pods_fit || !is_of(elsewhere, elsewhere->headroom_places[i], leave))
            continue;
        leave->headroom_places[i] = packing_put(&elsewhere->space.packing, elsewhere->headroom[i], NULL);
        if (leave->headroom_places[i] != UINT32_MAX)
            continue;
        leave->places[leave->pod_count] = UINT32_MAX;
        leave->pods[leave->pod_count++] = elsewhere->headroom[i];
        snprintf(leave->miss, sizeof(leave->miss), "the headroom that is kept there");
    }
}

struct leave elsewhere_leave(struct elsewhere *elsewhere, struct node *const *nodes, uint32_t count, bool all,
                             bool say_miss)
{
    struct packing *packing = &elsewhere->space.packing;
    struct leave leave = {.nodes = nodes, .node_count = count, .mark = packing_mark(packing)};
    for (uint32_t i = 0; i < count; i++)
        packing_remove_node(packing, nodes[i]);
    leave.pod_count = collect_pods(elsewhere, &leave);
    bool stopped = false;
    for (uint32_t i = 0; i < leave.pod_count; i++) {
        struct placement why = {0};
        leave.places[i] = stopped ? UINT32_MAX : packing_put(packing, leave.pods[i], say_miss ? &why : NULL);
        if (leave.places[i] != UINT32_MAX) {
            leave.placed++;
            continue;
        }
        stopped = all;
        if (!say_miss || leave.miss[0] != '\0')
            continue;
        char text[120];
        placement_describe(&why, text, sizeof(text));
        snprintf(leave.miss, sizeof(leave.miss), "%.30s/%.40s: %.119s", leave.pods[i]->space,
                 leave.pods[i]->name, text);
    }
    move_headroom(elsewhere, &leave);
    return leave;
}

void elsewhere_undo(struct elsewhere *elsewhere, const struct leave *leave)
{
    packing_rollback(&elsewhere->space.packing, leave->mark);
}

void elsewhere_keep(struct elsewhere *elsewhere, const struct leave *leave)
{
    for (uint32_t i = 0; i < elsewhere->headroom_count; i++)
        elsewhere->headroom_places[i] = leave->headroom_places[i];
    for (uint32_t i = 0; i < leave->pod_count; i++)
        if (leave->places[i] < elsewhere->space.node_places)
            elsewhere->taken[leave->places[i]] = true;
}

// ---- PodDisruptionBudgets

bool elsewhere_spend(struct elsewhere *elsewhere, struct node *const *nodes, uint32_t count)
{
    uint32_t found = find_budgets(elsewhere, nodes, count);
    for (uint32_t i = 0; i < found; i++)
        if (elsewhere->allowance[elsewhere->found[i]] <= 0)
            return false;
    for (uint32_t i = 0; i < found; i++)
        elsewhere->allowance[elsewhere->found[i]]--;
    return true;
}

void elsewhere_refund(struct elsewhere *elsewhere, struct node *const *nodes, uint32_t count)
{
    change_allowance(elsewhere, nodes, count, 1);
}

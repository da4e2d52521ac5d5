#include "coordinator/decide/policy.h"
#include "coordinator/decide/moves.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_BLOCK_BYTES (256u * 1024u)
#define CONTROL_PLANE_LABEL "node-role.kubernetes.io/control-plane"
#define MASTER_LABEL        "node-role.kubernetes.io/master"

void policy_init(struct core *core)
{
    assert(core->policy == NULL);
    core->policy = xcalloc(1, sizeof(*core->policy));
    core->policy->scratch = arena_create(SCRATCH_BLOCK_BYTES);
    core->policy->moves = xcalloc(1, sizeof(*core->policy->moves));
}

void policy_free(struct core *core)
{
    if (core->policy == NULL)
        return;
    arena_destroy(core->policy->scratch);
    free(core->policy->moves);
    free(core->policy->promises);
    free(core->policy);
    core->policy = NULL;
}

static void pod_changed(struct core *core, const char *space, const char *name)
{
    struct pod *pod = cluster_pod(core->cluster, space, name);
    if (pod == NULL || !policy_pod_waits(core, pod))
        return;
    if (core->burst_opened_ms == 0)
        core->burst_opened_ms = core->now_ms;
    core->burst_last_ms = core->now_ms;
}

static void node_changed(struct core *core, const char *name)
{
    struct node *node = cluster_node(core->cluster, name);
    if (node != NULL)
        policy_node_window(core, node);
}

static void object_changed(struct core *core, const struct event *event)
{
    switch (event->object.kind) {
    case OBJECT_POD: pod_changed(core, event->object.pod->space, event->object.pod->name); break;
    case OBJECT_NODE: node_changed(core, event->object.node->name); break;
    case OBJECT_NODEGROUP:
    case OBJECT_CONFIG: core->policy->look_wanted = true; break;
    default: break;
    }
}

void policy_event(struct core *core, const struct event *event)
{
    assert(core->policy != NULL);
    if (event->kind != EVENT_TIMER)
        core->policy->status_wanted = true;
    if (core->touched_node != NULL)
        policy_node_window(core, core->touched_node);
    switch (event->kind) {
    case EVENT_OBJECT: object_changed(core, event); break;
    case EVENT_OBJECT_GONE:
        if (event->gone.kind == OBJECT_NODEGROUP || event->gone.kind == OBJECT_CONFIG)
            core->policy->look_wanted = true;
        break;
    case EVENT_AGENT_REPORT: node_changed(core, event->report->node_name); break;
    case EVENT_OUTCOME: group_status_event(core, event); break;
    case EVENT_KUBE_SYNCED:
    case EVENT_LEADER: core->policy->look_wanted = true; break;
    default: break;
    }
}

struct group_life_private *group_policy(struct core *core, struct group *group)
{
    struct group_life *life = group_life(core, group);
    if (life->private_state == NULL)
        life->private_state = xcalloc(1, sizeof(*life->private_state));
    return life->private_state;
}

bool policy_pod_waits(const struct core *core, const struct pod *pod)
{
    return pod->node == NULL && pod->node_name[0] == '\0' && pod->unschedulable && !pod->gated &&
           !pod->terminal && pod->deletion_ms == 0 && pod->nominated_node[0] == '\0' &&
           !pod_is_furniture(pod) && pod->shape->facts.priority >= core->config.expendable_priority_cutoff;
}

bool policy_is_control_plane(const struct node *node)
{
    return labels_get(&node->labels, CONTROL_PLANE_LABEL) != NULL ||
           labels_get(&node->labels, MASTER_LABEL) != NULL;
}

// Is the intention's machine on its way and not yet in service?
static bool on_its_way(const struct intention *intention)
{
    const struct life *life = intention->decide;
    return life != NULL && life->step <= LIFE_JOIN && life->removal == REMOVAL_NONE;
}

uint32_t policy_coming(const struct core *core)
{
    uint32_t coming = 0;
    for (uint32_t i = 0; i < core->cluster->group_count; i++)
        coming += life_counts(core, core->cluster->groups[i]).coming;
    return coming;
}

uint32_t policy_workers(const struct core *core)
{
    const struct cluster *cluster = core->cluster;
    uint32_t workers = 0;
    uint32_t joined_on_their_way = 0;
    for (uint32_t i = 0; i < cluster->node_count; i++)
        workers += !policy_is_control_plane(cluster->nodes[i]);
    for (uint32_t i = 0; i < cluster->intention_count; i++)
        joined_on_their_way += cluster->intentions[i]->node != NULL && on_its_way(cluster->intentions[i]);
    uint32_t coming = policy_coming(core);
    return workers + (coming > joined_on_their_way ? coming - joined_on_their_way : 0);
}

uint32_t policy_node_pods(const struct core *core, const struct node *node)
{
    uint32_t count = 0;
    for (const struct pod *pod = node->pods; pod != NULL; pod = pod->next)
        count += life_pod_counts(core, pod);
    return count;
}

uint32_t policy_leaving(const struct core *core, bool empty)
{
    uint32_t leaving = 0;
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        const struct intention *intention = core->cluster->intentions[i];
        const struct life *life = intention->decide;
        if (life == NULL || life->removal != REMOVAL_VOLUNTARY || life->step < LIFE_CORDON ||
            life->step >= LIFE_UNDO)
            continue;
        if (!empty || intention->node == NULL || policy_node_pods(core, intention->node) == 0)
            leaving++;
    }
    return leaving;
}

struct removal_room policy_removal_room(const struct core *core)
{
    const struct config_facts *config = core->cluster->config;
    int64_t leaving = policy_leaving(core, false);
    if (config != NULL && config->max_concurrent_scale_downs > 0) {
        int64_t left = config->max_concurrent_scale_downs - leaving;
        return (struct removal_room){.empty = left, .any = left, .common = true};
    }
    return (struct removal_room){.empty = core->config.max_empty_removals - leaving,
                                 .any = 1 - (leaving - (int64_t)policy_leaving(core, true))};
}

int64_t policy_size_id(struct core *core, struct group *group)
{
    int64_t size = group_life(core, group)->size_id;
    return size != 0 ? size : group->facts.kube_size_id;
}

bool policy_group_paused(const struct group *group)
{
    const char *paused = labels_get(&group->facts.annotations, KEY_PAUSED);
    return paused != NULL && strcmp(paused, "true") == 0;
}

int32_t policy_group_priority(const struct group *group)
{
    const char *text = labels_get(&group->facts.annotations, KEY_PRIORITY);
    int64_t priority = 0;
    if (text == NULL || text_parse_i64(text, strlen(text), &priority, NULL) != 0 || priority < INT32_MIN ||
        priority > INT32_MAX)
        return 0;
    return (int32_t)priority;
}

struct policy_order *policy_order_of(struct group_life_private *policy, int64_t size_id)
{
    struct policy_order *order = &policy->orders[(uint64_t)size_id % POLICY_SIZES_KEPT];
    for (uint32_t i = 0; i < POLICY_SIZES_KEPT; i++) {
        struct policy_order *one = &policy->orders[i];
        if (one->size_id == size_id)
            return one;
        if (one->size_id == 0 && one->decision_id == 0 && order->size_id != 0)
            order = one;
    }
    *order = (struct policy_order){.size_id = size_id};
    return order;
}

void policy_forget_dry_orders(struct group_life_private *policy)
{
    for (uint32_t i = 0; i < POLICY_SIZES_KEPT; i++)
        policy->orders[i].dry_hash = 0;
}

uint64_t policy_hash(uint64_t hash, const char *text)
{
    if (hash == 0)
        hash = 14695981039346656037ull;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++)
        hash = (hash ^ *at) * 1099511628211ull;
    return (hash ^ 0xffu) * 1099511628211ull; // an end, so that "a" "b" is not "ab"
}

uint32_t policy_group_index(const struct cluster *cluster, const struct group *group)
{
    uint32_t low = 0, high = cluster->group_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct group *there = cluster->groups[middle];
        int order = strcmp(there->facts.space, group->facts.space);
        if (order == 0)
            order = strcmp(there->facts.name, group->facts.name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    assert(!"the group is one of the cluster's");
    return 0;
}

double policy_pod_weight(const struct pod *pod)
{
    int32_t priority = pod->shape->facts.priority;
    if (priority < 0)
        return 0.5;
    double weight = 1;
    for (; priority > 0; priority >>= 1) // by its order of magnitude: system pods have 2,000,000,000
        weight += 0.125;
    return weight;
}

struct policy_unfit *policy_unfit_slot(struct core *core, const struct node *node)
{
    return &core->policy->unfit[policy_hash(0, node->name) % POLICY_UNFIT_SLOTS];
}

const char *policy_plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

void policy_duration(char *buffer, size_t bytes, int64_t ms)
{
    text_format_duration(buffer, bytes, ms);
    size_t length = strlen(buffer);
    if (length > 3 && (strcmp(buffer + length - 3, "00s") == 0 || strcmp(buffer + length - 3, "00m") == 0))
        buffer[length - 3] = '\0';
}

const char *decision_kind_name(enum decision_kind kind)
{
    switch (kind) {
    case DECISION_ORDER: return "order";
    case DECISION_ADOPT: return "adopt";
    case DECISION_REMOVE: return "remove";
    case DECISION_REPLACE: return "replace";
    case DECISION_GIVE_UP: return "give-up";
    case DECISION_HOLD: return "hold";
    case DECISION_OPERATOR: return "operator";
    case DECISION_CONSOLIDATE: return "consolidate";
    case DECISION_KIND_COUNT: break;
    }
    return "?";
}

const char *brake_name(enum brake brake)
{
    switch (brake) {
    case BRAKE_MANY_BROKEN: return "many-broken";
    case BRAKE_CLOUD_LIST: return "cloud-list";
    case BRAKE_AGENTS_SILENT: return "agents-silent";
    case BRAKE_GROUPS_GONE: return "groups-gone";
    case BRAKE_PREDECESSOR: return "predecessor";
    case BRAKE_PAUSED: return "paused";
    case BRAKE_CLOUD_UNUSABLE: return "cloud-unusable";
    case BRAKE_KUBE_UNREACHABLE: return "kube-unreachable";
    case BRAKE_COUNT: break;
    }
    return "?";
}

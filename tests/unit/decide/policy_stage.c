#include "tests/unit/decide/policy_stage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APP_LABEL "app"

// ---- the core

static const struct offer_facts OFFERS[] = {
    {.id = 10, .name = "small", .cpu = 4, .memory_mb = 8192, .disk_gb = 80, .price_hour = 0.05},
    {.id = 20, .name = "large", .cpu = 8, .memory_mb = 16384, .disk_gb = 160, .price_hour = 0.09},
};

void stage_destroy(struct stage *stage)
{
    core_destroy(stage->core);
    commands_destroy(stage->out);
    free(stage);
}

// What VPSie lists: a machine for every VPSieNode in service.
static struct machine_facts *machines(struct stage *stage, struct arena *arena, uint32_t *count)
{
    const struct cluster *cluster = stage->core->cluster;
    struct machine_facts *all = ARENA_ARRAY(arena, struct machine_facts, cluster->intention_count + 1);
    for (uint32_t i = 0; i < cluster->intention_count; i++) {
        const struct intention_facts *facts = &cluster->intentions[i]->facts;
        if (facts->identifier[0] == '\0')
            continue;
        all[(*count)++] = (struct machine_facts){.id = facts->vpsie_instance_id,
                                                 .identifier = facts->identifier,
                                                 .hostname = facts->hostname,
                                                 .default_ip = "",
                                                 .private_ip = "",
                                                 .role = MACHINE_ROLE_WORKER,
                                                 .datacenter_id = STAGE_DATACENTER,
                                                 .status = "active",
                                                 .created_ms = facts->created_ms,
                                                 .cpu = 4,
                                                 .memory_mb = 8192};
    }
    return all;
}

// Without kubeSizeID a NodeGroup has a VPSie group of either size, the large one's id STAGE_LARGE above the
// other.
static struct vpsie_group_facts vpsie_group(const struct group *group, bool large, const char *name)
{
    const struct nodegroup_facts *facts = &group->facts;
    struct vpsie_group_facts made = {.id = facts->status_vpsie_group_id + (large ? STAGE_LARGE : 0),
                                     .identifier = name,
                                     .name = name,
                                     .size_id = facts->kube_size_id != 0 ? facts->kube_size_id
                                                : large                  ? 20
                                                                         : 10,
                                     .cpu = large ? 8 : 4,
                                     .memory_mb = large ? 16384 : 8192,
                                     .disk_gb = large ? 160 : 80,
                                     .datacenter_id = STAGE_DATACENTER,
                                     .active = true};
    for (uint32_t i = 0; i < group->intention_count; i++)
        made.nodes_count += group->intentions[i]->facts.vpsie_group_id == made.id || facts->kube_size_id != 0;
    return made;
}

static struct vpsie_group_facts *vpsie_groups(struct stage *stage, struct arena *arena, uint32_t *count)
{
    const struct cluster *cluster = stage->core->cluster;
    struct vpsie_group_facts *all =
        ARENA_ARRAY(arena, struct vpsie_group_facts, 2 * cluster->group_count + 1);
    for (uint32_t i = 0; i < cluster->group_count; i++) {
        const struct group *group = cluster->groups[i];
        if (group->facts.status_vpsie_group_id == 0)
            continue;
        all[(*count)++] = vpsie_group(group, false, group->facts.name);
        if (group->facts.kube_size_id == 0)
            all[(*count)++] = vpsie_group(group, true, arena_printf(arena, "%s-20", group->facts.name));
    }
    return all;
}

static struct event *answer_to(struct stage *stage, const struct command *command)
{
    struct event *event = event_create(EVENT_OUTCOME);
    event->outcome.command_id = command->id;
    event->outcome.outcome = OUTCOME_OK;
    event->outcome.detail = event->outcome.uid = event->outcome.resource_version = "";
    event->outcome.fresh.predecessor_webhook_names = "";
    event->outcome.fresh.saved = (struct saved_state){.paused = stage->core->paused, .paused_reason = ""};
    if (command->kind == COMMAND_VPSIE_LIST_MACHINES)
        event->outcome.machines = machines(stage, event->arena, &event->outcome.machine_count);
    else if (command->kind == COMMAND_VPSIE_LIST_GROUPS)
        event->outcome.groups = vpsie_groups(stage, event->arena, &event->outcome.group_count);
    else if (command->kind == COMMAND_VPSIE_LIST_OFFERS) {
        event->outcome.offers = OFFERS;
        event->outcome.offer_count = 2;
    }
    return event;
}

static bool answers(const struct stage *stage, const struct command *command)
{
    return command->kind == COMMAND_VPSIE_LIST_MACHINES || command->kind == COMMAND_VPSIE_LIST_GROUPS ||
           command->kind == COMMAND_VPSIE_LIST_OFFERS || command->kind == COMMAND_KUBE_LIST_FRESH ||
           (command->kind == COMMAND_KUBE_GROUP_STATUS && !stage->status_by_hand);
}

static void one_step(struct stage *stage, struct event *event)
{
    event->now_ms = stage->now_ms;
    core_step(stage->core, event, stage->out);
    event_destroy(event);
}

void stage_step(struct stage *stage, struct event *event)
{
    one_step(stage, event);
    while (stage->looked_at < stage->out->count) {
        const struct command *command = stage->out->items[stage->looked_at++];
        if (answers(stage, command))
            one_step(stage, answer_to(stage, command));
    }
}

static void take_over(struct stage *stage)
{
    stage_step(stage, event_create(EVENT_KUBE_SYNCED));
    struct event *event = event_create(EVENT_LEADER);
    event->leader.leading = true;
    event->leader.term = 1;
    event->leader.identity = event->leader.holder = "us";
    event->leader.saved.paused_reason = "";
    stage_step(stage, event);
    assert(stage->core->taken_over);
}

struct stage *stage_create(void)
{
    struct stage *stage = xcalloc(1, sizeof(*stage));
    struct core_config config = core_config_default();
    config.delay_after_add_ms = config.delay_after_delete_ms = config.delay_after_failure_ms = 0;
    stage->core = core_create(&config);
    stage->out = commands_create();
    stage->now_ms = STAGE_START_MS;
    cluster_put_offers(stage->core->cluster, STAGE_DATACENTER, stage->now_ms, OFFERS, 2);
    take_over(stage);
    return stage;
}

void stage_wait(struct stage *stage, int64_t ms)
{
    int64_t until_ms = stage->now_ms + ms;
    for (int i = 0; i < 100000; i++) {
        int64_t wake_ms = core_next_wake_ms(stage->core);
        if (wake_ms > until_ms)
            break;
        stage->now_ms = wake_ms > stage->now_ms ? wake_ms : stage->now_ms + 1;
        stage_step(stage, event_create(EVENT_TIMER));
    }
    if (stage->now_ms < until_ms)
        stage->now_ms = until_ms;
    stage_step(stage, event_create(EVENT_TIMER));
}

void stage_forget(struct stage *stage)
{
    commands_clear(stage->out);
    stage->looked_at = 0;
}

// ---- facts

static struct event *object(enum object_kind kind)
{
    struct event *event = event_create(EVENT_OBJECT);
    event->object.kind = kind;
    return event;
}

void stage_label(struct event *event, struct labels *labels, const char *key, const char *value)
{
    struct label *items = ARENA_ARRAY(event->arena, struct label, labels->count + 1);
    uint32_t at = 0;
    while (at < labels->count && strcmp(labels->items[at].key, key) < 0) {
        items[at] = labels->items[at];
        at++;
    }
    items[at] =
        (struct label){.key = arena_strdup(event->arena, key), .value = arena_strdup(event->arena, value)};
    for (uint32_t i = at; i < labels->count; i++)
        items[i + 1] = labels->items[i];
    labels->items = items;
    labels->count++;
}

void stage_taint(struct event *event, struct taints *taints, const char *key, enum taint_effect effect)
{
    struct taint *items = ARENA_ARRAY(event->arena, struct taint, taints->count + 1);
    for (uint32_t i = 0; i < taints->count; i++)
        items[i] = taints->items[i];
    items[taints->count++] =
        (struct taint){.key = arena_strdup(event->arena, key), .value = "", .effect = effect};
    taints->items = items;
}

static const char *printed(struct event *event, const char *prefix, const char *name)
{
    return arena_printf(event->arena, "%s%s", prefix, name);
}

struct event *stage_group_event(struct stage *stage, const char *name, int32_t min, int32_t max)
{
    (void)stage;
    struct event *event = object(OBJECT_NODEGROUP);
    struct nodegroup_facts *facts = ARENA_NEW(event->arena, struct nodegroup_facts);
    *facts = (struct nodegroup_facts){.space = "kube-system",
                                      .name = printed(event, "", name),
                                      .uid = printed(event, "uid-group-", name),
                                      .resource_version = "1",
                                      .generation = 1,
                                      .created_ms = STAGE_START_MS - 86400000,
                                      .managed = true,
                                      .has_finalizer = true,
                                      .min_nodes = min,
                                      .max_nodes = max,
                                      .datacenter_id = STAGE_DATACENTER,
                                      .resource_identifier = STAGE_CLUSTER,
                                      .project = "p",
                                      .kubernetes_version = "v1.30.0",
                                      .os_image_id = "",
                                      .preferred_instance_type = "",
                                      .notes = "",
                                      .allow_mixed_instances = true,
                                      .kube_size_id = 10,
                                      .status_vpsie_group_id = 7,
                                      .invalid = ""};
    facts->scale_up = (struct scale_policy_facts){
        .enabled = true, .cpu_threshold_percent = 80, .memory_threshold_percent = 80};
    facts->scale_down = (struct scale_policy_facts){.enabled = true,
                                                    .stabilization_seconds = 600,
                                                    .cpu_threshold_percent = 50,
                                                    .memory_threshold_percent = 50};
    stage_label(event, &facts->node_labels, "pool", name);
    event->object.group = facts;
    return event;
}

struct event *stage_node_event(struct stage *stage, const char *name, int64_t cpu_millis, int64_t mib)
{
    (void)stage;
    struct event *event = object(OBJECT_NODE);
    struct node_facts *facts = ARENA_NEW(event->arena, struct node_facts);
    *facts = (struct node_facts){.name = printed(event, "", name),
                                 .uid = printed(event, "uid-node-", name),
                                 .resource_version = "1",
                                 .ready = NODE_READY_TRUE,
                                 .ready_changed_ms = STAGE_START_MS - 3600000,
                                 .created_ms = STAGE_START_MS - 7200000,
                                 .provider_id = "",
                                 .hostname = printed(event, "", name),
                                 .internal_ip = "",
                                 .external_ip = "",
                                 .kubelet_version = "v1.30.0"};
    facts->allocatable = (struct resources){.cpu_millis = cpu_millis,
                                            .memory_bytes = mib * STAGE_MIB,
                                            .ephemeral_bytes = (int64_t)1 << 36,
                                            .pods = 110};
    facts->capacity = facts->allocatable;
    facts->capacity.cpu_millis += 500;
    facts->capacity.memory_bytes += 1024 * STAGE_MIB;
    stage_label(event, &facts->labels, "kubernetes.io/hostname", name);
    event->object.node = facts;
    return event;
}

struct event *stage_intention_event(struct stage *stage, const char *name, const char *group)
{
    struct event *event = object(OBJECT_INTENTION);
    struct intention_facts *facts = ARENA_NEW(event->arena, struct intention_facts);
    *facts = (struct intention_facts){.space = "kube-system",
                                      .name = printed(event, "", name),
                                      .uid = printed(event, "uid-intention-", name),
                                      .resource_version = "1",
                                      .created_ms = STAGE_START_MS - 7200000 + (int64_t)++stage->sequence,
                                      .has_finalizer = true,
                                      .group_name = printed(event, "", group),
                                      .owner_uid = printed(event, "uid-group-", group),
                                      .vpsie_instance_id = 100 + (int64_t)stage->sequence,
                                      .identifier = printed(event, "id-", name),
                                      .vpsie_group_id = 7,
                                      .instance_type = "small",
                                      .datacenter_id = STAGE_DATACENTER,
                                      .resource_identifier = STAGE_CLUSTER,
                                      .project = "p",
                                      .kubernetes_version = "v1.30.0",
                                      .node_name = "",
                                      .ip_address = "",
                                      .phase = INTENTION_READY,
                                      .hostname = printed(event, "", name),
                                      .ready_ms = STAGE_START_MS - 3600000,
                                      .last_error = ""};
    stage_label(event, &facts->annotations, KEY_CREATED_BY, CREATED_BY_US);
    stage_label(event, &facts->annotations, KEY_CREATION_REASON, "metrics");
    stage_label(event, &facts->labels, KEY_MANAGED, "true");
    stage_label(event, &facts->labels, KEY_NODEGROUP, group);
    event->object.intention = facts;
    return event;
}

struct event *stage_pod_event(struct stage *stage, const char *name, const char *node, int64_t cpu_millis,
                              int64_t mib)
{
    struct event *event = object(OBJECT_POD);
    struct pod_facts *facts = ARENA_NEW(event->arena, struct pod_facts);
    bool bound = node[0] != '\0';
    *facts = (struct pod_facts){.space = "shop",
                                .name = printed(event, "", name),
                                .uid = printed(event, "uid-pod-", name),
                                .node_name = printed(event, "", node),
                                .nominated_node = "",
                                .phase = bound ? POD_RUNNING : POD_PENDING,
                                .controller_kind = "ReplicaSet",
                                .controller_name = "web",
                                .controller_uid = "uid-web",
                                .ready = bound,
                                .unschedulable = !bound,
                                .unschedulable_since_ms = bound ? 0 : stage->now_ms,
                                .unschedulable_message = "",
                                .created_ms = stage->now_ms,
                                .grace_seconds = 30,
                                .safe_local_volumes = ""};
    facts->shape.requests =
        (struct resources){.cpu_millis = cpu_millis, .memory_bytes = mib * STAGE_MIB, .pods = 1};
    facts->shape.scheduler_name = "default-scheduler";
    stage_label(event, &facts->shape.labels, APP_LABEL, "web");
    event->object.pod = facts;
    return event;
}

struct event *stage_report_event(struct stage *stage, const char *node)
{
    struct event *event = event_create(EVENT_AGENT_REPORT);
    struct agent_report_facts *facts = ARENA_NEW(event->arena, struct agent_report_facts);
    *facts = (struct agent_report_facts){.node_name = printed(event, "", node),
                                         .start_id = "start",
                                         .sequence = ++stage->sequence,
                                         .received_ms = stage->now_ms,
                                         .version = "1.0.0",
                                         .cpu_used_millis = 200,
                                         .memory_used_bytes = 512 * STAGE_MIB,
                                         .memory_total_bytes = 8192 * STAGE_MIB,
                                         .pressure_cpu_some60 = 1,
                                         .pods_complete = true,
                                         .directive_id = ""};
    facts->verdict.state = EVIDENCE_READY;
    facts->verdict.evaluated_ms = stage->now_ms;
    event->report = facts;
    return event;
}

struct event *stage_budget_event(struct stage *stage, const char *name, const char *app, int32_t allowed)
{
    (void)stage;
    struct event *event = object(OBJECT_BUDGET);
    struct budget_facts *facts = ARENA_NEW(event->arena, struct budget_facts);
    struct requirement *selector = ARENA_NEW(event->arena, struct requirement);
    const char **values = ARENA_ARRAY(event->arena, const char *, 1);
    values[0] = printed(event, "", app);
    *selector =
        (struct requirement){.key = APP_LABEL, .operator= SELECTOR_IN, .values = values, .value_count = 1};
    *facts = (struct budget_facts){.space = "shop",
                                   .name = printed(event, "", name),
                                   .uid = printed(event, "uid-budget-", name),
                                   .selector = selector,
                                   .selector_count = 1,
                                   .disruptions_allowed = allowed,
                                   .observed_generation = 1,
                                   .generation = 1};
    event->object.budget = facts;
    return event;
}

struct event *stage_config_event(struct stage *stage)
{
    (void)stage;
    struct event *event = object(OBJECT_CONFIG);
    struct config_facts *facts = ARENA_NEW(event->arena, struct config_facts);
    *facts = (struct config_facts){.uid = "uid-config",
                                   .resource_version = "1",
                                   .generation = 1,
                                   .max_concurrent_scale_ups = 10,
                                   .max_concurrent_scale_downs = 10,
                                   .node_ready_timeout_seconds = 600,
                                   .pod_eviction_timeout_seconds = 120,
                                   .invalid = ""};
    event->object.config = facts;
    return event;
}

// ---- the usual

struct group *stage_group(struct stage *stage, const char *name, int32_t min, int32_t max)
{
    stage_step(stage, stage_group_event(stage, name, min, max));
    return cluster_group(stage->core->cluster, NULL, name);
}

struct node *stage_machine(struct stage *stage, const char *name, const char *group)
{
    return stage_machine_of(stage, name, group, false);
}

struct node *stage_machine_of(struct stage *stage, const char *name, const char *group, bool large)
{
    struct event *event = stage_node_event(stage, name, large ? 7500 : 3500, large ? 15360 : 7168);
    stage_label(event, &event->object.node->labels, KEY_MANAGED, "true");
    stage_label(event, &event->object.node->labels, KEY_NODEGROUP, group);
    stage_label(event, &event->object.node->labels, "pool", group);
    stage_step(stage, event);
    event = stage_intention_event(stage, name, group);
    event->object.intention->node_name = arena_strdup(event->arena, name);
    event->object.intention->vpsie_group_id =
        cluster_group(stage->core->cluster, NULL, group)->facts.status_vpsie_group_id +
        (large ? STAGE_LARGE : 0);
    stage_step(stage, event);
    stage_step(stage, stage_report_event(stage, name));
    struct node *node = cluster_node(stage->core->cluster, name);
    assert(node->intention != NULL);
    assert(life_of(node->intention)->step == LIFE_READY);
    return node;
}

void stage_waiting(struct stage *stage, const char *prefix, uint32_t count, int64_t cpu_millis, int64_t mib)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s-%u", prefix, i);
        stage_step(stage, stage_pod_event(stage, name, "", cpu_millis, mib));
    }
}

void stage_running(struct stage *stage, const char *name, const char *node, int64_t cpu_millis, int64_t mib)
{
    stage_step(stage, stage_pod_event(stage, name, node, cpu_millis, mib));
}

void stage_reports(struct stage *stage)
{
    for (uint32_t i = 0; i < stage->core->cluster->node_count; i++)
        if (stage->core->cluster->nodes[i]->agent != NULL)
            stage_step(stage, stage_report_event(stage, stage->core->cluster->nodes[i]->name));
}

const struct pod *stage_pod(struct stage *stage, const char *name)
{
    return cluster_pod(stage->core->cluster, "shop", name);
}

const struct decision *stage_last(struct stage *stage)
{
    for (uint64_t n = stage->core->decision_count; n > 0; n--) {
        const struct decision *decision = core_decision_made(stage->core, n - 1);
        if (decision != NULL && (decision->kind == DECISION_ORDER || decision->kind == DECISION_REMOVE))
            return decision;
    }
    return NULL;
}

uint32_t stage_coming(struct stage *stage, const char *group)
{
    return life_counts(stage->core, cluster_group(stage->core->cluster, NULL, group)).coming;
}

uint32_t stage_leaving(struct stage *stage)
{
    return policy_leaving(stage->core, false);
}

bool stage_leaves(struct stage *stage, const char *name)
{
    const struct node *node = cluster_node(stage->core->cluster, name);
    return life_of(node->intention)->removal == REMOVAL_VOLUNTARY;
}

uint32_t stage_count(struct stage *stage, enum command_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stage->out->count; i++)
        count += stage->out->items[i]->kind == kind;
    return count;
}

const struct command *stage_find(struct stage *stage, enum command_kind kind)
{
    for (uint32_t i = stage->out->count; i > 0; i--)
        if (stage->out->items[i - 1]->kind == kind)
            return stage->out->items[i - 1];
    return NULL;
}

uint64_t stage_decisions(struct stage *stage)
{
    uint64_t count = 0;
    for (uint64_t n = 0; n < stage->core->decision_count; n++) {
        const struct decision *decision = core_decision_made(stage->core, n);
        count += decision != NULL && (decision->kind == DECISION_ORDER || decision->kind == DECISION_REMOVE);
    }
    return count;
}

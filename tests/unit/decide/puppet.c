#include "tests/unit/decide/puppet.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY(field, text) snprintf((field), sizeof(field), "%s", (text))

// ---- life of the puppet

struct core_config puppet_config(void)
{
    struct core_config config = core_config_default();
    config.identity = "puppet";
    config.seed = 7;
    config.scale_down_enabled = false; // tests say what goes
    return config;
}

struct puppet *puppet_create(const struct core_config *config)
{
    struct core_config usual = puppet_config();
    struct puppet *puppet = xcalloc(1, sizeof(*puppet));
    puppet->core = core_create(config != NULL ? config : &usual);
    puppet->out = commands_create();
    puppet->now_ms = PUPPET_START_MS;
    puppet->saved.paused_reason = "";
    return puppet;
}

void puppet_destroy(struct puppet *puppet)
{
    for (uint32_t i = 0; i < puppet->sent_count; i++)
        command_destroy(puppet->sent[i]);
    free(puppet->sent);
    free(puppet->answered);
    commands_destroy(puppet->out);
    core_destroy(puppet->core);
    free(puppet);
}

// ---- stored objects as facts

static struct labels note_labels(struct arena *arena, const struct puppet_node *node)
{
    struct label *labels = ARENA_ARRAY(arena, struct label, node->note_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->note_count; i++) {
        uint32_t at = count++;
        while (at > 0 && strcmp(labels[at - 1].key, node->notes[i].key) > 0) {
            labels[at] = labels[at - 1];
            at--;
        }
        labels[at] = (struct label){arena_strdup(arena, node->notes[i].key),
                                    arena_strdup(arena, node->notes[i].value)};
    }
    return (struct labels){labels, count};
}

static struct event *intention_event(struct puppet *puppet, const struct puppet_node *node)
{
    struct event *event = event_create(node->gone ? EVENT_OBJECT_GONE : EVENT_OBJECT);
    struct arena *arena = event->arena;
    (void)puppet;
    if (node->gone) {
        event->gone.kind = OBJECT_INTENTION;
        event->gone.space = "default";
        event->gone.name = arena_strdup(arena, node->name);
        event->gone.uid = arena_strdup(arena, node->uid);
        return event;
    }
    event->object.kind = OBJECT_INTENTION;
    struct intention_facts *facts = event->object.intention = ARENA_NEW(arena, struct intention_facts);
    *facts = (struct intention_facts){.space = "default",
                                      .name = arena_strdup(arena, node->name),
                                      .uid = arena_strdup(arena, node->uid),
                                      .resource_version = arena_printf(arena, "%u", node->version),
                                      .created_ms = node->created_ms,
                                      .deletion_ms = node->deletion_ms,
                                      .has_finalizer = node->finalizer,
                                      .annotations = note_labels(arena, node),
                                      .group_name = arena_strdup(arena, node->group),
                                      .owner_uid = "",
                                      .vpsie_instance_id = node->instance_id,
                                      .identifier = arena_strdup(arena, node->identifier),
                                      .vpsie_group_id = node->group_id,
                                      .instance_type = arena_strdup(arena, node->size),
                                      .datacenter_id = "dc-1",
                                      .resource_identifier = PUPPET_CLUSTER,
                                      .project = "project",
                                      .kubernetes_version = "v1.30.0",
                                      .node_name = arena_strdup(arena, node->node_name),
                                      .ip_address = arena_strdup(arena, node->ip),
                                      .phase = node->phase,
                                      .hostname = arena_strdup(arena, node->hostname),
                                      .provisioned_ms = node->provisioned_ms,
                                      .joined_ms = node->joined_ms,
                                      .ready_ms = node->ready_ms,
                                      .terminating_ms = node->terminating_ms,
                                      .deleted_ms = node->deleted_ms,
                                      .last_error = arena_strdup(arena, node->error)};
    return event;
}

static struct event *group_event(const struct puppet_group *group)
{
    struct event *event = event_create(group->gone ? EVENT_OBJECT_GONE : EVENT_OBJECT);
    struct arena *arena = event->arena;
    if (group->gone) {
        event->gone.kind = OBJECT_NODEGROUP;
        event->gone.space = "default";
        event->gone.name = arena_strdup(arena, group->name);
        event->gone.uid = "";
        return event;
    }
    event->object.kind = OBJECT_NODEGROUP;
    struct nodegroup_facts *facts = event->object.group = ARENA_NEW(arena, struct nodegroup_facts);
    struct label *annotations = ARENA_ARRAY(arena, struct label, 1);
    annotations[0] = (struct label){arena_strdup(arena, group->annotation_key),
                                    arena_strdup(arena, group->annotation_value)};
    *facts = (struct nodegroup_facts){
        .space = "default",
        .name = arena_strdup(arena, group->name),
        .uid = arena_printf(arena, "uid-%s", group->name),
        .resource_version = "1",
        .generation = 1,
        .created_ms = PUPPET_START_MS,
        .deletion_ms = group->deletion_ms,
        .annotations = {annotations, group->annotation_key[0] != '\0'},
        .managed = true,
        .has_finalizer = group->finalizer,
        .min_nodes = group->min,
        .max_nodes = group->max,
        .datacenter_id = "dc-1",
        .resource_identifier = PUPPET_CLUSTER,
        .project = "project",
        .offering_ids = group->offerings,
        .offering_count = group->offering_count,
        .kubernetes_version = "v1.30.0",
        .os_image_id = "",
        .preferred_instance_type = "",
        .notes = "",
        .allow_mixed_instances = true,
        .kube_size_id = group->size,
        .node_labels = {group->labels, group->label_count},
        .node_taints = {group->taints, group->taint_count},
        .scale_up = {.enabled = true},
        .scale_down = {.enabled = true},
        .status_vpsie_group_id = group->status_group_id,
        .invalid = "",
    };
    return event;
}

static struct event *node_event(const struct puppet_kube_node *node)
{
    struct event *event = event_create(node->gone ? EVENT_OBJECT_GONE : EVENT_OBJECT);
    struct arena *arena = event->arena;
    if (node->gone) {
        event->gone.kind = OBJECT_NODE;
        event->gone.space = "";
        event->gone.name = arena_strdup(arena, node->name);
        event->gone.uid = arena_strdup(arena, node->uid);
        return event;
    }
    event->object.kind = OBJECT_NODE;
    struct node_facts *facts = event->object.node = ARENA_NEW(arena, struct node_facts);
    struct label *annotations = ARENA_ARRAY(arena, struct label, 1);
    annotations[0] = (struct label){KEY_CORDONED_BY, "unschedulable"};
    struct taint *taints = ARENA_ARRAY(arena, struct taint, 1);
    taints[0] = (struct taint){"node.kubernetes.io/not-ready", "", TAINT_NO_SCHEDULE};
    struct resources capacity = {
        .cpu_millis = node->cpu_millis, .memory_bytes = node->memory_mb * 1024 * 1024, .pods = 110};
    *facts = (struct node_facts){.name = arena_strdup(arena, node->name),
                                 .uid = arena_strdup(arena, node->uid),
                                 .resource_version = "1",
                                 .labels = {node->labels, node->label_count},
                                 .annotations = {annotations, node->ours},
                                 .taints = {taints, node->startup},
                                 .capacity = capacity,
                                 .allocatable = capacity,
                                 .unschedulable = node->unschedulable,
                                 .ready = node->ready ? NODE_READY_TRUE : NODE_READY_FALSE,
                                 .ready_changed_ms = node->ready_changed_ms,
                                 .created_ms = node->created_ms,
                                 .provider_id = "",
                                 .hostname = arena_strdup(arena, node->name),
                                 .internal_ip = "",
                                 .external_ip = "",
                                 .kubelet_version = ""};
    return event;
}

void puppet_show_intention(struct puppet *puppet, const struct puppet_node *node)
{
    puppet_step(puppet, intention_event(puppet, node));
}

void puppet_show_group(struct puppet *puppet, const struct puppet_group *group)
{
    puppet_step(puppet, group_event(group));
}

void puppet_show_kube_node(struct puppet *puppet, const struct puppet_kube_node *node)
{
    puppet_step(puppet, node_event(node));
}

// ---- what is there

struct puppet_group *puppet_group(struct puppet *puppet, const char *name, int64_t size, int32_t min,
                                  int32_t max)
{
    assert(puppet->group_count < 6);
    struct puppet_group *group = &puppet->groups[puppet->group_count++];
    COPY(group->name, name);
    group->size = size;
    group->min = min;
    group->max = max;
    group->finalizer = true;
    puppet_show_group(puppet, group);
    return group;
}

struct puppet_cloud_group *puppet_cloud_group(struct puppet *puppet, const char *name, int64_t id,
                                              int64_t size, int32_t nodes)
{
    assert(puppet->cloud_group_count < 6);
    struct puppet_cloud_group *group = &puppet->cloud_groups[puppet->cloud_group_count++];
    *group = (struct puppet_cloud_group){.id = id, .size = size, .nodes = nodes};
    COPY(group->name, name);
    return group;
}

struct puppet_machine *puppet_machine(struct puppet *puppet, const char *identifier, const char *hostname)
{
    assert(puppet->machine_count < 60);
    struct puppet_machine *machine = &puppet->machines[puppet->machine_count++];
    *machine =
        (struct puppet_machine){.id = 1000 + (int64_t)puppet->machine_count, .role = MACHINE_ROLE_WORKER};
    COPY(machine->identifier, identifier);
    COPY(machine->hostname, hostname);
    return machine;
}

void puppet_machine_gone(struct puppet *puppet, const char *identifier)
{
    for (uint32_t i = 0; i < puppet->machine_count; i++) {
        if (strcmp(puppet->machines[i].identifier, identifier) != 0)
            continue;
        memmove(&puppet->machines[i], &puppet->machines[i + 1],
                (puppet->machine_count - i - 1) * sizeof(puppet->machines[0]));
        puppet->machine_count--;
        return;
    }
    assert(false);
}

struct puppet_node *puppet_intention(struct puppet *puppet, const char *name, const char *group)
{
    assert(puppet->node_count < 40);
    struct puppet_node *node = &puppet->nodes[puppet->node_count++];
    *node = (struct puppet_node){.created_ms = puppet->now_ms / 1000 * 1000, .finalizer = true, .version = 1};
    COPY(node->name, name);
    COPY(node->group, group);
    COPY(node->size, "21");
    snprintf(node->uid, sizeof(node->uid), "uid-%u", ++puppet->uid);
    puppet_annotate(node, KEY_CREATED_BY, CREATED_BY_US);
    return node;
}

void puppet_annotate(struct puppet_node *node, const char *key, const char *value)
{
    for (uint32_t i = 0; i < node->note_count; i++) {
        if (strcmp(node->notes[i].key, key) != 0)
            continue;
        if (value == NULL)
            node->notes[i] = node->notes[--node->note_count];
        else
            COPY(node->notes[i].value, value);
        return;
    }
    if (value == NULL)
        return;
    assert(node->note_count < 16);
    COPY(node->notes[node->note_count].key, key);
    COPY(node->notes[node->note_count].value, value);
    node->note_count++;
}

const char *puppet_note_of(const struct puppet_node *node, const char *key)
{
    for (uint32_t i = 0; i < node->note_count; i++)
        if (strcmp(node->notes[i].key, key) == 0)
            return node->notes[i].value;
    return "";
}

uint32_t puppet_stored_count(const struct puppet *puppet)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < puppet->node_count; i++)
        count += !puppet->nodes[i].gone;
    return count;
}

struct puppet_node *puppet_stored(struct puppet *puppet, uint32_t index)
{
    for (uint32_t i = 0; i < puppet->node_count; i++)
        if (!puppet->nodes[i].gone && index-- == 0)
            return &puppet->nodes[i];
    return NULL;
}

static struct puppet_node *stored_by_name(struct puppet *puppet, const char *name)
{
    for (uint32_t i = 0; i < puppet->node_count; i++)
        if (!puppet->nodes[i].gone && strcmp(puppet->nodes[i].name, name) == 0)
            return &puppet->nodes[i];
    return NULL;
}

static struct puppet_kube_node *kube_node_by_name(struct puppet *puppet, const char *name)
{
    for (uint32_t i = 0; i < puppet->kube_node_count; i++)
        if (!puppet->kube_nodes[i].gone && strcmp(puppet->kube_nodes[i].name, name) == 0)
            return &puppet->kube_nodes[i];
    return NULL;
}

struct puppet_kube_node *puppet_kube_node(struct puppet *puppet, const char *name, bool ready)
{
    struct puppet_kube_node *node = kube_node_by_name(puppet, name);
    if (node == NULL) {
        assert(puppet->kube_node_count < 40);
        node = &puppet->kube_nodes[puppet->kube_node_count++];
        *node = (struct puppet_kube_node){
            .created_ms = puppet->now_ms, .cpu_millis = 4000, .memory_mb = 7800, .ready = !ready};
        COPY(node->name, name);
        snprintf(node->uid, sizeof(node->uid), "node-uid-%u", ++puppet->uid);
    }
    if (node->ready != ready)
        node->ready_changed_ms = puppet->now_ms;
    node->ready = ready;
    puppet_show_kube_node(puppet, node);
    return node;
}

void puppet_kube_node_gone(struct puppet *puppet, const char *name)
{
    struct puppet_kube_node *node = kube_node_by_name(puppet, name);
    node->gone = true;
    puppet_show_kube_node(puppet, node);
}

struct event *puppet_pod_event(struct puppet *puppet, const char *name, const char *node,
                               const char *controller)
{
    struct event *event = event_create(EVENT_OBJECT);
    struct arena *arena = event->arena;
    event->object.kind = OBJECT_POD;
    struct pod_facts *facts = event->object.pod = ARENA_NEW(arena, struct pod_facts);
    struct label *labels = ARENA_ARRAY(arena, struct label, 1);
    labels[0] = (struct label){"app", arena_strdup(arena, controller)};
    *facts =
        (struct pod_facts){.space = "shop",
                           .name = arena_strdup(arena, name),
                           .uid = arena_printf(arena, "pod-%s", name),
                           .node_name = arena_strdup(arena, node),
                           .nominated_node = "",
                           .shape = {.requests = {.cpu_millis = 100, .memory_bytes = 64 << 20, .pods = 1},
                                     .labels = {labels, 1},
                                     .scheduler_name = "default-scheduler"},
                           .phase = POD_RUNNING,
                           .controller_kind = controller[0] != '\0' ? "ReplicaSet" : "",
                           .controller_name = arena_strdup(arena, controller),
                           .controller_uid = "",
                           .ready = true,
                           .unschedulable_message = "",
                           .created_ms = puppet->now_ms,
                           .grace_seconds = 30,
                           .safe_local_volumes = ""};
    return event;
}

void puppet_pod(struct puppet *puppet, const char *name, const char *node, const char *controller)
{
    puppet_step(puppet, puppet_pod_event(puppet, name, node, controller));
}

void puppet_pod_gone(struct puppet *puppet, const char *name)
{
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = OBJECT_POD;
    event->gone.space = "shop";
    event->gone.name = arena_strdup(event->arena, name);
    event->gone.uid = arena_printf(event->arena, "pod-%s", name);
    puppet_step(puppet, event);
}

void puppet_budget(struct puppet *puppet, const char *name, const char *app, int32_t allowed)
{
    struct event *event = event_create(EVENT_OBJECT);
    struct arena *arena = event->arena;
    const char **values = ARENA_ARRAY(arena, const char *, 1);
    values[0] = arena_strdup(arena, app);
    struct requirement *selector = ARENA_NEW(arena, struct requirement);
    *selector = (struct requirement){"app", SELECTOR_IN, values, 1};
    event->object.kind = OBJECT_BUDGET;
    event->object.budget = ARENA_NEW(arena, struct budget_facts);
    *event->object.budget = (struct budget_facts){.space = "shop",
                                                  .name = arena_strdup(arena, name),
                                                  .uid = arena_printf(arena, "budget-%s", name),
                                                  .selector = selector,
                                                  .selector_count = 1,
                                                  .disruptions_allowed = allowed,
                                                  .observed_generation = 1,
                                                  .generation = 1};
    puppet_step(puppet, event);
}

void puppet_report(struct puppet *puppet, const char *node, const char *directive, enum evidence_state state,
                   uint32_t remaining)
{
    struct event *event = event_create(EVENT_AGENT_REPORT);
    struct arena *arena = event->arena;
    struct agent_report_facts *facts = event->report = ARENA_NEW(arena, struct agent_report_facts);
    struct evidence_reason *reason = ARENA_NEW(arena, struct evidence_reason);
    *reason = (struct evidence_reason){
        .code = "inhibitor", .pod_uid = "", .subject = "backup", .detail = "a backup runs"};
    struct evidence_verdict verdict = {.state = state,
                                       .reasons = reason,
                                       .reason_count = state == EVIDENCE_READY ? 0 : 1,
                                       .evaluated_ms = puppet->now_ms,
                                       .pods_remaining = remaining};
    *facts = (struct agent_report_facts){.node_name = arena_strdup(arena, node),
                                         .start_id = "start-1",
                                         .sequence = ++puppet->uid,
                                         .received_ms = puppet->now_ms,
                                         .version = "1",
                                         .cpu_used_millis = 100,
                                         .memory_used_bytes = 1 << 20,
                                         .memory_total_bytes = (int64_t)8 << 30,
                                         .pods_complete = true,
                                         .verdict = verdict,
                                         .directive_id = arena_strdup(arena, directive),
                                         .directive_verdict = verdict};
    puppet_step(puppet, event);
}

struct puppet_node *puppet_in_service(struct puppet *puppet, const char *name, const char *group)
{
    char identifier[60], host[80];
    snprintf(identifier, sizeof(identifier), "vps-%s", name);
    snprintf(host, sizeof(host), "host-%s", name);
    puppet_machine(puppet, identifier, host);
    struct puppet_node *node = puppet_intention(puppet, name, group);
    COPY(node->identifier, identifier);
    COPY(node->hostname, host);
    COPY(node->node_name, host);
    node->phase = INTENTION_READY;
    node->provisioned_ms = node->joined_ms = node->ready_ms = node->created_ms;
    puppet_annotate(node, KEY_ORDER, "placed");
    puppet_annotate(node, KEY_HOSTNAME, host);
    for (uint32_t i = 0; i < puppet->cloud_group_count; i++) {
        if (strcmp(puppet->cloud_groups[i].name, group) != 0)
            continue;
        puppet->cloud_groups[i].nodes++;
        node->group_id = puppet->cloud_groups[i].id;
    }
    puppet_show_intention(puppet, node);
    struct puppet_kube_node *kube = puppet_kube_node(puppet, host, true);
    kube->labels[0] = (struct label){KEY_MANAGED, "true"};
    kube->labels[1] = (struct label){KEY_NODEGROUP, "general"};
    kube->label_count = 2;
    return node;
}

// ---- doors

static struct event *outcome_of(const struct command *command, enum outcome outcome)
{
    struct event *event = event_create(EVENT_OUTCOME);
    event->outcome.command_id = command->id;
    event->outcome.outcome = outcome;
    event->outcome.detail = "";
    event->outcome.uid = "";
    event->outcome.resource_version = "";
    event->outcome.fresh.predecessor_webhook_names = "";
    event->outcome.fresh.saved.paused_reason = "";
    return event;
}

static void mark_answered(struct puppet *puppet, const struct command *command)
{
    puppet->answered[puppet_at(puppet, command)] = true;
}

void puppet_answer_words(struct puppet *puppet, const struct command *command, enum outcome outcome,
                         int64_t retry_after_ms, const char *detail)
{
    struct event *event = outcome_of(command, outcome);
    event->outcome.retry_after_ms = retry_after_ms;
    event->outcome.detail = arena_strdup(event->arena, detail);
    mark_answered(puppet, command);
    puppet_step(puppet, event);
}

void puppet_answer_machine(struct puppet *puppet, const struct command *command, const char *identifier,
                           const char *hostname)
{
    struct event *event = outcome_of(command, OUTCOME_OK);
    struct machine_facts *machine = ARENA_NEW(event->arena, struct machine_facts);
    *machine = (struct machine_facts){.identifier = arena_strdup(event->arena, identifier),
                                      .hostname = arena_strdup(event->arena, hostname),
                                      .default_ip = "",
                                      .private_ip = "",
                                      .datacenter_id = "",
                                      .status = ""};
    event->outcome.machines = machine;
    event->outcome.machine_count = 1;
    mark_answered(puppet, command);
    puppet_step(puppet, event);
}

static void list_machines(const struct puppet *puppet, struct event *event)
{
    struct machine_facts *machines = ARENA_ARRAY(event->arena, struct machine_facts, puppet->machine_count);
    for (uint32_t i = 0; i < puppet->machine_count; i++) {
        const struct puppet_machine *machine = &puppet->machines[i];
        machines[i] = (struct machine_facts){.id = machine->id,
                                             .identifier = arena_strdup(event->arena, machine->identifier),
                                             .hostname = arena_strdup(event->arena, machine->hostname),
                                             .default_ip = arena_strdup(event->arena, machine->ip),
                                             .private_ip = "",
                                             .role = machine->role,
                                             .datacenter_id = "dc-1",
                                             .status = arena_strdup(event->arena, machine->status),
                                             .created_ms = machine->created_ms,
                                             .cpu = machine->cpu,
                                             .memory_mb = machine->memory_mb};
    }
    event->outcome.machines = machines;
    event->outcome.machine_count = puppet->machine_count;
}

static void list_groups(const struct puppet *puppet, struct event *event)
{
    struct vpsie_group_facts *groups =
        ARENA_ARRAY(event->arena, struct vpsie_group_facts, puppet->cloud_group_count);
    for (uint32_t i = 0; i < puppet->cloud_group_count; i++) {
        const struct puppet_cloud_group *group = &puppet->cloud_groups[i];
        groups[i] = (struct vpsie_group_facts){.id = group->id,
                                               .identifier = "",
                                               .name = arena_strdup(event->arena, group->name),
                                               .size_id = group->size,
                                               .nodes_count = group->nodes,
                                               .datacenter_id = "dc-1",
                                               .active = true};
    }
    event->outcome.groups = groups;
    event->outcome.group_count = puppet->cloud_group_count;
}

static void list_offers(struct event *event)
{
    struct offer_facts *offers = ARENA_ARRAY(event->arena, struct offer_facts, 2);
    offers[0] = (struct offer_facts){.id = PUPPET_SIZE, .name = "medium", .cpu = 4, .memory_mb = 8192};
    offers[1] = (struct offer_facts){.id = PUPPET_SIZE_TOO, .name = "large", .cpu = 8, .memory_mb = 16384};
    event->outcome.offers = offers;
    event->outcome.offer_count = 2;
}

static void show(struct puppet *puppet, const struct puppet_node *node)
{
    if (!puppet->watch_held)
        puppet_show_intention(puppet, node);
}

static void store_intention(struct puppet *puppet, const struct command *command)
{
    const struct intention_facts *facts = command->create_intention.facts;
    struct puppet_node *node = puppet_intention(puppet, facts->name, facts->group_name);
    node->note_count = 0;
    for (uint32_t i = 0; i < facts->annotations.count; i++)
        puppet_annotate(node, facts->annotations.items[i].key, facts->annotations.items[i].value);
    COPY(node->identifier, facts->identifier);
    COPY(node->size, facts->instance_type);
    node->instance_id = facts->vpsie_instance_id;
    node->group_id = facts->vpsie_group_id;
    node->finalizer = facts->has_finalizer;
    show(puppet, node);
}

static void remove_when_done(struct puppet_node *node)
{
    if (node->deletion_ms != 0 && !node->finalizer)
        node->gone = true;
}

static void update_intention(struct puppet *puppet, const struct command *command)
{
    struct puppet_node *node = stored_by_name(puppet, command->update_intention.name);
    if (node == NULL)
        return;
    for (uint32_t i = 0; i < command->update_intention.annotations.count; i++)
        puppet_annotate(node, command->update_intention.annotations.items[i].key,
                        command->update_intention.annotations.items[i].value);
    if (command->update_intention.identifier != NULL)
        COPY(node->identifier, command->update_intention.identifier);
    if (command->update_intention.node_name != NULL)
        COPY(node->node_name, command->update_intention.node_name);
    if (command->update_intention.ip_address != NULL)
        COPY(node->ip, command->update_intention.ip_address);
    if (command->update_intention.vpsie_group_id != 0)
        node->group_id = command->update_intention.vpsie_group_id;
    if (command->update_intention.vpsie_instance_id != 0)
        node->instance_id = command->update_intention.vpsie_instance_id;
    if (command->update_intention.finalizer != TRISTATE_UNSET)
        node->finalizer = command->update_intention.finalizer == TRISTATE_TRUE;
    node->version++;
    remove_when_done(node);
    show(puppet, node);
}

static void set_time(int64_t *field, int64_t ms)
{
    if (ms != 0)
        *field = ms / 1000 * 1000;
}

static void update_status(struct puppet *puppet, const struct command *command)
{
    struct puppet_node *node = stored_by_name(puppet, command->intention_status.name);
    const struct intention_status_facts *status = &command->intention_status.status;
    if (node == NULL)
        return;
    node->phase = status->phase;
    if (status->hostname != NULL)
        COPY(node->hostname, status->hostname);
    if (status->node_name != NULL && node->node_name[0] == '\0')
        COPY(node->node_name, status->node_name);
    if (status->last_error != NULL)
        COPY(node->error, status->last_error);
    set_time(&node->provisioned_ms, status->provisioned_ms);
    set_time(&node->joined_ms, status->joined_ms);
    set_time(&node->ready_ms, status->ready_ms);
    set_time(&node->terminating_ms, status->terminating_ms);
    set_time(&node->deleted_ms, status->deleted_ms);
    node->version++;
    show(puppet, node);
}

static void delete_intention(struct puppet *puppet, const struct command *command)
{
    struct puppet_node *node = stored_by_name(puppet, command->delete_intention.name);
    if (node == NULL)
        return;
    node->deletion_ms = puppet->now_ms;
    remove_when_done(node);
    show(puppet, node);
}

static void mark_node(struct puppet *puppet, const struct command *command, bool ours)
{
    struct puppet_kube_node *node = kube_node_by_name(puppet, command->cordon.node_name);
    if (node == NULL)
        return;
    if (ours || node->ours)
        node->unschedulable = ours;
    node->ours = ours;
    puppet_show_kube_node(puppet, node);
}

static void label_node(struct puppet *puppet, const struct command *command)
{
    struct puppet_kube_node *node = kube_node_by_name(puppet, command->label_node.node_name);
    if (node == NULL)
        return;
    node->label_count = 0;
    for (uint32_t i = 0; i < command->label_node.labels.count && i < 16; i++)
        node->labels[node->label_count++] = command->label_node.labels.items[i]; // lives in `sent`
    puppet_show_kube_node(puppet, node);
}

static void finish_group(struct puppet *puppet, const struct command *command)
{
    for (uint32_t i = 0; i < puppet->group_count; i++) {
        struct puppet_group *group = &puppet->groups[i];
        if (strcmp(group->name, command->group_finalizer.name) != 0 || group->gone)
            continue;
        group->finalizer = command->group_finalizer.present;
        group->gone = group->deletion_ms != 0 && !group->finalizer;
        puppet_show_group(puppet, group);
    }
}

static void have_effect(struct puppet *puppet, const struct command *command, struct event *outcome)
{
    switch (command->kind) {
    case COMMAND_KUBE_CREATE_INTENTION: store_intention(puppet, command); break;
    case COMMAND_KUBE_UPDATE_INTENTION: update_intention(puppet, command); break;
    case COMMAND_KUBE_INTENTION_STATUS: update_status(puppet, command); break;
    case COMMAND_KUBE_DELETE_INTENTION: delete_intention(puppet, command); break;
    case COMMAND_KUBE_GROUP_FINALIZER: finish_group(puppet, command); break;
    case COMMAND_KUBE_CORDON: mark_node(puppet, command, true); break;
    case COMMAND_KUBE_UNCORDON: mark_node(puppet, command, false); break;
    case COMMAND_KUBE_LABEL_NODE: label_node(puppet, command); break;
    case COMMAND_KUBE_DELETE_NODE:
        if (kube_node_by_name(puppet, command->delete_node.node_name) != NULL)
            puppet_kube_node_gone(puppet, command->delete_node.node_name);
        break;
    case COMMAND_KUBE_SAVE_STATE:
        puppet->saved.paused = command->save_state.paused;
        puppet->saved.accepted = command->save_state.accepted;
        puppet->saved.mass_deletion = command->save_state.mass_deletion;
        break;
    case COMMAND_KUBE_LIST_FRESH:
        outcome->outcome.fresh.predecessor_webhooks = puppet->webhooks;
        outcome->outcome.fresh.saved = puppet->saved;
        break;
    case COMMAND_KUBE_LIST_NODE_PODS:
        outcome->outcome.pods = puppet->listed_pods;
        outcome->outcome.pod_count = puppet->listed_pod_count;
        break;
    case COMMAND_VPSIE_ADD_MACHINE: puppet->adds++; break;
    case COMMAND_VPSIE_LIST_MACHINES: list_machines(puppet, outcome); break;
    case COMMAND_VPSIE_LIST_GROUPS: list_groups(puppet, outcome); break;
    case COMMAND_VPSIE_LIST_OFFERS: list_offers(outcome); break;
    default: break;
    }
}

void puppet_answer(struct puppet *puppet, const struct command *command, enum outcome outcome)
{
    struct event *event = outcome_of(command, outcome);
    mark_answered(puppet, command);
    if (outcome == OUTCOME_OK)
        have_effect(puppet, command, event);
    puppet_step(puppet, event);
}

void puppet_answer_all(struct puppet *puppet, enum command_kind kind)
{
    puppet->held[kind] = false;
    for (uint32_t i = 0; i < puppet->sent_count; i++)
        if (puppet->sent[i]->kind == kind && !puppet->answered[i])
            puppet_answer(puppet, puppet->sent[i], OUTCOME_OK);
}

// ---- stepping

static void keep(struct puppet *puppet)
{
    for (uint32_t i = 0; i < puppet->out->count; i++) {
        puppet->sent = xrealloc_array(puppet->sent, puppet->sent_count + 1, sizeof(*puppet->sent));
        puppet->answered =
            xrealloc_array(puppet->answered, puppet->sent_count + 1, sizeof(*puppet->answered));
        puppet->sent[puppet->sent_count] = command_copy(puppet->out->items[i]);
        puppet->answered[puppet->sent_count++] = !command_has_outcome(puppet->out->items[i]->kind);
    }
    commands_clear(puppet->out);
}

// Does this command arrive, and is its answer heard?
static bool arrives(struct puppet *puppet, uint32_t index, uint32_t end)
{
    if (!command_writes(puppet->sent[index]->kind) || puppet->fenced_write == 0)
        return true;
    if (++puppet->writes < puppet->fenced_write)
        return true;
    if (puppet->writes > puppet->fenced_write)
        return false;
    for (uint32_t i = index + 1; i < end; i++) {
        struct event *unheard = outcome_of(puppet->sent[i], OUTCOME_OK);
        if (command_writes(puppet->sent[i]->kind) && !puppet->answered[i])
            have_effect(puppet, puppet->sent[i], unheard);
        puppet->answered[i] = true;
        event_destroy(unheard);
    }
    return false;
}

void puppet_step(struct puppet *puppet, struct event *event)
{
    event->now_ms = puppet->now_ms;
    core_step(puppet->core, event, puppet->out);
    event_destroy(event);
    uint32_t first = puppet->sent_count;
    keep(puppet);
    for (uint32_t i = first, end = puppet->sent_count; i < end; i++)
        if (!puppet->answered[i] && !puppet->held[puppet->sent[i]->kind] && arrives(puppet, i, end))
            puppet_answer(puppet, puppet->sent[i], OUTCOME_OK);
}

void puppet_run(struct puppet *puppet, int64_t ms)
{
    int64_t end_ms = puppet->now_ms + ms;
    uint32_t rounds = 0;
    while (core_next_wake_ms(puppet->core) <= end_ms) {
        int64_t wake_ms = core_next_wake_ms(puppet->core);
        rounds = wake_ms > puppet->now_ms ? 0 : rounds + 1;
        assert(rounds < 1000); // it must come to rest
        puppet->now_ms = wake_ms > puppet->now_ms ? wake_ms : puppet->now_ms;
        puppet_step(puppet, event_create(EVENT_TIMER));
    }
    puppet->now_ms = end_ms;
    puppet_step(puppet, event_create(EVENT_TIMER));
}

void puppet_lead(struct puppet *puppet, uint64_t term)
{
    struct event *event = event_create(EVENT_LEADER);
    event->leader.leading = true;
    event->leader.term = term;
    event->leader.identity = event->leader.holder = "puppet";
    event->leader.saved = puppet->saved;
    puppet_step(puppet, event);
}

void puppet_lose(struct puppet *puppet)
{
    struct event *event = event_create(EVENT_LEADER);
    event->leader.identity = "puppet";
    event->leader.holder = "other";
    event->leader.saved.paused_reason = "";
    puppet_step(puppet, event);
}

void puppet_restart(struct puppet *puppet)
{
    struct core_config config = puppet->core->config;
    struct core *before = puppet->core;
    puppet->core = core_create(&config);
    core_destroy(before);
    puppet->fenced_write = 0;
    for (uint32_t i = 0; i < puppet->group_count; i++)
        puppet_show_group(puppet, &puppet->groups[i]);
    for (uint32_t i = 0; i < puppet->node_count; i++)
        if (!puppet->nodes[i].gone)
            puppet_show_intention(puppet, &puppet->nodes[i]);
    for (uint32_t i = 0; i < puppet->kube_node_count; i++)
        if (!puppet->kube_nodes[i].gone)
            puppet_show_kube_node(puppet, &puppet->kube_nodes[i]);
}

void puppet_start(struct puppet *puppet)
{
    puppet_step(puppet, event_create(EVENT_KUBE_SYNCED));
    puppet_lead(puppet, 1);
    puppet_run(puppet, 0);
}

void puppet_operator(struct puppet *puppet, enum operator_verb verb, const char *argument)
{
    struct event *event = event_create(EVENT_OPERATOR);
    event->operator_request.verb = verb;
    event->operator_request.request_id = 77;
    event->operator_request.argument = arena_strdup(event->arena, argument);
    puppet_step(puppet, event);
}

// ---- looking

const struct command *puppet_nth(const struct puppet *puppet, enum command_kind kind, uint32_t n)
{
    for (uint32_t i = 0; i < puppet->sent_count; i++)
        if (puppet->sent[i]->kind == kind && n-- == 0)
            return puppet->sent[i];
    return NULL;
}

uint32_t puppet_count(const struct puppet *puppet, enum command_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < puppet->sent_count; i++)
        count += puppet->sent[i]->kind == kind;
    return count;
}

const struct command *puppet_last(const struct puppet *puppet, enum command_kind kind)
{
    uint32_t count = puppet_count(puppet, kind);
    return count > 0 ? puppet_nth(puppet, kind, count - 1) : NULL;
}

uint32_t puppet_at(const struct puppet *puppet, const struct command *command)
{
    uint32_t i = 0;
    while (puppet->sent[i] != command)
        i++;
    return i;
}

bool puppet_said(const struct puppet *puppet, const char *words)
{
    for (uint32_t i = 0; i < puppet->sent_count; i++) {
        const struct command *command = puppet->sent[i];
        if (command->kind == COMMAND_NOTE && text_contains_fold(command->note.text, words))
            return true;
        if (command->kind == COMMAND_KUBE_EVENT && text_contains_fold(command->event.message, words))
            return true;
    }
    return false;
}

struct life *puppet_life(struct puppet *puppet, const char *name)
{
    struct intention *intention = cluster_intention(puppet->core->cluster, "default", name);
    return intention != NULL ? life_of(intention) : NULL;
}

// Within a step of the core: policy would ask from there.
void puppet_order(struct puppet *puppet, const char *group, uint32_t count)
{
    struct core *core = puppet->core;
    core->out = puppet->out;
    life_order(core, cluster_group(core->cluster, "default", group), count, 0, "metrics");
    core->out = NULL;
    puppet_run(puppet, 0);
}

void puppet_order_size(struct puppet *puppet, const char *group, int64_t size, uint32_t count)
{
    struct core *core = puppet->core;
    core->out = puppet->out;
    life_order_size(core, cluster_group(core->cluster, "default", group), size, count, 0, "metrics");
    core->out = NULL;
    puppet_run(puppet, 0);
}

bool puppet_remove(struct puppet *puppet, const char *node, enum removal_kind kind)
{
    struct core *core = puppet->core;
    core->out = puppet->out;
    bool begun = life_remove(core, cluster_node(core->cluster, node), kind, 0);
    core->out = NULL;
    puppet_run(puppet, 0);
    return begun;
}

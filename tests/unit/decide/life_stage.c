#include "tests/unit/decide/life_stage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORTS_EVERY_MS 5000

struct life_stage *life_stage_create(void)
{
    struct life_stage *life = xcalloc(1, sizeof(*life));
    life->stage = stage_create();
    life->agent_says = EVIDENCE_READY;
    life->next_reports_ms = life->stage->now_ms;
    return life;
}

void life_stage_destroy(struct life_stage *life)
{
    stage_destroy(life->stage);
    free(life);
}

// ---- VPSie

static bool is_gone(const struct life_stage *life, const char *identifier)
{
    for (uint32_t i = 0; i < life->gone_count; i++)
        if (strcmp(life->gone[i], identifier) == 0)
            return true;
    return false;
}

static void leave_list(struct life_stage *life, const char *identifier)
{
    assert(life->gone_count < LIFE_STAGE_GONE_MAX);
    snprintf(life->gone[life->gone_count++], sizeof(life->gone[0]), "%s", identifier);
}

static void list_machines(const struct life_stage *life, struct event *event)
{
    const struct cluster *cluster = life->stage->core->cluster;
    struct machine_facts *all = ARENA_ARRAY(event->arena, struct machine_facts, cluster->intention_count + 1);
    for (uint32_t i = 0; i < cluster->intention_count; i++) {
        const struct intention_facts *facts = &cluster->intentions[i]->facts;
        if (facts->identifier[0] == '\0' || is_gone(life, facts->identifier))
            continue;
        bool master = life->master != NULL && strcmp(life->master, facts->identifier) == 0;
        all[event->outcome.machine_count++] =
            (struct machine_facts){.id = facts->vpsie_instance_id,
                                   .identifier = arena_strdup(event->arena, facts->identifier),
                                   .hostname = arena_strdup(event->arena, facts->hostname),
                                   .default_ip = "",
                                   .private_ip = "",
                                   .role = master ? MACHINE_ROLE_MASTER : MACHINE_ROLE_WORKER,
                                   .datacenter_id = STAGE_DATACENTER,
                                   .status = "active",
                                   .created_ms = facts->created_ms,
                                   .cpu = 4,
                                   .memory_mb = 8192};
    }
    event->outcome.machines = all;
}

static void list_groups(const struct life_stage *life, struct event *event)
{
    const struct cluster *cluster = life->stage->core->cluster;
    struct vpsie_group_facts *all =
        ARENA_ARRAY(event->arena, struct vpsie_group_facts, cluster->group_count + 1);
    for (uint32_t i = 0; i < cluster->group_count; i++) {
        const struct group *group = cluster->groups[i];
        int32_t nodes = 0;
        for (uint32_t j = 0; j < group->intention_count; j++) {
            const char *identifier = group->intentions[j]->facts.identifier;
            nodes += identifier[0] != '\0' && !is_gone(life, identifier);
        }
        all[event->outcome.group_count++] =
            (struct vpsie_group_facts){.id = group->facts.status_vpsie_group_id,
                                       .identifier = arena_strdup(event->arena, group->facts.name),
                                       .name = arena_strdup(event->arena, group->facts.name),
                                       .size_id = group->facts.kube_size_id,
                                       .cpu = 4,
                                       .memory_mb = 8192,
                                       .disk_gb = 80,
                                       .nodes_count = nodes,
                                       .datacenter_id = STAGE_DATACENTER,
                                       .active = true};
    }
    event->outcome.groups = all;
}

// ---- what a command brings about

static struct event *gone_event(enum object_kind kind, const char *space, const char *name, const char *uid)
{
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = kind;
    event->gone.space = arena_strdup(event->arena, space);
    event->gone.name = arena_strdup(event->arena, name);
    event->gone.uid = arena_strdup(event->arena, uid);
    return event;
}

static struct event *node_marked(struct life_stage *life, const char *name, bool cordoned)
{
    const struct node *node = cluster_node(life->stage->core->cluster, name);
    if (node == NULL)
        return NULL;
    struct event *event = life_stage_node(life, name, "general");
    event->object.node->ready = node->ready;
    event->object.node->ready_changed_ms = node->ready_changed_ms;
    event->object.node->unschedulable = cordoned;
    return event;
}

static struct event *intention_made(const struct command *command)
{
    struct event *event = event_create(EVENT_OBJECT);
    event->object.kind = OBJECT_INTENTION;
    struct intention_facts *facts = ARENA_NEW(event->arena, struct intention_facts);
    *facts = *command->create_intention.facts; // its strings live as long as the list of commands
    facts->uid = arena_printf(event->arena, "uid-intention-%s", facts->name);
    facts->resource_version = "1";
    facts->identifier = facts->node_name = facts->ip_address = facts->hostname = facts->last_error = "";
    facts->instance_type = facts->instance_type != NULL ? facts->instance_type : "";
    facts->project = facts->project != NULL ? facts->project : "";
    facts->kubernetes_version = facts->kubernetes_version != NULL ? facts->kubernetes_version : "";
    event->object.intention = facts;
    return event;
}

// The event that follows when the command was carried out; NULL: none.
static struct event *effect_of(struct life_stage *life, const struct command *command)
{
    struct event *event;
    switch (command->kind) {
    case COMMAND_KUBE_CORDON: return node_marked(life, command->cordon.node_name, true);
    case COMMAND_KUBE_UNCORDON: return node_marked(life, command->cordon.node_name, false);
    case COMMAND_KUBE_EVICT:
    case COMMAND_KUBE_DELETE_POD:
        return gone_event(OBJECT_POD, command->pod.space, command->pod.name, command->pod.uid);
    case COMMAND_KUBE_DELETE_NODE:
        return gone_event(OBJECT_NODE, "", command->delete_node.node_name, command->delete_node.uid);
    case COMMAND_KUBE_CREATE_INTENTION:
        event = intention_made(command);
        event->object.intention->created_ms = life->stage->now_ms;
        return event;
    case COMMAND_VPSIE_DELETE_MACHINE:
        if (!life->machines_linger)
            leave_list(life, command->delete_machine.identifier);
        return NULL;
    default: return NULL;
    }
}

static struct event *answer_to(struct life_stage *life, const struct command *command, enum outcome outcome)
{
    struct event *event = event_create(EVENT_OUTCOME);
    event->outcome.command_id = command->id;
    event->outcome.outcome = outcome;
    event->outcome.detail = event->outcome.uid = event->outcome.resource_version = "";
    event->outcome.fresh.predecessor_webhook_names = "";
    event->outcome.fresh.saved = (struct saved_state){.paused_reason = ""};
    if (command->kind == COMMAND_VPSIE_LIST_MACHINES)
        list_machines(life, event);
    else if (command->kind == COMMAND_VPSIE_LIST_GROUPS)
        list_groups(life, event);
    else if (command->kind == COMMAND_KUBE_LIST_NODE_PODS) {
        event->outcome.pods = life->listed;
        event->outcome.pod_count = life->listed_count;
    }
    return event;
}

// ---- agents

struct event *life_stage_verdict(struct life_stage *life, const char *directive, enum evidence_state state)
{
    struct event *event = stage_report_event(life->stage, life->directed_node);
    event->report->directive_id = arena_strdup(event->arena, directive);
    event->report->directive_verdict.state = state;
    event->report->directive_verdict.evaluated_ms = life->stage->now_ms;
    return event;
}

static struct event *report_of(struct life_stage *life, const char *node)
{
    bool directed = strcmp(node, life->directed_node) == 0 && life->directive[0] != '\0';
    if (directed && life->agent_silent)
        return NULL;
    if (directed && !life->agent_deaf)
        return life_stage_verdict(life, life->directive, life->agent_says);
    return stage_report_event(life->stage, node);
}

static struct event *directed(struct life_stage *life, const struct command *command)
{
    bool cancelled = command->directive.kind != DIRECTIVE_PREPARE_DRAIN;
    snprintf(life->directive, sizeof(life->directive), "%s",
             cancelled ? "" : command->directive.directive_id);
    snprintf(life->directed_node, sizeof(life->directed_node), "%s", command->directive.node_name);
    return cancelled ? NULL : report_of(life, life->directed_node);
}

// ---- steps

static void one_step(struct life_stage *life, struct event *event)
{
    if (event == NULL)
        return;
    event->now_ms = life->stage->now_ms;
    core_step(life->stage->core, event, life->stage->out);
    event_destroy(event);
}

static void carry_out(struct life_stage *life, const struct command *command)
{
    if (life->by_hand[command->kind])
        return;
    if (command->kind == COMMAND_AGENT_DIRECTIVE)
        one_step(life, directed(life, command));
    if (!command_has_outcome(command->kind) || command->kind == COMMAND_VPSIE_LIST_OFFERS)
        return; // what is on offer was said in the beginning
    enum outcome outcome = life->becomes[command->kind];
    one_step(life, answer_to(life, command, outcome));
    if (outcome == OUTCOME_OK)
        one_step(life, effect_of(life, command));
}

void life_stage_step(struct life_stage *life, struct event *event)
{
    struct stage *stage = life->stage;
    one_step(life, event);
    while (stage->looked_at < stage->out->count)
        carry_out(life, stage->out->items[stage->looked_at++]);
}

void life_stage_answer(struct life_stage *life, const struct command *command, enum outcome outcome,
                       const char *detail)
{
    struct event *event = answer_to(life, command, outcome);
    event->outcome.detail = arena_strdup(event->arena, detail);
    life_stage_step(life, event);
}

static void all_report(struct life_stage *life)
{
    const struct cluster *cluster = life->stage->core->cluster;
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        if (cluster->nodes[i]->agent == NULL)
            continue;
        struct event *event = report_of(life, cluster->nodes[i]->name);
        if (event != NULL)
            life_stage_step(life, event);
    }
    life->next_reports_ms = life->stage->now_ms + REPORTS_EVERY_MS;
}

void life_stage_wait(struct life_stage *life, int64_t ms)
{
    struct stage *stage = life->stage;
    int64_t until_ms = stage->now_ms + ms;
    while (stage->now_ms < until_ms) {
        int64_t next_ms = core_next_wake_ms(stage->core);
        if (life->next_reports_ms < next_ms)
            next_ms = life->next_reports_ms;
        if (next_ms <= stage->now_ms)
            next_ms = stage->now_ms + 1;
        stage->now_ms = next_ms < until_ms ? next_ms : until_ms;
        if (stage->now_ms >= life->next_reports_ms)
            all_report(life);
        life_stage_step(life, event_create(EVENT_TIMER));
    }
}

bool life_stage_wait_for(struct life_stage *life, enum command_kind kind, int64_t ms)
{
    for (int64_t left = ms; left > 0 && stage_count(life->stage, kind) == 0; left -= 1000)
        life_stage_wait(life, 1000);
    return stage_count(life->stage, kind) > 0;
}

// ---- facts

struct event *life_stage_node(struct life_stage *life, const char *name, const char *group)
{
    struct event *event = stage_node_event(life->stage, name, 3500, 7168);
    stage_label(event, &event->object.node->labels, KEY_MANAGED, "true");
    stage_label(event, &event->object.node->labels, KEY_NODEGROUP, group);
    stage_label(event, &event->object.node->labels, "pool", group);
    return event;
}

void life_stage_pod_gone(struct life_stage *life, const char *space, const char *name, const char *uid)
{
    life_stage_step(life, gone_event(OBJECT_POD, space, name, uid));
}

// What VPSie does with a call, and what its door makes of the answer.
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "tests/sim/private.h"

static bool is_limit(const char *message)
{
    static const char *const texts[] = {"exceeds the allowed limit", "quota exceeded", "limit reached",
                                        "maximum number of", "plan does not allow"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (text_contains_fold(message, texts[i]))
            return true;
    }
    return false;
}

static void judge(const struct cloud_answer *answer, struct event *outcome)
{
    outcome->outcome.status = answer->status;
    if (!answer->error)
        return;
    outcome->outcome.detail = arena_strdup(outcome->arena, answer->message);
    outcome->outcome.outcome = is_limit(answer->message) ? OUTCOME_LIMITED
                               : answer->status == 404   ? OUTCOME_NOT_FOUND
                               : answer->status == 409   ? OUTCOME_CONFLICT
                                                         : OUTCOME_REFUSED;
}

static struct machine_facts facts_of(const struct cloud *cloud, const struct cloud_machine *machine,
                                     struct arena *arena)
{
    enum machine_role role = machine->master ? MACHINE_ROLE_MASTER : MACHINE_ROLE_WORKER;
    return (struct machine_facts){
        .id = machine->id,
        .identifier = arena_strdup(arena, machine->identifier),
        .hostname = arena_strdup(arena, machine->hostname),
        .default_ip = arena_strdup(arena, machine->default_ip),
        .private_ip = arena_strdup(arena, machine->private_ip),
        .role = cloud->hides_roles ? MACHINE_ROLE_UNKNOWN : role,
        .datacenter_id = SIM_DATACENTER,
        .status = "active",
        .created_ms = machine->created_ms,
    };
}

static void list_machines(struct sim *sim, const char *cluster, struct event *outcome)
{
    size_t count = 0;
    const struct cloud_machine **list = cloud_list_machines(sim->world, cluster, &count);
    struct machine_facts *facts = ARENA_ARRAY(outcome->arena, struct machine_facts, count + 1);
    for (size_t i = 0; i < count; i++)
        facts[i] = facts_of(sim->world->cloud, list[i], outcome->arena);
    free((void *)list);
    outcome->outcome.machines = facts;
    outcome->outcome.machine_count = (uint32_t)count;
}

static void list_groups(struct sim *sim, const char *cluster, struct event *outcome)
{
    const struct cloud *cloud = sim->world->cloud;
    struct vpsie_group_facts *facts =
        ARENA_ARRAY(outcome->arena, struct vpsie_group_facts, cloud->group_count + 1);
    uint32_t count = 0;
    for (size_t i = 0; i < cloud->group_count; i++) {
        const struct cloud_group *group = &cloud->groups[i];
        const struct cloud_size *size = cloud_size_by_id(sim->world, group->size_id);
        if (group->deleted || strcmp(group->cluster, cluster) != 0)
            continue;
        facts[count++] = (struct vpsie_group_facts){
            .id = group->id,
            .identifier = arena_strdup(outcome->arena, group->identifier),
            .name = arena_strdup(outcome->arena, group->name),
            .size_id = group->size_id,
            .cpu = size == NULL ? 0 : size->cpu,
            .memory_mb = size == NULL ? 0 : size->memory_mb,
            .disk_gb = size == NULL ? 0 : size->disk_gb,
            .nodes_count = cloud_group_nodes(sim->world, group),
            .datacenter_id = SIM_DATACENTER,
            .active = true,
        };
    }
    outcome->outcome.groups = facts;
    outcome->outcome.group_count = count;
}

static void list_offers(struct sim *sim, const char *datacenter, struct event *outcome)
{
    const struct cloud *cloud = sim->world->cloud;
    struct offer_facts *facts = ARENA_ARRAY(outcome->arena, struct offer_facts, cloud->size_count + 1);
    uint32_t count = 0;
    for (size_t i = 0; i < cloud->size_count; i++) {
        const struct cloud_size *size = &cloud->sizes[i];
        if (strcmp(size->datacenter, datacenter) != 0)
            continue;
        facts[count++] = (struct offer_facts){.id = size->id,
                                              .name = arena_strdup(outcome->arena, size->name),
                                              .cpu = size->cpu,
                                              .memory_mb = size->memory_mb,
                                              .disk_gb = size->disk_gb,
                                              .price_month = size->price_month,
                                              .price_hour = size->price_month / 730.0};
    }
    outcome->outcome.offers = facts;
    outcome->outcome.offer_count = count;
}

static void add_machine(struct sim *sim, const struct command *command, struct event *outcome)
{
    struct cloud_answer answer =
        cloud_add_machine(sim->world, command->add_machine.cluster, command->add_machine.group_id);
    judge(&answer, outcome);
    if (answer.shape != CLOUD_OBJECT)
        return;
    struct machine_facts *facts = ARENA_ARRAY(outcome->arena, struct machine_facts, 1);
    *facts = facts_of(sim->world->cloud, answer.machine, outcome->arena);
    facts->role = MACHINE_ROLE_UNKNOWN;
    outcome->outcome.machines = facts;
    outcome->outcome.machine_count = 1;
}

static void create_group(struct sim *sim, const struct command *command, struct event *outcome)
{
    struct cloud_answer answer = cloud_create_group(
        sim->world, command->create_group.cluster, command->create_group.name, command->create_group.size_id);
    judge(&answer, outcome);
    if (answer.group_id == 0)
        return;
    struct vpsie_group_facts *facts = ARENA_ARRAY(outcome->arena, struct vpsie_group_facts, 1);
    *facts = (struct vpsie_group_facts){.id = answer.group_id,
                                        .identifier = "",
                                        .name = arena_strdup(outcome->arena, command->create_group.name),
                                        .size_id = command->create_group.size_id,
                                        .datacenter_id = "",
                                        .active = true};
    outcome->outcome.groups = facts;
    outcome->outcome.group_count = 1;
}

void vpsie_effect(struct sim *sim, const struct command *command, struct event *outcome)
{
    struct cloud_answer answer;
    outcome->outcome.status = 200;
    switch (command->kind) {
    case COMMAND_VPSIE_LIST_MACHINES: list_machines(sim, command->vpsie_list.cluster, outcome); break;
    case COMMAND_VPSIE_LIST_GROUPS: list_groups(sim, command->vpsie_list.cluster, outcome); break;
    case COMMAND_VPSIE_LIST_OFFERS: list_offers(sim, command->vpsie_list.datacenter_id, outcome); break;
    case COMMAND_VPSIE_ADD_MACHINE: add_machine(sim, command, outcome); break;
    case COMMAND_VPSIE_CREATE_GROUP: create_group(sim, command, outcome); break;
    case COMMAND_VPSIE_DELETE_MACHINE:
        answer = cloud_delete_machine(sim->world, command->delete_machine.cluster,
                                      command->delete_machine.identifier);
        if (answer.status != 404)
            judge(&answer, outcome);
        break;
    default: sim_break(sim, "%s is no call of VPSie", command_kind_name(command->kind)); break;
    }
}

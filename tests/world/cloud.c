#include "tests/world/cloud.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/text.h"
#include "tests/world/cloud_private.h"
#include "tests/world/parts.h"

struct cloud *cloud_create(void)
{
    struct cloud *cloud = xcalloc(1, sizeof *cloud);
    cloud->next_id = 1000;
    return cloud;
}

void cloud_destroy(struct cloud *cloud)
{
    if (cloud == NULL)
        return;
    for (size_t i = 0; i < cloud->machine_count; i++)
        free(cloud->machines[i]);
    free(cloud->machines);
    free(cloud->groups);
    free(cloud->sizes);
    free(cloud->clusters);
    free(cloud);
}

#define COPY(field, text)  snprintf((field), sizeof(field), "%s", (text))
#define GROW(array, count) ((array) = xrealloc_array((array), (count) + 1, sizeof *(array)))

void cloud_add_cluster(struct world *world, const char *identifier, const char *name, const char *datacenter)
{
    struct cloud *cloud = world->cloud;
    GROW(cloud->clusters, cloud->cluster_count);
    struct cloud_site *cluster = &cloud->clusters[cloud->cluster_count++];
    *cluster = (struct cloud_site){0};
    COPY(cluster->identifier, identifier);
    COPY(cluster->name, name);
    COPY(cluster->datacenter, datacenter);
}

void cloud_add_size(struct world *world, int64_t id, const char *name, const char *datacenter, int32_t cpu,
                    int64_t memory_mb, int64_t disk_gb, double price_month)
{
    struct cloud *cloud = world->cloud;
    GROW(cloud->sizes, cloud->size_count);
    struct cloud_size *size = &cloud->sizes[cloud->size_count++];
    *size = (struct cloud_size){
        .id = id, .cpu = cpu, .memory_mb = memory_mb, .disk_gb = disk_gb, .price_month = price_month};
    COPY(size->name, name);
    COPY(size->datacenter, datacenter);
}

// ---------------------------------------------------------------------------------------- looking up

struct cloud_site *cloud_cluster_find(const struct world *world, const char *identifier)
{
    for (size_t i = 0; i < world->cloud->cluster_count; i++) {
        if (strcmp(world->cloud->clusters[i].identifier, identifier) == 0)
            return &world->cloud->clusters[i];
    }
    return NULL;
}

struct cloud_group *cloud_group_by_id(const struct world *world, const char *cluster, int64_t id)
{
    for (size_t i = 0; i < world->cloud->group_count; i++) {
        struct cloud_group *group = &world->cloud->groups[i];
        if (group->id == id && !group->deleted && strcmp(group->cluster, cluster) == 0)
            return group;
    }
    return NULL;
}

struct cloud_group *cloud_group_by_name(const struct world *world, const char *cluster, const char *name)
{
    for (size_t i = 0; i < world->cloud->group_count; i++) {
        struct cloud_group *group = &world->cloud->groups[i];
        if (!group->deleted && strcmp(group->cluster, cluster) == 0 && strcmp(group->name, name) == 0)
            return group;
    }
    return NULL;
}

const struct cloud_size *cloud_size_by_id(const struct world *world, int64_t id)
{
    for (size_t i = 0; i < world->cloud->size_count; i++) {
        if (world->cloud->sizes[i].id == id)
            return &world->cloud->sizes[i];
    }
    return NULL;
}

struct cloud_machine *cloud_machine_find(const struct world *world, const char *identifier)
{
    for (size_t i = 0; i < world->cloud->machine_count; i++) {
        if (strcmp(world->cloud->machines[i]->identifier, identifier) == 0)
            return world->cloud->machines[i];
    }
    return NULL;
}

struct cloud_machine *cloud_machine_by_node(const struct world *world, const char *node_name)
{
    for (size_t i = 0; i < world->cloud->machine_count; i++) {
        struct cloud_machine *machine = world->cloud->machines[i];
        if (!machine->gone && strcmp(machine->node_name, node_name) == 0)
            return machine;
    }
    return NULL;
}

size_t cloud_workers(const struct world *world, const char *cluster)
{
    size_t count = 0;
    for (size_t i = 0; i < world->cloud->machine_count; i++) {
        const struct cloud_machine *machine = world->cloud->machines[i];
        if (!machine->gone && !machine->master && machine->group_id != 0 &&
            strcmp(machine->cluster, cluster) == 0)
            count++;
    }
    return count;
}

// ---------------------------------------------------------------------------------- a machine's times

static void appears(void *context, const char *identifier, int64_t number)
{
    (void)number;
    struct cloud_machine *machine = cloud_machine_find(context, identifier);
    if (!machine->gone)
        machine->listed = true;
}

static void is_counted(void *context, const char *identifier, int64_t number)
{
    (void)number;
    struct cloud_machine *machine = cloud_machine_find(context, identifier);
    if (!machine->leaving)
        machine->counted = true;
}

static void stops(void *context, const char *identifier, int64_t number)
{
    (void)number;
    fate_stops_machine(context, identifier);
}

static void vanishes(void *context, const char *identifier, int64_t number)
{
    (void)number;
    struct world *world = context;
    struct cloud_machine *machine = cloud_machine_find(world, identifier);
    fate_stops_machine(world, identifier);
    machine->listed = false;
    machine->gone = true;
    machine->gone_ms = world->now_ms;
}

static void is_uncounted(void *context, const char *identifier, int64_t number)
{
    (void)number;
    cloud_machine_find(context, identifier)->counted = false;
}

static struct cloud_machine *new_machine(struct world *world, const char *cluster, int64_t group_id,
                                         int64_t size_id)
{
    struct cloud *cloud = world->cloud;
    GROW(cloud->machines, cloud->machine_count);
    struct cloud_machine *machine = xcalloc(1, sizeof *machine);
    cloud->machines[cloud->machine_count++] = machine;
    machine->id = cloud->next_id++;
    random_uuid(&world->random, machine->identifier);
    COPY(machine->cluster, cluster);
    machine->group_id = group_id;
    machine->size_id = size_id;
    machine->created_ms = world->now_ms;
    unsigned number = (unsigned)cloud->machine_count;
    snprintf(machine->default_ip, sizeof machine->default_ip, "198.51.%u.%u", number / 250 % 250,
             number % 250 + 1);
    snprintf(machine->private_ip, sizeof machine->private_ip, "10.0.%u.%u", number / 250 % 250,
             number % 250 + 1);
    return machine;
}

static void name_machine(struct world *world, struct cloud_machine *machine, const char *hostname)
{
    char drawn[80];
    snprintf(drawn, sizeof drawn, "k8s-node-%04x-%lld", (unsigned)random_between(&world->random, 0, 0xffff),
             (long long)machine->id);
    COPY(machine->node_name, hostname[0] != 0 ? hostname : drawn);
    COPY(machine->hostname, machine->node_name);
    if (hostname[0] == 0 && random_chance(&world->random, world->settings.other_case_percent)) {
        for (char *at = machine->hostname; *at != 0; at++)
            *at = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
    }
}

struct cloud_machine *cloud_add_present(struct world *world, const char *cluster, const char *hostname,
                                        int64_t group_id, int64_t size_id, bool master)
{
    struct cloud_machine *machine = new_machine(world, cluster, group_id, size_id);
    name_machine(world, machine, hostname);
    machine->master = master;
    machine->listed = machine->counted = machine->joins = true;
    kubelet_boot(world, machine->identifier, 1);
    return machine;
}

static struct cloud_machine *order_machine(struct world *world, const char *cluster,
                                           const struct cloud_group *group)
{
    const struct world_settings *settings = &world->settings;
    struct cloud_machine *machine = new_machine(world, cluster, group->id, group->size_id);
    name_machine(world, machine, "");
    machine->joins = !random_chance(&world->random, settings->never_joins_percent);
    int64_t appear_ms = world_draw(world, settings->appear), boot_ms = world_draw(world, settings->boot);
    world_after(world, appear_ms, appears, world, machine->identifier, 0);
    world_after(world, world_draw(world, settings->count), is_counted, world, machine->identifier, 0);
    if (machine->joins)
        world_after(world, boot_ms, kubelet_boot, world, machine->identifier, 0);
    if (random_chance(&world->random, settings->dies_percent))
        world_after(world, boot_ms + world_draw(world, settings->lifetime), stops, world, machine->identifier,
                    0);
    return machine;
}

static void take_away(struct world *world, struct cloud_machine *machine)
{
    int64_t vanish_ms = world_draw(world, world->settings.vanish);
    machine->leaving = true;
    world_after(world, vanish_ms / 2, stops, world, machine->identifier, 0);
    world_after(world, vanish_ms, vanishes, world, machine->identifier, 0);
    world_after(world, world_draw(world, world->settings.uncount), is_uncounted, world, machine->identifier,
                0);
}

// ---------------------------------------------------------------------------------------------- calls

static struct cloud_answer refusal(int status, const char *message)
{
    struct cloud_answer answer = {.status = status, .error = true};
    COPY(answer.message, message);
    return answer;
}

const struct cloud_machine **cloud_list_machines(struct world *world, const char *cluster, size_t *count)
{
    const struct cloud *cloud = world->cloud;
    const struct cloud_machine **list = xcalloc(cloud->machine_count + 1, sizeof *list);
    *count = 0;
    for (size_t i = 0; i < cloud->machine_count; i++) {
        const struct cloud_machine *machine = cloud->machines[i];
        if (machine->listed && strcmp(machine->cluster, cluster) == 0)
            list[(*count)++] = machine;
    }
    if (cloud->list_mode == CLOUD_LIST_EMPTY)
        *count = 0;
    else if (cloud->list_mode == CLOUD_LIST_PARTIAL)
        *count = *count * cloud->list_keeps_percent / 100u;
    return list;
}

int32_t cloud_group_nodes(const struct world *world, const struct cloud_group *group)
{
    int32_t count = group->count_error;
    for (size_t i = 0; i < world->cloud->machine_count; i++) {
        const struct cloud_machine *machine = world->cloud->machines[i];
        if (machine->counted && machine->group_id == group->id)
            count++;
    }
    return count < 0 ? 0 : count;
}

static struct cloud_group *new_group(struct world *world, const char *cluster, const char *name,
                                     int64_t size_id)
{
    struct cloud *cloud = world->cloud;
    GROW(cloud->groups, cloud->group_count);
    struct cloud_group *group = &cloud->groups[cloud->group_count++];
    *group = (struct cloud_group){.id = cloud->next_id++, .size_id = size_id};
    random_uuid(&world->random, group->identifier);
    COPY(group->cluster, cluster);
    COPY(group->name, name);
    cloud->groups_made++;
    return group;
}

struct cloud_answer cloud_create_group(struct world *world, const char *cluster, const char *name,
                                       int64_t size_id)
{
    const struct cloud_site *found = cloud_cluster_find(world, cluster);
    const struct cloud_size *size = cloud_size_by_id(world, size_id);
    if (found == NULL)
        return refusal(404, "cluster not found");
    if (size == NULL || strcmp(size->datacenter, found->datacenter) != 0)
        return refusal(400, "KubeSizeID is not valid");
    if (cloud_group_by_name(world, cluster, name) != NULL)
        return refusal(400, "a group of this name exists");
    for (size_t i = 0; i < world->cloud->group_count && world->settings.one_group_per_size; i++) {
        const struct cloud_group *group = &world->cloud->groups[i];
        if (!group->deleted && group->size_id == size_id && strcmp(group->cluster, cluster) == 0)
            return refusal(400, "a group of this size exists");
    }
    const struct cloud_group *group = new_group(world, cluster, name, size_id);
    struct cloud_answer answer = {.status = 200};
    answer.group_id = world->settings.groups_answer_id ? group->id : 0;
    return answer;
}

struct cloud_answer cloud_add_machine(struct world *world, const char *cluster, int64_t group_id)
{
    const struct world_settings *settings = &world->settings;
    const struct cloud_group *group = cloud_group_by_id(world, cluster, group_id);
    uint64_t call = ++world->cloud->add_calls;
    if (group == NULL)
        return refusal(404, "node group not found");
    if (settings->machines_max > 0 && cloud_workers(world, cluster) >= (size_t)settings->machines_max)
        return refusal(200, settings->quota_text);
    struct cloud_answer answer = {.status = 200, .shape = CLOUD_TRUE};
    answer.machine = order_machine(world, cluster, group);
    answer.machine->call = call;
    world->cloud->machines_made++;
    bool tells = settings->add_answer == ADD_ANSWERS_MIXED ? random_chance(&world->random, 50)
                                                           : settings->add_answer == ADD_ANSWERS_OBJECT;
    if (tells)
        answer.shape = CLOUD_OBJECT;
    return answer;
}

struct cloud_answer cloud_delete_machine(struct world *world, const char *cluster, const char *identifier)
{
    struct cloud_machine *machine = cloud_machine_find(world, identifier);
    world->cloud->delete_calls++;
    if (machine == NULL || machine->gone || strcmp(machine->cluster, cluster) != 0)
        return refusal(404, "node not found");
    if (machine->leaving)
        return refusal(409, "node is in transition");
    take_away(world, machine);
    return (struct cloud_answer){.status = 200, .shape = CLOUD_TRUE};
}

struct cloud_answer cloud_delete_group(struct world *world, const char *cluster, const char *identifier)
{
    for (size_t i = 0; i < world->cloud->group_count; i++) {
        struct cloud_group *group = &world->cloud->groups[i];
        if (group->deleted || strcmp(group->identifier, identifier) != 0 ||
            strcmp(group->cluster, cluster) != 0)
            continue;
        group->deleted = true;
        for (size_t m = 0; m < world->cloud->machine_count; m++) {
            struct cloud_machine *machine = world->cloud->machines[m];
            if (machine->group_id == group->id && !machine->gone && !machine->leaving)
                take_away(world, machine);
        }
        return (struct cloud_answer){.status = 200, .shape = CLOUD_TRUE};
    }
    return refusal(404, "node group not found");
}

// ------------------------------------------------------------------------------------ people and fate

struct cloud_machine *person_adds_machine(struct world *world, const char *cluster, int64_t group_id)
{
    const struct cloud_group *group = cloud_group_by_id(world, cluster, group_id);
    assert(group != NULL);
    return order_machine(world, cluster, group);
}

void person_deletes_machine(struct world *world, const char *identifier)
{
    struct cloud_machine *machine = cloud_machine_find(world, identifier);
    assert(machine != NULL);
    if (!machine->leaving)
        take_away(world, machine);
}

struct cloud_group *person_adds_group(struct world *world, const char *cluster, const char *name,
                                      int64_t size_id)
{
    return new_group(world, cluster, name, size_id);
}

#include "coordinator/plan/cloud.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/kube/json.h"

#define HOURS_OF_A_MONTH 730.0

static double number_of(const cJSON *json, const char *name)
{
    const cJSON *value = json_get(json, name);
    double number = cJSON_IsNumber(value) ? value->valuedouble : 0;
    int64_t parsed = 0;
    if (cJSON_IsString(value) &&
        text_parse_double(value->valuestring, strlen(value->valuestring), &number, NULL) < 0)
        number = text_parse_i64(value->valuestring, strlen(value->valuestring), &parsed, NULL) == 0
                     ? (double)parsed
                     : 0;
    return isfinite(number) && number >= 0 ? number : 0;
}

static int32_t small_of(const cJSON *json, const char *name)
{
    double number = number_of(json, name);
    return number > 1e6 ? 0 : (int32_t)number;
}

static const cJSON *snapshot_cluster(const struct cloud_picture *picture, const char *cluster)
{
    const cJSON *one;
    cJSON_ArrayForEach(one, json_get(picture->vpsie, "clusters")) if (strcmp(json_text(one, "cluster"),
                                                                             cluster) == 0) return one;
    return NULL;
}

// ---- machines

// Identifiers in order, so that five thousand machines are not compared with five thousand VPSieNodes.
struct known_machines {
    const cJSON **machines; // of the snapshot
    uint32_t count;
    const char **owned; // identifiers that VPSieNodes name
    uint32_t owned_count;
};

static int by_identifier(const void *left, const void *right)
{
    return strcmp(json_text(*(const cJSON *const *)left, "identifier"),
                  json_text(*(const cJSON *const *)right, "identifier"));
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static struct known_machines sort_machines(const cJSON *known, const struct cluster *cluster,
                                           struct arena *arena)
{
    const cJSON *list = json_get(known, "machines"), *machine;
    struct known_machines sorted = {
        .machines = ARENA_ARRAY(arena, const cJSON *, json_count(list) + 1),
        .owned = ARENA_ARRAY(arena, const char *, cluster->intention_count + 1),
    };
    cJSON_ArrayForEach(machine, list) sorted.machines[sorted.count++] = machine;
    for (uint32_t i = 0; i < cluster->intention_count; i++)
        sorted.owned[sorted.owned_count++] = cluster->intentions[i]->facts.identifier;
    qsort(sorted.machines, sorted.count, sizeof(*sorted.machines), by_identifier);
    qsort(sorted.owned, sorted.owned_count, sizeof(*sorted.owned), by_text);
    return sorted;
}

// What the snapshot tells of a machine; NULL for one that came in the plan.
static const cJSON *snapshot_machine(const struct known_machines *sorted, const char *identifier)
{
    uint32_t low = 0, high = sorted->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(json_text(sorted->machines[middle], "identifier"), identifier);
        if (order == 0 && *identifier != '\0')
            return sorted->machines[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool is_owned(const struct known_machines *sorted, const cJSON *machine)
{
    const char *identifier = json_text(machine, "identifier");
    return bsearch(&identifier, sorted->owned, sorted->owned_count, sizeof(*sorted->owned), by_text) != NULL;
}

static struct machine_facts machine_of_json(struct arena *arena, const cJSON *machine)
{
    const char *role = json_text(machine, "role");
    return (struct machine_facts){
        .id = json_integer(machine, "id", 0),
        .identifier = json_copy(arena, machine, "identifier"),
        .hostname = json_copy(arena, machine, "hostname"),
        .default_ip = json_copy(arena, machine, "defaultIP"),
        .private_ip = json_copy(arena, machine, "privateIP"),
        .role = strcmp(role, "master") == 0   ? MACHINE_ROLE_MASTER
                : strcmp(role, "worker") == 0 ? MACHINE_ROLE_WORKER
                                              : MACHINE_ROLE_UNKNOWN,
        .datacenter_id = json_copy(arena, machine, "datacenterID"),
        .status = json_copy(arena, machine, "status"),
        .created_ms = json_time(machine, "createdAt"),
        .cpu = small_of(machine, "cpu"),
        .memory_mb = json_integer(machine, "memoryMB", 0),
    };
}

static struct machine_facts machine_of_intention(struct arena *arena, const struct intention *intention)
{
    const struct intention_facts *facts = &intention->facts;
    const char *node = intention->node != NULL ? intention->node->name : facts->node_name;
    const char *identifier =
        *facts->identifier != '\0' ? facts->identifier : arena_printf(arena, "vps-of-%s", facts->name);
    return (struct machine_facts){
        .id = facts->vpsie_instance_id,
        .identifier = arena_strdup(arena, identifier),
        .hostname = arena_strdup(arena, *facts->hostname != '\0' ? facts->hostname : node),
        .default_ip = arena_strdup(arena, facts->ip_address),
        .private_ip = "",
        .role = MACHINE_ROLE_WORKER,
        .datacenter_id = arena_strdup(arena, facts->datacenter_id),
        .status = "active",
        .created_ms = facts->created_ms,
    };
}

static void list_machines(const struct cloud_picture *picture, const char *cluster, struct event *outcome)
{
    const cJSON *known = snapshot_cluster(picture, cluster);
    uint32_t most = picture->cluster->intention_count + json_count(json_get(known, "machines"));
    struct machine_facts *all = ARENA_ARRAY(outcome->arena, struct machine_facts, most + 1);
    struct known_machines sorted = sort_machines(known, picture->cluster, outcome->arena);
    uint32_t count = 0;
    for (uint32_t i = 0; i < picture->cluster->intention_count; i++) {
        const struct intention *intention = picture->cluster->intentions[i];
        if (strcmp(intention->facts.resource_identifier, cluster) != 0)
            continue;
        const cJSON *machine = snapshot_machine(&sorted, intention->facts.identifier);
        bool there = known == NULL || machine != NULL || text_starts_with(intention->facts.uid, "plan-");
        if (there)
            all[count++] = machine != NULL ? machine_of_json(outcome->arena, machine)
                                           : machine_of_intention(outcome->arena, intention);
    }
    // Those that no VPSieNode owns are the control plane's, or foreign, or went with their node in the plan.
    const cJSON *machine;
    cJSON_ArrayForEach(machine, json_get(known, "machines"))
    {
        bool there = cluster_node_fold(picture->cluster, json_text(machine, "hostname")) != NULL;
        if (there && !is_owned(&sorted, machine))
            all[count++] = machine_of_json(outcome->arena, machine);
    }
    outcome->outcome.machines = all;
    outcome->outcome.machine_count = count;
}

// ---- groups

static int32_t machines_of_group(const struct cluster *cluster, int64_t group_id, const struct group *group)
{
    int32_t count = 0;
    for (uint32_t i = 0; i < cluster->intention_count; i++) {
        const struct intention *intention = cluster->intentions[i];
        bool by_id = intention->facts.vpsie_group_id == group_id;
        count += by_id || (intention->facts.vpsie_group_id == 0 && intention->group == group);
    }
    return count;
}

static const struct node *any_node(const struct cluster *cluster, const struct group *group)
{
    for (uint32_t i = 0; i < cluster->node_count; i++)
        if (cluster->nodes[i]->group == group && cluster->nodes[i]->capacity.cpu_millis > 0)
            return cluster->nodes[i];
    return NULL;
}

// The size that looks like the node: the same cores, and memory within a sixth (a kernel keeps some).
static int64_t size_like(const cJSON *offers, const struct node *node)
{
    const cJSON *offer;
    int64_t cores = (node->capacity.cpu_millis + 999) / 1000, memory_mb = node->capacity.memory_bytes >> 20;
    cJSON_ArrayForEach(offer, offers)
    {
        int64_t given_mb = json_integer(offer, json_get(offer, "memoryMB") != NULL ? "memoryMB" : "ram", 0);
        if (small_of(offer, "cpu") == cores && memory_mb <= given_mb && memory_mb >= given_mb - given_mb / 6)
            return json_integer(offer, "id", 0);
    }
    return 0;
}

// Without VPSie's word a group's size is the one it asks for, else the one its nodes look like, else the
// first of those it may have.
static int64_t size_of_group(const cJSON *offers, const struct group *group, const struct node *node,
                             int64_t otherwise)
{
    if (group->facts.kube_size_id > 0)
        return group->facts.kube_size_id;
    int64_t size_id = node != NULL ? size_like(offers, node) : 0;
    for (uint32_t i = 0; size_id == 0 && i < group->facts.offering_count; i++) {
        const char *text = group->facts.offering_ids[i];
        if (text_parse_i64(text, strlen(text), &size_id, NULL) < 0)
            size_id = 0;
    }
    return size_id > 0 ? size_id : otherwise;
}

static struct vpsie_group_facts group_of_objects(const struct cloud_picture *picture, uint32_t index)
{
    const struct cluster *cluster = picture->cluster;
    const struct group *group = cluster->groups[index];
    const struct node *node = any_node(cluster, group);
    int64_t id =
        group->facts.status_vpsie_group_id > 0 ? group->facts.status_vpsie_group_id : (int64_t)index + 1;
    return (struct vpsie_group_facts){
        .id = id,
        .identifier = group->facts.name,
        .name = group->facts.name,
        .size_id = size_of_group(picture->offers, group, node, id),
        .cpu = node != NULL ? (int32_t)((node->capacity.cpu_millis + 999) / 1000) : 0,
        .memory_mb = node != NULL ? node->capacity.memory_bytes >> 20 : 0,
        .nodes_count = machines_of_group(cluster, id, group),
        .datacenter_id = group->facts.datacenter_id,
        .active = true,
    };
}

// Far from any id that VPSie gives.
#define MADE_ID_FIRST ((int64_t)1 << 40)

int64_t cloud_make_group(struct cloud_picture *picture, const char *cluster, const char *name,
                         const char *datacenter_id, int64_t size_id)
{
    for (uint32_t i = 0; i < picture->made_count; i++)
        if (strcmp(picture->made[i].name, name) == 0 && strcmp(picture->made[i].cluster, cluster) == 0)
            return picture->made[i].id;
    if (picture->made_count == CLOUD_MADE_MAX)
        return 0;
    struct made_group *made = &picture->made[picture->made_count++];
    *made = (struct made_group){.cluster = cluster,
                                .name = name,
                                .datacenter_id = datacenter_id,
                                .id = MADE_ID_FIRST + picture->made_count,
                                .size_id = size_id};
    return made->id;
}

static struct vpsie_group_facts group_made(const struct cluster *cluster, const struct made_group *made)
{
    return (struct vpsie_group_facts){.id = made->id,
                                      .identifier = made->name,
                                      .name = made->name,
                                      .size_id = made->size_id,
                                      .nodes_count = machines_of_group(cluster, made->id, NULL),
                                      .datacenter_id = made->datacenter_id,
                                      .active = true};
}

static void list_groups(const struct cloud_picture *picture, const char *cluster, struct event *outcome)
{
    const cJSON *known = snapshot_cluster(picture, cluster);
    uint32_t most =
        picture->cluster->group_count + json_count(json_get(known, "groups")) + picture->made_count;
    struct vpsie_group_facts *all = ARENA_ARRAY(outcome->arena, struct vpsie_group_facts, most + 1);
    uint32_t count = 0;
    const cJSON *given;
    cJSON_ArrayForEach(given, json_get(known, "groups"))
    {
        int64_t id = json_integer(given, "id", 0);
        all[count++] = (struct vpsie_group_facts){
            .id = id,
            .identifier = json_copy(outcome->arena, given, "identifier"),
            .name = json_copy(outcome->arena, given, "name"),
            .size_id = json_integer(given, "sizeID", 0),
            .cpu = small_of(given, "cpu"),
            .memory_mb = json_integer(given, "memoryMB", 0),
            .disk_gb = json_integer(given, "diskGB", 0),
            .nodes_count = machines_of_group(picture->cluster, id, NULL),
            .datacenter_id = json_copy(outcome->arena, given, "datacenterID"),
            .active = json_true(given, "active"),
            .deleted = json_true(given, "deleted"),
        };
    }
    for (uint32_t i = 0; known == NULL && i < picture->cluster->group_count; i++)
        if (strcmp(picture->cluster->groups[i]->facts.resource_identifier, cluster) == 0)
            all[count++] = group_of_objects(picture, i);
    for (uint32_t i = 0; i < picture->made_count; i++)
        if (strcmp(picture->made[i].cluster, cluster) == 0)
            all[count++] = group_made(picture->cluster, &picture->made[i]);
    outcome->outcome.groups = all;
    outcome->outcome.group_count = count;
}

// ---- offers

static struct offer_facts offer_of_json(struct arena *arena, const cJSON *offer)
{
    // A snapshot's names, and VPSie's own.
    double month = number_of(offer, json_get(offer, "pricePerMonth") != NULL ? "pricePerMonth" : "price");
    double hour = number_of(offer, json_get(offer, "pricePerHour") != NULL ? "pricePerHour" : "hourly_price");
    int64_t memory_mb = json_integer(offer, json_get(offer, "memoryMB") != NULL ? "memoryMB" : "ram", 0);
    int64_t disk_gb = json_integer(offer, json_get(offer, "diskGB") != NULL ? "diskGB" : "disk", 0);
    return (struct offer_facts){
        .id = json_integer(offer, "id", 0),
        .name = json_copy(arena, offer, "name"),
        .cpu = small_of(offer, "cpu"),
        .memory_mb = memory_mb,
        .disk_gb = disk_gb,
        .price_month = month,
        .price_hour = hour > 0 ? hour : month / HOURS_OF_A_MONTH,
    };
}

static void list_offers(const struct cloud_picture *picture, const char *datacenter, struct event *outcome)
{
    const cJSON *list = picture->offers, *one;
    cJSON_ArrayForEach(
        one, json_get(picture->vpsie, "offers")) if (list == NULL &&
                                                     strcmp(json_text(one, "datacenterID"), datacenter) == 0)
        list = json_get(one, "offers");
    struct offer_facts *all = ARENA_ARRAY(outcome->arena, struct offer_facts, json_count(list) + 1);
    uint32_t count = 0;
    cJSON_ArrayForEach(one, list) all[count++] = offer_of_json(outcome->arena, one);
    outcome->outcome.offers = all;
    outcome->outcome.offer_count = count;
}

void cloud_answer(const struct cloud_picture *picture, const struct command *command, struct event *outcome)
{
    if (command->kind == COMMAND_VPSIE_LIST_MACHINES)
        list_machines(picture, command->vpsie_list.cluster, outcome);
    else if (command->kind == COMMAND_VPSIE_LIST_GROUPS)
        list_groups(picture, command->vpsie_list.cluster, outcome);
    else
        list_offers(picture, command->vpsie_list.datacenter_id, outcome);
}

int cloud_check_offers(const cJSON *document, const char *name, const cJSON **offers, struct error *error)
{
    const cJSON *list = cJSON_IsArray(document) ? document : json_get(document, "data");
    if (list != NULL && !cJSON_IsArray(list))
        list = json_get(list, "offers");
    if (!cJSON_IsArray(list))
        return error_set(error, 0,
                         "%s: no list of offers: an array of {\"id\", \"cpu\", \"ram\" (MB), "
                         "\"hourly_price\"}, as VPSie's k8s/offers answers",
                         name);
    const cJSON *one;
    cJSON_ArrayForEach(one, list)
    {
        if (json_integer(one, "id", 0) <= 0 || small_of(one, "cpu") == 0)
            return error_set(error, 0, "%s: an offer without an id or cpu", name);
    }
    *offers = list;
    return 0;
}

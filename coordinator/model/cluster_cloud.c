#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/model/cluster_private.h"

#define MACHINE(member, kind) FIELD(struct machine_facts, member, kind)
#define GROUP(member, kind)   FIELD(struct vpsie_group_facts, member, kind)
#define OFFER(member, kind)   FIELD(struct offer_facts, member, kind)

static const struct field machine_fields[] = {
    MACHINE(id, FIELD_PLAIN),
    MACHINE(identifier, FIELD_VALUE),
    MACHINE(hostname, FIELD_VALUE),
    MACHINE(default_ip, FIELD_VALUE),
    MACHINE(private_ip, FIELD_VALUE),
    MACHINE(role, FIELD_PLAIN),
    MACHINE(datacenter_id, FIELD_VALUE),
    MACHINE(status, FIELD_VALUE),
    MACHINE(created_ms, FIELD_PLAIN),
    MACHINE(cpu, FIELD_PLAIN),
    MACHINE(memory_mb, FIELD_PLAIN),
};
static const struct field group_fields[] = {
    GROUP(id, FIELD_PLAIN),      GROUP(identifier, FIELD_VALUE),  GROUP(name, FIELD_VALUE),
    GROUP(size_id, FIELD_PLAIN), GROUP(cpu, FIELD_PLAIN),         GROUP(memory_mb, FIELD_PLAIN),
    GROUP(disk_gb, FIELD_PLAIN), GROUP(nodes_count, FIELD_PLAIN), GROUP(datacenter_id, FIELD_VALUE),
    GROUP(active, FIELD_PLAIN),  GROUP(deleted, FIELD_PLAIN),
};
static const struct field offer_fields[] = {
    OFFER(id, FIELD_PLAIN),         OFFER(name, FIELD_VALUE),    OFFER(cpu, FIELD_PLAIN),
    OFFER(memory_mb, FIELD_PLAIN),  OFFER(disk_gb, FIELD_PLAIN), OFFER(price_month, FIELD_PLAIN),
    OFFER(price_hour, FIELD_PLAIN),
};

// A list of one type of facts.
struct listing {
    const struct field *fields;
    size_t field_count, item_bytes;
};
static const struct listing machines = {machine_fields, sizeof(machine_fields) / sizeof(machine_fields[0]),
                                        sizeof(struct machine_facts)};
static const struct listing groups = {group_fields, sizeof(group_fields) / sizeof(group_fields[0]),
                                      sizeof(struct vpsie_group_facts)};
static const struct listing offers = {offer_fields, sizeof(offer_fields) / sizeof(offer_fields[0]),
                                      sizeof(struct offer_facts)};

static bool same(const struct listing *listing, const void *kept, uint32_t kept_count, const void *told,
                 uint32_t told_count)
{
    if (kept_count != told_count)
        return false;
    for (uint32_t i = 0; i < kept_count; i++) {
        if (fields_compare(listing->fields, listing->field_count,
                           (const char *)kept + i * listing->item_bytes,
                           (const char *)told + i * listing->item_bytes) != FIELDS_SAME)
            return false;
    }
    return true;
}

static void *copy(const struct listing *listing, struct keep *keep, const void *told, uint32_t count)
{
    void *items = arena_alloc_array(keep->arena, count, listing->item_bytes);
    for (uint32_t i = 0; i < count; i++) {
        fields_copy(keep, listing->fields, listing->field_count, (char *)items + i * listing->item_bytes,
                    (const char *)told + i * listing->item_bytes);
    }
    return items;
}

// ---- clusters of the account

static uint32_t cloud_position(const struct cluster *cluster, const char *name, bool *found)
{
    uint32_t position = 0;
    while (position < cluster->cloud_count && strcmp(cluster->clouds[position].cluster, name) < 0)
        position++;
    *found = position < cluster->cloud_count && strcmp(cluster->clouds[position].cluster, name) == 0;
    return position;
}

static struct cloud_cluster *find_or_add_cloud(struct cluster *cluster, const char *name)
{
    bool found;
    uint32_t position = cloud_position(cluster, name, &found);
    if (found)
        return &cluster->clouds[position];
    if (cluster->cloud_count == cluster->cloud_capacity) {
        cluster->cloud_capacity = cluster->cloud_capacity == 0 ? 4 : cluster->cloud_capacity * 2;
        cluster->clouds = xrealloc_array(cluster->clouds, cluster->cloud_capacity, sizeof(*cluster->clouds));
    }
    struct cloud_cluster *cloud = &cluster->clouds[position];
    memmove(cloud + 1, cloud, (cluster->cloud_count - position) * sizeof(*cloud));
    *cloud = (struct cloud_cluster){.cluster = strings_intern(cluster->strings, name)};
    cluster->cloud_count++;
    return cloud;
}

struct cloud_cluster *cluster_put_machines(struct cluster *cluster, const char *vpsie_cluster, int64_t at_ms,
                                           const struct machine_facts *told, uint32_t count)
{
    struct cloud_cluster *cloud = find_or_add_cloud(cluster, vpsie_cluster);
    cloud->machines_at_ms = at_ms;
    if (cloud->machines_memory != NULL && same(&machines, cloud->machines, cloud->machine_count, told, count))
        return cloud;
    struct keep *keep = keep_create(cluster->strings, 256 + count * 256ull);
    cloud->machines = copy(&machines, keep, told, count);
    cloud->machine_count = count;
    keep_destroy(cloud->machines_memory);
    cloud->machines_memory = keep;
    return cloud;
}

struct cloud_cluster *cluster_put_vpsie_groups(struct cluster *cluster, const char *vpsie_cluster,
                                               int64_t at_ms, const struct vpsie_group_facts *told,
                                               uint32_t count)
{
    struct cloud_cluster *cloud = find_or_add_cloud(cluster, vpsie_cluster);
    cloud->groups_at_ms = at_ms;
    if (cloud->groups_memory != NULL && same(&groups, cloud->groups, cloud->group_count, told, count))
        return cloud;
    struct keep *keep = keep_create(cluster->strings, 1024);
    cloud->groups = copy(&groups, keep, told, count);
    cloud->group_count = count;
    keep_destroy(cloud->groups_memory);
    cloud->groups_memory = keep;
    cluster->version++;
    return cloud;
}

struct cloud_cluster *cluster_cloud(const struct cluster *cluster, const char *vpsie_cluster)
{
    bool found;
    uint32_t position = cloud_position(cluster, vpsie_cluster == NULL ? "" : vpsie_cluster, &found);
    return found ? &cluster->clouds[position] : NULL;
}

// ---- offers of a data centre

static uint32_t offers_position(const struct cluster *cluster, const char *datacenter_id, bool *found)
{
    uint32_t position = 0;
    while (position < cluster->offers_count &&
           strcmp(cluster->offers[position].datacenter_id, datacenter_id) < 0)
        position++;
    *found = position < cluster->offers_count &&
             strcmp(cluster->offers[position].datacenter_id, datacenter_id) == 0;
    return position;
}

static struct cloud_offers *find_or_add_offers(struct cluster *cluster, const char *datacenter_id)
{
    bool found;
    uint32_t position = offers_position(cluster, datacenter_id, &found);
    if (found)
        return &cluster->offers[position];
    if (cluster->offers_count == cluster->offers_capacity) {
        cluster->offers_capacity = cluster->offers_capacity == 0 ? 4 : cluster->offers_capacity * 2;
        cluster->offers = xrealloc_array(cluster->offers, cluster->offers_capacity, sizeof(*cluster->offers));
    }
    struct cloud_offers *item = &cluster->offers[position];
    memmove(item + 1, item, (cluster->offers_count - position) * sizeof(*item));
    *item = (struct cloud_offers){.datacenter_id = strings_intern(cluster->strings, datacenter_id)};
    cluster->offers_count++;
    return item;
}

struct cloud_offers *cluster_put_offers(struct cluster *cluster, const char *datacenter_id, int64_t at_ms,
                                        const struct offer_facts *told, uint32_t count)
{
    struct cloud_offers *item = find_or_add_offers(cluster, datacenter_id);
    item->at_ms = at_ms;
    if (item->memory != NULL && same(&offers, item->offers, item->offer_count, told, count))
        return item;
    struct keep *keep = keep_create(cluster->strings, 1024);
    item->offers = copy(&offers, keep, told, count);
    item->offer_count = count;
    keep_destroy(item->memory);
    item->memory = keep;
    cluster->version++;
    return item;
}

struct cloud_offers *cluster_offers(const struct cluster *cluster, const char *datacenter_id)
{
    bool found;
    uint32_t position = offers_position(cluster, datacenter_id == NULL ? "" : datacenter_id, &found);
    return found ? &cluster->offers[position] : NULL;
}

void cloud_free(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->cloud_count; i++) {
        keep_destroy(cluster->clouds[i].machines_memory);
        keep_destroy(cluster->clouds[i].groups_memory);
    }
    for (uint32_t i = 0; i < cluster->offers_count; i++)
        keep_destroy(cluster->offers[i].memory);
    free(cluster->clouds);
    free(cluster->offers);
}

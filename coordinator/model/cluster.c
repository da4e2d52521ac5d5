#include "coordinator/model/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/model/cluster_private.h"

struct cluster *cluster_create(void)
{
    struct cluster *cluster = xcalloc(1, sizeof(*cluster));
    cluster->strings = strings_create();
    cluster->tables = xcalloc(1, sizeof(*cluster->tables));
    cluster->tables->shapes.strings = cluster->strings;
    return cluster;
}

static void free_tables(struct cluster_tables *tables)
{
    struct table *all[] = {
        &tables->pods_by_name,        &tables->pods_by_uid,
        &tables->nodes_by_name,       &tables->nodes_by_fold,
        &tables->nodes_by_address,    &tables->nodes_by_intention,
        &tables->intentions_by_name,  &tables->intentions_by_node,
        &tables->groups_by_name,      &tables->strays,
        &tables->attachments_by_node,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        table_free(all[i]);
    shapes_free(&tables->shapes);
    free(tables);
}

void cluster_destroy(struct cluster *cluster)
{
    if (cluster == NULL)
        return;
    pods_free(cluster);
    agents_free(cluster);
    for (uint32_t i = 0; i < cluster->node_count; i++)
        node_free(cluster, cluster->nodes[i]);
    free(cluster->nodes);
    groups_free(cluster);
    config_free(cluster);
    objects_free(cluster);
    storage_free(cluster);
    cloud_free(cluster);
    free_tables(cluster->tables);
    strings_destroy(cluster->strings);
    free(cluster);
}

int object_key_order(const char *space, const char *name, const struct object_key *other)
{
    int order = strcmp(space, other->space);
    return order != 0 ? order : strcmp(name, other->name);
}

bool uid_differs(const char *kept, const char *told)
{
    return is_given(kept) && is_given(told) && strcmp(kept, told) != 0;
}

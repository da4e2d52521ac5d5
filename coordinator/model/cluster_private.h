// What this room is for: what the files of the model share among themselves. What it knows: the tables behind
// struct cluster. What it may not do: be included from outside coordinator/model.
#ifndef VPSIE_COORDINATOR_MODEL_CLUSTER_PRIVATE_H
#define VPSIE_COORDINATOR_MODEL_CLUSTER_PRIVATE_H

#include "coordinator/model/cluster.h"
#include "coordinator/model/fields.h"
#include "coordinator/model/keep.h"
#include "coordinator/model/shapes.h"
#include "coordinator/model/table.h"

struct cluster_tables {
    struct table pods_by_name, pods_by_uid;
    struct table nodes_by_name, nodes_by_fold, nodes_by_address;
    struct table nodes_by_intention;                     // the intention that the node's label names
    struct table intentions_by_name, intentions_by_node; // the node that the intention names
    struct table groups_by_name;
    struct table attachments_by_node;
    struct table strays;
    struct shapes shapes;
    struct keep *config_memory;
    struct nodegroup_facts *config_defaults; // in it; NULL without
    uint64_t pod_sequence;
};

struct object_key {
    const char *space, *name;
};
int object_key_order(const char *space, const char *name, const struct object_key *other);

// Both uids known and different: another object of the same name.
bool uid_differs(const char *kept, const char *told);
static inline bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

// cluster_pods.c
void pods_adopt(struct cluster *cluster, struct node *node);     // the strays that name it
void pods_give_away(struct cluster *cluster, struct node *node); // they become strays
void pods_free(struct cluster *cluster);

// cluster_nodes.c
void node_free(struct cluster *cluster, struct node *node);

// cluster_links.c
void link_node(struct cluster *cluster, struct node *node);
void link_intention(struct cluster *cluster, struct intention *intention);
void link_group(struct cluster *cluster, struct group *group); // it has just arrived
void unlink_node(struct cluster *cluster, struct node *node); // it is about to go; it is in no table any more
void unlink_intention(struct cluster *cluster, struct intention *intention); // the same
void unlink_group(struct cluster *cluster, struct group *group);             // the same
void group_take_intention(struct cluster *cluster, struct intention *intention);
void group_lose_intention(struct intention *intention);

// cluster_groups.c, cluster_objects.c, cluster_agents.c, cluster_cloud.c
void groups_free(struct cluster *cluster);
void objects_free(struct cluster *cluster);
void config_free(struct cluster *cluster);  // cluster_config.c
void storage_free(struct cluster *cluster); // cluster_storage.c
void agents_free(struct cluster *cluster);
void agent_forget(struct cluster *cluster, const char *node_name);
void cloud_free(struct cluster *cluster);

#endif

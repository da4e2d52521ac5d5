#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/model/cluster_private.h"
#include "coordinator/model/sorted.h"

// ---- node and group

static struct group *labelled_group(const struct cluster *cluster, const struct node *node)
{
    const char *managed = labels_get(&node->labels, KEY_MANAGED);
    const char *name = labels_get(&node->labels, KEY_NODEGROUP);
    if (!is_given(name) || managed == NULL || strcmp(managed, "true") != 0)
        return NULL;
    const char *space = labels_get(&node->labels, KEY_NODEGROUP_NAMESPACE);
    if (!is_given(space))
        space = labels_get(&node->annotations, KEY_NODEGROUP_NAMESPACE);
    return cluster_group(cluster, is_given(space) ? space : NULL, name);
}

static void regroup(const struct cluster *cluster, struct node *node)
{
    node->group = node->intention == NULL ? NULL : node->intention->group;
    if (node->group == NULL)
        node->group = labelled_group(cluster, node);
}

// ---- node and intention

static void untie(const struct cluster *cluster, struct node *node)
{
    struct intention *intention = node->intention;
    if (intention == NULL)
        return;
    assert(intention->node == node);
    intention->node = NULL;
    node->intention = NULL;
    regroup(cluster, node);
}

static void tie(const struct cluster *cluster, struct node *node, struct intention *intention)
{
    if (node->intention == intention)
        return;
    untie(cluster, node);
    if (intention->node != NULL)
        untie(cluster, intention->node);
    node->intention = intention;
    intention->node = node;
    regroup(cluster, node);
}

static struct intention *labelled_intention(const struct cluster *cluster, const struct node *node)
{
    const char *name = labels_get(&node->labels, KEY_VPSIENODE);
    if (!is_given(name))
        return NULL;
    const char *space = labels_get(&node->labels, KEY_NODEGROUP_NAMESPACE);
    return cluster_intention(cluster, is_given(space) ? space : NULL, name);
}

// Of several untied intentions that name the node: one that is not being deleted, then the youngest, then the
// first by name.
static struct intention *naming_intention(const struct cluster *cluster, const struct node *node)
{
    struct intention *best = NULL;
    struct intention *intention;
    uint64_t hash = hash_text(HASH_SEED, node->name);
    for (uint32_t cursor = 0;
         (intention = table_next(&cluster->tables->intentions_by_node, hash, &cursor)) != NULL;) {
        if (intention->node != NULL || strcmp(intention->facts.node_name, node->name) != 0)
            continue;
        if (best == NULL) {
            best = intention;
            continue;
        }
        bool going = intention->facts.deletion_ms != 0;
        bool best_going = best->facts.deletion_ms != 0;
        struct object_key key = {best->facts.space, best->facts.name};
        if (going != best_going ? best_going
            : intention->facts.created_ms != best->facts.created_ms
                ? intention->facts.created_ms > best->facts.created_ms
                : object_key_order(intention->facts.space, intention->facts.name, &key) < 0)
            best = intention;
    }
    return best;
}

void link_node(struct cluster *cluster, struct node *node)
{
    struct intention *labelled = labelled_intention(cluster, node);
    if (labelled != NULL) {
        if (labelled->node == NULL || labelled_intention(cluster, labelled->node) != labelled)
            tie(cluster, node, labelled);
    } else if (node->intention == NULL) {
        struct intention *naming = naming_intention(cluster, node);
        if (naming != NULL)
            tie(cluster, node, naming);
    }
    regroup(cluster, node);
}

void link_intention(struct cluster *cluster, struct intention *intention)
{
    struct node *node;
    struct node *labelled = NULL;
    uint64_t hash = hash_text(HASH_SEED, intention->facts.name);
    for (uint32_t cursor = 0;
         (node = table_next(&cluster->tables->nodes_by_intention, hash, &cursor)) != NULL;) {
        if (labelled_intention(cluster, node) != intention)
            continue;
        if (labelled == NULL || strcmp(node->name, labelled->name) < 0)
            labelled = node;
    }
    if (labelled != NULL)
        link_node(cluster, labelled);
    if (intention->node == NULL) {
        node = cluster_node(cluster, intention->facts.node_name);
        if (node != NULL && node->intention == NULL)
            tie(cluster, node, intention);
    }
    if (intention->node != NULL)
        regroup(cluster, intention->node);
}

void unlink_node(struct cluster *cluster, struct node *node)
{
    struct intention *intention = node->intention;
    if (intention == NULL)
        return;
    untie(cluster, node);
    link_intention(cluster, intention);
}

void unlink_intention(struct cluster *cluster, struct intention *intention)
{
    struct node *node = intention->node;
    group_lose_intention(intention);
    if (node == NULL)
        return;
    untie(cluster, node);
    link_node(cluster, node);
}

void cluster_bind(struct cluster *cluster, struct intention *intention, struct node *node)
{
    assert(cluster != NULL && intention != NULL);
    uint64_t before = cluster->version;
    if (node != NULL && node->intention != intention) {
        tie(cluster, node, intention);
        cluster->version++;
    } else if (node == NULL && intention->node != NULL) {
        untie(cluster, intention->node);
        cluster->version++;
    }
    assert(cluster->version - before <= 1 && intention->node == node);
    (void)before;
}

// ---- intention and group

static int compare_age(const void *key, const void *item)
{
    const struct intention *a = key;
    const struct intention *b = item;
    if (a->facts.created_ms != b->facts.created_ms)
        return a->facts.created_ms < b->facts.created_ms ? -1 : 1;
    return strcmp(a->facts.name, b->facts.name);
}

void group_take_intention(struct cluster *cluster, struct intention *intention)
{
    struct group *group = cluster_group(cluster, intention->facts.space, intention->facts.group_name);
    assert(intention->group == NULL);
    if (group == NULL)
        return;
    uint32_t position;
    sorted_find(group->intentions, group->intention_count, intention, compare_age, &position);
    group->intentions = sorted_insert(group->intentions, &group->intention_count, &group->intention_capacity,
                                      position, intention);
    intention->group = group;
}

void group_lose_intention(struct intention *intention)
{
    struct group *group = intention->group;
    if (group == NULL)
        return;
    uint32_t position;
    bool found = sorted_find(group->intentions, group->intention_count, intention, compare_age, &position);
    assert(found && group->intentions[position] == intention);
    (void)found;
    sorted_remove(group->intentions, &group->intention_count, position);
    intention->group = NULL;
}

void link_group(struct cluster *cluster, struct group *group)
{
    for (uint32_t i = 0; i < cluster->intention_count; i++) {
        struct intention *intention = cluster->intentions[i];
        if (intention->group == NULL && strcmp(intention->facts.space, group->facts.space) == 0 &&
            strcmp(intention->facts.group_name, group->facts.name) == 0)
            group_take_intention(cluster, intention);
    }
    for (uint32_t i = 0; i < cluster->node_count; i++)
        regroup(cluster, cluster->nodes[i]);
}

void unlink_group(struct cluster *cluster, struct group *group)
{
    for (uint32_t i = 0; i < group->intention_count; i++)
        group->intentions[i]->group = NULL;
    group->intention_count = 0;
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        if (cluster->nodes[i]->group == group)
            regroup(cluster, cluster->nodes[i]);
    }
}

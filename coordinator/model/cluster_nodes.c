#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/model/cluster_private.h"
#include "coordinator/model/resources.h"
#include "coordinator/model/sorted.h"

#define NODE_FIELD(member, kind) FIELD_ACROSS(struct node_facts, struct node, member, kind)
static const struct field node_fields[] = {
    NODE_FIELD(name, FIELD_NAME),
    NODE_FIELD(uid, FIELD_TEXT),
    NODE_FIELD(resource_version, FIELD_REVISION),
    NODE_FIELD(provider_id, FIELD_VALUE),
    NODE_FIELD(hostname, FIELD_VALUE),
    NODE_FIELD(internal_ip, FIELD_VALUE),
    NODE_FIELD(external_ip, FIELD_VALUE),
    NODE_FIELD(kubelet_version, FIELD_VALUE),
    NODE_FIELD(labels, FIELD_LABELS),
    NODE_FIELD(annotations, FIELD_ANNOTATIONS),
    NODE_FIELD(taints, FIELD_TAINTS),
    NODE_FIELD(capacity, FIELD_RESOURCES),
    NODE_FIELD(allocatable, FIELD_RESOURCES),
    NODE_FIELD(unschedulable, FIELD_PLAIN),
    NODE_FIELD(network_unavailable, FIELD_PLAIN),
    NODE_FIELD(ready, FIELD_PLAIN),
    NODE_FIELD(ready_changed_ms, FIELD_PLAIN),
    NODE_FIELD(created_ms, FIELD_PLAIN),
    NODE_FIELD(deletion_ms, FIELD_PLAIN),
};
#define NODE_FIELD_COUNT (sizeof(node_fields) / sizeof(node_fields[0]))

static uint64_t fold_hash(const char *text)
{
    return hash_text_fold(HASH_SEED, text);
}

static uint64_t text_hash(const char *text)
{
    return hash_text(HASH_SEED, text);
}

static int compare_name(const void *key, const void *item)
{
    return strcmp(key, ((const struct node *)item)->name);
}

// What of a node can change, and is looked up by.
static void index_node(struct cluster_tables *tables, struct node *node)
{
    table_insert(&tables->nodes_by_fold, fold_hash(node->name), node);
    if (is_given(node->hostname) && !text_equal_fold(node->hostname, node->name))
        table_insert(&tables->nodes_by_fold, fold_hash(node->hostname), node);
    if (is_given(node->internal_ip))
        table_insert(&tables->nodes_by_address, text_hash(node->internal_ip), node);
    if (is_given(node->external_ip) && node->external_ip != node->internal_ip)
        table_insert(&tables->nodes_by_address, text_hash(node->external_ip), node);
    const char *intention = labels_get(&node->labels, KEY_VPSIENODE);
    if (is_given(intention))
        table_insert(&tables->nodes_by_intention, text_hash(intention), node);
}

static void unindex_node(struct cluster_tables *tables, struct node *node)
{
    table_remove(&tables->nodes_by_fold, fold_hash(node->name), node);
    table_remove(&tables->nodes_by_fold, fold_hash(node->hostname), node);
    table_remove(&tables->nodes_by_address, text_hash(node->internal_ip), node);
    table_remove(&tables->nodes_by_address, text_hash(node->external_ip), node);
    const char *intention = labels_get(&node->labels, KEY_VPSIENODE);
    if (intention != NULL)
        table_remove(&tables->nodes_by_intention, text_hash(intention), node);
}

static void fill(struct cluster *cluster, struct node *node, const struct node_facts *facts)
{
    struct keep *old = node->memory;
    if (old != NULL)
        unindex_node(cluster->tables, node);
    node->memory = keep_create(cluster->strings, 2048);
    fields_copy(node->memory, node_fields, NODE_FIELD_COUNT, node, facts);
    node->has_been_ready = node->has_been_ready || facts->ready == NODE_READY_TRUE;
    index_node(cluster->tables, node);
    keep_destroy(old);
}

static struct node *add_node(struct cluster *cluster, const struct node_facts *facts)
{
    if (cluster->node_count >= FACTS_NODES_MAX)
        return NULL;
    struct node *node = xcalloc(1, sizeof(*node));
    fill(cluster, node, facts);
    uint32_t position;
    bool found = sorted_find(cluster->nodes, cluster->node_count, node->name, compare_name, &position);
    assert(!found);
    (void)found;
    cluster->nodes =
        sorted_insert(cluster->nodes, &cluster->node_count, &cluster->node_capacity, position, node);
    table_insert(&cluster->tables->nodes_by_name, text_hash(node->name), node);
    node->agent = cluster_agent(cluster, node->name);
    pods_adopt(cluster, node);
    link_node(cluster, node);
    return node;
}

struct node *cluster_put_node(struct cluster *cluster, const struct node_facts *facts)
{
    assert(cluster != NULL && facts != NULL && is_given(facts->name));
    struct node *node = cluster_node(cluster, facts->name);
    if (node != NULL && uid_differs(node->uid, facts->uid)) {
        cluster_remove_node(cluster, facts->name, node->uid);
        node = NULL;
    }
    if (node == NULL) {
        node = add_node(cluster, facts);
        cluster->version += node != NULL;
        return node;
    }
    switch (fields_compare(node_fields, NODE_FIELD_COUNT, node, facts)) {
    case FIELDS_SAME: break;
    case FIELDS_REVISION: fields_copy_revision(node_fields, NODE_FIELD_COUNT, node, facts); break;
    case FIELDS_QUIET:
    case FIELDS_CHANGED:
        fill(cluster, node, facts);
        link_node(cluster, node);
        cluster->version++;
        break;
    }
    return node;
}

void node_free(struct cluster *cluster, struct node *node)
{
    (void)cluster;
    resources_free(&node->requested);
    fields_free_revision(node_fields, NODE_FIELD_COUNT, node);
    keep_destroy(node->memory);
    free(node);
}

bool cluster_remove_node(struct cluster *cluster, const char *name, const char *uid)
{
    struct node *node = cluster_node(cluster, name);
    if (node == NULL || uid_differs(node->uid, uid))
        return false;
    uint32_t position;
    bool found = sorted_find(cluster->nodes, cluster->node_count, node->name, compare_name, &position);
    assert(found);
    (void)found;
    sorted_remove(cluster->nodes, &cluster->node_count, position);
    table_remove(&cluster->tables->nodes_by_name, text_hash(node->name), node);
    unindex_node(cluster->tables, node);
    pods_give_away(cluster, node);
    agent_forget(cluster, node->name);
    unlink_node(cluster, node);
    node_free(cluster, node);
    cluster->version++;
    return true;
}

struct node *cluster_node(const struct cluster *cluster, const char *name)
{
    if (!is_given(name))
        return NULL;
    struct node *node;
    for (uint32_t cursor = 0;
         (node = table_next(&cluster->tables->nodes_by_name, text_hash(name), &cursor)) != NULL;) {
        if (strcmp(node->name, name) == 0)
            return node;
    }
    return NULL;
}

static struct node *likelier(struct node *a, struct node *b)
{
    if (a == NULL || b == NULL)
        return a == NULL ? b : a;
    if ((a->deletion_ms == 0) != (b->deletion_ms == 0))
        return a->deletion_ms == 0 ? a : b;
    if (a->created_ms != b->created_ms)
        return a->created_ms > b->created_ms ? a : b;
    return strcmp(a->name, b->name) <= 0 ? a : b;
}

struct node *cluster_node_fold(const struct cluster *cluster, const char *hostname)
{
    struct node *best = NULL;
    struct node *node;
    if (!is_given(hostname))
        return NULL;
    for (uint32_t cursor = 0;
         (node = table_next(&cluster->tables->nodes_by_fold, fold_hash(hostname), &cursor)) != NULL;) {
        if (text_equal_fold(node->name, hostname) || text_equal_fold(node->hostname, hostname))
            best = likelier(best, node);
    }
    return best;
}

struct node *cluster_node_by_ip(const struct cluster *cluster, const char *ip)
{
    struct node *best = NULL;
    struct node *node;
    if (!is_given(ip))
        return NULL;
    for (uint32_t cursor = 0;
         (node = table_next(&cluster->tables->nodes_by_address, text_hash(ip), &cursor)) != NULL;) {
        if (text_equal(node->internal_ip, ip) || text_equal(node->external_ip, ip))
            best = likelier(best, node);
    }
    return best;
}

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/model/cluster_private.h"
#include "coordinator/model/group_facts.h"
#include "coordinator/model/sorted.h"

#define INTENTION(member, kind) FIELD(struct intention_facts, member, kind)
#define COUNT(fields)           (sizeof(fields) / sizeof((fields)[0]))

static const struct field intention_fields[] = {
    INTENTION(space, FIELD_NAME),
    INTENTION(name, FIELD_NAME),
    INTENTION(uid, FIELD_TEXT),
    INTENTION(resource_version, FIELD_REVISION),
    INTENTION(created_ms, FIELD_PLAIN),
    INTENTION(deletion_ms, FIELD_PLAIN),
    INTENTION(has_finalizer, FIELD_PLAIN),
    INTENTION(labels, FIELD_LABELS),
    INTENTION(annotations, FIELD_ANNOTATIONS),
    INTENTION(group_name, FIELD_NAME),
    INTENTION(owner_uid, FIELD_TEXT),
    INTENTION(vpsie_instance_id, FIELD_PLAIN),
    INTENTION(identifier, FIELD_VALUE),
    INTENTION(vpsie_group_id, FIELD_PLAIN),
    INTENTION(instance_type, FIELD_VALUE),
    INTENTION(datacenter_id, FIELD_VALUE),
    INTENTION(resource_identifier, FIELD_VALUE),
    INTENTION(project, FIELD_VALUE),
    INTENTION(kubernetes_version, FIELD_VALUE),
    INTENTION(node_name, FIELD_NAME),
    INTENTION(ip_address, FIELD_VALUE),
    INTENTION(phase, FIELD_PLAIN),
    INTENTION(hostname, FIELD_VALUE),
    INTENTION(status_created_ms, FIELD_PLAIN),
    INTENTION(provisioned_ms, FIELD_PLAIN),
    INTENTION(joined_ms, FIELD_PLAIN),
    INTENTION(ready_ms, FIELD_PLAIN),
    INTENTION(terminating_ms, FIELD_PLAIN),
    INTENTION(deleted_ms, FIELD_PLAIN),
    INTENTION(last_error, FIELD_TEXT),
};

static uint64_t text_hash(const char *text)
{
    return hash_text(HASH_SEED, text);
}

// ---- groups

static void fill_group(struct cluster *cluster, struct group *group, const struct nodegroup_facts *facts)
{
    struct keep *old = group->memory;
    struct keep *keep = keep_create(cluster->strings, 2048);
    group_facts_keep(keep, &group->facts, facts);
    group->memory = keep;
    keep_destroy(old);
}

static int compare_group_name(const void *key, const void *item)
{
    const struct object_key *object = key;
    const struct group *group = item;
    return -object_key_order(group->facts.space, group->facts.name, object);
}

static bool find_group(const struct cluster *cluster, const char *space, const char *name, uint32_t *position)
{
    struct object_key key = {space, name};
    return sorted_find(cluster->groups, cluster->group_count, &key, compare_group_name, position);
}

static struct group *add_group(struct cluster *cluster, const struct nodegroup_facts *facts)
{
    struct group *group = xcalloc(1, sizeof(*group));
    fill_group(cluster, group, facts);
    uint32_t position;
    find_group(cluster, group->facts.space, group->facts.name, &position);
    cluster->groups =
        sorted_insert(cluster->groups, &cluster->group_count, &cluster->group_capacity, position, group);
    table_insert(&cluster->tables->groups_by_name, text_hash(group->facts.name), group);
    link_group(cluster, group);
    cluster->version++;
    return group;
}

struct group *cluster_put_group(struct cluster *cluster, const struct nodegroup_facts *facts)
{
    assert(cluster != NULL && facts != NULL && is_given(facts->name));
    struct group *group = cluster_group(cluster, facts->space, facts->name);
    if (group != NULL && uid_differs(group->facts.uid, facts->uid)) {
        cluster_remove_group(cluster, facts->space, facts->name);
        group = NULL;
    }
    if (group == NULL)
        return add_group(cluster, facts);
    switch (group_facts_compare(&group->facts, facts)) {
    case FIELDS_SAME: break;
    case FIELDS_REVISION: group_facts_keep_revision(&group->facts, facts); break;
    case FIELDS_QUIET: fill_group(cluster, group, facts); break;
    case FIELDS_CHANGED:
        fill_group(cluster, group, facts);
        cluster->version++;
        break;
    }
    return group;
}

static void free_group(struct cluster *cluster, struct group *group)
{
    if (group->decide != NULL && cluster->free_group_decide != NULL)
        cluster->free_group_decide(group->decide);
    group_facts_free_revision(&group->facts);
    keep_destroy(group->memory);
    free(group->intentions);
    free(group);
}

bool cluster_remove_group(struct cluster *cluster, const char *space, const char *name)
{
    uint32_t position;
    if (!is_given(name) || !find_group(cluster, space == NULL ? "" : space, name, &position))
        return false;
    struct group *group = cluster->groups[position];
    sorted_remove(cluster->groups, &cluster->group_count, position);
    table_remove(&cluster->tables->groups_by_name, text_hash(group->facts.name), group);
    unlink_group(cluster, group);
    free_group(cluster, group);
    cluster->version++;
    return true;
}

struct group *cluster_group(const struct cluster *cluster, const char *space, const char *name)
{
    struct group *best = NULL;
    struct group *group;
    if (!is_given(name))
        return NULL;
    for (uint32_t cursor = 0;
         (group = table_next(&cluster->tables->groups_by_name, text_hash(name), &cursor)) != NULL;) {
        if (strcmp(group->facts.name, name) != 0 || (space != NULL && strcmp(group->facts.space, space) != 0))
            continue;
        if (best == NULL || strcmp(group->facts.space, best->facts.space) < 0)
            best = group;
    }
    return best;
}

// ---- intentions

static int compare_intention_name(const void *key, const void *item)
{
    const struct object_key *object = key;
    const struct intention *intention = item;
    return -object_key_order(intention->facts.space, intention->facts.name, object);
}

static bool find_intention(const struct cluster *cluster, const char *space, const char *name,
                           uint32_t *position)
{
    struct object_key key = {space, name};
    return sorted_find(cluster->intentions, cluster->intention_count, &key, compare_intention_name, position);
}

static void fill_intention(struct cluster *cluster, struct intention *intention,
                           const struct intention_facts *told)
{
    struct table *by_node = &cluster->tables->intentions_by_node;
    struct keep *old = intention->memory;
    if (old != NULL) {
        group_lose_intention(intention);
        table_remove(by_node, text_hash(intention->facts.node_name), intention);
    }
    intention->memory = keep_create(cluster->strings, 1024);
    fields_copy(intention->memory, intention_fields, COUNT(intention_fields), &intention->facts, told);
    keep_destroy(old);
    if (is_given(intention->facts.node_name))
        table_insert(by_node, text_hash(intention->facts.node_name), intention);
    group_take_intention(cluster, intention);
}

static struct intention *add_intention(struct cluster *cluster, const struct intention_facts *facts)
{
    struct intention *intention = xcalloc(1, sizeof(*intention));
    fill_intention(cluster, intention, facts);
    uint32_t position;
    find_intention(cluster, intention->facts.space, intention->facts.name, &position);
    cluster->intentions = sorted_insert(cluster->intentions, &cluster->intention_count,
                                        &cluster->intention_capacity, position, intention);
    table_insert(&cluster->tables->intentions_by_name, text_hash(intention->facts.name), intention);
    link_intention(cluster, intention);
    cluster->version++;
    return intention;
}

struct intention *cluster_put_intention(struct cluster *cluster, const struct intention_facts *facts)
{
    assert(cluster != NULL && facts != NULL && is_given(facts->name));
    struct intention *intention = cluster_intention(cluster, facts->space, facts->name);
    if (intention != NULL && uid_differs(intention->facts.uid, facts->uid)) {
        cluster_remove_intention(cluster, facts->space, facts->name);
        intention = NULL;
    }
    if (intention == NULL)
        return add_intention(cluster, facts);
    switch (fields_compare(intention_fields, COUNT(intention_fields), &intention->facts, facts)) {
    case FIELDS_SAME: break;
    case FIELDS_REVISION:
        fields_copy_revision(intention_fields, COUNT(intention_fields), &intention->facts, facts);
        break;
    case FIELDS_QUIET:
    case FIELDS_CHANGED:
        fill_intention(cluster, intention, facts);
        link_intention(cluster, intention);
        cluster->version++;
        break;
    }
    return intention;
}

static void free_intention(struct cluster *cluster, struct intention *intention)
{
    if (intention->decide != NULL && cluster->free_intention_decide != NULL)
        cluster->free_intention_decide(intention->decide);
    fields_free_revision(intention_fields, COUNT(intention_fields), &intention->facts);
    keep_destroy(intention->memory);
    free(intention);
}

bool cluster_remove_intention(struct cluster *cluster, const char *space, const char *name)
{
    uint32_t position;
    if (!is_given(name) || !find_intention(cluster, space == NULL ? "" : space, name, &position))
        return false;
    struct intention *intention = cluster->intentions[position];
    sorted_remove(cluster->intentions, &cluster->intention_count, position);
    table_remove(&cluster->tables->intentions_by_name, text_hash(intention->facts.name), intention);
    table_remove(&cluster->tables->intentions_by_node, text_hash(intention->facts.node_name), intention);
    unlink_intention(cluster, intention);
    free_intention(cluster, intention);
    cluster->version++;
    return true;
}

struct intention *cluster_intention(const struct cluster *cluster, const char *space, const char *name)
{
    struct intention *best = NULL;
    struct intention *intention;
    if (!is_given(name))
        return NULL;
    for (uint32_t cursor = 0;
         (intention = table_next(&cluster->tables->intentions_by_name, text_hash(name), &cursor)) != NULL;) {
        if (strcmp(intention->facts.name, name) != 0 ||
            (space != NULL && strcmp(intention->facts.space, space) != 0))
            continue;
        if (best == NULL || strcmp(intention->facts.space, best->facts.space) < 0)
            best = intention;
    }
    return best;
}

void groups_free(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->group_count; i++)
        free_group(cluster, cluster->groups[i]);
    for (uint32_t i = 0; i < cluster->intention_count; i++)
        free_intention(cluster, cluster->intentions[i]);
    free(cluster->groups);
    free(cluster->intentions);
}

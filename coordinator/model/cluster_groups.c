#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/model/cluster_private.h"
#include "coordinator/model/labels.h"
#include "coordinator/model/sorted.h"

#define GROUP(member, kind)     FIELD(struct nodegroup_facts, member, kind)
#define STATUS(member, kind)    FIELD_QUIET(struct nodegroup_facts, member, kind)
#define INTENTION(member, kind) FIELD(struct intention_facts, member, kind)
#define CONFIG(member, kind)    FIELD(struct config_facts, member, kind)
#define COUNT(fields)           (sizeof(fields) / sizeof((fields)[0]))

static const struct field policy_fields[] = {
    FIELD(struct scale_policy_facts, enabled, FIELD_PLAIN),
    FIELD(struct scale_policy_facts, stabilization_seconds, FIELD_PLAIN),
    FIELD(struct scale_policy_facts, cpu_threshold_percent, FIELD_PLAIN),
    FIELD(struct scale_policy_facts, memory_threshold_percent, FIELD_PLAIN),
    FIELD(struct scale_policy_facts, cooldown_seconds, FIELD_PLAIN),
};

// Without the policies, the lists of words and the conditions, which are copied beside these.
static const struct field group_fields[] = {
    GROUP(space, FIELD_NAME),
    GROUP(name, FIELD_NAME),
    GROUP(uid, FIELD_TEXT),
    GROUP(resource_version, FIELD_REVISION),
    GROUP(generation, FIELD_PLAIN),
    GROUP(created_ms, FIELD_PLAIN),
    GROUP(deletion_ms, FIELD_PLAIN),
    GROUP(labels, FIELD_LABELS),
    GROUP(annotations, FIELD_ANNOTATIONS),
    GROUP(managed, FIELD_PLAIN),
    GROUP(has_finalizer, FIELD_PLAIN),
    GROUP(min_nodes, FIELD_PLAIN),
    GROUP(max_nodes, FIELD_PLAIN),
    GROUP(datacenter_id, FIELD_VALUE),
    GROUP(resource_identifier, FIELD_VALUE),
    GROUP(project, FIELD_VALUE),
    GROUP(kubernetes_version, FIELD_VALUE),
    GROUP(os_image_id, FIELD_VALUE),
    GROUP(preferred_instance_type, FIELD_VALUE),
    GROUP(notes, FIELD_TEXT),
    GROUP(allow_mixed_instances, FIELD_PLAIN),
    GROUP(kube_size_id, FIELD_PLAIN),
    GROUP(node_labels, FIELD_LABELS),
    GROUP(node_taints, FIELD_TAINTS),
    GROUP(tag_count, FIELD_PLAIN),
    GROUP(spot_enabled, FIELD_PLAIN),
    GROUP(multi_region_enabled, FIELD_PLAIN),
    STATUS(status_vpsie_group_id, FIELD_PLAIN),
    STATUS(status_desired_nodes, FIELD_PLAIN),
    STATUS(status_last_scale_up_ms, FIELD_PLAIN),
    STATUS(status_last_scale_down_ms, FIELD_PLAIN),
    GROUP(invalid, FIELD_TEXT),
};

static const struct field condition_fields[] = {
    FIELD(struct condition_facts, type, FIELD_NAME),
    FIELD(struct condition_facts, status, FIELD_PLAIN),
    FIELD(struct condition_facts, reason, FIELD_VALUE),
    FIELD(struct condition_facts, message, FIELD_TEXT),
    FIELD(struct condition_facts, transition_ms, FIELD_PLAIN),
};

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

static const struct field config_fields[] = {
    CONFIG(uid, FIELD_TEXT),
    CONFIG(resource_version, FIELD_REVISION),
    CONFIG(generation, FIELD_PLAIN),
    CONFIG(paused, FIELD_PLAIN),
    CONFIG(scale_up_cooldown_seconds, FIELD_PLAIN),
    CONFIG(scale_down_cooldown_seconds, FIELD_PLAIN),
    CONFIG(max_concurrent_scale_ups, FIELD_PLAIN),
    CONFIG(max_concurrent_scale_downs, FIELD_PLAIN),
    CONFIG(max_cluster_workers, FIELD_PLAIN),
    CONFIG(unschedulable_grace_seconds, FIELD_PLAIN),
    CONFIG(dynamic_groups, FIELD_PLAIN),
    CONFIG(rebalancing, FIELD_PLAIN),
    CONFIG(node_ready_timeout_seconds, FIELD_PLAIN),
    CONFIG(pod_eviction_timeout_seconds, FIELD_PLAIN),
    CONFIG(invalid, FIELD_TEXT),
};

static uint64_t text_hash(const char *text)
{
    return hash_text(HASH_SEED, text);
}

// ---- groups

static bool policy_differs(const struct scale_policy_facts *kept, const struct scale_policy_facts *told)
{
    return fields_compare(policy_fields, COUNT(policy_fields), kept, told) != FIELDS_SAME;
}

static bool conditions_differ(const struct nodegroup_facts *kept, const struct nodegroup_facts *told)
{
    if (kept->condition_count != told->condition_count)
        return true;
    for (uint32_t i = 0; i < kept->condition_count; i++) {
        if (fields_compare(condition_fields, COUNT(condition_fields), &kept->conditions[i],
                           &told->conditions[i]) != FIELDS_SAME)
            return true;
    }
    return false;
}

static enum fields_difference compare_group(const struct nodegroup_facts *kept,
                                            const struct nodegroup_facts *told)
{
    enum fields_difference difference = fields_compare(group_fields, COUNT(group_fields), kept, told);
    if (policy_differs(&kept->scale_up, &told->scale_up) ||
        policy_differs(&kept->scale_down, &told->scale_down) ||
        !texts_equal(kept->offering_ids, kept->offering_count, told->offering_ids, told->offering_count) ||
        !texts_equal(kept->ssh_key_ids, kept->ssh_key_count, told->ssh_key_ids, told->ssh_key_count))
        return FIELDS_CHANGED;
    if (difference < FIELDS_QUIET && conditions_differ(kept, told))
        return FIELDS_QUIET;
    return difference;
}

static void fill_group(struct cluster *cluster, struct group *group, const struct nodegroup_facts *told)
{
    struct keep *old = group->memory;
    struct keep *keep = keep_create(cluster->strings, 2048);
    struct nodegroup_facts *facts = &group->facts;
    fields_copy(keep, group_fields, COUNT(group_fields), facts, told);
    facts->scale_up = told->scale_up;
    facts->scale_down = told->scale_down;
    facts->offering_ids = keep_values(keep, told->offering_ids, told->offering_count);
    facts->offering_count = told->offering_count;
    facts->ssh_key_ids = keep_values(keep, told->ssh_key_ids, told->ssh_key_count);
    facts->ssh_key_count = told->ssh_key_count;
    struct condition_facts *conditions =
        ARENA_ARRAY(keep->arena, struct condition_facts, told->condition_count);
    for (uint32_t i = 0; i < told->condition_count; i++)
        fields_copy(keep, condition_fields, COUNT(condition_fields), &conditions[i], &told->conditions[i]);
    facts->conditions = conditions;
    facts->condition_count = told->condition_count;
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
    switch (compare_group(&group->facts, facts)) {
    case FIELDS_SAME: break;
    case FIELDS_REVISION:
        fields_copy_revision(group_fields, COUNT(group_fields), &group->facts, facts);
        break;
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
    fields_free_revision(group_fields, COUNT(group_fields), &group->facts);
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

// ---- the AutoscalerConfig

static void remove_config(struct cluster *cluster)
{
    fields_free_revision(config_fields, COUNT(config_fields), cluster->config);
    keep_destroy(cluster->tables->config_memory);
    cluster->tables->config_memory = NULL;
    cluster->config = NULL;
}

void cluster_put_config(struct cluster *cluster, const struct config_facts *facts)
{
    assert(cluster != NULL);
    if (cluster->config != NULL && facts != NULL) {
        enum fields_difference difference =
            fields_compare(config_fields, COUNT(config_fields), cluster->config, facts);
        if (difference <= FIELDS_REVISION) {
            fields_copy_revision(config_fields, COUNT(config_fields), cluster->config, facts);
            return;
        }
    }
    if (cluster->config == NULL && facts == NULL)
        return;
    if (cluster->config != NULL)
        remove_config(cluster);
    if (facts != NULL) {
        struct keep *keep = keep_create(cluster->strings, 512);
        cluster->config = ARENA_NEW(keep->arena, struct config_facts);
        fields_copy(keep, config_fields, COUNT(config_fields), cluster->config, facts);
        cluster->tables->config_memory = keep;
    }
    cluster->version++;
}

void groups_free(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->group_count; i++)
        free_group(cluster, cluster->groups[i]);
    for (uint32_t i = 0; i < cluster->intention_count; i++)
        free_intention(cluster, cluster->intentions[i]);
    free(cluster->groups);
    free(cluster->intentions);
    if (cluster->config != NULL)
        remove_config(cluster);
}

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/model/cluster_private.h"
#include "coordinator/model/labels.h"
#include "coordinator/model/sorted.h"

// ---- budgets

static int compare_budget(const void *key, const void *item)
{
    const struct object_key *object = key;
    const struct budget *budget = item;
    return -object_key_order(budget->space, budget->name, object);
}

static bool is_current(const struct budget_facts *facts)
{
    return facts->observed_generation >= facts->generation;
}

static bool same_budget(const struct budget *budget, const struct budget_facts *facts)
{
    return words_equal(budget->uid, facts->uid) && budget->selects_nothing == facts->selects_nothing &&
           budget->disruptions_allowed == facts->disruptions_allowed &&
           budget->current == is_current(facts) &&
           requirements_equal(budget->selector, budget->selector_count, facts->selector,
                              facts->selector_count);
}

static void fill_budget(struct cluster *cluster, struct budget *budget, const struct budget_facts *facts)
{
    struct keep *keep = keep_create(cluster->strings, 512);
    keep_destroy(budget->memory);
    *budget = (struct budget){
        .space = keep_name(keep, facts->space),
        .name = keep_name(keep, facts->name),
        .uid = keep_text(keep, facts->uid),
        .selector = (struct requirement *)keep_requirements(keep, facts->selector, facts->selector_count),
        .selector_count = facts->selector_count,
        .selects_nothing = facts->selects_nothing,
        .disruptions_allowed = facts->disruptions_allowed,
        .current = is_current(facts),
        .memory = keep,
    };
}

struct budget *cluster_put_budget(struct cluster *cluster, const struct budget_facts *facts)
{
    assert(cluster != NULL && facts != NULL && is_given(facts->name));
    struct object_key key = {facts->space, facts->name};
    uint32_t position;
    struct budget *budget;
    if (sorted_find(cluster->budgets, cluster->budget_count, &key, compare_budget, &position)) {
        budget = cluster->budgets[position];
        if (same_budget(budget, facts))
            return budget;
    } else {
        budget = xcalloc(1, sizeof(*budget));
        cluster->budgets = sorted_insert(cluster->budgets, &cluster->budget_count, &cluster->budget_capacity,
                                         position, budget);
    }
    fill_budget(cluster, budget, facts);
    cluster->version++;
    return budget;
}

static void free_budget(struct budget *budget)
{
    keep_destroy(budget->memory);
    free(budget);
}

bool cluster_remove_budget(struct cluster *cluster, const char *space, const char *name)
{
    struct object_key key = {space, name};
    uint32_t position;
    if (!sorted_find(cluster->budgets, cluster->budget_count, &key, compare_budget, &position))
        return false;
    free_budget(cluster->budgets[position]);
    sorted_remove(cluster->budgets, &cluster->budget_count, position);
    cluster->version++;
    return true;
}

bool budget_selects(const struct budget *budget, const struct pod *pod)
{
    if (budget->selects_nothing || strcmp(budget->space, pod->space) != 0)
        return false;
    for (uint32_t i = 0; i < budget->selector_count; i++) {
        if (!requirement_matches(&budget->selector[i], &pod->shape->facts.labels))
            return false;
    }
    return true;
}

// ---- DaemonSets

static int compare_daemonset(const void *key, const void *item)
{
    const struct object_key *object = key;
    const struct daemonset *daemonset = item;
    return -object_key_order(daemonset->space, daemonset->name, object);
}

static void fill_daemonset(struct cluster *cluster, struct daemonset *daemonset,
                           const struct daemonset_facts *facts, struct pod_shape *shape)
{
    if (daemonset->shape != NULL)
        shapes_release(&cluster->tables->shapes, daemonset->shape);
    free(daemonset->uid_memory);
    char *uid = xstrdup(facts->uid == NULL ? "" : facts->uid);
    *daemonset = (struct daemonset){
        .space = strings_intern(cluster->strings, facts->space),
        .name = strings_intern(cluster->strings, facts->name),
        .uid = uid,
        .shape = shape,
        .being_deleted = facts->being_deleted,
        .uid_memory = uid,
    };
}

struct daemonset *cluster_put_daemonset(struct cluster *cluster, const struct daemonset_facts *facts)
{
    assert(cluster != NULL && facts != NULL && is_given(facts->name));
    struct object_key key = {facts->space, facts->name};
    uint32_t position;
    struct pod_shape *shape = shapes_hold(&cluster->tables->shapes, facts->space, &facts->shape);
    struct daemonset *daemonset;
    if (sorted_find(cluster->daemonsets, cluster->daemonset_count, &key, compare_daemonset, &position)) {
        daemonset = cluster->daemonsets[position];
        if (daemonset->shape == shape && daemonset->being_deleted == facts->being_deleted &&
            words_equal(daemonset->uid, facts->uid)) {
            shapes_release(&cluster->tables->shapes, shape);
            return daemonset;
        }
    } else {
        daemonset = xcalloc(1, sizeof(*daemonset));
        cluster->daemonsets = sorted_insert(cluster->daemonsets, &cluster->daemonset_count,
                                            &cluster->daemonset_capacity, position, daemonset);
    }
    fill_daemonset(cluster, daemonset, facts, shape);
    cluster->version++;
    return daemonset;
}

static void free_daemonset(struct cluster *cluster, struct daemonset *daemonset)
{
    shapes_release(&cluster->tables->shapes, daemonset->shape);
    free(daemonset->uid_memory);
    free(daemonset);
}

bool cluster_remove_daemonset(struct cluster *cluster, const char *space, const char *name)
{
    struct object_key key = {space, name};
    uint32_t position;
    if (!sorted_find(cluster->daemonsets, cluster->daemonset_count, &key, compare_daemonset, &position))
        return false;
    free_daemonset(cluster, cluster->daemonsets[position]);
    sorted_remove(cluster->daemonsets, &cluster->daemonset_count, position);
    cluster->version++;
    return true;
}

// ---- VolumeAttachments

static int compare_attachment(const void *key, const void *item)
{
    return strcmp(key, ((const struct attachment *)item)->name);
}

static void fill_attachment(struct cluster *cluster, struct attachment *attachment,
                            const struct volume_attachment_facts *facts)
{
    struct keep *keep = keep_create(cluster->strings, 256);
    struct keep *old = attachment->memory;
    struct table *by_node = &cluster->tables->attachments_by_node;
    if (old != NULL)
        table_remove(by_node, hash_text(HASH_SEED, attachment->node_name), attachment);
    *attachment = (struct attachment){
        .name = keep_text(keep, facts->name),
        .node_name = keep_name(keep, facts->node_name),
        .volume_name = keep_value(keep, facts->volume_name),
        .attached = facts->attached,
        .memory = keep,
    };
    table_insert(by_node, hash_text(HASH_SEED, attachment->node_name), attachment);
    keep_destroy(old);
}

struct attachment *cluster_put_attachment(struct cluster *cluster,
                                          const struct volume_attachment_facts *facts)
{
    assert(cluster != NULL && facts != NULL && is_given(facts->name));
    uint32_t position;
    struct attachment *attachment;
    if (sorted_find(cluster->attachments, cluster->attachment_count, facts->name, compare_attachment,
                    &position)) {
        attachment = cluster->attachments[position];
        if (attachment->attached == facts->attached && words_equal(attachment->node_name, facts->node_name) &&
            words_equal(attachment->volume_name, facts->volume_name))
            return attachment;
    } else {
        attachment = xcalloc(1, sizeof(*attachment));
        cluster->attachments = sorted_insert(cluster->attachments, &cluster->attachment_count,
                                             &cluster->attachment_capacity, position, attachment);
    }
    fill_attachment(cluster, attachment, facts);
    return attachment;
}

static void free_attachment(struct attachment *attachment)
{
    keep_destroy(attachment->memory);
    free(attachment);
}

bool cluster_remove_attachment(struct cluster *cluster, const char *name)
{
    uint32_t position;
    if (!sorted_find(cluster->attachments, cluster->attachment_count, name, compare_attachment, &position))
        return false;
    struct attachment *attachment = cluster->attachments[position];
    table_remove(&cluster->tables->attachments_by_node, hash_text(HASH_SEED, attachment->node_name),
                 attachment);
    free_attachment(attachment);
    sorted_remove(cluster->attachments, &cluster->attachment_count, position);
    return true;
}

void objects_free(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->budget_count; i++)
        free_budget(cluster->budgets[i]);
    for (uint32_t i = 0; i < cluster->daemonset_count; i++)
        free_daemonset(cluster, cluster->daemonsets[i]);
    for (uint32_t i = 0; i < cluster->attachment_count; i++)
        free_attachment(cluster->attachments[i]);
    free(cluster->budgets);
    free(cluster->daemonsets);
    free(cluster->attachments);
}

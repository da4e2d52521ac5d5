#include <assert.h>

#include "coordinator/model/cluster_private.h"
#include "coordinator/model/group_facts.h"
#include "coordinator/model/labels.h"

#define CONFIG(member, kind) FIELD(struct config_facts, member, kind)
#define BUDGET(member, kind) FIELD(struct disruption_budget_facts, member, kind)
#define COUNT(fields)        (sizeof(fields) / sizeof((fields)[0]))

// Without the budgets and the defaults, which are copied beside these.
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
    CONFIG(consolidation, FIELD_PLAIN),
    CONFIG(invalid, FIELD_TEXT),
};

static const struct field budget_fields[] = {
    BUDGET(nodes_max, FIELD_PLAIN),        BUDGET(percent, FIELD_PLAIN), BUDGET(schedule, FIELD_TEXT),
    BUDGET(duration_seconds, FIELD_PLAIN), BUDGET(reasons, FIELD_PLAIN),
};

static bool budgets_differ(const struct config_facts *kept, const struct config_facts *told)
{
    if (kept->budget_count != told->budget_count)
        return true;
    for (uint32_t i = 0; i < kept->budget_count; i++) {
        const struct disruption_budget_facts *a = &kept->budgets[i];
        const struct disruption_budget_facts *b = &told->budgets[i];
        if (fields_compare(budget_fields, COUNT(budget_fields), a, b) != FIELDS_SAME ||
            !texts_equal(a->groups, a->group_count, b->groups, b->group_count))
            return true;
    }
    return false;
}

static bool defaults_differ(const struct nodegroup_facts *kept, const struct nodegroup_facts *told)
{
    if (kept == NULL || told == NULL)
        return kept != told;
    return group_facts_compare(kept, told) != FIELDS_SAME;
}

static bool matters(const struct config_facts *kept, const struct config_facts *told)
{
    return fields_compare(config_fields, COUNT(config_fields), kept, told) > FIELDS_REVISION ||
           budgets_differ(kept, told) || defaults_differ(kept->group_defaults, told->group_defaults);
}

static void keep_budgets(struct keep *keep, struct config_facts *kept, const struct config_facts *told)
{
    struct disruption_budget_facts *budgets =
        ARENA_ARRAY(keep->arena, struct disruption_budget_facts, told->budget_count);
    for (uint32_t i = 0; i < told->budget_count; i++) {
        fields_copy(keep, budget_fields, COUNT(budget_fields), &budgets[i], &told->budgets[i]);
        budgets[i].groups = keep_values(keep, told->budgets[i].groups, told->budgets[i].group_count);
        budgets[i].group_count = told->budgets[i].group_count;
    }
    kept->budgets = budgets;
    kept->budget_count = told->budget_count;
}

static void keep_config(struct cluster *cluster, const struct config_facts *told)
{
    struct keep *keep = keep_create(cluster->strings, 512);
    struct config_facts *kept = ARENA_NEW(keep->arena, struct config_facts);
    fields_copy(keep, config_fields, COUNT(config_fields), kept, told);
    keep_budgets(keep, kept, told);
    if (told->group_defaults != NULL) {
        cluster->tables->config_defaults = ARENA_NEW(keep->arena, struct nodegroup_facts);
        group_facts_keep(keep, cluster->tables->config_defaults, told->group_defaults);
        kept->group_defaults = cluster->tables->config_defaults;
    }
    cluster->config = kept;
    cluster->tables->config_memory = keep;
}

static void remove_config(struct cluster *cluster)
{
    struct cluster_tables *tables = cluster->tables;
    if (tables->config_defaults != NULL)
        group_facts_free_revision(tables->config_defaults);
    fields_free_revision(config_fields, COUNT(config_fields), cluster->config);
    keep_destroy(tables->config_memory);
    tables->config_memory = NULL;
    tables->config_defaults = NULL;
    cluster->config = NULL;
}

void cluster_put_config(struct cluster *cluster, const struct config_facts *facts)
{
    assert(cluster != NULL);
    if (cluster->config == NULL && facts == NULL)
        return;
    if (cluster->config != NULL && facts != NULL && !matters(cluster->config, facts)) {
        fields_copy_revision(config_fields, COUNT(config_fields), cluster->config, facts);
        return;
    }
    config_free(cluster);
    if (facts != NULL)
        keep_config(cluster, facts);
    cluster->version++;
}

void config_free(struct cluster *cluster)
{
    if (cluster->config != NULL)
        remove_config(cluster);
}

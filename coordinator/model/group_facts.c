#include "coordinator/model/group_facts.h"

#include "coordinator/model/labels.h"

#define GROUP(member, kind)  FIELD(struct nodegroup_facts, member, kind)
#define STATUS(member, kind) FIELD_QUIET(struct nodegroup_facts, member, kind)
#define COUNT(fields)        (sizeof(fields) / sizeof((fields)[0]))

static const struct field policy_fields[] = {
    FIELD(struct scale_policy_facts, enabled, FIELD_PLAIN),
    FIELD(struct scale_policy_facts, stabilization_seconds, FIELD_PLAIN),
    FIELD(struct scale_policy_facts, cpu_threshold_percent, FIELD_PLAIN),
    FIELD(struct scale_policy_facts, memory_threshold_percent, FIELD_PLAIN),
    FIELD(struct scale_policy_facts, cooldown_seconds, FIELD_PLAIN),
};

// Without the policies, the lists of words and weights, and the conditions, which are copied beside these.
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
    GROUP(multi_region.enabled, FIELD_PLAIN),
    GROUP(multi_region.distribution, FIELD_PLAIN),
    GROUP(multi_region.primary, FIELD_VALUE),
    GROUP(multi_region.nodes_per_region_min, FIELD_PLAIN),
    GROUP(cost.enabled, FIELD_PLAIN),
    GROUP(cost.strategy, FIELD_PLAIN),
    GROUP(cost.interval_seconds, FIELD_PLAIN),
    GROUP(cost.monthly_savings_min, FIELD_PLAIN),
    GROUP(cost.performance_impact_max_percent, FIELD_PLAIN),
    GROUP(cost.require_approval, FIELD_PLAIN),
    STATUS(status_vpsie_group_id, FIELD_PLAIN),
    STATUS(status_desired_nodes, FIELD_PLAIN),
    STATUS(status_last_scale_up_ms, FIELD_PLAIN),
    STATUS(status_last_scale_down_ms, FIELD_PLAIN),
    GROUP(invalid, FIELD_TEXT),
    GROUP(doubtful, FIELD_TEXT),
};

static const struct field condition_fields[] = {
    FIELD(struct condition_facts, type, FIELD_NAME),
    FIELD(struct condition_facts, status, FIELD_PLAIN),
    FIELD(struct condition_facts, reason, FIELD_VALUE),
    FIELD(struct condition_facts, message, FIELD_TEXT),
    FIELD(struct condition_facts, transition_ms, FIELD_PLAIN),
};

static bool policy_differs(const struct scale_policy_facts *kept, const struct scale_policy_facts *told)
{
    return fields_compare(policy_fields, COUNT(policy_fields), kept, told) != FIELDS_SAME;
}

static bool regions_differ(const struct multi_region_facts *kept, const struct multi_region_facts *told)
{
    if (kept->weight_count != told->weight_count ||
        !texts_equal(kept->datacenter_ids, kept->datacenter_count, told->datacenter_ids,
                     told->datacenter_count))
        return true;
    for (uint32_t i = 0; i < kept->weight_count; i++) {
        if (kept->weights[i].weight != told->weights[i].weight ||
            !words_equal(kept->weights[i].datacenter_id, told->weights[i].datacenter_id))
            return true;
    }
    return false;
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

enum fields_difference group_facts_compare(const struct nodegroup_facts *kept,
                                           const struct nodegroup_facts *told)
{
    enum fields_difference difference = fields_compare(group_fields, COUNT(group_fields), kept, told);
    if (policy_differs(&kept->scale_up, &told->scale_up) ||
        policy_differs(&kept->scale_down, &told->scale_down) ||
        regions_differ(&kept->multi_region, &told->multi_region) ||
        !texts_equal(kept->offering_ids, kept->offering_count, told->offering_ids, told->offering_count) ||
        !texts_equal(kept->ssh_key_ids, kept->ssh_key_count, told->ssh_key_ids, told->ssh_key_count))
        return FIELDS_CHANGED;
    if (difference < FIELDS_QUIET && conditions_differ(kept, told))
        return FIELDS_QUIET;
    return difference;
}

static void keep_regions(struct keep *keep, struct multi_region_facts *kept,
                         const struct multi_region_facts *told)
{
    struct region_weight *weights = ARENA_ARRAY(keep->arena, struct region_weight, told->weight_count);
    for (uint32_t i = 0; i < told->weight_count; i++) {
        weights[i] = (struct region_weight){.datacenter_id = keep_value(keep, told->weights[i].datacenter_id),
                                            .weight = told->weights[i].weight};
    }
    kept->weights = weights;
    kept->weight_count = told->weight_count;
    kept->datacenter_ids = keep_values(keep, told->datacenter_ids, told->datacenter_count);
    kept->datacenter_count = told->datacenter_count;
}

void group_facts_keep(struct keep *keep, struct nodegroup_facts *kept, const struct nodegroup_facts *told)
{
    fields_copy(keep, group_fields, COUNT(group_fields), kept, told);
    kept->scale_up = told->scale_up;
    kept->scale_down = told->scale_down;
    keep_regions(keep, &kept->multi_region, &told->multi_region);
    kept->offering_ids = keep_values(keep, told->offering_ids, told->offering_count);
    kept->offering_count = told->offering_count;
    kept->ssh_key_ids = keep_values(keep, told->ssh_key_ids, told->ssh_key_count);
    kept->ssh_key_count = told->ssh_key_count;
    struct condition_facts *conditions =
        ARENA_ARRAY(keep->arena, struct condition_facts, told->condition_count);
    for (uint32_t i = 0; i < told->condition_count; i++)
        fields_copy(keep, condition_fields, COUNT(condition_fields), &conditions[i], &told->conditions[i]);
    kept->conditions = conditions;
    kept->condition_count = told->condition_count;
}

void group_facts_keep_revision(struct nodegroup_facts *kept, const struct nodegroup_facts *told)
{
    fields_copy_revision(group_fields, COUNT(group_fields), kept, told);
}

void group_facts_free_revision(struct nodegroup_facts *kept)
{
    fields_free_revision(group_fields, COUNT(group_fields), kept);
}

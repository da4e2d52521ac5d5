// Parts of NodeGroups and of the AutoscalerConfig, in words.
#include <inttypes.h>

#include "coordinator/decide/describe.h"

void describe_multi_region(struct text *out, const struct multi_region_facts *facts)
{
    static const char *const names[] = {"balanced", "weighted", "primary-backup"};
    if (!facts->enabled)
        return;
    text_printf(out, " regions={ %s", names[facts->distribution]);
    describe_texts(out, "datacenters", facts->datacenter_ids, facts->datacenter_count);
    for (uint32_t i = 0; i < facts->weight_count; i++)
        text_printf(out, " %s:%" PRId32, facts->weights[i].datacenter_id, facts->weights[i].weight);
    describe_text(out, "primary", facts->primary);
    describe_number(out, "least", facts->nodes_per_region_min);
    text_append(out, " }");
}

void describe_cost(struct text *out, const struct cost_facts *facts)
{
    static const char *const names[] = {"auto", "manual", "aggressive", "conservative"};
    if (!facts->enabled)
        return;
    text_printf(out, " cost={ %s", names[facts->strategy]);
    describe_number(out, "interval", facts->interval_seconds);
    describe_real(out, "savings", facts->monthly_savings_min);
    describe_number(out, "impact", facts->performance_impact_max_percent);
    describe_flag(out, "approval", facts->require_approval);
    text_append(out, " }");
}

void describe_disruption_budgets(struct text *out, const struct disruption_budget_facts *budgets,
                                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct disruption_budget_facts *budget = &budgets[i];
        if (budget->nodes_max < 0)
            text_printf(out, " budget={ %" PRId32 "%%", budget->percent);
        else
            text_printf(out, " budget={ %" PRId32, budget->nodes_max);
        describe_text(out, "schedule", budget->schedule);
        describe_number(out, "seconds", budget->duration_seconds);
        describe_texts(out, "groups", budget->groups, budget->group_count);
        describe_number(out, "reasons", budget->reasons);
        text_append(out, " }");
    }
}

#include "coordinator/decide/disruption.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/decide/cron.h"

bool disruption_in_force(const struct disruption_budget_facts *budget, int64_t now_ms, int64_t *until_ms)
{
    struct cron cron;
    int64_t duration_ms = budget->duration_seconds * 1000;
    if (until_ms != NULL)
        *until_ms = INT64_MAX;
    if (budget->schedule[0] == '\0' || duration_ms <= 0 ||
        cron_parse(budget->schedule, strlen(budget->schedule), &cron, NULL) < 0)
        return true;
    int64_t opened_ms = cron_opened(&cron, now_ms, duration_ms);
    if (opened_ms == INT64_MIN)
        return false;
    if (until_ms != NULL)
        *until_ms = opened_ms + duration_ms;
    return true;
}

static bool concerns(const struct disruption_budget_facts *budget, const struct group *group,
                     enum disruption_reason reason)
{
    if (budget->reasons != 0 && (budget->reasons & (uint32_t)reason) == 0)
        return false;
    for (uint32_t i = 0; i < budget->group_count; i++)
        if (strcmp(budget->groups[i], group->facts.name) == 0)
            return true;
    return budget->group_count == 0;
}

struct census { // nodes of a group
    int64_t nodes, disturbed;
};

static struct census census(const struct group *group)
{
    struct census count = {0};
    for (uint32_t i = 0; i < group->intention_count; i++) {
        const struct intention *intention = group->intentions[i];
        const struct life *life = intention->decide;
        if (intention->node == NULL || life == NULL || life->step < LIFE_READY || life->step == LIFE_FAILED)
            continue;
        count.nodes++;
        count.disturbed += life->step != LIFE_READY || intention->node->ready != NODE_READY_TRUE;
    }
    return count;
}

static int64_t limit_of(const struct disruption_budget_facts *budget, int64_t nodes)
{
    return budget->nodes_max >= 0 ? budget->nodes_max : (nodes * budget->percent + 99) / 100;
}

struct disruption_room policy_disruption_room(struct core *core, struct group *group,
                                              enum disruption_reason reason)
{
    const struct config_facts *config = core->cluster->config;
    struct disruption_room room = {.left = INT64_MAX, .limit = INT64_MAX};
    if (config == NULL || config->budget_count == 0)
        return room;
    struct census count = census(group);
    room.disturbed = count.disturbed;
    for (uint32_t i = 0; i < config->budget_count; i++) {
        const struct disruption_budget_facts *budget = &config->budgets[i];
        int64_t until_ms;
        if (!concerns(budget, group, reason) || !disruption_in_force(budget, core->now_ms, &until_ms))
            continue;
        int64_t limit = limit_of(budget, count.nodes);
        if (limit >= room.limit)
            continue;
        room.limit = limit;
        room.budget = budget;
        room.due_ms = until_ms == INT64_MAX ? 0 : until_ms;
    }
    if (room.budget != NULL)
        room.left = room.limit > room.disturbed ? room.limit - room.disturbed : 0;
    return room;
}

void disruption_describe(const struct disruption_room *room, char *text, size_t bytes)
{
    const struct disruption_budget_facts *budget = room->budget;
    if (budget == NULL) {
        snprintf(text, bytes, "none");
        return;
    }
    char share[32] = "", window[120] = "", duration[32];
    if (budget->nodes_max < 0)
        snprintf(share, sizeof(share), " (%d%%)", budget->percent);
    struct cron cron;
    if (budget->schedule[0] != '\0' && budget->duration_seconds > 0 &&
        cron_parse(budget->schedule, strlen(budget->schedule), &cron, NULL) == 0) {
        policy_duration(duration, sizeof(duration), budget->duration_seconds * 1000);
        snprintf(window, sizeof(window), ", \"%.60s\" UTC for %s", budget->schedule, duration);
    } else if (budget->schedule[0] != '\0') {
        snprintf(window, sizeof(window), ", always: schedule \"%.60s\" %s", budget->schedule,
                 budget->duration_seconds > 0 ? "cannot be read" : "has no duration");
    }
    snprintf(text, bytes, "%lld%s%s", (long long)room->limit, share, window);
}

#include <stdio.h>

#include "coordinator/decide/policy.h"

// What a group's machines really use, as their agents measure it: a group that stays above its
// scaleUpPolicy's thresholds gets a machine before pods wait, and none goes that would bring it there.

#define USE_LOOK_MS 5000

static bool in_service(const struct intention *intention)
{
    const struct life *life = intention->decide;
    return life != NULL && life->step == LIFE_READY && intention->node != NULL &&
           intention->node->ready == NODE_READY_TRUE;
}

static bool is_heard(const struct core *core, const struct agent *agent)
{
    return agent != NULL && core->now_ms - agent->heard_ms <= core->config.agent_silent_ms &&
           agent->cpu_used_millis >= 0 && agent->memory_used_bytes >= 0 && agent->memory_total_bytes > 0;
}

static void count(struct group_sums *sums, const struct core *core, const struct node *node)
{
    if (!is_heard(core, node->agent)) {
        sums->silent++;
        return;
    }
    sums->nodes++;
    sums->cpu_used += (double)node->agent->cpu_used_millis;
    sums->cpu += (double)node->capacity.cpu_millis;
    sums->memory_used += (double)node->agent->memory_used_bytes;
    sums->memory += (double)node->agent->memory_total_bytes;
}

// Once for each moment, and again when one has begun to leave: every node of a group may be asked about in
// one look.
static const struct group_sums *sum_up(struct core *core, struct group *group)
{
    struct group_sums *sums = &group_policy(core, group)->sums;
    uint32_t ready = life_counts(core, group).ready;
    if (sums->at_ms == core->now_ms && sums->ready == ready)
        return sums;
    *sums = (struct group_sums){.at_ms = core->now_ms, .ready = ready};
    for (uint32_t i = 0; i < group->intention_count; i++)
        if (in_service(group->intentions[i]))
            count(sums, core, group->intentions[i]->node);
    return sums;
}

struct group_use policy_group_use(struct core *core, struct group *group, const struct node *without)
{
    struct group_sums sums = *sum_up(core, group);
    bool counted = without != NULL && without->intention != NULL && in_service(without->intention) &&
                   is_heard(core, without->agent);
    if (counted) {
        sums.nodes--;
        sums.cpu -= (double)without->capacity.cpu_millis;
        sums.memory -= (double)without->agent->memory_total_bytes;
    }
    if (sums.silent > 0 || sums.nodes == 0)
        return (struct group_use){.cpu = -1, .memory = -1, .nodes = sums.nodes, .silent = sums.silent};
    return (struct group_use){.cpu = sums.cpu > 0 ? 100.0 * sums.cpu_used / sums.cpu : -1,
                              .memory = sums.memory > 0 ? 100.0 * sums.memory_used / sums.memory : -1,
                              .nodes = sums.nodes};
}

bool policy_use_is_high(const struct group *group, const struct group_use *use)
{
    const struct scale_policy_facts *policy = &group->facts.scale_up;
    bool cpu = policy->cpu_threshold_percent > 0 && use->cpu >= policy->cpu_threshold_percent;
    bool memory = policy->memory_threshold_percent > 0 && use->memory >= policy->memory_threshold_percent;
    return cpu || memory;
}

int64_t policy_use_due_ms(struct core *core, struct group *group)
{
    int64_t since_ms = group_policy(core, group)->busy_since_ms;
    return since_ms == 0 ? 0 : since_ms + group->facts.scale_up.stabilization_seconds * 1000;
}

static void look_at(struct core *core, struct group *group)
{
    struct group_life_private *policy = group_policy(core, group);
    struct group_use use = policy_group_use(core, group, NULL);
    bool follows = group->facts.managed && group->facts.scale_up.enabled && group->facts.deletion_ms == 0;
    // a machine on its way is waited for: what it will take off the others is not known before
    if (!follows || life_counts(core, group).coming > 0 || !policy_use_is_high(group, &use)) {
        policy->busy_since_ms = 0;
        return;
    }
    if (policy->busy_since_ms == 0)
        policy->busy_since_ms = core->now_ms;
    int64_t due_ms = policy_use_due_ms(core, group);
    if (due_ms > core->now_ms)
        core_wake_at(core, due_ms);
    else if (core->policy->looked_ms + POLICY_LOOK_AGAIN_MS <= core->now_ms)
        core->policy->look_wanted = true;
}

void policy_follow_use(struct core *core)
{
    bool due = core->now_ms >= core->policy->use_next_ms;
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        int64_t due_ms = policy_use_due_ms(core, core->cluster->groups[i]);
        if (due || (due_ms != 0 && due_ms <= core->now_ms))
            look_at(core, core->cluster->groups[i]);
    }
    if (due)
        core->policy->use_next_ms = core->now_ms + USE_LOOK_MS;
}

void policy_say_use(const struct group *group, const struct group_use *use, char *buffer, size_t bytes)
{
    const struct scale_policy_facts *policy = &group->facts.scale_up;
    bool cpu = policy->cpu_threshold_percent > 0 && use->cpu >= policy->cpu_threshold_percent;
    snprintf(buffer, bytes, "%s use is %.0f%%, the threshold %d%%", cpu ? "cpu" : "memory",
             cpu ? use->cpu : use->memory,
             cpu ? policy->cpu_threshold_percent : policy->memory_threshold_percent);
}

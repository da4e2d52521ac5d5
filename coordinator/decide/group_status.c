#include <stdio.h>
#include <string.h>

#include "coordinator/decide/policy.h"

// NodeGroup status: written when it changed, at most every POLICY_STATUS_EVERY_MS a group, never in dry run.

static const char *const CONDITION_NAMES[GROUP_CONDITIONS] = {
    [CONDITION_READY] = "Ready",          [CONDITION_SCALING] = "Scaling",      [CONDITION_ERROR] = "Error",
    [CONDITION_AT_MIN] = "AtMinCapacity", [CONDITION_AT_MAX] = "AtMaxCapacity",
};

struct status { // of one group, as it is now
    struct core *core;
    struct group *group;
    struct group_life *life;
    struct group_life_private *policy;
    struct life_counts counts;
    struct growth growth;
    int32_t current, desired;
    struct condition_facts conditions[GROUP_CONDITIONS];
};

// ---- conditions

static void set_condition(struct status *status, enum group_condition which, bool on, const char *reason,
                          const char *message)
{
    struct group_life_private *policy = status->policy;
    enum tristate now = on ? TRISTATE_TRUE : TRISTATE_FALSE;
    if (policy->condition[which] == TRISTATE_UNSET) {
        // after a restart: a condition that holds still has held since what is stored says
        const struct nodegroup_facts *facts = &status->group->facts;
        for (uint32_t i = 0; i < facts->condition_count; i++)
            if (strcmp(facts->conditions[i].type, CONDITION_NAMES[which]) == 0) {
                policy->condition[which] = facts->conditions[i].status;
                policy->condition_since_ms[which] = facts->conditions[i].transition_ms;
            }
    }
    if (policy->condition[which] != now || policy->condition_since_ms[which] == 0) {
        policy->condition[which] = now;
        policy->condition_since_ms[which] = status->core->now_ms;
    }
    status->conditions[which] = (struct condition_facts){.type = CONDITION_NAMES[which],
                                                         .status = now,
                                                         .reason = reason,
                                                         .message = message,
                                                         .transition_ms = policy->condition_since_ms[which]};
}

// Fields of the spec that VPSie's managed clusters have no parameter for.
static const char *not_applicable(struct arena *arena, const struct group *group)
{
    const struct nodegroup_facts *facts = &group->facts;
    const struct {
        const char *name;
        bool set;
    } fields[] = {
        {"osImageID", facts->os_image_id[0] != '\0'},
        {"sshKeyIDs", facts->ssh_key_count > 0},
        {"tags", facts->tag_count > 0},
        {"notes", facts->notes[0] != '\0'},
        {"spotConfig", facts->spot_enabled},
    };
    char *names = arena_strdup(arena, "");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (fields[i].set)
            names = arena_printf(arena, "%s%s%s", names, names[0] != '\0' ? ", " : "", fields[i].name);
    // the version is the cluster's: worth a word only where it is another one
    for (uint32_t i = 0; i < group->intention_count && facts->kubernetes_version[0] != '\0'; i++) {
        const struct node *node = group->intentions[i]->node;
        if (node == NULL || node->kubelet_version[0] == '\0' ||
            text_starts_with(node->kubelet_version, facts->kubernetes_version))
            continue;
        return arena_printf(arena, "%s%skubernetesVersion (nodes run %s)", names,
                            names[0] != '\0' ? ", " : "", node->kubelet_version);
    }
    return names;
}

// A VPSie group has its machines in one data center, so a NodeGroup has, too.
static const char *missing_regions(struct status *status, struct arena *arena)
{
    const char *missing = policy_missing_regions(status->core, arena, status->group);
    return missing[0] == '\0'
               ? ""
               : arena_printf(
                     arena,
                     "; multiRegion: its machines are in %s only; for %s make NodeGroups there with the "
                     "same labels, taints and multiRegion",
                     status->group->facts.datacenter_id, missing);
}

static void ready_condition(struct status *status, struct arena *arena)
{
    const struct nodegroup_facts *facts = &status->group->facts;
    bool enough = (int64_t)status->counts.ready >= (int64_t)policy_minimum(status->group);
    const char *ignored = not_applicable(arena, status->group);
    const char *note =
        ignored[0] == '\0' ? "" : arena_printf(arena, "; not applicable in managed clusters: %s", ignored);
    set_condition(status, CONDITION_READY, enough && facts->invalid[0] == '\0',
                  facts->invalid[0] != '\0' ? "InvalidSpec"
                  : enough                  ? "EnoughNodes"
                                            : "TooFewNodes",
                  arena_printf(arena, "%u ready, at least %d asked for%s%s", status->counts.ready,
                               policy_minimum(status->group), note, missing_regions(status, arena)));
    if (ignored[0] == '\0' || status->policy->told_generation == facts->generation)
        return;
    // told once: what is stored already says so after a restart
    bool told = false;
    for (uint32_t i = 0; i < facts->condition_count; i++)
        told = told || text_contains_fold(facts->conditions[i].message, ignored);
    if (!told && core_may_write(status->core))
        core_event_group(status->core, status->group, 0, false, "NotApplicable",
                         "accepted, but managed clusters have no parameter for: %s", ignored);
    status->policy->told_generation = facts->generation;
}

static void error_condition(struct status *status, struct arena *arena)
{
    const struct nodegroup_facts *facts = &status->group->facts;
    const struct group_life *life = status->life;
    if (facts->invalid[0] != '\0')
        set_condition(status, CONDITION_ERROR, true, "InvalidSpec", arena_strdup(arena, facts->invalid));
    else if (life->problem[0] != '\0')
        set_condition(status, CONDITION_ERROR, true, "CloudProblem", arena_strdup(arena, life->problem));
    else if (life->backoff_until_ms > status->core->now_ms)
        set_condition(status, CONDITION_ERROR, true, "OrderRefused",
                      arena_strdup(arena, life->backoff_reason));
    else if (facts->doubtful[0] != '\0')
        set_condition(status, CONDITION_ERROR, true, "PartlyInvalidSpec",
                      arena_strdup(arena, facts->doubtful));
    else
        set_condition(status, CONDITION_ERROR, false, "NoError", "");
}

static void make_conditions(struct status *status, struct arena *arena)
{
    const struct nodegroup_facts *facts = &status->group->facts;
    struct life_counts counts = status->counts;
    ready_condition(status, arena);
    bool scaling = counts.coming > 0 || counts.leaving > 0;
    set_condition(status, CONDITION_SCALING, scaling,
                  counts.coming > 0    ? "ScalingUp"
                  : counts.leaving > 0 ? "ScalingDown"
                                       : "Steady",
                  scaling ? arena_printf(arena, "%u coming, %u leaving", counts.coming, counts.leaving) : "");
    error_condition(status, arena);
    bool at_min = status->desired <= facts->min_nodes;
    bool at_max = (int64_t)counts.total >= (int64_t)facts->max_nodes;
    set_condition(status, CONDITION_AT_MIN, at_min, at_min ? "AtMinimum" : "AboveMinimum",
                  arena_printf(arena, "minNodes %d", facts->min_nodes));
    set_condition(status, CONDITION_AT_MAX, at_max, at_max ? "AtMaximum" : "BelowMaximum",
                  arena_printf(arena, "maxNodes %d", facts->max_nodes));
}

// ---- for people

// One phrase: what somebody who looks at `status` wants to know first.
static void say_doing(struct status *status)
{
    struct group_life *life = status->life;
    const struct nodegroup_facts *facts = &status->group->facts;
    struct life_counts counts = status->counts;
    size_t bytes = sizeof(life->doing);
    const struct life *held = NULL;
    const char *held_name = "";
    for (uint32_t i = 0; i < status->group->intention_count && held == NULL; i++) {
        const struct intention *intention = status->group->intentions[i];
        const struct life *one = intention->decide;
        if (one == NULL || one->held[0] == '\0' || one->step < LIFE_READY || one->step >= LIFE_FAILED)
            continue;
        held = one;
        held_name = intention->node != NULL ? intention->node->name : intention->facts.name;
    }
    if (facts->invalid[0] != '\0')
        snprintf(life->doing, bytes, "invalid spec");
    else if (!facts->managed)
        snprintf(life->doing, bytes, "not managed");
    else if (facts->deletion_ms != 0)
        snprintf(life->doing, bytes, "being deleted, %u to go", counts.total);
    else if (policy_group_paused(status->group))
        snprintf(life->doing, bytes, "paused");
    else if (life->backoff_until_ms > status->core->now_ms)
        snprintf(life->doing, bytes, "backs off: %.90s", life->backoff_reason);
    else if (counts.coming > 0)
        snprintf(life->doing, bytes, "orders %u", counts.coming);
    else if (held != NULL)
        snprintf(life->doing, bytes, "keeps %.40s (%.60s)", held_name, held->held);
    else if (counts.leaving > 0)
        snprintf(life->doing, bytes, "removes %u", counts.leaving);
    else if ((int64_t)counts.total >= (int64_t)facts->max_nodes && status->policy->pending > 0)
        snprintf(life->doing, bytes, "at max");
    else
        snprintf(life->doing, bytes, "%s", life->problem[0] != '\0' ? "see explain group" : "steady");
}

// ---- writing

static const char *node_state(const struct intention *intention)
{
    const struct life *life = intention->decide;
    if (life == NULL)
        return "Unknown";
    if (life->step < LIFE_JOIN)
        return "Provisioning";
    if (life->step == LIFE_JOIN)
        return "Joining";
    if (life->step == LIFE_READY || life->step == LIFE_UNDO)
        return "Ready";
    return life->step == LIFE_FAILED ? "Failed" : "Terminating";
}

static const char *node_name(const struct intention *intention)
{
    return intention->node != NULL ? intention->node->name : intention->facts.node_name;
}

static struct group_node_facts *list_nodes(const struct group *group, struct arena *arena)
{
    struct group_node_facts *nodes = ARENA_ARRAY(arena, struct group_node_facts, group->intention_count + 1);
    for (uint32_t i = 0; i < group->intention_count; i++) {
        const struct intention *intention = group->intentions[i];
        const struct intention_facts *facts = &intention->facts;
        nodes[i] = (struct group_node_facts){.node_name = arena_strdup(arena, node_name(intention)),
                                             .vps_id = arena_strdup(arena, facts->identifier),
                                             .instance_type = arena_strdup(arena, facts->instance_type),
                                             .status = node_state(intention),
                                             .ip_address = arena_strdup(arena, facts->ip_address),
                                             .created_ms = facts->created_ms,
                                             .ready_ms = facts->ready_ms};
    }
    return nodes;
}

static uint64_t hash_number(uint64_t hash, int64_t number)
{
    for (int byte = 0; byte < 8; byte++)
        hash = (hash ^ ((uint64_t)number >> (8 * byte) & 0xff)) * 1099511628211ull;
    return hash;
}

static uint64_t hash_status(const struct status *status)
{
    const struct group *group = status->group;
    const struct group_life *life = status->life;
    const int64_t numbers[] = {status->current,        status->desired,        status->counts.ready,
                               life->vpsie_group_id,   life->last_scale_up_ms, life->last_scale_down_ms,
                               group->facts.generation};
    uint64_t hash = policy_hash(0, "");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        hash = hash_number(hash, numbers[i]);
    for (uint32_t i = 0; i < group->intention_count; i++) {
        const struct intention *intention = group->intentions[i];
        hash = policy_hash(policy_hash(hash, node_name(intention)), intention->facts.identifier);
        hash = policy_hash(policy_hash(hash, node_state(intention)), intention->facts.ip_address);
    }
    for (size_t i = 0; i < GROUP_CONDITIONS; i++) {
        hash = hash_number(hash, status->conditions[i].status);
        hash = policy_hash(policy_hash(hash, status->conditions[i].reason), status->conditions[i].message);
    }
    return hash == 0 ? 1 : hash;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void write_status(struct status *status)
{
    struct core *core = status->core;
    const struct group *group = status->group;
    const struct group_life *life = status->life;
    struct command *command = core_emit(core, COMMAND_KUBE_GROUP_STATUS, 0);
    struct arena *arena = core->out->arena;
    command->key = arena_printf(arena, "nodegroup/%s/%s", group->facts.space, group->facts.name);
    command->group_status.space = arena_strdup(arena, group->facts.space);
    command->group_status.name = arena_strdup(arena, group->facts.name);
    command->group_status.current = status->current;
    command->group_status.desired = status->desired;
    command->group_status.ready = (int32_t)status->counts.ready;
    command->group_status.vpsie_group_id = life->vpsie_group_id;
    command->group_status.nodes = list_nodes(group, arena);
    command->group_status.node_count = group->intention_count;
    struct condition_facts *conditions = ARENA_ARRAY(arena, struct condition_facts, GROUP_CONDITIONS);
    memcpy(conditions, status->conditions, sizeof(status->conditions));
    command->group_status.conditions = conditions;
    command->group_status.condition_count = GROUP_CONDITIONS;
    int64_t up_ms = later(life->last_scale_up_ms, group->facts.status_last_scale_up_ms);
    int64_t down_ms = later(life->last_scale_down_ms, group->facts.status_last_scale_down_ms);
    command->group_status.last_scale_up_ms = up_ms;
    command->group_status.last_scale_down_ms = down_ms;
    command->group_status.last_scale_ms = later(up_ms, down_ms);
    command->group_status.observed_generation = group->facts.generation;
    status->policy->status_sent = command->id;
}

static void update_one(struct core *core, struct group *group)
{
    struct status status = {.core = core,
                            .group = group,
                            .life = group_life(core, group),
                            .policy = group_policy(core, group),
                            .counts = life_counts(core, group)};
    status.current = (int32_t)(status.counts.ready + status.counts.leaving);
    status.desired = (int32_t)(status.counts.ready + status.counts.coming);
    status.life->desired = status.desired;
    say_doing(&status);
    if (!group->facts.managed || !core_may_write(core))
        return;
    struct group_life_private *policy = status.policy;
    int64_t next_ms = later(policy->status_at_ms + POLICY_STATUS_EVERY_MS, policy->status_not_before_ms);
    make_conditions(&status, core->out->arena);
    uint64_t hash = hash_status(&status);
    if (hash == policy->status_hash || policy->status_sent != 0)
        return;
    if (policy->status_at_ms != 0 && core->now_ms < next_ms) {
        core->policy->status_wanted = true;
        core_wake_at(core, next_ms);
        return;
    }
    policy->status_hash = hash;
    policy->status_at_ms = core->now_ms;
    write_status(&status);
}

void group_status_update(struct core *core)
{
    struct policy_shared *policy = core->policy;
    if (!core->synced || !core->leading || !core->taken_over || !policy->status_wanted)
        return;
    if (core->now_ms < policy->status_next_ms) {
        core_wake_at(core, policy->status_next_ms);
        return;
    }
    policy->status_wanted = false;
    policy->status_next_ms = core->now_ms + POLICY_STATUS_LOOK_MS;
    for (uint32_t i = 0; i < core->cluster->group_count; i++)
        update_one(core, core->cluster->groups[i]);
}

void group_status_event(struct core *core, const struct event *event)
{
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        struct group_life_private *policy = group_policy(core, core->cluster->groups[i]);
        if (policy->status_sent == 0 || policy->status_sent != event->outcome.command_id)
            continue;
        policy->status_sent = 0;
        if (event->outcome.outcome == OUTCOME_OK)
            return;
        policy->status_hash = 0;
        int64_t wait_ms = event->outcome.retry_after_ms > POLICY_STATUS_RETRY_MS
                              ? event->outcome.retry_after_ms
                              : POLICY_STATUS_RETRY_MS;
        policy->status_not_before_ms = event->now_ms + wait_ms;
        return;
    }
}

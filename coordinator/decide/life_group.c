#include "coordinator/decide/life.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// A NodeGroup's VPSie groups are made when they are not there, and listed again for their numeric ids; the
// finalizers of NodeGroups. (Which VPSie groups a NodeGroup has: life_pools.c.)

#define CREATE_AGAIN_MS    (5 * LIFE_MINUTE_MS) // a group that was made may be so long in coming into the list
#define CREATE_RETRY_MS    (5 * LIFE_SECOND_MS)
#define REFUSED_LEAST_MS   (30 * LIFE_SECOND_MS)
#define FINALIZER_RETRY_MS (5 * LIFE_SECOND_MS)

struct group_life_keep *group_keep(struct core *core, struct group *group)
{
    struct group_life *life = group_life(core, group);
    if (life->keep == NULL)
        life->keep = xcalloc(1, sizeof(*life->keep));
    return life->keep;
}

static bool is_retained(const struct group *group)
{
    const char *policy = labels_get(&group->facts.annotations, KEY_DELETION_POLICY);
    return policy != NULL && strcmp(policy, "retain") == 0;
}

bool group_retains(const struct group *group)
{
    return group->facts.deletion_ms != 0 && is_retained(group);
}

bool group_goes(const struct core *core, const struct group *group, int64_t *due_ms)
{
    if (group->facts.deletion_ms == 0 || is_retained(group))
        return false;
    *due_ms = group->facts.deletion_ms + GROUPS_GONE_WINDOW_MS;
    return core->now_ms >= *due_ms;
}

// ---- making

bool group_is_there(struct core *core, struct group *group, struct pool *pool)
{
    if (pool->vpsie_group_id != 0)
        return true;
    struct cloud_watch *watch = cloud_watch_of(core, group->facts.resource_identifier);
    if (watch->trusted == 0 || watch->suspect || !pool->orderable || watch->create_command != 0)
        return false;
    if (core->now_ms < pool->keep.create_retry_ms)
        return false;
    struct arena *arena = core->out->arena;
    struct command *command = core_emit(core, COMMAND_VPSIE_CREATE_GROUP, 0);
    command->key = arena_printf(arena, "vpsie/%s/groups", watch->cluster);
    command->create_group.cluster = arena_strdup(arena, watch->cluster);
    command->create_group.name = arena_strdup(arena, pool->name);
    command->create_group.size_id = pool->size_id;
    watch->create_command = command->id;
    watch->create_group = life_intern(core, group->facts.name);
    watch->create_pool = pool->name;
    pool->keep.create_retry_ms = core->now_ms + CREATE_AGAIN_MS;
    core_note(core, NOTE_INFO, 0, arena_printf(arena, "group %s", group->facts.name),
              "has no VPSie group %s: it is made with size %lld", pool->name, (long long)pool->size_id);
    return false;
}

static void take_created(struct core *core, struct cloud_watch *watch, const struct event *event)
{
    watch->create_command = 0;
    cloud_watch_ask(watch); // for its numeric id
    struct group *group = cluster_group(core->cluster, NULL, watch->create_group);
    struct pool *pool = group != NULL ? pool_named(core, group, watch->create_pool) : NULL;
    if (pool == NULL)
        return;
    switch (event->outcome.outcome) {
    case OUTCOME_OK:
    case OUTCOME_UNKNOWN: break; // the list will tell
    case OUTCOME_NOT_SENT:
    case OUTCOME_THROTTLED:
        pool->keep.create_retry_ms =
            core->now_ms + (event->outcome.retry_after_ms > CREATE_RETRY_MS ? event->outcome.retry_after_ms
                                                                            : CREATE_RETRY_MS);
        break;
    default:
        pool->keep.create_retry_ms = core->now_ms + REFUSED_LEAST_MS;
        group_back_off(core, group, pool, event->outcome.outcome == OUTCOME_LIMITED,
                       arena_printf(core->out->arena, "VPSie refuses to make the group: %s",
                                    event->outcome.detail != NULL ? event->outcome.detail : ""));
        break;
    }
}

bool group_outcome(struct core *core, const struct event *event)
{
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        struct group_life_keep *keep = group_keep(core, core->cluster->groups[i]);
        if (keep->finalizer_command != event->outcome.command_id)
            continue;
        keep->finalizer_command = 0;
        if (event->outcome.outcome != OUTCOME_OK)
            keep->finalizer_retry_ms = core->now_ms + FINALIZER_RETRY_MS;
        return true;
    }
    for (uint32_t i = 0; i < core->life->cloud_count; i++) {
        struct cloud_watch *watch = &core->life->clouds[i];
        if (watch->create_command != event->outcome.command_id)
            continue;
        take_created(core, watch, event);
        return true;
    }
    return false;
}

// ---- finalizers

static void write_finalizer(struct core *core, struct group *group, bool present)
{
    struct group_life_keep *keep = group_keep(core, group);
    if (keep->finalizer_command != 0)
        return;
    if (core->now_ms < keep->finalizer_retry_ms) {
        core_wake_at(core, keep->finalizer_retry_ms);
        return;
    }
    struct arena *arena = core->out->arena;
    struct command *command = core_emit(core, COMMAND_KUBE_GROUP_FINALIZER, 0);
    command->key = arena_printf(arena, "nodegroup/%s/%s", group->facts.space, group->facts.name);
    command->group_finalizer.space = arena_strdup(arena, group->facts.space);
    command->group_finalizer.name = arena_strdup(arena, group->facts.name);
    command->group_finalizer.present = present;
    keep->finalizer_command = command->id;
    keep->finalizer_retry_ms = core->now_ms + FINALIZER_RETRY_MS; // until the watch shows it
}

static bool has_births(const struct core *core, const struct group *group)
{
    for (uint32_t i = 0; i < core->life->birth_count; i++)
        if (strcmp(core->life->births[i].group, group->facts.name) == 0 &&
            strcmp(core->life->births[i].space, group->facts.space) == 0)
            return true;
    return false;
}

static bool all_let_go(const struct group *group)
{
    for (uint32_t i = 0; i < group->intention_count; i++)
        if (group->intentions[i]->facts.has_finalizer)
            return false;
    return true;
}

void groups_advance(struct core *core)
{
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        struct group *group = core->cluster->groups[i];
        if (!group->facts.managed || core_paused(core, group))
            continue;
        if (group->facts.deletion_ms == 0) {
            if (!group->facts.has_finalizer)
                write_finalizer(core, group, true);
            continue;
        }
        bool empty = group->intention_count == 0 && !has_births(core, group);
        if (group->facts.has_finalizer && (empty || (group_retains(group) && all_let_go(group))))
            write_finalizer(core, group, false);
    }
}

#include "coordinator/decide/life.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A VPSieNode on its way to the API server. It is confirmed when the watch shows it; until then it counts as
// coming, so that it is not asked for twice.

#define CREATE_LEAST_MS LIFE_SECOND_MS
#define CREATE_MOST_MS  (30 * LIFE_SECOND_MS)
#define UNSEEN_ASK_MS   (30 * LIFE_SECOND_MS) // confirmed and not seen: the watch is late, or it is gone again
#define UNSEEN_DROP_MS  (3 * LIFE_MINUTE_MS)
#define NAME_BYTES_MAX  63 // it becomes a label's value
#define SUFFIX_LETTERS  6

static void free_birth(struct birth *birth)
{
    free(birth->space);
    free(birth->name);
    free(birth->group);
}

void order_forget(struct core *core)
{
    for (uint32_t i = 0; i < core->life->birth_count; i++)
        free_birth(&core->life->births[i]);
    core->life->birth_count = 0;
}

static void drop(struct core *core, uint32_t index)
{
    struct life_shared *shared = core->life;
    free_birth(&shared->births[index]);
    memmove(&shared->births[index], &shared->births[index + 1],
            (shared->birth_count - index - 1) * sizeof(*shared->births));
    shared->birth_count--;
    shared->version++;
}

// ---- names

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
    return hash ^ (hash >> 29);
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = mix(hash, (unsigned char)*text);
    return hash;
}

static void write_name(char *name, size_t bytes, const char *group, uint64_t hash)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    int kept = NAME_BYTES_MAX - SUFFIX_LETTERS - 1;
    int length = snprintf(name, bytes, "%.*s-", kept, group);
    for (int i = 0; i < SUFFIX_LETTERS; i++) {
        name[length + i] = letters[hash % (sizeof(letters) - 1)];
        hash /= sizeof(letters) - 1;
    }
    name[length + SUFFIX_LETTERS] = '\0';
}

static bool name_taken(const struct core *core, const char *space, const char *name)
{
    for (uint32_t i = 0; i < core->life->birth_count; i++)
        if (strcmp(core->life->births[i].name, name) == 0)
            return true;
    return cluster_intention(core->cluster, space, name) != NULL;
}

// New every time; of an adopted machine always the same, so that it cannot be adopted twice.
static char *new_name(struct core *core, const struct group *group, const struct machine_facts *adopt)
{
    char name[NAME_BYTES_MAX + 1], key[300];
    uint64_t hash = mix_text(mix(core->config.seed, 1), group->facts.name);
    if (adopt != NULL) {
        machine_key(adopt, key, sizeof(key));
        write_name(name, sizeof(name), group->facts.name, mix_text(hash, key));
        return name_taken(core, group->facts.space, name) ? NULL : xstrdup(name);
    }
    hash = mix_text(mix(mix(hash, core->term), (uint64_t)core->now_ms), core->config.identity);
    do {
        write_name(name, sizeof(name), group->facts.name, mix(hash, ++core->life->names));
    } while (name_taken(core, group->facts.space, name));
    return xstrdup(name);
}

// ---- asking

bool order_new_birth(struct core *core, struct group *group, const struct pool *pool, uint64_t decision_id,
                     const char *reason, const struct machine_facts *adopt)
{
    struct life_shared *shared = core->life;
    char *name = new_name(core, group, adopt);
    if (name == NULL)
        return false;
    if (shared->birth_count == shared->birth_capacity) {
        shared->birth_capacity = shared->birth_capacity != 0 ? shared->birth_capacity * 2 : 16;
        shared->births = xrealloc_array(shared->births, shared->birth_capacity, sizeof(*shared->births));
    }
    struct birth *birth = &shared->births[shared->birth_count++];
    *birth = (struct birth){.space = xstrdup(group->facts.space),
                            .name = name,
                            .group = xstrdup(group->facts.name),
                            .decision_id = decision_id,
                            .size_id = pool != NULL ? pool->size_id : group->facts.kube_size_id,
                            .reason = life_intern(core, reason)};
    if (adopt != NULL) {
        birth->adopt = machine_name_of(core, adopt);
        birth->adopts = true;
        birth->vpsie_group_id = pool->vpsie_group_id;
    }
    shared->version++;
    return true;
}

static void order_of(struct core *core, struct group *group, struct pool *pool, uint32_t count,
                     uint64_t decision_id, const char *reason)
{
    assert(core_may_write(core));
    if (pool != NULL)
        count -= adopt_for(core, group, pool, count, decision_id);
    for (uint32_t i = 0; i < count; i++)
        (void)order_new_birth(core, group, pool, decision_id, reason, NULL);
}

void life_order(struct core *core, struct group *group, uint32_t count, uint64_t decision_id,
                const char *creation_reason)
{
    struct pool *pool = life_pool(core, group, group_life(core, group)->size_id);
    order_of(core, group, pool, count, decision_id, creation_reason);
}

void life_order_size(struct core *core, struct group *group, int64_t size_id, uint32_t count,
                     uint64_t decision_id, const char *creation_reason)
{
    struct pool *pool = life_pool(core, group, size_id);
    if (pool != NULL)
        order_of(core, group, pool, count, decision_id, creation_reason);
    else
        core_note(core, NOTE_WARN, decision_id, arena_printf(core->out->arena, "group %s", group->facts.name),
                  "machines of size %" PRId64 " cannot be had here: not ordered", size_id);
}

uint32_t life_unseen(const struct core *core, const struct group *group, int64_t size_id)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < core->life->birth_count; i++) {
        const struct birth *birth = &core->life->births[i];
        count += birth->size_id == size_id && strcmp(birth->group, group->facts.name) == 0 &&
                 strcmp(birth->space, group->facts.space) == 0;
    }
    return count;
}

static struct labels birth_labels(struct arena *arena, const struct group *group)
{
    struct label *labels = ARENA_ARRAY(arena, struct label, 3); // in the order of their keys
    labels[0] = (struct label){KEY_DATACENTER, arena_strdup(arena, group->facts.datacenter_id)};
    labels[1] = (struct label){KEY_MANAGED, "true"};
    labels[2] = (struct label){KEY_NODEGROUP, arena_strdup(arena, group->facts.name)};
    return (struct labels){labels, 3};
}

static struct labels birth_annotations(struct arena *arena, const struct birth *birth)
{
    struct label *annotations = ARENA_ARRAY(arena, struct label, 4); // in the order of their keys
    uint32_t count = 0;
    annotations[count++] = (struct label){KEY_CREATED_BY, CREATED_BY_US};
    annotations[count++] = (struct label){KEY_CREATION_REASON, birth->reason};
    if (birth->adopts && birth->adopt.hostname[0] != '\0')
        annotations[count++] = (struct label){KEY_HOSTNAME, birth->adopt.hostname};
    if (birth->adopts)
        annotations[count++] = (struct label){KEY_ORDER, order_mark_name(ORDER_ADOPTED)};
    return (struct labels){annotations, count};
}

static void create(struct core *core, struct birth *birth, struct group *group)
{
    struct arena *arena = core->out->arena;
    const struct nodegroup_facts *of = &group->facts;
    struct intention_facts *facts = ARENA_NEW(arena, struct intention_facts);
    *facts = (struct intention_facts){
        .space = arena_strdup(arena, birth->space),
        .name = arena_strdup(arena, birth->name),
        .uid = "",
        .resource_version = "",
        .has_finalizer = true,
        .labels = birth_labels(arena, group),
        .annotations = birth_annotations(arena, birth),
        .group_name = arena_strdup(arena, of->name),
        .owner_uid = arena_strdup(arena, of->uid),
        .vpsie_instance_id = birth->adopt.id,
        .identifier = birth->adopts ? birth->adopt.identifier : "",
        .vpsie_group_id = birth->vpsie_group_id,
        .instance_type = arena_printf(arena, "%" PRId64, birth->size_id),
        .datacenter_id = arena_strdup(arena, of->datacenter_id),
        .resource_identifier = arena_strdup(arena, of->resource_identifier),
        .project = arena_strdup(arena, of->project),
        .kubernetes_version = arena_strdup(arena, of->kubernetes_version),
        .node_name = "",
        .ip_address = birth->adopts && birth->adopt.ip != NULL ? birth->adopt.ip : "",
        .hostname = "",
        .last_error = "",
    };
    struct command *command = core_emit(core, COMMAND_KUBE_CREATE_INTENTION, birth->decision_id);
    command->key = arena_printf(arena, "vpsienode/%s/%s", birth->space, birth->name);
    command->create_intention.facts = facts;
    command->create_intention.owner_name = facts->group_name;
    birth->command = command->id;
    birth->asked_ms = core->now_ms;
}

// True when the birth is to be dropped.
static bool advance(struct core *core, struct birth *birth)
{
    struct group *group = cluster_group(core->cluster, birth->space, birth->group);
    if (birth->command != 0)
        return false;
    if (birth->confirmed) {
        int64_t unseen_ms = core->now_ms - birth->asked_ms;
        if (unseen_ms >= UNSEEN_ASK_MS && birth->fresh_asked == 0)
            birth->fresh_asked = takeover_ask_fresh(core);
        core_wake_at(core, birth->asked_ms + (birth->fresh_asked == 0 ? UNSEEN_ASK_MS : UNSEEN_DROP_MS));
        return unseen_ms >= UNSEEN_DROP_MS;
    }
    if (group == NULL || group->facts.deletion_ms != 0)
        return true;
    if (core_paused(core, group))
        return false;
    if (core->now_ms < birth->retry_ms)
        core_wake_at(core, birth->retry_ms);
    else
        create(core, birth, group);
    return false;
}

void order_births(struct core *core)
{
    for (uint32_t i = 0; i < core->life->birth_count;) {
        if (advance(core, &core->life->births[i]))
            drop(core, i);
        else
            i++;
    }
}

// ---- answers

static void retry(struct core *core, struct birth *birth, const struct event *event)
{
    int64_t wait_ms = CREATE_LEAST_MS;
    for (uint32_t i = 0; i < birth->attempts && wait_ms < CREATE_MOST_MS; i++)
        wait_ms *= 2;
    birth->attempts++;
    if (event->outcome.retry_after_ms > wait_ms)
        wait_ms = event->outcome.retry_after_ms;
    birth->retry_ms = core->now_ms + wait_ms;
}

static void refused(struct core *core, const struct birth *birth, const struct event *event)
{
    struct group *group = cluster_group(core->cluster, birth->space, birth->group);
    if (group != NULL)
        group_back_off(core, group, NULL, false,
                       arena_printf(core->out->arena, "the API server refuses the VPSieNode: %s",
                                    event->outcome.detail != NULL ? event->outcome.detail : ""));
}

// Its name is taken. By ourselves, when an answer was lost; else another name is needed.
static void name_conflict(struct core *core, struct birth *birth, const struct event *event)
{
    struct group *group = cluster_group(core->cluster, birth->space, birth->group);
    if (birth->maybe_there || birth->adopts || group == NULL) {
        birth->confirmed = true;
        return;
    }
    char *taken = birth->name;
    birth->name = new_name(core, group, NULL);
    free(taken);
    retry(core, birth, event);
}

bool order_birth_outcome(struct core *core, const struct event *event)
{
    struct life_shared *shared = core->life;
    uint32_t i = 0;
    while (i < shared->birth_count && shared->births[i].command != event->outcome.command_id)
        i++;
    if (i == shared->birth_count)
        return false;
    struct birth *birth = &shared->births[i];
    birth->command = 0;
    switch (event->outcome.outcome) {
    case OUTCOME_OK: birth->confirmed = true; break;
    case OUTCOME_CONFLICT: name_conflict(core, birth, event); break;
    case OUTCOME_UNKNOWN:
        birth->maybe_there = true;
        retry(core, birth, event);
        break;
    case OUTCOME_NOT_SENT:
    case OUTCOME_THROTTLED: retry(core, birth, event); break;
    default:
        refused(core, birth, event);
        drop(core, i);
        break;
    }
    return true;
}

void order_birth_seen(struct core *core, const struct intention *intention)
{
    struct life_shared *shared = core->life;
    for (uint32_t i = 0; i < shared->birth_count; i++) {
        const struct birth *birth = &shared->births[i];
        if (strcmp(birth->name, intention->facts.name) != 0 ||
            strcmp(birth->space, intention->facts.space) != 0)
            continue;
        life_private_of(intention)->life->decision_id = birth->decision_id;
        drop(core, i);
        return;
    }
}

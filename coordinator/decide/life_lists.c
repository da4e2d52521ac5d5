#include "coordinator/decide/life.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// VPSie is read in rounds: the groups first, then the machines, so that whatever a group counts had its
// chance to be in the list. One round at a time for a cluster; nothing is concluded from half a round.

#define ROUND_RETRY_LEAST_MS (2 * LIFE_SECOND_MS)
#define ROUND_RETRY_MOST_MS  (60 * LIFE_SECOND_MS)
#define OFFERS_EVERY_MS      (60 * LIFE_MINUTE_MS)
#define OFFERS_RETRY_MS      (15 * LIFE_SECOND_MS)
// Who has been blind needs so long to see what happened meanwhile: counts lag, machines vanish.
#define WATCHED_MS (COUNT_LAG_MS + 2 * LIFE_MINUTE_MS)
#define GAP_MS     (3 * LIFE_MINUTE_MS) // between two rounds, and the watch is broken off
#define GAP_ROUNDS 3

// ---- who is who

bool machine_known(const struct machine_name *name)
{
    return name->identifier[0] != '\0' || name->id != 0 || name->hostname[0] != '\0';
}

// The surest part that both sides know decides.
bool machine_is(const struct machine_name *name, const struct machine_facts *machine)
{
    if (name->identifier[0] != '\0' && machine->identifier[0] != '\0')
        return strcmp(name->identifier, machine->identifier) == 0;
    if (name->id != 0 && machine->id != 0)
        return name->id == machine->id;
    return name->hostname[0] != '\0' && text_equal_fold(name->hostname, machine->hostname);
}

struct machine_name machine_name_of(const struct core *core, const struct machine_facts *machine)
{
    return (struct machine_name){.identifier = life_intern(core, machine->identifier),
                                 .id = machine->id,
                                 .hostname = life_intern_fold(core, machine->hostname),
                                 .ip = life_intern(core, machine->default_ip),
                                 .private_ip = life_intern(core, machine->private_ip)};
}

struct node *machine_node(const struct core *core, const struct machine_facts *machine)
{
    struct node *node = cluster_node_fold(core->cluster, machine->hostname);
    if (node == NULL)
        node = cluster_node_by_ip(core->cluster, machine->private_ip);
    if (node == NULL)
        node = cluster_node_by_ip(core->cluster, machine->default_ip);
    return node;
}

bool node_is_master(const struct node *node)
{
    return labels_get(&node->labels, "node-role.kubernetes.io/control-plane") != NULL ||
           labels_get(&node->labels, "node-role.kubernetes.io/master") != NULL;
}

// ---- watches

struct cloud_watch *cloud_watch_find(struct core *core, const char *cluster)
{
    struct life_shared *shared = core->life;
    for (uint32_t i = 0; i < shared->cloud_count; i++)
        if (strcmp(shared->clouds[i].cluster, cluster) == 0)
            return &shared->clouds[i];
    return NULL;
}

// Valid until the next cluster is first heard of.
struct cloud_watch *cloud_watch_of(struct core *core, const char *cluster)
{
    struct life_shared *shared = core->life;
    struct cloud_watch *found = cloud_watch_find(core, cluster);
    if (found != NULL)
        return found;
    if (shared->cloud_count == shared->cloud_capacity) {
        shared->cloud_capacity = shared->cloud_capacity != 0 ? shared->cloud_capacity * 2 : 4;
        shared->clouds = xrealloc_array(shared->clouds, shared->cloud_capacity, sizeof(*shared->clouds));
    }
    struct cloud_watch *watch = &shared->clouds[shared->cloud_count++];
    *watch = (struct cloud_watch){.cluster = life_intern(core, cluster)};
    return watch;
}

uint64_t cloud_watch_ask(struct cloud_watch *watch)
{
    if (watch->wanted <= watch->started)
        watch->wanted = watch->started + 1;
    return watch->started + 1;
}

static void forget_watch(struct cloud_watch *watch)
{
    for (uint32_t i = 0; i < watch->sighting_count; i++)
        free(watch->sightings[i].key);
    free(watch->sightings);
    free(watch->counted);
    free(watch->owners);
}

void lists_forget(struct core *core)
{
    struct life_shared *shared = core->life;
    for (uint32_t i = 0; i < shared->cloud_count; i++)
        forget_watch(&shared->clouds[i]);
    shared->cloud_count = 0;
    shared->users_changed = true;
    for (uint32_t i = 0; i < shared->offers_count; i++) {
        shared->offers[i].command = 0;
        shared->offers[i].next_ms = 0;
    }
}

static struct offers_watch *offers_watch_of(struct core *core, const char *cluster, const char *datacenter)
{
    struct life_shared *shared = core->life;
    for (uint32_t i = 0; i < shared->offers_count; i++)
        if (strcmp(shared->offers[i].datacenter, datacenter) == 0)
            return &shared->offers[i];
    if (shared->offers_count == shared->offers_capacity) {
        shared->offers_capacity = shared->offers_capacity != 0 ? shared->offers_capacity * 2 : 4;
        shared->offers = xrealloc_array(shared->offers, shared->offers_capacity, sizeof(*shared->offers));
    }
    struct offers_watch *watch = &shared->offers[shared->offers_count++];
    *watch = (struct offers_watch){.cluster = life_intern(core, cluster),
                                   .datacenter = life_intern(core, datacenter)};
    return watch;
}

// ---- asking

static struct command *ask(struct core *core, enum command_kind kind, const char *cluster,
                           const char *datacenter)
{
    struct command *command = core_emit(core, kind, 0);
    command->key = arena_printf(core->out->arena, "vpsie/%s/%s", cluster, command_kind_name(kind));
    command->vpsie_list.cluster = arena_strdup(core->out->arena, cluster);
    command->vpsie_list.datacenter_id = arena_strdup(core->out->arena, datacenter);
    return command;
}

// How often: while an order or a removal is open, soon again.
static bool busy(const struct core *core, const struct cloud_watch *watch)
{
    if (core->life->birth_count > 0)
        return true;
    for (uint32_t i = 0; i < core->life->open_count; i++) {
        const struct life_private *p = core->life->open[i];
        bool waits = p->waits_list || (life_is_order(p) && p->life->step != LIFE_BASELINE_WRITE) ||
                     (p->life->step == LIFE_JOIN && p->machine == NULL);
        if (waits && strcmp(p->intention->facts.resource_identifier, watch->cluster) == 0)
            return true;
    }
    return watch->suspect;
}

static void advance_round(struct core *core, struct cloud_watch *watch)
{
    if (watch->groups_command != 0 || watch->machines_command != 0)
        return;
    int64_t due_ms = watch->next_ms;
    bool failing = watch->failures > 0;
    if (!failing && watch->wanted > watch->started)
        due_ms = core->now_ms;
    else if (!failing && watch->completed_ms != 0 && busy(core, watch) &&
             watch->completed_ms + core->config.machines_busy_ms < due_ms)
        due_ms = watch->completed_ms + core->config.machines_busy_ms;
    if (core->now_ms < due_ms) {
        core_wake_at(core, due_ms);
        return;
    }
    watch->started++;
    watch->started_ms = core->now_ms;
    watch->groups_command = ask(core, COMMAND_VPSIE_LIST_GROUPS, watch->cluster, "")->id;
}

static void advance_offers(struct core *core, struct offers_watch *watch)
{
    if (watch->command != 0)
        return;
    if (core->now_ms < watch->next_ms) {
        core_wake_at(core, watch->next_ms);
        return;
    }
    watch->command = ask(core, COMMAND_VPSIE_LIST_OFFERS, watch->cluster, watch->datacenter)->id;
}

static void find_users(struct core *core)
{
    struct cluster *cluster = core->cluster;
    for (uint32_t i = 0; i < core->life->cloud_count; i++)
        core->life->clouds[i].used = false;
    for (uint32_t i = 0; i < cluster->group_count; i++) {
        const struct nodegroup_facts *facts = &cluster->groups[i]->facts;
        if (!facts->managed || facts->resource_identifier[0] == '\0')
            continue;
        cloud_watch_of(core, facts->resource_identifier)->used = true;
        if (facts->datacenter_id[0] != '\0')
            offers_watch_of(core, facts->resource_identifier, facts->datacenter_id);
    }
    for (uint32_t i = 0; i < cluster->intention_count; i++) {
        const struct intention_facts *facts = &cluster->intentions[i]->facts;
        if (facts->resource_identifier[0] != '\0')
            cloud_watch_of(core, facts->resource_identifier)->used = true;
    }
    core->life->users_changed = false;
}

void lists_advance(struct core *core)
{
    struct life_shared *shared = core->life;
    if (!core->leading || !core->synced || !shared->fresh_read)
        return;
    if (shared->users_changed)
        find_users(core);
    for (uint32_t i = 0; i < shared->cloud_count; i++)
        if (shared->clouds[i].used)
            advance_round(core, &shared->clouds[i]);
    for (uint32_t i = 0; i < shared->offers_count; i++)
        advance_offers(core, &shared->offers[i]);
}

// ---- answers

static void touch_cloud(struct core *core, const struct cloud_watch *watch)
{
    for (uint32_t i = 0; i < core->life->open_count; i++)
        if (strcmp(core->life->open[i]->intention->facts.resource_identifier, watch->cluster) == 0)
            core->life->open[i]->touched = true;
}

static void round_failed(struct core *core, struct cloud_watch *watch, const struct event *event)
{
    int64_t wait_ms = ROUND_RETRY_LEAST_MS;
    for (uint32_t i = 0; i < watch->failures && wait_ms < ROUND_RETRY_MOST_MS; i++)
        wait_ms *= 2;
    watch->failures++;
    if (wait_ms > ROUND_RETRY_MOST_MS)
        wait_ms = ROUND_RETRY_MOST_MS;
    if (event->outcome.retry_after_ms > wait_ms)
        wait_ms = event->outcome.retry_after_ms;
    watch->next_ms = core->now_ms + wait_ms;
    watch->hopeless =
        event->outcome.outcome == OUTCOME_NOT_FOUND || event->outcome.outcome == OUTCOME_REFUSED;
    snprintf(watch->failure, sizeof(watch->failure), "%s",
             event->outcome.detail != NULL ? event->outcome.detail : "");
}

static void take_groups(struct core *core, struct cloud_watch *watch, const struct event *event)
{
    watch->groups_command = 0;
    if (event->outcome.outcome != OUTCOME_OK) {
        round_failed(core, watch, event);
        return;
    }
    cluster_put_vpsie_groups(core->cluster, watch->cluster, core->now_ms, event->outcome.groups,
                             event->outcome.group_count);
    watch->machines_command = ask(core, COMMAND_VPSIE_LIST_MACHINES, watch->cluster, "")->id;
}

static bool broken_off(const struct core *core, const struct cloud_watch *watch)
{
    int64_t gap_ms = GAP_ROUNDS * core->config.machines_busy_ms;
    return core->now_ms > watch->trusted_ms + (gap_ms > GAP_MS ? gap_ms : GAP_MS);
}

static void follow_watch(struct core *core, struct cloud_watch *watch)
{
    bool matched = !watch->suspect && core->taken_over && core_may_write(core) && core->kube_reachable;
    if (!matched)
        watch->watched_since_ms = 0;
    else if (watch->watched_since_ms == 0 || broken_off(core, watch))
        watch->watched_since_ms = core->now_ms;
    if (!watch->suspect)
        watch->trusted_ms = core->now_ms;
}

bool lists_watched(struct life_private *p)
{
    const struct core *core = p->core;
    const struct cloud_watch *watch = cloud_watch_of(p->core, p->intention->facts.resource_identifier);
    int64_t least_ms = core->config.appearance_bound_ms;
    if (least_ms > WATCHED_MS)
        least_ms = WATCHED_MS;
    if (watch->watched_since_ms == 0 || broken_off(core, watch))
        return false; // the next round touches it
    life_due(p, watch->watched_since_ms + least_ms);
    return core->now_ms >= watch->watched_since_ms + least_ms;
}

static void take_machines(struct core *core, struct cloud_watch *watch, const struct event *event)
{
    watch->machines_command = 0;
    if (event->outcome.outcome != OUTCOME_OK) {
        round_failed(core, watch, event);
        return;
    }
    watch->failures = 0;
    watch->hopeless = false;
    watch->failure[0] = '\0';
    watch->completed = watch->started;
    watch->completed_ms = core->now_ms;
    watch->next_ms = core->now_ms + core->config.machines_every_ms;
    watch->read = true;
    watch->suspect = !lists_trusted(core, watch, event->outcome.machines, event->outcome.machine_count,
                                    watch->why, sizeof(watch->why));
    follow_watch(core, watch);
    touch_cloud(core, watch);
    if (watch->suspect)
        return;
    watch->accept = false;
    cluster_put_machines(core->cluster, watch->cluster, core->now_ms, event->outcome.machines,
                         event->outcome.machine_count);
    watch->trusted = watch->started;
    owners_find(core, watch);
    groups_resolve(core);
    if (!core->taken_over)
        return;
    adopt_resolve(core, watch);
    owners_follow(core, watch);
    attribution_match(core, watch);
    adopt_surplus_view(core, watch);
}

static void take_offers(struct core *core, struct offers_watch *watch, const struct event *event)
{
    watch->command = 0;
    if (event->outcome.outcome != OUTCOME_OK) {
        watch->failures++;
        int64_t wait_ms = OFFERS_RETRY_MS * (watch->failures < 20 ? watch->failures : 20);
        if (event->outcome.retry_after_ms > wait_ms)
            wait_ms = event->outcome.retry_after_ms;
        watch->next_ms = core->now_ms + wait_ms;
        return;
    }
    watch->failures = 0;
    watch->next_ms = core->now_ms + OFFERS_EVERY_MS;
    cluster_put_offers(core->cluster, watch->datacenter, core->now_ms, event->outcome.offers,
                       event->outcome.offer_count);
    groups_resolve(core);
}

bool lists_outcome(struct core *core, const struct event *event)
{
    struct life_shared *shared = core->life;
    uint64_t id = event->outcome.command_id;
    for (uint32_t i = 0; i < shared->cloud_count; i++) {
        struct cloud_watch *watch = &shared->clouds[i];
        if (watch->groups_command == id) {
            take_groups(core, watch, event);
            return true;
        }
        if (watch->machines_command == id) {
            take_machines(core, watch, event);
            return true;
        }
    }
    for (uint32_t i = 0; i < shared->offers_count; i++) {
        if (shared->offers[i].command != id)
            continue;
        take_offers(core, &shared->offers[i], event);
        return true;
    }
    return false;
}

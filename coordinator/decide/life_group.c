#include "coordinator/decide/life.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// A NodeGroup's VPSie group: found by name, made when it is not there, and listed again for its numeric id.

#define CREATE_AGAIN_MS    (5 * LIFE_MINUTE_MS) // a group that was made may be so long in coming into the list
#define CREATE_RETRY_MS    (5 * LIFE_SECOND_MS)
#define REFUSED_LEAST_MS   (30 * LIFE_SECOND_MS)
#define REFUSED_MOST_MS    (15 * LIFE_MINUTE_MS)
#define LIMITED_LEAST_MS   (5 * LIFE_MINUTE_MS)
#define LIMITED_MOST_MS    (60 * LIFE_MINUTE_MS)
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

// ---- finding

const struct vpsie_group_facts *vpsie_group_by_id(const struct core *core, const char *cluster, int64_t id)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, cluster);
    for (uint32_t i = 0; cloud != NULL && i < cloud->group_count; i++)
        if (cloud->groups[i].id == id && !cloud->groups[i].deleted)
            return &cloud->groups[i];
    return NULL;
}

// The one that we know already, if it still has the name; else the first of the name; else the one we knew.
static const struct vpsie_group_facts *find_vpsie_group(const struct core *core, const struct group *group,
                                                        int64_t known_id)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, group->facts.resource_identifier);
    const struct vpsie_group_facts *named = NULL, *known = NULL;
    for (uint32_t i = 0; cloud != NULL && i < cloud->group_count; i++) {
        const struct vpsie_group_facts *one = &cloud->groups[i];
        if (one->deleted || one->id == 0)
            continue;
        if (one->id == known_id)
            known = one;
        if (strcmp(one->name, group->facts.name) == 0 && (named == NULL || one->id < named->id))
            named = one;
    }
    if (known != NULL && strcmp(known->name, group->facts.name) == 0)
        return known;
    return named != NULL ? named : known;
}

// ---- sizes

static bool size_taken(const struct core *core, const struct group *group, int64_t size)
{
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, group->facts.resource_identifier);
    for (uint32_t i = 0; cloud != NULL && i < cloud->group_count; i++)
        if (!cloud->groups[i].deleted && cloud->groups[i].size_id == size)
            return true;
    return false;
}

static bool size_offered(const struct core *core, const struct group *group, int64_t size)
{
    const struct cloud_offers *offers = cluster_offers(core->cluster, group->facts.datacenter_id);
    if (offers == NULL || offers->at_ms == 0)
        return true; // not known yet
    for (uint32_t i = 0; i < offers->offer_count; i++)
        if (offers->offers[i].id == size)
            return true;
    return false;
}

// The first offering that can be ordered here, 0: none, and why not.
static int64_t usable_offering(const struct core *core, const struct group *group, char *why, size_t bytes)
{
    const struct nodegroup_facts *facts = &group->facts;
    snprintf(why, bytes, "no offering is given");
    for (uint32_t i = 0; i < facts->offering_count; i++) {
        int64_t size;
        const char *offering = facts->offering_ids[i];
        if (text_parse_i64(offering, strlen(offering), &size, NULL) != 0 || size <= 0)
            snprintf(why, bytes, "offering %.60s is not a size of VPSie's managed clusters", offering);
        else if (!size_offered(core, group, size))
            snprintf(why, bytes, "size %" PRId64 " is not offered in %.60s", size, facts->datacenter_id);
        else if (size_taken(core, group, size))
            snprintf(why, bytes, "size %" PRId64 " is another group's in this VPSie cluster", size);
        else {
            why[0] = '\0';
            return size;
        }
    }
    return 0;
}

static uint32_t unusable_offerings(const struct group *group)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < group->facts.offering_count; i++) {
        int64_t size;
        const char *offering = group->facts.offering_ids[i];
        count += text_parse_i64(offering, strlen(offering), &size, NULL) != 0 || size <= 0;
    }
    return count;
}

static void say_once(struct core *core, struct group *group)
{
    struct group_life_keep *keep = group_keep(core, group);
    uint32_t unusable = group->facts.kube_size_id == 0 ? unusable_offerings(group) : 0;
    if (unusable == 0 || keep->offerings_said || !core_may_write(core))
        return;
    keep->offerings_said = true;
    core_event_group(
        core, group, 0, true, "OfferingsNotUsable",
        "%u of %u offeringIDs are no sizes of VPSie's managed clusters and cannot be ordered there", unusable,
        group->facts.offering_count);
}

// ---- resolving

static void describe_problem(struct core *core, struct group *group, const struct vpsie_group_facts *found)
{
    struct group_life *life = group_life(core, group);
    const struct cloud_watch *watch = cloud_watch_find(core, group->facts.resource_identifier);
    const struct nodegroup_facts *facts = &group->facts;
    char *problem = life->problem;
    size_t bytes = sizeof(life->problem);
    problem[0] = '\0';
    if (watch != NULL && watch->hopeless)
        snprintf(problem, bytes, "VPSie does not list cluster %.60s: %.120s", facts->resource_identifier,
                 watch->failure);
    else if (found != NULL && facts->kube_size_id != 0 && facts->kube_size_id != found->size_id)
        snprintf(problem, bytes,
                 "the VPSie group has size %" PRId64 ", the spec says %" PRId64 ": size %" PRId64 " is used",
                 found->size_id, facts->kube_size_id, found->size_id);
    else if (found == NULL && life->size_id == 0)
        (void)usable_offering(core, group, problem, bytes);
    else if (life->surplus > 0)
        snprintf(problem, bytes, "%d surplus machine%s in the VPSie group: no VPSieNode asked for them",
                 life->surplus, life->surplus == 1 ? "" : "s");
}

void group_resolve(struct core *core, struct group *group)
{
    struct group_life *life = group_life(core, group);
    const struct cloud_cluster *cloud = cluster_cloud(core->cluster, group->facts.resource_identifier);
    if (cloud == NULL || cloud->groups_at_ms == 0) {
        describe_problem(core, group, NULL);
        if (life->size_id == 0 && group->facts.kube_size_id == 0)
            life->problem[0] = '\0'; // not known yet
        return;
    }
    int64_t known = life->vpsie_group_id != 0 ? life->vpsie_group_id : group->facts.status_vpsie_group_id;
    const struct vpsie_group_facts *found = find_vpsie_group(core, group, known);
    char why[200];
    int64_t size = found != NULL                    ? found->size_id
                   : group->facts.kube_size_id != 0 ? group->facts.kube_size_id
                                                    : usable_offering(core, group, why, sizeof(why));
    int64_t id = found != NULL ? found->id : 0;
    if (id != life->vpsie_group_id || size != life->size_id)
        core->cluster->version++; // what an order would bring has changed
    life->vpsie_group_id = id;
    life->size_id = size;
    describe_problem(core, group, found);
    say_once(core, group);
}

void groups_resolve(struct core *core)
{
    for (uint32_t i = 0; i < core->cluster->group_count; i++)
        if (core->cluster->groups[i]->facts.managed)
            group_resolve(core, core->cluster->groups[i]);
}

// ---- making

bool group_is_there(struct core *core, struct group *group)
{
    struct group_life *life = group_life(core, group);
    struct group_life_keep *keep = group_keep(core, group);
    if (life->vpsie_group_id != 0)
        return true;
    struct cloud_watch *watch = cloud_watch_of(core, group->facts.resource_identifier);
    if (watch->trusted == 0 || watch->suspect || life->size_id == 0 || watch->create_command != 0)
        return false;
    if (core->now_ms < keep->create_retry_ms)
        return false;
    struct arena *arena = core->out->arena;
    struct command *command = core_emit(core, COMMAND_VPSIE_CREATE_GROUP, 0);
    command->key = arena_printf(arena, "vpsie/%s/groups", watch->cluster);
    command->create_group.cluster = arena_strdup(arena, watch->cluster);
    command->create_group.name = arena_strdup(arena, group->facts.name);
    command->create_group.size_id = life->size_id;
    watch->create_command = command->id;
    watch->create_name = group->facts.name;
    keep->create_retry_ms = core->now_ms + CREATE_AGAIN_MS;
    core_note(core, NOTE_INFO, 0, arena_printf(arena, "group %s", group->facts.name),
              "has no VPSie group: it is made with size %lld", (long long)life->size_id);
    return false;
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
    struct cloud_watch *watch = NULL;
    for (uint32_t i = 0; i < core->life->cloud_count && watch == NULL; i++)
        if (core->life->clouds[i].create_command == event->outcome.command_id)
            watch = &core->life->clouds[i];
    if (watch == NULL)
        return false;
    watch->create_command = 0;
    cloud_watch_ask(watch); // for its numeric id
    struct group *group = cluster_group(core->cluster, NULL, watch->create_name);
    if (group == NULL)
        return true;
    switch (event->outcome.outcome) {
    case OUTCOME_OK:
    case OUTCOME_UNKNOWN: break; // the list will tell
    case OUTCOME_NOT_SENT:
    case OUTCOME_THROTTLED:
        group_keep(core, group)->create_retry_ms =
            core->now_ms + (event->outcome.retry_after_ms > CREATE_RETRY_MS ? event->outcome.retry_after_ms
                                                                            : CREATE_RETRY_MS);
        break;
    default:
        group_keep(core, group)->create_retry_ms = core->now_ms + REFUSED_LEAST_MS;
        group_back_off(core, group, event->outcome.outcome == OUTCOME_LIMITED,
                       arena_printf(core->out->arena, "VPSie refuses to make the group: %s",
                                    event->outcome.detail != NULL ? event->outcome.detail : ""));
        break;
    }
    return true;
}

void group_back_off(struct core *core, struct group *group, bool limited, const char *why)
{
    struct group_life *life = group_life(core, group);
    int64_t wait_ms = limited ? LIMITED_LEAST_MS : REFUSED_LEAST_MS;
    int64_t most_ms = limited ? LIMITED_MOST_MS : REFUSED_MOST_MS;
    if (life->backoff_until_ms <= core->now_ms) { // of orders refused together, one counts
        for (uint32_t i = 0; i < life->backoff_count && wait_ms < most_ms; i++)
            wait_ms *= 2;
        life->backoff_count++;
    }
    if (wait_ms > most_ms)
        wait_ms = most_ms;
    if (core->now_ms + wait_ms > life->backoff_until_ms)
        life->backoff_until_ms = core->now_ms + wait_ms;
    snprintf(life->backoff_reason, sizeof(life->backoff_reason), "%s", why);
    life->last_failure_ms = core->now_ms;
    core->last_failed_ms = core->now_ms;
    core_event_group(core, group, 0, true, limited ? "LimitReached" : "OrderRefused", "%s", why);
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

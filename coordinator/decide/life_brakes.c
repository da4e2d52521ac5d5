#include "coordinator/decide/life.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// When to stop. Each brake closes and opens here, and says so when it does.

#define LOOK_AT_NODES_MS  (10 * LIFE_SECOND_MS)
#define LOOK_AT_AGENTS_MS (10 * LIFE_SECOND_MS)
#define ALL_NODES_PERCENT 45u
#define ALL_NODES_LEAST   3u
#define GROUP_PERCENT     20u
#define INTENTIONS_LEAST  4u // that are all deleted: fewer may be meant
// A leader that saw everything deleted has stored it by then.
#define DELETION_SETTLED_MS (2 * LIFE_MINUTE_MS)

void brake_set(struct core *core, enum brake brake, bool on, const char *format, ...)
{
    static const char *const names[BRAKE_COUNT] = {
        [BRAKE_MANY_BROKEN] = "many nodes are broken",
        [BRAKE_CLOUD_LIST] = "VPSie's list cannot be believed",
        [BRAKE_AGENTS_SILENT] = "most agents have fallen silent",
        [BRAKE_GROUPS_GONE] = "every NodeGroup was deleted",
        [BRAKE_PREDECESSOR] = "it has not been told to begin",
        [BRAKE_PAUSED] = "paused",
        [BRAKE_CLOUD_UNUSABLE] = "VPSie cannot be used",
        [BRAKE_KUBE_UNREACHABLE] = "the API server cannot be reached",
    };
    struct brake_state *state = &core->brakes[brake];
    if (!on && !state->on)
        return;
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&text, format, arguments);
    va_end(arguments);
    if (on)
        snprintf(state->detail, sizeof(state->detail), "%s", text_get(&text));
    text_free(&text);
    if (state->on == on)
        return;
    state->since_ms = core->now_ms;
    if (!core->leading) {
        state->on = on;
        return;
    }
    char summary[80];
    snprintf(summary, sizeof(summary), "%s: %s", on ? "hold" : "go on", names[brake]);
    state->on = on;
    const struct decision *decision =
        core_decide(core, DECISION_HOLD, "", "", summary, on ? state->detail : "passed");
    core_note(core, on ? NOTE_WARN : NOTE_INFO, decision->id, "brakes", "%s   %s", summary,
              on ? state->detail : "");
    for (uint32_t i = 0; i < core->cluster->group_count; i++)
        if (core->cluster->groups[i]->facts.managed && brake != BRAKE_KUBE_UNREACHABLE)
            core_event_group(core, core->cluster->groups[i], decision->id, on, on ? "Held" : "HoldLifted",
                             "%s%s%s", summary, on ? ": " : "", on ? state->detail : "");
    core->life->all_touched = true;
}

// ---- broken nodes

// Its machine is being deleted, or is lost: that is no sign of what the others may be.
static bool is_leaving(const struct node *node)
{
    const struct life *life = node->intention != NULL ? node->intention->decide : NULL;
    return life != NULL && (life->private_state->vanished || life->private_state->delete_called ||
                            (life->step >= LIFE_DELETE_CALL && life->step <= LIFE_FINALIZER));
}

struct broken_count {
    uint32_t nodes, broken;
    const char *group; // where more than a fifth is broken, NULL: nowhere
    uint32_t group_nodes, group_broken;
    int64_t next_ms;
};

static bool counts_as_broken(const struct core *core, const struct node *node, struct broken_count *count)
{
    int64_t due_ms;
    if (is_leaving(node))
        return false;
    bool broken = broken_soon(core, node, node->intention, &due_ms);
    if (!broken && due_ms < count->next_ms)
        count->next_ms = due_ms;
    return broken;
}

static void count_group(struct core *core, const struct group *group, struct broken_count *count)
{
    uint32_t nodes = 0, broken = 0;
    for (uint32_t i = 0; i < group->intention_count; i++) {
        const struct node *node = group->intentions[i]->node;
        if (node == NULL)
            continue;
        nodes++;
        broken += counts_as_broken(core, node, count);
    }
    if (broken <= 1 || broken * 100u <= GROUP_PERCENT * nodes || count->group != NULL)
        return;
    count->group = group->facts.name;
    count->group_nodes = nodes;
    count->group_broken = broken;
}

static struct broken_count count_broken(struct core *core)
{
    struct broken_count count = {.next_ms = INT64_MAX};
    for (uint32_t i = 0; i < core->cluster->node_count; i++) {
        count.nodes++;
        count.broken += counts_as_broken(core, core->cluster->nodes[i], &count);
    }
    for (uint32_t i = 0; i < core->cluster->group_count; i++)
        count_group(core, core->cluster->groups[i], &count);
    return count;
}

static void view_broken(struct core *core)
{
    struct life_shared *shared = core->life;
    if (!shared->nodes_changed && core->now_ms < shared->nodes_next_ms) {
        core_wake_at(core, shared->nodes_next_ms);
        return;
    }
    struct broken_count count = count_broken(core);
    shared->nodes_changed = false;
    shared->nodes_next_ms = count.next_ms;
    if (count.broken > 0 && core->now_ms + LOOK_AT_NODES_MS < count.next_ms)
        shared->nodes_next_ms = core->now_ms + LOOK_AT_NODES_MS;
    core_wake_at(core, shared->nodes_next_ms);
    shared->broken_now = count.broken;
    if (count.broken < shared->broken_accepted)
        shared->broken_accepted = count.broken; // what an operator has accepted does not come back
    uint32_t limit = ALL_NODES_PERCENT * count.nodes / 100u;
    if (limit < ALL_NODES_LEAST)
        limit = ALL_NODES_LEAST;
    bool accepted = count.broken <= shared->broken_accepted;
    if (!accepted && count.broken > limit)
        brake_set(core, BRAKE_MANY_BROKEN, true, "%u of %u nodes are not Ready, more than %u", count.broken,
                  count.nodes, limit);
    else if (!accepted && count.group != NULL)
        brake_set(core, BRAKE_MANY_BROKEN, true, "%u of %u nodes of group %s are not Ready, more than %u %%",
                  count.group_broken, count.group_nodes, count.group, GROUP_PERCENT);
    else
        brake_set(core, BRAKE_MANY_BROKEN, false, "%s", "");
}

// ---- agents

// Closes when most of those that spoke within the window have stopped, opens when half of all speak again.
static void view_agents(struct core *core)
{
    struct life_shared *shared = core->life;
    if (core->now_ms < shared->agents_next_ms) {
        core_wake_at(core, shared->agents_next_ms);
        return;
    }
    uint32_t speaking = 0, fell_silent = 0, all = 0;
    for (uint32_t i = 0; i < core->cluster->node_count; i++) {
        const struct agent *agent = core->cluster->nodes[i]->agent;
        if (agent == NULL || agent->heard_ms < shared->taken_ms)
            continue; // it spoke to another leader, or has yet to find this one
        int64_t silent_ms = core->now_ms - agent->heard_ms - core->config.agent_silent_ms;
        all++;
        speaking += silent_ms < 0;
        fell_silent += silent_ms >= 0 && silent_ms < core->config.unready_agents_window_ms;
    }
    if (all > 0) {
        shared->agents_next_ms = core->now_ms + LOOK_AT_AGENTS_MS;
        core_wake_at(core, shared->agents_next_ms);
    }
    if (!shared->agents_silent)
        shared->agents_silent = fell_silent > 1 && fell_silent > speaking;
    else if (speaking * 2 >= all)
        shared->agents_silent = false;
    brake_set(core, BRAKE_AGENTS_SILENT, shared->agents_silent,
              "%u of %u agents are silent: is it our certificate, our rollout or the network?",
              all - speaking, all);
}

// ---- groups

static bool still_live(const struct core *core, const char *space, const char *name, uint32_t *live)
{
    *live = 0;
    for (uint32_t i = 0; i < core->cluster->group_count; i++) {
        const struct nodegroup_facts *facts = &core->cluster->groups[i]->facts;
        bool is_it = strcmp(facts->space, space) == 0 && strcmp(facts->name, name) == 0;
        *live += facts->managed && facts->deletion_ms == 0 && !is_it;
    }
    return *live > 0;
}

static void hold_for_deletion(struct core *core, const char *why)
{
    struct life_shared *shared = core->life;
    if (shared->mass_deletion != MASS_DELETION_NONE)
        return; // held already, or meant
    shared->mass_deletion = MASS_DELETION_HELD;
    shared->mass_deletion_ms = core->now_ms;
    snprintf(shared->mass_deletion_why, sizeof(shared->mass_deletion_why), "%s", why);
}

static void group_event(struct core *core, const struct event *event)
{
    bool changed = event->kind == EVENT_OBJECT;
    const struct nodegroup_facts *now = changed ? event->object.group : NULL;
    const char *space = changed ? now->space : event->gone.space;
    const char *name = changed ? now->name : event->gone.name;
    const struct group *before = cluster_group(core->cluster, space, name);
    bool was_live = before != NULL ? before->facts.managed && before->facts.deletion_ms == 0
                                   : changed && now->managed; // the first that we hear of it
    bool is_live = changed && now->deletion_ms == 0;
    uint32_t live;
    if (!was_live || is_live || still_live(core, space, name, &live))
        return;
    hold_for_deletion(core, "no NodeGroup is left: was the CRD or the namespace deleted? `resume` goes on "
                            "with deleting their machines");
}

static void intention_event(struct core *core, const struct event *event)
{
    const struct intention_facts *now = event->object.intention;
    const struct intention *before = cluster_intention(core->cluster, now->space, now->name);
    if (now->deletion_ms == 0 || before == NULL || before->facts.deletion_ms != 0)
        return;
    uint32_t going = 0;
    for (uint32_t i = 0; i < core->cluster->intention_count; i++) {
        const struct intention *other = core->cluster->intentions[i];
        const struct life *life = other->decide;
        bool ended_by_us = life != NULL && life->step >= LIFE_FINALIZER;
        bool with_group = other->group != NULL && other->group->facts.deletion_ms != 0;
        if (ended_by_us || with_group)
            continue;
        if (other != before && other->facts.deletion_ms == 0)
            return;
        going += now->deletion_ms - other->facts.deletion_ms <= GROUPS_GONE_WINDOW_MS || other == before;
    }
    if (going >= INTENTIONS_LEAST)
        hold_for_deletion(core,
                          "every VPSieNode was deleted within a minute: was the CRD deleted? `resume` goes "
                          "on with deleting their machines");
}

void brakes_groups_event(struct core *core, const struct event *event)
{
    if (event->kind == EVENT_OBJECT && event->object.kind == OBJECT_NODEGROUP)
        group_event(core, event);
    else if (event->kind == EVENT_OBJECT_GONE && event->gone.kind == OBJECT_NODEGROUP)
        group_event(core, event);
    else if (event->kind == EVENT_OBJECT && event->object.kind == OBJECT_INTENTION)
        intention_event(core, event);
}

// What a leader has seen is on the Lease soon; what only this standby saw long ago was settled by a leader.
void life_restore(struct core *core, const struct saved_state *saved)
{
    struct life_shared *shared = core->life;
    shared->mass_deletion_saved = saved->mass_deletion;
    bool just_seen = shared->mass_deletion == MASS_DELETION_HELD &&
                     core->now_ms < shared->mass_deletion_ms + DELETION_SETTLED_MS;
    if (saved->mass_deletion == MASS_DELETION_NONE && just_seen)
        return;
    shared->mass_deletion = MASS_DELETION_NONE;
    if (saved->mass_deletion == MASS_DELETION_HELD)
        hold_for_deletion(core, "everything was deleted at once, as a coordinator before this one saw: "
                                "`resume` goes on with deleting the machines");
    shared->mass_deletion = saved->mass_deletion;
}

// An acceptance is about what was deleted then, and not about what comes after it.
static void view_deletion(struct core *core)
{
    struct life_shared *shared = core->life;
    uint32_t live;
    bool over = core->synced && core->cluster->intention_count == 0; // nothing is left to hold
    if (shared->mass_deletion == MASS_DELETION_ACCEPTED && core->taken_over &&
        still_live(core, "", "", &live))
        over = true;
    if (over)
        shared->mass_deletion = MASS_DELETION_NONE;
    brake_set(core, BRAKE_GROUPS_GONE, shared->mass_deletion == MASS_DELETION_HELD, "%s",
              shared->mass_deletion_why);
    if (!core->taken_over || shared->mass_deletion == shared->mass_deletion_saved)
        return;
    shared->mass_deletion_saved = shared->mass_deletion;
    shared->save_wanted = true;
}

// ---- all of them

static void view_lists(struct core *core)
{
    for (uint32_t i = 0; i < core->life->cloud_count; i++) {
        const struct cloud_watch *watch = &core->life->clouds[i];
        if (!watch->used || !watch->suspect)
            continue;
        brake_set(core, BRAKE_CLOUD_LIST, true, "%s", watch->why);
        return;
    }
    brake_set(core, BRAKE_CLOUD_LIST, false, "%s", "");
}

// Beside a predecessor's things, or where the operator wants to look first, it begins in dry run.
static void view_beginning(struct core *core)
{
    const char *predecessor = core->config.allow_predecessor ? "" : core->life->predecessor;
    const char *why = predecessor[0] != '\0' ? predecessor
                      : core->config.wait_for_resume && core->taken_over
                          ? "a first start: look at what it would do, then `resume`"
                          : "";
    brake_set(core, BRAKE_PREDECESSOR, why[0] != '\0' && !core->accepted, "%s", why);
}

void life_view_brakes(struct core *core)
{
    const struct config_facts *config = core->cluster->config;
    brake_set(core, BRAKE_KUBE_UNREACHABLE, !core->kube_reachable, "%s", "no answer from the API server");
    brake_set(core, BRAKE_CLOUD_UNUSABLE, !core->cloud_usable, "%s", core->cloud_detail);
    brake_set(core, BRAKE_PAUSED, core_paused(core, NULL), "%s",
              core->paused                       ? core->paused_reason
              : config != NULL && config->paused ? "annotation " KEY_PAUSED " on the AutoscalerConfig"
                                                 : "");
    view_deletion(core);
    view_beginning(core);
    view_lists(core);
    if (!core->synced || !core->leading)
        return;
    view_broken(core);
    view_agents(core);
}

void brakes_resume(struct core *core)
{
    struct life_shared *shared = core->life;
    if (shared->mass_deletion == MASS_DELETION_HELD)
        shared->mass_deletion = MASS_DELETION_ACCEPTED;
    shared->broken_accepted = shared->broken_now;
    shared->nodes_changed = true;
    for (uint32_t i = 0; i < shared->cloud_count; i++)
        if (shared->clouds[i].suspect) {
            shared->clouds[i].accept = true; // the next list, whatever it says
            shared->clouds[i].next_ms = core->now_ms;
            cloud_watch_ask(&shared->clouds[i]);
        }
}

static bool all_open(const struct core *core, const enum brake *brakes, size_t count, const char **why)
{
    for (size_t i = 0; i < count; i++) {
        if (!core->brakes[brakes[i]].on)
            continue;
        *why = core->brakes[brakes[i]].detail;
        return false;
    }
    return true;
}

bool life_clearing_allowed(const struct core *core, const char **why)
{
    static const enum brake brakes[] = {BRAKE_PREDECESSOR, BRAKE_PAUSED, BRAKE_GROUPS_GONE, BRAKE_CLOUD_LIST,
                                        BRAKE_KUBE_UNREACHABLE};
    return all_open(core, brakes, sizeof(brakes) / sizeof(brakes[0]), why);
}

bool life_removals_allowed_broken(const struct core *core, const char **why)
{
    static const enum brake brakes[] = {BRAKE_MANY_BROKEN};
    return life_clearing_allowed(core, why) && all_open(core, brakes, 1, why);
}

bool life_removals_allowed(const struct core *core, const char **why)
{
    static const enum brake brakes[] = {BRAKE_AGENTS_SILENT, BRAKE_CLOUD_UNUSABLE};
    return life_removals_allowed_broken(core, why) &&
           all_open(core, brakes, sizeof(brakes) / sizeof(brakes[0]), why);
}

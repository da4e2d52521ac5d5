#include "coordinator/decide/state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_MS ((int64_t)1000)
#define MINUTE_MS (60 * SECOND_MS)

struct core_config core_config_default(void)
{
    return (struct core_config){
        .identity = "vpsie-coordinator",
        .burst_quiet_ms = 200, // a deployment's pods come within tens of milliseconds of each other
        .burst_max_ms = 700,   // and a steady trickle must not hold the first of them back
        .http_timeout_ms = 30 * SECOND_MS,
        .appearance_bound_ms = 15 * MINUTE_MS, // VPSie's list has been seen to lag by minutes, not more
        .provision_limit_ms = 10 * MINUTE_MS,
        .join_limit_ms = 15 * MINUTE_MS, // the predecessor's
        .failed_ttl_ms = 30 * MINUTE_MS, // the predecessor's
        .drain_ready_limit_ms = 5 * MINUTE_MS,
        .drain_progress_ms = 10 * MINUTE_MS,
        .max_graceful_ms = 600 * SECOND_MS, // Cluster Autoscaler's
        .load_balancer_settle_ms = 30 * SECOND_MS,
        .detach_limit_ms = 6 * MINUTE_MS, // after which Kubernetes itself detaches by force
        .agent_silent_ms = 60 * SECOND_MS,
        .node_ready_timeout_ms = 10 * MINUTE_MS,  // the predecessor's
        .never_ready_timeout_ms = 20 * MINUTE_MS, // longer than a join may last
        .machines_every_ms = 60 * SECOND_MS,      // two calls a minute of the hundred that an account has
        .machines_busy_ms = 5 * SECOND_MS,        // twenty-four calls a minute
        .delay_after_add_ms = 10 * MINUTE_MS,
        .delay_after_delete_ms = 0,
        .delay_after_failure_ms = 3 * MINUTE_MS,
        .unready_agents_window_ms = 5 * MINUTE_MS,
        .expendable_priority_cutoff = -10, // Cluster Autoscaler's
        .skip_kube_system_pods = true,
        .scale_down_enabled = true,
        .replace_drifted = true,
        .max_empty_removals = 10, // Cluster Autoscaler's
    };
}

// ---- life of the core

static void free_group_decide(void *decide)
{
    struct group_life *life = decide;
    free(life->private_state);
    free(life->keep);
    free(life->pools);
    free(life);
}

static void keep_config(struct core *core, const struct core_config *config)
{
    assert(config->startup_taint_count <= CORE_STARTUP_TAINTS_MAX);
    core->config = *config;
    core->config.identity =
        strings_intern(core->cluster->strings, config->identity != NULL ? config->identity : "");
    core->config.own_space =
        strings_intern(core->cluster->strings, config->own_space != NULL ? config->own_space : "");
    core->config.own_pod =
        strings_intern(core->cluster->strings, config->own_pod != NULL ? config->own_pod : "");
    for (int32_t i = 0; i < config->startup_taint_count; i++)
        core->config.startup_taints[i] = strings_intern(core->cluster->strings, config->startup_taints[i]);
}

struct core *core_create(const struct core_config *config)
{
    struct core *core = xcalloc(1, sizeof(*core));
    core->cluster = cluster_create();
    core->cluster->free_group_decide = free_group_decide;
    keep_config(core, config);
    core->kube_reachable = true;
    core->cloud_usable = true; // until the door says otherwise
    core->wake_ms = INT64_MAX;
    life_init(core);
    policy_init(core);
    return core;
}

void core_destroy(struct core *core)
{
    if (core == NULL)
        return;
    policy_free(core);
    cluster_destroy(core->cluster);
    life_free(core);
    record_free(core);
    free(core);
}

// ---- facts

static void put_object(struct core *core, const struct event *event)
{
    struct cluster *cluster = core->cluster;
    struct pod *pod;
    switch (event->object.kind) {
    case OBJECT_NODE: cluster_put_node(cluster, event->object.node); break;
    case OBJECT_POD:
        pod = cluster_put_pod(cluster, event->object.pod);
        core->touched_node = pod != NULL ? pod->node : NULL;
        break;
    case OBJECT_BUDGET: cluster_put_budget(cluster, event->object.budget); break;
    case OBJECT_DAEMONSET: cluster_put_daemonset(cluster, event->object.daemonset); break;
    case OBJECT_VOLUME_ATTACHMENT: cluster_put_attachment(cluster, event->object.attachment); break;
    case OBJECT_NAMESPACE: cluster_put_space(cluster, event->object.space); break;
    case OBJECT_CLAIM: cluster_put_claim(cluster, event->object.claim); break;
    case OBJECT_VOLUME: cluster_put_volume(cluster, event->object.volume); break;
    case OBJECT_STORAGE_CLASS: cluster_put_storage_class(cluster, event->object.storage_class); break;
    case OBJECT_CSI_NODE: cluster_put_csi_node(cluster, event->object.csi_node); break;
    case OBJECT_NODEGROUP: cluster_put_group(cluster, event->object.group); break;
    case OBJECT_INTENTION: cluster_put_intention(cluster, event->object.intention); break;
    case OBJECT_CONFIG: cluster_put_config(cluster, event->object.config); break;
    case OBJECT_KIND_COUNT: break;
    }
}

static void remove_object(struct core *core, const struct event *event)
{
    struct cluster *cluster = core->cluster;
    const char *space = event->gone.space, *name = event->gone.name;
    struct pod *pod;
    switch (event->gone.kind) {
    case OBJECT_NODE: cluster_remove_node(cluster, name, event->gone.uid); break;
    case OBJECT_POD:
        pod = cluster_pod(cluster, space, name);
        core->touched_node = pod != NULL ? pod->node : NULL;
        cluster_remove_pod(cluster, space, name, event->gone.uid);
        break;
    case OBJECT_BUDGET: cluster_remove_budget(cluster, space, name); break;
    case OBJECT_DAEMONSET: cluster_remove_daemonset(cluster, space, name); break;
    case OBJECT_VOLUME_ATTACHMENT: cluster_remove_attachment(cluster, name); break;
    case OBJECT_NAMESPACE: cluster_remove_space(cluster, name); break;
    case OBJECT_CLAIM: cluster_remove_claim(cluster, space, name); break;
    case OBJECT_VOLUME: cluster_remove_volume(cluster, name); break;
    case OBJECT_STORAGE_CLASS: cluster_remove_storage_class(cluster, name); break;
    case OBJECT_CSI_NODE: cluster_remove_csi_node(cluster, name); break;
    case OBJECT_NODEGROUP: cluster_remove_group(cluster, space, name); break;
    case OBJECT_INTENTION: cluster_remove_intention(cluster, space, name); break;
    case OBJECT_CONFIG: cluster_put_config(cluster, NULL); break;
    case OBJECT_KIND_COUNT: break;
    }
}

void core_restore(struct core *core, const struct saved_state *saved)
{
    core->paused = saved->paused;
    snprintf(core->paused_reason, sizeof(core->paused_reason), "%s",
             saved->paused_reason != NULL ? saved->paused_reason : "");
    core->accepted = saved->accepted;
    life_restore(core, saved);
}

static void take_leadership(struct core *core, const struct event *event)
{
    bool leading = event->leader.leading;
    bool fresh = leading && (!core->leading || core->term != event->leader.term);
    snprintf(core->holder, sizeof(core->holder), "%s",
             event->leader.holder != NULL ? event->leader.holder : "");
    core->leading = leading;
    core->term = leading ? event->leader.term : 0;
    if (!leading || fresh)
        core->taken_over = false;
    if (fresh) {
        record_begin_term(core);
        core_restore(core, &event->leader.saved);
    }
}

static void take_in(struct core *core, const struct event *event)
{
    switch (event->kind) {
    case EVENT_OBJECT: put_object(core, event); break;
    case EVENT_OBJECT_GONE: remove_object(core, event); break;
    case EVENT_KUBE_SYNCED: core->synced = true; break;
    case EVENT_KUBE_STATE: core->kube_reachable = event->kube_state.reachable; break;
    case EVENT_LEADER: take_leadership(core, event); break;
    case EVENT_VPSIE_STATE:
        core->cloud_usable = event->vpsie_state.usable;
        snprintf(core->cloud_detail, sizeof(core->cloud_detail), "%s",
                 event->vpsie_state.detail != NULL ? event->vpsie_state.detail : "");
        core->calls_used = event->vpsie_state.calls_used;
        core->calls_limit = event->vpsie_state.calls_limit;
        break;
    default: break; // outcomes, reports and operators are taken in by life_event()
    }
}

void core_step(struct core *core, const struct event *event, struct commands *out)
{
    assert(event->now_ms >= core->now_ms);
    assert(core->out == NULL);
    core->now_ms = event->now_ms;
    core->out = out;
    core->wake_ms = INT64_MAX;
    core->touched_node = NULL;
    life_before(core, event);
    take_in(core, event);
    life_event(core, event);
    policy_event(core, event);
    life_view_brakes(core);
    life_advance(core);
    scale_up_consider(core);
    scale_down_consider(core);
    life_advance(core); // what has just been decided begins at once
    group_status_update(core);
    core->out = NULL;
}

int64_t core_next_wake_ms(const struct core *core)
{
    return core->wake_ms;
}

// ---- helpers

bool core_may_write(const struct core *core)
{
    return core->leading && core->taken_over && core->synced && !core->config.dry_run &&
           !core->brakes[BRAKE_PREDECESSOR].on && !core->brakes[BRAKE_GROUPS_GONE].on &&
           !core_paused(core, NULL);
}

bool core_paused(const struct core *core, const struct group *group)
{
    if (core->paused || (core->cluster->config != NULL && core->cluster->config->paused))
        return true;
    if (group == NULL)
        return false;
    const char *value = labels_get(&group->facts.annotations, KEY_PAUSED);
    return value != NULL && strcmp(value, "true") == 0;
}

struct command *core_emit(struct core *core, enum command_kind kind, uint64_t decision_id)
{
    assert(core->out != NULL);
    assert(!command_writes(kind) || (core->leading && core->taken_over && !core->config.dry_run));
    struct command *command = commands_add(core->out, kind);
    command->id = ++core->next_command_id;
    command->term = core->term;
    command->decision_id = decision_id;
    return command;
}

void core_wake_at(struct core *core, int64_t at_ms)
{
    if (at_ms < core->wake_ms)
        core->wake_ms = at_ms;
}

struct group_life *group_life(struct core *core, struct group *group)
{
    (void)core;
    if (group->decide == NULL)
        group->decide = xcalloc(1, sizeof(struct group_life));
    return group->decide;
}

struct life *life_of(struct intention *intention)
{
    return intention->decide;
}

#include "coordinator/decide/life.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/decide/own.h"

// Leaving: what must be known after a death is stored first, then the node is cordoned, its pods are moved
// (life_drain.c), its volumes let go; then life_delete.c. Giving up at any step undoes the cordon, says why,
// and tries again after a growing time.

#define CORDON_LEAST_MS    LIFE_SECOND_MS
#define CORDON_MOST_MS     (30 * LIFE_SECOND_MS)
#define CORDON_TRIES_MAX   6 // of a voluntary removal
#define AGAIN_LEAST_MS     (2 * LIFE_MINUTE_MS)
#define AGAIN_MOST_MS      (120 * LIFE_MINUTE_MS)
#define HELD_LOOK_AGAIN_MS (30 * LIFE_SECOND_MS)

// ---- beginning

bool remove_graceful(const struct life_private *p)
{
    int64_t due_ms;
    const struct node *node = p->intention->node;
    if (node == NULL || p->vanished || (p->delete_called && p->machine == NULL))
        return false;
    if (broken_now(p->core, node, p->intention, &due_ms))
        return false;
    // What is broken, or never came into service, holds nobody's pods, unless its Node is Ready after all.
    bool useless = p->life->removal == REMOVAL_FAILED || p->life->removal == REMOVAL_BROKEN;
    return !useless || node->ready == NODE_READY_TRUE;
}

// The VPSieNode's machine and its Node must be the same; labels can be copied, identifiers mistyped. Nor is a
// machine its own whose Node is another VPSieNode's.
bool remove_mismatched(const struct life_private *p)
{
    const struct node *node = p->intention->node;
    if (p->machine == NULL)
        return false;
    const struct node *found = machine_node(p->core, p->machine);
    if (node == NULL)
        return found != NULL && found->intention != NULL;
    bool tells = p->machine->hostname[0] != '\0' || p->machine->private_ip[0] != '\0' ||
                 p->machine->default_ip[0] != '\0';
    return found != node && (found != NULL || tells);
}

// By its Node, or by VPSie's list: whatever a VPSieNode says, it is nobody's.
static bool of_the_control_plane(const struct life_private *p)
{
    const struct node *node = p->intention->node;
    return (node != NULL && node_is_master(node)) || delete_names_a_master(p);
}

bool remove_begin(struct life_private *p, enum removal_kind kind, uint64_t decision_id, const char *why)
{
    if (p->claimed_twice || of_the_control_plane(p))
        return false;
    if (remove_mismatched(p)) {
        snprintf(p->life->held, sizeof(p->life->held), "VPSie's machine %s is not this Node",
                 p->machine->hostname);
        life_wait(p, "a person: %s", p->life->held);
        return false;
    }
    struct life *life = p->life;
    life->removal = kind;
    if (decision_id != 0)
        life->decision_id = decision_id;
    life->held[0] = '\0';
    p->want_removal = kind;
    p->removal_why = why;
    p->terminating_ms = p->core->now_ms / 1000 * 1000;
    if (kind == REMOVAL_FAILED) {
        p->want_error = why;
        p->failed_ms = p->core->now_ms / 1000 * 1000;
        life_phase(p, INTENTION_FAILED);
        p->core->last_failed_ms = p->core->now_ms;
        core_note(p->core, NOTE_WARN, life->decision_id, life_subject(p), "failed: %s", why);
        if (p->intention->group != NULL) {
            group_life(p->core, p->intention->group)->last_failure_ms = p->core->now_ms;
            core_event_group(p->core, p->intention->group, life->decision_id, true, "MachineFailed",
                             "%s: %s; its machine is deleted", p->intention->facts.name, why);
        }
    } else {
        life_phase(p, INTENTION_TERMINATING);
        core_note(p->core, NOTE_INFO, life->decision_id, life_subject(p), "leaves: %s", why);
    }
    drain_begin(p);
    life_step_to(p, LIFE_CORDON, "the cordon");
    return true;
}

bool life_remove(struct core *core, struct node *node, enum removal_kind kind, uint64_t decision_id)
{
    const char *why = "";
    if (node->intention == NULL || !core_may_write(core))
        return false;
    struct life_private *p = life_private_of(node->intention);
    const struct group *group = node->intention->group;
    if (p->life->step != LIFE_READY || core->now_ms < p->life->not_before_ms || p->machine == NULL ||
        p->intention->facts.deletion_ms != 0 || group == NULL || core_paused(core, group))
        return false;
    if (kind == REMOVAL_VOLUNTARY && !life_removals_allowed(core, &why))
        return false;
    const struct decision *decision = core_decision(core, decision_id);
    return remove_begin(p, kind, decision_id,
                        life_intern(core, decision != NULL ? decision->reason : "not needed"));
}

// ---- giving up

// Phase Deleting says that the last looks were taken: who takes over goes by it.
void remove_unmark(struct life_private *p)
{
    p->deleting_ms = 0;
    if (p->want_phase_set && p->want_phase == INTENTION_DELETING)
        life_phase(p, INTENTION_TERMINATING);
}

bool remove_may_still_land(const struct life_private *p, int64_t *until_ms)
{
    *until_ms = p->delete_called_ms + p->core->config.http_timeout_ms + p->core->config.appearance_bound_ms;
    return p->delete_called && p->core->now_ms < *until_ms;
}

void remove_give_up(struct life_private *p, const char *format, ...)
{
    struct core *core = p->core;
    struct life *life = p->life;
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&text, format, arguments);
    va_end(arguments);
    assert(life->step < LIFE_DELETE_CALL || !p->delete_called);
    snprintf(life->held, sizeof(life->held), "%s", text_get(&text));
    int64_t wait_ms = AGAIN_LEAST_MS;
    for (uint32_t i = 0; i < life->give_ups && wait_ms < AGAIN_MOST_MS; i++)
        wait_ms *= 2;
    life->give_ups++;
    life->not_before_ms = core->now_ms + (wait_ms < AGAIN_MOST_MS ? wait_ms : AGAIN_MOST_MS);
    const struct node *node = p->intention->node;
    const struct group *group = p->intention->group;
    const char *name = node != NULL ? node->name : p->intention->facts.name;
    char summary[300];
    snprintf(summary, sizeof(summary), "keep %s for now", name);
    const struct decision *decision = core_decide(
        core, DECISION_GIVE_UP, group != NULL ? group->facts.name : "", name, summary, text_get(&text));
    core_note(core, NOTE_WARN, decision->id, life_subject(p), "kept: %s", text_get(&text));
    if (node != NULL)
        core_event_node(core, node, decision->id, true, "DrainGivenUp", "%s", text_get(&text));
    if (group != NULL)
        core_event_group(core, group, decision->id, true, "DrainGivenUp", "%s: %s", name, text_get(&text));
    text_free(&text);
    remove_unmark(p);
    life_step_to(p, LIFE_UNDO, "the cordon to be lifted");
}

static void back_in_service(struct life_private *p)
{
    bool failing = p->life->removal == REMOVAL_FAILED;
    p->life->removal = REMOVAL_NONE;
    p->want_removal = REMOVAL_NONE;
    p->terminating_ms = 0;
    p->delete_called = p->delete_accepted = p->delete_unknown_machine = false;
    p->delete_attempts = 0;
    p->waits_list = false;
    drain_free(p);
    if (failing) {
        life_phase(p, INTENTION_JOINING);
        life_step_to(p, LIFE_JOIN, "its Node to be Ready, without startup taints");
        return;
    }
    life_phase(p, INTENTION_READY);
    life_step_to(p, LIFE_READY, "");
}

static void undo(struct life_private *p)
{
    enum outcome outcome;
    const struct node *node = p->intention->node;
    drain_cancel(p);
    if (!life_phase_stored(p))
        return;
    if (node == NULL) {
        back_in_service(p);
        return;
    }
    if (life_answer(p, &outcome)) {
        if (outcome == OUTCOME_OK || outcome == OUTCOME_NOT_FOUND) {
            back_in_service(p);
            return;
        }
        life_retry(p, CORDON_LEAST_MS, CORDON_MOST_MS);
    }
    if (!life_can_ask(p))
        return;
    struct command *command = life_command(p, COMMAND_KUBE_UNCORDON);
    command->key = arena_printf(p->core->out->arena, "node/%s", node->name);
    command->cordon.node_name = arena_strdup(p->core->out->arena, node->name);
    command->cordon.reason = "";
}

// ---- going on?

static const char *protection(const struct node *node)
{
    static const struct label keys[] = {
        {KEY_CA_SCALE_DOWN_DISABLED, "true"}, {KEY_PROTECTED, "true"}, {KEY_SCALE_DOWN, "disabled"}};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *value = labels_get(&node->annotations, keys[i].key);
        if (value != NULL && strcmp(value, keys[i].value) == 0)
            return keys[i].key;
    }
    const char *value = labels_get(&node->labels, KEY_SCALE_DOWN_DISABLED);
    return value != NULL && strcmp(value, "true") == 0 ? KEY_SCALE_DOWN_DISABLED : NULL;
}

// Nobody asked for this removal but ourselves: whatever speaks against it ends it.
static bool still_wanted(struct life_private *p)
{
    const char *why = "";
    const struct node *node = p->intention->node;
    const struct group *group = p->intention->group;
    if (p->intention->facts.deletion_ms != 0 || (group != NULL && group->facts.deletion_ms != 0)) {
        p->life->removal = p->want_removal = REMOVAL_REQUESTED; // from now on a person wants it
        return true;
    }
    if (node == NULL)
        remove_give_up(p, "its Node is gone");
    else if (!life_removals_allowed(p->core, &why))
        remove_give_up(p, "%s", why);
    else if (protection(node) != NULL)
        remove_give_up(p, "protected meanwhile: %s", protection(node));
    else if (node->ready != NODE_READY_TRUE)
        remove_give_up(p, "the node is no longer Ready");
    else if (group != NULL && (int64_t)life_counts(p->core, group).sound < group->facts.min_nodes)
        remove_give_up(p, "its group has %u machines without it, fewer than its minimum",
                       life_counts(p->core, group).sound);
    else if (p->drain->cordon_seen && !node->unschedulable)
        remove_give_up(p, "somebody has uncordoned it");
    else
        return true;
    return false;
}

bool remove_allowed(const struct life_private *p, const char **why)
{
    if (p->vanished || p->delete_called) // it is lost, or VPSie has been told
        return life_clearing_allowed(p->core, why);
    return life_removals_allowed_broken(p->core, why);
}

bool remove_goes_on(struct life_private *p)
{
    struct core *core = p->core;
    const char *why = "";
    int64_t due_ms;
    const struct node *node = p->intention->node;
    if (node != NULL && node->unschedulable && p->drain->cordoned_ms != 0)
        p->drain->cordon_seen = true;
    bool too_late = p->delete_called; // what VPSie may already be deleting is not kept
    if (!too_late && p->life->removal == REMOVAL_VOLUNTARY && !still_wanted(p))
        return false;
    if (!too_late && of_the_control_plane(p)) {
        remove_give_up(p, "it is a machine of the control plane");
        return false;
    }
    if (!too_late && remove_mismatched(p)) {
        remove_give_up(p, "VPSie's machine %s is not this Node", p->machine->hostname);
        return false;
    }
    if (node != NULL && (too_late || p->life->removal != REMOVAL_VOLUNTARY) && p->drain->cordon_seen &&
        !node->unschedulable && p->life->step < LIFE_MARK_DELETING) {
        drain_begin(p); // somebody has uncordoned it: from the beginning
        life_step_to(p, LIFE_CORDON, "the cordon");
        return false;
    }
    bool recovered = node != NULL && join_node_ready(core, node);
    bool ready = node != NULL && node->ready == NODE_READY_TRUE; // taints may linger on what runs again
    if (!too_late && p->life->removal == REMOVAL_BROKEN && ready) {
        remove_give_up(p, "the node has recovered");
        return false;
    }
    if (!too_late && p->life->removal == REMOVAL_FAILED && recovered) {
        remove_give_up(p, "the node has joined after all");
        return false;
    }
    if (!remove_allowed(p, &why)) {
        life_wait(p, "%s", why);
        life_due(p, core->now_ms + HELD_LOOK_AGAIN_MS);
        return false;
    }
    if (node != NULL && node->ready != NODE_READY_TRUE && remove_graceful(p)) {
        (void)broken_now(core, node, p->intention, &due_ms);
        life_due(p, due_ms); // then it is another matter
    }
    return true;
}

// ---- the cordon

static void cordoned(struct life_private *p)
{
    p->drain->cordoned_ms = p->core->now_ms;
    if (remove_graceful(p))
        life_step_to(p, LIFE_PREPARE, "its agent");
    else
        life_step_to(p, LIFE_LAST_LIST, "a last look");
}

// The drain ends this very coordinator: somebody has to be there who goes on with it.
static bool another_could_lead(struct life_private *p)
{
    if (!remove_graceful(p) || own_may_leave(p->core, p->intention->node))
        return true;
    if (p->life->removal == REMOVAL_VOLUNTARY) {
        remove_give_up(p, "this coordinator runs on it, and no standby is ready elsewhere");
        return false;
    }
    life_wait(p, "a standby of this coordinator, which runs on it, that is ready elsewhere");
    life_due(p, p->core->now_ms + HELD_LOOK_AGAIN_MS);
    return false;
}

static void cordon(struct life_private *p)
{
    enum outcome outcome;
    if (!remove_goes_on(p) || !life_persist(p))
        return;
    const struct node *node = p->intention->node;
    if (node == NULL) {
        life_step_to(p, LIFE_LAST_LIST, "a last look");
        return;
    }
    if (life_answer(p, &outcome)) {
        if (outcome == OUTCOME_OK) {
            cordoned(p);
            return;
        }
        if (p->life->removal == REMOVAL_VOLUNTARY && p->attempts + 1 >= CORDON_TRIES_MAX) {
            remove_give_up(p, "the cordon failed: %s", p->answer_words);
            return;
        }
        life_retry(p, CORDON_LEAST_MS, CORDON_MOST_MS);
    }
    if (!life_can_ask(p) || !another_could_lead(p))
        return;
    struct arena *arena = p->core->out->arena;
    struct command *command = life_command(p, COMMAND_KUBE_CORDON);
    command->key = arena_printf(arena, "node/%s", node->name);
    command->cordon.node_name = arena_strdup(arena, node->name);
    command->cordon.reason =
        p->life->decision_id != 0
            ? arena_printf(arena, "D%llu %s", (unsigned long long)p->life->decision_id, p->removal_why)
            : arena_strdup(arena, p->removal_why);
}

// ---- its volumes

static uint32_t attachments_left(const struct life_private *p, const char **first)
{
    uint32_t left = 0;
    const struct cluster *cluster = p->core->cluster;
    for (uint32_t i = 0; i < cluster->attachment_count; i++) {
        if (strcmp(cluster->attachments[i]->node_name, p->intention->node->name) != 0)
            continue;
        if (left++ == 0)
            *first = cluster->attachments[i]->volume_name;
    }
    return left;
}

bool remove_pods_are_back(const struct life_private *p)
{
    for (const struct pod *pod = p->intention->node->pods; pod != NULL; pod = pod->next)
        if (drain_pod_goes(pod))
            return true;
    return false;
}

static void detach(struct life_private *p)
{
    struct core *core = p->core;
    if (!remove_goes_on(p))
        return;
    if (!remove_graceful(p)) {
        life_step_to(p, LIFE_LAST_LIST, "a last look");
        return;
    }
    if (remove_pods_are_back(p)) {
        life_step_to(p, LIFE_PREPARE, "its agent");
        return;
    }
    const char *volume = "";
    uint32_t left = attachments_left(p, &volume);
    int64_t limit_ms = p->life->step_since_ms + core->config.detach_limit_ms;
    if (left > 0 && core->now_ms < limit_ms) {
        life_wait(p, "%u volume%s to be detached, such as %s", left, left == 1 ? "" : "s", volume);
        life_due(p, limit_ms);
        return;
    }
    if (left > 0)
        core_event_node(core, p->intention->node, p->life->decision_id, true, "VolumesAttached",
                        "%u volume%s still attached after the bounded wait, such as %s", left,
                        left == 1 ? "" : "s", volume);
    int64_t settled_ms = p->drain->cordoned_ms + core->config.load_balancer_settle_ms;
    if (core->now_ms < settled_ms) {
        life_wait(p, "load balancers to settle");
        life_due(p, settled_ms);
        return;
    }
    life_step_to(p, LIFE_LAST_READY, "its agent, for the last time");
}

void remove_move(struct life_private *p)
{
    if (p->drain == NULL)
        drain_begin(p);
    switch (p->life->step) {
    case LIFE_CORDON: cordon(p); break;
    case LIFE_DETACH: detach(p); break;
    case LIFE_UNDO: undo(p); break;
    default: assert(false); break;
    }
}

// ---- a Node that nobody knows

// A machine without a Node may still be one whose Node has another name: then deleting it would kill its
// pods.
const char *remove_ambiguous_node(const struct life_private *p)
{
    const struct cluster *cluster = p->core->cluster;
    const struct cloud_cluster *cloud = cluster_cloud(cluster, p->intention->facts.resource_identifier);
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct node *node = cluster->nodes[i];
        int64_t from_ms = p->life->called_ms != 0 ? p->life->called_ms : p->intention->facts.created_ms;
        if (node->intention != NULL || node_is_master(node) || node->ready != NODE_READY_TRUE ||
            node->created_ms + LIFE_MINUTE_MS < from_ms)
            continue;
        bool explained = false;
        for (uint32_t j = 0; cloud != NULL && j < cloud->machine_count && !explained; j++)
            explained =
                machine_node(p->core, &cloud->machines[j]) == node && &cloud->machines[j] != p->machine;
        if (!explained)
            return node->name;
    }
    return "";
}

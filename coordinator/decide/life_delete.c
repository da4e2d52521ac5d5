#include "coordinator/decide/life.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

// The end of a machine: a last look at the API server's own list, the mark, VPSie's delete, gone from VPSie's
// list, the Node object, the finalizer.

#define LOOK_GOOD_FOR_MS  (20 * LIFE_SECOND_MS) // an empty node stays one for so long
#define RETRY_LEAST_MS    (2 * LIFE_SECOND_MS)
#define RETRY_MOST_MS     (30 * LIFE_SECOND_MS)
#define DELETE_LEAST_MS   (5 * LIFE_SECOND_MS)
#define DELETE_MOST_MS    (10 * LIFE_MINUTE_MS)
#define DELETE_AGAIN_MS   (5 * LIFE_MINUTE_MS) // accepted, and still in the list
#define DIRTY_PAUSE_MS    (2 * LIFE_SECOND_MS)
#define NODE_SEEN_GONE_MS (60 * LIFE_SECOND_MS)
#define FRESH_NODE_MS     (30 * LIFE_SECOND_MS)

static struct cloud_watch *watch_of(const struct life_private *p)
{
    return cloud_watch_of(p->core, p->intention->facts.resource_identifier);
}

// ---- a last look

void delete_take_list(struct life_private *p, const struct event *event)
{
    p->listed_pods = 0;
    for (uint32_t i = 0; i < event->outcome.pod_count; i++) {
        const struct pod_facts *pod = &event->outcome.pods[i];
        if (!pod->terminal && !pod->mirror && strcmp(pod->controller_kind, "DaemonSet") != 0)
            p->listed_pods++;
    }
}

static void to_marking(struct life_private *p, bool pods_seen)
{
    p->pods_seen = pods_seen;
    p->looked_ms = p->core->now_ms;
    life_step_to(p, LIFE_MARK_DELETING, "the mark to be stored");
}

// Of a node that was drained: a consistent LIST of its pods.
static void look_at_pods(struct life_private *p)
{
    enum outcome outcome;
    const struct node *node = p->intention->node;
    if (life_answer(p, &outcome)) {
        if (outcome == OUTCOME_OK && p->listed_pods == 0) {
            to_marking(p, true);
            return;
        }
        if (outcome == OUTCOME_OK) {
            core_note(p->core, NOTE_WARN, p->life->decision_id, life_subject(p),
                      "the API server still lists %u pods: drained again", p->listed_pods);
            p->drain->dirty_ms = p->core->now_ms;
            if (p->core->now_ms >= p->drain->progress_ms + p->core->config.drain_progress_ms)
                remove_give_up(p, "the API server still lists %u pods on it", p->listed_pods);
            else if (p->drain->cordoned_ms == 0)
                life_step_to(p, LIFE_CORDON, "the cordon");
            else
                life_step_to(p, LIFE_PREPARE, "its agent, about a pod that came meanwhile");
            return;
        }
        life_retry(p, RETRY_LEAST_MS, RETRY_MOST_MS);
    }
    if (p->drain->dirty_ms != 0 && p->core->now_ms < p->drain->dirty_ms + DIRTY_PAUSE_MS) {
        life_due(p, p->drain->dirty_ms + DIRTY_PAUSE_MS); // let the watch catch up
        return;
    }
    if (!life_can_ask(p))
        return;
    struct arena *arena = p->core->out->arena;
    struct command *command = life_command(p, COMMAND_KUBE_LIST_NODE_PODS);
    command->key = arena_printf(arena, "node/%s", node->name);
    command->list_node_pods.node_name = arena_strdup(arena, node->name);
}

// What VPSie lists now decides what the group can spare, and whose the machine is.
static bool lists_are_fresh(struct life_private *p)
{
    struct cloud_watch *watch = watch_of(p);
    p->waits_list = true;
    if (p->round_needed == 0)
        p->round_needed = cloud_watch_ask(watch);
    if (watch->trusted >= p->round_needed)
        return true;
    life_wait(p, "VPSie's own view");
    return false;
}

// VPSie may have been told, its list lacks the machine, and its Node runs: one of the two is wrong.
static bool runs_unlisted(const struct life_private *p)
{
    const struct node *node = p->intention->node;
    return node != NULL && node->ready == NODE_READY_TRUE && !p->vanished && p->delete_called &&
           !p->delete_accepted && p->machine == NULL && !drain_done(p);
}

// Of a broken node, or of a machine without one: both sides are read again.
static void look_again(struct life_private *p)
{
    struct core *core = p->core;
    if (p->fresh_needed == 0) {
        p->fresh_needed = takeover_ask_fresh(core);
        p->round_needed = 0;
    }
    if (!lists_are_fresh(p))
        return;
    if (core->life->fresh_completed < p->fresh_needed) {
        life_wait(p, "the API server's own view");
        return;
    }
    if (runs_unlisted(p)) {
        life_wait(p, "VPSie, whose list lacks the machine of a Node that is Ready");
        life_due(p, core->now_ms + FRESH_NODE_MS);
        return;
    }
    const struct node *node = p->intention->node;
    if (node == NULL) {
        join_bind(core, p); // it may have joined this very moment
        node = p->intention->node;
        if (node != NULL) {
            life_step_to(p, LIFE_CORDON, "the cordon");
            return;
        }
        const char *other = remove_ambiguous_node(p);
        if (other[0] != '\0') {
            snprintf(p->life->held, sizeof(p->life->held), "node %s may be its machine", other);
            life_wait(p, "a person: %s", p->life->held);
            life_due(p, core->now_ms + FRESH_NODE_MS);
            return;
        }
    }
    to_marking(p, false);
}

// A node that runs is looked at, and its machine deleted, only while its agent's last answer is READY
// (drained). True: that has to be heard anew, from the cordon on if there is none of this leader.
static bool back_to_its_agent(struct life_private *p)
{
    if (runs_unlisted(p) && p->life->step != LIFE_LAST_LIST) {
        life_step_to(p, LIFE_LAST_LIST, "a last look");
        return true;
    }
    if (p->delete_accepted || !remove_graceful(p))
        return false;
    bool empty = drain_done(p) && !remove_pods_are_back(p);
    if (empty && (p->pods_seen || p->life->step == LIFE_LAST_LIST))
        return false;
    if (!p->delete_called)
        remove_unmark(p);
    if (empty)
        life_step_to(p, LIFE_LAST_LIST, "a last look");
    else if (p->drain->cordoned_ms == 0)
        life_step_to(p, LIFE_CORDON, "the cordon");
    else
        life_step_to(p, LIFE_LAST_READY, "its agent, once more");
    return true;
}

static void last_list(struct life_private *p)
{
    if (!remove_goes_on(p) || back_to_its_agent(p))
        return;
    if (!remove_graceful(p))
        look_again(p);
    else if (p->command != 0 || p->answered || lists_are_fresh(p))
        look_at_pods(p);
}

// ---- the call

static void mark_deleting(struct life_private *p)
{
    if (!remove_goes_on(p) || back_to_its_agent(p))
        return;
    if (p->life->removal != REMOVAL_FAILED) {
        life_phase(p, INTENTION_DELETING);
        p->deleting_ms = p->looked_ms / 1000 * 1000;
    }
    if (life_persist(p))
        life_step_to(p, LIFE_DELETE_CALL, "VPSie");
}

// No VPSieNode owns a machine of the control plane, whatever it names.
bool delete_names_a_master(const struct life_private *p)
{
    const struct cloud_cluster *cloud =
        cluster_cloud(p->core->cluster, p->intention->facts.resource_identifier);
    for (uint32_t i = 0; cloud != NULL && i < cloud->machine_count; i++)
        if (cloud->machines[i].role == MACHINE_ROLE_MASTER && machine_is(&p->name, &cloud->machines[i]))
            return true;
    return false;
}

// A reason not to call yet, in words; NULL: none.
static const char *not_now(const struct life_private *p)
{
    const struct node *node = p->intention->node;
    const char *why = "";
    if (!remove_allowed(p, &why)) // a list that cannot be believed is among the reasons
        return why;
    if (p->core->brakes[BRAKE_CLOUD_UNUSABLE].on)
        return "VPSie";
    if (node != NULL && (node_is_master(node) || remove_mismatched(p)))
        return "a person: VPSie's machine is not this Node";
    if (delete_names_a_master(p) || p->claimed_twice)
        return "a person: VPSie's machine is not a worker of its own";
    if (p->name.identifier[0] == '\0')
        return "a person: VPSie's list gives no identifier to delete by";
    return NULL;
}

// VPSie refuses with an error in words what another would answer with a 404.
static bool knows_no_such_machine(const char *words)
{
    static const char *const said[] = {"not found",       "not exist",       "no such",
                                       "already deleted", "already removed", "already been deleted",
                                       "been removed",    "is deleted",      "no longer exists"};
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        if (text_contains_fold(words, said[i]))
            return true;
    return false;
}

static void take_delete_answer(struct life_private *p, enum outcome outcome)
{
    int64_t wait_ms = DELETE_LEAST_MS;
    for (uint32_t i = 0; i < p->delete_attempts && wait_ms < DELETE_MOST_MS; i++)
        wait_ms *= 2;
    p->delete_attempts++;
    if (wait_ms > DELETE_MOST_MS)
        wait_ms = DELETE_MOST_MS;
    if (outcome == OUTCOME_OK) {
        if (!p->delete_accepted)
            p->core->machines_deleted++;
        p->delete_accepted = true;
        wait_ms = DELETE_AGAIN_MS;
    } else {
        core_note(p->core, NOTE_WARN, p->life->decision_id, life_subject(p), "VPSie's delete: %s %s",
                  outcome_name(outcome), p->answer_words);
    }
    if (outcome == OUTCOME_OK || outcome == OUTCOME_UNKNOWN) {
        p->delete_called = true;
        p->delete_called_ms = p->core->now_ms;
    }
    bool refused = outcome == OUTCOME_REFUSED || outcome == OUTCOME_LIMITED || outcome == OUTCOME_NOT_FOUND;
    p->delete_unknown_machine =
        outcome == OUTCOME_NOT_FOUND || (refused && knows_no_such_machine(p->answer_words));
    if (p->delete_unknown_machine)
        wait_ms = DELETE_AGAIN_MS; // the list decides
    else if (refused && p->intention->group != NULL)
        core_event_group(p->core, p->intention->group, p->life->decision_id, true, "DeleteRefused",
                         "VPSie refuses to delete the machine of %s: %s", p->intention->facts.name,
                         p->answer_words);
    p->delete_again_ms = p->core->now_ms + wait_ms;
    life_step_to(p, LIFE_GONE, "its machine to leave VPSie's list");
    p->round_needed = cloud_watch_ask(watch_of(p));
}

static void delete_call(struct life_private *p)
{
    enum outcome outcome;
    struct cloud_watch *watch = watch_of(p);
    p->waits_list = true;
    if (life_answer(p, &outcome)) {
        take_delete_answer(p, outcome);
        return;
    }
    if (p->command != 0 || (!p->delete_called && !remove_goes_on(p)) || back_to_its_agent(p))
        return;
    if (p->machine == NULL && p->name.identifier[0] == '\0') { // never known: nothing to call for
        p->delete_accepted = true;
        life_step_to(p, LIFE_GONE, "its machine to leave VPSie's list");
        p->round_needed = cloud_watch_ask(watch);
        p->delete_again_ms = p->core->now_ms + DELETE_AGAIN_MS;
        return;
    }
    const char *why = not_now(p);
    if (why != NULL) {
        life_wait(p, "%s", why);
        life_due(p, p->core->now_ms + FRESH_NODE_MS);
        return;
    }
    if (p->core->now_ms > p->looked_ms + LOOK_GOOD_FOR_MS) {
        life_step_to(p, LIFE_LAST_LIST, "a last look"); // too long ago
        return;
    }
    struct arena *arena = p->core->out->arena;
    struct command *command = life_command(p, COMMAND_VPSIE_DELETE_MACHINE);
    command->key = arena_printf(arena, "vpsie/%s/%s", watch->cluster, p->name.identifier);
    command->delete_machine.cluster = arena_strdup(arena, watch->cluster);
    command->delete_machine.identifier = arena_strdup(arena, p->name.identifier);
}

// ---- gone

static void gone(struct life_private *p)
{
    struct cloud_watch *watch = watch_of(p);
    p->waits_list = true;
    (void)life_persist(p);
    life_due(p, p->delete_again_ms);
    // Not in the list is not enough: a list can lack a machine. VPSie has said that it deletes it, or knows
    // none.
    bool told = p->delete_accepted || p->delete_unknown_machine;
    if (told && !watch->suspect && p->round_needed != 0 && watch->trusted >= p->round_needed &&
        p->machine == NULL) {
        p->core->last_deleted_ms = p->core->now_ms;
        owners_departed(p->core, watch, p);
        p->waits_list = false;
        core_note(p->core, NOTE_INFO, p->life->decision_id, life_subject(p),
                  "its machine has left VPSie's list");
        life_step_to(p, LIFE_NODE_DELETE, "its Node object");
        return;
    }
    if (p->core->now_ms < p->delete_again_ms)
        return;
    life_step_to(p, LIFE_DELETE_CALL, "VPSie");
}

static void finish(struct life_private *p)
{
    p->want_removal = REMOVAL_NONE;
    if (p->life->removal == REMOVAL_FAILED) {
        p->life->removal = REMOVAL_NONE;
        life_step_to(p, LIFE_FAILED, "its time to be shown to pass");
        return;
    }
    if (p->intention->group != NULL) {
        const struct node *node = p->intention->node;
        core_event_group(p->core, p->intention->group, p->life->decision_id, false, "MachineDeleted",
                         "%s is gone", node != NULL ? node->name : p->intention->facts.name);
    }
    life_step_to(p, LIFE_FINALIZER, "its VPSieNode");
}

static void node_delete(struct life_private *p)
{
    enum outcome outcome;
    const struct node *node = p->intention->node;
    if (life_answer(p, &outcome)) {
        if (outcome == OUTCOME_OK || outcome == OUTCOME_NOT_FOUND)
            p->done[0] = true;
        life_retry(p, RETRY_LEAST_MS, RETRY_MOST_MS);
    }
    if (p->done[0] && node != NULL && p->core->now_ms < p->life->step_since_ms + NODE_SEEN_GONE_MS) {
        life_due(p, p->life->step_since_ms + NODE_SEEN_GONE_MS); // the watch will show it
        return;
    }
    if (p->done[0]) {
        finish(p);
        return;
    }
    // A Node of the same name with another uid is another machine's.
    if (node == NULL || (p->node_uid != NULL && strcmp(p->node_uid, node->uid) != 0)) {
        if (node != NULL)
            cluster_bind(p->core->cluster, p->intention, NULL);
        finish(p);
        return;
    }
    if (!life_can_ask(p))
        return;
    p->node_uid = life_intern(p->core, node->uid);
    struct arena *arena = p->core->out->arena;
    struct command *command = life_command(p, COMMAND_KUBE_DELETE_NODE);
    command->key = arena_printf(arena, "node/%s", node->name);
    command->delete_node.node_name = arena_strdup(arena, node->name);
    command->delete_node.uid = arena_strdup(arena, node->uid);
}

// ---- the VPSieNode

static void finalizer(struct life_private *p)
{
    enum outcome outcome;
    const struct intention_facts *facts = &p->intention->facts;
    if (life_answer(p, &outcome)) {
        if (outcome == OUTCOME_OK || outcome == OUTCOME_NOT_FOUND)
            p->done[0] = true;
        else
            life_retry(p, RETRY_LEAST_MS, RETRY_MOST_MS);
    }
    if (!p->done[0] && facts->deletion_ms == 0) {
        if (!life_can_ask(p))
            return;
        struct arena *arena = p->core->out->arena;
        struct command *command = life_command(p, COMMAND_KUBE_DELETE_INTENTION);
        command->delete_intention.space = arena_strdup(arena, facts->space);
        command->delete_intention.name = arena_strdup(arena, facts->name);
        command->delete_intention.uid = arena_strdup(arena, facts->uid);
        return;
    }
    p->want_finalizer = false;
    p->drop_finalizer = true;
    (void)life_metadata_stored(p); // then the watch says that it is gone
    life_due(p, p->core->now_ms + LIFE_MINUTE_MS);
}

static void failed(struct life_private *p)
{
    struct core *core = p->core;
    const struct group *group = p->intention->group;
    bool asked = p->intention->facts.deletion_ms != 0;
    if (!p->ours && !asked)
        return; // somebody else's to clear away
    bool stored = !p->ours || life_persist(p);
    if (asked || group == NULL || group->facts.deletion_ms != 0) {
        life_step_to(p, LIFE_FINALIZER, "its VPSieNode");
        return;
    }
    if (core->config.failed_ttl_ms == 0 || !stored)
        return;
    int64_t over_ms = p->failed_ms + core->config.failed_ttl_ms;
    if (core->now_ms >= over_ms)
        life_step_to(p, LIFE_FINALIZER, "its VPSieNode");
    else
        life_due(p, over_ms);
}

void delete_move(struct life_private *p)
{
    if (p->drain == NULL && p->life->step <= LIFE_DELETE_CALL)
        drain_begin(p);
    switch (p->life->step) {
    case LIFE_LAST_LIST: last_list(p); break;
    case LIFE_MARK_DELETING: mark_deleting(p); break;
    case LIFE_DELETE_CALL: delete_call(p); break;
    case LIFE_GONE: gone(p); break;
    case LIFE_NODE_DELETE: node_delete(p); break;
    case LIFE_FINALIZER: finalizer(p); break;
    case LIFE_FAILED: failed(p); break;
    default: assert(false); break;
    }
}

#include "coordinator/decide/life.h"

#include <stdio.h>
#include <string.h>

// From the machine to the Node in service, and its life there.

#define JOIN_ANEW_MS (5 * LIFE_MINUTE_MS)

// ---- its Node

// A machine of a removal that has been deleted may leave its Node behind: that is never a new machine's.
static bool may_be_its(const struct life_private *p, const struct node *node)
{
    return node != NULL && node->intention == NULL && node->deletion_ms == 0 && !node_is_master(node) &&
           (p->machine == NULL || machine_node(p->core, p->machine) == node);
}

void join_bind(struct core *core, struct life_private *p)
{
    if (p->intention->node != NULL || p->claimed_twice || !machine_known(&p->name))
        return;
    const struct machine_facts named = {
        .hostname = p->name.hostname, .private_ip = p->name.private_ip, .default_ip = p->name.ip};
    struct node *node = machine_node(core, p->machine != NULL ? p->machine : &named);
    if (!may_be_its(p, node))
        return;
    cluster_bind(core->cluster, p->intention, node);
    core_note(core, NOTE_INFO, p->life->decision_id, life_subject(p), "joined as VPSieNode %s",
              p->intention->facts.name);
}

bool join_startup_taint(const struct core *core, const struct taint *taint)
{
    static const char *const always[] = {
        "node.kubernetes.io/not-ready",           "node.kubernetes.io/unreachable",
        "node.kubernetes.io/network-unavailable", "node.cloudprovider.kubernetes.io/uninitialized",
        "node.kubernetes.io/uninitialized",       "node.cilium.io/agent-not-ready",
    };
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        if (strcmp(taint->key, always[i]) == 0)
            return true;
    for (int32_t i = 0; i < core->config.startup_taint_count; i++) {
        const char *wanted = core->config.startup_taints[i];
        size_t length = strlen(wanted);
        bool prefix = length > 0 && wanted[length - 1] == '*';
        if (prefix ? strncmp(taint->key, wanted, length - 1) == 0 : strcmp(taint->key, wanted) == 0)
            return true;
    }
    return false;
}

bool join_node_ready(const struct core *core, const struct node *node)
{
    if (node->ready != NODE_READY_TRUE || node->network_unavailable || node->deletion_ms != 0)
        return false;
    for (uint32_t i = 0; i < node->taints.count; i++)
        if (join_startup_taint(core, &node->taints.items[i]))
            return false;
    return true;
}

// ---- its labels

struct marks { // what the Node is to carry; in the arena of this step
    struct label *labels;
    uint32_t label_count;
    struct label annotations[2];
    uint32_t annotation_count;
    struct taints taints;
};

static void add_label(struct marks *marks, const char *key, const char *value)
{
    uint32_t at = marks->label_count;
    for (uint32_t i = 0; i < marks->label_count; i++)
        if (strcmp(marks->labels[i].key, key) == 0)
            return; // ours go before the group's
    while (at > 0 && strcmp(marks->labels[at - 1].key, key) > 0) {
        marks->labels[at] = marks->labels[at - 1];
        at--;
    }
    marks->labels[at] = (struct label){key, value};
    marks->label_count++;
}

static struct marks wanted_marks(const struct life_private *p)
{
    struct arena *arena = p->core->out->arena;
    const struct intention_facts *facts = &p->intention->facts;
    const struct group *group = p->intention->group;
    struct marks marks = {0};
    uint32_t group_labels = group != NULL ? group->facts.node_labels.count : 0;
    marks.labels = ARENA_ARRAY(arena, struct label, group_labels + 5);
    add_label(&marks, KEY_MANAGED, "true");
    add_label(&marks, KEY_NODEGROUP, facts->group_name);
    add_label(&marks, KEY_VPSIENODE, facts->name);
    if (facts->datacenter_id[0] != '\0')
        add_label(&marks, KEY_DATACENTER, facts->datacenter_id);
    if (facts->instance_type[0] != '\0')
        add_label(&marks, KEY_OFFERING, facts->instance_type);
    marks.annotations[marks.annotation_count++] = (struct label){KEY_NODEGROUP_NAMESPACE, facts->space};
    if (p->name.identifier[0] != '\0')
        marks.annotations[marks.annotation_count++] = (struct label){KEY_VPS_ID, p->name.identifier};
    if (!p->ours || group == NULL)
        return marks;
    for (uint32_t i = 0; i < group_labels; i++)
        add_label(&marks, group->facts.node_labels.items[i].key, group->facts.node_labels.items[i].value);
    // Pods may have settled on a machine that we did not order: it is not tainted afterwards.
    if (p->mark == ORDER_PLACED)
        marks.taints = group->facts.node_taints;
    return marks;
}

static bool has_label(const struct labels *labels, const struct label *wanted)
{
    const char *value = labels_get(labels, wanted->key);
    return value != NULL && strcmp(value, wanted->value) == 0;
}

static bool has_taint(const struct taints *taints, const struct taint *wanted)
{
    for (uint32_t i = 0; i < taints->count; i++)
        if (strcmp(taints->items[i].key, wanted->key) == 0 && taints->items[i].effect == wanted->effect)
            return true;
    return false;
}

static bool carries(const struct node *node, const struct marks *marks)
{
    for (uint32_t i = 0; i < marks->label_count; i++)
        if (!has_label(&node->labels, &marks->labels[i]))
            return false;
    for (uint32_t i = 0; i < marks->annotation_count; i++)
        if (!has_label(&node->annotations, &marks->annotations[i]))
            return false;
    for (uint32_t i = 0; i < marks->taints.count; i++)
        if (!has_taint(&node->taints, &marks->taints.items[i]))
            return false;
    return true;
}

static struct labels copy_labels(struct arena *arena, const struct label *labels, uint32_t count)
{
    struct label *copy = ARENA_ARRAY(arena, struct label, count);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = (struct label){arena_strdup(arena, labels[i].key), arena_strdup(arena, labels[i].value)};
    return (struct labels){copy, count};
}

static void write_marks(struct life_private *p, const struct marks *marks)
{
    struct arena *arena = p->core->out->arena;
    const struct node *node = p->intention->node;
    struct command *command = core_emit(p->core, COMMAND_KUBE_LABEL_NODE, p->life->decision_id);
    command->key = arena_printf(arena, "node/%s", node->name);
    command->label_node.node_name = arena_strdup(arena, node->name);
    command->label_node.labels = copy_labels(arena, marks->labels, marks->label_count);
    command->label_node.annotations = copy_labels(arena, marks->annotations, marks->annotation_count);
    struct taint *taints = ARENA_ARRAY(arena, struct taint, marks->taints.count);
    for (uint32_t i = 0; i < marks->taints.count; i++)
        taints[i] =
            (struct taint){arena_strdup(arena, marks->taints.items[i].key),
                           arena_strdup(arena, marks->taints.items[i].value), marks->taints.items[i].effect};
    command->label_node.taints = (struct taints){taints, marks->taints.count};
    p->label_command = command->id;
    p->labelled = false;
    p->labelled_uid = life_intern(p->core, node->uid);
}

bool join_label(struct life_private *p)
{
    const struct node *node = p->intention->node;
    if (p->label_command != 0)
        return false;
    if (p->labelled && strcmp(p->labelled_uid, node->uid) == 0)
        return true;
    struct marks marks = wanted_marks(p);
    if (carries(node, &marks)) {
        p->labelled = true;
        p->labelled_uid = life_intern(p->core, node->uid);
        return true;
    }
    if (p->core->now_ms < p->label_retry_ms)
        life_due(p, p->label_retry_ms);
    else
        write_marks(p, &marks);
    return false;
}

// ---- joining

// VPSie says that it is still being made.
static bool in_the_making(const struct machine_facts *machine)
{
    static const char *const words[] = {"creat", "pend", "build", "provision", "install", "deploy", "queue"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text_contains_fold(machine->status, words[i]))
            return true;
    return false;
}

// The machine turned out to be another VPSieNode's.
static void give_back(struct life_private *p)
{
    p->rejected = p->name.identifier;
    p->name = (struct machine_name){"", 0, "", "", ""};
    p->listed = false;
    p->claimed_twice = false;
    if (p->baseline != NULL) {
        p->mark = ORDER_REQUESTED;
        life_step_to(p, LIFE_APPEAR, "VPSie's list");
        return;
    }
    life_fail(p, ORDER_NOT_PLACED, "its machine is another VPSieNode's");
}

// A machine that an answer named, and that never came into the list.
static void not_listed_yet(struct life_private *p)
{
    struct core *core = p->core;
    int64_t from_ms = p->life->called_ms != 0 ? p->life->called_ms : p->intention->facts.created_ms;
    int64_t limit_ms = from_ms + core->config.http_timeout_ms + core->config.appearance_bound_ms;
    life_wait(p, "its machine to appear");
    life_due(p, limit_ms);
    if (core->now_ms < limit_ms || p->intention->node != NULL)
        return;
    struct cloud_watch *watch = cloud_watch_of(core, p->intention->facts.resource_identifier);
    if (p->round_needed == 0)
        p->round_needed = cloud_watch_ask(watch);
    if (watch->suspect || watch->trusted < p->round_needed || !lists_watched(p))
        return;
    if (p->ours) // it is deleted all the same: a list can lack a machine
        remove_begin(p, REMOVAL_FAILED, p->life->decision_id,
                     "the machine that VPSie named never came into its list");
    else
        life_fail(p, ORDER_NONE, "its machine is not in VPSie's list");
}

static void in_service(struct life_private *p)
{
    struct core *core = p->core;
    p->ready_ms = core->now_ms / 1000 * 1000;
    core->last_added_ms = core->now_ms;
    p->want_error = p->intention->facts.last_error[0] != '\0' ? life_intern(core, "") : p->want_error;
    p->failed_ms = 0;
    baseline_free(p->baseline); // it has served
    p->baseline = NULL;
    life_phase(p, INTENTION_READY);
    core_note(core, NOTE_INFO, p->life->decision_id, life_subject(p), "in service");
    core_event_intention(core, p->intention, p->life->decision_id, false, "InService", "its Node %s is Ready",
                         p->intention->node->name);
    life_step_to(p, LIFE_READY, "");
}

static void too_late(struct life_private *p, const char *what, int64_t limit_ms)
{
    char limit[32], why[160];
    if (p->mark == ORDER_ADOPTED) { // it was not ordered here: nothing is deleted
        life_fail(p, ORDER_NONE, "%s; it was adopted, and is left alone", what);
        return;
    }
    text_format_duration(limit, sizeof(limit), limit_ms);
    snprintf(why, sizeof(why), "%s within %s", what, limit);
    remove_begin(p, REMOVAL_FAILED, p->life->decision_id, life_intern(p->core, why));
}

// Asked for by a person: the VPSieNode or its NodeGroup is deleted. True when the machine is on its way out.
static bool asked_to_go(struct life_private *p)
{
    int64_t due_ms;
    const struct group *group = p->intention->group;
    const char *why = NULL;
    if (group != NULL && group->facts.deletion_ms != 0) {
        if (group_retains(group)) {
            p->want_finalizer = false;
            p->drop_finalizer = true;
            (void)life_persist(p);
            life_wait(p, "nothing: its NodeGroup is deleted and retains its machines");
            return true;
        }
        if (group_goes(p->core, group, &due_ms))
            why = "its NodeGroup is deleted";
        else
            life_due(p, due_ms);
    } else if (p->intention->facts.deletion_ms != 0) {
        if (group != NULL || p->core->now_ms >= p->intention->facts.deletion_ms + GROUPS_GONE_WINDOW_MS)
            why = "its VPSieNode is deleted";
        else
            life_due(p, p->intention->facts.deletion_ms + GROUPS_GONE_WINDOW_MS);
    }
    if (why == NULL || p->core->now_ms < p->life->not_before_ms) {
        if (why != NULL)
            life_due(p, p->life->not_before_ms);
        return false;
    }
    return remove_begin(p, REMOVAL_REQUESTED, 0, why);
}

// A machine of the control plane is nobody's, whatever a VPSieNode says: nothing is written about it.
static bool left_alone(struct life_private *p)
{
    if ((p->intention->node == NULL || !node_is_master(p->intention->node)) && !delete_names_a_master(p))
        return false;
    snprintf(p->life->held, sizeof(p->life->held), "it names a machine of the control plane");
    life_wait(p, "a person: %s", p->life->held);
    return true;
}

// While nobody led, or the API server was away, no machine could join: there is some time for that again.
static int64_t not_blind_ms(const struct core *core, int64_t limit_ms)
{
    const struct life_shared *shared = core->life;
    int64_t since_ms = shared->taken_ms > shared->kube_ms ? shared->taken_ms : shared->kube_ms;
    return since_ms + (limit_ms < JOIN_ANEW_MS ? limit_ms : JOIN_ANEW_MS);
}

void join_move(struct life_private *p)
{
    struct core *core = p->core;
    if (left_alone(p))
        return;
    if (p->claimed_twice) {
        give_back(p);
        return;
    }
    join_bind(core, p);
    if (p->vanished && (p->intention->node == NULL || p->intention->node->ready != NODE_READY_TRUE) &&
        remove_begin(p, REMOVAL_FAILED, p->life->decision_id, "its machine is no longer in VPSie's list"))
        return;
    if (asked_to_go(p))
        return;
    const struct node *node = p->intention->node;
    if (p->machine == NULL && !p->listed && node == NULL) {
        (void)life_persist(p);
        not_listed_yet(p);
        return;
    }
    if (p->provisioned_ms == 0 && (node != NULL || (p->machine != NULL && !in_the_making(p->machine))))
        p->provisioned_ms = core->now_ms / 1000 * 1000;
    if (p->joined_ms == 0 && node != NULL)
        p->joined_ms = core->now_ms / 1000 * 1000;
    life_phase(p, node != NULL             ? INTENTION_JOINING
                  : p->provisioned_ms != 0 ? INTENTION_PROVISIONED
                                           : INTENTION_PROVISIONING);
    // Whose the machine is must be stored before its status or its Node says so.
    bool stored = life_metadata_stored(p);
    if (stored)
        (void)life_phase_stored(p);
    bool labelled = stored && node != NULL && join_label(p);
    if (labelled && join_node_ready(core, node)) {
        in_service(p);
        return;
    }
    life_wait(p, node == NULL ? "its Node to join" : "its Node to be Ready, without startup taints");
    int64_t from_ms = p->provisioned_ms != 0 ? p->provisioned_ms : p->listed_ms;
    int64_t limit_ms = p->provisioned_ms != 0 ? core->config.join_limit_ms : core->config.provision_limit_ms;
    int64_t due_ms =
        from_ms + limit_ms > p->life->not_before_ms ? from_ms + limit_ms : p->life->not_before_ms;
    if (due_ms < not_blind_ms(core, limit_ms))
        due_ms = not_blind_ms(core, limit_ms);
    if (core->now_ms < due_ms || p->vanished)
        life_due(p, p->vanished ? core->now_ms + LIFE_MINUTE_MS : due_ms);
    else
        too_late(p,
                 p->provisioned_ms == 0 ? "not provisioned"
                 : node == NULL         ? "no Node joined"
                                        : "its Node did not become Ready",
                 limit_ms);
}

// ---- in service

void ready_move(struct life_private *p)
{
    if (left_alone(p))
        return;
    join_bind(p->core, p);
    if (asked_to_go(p))
        return;
    if (p->life->held[0] != '\0' && p->core->now_ms >= p->life->not_before_ms)
        p->life->held[0] = '\0';
    else if (p->life->held[0] != '\0')
        life_due(p, p->life->not_before_ms);
    life_phase(p, INTENTION_READY);
    p->want_finalizer = true;
    (void)life_persist(p);
    if (p->intention->node != NULL)
        (void)join_label(p);
    broken_consider(p);
}

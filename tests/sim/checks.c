// The rules that must never be broken, checked at every command, every effect, every word told to the core,
// and now and then over the whole world.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "coordinator/model/cluster.h"
#include "tests/sim/private.h"

#define AUDIT_EVERY_MS 5000
#define TOLD_WITHIN_MS 3000   // a watch may be so late, and times are written in seconds
#define SAID_WITHIN_MS 180000 // an order that fails lets a surplus be seen, and what changed has to settle
#define AUDIT_SLACK_MS 600000 // takeovers, throttling and lost calls on the way

// --------------------------------------------------------------------------------------- looking things up

static bool same_host(const char *a, const char *b)
{
    return a[0] != 0 && text_equal_fold(a, b);
}

// The intention that speaks for a machine, NULL: none.
static const struct api_object *intention_of(const struct sim *sim, const struct cloud_machine *machine)
{
    for (size_t i = 0; i < api_count(sim->world->api, API_VPSIENODE); i++) {
        const struct api_object *object = api_at(sim->world->api, API_VPSIENODE, i);
        const cJSON *json = object->document->json;
        if (strcmp(json_text(json, "spec.vpsieNodeIdentifier"), machine->identifier) == 0 ||
            same_host(json_text(json, "spec.nodeName"), machine->hostname) ||
            same_host(json_text(json, "status.nodeName"), machine->hostname) ||
            same_host(json_text(json, "status.hostname"), machine->hostname))
            return object;
    }
    return NULL;
}

static struct drain *drain_of(struct sim *sim, const struct process *process, const char *node_name)
{
    for (size_t i = 0; i < sim->drain_count; i++) {
        if (sim->drains[i].process == process->number && strcmp(sim->drains[i].node_name, node_name) == 0)
            return &sim->drains[i];
    }
    sim->drains = xrealloc_array(sim->drains, sim->drain_count + 1, sizeof *sim->drains);
    struct drain *drain = &sim->drains[sim->drain_count++];
    *drain = (struct drain){.node_name = xstrdup(node_name), .process = process->number};
    return drain;
}

static void drain_free(struct drain *drain)
{
    for (uint32_t i = 0; i < drain->uid_count; i++)
        free(drain->uids[i]);
    free(drain->uids);
    free(drain->node_name);
}

void check_death(struct sim *sim, const struct process *process)
{
    for (size_t i = 0; i < sim->drain_count;) {
        if (sim->drains[i].process == process->number) {
            drain_free(&sim->drains[i]);
            sim->drains[i] = sim->drains[--sim->drain_count];
        } else {
            i++;
        }
    }
}

static bool is_ours(const struct sim *sim, const char *node_name)
{
    const struct cloud_machine *machine = cloud_machine_by_node(sim->world, node_name);
    if (machine == NULL) // only the Node is left
        return true;
    return !machine->master && machine->group_id != 0 &&
           (machine->call != 0 || intention_of(sim, machine) != NULL);
}

// Seen by this coordinator: our cordon stands in the Node that its watch or list has told it.
static bool cordon_stands(const struct sim *sim, const char *node_name)
{
    const struct api_object *node = api_find(sim->world->api, API_NODE, "", node_name);
    return node != NULL && json_true(node->document->json, "spec.unschedulable") &&
           json_key(json_at(node->document->json, "metadata.annotations"), KEY_CORDONED_BY) != NULL;
}

// ------------------------------------------------------------------------------------- what is commanded

static void check_eviction(struct sim *sim, struct process *process, const struct command *command)
{
    const struct api_object *pod = api_find(sim->world->api, API_POD, command->pod.space, command->pod.name);
    if (pod == NULL || strcmp(pod->uid, command->pod.uid) != 0)
        return;
    const char *node_name = json_text(pod->document->json, "spec.nodeName");
    if (!node_is_ready(sim->world, node_name))
        return; // a broken node has no agent to ask
    struct drain *drain = drain_of(sim, process, node_name);
    drain->drained = false;
    drain->evicted = true;
    bool named = false;
    for (uint32_t i = 0; i < drain->uid_count; i++)
        named = named || strcmp(drain->uids[i], pod->uid) == 0;
    if (drain->ready && !named)
        sim_break(sim, "%s/%s on %s is evicted and was not among the pods that the directive named",
                  command->pod.space, command->pod.name, node_name);
    if (drain->ready && sim->world->now_ms - drain->ready_ms > sim->settings.core.agent_silent_ms + 5000)
        sim_break(sim, "%s/%s on %s is evicted %lld s after its agent's last word", command->pod.space,
                  command->pod.name, node_name, (long long)((sim->world->now_ms - drain->ready_ms) / 1000));
    if (!drain->ready)
        sim_break(sim,
                  "%s of %s/%s on %s before its agent answered READY to a directive sent after the cordon",
                  command_kind_name(command->kind), command->pod.space, command->pod.name, node_name);
}

static void check_directive(struct sim *sim, struct process *process, const struct command *command)
{
    struct drain *drain = drain_of(sim, process, command->directive.node_name);
    if (command->directive.kind != DIRECTIVE_PREPARE_DRAIN)
        return;
    for (uint32_t i = 0; i < drain->uid_count; i++)
        free(drain->uids[i]);
    drain->uid_count = command->directive.pod_uid_count;
    drain->uids = xrealloc_array(drain->uids, drain->uid_count + 1u, sizeof(char *));
    for (uint32_t i = 0; i < drain->uid_count; i++)
        drain->uids[i] = xstrdup(command->directive.pod_uids[i]);
    bool same = strcmp(drain->directive, command->directive.directive_id) == 0;
    drain->ready = drain->ready && same;
    drain->drained = drain->drained && same;
    drain->evicted = drain->evicted && same;
    bool fresh = drain->cordon_confirmed || cordon_stands(sim, command->directive.node_name);
    snprintf(drain->directive, sizeof drain->directive, "%s", fresh ? command->directive.directive_id : "");
}

static void check_marks(struct sim *sim, const char *node_name, const char *what)
{
    if (!is_ours(sim, node_name))
        sim_break(sim, "%s of %s, which is not ours", what, node_name);
}

static void check_node_deletion(struct sim *sim, const struct command *command)
{
    const char *node_name = command->delete_node.node_name;
    const struct cloud_machine *machine = cloud_machine_by_node(sim->world, node_name);
    check_marks(sim, node_name, "the deletion");
    if (command->delete_node.uid == NULL || command->delete_node.uid[0] == 0)
        sim_break(sim, "the Node %s is deleted without a UID precondition", node_name);
    bool lied = sim->world->cloud->list_mode != CLOUD_LIST_RIGHT ||
                (sim->lied_ms > 0 && sim->world->now_ms - sim->lied_ms < 60000);
    if (machine != NULL && machine->listed && !lied)
        sim_break(sim, "the Node %s is deleted while its machine stands in VPSie's list", node_name);
}

void check_command(struct sim *sim, struct process *process, const struct command *command)
{
    const char *what = command_kind_name(command->kind);
    if (command_writes(command->kind)) {
        if (sim->settings.core.dry_run)
            sim_break(sim, "%s in a dry run", what);
        if (!process->leading)
            sim_break(sim, "%s by P%u, which does not lead", what, process->number);
        if (command->term != process->term)
            sim_break(sim, "%s with term %llu in term %llu", what, (unsigned long long)command->term,
                      (unsigned long long)process->term);
    }
    switch (command->kind) {
    case COMMAND_KUBE_EVICT:
    case COMMAND_KUBE_DELETE_POD: check_eviction(sim, process, command); break;
    case COMMAND_AGENT_DIRECTIVE: check_directive(sim, process, command); break;
    case COMMAND_KUBE_CORDON: check_marks(sim, command->cordon.node_name, what); break;
    case COMMAND_KUBE_LABEL_NODE: check_marks(sim, command->label_node.node_name, what); break;
    case COMMAND_KUBE_DELETE_NODE: check_node_deletion(sim, command); break;
    case COMMAND_KUBE_UNCORDON: {
        struct drain *drain = drain_of(sim, process, command->cordon.node_name);
        drain->cordon_confirmed = drain->ready = drain->drained = false;
        drain->directive[0] = 0;
        break;
    }
    default: break;
    }
}

static const cJSON *ready_condition(const struct document *document)
{
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_at(document == NULL ? NULL : document->json, "status.conditions"))
    {
        if (strcmp(json_text(condition, "type"), "Ready") == 0)
            return condition;
    }
    return NULL;
}

static bool says_ready(const struct document *document)
{
    return strcmp(json_text(ready_condition(document), "status"), "True") == 0;
}

// A machine that is in no VPSie group was ordered by none of us, one of another VPSie group by another
// intention: no intention may name it.
static void check_identity(struct sim *sim, const struct api_change *change)
{
    const char *identifier = json_text(change->now->json, "spec.vpsieNodeIdentifier");
    const struct cloud_machine *machine =
        identifier[0] == 0 ? NULL : cloud_machine_find(sim->world, identifier);
    if (machine != NULL && (machine->master || machine->group_id == 0))
        sim_break(sim, "the intention %s takes %s, which is not ours",
                  json_text(change->now->json, "metadata.name"), machine->node_name);
    int64_t group_id = (int64_t)json_number(change->now->json, "spec.vpsieGroupID", 0);
    if (machine != NULL && group_id != 0 && group_id != machine->group_id)
        sim_break(sim, "the intention %s takes %s, which is another group's",
                  json_text(change->now->json, "metadata.name"), machine->node_name);
}

void check_noticed(struct sim *sim, const struct api_change *change)
{
    if (change->kind == API_VPSIENODE && change->type != API_DELETED)
        check_identity(sim, change);
    if (change->kind != API_NODE || change->type == API_DELETED || !says_ready(change->now) ||
        says_ready(change->before))
        return;
    const char *name = json_text(change->now->json, "metadata.name");
    for (size_t i = 0; i < sim->recovery_count; i++) {
        if (strcmp(sim->recoveries[i].node_name, name) == 0) {
            sim->recoveries[i].version = change->version;
            return;
        }
    }
    sim->recoveries = xrealloc_array(sim->recoveries, sim->recovery_count + 1, sizeof *sim->recoveries);
    sim->recoveries[sim->recovery_count++] = (struct recovery){xstrdup(name), change->version};
}

// Has this coordinator been told that the node is Ready, as it is?
static bool was_told_ready(struct sim *sim, unsigned number, const char *node_name)
{
    int64_t version = 0;
    for (size_t i = 0; i < sim->recovery_count; i++) {
        if (strcmp(sim->recoveries[i].node_name, node_name) == 0)
            version = sim->recoveries[i].version;
    }
    return node_is_ready(sim->world, node_name) &&
           process_by_number(sim, number)->cursors[OBJECT_NODE] >= version;
}

static void count_order(struct sim *sim, const char *key)
{
    struct order *order = NULL;
    for (size_t i = 0; i < sim->order_count && order == NULL; i++) {
        if (strcmp(sim->orders[i].intention, key) == 0)
            order = &sim->orders[i];
    }
    if (order == NULL) {
        sim->orders = xrealloc_array(sim->orders, sim->order_count + 1, sizeof *sim->orders);
        order = &sim->orders[sim->order_count++];
        *order = (struct order){.intention = xstrdup(key)};
    }
    if (++order->calls > 1)
        sim_break(sim, "a second call for the intention %s", key);
}

// A call that leaves the door. For an order: the one call of its intention.
void check_sent(struct sim *sim, struct call *call)
{
    const struct command *command = call->command;
    if (command->kind == COMMAND_VPSIE_ADD_MACHINE)
        count_order(sim, command->key == NULL ? "" : command->key);
    if (command->kind != COMMAND_VPSIE_DELETE_MACHINE)
        return;
    const struct cloud_machine *machine = cloud_machine_find(sim->world, command->delete_machine.identifier);
    if (machine == NULL)
        return;
    const struct process *process = process_by_number(sim, call->process);
    call->told_ready = was_told_ready(sim, call->process, machine->node_name);
    call->told_list_ms = process->told_list_ms;
    call->drained = drain_of(sim, process, machine->node_name)->drained;
}

// ----------------------------------------------------------------------------------------- what it does

// The VPSie groups of a NodeGroup are called as it is, or NAME-SIZE.
static bool is_of_nodegroup(struct sim *sim, int64_t group_id, const char *name)
{
    const struct cloud_group *group = cloud_group_by_id(sim->world, SIM_CLUSTER, group_id);
    size_t length = strlen(name);
    return group != NULL && strncmp(group->name, name, length) == 0 &&
           (group->name[length] == '\0' ||
            (group->name[length] == '-' && strtoll(group->name + length + 1, NULL, 10) == group->size_id));
}

static void check_limits(struct sim *sim, const struct command *command)
{
    AUTOLIST struct api_list groups = api_snapshot(sim->world->api, API_NODEGROUP, NULL);
    for (size_t i = 0; i < groups.count; i++) {
        const char *name = groups.items[i].name;
        if (!is_of_nodegroup(sim, command->add_machine.group_id, name))
            continue;
        int64_t machines = 0;
        for (size_t j = 0; j < sim->world->cloud->machine_count; j++) {
            const struct cloud_machine *machine = sim->world->cloud->machines[j];
            machines += machine->call != 0 && !machine->gone && !machine->leaving &&
                        is_of_nodegroup(sim, machine->group_id, name);
        }
        if (machines > json_number(groups.items[i].document->json, "spec.maxNodes", 0))
            sim_break(sim, "group %s has %lld machines that we ordered, more than its maximum", name,
                      (long long)machines);
    }
}

// A person has deleted it, and neither VPSie's list nor its Node could have told the coordinator.
static bool goes_unseen(const struct sim *sim, const struct call *call, const struct cloud_machine *machine)
{
    const struct api_object *intention = intention_of(sim, machine);
    const struct api_object *node = api_find(sim->world->api, API_NODE, "", machine->node_name);
    if (intention == NULL || node == NULL || (machine->gone && machine->gone_ms <= call->told_list_ms) ||
        json_key(json_at(intention->document->json, "metadata.annotations"), KEY_PREFIX "removal") != NULL)
        return false;
    const cJSON *condition = ready_condition(node->document);
    const char *since = json_text(condition, "lastTransitionTime");
    int64_t since_ms = 0;
    return strcmp(json_text(condition, "status"), "True") == 0 ||
           (text_parse_time_ms(since, strlen(since), &since_ms, NULL) == 0 &&
            sim->world->now_ms - since_ms < TOLD_WITHIN_MS);
}

static void check_minimum(struct sim *sim, const struct call *call, const struct cloud_machine *leaving)
{
    int64_t left = 0;
    const struct api_object *intention = intention_of(sim, leaving);
    if (intention == NULL)
        return;
    const cJSON *json = intention->document->json;
    const struct api_object *group =
        api_find(sim->world->api, API_NODEGROUP, intention->space, json_text(json, "spec.nodeGroupName"));
    if (group == NULL || json_text(group->document->json, "metadata.deletionTimestamp")[0] != 0 ||
        json_text(json, "metadata.deletionTimestamp")[0] != 0)
        return;
    for (size_t i = 0; i < sim->world->cloud->machine_count; i++) {
        const struct cloud_machine *machine = sim->world->cloud->machines[i];
        bool goes = (machine->gone || machine->leaving) && !goes_unseen(sim, call, machine);
        left += machine != leaving && !goes && is_of_nodegroup(sim, machine->group_id, group->name);
    }
    if (left < json_number(group->document->json, "spec.minNodes", 0))
        sim_break(sim, "the removal of %s leaves %lld machines, fewer than the minimum", leaving->node_name,
                  (long long)left);
}

void check_before_effect(struct sim *sim, const struct call *call)
{
    const struct command *command = call->command;
    if (command->kind != COMMAND_VPSIE_DELETE_MACHINE)
        return;
    const struct cloud_machine *machine = cloud_machine_find(sim->world, command->delete_machine.identifier);
    if (machine == NULL || machine->gone || machine->leaving)
        return;
    if (machine->master || !is_ours(sim, machine->node_name))
        sim_break(sim, "%s, which is not ours, is deleted", machine->node_name);
    if (!machine->registered || !node_is_ready(sim->world, machine->node_name) || !call->told_ready)
        return; // never joined, or broken as far as could be known when the call left
    size_t pods = count_movable_pods(sim->world, machine->node_name);
    if (pods > 0)
        sim_break(sim, "%s is deleted with %zu pods on it", machine->node_name, pods);
    if (!call->drained)
        sim_break(sim, "%s is deleted without a last READY (drained) of its agent", machine->node_name);
    check_minimum(sim, call, machine);
}

void check_after_effect(struct sim *sim, const struct command *command)
{
    if (command->kind == COMMAND_VPSIE_ADD_MACHINE)
        check_limits(sim, command);
    for (size_t i = 0; i < sim->cordon_count; i++) {
        const struct api_object *node = api_find(sim->world->api, API_NODE, "", sim->cordons[i]);
        if (node != NULL && !json_true(node->document->json, "spec.unschedulable"))
            sim_break(sim, "a person's cordon of %s was lifted by %s", sim->cordons[i],
                      command_kind_name(command->kind));
    }
}

// --------------------------------------------------------------------------------- what the core is told

void check_told(struct sim *sim, const struct process *process, const struct call *call, enum outcome outcome)
{
    const struct command *command = call->command;
    if (command->kind == COMMAND_KUBE_CORDON && outcome == OUTCOME_OK)
        drain_of(sim, process, command->cordon.node_name)->cordon_confirmed = true;
    if (command->kind != COMMAND_VPSIE_ADD_MACHINE || outcome != OUTCOME_THROTTLED)
        return;
    for (size_t i = 0; i < sim->order_count; i++) {
        if (command->key != NULL && strcmp(sim->orders[i].intention, command->key) == 0)
            sim->orders[i].calls = 0; // 429: not placed, and may be asked again
    }
}

void check_report(struct sim *sim, const struct process *process, const struct agent_report_facts *report)
{
    struct drain *drain = drain_of(sim, process, report->node_name);
    if (drain->directive[0] == 0 || strcmp(report->directive_id, drain->directive) != 0)
        return;
    drain->ready = report->directive_verdict.state == EVIDENCE_READY;
    drain->ready_ms = sim->world->now_ms;
    drain->drained = drain->ready && !drain->evicted && report->directive_verdict.pods_remaining == 0;
}

// ---------------------------------------------------------------------------------------- now and then

size_t sim_surplus(const struct sim *sim)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->world->cloud->machine_count; i++) {
        const struct cloud_machine *machine = sim->world->cloud->machines[i];
        count += !machine->gone && !machine->master && machine->group_id != 0 &&
                 intention_of(sim, machine) == NULL;
    }
    return count;
}

// A list that lied hid machines for longer than anybody waits: then so many (machines of one group are
// interchangeable) are a surplus, and it must have been said.
static void audit_machines(struct sim *sim)
{
    int64_t bound_ms = sim->settings.core.http_timeout_ms + sim->settings.core.appearance_bound_ms;
    const struct cloud_machine *orphan = NULL;
    size_t orphans = 0, hidden = 0;
    size_t added = 0; // a machine that a person adds goes for ours, or hides which is
    for (size_t i = 0; i < sim->world->cloud->machine_count && !sim->let_go; i++) {
        const struct cloud_machine *machine = sim->world->cloud->machines[i];
        int64_t from_ms = sim->hindered_ms > machine->created_ms ? sim->hindered_ms : machine->created_ms;
        added += machine->call == 0 && machine->group_id != 0;
        if (machine->gone || machine->leaving || machine->master)
            continue;
        if (machine->call == 0)
            continue;
        hidden += sim->lied_ms > machine->created_ms;
        if (sim->world->now_ms - from_ms < bound_ms + AUDIT_SLACK_MS || intention_of(sim, machine) != NULL)
            continue;
        orphans++;
        orphan = machine;
    }
    if (orphans == 0 || sim->surplus_said_ms >= orphan->created_ms)
        sim->unsaid_ms = 0;
    else if (sim->unsaid_ms == 0)
        sim->unsaid_ms = sim->world->now_ms;
    bool unsaid = sim->unsaid_ms != 0 && sim->world->now_ms > sim->unsaid_ms + SAID_WITHIN_MS;
    if (orphans > hidden + added || unsaid)
        sim_break(sim, "machine %s, which we ordered %lld s ago, has no intention%s", orphan->hostname,
                  (long long)((sim->world->now_ms - orphan->created_ms) / 1000),
                  orphans > hidden + added ? "" : " and is in nobody's sight");
}

static bool is_settled(const cJSON *json)
{
    static const char *const ends[] = {"Ready", "Failed", "Terminating", "Deleting"};
    const char *phase = json_text(json, "status.phase");
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (strcmp(phase, ends[i]) == 0)
            return true;
    }
    return json_text(json, "metadata.deletionTimestamp")[0] != 0;
}

static void audit_intentions(struct sim *sim)
{
    int64_t bound_ms = sim->settings.core.http_timeout_ms + sim->settings.core.appearance_bound_ms;
    for (size_t i = 0; i < api_count(sim->world->api, API_VPSIENODE); i++) {
        const struct api_object *object = api_at(sim->world->api, API_VPSIENODE, i);
        const cJSON *json = object->document->json;
        const char *called = json_key_text(json_at(json, "metadata.annotations"), KEY_CREATION_REQUESTED);
        int64_t called_ms = 0;
        if (text_parse_time_ms(called, strlen(called), &called_ms, NULL) != 0 || is_settled(json))
            continue; // not called yet, or it has come to an end
        // While VPSie's list cannot be believed, or nobody leads or can be reached, nothing is concluded.
        int64_t age_ms = sim->world->now_ms - (called_ms > sim->hindered_ms ? called_ms : sim->hindered_ms);
        if (age_ms > bound_ms + AUDIT_SLACK_MS && json_text(json, "spec.vpsieNodeIdentifier")[0] == 0 &&
            json_text(json, "spec.nodeName")[0] == 0)
            sim_break(sim, "intention %s was called for %lld s ago and is forgotten", object->name,
                      (long long)(age_ms / 1000));
    }
}

static void audit_strangers(struct sim *sim)
{
    for (size_t i = 0; i < api_count(sim->world->api, API_NODE); i++) {
        const struct api_object *node = api_at(sim->world->api, API_NODE, i);
        if (!is_ours(sim, node->name) &&
            json_key(json_at(node->document->json, "metadata.annotations"), KEY_CORDONED_BY) != NULL)
            sim_break(sim, "%s, which is not ours, carries our cordon", node->name);
    }
}

void check_world(struct sim *sim)
{
    if (sim->world->now_ms - sim->last_audit_ms < AUDIT_EVERY_MS)
        return;
    sim->last_audit_ms = sim->world->now_ms;
    bool led = false;
    for (unsigned i = 0; i < sim->process_count; i++)
        led = led || (sim->processes[i].alive && sim->processes[i].leading &&
                      sim->world->now_ms < sim->processes[i].fence_ms);
    if (sim->world->cloud->list_mode != CLOUD_LIST_RIGHT || sim->kube_cut || sim->vpsie_cut || !led)
        sim->hindered_ms = sim->world->now_ms;
    if (sim->world->cloud->list_mode != CLOUD_LIST_RIGHT)
        sim->lied_ms = sim->world->now_ms;
    audit_machines(sim);
    audit_intentions(sim);
    audit_strangers(sim);
}

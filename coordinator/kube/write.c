#include "coordinator/kube/write.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "coordinator/kube/json.h"
#include "coordinator/kube/kinds.h"
#include "coordinator/kube/patch.h"

#define MERGE_PATCH       "application/merge-patch+json"
#define CONFLICT_ATTEMPTS 5
#define CONFLICT_PAUSE_MS INT64_C(50)

void write_conclude(struct event *event, enum outcome outcome, const struct api_reply *reply)
{
    const cJSON *metadata = json_get(reply->json, "metadata");
    event->outcome.outcome = outcome;
    event->outcome.status = reply->status;
    event->outcome.retry_after_ms = reply->retry_after_ms;
    event->outcome.detail = arena_strdup(event->arena, reply->message);
    if (api_succeeded(reply)) {
        event->outcome.uid = json_copy(event->arena, metadata, "uid");
        event->outcome.resource_version = json_copy(event->arena, metadata, "resourceVersion");
    }
}

void write_say(struct event *event, enum outcome outcome, const char *detail)
{
    event->outcome.outcome = outcome;
    event->outcome.detail = arena_strdup(event->arena, detail);
}

char *write_path(const char *prefix, const char *space, const char *resource, const char *name,
                 const char *suffix)
{
    struct text path = {0};
    text_append(&path, prefix);
    if (space) {
        text_append(&path, "/namespaces/");
        http_escape(&path, space);
    }
    text_printf(&path, "/%s", resource);
    if (name) {
        text_append(&path, "/");
        http_escape(&path, name);
    }
    text_append(&path, suffix);
    return text_take(&path);
}

// ------------------------------------------------------------------------------------- read, change, write

// The object that a command is about.
struct target {
    const char *kind;
    const char *prefix;
    const char *space; // NULL: cluster-scoped
    const char *resource;
    const char *name;
};

static struct target node_target(const char *name)
{
    return (struct target){"Node", "/api/v1", NULL, "nodes", name};
}

static struct target pod_target(const struct command *command)
{
    return (struct target){"Pod", "/api/v1", command->pod.space, "pods", command->pod.name};
}

static struct target intention_target(const char *space, const char *name)
{
    return (struct target){"VPSieNode", KIND_GROUP_PATH, space, "vpsienodes", name};
}

static struct target group_target(const char *space, const char *name)
{
    return (struct target){"NodeGroup", KIND_GROUP_PATH, space, "nodegroups", name};
}

static char *target_path(const struct target *target, const char *suffix)
{
    return write_path(target->prefix, target->space, target->resource, target->name, suffix);
}

static void get_target(const struct writer *writer, const struct target *target, struct api_reply *reply)
{
    AUTOFREE char *path = target_path(target, "");
    struct api_request request = {.verb = "get", .kind = target->kind, .method = "GET", .path = path};
    api_read(writer->api, &request, reply);
}

static void patch_target(const struct writer *writer, const struct command *command,
                         const struct target *target, const char *subresource, const char *body,
                         struct api_reply *reply)
{
    AUTOFREE char *suffix = xprintf("%s" WRITE_MANAGER, subresource);
    AUTOFREE char *path = target_path(target, suffix);
    struct api_request request = {.verb = "patch",
                                  .kind = target->kind,
                                  .method = "PATCH",
                                  .path = path,
                                  .body = body,
                                  .content_type = MERGE_PATCH,
                                  .guard = API_FENCED,
                                  .term = command->term};
    api_call(writer->api, &request, reply);
}

// A read before a write failed: of the write nothing was sent, whatever became of the read.
static enum outcome read_outcome(const struct api_reply *reply)
{
    enum outcome outcome = api_outcome(reply);
    return outcome == OUTCOME_UNKNOWN ? OUTCOME_NOT_SENT : outcome;
}

// The body to send, NULL for "it already is so". Text in `note` goes into the outcome's detail.
typedef char *(*make_patch)(const cJSON *object, const struct command *command, struct text *note);

// Reads, patches with the version that was read, and begins again when somebody wrote in between.
static void modify(const struct writer *writer, const struct command *command, const struct target *target,
                   make_patch make, struct event *event)
{
    for (int attempt = 1;; attempt++) {
        AUTOREPLY struct api_reply seen = {0};
        AUTOREPLY struct api_reply reply = {0};
        AUTOTEXT struct text note = {0};
        get_target(writer, target, &seen);
        if (!api_succeeded(&seen)) {
            write_conclude(event, read_outcome(&seen), &seen);
            return;
        }
        AUTOFREE char *body = make(seen.json, command, &note);
        if (body)
            patch_target(writer, command, target, "", body, &reply);
        if (body && reply.status == 409 && attempt < CONFLICT_ATTEMPTS &&
            api_wait(writer->api, CONFLICT_PAUSE_MS * attempt))
            continue;
        write_conclude(event, body ? api_outcome(&reply) : OUTCOME_OK, body ? &reply : &seen);
        if (note.length > 0 && event->outcome.outcome == OUTCOME_OK)
            event->outcome.detail = arena_strdup(event->arena, text_get(&note));
        return;
    }
}

static char *make_cordon(const cJSON *object, const struct command *command, struct text *note)
{
    (void)note;
    return patch_cordon(object, command->cordon.reason);
}

static char *make_uncordon(const cJSON *object, const struct command *command, struct text *note)
{
    (void)command;
    char *body = patch_uncordon(object);
    if (!body)
        text_append(note, "not cordoned by us");
    return body;
}

static char *make_labels(const cJSON *object, const struct command *command, struct text *note)
{
    return patch_label_node(object, &command->label_node.labels, &command->label_node.annotations,
                            &command->label_node.taints, note);
}

static char *make_group_finalizer(const cJSON *object, const struct command *command, struct text *note)
{
    (void)note;
    return patch_finalizer(object, FINALIZER_NODEGROUP, command->group_finalizer.present);
}

static void cordon(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = node_target(command->cordon.node_name);
    modify(writer, command, &target, make_cordon, event);
}

static void uncordon(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = node_target(command->cordon.node_name);
    modify(writer, command, &target, make_uncordon, event);
}

static void label_node(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = node_target(command->label_node.node_name);
    modify(writer, command, &target, make_labels, event);
}

// A finalizer to be removed from an object that is gone is removed.
static void accept_gone(struct event *event, bool removing)
{
    if (removing && event->outcome.outcome == OUTCOME_NOT_FOUND)
        write_say(event, OUTCOME_OK, "already gone");
}

static void group_finalizer(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = group_target(command->group_finalizer.space, command->group_finalizer.name);
    modify(writer, command, &target, make_group_finalizer, event);
    accept_gone(event, !command->group_finalizer.present);
}

// ---------------------------------------------------------------------------------------- custom resources

static void create_custom(const struct writer *writer, const struct command *command, const char *kind,
                          const char *path, const char *body, struct event *event)
{
    AUTOREPLY struct api_reply reply = {0};
    struct api_request request = {.verb = "create",
                                  .kind = kind,
                                  .method = "POST",
                                  .path = path,
                                  .body = body,
                                  .guard = API_FENCED,
                                  .term = command->term};
    api_call(writer->api, &request, &reply);
    write_conclude(event, api_outcome(&reply), &reply);
}

static void create_intention(const struct writer *writer, const struct command *command, struct event *event)
{
    const struct intention_facts *facts = command->create_intention.facts;
    AUTOFREE char *body = body_intention(facts, command->create_intention.owner_name);
    AUTOFREE char *path = write_path(KIND_GROUP_PATH, facts->space, "vpsienodes", NULL, WRITE_MANAGER);
    create_custom(writer, command, "VPSieNode", path, body, event);
}

static void create_nodegroup(const struct writer *writer, const struct command *command, struct event *event)
{
    const struct nodegroup_facts *facts = command->create_nodegroup.facts;
    AUTOFREE char *body = body_nodegroup(facts);
    AUTOFREE char *path = write_path(KIND_GROUP_PATH, facts->space, "nodegroups", NULL, WRITE_MANAGER);
    create_custom(writer, command, "NodeGroup", path, body, event);
}

// Without a finalizer one request; with one the object is read first, since a merge patch replaces the whole
// list.
static void update_intention(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = intention_target(command->update_intention.space, command->update_intention.name);
    const char *wanted = command->update_intention.resource_version;
    bool removing = command->update_intention.finalizer == TRISTATE_FALSE;
    for (int attempt = 1;; attempt++) {
        AUTOREPLY struct api_reply seen = {0};
        AUTOREPLY struct api_reply reply = {0};
        if (command->update_intention.finalizer != TRISTATE_UNSET) {
            get_target(writer, &target, &seen);
            const char *version = json_text(json_get(seen.json, "metadata"), "resourceVersion");
            if (!api_succeeded(&seen)) {
                write_conclude(event, read_outcome(&seen), &seen);
                accept_gone(event, removing);
                return;
            }
            if (wanted && *wanted && strcmp(wanted, version) != 0) {
                write_say(event, OUTCOME_CONFLICT, "somebody wrote it in between");
                return;
            }
        }
        AUTOFREE char *body = patch_intention(command, seen.json);
        if (!body) {
            write_conclude(event, OUTCOME_OK, &seen);
            return;
        }
        patch_target(writer, command, &target, "", body, &reply);
        if (reply.status == 409 && !(wanted && *wanted) && attempt < CONFLICT_ATTEMPTS &&
            api_wait(writer->api, CONFLICT_PAUSE_MS * attempt))
            continue;
        write_conclude(event, api_outcome(&reply), &reply);
        accept_gone(event, removing);
        return;
    }
}

static void patch_status(const struct writer *writer, const struct command *command,
                         const struct target *target, const char *body, struct event *event)
{
    AUTOREPLY struct api_reply reply = {0};
    patch_target(writer, command, target, "/status", body, &reply);
    write_conclude(event, api_outcome(&reply), &reply);
}

static void intention_status(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = intention_target(command->intention_status.space, command->intention_status.name);
    AUTOFREE char *body = patch_intention_status(&command->intention_status.status, clock_wall_ms());
    patch_status(writer, command, &target, body, event);
}

static void group_status(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = group_target(command->group_status.space, command->group_status.name);
    AUTOFREE char *body = patch_group_status(command, clock_wall_ms());
    patch_status(writer, command, &target, body, event);
}

// ------------------------------------------------------------------------------------------------- removing

// Is the object that was meant gone, another one in its place or none?
static bool is_gone(const struct writer *writer, const struct target *target, const char *uid)
{
    AUTOREPLY struct api_reply seen = {0};
    get_target(writer, target, &seen);
    if (seen.status == 404)
        return true;
    const char *now = json_text(json_get(seen.json, "metadata"), "uid");
    return api_succeeded(&seen) && *uid && *now && strcmp(now, uid) != 0;
}

// The outcome of a removal: not there any more is what was wanted.
static void conclude_removal(const struct writer *writer, const struct target *target, const char *uid,
                             const struct api_reply *reply, struct event *event)
{
    write_conclude(event, api_outcome(reply), reply);
    if (reply->status == 404 || (reply->status == 409 && is_gone(writer, target, uid))) {
        event->outcome.outcome = OUTCOME_OK;
        event->outcome.detail = "already gone";
    }
}

static void delete_target(const struct writer *writer, const struct command *command,
                          const struct target *target, const char *uid, int64_t grace_seconds,
                          struct event *event)
{
    AUTOFREE char *path = target_path(target, "");
    AUTOFREE char *body = body_delete(uid, grace_seconds);
    AUTOREPLY struct api_reply reply = {0};
    struct api_request request = {.verb = "delete",
                                  .kind = target->kind,
                                  .method = "DELETE",
                                  .path = path,
                                  .body = body,
                                  .guard = API_FENCED,
                                  .term = command->term};
    api_call(writer->api, &request, &reply);
    conclude_removal(writer, target, uid, &reply, event);
}

static bool uid_is_missing(const char *uid, struct event *event)
{
    if (uid && *uid)
        return false;
    write_say(event, OUTCOME_REFUSED, "no uid is given: what has that name now might be another");
    return true;
}

static void delete_intention(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = intention_target(command->delete_intention.space, command->delete_intention.name);
    if (!uid_is_missing(command->delete_intention.uid, event))
        delete_target(writer, command, &target, command->delete_intention.uid, -1, event);
}

static void delete_nodegroup(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = group_target(command->delete_nodegroup.space, command->delete_nodegroup.name);
    if (!uid_is_missing(command->delete_nodegroup.uid, event))
        delete_target(writer, command, &target, command->delete_nodegroup.uid, -1, event);
}

static void delete_node(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = node_target(command->delete_node.node_name);
    if (!uid_is_missing(command->delete_node.uid, event))
        delete_target(writer, command, &target, command->delete_node.uid, -1, event);
}

static void delete_pod(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = pod_target(command);
    if (!uid_is_missing(command->pod.uid, event))
        delete_target(writer, command, &target, command->pod.uid, command->pod.grace_seconds, event);
}

static void evict(const struct writer *writer, const struct command *command, struct event *event)
{
    struct target target = pod_target(command);
    const char *uid = command->pod.uid;
    if (uid_is_missing(uid, event))
        return;
    AUTOFREE char *path = target_path(&target, "/eviction");
    AUTOFREE char *body =
        body_eviction(command->pod.space, command->pod.name, uid, command->pod.grace_seconds);
    AUTOREPLY struct api_reply reply = {0};
    struct api_request request = {.verb = "evict",
                                  .kind = "Pod",
                                  .method = "POST",
                                  .path = path,
                                  .body = body,
                                  .guard = API_FENCED,
                                  .term = command->term};
    api_call(writer->api, &request, &reply);
    conclude_removal(writer, &target, uid, &reply, event);
    // The API server cannot evict a pod of two budgets; it says so with 500, though it is a refusal.
    if (reply.status == 500 && strstr(reply.message, "more than one PodDisruptionBudget"))
        event->outcome.outcome = OUTCOME_REFUSED;
    // In a namespace that is going away nothing may be made, not even an eviction; its pods go by themselves.
    if (reply.status == 403 && strstr(reply.message, "being terminated")) {
        event->outcome.outcome = OUTCOME_THROTTLED;
        event->outcome.retry_after_ms = 5000;
    }
}

// ------------------------------------------------------------------------------------------------- the story

static void save_state(const struct writer *writer, const struct command *command, struct event *event)
{
    AUTOREPLY struct api_reply reply = {0};
    const char *reason = command->save_state.paused_reason;
    struct saved_state state = {.paused = command->save_state.paused,
                                .paused_reason = reason ? reason : "",
                                .accepted = command->save_state.accepted,
                                .mass_deletion = command->save_state.mass_deletion};
    lease_save(writer->lease, command->term, &state, &reply);
    write_conclude(event, api_outcome(&reply), &reply);
}

static const write_command table[COMMAND_KIND_COUNT] = {
    [COMMAND_KUBE_LIST_FRESH] = write_list_fresh,
    [COMMAND_KUBE_LIST_NODE_PODS] = write_list_node_pods,
    [COMMAND_KUBE_CREATE_INTENTION] = create_intention,
    [COMMAND_KUBE_UPDATE_INTENTION] = update_intention,
    [COMMAND_KUBE_INTENTION_STATUS] = intention_status,
    [COMMAND_KUBE_DELETE_INTENTION] = delete_intention,
    [COMMAND_KUBE_GROUP_STATUS] = group_status,
    [COMMAND_KUBE_GROUP_FINALIZER] = group_finalizer,
    [COMMAND_KUBE_CREATE_NODEGROUP] = create_nodegroup,
    [COMMAND_KUBE_DELETE_NODEGROUP] = delete_nodegroup,
    [COMMAND_KUBE_CORDON] = cordon,
    [COMMAND_KUBE_UNCORDON] = uncordon,
    [COMMAND_KUBE_LABEL_NODE] = label_node,
    [COMMAND_KUBE_EVICT] = evict,
    [COMMAND_KUBE_DELETE_POD] = delete_pod,
    [COMMAND_KUBE_DELETE_NODE] = delete_node,
    [COMMAND_KUBE_SAVE_STATE] = save_state,
};

void write_execute(const struct writer *writer, const struct command *command, struct event *outcome)
{
    if (command->kind == COMMAND_KUBE_EVENT) {
        recorder_post(writer->recorder, command);
        return;
    }
    assert(outcome && outcome->kind == EVENT_OUTCOME);
    outcome->outcome.command_id = command->id;
    outcome->outcome.detail = outcome->outcome.uid = outcome->outcome.resource_version = "";
    outcome->outcome.fresh.predecessor_webhook_names = outcome->outcome.fresh.saved.paused_reason = "";
    write_command execute = table[command->kind];
    assert(execute);
    // The first look at the fence, so that a lost leadership does not even read; the last one is at the wire.
    if (command_writes(command->kind) && !lease_may_act(writer->lease, command->term))
        write_say(outcome, OUTCOME_NOT_SENT, "this coordinator does not lead any more");
    else
        execute(writer, command, outcome);
}

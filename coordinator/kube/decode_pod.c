#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/kube/decode.h"

int decode_identity(const cJSON *json, struct arena *arena, const char **space, const char **name,
                    const char **uid, struct error *error)
{
    const cJSON *metadata = json_get(json, "metadata");
    *name = json_copy(arena, metadata, "name");
    *uid = json_copy(arena, metadata, "uid");
    if (**name == '\0')
        return error_set(error, 0, "an object without a name");
    if (**uid == '\0')
        return error_set(error, 0, "object %s without a uid", *name);
    if (space) {
        *space = json_copy(arena, metadata, "namespace");
        if (**space == '\0')
            return error_set(error, 0, "object %s without a namespace", *name);
    }
    return 0;
}

static void decode_controller(const cJSON *metadata, struct arena *arena, struct pod_facts *out)
{
    out->controller_kind = out->controller_name = out->controller_uid = "";
    const cJSON *owner;
    cJSON_ArrayForEach(owner, json_get(metadata, "ownerReferences"))
    {
        if (!json_true(owner, "controller"))
            continue;
        out->controller_kind = json_copy(arena, owner, "kind");
        out->controller_name = json_copy(arena, owner, "name");
        out->controller_uid = json_copy(arena, owner, "uid");
        return;
    }
}

static void decode_annotations(const cJSON *metadata, struct arena *arena, struct pod_facts *out)
{
    const cJSON *annotations = json_get(metadata, "annotations");
    const char *evict = json_text(annotations, "cluster-autoscaler.kubernetes.io/safe-to-evict");
    if (strcmp(evict, "true") == 0)
        out->safe_to_evict = TRISTATE_TRUE;
    else if (strcmp(evict, "false") == 0)
        out->safe_to_evict = TRISTATE_FALSE;
    out->do_not_disrupt = strcmp(json_text(annotations, "karpenter.sh/do-not-disrupt"), "true") == 0 ||
                          strcmp(json_text(annotations, "autoscaler.vpsie.com/do-not-disrupt"), "true") == 0;
    out->safe_local_volumes =
        json_copy(arena, annotations, "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes");
    out->mirror = json_get(annotations, "kubernetes.io/config.mirror") != NULL;
}

// Data on the node's own disk: emptyDir that is not memory, and hostPath.
static bool is_local(const cJSON *volume)
{
    if (json_get(volume, "hostPath"))
        return true;
    const cJSON *empty = json_get(volume, "emptyDir");
    const char *medium = json_text(empty, "medium");
    return empty && strcmp(medium, "Memory") != 0 && !text_starts_with(medium, "HugePages");
}

// The claim that a volume stands for, "" when it stands for none or cannot be read. That of a generic
// ephemeral volume is made by a controller and named after the pod
// (kubernetes.io/docs/concepts/storage/ephemeral-volumes).
static const char *claim_of(const cJSON *volume, struct arena *arena, const char *pod_name)
{
    const char *name = json_text(volume, "name");
    if (json_get(volume, "ephemeral") && *name != '\0') {
        size_t bytes = strlen(pod_name) + strlen(name) + 2;
        char *claim = ARENA_ARRAY(arena, char, bytes);
        snprintf(claim, bytes, "%s-%s", pod_name, name);
        return claim;
    }
    return json_copy(arena, json_get(volume, "persistentVolumeClaim"), "claimName");
}

static void decode_volumes(const cJSON *spec, struct arena *arena, struct pod_facts *out)
{
    const cJSON *volumes = json_get(spec, "volumes");
    const char **local = ARENA_ARRAY(arena, const char *, json_count(volumes));
    const char **claims = ARENA_ARRAY(arena, const char *, json_count(volumes));
    const cJSON *volume;
    cJSON_ArrayForEach(volume, volumes)
    {
        if (is_local(volume))
            local[out->local_volume_count++] = json_copy(arena, volume, "name");
        if (!json_get(volume, "persistentVolumeClaim") && !json_get(volume, "ephemeral"))
            continue;
        const char *claim = claim_of(volume, arena, out->name);
        if (*claim == '\0')
            out->shape.needs |= POD_NEEDS_UNREADABLE;
        else
            claims[out->claim_count++] = claim;
    }
    out->local_volumes = local;
    out->claims = claims;
}

static void decode_status(const cJSON *spec, const cJSON *status, struct arena *arena, struct pod_facts *out)
{
    static const char *const phases[] = {[POD_PENDING] = "Pending",
                                         [POD_RUNNING] = "Running",
                                         [POD_SUCCEEDED] = "Succeeded",
                                         [POD_FAILED] = "Failed"};
    const char *phase = json_text(status, "phase");
    out->phase = *phase ? POD_PHASE_UNKNOWN : POD_PENDING; // an object just made has no phase yet
    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        if (strcmp(phases[i], phase) == 0)
            out->phase = (enum pod_phase)i;
    }
    out->terminal = out->phase == POD_SUCCEEDED || out->phase == POD_FAILED;
    out->nominated_node = json_copy(arena, status, "nominatedNodeName");
    out->gated = json_count(json_get(spec, "schedulingGates")) > 0;
    out->unschedulable_message = "";
    const cJSON *condition;
    cJSON_ArrayForEach(condition, json_get(status, "conditions"))
    {
        const char *type = json_text(condition, "type");
        const char *value = json_text(condition, "status");
        if (strcmp(type, "Ready") == 0) {
            out->ready = strcmp(value, "True") == 0;
        } else if (strcmp(type, "PodScheduled") == 0 && strcmp(value, "False") == 0) {
            const char *reason = json_text(condition, "reason");
            out->gated = out->gated || strcmp(reason, "SchedulingGated") == 0;
            if (strcmp(reason, "Unschedulable") != 0)
                continue;
            out->unschedulable = true;
            out->unschedulable_since_ms = json_time(condition, "lastTransitionTime");
            out->unschedulable_message = json_copy(arena, condition, "message");
        }
    }
}

int decode_pod(const cJSON *json, struct arena *arena, struct pod_facts *out, struct error *error)
{
    memset(out, 0, sizeof(*out));
    if (decode_identity(json, arena, &out->space, &out->name, &out->uid, error) < 0)
        return -1;
    const cJSON *metadata = json_get(json, "metadata");
    const cJSON *spec = json_get(json, "spec");
    const cJSON *status = json_get(json, "status");
    out->node_name = json_copy(arena, spec, "nodeName");
    out->created_ms = json_time(metadata, "creationTimestamp");
    out->deletion_ms = json_time(metadata, "deletionTimestamp");
    out->grace_seconds = json_integer(spec, "terminationGracePeriodSeconds", 30);
    decode_shape(out->space, metadata, spec, status, arena, &out->shape);
    decode_controller(metadata, arena, out);
    decode_annotations(metadata, arena, out);
    decode_volumes(spec, arena, out);
    decode_status(spec, status, arena, out);
    return 0;
}

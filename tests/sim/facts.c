// Documents into facts: by the Kubernetes door's own decoder, so that it is tested here too. Knows nothing
// else of the world (both have readers of the same names).
#include <stddef.h>

#include "coordinator/decide/event.h"
#include "coordinator/kube/decode.h"
#include "tests/sim/facts.h"

bool facts_object(enum object_kind kind, const cJSON *json, struct event *event)
{
    struct arena *arena = event->arena;
    event->object.kind = kind;
    switch (kind) {
    case OBJECT_NODE:
        event->object.node = ARENA_NEW(arena, struct node_facts);
        return decode_node(json, arena, event->object.node, NULL) == 0;
    case OBJECT_POD:
        event->object.pod = ARENA_NEW(arena, struct pod_facts);
        return decode_pod(json, arena, event->object.pod, NULL) == 0;
    case OBJECT_BUDGET:
        event->object.budget = ARENA_NEW(arena, struct budget_facts);
        return decode_budget(json, arena, event->object.budget, NULL) == 0;
    case OBJECT_DAEMONSET:
        event->object.daemonset = ARENA_NEW(arena, struct daemonset_facts);
        return decode_daemonset(json, arena, event->object.daemonset, NULL) == 0;
    case OBJECT_VOLUME_ATTACHMENT:
        event->object.attachment = ARENA_NEW(arena, struct volume_attachment_facts);
        return decode_volume_attachment(json, arena, event->object.attachment, NULL) == 0;
    case OBJECT_NAMESPACE:
        event->object.space = ARENA_NEW(arena, struct namespace_facts);
        return decode_namespace(json, arena, event->object.space, NULL) == 0;
    case OBJECT_CLAIM:
        event->object.claim = ARENA_NEW(arena, struct claim_facts);
        return decode_claim(json, arena, event->object.claim, NULL) == 0;
    case OBJECT_VOLUME:
        event->object.volume = ARENA_NEW(arena, struct volume_facts);
        return decode_volume(json, arena, event->object.volume, NULL) == 0;
    case OBJECT_STORAGE_CLASS:
        event->object.storage_class = ARENA_NEW(arena, struct storage_class_facts);
        return decode_storage_class(json, arena, event->object.storage_class, NULL) == 0;
    case OBJECT_CSI_NODE:
        event->object.csi_node = ARENA_NEW(arena, struct csi_node_facts);
        return decode_csi_node(json, arena, event->object.csi_node, NULL) == 0;
    case OBJECT_NODEGROUP:
        event->object.group = ARENA_NEW(arena, struct nodegroup_facts);
        return decode_nodegroup(json, arena, event->object.group, NULL) == 0;
    case OBJECT_INTENTION:
        event->object.intention = ARENA_NEW(arena, struct intention_facts);
        return decode_intention(json, arena, event->object.intention, NULL) == 0;
    case OBJECT_CONFIG:
        event->object.config = ARENA_NEW(arena, struct config_facts);
        return decode_config(json, arena, event->object.config, NULL) == 0;
    case OBJECT_KIND_COUNT: break;
    }
    return false;
}

bool facts_pod(const cJSON *json, struct arena *arena, struct pod_facts *out)
{
    return decode_pod(json, arena, out, NULL) == 0;
}

#include "coordinator/decide/event.h"

#include <inttypes.h>

#include "coordinator/decide/describe.h"

#define EVENT_BLOCK_BYTES 1024

struct event *event_create(enum event_kind kind)
{
    struct arena *arena = arena_create(EVENT_BLOCK_BYTES);
    struct event *event = ARENA_NEW(arena, struct event);
    event->kind = kind;
    event->arena = arena;
    return event;
}

void event_destroy(struct event *event)
{
    if (event)
        arena_destroy(event->arena); // the event itself lives there
}

const char *event_kind_name(enum event_kind kind)
{
    static const char *const names[EVENT_KIND_COUNT] = {
        [EVENT_TIMER] = "timer",
        [EVENT_OBJECT] = "object",
        [EVENT_OBJECT_GONE] = "object-gone",
        [EVENT_KUBE_SYNCED] = "kube-synced",
        [EVENT_KUBE_STATE] = "kube-state",
        [EVENT_LEADER] = "leader",
        [EVENT_OUTCOME] = "outcome",
        [EVENT_VPSIE_STATE] = "vpsie-state",
        [EVENT_AGENT_REPORT] = "agent-report",
        [EVENT_OPERATOR] = "operator",
    };
    return (unsigned)kind < EVENT_KIND_COUNT ? names[kind] : "?";
}

const char *object_kind_name(enum object_kind kind)
{
    static const char *const names[OBJECT_KIND_COUNT] = {
        [OBJECT_NODE] = "node",
        [OBJECT_POD] = "pod",
        [OBJECT_BUDGET] = "budget",
        [OBJECT_DAEMONSET] = "daemonset",
        [OBJECT_VOLUME_ATTACHMENT] = "volume-attachment",
        [OBJECT_NAMESPACE] = "namespace",
        [OBJECT_CLAIM] = "claim",
        [OBJECT_VOLUME] = "volume",
        [OBJECT_STORAGE_CLASS] = "storage-class",
        [OBJECT_CSI_NODE] = "csi-node",
        [OBJECT_NODEGROUP] = "nodegroup",
        [OBJECT_INTENTION] = "vpsienode",
        [OBJECT_CONFIG] = "autoscalerconfig",
    };
    return (unsigned)kind < OBJECT_KIND_COUNT ? names[kind] : "?";
}

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {
        [OUTCOME_OK] = "ok",
        [OUTCOME_NOT_SENT] = "not-sent",
        [OUTCOME_THROTTLED] = "throttled",
        [OUTCOME_CONFLICT] = "conflict",
        [OUTCOME_NOT_FOUND] = "not-found",
        [OUTCOME_REFUSED] = "refused",
        [OUTCOME_LIMITED] = "limited",
        [OUTCOME_UNKNOWN] = "unknown",
    };
    return (unsigned)outcome < sizeof names / sizeof *names ? names[outcome] : "?";
}

static void describe_object(const struct event *event, struct text *out)
{
    text_printf(out, " %s", object_kind_name(event->object.kind));
    switch (event->object.kind) {
    case OBJECT_NODE: describe_node(out, event->object.node); break;
    case OBJECT_POD: describe_pod(out, event->object.pod); break;
    case OBJECT_BUDGET: describe_budget(out, event->object.budget); break;
    case OBJECT_DAEMONSET: describe_daemonset(out, event->object.daemonset); break;
    case OBJECT_VOLUME_ATTACHMENT: describe_attachment(out, event->object.attachment); break;
    case OBJECT_NAMESPACE: describe_namespace(out, event->object.space); break;
    case OBJECT_CLAIM: describe_claim(out, event->object.claim); break;
    case OBJECT_VOLUME: describe_volume(out, event->object.volume); break;
    case OBJECT_STORAGE_CLASS: describe_storage_class(out, event->object.storage_class); break;
    case OBJECT_CSI_NODE: describe_csi_node(out, event->object.csi_node); break;
    case OBJECT_NODEGROUP: describe_group(out, event->object.group); break;
    case OBJECT_INTENTION: describe_intention(out, event->object.intention); break;
    case OBJECT_CONFIG: describe_config(out, event->object.config); break;
    case OBJECT_KIND_COUNT: break;
    }
}

static void describe_saved(struct text *out, const struct saved_state *saved)
{
    describe_flag(out, "saved_paused", saved->paused);
    describe_text(out, "saved_reason", saved->paused_reason);
    describe_flag(out, "saved_accepted", saved->accepted);
    describe_number(out, "saved_mass_deletion", saved->mass_deletion);
}

static void describe_outcome(const struct event *event, struct text *out)
{
    text_printf(out, " command=%" PRIu64 " %s", event->outcome.command_id,
                outcome_name(event->outcome.outcome));
    describe_number(out, "status", event->outcome.status);
    describe_number(out, "retry_after", event->outcome.retry_after_ms);
    describe_text(out, "detail", event->outcome.detail);
    describe_text(out, "uid", event->outcome.uid);
    describe_text(out, "version", event->outcome.resource_version);
    for (uint32_t i = 0; i < event->outcome.machine_count; i++)
        describe_machine(out, &event->outcome.machines[i]);
    for (uint32_t i = 0; i < event->outcome.group_count; i++)
        describe_vpsie_group(out, &event->outcome.groups[i]);
    for (uint32_t i = 0; i < event->outcome.offer_count; i++)
        describe_offer(out, &event->outcome.offers[i]);
    for (uint32_t i = 0; i < event->outcome.pod_count; i++) {
        text_append(out, " pod={");
        describe_pod(out, &event->outcome.pods[i]);
        text_append(out, " }");
    }
    describe_flag(out, "predecessor_webhooks", event->outcome.fresh.predecessor_webhooks);
    describe_text(out, "webhooks", event->outcome.fresh.predecessor_webhook_names);
    describe_saved(out, &event->outcome.fresh.saved);
}

void event_describe(const struct event *event, struct text *out)
{
    static const char *const verbs[] = {"pause", "resume", "release", "approve"};
    text_printf(out, "%" PRId64 " %s", event->now_ms, event_kind_name(event->kind));
    switch (event->kind) {
    case EVENT_TIMER:
    case EVENT_KUBE_SYNCED: break;
    case EVENT_OBJECT: describe_object(event, out); break;
    case EVENT_OBJECT_GONE:
        text_printf(out, " %s", object_kind_name(event->gone.kind));
        describe_text(out, "space", event->gone.space);
        describe_text(out, "name", event->gone.name);
        describe_text(out, "uid", event->gone.uid);
        break;
    case EVENT_KUBE_STATE:
        text_append(out, event->kube_state.reachable ? " reachable" : " unreachable");
        describe_text(out, "detail", event->kube_state.detail);
        break;
    case EVENT_LEADER:
        text_append(out, event->leader.leading ? " leading" : " following");
        text_printf(out, " term=%" PRIu64, event->leader.term);
        describe_text(out, "identity", event->leader.identity);
        describe_text(out, "holder", event->leader.holder);
        describe_saved(out, &event->leader.saved);
        break;
    case EVENT_OUTCOME: describe_outcome(event, out); break;
    case EVENT_VPSIE_STATE:
        text_append(out, event->vpsie_state.usable ? " usable" : " unusable");
        describe_text(out, "detail", event->vpsie_state.detail);
        text_printf(out, " calls=%" PRId32 "/%" PRId32, event->vpsie_state.calls_used,
                    event->vpsie_state.calls_limit);
        break;
    case EVENT_AGENT_REPORT: describe_report(out, event->report); break;
    case EVENT_OPERATOR:
        text_printf(out, " %s request=%" PRIu64, verbs[event->operator_request.verb],
                    event->operator_request.request_id);
        describe_text(out, "argument", event->operator_request.argument);
        break;
    case EVENT_KIND_COUNT: break;
    }
}

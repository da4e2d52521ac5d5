#include "coordinator/fleet/report.h"

#include <string.h>

static enum evidence_state state_of(Vpsie__Autoscaler__V1__ReadinessState state)
{
    switch (state) {
    case VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_READY: return EVIDENCE_READY;
    case VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BUSY: return EVIDENCE_BUSY;
    case VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BLOCKED: return EVIDENCE_BLOCKED;
    default: return EVIDENCE_UNKNOWN; // never to be taken for READY
    }
}

static struct evidence_verdict verdict_of(struct arena *arena,
                                          const Vpsie__Autoscaler__V1__Readiness *readiness)
{
    struct evidence_verdict verdict = {.state = EVIDENCE_UNKNOWN};
    if (readiness == NULL) {
        return verdict;
    }
    verdict.state = state_of(readiness->state);
    verdict.evaluated_ms = readiness->evaluated_ms;
    verdict.pods_remaining = readiness->pods_remaining;
    verdict.reason_count = (uint32_t)readiness->n_reasons;
    struct evidence_reason *reasons = ARENA_ARRAY(arena, struct evidence_reason, readiness->n_reasons);
    for (size_t i = 0; i < readiness->n_reasons; i++) {
        const Vpsie__Autoscaler__V1__Reason *reason = readiness->reasons[i];
        reasons[i] = (struct evidence_reason){.code = arena_strdup(arena, reason->code),
                                              .pod_uid = arena_strdup(arena, reason->pod_uid),
                                              .subject = arena_strdup(arena, reason->subject),
                                              .observed = reason->observed,
                                              .limit = reason->limit,
                                              .detail = arena_strdup(arena, reason->detail)};
    }
    verdict.reasons = reasons;
    return verdict;
}

// The largest volume that is lost with the pod. Memory-backed ones are gone by design.
static void set_largest_volume(struct arena *arena, struct pod_evidence_facts *facts,
                               const Vpsie__Autoscaler__V1__PodEvidence *pod)
{
    facts->largest_volume = "";
    for (size_t i = 0; i < pod->n_volumes; i++) {
        const Vpsie__Autoscaler__V1__LocalVolume *volume = pod->volumes[i];
        if (!volume->memory && (int64_t)volume->bytes > facts->largest_volume_bytes) {
            facts->largest_volume = arena_strdup(arena, volume->name);
            facts->largest_volume_bytes = (int64_t)volume->bytes;
        }
    }
}

static void set_pods(struct arena *arena, struct agent_report_facts *facts, const WireReport *report)
{
    struct pod_evidence_facts *pods = ARENA_ARRAY(arena, struct pod_evidence_facts, report->n_pods);
    for (size_t i = 0; i < report->n_pods; i++) {
        const Vpsie__Autoscaler__V1__PodEvidence *pod = report->pods[i];
        pods[i].uid = arena_strdup(arena, pod->uid);
        pods[i].cpu_millis = pod->has_cpu_millis ? (int64_t)pod->cpu_millis : -1;
        pods[i].memory_bytes =
            pod->has_memory_working_set_bytes ? (int64_t)pod->memory_working_set_bytes : -1;
        pods[i].local_data_bytes = pod->has_local_data_bytes ? (int64_t)pod->local_data_bytes : -1;
        pods[i].connections = pod->has_established_connections ? (int64_t)pod->established_connections : -1;
        pods[i].unknown = pod->n_unknown > 0 ? arena_strdup(arena, pod->unknown[0]) : "";
        set_largest_volume(arena, &pods[i], pod);
    }
    const char **gone = ARENA_ARRAY(arena, const char *, report->n_pods_gone);
    for (size_t i = 0; i < report->n_pods_gone; i++) {
        gone[i] = arena_strdup(arena, report->pods_gone[i]);
    }
    facts->pods = pods;
    facts->pod_count = (uint32_t)report->n_pods;
    facts->pods_complete = report->pods_complete;
    facts->pods_gone = gone;
    facts->pods_gone_count = (uint32_t)report->n_pods_gone;
}

// Busy is what is neither idle nor waiting for a disk.
static int64_t cpu_used_millis(const Vpsie__Autoscaler__V1__CpuModes *cpu)
{
    if (cpu == NULL) {
        return -1;
    }
    return (int64_t)cpu->user_millis + cpu->nice_millis + cpu->system_millis + cpu->irq_millis +
           cpu->softirq_millis + cpu->steal_millis;
}

static void set_utilization(struct agent_report_facts *facts, const Vpsie__Autoscaler__V1__Utilization *use)
{
    facts->cpu_used_millis = facts->memory_used_bytes = facts->memory_total_bytes = -1;
    facts->pressure_cpu_some60 = facts->pressure_memory_full60 = facts->pressure_io_full60 = -1;
    if (use == NULL) {
        return;
    }
    facts->cpu_used_millis = cpu_used_millis(use->cpu);
    if (use->has_memory_total_bytes) {
        facts->memory_total_bytes = (int64_t)use->memory_total_bytes;
    }
    if (use->has_memory_working_set_bytes) {
        facts->memory_used_bytes = (int64_t)use->memory_working_set_bytes;
    } else if (use->has_memory_total_bytes && use->has_memory_available_bytes &&
               use->memory_available_bytes <= use->memory_total_bytes) {
        facts->memory_used_bytes = (int64_t)(use->memory_total_bytes - use->memory_available_bytes);
    }
    if (use->cpu_pressure != NULL) {
        facts->pressure_cpu_some60 = (double)use->cpu_pressure->some_avg60;
    }
    if (use->memory_pressure != NULL) {
        facts->pressure_memory_full60 = (double)use->memory_pressure->full_avg60;
    }
    if (use->io_pressure != NULL) {
        facts->pressure_io_full60 = (double)use->io_pressure->full_avg60;
    }
}

struct event *report_event(const WireReport *report, int64_t received_ms)
{
    struct event *event = event_create(EVENT_AGENT_REPORT);
    struct arena *arena = event->arena;
    struct agent_report_facts *facts = ARENA_NEW(arena, struct agent_report_facts);
    facts->node_name = arena_strdup(arena, report->node_name);
    facts->start_id = arena_strdup(arena, report->agent_start_id);
    facts->sequence = report->sequence;
    facts->received_ms = received_ms;
    facts->version = arena_strdup(arena, report->agent_version);
    set_utilization(facts, report->utilization);
    set_pods(arena, facts, report);
    facts->verdict = verdict_of(arena, report->readiness);
    facts->directive_id = arena_strdup(arena, report->directive_id);
    facts->directive_verdict = verdict_of(arena, report->directive_readiness);
    facts->inhibitor_count = (uint32_t)report->n_inhibitors;
    event->report = facts;
    return event;
}

void report_directive(struct report_directive *out, const struct command *command)
{
    memset(out, 0, sizeof *out);
    vpsie__autoscaler__v1__directive__init(&out->directive);
    switch (command->directive.kind) {
    case DIRECTIVE_PREPARE_DRAIN:
        vpsie__autoscaler__v1__prepare_drain__init(&out->prepare);
        out->prepare.id = (char *)command->directive.directive_id;
        out->prepare.deadline_ms = command->directive.deadline_ms;
        out->prepare.pod_uids = (char **)command->directive.pod_uids;
        out->prepare.n_pod_uids = command->directive.pod_uid_count;
        out->prepare.ignore_local_data_uids = (char **)command->directive.ignore_uids;
        out->prepare.n_ignore_local_data_uids = command->directive.ignore_uid_count;
        out->prepare.ignore_local_data_volumes = (char **)command->directive.ignore_volumes;
        out->prepare.n_ignore_local_data_volumes = command->directive.ignore_volume_count;
        out->directive.kind_case = VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_PREPARE_DRAIN;
        out->directive.prepare_drain = &out->prepare;
        break;
    case DIRECTIVE_CANCEL_DRAIN:
        vpsie__autoscaler__v1__cancel_drain__init(&out->cancel);
        out->cancel.id = (char *)command->directive.directive_id;
        out->directive.kind_case = VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_CANCEL_DRAIN;
        out->directive.cancel_drain = &out->cancel;
        break;
    case DIRECTIVE_SET_INTERVAL:
        vpsie__autoscaler__v1__set_interval__init(&out->interval);
        out->interval.interval_ms = (uint32_t)command->directive.interval_ms;
        out->directive.kind_case = VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_SET_INTERVAL;
        out->directive.set_interval = &out->interval;
        break;
    }
}

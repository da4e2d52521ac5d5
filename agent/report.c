#include "agent/report.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/delta.h"
#include "common/version.h"

#define NOTES_MAX       16
#define UNKNOWN_MAX     4
#define ARENA_BYTES     ((size_t)16 * 1024)
#define ARENA_BYTES_MAX ((size_t)256 * 1024) // a big report gives its memory back

typedef Vpsie__Autoscaler__V1__Utilization WireUtilization;
typedef Vpsie__Autoscaler__V1__Pressure WirePressure;
typedef Vpsie__Autoscaler__V1__Filesystem WireFilesystem;
typedef Vpsie__Autoscaler__V1__PodEvidence WirePod;
typedef Vpsie__Autoscaler__V1__LocalVolume WireVolume;
typedef Vpsie__Autoscaler__V1__Readiness WireReadiness;
typedef Vpsie__Autoscaler__V1__Reason WireReason;
typedef Vpsie__Autoscaler__V1__Inhibitor WireInhibitor;
typedef Vpsie__Autoscaler__V1__ReadinessState WireState;

struct report {
    struct report_identity identity;
    uint64_t sequence;
    uint64_t sequence_in_flight; // 0: none
    bool complete_next, complete_in_flight;
    uint32_t accepted_since_complete;
    struct delta delta;
    struct arena *arena;
};

struct report *report_create(const struct report_identity *identity)
{
    struct report *report = xcalloc(1, sizeof *report);
    report->identity = *identity;
    report->complete_next = true;
    report->arena = arena_create(ARENA_BYTES);
    return report;
}

void report_destroy(struct report *report)
{
    if (!report)
        return;
    delta_free(&report->delta);
    arena_destroy(report->arena);
    free(report);
}

void report_next(struct report *report)
{
    report->sequence++;
}

uint64_t report_sequence(const struct report *report)
{
    return report->sequence;
}

void report_forget(struct report *report)
{
    report->complete_next = true;
    report->sequence_in_flight = 0;
    delta_forget(&report->delta);
}

// What a message is made of lives in the arena: strings that are the view's are not copied.
struct composing {
    const struct report_content *content;
    struct arena *arena;
    bool terse;
};

// The generated struct is read-only in our hands; the library takes plain pointers.
static char *text_of(const char *text)
{
    return (char *)text;
}

static void *compose(const struct composing *composing, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = arena_alloc(composing->arena, descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, message);
    return message;
}
#define COMPOSE(composing, name) compose((composing), &vpsie__autoscaler__v1__##name##__descriptor)

static WirePressure *compose_pressure(const struct composing *composing, enum pressure_resource resource)
{
    const struct host_view *view = composing->content->view;
    if (!view->pressure[resource].known)
        return NULL;
    const struct pressure_view *from = &view->pressure_view[resource];
    WirePressure *out = COMPOSE(composing, pressure);
    out->some_avg10 = (float)from->some_avg10;
    out->some_avg60 = (float)from->some_avg60;
    out->full_avg10 = (float)from->full_avg10;
    out->full_avg60 = (float)from->full_avg60;
    return out;
}

static WireFilesystem *compose_filesystem(const struct composing *composing, const struct reading *reading,
                                          const struct filesystem_view *from)
{
    if (!reading->known)
        return NULL;
    WireFilesystem *out = COMPOSE(composing, filesystem);
    out->total_bytes = from->total_bytes;
    out->available_bytes = from->available_bytes;
    out->total_inodes = from->total_inodes;
    out->free_inodes = from->free_inodes;
    return out;
}

static void compose_cpu(const struct composing *composing, WireUtilization *out)
{
    const struct host_view *view = composing->content->view;
    out->has_cpu_count = view->cpu.known;
    out->cpu_count = view->cpu_count;
    if (!view->cpu.known || !view->cpu_rates.known)
        return;
    out->cpu = COMPOSE(composing, cpu_modes);
    out->cpu->user_millis = view->cpu_millis[CPU_USER];
    out->cpu->nice_millis = view->cpu_millis[CPU_NICE];
    out->cpu->system_millis = view->cpu_millis[CPU_SYSTEM];
    out->cpu->idle_millis = view->cpu_millis[CPU_IDLE];
    out->cpu->iowait_millis = view->cpu_millis[CPU_IOWAIT];
    out->cpu->irq_millis = view->cpu_millis[CPU_IRQ];
    out->cpu->softirq_millis = view->cpu_millis[CPU_SOFTIRQ];
    out->cpu->steal_millis = view->cpu_millis[CPU_STEAL];
}

static void compose_memory(const struct host_view *view, WireUtilization *out)
{
    if (!view->memory.known)
        return;
    const struct memory_view *from = &view->memory_view;
    out->has_memory_total_bytes = out->has_memory_available_bytes = out->has_memory_working_set_bytes = 1;
    out->has_swap_total_bytes = out->has_swap_used_bytes = 1;
    out->memory_total_bytes = from->total_bytes;
    out->memory_available_bytes = from->available_bytes;
    out->memory_working_set_bytes = from->working_set_bytes;
    out->swap_total_bytes = from->swap_total_bytes;
    out->swap_used_bytes = from->swap_used_bytes;
}

static WireUtilization *compose_utilization(const struct composing *composing)
{
    const struct host_view *view = composing->content->view;
    WireUtilization *out = COMPOSE(composing, utilization);
    compose_cpu(composing, out);
    compose_memory(view, out);
    out->cpu_pressure = compose_pressure(composing, PRESSURE_CPU);
    out->memory_pressure = compose_pressure(composing, PRESSURE_MEMORY);
    out->io_pressure = compose_pressure(composing, PRESSURE_IO);
    out->has_load1 = out->has_load5 = out->has_load15 = view->load.known;
    out->load1 = view->load1;
    out->load5 = view->load5;
    out->load15 = view->load15;
    out->root_filesystem = compose_filesystem(composing, &view->root_filesystem, &view->root_filesystem_view);
    if (view->image_filesystem_separate)
        out->image_filesystem =
            compose_filesystem(composing, &view->image_filesystem, &view->image_filesystem_view);
    out->has_network_receive_bytes_per_second = out->has_network_transmit_bytes_per_second =
        view->network.known;
    out->network_receive_bytes_per_second = view->receive_bytes_per_second;
    out->network_transmit_bytes_per_second = view->transmit_bytes_per_second;
    out->has_processes = view->processes.known;
    out->processes = view->process_count;
    out->has_processes_uninterruptible = view->blocked.known;
    out->processes_uninterruptible = view->processes_uninterruptible;
    return out;
}

// What decides comes first; "cpu" and "memory" are the ones that may not fit.
static void compose_unknown(const struct composing *composing, const struct pod *pod, WirePod *out)
{
    static const enum evidence order[EVIDENCE_KINDS] = {EVIDENCE_LOCAL_DATA, EVIDENCE_PROCESSES,
                                                        EVIDENCE_CONNECTIONS, EVIDENCE_MEMORY, EVIDENCE_CPU};
    out->unknown = ARENA_ARRAY(composing->arena, char *, UNKNOWN_MAX);
    for (int i = 0; i < EVIDENCE_KINDS && out->n_unknown < UNKNOWN_MAX; i++) {
        const struct reading *reading = &pod->evidence[order[i]];
        const char *name = evidence_name(order[i]);
        if (order[i] == EVIDENCE_LOCAL_DATA && reading->known && pod->local_data_at_least)
            out->unknown[out->n_unknown++] =
                arena_printf(composing->arena, "%s: too much to look through", name);
        else if (!reading->known)
            out->unknown[out->n_unknown++] =
                composing->terse ? text_of(name)
                                 : arena_printf(composing->arena, "%s: %s", name, reading->why);
    }
}

static void compose_volumes(const struct composing *composing, const struct pod *pod, WirePod *out)
{
    if (pod->volume_count == 0 || composing->terse)
        return;
    out->volumes = ARENA_ARRAY(composing->arena, WireVolume *, pod->volume_count);
    for (uint32_t i = 0; i < pod->volume_count; i++) {
        WireVolume *volume = COMPOSE(composing, local_volume);
        volume->name = text_of(pod->volumes[i].name);
        volume->bytes = pod->volumes[i].bytes;
        volume->memory = pod->volumes[i].memory;
        out->volumes[out->n_volumes++] = volume;
    }
}

// A walk that met its limit and found nothing knows nothing.
static bool local_data_known(const struct pod *pod)
{
    return pod->evidence[EVIDENCE_LOCAL_DATA].known &&
           (!pod->local_data_at_least || pod->local_data_bytes > 0);
}

static WirePod *compose_pod(const struct composing *composing, const struct pod *pod)
{
    WirePod *out = COMPOSE(composing, pod_evidence);
    out->uid = text_of(pod->uid);
    out->host_network = pod->host_network;
    out->has_cpu_millis = pod->evidence[EVIDENCE_CPU].known;
    out->cpu_millis = pod->cpu_millis;
    out->has_memory_working_set_bytes = pod->evidence[EVIDENCE_MEMORY].known;
    out->memory_working_set_bytes = pod->memory_working_set_bytes;
    out->has_local_data_bytes = local_data_known(pod);
    out->local_data_bytes = pod->local_data_bytes;
    out->has_established_connections = pod->evidence[EVIDENCE_CONNECTIONS].known && !pod->host_network;
    out->established_connections = pod->established_connections;
    out->has_processes = out->has_uninterruptible_processes = pod->evidence[EVIDENCE_PROCESSES].known;
    out->processes = pod->processes;
    out->uninterruptible_processes = pod->processes_uninterruptible;
    compose_volumes(composing, pod, out);
    compose_unknown(composing, pod, out);
    return out;
}

static WireState wire_state(enum readiness_state state)
{
    static const WireState states[READINESS_STATES] = {
        [READINESS_READY] = VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_READY,
        [READINESS_BUSY] = VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BUSY,
        [READINESS_UNKNOWN] = VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_UNKNOWN,
        [READINESS_BLOCKED] = VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BLOCKED,
    };
    return states[state];
}

static WireReadiness *compose_readiness(const struct composing *composing, const struct verdict *verdict)
{
    WireReadiness *out = COMPOSE(composing, readiness);
    out->state = wire_state(verdict->state);
    out->evaluated_ms = verdict->evaluated_ms;
    out->pods_remaining = verdict->pods_remaining;
    if (verdict->reason_count == 0)
        return out;
    out->reasons = ARENA_ARRAY(composing->arena, WireReason *, verdict->reason_count);
    for (uint32_t i = 0; i < verdict->reason_count; i++) {
        const struct readiness_reason *from = &verdict->reasons[i];
        WireReason *reason = COMPOSE(composing, reason);
        reason->code = text_of(from->code);
        reason->pod_uid = text_of(from->pod_uid);
        reason->subject = text_of(from->subject);
        reason->observed = from->observed;
        reason->limit = from->limit;
        if (!composing->terse)
            reason->detail = text_of(from->detail);
        out->reasons[out->n_reasons++] = reason;
    }
    if (verdict->reasons_omitted > 0 && !composing->terse) {
        WireReason *last = out->reasons[out->n_reasons - 1];
        last->detail = arena_printf(composing->arena, "%s (and %u more reasons)", last->detail,
                                    verdict->reasons_omitted);
    }
    return out;
}

static void compose_inhibitors(const struct composing *composing, WireReport *out)
{
    const struct host_view *view = composing->content->view;
    if (view->inhibitor_count == 0)
        return;
    out->inhibitors = ARENA_ARRAY(composing->arena, WireInhibitor *, view->inhibitor_count);
    for (size_t i = 0; i < view->inhibitor_count; i++) {
        WireInhibitor *inhibitor = COMPOSE(composing, inhibitor);
        inhibitor->name = text_of(view->inhibitor[i].name);
        inhibitor->reason = text_of(view->inhibitor[i].reason);
        inhibitor->expires_ms = view->inhibitor[i].expires_ms;
        out->inhibitors[out->n_inhibitors++] = inhibitor;
    }
}

static void note(const struct composing *composing, WireReport *out, const char *what,
                 const struct reading *reading)
{
    if (!reading->known && out->n_notes < NOTES_MAX)
        out->notes[out->n_notes++] = arena_printf(composing->arena, "%s: %s", what, reading->why);
}

static void compose_notes(const struct composing *composing, WireReport *out)
{
    const struct host_view *view = composing->content->view;
    out->notes = ARENA_ARRAY(composing->arena, char *, NOTES_MAX);
    note(composing, out, "pods", &view->pods);
    note(composing, out, "pod directories", &view->directories);
    note(composing, out, "inhibitors", &view->inhibitors);
    note(composing, out, "cpu", &view->cpu);
    note(composing, out, "cpu rates", &view->cpu_rates);
    note(composing, out, "memory", &view->memory);
    note(composing, out, "cpu pressure", &view->pressure[PRESSURE_CPU]);
    note(composing, out, "memory pressure", &view->pressure[PRESSURE_MEMORY]);
    note(composing, out, "io pressure", &view->pressure[PRESSURE_IO]);
    note(composing, out, "load", &view->load);
    note(composing, out, "root filesystem", &view->root_filesystem);
    if (view->image_filesystem_separate)
        note(composing, out, "image filesystem", &view->image_filesystem);
    note(composing, out, "network", &view->network);
    note(composing, out, "processes", &view->processes);
    note(composing, out, "uninterruptible processes", &view->blocked);
}

static void compose_pods(struct report *report, const struct composing *composing, bool complete,
                         WireReport *out)
{
    const struct host_view *view = composing->content->view;
    struct delta *delta = &report->delta;
    delta_update(delta, view);
    out->pods_complete = complete;
    out->pods = ARENA_ARRAY(composing->arena, WirePod *, view->pod_count);
    for (size_t i = 0; i < view->pod_count; i++)
        if (complete || delta_is_news(delta_find(delta, view->pod[i].uid), &view->pod[i]))
            out->pods[out->n_pods++] = compose_pod(composing, &view->pod[i]);
    if (complete)
        return; // who is not named is gone
    out->pods_gone = ARENA_ARRAY(composing->arena, char *, delta->count);
    for (size_t i = 0; i < delta->count; i++)
        if (!delta->pods[i].present)
            out->pods_gone[out->n_pods_gone++] = delta->pods[i].uid;
}

WireReport *report_compose(struct report *report, const struct report_content *content, bool complete,
                           bool terse, struct arena *arena)
{
    assert(content->view && content->node && report->sequence > 0);
    struct composing composing = {.content = content, .arena = arena, .terse = terse};
    WireReport *out = COMPOSE(&composing, agent_report);
    out->protocol_version = WIRE_PROTOCOL_VERSION;
    out->node_name = report->identity.node_name;
    out->boot_id = report->identity.boot_id;
    out->agent_start_id = report->identity.start_id;
    out->agent_version = text_of(version_text());
    out->sequence = report->sequence;
    out->sample_begin_ms = content->view->sample_begin_ms;
    out->sample_end_ms = content->view->sample_end_ms;
    if (content->credential)
        out->credential = text_of(content->credential);
    out->utilization = compose_utilization(&composing);
    compose_pods(report, &composing, complete, out);
    out->readiness = compose_readiness(&composing, content->node);
    if (content->directive_id) {
        out->directive_id = text_of(content->directive_id);
        out->directive_readiness = compose_readiness(&composing, content->directive);
    }
    compose_inhibitors(&composing, out);
    compose_notes(&composing, out);
    return out;
}

static void remember(struct report *report, const struct host_view *view, const WireReport *message)
{
    struct delta *delta = &report->delta;
    report->sequence_in_flight = report->sequence;
    report->complete_in_flight = message->pods_complete;
    for (size_t i = 0; i < message->n_pods; i++)
        delta_send(delta_find(delta, message->pods[i]->uid), view_find_pod(view, message->pods[i]->uid));
    for (size_t i = 0; i < delta->count; i++)
        if (!delta->pods[i].present)
            delta_send(&delta->pods[i], NULL);
}

uint8_t *report_encode(struct report *report, const struct report_content *content, size_t *length,
                       struct error *error)
{
    report_lost(report);
    bool complete = report->complete_next || report->accepted_since_complete >= REPORT_COMPLETE_EVERY ||
                    report->delta.count > WIRE_PODS_MAX;
    uint8_t *bytes = NULL;
    for (int terse = 0; terse < 2 && !bytes; terse++) {
        arena_reset(report->arena);
        WireReport *message = report_compose(report, content, complete, terse != 0, report->arena);
        error_clear(error);
        bytes = wire_report_encode(message, length, error);
        if (bytes)
            remember(report, content->view, message);
        else if (error->code != WIRE_FAULT_TOO_LARGE)
            break;
    }
    if (arena_bytes(report->arena) > ARENA_BYTES_MAX)
        arena_reset(report->arena);
    return bytes;
}

void report_accepted(struct report *report, uint64_t sequence)
{
    if (report->sequence_in_flight == 0 || sequence != report->sequence_in_flight)
        return;
    report->sequence_in_flight = 0;
    report->accepted_since_complete = report->complete_in_flight ? 0 : report->accepted_since_complete + 1;
    if (report->complete_in_flight)
        report->complete_next = false;
    delta_accepted(&report->delta);
}

void report_lost(struct report *report)
{
    report->sequence_in_flight = 0;
    delta_lost(&report->delta);
}

#include "common/wire_check.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/text.h"

typedef Vpsie__Autoscaler__V1__Utilization WireUtilization;
typedef Vpsie__Autoscaler__V1__Pressure WirePressure;
typedef Vpsie__Autoscaler__V1__PodEvidence WirePod;
typedef Vpsie__Autoscaler__V1__Readiness WireReadiness;
typedef Vpsie__Autoscaler__V1__Reason WireReason;
typedef Vpsie__Autoscaler__V1__Directive WireDirective;
typedef Vpsie__Autoscaler__V1__PrepareDrain WirePrepareDrain;

#define NAME_BYTES_MAX    WIRE_UID_BYTES_MAX // of volumes, reason codes, versions and ids
#define ADDRESS_BYTES_MAX 320u               // a DNS name, a scheme and a port
#define UID_BYTES         36u
#define MIRROR_UID_BYTES  32u
#define VOLUMES_MAX       8u
#define UNKNOWN_MAX       4u
#define NOTES_MAX         16u

static int invalid(struct error *error, const char *field, const char *why)
{
    return error_set(error, WIRE_FAULT_INVALID, "%s %s", field, why);
}

static int check_count(size_t count, size_t maximum, const char *field, struct error *error)
{
    if (count <= maximum)
        return 0;
    return error_set(error, WIRE_FAULT_INVALID, "%s has %zu entries, %zu at most", field, count, maximum);
}

// The length of a string, or more than `maximum` when it is longer.
static int check_length(const char *text, size_t minimum, size_t maximum, const char *field,
                        struct error *error)
{
    size_t length = text == NULL ? 0 : strnlen(text, maximum + 1);
    if (length < minimum)
        return invalid(error, field, "is empty");
    if (length > maximum)
        return error_set(error, WIRE_FAULT_INVALID, "%s is longer than %zu bytes", field, maximum);
    return (int)length;
}

// Printable ASCII without spaces.
static int check_name(const char *text, size_t minimum, size_t maximum, const char *field,
                      struct error *error)
{
    int length = check_length(text, minimum, maximum, field, error);
    for (int i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return invalid(error, field, "holds a character that is not printable ASCII");
    }
    return length < 0 ? -1 : 0;
}

static int check_text(const char *text, const char *field, struct error *error)
{
    int length = check_length(text, 0, WIRE_TEXT_BYTES_MAX, field, error);
    size_t left = length < 0 ? 0 : (size_t)length;
    while (left > 0) {
        size_t character = text_utf8_length(text, left);
        if (character == 0)
            return invalid(error, field, "is not UTF-8");
        text += character;
        left -= character;
    }
    return length < 0 ? -1 : 0;
}

static int check_real(double value, double maximum, const char *field, struct error *error)
{
    if (!isfinite(value))
        return invalid(error, field, "is not finite");
    if (value < 0)
        return invalid(error, field, "is negative");
    if (value > maximum)
        return error_set(error, WIRE_FAULT_INVALID, "%s is over %g", field, maximum);
    return 0;
}

static int check_instant(int64_t unix_ms, const char *field, struct error *error)
{
    return unix_ms >= 0 ? 0 : invalid(error, field, "is negative");
}

// RFC 1123 subdomain, as Kubernetes asks of a node's name.
static int check_node_name(const char *name, struct error *error)
{
    if (check_name(name, 1, WIRE_NODE_NAME_BYTES_MAX, "node_name", error) < 0)
        return -1;
    char previous = '.';
    for (const char *c = name; *c != '\0'; previous = *c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
        bool joint = (*c == '-' || *c == '.') && previous != '.' && !(*c == '.' && previous == '-');
        if (!letter && !joint)
            return invalid(error, "node_name", "is not an RFC 1123 subdomain");
    }
    if (previous == '-' || previous == '.')
        return invalid(error, "node_name", "is not an RFC 1123 subdomain");
    return 0;
}

static bool is_hex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)(text[i] - '0') > 9 && (unsigned char)(text[i] - 'a') > 5)
            return false;
    }
    return true;
}

static bool is_uid(const char *text, size_t length)
{
    if (length == MIRROR_UID_BYTES)
        return is_hex(text, length);
    return length == UID_BYTES && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' &&
           is_hex(text, 8) && is_hex(text + 9, 4) && is_hex(text + 14, 4) && is_hex(text + 19, 4) &&
           is_hex(text + 24, 12);
}

static int check_uid(const char *text, const char *field, struct error *error)
{
    size_t length = text == NULL ? 0 : strnlen(text, WIRE_UID_BYTES_MAX + 1);
    if (is_uid(text, length))
        return 0;
    return error_set(error, WIRE_FAULT_INVALID, "%s \"%s\" is not a pod UID", field,
                     text_show(text, length).text);
}

int wire_check_uid(const char *text, struct error *error)
{
    return check_uid(text, "uid", error);
}

static int check_uids(char *const *uids, size_t count, const char *field, struct error *error)
{
    if (check_count(count, WIRE_PODS_MAX, field, error) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (check_uid(uids[i], field, error) < 0)
            return -1;
    }
    return 0;
}

static int check_texts(char *const *texts, size_t count, size_t count_max, const char *field,
                       struct error *error)
{
    if (check_count(count, count_max, field, error) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (check_text(texts[i], field, error) < 0)
            return -1;
    }
    return 0;
}

static int check_pressure(const WirePressure *pressure, const char *field, struct error *error)
{
    if (pressure == NULL)
        return 0;
    const float averages[] = {pressure->some_avg10, pressure->some_avg60, pressure->full_avg10,
                              pressure->full_avg60};
    for (size_t i = 0; i < sizeof(averages) / sizeof(averages[0]); i++) {
        if (check_real((double)averages[i], 100.0, field, error) < 0)
            return -1;
    }
    return 0;
}

static int check_load(bool present, double load, const char *field, struct error *error)
{
    return present ? check_real(load, HUGE_VAL, field, error) : 0;
}

static int check_utilization(const WireUtilization *use, struct error *error)
{
    if (use == NULL)
        return 0;
    if (check_pressure(use->cpu_pressure, "utilization.cpu_pressure", error) < 0 ||
        check_pressure(use->memory_pressure, "utilization.memory_pressure", error) < 0 ||
        check_pressure(use->io_pressure, "utilization.io_pressure", error) < 0)
        return -1;
    if (check_load(use->has_load1, use->load1, "utilization.load1", error) < 0 ||
        check_load(use->has_load5, use->load5, "utilization.load5", error) < 0 ||
        check_load(use->has_load15, use->load15, "utilization.load15", error) < 0)
        return -1;
    return 0;
}

static int check_pod(const WirePod *pod, struct error *error)
{
    if (check_uid(pod->uid, "pods.uid", error) < 0 ||
        check_count(pod->n_volumes, VOLUMES_MAX, "pods.volumes", error) < 0 ||
        check_texts(pod->unknown, pod->n_unknown, UNKNOWN_MAX, "pods.unknown", error) < 0)
        return -1;
    for (size_t i = 0; i < pod->n_volumes; i++) {
        if (check_name(pod->volumes[i]->name, 1, NAME_BYTES_MAX, "pods.volumes.name", error) < 0)
            return -1;
    }
    return 0;
}

static int check_reason(const WireReason *reason, struct error *error)
{
    if (check_name(reason->code, 1, NAME_BYTES_MAX, "reasons.code", error) < 0)
        return -1;
    bool about_pod = reason->pod_uid != NULL && reason->pod_uid[0] != '\0';
    if (about_pod && check_uid(reason->pod_uid, "reasons.pod_uid", error) < 0)
        return -1;
    if (check_text(reason->subject, "reasons.subject", error) < 0 ||
        check_text(reason->detail, "reasons.detail", error) < 0 ||
        check_real(reason->observed, HUGE_VAL, "reasons.observed", error) < 0 ||
        check_real(reason->limit, HUGE_VAL, "reasons.limit", error) < 0)
        return -1;
    return 0;
}

static int check_readiness(const WireReadiness *readiness, const char *field, struct error *error)
{
    if (readiness == NULL)
        return 0;
    switch (readiness->state) {
    case VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_UNKNOWN:
    case VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_READY:
    case VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BUSY:
    case VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BLOCKED: break;
    default:
        return error_set(error, WIRE_FAULT_INVALID, "%s.state %d is unknown", field, (int)readiness->state);
    }
    if (check_count(readiness->n_reasons, WIRE_REASONS_MAX, "reasons", error) < 0 ||
        check_instant(readiness->evaluated_ms, "evaluated_ms", error) < 0 ||
        check_count(readiness->pods_remaining, WIRE_PODS_MAX, "pods_remaining", error) < 0)
        return error_wrap(error, "%s", field);
    for (size_t i = 0; i < readiness->n_reasons; i++) {
        if (check_reason(readiness->reasons[i], error) < 0)
            return error_wrap(error, "%s", field);
    }
    return 0;
}

static int check_inhibitors(const WireReport *report, struct error *error)
{
    if (check_count(report->n_inhibitors, WIRE_INHIBITORS_MAX, "inhibitors", error) < 0)
        return -1;
    for (size_t i = 0; i < report->n_inhibitors; i++) {
        if (check_length(report->inhibitors[i]->name, 1, WIRE_TEXT_BYTES_MAX, "inhibitors.name", error) < 0 ||
            check_text(report->inhibitors[i]->name, "inhibitors.name", error) < 0 ||
            check_text(report->inhibitors[i]->reason, "inhibitors.reason", error) < 0 ||
            check_instant(report->inhibitors[i]->expires_ms, "inhibitors.expires_ms", error) < 0)
            return -1;
    }
    return 0;
}

static int check_report_head(const WireReport *report, struct error *error)
{
    if (report->protocol_version != WIRE_PROTOCOL_VERSION)
        return error_set(error, WIRE_FAULT_VERSION, "protocol version %u is not spoken here, %u is",
                         report->protocol_version, WIRE_PROTOCOL_VERSION);
    if (check_node_name(report->node_name, error) < 0 ||
        check_name(report->boot_id, 0, NAME_BYTES_MAX, "boot_id", error) < 0 ||
        check_name(report->agent_start_id, 1, NAME_BYTES_MAX, "agent_start_id", error) < 0 ||
        check_name(report->credential, 0, WIRE_CREDENTIAL_BYTES_MAX, "credential", error) < 0 ||
        check_name(report->agent_version, 0, NAME_BYTES_MAX, "agent_version", error) < 0 ||
        check_name(report->directive_id, 0, NAME_BYTES_MAX, "directive_id", error) < 0 ||
        check_instant(report->sample_begin_ms, "sample_begin_ms", error) < 0)
        return -1;
    if (report->sequence == 0)
        return invalid(error, "sequence", "is 0");
    if (report->sample_end_ms < report->sample_begin_ms)
        return invalid(error, "sample_end_ms", "is before sample_begin_ms");
    bool answers = report->directive_id != NULL && report->directive_id[0] != '\0';
    if (report->directive_readiness != NULL && !answers)
        return invalid(error, "directive_readiness", "names no directive");
    return 0;
}

int wire_check_report(const WireReport *report, struct error *error)
{
    if (check_report_head(report, error) < 0 || check_utilization(report->utilization, error) < 0 ||
        check_count(report->n_pods, WIRE_PODS_MAX, "pods", error) < 0)
        return -1;
    for (size_t i = 0; i < report->n_pods; i++) {
        if (check_pod(report->pods[i], error) < 0)
            return -1;
    }
    if (check_uids(report->pods_gone, report->n_pods_gone, "pods_gone", error) < 0 ||
        check_readiness(report->readiness, "readiness", error) < 0 ||
        check_readiness(report->directive_readiness, "directive_readiness", error) < 0 ||
        check_inhibitors(report, error) < 0 ||
        check_texts(report->notes, report->n_notes, NOTES_MAX, "notes", error) < 0)
        return -1;
    return 0;
}

// "UID/volume"
static int check_pod_volume(const char *text, struct error *error)
{
    const char *field = "prepare_drain.ignore_local_data_volumes";
    const char *slash = text == NULL ? NULL : strchr(text, '/');
    if (slash == NULL || !is_uid(text, (size_t)(slash - text)))
        return invalid(error, field, "holds something that is not \"UID/volume\"");
    return check_name(slash + 1, 1, NAME_BYTES_MAX, field, error);
}

static int check_prepare_drain(const WirePrepareDrain *drain, struct error *error)
{
    if (check_name(drain->id, 1, NAME_BYTES_MAX, "prepare_drain.id", error) < 0 ||
        check_instant(drain->deadline_ms, "prepare_drain.deadline_ms", error) < 0 ||
        check_uids(drain->pod_uids, drain->n_pod_uids, "prepare_drain.pod_uids", error) < 0 ||
        check_uids(drain->ignore_local_data_uids, drain->n_ignore_local_data_uids,
                   "prepare_drain.ignore_local_data_uids", error) < 0 ||
        check_count(drain->n_ignore_local_data_volumes, WIRE_PODS_MAX,
                    "prepare_drain.ignore_local_data_volumes", error) < 0)
        return -1;
    for (size_t i = 0; i < drain->n_ignore_local_data_volumes; i++) {
        if (check_pod_volume(drain->ignore_local_data_volumes[i], error) < 0)
            return -1;
    }
    return 0;
}

static int check_interval(uint32_t interval_ms, const char *field, struct error *error)
{
    if (interval_ms >= WIRE_INTERVAL_MS_MIN && interval_ms <= WIRE_INTERVAL_MS_MAX)
        return 0;
    return error_set(error, WIRE_FAULT_INVALID, "%s %u is out of bounds: %d to %d", field, interval_ms,
                     WIRE_INTERVAL_MS_MIN, WIRE_INTERVAL_MS_MAX);
}

static int check_directive(const WireDirective *directive, struct error *error)
{
    if (directive == NULL)
        return 0;
    switch (directive->kind_case) {
    case VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_PREPARE_DRAIN:
        return check_prepare_drain(directive->prepare_drain, error);
    case VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_CANCEL_DRAIN:
        return check_name(directive->cancel_drain->id, 1, NAME_BYTES_MAX, "cancel_drain.id", error);
    case VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_SET_INTERVAL:
        return check_interval(directive->set_interval->interval_ms, "set_interval.interval_ms", error);
    default: return invalid(error, "directive", "is of no known kind");
    }
}

int wire_check_ack(const WireAck *ack, struct error *error)
{
    if ((int)ack->status <= (int)VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_UNSPECIFIED ||
        (int)ack->status > (int)VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_INVALID)
        return error_set(error, WIRE_FAULT_INVALID, "status %d is unknown", (int)ack->status);
    if (ack->next_interval_ms != 0 && check_interval(ack->next_interval_ms, "next_interval_ms", error) < 0)
        return -1;
    if (check_name(ack->leader_address, 0, ADDRESS_BYTES_MAX, "leader_address", error) < 0 ||
        check_text(ack->detail, "detail", error) < 0)
        return -1;
    return check_directive(ack->directive, error);
}

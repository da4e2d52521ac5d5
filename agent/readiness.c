#include "agent/readiness.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/host/disk.h"
#include "agent/host/source.h"
#include "common/text.h"

// The rules run once a state, worst first, so that the worst reasons are the ones that fit.
struct pass {
    const struct host_view *view;
    const struct readiness_limits *limits;
    const struct readiness_question *question; // NULL: the node's own verdict
    enum readiness_state state;
    uint32_t reasons_max;
    struct verdict *verdict;
};

struct finding {
    enum readiness_state state;
    const char *code;
    const char *uid;     // NULL: about the node
    const char *subject; // NULL: none
    double observed, limit;
};

__attribute__((format(printf, 3, 4))) static void find(const struct pass *pass, struct finding finding,
                                                       const char *format, ...)
{
    struct verdict *verdict = pass->verdict;
    if (finding.state != pass->state)
        return;
    if (finding.state > verdict->state)
        verdict->state = finding.state;
    if (verdict->reason_count >= pass->reasons_max) {
        verdict->reasons_omitted++;
        return;
    }
    struct readiness_reason *reason = &verdict->reasons[verdict->reason_count++];
    *reason = (struct readiness_reason){.state = finding.state, .code = finding.code};
    reason->observed = finding.observed;
    reason->limit = finding.limit;
    snprintf(reason->pod_uid, sizeof reason->pod_uid, "%s", finding.uid ? finding.uid : "");
    const char *subject = finding.subject ? finding.subject : "";
    source_clean_text(reason->subject, sizeof reason->subject, subject, strlen(subject));
    char detail[2 * VIEW_WHY_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    source_clean_text(reason->detail, sizeof reason->detail, detail, strlen(detail));
}

static void find_unreadable(const struct pass *pass, const char *uid, const char *subject,
                            const struct reading *reading)
{
    find(pass,
         (struct finding){
             .state = READINESS_UNKNOWN, .code = WIRE_REASON_UNREADABLE, .uid = uid, .subject = subject},
         "%s", reading->why);
}

static void check_inhibitors(const struct pass *pass)
{
    const struct host_view *view = pass->view;
    if (!view->inhibitors.known)
        find_unreadable(pass, NULL, "inhibitors", &view->inhibitors);
    for (size_t i = 0; i < view->inhibitor_count; i++) {
        const struct inhibitor *one = &view->inhibitor[i];
        struct finding finding = {.state = one->expires_ms ? READINESS_BUSY : READINESS_BLOCKED,
                                  .code = WIRE_REASON_INHIBITOR,
                                  .subject = one->name};
        char when[32];
        text_format_time(when, sizeof when, one->expires_ms);
        find(pass, finding, "%s%s%s%s", one->reason, one->expires_ms ? " (until " : "",
             one->expires_ms ? when : "", one->expires_ms ? ")" : "");
    }
}

static void check_pressure(const struct pass *pass)
{
    for (int resource = 0; resource < PRESSURE_RESOURCES; resource++) {
        double limit = pass->limits->pressure_percent[resource];
        const struct pressure_view *pressure = &pass->view->pressure_view[resource];
        double observed = resource == PRESSURE_CPU ? pressure->some_avg10 : pressure->full_avg10;
        const char *name = pressure_name((enum pressure_resource)resource);
        if (limit <= 0)
            continue;
        if (!pass->view->pressure[resource].known)
            find_unreadable(pass, NULL, name, &pass->view->pressure[resource]);
        else if (observed > limit)
            find(pass,
                 (struct finding){.state = READINESS_BUSY,
                                  .code = WIRE_REASON_PRESSURE,
                                  .subject = name,
                                  .observed = observed,
                                  .limit = limit},
                 "%s of all tasks waited for it %.0f%% of the last 10 s",
                 resource == PRESSURE_CPU ? "some" : "all", observed);
    }
}

static void check_filesystem(const struct pass *pass, const char *name, const struct reading *reading,
                             const struct filesystem_view *filesystem)
{
    double limit = pass->limits->filesystem_percent;
    if (limit <= 0)
        return;
    if (!reading->known) {
        find_unreadable(pass, NULL, name, reading);
        return;
    }
    double used = disk_used_percent(filesystem);
    if (used > limit)
        find(pass,
             (struct finding){.state = READINESS_BUSY,
                              .code = WIRE_REASON_FILESYSTEM,
                              .subject = name,
                              .observed = used,
                              .limit = limit},
             "%.1f%% of its bytes or inodes are in use", used);
}

static bool listed(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, list[i]) == 0)
            return true;
    return false;
}

static bool volume_ignored(const struct readiness_question *question, const char *uid, const char *volume)
{
    char text[WIRE_UID_BYTES_MAX + VIEW_NAME_BYTES_MAX + 2];
    snprintf(text, sizeof text, "%s/%s", uid, volume);
    return listed(text, question->ignore_volumes, question->ignore_volume_count);
}

// The bytes that count, and the largest volume among them (NULL: not one of those that are listed).
static uint64_t counted_bytes(const struct pass *pass, const struct pod *pod,
                              const struct pod_volume **largest)
{
    uint64_t bytes = pod->local_data_bytes;
    *largest = NULL;
    for (uint32_t i = 0; i < pod->volume_count; i++) {
        const struct pod_volume *volume = &pod->volumes[i];
        if (volume->memory)
            continue;
        if (pass->question && volume_ignored(pass->question, pod->uid, volume->name))
            bytes = bytes > volume->bytes ? bytes - volume->bytes : 0;
        else if (!*largest)
            *largest = volume;
    }
    return bytes;
}

static void check_local_data(const struct pass *pass, const struct pod *pod)
{
    const struct reading *reading = &pod->evidence[EVIDENCE_LOCAL_DATA];
    const struct readiness_question *question = pass->question;
    if (question && listed(pod->uid, question->ignore_uids, question->ignore_uid_count))
        return;
    // A cgroup without processes and a directory are not made or removed in one instant.
    bool passing = pod->has_cgroup && !pod->has_directory && pass->view->directories.known &&
                   pod->evidence[EVIDENCE_PROCESSES].known && pod->processes == 0;
    if (!reading->known && passing) {
        find(pass, (struct finding){.state = READINESS_BUSY, .code = WIRE_REASON_LOCAL_DATA, .uid = pod->uid},
             "the pod is being made or removed");
        return;
    }
    if (!reading->known) {
        find_unreadable(pass, pod->uid, evidence_name(EVIDENCE_LOCAL_DATA), reading);
        return;
    }
    const struct pod_volume *largest;
    uint64_t bytes = counted_bytes(pass, pod, &largest);
    if (bytes <= pass->limits->local_data_slack_bytes && !pod->local_data_at_least)
        return;
    bool ended = !pod->has_cgroup && pass->view->pods.known;
    char size[32];
    text_format_bytes(size, sizeof size, bytes);
    find(pass,
         (struct finding){.state = ended ? READINESS_BUSY : READINESS_BLOCKED,
                          .code = WIRE_REASON_LOCAL_DATA,
                          .uid = pod->uid,
                          .subject = largest ? largest->name : NULL,
                          .observed = (double)bytes,
                          .limit = (double)pass->limits->local_data_slack_bytes},
         "%s%s in emptyDir volumes%s", pod->local_data_at_least ? "at least " : "", size,
         pod->local_data_at_least ? ": too many files to look through" : "");
}

static void check_processes(const struct pass *pass, const struct pod *pod)
{
    if (!pod->has_cgroup && pass->view->pods.known)
        return; // it has none
    const struct reading *reading = &pod->evidence[EVIDENCE_PROCESSES];
    if (!reading->known)
        find_unreadable(pass, pod->uid, evidence_name(EVIDENCE_PROCESSES), reading);
    else if (pod->processes_uninterruptible > 0)
        find(pass,
             (struct finding){.state = READINESS_BUSY,
                              .code = WIRE_REASON_UNINTERRUPTIBLE,
                              .uid = pod->uid,
                              .observed = pod->processes_uninterruptible},
             "%u of %u processes in uninterruptible sleep", pod->processes_uninterruptible, pod->processes);
}

static void check_connections(const struct pass *pass, const struct pod *pod)
{
    uint32_t limit = pass->limits->connections;
    if (limit == 0 || (!pod->has_cgroup && pass->view->pods.known))
        return;
    const struct reading *reading = &pod->evidence[EVIDENCE_CONNECTIONS];
    if (!reading->known)
        find_unreadable(pass, pod->uid, evidence_name(EVIDENCE_CONNECTIONS), reading);
    else if (!pod->host_network && pod->established_connections > limit)
        find(pass,
             (struct finding){.state = READINESS_BUSY,
                              .code = WIRE_REASON_CONNECTIONS,
                              .uid = pod->uid,
                              .observed = pod->established_connections,
                              .limit = limit},
             "%u established TCP connections", pod->established_connections);
}

// It vanished while the host was being read: nothing is left to know about it.
static bool is_gone(const struct host_view *view, const struct pod *pod)
{
    return !pod->has_cgroup && !pod->has_directory && view->pods.known && view->directories.known;
}

static void check_pod(const struct pass *pass, const struct pod *pod)
{
    if (is_gone(pass->view, pod))
        return;
    check_local_data(pass, pod);
    check_processes(pass, pod);
    check_connections(pass, pod);
}

static void check_node(const struct pass *pass)
{
    const struct host_view *view = pass->view;
    check_inhibitors(pass);
    if (!view->pods.known)
        find_unreadable(pass, NULL, "pods", &view->pods);
    // The node's own verdict needs no directories where there are no pods; who asks about pods needs them.
    if (!view->directories.known && (pass->question || view->pod_count > 0))
        find_unreadable(pass, NULL, "pod directories", &view->directories);
    check_pressure(pass);
    check_filesystem(pass, "root", &view->root_filesystem, &view->root_filesystem_view);
    if (view->image_filesystem_separate)
        check_filesystem(pass, "images", &view->image_filesystem, &view->image_filesystem_view);
}

static void run_rules(struct pass *pass)
{
    check_node(pass);
    if (!pass->question) {
        for (size_t i = 0; i < pass->view->pod_count; i++)
            check_pod(pass, &pass->view->pod[i]);
        return;
    }
    for (size_t i = 0; i < pass->question->uid_count; i++) {
        const struct pod *pod = view_find_pod(pass->view, pass->question->uids[i]);
        if (pod)
            check_pod(pass, pod);
    }
}

static void judge(struct pass pass)
{
    static const enum readiness_state order[] = {READINESS_BLOCKED, READINESS_UNKNOWN, READINESS_BUSY};
    struct verdict *verdict = pass.verdict;
    verdict->state = READINESS_READY;
    verdict->reason_count = verdict->reasons_omitted = verdict->pods_remaining = 0;
    verdict->evaluated_ms = pass.view->sampled_ms;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        pass.state = order[i];
        run_rules(&pass);
    }
    assert((verdict->state == READINESS_READY) == (verdict->reason_count + verdict->reasons_omitted == 0));
}

static bool remains(const struct host_view *view, const struct pod *pod)
{
    if (!pod)
        return !view->pods.known || !view->directories.known;
    if (is_gone(view, pod))
        return false;
    return pod->has_cgroup || !view->pods.known || !pod->evidence[EVIDENCE_LOCAL_DATA].known ||
           pod->local_data_bytes > 0 || pod->local_data_at_least;
}

void readiness_of_node(const struct host_view *view, const struct readiness_limits *limits,
                       uint32_t reasons_max, struct verdict *out)
{
    assert(reasons_max <= READINESS_REASONS_MAX);
    judge((struct pass){.view = view, .limits = limits, .reasons_max = reasons_max, .verdict = out});
    for (size_t i = 0; i < view->pod_count; i++)
        out->pods_remaining += remains(view, &view->pod[i]);
}

void readiness_of_pods(const struct host_view *view, const struct readiness_limits *limits,
                       const struct readiness_question *question, struct verdict *out)
{
    judge((struct pass){.view = view,
                        .limits = limits,
                        .question = question,
                        .reasons_max = READINESS_REASONS_MAX,
                        .verdict = out});
    for (size_t i = 0; i < question->uid_count; i++)
        out->pods_remaining += remains(view, view_find_pod(view, question->uids[i]));
}

const char *readiness_name(enum readiness_state state)
{
    static const char *const names[READINESS_STATES] = {"READY", "BUSY", "UNKNOWN", "BLOCKED"};
    return names[state];
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "coordinator/fleet/report.h"

#define UID "00000000-0000-4000-8000-000000000001"

static WireReport bare(void)
{
    WireReport report = VPSIE__AUTOSCALER__V1__AGENT_REPORT__INIT;
    report.node_name = (char *)"w-1";
    report.agent_start_id = (char *)"start";
    report.sequence = 5;
    return report;
}

static void what_was_not_read_is_unknown_never_zero_and_never_ready(void **state)
{
    (void)state;
    WireReport report = bare();
    Vpsie__Autoscaler__V1__PodEvidence pod = VPSIE__AUTOSCALER__V1__POD_EVIDENCE__INIT, *pods[] = {&pod};
    pod.uid = (char *)UID;
    report.pods = pods;
    report.n_pods = 1;
    struct event *event = report_event(&report, 77);
    const struct agent_report_facts *facts = event->report;
    assert_string_equal(facts->node_name, "w-1");
    assert_int_equal(facts->sequence, 5);
    assert_int_equal(facts->received_ms, 77);
    assert_int_equal(facts->cpu_used_millis, -1);
    assert_int_equal(facts->memory_used_bytes, -1);
    assert_int_equal(facts->memory_total_bytes, -1);
    assert_true(facts->pressure_cpu_some60 < 0 && facts->pressure_memory_full60 < 0);
    assert_int_equal(facts->verdict.state, EVIDENCE_UNKNOWN);
    assert_int_equal(facts->directive_verdict.state, EVIDENCE_UNKNOWN);
    assert_string_equal(facts->directive_id, "");
    assert_int_equal(facts->pods[0].cpu_millis, -1);
    assert_int_equal(facts->pods[0].memory_bytes, -1);
    assert_int_equal(facts->pods[0].local_data_bytes, -1);
    assert_int_equal(facts->pods[0].connections, -1);
    assert_string_equal(facts->pods[0].largest_volume, "");
    assert_string_equal(facts->pods[0].unknown, "");
    event_destroy(event);
}

static void utilization_and_evidence_are_taken_over(void **state)
{
    (void)state;
    WireReport report = bare();
    Vpsie__Autoscaler__V1__Utilization use = VPSIE__AUTOSCALER__V1__UTILIZATION__INIT;
    Vpsie__Autoscaler__V1__CpuModes cpu = VPSIE__AUTOSCALER__V1__CPU_MODES__INIT;
    Vpsie__Autoscaler__V1__Pressure pressure = VPSIE__AUTOSCALER__V1__PRESSURE__INIT;
    Vpsie__Autoscaler__V1__PodEvidence pod = VPSIE__AUTOSCALER__V1__POD_EVIDENCE__INIT, *pods[] = {&pod};
    Vpsie__Autoscaler__V1__LocalVolume disk = VPSIE__AUTOSCALER__V1__LOCAL_VOLUME__INIT, small = disk,
                                       tmpfs = disk, *volumes[] = {&small, &tmpfs, &disk};
    cpu.user_millis = 100, cpu.system_millis = 20, cpu.idle_millis = 800, cpu.iowait_millis = 50,
    cpu.steal_millis = 3;
    use.cpu = &cpu;
    use.has_memory_total_bytes = use.has_memory_available_bytes = true;
    use.memory_total_bytes = 1000, use.memory_available_bytes = 400;
    pressure.some_avg60 = 7, pressure.full_avg60 = 3;
    use.cpu_pressure = use.memory_pressure = &pressure;
    report.utilization = &use;
    pod.uid = (char *)UID;
    pod.has_local_data_bytes = pod.has_established_connections = true;
    pod.local_data_bytes = 99, pod.established_connections = 4;
    disk.name = (char *)"cache", disk.bytes = 60;
    small.name = (char *)"small", small.bytes = 39;
    tmpfs.name = (char *)"memory", tmpfs.bytes = 1000, tmpfs.memory = true;
    pod.volumes = volumes, pod.n_volumes = 3;
    report.pods = pods, report.n_pods = 1;
    char *gone[] = {(char *)"00000000-0000-4000-8000-000000000002"};
    report.pods_gone = gone, report.n_pods_gone = 1;
    report.pods_complete = true;
    struct event *event = report_event(&report, 1);
    const struct agent_report_facts *facts = event->report;
    assert_int_equal(facts->cpu_used_millis, 123); // neither idle nor waiting for a disk
    assert_int_equal(facts->memory_used_bytes, 600);
    assert_true(facts->pressure_cpu_some60 > 6.9 && facts->pressure_memory_full60 < 3.1);
    assert_true(facts->pressure_io_full60 < 0);
    assert_int_equal(facts->pods[0].local_data_bytes, 99);
    assert_int_equal(facts->pods[0].connections, 4);
    assert_string_equal(facts->pods[0].largest_volume, "cache"); // what is in memory is lost by design
    assert_int_equal(facts->pods[0].largest_volume_bytes, 60);
    assert_true(facts->pods_complete);
    assert_int_equal(facts->pods_gone_count, 1);
    assert_string_equal(facts->pods_gone[0], gone[0]);
    use.has_memory_working_set_bytes = true;
    use.memory_working_set_bytes = 500; // the better figure wins
    event_destroy(event);
    event = report_event(&report, 1);
    assert_int_equal(event->report->memory_used_bytes, 500);
    event_destroy(event);
}

static void verdicts_bring_their_reasons(void **state)
{
    (void)state;
    static const struct {
        Vpsie__Autoscaler__V1__ReadinessState wire;
        enum evidence_state state;
    } states[] = {{VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_UNKNOWN, EVIDENCE_UNKNOWN},
                  {VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_READY, EVIDENCE_READY},
                  {VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BUSY, EVIDENCE_BUSY},
                  {VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BLOCKED, EVIDENCE_BLOCKED}};
    for (size_t i = 0; i < 4; i++) {
        WireReport report = bare();
        Vpsie__Autoscaler__V1__Readiness readiness = VPSIE__AUTOSCALER__V1__READINESS__INIT;
        Vpsie__Autoscaler__V1__Reason reason = VPSIE__AUTOSCALER__V1__REASON__INIT, *reasons[] = {&reason};
        reason.code = (char *)WIRE_REASON_LOCAL_DATA, reason.pod_uid = (char *)UID,
        reason.subject = (char *)"cache";
        reason.observed = 60, reason.limit = 1, reason.detail = (char *)"60 bytes";
        readiness.state = states[i].wire, readiness.reasons = reasons, readiness.n_reasons = 1;
        readiness.evaluated_ms = 9, readiness.pods_remaining = 2;
        report.directive_id = (char *)"drain-1";
        report.directive_readiness = &readiness;
        struct event *event = report_event(&report, 1);
        const struct evidence_verdict *verdict = &event->report->directive_verdict;
        assert_string_equal(event->report->directive_id, "drain-1");
        assert_int_equal(verdict->state, states[i].state);
        assert_int_equal(verdict->evaluated_ms, 9);
        assert_int_equal(verdict->pods_remaining, 2);
        assert_string_equal(verdict->reasons[0].code, "local-data");
        assert_string_equal(verdict->reasons[0].pod_uid, UID);
        assert_string_equal(verdict->reasons[0].subject, "cache");
        assert_string_equal(verdict->reasons[0].detail, "60 bytes");
        event_destroy(event);
    }
}

static void directives_are_put_on_the_wire_whole(void **state)
{
    (void)state;
    const char *uids[] = {UID}, *volumes[] = {UID "/cache"};
    struct report_directive out;
    struct command command = {.kind = COMMAND_AGENT_DIRECTIVE};
    command.directive.kind = DIRECTIVE_PREPARE_DRAIN;
    command.directive.directive_id = "drain-1";
    command.directive.deadline_ms = 1234;
    command.directive.pod_uids = command.directive.ignore_uids = uids;
    command.directive.pod_uid_count = command.directive.ignore_uid_count = 1;
    command.directive.ignore_volumes = volumes;
    command.directive.ignore_volume_count = 1;
    report_directive(&out, &command);
    assert_int_equal(out.directive.kind_case, VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_PREPARE_DRAIN);
    assert_string_equal(out.directive.prepare_drain->id, "drain-1");
    assert_int_equal(out.directive.prepare_drain->deadline_ms, 1234);
    assert_string_equal(out.directive.prepare_drain->pod_uids[0], UID);
    assert_string_equal(out.directive.prepare_drain->ignore_local_data_uids[0], UID);
    assert_string_equal(out.directive.prepare_drain->ignore_local_data_volumes[0], UID "/cache");
    command.directive.kind = DIRECTIVE_CANCEL_DRAIN;
    report_directive(&out, &command);
    assert_string_equal(out.directive.cancel_drain->id, "drain-1");
    command.directive.kind = DIRECTIVE_SET_INTERVAL;
    command.directive.interval_ms = 2000;
    report_directive(&out, &command);
    assert_int_equal(out.directive.set_interval->interval_ms, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_read_is_unknown_never_zero_and_never_ready),
        cmocka_unit_test(utilization_and_evidence_are_taken_over),
        cmocka_unit_test(verdicts_bring_their_reasons),
        cmocka_unit_test(directives_are_put_on_the_wire_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

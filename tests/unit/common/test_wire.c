#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/wire.h"
#include "tests/unit/common/wire_sample.h"

static struct wire_sample sample;

static int make_sample(void **state)
{
    (void)state;
    wire_sample_make(&sample);
    return 0;
}

static int free_sample(void **state)
{
    (void)state;
    wire_sample_free(&sample);
    return 0;
}

// The sample as it stands is sent (past our own checks) and must be refused with a text that holds `part`.
static void expect_report_refused(const char *part)
{
    struct error error = {0};
    size_t length = protobuf_c_message_get_packed_size(&sample.report.base);
    uint8_t *bytes = xcalloc(length, 1);
    protobuf_c_message_pack(&sample.report.base, bytes);
    assert_null(wire_report_decode(bytes, length, NULL, &error));
    free(bytes);
    assert_int_equal(error.code, WIRE_FAULT_INVALID);
    if (strstr(error.text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, part);
    error_clear(&error);
    assert_null(wire_report_encode(&sample.report, &length, &error));
    assert_int_equal(error.code, WIRE_FAULT_INVALID);
}

static WireReport *through_the_wire(void)
{
    struct error error = {0};
    size_t length;
    uint8_t *bytes = wire_report_encode(&sample.report, &length, &error);
    if (bytes == NULL)
        fail_msg("%s", error.text);
    WireReport *report = wire_report_decode(bytes, length, NULL, &error);
    if (report == NULL)
        fail_msg("%s", error.text);
    free(bytes);
    return report;
}

static void expect_report_taken(void)
{
    wire_report_free(through_the_wire());
}

static void a_full_report_arrives_as_it_was_sent(void **state)
{
    (void)state;
    WireReport *report = through_the_wire();
    assert_string_equal(report->node_name, "node-1.example");
    assert_int_equal(report->sequence, 7);
    assert_int_equal(report->sample_end_ms, 2000);
    assert_true(report->utilization->has_load1);
    assert_false(report->utilization->has_load5);
    assert_int_equal(report->n_pods, 1);
    assert_string_equal(report->pods[0]->uid, WIRE_SAMPLE_UID);
    assert_string_equal(report->pods[0]->volumes[0]->name, "cache");
    assert_int_equal(report->readiness->state, VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BUSY);
    assert_string_equal(report->readiness->reasons[0]->code, WIRE_REASON_LOCAL_DATA);
    assert_string_equal(report->inhibitors[0]->name, "backup");
    assert_string_equal(report->notes[0], "psi: größer");
    wire_report_free(report);
}

static void what_was_left_out_arrives_empty_and_not_null(void **state)
{
    (void)state;
    sample.report.credential = NULL;
    sample.report.boot_id = NULL;
    sample.report.readiness = NULL;
    sample.report.directive_readiness = NULL;
    sample.report.directive_id = NULL;
    sample.report.utilization = NULL;
    WireReport *report = through_the_wire();
    assert_string_equal(report->credential, "");
    assert_string_equal(report->boot_id, "");
    assert_string_equal(report->directive_id, "");
    assert_null(report->utilization);
    wire_report_free(report);
}

static void every_truncation_is_refused_or_within_limits(void **state)
{
    (void)state;
    struct error error = {0};
    size_t length;
    uint8_t *bytes = wire_report_encode(&sample.report, &length, &error);
    size_t refused = 0;
    for (size_t cut = 0; cut < length; cut++) {
        uint8_t *copy = xcalloc(cut + 1, 1);
        memcpy(copy, bytes, cut);
        error_clear(&error);
        WireReport *report = wire_report_decode(copy, cut, NULL, &error);
        if (report == NULL) {
            refused++;
            assert_true(error.code == WIRE_FAULT_MALFORMED || error.code == WIRE_FAULT_INVALID);
        }
        wire_report_free(report);
        free(copy);
    }
    assert_true(refused > length * 9 / 10);
    free(bytes);
}

static void nothing_and_noise_are_malformed(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(wire_report_decode(NULL, 0, NULL, &error));
    assert_int_equal(error.code, WIRE_FAULT_MALFORMED);
    uint8_t noise[64];
    memset(noise, 0xff, sizeof(noise));
    error_clear(&error);
    assert_null(wire_report_decode(noise, sizeof(noise), NULL, &error));
    assert_int_equal(error.code, WIRE_FAULT_MALFORMED);
    error_clear(&error);
    assert_null(wire_ack_decode(noise, sizeof(noise), &error));
    assert_int_equal(error.code, WIRE_FAULT_MALFORMED);
}

static void a_message_over_the_limit_is_too_large_either_way(void **state)
{
    (void)state;
    struct error error = {0};
    size_t length = WIRE_MESSAGE_BYTES_MAX + 1;
    uint8_t *bytes = xcalloc(length, 1);
    assert_null(wire_report_decode(bytes, length, NULL, &error));
    assert_int_equal(error.code, WIRE_FAULT_TOO_LARGE);
    assert_null(wire_ack_decode(bytes, length, &error));
    assert_int_equal(error.code, WIRE_FAULT_TOO_LARGE);
    free(bytes);

    wire_sample_grow_pods(&sample, WIRE_PODS_MAX); // each within its limits, all together not
    error_clear(&error);
    assert_null(wire_report_encode(&sample.report, &length, &error));
    assert_int_equal(error.code, WIRE_FAULT_TOO_LARGE);
}

static void another_version_is_named_even_when_the_rest_cannot_be_read(void **state)
{
    (void)state;
    const uint8_t version_2_alone[] = {0x08, 0x02};
    const uint8_t version_2_after_unknown[] = {0xfa, 0x07, 0x01, 'x', 0x08, 0x01, 0x08, 0x02};
    const uint8_t version_2_then_noise[] = {0x08, 0x02, 0xff, 0xff};
    struct error error = {0};
    uint32_t version = 0;
    assert_null(wire_report_decode(version_2_alone, sizeof(version_2_alone), &version, &error));
    assert_int_equal(error.code, WIRE_FAULT_VERSION);
    assert_int_equal(version, 2);
    version = 0;
    assert_null(
        wire_report_decode(version_2_after_unknown, sizeof(version_2_after_unknown), &version, &error));
    assert_int_equal(error.code, WIRE_FAULT_VERSION);
    assert_int_equal(version, 2);
    assert_null(wire_report_decode(version_2_then_noise, sizeof(version_2_then_noise), NULL, &error));
    assert_int_equal(error.code, WIRE_FAULT_VERSION);
    sample.report.protocol_version = 0;
    size_t length;
    assert_null(wire_report_encode(&sample.report, &length, &error));
    assert_int_equal(error.code, WIRE_FAULT_VERSION);
}

static void a_field_of_a_later_version_is_passed_over(void **state)
{
    (void)state;
    struct error error = {0};
    size_t length;
    uint8_t *bytes = wire_report_encode(&sample.report, &length, &error);
    bytes = xrealloc_array(bytes, length + 4, 1);
    memcpy(bytes + length, (const uint8_t[]){0xfa, 0x07, 0x01, 'x'}, 4); // field 127
    WireReport *report = wire_report_decode(bytes, length + 4, NULL, &error);
    assert_non_null(report);
    wire_report_free(report);
    free(bytes);
}

// Two bytes of the wire ask for one string: the bound on the bytes alone would allow for 130,000 of them.
static void a_flood_of_empty_strings_is_refused_before_it_takes_the_memory(void **state)
{
    (void)state;
    struct error error = {0};
    uint8_t *bytes = xcalloc(WIRE_MESSAGE_BYTES_MAX, 1);
    for (size_t i = 0; i < WIRE_MESSAGE_BYTES_MAX; i += 2)
        bytes[i] = 13u << 3 | 2u; // pods_gone, of length 0
    assert_null(wire_report_decode(bytes, WIRE_MESSAGE_BYTES_MAX, NULL, &error));
    assert_int_equal(error.code, WIRE_FAULT_INVALID);
    assert_non_null(strstr(error.text, "too many fields"));
    free(bytes);
}

static void names_are_checked(void **state)
{
    (void)state;
    char long_name[WIRE_NODE_NAME_BYTES_MAX + 2];
    memset(long_name, 'a', sizeof(long_name));
    long_name[WIRE_NODE_NAME_BYTES_MAX] = '\0';
    sample.report.node_name = long_name;
    expect_report_taken();
    long_name[WIRE_NODE_NAME_BYTES_MAX] = 'a';
    long_name[WIRE_NODE_NAME_BYTES_MAX + 1] = '\0';
    expect_report_refused("node_name is longer");
    const char *bad[] = {"",     "Node", "node_1", "-node", "node-",       "node.", ".node",
                         "a..b", "a.-b", "a-.b",   "a b",   "n\303\266de", "a\nb"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sample.report.node_name = (char *)(uintptr_t)bad[i];
        expect_report_refused("node_name");
    }
    const char *good[] = {"a", "1", "ip-10-0-0-1.eu.example", "a--b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        sample.report.node_name = (char *)(uintptr_t)good[i];
        expect_report_taken();
    }
}

static void ids_and_credentials_are_printable_and_bounded(void **state)
{
    (void)state;
    static char big[WIRE_CREDENTIAL_BYTES_MAX + 2];
    memset(big, 'x', WIRE_CREDENTIAL_BYTES_MAX);
    sample.report.credential = big;
    expect_report_taken();
    big[WIRE_CREDENTIAL_BYTES_MAX] = 'x';
    expect_report_refused("credential is longer");
    sample.report.credential = "line\nbreak";
    expect_report_refused("credential holds");
    sample.report.credential = "";
    sample.report.agent_start_id = "";
    expect_report_refused("agent_start_id is empty");
    sample.report.agent_start_id = "start";
    sample.report.boot_id = "\x7f";
    expect_report_refused("boot_id");
    sample.report.boot_id = "";
    sample.report.agent_version = "1 0";
    expect_report_refused("agent_version");
    sample.report.agent_version = "1.0";
    sample.report.directive_id = "0123456789012345678901234567890123456789012345678901234567890123";
    expect_report_refused("directive_id is longer");
}

static void counts_and_times_make_sense(void **state)
{
    (void)state;
    sample.report.sequence = 0;
    expect_report_refused("sequence");
    sample.report.sequence = UINT64_MAX;
    sample.report.sample_begin_ms = -1;
    expect_report_refused("sample_begin_ms");
    sample.report.sample_begin_ms = 2001;
    expect_report_refused("sample_end_ms");
    sample.report.sample_begin_ms = 2000;
    expect_report_taken();
    sample.readiness.evaluated_ms = -5;
    expect_report_refused("evaluated_ms");
    sample.readiness.evaluated_ms = 5;
    sample.inhibitor.expires_ms = INT64_MIN;
    expect_report_refused("expires_ms");
    sample.inhibitor.expires_ms = INT64_MAX;
    expect_report_taken();
}

static void numbers_are_finite_and_not_negative(void **state)
{
    (void)state;
    sample.utilization.load1 = NAN;
    expect_report_refused("load1 is not finite");
    sample.utilization.load1 = -0.5;
    expect_report_refused("load1 is negative");
    sample.utilization.has_load1 = 0; // nobody reads it then
    expect_report_taken();
    sample.pressure.full_avg60 = 100.5f;
    expect_report_refused("io_pressure is over 100");
    sample.pressure.full_avg60 = HUGE_VALF;
    expect_report_refused("io_pressure is not finite");
    sample.pressure.full_avg60 = 100.0f;
    sample.reason.observed = -1;
    expect_report_refused("observed");
    sample.reason.observed = 1e300;
    sample.reason.limit = -HUGE_VAL;
    expect_report_refused("limit");
}

static void an_unknown_enum_is_refused(void **state)
{
    (void)state;
    sample.readiness.state = (Vpsie__Autoscaler__V1__ReadinessState)4;
    expect_report_refused("readiness.state 4");
    sample.readiness.state = (Vpsie__Autoscaler__V1__ReadinessState)-1;
    expect_report_refused("readiness.state -1");
}

static void every_collection_has_its_bound(void **state)
{
    (void)state;
    size_t *counts[] = {&sample.report.n_pods,       &sample.report.n_pods_gone, &sample.report.n_notes,
                        &sample.report.n_inhibitors, &sample.pod.n_volumes,      &sample.pod.n_unknown,
                        &sample.readiness.n_reasons};
    const size_t bounds[] = {WIRE_PODS_MAX, WIRE_PODS_MAX, 16, WIRE_INHIBITORS_MAX, 8, 4, WIRE_REASONS_MAX};
    const char *names[] = {"pods",         "pods_gone",    "notes",  "inhibitors",
                           "pods.volumes", "pods.unknown", "reasons"};
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        wire_sample_free(&sample);
        wire_sample_make(&sample);
        sample.pod.n_volumes = 0; // 1,024 pods of the sample would be over the bound on bytes
        sample.pod.n_unknown = 0;
        *counts[i] = bounds[i];
        expect_report_taken();
        *counts[i] = bounds[i] + 1;
        expect_report_refused(names[i]);
    }
}

static void texts_are_utf8_and_bounded(void **state)
{
    (void)state;
    char long_text[WIRE_TEXT_BYTES_MAX + 2] = "";
    memset(long_text, 'x', WIRE_TEXT_BYTES_MAX);
    char **places[] = {&sample.notes[0],      &sample.unknown[0],     &sample.reason.subject,
                       &sample.reason.detail, &sample.inhibitor.name, &sample.inhibitor.reason};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char *before = *places[i];
        long_text[WIRE_TEXT_BYTES_MAX] = '\0';
        *places[i] = long_text;
        expect_report_taken();
        long_text[WIRE_TEXT_BYTES_MAX] = 'x';
        expect_report_refused("longer than 512");
        *places[i] = "broken \xc3";
        expect_report_refused("UTF-8");
        *places[i] = before;
    }
    sample.inhibitor.name = "";
    expect_report_refused("inhibitors.name is empty");
}

static void pod_uids_are_canonical(void **state)
{
    (void)state;
    struct error error = {0};
    const char *good[] = {WIRE_SAMPLE_UID, "0123456789abcdef0123456789abcdef"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(wire_check_uid(good[i], &error), 0);
    const char *bad[] = {"",
                         "12345678-1234-1234-1234-123456789ABC",
                         "12345678-1234-1234-1234-123456789ab",
                         "12345678-1234-1234-1234-123456789abcd",
                         "12345678_1234_1234_1234_123456789abc",
                         "123456781234-1234-1234-123456789abc--",
                         "0123456789abcdef0123456789abcdeg",
                         "0123456789abcdef0123456789abcde",
                         "../../../../../../../../etc/passwd00"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(wire_check_uid(bad[i], &error), -1);
    assert_int_equal(wire_check_uid(NULL, &error), -1);
    sample.pod.uid = "pod";
    expect_report_refused("pods.uid");
    sample.pod.uid = WIRE_SAMPLE_UID;
    sample.reason.pod_uid = "pod";
    expect_report_refused("reasons.pod_uid");
    sample.reason.pod_uid = "";
    expect_report_taken();
    sample.gone[0] = "pod";
    expect_report_refused("pods_gone");
}

static void a_verdict_for_a_directive_names_it(void **state)
{
    (void)state;
    sample.report.directive_id = "";
    expect_report_refused("directive_readiness");
    sample.report.directive_readiness = NULL;
    expect_report_taken();
}

static void null_is_freed_as_nothing(void **state)
{
    (void)state;
    wire_report_free(NULL);
    wire_ack_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_sample, free_sample)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_report_arrives_as_it_was_sent),
        TEST(what_was_left_out_arrives_empty_and_not_null),
        TEST(every_truncation_is_refused_or_within_limits),
        TEST(nothing_and_noise_are_malformed),
        TEST(a_message_over_the_limit_is_too_large_either_way),
        TEST(another_version_is_named_even_when_the_rest_cannot_be_read),
        TEST(a_field_of_a_later_version_is_passed_over),
        TEST(a_flood_of_empty_strings_is_refused_before_it_takes_the_memory),
        TEST(names_are_checked),
        TEST(ids_and_credentials_are_printable_and_bounded),
        TEST(counts_and_times_make_sense),
        TEST(numbers_are_finite_and_not_negative),
        TEST(an_unknown_enum_is_refused),
        TEST(every_collection_has_its_bound),
        TEST(texts_are_utf8_and_bounded),
        TEST(pod_uids_are_canonical),
        TEST(a_verdict_for_a_directive_names_it),
        TEST(null_is_freed_as_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

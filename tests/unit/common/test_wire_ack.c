#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/arena.h"
#include "common/wire.h"

#define UID "12345678-1234-1234-1234-123456789abc"

static WireAck ack;
static Vpsie__Autoscaler__V1__Directive directive;
static Vpsie__Autoscaler__V1__PrepareDrain drain;
static Vpsie__Autoscaler__V1__CancelDrain cancel;
static Vpsie__Autoscaler__V1__SetInterval interval;
static char *uids[WIRE_PODS_MAX + 1];
static char *volumes[WIRE_PODS_MAX + 1];

static int make_ack(void **state)
{
    (void)state;
    vpsie__autoscaler__v1__report_ack__init(&ack);
    vpsie__autoscaler__v1__directive__init(&directive);
    vpsie__autoscaler__v1__prepare_drain__init(&drain);
    vpsie__autoscaler__v1__cancel_drain__init(&cancel);
    vpsie__autoscaler__v1__set_interval__init(&interval);
    for (size_t i = 0; i < WIRE_PODS_MAX + 1; i++) {
        uids[i] = UID;
        volumes[i] = UID "/cache";
    }
    ack.status = VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_ACCEPTED;
    ack.sequence = 9;
    ack.next_interval_ms = 10000;
    ack.protocol_version = WIRE_PROTOCOL_VERSION;
    ack.leader_address = "tls+tcp://coordinator-0:7946";
    drain.id = "drain-1";
    drain.deadline_ms = 5000;
    drain.pod_uids = uids;
    drain.n_pod_uids = 2;
    drain.ignore_local_data_uids = uids;
    drain.n_ignore_local_data_uids = 1;
    drain.ignore_local_data_volumes = volumes;
    drain.n_ignore_local_data_volumes = 1;
    directive.kind_case = VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_PREPARE_DRAIN;
    directive.prepare_drain = &drain;
    ack.directive = &directive;
    return 0;
}

static WireAck *through_the_wire(void)
{
    struct error error = {0};
    size_t length;
    uint8_t *bytes = wire_ack_encode(&ack, &length, &error);
    if (bytes == NULL)
        fail_msg("%s", error.text);
    WireAck *arrived = wire_ack_decode(bytes, length, &error);
    if (arrived == NULL)
        fail_msg("%s", error.text);
    free(bytes);
    return arrived;
}

static void expect_taken(void)
{
    wire_ack_free(through_the_wire());
}

static void expect_refused(const char *part)
{
    struct error error = {0};
    size_t length = protobuf_c_message_get_packed_size(&ack.base);
    uint8_t *bytes = xcalloc(length, 1);
    protobuf_c_message_pack(&ack.base, bytes);
    assert_null(wire_ack_decode(bytes, length, &error));
    free(bytes);
    assert_int_equal(error.code, WIRE_FAULT_INVALID);
    if (strstr(error.text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, part);
    assert_null(wire_ack_encode(&ack, &length, &error));
}

static void a_directive_arrives_as_it_was_sent(void **state)
{
    (void)state;
    WireAck *arrived = through_the_wire();
    assert_int_equal(arrived->sequence, 9);
    assert_string_equal(arrived->detail, "");
    assert_int_equal(arrived->directive->kind_case, VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_PREPARE_DRAIN);
    assert_string_equal(arrived->directive->prepare_drain->id, "drain-1");
    assert_int_equal(arrived->directive->prepare_drain->n_pod_uids, 2);
    assert_string_equal(arrived->directive->prepare_drain->ignore_local_data_volumes[0], UID "/cache");
    wire_ack_free(arrived);
}

static void the_other_directives_arrive_too(void **state)
{
    (void)state;
    directive.kind_case = VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_CANCEL_DRAIN;
    directive.cancel_drain = &cancel;
    expect_refused("cancel_drain.id");
    cancel.id = "drain-1";
    expect_taken();
    directive.kind_case = VPSIE__AUTOSCALER__V1__DIRECTIVE__KIND_SET_INTERVAL;
    directive.set_interval = &interval;
    interval.interval_ms = WIRE_INTERVAL_MS_MIN;
    expect_taken();
    interval.interval_ms = WIRE_INTERVAL_MS_MIN - 1;
    expect_refused("set_interval.interval_ms");
    interval.interval_ms = WIRE_INTERVAL_MS_MAX + 1;
    expect_refused("set_interval.interval_ms");
}

static void a_directive_of_a_later_kind_is_as_if_not_sent(void **state)
{
    (void)state;
    struct error error = {0};
    size_t length;
    ack.directive = NULL;
    uint8_t *bytes = wire_ack_encode(&ack, &length, &error);
    const uint8_t later[] = {0x32, 0x03, 0x7a, 0x01, 'x'}; // directive: field 15 of it
    bytes = xrealloc_array(bytes, length + sizeof(later), 1);
    memcpy(bytes + length, later, sizeof(later));
    WireAck *arrived = wire_ack_decode(bytes, length + sizeof(later), &error);
    assert_non_null(arrived);
    assert_null(arrived->directive);
    wire_ack_free(arrived);
    free(bytes);
}

static void a_status_that_says_nothing_is_refused(void **state)
{
    (void)state;
    ack.status = VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_UNSPECIFIED;
    expect_refused("status 0");
    ack.status = (Vpsie__Autoscaler__V1__AckStatus)7;
    expect_refused("status 7");
    ack.status = VPSIE__AUTOSCALER__V1__ACK_STATUS__ACK_INVALID;
    expect_taken();
}

static void intervals_and_addresses_are_bounded(void **state)
{
    (void)state;
    ack.next_interval_ms = 0;
    expect_taken();
    ack.next_interval_ms = WIRE_INTERVAL_MS_MAX + 1;
    expect_refused("next_interval_ms");
    ack.next_interval_ms = WIRE_INTERVAL_MS_MAX;
    ack.leader_address = "two words";
    expect_refused("leader_address");
    ack.leader_address = "";
    ack.detail = "\xff";
    expect_refused("detail is not UTF-8");
}

static void a_drain_names_itself_and_real_pods(void **state)
{
    (void)state;
    drain.id = "";
    expect_refused("prepare_drain.id");
    drain.id = "drain-1";
    drain.deadline_ms = -1;
    expect_refused("deadline_ms");
    drain.deadline_ms = 1;
    uids[1] = "nobody";
    expect_refused("prepare_drain.pod_uids");
    drain.n_pod_uids = 1;
    expect_taken();
    const char *bad[] = {UID, UID "/", "/cache", "nobody/cache", UID "/two words"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        volumes[0] = (char *)(uintptr_t)bad[i];
        expect_refused("ignore_local_data_volumes");
    }
}

static void the_lists_of_a_drain_have_bounds(void **state)
{
    (void)state;
    drain.n_pod_uids = WIRE_PODS_MAX;
    drain.n_ignore_local_data_uids = WIRE_PODS_MAX;
    drain.n_ignore_local_data_volumes = WIRE_PODS_MAX;
    expect_taken();
    size_t *counts[] = {&drain.n_pod_uids, &drain.n_ignore_local_data_uids,
                        &drain.n_ignore_local_data_volumes};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        *counts[i] = WIRE_PODS_MAX + 1;
        expect_refused("1024 at most");
        *counts[i] = 1;
    }
}

#define TEST(name) cmocka_unit_test_setup(name, make_ack)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_directive_arrives_as_it_was_sent),
        TEST(the_other_directives_arrive_too),
        TEST(a_directive_of_a_later_kind_is_as_if_not_sent),
        TEST(a_status_that_says_nothing_is_refused),
        TEST(intervals_and_addresses_are_bounded),
        TEST(a_drain_names_itself_and_real_pods),
        TEST(the_lists_of_a_drain_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

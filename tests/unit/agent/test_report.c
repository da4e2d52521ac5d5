#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/print.h"
#include "agent/report.h"
#include "tests/unit/agent/tree.h"

#define PODS_MAX 1024

struct stage {
    struct host_view view;
    struct pod pods[PODS_MAX];
    struct verdict verdict;
    struct report *report;
    size_t length; // of the last message
};

static void make_pod(struct pod *pod, unsigned number)
{
    *pod = (struct pod){.has_cgroup = true,
                        .has_directory = true,
                        .processes = 7,
                        .cpu_millis = 100 + number,
                        .memory_working_set_bytes = (100 + number) << 20,
                        .established_connections = 5};
    snprintf(pod->uid, sizeof pod->uid, "%08x-1111-4222-8333-444444444444", number);
    for (int kind = 0; kind < EVIDENCE_KINDS; kind++)
        reading_known(&pod->evidence[kind]);
}

static struct stage *make_stage(size_t pods)
{
    struct stage *stage = calloc(1, sizeof *stage);
    struct report_identity identity = {.node_name = "pool-a-worker-7f9c",
                                       .boot_id = "5f3b1a52-0000-4000-8000-000000000000",
                                       .start_id = "0123456789abcdef0123456789abcdef"};
    stage->report = report_create(&identity);
    for (unsigned i = 0; i < pods; i++)
        make_pod(&stage->pods[i], i);
    struct host_view *view = &stage->view;
    view->pod = stage->pods;
    view->pod_count = pods;
    view->sample_begin_ms = 1700000000000;
    view->sample_end_ms = 1700000010000;
    struct reading *readings[] = {
        &view->cpu,         &view->cpu_rates,   &view->memory,      &view->load,           &view->network,
        &view->processes,   &view->blocked,     &view->pods,        &view->directories,    &view->inhibitors,
        &view->pressure[0], &view->pressure[1], &view->pressure[2], &view->root_filesystem};
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++)
        reading_known(readings[i]);
    view->cpu_count = 8;
    for (int mode = 0; mode < CPU_MODES; mode++)
        view->cpu_millis[mode] = 1000;
    view->memory_view = (struct memory_view){32ull << 30, 16ull << 30, 16ull << 30, 0, 0};
    view->root_filesystem_view = (struct filesystem_view){100ull << 30, 50ull << 30, 10000000, 9000000};
    for (int i = 0; i < PRESSURE_RESOURCES; i++)
        view->pressure_view[i] = (struct pressure_view){1, 2, 3, 4};
    view->load1 = view->load5 = view->load15 = 1.5;
    view->receive_bytes_per_second = view->transmit_bytes_per_second = 12345678;
    view->process_count = 2000;
    return stage;
}

static void free_stage(struct stage *stage)
{
    report_destroy(stage->report);
    free(stage);
}

// The next message as the coordinator would read it.
static WireReport *next(struct stage *stage)
{
    struct error error = {0};
    struct report_content content = {.view = &stage->view, .node = &stage->verdict};
    report_next(stage->report);
    uint8_t *bytes = report_encode(stage->report, &content, &stage->length, &error);
    if (!bytes)
        fail_msg("%s", error.text);
    WireReport *message = wire_report_decode(bytes, stage->length, NULL, &error);
    if (!message)
        fail_msg("%s", error.text);
    free(bytes);
    return message;
}

static size_t pods_in_next(struct stage *stage)
{
    WireReport *message = next(stage);
    size_t count = message->n_pods;
    wire_report_free(message);
    return count;
}

static void accept(struct stage *stage)
{
    report_accepted(stage->report, report_sequence(stage->report));
}

static void the_first_report_is_complete_and_the_next_tells_only_news(void **state)
{
    (void)state;
    struct stage *stage = make_stage(30);
    WireReport *first = next(stage);
    assert_true(first->pods_complete);
    assert_int_equal(first->n_pods, 30);
    assert_int_equal(first->sequence, 1);
    assert_string_equal(first->node_name, "pool-a-worker-7f9c");
    assert_int_equal(first->utilization->cpu->idle_millis, 1000);
    assert_true(first->pods[3]->has_memory_working_set_bytes);
    assert_int_equal(first->pods[3]->memory_working_set_bytes, 103 << 20);
    wire_report_free(first);
    accept(stage);
    WireReport *second = next(stage);
    assert_false(second->pods_complete);
    assert_int_equal(second->n_pods, 0);
    assert_int_equal(second->sequence, 2);
    wire_report_free(second);
    free_stage(stage);
}

static void a_report_of_thirty_pods_in_steady_state_stays_within_two_kib(void **state)
{
    (void)state;
    struct stage *stage = make_stage(30);
    wire_report_free(next(stage));
    accept(stage);
    unsigned seed = 1;
    for (int i = 0; i < 50; i++) {
        for (int p = 0; p < 30; p++) { // noise, and five pods that really change
            seed = seed * 1103515245 + 12345;
            stage->pods[p].cpu_millis = 100 + (seed >> 16) % 10 + (p < 5 ? (unsigned)i * 50 : 0);
            stage->pods[p].memory_working_set_bytes += (seed >> 8) % 1000;
        }
        wire_report_free(next(stage));
        accept(stage);
        assert_true(stage->length <= 2048);
    }
    free_stage(stage);
}

static void noise_is_no_news_and_change_is(void **state)
{
    (void)state;
    struct stage *stage = make_stage(2);
    struct pod *pod = &stage->pods[1];
    pod->cpu_millis = 1000;
    pod->memory_working_set_bytes = 1000u << 20;
    wire_report_free(next(stage));
    accept(stage);
    pod->cpu_millis = 1050; // 5 %
    pod->memory_working_set_bytes = 1050u << 20;
    pod->established_connections = 7;
    assert_int_equal(pods_in_next(stage), 0);
    pod->cpu_millis = 1051;
    assert_int_equal(pods_in_next(stage), 1);
    accept(stage);
    pod->memory_working_set_bytes = 1103u << 20; // of 1050, which went with the last one
    assert_int_equal(pods_in_next(stage), 1);
    accept(stage);
    pod->memory_working_set_bytes = 1050u << 20; // 53 MiB, less than 5 % of what is known now
    assert_int_equal(pods_in_next(stage), 0);
    free_stage(stage);
}

static void what_decides_a_rule_is_always_news(void **state)
{
    (void)state;
    struct stage *stage = make_stage(1);
    struct pod *pod = &stage->pods[0];
    pod->established_connections = 0;
    wire_report_free(next(stage));
    accept(stage);
#define IS_NEWS(change)                                                                                      \
    change;                                                                                                  \
    assert_int_equal(pods_in_next(stage), 1);                                                                \
    accept(stage);                                                                                           \
    assert_int_equal(pods_in_next(stage), 0);                                                                \
    accept(stage)
    IS_NEWS(pod->local_data_bytes = 1);
    IS_NEWS(pod->local_data_bytes = 0);
    IS_NEWS(pod->established_connections = 1);
    IS_NEWS(pod->processes_uninterruptible = 1);
    IS_NEWS(pod->local_data_at_least = true);
    IS_NEWS(pod->host_network = true);
    IS_NEWS(pod->processes = 0);
    IS_NEWS(reading_unknown(&pod->evidence[EVIDENCE_LOCAL_DATA], "permission denied"));
    IS_NEWS(reading_unknown(&pod->evidence[EVIDENCE_LOCAL_DATA], "another reason"));
#undef IS_NEWS
    free_stage(stage);
}

static void a_pod_that_vanished_is_named_until_that_is_acknowledged(void **state)
{
    (void)state;
    struct stage *stage = make_stage(3);
    wire_report_free(next(stage));
    accept(stage);
    stage->view.pod_count = 2;
    for (int i = 0; i < 2; i++) { // the first of them is lost
        WireReport *message = next(stage);
        assert_int_equal(message->n_pods_gone, 1);
        assert_string_equal(message->pods_gone[0], stage->pods[2].uid);
        wire_report_free(message);
    }
    accept(stage);
    WireReport *message = next(stage);
    assert_int_equal(message->n_pods_gone, 0);
    wire_report_free(message);
    free_stage(stage);
}

static void a_pod_that_vanished_before_anyone_heard_of_it_is_not_named(void **state)
{
    (void)state;
    struct stage *stage = make_stage(2);
    stage->view.pod_count = 1;
    wire_report_free(next(stage));
    accept(stage);
    WireReport *message = next(stage);
    assert_int_equal(message->n_pods_gone, 0);
    wire_report_free(message);
    free_stage(stage);
}

static void what_a_lost_report_told_is_told_again(void **state)
{
    (void)state;
    struct stage *stage = make_stage(2);
    wire_report_free(next(stage));
    accept(stage);
    uint32_t before = stage->pods[0].cpu_millis;
    stage->pods[0].cpu_millis = 5000;
    assert_int_equal(pods_in_next(stage), 1);
    report_lost(stage->report); // the coordinator may know 5000, or not
    stage->pods[0].cpu_millis = before;
    assert_int_equal(pods_in_next(stage), 1);
    accept(stage);
    assert_int_equal(pods_in_next(stage), 0);
    free_stage(stage);
}

static void an_acknowledgement_of_another_report_proves_nothing(void **state)
{
    (void)state;
    struct stage *stage = make_stage(2);
    wire_report_free(next(stage));
    report_accepted(stage->report, 99);
    assert_int_equal(pods_in_next(stage), 2);
    free_stage(stage);
}

static void all_of_it_goes_when_the_coordinator_knows_nothing_and_now_and_then(void **state)
{
    (void)state;
    struct stage *stage = make_stage(2);
    wire_report_free(next(stage));
    accept(stage);
    report_forget(stage->report);
    WireReport *message = next(stage);
    assert_true(message->pods_complete);
    wire_report_free(message);
    accept(stage);
    int complete = 0;
    for (int i = 0; i < 2 * (REPORT_COMPLETE_EVERY + 1); i++) {
        message = next(stage);
        complete += message->pods_complete;
        wire_report_free(message);
        accept(stage);
    }
    assert_int_equal(complete, 2);
    free_stage(stage);
}

static void a_resend_keeps_its_number_and_carries_the_credential_when_asked(void **state)
{
    (void)state;
    struct stage *stage = make_stage(1);
    wire_report_free(next(stage));
    struct report_content content = {.view = &stage->view, .node = &stage->verdict, .credential = "token"};
    uint8_t *bytes = report_encode(stage->report, &content, &stage->length, NULL);
    WireReport *message = wire_report_decode(bytes, stage->length, NULL, NULL);
    assert_int_equal(message->sequence, 1);
    assert_string_equal(message->credential, "token");
    assert_int_equal(message->n_pods, 1);
    wire_report_free(message);
    free(bytes);
    free_stage(stage);
}

static void unknown_evidence_is_absent_and_said_why(void **state)
{
    (void)state;
    struct stage *stage = make_stage(1);
    struct pod *pod = &stage->pods[0];
    for (int kind = 0; kind < EVIDENCE_KINDS; kind++)
        reading_unknown(&pod->evidence[kind], "no reason");
    reading_unknown(&stage->view.memory, "broken");
    WireReport *message = next(stage);
    assert_false(message->pods[0]->has_cpu_millis || message->pods[0]->has_memory_working_set_bytes ||
                 message->pods[0]->has_local_data_bytes || message->pods[0]->has_established_connections ||
                 message->pods[0]->has_processes || message->pods[0]->has_uninterruptible_processes);
    assert_int_equal(message->pods[0]->n_unknown, 4);
    assert_string_equal(message->pods[0]->unknown[0], "local-data: no reason");
    assert_false(message->utilization->has_memory_total_bytes);
    assert_int_equal(message->n_notes, 1);
    assert_string_equal(message->notes[0], "memory: broken");
    wire_report_free(message);
    free_stage(stage);
}

static void a_walk_that_met_its_limit_and_found_nothing_tells_no_zero(void **state)
{
    (void)state;
    struct stage *stage = make_stage(2);
    stage->pods[0].local_data_at_least = stage->pods[1].local_data_at_least = true;
    stage->pods[1].local_data_bytes = 7;
    WireReport *message = next(stage);
    assert_false(message->pods[0]->has_local_data_bytes);
    assert_int_equal(message->pods[0]->n_unknown, 1);
    assert_true(message->pods[1]->has_local_data_bytes);
    assert_int_equal(message->pods[1]->n_unknown, 1);
    wire_report_free(message);
    free_stage(stage);
}

static void a_directives_answer_names_it(void **state)
{
    (void)state;
    struct stage *stage = make_stage(1);
    struct verdict *answer = calloc(1, sizeof *answer);
    answer->state = READINESS_BLOCKED;
    answer->pods_remaining = 3;
    answer->evaluated_ms = 17;
    answer->reason_count = 1;
    answer->reasons[0] = (struct readiness_reason){.code = WIRE_REASON_LOCAL_DATA, .observed = 5, .limit = 1};
    strcpy(answer->reasons[0].pod_uid, UID_A);
    struct report_content content = {
        .view = &stage->view, .node = &stage->verdict, .directive_id = "term7-1", .directive = answer};
    report_next(stage->report);
    uint8_t *bytes = report_encode(stage->report, &content, &stage->length, NULL);
    WireReport *message = wire_report_decode(bytes, stage->length, NULL, NULL);
    assert_string_equal(message->directive_id, "term7-1");
    assert_int_equal(message->directive_readiness->state,
                     VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BLOCKED);
    assert_int_equal(message->directive_readiness->pods_remaining, 3);
    assert_string_equal(message->directive_readiness->reasons[0]->pod_uid, UID_A);
    assert_int_equal(message->readiness->state, VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_READY);
    wire_report_free(message);
    free(bytes);
    free(answer);
    free_stage(stage);
}

static void the_largest_node_still_fits_the_wire(void **state)
{
    (void)state;
    struct stage *stage = make_stage(PODS_MAX);
    for (size_t i = 0; i < PODS_MAX; i++)
        for (int kind = 0; kind < EVIDENCE_KINDS; kind++)
            reading_unknown(&stage->pods[i].evidence[kind],
                            "a reason that is long enough to make the message too "
                            "large when every pod has it four times over");
    WireReport *message = next(stage);
    assert_int_equal(message->n_pods, PODS_MAX);
    assert_int_equal(message->pods[0]->n_unknown, 4);
    assert_true(stage->length <= WIRE_MESSAGE_BYTES_MAX);
    wire_report_free(message);
    free_stage(stage);
}

static void json_has_the_fields_names_numbers_and_no_credential(void **state)
{
    (void)state;
    struct stage *stage = make_stage(1);
    struct arena *arena = arena_create(1024);
    struct text AUTOTEXT text = {0};
    struct report_content content = {
        .view = &stage->view, .node = &stage->verdict, .credential = "secret-token"};
    reading_unknown(&stage->view.load, "x");
    report_next(stage->report);
    WireReport *message = report_compose(stage->report, &content, true, false, arena);
    print_json(&message->base, &text);
    assert_non_null(strstr(text_get(&text), "\"memory_total_bytes\": 34359738368"));
    assert_non_null(strstr(text_get(&text), "\"state\": \"READINESS_READY\""));
    assert_non_null(strstr(text_get(&text), "\"pods_complete\": true"));
    assert_non_null(strstr(text_get(&text), "\"uid\": \"00000000-1111-4222-8333-444444444444\""));
    assert_non_null(strstr(text_get(&text), "\"some_avg10\": 1,"));
    assert_null(strstr(text_get(&text), "secret-token"));
    assert_null(strstr(text_get(&text), "load1\"")); // absent, not zero
    text_clear(&text);
    print_text(message, &text);
    assert_non_null(strstr(text_get(&text), "pool-a-worker-7f9c"));
    assert_null(strstr(text_get(&text), "secret-token"));
    arena_destroy(arena);
    free_stage(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_report_is_complete_and_the_next_tells_only_news),
        cmocka_unit_test(a_report_of_thirty_pods_in_steady_state_stays_within_two_kib),
        cmocka_unit_test(noise_is_no_news_and_change_is),
        cmocka_unit_test(what_decides_a_rule_is_always_news),
        cmocka_unit_test(a_pod_that_vanished_is_named_until_that_is_acknowledged),
        cmocka_unit_test(a_pod_that_vanished_before_anyone_heard_of_it_is_not_named),
        cmocka_unit_test(what_a_lost_report_told_is_told_again),
        cmocka_unit_test(an_acknowledgement_of_another_report_proves_nothing),
        cmocka_unit_test(all_of_it_goes_when_the_coordinator_knows_nothing_and_now_and_then),
        cmocka_unit_test(a_resend_keeps_its_number_and_carries_the_credential_when_asked),
        cmocka_unit_test(unknown_evidence_is_absent_and_said_why),
        cmocka_unit_test(a_walk_that_met_its_limit_and_found_nothing_tells_no_zero),
        cmocka_unit_test(a_directives_answer_names_it),
        cmocka_unit_test(the_largest_node_still_fits_the_wire),
        cmocka_unit_test(json_has_the_fields_names_numbers_and_no_credential),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// The whole agent on a tree of files, with a coordinator in the same process. Nothing here depends on how
// fast this machine is: each test waits for what must happen.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/once.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "tests/unit/agent/fake_coordinator.h"
#include "tests/unit/agent/tree.h"

#define PATIENCE_MS 30000

struct stage {
    struct tree tree;
    struct agent_settings settings;
    struct fake_coordinator coordinator;
    char address[256], token_file[128];
    struct agent *agent;
    pthread_t thread;
};

static void *run(void *context)
{
    agent_run(context);
    return NULL;
}

static struct stage *make_stage(void)
{
    struct stage *stage = calloc(1, sizeof *stage);
    tree_create(&stage->tree);
    tree_host(&stage->tree);
    tree_pod(&stage->tree, UID_A, 100);
    tree_pod(&stage->tree, UID_B, 200);
    tree_write(&stage->tree, "good-token\n", "token");
    snprintf(stage->address, sizeof stage->address, "ipc://%s/coordinator", stage->tree.root);
    snprintf(stage->token_file, sizeof stage->token_file, "%s/token", stage->tree.root);
    strcpy(stage->coordinator.url, stage->address);
    stage->coordinator.answer = FAKE_TOKEN;
    stage->settings = (struct agent_settings){.host = tree_settings(&stage->tree),
                                              .limits = {.filesystem_percent = 0},
                                              .coordinator = stage->address,
                                              .node_name = "node-1",
                                              .interval_ms = 100,
                                              .answer_timeout_ms = 500,
                                              .reconnect_max_ms = 600,
                                              .ca_file = "",
                                              .tls_server_name = "",
                                              .token_file = stage->token_file};
    return stage;
}

static void start(struct stage *stage)
{
    struct error error = {0};
    stage->agent = agent_create(&stage->settings, &error);
    if (!stage->agent)
        fail_msg("%s", error.text);
    assert_int_equal(pthread_create(&stage->thread, NULL, run, stage->agent), 0);
}

static void stop(struct stage *stage)
{
    agent_stop(stage->agent);
    pthread_join(stage->thread, NULL);
    agent_destroy(stage->agent);
    tree_destroy(&stage->tree);
    free(stage);
}

// Until the newest report is as the test wants it.
static struct fake_report until(struct stage *stage, bool (*wanted)(const struct fake_report *))
{
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    for (;;) {
        struct fake_report report = fake_last(&stage->coordinator);
        if (report.sequence > 0 && wanted(&report))
            return report;
        assert_true(clock_monotonic_ms() < end_ms);
        clock_sleep_ms(20);
    }
}

static bool any(const struct fake_report *report)
{
    return report->sequence >= 3;
}

static double samples(void)
{
    return metric_value(metrics_counter("vpsie_autoscaler_agent_samples_total", NULL, ""));
}

static void reports_flow_and_the_probes_tell(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    struct text AUTOTEXT why = {0};
    start(stage);
    assert_true(agent_healthy(stage->agent, &why));
    assert_false(agent_ready(stage->agent, &why));
    assert_non_null(strstr(text_get(&why), "no report yet"));
    fake_start(&stage->coordinator);
    until(stage, any);
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (!agent_ready(stage->agent, &why)) {
        assert_true(clock_monotonic_ms() < end_ms);
        clock_sleep_ms(20);
    }
    assert_int_equal(stage->coordinator.malformed, 0);
    fake_stop(&stage->coordinator);
    stop(stage);
}

static void a_silent_coordinator_does_not_hold_the_sampling_up(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    stage->settings.answer_timeout_ms = 300000;
    stage->coordinator.answer = FAKE_SILENCE;
    fake_start(&stage->coordinator);
    start(stage);
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (fake_count(&stage->coordinator) == 0) {
        assert_true(clock_monotonic_ms() < end_ms);
        clock_sleep_ms(20);
    }
    double before = samples();
    while (samples() < before + 10) {
        assert_true(clock_monotonic_ms() < end_ms);
        clock_sleep_ms(20);
    }
    assert_int_equal(fake_count(&stage->coordinator), 1);
    fake_stop(&stage->coordinator);
    stop(stage);
}

static void set_drain(struct stage *stage, const char *id, const char *uid)
{
    pthread_mutex_lock(&stage->coordinator.lock);
    strcpy(stage->coordinator.drain_id, id);
    strcpy(stage->coordinator.drain_uid, uid);
    stage->coordinator.drain_deadline_ms = clock_wall_ms() + 600000;
    pthread_mutex_unlock(&stage->coordinator.lock);
}

static bool ready_for_first(const struct fake_report *report)
{
    return strcmp(report->directive_id, "first") == 0 &&
           report->directive_state == VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_READY &&
           report->pods_remaining == 1;
}

static bool blocked_for_first(const struct fake_report *report)
{
    return strcmp(report->directive_id, "first") == 0 &&
           report->directive_state == VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_BLOCKED;
}

static bool drained_for_first(const struct fake_report *report)
{
    return strcmp(report->directive_id, "first") == 0 &&
           report->directive_state == VPSIE__AUTOSCALER__V1__READINESS_STATE__READINESS_READY &&
           report->pods_remaining == 0;
}

static bool names_second(const struct fake_report *report)
{
    return strcmp(report->directive_id, "second") == 0;
}

static bool names_none(const struct fake_report *report)
{
    return report->directive_id[0] == '\0';
}

static void a_drain_is_prepared_watched_and_forgotten(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    tree_data(&stage->tree, UID_B, "v", "file", 10); // of a pod that is not asked about
    fake_start(&stage->coordinator);
    start(stage);
    set_drain(stage, "first", UID_A);
    until(stage, ready_for_first);
    tree_data(&stage->tree, UID_A, "v", "file", 10);
    until(stage, blocked_for_first);
    tree_remove(&stage->tree, "%s", tree_cgroup(UID_A));
    tree_remove(&stage->tree, "proc/100");
    tree_remove(&stage->tree, "rootfs/var/lib/kubelet/pods/%s", UID_A);
    until(stage, drained_for_first);
    set_drain(stage, "second", UID_B);
    until(stage, names_second);
    pthread_mutex_lock(&stage->coordinator.lock);
    stage->coordinator.drain_id[0] = '\0';
    strcpy(stage->coordinator.cancel_id, "second");
    pthread_mutex_unlock(&stage->coordinator.lock);
    until(stage, names_none);
    assert_int_equal(stage->coordinator.malformed, 0);
    fake_stop(&stage->coordinator);
    stop(stage);
}

static bool complete_with_token(const struct fake_report *report)
{
    return report->complete && report->has_credential;
}

static void a_coordinator_that_comes_back_hears_everything_again(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    fake_start(&stage->coordinator);
    start(stage);
    until(stage, any);
    fake_stop(&stage->coordinator);
    size_t before = stage->coordinator.report_count;
    double sampled = samples();
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (samples() < sampled + 3) {
        assert_true(clock_monotonic_ms() < end_ms);
        clock_sleep_ms(20);
    }
    fake_start(&stage->coordinator);
    while (fake_count(&stage->coordinator) == before) {
        assert_true(clock_monotonic_ms() < end_ms);
        clock_sleep_ms(20);
    }
    struct fake_report first = fake_at(&stage->coordinator, before);
    assert_true(complete_with_token(&first));
    fake_stop(&stage->coordinator);
    stop(stage);
}

static void one_report_is_printed_with_real_rates(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    char *text = NULL;
    size_t length = 0;
    struct error error;
    stage->settings.json = true;
    FILE *out = open_memstream(&text, &length);
    int before = open_descriptors();
    assert_int_equal(once_print(&stage->settings, out, &error), 0);
    assert_int_equal(open_descriptors(), before);
    fclose(out);
    assert_non_null(strstr(text, "\"cpu_millis\": 0"));
    assert_non_null(strstr(text, "\"uid\": \"" UID_A "\""));
    assert_non_null(strstr(text, "\"boot_id\": \"5f3b1a52-0000-4000-8000-000000000000\""));
    assert_non_null(strstr(text, "\"memory_working_set_bytes\": 1500"));
    free(text);
    tree_destroy(&stage->tree);
    free(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_flow_and_the_probes_tell),
        cmocka_unit_test(a_silent_coordinator_does_not_hold_the_sampling_up),
        cmocka_unit_test(a_drain_is_prepared_watched_and_forgotten),
        cmocka_unit_test(a_coordinator_that_comes_back_hears_everything_again),
        cmocka_unit_test(one_report_is_printed_with_real_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

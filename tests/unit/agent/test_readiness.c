#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/readiness.h"
#include "tests/unit/agent/tree.h"

// A node on which all is known and quiet, with three pods; each test changes one thing.
struct stage {
    struct host_view view;
    struct pod pods[3];
    struct readiness_limits limits;
    struct verdict verdict;
};

static void make_pod(struct pod *pod, const char *uid)
{
    *pod = (struct pod){.has_cgroup = true, .has_directory = true, .processes = 2};
    strcpy(pod->uid, uid);
    for (int kind = 0; kind < EVIDENCE_KINDS; kind++)
        reading_known(&pod->evidence[kind]);
}

static struct stage *make_stage(void)
{
    static struct stage stage;
    stage = (struct stage){.limits = {.pressure_percent = {90, 20, 60}, .filesystem_percent = 95}};
    make_pod(&stage.pods[0], UID_A);
    make_pod(&stage.pods[1], UID_B);
    make_pod(&stage.pods[2], UID_C);
    struct host_view *view = &stage.view;
    view->pod = stage.pods;
    view->pod_count = 3;
    view->sampled_ms = 12345;
    reading_known(&view->pods);
    reading_known(&view->directories);
    reading_known(&view->inhibitors);
    reading_known(&view->root_filesystem);
    view->root_filesystem_view = (struct filesystem_view){1000, 500, 1000, 500};
    for (int i = 0; i < PRESSURE_RESOURCES; i++)
        reading_known(&view->pressure[i]);
    return &stage;
}

static const struct verdict *node(struct stage *stage)
{
    readiness_of_node(&stage->view, &stage->limits, READINESS_REASONS_MAX, &stage->verdict);
    return &stage->verdict;
}

static const struct verdict *ask(struct stage *stage, struct readiness_question question)
{
    readiness_of_pods(&stage->view, &stage->limits, &question, &stage->verdict);
    return &stage->verdict;
}

static const char *const only_a[] = {UID_A};
static const struct readiness_question about_a = {.uids = only_a, .uid_count = 1};

static void expect(const struct verdict *verdict, enum readiness_state state, const char *code,
                   const char *uid, const char *subject)
{
    assert_int_equal(verdict->state, state);
    if (!code) {
        assert_int_equal(verdict->reason_count, 0);
        return;
    }
    assert_true(verdict->reason_count > 0);
    assert_int_equal(verdict->reasons[0].state, state);
    assert_string_equal(verdict->reasons[0].code, code);
    assert_string_equal(verdict->reasons[0].pod_uid, uid);
    assert_string_equal(verdict->reasons[0].subject, subject);
    assert_true(verdict->reasons[0].detail[0] != '\0');
}

static void hold(struct pod *pod, const char *volume, uint64_t bytes)
{
    struct pod_volume *one = &pod->volumes[pod->volume_count++];
    *one = (struct pod_volume){.bytes = bytes};
    strcpy(one->name, volume);
    pod->local_data_bytes += bytes;
}

static void add_inhibitor(struct stage *stage, const char *name, int64_t expires_ms)
{
    struct inhibitor *one = &stage->view.inhibitor[stage->view.inhibitor_count++];
    *one = (struct inhibitor){.expires_ms = expires_ms};
    strcpy(one->name, name);
    strcpy(one->reason, "backup");
}

static void a_quiet_node_is_ready(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    expect(node(stage), READINESS_READY, NULL, NULL, NULL);
    assert_int_equal(stage->verdict.evaluated_ms, 12345);
    expect(ask(stage, about_a), READINESS_READY, NULL, NULL, NULL);
    assert_int_equal(stage->verdict.pods_remaining, 1);
}

static void held_local_data_blocks_and_names_the_largest_volume(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    hold(&stage->pods[0], "big", 1000);
    hold(&stage->pods[0], "small", 10);
    expect(node(stage), READINESS_BLOCKED, "local-data", UID_A, "big");
    assert_float_equal(stage->verdict.reasons[0].observed, 1010, 0);
    stage->limits.local_data_slack_bytes = 1010;
    expect(node(stage), READINESS_READY, NULL, NULL, NULL);
}

static void data_in_memory_blocks_nothing(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    hold(&stage->pods[0], "memory", 1000);
    stage->pods[0].volumes[0].memory = true;
    stage->pods[0].local_data_bytes = 0;
    expect(node(stage), READINESS_READY, NULL, NULL, NULL);
}

static void volumes_too_large_to_look_through_block_even_when_nothing_was_found(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    stage->pods[0].local_data_at_least = true;
    expect(node(stage), READINESS_BLOCKED, "local-data", UID_A, "");
    assert_non_null(strstr(stage->verdict.reasons[0].detail, "at least"));
}

static void data_of_a_pod_whose_cgroup_is_gone_is_only_waited_for(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    hold(&stage->pods[0], "v", 1000);
    stage->pods[0].has_cgroup = false;
    reading_unknown(&stage->pods[0].evidence[EVIDENCE_PROCESSES], "no cgroup");
    expect(node(stage), READINESS_BUSY, "local-data", UID_A, "v");
    assert_int_equal(ask(stage, about_a)->pods_remaining, 1);
    reading_unknown(&stage->view.pods, "cgroup v1"); // then nobody knows whether it is gone
    expect(node(stage), READINESS_BLOCKED, "local-data", UID_A, "v");
}

static void evidence_that_a_rule_needs_and_nobody_could_read_makes_it_unknown(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    reading_unknown(&stage->pods[1].evidence[EVIDENCE_LOCAL_DATA], "permission denied");
    expect(node(stage), READINESS_UNKNOWN, "unreadable", UID_B, "local-data");
    stage = make_stage();
    reading_unknown(&stage->pods[1].evidence[EVIDENCE_PROCESSES], "x");
    expect(node(stage), READINESS_UNKNOWN, "unreadable", UID_B, "processes");
    stage = make_stage();
    reading_unknown(&stage->view.pods, "cgroup v1");
    expect(node(stage), READINESS_UNKNOWN, "unreadable", "", "pods");
    stage = make_stage();
    reading_unknown(&stage->view.directories, "x");
    expect(node(stage), READINESS_UNKNOWN, "unreadable", "", "pod directories");
    stage = make_stage();
    reading_unknown(&stage->view.inhibitors, "x");
    expect(node(stage), READINESS_UNKNOWN, "unreadable", "", "inhibitors");
    stage = make_stage();
    reading_unknown(&stage->view.pressure[PRESSURE_MEMORY], "x");
    expect(node(stage), READINESS_UNKNOWN, "unreadable", "", "memory");
    stage = make_stage();
    reading_unknown(&stage->view.root_filesystem, "x");
    expect(node(stage), READINESS_UNKNOWN, "unreadable", "", "root");
    stage = make_stage();
    stage->view.image_filesystem_separate = true;
    reading_unknown(&stage->view.image_filesystem, "x");
    expect(node(stage), READINESS_UNKNOWN, "unreadable", "", "images");
}

// As an agent without privilege sees a node: what the coordinator counts such nodes by comes before the pods.
static void directories_that_may_not_be_listed_are_the_first_reason(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    reading_unknown(&stage->view.directories, "Permission denied");
    reading_unknown(&stage->pods[0].evidence[EVIDENCE_LOCAL_DATA], "Permission denied");
    reading_unknown(&stage->pods[1].evidence[EVIDENCE_LOCAL_DATA], "Permission denied");
    expect(node(stage), READINESS_UNKNOWN, "unreadable", "", "pod directories");
    assert_int_equal(stage->verdict.reason_count, 3);
    expect(ask(stage, about_a), READINESS_UNKNOWN, "unreadable", "", "pod directories");
}

static void evidence_that_no_rule_needs_may_be_unknown(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    reading_unknown(&stage->pods[0].evidence[EVIDENCE_CPU], "x");
    reading_unknown(&stage->pods[0].evidence[EVIDENCE_MEMORY], "x");
    reading_unknown(&stage->pods[0].evidence[EVIDENCE_CONNECTIONS], "x"); // no limit is set
    reading_unknown(&stage->view.cpu, "x");
    expect(node(stage), READINESS_READY, NULL, NULL, NULL);
    stage->limits = (struct readiness_limits){0}; // all switched off
    for (int i = 0; i < PRESSURE_RESOURCES; i++)
        reading_unknown(&stage->view.pressure[i], "x");
    reading_unknown(&stage->view.root_filesystem, "x");
    expect(node(stage), READINESS_READY, NULL, NULL, NULL);
    stage->limits.connections = 1;
    expect(node(stage), READINESS_UNKNOWN, "unreadable", UID_A, "connections");
}

static void an_inhibitor_blocks_and_one_that_expires_is_waited_for(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    add_inhibitor(stage, "later", 1700000000000);
    expect(node(stage), READINESS_BUSY, "inhibitor", "", "later");
    assert_non_null(strstr(stage->verdict.reasons[0].detail, "until 2023-11-14T22:13:20Z"));
    add_inhibitor(stage, "ever", 0);
    expect(node(stage), READINESS_BLOCKED, "inhibitor", "", "ever");
    assert_int_equal(stage->verdict.reason_count, 2);
    expect(ask(stage, about_a), READINESS_BLOCKED, "inhibitor", "", "ever");
}

static void pressure_above_its_limit_is_busy(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    stage->view.pressure_view[PRESSURE_CPU] = (struct pressure_view){.some_avg10 = 90, .full_avg10 = 99};
    stage->view.pressure_view[PRESSURE_MEMORY] = (struct pressure_view){.some_avg10 = 99, .full_avg10 = 20};
    expect(node(stage), READINESS_READY, NULL, NULL, NULL); // at the limit, and the other kinds do not count
    stage->view.pressure_view[PRESSURE_MEMORY].full_avg10 = 20.5;
    expect(node(stage), READINESS_BUSY, "pressure", "", "memory");
    assert_float_equal(stage->verdict.reasons[0].limit, 20, 0);
    stage->limits.pressure_percent[PRESSURE_MEMORY] = 0;
    expect(node(stage), READINESS_READY, NULL, NULL, NULL);
}

static void a_filesystem_nearly_full_is_busy(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    stage->view.root_filesystem_view.available_bytes = 40;
    expect(node(stage), READINESS_BUSY, "filesystem", "", "root");
    stage = make_stage();
    reading_known(&stage->view.image_filesystem);
    stage->view.image_filesystem_view = (struct filesystem_view){1000, 900, 1000, 10};
    expect(node(stage), READINESS_READY, NULL, NULL, NULL); // not separate: not there
    stage->view.image_filesystem_separate = true;
    expect(node(stage), READINESS_BUSY, "filesystem", "", "images");
}

static void connections_above_their_limit_are_busy_except_the_hosts(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    stage->pods[2].established_connections = 11;
    expect(node(stage), READINESS_READY, NULL, NULL, NULL);
    stage->limits.connections = 10;
    expect(node(stage), READINESS_BUSY, "connections", UID_C, "");
    stage->pods[2].host_network = true;
    expect(node(stage), READINESS_READY, NULL, NULL, NULL);
}

static void a_process_in_uninterruptible_sleep_is_busy(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    stage->pods[0].processes_uninterruptible = 1;
    expect(node(stage), READINESS_BUSY, "uninterruptible", UID_A, "");
}

static void the_worst_state_wins_and_its_reasons_come_first(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    stage->pods[0].processes_uninterruptible = 1;
    expect(node(stage), READINESS_BUSY, "uninterruptible", UID_A, "");
    reading_unknown(&stage->pods[1].evidence[EVIDENCE_LOCAL_DATA], "x");
    expect(node(stage), READINESS_UNKNOWN, "unreadable", UID_B, "local-data");
    hold(&stage->pods[2], "v", 1);
    expect(node(stage), READINESS_BLOCKED, "local-data", UID_C, "v");
    assert_int_equal(stage->verdict.reason_count, 3);
    readiness_of_node(&stage->view, &stage->limits, 1, &stage->verdict);
    expect(&stage->verdict, READINESS_BLOCKED, "local-data", UID_C, "v");
    assert_int_equal(stage->verdict.reasons_omitted, 2);
}

static void only_the_named_pods_count_for_a_directive(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    hold(&stage->pods[1], "v", 1);
    reading_unknown(&stage->pods[2].evidence[EVIDENCE_LOCAL_DATA], "x");
    expect(ask(stage, about_a), READINESS_READY, NULL, NULL, NULL);
    const char *const both[] = {UID_A, UID_B};
    expect(ask(stage, (struct readiness_question){.uids = both, .uid_count = 2}), READINESS_BLOCKED,
           "local-data", UID_B, "v");
}

static void data_that_may_be_lost_is_ignored_pod_by_pod_and_volume_by_volume(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    hold(&stage->pods[0], "cache", 100);
    hold(&stage->pods[0], "queue", 10);
    struct readiness_question question = about_a;
    const char *const cache[] = {UID_A "/cache"}, *const both[] = {UID_A "/cache", UID_A "/queue"};
    const char *const of_another[] = {UID_B "/cache", UID_B "/queue"};
    question.ignore_volumes = cache;
    question.ignore_volume_count = 1;
    expect(ask(stage, question), READINESS_BLOCKED, "local-data", UID_A, "queue");
    assert_float_equal(stage->verdict.reasons[0].observed, 10, 0);
    question.ignore_volumes = both;
    question.ignore_volume_count = 2;
    expect(ask(stage, question), READINESS_READY, NULL, NULL, NULL);
    question.ignore_volumes = of_another;
    expect(ask(stage, question), READINESS_BLOCKED, "local-data", UID_A, "cache");
    question.ignore_volume_count = 0;
    question.ignore_uids = only_a;
    question.ignore_uid_count = 1;
    expect(ask(stage, question), READINESS_READY, NULL, NULL, NULL);
    reading_unknown(&stage->pods[0].evidence[EVIDENCE_LOCAL_DATA], "x"); // may be lost, whatever it is
    expect(ask(stage, question), READINESS_READY, NULL, NULL, NULL);
}

static void a_pod_with_neither_cgroup_nor_directory_is_gone(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    const char *const named[] = {UID_A, "99999999-0000-4000-8000-000000000000"};
    const struct readiness_question question = {.uids = named, .uid_count = 2};
    expect(ask(stage, question), READINESS_READY, NULL, NULL, NULL);
    assert_int_equal(stage->verdict.pods_remaining, 1);
    stage->view.pod = &stage->pods[1];
    stage->view.pod_count = 2;
    expect(ask(stage, question), READINESS_READY, NULL, NULL, NULL);
    assert_int_equal(stage->verdict.pods_remaining, 0);
    // What cannot be seen is not gone.
    reading_unknown(&stage->view.pods, "x");
    assert_int_equal(ask(stage, question)->state, READINESS_UNKNOWN);
    assert_int_equal(stage->verdict.pods_remaining, 2);
}

static void a_pod_that_vanishes_while_it_is_looked_at_is_gone_and_not_unreadable(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    struct pod *pod = &stage->pods[0];
    pod->has_cgroup = pod->has_directory = false;
    for (int kind = 0; kind < EVIDENCE_KINDS; kind++)
        reading_unknown(&pod->evidence[kind], "no such file");
    expect(ask(stage, about_a), READINESS_READY, NULL, NULL, NULL);
    assert_int_equal(stage->verdict.pods_remaining, 0);
    assert_int_equal(node(stage)->state, READINESS_READY);
    assert_int_equal(stage->verdict.pods_remaining, 2);
    reading_unknown(&stage->view.directories, "x"); // then it may be there
    assert_int_equal(ask(stage, about_a)->state, READINESS_UNKNOWN);
    assert_int_equal(stage->verdict.pods_remaining, 1);
}

static void a_directory_left_behind_empty_does_not_remain(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    stage->pods[0].has_cgroup = false;
    reading_unknown(&stage->pods[0].evidence[EVIDENCE_PROCESSES], "no cgroup");
    expect(ask(stage, about_a), READINESS_READY, NULL, NULL, NULL);
    assert_int_equal(stage->verdict.pods_remaining, 0);
    reading_unknown(&stage->pods[0].evidence[EVIDENCE_LOCAL_DATA], "x");
    expect(ask(stage, about_a), READINESS_UNKNOWN, "unreadable", UID_A, "local-data");
    assert_int_equal(stage->verdict.pods_remaining, 1);
}

static void a_pod_half_made_or_half_removed_is_waited_for(void **state)
{
    (void)state;
    struct stage *stage = make_stage();
    stage->pods[0].has_directory = false;
    reading_unknown(&stage->pods[0].evidence[EVIDENCE_LOCAL_DATA], "no directory of this pod");
    expect(ask(stage, about_a), READINESS_UNKNOWN, "unreadable", UID_A, "local-data"); // it has processes
    stage->pods[0].processes = 0;
    expect(ask(stage, about_a), READINESS_BUSY, "local-data", UID_A, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_node_is_ready),
        cmocka_unit_test(held_local_data_blocks_and_names_the_largest_volume),
        cmocka_unit_test(data_in_memory_blocks_nothing),
        cmocka_unit_test(volumes_too_large_to_look_through_block_even_when_nothing_was_found),
        cmocka_unit_test(data_of_a_pod_whose_cgroup_is_gone_is_only_waited_for),
        cmocka_unit_test(evidence_that_a_rule_needs_and_nobody_could_read_makes_it_unknown),
        cmocka_unit_test(directories_that_may_not_be_listed_are_the_first_reason),
        cmocka_unit_test(evidence_that_no_rule_needs_may_be_unknown),
        cmocka_unit_test(an_inhibitor_blocks_and_one_that_expires_is_waited_for),
        cmocka_unit_test(pressure_above_its_limit_is_busy),
        cmocka_unit_test(a_filesystem_nearly_full_is_busy),
        cmocka_unit_test(connections_above_their_limit_are_busy_except_the_hosts),
        cmocka_unit_test(a_process_in_uninterruptible_sleep_is_busy),
        cmocka_unit_test(the_worst_state_wins_and_its_reasons_come_first),
        cmocka_unit_test(only_the_named_pods_count_for_a_directive),
        cmocka_unit_test(data_that_may_be_lost_is_ignored_pod_by_pod_and_volume_by_volume),
        cmocka_unit_test(a_pod_with_neither_cgroup_nor_directory_is_gone),
        cmocka_unit_test(a_pod_that_vanishes_while_it_is_looked_at_is_gone_and_not_unreadable),
        cmocka_unit_test(a_directory_left_behind_empty_does_not_remain),
        cmocka_unit_test(a_pod_half_made_or_half_removed_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/host/host.h"
#include "tests/unit/agent/tree.h"

static void sample_at(struct host *host, int64_t ms)
{
    struct host_request request = {.wall_ms = 1700000000000 + ms, .monotonic_ms = ms};
    host_sample(host, &request);
}

static void a_whole_host_is_read(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    tree_pod(&tree, UID_A, 100);
    tree_data(&tree, UID_A, "v", "file", 10);
    struct host_settings settings = tree_settings(&tree);
    struct host *host = host_create(&settings);
    sample_at(host, 1000);
    tree_cpu(&tree, 1100, 1300);
    tree_pod_usage(&tree, UID_A, 501000, 2000, 500);
    sample_at(host, 2000);
    const struct host_view *view = host_view(host);
    assert_true(view->cpu.known && view->cpu_rates.known && view->memory.known && view->load.known);
    assert_true(view->network.known && view->processes.known && view->blocked.known && view->pods.known);
    assert_true(view->directories.known && view->inhibitors.known && view->root_filesystem.known);
    assert_int_equal(view->cpu_count, 2);
    assert_int_equal(view->cpu_millis[CPU_USER], 500);
    assert_int_equal(view->cpu_millis[CPU_IDLE], 1500);
    assert_int_equal(view->processes_uninterruptible, 3);
    assert_int_equal(view->process_count, 2);
    assert_float_equal(view->pressure_view[PRESSURE_IO].full_avg60, 0.75, 1e-9);
    assert_int_equal(view->sample_end_ms - view->sample_begin_ms, 1000);
    assert_int_equal(view->pod_count, 1);
    const struct pod *pod = view_find_pod(view, UID_A);
    assert_non_null(pod);
    for (int kind = 0; kind < EVIDENCE_KINDS; kind++)
        assert_true(pod->evidence[kind].known);
    assert_int_equal(pod->cpu_millis, 500);
    assert_int_equal(pod->memory_working_set_bytes, 1500);
    assert_int_equal(pod->local_data_bytes, 10);
    assert_int_equal(pod->processes, 1);
    host_destroy(host);
    tree_destroy(&tree);
}

static void rates_need_two_samples_and_a_window(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    tree_pod(&tree, UID_A, 100);
    struct host_settings settings = tree_settings(&tree);
    struct host *host = host_create(&settings);
    sample_at(host, 1000);
    const struct host_view *view = host_view(host);
    assert_false(view->cpu_rates.known);
    assert_false(view->network.known);
    assert_false(view->pod[0].evidence[EVIDENCE_CPU].known);
    assert_true(view->pod[0].evidence[EVIDENCE_MEMORY].known);
    tree_cpu(&tree, 1100, 1100);
    sample_at(host, 2000);
    assert_int_equal(view->cpu_millis[CPU_USER], 1000);
    tree_cpu(&tree, 1900, 1100);
    sample_at(host, 2000 + HOST_WINDOW_MS_MIN - 1); // too soon: the rates stay, and so does their window
    assert_int_equal(view->cpu_millis[CPU_USER], 1000);
    assert_int_equal(view->sample_end_ms, 1700000002000);
    sample_at(host, 2000 + HOST_WINDOW_MS_MIN);
    assert_int_equal(view->cpu_millis[CPU_USER], 2000);
    host_destroy(host);
    tree_destroy(&tree);
}

static void pods_appear_vanish_and_begin_anew(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    tree_pod(&tree, UID_B, 200);
    struct host_settings settings = tree_settings(&tree);
    struct host *host = host_create(&settings);
    const struct host_view *view = host_view(host);
    sample_at(host, 1000);
    assert_int_equal(view->pod_count, 1);
    tree_pod(&tree, UID_A, 100);
    tree_pod_usage(&tree, UID_B, 1000 + 1000000, 2000, 0);
    sample_at(host, 2000);
    assert_int_equal(view->pod_count, 2);
    assert_string_equal(view->pod[0].uid, UID_A); // in order
    assert_int_equal(view->pod[1].cpu_millis, 1000);
    assert_false(view->pod[0].evidence[EVIDENCE_CPU].known);
    tree_pod_usage(&tree, UID_B, 10, 2000, 0); // its cgroup was made anew
    tree_remove(&tree, "%s", tree_cgroup(UID_A));
    sample_at(host, 3000);
    assert_int_equal(view->pod_count, 2);
    assert_false(view->pod[0].has_cgroup);
    assert_true(view->pod[0].has_directory);
    assert_false(view->pod[0].evidence[EVIDENCE_PROCESSES].known);
    assert_false(view->pod[1].evidence[EVIDENCE_CPU].known);
    tree_remove(&tree, "rootfs/var/lib/kubelet/pods/%s", UID_A);
    sample_at(host, 4000);
    assert_int_equal(view->pod_count, 1);
    assert_null(view_find_pod(view, UID_A));
    host_destroy(host);
    tree_destroy(&tree);
}

static void a_process_that_ends_while_its_pod_is_looked_at_hides_no_connection(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    tree_pod(&tree, UID_A, 100);
    tree_write(&tree, "100\n101\n", "%s/cri-containerd-0a1b.scope/cgroup.procs", tree_cgroup(UID_A));
    tree_process(&tree, 101, 'S', "net:[40265100]");
    tree_write(&tree, "  sl  local_address rem_address   st\n   0: 0A00020F:1F90 0B00020F:0050 01 00\n",
               "proc/101/net/tcp");
    tree_remove(&tree, "proc/100/net"); // its namespace has gone before it
    struct host_settings settings = tree_settings(&tree);
    struct host *host = host_create(&settings);
    const struct host_view *view = host_view(host);
    sample_at(host, 1000);
    assert_true(view->pod[0].evidence[EVIDENCE_CONNECTIONS].known);
    assert_int_equal(view->pod[0].established_connections, 1);
    tree_remove(&tree, "proc/101/net");
    sample_at(host, 2000);
    assert_false(view->pod[0].evidence[EVIDENCE_CONNECTIONS].known); // nobody could tell
    host_destroy(host);
    tree_destroy(&tree);
}

static void an_empty_host_is_unknown_in_every_part_with_a_reason(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    struct host_settings settings = tree_settings(&tree);
    struct host *host = host_create(&settings);
    const struct host_view *view = host_view(host);
    sample_at(host, 1000);
    sample_at(host, 2000);
    const struct reading *readings[] = {&view->cpu,         &view->cpu_rates, &view->memory,
                                        &view->pressure[0], &view->load,      &view->network,
                                        &view->blocked,     &view->pods,      &view->directories};
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        assert_false(readings[i]->known);
        assert_true(readings[i]->why[0] != '\0');
    }
    host_destroy(host);
    settings.procfs = settings.sysfs = settings.rootfs = "/nonexistent";
    host = host_create(&settings);
    view = host_view(host);
    sample_at(host, 1000);
    assert_false(view->cpu.known || view->pods.known || view->directories.known || view->inhibitors.known ||
                 view->root_filesystem.known || view->processes.known);
    assert_non_null(strstr(view->pods.why, "/nonexistent"));
    host_destroy(host);
    tree_destroy(&tree);
}

static void a_cgroup_v1_host_says_so_and_its_pods_are_unknown(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    tree_remove(&tree, "sys/fs/cgroup/cgroup.controllers");
    tree_mkdir(&tree, "sys/fs/cgroup/memory/kubepods/burstable/pod" UID_A);
    tree_data(&tree, UID_A, "v", "file", 10);
    struct host_settings settings = tree_settings(&tree);
    struct host *host = host_create(&settings);
    const struct host_view *view = host_view(host);
    sample_at(host, 1000);
    assert_false(view->pods.known);
    assert_non_null(strstr(view->pods.why, "cgroup v1"));
    assert_int_equal(view->pod_count, 1); // by its directory
    assert_true(view->pod[0].evidence[EVIDENCE_LOCAL_DATA].known);
    assert_false(view->pod[0].evidence[EVIDENCE_MEMORY].known);
    assert_non_null(strstr(view->pod[0].evidence[EVIDENCE_MEMORY].why, "cgroup v2"));
    host_destroy(host);
    tree_destroy(&tree);
}

static void a_kubelet_that_starts_later_is_found(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    tree_remove(&tree, "sys/fs/cgroup/kubepods.slice");
    struct host_settings settings = tree_settings(&tree);
    struct host *host = host_create(&settings);
    const struct host_view *view = host_view(host);
    sample_at(host, 1000);
    assert_false(view->pods.known);
    tree_pod(&tree, UID_A, 100);
    sample_at(host, 2000);
    assert_true(view->pods.known);
    assert_int_equal(view->pod_count, 1);
    // Another cgroup root takes its place.
    tree_remove(&tree, "sys/fs/cgroup/kubepods.slice");
    tree_mkdir(&tree, "sys/fs/cgroup/kubelet/kubepods/pod" UID_B);
    sample_at(host, 3000);
    assert_true(view->pods.known);
    assert_true(view_find_pod(view, UID_B)->has_cgroup);
    host_destroy(host);
    tree_destroy(&tree);
}

static void interfaces_that_change_make_no_rate(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    struct host_settings settings = tree_settings(&tree);
    struct host *host = host_create(&settings);
    const struct host_view *view = host_view(host);
    sample_at(host, 1000);
    tree_write(&tree, "h\nh\neth0: 5000 0 0 0 0 0 0 0 4000 0\n", "proc/1/net/dev");
    sample_at(host, 3000);
    assert_int_equal(view->receive_bytes_per_second, 2000);
    assert_int_equal(view->transmit_bytes_per_second, 1000);
    tree_mkdir(&tree, "sys/class/net/eth1/device");
    tree_write(&tree, "h\nh\neth0: 5000 0 0 0 0 0 0 0 4000 0\neth1: 900000 0 0 0 0 0 0 0 4000 0\n",
               "proc/1/net/dev");
    sample_at(host, 5000);
    assert_false(view->network.known);
    host_destroy(host);
    tree_destroy(&tree);
}

static void no_descriptor_and_no_memory_stay_behind(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    for (int i = 0; i < 20; i++) {
        char uid[40];
        snprintf(uid, sizeof uid, "%08x-0000-4000-8000-000000000000", i);
        tree_pod(&tree, uid, 100 + i);
        tree_data(&tree, uid, "v", "a/b/file", 10);
    }
    tree_write(&tree, "", "rootfs/run/vpsie-agent/inhibit.d/one");
    struct host_settings settings = tree_settings(&tree);
    struct host *host = host_create(&settings);
    int before = open_descriptors();
    for (int i = 1; i < 20; i++)
        sample_at(host, i * 1000);
    assert_int_equal(open_descriptors(), before);
    tree_remove(&tree, "rootfs");
    tree_remove(&tree, "proc/100");
    for (int i = 20; i < 30; i++)
        sample_at(host, i * 1000);
    assert_int_equal(open_descriptors(), before);
    host_destroy(host);
    tree_destroy(&tree);
}

static void pods_nobody_asked_about_are_looked_into_in_turn(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    tree_pod(&tree, UID_A, 100);
    tree_pod(&tree, UID_B, 200);
    tree_pod(&tree, UID_C, 300);
    struct host_settings settings = tree_settings(&tree);
    settings.inspection_cpu_percent = 0;
    struct host *host = host_create(&settings);
    sample_at(host, 1000);
    assert_int_equal(host_inspections(host), 3); // at first sight
    for (int i = 2; i <= 4; i++)
        sample_at(host, i * 1000);
    assert_int_equal(host_inspections(host), 6); // one a sample
    const struct host_view *view = host_view(host);
    for (size_t i = 0; i < view->pod_count; i++)
        assert_true(view->pod[i].inspected_ms > 1000); // each had its turn
    host_destroy(host);
    tree_destroy(&tree);
}

static void pods_that_are_asked_about_are_looked_into_now(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    tree_pod(&tree, UID_A, 100);
    tree_pod(&tree, UID_B, 200);
    tree_pod(&tree, UID_C, 300);
    struct host_settings settings = tree_settings(&tree);
    settings.inspection_cpu_percent = 0;
    struct host *host = host_create(&settings);
    sample_at(host, 1000);
    tree_data(&tree, UID_B, "v", "file", 10);
    tree_data(&tree, UID_C, "v", "file", 10);
    const char *const uids[] = {UID_B, UID_C, "99999999-0000-4000-8000-000000000000"};
    struct host_request request = {.wall_ms = 2000, .monotonic_ms = 2000, .uids = uids, .uid_count = 3};
    host_sample(host, &request);
    const struct host_view *view = host_view(host);
    assert_int_equal(view_find_pod(view, UID_B)->local_data_bytes, 10);
    assert_int_equal(view_find_pod(view, UID_C)->local_data_bytes, 10);
    host_destroy(host);
    tree_destroy(&tree);
}

struct churn {
    struct tree *tree;
    atomic_bool stop;
};

static void *churn_pods(void *context)
{
    struct churn *churn = context;
    for (int i = 0; !atomic_load(&churn->stop); i++) {
        char uid[40];
        snprintf(uid, sizeof uid, "%08x-0000-4000-8000-000000000000", i % 8);
        // Never tree_cgroup() here: its buffer is the other thread's too.
        tree_write(churn->tree, "usage_usec 5\n", "sys/fs/cgroup/kubepods/pod%s/cpu.stat", uid);
        tree_write(churn->tree, "1\n", "sys/fs/cgroup/kubepods/pod%s/c/cgroup.procs", uid);
        tree_write(churn->tree, "data",
                   "rootfs/var/lib/kubelet/pods/%s/volumes/kubernetes.io~empty-dir/v/d/f", uid);
        snprintf(uid, sizeof uid, "%08x-0000-4000-8000-000000000000", (i + 4) % 8);
        tree_remove(churn->tree, "sys/fs/cgroup/kubepods/pod%s", uid);
        tree_remove(churn->tree, "rootfs/var/lib/kubelet/pods/%s", uid);
    }
    return NULL;
}

static void pods_that_come_and_go_meanwhile_never_fail_a_sample(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    tree_mkdir(&tree, "sys/fs/cgroup/kubepods");
    struct churn churn = {.tree = &tree};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, churn_pods, &churn), 0);
    struct host_settings settings = tree_settings(&tree);
    struct host *host = host_create(&settings);
    int unseen = 0;
    for (int i = 1; i <= 300; i++) {
        sample_at(host, i * 1000);
        const struct host_view *view = host_view(host);
        unseen += view->pods.known ? 0 : 1;
        for (size_t p = 0; p + 1 < view->pod_count; p++)
            assert_true(strcmp(view->pod[p].uid, view->pod[p + 1].uid) < 0);
    }
    atomic_store(&churn.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(unseen, 0);
    host_destroy(host);
    tree_destroy(&tree);
}

static void more_pods_than_the_limit_are_said_to_be_more(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    tree_host(&tree);
    for (unsigned i = 0; i < VIEW_PODS_MAX + 1; i++)
        tree_mkdir(&tree, "sys/fs/cgroup/kubepods/pod%08x-0000-4000-8000-000000000000", i);
    struct host_settings settings = tree_settings(&tree);
    struct host *host = host_create(&settings);
    sample_at(host, 1000);
    assert_int_equal(host_view(host)->pod_count, VIEW_PODS_MAX);
    assert_false(host_view(host)->pods.known);
    host_destroy(host);
    tree_destroy(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_host_is_read),
        cmocka_unit_test(rates_need_two_samples_and_a_window),
        cmocka_unit_test(pods_appear_vanish_and_begin_anew),
        cmocka_unit_test(a_process_that_ends_while_its_pod_is_looked_at_hides_no_connection),
        cmocka_unit_test(an_empty_host_is_unknown_in_every_part_with_a_reason),
        cmocka_unit_test(a_cgroup_v1_host_says_so_and_its_pods_are_unknown),
        cmocka_unit_test(a_kubelet_that_starts_later_is_found),
        cmocka_unit_test(interfaces_that_change_make_no_rate),
        cmocka_unit_test(no_descriptor_and_no_memory_stay_behind),
        cmocka_unit_test(pods_nobody_asked_about_are_looked_into_in_turn),
        cmocka_unit_test(pods_that_are_asked_about_are_looked_into_now),
        cmocka_unit_test(pods_that_come_and_go_meanwhile_never_fail_a_sample),
        cmocka_unit_test(more_pods_than_the_limit_are_said_to_be_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/host/cgroups.h"
#include "tests/unit/agent/tree.h"

static void both_drivers_names_give_the_canonical_uid(void **state)
{
    (void)state;
    static const struct {
        const char *directory, *uid;
    } cases[] = {
        {"pod" UID_A, UID_A},
        {"pod" UID_STATIC, UID_STATIC},
        {"kubepods-pod11111111_2222_4333_8444_555555555555.slice", UID_A},
        {"kubepods-burstable-pod11111111_2222_4333_8444_555555555555.slice", UID_A},
        {"kubelet-kubepods-besteffort-pod11111111_2222_4333_8444_555555555555.slice", UID_A},
        {"kubepods-burstable-pod" UID_STATIC ".slice", UID_STATIC},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char uid[WIRE_UID_BYTES_MAX + 1];
        assert_true(cgroup_pod_uid(cases[i].directory, uid));
        assert_string_equal(uid, cases[i].uid);
    }
}

static void what_is_no_pod_is_not_taken_for_one(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "pod",
                                        "pods",
                                        "burstable",
                                        "kubepods-burstable.slice",
                                        "pod1",
                                        "podxxxxxxxx-2222-4333-8444-555555555555",
                                        "pod11111111_2222_4333_8444_555555555555",
                                        "kubepods-pod11111111-2222.slice",
                                        "-pod.slice",
                                        ".slice",
                                        "pod11111111-2222-4333-8444-5555555555555",
                                        "kubepods-pod11111111_2222_4333_8444_555555555555.scope",
                                        "podAAAAAAAA-2222-4333-8444-555555555555"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char uid[WIRE_UID_BYTES_MAX + 1];
        assert_false(cgroup_pod_uid(cases[i], uid));
    }
}

struct seen {
    int count;
    char text[2048];
};

static void note(void *context, const char *uid, const char *path)
{
    struct seen *seen = context;
    seen->count++;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used, "%s %s\n", uid, path);
}

static struct seen list(const struct tree *tree, struct kubepods *kubepods)
{
    struct seen seen = {0};
    struct error error;
    int fd = tree_open(tree, "sys/fs/cgroup");
    assert_int_equal(kubepods_find(fd, kubepods, &error), 0);
    assert_int_equal(kubepods_list(fd, kubepods, note, &seen, &error), 0);
    close(fd);
    return seen;
}

#define LISTS(directory, uid)                                                                                \
    do {                                                                                                     \
        struct tree tree_;                                                                                   \
        struct kubepods kubepods_;                                                                           \
        tree_create(&tree_);                                                                                 \
        tree_mkdir(&tree_, "sys/fs/cgroup/%s", directory);                                                   \
        struct seen seen_ = list(&tree_, &kubepods_);                                                        \
        assert_int_equal(seen_.count, 1);                                                                    \
        assert_string_equal(seen_.text, uid " " directory "\n");                                             \
        tree_destroy(&tree_);                                                                                \
    } while (0)

static void pods_are_found_in_the_trees_of_both_drivers(void **state)
{
    (void)state;
    LISTS("kubepods.slice/kubepods-burstable.slice/"
          "kubepods-burstable-pod11111111_2222_4333_8444_555555555555.slice",
          UID_A);
    LISTS("kubepods.slice/kubepods-pod11111111_2222_4333_8444_555555555555.slice", UID_A);
    LISTS("kubepods/besteffort/pod" UID_A, UID_A);
    LISTS("kubepods/pod" UID_A, UID_A);
}

static void pods_are_found_below_a_kubelets_own_cgroup_root(void **state)
{
    (void)state;
    LISTS("kubelet/kubepods/burstable/pod" UID_A, UID_A);
    LISTS("kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
          "kubelet-kubepods-burstable-pod11111111_2222_4333_8444_555555555555.slice",
          UID_A);
    LISTS("kubelet.slice/kubepods.slice/kubepods-burstable.slice/"
          "kubepods-burstable-pod" UID_STATIC ".slice",
          UID_STATIC);
    LISTS("a/b/kubepods/pod" UID_A, UID_A);
}

static void a_nested_cluster_inside_a_pod_is_not_this_nodes(void **state)
{
    (void)state;
    struct tree tree;
    struct kubepods kubepods;
    tree_create(&tree);
    tree_mkdir(&tree, "sys/fs/cgroup/kubepods/burstable/pod" UID_A "/c1/kubepods/pod" UID_B);
    tree_mkdir(&tree, "sys/fs/cgroup/system.slice/containerd.service");
    struct seen seen = list(&tree, &kubepods);
    assert_int_equal(seen.count, 1);
    assert_int_equal(kubepods.count, 1);
    tree_destroy(&tree);
}

static void a_root_that_vanished_is_an_error_that_says_so(void **state)
{
    (void)state;
    struct tree tree;
    struct kubepods kubepods = {.count = 1, .root = {"kubepods"}};
    struct seen seen = {0};
    struct error error;
    tree_create(&tree);
    int fd = tree_open(&tree, "sys/fs/cgroup");
    assert_int_equal(kubepods_list(fd, &kubepods, note, &seen, &error), -1);
    assert_int_equal(error.code, ENOENT);
    close(fd);
    tree_destroy(&tree);
}

static void the_layout_is_recognised(void **state)
{
    (void)state;
    struct tree tree;
    tree_create(&tree);
    int fd = tree_open(&tree, "sys/fs/cgroup");
    assert_int_equal(cgroup_layout(fd), CGROUP_MISSING);
    tree_mkdir(&tree, "sys/fs/cgroup/memory");
    tree_write(&tree, "", "sys/fs/cgroup/unified/cgroup.controllers");
    assert_int_equal(cgroup_layout(fd), CGROUP_V1);
    tree_remove(&tree, "sys/fs/cgroup/memory");
    tree_write(&tree, "cpu memory\n", "sys/fs/cgroup/cgroup.controllers");
    assert_int_equal(cgroup_layout(fd), CGROUP_V2);
    close(fd);
    tree_destroy(&tree);
}

static void usage_is_read_and_the_working_set_never_below_zero(void **state)
{
    (void)state;
    struct tree tree;
    uint64_t value;
    tree_create(&tree);
    tree_pod(&tree, UID_A, 100);
    int fd = tree_open(&tree, "%s", tree_cgroup(UID_A));
    assert_int_equal(cgroup_cpu_usage_us(fd, &value, NULL), 0);
    assert_int_equal(value, 1000);
    assert_int_equal(cgroup_working_set_bytes(fd, &value, NULL), 0);
    assert_int_equal(value, 1500);
    tree_pod_usage(&tree, UID_A, 1, 100, 500);
    assert_int_equal(cgroup_working_set_bytes(fd, &value, NULL), 0);
    assert_int_equal(value, 0);
    close(fd);
    tree_destroy(&tree);
}

static void usage_that_is_malformed_or_missing_is_an_error_with_a_reason(void **state)
{
    (void)state;
    struct tree tree;
    uint64_t value;
    struct error error;
    tree_create(&tree);
    tree_pod(&tree, UID_A, 100);
    int fd = tree_open(&tree, "%s", tree_cgroup(UID_A));
    static const char *const broken[] = {"", "usage_usec\n", "usage_usec x\n", "usage_usec 1 2\n",
                                         "user_usec 4\n"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        tree_write(&tree, broken[i], "%s/cpu.stat", tree_cgroup(UID_A));
        assert_int_equal(cgroup_cpu_usage_us(fd, &value, &error), -1);
        assert_non_null(strstr(error.text, "usage_usec"));
    }
    tree_write(&tree, "max\n", "%s/memory.current", tree_cgroup(UID_A));
    assert_int_equal(cgroup_working_set_bytes(fd, &value, &error), -1);
    tree_remove(&tree, "%s/memory.current", tree_cgroup(UID_A));
    assert_int_equal(cgroup_working_set_bytes(fd, &value, &error), -1);
    assert_int_equal(error.code, ENOENT);
    close(fd);
    tree_destroy(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_drivers_names_give_the_canonical_uid),
        cmocka_unit_test(what_is_no_pod_is_not_taken_for_one),
        cmocka_unit_test(pods_are_found_in_the_trees_of_both_drivers),
        cmocka_unit_test(pods_are_found_below_a_kubelets_own_cgroup_root),
        cmocka_unit_test(a_nested_cluster_inside_a_pod_is_not_this_nodes),
        cmocka_unit_test(a_root_that_vanished_is_an_error_that_says_so),
        cmocka_unit_test(the_layout_is_recognised),
        cmocka_unit_test(usage_is_read_and_the_working_set_never_below_zero),
        cmocka_unit_test(usage_that_is_malformed_or_missing_is_an_error_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

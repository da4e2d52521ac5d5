#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/host/local_data.h"
#include "tests/unit/agent/tree.h"

#define PODS    "rootfs/var/lib/kubelet/pods"
#define VOLUMES PODS "/" UID_A "/volumes/kubernetes.io~empty-dir"

static int read_some(const struct tree *tree, uint32_t entries_max, struct local_data *out,
                     struct error *error)
{
    int fds = open_descriptors();
    int pods = tree_open(tree, PODS);
    int result = local_data_read(pods, UID_A, entries_max, out, error);
    close(pods);
    assert_int_equal(open_descriptors(), fds);
    return result;
}

static struct local_data read_all(const struct tree *tree)
{
    struct local_data out;
    struct error error = {0};
    if (read_some(tree, 1000, &out, &error) < 0)
        fail_msg("%s", error.text);
    return out;
}

static void make(struct tree *tree)
{
    tree_create(tree);
    tree_mkdir(tree, PODS "/" UID_A "/volumes");
}

static void bytes_of_all_volumes_add_up_and_the_largest_comes_first(void **state)
{
    (void)state;
    struct tree tree;
    make(&tree);
    tree_data(&tree, UID_A, "cache", "a/b/c/file", 1000);
    tree_data(&tree, UID_A, "cache", "file", 24);
    tree_data(&tree, UID_A, "scratch", "file", 4000);
    tree_mkdir(&tree, VOLUMES "/empty/with/directories");
    struct local_data out = read_all(&tree);
    assert_int_equal(out.bytes, 5024);
    assert_false(out.at_least);
    assert_int_equal(out.volume_count, 2);
    assert_string_equal(out.volumes[0].name, "scratch");
    assert_int_equal(out.volumes[1].bytes, 1024);
    tree_destroy(&tree);
}

static void a_pod_without_such_volumes_holds_nothing(void **state)
{
    (void)state;
    struct tree tree;
    make(&tree);
    assert_int_equal(read_all(&tree).bytes, 0);
    tree_remove(&tree, PODS "/" UID_A "/volumes");
    tree_mkdir(&tree, PODS "/" UID_A);
    assert_int_equal(read_all(&tree).bytes, 0);
    tree_destroy(&tree);
}

static void volumes_of_other_kinds_do_not_count(void **state)
{
    (void)state;
    struct tree tree;
    make(&tree);
    tree_write(&tree, "data", PODS "/" UID_A "/volumes/kubernetes.io~configmap/c/file");
    tree_write(&tree, "data", PODS "/" UID_A "/volumes/kubernetes.io~csi/pvc/mount/file");
    assert_int_equal(read_all(&tree).bytes, 0);
    tree_destroy(&tree);
}

static void empty_files_links_fifos_and_sockets_hold_nothing(void **state)
{
    (void)state;
    struct tree tree;
    char path[256];
    make(&tree);
    tree_data(&tree, UID_A, "v", "empty", 0);
    tree_link(&tree, "some/long/target/that/has/bytes", VOLUMES "/v/link");
    snprintf(path, sizeof path, "%s/" VOLUMES "/v/fifo", tree.root);
    assert_int_equal(mkfifo(path, 0644), 0);
    struct local_data out = read_all(&tree);
    assert_int_equal(out.bytes, 0);
    assert_int_equal(out.volume_count, 0);
    tree_destroy(&tree);
}

static void no_link_leads_the_walk_out_of_a_volume(void **state)
{
    (void)state;
    struct tree tree;
    make(&tree);
    tree_write(&tree, "0123456789", "outside/file");
    tree_data(&tree, UID_A, "v", "inside", 3);
    tree_link(&tree, "../../../../../../../../../outside", VOLUMES "/v/relative");
    tree_link(&tree, "/proc/self", VOLUMES "/v/absolute");
    tree_link(&tree, ".", VOLUMES "/v/circle");
    tree_link(&tree, "../../../../../../../outside", VOLUMES "/whole-volume");
    assert_int_equal(read_all(&tree).bytes, 3);
    tree_destroy(&tree);
}

static void a_link_in_the_kubelets_own_directories_is_an_error_not_a_way(void **state)
{
    (void)state;
    struct tree tree;
    struct local_data out;
    struct error error;
    make(&tree);
    tree_remove(&tree, PODS "/" UID_A "/volumes");
    tree_mkdir(&tree, "outside/kubernetes.io~empty-dir");
    tree_link(&tree, "../../../../../../outside", PODS "/" UID_A "/volumes");
    assert_int_equal(read_some(&tree, 10, &out, &error), -1);
    assert_int_not_equal(error.code, ENOENT);
    tree_destroy(&tree);
}

static void a_hard_linked_file_counts_once(void **state)
{
    (void)state;
    struct tree tree;
    char from[256], to[256];
    make(&tree);
    tree_data(&tree, UID_A, "v", "one", 100);
    snprintf(from, sizeof from, "%s/" VOLUMES "/v/one", tree.root);
    for (int i = 0; i < 3; i++) {
        snprintf(to, sizeof to, "%s/" VOLUMES "/v/link%d", tree.root, i);
        assert_int_equal(link(from, to), 0);
    }
    assert_int_equal(read_all(&tree).bytes, 100);
    tree_destroy(&tree);
}

static void a_sparse_file_counts_in_full(void **state)
{
    (void)state;
    struct tree tree;
    char path[256];
    make(&tree);
    tree_data(&tree, UID_A, "v", "sparse", 0);
    snprintf(path, sizeof path, "%s/" VOLUMES "/v/sparse", tree.root);
    assert_int_equal(truncate(path, 1 << 20), 0);
    assert_int_equal(read_all(&tree).bytes, 1 << 20);
    tree_destroy(&tree);
}

static void a_walk_over_its_limit_says_at_least(void **state)
{
    (void)state;
    struct tree tree;
    struct local_data out;
    make(&tree);
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        tree_data(&tree, UID_A, "v", name, 10);
    }
    assert_int_equal(read_some(&tree, 49, &out, NULL), 0);
    assert_true(out.at_least);
    assert_int_equal(out.bytes, 490);
    assert_int_equal(read_some(&tree, 50, &out, NULL), 0);
    assert_false(out.at_least);
    tree_destroy(&tree);
}

static void a_tree_deeper_than_the_limit_says_at_least(void **state)
{
    (void)state;
    struct tree tree;
    char path[LOCAL_DATA_DEPTH_MAX * 2 + 64] = "";
    make(&tree);
    for (int i = 0; i < LOCAL_DATA_DEPTH_MAX + 2; i++)
        strcat(path, "d/");
    strcat(path, "file");
    tree_data(&tree, UID_A, "v", path, 10);
    struct local_data out = read_all(&tree);
    assert_true(out.at_least);
    assert_int_equal(out.bytes, 0);
    tree_destroy(&tree);
}

static void only_the_largest_volumes_are_named_and_all_of_them_count(void **state)
{
    (void)state;
    struct tree tree;
    make(&tree);
    for (int i = 1; i <= 12; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        tree_data(&tree, UID_A, name, "file", (size_t)i);
    }
    struct local_data out = read_all(&tree);
    assert_int_equal(out.bytes, 78);
    assert_int_equal(out.volume_count, VIEW_VOLUMES_MAX);
    for (uint32_t i = 0; i < out.volume_count; i++)
        assert_int_equal(out.volumes[i].bytes, 12 - i);
    tree_destroy(&tree);
}

static void a_pod_without_a_directory_is_told_from_an_empty_one(void **state)
{
    (void)state;
    struct tree tree;
    struct local_data out;
    struct error error;
    tree_create(&tree);
    tree_mkdir(&tree, PODS);
    assert_int_equal(read_some(&tree, 10, &out, &error), -1);
    assert_int_equal(error.code, ENOENT);
    tree_destroy(&tree);
}

static void what_cannot_be_looked_into_is_an_error(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct tree tree;
    struct local_data out;
    struct error error;
    char path[256];
    make(&tree);
    tree_data(&tree, UID_A, "v", "closed/file", 10);
    snprintf(path, sizeof path, "%s/" VOLUMES "/v/closed", tree.root);
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(chmod(tree.root, 0755), 0);
    int pods = tree_open(&tree, PODS);
    assert_int_equal(seteuid(65534), 0);
    int result = local_data_read(pods, UID_A, 100, &out, &error);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(result, -1);
    assert_int_equal(error.code, EACCES);
    assert_non_null(strstr(error.text, "volume v"));
    close(pods);
    tree_destroy(&tree);
}

static void a_volume_in_memory_is_listed_and_not_counted(void **state)
{
    (void)state;
    struct tree tree;
    make(&tree);
    tree_mkdir(&tree, VOLUMES "/memory");
    if (!tree_mount_tmpfs(&tree, VOLUMES "/memory")) {
        tree_destroy(&tree);
        skip();
    }
    tree_data(&tree, UID_A, "memory", "file", 10000);
    tree_data(&tree, UID_A, "disk", "file", 7);
    struct local_data out = read_all(&tree);
    assert_int_equal(out.bytes, 7);
    assert_int_equal(out.volume_count, 2);
    assert_string_equal(out.volumes[0].name, "memory");
    assert_true(out.volumes[0].memory);
    assert_true(out.volumes[0].bytes >= 10000);
    tree_unmount(&tree, VOLUMES "/memory");
    tree_destroy(&tree);
}

static void a_filesystem_mounted_inside_a_volume_is_not_entered(void **state)
{
    (void)state;
    struct tree tree;
    make(&tree);
    tree_data(&tree, UID_A, "v", "file", 7);
    tree_mkdir(&tree, VOLUMES "/v/mounted");
    if (!tree_mount_tmpfs(&tree, VOLUMES "/v/mounted")) {
        tree_destroy(&tree);
        skip();
    }
    tree_data(&tree, UID_A, "v", "mounted/file", 10000);
    assert_int_equal(read_all(&tree).bytes, 7);
    tree_unmount(&tree, VOLUMES "/v/mounted");
    tree_destroy(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_all_volumes_add_up_and_the_largest_comes_first),
        cmocka_unit_test(a_pod_without_such_volumes_holds_nothing),
        cmocka_unit_test(volumes_of_other_kinds_do_not_count),
        cmocka_unit_test(empty_files_links_fifos_and_sockets_hold_nothing),
        cmocka_unit_test(no_link_leads_the_walk_out_of_a_volume),
        cmocka_unit_test(a_link_in_the_kubelets_own_directories_is_an_error_not_a_way),
        cmocka_unit_test(a_hard_linked_file_counts_once),
        cmocka_unit_test(a_sparse_file_counts_in_full),
        cmocka_unit_test(a_walk_over_its_limit_says_at_least),
        cmocka_unit_test(a_tree_deeper_than_the_limit_says_at_least),
        cmocka_unit_test(only_the_largest_volumes_are_named_and_all_of_them_count),
        cmocka_unit_test(a_pod_without_a_directory_is_told_from_an_empty_one),
        cmocka_unit_test(what_cannot_be_looked_into_is_an_error),
        cmocka_unit_test(a_volume_in_memory_is_listed_and_not_counted),
        cmocka_unit_test(a_filesystem_mounted_inside_a_volume_is_not_entered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

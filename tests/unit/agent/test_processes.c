#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/host/connections.h"
#include "agent/host/processes.h"
#include "tests/unit/agent/tree.h"

struct stage {
    struct tree tree;
    int procfs, cgroup;
};

static struct stage make_stage(void)
{
    struct stage stage;
    tree_create(&stage.tree);
    tree_host(&stage.tree);
    tree_pod(&stage.tree, UID_A, 100);
    stage.procfs = tree_open(&stage.tree, "proc");
    stage.cgroup = tree_open(&stage.tree, "%s", tree_cgroup(UID_A));
    return stage;
}

static void clear_stage(struct stage *stage)
{
    close(stage->procfs);
    close(stage->cgroup);
    tree_destroy(&stage->tree);
}

static void the_state_stands_behind_the_last_bracket(void **state)
{
    (void)state;
    assert_int_equal(processes_parse_state("1 (init) S 0"), 'S');
    assert_int_equal(processes_parse_state("1 (a) D (b)) D 0"), 'D');
    assert_int_equal(processes_parse_state("1 (x) D"), 'D');
    assert_int_equal(processes_parse_state(""), 0);
    assert_int_equal(processes_parse_state("1 (init"), 0);
    assert_int_equal(processes_parse_state("1 (init)"), 0);
    assert_int_equal(processes_parse_state("1 (init) "), 0);
    assert_int_equal(processes_parse_state("1 (init) Sx"), 0);
    assert_int_equal(processes_parse_state("1 (init) 5 1"), 0);
}

static void processes_of_all_cgroups_below_the_pod_count(void **state)
{
    (void)state;
    struct stage stage = make_stage();
    struct processes out;
    tree_write(&stage.tree, "101\n102\n", "%s/deep/er/cgroup.procs", tree_cgroup(UID_A));
    tree_process(&stage.tree, 101, 'D', "net:[1]");
    tree_process(&stage.tree, 102, 'Z', "net:[1]");
    assert_int_equal(processes_read(stage.procfs, stage.cgroup, &out, NULL), 0);
    assert_int_equal(out.processes, 3);
    assert_int_equal(out.uninterruptible, 1);
    assert_int_equal(out.witness_count, 2);
    assert_int_equal(out.witness[0] + out.witness[1], 100 + 101); // no zombie
    // Again with the same descriptor.
    assert_int_equal(processes_read(stage.procfs, stage.cgroup, &out, NULL), 0);
    assert_int_equal(out.processes, 3);
    clear_stage(&stage);
}

static void a_process_that_ended_meanwhile_does_not_count(void **state)
{
    (void)state;
    struct stage stage = make_stage();
    struct processes out;
    tree_remove(&stage.tree, "proc/100");
    assert_int_equal(processes_read(stage.procfs, stage.cgroup, &out, NULL), 0);
    assert_int_equal(out.processes, 0);
    assert_int_equal(out.witness_count, 0);
    clear_stage(&stage);
}

static void process_ids_of_another_namespace_are_an_error(void **state)
{
    (void)state;
    struct stage stage = make_stage();
    struct processes out;
    struct error error;
    tree_write(&stage.tree, "0\n", "%s/c/cgroup.procs", tree_cgroup(UID_A));
    assert_int_equal(processes_read(stage.procfs, stage.cgroup, &out, &error), -1);
    assert_int_equal(error.code, ESRCH);
    assert_non_null(strstr(error.text, "PID namespace"));
    clear_stage(&stage);
}

static void malformed_ids_and_states_are_errors_and_never_no_process(void **state)
{
    (void)state;
    struct stage stage = make_stage();
    struct processes out;
    static const char *const ids[] = {"x\n", "1 2\n", "-5\n", "99999999999\n", "\n"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        tree_write(&stage.tree, ids[i], "%s/c/cgroup.procs", tree_cgroup(UID_A));
        assert_int_equal(processes_read(stage.procfs, stage.cgroup, &out, NULL), -1);
    }
    tree_remove(&stage.tree, "%s/c", tree_cgroup(UID_A));
    tree_write(&stage.tree, "100 truncat", "proc/100/stat");
    assert_int_equal(processes_read(stage.procfs, stage.cgroup, &out, NULL), -1);
    clear_stage(&stage);
}

static void too_many_processes_and_cgroups_are_an_error(void **state)
{
    (void)state;
    struct stage stage = make_stage();
    struct processes out;
    struct error error;
    for (int i = 0; i < PROCESSES_CGROUPS_A_POD_MAX + 1; i++)
        tree_mkdir(&stage.tree, "%s/c%d", tree_cgroup(UID_A), i);
    assert_int_equal(processes_read(stage.procfs, stage.cgroup, &out, &error), -1);
    assert_int_equal(error.code, E2BIG);
    clear_stage(&stage);
}

static void all_processes_of_the_host_are_the_numbers_in_proc(void **state)
{
    (void)state;
    struct stage stage = make_stage();
    uint32_t count;
    assert_int_equal(processes_count(stage.procfs, &count, NULL), 0);
    assert_int_equal(count, 2); // 1 and 100
    clear_stage(&stage);
}

#define HEAD "  sl  local_address rem_address   st tx_queue\n"

static int parse(const char *text, uint32_t *count)
{
    struct lines lines;
    lines_from_memory(&lines, text, strlen(text));
    return connections_parse(&lines, count, NULL);
}

static void established_connections_count_except_over_loopback(void **state)
{
    (void)state;
    uint32_t count;
    assert_int_equal(parse(HEAD "   0: 0A00020F:1F90 0B00020F:0050 01 00\n"  // counts
                                "   1: 0A00020F:1F90 0B00020F:0051 06 00\n"  // TIME_WAIT
                                "   2: 0100007F:1F90 0100007F:0051 01 00\n"  // loopback
                                "   3: 0500007F:1F90 0A00020F:0051 01 00\n"  // another of 127/8
                                "   4: 00000000:1F90 00000000:0000 0A 00\n"  // listens
                                "   5: 0A00020F:1F90 0A00020F:0051 01 00\n"  // to itself
                                "  12: 0A00020F:1F91 0C00020F:0050 01 00\n", // counts
                           &count),
                     0);
    assert_int_equal(count, 2);
}

static void ipv6_connections_count_except_over_loopback(void **state)
{
    (void)state;
    uint32_t count;
    assert_int_equal(
        parse(HEAD
              "   0: 0000000000000000FFFF00000A00020F:1F90 0000000000000000FFFF00000B00020F:0050 01 00\n"
              "   1: 00000000000000000000000001000000:1F90 00000000000000000000000001000000:0050 01 00\n"
              "   2: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:0050 01 00\n"
              "   3: B80D0120000000000000000001000000:1F90 B80D0120000000000000000002000000:0050 01 00\n",
              &count),
        0);
    assert_int_equal(count, 2);
}

static void malformed_connection_tables_are_errors(void **state)
{
    (void)state;
    static const char *const cases[] = {HEAD "x\n",
                                        HEAD "   0: 0A00:1 0B00020F:0050 01\n",
                                        HEAD "   0: 0A00020F 0B00020F:0050 01\n",
                                        HEAD "   0: 0A00020F:1F90\n",
                                        HEAD "   0: 0A00020F0A00020F:1F90 0B00020F:0050 01\n",
                                        HEAD "\n"};
    uint32_t count;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(parse(cases[i], &count), -1);
    assert_int_equal(parse("", &count), 0);
    assert_int_equal(parse(HEAD, &count), 0);
}

static void the_pods_table_is_read_through_one_of_its_processes(void **state)
{
    (void)state;
    struct stage stage = make_stage();
    struct connections out;
    tree_write(&stage.tree, HEAD "   0: 0A00020F:1F90 0B00020F:0050 01 00\n", "proc/100/net/tcp");
    tree_write(&stage.tree,
               HEAD
               "   0: B80D0120000000000000000001000000:1F90 B80D0120000000000000000002000000:0050 01 00\n",
               "proc/100/net/tcp6");
    assert_int_equal(connections_read(stage.procfs, 100, &out, NULL), 0);
    assert_false(out.host_network);
    assert_int_equal(out.established, 2);
    clear_stage(&stage);
}

static void a_pod_in_the_hosts_namespace_is_flagged_and_not_counted(void **state)
{
    (void)state;
    struct stage stage = make_stage();
    struct connections out;
    tree_process(&stage.tree, 100, 'S', "net:[4026531840]");
    tree_write(&stage.tree, HEAD "   0: 0A00020F:1F90 0B00020F:0050 01 00\n", "proc/100/net/tcp");
    assert_int_equal(connections_read(stage.procfs, 100, &out, NULL), 0);
    assert_true(out.host_network);
    assert_int_equal(out.established, 0);
    clear_stage(&stage);
}

static void without_the_right_to_read_namespaces_the_tables_inode_tells_them_apart(void **state)
{
    (void)state;
    struct stage stage = make_stage();
    struct connections out;
    char one[160], other[160];
    tree_remove(&stage.tree, "proc/1/ns/net");
    tree_write(&stage.tree, HEAD, "proc/1/net/tcp");
    assert_int_equal(connections_read(stage.procfs, 100, &out, NULL), 0);
    assert_false(out.host_network);
    snprintf(one, sizeof one, "%s/proc/1/net/tcp", stage.tree.root);
    snprintf(other, sizeof other, "%s/proc/100/net/tcp", stage.tree.root);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(link(one, other), 0);
    assert_int_equal(connections_read(stage.procfs, 100, &out, NULL), 0);
    assert_true(out.host_network);
    clear_stage(&stage);
}

static void a_namespace_without_connections_is_not_searched(void **state)
{
    (void)state;
    struct stage stage = make_stage();
    struct connections out;
    tree_write(&stage.tree, "Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm CurrEstab InSegs\nTcp: 1 0 55\n",
               "proc/100/net/snmp");
    tree_write(&stage.tree, "this would be malformed\nif it were read\n", "proc/100/net/tcp");
    assert_int_equal(connections_read(stage.procfs, 100, &out, NULL), 0);
    assert_int_equal(out.established, 0);
    tree_write(&stage.tree, "Tcp: RtoAlgorithm CurrEstab InSegs\nTcp: 1 3 55\n", "proc/100/net/snmp");
    assert_int_equal(connections_read(stage.procfs, 100, &out, NULL), -1);
    clear_stage(&stage);
}

static void a_process_that_is_gone_is_an_error_that_says_so(void **state)
{
    (void)state;
    struct stage stage = make_stage();
    struct connections out;
    struct error error;
    assert_int_equal(connections_read(stage.procfs, 999, &out, &error), -1);
    assert_int_equal(error.code, ENOENT);
    clear_stage(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_stands_behind_the_last_bracket),
        cmocka_unit_test(processes_of_all_cgroups_below_the_pod_count),
        cmocka_unit_test(a_process_that_ended_meanwhile_does_not_count),
        cmocka_unit_test(process_ids_of_another_namespace_are_an_error),
        cmocka_unit_test(malformed_ids_and_states_are_errors_and_never_no_process),
        cmocka_unit_test(too_many_processes_and_cgroups_are_an_error),
        cmocka_unit_test(all_processes_of_the_host_are_the_numbers_in_proc),
        cmocka_unit_test(established_connections_count_except_over_loopback),
        cmocka_unit_test(ipv6_connections_count_except_over_loopback),
        cmocka_unit_test(malformed_connection_tables_are_errors),
        cmocka_unit_test(the_pods_table_is_read_through_one_of_its_processes),
        cmocka_unit_test(a_pod_in_the_hosts_namespace_is_flagged_and_not_counted),
        cmocka_unit_test(without_the_right_to_read_namespaces_the_tables_inode_tells_them_apart),
        cmocka_unit_test(a_namespace_without_connections_is_not_searched),
        cmocka_unit_test(a_process_that_is_gone_is_an_error_that_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

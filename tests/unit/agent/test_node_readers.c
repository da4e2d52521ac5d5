#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/host/cpu.h"
#include "agent/host/disk.h"
#include "agent/host/memory.h"
#include "agent/host/network.h"
#include "agent/host/pressure.h"
#include "tests/unit/agent/tree.h"

static struct lines *from(struct lines *lines, const char *text)
{
    lines_from_memory(lines, text, strlen(text));
    return lines;
}

static void cpu_counters_come_from_the_first_line_and_cpus_are_counted(void **state)
{
    (void)state;
    struct lines lines;
    struct cpu_counters out;
    from(&lines,
         "cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 0\ncpu1 1 0\ncpu7 1 0\nintr 1\nprocs_blocked 5\n");
    assert_int_equal(cpu_parse(&lines, &out, NULL), 0);
    assert_int_equal(out.cpus, 3);
    assert_int_equal(out.ticks[CPU_USER], 10);
    assert_int_equal(out.ticks[CPU_STEAL], 80);
    assert_true(out.blocked_known);
    assert_int_equal(out.processes_blocked, 5);
}

static void malformed_cpu_counters_are_an_error(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "cpu\n",
                                        "cpu  1 2 x\ncpu0 1\n",
                                        "cpu  1 2 3 4\n",
                                        "cpu0 1 2 3 4\n",
                                        "cpu  99999999999999999999 1 1 1\ncpu0 1\n"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lines lines;
        struct cpu_counters out;
        struct error error;
        assert_int_equal(cpu_parse(from(&lines, cases[i]), &out, &error), -1);
        assert_true(error.text[0] != '\0');
    }
}

static void cpu_rates_are_shares_of_the_ticks_that_passed(void **state)
{
    (void)state;
    struct cpu_counters before = {.cpus = 4, .ticks = {100, 0, 50, 1000, 10}};
    struct cpu_counters after = {.cpus = 4, .ticks = {200, 0, 50, 1300, 10}};
    uint32_t millis[CPU_MODES];
    assert_true(cpu_rates(&before, &after, millis));
    assert_int_equal(millis[CPU_USER], 1000);
    assert_int_equal(millis[CPU_IDLE], 3000);
    assert_int_equal(millis[CPU_SYSTEM], 0);
}

static void a_counter_that_ran_backwards_is_no_time(void **state)
{
    (void)state;
    struct cpu_counters before = {.cpus = 1, .ticks = {100, 0, 0, 1000, 500}};
    struct cpu_counters after = {.cpus = 1, .ticks = {200, 0, 0, 1100, 400}};
    uint32_t millis[CPU_MODES];
    assert_true(cpu_rates(&before, &after, millis));
    assert_int_equal(millis[CPU_USER], 500);
    assert_int_equal(millis[CPU_IOWAIT], 0);
    assert_false(cpu_rates(&after, &after, millis));
}

static void load_is_three_averages(void **state)
{
    (void)state;
    double a, b, c;
    assert_int_equal(load_parse("0.10 12.25 3.00 1/2 3", &a, &b, &c, NULL), 0);
    assert_float_equal(b, 12.25, 1e-9);
    assert_int_equal(load_parse("0.10 12.25", &a, &b, &c, NULL), -1);
    assert_int_equal(load_parse("x", &a, &b, &c, NULL), -1);
}

static void the_working_set_is_what_is_used_less_inactive_file_pages(void **state)
{
    (void)state;
    struct lines lines;
    struct memory_view out;
    from(&lines, "MemTotal: 1000 kB\nMemFree: 300 kB\nMemAvailable: 600 kB\nInactive(anon): 7 kB\n"
                 "Inactive(file): 200 kB\nSwapTotal: 50 kB\nSwapFree: 20 kB\n");
    assert_int_equal(memory_parse(&lines, &out, NULL), 0);
    assert_int_equal(out.total_bytes, 1000 * 1024);
    assert_int_equal(out.available_bytes, 600 * 1024);
    assert_int_equal(out.working_set_bytes, 500 * 1024);
    assert_int_equal(out.swap_used_bytes, 30 * 1024);
}

static void memory_that_lacks_a_field_is_an_error_that_names_it(void **state)
{
    (void)state;
    struct lines lines;
    struct memory_view out;
    struct error error;
    from(&lines,
         "MemTotal: 1000 kB\nMemFree: 300 kB\nInactive(file): 200 kB\nSwapTotal: 5 kB\nSwapFree: 2 kB\n");
    assert_int_equal(memory_parse(&lines, &out, &error), -1);
    assert_non_null(strstr(error.text, "MemAvailable"));
    from(&lines, "MemTotal: lots\n");
    assert_int_equal(memory_parse(&lines, &out, &error), -1);
    from(&lines, "MemTotal: 18446744073709551615 kB\n");
    assert_int_equal(memory_parse(&lines, &out, &error), -1);
}

static void pressure_is_read_with_and_without_its_full_line(void **state)
{
    (void)state;
    struct lines lines;
    struct pressure_view out;
    from(
        &lines,
        "some avg10=1.25 avg60=2.50 avg300=3.00 total=4\nfull avg10=0.50 avg60=100.00 avg300=0.00 total=0\n");
    assert_int_equal(pressure_parse(&lines, &out, NULL), 0);
    assert_float_equal(out.some_avg10, 1.25, 1e-9);
    assert_float_equal(out.full_avg60, 100, 1e-9);
    from(&lines, "some avg10=1.25 avg60=2.50 avg300=3.00 total=4\n");
    assert_int_equal(pressure_parse(&lines, &out, NULL), 0);
    assert_float_equal(out.full_avg10, 0, 1e-9);
}

static void malformed_pressure_is_an_error(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "some\n",
                                        "some avg10=1\n",
                                        "some avg10=x avg60=1\n",
                                        "some avg10=101 avg60=1\n",
                                        "full avg10=1 avg60=1\n",
                                        "some avg10=1 avg60=1\nfull avg10=\n"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lines lines;
        struct pressure_view out;
        assert_int_equal(pressure_parse(from(&lines, cases[i]), &out, NULL), -1);
    }
}

static void a_kernel_without_pressure_is_told_from_a_broken_file(void **state)
{
    (void)state;
    struct tree tree;
    struct error error;
    struct pressure_view out;
    tree_create(&tree);
    int procfs = tree_open(&tree, "proc");
    assert_int_equal(pressure_read(procfs, PRESSURE_IO, &out, &error), -1);
    assert_int_equal(error.code, ENOENT);
    assert_non_null(strstr(error.text, "psi=1"));
    tree_write(&tree, "rubbish\n", "proc/pressure/io");
    assert_int_equal(pressure_read(procfs, PRESSURE_IO, &out, &error), -1);
    assert_int_equal(error.code, EPROTO);
    close(procfs);
    tree_destroy(&tree);
}

static void only_interfaces_with_a_device_count(void **state)
{
    (void)state;
    struct tree tree;
    struct network_counters out;
    tree_create(&tree);
    tree_host(&tree);
    int procfs = tree_open(&tree, "proc"), sysfs = tree_open(&tree, "sys");
    assert_int_equal(network_read(procfs, sysfs, &out, NULL), 0);
    assert_int_equal(out.interfaces, 1);
    assert_int_equal(out.receive_bytes, 1000);
    assert_int_equal(out.transmit_bytes, 2000);
    close(procfs);
    close(sysfs);
    tree_destroy(&tree);
}

static void without_any_device_the_names_decide(void **state)
{
    (void)state;
    struct lines lines;
    struct network_counters out;
    from(&lines, "h\nh\n lo: 1 0 0 0 0 0 0 0 1 0\neth0: 5 0 0 0 0 0 0 0 6 0\ncali1: 9 0 0 0 0 0 0 0 9 0\n");
    assert_int_equal(network_parse(&lines, -1, &out, NULL), 0);
    assert_int_equal(out.receive_bytes, 5);
    from(&lines, "h\nh\n lo: 1 0 0 0 0 0 0 0 1 0\n");
    assert_int_equal(network_parse(&lines, -1, &out, NULL), -1);
    from(&lines, "eth0: 5 0 0\n:::\neth1\n");
    assert_int_equal(network_parse(&lines, -1, &out, NULL), -1);
}

static void another_set_of_interfaces_has_another_hash_and_another_order_has_not(void **state)
{
    (void)state;
    struct lines lines;
    struct network_counters one, other, turned;
    network_parse(from(&lines, "eth0: 5 0 0 0 0 0 0 0 6 0\neth1: 5 0 0 0 0 0 0 0 6 0\n"), -1, &one, NULL);
    network_parse(from(&lines, "eth1: 5 0 0 0 0 0 0 0 6 0\neth0: 5 0 0 0 0 0 0 0 6 0\n"), -1, &turned, NULL);
    network_parse(from(&lines, "eth0: 5 0 0 0 0 0 0 0 6 0\neth2: 5 0 0 0 0 0 0 0 6 0\n"), -1, &other, NULL);
    assert_true(one.names_hash == turned.names_hash);
    assert_true(one.names_hash != other.names_hash);
}

static void filesystems_are_read_and_an_image_store_on_the_root_is_not_told_twice(void **state)
{
    (void)state;
    struct tree tree;
    struct filesystem_view out;
    tree_create(&tree);
    tree_mkdir(&tree, "rootfs/var/lib/containerd");
    int rootfs = tree_open(&tree, "rootfs");
    assert_int_equal(disk_read(rootfs, &out, NULL), 0);
    assert_true(out.total_bytes > 0 && out.available_bytes <= out.total_bytes);
    assert_int_equal(disk_read_images(rootfs, &out, NULL), 0);
    close(rootfs);
    tree_destroy(&tree);
}

static void an_image_store_on_another_filesystem_is_found(void **state)
{
    (void)state;
    struct tree tree;
    struct filesystem_view out;
    tree_create(&tree);
    tree_mkdir(&tree, "rootfs/var/lib/docker");
    if (!tree_mount_tmpfs(&tree, "rootfs/var/lib/docker")) {
        tree_destroy(&tree);
        skip();
    }
    int rootfs = tree_open(&tree, "rootfs");
    assert_int_equal(disk_read_images(rootfs, &out, NULL), 1);
    assert_int_equal(out.total_bytes, 1024 * 1024);
    close(rootfs);
    tree_unmount(&tree, "rootfs/var/lib/docker");
    tree_destroy(&tree);
}

static void the_fuller_of_bytes_and_inodes_counts(void **state)
{
    (void)state;
    struct filesystem_view filesystem = {
        .total_bytes = 1000, .available_bytes = 900, .total_inodes = 100, .free_inodes = 25};
    assert_float_equal(disk_used_percent(&filesystem), 75, 1e-9);
    filesystem.total_inodes = filesystem.free_inodes = 0; // btrfs has none
    assert_float_equal(disk_used_percent(&filesystem), 10, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_counters_come_from_the_first_line_and_cpus_are_counted),
        cmocka_unit_test(malformed_cpu_counters_are_an_error),
        cmocka_unit_test(cpu_rates_are_shares_of_the_ticks_that_passed),
        cmocka_unit_test(a_counter_that_ran_backwards_is_no_time),
        cmocka_unit_test(load_is_three_averages),
        cmocka_unit_test(the_working_set_is_what_is_used_less_inactive_file_pages),
        cmocka_unit_test(memory_that_lacks_a_field_is_an_error_that_names_it),
        cmocka_unit_test(pressure_is_read_with_and_without_its_full_line),
        cmocka_unit_test(malformed_pressure_is_an_error),
        cmocka_unit_test(a_kernel_without_pressure_is_told_from_a_broken_file),
        cmocka_unit_test(only_interfaces_with_a_device_count),
        cmocka_unit_test(without_any_device_the_names_decide),
        cmocka_unit_test(another_set_of_interfaces_has_another_hash_and_another_order_has_not),
        cmocka_unit_test(filesystems_are_read_and_an_image_store_on_the_root_is_not_told_twice),
        cmocka_unit_test(an_image_store_on_another_filesystem_is_found),
        cmocka_unit_test(the_fuller_of_bytes_and_inodes_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/link.h"

static void expect(const char *address, bool insecure, const char *wanted)
{
    char url[160];
    struct error error = {0};
    int result = link_url(address, insecure, 7946, url, sizeof(url), &error);
    if (result < 0)
        fail_msg("%s: %s", address, error.text);
    assert_string_equal(url, wanted);
}

static void expect_refused(const char *address, bool insecure, const char *part_of_reason)
{
    char url[160];
    struct error error = {0};
    assert_int_equal(link_url(address, insecure, 7946, url, sizeof(url), &error), -1);
    if (strstr(error.text, part_of_reason) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", address, error.text, part_of_reason);
}

static void a_bare_host_becomes_tls(void **state)
{
    (void)state;
    expect("coordinator.kube-system.svc:7000", false, "tls+tcp://coordinator.kube-system.svc:7000");
    expect("0.0.0.0:0", false, "tls+tcp://0.0.0.0:0");
    expect("[::1]:7000", false, "tls+tcp://[::1]:7000");
}

static void a_bare_host_becomes_plain_tcp_when_insecure(void **state)
{
    (void)state;
    expect("localhost:65535", true, "tcp://localhost:65535");
    expect("tls+tcp://localhost:1", true, "tls+tcp://localhost:1");
}

static void a_missing_port_is_the_default(void **state)
{
    (void)state;
    expect("localhost", false, "tls+tcp://localhost:7946");
    expect("[::]", false, "tls+tcp://[::]:7946");
    expect("tcp://127.0.0.1", true, "tcp://127.0.0.1:7946");
    expect(":9", false, "tls+tcp://:9");
}

static void plain_tcp_without_insecure_is_refused_and_says_so(void **state)
{
    (void)state;
    expect_refused("tcp://localhost:7946", false, "--insecure-transport");
}

static void local_transports_pass_in_either_mode(void **state)
{
    (void)state;
    expect("ipc:///run/vpsie/admin.sock", false, "ipc:///run/vpsie/admin.sock");
    expect("inproc://name", true, "inproc://name");
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    expect_refused("", false, "not an address");
    expect_refused("tls+tcp://", false, "not an address");
    expect_refused("inproc://", false, "schemes");
    expect_refused("http://localhost:80", false, "schemes");
    expect_refused("::1", false, "brackets");
    expect_refused("localhost:", false, "port");
    expect_refused("localhost:65536", false, "port");
    expect_refused("localhost:-1", false, "port");
    expect_refused("localhost:7x", false, "port");
    expect_refused("local host:7946", false, "not an address");
    expect_refused("local/host:7946", false, "not an address");
    expect_refused("[]:7946", false, "not an address");
    expect_refused("[::1", false, "not an address");
    expect_refused("[localhost]:7946", false, "not an address");
    expect_refused("localhost\n", false, "not an address");
}

static void an_ipc_path_is_absolute_and_fits_a_socket_name(void **state)
{
    (void)state;
    char address[128] = "ipc:///";
    expect_refused("ipc://run/admin.sock", false, "whole path");
    expect_refused("ipc://", false, "whole path");
    memset(address + 7, 'x', 106); // 107 bytes are what sun_path holds beside its end
    address[7 + 106] = '\0';
    expect(address, false, address);
    strcat(address, "x");
    expect_refused(address, false, "at most 107 bytes");
}

static void an_address_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    char url[24];
    char host[300];
    struct error error = {0};
    assert_int_equal(link_url("localhost:1234", false, 1, url, sizeof(url), &error), -1);
    assert_int_equal(error.code, ENAMETOOLONG);
    assert_int_equal(link_url("localhost:123", false, 1, url, sizeof(url), &error), 0);
    memset(host, 'a', sizeof(host));
    host[sizeof(host) - 1] = '\0';
    expect_refused(host, false, "not an address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bare_host_becomes_tls),
        cmocka_unit_test(a_bare_host_becomes_plain_tcp_when_insecure),
        cmocka_unit_test(a_missing_port_is_the_default),
        cmocka_unit_test(plain_tcp_without_insecure_is_refused_and_says_so),
        cmocka_unit_test(local_transports_pass_in_either_mode),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(an_ipc_path_is_absolute_and_fits_a_socket_name),
        cmocka_unit_test(an_address_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

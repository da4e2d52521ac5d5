// Flags that contradict each other are refused before anything is started, in words that help.
#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/run.h"

// What is wrong with these arguments, "" when nothing is.
static const char *problem(const char *const *arguments)
{
    static struct error error;
    struct run_options options;
    const char *words[1];
    char *argv[8] = {0};
    int count = 0;
    error = (struct error){0};
    for (; arguments[count] != NULL; count++) {
        argv[count] = (char *)(uintptr_t)arguments[count];
    }
    return run_options_parse(count, argv, &options, words, 1, &error) < 0 ? error.text : "";
}

#define PROBLEM(...) problem((const char *const[]){__VA_ARGS__, NULL})

static void defaults_are_fit_for_a_pod(void **state)
{
    (void)state;
    assert_string_equal(problem((const char *const[]){NULL}), "");
}

static void agents_need_tls_from_files_or_from_an_authority_of_ours(void **state)
{
    (void)state;
    assert_string_equal(PROBLEM("--tls-cert-file=a", "--tls-key-file=b", "--tls-secret-name="), "");
    assert_string_equal(PROBLEM("--insecure-transport", "--tls-secret-name="), "");
    assert_non_null(strstr(PROBLEM("--tls-cert-file=a"), "go together"));
    assert_non_null(strstr(PROBLEM("--tls-key-file=b"), "go together"));
    assert_non_null(strstr(PROBLEM("--tls-secret-name="), "agents need TLS"));
    assert_non_null(strstr(PROBLEM("--ca-configmap-name="), "agents need TLS"));
    assert_non_null(strstr(PROBLEM("--service-name="), "agents need TLS"));
    assert_non_null(strstr(PROBLEM("--namespace="), "agents need TLS"));
}

static void the_lease_s_times_must_leave_room_for_each_other(void **state)
{
    (void)state;
    assert_non_null(
        strstr(PROBLEM("--lease-duration=10s", "--lease-renew-deadline=10s"), "--lease-renew-deadline"));
    assert_non_null(strstr(PROBLEM("--lease-retry-period=10s"), "--lease-retry-period"));
}

static void credentials_travel_by_https_only(void **state)
{
    (void)state;
    assert_non_null(strstr(PROBLEM("--vpsie-url=http://api.vpsie.com/v2"), "https"));
    assert_non_null(strstr(PROBLEM("--vpsie-auth=basic"), "--vpsie-auth"));
}

static void only_known_expanders_are_taken(void **state)
{
    (void)state;
    assert_non_null(strstr(PROBLEM("--expander=cheapest"), "least-waste"));
}

static void a_burst_ends_no_sooner_than_its_quiet(void **state)
{
    (void)state;
    assert_non_null(strstr(PROBLEM("--burst-quiet=2s", "--burst-max=1s"), "--burst-max"));
}

static void the_help_says_what_a_dry_run_still_writes(void **state)
{
    (void)state;
    char help[1 << 16] = "";
    FILE *file = fmemopen(help, sizeof help, "w");
    assert_non_null(file);
    run_options_help(file);
    assert_int_equal(fclose(file), 0);
    const char *flag = strstr(help, "--dry-run");
    assert_non_null(flag);
    const char *certificate = strstr(flag, "certificate"), *next = strstr(flag, "--wait-for-resume");
    assert_true(certificate != NULL && next != NULL && certificate < next);
}

int main(void)
{
    unsetenv("KUBECONFIG");
    unsetenv("POD_NAMESPACE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_fit_for_a_pod),
        cmocka_unit_test(agents_need_tls_from_files_or_from_an_authority_of_ours),
        cmocka_unit_test(the_lease_s_times_must_leave_room_for_each_other),
        cmocka_unit_test(credentials_travel_by_https_only),
        cmocka_unit_test(only_known_expanders_are_taken),
        cmocka_unit_test(a_burst_ends_no_sooner_than_its_quiet),
        cmocka_unit_test(the_help_says_what_a_dry_run_still_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

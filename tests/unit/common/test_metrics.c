#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/metrics.h"
#include "tests/support/again.h"

static void expect_line(const char *line)
{
    struct text AUTOTEXT out = {0};
    metrics_render(&out);
    char wanted[256];
    snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    if (strstr(text_get(&out), wanted) == NULL)
        fail_msg("no line \"%s\" in:\n%s", line, text_get(&out));
}

static bool renders(const char *part)
{
    struct text AUTOTEXT out = {0};
    metrics_render(&out);
    return strstr(text_get(&out), part) != NULL;
}

static void counters_and_gauges_are_rendered_with_help_and_type(void **state)
{
    (void)state;
    struct metric *reports = metrics_counter("test_reports_total", NULL, "Reports\nread\\written.");
    metric_add(reports, 1);
    metric_add(reports, 2);
    struct metric *load = metrics_gauge("test_load", "group=\"a\"", "Load.");
    metric_set(load, 5);
    metric_add(load, -5.5);
    assert_true(metric_value(load) == -0.5);
    expect_line("# HELP test_reports_total Reports\\nread\\\\written.");
    expect_line("# TYPE test_reports_total counter");
    expect_line("test_reports_total 3");
    expect_line("# TYPE test_load gauge");
    expect_line("test_load{group=\"a\"} -0.5");
}

static void a_series_is_found_again_by_name_and_labels(void **state)
{
    (void)state;
    struct metric *a = metrics_gauge("test_found", "x=\"1\"", "Found.");
    assert_ptr_equal(metrics_gauge("test_found", "x=\"1\"", "Found."), a);
    assert_ptr_not_equal(metrics_gauge("test_found", "x=\"2\"", "Found."), a);
    assert_ptr_equal(metrics_gauge("test_found", NULL, "Found."), metrics_gauge("test_found", "", "Found."));
}

static void histograms_are_cumulative(void **state)
{
    (void)state;
    const double bounds[] = {0.1, 0.5, 2};
    struct metric *time = metrics_histogram("test_seconds", "verb=\"get\"", "Time.", bounds, 3);
    const double seen[] = {0.05, 0.1, 0.3, 1.0, 7.5};
    for (size_t i = 0; i < 5; i++)
        metric_observe(time, seen[i]);
    assert_true(metric_value(time) == 5);
    expect_line("# TYPE test_seconds histogram");
    expect_line("test_seconds_bucket{verb=\"get\",le=\"0.1\"} 2");
    expect_line("test_seconds_bucket{verb=\"get\",le=\"0.5\"} 3");
    expect_line("test_seconds_bucket{verb=\"get\",le=\"2\"} 4");
    expect_line("test_seconds_bucket{verb=\"get\",le=\"+Inf\"} 5");
    expect_line("test_seconds_count{verb=\"get\"} 5");
    struct text AUTOTEXT out = {0};
    metrics_render(&out);
    const char *sum = strstr(text_get(&out), "test_seconds_sum{verb=\"get\"} ");
    assert_non_null(sum);
    double value = atof(sum + strlen("test_seconds_sum{verb=\"get\"} "));
    assert_true(value > 8.949 && value < 8.951);
}

static void a_histogram_without_labels_has_its_bound_alone(void **state)
{
    (void)state;
    const double bounds[] = {1};
    metric_observe(metrics_histogram("test_plain_seconds", NULL, "Time.", bounds, 1), 1);
    expect_line("test_plain_seconds_bucket{le=\"1\"} 1");
    expect_line("test_plain_seconds_count 1");
}

static void names_and_labels_are_sorted_and_heads_come_once(void **state)
{
    (void)state;
    metrics_gauge("test_sort_b", "x=\"2\"", "B.");
    metrics_gauge("test_sort_a", NULL, "A.");
    metrics_gauge("test_sort_b", "x=\"1\"", "B.");
    struct text AUTOTEXT out = {0};
    metrics_render(&out);
    const char *expected = "# HELP test_sort_a A.\n# TYPE test_sort_a gauge\ntest_sort_a 0\n"
                           "# HELP test_sort_b B.\n# TYPE test_sort_b gauge\n"
                           "test_sort_b{x=\"1\"} 0\ntest_sort_b{x=\"2\"} 0\n";
    assert_non_null(strstr(text_get(&out), expected));
}

static void forgotten_series_go_and_come_back_from_zero(void **state)
{
    (void)state;
    struct metric *a = metrics_gauge("test_group_nodes", "group=\"a\"", "Nodes.");
    struct metric *b = metrics_gauge("test_group_nodes", "group=\"b\"", "Nodes.");
    metric_set(a, 3);
    metric_set(b, 4);
    metrics_forget("test_group_nodes");
    assert_false(renders("test_group_nodes"));
    metric_set(a, 9); // a handle still in somebody's hand does no harm
    metrics_forget("test_group_nodes");
    assert_true(metric_value(metrics_gauge("test_group_nodes", "group=\"b\"", "Nodes.")) == 0);
    expect_line("test_group_nodes{group=\"b\"} 0");
    assert_false(renders("test_group_nodes{group=\"a\"}"));
    metrics_forget("test_nobody_made_this");
}

static void the_process_says_how_it_is(void **state)
{
    (void)state;
    if (again_is_emulated()) {
        print_message("NOT TESTED: the emulator itself answers /proc/self/stat, with nothing\n");
        skip();
    }
    const char *names[] = {"\nprocess_resident_memory_bytes ", "\nprocess_cpu_seconds_total ",
                           "\nprocess_open_fds ", "\nprocess_start_time_seconds ", "\nprocess_threads "};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(renders(names[i]));
    struct text AUTOTEXT out = {0};
    metrics_render(&out);
    const char *memory = strstr(text_get(&out), names[0]);
    assert_true(atof(memory + strlen(names[0])) > 1e6);
    assert_true(atof(strstr(text_get(&out), names[4]) + strlen(names[4])) >= 1);
    assert_true(atof(strstr(text_get(&out), names[3]) + strlen(names[3])) > 1.6e9);
}

static void label_values_are_escaped_and_cut_at_a_character(void **state)
{
    (void)state;
    char buffer[64];
    assert_string_equal(metrics_label_escape(buffer, sizeof(buffer), "a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    assert_string_equal(metrics_label_escape(buffer, sizeof(buffer), "gr\xc3\xb6\xff"), "gr\xc3\xb6?");
    assert_string_equal(metrics_label_escape(buffer, 4, "ab\"c"), "ab");
    assert_string_equal(metrics_label_escape(buffer, 4, "ab\xc3\xb6"), "ab");
    assert_string_equal(metrics_label_escape(buffer, 5, "ab\xc3\xb6"), "ab\xc3\xb6");
    assert_string_equal(metrics_label_escape(buffer, 1, "ab"), "");
}

static void *count(void *context)
{
    (void)context;
    const double bounds[] = {10, 100};
    for (int i = 0; i < 5000; i++) {
        metric_add(metrics_counter("test_threads_total", NULL, "Threads."), 1);
        metric_observe(metrics_histogram("test_threads_seconds", NULL, "Threads.", bounds, 2), 50);
        if (i % 500 == 0) {
            struct text AUTOTEXT out = {0};
            metrics_render(&out);
        }
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    expect_line("test_threads_total 20000");
    expect_line("test_threads_seconds_bucket{le=\"100\"} 20000");
    expect_line("test_threads_seconds_sum 1000000");
}

static void too_many_series_are_counted_and_given_a_dummy(void **state)
{
    (void)state;
    struct metric *last = NULL;
    for (int i = 0; i < METRICS_SERIES_MAX + 10; i++) {
        char labels[32];
        snprintf(labels, sizeof(labels), "i=\"%d\"", i);
        last = metrics_gauge("test_flood", labels, "Flood.");
        metric_set(last, 1);
    }
    const double bounds[] = {1};
    struct metric *histogram = metrics_histogram("test_flood_seconds", NULL, "Flood.", bounds, 1);
    assert_ptr_equal(histogram, last);
    metric_observe(histogram, 3);
    metric_add(metrics_counter("test_flood_total", NULL, "Flood."), 1);
    struct text AUTOTEXT out = {0};
    metrics_render(&out);
    const char *name = "\nvpsie_autoscaler_metrics_series_dropped_total ";
    const char *dropped = strstr(text_get(&out), name);
    assert_non_null(dropped);
    assert_true(atof(dropped + strlen(name)) >= 12);
    assert_null(strstr(text_get(&out), "test_flood_total"));
    metric_set(metrics_gauge("test_flood", "i=\"0\"", "Flood."), 2); // those that are there go on
    expect_line("test_flood{i=\"0\"} 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges_are_rendered_with_help_and_type),
        cmocka_unit_test(a_series_is_found_again_by_name_and_labels),
        cmocka_unit_test(histograms_are_cumulative),
        cmocka_unit_test(a_histogram_without_labels_has_its_bound_alone),
        cmocka_unit_test(names_and_labels_are_sorted_and_heads_come_once),
        cmocka_unit_test(forgotten_series_go_and_come_back_from_zero),
        cmocka_unit_test(the_process_says_how_it_is),
        cmocka_unit_test(label_values_are_escaped_and_cut_at_a_character),
        cmocka_unit_test(nothing_is_lost_between_threads),
        cmocka_unit_test(too_many_series_are_counted_and_given_a_dummy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

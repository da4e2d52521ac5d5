#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "coordinator/model/cluster.h"
#include "tests/support/make_facts.h"

static struct cluster *cluster;

static int setup(void **state)
{
    (void)state;
    cluster = cluster_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cluster_destroy(cluster);
    return 0;
}

static struct agent *report(const char *start_id, uint64_t sequence, bool complete,
                            const struct pod_evidence_facts *pods, uint32_t count)
{
    struct agent_report_facts facts = make_report("n1", start_id, sequence);
    facts.pods_complete = complete;
    facts.pods = pods;
    facts.pod_count = count;
    return cluster_put_report(cluster, &facts);
}

static void an_agent_meets_its_node_whichever_comes_first(void **state)
{
    (void)state;
    struct node_facts facts = make_node("n1");
    struct agent *agent = report("s1", 1, false, NULL, 0);
    assert_ptr_equal(cluster_agent(cluster, "n1"), agent);
    const struct node *node = cluster_put_node(cluster, &facts);
    assert_ptr_equal(node->agent, agent);
    facts = make_node("n2");
    node = cluster_put_node(cluster, &facts);
    assert_null(node->agent);
    struct agent_report_facts second = make_report("n2", "s2", 1);
    agent = cluster_put_report(cluster, &second);
    assert_ptr_equal(node->agent, agent);
    cluster_remove_node(cluster, "n2", "");
    assert_null(cluster_agent(cluster, "n2"));
    assert_int_equal(cluster->agent_count, 1);
}

static void everything_told_is_kept(void **state)
{
    (void)state;
    struct agent_report_facts facts = make_report("n1", "s1", 7);
    facts.pressure_cpu_some60 = 1.5;
    facts.pressure_memory_full60 = -1;
    facts.pressure_io_full60 = 2.5;
    facts.inhibitor_count = 2;
    const struct agent *agent = cluster_put_report(cluster, &facts);
    assert_string_equal(agent->node_name, "n1");
    assert_string_equal(agent->start_id, "s1");
    assert_string_equal(agent->version, "1.0.0");
    assert_int_equal(agent->sequence, 7);
    assert_int_equal(agent->first_heard_ms, 1007);
    assert_int_equal(agent->heard_ms, 1007);
    assert_int_equal(agent->cpu_used_millis, 500);
    assert_int_equal(agent->memory_used_bytes, GIB);
    assert_int_equal(agent->memory_total_bytes, 8 * GIB);
    assert_true(agent->pressure_cpu_some60 == 1.5 && agent->pressure_memory_full60 == -1 &&
                agent->pressure_io_full60 == 2.5);
    assert_int_equal(agent->inhibitor_count, 2);
    assert_int_equal(cluster->version, 0);
}

static void a_stale_report_changes_nothing(void **state)
{
    (void)state;
    struct pod_evidence_facts pods[] = {make_evidence("p1", 10)};
    const struct agent *agent = report("s1", 5, true, pods, 1);
    assert_null(report("s1", 5, true, NULL, 0));
    assert_null(report("s1", 4, true, NULL, 0));
    assert_int_equal(agent->pod_count, 1);
    assert_int_equal(agent->heard_ms, 1005);
    assert_non_null(report("s1", 6, true, NULL, 0));
    assert_int_equal(agent->pod_count, 0);
    assert_int_equal(agent->first_heard_ms, 1005);
}

static void evidence_is_merged_pod_by_pod(void **state)
{
    (void)state;
    struct pod_evidence_facts first[] = {make_evidence("c", 1), make_evidence("a", 2), make_evidence("b", 3)};
    const struct agent *agent = report("s1", 1, true, first, 3);
    assert_int_equal(agent->pod_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(agent->pods[i].uid[0], 'a' + (int)i);
    struct pod_evidence_facts second[] = {make_evidence("b", 33), make_evidence("d", 4)};
    second[0].unknown = "not readable";
    report("s1", 2, false, second, 2);
    assert_int_equal(agent->pod_count, 4);
    assert_int_equal(agent_pod(agent, "b")->local_data_bytes, 33);
    assert_string_equal(agent_pod(agent, "b")->unknown, "not readable");
    assert_int_equal(agent_pod(agent, "a")->local_data_bytes, 2);
    assert_string_equal(agent_pod(agent, "a")->largest_volume, "cache");
    assert_null(agent_pod(agent, "x"));
    static const char *const gone[] = {"a", "never-there"};
    struct agent_report_facts facts = make_report("n1", "s1", 3);
    facts.pods_gone = gone;
    facts.pods_gone_count = 2;
    cluster_put_report(cluster, &facts);
    assert_int_equal(agent->pod_count, 3);
    assert_null(agent_pod(agent, "a"));
    assert_true(agent->complete);
    report("s1", 4, true, second, 1); // a complete set replaces all
    assert_int_equal(agent->pod_count, 1);
    assert_non_null(agent_pod(agent, "b"));
}

static void a_new_start_forgets_evidence_until_it_is_complete_again(void **state)
{
    (void)state;
    struct pod_evidence_facts pods[] = {make_evidence("a", 1), make_evidence("b", 2)};
    struct agent_report_facts facts = make_report("n1", "s1", 9);
    facts.pods = pods;
    facts.pod_count = 2;
    facts.pods_complete = true;
    facts.directive_id = "drain-1";
    const struct agent *agent = cluster_put_report(cluster, &facts);
    assert_true(agent->complete);
    report("s2", 1, false, pods, 1);
    assert_false(agent->complete);
    assert_int_equal(agent->pod_count, 1);
    assert_string_equal(agent->directive_id, "");
    assert_int_equal(agent->directive_verdict.received_ms, 0);
    assert_int_equal(agent->first_heard_ms, 1001);
    report("s2", 2, true, pods, 2);
    assert_true(agent->complete);
}

static void a_late_report_of_the_start_before_is_stale(void **state)
{
    (void)state;
    const struct agent *agent = report("s1", 50, true, NULL, 0);
    report("s2", 1, true, NULL, 0);
    assert_null(report("s1", 51, true, NULL, 0));
    assert_string_equal(agent->start_id, "s2");
    assert_non_null(report("s3", 1, true, NULL, 0));
    assert_null(report("s2", 2, true, NULL, 0));
}

static void verdicts_are_copied_whole(void **state)
{
    (void)state;
    char detail[] = "12 MiB in cache";
    struct evidence_reason reasons[] = {
        {.code = "LOCAL_DATA",
         .pod_uid = "p1",
         .subject = "cache",
         .observed = 12,
         .limit = 0,
         .detail = detail},
        {.code = "INHIBITED", .pod_uid = "", .subject = "backup", .detail = "until noon"},
    };
    struct agent_report_facts facts = make_report("n1", "s1", 1);
    facts.verdict = (struct evidence_verdict){.state = EVIDENCE_BLOCKED,
                                              .reasons = reasons,
                                              .reason_count = 2,
                                              .evaluated_ms = 7,
                                              .pods_remaining = 3};
    const struct agent *agent = cluster_put_report(cluster, &facts);
    detail[0] = 'X';
    assert_int_equal(agent->verdict.state, EVIDENCE_BLOCKED);
    assert_int_equal(agent->verdict.reason_count, 2);
    assert_string_equal(agent->verdict.reasons[0].detail, "12 MiB in cache");
    assert_string_equal(agent->verdict.reasons[0].pod_uid, "p1");
    assert_string_equal(agent->verdict.reasons[1].code, "INHIBITED");
    assert_string_equal(agent->verdict.reasons[1].subject, "backup");
    assert_int_equal(agent->verdict.evaluated_ms, 7);
    assert_int_equal(agent->verdict.received_ms, 1001);
    assert_int_equal(agent->verdict.pods_remaining, 3);
    facts = make_report("n1", "s1", 2);
    facts.verdict.state = EVIDENCE_READY;
    cluster_put_report(cluster, &facts);
    assert_int_equal(agent->verdict.state, EVIDENCE_READY);
    assert_int_equal(agent->verdict.reason_count, 0);
}

static void the_answer_to_a_directive_stays_until_the_next(void **state)
{
    (void)state;
    struct agent_report_facts facts = make_report("n1", "s1", 1);
    facts.directive_id = "drain-1";
    facts.directive_verdict.state = EVIDENCE_READY;
    const struct agent *agent = cluster_put_report(cluster, &facts);
    report("s1", 2, false, NULL, 0);
    assert_string_equal(agent->directive_id, "drain-1");
    assert_int_equal(agent->directive_verdict.state, EVIDENCE_READY);
    assert_int_equal(agent->directive_verdict.received_ms, 1001);
    facts = make_report("n1", "s1", 3);
    facts.directive_id = "drain-2";
    facts.directive_verdict.state = EVIDENCE_BUSY;
    cluster_put_report(cluster, &facts);
    assert_string_equal(agent->directive_id, "drain-2");
    assert_int_equal(agent->directive_verdict.state, EVIDENCE_BUSY);
}

static void evidence_beyond_the_limit_is_not_kept_and_said_to_be_incomplete(void **state)
{
    (void)state;
    uint32_t count = AGENT_PODS_MAX + 1;
    struct pod_evidence_facts *pods = calloc(count, sizeof(*pods));
    char(*uids)[16] = calloc(count, sizeof(*uids));
    for (uint32_t i = 0; i < count; i++) {
        snprintf(uids[i], sizeof(uids[i]), "%05u", i);
        pods[i] = make_evidence(uids[i], 0);
    }
    const struct agent *agent = report("s1", 1, true, pods, count - 1);
    assert_true(agent->complete);
    report("s1", 2, true, pods, count);
    assert_false(agent->complete);
    assert_int_equal(agent->pod_count, AGENT_PODS_MAX);
    free(uids);
    free(pods);
}

static void agents_without_a_node_make_room(void **state)
{
    (void)state;
    char name[16];
    for (uint32_t i = 0; i < FACTS_NODES_MAX; i++) {
        snprintf(name, sizeof(name), "n%05u", i);
        struct agent_report_facts facts = make_report(name, "s", 1);
        facts.received_ms = i == 77 ? 1 : 1000;
        cluster_put_report(cluster, &facts);
        if (i != 77 && i != 78) {
            struct node_facts node = make_node(name);
            cluster_put_node(cluster, &node);
        }
    }
    struct agent_report_facts facts = make_report("x", "s", 1);
    assert_non_null(cluster_put_report(cluster, &facts));
    assert_null(cluster_agent(cluster, "n00077")); // the longest silent one
    assert_non_null(cluster_agent(cluster, "n00078"));
    struct node_facts node = make_node("n00078");
    cluster_put_node(cluster, &node);
    node = make_node("x");
    cluster_put_node(cluster, &node);
    facts = make_report("y", "s", 1);
    assert_null(cluster_put_report(cluster, &facts)); // every agent has a node
    assert_int_equal(cluster->agent_count, FACTS_NODES_MAX);
}

static void reports_leave_no_strings_behind(void **state)
{
    (void)state;
    size_t before = 0;
    for (uint64_t i = 1; i < 300; i++) {
        char text[32];
        snprintf(text, sizeof(text), "x-%u", (unsigned)i);
        struct pod_evidence_facts pods[] = {make_evidence(text, 1)};
        pods[0].largest_volume = pods[0].unknown = text;
        struct evidence_reason reason = {text, text, text, 0, 0, text};
        struct agent_report_facts facts = make_report("n1", text, i);
        facts.version = facts.directive_id = text;
        facts.pods = pods;
        facts.pod_count = 1;
        facts.verdict = (struct evidence_verdict){.reasons = &reason, .reason_count = 1};
        facts.directive_verdict = facts.verdict;
        cluster_put_report(cluster, &facts);
        if (i == 10)
            before = strings_count(cluster->strings);
    }
    assert_int_equal(strings_count(cluster->strings), before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_agent_meets_its_node_whichever_comes_first),
        TEST(everything_told_is_kept),
        TEST(a_stale_report_changes_nothing),
        TEST(evidence_is_merged_pod_by_pod),
        TEST(a_new_start_forgets_evidence_until_it_is_complete_again),
        TEST(a_late_report_of_the_start_before_is_stale),
        TEST(verdicts_are_copied_whole),
        TEST(the_answer_to_a_directive_stays_until_the_next),
        TEST(evidence_beyond_the_limit_is_not_kept_and_said_to_be_incomplete),
        TEST(agents_without_a_node_make_room),
        TEST(reports_leave_no_strings_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

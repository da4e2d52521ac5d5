#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/metrics.h"
#include "coordinator/admin/client.h"
#include "coordinator/admin/view.h"
#include "coordinator/decide/moves.h"
#include "tests/unit/decide/policy_stage.c"

static struct stage *stage;

static int setup(void **state)
{
    (void)state;
    stage = stage_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stage_destroy(stage);
    return 0;
}

static cJSON *ask(const char *text)
{
    struct error error = {0};
    struct admin_request *request = admin_request_parse(text, strlen(text), &error);
    assert_non_null(request);
    struct view_extra extra = {.version = "1.0.0",
                               .identity = "coord-7d9",
                               .started_ms = STAGE_START_MS,
                               .kube_detail = "",
                               .vpsie_detail = "",
                               .admin_detail = "",
                               .agents_connected = 2,
                               .queue_capacity = 100};
    char *reply = view_render(stage->core, &extra, request);
    admin_request_free(request);
    cJSON *json = cJSON_Parse(reply);
    if (json == NULL)
        fail_msg("no JSON: %s", reply);
    free(reply);
    return json;
}

static const cJSON *at(const cJSON *json, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, name);
    if (member == NULL)
        fail_msg("there is no \"%s\"", name);
    return member;
}

static const char *text_at(const cJSON *json, const char *name)
{
    assert_true(cJSON_IsString(at(json, name)));
    return at(json, name)->valuestring;
}

static int number_at(const cJSON *json, const char *name)
{
    assert_true(cJSON_IsNumber(at(json, name)));
    return at(json, name)->valueint;
}

static bool needs(const cJSON *json, const char *what, const char *look)
{
    const cJSON *need;
    cJSON_ArrayForEach(need,
                       at(json, "needsYou")) if (strstr(text_at(need, "what"), what) != NULL &&
                                                 strstr(text_at(need, "look"), look) != NULL) return true;
    return false;
}

static void usual_cluster(void)
{
    stage_group(stage, "general", 0, 3);
    stage_machine(stage, "w-1", "general");
    stage_machine(stage, "w-2", "general");
    stage_running(stage, "big", "w-1", 2800, 2048);
    stage_running(stage, "small", "w-2", 200, 64);
    stage_wait(stage, 2000);
}

// ---- status

static void an_acting_coordinator_says_so_and_needs_nobody(void **state)
{
    (void)state;
    usual_cluster();
    cJSON *json = ask("{\"command\":\"status\"}");
    assert_true(cJSON_IsTrue(at(json, "ok")));
    assert_string_equal(text_at(json, "state"), "ACTING");
    assert_string_equal(text_at(json, "leader"), "coord-7d9");
    assert_int_equal(cJSON_GetArraySize(at(json, "needsYou")), 0);
    assert_int_equal(number_at(at(json, "agents"), "heard"), 2);
    const cJSON *group = cJSON_GetArrayItem(at(json, "groups"), 0);
    assert_string_equal(text_at(group, "name"), "general");
    assert_int_equal(number_at(group, "ready"), 2);
    assert_int_equal(number_at(group, "cpuRequestedPercent"), 42);
    assert_string_equal(text_at(group, "doing"), "steady");
    cJSON_Delete(json);
}

static void a_group_shows_its_vpsie_groups(void **state)
{
    (void)state;
    usual_cluster();
    struct group_life *life = group_life(stage->core, cluster_group(stage->core->cluster, NULL, "general"));
    assert_true(life->pool_count > 0);
    life->pools[0].backoff_until_ms = stage->now_ms + 60000;
    snprintf(life->pools[0].backoff_reason, sizeof(life->pools[0].backoff_reason), "quota exceeded");
    cJSON *json = ask("{\"command\":\"groups\"}");
    const cJSON *pools = at(cJSON_GetArrayItem(at(json, "groups"), 0), "pools");
    assert_int_equal(cJSON_GetArraySize(pools), life->pool_count);
    const cJSON *pool = cJSON_GetArrayItem(pools, 0);
    assert_string_equal(text_at(pool, "name"), "general");
    assert_int_equal(number_at(pool, "sizeID"), life->size_id);
    assert_int_equal(number_at(pool, "vpsieGroupID"), life->vpsie_group_id);
    assert_true(cJSON_IsTrue(at(pool, "orderable")));
    assert_string_equal(text_at(pool, "backoffReason"), "quota exceeded");
    cJSON_Delete(json);
}

// As the agents of an installation without any privilege: they cannot list the kubelet's folders.
static void nodes_whose_agents_may_not_look_are_counted(void **state)
{
    (void)state;
    usual_cluster();
    for (int i = 0; i < 2; i++) {
        struct event *event = stage_report_event(stage, i == 0 ? "w-1" : "w-2");
        struct evidence_reason *reason = ARENA_NEW(event->arena, struct evidence_reason);
        *reason = (struct evidence_reason){.code = "unreadable",
                                           .pod_uid = "",
                                           .subject = "pod directories",
                                           .detail = "open var/lib/kubelet/pods: Permission denied"};
        event->report->verdict.state = EVIDENCE_UNKNOWN;
        event->report->verdict.reasons = reason;
        event->report->verdict.reason_count = 1;
        stage_step(stage, event);
    }
    cJSON *json = ask("{\"command\":\"status\"}");
    assert_true(needs(json, "2 nodes cannot shrink, such as w-1", "explain node w-1"));
    assert_true(needs(json, "pod directories: open var/lib/kubelet/pods: Permission denied", "explain"));
    cJSON_Delete(json);
}

static void every_state_heads_the_status(void **state)
{
    (void)state;
    usual_cluster();
    struct core *core = stage->core;
    char detail[300];
    core->brakes[BRAKE_MANY_BROKEN].on = true;
    snprintf(core->brakes[BRAKE_MANY_BROKEN].detail, 100, "5 of 9 nodes are broken");
    assert_string_equal(view_state(core, detail, sizeof(detail)), "HOLDING");
    assert_string_equal(detail, "5 of 9 nodes are broken");
    core->paused = true;
    snprintf(core->paused_reason, sizeof(core->paused_reason), "night shift");
    assert_string_equal(view_state(core, detail, sizeof(detail)), "PAUSED");
    assert_string_equal(detail, "night shift");
    core->config.dry_run = true;
    assert_string_equal(view_state(core, detail, sizeof(detail)), "DRY RUN");
    core->taken_over = false;
    assert_string_equal(view_state(core, detail, sizeof(detail)), "STARTING");
    core->leading = false;
    snprintf(core->holder, sizeof(core->holder), "coord-1");
    assert_string_equal(view_state(core, detail, sizeof(detail)), "STANDBY");
    assert_string_equal(detail, "coord-1 leads");
}

static void what_needs_a_person_comes_with_the_command_to_look(void **state)
{
    (void)state;
    usual_cluster();
    struct core *core = stage->core;
    stage_waiting(stage, "huge", 2, 9000, 64);
    stage_waiting(stage, "web", 3, 3000, 64); // w-2 has room for one, one more machine may come, one waits
    stage_wait(stage, 5000);
    cJSON *json = ask("{\"command\":\"status\"}");
    assert_true(needs(json, "general at max: 1 pod waits", "explain group general"));
    cJSON_Delete(json);
    struct group_life *life = group_life(core, cluster_group(core->cluster, NULL, "general"));
    life->backoff_until_ms = stage->now_ms + 60000;
    snprintf(life->backoff_reason, sizeof(life->backoff_reason), "quota exceeded");
    life->surplus = 1;
    core->brakes[BRAKE_AGENTS_SILENT].on = true;
    snprintf(core->brakes[BRAKE_AGENTS_SILENT].detail, 100, "6 of 7 agents are silent");
    json = ask("{\"command\":\"status\"}");
    assert_true(needs(json, "agents-silent: 6 of 7 agents are silent", "agents"));
    assert_true(needs(json, "general: orders refused: quota exceeded", "explain group general"));
    assert_true(needs(json, "general has 1 machine nobody asked for", "explain group general"));
    assert_true(needs(json, "no group can help: general: needs 9 cpu", "explain pod shop/huge-"));
    cJSON_Delete(json);
}

static void a_recommendation_needs_somebody_to_approve_it(void **state)
{
    (void)state;
    usual_cluster();
    struct core *core = stage->core;
    struct decision *decision =
        core_decide(core, DECISION_CONSOLIDATE, "general", "w-1", "remove w-1", "saves $36.50 a month");
    core->policy->moves->items[0] = (struct move){
        .state = MOVE_RECOMMENDED, .decision_id = decision->id, .space = "kube-system", .group = "general"};
    core->policy->moves->count = 1;
    char what[100], look[32];
    snprintf(what, sizeof(what), "D%llu waits for approval: remove w-1 in general, saves $36.50 a month",
             (unsigned long long)decision->id);
    snprintf(look, sizeof(look), "approve D%llu", (unsigned long long)decision->id);
    cJSON *json = ask("{\"command\":\"status\"}");
    assert_true(needs(json, what, look));
    cJSON_Delete(json);
}

// ---- lists

static void nodes_say_what_keeps_them(void **state)
{
    (void)state;
    usual_cluster();
    stage_step(stage, stage_node_event(stage, "foreign", 3500, 7168));
    cJSON *json = ask("{\"command\":\"nodes\"}");
    const cJSON *nodes = at(json, "nodes");
    assert_int_equal(cJSON_GetArraySize(nodes), 3);
    assert_string_equal(text_at(cJSON_GetArrayItem(nodes, 0), "name"), "foreign");
    assert_string_equal(text_at(cJSON_GetArrayItem(nodes, 0), "keptBy"), "managed");
    assert_string_equal(text_at(cJSON_GetArrayItem(nodes, 1), "keptBy"), "underused, requests");
    assert_string_equal(text_at(cJSON_GetArrayItem(nodes, 1), "state"), "ready");
    assert_int_equal(number_at(cJSON_GetArrayItem(nodes, 1), "pods"), 1);
    cJSON_Delete(json);
    stage_wait(stage, 10 * 60000);
    json = ask("{\"command\":\"nodes\"}");
    assert_true(cJSON_IsTrue(at(cJSON_GetArrayItem(at(json, "nodes"), 1), "agentSilent")));
    stage_step(stage, stage_report_event(stage, "w-1"));
    cJSON_Delete(json);
    json = ask("{\"command\":\"nodes\"}");
    assert_true(cJSON_IsFalse(at(cJSON_GetArrayItem(at(json, "nodes"), 1), "agentSilent")));
    cJSON_Delete(json);
    json = ask("{\"command\":\"nodes\",\"group\":\"general\",\"limit\":1}");
    assert_int_equal(cJSON_GetArraySize(at(json, "nodes")), 1);
    assert_string_equal(text_at(cJSON_GetArrayItem(at(json, "nodes"), 0), "name"), "w-1");
    cJSON_Delete(json);
}

static void pods_say_why_they_wait(void **state)
{
    (void)state;
    usual_cluster();
    stage_waiting(stage, "huge", 3, 9000, 64);
    stage_wait(stage, 1000);
    cJSON *json = ask("{\"command\":\"pods\",\"limit\":2}");
    assert_int_equal(cJSON_GetArraySize(at(json, "pods")), 2);
    assert_int_equal(number_at(json, "more"), 1);
    const cJSON *pod = cJSON_GetArrayItem(at(json, "pods"), 0);
    assert_string_equal(text_at(pod, "state"), "waits");
    assert_non_null(strstr(text_at(pod, "verdict"), "no group can help"));
    cJSON_Delete(json);
}

static void actions_are_the_last_decisions(void **state)
{
    (void)state;
    usual_cluster();
    for (int i = 0; i < 600; i++)
        core_decide(stage->core, DECISION_ORDER, "general", "", "order 1 machine in general", "reason");
    cJSON *json = ask("{\"command\":\"actions\",\"limit\":3}");
    assert_int_equal(cJSON_GetArraySize(at(json, "actions")), 3);
    assert_int_equal(number_at(cJSON_GetArrayItem(at(json, "actions"), 2), "id"), 600);
    cJSON_Delete(json);
    json = ask("{\"command\":\"actions\",\"limit\":10000}");
    assert_int_equal(cJSON_GetArraySize(at(json, "actions")), DECISIONS_KEPT);
    cJSON_Delete(json);
}

static void a_decision_says_what_withheld_it_and_a_pause_is_never_withheld(void **state)
{
    (void)state;
    usual_cluster();
    struct core *core = stage->core;
    core->paused = true;
    core_decide(core, DECISION_OPERATOR, "", "", "pause", "maintenance");
    core_decide(core, DECISION_HOLD, "", "", "hold: paused", "maintenance");
    core_decide(core, DECISION_ORDER, "general", "", "order 1 machine in general", "reason");
    core->config.dry_run = true;
    core_decide(core, DECISION_ORDER, "general", "", "order 1 machine in general", "reason");
    cJSON *json = ask("{\"command\":\"actions\",\"limit\":4}");
    const char *const EXPECTED[] = {"", "", "paused", "dry run"};
    for (int i = 0; i < 4; i++) {
        const cJSON *action = cJSON_GetArrayItem(at(json, "actions"), i);
        assert_string_equal(text_at(action, "withheld"), EXPECTED[i]);
        assert_int_equal(cJSON_IsTrue(at(action, "done")), EXPECTED[i][0] == '\0');
    }
    struct screen screen = {.width = 100};
    client_show(&screen, ADMIN_ACTIONS, json, false);
    assert_non_null(strstr(text_get(&screen.out), "order 1 machine in general (not done: paused)"));
    text_free(&screen.out);
    cJSON_Delete(json);
    json = ask("{\"command\":\"status\"}");
    client_show(&screen, ADMIN_STATUS, json, false);
    assert_non_null(strstr(text_get(&screen.out), "reason (not done: dry run)\n"));
    text_free(&screen.out);
    cJSON_Delete(json);
}

static void lead_in_term(uint64_t term)
{
    struct event *event = event_create(EVENT_LEADER);
    event->leader.leading = true;
    event->leader.term = term;
    event->leader.identity = event->leader.holder = "us";
    event->leader.saved.paused_reason = "";
    stage_step(stage, event);
}

static void two_leaders_never_give_the_same_id(void **state)
{
    (void)state;
    struct core *core = stage->core;
    uint64_t before = core->decision_count;
    assert_int_equal(core_decide(core, DECISION_ORDER, "", "", "first", "")->id, before + 1);
    lead_in_term(3);
    assert_int_equal(core_decide(core, DECISION_ORDER, "", "", "second", "")->id, 2 * DECISIONS_PER_TERM + 1);
    uint64_t last = core->last_decision_id;
    lead_in_term(3); // the same leader still
    assert_int_equal(core_decide(core, DECISION_ORDER, "", "", "third", "")->id, last + 1);
    // what was decided in the term before is still known
    assert_string_equal(core_decision(core, before + 1)->summary, "first");
    assert_string_equal(core_decision(core, last)->summary, "second");
    assert_null(core_decision(core, before + 2));
    cJSON *json = ask("{\"command\":\"actions\"}");
    const cJSON *actions = at(json, "actions");
    assert_int_equal(cJSON_GetArraySize(actions), (int)core->decision_count);
    assert_string_equal(text_at(cJSON_GetArrayItem(actions, 0), "summary"), "first");
    cJSON_Delete(json);
    for (uint32_t i = 0; i < DECISIONS_KEPT - 1; i++)
        core_decide(core, DECISION_ORDER, "", "", "more", "");
    assert_null(core_decision(core, before + 1));
    assert_string_equal(core_decision_made(core, core->decision_count - DECISIONS_KEPT)->summary, "third");
    assert_null(core_decision_made(core, core->decision_count - DECISIONS_KEPT - 1));
    assert_null(core_decision_made(core, core->decision_count));
}

static const char *said_to(enum operator_verb verb, const char *argument)
{
    struct event *event = event_create(EVENT_OPERATOR);
    event->operator_request.verb = verb;
    event->operator_request.request_id = 7;
    event->operator_request.argument = argument;
    stage_step(stage, event);
    return stage_find(stage, COMMAND_OPERATOR_REPLY)->operator_reply.text;
}

static void a_pause_promises_only_what_is_written(void **state)
{
    (void)state;
    assert_string_equal(said_to(OPERATOR_PAUSE, "night"), "paused; it survives restarts, `resume` ends it");
    stage->core->config.dry_run = true;
    assert_string_equal(said_to(OPERATOR_PAUSE, "night"),
                        "paused until this coordinator ends (dry run: nothing is written)");
}

static void a_group_that_is_not_there_has_no_nodes_to_list(void **state)
{
    (void)state;
    usual_cluster();
    cJSON *json = ask("{\"command\":\"nodes\",\"group\":\"nope\"}");
    assert_true(cJSON_IsFalse(at(json, "ok")));
    assert_string_equal(text_at(json, "error"), "there is no NodeGroup nope");
    assert_string_equal(text_at(json, "code"), "not-found");
    cJSON_Delete(json);
}

static void agents_are_listed_and_missing_ones_named(void **state)
{
    (void)state;
    usual_cluster();
    stage_step(stage, stage_report_event(stage, "w-1"));
    stage_wait(stage, 70000);
    stage_step(stage, stage_report_event(stage, "w-1"));
    cJSON *json = ask("{\"command\":\"agents\"}");
    const cJSON *agents = at(json, "agents");
    assert_int_equal(cJSON_GetArraySize(agents), 2);
    assert_true(cJSON_IsFalse(at(cJSON_GetArrayItem(agents, 0), "silent")));
    assert_true(cJSON_IsTrue(at(cJSON_GetArrayItem(agents, 1), "silent")));
    assert_string_equal(text_at(cJSON_GetArrayItem(agents, 0), "evidence"), "READY");
    cJSON_Delete(json);
}

// ---- explain, snapshot

static void explanations_are_told_rule_by_rule(void **state)
{
    (void)state;
    usual_cluster();
    cJSON *json = ask("{\"command\":\"explain\",\"node\":\"w-2\"}");
    assert_string_equal(text_at(json, "subject"), "node w-2");
    assert_string_equal(text_at(json, "group"), "general");
    assert_string_equal(text_at(json, "verdict"), "WAITS for underused, requests");
    assert_true(cJSON_GetArraySize(at(json, "rules")) > 20);
    cJSON_Delete(json);
    json = ask("{\"command\":\"explain\",\"pod\":\"shop/nobody\"}");
    assert_true(cJSON_IsFalse(at(json, "ok")));
    assert_string_equal(text_at(json, "error"), "there is no pod shop/nobody");
    assert_string_equal(text_at(json, "code"), "not-found");
    cJSON_Delete(json);
}

static int count_of_kind(const cJSON *snapshot, const char *kind)
{
    int count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, at(snapshot, "items")) count += strcmp(text_at(item, "kind"), kind) == 0;
    return count;
}

static void a_snapshot_holds_every_object(void **state)
{
    (void)state;
    usual_cluster();
    stage_waiting(stage, "huge", 1, 9000, 64);
    stage_step(stage, stage_pod_event(stage, "lost", "nowhere", 100, 64));
    stage_step(stage, stage_budget_event(stage, "web", "web", 1));
    stage_step(stage, stage_config_event(stage));
    cJSON *json = ask("{\"command\":\"snapshot\"}");
    assert_int_equal(number_at(json, "snapshotVersion"), 2);
    assert_int_equal(count_of_kind(json, "Node"), 2);
    assert_int_equal(count_of_kind(json, "Pod"), 4);
    assert_int_equal(count_of_kind(json, "VPSieNode"), 2);
    assert_int_equal(count_of_kind(json, "NodeGroup"), 1);
    assert_int_equal(count_of_kind(json, "PodDisruptionBudget"), 1);
    const cJSON *offers = cJSON_GetArrayItem(at(at(json, "vpsie"), "offers"), 0);
    assert_int_equal(cJSON_GetArraySize(at(offers, "offers")), 2);
    assert_int_equal(cJSON_GetArraySize(at(json, "agents")), 2);
    assert_int_equal(count_of_kind(json, "AutoscalerConfig"), 1);
    assert_int_equal(cJSON_GetArraySize(at(json, "templates")), 4); // each shape once; here all differ
    cJSON_Delete(json);
}

static void every_reply_can_be_shown_as_a_table(void **state)
{
    (void)state;
    usual_cluster();
    stage_waiting(stage, "huge", 1, 9000, 64);
    stage_wait(stage, 1000);
    const char *const COMMANDS[] = {"status", "groups", "nodes", "agents", "pods", "actions"};
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
        char AUTOFREE *request = xprintf("{\"command\":\"%s\"}", COMMANDS[i]);
        cJSON *json = ask(request);
        struct error error = {0};
        struct admin_request *parsed = admin_request_parse(request, strlen(request), &error);
        struct screen screen = {.width = 100};
        client_show(&screen, parsed->command, json, false);
        assert_true(screen.out.length > 0);
        text_free(&screen.out);
        admin_request_free(parsed);
        cJSON_Delete(json);
    }
}

static void a_standby_answers_too(void **state)
{
    (void)state;
    stage->core->leading = false;
    usual_cluster();
    const char *const COMMANDS[] = {"status", "groups", "nodes", "agents", "pods", "actions", "snapshot"};
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
        char AUTOFREE *request = xprintf("{\"command\":\"%s\"}", COMMANDS[i]);
        cJSON *json = ask(request);
        assert_true(cJSON_IsTrue(at(json, "ok")));
        cJSON_Delete(json);
    }
}

// ---- metrics

static double gauge(const char *name, const char *labels)
{
    return metric_value(metrics_gauge(name, labels, ""));
}

static void gauges_follow_the_core(void **state)
{
    (void)state;
    usual_cluster();
    stage_waiting(stage, "huge", 2, 9000, 64);
    stage_waiting(stage, "web", 1, 3400, 64);
    stage_wait(stage, 1000);
    stage->core->machines_ordered = 7;
    metrics_from_core(stage->core);
    assert_int_equal((int)gauge("vpsie_autoscaler_group_nodes", "group=\"general\",phase=\"ready\""), 2);
    assert_int_equal((int)gauge("vpsie_autoscaler_group_nodes", "group=\"general\",phase=\"coming\""), 1);
    assert_int_equal((int)gauge("vpsie_autoscaler_group_nodes_limit", "group=\"general\",limit=\"max\""), 3);
    assert_int_equal((int)gauge("vpsie_autoscaler_pending_pods", NULL), 3);
    assert_int_equal((int)gauge("vpsie_autoscaler_unhelpable_pods", NULL), 2);
    assert_int_equal((int)gauge("vpsie_autoscaler_is_leader", NULL), 1);
    assert_int_equal((int)gauge("vpsie_autoscaler_brake", "brake=\"paused\""), 0);
    struct metric *ordered = metrics_counter("vpsie_autoscaler_machines_ordered_total", NULL, "");
    struct metric *decided = metrics_counter("vpsie_autoscaler_decisions_total", "kind=\"order\"", "");
    assert_int_equal((int)metric_value(ordered), 7);
    assert_int_equal((int)metric_value(decided), 1);
    metrics_from_core(stage->core); // counts nothing twice
    assert_int_equal((int)metric_value(ordered), 7);
    assert_int_equal((int)metric_value(decided), 1);
    struct event *event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = OBJECT_NODEGROUP;
    event->gone.space = "kube-system";
    event->gone.name = "general";
    event->gone.uid = "";
    stage_step(stage, event);
    metrics_from_core(stage->core);
    struct text out = {0};
    metrics_render(&out);
    assert_null(strstr(text_get(&out), "group=\"general\"")); // a group takes its series with it
    text_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_acting_coordinator_says_so_and_needs_nobody),
        TEST(a_group_shows_its_vpsie_groups),
        TEST(nodes_whose_agents_may_not_look_are_counted),
        TEST(a_group_shows_its_vpsie_groups),
        TEST(nodes_whose_agents_may_not_look_are_counted),
        TEST(every_state_heads_the_status),
        TEST(what_needs_a_person_comes_with_the_command_to_look),
        TEST(a_recommendation_needs_somebody_to_approve_it),
        TEST(nodes_say_what_keeps_them),
        TEST(pods_say_why_they_wait),
        TEST(actions_are_the_last_decisions),
        TEST(a_decision_says_what_withheld_it_and_a_pause_is_never_withheld),
        TEST(two_leaders_never_give_the_same_id),
        TEST(a_pause_promises_only_what_is_written),
        TEST(a_group_that_is_not_there_has_no_nodes_to_list),
        TEST(agents_are_listed_and_missing_ones_named),
        TEST(explanations_are_told_rule_by_rule),
        TEST(a_snapshot_holds_every_object),
        TEST(every_reply_can_be_shown_as_a_table),
        TEST(a_standby_answers_too),
        TEST(gauges_follow_the_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

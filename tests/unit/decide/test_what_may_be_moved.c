// Every rule of what may be moved, by name: a small pod on an idle node, one thing changed, and either that
// rule keeps the node, or it goes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire.h"
#include "tests/unit/decide/policy_stage.h"

#define MINUTE_MS 60000
#define KEEPS_IT  "pods fit elsewhere" // not one of the table of rules: the plan

struct change { // what a case may touch: the guest pod, its node, what its agent says, the rest by steps
    struct stage *stage;
    struct pod_facts *pod;
    struct event *pod_event;
    struct event *node;
    struct agent_report_facts *report;
    struct pod_evidence_facts evidence;
    struct evidence_reason reason;
};

// ---- pods

static void as_it_is(struct change *change)
{
    (void)change;
}

static void orphan(struct change *change)
{
    change->pod->controller_kind = change->pod->controller_name = change->pod->controller_uid = "";
}

static void orphan_that_may_go(struct change *change)
{
    orphan(change);
    change->pod->safe_to_evict = TRISTATE_TRUE;
}

static void system_pod(struct change *change)
{
    change->pod->space = "kube-system";
}

static void system_pod_when_the_setting_is_off(struct change *change)
{
    change->stage->core->config.skip_kube_system_pods = false;
    system_pod(change);
}

static void system_pod_that_may_go(struct change *change)
{
    system_pod(change);
    change->pod->safe_to_evict = TRISTATE_TRUE;
}

static void system_pod_with_a_budget(struct change *change)
{
    system_pod(change);
    struct event *event = stage_budget_event(change->stage, "dns", "web", 1);
    event->object.budget->space = "kube-system";
    stage_step(change->stage, event);
}

static const char *const SPOOL[] = {"spool"};
static const char *const TWO[] = {"cache", "spool"};

static void local_volume(struct change *change)
{
    change->pod->local_volumes = SPOOL;
    change->pod->local_volume_count = 1;
}

static void held(struct change *change, int64_t bytes, const char *largest, int64_t largest_bytes)
{
    local_volume(change);
    change->evidence = (struct pod_evidence_facts){.uid = "uid-pod-guest",
                                                   .cpu_millis = 1,
                                                   .memory_bytes = 1,
                                                   .local_data_bytes = bytes,
                                                   .largest_volume = largest,
                                                   .largest_volume_bytes = largest_bytes,
                                                   .unknown = ""};
    change->report->pods = &change->evidence;
    change->report->pod_count = 1;
}

static void data_held(struct change *change)
{
    held(change, 5, "spool", 5);
}

static void data_held_in_no_declared_volume(struct change *change) // its own writable layer
{
    held(change, 5, "", 0);
    change->pod->local_volume_count = 0;
}

static void nothing_held(struct change *change)
{
    held(change, 0, "", 0);
}

static void bytes_not_known(struct change *change)
{
    held(change, -1, "", -1);
    change->evidence.unknown = "permission denied";
}

static void data_held_that_may_be_lost(struct change *change)
{
    data_held(change);
    change->pod->safe_local_volumes = "cache, spool";
}

static void data_held_in_a_second_volume(struct change *change)
{
    held(change, 9, "cache", 4);
    change->pod->local_volumes = TWO;
    change->pod->local_volume_count = 2;
    change->pod->safe_local_volumes = "cache";
}

static void data_held_by_what_may_go(struct change *change)
{
    data_held(change);
    change->pod->safe_to_evict = TRISTATE_TRUE;
}

static void not_safe(struct change *change)
{
    change->pod->safe_to_evict = TRISTATE_FALSE;
}

static void not_to_be_disrupted(struct change *change)
{
    change->pod->do_not_disrupt = true;
}

static void not_to_be_disrupted_though_it_may_go(struct change *change)
{
    change->pod->do_not_disrupt = true;
    change->pod->safe_to_evict = TRISTATE_TRUE;
}

static void no_disruption_left(struct change *change)
{
    stage_step(change->stage, stage_budget_event(change->stage, "web", "web", 0));
}

static void one_disruption_left(struct change *change)
{
    stage_step(change->stage, stage_budget_event(change->stage, "web", "web", 1));
}

static void two_budgets(struct change *change)
{
    stage_step(change->stage, stage_budget_event(change->stage, "one", "web", 5));
    stage_step(change->stage, stage_budget_event(change->stage, "two", "web", 5));
}

static void old_status(struct change *change)
{
    struct event *event = stage_budget_event(change->stage, "web", "web", 5);
    event->object.budget->generation = 2;
    stage_step(change->stage, event);
}

static void budget_of_others(struct change *change)
{
    stage_step(change->stage, stage_budget_event(change->stage, "other", "other", 0));
}

static void at_home_only(struct change *change)
{
    stage_label(change->pod_event, &change->pod->shape.node_selector, "kubernetes.io/hostname", "idle");
}

static void beyond_us(struct change *change)
{
    change->pod->shape.needs = POD_NEEDS_RESOURCE_CLAIM;
}

static void daemon(struct change *change)
{
    not_safe(change);
    change->pod->controller_kind = "DaemonSet";
}

static void mirror(struct change *change)
{
    orphan(change);
    change->pod->mirror = true;
}

static void ended(struct change *change)
{
    orphan(change);
    change->pod->terminal = true;
    change->pod->phase = POD_SUCCEEDED;
}

static void expendable(struct change *change)
{
    orphan(change);
    change->pod->shape.priority = -11;
}

static void at_the_cut_off(struct change *change)
{
    orphan(change);
    change->pod->shape.priority = -10;
}

// ---- the agent's word on pods

static void agent_says(struct change *change, enum evidence_state state, const char *code, const char *uid)
{
    change->reason =
        (struct evidence_reason){.code = code, .pod_uid = uid, .subject = "guest", .detail = "seen"};
    change->report->verdict.state = state;
    change->report->verdict.reasons = &change->reason;
    change->report->verdict.reason_count = 1;
}

static void stuck_in_the_kernel(struct change *change)
{
    agent_says(change, EVIDENCE_BUSY, WIRE_REASON_UNINTERRUPTIBLE, "uid-pod-guest");
}

static void unreadable(struct change *change)
{
    agent_says(change, EVIDENCE_UNKNOWN, WIRE_REASON_UNREADABLE, "uid-pod-guest");
}

static void unreadable_but_may_go(struct change *change)
{
    unreadable(change);
    change->pod->safe_to_evict = TRISTATE_TRUE;
}

static void connected(struct change *change) // they end with the cordon; the drain asks again
{
    agent_says(change, EVIDENCE_BUSY, WIRE_REASON_CONNECTIONS, "uid-pod-guest");
}

static void node_unwell(struct change *change)
{
    agent_says(change, EVIDENCE_BLOCKED, WIRE_REASON_FILESYSTEM, "");
}

static void pressed(struct change *change)
{
    change->report->pressure_io_full60 = 31;
}

static void inhibited(struct change *change)
{
    change->report->inhibitor_count = 1;
}

// ---- nodes

static void annotated(struct change *change, const char *key, const char *value)
{
    stage_label(change->node, &change->node->object.node->annotations, key, value);
}

static void scale_down_disabled_as_elsewhere(struct change *change)
{
    annotated(change, "cluster-autoscaler.kubernetes.io/scale-down-disabled", "true");
}

static void protected(struct change *change)
{
    annotated(change, "autoscaler.vpsie.com/protected", "true");
}

static void protected_no_more(struct change *change)
{
    annotated(change, "autoscaler.vpsie.com/protected", "false");
}

static void scale_down_disabled(struct change *change)
{
    annotated(change, "autoscaler.vpsie.com/scale-down", "disabled");
}

static void labelled(struct change *change)
{
    stage_label(change->node, &change->node->object.node->labels, "autoscaler.vpsie.com/scale-down-disabled",
                "true");
}

static void outside_its_hours(struct change *change) // the stage begins at midnight
{
    annotated(change, "autoscaler.vpsie.com/scale-down-allowed-hours", "02:00-04:00");
}

static void inside_its_hours(struct change *change)
{
    annotated(change, "autoscaler.vpsie.com/scale-down-allowed-hours", "22:00-04:00");
}

static void made_by_hand(struct change *change)
{
    annotated(change, "autoscaler.vpsie.com/creation-reason", "manual");
}

static void made_at_first(struct change *change)
{
    annotated(change, "autoscaler.vpsie.com/creation-reason", "initial");
}

static void made_for_load(struct change *change)
{
    annotated(change, "autoscaler.vpsie.com/creation-reason", "metrics");
}

static void made_by_consolidation(struct change *change)
{
    annotated(change, "autoscaler.vpsie.com/creation-reason", "rebalance");
}

static void cordoned(struct change *change)
{
    change->node->object.node->unschedulable = true;
}

static const struct {
    const char *name;
    void (*make)(struct change *change);
    const char *kept_by; // NULL: it goes
} CASES[] = {
    {"nothing speaks against it", as_it_is, NULL},
    {"a pod without a controller", orphan, "pods have controllers"},
    {"a pod without a controller, safe-to-evict", orphan_that_may_go, NULL},
    {"a kube-system pod without a budget", system_pod, "kube-system"},
    {"the same, --skip-kube-system-pods=false", system_pod_when_the_setting_is_off, NULL},
    {"the same, safe-to-evict", system_pod_that_may_go, NULL},
    {"a kube-system pod with a budget", system_pod_with_a_budget, NULL},
    {"local volume, no evidence", local_volume, "local data"},
    {"local data held", data_held, "local data"},
    {"data held in no declared volume", data_held_in_no_declared_volume, "local data"},
    {"local volume, nothing held", nothing_held, NULL},
    {"local volume, evidence that could not be had", bytes_not_known, "local data"},
    {"data held, safe-to-evict-local-volumes", data_held_that_may_be_lost, NULL},
    {"data held in a volume that is not listed", data_held_in_a_second_volume, "local data"},
    {"data held, safe-to-evict", data_held_by_what_may_go, NULL},
    {"safe-to-evict: false", not_safe, "do not disrupt"},
    {"do-not-disrupt", not_to_be_disrupted, "do not disrupt"},
    {"do-not-disrupt and safe-to-evict", not_to_be_disrupted_though_it_may_go, "do not disrupt"},
    {"a budget with no disruption left", no_disruption_left, "budgets"},
    {"a budget with one left", one_disruption_left, NULL},
    {"two budgets on a pod", two_budgets, "budgets"},
    {"a budget whose status is old", old_status, "budgets"},
    {"a budget of other pods", budget_of_others, NULL},
    {"a pod that fits nowhere else", at_home_only, KEEPS_IT},
    {"a pod with asks beyond us", beyond_us, KEEPS_IT},
    {"a DaemonSet's pod", daemon, NULL},
    {"a mirror pod", mirror, NULL},
    {"a pod that has ended", ended, NULL},
    {"a pod below the priority cut-off", expendable, NULL},
    {"a pod at the priority cut-off", at_the_cut_off, "pods have controllers"},
    {"a process stuck in the kernel", stuck_in_the_kernel, "evidence of pods"},
    {"a pod that the agent cannot read", unreadable, "evidence of pods"},
    {"the same, safe-to-evict", unreadable_but_may_go, NULL},
    {"live connections before the cordon", connected, NULL},
    {"a node that its agent holds", node_unwell, "agent's verdict"},
    {"a node under pressure", pressed, "pressure"},
    {"an inhibitor", inhibited, "agent's verdict"},
    {"cluster-autoscaler's scale-down-disabled", scale_down_disabled_as_elsewhere, "protection"},
    {"protected", protected, "protection"},
    {"protected: false", protected_no_more, NULL},
    {"scale-down: disabled", scale_down_disabled, "protection"},
    {"the label scale-down-disabled", labelled, "protection"},
    {"outside its allowed hours", outside_its_hours, "allowed hours"},
    {"inside its allowed hours", inside_its_hours, NULL},
    {"creation reason manual", made_by_hand, "creation reason"},
    {"creation reason initial", made_at_first, "creation reason"},
    {"creation reason metrics", made_for_load, NULL},
    {"creation reason rebalance", made_by_consolidation, NULL},
    {"a person's cordon", cordoned, "cordon"},
};

// A busy node with room for the guest, and the guest's idle one.
static struct stage *begin(void (*make)(struct change *change))
{
    struct stage *stage = stage_create();
    stage_group(stage, "general", 0, 10);
    stage_machine(stage, "busy", "general");
    stage_machine(stage, "idle", "general");
    stage_running(stage, "big", "busy", 2800, 2048);
    stage_running(stage, "plain", "idle", 100, 64);
    struct change change = {.stage = stage,
                            .node = stage_node_event(stage, "idle", 3500, 7168),
                            .pod_event = stage_pod_event(stage, "guest", "idle", 100, 64)};
    stage_label(change.node, &change.node->object.node->labels, KEY_MANAGED, "true");
    stage_label(change.node, &change.node->object.node->labels, KEY_NODEGROUP, "general");
    stage_label(change.node, &change.node->object.node->labels, "pool", "general");
    change.pod = change.pod_event->object.pod;
    for (int i = 0; i < 34; i++) { // 11 minutes
        struct event *report = stage_report_event(stage, "idle");
        change.report = report->report;
        if (i == 0) {
            make(&change);
            stage_step(stage, change.node);
            stage_step(stage, change.pod_event);
            event_destroy(report);
        } else {
            struct event *unused = stage_pod_event(stage, "unused", "idle", 1, 1);
            struct event *unused_node = stage_node_event(stage, "idle", 3500, 7168);
            struct change again = {.stage = stage,
                                   .pod = unused->object.pod,
                                   .pod_event = unused,
                                   .node = unused_node,
                                   .report = report->report};
            make(&again);
            event_destroy(unused);
            event_destroy(unused_node);
            stage_step(stage, report);
        }
        stage_step(stage, stage_report_event(stage, "busy"));
        stage_wait(stage, 20000);
    }
    return stage;
}

static void each_rule_of_what_may_be_moved_keeps_its_node_or_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct stage *stage = begin(CASES[i].make);
        struct node *node = cluster_node(stage->core->cluster, "idle");
        struct arena *arena = arena_create(4096);
        struct explanation explained;
        bool goes = stage_leaves(stage, "idle");
        if (goes != (CASES[i].kept_by == NULL))
            fail_msg("%s: %s", CASES[i].name, goes ? "went" : "stayed");
        assert_true(explain_node(stage->core, arena, "idle", &explained));
        if (!goes) { // explained by the same rule, with what would have to change
            const struct rule *named = NULL;
            for (uint32_t r = 0; r < explained.rule_count; r++)
                if (explained.rules[r].verdict == RULE_BLOCKS || explained.rules[r].verdict == RULE_WAITS)
                    named = named != NULL ? named : &explained.rules[r];
            assert_non_null(named);
            if (strcmp(named->name, CASES[i].kept_by) != 0)
                fail_msg("%s: kept by %s", CASES[i].name, named->name);
            assert_string_not_equal(named->saw, "");
            assert_string_not_equal(named->change, "");
            assert_non_null(strstr(explained.verdict, CASES[i].kept_by));
            bool planned = strcmp(CASES[i].kept_by, KEEPS_IT) == 0;
            struct node_answer answer = policy_node_rules(stage->core, node);
            assert_true(planned ? answer.rule == NULL : strcmp(answer.rule, CASES[i].kept_by) == 0);
        }
        arena_destroy(arena);
        stage_destroy(stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_of_what_may_be_moved_keeps_its_node_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// Taking over: what is read first, what each stored VPSieNode means, terms, a predecessor.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/decide/puppet.h"

#define MINUTE LIFE_MINUTE_MS
#define SECOND LIFE_SECOND_MS

static struct puppet *puppet;

static int begin(void **state)
{
    (void)state;
    puppet = puppet_create(NULL);
    puppet_cloud_group(puppet, "general", 12, PUPPET_SIZE, 0);
    puppet_group(puppet, "general", PUPPET_SIZE, 0, 10);
    return 0;
}

static int end(void **state)
{
    (void)state;
    puppet_destroy(puppet);
    return 0;
}

static uint32_t writes(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < puppet->sent_count; i++)
        count += command_writes(puppet->sent[i]->kind);
    return count;
}

static struct life *life(const char *name)
{
    return puppet_life(puppet, name);
}

static void requested(struct puppet_node *node, int64_t ago_ms, const char *order)
{
    char at[32];
    text_format_time(at, sizeof(at), puppet->now_ms - ago_ms);
    puppet_annotate(node, KEY_CREATION_REQUESTED, at);
    puppet_annotate(node, KEY_BASELINE, "1;0;1700000000000;12;12:0;");
    puppet_annotate(node, KEY_ORDER, order);
    node->group_id = 12;
}

// ---- what comes first

static void nothing_is_asked_or_written_before_everything_has_been_seen(void **state)
{
    (void)state;
    puppet_intention(puppet, "w1", "general");
    puppet_show_intention(puppet, &puppet->nodes[0]);
    puppet_lead(puppet, 3);
    puppet_run(puppet, 5 * MINUTE);
    assert_int_equal(puppet->sent_count, 0);
}

static void nothing_is_written_before_the_consistent_lists_of_this_term(void **state)
{
    (void)state;
    puppet_intention(puppet, "w1", "general");
    puppet_show_intention(puppet, &puppet->nodes[0]);
    puppet->held[COMMAND_KUBE_LIST_FRESH] = true;
    puppet->held[COMMAND_VPSIE_LIST_GROUPS] = true;
    puppet_start(puppet);
    puppet_run(puppet, 5 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_FRESH), 1);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_LIST_GROUPS), 0); // VPSie's lists come after
    puppet_answer_all(puppet, COMMAND_KUBE_LIST_FRESH);
    puppet_run(puppet, 5 * MINUTE);
    assert_int_equal(writes(), 0);
    assert_false(puppet->core->taken_over);
    puppet_answer_all(puppet, COMMAND_VPSIE_LIST_GROUPS);
    puppet_run(puppet, 10 * SECOND);
    assert_true(puppet->core->taken_over);
    assert_true(writes() > 0);
}

static void a_list_that_fails_is_asked_for_again(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_LIST_FRESH] = true;
    puppet_start(puppet);
    puppet_answer(puppet, puppet_last(puppet, COMMAND_KUBE_LIST_FRESH), OUTCOME_UNKNOWN);
    puppet_run(puppet, 3 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_FRESH), 2);
    assert_false(puppet->core->taken_over);
}

static void vpsie_s_lists_are_asked_for_again_when_they_fail(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_LIST_MACHINES] = true;
    puppet_start(puppet);
    puppet_answer(puppet, puppet_last(puppet, COMMAND_VPSIE_LIST_MACHINES), OUTCOME_UNKNOWN);
    puppet_run(puppet, 3 * SECOND);
    assert_false(puppet->core->taken_over);
    puppet_answer_all(puppet, COMMAND_VPSIE_LIST_MACHINES);
    assert_true(puppet->core->taken_over);
}

static void a_cluster_that_vpsie_does_not_know_holds_nobody_else_up(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_LIST_GROUPS] = true;
    puppet_start(puppet);
    puppet_answer_words(puppet, puppet_last(puppet, COMMAND_VPSIE_LIST_GROUPS), OUTCOME_NOT_FOUND, 0,
                        "no such cluster");
    assert_true(puppet->core->taken_over);
    puppet_run(puppet, 2 * MINUTE);
    const struct group_life *group =
        group_life(puppet->core, cluster_group(puppet->core->cluster, NULL, "general"));
    (void)group;
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 0);
}

static void every_command_carries_its_leader_s_term(void **state)
{
    (void)state;
    puppet_step(puppet, event_create(EVENT_KUBE_SYNCED));
    puppet_lead(puppet, 41);
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, MINUTE);
    for (uint32_t i = 0; i < puppet->sent_count; i++)
        assert_int_equal(puppet->sent[i]->term, 41);
}

static void a_leader_that_lost_the_lease_says_nothing_more(void **state)
{
    (void)state;
    puppet_start(puppet);
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = true;
    puppet_order(puppet, "general", 1);
    puppet_lose(puppet);
    uint32_t before = puppet->sent_count;
    puppet_answer_all(puppet, COMMAND_KUBE_UPDATE_INTENTION); // the baseline was stored after all
    puppet_run(puppet, 10 * MINUTE);
    assert_int_equal(puppet->sent_count, before);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 0);
    puppet_lead(puppet, 3);
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 0); // stored in another term: unknown
}

// ---- what is stored, and what it means

static void an_intention_without_a_baseline_is_simply_gone_on_with(void **state)
{
    (void)state;
    puppet_intention(puppet, "w1", "general");
    puppet_show_intention(puppet, &puppet->nodes[0]);
    puppet_start(puppet);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 1);
}

static void an_order_without_an_outcome_is_unknown_and_never_repeated(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_intention(puppet, "w1", "general");
    requested(node, 5 * SECOND, "requested");
    puppet_show_intention(puppet, node);
    puppet_start(puppet);
    puppet_run(puppet, 10 * MINUTE);
    assert_int_equal(life("w1")->step, LIFE_APPEAR);
    assert_true(life("w1")->outcome_unknown);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 0);
    puppet_run(puppet, 6 * MINUTE);
    assert_int_equal(life("w1")->step, LIFE_FAILED);
    assert_string_equal(puppet_note_of(node, KEY_ORDER), "not-placed");
}

static void an_unknown_order_whose_machine_is_there_is_finished(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_intention(puppet, "w1", "general");
    requested(node, 5 * SECOND, "requested");
    puppet_show_intention(puppet, node);
    struct puppet_machine *machine = puppet_machine(puppet, "vps-1", "w-1");
    machine->cpu = 4;
    machine->memory_mb = 8192;
    puppet->cloud_groups[0].nodes = 1;
    puppet_start(puppet);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(life("w1")->step, LIFE_JOIN);
    assert_string_equal(node->identifier, "vps-1");
}

static void an_accepted_order_is_accepted_still(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_intention(puppet, "w1", "general");
    requested(node, 5 * SECOND, "accepted");
    puppet_show_intention(puppet, node);
    puppet_start(puppet);
    assert_int_equal(life("w1")->step, LIFE_APPEAR);
    assert_false(life("w1")->outcome_unknown);
}

static void the_bound_counts_from_the_call_not_from_the_takeover(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_intention(puppet, "w1", "general");
    requested(node, 14 * MINUTE, "accepted");
    puppet_show_intention(puppet, node);
    puppet_start(puppet);
    puppet_run(puppet, 4 * MINUTE); // who has just come watches the lists for a while
    assert_int_equal(life("w1")->step, LIFE_APPEAR);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(life("w1")->step, LIFE_FAILED);
}

// Its answer was lost, then nobody led for an hour. Another machine has vanished meanwhile, so that the
// counts say nothing for a while.
static void an_order_whose_time_passed_unwatched_finds_its_machine(void **state)
{
    (void)state;
    puppet_in_service(puppet, "w0", "general");
    struct puppet_node *node = puppet_intention(puppet, "w1", "general");
    requested(node, 60 * MINUTE, "requested");
    puppet_show_intention(puppet, node);
    puppet_machine_gone(puppet, "vps-w0");
    puppet_kube_node(puppet, "host-w0", false);
    puppet_machine(puppet, "vps-w1", "host-w1");
    puppet->cloud_groups[0].nodes = 1;
    puppet_start(puppet);
    puppet_run(puppet, 10 * MINUTE);
    assert_string_equal(node->identifier, "vps-w1");
    assert_true(life("w1")->step >= LIFE_JOIN && life("w1")->step <= LIFE_READY);
}

static void a_machine_that_could_not_join_while_nobody_led_has_some_time_again(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_intention(puppet, "w1", "general");
    requested(node, 60 * MINUTE, "placed");
    snprintf(node->identifier, sizeof(node->identifier), "vps-w1");
    node->phase = INTENTION_PROVISIONED;
    node->provisioned_ms = puppet->now_ms - 50 * MINUTE;
    puppet_show_intention(puppet, node);
    puppet_machine(puppet, "vps-w1", "host-w1");
    puppet->cloud_groups[0].nodes = 1;
    puppet_start(puppet);
    puppet_run(puppet, 4 * MINUTE);
    assert_int_equal(life("w1")->step, LIFE_JOIN);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(life("w1")->removal, REMOVAL_FAILED);
}

static void refused_and_not_placed_orders_stay_failed_for_what_is_left_of_their_time(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_intention(puppet, "w1", "general");
    requested(node, 25 * MINUTE, "refused");
    node->phase = INTENTION_FAILED;
    snprintf(node->error, sizeof(node->error), "VPSie refused the order: quota");
    char at[32];
    text_format_time(at, sizeof(at), puppet->now_ms - 20 * MINUTE);
    puppet_annotate(node, KEY_FAILED_AT, at);
    puppet_show_intention(puppet, node);
    puppet_start(puppet);
    puppet_run(puppet, 9 * MINUTE);
    assert_false(node->gone);
    puppet_run(puppet, 2 * MINUTE);
    assert_true(node->gone);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
}

static void a_machine_that_was_joining_goes_on_joining(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_in_service(puppet, "w1", "general");
    node->phase = INTENTION_JOINING;
    node->ready_ms = 0;
    puppet_show_intention(puppet, node);
    puppet_start(puppet);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(life("w1")->step, LIFE_READY);
    assert_int_equal(node->phase, INTENTION_READY);
}

static const char *directive(void)
{
    return puppet_last(puppet, COMMAND_AGENT_DIRECTIVE)->directive.directive_id;
}

// A drain that a coordinator before began so long ago.
static struct puppet_node *drains_since(int64_t ago_ms)
{
    struct puppet_node *node = puppet_in_service(puppet, "w1", "general");
    node->phase = INTENTION_TERMINATING;
    node->terminating_ms = puppet->now_ms - ago_ms;
    puppet_annotate(node, KEY_REMOVAL, "voluntary");
    puppet->kube_nodes[0].unschedulable = puppet->kube_nodes[0].ours = true;
    puppet_show_kube_node(puppet, &puppet->kube_nodes[0]);
    puppet_show_intention(puppet, node);
    puppet_pod(puppet, "web-1", "host-w1", "web");
    puppet_start(puppet);
    return node;
}

static void a_voluntary_drain_goes_on_with_evidence_of_its_own(void **state)
{
    (void)state;
    struct puppet_node *node = drains_since(5 * MINUTE);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(life("w1")->step, LIFE_PREPARE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_UNCORDON), 0);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_EVICT), 0);
    puppet_report(puppet, "host-w1", "T0-1-1", EVIDENCE_READY, 0); // to the coordinator before
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_EVICT), 0);
    puppet_report(puppet, "host-w1", directive(), EVIDENCE_READY, 0);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_EVICT), 1);
    assert_int_equal(node->terminating_ms, PUPPET_START_MS - 5 * MINUTE); // begun when it was begun
}

static void a_voluntary_drain_of_long_ago_is_undone_and_decided_anew(void **state)
{
    (void)state;
    struct puppet_node *node = drains_since(16 * MINUTE);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(life("w1")->step, LIFE_READY);
    assert_false(puppet->kube_nodes[0].unschedulable);
    assert_string_equal(puppet_note_of(node, KEY_REMOVAL), "");
    assert_int_equal(node->phase, INTENTION_READY);
}

static void a_requested_drain_begins_again_with_evidence_of_its_own(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_in_service(puppet, "w1", "general");
    node->phase = INTENTION_TERMINATING;
    node->deletion_ms = puppet->now_ms;
    puppet_annotate(node, KEY_REMOVAL, "requested");
    puppet_show_intention(puppet, node);
    puppet_start(puppet);
    puppet_run(puppet, SECOND);
    assert_int_equal(life("w1")->step, LIFE_PREPARE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 1);
}

static void a_machine_marked_deleting_is_asked_about_again_and_deleted(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_in_service(puppet, "w1", "general");
    node->phase = INTENTION_DELETING;
    puppet_annotate(node, KEY_REMOVAL, "voluntary");
    puppet_show_intention(puppet, node);
    puppet_start(puppet);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
        puppet_run(puppet, SECOND);
        if (life("w1")->step == LIFE_LAST_READY)
            break;
        puppet_report(puppet, "host-w1", directive(), EVIDENCE_READY, 0);
    }
    puppet_report(puppet, "host-w1", directive(), EVIDENCE_READY, 0);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_NODE_PODS), 1);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1);
    puppet_machine_gone(puppet, "vps-w1");
    puppet_run(puppet, 10 * SECOND);
    assert_true(node->gone);
}

static void a_machine_marked_deleting_that_has_left_the_list_is_not_asked_about(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_in_service(puppet, "w1", "general");
    node->phase = INTENTION_DELETING;
    puppet_annotate(node, KEY_REMOVAL, "voluntary");
    puppet_show_intention(puppet, node);
    puppet_in_service(puppet, "w2", "general");
    puppet_machine_gone(puppet, "vps-w1");
    puppet->cloud_groups[0].nodes--;
    puppet_start(puppet);
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0); // a list can lack what runs
    puppet_kube_node(puppet, "host-w1", false);
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_AGENT_DIRECTIVE), 0);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1); // 404 is success
    assert_true(node->gone);
}

static void a_machine_marked_deleting_with_a_pod_on_it_is_drained_first(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_in_service(puppet, "w1", "general");
    node->phase = INTENTION_DELETING;
    puppet_annotate(node, KEY_REMOVAL, "requested");
    node->deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, node);
    struct event *late = puppet_pod_event(puppet, "late", "host-w1", "web");
    puppet->listed_pods = late->object.pod;
    puppet->listed_pod_count = 1;
    puppet_start(puppet);
    puppet_run(puppet, SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_int_equal(life("w1")->step, LIFE_PREPARE);
    event_destroy(late);
    puppet->listed_pod_count = 0;
}

// Its Node is in service for an intention that was never told which machine it has.
static void a_machine_whose_node_is_another_intention_s_is_never_deleted(void **state)
{
    (void)state;
    struct puppet_node *owner = puppet_in_service(puppet, "w1", "general");
    owner->identifier[0] = owner->hostname[0] = '\0';
    owner->instance_id = 0;
    struct puppet_node *twin = puppet_intention(puppet, "w2", "general");
    requested(twin, 40 * MINUTE, "placed");
    twin->phase = INTENTION_PROVISIONED;
    twin->provisioned_ms = puppet->now_ms - 30 * MINUTE;
    snprintf(twin->identifier, sizeof(twin->identifier), "vps-w1");
    puppet_show_intention(puppet, owner);
    puppet_show_intention(puppet, twin);
    puppet_start(puppet);
    puppet_run(puppet, 30 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_int_equal(life("w1")->step, LIFE_READY);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
}

static void two_intentions_that_claim_one_machine_leave_it_to_the_first(void **state)
{
    (void)state;
    struct puppet_node *first = puppet_in_service(puppet, "w1", "general");
    struct puppet_node *second = puppet_intention(puppet, "w2", "general");
    requested(second, SECOND, "placed");
    snprintf(second->identifier, sizeof(second->identifier), "vps-w1");
    puppet_show_intention(puppet, second);
    puppet_start(puppet);
    puppet_run(puppet, 20 * SECOND);
    assert_int_equal(life("w1")->step, LIFE_READY);
    assert_int_equal(life("w2")->step, LIFE_APPEAR);
    assert_string_equal(first->identifier, "vps-w1");
    assert_string_equal(second->identifier, "");
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
}

static void of_two_that_claim_one_machine_the_one_with_its_node_keeps_it(void **state)
{
    (void)state;
    struct puppet_node *late = puppet_intention(puppet, "a0", "general"); // a write that came late
    requested(late, 2 * MINUTE, "placed");
    snprintf(late->identifier, sizeof(late->identifier), "vps-w1");
    late->created_ms -= MINUTE;
    puppet_show_intention(puppet, late);
    struct puppet_node *node = puppet_in_service(puppet, "w1", "general");
    puppet_start(puppet);
    puppet_run(puppet, 40 * MINUTE);
    assert_int_equal(life("w1")->step, LIFE_READY);
    assert_string_equal(node->identifier, "vps-w1");
    assert_string_equal(late->identifier, "");
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
}

// The coordinator before could write so much and no more.
static void a_machine_that_only_a_status_names_is_not_given_to_another(void **state)
{
    (void)state;
    struct puppet_node *first = puppet_intention(puppet, "w1", "general");
    struct puppet_node *second = puppet_intention(puppet, "w2", "general");
    second->created_ms -= SECOND; // its turn would be first
    requested(first, MINUTE, "accepted");
    requested(second, MINUTE, "accepted");
    first->phase = INTENTION_PROVISIONED;
    snprintf(first->hostname, sizeof(first->hostname), "host-w1");
    puppet_show_intention(puppet, first);
    puppet_show_intention(puppet, second);
    puppet_machine(puppet, "vps-w1", "host-w1");
    puppet->cloud_groups[0].nodes = 1;
    puppet_start(puppet);
    puppet_run(puppet, 3 * MINUTE);
    assert_string_equal(first->identifier, "vps-w1");
    assert_string_equal(puppet_note_of(first, KEY_ORDER), "placed");
    assert_string_equal(second->identifier, "");
    assert_int_equal(life("w2")->step, LIFE_APPEAR);
}

static void what_was_never_stored_is_forgotten_with_the_term(void **state)
{
    (void)state;
    puppet_start(puppet);
    puppet_order(puppet, "general", 2);
    puppet_run(puppet, 5 * SECOND);
    struct puppet_node *first = puppet_stored(puppet, 0), *second = puppet_stored(puppet, 1);
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = true; // they never arrive
    puppet_machine(puppet, "vps-1", "w-1");
    puppet_kube_node(puppet, "w-1", true);
    puppet->cloud_groups[0].nodes = 1;
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(life(first->name)->step, LIFE_JOIN); // bound to w-1, here
    puppet_lose(puppet);
    snprintf(second->identifier, sizeof(second->identifier), "vps-1"); // by the leader between
    puppet_show_intention(puppet, second);
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = false;
    puppet_lead(puppet, 3);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(life(second->name)->step, LIFE_READY);
    assert_int_equal(life(first->name)->step, LIFE_APPEAR);
    assert_string_equal(first->identifier, "");
}

static void a_late_note_of_whose_a_machine_is_is_believed(void **state)
{
    (void)state;
    puppet_start(puppet);
    puppet_order(puppet, "general", 1);
    struct puppet_node *node = puppet_stored(puppet, 0);
    puppet_machine(puppet, "vps-1", "w-1");
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(life(node->name)->step, LIFE_APPEAR);
    snprintf(node->identifier, sizeof(node->identifier), "vps-1");
    puppet_show_intention(puppet, node);
    assert_int_equal(life(node->name)->step, LIFE_JOIN);
}

static void a_cordon_of_ours_without_a_removal_is_lifted(void **state)
{
    (void)state;
    puppet_in_service(puppet, "w1", "general");
    puppet_kube_node(puppet, "host-x", true);
    for (uint32_t i = 0; i < 2; i++) {
        puppet->kube_nodes[i].unschedulable = puppet->kube_nodes[i].ours = true;
        puppet_show_kube_node(puppet, &puppet->kube_nodes[i]);
    }
    puppet_start(puppet);
    puppet_run(puppet, 3 * MINUTE);
    assert_false(puppet->kube_nodes[0].unschedulable);
    assert_false(puppet->kube_nodes[1].unschedulable);
}

static void a_person_s_cordon_is_left_alone(void **state)
{
    (void)state;
    puppet_in_service(puppet, "w1", "general");
    puppet->kube_nodes[0].unschedulable = true;
    puppet_show_kube_node(puppet, &puppet->kube_nodes[0]);
    puppet_start(puppet);
    puppet_run(puppet, 10 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_UNCORDON), 0);
}

// ---- a predecessor

static struct puppet_node *inherited(const char *name, const char *host)
{
    struct puppet_node *node = puppet_intention(puppet, name, "general");
    puppet_annotate(node, KEY_CREATED_BY, NULL);
    node->phase = INTENTION_READY;
    snprintf(node->node_name, sizeof(node->node_name), "%s", host);
    puppet_machine(puppet, host[0] == 'o' ? "vps-old" : "vps-other", host);
    puppet->cloud_groups[0].nodes++;
    puppet_kube_node(puppet, host, true);
    puppet_show_intention(puppet, node);
    return node;
}

static void vpsienodes_that_we_did_not_make_mean_a_dry_run_until_resume(void **state)
{
    (void)state;
    struct puppet_node *node = inherited("old-1", "old-host");
    puppet_start(puppet);
    puppet_run(puppet, 10 * MINUTE);
    assert_true(puppet->core->brakes[BRAKE_PREDECESSOR].on);
    assert_non_null(strstr(puppet->core->brakes[BRAKE_PREDECESSOR].detail, "resume"));
    assert_int_equal(writes(), 0);
    puppet_operator(puppet, OPERATOR_RESUME, "");
    puppet_run(puppet, 5 * SECOND);
    assert_false(puppet->core->brakes[BRAKE_PREDECESSOR].on);
    assert_true(puppet->saved.accepted);
    assert_string_equal(node->identifier, "vps-old"); // found by its host
    assert_int_equal(life("old-1")->step, LIFE_READY);
}

static void what_was_accepted_once_is_accepted_by_the_next_leader(void **state)
{
    (void)state;
    puppet->saved.accepted = true;
    inherited("old-1", "old-host");
    puppet_start(puppet);
    puppet_run(puppet, 5 * SECOND);
    assert_false(puppet->core->brakes[BRAKE_PREDECESSOR].on);
    assert_true(writes() > 0);
}

static void its_webhooks_alone_mean_a_dry_run(void **state)
{
    (void)state;
    puppet->webhooks = true;
    puppet_start(puppet);
    puppet_run(puppet, 5 * MINUTE);
    assert_true(puppet->core->brakes[BRAKE_PREDECESSOR].on);
    assert_int_equal(writes(), 0);
}

static void an_order_of_the_predecessor_is_watched_and_never_called(void **state)
{
    (void)state;
    puppet->saved.accepted = true;
    struct puppet_node *node = puppet_intention(puppet, "old-1", "general");
    puppet_annotate(node, KEY_CREATED_BY, NULL);
    puppet_show_intention(puppet, node);
    puppet_start(puppet);
    puppet_run(puppet, 20 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 0);
    assert_int_equal(life("old-1")->step, LIFE_FAILED);
    assert_int_equal(node->phase, INTENTION_PENDING); // nothing is written about it
    assert_false(node->gone);
}

static void a_dry_run_reads_and_writes_nothing(void **state)
{
    (void)state;
    struct core_config config = puppet_config();
    config.dry_run = true;
    puppet_destroy(puppet);
    puppet = puppet_create(&config);
    puppet_cloud_group(puppet, "general", 12, PUPPET_SIZE, 0);
    puppet_group(puppet, "general", PUPPET_SIZE, 2, 10);
    struct puppet_node *node = puppet_in_service(puppet, "w1", "general");
    node->deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, node);
    puppet_start(puppet);
    puppet_run(puppet, 30 * MINUTE);
    assert_true(puppet_count(puppet, COMMAND_VPSIE_LIST_MACHINES) > 10);
    assert_int_equal(writes(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_asked_or_written_before_everything_has_been_seen),
        TEST(nothing_is_written_before_the_consistent_lists_of_this_term),
        TEST(a_list_that_fails_is_asked_for_again),
        TEST(vpsie_s_lists_are_asked_for_again_when_they_fail),
        TEST(a_cluster_that_vpsie_does_not_know_holds_nobody_else_up),
        TEST(every_command_carries_its_leader_s_term),
        TEST(a_leader_that_lost_the_lease_says_nothing_more),
        TEST(an_intention_without_a_baseline_is_simply_gone_on_with),
        TEST(an_order_without_an_outcome_is_unknown_and_never_repeated),
        TEST(an_unknown_order_whose_machine_is_there_is_finished),
        TEST(an_accepted_order_is_accepted_still),
        TEST(the_bound_counts_from_the_call_not_from_the_takeover),
        TEST(an_order_whose_time_passed_unwatched_finds_its_machine),
        TEST(a_machine_that_could_not_join_while_nobody_led_has_some_time_again),
        TEST(refused_and_not_placed_orders_stay_failed_for_what_is_left_of_their_time),
        TEST(a_machine_that_was_joining_goes_on_joining),
        TEST(a_voluntary_drain_goes_on_with_evidence_of_its_own),
        TEST(a_voluntary_drain_of_long_ago_is_undone_and_decided_anew),
        TEST(a_requested_drain_begins_again_with_evidence_of_its_own),
        TEST(a_machine_marked_deleting_is_asked_about_again_and_deleted),
        TEST(a_machine_marked_deleting_that_has_left_the_list_is_not_asked_about),
        TEST(a_machine_marked_deleting_with_a_pod_on_it_is_drained_first),
        TEST(a_machine_whose_node_is_another_intention_s_is_never_deleted),
        TEST(two_intentions_that_claim_one_machine_leave_it_to_the_first),
        TEST(of_two_that_claim_one_machine_the_one_with_its_node_keeps_it),
        TEST(a_machine_that_only_a_status_names_is_not_given_to_another),
        TEST(what_was_never_stored_is_forgotten_with_the_term),
        TEST(a_late_note_of_whose_a_machine_is_is_believed),
        TEST(a_cordon_of_ours_without_a_removal_is_lifted),
        TEST(a_person_s_cordon_is_left_alone),
        TEST(vpsienodes_that_we_did_not_make_mean_a_dry_run_until_resume),
        TEST(what_was_accepted_once_is_accepted_by_the_next_leader),
        TEST(its_webhooks_alone_mean_a_dry_run),
        TEST(an_order_of_the_predecessor_is_watched_and_never_called),
        TEST(a_dry_run_reads_and_writes_nothing),
    };
    return cmocka_run_group_tests_name("taking over", tests, NULL, NULL);
}

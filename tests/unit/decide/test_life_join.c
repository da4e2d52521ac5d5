// From the machine to the Node in service; what never gets there; broken nodes; machines that vanish.
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
    struct core_config config = puppet_config();
    config.startup_taints[config.startup_taint_count++] = "cni.example/*";
    puppet = puppet_create(&config);
    puppet_cloud_group(puppet, "general", 12, PUPPET_SIZE, 0);
    struct puppet_group *group = puppet_group(puppet, "general", PUPPET_SIZE, 0, 10);
    group->labels[group->label_count++] = (struct label){"pool", "general"};
    group->taints[group->taint_count++] = (struct taint){"dedicated", "x", TAINT_NO_SCHEDULE};
    puppet_show_group(puppet, group);
    return 0;
}

static int end(void **state)
{
    (void)state;
    puppet_destroy(puppet);
    return 0;
}

// An order whose machine is in the list.
static struct puppet_node *placed(const char *hostname)
{
    puppet_order(puppet, "general", 1);
    struct puppet_machine *machine = puppet_machine(puppet, "vps-1", hostname);
    machine->cpu = 4;
    machine->memory_mb = 8192;
    puppet->cloud_groups[0].nodes++;
    puppet_run(puppet, 10 * SECOND);
    struct puppet_node *node = puppet_stored(puppet, puppet_stored_count(puppet) - 1);
    assert_int_equal(puppet_life(puppet, node->name)->step, LIFE_JOIN);
    return node;
}

static struct life *life(const struct puppet_node *node)
{
    return puppet_life(puppet, node->name);
}

// ---- joining

static void the_node_is_matched_whatever_the_case_and_labelled_at_once(void **state)
{
    (void)state;
    puppet_start(puppet);
    struct puppet_node *node = placed("W-1.EXAMPLE");
    puppet_kube_node(puppet, "w-1.example", false);
    assert_string_equal(node->node_name, "w-1.example");
    assert_int_equal(node->phase, INTENTION_JOINING);
    const struct command *label = puppet_last(puppet, COMMAND_KUBE_LABEL_NODE);
    assert_string_equal(label->label_node.node_name, "w-1.example");
    assert_string_equal(labels_get(&label->label_node.labels, KEY_MANAGED), "true");
    assert_string_equal(labels_get(&label->label_node.labels, KEY_NODEGROUP), "general");
    assert_string_equal(labels_get(&label->label_node.labels, KEY_VPSIENODE), node->name);
    assert_string_equal(labels_get(&label->label_node.labels, KEY_OFFERING), "21");
    assert_string_equal(labels_get(&label->label_node.labels, "pool"), "general");
    assert_string_equal(labels_get(&label->label_node.annotations, KEY_VPS_ID), "vps-1");
    assert_int_equal(label->label_node.taints.count, 1);
    assert_string_equal(label->label_node.taints.items[0].key, "dedicated");
}

static void whose_the_machine_is_is_stored_before_its_status_and_its_node_say_so(void **state)
{
    (void)state;
    puppet_start(puppet);
    puppet_order(puppet, "general", 1);
    uint32_t told = puppet_count(puppet, COMMAND_KUBE_INTENTION_STATUS);
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = true;
    puppet_machine(puppet, "vps-1", "w-1")->cpu = 4;
    puppet->machines[0].memory_mb = 8192;
    puppet->cloud_groups[0].nodes++;
    puppet_kube_node(puppet, "w-1", true);
    puppet_run(puppet, 10 * SECOND);
    assert_null(puppet_last(puppet, COMMAND_KUBE_LABEL_NODE));
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_INTENTION_STATUS), told);
    puppet_answer_all(puppet, COMMAND_KUBE_UPDATE_INTENTION);
    assert_true(puppet_count(puppet, COMMAND_KUBE_INTENTION_STATUS) > told);
    assert_non_null(puppet_last(puppet, COMMAND_KUBE_LABEL_NODE));
}

static void a_node_is_in_service_when_it_is_labelled_ready_and_without_startup_taints(void **state)
{
    (void)state;
    puppet_start(puppet);
    struct puppet_node *node = placed("w-1");
    puppet->held[COMMAND_KUBE_LABEL_NODE] = true;
    struct puppet_kube_node *kube = puppet_kube_node(puppet, "w-1", false);
    kube->startup = true;
    puppet_kube_node(puppet, "w-1", true);
    assert_int_equal(life(node)->step, LIFE_JOIN);
    puppet_answer_all(puppet, COMMAND_KUBE_LABEL_NODE);
    assert_int_equal(life(node)->step, LIFE_JOIN); // the startup taint
    struct life_counts counts =
        life_counts(puppet->core, cluster_group(puppet->core->cluster, NULL, "general"));
    assert_int_equal(counts.coming, 1); // so it is not bought twice
    assert_int_equal(counts.ready, 0);
    kube->startup = false;
    puppet_show_kube_node(puppet, kube);
    assert_int_equal(life(node)->step, LIFE_READY);
    puppet_run(puppet, SECOND);
    assert_int_equal(node->phase, INTENTION_READY);
    assert_true(node->ready_ms != 0);
    assert_string_equal(puppet_note_of(node, KEY_BASELINE), ""); // it has served
}

static void startup_taints_are_known_by_name_and_by_flag(void **state)
{
    (void)state;
    static const char *const yes[] = {"node.kubernetes.io/not-ready",
                                      "node.cloudprovider.kubernetes.io/uninitialized", "cni.example/agent",
                                      "node.kubernetes.io/network-unavailable"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        assert_true(join_startup_taint(puppet->core, &(struct taint){yes[i], "", TAINT_NO_SCHEDULE}));
    assert_false(join_startup_taint(puppet->core, &(struct taint){"dedicated", "x", TAINT_NO_SCHEDULE}));
    assert_false(join_startup_taint(puppet->core, &(struct taint){"cni.example", "", TAINT_NO_SCHEDULE}));
}

static void a_node_that_comes_back_under_another_uid_is_labelled_again(void **state)
{
    (void)state;
    puppet_start(puppet);
    struct puppet_node *node = placed("w-1");
    puppet_kube_node(puppet, "w-1", true);
    assert_int_equal(life(node)->step, LIFE_READY);
    uint32_t before = puppet_count(puppet, COMMAND_KUBE_LABEL_NODE);
    puppet_kube_node_gone(puppet, "w-1");
    puppet_kube_node(puppet, "w-1", true);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LABEL_NODE), before + 1);
    assert_int_equal(life(node)->step, LIFE_READY);
}

static void a_machine_that_is_still_being_made_has_ten_minutes(void **state)
{
    (void)state;
    puppet_start(puppet);
    puppet_order(puppet, "general", 1);
    struct puppet_machine *machine = puppet_machine(puppet, "vps-1", "w-1");
    machine->cpu = 4;
    machine->memory_mb = 8192;
    snprintf(machine->status, sizeof(machine->status), "Creating");
    puppet->cloud_groups[0].nodes++;
    puppet_run(puppet, 9 * MINUTE);
    struct puppet_node *node = puppet_stored(puppet, 0);
    assert_int_equal(node->phase, INTENTION_PROVISIONING);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(node->phase, INTENTION_FAILED);
    assert_non_null(strstr(node->error, "not provisioned"));
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1);
}

static void a_machine_that_does_not_join_is_failed_deleted_and_shown(void **state)
{
    (void)state;
    puppet_start(puppet);
    struct puppet_node *node = placed("w-1");
    puppet_run(puppet, 15 * MINUTE);
    assert_int_equal(node->phase, INTENTION_FAILED);
    assert_non_null(strstr(node->error, "no Node joined"));
    assert_string_equal(puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE)->delete_machine.identifier,
                        "vps-1");
    puppet_machine_gone(puppet, "vps-1");
    puppet->cloud_groups[0].nodes--;
    puppet_run(puppet, MINUTE);
    assert_int_equal(life(node)->step, LIFE_FAILED);
    puppet_run(puppet, 28 * MINUTE);
    assert_false(node->gone);
    puppet_run(puppet, 3 * MINUTE);
    assert_true(node->gone);
}

static void a_machine_that_may_be_a_node_of_another_name_is_not_deleted(void **state)
{
    (void)state;
    puppet_start(puppet);
    struct puppet_node *node = placed("w-1");
    puppet_kube_node(puppet, "renamed-1", true); // nobody's, and it came after the call
    puppet_run(puppet, 30 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_non_null(strstr(life(node)->held, "renamed-1"));
}

static void a_node_that_joins_at_the_last_moment_is_kept(void **state)
{
    (void)state;
    puppet_start(puppet);
    struct puppet_node *node = placed("w-1");
    puppet->held[COMMAND_KUBE_LIST_FRESH] = true; // the last look
    puppet_run(puppet, 15 * MINUTE);
    puppet_kube_node(puppet, "w-1", true);
    puppet_answer_all(puppet, COMMAND_KUBE_LIST_FRESH);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    puppet_run(puppet, 3 * MINUTE);
    assert_int_equal(life(node)->step, LIFE_READY);
}

static void a_machine_that_an_answer_named_and_no_list_shows_is_deleted_all_the_same(void **state)
{
    (void)state;
    puppet_start(puppet);
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer_machine(puppet, puppet_last(puppet, COMMAND_VPSIE_ADD_MACHINE), "vps-9", "w-9");
    puppet_run(puppet, 16 * MINUTE);
    assert_string_equal(puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE)->delete_machine.identifier,
                        "vps-9");
}

// ---- broken

static void three_in_service(void)
{
    puppet_in_service(puppet, "w1", "general");
    puppet_in_service(puppet, "w2", "general");
    puppet_in_service(puppet, "w3", "general");
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof(name), "v%d", i);
        puppet_in_service(puppet, name, "general");
    }
    puppet_start(puppet);
    puppet_run(puppet, 5 * SECOND);
}

static void a_machine_that_vanishes_before_its_node_was_ready_is_given_up(void **state)
{
    (void)state;
    puppet_start(puppet);
    struct puppet_node *node = placed("w-1");
    puppet_kube_node(puppet, "w-1", false);
    puppet_run(puppet, MINUTE);
    puppet_machine_gone(puppet, "vps-1");
    puppet->cloud_groups[0].nodes--;
    puppet_run(puppet, 10 * MINUTE);
    assert_int_equal(life(node)->step, LIFE_FAILED);
    assert_true(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE) > 0);
    assert_int_equal(life_counts(puppet->core, cluster_group(puppet->core->cluster, NULL, "general")).total,
                     0);
}

static void a_node_is_broken_when_it_has_not_been_ready_for_its_time(void **state)
{
    (void)state;
    three_in_service();
    puppet_pod(puppet, "web-1", "host-w1", "web");
    puppet_kube_node(puppet, "host-w1", false);
    puppet_run(puppet, 9 * MINUTE + 59 * SECOND);
    assert_int_equal(puppet_life(puppet, "w1")->removal, REMOVAL_NONE);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(puppet_life(puppet, "w1")->removal, REMOVAL_BROKEN);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_EVICT), 0); // nobody could carry that out
    assert_string_equal(puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE)->delete_machine.identifier,
                        "vps-w1");
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE), 0);
    puppet_machine_gone(puppet, "vps-w1");
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_DELETE_NODE), 1); // then Kubernetes lets its pods go
}

static void a_node_that_never_was_ready_is_broken_after_twenty_minutes(void **state)
{
    (void)state;
    struct puppet_node *intention = puppet_in_service(puppet, "w0", "general");
    intention->ready_ms = 0; // in service by its phase alone
    puppet_show_intention(puppet, intention);
    puppet_kube_node_gone(puppet, "host-w0");
    struct puppet_kube_node *node = puppet_kube_node(puppet, "host-w0", false); // another, never Ready
    three_in_service();
    puppet_run(puppet, node->created_ms + 20 * MINUTE - SECOND - puppet->now_ms);
    assert_int_equal(puppet_life(puppet, "w0")->step, LIFE_READY);
    assert_int_equal(puppet_life(puppet, "w0")->removal, REMOVAL_NONE);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(puppet_life(puppet, "w0")->removal, REMOVAL_BROKEN);
}

static void the_autoscaler_config_says_how_long(void **state)
{
    (void)state;
    three_in_service();
    struct event *event = event_create(EVENT_OBJECT);
    event->object.kind = OBJECT_CONFIG;
    event->object.config = ARENA_NEW(event->arena, struct config_facts);
    *event->object.config = (struct config_facts){
        .uid = "", .resource_version = "1", .node_ready_timeout_seconds = 120, .invalid = ""};
    puppet_step(puppet, event);
    puppet_kube_node(puppet, "host-w1", false);
    puppet_run(puppet, 121 * SECOND);
    assert_int_equal(puppet_life(puppet, "w1")->removal, REMOVAL_BROKEN);
}

static void a_silent_agent_alone_is_never_broken(void **state)
{
    (void)state;
    three_in_service();
    puppet_report(puppet, "host-w1", "", EVIDENCE_READY, 0);
    puppet_run(puppet, 120 * MINUTE);
    assert_int_equal(puppet_life(puppet, "w1")->step, LIFE_READY);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
}

static void both_sides_are_read_again_before_a_broken_machine_is_deleted(void **state)
{
    (void)state;
    three_in_service();
    puppet_kube_node(puppet, "host-w1", false);
    puppet->held[COMMAND_KUBE_LIST_FRESH] = true;
    puppet->held[COMMAND_VPSIE_LIST_GROUPS] = true;
    puppet_run(puppet, 11 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    puppet_answer_all(puppet, COMMAND_KUBE_LIST_FRESH);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    puppet_answer_all(puppet, COMMAND_VPSIE_LIST_GROUPS);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1);
}

static void a_node_that_recovers_before_the_call_is_kept(void **state)
{
    (void)state;
    three_in_service();
    puppet_kube_node(puppet, "host-w1", false);
    puppet->held[COMMAND_KUBE_INTENTION_STATUS] = true;
    puppet_run(puppet, 11 * MINUTE);
    struct puppet_kube_node *kube = &puppet->kube_nodes[0];
    kube->startup = true; // its taints linger
    puppet_kube_node(puppet, "host-w1", true);
    puppet_answer_all(puppet, COMMAND_KUBE_INTENTION_STATUS);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_int_equal(puppet_life(puppet, "w1")->step, LIFE_READY);
    assert_false(kube->unschedulable);
    assert_true(puppet_said(puppet, "recovered"));
}

static void broken_nodes_of_a_group_are_replaced_one_at_a_time(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof(name), "x%d", i);
        puppet_in_service(puppet, name, "general");
    }
    three_in_service(); // eleven nodes: two broken are no fifth
    puppet_kube_node(puppet, "host-w1", false);
    puppet_kube_node(puppet, "host-w2", false);
    puppet_run(puppet, 12 * MINUTE);
    assert_int_equal(puppet_life(puppet, "w1")->removal, REMOVAL_BROKEN);
    assert_int_equal(puppet_life(puppet, "w2")->removal, REMOVAL_NONE);
    assert_non_null(strstr(puppet_life(puppet, "w2")->waits_for, "w1"));
    puppet_machine_gone(puppet, "vps-w1");
    puppet_run(puppet, 3 * MINUTE);
    assert_int_equal(puppet_life(puppet, "w2")->removal, REMOVAL_BROKEN);
}

static void a_protected_node_is_not_replaced(void **state)
{
    (void)state;
    three_in_service();
    struct event *event = event_create(EVENT_OBJECT);
    struct label *annotation = ARENA_NEW(event->arena, struct label);
    *annotation = (struct label){KEY_PROTECTED, "true"};
    struct puppet_kube_node *kube = &puppet->kube_nodes[0];
    event->object.kind = OBJECT_NODE;
    event->object.node = ARENA_NEW(event->arena, struct node_facts);
    *event->object.node = (struct node_facts){.name = kube->name,
                                              .uid = kube->uid,
                                              .resource_version = "2",
                                              .annotations = {annotation, 1},
                                              .ready = NODE_READY_FALSE,
                                              .ready_changed_ms = puppet->now_ms,
                                              .created_ms = kube->created_ms,
                                              .provider_id = "",
                                              .hostname = kube->name,
                                              .internal_ip = "",
                                              .external_ip = "",
                                              .kubelet_version = ""};
    puppet_step(puppet, event);
    puppet_run(puppet, 30 * MINUTE);
    assert_int_equal(puppet_life(puppet, "w1")->removal, REMOVAL_NONE);
}

static void a_machine_whose_node_object_was_deleted_gets_time_to_come_back(void **state)
{
    (void)state;
    three_in_service();
    puppet_kube_node_gone(puppet, "host-w1");
    puppet_run(puppet, 9 * MINUTE);
    assert_int_equal(puppet_life(puppet, "w1")->step, LIFE_READY);
    puppet_kube_node(puppet, "host-w1", true);
    puppet_run(puppet, 20 * MINUTE);
    assert_int_equal(puppet_life(puppet, "w1")->removal, REMOVAL_NONE);
    puppet_kube_node_gone(puppet, "host-w1");
    puppet_run(puppet, 11 * MINUTE);
    assert_int_equal(puppet_life(puppet, "w1")->removal, REMOVAL_BROKEN);
}

// ---- vanished

static void a_machine_that_vanished_is_replaced_slowly_and_reported(void **state)
{
    (void)state;
    three_in_service();
    puppet_machine_gone(puppet, "vps-w1");
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_life(puppet, "w1")->removal,
                     REMOVAL_NONE); // its Node is Ready: a list can be wrong
    puppet_kube_node(puppet, "host-w1", false);
    puppet_run(puppet, 6 * MINUTE);
    assert_true(puppet_said(puppet, "nobody here deleted it"));
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1); // 404 is an answer, too
    assert_null(puppet_life(puppet, "w1"));
}

static void a_machine_that_comes_back_into_the_list_has_not_vanished(void **state)
{
    (void)state;
    three_in_service();
    struct puppet_machine copy = puppet->machines[0];
    puppet_machine_gone(puppet, "vps-w1");
    puppet_run(puppet, 2 * MINUTE);
    puppet->machines[puppet->machine_count++] = copy;
    puppet_run(puppet, 30 * MINUTE);
    assert_false(puppet_said(puppet, "nobody here deleted it"));
    assert_int_equal(puppet_life(puppet, "w1")->step, LIFE_READY);
}

static void several_that_vanished_are_cleared_away_although_their_nodes_are_down(void **state)
{
    (void)state;
    three_in_service();
    puppet_machine_gone(puppet, "vps-w1");
    puppet_machine_gone(puppet, "vps-w2");
    puppet->cloud_groups[0].nodes -= 2;
    puppet_kube_node(puppet, "host-w1", false);
    puppet_kube_node(puppet, "host-w2", false);
    puppet_run(puppet, 40 * MINUTE); // two of seven are no longer Ready: no reason to keep what is lost
    assert_false(puppet->core->brakes[BRAKE_MANY_BROKEN].on);
    assert_null(puppet_life(puppet, "w1"));
    assert_null(puppet_life(puppet, "w2"));
}

static void what_is_not_ready_or_not_listed_does_not_count_as_sound(void **state)
{
    (void)state;
    three_in_service();
    struct group *group = cluster_group(puppet->core->cluster, NULL, "general");
    assert_int_equal(life_counts(puppet->core, group).sound, 7);
    puppet_kube_node(puppet, "host-w1", false);
    assert_int_equal(life_counts(puppet->core, group).sound, 6);
    puppet_machine_gone(puppet, "vps-w2");
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(life_counts(puppet->core, group).sound, 5);
    assert_int_equal(life_counts(puppet->core, group).ready, 7);
}

static void a_vpsienode_of_a_control_plane_machine_is_left_alone(void **state)
{
    (void)state;
    struct puppet_node *node = puppet_in_service(puppet, "m1", "general");
    puppet->machines[0].role = MACHINE_ROLE_MASTER;
    puppet->cloud_groups[0].nodes = 0;
    puppet_start(puppet);
    node->deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, node);
    puppet_run(puppet, 30 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LABEL_NODE), 0);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_non_null(strstr(puppet_life(puppet, "m1")->held, "control plane"));
}

static void a_label_of_ours_goes_before_the_group_s(void **state)
{
    (void)state;
    struct puppet_group *group = &puppet->groups[0];
    group->labels[group->label_count++] = (struct label){KEY_MANAGED, "false"};
    puppet_show_group(puppet, group);
    puppet_start(puppet);
    placed("w-1");
    puppet_kube_node(puppet, "w-1", false);
    const struct labels *labels = &puppet_last(puppet, COMMAND_KUBE_LABEL_NODE)->label_node.labels;
    assert_string_equal(labels_get(labels, KEY_MANAGED), "true");
    for (uint32_t i = 1; i < labels->count; i++)
        assert_true(strcmp(labels->items[i - 1].key, labels->items[i].key) < 0); // each once, in order
}

static void a_label_that_was_not_written_is_written_a_little_later(void **state)
{
    (void)state;
    puppet_start(puppet);
    struct puppet_node *node = placed("w-1");
    puppet->held[COMMAND_KUBE_LABEL_NODE] = true;
    puppet_kube_node(puppet, "w-1", true);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LABEL_NODE), 1);
    puppet_answer(puppet, puppet_last(puppet, COMMAND_KUBE_LABEL_NODE), OUTCOME_CONFLICT);
    puppet_run(puppet, SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LABEL_NODE), 1);
    assert_int_not_equal(life(node)->step, LIFE_READY);
    puppet_run(puppet, 3 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LABEL_NODE), 2);
    puppet_answer_all(puppet, COMMAND_KUBE_LABEL_NODE);
    puppet_run(puppet, SECOND);
    assert_int_equal(life(node)->step, LIFE_READY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_node_is_matched_whatever_the_case_and_labelled_at_once),
        TEST(whose_the_machine_is_is_stored_before_its_status_and_its_node_say_so),
        TEST(a_node_is_in_service_when_it_is_labelled_ready_and_without_startup_taints),
        TEST(startup_taints_are_known_by_name_and_by_flag),
        TEST(a_node_that_comes_back_under_another_uid_is_labelled_again),
        TEST(a_machine_that_is_still_being_made_has_ten_minutes),
        TEST(a_machine_that_does_not_join_is_failed_deleted_and_shown),
        TEST(a_machine_that_may_be_a_node_of_another_name_is_not_deleted),
        TEST(a_node_that_joins_at_the_last_moment_is_kept),
        TEST(a_machine_that_an_answer_named_and_no_list_shows_is_deleted_all_the_same),
        TEST(a_machine_that_vanishes_before_its_node_was_ready_is_given_up),
        TEST(a_node_is_broken_when_it_has_not_been_ready_for_its_time),
        TEST(a_node_that_never_was_ready_is_broken_after_twenty_minutes),
        TEST(the_autoscaler_config_says_how_long),
        TEST(a_silent_agent_alone_is_never_broken),
        TEST(both_sides_are_read_again_before_a_broken_machine_is_deleted),
        TEST(a_node_that_recovers_before_the_call_is_kept),
        TEST(broken_nodes_of_a_group_are_replaced_one_at_a_time),
        TEST(a_protected_node_is_not_replaced),
        TEST(a_machine_whose_node_object_was_deleted_gets_time_to_come_back),
        TEST(a_machine_that_vanished_is_replaced_slowly_and_reported),
        TEST(a_machine_that_comes_back_into_the_list_has_not_vanished),
        TEST(several_that_vanished_are_cleared_away_although_their_nodes_are_down),
        TEST(what_is_not_ready_or_not_listed_does_not_count_as_sound),
        TEST(a_vpsienode_of_a_control_plane_machine_is_left_alone),
        TEST(a_label_of_ours_goes_before_the_group_s),
        TEST(a_label_that_was_not_written_is_written_a_little_later),
    };
    return cmocka_run_group_tests_name("joining and breaking", tests, NULL, NULL);
}

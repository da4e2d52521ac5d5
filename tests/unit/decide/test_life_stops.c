// When to stop, and what an operator may say about it.
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

static const char *name_of(char *buffer, size_t bytes, const char *prefix, int i)
{
    snprintf(buffer, bytes, "%s%d", prefix, i);
    return buffer;
}

static void in_service(int count)
{
    char name[16];
    for (int i = 0; i < count; i++)
        puppet_in_service(puppet, name_of(name, sizeof(name), "w", i), "general");
    puppet_start(puppet);
    puppet_run(puppet, 5 * SECOND);
}

static int begin(void **state)
{
    (void)state;
    puppet = puppet_create(NULL);
    puppet_cloud_group(puppet, "general", 12, PUPPET_SIZE, 0);
    puppet_group(puppet, "general", PUPPET_SIZE, 0, 30);
    return 0;
}

static int end(void **state)
{
    (void)state;
    puppet_destroy(puppet);
    return 0;
}

static bool on(enum brake brake)
{
    return puppet->core->brakes[brake].on;
}

static void host_ready(int i, bool ready)
{
    char name[16];
    puppet_kube_node(puppet, name_of(name, sizeof(name), "host-w", i), ready);
}

static const struct command *reply(void)
{
    return puppet_last(puppet, COMMAND_OPERATOR_REPLY);
}

// ---- many broken

static void more_than_45_percent_of_nodes_stops_removals_and_replacements(void **state)
{
    (void)state;
    puppet_cloud_group(puppet, "other", 13, PUPPET_SIZE_TOO, 0);
    in_service(2);
    char name[16];
    for (int i = 0; i < 10; i++) // nobody's: no group is concerned
        puppet_kube_node(puppet, name_of(name, sizeof(name), "pet-", i), true);
    for (int i = 0; i < 5; i++)
        puppet_kube_node(puppet, name_of(name, sizeof(name), "pet-", i), false);
    puppet_run(puppet, 11 * MINUTE);
    assert_false(on(BRAKE_MANY_BROKEN)); // 5 of 12: 45 %
    puppet_kube_node(puppet, "pet-5", false);
    puppet_run(puppet, 11 * MINUTE);
    assert_true(on(BRAKE_MANY_BROKEN));
    assert_non_null(strstr(puppet->core->brakes[BRAKE_MANY_BROKEN].detail, "6 of 12"));
    assert_false(puppet_remove(puppet, "host-w0", REMOVAL_VOLUNTARY));
    const char *why = "";
    assert_false(life_removals_allowed(puppet->core, &why));
    puppet_order(puppet, "general", 1); // scale up goes on
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 1);
    puppet_kube_node(puppet, "pet-5", true);
    puppet_run(puppet, 10 * SECOND);
    assert_false(on(BRAKE_MANY_BROKEN)); // it opens by itself
}

static void three_of_a_few_are_not_many(void **state)
{
    (void)state;
    in_service(0);
    char name[16];
    for (int i = 0; i < 4; i++)
        puppet_kube_node(puppet, name_of(name, sizeof(name), "pet-", i), true);
    for (int i = 0; i < 3; i++)
        puppet_kube_node(puppet, name_of(name, sizeof(name), "pet-", i), false);
    puppet_run(puppet, 11 * MINUTE);
    assert_false(on(BRAKE_MANY_BROKEN));
    puppet_kube_node(puppet, "pet-3", false);
    puppet_run(puppet, 11 * MINUTE);
    assert_true(on(BRAKE_MANY_BROKEN));
}

static void a_fifth_of_a_group_and_more_than_one_stops_it_until_resume(void **state)
{
    (void)state;
    in_service(9);
    host_ready(0, false);
    host_ready(1, false);
    puppet_run(puppet, 12 * MINUTE);
    assert_true(on(BRAKE_MANY_BROKEN));
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    puppet_operator(puppet, OPERATOR_RESUME, "");
    puppet_run(puppet, 2 * MINUTE);
    assert_false(on(BRAKE_MANY_BROKEN)); // these two are accepted, and replaced one at a time
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1);
    host_ready(2, false);
    puppet_run(puppet, 12 * MINUTE);
    assert_true(on(BRAKE_MANY_BROKEN)); // a third is not
}

// ---- VPSie's list

static void an_empty_list_concludes_nothing(void **state)
{
    (void)state;
    in_service(3);
    uint32_t machines = puppet->machine_count;
    puppet->machine_count = 0;
    puppet_run(puppet, 30 * MINUTE);
    assert_true(on(BRAKE_CLOUD_LIST));
    assert_false(puppet_said(puppet, "nobody here deleted it"));
    assert_false(puppet_remove(puppet, "host-w0", REMOVAL_VOLUNTARY));
    puppet->machine_count = machines;
    puppet_run(puppet, 2 * MINUTE);
    assert_false(on(BRAKE_CLOUD_LIST));
}

static void a_list_that_lost_a_fifth_of_what_runs_concludes_nothing(void **state)
{
    (void)state;
    in_service(6);
    puppet_machine_gone(puppet, "vps-w0");
    puppet_run(puppet, 2 * MINUTE);
    assert_false(on(BRAKE_CLOUD_LIST)); // one may vanish
    puppet_machine_gone(puppet, "vps-w1");
    puppet_run(puppet, 2 * MINUTE);
    assert_true(on(BRAKE_CLOUD_LIST));
    puppet_run(puppet, 30 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
}

static void what_is_down_as_well_is_believed_to_be_lost(void **state)
{
    (void)state;
    in_service(9);
    for (int i = 0; i < 3; i++) {
        char name[16];
        puppet_machine_gone(puppet, name_of(name, sizeof(name), "vps-w", i));
        host_ready(i, false);
    }
    puppet->cloud_groups[0].nodes -= 3;
    puppet_run(puppet, 4 * MINUTE);
    assert_false(on(BRAKE_CLOUD_LIST));
}

static void what_is_lost_is_cleared_away_while_many_broken_nodes_wait(void **state)
{
    (void)state;
    in_service(9);
    for (int i = 0; i < 4; i++)
        host_ready(i, false); // w1, w2 and w3 are in VPSie's list
    puppet_machine_gone(puppet, "vps-w0");
    puppet->cloud_groups[0].nodes--;
    puppet_run(puppet, 30 * MINUTE);
    assert_true(on(BRAKE_MANY_BROKEN));
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1);
    assert_string_equal(puppet_last(puppet, COMMAND_VPSIE_DELETE_MACHINE)->delete_machine.identifier,
                        "vps-w0");
    assert_null(puppet_life(puppet, "w0"));
}

// The clearing has begun, and VPSie has not been told yet.
static void what_was_lost_and_runs_again_keeps_its_machine_though_the_list_lacks_it(void **state)
{
    (void)state;
    in_service(6);
    host_ready(0, false);
    puppet_machine_gone(puppet, "vps-w0");
    puppet->cloud_groups[0].nodes--;
    puppet->held[COMMAND_KUBE_CORDON] = true;
    puppet_run(puppet, 10 * MINUTE);
    assert_int_equal(puppet_life(puppet, "w0")->step, LIFE_CORDON);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    host_ready(0, true);
    puppet_answer_all(puppet, COMMAND_KUBE_CORDON);
    puppet_run(puppet, 30 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_non_null(puppet_life(puppet, "w0"));
}

static void counts_that_contradict_the_list_conclude_nothing(void **state)
{
    (void)state;
    in_service(4);
    puppet->cloud_groups[0].nodes = 12;
    puppet_run(puppet, 2 * MINUTE);
    assert_true(on(BRAKE_CLOUD_LIST));
    assert_non_null(strstr(puppet->core->brakes[BRAKE_CLOUD_LIST].detail, "count 12"));
    puppet->cloud_groups[0].nodes = 0;
    puppet_run(puppet, 2 * MINUTE);
    assert_true(on(BRAKE_CLOUD_LIST));
    puppet->cloud_groups[0].nodes = 4;
    puppet_run(puppet, 2 * MINUTE);
    assert_false(on(BRAKE_CLOUD_LIST));
}

static void an_operator_may_say_that_the_list_is_right(void **state)
{
    (void)state;
    in_service(6);
    puppet_machine_gone(puppet, "vps-w0");
    puppet_machine_gone(puppet, "vps-w1");
    puppet->cloud_groups[0].nodes -= 2;
    puppet_run(puppet, 2 * MINUTE);
    assert_true(on(BRAKE_CLOUD_LIST));
    puppet_operator(puppet, OPERATOR_RESUME, "");
    puppet_run(puppet, SECOND);
    assert_false(on(BRAKE_CLOUD_LIST));
}

// ---- agents

static void agents_speak(int first, int last)
{
    char name[16];
    for (int i = first; i < last; i++)
        puppet_report(puppet, name_of(name, sizeof(name), "host-w", i), "", EVIDENCE_READY, 0);
}

static void most_agents_falling_silent_stops_voluntary_removals_only(void **state)
{
    (void)state;
    in_service(6);
    agents_speak(0, 6);
    puppet_run(puppet, 50 * SECOND);
    agents_speak(0, 2);
    puppet_run(puppet, 30 * SECOND);
    assert_true(on(BRAKE_AGENTS_SILENT)); // 4 of 6
    const char *why = "";
    assert_false(life_removals_allowed(puppet->core, &why));
    assert_true(life_removals_allowed_broken(puppet->core, &why));
    agents_speak(2, 4);
    puppet_run(puppet, 15 * SECOND);
    assert_false(on(BRAKE_AGENTS_SILENT));
}

static void a_few_silent_agents_stop_nothing(void **state)
{
    (void)state;
    in_service(6);
    agents_speak(0, 6);
    for (int i = 0; i < 20; i++) {
        puppet_run(puppet, 30 * SECOND);
        agents_speak(2, 6);
    }
    assert_false(on(BRAKE_AGENTS_SILENT));
}

// ---- groups gone

static void when_every_nodegroup_is_deleted_it_holds_until_resume(void **state)
{
    (void)state;
    puppet_group(puppet, "second", PUPPET_SIZE_TOO, 0, 2);
    in_service(3);
    for (uint32_t i = 0; i < 2; i++) {
        puppet->groups[i].deletion_ms = puppet->now_ms;
        puppet_show_group(puppet, &puppet->groups[i]);
    }
    puppet_run(puppet, 30 * MINUTE);
    assert_true(on(BRAKE_GROUPS_GONE));
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
    puppet_operator(puppet, OPERATOR_RESUME, "");
    puppet_run(puppet, 10 * SECOND);
    assert_false(on(BRAKE_GROUPS_GONE));
    assert_true(puppet_count(puppet, COMMAND_KUBE_CORDON) > 0);
}

static void all_groups_deleted(void)
{
    puppet->groups[0].deletion_ms = puppet->now_ms;
    puppet_show_group(puppet, &puppet->groups[0]);
    puppet_run(puppet, 2 * MINUTE);
    assert_true(on(BRAKE_GROUPS_GONE));
}

// Another coordinator takes over, which knows what it watches and what is on the Lease.
static void successor(void)
{
    puppet_lose(puppet);
    puppet_run(puppet, 5 * MINUTE);
    puppet_lead(puppet, 2);
    puppet_run(puppet, 10 * SECOND);
}

static void the_hold_and_its_resume_are_kept_on_the_lease(void **state)
{
    (void)state;
    in_service(3);
    all_groups_deleted();
    assert_int_equal(puppet->saved.mass_deletion, MASS_DELETION_HELD);
    successor();
    assert_true(on(BRAKE_GROUPS_GONE));
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
    puppet_operator(puppet, OPERATOR_RESUME, "");
    puppet_run(puppet, SECOND);
    assert_int_equal(puppet->saved.mass_deletion, MASS_DELETION_ACCEPTED);
    successor();
    assert_false(on(BRAKE_GROUPS_GONE));
    assert_true(puppet_count(puppet, COMMAND_KUBE_CORDON) > 0);
}

static void a_hold_is_known_to_who_has_seen_nothing_of_it(void **state)
{
    (void)state;
    puppet->saved.mass_deletion = MASS_DELETION_HELD;
    in_service(3);
    puppet->nodes[0].deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, &puppet->nodes[0]);
    puppet_run(puppet, 5 * MINUTE);
    assert_true(on(BRAKE_GROUPS_GONE));
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
}

static void what_is_deleted_later_is_held_anew(void **state)
{
    (void)state;
    in_service(3);
    all_groups_deleted();
    puppet_operator(puppet, OPERATOR_RESUME, "");
    puppet->groups[0].deletion_ms = 0; // made again
    puppet_show_group(puppet, &puppet->groups[0]);
    puppet_run(puppet, SECOND);
    assert_int_equal(puppet->saved.mass_deletion, MASS_DELETION_NONE);
    all_groups_deleted();
}

static void a_standby_forgets_a_hold_that_its_leader_has_settled(void **state)
{
    (void)state;
    puppet_group(puppet, "second", PUPPET_SIZE_TOO, 0, 2);
    in_service(3);
    puppet_lose(puppet);
    for (uint32_t i = 0; i < 2; i++) {
        puppet->groups[i].deletion_ms = puppet->now_ms;
        puppet_show_group(puppet, &puppet->groups[i]);
    }
    puppet->groups[1].deletion_ms = 0;
    puppet_show_group(puppet, &puppet->groups[1]);
    puppet_run(puppet, 5 * MINUTE);
    puppet_lead(puppet, 2);
    puppet_run(puppet, 10 * SECOND);
    assert_false(on(BRAKE_GROUPS_GONE));
}

static void a_standby_holds_what_it_saw_while_nobody_led(void **state)
{
    (void)state;
    in_service(3);
    puppet_lose(puppet);
    puppet->groups[0].deletion_ms = puppet->now_ms;
    puppet_show_group(puppet, &puppet->groups[0]);
    puppet_run(puppet, 30 * SECOND);
    puppet_lead(puppet, 2);
    puppet_run(puppet, 5 * MINUTE);
    assert_true(on(BRAKE_GROUPS_GONE));
    assert_int_equal(puppet->saved.mass_deletion, MASS_DELETION_HELD);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
}

static void one_nodegroup_of_two_is_no_reason_to_hold(void **state)
{
    (void)state;
    puppet_group(puppet, "second", PUPPET_SIZE_TOO, 0, 2);
    in_service(1);
    puppet->groups[1].deletion_ms = puppet->now_ms;
    puppet_show_group(puppet, &puppet->groups[1]);
    assert_false(on(BRAKE_GROUPS_GONE));
}

static void every_vpsienode_deleted_at_once_is_held_as_well(void **state)
{
    (void)state;
    in_service(5);
    for (uint32_t i = 0; i < 5; i++) {
        puppet->nodes[i].deletion_ms = puppet->now_ms;
        puppet_show_intention(puppet, &puppet->nodes[i]);
    }
    puppet_run(puppet, 5 * MINUTE);
    assert_true(on(BRAKE_GROUPS_GONE));
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_EVICT), 0);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
}

// ---- pauses

static void a_pause_is_kept_on_the_lease_and_stops_everything(void **state)
{
    (void)state;
    in_service(2);
    puppet->held[COMMAND_KUBE_SAVE_STATE] = true;
    puppet_operator(puppet, OPERATOR_PAUSE, "maintenance");
    assert_true(reply()->operator_reply.ok);
    assert_int_equal(reply()->operator_reply.request_id, 77);
    assert_true(on(BRAKE_PAUSED));
    assert_string_equal(puppet->core->brakes[BRAKE_PAUSED].detail, "maintenance");
    puppet_answer(puppet, puppet_last(puppet, COMMAND_KUBE_SAVE_STATE), OUTCOME_CONFLICT);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_SAVE_STATE), 2); // until it is kept
    puppet_answer_all(puppet, COMMAND_KUBE_SAVE_STATE);
    assert_true(puppet->saved.paused);
    assert_false(puppet_remove(puppet, "host-w0", REMOVAL_VOLUNTARY));
    puppet->nodes[0].deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, &puppet->nodes[0]);
    puppet_run(puppet, 5 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
    puppet_lose(puppet);
    puppet_lead(puppet, 4);
    puppet_run(puppet, 5 * SECOND);
    assert_true(on(BRAKE_PAUSED)); // by the next leader, too
    puppet_operator(puppet, OPERATOR_RESUME, "");
    puppet_run(puppet, SECOND);
    assert_false(puppet->saved.paused);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 1);
}

static void a_paused_nodegroup_is_left_alone_and_the_others_are_not(void **state)
{
    (void)state;
    puppet_cloud_group(puppet, "second", 13, PUPPET_SIZE_TOO, 0);
    puppet_group(puppet, "second", PUPPET_SIZE_TOO, 0, 4);
    in_service(2);
    struct puppet_group *group = &puppet->groups[0];
    snprintf(group->annotation_key, sizeof(group->annotation_key), "%s", KEY_PAUSED);
    snprintf(group->annotation_value, sizeof(group->annotation_value), "true");
    puppet_show_group(puppet, group);
    puppet->nodes[0].deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, &puppet->nodes[0]);
    assert_false(puppet_remove(puppet, "host-w1", REMOVAL_VOLUNTARY));
    puppet_run(puppet, 5 * MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
    puppet_order(puppet, "second", 1);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 1);
    group->annotation_key[0] = '\0';
    puppet_show_group(puppet, group);
    puppet_run(puppet, SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 1);
}

static void the_autoscaler_config_may_pause_everything(void **state)
{
    (void)state;
    in_service(2);
    struct event *event = event_create(EVENT_OBJECT);
    event->object.kind = OBJECT_CONFIG;
    event->object.config = ARENA_NEW(event->arena, struct config_facts);
    *event->object.config =
        (struct config_facts){.uid = "", .resource_version = "1", .paused = true, .invalid = ""};
    puppet_step(puppet, event);
    assert_true(on(BRAKE_PAUSED));
    assert_false(core_may_write(puppet->core));
    puppet_operator(puppet, OPERATOR_RESUME, "");
    assert_non_null(strstr(reply()->operator_reply.text, "still holds"));
    event = event_create(EVENT_OBJECT_GONE);
    event->gone.kind = OBJECT_CONFIG;
    event->gone.space = event->gone.name = event->gone.uid = "";
    puppet_step(puppet, event);
    assert_false(on(BRAKE_PAUSED));
}

static void without_the_api_server_nothing_is_begun(void **state)
{
    (void)state;
    in_service(2);
    struct event *event = event_create(EVENT_KUBE_STATE);
    event->kube_state.detail = "connection refused";
    puppet_step(puppet, event);
    assert_true(on(BRAKE_KUBE_UNREACHABLE));
    puppet->nodes[0].deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, &puppet->nodes[0]);
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 0);
    event = event_create(EVENT_KUBE_STATE);
    event->kube_state.reachable = true;
    event->kube_state.detail = "";
    puppet_step(puppet, event);
    puppet_run(puppet, SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CORDON), 1);
}

static void a_drain_under_way_is_undone_when_a_brake_closes(void **state)
{
    (void)state;
    in_service(6);
    agents_speak(0, 6);
    assert_true(puppet_remove(puppet, "host-w0", REMOVAL_VOLUNTARY));
    puppet_run(puppet, 80 * SECOND);
    assert_true(on(BRAKE_AGENTS_SILENT));
    assert_int_equal(puppet_life(puppet, "w0")->step, LIFE_READY);
    assert_false(puppet->kube_nodes[0].unschedulable);
}

// ---- release, and who may be asked

static void release_lifts_finalizers_and_cordons_and_leaves_the_machines(void **state)
{
    (void)state;
    in_service(3);
    agents_speak(0, 3);
    assert_true(puppet_remove(puppet, "host-w0", REMOVAL_VOLUNTARY));
    assert_true(puppet->kube_nodes[0].unschedulable);
    puppet_operator(puppet, OPERATOR_RELEASE, "");
    assert_null(reply()); // it is answered when it is done
    puppet_run(puppet, 10 * SECOND);
    assert_true(reply()->operator_reply.ok);
    for (uint32_t i = 0; i < 3; i++)
        assert_false(puppet->nodes[i].finalizer);
    assert_false(puppet->groups[0].finalizer);
    assert_false(puppet->kube_nodes[0].unschedulable);
    assert_int_equal(puppet_last(puppet, COMMAND_AGENT_DIRECTIVE)->directive.kind, DIRECTIVE_CANCEL_DRAIN);
    assert_true(puppet->saved.paused);
    puppet_run(puppet, 60 * MINUTE);
    assert_false(puppet->nodes[0].finalizer); // and it stays so
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    puppet_operator(puppet, OPERATOR_RESUME, "");
    puppet_run(puppet, 10 * SECOND);
    assert_true(puppet->nodes[1].finalizer);
    assert_int_equal(puppet_life(puppet, "w0")->step, LIFE_READY);
}

static void release_tries_until_everything_is_lifted(void **state)
{
    (void)state;
    in_service(1);
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = true;
    puppet_operator(puppet, OPERATOR_RELEASE, "");
    puppet_answer(puppet, puppet_last(puppet, COMMAND_KUBE_UPDATE_INTENTION), OUTCOME_UNKNOWN);
    puppet_run(puppet, 5 * SECOND);
    assert_null(reply());
    puppet_answer_all(puppet, COMMAND_KUBE_UPDATE_INTENTION);
    puppet_run(puppet, 5 * SECOND);
    assert_true(reply()->operator_reply.ok);
}

static void who_does_not_lead_says_who_does(void **state)
{
    (void)state;
    in_service(1);
    puppet_lose(puppet);
    puppet_operator(puppet, OPERATOR_PAUSE, "");
    assert_false(reply()->operator_reply.ok);
    assert_string_equal(reply()->operator_reply.code, "not-leader");
    assert_non_null(strstr(reply()->operator_reply.text, "other"));
    assert_false(puppet->core->paused);
}

static void release_waits_for_the_takeover(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_LIST_FRESH] = true;
    puppet_start(puppet);
    puppet_operator(puppet, OPERATOR_RELEASE, "");
    assert_string_equal(reply()->operator_reply.code, "not-ready");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(more_than_45_percent_of_nodes_stops_removals_and_replacements),
        TEST(three_of_a_few_are_not_many),
        TEST(a_fifth_of_a_group_and_more_than_one_stops_it_until_resume),
        TEST(an_empty_list_concludes_nothing),
        TEST(a_list_that_lost_a_fifth_of_what_runs_concludes_nothing),
        TEST(what_is_down_as_well_is_believed_to_be_lost),
        TEST(what_is_lost_is_cleared_away_while_many_broken_nodes_wait),
        TEST(what_was_lost_and_runs_again_keeps_its_machine_though_the_list_lacks_it),
        TEST(counts_that_contradict_the_list_conclude_nothing),
        TEST(an_operator_may_say_that_the_list_is_right),
        TEST(most_agents_falling_silent_stops_voluntary_removals_only),
        TEST(a_few_silent_agents_stop_nothing),
        TEST(when_every_nodegroup_is_deleted_it_holds_until_resume),
        TEST(the_hold_and_its_resume_are_kept_on_the_lease),
        TEST(a_hold_is_known_to_who_has_seen_nothing_of_it),
        TEST(what_is_deleted_later_is_held_anew),
        TEST(a_standby_forgets_a_hold_that_its_leader_has_settled),
        TEST(a_standby_holds_what_it_saw_while_nobody_led),
        TEST(one_nodegroup_of_two_is_no_reason_to_hold),
        TEST(every_vpsienode_deleted_at_once_is_held_as_well),
        TEST(a_pause_is_kept_on_the_lease_and_stops_everything),
        TEST(a_paused_nodegroup_is_left_alone_and_the_others_are_not),
        TEST(the_autoscaler_config_may_pause_everything),
        TEST(without_the_api_server_nothing_is_begun),
        TEST(a_drain_under_way_is_undone_when_a_brake_closes),
        TEST(release_lifts_finalizers_and_cordons_and_leaves_the_machines),
        TEST(release_tries_until_everything_is_lifted),
        TEST(who_does_not_lead_says_who_does),
        TEST(release_waits_for_the_takeover),
    };
    return cmocka_run_group_tests_name("brakes", tests, NULL, NULL);
}

// Ordering, seen from the doors: the intention, the baseline, one call, and each of its outcomes.
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
    puppet_machine(puppet, "pet", "pet-1");
    puppet_start(puppet);
    puppet_group(puppet, "general", PUPPET_SIZE, 0, 10);
    puppet_run(puppet, 5 * SECOND);
    return 0;
}

static int end(void **state)
{
    (void)state;
    puppet_destroy(puppet);
    return 0;
}

static const struct command *the_call(void)
{
    return puppet_last(puppet, COMMAND_VPSIE_ADD_MACHINE);
}

static uint32_t calls(void)
{
    return puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE);
}

static struct life *life_n(uint32_t n)
{
    return puppet_life(puppet, puppet_stored(puppet, n)->name);
}

static struct group *general(void)
{
    return cluster_group(puppet->core->cluster, "default", "general");
}

// A machine that the group counts.
static void appears(const char *identifier, const char *hostname)
{
    struct puppet_machine *machine = puppet_machine(puppet, identifier, hostname);
    machine->cpu = 4;
    machine->memory_mb = 8192;
    puppet->cloud_groups[0].nodes++;
}

// ---- the order of things

static void the_intention_is_seen_before_vpsie_is_read_for_its_baseline(void **state)
{
    (void)state;
    puppet->watch_held = true;
    puppet_order(puppet, "general", 1);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CREATE_INTENTION), 1);
    uint32_t lists = puppet_count(puppet, COMMAND_VPSIE_LIST_MACHINES);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_UPDATE_INTENTION), 0);
    puppet->watch_held = false;
    puppet_show_intention(puppet, puppet_stored(puppet, 0));
    const struct command *list = puppet_nth(puppet, COMMAND_VPSIE_LIST_MACHINES, lists);
    assert_non_null(list);
    assert_true(puppet_at(puppet, puppet_nth(puppet, COMMAND_KUBE_CREATE_INTENTION, 0)) <
                puppet_at(puppet, list));
    assert_true(puppet_at(puppet, list) < puppet_at(puppet, the_call()));
}

static void the_intention_carries_what_must_survive(void **state)
{
    (void)state;
    puppet_order(puppet, "general", 1);
    const struct command *create = puppet_nth(puppet, COMMAND_KUBE_CREATE_INTENTION, 0);
    const struct intention_facts *facts = create->create_intention.facts;
    assert_true(facts->has_finalizer);
    assert_string_equal(facts->owner_uid, "uid-general");
    assert_string_equal(create->create_intention.owner_name, "general");
    assert_string_equal(facts->group_name, "general");
    assert_string_equal(facts->instance_type, "21");
    assert_int_equal(facts->phase, INTENTION_PENDING);
    assert_true(strlen(facts->name) <= 63);
    assert_string_equal(labels_get(&facts->annotations, KEY_CREATED_BY), CREATED_BY_US);
    assert_string_equal(labels_get(&facts->annotations, KEY_CREATION_REASON), "metrics");
    assert_string_equal(labels_get(&facts->labels, KEY_MANAGED), "true");
    assert_string_equal(labels_get(&facts->labels, KEY_NODEGROUP), "general");
    assert_string_equal(labels_get(&facts->labels, KEY_DATACENTER), "dc-1");
}

static void the_baseline_is_stored_and_confirmed_before_the_call(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = true;
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, 20 * SECOND);
    const struct command *write = puppet_nth(puppet, COMMAND_KUBE_UPDATE_INTENTION, 0);
    assert_non_null(write);
    assert_string_equal(write->update_intention.resource_version, "1"); // as it was read: a compare and set
    const struct labels *notes = &write->update_intention.annotations;
    assert_non_null(strstr(labels_get(notes, KEY_BASELINE), ";12;12:0;pet"));
    assert_non_null(labels_get(notes, KEY_CREATION_REQUESTED));
    assert_string_equal(labels_get(notes, KEY_ORDER), "requested");
    assert_null(the_call());
    puppet_answer(puppet, write, OUTCOME_OK);
    assert_non_null(the_call());
    assert_int_equal(the_call()->add_machine.group_id, 12);
    assert_int_equal(the_call()->term, 1);
}

static void a_lost_answer_to_the_baseline_is_read_off_the_object(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = true;
    puppet_order(puppet, "general", 1);
    const struct command *write = puppet_nth(puppet, COMMAND_KUBE_UPDATE_INTENTION, 0);
    // it was stored, and only the answer is lost
    struct puppet_node *node = puppet_stored(puppet, 0);
    puppet_annotate(node, KEY_BASELINE, labels_get(&write->update_intention.annotations, KEY_BASELINE));
    node->version++;
    puppet_answer(puppet, write, OUTCOME_UNKNOWN);
    assert_null(the_call());
    puppet_show_intention(puppet, node);
    assert_non_null(the_call());
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_UPDATE_INTENTION), 1);
}

static void a_conflict_on_the_baseline_is_tried_again_with_what_is_there_then(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer(puppet, puppet_nth(puppet, COMMAND_KUBE_UPDATE_INTENTION, 0), OUTCOME_CONFLICT);
    puppet_stored(puppet, 0)->version = 9;
    puppet_show_intention(puppet, puppet_stored(puppet, 0));
    puppet_run(puppet, 2 * SECOND);
    const struct command *again = puppet_nth(puppet, COMMAND_KUBE_UPDATE_INTENTION, 1);
    assert_non_null(again);
    assert_string_equal(again->update_intention.resource_version, "9");
    assert_null(the_call());
}

static void a_baseline_of_another_coordinator_means_that_it_may_have_called(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer(puppet, puppet_nth(puppet, COMMAND_KUBE_UPDATE_INTENTION, 0), OUTCOME_CONFLICT);
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = false;
    puppet_annotate(puppet_stored(puppet, 0), KEY_BASELINE, "1;0;1700000000000;12;12:0;pet");
    puppet_show_intention(puppet, puppet_stored(puppet, 0));
    puppet_run(puppet, 5 * MINUTE);
    assert_null(the_call());
    assert_int_equal(life_n(0)->step, LIFE_APPEAR);
    assert_true(life_n(0)->outcome_unknown);
}

static void a_batch_shares_one_baseline_and_each_calls_once(void **state)
{
    (void)state;
    puppet_order(puppet, "general", 3);
    puppet_run(puppet, MINUTE);
    assert_int_equal(calls(), 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_non_null(strstr(puppet_note_of(puppet_stored(puppet, i), KEY_BASELINE), ";12;12:0;pet"));
    puppet_run(puppet, 10 * MINUTE);
    assert_int_equal(calls(), 3);
}

static void a_later_order_takes_over_the_baseline_of_the_oldest_open_one(void **state)
{
    (void)state;
    puppet_order(puppet, "general", 1);
    puppet_machine(puppet, "stranger", "stranger-1"); // came since: not in the first baseline
    puppet_run(puppet, 20 * SECOND);
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, 20 * SECOND);
    assert_int_equal(calls(), 2);
    assert_null(strstr(puppet_note_of(puppet_stored(puppet, 1), KEY_BASELINE), "stranger"));
}

// ---- outcomes

static void accepted_waits_for_the_list(void **state)
{
    (void)state;
    puppet_order(puppet, "general", 1);
    assert_int_equal(life_n(0)->step, LIFE_APPEAR);
    assert_false(life_n(0)->outcome_unknown);
    puppet_run(puppet, SECOND);
    const struct puppet_node *node = puppet_stored(puppet, 0);
    assert_string_equal(puppet_note_of(node, KEY_ORDER), "accepted");
    assert_int_equal(node->phase, INTENTION_PROVISIONING);
    appears("vps-1", "w-1");
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(life_n(0)->step, LIFE_JOIN);
    assert_string_equal(node->identifier, "vps-1");
    assert_string_equal(puppet_note_of(node, KEY_ORDER), "placed");
    assert_int_equal(node->phase, INTENTION_PROVISIONED);
}

static void an_answer_that_names_the_machine_is_believed(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer_machine(puppet, the_call(), "vps-9", "W-9");
    assert_int_equal(life_n(0)->step, LIFE_JOIN);
    puppet_run(puppet, SECOND);
    assert_string_equal(puppet_stored(puppet, 0)->identifier, "vps-9");
    assert_string_equal(puppet_note_of(puppet_stored(puppet, 0), KEY_HOSTNAME), "w-9");
}

static void an_answer_that_names_an_old_machine_is_not_believed(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer_machine(puppet, the_call(), "pet", "pet-1");
    assert_int_equal(life_n(0)->step, LIFE_APPEAR);
    puppet_run(puppet, MINUTE);
    assert_string_equal(puppet_stored(puppet, 0)->identifier, "");
}

static void an_answer_that_names_another_intention_s_machine_is_not_believed(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 2);
    puppet_answer_machine(puppet, puppet_nth(puppet, COMMAND_VPSIE_ADD_MACHINE, 0), "vps-9", "w-9");
    puppet_answer_machine(puppet, puppet_nth(puppet, COMMAND_VPSIE_ADD_MACHINE, 1), "vps-9", "w-9");
    puppet_run(puppet, SECOND);
    enum life_step first = life_n(0)->step, second = life_n(1)->step;
    assert_true((first == LIFE_JOIN && second == LIFE_APPEAR) ||
                (first == LIFE_APPEAR && second == LIFE_JOIN));
}

static void a_lost_answer_is_a_state_of_its_own_and_nothing_is_repeated(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer(puppet, the_call(), OUTCOME_UNKNOWN);
    assert_int_equal(life_n(0)->step, LIFE_APPEAR);
    assert_true(life_n(0)->outcome_unknown);
    assert_int_equal(puppet->core->orders_unknown, 1);
    puppet_run(puppet, 14 * MINUTE);
    assert_int_equal(calls(), 1);
    assert_int_equal(life_n(0)->step, LIFE_APPEAR);
    appears("vps-1", "w-1");
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(life_n(0)->step, LIFE_JOIN); // it had been made after all
}

static void no_answer_at_all_is_an_unknown_one(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(life_n(0)->step, LIFE_APPEAR);
    assert_true(life_n(0)->outcome_unknown);
}

static void a_call_of_which_no_byte_was_sent_is_made_again_with_a_new_baseline(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer(puppet, the_call(), OUTCOME_NOT_SENT);
    puppet_machine(puppet, "later", "later-1");
    assert_int_equal(calls(), 1);
    puppet_run(puppet, 20 * SECOND);
    assert_int_equal(calls(), 2);
    assert_non_null(strstr(puppet_note_of(puppet_stored(puppet, 0), KEY_BASELINE), "later"));
    assert_int_equal(puppet->core->machines_ordered, 1);
}

static void a_call_that_is_never_sent_is_tried_less_and_less_often(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    for (int i = 0; i < 60; i++) {
        if (!puppet->answered[puppet_at(puppet, the_call())])
            puppet_answer(puppet, the_call(), OUTCOME_NOT_SENT);
        puppet_run(puppet, 5 * SECOND);
    }
    assert_true(calls() >= 4 && calls() <= 10);
}

static void after_429_it_waits_as_long_as_vpsie_says(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer_words(puppet, the_call(), OUTCOME_THROTTLED, 45 * SECOND, "too many requests");
    puppet_run(puppet, 44 * SECOND);
    assert_int_equal(calls(), 1);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(calls(), 2);
}

static void a_refusal_fails_the_intention_and_backs_the_group_off(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer_words(puppet, the_call(), OUTCOME_REFUSED, 0, "no such size today");
    puppet_run(puppet, SECOND);
    const struct puppet_node *node = puppet_stored(puppet, 0);
    assert_int_equal(node->phase, INTENTION_FAILED);
    assert_non_null(strstr(node->error, "no such size today"));
    assert_string_equal(puppet_note_of(node, KEY_ORDER), "refused");
    const struct group_life *life = group_life(puppet->core, general());
    assert_true(life->backoff_until_ms > puppet->now_ms + 20 * SECOND);
    assert_true(life->backoff_until_ms < puppet->now_ms + 2 * MINUTE);
    assert_non_null(strstr(life->backoff_reason, "no such size today"));
    assert_int_equal(life_counts(puppet->core, general()).total, 0); // nothing was placed
    assert_int_equal(calls(), 1);
    assert_true(puppet_said(puppet, "no such size today"));
}

static void a_limit_backs_off_for_longer_and_longer_the_more_often_it_is_met(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    int64_t waits[2];
    for (int i = 0; i < 2; i++) {
        puppet_order(puppet, "general", 1);
        puppet_answer_words(puppet, the_call(), OUTCOME_LIMITED, 0, "quota exceeded");
        waits[i] = group_life(puppet->core, general())->backoff_until_ms - puppet->now_ms;
        puppet_run(puppet, waits[i] + SECOND);
    }
    assert_int_equal(waits[0], 5 * MINUTE);
    assert_int_equal(waits[1], 10 * MINUTE);
}

static void a_refusal_cancels_the_orders_of_its_group_that_have_not_been_called(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = true;
    puppet_order(puppet, "general", 2);
    puppet_answer(puppet, puppet_nth(puppet, COMMAND_KUBE_UPDATE_INTENTION, 0), OUTCOME_OK);
    puppet_answer_words(puppet, the_call(), OUTCOME_REFUSED, 0, "no");
    puppet_answer_all(puppet, COMMAND_KUBE_UPDATE_INTENTION);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(calls(), 1);
    assert_int_equal(puppet_stored_count(puppet), 1); // the failed one, for people to see
}

static void after_a_refusal_one_order_tries_before_the_others(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer_words(puppet, the_call(), OUTCOME_LIMITED, 0, "quota exceeded");
    puppet_run(puppet, 6 * MINUTE);
    puppet_order(puppet, "general", 3);
    puppet_run(puppet, 20 * SECOND);
    assert_int_equal(calls(), 2);
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = false;
    puppet_answer(puppet, the_call(), OUTCOME_OK);
    puppet_run(puppet, 20 * SECOND);
    assert_int_equal(calls(), 4);
}

// ---- not placed

static void what_does_not_appear_within_the_bound_is_declared_not_placed(void **state)
{
    (void)state;
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, 15 * MINUTE + 29 * SECOND);
    assert_int_equal(life_n(0)->step, LIFE_APPEAR);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(life_n(0)->step, LIFE_FAILED);
    assert_string_equal(puppet_note_of(puppet_stored(puppet, 0), KEY_ORDER), "not-placed");
    assert_int_equal(puppet_stored(puppet, 0)->phase, INTENTION_FAILED);
    assert_int_equal(life_counts(puppet->core, general()).total, 0);
}

static void without_a_list_of_vpsie_nothing_is_declared_not_placed(void **state)
{
    (void)state;
    puppet_order(puppet, "general", 1);
    puppet->held[COMMAND_VPSIE_LIST_GROUPS] = true;
    puppet_run(puppet, 30 * MINUTE);
    assert_int_equal(life_n(0)->step, LIFE_APPEAR);
    puppet_answer_all(puppet, COMMAND_VPSIE_LIST_GROUPS);
    puppet_run(puppet, 4 * MINUTE); // who was blind watches for a while first
    assert_int_equal(life_n(0)->step, LIFE_APPEAR);
    assert_non_null(strstr(life_n(0)->waits_for, "watched"));
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(life_n(0)->step, LIFE_FAILED);
}

static void a_failed_intention_stays_for_its_ttl(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer_words(puppet, the_call(), OUTCOME_REFUSED, 0, "no");
    puppet_run(puppet, 29 * MINUTE);
    assert_int_equal(puppet_stored_count(puppet), 1);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(puppet_stored_count(puppet), 0);
}

static void with_a_ttl_of_zero_a_failed_intention_stays_for_ever(void **state)
{
    (void)state;
    puppet->core->config.failed_ttl_ms = 0;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer_words(puppet, the_call(), OUTCOME_REFUSED, 0, "no");
    puppet_run(puppet, (int64_t)24 * 60 * MINUTE);
    assert_int_equal(puppet_stored_count(puppet), 1);
    assert_int_equal(puppet_stored(puppet, 0)->phase, INTENTION_FAILED);
}

// ---- before the call

static void a_group_without_a_vpsie_group_gets_one_and_its_id_is_listed(void **state)
{
    (void)state;
    puppet_group(puppet, "batch", PUPPET_SIZE_TOO, 0, 4);
    puppet->held[COMMAND_VPSIE_CREATE_GROUP] = true;
    puppet_order(puppet, "batch", 2);
    const struct command *create = puppet_last(puppet, COMMAND_VPSIE_CREATE_GROUP);
    assert_string_equal(create->create_group.name, "batch");
    assert_int_equal(create->create_group.size_id, PUPPET_SIZE_TOO);
    puppet_run(puppet, MINUTE);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_CREATE_GROUP), 1); // once, whoever waits for it
    puppet_cloud_group(puppet, "batch", 31, PUPPET_SIZE_TOO, 0);
    puppet_answer(puppet, create, OUTCOME_UNKNOWN);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(calls(), 2);
    assert_int_equal(the_call()->add_machine.group_id, 31);
}

static void a_group_that_could_not_be_asked_for_is_asked_for_again(void **state)
{
    (void)state;
    puppet_group(puppet, "batch", PUPPET_SIZE_TOO, 0, 4);
    puppet->held[COMMAND_VPSIE_CREATE_GROUP] = true;
    puppet_order(puppet, "batch", 1);
    puppet_answer(puppet, puppet_last(puppet, COMMAND_VPSIE_CREATE_GROUP), OUTCOME_NOT_SENT);
    puppet_run(puppet, 15 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_CREATE_GROUP), 2);
}

static void a_refused_group_is_said_and_backs_off(void **state)
{
    (void)state;
    puppet_group(puppet, "batch", PUPPET_SIZE_TOO, 0, 4);
    puppet->held[COMMAND_VPSIE_CREATE_GROUP] = true;
    puppet_order(puppet, "batch", 1);
    puppet_answer_words(puppet, puppet_last(puppet, COMMAND_VPSIE_CREATE_GROUP), OUTCOME_REFUSED, 0,
                        "one group of a size");
    assert_true(puppet_said(puppet, "one group of a size"));
    puppet_run(puppet, 5 * SECOND);
    assert_null(the_call());
    assert_int_equal(puppet_stored_count(puppet), 0); // not called: cancelled
}

static void of_two_vpsie_groups_of_one_name_the_one_that_is_known_is_kept(void **state)
{
    (void)state;
    puppet_cloud_group(puppet, "general", 3, PUPPET_SIZE, 0); // an older one turns up
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(group_life(puppet->core, general())->vpsie_group_id, 12);
}

static void an_existing_group_s_size_wins_and_the_difference_is_said(void **state)
{
    (void)state;
    puppet_cloud_group(puppet, "odd", 77, PUPPET_SIZE_TOO, 0);
    puppet_group(puppet, "odd", PUPPET_SIZE, 0, 4);
    puppet_run(puppet, 2 * MINUTE);
    const struct group_life *life =
        group_life(puppet->core, cluster_group(puppet->core->cluster, NULL, "odd"));
    assert_int_equal(life->size_id, PUPPET_SIZE_TOO);
    assert_int_equal(life->vpsie_group_id, 77);
    assert_non_null(strstr(life->problem, "the spec says 21"));
}

static void without_a_size_the_first_usable_offering_is_taken(void **state)
{
    (void)state;
    struct puppet_group *group = puppet_group(puppet, "free", 0, 0, 4);
    group->offerings[0] = "0b1c2d3e-uuid";
    group->offerings[1] = "21"; // another group's
    group->offerings[2] = "22";
    group->offering_count = 3;
    puppet_show_group(puppet, group);
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(group_life(puppet->core, cluster_group(puppet->core->cluster, NULL, "free"))->size_id,
                     22);
    assert_true(puppet_said(puppet, "1 of 3 offeringIDs"));
}

static void offerings_that_cannot_be_ordered_are_a_problem_and_nothing_is_tried(void **state)
{
    (void)state;
    struct puppet_group *group = puppet_group(puppet, "free", 0, 0, 4);
    static const char *const offerings[] = {"0b1c2d3e-uuid", "99", "21"};
    static const char *const words[] = {"0b1c2d3e-uuid is not a size", "99 is not offered",
                                        "is another group's"};
    group->offering_count = 1;
    for (size_t i = 0; i < 3; i++) {
        group->offerings[0] = offerings[i];
        puppet_show_group(puppet, group);
        puppet_run(puppet, 2 * MINUTE);
        const struct group_life *life =
            group_life(puppet->core, cluster_group(puppet->core->cluster, NULL, "free"));
        assert_int_equal(life->size_id, 0);
        assert_non_null(strstr(life->problem, words[i]));
    }
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_CREATE_GROUP), 0);
}

static void an_order_that_waits_for_too_long_is_decided_anew(void **state)
{
    (void)state;
    struct event *event = event_create(EVENT_VPSIE_STATE);
    event->vpsie_state.detail = "breaker open";
    puppet_step(puppet, event);
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, 10 * MINUTE);
    assert_int_equal(life_n(0)->step, LIFE_WAIT_TURN);
    puppet_run(puppet, 6 * MINUTE);
    assert_int_equal(puppet_stored_count(puppet), 0);
    assert_null(the_call());
}

static void an_order_of_a_group_that_is_being_deleted_is_cancelled(void **state)
{
    (void)state;
    puppet_group(puppet, "batch", PUPPET_SIZE_TOO, 0, 4);
    puppet->held[COMMAND_KUBE_UPDATE_INTENTION] = true;
    puppet_order(puppet, "general", 1);
    puppet->groups[0].deletion_ms = puppet->now_ms;
    puppet_show_group(puppet, &puppet->groups[0]);
    puppet_answer_all(puppet, COMMAND_KUBE_UPDATE_INTENTION);
    puppet_run(puppet, 5 * SECOND);
    assert_null(the_call());
    assert_int_equal(puppet_stored_count(puppet), 0);
}

static void an_order_whose_vpsienode_is_deleted_is_cancelled(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_LIST_GROUPS] = true;
    puppet_order(puppet, "general", 1);
    struct puppet_node *node = puppet_stored(puppet, 0);
    node->deletion_ms = puppet->now_ms;
    puppet_show_intention(puppet, node);
    puppet_run(puppet, SECOND);
    assert_true(node->gone);
    puppet_answer_all(puppet, COMMAND_VPSIE_LIST_GROUPS);
    assert_null(the_call());
}

static void an_order_above_the_maximum_is_cancelled(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_LIST_GROUPS] = true;
    puppet_order(puppet, "general", 3);
    puppet->groups[0].max = 1;
    puppet_show_group(puppet, &puppet->groups[0]);
    puppet_answer_all(puppet, COMMAND_VPSIE_LIST_GROUPS);
    puppet_run(puppet, 20 * SECOND);
    assert_true(calls() <= 1);
}

static void orders_of_two_groups_whose_machines_look_alike_take_turns(void **state)
{
    (void)state;
    puppet_cloud_group(puppet, "twin", 13, PUPPET_SIZE, 0);
    puppet_group(puppet, "twin", PUPPET_SIZE, 0, 4);
    puppet_run(puppet, 2 * MINUTE);
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, SECOND);
    puppet_order(puppet, "twin", 1);
    puppet_run(puppet, MINUTE);
    assert_int_equal(calls(), 1);
    assert_int_equal(life_n(1)->step, LIFE_WAIT_TURN);
    assert_non_null(strstr(life_n(1)->waits_for, "general"));
    appears("vps-1", "w-1");
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(life_n(0)->step, LIFE_JOIN);
    assert_int_equal(calls(), 2);
    assert_int_equal(the_call()->add_machine.group_id, 13);
}

static void orders_of_two_groups_of_different_sizes_may_be_open_together(void **state)
{
    (void)state;
    puppet_cloud_group(puppet, "large", 14, PUPPET_SIZE_TOO, 0);
    puppet_group(puppet, "large", PUPPET_SIZE_TOO, 0, 4);
    puppet_run(puppet, 2 * MINUTE);
    puppet_order(puppet, "general", 1);
    puppet_order(puppet, "large", 1);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(calls(), 2);
}

// ---- creating the intention

static void a_lost_answer_to_the_creation_makes_no_second_intention(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_CREATE_INTENTION] = true;
    puppet_order(puppet, "general", 1);
    const struct command *first = puppet_nth(puppet, COMMAND_KUBE_CREATE_INTENTION, 0);
    puppet_answer(puppet, first, OUTCOME_UNKNOWN);
    puppet_run(puppet, 3 * SECOND);
    const struct command *second = puppet_nth(puppet, COMMAND_KUBE_CREATE_INTENTION, 1);
    assert_string_equal(second->create_intention.facts->name, first->create_intention.facts->name);
    puppet_answer(puppet, second, OUTCOME_CONFLICT); // it is there: ours
    assert_int_equal(life_counts(puppet->core, general()).coming, 1);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_CREATE_INTENTION), 2);
}

static void a_name_that_is_taken_is_replaced_by_another(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_CREATE_INTENTION] = true;
    puppet_order(puppet, "general", 1);
    const struct command *first = puppet_nth(puppet, COMMAND_KUBE_CREATE_INTENTION, 0);
    puppet_answer(puppet, first, OUTCOME_CONFLICT);
    puppet_run(puppet, 3 * SECOND);
    const struct command *second = puppet_nth(puppet, COMMAND_KUBE_CREATE_INTENTION, 1);
    assert_string_not_equal(second->create_intention.facts->name, first->create_intention.facts->name);
}

static void an_intention_that_is_refused_backs_the_group_off(void **state)
{
    (void)state;
    puppet->held[COMMAND_KUBE_CREATE_INTENTION] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer_words(puppet, puppet_nth(puppet, COMMAND_KUBE_CREATE_INTENTION, 0), OUTCOME_REFUSED, 0,
                        "admission webhook denied");
    assert_int_equal(life_counts(puppet->core, general()).coming, 0);
    assert_true(group_life(puppet->core, general())->backoff_until_ms > puppet->now_ms);
    assert_true(puppet_said(puppet, "admission webhook denied"));
}

static void a_confirmed_intention_that_is_never_seen_is_listed_for_and_then_dropped(void **state)
{
    (void)state;
    puppet->watch_held = true;
    puppet_order(puppet, "general", 1);
    uint32_t lists = puppet_count(puppet, COMMAND_KUBE_LIST_FRESH);
    puppet_run(puppet, 31 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_KUBE_LIST_FRESH), lists + 1);
    assert_int_equal(life_counts(puppet->core, general()).coming, 1);
    puppet_run(puppet, 4 * MINUTE);
    assert_int_equal(life_counts(puppet->core, general()).coming, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_intention_is_seen_before_vpsie_is_read_for_its_baseline),
        TEST(the_intention_carries_what_must_survive),
        TEST(the_baseline_is_stored_and_confirmed_before_the_call),
        TEST(a_lost_answer_to_the_baseline_is_read_off_the_object),
        TEST(a_conflict_on_the_baseline_is_tried_again_with_what_is_there_then),
        TEST(a_baseline_of_another_coordinator_means_that_it_may_have_called),
        TEST(a_batch_shares_one_baseline_and_each_calls_once),
        TEST(a_later_order_takes_over_the_baseline_of_the_oldest_open_one),
        TEST(accepted_waits_for_the_list),
        TEST(an_answer_that_names_the_machine_is_believed),
        TEST(an_answer_that_names_an_old_machine_is_not_believed),
        TEST(an_answer_that_names_another_intention_s_machine_is_not_believed),
        TEST(a_lost_answer_is_a_state_of_its_own_and_nothing_is_repeated),
        TEST(no_answer_at_all_is_an_unknown_one),
        TEST(a_call_of_which_no_byte_was_sent_is_made_again_with_a_new_baseline),
        TEST(a_call_that_is_never_sent_is_tried_less_and_less_often),
        TEST(after_429_it_waits_as_long_as_vpsie_says),
        TEST(a_refusal_fails_the_intention_and_backs_the_group_off),
        TEST(a_limit_backs_off_for_longer_and_longer_the_more_often_it_is_met),
        TEST(a_refusal_cancels_the_orders_of_its_group_that_have_not_been_called),
        TEST(after_a_refusal_one_order_tries_before_the_others),
        TEST(what_does_not_appear_within_the_bound_is_declared_not_placed),
        TEST(without_a_list_of_vpsie_nothing_is_declared_not_placed),
        TEST(a_failed_intention_stays_for_its_ttl),
        TEST(with_a_ttl_of_zero_a_failed_intention_stays_for_ever),
        TEST(a_group_without_a_vpsie_group_gets_one_and_its_id_is_listed),
        TEST(a_group_that_could_not_be_asked_for_is_asked_for_again),
        TEST(a_refused_group_is_said_and_backs_off),
        TEST(of_two_vpsie_groups_of_one_name_the_one_that_is_known_is_kept),
        TEST(an_existing_group_s_size_wins_and_the_difference_is_said),
        TEST(without_a_size_the_first_usable_offering_is_taken),
        TEST(offerings_that_cannot_be_ordered_are_a_problem_and_nothing_is_tried),
        TEST(an_order_that_waits_for_too_long_is_decided_anew),
        TEST(an_order_of_a_group_that_is_being_deleted_is_cancelled),
        TEST(an_order_whose_vpsienode_is_deleted_is_cancelled),
        TEST(an_order_above_the_maximum_is_cancelled),
        TEST(orders_of_two_groups_whose_machines_look_alike_take_turns),
        TEST(orders_of_two_groups_of_different_sizes_may_be_open_together),
        TEST(a_lost_answer_to_the_creation_makes_no_second_intention),
        TEST(a_name_that_is_taken_is_replaced_by_another),
        TEST(an_intention_that_is_refused_backs_the_group_off),
        TEST(a_confirmed_intention_that_is_never_seen_is_listed_for_and_then_dropped),
    };
    return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}

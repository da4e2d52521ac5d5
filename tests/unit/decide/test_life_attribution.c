// Whose machine is it? Counts, baselines, sizes; other hands at work; surplus and adoption.
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
    puppet_cloud_group(puppet, "theirs", 90, PUPPET_SIZE, 0); // nobody's NodeGroup, the same size
    puppet_start(puppet);
    puppet_group(puppet, "general", PUPPET_SIZE, 0, 10);
    puppet_run(puppet, 2 * MINUTE);
    return 0;
}

static int end(void **state)
{
    (void)state;
    puppet_destroy(puppet);
    return 0;
}

static struct puppet_node *order(void)
{
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, 10 * SECOND);
    struct puppet_node *node = puppet_stored(puppet, puppet_stored_count(puppet) - 1);
    assert_int_equal(puppet_life(puppet, node->name)->step, LIFE_APPEAR);
    return node;
}

static struct puppet_machine *machine(const char *identifier, int32_t cpu, int64_t memory_mb)
{
    struct puppet_machine *made = puppet_machine(puppet, identifier, identifier);
    made->cpu = cpu;
    made->memory_mb = memory_mb;
    return made;
}

static struct group *general(void)
{
    return cluster_group(puppet->core->cluster, NULL, "general");
}

// ---- one order

static void a_machine_is_not_taken_while_its_group_counts_nothing_more(void **state)
{
    (void)state;
    struct puppet_node *node = order();
    machine("vps-1", 4, 8192);
    puppet_run(puppet, 5 * MINUTE);
    assert_string_equal(node->identifier, "");
    puppet->cloud_groups[0].nodes++;
    puppet_run(puppet, 2 * MINUTE);
    assert_string_equal(node->identifier, "vps-1");
}

static void what_is_alone_but_could_be_another_s_is_taken_when_nothing_changes_for_a_while(void **state)
{
    (void)state;
    struct puppet_node *node = order();
    machine("vps-1", 0, 0); // of a size that is not told
    puppet->cloud_groups[0].nodes++;
    puppet_run(puppet, 30 * SECOND);
    assert_string_equal(node->identifier, "");
    puppet_run(puppet, MINUTE);
    assert_string_equal(node->identifier, "vps-1");
}

static void a_machine_of_another_group_that_rose_too_is_not_taken(void **state)
{
    (void)state;
    struct puppet_node *node = order();
    machine("vps-theirs", 0, 0);
    puppet->cloud_groups[0].nodes++; // ours is counted, and not listed yet
    puppet->cloud_groups[1].nodes++;
    puppet_run(puppet, 10 * MINUTE);
    assert_string_equal(node->identifier, "");
    assert_int_equal(puppet_life(puppet, node->name)->step, LIFE_APPEAR);
}

static void two_machines_of_the_same_size_and_one_of_them_ours_cannot_be_told_apart(void **state)
{
    (void)state;
    struct puppet_node *node = order();
    machine("vps-1", 4, 8192);
    machine("vps-2", 4, 8192);
    puppet->cloud_groups[0].nodes++;
    puppet->cloud_groups[1].nodes++;
    puppet_run(puppet, 5 * MINUTE);
    assert_string_equal(node->identifier, "");
    assert_true(puppet_said(puppet, "cannot be told apart"));
    puppet_run(puppet, 15 * MINUTE);
    assert_int_equal(puppet_life(puppet, node->name)->step, LIFE_FAILED);
    assert_non_null(strstr(node->error, "told apart"));
}

static void the_size_tells_them_apart(void **state)
{
    (void)state;
    puppet->cloud_groups[1].size = PUPPET_SIZE_TOO;
    puppet_run(puppet, 2 * MINUTE);
    struct puppet_node *node = order();
    machine("vps-1", 8, 16384);
    machine("vps-2", 4, 8192);
    puppet->cloud_groups[0].nodes++;
    puppet->cloud_groups[1].nodes++;
    puppet_run(puppet, 10 * SECOND);
    assert_string_equal(node->identifier, "vps-2");
}

static void the_node_tells_the_size_when_the_list_does_not(void **state)
{
    (void)state;
    puppet->cloud_groups[1].size = PUPPET_SIZE_TOO;
    puppet_run(puppet, 2 * MINUTE);
    struct puppet_node *node = order();
    machine("vps-1", 0, 0);
    machine("vps-2", 0, 0);
    puppet->cloud_groups[0].nodes++;
    puppet->cloud_groups[1].nodes++;
    puppet_run(puppet, 3 * MINUTE);
    assert_string_equal(node->identifier, "");
    struct puppet_kube_node *large = puppet_kube_node(puppet, "vps-1", false);
    large->cpu_millis = 8000;
    large->memory_mb = 15700;
    puppet_show_kube_node(puppet, large);
    puppet_kube_node(puppet, "VPS-2", false); // 4 cores, 7.6 GiB, another case
    puppet_run(puppet, 10 * SECOND);
    assert_string_equal(node->identifier, "vps-2");
    assert_string_equal(node->node_name, "VPS-2");
}

static void a_machine_of_the_baseline_is_never_taken(void **state)
{
    (void)state;
    machine("vps-old", 4, 8192);
    puppet_run(puppet, 2 * MINUTE);
    struct puppet_node *node = order();
    puppet->cloud_groups[0].nodes++; // whatever this is, it is not the old one
    puppet_run(puppet, 5 * MINUTE);
    assert_string_equal(node->identifier, "");
}

static void a_master_is_never_taken(void **state)
{
    (void)state;
    struct puppet_node *node = order();
    machine("vps-master", 4, 8192)->role = MACHINE_ROLE_MASTER;
    puppet->cloud_groups[0].nodes++;
    puppet_run(puppet, 5 * MINUTE);
    assert_string_equal(node->identifier, "");
}

static void a_master_that_the_list_does_not_call_one_is_known_by_its_node(void **state)
{
    (void)state;
    struct puppet_node *node = order();
    machine("vps-master", 4, 8192);
    struct puppet_kube_node *kube = puppet_kube_node(puppet, "vps-master", true);
    kube->labels[kube->label_count++] = (struct label){"node-role.kubernetes.io/control-plane", ""};
    puppet_show_kube_node(puppet, kube);
    puppet->cloud_groups[0].nodes++;
    puppet_run(puppet, 5 * MINUTE);
    assert_string_equal(node->identifier, "");
}

// ---- several orders

static void the_oldest_order_gets_the_first_machine(void **state)
{
    (void)state;
    struct puppet_node *first = order();
    puppet_run(puppet, 5 * SECOND);
    struct puppet_node *second = order();
    machine("vps-1", 4, 8192);
    puppet->cloud_groups[1].size = PUPPET_SIZE_TOO;
    puppet->cloud_groups[0].nodes++;
    puppet_run(puppet, 10 * SECOND);
    assert_string_equal(first->identifier, "vps-1");
    assert_string_equal(second->identifier, "");
    machine("vps-2", 4, 8192);
    puppet->cloud_groups[0].nodes++;
    puppet_run(puppet, 10 * SECOND);
    assert_string_equal(second->identifier, "vps-2");
}

static void more_than_was_ordered_waits_until_all_are_listed_and_the_oldest_are_taken(void **state)
{
    (void)state;
    struct puppet_node *node = order();
    struct puppet_machine *theirs = machine("vps-later", 4, 8192);
    theirs->id = 5002;
    puppet->cloud_groups[0].nodes += 2; // somebody ordered in the same group
    puppet_run(puppet, 10 * SECOND);
    assert_string_equal(node->identifier, "");
    machine("vps-earlier", 4, 8192)->id = 5001;
    puppet_run(puppet, 2 * MINUTE);
    assert_string_equal(node->identifier, "vps-earlier");
    puppet_run(puppet, 4 * MINUTE);
    assert_int_equal(group_life(puppet->core, general())->surplus, 1);
    assert_true(puppet_said(puppet, "surplus"));
}

static void what_was_over_before_is_not_taken_for_new(void **state)
{
    (void)state;
    machine("vps-panel", 4, 8192);
    puppet->cloud_groups[0].nodes = 1; // a person's, in our group
    puppet_run(puppet, 3 * MINUTE);
    assert_int_equal(group_life(puppet->core, general())->surplus, 1);
    struct life_counts counts = life_counts(puppet->core, general());
    assert_int_equal(counts.total, 0);
}

// ---- lists and counts that lag, or lie

static void a_machine_whose_node_is_older_than_the_call_is_never_taken(void **state)
{
    (void)state;
    struct puppet_node *node = order(); // from a list that lacks the pet
    struct puppet_kube_node *pet = puppet_kube_node(puppet, "pet-1", true);
    pet->created_ms -= 60 * MINUTE;
    puppet_show_kube_node(puppet, pet);
    machine("vps-pet", 4, 8192);
    snprintf(puppet->machines[puppet->machine_count - 1].hostname, 80, "pet-1");
    puppet->cloud_groups[0].nodes++; // and ours is counted, not listed
    puppet_run(puppet, 10 * MINUTE);
    assert_string_equal(node->identifier, "");
    machine("vps-1", 4, 8192);
    puppet_run(puppet, 2 * MINUTE);
    assert_string_equal(node->identifier, "vps-1");
}

static void a_machine_whose_node_was_there_before_the_call_is_never_taken(void **state)
{
    (void)state;
    puppet_kube_node(puppet, "pet-1", true); // a moment before
    struct puppet_node *node = order();      // from a list that lacks the pet
    machine("vps-pet", 4, 8192);
    snprintf(puppet->machines[puppet->machine_count - 1].hostname, 80, "PET-1");
    puppet->cloud_groups[0].nodes++; // and ours is counted, not listed
    puppet_run(puppet, 10 * MINUTE);
    assert_string_equal(node->identifier, "");
    machine("vps-1", 4, 8192);
    puppet_run(puppet, 2 * MINUTE);
    assert_string_equal(node->identifier, "vps-1");
}

// A machine was counted and hidden by the list, and so was a stranger whose Node runs: that is not the one.
static void a_stranger_that_the_list_hid_is_not_taken_for_what_was_counted(void **state)
{
    (void)state;
    puppet_kube_node(puppet, "pet-1", true);
    puppet->cloud_groups[0].nodes = 1;
    struct puppet_node *node = order();
    puppet->cloud_groups[0].nodes = 1; // the hidden one has gone, ours is counted
    machine("vps-pet", 4, 8192);
    snprintf(puppet->machines[puppet->machine_count - 1].hostname, 80, "pet-1");
    machine("vps-1", 4, 8192);
    puppet_run(puppet, 3 * MINUTE);
    assert_string_equal(node->identifier, "vps-1");
}

// VPSie's times have no zone: those of machines whose Nodes are known tell it.
static void a_machine_that_was_made_before_the_call_is_never_taken(void **state)
{
    (void)state;
    const int64_t zone_ms = 7 * 60 * MINUTE;
    for (int i = 0; i < 2; i++) {
        const char *name = i == 0 ? "pet-1" : "pet-2";
        puppet_kube_node(puppet, name, true);
        machine(name, 4, 8192)->created_ms = puppet->now_ms - 2 * MINUTE + zone_ms;
    }
    puppet_run(puppet, 5 * MINUTE);
    struct puppet_node *node = order(); // from a list that lacks the third
    machine("vps-old", 4, 8192)->created_ms = puppet->now_ms - 15 * MINUTE + zone_ms;
    puppet->cloud_groups[0].nodes++; // and ours is counted, not listed
    puppet_run(puppet, 10 * MINUTE);
    assert_string_equal(node->identifier, "");
    machine("vps-1", 4, 8192)->created_ms = puppet->now_ms - 9 * MINUTE + zone_ms;
    puppet_run(puppet, 2 * MINUTE);
    assert_string_equal(node->identifier, "vps-1");
}

// Whose size is not told: nothing but the settling tells whose it is, and the bound passes meanwhile.
static void a_machine_that_appears_as_the_bound_passes_gets_the_time_to_settle(void **state)
{
    (void)state;
    struct puppet_node *node = order();
    puppet_run(puppet, 15 * MINUTE);
    assert_int_equal(puppet_life(puppet, node->name)->step, LIFE_APPEAR);
    machine("vps-1", 0, 0);
    puppet->cloud_groups[0].nodes++;
    puppet_run(puppet, 40 * SECOND);
    assert_int_equal(puppet_life(puppet, node->name)->step, LIFE_APPEAR);
    puppet_run(puppet, MINUTE);
    assert_string_equal(node->identifier, "vps-1");
}

static void a_machine_that_is_counted_and_not_listed_is_waited_for_beyond_the_bound(void **state)
{
    (void)state;
    struct puppet_node *node = order();
    puppet->cloud_groups[0].nodes++;
    puppet_run(puppet, 25 * MINUTE);
    assert_false(puppet_said(puppet, "still waits for"));
    puppet_run(puppet, 15 * MINUTE);
    assert_int_equal(puppet_life(puppet, node->name)->step, LIFE_APPEAR);
    assert_non_null(strstr(puppet_life(puppet, node->name)->waits_for, "lacks a machine"));
    assert_true(puppet_said(puppet, "still waits for"));
    machine("vps-1", 4, 8192);
    puppet_run(puppet, 2 * MINUTE);
    assert_string_equal(node->identifier, "vps-1");
}

static void what_the_list_shows_from_before_explains_a_count_that_lagged(void **state)
{
    (void)state;
    machine("vps-panel", 4, 8192); // in the list, and not counted yet
    struct puppet_node *node = order();
    puppet->cloud_groups[0].nodes++;
    puppet_run(puppet, 25 * MINUTE);
    assert_string_equal(node->identifier, "");
    assert_int_equal(puppet_life(puppet, node->name)->step, LIFE_FAILED);
}

static void vpsie_s_own_count_holds_at_the_maximum(void **state)
{
    (void)state;
    puppet->groups[0].max = 2;
    puppet_show_group(puppet, &puppet->groups[0]);
    machine("vps-panel-1", 4, 8192);
    machine("vps-panel-2", 4, 8192);
    puppet->cloud_groups[0].nodes = 2; // by other hands
    puppet_run(puppet, 10 * SECOND);
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 0);
    assert_int_equal(puppet_stored_count(puppet), 0);
    assert_true(puppet_said(puppet, "maxNodes is 2"));
    assert_true(group_life(puppet->core, general())->backoff_until_ms > puppet->now_ms);
}

static void what_had_just_left_when_the_baseline_was_taken_is_not_taken_for_a_stranger(void **state)
{
    (void)state;
    puppet_in_service(puppet, "w1", "general");
    puppet_run(puppet, 2 * MINUTE);
    machine("vps-pet", 4, 8192); // nobody's, and nothing tells that it is not the group's
    puppet_run(puppet, 10 * SECOND);
    struct puppet_node *leaving = &puppet->nodes[0];
    leaving->deletion_ms = puppet->now_ms;
    puppet_kube_node_gone(puppet, "host-w1");
    puppet_show_intention(puppet, leaving);
    puppet_run(puppet, 5 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 1);
    puppet_machine_gone(puppet, "vps-w1"); // off the list, and still counted
    puppet_run(puppet, 10 * SECOND);
    struct puppet_node *node = order();
    machine("vps-1", 4, 8192); // ours; the count stays the same: one more, one less
    puppet_run(puppet, 3 * MINUTE);
    assert_string_equal(node->identifier, "vps-1");
}

static void a_machine_that_an_answer_named_is_no_stranger_to_the_next_baseline(void **state)
{
    (void)state;
    puppet->held[COMMAND_VPSIE_ADD_MACHINE] = true;
    puppet_order(puppet, "general", 1);
    puppet_answer_machine(puppet, puppet_last(puppet, COMMAND_VPSIE_ADD_MACHINE), "vps-a", "host-a");
    puppet_answer_all(puppet, COMMAND_VPSIE_ADD_MACHINE);
    puppet->cloud_groups[0].nodes = 1; // counted, not listed
    puppet_run(puppet, 10 * SECOND);
    struct puppet_node *node = order();
    machine("vps-pet", 4, 8192)->role = MACHINE_ROLE_UNKNOWN;
    puppet_machine_gone(puppet, "vps-pet");
    machine("vps-a", 4, 8192);
    machine("vps-b", 4, 8192);
    puppet->cloud_groups[0].nodes = 2;
    puppet_run(puppet, 3 * MINUTE);
    assert_string_equal(node->identifier, "vps-b");
}

// ---- surplus

static void a_surplus_is_reported_once_and_left_alone(void **state)
{
    (void)state;
    machine("vps-panel", 4, 8192);
    puppet->cloud_groups[0].nodes = 1;
    puppet_run(puppet, 60 * MINUTE);
    uint32_t said = 0;
    for (uint32_t i = 0; i < puppet->sent_count; i++)
        said += puppet->sent[i]->kind == COMMAND_KUBE_EVENT &&
                strcmp(puppet->sent[i]->event.reason, "SurplusMachines") == 0;
    assert_int_equal(said, 1);
    assert_int_equal(puppet_stored_count(puppet), 0);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
    assert_non_null(strstr(group_life(puppet->core, general())->problem, "surplus"));
}

static void a_surplus_is_adopted_when_the_group_is_short(void **state)
{
    (void)state;
    struct puppet_group *group = &puppet->groups[0];
    group->labels[group->label_count++] = (struct label){"pool", "general"};
    group->taints[group->taint_count++] = (struct taint){"dedicated", "x", TAINT_NO_SCHEDULE};
    puppet_show_group(puppet, group);
    machine("vps-panel", 4, 8192);
    puppet->cloud_groups[0].nodes = 1;
    puppet_kube_node(puppet, "vps-panel", true);
    puppet_run(puppet, 5 * MINUTE);
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 0);
    assert_int_equal(puppet_stored_count(puppet), 1);
    const struct puppet_node *node = puppet_stored(puppet, 0);
    assert_string_equal(puppet_note_of(node, KEY_ORDER), "adopted");
    assert_string_equal(node->identifier, "vps-panel");
    assert_int_equal(node->phase, INTENTION_READY);
    const struct command *label = puppet_last(puppet, COMMAND_KUBE_LABEL_NODE);
    assert_string_equal(labels_get(&label->label_node.labels, "pool"), "general");
    assert_int_equal(label->label_node.taints.count, 0); // never tainted afterwards
    puppet_run(puppet, 2 * MINUTE);
    assert_int_equal(group_life(puppet->core, general())->surplus, 0);
}

static void a_machine_that_was_there_when_nothing_was_over_is_never_adopted(void **state)
{
    (void)state;
    machine("vps-pet", 4, 8192); // in no group at all
    puppet_run(puppet, 5 * MINUTE);
    machine("vps-panel", 4, 8192);
    puppet->cloud_groups[0].nodes = 1;
    puppet_kube_node(puppet, "vps-pet", true);
    puppet_kube_node(puppet, "vps-panel", true);
    puppet_run(puppet, 5 * MINUTE);
    puppet_order(puppet, "general", 2);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 1);
    assert_string_equal(puppet_stored(puppet, 0)->identifier, "vps-panel");
}

static void a_surplus_that_cannot_be_told_apart_is_not_adopted(void **state)
{
    (void)state;
    machine("vps-a", 4, 8192);
    machine("vps-b", 4, 8192);
    puppet->cloud_groups[0].nodes = 1;
    puppet->cloud_groups[1].nodes = 1;
    puppet_run(puppet, 5 * MINUTE);
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, 10 * SECOND);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_ADD_MACHINE), 1);
    assert_string_equal(puppet_stored(puppet, 0)->identifier, "");
}

static void an_adopted_machine_that_does_not_join_is_not_deleted(void **state)
{
    (void)state;
    machine("vps-panel", 4, 8192);
    puppet->cloud_groups[0].nodes = 1;
    puppet->cloud_groups[1].size = PUPPET_SIZE_TOO;
    puppet_run(puppet, 5 * MINUTE);
    puppet_order(puppet, "general", 1);
    puppet_run(puppet, 20 * MINUTE);
    assert_int_equal(puppet_stored(puppet, 0)->phase, INTENTION_FAILED);
    assert_int_equal(puppet_count(puppet, COMMAND_VPSIE_DELETE_MACHINE), 0);
}

// ---- baselines as text

static void a_baseline_reads_what_it_wrote(void **state)
{
    (void)state;
    struct baseline *baseline = baseline_parse("1;7;1767225600000;12;12:3/1,90:0;@host-a,#44,vps-1");
    assert_non_null(baseline);
    assert_int_equal(baseline->term, 7);
    assert_int_equal(baseline->group_id, 12);
    assert_int_equal(baseline_of(baseline, 12).extra, 3);
    assert_int_equal(baseline_of(baseline, 12).least, 1);
    assert_int_equal(baseline_of(baseline, 90).least, 0);
    assert_int_equal(baseline_of(baseline, 91).extra, 0); // younger than the baseline
    struct machine_facts by_identifier = {.identifier = "vps-1", .hostname = ""};
    struct machine_facts by_id = {.identifier = "vps-9", .id = 44, .hostname = ""};
    struct machine_facts by_name = {.identifier = "vps-8", .id = 9, .hostname = "host-a"};
    struct machine_facts other = {.identifier = "vps-7", .id = 45, .hostname = "host-b"};
    assert_true(baseline_has(baseline, &by_identifier));
    assert_true(baseline_has(baseline, &by_id));
    assert_true(baseline_has(baseline, &by_name));
    assert_false(baseline_has(baseline, &other));
    baseline_free(baseline);
}

static void a_baseline_that_is_not_one_is_refused(void **state)
{
    (void)state;
    const char *const texts[] = {"",
                                 "2;1;1;1;;",
                                 "1;1;1",
                                 "1;x;1;12;12:0;a",
                                 "1;1;1;12;12;a",
                                 "1;;;;",
                                 "1;1;1;12;:;",
                                 "1;1;1;12;12:99999999999;a"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_null(baseline_parse(texts[i]));
    struct baseline *empty = baseline_parse("1;1;1;12;;");
    assert_non_null(empty);
    assert_int_equal(empty->key_count, 0);
    baseline_free(empty);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_machine_is_not_taken_while_its_group_counts_nothing_more),
        TEST(what_is_alone_but_could_be_another_s_is_taken_when_nothing_changes_for_a_while),
        TEST(a_machine_of_another_group_that_rose_too_is_not_taken),
        TEST(two_machines_of_the_same_size_and_one_of_them_ours_cannot_be_told_apart),
        TEST(the_size_tells_them_apart),
        TEST(the_node_tells_the_size_when_the_list_does_not),
        TEST(a_machine_of_the_baseline_is_never_taken),
        TEST(a_master_is_never_taken),
        TEST(a_master_that_the_list_does_not_call_one_is_known_by_its_node),
        TEST(the_oldest_order_gets_the_first_machine),
        TEST(more_than_was_ordered_waits_until_all_are_listed_and_the_oldest_are_taken),
        TEST(what_was_over_before_is_not_taken_for_new),
        TEST(a_machine_whose_node_is_older_than_the_call_is_never_taken),
        TEST(a_machine_whose_node_was_there_before_the_call_is_never_taken),
        TEST(a_stranger_that_the_list_hid_is_not_taken_for_what_was_counted),
        TEST(a_machine_that_was_made_before_the_call_is_never_taken),
        TEST(a_machine_that_appears_as_the_bound_passes_gets_the_time_to_settle),
        TEST(a_machine_that_is_counted_and_not_listed_is_waited_for_beyond_the_bound),
        TEST(what_the_list_shows_from_before_explains_a_count_that_lagged),
        TEST(vpsie_s_own_count_holds_at_the_maximum),
        TEST(what_had_just_left_when_the_baseline_was_taken_is_not_taken_for_a_stranger),
        TEST(a_machine_that_an_answer_named_is_no_stranger_to_the_next_baseline),
        TEST(a_surplus_is_reported_once_and_left_alone),
        TEST(a_surplus_is_adopted_when_the_group_is_short),
        TEST(a_machine_that_was_there_when_nothing_was_over_is_never_adopted),
        TEST(a_surplus_that_cannot_be_told_apart_is_not_adopted),
        TEST(an_adopted_machine_that_does_not_join_is_not_deleted),
        cmocka_unit_test(a_baseline_reads_what_it_wrote),
        cmocka_unit_test(a_baseline_that_is_not_one_is_refused),
    };
    return cmocka_run_group_tests_name("attribution", tests, NULL, NULL);
}

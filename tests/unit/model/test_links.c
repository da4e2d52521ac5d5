#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

static struct group *put_group(const char *name)
{
    struct nodegroup_facts facts = make_group(name);
    return cluster_put_group(cluster, &facts);
}

static struct intention *put_intention(const char *name, const char *group_name, const char *node_name)
{
    struct intention_facts facts = make_intention(name, group_name);
    facts.node_name = node_name;
    return cluster_put_intention(cluster, &facts);
}

static struct node *put_node(const char *name, const char *intention_label)
{
    struct labels labels = LABELS({KEY_VPSIENODE, intention_label});
    struct node_facts facts = make_node(name);
    if (intention_label != NULL)
        facts.labels = labels;
    return cluster_put_node(cluster, &facts);
}

static struct node *put_labelled_node(const char *name, const char *group_name, const char *managed)
{
    struct labels labels = LABELS({KEY_MANAGED, managed}, {KEY_NODEGROUP, group_name});
    struct node_facts facts = make_node(name);
    facts.labels = labels;
    return cluster_put_node(cluster, &facts);
}

static void intentions_join_their_group_whichever_comes_first(void **state)
{
    (void)state;
    struct intention *early = put_intention("a", "general", "");
    assert_null(early->group);
    struct group *group = put_group("general");
    assert_ptr_equal(early->group, group);
    struct intention *late = put_intention("b", "general", "");
    assert_ptr_equal(late->group, group);
    assert_int_equal(group->intention_count, 2);
    assert_true(cluster_remove_group(cluster, "kube-system", "general"));
    assert_null(early->group);
    assert_null(late->group);
    group = put_group("general");
    assert_int_equal(group->intention_count, 2);
    assert_true(cluster_remove_intention(cluster, "kube-system", "a"));
    assert_int_equal(group->intention_count, 1);
    assert_ptr_equal(group->intentions[0], late);
}

static void a_groups_intentions_are_ordered_by_age_and_name(void **state)
{
    (void)state;
    struct group *group = put_group("general");
    struct intention_facts facts = make_intention("b", "general");
    facts.created_ms = 5;
    cluster_put_intention(cluster, &facts);
    facts.name = facts.uid = "a";
    cluster_put_intention(cluster, &facts);
    facts.name = facts.uid = "z";
    facts.created_ms = 1;
    cluster_put_intention(cluster, &facts);
    assert_string_equal(group->intentions[0]->facts.name, "z");
    assert_string_equal(group->intentions[1]->facts.name, "a");
    assert_string_equal(group->intentions[2]->facts.name, "b");
    facts.created_ms = 9; // a change of age moves it
    cluster_put_intention(cluster, &facts);
    assert_string_equal(group->intentions[2]->facts.name, "z");
    assert_string_equal(cluster->intentions[0]->facts.name, "a");
}

static void a_group_of_another_namespace_is_another_group(void **state)
{
    (void)state;
    struct nodegroup_facts facts = make_group("general");
    facts.space = "other";
    struct group *other = cluster_put_group(cluster, &facts);
    struct intention *intention = put_intention("a", "general", "");
    assert_null(intention->group);
    assert_ptr_equal(cluster_group(cluster, NULL, "general"), other);
    struct group *own = put_group("general");
    assert_ptr_equal(intention->group, own);
    assert_ptr_equal(cluster_group(cluster, NULL, "general"), own); // "kube-system" before "other"
    assert_ptr_equal(cluster_group(cluster, "other", "general"), other);
    assert_null(cluster_group(cluster, "third", "general"));
    assert_null(cluster_group(cluster, NULL, ""));
}

static void an_intention_moves_when_it_names_another_group(void **state)
{
    (void)state;
    struct group *a = put_group("a");
    struct group *b = put_group("b");
    struct node *node = put_node("n1", "i");
    struct intention *intention = put_intention("i", "a", "");
    assert_ptr_equal(node->group, a);
    put_intention("i", "b", "");
    assert_ptr_equal(intention->group, b);
    assert_int_equal(a->intention_count, 0);
    assert_int_equal(b->intention_count, 1);
    assert_ptr_equal(node->group, b);
}

static void a_label_ties_a_node_whichever_comes_first(void **state)
{
    (void)state;
    struct group *group = put_group("general");
    struct node *early = put_node("n1", "i1");
    struct intention *i1 = put_intention("i1", "general", "");
    assert_ptr_equal(early->intention, i1);
    assert_ptr_equal(i1->node, early);
    assert_ptr_equal(early->group, group);
    struct intention *i2 = put_intention("i2", "general", "");
    struct node *late = put_node("n2", "i2");
    assert_ptr_equal(late->intention, i2);
    struct intention *i3 = put_intention("i3", "general", "");
    put_node("n3", NULL);
    assert_null(i3->node);
    put_node("n3", "i3"); // the label is written later
    assert_string_equal(i3->node->name, "n3");
}

static void a_node_name_ties_a_node_whichever_comes_first(void **state)
{
    (void)state;
    struct node *early = put_node("n1", NULL);
    struct intention *i1 = put_intention("i1", "general", "n1");
    assert_ptr_equal(i1->node, early);
    struct intention *i2 = put_intention("i2", "general", "n2");
    struct node *late = put_node("n2", NULL);
    assert_ptr_equal(late->intention, i2);
    struct intention *i3 = put_intention("i3", "general", "");
    struct node *third = put_node("n3", NULL);
    put_intention("i3", "general", "n3"); // the name is written later
    assert_ptr_equal(i3->node, third);
}

static void removing_either_side_unties(void **state)
{
    (void)state;
    struct group *group = put_group("general");
    struct node *node = put_node("n1", "i1");
    struct intention *intention = put_intention("i1", "general", "");
    assert_true(cluster_remove_node(cluster, "n1", ""));
    assert_null(intention->node);
    node = put_node("n1", "i1");
    assert_ptr_equal(intention->node, node);
    assert_true(cluster_remove_intention(cluster, "kube-system", "i1"));
    assert_false(cluster_remove_intention(cluster, "kube-system", "i1"));
    assert_null(node->intention);
    assert_null(node->group);
    assert_int_equal(group->intention_count, 0);
}

static void a_recreated_node_takes_its_intention_over(void **state)
{
    (void)state;
    struct intention *intention = put_intention("i1", "general", "n1");
    put_node("n1", NULL);
    struct node_facts facts = make_node("n1");
    facts.uid = "another";
    struct node *node = cluster_put_node(cluster, &facts);
    assert_ptr_equal(intention->node, node);
    assert_string_equal(node->uid, "another");
}

static void decide_can_tie_and_untie(void **state)
{
    (void)state;
    struct group *group = put_group("general");
    struct intention *a = put_intention("a", "general", "");
    struct intention *b = put_intention("b", "general", "");
    struct node *n1 = put_node("n1", NULL);
    struct node *n2 = put_node("n2", NULL);
    uint64_t version = cluster->version;
    cluster_bind(cluster, a, n1);
    assert_int_equal(cluster->version, version + 1);
    cluster_bind(cluster, a, n1);
    assert_int_equal(cluster->version, version + 1);
    assert_ptr_equal(n1->group, group);
    cluster_bind(cluster, b, n1); // takes it away from a
    assert_null(a->node);
    assert_ptr_equal(n1->intention, b);
    cluster_bind(cluster, b, n2);
    assert_null(n1->intention);
    assert_null(n1->group);
    cluster_bind(cluster, b, NULL);
    assert_null(n2->intention);
    assert_null(b->node);
    cluster_bind(cluster, b, NULL);
    put_node("n2", NULL); // telling it again brings no tie back
    assert_null(n2->intention);
}

static void a_tie_outlasts_changes_of_either_side(void **state)
{
    (void)state;
    struct intention *intention = put_intention("a", "general", "");
    struct node *node = put_node("n1", NULL);
    cluster_bind(cluster, intention, node);
    struct node_facts facts = make_node("n1");
    facts.unschedulable = true;
    cluster_put_node(cluster, &facts);
    struct intention_facts changed = make_intention("a", "general");
    changed.phase = INTENTION_JOINING;
    cluster_put_intention(cluster, &changed);
    assert_ptr_equal(intention->node, node);
    assert_ptr_equal(node->intention, intention);
}

static void a_label_wins_over_a_name(void **state)
{
    (void)state;
    struct intention *old = put_intention("old", "general", "n1"); // its machine had the same hostname
    struct intention *new = put_intention("new", "general", "");
    struct node *node = put_node("n1", NULL);
    assert_ptr_equal(node->intention, old);
    put_node("n1", "new");
    assert_ptr_equal(node->intention, new);
    assert_null(old->node);
    put_intention("old", "other", "n1"); // it does not get it back
    assert_ptr_equal(node->intention, new);
}

static void a_label_does_not_take_what_another_label_holds(void **state)
{
    (void)state;
    struct intention *intention = put_intention("i", "general", "");
    struct node *first = put_node("n1", "i");
    struct node *second = put_node("n2", "i");
    assert_ptr_equal(intention->node, first);
    assert_null(second->intention);
    cluster_remove_node(cluster, "n1", "");
    assert_ptr_equal(intention->node, second);
}

static void of_several_intentions_that_name_a_node_the_living_and_youngest_has_it(void **state)
{
    (void)state;
    struct intention_facts facts = make_intention("a", "general");
    facts.node_name = "n1";
    cluster_put_intention(cluster, &facts);
    facts.name = facts.uid = "b";
    facts.created_ms = 2000;
    cluster_put_intention(cluster, &facts);
    facts.name = facts.uid = "c";
    facts.created_ms = 3000;
    facts.deletion_ms = 4000;
    cluster_put_intention(cluster, &facts);
    struct node *node = put_node("n1", NULL);
    assert_string_equal(node->intention->facts.name, "b");
    cluster_remove_intention(cluster, "kube-system", "b");
    assert_string_equal(node->intention->facts.name, "a");
    cluster_remove_intention(cluster, "kube-system", "a");
    assert_string_equal(node->intention->facts.name, "c");
}

static void a_managed_label_puts_a_node_into_its_group(void **state)
{
    (void)state;
    struct node *early = put_labelled_node("n1", "general", "true");
    assert_null(early->group);
    struct group *group = put_group("general");
    assert_ptr_equal(early->group, group);
    assert_ptr_equal(put_labelled_node("n2", "general", "true")->group, group);
    assert_null(put_labelled_node("n3", "general", "false")->group);
    assert_null(put_labelled_node("n4", "other", "true")->group);
    cluster_remove_group(cluster, "kube-system", "general");
    assert_null(early->group);
}

static void the_namespace_of_a_nodes_group_can_be_told(void **state)
{
    (void)state;
    struct nodegroup_facts group_facts = make_group("general");
    group_facts.space = "team-b";
    struct group *b = cluster_put_group(cluster, &group_facts);
    group_facts.space = "team-a";
    struct group *a = cluster_put_group(cluster, &group_facts);
    struct labels labels = LABELS({KEY_MANAGED, "true"}, {KEY_NODEGROUP, "general"});
    struct labels annotations = LABELS({KEY_NODEGROUP_NAMESPACE, "team-b"});
    struct node_facts facts = make_node("n1");
    facts.labels = labels;
    struct node *node = cluster_put_node(cluster, &facts);
    assert_ptr_equal(node->group, a);
    facts.annotations = annotations;
    cluster_put_node(cluster, &facts);
    assert_ptr_equal(node->group, b);
}

static void the_intentions_group_comes_before_the_label(void **state)
{
    (void)state;
    put_group("labelled");
    struct group *own = put_group("own");
    struct node *node = put_labelled_node("n1", "labelled", "true");
    put_intention("i", "own", "n1");
    assert_ptr_equal(node->group, own);
    cluster_remove_intention(cluster, "kube-system", "i");
    assert_string_equal(node->group->facts.name, "labelled");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(intentions_join_their_group_whichever_comes_first),
        TEST(a_groups_intentions_are_ordered_by_age_and_name),
        TEST(a_group_of_another_namespace_is_another_group),
        TEST(an_intention_moves_when_it_names_another_group),
        TEST(a_label_ties_a_node_whichever_comes_first),
        TEST(a_node_name_ties_a_node_whichever_comes_first),
        TEST(removing_either_side_unties),
        TEST(a_recreated_node_takes_its_intention_over),
        TEST(decide_can_tie_and_untie),
        TEST(a_tie_outlasts_changes_of_either_side),
        TEST(a_label_wins_over_a_name),
        TEST(a_label_does_not_take_what_another_label_holds),
        TEST(of_several_intentions_that_name_a_node_the_living_and_youngest_has_it),
        TEST(a_managed_label_puts_a_node_into_its_group),
        TEST(the_namespace_of_a_nodes_group_can_be_told),
        TEST(the_intentions_group_comes_before_the_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

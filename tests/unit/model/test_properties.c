// Random worlds, told in random order: what the model keeps up to date step by step must be what counting
// anew gives, and the same facts must give the same world whichever came first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/text.h"
#include "coordinator/model/cluster.h"
#include "coordinator/model/resources.h"
#include "tests/support/make_facts.h"

#define SEEDS      60u
#define STEPS      400u
#define NODES      12u
#define PODS       40u
#define INTENTIONS 10u
#define GROUPS     3u

static uint32_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % limit;
}

static char node_names[NODES][16];
static char pod_names[PODS][16];
static char intention_names[INTENTIONS][16];
static char group_names[GROUPS][16];

static int name_all(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < NODES; i++)
        snprintf(node_names[i], sizeof(node_names[i]), "node-%u", i);
    for (uint32_t i = 0; i < PODS; i++)
        snprintf(pod_names[i], sizeof(pod_names[i]), "pod-%u", i);
    for (uint32_t i = 0; i < INTENTIONS; i++)
        snprintf(intention_names[i], sizeof(intention_names[i]), "vn-%u", i);
    for (uint32_t i = 0; i < GROUPS; i++)
        snprintf(group_names[i], sizeof(group_names[i]), "group-%u", i);
    return 0;
}

// ---- counting anew

static void check_list(const struct pod *first, const struct pod *last, const struct node *node,
                       struct resources *sum, uint32_t *counted, uint32_t *seen)
{
    const struct pod *previous = NULL;
    for (const struct pod *pod = first; pod != NULL; pod = pod->next) {
        assert_ptr_equal(pod->previous, previous);
        assert_ptr_equal(pod->node, node);
        if (node != NULL && !pod->terminal) {
            resources_add(sum, &pod->shape->facts.requests);
            (*counted)++;
        }
        (*seen)++;
        previous = pod;
    }
    assert_ptr_equal(last, previous);
}

static void check_nodes(const struct cluster *cluster, uint32_t *seen)
{
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct node *node = cluster->nodes[i];
        struct resources sum = {0};
        uint32_t counted = 0;
        check_list(node->pods, node->last_pod, node, &sum, &counted, seen);
        assert_true(resources_equal(&sum, &node->requested));
        assert_int_equal(counted, node->pod_count);
        resources_free(&sum);
        assert_ptr_equal(cluster_node(cluster, node->name), node);
        assert_ptr_equal(node->agent, cluster_agent(cluster, node->name));
        if (node->intention != NULL)
            assert_ptr_equal(node->intention->node, node);
        if (i > 0)
            assert_true(strcmp(cluster->nodes[i - 1]->name, node->name) < 0);
    }
}

// Every pod that counts on a node is in its shape's list, and nothing else is in one.
static void check_shapes(const struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        for (const struct pod *pod = cluster->nodes[i]->pods; pod != NULL; pod = pod->next) {
            bool listed = false;
            const struct pod *previous = NULL;
            for (const struct pod *other = pod->shape->pods; other != NULL; other = other->shape_next) {
                assert_ptr_equal(other->shape_previous, previous);
                assert_ptr_equal(other->shape, pod->shape);
                assert_true(other->node != NULL && !other->terminal);
                listed = listed || other == pod;
                previous = other;
            }
            assert_int_equal(listed, !pod->terminal);
        }
    }
}

static void check_pods(const struct cluster *cluster)
{
    struct resources nothing = {0};
    uint32_t counted = 0;
    uint32_t seen = 0;
    check_list(cluster->unbound, cluster->last_unbound, NULL, &nothing, &counted, &seen);
    assert_int_equal(seen, cluster->unbound_count);
    uint32_t strays = 0;
    for (const struct stray *stray = cluster->strays; stray != NULL; stray = stray->next) {
        uint32_t of_stray = 0;
        assert_null(cluster_node(cluster, stray->node_name));
        check_list(stray->pods, stray->last_pod, NULL, &nothing, &counted, &of_stray);
        assert_int_equal(of_stray, stray->pod_count);
        assert_true(of_stray > 0);
        strays += of_stray;
    }
    assert_int_equal(strays, cluster->stray_count);
    seen += strays;
    check_nodes(cluster, &seen);
    assert_int_equal(seen, cluster->pod_count);
}

static void check_groups(const struct cluster *cluster)
{
    uint32_t grouped = 0;
    for (uint32_t i = 0; i < cluster->group_count; i++) {
        const struct group *group = cluster->groups[i];
        for (uint32_t j = 0; j < group->intention_count; j++) {
            assert_ptr_equal(group->intentions[j]->group, group);
            assert_string_equal(group->intentions[j]->facts.group_name, group->facts.name);
        }
        grouped += group->intention_count;
    }
    for (uint32_t i = 0; i < cluster->intention_count; i++) {
        const struct intention *intention = cluster->intentions[i];
        grouped -= intention->group != NULL;
        if (intention->node != NULL)
            assert_ptr_equal(intention->node->intention, intention);
        if (intention->group == NULL)
            assert_null(cluster_group(cluster, intention->facts.space, intention->facts.group_name));
    }
    assert_int_equal(grouped, 0);
}

static void check(const struct cluster *cluster)
{
    check_pods(cluster);
    check_shapes(cluster);
    check_groups(cluster);
}

// ---- random steps

static void put_random_node(struct cluster *cluster, uint32_t i)
{
    struct label labels[3];
    uint32_t count = 0;
    if (below(2) == 0) {
        labels[count++] = (struct label){KEY_MANAGED, "true"};
        labels[count++] = (struct label){KEY_NODEGROUP, group_names[below(GROUPS)]};
    }
    if (below(3) == 0)
        labels[count++] = (struct label){KEY_VPSIENODE, intention_names[below(INTENTIONS)]};
    struct node_facts facts = make_node(node_names[i]);
    facts.labels = (struct labels){.items = labels, .count = count};
    facts.ready = (enum node_ready)below(3);
    facts.uid = below(4) == 0 ? "reborn" : facts.name;
    cluster_put_node(cluster, &facts);
}

static void put_random_pod(struct cluster *cluster, uint32_t i)
{
    static const struct extended_resource gpu[] = {{"nvidia.com/gpu", 1}};
    struct pod_facts facts =
        make_pod(pod_names[i], below(4) == 0 ? "" : node_names[below(NODES)], 10 * below(5), MIB * below(3));
    facts.terminal = below(5) == 0;
    if (below(4) == 0)
        facts.shape.requests.cpu_millis = INT64_MAX / 2; // two of them saturate
    if (below(4) == 0) {
        facts.shape.requests.extended = gpu;
        facts.shape.requests.extended_count = 1;
    }
    facts.uid = below(6) == 0 ? "reborn" : facts.name;
    struct label label = {"rank", pod_names[below(3)]};
    facts.shape.labels = (struct labels){.items = &label, .count = 1};
    cluster_put_pod(cluster, &facts);
}

static void put_random_intention(struct cluster *cluster, uint32_t i)
{
    struct intention_facts facts = make_intention(intention_names[i], group_names[below(GROUPS)]);
    facts.created_ms = below(4);
    facts.node_name = below(2) == 0 ? "" : node_names[below(NODES)];
    cluster_put_intention(cluster, &facts);
}

static void bind_at_random(struct cluster *cluster)
{
    struct intention *intention = cluster_intention(cluster, NULL, intention_names[below(INTENTIONS)]);
    if (intention != NULL)
        cluster_bind(cluster, intention, cluster_node(cluster, node_names[below(NODES)]));
}

static void step(struct cluster *cluster)
{
    struct nodegroup_facts group;
    struct agent_report_facts report;
    switch (below(12)) {
    case 0:
    case 1: put_random_node(cluster, below(NODES)); break;
    case 2: cluster_remove_node(cluster, node_names[below(NODES)], ""); break;
    case 3:
    case 4:
    case 5: put_random_pod(cluster, below(PODS)); break;
    case 6: cluster_remove_pod(cluster, "default", pod_names[below(PODS)], ""); break;
    case 7: put_random_intention(cluster, below(INTENTIONS)); break;
    case 8: cluster_remove_intention(cluster, "kube-system", intention_names[below(INTENTIONS)]); break;
    case 9:
        group = make_group(group_names[below(GROUPS)]);
        group.min_nodes = (int32_t)below(3);
        cluster_put_group(cluster, &group);
        break;
    case 10:
        if (below(2) == 0)
            cluster_remove_group(cluster, "kube-system", group_names[below(GROUPS)]);
        else
            bind_at_random(cluster);
        break;
    default:
        report = make_report(node_names[below(NODES)], "s", below(1000));
        cluster_put_report(cluster, &report);
        break;
    }
}

static void every_sum_and_link_is_what_counting_anew_gives(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        random_state = seed;
        struct cluster *cluster = cluster_create();
        for (uint32_t i = 0; i < STEPS; i++) {
            step(cluster);
            check(cluster);
        }
        cluster_destroy(cluster);
    }
}

// ---- the same facts in any order

static const char *group_of(uint32_t i)
{
    return group_names[i % GROUPS];
}

static void tell(struct cluster *cluster, uint32_t fact)
{
    if (fact < NODES) {
        struct label label[] = {{KEY_VPSIENODE, intention_names[fact % INTENTIONS]}};
        struct node_facts facts = make_node(node_names[fact]);
        if (fact < INTENTIONS / 2) // the other half is tied by name
            facts.labels = (struct labels){.items = label, .count = 1};
        cluster_put_node(cluster, &facts);
    } else if (fact < NODES + PODS) {
        uint32_t i = fact - NODES;
        struct pod_facts facts = make_pod(pod_names[i], i % 5 == 0 ? "" : node_names[i % NODES], 10 * i, MIB);
        facts.terminal = i % 7 == 0;
        cluster_put_pod(cluster, &facts);
    } else if (fact < NODES + PODS + INTENTIONS) {
        uint32_t i = fact - NODES - PODS;
        struct intention_facts facts = make_intention(intention_names[i], group_of(i));
        facts.node_name = i < INTENTIONS / 2 ? "" : node_names[i];
        cluster_put_intention(cluster, &facts);
    } else {
        struct nodegroup_facts facts = make_group(group_names[fact - NODES - PODS - INTENTIONS]);
        cluster_put_group(cluster, &facts);
    }
}
#define FACTS (NODES + PODS + INTENTIONS + GROUPS)

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// The pods of a list in order of name, as the order of arrival is the order of telling.
static void describe_pods(struct text *out, const struct pod *first)
{
    const char *names[PODS];
    uint32_t count = 0;
    for (const struct pod *pod = first; pod != NULL; pod = pod->next)
        names[count++] = pod->name;
    qsort(names, count, sizeof(names[0]), by_text);
    for (uint32_t i = 0; i < count; i++)
        text_printf(out, " %s", names[i]);
    text_append(out, "\n");
}

static void describe(struct text *out, const struct cluster *cluster)
{
    text_append(out, "unbound");
    describe_pods(out, cluster->unbound);
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        const struct node *node = cluster->nodes[i];
        text_printf(out, "%s cpu %lld pods %u intention %s group %s", node->name,
                    (long long)node->requested.cpu_millis, node->pod_count,
                    node->intention == NULL ? "-" : node->intention->facts.name,
                    node->group == NULL ? "-" : node->group->facts.name);
        describe_pods(out, node->pods);
    }
    for (uint32_t i = 0; i < cluster->group_count; i++) {
        text_printf(out, "%s:", cluster->groups[i]->facts.name);
        for (uint32_t j = 0; j < cluster->groups[i]->intention_count; j++)
            text_printf(out, " %s", cluster->groups[i]->intentions[j]->facts.name);
        text_append(out, "\n");
    }
}

static void the_same_facts_in_any_order_give_the_same_world(void **state)
{
    (void)state;
    char *expected = NULL;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        random_state = seed;
        uint32_t order[FACTS];
        for (uint32_t i = 0; i < FACTS; i++) {
            uint32_t j = seed == 0 ? i : below(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        struct cluster *cluster = cluster_create();
        for (uint32_t i = 0; i < FACTS; i++)
            tell(cluster, order[i]);
        check(cluster);
        uint64_t version = cluster->version;
        for (uint32_t i = 0; i < FACTS; i++)
            tell(cluster, order[FACTS - 1 - i]); // once more: nothing is new
        assert_int_equal(cluster->version, version);
        AUTOTEXT struct text text = {0};
        describe(&text, cluster);
        if (expected == NULL)
            expected = text_take(&text);
        else
            assert_string_equal(text_get(&text), expected);
        cluster_destroy(cluster);
    }
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sum_and_link_is_what_counting_anew_gives),
        cmocka_unit_test(the_same_facts_in_any_order_give_the_same_world),
    };
    return cmocka_run_group_tests(tests, name_all, NULL);
}
